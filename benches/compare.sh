#!/usr/bin/env bash
# Compares wxgate with its peers on this machine; what it measures and how stands in docs/performance.md. --help tells
# the options.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

missing_packages() {
    has cc || echo build-essential
    has taskset || echo util-linux
    [ -x /usr/sbin/nginx ] || echo nginx-light
    [ -e /usr/share/nginx/modules/ngx_http_lua_module.so ] || echo libnginx-mod-http-lua
    [ -x /usr/sbin/haproxy ] || echo haproxy
    [ -x /usr/bin/caddy ] || echo caddy
}

# Where apt-get is missing or has no such package, the comparison leaves out what it needs.
install_missing() {
    local package
    for package in $(missing_packages); do
        (install_packages "$package") || say "there is no $package"
    done
}

asks_for_help "$@" || install_missing
build_shipped
build_load
measure compare "$@"
