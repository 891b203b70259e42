#!/usr/bin/env bash
# Measures how long a million sessions take to be saved to a state file and read back, in clear and encrypted; what that says
# stands in docs/performance.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/common.sh

build_example state
for way in "" --sealed; do
    say "${way:-in clear}"
    target/release/examples/state ${way:+"$way"} "$@"
done
