#!/bin/sh
# The README's program is examples/hello.c and its page examples/page/index.html; both work from an empty folder with what it
# says to copy, by the command that stands beside them. Its `where is` table names what is there. The manual of wshub.h begins with the
# same program, and whatever else of it is code compiles.
pass=0; fail=0
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;/^```$/,$d' > build/readme.c
sed -n '/^#define _GNU_SOURCE/,$p' examples/hello.c > build/hello.part
if cmp -s build/readme.c build/hello.part; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL README's program is not examples/hello.c"; diff build/readme.c build/hello.part; fi
sed -n '/^```html$/,/^```$/p' README.md | sed '1d;/^```$/,$d' > build/readme.html
if cmp -s build/readme.html examples/page/index.html; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL README's page is not examples/page/index.html"; diff build/readme.html examples/page/index.html; fi
rm -rf build/readme; mkdir -p build/readme/page
cp -r wshub.h backends build/readme; cp build/readme.c build/readme/main.c; cp build/readme.html build/readme/page/index.html
command=$(sed -n 's/^    \(cc main\.c .*\) && \.\/main .*/\1/p' README.md)
if (cd build/readme && [ -n "$command" ] && eval "${CC:-cc}${command#cc}" && [ -x main ]); then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL from an empty folder: $command"; fi
for tag in $(grep -oE '`>>[a-z0-9-]+`' README.md | tr -d '`' | sort -u); do
    if grep -qE "^(/\*| \*) ---- $tag " wshub.h; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $tag is no room of wshub.h"; fi
done
# every backend and example is named, once at least
for f in backends/*.h examples/*; do
    if grep -qF "$f" README.md; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f is not named in README.md"; fi
done
# what CONTRIBUTING.md calls by its name is there, in the room that it names with it
for f in $(grep -oE '`wshub_[a-z_0-9]+\(\)`' CONTRIBUTING.md | tr -d '`()' | sort -u); do
    room=$(tr '\n' ' ' <CONTRIBUTING.md | grep -oE "\`$f\(\)\`( \(|, )\`>>[a-z0-9-]+\`" | grep -oE '>>[a-z0-9-]+' | head -1)
    found=$(awk -v f="$f(" '/^\/\* ---- >>/ { room = $3 } !/^ / && !/;$/ && index($0, f) { print room }' wshub.h | tail -1)
    if [ -n "$found" ] && [ "${room:-$found}" = "$found" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL CONTRIBUTING.md: $f is in ${found:-no room}, not in $room"; fi
done
for tag in $(grep -oE '`>>[a-z0-9-]+`' CONTRIBUTING.md | tr -d '`' | sort -u); do
    if grep -qE "^(/\*| \*) ---- $tag " wshub.h; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $tag is no room of wshub.h"; fi
done
for f in $(grep -oE '`(backends|examples|tests)/[a-z_A-Z0-9./]+`' README.md CONTRIBUTING.md | sed 's/.*://' | tr -d '`' | sort -u); do
    if [ -e "$f" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f is not there"; fi
done
# what the manual and the backends send their reader to is there
for f in $(grep -ohE '(examples|backends)/[a-z_A-Z0-9-]+\.(h|c|sh)' wshub.h backends/*.h | sort -u); do
    if [ -e "$f" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f is named by a header and is not there"; fi
done
# the manual's code, block by block: lines four further in, up to an empty one
rm -f build/manual_*.c
awk '/^#ifndef WSHUB_H$/ { exit }
    /^ \*     (static|int) / && !out { out = sprintf("build/manual_%d.c", ++n)
        print "#define _GNU_SOURCE\n#include \"wshub.h\"\n#include \"wshub_io_auto.h\"\n#include \"wshub_bus_redis.h\"\n#include \"wshub_ext_files.h\"\n#include <stdio.h>" >out }
    /^ \*$/ { out = "" }
    out { print substr($0, 8) >out }' wshub.h
bare() { sed '/^#/d;s|//.*||' "$1" | tr '\n' ' ' | sed 's|/\*[^*]*\*/||g' | tr -d ' '; }
if [ "$(bare build/manual_1.c)" = "$(bare build/hello.part)" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL the manual does not begin with examples/hello.c"; fi
for f in build/manual_*.c; do
    if ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Wno-unused-function -Werror -I. -Ibackends -fsyntax-only "$f"; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f, which is code of the manual"; fi
done
if [ -e build/manual_8.c ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL the manual's code was not found"; fi
echo "readme: $pass passed, $fail failed, 0 skipped"
[ $fail -eq 0 ]
