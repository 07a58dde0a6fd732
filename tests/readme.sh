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
# no example writes JSON by printf
for f in examples/*.c examples/*.cpp; do
    if tr '\n' ' ' <"$f" | grep -qE 'printf\([^;]*[{[]\\"'; then fail=$((fail + 1)); echo "FAIL $f writes JSON by printf: see wshub_json_writer"; else pass=$((pass + 1)); fi
done
# every backend is named, once at least
for f in backends/*.h; do
    if grep -qF "$f" README.md; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f is not named in README.md"; fi
    # and its contracts and manual are looked at
    if grep -qF "\"$f\"" tests/texts.h; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f is not in the list of tests/texts.h"; fi
done
# examples/README.md lists each example, **`name`**, with the command that its head names, and shows each picture and folder;
# what it names is there; pictures are small
for f in examples/*; do
    name=${f#examples/}; how=
    case $name in
    README.md) continue ;;
    *.png) how="]($name)"; [ "$(wc -c <"$f")" -lt 122880 ] || { fail=$((fail + 1)); echo "FAIL $f has 120 KiB and more"; } ;;
    *.c | *.cpp | *.sh) how="**\`$name\`** "; command=$(sed -n 's%^\( \*\|//\) Build: \(cc\|c++\) \([^(]*\) (in examples/)$%\2 \3%p' "$f")
        if grep -qF "\`${command:-make}" examples/README.md; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL examples/README.md lacks: $command"; fi ;;
    *) [ -d "$f" ] || continue; how="]($name/)" ;;
    esac
    if [ -n "$how" ] && grep -qF "$how" examples/README.md; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f is not in the list of examples/README.md"; fi
done
for name in $(sed -n 's/^\*\*`\([^`]*\)`\*\* .*/\1/p; s/.*\](\([^)]*\)).*/\1/p' examples/README.md); do
    if [ -e "examples/$name" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL examples/README.md names $name, which is not there"; fi
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
# the manual's code, block by block: lines four further in, up to an empty one; and that of the dialects' manuals
rm -f build/manual_*.c
blocks() { # a header, the guard behind its manual, where the blocks go, what they include
    awk -v guard="#ifndef $2" -v to="$3" -v include="$4" '$0 == guard { exit }
        /^ \*     (static|int) / && !out { out = sprintf("build/manual_%s%d.c", to, ++n)
            print "#define _GNU_SOURCE\n#include \"wshub.h\"" >out
            m = split(include, files, " ")
            for (i = 1; i <= m; i++) print "#include \"" files[i] "\"" >out
            print "#include <stdio.h>" >out }
        /^ \*$/ { out = "" }
        out { print substr($0, 8) >out }' "$1"
}
blocks wshub.h WSHUB_H '' 'wshub_io_auto.h wshub_bus_redis.h wshub_ext_files.h wshub_ext_cron.h'
blocks backends/wshub_dialect_engineio.h WSHUB_DIALECT_ENGINEIO_H eio 'wshub_io_auto.h wshub_dialect_engineio.h'
blocks backends/wshub_dialect_socketio.h WSHUB_DIALECT_SOCKETIO_H sio 'wshub_io_auto.h wshub_dialect_socketio.h'
bare() { sed '/^#/d;s|//.*||' "$1" | tr '\n' ' ' | sed 's|/\*[^*]*\*/||g' | tr -d ' '; }
if [ "$(bare build/manual_1.c)" = "$(bare build/hello.part)" ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL the manual does not begin with examples/hello.c"; fi
for f in build/manual_*.c; do
    if ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Wno-unused-function -Werror -I. -Ibackends -fsyntax-only "$f"; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f, which is code of the manual"; fi
done
if [ -e build/manual_8.c ] && [ -e build/manual_eio1.c ] && [ -e build/manual_sio1.c ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL the manual's code was not found"; fi
# a default that a manual of a dialect names behind a field, `acks_max 1000`, is that of the comment at the field
for f in backends/wshub_dialect_engineio.h backends/wshub_dialect_socketio.h; do
    grep -oE '^ \*.*' "$f" | grep -oE '[a-z_]+_(max|ms) [0-9]{2,}' | sort -u >build/defaults
    while read -r field number; do
        if cat backends/wshub_dialect_*.h | grep -E "^    uint32_t $field; " | sed 's/16 MiB/16777216/; s/10 \* engine.message_bytes_max/10000000/' | grep -qE "/\* $number;"; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f: $field is not $number"; fi
    done <build/defaults
    if [ "$(wc -l <build/defaults)" -ge 5 ]; then pass=$((pass + 1)); else fail=$((fail + 1)); echo "FAIL $f names no defaults"; fi
done
echo "readme: $pass passed, $fail failed, 0 skipped"
[ $fail -eq 0 ]
