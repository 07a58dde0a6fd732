#!/bin/sh
# Names of the tests (NAME of tests/test_NAME.c) by what they need, found by what they include, so that no script has a
# list of its own. sh tests/list.sh [fake] [sockets] [servers]: of these kinds; none: all.
#   fake     everything in memory: the fake io, a broker in memory, or pure functions
#   sockets  real sockets or threads
#   servers  a redis-server, hiredis or the fixture's server beside them
#   libraries  in memory, but with libraries of TLS, which MemorySanitizer does not know and valgrind takes minutes over
[ $# -gt 0 ] || set -- fake sockets servers libraries
for f in tests/test_*.c; do
    kind=fake
    grep -qE 'wshub_io_(auto|sock|epoll|poll|kqueue)\.h|sock_peer\.h|<pthread\.h>' "$f" && kind=sockets
    grep -q '"tls_pair\.h"' "$f" && kind=libraries
    grep -qE '"redis_server\.h"|fixture-server' "$f" && kind=servers
    case " $* " in *" $kind "*) f=${f#tests/test_}; echo "${f%.c}" ;; esac
done
