#!/bin/sh
# The flow of Socket.IO (tests/fixture_sio.c, --sio-helper) with the client from npm. Needs node and the npm package
# socket.io-client (CI installs it).
skip() { echo "  skipped the_flow_with_real_clients: $1"; echo "socketio_flow: 0 passed, 0 failed, 1 skipped"; exit 0; }
fixture=build/check/fixture-sio
[ -x $fixture ] || fixture=build/fixture-sio
[ -x $fixture ] || skip "$fixture is not built"
command -v node >/dev/null || skip "node is not installed"
[ -d build/node/node_modules/socket.io-client ] || skip "socket.io-client is not there (npm install --prefix build/node socket.io-client)"
timeout 900 node tests/socketio_flow.mjs $fixture
