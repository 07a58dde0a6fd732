/* A program's life in one call: serves until it is told to end, by a signal or by a call, and ends
 * in order. The signals are real ones, sent by a thread or to a child. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_io_poll.h"
#include "sock_peer.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

typedef struct server {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    pthread_t thread;
    wshub_err err;
    int told, gone; /* on_shutdown; clients that went */
} server;

static void on_shutdown(wshub *hub, void *user) {
    (void)hub;
    ((server *)user)->told++;
}
static void on_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)gone;
    ((server *)user)->gone++;
}

static void server_start_with(server *s, const wshub_io_sock_poller *poller, wshub_desc d) {
    wshub_io_sock_desc nd = {.poller = poller, .reuse_port = true};
    memset(s, 0, sizeof *s);
    EXPECT_INT(wshub_io_auto_create(&nd, &s->net), WSHUB_OK);
    d.io = wshub_io_sock_io(s->net);
    d.user = s;
    if (!d.on_authenticate) d.on_authenticate = accept_all;
    if (!d.on_shutdown) d.on_shutdown = on_shutdown;
    d.on_disconnected = on_disconnected;
    EXPECT_INT(wshub_create(&d, &s->hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(s->net, "127.0.0.1", 0, &s->port), WSHUB_OK);
}
static void server_start(server *s, wshub_desc d) {
    server_start_with(s, NULL, d);
}
static void server_stop(server *s) {
    wshub_destroy(s->hub);
    wshub_io_sock_destroy(s->net);
}
static int client(server *s) {
    int fd = dial_port(s->port);
    EXPECT_OP(fd, >=, 0);
    talk(s->net, fd, "\"connected\"");
    return fd;
}

/* How often our own handler ran: a signal that is not the call's is the program's. */
static int own_signals;
static void own(int number) {
    (void)number;
    (void)__atomic_add_fetch(&own_signals, 1, __ATOMIC_SEQ_CST);
}
static void (*handler_of(int number))(int) {
    struct sigaction now;
    EXPECT_INT(sigaction(number, NULL, &now), 0);
    return now.sa_handler;
}

/* Sends signals to this process: the one, then the other, then the one again, each when the one
 * before it has been taken, since one that is still pending is merged with another of its number.
 * The first one when they are taken at all, and, where `behind` is a stream, something has come on
 * it. */
typedef struct sender {
    int number, count, behind;
    unsigned then_ms;
    void (*was)(int);
    pthread_t thread;
} sender;
static void *send_signals(void *arg) {
    const sender *s = (const sender *)arg;
    struct pollfd stream = {s->behind, POLLIN, 0};
    sigset_t both, pending;
    int i;
    (void)sigemptyset(&both);
    (void)sigaddset(&both, SIGTERM);
    (void)sigaddset(&both, SIGINT);
    EXPECT_INT(pthread_sigmask(SIG_BLOCK, &both, NULL), 0); /* the other thread takes them */
    while (handler_of(s->number) == s->was) (void)usleep(1000);
    if (s->behind) EXPECT_INT(poll(&stream, 1, 60000), 1);
    for (i = 0; i < s->count; i++) {
        int number = i % 2 ? SIGINT + SIGTERM - s->number : s->number;
        if (i) (void)usleep(s->then_ms * 1000);
        (void)kill(getpid(), number);
        do (void)usleep(1000);
        while (sigpending(&pending) == 0 && sigismember(&pending, number));
    }
    return NULL;
}
static void sender_start(sender *s) {
    s->was = handler_of(s->number);
    EXPECT_INT(pthread_create(&s->thread, NULL, send_signals, s), 0);
}

/* Reads all that a peer is sent until its end. Returns the code of the Close in it; 0: none. */
static int close_code(int fd, char *reason, size_t cap) {
    static uint8_t buf[65536];
    size_t n = 0, at;
    ssize_t k;
    while (n < sizeof buf && (k = recv(fd, buf + n, sizeof buf - n, MSG_DONTWAIT)) > 0)
        n += (size_t)k;
    for (at = 0; at + 4 <= n; at++) {
        if (buf[at] != 0x88 || buf[at + 1] < 2 || buf[at + 1] > 125) continue;
        if (reason) (void)snprintf(reason, cap, "%.*s", buf[at + 1] - 2, (char *)buf + at + 4);
        return buf[at + 2] << 8 | buf[at + 3];
    }
    return 0;
}

TEST(serves_until_a_signal_then_ends_in_order_and_gives_it_back) { /* BYE-2 */
    static const int numbers[] = {SIGTERM, SIGINT};
    const wshub_io_sock_poller *pollers[] = {BEST, wshub_io_poll_poller()};
    int i, fd;
    char reason[128] = "";
    for (i = 0; i < 4; i++) {
        server s;
        sender t = {.number = numbers[i % 2], .count = 1};
        void (*was)(int) = signal(numbers[i % 2], own);
        server_start_with(&s, pollers[i / 2], DESC(.shutdown_timeout_ms = 100));
        fd = client(&s);
        __atomic_store_n(&own_signals, 0, __ATOMIC_SEQ_CST);
        t.behind = fd; /* the answer to its Close */
        sender_start(&t);
        (void)send(fd, "\x88\x82\0\0\0\0\x03\xe8", 8, MSG_NOSIGNAL); /* it leaves before */
        EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_OK);
        EXPECT(wshub_is_down(s.hub));
        EXPECT_INT(s.told, 1);
        EXPECT_INT(s.gone, 1);
        EXPECT_OP(dial_port(s.port), <, 0); /* nobody listens any more */
        EXPECT_INT(close_code(fd, reason, sizeof reason), 1000);
        (void)pthread_join(t.thread, NULL);
        EXPECT_INT(__atomic_load_n(&own_signals, __ATOMIC_SEQ_CST), 0);
        EXPECT(handler_of(numbers[i % 2]) == own);
        EXPECT_INT(raise(numbers[i % 2]), 0);
        EXPECT_INT(__atomic_load_n(&own_signals, __ATOMIC_SEQ_CST), 1);
        (void)signal(numbers[i % 2], was);
        (void)close(fd);
        server_stop(&s);
    }
}

