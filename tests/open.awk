# Opens a header to the tests: its private functions lose their `static`, so that it is compiled once and every test, which
# is a program of its own, calls them by name.
#   awk -v want=code         what is compiled: the header with these functions visible
#   awk -v want=declarations what the tests include in its place: types and tables as they are, functions without bodies
# Both have as many lines as the header, so that messages and debuggers name its lines. This leans on the tree's format: a
# function begins in the first column, its head ends in `{` or `;`, its body with a `}` in the first column.
/^#if \(?defined\(WSHUB_IMPLEMENTATION\)/ { inside = 1 }
!inside { print; next }
body {
    print want == "code" ? $0 : ""
    if ($0 == "}") body = 0
    next
}
!head && /^([A-Z_]+ )?(static|WSHUB_API) / && !/__typeof__/ && ((/\(/ && !/ = /) || /[a-z0-9_*]$/) {
    head = 1
    sub(/^static (inline )?/, ""); sub(/ static (inline )?/, " ")
}
head {
    end = $0; sub(/ *\/\*.*/, "", end)
    if (end ~ /\{$/) { head = 0; body = 1; if (want != "code") sub(/ *\{.*/, ";") }
    else if (end ~ /;$/) head = 0
}
/^#endif \/\* (WSHUB_IMPLEMENTATION|implementation) \*\// { inside = 0 }
{ print }
