/* A bus and an io have one owner at a time, who leaves them once, and in the right order; who
 * is refused leaves them to whoever has them; and nothing is lost unsaid (BUS-1, BUS-5, BYE-2,
 * EMIT-1). On seats of a local bus, on Redis against a broker in memory, on buses that only count,
 * and on sockets where threads and signals matter. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "broker.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

typedef enum bus_kind { SEAT, REDIS, BUS_KINDS } bus_kind;
typedef struct place { /* an io, a bus, and who may own them */
    world w;
    wshub_bus seat;
    wshub_bus_redis *redis;
    const wshub_bus *bus;
} place;
static broker redis_server;
static wshub_bus_local *the_loop;
static size_t local_bytes;
static void *local_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    /* seats are on threads of their own */
    (void)__atomic_add_fetch(&local_bytes, new_bytes - old_bytes, __ATOMIC_RELAXED);
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}
static void network_start(void) {
    wshub_bus_local_desc d;
    memset(&d, 0, sizeof d);
    d.alloc = local_alloc;
    local_bytes = 0;
    memset(&redis_server, 0, sizeof redis_server);
    EXPECT_INT(wshub_bus_local_create(&d, &the_loop), WSHUB_OK);
}
static void network_stop(void) {
    wshub_bus_local_destroy(the_loop);
    EXPECT_INT(local_bytes, 0);
}
static void place_open_as(place *p, bus_kind kind, wshub_bus_redis_desc rd) {
    wshub_io_fake_desc fd = {0};
    memset(p, 0, sizeof *p);
    fd.on_step = world_step;
    fd.user = &p->w;
    EXPECT_INT(wshub_io_fake_create(&fd, &p->w.net), WSHUB_OK);
    if (kind == SEAT) {
        EXPECT_INT(wshub_bus_local_seat(the_loop, &p->seat), WSHUB_OK);
        p->bus = &p->seat;
    } else {
        rd.io = wshub_io_fake_io(p->w.net);
        if (!rd.url) rd.url = "redis://h";
        EXPECT_INT(wshub_bus_redis_create(&rd, &p->redis), WSHUB_OK);
        p->bus = wshub_bus_redis_bus(p->redis);
    }
}
static void place_open(place *p, bus_kind kind) {
    wshub_bus_redis_desc rd;
    memset(&rd, 0, sizeof rd);
    place_open_as(p, kind, rd);
}
static wshub_desc place_desc(place *p, const wshub_bus *bus) {
    wshub_desc d;
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(p->w.net);
    d.bus = bus;
    d.alloc = world_alloc;
    d.alloc_user = &p->w;
    return d;
}
static void place_hub(place *p) {
    wshub_desc d = place_desc(p, p->bus);
    EXPECT_INT(wshub_create(&d, &p->w.hub), WSHUB_OK);
}
static void place_step(place *p) {
    int i;
    for (i = 0; i < 50; i++) {
        wshub_io_fake_run(p->w.net);
        if (!broker_step(&redis_server, p->w.net)) break;
    }
}
static void place_turn(place *p, uint64_t ms) {
    place_step(p);
    wshub_io_fake_advance(p->w.net, ms);
    place_step(p);
}
static void place_close(place *p) {
    wshub *hub = p->w.hub;
    int i;
    p->w.hub = NULL;
    wshub_destroy(hub);
    wshub_bus_redis_destroy(p->redis);
    for (i = 0; i < BROKER_LINKS; i++) {
        broker_link *l = &redis_server.links[i];
        if (l->conn.id && l->net == p->w.net) broker_drop(&redis_server, l, true);
    }
    wshub_io_fake_destroy(p->w.net);
    EXPECT_INT(p->w.bytes, 0);
}
static void turns(place *a, place *b, int n, uint64_t ms) {
    for (; n; n--) {
        place_turn(a, ms);
        place_turn(b, ms);
        place_turn(a, 0);
    }
}

