#!/bin/sh
# Runs each example and talks to it.
. tests/talk.sh
pass=0; fail=0; skip=0
check() { # what, seen, expected (a pattern of grep)
    if case $2 in *'waited in vain'*) false ;; *) true ;; esac && printf '%s' "$2" | grep -q -e "$3"; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $1: $2"; fi; }
${CC:-cc} -std=gnu99 -O1 -I. tests/probe.c -o build/probe || exit 1
${CC:-cc} -std=gnu99 -O1 -I. tests/slow_reader.c -o build/slow_reader || exit 1
# each compiles alone, by the command that its head names, as many beside each other as there are processors
: >build/examples.jobs
for f in examples/*.c; do
    command=$(sed -n 's|^ \* Build: \(cc [^(]*\) (in examples/)$|\1|p' "$f"); name=$(basename "$f" .c)
    case $command in *mbed*) [ -f /usr/include/mbedtls/gcm.h ] || { echo "  skipped $f: mbedTLS is not installed"; skip=$((skip + 1)); continue; } ;; esac
    case $command in
    "cc $name.c "*" -o $name" | "cc $name.c "*" -o ${name}_server") # where a folder has that name
        echo "${command#cc}" >>build/examples.jobs ;;
    *) check "$f says how to build it" "$(sed -n 's/^ \* Build and run: //p' "$f")" '^make run' ;; # it needs more than one command
    esac
done
# shellcheck disable=SC2016
tr '\n' '\0' <build/examples.jobs | (cd examples && xargs -0 -P "$(nproc 2>/dev/null || echo 2)" -I{} sh -c 'if eval "${CC:-cc}$1 && rm ${1##* }"; then echo ok; else echo "FAIL cc$1"; fi' one {}) >build/examples.told
grep '^FAIL' build/examples.told
pass=$((pass + $(grep -c '^ok' build/examples.told))); fail=$((fail + $(grep -c '^FAIL' build/examples.told)))
check unit_test "$(./build/unit_test)" '^unit_test: passed$'
port=18480
(cd examples && exec ../build/hello) >build/hello.out 2>&1 & pid=$!
check hello "$(./build/probe 8080 '{"event":"authenticate"}')" '"connected"'
./build/sensor ws://127.0.0.1:8080/ws >build/sensor.out 2>&1 & sensor=$!
check "sensor connects" "$(says build/sensor.out connected)" '^connected as '
kill $pid 2>/dev/null; wait $pid 2>/dev/null
check "sensor keeps readings" "$(says build/sensor.out 'attempt 2')" '^attempt 2 in [0-9]* ms, [0-9][0-9]* readings are kept$'
kill $sensor; wait $sensor; check "sensor ends" $? '^0$'
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
        says="$(./build/probe $port '{"event":"authenticate","data":{"name":"twenty-five letters are on"}}')"
        check "$e wants a short name" "$says" 'Authentication failed'
        ./build/chat $port >build/chat2.out 2>&1 && fail=$((fail + 1))
        check "$e says that its port is taken" "$(cat build/chat2.out)" 'in use; stop the program that has it or choose another port' ;;
    esac
    kill $pid
    [ $e = custom_io ] || while kill $pid 2>/dev/null; do :; done # signals until the very end harm nothing
    wait $pid; status=$?
    if [ $status -eq 0 ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $e ended with status $status"; fi
done
# event_loop: what is typed goes out, what is heard is printed, the end of the input ends it
port=$((port + 1))
: >build/heard.out
./build/probe $port '{"event":"authenticate"}' 2 >build/heard.out & probe=$!
ended=$(talk '? grep -q connected build/heard.out
> typed "here"
? grep -q said build/heard.out' ./build/event_loop $port)
wait $probe
check "event_loop ends with its input" "$ended" '^status 0$'
check "event_loop says what is typed" "$(cat build/heard.out)" '^{"event":"said","data":"typed \\"here\\""}$'
# two_rooms: names, and nothing to rooms where one is not
port=$((port + 1))
(cd examples && exec ../build/two_rooms $port) >build/two_rooms.out 2>&1 & pid=$!
check "two_rooms wants a name" "$(./build/probe $port '{"event":"authenticate"}')" 'Authentication failed'
check "two_rooms knows it" "$(./build/probe $port '{"event":"authenticate","data":{"name":"Ada"}}')" '"userId":"Ada"'
kill $pid; wait $pid
check "two_rooms ends in order" "$?" '^0$'
# login: the cookie of a form, a token in a header and one in the query; nobody else
port=$((port + 1)); at=http://127.0.0.1:$port
./build/login $port >build/login.out 2>&1 & pid=$!
check "login takes a token of the query" "$(./build/probe $port '{"event":"say","data":"hi"}' 2 '/ws?token=let-me-in')" '^{"event":"said","data":{"name":"robot","text":"hi"}}$'
if command -v curl >/dev/null; then
    get() { curl -sS -i -m $patience "$@" 2>/dev/null; }
    upgrade() { exec curl -sS -i -N -m $patience -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$@" $at/ws; }
    enters() { talk '< "userId"
!' upgrade "$@" | tr -d '\000'; } # it stays; its talk ends behind what it is told
    check "login has a form" "$(get $at/)" 'form method=post action=/login'
    check "login knows a wrong password" "$(get -d 'name=ada&password=hopper' $at/login)" '^HTTP/1.1 401'
    check "login refuses who has not logged in" "$(upgrade)" '^log in first$'
    check "login says so by its status" "$(upgrade)" '^HTTP/1.1 401'
    cookie=$(get -d 'name=ada&password=lovelace' $at/login | sed -n 's/^Set-Cookie: \(session=[0-9a-f]*\);.*/\1/p')
    check "login takes its cookie" "$(enters -b "$cookie")" '"userId":"ada"'
    check "login takes it from its own page" "$(enters -b "$cookie" -H "Origin: $at")" '"userId":"ada"'
    check "login does not take it from another page" "$(upgrade -b "$cookie" -H 'Origin: http://elsewhere.example')" '^HTTP/1.1 403'
    check "login takes a bearer token" "$(enters -H 'Authorization: Bearer let-me-in')" '"userId":"robot"'
    check "login knows a wrong one" "$(upgrade -H 'Authorization: Bearer let-me-out')" '^HTTP/1.1 401'
    check "login lets go" "$(get -b "$cookie" -d '' $at/logout)" '^Set-Cookie: session=;.*Max-Age=0'
    check "login has forgotten the cookie" "$(upgrade -b "$cookie")" '^log in first$'
