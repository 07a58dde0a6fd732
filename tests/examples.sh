#!/bin/sh
# Runs each example and talks to it.
pass=0; fail=0
check() { if printf '%s' "$2" | grep -q "$3"; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $1: $2"; fi; }
${CC:-cc} -std=gnu99 -O1 -I. tests/probe.c -o build/probe || exit 1
check unit_test "$(./build/unit_test)" '^unit_test: passed$'
port=18480
./build/hello >build/hello.out 2>&1 & pid=$!
check hello "$(./build/probe 8080 '{"event":"authenticate"}')" '"connected"'
kill $pid 2>/dev/null; wait $pid 2>/dev/null
for e in auth_later custom_io chat; do
    port=$((port + 1))
    ./build/$e $port >build/$e.out 2>&1 & pid=$!
    case $e in
    auth_later)
        check "$e accepts later" "$(./build/probe $port '{"event":"authenticate","data":{"token":"secret:ada"}}')" '"userId":"ada"'
        check "$e rejects later" "$(./build/probe $port '{"event":"authenticate","data":{"token":"no"}}')" 'Authentication failed' ;;
    custom_io) check $e "$(./build/probe $port '{"event":"authenticate"}')" '"connected"' ;;
    chat)
        check "$e wants a name" "$(./build/probe $port '{"event":"authenticate"}')" 'Authentication failed'
        check $e "$(./build/probe $port '{"event":"authenticate","data":{"name":"Ada"}}')" '"userId":"Ada"'
        ./build/chat $port >build/chat2.out 2>&1 && fail=$((fail + 1))
        check "$e says that its port is taken" "$(cat build/chat2.out)" 'in use; stop the program that has it or choose another port' ;;
    esac
    kill $pid
    [ $e = custom_io ] || while kill $pid 2>/dev/null; do :; done # signals until the very end harm nothing
    wait $pid; status=$?
    if [ $status -eq 0 ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $e ended with status $status"; fi
done
echo "examples: $pass passed, $fail failed, 0 skipped"
[ $fail -eq 0 ]
