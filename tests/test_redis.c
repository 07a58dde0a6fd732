/* Two hubs, each on sockets of its own, and a real redis-server that is killed, stopped, cut
 * off, locked and closed: each loss is told, healed within 6 s of the broker's return, nothing
 * arrives twice or out of order, memory stays (BUS-5). WSHUB_CYCLES=1000 for the long run.
 * Then: Sentinel, Cluster, exact subscriptions by the 100,000. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "test.h"
#include "redis_server.h"
#include "redis_ask.h"

/* ---- a hub, its bus, and a WebSocket client in the same process ---- */

typedef struct node {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub;
    uint16_t port;
    size_t bytes; /* allocated by hub and bus */
    int downs, ups;
    uint64_t up_at, down_ms;
    int fd; /* the client */
    uint8_t in[1 << 16];
    size_t in_len;
    long next, got, lost; /* numbered messages: the next one, how many, how many are missing */
    char id[40], error[200];
} node;

static void *node_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    node *n = (node *)user;
    void *p;
    if (!new_bytes) {
        n->bytes -= old_bytes;
        free(ptr);
        return NULL;
    }
    p = realloc(ptr, new_bytes);
    if (p) n->bytes += new_bytes - old_bytes;
    return p;
}
static void node_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    memset(&who, 0, sizeof who);
    who.user_id = wshub_str_z("u");
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, &who);
}
static void node_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    node *n = (node *)user;
    (void)hub;
    if (state == WSHUB_BUS_UP) {
        n->ups++;
        n->up_at = real_ms();
        n->down_ms = down_ms;
    } else {
        n->downs++;
    }
}
static void node_log(const char *line, void *user) {
    (void)snprintf(((node *)user)->error, 200, "%s", line);
}

/* One frame from the server at the front of what has come. */
static void node_frames(node *n) {
    for (;;) {
        size_t head = 2, len = n->in_len > 1 ? n->in[1] & 127 : 0;
        wshub_str text;
        if (n->in_len < 4) return;
        if (len == 126) {
            len = (size_t)(n->in[2] << 8 | n->in[3]);
            head = 4;
        }
        EXPECT_OP(len, <, 65000);
        if (n->in_len < head + len) return;
        text.ptr = (const char *)n->in + head;
        text.len = len;
        if ((n->in[0] & 15) == 1 && wshub_str_eq_z(wshub_json_get(text, "event"), "\"n\"")) {
            long v = atol(wshub_json_get(text, "data").ptr);
            EXPECT(v >= n->next); /* in order, none twice */
            n->lost += v - n->next;
            n->next = v + 1;
            n->got++;
        }
        memmove(n->in, n->in + head + len, n->in_len - head - len);
        n->in_len -= head + len;
    }
}

static void node_step(node *n, int ms) {
    ssize_t k;
    EXPECT_INT(wshub_io_sock_run_once(n->net, ms), WSHUB_OK);
    if (n->fd < 0) return;
    while ((k = recv(n->fd, n->in + n->in_len, sizeof n->in - n->in_len, MSG_DONTWAIT)) > 0) {
        n->in_len += (size_t)k;
        node_frames(n);
    }
    EXPECT(k < 0 && errno == EAGAIN); /* the client is never lost with the bus */
}

static void node_say(node *n, const char *text) {
    uint8_t frame[256];
    size_t len = strlen(text);
    frame[0] = 0x81;
    frame[1] = (uint8_t)(0x80 | len);
    memset(frame + 2, 0, 4);
    memcpy(frame + 6, text, len);
    EXPECT_INT(send(n->fd, frame, len + 6, MSG_NOSIGNAL), len + 6);
}

