#!/usr/bin/env bash
# Measures logins against the simulator of WeChat, on two cores together with it, and what they cost when WeChat hangs;
# docs/performance.md says how. --help tells the options.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

missing_packages() {
    has cc || echo build-essential
    has taskset || echo util-linux
}

if ! asks_for_help "$@"; then
    mapfile -t packages < <(missing_packages)
    install_packages "${packages[@]}"
fi
build_shipped
build_example simulator
build_load
measure logins "$@"
