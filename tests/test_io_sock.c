/* The socket io at work: descriptors that run out, resets, waking, another loop, ends from
 * inside callbacks, a stopped process (LIMITS 2, LIVE-3). */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "sock_peer.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

static wshub_about told;
static char told_text[3][128];
static bool tell_about(wshub *hub, wshub_exchange request, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)user;
    memset(&told, 0xEE, sizeof told);
    EXPECT_INT(wshub_conn_about(hub, http->conn, &told), WSHUB_OK);
    (void)snprintf(told_text[0], 128, "%.*s", told.listener.ptr ? (int)told.listener.len : 1,
                   told.listener.ptr ? told.listener.ptr : "-");
    (void)snprintf(told_text[1], 128, "%.*s", (int)told.local.len, told.local.ptr);
    (void)snprintf(told_text[2], 128, "%.*s", (int)told.peer.len, told.peer.ptr);
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.close = true;
    EXPECT_INT(wshub_http_reply(hub, request, &r), WSHUB_OK);
    return true;
}
static void ask_about(wshub_io_sock *net, const struct sockaddr *to, socklen_t n) {
    static const char get[] = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";
    int i, fd = socket(to->sa_family, SOCK_STREAM, 0);
    memset(told_text, 0, sizeof told_text);
    EXPECT_INT(connect(fd, to, n), 0);
    EXPECT_INT(send(fd, get, sizeof get - 1, 0), (ssize_t)sizeof get - 1);
    for (i = 0; i < 200 && !told_text[1][0]; i++) (void)wshub_io_sock_run_once(net, 10);
    EXPECT(!told.secure && !told.alpn.ptr && !told.server_name.ptr && !told.peer_cert.ptr &&
           !told.peer_verified);
    (void)close(fd);
}

TEST(a_stream_is_asked_for_its_listener_and_addresses) {
    const char *path = own_path("about.sock");
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } a;
    char want[32], name[8];
    wshub_io_sock *net;
    wshub *hub;
    wshub_about none;
    uint16_t port = 0, plain = 0;
    int i;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(
        wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_request = tell_about}, &hub),
        WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_place(
                   net, &(wshub_io_sock_place){.name = "public", .host = "127.0.0.1"}, &port),
               WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &plain), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_place(
                   net, &(wshub_io_sock_place){.name = "admin", .path = path}, NULL),
               WSHUB_OK);

    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.in.sin_port = htons(port);
    ask_about(net, &a.any, sizeof a.in);
    (void)snprintf(want, sizeof want, "127.0.0.1:%u", (unsigned)port);
    EXPECT(strcmp(told_text[0], "public") == 0 && strcmp(told_text[1], want) == 0 &&
           strncmp(told_text[2], "127.0.0.1:", 10) == 0);
    a.in.sin_port = htons(plain);
    ask_about(net, &a.any, sizeof a.in);
    /* that one has no name, whatever those beside it have */
    EXPECT_STR(told_text[0], "-");

    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    ask_about(net, &a.any, sizeof a.un);
    EXPECT(strcmp(told_text[0], "admin") == 0 && strcmp(told_text[1], path) == 0 &&
           strcmp(told_text[2], "unix") == 0);

    /* A stream that is gone has no answer, and what was there stays. */
    memset(&none, 0, sizeof none);
    none.secure = true;
    EXPECT_INT(wshub_conn_about(hub, (wshub_conn){UINT64_C(77) << 32}, &none), WSHUB_ERR_STALE);
    EXPECT(none.secure);

    /* Names are kept once each, and are limited in number. */
    wshub_io_sock_unlisten(net);
    for (i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "n%d", i % 253);
        EXPECT_INT(wshub_io_sock_listen_place(
                       net, &(wshub_io_sock_place){.name = name, .host = "127.0.0.1"}, NULL),
                   WSHUB_OK);
        wshub_io_sock_unlisten(net);
    }
    EXPECT_INT(wshub_io_sock_listen_place(
                   net, &(wshub_io_sock_place){.name = "more", .host = "127.0.0.1"}, NULL),
               WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_io_sock_error(net), "more");
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

static int errors_told;
static void tell(const char *line, void *user) {
    (void)user;
    EXPECT_HAS(line, "out of file descriptors");
    errors_told++;
}

