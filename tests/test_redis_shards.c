/* Sharded channels (BUS-7) of a real redis-server 7, of one and of a Cluster of three: hubs that
 * hear each other, channels by the 100,000, connections that are cut, a slot that goes to another
 * node; servers of Socket.IO in a Cluster, by the classic adapter and the sharded one. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_dialect_socketio.h"
#include "test.h"
#include "redis_server.h"

/* A hub whose dialect speaks on sharded channels, and counts what it hears. */
typedef struct party {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub;
    uint32_t dialect;
    int channels;  /* `c0` and on, which it listens to */
    int heard[64]; /* on each of the first */
    int others;    /* on others */
    int downs, ups;
    long last; /* number that was heard on a channel called so, and how many were not */
    long missed;
    char error[4000]; /* lines, each behind the one before */
} party;

static void party_hears(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    party *p = (party *)user;
    int i = channel.len > 1 ? atoi(channel.ptr + 1) : -1;
    (void)hub;
    EXPECT(payload.len > 0);
    if (payload.ptr[0] != 'x') {
        long number = atol(payload.ptr);
        EXPECT_OP(number, >, p->last); /* in order, and none twice */
        p->missed += number - p->last - 1;
        p->last = number;
        return;
    }
    if (i < 0 || i >= 64)
        p->others++;
    else
        p->heard[i]++;
}
static void party_state(wshub *hub, wshub_bus_state state, void *user) {
    party *p = (party *)user;
    char name[32];
    int i;
    p->downs += state == WSHUB_BUS_DOWN;
    p->ups += state == WSHUB_BUS_UP;
    if (state != WSHUB_BUS_CONNECTED) return;
    for (i = 0; i < p->channels; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        EXPECT_INT(wshub_bus_subscribe(hub, p->dialect, wshub_str_z(name), false), WSHUB_OK);
    }
}
static void party_log(const char *line, void *user) {
    party *p = (party *)user;
    size_t len = strlen(p->error);
    (void)snprintf(p->error + len, sizeof p->error - len, "%s\n", line);
}

static void party_start(party *p, const char *url, bool cluster, int channels) {
    wshub_bus_redis_desc rd;
    wshub_desc d;
    wshub_dialect table;
    memset(p, 0, sizeof *p);
    p->channels = channels;
    EXPECT_INT(wshub_io_auto_create(NULL, &p->net), WSHUB_OK);
    memset(&rd, 0, sizeof rd);
    rd.io = wshub_io_sock_io(p->net);
    rd.url = url;
    rd.cluster = cluster;
    rd.on_log = party_log;
    rd.user = p;
    EXPECT_INT(wshub_bus_redis_create(&rd, &p->redis), WSHUB_OK);
    memset(&d, 0, sizeof d);
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(p->redis);
    d.no_log = true;
    EXPECT_INT(wshub_create(&d, &p->hub), WSHUB_OK);
    memset(&table, 0, sizeof table);
    table.version = WSHUB_DIALECT_VERSION;
    table.name = "party";
    table.bus_prefix = "party:";
    table.bus_sharded = true;
    table.on_bus = party_hears;
    table.on_bus_state = party_state;
    EXPECT_INT(wshub_dialect_add(p->hub, &table, p, &p->dialect), WSHUB_OK);
}
static void party_stop(party *p) {
    wshub_destroy(p->hub);
    wshub_bus_redis_destroy(p->redis);
    wshub_io_sock_destroy(p->net);
}

