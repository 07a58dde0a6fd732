#!/bin/sh
# Compiles the header alone, twice, as implementation and with the backends, under every compiler and standard
# at hand with all warnings as errors; then looks at what the object exports and how long it took.
pass=0; fail=0; skip=0
dir=build/compile; mkdir -p $dir
ok() { pass=$((pass + 1)); }
no() { fail=$((fail + 1)); echo "FAIL $1"; }
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
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_bus_local.h"
#include "wshub_ext_files.h"
int main(void) { wshub_io_sock *n; return wshub_io_auto_create(0, &n); }
C
cat > $dir/static.c <<'C'
#define WSHUB_STATIC
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "wshub_bus_local.h"
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
for f in decl impl all static threads; do cp $dir/$f.c $dir/$f.cc; done

for cc in gcc clang; do
    if ! command -v $cc >/dev/null; then echo "  skipped $cc: not installed"; skip=$((skip + 1)); continue; fi
    for std in c99 c11 c17 c2x; do
        for f in decl impl all static threads; do
            x=""; [ $f = all ] && x="-D_GNU_SOURCE"; [ $f = static ] && x="-D_GNU_SOURCE"
            if $cc -std=$std $W -Wstrict-prototypes $x -Itests/shim -I. -Ibackends -O1 -c $dir/$f.c -o $dir/$f.$cc.$std.o; then ok; else no "$cc -std=$std $f.c"; fi
        done
    done
done
for cxx in g++ clang++; do
    if ! command -v $cxx >/dev/null; then echo "  skipped $cxx: not installed"; skip=$((skip + 1)); continue; fi
    for std in c++11 c++14 c++17 c++20; do
        for f in decl impl all static threads; do
            x="-Wno-shadow"
            if $cxx -std=$std $W $x -Itests/shim -I. -Ibackends -O1 -c $dir/$f.cc -o $dir/$f.$cxx.$std.o; then ok; else no "$cxx -std=$std $f.cc"; fi
        done
    done
done

# without assertions what they alone read is no warning either
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    for f in impl all; do
        if $cc -std=c99 -DNDEBUG $W -D_GNU_SOURCE -Itests/shim -I. -Ibackends -fsyntax-only $dir/$f.c; then ok; else no "$cc -DNDEBUG $f.c"; fi
    done
done

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
