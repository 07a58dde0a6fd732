#!/bin/sh
# Node's client of WebSockets (npm's ws) with permessage-deflate in every combination of its parameters, against the fixture's
# server with and without --deflate-takeover (tests/deflate.mjs). Needs node, ws and zlib.
skip() { echo "  skipped deflate: $1"; echo "deflate: 0 passed, 0 failed, 1 skipped"; exit 0; }
command -v node >/dev/null || skip "node is not installed"
[ -d build/node/node_modules/ws ] || skip "ws is not there (npm install --prefix build/node ws)"
server=build/check/fixture-server; [ -x $server ] || server=build/fixture-server
[ -x $server ] || make -s build/fixture-server || exit 1
$server --deflate --port 99999 2>&1 | grep -q 'not built in' && skip "zlib is not installed"
timeout 900 node tests/deflate.mjs "$server"