TEST(clients_are_told_why_the_oldest_first_at_a_pace) { /* BYE-2, B6 */
    server s;
    int fds[8], i;
    char reason[128] = "";
    uint64_t began;
    wshub_io_sock_serve_desc end = {
        .drain_per_second = 40, .deadline_ms = WSHUB_OFF, .code = 1012, .reason = "come back"};
    server_start(&s, DESC(.shutdown_timeout_ms = 50));
    for (i = 0; i < 8; i++) fds[i] = client(&s);
    wshub_io_sock_stop(s.net);
    began = wall_ms();
    EXPECT_INT(wshub_io_sock_serve_with(s.net, s.hub, &end), WSHUB_OK);
    EXPECT_OP(wall_ms() - began, >=, 150); /* eight, forty a second, the first at once */
    EXPECT(wshub_is_down(s.hub));
    EXPECT_INT(s.gone, 8);
    for (i = 0; i < 8; i++) {
        EXPECT_INT(close_code(fds[i], reason, sizeof reason), 1012);
        EXPECT_STR(reason, "come back");
        (void)close(fds[i]);
    }
    server_stop(&s);
}

TEST(the_pace_is_faster_where_the_deadline_asks_for_it) { /* BYE-2 */
    server s;
    int fds[20], i;
    uint64_t began, took;
    wshub_io_sock_serve_desc end = {.drain_per_second = 1, .deadline_ms = 4000};
    server_start(&s, DESC(.shutdown_timeout_ms = 20));
    for (i = 0; i < 20; i++) fds[i] = client(&s);
    wshub_io_sock_stop(s.net);
    began = wall_ms();
    EXPECT_INT(wshub_io_sock_serve_with(s.net, s.hub, &end), WSHUB_OK);
    took = wall_ms() - began;
    EXPECT(took >= 200 && took < 15000); /* twenty, one a second */
    EXPECT(wshub_is_down(s.hub));
    for (i = 0; i < 20; i++) {
        EXPECT_INT(close_code(fds[i], NULL, 0), 1001);
        (void)close(fds[i]);
    }
    server_stop(&s);
}

TEST(at_its_deadline_it_returns_whoever_is_left) { /* BYE-2: peers that never answer our Close */
    server s;
    int fd, off;
    for (off = 0; off < 2; off++) {
        wshub_io_sock_serve_desc end = {.drain_per_second = off ? WSHUB_OFF : 0,
                                        .deadline_ms = 120};
        uint64_t began, took;
        server_start(&s, DESC(.shutdown_timeout_ms = 60000));
        fd = client(&s);
        wshub_io_sock_stop(s.net);
        began = wall_ms();
        EXPECT_INT(wshub_io_sock_serve_with(s.net, s.hub, &end), WSHUB_OK);
        took = wall_ms() - began;
        EXPECT(took >= 115 && took < 50000);
        EXPECT(!wshub_is_down(s.hub) && wshub_is_draining(s.hub));
        EXPECT_INT(close_code(fd, NULL, 0), 1001);
        (void)close(fd);
        server_stop(&s);
    }
}

