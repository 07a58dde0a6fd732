#!/bin/sh
# Whether clang-format, with the tree's .clang-format, would change anything, and whether a comment, which it leaves as it
# is, makes a line of the library longer than 100 columns.
# Another major version formats otherwise.
clang-format --version 2>/dev/null | grep -q 'version 14' || { echo "  skipped format: clang-format 14 is not installed"; echo "format: 0 passed, 0 failed, 1 skipped"; exit 0; }
told=${TMPDIR:-/tmp}/wshub-format.$$
printf "%s\n" wshub.h backends/*.h examples/*.[ch] examples/*.cpp tests/*.[ch] tests/fuzz/*.[ch] tests/bench/*.[ch] | xargs -P "$(nproc 2>/dev/null || echo 2)" -I{} sh -c 'if clang-format {} | cmp -s - {}; then echo ok; else echo "FAIL {}: clang-format -i {}"; fi' >"$told"
for f in wshub.h backends/*.h; do
    long=$(grep -nE '.{101}' "$f" | cut -d: -f1 | xargs)
    [ -z "$long" ] && echo ok || echo "FAIL $f: longer than 100 columns: line $long"
done >>"$told"
grep '^FAIL' "$told"
pass=$(grep -c '^ok' "$told"); fail=$(grep -c '^FAIL' "$told"); rm -f "$told"
echo "format: $pass passed, $fail failed, 0 skipped"
[ $fail -eq 0 ]