TEST(out_of_descriptors_it_sheds_pauses_and_goes_on) { /* LIMITS 2: EMFILE at accept */
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    struct rlimit old, low;
    int fds[100], first, i, n = 0, kept;
    uint64_t from, took;
    wshub_io_sock_stats st;
    errors_told = 0;
    EXPECT_INT(wshub_io_auto_create(&(wshub_io_sock_desc){.on_error = tell}, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(
                   &(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = accept_all}, &hub),
               WSHUB_OK);
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
    from = wall_ms();
    for (i = 0; i < 60; i++) (void)wshub_io_sock_run_once(net, 5);
    took = wall_ms() - from;
    wshub_io_sock_stats_get(net, &st);
    EXPECT(st.shed >= 1 && st.accept_pauses >= 1);
    EXPECT_OP(st.accept_pauses, <=, 4 + took / 50); /* no busy loop */
    EXPECT_OP(errors_told, >=, 1);
    EXPECT_OP((uint64_t)errors_told, <=, 2 + took / 1000); /* one a second */
    {
        static const char ping[] = "\x89\x81\0\0\0\0p";
        char buf[16];
        int k;
        /* those who are in are served */
        EXPECT_OP(send(first, ping, sizeof ping - 1, MSG_NOSIGNAL), >, 0);
        for (k = 0; k < 50 && recv(first, buf, sizeof buf, MSG_DONTWAIT) <= 0; k++)
            (void)wshub_io_sock_run_once(net, 5);
        EXPECT_OP(k, <, 50);
    }
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (i = 0; i < 400 && n < 25; i++) {
        (void)wshub_io_sock_run_once(net, 10);
        wshub_io_sock_stats_get(net, &st);
        n = (int)st.accepted;
    }
    EXPECT_OP(n, >=, 25);
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
    EXPECT_INT(wshub_create(
                   &(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = accept_all}, &hub),
               WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    for (i = 0; i < 20; i++) {
        struct linger l = {1, 0};
        int fd = dial_port(port);
        talk(net, fd, "\"connected\"");
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        EXPECT_INT(wshub_all_send_here(hub, &m, NULL, 0), WSHUB_OK);
        if (i % 2) (void)wshub_io_sock_run_once(net, 0);
        (void)close(fd); /* a reset */
        for (k = 0; k < 5; k++) {
            (void)wshub_all_send_here(hub, &m, NULL, 0);
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
        EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = pollers[i]}, &net),
                   WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net)}, &hub), WSHUB_OK);
        arg[0] = hub;
        arg[1] = &done;
        EXPECT_INT(pthread_create(&t, NULL, post_later, arg), 0);
        if (wshub_io_sock_fd(net) >= 0) { /* in somebody's own poll() */
            struct pollfd p;
            p.fd = wshub_io_sock_fd(net);
            p.events = POLLIN;
            EXPECT_INT(poll(&p, 1, 60000), 1);
            EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        } else {
            EXPECT_INT(wshub_io_sock_run_once(net, 60000), WSHUB_OK);
        }
        (void)pthread_join(t, NULL);
        (void)wshub_io_sock_run_once(net, 0);
        EXPECT(done);
        EXPECT_INT(wshub_io_sock_timeout(net), -1);
        wshub_destroy(hub);
        wshub_io_sock_destroy(net);
    }
}

/* Two hubs on one local bus, and how often the poller of the first was woken by a system call. */
static int polled_wakes;
static void count_wake(void *p) {
    polled_wakes++;
    BEST->wake(p);
}
typedef struct pair {
    wshub_io_sock *net[2];
    wshub *hub[2];
    int left; /* of what is done inside a turn of the first */
} pair;

