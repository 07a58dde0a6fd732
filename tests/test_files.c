/* The files of a folder (backends/wshub_ext_files.h): what names something and what must not, what
 * is said of it, parts, files that change while they are sent, peers that are slow or go, and want
 * of memory and descriptors (FILE-1 to FILE-5, HTTP-2, HTTP-3; RFC 9110). */
#define _GNU_SOURCE
#include "deflate_site.h"
#include "wshub_ext_files.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static world w;
static wshub_ext_files *files;
static wshub_conn peer;
static char folder[64];

/* ---- a folder to serve ---- */

static const char *in(const char *name) {
    static char path[4][200];
    static int at;
    at = (at + 1) % 4;
    (void)snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static void write_file(const char *name, const char *bytes, size_t count) {
    FILE *f = fopen(in(name), "wb");
    EXPECT(f && fwrite(bytes, 1, count, f) == count);
    if (f) (void)fclose(f);
}

/* Its last change lies so many seconds back. */
static void age(const char *name, int seconds) {
    struct timeval at[2];
    at[0].tv_sec = at[1].tv_sec = time(NULL) - seconds;
    at[0].tv_usec = at[1].tv_usec = 123456;
    EXPECT_INT(utimes(in(name), at), 0);
}

static void old_file(const char *name, const char *text) {
    write_file(name, text, strlen(text));
    age(name, 1000);
}

static void big_file(const char *name, size_t count) {
    char *bytes = (char *)malloc(count);
    size_t i;
    EXPECT(bytes != NULL);
    for (i = 0; bytes && i < count; i++) bytes[i] = (char)(i * 7 + i / 251);
    write_file(name, bytes, count);
    free(bytes);
    age(name, 1000);
}

static void folder_make(void) {
    (void)snprintf(folder, sizeof folder, "build/files-XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    EXPECT_INT(mkdir(in("sub"), 0700), 0);
    EXPECT_INT(mkdir(in(".well-known"), 0700), 0);
    old_file("ten.txt", "0123456789");
    old_file("index.html", "<p>home");
    old_file("sub/index.html", "<p>sub");
    old_file("sub/page.HTML", "<p>page");
    old_file("a b%41.bin", "odd");
    old_file(".secret", "secret");
    old_file(".well-known/x.json", "{}");
    old_file("empty.css", "");
}

static void folder_remove(void) {
    static const char *const names[] = {"ten.txt",
                                        "index.html",
                                        "sub/index.html",
                                        "sub/page.HTML",
                                        "a b%41.bin",
                                        ".secret",
                                        ".well-known/x.json",
                                        "empty.css",
                                        "big",
                                        "link.txt",
                                        "out",
                                        "pipe",
                                        "aux.txt",
                                        "dot.",
                                        "back\\slash",
                                        "a:b",
                                        "up/ten.txt",
                                        "n\x01",
                                        ".well-known",
                                        "sub",
                                        "up",
                                        ""};
    size_t i;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) (void)remove(in(names[i]));
    EXPECT(access(folder, F_OK) != 0);
}

static void start_with(wshub_ext_files_desc fd, wshub_desc d) {
    folder_make();
    fd.folder = folder;
    if (!fd.alloc) {
        fd.alloc = world_alloc;
        fd.alloc_user = &w;
    }
    d.no_dialect = true;
    world_start(&w, d, FAKE(0));
    EXPECT_INT(wshub_ext_files_create(&fd, &files), WSHUB_OK);
    EXPECT_INT(wshub_ext_files_mount(files, w.hub), WSHUB_OK);
    peer = wshub_io_fake_open(w.net);
}
#define FILES(...) ((wshub_ext_files_desc){__VA_ARGS__})

static void start(void) {
    start_with(FILES(.folder = NULL), DESC(.no_pings = true));
}

static void stop(void) {
    wshub *hub = w.hub;
    w.hub = NULL;
    wshub_destroy(hub);
    wshub_ext_files_destroy(files);
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
    folder_remove();
}

/* ---- requests and answers ---- */

/* An answer, cut at its empty line. */
typedef struct answer {
    int status;
    char head[1024];
    const char *body;
    size_t count;
} answer;

static answer said(void) {
    wshub_str out = wshub_io_fake_output(w.net, peer);
    answer a;
    size_t i;
    memset(&a, 0, sizeof a);
    for (i = 0; i + 4 <= out.len && memcmp(out.ptr + i, "\r\n\r\n", 4) != 0; i++) {
    }
    if (i + 4 > out.len || i + 2 >= sizeof a.head) return a;
    memcpy(a.head, out.ptr, i + 2);
    a.body = out.ptr + i + 4;
    a.count = out.len - i - 4;
    a.status = atoi(a.head + 9);
    return a;
}

/* Asks anew, with further lines that end with CRLF. */
static answer ask(const char *method, const char *path, const char *lines) {
    char text[6000];
    if (!wshub_io_fake_is_open(w.net, peer)) peer = wshub_io_fake_open(w.net);
    wshub_io_fake_take(w.net, peer, wshub_io_fake_output(w.net, peer).len);
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, path, lines);
    wshub_io_fake_input(w.net, peer, text, strlen(text));
    return said();
}

