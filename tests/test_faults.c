/* Every system call of the socket io fails, at each place where it is made, with each error
 * that it can give, and gives less than was asked for: on epoll, poll and kqueue (over its
 * shim); in a scenario of clients and in one of HTTP requests; once, and with WSHUB_FAULTS_ALL
 * several times in a row and in a third scenario. Whatever becomes of the stream it happened
 * to, nothing crashes, leaks or hangs, each open is closed once, and the hub then serves
 * another client. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- the calls, each of which may be made to fail ---- */
enum {
    SOCKET,
    BIND,
    LISTEN,
    ACCEPT,
    RECV,
    SEND,
    SENDMSG,
    SHUTDOWN,
    FCNTL,
    EPOLL_CTL,
    EPOLL_WAIT,
    POLL,
    READ,
    WRITE,
    OPEN,
    CALLS
};
/* clang-format off */
static const char *const call_names[] = {
    "socket", "bind", "listen", "accept", "recv", "send", "sendmsg", "shutdown", "fcntl",
    "epoll_ctl", "epoll_wait", "poll", "read", "write", "open",
};
/* clang-format on */
static long counts[CALLS];
/* errno 0: it does a part of what was asked for */
static int fault_call = -1, fault_errno, fault_hit;
static long fault_at, fault_for; /* from the n-th call, so many calls of its kind */

static bool fault(int call) {
    counts[call]++;
    if (call != fault_call || counts[call] < fault_at || counts[call] >= fault_at + fault_for)
        return false;
    fault_hit = 1;
    errno = fault_errno;
    return true;
}
static int f_socket(int a, int b, int c) {
    return fault(SOCKET) ? -1 : socket(a, b, c);
}
static int f_bind(int fd, const struct sockaddr *a, socklen_t n) {
    return fault(BIND) ? -1 : bind(fd, a, n);
}
static int f_listen(int fd, int n) {
    return fault(LISTEN) ? -1 : listen(fd, n);
}
static int f_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags) {
    return fault(ACCEPT) ? -1 : accept4(fd, a, n, flags);
}
static ssize_t f_recv(int fd, void *p, size_t n, int flags) {
    if (!fault(RECV)) return recv(fd, p, n, flags);
    return fault_errno ? -1 : recv(fd, p, n ? 1 : 0, flags);
}
static ssize_t f_send(int fd, const void *p, size_t n, int flags) {
    if (!fault(SEND)) return send(fd, p, n, flags);
    return fault_errno ? -1 : send(fd, p, n / 2, flags);
}
static ssize_t f_sendmsg(int fd, const struct msghdr *m, int flags) {
    return fault(SENDMSG) ? -1 : sendmsg(fd, m, flags);
}
static int f_shutdown(int fd, int how) {
    return fault(SHUTDOWN) ? -1 : shutdown(fd, how);
}
static int f_fcntl(int fd, int cmd, int arg) {
    return fault(FCNTL) ? -1 : fcntl(fd, cmd, arg);
}
static int f_epoll_ctl(int ep, int op, int fd, struct epoll_event *e) {
    return fault(EPOLL_CTL) ? -1 : epoll_ctl(ep, op, fd, e);
}
static int f_epoll_wait(int ep, struct epoll_event *e, int n, int ms) {
    return fault(EPOLL_WAIT) ? -1 : epoll_wait(ep, e, n, ms);
}
static int f_poll(struct pollfd *p, nfds_t n, int ms) {
    return fault(POLL) ? -1 : poll(p, n, ms);
}
static ssize_t f_read(int fd, void *p, size_t n) {
    return fault(READ) ? -1 : read(fd, p, n);
}
static ssize_t f_write(int fd, const void *p, size_t n) {
    return fault(WRITE) ? -1 : write(fd, p, n);
}
static int f_open(const char *path, int flags) {
    return fault(OPEN) ? -1 : open(path, flags);
}
#define socket(a, b, c) f_socket(a, b, c)
#define bind(a, b, c) f_bind(a, b, c)
#define listen(a, b) f_listen(a, b)
#define accept4(a, b, c, d) f_accept4(a, b, c, d)
#define recv(a, b, c, d) f_recv(a, b, c, d)
#define send(a, b, c, d) f_send(a, b, c, d)
#define sendmsg(a, b, c) f_sendmsg(a, b, c)
#define shutdown(a, b) f_shutdown(a, b)
#define fcntl(a, b, c) f_fcntl(a, b, c)
#define epoll_ctl(a, b, c, d) f_epoll_ctl(a, b, c, d)
#define epoll_wait(a, b, c, d) f_epoll_wait(a, b, c, d)
#define poll(a, b, c) f_poll(a, b, c)
#define read(a, b, c) f_read(a, b, c)
#define write(a, b, c) f_write(a, b, c)
#define open(a, b) f_open(a, b)
/* compiled here, where they call what fails */
#include "../backends/wshub_io_sock.h"
#include "../backends/wshub_io_epoll.h"
#include "../backends/wshub_io_kqueue.h"
#include "../backends/wshub_io_poll.h"
#include "wshub_io_auto.h"
#undef socket
#undef bind
#undef listen
#undef accept4
#undef recv
#undef send
#undef sendmsg
#undef shutdown
#undef fcntl
#undef epoll_ctl
#undef epoll_wait
#undef poll
#undef read
#undef write
#undef open
#include "test.h"