static void node_start(node *n, const char *url, wshub_bus_redis_desc rd, bool exact, bool client) {
    static const char hello[] =
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wshub_desc d;
    int i;
    memset(n, 0, sizeof *n);
    n->fd = -1;
    EXPECT_INT(wshub_io_auto_create(NULL, &n->net), WSHUB_OK);
    rd.io = wshub_io_sock_io(n->net);
    rd.url = url;
    rd.alloc = node_alloc;
    rd.alloc_user = n;
    rd.on_log = node_log;
    rd.user = n;
    EXPECT_INT(wshub_bus_redis_create(&rd, &n->redis), WSHUB_OK);
    memset(&d, 0, sizeof d);
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(n->redis);
    d.alloc = node_alloc;
    d.alloc_user = d.user = n;
    d.on_authenticate = node_auth;
    d.on_bus = node_bus;
    d.bus_exact = exact;
    d.bus_linger_ms = WSHUB_OFF;
    d.rooms_per_client_max = 200000;
    d.idle_timeout_ms = d.heartbeat_timeout_ms = WSHUB_OFF; /* these clients only listen */
    EXPECT_INT(wshub_create(&d, &n->hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(n->net, "127.0.0.1", 0, &n->port), WSHUB_OK);
    if (!client) return;
    n->fd = tcp_open(n->port);
    EXPECT_OP(n->fd, >=, 0);
    EXPECT_INT(send(n->fd, hello, sizeof hello - 1, 0), sizeof hello - 1);
    for (i = 0; i < 500 && !strstr((const char *)n->in, "\r\n\r\n"); i++) {
        ssize_t k;
        EXPECT_INT(wshub_io_sock_run_once(n->net, 1), WSHUB_OK);
        k = recv(n->fd, n->in + n->in_len, 4096, MSG_DONTWAIT);
        if (k > 0) n->in_len += (size_t)k;
    }
    EXPECT_HAS((const char *)n->in, "101 ");
    n->in_len = 0;
    node_say(n, "{\"event\":\"authenticate\"}");
    for (i = 0; i < 500 && !wshub_room_count(n->hub, wshub_str_z("ws-default")); i++)
        node_step(n, 1);
    {
        wshub_iter it = {0, 0};
        wshub_client c;
        wshub_str id;
        EXPECT(wshub_client_each(n->hub, &it, &c));
        id = wshub_client_id(n->hub, c);
        (void)snprintf(n->id, sizeof n->id, "%.*s", (int)id.len, id.ptr);
    }
}
static void node_stop(node *n) {
    wshub_destroy(n->hub);
    wshub_bus_redis_destroy(n->redis);
    wshub_io_sock_destroy(n->net);
    if (n->fd >= 0) (void)close(n->fd);
    EXPECT_INT(n->bytes, 0);
}
static wshub_bus_redis_stats node_redis(const node *n) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(n->redis, &st);
    return st;
}
static bool node_up(const node *n) {
    return node_redis(n).state == WSHUB_BUS_UP;
}
/* The bus is up and the broker knows every channel that the node wants: a client that came in after
 * UP has its rooms asked for then, and a publication on the other connection may be read first. */
static bool node_ready(const node *n) {
    return node_up(n) && !node_redis(n).unacknowledged;
}
/* to the room that every client is in, everywhere */
static void node_number(node *from, long value) {
    char text[24];
    wshub_msg m;
    wshub_dest d = {0};
    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    (void)snprintf(text, sizeof text, "%ld", value);
    d.kind = WSHUB_DEST_ROOM;
    d.name = wshub_str_z("ws-default");
    m.event = wshub_str_z("n");
    m.data = wshub_str_z(text);
    EXPECT_INT(wshub_send(from->hub, &d, &m), WSHUB_OK);
}

/* ---- a proxy between, to cut where Redis itself cannot be told to ---- */

enum { PAIRS = 32 };
typedef struct proxy {
    int listener, port, to_port;
    int fds[PAIRS][2];
    bool swallow[PAIRS]; /* half-open: what comes is read and dropped */
    char buf[65536];
} proxy;

static int proxy_listen(int port) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    EXPECT_INT(bind(fd, &a.any, sizeof a.in), 0);
    EXPECT_INT(listen(fd, 32), 0);
    EXPECT_INT(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}