/* The value of a header, in a buffer that the next call reuses; "": there is none. */
static const char *header(const answer *a, const char *name) {
    static char value[200];
    char find[64];
    const char *at, *end;
    (void)snprintf(find, sizeof find, "\r\n%s: ", name);
    at = strstr(a->head, find);
    value[0] = 0;
    if (!at) return value;
    at += strlen(find);
    end = strstr(at, "\r\n");
    (void)snprintf(value, sizeof value, "%.*s", (int)(end - at), at);
    return value;
}

static void expect_body(const answer *a, const char *want) {
    EXPECT_INT(a->count, strlen(want));
    EXPECT(a->count == strlen(want) && memcmp(a->body, want, a->count) == 0);
}
#define EXPECT_HEADER(a, name, want)                                                               \
    do {                                                                                           \
        const char *test_got = header(a, name);                                                    \
        if (strcmp(test_got, want) != 0) {                                                         \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: %s: %s is `%s`, expected `%s`\n", __FILE__, __LINE__,           \
                         test_name, name, test_got, want);                                         \
        }                                                                                          \
    } while (0)

static int status_of(const char *path) {
    return ask("GET", path, "").status;
}

/* ---- names ---- */

TEST(a_path_names_a_file_below_the_folder_and_nothing_else) { /* FILE-1; a1, a2, a13 */
    static const struct {
        const char *path;
        int status;
        const char *body;
    } rows[] = {
        {"/ten.txt", 200, "0123456789"},
        {"/", 200, "<p>home"},
        {"/sub/", 200, "<p>sub"},
        {"/sub/page.HTML", 200, "<p>page"},
        {"/%74en.txt", 200, "0123456789"},
        {"/a%20b%2541.bin", 200, "odd"}, /* decoded once */
        {"/ten.txt?x=/../y", 200, "0123456789"},
        {"/.well-known/x.json", 200, "{}"},
        {"/sub%2fpage.HTML", 200, "<p>page"}, /* decoded, then cut */
        {"/a+b%2541.bin", 404, NULL},         /* a plus is a plus in a path */
        {"/none", 404, NULL},
        {"/ten.txt/", 404, NULL},
        {"/ten.txt/x", 404, NULL},
        {"/.secret", 404, NULL},
        {"/..", 404, NULL},
        {"/../test_files.c", 404, NULL},
        {"/sub/../ten.txt", 404, NULL},
        {"/sub/./page.HTML", 404, NULL},
        {"/%2e%2e/%2e%2e/etc/hosts", 404, NULL},
        {"/..%2f..%2fetc/hosts", 404, NULL},
        {"/%252e%252e/x", 404, NULL},
        {"//ten.txt", 404, NULL},
        {"//etc/hosts", 404, NULL},
        {"/sub//page.HTML", 404, NULL},
        {"/..%5c..%5csecret.txt", 404, NULL},
        {"/back%5cslash", 404, NULL},
        {"/a%3ab", 404, NULL},
        {"/a:b", 404, NULL},
        {"/ten.txt::$DATA", 404, NULL},
        {"/CON", 404, NULL},
        {"/aux.txt", 404, NULL},
        {"/com0", 404, NULL},
        {"/lpt9.x.y", 404, NULL},
        {"/nul%20.x", 404, NULL},
        {"/conout$", 404, NULL},
        {"/ten.txt.", 404, NULL},
        {"/ten.txt%20", 404, NULL},
        {"/dot.", 404, NULL},
        {"/n%01", 404, NULL},
        {"/ten.txt%00", 400, NULL},
        {"/ten.txt%00.html", 400, NULL},
        {"/%zz", 404, NULL},
        {"/%", 404, NULL},
    };
    char path[6000];
    size_t i;
    start();
    /* These are there, and are not served all the same. */
    old_file("aux.txt", "device");
    old_file("dot.", "dot");
    old_file("back\\slash", "back");
    old_file("a:b", "stream");
    old_file("n\x01", "control");
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer a = ask("GET", rows[i].path, "");
        if (a.status != rows[i].status) (void)printf("  %s\n", rows[i].path);
        EXPECT_INT(a.status, rows[i].status);
        if (rows[i].body) expect_body(&a, rows[i].body);
    }
    for (i = 4090; i < 4100; i++) { /* around the longest path, and far over the longest name */
        path[0] = '/';
        memset(path + 1, 'x', i);
        path[i + 1] = 0;
        EXPECT_INT(status_of(path), 404);
    }
    for (i = 250; i < 260; i++) { /* around the longest name */
        memset(path + 1, 'x', i);
        path[i + 1] = 0;
        EXPECT_INT(status_of(path), 404);
    }
    EXPECT_INT(ask("GET", "/comX", "").status, 404); /* no device, and not there */
    stop();
}

TEST(no_mix_of_pieces_leads_out_of_the_folder) { /* FILE-1 */
    static const char *const pieces[] = {
        "/",   "/",       "..",      ".",     "%2e",         "%2E%2e",
        "%2f", "%5c",     "\\",      "%252e", "//",          "sub",
        "/..", "ten.txt", "out.txt", ";",     "/../out.txt", "%2e%2e%2fout.txt",
        "%00", "?",       "%c0%ae",  "~",     "sub/..",      "%ff"};
    char path[1000], outside[100];
    int i, k, served = 0;
    start();
    (void)snprintf(outside, sizeof outside, "%s/../out.txt", folder);
    write_file("../out.txt", "OUTSIDE", 7);
    any_seed = 20261126;
    for (i = 0; i < 20000; i++) {
        answer a;
        path[0] = '/';
        path[1] = 0;
        for (k = (int)any_of(6); k >= 0; k--)
            strcat(path, pieces[any_of(sizeof pieces / sizeof pieces[0])]);
        a = ask("GET", path, "");
        EXPECT(a.status == 200 || a.status == 301 || a.status == 400 || a.status == 404);
        served += a.status == 200;
        if (a.count >= 7 && memcmp(a.body, "OUTSIDE", 7) == 0) {
            EXPECT(false);
            (void)printf("  %s\n", path);
        }
    }
    EXPECT_OP(served, >, 200); /* what is inside is found among them */
    EXPECT_INT(remove(outside), 0);
    stop();
}

TEST(dot_files_and_an_index_of_another_name_are_there_if_so_set) { /* FILE-1 */
    start_with(FILES(.folder = NULL, .dot_files = true, .index = "page.HTML", .path = "/p/"),
               DESC(.no_pings = true));
    EXPECT_INT(status_of("/p/.secret"), 200);
    EXPECT_INT(status_of("/p/."), 404);
    EXPECT_INT(status_of("/p/.."), 404);
    EXPECT_INT(status_of("/p/"), 404);
    EXPECT_INT(status_of("/p/sub/"), 200);
    EXPECT_INT(status_of("/ten.txt"), 404);
    EXPECT_INT(status_of("/p"), 404);
    stop();
    start_with(FILES(.folder = NULL, .index = ""), DESC(.no_pings = true));
    EXPECT_INT(status_of("/"), 404);
    EXPECT_INT(status_of("/sub/index.html"), 200);
    stop();
}

TEST(a_folder_without_its_slash_is_redirected) { /* FILE-1 */
    answer a;
    char path[9000];
    start();
    a = ask("GET", "/sub", "");
    EXPECT_INT(a.status, 301);
    EXPECT_HEADER(&a, "Location", "/sub/");
    a = ask("HEAD", "/s%75b?a=%2f&b", "");
    EXPECT_INT(a.status, 301);
    EXPECT_HEADER(&a, "Location", "/s%75b/?a=%2f&b");
    a = ask("GET", "/sub?", "");
    EXPECT_HEADER(&a, "Location", "/sub/?");
    EXPECT_INT(ask("GET", "/sub?a=<b>", "").status, 404); /* no place that could be named */
    EXPECT_INT(ask("GET", "//sub", "").status, 404);      /* that would be a host */
    memset(path, 'q', sizeof path);
    memcpy(path, "/sub?", 5);
    path[sizeof path - 1] = 0;
    peer = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, peer, "GET ", 4);
    wshub_io_fake_input(w.net, peer, path, strlen(path));
    wshub_io_fake_input(w.net, peer, " HTTP/1.1\r\nHost: h\r\n\r\n", 22);
    EXPECT_INT(said().status, 404);
    stop();
}

