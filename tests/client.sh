#!/bin/sh
# The client as programs, against a hub and against the npm package ws: wshub-cat with its exit statuses, and the fixture's
# client. sh tests/client.sh [folder of the fixtures]
. tests/talk.sh
dir=$1; passed=0; failed=0; skipped=0
[ -n "$dir" ] || { dir=build; [ -x build/check/fixture-client ] && dir=build/check; }
make -s build/wshub-cat build/wshub-bench $dir/fixture-client $dir/fixture-server || { echo "client: 0 passed, 1 failed, 0 skipped"; exit 1; }
export WSHUB_LOG=off
mkdir -p build
./$dir/fixture-server --port 0 >build/client_hub.out 2>&1 & hub=$!
trap 'kill $hub $peer $tls $proxy 2>/dev/null' EXIT
check() { # what, seen, expected (a pattern of egrep, all lines joined by `;`)
    seen=$(printf '%s' "$2" | tr '\n' ';')
    if case $seen in *'waited in vain'*) false ;; *) true ;; esac && printf '%s' "$seen" | grep -qE -- "$3"; then passed=$((passed + 1)); else
        failed=$((failed + 1)); printf 'FAIL client: %s\n  expected %s\n  seen     %s\n    alone: sh tests/client.sh\n' "$1" "$3" "$2"; fi
}
cat_() { ./build/wshub-cat "$@" 2>&1; echo "status $?"; }
cat_talk() { steps=$1; shift; talk "$steps" ./build/wshub-cat "$@" --quiet 100; } # steps, URL, options; what is awaited has come before the quiet time
port=$(port_of build/client_hub.out); ws=ws://127.0.0.1:$port/ws

