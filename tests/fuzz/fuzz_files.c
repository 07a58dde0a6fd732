/* Paths of files (FILE-1 to FILE-3) of backends/wshub_ext_files.h. A folder is made in which, beside
 * what may be served, lies all that must not be: names that mean something else elsewhere, links
 * out, a pipe. The second opinion is a list of what is there for whom: a path, decoded by hand, is
 * on it letter for letter, or it is answered with 404. What is answered is the file's bytes, no
 * descriptor stays open, and a second request on the same stream is answered as the first.
 * Input: a byte of choices, the path up to a line's end, the value of Range, that of
 * If-None-Match. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 20
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_files.h"
#include "wshub_io_fake.h"
#include <sys/time.h>

enum { LINKS = 1, DOTS = 2, NO_INDEX = 4, HEAD = 8, BELOW_P = 16, SLOW = 32, OTHER_INDEX = 64 };
enum { BIG = 200000, LONG_NAME = 255 };

/* What is there: a file with its bytes, or a folder (NULL), and which choices it takes. */
typedef struct entry {
    const char *path, *bytes;
    int wants;
} entry;
static char big[BIG + 1], long_name[LONG_NAME + 1];
static const entry served[] = {
    {"ten.txt", "0123456789", 0},
    {"index.html", "<p>home", 0},
    {"sub", NULL, 0},
    {"sub/index.html", "<p>sub", 0},
    {"sub/page.HTML", "<p>page", 0},
    {"sub/deep", NULL, 0},
    {"sub/deep/er.js", "er()", 0},
    {"a b%41.bin", "odd", 0},
    {"\xFF\xC0\xAE", "no UTF-8", 0},
    {"empty.css", "", 0},
    {"com", "no device", 0},
    {"a+b", "plus", 0},
    {"big", big, 0},
    {long_name, "long", 0},
    {".well-known", NULL, 0},
    {".well-known/x.json", "{}", 0},
    {".well-known/.y", "hidden there", DOTS},
    {".secret", "secret", DOTS},
    {"sub/.hidden", NULL, DOTS},
    {"sub/.hidden/x", "hidden", DOTS},
    {"link.txt", "0123456789", LINKS},
    {"up", NULL, LINKS},
    {"up/index.html", "<p>sub", LINKS},
    {"up/page.HTML", "<p>page", LINKS},
    {"up/deep", NULL, LINKS},
    {"up/deep/er.js", "er()", LINKS},
    {"up/.hidden", NULL, LINKS | DOTS},
    {"up/.hidden/x", "hidden", LINKS | DOTS},
    {"out", NULL, LINKS},
    {"out/outside.txt", "OUTSIDE", LINKS},
    {"escape.txt", "OUTSIDE", LINKS},
};
/* What is there and served to nobody. */
static const char *const traps[] = {
    "back\\slash", "a:b",   "aux.txt", "CON",        "com1",      "nul .x", "dot.",
    "blank ",      "n\x01", "...",     "sub/lpt9.x", "sub/..\\x", "loop",   "pipe",
};

static char base[200];

