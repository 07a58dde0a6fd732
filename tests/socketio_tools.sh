#!/bin/sh
# wshub-cat --socketio and wshub-bench --socketio against the fixture's server of Socket.IO, and against npm's where it is
# installed. sh tests/socketio_tools.sh [folder of the fixtures]
dir=$1; passed=0; failed=0; skipped=0
[ -n "$dir" ] || { dir=build; [ -x build/check/fixture-sio ] && dir=build/check; }
make -s build/wshub-cat build/wshub-bench $dir/fixture-sio || { echo "socketio_tools: 0 passed, 1 failed, 0 skipped"; exit 1; }
export WSHUB_LOG=off
here=build/socketio_tools; rm -rf $here; mkdir -p $here
check() { # what, seen, expected (a pattern of egrep, all lines joined by `;`)
    if printf '%s' "$2" | tr '\n' ';' | grep -qE -- "$3"; then passed=$((passed + 1)); else
        failed=$((failed + 1)); printf 'FAIL socketio_tools: %s\n  expected %s\n  seen     %s\n    alone: sh tests/socketio_tools.sh\n' "$1" "$3" "$2"; fi
}
says() { n=0; while [ $n -lt 300 ] && ! grep -qE -- "$2" "$1"; do n=$((n + 1)); sleep 0.1; done; cat "$1"; } # file, pattern: within half a minute
trap 'kill $server $peer $cat 2>/dev/null' EXIT; trap 'exit 1' TERM INT
cat_() { ./build/wshub-cat "$@" --socketio 2>&1; echo "status $?"; }
talk() { # what is to be printed before its input ends, options; says $say first
    want=$1; shift; rm -f $here/in; mkfifo $here/in; : >$here/out
    { ./build/wshub-cat "$@" --socketio <$here/in 2>&1; echo "status $?"; } >$here/out & cat=$!
    exec 9>$here/in; printf '%s\n' "$say" >&9
    says $here/out "$want" >$here/up; exec 9>&-; wait $cat; cat $here/out
}
./$dir/fixture-sio --sio /socket.io/ --port 0 >$here/server 2>&1 & server=$!
url=http://127.0.0.1:$(says $here/server '[0-9]{2,}' | grep -oE '[0-9]{2,}' | head -1)

# lines: in full, of one event, alone
say='{"event":"echo","args":[1.50,"a\n",{"b":[null]}]}'
check "an event in full comes back" "$(talk '"echo"' $url --quiet 1)" '^\{"event":"echo","args":\[1.50,"a\\n",\{"b":\[null\]\}\]\};status 0$'
say='wor"ld'
check "a text is the argument of an event" "$(talk . $url --event echo --data --quiet 1)" '^wor"ld;status 0$'
say='[1, 2]'
check "JSON is the argument of an event" "$(talk . $url --event echo --json --data --quiet 1)" '^\[1,2\];status 0$'
say='{"event":"many","args":[3]}
{"event":"echo","args":["x"]}'
check "one event is printed" "$(talk '"x"' $url --on echo --quiet 1)" '^\{"event":"echo","args":\["x"\]\};status 0$'
# acknowledgements: by a name of the line's, by its number, with none
check "an acknowledgement has the line's name, and is waited for" "$(echo '{"event":"slow-ack","args":[1500,"late"],"ack":{"k":1}}' | cat_ $url --quiet 1)" '^\{"ack":\{"k":1\},"args":\["late"\]\};status 0$'
check "each line is acknowledged" "$(printf 'a\nb\n' | cat_ $url --event echo --ack --quiet 1)" '^\{"ack":1,"args":\["a"\]\};\{"ack":2,"args":\["b"\]\};status 0$'
check "an acknowledgement alone" "$(echo a | cat_ $url --event echo --ack --data --quiet 1)" '^a;status 0$'
check "an acknowledgement that does not come" "$(echo '{"event":"nobody","ack":"x"}' | cat_ $url --answer 100 --quiet 1)" '^\{"ack":"x","error":"operation has timed out"\};status 1$'
say='{"event":"ask","args":["q",7]}'
rm -f $here/in; mkfifo $here/in; : >$here/out
{ ./build/wshub-cat $url --socketio --quiet 1 <$here/in; echo "status $?"; } >$here/out 2>&1 & cat=$!
exec 9>$here/in; echo '{"event":"ask","args":["q",7]}' >&9
id=$(says $here/out '"id":' | sed -n 's/.*"id":\([0-9]*\).*/\1/p'); echo '{"id":'"$id"',"args":["r",{"$bin":"00"}]}' >&9
says $here/out '"asked"' >$here/up; echo '{"id":'"$id"',"args":[]}' >&9; exec 9>&-; wait $cat
check "the server's question is answered, once" "$(cat $here/out)" '^\{"event":"q","args":\[7\],"id":[0-9]+\};\{"event":"asked","args":\["r",\{"\$bin":"00"\}\]\};wshub-cat: a line is not sent: [^;]* is gone[^;]*;status 1$'
# bytes, and objects that look like them, byte for byte
{ printf '{"event":"echo","args":[{"$bin":"%s"},{"a":[{"$bin":""}]},{"$$bin":"00"},{"$$$bin":{"$$bin":1,"x":2}}]}\n' "$(head -c 3000 /dev/urandom | od -An -v -tx1 | tr -d ' \n')"
    echo '{"event":"echo","args":[{"$$bin":"ff"}]}'; } >$here/said
