#!/bin/sh
# Whether the rooms of wshub.h call only the rooms above them, as the compiler sees it (tests/rooms.mjs). Needs clang and node.
# --calls: who calls whom; --lines: each call against the order; --rooms: lines and functions of each room (ROOMS=--calls make
# rooms).
if ! command -v clang >/dev/null || ! command -v node >/dev/null; then
    echo "  skipped rooms: needs clang and node"; echo "rooms: 0 passed, 0 failed, 1 skipped"; exit 0
fi
dir=build/rooms; mkdir -p $dir
printf '#define WSHUB_IMPLEMENTATION\n#define WSHUB_SELF_CHECK\n#include "wshub.h"\n' >$dir/all.c
# not out of a cache of compilations, which would give the lines of a file that differed in comments
CCACHE_DISABLE=1 clang -std=c99 -I. -fsyntax-only -Xclang -ast-dump=json $dir/all.c >$dir/all.json || exit 1
node tests/rooms.mjs $dir/all.json wshub.h "$@"
status=$?
rm -f $dir/all.json
exit $status