static uint64_t heard_by(wshub *hub) {
    wshub_stats stats;
    wshub_stats_get(hub, &stats);
    return stats.bus_received;
}
static void pair_start(pair *p, wshub_io_sock_poller *counting, wshub_bus_local *local) {
    int i;
    *counting = *BEST;
    counting->wake = count_wake;
    for (i = 0; i < 2; i++) {
        wshub_bus seat;
        EXPECT_INT(wshub_bus_local_seat(local, &seat), WSHUB_OK);
        EXPECT_INT(
            wshub_io_sock_create(&(wshub_io_sock_desc){.poller = i ? BEST : counting}, &p->net[i]),
            WSHUB_OK);
        EXPECT_INT(
            wshub_create(&(wshub_desc){.io = wshub_io_sock_io(p->net[i]), .bus = &seat, .user = p},
                         &p->hub[i]),
            WSHUB_OK);
    }
    for (i = 0; i < 4; i++) (void)wshub_io_sock_run_once(p->net[i % 2], 0); /* subscribed */
}
static void pair_stop(pair *p) {
    int i;
    for (i = 0; i < 2; i++) {
        wshub_destroy(p->hub[i]);
        wshub_io_sock_destroy(p->net[i]);
    }
}
static void say_to_pair(pair *p) {
    wshub_msg m = msg("m", "1");
    EXPECT_INT(wshub_room_send(p->hub[1], wshub_str_z("r"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_run_once(p->net[1], 0), WSHUB_OK);
}
static void say_ten(wshub *hub, void *arg) {
    int i;
    (void)hub;
    for (i = 0; i < 10; i++) say_to_pair((pair *)arg);
}

TEST(a_hub_that_is_busy_is_not_woken_by_a_system_call) {
    wshub_io_sock_poller counting;
    wshub_bus_local *local;
    struct pollfd outer;
    pair p;

    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    pair_start(&p, &counting, local);

    /* In the midst of its turn: it looks by itself. */
    EXPECT_INT(wshub_post(p.hub[0], say_ten, &p), WSHUB_OK);
    polled_wakes = 0;
    EXPECT_INT(wshub_io_sock_run_once(p.net[0], 0), WSHUB_OK);
    EXPECT_INT(heard_by(p.hub[0]), 10);
    EXPECT_INT(polled_wakes, 0);

    /* Between two turns another loop may wait for its descriptor: once for all of them. */
    outer.fd = wshub_io_sock_fd(p.net[0]);
    outer.events = POLLIN;
    EXPECT_INT(poll(&outer, 1, 0), 0);
    say_ten(NULL, &p);
    EXPECT_INT(polled_wakes, 1);
    EXPECT_INT(poll(&outer, 1, 0), 1);
    EXPECT_INT(wshub_io_sock_run_once(p.net[0], 0), WSHUB_OK);
    EXPECT_INT(heard_by(p.hub[0]), 20);
    EXPECT_INT(poll(&outer, 1, 0), 0);

    pair_stop(&p);
    wshub_bus_local_destroy(local);
}

/* Asks for another turn in each turn, behind all that a turn looks at. */
static void wake_in_settle(wshub *hub, void *arg) {
    pair *p = (pair *)arg;
    if (--p->left > 0) EXPECT_INT(wshub_post(hub, wake_in_settle, p), WSHUB_OK);
    wshub_io_sock_io(p->net[0])->wake(wshub_io_sock_io(p->net[0])->ctx);
}

TEST(what_wakes_a_turn_from_inside_is_not_lost_on_another_loop) {
    wshub_io_sock_poller counting;
    wshub_bus_local *local;
    struct pollfd outer;
    pair p;
    int turns = 0;

    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    pair_start(&p, &counting, local);
    p.left = 100;
    outer.fd = wshub_io_sock_fd(p.net[0]);
    outer.events = POLLIN;
    EXPECT_INT(wshub_post(p.hub[0], wake_in_settle, &p), WSHUB_OK);
    polled_wakes = 0;
    for (; p.left > 0 && poll(&outer, 1, 5000) == 1; turns++)
        EXPECT_INT(wshub_io_sock_run_once(p.net[0], 0), WSHUB_OK);
    EXPECT_INT(p.left, 0);
    EXPECT_OP(polled_wakes, <=, turns); /* at most one for each sleep */
    pair_stop(&p);
    wshub_bus_local_destroy(local);
}

TEST(an_io_has_one_hub_at_a_time) {
    int i;
    for (i = 0; i < 2; i++) {
        wshub_io_sock *net = NULL;
        wshub_io_fake *fake = NULL;
        wshub *a, *b = NULL;
        const wshub_io *io;
        if (i)
            EXPECT_INT(wshub_io_fake_create(NULL, &fake), WSHUB_OK);
        else
            EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        io = i ? wshub_io_fake_io(fake) : wshub_io_sock_io(net);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = io}, &a), WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = io}, &b), WSHUB_ERR_STATE);
        EXPECT(b == NULL && io->taken(io->ctx));
        wshub_destroy(a);
        EXPECT(!io->taken(io->ctx));
        EXPECT_INT(wshub_create(&(wshub_desc){.io = io}, &b), WSHUB_OK); /* one after the other */
        wshub_destroy(b);
        wshub_io_sock_destroy(net);
        wshub_io_fake_destroy(fake);
    }
}

