/* bench_after.c: does the largest thing ever leave something behind? What an idle turn and a
 * small fan-out cost in a hub of a thousand clients, before and after something large that has
 * gone: counted by tests/bench/after.sh (make after).  build/bench_after list       the large
 * things build/bench_after THING      idle turns and fan-outs, the thing, the same again; each
 * in counted_work(). Prints the bytes that the hub holds more than before, behind the empty
 * hub's build/bench_after            all of them, without a count */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include <stdio.h>

/* ---- an io that takes everything, but for streams that lag ---- */
static wshub_io_owner owner;
static wshub *hub;
static size_t held;
static uint32_t lag_from; /* streams from this number on take nothing; 0: all take everything */
static uint64_t clock_ms = 1000;
static wshub_ask asks[64];
static uint32_t asks_count;
static void a_attach(void *ctx, const wshub_io_owner *o) {
    (void)ctx;
    if (o) owner = *o;
}
static int64_t a_send(void *ctx, wshub_conn c, const wshub_span *spans, size_t count) {
    size_t i, n = 0;
    (void)ctx;
    if (lag_from && (uint32_t)c.id >= lag_from) return 0;
    for (i = 0; i < count; i++) n += spans[i].len;
    return (int64_t)n;
}
static void a_close(void *ctx, wshub_conn c, bool flush) {
    (void)ctx;
    (void)c;
    (void)flush;
}
static uint64_t a_now(void *ctx) {
    (void)ctx;
    return clock_ms;
}
static bool a_random(void *ctx, uint8_t *bytes, size_t count) {
    static uint64_t state = 88172645463325252u;
    (void)ctx;
    while (count--) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[count] = (uint8_t)(state >> 32);
    }
    return true;
}
static void a_wake(void *ctx) {
    (void)ctx;
}
static void *a_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    held += new_bytes - old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* ---- a hub with clients ---- */
enum { CLIENTS = 1000, FEW = 10 };
static wshub_client clients[CLIENTS];
static void yes(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(h, ask, NULL);
}
static char *json_of(size_t n) {
    static char *text;
    text = (char *)realloc(text, n);
    if (!text) exit(2);
    memset(text, 'x', n);
    text[0] = text[n - 1] = '"';
    return text;
}
static bool page(wshub *h, wshub_exchange request, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)http;
    (void)user;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body.len = 16u << 20;
    r.body.ptr = json_of(r.body.len);
    return wshub_http_reply(h, request, &r) == WSHUB_OK;
}
static wshub_conn conn_of(uint32_t i) {
    wshub_conn c;
    c.id = (UINT64_C(1) << 32) | i;
    return c;
}
static void say(uint32_t i, const void *bytes, size_t n) { /* in reports of 16 KiB */
    const uint8_t *p = (const uint8_t *)bytes;
    uint8_t copy[16384];
    while (n) {
        size_t k = n < sizeof copy ? n : sizeof copy;
        memcpy(copy, p, k);
        owner.received(owner.ctx, conn_of(i), copy, k);
        p += k;
        n -= k;
    }
}
static void say_text(uint32_t i, const char *text, size_t n) { /* one frame, masked with nothing */
    uint8_t head[14];
    wshub_frame f;
    memset(&f, 0, sizeof f);
    f.fin = true;
    f.opcode = 1;
    f.masked = true;
    f.payload_bytes = n;
    say(i, head, wshub_frame_write(&f, head));
    say(i, text, n);
}
static void come(uint32_t i) {
    static const char up[] = "GET /ws HTTP/1.1\r\nHost: bench.example\r\nConnection: "
                             "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                             "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    owner.opened(owner.ctx, conn_of(i));
    say(i, up, sizeof up - 1);
    say_text(i, "{\"event\":\"authenticate\"}", 24);
    (void)owner.settle(owner.ctx);
}
static void go(uint32_t i) {
    owner.closed(owner.ctx, conn_of(i));
    (void)owner.settle(owner.ctx);
}
static wshub_msg message(size_t bytes) {
    wshub_msg m;
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("m");
    m.data.ptr = json_of(bytes);
    m.data.len = bytes;
    return m;
}

