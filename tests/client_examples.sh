#!/bin/sh
# Runs the examples of clients, and talks to them by way of the servers that they are clients of.
pass=0; fail=0; skip=0
make -s build/bridge build/client_loop build/socketio_bot build/socketio_chat build/wshub-cat build/fixture-sio build/fixture-sio-client || { echo "client_examples: 0 passed, 1 failed, 0 skipped"; exit 1; }
export WSHUB_LOG=off
here=build/client_examples; rm -rf $here; mkdir -p $here
check() { # what, seen, expected (a pattern of egrep, all lines joined by `;`)
    if printf '%s' "$2" | tr '\n' ';' | grep -qE -- "$3"; then pass=$((pass + 1)); else
        fail=$((fail + 1)); printf 'FAIL client_examples: %s\n  expected %s\n  seen     %s\n    alone: sh tests/client_examples.sh\n' "$1" "$3" "$2"; fi
}
says() { n=0; while [ $n -lt 300 ] && ! grep -qE -- "$2" "$1"; do n=$((n + 1)); sleep 0.1; done; cat "$1"; } # file, pattern: within a minute
trap 'for p in $pids; do kill -CONT $p; kill $p; done 2>/dev/null' EXIT; trap 'exit 1' TERM INT

# Servers that are started while somebody is talked to have nothing of the pipe: its end would not be seen.
# hello, twice, at ports of their own
for port in 18531 18532; do
    sed "s/8080/$port/; s/puts(\"http.*;/& fflush(stdout);/" examples/hello.c >$here/hello$port.c
    { ${CC:-cc} -std=gnu99 -O0 -I. -Ibackends -c -o $here/hello$port.o $here/hello$port.c && ${CC:-cc} -o $here/hello$port $here/hello$port.o -pthread; } || exit 1
done
serve() { # a port: sets $hub
    : >$here/hub$1
    (cd examples && exec ../$here/hello$1) >$here/hub$1 2>&1 7>&- 8>&- 9>&- & hub=$!; pids="$pids $hub"
    says $here/hub$1 http >$here/up
}
stop() { kill $1; wait $1 2>/dev/null; }
left=ws://127.0.0.1:18531/ws; right=ws://127.0.0.1:18532/ws

# who listens in the lobby and can say something there: a descriptor, a name, a URL; what it hears is in a file of that name
listen() {
    rm -f $here/$2.in; mkfifo $here/$2.in; : >$here/$2
    ./build/wshub-cat $3 --event say --on say --join lobby --quiet 60000 <$here/$2.in >$here/$2 2>&1 & pids="$pids $!"
    eval "exec $1>$here/$2.in; echo $2 is here >&$1"
    says $here/$2 "\"$2 is here\"" >$here/up
}

# bridge: both ways, nothing twice, and each side's outage
serve 18531; home=$hub; serve 18532; work=$hub
./build/bridge home $left work $right lobby say >$here/bridge 2>&1 & bridge=$!; pids="$pids $bridge"
says $here/bridge '^home: connected' >$here/up; says $here/bridge '^work: connected' >$here/up
listen 7 ada $left; listen 8 bob $right
echo one >&7; check "the bridge carries" "$(says $here/bob one)" '"bob is here"\};\{"event":"say","data":\{"via":\["home"\],"data":"one"\}\}$'
echo two >&8; check "the bridge carries nothing back" "$(says $here/ada two)" '^\{"event":"say","data":"ada is here"\};\{"event":"say","data":\{"via":\["work"\],"data":"bob is here"\}\};\{"event":"say","data":"one"\};\{"event":"say","data":\{"via":\["work"\],"data":"two"\}\}$'
stop $work; says $here/bridge '^work: away' >$here/up; echo three >&7; says $here/ada '"three"' >$here/up; kill -STOP $bridge; serve 18532; work=$hub
listen 9 bert $right; kill -CONT $bridge
check "the bridge keeps what is said while one hub is away" "$(says $here/bert three)" '"bert is here"\};\{"event":"say","data":\{"via":\["home"\],"data":"three"\}\}'
stop $home; says $here/bridge '^home: away' >$here/up; echo four >&9; says $here/bert '"four"' >$here/up; kill -STOP $bridge; serve 18531; home=$hub
listen 7 anna $left; kill -CONT $bridge
check "and the other" "$(says $here/anna four)" '"anna is here"\};\{"event":"say","data":\{"via":\["work"\],"data":"four"\}\}'
kill $bridge; wait $bridge; check "the bridge ends in order" $? '^0$'
check "the bridge wants two names" "$(./build/bridge a ws://x b 2>&1; echo $?)" 'usage: bridge.*;2$'
check "the bridge wants URLs" "$(./build/bridge a ws://x/ b http://x/ r e 2>&1; echo $?)" 'bridge: http://x/: url: .*;2$'
exec 7>&- 8>&- 9>&-