static wshub_bus_redis_stats party_redis(const party *p) {
    wshub_bus_redis_stats stats;
    wshub_bus_redis_stats_get(p->redis, &stats);
    return stats;
}
static bool party_up(const party *p) {
    wshub_bus_redis_stats stats = party_redis(p);
    return stats.state == WSHUB_BUS_UP && !stats.unacknowledged &&
           stats.subscribed >= (uint64_t)p->channels + 4;
}
static void parties_step(party *p, int count, int ms) {
    int i;
    for (i = 0; i < count; i++) EXPECT_INT(wshub_io_sock_run_once(p[i].net, i ? 0 : ms), WSHUB_OK);
}
static bool parties_up(party *p, int count, int ms) {
    uint64_t end = real_ms() + (uint64_t)ms;
    int i;
    do {
        parties_step(p, count, 1);
        for (i = 0; i < count && party_up(&p[i]);) i++;
    } while (i < count && real_ms() < end);
    if (i < count) (void)printf("  %s\n", p[i].error);
    return i == count;
}

/* Both have seen that something was lost. */
static void parties_lost(party *p) {
    uint64_t end = real_ms() + 60000;
    while ((!p[0].downs || !p[1].downs) && real_ms() < end) parties_step(p, 2, 1);
    EXPECT(p[0].downs && p[1].downs);
}

/* One message on each of the first 64 channels of the other; each must come once. */
static void party_tells(party *p, int from, int to) {
    uint64_t end = real_ms() + 60000;
    char name[32];
    int i;
    memset(p[to].heard, 0, sizeof p[to].heard);
    for (i = 0; i < 64; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        EXPECT_INT(
            wshub_bus_publish(p[from].hub, p[from].dialect, wshub_str_z(name), wshub_str_z("x")),
            WSHUB_OK);
    }
    (void)wshub_settle(p[from].hub);
    do {
        parties_step(p, 2, 1);
        for (i = 0; i < 64 && p[to].heard[i];) i++;
    } while (i < 64 && real_ms() < end);
    for (i = 0; i < 20; i++) parties_step(p, 2, 1);
    for (i = 0; i < 64; i++) EXPECT_INT(p[to].heard[i], 1);
}

TEST(a_hundred_thousand_sharded_channels_of_one_node_and_a_cut) { /* BUS-7, BUS-5 */
    static party p[2];
    redis_server server;
    uint64_t start;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    start = real_ms();
    party_start(&p[0], server.url, false, 100000);
    party_start(&p[1], server.url, false, 64);
    EXPECT(parties_up(p, 2, 600000));
    (void)printf("  100000 channels subscribed and acknowledged in %llu ms\n",
                 (unsigned long long)(real_ms() - start));
    EXPECT_INT(party_redis(&p[0]).subscribed, 100004);
    party_tells(p, 0, 1);
    party_tells(p, 1, 0);
    EXPECT_HAS(redis_tell(server.port, "CLIENT KILL TYPE pubsub", NULL, 60000), ":2");
    parties_lost(p);
    EXPECT(parties_up(p, 2, 600000));
    party_tells(p, 1, 0);
    party_tells(p, 0, 1);
    party_stop(&p[0]);
    party_stop(&p[1]);
    redis_end(&server);
}

static uint32_t slot_of(const char *name) {
    wshub_str none = {"", 0};
    return wshub_bus_redis__slot(none, wshub_str_z(name));
}

/* A node's name. */
static void node_id(const redis_server *s, char *out_id) {
    const char *answer = redis_tell(s->port, "CLUSTER MYID", "\r\n", 60000);
    const char *id = strchr(answer, '\n');
    EXPECT(id && strlen(id) >= 41);
    (void)snprintf(out_id, 41, "%.40s", id ? id + 1 : "");
}

/* A slot goes from one node to another: that one is told first, as redis-cli does it. Only who was to
 * import it gets a new epoch with it. Without one the former owner, whose epoch may be the higher
 * one, takes it back by its next word to the other, if that comes before it is told itself; then
 * each of the two says for good that the slot is the other's. */
