/* make bench-rooms: a server that asks Redis for exactly those rooms that are here (bus_exact of
 * wshub_desc; WSHUB_SIO_BUS_PRECISE of Socket.IO) and holds 100,000 of them. Prints how long it
 * takes from the first join until Redis has acknowledged the last subscription, and, when the
 * subscribing connection was cut, until all of them are acknowledged again; of each what it costs
 * this process and Redis. Beside them the same subscriptions by a program that only writes and
 * reads bytes. Needs redis-server.   build/bench_rooms [rounds] [rooms]    default 5, 100000 */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_dialect_socketio.h"
#include "dial.h"
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 18491, ROUNDS_MAX = 64, BATCH = 500 };

/* What one thing took: of the wall's clock, of ours and of Redis. */
typedef struct cost {
    double wall[ROUNDS_MAX], ours[ROUNDS_MAX], redis[ROUNDS_MAX];
} cost;
static pid_t server;

static void die(const char *what) {
    perror(what);
    if (server > 0) (void)kill(server, SIGTERM);
    exit(1);
}
static double now_ms(clockid_t which) {
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
static double redis_cpu_ms(void) {
    clockid_t clock;
    if (clock_getcpuclockid(server, &clock)) die("the clock of redis-server");
    return now_ms(clock);
}
static void cost_begin(cost *c, int round) {
    c->wall[round] = -now_ms(CLOCK_MONOTONIC);
    c->ours[round] = -now_ms(CLOCK_PROCESS_CPUTIME_ID);
    c->redis[round] = -redis_cpu_ms();
}
static void cost_end(cost *c, int round) {
    c->wall[round] += now_ms(CLOCK_MONOTONIC);
    c->ours[round] += now_ms(CLOCK_PROCESS_CPUTIME_ID);
    c->redis[round] += redis_cpu_ms();
}
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}
static void cost_print(const char *what, cost *c, int rounds) {
    double least;
    (void)median(c->wall, rounds);
    least = c->wall[0];
    (void)printf("  %-34s %7.0f %7.0f %7.0f %7.0f\n", what, c->wall[rounds / 2], least,
                 median(c->ours, rounds), median(c->redis, rounds));
}

/* ---- a connection that only writes and reads ---- */

static void put(int fd, const char *bytes, size_t count) {
    while (count) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0) die("write");
        bytes += n;
        count -= (size_t)n;
    }
}
static void tell_redis(const char *line) {
    char answer[64];
    int fd = dial_here(PORT);
    put(fd, line, strlen(line));
    if (read(fd, answer, sizeof answer) < 1 || answer[0] == '-') die(line);
    (void)close(fd);
}

/* Subscribes to as many channels of the same names, a batch in each command, and counts the lines
 * of what is answered: six for each channel. */
static void bare(int rooms) {
    static char command[BATCH * 64], heard[1 << 16];
    int fd = dial_here(PORT), i = 0, k;
    long lines = 0;
    while (i < rooms) {
        int count = rooms - i < BATCH ? rooms - i : BATCH;
        size_t n =
            (size_t)snprintf(command, sizeof command, "*%d\r\n$9\r\nSUBSCRIBE\r\n", count + 1);
        for (k = 0; k < count; k++, i++) {
            char name[40];
            int len = snprintf(name, sizeof name, "ws:room:room-%d", i);
            n += (size_t)snprintf(command + n, sizeof command - n, "$%d\r\n%s\r\n", len, name);
        }
        put(fd, command, n);
        for (;;) { /* what is there, so that neither waits for the other */
            ssize_t got = recv(fd, heard, sizeof heard, i < rooms ? MSG_DONTWAIT : 0), b;
            if (got < 0 && errno == EAGAIN) break;
            if (got <= 0) die("read");
            for (b = 0; b < got; b++) lines += heard[b] == '\n';
            if (lines >= 6L * rooms) break;
        }
    }
    (void)close(fd);
}

/* ---- a server ---- */

typedef struct site {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub;
    wshub_sio *sio; /* NULL: a hub of the JSON dialect */
    wshub_client client;
    int fd; /* its client's end */
} site;

static wshub_bus_redis_stats redis_stats(const site *s) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(s->redis, &st);
    return st;
}
static bool settled(const site *s, uint64_t least) {
    wshub_bus_redis_stats st = redis_stats(s);
    return st.state == WSHUB_BUS_UP && !st.unacknowledged && st.subscribed >= least;
}
static void run_until_settled(site *s, uint64_t least) {
    while (!settled(s, least)) {
        if (wshub_io_sock_run_once(s->net, 10)) die("run");
    }
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)user;
    ((site *)user)->client = auth->client;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static void on_connected(wshub_sio *sio, wshub_client client, void *user) {
    (void)sio;
    ((site *)user)->client = client;
}

/* A WebSocket on a path, and the first that its client says. */
static void site_client(site *s, uint16_t port, const char *path, const char *says) {
    char text[400], frame[130];
    size_t len = strlen(says);
    s->fd = dial_here(port);
    (void)snprintf(text, sizeof text,
                   "GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "\r\n",
                   path);
    put(s->fd, text, strlen(text));
    frame[0] = (char)0x81;
    frame[1] = (char)(0x80 | len);
    memset(frame + 2, 0, 4);
    memcpy(frame + 6, says, len);
    put(s->fd, frame, len + 6);
    while (!s->client.id) {
        if (wshub_io_sock_run_once(s->net, 10)) die("run");
    }
    run_until_settled(s, 1);
}

