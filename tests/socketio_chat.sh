#!/bin/sh
# The chat of Socket.IO: its client from npm, and two windows of the page. Needs node and the npm package socket.io-client; the
# windows also chromium and playwright-core (CI installs them).
skip() { echo "  skipped $1: $2"; }
none() { skip clients_of_the_socketio_chat "$1"; echo "socketio_chat: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v node >/dev/null || none "node is not installed"
[ -d build/node/node_modules/socket.io-client ] || none "socket.io-client is not there (npm install --prefix build/node socket.io-client)"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$chromium" ] || [ ! -d build/node/node_modules/playwright-core ]; then
    skip two_windows_of_the_socketio_chat "chromium or playwright-core is not there (npm install --prefix build/node playwright-core)"
    chromium=
fi
timeout 900 node tests/socketio_chat.mjs "${TEST_PORT:-18452}" ${chromium:+"$chromium"}
