#!/bin/sh
# Lines and branches of wshub.h and the Redis bus that the tests on the fake io reach (those over sockets come on top).
# Needs clang, llvm-profdata and llvm-cov. sh tests/fuzz/coverage_tests.sh [html]
cov=$(command -v llvm-cov || ls /usr/lib/llvm-*/bin/llvm-cov 2>/dev/null | head -1)
prof=$(command -v llvm-profdata || ls /usr/lib/llvm-*/bin/llvm-profdata 2>/dev/null | head -1)
[ -n "$cov" ] && [ -n "$prof" ] || { echo "coverage needs llvm-cov and llvm-profdata"; exit 1; }
dir=build/coverage; rm -rf $dir; mkdir -p $dir; objects=
for t in codec frame http hub send transform bus bus_redis golden_bus golden matrix memory random many threads bus_contract; do
    clang -std=gnu99 -O0 -g -DNDEBUG -fprofile-instr-generate -fcoverage-mapping -w -I. -Ibackends -Itests -Itests/shim -o $dir/test_$t tests/test_$t.c -pthread || exit 1
    LLVM_PROFILE_FILE=$dir/$t.profraw $dir/test_$t >/dev/null 2>&1
    objects="$objects -object $dir/test_$t"
done
"$prof" merge -o $dir/all.profdata $dir/*.profraw || exit 1
"$cov" report ${objects# -object } -instr-profile=$dir/all.profdata wshub.h backends/wshub_bus_redis.h backends/wshub_io_fake.h 2>/dev/null | sed 's/  */ /g'
[ "${1:-}" = html ] && "$cov" show ${objects# -object } -instr-profile=$dir/all.profdata -format=html -show-branches=count -o $dir/html wshub.h backends/wshub_bus_redis.h
exit 0
