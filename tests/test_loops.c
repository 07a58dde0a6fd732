/* Many loops of one process: streams that go from one io of sockets to another with a request
 * (CONN-6), between turns of one thread and between threads. In memory: tests/test_hand_over.c. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_io_poll.h"
#include "sock_peer.h"
#include <pthread.h>

#define LOOPS 4

/* A loop, and where requests for /0, /1 ... are answered. */
typedef struct loop {
    wshub_io_sock *net;
    wshub *hub;
    unsigned number;
    struct loop *others; /* LOOPS of them */
    wshub_io io;         /* a copy, for the others */
    uint64_t handed, refused;
    char about[200]; /* what was known of the last stream that is answered here */
    pthread_t thread;
} loop;

static wshub_take loop_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                            void *user) {
    loop *here = (loop *)user;
    wshub_about about;
    unsigned number = http->path.len > 1 ? (unsigned)(http->path.ptr[1] - '0') : 0;
    (void)exchange;
    if (number != here->number) return WSHUB_TAKE_LEAVING;
    EXPECT_INT(wshub_conn_about(hub, http->conn, &about), WSHUB_OK);
    (void)snprintf(here->about, sizeof here->about, "%.*s|%.*s|%d", (int)about.listener.len,
                   about.listener.len ? about.listener.ptr : "", (int)about.peer.len,
                   about.peer.ptr, about.hop.len > 0);
    return WSHUB_TAKE_BODY;
}
static void loop_leaving(wshub *hub, wshub_exchange exchange, void *owner) {
    loop *here = (loop *)owner;
    const wshub_http *http = wshub_exchange_http(hub, exchange);
    unsigned number = (unsigned)(http->path.ptr[1] - '0');
    wshub_err err = wshub_conn_hand_over(hub, exchange, &here->others[number % LOOPS].io);
    if (!err) {
        here->handed++;
        return;
    }
    EXPECT_INT(err, WSHUB_ERR_STALE);
    here->refused++;
    EXPECT_INT(wshub_http_reply_text(hub, exchange, 400, wshub_str_z("nobody")), WSHUB_OK);
}
static void loop_body(wshub *hub, wshub_exchange exchange, uint8_t *bytes, size_t count,
                      void *owner) {
    const loop *here = (const loop *)owner;
    char text[100];
    int n = snprintf(text, sizeof text, "loop %u says %.*s;", here->number,
                     (int)(count < 60 ? count : 60), count ? (const char *)bytes : "");
    EXPECT_INT(wshub_http_reply_text(hub, exchange, 200, wshub__str(text, (size_t)n)), WSHUB_OK);
}

static void loop_start(loop *loops, unsigned number, const wshub_io_sock_poller *poller) {
    loop *l = &loops[number];
    wshub_io_sock_desc nd = {.poller = poller, .reuse_port = true};
    wshub_mount_desc m;
    memset(l, 0, sizeof *l);
    l->number = number;
    l->others = loops;
    EXPECT_INT(wshub_io_auto_create(&nd, &l->net), WSHUB_OK);
    l->io = *wshub_io_sock_io(l->net);
    EXPECT_INT(wshub_create(&DESC(.io = wshub_io_sock_io(l->net), .no_dialect = true), &l->hub),
               WSHUB_OK);
    memset(&m, 0, sizeof m);
    m.version = WSHUB_MOUNT_VERSION;
    m.path = "/";
    m.prefix = true;
    m.user = l;
    m.on_head = loop_head;
    m.on_body = loop_body;
    m.on_leaving = loop_leaving;
    EXPECT_INT(wshub_mount(l->hub, &m), WSHUB_OK);
}
static void loop_stop(loop *l) {
    if (l->hub) wshub_destroy(l->hub);
    wshub_io_sock_destroy(l->net);
}