/* BUS-1: whoever asks for a bus that is another's hears STATE, and that one notices nothing. */
TEST(a_refused_create_leaves_the_bus_to_the_hub_that_has_it) {
    int kind, who, i;
    for (kind = 0; kind < BUS_KINDS; kind++) {
        for (who = 0; who < 5; who++) {
            place a, b, other;
            wshub *hub = NULL;
            wshub_emitter *em = NULL;
            wshub_emitter_desc ed;
            wshub_desc d;
            wshub_msg m = msg("e", "1");
            network_start();
            place_open(&a, (bus_kind)kind);
            place_open(&b, (bus_kind)kind); /* listens */
            place_open(&other, REDIS);
            place_hub(&a);
            place_hub(&b);
            turns(&a, &b, 5, 100);
            memset(&ed, 0, sizeof ed);
            ed.bus = a.bus;
            d = place_desc(who == 0 ? &a : &other, a.bus);
            if (who == 2) d.path = "no path"; /* nor is a description looked at */
            if (who == 4) ed.json_depth_max = UINT32_MAX;
            EXPECT_INT(who < 3 ? wshub_create(&d, &hub) : wshub_emitter_create(&ed, &em),
                       WSHUB_ERR_STATE);
            EXPECT(!hub && !em);
            for (i = 0; i < 20; i++) {
                EXPECT_INT(wshub_send(a.w.hub, NULL, &m), WSHUB_OK);
                turns(&a, &b, 1, 200);
            }
            EXPECT_INT(stats(&a.w).bus_downs, 0);
            EXPECT_INT(stats(&a.w).bus_queued_bytes, 0);
            EXPECT_INT(stats(&b.w).bus_received, 20);
            place_close(&a);
            place_close(&b);
            place_close(&other);
            network_stop();
        }
    }
}

/* BUS-1: behind an end a bus that outlives its owner has the next. */
TEST(a_bus_that_was_left_is_given_again) {
    place a;
    wshub_emitter *em;
    wshub_emitter_desc ed;
    wshub_desc d;
    int round;
    memset(&ed, 0, sizeof ed);
    network_start();
    place_open(&a, REDIS);
    ed.bus = a.bus;
    for (round = 0; round < 4; round++) {
        place_hub(&a);
        place_turn(&a, 100);
        EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_STATE);
        place_turn(&a, 100);
        EXPECT_INT(a.redis->stats.state, WSHUB_BUS_UP);
        wshub_destroy(a.w.hub);
        a.w.hub = NULL;
        place_turn(&a, 100);
        EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_OK);
        d = place_desc(&a, a.bus);
        EXPECT_INT(wshub_create(&d, &a.w.hub), WSHUB_ERR_STATE);
        EXPECT(!a.w.hub);
        wshub_emitter_destroy(em);
        place_turn(&a, 100);
    }
    place_close(&a);
    network_stop();
}

static int attached, left;
static bool is_taken, refuses;
static wshub_bus_owner counted_owner;
static char order[8];
static wshub_err counted_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (owner) {
        attached++;
        counted_owner = *owner;
        return refuses ? WSHUB_ERR_IO : WSHUB_OK;
    }
    left++;
    if (strlen(order) < 6) strcat(order, "b");
    /* as another thread may until now */
    if (attached && !refuses && counted_owner.wake) counted_owner.wake(counted_owner.ctx);
    return WSHUB_OK;
}
static size_t counted_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return count;
}
static bool counted_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    (void)count;
    return true;
}
static bool counted_taken(void *ctx) {
    (void)ctx;
    return is_taken;
}
static wshub_bus counted(void) {
    wshub_bus b;
    memset(&b, 0, sizeof b);
    b.version = WSHUB_BUS_VERSION;
    b.attach = counted_attach;
    b.publish = counted_publish;
    b.subscribe = b.unsubscribe = counted_subscribe;
    attached = left = 0;
    is_taken = refuses = false;
    order[0] = 0;
    return b;
}

