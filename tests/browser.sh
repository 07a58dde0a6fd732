#!/bin/sh
# Two browsers in the chat. Needs chromium, node and the npm package playwright-core (CI installs them).
skip() { echo "  skipped two_browsers_in_the_chat: $1"; echo "browser: 0 passed, 0 failed, 1 skipped"; exit 0; }
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "chromium is not installed"
command -v node >/dev/null || skip "node is not installed"
[ -d build/node/node_modules/playwright-core ] || skip "playwright-core is not there (npm install --prefix build/node playwright-core)"
timeout 900 node tests/browser.mjs "${TEST_PORT:-18473}" "$chromium"