/* ---- what is counted ---- */
typedef uint64_t (*counted)(void);
uint64_t counted_work(counted run);
__attribute__((noinline)) uint64_t counted_work(counted run) {
    return run();
}
static uint64_t idle(void) {
    int i;
    for (i = 0; i < 1000; i++) (void)owner.settle(owner.ctx);
    return 1000;
}
static uint64_t fan(void) {
    wshub_msg m = message(66);
    int i;
    for (i = 0; i < 500; i++) {
        (void)wshub_room_send_here(hub, wshub_str_z("few"), &m, NULL, 0);
        (void)owner.settle(owner.ctx);
    }
    return 500;
}

/* ---- the large things ---- */
static void t_message(void) { /* to one */
    wshub_msg m = message(32u << 20);
    if (wshub_client_send(hub, clients[0], &m)) exit(3);
}
/* one to all, one to all gathered behind another, one as a binary message */
static void t_room(void) {
    wshub_msg m = message(8u << 20);
    if (wshub_all_send_here(hub, &m, NULL, 0) || wshub_all_send_here(hub, &m, NULL, 0)) exit(3);
    if (wshub_client_send_binary(hub, clients[1], (const uint8_t *)m.data.ptr, m.data.len)) exit(3);
}
static void t_page(void) {
    static const char get[] = "GET / HTTP/1.1\r\nHost: bench.example\r\n\r\n";
    owner.opened(owner.ctx, conn_of(CLIENTS));
    say(CLIENTS, get, sizeof get - 1);
    (void)owner.settle(owner.ctx);
    go(CLIENTS);
}
static void t_upload(void) { /* the largest message received, and a request's body */
    static const char post[] =
        "POST / HTTP/1.1\r\nHost: bench.example\r\nContent-Length: 4194304\r\n\r\n";
    char *text = (char *)memcpy(malloc(4u << 20), json_of(4u << 20), 4u << 20);
    say_text(3, text, 4u << 20);
    (void)owner.settle(owner.ctx);
    owner.opened(owner.ctx, conn_of(CLIENTS));
    say(CLIENTS, post, sizeof post - 1);
    say(CLIENTS, text, 4u << 20);
    (void)owner.settle(owner.ctx);
    go(CLIENTS);
    free(text);
}
static void t_rooms(void) {
    char name[16];
    uint32_t i, k;
    for (k = 0; k < 2; k++) {
        for (i = 0; i < 60000; i++) {
            (void)snprintf(name, sizeof name, "r%u", (unsigned)i);
            if ((k ? wshub_client_leave : wshub_client_join)(hub, clients[i % 4],
                                                             wshub_str_z(name)))
                exit(3);
        }
    }
}
static void t_clients(void) {
    uint32_t i;
    for (i = 0; i < 12000; i++) come(CLIENTS + i);
    for (i = 0; i < 12000; i++) go(CLIENTS + i);
}
static void t_laggards(void) { /* half of all take nothing for a while, and hold little of much */
    uint32_t i;
    wshub_msg m;
    lag_from = CLIENTS / 2;
    for (i = 0; i < 40; i++) {
        m = message(66);
        if (wshub_client_send(hub, clients[CLIENTS / 2 + i], &m)) exit(3);
        m = message(60000);
        if (wshub_client_send(hub, clients[0], &m)) exit(3);
        (void)owner.settle(owner.ctx);
    }
    m = message(2000);
    if (wshub_all_send_here(hub, &m, NULL, 0)) exit(3);
    (void)owner.settle(owner.ctx);
    lag_from = 0;
    for (i = CLIENTS / 2; i < CLIENTS; i++) owner.drained(owner.ctx, conn_of(i));
}
static void nothing(wshub *h, void *arg) {
    (void)h;
    (void)arg;
}
static void t_timers(void) { /* and posts */
    uint32_t i;
    for (i = 0; i < 50000; i++) {
        if (wshub_timer_start(hub, 1, nothing, NULL, NULL) || wshub_post(hub, nothing, NULL))
            exit(3);
    }
    clock_ms += 2;
}
static void t_excluded(void) {
    static char ids[CLIENTS][40];
    static wshub_str list[CLIENTS];
    uint32_t i;
    wshub_msg m = message(66);
    for (i = 0; i < CLIENTS; i++) {
        wshub_str id = wshub_client_id(hub, clients[i]);
        memcpy(ids[i], id.ptr, id.len);
        list[i].ptr = ids[i];
        list[i].len = id.len;
    }
    if (wshub_all_send_here(hub, &m, list, CLIENTS)) exit(3);
}
static void ask_later(wshub *h, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)h;
    (void)c;
    (void)e;
    (void)user;
    asks[asks_count++ % 64] = ask;
}
static void t_transformed(void) { /* through the transformer of one who is encrypted, then gone */
    wshub_msg m = message(8u << 20);
    wshub_iter it = {0, 0};
    wshub_client c = {0}, last = {0};
    come(CLIENTS);
    while (wshub_client_each(hub, &it, &c)) last = c;
    if (wshub_client_encrypt(hub, last) || wshub_client_send(hub, last, &m)) exit(3);
    if (wshub_transform_accept(hub, asks[0], &m)) exit(3);
    (void)owner.settle(owner.ctx);
    go(CLIENTS);
}
static const struct {
    const char *name;
    void (*run)(void);
} things[] = {
    {"message", t_message},         {"gathered", t_room}, {"page", t_page},
    {"upload", t_upload},           {"rooms", t_rooms},   {"clients", t_clients},
    {"laggards", t_laggards},       {"timers", t_timers}, {"excluded", t_excluded},
    {"transformed", t_transformed},
};
#define THINGS (sizeof things / sizeof *things)