TEST(only_regular_files_are_served_and_links_if_so_set) { /* FILE-2 */
    int follow;
    for (follow = 0; follow < 2; follow++) {
        start_with(FILES(.folder = NULL, .follow_links = follow == 1), DESC(.no_pings = true));
        EXPECT_INT(symlink("ten.txt", in("link.txt")), 0);
        EXPECT_INT(symlink("..", in("out")), 0);
        EXPECT_INT(symlink("sub", in("up")), 0);
        EXPECT_INT(mkfifo(in("pipe"), 0600), 0);
        EXPECT_INT(status_of("/link.txt"), follow ? 200 : 404);
        EXPECT_INT(status_of("/up/page.HTML"), follow ? 200 : 404);
        EXPECT_INT(status_of("/out/"), 404);
        EXPECT_INT(status_of("/pipe"), 404); /* nobody writes to it, and nothing hangs */
        stop();
    }
}

TEST(what_is_not_there_or_not_asked_with_get_is_anothers) { /* FILE-1 */
    start_with(FILES(.folder = NULL), DESC(.on_request = keep_request));
    kept_request.id = 0;
    EXPECT_INT(status_of("/none"), 0);
    EXPECT(kept_request.id != 0);
    EXPECT_INT(wshub_http_reply_text(w.hub, kept_request, 200, S("mine")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    kept_request.id = 0;
    EXPECT_INT(ask("DELETE", "/ten.txt", "").status, 0);
    EXPECT(kept_request.id != 0);
    stop();
    start();
    EXPECT_INT(ask("POST", "/ten.txt", "Content-Length: 0\r\n").status, 404);
    EXPECT_INT(access(in("ten.txt"), F_OK), 0);
    stop();
}

/* ---- what is said of a file ---- */

TEST(an_answer_says_what_is_there) { /* HTTP-2, FILE-4 */
    static const wshub_header more[] = {{{"Cache-Control", 13}, {"max-age=60", 10}}};
    static const wshub_ext_files_type types[] = {{"bin", "application/x-odd"}};
    char etag[80], modified[80];
    answer a;
    start_with(FILES(.folder = NULL, .headers = more, .headers_count = 1, .types = types,
                     .types_count = 1),
               DESC(.no_pings = true));
    a = ask("GET", "/ten.txt", "");
    EXPECT_HEADER(&a, "Content-Type", "text/plain; charset=utf-8");
    EXPECT_HEADER(&a, "Content-Length", "10");
    EXPECT_HEADER(&a, "Accept-Ranges", "bytes");
    EXPECT_HEADER(&a, "Content-Range", "");
    EXPECT_HEADER(&a, "Cache-Control", "max-age=60");
    (void)snprintf(etag, sizeof etag, "%s", header(&a, "ETag"));
    (void)snprintf(modified, sizeof modified, "%s", header(&a, "Last-Modified"));
    EXPECT(etag[0] == '"');
    EXPECT_INT(strlen(modified), 29);

    a = ask("HEAD", "/ten.txt", "Range: bytes=0-4\r\n"); /* a9 */
    EXPECT_INT(a.status, 200);
    EXPECT_HEADER(&a, "Content-Length", "10");
    EXPECT_HEADER(&a, "ETag", etag);
    EXPECT_INT(a.count, 0);
    a = ask("GET", "/ten.txt", ""); /* on the same stream */
    expect_body(&a, "0123456789");

    a = ask("GET", "/sub/page.HTML", "");
    EXPECT_HEADER(&a, "Content-Type", "text/html; charset=utf-8");
    a = ask("GET", "/a%20b%2541.bin", "");
    EXPECT_HEADER(&a, "Content-Type", "application/x-odd");
    a = ask("GET", "/empty.css", "Range: bytes=0-\r\n");
    EXPECT_INT(a.status, 200);
    EXPECT_HEADER(&a, "Content-Length", "0");
    old_file("big", "none");
    a = ask("GET", "/big", "");
    EXPECT_HEADER(&a, "Content-Type", "application/octet-stream");
    stop();
}

TEST(conditions_are_judged) { /* HTTP-2; a8 */
    char etag[80], modified[80], lines[300];
    answer a;
    start();
    a = ask("GET", "/ten.txt", "");
    (void)snprintf(etag, sizeof etag, "%s", header(&a, "ETag"));
    (void)snprintf(modified, sizeof modified, "%s", header(&a, "Last-Modified"));

    (void)snprintf(lines, sizeof lines, "If-None-Match: \"a,b\", W/%s\r\n", etag);
    a = ask("GET", "/ten.txt", lines);
    EXPECT_INT(a.status, 304);
    EXPECT_INT(a.count, 0);
    EXPECT_HEADER(&a, "ETag", etag);
    EXPECT_HEADER(&a, "Content-Type", "");
    EXPECT_INT(ask("GET", "/ten.txt", "If-None-Match: *\r\n").status, 304);
    EXPECT_INT(ask("GET", "/ten.txt", "If-None-Match: \"other\"\r\n").status, 200);
    (void)snprintf(lines, sizeof lines, "If-Modified-Since: %s\r\n", modified);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 304);
    (void)snprintf(lines, sizeof lines, "If-None-Match: \"o\"\r\nIf-Modified-Since: %s\r\n",
                   modified);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 200);
    EXPECT_INT(ask("GET", "/ten.txt", "If-Match: \"other\"\r\n").status, 412);
    (void)snprintf(lines, sizeof lines, "If-None-Match: %s\r\nRange: bytes=50-\r\n", etag);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 304); /* before the range is looked at */
    stop();
}

