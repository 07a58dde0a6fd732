#!/bin/sh
# Instructions of each work of bench_hub per unit, counted by callgrind, which no other load disturbs, against
# tests/bench/counts.txt. A work that takes over 3 % more than is committed fails; change the figure with the reason in the
# commit. Counts hold for one compiler: where its version is another than in the file, they are printed and not judged.
# UPDATE=1 writes the file. Needs valgrind.
command -v valgrind >/dev/null || { echo "  skipped: no valgrind"; echo "counts: 0 passed, 0 failed, 1 skipped"; exit 0; }
cc=${CC:-cc}; file=tests/bench/counts.txt; dir=build/counts; rm -rf $dir; mkdir -p $dir
version=$($cc --version | head -1)
"$cc" -std=c99 -O2 -g -DNDEBUG -I. -Ibackends -o $dir/bench_hub tests/bench/bench_hub.c -pthread || exit 1
# the C library's plainest functions everywhere, whatever the processor has
plain=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-BMI1,-BMI2,-MOVBE,-ERMS,-FSRM,-SSE4_1,-SSE4_2,-SSSE3,-LZCNT,-POPCNT
one() { # work, units
    GLIBC_TUNABLES=$plain valgrind --tool=callgrind --callgrind-out-file=$dir/"$1".out --toggle-collect=counted_work --collect-atstart=no \
        $dir/bench_hub count "$1" >/dev/null 2>$dir/"$1".log
    n=$(sed -n 's/^totals: *//p' $dir/"$1".out)
    awk -v w="$1" -v n="${n:-0}" -v u="$2" 'BEGIN { printf "%s %.2f\n", w, n / u }' > $dir/"$1".count
}
$dir/bench_hub list > $dir/list
n=0
while read -r work units; do
    n=$((n + 1)); one "$work" "$units" &
    [ $((n % ${JOBS:-2})) -eq 0 ] && wait
done < $dir/list
wait
while read -r work units; do cat $dir/"$work".count; done < $dir/list > $dir/all
if [ "${UPDATE:-0}" = 1 ]; then
    { echo "# $version"; echo "# instructions per unit: tests/bench/counts.sh"; cat $dir/all; } > $file; cat $file; exit 0
fi
same=0; [ "$(sed -n 1p $file)" = "# $version" ] && same=1
[ $same = 1 ] || echo "  another compiler than the committed counts: not judged"
awk -v same=$same 'NR == FNR { if ($1 != "#") was[$1] = $2; next }
    { change = was[$1] ? 100 * ($2 / was[$1] - 1) : 0; printf "  %-14s %10.2f instructions, %+.1f %%\n", $1, $2, change
      if ($2 <= 0 || !($1 in was) || (same && change > 3)) { bad++; print "  too many, or not known: " $1 } else good++ }
    END { printf "counts: %d passed, %d failed, 0 skipped\n", good, bad; exit bad > 0 }' $file $dir/all