else
    echo "  skipped login_over_http: curl is not installed"; skip=$((skip + 1))
fi
kill $pid; wait $pid
check "login ends in order" "$?" '^0$'
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
: >build/heard.out
./build/probe $port '{"event":"authenticate"}' 26 >build/heard.out & probe=$!
heard=$(says build/heard.out joined)
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do ./build/probe $port '{"event":"authenticate"}' >/dev/null; done
wait $probe
check "cores: the first hears of itself" "$heard" joined
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
check "dialect_lines says why not" "$(./build/probe $port 'join tea' 1 /lines)" '^no not now$'
check "dialect_lines speaks JSON beside them" "$(./build/probe $port '{"event":"authenticate","data":"ada"}')" '"userId":"ada"'
kill $pid; wait $pid
check "dialect_lines ends in order" "$?" '^0$'
n=$(wc -l <examples/dialect_lines.c) # in all
check "dialect_lines is short: $n lines" "$([ $n -lt 200 ] && echo short)" short
# both: a JSON client and one of Socket.IO, which it hears; nobody without a name
port=$((port + 1)); sio='/socket.io/?EIO=4&transport=websocket'
(cd examples && exec ../build/both $port) >build/both.out 2>&1 & pid=$!
check "both wants a name" "$(./build/probe $port '{"event":"authenticate"}')" 'Authentication failed'
check "both wants it over Socket.IO too" "$(./build/probe $port '40' 2 "$sio")" '^44{"message":"a name of 39 bytes at most is needed"}$'
: >build/both.heard
./build/probe $port '{"event":"authenticate","data":{"name":"Ada"}}' 4 >build/both.heard & probe=$!
check "both lets JSON in" "$(says build/both.heard came)" '^{"event":"came","data":"Ada"}$'
check "both lets Socket.IO in" "$(./build/probe $port '40{"name":"Bob"}' 3 "$sio")" '^42\["came","Bob"\]$'
wait $probe
check "both tells JSON clients of it" "$(cat build/both.heard)" '^{"event":"came","data":"Bob"}$'
check "both tells them who left" "$(cat build/both.heard)" '^{"event":"left","data":"Bob"}$'
check "both says that there is no script" "$(cat build/both.out)" 'the page has a client of its own'
kill $pid; wait $pid
check "both ends in order" "$?" '^0$'
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
    (cd build && exec ./chat --page ../examples/chat 18489) >build/chat.out 2>&1 & pid=$!
    ./build/probe 18489 '{"event":"authenticate","data":{"name":"Ada"}}' >/dev/null
    check "chat has its page" "$(get http://127.0.0.1:18489/)" '<title>wshub chat</title>'
    check "chat finds its page from elsewhere" "$(get http://127.0.0.1:18489/chat.js)" 'The page of examples/chat.c'
    check "chat is entered by its own pages alone" "$(get -o /dev/null -w '%{http_code}' -H 'Origin: https://evil.example' -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' http://127.0.0.1:18489/ws)" '^403$'
    kill $pid; wait $pid
    n=$(wc -l <examples/http_server.c)
    check "http_server is short: $n lines" "$([ "$n" -lt 150 ] && echo short)" short