/* BUS-1: given once, left once, whatever becomes of who was to own it; but not another's. */
TEST(a_bus_is_left_once_by_whom_it_was_given) {
    enum { ENDS, SHUTS_DOWN, BAD, REFUSED, NO_MEMORY, IO_TAKEN, TAKEN, WAYS };
    int way, tells, emits, n;
    for (way = 0; way < WAYS; way++) {
        for (tells = way == TAKEN; tells < 2; tells++) {
            for (emits = 0; emits < 2; emits++) {
                for (n = 1; n < (way == NO_MEMORY ? 40 : 2); n++) {
                    place p;
                    wshub *first = NULL;
                    wshub_emitter *em = NULL;
                    wshub_emitter_desc ed;
                    wshub_bus b = counted();
                    wshub_desc d;
                    wshub_err err;
                    network_start();
                    place_open(&p, REDIS); /* for its io */
                    memset(&ed, 0, sizeof ed);
                    ed.bus = &b;
                    ed.alloc = world_alloc;
                    ed.alloc_user = &p.w;
                    d = place_desc(&p, NULL);
                    if (way == IO_TAKEN) EXPECT_INT(wshub_create(&d, &first), WSHUB_OK);
                    d = place_desc(&p, &b);
                    if (tells) b.taken = counted_taken;
                    is_taken = way == TAKEN;
                    refuses = way == REFUSED;
                    if (way == BAD) d.path = "no path";
                    if (way == BAD) ed.json_depth_max = UINT32_MAX;
                    if (way == NO_MEMORY) p.w.fail_at = n;
                    err = emits ? wshub_emitter_create(&ed, &em) : wshub_create(&d, &p.w.hub);
                    p.w.fail_at = 0;
                    if (way == TAKEN) EXPECT_INT(err, WSHUB_ERR_STATE);
                    if (way == BAD) EXPECT_INT(err, WSHUB_ERR_PARAM);
                    if (way == REFUSED) EXPECT_INT(err, WSHUB_ERR_IO);
                    if (way == IO_TAKEN) EXPECT_INT(err, emits ? WSHUB_OK : WSHUB_ERR_STATE);
                    EXPECT_INT(left, err && way != TAKEN);
                    wshub_io_fake_run(p.w.net);
                    if (way == SHUTS_DOWN && p.w.hub) EXPECT_INT(wshub_shutdown(p.w.hub), WSHUB_OK);
                    if (way == SHUTS_DOWN && em)
                        wshub_emitter_close(em, 1000, NULL, NULL);
                    else
                        wshub_emitter_destroy(em);
                    wshub_io_fake_advance(p.w.net, 10000);
                    wshub_destroy(first);
                    place_close(&p);
                    EXPECT_INT(left, way != TAKEN);
                    network_stop();
                }
            }
        }
    }
}

static void (*inner_attach)(void *ctx, const wshub_io_owner *owner);
static void noted_attach(void *ctx, const wshub_io_owner *owner) {
    if (!owner && strlen(order) < 6) strcat(order, "i");
    inner_attach(ctx, owner);
}
static void destroy_here(wshub *hub, void *arg) {
    *(wshub **)arg = NULL;
    wshub_destroy(hub);
}

/* BUS-1: until a bus is left, other threads may wake its owner, and that needs the io. */
TEST(a_hub_leaves_its_bus_before_its_io) {
    int way;
    for (way = 0; way < 4; way++) {
        place p;
        wshub_io io;
        wshub_bus b = counted();
        wshub_desc d;
        network_start();
        place_open(&p, REDIS);
        io = *wshub_io_fake_io(p.w.net);
        inner_attach = io.attach;
        io.attach = noted_attach;
        d = place_desc(&p, &b);
        d.io = &io;
        EXPECT_INT(wshub_create(&d, &p.w.hub), WSHUB_OK);
        wshub_io_fake_run(p.w.net);
        if (way & 1) EXPECT_INT(wshub_shutdown(p.w.hub), WSHUB_OK);
        if (way & 2)
            EXPECT_INT(wshub_timer_start(p.w.hub, 1, destroy_here, &p.w.hub, NULL), WSHUB_OK);
        wshub_io_fake_advance(p.w.net, 10000);
        place_close(&p);
        EXPECT_STR(order, "bi");
        network_stop();
    }
}

static int publishing;
static void *publish(void *arg) {
    wshub_io_sock *net;
    wshub *hub;
    wshub_desc d;
    wshub_bus bus;
    wshub_msg m = msg("e", "1");
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat((wshub_bus_local *)arg, &bus), WSHUB_OK);
    d.io = wshub_io_sock_io(net);
    d.bus = &bus;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    while (__atomic_load_n(&publishing, __ATOMIC_ACQUIRE)) {
        (void)wshub_send(hub, NULL, &m);
        (void)wshub_io_sock_run_once(net, 0);
    }
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return NULL;
}

/* BUS-1: an io that is given up before its hub lives until that has left, and so does who is
 * woken through it. */
TEST(an_io_given_up_before_its_hub_is_not_woken_when_it_is_gone) {
    pthread_t thread;
    int i, k;
    network_start();
    __atomic_store_n(&publishing, 1, __ATOMIC_RELEASE);
    EXPECT_INT(pthread_create(&thread, NULL, publish, the_loop), 0);
    for (i = 0; i < 1000; i++) {
        wshub_io_sock *net;
        wshub *hub;
        wshub_desc d;
        wshub_bus bus;
        memset(&d, 0, sizeof d);
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        EXPECT_INT(wshub_bus_local_seat(the_loop, &bus), WSHUB_OK);
        d.io = wshub_io_sock_io(net);
        d.bus = &bus;
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
        for (k = 0; k < 4; k++) EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        wshub_io_sock_destroy(net);
        wshub_destroy(hub);
    }
    __atomic_store_n(&publishing, 0, __ATOMIC_RELEASE);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    network_stop();
}

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* BYE-2: a second signal while a program drains turn by turn keeps no turn from serving, and
 * makes none spin. */
