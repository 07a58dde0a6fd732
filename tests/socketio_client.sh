#!/bin/sh
# The client of Socket.IO as a program against npm's server of Socket.IO. sh tests/socketio_client.sh [folder of the fixtures]
dir=$1; passed=0; failed=0
[ -n "$dir" ] || { dir=build; [ -x build/check/fixture-sio-client ] && dir=build/check; }
if ! command -v node >/dev/null || ! [ -d "${ORACLE_MODULES:-build/node/node_modules}/socket.io" ]; then
    echo "  skipped socketio_client: node or the npm package socket.io is not installed"; echo "socketio_client: 0 passed, 0 failed, 1 skipped"; exit 0; fi
make -s $dir/fixture-sio-client || { echo "socketio_client: 0 passed, 1 failed, 0 skipped"; exit 1; }
serve() { # a server with these options, JSON, on this port or any
    rm -f build/socketio_client.out
    node tests/socketio_client.mjs "$@" >build/socketio_client.out & peer=$!
    n=0; while [ $n -lt 600 ] && ! [ -s build/socketio_client.out ]; do n=$((n + 1)); sleep 0.1; done
    port=$(cat build/socketio_client.out); url=http://127.0.0.1:$port
}
stop() { kill -9 $peer; wait $peer 2>/dev/null; }
serve '{}'
trap 'kill $peer 2>/dev/null' EXIT
check() { # what, seen, expected (a pattern of egrep, all lines joined by `;`)
    if printf '%s' "$2" | tr '\n' ';' | grep -qE -- "$3"; then passed=$((passed + 1)); else
        failed=$((failed + 1)); printf 'FAIL socketio_client: %s\n  expected %s\n  seen     %s\n    alone: sh tests/socketio_client.sh\n' "$1" "$3" "$2"; fi
}
said=build/socketio_client.said
talk() { ./$dir/fixture-sio-client --sio --url $url "$@" >$said; echo "status $?" >>$said; }
await() { n=0; while [ $n -lt 600 ] && ! grep -qE -- "$1" $said; do n=$((n + 1)); sleep 0.1; done; } # until it has printed so, within a minute
all='{"do":"subscribe","event":"*"}'

: >$said; { echo $all; echo '{"do":"emit","event":"echo","args":[1,{"b":[{"$bin":"00ff"}]}]}'; echo '{"do":"emit","event":"echo","args":[{"$bin":"0102"}],"ack":5,"timeout":60000}'
    echo '{"do":"emit","event":"ask"}'; await '"event":"q"'; echo '{"do":"ack","ack":1,"args":["r"]}'; await '"event":"asked"'; echo '{"do":"state"}'; echo '{"do":"emit","event":"connect"}'; echo x; } | talk --auth '{"t":1}'
