#!/bin/sh
# The page of examples/both.c. Needs chromium, node and the npm packages playwright-core and socket.io-client (CI installs them).
skip() { echo "  skipped the_page_of_both: $1"; echo "socketio_both: 0 passed, 0 failed, 1 skipped"; exit 0; }
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "chromium is not installed"
command -v node >/dev/null || skip "node is not installed"
for package in playwright-core socket.io-client; do
    [ -d build/node/node_modules/$package ] || skip "$package is not there (npm install --prefix build/node $package)"
done
timeout 900 node tests/socketio_both.mjs "${TEST_PORT:-18459}" "$chromium"