# client_loop: reads, hears, keeps, and is held up by nobody
rm -f $here/loop.in; mkfifo $here/loop.in; : >$here/loop
./build/client_loop $left <$here/loop.in >$here/loop 2>&1 & loop=$!; pids="$pids $loop"
exec 7>$here/loop.in; echo 'one "and" two' >&7
check "client_loop says and hears" "$(says $here/loop one)" '^say "one \\"and\\" two"$'
stop $home; says $here/loop '^away' >$here/up; echo three >&7
check "client_loop keeps lines" "$(says $here/loop '1 lines are kept')" 'away: attempt [0-9]+ in [0-9]+ ms, 1 lines are kept$'
serve 18531; home=$hub
check "client_loop says them later" "$(says $here/loop '^say "three"')" 'say "three"$'
printf last >&7; exec 7>&-; wait $loop
check "client_loop leaves in order" "$? $(cat $here/loop)" '^0 .*;[0-9]+ ticks, the latest by [0-9]+ ms$'
kill -STOP $home # who is connected to, and says nothing
check "client_loop does not wait for who is silent" "$(./build/client_loop $left </dev/null; echo $?)" '^[0-9]+ ticks, the latest by [0-9]+ ms;0$'
kill -CONT $home
check "client_loop wants a URL" "$(./build/client_loop http://x 2>&1; echo $?)" '^client_loop: url: .*;2$'

# client_raii: with each compiler that there is
command=$(sed -n 's|^// Build: c++ \([^(]*\) (in examples/)$|\1|p' examples/client_raii.cpp)
for cxx in g++ clang++; do
    command -v $cxx >/dev/null || { echo "  skipped client_raii with $cxx: it is not installed"; skip=$((skip + 1)); continue; }
    check "client_raii compiles with $cxx" "$(cd examples && eval "$cxx -c -Wall -Wextra -Wpedantic -Werror ${command%-pthread -o*} -o ../$here/raii.o && $cxx ../$here/raii.o -pthread -o ../$here/raii" 2>&1; echo $?)" '^0$'
    check "client_raii says and hears" "$(./$here/raii $left 'a "b"' 2>&1; echo $?)" 'say "a \\"b\\"";0$'
    check "client_raii throws what is in its way" "$(./$here/raii ws://127.0.0.1:1/ 2>&1; echo $?)" '^client_raii: .*Connection refused.*;1$'
    check "client_raii wants a URL" "$(./$here/raii http://x 2>&1; echo $?)" '^client_raii: url: .*;1$'
done
stop $home; stop $work

# socketio_bot: in the chat, and again after the chat was away; and where it is asked something
chat() { : >$here/chat; ./build/socketio_chat 18533 >$here/chat 2>&1 7>&- & chat=$!; pids="$pids $chat"; says $here/chat 18533 >$here/up; }
visit() { # a URL: talks on descriptor 7
    rm -f $here/visitor.in; mkfifo $here/visitor.in; : >$here/visitor
    ./build/fixture-sio-client --sio --url $1 <$here/visitor.in >$here/visitor 2>&1 & pids="$pids $!"
    exec 7>$here/visitor.in; echo '{"do":"subscribe","event":"*"}' >&7
}
chat; : >$here/bot
./build/socketio_bot http://127.0.0.1:18533 robby >$here/bot 2>&1 & bot=$!; pids="$pids $bot"
check "the bot comes in" "$(says $here/bot '^it is in')" '^connected as [^;]{20};it is in as robby$'
visit http://127.0.0.1:18533
echo '{"do":"emit","event":"add user","args":["ada"]}' >&7
echo '{"do":"emit","event":"new message","args":["robby: echo hi \"you\""]}' >&7
check "the bot answers" "$(says $here/visitor robby)" '"event":"new message","args":\[\{"username":"robby","message":"hi \\"you\\""\}\]'
echo '{"do":"emit","event":"new message","args":["robby: seen"]}' >&7
check "the bot counts" "$(says $here/visitor 'messages"')" '"message":"2 messages"'
stop $chat; says $here/bot '^disconnected: transport close' >$here/up; chat
check "the bot comes in again" "$(n=0; while [ $n -lt 300 ] && [ "$(grep -c '^it is in' $here/bot)" -lt 2 ]; do n=$((n + 1)); sleep 0.1; done; cat $here/bot)" 'it is in as robby;disconnected: transport close;.*connected as [^;]{20};it is in as robby$'
./build/socketio_bot http://127.0.0.1:18533 "a name of more than twenty-four" >$here/other 2>&1
check "the bot goes when it is refused" "$? $(cat $here/other)" '^0 .*it may not come in: "that is too long"$'
kill $bot; wait $bot; check "the bot ends in order" $? '^0$'
stop $chat; exec 7>&-
./build/fixture-sio --sio /socket.io/ --port 18534 >$here/sio 2>&1 & sio=$!; pids="$pids $sio"; says $here/sio '[0-9]' >$here/up; : >$here/bot
./build/socketio_bot http://127.0.0.1:18534 >$here/bot 2>&1 & bot=$!; pids="$pids $bot"
id=$(says $here/bot '^connected as' | sed -n 's/^connected as //p')
visit http://127.0.0.1:18534
echo '{"do":"emit","event":"ask-all","args":[{"rooms":"'"$id"'"},60000,"who",1],"ack":5}' >&7
check "the bot answers whoever asks" "$(says $here/visitor '"id":5')" '"on":"ack","id":5,"args":\[\{"answers":\["bot"\]\}\]'
exec 7>&-
kill $bot; wait $bot; check "the bot ends in order there" $? '^0$'
stop $sio
echo "client_examples: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
