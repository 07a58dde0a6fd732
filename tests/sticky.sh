#!/bin/sh
# Several servers of Socket.IO behind nginx and haproxy, as the manual of backends/wshub_dialect_engineio.h has them
# (tests/sticky.mjs). What is not installed is skipped aloud.
dir=${1:-build}
skip() { echo "  skipped sticky: $1"; echo "sticky: 0 passed, 0 failed, 1 skipped"; exit 0; }
[ -x "$dir/fixture-sio" ] || skip "$dir/fixture-sio is not built"
[ -x "$dir/fixture-sio-client" ] || skip "$dir/fixture-sio-client is not built"
command -v node >/dev/null || skip "node is not installed"
[ -d build/node/node_modules/socket.io-client ] || skip "socket.io-client is not there (npm install --prefix build/node socket.io-client)"
[ "$(uname)" = Linux ] || skip "it needs further loopback addresses"
PATH=$PATH:/usr/sbin:/usr/local/sbin timeout 900 node tests/sticky.mjs "$dir"
