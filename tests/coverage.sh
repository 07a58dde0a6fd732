#!/bin/sh
# Which branches of wshub.h and of the Redis bus the tests take, both ways. Needs clang, llvm-cov, llvm-profdata and node.
# sh tests/coverage.sh [TEST...]: all tests, or these. LIST=1 prints what is missing even where enough is covered.
tool() { command -v "$1" || ls /usr/lib/llvm-*/bin/"$1" 2>/dev/null | tail -1; }
cov=$(tool llvm-cov); prof=$(tool llvm-profdata)
if [ -z "$cov" ] || [ -z "$prof" ] || ! command -v clang >/dev/null || ! command -v node >/dev/null; then
    echo "  skipped coverage: needs clang, llvm-cov, llvm-profdata and node"; echo "coverage: 0 passed, 0 failed, 1 skipped"; exit 0
fi
dir=build/coverage; mkdir -p $dir; rm -f $dir/*.profraw
# not here: what needs servers, counts, or takes long over sockets (none of it adds anything to these two files)
tests=${*:-$(sh tests/list.sh fake sockets | grep -vxE 'work|portable|faults|dial|cron_walk|tls_.*') bus_contract}
make -s -j"$(nproc 2>/dev/null || echo 2)" CC=clang WARN=-w FLAVOUR=coverage \
    FLAGS='-DNDEBUG -fprofile-instr-generate -fcoverage-mapping -fprofile-update=atomic' \
    $(for t in $tests; do echo $dir/test_$t; done) || exit 1
for t in $tests; do echo "$t"; done | xargs -P "$(nproc 2>/dev/null || echo 2)" -I{} sh -c \
    'WSHUB_WHOLE=1 LLVM_PROFILE_FILE='$dir'/{}.profraw '$dir'/test_{} >'$dir'/{}.log 2>&1 || { tail -3 '$dir'/{}.log; exit 1; }' ||
    { echo "coverage: 0 passed, 1 failed, 0 skipped"; exit 1; }
objects=
for t in $tests; do objects="$objects -object $dir/test_$t"; done
"$prof" merge -o $dir/all.profdata $dir/*.profraw || exit 1
# the first object is named without its flag
"$cov" export ${objects# -object } -instr-profile=$dir/all.profdata build/open/wshub.c build/open/wshub_bus_redis.c build/open/wshub_bus_local.c >$dir/all.json 2>/dev/null
node tests/coverage.mjs $dir/all.json wshub.h="${HEADER:-99.9}" wshub_bus_redis.h="${BUS:-80}" wshub_bus_local.h="${LOCAL:-100}"
