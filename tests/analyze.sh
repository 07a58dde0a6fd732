#!/bin/sh
# clang-tidy, with clang's path-sensitive analyzer, and cppcheck over the header and its backends: nothing may be found.
# What is left out, and why: easily-swappable-parameters, narrowing and widening conversions (-Wconversion says it better),
# reserved-identifier, dcl37, dcl51 (wshub__x is the name of what is private, and STYLE's), macro-parentheses (X macros),
# assignment-in-if (where the alternative is the same call twice), not-null-terminated-result (texts have lengths here),
# no-int-to-ptr (a const of what is ours to free is cast away by way of a number, as -Wcast-qual wants),
# sizeof-expression (arrays of pointers), err33 (snprintf into a buffer that is as large as its text), Padding (members
# stand in the order of their use), DeprecatedOrUnsafeBufferHandling (memcpy). NOLINT in the code says why beside it.
# The analyzer gives up on a function behind NODES states, of which it makes a hundred thousand and more by itself: most of
# what it finds it finds early, and the hub alone would take half an hour. NODES=225000 sh tests/analyze.sh is its own bound.
# each is told what it found in one piece, as lines on standard output
tidy() {
    { clang-tidy --quiet -header-filter='.*(wshub|backends).*' -checks='-*,clang-analyzer-*,bugprone-*,cert-*,misc-redundant-expression,misc-misplaced-const,performance-*,portability-*,readability-misleading-indentation,readability-duplicate-include,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-clang-analyzer-optin.performance.Padding,-performance-no-int-to-ptr,-bugprone-easily-swappable-parameters,-bugprone-macro-parentheses,-bugprone-assignment-in-if-condition,-bugprone-reserved-identifier,-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result,-bugprone-not-null-terminated-result,-bugprone-sizeof-expression,-cert-dcl37-c,-cert-dcl51-cpp,-cert-err33-c' \
        "$1" -- -std=gnu99 -D_GNU_SOURCE -I. -Ibackends -pthread -Xclang -analyzer-opt-analyze-headers -Xclang -analyzer-config -Xclang max-nodes=${NODES:-20000} 2>/dev/null ||
        echo "$1: error: clang-tidy ended with status $?"; } | grep -E 'warning:|error:' | sort -u
}
# A piece that reads only the hub's declarations is not to be checked with the hub's code in it, once more for each choice.
check() {
    case $1 in */hub.c) set -- "$1" ;; *) set -- "$1" -UWSHUB_IMPLEMENTATION -UWSHUB__IMPLEMENTED ;; esac
    cppcheck --quiet --enable=warning,portability --inline-suppr --std=c99 --max-configs=${CONFIGS:-12} --suppress=missingInclude --suppress=toomanyconfigs --suppress=missingIncludeSystem -I. -Ibackends "$@" 2>&1 || echo "$1: error: cppcheck ended with status $?"
}
# One of the jobs below. What needs a library is small, and is given the analyzer's own bound, fewer choices of what is defined,
# since most of them are the library's, and a minute of the processor: more is an error.
if [ "${1:-}" = of ]; then
    case $3 in */of_*) NODES=225000; CONFIGS=4; ulimit -t 60 ;; esac
    $2 "$3" >"$3.$2"
    exit 0
fi

fail=0; skip=0; pass=0
dir=build/analyze; mkdir -p $dir; rm -f $dir/*
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
# In pieces that are read beside each other: the hub, and files of backends behind its declarations.
piece() { # name, files
    at=$dir/$1.c; shift
    echo '#include "wshub.h"' >$at
    for f in "$@"; do
        echo "#define $(echo "$f" | tr a-z A-Z)_IMPLEMENTATION" >>$at
        echo "#include \"$f.h\"" >>$at
    done
}
printf '#define WSHUB_IMPLEMENTATION\n#include "wshub.h"\n' >$dir/hub.c
piece sockets wshub_io_sock wshub_io_auto wshub_io_epoll wshub_io_poll
piece fake wshub_io_fake wshub_bus_local wshub_ext_files
piece redis wshub_io_sock wshub_bus_redis
piece engineio wshub_dialect_engineio
piece socketio wshub_dialect_engineio wshub_dialect_socketio
piece client wshub_ext_client
piece eio_client wshub_ext_client_engineio
piece sio_client wshub_ext_client_socketio
piece cron wshub_ext_cron
piece tls wshub_io_tls
package() { # a library's header, a piece's name, files
    if printf '#include <%s>\n' "$1" | ${CC:-cc} -E - >/dev/null 2>&1; then shift; at=$1; shift; piece "of_$at" "$@"; else shift 2; echo "  not looked at, as its library is not installed: $*"; fi
}
package zlib.h zlib wshub_deflate_zlib
package openssl/ssl.h openssl wshub_io_openssl
package mbedtls/ssl.h mbedtls wshub_io_mbedtls
package mbedtls/gcm.h e2e wshub_ext_e2e_mbedtls
for tool in tidy:clang-tidy check:cppcheck; do
    if ! command -v ${tool#*:} >/dev/null; then echo "  skipped ${tool#*:}: not installed"; skip=$((skip + 1)); continue; fi
    for f in $dir/*.c; do echo "${tool%:*} $f"; done >>$dir/jobs
    tools="${tools:-} ${tool%:*}"
done
# the hub takes longest and begins
[ -f $dir/jobs ] && { grep 'hub' $dir/jobs; grep -v hub $dir/jobs; } | xargs -P "$jobs" -I{} sh -c 'sh tests/analyze.sh of {}'
for tool in ${tools:-}; do
    cat $dir/*."$tool" | sort -u >$dir/found
    sed 's/^/  /' $dir/found
    if [ -s $dir/found ]; then fail=$((fail + 1)); else pass=$((pass + 1)); fi
done
echo "analyze: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
