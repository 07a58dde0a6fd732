#!/bin/sh
# The tests on the fake io once more: under MemorySanitizer (no byte is given out that nobody wrote) and valgrind. The
# sanitizers of `make check` see other things; these need a build without them. Threads are ThreadSanitizer's (make tsan):
# helgrind knows locks, not the atomics that the hand-over between threads consists of, and calls every one a race.
dir=build/memcheck; mkdir -p $dir
pass=0; fail=0; skip=0
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
    for t in $(sh tests/list.sh fake | grep -vxE "$long|redis_.*|golden_bus"); do
        clang -std=gnu99 -O1 -g -w -fsanitize=memory -fsanitize-memory-track-origins -fno-sanitize-recover=memory -I. -Ibackends -Itests -Itests/shim -o $dir/msan_$t tests/test_$t.c -pthread || exit 1
        [ $t = golden ] && arg=transcripts || arg=
        run "msan $t" $dir/msan_$t $arg
    done
else
    echo "  skipped MemorySanitizer: needs clang"; skip=$((skip + 1))
fi
if command -v valgrind >/dev/null; then
    for t in $(sh tests/list.sh fake | grep -vxE "$long|exchange|reply|negative_.*|runs|walks"); do
        ${CC:-cc} -std=gnu99 -O1 -g -w -I. -Ibackends -Itests -Itests/shim -o $dir/plain_$t tests/test_$t.c -pthread || exit 1
        case $t in golden) arg=transcripts_as ;; golden_bus) arg=broker ;; *) arg= ;; esac
        run "valgrind $t" valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=all $dir/plain_$t $arg
    done
else
    echo "  skipped valgrind: not installed"; skip=$((skip + 1))
fi
echo "memcheck: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
