/* What the benchmarks on real sockets share: the load's side of a connection, clocks, a network
 * of their own. */
#ifndef LOAD_H
#define LOAD_H
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

enum { MAX = 10000, PUBLISHERS = 64 };

/* CPU time of the kernel's soft interrupts, in us: loopback traffic may be done by them.
 * Counted in steps of 10 ms. */
__attribute__((unused)) static double soft_cpu(void) {
    double sum = 0;
    int pid, core;
    for (core = 0; core < 2; core++) {
        static int pids[2];
        char path[64], text[512], *at;
        FILE *f;
        unsigned long user = 0, sys = 0;
        for (pid = pids[core] ? pids[core] : 2; pid < (pids[core] ? pids[core] + 1 : 300); pid++) {
            (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
            f = fopen(path, "r");
            if (!f) continue;
            at = fgets(text, sizeof text, f) ? strstr(text, "(ksoftirqd/") : NULL;
            (void)fclose(f);
            if (!at || at[11] != '0' + core || !(at = strchr(at, ')'))) continue;
            if (sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                       &sys) == 2) {
                pids[core] = pid;
                sum += (double)(user + sys) * 1e6 / (double)sysconf(_SC_CLK_TCK);
            }
            break;
        }
    }
    return sum;
}
__attribute__((unused)) static double cpu(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
__attribute__((unused)) static double wall(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static void die(const char *what) {
    perror(what);
    exit(1);
}

/* ---- the load: a process that connects, and then reads or echoes ---- */
/* -1: nobody listens. small: with a receive window of the smallest size. */
static int try_dial(uint16_t port, bool small) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, little = 4096;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (small) (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    if (connect(fd, &a.any, sizeof a.in) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}
__attribute__((unused)) static int dial(uint16_t port) {
    int fd = try_dial(port, false);
    if (fd < 0) die("connect");
    return fd;
}

static const char upgrade[] =
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";

__attribute__((unused)) static int fds[MAX];

/* Reads until `connected` has come. */
__attribute__((unused)) static void hello(int fd) {
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

/* {"event":"m","data":"..."} as the hub frames it, and as a client does, whose mask is all zero. */
__attribute__((unused)) static size_t frame_of(char *to, size_t payload, const char *event,
                                               bool client) {
    size_t n = payload + strlen(event) + 22, at = 2; /* braces, keys, quotes */
    to[0] = (char)0x81;
    if (n < 126) {
        to[1] = (char)n;
    } else {
        to[1] = 126;
        to[2] = (char)(n >> 8);
        to[3] = (char)n;
        at = 4;
    }
    if (client) {
        to[1] = (char)(to[1] | (char)0x80);
        memset(to + at, 0, 4);
        at += 4;
    }
    at += (size_t)sprintf(to + at, "{\"event\":\"%s\",\"data\":\"", event);
    memset(to + at, 'x', payload);
    memcpy(to + at + payload, "\"}", 2);
    return at + payload + 2;
}

/* A network of our own where we may: no other traffic, and Reno, since what paces (BBR) paces
 * loopback too and makes the figures jump. Returns whether it worked. */
static bool own_network(void) {
    struct ifreq lo;
    int fd, cc;
    bool ok;
    if (unshare(CLONE_NEWNET) != 0) return false;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    memset(&lo, 0, sizeof lo);
    memcpy(lo.ifr_name, "lo", 3);
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0) die("lo");
    (void)close(fd);
    cc = open("/proc/sys/net/ipv4/tcp_congestion_control", O_WRONLY);
    ok = cc >= 0 && write(cc, "reno", 4) == 4;
    if (cc >= 0) (void)close(cc);
    return ok;
}

/* ---- servers that are processes of their own ---- */

__attribute__((unused)) static uint16_t free_port(void) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, &a.any, sizeof a.in) || getsockname(fd, &a.any, &len)) die("port");
    (void)close(fd);
    return ntohs(a.in.sin_port);
}

__attribute__((unused)) static void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) (void)sched_setaffinity(0, sizeof set, &set);
}

__attribute__((unused)) static double cpu_of(pid_t pid) {
    struct timespec t;
    clockid_t id;
    if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &t)) die("cpu");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
__attribute__((unused)) static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}
#endif
