#!/bin/sh
# Compiles the header alone, twice, as implementation and with the backends, under every compiler and standard
# at hand with all warnings as errors; then looks at what the object exports and how long it took.
pass=0; fail=0; skip=0
dir=build/compile; mkdir -p $dir
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
ok() { pass=$((pass + 1)); }
no() { fail=$((fail + 1)); echo "FAIL $1"; }
# Compilers run beside each other: `job NAME, COMMAND` writes one down, `together` runs those that are written down.
: >$dir/jobs
job() { name=$1; shift; echo "$name|$*" >>$dir/jobs; }
together() {
    # shellcheck disable=SC2016
    one='name=${1%%|*}; if ${1#*|}; then echo ok; else echo "FAIL $name"; fi'
    tr '\n' '\0' <$dir/jobs | xargs -0 -P "$jobs" -I{} sh -c "$one" one {} >$dir/told
    grep '^FAIL' $dir/told
    pass=$((pass + $(grep -c '^ok' $dir/told))); fail=$((fail + $(grep -c '^FAIL' $dir/told)))
    : >$dir/jobs
}
W="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Wundef -Wvla -Werror"

cat > $dir/decl.c <<'C'
#include "wshub.h"
#include "wshub.h"
int main(void) { return WSHUB_OK; }
C
cat > $dir/impl.c <<'C'
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub.h"
int main(void) { return wshub_strerror(WSHUB_OK) == 0; }
C
cat > $dir/all.c <<'C'
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "wshub_io_tls.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_bus_local.h"
#include "wshub_dialect_engineio.h"
#include "wshub_dialect_socketio.h"
#include "wshub_ext_client.h"
#include "wshub_ext_client_engineio.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_ext_cron.h"
#include "wshub_ext_files.h"
int main(void) { wshub_io_sock *n; return wshub_io_auto_create(0, &n); }
C
cat > $dir/static.c <<'C'
#define WSHUB_STATIC
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_io_tls.h"
#include "wshub_bus_redis.h"
#include "wshub_bus_local.h"
#include "wshub_dialect_engineio.h"
#include "wshub_dialect_socketio.h"
#include "wshub_ext_client.h"
#include "wshub_ext_client_engineio.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_ext_cron.h"
#include "wshub_ext_files.h"
int main(void) { return wshub_strerror(WSHUB_OK) == 0; }
C
cat > $dir/refused.c <<'C'
#define WSHUB_STATIC
#include "wshub.h"
int main(void) { return 0; }
C
cat > $dir/threads.c <<'C'
#define WSHUB_NO_THREADS
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
int main(void) { return 0; }
C
cat > $dir/hiredis.c <<'C'
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_redis.h"
#include "wshub_bus_hiredis.h"
int main(void) { return 0; }
C
cat > $dir/zlib.c <<'C'
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_deflate_zlib.h"
int main(void) { return 0; }
C
files="decl impl all static threads"
if echo '#include <zlib.h>' | ${CC:-cc} -x c -fsyntax-only - 2>/dev/null; then
    files="$files zlib"
else
    echo "  skipped wshub_deflate_zlib.h: zlib is not installed"; skip=$((skip + 1))
fi
if echo '#include <hiredis/async.h>' | ${CC:-cc} -x c -fsyntax-only - 2>/dev/null; then
    files="$files hiredis"
else
    echo "  skipped wshub_bus_hiredis.h: hiredis is not installed"; skip=$((skip + 1))
fi
for f in $files; do cp $dir/$f.c $dir/$f.cc; done
# a backend may be emitted by a file of its own, behind the declarations that it asks for
for f in bus_local bus_redis bus_hiredis deflate_zlib dialect_engineio dialect_socketio ext_client ext_client_engineio ext_client_socketio ext_cron ext_files io_sock io_epoll io_poll io_kqueue io_auto io_fake; do
    {
        echo "#define WSHUB_$(echo $f | tr a-z A-Z)_IMPLEMENTATION"
        echo '#include "wshub.h"'
        case $f in io_epoll | io_poll | io_kqueue) echo '#include "wshub_io_sock.h"' ;; bus_hiredis) echo '#include "wshub_bus_redis.h"' ;; dialect_socketio) echo '#include "wshub_dialect_engineio.h"' ;; esac
        echo "#include \"wshub_$f.h\""
    } > $dir/only_$f.c
    cp $dir/only_$f.c $dir/only_$f.cc