static void site_start(site *s, bool sio) {
    wshub_bus_redis_desc rd;
    wshub_sio_desc sd;
    wshub_sio_namespace_desc space;
    wshub_desc d;
    char url[64];
    uint16_t port = 0;
    memset(s, 0, sizeof *s);
    memset(&rd, 0, sizeof rd);
    memset(&d, 0, sizeof d);
    memset(&sd, 0, sizeof sd);
    memset(&space, 0, sizeof space);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", PORT);
    if (wshub_io_auto_create(NULL, &s->net)) die("io");
    rd.io = wshub_io_sock_io(s->net);
    rd.url = url;
    rd.no_log = true;
    if (wshub_bus_redis_create(&rd, &s->redis)) die("bus");

    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(s->redis);
    d.bus_exact = true;
    d.no_dialect = sio;
    d.no_log = true;
    d.on_authenticate = sio ? NULL : on_authenticate;
    d.user = s;
    d.rooms_per_client_max = 1000000;
    d.idle_timeout_ms = d.heartbeat_timeout_ms = WSHUB_OFF;
    if (wshub_create(&d, &s->hub)) die("hub");
    sd.bus = true;
    sd.bus_mode = WSHUB_SIO_BUS_PRECISE;
    sd.engine.ping_interval_ms = 600000;
    space.on_connected = on_connected;
    space.user = s;
    if (sio && wshub_sio_create(s->hub, &sd, &s->sio)) die("sio");
    if (sio && wshub_sio_namespace_add(s->sio, &space, NULL)) die("namespace");
    if (wshub_io_sock_listen(s->net, "127.0.0.1", 0, &port)) die("listen");
    run_until_settled(s, 1);
    site_client(s, port, sio ? "/socket.io/?EIO=4&transport=websocket" : "/ws",
                sio ? "40" : "{\"event\":\"authenticate\"}");
}
static void site_stop(site *s) {
    wshub_destroy(s->hub);
    if (s->sio) wshub_sio_destroy(s->sio);
    wshub_bus_redis_destroy(s->redis);
    wshub_io_sock_destroy(s->net);
    (void)close(s->fd);
}

/* One round of a server: joins, and a cut. */
static void measure(bool sio, int rooms, cost *joined, cost *again, int round) {
    site s;
    uint64_t before;
    char name[32];
    int i;
    site_start(&s, sio);
    before = redis_stats(&s).subscribed;
    cost_begin(joined, round);
    for (i = 0; i < rooms; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        if (wshub_client_join(s.hub, s.client, wshub_str_z(name))) die("join");
    }
    (void)wshub_settle(s.hub);
    run_until_settled(&s, before + (uint64_t)rooms);
    cost_end(joined, round);

    /* What Redis does before it answers to that is not counted. */
    tell_redis("CLIENT KILL TYPE pubsub\r\n");
    cost_begin(again, round);
    while (!redis_stats(&s).downs) {
        if (wshub_io_sock_run_once(s.net, 10)) die("run");
    }
    run_until_settled(&s, before + (uint64_t)rooms);
    cost_end(again, round);
    site_stop(&s);
}

int main(int argc, char **argv) {
    static cost floor_cost, joined[2], again[2];
    int rounds = argc > 1 ? atoi(argv[1]) : 5, rooms = argc > 2 ? atoi(argv[2]) : 100000, i;
    char port[16];
    if (rounds < 1 || rounds > ROUNDS_MAX) rounds = 5;
    if (rooms < 1 || rooms > 900000) rooms = 100000;
    (void)snprintf(port, sizeof port, "%d", PORT);
    server = fork();
    if (server == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        (void)execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1",
                     "--save", "", (char *)NULL);
        _exit(127);
    }
    (void)usleep(500000);
    if (waitpid(server, NULL, WNOHANG) != 0) {
        (void)printf("redis-server is not installed, or port %d is taken\n", PORT);
        return 1;
    }
    for (i = 0; i < rounds; i++) {
        cost_begin(&floor_cost, i);
        bare(rooms);
        cost_end(&floor_cost, i);
        measure(false, rooms, &joined[0], &again[0], i);
        measure(true, rooms, &joined[1], &again[1], i);
    }
    (void)printf("%d rooms, each a subscription of its own; milliseconds, medians of %d rounds\n"
                 "  %-34s %7s %7s %7s %7s\n",
                 rooms, rounds, "", "wall", "least", "ours", "Redis's");
    cost_print("bare SUBSCRIBE by the 500", &floor_cost, rounds);
    cost_print("a hub (bus_exact): joined", &joined[0], rounds);
    cost_print("  and again after a cut", &again[0], rounds);
    cost_print("Socket.IO (PRECISE): joined", &joined[1], rounds);
    cost_print("  and again after a cut", &again[1], rounds);
    (void)kill(server, SIGTERM);
    (void)waitpid(server, NULL, 0);
    return 0;
}
