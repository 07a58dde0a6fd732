#!/bin/sh
# The README's program is examples/hello.c, and its `where is` table names what is there.
pass=0; fail=0
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;/^```$/,$d' > build/readme.c
sed -n '/^#define _GNU_SOURCE/,$p' examples/hello.c > build/hello.part
if cmp -s build/readme.c build/hello.part; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL README's program is not examples/hello.c"; diff build/readme.c build/hello.part; fi
for tag in $(grep -oE '`>>[a-z0-9-]+`' README.md | tr -d '`' | sort -u); do
    if grep -qE "^(/\*| \*) ---- $tag " wshub.h; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $tag is no room of wshub.h"; fi
done
for f in $(grep -oE '`(backends|examples|tests)/[a-z_A-Z0-9./]+`' README.md | tr -d '`' | sort -u); do
    if [ -e "$f" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f is not there"; fi
done
echo "readme: $pass passed, $fail failed, 0 skipped"
[ $fail -eq 0 ]
