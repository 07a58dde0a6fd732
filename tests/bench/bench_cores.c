/* A hub a thread, joined by the in-process bus: what a delivery costs when a message is said on
 * one of them and heard on all, over an io that takes everything, so that what is seen is the
 * hubs and their hand-over. Every hub publishes a burst a turn to one room that has members on
 * all of them; none runs ahead of the slowest by more than a few turns.  build/bench_cores
 * [MOST [ROUNDS]]     1, 2, 4, ... hubs up to MOST (the machine's cores, at least 4) */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, AHEAD = 8 };

typedef struct core {
    wshub_io_owner owner;
    wshub *hub;
    pthread_t thread;
    uint64_t turn, heard, random_state; /* turn: read by the others */
    uint32_t number, clients;
    int event, woken;
    double cpu;
} core;
static core cores[MOST];
static uint32_t count, burst, clients_each;
static uint64_t turns;
static bool exact;
static wshub_bus_local *local;

static void c_attach(void *ctx, const wshub_io_owner *o) {
    if (o) ((core *)ctx)->owner = *o;
}
static int64_t c_send(void *ctx, wshub_conn c, const wshub_span *spans, size_t n) {
    size_t i, sum = 0;
    (void)c;
    for (i = 0; i < n; i++) sum += spans[i].len;
    ((core *)ctx)->heard += sum;
    return (int64_t)sum;
}
static void c_close(void *ctx, wshub_conn c, bool flush) {
    (void)ctx;
    (void)c;
    (void)flush;
}
static uint64_t c_now(void *ctx) {
    (void)ctx;
    return 1000;
}
static bool c_random(void *ctx, uint8_t *bytes, size_t n) {
    uint64_t *s = &((core *)ctx)->random_state;
    while (n--) {
        *s = *s * 6364136223846793005u + 1442695040888963407u;
        bytes[n] = (uint8_t)(*s >> 40);
    }
    return true;
}
static void c_wake(void *ctx) {
    core *c = (core *)ctx;
    uint64_t one = 1;
    if (!__atomic_exchange_n(&c->woken, 1, __ATOMIC_ACQ_REL))
        (void)!write(c->event, &one, sizeof one);
}
static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static void come(core *c, uint32_t i) {
    static const char up[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                             "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                             "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                             "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";
    uint8_t bytes[sizeof up];
    wshub_conn conn;
    conn.id = (UINT64_C(1) << 32) | i;
    memcpy(bytes, up, sizeof up);
    c->owner.opened(c->owner.ctx, conn);
    c->owner.received(c->owner.ctx, conn, bytes, sizeof up - 1);
    (void)c->owner.settle(c->owner.ctx);
}
static double thread_cpu(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static double wall(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static uint64_t slowest(void) {
    uint64_t least = UINT64_MAX, t;
    uint32_t i;
    for (i = 0; i < count; i++) {
        t = __atomic_load_n(&cores[i].turn, __ATOMIC_ACQUIRE);
        if (t < least) least = t;
    }
    return least;
}
static void *work(void *arg) {
    core *c = (core *)arg;
    wshub_dest to = {0};
    wshub_msg m;
    wshub_stats s;
    uint64_t said = 0, all = turns * burst * (count - 1), drain;
    uint32_t b;
    double t0 = thread_cpu();
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_ROOM;
    to.name = wshub_str_z("ws-default");
    m.event = wshub_str_z("m");
    m.data = wshub_str_z("\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
    m.data_is_json = true;
    for (;;) {
        struct pollfd p = {c->event, POLLIN, 0};
        bool ahead = said >= slowest() + AHEAD;
        wshub_stats_get(c->hub, &s);
        if (said == turns && s.bus_received == all) break;
        if ((said == turns || ahead) && !__atomic_load_n(&c->woken, __ATOMIC_ACQUIRE))
            (void)poll(&p, 1, ahead ? 0 : 1);
        if (__atomic_exchange_n(&c->woken, 0, __ATOMIC_ACQ_REL))
            (void)!read(c->event, &drain, sizeof drain);
        if (said < turns && !ahead) {
            for (b = 0; b < burst; b++) (void)wshub_send(c->hub, &to, &m);
            __atomic_store_n(&c->turn, ++said, __ATOMIC_RELEASE);
        } else if (ahead) {
            (void)sched_yield();
        }
        (void)c->owner.settle(c->owner.ctx);
    }
    c->cpu = thread_cpu() - t0;
    return NULL;
}

/* CPU per delivery in ns; *rate: deliveries a second. */
static double run(uint32_t n, uint32_t in_turn, uint32_t clients, double *rate) {
    uint32_t i, k;
    double t0, spent = 0, units;
    count = n;
    burst = in_turn;
    clients_each = clients / n;
    turns = 40000000 / clients / in_turn / n; /* as many deliveries in all, whatever the number */
    if (turns > 40000 / n) turns = 40000 / n;
    if (wshub_bus_local_create(NULL, &local)) exit(1);
    for (i = 0; i < n; i++) {
        wshub_io io = {.version = WSHUB_IO_VERSION,
                       .ctx = &cores[i],
                       .attach = c_attach,
                       .send = c_send,
                       .close = c_close,
                       .now_ms = c_now,
                       .wall_ms = c_now,
                       .random = c_random,
                       .wake = c_wake};
        wshub_bus bus;
        wshub_desc d;
        memset(&cores[i], 0, sizeof cores[i]);
        memset(&d, 0, sizeof d);
        cores[i].number = i;
        cores[i].random_state = i + 1;
        cores[i].event = eventfd(0, EFD_NONBLOCK);
        if (n > 1 && wshub_bus_local_seat(local, &bus)) exit(1);
        d.io = &io;
        d.bus = n > 1 ? &bus : NULL;
        d.bus_exact = exact && d.bus;
        d.on_authenticate = yes;
        if (wshub_create(&d, &cores[i].hub)) exit(1);
        for (k = 0; k < clients_each; k++) come(&cores[i], k);
    }
    t0 = wall();
    for (i = 0; i < n; i++) (void)pthread_create(&cores[i].thread, NULL, work, &cores[i]);
    for (i = 0; i < n; i++) (void)pthread_join(cores[i].thread, NULL);
    t0 = wall() - t0;
    for (i = 0; i < n; i++) {
        spent += cores[i].cpu;
        wshub_destroy(cores[i].hub);
        (void)close(cores[i].event);
    }
    if (wshub_bus_local_dropped(local)) (void)printf("dropped\n");
    wshub_bus_local_destroy(local);
    units = (double)(turns * in_turn * n) * clients_each * n;
    *rate = units / t0 * 1e9;
    return spent / units;
}

int main(int argc, char **argv) {
    static const struct {
        uint32_t clients, burst;
    } works[] = {{10000, 1}, {1000, 16}, {64, 1}, {64, 16}};
    uint32_t most = argc > 1 ? (uint32_t)atoi(argv[1]) : 0, n;
    int rounds = argc > 2 ? atoi(argv[2]) : 5, r;
    size_t i;
    if (!most)
        most = sysconf(_SC_NPROCESSORS_ONLN) > 4 ? (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) : 4;
    if (most > MOST) most = MOST;
    (void)printf("A hub a thread on %ld cores, least CPU of %d rounds\n\n| members in all | "
                 "messages a turn | hubs | CPU a delivery | CPU a message and hub | deliveries a "
                 "second |\n| --- | --- | --- | --- | --- | --- |\n",
                 sysconf(_SC_NPROCESSORS_ONLN), rounds);
    for (i = 0; i < sizeof works / sizeof *works; i++) {
        for (n = 1; n <= most; n *= 2) {
            double cpu = 0, best = 0;
            for (r = 0; r < rounds; r++) {
                double rate, one = run(n, works[i].burst, works[i].clients, &rate);
                if (!r || one < cpu) cpu = one;
                if (rate > best) best = rate;
            }
            (void)printf("| %u | %u | %u | %.1f ns | %.0f ns | %.1f M |\n", works[i].clients,
                         works[i].burst, n, cpu, cpu * works[i].clients / n, best / 1e6);
            (void)fflush(stdout);
        }
    }
    return 0;
}
