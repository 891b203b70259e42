#!/usr/bin/env bash
# Measures how wxgate's cost grows with routes, sessions, connections and sizes; what each curve says stands in
# docs/performance.md. --help tells the options.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

missing_packages() {
    has cc || echo build-essential
    has taskset || echo util-linux
    has valgrind || echo valgrind
    [ -x /usr/sbin/nginx ] || echo nginx-light
}

if ! asks_for_help "$@"; then
    mapfile -t packages < <(missing_packages)
    install_packages "${packages[@]}"
fi
build_shipped
build_example store
build_load
measure growth "$@"