static void proxy_drop(proxy *p, int i) {
    (void)close(p->fds[i][0]);
    (void)close(p->fds[i][1]);
    p->fds[i][0] = p->fds[i][1] = -1;
}
static void proxy_step(proxy *p) {
    int i, k, fd;
    while (p->listener >= 0 && (fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int to = tcp_open(p->to_port);
        for (i = 0; i < PAIRS && p->fds[i][0] >= 0; i++) {
        }
        EXPECT_OP(i, <, PAIRS);
        if (to < 0 || i == PAIRS) {
            (void)close(fd);
            if (to >= 0) (void)close(to);
            continue;
        }
        p->fds[i][0] = fd;
        p->fds[i][1] = to;
        p->swallow[i] = false;
    }
    for (i = 0; i < PAIRS; i++) {
        for (k = 0; k < 2 && p->fds[i][0] >= 0; k++) {
            ssize_t n = recv(p->fds[i][k], p->buf, sizeof p->buf, MSG_DONTWAIT), at = 0;
            if (n == 0 || (n < 0 && errno != EAGAIN)) {
                proxy_drop(p, i);
                break;
            }
            while (n > at && !p->swallow[i]) {
                ssize_t put = send(p->fds[i][1 - k], p->buf + at, (size_t)(n - at), MSG_NOSIGNAL);
                if (put <= 0) break;
                at += put;
            }
        }
    }
}

/* ---- the cycles ---- */

typedef struct cluster { /* of ours: two nodes, one broker */
    redis_server server;
    proxy via;
    node n[2];
    long said;
} cluster;

static void cluster_step(cluster *c) { /* A speaks all the time */
    static uint64_t last;
    if (real_ms() != last) {
        last = real_ms();
        if (last % 4 == 0) node_number(&c->n[0], c->said++);
    }
    node_step(&c->n[0], 1);
    node_step(&c->n[1], 0);
    proxy_step(&c->via);
}
static void cluster_for(cluster *c, int ms) {
    uint64_t end = real_ms() + (uint64_t)ms;
    while (real_ms() < end) cluster_step(c);
}
/* Until the node says so. */
static void cluster_until(cluster *c, const char *error) {
    uint64_t end = real_ms() + 8000;
    while (!strstr(wshub_bus_redis_error(c->n[0].redis), error) && real_ms() < end) cluster_step(c);
    EXPECT_HAS(wshub_bus_redis_error(c->n[0].redis), error);
}
static const char *cluster_tell(cluster *c, const char *lines) {
    return redis_tell(c->server.port, lines, NULL, 500);
}

typedef enum fault {
    KILL_9,
    KILL_PUBSUB,
    KILL_NORMAL,
    OUTPUT_LIMIT,
    STOP_SHORT,
    PASSWORD,
    ACL,
    PORT,
    STOP_LONG,
    HALF_OPEN,
    FAULTS
} fault;
/* clang-format off */
static const char *const fault_names[] = {
    "kill -9", "CLIENT KILL pubsub", "CLIENT KILL normal", "output buffer limit", "SIGSTOP, short",
    "password", "ACL", "port closed", "SIGSTOP, long", "half-open",
};
/* clang-format on */

/* Does it, and mends it. Returns when the broker was there again. */
static uint64_t inflict(cluster *c, fault what, unsigned rnd) {
    int wait = (int)(rnd % 400), i;
    uint64_t back;
    switch (what) {
    case KILL_9:
        redis_kill(&c->server);
        cluster_for(c, wait);
        redis_start(&c->server);
        return real_ms();
    case KILL_PUBSUB: EXPECT_HAS(cluster_tell(c, "CLIENT KILL TYPE pubsub"), ":"); return real_ms();
    case KILL_NORMAL:
        EXPECT_HAS(cluster_tell(c, "CLIENT KILL TYPE normal SKIPME yes"), ":");
        return real_ms();
    case OUTPUT_LIMIT: { /* nobody reads while megabytes are published */
        static char big[60100];
        int fd = tcp_open(c->server.port);
        EXPECT_HAS(
            cluster_tell(c, "CONFIG SET client-output-buffer-limit \"pubsub 65536 65536 60\""),
            "OK");
        (void)snprintf(big, sizeof big, "PUBLISH ws:broadcast %60000s\r\n", "x");
        memset(big + 21, 'x', 60000);
        for (i = 0; i < 500; i++) {
            char gone[4096];
            (void)!send(fd, big, strlen(big), MSG_NOSIGNAL);
            (void)!recv(fd, gone, sizeof gone, MSG_DONTWAIT);
        }
        (void)close(fd);
        EXPECT_HAS(
            cluster_tell(c, "CONFIG SET client-output-buffer-limit \"pubsub 33554432 8388608 60\""),
            "OK");
        return real_ms();
    }
    case STOP_SHORT:
    case STOP_LONG:
        (void)kill(c->server.pid, SIGSTOP);
        cluster_for(c, what == STOP_SHORT ? wait : 5200 + wait);
        (void)kill(c->server.pid, SIGCONT);
        return real_ms();
    case PASSWORD:
        EXPECT_HAS(cluster_tell(c, "CONFIG SET requirepass other"), "OK");
        (void)redis_tell(c->server.port,
                         "AUTH other\r\nCLIENT KILL TYPE pubsub\r\nCLIENT KILL TYPE normal", ":",
                         500);
        cluster_until(c, "NOAUTH");
        EXPECT_HAS(redis_tell(c->server.port, "AUTH other\r\nCONFIG SET requirepass \"\"",
                              "+OK\r\n+OK", 500),
                   "+OK\r\n+OK");
        return real_ms();
    case ACL:
        EXPECT_HAS(cluster_tell(c, "ACL SETUSER default resetchannels"), "OK");
        cluster_until(c, "NOPERM");
        EXPECT_HAS(cluster_tell(c, "ACL SETUSER default allchannels"), "OK");
        return real_ms();
    case PORT:
        (void)close(c->via.listener);
        c->via.listener = -1;
        for (i = 0; i < PAIRS; i++) {
            if (c->via.fds[i][0] >= 0) proxy_drop(&c->via, i);
        }
        cluster_for(c, wait * 3);
        c->via.listener = proxy_listen(c->via.port);
        return real_ms();
    case HALF_OPEN: /* those that are there are dead and nobody says so; new ones would work */
        for (i = 0; i < PAIRS; i++) c->via.swallow[i] = true;
        back = real_ms();
        return back;
    case FAULTS: break;
    }
    return 0;
}

/* The fault of a cycle: of few cycles each kind once; of many, the slow ones, which must outlast a
 * time-out of ours, come one in 25. */
static fault fault_of(long cycle, long cycles) {
    if (cycles <= FAULTS) return (fault)cycle;
    return cycle % 25 == 11 ? STOP_LONG : cycle % 25 == 23 ? HALF_OPEN : (fault)(cycle % 8);
}

static void losses(long cycles) {
    static cluster c;
    long cycle, counts[FAULTS] = {0};
    uint64_t worst[FAULTS] = {0}, start = real_ms();
    size_t flat[2] = {0, 0};
    char url[64];
    int i, k;
    unsigned rnd = 12345;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&c, 0, sizeof c);
    for (i = 0; i < PAIRS; i++) c.via.fds[i][0] = c.via.fds[i][1] = -1;
    redis_start(&c.server);
    c.via.to_port = c.server.port;
    c.via.port = free_port();
    c.via.listener = proxy_listen(c.via.port);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", c.via.port);
    for (i = 0; i < 2; i++)
        node_start(&c.n[i], url, (wshub_bus_redis_desc){.resp3 = i == 1}, i == 1, true);
    for (i = 0; i < 2000 && (!node_ready(&c.n[0]) || !node_ready(&c.n[1])); i++) {
        node_step(&c.n[0], 1);
        node_step(&c.n[1], 0);
        proxy_step(&c.via);
    }
    EXPECT(node_ready(&c.n[0]) && node_ready(&c.n[1]));
    for (cycle = 0; cycle < cycles; cycle++) {
        fault what = fault_of(cycle, cycles);
        int downs[2], ups[2];
        long got;
        uint64_t back, healed;
        bool told = what != STOP_SHORT, half;
        rnd = rnd * 1103515245u + 12345u;
        /* long enough for a good connection, whose loss is tried again at once */
        cluster_for(&c, 530);
        for (i = 0; i < 2; i++) {
            downs[i] = c.n[i].downs;
            ups[i] = c.n[i].ups;
            c.n[i].error[0] = 0;
        }
        back = inflict(&c, what, rnd >> 16);
        if (what == STOP_SHORT) back = real_ms();
        while (real_ms() < back + 8000) { /* until both have been down and are up */
            cluster_step(&c);
            half = true;
            for (i = 0; i < 2; i++)
                half = half && node_up(&c.n[i]) &&
                       (!told || (c.n[i].downs > downs[i] && c.n[i].ups > ups[i]));
            if (half) break;
        }
        healed = real_ms() - back;
        if (healed > worst[what]) worst[what] = healed;
        counts[what]++;
        if (healed > 6000)
            (void)printf("  cycle %ld, %s: %llu ms (%s | %s)\n", cycle, fault_names[what],
                         (unsigned long long)healed, c.n[0].error, c.n[1].error);
        EXPECT_OP(healed, <=, 6000);
        for (i = 0; i < 2 && told; i++) {
            EXPECT(c.n[i].downs > downs[i] && c.n[i].ups > ups[i]); /* the gap is told */
            EXPECT_OP(c.n[i].down_ms, <=, real_ms() - back + 8000);
        }
        /* and it works: what is said now arrives */
        got = c.n[1].got;
        for (k = 0; k < 3000 && c.n[1].got < got + 5; k++) cluster_step(&c);
        EXPECT_OP(c.n[1].got, >=, got + 5);
        if (cycle == 15 || cycle + 1 == cycles) {
            for (i = 0; i < 2; i++) {
                if (cycle == 15)
                    flat[i] = c.n[i].bytes;
                else if (cycle > 15 && c.n[i].bytes > flat[i] + 300000)
                    (void)printf("  node %d: %zu bytes, %zu at cycle 15\n", i, c.n[i].bytes,
                                 flat[i]);
                /* buffers of the moment, not a trend */
                EXPECT(cycle <= 15 || c.n[i].bytes <= flat[i] + 300000);
            }
        }
    }
    for (i = 0; i < FAULTS; i++) {
        if (counts[i])
            (void)printf(
                "  %-20s %4ld times, healed within %llu ms of the broker's return at most\n",
                fault_names[i], counts[i], (unsigned long long)worst[i]);
    }
    (void)printf("  %ld said, %ld heard by the other node, %ld lost in gaps, none twice; %llu s; "
                 "the nodes hold %zu and %zu bytes, %zu and %zu at cycle 15\n",
                 c.said, c.n[1].got, c.n[1].lost, (unsigned long long)(real_ms() - start) / 1000,
                 c.n[0].bytes, c.n[1].bytes, flat[0], flat[1]);
    EXPECT_INT(c.n[0].got, c.said); /* locally none is missing */
    for (i = 0; i < 2; i++) {
        wshub_stats st;
        wshub_stats_get(c.n[i].hub, &st);
        EXPECT_INT(st.bus_downs, c.n[i].downs);
        EXPECT_OP(st.bus_down_ms, >, 0);
        node_stop(&c.n[i]);
    }
    for (i = 0; i < PAIRS; i++) {
        if (c.via.fds[i][0] >= 0) proxy_drop(&c.via, i);
    }
    (void)close(c.via.listener);
    redis_end(&c.server);
}

