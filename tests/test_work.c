/* Work per byte of input, counted in basic blocks that the compiler announces, not in time: no
 * stream costs many times what honest ones do, and twice as much of it costs twice as much
 * (CVE-2023-43669, CVE-2025-5399, CVE-2024-52532). */
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
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
void __sanitizer_cov_trace_pc(void) {
    blocks++;
}

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
static bool answer(wshub *hub, wshub_exchange request, const wshub_http *http, void *user) {
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
    bool raw;     /* HTTP, from a fresh stream */
    size_t piece; /* bytes in one report; 0: all */
    void (*build)(size_t bytes);
} kind;
/* messages of some 2 KB */
static void text_of(const char *unit, const char *begin, const char *end, size_t bytes) {
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
static void b_small(size_t bytes) {
    while (len < bytes)
        frame(0x81, "{\"event\":\"chat\",\"data\":{\"text\":\"hello, room\",\"n\":12345}}", 56);
}
static void b_large(size_t bytes) {
    text_of("lorem ipsum dolor ", "{\"event\":\"e\",\"data\":\"", "\"}", bytes);
}
static void b_crumbs(size_t bytes) {
    frame(0x01, "\"", 1);
    while (len < bytes) frame(0x00, "x", 1);
}
static void b_empty(size_t bytes) {
    frame(0x01, "\"", 1);
    while (len < bytes) frame(0x00, "", 0);
}
static void b_pings(size_t bytes) {
    while (len < bytes) frame(0x89, "", 0);
}
static void b_bad(size_t bytes) {
    while (len < bytes) frame(0x81, "{", 1);
}
static void b_heartbeats(size_t bytes) {
    while (len < bytes) frame(0x81, "{\"event\":\"heartbeat\"}", 21);
}
static void b_deep(size_t bytes) {
    text_of("[", "{\"event\":\"e\",\"data\":", "", bytes);
}
static void b_keys(size_t bytes) {
    text_of("\"a\":1,", "{\"event\":\"e\",", "\"z\":0}", bytes);
}
static void b_same_keys(size_t bytes) {
    text_of("\"event\":\"e\",", "{", "\"data\":0}", bytes);
}
static void b_escaped_keys(size_t bytes) {
    text_of("\"\\u0065vent\":1,", "{", "\"event\":\"e\"}", bytes);
}
static void b_escapes(size_t bytes) {
    text_of("\\u00e9", "{\"event\":\"", "\"}", bytes);
}
static void b_blanks(size_t bytes) {
    text_of(" ", "{\"event\":", "\"e\"}", bytes);
}
static void b_rooms(size_t bytes) {
    text_of("\"r\",", "{\"event\":\"join\",\"data\":{\"rooms\":[", "1]}}", bytes);
}
static void b_nested_rooms(size_t bytes) {
    text_of("[],", "{\"event\":\"join\",\"data\":{\"rooms\":[", "1]}}", bytes);
}
static void b_utf8(size_t bytes) {
    text_of("\xF0\x9F\x98\x80", "{\"event\":\"e\",\"data\":\"", "\"}", bytes);
}
static void b_requests(size_t bytes) {
    while (len < bytes) put("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
}
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
    /* straight to the hub; what the io does is not counted against it */
    for (at = 0; at < len; at += n) {
        n = k->piece && k->piece < len - at ? k->piece
            : k->piece                      ? len - at
            : len - at < 4096               ? len - at
                                            : 4096;
        wshub_conn_received(hub, c, copy + at, n);
        (void)wshub_settle(hub);
    }
    before = blocks - before;
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    return (double)before / (double)len;
}

TEST(no_stream_costs_many_times_what_an_honest_one_does) {
    /* clang-format off */
    static const kind kinds[] = {
        {"small messages", false, 0, b_small}, {"large messages", false, 0, b_large},
        {"fragments of a byte", false, 0, b_crumbs}, {"empty fragments", false, 0, b_empty},
        {"pings", false, 0, b_pings}, {"no JSON", false, 0, b_bad},
        {"heartbeats", false, 0, b_heartbeats}, {"nested lists", false, 0, b_deep},
        {"many keys", false, 0, b_keys}, {"the same keys", false, 0, b_same_keys},
        {"escaped keys", false, 0, b_escaped_keys}, {"escapes", false, 0, b_escapes},
        {"blanks", false, 0, b_blanks}, {"joins", false, 0, b_rooms},
        {"joins of no names", false, 0, b_nested_rooms}, {"UTF-8", false, 0, b_utf8},
        {"requests", true, 0, b_requests}, {"header fields", true, 0, b_headers},
        {"empty tokens", true, 0, b_tokens}, {"chunks of a byte", true, 0, b_chunks},
    };
    /* clang-format on */
    static const kind slow[] = {{"a head byte by byte", true, 1, b_head},
                                {"a message byte by byte", false, 1, b_large},
                                {"chunks byte by byte", true, 1, b_chunks}};
    double honest = work(&kinds[0], 100000),
           one_byte = work(&(kind){"small messages byte by byte", false, 1, b_small}, 100000);
    size_t i;
    (void)printf("  honest: %.1f blocks a byte, %.1f when it comes byte by byte\n", honest,
                 one_byte);
    EXPECT_OP(honest, >, 1);
    for (i = 0; i < sizeof kinds / sizeof *kinds + sizeof slow / sizeof *slow; i++) {
        const kind *k =
            i < sizeof kinds / sizeof *kinds ? &kinds[i] : &slow[i - sizeof kinds / sizeof *kinds];
        double half = work(k, 50000), whole = work(k, 100000),
               bound = 5 * (k->piece ? one_byte : honest);
        bool ok = whole <= bound && whole <= 1.1 * half + 1;
        if (!ok)
            (void)printf("  %s: %.1f blocks a byte of 50 KB, %.1f of 100 KB; at most %.1f\n",
                         k->what, half, whole, bound);
        EXPECT(ok);
    }
}

/* ---- the orders: sixteen times as much costs sixteen times as much (`Cost:` at the declarations) ---- */

typedef struct site { /* a hub with some clients, straight to it */
    wshub_io_fake *net;
    wshub *hub;
    wshub_client clients[2100];
    uint32_t count;
    wshub_bus_local *local;
    wshub_bus seat, other;
} site;
static wshub_ask held_asks[40000];
static uint32_t held_count;
static void keep(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    held_asks[held_count++] = ask;
}
static void nothing_heard(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)channel;
    (void)payload;
}
static void nothing_told(void *ctx, wshub_bus_state state) {
    (void)ctx;
    (void)state;
}
static void nothing_done(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}
static const char *name_of(char prefix, uint32_t i) {
    static char name[16];
    (void)snprintf(name, sizeof name, "%c%u", prefix, (unsigned)i);
    return name;
}
static void come(site *s, uint32_t n) {
    wshub_iter it = {0, 0};
    for (; s->count < n; s->count++)
        wshub_io_fake_text(s->net, wshub_io_fake_connect(s->net, "/ws"),
                           "{\"event\":\"authenticate\"}");
    for (n = 0; wshub_client_each(s->hub, &it, &s->clients[n]); n++) {
    }
}

