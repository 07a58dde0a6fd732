/* make bench-client: echo round trips of our WebSocket client beside clients of other libraries, as far
 * as these are installed: Boost.Beast (C++; libboost-dev) and libwebsockets (C; libwebsockets-dev).
 * One server, ours, on a core of its own; the clients on another one, each a process that keeps
 * `window` texts of 64 bytes under way on each connection. CPU time of the client's process per
 * round trip, clients in turn, the ratio taken within each round.
 *     build/bench_client [ROUNDS [PART]]   9 rounds; only the works whose name begins with PART
 *     build/bench_client load PORT CONNS WINDOW MESSAGES   our client alone: prints microseconds
 * A peer is a program with the arguments of `load`, but for that word. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_ext_client.h"
#include "wshub_io_auto.h"
#include "load.h"

enum { TEXT = 64, CLIENTS = 3, ROUNDS_MAX = 99 };
typedef struct work {
    const char *what;
    int conns, window, messages;
} work;
static const work works[] = {{"1 connection, 1 under way", 1, 1, 2000},
                             {"1 connection, 10 under way", 1, 10, 20000},
                             {"100 connections, 1 under way", 100, 1, 50000},
                             {"100 connections, 10 under way", 100, 10, 100000}};
static const struct {
    const char *name, *program; /* program NULL: ours */
} clients[CLIENTS] = {{"wshub", NULL},
                      {"Boost.Beast", "build/bench_client_beast"},
                      {"libwebsockets", "build/bench_client_lws"}};