TEST(a_file_that_changed_just_now_has_a_weak_tag) { /* FILE-4; a11 */
    char etag[80], lines[200];
    answer a;
    start();
    age("ten.txt", 0);
    a = ask("GET", "/ten.txt", "");
    (void)snprintf(etag, sizeof etag, "%s", header(&a, "ETag"));
    EXPECT(memcmp(etag, "W/\"", 3) == 0);
    (void)snprintf(lines, sizeof lines, "Range: bytes=2-3\r\nIf-Range: %s\r\n", etag);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 200); /* weak tags glue nothing */
    age("ten.txt", -1000);                                 /* from the future */
    a = ask("GET", "/ten.txt", "");
    EXPECT_HEADER(&a, "Last-Modified", "");
    EXPECT(memcmp(header(&a, "ETag"), "W/", 2) == 0);
    /* Written anew with the same length: another tag, also within one second. */
    age("ten.txt", 1000);
    a = ask("GET", "/ten.txt", "");
    (void)snprintf(etag, sizeof etag, "%s", header(&a, "ETag"));
    old_file("ten.new", "abcdefghij");
    EXPECT_INT(rename(in("ten.new"), in("ten.txt")), 0);
    a = ask("GET", "/ten.txt", "");
    EXPECT(strcmp(header(&a, "ETag"), etag) != 0);
    stop();
}