TEST(a_second_stop_while_shutting_down_keeps_nobody_from_serving) {
    static const char upgrade[] =
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    int stops, i;
    for (stops = 1; stops <= 3; stops++) {
        wshub_io_sock *net;
        wshub *hub;
        wshub_desc d;
        uint16_t port = 0;
        struct sockaddr_in a;
        int fd = socket(AF_INET, SOCK_STREAM, 0), n = 0;
        double began;
        memset(&d, 0, sizeof d);
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        d.io = wshub_io_sock_io(net);
        d.shutdown_timeout_ms = 150;
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
        memset(&a, 0, sizeof a);
        a.sin_family = AF_INET;
        a.sin_port = htons(port);
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_INT(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
        EXPECT_INT(send(fd, upgrade, sizeof upgrade - 1, 0), sizeof upgrade - 1);
        for (i = 0; i < 100 && hub->stats.upgrades == 0; i++) (void)wshub_io_sock_run_once(net, 50);
        EXPECT_INT(hub->stats.upgrades, 1); /* and never answers our Close */
        wshub_io_sock_stop(net);
        EXPECT_INT(wshub_io_sock_run(net), WSHUB_OK); /* the first signal */
        EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
        began = seconds();
        while (!wshub_is_down(hub) && seconds() - began < 60) {
            if (n < stops) wshub_io_sock_stop(net); /* and more of them */
            (void)wshub_io_sock_run_once(net, 100);
            if (++n == 1000) break;
        }
        EXPECT(wshub_is_down(hub));
        EXPECT_OP(n, <, 50);
        wshub_destroy(hub);
        wshub_io_sock_destroy(net);
        (void)close(fd);
    }
}

static int arrived;
static uint64_t told_lost;
static int told, told_log;
static void on_published(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)payload;
    arrived += channel.len < 6 || memcmp(channel.ptr, "wshub:", 6) != 0;
}
static void on_closed(uint64_t lost, void *arg) {
    (void)arg;
    told++;
    told_lost = lost;
}
static void on_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    told_log += l->code == WSHUB_LOG_BUS_UNCONFIRMED || l->code == WSHUB_LOG_BUS_DROPPED;
}

/* BYE-2, BUS-5: what was under way when a connection broke arrived or not; an end says so,
 * whenever that was. And the next owner of the same bus hears nothing of it. */
TEST(an_end_says_what_nobody_knows_to_have_arrived) {
    enum { BEFORE, AT_ONCE, LATER, NEVER, WHENS };
    int when, n, i, round;
    for (when = 0; when < WHENS; when++) {
        for (n = 0; n <= 40; n = n * 2 + 5) {
            place h, e;
            wshub_bus_redis_desc rd;
            wshub_emitter_desc ed;
            wshub_msg m = msg("e", "1");
            memset(&rd, 0, sizeof rd);
            memset(&ed, 0, sizeof ed);
            rd.publish_only = true;
            network_start();
            redis_server.on_publish = on_published;
            place_open(&h, REDIS);
            place_open_as(&e, REDIS, rd);
            /* in the second one the broker hears everything */
            for (round = 0; round < 2; round++) {
                wshub_desc d = place_desc(&h, h.bus);
                wshub_emitter *em;
                int want;
                arrived = told = told_log = 0;
                d.on_log = on_log;
                EXPECT_INT(wshub_create(&d, &h.w.hub), WSHUB_OK);
                ed.bus = e.bus;
                EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_OK);
                turns(&h, &e, 5, 100);
                told_log = 0;
                redis_server.mute = round == 0;
                for (i = 0; i < n; i++) {
                    EXPECT_INT(wshub_send(h.w.hub, NULL, &m), WSHUB_OK);
                    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
                }
                turns(&h, &e, 1, 10);
                if (round == 0 && when == BEFORE) {
                    broker_drop_all(&redis_server);
                    redis_server.mute = false;
                    turns(&h, &e, 10, 100);
                }
                wshub_emitter_close(em, 4000, on_closed, NULL);
                EXPECT_INT(wshub_shutdown(h.w.hub), WSHUB_OK);
                if (when == LATER) turns(&h, &e, 3, 50);
                if (round == 0 && (when == AT_ONCE || when == LATER)) {
                    broker_drop_all(&redis_server);
                    redis_server.mute = false;
                }
                turns(&h, &e, 70, 100);
                EXPECT(wshub_is_down(h.w.hub));
                want = 2 * n - arrived;
                EXPECT_INT(told, 1);
                EXPECT_INT(told_lost, want / 2);
                EXPECT_INT(stats(&h.w).bus_unconfirmed + stats(&h.w).bus_dropped, want / 2);
                EXPECT_INT(told_log, want > 0);
                if (round == 1) EXPECT_INT(want, 0);
                wshub_destroy(h.w.hub);
                h.w.hub = NULL;
                redis_server.mute = false;
                broker_drop_all(&redis_server);
                turns(&h, &e, 3, 100);
            }
            place_close(&h);
            place_close(&e);
            network_stop();
        }
    }
}

