/* Peers on real sockets, and hubs that talk to them. */
#ifndef SOCK_PEER_H
#define SOCK_PEER_H
#include "hubtest.h"
#ifdef _WIN32
#include "sock_windows.h"
#else
#include <fcntl.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#endif

/* A path of this process alone, so that tests may run beside each other; good for eight calls. */
UNUSED static const char *own_path(const char *name) {
    static char paths[8][100];
    static unsigned at;
    char *path = paths[at++ % 8];
    (void)snprintf(path, sizeof paths[0], "./build/%ld.%.60s", (long)getpid(), name);
    return path;
}

UNUSED static int dial_port(uint16_t port) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, &a.any, sizeof a.in) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

UNUSED static int dial_path(const char *path) {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
    } a;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    if (fd >= 0 && connect(fd, &a.any, sizeof a.un) == 0) return fd;
    if (fd >= 0) (void)close(fd);
    return -1;
}

UNUSED static uint64_t wall_ms(void) {
#ifdef _WIN32
    return sock_ticks();
#else
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
#endif
}

/* A listener of the test's own. local: a Unix socket of this name, else a port. */
UNUSED static int listen_apart(const char *local, char *address) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } a;
    socklen_t n = sizeof a.in;
    int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    if (local) {
        a.un.sun_family = AF_UNIX;
        (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%s", local);
        (void)unlink(local);
        n = sizeof a.un;
    } else {
        a.in.sin_family = AF_INET;
        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    EXPECT_INT(bind(fd, &a.any, n), 0);
    EXPECT_INT(listen(fd, 16), 0);
    EXPECT_INT(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    if (local) {
        (void)snprintf(address, 64, "%s", local);
    } else {
        EXPECT_INT(getsockname(fd, &a.any, &n), 0);
        /* a name: resolved apart, ::1 refuses first */
        (void)snprintf(address, 64, "localhost:%d", ntohs(a.in.sin_port));
    }
    return fd;
}

#ifdef __linux__
#define BEST wshub_io_epoll_poller()
#elif defined(_WIN32)
#define BEST wshub_io_poll_poller()
#else
#define BEST wshub_io_kqueue_poller()
#endif

UNUSED static const char up[] =
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#ifndef _WIN32
/* upgrade, authenticate, wait for `want` */
UNUSED static void talk(wshub_io_sock *net, int fd, const char *want) {
    char buf[4096];
    size_t n = 0;
    int i;
    static const char auth[] = "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";
    EXPECT(send(fd, up, sizeof up - 1, MSG_NOSIGNAL) > 0);
    EXPECT(send(fd, auth, sizeof auth - 1, MSG_NOSIGNAL) > 0);
    for (i = 0; i < 200; i++) {
        ssize_t k;
        (void)wshub_io_sock_run_once(net, 5);
        k = recv(fd, buf + n, sizeof buf - 1 - n, MSG_DONTWAIT);
        if (k > 0) n += (size_t)k;
        buf[n] = 0;
        if (memmem(buf, n, want, strlen(want))) return;
    }
    EXPECT(!"an answer");
}
#endif

UNUSED static uint64_t quiet_settle(void *ctx) {
    return (void)ctx, WSHUB_NEVER;
}

UNUSED static void quiet_conn(void *ctx, wshub_conn c) {
    (void)ctx, (void)c;
}

UNUSED static void quiet_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    (void)ctx, (void)c, (void)bytes, (void)n;
}

UNUSED static wshub_io_owner quiet_owner(void *ctx) {
    wshub_io_owner o;
    memset(&o, 0, sizeof o);
    o.ctx = ctx;
    o.opened = o.drained = o.closed = quiet_conn;
    o.received = quiet_received;
    o.settle = quiet_settle;
    return o;
}

#endif
