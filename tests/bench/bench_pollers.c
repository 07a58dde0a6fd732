/* make bench-pollers: what a turn costs in which one of so many streams says something and the
 * others nothing, by epoll and by poll(), which looks at all of them: CPU time of run_once(), the
 * kernel's included. What poll() costs for each stream that is only there is about what WSAPoll()
 * does on Windows, which is asked for a list in the same way. Medians of nine rounds in turn.
 *     build/bench_pollers */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_poll.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, TURNS = 2000, MOST = 8000 };

static int opened, heard, fds[MOST + 1];

static void die(const char *what) {
    perror(what);
    exit(1);
}
static int dial(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    return fd;
}
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static double median(double *v) { /* sorts them */
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

static void on_opened(void *ctx, wshub_conn conn) {
    (void)ctx, (void)conn;
    opened++;
}
static void on_received(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count) {
    (void)ctx, (void)conn, (void)bytes;
    heard += (int)count;
}
static void on_nothing(void *ctx, wshub_conn conn) {
    (void)ctx, (void)conn;
}
static void on_sent(void *ctx, wshub_conn conn, size_t count) {
    (void)ctx, (void)conn, (void)count;
}
static uint64_t on_settle(void *ctx) {
    (void)ctx;
    return WSHUB_NEVER;
}

static double cpu_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}
/* Microseconds of a turn beside n streams that say nothing. */
static double turn(const wshub_io_sock_poller *poller, int n) {
    static const wshub_io_owner owner = {.opened = on_opened,
                                         .received = on_received,
                                         .drained = on_nothing,
                                         .sent = on_sent,
                                         .closed = on_nothing,
                                         .settle = on_settle};
    wshub_io_sock_desc d = {.poller = poller};
    wshub_io_sock *net;
    const wshub_io *io;
    uint16_t port;
    double spent = 0;
    int i;

    opened = heard = 0;
    if (wshub_io_auto_create(&d, &net)) die("sockets");
    io = wshub_io_sock_io(net);
    io->attach(io->ctx, &owner);
    if (wshub_io_sock_listen(net, "127.0.0.1", 0, &port)) die(wshub_io_sock_error(net));
    for (i = 0; i <= n; i++) {
        fds[i] = dial(port);
        while (opened <= i) (void)wshub_io_sock_run_once(net, 5);
    }
    for (i = 0; i < TURNS; i++) {
        double from;
        if (send(fds[0], "x", 1, 0) != 1) die("send");
        from = cpu_now();
        while (heard <= i) (void)wshub_io_sock_run_once(net, 0);
        spent += cpu_now() - from;
    }
    io->attach(io->ctx, NULL);
    wshub_io_sock_destroy(net);
    for (i = 0; i <= n; i++) (void)close(fds[i]);
    return spent / TURNS;
}

int main(void) {
    static const int counts[] = {0, 100, 1000, MOST};
    double of[2][ROUNDS], none[2] = {0, 0};
    struct rlimit lim;
    size_t k;
    int r, p;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    for (k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        for (r = 0; r < ROUNDS; r++) {
            of[0][r] = turn(NULL, counts[k]);
            of[1][r] = turn(wshub_io_poll_poller(), counts[k]);
        }
        (void)printf("%4d idle, us of a turn:", counts[k]);
        for (p = 0; p < 2; p++) {
            double m = median(of[p]);
            if (!k) none[p] = m;
            (void)printf("  %s %.2f", p ? "poll" : "epoll", m);
            if (k) (void)printf(" (%.1f ns an idle stream)", (m - none[p]) * 1000 / counts[k]);
        }
        (void)printf("\n");
        (void)fflush(stdout);
    }
    return 0;
}