TEST(a_loss_of_each_kind_is_told_and_healed) { /* BUS-5 */
    losses(FAULTS);
}
TEST_WHOLE(fifty_losses_of_the_broker_are_told_and_healed) { /* BUS-5 */
    losses(getenv("WSHUB_CYCLES") ? atol(getenv("WSHUB_CYCLES")) : 50);
}

/* ---- exact subscriptions ---- */

TEST(a_hundred_thousand_rooms_are_subscribed_in_batches_under_a_second) { /* BUS-4 */
    static node n;
    redis_server server;
    enum { ROOMS = 100000 };
    wshub_client c;
    char name[32];
    const char *answer;
    uint64_t start, took;
    int i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    node_start(&n, server.url, (wshub_bus_redis_desc){0}, true, true);
    for (i = 0; i < 2000 && !node_ready(&n); i++) node_step(&n, 1);
    EXPECT_INT(wshub_client_find(n.hub, wshub_str_z(n.id), &c), WSHUB_OK);
    start = real_ms();
    for (i = 0; i < ROOMS; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_join(n.hub, c, wshub_str_z(name)), WSHUB_OK);
    }
    (void)wshub_settle(n.hub);
    while ((node_redis(&n).subscribed < ROOMS || node_redis(&n).unacknowledged) &&
           real_ms() < start + 20000)
        node_step(&n, 1);
    took = real_ms() - start;
    (void)printf("  %d rooms joined, subscribed and acknowledged in %llu ms\n", ROOMS,
                 (unsigned long long)took);
    /* what is subscribed is what is here: broadcast, the client, its own room, its user, the
     * rooms; and the heartbeat */
    EXPECT_INT(node_redis(&n).subscribed, ROOMS + 6);
    answer = redis_tell(server.port, "INFO stats", "pubsub_patterns", 1000);
    answer = strstr(answer, "pubsub_channels:");
    EXPECT(answer && atol(answer + 16) == ROOMS + 7);
    /* half of them are left */
    for (i = 0; i < ROOMS; i += 2) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_leave(n.hub, c, wshub_str_z(name)), WSHUB_OK);
    }
    (void)wshub_settle(n.hub);
    start = real_ms();
    while ((node_redis(&n).subscribed != ROOMS / 2 + 6 || node_redis(&n).unacknowledged) &&
           real_ms() < start + 20000)
        node_step(&n, 1);
    answer =
        strstr(redis_tell(server.port, "INFO stats", "pubsub_patterns", 1000), "pubsub_channels:");
    EXPECT(answer && atol(answer + 16) == ROOMS / 2 + 7);
    /* and all of it again after a cut */
    EXPECT_HAS(redis_tell(server.port, "CLIENT KILL TYPE pubsub", NULL, 500), ":1");
    for (i = 0; i < 5000 && n.downs == 0; i++) node_step(&n, 1);
    start = real_ms();
    while (!node_up(&n) && real_ms() < start + 20000) node_step(&n, 1);
    answer =
        strstr(redis_tell(server.port, "INFO stats", "pubsub_patterns", 1000), "pubsub_channels:");
    EXPECT(answer && atol(answer + 16) == ROOMS / 2 + 7);
    EXPECT_INT(node_redis(&n).subscribed, ROOMS / 2 + 6);
    EXPECT_INT(wshub_client_close(n.hub, c, 1000, wshub_str_z("")), WSHUB_OK);
    for (i = 0; i < 5000 && node_redis(&n).subscribed != 1; i++)
        EXPECT_INT(wshub_io_sock_run_once(n.net, 1), WSHUB_OK);
    EXPECT_INT(node_redis(&n).subscribed, 1);
    node_stop(&n);
    redis_end(&server);
}

