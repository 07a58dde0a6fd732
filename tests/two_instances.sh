#!/bin/sh
# Two browsers on two chats on one Redis, which is killed under them. Needs redis-server, chromium, node, playwright-core.
skip() { echo "  skipped two_chats_on_one_redis: $1"; echo "two_instances: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v redis-server >/dev/null || skip "redis-server is not installed"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "chromium is not installed"
command -v node >/dev/null || skip "node is not installed"
[ -d build/node/node_modules/playwright-core ] || skip "playwright-core is not there (npm install --prefix build/node playwright-core)"
timeout 900 node tests/two_instances.mjs "$chromium"
