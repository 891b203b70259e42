#!/usr/bin/env bash
# Measures what a million sessions take of a Redis's memory, in clear and encrypted; what that says stands in docs/redis.md.
# Options are those of the example: --sessions N.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

missing_packages() {
    has redis-server || echo redis-server
    has redis-cli || echo redis-tools
}

work=$(mktemp -d)
trap 'kill "$(cat "$work/pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$work"' EXIT

ask() { redis-cli -s "$work/redis.sock" "$@"; }

used() { ask info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p'; }

mapfile -t packages < <(missing_packages)
install_packages "${packages[@]}"
build_example redis
redis-server --port 0 --unixsocket "$work/redis.sock" --pidfile "$work/pid" --daemonize yes --save '' --dir "$work" \
    --logfile "$work/log" >/dev/null
until ask ping >/dev/null 2>&1; do sleep 0.1; done
for way in "" --sealed; do
    say "${way:-in clear}"
    before=$(used)
    target/release/examples/redis --url "redis+unix:$work/redis.sock" ${way:+"$way"} "$@"
    after=$(used)
    sessions=$(ask --scan --pattern 'wxgate:1:session:*' | wc -l)
    printf '%s bytes of Redis for each of %s sessions and its user\n' "$(((after - before) / sessions))" "$sessions"
    ask flushall >/dev/null
done
