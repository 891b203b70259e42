#!/usr/bin/env bash
# Builds wxgate as it is shipped: once so that it counts what it does, which it then does for a while, and once more with
# what was counted, so that the compiler knows which code is used and which is not. --help tells more.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

usage() {
    cat <<'EOT'
deploy/build.sh

Builds target/shipped/wxgate, which takes about a fifth less instructions for a request than what `cargo build --release`
makes of the same source. It takes some minutes, and nothing where the source has not changed since. It needs cargo, curl,
openssl and llvm-profdata, of rustup's component llvm-tools or of Debian's package llvm-19; where there is apt-get, it installs what is
missing.
EOT
}

OUT=target/shipped
TRAINING=target/training
# For how long each thing is done, in seconds.
WHILE=2

find_profdata() {
    local own
    own=$(rustc --print target-libdir)/../bin/llvm-profdata
    # Older ones of Debian's cannot read what today's compilers write.
    for profdata in "$own" /usr/lib/llvm-{19..29}/bin/llvm-profdata; do
        [ ! -x "$profdata" ] || return 0
    done
    if has apt-get; then
        install_packages llvm-19
        profdata=/usr/lib/llvm-19/bin/llvm-profdata
    else
        rustup component add llvm-tools >&2 || fail "llvm-profdata is missing: rustup component add llvm-tools"
        profdata=$own
    fi
}

# What the binary depends on, in one word.
fingerprint() {
    {
        rustc --version --verbose
        printf '%s\n' "${RUSTFLAGS:-}"
        find Cargo.toml Cargo.lock src deploy/build.sh benches/common.sh benches/rig.sh benches/wxgate.toml benches/load/src \
            -type f -print0 |
            LC_ALL=C sort --zero-terminated | xargs --null sha256sum
    } | sha256sum | cut --characters 1-16
}

# Builds with the flag $1 of rustc beside those of RUSTFLAGS, and with cargo's options ${@:2}. A target that is named keeps
# these flags away from what runs while building.
cargo_build() {
    local flags=()
    read -r -a flags <<<"${RUSTFLAGS:-}"
    flags+=("$1")
    # With this between them, a path may have spaces.
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}") cargo build --quiet --locked --release --bin wxgate --target "$host" "${@:2}"
}

# Asks in all the ways that are common, under http or https: $1.
train() {
    local round ask_each=(ask --seconds "$WHILE" --connections)
    start_gateway "$1" "$TRAINING/$host/release/wxgate"
    log_in
    "${ask_each[@]}" 64 --rate 2000
    "${ask_each[@]}" 64
    "${ask_each[@]}" 16 --path /bytes/102400
    "${ask_each[@]}" 16 --body-bytes 65536
    "${ask_each[@]}" 16 --path /static/bytes/100
    if [ "$1" = https ]; then
        "${ask_each[@]}" 16 --rate 2000 --http2 4
        "${ask_each[@]}" 16 --http2 4
    fi
    # What is refused, and what wxgate answers itself.
    for ((round = 0; round < 50; round++)); do
        log_in
        curl --silent --insecure --output "$work/answer" "$scheme://$address/orders/1" \
            --next --insecure --output "$work/answer" "$scheme://$address/wx/check" --header "X-Skey: $(cat "$work/tokens")" \
            --next --insecure --output "$work/answer" "$scheme://$address/wx/logout" --header "X-Skey: $(cat "$work/tokens")"
    done
    stop_gateway
}

# Leaves what was counted in the file $1.
count() {
    say "building: what counts what it does"
    # By the same profile, since the names of what is counted depend on it.
    cargo_build "-Cprofile-generate=$PWD/$TRAINING/counts" --target-dir "$TRAINING"
    build_load
    say "counting"
    rm -rf "$TRAINING/counts"
    start_backend --delay-us 0
    make_certificate
    train http >"$work/http"
    train https >"$work/https"
    "$profdata" merge --output "$1" "$TRAINING"/counts/*.profraw ||
        fail "$profdata cannot read what this compiler writes; its own can: rustup component add llvm-tools"
}

case ${1:-} in
    '') ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
esac
find_cargo
source=$(fingerprint)
if [ -x "$OUT/wxgate" ] && [ "$(cat "$OUT/source" 2>/dev/null)" = "$source" ]; then
    say "$OUT/wxgate: the source has not changed"
    exit
fi
. benches/rig.sh
mapfile -t packages < <(rig_packages)
install_packages "${packages[@]}"
find_profdata
host=$(rustc --version --verbose | sed -n 's/^host: //p')
mkdir -p "$TRAINING" "$OUT"
# Two at a time would count into each other's files.
exec 9>"$TRAINING/lock"
flock 9
counted=$PWD/$TRAINING/$source.profdata
count "$counted"
say "building: what is shipped"
cargo_build "-Cprofile-use=$counted" --target-dir "$OUT/build"
# It may be running, and is whole or not there.
rm -f "$OUT/source"
cp "$OUT/build/$host/release/wxgate" "$OUT/wxgate.new"
mv "$OUT/wxgate.new" "$OUT/wxgate"
printf '%s\n' "$source" >"$OUT/source"
say "$OUT/wxgate"