static int opened, gone;
static void on_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static wshub_err on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)c;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    return wshub_all_send_here(hub, &m, NULL, 0);
}
static void on_opened(wshub *hub, wshub_client c, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    opened++;
}
static void on_gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    (void)g;
    (void)user;
    gone++;
}

/* HTTP: a page larger than what the kernel takes, an answer that comes later, the body of a
 * request back. */
static char page[1500000];
static wshub_exchange waiting[16];
static int waiting_count, asked;
static bool on_request(wshub *hub, wshub_exchange request, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)user;
    asked++;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = http->body;
    if (wshub_str_eq_z(http->path, "/later") && waiting_count < 16) {
        waiting[waiting_count++] = request;
        return true;
    }
    if (wshub_str_eq_z(http->path, "/page")) {
        r.body.ptr = page;
        r.body.len = sizeof page;
    }
    (void)wshub_http_reply(hub, request, &r);
    return true;
}
static void answer_waiting(wshub *hub) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = wshub_str_z("late");
    /* some are gone by now */
    while (waiting_count) (void)wshub_http_reply(hub, waiting[--waiting_count], &r);
}

static int dial(uint16_t port) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, &a.any, sizeof a.in) == 0) return fd;
    (void)close(fd);
    return -1;
}
static void say(int fd, const char *text) {
    uint8_t f[200];
    size_t n = strlen(text);
    f[0] = 0x81;
    f[1] = (uint8_t)(0x80 | n);
    memset(f + 2, 0, 4);
    memcpy(f + 6, text, n);
    if (fd >= 0) (void)!send(fd, f, n + 6, MSG_NOSIGNAL | MSG_DONTWAIT);
}
static const char hello[] = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
                            "websocket\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static int client(uint16_t port) {
    int fd = dial(port);
    if (fd < 0) return fd;
    (void)!send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL);
    say(fd, "{\"event\":\"authenticate\"}");
    return fd;
}
static bool hears(wshub_io_sock *net, wshub *hub, int fd, const char *what) {
    static char buf[1 << 16];
    size_t n = 0;
    int i;
    for (i = 0; i < 400; i++) {
        ssize_t k;
        (void)wshub_io_sock_run_once(net, 1);
        EXPECT(!wshub_self_check(hub));
        k = recv(fd, buf + n, sizeof buf - n - 1, MSG_DONTWAIT);
        if (k == 0) return false;
        if (k > 0) n += (size_t)k;
        buf[n] = 0;
        if (memmem(buf, n, what, strlen(what))) return true;
    }
    return false;
}

/* Three clients come, speak to all, one reads nothing while much is sent, one is cut off, one
 * leaves politely. */
static void few_and_much(wshub_io_sock *net, wshub *hub, uint16_t port) {
    static char big[60000];
    wshub_msg m;
    wshub_str room = {"ws-default", 10};
    int a = client(port), b = client(port), c = client(port), i;
    memset(&m, 0, sizeof m);
    for (i = 0; i < 8; i++) (void)wshub_io_sock_run_once(net, 0);
    say(a, "{\"event\":\"x\",\"data\":1}");
    (void)wshub_io_sock_run_once(net, 1);
    memset(big, 'x', sizeof big);
    big[0] = big[sizeof big - 1] = '"';
    m.event = wshub_str_z("big");
    m.data.ptr = big;
    m.data.len = sizeof big;
    for (i = 0; i < 120; i++) { /* more than the kernel takes for one that does not read */
        (void)wshub_room_send_here(hub, room, &m, NULL, 0);
        if (i % 20 == 0) (void)wshub_io_sock_run_once(net, 0);
    }
    (void)wshub_post(hub, NULL, NULL);
    wshub_io_sock_io(net)->wake(wshub_io_sock_io(net)->ctx);
    (void)wshub_io_sock_run_once(net, 0);
    EXPECT(!wshub_self_check(hub));
    if (b >= 0) { /* it reads on */
        for (i = 0; i < 40; i++) {
            static char sink[1 << 20];
            (void)!recv(b, sink, sizeof sink, MSG_DONTWAIT);
            (void)wshub_io_sock_run_once(net, 0);
        }
        (void)close(b);
    }
    if (c >= 0) { /* it is gone, with a reset */
        struct linger hard = {1, 0};
        (void)setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        (void)close(c);
    }
    if (a >= 0) {
        (void)!send(a, "\x88\x80\0\0\0\0", 6, MSG_NOSIGNAL);
        for (i = 0; i < 6; i++) (void)wshub_io_sock_run_once(net, 1);
        (void)close(a);
    }
    for (i = 0; i < 6; i++) (void)wshub_io_sock_run_once(net, 1);
}