/* Processor time of this process, the system's part of it included. */
static double used(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}
static void on_core(unsigned core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* ---- our client ---- */

static wshub_io_sock *net;
static wshub_ws all[1000];
static int conns, window, messages, opened, said, heard;
static double began;
static char text[TEXT];

static void say(wshub_ws_pool *pool, wshub_ws ws) {
    if (said >= messages) return;
    said++;
    if (wshub_ws_send(pool, ws, WSHUB_WS_TEXT, text, sizeof text)) die("send");
}
static void on_opened(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_about *about, void *user) {
    int i, k;
    (void)about;
    (void)user;
    all[opened++] = ws;
    if (opened < conns) return;
    began = used();
    for (i = 0; i < conns; i++) {
        for (k = 0; k < window; k++) say(pool, all[i]);
    }
}
static void on_message(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind, uint8_t *bytes,
                       size_t count, void *user) {
    (void)kind;
    (void)bytes;
    (void)user;
    if (count != TEXT) die("an echo");
    heard++;
    if (heard == messages)
        wshub_io_sock_stop(net);
    else
        say(pool, ws);
}
static void on_ended(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone, void *user) {
    (void)pool;
    (void)ws;
    (void)user;
    (void)fprintf(stderr, "%s\n", gone->text);
    exit(1);
}
static int load(char **args) {
    static const wshub_ws_events events = {
        .opened = on_opened, .message = on_message, .ended = on_ended};
    wshub_ws_pool *pool;
    wshub_ws ws;
    char url[64];
    int i;
    conns = atoi(args[1]);
    window = atoi(args[2]);
    messages = atoi(args[3]);
    memset(text, 'x', sizeof text);
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%s/", args[0]);
    if (wshub_io_auto_create(NULL, &net) ||
        wshub_ws_pool_create(&(wshub_ws_pool_desc){.io = wshub_io_sock_io(net)}, &pool))
        die("net");
    for (i = 0; i < conns; i++) {
        if (wshub_ws_open(pool, &(wshub_ws_desc){.url = url, .events = &events}, &ws)) die("open");
    }
    (void)wshub_io_sock_run(net);
    (void)printf("%.0f\n", used() - began);
    return 0;
}

/* ---- the server ---- */

static wshub_take on_head(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *mine) {
    (void)http;
    (void)mine;
    return wshub_http_upgrade(hub, exchange, NULL, NULL) ? WSHUB_TAKE_DECLINED : WSHUB_TAKE_DONE;
}
static void on_said(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool is_text,
                    void *owner) {
    (void)owner;
    (void)wshub_conn_send(hub, conn, bytes, count, is_text);
}
static pid_t serve(uint16_t port) {
    wshub_mount_desc echo = {
        .version = WSHUB_MOUNT_VERSION, .path = "/", .on_head = on_head, .on_message = on_said};
    pid_t pid = fork();
    wshub_io_sock *io;
    wshub *hub;
    int fd, tries = 0;
    if (pid) {
        while ((fd = try_dial(port, false)) < 0 && tries++ < 1000) (void)usleep(10000);
        if (fd < 0) die("the server");
        (void)close(fd);
        return pid;
    }
    on_core(0);
    if (wshub_io_auto_create(NULL, &io) ||
        wshub_create(&(wshub_desc){.io = wshub_io_sock_io(io), .no_log = true}, &hub) ||
        wshub_mount(hub, &echo) || wshub_io_sock_listen(io, "127.0.0.1", port, NULL))
        _exit(1);
    (void)wshub_io_sock_run(io);
    _exit(0);
}

/* ---- the rounds ---- */

/* Microseconds of a client's; 0: it has failed. */
static double run(const char *self, int client, uint16_t port, const work *w) {
    char command[400];
    double us = 0;
    FILE *out;
    (void)snprintf(command, sizeof command, "%s%s %u %d %d %d",
                   clients[client].program ? clients[client].program : self,
                   clients[client].program ? "" : " load", port, w->conns, w->window, w->messages);
    out = popen(command, "r");
    if (!out || fscanf(out, "%lf", &us) != 1) us = 0;
    if (out && pclose(out) != 0) us = 0;
    return us / w->messages;
}
static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double quantile(double *list, int count, int quarter) {
    qsort(list, (size_t)count, sizeof *list, by_size);
    return list[(count - 1) * quarter / 4];
}
static void measure(const char *self, uint16_t port, const work *w, int rounds) {
    static double us[CLIENTS][ROUNDS_MAX], ratio[CLIENTS][ROUNDS_MAX];
    int i, c;
    for (i = 0; i < rounds; i++) {
        for (c = 0; c < CLIENTS; c++) { /* each begins as often as the others */
            int turn = (i + c) % CLIENTS;
            us[turn][i] = 0;
            if (clients[turn].program && access(clients[turn].program, X_OK) != 0) continue;
            us[turn][i] = run(self, turn, port, w);
            if (us[turn][i] <= 0) die(clients[turn].name);
        }
        for (c = 0; c < CLIENTS; c++) ratio[c][i] = us[0][i] > 0 ? us[c][i] / us[0][i] : 0;
    }
    (void)printf("%-30s wshub %6.2f us", w->what, quantile(us[0], rounds, 2));
    for (c = 1; c < CLIENTS; c++) {
        if (us[c][0] <= 0) continue;
        (void)printf(", %s %6.2f us: %.2f (%.2f to %.2f)", clients[c].name,
                     quantile(us[c], rounds, 2), quantile(ratio[c], rounds, 2),
                     quantile(ratio[c], rounds, 1), quantile(ratio[c], rounds, 3));
    }
    (void)printf("\n");
    (void)fflush(stdout);
}
int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 9;
    uint16_t port = (uint16_t)(20000 + getpid() % 20000);
    pid_t server;
    size_t i;
    int c;
    if (argc == 6 && strcmp(argv[1], "load") == 0) return load(argv + 2);
    if (rounds < 1 || rounds > ROUNDS_MAX) return 2;
    for (c = 1; c < CLIENTS; c++) {
        if (access(clients[c].program, X_OK) != 0)
            (void)printf("skipped beside %s, which is not installed\n", clients[c].name);
    }
    (void)own_network();
    server = serve(port);
    on_core(1);
    (void)printf("CPU time of the client per round trip, %d rounds; the others' ratio to ours, its "
                 "median and quartiles\n",
                 rounds);
    for (i = 0; i < sizeof works / sizeof works[0]; i++) {
        if (argc < 3 || strncmp(works[i].what, argv[2], strlen(argv[2])) == 0)
            measure(argv[0], port, &works[i], rounds);
    }
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    return 0;
}