/* An io destroyed with its hub, from inside whichever callback there is, before or after the
 * hub. */
enum {
    IN_TIMER,
    IN_AUTH,
    IN_MESSAGE,
    IN_OPENED,
    IN_GONE,
    IN_LOG,
    IN_REQUEST,
    IN_POST,
    IN_SHUTDOWN,
    IN_GUEST,
    IN_LOOP_OF_ONES_OWN,
    INSIDE
};
static struct ending {
    wshub_io_sock *net;
    wshub *hub;
    int where, guest;
    bool io_first, done;
} end_it;
static void end_all(int where) {
    wshub_io_sock *net = end_it.net;
    wshub *hub = end_it.hub;
    if (end_it.where != where || end_it.done) return;
    end_it.done = true;
    if (end_it.io_first) wshub_io_sock_destroy(net);
    if (where == IN_GUEST) {
        wshub_io_owner owner = quiet_owner(&end_it.guest);
        EXPECT_INT(wshub_io_sock_io(net)->guest(net, &owner, false), WSHUB_OK);
    }
    wshub_destroy(hub);
    if (!end_it.io_first) wshub_io_sock_destroy(net);
}
static void end_timer(wshub *hub, void *arg) {
    (void)hub, end_all((int)(intptr_t)arg);
}
static void end_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
    end_all(IN_AUTH);
}
static wshub_err end_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub, (void)c, (void)e, (void)user;
    end_all(IN_MESSAGE);
    return WSHUB_OK;
}
static void end_opened(wshub *hub, wshub_client c, void *user) {
    (void)hub, (void)c, (void)user, end_all(IN_OPENED);
}
static void end_gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub, (void)g, (void)user, end_all(IN_GONE);
}
static void end_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub, (void)l, (void)user;
    if (end_it.hub) end_all(IN_LOG);
}
static bool end_request(wshub *hub, wshub_exchange r, const wshub_http *http, void *user) {
    return (void)hub, (void)r, (void)http, (void)user, end_all(IN_REQUEST), true;
}
static void end_down(wshub *hub, void *user) {
    (void)hub, (void)user, end_all(IN_SHUTDOWN);
}
static uint64_t end_settle(void *ctx) {
    (void)ctx;
    if (end_it.hub) end_all(IN_GUEST);
    return WSHUB_NEVER;
}

TEST(an_io_destroyed_in_a_callback_goes_when_nobody_is_inside) { /* kind 12; >>life */
    int where, first, run;
    for (where = 0; where < INSIDE; where++) {
        for (first = 0; first < 2; first++) {
            for (run = 0; run < 2; run++) {
                static const char get[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
                                  auth[] = "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}",
                                  event[] = "\x81\x8d\0\0\0\0{\"event\":\"e\"}",
                                  bad[] = "\x83\x80\0\0\0\0";
                uint16_t port;
                int fd, i;
                wshub_io_owner guest = quiet_owner(&end_it.guest);
                memset(&end_it, 0, sizeof end_it);
                end_it.where = where;
                end_it.io_first = first;
                guest.settle = end_settle;
                EXPECT_INT(wshub_io_auto_create(NULL, &end_it.net), WSHUB_OK);
                EXPECT_INT(wshub_io_sock_listen(end_it.net, "127.0.0.1", 0, &port), WSHUB_OK);
                EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(end_it.net),
                                                      .on_authenticate = end_auth,
                                                      .on_message = end_message,
                                                      .on_opened = end_opened,
                                                      .on_disconnected = end_gone,
                                                      .on_log = end_log,
                                                      .on_request = end_request,
                                                      .on_shutdown = end_down,
                                                      .shutdown_timeout_ms = 50},
                                        &end_it.hub),
                           WSHUB_OK);
                if (where == IN_GUEST)
                    EXPECT_INT(wshub_io_sock_io(end_it.net)->guest(end_it.net, &guest, true),
                               WSHUB_OK);
                fd = dial_port(port);
                if (where == IN_REQUEST) {
                    EXPECT_OP(send(fd, get, sizeof get - 1, MSG_NOSIGNAL), >, 0);
                } else {
                    EXPECT(send(fd, up, sizeof up - 1, MSG_NOSIGNAL) > 0 &&
                           send(fd, auth, sizeof auth - 1, MSG_NOSIGNAL) > 0);
                    EXPECT_OP(send(fd, event, sizeof event - 1, MSG_NOSIGNAL), >, 0);
                    if (where == IN_GONE || where == IN_LOG)
                        EXPECT_OP(send(fd, bad, sizeof bad - 1, MSG_NOSIGNAL), >, 0);
                }
                if (where == IN_TIMER)
                    EXPECT_INT(wshub_timer_start(end_it.hub, 10, end_timer,
                                                 (void *)(intptr_t)IN_TIMER, NULL),
                               WSHUB_OK);
                if (where == IN_POST)
                    EXPECT_INT(wshub_post(end_it.hub, end_timer, (void *)(intptr_t)IN_POST),
                               WSHUB_OK);
                if (where == IN_SHUTDOWN) EXPECT_INT(wshub_shutdown(end_it.hub), WSHUB_OK);
                if (where == IN_LOOP_OF_ONES_OWN) { /* not inside anything of the io's */
                    end_all(where);
                } else if (run) {
                    EXPECT_INT(wshub_io_sock_run(end_it.net), WSHUB_OK);
                } else {
                    for (i = 0; i < 300 && !end_it.done; i++)
                        EXPECT_INT(wshub_io_sock_run_once(end_it.net, 5), WSHUB_OK);
                }
                EXPECT(end_it.done);
                if (!end_it.done) (void)printf("  callback %d was not called\n", where);
                (void)close(fd);
            }
        }
    }
}