/* BUS-5: what was kept for a seat that left is given back then, and not when its publisher says
 * something again. */
TEST(a_seat_that_has_left_holds_nothing) {
    static const size_t sizes[] = {100, 10000, 100000};
    static char text[100000];
    int s, count, others, i;
    memset(text, '1', sizeof text);
    for (s = 0; s < 3; s++) {
        for (count = 1; count <= 40; count += 13) {
            for (others = 0; others < 2; others++) {
                place a, b, c;
                wshub_msg m = msg("e", "1");
                size_t before;
                network_start();
                place_open(&a, SEAT);
                place_open(&b, SEAT);
                place_open(&c, SEAT);
                place_hub(&a);
                place_hub(&b);
                place_hub(&c); /* fetches its own, or leaves theirs to b */
                turns(&a, &b, 3, 10);
                place_turn(&c, 10);
                before = local_bytes;
                m.data = wshub__str(text, sizes[s]);
                wshub_io_fake_hold(b.w.net, true);
                for (i = 0; i < count; i++) {
                    EXPECT_INT(wshub_send(a.w.hub, NULL, &m), WSHUB_OK);
                    place_turn(&a, 1);
                    if (others) place_turn(&c, 1);
                }
                EXPECT_OP(local_bytes, >=, before + (size_t)count * sizes[s]);
                place_close(&b);
                if (!others) place_close(&c);
                EXPECT_OP(local_bytes, <=, before + 4096);
                if (others) place_close(&c);
                place_close(&a);
                network_stop();
            }
        }
    }
}

static int lines, odd_bytes;
static void look_at(const char *text) {
    for (; *text; text++) odd_bytes += (unsigned char)*text < 32 || *text == 127;
}
static void on_line(const char *line, void *user) {
    (void)user;
    lines++;
    look_at(line);
}
static void on_any_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    look_at(l->text);
}

/* BUS-5: a line of a log is one line, whatever a broker or a sentinel puts into it. */
TEST(what_a_broker_says_is_printable_in_lines) {
    enum { SIMPLE, BULK, SENTINEL, GREETING, PLACES };
    int byte, from, i;
    for (from = 0; from < PLACES; from++) {
        for (byte = 1; byte <= 127; byte = byte == 31 ? 127 : byte + 1) {
            place p;
            wshub_bus_redis_desc rd;
            wshub_desc d;
            wshub_msg m = msg("e", "1");
            char said[64], host[16], hole[24];
            /* the end of what it says */
            if ((from == SIMPLE || from == GREETING) && (byte == '\r' || byte == '\n')) continue;
            memset(&rd, 0, sizeof rd);
            rd.on_log = on_line;
            rd.resp3 = true;
            lines = odd_bytes = 0;
            (void)snprintf(host, sizeof host, "a%cFAKE line", byte);
            (void)snprintf(hole, sizeof hole, "%s:1", host);
            if (from == BULK)
                (void)snprintf(said, sizeof said, "!14\r\nERR x%cFAKE yyy", byte);
            else
                (void)snprintf(said, sizeof said, "-ERR x%cFAKE%s", byte,
                               from == GREETING ? "\r\n" : "");
            network_start();
            if (from == SENTINEL) {
                rd.sentinel = "m";
                redis_server.hole = hole;
                redis_server.master_host = host;
                redis_server.master_port = "1";
            }
            if (from == GREETING) redis_server.greeting = said;
            place_open_as(&p, REDIS, rd);
            d = place_desc(&p, p.bus);
            d.on_log = on_any_log;
            EXPECT_INT(wshub_create(&d, &p.w.hub), WSHUB_OK);
            for (i = 0; i < 5; i++) place_turn(&p, 100);
            if (from == SIMPLE || from == BULK) {
                redis_server.refuse = "PUBLISH";
                redis_server.refusal = said;
                EXPECT_INT(wshub_send(p.w.hub, NULL, &m), WSHUB_OK);
            }
            for (i = 0; i < 90; i++) {
                place_turn(&p, 100);
                look_at(wshub_bus_redis_error(p.redis));
            }
            EXPECT_OP(lines, >, 0);
            EXPECT_INT(odd_bytes, 0);
            place_close(&p);
            network_stop();
        }
    }
}

