#!/bin/sh
# The tests on the fake io once more: under MemorySanitizer (no byte is given out that nobody wrote) and valgrind. The
# sanitizers of `make check` see other things; these need a build without them. Threads are ThreadSanitizer's (make tsan):
# helgrind knows locks, not the atomics that the hand-over between threads consists of, and calls every one a race.
# The library is compiled once for each, as the Makefile does it. sh tests/memcheck.sh [TEST...]: all tests, or these.
dir=build/memcheck; mkdir -p $dir
pass=0; fail=0; skip=0
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
# what would take hours here, or reads files and no hub
long='hostile|memory|random|matrix|costs|work|portable|.*_envelopes|manual|contracts|about'
run() { # what, program, arguments
    what=$1; shift
    if "$@" >$dir/log 2>&1; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $what"; tail -20 $dir/log; fi
}
if command -v clang >/dev/null && clang -fsanitize=memory -x c -o $dir/probe - 2>/dev/null <<'END'
int main(void) { return 0; }
END
then
    tests=${*:-$(sh tests/list.sh fake | grep -vxE "$long|redis_.*|golden_bus")}
    make -s -j"$jobs" CC=clang WARN=-w FLAVOUR=memcheck \
        FLAGS='-fsanitize=memory -fsanitize-memory-track-origins -fno-sanitize-recover=memory' \
        $(for t in $tests; do echo $dir/test_$t; done) || exit 1
    for t in $tests; do
        [ $t = golden ] && arg=transcripts || arg=
        run "msan $t" $dir/test_$t $arg
    done
else
    echo "  skipped MemorySanitizer: needs clang"; skip=$((skip + 1))
fi
if command -v valgrind >/dev/null; then
    tests=${*:-$(sh tests/list.sh fake | grep -vxE "$long|exchange|reply|negative_.*|runs|walks")}
    make -s -j"$jobs" WARN=-w $(for t in $tests; do echo build/test_$t; done) || exit 1
    for t in $tests; do
        case $t in golden) arg=transcripts_as ;; golden_bus) arg=broker ;; *) arg= ;; esac
        run "valgrind $t" valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=all build/test_$t $arg
    done
else
    echo "  skipped valgrind: not installed"; skip=$((skip + 1))
fi
echo "memcheck: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
