#!/bin/sh
# Servers of this library and of Node's on one Redis. Needs redis-server, node, and the npm packages socket.io, socket.io-client,
# ioredis, @socket.io/redis-adapter and @socket.io/redis-emitter (CI installs them). MESSAGES, CYCLES, ROUNDS: a longer campaign. First
# with the classic adapter, then, shorter, with the sharded one; ADAPTER=classic or a mode of the other: with that alone.
skip() { echo "  skipped the_mixed_cluster: $1"; echo "socketio_cluster: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v redis-server >/dev/null || skip "redis-server is not installed"
command -v node >/dev/null || skip "node is not installed"
for package in socket.io socket.io-client ioredis @socket.io/redis-adapter @socket.io/redis-emitter; do
    [ -d "${ORACLE_MODULES:-build/node/node_modules}/$package" ] || skip "$package is not there (npm install --prefix build/node $package)"
done
dir=build/check
[ -x $dir/fixture-sio ] && [ -x $dir/fixture-sio-emitter ] || dir=build
[ -x $dir/fixture-sio ] && [ -x $dir/fixture-sio-emitter ] || skip "fixture-sio and fixture-sio-emitter are not built (make build/fixture-sio build/fixture-sio-emitter)"
limit="timeout ${LIMIT:-150}"
[ -z "${ADAPTER:-}" ] || exec $limit node tests/socketio_cluster.mjs $dir/fixture-sio $dir/fixture-sio-emitter
$limit node tests/socketio_cluster.mjs $dir/fixture-sio $dir/fixture-sio-emitter || exit 1
ADAPTER=dynamic MESSAGES=1000 CYCLES=3 exec $limit node tests/socketio_cluster.mjs $dir/fixture-sio $dir/fixture-sio-emitter