else
    echo "  skipped http_server: curl is not installed"; skip=$((skip + 1))
fi
# the chat over TLS, as `make run TLS=1` starts it and with the certificate that this has made, on the next port that is free
made=$(make -s build/chat_tls build/tls/cert.pem 2>&1)
check "chat is compiled with TLS" "$? $made" '^0 '
if [ ! -x build/chat_tls ]; then
    echo "  skipped chat_over_tls: ${made#*skipped: }"; skip=$((skip + 1))
else
    at=18599
    while at=$((at + 1)); run=$(make -n run TLS=1 PORT=$at | grep -o './build/chat_tls .*')
        $run >build/chat_tls.out 2>&1 & pid=$!
        says build/chat_tls.out 'chat' | grep -q 'in use' && [ $at -lt 18620 ]; do wait $pid; done
    check "chat says that it is on https" "$(cat build/chat_tls.out)" "^chat on https://127.0.0.1:$at "
    if command -v curl >/dev/null; then
        check "chat has its page on https" "$(curl -sS -m $patience --cacert build/tls/cert.pem https://127.0.0.1:$at/ 2>&1)" '<title>wshub chat</title>'
    else
        echo "  skipped chat_page_over_https: curl is not installed"; skip=$((skip + 1))
    fi
    check "chat is entered over wss" "$(talk '> {"event":"authenticate","data":{"name":"Ada"}}
< "userId":"Ada"' ./build/wshub-cat wss://127.0.0.1:$at/ws --raw --cacert build/tls/cert.pem)" '"userId":"Ada"'
    kill $pid; wait $pid
    check "chat ends in order on https" "$?" '^0$'