static void slot_goes(const redis_server *s, int count, uint32_t slot, int from, int to) {
    char text[160], id[41];
    int i;
    node_id(&s[from], id);
    (void)snprintf(text, sizeof text, "CLUSTER SETSLOT %u IMPORTING %s", (unsigned)slot, id);
    EXPECT_HAS(redis_tell(s[to].port, text, "\r\n", 60000), "OK");
    node_id(&s[to], id);
    (void)snprintf(text, sizeof text, "CLUSTER SETSLOT %u NODE %s", (unsigned)slot, id);
    EXPECT_HAS(redis_tell(s[to].port, text, "\r\n", 60000), "OK");
    for (i = 0; i < count; i++)
        if (i != to) EXPECT_HAS(redis_tell(s[i].port, text, "\r\n", 60000), "OK");
}

/* The master of a slot is asked who has subscribed there: both. */
static void on_counted(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    (void)hub;
    ++*(int *)arg;
    EXPECT(reply && reply->kind == WSHUB_BUS_REPLY_ARRAY && reply->count == 2 &&
           reply->items[1].integer == 2);
}
static void party_counts(party *p) {
    uint64_t end = real_ms() + 60000;
    wshub_str argv[3];
    char name[32];
    int i, counted = 0;
    argv[0] = wshub_str_z("PUBSUB");
    argv[1] = wshub_str_z("SHARDNUMSUB");
    for (i = 0; i < 64; i++) {
        (void)snprintf(name, sizeof name, "party:c%d", i);
        argv[2] = wshub_str_z(name);
        EXPECT_INT(wshub_bus_request(p->hub, argv, 3, on_counted, &counted), WSHUB_OK);
    }
    while (counted < 64 && real_ms() < end) parties_step(p, 1, 1);
    EXPECT_INT(counted, 64);
    EXPECT_INT(party_redis(p).requests_pending, 0);
}

/* ---- servers of Socket.IO ---- */

static wshub_client sio_client;
static void sio_connected(wshub_sio *sio, wshub_client client, void *user) {
    (void)sio;
    (void)user;
    sio_client = client;
}

/* A WebSocket of a socket in `/`. Returns its descriptor. */
static int sio_open(wshub_io_sock *net, uint16_t port) {
    static const char head[] = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\n"
                               "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const char connect_packet[] = {(char)0x81, (char)0x82, 0, 0, 0, 0, '4', '0'};
    int fd = tcp_open(port), i;
    EXPECT(fd >= 0);
    EXPECT(write(fd, head, sizeof head - 1) == (ssize_t)sizeof head - 1);
    for (i = 0; i < 20; i++) EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
    EXPECT(write(fd, connect_packet, sizeof connect_packet) == sizeof connect_packet);
    for (i = 0; i < 60000 && !sio_client.id; i++)
        EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
    EXPECT(sio_client.id != 0);
    return fd;
}

/* A server of Socket.IO that is up, with one namespace. Returns its port. */
static uint16_t sio_start(party *p, const char *url, bool cluster, wshub_sio_bus_mode mode,
                          wshub_sio **out_sio) {
    wshub_desc d;
    wshub_bus_redis_desc rd;
    wshub_sio_desc sd;
    wshub_sio_namespace_desc space;
    uint16_t port = 0;
    int i;
    memset(p, 0, sizeof *p);
    EXPECT_INT(wshub_io_auto_create(NULL, &p->net), WSHUB_OK);
    memset(&rd, 0, sizeof rd);
    rd.io = wshub_io_sock_io(p->net);
    rd.url = url;
    rd.cluster = cluster;
    EXPECT_INT(wshub_bus_redis_create(&rd, &p->redis), WSHUB_OK);
    memset(&d, 0, sizeof d);
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(p->redis);
    d.no_dialect = d.no_log = true;
    d.rooms_per_client_max = 1000000;
    EXPECT_INT(wshub_create(&d, &p->hub), WSHUB_OK);
    memset(&sd, 0, sizeof sd);
    sd.bus = true;
    sd.bus_mode = mode;
    EXPECT_INT(wshub_sio_create(p->hub, &sd, out_sio), WSHUB_OK);
    memset(&space, 0, sizeof space);
    space.on_connected = sio_connected;
    EXPECT_INT(wshub_sio_namespace_add(*out_sio, &space, NULL), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(p->net, "127.0.0.1", 0, &port), WSHUB_OK);
    for (i = 0; i < 60000 && party_redis(p).state != WSHUB_BUS_UP; i++)
        EXPECT_INT(wshub_io_sock_run_once(p->net, 1), WSHUB_OK);
    return port;
}

