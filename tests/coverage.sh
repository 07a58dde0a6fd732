#!/bin/sh
# Which branches of wshub.h and of the Redis bus the tests take, both ways. Needs clang, llvm-cov, llvm-profdata and node.
# sh tests/coverage.sh [TEST...]: all tests, or these. LIST=1 prints what is missing even where enough is covered.
tool() { command -v "$1" || ls /usr/lib/llvm-*/bin/"$1" 2>/dev/null | tail -1; }
cov=$(tool llvm-cov); prof=$(tool llvm-profdata)
if [ -z "$cov" ] || [ -z "$prof" ] || ! command -v clang >/dev/null || ! command -v node >/dev/null; then
    echo "  skipped coverage: needs clang, llvm-cov, llvm-profdata and node"; echo "coverage: 0 passed, 0 failed, 1 skipped"; exit 0
fi
dir=build/coverage; rm -rf $dir; mkdir -p $dir
# not here: what needs servers, counts, or takes long over sockets (none of it adds anything to these two files)
tests=${*:-$(sh tests/list.sh fake sockets | grep -vxE 'work|portable|faults|dial') bus_contract}
for t in $tests; do echo "$t"; done | xargs -P "$(nproc 2>/dev/null || echo 2)" -I{} sh -c 'clang $([ {} = threads ] && echo -fprofile-update=atomic) -std=gnu99 -O1 -g -DNDEBUG -fprofile-instr-generate -fcoverage-mapping -w -I. -Ibackends -Itests -Itests/shim -o '$dir'/test_{} tests/test_{}.c -pthread' || exit 1
objects=
for t in $tests; do
    LLVM_PROFILE_FILE=$dir/$t.profraw $dir/test_$t >$dir/$t.log 2>&1 || { tail -3 $dir/$t.log; echo "coverage: 0 passed, 1 failed, 0 skipped"; exit 1; }
    objects="$objects -object $dir/test_$t"
done
"$prof" merge -o $dir/all.profdata $dir/*.profraw || exit 1
# the first object is named without its flag
"$cov" export ${objects# -object } -instr-profile=$dir/all.profdata wshub.h backends/wshub_bus_redis.h backends/wshub_bus_local.h >$dir/all.json 2>/dev/null
node tests/coverage.mjs $dir/all.json wshub.h="${HEADER:-100}" wshub_bus_redis.h="${BUS:-80}" wshub_bus_local.h="${LOCAL:-100}"