TEST(parts_of_a_file) { /* HTTP-3; a3 to a7 */
    static const struct {
        const char *range;
        int status;
        const char *content_range, *body;
    } rows[] = {
        {"bytes=0-4", 206, "bytes 0-4/10", "01234"},
        {"bytes=5-", 206, "bytes 5-9/10", "56789"},
        {"bytes=-4", 206, "bytes 6-9/10", "6789"},
        {"bytes=-9999", 206, "bytes 0-9/10", "0123456789"},
        {"bytes=5-99", 206, "bytes 5-9/10", "56789"},
        {"bytes=10-", 416, "bytes */10", ""},
        {"bytes=-0", 416, "bytes */10", ""},
        {"bytes=10-,0-1", 206, "bytes 0-1/10", "01"},
        {"bytes=0-4203195464", 206, "bytes 0-9/10", "0123456789"},
        {"bytes=5-2", 200, "", "0123456789"},
        {"bytes=+1-2", 200, "", "0123456789"},
        {"bytes=0-,0-,0-,0-", 200, "", "0123456789"},
        {"lines=0-1", 200, "", "0123456789"},
    };
    char etag[80], modified[80], lines[300];
    answer a;
    size_t i;
    start();
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(lines, sizeof lines, "Range: %s\r\n", rows[i].range);
        a = ask("GET", "/ten.txt", lines);
        EXPECT_INT(a.status, rows[i].status);
        EXPECT_HEADER(&a, "Content-Range", rows[i].content_range);
        expect_body(&a, rows[i].body);
    }
    a = ask("GET", "/ten.txt", "");
    (void)snprintf(etag, sizeof etag, "%s", header(&a, "ETag"));
    (void)snprintf(modified, sizeof modified, "%s", header(&a, "Last-Modified"));
    (void)snprintf(lines, sizeof lines, "Range: bytes=5-\r\nIf-Range: %s\r\n", etag);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 206);
    (void)snprintf(lines, sizeof lines, "Range: bytes=5-\r\nIf-Range: %s\r\n", modified);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 206);
    EXPECT_INT(ask("GET", "/ten.txt", "Range: bytes=5-\r\nIf-Range: \"old\"\r\n").status, 200);
    stop();
}

/* ---- long files, slow peers ---- */

enum { BIG = 300000 };

/* Whether n bytes are those of big_file() from `at` on. */
static bool is_big(const char *bytes, size_t n, size_t at) {
    size_t i;
    for (i = 0; i < n; i++) {
        if (bytes[i] != (char)((at + i) * 7 + (at + i) / 251)) return false;
    }
    return true;
}

TEST(a_long_file_is_sent_as_its_peer_takes_it_and_never_held) { /* SEND-6 */
    answer a;
    size_t before;
    start_with(FILES(.folder = NULL), DESC(.http_answers_bytes_max = 20000));
    big_file("big", BIG);
    before = w.bytes;
    wshub_io_fake_window(w.net, peer, 1000);
    (void)ask("GET", "/big", "");
    EXPECT_OP(w.bytes - before, <, 150000);
    EXPECT_INT(w.bytes > before, 1);
    while (said().count < BIG) {
        size_t had = said().count;
        EXPECT_INT(said().status, 200);
        wshub_io_fake_window(w.net, peer, 7001);
        if (said().count == had) break; /* it stands still */
    }
    a = said();
    EXPECT_INT(a.count, BIG);
    EXPECT(is_big(a.body, a.count, 0));
    wshub_io_fake_window(w.net, peer, 1000000);
    a = ask("GET", "/big", "Range: bytes=100001-299998\r\n"); /* on the same stream */
    EXPECT_HEADER(&a, "Content-Range", "bytes 100001-299998/300000");
    EXPECT_INT(a.count, 199998);
    EXPECT(is_big(a.body, a.count, 100001));
    stop();
}

