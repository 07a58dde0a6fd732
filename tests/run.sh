#!/bin/sh
# Runs test programs: those with servers and sockets, which wait more than they work, JOBS at a time (twice as many as there
# are processors), and beside them, less urgent, the others, half as many; with WSHUB_WHOLE, where all work hard, only
# when those have ended; then, behind --, test scripts, three beside each other. Each one's output comes when it has ended, its
# line `N passed, N failed, N skipped` with how many have. Says once more what failed, and adds up the lines. An argument
# may carry arguments of its own, 'build/test_faults on_poll', and variables: 'WSHUB_SHARE=0/4 ./build/test_golden every_send'.
#
# Whoever drives programs by a real clock may fail because others had the machine. With WSHUB_AGAIN such a test (a script,
# or one of servers and sockets) that failed is run once more, alone: what fails twice has failed, and what passes then is
# named as unsteady at the end, with what it said first. A test that only computes is never run again, nor one that crashed
# or in which an assertion or a sanitizer spoke: that is no matter of time.
jobs=${JOBS:-$((2 * $(nproc 2>/dev/null || echo 2)))}
dir=$(mktemp -d "${TMPDIR:-/tmp}/wshub-tests.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
total=0; for t in "$@"; do [ "$t" = -- ] || total=$((total + 1)); done
export dir total
one='n=$(echo "$1" | tr -c "a-zA-Z0-9\n" _)
    case $1 in *.sh) sh $1 ;; *=*) env $1 ;; *) ./$1 ;; esac >"$dir/$n.out" 2>&1
    echo $? >"$dir/$n.status"
    sed "/[0-9] passed, [0-9]* failed, [0-9]* skipped/s|^|[$(ls "$dir"/*.status | wc -l)/$total] |" "$dir/$n.out"'

first=$(sh tests/list.sh servers sockets | sed 's/.*/test_&/' | tr '\n' '|')
: >"$dir/first"; : >"$dir/then"; : >"$dir/scripts"
list=programs
for t in "$@"; do
    if [ "$t" = -- ]; then list=scripts; continue; fi
    [ $list = scripts ] && { echo "$t" >>"$dir/scripts"; continue; }
    name=${t##*/}
    case "|$first" in *"|${name%% *}|"*) echo "$t" >>"$dir/first" ;; *) echo "$t" >>"$dir/then" ;; esac
done
# those that wait longest begin
{ grep -E 'contract|golden_sock|test_redis$' "$dir/first"; grep -vE 'contract|golden_sock|test_redis$' "$dir/first"; } |
    xargs -P "$jobs" -I{} sh -c "$one" one {} &
[ -z "${WSHUB_WHOLE:-}" ] || wait
nice xargs -P "$(((jobs + 1) / 2))" -I{} sh -c "$one" one {} <"$dir/then"
wait
xargs -P 3 -I{} sh -c "$one" one {} <"$dir/scripts"

: >"$dir/unsteady"
[ -z "${WSHUB_AGAIN:-}" ] || cat "$dir/first" "$dir/scripts" | while read -r t; do
    n=$(echo "$t" | tr -c "a-zA-Z0-9\n" _)
    [ "$(cat "$dir/$n.status")" = 1 ] || continue
    grep -qE 'Sanitizer|runtime error|[Aa]ssert' "$dir/$n.out" && continue
    echo "once more, alone: $t"; mv "$dir/$n.out" "$dir/$n.before"
    sh -c "$one" one "$t" </dev/null
    [ "$(cat "$dir/$n.status")" != 0 ] || { echo "UNSTEADY $t: failed beside others, passed alone"; grep -h -A3 '^FAIL' "$dir/$n.before" | sed 's/^/    first: /'; } >>"$dir/unsteady"
done

# a failing test with the line behind it, which says how it runs alone
grep -h -A1 '^FAIL' "$dir"/*.out | grep -E '^FAIL|^ *alone: ' >"$dir/failed" && { echo; echo "What failed:"; cat "$dir/failed"; }
cat "$dir/unsteady"
cat "$dir/first" "$dir/then" "$dir/scripts" | while read -r t; do
    n=$(echo "$t" | tr -c "a-zA-Z0-9\n" _)
    line=$(grep -E '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$dir/$n.out" | tail -1)
    echo "${line:-none} @$(cat "$dir/$n.status" 2>/dev/null) $t"
done | awk '
    { status = $0; sub(/.*@/, "", status); program = status; sub(/^[0-9]* /, "", program); sub(/ .*/, "", status) }
    function alone() { print "    alone: " (program ~ /[.]sh$/ ? "sh " program : program ~ /=/ ? program : "make " test " && " program) }
    { test = program; sub(/ .*/, "", test) }
    /^none/ { print "FAIL " program " ended with status " status " and no count"; alone(); fail++; next }
    {
        match($0, /[0-9]+ passed/); pass += substr($0, RSTART) + 0
        match($0, /[0-9]+ failed/); f = substr($0, RSTART) + 0; fail += f
        match($0, /[0-9]+ skipped/); skip += substr($0, RSTART) + 0
        if (status + 0 && !f) { print "FAIL " program " ended with status " status; alone(); fail++ }
    }
    END { printf "%d passed, %d failed, %d skipped\n", pass, fail, skip; exit fail > 0 }'
