#!/bin/sh
# sh tests/fuzz/campaign.sh SECONDS [TARGET...]: libFuzzer on each target for so long, from the corpus of the tree and
# what earlier campaigns found (build/fuzz/work_*); then the corpus is merged down to what adds coverage, and a line for
# tests/LEDGER.md is printed. Needs clang with libFuzzer. AFL=1: with AFL++ instead.
# FUZZ_RUNS=20000000: before that so many runs of a build that is made for speed (no sanitizer, no traced comparisons, no
# weighing of the corpus: some nine times as many a second); what it finds is run by the sanitized one. JOBS: processes.
seconds=${1:-60}; [ $# -gt 0 ] && shift
targets=${*:-text wire conn hub api desc bus http_hand address proxy files writer dialect cron tzif engineio sio client sio_client polled msgpack sio_bus sio_shards deflate tls}; status=0
mkdir -p build/fuzz
if [ "${AFL:-0}" = 1 ]; then # the same targets under AFL++, one after the other
    command -v afl-clang-fast >/dev/null || { echo "needs afl-clang-fast and afl-fuzz"; exit 1; }
    for t in $targets; do
        AFL_QUIET=1 afl-clang-fast -std=gnu99 -O2 -w -DFUZZ_MANGLED=0 -I. -Ibackends -Itests -o "build/fuzz/afl_$t" "tests/fuzz/fuzz_$t.c" || exit 1
        rm -rf "build/fuzz/afl_out_$t"
        dict=; [ -f "tests/fuzz/$t.dict" ] && dict="-x tests/fuzz/$t.dict"
        AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 afl-fuzz -V "$seconds" $dict -i "tests/fuzz/corpus/$t" -o "build/fuzz/afl_out_$t" -- "build/fuzz/afl_$t" @@ >"build/fuzz/afl_$t.log" 2>&1
        stats=build/fuzz/afl_out_$t/default/fuzzer_stats
        runs=$(sed -n 's/^execs_done *: *//p' $stats); crashes=$(sed -n 's/^saved_crashes *: *//p' $stats); hangs=$(sed -n 's/^saved_hangs *: *//p' $stats)
        echo "| $(git rev-parse --short HEAD) | AFL++ $t | ${runs:-0} runs | $seconds s | ${crashes:-?} crashes, ${hangs:-?} hangs |"
        [ "${crashes:-1}" = 0 ] || status=1
    done
    exit $status
fi
for t in $targets; do
    more=; [ "$t" = tls ] && more='-DWITH_OPENSSL -lssl -lcrypto'
    # shellcheck disable=SC2086
    clang -std=gnu99 -O2 -g -DFUZZ -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -I. -Ibackends -Itests -o "build/fuzz/$t" "tests/fuzz/fuzz_$t.c" $more || exit 1
    mkdir -p "build/fuzz/work_$t"
    dict=; [ -f "tests/fuzz/$t.dict" ] && dict="-dict=tests/fuzz/$t.dict"
    if [ "${FUZZ_RUNS:-0}" -gt 0 ]; then
        clang -std=gnu99 -O2 -g -DFUZZ -fsanitize-coverage=inline-8bit-counters,pc-table -I. -Ibackends -Itests -c -o "build/fuzz/$t.o" "tests/fuzz/fuzz_$t.c" &&
            clang -fsanitize=fuzzer -o "build/fuzz/${t}_fast" "build/fuzz/$t.o" || exit 1
        began=$(date +%s); jobs=${JOBS:-1}; pids=; n=0; runs=0
        while [ "$n" -lt "$jobs" ]; do
            "build/fuzz/${t}_fast" -runs=$((FUZZ_RUNS / jobs)) -entropic=0 -reload=1 -max_len=1500 -timeout=20 -rss_limit_mb=4000 -print_final_stats=1 \
                -artifact_prefix="build/fuzz/$t-" $dict "build/fuzz/work_$t" "tests/fuzz/corpus/$t" >"build/fuzz/${t}_fast$n.log" 2>&1 &
            pids="$pids $!"; n=$((n + 1))
        done
        for p in $pids; do wait "$p" || status=1; done
        n=0
        while [ "$n" -lt "$jobs" ]; do
            more=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/${t}_fast$n.log"); runs=$((runs + ${more:-0}))
            grep -aE 'must hold|ERROR' "build/fuzz/${t}_fast$n.log"; n=$((n + 1))
        done
        echo "| $(git rev-parse --short HEAD) | fuzz $t, fast | $runs runs | $(($(date +%s) - began)) s | $(ls build/fuzz/"$t"-* 2>/dev/null | wc -l) |"
    fi
    "build/fuzz/$t" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4000 -print_final_stats=1 -artifact_prefix="build/fuzz/$t-" \
        $dict "build/fuzz/work_$t" "tests/fuzz/corpus/$t" >"build/fuzz/$t.log" 2>&1 || { status=1; tail -20 "build/fuzz/$t.log"; }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$t.log")
    echo "| $(git rev-parse --short HEAD) | fuzz $t | ${runs:-0} runs | $seconds s | $(ls build/fuzz/"$t"-* 2>/dev/null | wc -l) |"
    if [ "${MERGE:-0}" = 1 ]; then # small inputs only: they are replayed in every make test
        rm -rf "build/fuzz/merged_$t"; mkdir "build/fuzz/merged_$t"
        "build/fuzz/$t" -merge=1 -max_len=1200 "build/fuzz/merged_$t" "tests/fuzz/corpus/$t" "build/fuzz/work_$t" >/dev/null 2>&1
        rm -rf "tests/fuzz/corpus/$t"; cp -r "build/fuzz/merged_$t" "tests/fuzz/corpus/$t"
    fi
done
exit $status
