#!/bin/sh
# Whether clang-format, with the tree's .clang-format, would change anything.
# Another major version formats otherwise.
clang-format --version 2>/dev/null | grep -q 'version 14' || { echo "  skipped format: clang-format 14 is not installed"; echo "format: 0 passed, 0 failed, 1 skipped"; exit 0; }
pass=0; fail=0
for f in wshub.h backends/*.h examples/*.c tests/*.[ch] tests/fuzz/*.[ch] tests/bench/*.[ch]; do
    if clang-format "$f" | cmp -s - "$f"; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f: clang-format -i $f"; fi
done
echo "format: $pass passed, $fail failed, 0 skipped"
[ $fail -eq 0 ]