/* ---- two machines' worth of hubs at full rate ---- */

TEST(at_full_rate_nothing_is_lost_or_reordered_while_the_broker_is_well) {
    static node n[2];
    redis_server server;
    enum { MESSAGES = 20000 };
    long said = 0;
    int i;
    uint64_t end;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    for (i = 0; i < 2; i++) node_start(&n[i], server.url, (wshub_bus_redis_desc){0}, false, true);
    for (i = 0; i < 2000 && (!node_ready(&n[0]) || !node_ready(&n[1])); i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    end = real_ms() + 60000;
    while ((n[1].got < MESSAGES || n[0].got < MESSAGES) && real_ms() < end) {
        wshub_stats st;
        wshub_stats_get(n[0].hub, &st);
        for (i = 0; i < 100 && said < MESSAGES && st.bus_queued_bytes < 500000; i++)
            node_number(&n[0], said++);
        node_step(&n[0], 0);
        node_step(&n[1], 0);
    }
    EXPECT_INT(n[0].got, MESSAGES);
    EXPECT_INT(n[1].got, MESSAGES);
    EXPECT_INT(n[1].lost, 0);
    EXPECT_INT(node_redis(&n[0]).refused + node_redis(&n[0]).unconfirmed, 0);
    for (i = 0; i < 2; i++) node_stop(&n[i]);
    redis_end(&server);
}

/* ---- an io for Redis alone, beside a hub on another ---- */

/* as the head of wshub_bus_redis.h says */
TEST(a_hub_on_a_loop_of_its_own_has_an_io_for_redis_alone) {
    static node n;
    redis_server server;
    wshub_io_fake *own;
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub_bus_redis_stats st;
    wshub_io_fake_frame f;
    wshub *hub;
    wshub_conn c;
    wshub_msg m;
    int i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    memset(&m, 0, sizeof m);
    memset(&f, 0, sizeof f);
    redis_start(&server);
    node_start(&n, server.url, (wshub_bus_redis_desc){0}, false, true);
    EXPECT_INT(wshub_io_fake_create(NULL, &own), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_bus_redis_create(
                   &(wshub_bus_redis_desc){.io = wshub_io_sock_io(net), .url = server.url}, &redis),
               WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(own),
                                          .bus = wshub_bus_redis_bus(redis),
                                          .on_authenticate = node_auth},
                            &hub),
               WSHUB_OK);
    c = wshub_io_fake_connect(own, "/ws");
    wshub_io_fake_text(own, c, "{\"event\":\"authenticate\"}");
    EXPECT(wshub_io_fake_next(own, c, &f));
    do {
        EXPECT(wshub_io_sock_fd(net) >= 0 && wshub_io_sock_timeout(net) <= 1000);
        EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
        (void)wshub_settle(hub);
        wshub_bus_redis_stats_get(redis, &st);
        node_step(&n, 0);
    } while (st.state != WSHUB_BUS_UP || !node_up(&n));
    m.event = wshub_str_z("n");
    m.data = wshub_str_z("0");
    EXPECT_INT(wshub_send(hub, NULL, &m), WSHUB_OK);
    (void)wshub_settle(hub);
    for (i = 0; i < 2000 && n.got == 0; i++) {
        EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
        (void)wshub_settle(hub);
        node_step(&n, 0);
    }
    EXPECT_INT(n.got, 1);
    EXPECT(wshub_io_fake_next(own, c, &f));
    node_number(&n, 7);
    for (i = 0; i < 2000 && !wshub_io_fake_next(own, c, &f); i++) {
        node_step(&n, 0);
        EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
        (void)wshub_settle(hub);
    }
    EXPECT(wshub_str_eq_z(f.payload, "{\"event\":\"n\",\"data\":7}"));
    wshub_destroy(hub);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    wshub_io_fake_destroy(own);
    node_stop(&n);
    redis_end(&server);
}