done

# Code is made of all in one file in the oldest and the newest standard, which sees more, and once of the file whose
# functions are static; the rest is read.
how() {
    case $std:$1 in
    c99:all.* | c++11:all.*) echo "-O2 -c -o $dir/$1.o" ;;
    c2x:all.* | c++20:all.*) echo "-O1 -c -o $dir/$1.o" ;;
    c99:static.*) echo "-O0 -c -o $dir/$1.o" ;;
    *) echo -fsyntax-only ;;
    esac
}
for cc in gcc clang; do
    if ! command -v $cc >/dev/null; then echo "  skipped $cc: not installed"; skip=$((skip + 1)); continue; fi
    for std in c99 c11 c17 c2x; do
        for f in $files; do
            case $f in all | static | hiredis) x="-D_GNU_SOURCE" ;; *) x="" ;; esac
            [ $f = hiredis ] && x="$x -fsyntax-only" # its code is compiled below
            job "$cc -std=$std $f.c" $cc -std=$std $W -Wstrict-prototypes $x -Itests/shim -I. -Ibackends $(how $f.$cc.$std) $dir/$f.c
        done
    done
done
for cxx in g++ clang++; do
    if ! command -v $cxx >/dev/null; then echo "  skipped $cxx: not installed"; skip=$((skip + 1)); continue; fi
    for std in c++11 c++14 c++17 c++20; do
        for f in $files; do
            x="-Wno-shadow"
            [ $f = hiredis ] && x="$x -fsyntax-only"
            job "$cxx -std=$std $f.cc" $cxx -std=$std $W $x -Itests/shim -I. -Ibackends $(how $f.$cxx.$std) $dir/$f.cc
        done
    done
done

# each backend in a file of its own, in the oldest standards
for f in $dir/only_*.c; do
    case $files:$f in *hiredis*:*) ;; *:*hiredis*) continue ;; esac
    case $files:$f in *zlib*:*) ;; *:*zlib*) continue ;; esac
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        job "$cc -std=c99 $f" $cc -std=c99 $W -Wstrict-prototypes -D_GNU_SOURCE -Itests/shim -I. -Ibackends -fsyntax-only $f
    done
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        job "$cxx -std=c++11 ${f}c" $cxx -std=c++11 $W -Wno-shadow -Itests/shim -I. -Ibackends -fsyntax-only ${f}c
    done
done
# TLS, and its libraries where they are
for lib in tls openssl mbedtls; do
    if [ $lib != tls ] && ! echo "#include <$lib/ssl.h>" | ${CC:-cc} -x c -fsyntax-only - 2>/dev/null; then
        echo "  skipped wshub_io_$lib.h: $lib is not installed"; skip=$((skip + 1)); continue
    fi
    printf '#define WSHUB_IMPLEMENTATION\n#include "wshub.h"\n#include "wshub_io_%s.h"\nint main(void) { return 0; }\n' $lib >$dir/tls_$lib.c
    cp $dir/tls_$lib.c $dir/tls_$lib.cc
    for c in "gcc -std=c99 -Wstrict-prototypes" "clang -std=c2x -Wstrict-prototypes" "g++ -std=c++11 -Wno-shadow" "clang++ -std=c++20 -Wno-shadow"; do
        command -v ${c%% *} >/dev/null || continue
        case $c in *++*) f=$dir/tls_$lib.cc ;; *) f=$dir/tls_$lib.c ;; esac
        job "$c $f" $c $W -I. -Ibackends -fsyntax-only $f
    done
done
# and encryption from end to end
if echo '#include <mbedtls/gcm.h>' | ${CC:-cc} -x c -fsyntax-only - 2>/dev/null; then
    printf '#define WSHUB_IMPLEMENTATION\n#include "wshub.h"\n#include "wshub_ext_e2e_mbedtls.h"\nint main(void) { return 0; }\n' >$dir/e2e.c
    cp $dir/e2e.c $dir/e2e.cc
    for c in "gcc -std=c99 -Wstrict-prototypes" "clang -std=c2x -Wstrict-prototypes" "g++ -std=c++11 -Wno-shadow" "clang++ -std=c++20 -Wno-shadow"; do
        command -v ${c%% *} >/dev/null || continue
        case $c in *++*) f=$dir/e2e.cc ;; *) f=$dir/e2e.c ;; esac
        job "$c $f" $c $W -I. -Ibackends -fsyntax-only $f
    done