static void count_up(wshub *hub, void *arg) {
    (void)hub, ++*(int *)arg;
}

/* wshub_io_sock_timeout() */
TEST(a_loop_of_ones_own_that_has_other_work_is_told_how_long_from_now) {
    static const int own_work[] = {1, 7, 20, 45};
    int i;
    for (i = 0; i < 4; i++) {
        wshub_io_sock *net;
        wshub *hub;
        int fired = 0, last = 1000, rounds = 0;
        uint64_t from;
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net)}, &hub), WSHUB_OK);
        (void)usleep(30000); /* a timer counts from when it was started, not from the last turn */
        from = wall_ms();
        EXPECT_INT(wshub_timer_start(hub, 90, count_up, &fired, NULL), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        while (!fired && rounds++ < 200) {
            struct pollfd p = {wshub_io_sock_fd(net), POLLIN, 0};
            int said = wshub_io_sock_timeout(net), own = own_work[i];
            EXPECT(said >= 0 && said <= last);
            last = said;
            if (poll(&p, 1, said < own ? said : own) > 0 || said < own)
                EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        }
        EXPECT_INT(fired, 1);
        EXPECT(wall_ms() - from >= 89 && wall_ms() - from < 60000);
        wshub_destroy(hub);
        wshub_io_sock_destroy(net);
    }
}

/* Waits as a loop of one's own does, and serves only when there is a reason to. Returns whether
 * there was one within a second. */
static bool own_loop_turn(wshub_io_sock *net) {
    struct pollfd p = {wshub_io_sock_fd(net), POLLIN, 0};
    int said = wshub_io_sock_timeout(net);
    bool ready = poll(&p, 1, said < 0 || said > 1000 ? 1000 : said) > 0;

    if (!ready && (said < 0 || said > 1000)) return false;
    EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
    return true;
}