static void one(uint32_t thing) {
    static const wshub_io io = {.version = WSHUB_IO_VERSION,
                                .attach = a_attach,
                                .send = a_send,
                                .close = a_close,
                                .now_ms = a_now,
                                .wall_ms = a_now,
                                .random = a_random,
                                .wake = a_wake};
    wshub_desc d;
    wshub_iter it = {0, 0};
    uint32_t i;
    size_t before;
    memset(&d, 0, sizeof d);
    d.io = &io;
    d.alloc = a_alloc;
    d.on_authenticate = yes;
    d.on_request = page;
    d.payload_bytes_max = d.http_body_bytes_max = 8u << 20;
    d.rooms_per_client_max = 100000;
    if (strcmp(things[thing].name, "transformed") == 0) d.on_transform_out = ask_later;
    if (wshub_create(&d, &hub)) exit(2);
    for (i = 0; i < CLIENTS; i++) come(i);
    for (i = 0; wshub_client_each(hub, &it, &clients[i]); i++) {
    }
    if (i != CLIENTS) exit(2);
    for (i = 0; i < FEW; i++) (void)wshub_client_join(hub, clients[i * 97], wshub_str_z("few"));
    (void)fan();
    (void)counted_work(idle);
    (void)counted_work(fan);
    before = held;
    things[thing].run();
    for (i = 0; i < 10; i++) {
        clock_ms += 500; /* what is given back is so within a second or two */
        (void)owner.settle(owner.ctx);
    }
    (void)fan();
    (void)counted_work(idle);
    (void)counted_work(fan);
    (void)printf("%s %ld\n", things[thing].name, (long)(held - before));
    wshub_destroy(hub);
    if (held) exit(4);
}

int main(int argc, char **argv) {
    uint32_t i;
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (i = 0; i < THINGS; i++) (void)printf("%s\n", things[i].name);
        return 0;
    }
    for (i = 0; i < THINGS; i++) {
        if (argc < 2 || strcmp(argv[1], things[i].name) == 0) one(i);
    }
    return 0;
}
