/* The io contract on epoll, kqueue (over its shim), poll and the fake; and what only sockets have: listeners,
 * Unix sockets, IPv6, running out of descriptors, resets, waking, another loop. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "io_contract.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- sockets ---- */
typedef struct sock_ctx {
    wshub_io_sock *net;
    uint16_t port;
    int listener;
    char address[64];
    const char *path; /* where peers dial; NULL: the port */
} sock_ctx;

typedef struct sock_peer {
    int fd;
    bool stalled;
} sock_peer;

static int dial_port(uint16_t port) {
    union { struct sockaddr any; struct sockaddr_in in; } a;
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
static int dial_path(const char *path) {
    union { struct sockaddr any; struct sockaddr_un un; } a;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, &a.any, sizeof a.un) == 0) return fd;
    if (fd >= 0) (void)close(fd);
    return -1;
}
static void *sock_dial(io_world *w) {
    const sock_ctx *s = (const sock_ctx *)w->ctx;
    sock_peer *p = (sock_peer *)calloc(1, sizeof *p);
    p->fd = s->path ? dial_path(s->path) : dial_port(s->port);
    EXPECT(p->fd >= 0);
    return p;
}
static void sock_say(io_world *w, void *peer, const char *bytes, size_t n) {
    (void)w;
    EXPECT_INT(send(((sock_peer *)peer)->fd, bytes, n, MSG_NOSIGNAL), n);
}
static size_t sock_hear(io_world *w, void *peer, char *buf, size_t cap, bool *ended) {
    sock_peer *p = (sock_peer *)peer;
    ssize_t n;
    (void)w;
    if (p->stalled) return 0;
    n = recv(p->fd, buf, cap, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) *ended = true;
    return n > 0 ? (size_t)n : 0;
}
static void sock_hang_up(io_world *w, void *peer) {
    (void)w;
    (void)close(((sock_peer *)peer)->fd);
    free(peer);
}
static void sock_half_close(io_world *w, void *peer) {
    (void)w;
    EXPECT_INT(shutdown(((sock_peer *)peer)->fd, SHUT_WR), 0);
}
static void sock_reset(io_world *w, void *peer) {
    struct linger hard = {1, 0};
    EXPECT_INT(setsockopt(((sock_peer *)peer)->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    sock_hang_up(w, peer);
}
static uint64_t wall_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static int sock_silence(io_world *w, int ms) {
    wshub_io_sock *net = ((sock_ctx *)w->ctx)->net;
    wshub_io_sock_stats before, after;
    uint64_t end = wall_ms() + (uint64_t)ms, now;
    wshub_io_sock_stats_get(net, &before);
    while ((now = wall_ms()) < end) EXPECT_INT(wshub_io_sock_run_once(net, (int)(end - now)), WSHUB_OK);
    wshub_io_sock_stats_get(net, &after);
    return (int)(after.waits - before.waits);
}
static void sock_late(io_world *w, int ms) {
    (void)w;
    (void)usleep((useconds_t)ms * 1000);
}
static void sock_stall(io_world *w, void *peer, bool stalled) {
    (void)w;
    ((sock_peer *)peer)->stalled = stalled;
}
static void sock_step(io_world *w) {
    EXPECT_INT(wshub_io_sock_run_once(((sock_ctx *)w->ctx)->net, 5), WSHUB_OK);
}

static void *sock_accept(io_world *w) {
    int fd = accept(((sock_ctx *)w->ctx)->listener, NULL, NULL);
    sock_peer *p;
    if (fd < 0) return NULL;
    p = (sock_peer *)calloc(1, sizeof *p);
    p->fd = fd;
    return p;
}

/* A listener of the test's own. local: a Unix socket of this name, else a port. */
static int listen_apart(const char *local, char *address) {
    union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_un un; } a;
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
        (void)snprintf(address, 64, "localhost:%d", ntohs(a.in.sin_port)); /* a name: resolved apart, ::1 refuses first */
    }
    return fd;
}

