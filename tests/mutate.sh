#!/bin/sh
# Changes one operator or constant at a time in the rooms for frames, authentication, RESP, the index, streams and their
# ends, WebSockets of mounts, requests handed over, HTTP, sessions, rooms, routing, buses and the end of a turn, and in the
# clients, TLS, the dialects and the bus over Redis, and sees whether the tests notice. Prints the mutants that survive.
#   sh tests/mutate.sh [COUNT [SEED]]   so many mutants, chosen by the seed; 0: all of them. FILES='client': of files whose
#                                       names match this
#   sh tests/mutate.sh look             none: whether all rooms and all entries of tests/mutate.equivalent are found
count=${1:-100}; seed=${2:-1}; dir=build/mutate; rm -rf $dir; mkdir -p $dir
list() { # file, from pattern, to pattern: candidates as file:line:from:to
    for room in "$2" "$3"; do
        [ "$room" = 'end of file' ] || grep -qE "$room" "$1" || echo "  no $room in $1" >>$dir/missing
    done
    awk -v file="$1" -v from="$2" -v to="$3" '
        $0 ~ from { on = 1 } on && $0 ~ to { on = 0 }
        !on || /^ ?\*|^\/\*|WSHUB_ASSERT|WSHUB__NEVER|static const|^#/ { next }
        {
            line = $0; sub(/\/\*.*/, "", line)
            n = split("==|!=|<=|>=| < | > |&&|\\|\\|| + | - |true|false| 1| 0|++|--|<<|>>", ops, "|")
            want["=="] = "!="; want["!="] = "=="; want["<="] = "<"; want[">="] = ">"; want[" < "] = " <= "; want[" > "] = " >= "
            want["&&"] = "||"; want[" + "] = " - "; want[" - "] = " + "; want["true"] = "false"; want["false"] = "true"
            want[" 1"] = " 2"; want[" 0"] = " 1"; want["++"] = "--"; want["--"] = "++"; want["<<"] = ">>"; want[">>"] = "<<"
            for (i = 1; i <= n; i++) if (ops[i] != "" && ops[i] in want && index(line, ops[i])) print file "@" NR "@" ops[i] "@" want[ops[i]]
        }' "$1"
}
{ # the tests that lie nearest come first
    list wshub.h '^/. ---- >>index' '^/. ---- >>deadlines' | sed 's/$/@test_index test_slots test_hostile/'
    list wshub.h '^/. ---- >>frame' '^/. ---- >>slots' | sed 's/$/@test_frame test_codec fuzz\/fuzz_wire/'
    list wshub.h '^/. ---- >>auth' '^/. ---- >>events' | sed 's/$/@test_auth test_stats test_golden/'
    list wshub.h '^/. ---- >>message' '^/. ---- >>sockets' | sed 's/$/@test_frame test_flow test_ends test_clocks test_exchange test_golden/'
    list wshub.h '^/. ---- >>sockets' '^/. ---- >>app-timers' | sed 's/$/@test_socket test_socket_ends test_forward test_threads/'
    list wshub.h '^/. ---- >>http ' '^/. ---- >>frame' | sed 's/$/@test_exchange test_reply test_http test_upgrade test_negative_http/'
    list wshub.h '^/. ---- >>queue' '^/. ---- >>mount' | sed 's/$/@test_queue test_pressure test_send test_ends/'
    list wshub.h '^/. ---- >>mount' '^/. ---- >>conn ' | sed 's/$/@test_mount test_mount_ends test_mount_answers test_exchange/'
    list wshub.h '^/. ---- >>conn ' '^/. ---- >>reply' | sed 's/$/@test_ends test_clocks test_heartbeat test_hostile/'
    list wshub.h '^/. ---- >>rooms' '^/. ---- >>ask' | sed 's/$/@test_rooms test_send test_walks test_costs test_runs test_bus/'
    list wshub.h '^/. ---- >>session' '^/. ---- >>gate' | sed 's/$/@test_session test_session_move test_dialect/'
    list wshub.h '^/. ---- >>bus' '^/. ---- >>asking' | sed 's/$/@test_bus test_dialect_bus test_channels test_bus_table/'
    list wshub.h '^/. ---- >>gate' '^/. ---- >>transform' | sed 's/$/@test_send test_runs test_kinds test_kinds_gathered test_packets test_costs test_transform/'
    list wshub.h '^/. ---- >>routing' '^/. ---- >>auth' | sed 's/$/@test_send test_runs test_rooms test_bus/'
    list wshub.h '^/. ---- >>reply' '^/. ---- >>message' | sed 's/$/@test_exchange test_reply test_mount test_mount_answers test_ends test_http test_negative_http/'
    list backends/wshub_bus_local.h '^/. ---- threads' 'end of file' | sed 's/$/@test_bus_local test_bus test_bus_contract test_threads/'
    list wshub.h '^/. ---- >>settle' '^/. ---- >>public' | sed 's/$/@test_shutdown test_ends test_matrix test_logs/'
    list backends/wshub_bus_redis.h '^WSHUB_API int wshub_resp_read' '^/. ---- the objects' | sed 's/$/@fuzz\/fuzz_wire test_redis_wire/'
    list backends/wshub_bus_redis.h '^/. ---- the objects' 'end of file' | sed 's/$/@test_redis_bus test_redis_moves test_redis_nodes test_redis_links test_sharded/'
    list backends/wshub_ext_client.h '^/. ---- memory' '^ . A client of a hub' | sed 's/$/@test_client test_client_frames test_client_http test_client_hub/'
    list backends/wshub_ext_client.h '^ . A client of a hub' 'end of file' | sed 's/$/@test_client_hub test_client_reply/'
    list backends/wshub_ext_client_engineio.h '^/. ---- memory' 'end of file' | sed 's/$/@test_eio_link test_sio_client_poll/'
    list backends/wshub_ext_client_socketio.h '^/. ---- memory' 'end of file' | sed 's/$/@test_sio_client test_sio_client_back test_sio_client_poll/'
    list backends/wshub_io_tls.h '^/. ---- bytes' 'end of file' | sed 's/$/@test_tls test_tls_contract test_tls_client/'
    list backends/wshub_dialect_engineio.h '^/. ---- >>eio-objects' 'end of file' | sed 's/$/@test_eio test_eio_polling test_eio_upgrade test_eio_heads test_eio_states test_eio_loops/'
} > $dir/candidates
# those that tests/mutate.equivalent lists, with the reason, change nothing that can be seen: part of a line, from, to
awk -F@ -v missing=$dir/missing '
    NR == FNR { part[++n] = $1; from[n] = $2; to[n] = $3; next }
    !($1 in read) { read[$1] = 1; at = 0; while ((getline text < $1) > 0) line[$1, ++at] = text }
    {
        known = 0
        for (k = 1; k <= n; k++) {
            if (from[k] == $3 && to[k] == $4 && index(line[$1, $2], part[k])) known = found[k] = 1
        }
        if (!known) print
    }
    END { for (k = 1; k <= n; k++) if (!found[k]) print "  no line with " part[k] " and " from[k] >>missing }
