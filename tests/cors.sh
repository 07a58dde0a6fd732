#!/bin/sh
# What a browser makes of the headers for pages of other origins: a page of an origin that may read answers, and one of a
# stranger's. Needs chromium.
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    { echo "  skipped cors: chromium is not installed"; echo "cors: 0 passed, 0 failed, 1 skipped"; exit 0; }
make -s build/fixture-cors || { echo "cors: 0 passed, 1 failed, 0 skipped"; exit 1; }
mkdir -p build; : >build/cors.out
. tests/talk.sh
port=${TEST_PORT:-18491}; friend=$port; asked=$((port + 1)); stranger=$((port + 2)); passed=0; failed=0
./build/fixture-cors $friend $asked $stranger >build/cors.out 2>build/cors.log & pid=$!
line_of build/cors.out listening >/dev/null || { echo "FAIL cors: no server"; cat build/cors.log; }
profile=$(mktemp -d); trap 'kill $pid; rm -rf "$profile"' EXIT
seen() { # by the page of a port
    timeout 600 "$chromium" --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir="$profile" --virtual-time-budget=8000 \
        --dump-dom "http://127.0.0.1:$1/page#$asked" 2>/dev/null | sed -n 's/.*<body>\(.*\)<\/body>.*/\1/p'
}
check() { # what, seen, expected
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
        failed=$((failed + 1)); printf 'FAIL cors: %s\n  expected %s\n  seen     %s\n    alone: sh tests/cors.sh\n' "$1" "$3" "$2"; fi
}
check "a friend's page reads what it may, refusals of the hub too" "$(seen $friend)" \
    "[get 200 GET 7] [cookie 200 GET 7] [put 200 PUT 7] [header unreadable] [method unreadable] [none 404 Not Found null] [large 413 body too large null]"
check "a stranger's page reads nothing" "$(seen $stranger)" \
    "[get unreadable] [cookie unreadable] [put unreadable] [header unreadable] [method unreadable] [none unreadable] [large unreadable]"
echo "cors: $passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