TEST(a_second_signal_hurries_and_a_third_waits_for_nobody) { /* BYE-2 */
    int signals, i;
    for (signals = 2; signals <= 3; signals++) {
        server s;
        int fds[60];
        uint64_t began, took;
        sender t = {.number = SIGTERM, .count = signals, .then_ms = 60};
        wshub_io_sock_serve_desc end = {.drain_per_second = 1, .deadline_ms = WSHUB_OFF};
        server_start(&s, DESC(.shutdown_timeout_ms = signals == 2 ? 100 : 60000));
        for (i = 0; i < 60; i++) fds[i] = client(&s);
        began = wall_ms();
        sender_start(&t);
        EXPECT_INT(wshub_io_sock_serve_with(s.net, s.hub, &end), WSHUB_OK);
        took = wall_ms() - began;
        EXPECT(took >= 60 && took < 50000); /* at its pace it would have been a minute */
        EXPECT(wshub_is_down(s.hub) == (signals == 2));
        (void)pthread_join(t.thread, NULL);
        for (i = 0; i < 60; i++) {
            EXPECT_INT(close_code(fds[i], NULL, 0), 1001);
            (void)close(fds[i]);
        }
        server_stop(&s);
    }
}

static void destroys(wshub *hub, void *arg) {
    ((server *)arg)->hub = NULL;
    wshub_destroy(hub);
}
static void destroys_both(wshub *hub, void *arg) {
    server *s = (server *)arg;
    wshub_io_sock_destroy(s->net);
    s->net = NULL;
    destroys(hub, arg);
}
static void shuts_down(wshub *hub, void *arg) {
    (void)arg;
    EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
}
static void drains(wshub *hub, void *arg) {
    (void)arg;
    EXPECT_INT(wshub_drain(hub, 50, 1012, wshub_str_z("mine")), WSHUB_OK);
}
static void serves_again(wshub *hub, void *arg) {
    server *s = (server *)arg;
    EXPECT_INT(wshub_io_sock_serve(s->net, hub), WSHUB_ERR_STATE);
    EXPECT_HAS(wshub_io_sock_error(s->net), "callback");
    wshub_io_sock_stop(s->net);
}

TEST(it_returns_when_the_application_ends_the_hub_itself) { /* BYE-1, BYE-2 */
    static void (*const ends[])(wshub *, void *) = {shuts_down, drains, destroys, destroys_both,
                                                    serves_again};
    size_t i;
    void (*was)(int) = signal(SIGTERM, own);
    for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        server s;
        int fd;
        server_start(&s, DESC(.shutdown_timeout_ms = 50));
        fd = client(&s);
        EXPECT_INT(wshub_timer_start(s.hub, 1, ends[i], &s, NULL), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_OK);
        EXPECT(!s.hub || wshub_is_down(s.hub));
        EXPECT(dial_port(s.port) < 0 ||
               ends[i] == destroys); /* of a destroyed hub it is the net's */
        EXPECT_INT(s.gone, 1);
        EXPECT_INT(close_code(fd, NULL, 0), ends[i] == drains ? 1012 : s.hub ? 1001 : 0);
        EXPECT(handler_of(SIGTERM) == own);
        (void)close(fd);
        server_stop(&s);
    }
    (void)signal(SIGTERM, was);
}

/* A guest of the io that makes another hub as soon as the first one is gone. */
static uint64_t next_hub(void *ctx) {
    server *s = (server *)ctx;
    wshub_desc d = DESC(.on_authenticate = accept_all, .user = s);
    d.io = wshub_io_sock_io(s->net);
    if (!s->hub) EXPECT_INT(wshub_create(&d, &s->hub), WSHUB_OK);
    return WSHUB_NEVER;
}
TEST(a_hub_that_takes_the_place_of_the_one_that_is_served_is_not_served_by_that_call) {
    server s;
    wshub_io_owner guest = quiet_owner(&s);
    const wshub_io *io;
    int fd;
    server_start(&s, DESC(0));
    io = wshub_io_sock_io(s.net);
    guest.settle = next_hub;
    EXPECT_INT(io->guest(io->ctx, &guest, true), WSHUB_OK);
    fd = client(&s);
    EXPECT_INT(wshub_timer_start(s.hub, 1, destroys, &s, NULL), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_OK);
    EXPECT(s.hub && !wshub_is_draining(s.hub)); /* this is another one */

    /* which the next call serves, and the one that runs in its callbacks refuses */
    EXPECT_INT(io->guest(io->ctx, &guest, false), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(s.hub, 1, serves_again, &s, NULL), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_OK);
    EXPECT(wshub_is_down(s.hub));
    EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_OK); /* at once */
    (void)close(fd);
    server_stop(&s);
}