/* ---- any command ---- */

static void ask_step(void *ctx) {
    node_step((node *)ctx, 1);
}
static redis_server *ask_server;
static void ask_cut(void *ctx) { /* stopped before it has read: what is asked is never answered */
    (void)ctx;
    (void)kill(ask_server->pid, SIGSTOP);
    node_step((node *)ctx, 1);
    redis_kill(ask_server);
}

TEST(any_command_is_answered_in_order_and_once) { /* wshub_bus_request() */
    int resp3;
    if (!redis_installed()) SKIP("redis-server is not installed");
    for (resp3 = 0; resp3 < 2; resp3++) {
        static node n;
        redis_server server;
        int i;
        memset(&server, 0, sizeof server);
        redis_start(&server);
        node_start(&n, server.url, (wshub_bus_redis_desc){.resp3 = resp3}, false, false);
        for (i = 0; i < 2000 && !node_ready(&n); i++) node_step(&n, 1);
        ask_a_real_redis(n.hub, ask_step, &n);
        EXPECT_INT(node_redis(&n).requests_pending + node_redis(&n).requests_lost, 0);
        ask_server = &server;
        ask_and_lose(n.hub, ask_step, ask_cut, &n);
        EXPECT_INT(node_redis(&n).requests_pending, 0);
        EXPECT(node_redis(&n).requests_lost > 0);
        node_stop(&n);
        redis_end(&server);
    }
}

