# What the scripts here and in tests share. Sourced, never run.
# shellcheck shell=bash

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

# Installs Debian's packages $@. The services that some bring are not started.
install_packages() {
    [ "$#" -gt 0 ] || return 0
    say "Debian packages: installing $*"
    has apt-get || fail "install these yourself, there is no apt-get: $*"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends "$@" >&2
}

# rustup puts cargo where a shell that was open before does not look.
find_cargo() {
    has cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    has cargo || fail "cargo is missing; rustup installs it"
}

# Builds what measures.
build_load() {
    find_cargo
    cargo build --quiet --locked --release --manifest-path benches/load/Cargo.toml --target-dir target/benches
}

# Builds what is measured, as it is shipped: target/shipped/wxgate.
build_shipped() {
    deploy/build.sh
}

# Builds the example $1, which measures from inside.
build_example() {
    find_cargo
    say "building the example $1"
    cargo build --quiet --locked --release --example "$1"
}

# Becomes the measurement $1, with as many connections as the system allows; it needs a core for the proxy alone.
measure() {
    [ "$(nproc)" -ge 2 ] || fail "this machine has one core; the proxy must have one for itself"
    ulimit -n "$(ulimit -Hn)"
    exec "target/benches/release/$1" "${@:2}"
}

# Whether $@ only asks for help.
asks_for_help() {
    case " $* " in
        *' --help '* | *' -h '*) true ;;
        *) false ;;
    esac
}