check "events, bytes, answers both ways" "$(cat $said)" '"do":"emit"\};\{"on":"connect","id":"[^"]{20}","recovered":false\};\{"on":"event","event":"auth","args":\[\{"t":1\},"[^"]*"\]\};\{"on":"event","event":"echo","args":\[1,\{"b":\[\{"\$bin":"00ff"\}\]\},"[^"]*"\]\};\{"on":"ack","id":5,"args":\[\{"\$bin":"0102"\}\]\};\{"on":"event","event":"q","args":\[1\],"ack":1\};\{"on":"ok","do":"ack"\};\{"on":"event","event":"asked","args":\[\["r"\],"[^"]*"\]\};\{"on":"ok","do":"state"\};\{"on":"state","connected":true,"id":"[^"]{20}","buffered":0\};\{"on":"error","do":"emit".*"do":null.*\{"on":"disconnect","reason":"io client disconnect"\};status 0$'
: >$said; { echo $all; await '"event":"auth"'; echo '{"do":"drop"}'; await '"recovered":true'; await 'auth.*pid'; echo '{"do":"emit","event":"bye"}'; await '"io server disconnect"'; } | talk --reconnect-delay 300
check "it is recovered with what it has missed" "$(cat $said)" '"recovered":false\}.*"event":"auth".*"do":"drop"\};\{"on":"disconnect","reason":"transport close"\};\{"on":"reconnecting","attempt":1,"delay":[0-9]+\};\{"on":"connect","id":"[^"]{20}","recovered":true\};\{"on":"event","event":"missed","args":\[1,"[^"]*"\]\};\{"on":"event","event":"auth".*\{"on":"disconnect","reason":"io server disconnect"\};status 0$'
: >$said; { for name in / /b /no /nope; do await "connect[^}]*\"nsp\":\"$name\""; done; } | talk --nsp /,/b,/no,/nope
check "namespaces share a connection, one refuses" "$(cat $said)" '\{"on":"connect_error","nsp":"/no","message":"not authorized","data":\{"code":7\}\};.*\{"on":"disconnect","nsp":"/b","reason":"io client disconnect"\};status 0$'
: >$said; await connect_error | talk --nsp /nope
check "an unknown namespace" "$(cat $said)" '^\{"on":"connect_error","message":"Invalid namespace"\};status 0$'
: >$said; await connect_error | url=http://127.0.0.1:1 talk --no-reconnect
check "nobody is there" "$(cat $said)" '^\{"on":"connect_error","message":"[^"]*"\};status 0$'
# Said until it is answered, in order, also over losses; by the documents of Socket.IO at least once.
: >$said; { for n in 0 1 2; do echo '{"do":"emit","event":"flaky","args":['$n'],"ack":'$n',"timeout":200}'; done; await '"on":"ack","id":2'; echo '{"do":"emit","event":"tries","ack":9}'; await '"id":9'; } | talk --retries 100000 --reconnect-delay 10 --reconnect-max 10
check "what is promised is said until it is answered" "$(grep '"on":"ack"' $said)" '^\{"on":"ack","id":0,"args":\[0\]\};\{"on":"ack","id":1,"args":\[1\]\};\{"on":"ack","id":2,"args":\[2\]\};\{"on":"ack","id":9,"args":\[\[0,0,0(,0)*,1,1,1(,1)*,2,2,2(,2)*\]\]\}$'
check "no such transports" "$(./$dir/fixture-sio-client --sio --url $url --transports smoke 2>&1; echo "status $?")" 'bad value for --transports;status 2$'
stop

