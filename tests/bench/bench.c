/* make bench: CPU time of the server per delivered message of a fan-out, and per echoed message, beside a
 * floor that does the same with bare send() and recv(). The server and the load are processes of their own;
 * hub and floor take turns within one run, and the ratio is taken within each turn. Prints medians.
 *
 *     build/bench [rounds]       default 5 */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { MAX = 10000 };

static double cpu(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static double wall(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static void die(const char *what) {
    perror(what);
    exit(1);
}

/* ---- the load: a process that connects, and then reads or echoes ---- */
static int dial(uint16_t port) {
    union { struct sockaddr any; struct sockaddr_in in; } a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, &a.any, sizeof a.in) != 0) die("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                              "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";

static int fds[MAX];

/* Reads until `connected` has come. */
static void hello(int fd) {
    char buf[1024];
    size_t n = 0;
    if (send(fd, upgrade, sizeof upgrade - 1, 0) < 0) die("send");
    for (;;) {
        ssize_t k = recv(fd, buf + n, sizeof buf - n, 0);
        if (k <= 0) die("hello");
        n += (size_t)k;
        if (memmem(buf, n, "\"connected\"", 11) && buf[n - 1] == '}') return;
    }
}

/* Connects all and says that it is ready. Returns what to wait on. */
static int load_open(uint16_t port, int n, bool ws, int ready) {
    int ep = epoll_create1(0), i;
    for (i = 0; i < n; i++) {
        struct epoll_event e;
        fds[i] = dial(port);
        if (ws) hello(fds[i]);
        memset(&e, 0, sizeof e);
        e.events = EPOLLIN;
        e.data.fd = fds[i];
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
    }
    if (write(ready, "r", 1) != 1) die("pipe");
    return ep;
}

/* Fan-out: counts bytes; after each n * size of them tells the server through the pipe. */
static void load_fanout(uint16_t port, int n, bool ws, int ready) {
    static char buf[262144];
    int ep = load_open(port, n, ws, ready), i;
    size_t size = 0, got = 0;
    for (;;) {
        struct epoll_event list[512];
        int k = epoll_wait(ep, list, 512, -1);
        for (i = 0; i < k; i++) {
            ssize_t r = recv(list[i].data.fd, buf, sizeof buf, MSG_DONTWAIT);
            if (r == 0) _exit(0);
            if (r < 0) continue;
            if (!size) size = (size_t)r; /* the first message comes alone: its length is that of all */
            got += (size_t)r;
        }
        if (size && got >= size * (size_t)n) {
            got -= size * (size_t)n;
            if (write(ready, "d", 1) != 1) _exit(0);
        }
    }
}

static void load_echo(uint16_t port, int n, bool ws, int ready) {
    static const char frame[] = "\x81\xDA\0\0\0\0{\"event\":\"echo\",\"data\":\"0123456789012345678901234567890123456789012345678901234567890123\"}";
    static char buf[4096];
    int ep = load_open(port, n, ws, ready), i;
    for (i = 0; i < n; i++) (void)!send(fds[i], frame, 6 + 90, 0);
    for (;;) {
        struct epoll_event list[512];
        int k = epoll_wait(ep, list, 512, -1);
        for (i = 0; i < k; i++) {
            if (recv(list[i].data.fd, buf, sizeof buf, MSG_DONTWAIT) == 0) _exit(0);
            (void)!send(list[i].data.fd, frame, 6 + 90, MSG_NOSIGNAL);
        }
    }
}

/* ---- the hub ---- */
static uint64_t echoed;
static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static wshub_err echo(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    m.event = e->event;
    m.data = e->data;
    m.data_is_json = true;
    echoed++;
    return wshub_client_send(hub, c, &m);
}

static void wait_byte(int fd, wshub_io_sock *net) { /* serving meanwhile */
    char c;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    while (read(fd, &c, 1) != 1) {
        if (net) (void)wshub_io_sock_run_once(net, 0);
    }
}

static double hub_run(int n, bool fan, size_t payload, double seconds) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    int ready[2];
    pid_t pid;
    double spent = 0, until, c0;
    uint64_t count = 0;
    char *data = (char *)malloc(payload + 3);
    wshub_msg m;
    memset(data, 'x', payload + 2);
    data[0] = data[payload + 1] = '"';
    m.event = wshub_str_z("m");
    m.data.ptr = data;
    m.data.len = payload + 2;
    m.data_is_json = true;
    if (pipe(ready) || wshub_io_auto_create(NULL, &net) || wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes, .on_message = echo}, &hub) ||
        wshub_io_sock_listen(net, "127.0.0.1", 0, &port)) {
        die("server");
    }
    pid = fork();
    if (pid == 0) {
        if (fan) load_fanout(port, n, true, ready[1]);
        else load_echo(port, n, true, ready[1]);
    }
    wait_byte(ready[0], net);
    if (fan) {
        until = wall() + seconds * 1e6;
        while (wall() < until) {
            char c;
            c0 = cpu();
            (void)wshub_room_send(hub, wshub_str_z("ws-default"), &m, NULL, 0);
            (void)wshub_io_sock_run_once(net, 0);
            spent += cpu() - c0;
            count += (uint64_t)n;
            while (read(ready[0], &c, 1) != 1) {}
        }
    } else {
        echoed = 0;
        until = wall() + seconds * 1e6;
        c0 = cpu();
        while (wall() < until) (void)wshub_io_sock_run_once(net, 1);
        spent = cpu() - c0;
        count = echoed;
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    (void)close(ready[0]);
    (void)close(ready[1]);
    free(data);
    return spent / (double)count;
}

