#!/usr/bin/env bash
# Counts the user instructions that wxgate spends on an authenticated request, which do not depend on how busy the
# machine is: callgrind runs the full product, and only what it does after a warm-up counts.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh
. benches/rig.sh

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
    rig_packages
}

# Sends $1 requests with the session, one after the other.
ask_for() {
    ask --connections 1 --rate "$RATE" --seconds 600 --most "$1" "${with_http2[@]}" >"$work/report"
    grep -q "\"200\":$1}" "$work/report" || fail "these are not $1 answers: $(cat "$work/report")"
}

# Ends what is counted so far, and begins anew.
dump() { callgrind_control --dump "$gateway" >/dev/null 2>&1 || fail "callgrind_control does not reach the gateway"; }

# Counts the case $1.
count() {
    local speaks=http
    with_http2=()
    [ "$1" = get_1k ] || speaks=https
    [ "$1" != get_1k_h2 ] || with_http2=(--http2 1)
    start_gateway "$speaks" valgrind --tool=callgrind --callgrind-out-file="$work/profile.%p" target/shipped/wxgate
    log_in
    say "$1: $WARM_UP requests to warm up, then $requests that count"
    ask_for "$WARM_UP"
    dump
    ask_for "$requests"
    dump
    profile=$work/profile.$gateway.2
    counted=$(($(awk '/^summary:/ { print $2; exit }' "$profile") / requests))
    stop_gateway
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
        --only)
            case " ${CASES[*]} " in *" ${2:?which case?} "*) ;; *) fail "there is no case $2: ${CASES[*]}" ;; esac
            cases=("$2") && shift
            ;;
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

mapfile -t packages < <(missing_packages)
install_packages "${packages[@]}"
build_shipped
build_load
start_backend --delay-us "$DELAY_US"
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
