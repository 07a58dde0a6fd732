#!/bin/sh
# backends/SOCKETIO_REDIS.md against Node's packages, and what ours publish. Needs node and the npm packages socket.io,
# @socket.io/redis-adapter and @socket.io/redis-emitter (CI installs them).
skip() { echo "  skipped the_wire_of_the_adapters: $1"; echo "socketio_wire: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v node >/dev/null || skip "node is not installed"
for package in socket.io @socket.io/redis-adapter @socket.io/redis-emitter; do
    [ -d "${ORACLE_MODULES:-build/node/node_modules}/$package" ] || skip "$package is not there (npm install --prefix build/node $package)"
done
dir=build/check
[ -x $dir/test_sio_published ] || dir=build
[ -x $dir/test_sio_published ] || skip "test_sio_published is not built (make build/test_sio_published)"
PUBLISHED=build/published.txt $dir/test_sio_published >build/published.out || { cat build/published.out; exit 1; }
timeout 900 node tests/socketio_wire.mjs build/published.txt
