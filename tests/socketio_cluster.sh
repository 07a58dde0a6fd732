#!/bin/sh
# Servers of this library and of Node's in one cluster. Needs redis-server, node, and the npm packages socket.io, socket.io-client,
# ioredis, @socket.io/redis-adapter and @socket.io/redis-emitter (CI installs them). Beside each other, as they wait more than they
# work, each on brokers of its own: the classic adapter over one Redis, with many messages; the sharded one over one Redis, and over
# a Redis Cluster of three nodes. CYCLES (100 in all) of a Redis that goes away; ADAPTER=classic or a mode of the other, NODES: one run
# of those alone, with MESSAGES and ROUNDS for a longer campaign; LIMIT (1800): seconds of each run.
skip() { echo "  skipped the_mixed_cluster: $1"; echo "socketio_cluster: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v redis-server >/dev/null || skip "redis-server is not installed"
command -v node >/dev/null || skip "node is not installed"
for package in socket.io socket.io-client ioredis @socket.io/redis-adapter @socket.io/redis-emitter; do
    [ -d "${ORACLE_MODULES:-build/node/node_modules}/$package" ] || skip "$package is not there (npm install --prefix build/node $package)"
done
dir=build/check
[ -x $dir/fixture-sio ] && [ -x $dir/fixture-sio-emitter ] || dir=build
[ -x $dir/fixture-sio ] && [ -x $dir/fixture-sio-emitter ] || skip "fixture-sio and fixture-sio-emitter are not built (make build/fixture-sio build/fixture-sio-emitter)"
# One of ours speaks to Redis through hiredis, where the fixture has that: with the classic adapter, as that has no sharded channels.
ldd $dir/fixture-sio 2>/dev/null | grep -q hiredis && export HIREDIS="${HIREDIS-C2}"
play() { timeout "${LIMIT:-1800}" node tests/socketio_cluster.mjs $dir/fixture-sio $dir/fixture-sio-emitter; }
if [ -n "${ADAPTER:-}${NODES:-}" ]; then play; exit; fi

all=${CYCLES:-100}
told=$(mktemp -d "${TMPDIR:-/tmp}/wshub-cluster.XXXXXX") || exit 1
trap 'rm -rf "$told"' EXIT
{ CYCLES=$((all - 2 * (all * 3 / 10))) play >"$told/1" 2>&1; echo $? >"$told/1.status"; } &
{ ADAPTER=dynamic MESSAGES=1000 CYCLES=$((all * 3 / 10)) play >"$told/2" 2>&1; echo $? >"$told/2.status"; } &
{ ADAPTER=dynamic NODES=3 MESSAGES=1000 CYCLES=$((all * 3 / 10)) play >"$told/3" 2>&1; echo $? >"$told/3.status"; } &
wait
status=0
for run in 1 2 3; do
    cat "$told/$run"
    [ "$(cat "$told/$run.status")" -eq 0 ] || status=1
    grep -q ' passed, ' "$told/$run" || { echo "FAIL run $run did not end within its time"; echo "socketio_cluster: 0 passed, 1 failed, 0 skipped"; status=1; }
done
awk '/ passed, / { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^failed/) f += $(i - 1) } }
    END { printf "socketio_cluster in all: %d passed, %d failed, 0 skipped\n", p, f }' "$told/1" "$told/2" "$told/3"
exit $status
