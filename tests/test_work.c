/* Work per byte of input, counted in basic blocks that the compiler announces, not in time: no stream costs many times
 * what honest ones do, and twice as much of it costs twice as much (CVE-2023-43669, CVE-2025-5399, CVE-2024-52532). */
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_fake.h"
#include "test.h"

#ifdef COUNTS_BLOCKS
static unsigned long blocks;
void __sanitizer_cov_trace_pc(void);
#ifdef __clang__
__attribute__((no_sanitize("coverage")))
#else
__attribute__((no_sanitize_coverage))
#endif
void __sanitizer_cov_trace_pc(void) { blocks++; }

static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    EXPECT_INT(wshub_auth_accept(hub, ask, NULL), WSHUB_OK);
}
static void join(wshub *hub, wshub_ask ask, const wshub_join *j, void *user) {
    (void)user;
    (void)wshub_join_accept(hub, ask, j->rooms, j->rooms_count);
}
static wshub_err echo(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    return wshub_client_send(hub, c, &m);
}
static bool answer(wshub *hub, wshub_request request, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)http;
    (void)user;
    memset(&r, 0, sizeof r);
    r.status = 200;
    return wshub_http_reply(hub, request, &r) == WSHUB_OK;
}

static uint8_t stream[1 << 20];
static size_t len;
static void put(const void *p, size_t n) {
    if (len + n > sizeof stream) return;
    memcpy(stream + len, p, n);
    len += n;
}
static void frame(uint8_t first, const char *payload, size_t n) { /* masked with nothing */
    uint8_t head[14];
    wshub_frame f;
    memset(&f, 0, sizeof f);
    f.fin = first >> 7;
    f.opcode = first & 15;
    f.masked = true;
    f.payload_bytes = n;
    put(head, wshub_frame_write(&f, head));
    put(payload, n);
}