/* ---- ACL, Sentinel, Cluster ---- */

static void app_heard(wshub *hub, const wshub_app_message *message, void *user) {
    int *heard = (int *)user;
    EXPECT(wshub_str_eq_z(message->bytes, "own") || wshub_str_eq_z(message->from, "cli"));
    *heard += wshub_str_eq(message->from, wshub_server_id(hub)) ? 1 : 100;
}

TEST(the_acl_line_of_the_manual_suffices) { /* APP-1 */
    static node n;
    redis_server server;
    char url[96];
    int i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    EXPECT_HAS(
        redis_tell(server.port,
                   "ACL SETUSER hub on >secret resetchannels &ws:broadcast &ws:room:* &ws:client:* "
                   "&ws:user:* &wshub:hb:* &wshub:app:* -@all +subscribe +psubscribe "
                   "+unsubscribe +punsubscribe +publish +ping +hello +auth +client|setname +quit",
                   NULL, 500),
        "OK");
    (void)snprintf(url, sizeof url, "redis://hub:secret@127.0.0.1:%d", server.port);
    for (i = 0; i < 4; i++) {
        int k, heard = 0;
        node_start(&n, url, (wshub_bus_redis_desc){.resp3 = i % 2 == 1}, i >= 2, true);
        EXPECT_INT(wshub_app_subscribe(n.hub, wshub_str_z("c"), app_heard, &heard), WSHUB_OK);
        for (k = 0; k < 2000 && !node_ready(&n); k++) node_step(&n, 1);
        EXPECT(node_ready(&n));
        node_number(&n, 0);
        for (k = 0; k < 1500 && (node_redis(&n).pending || !node_redis(&n).receivers); k++)
            node_step(&n, 1);
        EXPECT_INT(node_redis(&n).refused, 0);
        EXPECT_INT(node_redis(&n).receivers, 1);
        EXPECT_INT(n.downs, 0);
        EXPECT_HAS(redis_tell(server.port, "CLIENT LIST", "wshub", 500), "name=wshub");
        EXPECT_INT(wshub_app_publish(n.hub, wshub_str_z("c"), wshub_str_z("own")), WSHUB_OK);
        EXPECT_HAS(redis_tell(server.port, "PUBLISH wshub:app:c \"cli\\x00theirs\"", NULL, 500),
                   ":1");
        for (k = 0; k < 1500 && heard < 101; k++) node_step(&n, 1);
        EXPECT_INT(heard, 101); /* its own once, and the other program's */
        node_stop(&n);
    }
    redis_end(&server);
}

