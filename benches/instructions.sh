#!/usr/bin/env bash
# Counts the user instructions that wxgate spends on an authenticated request, which do not depend on how busy the
# machine is: callgrind runs the full product, and only what it does after a warm-up counts.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

usage() {
    cat <<'EOF'
benches/instructions.sh [--only CASE] [--check | --write] [--top N] [--requests N]

Prints the user instructions of an authenticated GET of 1 KiB, in clear, under TLS, and with HTTP/2 under TLS: routing,
session lookup, hygiene, access log to a file, metrics; one worker, one keep-alive connection on each side.

  --only CASE   count get_1k, get_1k_tls or get_1k_h2 alone
  --check       fail if they are more than 5 % above those in benches/instructions.txt
  --write       write them to benches/instructions.txt
  --top N       print the N functions that take most, too
  --keep FILE   keep the profiles as FILE.CASE, for callgrind_annotate or kcachegrind
  --requests N  count over so many requests (1000)
EOF
}

COMMITTED=benches/instructions.txt
CASES=(get_1k get_1k_tls get_1k_h2)
# More than this, in percent, is a step back and no accident.
TOLERATED=5
WARM_UP=300
# Slow enough that the gateway, fifty times slower under callgrind, always waits for what comes next, as it does when
# it is not saturated. Otherwise a busy machine would save it some waits.
RATE=60
DELAY_US=4000

missing_packages() {
    has valgrind || echo valgrind
    has curl || echo curl
    has openssl || echo openssl
}

# The first line of file $1 that has the words $2, once it is there.
wait_for() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        grep -m 1 -e "$2" "$1" 2>/dev/null && return
        sleep 0.1
    done
    fail "nothing says '$2': $(tail -n 5 "$1")"
}

start_backend() {
    target/benches/release/backend --delay-us "$DELAY_US" >"$work/backend" &
    stop_at_end+=("$!")
    backend=$(wait_for "$work/backend" :)
}

make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>"$work/openssl" || fail "$(cat "$work/openssl")"
}

# Sets how the case $1 is spoken with.
choose() {
    scheme=http
    tls_line=
    tls_option=()
    if [ "$1" != get_1k ]; then
        scheme=https
        tls_line="tls = { cert = \"$work/cert.pem\", key = \"$work/key.pem\" }"
        tls_option=(--tls "$work/cert.pem")
    fi
    if [ "$1" = get_1k_h2 ]; then
        tls_option+=(--http2 1)
    fi
}

start_gateway() {
    sed -e 's|127.0.0.1:1"|127.0.0.1:0"|' -e "s|http://backend.invalid|http://$backend|" \
        -e "s|^workers = 1|&\n$tls_line|" benches/wxgate.toml >"$work/gateway.toml"
    : >"$work/log"
    SHOP_SECRET=secret valgrind --tool=callgrind --callgrind-out-file="$work/profile.%p" \
        target/profiling/wxgate --config "$work/gateway.toml" >"$work/log" 2>"$work/valgrind" &
    gateway=$!
    stop_at_end+=("$gateway")
    address=$(wait_for "$work/log" 'listening address=' | grep -o '127[0-9.:]*')
}

log_in() {
    curl --silent --insecure --fail --data code=0123456789abcdef "$scheme://$address/wx/login" |
        sed 's/.*"skey":"\([^"]*\)".*/\1/' >"$work/tokens"
}

# Sends $1 requests, one after the other.
ask() {
    local report
    report=$(target/benches/release/load --target "$address" --tokens "$work/tokens" "${tls_option[@]}" --connections 1 \
        --rate "$RATE" --warm-up 0 --seconds 600 --most "$1" | tail -n 1)
    case $report in
        *'"statuses":{"200":'"$1"'},"errors":0,"reopened":0'*) ;;
        *) fail "not every request was answered: $report" ;;
    esac
}

# Ends what is counted so far, and begins anew.
dump() { callgrind_control --dump "$gateway" >/dev/null 2>&1 || fail "callgrind_control does not reach the gateway"; }

# Counts the case $1.
count() {
    choose "$1"
    start_gateway
    log_in
    say "$1: $WARM_UP requests to warm up, then $requests that count"
    ask "$WARM_UP"
    dump
    ask "$requests"
    dump
    profile=$work/profile.$gateway.2
    counted=$(($(awk '/^summary:/ { print $2; exit }' "$profile") / requests))
    kill "$gateway"
    wait "$gateway" || true
    unset 'stop_at_end[-1]'
}

# Fails if $2 is too many for the case $1.
check() {
    local before limit
    before=$(awk -v name="$1" '$1 == name { print $2 }' "$COMMITTED")
    [ -n "$before" ] || fail "$COMMITTED has no figure for $1"
    limit=$((before * (100 + TOLERATED) / 100))
    if [ "$2" -gt "$limit" ]; then
        fail "$1: $2 instructions are more than $TOLERATED % above the $before of $COMMITTED"
    fi
    say "$1: at most $limit are allowed: $before of $COMMITTED and $TOLERATED %"
}

# Writes $2 as the figure of the case $1.
write() {
    sed -i -e "/^$1 /d" "$COMMITTED"
    printf '%s %s\n' "$1" "$2" >>"$COMMITTED"
    LC_ALL=C sort -o "$COMMITTED" "$COMMITTED"
    say "$1: written to $COMMITTED"
}

# What is inlined counts where it was inlined. A frame that holds the whole program is one that ran when counting ended.
show_top() {
    printf 'instructions a request, by function\n'
    callgrind_annotate --auto=no --threshold=100 --show-percs=no "$profile" |
        awk -v requests="$requests" -v all="$counted" '
            / file:function/ { begun = 1; next }
            begun && $1 ~ /^[0-9,]+$/ {
                cost = $1
                gsub(",", "", cost)
                sub(/^ *[0-9,]+ +[^ ]*\.(rs|c|S|h):/, "")
                sub(/ \[[^[]*\]$/, "")
                if (cost / requests < all) costs[$0] += cost
            }
            END { for (name in costs) printf "%8.0f  %s\n", costs[name] / requests, substr(name, 1, 150) }' |
        sort -rn >"$work/functions"
    head -n "$1" "$work/functions"
}

then="show"
top=0
keep=
cases=("${CASES[@]}")
requests=1000
while [ "$#" -gt 0 ]; do
    case $1 in
        --only) cases=("${2:?which case?}") && shift ;;
        --check) then="check" ;;
        --write) then="write" ;;
        --top) top=${2:?how many functions?} && shift ;;
        --keep) keep=${2:?which file?} && shift ;;
        --requests) requests=${2:?how many requests?} && shift ;;
        --help | -h) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done

work=$(mktemp -d)
stop_at_end=()
clean_up() {
    [ "${#stop_at_end[@]}" -eq 0 ] || kill "${stop_at_end[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

mapfile -t packages < <(missing_packages)
install_packages "${packages[@]}"
build --profile profiling --bin wxgate
start_backend
make_certificate
for case in "${cases[@]}"; do
    count "$case"
    printf '%s %s user instructions a request\n' "$case" "$counted"
    [ "$top" -eq 0 ] || show_top "$top"
    [ -z "$keep" ] || cp "$profile" "$keep.$case"
    case $then in
        check) check "$case" "$counted" ;;
        write) write "$case" "$counted" ;;
        show) ;;
    esac
done