# Long-polling, alone and with an upgrade, against a server that pings while all that happens.
serve '{"pingInterval":100,"pingTimeout":60000,"maxHttpBufferSize":20000}'
for list in polling polling,websocket; do
    last=${list##*,}; moved='"event":"auth"'; [ $last = polling ] || moved='"event":"upgraded"'
    : >$said; { echo $all; await "$moved"; echo '{"do":"emit","event":"transport"}'; echo '{"do":"emit","event":"echo","args":[1,{"b":[{"$bin":"00ff1e"}]},"\u00e9\u001e"]}'; echo '{"do":"emit","event":"echo","args":[{"$bin":"0102"},{"$bin":""}],"ack":5,"timeout":60000}'
        echo '{"do":"emit","event":"ask"}'; await '"event":"q"'; echo '{"do":"ack","ack":1,"args":["r"]}'; await '"event":"asked"'; } | talk --auth '{"t":1}' --transports $list
    check "$list: events, bytes, answers both ways" "$(cat $said)" '\{"on":"event","event":"auth","args":\[\{"t":1\},"[^"]*"\]\};.*"event":"transport","args":\["'$last'".*\{"on":"event","event":"echo","args":\[1,\{"b":\[\{"\$bin":"00ff1e"\}\]\},"..u001e","[^"]*"\]\};\{"on":"ack","id":5,"args":\[\{"\$bin":"0102"\},\{"\$bin":""\}\]\};.*"event":"asked","args":\[\["r"\],"[^"]*"\]\};.*\{"on":"disconnect","reason":"io client disconnect"\};status 0$'
    # Three thousand before and while it moves, of which the server takes 20000 bytes in a post.
    : >$said; { echo $all; awk 'BEGIN{for (i = 0; i < 3000; i++) printf "{\"do\":\"emit\",\"event\":\"echo\",\"args\":[%d,\"%0400d\"]}\n", i, i}'; await '"event":"echo","args":\[2999,'; } | talk --transports $list
    check "$list: three thousand, once and in order" "$(grep -o '"event":"echo","args":\[[0-9]*' $said | sed 's/.*\[//' | awk '$1 != n++ {bad = 1} END {print n, bad + 0}') $(tail -1 $said)" '^3000 0 status 0$'
    : >$said; { echo $all; await "$moved"; echo '{"do":"drop"}'; await '"recovered":true'; await 'auth.*pid'; echo '{"do":"emit","event":"bye"}'; await '"io server disconnect"'; } | talk --reconnect-delay 300 --transports $list
    check "$list: it is recovered with what it has missed" "$(cat $said)" '"do":"drop"\};\{"on":"disconnect","reason":"transport close"\};\{"on":"reconnecting","attempt":1,"delay":[0-9]+\};\{"on":"connect","id":"[^"]{20}","recovered":true\};\{"on":"event","event":"missed",.*"on":"disconnect","reason":"io server disconnect"\};status 0$'
    : >$said; { for name in / /b /no /nope; do await "connect[^}]*\"nsp\":\"$name\""; done; } | talk --nsp /,/b,/no,/nope --transports $list
    check "$list: namespaces share a connection, one refuses" "$(cat $said)" '\{"on":"connect_error","nsp":"/no","message":"not authorized","data":\{"code":7\}\};.*\{"on":"disconnect","nsp":"/b","reason":"io client disconnect"\};status 0$'
    : >$said; await connect_error | url=http://127.0.0.1:1 talk --no-reconnect --transports $list
    check "$list: nobody is there" "$(cat $said)" '^\{"on":"connect_error","message":"[^"]*"\};status 0$'
    : >$said; await connect_error | talk --no-reconnect --transports $list --path /none/
    check "$list: no Socket.IO is there" "$(cat $said)" '^\{"on":"connect_error","message":"the server answers 404"\};status 0$'
    # The server is killed, and comes back on its port.
    : >$said; { echo $all; await "$moved"; stop; await '"on":"reconnecting"'; echo '{"do":"emit","event":"echo","args":["kept"]}'; await '"do":"emit"'; serve '{"pingInterval":100,"pingTimeout":60000,"maxHttpBufferSize":20000}' $port; echo $peer >build/socketio_client.peer; await '"event":"echo","args":\["kept"'; } | talk --reconnect-delay 100 --reconnect-max 200 --transports $list
    peer=$(cat build/socketio_client.peer)
    check "$list: a server that was killed" "$(cat $said)" '\{"on":"disconnect","reason":"transport (close|error)"\};\{"on":"reconnecting".*"on":"connect".*"event":"echo","args":\["kept"'
done
# A packet over what the server takes goes alone, is refused, and not sent again.
: >$said; { echo $all; await '"event":"auth"'; awk 'BEGIN{printf "{\"do\":\"emit\",\"event\":\"echo\",\"args\":[\"%030000d\"]}\n", 0}'; await reconnecting; await '"on":"connect".*"on":"connect"|"recovered":true'; } | talk --reconnect-delay 100 --transports polling
check "one that is too large" "$(cut -c1-200 $said)" '\{"on":"disconnect","reason":"transport error"\};\{"on":"reconnecting","attempt":1,"delay":[0-9]+\};\{"on":"connect",'
stop

serve '{"allowUpgrades":false}'
: >$said; { echo $all; await '"event":"auth"'; echo '{"do":"emit","event":"transport"}'; await '"event":"transport"'; } | talk --transports polling,websocket
check "a server that allows no upgrade" "$(cat $said)" '"event":"transport","args":\["polling"'
stop
serve '{"transports":["websocket"]}'
: >$said; await connect_error | talk --no-reconnect --transports polling,websocket
check "a server that is not polled" "$(cat $said)" '^\{"on":"connect_error","message":"the server answers 400"\};status 0$'
echo "socketio_client: $passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