/* wshub_io_sock_timeout(), LIVE-3: what was done behind a turn needs no turn of the program's. */
TEST(a_loop_of_ones_own_that_sends_and_starts_timers_behind_its_turn_is_not_late) {
    static const char upgrade[] =
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const uint8_t authenticate[] = {0x81, 0xA2, 0, 0, 0, 0};
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    wshub_msg m = msg("tick", "1");
    wshub_iter iter = {0, 0};
    wshub_client client = {0};
    uint64_t from;
    int fd, i, fired = 0;
    char got[2000];
    ssize_t n;

    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_timeout(net), -1); /* nobody is there to ask */
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                          .no_log = true,
                                          .on_authenticate = accept_all},
                            &hub),
               WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);

    /* A timer in an idle loop, whoever settled in between. */
    (void)wshub_io_sock_run_once(net, 0);
    from = wall_ms();
    EXPECT_INT(wshub_timer_start(hub, 60, count_up, &fired, NULL), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_timeout(net), 0); /* it has woken the io */
    (void)wshub_settle(hub);
    (void)wshub_io_sock_run_once(net, 0);
    EXPECT_OP(wshub_io_sock_timeout(net), <=, 60);
    while (!fired && own_loop_turn(net)) continue;
    EXPECT(fired == 1 && wall_ms() - from >= 59 && wall_ms() - from < 60000);
    EXPECT_INT(wshub_io_sock_timeout(net), -1);

    /* A client, to whom something is sent behind a turn. */
    fd = dial_port(port);
    EXPECT_INT(send(fd, upgrade, sizeof upgrade - 1, 0), (ssize_t)sizeof upgrade - 1);
    EXPECT_INT(send(fd, authenticate, sizeof authenticate, 0), (ssize_t)sizeof authenticate);
    EXPECT_INT(send(fd, "{\"event\":\"authenticate\",\"data\":{}}", 34, 0), 34);
    for (i = 0; i < 50 && wshub_client_state(hub, client) != WSHUB_CLIENT_AUTHENTICATED; i++) {
        (void)own_loop_turn(net);
        iter.phase = 0;
        (void)wshub_client_each(hub, &iter, &client);
    }
    EXPECT_INT(wshub_client_state(hub, client), WSHUB_CLIENT_AUTHENTICATED);
    while (recv(fd, got, sizeof got, MSG_DONTWAIT) > 0) continue;
    EXPECT_OP(wshub_io_sock_timeout(net), >, 0);

    EXPECT_INT(wshub_all_send(hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_timeout(net), 0);
    EXPECT(own_loop_turn(net));
    n = recv(fd, got, sizeof got, MSG_DONTWAIT);
    EXPECT(n == 27 && memcmp(got + 2, "{\"event\":\"tick\",\"data\":1}", 25) == 0);
    EXPECT_OP(wshub_io_sock_timeout(net), >, 0);

    EXPECT_INT(wshub_client_close(hub, client, 0, nul()), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_timeout(net), 0);

    (void)close(fd);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

/* wshub_io_owner.due: what the hub would settle for, and nothing is carried out by the question. */
TEST(a_hub_says_what_it_would_settle_for) {
    wshub_bus_local *local;
    wshub_bus seat;
    wshub_msg m = msg("tick", "1");
    wshub_client client;
    char id[37];
    world w;

    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &seat), WSHUB_OK);
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = &seat, .bus_exact = true), FAKE(0));
    EXPECT_INT(wshub__owner_due(w.hub), WSHUB_NEVER);
    wshub_io_fake_hold(w.net, true);

    /* What the bus alone is owed. */
    EXPECT_INT(wshub_room_send(w.hub, S("nobody"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub__owner_due(w.hub), 0);
    EXPECT_INT(wshub__owner_due(w.hub), 0);
    (void)wshub_settle(w.hub);
    EXPECT_INT(wshub__owner_due(w.hub), WSHUB_NEVER);

    /* A timer, on the clock of the io. */
    EXPECT_INT(wshub_timer_start(w.hub, 70, count_up, NULL, NULL), WSHUB_OK);
    EXPECT_INT(wshub__owner_due(w.hub), wshub_io_fake_now(w.net) + 70);
    wshub_io_fake_hold(w.net, false);

    /* A room's channel to subscribe to, and a line to tell; inside a callback the turn goes on. */
    (void)world_client(&w, NULL, id);
    client = world_handle(&w, id);
    wshub_io_fake_hold(w.net, true);
    (void)wshub_settle(w.hub);
    EXPECT_OP(wshub__owner_due(w.hub), >, wshub_io_fake_now(w.net) + 50);
    EXPECT_INT(wshub_client_join(w.hub, client, S("a")), WSHUB_OK);
    EXPECT_INT(wshub__owner_due(w.hub), wshub_io_fake_now(w.net) + 50);
    (void)wshub_settle(w.hub);
    w.hub->lines_count++;
    EXPECT_INT(wshub__owner_due(w.hub), 0);
    w.hub->lines_count--;
    w.hub->depth++;
    EXPECT_INT(wshub__owner_due(w.hub), 0);
    w.hub->depth--;
    EXPECT_INT(wshub_user_send(w.hub, S("nobody"), &m), WSHUB_OK);
    wshub_bus_local_set_down(local, true); /* it waits for the bus, which will tell */
    (void)wshub_settle(w.hub);
    EXPECT_INT(wshub_user_send(w.hub, S("nobody"), &m), WSHUB_OK);
    EXPECT_OP(wshub__owner_due(w.hub), >, 0);

    wshub_io_fake_hold(w.net, false);
    world_stop(&w);
    wshub_bus_local_destroy(local);
}

/* What was said before a stop is heard before anybody is judged, however the stop falls: inside
 * the wait too, and with more streams than one wait tells of. */
enum { STREAMS_MANY = 700 };
static struct stopped {
    wshub_io_sock *net;
    int fds[STREAMS_MANY], count;
    size_t got;
    bool armed;
    uint64_t said_at, judged;
} stopped;
static void stopped_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    (void)ctx, (void)c, (void)bytes, stopped.got += n;
}
static uint64_t stopped_settle(void *ctx) {
    const wshub_io *io = wshub_io_sock_io(stopped.net);
    uint64_t heard = io->heard_ms(io->ctx);
    (void)ctx;
    EXPECT(heard <= io->now_ms(io->ctx));
    if (!stopped.armed || heard < stopped.said_at) return stopped.armed ? 0 : WSHUB_NEVER;
    EXPECT_INT(stopped.got, stopped.count);
    stopped.judged++;
    stopped.armed = false;
    return WSHUB_NEVER;
}
static void stopped_say(int sig) {
    int i, was = errno;
    if (sig && !stopped.armed) {
        for (i = 0; i < stopped.count; i++) (void)!send(stopped.fds[i], "x", 1, MSG_NOSIGNAL);
        stopped.said_at = wall_ms() + 5;
        stopped.armed = true;
        (void)usleep(20000);
    }
    errno = was;
}

