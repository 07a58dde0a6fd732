/* Dialling a name that has several addresses: silent ones, refusing ones and good ones in every
 * order. One good address suffices, wherever it stands, and a silent one does not hold up the
 * others (RFC 8305). */
#define _GNU_SOURCE
#include <sys/types.h>
#include <sys/socket.h>
#include <netdb.h>
static int named_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                             struct addrinfo **out);
#define getaddrinfo named_getaddrinfo
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "../backends/wshub_io_sock.h" /* compiled here, where it calls that one */
#include "wshub_io_auto.h"
#include "test.h"
#undef getaddrinfo
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

/* S: 127.0.0.2, which swallows who dials; R: 127.0.0.3, where nobody is; G: 127.0.0.1 */
static const char *order;

static int named_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                             struct addrinfo **out) {
    const char *p;
    if (strcmp(host, "name.test") != 0) return getaddrinfo(host, port, hints, out);
    if (hints->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
    for (p = order; *p; p++) {
        int e = getaddrinfo(*p == 'S'   ? "127.0.0.2"
                            : *p == 'R' ? "127.0.0.3"
                                        : "127.0.0.1",
                            port, hints, out);
        if (e) return e;
        out = &(*out)->ai_next;
    }
    return 0;
}

typedef struct guest {
    int opened, closed;
} guest;
static void guest_opened(void *ctx, wshub_conn c) {
    (void)c;
    ((guest *)ctx)->opened++;
}
static void guest_closed(void *ctx, wshub_conn c) {
    (void)c;
    ((guest *)ctx)->closed++;
}
static void guest_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t count) {
    (void)ctx;
    (void)c;
    (void)bytes;
    (void)count;
}
static void guest_drained(void *ctx, wshub_conn c) {
    (void)ctx;
    (void)c;
}
static void guest_sent(void *ctx, wshub_conn c, size_t count) {
    (void)ctx;
    (void)c;
    (void)count;
}
static uint64_t guest_settle(void *ctx) {
    (void)ctx;
    return WSHUB_NEVER; /* nothing else wakes it */
}

static int listen_at(const char *host, uint16_t *port, int backlog) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    socklen_t n = sizeof a.in;
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(*port);
    (void)inet_pton(AF_INET, host, &a.in.sin_addr);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, &a.any, sizeof a.in) || listen(fd, backlog) || getsockname(fd, &a.any, &n)) {
        (void)close(fd);
        return -1;
    }
    *port = ntohs(a.in.sin_port);
    return fd;
}

TEST(one_good_address_suffices_wherever_it_stands) {
    int good, silent, fillers[8], i, k, n;
    uint16_t port = 0;
    char where[32], text[4];
    good = listen_at("127.0.0.1", &port, 64);
    silent = listen_at("127.0.0.2", &port, 0);
    if (silent < 0) SKIP("127.0.0.2 cannot be had");
    for (i = 0; i < 8; i++) { /* its queue is full */
        union {
            struct sockaddr any;
            struct sockaddr_in in;
        } a;
        memset(&a, 0, sizeof a);
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons(port);
        (void)inet_pton(AF_INET, "127.0.0.2", &a.in.sin_addr);
        fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        (void)fcntl(fillers[i], F_SETFL, O_NONBLOCK);
        (void)connect(fillers[i], &a.any, sizeof a.in);
    }
    (void)usleep(100000);
    (void)snprintf(where, sizeof where, "name.test:%u", port);
    for (n = 1; n <= 3; n++) {
        int most = n == 1 ? 3 : n == 2 ? 9 : 27;
        for (k = 0; k < most; k++) {
            wshub_io_sock *net;
            wshub_io_owner me;
            wshub_conn c;
            guest g = {0, 0};
            int v = k, silent_before = 0, turns;
            for (i = 0; i < n; i++, v /= 3) text[i] = "GRS"[v % 3];
            text[n] = 0;
            /* for ever: the owner's patience ends it */
            if (!strchr(text, 'G') && strchr(text, 'S')) continue;
            for (i = 0; text[i] && text[i] != 'G'; i++) silent_before += text[i] == 'S';
            order = text;
            EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
            memset(&me, 0, sizeof me);
            me.ctx = &g;
            me.opened = guest_opened;
            me.closed = guest_closed;
            me.received = guest_received;
            me.drained = guest_drained;
            me.sent = guest_sent;
            me.settle = guest_settle;
            EXPECT_INT(wshub_io_sock_io(net)->guest(wshub_io_sock_io(net)->ctx, &me, true),
                       WSHUB_OK);
            EXPECT_INT(wshub_io_sock_io(net)->connect(wshub_io_sock_io(net)->ctx, &g,
                                                      &(wshub_dial){.address = where}, &c),
                       WSHUB_OK);
            for (turns = 0; turns < 60 && !g.opened && !g.closed; turns++)
                EXPECT_INT(wshub_io_sock_run_once(net, 3000), WSHUB_OK);
            if (g.opened != (strchr(text, 'G') != NULL))
                (void)printf("  %s: %d opened, %d closed\n", text, g.opened, g.closed);
            EXPECT_INT(g.opened, strchr(text, 'G') != NULL);
            EXPECT_INT(g.closed, strchr(text, 'G') == NULL);
            EXPECT_OP(turns, <=, 12 + 4 * silent_before); /* it sleeps in between */
            EXPECT_INT(wshub_io_sock_io(net)->guest(wshub_io_sock_io(net)->ctx, &me, false),
                       WSHUB_OK);
            wshub_io_sock_destroy(net);
        }
    }
    for (i = 0; i < 8; i++) (void)close(fillers[i]);
    (void)close(good);
    (void)close(silent);
}
