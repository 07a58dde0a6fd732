/* The whole bus client by structured input: a broker in memory answers, lags, cuts and dies as
 * the bytes say, and says things of its own; a hub publishes and joins meanwhile. Afterwards
 * the broker behaves, and within ten seconds the bus is up, subscribed to what is wanted, and
 * nothing is left. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 1
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#define EXPECT MUST
#include "../broker.h"

static size_t held;
static long fail_at;
static void *count_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    if (new_bytes > old_bytes && fail_at && --fail_at == 0) return NULL;
    if (new_bytes == 0) {
        held -= old_bytes;
        free(ptr);
        return NULL;
    }
    p = malloc(new_bytes);
    MUST(p);
    held += new_bytes - old_bytes;
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    return p;
}

static wshub_bus_state told;
static void on_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    (void)hub;
    (void)down_ms;
    (void)user;
    MUST(state != told);
    told = state;
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    if (wshub_auth_accept(hub, ask, NULL)) (void)wshub_ask_fail(hub, ask);
}

/* Requests are numbered, answered in that order and each once, and never from inside the call. */
static uintptr_t asked, answered;
static bool asking;
static uint64_t sum; /* of all that is shown, so that it is read */
static void ask(wshub *hub, uint8_t how);
static void read_reply(const wshub_bus_reply *r, int depth) {
    size_t i;
    MUST(depth <= WSHUB_RESP_DEPTH_MAX);
    for (i = 0; i < r->text.len; i++) sum += (uint8_t)r->text.ptr[i];
    for (i = 0; i < r->count; i++) read_reply(&r->items[i], depth + 1);
}
static void on_reply(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    MUST(!asking && (uintptr_t)arg == answered++);
    if (reply) read_reply(reply, 0);
    if (answered % 5 == 0) ask(hub, 0);
}
static void ask(wshub *hub, uint8_t how) {
    wshub_str argv[3];
    argv[0] = wshub_str_z("SET");
    argv[1] = wshub_str_z("k");
    argv[2].ptr = (const char *)"x\0\r\n";
    argv[2].len = how % 5u;
    asking = true;
    if (wshub_bus_request(hub, argv, 3, on_reply, (void *)asked) == WSHUB_OK) asked++;
    asking = false;
}