TEST(a_stopped_process_hears_before_it_judges) { /* LIVE-3 */
    const wshub_io_sock_poller *pollers[3];
    static const int counts[] = {1, 60, STREAMS_MANY};
    struct rlimit old, more;
    int i, k, n;
    pollers[0] = BEST;
    pollers[1] = wshub_io_poll_poller();
    pollers[2] = wshub_io_kqueue_poller();
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    more = old;
    more.rlim_cur = more.rlim_max < 2000 ? more.rlim_max : 2000;
    (void)setrlimit(RLIMIT_NOFILE, &more);
    for (i = 0; i < 9; i++) {
        wshub_io_owner owner = quiet_owner(NULL);
        const wshub_io *io;
        struct sigaction act, was;
        struct itimerval in = {{0, 0}, {0, 10000}};
        uint16_t port;
        memset(&stopped, 0, sizeof stopped);
        if (counts[i / 3] > 400 && more.rlim_cur < 2000) continue;
        EXPECT_INT(
            wshub_io_sock_create(&(wshub_io_sock_desc){.poller = pollers[i % 3]}, &stopped.net),
            WSHUB_OK);
        io = wshub_io_sock_io(stopped.net);
        owner.received = stopped_received;
        owner.settle = stopped_settle;
        io->attach(io->ctx, &owner);
        EXPECT_INT(wshub_io_sock_listen(stopped.net, "127.0.0.1", 0, &port), WSHUB_OK);
        for (n = counts[i / 3]; stopped.count < n; stopped.count++) {
            stopped.fds[stopped.count] = dial_port(port);
            if (stopped.count % 50 == 0) (void)wshub_io_sock_run_once(stopped.net, 0);
        }
        for (k = 0; k < 50 && stopped.net->live < (uint32_t)n; k++)
            (void)wshub_io_sock_run_once(stopped.net, 1);
        EXPECT_INT(stopped.net->live, n);
        memset(&act, 0, sizeof act);
        act.sa_handler = stopped_say;
        EXPECT_INT(sigaction(SIGALRM, &act, &was), 0);
        EXPECT_INT(setitimer(ITIMER_REAL, &in, NULL), 0); /* it falls into the wait */
        for (k = 0; k < 50 && !stopped.judged; k++) (void)wshub_io_sock_run_once(stopped.net, 100);
        EXPECT_INT(stopped.judged, 1);
        (void)sigaction(SIGALRM, &was, NULL);
        io->attach(io->ctx, NULL);
        for (k = 0; k < n; k++) (void)close(stopped.fds[k]);
        wshub_io_sock_destroy(stopped.net);
    }
    (void)setrlimit(RLIMIT_NOFILE, &old);
}

/* Behind our end the peer is awaited without a clock while the owner is there, and so long when
 * it has left. */