/* Each does n of its kind; what comes before `blocks` is set to 0 is not counted. */
static void g_join(site *s, uint32_t n) {
    uint32_t i;
    blocks = 0;
    for (i = 0; i < n; i++)
        EXPECT_INT(wshub_client_join(s->hub, s->clients[0], wshub_str_z(name_of('r', i))),
                   WSHUB_OK);
}
static void g_join_again(site *s, uint32_t n) { /* ROOM-5 */
    g_join(s, n);
    g_join(s, n);
}
static void g_in_room(site *s, uint32_t n) {
    uint32_t i;
    g_join(s, n);
    blocks = 0;
    for (i = 0; i < n; i++)
        EXPECT(wshub_client_in_room(s->hub, s->clients[0], wshub_str_z(name_of('r', i))));
}
static void g_leave(site *s, uint32_t n) {
    uint32_t i;
    g_join(s, n);
    blocks = 0;
    for (i = 0; i < n; i++)
        EXPECT_INT(wshub_client_leave(s->hub, s->clients[0], wshub_str_z(name_of('r', i ^ 1))),
                   WSHUB_OK);
}
/* each room has a second member, who came first */
static void g_leave_shared(site *s, uint32_t n) {
    uint32_t i;
    for (i = 0; i < n; i++)
        EXPECT_INT(wshub_client_join(s->hub, s->clients[1], wshub_str_z(name_of('r', i))),
                   WSHUB_OK);
    g_leave(s, n);
}
static void g_end(site *s, uint32_t n) { /* one who is in many rooms goes */
    g_join(s, n);
    blocks = 0;
    EXPECT_INT(wshub_client_close(s->hub, s->clients[0], 1000, wshub_str_z("")), WSHUB_OK);
    (void)wshub_settle(s->hub);
}
static void g_each_room(site *s, uint32_t n) {
    wshub_iter it = {0, 0};
    wshub_str room;
    uint32_t seen = 0;
    g_join(s, n);
    blocks = 0;
    while (wshub_client_each_room(s->hub, s->clients[0], &it, &room)) seen++;
    EXPECT_OP(seen, >=, n);
}
static void g_room_each(site *s, uint32_t n) {
    wshub_iter it = {0, 0};
    wshub_str room;
    uint32_t seen = 0;
    g_join(s, n);
    blocks = 0;
    while (wshub_room_each(s->hub, &it, &room)) seen++;
    EXPECT_OP(seen, >=, n);
}
/* half of a room's members left out: n members, n / 2 ids */
static void g_exclude(site *s, uint32_t n) {
    static wshub_str ids[2100];
    wshub_msg m;
    uint32_t i;
    come(s, n);
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("e");
    for (i = 0; i < n / 2; i++) ids[i] = wshub_client_id(s->hub, s->clients[2 * i]);
    blocks = 0;
    EXPECT_INT(wshub_room_send_here(s->hub, wshub_str_z("ws-default"), &m, ids, n / 2), WSHUB_OK);
}
static void g_members(site *s, uint32_t n) {
    wshub_iter it = {0, 0};
    wshub_client c;
    come(s, n);
    blocks = 0;
    while (wshub_room_each_member(s->hub, wshub_str_z("ws-default"), &it, &c)) {
    }
}
static void g_clients(site *s, uint32_t n) {
    wshub_iter it = {0, 0};
    wshub_client c;
    come(s, n);
    blocks = 0;
    while (wshub_client_each(s->hub, &it, &c)) {
    }
}
static void g_timers(site *s, uint32_t n) { /* O(log n) each */
    uint32_t i;
    for (i = 0; i < n; i++)
        EXPECT_INT(wshub_timer_start(s->hub, (i * 7919) % n, nothing_done, NULL, NULL), WSHUB_OK);
    wshub_io_fake_advance(s->net, n);
}
static void g_posts(site *s, uint32_t n) {
    uint32_t i;
    for (i = 0; i < n; i++) EXPECT_INT(wshub_post(s->hub, nothing_done, NULL), WSHUB_OK);
    (void)wshub_settle(s->hub);
}
static void g_asks(site *s, uint32_t n) { /* what waits for the transformer, answered from behind */
    wshub_msg m;
    uint32_t i;
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("e");
    held_count = 0;
    EXPECT_INT(wshub_client_encrypt(s->hub, s->clients[0]), WSHUB_OK);
    blocks = 0;
    for (i = 0; i < n; i++) EXPECT_INT(wshub_client_send(s->hub, s->clients[0], &m), WSHUB_OK);
    EXPECT_INT(held_count, n);
    for (i = n; i > 0; i--)
        EXPECT_INT(wshub_transform_accept(s->hub, held_asks[i - 1], NULL), WSHUB_OK);
    (void)wshub_settle(s->hub);
}
static void g_channels(site *s, uint32_t n) {
    wshub_bus_channel ch;
    uint32_t i, k;
    ch.pattern = false;
    for (k = 0; k < 2; k++) {
        for (i = 0; i < n; i++) {
            ch.name = wshub_str_z(name_of('c', i));
            EXPECT((k ? s->seat.unsubscribe : s->seat.subscribe)(s->seat.ctx, &ch, 1));
        }
    }
}
static void g_parcels(site *s, uint32_t n) { /* on a local bus, to one who has as many channels */
    wshub_bus_channel ch;
    wshub_bus_msg m;
    uint32_t i;
    ch.pattern = false;
    for (i = 0; i < n; i++) {
        ch.name = wshub_str_z(name_of('c', i));
        EXPECT(s->seat.subscribe(s->seat.ctx, &ch, 1));
    }
    blocks = 0;
    m.payload = wshub_str_z("1");
    for (i = 0; i < n; i++) {
        m.channel = wshub_str_z(name_of('c', i));
        EXPECT_INT(s->other.publish(s->other.ctx, &m, 1), 1);
    }
    s->seat.pump(s->seat.ctx);
}
/* to one who reads nothing, with others' messages between, then all at once */
static void g_queue(site *s, uint32_t n) {
    wshub_msg m;
    uint32_t i;
    wshub_conn c = wshub_io_fake_connect(s->net, "/ws");
    wshub_client slow = {0};
    wshub_iter it = {0, 0}, last;
    wshub_io_fake_text(s->net, c, "{\"event\":\"authenticate\"}");
    while (last = it, wshub_client_each(s->hub, &it, &slow)) {
    }
    (void)last;
    wshub_io_fake_window(s->net, c, 0);
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("e");
    blocks = 0;
    for (i = 0; i < n; i++) {
        EXPECT_INT(wshub_client_send(s->hub, s->clients[1], &m), WSHUB_OK);
        EXPECT_INT(wshub_client_send(s->hub, slow, &m), WSHUB_OK);
    }
    (void)wshub_settle(s->hub);
}