/* Runs both in turn until `want` has come; what came before is thrown away with it. */
static bool reads(loop *loops, int fd, const char *want) {
    char buf[4096];
    size_t n = 0;
    int i;
    for (i = 0; i < 300; i++) {
        ssize_t k;
        if (loops) (void)wshub_io_sock_run_once(loops[0].net, 1);
        if (loops && loops[1].hub) (void)wshub_io_sock_run_once(loops[1].net, 1);
        k = recv(fd, buf + n, sizeof buf - n, loops ? MSG_DONTWAIT : 0);
        if (k > 0) n += (size_t)k;
        if (memmem(buf, n, want, strlen(want))) return true;
        if (k == 0) return false;
    }
    return false;
}
static void says(int fd, const char *text) {
    EXPECT_INT(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static const wshub_io_sock_poller *pollers[2];
static void pollers_fill(void) {
    pollers[0] = NULL; /* the system's best */
    pollers[1] = wshub_io_poll_poller();
}

TEST(a_socket_goes_to_another_io_with_all_that_is_known_of_it) { /* CONN-6, PROXY-4 */
    static const char *const proxies[] = {"127.0.0.1"};
    size_t i;
    pollers_fill();
    for (i = 0; i < 2; i++) {
        loop loops[LOOPS];
        wshub_io_sock_place front = {.name = "front", .host = "127.0.0.1"};
        wshub_io_sock_place behind = {.name = "behind",
                                      .host = "127.0.0.1",
                                      .proxy_protocol = true,
                                      .proxies = proxies,
                                      .proxies_count = 1};
        uint16_t port, proxied;
        int fd;
        loop_start(loops, 0, pollers[i]);
        loop_start(loops, 1, pollers[i]);
        EXPECT_INT(wshub_io_sock_listen_place(loops[0].net, &front, &port), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_listen_place(loops[0].net, &behind, &proxied), WSHUB_OK);

        /* There and back, the next request behind it in the same piece. */
        fd = dial_port(port);
        says(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: "
                 "5\r\n\r\nhe");
        EXPECT(reads(loops, fd, "loop 1 says ;"));
        EXPECT(strncmp(loops[1].about, "front|127.0.0.1:", 16) == 0);
        says(fd, "llo");
        EXPECT(reads(loops, fd, "loop 1 says hello;"));
        says(fd, "GET /0 HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT(reads(loops, fd, "loop 0 says ;"));
        EXPECT(strncmp(loops[0].about, "front|127.0.0.1:", 16) == 0);
        EXPECT_INT(loops[0].handed, 1);
        EXPECT_INT(loops[1].handed, 1);

        /* Its end reaches whoever has it. */
        says(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT_INT(shutdown(fd, SHUT_WR), 0);
        EXPECT(reads(loops, fd, "loop 1 says ;"));
        EXPECT(!reads(loops, fd, "more"));
        (void)close(fd);

        fd = dial_port(proxied);
        says(fd, "PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT(reads(loops, fd, "loop 1 says ;"));
        EXPECT_STR(loops[1].about, "behind|192.0.2.1:61090|1");
        (void)close(fd);
        loop_stop(&loops[0]);
        loop_stop(&loops[1]);
    }
}

TEST(a_socket_stays_where_nobody_takes_it_and_is_closed_with_who_would) { /* CONN-6 */
    loop loops[LOOPS];
    uint16_t port;
    int fd, i;
    loop_start(loops, 0, NULL);
    loop_start(loops, 1, NULL);
    EXPECT_INT(wshub_io_sock_listen(loops[0].net, "127.0.0.1", 0, &port), WSHUB_OK);

    /* It has been handed over, and its hub ends before it hears of that. */
    fd = dial_port(port);
    says(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    for (i = 0; i < 100 && !loops[0].handed; i++) (void)wshub_io_sock_run_once(loops[0].net, 10);
    EXPECT_INT(loops[0].handed, 1);
    wshub_destroy(loops[1].hub);
    loops[1].hub = NULL;
    EXPECT(!reads(loops, fd, "loop"));
    (void)close(fd);

    /* The hub is gone, its io is not: answered here, and read on here. */
    fd = dial_port(port);
    says(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /0 HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT(reads(loops, fd, "loop 0 says ;"));
    EXPECT_INT(loops[0].refused, 1);
    (void)close(fd);
    loop_stop(&loops[0]);
    loop_stop(&loops[1]);
}

TEST(a_socket_for_which_there_is_no_room_is_closed) { /* CONN-6 */
    loop loops[LOOPS];
    wshub_io_sock_stats stats;
    uint16_t port;
    int fd;
    loop_start(loops, 0, NULL);
    loop_start(loops, 1, NULL);
    loops[1].net->desc.conns_max = 0;
    EXPECT_INT(wshub_io_sock_listen(loops[0].net, "127.0.0.1", 0, &port), WSHUB_OK);
    fd = dial_port(port);
    says(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT(!reads(loops, fd, "loop"));
    wshub_io_sock_stats_get(loops[1].net, &stats);
    EXPECT_INT(stats.shed, 1);
    (void)close(fd);
    loop_stop(&loops[0]);
    loop_stop(&loops[1]);
}

/* ---- a thread a loop ---- */

static void *serve_loop(void *arg) {
    EXPECT_INT(wshub_io_sock_run(((loop *)arg)->net), WSHUB_OK);
    return NULL;
}
typedef struct asker {
    pthread_t thread;
    uint16_t port;
    unsigned seed, right;
} asker;
/* Asks all loops in a random order, over streams that are wherever they were handed to. */
static void *ask_loops(void *arg) {
    asker *a = (asker *)arg;
    int round, i;
    for (round = 0; round < 10; round++) {
        int fd = dial_port(a->port);
        for (i = 0; i < 20; i++) {
            char text[200], want[60];
            unsigned number;
            a->seed = a->seed * 1103515245u + 12345u;
            number = a->seed >> 16 & (LOOPS - 1);
            (void)snprintf(text, sizeof text,
                           "POST /%u HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n%04d", number,
                           i);
            (void)snprintf(want, sizeof want, "loop %u says %04d;", number, i);
            if (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0 && reads(NULL, fd, want)) a->right++;
        }
        (void)close(fd);
    }
    return NULL;
}

TEST(streams_go_from_thread_to_thread) { /* CONN-6 */
    loop loops[LOOPS];
    asker askers[8];
    uint64_t handed = 0;
    uint16_t port = 0;
    unsigned i;
    for (i = 0; i < LOOPS; i++) {
        loop_start(loops, i, NULL);
        EXPECT_INT(wshub_io_sock_listen(loops[i].net, "127.0.0.1", port, &port), WSHUB_OK);
    }
    for (i = 0; i < LOOPS; i++)
        EXPECT_INT(pthread_create(&loops[i].thread, NULL, serve_loop, &loops[i]), 0);
    for (i = 0; i < 8; i++) {
        askers[i].port = port;
        askers[i].seed = i + 1;
        askers[i].right = 0;
        EXPECT_INT(pthread_create(&askers[i].thread, NULL, ask_loops, &askers[i]), 0);
    }
    for (i = 0; i < 8; i++) {
        (void)pthread_join(askers[i].thread, NULL);
        EXPECT_INT(askers[i].right, 200);
    }
    for (i = 0; i < LOOPS; i++) {
        wshub_io_sock_stop(loops[i].net);
        (void)pthread_join(loops[i].thread, NULL);
        handed += loops[i].handed;
        EXPECT_INT(loops[i].refused, 0);
    }
    EXPECT_OP(handed, >, 800); /* three of four requests are elsewhere, on average */
    for (i = 0; i < LOOPS; i++) loop_stop(&loops[i]);
}