typedef struct kind {
    const char *what;
    bool raw;       /* HTTP, from a fresh stream */
    size_t piece;   /* bytes in one report; 0: all */
    void (*build)(size_t bytes);
} kind;
static void text_of(const char *unit, const char *begin, const char *end, size_t bytes) { /* messages of some 2 KB */
    static char buf[4096];
    while (len < bytes) {
        size_t n = strlen(begin), u = strlen(unit);
        memcpy(buf, begin, n);
        while (n + u + strlen(end) < 2000) {
            memcpy(buf + n, unit, u);
            n += u;
        }
        memcpy(buf + n, end, strlen(end));
        frame(0x81, buf, n + strlen(end));
    }
}
static void b_small(size_t bytes) { while (len < bytes) frame(0x81, "{\"event\":\"chat\",\"data\":{\"text\":\"hello, room\",\"n\":12345}}", 56); }
static void b_large(size_t bytes) { text_of("lorem ipsum dolor ", "{\"event\":\"e\",\"data\":\"", "\"}", bytes); }
static void b_crumbs(size_t bytes) {
    frame(0x01, "\"", 1);
    while (len < bytes) frame(0x00, "x", 1);
}
static void b_empty(size_t bytes) {
    frame(0x01, "\"", 1);
    while (len < bytes) frame(0x00, "", 0);
}
static void b_pings(size_t bytes) { while (len < bytes) frame(0x89, "", 0); }
static void b_bad(size_t bytes) { while (len < bytes) frame(0x81, "{", 1); }
static void b_heartbeats(size_t bytes) { while (len < bytes) frame(0x81, "{\"event\":\"heartbeat\"}", 21); }
static void b_deep(size_t bytes) { text_of("[", "{\"event\":\"e\",\"data\":", "", bytes); }
static void b_keys(size_t bytes) { text_of("\"a\":1,", "{\"event\":\"e\",", "\"z\":0}", bytes); }
static void b_same_keys(size_t bytes) { text_of("\"event\":\"e\",", "{", "\"data\":0}", bytes); }
static void b_escaped_keys(size_t bytes) { text_of("\"\\u0065vent\":1,", "{", "\"event\":\"e\"}", bytes); }
static void b_escapes(size_t bytes) { text_of("\\u00e9", "{\"event\":\"", "\"}", bytes); }
static void b_blanks(size_t bytes) { text_of(" ", "{\"event\":", "\"e\"}", bytes); }
static void b_rooms(size_t bytes) { text_of("\"r\",", "{\"event\":\"join\",\"data\":{\"rooms\":[", "1]}}", bytes); }
static void b_nested_rooms(size_t bytes) { text_of("[],", "{\"event\":\"join\",\"data\":{\"rooms\":[", "1]}}", bytes); }
static void b_utf8(size_t bytes) { text_of("\xF0\x9F\x98\x80", "{\"event\":\"e\",\"data\":\"", "\"}", bytes); }
static void b_requests(size_t bytes) { while (len < bytes) put("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27); }
static void b_headers(size_t bytes) {
    while (len < bytes) {
        int i;
        put("GET / HTTP/1.1\r\nHost: h\r\n", 25);
        for (i = 0; i < 99; i++) put("a:\r\n", 4);
        put("\r\n", 2);
    }
}
static void b_tokens(size_t bytes) {
    while (len < bytes) {
        int i;
        put("GET / HTTP/1.1\r\nHost: h\r\nUpgrade:", 33);
        for (i = 0; i < 3000; i++) put(",", 1);
        put("\r\n\r\n", 4);
    }
}
static void b_chunks(size_t bytes) {
    put("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 57);
    while (len < bytes) put("1\r\nx\r\n", 6);
}
static void b_head(size_t bytes) {
    put("GET / HTTP/1.1\r\nHost: h\r\nX: ", 28);
    while (len < bytes && len < 8000) put("x", 1);
}

static double work(const kind *k, size_t bytes) { /* blocks per byte */
    wshub_io_fake *net;
    wshub *hub;
    wshub_desc d;
    wshub_conn c;
    unsigned long before;
    size_t at, n;
    static uint8_t copy[sizeof stream];
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    d.on_authenticate = yes;
    d.on_join = join;
    d.on_message = echo;
    d.on_request = answer;
    d.http_body_bytes_max = 1 << 20;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    if (k->raw) {
        c = wshub_io_fake_open(net);
    } else {
        c = wshub_io_fake_connect(net, "/ws");
        wshub_io_fake_text(net, c, "{\"event\":\"authenticate\"}");
    }
    wshub_io_fake_run(net);
    len = 0;
    k->build(bytes);
    memcpy(copy, stream, len);
    before = blocks;
    for (at = 0; at < len; at += n) { /* straight to the hub; what the io does is not counted against it */
        n = k->piece && k->piece < len - at ? k->piece : k->piece ? len - at : len - at < 4096 ? len - at : 4096;
        wshub_conn_received(hub, c, copy + at, n);
        (void)wshub_settle(hub);
    }
    before = blocks - before;
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    return (double)before / (double)len;
}

TEST(no_stream_costs_many_times_what_an_honest_one_does) {
    static const kind kinds[] = {
        {"small messages", false, 0, b_small}, {"large messages", false, 0, b_large}, {"fragments of a byte", false, 0, b_crumbs}, {"empty fragments", false, 0, b_empty}, {"pings", false, 0, b_pings}, {"no JSON", false, 0, b_bad}, {"heartbeats", false, 0, b_heartbeats},
        {"nested lists", false, 0, b_deep}, {"many keys", false, 0, b_keys}, {"the same keys", false, 0, b_same_keys}, {"escaped keys", false, 0, b_escaped_keys}, {"escapes", false, 0, b_escapes}, {"blanks", false, 0, b_blanks}, {"joins", false, 0, b_rooms}, {"joins of no names", false, 0, b_nested_rooms}, {"UTF-8", false, 0, b_utf8},
        {"requests", true, 0, b_requests}, {"header fields", true, 0, b_headers}, {"empty tokens", true, 0, b_tokens}, {"chunks of a byte", true, 0, b_chunks},
    };
    static const kind slow[] = {{"a head byte by byte", true, 1, b_head}, {"a message byte by byte", false, 1, b_large}, {"chunks byte by byte", true, 1, b_chunks}};
    double honest = work(&kinds[0], 100000), one_byte = work(&(kind){"small messages byte by byte", false, 1, b_small}, 100000);
    size_t i;
    (void)printf("  honest: %.1f blocks a byte, %.1f when it comes byte by byte\n", honest, one_byte);
    EXPECT(honest > 1);
    for (i = 0; i < sizeof kinds / sizeof *kinds + sizeof slow / sizeof *slow; i++) {
        const kind *k = i < sizeof kinds / sizeof *kinds ? &kinds[i] : &slow[i - sizeof kinds / sizeof *kinds];
        double half = work(k, 50000), whole = work(k, 100000), bound = 5 * (k->piece ? one_byte : honest);
        bool ok = whole <= bound && whole <= 1.1 * half + 1;
        if (!ok) (void)printf("  %s: %.1f blocks a byte of 50 KB, %.1f of 100 KB; at most %.1f\n", k->what, half, whole, bound);
        EXPECT(ok);
    }
}
#else
TEST(no_stream_costs_many_times_what_an_honest_one_does) { SKIP("the compiler cannot count basic blocks"); }
#endif