/* What a refused command is answered with. */
/* clang-format off */
static const char *const odd[8] = {
    NULL, "-MISCONF cannot save", "-READONLY no", "-ERR unknown command",
    "*3\r\n$5\r\nslave\r\n$1\r\nh\r\n:1", "|1\r\n+a\r\n+b\r\n+OK", ":0", "$-1",
};
/* clang-format on */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static broker b;
    wshub_io_fake_desc fd;
    wshub_bus_redis_desc rd;
    wshub_bus_redis_stats st;
    wshub_desc d;
    wshub_io_fake *net;
    wshub_bus_redis *redis;
    wshub *hub;
    wshub_conn c;
    size_t i = 1, k;
    uint8_t how;
    if (size < 2 || size > 3000) return 0;
    how = data[0];
    memset(&b, 0, sizeof b);
    memset(&fd, 0, sizeof fd);
    memset(&rd, 0, sizeof rd);
    memset(&d, 0, sizeof d);
    b.role = "master";
    b.master_host = "10.0.0.1";
    b.master_port = "6379";
    told = WSHUB_BUS_DOWN;
    fail_at = 0;
    held = 0;
    asked = answered = 0;
    fd.cut_bytes = how & 1 ? 3 : 0;
    fd.completion = (how & 2) != 0;
    MUST(wshub_io_fake_create(&fd, &net) == WSHUB_OK);
    rd.io = wshub_io_fake_io(net);
    rd.url = how & 4 ? "redis://one,two" : "redis://u:p@one/1";
    rd.sentinel = how & 8 ? "main" : NULL;
    rd.sentinel_password = rd.sentinel && !(how & 4) ? "p" : NULL;
    rd.resp3 = (how & 16) != 0;
    rd.alloc = count_alloc;
    rd.message_bytes_max = 1024;
    rd.output_bytes_max = 2000;
    b.password = how & 4 ? NULL : "p";
    MUST(wshub_bus_redis_create(&rd, &redis) == WSHUB_OK);
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(redis);
    d.alloc = count_alloc;
    d.bus_exact = (how & 32) != 0;
    d.bus_linger_ms = how & 64 ? WSHUB_OFF : 100;
    d.on_bus = on_bus;
    d.on_authenticate = on_authenticate;
    MUST(wshub_create(&d, &hub) == WSHUB_OK);
    c = wshub_io_fake_connect(net, "/ws");
    wshub_io_fake_text(net, c, "{\"event\":\"authenticate\"}");
    while (i < size) {
        uint8_t op = data[i++], arg = i < size ? data[i] : 0;
        broker_link *l = &b.links[BROKER_LINKS - 1 - arg % 4]; /* the last ones are taken first */
        wshub_iter it = {0, 0};
        wshub_client client;
        wshub_msg m;
        char room[8];
        memset(&m, 0, sizeof m);
        m.event = wshub_str_z("e");
        m.data = wshub_str_z("[1]");
        switch (op % 16) {
        case 0:
            for (k = 0; k < 8; k++) (void)broker_step(&b, net), wshub_io_fake_run(net);
            break;
        case 1: (void)broker_step(&b, net); break;
        case 2: wshub_io_fake_advance(net, arg * 10u); break;
        case 3:
            if (op & 16)
                ask(hub, arg);
            else
                (void)wshub_send(hub, NULL, &m);
            if (!(op & 32)) wshub_io_fake_run(net);
            break;
        case 4: broker_drop_all(&b); break;
        case 5:
            if (l->conn.id) broker_drop(&b, l, true);
            break;
        case 6:
            b.away = arg & 1;
            b.mute = (arg & 2) != 0;
            b.hold_acks = (arg & 4) != 0;
            b.deaf_beats = (arg & 8) != 0;
            break;
        case 7:
            b.refuse = arg & 1    ? "PUBLISH"
                       : arg & 2  ? "SUBSCRIBE"
                       : arg & 4  ? "AUTH"
                       : arg & 8  ? "PING"
                       : arg & 16 ? "ROLE"
                                  : NULL;
            b.no_hello = arg & 32;
            break;
        case 8:
        case 9: /* raw words from the broker: the bytes up to the next 0xFF */
            for (k = i; k < size && data[k] != 0xFF; k++) {
            }
            if (l->conn.id) broker_say(l, data + i, k - i);
            i = k < size ? k + 1 : k;
            wshub_io_fake_run(net);
            break;
        case 10:
        case 11:
            (void)snprintf(room, sizeof room, "r%u", arg % 8u);
            if (!wshub_client_each(hub, &it, &client)) break;
            if (op & 16)
                (void)wshub_client_leave(hub, client, wshub_str_z(room));
            else
                (void)wshub_client_join(hub, client, wshub_str_z(room));
            break;
        case 12: fail_at = 1 + arg % 40; break;
        case 13:
            if (l->conn.id) wshub_io_fake_window(net, l->conn, arg);
            break;
        case 14:
            b.role = arg & 1 ? "slave" : "master";
            b.master_host = arg & 2 ? NULL : arg & 4 ? "::1" : "10.0.0.1";
            b.cluster = arg & 8;
            b.refusal = odd[arg >> 4 & 7];
            b.refusal_ends = arg & 128;
            break;
        default: wshub_io_fake_hold(net, arg & 1); break;
        }
        MUST(wshub_self_check(hub) == NULL);
    }
    fail_at = 0;
    wshub_io_fake_hold(net, false);
    b.away = b.mute = b.hold_acks = b.deaf_beats = b.no_hello = false;
    b.refuse = b.refusal = NULL;
    b.refusal_ends = b.cluster = false;
    b.role = "master";
    b.master_host = "10.0.0.1";
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b.links[i].conn.id) wshub_io_fake_window(net, b.links[i].conn, UINT64_MAX);
    }
    for (i = 0; i < 1100; i++) {
        wshub_io_fake_advance(net, 10);
        for (k = 0; k < 20 && broker_step(&b, net); k++) wshub_io_fake_run(net);
    }
    wshub_bus_redis_stats_get(redis, &st);
    MUST(st.state == WSHUB_BUS_UP && told == WSHUB_BUS_UP);
    MUST(st.unacknowledged == 0 && st.pending == 0 && st.requests_pending == 0);
    MUST(st.requests == asked && answered == asked);
    ask(hub, 0); /* one that has no answer */
    if (!d.bus_exact) MUST(st.subscribed == 4);
    for (i = 0; i < BROKER_LINKS && d.bus_exact; i++) { /* as many as are here, and the heartbeat */
        wshub_stats hs;
        wshub_stats_get(hub, &hs);
        if (b.links[i].conn.id && b.links[i].subs_count > 1)
            MUST(b.links[i].subs_count == 2 + hs.rooms + hs.users + hs.clients);
    }
    wshub_destroy(hub);
    MUST(answered == asked);
    wshub_bus_redis_destroy(redis);
    broker_drop_all(&b);
    wshub_io_fake_destroy(net);
    MUST(held == 0);
    return 0;
}