/* local: guests dial this Unix socket; path: peers dial that one. NULL: ports. */
static void sock_contract(const wshub_io_sock_poller *poller, const char *local, const char *path) {
    static io_world w;
    sock_ctx s;
    memset(&w, 0, sizeof w);
    memset(&s, 0, sizeof s);
    s.listener = listen_apart(local, s.address);
    w.address = s.address;
    w.nowhere = local ? "./build/nowhere.sock" : "127.0.0.1:1";
    w.accept = sock_accept;
    EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = poller, .linger_ms = 200}, &s.net), WSHUB_OK);
    s.path = path;
    w.soft = path != NULL;
    EXPECT_INT(path ? wshub_io_sock_listen_unix(s.net, path) : wshub_io_sock_listen(s.net, "127.0.0.1", 0, &s.port), WSHUB_OK);
    w.name = poller->name;
    w.io = wshub_io_sock_io(s.net);
    w.ctx = &s;
    w.dial = sock_dial;
    w.say = sock_say;
    w.hear = sock_hear;
    w.hang_up = sock_hang_up;
    w.stall = sock_stall;
    w.step = sock_step;
    w.half_close = sock_half_close;
    w.reset = sock_reset;
    w.silence = sock_silence;
    w.late = sock_late;
    io_contract(&w);
    wshub_io_sock_destroy(s.net);
    (void)close(s.listener);
    if (local) (void)unlink(local);
}
#ifdef __linux__
TEST(epoll_keeps_the_contract) { sock_contract(wshub_io_epoll_poller(), NULL, NULL); }
#define BEST wshub_io_epoll_poller()
#else
#define BEST wshub_io_kqueue_poller()
#endif
TEST(poll_keeps_the_contract) { sock_contract(wshub_io_poll_poller(), NULL, NULL); }
TEST(kqueue_keeps_the_contract) { sock_contract(wshub_io_kqueue_poller(), "./build/guest.sock", NULL); }
TEST(unix_sockets_keep_the_contract) { sock_contract(BEST, "./build/guest.sock", "build/peers.sock"); }
TEST(unix_sockets_keep_the_contract_on_poll) { sock_contract(wshub_io_poll_poller(), NULL, "build/peers.sock"); }
TEST(unix_sockets_keep_the_contract_on_kqueue) { sock_contract(wshub_io_kqueue_poller(), NULL, "build/peers.sock"); }