TEST(only_what_an_owner_leaves_behind_has_a_clock_of_the_ios) {
    int kind;
    for (kind = 0; kind < 4; kind++) { /* the hub's place or a guest's; a linger of 80 ms or none */
        bool as_guest = kind & 1, off = kind & 2;
        wshub_io_sock *net;
        const wshub_io *io;
        int ctx = 0, listener, fd = -1, i;
        char address[64], byte;
        uint16_t port;
        wshub_io_owner owner = quiet_owner(&ctx);
        wshub_conn c;
        uint64_t from;
        EXPECT_INT(
            wshub_io_auto_create(&(wshub_io_sock_desc){.linger_ms = off ? WSHUB_OFF : 80}, &net),
            WSHUB_OK);
        io = wshub_io_sock_io(net);
        EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
        listener = listen_apart(NULL, address);
        if (as_guest) {
            EXPECT_INT(io->guest(io->ctx, &owner, true), WSHUB_OK);
            EXPECT_INT(io->connect(io->ctx, &ctx, &(wshub_dial){.address = address}, &c), WSHUB_OK);
            for (i = 0; i < 100 && fd < 0; i++) {
                (void)wshub_io_sock_run_once(net, 5);
                fd = accept(listener, NULL, NULL);
            }
            (void)wshub_io_sock_run_once(net, 5);
        } else {
            io->attach(io->ctx, &owner);
            fd = dial_port(port);
            for (i = 0; i < 100 && !net->live; i++) (void)wshub_io_sock_run_once(net, 5);
            c.id = (uint64_t)net->conns[0].generation << 32;
        }
        EXPECT_OP(fd, >=, 0);
        io->close(io->ctx, c, true);
        from = wall_ms();
        while (wall_ms() < from + 120) (void)wshub_io_sock_run_once(net, 20);
        EXPECT_INT(net->live, 1); /* its owner has the clock */
        EXPECT_INT(recv(fd, &byte, 1, 0), 0);
        EXPECT_INT(send(fd, "still", 5, MSG_NOSIGNAL), 5);
        (void)wshub_io_sock_run_once(net, 20);
        EXPECT_INT(net->live, 1);
        from = wall_ms();
        if (as_guest)
            EXPECT_INT(io->guest(io->ctx, &owner, false), WSHUB_OK);
        else
            io->attach(io->ctx, NULL);
        (void)wshub_io_sock_run_once(net, 0);
        if (off) EXPECT_INT(net->live, 0);
        EXPECT(off || wshub_io_sock_timeout(net) <= 80);
        while (net->live && wall_ms() < from + 60000)
            EXPECT_INT(wshub_io_sock_run_once(net, -1), WSHUB_OK);
        if (!off) EXPECT(wall_ms() - from >= 70 && wall_ms() - from < 60000);
        EXPECT_INT(wshub_io_sock_timeout(net), -1);
        wshub_io_sock_destroy(net);
        (void)close(fd);
        (void)close(listener);
    }
}

TEST(the_spare_descriptor_is_had_again_when_another_took_it) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    struct rlimit old, low;
    int fds[6], i, top, holes[64], holes_count = 0;
    uint64_t from;
    wshub_io_sock_stats st;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(
                   &(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = accept_all}, &hub),
               WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    (void)wshub_io_sock_run_once(net, 0);
    for (i = 0; i < 6; i++) fds[i] = dial_port(port);
    top = dup(0);
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    (void)close(net->reserve); /* as if a thread had been faster */
    net->reserve = -1;
    low = old;
    low.rlim_cur = (rlim_t)top + 1;
    for (i = 0; i < top && holes_count < 64; i++) { /* all numbers below are in use */
        if (fcntl(i, F_GETFD) < 0) holes[holes_count++] = dup2(0, i);
    }
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    from = wall_ms();
    for (i = 0; i < 30; i++) (void)wshub_io_sock_run_once(net, 5);
    wshub_io_sock_stats_get(net, &st);
    EXPECT_INT(st.shed, 0); /* there is nothing to shed with */
    EXPECT(st.accept_pauses >= 1 && net->reserve < 0);
    EXPECT_OP(st.accept_pauses, <=, 4 + (wall_ms() - from) / 50);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    while (holes_count) (void)close(holes[--holes_count]);
    for (i = 0; i < 400 && net->live < 6; i++) (void)wshub_io_sock_run_once(net, 10);
    EXPECT_INT(net->live, 6);
    EXPECT_OP(net->reserve, >=, 0);
    for (i = 0; i < 6; i++) (void)close(fds[i]);
    (void)close(top);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}
