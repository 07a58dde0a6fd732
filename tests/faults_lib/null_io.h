/* An io that takes everything and keeps nothing: what a turn costs is then what the hub costs. */
#ifndef NULL_IO_H
#define NULL_IO_H
static wshub_io_owner null_owner;
static uint64_t null_sent;
static void null_attach(void *c, const wshub_io_owner *o) { (void)c; if (o) null_owner = *o; }
static int64_t null_send(void *c, wshub_conn id, const wshub_span *s, size_t n) {
    int64_t t = 0;
    (void)c; (void)id;
    while (n--) t += (int64_t)s++->len;
    null_sent += (uint64_t)t;
    return t;
}
static void null_close(void *c, wshub_conn id, bool flush) { (void)c; (void)id; (void)flush; }
static uint64_t null_now(void *c) { (void)c; return 1000; }
static bool null_random(void *c, uint8_t *b, size_t n) { (void)c; while (n--) *b++ = (uint8_t)rand(); return true; }
static void null_wake(void *c) { (void)c; }
/* version: since 0.2.0 a table says which header it was compiled with. */
static const wshub_io null_io = {.version = WSHUB_IO_VERSION, .attach = null_attach, .send = null_send, .close = null_close, .now_ms = null_now, .wall_ms = null_now, .random = null_random, .wake = null_wake};

static wshub_conn null_conn(uint32_t i) { wshub_conn c; c.id = (uint64_t)1 << 32 | i; return c; }
static void null_feed(uint32_t i, const void *bytes, size_t n) {
    uint8_t b[1024];
    memcpy(b, bytes, n);
    null_owner.received(null_owner.ctx, null_conn(i), b, n);
}
static size_t null_frame(char *to, const char *text) { /* text up to 125 bytes, masked with zeros */
    size_t n = strlen(text);
    to[0] = (char)0x81;
    to[1] = (char)(0x80 | n);
    memset(to + 2, 0, 4);
    memcpy(to + 6, text, n);
    return n + 6;
}
static void null_settle(void) { (void)null_owner.settle(null_owner.ctx); }
/* n clients, authenticated, by their numbers. */
UNUSED static void null_clients(uint32_t n) {
    static const char up[] = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char f[200];
    size_t k = null_frame(f, "{\"event\":\"authenticate\",\"data\":{}}");
    uint32_t i;
    for (i = 0; i < n; i++) {
        null_owner.opened(null_owner.ctx, null_conn(i));
        null_feed(i, up, sizeof up - 1);
        null_feed(i, f, k);
        if (i % 64 == 0) null_settle();
    }
    null_settle();
}
/* Microseconds of CPU for a turn with one echo in it; the best of several rounds. */
UNUSED static double null_turn_us(void) {
    char f[200];
    size_t k = null_frame(f, "{\"event\":\"hi\",\"data\":1}");
    double best = 1e9;
    int round, i;
    for (round = 0; round < 4; round++) {
        double t = cpu_s();
        for (i = 0; i < 60; i++) {
            null_feed((uint32_t)i % 7, f, k);
            null_settle();
        }
        t = (cpu_s() - t) / 60 * 1e6;
        if (t < best) best = t;
    }
    return best;
}
UNUSED static wshub_err null_echo(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    return wshub_client_send(hub, c, &m);
}
#endif
