#!/usr/bin/env bash
# Checks everything there is to check, on a fresh Debian 12 machine with cargo too.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

# A Java that runs a source file needs the compiler, which a JRE leaves out.
has_jdk() { has java && java --list-modules 2>/dev/null | grep '^jdk\.compiler' >/dev/null; }

has_pdo_sqlite() { has php && php -m 2>/dev/null | grep -i '^pdo_sqlite$' >/dev/null; }

# Debian names it by its version.
has_fpm() { compgen -G '/usr/sbin/php-fpm*' >/dev/null; }

missing_packages() {
    has cc || echo build-essential
    has curl || echo curl
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    has php || echo php-cli
    has_pdo_sqlite || echo php-sqlite3
    has_fpm || echo php-fpm
    has_jdk || echo default-jdk-headless
    has node || echo nodejs
    has nginx || has /usr/sbin/nginx || echo nginx
    [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || echo libnginx-mod-stream
    has caddy || echo caddy
    has haproxy || has /usr/sbin/haproxy || echo haproxy
    has npm || echo npm
    has chromium || echo chromium
    has redis-server || echo redis-server
    has redis-cli || echo redis-tools
    has valgrind || echo valgrind
    has python3 && python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
}

check_toolchain() {
    find_cargo
    cargo fmt --version >/dev/null 2>&1 || fail "rustfmt is missing: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || fail "clippy is missing: rustup component add clippy"
}

# Where tests/gateway/clients.rs looks for them: deploy holds what is copied, and nothing else.
install_npm_packages() {
    local here=tests/clients there=target/clients
    if cmp -s "$here/package-lock.json" "$there/package-lock.json" && [ -e "$there/installed" ]; then
        say "npm packages: all there"
        return
    fi
    say "npm packages: installing those of $here/package-lock.json"
    mkdir -p "$there"
    rm -f "$there/installed"
    cp "$here/package.json" "$here/package-lock.json" "$there/"
    (cd "$there" && npm ci --no-audit --no-fund --ignore-scripts) || fail "npm ci"
    touch "$there/installed"
}

# Where tests/gateway/recipes/fronts.rs looks for them.
install_proxies() {
    local here=tests/fronts/requirements.txt there=target/fronts
    if cmp -s "$here" "$there/installed"; then
        say "proxies: all there"
        return
    fi
    say "proxies: installing those of $here"
    rm -rf "$there"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
        --only-binary :all: --require-hashes --target "$there" --requirement "$here" || fail "pip install"
    cp "$here" "$there/installed"
}

check_scripts() {
    has shellcheck || return 0
    say "scripts: shellcheck"
    shellcheck -x tests/run.sh .ci/run benches/*.sh deploy/*.sh || fail "shellcheck"
}

# What measures is a crate of its own, so that nothing of it is built with what is shipped.
check_benches() {
    local load=(--locked --manifest-path benches/load/Cargo.toml --target-dir target/benches)
    say "benches: format, lints, tests"
    cargo fmt --check --manifest-path benches/load/Cargo.toml || fail "cargo fmt of benches/load"
    cargo clippy "${load[@]}" --all-targets -- -D warnings || fail "cargo clippy of benches/load"
    cargo test "${load[@]}" || fail "cargo test of benches/load"
    say "benches: the instructions of a request"
    benches/instructions.sh --check || fail "benches/instructions.sh"
}

# What searches for inputs is a crate of its own too. Without a fuzzer it takes its corpora and as many inputs made of them.
check_fuzz() {
    local fuzz=(--locked --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz)
    say "fuzz targets: format, lints, a bounded search"
    cargo fmt --check --manifest-path tests/fuzz/Cargo.toml || fail "cargo fmt of tests/fuzz"
    cargo clippy "${fuzz[@]}" --all-targets -- -D warnings || fail "cargo clippy of tests/fuzz"
    cargo test "${fuzz[@]}" || fail "cargo test of tests/fuzz"
}

check_with_cargo_deny() {
    local databases=("${CARGO_HOME:-$HOME/.cargo}"/advisory-dbs/*/crates)
    if ! has cargo-deny || [ ! -d "${databases[0]}" ]; then
        return 0
    fi
    say "dependencies: cargo deny, with the advisory database of this machine"
    cargo deny --offline check || fail "cargo deny"
}

mapfile -t packages < <(missing_packages)
install_packages "${packages[@]}"
install_npm_packages
install_proxies
check_toolchain
check_scripts

say "format: cargo fmt"
cargo fmt --check || fail "cargo fmt"

say "lints: cargo clippy"
cargo clippy --locked --all-targets -- -D warnings || fail "cargo clippy"

say "documentation: cargo doc"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps || fail "cargo doc"

say "tests: cargo test"
cargo test --locked || fail "cargo test"

check_fuzz
check_benches
check_with_cargo_deny

say "OK: every check passed"
