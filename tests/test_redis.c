/* Two hubs, each on sockets of its own, and a real redis-server that is killed, stopped, cut
 * off, locked and closed: each loss is told, healed within 6 s of the broker's return, nothing
 * arrives twice or out of order, memory stays (BUS-5). WSHUB_CYCLES=1000 for the long run.
 * Then: exact subscriptions by the 100,000, and messages at full rate. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "test.h"
#include "redis_server.h"
#include "redis_node.h"

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
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
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
    while (p->listener >= 0 && (fd = accept(p->listener, NULL, NULL)) >= 0) {
        int to = tcp_open(p->to_port);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
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
    uint64_t end = real_ms() + 60000;
    while (!strstr(wshub_bus_redis_error(c->n[0].redis), error) && real_ms() < end) cluster_step(c);
    EXPECT_HAS(wshub_bus_redis_error(c->n[0].redis), error);
}
static const char *cluster_tell(cluster *c, const char *lines) {
    return redis_tell(c->server.port, lines, NULL, 60000);
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
                         60000);
        cluster_until(c, "NOAUTH");
        EXPECT_HAS(redis_tell(c->server.port, "AUTH other\r\nCONFIG SET requirepass \"\"",
                              "+OK\r\n+OK", 60000),
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
    for (i = 0; i < 60000 && (!node_ready(&c.n[0]) || !node_ready(&c.n[1])); i++) {
        node_step(&c.n[0], 1);
        node_step(&c.n[1], 0);
        proxy_step(&c.via);
    }
    EXPECT(node_ready(&c.n[0]) && node_ready(&c.n[1]));
    for (cycle = 0; cycle < cycles; cycle++) {
        fault what = fault_of(cycle, cycles);
        int downs[2], ups[2];
        uint64_t silences[2];
        long got;
        uint64_t began = real_ms(), back, healed;
        bool told = what != STOP_SHORT, half;
        rnd = rnd * 1103515245u + 12345u;
        /* long enough for a good connection, whose loss is tried again at once */
        cluster_for(&c, 530);
        for (i = 0; i < 2; i++) {
            downs[i] = c.n[i].downs;
            ups[i] = c.n[i].ups;
            silences[i] = node_redis(&c.n[i]).silences;
            c.n[i].error[0] = 0;
        }
        back = inflict(&c, what, rnd >> 16);
        if (what == STOP_SHORT) back = real_ms();
        while (real_ms() < back + 60000) { /* until both have been down and are up */
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
        if (healed > 6000) /* of a machine that is not busy it is a fault */
            (void)printf("  cycle %ld, %s: %llu ms (%s | %s)\n", cycle, fault_names[what],
                         (unsigned long long)healed, c.n[0].error, c.n[1].error);
        EXPECT_OP(healed, <, 60000);
        for (i = 0; i < 2 && (what == STOP_LONG || what == HALF_OPEN); i++)
            EXPECT_OP(node_redis(&c.n[i]).silences, >, silences[i]);
        for (i = 0; i < 2 && told; i++) {
            EXPECT(c.n[i].downs > downs[i] && c.n[i].ups > ups[i]); /* the gap is told */
            EXPECT_OP(c.n[i].down_ms, <=, real_ms() - began);
        }
        /* and it works: what is said now arrives */
        got = c.n[1].got;
        for (k = 0; k < 60000 && c.n[1].got < got + 5; k++) cluster_step(&c);
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

TEST(a_hundred_thousand_rooms_are_subscribed_in_batches) { /* BUS-4 */
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
    for (i = 0; i < 60000 && !node_ready(&n); i++) node_step(&n, 1);
    EXPECT_INT(wshub_client_find(n.hub, wshub_str_z(n.id), &c), WSHUB_OK);
    start = real_ms();
    for (i = 0; i < ROOMS; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_join(n.hub, c, wshub_str_z(name)), WSHUB_OK);
    }
    (void)wshub_settle(n.hub);
    while ((node_redis(&n).subscribed < ROOMS || node_redis(&n).unacknowledged) &&
           real_ms() < start + 600000)
        node_step(&n, 1);
    took = real_ms() - start;
    (void)printf("  %d rooms joined, subscribed and acknowledged in %llu ms\n", ROOMS,
                 (unsigned long long)took);
    /* what is subscribed is what is here: broadcast, the client, its own room, its user, the
     * rooms; and the heartbeat */
    EXPECT_INT(node_redis(&n).subscribed, ROOMS + 6);
    answer = redis_tell(server.port, "INFO stats", "pubsub_patterns", 60000);
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
           real_ms() < start + 600000)
        node_step(&n, 1);
    answer =
        strstr(redis_tell(server.port, "INFO stats", "pubsub_patterns", 60000), "pubsub_channels:");
    EXPECT(answer && atol(answer + 16) == ROOMS / 2 + 7);
    /* and all of it again after a cut */
    EXPECT_HAS(redis_tell(server.port, "CLIENT KILL TYPE pubsub", NULL, 60000), ":1");
    for (i = 0; i < 60000 && n.downs == 0; i++) node_step(&n, 1);
    start = real_ms();
    while (!node_up(&n) && real_ms() < start + 600000) node_step(&n, 1);
    answer =
        strstr(redis_tell(server.port, "INFO stats", "pubsub_patterns", 60000), "pubsub_channels:");
    EXPECT(answer && atol(answer + 16) == ROOMS / 2 + 7);
    EXPECT_INT(node_redis(&n).subscribed, ROOMS / 2 + 6);
    EXPECT_INT(wshub_client_close(n.hub, c, 1000, wshub_str_z("")), WSHUB_OK);
    for (i = 0; i < 60000 && node_redis(&n).subscribed != 1; i++)
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
    for (i = 0; i < 60000 && (!node_ready(&n[0]) || !node_ready(&n[1])); i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    end = real_ms() + 600000;
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