say=$(cat $here/said); talk '"ff"' $url --quiet 1 >$here/back; echo 'status 0' >>$here/said
check "bytes come back byte for byte" "$(cmp $here/said $here/back 2>&1 && echo same)" '^same$'
check "an escaped dollar" "$(say='{"event":"echo","args":[{"\u0024bin":"0A"},{"\u0024$bin":1}]}'; talk echo $url --quiet 1)" '"args":\[\{"\$bin":"0a"\},\{"\$\$bin":1\}\]\};status 0$'
for bad in '{"event":"e","args":[{"$bin":"0"}]}' '{"event":"e","args":[{"$bin":"0g"}]}' '{"event":"e","args":[{"$bin":1}]}' '{"event":"e","args":[{"$bin":"00","x":1}]}' '{"event":"e","args":[{"x":1,"$bin":"00"}]}' \
    '{"event":"e","args":[{"_placeholder":true,"num":0},{"$bin":"00"}]}' '{"event":"e","args":{}}' '{"args":[]}' '{"event":"connect"}' '{' nonsense; do
    check "not sent: $bad" "$(printf '%s\n' "$bad" | cat_ $url --quiet 1)" '^wshub-cat: a line is not sent: .*;status 1$'
done
say='{"event":"transport","ack":1}'
check "polling" "$(talk '"ack"' $url --transports polling --quiet 1)" '"args":\["polling"\]'
check "no such transport" "$(cat_ $url --transports tcp </dev/null)" 'bad option or value: --transports;.*status 2$'
say=$(seq 1 3000 | sed 's/.*/{"event":"echo","args":[&,{"$bin":"00ff"}]}/')
check "many while it polls, in order" "$(printf '%s\n' "$say" >$here/said; talk '\[3000,' $url --transports polling,websocket --quiet 1 | sed '$d' | cmp - $here/said 2>&1 && echo same)" '^same$'
# namespaces, auth, query
say='{"event":"whoami","ack":1}'
check "auth and query" "$(talk '"ack"' $url --auth '{"token":"a b"}' --query x=1 --quiet 1)" '"auth":\{"token":"a b"\},"query":\{.*"x":"1"'
check "a namespace" "$(talk '"ack"' $url --namespace custom --token t --quiet 1)" '"auth":\{"token":"t"\}'
check "a namespace that refuses" "$(cat_ $url --namespace /no </dev/null)" '^wshub-cat: refused: Auth failed \(custom namespace\);status 4$'
check "why a namespace refuses" "$(cat_ $url --namespace /mw --auth '{"data":1}' </dev/null)" '^wshub-cat: refused: not authorized \{"code":7\};status 4$'
check "no such namespace" "$(cat_ $url --namespace /nowhere </dev/null)" 'refused: Invalid namespace;status 4$'
# ends
check "no such mount" "$(cat_ $url --path /nope </dev/null)" 'no connection: .*;status 4$'
check "nobody is there" "$(cat_ http://127.0.0.1:1 </dev/null)" 'Connection refused.*;status 3$'
check "no URL of a server" "$(cat_ $url/x </dev/null)" 'wshub-cat: ws.url: .*;status 2$'
check "options of the others" "$(./build/wshub-cat ws://127.0.0.1:1/ --ack 2>&1 </dev/null; echo $?; cat_ $url --raw </dev/null)" 'are for --socketio;.*2;.*are not for --socketio.*status 2$'
holds() { # what it says to a server that ends it while its input is open, options
    rm -f $here/in; mkfifo $here/in; say=$1; shift
    { ./build/wshub-cat "$@" --socketio <$here/in 2>&1; echo "status $?"; } >$here/out & cat=$!
    exec 9>$here/in; printf '%s\n' "$say" >&9; says $here/out '^status' >$here/up; exec 9>&-; wait $cat; cat $here/out
}
check "the server's disconnect ends it while its input is open" "$(holds '{"event":"bye"}' $url)" '^status 0$'
check "the server's hard disconnect too" "$(holds '{"event":"bye-hard"}' $url)" '^status 0$'
check "what was asked is not acknowledged then" "$(holds '{"event":"bye","ack":9}' $url)" '^\{"ack":9,"error":"socket has been disconnected"\};status 1$'
check "a lost connection" "$(holds '{"event":"drop"}' $url)" '^wshub-cat: lost: transport close;status 5$'
rm -f $here/in; mkfifo $here/in; : >$here/out
{ ./build/wshub-cat $url --socketio --reconnect --quiet 1 <$here/in; echo "status $?"; } >$here/out 2>&1 & cat=$!
exec 9>$here/in; echo '{"event":"drop","ack":1}' >&9; says $here/out disconnected >$here/up
echo '{"event":"echo","args":["again"]}' >&9; says $here/out again >$here/up; exec 9>&-; wait $cat
check "it comes back" "$(cat $here/out)" '^\{"ack":1,"error":"socket has been disconnected"\};\{"event":"echo","args":\["again"\]\};status 1$'