else
    echo "  skipped wshub_ext_e2e_mbedtls.h: mbedTLS is not installed"; skip=$((skip + 1))
fi
# linked to the hub's own file: none needs what another one keeps private
objects=$dir/apart_impl.o; libs=
job "apart_impl.o" ${CC:-cc} -std=c99 -I. -O1 -c $dir/impl.c -o $dir/apart_impl.o
for f in $dir/only_*.c; do
    case $files:$f in *hiredis*:*hiredis*) libs="$libs -lhiredis" ;; *:*hiredis*) continue ;; esac
    case $files:$f in *zlib*:*zlib*) libs="$libs -lz" ;; *:*zlib*) continue ;; esac
    job "$f apart" ${CC:-cc} -std=c99 -D_GNU_SOURCE -I. -Ibackends -Itests/shim -O1 -c $f -o ${f%.c}.o
    objects="$objects ${f%.c}.o"
done
# without assertions what they alone read is no warning either
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    for f in impl all; do
        job "$cc -DNDEBUG $f.c" $cc -std=c99 -DNDEBUG $W -D_GNU_SOURCE -Itests/shim -I. -Ibackends -fsyntax-only $dir/$f.c
    done
done

together
if ${CC:-cc} -o $dir/apart $objects $libs -pthread; then ok; else no "the backends, each in a file of its own, do not link"; fi

# static functions without their code are refused in words
if ${CC:-cc} -I. -c $dir/refused.c -o $dir/refused.o 2>&1 | grep -q 'error.*WSHUB_STATIC'; then ok; else no "WSHUB_STATIC without WSHUB_IMPLEMENTATION"; fi

# the hello example, alone and with nothing but `cc main.c`, as a newcomer compiles it, in under two seconds
mkdir -p $dir/alone && cp wshub.h backends/*.h $dir/alone/ && cp examples/hello.c $dir/alone/main.c
start=$(date +%s%N)
if (cd $dir/alone && ${CC:-cc} -O2 main.c -o main); then
    ms=$(( ($(date +%s%N) - start) / 1000000 ))
    echo "  cc -O2 main.c (wshub.h and the socket backend): $ms ms"
    ok
else
    no "cc -O2 main.c"
fi

# what is exported starts with wshub_, nothing private is; no writable global
${CC:-cc} -D_GNU_SOURCE -DWSHUB_SELF_CHECK -I. -Ibackends -Itests/shim -O1 -c $dir/all.c -o $dir/nm.o
bad=$(nm -g --defined-only $dir/nm.o | awk '{print $3}' | grep -vE '^wshub_[a-z0-9]|^main$'; nm -g --defined-only $dir/nm.o | awk '{print $3}' | grep '^wshub__')
if [ -z "$bad" ]; then ok; else no "exported: $bad"; fi
${CC:-cc} -fno-pic -fno-pie -I. -O1 -c $dir/impl.c -o $dir/data.o
bad=$(nm $dir/data.o | awk '$2 ~ /^[bBdDcC]$/ {print $3}')
if [ -z "$bad" ]; then ok; else no "writable globals: $bad"; fi

# the contents list and the banners name the same rooms, each once
standing=$(grep -oE '(^/\* ---- |^ \* ---- )>>[a-z0-9-]+' wshub.h | grep -oE '>>[a-z0-9-]+' | sort)
list2=$(sed '/\*\//q' wshub.h | grep -oE '>>[a-z0-9-]+' | sort)
if [ "$list2" = "$standing" ]; then ok; else no "contents and banners differ: $(printf '%s\n%s\n' "$list2" "$standing" | sort | uniq -u | tr '\n' ' ')"; fi
# every test that the header and the backends name is there
for f in $(grep -ohE 'tests/[a-z_/]+\.[ch]' wshub.h backends/*.h | sort -u); do
    if [ -e "$f" ]; then ok; else no "$f is named but not there"; fi
done

# installed, it is found by pkg-config
env -u MAKEFLAGS -u MFLAGS make -s install DESTDIR=$PWD/$dir/root PREFIX=/usr >/dev/null
if [ -f $dir/root/usr/include/wshub.h ] && [ -f $dir/root/usr/include/wshub_io_auto.h ] && grep -q '^Version: [0-9]' $dir/root/usr/lib/pkgconfig/wshub.pc; then ok; else no "make install"; fi
echo "compile: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
