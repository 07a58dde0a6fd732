#!/bin/sh
# The servers of Socket.IO's manual, on Node and here, and that of README.md. Needs node and the npm packages socket.io and
# socket.io-client (CI installs them).
skip() { echo "  skipped the_servers_of_the_manual: $1"; echo "socketio_manual: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v node >/dev/null || skip "node is not installed"
[ -d build/node/node_modules/socket.io ] && [ -d build/node/node_modules/socket.io-client ] || skip "socket.io is not there (npm install --prefix build/node socket.io socket.io-client)"
timeout 900 node tests/socketio_manual.mjs "${TEST_PORT:-18454}"
