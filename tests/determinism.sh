#!/bin/sh
# The simulation's trace of a seed is the same whatever compiled it: gcc and clang, -O0 and -O3, 32 and 64 bit.
# sh tests/determinism.sh [SEEDS [HOURS]]
seeds=${1:-40}; hours=${2:-0.25}; pass=0; fail=0; skip=0; first=; mkdir -p build/determinism
try() { # name, command
    name=$1; shift
    if ! printf '#include <stdint.h>\n#include <stdlib.h>\nint main(void){return 0;}' | "$@" -x c - -o build/determinism/probe 2>/dev/null; then
        echo "  skipped determinism with $name: it cannot compile here"; skip=$((skip + 1)); return
    fi
    "$@" -std=c99 -I. -Ibackends -Itests -o build/determinism/sim tests/sim.c || { fail=$((fail + 1)); return; }
    trace=$(build/determinism/sim "$seeds" "$hours" | grep -o 'trace [0-9a-f]*')
    [ -n "$first" ] || first=$trace
    if [ -n "$trace" ] && [ "$trace" = "$first" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $name: $trace, not $first"; fi
}
try "gcc -O0" gcc -O0
try "gcc -O3" gcc -O3
try "clang -O0" clang -O0
try "clang -O3" clang -O3
try "gcc -m32" gcc -m32 -O2
try "clang -m32" clang -m32 -O2
echo "  $seeds seeds of $hours hours: $first"
echo "determinism: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