TEST(what_serve_cannot_be_told_is_refused_in_words) {
    static const struct {
        wshub_io_sock_serve_desc desc;
        const char *says;
    } cases[] = {
        {{.drain_per_second = 1000001}, "drain_per_second: 1 to 1000000"},
        {{.code = 999}, "code: one that a Close may have"},
        {{.code = 1002}, "code: one that a Close may have"},
        {{.code = 1006}, "code: one that a Close may have"},
        {{.code = 1015}, "code: one that a Close may have"},
        {{.code = 5000}, "code: one that a Close may have"},
        {{.reason = "\xff"}, "reason: UTF-8"},
        {{.reason = "0123456789012345678901234567890123456789012345678901234567890123456789"
                    "012345678901234567890123456789012345678901234567890123"},
         "at most WSHUB_CLOSE_REASON_MAX (123) bytes"},
    };
    wshub_io_sock_serve_desc good[] = {
        {.code = 1000}, {.code = 1003}, {.code = 1014}, {.code = 4999}};
    size_t i;
    server s;
    void (*was)(int) = signal(SIGTERM, own);
    server_start(&s, DESC(0));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_INT(wshub_io_sock_serve_with(s.net, s.hub, &cases[i].desc), WSHUB_ERR_PARAM);
        EXPECT_HAS(wshub_io_sock_error(s.net), cases[i].says);
    }
    EXPECT_INT(wshub_io_sock_serve(s.net, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_io_sock_error(s.net), "hub: it is NULL");
    EXPECT(handler_of(SIGTERM) == own);
    EXPECT(!wshub_is_draining(s.hub));
    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        server_stop(&s);
        server_start(&s, DESC(0));
        wshub_io_sock_stop(s.net);
        EXPECT_INT(wshub_io_sock_serve_with(s.net, s.hub, &good[i]), WSHUB_OK);
    }
    wshub_destroy(s.hub);
    EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_ERR_STATE);
    EXPECT_HAS(wshub_io_sock_error(s.net), "no hub is there");
    wshub_io_sock_destroy(s.net);
    (void)signal(SIGTERM, was);
}

static void sets_another(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
    (void)signal(SIGINT, own);
    (void)raise(SIGTERM);
}

TEST(signals_are_taken_by_who_serves_alone_and_given_back_as_they_were) {
    server s;
    sigset_t both, mask, before;
    wshub_io_sock_serve_desc end = {.no_signals = true};
    void (*was)(int) = signal(SIGTERM, SIG_IGN), (*int_was)(int) = signal(SIGINT, SIG_DFL);

    /* ignored: taken, and ignored again; a handler that is set meanwhile stays */
    server_start(&s, DESC(0));
    EXPECT_INT(wshub_timer_start(s.hub, 1, sets_another, &s, NULL), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_OK);
    EXPECT(wshub_is_down(s.hub));
    EXPECT(handler_of(SIGTERM) == SIG_IGN);
    EXPECT(handler_of(SIGINT) == own);
    server_stop(&s);

    /* blocked, and one pending: let through, and blocked again */
    (void)sigemptyset(&both);
    (void)sigaddset(&both, SIGTERM);
    (void)sigaddset(&both, SIGINT);
    (void)signal(SIGTERM, own);
    EXPECT_INT(pthread_sigmask(SIG_BLOCK, &both, &before), 0);
    EXPECT_INT(raise(SIGTERM), 0);
    server_start(&s, DESC(0));
    EXPECT_INT(wshub_io_sock_serve(s.net, s.hub), WSHUB_OK);
    EXPECT(wshub_is_down(s.hub));
    EXPECT_INT(pthread_sigmask(SIG_SETMASK, &before, &mask), 0);
    EXPECT(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT));
    server_stop(&s);

    /* not asked for: the program's own handler has them */
    server_start(&s, DESC(0));
    __atomic_store_n(&own_signals, 0, __ATOMIC_SEQ_CST);
    EXPECT_INT(wshub_timer_start(s.hub, 1, sets_another, &s, NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(s.hub, 20, shuts_down, &s, NULL), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_serve_with(s.net, s.hub, &end), WSHUB_OK);
    EXPECT_INT(__atomic_load_n(&own_signals, __ATOMIC_SEQ_CST), 1);
    server_stop(&s);
    (void)signal(SIGTERM, was);
    (void)signal(SIGINT, int_was);
}

