#!/bin/sh
# Lines and branches of wshub.h and the Redis bus that the fuzz corpora alone reach. Needs clang, llvm-profdata, llvm-cov.
cov=$(command -v llvm-cov || command -v llvm-cov-14 || ls /usr/lib/llvm-*/bin/llvm-cov 2>/dev/null | head -1)
prof=$(command -v llvm-profdata || command -v llvm-profdata-14 || ls /usr/lib/llvm-*/bin/llvm-profdata 2>/dev/null | head -1)
[ -n "$cov" ] && [ -n "$prof" ] || { echo "coverage needs llvm-cov and llvm-profdata"; exit 1; }
dir=build/coverage; rm -rf $dir; mkdir -p $dir; objects=
for t in text wire conn hub bus; do
    clang -std=gnu99 -O0 -g -DNDEBUG -fprofile-instr-generate -fcoverage-mapping -I. -Ibackends -Itests -o $dir/fuzz_$t tests/fuzz/fuzz_$t.c || exit 1
    LLVM_PROFILE_FILE=$dir/$t.profraw $dir/fuzz_$t >/dev/null || exit 1
    objects="$objects -object $dir/fuzz_$t"
done
"$prof" merge -o $dir/all.profdata $dir/*.profraw || exit 1
"$cov" report ${objects# -object } -instr-profile=$dir/all.profdata wshub.h backends/wshub_bus_redis.h 2>/dev/null | sed 's/  */ /g'