/* Many come and go: clients that speak once, requests that are answered, garbage, heads that
 * never end, resets. */
static void coming_and_going(wshub_io_sock *net, wshub *hub, uint16_t port) {
    static const char get[] = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
                      garbage[] = "\x16\x03\x01 garbage\r\n\r\n", half[] = "GET /ws HTTP/1.1\r\nHo";
    int round, i, fds[5];
    for (round = 0; round < 5; round++) {
        for (i = 0; i < 5; i++) fds[i] = i < 2 ? client(port) : dial(port);
        if (fds[2] >= 0) (void)!send(fds[2], get, sizeof get - 1, MSG_NOSIGNAL);
        if (fds[3] >= 0) (void)!send(fds[3], garbage, sizeof garbage - 1, MSG_NOSIGNAL);
        if (fds[4] >= 0) (void)!send(fds[4], half, sizeof half - 1, MSG_NOSIGNAL);
        for (i = 0; i < 3; i++) (void)wshub_io_sock_run_once(net, 0);
        say(fds[0], "{\"event\":\"x\",\"data\":1}");
        /* once more on the same stream */
        if (fds[2] >= 0) (void)!send(fds[2], get, sizeof get - 1, MSG_NOSIGNAL);
        (void)wshub_io_sock_run_once(net, 0);
        EXPECT(!wshub_self_check(hub));
        for (i = 0; i < 5; i++) {
            struct linger hard = {1, 0};
            if (fds[i] >= 0 && (round + i) % 2)
                (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
            if (fds[i] >= 0) (void)close(fds[i]);
        }
    }
    for (i = 0; i < 4; i++) (void)wshub_io_sock_run_once(net, 0);
}

static void ask(int fd, const char *text) {
    if (fd >= 0) (void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}
static void turns(wshub_io_sock *net, wshub *hub, int n) {
    while (n--) (void)wshub_io_sock_run_once(net, 0);
    EXPECT(!wshub_self_check(hub));
}

/* Requests of every sort: kept alive, pipelined, with bodies, half-closed before and after the
 * answer, answered late, larger than the kernel takes, read slowly, not read at all, upgraded
 * afterwards, cut off. */
static void pages(wshub_io_sock *net, wshub *hub, uint16_t port) {
    static char sink[1 << 20];
    int fds[8], i, k;
    for (i = 0; i < 8; i++) {
        const int little = 20000; /* bytes on the way, so that a page is more than goes at once */
        fds[i] = dial(port);
        if (fds[i] >= 0) (void)setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    }
    turns(net, hub, 3);
    ask(fds[0], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(fds[1], "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /b "
                "HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(fds[2], "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    ask(fds[3], "GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    if (fds[3] >= 0) (void)shutdown(fds[3], SHUT_WR);
    ask(fds[4], "GET /page HTTP/1.1\r\nHost: x\r\n\r\n");
    if (fds[4] >= 0) (void)shutdown(fds[4], SHUT_WR);
    ask(fds[5], "GET /page HTTP/1.0\r\n\r\n");
    /* reads nothing */
    ask(fds[6], "GET /page HTTP/1.1\r\nHost: x\r\n\r\nGET /page HTTP/1.1\r\nHost: x\r\n\r\nGET "
                "/page HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(fds[7], "POST /later HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    turns(net, hub, 4);
    ask(fds[0], "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(fds[2], "67890");
    answer_waiting(hub);
    turns(net, hub, 3);
    ask(fds[0], hello);
    say(fds[0], "{\"event\":\"authenticate\"}");
    for (k = 0; k < 25; k++) {
        for (i = 1; i < 6; i++) {
            if (fds[i] >= 0) (void)!recv(fds[i], sink, sizeof sink, MSG_DONTWAIT);
        }
        turns(net, hub, 1);
    }
    if (fds[1] >= 0) (void)shutdown(fds[1], SHUT_WR);
    ask(fds[7], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    turns(net, hub, 3);
    for (i = 0; i < 8; i++) {
        struct linger hard = {1, 0};
        if (fds[i] >= 0 && i >= 6)
            (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        if (fds[i] >= 0) (void)close(fds[i]);
    }
    answer_waiting(hub); /* to who has gone */
    turns(net, hub, 4);
}

enum { CLIENTS, PAGES, COMING, SCENARIOS };
static void scenario(const wshub_io_sock_poller *poller, int second) {
    wshub_io_sock *net = NULL;
    wshub *hub = NULL;
    uint16_t port = 0;
    int i;
    memset(counts, 0, sizeof counts);
    opened = gone = fault_hit = waiting_count = 0;
    if (wshub_io_sock_create(&(wshub_io_sock_desc){.poller = poller, .linger_ms = 20}, &net))
        return;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                   .on_authenticate = on_auth,
                                   .on_message = on_message,
                                   .on_opened = on_opened,
                                   .on_request = on_request,
                                   .on_disconnected = on_gone,
                                   .backpressure_bytes_max = 1u << 30,
                                   .close_timeout_ms = 30},
                     &hub)) {
        wshub_io_sock_destroy(net);
        return;
    }
    if (wshub_io_sock_listen(net, "127.0.0.1", 0, &port) == WSHUB_OK) {
        if (second == PAGES)
            pages(net, hub, port);
        else if (second == COMING)
            coming_and_going(net, hub, port);
        else
            few_and_much(net, hub, port);
        fault_call = -1; /* the fault is over: another client is served */
        i = client(port);
        EXPECT_OP(i, >=, 0);
        if (i >= 0) {
            EXPECT(hears(net, hub, i, "\"connected\""));
            say(i, "{\"event\":\"still\",\"data\":[\"there\"]}");
            EXPECT(hears(net, hub, i, "\"data\":[\"there\"]"));
            (void)close(i);
        }
        i = dial(port); /* and so is a request, of who sends no more */
        EXPECT_OP(i, >=, 0);
        if (i >= 0) {
            ask(i, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: "
                   "close\r\n\r\nthere");
            (void)shutdown(i, SHUT_WR);
            EXPECT(hears(net, hub, i, "\r\n\r\nthere"));
            (void)close(i);
        }
    }
    fault_call = -1;
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    EXPECT_INT(opened, gone);
}

static void faults_on(const wshub_io_sock_poller *poller) {
    /* clang-format off */
    static const int errors[CALLS][7] = {
        {EMFILE, ENOBUFS, EAFNOSUPPORT}, {EADDRINUSE, EACCES}, {EADDRINUSE},
        {EMFILE, ENFILE, ECONNABORTED, EINTR, EAGAIN, ENOMEM, EPERM},
        {ECONNRESET, EAGAIN, EINTR, ETIMEDOUT, ENOMEM, EBADF, -1},
        {EPIPE, ECONNRESET, EAGAIN, EINTR, ENOBUFS, ENOMEM, -1}, {EPIPE, EAGAIN, EINTR, ENOMEM},
        {ENOTCONN}, {EINVAL, EBADF}, {ENOMEM, ENOSPC, EPERM}, {EINTR}, {EINTR, ENOMEM},
        {EAGAIN, EINTR}, {EAGAIN}, {EMFILE, ENOENT, ENOMEM},
    };
    /* clang-format on */
    static const long in_a_row[] = {1, 2, 4, 10, 50};
    bool all = getenv("WSHUB_FAULTS_ALL") != NULL;
    long clean[CALLS], injected = 0, nth = 0, stride = (long)test_stride(3), n;
    int call, e, row, second, before = test_failures;
    for (second = 0; second < (all ? SCENARIOS : PAGES + 1); second++) {
        fault_call = -1;
        scenario(poller, second);
        memcpy(clean, counts, sizeof clean);
        for (call = 0; call < CALLS; call++) {
            for (n = 1; n <= clean[call];
                 n += n < (second == PAGES && !all ? 12 : 60)
                          ? 1
                          : 1 + clean[call] / (second == PAGES && !all ? 20 : 60)) {
                for (e = 0; e < 7 && errors[call][e]; e++) {
                    if (nth++ % stride) continue;
                    for (row = 0; row < (all ? 5 : 1); row++) {
                        fault_call = call;
                        fault_errno = errors[call][e] == -1 ? 0 : errors[call][e];
                        fault_at = n;
                        fault_for = in_a_row[row];
                        scenario(poller, second);
                        injected++;
                        if (test_failures == before) continue;
                        (void)printf("  scenario %d: %s, %ld calls from %ld, %s\n", second,
                                     call_names[call], in_a_row[row], n,
                                     fault_errno ? strerror(fault_errno) : "a part");
                        return;
                    }
                }
            }
        }
    }
    (void)printf("  %s: %ld faults injected\n", poller->name, injected);
    EXPECT_OP(injected, >, 500 / stride);
}
TEST(every_system_call_may_fail_on_epoll) {
    faults_on(wshub_io_epoll_poller());
}
TEST_WHOLE(every_system_call_may_fail_on_poll) {
    faults_on(wshub_io_poll_poller());
}
TEST_WHOLE(every_system_call_may_fail_on_kqueue) {
    faults_on(wshub_io_kqueue_poller());
}