/* ---- the floor: the same bytes by bare system calls ---- */
static double floor_run(int n, bool fan, size_t payload, double seconds) {
    union { struct sockaddr any; struct sockaddr_in in; } a;
    socklen_t len = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM, 0), ready[2], i, one = 1, ep = epoll_create1(0);
    static int out[MAX];
    pid_t pid;
    double spent = 0, until, c0;
    uint64_t count = 0;
    char *frame = (char *)calloc(1, payload + 40), c;
    size_t size = payload + 24 + (payload > 100 ? 4 : 2); /* {"event":"m","data":"…"} and its head */
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(l, &a.any, sizeof a.in) || listen(l, 4096) || getsockname(l, &a.any, &len) || pipe(ready)) die("floor");
    pid = fork();
    if (pid == 0) {
        if (fan) load_fanout(ntohs(a.in.sin_port), n, false, ready[1]);
        else load_echo(ntohs(a.in.sin_port), n, false, ready[1]);
    }
    for (i = 0; i < n; i++) {
        struct epoll_event e;
        out[i] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
        (void)setsockopt(out[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        memset(&e, 0, sizeof e);
        e.events = EPOLLIN;
        e.data.fd = out[i];
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, out[i], &e);
    }
    wait_byte(ready[0], NULL);
    until = wall() + seconds * 1e6;
    c0 = cpu();
    while (wall() < until) {
        if (fan) {
            c0 = cpu();
            for (i = 0; i < n; i++) (void)!send(out[i], frame, size, MSG_NOSIGNAL);
            spent += cpu() - c0;
            count += (uint64_t)n;
            while (read(ready[0], &c, 1) != 1) {}
        } else {
            struct epoll_event list[512];
            static char buf[65536];
            int k = epoll_wait(ep, list, 512, 1);
            for (i = 0; i < k; i++) {
                ssize_t r = recv(list[i].data.fd, buf, sizeof buf, 0);
                if (r > 0) (void)!send(list[i].data.fd, buf, (size_t)(r - 4), MSG_NOSIGNAL);
                count++;
            }
        }
    }
    if (!fan) spent = cpu() - c0;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    for (i = 0; i < n; i++) (void)close(out[i]);
    (void)close(l);
    (void)close(ep);
    (void)close(ready[0]);
    (void)close(ready[1]);
    free(frame);
    return spent / (double)count;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

static void row(const char *what, int n, bool fan, size_t payload, int rounds) {
    double hub[64], bare[64], ratio[64], q1, q3, r;
    int i;
    for (i = 0; i < rounds && i < 64; i++) {
        double s = n > 1000 ? 1.0 : 0.6;
        if (i % 2) {
            hub[i] = hub_run(n, fan, payload, s);
            bare[i] = floor_run(n, fan, payload, s);
        } else {
            bare[i] = floor_run(n, fan, payload, s);
            hub[i] = hub_run(n, fan, payload, s);
        }
        ratio[i] = hub[i] / bare[i];
    }
    r = median(ratio, rounds);
    q1 = ratio[rounds / 4];
    q3 = ratio[rounds * 3 / 4];
    (void)printf("| %-24s | %6d | %5zu B | %8.3f us | %8.3f us | %5.2f (%.2f to %.2f) |\n", what, n, payload, median(hub, rounds), median(bare, rounds), r, q1, q3);
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    struct rlimit lim;
    if (rounds < 1 || rounds > 64) rounds = 5;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    (void)printf("CPU time of the server per message, median of %d rounds, hub and floor in turn\n\n", rounds);
    (void)printf("| work                     | number |    data |      wshub |      floor | ratio (quartiles)    |\n| --- | --- | --- | --- | --- | --- |\n");
    row("fan-out, per delivery", 10, true, 64, rounds);
    row("fan-out, per delivery", 100, true, 64, rounds);
    row("fan-out, per delivery", 1000, true, 64, rounds);
    row("fan-out, per delivery", 1000, true, 1024, rounds);
    if (lim.rlim_cur > MAX + 100) row("fan-out, per delivery", MAX, true, 64, rounds);
    else (void)printf("10000 clients skipped: the limit on open files is %lu\n", (unsigned long)lim.rlim_cur);
    row("echo, per message", 100, false, 64, rounds);
    return 0;
}
