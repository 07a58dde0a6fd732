#!/bin/sh
# Our server and our client of Socket.IO with each minor version of npm's packages that speaks version 5 of the protocol, as
# server and as client, and with both under Bun (tests/socketio_versions.mjs). Each is installed into build/versions.
# sh tests/socketio_versions.sh [folder of the fixtures] [version...]
dir=${1:-build}; [ $# -gt 0 ] && shift
skip() { echo "  skipped socketio_versions: $1"; echo "socketio_versions: 0 passed, 0 failed, 1 skipped"; exit 0; }
for program in fixture-sio fixture-sio-client; do [ -x "$dir/$program" ] || skip "$dir/$program is not built"; done
for program in node npm; do command -v $program >/dev/null || skip "$program is not installed"; done
[ $# -gt 0 ] || set -- 3.0 3.1 4.0 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 on-bun bun-engine

passed=0; failed=0; skipped=0
for version; do
    folder=$PWD/build/versions/$version; run=node; can=recovers
    case $version in
    on-bun | bun-engine) folder=$PWD/build/versions/on-bun; packages="bun @socket.io/bun-engine socket.io socket.io-client"; run=$folder/node_modules/.bin/bun ;;
    *) packages="socket.io@$version socket.io-client@$version" ;;
    esac
    case $version in 3.* | 4.[0-5]) can= ;; bun-engine) can="recovers engine" ;; esac
    # shellcheck disable=SC2086 # they are words
    if ! { [ -d "$folder/node_modules/socket.io-client" ] || npm install --silent --no-audit --no-fund --prefix "$folder" $packages >/dev/null 2>&1; } ||
        ! "$run" --version >/dev/null 2>&1; then
        skipped=$((skipped + 1)); echo "  skipped socketio_versions $version: npm cannot install it"; continue
    fi
    # shellcheck disable=SC2086
    if timeout 600 "$run" tests/socketio_versions.mjs "$version" "$folder/node_modules" "$dir" $can >build/socketio_versions.out 2>&1; then
        passed=$((passed + 1)); echo "  $version: $(tail -1 build/socketio_versions.out)"
    else
        failed=$((failed + 1)); cat build/socketio_versions.out; printf 'FAIL socketio_versions %s\n    alone: sh tests/socketio_versions.sh %s %s\n' "$version" "$dir" "$version"
    fi
done
echo "socketio_versions: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