TEST(a_file_that_grows_is_cut_and_one_that_shrinks_ends_the_stream) { /* FILE-3 */
    int grows;
    for (grows = 0; grows < 2; grows++) {
        start_with(FILES(.folder = NULL), DESC(.http_answers_bytes_max = 20000));
        big_file("big", BIG);
        wshub_io_fake_window(w.net, peer, 1000);
        (void)ask("GET", "/big", "");
        EXPECT_INT(truncate(in("big"), grows ? 2 * BIG : BIG / 2), 0);
        wshub_io_fake_window(w.net, peer, 1000000);
        EXPECT_INT(wshub_io_fake_is_open(w.net, peer), grows);
        if (grows) EXPECT_INT(said().count, BIG);
        if (!grows) EXPECT_OP(said().count, <, BIG);
        stop();
    }
}

TEST(a_peer_that_goes_in_the_middle_takes_all_along) { /* FILE-3 */
    int i, fd, free_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_OP(free_fd, >=, 0);
    (void)close(free_fd);
    start_with(FILES(.folder = NULL), DESC(.http_answers_bytes_max = 20000));
    big_file("big", BIG);
    for (i = 0; i < 3; i++) {
        wshub_io_fake_window(w.net, peer, 1000);
        (void)ask("GET", "/big", "");
        if (i < 2) wshub_io_fake_end(w.net, peer);
        if (i < 2) peer = wshub_io_fake_open(w.net);
    }
    stop(); /* the third when the hub ends; its bytes are counted there */
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_INT(fd, free_fd); /* and no descriptor is left behind */
    (void)close(fd);
}

/* ---- want of memory and descriptors ---- */

TEST(without_memory_a_file_is_refused_or_its_stream_ends) { /* FILE-3 */
    long at;
    for (at = 1; at < 12; at++) {
        answer a;
        start_with(FILES(.folder = NULL), DESC(.http_answers_bytes_max = 20000));
        big_file("big", BIG);
        wshub_io_fake_window(w.net, peer, 1000);
        w.fail_at = at;
        a = ask("GET", "/big", "");
        w.fail_at = 0;
        wshub_io_fake_window(w.net, peer, 1000000);
        if (a.status == 200 && wshub_io_fake_is_open(w.net, peer)) EXPECT_INT(said().count, BIG);
        EXPECT(a.status == 0 || a.status == 200 || a.status == 500 || a.status == 503);
        EXPECT_INT(status_of("/ten.txt"), 200); /* others, and later ones, are served */
        stop();
    }
}

TEST(without_a_descriptor_the_answer_is_503) { /* FILE-1 */
    struct rlimit had, few;
    answer a;
    start();
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &had), 0);
    few = had;
    few.rlim_cur = (rlim_t)open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)close((int)few.rlim_cur);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
    a = ask("GET", "/ten.txt", "");
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &had), 0);
    EXPECT_INT(a.status, 503);
    EXPECT_INT(status_of("/ten.txt"), 200);
    stop();
}

/* ---- descriptions ---- */