TEST(the_master_of_a_sentinel_is_followed_when_it_dies) {
    static node n[2];
    redis_server master, replica, sentinel;
    char conf[128], text[64], url[64], port[16];
    FILE *f;
    int i;
    uint64_t end;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&master, 0, sizeof master);
    memset(&replica, 0, sizeof replica);
    memset(&sentinel, 0, sizeof sentinel);
    redis_start(&master);
    (void)snprintf(text, sizeof text, "127.0.0.1 %d", master.port);
    replica.extra[0] = "--replicaof";
    (void)snprintf(port, sizeof port, "%d", master.port);
    replica.extra[1] = "127.0.0.1";
    replica.extra[2] = port;
    redis_start(&replica);
    sentinel.port = free_port();
    (void)snprintf(sentinel.dir, sizeof sentinel.dir, "build/sentinel-%d", (int)getpid());
    (void)mkdir(sentinel.dir, 0700);
    (void)snprintf(conf, sizeof conf, "%s/sentinel.conf", sentinel.dir);
    f = fopen(conf, "w");
    EXPECT(f != NULL);
    if (f) {
        (void)fprintf(f,
                      "port %d\nbind 127.0.0.1\nsentinel monitor main %s 1\nsentinel "
                      "down-after-milliseconds main 300\n"
                      "sentinel failover-timeout main 3000\n",
                      sentinel.port, text);
        (void)fclose(f);
    }
    sentinel.pid = fork();
    if (sentinel.pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)execlp("redis-server", "redis-server", conf, "--sentinel", (char *)NULL);
        _exit(127);
    }
    EXPECT(redis_ready(&sentinel, 10000));
    for (i = 0; i < 1000 &&
                !strstr(redis_tell(sentinel.port, "INFO sentinel", "slaves=1", 100), "slaves=1");
         i++)
        real_sleep(10);
    /* one of them is never there */
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:1,127.0.0.1:%d", sentinel.port);
    for (i = 0; i < 2; i++)
        node_start(&n[i], url, (wshub_bus_redis_desc){.sentinel = "main"}, false, true);
    for (i = 0; i < 5000 && (!node_ready(&n[0]) || !node_ready(&n[1])); i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", master.port);
    EXPECT_STR(wshub_bus_redis_address(n[0].redis), text);
    redis_kill(&master);
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", replica.port);
    end = real_ms() + 30000;
    do {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    } while ((!node_up(&n[0]) || !node_up(&n[1]) ||
              strcmp(wshub_bus_redis_address(n[0].redis), text) != 0 ||
              strcmp(wshub_bus_redis_address(n[1].redis), text) != 0) &&
             real_ms() < end);
    EXPECT(node_up(&n[0]) && strcmp(wshub_bus_redis_address(n[0].redis), text) == 0);
    EXPECT(node_up(&n[1]) && strcmp(wshub_bus_redis_address(n[1].redis), text) == 0);
    node_number(&n[0], n[1].next);
    for (i = 0; i < 2000 && n[1].got == 0; i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    EXPECT_INT(n[1].got, 1);
    for (i = 0; i < 2; i++) node_stop(&n[i]);
    redis_end(&sentinel);
    redis_end(&replica);
    redis_end(&master);
}

TEST(a_cluster_is_joined_by_any_node_and_left_by_none) {
    static node n[2];
    redis_server s[3];
    char url[200], text[128];
    int i, k;
    uint64_t end;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(s, 0, sizeof s);
    for (i = 0; i < 3; i++) {
        s[i].extra[0] = "--cluster-enabled";
        s[i].extra[1] = "yes";
        s[i].extra[2] = "--cluster-node-timeout";
        s[i].extra[3] = "2000";
        redis_start(&s[i]);
    }
    for (i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "CLUSTER ADDSLOTSRANGE %d %d", i * 5461,
                       i == 2 ? 16383 : i * 5461 + 5460);
        EXPECT_HAS(redis_tell(s[i].port, text, NULL, 500), "OK");
        (void)snprintf(text, sizeof text, "CLUSTER MEET 127.0.0.1 %d", s[0].port);
        if (i) EXPECT_HAS(redis_tell(s[i].port, text, NULL, 500), "OK");
    }
    for (i = 0; i < 3; i++) {
        for (k = 0;
             k < 2000 && !strstr(redis_tell(s[i].port, "CLUSTER INFO", "cluster_size:3", 100),
                                 "cluster_state:ok");
             k++)
            real_sleep(10);
    }
    /* one by the first node, one by the second: classic pub/sub is everywhere */
    for (i = 0; i < 2; i++) {
        (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", s[i].port,
                       s[(i + 1) % 3].port, s[2].port);
        node_start(&n[i], url, (wshub_bus_redis_desc){0}, i == 1, true);
    }
    for (i = 0; i < 5000 && (!node_ready(&n[0]) || !node_ready(&n[1])); i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", s[0].port);
    EXPECT_STR(wshub_bus_redis_address(n[0].redis), text);
    end = real_ms() + 10000;
    while (n[1].got < 3 && real_ms() < end) { /* the nodes' own bus may take a moment */
        if (n[0].got <= n[1].got) node_number(&n[0], n[0].next);
        for (k = 0; k < 100 && n[1].got < n[0].got; k++) {
            node_step(&n[0], 1);
            node_step(&n[1], 1);
        }
        node_step(&n[0], 1);
    }
    EXPECT_OP(n[1].got, >=, 3);
    redis_kill(&s[0]); /* the first node goes: its hub takes the next one */
    end = real_ms() + 10000;
    do {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    } while ((n[0].downs == 0 || !node_up(&n[0])) && real_ms() < end);
    EXPECT(node_up(&n[0]) && strcmp(wshub_bus_redis_address(n[0].redis), text) != 0);
    n[1].got = 0;
    node_number(&n[0], n[0].next);
    for (k = 0; k < 3000 && n[1].got == 0; k++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    EXPECT_OP(n[1].got, >=, 1);
    EXPECT_INT(n[1].downs, 0);
    for (i = 0; i < 2; i++) node_stop(&n[i]);
    for (i = 0; i < 3; i++) redis_end(&s[i]);
}
