#!/bin/sh
# Runs test programs, then (behind --) test scripts, and adds up their `N passed, N failed, N skipped`.
pass=0; fail=0; skip=0
for t in "$@"; do
    [ "$t" = -- ] && continue
    case $t in *.sh) out=$(sh "$t" 2>&1);; *) out=$("./$t" 2>&1);; esac
    status=$?
    printf '%s\n' "$out"
    line=$(printf '%s\n' "$out" | grep -E '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' | tail -1)
    if [ -z "$line" ]; then
        echo "FAIL $t ended with status $status and no count"
        fail=$((fail + 1))
        continue
    fi
    p=$(echo "$line" | sed 's/.*[^0-9]\([0-9][0-9]*\) passed.*/\1/;s/^\([0-9][0-9]*\) passed.*/\1/')
    f=$(echo "$line" | sed 's/.* \([0-9][0-9]*\) failed.*/\1/')
    s=$(echo "$line" | sed 's/.* \([0-9][0-9]*\) skipped.*/\1/')
    pass=$((pass + p)); fail=$((fail + f)); skip=$((skip + s))
    if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then
        echo "FAIL $t ended with status $status"
        fail=$((fail + 1))
    fi
done
echo "$pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
