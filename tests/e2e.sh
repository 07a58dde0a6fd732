#!/bin/sh
# Encryption from end to end between a server and living WebCrypto: of Node, and of browsers where chromium is.
skip() { echo "  skipped encryption_with_webcrypto: $1"; echo "e2e: 0 passed, 0 failed, 1 skipped"; exit 0; }
[ -x build/encrypted_chat ] || skip "mbedTLS is not installed"
# its header, in the oldest standards of both languages
echo '#define WSHUB_EXT_E2E_MBEDTLS_IMPLEMENTATION
#include "wshub.h"
#include "wshub_ext_e2e_mbedtls.h"' >build/only_e2e.c
for how in "gcc -std=c99" "clang -std=c99" "g++ -x c++ -std=c++11" "clang++ -x c++ -std=c++11"; do
    command -v ${how%% *} >/dev/null || continue
    $how -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wcast-qual -Wundef -Wvla -Werror -I. -Ibackends -fsyntax-only build/only_e2e.c ||
        { echo "FAIL $how wshub_ext_e2e_mbedtls.h"; echo "e2e: 0 passed, 1 failed, 0 skipped"; exit 1; }
done
command -v node >/dev/null || skip "node is not installed"
[ -d build/node/node_modules/ws ] || skip "ws is not there (npm install --prefix build/node ws)"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
[ -d build/node/node_modules/playwright-core ] || chromium=
[ -n "$chromium" ] || echo "  without a browser: chromium or playwright-core is not installed"
timeout 900 node tests/e2e.mjs "${TEST_PORT:-18911}" $chromium
