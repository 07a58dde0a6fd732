#!/bin/sh
# The same streams of requests straight to a hub, and through nginx and haproxy to one (tests/proxies.mjs). What is not
# installed is skipped aloud. STREAMS and SEED choose the corpus.
server=${1:-build/fixture-http}
[ -x "$server" ] || { echo "  skipped proxies: $server is not built"; echo "proxies: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v node >/dev/null || { echo "  skipped proxies: node is not installed"; echo "proxies: 0 passed, 0 failed, 1 skipped"; exit 0; }
# what the fixture says of itself is a fault of its; what the hub logs of bad requests is none
WSHUB_LOG=error PATH=$PATH:/usr/sbin:/usr/local/sbin timeout 300 node tests/proxies.mjs "$server"
