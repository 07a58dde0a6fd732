#!/bin/sh
# The same streams of requests straight to a hub, and through nginx and haproxy to one, and whom a hub takes for its peer
# behind either of them (tests/proxies.mjs). What is not installed is skipped aloud. STREAMS and SEED choose the corpus;
# ONLY=behind: the latter alone.
dir=${1:-build}
for server in fixture-http fixture-behind; do
    [ -x "$dir/$server" ] || { echo "  skipped proxies: $dir/$server is not built"; echo "proxies: 0 passed, 0 failed, 1 skipped"; exit 0; }
done
command -v node >/dev/null || { echo "  skipped proxies: node is not installed"; echo "proxies: 0 passed, 0 failed, 1 skipped"; exit 0; }
# what the fixture says of itself is a fault of its; what the hub logs of bad requests is none
WSHUB_LOG=error PATH=$PATH:/usr/sbin:/usr/local/sbin timeout 900 node tests/proxies.mjs "$dir"
