#!/bin/sh
# The tests on the fake io and the fuzz corpora once more: under clang's MemorySanitizer (no byte is given out that nobody
# wrote) with its UBSan, which sees more of undefined behaviour than gcc's (arithmetic on NULL, enums out of their range);
# and under valgrind. The sanitizers of `make check` see other things; these need a build without them. Threads are
# ThreadSanitizer's (make tsan): helgrind knows locks, not the atomics that the hand-over between threads consists of, and
# calls every one a race. The library is compiled once for each, as the Makefile does it. Warnings are tests/compile/run.sh's.
# sh tests/memcheck.sh [TEST...]: all tests, or these.
dir=build/memcheck; mkdir -p $dir
pass=0; fail=0; skip=0
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
# what would take hours under valgrind, or reads files and no hub
long='cron_walk|hostile|memory|random|matrix|costs|work|portable|.*_envelopes|manual|contracts|about'
# ORIGINS=-fsanitize-memory-track-origins says where a byte that nobody wrote comes from, in twice the time.
# Programs run beside each other: `job WHAT, PROGRAM, ARGUMENTS` writes one down, `together` runs those that are written down.
: >$dir/jobs
job() { what=$1; shift; echo "$what|$*" >>$dir/jobs; }
together() {
    # shellcheck disable=SC2016
    one='what=${1%%|*}; log='$dir'/$(echo "$what" | tr " " -).log
        if ${1#*|} >"$log" 2>&1; then echo ok; else echo "FAIL $what"; tail -20 "$log"; fi'
    tr '\n' '\0' <$dir/jobs | xargs -0 -P "$jobs" -I{} sh -c "$one" one {} >$dir/told
    grep -v '^ok$' $dir/told
    pass=$((pass + $(grep -c '^ok$' $dir/told))); fail=$((fail + $(grep -c '^FAIL' $dir/told)))
    : >$dir/jobs
}
if command -v clang >/dev/null && clang -fsanitize=memory,undefined -x c -o $dir/probe - 2>/dev/null <<'END'
int main(void) { return 0; }
END
then
    # not here: what asks for a library, which is not built for it; what counts branches or compares compilers
    tests=$*; fuzzers=
    if [ -z "$tests" ]; then
        tests=$(for t in $(sh tests/list.sh fake | grep -vxE 'cron_walk|work|portable'); do grep -q WITH_ tests/test_$t.c || echo $t; done)
        fuzzers=$(for f in tests/fuzz/fuzz_*.c; do grep -q WITH_ $f || basename $f .c; done)
    fi
    programs=$(for t in $tests; do echo test_$t; done; echo "$fuzzers")
    make -s -j"$jobs" CC=clang WARN=-w FLAVOUR=memcheck FLAGS="-w -fsanitize=memory,undefined -fno-sanitize-recover=memory,undefined $ORIGINS" \
        $(for p in $programs; do echo $dir/$p; done) || exit 1
    for p in $programs; do
        case $p in test_golden) arg=transcripts ;; *) arg= ;; esac
        job "clang ${p#test_}" $dir/$p $arg
    done
    together
else
    echo "  skipped MemorySanitizer: it needs clang"; skip=$((skip + 1))
fi
if command -v valgrind >/dev/null; then
    # forty times as slow, and MemorySanitizer has seen them all: one of each room, or with VALGRIND=all whatever can be had
    few='auth|bus|client|client_hub|cron|deflate|eio|frame|golden|http|json|msgpack|queue|rooms|send|session|sio|sio_bus|sio_servers|timers|upgrade'
    [ "$VALGRIND" = all ] && few='.*'
    tests=${*:-$(sh tests/list.sh fake | grep -vxE "$long|exchange|reply|negative_.*|runs|walks|fixture_cron" | grep -xE "$few")} # the last forks itself
    make -s -j"$jobs" WARN=-w $(for t in $tests; do echo build/test_$t; done) || exit 1
    for t in $tests; do
        case $t in golden) arg=transcripts_as ;; golden_bus) arg=broker ;; *) arg= ;; esac
        job "valgrind $t" valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=all build/test_$t $arg
    done
    together
else
    echo "  skipped valgrind: not installed"; skip=$((skip + 1))
fi
echo "memcheck: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
