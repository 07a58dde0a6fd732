#!/bin/sh
# Instructions of an idle turn and of a small fan-out before and after the largest message, page, number of rooms, of clients
# and so on have come and gone (tests/bench/bench_after.c), counted by callgrind: equal within 2 %, so that no turn pays for
# the largest thing ever seen. Needs valgrind.
command -v valgrind >/dev/null || { echo "  skipped: no valgrind"; echo "after: 0 passed, 0 failed, 1 skipped"; exit 0; }
dir=build/after; rm -rf $dir; mkdir -p $dir
"${CC:-cc}" -std=c99 -O2 -g -DNDEBUG -I. -Ibackends -o $dir/bench_after tests/bench/bench_after.c -pthread || exit 1
one() {
    valgrind --tool=callgrind --callgrind-out-file=$dir/"$1".out --toggle-collect=counted_work --collect-atstart=no \
        --dump-after=counted_work $dir/bench_after "$1" >$dir/"$1".held 2>$dir/"$1".log
    for i in 1 2 3 4; do sed -n 's/^totals: *//p' $dir/"$1".out.$i; done | paste -s -d' ' >$dir/"$1".count
}
$dir/bench_after list >$dir/list
n=0
while read -r thing; do
    n=$((n + 1)); one "$thing" &
    [ $((n % ${JOBS:-2})) -eq 0 ] && wait
done <$dir/list
wait
while read -r thing; do echo "$thing $(cat $dir/"$thing".count) $(cut -d' ' -f2 $dir/"$thing".held)"; done <$dir/list | awk '
    function off(a, b) { return 100 * (b / (a > 0 ? a : 1) - 1) }
    BEGIN { printf "  %-12s %27s %27s %12s\n", "after", "an idle turn, instructions", "a fan-out to 10", "bytes more" }
    { i = off($2, $4); f = off($3, $5); ok = NF == 6 && $2 > 0 && $3 > 0 && i <= 2 && i >= -2 && f <= 2 && f >= -2
      printf "  %-12s %9.1f %9.1f %+6.2f %% %9.1f %9.1f %+6.2f %% %10d%s\n", $1, $2 / 1000, $4 / 1000, i, $3 / 500, $5 / 500, f, $6, ok ? "" : "  NOT EQUAL"
      if (ok) good++; else bad++ }
    END { printf "after: %d passed, %d failed, 0 skipped\n", good, bad; exit bad > 0 || good == 0 }'