# load: what comes back by an event, by acknowledgements, in rooms; what does not
bench() { ./build/wshub-bench "$@" --socketio 2>&1; echo "status $?"; }
check "bench counts what comes back" "$(bench $url --clients 5 --rate 10 --seconds 1 --quiet 30000 --json)" '"clients":5,"failed":0,"lost":0,"sent":50,"refused":0,"expected":50,"heard":50,"missing":0,.*"latency":\{"p50":[0-9.]+,.*status 0$'
check "bench counts acknowledgements" "$(bench $url --clients 500 --ramp 5000 --rate 1 --seconds 1 --quiet 30000 --ack --namespace custom --token t)" '^clients +500, 0 failed, 0 lost;messages +500 sent .*, 500 heard .* 0 missing, 0 not taken;.*status 0$'
check "bench polls" "$(bench $url --clients 2 --rate 5 --seconds 1 --quiet 30000 --transports polling)" '10 heard .* 0 missing, 0 not taken;.*status 0$'
check "bench counts rooms" "$(bench $url --clients 5 --rate 4 --seconds 1 --quiet 30000 --rooms 2 --join join --event send --data '[{"rooms":"%r"},"b",{"t":%t}]' --on b)" '^clients +5, 0 failed, 0 lost;messages +20 sent .*, 52 heard .* 0 missing.*status 0$'
check "bench misses what does not come" "$(bench $url --clients 2 --rate 5 --on nothing --quiet 100 --seconds 1)" '10 sent .* 0 heard .* 10 missing.*status 1$'
check "bench is refused" "$(bench $url --namespace no --clients 2)" 'Auth failed.*2 failed.*status 3$'
check "bench finds nobody" "$(bench http://127.0.0.1:1 --clients 2)" 'Connection refused.*2 failed.*status 3$'
check "bench wants a list" "$(bench $url --data 1)" 'no list of arguments.*status 2$'
check "bench wants a way into rooms" "$(bench $url --rooms 2)" '--rooms needs --join.*status 2$'

if command -v node >/dev/null && [ -d "${ORACLE_MODULES:-build/node/node_modules}/socket.io" ]; then
    node tests/socketio_client.mjs >$here/peer & peer=$!
    url=http://127.0.0.1:$(says $here/peer '[0-9]{2,}')
    say='{"event":"echo","args":[1,{"b":[{"$bin":"00ff"}]},{"$$bin":2}],"ack":"k"}'
    check "npm's server acknowledges" "$(talk '"ack"' $url --on none --quiet 1)" '^\{"ack":"k","args":\[1,\{"b":\[\{"\$bin":"00ff"\}\]\},\{"\$\$bin":2\}\]\};status 0$'
    check "npm's server refuses" "$(cat_ $url --namespace no </dev/null)" 'refused: not authorized \{"code":7\};status 4$'
    check "npm's server disconnects" "$(holds '{"event":"bye"}' $url --on none)" '^status 0$'
else
    echo "  skipped socketio_tools against npm's server: node or the npm package socket.io is not installed"; skipped=$((skipped + 1))
fi
echo "socketio_tools: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
