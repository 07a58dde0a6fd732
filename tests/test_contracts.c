/* Whatever wshub.h and the backends declare in public has its contract where it is declared: each
 * function, type, number, value and field (CONTRIBUTING.md, How to add: anything public). Run
 * from the root of the tree, whose files it reads. */
#define _GNU_SOURCE
#include <ctype.h>
#include "texts.h"

/* ---- the public part of a header, declaration by declaration ---- */

/* A piece of the text: whole lines, without the last one's end. */
typedef struct lines {
    const char *ptr;
    size_t len;
} lines;

typedef enum kind { FUNCTION, TYPE, NUMBER, VALUE, FIELD, KINDS } kind;

/* A declaration with its comment: the one that stands above it, with nothing but other declarations
 * between, and no blank line. len 0: there is none. */
typedef struct declared {
    kind kind;
    lines text, comment, before; /* before: the declaration in front of it */
    bool close;                  /* the comment ends on the very line above */
} declared;

typedef struct reader {
    size_t which; /* of the headers */
    const char *file, *at, *end;
    char *whole;                  /* the text of the file */
    bool in_enum, names;          /* names: those that comments explain are looked for */
    lines comment, section, head; /* the latest one, the section's banner, the file's first */
    lines before;
    bool close;
} reader;

static bool begins(lines l, const char *with) {
    return l.len >= strlen(with) && memcmp(l.ptr, with, strlen(with)) == 0;
}
static bool holds(lines l, const char *word) {
    return l.ptr && memmem(l.ptr, l.len, word, strlen(word)) != NULL;
}
static lines unindented(lines l) {
    while (l.len && *l.ptr == ' ') {
        l.ptr++;
        l.len--;
    }
    return l;
}
static lines line_at(const char *at, const char *end) {
    const char *stop = (const char *)memchr(at, '\n', (size_t)(end - at));
    lines l;
    l.ptr = at;
    l.len = (size_t)((stop ? stop : end) - at);
    return l;
}
static lines line_behind(const reader *r, lines l) {
    const char *at = l.ptr + l.len;
    return line_at(at < r->end ? at + 1 : r->end, r->end);
}
static void complain(const reader *r, lines at, const char *what, lines whom) {
    int number = 1;
    const char *p;
    for (p = r->whole; p < at.ptr; p++) number += *p == '\n';
    test_failures++;
    (void)printf("  %s:%d: %s: %.*s\n", r->file, number, what, (int)whom.len, whom.ptr);
}

/* How a piece of text ends: inside a comment, inside parentheses, or behind a whole declaration. */
static bool is_whole(lines l) {
    size_t i;
    int depth = 0;
    char last = 0;
    for (i = 0; i < l.len; i++) {
        if (i + 1 < l.len && l.ptr[i] == '/' && l.ptr[i + 1] == '*') {
            const char *stop = (const char *)memmem(l.ptr + i, l.len - i, "*/", 2);
            if (!stop) return false;
            i = (size_t)(stop + 1 - l.ptr);
            continue;
        }
        depth += (l.ptr[i] == '(') - (l.ptr[i] == ')');
        if (!isspace((unsigned char)l.ptr[i])) last = l.ptr[i];
    }
    return depth == 0 && last && strchr(";,{}", last);
}
/* Takes further lines until the piece is whole. The last value of an enum has no comma. */
static lines whole_from(const reader *r, lines l) {
    while (!is_whole(l) && l.ptr + l.len < r->end) {
        lines next = line_behind(r, l);
        if (begins(next, "}") && memmem(l.ptr, l.len, "WSHUB_", 6)) break;
        l.len = (size_t)(next.ptr + next.len - l.ptr);
    }
    return l;
}

/* The names that a comment explains: `name  text`, or `name, name  text`, three spaces in. Each has
 * to be one of what is declared below, up to the next comment or blank line. */