/* ---- the fake ---- */
static void *fake_dial(io_world *w) {
    wshub_conn *c = (wshub_conn *)calloc(1, sizeof *c);
    *c = wshub_io_fake_open((wshub_io_fake *)w->ctx);
    wshub_io_fake_silent((wshub_io_fake *)w->ctx, *c, true); /* it ends when it is told to, as the others here */
    return c;
}
static void fake_say(io_world *w, void *peer, const char *bytes, size_t n) {
    wshub_io_fake_input((wshub_io_fake *)w->ctx, *(wshub_conn *)peer, bytes, n);
}
static size_t fake_hear(io_world *w, void *peer, char *buf, size_t cap, bool *ended) {
    wshub_io_fake *f = (wshub_io_fake *)w->ctx;
    wshub_str out = wshub_io_fake_output(f, *(wshub_conn *)peer);
    size_t n = out.len < cap ? out.len : cap;
    if (n) memcpy(buf, out.ptr, n);
    wshub_io_fake_take(f, *(wshub_conn *)peer, n);
    *ended = n == 0 && !wshub_io_fake_is_open(f, *(wshub_conn *)peer);
    return n;
}
static void *fake_accept(io_world *w) {
    wshub_conn c, *p;
    if (!wshub_io_fake_dialled((wshub_io_fake *)w->ctx, &c, NULL)) return NULL;
    p = (wshub_conn *)calloc(1, sizeof *p);
    *p = c;
    wshub_io_fake_answer((wshub_io_fake *)w->ctx, c, true);
    return p;
}
static void fake_refuse(io_world *w) {
    wshub_conn c;
    if (wshub_io_fake_dialled((wshub_io_fake *)w->ctx, &c, NULL)) wshub_io_fake_answer((wshub_io_fake *)w->ctx, c, false);
}
static void fake_hang_up(io_world *w, void *peer) {
    wshub_io_fake_end((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
    wshub_io_fake_forget((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
    free(peer);
}
static void fake_stall(io_world *w, void *peer, bool stalled) {
    wshub_io_fake_window((wshub_io_fake *)w->ctx, *(wshub_conn *)peer, stalled ? 250000 : UINT64_MAX);
}
static void fake_half_close(io_world *w, void *peer) {
    wshub_io_fake_half_close((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
}
static int fake_silence(io_world *w, int ms) {
    int before = w->settled;
    wshub_io_fake_advance((wshub_io_fake *)w->ctx, (uint64_t)ms);
    return w->settled - before;
}
static void fake_late(io_world *w, int ms) {
    wshub_io_fake_stall((wshub_io_fake *)w->ctx, ms > 0);
    wshub_io_fake_advance((wshub_io_fake *)w->ctx, (uint64_t)ms);
}
static void fake_step(io_world *w) {
    wshub_io_fake_advance((wshub_io_fake *)w->ctx, 1);
}
TEST(the_fake_keeps_the_contract) {
    static io_world w;
    wshub_io_fake *f;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    w.name = "fake";
    w.io = wshub_io_fake_io(f);
    w.ctx = f;
    w.dial = fake_dial;
    w.say = fake_say;
    w.hear = fake_hear;
    w.hang_up = fake_hang_up;
    w.stall = fake_stall;
    w.step = fake_step;
    w.half_close = fake_half_close;
    w.reset = fake_hang_up;
    w.silence = fake_silence;
    w.late = fake_late;
    w.address = "broker:6379";
    w.nowhere = "nowhere:1";
    w.accept = fake_accept;
    w.refuse = fake_refuse;
    io_contract(&w);
    wshub_io_fake_destroy(f);
}

/* ---- what only sockets have ---- */
TEST(listening_fails_with_one_clear_line) {
    wshub_io_sock *net, *other;
    uint16_t port;
    char path[] = "build/test.sock";
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &other), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(other, "127.0.0.1", port, NULL), WSHUB_ERR_IO);
    EXPECT(strstr(wshub_io_sock_error(other), "in use") && strstr(wshub_io_sock_error(other), "choose another port"));
    EXPECT_INT(wshub_io_sock_listen(other, "no.such.host.invalid", 0, NULL), WSHUB_ERR_PARAM);
    EXPECT(strstr(wshub_io_sock_error(other), "no such address"));
    EXPECT_INT(wshub_io_sock_listen(other, "192.0.2.1", 0, NULL), WSHUB_ERR_IO);
    (void)unlink(path);
    EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_ERR_IO); /* alive */
    EXPECT_INT(wshub_io_sock_listen(net, "::1", 0, NULL), WSHUB_OK); /* several listeners */
    wshub_io_sock_destroy(net);
    EXPECT(access(path, F_OK) != 0); /* removed at the end */
    {
        int dead = socket(AF_UNIX, SOCK_STREAM, 0); /* as a crashed server leaves it */
        union { struct sockaddr any; struct sockaddr_un un; } a;
        memset(&a, 0, sizeof a);
        a.un.sun_family = AF_UNIX;
        memcpy(a.un.sun_path, path, sizeof path);
        EXPECT_INT(bind(dead, &a.any, sizeof a.un), 0);
        (void)close(dead);
        EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_OK);
    }
    wshub_io_sock_destroy(other);
}

static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static const char up[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void talk(wshub_io_sock *net, int fd, const char *want) { /* upgrade, authenticate, wait for `want` */
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

TEST(ipv6_and_unix_sockets_carry_clients) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port = 0;
    int fd;
    union { struct sockaddr any; struct sockaddr_in6 in6; struct sockaddr_un un; } a;
    char path[] = "build/test2.sock", text[64];
    wshub_iter it = {0, 0};
    wshub_client c;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
    if (wshub_io_sock_listen(net, "::1", 0, &port) == WSHUB_OK) {
        memset(&a, 0, sizeof a);
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_port = htons(port);
        a.in6.sin6_addr = in6addr_loopback;
        fd = socket(AF_INET6, SOCK_STREAM, 0);
        EXPECT_INT(connect(fd, &a.any, sizeof a.in6), 0);
        talk(net, fd, "\"connected\"");
        EXPECT(wshub_client_each(hub, &it, &c) && wshub_client_peer(hub, c, text, sizeof text) && strncmp(text, "[::1]:", 6) == 0); /* RFC 3986 3.2.2 */
        (void)close(fd);
    } else {
        (void)printf("  no IPv6 on this machine\n");
    }
    EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    memcpy(a.un.sun_path, path, sizeof path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_INT(connect(fd, &a.any, sizeof a.un), 0);
    talk(net, fd, "\"connected\"");
    (void)close(fd);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

static int errors_told;
static void tell(const char *line, void *user) {
    (void)user;
    EXPECT(strstr(line, "out of file descriptors") != NULL);
    errors_told++;
}

TEST(out_of_descriptors_it_sheds_pauses_and_goes_on) { /* LIMITS 2: EMFILE at accept */
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    struct rlimit old, low;
    int fds[100], first, i, n = 0, kept;
    wshub_io_sock_stats st;
    errors_told = 0;
    EXPECT_INT(wshub_io_auto_create(&(wshub_io_sock_desc){.on_error = tell}, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    first = dial_port(port);
    talk(net, first, "\"connected\"");
    for (i = 0; i < 30; i++) fds[i] = dial_port(port); /* wait in the backlog */
    kept = dup(0);
    (void)close(kept);
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)kept + 10;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (i = 0; i < 60; i++) (void)wshub_io_sock_run_once(net, 5);
    wshub_io_sock_stats_get(net, &st);
    EXPECT(st.shed >= 1 && st.accept_pauses >= 1 && st.accept_pauses < 20); /* no busy loop */
    EXPECT(errors_told >= 1 && errors_told <= 2);
    {
        static const char ping[] = "\x89\x81\0\0\0\0p";
        char buf[16];
        int k;
        EXPECT(send(first, ping, sizeof ping - 1, MSG_NOSIGNAL) > 0); /* those who are in are served */
        for (k = 0; k < 50 && recv(first, buf, sizeof buf, MSG_DONTWAIT) <= 0; k++) (void)wshub_io_sock_run_once(net, 5);
        EXPECT(k < 50);
    }
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (i = 0; i < 400 && n < 25; i++) {
        (void)wshub_io_sock_run_once(net, 10);
        wshub_io_sock_stats_get(net, &st);
        n = (int)st.accepted;
    }
    EXPECT(n >= 25);
    for (i = 0; i < 30; i++) (void)close(fds[i]);
    (void)close(first);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

static void aborting(int sig) {
    (void)sig;
    (void)printf("  SIGPIPE was raised\n");
    abort();
}

TEST(resets_raise_no_signal) { /* LIMITS 2: SIGPIPE */
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    int i, k;
    wshub_msg m;
    wshub_stats st;
    static char data[50002];
    void (*was)(int) = signal(SIGPIPE, aborting);
    memset(data, 'x', sizeof data);
    data[0] = data[50000] = '"';
    data[50001] = 0;
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("e");
    m.data = wshub_str_z(data);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    for (i = 0; i < 20; i++) {
        struct linger l = {1, 0};
        int fd = dial_port(port);
        talk(net, fd, "\"connected\"");
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        EXPECT_INT(wshub_all_send(hub, &m, NULL, 0), WSHUB_OK);
        if (i % 2) (void)wshub_io_sock_run_once(net, 0);
        (void)close(fd); /* a reset */
        for (k = 0; k < 5; k++) {
            (void)wshub_all_send(hub, &m, NULL, 0);
            (void)wshub_io_sock_run_once(net, 2);
        }
    }
    wshub_stats_get(hub, &st);
    EXPECT_INT(st.clients, 0);
    EXPECT_INT(st.conns, 0);
    (void)signal(SIGPIPE, was);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

static void ran(wshub *hub, void *arg) {
    (void)hub;
    *(bool *)arg = true;
}
static void *post_later(void *arg) {
    void **p = (void **)arg;
    (void)usleep(20000);
    EXPECT_INT(wshub_post((wshub *)p[0], ran, p[1]), WSHUB_OK);
    return NULL;
}

TEST(a_post_wakes_a_waiting_loop_and_another_loop_can_drive_it) {
    const wshub_io_sock_poller *pollers[3];
    int i;
    pollers[0] = BEST;
    pollers[1] = wshub_io_poll_poller();
    pollers[2] = wshub_io_kqueue_poller();
    for (i = 0; i < 3; i++) {
        wshub_io_sock *net;
        wshub *hub;
        bool done = false;
        void *arg[2];
        pthread_t t;
        EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = pollers[i]}, &net), WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net)}, &hub), WSHUB_OK);
        arg[0] = hub;
        arg[1] = &done;
        EXPECT_INT(pthread_create(&t, NULL, post_later, arg), 0);
        if (wshub_io_sock_fd(net) >= 0) { /* in somebody's own poll() */
            struct pollfd p;
            p.fd = wshub_io_sock_fd(net);
            p.events = POLLIN;
            EXPECT_INT(poll(&p, 1, 5000), 1);
            EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        } else {
            EXPECT_INT(wshub_io_sock_run_once(net, 5000), WSHUB_OK);
        }
        (void)pthread_join(t, NULL);
        (void)wshub_io_sock_run_once(net, 0);
        EXPECT(done);
        EXPECT_INT(wshub_io_sock_timeout(net), -1);
        wshub_destroy(hub);
        wshub_io_sock_destroy(net);
    }
}