check "cat sends and prints data" "$(cat_talk '> hello
> wor"ld
< ^wor"ld$' $ws --token user:u1 --event echo --on echo --data)" '^hello;wor"ld;status 0$'
check "cat keeps numbers as they are" "$(cat_talk '> {"event":"echo","data":[1.50]}
< "echo"' $ws --token user:u1 --join room-a --on echo)" '^\{"event":"echo","data":\[1.50\]\};status 0$'
cat >build/client_forge.in <<'END'
{"text":"{\"event\":\"authenticate\",\"data\":{\"type\":\"Bearer\",\"token\":\"user:u2\"}}"}
{"text":"{\"event\":\"to-room\",\"data\":{\"room\":\"public-l\",\"event\":\"b\",\"data\":[\n{\"event\":\"forged\"}\r\n]}}"}
END
for data in '' --data; do # what others say cannot look like a line of ours
    check "cat prints an event on one line $data" "$(cat_talk "> {\"event\":\"echo\",\"data\":1}
< 1
? ./build/wshub-cat $ws --exact --quiet 100 <build/client_forge.in
< forged" $ws --token user:u1 --join public-l $data)" '[:;]\[ \{"event":"forged"\}  \]\}?;status 0$'
done
check "cat is refused" "$(echo '{"event":"x"}' | cat_ $ws --token reject)" 'refused: Authentication failed;status 4$'
check "cat says what is no message" "$(echo nonsense | cat_ $ws --token user:u1 --on none --quiet 100)" 'not JSON;status 1$'
for bad in '\t5' 'a\u0000' 0x '+1' 5; do check "cat takes no hex that is none: $bad" "$(printf '%s\n' "{\"hex\":\"$bad\"}" | cat_ $ws --exact --quiet 100)" 'not JSON;status 1$'; done
check "cat finds no WebSocket" "$(echo x | cat_ ws://127.0.0.1:$port/nope --raw)" 'answers 404;status 4$'
check "cat finds nobody" "$(cat_ ws://127.0.0.1:1/ --raw </dev/null)" 'Connection refused;status 3$'
check "cat has no input" "$(cat_ $ws --token user:u1 --on none --quiet 100 <&-)" '^status 0$'
check "cat cannot read its input" "$(cat_ $ws --token user:u1 --on none --quiet 100 </)" 'input cannot be read: .*status 1$'
hears() { { echo '{"event":"echo","data":1}' | ./build/wshub-cat $ws --token user:u1 --on echo; echo "status $?" >&2; } 2>&1 >"$1"; } # where it prints to
[ ! -w /dev/full ] || check "cat cannot print" "$(hears /dev/full)" 'cannot write: .*status 1$'
[ ! -w /dev/full ] || check "cat can neither print nor say so" "$({ { trap '' PIPE; while echo; do sleep 0.1; done 2>/dev/null; { echo '{"event":"echo","data":1}' | ./build/wshub-cat $ws --token user:u1 --on echo; echo "status $?" >&3; } 2>&1 >/dev/full; } | true; } 3>&1)" '^status 1$'
check "cat has nowhere to print" "$({ echo '{"event":"echo","data":1}' | ./build/wshub-cat $ws --token user:u1 --on echo >&-; echo "status $?"; } 2>&1)" 'cannot write: .*status 1$'
check "cat prints to who has heard enough" "$({ echo '{"event":"echo","data":1}' | { ./build/wshub-cat $ws --token user:u1 --on echo; echo "status $?" >&2; } | true; } 2>&1)" '^status 0$'
check "cat wants a URL" "$(cat_ http://x </dev/null)" 'url: .*status 2$'

# --quiet, where all comes back: it ends before
bench() { ./build/wshub-bench "$@" 2>&1; echo "status $?"; }
check "bench counts what comes back" "$(bench $ws --token user:u1 --clients 10 --rate 20 --seconds 1 --quiet 60000 --json)" '"clients":10,"failed":0,"lost":0,"sent":200,"refused":0,"expected":200,"heard":200,"missing":0,.*"latency":\{"p50":[0-9.]+,.*status 0$'
check "bench counts rooms" "$(bench $ws --token user:u1 --clients 9 --rate 5 --rooms 2 --room public- --event to-room --on b --data '{"room":"%r","event":"b","data":{"t":%t,"p":"%p"}}' --seconds 1 --quiet 60000)" '^clients +9, 0 failed, 0 lost;messages +45 sent .*, 205 heard .* 0 missing, 0 not taken;.*itself +[0-9]+ % of a CPU.*status 0$'
check "bench misses what does not come" "$(bench $ws --token user:u1 --clients 2 --rate 5 --on nothing --quiet 100 --seconds 1)" '10 sent .* 0 heard .* 10 missing.*status 1$'
check "bench finds nobody" "$(bench ws://127.0.0.1:1/ --seconds 1)" 'Connection refused;.*10 failed.*status 3$'
benches() { ./build/wshub-bench $ws --token user:u1 --clients 1 --rate 5 --seconds 1 --quiet 60000; echo "status $?" >&2; } # where it prints to
[ ! -w /dev/full ] || check "bench cannot print" "$(benches 2>&1 >/dev/full)" 'cannot write: .*status 1$'
check "bench has nowhere to print" "$({ ./build/wshub-bench $ws --token user:u1 --clients 1 --rate 5 --seconds 1 --quiet 60000 >&-; echo "status $?"; } 2>&1)" 'cannot write: .*status 1$'
check "bench prints to who reads no more" "$({ { trap '' PIPE; while echo; do sleep 0.1; done 2>/dev/null; benches; } | true; } 2>&1)" '^status 1$'
check "bench has nowhere to complain, and nothing to read" "$({ ./build/wshub-bench $ws --token user:u1 --clients 1 --rate 5 --seconds 1 --quiet 60000 <&- 2>&-; echo "status $?"; })" ' 5 heard .* 0 missing.*status 0$'
check "bench wants a number" "$(bench $ws --clients 0)" 'bad option or value.*status 2$'
for tool in wshub-cat wshub-bench; do # each option is in the page and the completion, and nothing else is
    said=$(./build/$tool --help 2>&1 | grep -oE -- '--[a-z]+' | grep -vx -- --help | sort -u | xargs)
    check "the page of $tool" "$(grep '^.B' examples/man/$tool.1 | sed 's/\\-/-/g' | grep -oE -- '--[a-z]+' | sort -u | xargs)" "^$said\$"
    check "the completion of $tool" "$(bash -c '. examples/man/wshub-cat.bash; COMP_WORDS=('$tool' --); COMP_CWORD=1; _wshub_tools; printf "%s\n" "${COMPREPLY[@]}"' | grep -vx -- --help | sort -u | xargs)" "^$said\$"
done

client() { steps=$1; shift; talk "$steps" ./$dir/fixture-client --close-timeout 60000 "$@"; } # steps, options
seen=$(client '> {"do":"subscribe","event":"echo"}
> {"do":"emit","event":"echo","args":[1e2]}
> {"do":"state"}
> {"do":"connect"}
< "event":"echo","args"
> {"do":"drop"}
< "on":"authenticated"
> {"do":"state"}
< "state":"authenticated"
> x
< "on":"error"' --no-connect --url $ws --auth '{"type":"Bearer","token":"user:u1"}' --auto-auth --reconnect-delay 100)
check "the fixture's client keeps, authenticates, comes back" "$seen" '"state":"unauthorized","id":null,"buffered":1\};\{"on":"ok","do":"connect"\};\{"on":"connect","address":"127.0.0.1"\};\{"on":"authenticated","id":"[-0-9a-f]{36}"\};\{"on":"event","event":"echo","args":\[1e2\]\};\{"on":"ok","do":"drop"\};\{"on":"disconnect","code":1006\};\{"on":"reconnecting","attempt":1,"delay":[0-9]+\};\{"on":"connect".*"authenticated".*"state":"authenticated","id":null,"buffered":0\};\{"on":"error","do":null,"message":"[^"]*"\};\{"on":"disconnect","code":1000\};status 0$'
check "a name without an address" "$(client '< connect_error' --url ws://a.test/ --resolve a.test= --no-reconnect)" '^\{"on":"connect_error","kind":"resolve","message":"[^"]*"\};status 0$'
check "the second address is taken" "$(client '< "connect"' --plain --url ws://a.test:$port/ws --resolve a.test=127.0.0.9,127.0.0.1 --resolve-delay 50)" '"address":"127.0.0.1"\};\{"on":"disconnect","code":1000\};status 0$'

# TLS and compression, as far as they are built in
pem() { sed -n "/tls_$1\\[\\]/,/;\$/p" tests/tls_certs.h | sed -n 's/^ *"\(.*\)\\n".*/\1/p' >build/client_$1.pem; }
for name in root_cert server_cert server_key self_cert self_key; do pem $name; done
if ./$dir/fixture-client --tls-insecure 2>&1 | grep -q 'not built in'; then echo "  skipped wss: no library of TLS"; skipped=$((skipped + 1)); else
    serve() { ./$dir/fixture-server --port 0 "$@" >build/client_tls.out 2>&1 & tls=$!; wss=wss://localhost:$(port_of build/client_tls.out)/ws; }
    serve --tls-cert build/client_server_cert.pem --tls-key build/client_server_key.pem --deflate --deflate-threshold 0
    hello='> hello
< ^hello$'
    check "cat over TLS" "$(cat_talk "$hello" $wss --cacert build/client_root_cert.pem --token user:u1 --event echo --on echo --data)" '^hello;status 0$'
    check "cat trusts nobody" "$(echo hello | cat_ $wss --cacert build/client_self_cert.pem)" 'certificate leads to nobody.*status 3$'
    check "cat says loudly that it believes anybody" "$(cat_talk "$hello" $wss --insecure --token user:u1 --event echo --on echo --data)" '^wshub-cat: WARNING: .*hello;status 0$'
    if command -v node >/dev/null; then # by CONNECT: what the proxy is asked for, and by whom, is all that it sees
        node tests/connect_proxy.mjs >build/client_proxy.out 2>build/client_proxy.err & proxy=$!
        via=127.0.0.1:$(port_of build/client_proxy.out)
        check "cat over TLS through a proxy" "$(cat_talk "$hello" $wss --proxy http://user:p%40ss@$via --cacert build/client_root_cert.pem --token user:u1 --event echo --on echo --data)" '^hello;status 0$'
        check "the proxy was asked" "$(cat build/client_proxy.err)" '^localhost host proxy-authorization$'
        check "cat is not believed by the proxy" "$(cat_ $wss --proxy http://$via --cacert build/client_root_cert.pem </dev/null)" 'the proxy answers 407 and asks for Basic realm="tests";status 3$'
        check "cat trusts nobody behind the proxy" "$(cat_ $wss --proxy http://user:p%40ss@$via --cacert build/client_self_cert.pem </dev/null)" 'certificate leads to nobody.*status 3$'
        check "cat in the clear through a proxy" "$(cat_talk "$hello" $ws --proxy http://user:p%40ss@$via --token user:u1 --event echo --on echo --data)" '^hello;status 0$'
        check "cat finds no proxy" "$(cat_ $wss --proxy http://127.0.0.1:1 --cacert build/client_root_cert.pem </dev/null)" 'Connection refused;status 3$'
        kill $proxy
    else echo "  skipped a proxy: no node"; skipped=$((skipped + 1)); fi
    check "cat finds no roots" "$(cat_ $wss --cacert no/such </dev/null)" 'TLS: .*no/such.*status 2$'
    check "the fixture's client over TLS" "$(client '> {"do":"subscribe","event":"echo"}
> {"do":"emit","event":"echo","args":["a"]}
< "args"' --url $wss --auth '{"type":"Bearer","token":"user:u1"}' --auto-auth --tls-ca build/client_root_cert.pem --resolve localhost=127.0.0.1)" '"connect","address":"127.0.0.1"\}.*"args":\["a"\].*"code":1000\};status 0$'
    check "a certificate of another host" "$(client '< connect_error' --url $(echo $wss | sed s/localhost/other.test/) --resolve other.test=127.0.0.1 --tls-ca build/client_root_cert.pem)" '^\{"on":"connect_error","kind":"certificate","message":"[^"]*"\};status 0$'
    check "no TLS there" "$(client '< connect_error' --url wss://127.0.0.1:$port/ --tls-insecure --no-reconnect)" '^\{"on":"connect_error","kind":"tls","message":"[^"]*"\};status 0$'
    kill $tls
fi
if ./$dir/fixture-client --deflate 2>&1 | grep -q 'not built in'; then echo "  skipped compression: no zlib"; skipped=$((skipped + 1)); else
    ./$dir/fixture-server --port 0 --deflate --deflate-threshold 0 --deflate-takeover >build/client_deflate.out 2>&1 & tls=$!
    wsd=ws://127.0.0.1:$(port_of build/client_deflate.out)/ws
    long=$(head -c 3000 /dev/zero | tr '\0' x)
    check "the fixture's client compresses" "$(client '> {"do":"subscribe","event":"*"}
> {"do":"emit","event":"echo","args":["'$long'"]}
> {"do":"emit","event":"deflate"}
< "event":"deflate"' --url $wsd --auth '{"type":"Bearer","token":"user:u1"}' --auto-auth --deflate | cut -c1-160)" '"connect","deflate":true.*"event":"echo","args":\["xxx.*"event":"deflate".*"inflated":[1-9]'
    check "cat compresses" "$(cat_talk "> $long
< ^x" $wsd --token user:u1 --event echo --on echo --data --deflate)" "^$long;status 0\$"
    kill $tls
fi

if [ -d "${ORACLE_MODULES:-build/node/node_modules}/ws" ]; then
    node tests/client_peer.mjs >build/client_peer.out & peer=$!
    ws=ws://127.0.0.1:$(port_of build/client_peer.out)
    # no clock ends these: the peer closes behind the last line, and what is cut off differs
    back() { # the last line, options: what build/client_in has comes back, and the last line
        { cat build/client_in; echo "$1"; } >build/client_said; shift
        ./build/wshub-cat $ws/until --quiet 60000 "$@" <build/client_said >build/client_out
        echo "$? $(cmp build/client_said build/client_out 2>&1)"
    }
    # a character of four bytes lies across each 65,536th byte that is read
    { head -c 65534 /dev/zero | tr '\0' x; printf '\360\237\230\200'; head -c 65532 /dev/zero | tr '\0' x; printf '\360\237\230\200\n'; head -c 300000 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; echo; seq 1 5000; } >build/client_in
    check "long lines and many come back" "$(back bye --raw)" '^0 $'
    { head -c 3000 /dev/urandom | od -An -v -tx1 | tr -d ' \n' | sed 's/.*/{"hex":"&"}/'; echo; printf '%s\n' '{"text":"a\nb"}'; } >build/client_in
    check "byte for byte" "$(back '{"text":"bye"}' --exact)" '^0 $'
    if [ -n "$wsd" ]; then # what zlib was built in for
        { head -c 4000 /dev/zero | tr '\0' y | sed 's/.*/{"text":"&"}/'; echo; } >>build/client_in
        check "byte for byte, compressed both ways" "$(back '{"text":"bye"}' --exact --deflate)" '^0 $'
    fi
    # their input is open until they have ended
    check "a Close ends it while its input is open" "$(talk '< ^status' ./build/wshub-cat $ws/close --raw)" '^status 0$'
    check "another code" "$(talk '< ^status' ./build/wshub-cat $ws/odd --raw)" 'status 6$'
    check "a lost line" "$(talk '< ^status' ./build/wshub-cat $ws/cut --raw)" 'lost: .*status 5$'
    check "pings are answered" "$(cat_talk '< ^pong$' $ws/ping --raw)" '^pong;status 0$'
    check "cat does not wait for ever for who knows no hub" "$(echo '{"event":"x"}' | cat_ $ws/ --timeout 1000)" 'refused: it does not authenticate.*status 4$'
    check "bench does not, either" "$(bench $ws/ --clients 2 --timeout 1000)" 'it is connected and not let in;.*2 failed.*status 3$'
    # messages are further apart than what is missing is waited for, which counts from the last one on
    check "bench waits for the last answer" "$(bench $ws/late --raw --clients 1 --rate 0.25 --seconds 8 --quiet 3000)" ' 2 heard .* 0 missing.*status 0$'
    seen=$(client '< "on":"connect"
> {"do":"send","hex":"00ff"}
< "on":"message"
> {"do":"ping","hex":"0a"}
< "on":"pong"
> {"do":"close","code":4000,"text":"b"}
< "on":"disconnect"' --url $ws/ --plain)
    check "the fixture's plain client" "$seen" '"do":"send"\};\{"on":"message","hex":"00ff"\};\{"on":"ok","do":"ping"\};\{"on":"pong","hex":"0a"\};\{"on":"ok","do":"close"\};\{"on":"disconnect","code":4000\};status 0$'
else
    echo "  skipped client against ws: the npm package ws is not installed"; skipped=$((skipped + 1))
fi
echo "client: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