static void names_are_declared(const reader *r, lines comment) {
    lines below = line_behind(r, comment), l = below, line;
    const char *p;
    while (l.ptr < r->end && l.len && !begins(unindented(l), "/*")) {
        below.len = (size_t)(l.ptr + l.len - below.ptr);
        l = line_behind(r, l);
    }
    for (line = line_at(comment.ptr, r->end); line.ptr < comment.ptr + comment.len;
         line = line_behind(r, line)) {
        lines text = unindented(line), names;
        if (!begins(text, "*   ") || text.len < 6 || !islower((unsigned char)text.ptr[4])) continue;
        names.ptr = text.ptr + 4;
        for (p = names.ptr; p < text.ptr + text.len; p++) {
            if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_' &&
                !(*p == ',' && p[1] == ' ') && !(*p == ' ' && p[-1] == ','))
                break;
        }
        names.len = (size_t)(p - names.ptr);
        if (p + 1 >= text.ptr + text.len || p[0] != ' ' || p[1] != ' ') continue;
        while (names.len) {
            char name[64];
            size_t n = 0;
            while (n < names.len && names.ptr[n] != ',') n++;
            (void)snprintf(name, sizeof name, "%.*s", (int)n, names.ptr);
            if (!has_word(below.ptr, below.len, name))
                complain(r, line, "explained, not declared", names);
            names.ptr += n;
            names.len -= n;
            while (names.len && (*names.ptr == ',' || *names.ptr == ' ')) {
                names.ptr++;
                names.len--;
            }
        }
    }
}

/* A comment of its own. Banners, and what is said to the formatter, are about nothing below. */
static void read_comment(reader *r, lines *l) {
    while (!holds(*l, "*/")) {
        lines next = line_behind(r, *l);
        l->len = (size_t)(next.ptr + next.len - l->ptr);
    }
    if (begins(*l, "/* ---- ")) r->section = *l;
    if (begins(unindented(*l), "/* clang-format") || begins(unindented(*l), "/* ----")) return;
    r->comment = *l;
    r->close = true;
    if (r->names) names_are_declared(r, *l);
}

static kind kind_of(const reader *r, lines text) {
    if (begins(text, "WSHUB_API ") || begins(text, "WSHUB_INLINE ")) return FUNCTION;
    if (begins(text, "#define WSHUB_") && text.ptr[14] != '_') return NUMBER;
    if (begins(text, "    ")) return r->in_enum ? VALUE : FIELD;
    return begins(text, "typedef ") || begins(text, "enum ") ? TYPE : KINDS;
}

/* The next declaration; false: no more. */
static bool next_declared(reader *r, declared *out) {
    while (r->at < r->end) {
        lines l = line_at(r->at, r->end);
        bool close = r->close;
        if (begins(unindented(l), "/*")) {
            read_comment(r, &l);
            r->at = l.ptr + l.len + 1;
            continue;
        }
        if (begins(l, "#")) {
            while (l.ptr[l.len - 1] == '\\') l.len += 1 + line_behind(r, l).len;
        } else if (l.len && !begins(unindented(l), "WSHUB__X") && l.ptr[l.len - 1] != ')') {
            l = whole_from(r, l);
        }
        r->at = l.ptr + l.len + 1;
        r->close = false;
        if (l.len == 0) r->comment.len = 0;

        out->kind = kind_of(r, l);
        out->text = l;
        out->comment = r->comment;
        out->close = close && r->comment.len;
        if (begins(l, "typedef enum") || begins(l, "enum")) r->in_enum = true;
        if (begins(l, "}")) r->in_enum = false;
        if (out->kind == FUNCTION && l.ptr[l.len - 1] == '{') { /* its code is no declaration */
            r->at = strstr(r->at, "\n}") + 2;
            continue;
        }
        if (out->kind == KINDS || l.ptr[l.len - 1] == ')') continue;
        out->before = r->before;
        r->before = l;
        return true;
    }
    return false;
}

