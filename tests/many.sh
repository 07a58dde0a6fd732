#!/bin/sh
# Thousands of clients in one process, over real sockets, of a server in another one: of Socket.IO by a WebSocket and by
# polling, and of a hub. Each connects, is heard and answered, and none is lost. sh tests/many.sh [clients]
many=${1:-10000}; passed=0; failed=0
make -s build/wshub-bench build/fixture-sio || { echo "many: 0 passed, 1 failed, 0 skipped"; exit 1; }
here=build/many; rm -rf $here; mkdir -p $here
# A stream at each end; polling keeps two at a time.
ulimit -n "$(ulimit -H -n)" 2>/dev/null
most=$(($(ulimit -n) - 100))
trap 'kill $server 2>/dev/null' EXIT; trap 'exit 1' TERM INT
WSHUB_LOG=off ./build/fixture-sio --sio /socket.io/ --path /ws --port 0 >$here/server 2>&1 & server=$!
n=0; while [ $n -lt 300 ] && ! grep -qE '[0-9]{2,}' $here/server; do n=$((n + 1)); sleep 0.1; done
port=$(grep -oE '[0-9]{2,}' $here/server | head -1)
# what, how many, pattern of what is printed, options
load() {
    what=$1; count=$2; [ $count -le $most ] || count=$most; shift 2
    said=$(./build/wshub-bench "$@" --clients $count --ramp 2000 --rate 0.2 --seconds 5 --quiet 30000 --json)
    if echo "$said" | grep -q '"clients":'$count',"failed":0,"lost":0,.*"missing":0,'; then
        passed=$((passed + 1)); echo "  $what: $said"
    else
        failed=$((failed + 1)); printf 'FAIL many: %s\n  expected %s clients, none failed, lost or missing\n  seen     %s\n    alone: sh tests/many.sh %s\n' "$what" $count "$said" $many
    fi
}
load "Socket.IO over WebSockets" $many http://127.0.0.1:$port --socketio --ack
load "Socket.IO by polling" $((many / 2)) http://127.0.0.1:$port --socketio --ack --transports polling
load "a hub" $many ws://127.0.0.1:$port/ws --token user:1 --event echo
echo "many: $passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