TEST(a_description_is_refused_in_words_that_name_the_field) {
    static const wshub_header etag[] = {{{"etag", 4}, {"x", 1}}};
    static const wshub_ext_files_type types[] = {{"x", NULL}};
    static char long_path[WSHUB_NAME_BYTES_MAX + 2];
    struct {
        wshub_ext_files_desc desc;
        const char *field, *is; /* is: how it is told, in front of what it should be */
    } rows[] = {
        {FILES(.folder = NULL), "folder", "folder is NULL: "},
        {FILES(.folder = ""), "folder", "folder is \"\": "},
        {FILES(.folder = ".", .path = "p/"), "path", "path is \"p/\": must begin and end"},
        {FILES(.folder = ".", .path = "/p"), "path", "path is \"/p\": must begin and end"},
        {FILES(.folder = ".", .path = ""), "path", "path is \"\": must begin and end"},
        {FILES(.folder = ".", .path = "/a b/"), "path", "path is \"/a b/\": must be without"},
        {FILES(.folder = ".", .path = long_path), "path", "path is \"/xxx"},
        {FILES(.folder = ".", .index = "a/b"), "index", "index is \"a/b\": "},
        {FILES(.folder = ".", .index = long_path), "index", "index is \"/xxx"},
        {FILES(.folder = ".", .types_count = 1), "types", "types is NULL, types_count is 1: "},
        {FILES(.folder = ".", .types = types, .types_count = 1), "types",
         "types is set, types_count is 1: "},
        {FILES(.folder = ".", .types = types), "types",
         "types is set, types_count is 0: a list needs its types_count"},
        {FILES(.folder = ".", .headers = etag), "headers",
         "headers is set, headers_count is 0: a list needs its headers_count"},
        {FILES(.folder = ".", .headers_count = 1), "headers",
         "headers is NULL, headers_count is 1: "},
        {FILES(.folder = ".", .headers = etag, .headers_count = 17), "headers_count",
         "headers_count is 17: "},
        {FILES(.folder = ".", .headers = etag, .headers_count = 1), "headers",
         "headers is set, headers_count is 1: "},
    };
    char told[WSHUB_EXPLAIN_BYTES];
    wshub_ext_files *none = NULL;
    wshub_ext_files_desc good = FILES(.folder = ".");
    size_t i;
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[0] = long_path[sizeof long_path - 2] = '/';
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = wshub_ext_files_desc_problem(&rows[i].desc);
        EXPECT(why && strncmp(why, rows[i].field, strlen(rows[i].field)) == 0);
        EXPECT_INT(wshub_ext_files_create(&rows[i].desc, &none), WSHUB_ERR_PARAM);
        EXPECT_OP(wshub_ext_files_desc_explain(&rows[i].desc, WSHUB_ERR_PARAM, told, sizeof told),
                  <, sizeof told);
        EXPECT(strncmp(told, rows[i].is, strlen(rows[i].is)) == 0);
        EXPECT_HAS(told, strchr(why, ':'));
    }
    (void)wshub_ext_files_desc_explain(&good, WSHUB_OK, told, sizeof told);
    EXPECT_STR(told, "");
    (void)wshub_ext_files_desc_explain(&good, WSHUB_ERR_PARAM, told, sizeof told);
    EXPECT_STR(told, "out_files: required, and NULL");
    (void)wshub_ext_files_desc_explain(&good, WSHUB_ERR_NOMEM, told, sizeof told);
    EXPECT_STR(told, wshub_strerror(WSHUB_ERR_NOMEM));
    (void)wshub_ext_files_desc_explain(&good, WSHUB_ERR_IO, told, sizeof told);
    EXPECT_HAS(told, "folder is \".\": must be a folder that is there");
    (void)wshub_ext_files_desc_explain(NULL, WSHUB_ERR_PARAM, told, sizeof told);
    EXPECT_STR(told, "wshub_ext_files_desc: required");
    for (i = 0; i < 2; i++) {
        (void)wshub_ext_files_desc_explain_versioned(&good, i ? 1 : sizeof good, i ? 1 : 9,
                                                     WSHUB_ERR_PARAM, told, sizeof told);
        EXPECT_HAS(told, "of another wshub_ext_files.h");
    }
    EXPECT(!wshub_ext_files_desc_problem(&good));
    EXPECT(wshub_ext_files_desc_problem(NULL) != NULL);
    EXPECT_INT(wshub_ext_files_create(&good, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ext_files_create_versioned(&good, 1, 1, &none), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ext_files_create_versioned(&good, sizeof good, 9, &none), WSHUB_ERR_PARAM);
    good.folder = "/none/at/all";
    EXPECT_INT(wshub_ext_files_create(&good, &none), WSHUB_ERR_IO);
    EXPECT_INT(errno, ENOENT);
    good.folder = ".";
    memset(&w, 0, sizeof w);
    w.fail_all = true;
    good.alloc = world_alloc;
    good.alloc_user = &w;
    EXPECT_INT(wshub_ext_files_create(&good, &none), WSHUB_ERR_NOMEM);
    good.alloc = NULL;
    EXPECT_INT(wshub_ext_files_create(&good, &none), WSHUB_OK);
    wshub_ext_files_destroy(none);
    wshub_ext_files_destroy(NULL);
}

/* ---- compressed ---- */

/* The body is this text, as the codec of stored blocks has it. */
static void expect_coded(const answer *a, const char *text) {
    static uint8_t want[4000];
    stored to;
    wshub_deflate table = stored_codec(&to);
    size_t n;
    (void)table.deflate(&to, NULL, (const uint8_t *)text, strlen(text), want, &n);
    EXPECT_INT(a->count, n);
    EXPECT(a->count == n && memcmp(a->body, want, n) == 0);
}

#define GZIP "Accept-Encoding: gzip\r\n"

