#!/bin/sh
# The auction: a crowd of bidders while servers and Redis come to harm, and two windows of its page. Needs node; the first
# also redis-server, the second chromium and the npm package playwright-core (CI installs them). One round of the first:
# node tests/auction.mjs broker
skip() { echo "  skipped $1: $2"; skipped=$((skipped + 1)); }
skipped=0; status=0
command -v node >/dev/null || { skip auction "node is not installed"; echo "auction: 0 passed, 0 failed, 1 skipped"; exit 0; }
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
if command -v redis-server >/dev/null; then timeout 1200 node tests/auction.mjs >>"$out" || status=1
else skip bidders_on_two_servers "redis-server is not installed"; fi
if [ -n "$chromium" ] && command -v redis-server >/dev/null && [ -d build/node/node_modules/playwright-core ]; then timeout 900 node tests/auction_page.mjs "$chromium" >>"$out" || status=1
else skip two_windows_of_the_auction "redis-server, chromium or playwright-core is not there (npm install --prefix build/node playwright-core)"; fi
grep -v ' passed, ' "$out"
sed -n 's/.* \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$out" | awk -v skipped=$skipped '{ p += $1; f += $2 } END { printf "auction: %d passed, %d failed, %d skipped\n", p, f, skipped }'
exit $status
