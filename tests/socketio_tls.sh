#!/bin/sh
# The server of Socket.IO (tests/fixture_sio.c) on a port of TLS, with the client from npm over https and wss. Needs node, the
# npm package socket.io-client (CI installs it), and a library of TLS. sh tests/socketio_tls.sh [folder of the fixture]
skip() { echo "  skipped socketio_tls: $1"; echo "socketio_tls: 0 passed, 0 failed, 1 skipped"; exit 0; }
dir=${1:-build/check}
fixture=$dir/fixture-sio
command -v node >/dev/null || skip "node is not installed"
[ -d "${ORACLE_MODULES:-build/node/node_modules}/socket.io-client" ] || skip "socket.io-client is not there (npm install --prefix build/node socket.io-client)"
make -s $fixture || { echo "socketio_tls: 0 passed, 1 failed, 0 skipped"; exit 1; }
./$fixture --tls-cert x --tls-key x 2>&1 | grep -q 'not built in' && skip "neither OpenSSL nor mbedTLS is installed"
timeout 900 node tests/socketio_tls.mjs $fixture