static void sio_stop(party *p, wshub_sio *sio) {
    wshub_destroy(p->hub);
    wshub_sio_destroy(sio);
    wshub_bus_redis_destroy(p->redis);
    wshub_io_sock_destroy(p->net);
}

/* What has been found last. */
static struct {
    int tells;
    bool error;
    uint32_t servers;
    size_t sockets;
} sio_last;
static void sio_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    (void)sio;
    (void)user;
    sio_last.tells++;
    sio_last.error = found->error != NULL;
    sio_last.servers = found->servers;
    sio_last.sockets = found->sockets_count;
}

/* Three servers, each with one socket and with its subscribers at a node of its own, find all that
 * the others have, and each socket hears what another server says to all. */
static void sio_cluster(const redis_server *s, wshub_sio_bus_mode mode) {
    static party p[3];
    wshub_sio *sio[3];
    wshub_packet packet;
    uint64_t end;
    char url[64], heard[3][4096];
    size_t got[3] = {0, 0, 0};
    uint16_t port;
    int fd[3], i, k;
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("spoken");
    for (i = 0; i < 3; i++) {
        (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", s[i].port);
        sio_client.id = 0;
        port = sio_start(&p[i], url, true, mode, &sio[i]);
        fd[i] = sio_open(p[i].net, port);
        (void)fcntl(fd[i], F_SETFL, O_NONBLOCK);
        EXPECT_INT(party_redis(&p[i]).state, WSHUB_BUS_UP);
    }
    for (i = 0; i < 3; i++) {
        memset(&sio_last, 0, sizeof sio_last);
        EXPECT_INT(wshub_sio_fetch(sio[i], wshub_sio_of(sio[i], "/"), NULL, sio_found, NULL),
                   WSHUB_OK);
        for (end = real_ms() + 60000; !sio_last.tells && real_ms() < end;) parties_step(p, 3, 1);
        EXPECT(sio_last.tells == 1 && !sio_last.error);
        EXPECT_INT(sio_last.servers, 3);
        EXPECT_INT(sio_last.sockets, 3);
    }
    EXPECT_INT(wshub_sio_emit(sio[0], wshub_sio_of(sio[0], "/"), NULL, &packet), WSHUB_OK);
    for (k = 0, end = real_ms() + 60000; k < 3 && real_ms() < end;) {
        parties_step(p, 3, 1);
        for (i = k = 0; i < 3; i++) {
            ssize_t n = read(fd[i], heard[i] + got[i], sizeof heard[i] - 1 - got[i]);
            if (n > 0) got[i] += (size_t)n;
            k += memmem(heard[i], got[i], "42[\"spoken\"]", 12) != NULL;
        }
    }
    EXPECT_INT(k, 3);
    for (i = 0; i < 3; i++) {
        (void)close(fd[i]);
        sio_stop(&p[i], sio[i]);
    }
}

/* ---- a Cluster ---- */

/* One of the nodes, at which neither was greeted, stops without closing anything. */
static void node_stops(party *p, const redis_server *s) {
    char text[160];
    p[0].downs = p[1].downs = 0;
    p[0].error[0] = 0;
    (void)kill(s[2].pid, SIGSTOP);
    parties_lost(p);
    (void)snprintf(text, sizeof text, "no answer within heartbeat_timeout_ms: 127.0.0.1:%d",
                   s[2].port);
    EXPECT_HAS(p[0].error, text);
    EXPECT_OP(party_redis(&p[0]).silences, >=, 1);
    EXPECT_OP(party_redis(&p[1]).silences, >=, 1);
    (void)kill(s[2].pid, SIGCONT);
    redis_cluster_ok(s);
    EXPECT(parties_up(p, 2, 60000));
    party_tells(p, 0, 1);
    party_tells(p, 1, 0);
}

TEST(channels_of_a_cluster_go_to_the_node_that_has_their_slot) { /* BUS-7; socket.io 4, 6 */
    static party p[2], asks;
    static const char *const names[] = {"party:c1", "{a}b", "a{b}c{d}", "{}x", "x{", "x}{y"};
    redis_server s[3];
    char url[64], text[160];
    wshub_str prefix = wshub_str_z("pa"), rest = wshub_str_z("rty:c1");
    uint32_t slot = slot_of("party:c1");
    uint64_t end;
    int i, from = slot < 5461 ? 0 : slot < 10922 ? 1 : 2, to = slot < 5461 ? 1 : 0;
    if (!redis_installed()) SKIP("redis-server is not installed");
    redis_cluster_start(s);
    for (i = 0; i < 6; i++) {
        (void)snprintf(text, sizeof text, "CLUSTER KEYSLOT %s", names[i]);
        EXPECT_INT(atoi(redis_tell(s[0].port, text, "\r\n", 60000) + 1), slot_of(names[i]));
    }
    EXPECT_INT(wshub_bus_redis__slot(prefix, rest), slot);
    sio_cluster(s, WSHUB_SIO_BUS_PATTERNS);
    sio_cluster(s, WSHUB_SIO_BUS_SHARDED);

    for (i = 0; i < 2; i++) {
        (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", s[i].port);
        party_start(&p[i], url, true, 64);
    }
    EXPECT(parties_up(p, 2, 60000));
    party_tells(p, 0, 1);
    party_tells(p, 1, 0);
    EXPECT_INT(party_redis(&p[0]).refused, 0);
    EXPECT_INT(party_redis(&p[0]).receivers, 128); /* ourselves, too */
    party_counts(&p[0]);

    /* one that has subscribed to none of them, and is told nothing of slots */
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", s[2].port);
    party_start(&asks, url, true, 0);
    EXPECT(parties_up(&asks, 1, 60000));
    party_counts(&asks);

    /* a slot goes to another node: told, and its channel is subscribed to there */
    p[0].ups = p[1].ups = 0;
    slot_goes(s, 3, slot, from, to);
    for (end = real_ms() + 60000; !(p[0].ups && p[1].ups) && real_ms() < end;)
        parties_step(p, 2, 1);
    for (i = 0; i < 2; i++) {
        EXPECT_INT(p[i].ups, 1);
        EXPECT_INT(p[i].downs, 0);
        EXPECT_INT(party_redis(&p[i]).moved, 1);
    }
    EXPECT_HAS(p[0].error, "slots have moved");
    EXPECT(parties_up(p, 2, 60000));
    party_tells(p, 0, 1);
    party_tells(p, 1, 0);

    party_counts(&p[0]);
    party_counts(&asks); /* of which it knew the slot at another node */
    EXPECT_INT(asks.downs, 0);
    party_stop(&asks);

    node_stops(p, s);

    /* a connection to one of the nodes is cut */
    p[0].downs = p[1].downs = 0;
    EXPECT_HAS(redis_tell(s[2].port, "CLIENT KILL TYPE pubsub", "\r\n", 60000), ":2");
    parties_lost(p);
    EXPECT(parties_up(p, 2, 60000));
    party_tells(p, 0, 1);
    party_tells(p, 1, 0);
    for (i = 0; i < 2; i++) party_stop(&p[i]);
    for (i = 0; i < 3; i++) redis_end(&s[i]);
}

/* Both have seen so many moves: the next one comes behind that. Who loses a connection meanwhile,
 * which is a failure, may have seen it by that; for one who has nobody waits. */
static bool have_moved(const party *p, int moves) {
    int i;
    for (i = 0; i < 2; i++)
        if (!p[i].downs && (party_redis(&p[i]).moved < (uint64_t)moves || p[i].ups < moves))
            return false;
    return true;
}

/* A slot goes round the nodes, one of which had none before, while numbers are said on one of its
 * channels: they come in order, none twice, and where some are missing somebody was told. The other
 * channels are not touched. */
TEST(a_slot_that_moves_under_load_loses_nothing_untold_and_nothing_comes_twice) { /* BUS-5, BUS-7 */
    enum { MOVES = 24, BETWEEN_MS = 60 };
    static party p[2];
    redis_server s[4];
    char url[64], text[32];
    uint32_t slot = slot_of("party:c1");
    uint64_t end, next = 0;
    long number = 0, missed = 0;
    int i, moves, at = slot < 5461 ? 0 : slot < 10922 ? 1 : 2, told = 0, gaps = 0;
    if (!redis_installed()) SKIP("redis-server is not installed");
    redis_cluster_start(s);
    memset(&s[3], 0, sizeof s[3]);
    s[3].extra[0] = "--cluster-enabled";
    s[3].extra[1] = "yes";
    s[3].extra[2] = "--cluster-allow-replica-migration"; /* without slots it stays a master */
    s[3].extra[3] = "no";
    redis_start(&s[3]);
    (void)snprintf(text, sizeof text, "CLUSTER MEET 127.0.0.1 %d", s[0].port);
    EXPECT_HAS(redis_tell(s[3].port, text, NULL, 60000), "OK");
    for (i = 0; i < 3; i++) { /* until all have met it, and it them */
        (void)snprintf(text, sizeof text, ":%d@", s[3].port);
        for (end = real_ms() + 60000; real_ms() < end;) {
            if (!strstr(redis_tell(s[i].port, "CLUSTER NODES", "\r\n\r\n", 100), text)) continue;
            if (strstr(redis_tell(s[3].port, "CLUSTER INFO", "\r\n\r\n", 100), "state:ok")) break;
        }
        EXPECT_OP(real_ms(), <, end);
    }
    for (i = 0; i < 2; i++) {
        (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", s[i].port);
        party_start(&p[i], url, true, 64);
    }
    EXPECT(parties_up(p, 2, 60000));
    for (i = 0; i < 2; i++) p[i].ups = 0;

    for (moves = 0; moves <= MOVES; moves++) {
        for (end = real_ms() + BETWEEN_MS;
             real_ms() < end || p[1].last < number - 100 || !have_moved(p, moves);) {
            (void)snprintf(text, sizeof text, "%ld", ++number);
            EXPECT_INT(
                wshub_bus_publish(p[0].hub, p[0].dialect, wshub_str_z("c1"), wshub_str_z(text)),
                WSHUB_OK);
            (void)wshub_settle(p[0].hub);
            parties_step(p, 2, 1);
            if (real_ms() > end + 60000) break;
        }
        EXPECT_OP(real_ms(), <, end + 60000);
        if (p[1].missed > missed) { /* whoever lost something has heard of that, or will */
            gaps++;
            for (next = real_ms() + 60000; p[0].ups + p[1].ups == told && real_ms() < next;)
                parties_step(p, 2, 1);
            EXPECT_OP(p[0].ups + p[1].ups, >, told);
        }
        missed = p[1].missed;
        told = p[0].ups + p[1].ups;
        if (moves == MOVES) break;
        slot_goes(s, 4, slot, at, (at + 1) % 4);
        at = (at + 1) % 4;
    }
    (void)printf("  %d moves, %ld numbers, %ld missing in %d of them, %llu refused\n", MOVES,
                 number, missed, gaps, (unsigned long long)party_redis(&p[0]).refused);
    for (i = 0; i < 2; i++) {
        if (p[i].downs) (void)printf("  party %d: %s\n", i, p[i].error);
        EXPECT_INT(p[i].downs, 0);
        EXPECT_INT(party_redis(&p[i]).moved, MOVES);

        /* Once for the channel that was taken away; and again where the old node refuses later what
         * was on its way to it, which is another loss. Never without one. */
        EXPECT_OP(p[i].ups, >=, MOVES);
        EXPECT_OP(p[i].ups, <=, MOVES + (int)party_redis(&p[i]).refused);
    }
    party_tells(p, 0, 1);
    party_tells(p, 1, 0);
    for (i = 0; i < 2; i++) party_stop(&p[i]);
    for (i = 0; i < 4; i++) redis_end(&s[i]);
}

/* How many have subscribed to `late`, over all nodes; -1: it was not said. */
static void on_late(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    (void)hub;
    *(int64_t *)arg = reply && reply->kind == WSHUB_BUS_REPLY_ARRAY ? reply->items[1].integer : -1;
}
static int64_t party_late(party *p) {
    wshub_str argv[3];
    int64_t count = -2;
    argv[0] = wshub_str_z("PUBSUB");
    argv[1] = wshub_str_z("NUMSUB");
    argv[2] = wshub_str_z("late");
    EXPECT_INT(wshub_bus_request(p->hub, argv, 3, on_late, &count), WSHUB_OK);
    while (count == -2 && party_redis(p).state == WSHUB_BUS_UP) parties_step(p, 1, 1);
    return count;
}

/* A node that joins becomes the replica of the first one; whoever has subscribed there is counted
 * as soon as the nodes have been asked for again. */
TEST(who_has_subscribed_at_a_node_that_came_later_is_counted) { /* redis-adapter 4 */
    static party p;
    redis_server s[3], joins;
    char url[64], text[160], id[41];
    uint64_t end;
    int64_t count = 0;
    int fd, i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    redis_cluster_start(s);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", s[1].port);
    party_start(&p, url, true, 1);
    EXPECT(parties_up(&p, 1, 60000));

    memset(&joins, 0, sizeof joins);
    joins.extra[0] = "--cluster-enabled";
    joins.extra[1] = "yes";
    redis_start(&joins);
    fd = tcp_open(joins.port);
    EXPECT(fd >= 0 && write(fd, "SUBSCRIBE late\r\n", 16) == 16);
    EXPECT_INT(party_late(&p), 0);
    (void)snprintf(text, sizeof text, "CLUSTER MEET 127.0.0.1 %d", s[0].port);
    EXPECT_HAS(redis_tell(joins.port, text, NULL, 60000), "OK");
    node_id(&s[0], id);
    (void)snprintf(text, sizeof text, "CLUSTER REPLICATE %s", id);
    for (i = 0; i < 60000 && !strstr(redis_tell(joins.port, text, "\r\n", 60000), "OK"); i++)
        real_sleep(10); /* until it has heard of that one */
    for (end = real_ms() + 60000; count != 1 && real_ms() < end;) {
        parties_step(&p, 1, 10);
        count = party_late(&p);
    }
    EXPECT_INT(count, 1);
    EXPECT_INT(p.downs, 0);
    (void)close(fd);
    party_stop(&p);
    redis_end(&joins);
    for (i = 0; i < 3; i++) redis_end(&s[i]);
}

/* A node that has joined and has no slots is no master that CLUSTER SLOTS names. What is published
 * at another node comes to who has subscribed there, and who has is counted. */
TEST(who_has_subscribed_at_a_master_without_slots_is_counted) { /* 4, PITFALLS e15 */
    static party p;
    redis_server s[3], joins;
    char url[64], text[160], heard[400];
    uint64_t end;
    ssize_t n, got = 0;
    int fd, i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    redis_cluster_start(s);
    memset(&joins, 0, sizeof joins);
    joins.extra[0] = "--cluster-enabled";
    joins.extra[1] = "yes";
    redis_start(&joins);
    (void)snprintf(text, sizeof text, "CLUSTER MEET 127.0.0.1 %d", s[0].port);
    EXPECT_HAS(redis_tell(joins.port, text, NULL, 60000), "OK");
    for (i = 0; i < 3; i++) { /* until each has met it */
        (void)snprintf(text, sizeof text, ":%d@%d master - ", joins.port, joins.port + 10000);
        for (end = real_ms() + 60000; real_ms() < end;) {
            if (strstr(redis_tell(s[i].port, "CLUSTER NODES", text, 300), text)) break;
        }
        EXPECT_OP(real_ms(), <, end);
    }
    fd = tcp_open(joins.port);
    EXPECT(fd >= 0 && write(fd, "SUBSCRIBE late\r\n", 16) == 16);

    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", s[1].port);
    party_start(&p, url, true, 1);
    EXPECT(parties_up(&p, 1, 60000));
    EXPECT_INT(p.redis->links_used, WSHUB_BUS_REDIS__NODES + 2 * 4);
    for (end = real_ms() + 60000; party_late(&p) != 1 && real_ms() < end;) parties_step(&p, 1, 1);
    EXPECT_OP(real_ms(), <, end);

    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    for (end = real_ms() + 60000; real_ms() < end;) { /* until it knows the one that forwards it */
        EXPECT_HAS(redis_tell(s[2].port, "PUBLISH late hello", "\r\n", 60000), ":");
        n = read(fd, heard + got, sizeof heard - 1 - (size_t)got);
        if (n > 0) got += n;
        if (memmem(heard, (size_t)got, "hello", 5)) break;
        real_sleep(1);
    }
    EXPECT_OP(real_ms(), <, end);
    EXPECT_INT(p.downs, 0);
    (void)close(fd);
    party_stop(&p);
    redis_end(&joins);
    for (i = 0; i < 3; i++) redis_end(&s[i]);
}

TEST(a_broker_that_is_no_cluster_is_told_of) {
    static party p[1];
    redis_server server;
    uint64_t end = real_ms() + 60000;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    party_start(p, server.url, true, 1);
    while (!p->error[0] && real_ms() < end) parties_step(p, 1, 1);
    EXPECT(strstr(p->error, "no node of a Cluster: ERR") != NULL);
    party_stop(p);
    redis_end(&server);
}

/* ---- and how long it takes ---- */

static uint64_t cpu_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

TEST(a_hundred_thousand_rooms_of_socket_io_are_held_precisely) { /* socket.io 4 */
    enum { ROOMS = 100000 };
    static party p;
    redis_server server;
    wshub_sio *sio;
    const char *answer;
    uint64_t wall, cpu, before;
    uint16_t port;
    char name[32];
    int fd, i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    port = sio_start(&p, server.url, false, WSHUB_SIO_BUS_PRECISE, &sio);
    sio_client.id = 0;
    fd = sio_open(p.net, port);
    before = party_redis(&p).subscribed;

    wall = real_ms();
    cpu = cpu_ms();
    for (i = 0; i < ROOMS; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_join(p.hub, sio_client, wshub_str_z(name)), WSHUB_OK);
    }
    (void)wshub_settle(p.hub);
    while ((party_redis(&p).subscribed < before + ROOMS || party_redis(&p).unacknowledged) &&
           real_ms() < wall + 600000)
        EXPECT_INT(wshub_io_sock_run_once(p.net, 1), WSHUB_OK);
    (void)printf("  %d rooms joined, subscribed and acknowledged in %llu ms, %llu of them ours\n",
                 ROOMS, (unsigned long long)(real_ms() - wall),
                 (unsigned long long)(cpu_ms() - cpu));
    EXPECT_OP(party_redis(&p).subscribed, >=, ROOMS);
    answer = redis_tell(server.port, "PUBSUB NUMSUB socket.io#/#room-99999#", ":1", 60000);
    EXPECT_HAS(answer, ":1");
    (void)close(fd);
    sio_stop(&p, sio);
    redis_end(&server);
}
