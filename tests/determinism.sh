#!/bin/sh
# The simulation's trace of a seed is the same whatever compiled it: gcc and clang, -O0 and -O3, 32 and 64 bit.
# sh tests/determinism.sh [SEEDS [HOURS]]
seeds=${1:-40}; hours=${2:-0.25}; pass=0; fail=0; skip=0; first=; mkdir -p build/determinism
dir=build/determinism; rm -f $dir/*.trace
ways="gcc -O0|gcc -O3|clang -O0|clang -O3|gcc -m32 -O2|clang -m32 -O2"
try() { # command: its trace, or nothing, goes into a file of its own
    at=$dir/$(echo "$*" | tr ' ' _)
    if ! printf '#include <stdint.h>\n#include <stdlib.h>\nint main(void){return 0;}' | "$@" -x c - -o "$at.probe" 2>/dev/null; then
        echo skipped >"$at.trace"; return
    fi
    "$@" -std=c99 -I. -Ibackends -Itests -o "$at" tests/sim.c || { echo "not compiled" >"$at.trace"; return; }
    "$at" "$seeds" "$hours" | grep -o 'trace [0-9a-f]*' >"$at.trace"
}
# half of them beside the other half
IFS='|'; set -- $ways; unset IFS
(try $1; try $3; try $5) & (try $2; try $4; try $6); wait
for way in "$@"; do
    trace=$(cat "$dir/$(echo "$way" | tr ' ' _).trace")
    if [ "$trace" = skipped ]; then echo "  skipped determinism with $way: it cannot compile here"; skip=$((skip + 1)); continue; fi
    [ -n "$first" ] || first=$trace
    if [ -n "$trace" ] && [ "${trace#trace }" != "$trace" ] && [ "$trace" = "$first" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $way: $trace, not $first"; fi
done
echo "  $seeds seeds of $hours hours: $first"
echo "determinism: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
