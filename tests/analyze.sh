#!/bin/sh
# clang-tidy, with clang's path-sensitive analyzer, and cppcheck over the header and its backends: nothing may be found.
# What is left out, and why: easily-swappable-parameters, narrowing and widening conversions (-Wconversion says it better),
# reserved-identifier, dcl37, dcl51 (wshub__x is the name of what is private, and STYLE's), macro-parentheses (X macros),
# assignment-in-if (where the alternative is the same call twice), not-null-terminated-result (texts have lengths here),
# sizeof-expression (arrays of pointers), err33 (snprintf into a buffer that is as large as its text), Padding (members
# stand in the order of their use), DeprecatedOrUnsafeBufferHandling (memcpy). NOLINT in the code says why beside it.
fail=0
dir=build/analyze; mkdir -p $dir
cat >$dir/all.c <<'END'
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_poll.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
END
if command -v clang-tidy >/dev/null; then
    clang-tidy --quiet -header-filter='.*(wshub|backends).*' -checks='-*,clang-analyzer-*,bugprone-*,cert-*,misc-redundant-expression,misc-misplaced-const,performance-*,portability-*,readability-misleading-indentation,readability-duplicate-include,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-clang-analyzer-optin.performance.Padding,-bugprone-easily-swappable-parameters,-bugprone-macro-parentheses,-bugprone-assignment-in-if-condition,-bugprone-reserved-identifier,-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result,-bugprone-not-null-terminated-result,-bugprone-sizeof-expression,-cert-dcl37-c,-cert-dcl51-cpp,-cert-err33-c' \
        $dir/all.c -- -std=gnu99 -D_GNU_SOURCE -I. -Ibackends -pthread -Xclang -analyzer-opt-analyze-headers 2>/dev/null | grep -E 'warning:|error:' | sort -u >$dir/tidy
    sed 's/^/  /' $dir/tidy
    [ -s $dir/tidy ] && fail=$((fail + 1))
    tools="clang-tidy"
else
    echo "  skipped clang-tidy: not installed"; skip=$((${skip:-0} + 1))
fi
if command -v cppcheck >/dev/null; then
    cppcheck --quiet --enable=warning,portability --inline-suppr --std=c99 --max-configs=12 --suppress=missingInclude --suppress=toomanyconfigs --suppress=missingIncludeSystem -I. -Ibackends $dir/all.c >$dir/cppcheck 2>&1
    sed 's/^/  /' $dir/cppcheck
    [ -s $dir/cppcheck ] && fail=$((fail + 1))
    tools="$tools cppcheck"
else
    echo "  skipped cppcheck: not installed"; skip=$((${skip:-0} + 1))
fi
set -- $tools
echo "analyze: $(($# - fail)) passed, $fail failed, ${skip:-0} skipped"
[ $fail -eq 0 ]