fi
# cron: whoever comes hears which jobs there are
port=$((port + 1))
(cd examples && exec ../build/cron $port) >build/cron.out 2>&1 & pid=$!
check "cron says which jobs there are" "$(./build/probe $port '{"event":"authenticate"}' 2)" '"jobs","data":\[\]'
kill $pid; wait $pid
check "cron ends in order" "$?" '^0$'
# wshub-cron: in words, in a zone, and what is wrong where
check "wshub-cron describes" "$(./build/wshub-cron '30 9 * * 1-5' --tz Europe/Berlin --describe)" '^at 09:30 on weekdays, Europe/Berlin$'
check "wshub-cron says when" "$(./build/wshub-cron '0 0 1 1 *' --tz Asia/Tokyo --next 2)" '-01-01T00:00:00+09:00$'
check "wshub-cron says what is wrong" "$(./build/wshub-cron '0 25 * * *' 2>&1)" '^Field value (25) is out of range$'
check "wshub-cron wants a number" "$(./build/wshub-cron '0 0 * * *' --next soon 2>&1; echo "status $?")" '^status 2$'
[ ! -w /dev/full ] || check "wshub-cron cannot print" "$({ ./build/wshub-cron '0 0 * * *' >/dev/full; echo "status $?"; } 2>&1)" '^status 1$'
check "wshub-cron knows no such zone" "$(./build/wshub-cron '0 0 * * *' --tz No/Zone 2>&1)" '^Invalid timezone.$'
emit() { e=$("./build/wshub-emit" "$@" 2>&1); echo "$? $e"; }
check "wshub-emit wants a URL" "$(emit all e 1)" '^2 .*--redis URL is needed'
check "wshub-emit wants a good URL" "$(emit --redis x all e 1)" '^2 .*begin with redis://'
check "wshub-emit wants JSON" "$(emit --redis redis://127.0.0.1:1 all e '{')" '^3 .*not JSON'
check "wshub-emit says what is too much" "$(head -c 68000000 /dev/zero | emit --redis redis://127.0.0.1:1 all e -)" '^3 .*cannot be read'
check "wshub-emit says that nobody is there" "$(emit --redis redis://127.0.0.1:1 --timeout 200 all e 1)" '^4 .*Connection refused'
check "wshub-emit wants a number" "$(emit --redis redis://127.0.0.1:1 --timeout 200s all e 1)" '^2 .*milliseconds'
check "wshub-emit excludes from rooms only" "$(emit --redis redis://127.0.0.1:1 --exclude a user u e 1)" '^2 .*for room and all'
check "wshub-emit knows its options" "$(emit --redis)" '^2 .*lacks its value'
sio="--socketio --redis redis://127.0.0.1:1 --timeout 200"
check "wshub-emit --socketio wants an event" "$(emit $sio)" '^2 .*an event'
check "wshub-emit --socketio has options of its own" "$(emit $sio --exclude a e)" '^2 .*the other dialect'
check "wshub-emit leaves them to it" "$(emit --redis redis://127.0.0.1:1 --room r all e)" '^2 .*the other dialect'
check "wshub-emit --socketio wants JSON" "$(emit $sio e 1 '{')" '^3 .*not JSON'
check "wshub-emit --socketio wants its file" "$(emit $sio e @build/no-such-file)" '^3 .*cannot be read'
check "wshub-emit --socketio reads standard input once" "$(echo 1 | emit $sio e - -)" '^3 .*cannot be read'
check "wshub-emit --socketio takes ten files" "$(emit $sio e $(for i in 1 2 3 4 5 6 7 8 9 10 11; do echo @Makefile; done))" '^3 .*cannot be read'
check "wshub-emit --socketio takes no reserved event" "$(emit $sio disconnect)" '^2 .*has for itself'
check "wshub-emit --socketio says that nobody is there" "$(emit $sio e)" '^4 .*Connection refused'
check "chat wants a good URL" "$(./build/chat --redis nonsense 18489 2>&1; echo $?)" 'begin with redis://'
check "chat says that there is no page" "$(cd build && ./chat 18489 2>&1)" 'no page in examples/chat: No such file or directory (--page'
check "chat knows its arguments" "$(./build/chat --what 2>&1)" 'usage: chat'
check "socketio_chat says that there is no page" "$(cd build && ./socketio_chat 18489 2>&1)" 'no page in examples/socketio_chat: No such file or directory (--page'
check "socketio_chat knows its arguments" "$(./build/socketio_chat --what 2>&1; echo $?)" '^2$'
n=$(grep -cv -e '^$' -e '^ *\/\*' -e '^  *\* ' examples/chat.c) # neither blank nor comments
check "chat is short: $n lines" "$([ "$n" -lt 470 ] && echo short)" short
if command -v redis-server >/dev/null && command -v redis-cli >/dev/null; then
    redis-server --port 18488 --bind 127.0.0.1 --save '' --dir build >build/redis.out 2>&1 & redis=$!
    until_ok redis-cli -p 18488 ping
    : >build/emitted.out
    redis-cli -p 18488 psubscribe 'ws:*' 'app#*' 'socket.io#*' >build/emitted.out 2>&1 & cli=$!
    until_ok grep -q '^socket.io#' build/emitted.out
    r="--redis redis://127.0.0.1:18488"
    heard_or_said_again() { grep -q '^said' build/lines.out || { redis-cli -p 18488 publish lines: 'another 1 said "hi"'; false; }; }
    # dialect_lines hears what another instance says in its words
    ./build/dialect_lines 18487 redis://127.0.0.1:18488 >build/dialect_lines.out 2>&1 & lines=$!
    : >build/lines.out
    ./build/probe 18487 'auth ada' 2 /lines >build/lines.out & probe=$!
    until_ok heard_or_said_again # nobody sees from here when it listens
    wait $probe; kill $lines; wait $lines 2>/dev/null
    check "dialect_lines hears other instances" "$(cat build/lines.out)" '^said hi$'
    check "wshub-emit to a room" "$(emit $r --exclude a room r e '{"n":1}')" '^0 $'
    check "wshub-emit from standard input" "$(printf ' [1,\n2]\n' | emit $r user u e -)" '^0 $'
    check "wshub-emit without data" "$(emit $r all e)" '^0 $'
    printf '\001\377' >build/emitted.bin
    check "wshub-emit --socketio" "$(emit --socketio $r --key app --namespace chat --room r --except x --volatile m 5 '"t"' @build/emitted.bin)" '^0 $'
    check "wshub-emit --socketio to all" "$(printf ' 7\n' | emit --socketio $r m -)" '^0 $'
    redis-cli -p 18488 acl setuser default resetchannels >/dev/null 2>&1
    check "wshub-emit says that it is refused" "$(emit $r all e 1)" '^5 .*NOPERM'
    hex_has() { hex=$(od -An -v -tx1 build/emitted.out | tr -d ' \n'); case $hex in *$1*) ;; *) false ;; esac; }
    until_ok hex_has a665786365707490 # the last thing that was emitted, to its end
    kill $cli $redis 2>/dev/null; wait $cli $redis 2>/dev/null
    check "the room's envelope" "$(cat build/emitted.out)" '^{"serverId":"emitter","type":"room","target":"r","event":"e","data":{"n":1},"exclude":\["a"\]}$'
    check "the user's envelope" "$(tr '\n' ' ' <build/emitted.out)" '"type":"user","target":"u","event":"e","data":\[1, 2\]}'
    check "a broadcast to a room" "$hex" '0a617070232f636861742372230a93a7656d697474657283a47479706502a46461746194a16d05a174c40201ffa36e7370a52f6368617483a5726f6f6d7391a172a5666c61677381a8766f6c6174696c65c3a665786365707491a178'
    check "a broadcast to all" "$hex" '0a736f636b65742e696f232f230a93a7656d697474657283a47479706502a46461746192a16d07a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490'
    check "an envelope without data" "$(cat build/emitted.out)" '^{"serverId":"emitter","type":"broadcast","event":"e"}$'
else
    echo "  skipped wshub_emit_over_redis: redis-server or redis-cli is not installed"; skip=$((skip + 1))
fi
echo "examples: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
