# A gateway before a backend, each on a free port, as the scripts that count and train start them: what is started is
# stopped, and what is written removed, when the script ends. Sourced after common.sh, never run.
# shellcheck shell=bash

work=$(mktemp -d)
stop_at_end=()
clean_up() {
    [ "${#stop_at_end[@]}" -eq 0 ] || kill "${stop_at_end[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

rig_packages() {
    has curl || echo curl
    has openssl || echo openssl
}

# The first line of file $1 that has the words $2, once it is there.
wait_for() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        grep -m 1 -e "$2" "$1" 2>/dev/null && return
        kill -0 "${stop_at_end[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    fail "nothing says '$2': $(tail -n 5 "$1")"
}

# With the options $@.
start_backend() {
    target/benches/release/backend "$@" >"$work/backend" &
    stop_at_end+=("$!")
    backend=$(wait_for "$work/backend" :)
}

make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>"$work/openssl" || fail "$(cat "$work/openssl")"
}

# Starts the gateway by the command ${@:2}, to speak $1: http or https.
start_gateway() {
    scheme=$1
    local tls=
    with_tls=()
    if [ "$scheme" = https ]; then
        tls="tls = { cert = \"$work/cert.pem\", key = \"$work/key.pem\" }"
        with_tls=(--tls "$work/cert.pem")
    fi
    sed -e 's|127.0.0.1:1"|127.0.0.1:0"|' -e "s|http://backend.invalid|http://$backend|" \
        -e "s|^workers = 1|&\n$tls|" benches/wxgate.toml >"$work/gateway.toml"
    : >"$work/log"
    SHOP_SECRET=secret "${@:2}" --config "$work/gateway.toml" >"$work/log" 2>"$work/errors" &
    gateway=$!
    stop_at_end+=("$gateway")
    address=$(wait_for "$work/log" 'listening address=' | grep -o '127[0-9.:]*') || fail "$(cat "$work/errors")"
}

stop_gateway() {
    kill "$gateway"
    wait "$gateway" || true
    unset 'stop_at_end[-1]'
}

# Logs in once, and keeps the skey for those who ask.
log_in() {
    curl --silent --insecure --fail --data code=0123456789abcdef "$scheme://$address/wx/login" |
        sed 's/.*"skey":"\([^"]*\)".*/\1/' >"$work/tokens"
}

# What the generator with the options $@ tells of the answers, all of which must be 200.
ask() {
    local report
    report=$(target/benches/release/load --target "$address" --tokens "$work/tokens" "${with_tls[@]}" --warm-up 0 "$@" |
        tail -n 1)
    case $report in
        *'"statuses":{"200":'[0-9]*'},"errors":0,"reopened":0'*) printf '%s\n' "$report" ;;
        *) fail "not every request was answered: $report" ;;
    esac
}
