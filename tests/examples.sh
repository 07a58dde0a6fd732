#!/bin/sh
# Runs each example and talks to it.
pass=0; fail=0; skip=0
check() { if printf '%s' "$2" | grep -q "$3"; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $1: $2"; fi; }
${CC:-cc} -std=gnu99 -O1 -I. tests/probe.c -o build/probe || exit 1
${CC:-cc} -std=gnu99 -O1 -I. tests/slow_reader.c -o build/slow_reader || exit 1
check unit_test "$(./build/unit_test)" '^unit_test: passed$'
port=18480
(cd examples && exec ../build/hello) >build/hello.out 2>&1 & pid=$!
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
# ws_echo: a peer that does not read 64 MB of echo is told to wait, costs little, and loses nothing
port=$((port + 1))
./build/ws_echo $port >build/ws_echo.out 2>&1 & pid=$!
check "ws_echo echoes" "$(./build/probe $port 'say it again' 1 /echo)" '^say it again$'
check "ws_echo makes a slow reader wait" "$(./build/slow_reader $port /echo 640 100000; echo $?)" '^waited after [0-9]*, 640 came back'
if [ -r /proc/$pid/status ]; then
    check "ws_echo holds little meanwhile" "$(awk '/VmHWM/ { print ($2 < 16384) ? "little" : $2 }' /proc/$pid/status)" '^little$'
fi
check "ws_echo still echoes" "$(./build/probe $port 'and again' 1 /echo)" '^and again$'
kill $pid; wait $pid
check "ws_echo ends in order" "$?" '^0$'
check "ws_echo is told of ends" "$(cat build/ws_echo.out)" '^closed: 1006'
# cores: whoever joins is told to all, whichever thread the system gave them to
port=$((port + 1))
./build/cores $port 2 >build/cores.out 2>&1 & pid=$!
./build/probe $port '{"event":"authenticate"}' 26 >build/heard.out & probe=$!
sleep 0.5
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do ./build/probe $port '{"event":"authenticate"}' >/dev/null; done
wait $probe
check "cores: one thread's clients" "$(cat build/heard.out)" '{"event":"joined","data":{"core":0}}'
if [ "$(uname)" = Linux ]; then # elsewhere one listener may get all
    check "cores: the other's, heard by the same client" "$(cat build/heard.out)" '{"event":"joined","data":{"core":1}}'
fi
check "cores: all of them" "$(grep -c joined build/heard.out)" '^25$'
kill $pid; wait $pid
check "cores ends in order" "$?" '^0$'
check "cores knows its arguments" "$(./build/cores 8080 0 2>&1)" '1 to 64 threads'
# dialect_lines: two dialects in one hub
port=$((port + 1))
./build/dialect_lines $port >build/dialect_lines.out 2>&1 & pid=$!
check "dialect_lines speaks lines" "$(./build/probe $port 'auth ada' 1 /lines)" '^hello [0-9a-f-]*$'
check "dialect_lines knows who it is told" "$(./build/probe $port 'auth' 1 /lines)" '^no you are not known$'
check "dialect_lines speaks JSON beside them" "$(./build/probe $port '{"event":"authenticate","data":"ada"}')" '"userId":"ada"'
kill $pid; wait $pid
check "dialect_lines ends in order" "$?" '^0$'
n=$(grep -cv -e '^$' -e '^ *\/\*' -e '^ \*' examples/dialect_lines.c) # neither blank nor comments
check "dialect_lines is short: $n lines" "$([ $n -lt 200 ] && echo short)" short
# http_server: pages, bodies, a long answer and a late one, without a client
if command -v curl >/dev/null; then
    port=$((port + 1)); at=http://127.0.0.1:$port
    ./build/http_server $port >build/http_server.out 2>&1 & pid=$!
    get() { curl -sS --retry 20 --retry-connrefused --retry-delay 0 "$@" 2>&1; }
    check "http_server has a page" "$(get $at/)" '^<!doctype html>'
    check "http_server greets by the query" "$(get "$at/hello?name=J%C3%B6rg+X")" '^Hello, Jörg X$'
    check "http_server greets who has no name" "$(get $at/hello)" '^Hello, stranger$'
    check "http_server measures a body" "$(get -d hello $at/length)" '^5$'
    check "http_server counts to ten million" "$(get $at/numbers | tail -n 1)" '^10000000$'
    check "http_server skips no number, also without chunks" "$(get --http1.0 $at/numbers | awk '$1 != NR { exit } END { print NR }')" '^10000000$'
    check "http_server answers later" "$(get $at/wait)" '^a second has passed$'
    check "http_server knows what it has not" "$(get -i $at/else)" '^HTTP/1.1 404'
    kill $pid; wait $pid
    check "http_server ends in order" "$?" '^0$'
    n=$(wc -l <examples/http_server.c)
    check "http_server is short: $n lines" "$([ "$n" -lt 150 ] && echo short)" short
else
    echo "  skipped http_server: curl is not installed"; skip=$((skip + 1))
fi
emit() { e=$("./build/wshub-emit" "$@" 2>&1); echo "$? $e"; }
check "wshub-emit wants a URL" "$(emit all e 1)" '^2 .*--redis URL is needed'
check "wshub-emit wants a good URL" "$(emit --redis x all e 1)" '^2 .*begin with redis://'
check "wshub-emit wants JSON" "$(emit --redis redis://127.0.0.1:1 all e '{')" '^3 .*not JSON'
check "wshub-emit says that nobody is there" "$(emit --redis redis://127.0.0.1:1 --timeout 200 all e 1)" '^4 .*Connection refused'
check "wshub-emit excludes from rooms only" "$(emit --redis redis://127.0.0.1:1 --exclude a user u e 1)" '^2 .*for room and all'
check "wshub-emit knows its options" "$(emit --redis)" '^2 .*lacks its value'
check "chat wants a good URL" "$(./build/chat 18489 nonsense 2>&1; echo $?)" 'begin with redis://'
if command -v redis-server >/dev/null && command -v redis-cli >/dev/null; then
    redis-server --port 18488 --bind 127.0.0.1 --save '' --dir build >build/redis.out 2>&1 & redis=$!
    for i in 1 2 3 4 5 6 7 8 9 10; do redis-cli -p 18488 ping >/dev/null 2>&1 && break; sleep 0.2; done
    redis-cli -p 18488 psubscribe 'ws:*' >build/emitted.out 2>&1 & cli=$!
    for i in 1 2 3 4 5 6 7 8 9 10; do grep -q psubscribe build/emitted.out && break; sleep 0.1; done
    r="--redis redis://127.0.0.1:18488"
    # dialect_lines hears what another instance says in its words
    ./build/dialect_lines 18487 redis://127.0.0.1:18488 >build/dialect_lines.out 2>&1 & lines=$!
    ./build/probe 18487 'auth ada' 2 /lines >build/lines.out & probe=$!
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 $probe 2>/dev/null || break
        redis-cli -p 18488 publish lines:a 'another said "hi"' >/dev/null; sleep 0.1
    done
    wait $probe; kill $lines; wait $lines 2>/dev/null
    check "dialect_lines hears other instances" "$(cat build/lines.out)" '^said hi$'
    check "wshub-emit to a room" "$(emit $r --exclude a room r e '{"n":1}')" '^0 $'
    check "wshub-emit from standard input" "$(printf ' [1,\n2]\n' | emit $r user u e -)" '^0 $'
    check "wshub-emit without data" "$(emit $r all e)" '^0 $'
    redis-cli -p 18488 acl setuser default resetchannels >/dev/null 2>&1
    check "wshub-emit says that it is refused" "$(emit $r all e 1)" '^5 .*NOPERM'
    kill $cli $redis 2>/dev/null; wait $cli $redis 2>/dev/null
    check "the room's envelope" "$(cat build/emitted.out)" '^{"serverId":"emitter","type":"room","target":"r","event":"e","data":{"n":1},"exclude":\["a"\]}$'
    check "the user's envelope" "$(tr '\n' ' ' <build/emitted.out)" '"type":"user","target":"u","event":"e","data":\[1, 2\]}'
    check "an envelope without data" "$(cat build/emitted.out)" '^{"serverId":"emitter","type":"broadcast","event":"e"}$'
else
    echo "  skipped wshub_emit_over_redis: redis-server or redis-cli is not installed"; skip=$((skip + 1))
fi
echo "examples: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
