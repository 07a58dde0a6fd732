#!/bin/sh
# Branches of wshub.h and the Redis bus that the fuzz corpora alone take. Needs clang, llvm-cov, llvm-profdata and node.
# LIST=1 prints what is missing. The tests take all branches (tests/coverage.sh); here the thresholds say how far the corpora
# alone get, a little below what they reached when they were merged last. They were 95 and 78 when the hub had one dialect: what
# came since (lent sessions, realms, presence, rates, sentinels and clusters) is entered by the application's calls and by a
# broker's answers, of which the targets make fewer kinds than the tests do. Raise them with the corpora, do not lower them.
tool() { command -v "$1" || ls /usr/lib/llvm-*/bin/"$1" 2>/dev/null | tail -1; }
cov=$(tool llvm-cov); prof=$(tool llvm-profdata)
[ -n "$cov" ] && [ -n "$prof" ] || { echo "needs llvm-cov and llvm-profdata"; exit 1; }
dir=build/fuzzcov; rm -rf $dir; mkdir -p $dir; objects=
for t in text wire conn hub api desc bus http_hand address proxy files writer dialect cron tzif engineio sio client msgpack sio_bus sio_shards deflate; do
    clang -std=gnu99 -O1 -g -DNDEBUG -DFUZZ_MANGLED=0 -fprofile-instr-generate -fcoverage-mapping -I. -Ibackends -Itests -o $dir/fuzz_$t tests/fuzz/fuzz_$t.c || exit 1
    LLVM_PROFILE_FILE=$dir/$t.profraw $dir/fuzz_$t >/dev/null || exit 1
    objects="$objects -object $dir/fuzz_$t"
done
"$prof" merge -o $dir/all.profdata $dir/*.profraw || exit 1
# the first object is named without its flag
"$cov" export ${objects# -object } -instr-profile=$dir/all.profdata wshub.h backends/wshub_bus_redis.h >$dir/all.json 2>/dev/null
CORE=1 node tests/coverage.mjs $dir/all.json wshub.h="${HEADER:-80}" wshub_bus_redis.h="${BUS:-72}"