/* BUS-1: a message for no channel is nobody's, and the connection goes on. */
TEST(a_message_without_a_channel_is_nobodys) {
    static const char *const said[] = {
        "*3\r\n$7\r\nmessage\r\n$-1\r\n$2\r\nxx\r\n",
        "*3\r\n$7\r\nmessage\r\n_\r\n$2\r\nxx\r\n",
        ">3\r\n$7\r\nmessage\r\n_\r\n$2\r\nxx\r\n",
        "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$-1\r\n$2\r\nxx\r\n",
        "*3\r\n$7\r\nmessage\r\n*-1\r\n$-1\r\n",
        "*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n",
    };
    static const char *const prefixes[] = {NULL, "p:"};
    size_t i, k, l;
    for (i = 0; i < sizeof said / sizeof *said; i++) {
        for (k = 0; k < 2; k++) {
            place p;
            wshub_bus_redis_desc rd;
            memset(&rd, 0, sizeof rd);
            rd.channel_prefix = prefixes[k];
            rd.resp3 = said[i][0] == '>';
            network_start();
            place_open_as(&p, REDIS, rd);
            place_hub(&p);
            for (l = 0; l < 5; l++) place_turn(&p, 100);
            EXPECT_INT(p.redis->stats.state, WSHUB_BUS_UP);
            for (l = 0; l < BROKER_LINKS; l++) {
                if (redis_server.links[l].subs_count) broker_say_z(&redis_server.links[l], said[i]);
            }
            place_turn(&p, 10);
            EXPECT_INT(stats(&p.w).bus_downs, 0);
            place_close(&p);
            network_stop();
        }
    }
}

/* EMIT-1: the name by which emitters sign is no hub's, which would be deaf to them; names like
 * it are. */
TEST(the_name_of_emitters_is_no_hubs) {
    static const char *const names[] = {"emitter", "Emitter", "emitters", "emitte", " emitter"};
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        place p;
        wshub_bus seat;
        wshub_desc d;
        wshub_emitter *em;
        wshub_emitter_desc ed;
        wshub_msg m = msg("e", "1");
        network_start();
        place_open(&p, SEAT);
        d = place_desc(&p, p.bus);
        d.server_id = names[i];
        EXPECT((wshub_desc_problem(&d) != NULL) == (i == 0));
        EXPECT_INT(wshub_create(&d, &p.w.hub), i == 0 ? WSHUB_ERR_PARAM : WSHUB_OK);
        if (i > 0) {
            wshub_io_fake_run(p.w.net);
            memset(&ed, 0, sizeof ed);
            EXPECT_INT(wshub_bus_local_seat(the_loop, &seat), WSHUB_OK);
            ed.bus = &seat;
            EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_OK);
            EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
            wshub_io_fake_run(p.w.net);
            EXPECT_INT(stats(&p.w).bus_received, 1);
            EXPECT_INT(stats(&p.w).bus_self_echo, 0);
            wshub_emitter_destroy(em);
        }
        place_close(&p);
        network_stop();
    }
}

/* BUS-1: a table that lacks what every owner calls is refused before anybody calls it. */
TEST(a_bus_that_lacks_an_order_is_refused) {
    int lacks;
    for (lacks = 0; lacks < 16; lacks++) {
        place p;
        wshub_bus b = counted();
        wshub_desc d;
        wshub_emitter *em = NULL;
        wshub_emitter_desc ed;
        network_start();
        place_open(&p, REDIS);
        if (lacks & 1) b.subscribe = NULL;
        if (lacks & 2) b.unsubscribe = NULL;
        if (lacks & 4) b.publish = NULL;
        if (lacks & 8) b.attach = NULL;
        d = place_desc(&p, &b);
        EXPECT((wshub_desc_problem(&d) != NULL) == (lacks != 0));
        EXPECT_INT(wshub_create(&d, &p.w.hub), lacks ? WSHUB_ERR_PARAM : WSHUB_OK);
        if (p.w.hub) counted_owner.state(counted_owner.ctx, WSHUB_BUS_CONNECTED);
        place_close(&p);
        memset(&ed, 0, sizeof ed);
        ed.bus = &b;
        /* it subscribes to nothing */
        EXPECT_INT(wshub_emitter_create(&ed, &em), lacks & 12 ? WSHUB_ERR_PARAM : WSHUB_OK);
        wshub_emitter_destroy(em);
        network_stop();
    }
}