static void open_header(reader *r, size_t which) {
    char *begin;
    r->which = which;
    r->in_enum = r->close = false;
    r->comment.len = r->section.len = r->before.len = 0;
    r->file = headers[which];
    r->whole = text_of(r->file);
    r->head.ptr = r->whole;
    r->head.len = (size_t)(strstr(r->whole, "*/") - r->whole);
    begin = strstr(r->whole, "extern \"C\" {");
    r->end = strstr(r->whole, "#ifdef __cplusplus\n}");
    EXPECT(begin && r->end && begin < r->end);
    r->at = begin && r->end ? strchr(begin, '\n') + 1 : r->whole;
    if (!begin || !r->end) r->end = r->whole;
}

/* The next declaration of all headers, of a zeroed reader first the first. false: no more; every
 * text has been given back then. */
static bool next_of_all(reader *r, declared *out) {
    if (!r->whole) open_header(r, 0);
    while (!next_declared(r, out)) {
        free(r->whole);
        if (r->which + 1 == HEADERS) return false;
        open_header(r, r->which + 1);
    }
    return true;
}

/* ---- what is asked of each ---- */

/* `x_count` directly behind x, in its contract. */
static bool is_count_of(lines field, lines before) {
    char name[80], word[80];
    size_t n = field.len, k;
    while (n && (field.ptr[n - 1] == ';' || field.ptr[n - 1] == '\n')) n--;
    for (k = 0;
         k < n && (isalnum((unsigned char)field.ptr[n - 1 - k]) || field.ptr[n - 1 - k] == '_');)
        k++;
    (void)snprintf(name, sizeof name, "%.*s", (int)k, field.ptr + n - k);
    k = strlen(name);
    if (k < 7 || strcmp(name + k - 6, "_count") != 0) return false;
    (void)snprintf(word, sizeof word, "%.*s", (int)(k - 6), name);
    return has_word(before.ptr, before.len, word);
}

TEST(every_public_declaration_has_a_comment) {
    int seen[KINDS] = {0};
    reader r = {0};
    declared d;
    while (next_of_all(&r, &d)) {
        bool own = d.close || (d.kind != FUNCTION && holds(d.text, "/*"));
        seen[d.kind]++;
        if (d.kind == FUNCTION ? d.comment.len == 0
                               : !own && !(d.kind == FIELD && is_count_of(d.text, d.before)))
            complain(&r, d.text, "no comment", d.text);
    }
    EXPECT(seen[FUNCTION] > 200 && seen[TYPE] > 60 && seen[NUMBER] > 25 && seen[VALUE] > 70 &&
           seen[FIELD] > 300);
}

TEST(every_public_function_that_can_fail_says_how) {
    int seen = 0;
    reader r = {0};
    declared d;
    while (next_of_all(&r, &d)) {
        if (d.kind != FUNCTION ||
            !(begins(d.text, "WSHUB_API wshub_err ") || begins(d.text, "WSHUB_INLINE wshub_err ")))
            continue;
        seen++;
        if (!holds(d.comment, "Returns ") && !holds(d.comment, "Return "))
            complain(&r, d.text, "no word on what it returns", d.text);
    }
    EXPECT_OP(seen, >, 80);
}

TEST(every_name_that_a_contract_explains_is_declared) {
    int seen = 0;
    reader r = {.names = true};
    declared d;
    while (next_of_all(&r, &d)) seen++;
    EXPECT_OP(seen, >, 700);
}

TEST(every_public_function_has_a_thread_rule) { /* its own, or that of its section or file */
    int seen = 0;
    reader r = {0};
    declared d;
    while (next_of_all(&r, &d)) {
        if (d.kind != FUNCTION) continue;
        seen++;
        if (!holds(d.comment, "hread") && !holds(r.section, "hread") &&
            !(r.which > 0 && holds(r.head, "hread")))
            complain(&r, d.text, "no word on threads", d.text);
    }
    EXPECT_OP(seen, >, 200);
}

TEST(public_lines_are_at_most_100_columns_wide) {
    reader r = {0};
    lines l;
    size_t i;
    for (i = 0; i < HEADERS; i++) {
        open_header(&r, i);
        for (l = line_at(r.whole, r.end); l.ptr < r.end; l = line_behind(&r, l))
            if (l.len > 100 && !begins(l, "#error")) complain(&r, l, "too wide", l);
        free(r.whole);
    }
}