TEST(sixteen_times_as_much_costs_sixteen_times_as_much) {
    static const struct {
        const char *what;
        void (*run)(site *s, uint32_t n);
        uint32_t n;
        /* clang-format off */
    } orders[] = {
        {"joining", g_join, 1000},
        {"joining again", g_join_again, 1000},
        {"asking for membership", g_in_room, 1000},
        {"leaving", g_leave, 1000},
        {"leaving shared rooms", g_leave_shared, 1000},
        {"the end of one in many rooms", g_end, 1000},
        {"a client's rooms", g_each_room, 1000},
        {"all rooms", g_room_each, 1000},
        {"leaving out", g_exclude, 128},
        {"members", g_members, 128},
        {"clients", g_clients, 128},
        {"timers", g_timers, 1000},
        {"posts", g_posts, 1000},
        {"transformations", g_asks, 1000},
        {"channels", g_channels, 1000},
        {"messages on a local bus", g_parcels, 1000},
        {"a long queue", g_queue, 1000},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof orders / sizeof *orders; i++) {
        double cost[2];
        uint32_t k;
        for (k = 0; k < 2; k++) {
            static site s;
            wshub_desc d;
            wshub_bus_owner ear;
            memset(&s, 0, sizeof s);
            memset(&d, 0, sizeof d);
            memset(&ear, 0, sizeof ear);
            EXPECT_INT(wshub_io_fake_create(NULL, &s.net), WSHUB_OK);
            d.io = wshub_io_fake_io(s.net);
            d.on_authenticate = yes;
            d.on_transform_out = orders[i].run == g_asks ? keep : NULL;
            d.encrypted_batch_max = 40000;
            d.rooms_per_client_max = 100000;
            d.backpressure_bytes_max = 64u << 20;
            EXPECT_INT(wshub_create(&d, &s.hub), WSHUB_OK);
            ear.received = nothing_heard;
            ear.state = nothing_told;
            EXPECT_INT(wshub_bus_local_create(NULL, &s.local), WSHUB_OK);
            EXPECT_INT(wshub_bus_local_seat(s.local, &s.seat), WSHUB_OK);
            EXPECT_INT(wshub_bus_local_seat(s.local, &s.other), WSHUB_OK);
            EXPECT_INT(s.seat.attach(s.seat.ctx, &ear), WSHUB_OK);
            EXPECT_INT(s.other.attach(s.other.ctx, &ear), WSHUB_OK);
            s.seat.pump(s.seat.ctx);
            s.other.pump(s.other.ctx);
            come(&s, 4);
            blocks = 0;
            orders[i].run(&s, orders[i].n << 4 * k);
            cost[k] = (double)blocks / (double)(orders[i].n << 4 * k);
            (void)s.seat.attach(s.seat.ctx, NULL);
            (void)s.other.attach(s.other.ctx, NULL);
            wshub_bus_local_destroy(s.local);
            wshub_destroy(s.hub);
            wshub_io_fake_destroy(s.net);
        }
        if (cost[1] > cost[0] * 1.5 || cost[0] <= 0)
            (void)printf("  %s: %.1f blocks each of %u, %.1f of %u\n", orders[i].what, cost[0],
                         (unsigned)orders[i].n, cost[1], (unsigned)orders[i].n << 4);
        EXPECT(cost[0] > 0 && cost[1] <= cost[0] * 1.5);
    }
}
#else
TEST(no_stream_costs_many_times_what_an_honest_one_does) {
    SKIP("the compiler cannot count basic blocks");
}
TEST(sixteen_times_as_much_costs_sixteen_times_as_much) {
    SKIP("the compiler cannot count basic blocks");
}
#endif