static const char *below(const char *name) {
    static char path[2][600];
    static int at;
    at = !at;
    (void)snprintf(path[at], sizeof path[at], "%s/www/%s", base, name);
    return path[at];
}
static void file_make(const char *path, const char *bytes) {
    struct timeval long_ago[2] = {{1700000000, 0}, {1700000000, 0}};
    FILE *f = fopen(path, "wb");
    MUST(f && fwrite(bytes, 1, strlen(bytes), f) == strlen(bytes) && fclose(f) == 0);
    MUST(utimes(path, long_ago) == 0); /* its tag is a strong one */
}
static void folder_remove(void) {
    char line[300];
    (void)snprintf(line, sizeof line, "rm -rf '%s'", base);
    MUST(system(line) == 0);
}
static void folder_make(void) {
    const char *tmp = getenv("TMPDIR");
    char other[300];
    size_t i;
    memset(long_name, 'x', LONG_NAME);
    for (i = 0; i < BIG; i++) big[i] = (char)('0' + (i * 7 + i / 251) % 64);
    (void)snprintf(base, sizeof base, "%.150s/wshub-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    MUST(mkdtemp(base) && atexit(folder_remove) == 0);
    (void)snprintf(other, sizeof other, "%s/other", base);
    MUST(mkdir(other, 0700) == 0 && mkdir(below(""), 0700) == 0);
    (void)snprintf(other, sizeof other, "%s/other/outside.txt", base);
    file_make(other, "OUTSIDE");
    for (i = 0; i < sizeof served / sizeof *served; i++) {
        if (served[i].wants & LINKS) continue;
        if (served[i].bytes)
            file_make(below(served[i].path), served[i].bytes);
        else
            MUST(mkdir(below(served[i].path), 0700) == 0);
    }
    for (i = 0; i < sizeof traps / sizeof *traps; i++)
        if (strcmp(traps[i], "loop") != 0 && strcmp(traps[i], "pipe") != 0)
            file_make(below(traps[i]), "TRAP");
    MUST(symlink("ten.txt", below("link.txt")) == 0 && symlink("sub", below("up")) == 0 &&
         symlink("../other", below("out")) == 0 && symlink("loop", below("loop")) == 0 &&
         symlink("../other/outside.txt", below("escape.txt")) == 0);
    MUST(mkfifo(below("pipe"), 0600) == 0);
}

static size_t held;
static void *alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    held += new_bytes;
    held -= old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* ---- what is right ---- */

typedef struct expected {
    int status;     /* 200: a file; 301, 400, 404 */
    const entry *e; /* which */
} expected;

/* A path as it was sent, its query cut off, decoded into a text. Returns false: a NUL is in it. */
static bool decoded(const char *from, size_t len, char *to) {
    size_t i, n = 0;
    for (i = 0; i < len; i++) {
        unsigned value;
        char two[3] = {0, 0, 0};
        to[n] = from[i];
        if (from[i] == '%' && i + 2 < len) {
            memcpy(two, from + i + 1, 2);
            if (strspn(two, "0123456789abcdefABCDEF") == 2 && sscanf(two, "%x", &value) == 1) {
                to[n] = (char)value;
                i += 2;
            }
        }
        n++;
    }
    to[n] = 0;
    return strlen(to) == n;
}

static bool is_location(const char *s, size_t n) {
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "-._~:/?#[]@!$&'()*+,;=%";
    size_t i;
    for (i = 0; i < n; i++)
        if (!memchr(fine, s[i], sizeof fine - 1)) return false;
    return true;
}

static expected right(int choices, const char *target, size_t len) {
    const char *prefix = choices & BELOW_P ? "/p/" : "/", *query = memchr(target, '?', len);
    size_t path = query ? (size_t)(query - target) : len, i;
    char name[2000];
    expected x = {404, NULL};
    for (i = 0; i < len; i++)
        if ((uint8_t)target[i] <= ' ' || (uint8_t)target[i] >= 0x7F || target[i] == '#') {
            x.status = 400;
            return x;
        }
    if (path < strlen(prefix) || memcmp(target, prefix, strlen(prefix)) != 0) return x;
    if (!decoded(target + strlen(prefix), path - strlen(prefix), name)) {
        x.status = 400;
        return x;
    }
    if (!*name || name[strlen(name) - 1] == '/') {
        if (choices & NO_INDEX) return x;
        strcat(name, choices & OTHER_INDEX ? "page.HTML" : "index.html");
    }
    for (i = 0; i < sizeof served / sizeof *served; i++)
        if (strcmp(served[i].path, name) == 0 && !(served[i].wants & ~choices)) x.e = &served[i];
    if (x.e) x.status = x.e->bytes ? 200 : is_location(target, len) ? 301 : 404;
    return x;
}

/* ---- what was answered ---- */

/* A field of the answer's head; "": there is none. */
static const char *field(const char *head, const char *name) {
    static char value[3000];
    const char *at = strstr(head, name);
    value[0] = 0;
    if (at) {
        at += strlen(name);
        (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    }
    return value;
}

static void file_judge(const entry *e, int choices, int status, const char *head, wshub_str body,
                       wshub_str range, wshub_str none_match) {
    wshub_range r = wshub_http_range_read(range, strlen(e->bytes));
    char text[72];
    if (choices & HEAD) r = wshub_http_range_read(wshub_str_z(""), strlen(e->bytes));
    if (status != 416) { /* which says no more than the length */
        const char *etag = field(head, "\r\nETag: ");
        bool same = none_match.len && wshub_http_etag_match(none_match, wshub_str_z(etag), true);
        MUST(etag[0] == '"' && same == (status == 304));
        if (same) return;
    }
    MUST(status == r.status);
    (void)wshub_http_range_write(&r, text);
    MUST(strcmp(field(head, "\r\nContent-Range: "), text) == 0);
    if (status == 416) return;
    MUST(strtoull(field(head, "\r\nContent-Length: "), NULL, 10) == r.count);
    MUST(body.len == (choices & HEAD ? 0 : r.count));
    MUST(!body.len || memcmp(body.ptr, e->bytes + r.first, body.len) == 0);
}

static void judge(expected x, int choices, wshub_str answer, wshub_str target, wshub_str range,
                  wshub_str none_match) {
    char head[4000], location[2000];
    const char *end = memmem(answer.ptr, answer.len, "\r\n\r\n", 4), *query;
    wshub_str body;
    int status;
    MUST(end && (size_t)(end - answer.ptr) + 2 < sizeof head);
    (void)snprintf(head, sizeof head, "%.*s", (int)(end + 2 - answer.ptr), answer.ptr);
    body = wshub__str(end + 4, (size_t)(answer.ptr + answer.len - end - 4));
    status = atoi(head + 9);
    if (x.status == 200) {
        file_judge(x.e, choices, status, head, body, range, none_match);
        return;
    }
    MUST(status == x.status);
    MUST(!body.len ||
         (!memmem(body.ptr, body.len, "TRAP", 4) && !memmem(body.ptr, body.len, "OUTSIDE", 7)));
    if (status == 301) { /* the same place with a slash behind its path */
        query = memchr(target.ptr, '?', target.len);
        (void)snprintf(location, sizeof location, "%.*s/%.*s",
                       (int)(query ? query - target.ptr : (long)target.len), target.ptr,
                       query ? (int)(target.ptr + target.len - query) : 0, query ? query : "");
        MUST(strcmp(field(head, "\r\nLocation: "), location) == 0);
    }
}

/* Asks, and takes the answer. */
static void ask(wshub_io_fake *net, wshub_conn c, int choices, wshub_str target, wshub_str range,
                wshub_str none_match) {
    static char text[4000];
    size_t n = (size_t)sprintf(text, "%s ", choices & HEAD ? "HEAD" : "GET");
    expected x = right(choices, target.ptr, target.len);
    memcpy(text + n, target.ptr, target.len);
    n += target.len;
    n += (size_t)sprintf(text + n, " HTTP/1.1\r\nHost: h\r\n");
    if (range.len) n += (size_t)sprintf(text + n, "Range: %.*s\r\n", (int)range.len, range.ptr);
    if (none_match.len)
        n += (size_t)sprintf(text + n, "If-None-Match: %.*s\r\n", (int)none_match.len,
                             none_match.ptr);
    n += (size_t)sprintf(text + n, "\r\n");
    if (choices & SLOW) wshub_io_fake_window(net, c, 700);
    wshub_io_fake_input(net, c, text, n);
    wshub_io_fake_run(net);
    wshub_io_fake_window(net, c, UINT64_MAX);
    wshub_io_fake_run(net);
    judge(x, choices, wshub_io_fake_output(net, c), target, range, none_match);
    wshub_io_fake_take(net, c, SIZE_MAX);
}

/* The next line of the input, as the value of a field: trimmed, without what a field cannot have. */
static wshub_str line_take(char **at, char *end) {
    char *from = *at, *eol = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL, *p;
    if (!eol) eol = end;
    *at = eol < end ? eol + 1 : end;
    for (p = from; p < eol; p++)
        if ((uint8_t)*p < ' ' || *p == 0x7F) *p = ' ';
    while (from < eol && *from == ' ') from++;
    while (from < eol && eol[-1] == ' ') eol--;
    return wshub__str(from, (size_t)(eol - from));
}

static void both(int choices, wshub_str target, wshub_str range, wshub_str none_match) {
    wshub_ext_files_desc fd;
    wshub_ext_files *files;
    wshub_io_fake *net;
    wshub_conn c;
    wshub_desc d;
    wshub *hub;
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    MUST(wshub_io_fake_create(NULL, &net) == WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    d.no_dialect = true;
    d.alloc = fd.alloc = alloc;
    fd.folder = below("");
    fd.path = choices & BELOW_P ? "/p/" : NULL;
    fd.index = choices & NO_INDEX ? "" : choices & OTHER_INDEX ? "page.HTML" : NULL;
    fd.follow_links = choices & LINKS;
    fd.dot_files = choices & DOTS;
    MUST(wshub_create(&d, &hub) == WSHUB_OK && wshub_ext_files_create(&fd, &files) == WSHUB_OK &&
         wshub_ext_files_mount(files, hub) == WSHUB_OK);
    c = wshub_io_fake_open(net);
    ask(net, c, choices, target, range, none_match);
    if (wshub_io_fake_is_open(net, c)) ask(net, c, choices, target, range, none_match);
    MUST(!wshub_self_check(hub));
    wshub_destroy(hub);
    wshub_ext_files_destroy(files);
    wshub_io_fake_destroy(net);
}

/* Which of the first descriptors are open, a bit each. */
static uint64_t open_descriptors(void) {
    uint64_t open = 0;
    int i;
    for (i = 0; i < 64; i++)
        if (fcntl(i, F_GETFD) != -1) open |= UINT64_C(1) << i;
    return open;
}

/* All that is there, once as it is and once with every byte as an escape, to everybody. */
static void all_there(void) {
    static const int choices[] = {0, LINKS, DOTS, LINKS | DOTS};
    size_t of = sizeof served / sizeof *served, i, j, k;
    for (i = 0; i < of + sizeof traps / sizeof *traps; i++) {
        const char *name = i < of ? served[i].path : traps[i - of];
        char text[1000] = "/", plain[1000] = "/";
        size_t n = 1;
        for (j = 0; name[j]; j++) n += (size_t)sprintf(text + n, "%%%02x", (uint8_t)name[j]);
        (void)snprintf(plain + 1, sizeof plain - 1, "%s", name);
        for (k = 0; k < 4; k++) {
            both(choices[k], wshub_str_z(text), wshub__str(NULL, 0), wshub__str(NULL, 0));
            both(choices[k], wshub_str_z(plain), wshub__str(NULL, 0), wshub__str(NULL, 0));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[1024], *at = text + 1, *end = text + size, *eol;
    wshub_str target, range, none_match;
    uint64_t open = open_descriptors();
    if (size < 1 || size > 1000) return 0;
    if (!base[0]) {
        folder_make();
        all_there();
    }
    memcpy(text, data, size);
    eol = size > 1 ? memchr(at, '\n', size - 1) : NULL;
    if (!eol) eol = end;
    text[0] = '/';
    target = wshub__str(text, (size_t)(eol - text));
    at = eol < end ? eol + 1 : end;
    range = line_take(&at, end);
    none_match = line_take(&at, end);
    both(data[0], target, range, none_match);
    MUST(open_descriptors() == open && held == 0);
    return 0;
}