TEST(
    a_file_of_a_size_is_compressed_for_who_takes_that) { /* FILE-5; a10; RFC 9110 8.8.3.3, 12.5.3 */
    static char text[2001], lines[300];
    char plain[100], coded[100];
    stored to;
    wshub_deflate table = stored_codec(&to);
    answer a;
    memset(text, 'f', 2000);
    start_with(FILES(.deflate = &table, .deflate_bytes_max = 2000), DESC(.no_pings = true));
    memset(&table, 0, sizeof table); /* it was copied */
    old_file("big", text);           /* of no type that gets shorter */
    old_file("ten.txt", text);

    a = ask("GET", "/ten.txt", "");
    expect_body(&a, text);
    EXPECT_HEADER(&a, "Content-Encoding", "");
    EXPECT_HEADER(&a, "Vary", "Accept-Encoding");
    EXPECT_HEADER(&a, "Accept-Ranges", "bytes");
    (void)snprintf(plain, sizeof plain, "%s", header(&a, "ETag"));

    a = ask("GET", "/ten.txt", GZIP);
    EXPECT_INT(a.status, 200);
    expect_coded(&a, text);
    EXPECT_HEADER(&a, "Content-Encoding", "gzip");
    EXPECT_HEADER(&a, "Vary", "Accept-Encoding");
    EXPECT_HEADER(&a, "Content-Type", "text/plain; charset=utf-8");
    EXPECT_HEADER(&a, "Accept-Ranges", "");
    (void)snprintf(coded, sizeof coded, "%s", header(&a, "ETag"));
    EXPECT(strcmp(plain, coded) != 0);
    EXPECT_HAS(coded, "-gzip\"");
    a = ask("GET", "/ten.txt", "Accept-Encoding: gzip;q=0.5, deflate\r\n");
    EXPECT_HEADER(&a, "Content-Encoding", "deflate");
    EXPECT_HAS(header(&a, "ETag"), "-deflate\"");
    a = ask("HEAD", "/ten.txt", GZIP);
    EXPECT_INT(a.status, 200);
    EXPECT_INT(a.count, 0);
    EXPECT_HEADER(&a, "Content-Encoding", "gzip");
    EXPECT_HEADER(&a, "Content-Length", "2006");

    /* Each tag is that of what was sent with it. */
    (void)snprintf(lines, sizeof lines, GZIP "If-None-Match: %s\r\n", coded);
    a = ask("GET", "/ten.txt", lines);
    EXPECT_INT(a.status, 304);
    EXPECT_HEADER(&a, "ETag", coded);
    EXPECT_HEADER(&a, "Vary", "Accept-Encoding");
    EXPECT_HEADER(&a, "Content-Encoding", "");
    (void)snprintf(lines, sizeof lines, GZIP "If-None-Match: %s\r\n", plain);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 200);
    (void)snprintf(lines, sizeof lines, "If-None-Match: %s\r\n", coded);
    EXPECT_INT(ask("GET", "/ten.txt", lines).status, 200);

    /* A part is one of the plain file. */
    a = ask("GET", "/ten.txt", GZIP "Range: bytes=0-4\r\n");
    EXPECT_INT(a.status, 206);
    expect_body(&a, "fffff");
    EXPECT_HEADER(&a, "Content-Encoding", "");
    EXPECT_HEADER(&a, "ETag", plain);
    (void)snprintf(lines, sizeof lines, GZIP "Range: bytes=0-4\r\nIf-Range: %s\r\n", coded);
    a = ask("GET", "/ten.txt", lines);
    EXPECT_INT(a.status, 200);
    expect_body(&a, text);

    /* What is short, long, or does not get shorter, is what it was. */
    a = ask("GET", "/big", GZIP);
    EXPECT_HEADER(&a, "Content-Encoding", "");
    EXPECT_HEADER(&a, "Vary", "");
    a = ask("GET", "/index.html", GZIP);
    EXPECT_HEADER(&a, "Vary", "");
    memset(text, 'f', 2000);
    write_file("ten.txt", text, 2001);
    age("ten.txt", 500);
    a = ask("GET", "/ten.txt", GZIP);
    EXPECT_HEADER(&a, "Vary", "");
    EXPECT_INT(to.deflaters, 0);
    stop();
}

TEST(a_file_that_cannot_be_compressed_now_is_answered_503) { /* >>errors */
    static char text[2001];
    stored to;
    wshub_deflate table = stored_codec(&to);
    long nth;
    memset(text, 'f', 2000);
    start_with(FILES(.deflate = &table), DESC(.no_pings = true));
    old_file("ten.txt", text);
    to.no_deflate = true;
    EXPECT_INT(ask("GET", "/ten.txt", GZIP).status, 503);
    to.no_deflate = false;
    for (nth = 1; nth < 12; nth++) {
        int status;
        wshub_io_fake_end(w.net, peer);
        w.fail_at = nth;
        status = ask("GET", "/ten.txt", GZIP).status;
        w.fail_at = 0;
        EXPECT(status == 200 || status == 503 || status == 500 || status == 0);
    }
    EXPECT_INT(ask("GET", "/ten.txt", GZIP).status, 200);
    EXPECT_INT(to.deflaters, 0);
    stop();
}

TEST(a_description_that_cannot_compress_is_refused) {
    stored to;
    wshub_deflate table = stored_codec(&to);
    wshub_ext_files_desc d = FILES(.folder = "/tmp", .deflate = &table);
    EXPECT(!wshub_ext_files_desc_problem(&d));
    d.deflate_bytes_max = (16u << 20) + 1;
    EXPECT_HAS(wshub_ext_files_desc_problem(&d), "deflate_bytes_max");
    d.deflate_bytes_max = 0;
    table.version = 9;
    EXPECT_HAS(wshub_ext_files_desc_problem(&d), "deflate");
}