' tests/mutate.equivalent $dir/candidates > $dir/all
[ ! -s $dir/missing ] || cat $dir/missing >&2
[ "$count" != look ] || { [ ! -s $dir/missing ]; exit; }
grep -E "^[^@]*(${FILES:-.})" $dir/all >$dir/some; mv $dir/some $dir/all
total=$(wc -l < $dir/all)
awk -v s="$seed" 'BEGIN { srand(s) } { print rand() "@" $0 }' $dir/all | sort | cut -d@ -f2- > $dir/shuffled
[ "$count" -gt 0 ] && head -n "$count" $dir/shuffled > $dir/chosen || cp $dir/shuffled $dir/chosen
all=$(sh tests/list.sh fake | grep -vxE 'hostile|random|portable|.*_envelopes|redis_.*|manual|contracts|about' | sed 's/^/test_/' | tr '\n' ' ')
libraries() { case $1 in test_tls*) echo -DWITH_OPENSSL -lssl -lcrypto -DWITH_MBEDTLS -lmbedtls -lmbedx509 -lmbedcrypto ;; esac; } # of a test
one() { # number, candidate
    d=$dir/$1; mkdir -p "$d/backends"; cp wshub.h "$d/"; cp backends/*.h "$d/backends/"
    echo "$2" | { IFS=@ read -r file line from to near
        awk -v n="$line" -v from="$from" -v to="$to" 'NR == n { i = index($0, from); $0 = substr($0, 1, i - 1) to substr($0, i + length(from)) } { print }' "$file" > "$d/$file"
        what="$file:$line: '$from' to '$to'"
        tried=
        for t in $near $all fuzz/fuzz_conn; do
            case " $tried " in *" $t "*) continue ;; esac
            tried="$tried $t"
            case $file in backends/*) case " $near " in *" $t "*) ;; *) continue ;; esac ;; esac
            p="$d/prog"; arg=; case $t in test_golden) arg=transcripts_as_they_are ;; esac
            if ! ${CC:-gcc} -std=gnu99 -O0 -w -DFUZZ_MANGLED=2 -I"$d" -I"$d/backends" -Itests -Itests/shim -o "$p" "tests/$t.c" $(libraries $t) -pthread 2>/dev/null; then
                echo "uncompiled $what"; rm -rf "$d"; return
            fi
            case $t in fuzz/*) arg=tests/fuzz/corpus/${t#fuzz/fuzz_} ;; esac
            if ! timeout 100 "$p" $arg >/dev/null 2>&1; then
                echo "killed $what ($t)"; rm -rf "$d"; return
            fi
        done
        for t in $near; do # once more with sanitizers, which see what reads or writes too far
            arg=; case $t in test_golden) arg=transcripts_as ;; fuzz/*) arg=tests/fuzz/corpus/${t#fuzz/fuzz_} ;; esac
            ${CC:-gcc} -std=gnu99 -O0 -w -fsanitize=address,undefined -fno-sanitize-recover=undefined -DFUZZ_MANGLED=2 -I"$d" -I"$d/backends" -Itests -Itests/shim -o "$p" "tests/$t.c" $(libraries $t) -pthread 2>/dev/null
            if ! timeout 200 "$p" $arg >/dev/null 2>&1; then
                echo "killed $what ($t, sanitized)"; rm -rf "$d"; return
            fi
        done
        echo "SURVIVED $what: $(sed -n "${line}p" "$file" | sed 's/^ *//')"; rm -rf "$d"; }
}
n=0
while read -r candidate; do
    n=$((n + 1))
    one $n "$candidate" >> $dir/result &
    [ $((n % ${JOBS:-2})) -eq 0 ] && wait
done < $dir/chosen
wait
grep SURVIVED $dir/result
k=$(grep -c '^killed' $dir/result); s=$(grep -c '^SURVIVED' $dir/result)
echo "  $k of $((k + s)) mutants killed ($((100 * k / (k + s)))%), of $total there are"