/* A bus that does as it is told, and counts how often it was left. */
static wshub_err bus_says;
static int bus_left;
static bool bus_room = true;
static wshub_bus_owner bus_owner;
static wshub_err odd_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (!owner) {
        bus_left++;
        return WSHUB_OK;
    }
    bus_owner = *owner;
    return bus_says;
}
static size_t odd_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return bus_room ? count : 0;
}
static bool odd_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    EXPECT(count >= 1 && count <= WSHUB_BUS_BATCH);
    return bus_room;
}
static const wshub_bus odd_bus = {.version = WSHUB_BUS_VERSION,
                                  .attach = odd_attach,
                                  .publish = odd_publish,
                                  .subscribe = odd_subscribe,
                                  .unsubscribe = odd_subscribe};

TEST(a_bus_that_was_given_is_left_in_any_case) {
    wshub_io_fake *f;
    wshub_io io;
    wshub *hub = NULL;
    wshub_emitter *em = NULL;
    wshub_desc d;
    wshub_emitter_desc ed;
    wshub_bus none = odd_bus;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    io = *wshub_io_fake_io(f);
    memset(&d, 0, sizeof d);
    d.io = &io;
    d.bus = &odd_bus;
    bus_left = 0;
    bus_says = WSHUB_ERR_IO;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_IO);
    EXPECT(!hub && bus_left == 1);
    bus_says = WSHUB_OK;
    d.path = "no";
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(bus_left, 2);
    d.path = NULL;
    io.wake = NULL;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_NOWAKE);
    EXPECT(wshub_desc_problem(&d) && bus_left == 3);
    io = *wshub_io_fake_io(f);
    d.alloc = few_allocs;
    allocs_left = 0;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_NOMEM);
    for (allocs_left = 1; allocs_left < 3; allocs_left++) {
        unsigned before = allocs_left;
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_NOMEM);
        allocs_left = before;
    }
    EXPECT_INT(bus_left, 6);
    memset(&ed, 0, sizeof ed);
    EXPECT_INT(wshub_emitter_create(NULL, &em), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_PARAM);
    ed.bus = &none;
    bus_left = 0;
    EXPECT_INT(wshub_emitter_create(&ed, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(bus_left, 1); /* what was given ends */
    ed.alloc = few_allocs;
    allocs_left = 0;
    bus_left = 0;
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_NOMEM);
    EXPECT_INT(bus_left, 1);
    ed.alloc = NULL;
    bus_says = WSHUB_ERR_LIMIT;
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_LIMIT);
    EXPECT_INT(bus_left, 2);
    bus_says = WSHUB_OK;
    wshub_emitter_destroy(NULL);
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_OK);
    {
        wshub_msg m = msg("e", "1"), bad = msg("e", "{"), none_at_all = msg("e", "1");
        wshub_dest to = {0};
        wshub_str x[2];
        none_at_all.event = nul();
        x[0] = S("id");
        x[1] = too_long();
        memset(&to, 0, sizeof to);
        EXPECT_INT(wshub_emitter_send(em, NULL, NULL), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_emitter_send(em, NULL, &none_at_all), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_JSON);
        bad.data = S("");
        bad.data_is_json = true; /* no JSON for all that */
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_JSON);
        bad.data.len = (size_t)WSHUB_MSG_BYTES_MAX + 1;
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_LIMIT);
        to.kind = (wshub_dest_kind)9;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.kind = WSHUB_DEST_USER; /* nobody */
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.name = too_long();
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.name = S("r");
        to.kind = WSHUB_DEST_RESOLVE;
        to.exclude_count = 2;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.exclude = x;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.exclude_count = 1;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_OK); /* kept: the bus is not up */
        EXPECT_OP(wshub_emitter_queued_bytes(em), >, 0);
        bus_room = false;
        bus_owner.state(bus_owner.ctx, WSHUB_BUS_UP); /* nor has it room */
        EXPECT_OP(wshub_emitter_queued_bytes(em), >, 0);
        bus_owner.received(bus_owner.ctx, S("x"), S("y")); /* an emitter hears nothing */
        bus_room = true;
        EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
        EXPECT_INT(wshub_emitter_queued_bytes(em), 0);
    }
    wshub_emitter_destroy(em);
    EXPECT_INT(bus_left, 3);
    wshub_io_fake_destroy(f);
}

