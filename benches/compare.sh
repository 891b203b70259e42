#!/usr/bin/env bash
# Compares wxgate with its peers on this machine; what it measures and how stands in docs/performance.md. --help tells
# the options.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "root is needed for: $*"
    fi
}

missing_packages() {
    has cc || echo build-essential
    has taskset || echo util-linux
    [ -x /usr/sbin/nginx ] || echo nginx-light
    [ -e /usr/share/nginx/modules/ngx_http_lua_module.so ] || echo libnginx-mod-http-lua
    [ -x /usr/sbin/haproxy ] || echo haproxy
    [ -x /usr/bin/caddy ] || echo caddy
}

# The services that these packages bring are not started: a measurement starts its own. Where apt-get is missing or has
# no such package, the comparison leaves out what it needs.
install_missing() {
    local packages package
    mapfile -t packages < <(missing_packages)
    if [ "${#packages[@]}" -eq 0 ] || ! has apt-get; then
        return 0
    fi
    say "Debian packages: installing ${packages[*]}"
    as_root apt-get update -qq
    for package in "${packages[@]}"; do
        as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
            apt-get install -y -qq --no-install-recommends "$package" >&2 || say "there is no $package"
    done
}

build() {
    has cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    has cargo || fail "cargo is missing; rustup installs it"
    say "building"
    cargo build --quiet --locked --release --bin wxgate
    cargo build --quiet --locked --release --manifest-path benches/load/Cargo.toml --target-dir target/benches
}

# Two cores, of which the proxy has one for itself.
check_cores() {
    [ "$(nproc)" -ge 2 ] || fail "this machine has one core; the proxy must have one for itself"
}

check_cores
case " $* " in
    *' --help '* | *' -h '*) ;;
    *) install_missing ;;
esac
build
ulimit -n "$(ulimit -Hn)"
exec target/benches/release/compare "$@"