static void *serve(void *arg) {
    server *s = (server *)arg;
    s->err = wshub_io_sock_serve(s->net, s->hub);
    return NULL;
}
static void *serve_late(void *arg) { /* when the signal has come already */
    (void)usleep(200000);
    return serve(arg);
}

/* What examples/cores.c does. */
TEST(one_signal_ends_all_threads_also_who_comes_late) { /* BYE-2 */
    enum { THREADS = 4 };
    static server s[THREADS];
    int fds[THREADS], i, round;
    void (*was)(int) = signal(SIGTERM, own);
    __atomic_store_n(&own_signals, 0, __ATOMIC_SEQ_CST);
    for (round = 0; round < 3; round++) {
        for (i = 0; i < THREADS; i++) {
            server_start(&s[i], DESC(.shutdown_timeout_ms = 50));
            fds[i] = client(&s[i]);
        }
        for (i = 0; i < THREADS; i++) {
            EXPECT_INT(pthread_create(&s[i].thread, NULL, i == round ? serve_late : serve, &s[i]),
                       0);
        }
        while (handler_of(SIGTERM) == own) (void)usleep(1000); /* until one serves */
        (void)usleep(50000);
        EXPECT_INT(kill(getpid(), SIGTERM), 0);
        for (i = 0; i < THREADS; i++) {
            EXPECT_INT(pthread_join(s[i].thread, NULL), 0);
            EXPECT_INT(s[i].err, WSHUB_OK);
            EXPECT(wshub_is_down(s[i].hub));
            EXPECT_INT(close_code(fds[i], NULL, 0), 1001);
            (void)close(fds[i]);
            server_stop(&s[i]);
        }
        EXPECT(handler_of(SIGTERM) == own);
        EXPECT_INT(__atomic_load_n(&own_signals, __ATOMIC_SEQ_CST), 0);
    }
    (void)signal(SIGTERM, was);
}

static bool stop_flood;
static void *flood(void *arg) {
    while (!__atomic_load_n(&stop_flood, __ATOMIC_SEQ_CST)) (void)kill(getpid(), SIGINT);
    return arg;
}

/* Signals that never stop: calls come and go under them, in two threads, and nothing that is gone
 * is woken. */
TEST(nobody_is_woken_who_has_left) {
    pthread_t flooding;
    int i, n;
    void (*was)(int) = signal(SIGINT, own);
    stop_flood = false;
    EXPECT_INT(pthread_create(&flooding, NULL, flood, NULL), 0);
    for (i = 0; i < 50; i++) {
        server s[2];
        for (n = 0; n < 2; n++) {
            server_start(&s[n], DESC(0));
            EXPECT_INT(pthread_create(&s[n].thread, NULL, serve, &s[n]), 0);
        }
        for (n = 0; n < 2; n++) {
            EXPECT_INT(pthread_join(s[n].thread, NULL), 0);
            EXPECT_INT(s[n].err, WSHUB_OK);
            server_stop(&s[n]);
        }
    }
    __atomic_store_n(&stop_flood, true, __ATOMIC_SEQ_CST);
    EXPECT_INT(pthread_join(flooding, NULL), 0);
    EXPECT(handler_of(SIGINT) == own);
    (void)signal(SIGINT, was);
}

/* A whole program: its status is 0, its Unix socket is removed, its peer has heard why. */
TEST(a_program_ends_with_0_when_it_is_told_to) { /* BYE-2 */
    int ready[2], status = -1, fd;
    const char *path = own_path("serve.sock");
    char byte, buf[512];
    ssize_t n, got = 0;
    pid_t pid;
    EXPECT_INT(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        server s;
        server_start(&s, DESC(.shutdown_timeout_ms = 500));
        if (wshub_io_sock_listen_unix(s.net, path)) _exit(3);
        (void)!write(ready[1], "r", 1);
        if (wshub_io_sock_serve(s.net, s.hub)) _exit(4);
        server_stop(&s);
        _exit(s.told == 1 ? 0 : 5);
    }
    EXPECT(read(ready[0], &byte, 1) == 1);
    fd = dial_path(path);
    EXPECT(fd >= 0 && send(fd, up, sizeof up - 1, MSG_NOSIGNAL) > 0);
    EXPECT_OP(recv(fd, buf, 16, 0), >, 0);
    EXPECT_INT(kill(pid, SIGTERM), 0);
    while ((n = recv(fd, buf + got, sizeof buf - (size_t)got, 0)) > 0) got += n;
    EXPECT(memmem(buf, (size_t)got, "\x03\xe9Server shutting down", 22));
    (void)close(fd); /* its end is all that the server waits for */
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT(access(path, F_OK) != 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
}