static void bus_destroys(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    (void)down_ms;
    (void)user;
    if (state == WSHUB_BUS_UP) wshub_destroy(hub);
}

TEST(a_bus_that_ends_the_hub_and_talks_on) {
    world w;
    wshub_bus_local *local;
    wshub_bus bus, peer;
    wshub_emitter *em;
    wshub_emitter_desc ed;
    wshub_msg m = msg("e", "1");
    wshub_io_fake_desc fd;
    wshub_desc d;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &peer), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(NULL, &peer), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_local_seat(local, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_local_create(NULL, NULL), WSHUB_ERR_PARAM);
    memset(&ed, 0, sizeof ed);
    ed.bus = &peer;
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_OK);
    memset(&w, 0, sizeof w);
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_io_fake_create(&fd, &w.net), WSHUB_OK);
    d.io = wshub_io_fake_io(w.net);
    d.bus = &bus;
    d.on_bus = bus_destroys;
    d.alloc = world_alloc;
    d.alloc_user = &w;
    EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
    /* waits for the pump that will end the hub */
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    w.hub = NULL;
    EXPECT_INT(w.bytes, 0);
    wshub_io_fake_destroy(w.net);
    wshub_emitter_destroy(em);
    wshub_bus_local_destroy(local);
    wshub_bus_local_destroy(NULL);
}

static wshub_bus_owner pumped;
static wshub_err pumped_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (owner) pumped = *owner;
    return WSHUB_OK;
}
static size_t takes_all(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return count;
}
static bool subscribes_all(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    return count > 0;
}
static void up_and_down(void *ctx) {
    (void)ctx;
    pumped.state(pumped.ctx, WSHUB_BUS_CONNECTED);
    pumped.state(pumped.ctx, WSHUB_BUS_UP);
    pumped.state(pumped.ctx, WSHUB_BUS_DOWN);
}

TEST(a_bus_that_is_down_again_before_the_hub_has_ended) {
    const wshub_bus bus = {.version = WSHUB_BUS_VERSION,
                           .attach = pumped_attach,
                           .publish = takes_all,
                           .subscribe = subscribes_all,
                           .unsubscribe = subscribes_all,
                           .pump = up_and_down};
    world w;
    memset(&w, 0, sizeof w);
    EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
    EXPECT_INT(
        wshub_create(&DESC(.io = wshub_io_fake_io(w.net), .bus = &bus, .on_bus = bus_destroys),
                     &w.hub),
        WSHUB_OK);
    w.hub = NULL;
    wshub_io_fake_run(w.net);
    wshub_io_fake_destroy(w.net);
}

static wshub_bus_state early_bus_says;
static int early_bus_left, bus_told;
static wshub_err bus_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (!owner)
        early_bus_left++;
    else
        owner->state(owner->ctx, early_bus_says);
    return WSHUB_OK;
}
static size_t bus_publish(void *ctx, const wshub_bus_msg *m, size_t n) {
    (void)ctx;
    (void)m;
    return n;
}
static bool bus_subscribe(void *ctx, const wshub_bus_channel *c, size_t n) {
    (void)ctx;
    (void)c;
    (void)n;
    return true;
}
static void end_hub(wshub *hub, wshub_bus_state s, uint64_t ms, void *user) {
    (void)s;
    (void)ms;
    (void)user;
    bus_told++;
    wshub_destroy(hub);
}

TEST(a_hub_destroyed_by_a_report_of_its_bus_while_it_is_made) {
    world w;
    wshub_bus bus;
    wshub_desc d = DESC(.bus = &bus, .on_bus = end_hub, .alloc = world_alloc, .alloc_user = &w);
    memset(&w, 0, sizeof w);
    memset(&bus, 0, sizeof bus);
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = bus_attach;
    bus.publish = bus_publish;
    bus.subscribe = bus.unsubscribe = bus_subscribe;
    EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
    d.io = wshub_io_fake_io(w.net);
    early_bus_left = bus_told = 0;
    early_bus_says = WSHUB_BUS_UP;
    EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_ERR_CLOSED);
    EXPECT(!w.hub && bus_told == 1 && early_bus_left == 1); /* and the bus is left once */
    EXPECT_INT(w.bytes, 0);
    d.on_bus = NULL;
    EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
    wshub_destroy(w.hub);
    EXPECT_INT(early_bus_left, 2);
    wshub_io_fake_destroy(w.net);
}
