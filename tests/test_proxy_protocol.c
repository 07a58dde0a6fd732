/* The PROXY protocol: what is a head and whom it names, in whatever pieces it comes; which
 * listeners take one, from whom, and for how long (PROXY-5 to PROXY-7). */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "sock_peer.h"
#include <errno.h>

/* ---- heads ---- */

#define SIGN "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xC0\x00\x02\x01\x0A\x00\x00\x09\xEE\xA2\x00\x50" /* 192.0.2.1:61090 to 10.0.0.9:80 */
#define FFFF "\0\0\0\0\0\0\0\0\0\0\xFF\xFF"
#define V6A "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define U108                                                                                       \
    "/run/"                                                                                        \
    "a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"  \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0\0\0"                                                                                   \
    "\0\0\0\0\0\0"
#define BYTES(text) text, sizeof(text) - 1
#define V2(fixed, block) BYTES(SIGN fixed block)

enum {
    PART = WSHUB_IO_SOCK__WORD_PART,
    NAMED = WSHUB_IO_SOCK__WORD_NAMED,
    ITSELF = WSHUB_IO_SOCK__WORD_ITSELF,
    MISSING = WSHUB_IO_SOCK__WORD_MISSING,
    BAD = WSHUB_IO_SOCK__WORD_BAD
};

typedef struct head_case {
    const char *bytes;
    size_t count;
    int word;
    const char *peer; /* NAMED: whom */
} head_case;

#define FULL_V6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
/* clang-format off */
static const head_case heads[] = {
    /* version 1 */
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\n"), NAMED, "192.0.2.1:61090"},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), NAMED, "255.255.255.255:65535"},
    {BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), NAMED, "0.0.0.0"},
    {BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 61090 443\r\n"), NAMED, "[2001:db8::1]:61090"},
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), NAMED, "192.0.2.1:1"},
    {BYTES("PROXY TCP6 " FULL_V6 " " FULL_V6 " 65535 65535\r\n"), NAMED, "[" FULL_V6 "]:65535"}, /* 104 bytes */
    {BYTES("PROXY UNKNOWN\r\n"), ITSELF, NULL},
    {BYTES("PROXY UNKNOWN " FULL_V6 " " FULL_V6 " 65535 65535\r\n"), ITSELF, NULL}, /* 107 bytes */
    {BYTES("PROXY UNKNOWN  \r rubbish\r\n"), ITSELF, NULL},
    {BYTES("PROXY UNKNOWN " FULL_V6 " " FULL_V6 " 65535 655350\r\n"), BAD, NULL}, /* 108 */
    {BYTES("PROXY UNKNOWN " FULL_V6 " " FULL_V6 " 65535 65535xxxxxxxxx"), BAD, NULL},
    {BYTES("PROXY UNKNOWNX\r\n"), BAD, NULL},
    {BYTES("PROXY UNKNOWN\n"), BAD, NULL}, /* a LF alone */
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\r\n"), BAD, NULL},
    {BYTES("PROXY \n.........."), BAD, NULL},
    {BYTES("PROXY \r\n........"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 080\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 061090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 65536\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 100000\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 -1\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 8/\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 8:\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 \r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 \r\n"), BAD, NULL},
    {BYTES("PROXY TCP4\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 80 \r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 80 x\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4  192.0.2.1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4\t192.0.2.1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.01 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.256 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.256 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 192.0.2.1:1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 unix unix 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP4 ::ffff:192.0.2.1 ::ffff:10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP6 192.0.2.1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP6 192.0.2.1:0 10.0.0.9:0 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP6 2001:db8::1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP6 [2001:db8::1] ::1 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP6 [2001:db8::1]:1 ::1 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP6 fe80::1%eth0 ::1 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP6 2001:db8:::1 ::1 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY TCP5 192.0.2.1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY tcp4 192.0.2.1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY UDP4 192.0.2.1 10.0.0.9 61090 80\r\n"), BAD, NULL},
    {BYTES("PROXY  TCP4 192.0.2.1 10.0.0.9 61090 80\r\n"), BAD, NULL},

    /* version 2 */
    {V2("\x21\x11\x00\x0C", V4), NAMED, "192.0.2.1:61090"},
    {V2("\x21\x11\x00\x13", V4 "\x04\x00\x04TLVs"), NAMED, "192.0.2.1:61090"},
    {V2("\x21\x21\x00\x24", V6A V6A "\x01\xBB\x00\x50"), NAMED, "[2001:db8::1]:443"},
    {V2("\x21\x21\x00\x24", FFFF "\xC0\x00\x02\x01" V6A "\x01\xBB\x00\x50"), NAMED, "192.0.2.1:443"},
    {V2("\x21\x31\x00\xD8", U108 U108), NAMED, "unix"},
    {V2("\x20\x00\x00\x00", ""), ITSELF, NULL}, /* LOCAL: a health check */
    {V2("\x20\x11\x00\x0C", V4), ITSELF, NULL}, /* whatever it says */
    {V2("\x20\xFF\x00\x03", "abc"), ITSELF, NULL},
    {V2("\x21\x00\x00\x00", ""), ITSELF, NULL}, /* UNSPEC */
    {V2("\x21\x00\x00\x05", "abcde"), ITSELF, NULL},
    {V2("\x21\x11\x00\x00", ""), BAD, NULL}, /* shorter than its family's addresses */
    {V2("\x21\x11\x00\x0B", "12345678901"), BAD, NULL},
    {V2("\x21\x21\x00\x23", V6A V6A "\x01\xBB\x00"), BAD, NULL},
    {V2("\x21\x21\x00\x0C", V4), BAD, NULL},
    {V2("\x21\x31\x00\xD7", ""), BAD, NULL},
    {V2("\x21\x12\x00\x0C", V4), BAD, NULL}, /* datagrams */
    {V2("\x21\x22\x00\x24", ""), BAD, NULL},
    {V2("\x21\x32\x00\xD8", ""), BAD, NULL},
    {V2("\x21\x01\x00\x0C", V4), BAD, NULL},
    {V2("\x21\x10\x00\x0C", V4), BAD, NULL},
    {V2("\x21\x41\x00\x0C", V4), BAD, NULL},
    {V2("\x21\x13\x00\x0C", V4), BAD, NULL},
    {V2("\x22\x11\x00\x0C", V4), BAD, NULL}, /* no such command */
    {V2("\x2F\x11\x00\x0C", V4), BAD, NULL},
    {V2("\x11\x11\x00\x0C", V4), BAD, NULL}, /* no such version */
    {V2("\x31\x11\x00\x0C", V4), BAD, NULL},
    {V2("\x01\x11\x00\x0C", V4), BAD, NULL},

    /* none */
    {BYTES("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), MISSING, NULL},
    {BYTES("proxy TCP4 192.0.2.1 10.0.0.9 61090 80\r\n"), MISSING, NULL},
    {BYTES("PROXYTCP4 192.0.2.1"), MISSING, NULL},
    {BYTES("PROXY\tTCP4 192.0.2.1"), MISSING, NULL},
    {BYTES("\r\nPROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\n"), MISSING, NULL},
    {BYTES("\r\n\r\n\0\r\nQUIT\r"), MISSING, NULL},
    {BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), MISSING, NULL},
    {BYTES("\x16\x03\x01\x02\x00\x01"), MISSING, NULL}, /* TLS */
    {BYTES(" "), MISSING, NULL},
    {BYTES("\0"), MISSING, NULL},

    /* not whole yet */
    {BYTES(""), PART, NULL},
    {BYTES("PROXY "), PART, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r"), PART, NULL},
    {BYTES("PROXY UNKNOWN " FULL_V6 " " FULL_V6 " 65535 65535\r"), PART, NULL},
    {BYTES("\r\n\r\n"), PART, NULL},
    {V2("\x21\x11\x00", ""), PART, NULL},
    {V2("\x21\x11\x00\x0C", "\xC0\x00\x02\x01"), PART, NULL},
    {V2("\x21\x11\xFF\xFF", V4), PART, NULL},
    {V2("\x20\x11\xFF\xFF", ""), PART, NULL},
};
/* clang-format on */

/* What is done with a socket: of what has come, `cut` bytes at a time, no more is taken than is the
 * head's for sure. rest: what lies behind the bytes of the head that are there. */
static int feed(const uint8_t *bytes, size_t count, size_t cut, uint8_t rest, size_t *out_taken,
                wshub_address *out_peer) {
    wshub_io_sock__head head;
    int word = PART;
    size_t taken = 0;
    memset(&head, rest, sizeof head);
    head.count = head.skipped = 0;
    while (word == PART) {
        bool line, past;
        size_t want = wshub_io_sock__head_next(&head, &line, &past), n = count - taken;
        const uint8_t *end;
        EXPECT_OP(want, >, 0);
        EXPECT(past || head.count + want <= sizeof head.bytes);
        if (n > cut) n = cut;
        if (n > want) n = want;
        if (!n) break;
        end = line ? (const uint8_t *)memchr(bytes + taken, '\n', n) : NULL;
        if (end) n = (size_t)(end - (bytes + taken)) + 1;
        if (past)
            head.skipped += (uint32_t)n;
        else
            memcpy(head.bytes + head.count, bytes + taken, n), head.count += (uint32_t)n;
        taken += n;
        word = wshub_io_sock__head_judge(&head, out_peer);
    }
    *out_taken = taken;
    return word;
}

static bool is_as_expected(const head_case *c, int word, const wshub_address *peer) {
    char text[WSHUB_ADDRESS_BYTES];
    (void)wshub_address_write(peer, text);
    return word == c->word && strcmp(text, c->peer ? c->peer : "") == 0;
}

TEST(heads_are_what_they_say_in_whatever_pieces) { /* PROXY-5, PROXY-6, PROXY-7 */
    static const char behind[] = "GET / HTTP/1.1\r\n";
    size_t i, cut, taken, whole;
    for (i = 0; i < sizeof heads / sizeof *heads; i++) {
        const head_case *c = &heads[i];
        uint8_t *bytes = (uint8_t *)malloc(c->count + sizeof behind);
        memcpy(bytes, c->bytes, c->count);
        memcpy(bytes + c->count, behind, sizeof behind);
        for (cut = 1; cut <= c->count + 1; cut++) {
            uint8_t rest;
            for (rest = 0; rest < 2; rest++) {
                wshub_address peer;
                int word;
                memset(&peer, 0, sizeof peer);
                word = feed(bytes, c->count, cut, rest ? '\n' : 0xFF, &taken, &peer);
                if (!is_as_expected(c, word, &peer)) {
                    test_fail(__FILE__, __LINE__);
                    (void)printf("case %u in pieces of %u: %d\n", (unsigned)i, (unsigned)cut, word);
                }
                if (word != NAMED && word != ITSELF) continue;
                EXPECT_INT(taken, c->count);

                /* And what follows it stays where it is. */
                whole = taken;
                word = feed(bytes, c->count + sizeof behind, cut, rest, &taken, &peer);
                EXPECT(is_as_expected(c, word, &peer));
                EXPECT_INT(taken, whole);
            }
        }
        free(bytes);
    }
}

/* Every part of a head that is right is a part; no byte more is asked for than there is. */
TEST(a_head_is_whole_with_its_last_byte) { /* PROXY-6 */
    size_t i, n, taken;
    for (i = 0; i < sizeof heads / sizeof *heads; i++) {
        wshub_address peer;
        if (heads[i].word != NAMED && heads[i].word != ITSELF) continue;
        memset(&peer, 0, sizeof peer);
        for (n = 0; n < heads[i].count; n++)
            EXPECT_INT(feed((const uint8_t *)heads[i].bytes, n, 5, 0, &taken, &peer), PART);
        EXPECT(!peer.kind);
    }
}

TEST(what_stands_behind_the_addresses_is_passed_over_exactly) { /* PROXY-6: unsigned lengths */
    static const uint32_t lengths[] = {12, 13, 215, 216, 217, 300, 32767, 32768, 65520, 65535};
    static uint8_t bytes[16 + 65535 + 10];
    size_t i, cut, taken;
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (cut = 1; cut < 100000; cut = cut * 7 + 1) {
            wshub_address peer;
            memset(bytes, '\n', sizeof bytes);
            memcpy(bytes, SIGN "\x21\x11", 14);
            bytes[14] = (uint8_t)(lengths[i] >> 8);
            bytes[15] = (uint8_t)lengths[i];
            memcpy(bytes + 16, V4, 12);
            EXPECT_INT(feed(bytes, sizeof bytes, cut, 0, &taken, &peer), NAMED);
            EXPECT_INT(taken, 16 + lengths[i]);
            EXPECT_INT(feed(bytes, 15 + lengths[i], cut, 0, &taken, &peer), PART);
        }
    }
}

/* ---- on sockets ---- */

static const wshub_io_sock_poller *(*const pollers[])(void) = {
#ifdef __linux__
    wshub_io_epoll_poller,
#endif
    wshub_io_kqueue_poller,
    wshub_io_poll_poller,
};
#define POLLERS (sizeof pollers / sizeof pollers[0])

typedef struct door {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    char said[1000]; /* `peer|hop;` of each request */
} door;

static bool note_about(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    door *d = (door *)user;
    wshub_about a;
    size_t n = strlen(d->said);
    EXPECT_INT(wshub_conn_about(hub, http->conn, &a), WSHUB_OK);
    EXPECT(wshub_str_eq_z(a.listener, "door"));
    EXPECT(strncmp(a.local.ptr, "127.0.0.1:", 10) == 0 || *a.local.ptr == '.');
    (void)snprintf(d->said + n, sizeof d->said - n, "%.*s|%.*s;", (int)a.peer.len,
                   a.peer.ptr ? a.peer.ptr : "", (int)a.hop.len, a.hop.ptr ? a.hop.ptr : "");
    return wshub_http_reply_text(hub, exchange, 200, wshub_str_z("")) == WSHUB_OK;
}
static void door_hub(door *d) {
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(d->net),
                                          .on_request = note_about,
                                          .no_log = true,
                                          .user = d},
                            &d->hub),
               WSHUB_OK);
}
static const char *const loopback[] = {"10.0.0.0/8", "127.0.0.0/8"};
static void door_open(door *d, const wshub_io_sock_poller *poller, uint32_t timeout_ms) {
    wshub_io_sock_place place;
    memset(d, 0, sizeof *d);
    EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = poller,
                                                          .proxy_timeout_ms = timeout_ms,
                                                          .read_bytes = 4096,
                                                          .no_log = true},
                                    &d->net),
               WSHUB_OK);
    door_hub(d);
    memset(&place, 0, sizeof place);
    place.name = "door";
    place.host = "127.0.0.1";
    place.proxy_protocol = true;
    place.proxies = loopback;
    place.proxies_count = 2;
    EXPECT_INT(wshub_io_sock_listen_place(d->net, &place, &d->port), WSHUB_OK);
}
static void door_close(door *d) {
    if (d->hub) wshub_destroy(d->hub);
    wshub_io_sock_destroy(d->net);
}
static wshub_io_sock_stats counts(door *d) {
    wshub_io_sock_stats s;
    wshub_io_sock_stats_get(d->net, &s);
    return s;
}
static void turns(door *d, int n) {
    while (n--) (void)wshub_io_sock_run_once(d->net, 2);
}
/* The stream has been ended from the other side, and nothing was said in it. */
static bool is_closed(door *d, int fd) {
    char c;
    ssize_t n = -1;
    int i;
    for (i = 0; i < 400; i++) {
        turns(d, 1);
        n = recv(fd, &c, 1, MSG_DONTWAIT);
        if (n >= 0 || errno != EAGAIN) break;
    }
    return n == 0 || (n < 0 && errno == ECONNRESET);
}
static bool is_heard(door *d, const char *want) {
    int i;
    for (i = 0; i < 400 && strlen(d->said) < strlen(want); i++) turns(d, 1);
    if (strcmp(d->said, want) == 0) return true;
    (void)printf("  heard %s, expected %s\n", d->said, want);
    return false;
}
static const char *own_address(int fd) {
    static char text[64];
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    EXPECT_INT(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
    return text;
}

/* With the request in the same packet, and behind it another one of the same stream. */
TEST(who_a_proxy_names_is_the_peer) { /* PROXY-5, PROXY-6 */
    size_t k, i;
    for (k = 0; k < POLLERS; k++) {
        door d;
        door_open(&d, pollers[k](), 0);
        for (i = 0; i < sizeof heads / sizeof *heads; i++) {
            char bytes[1000], want[200];
            size_t n = heads[i].count;
            int fd;
            if (heads[i].word != NAMED && heads[i].word != ITSELF) continue;
            d.said[0] = 0;
            fd = dial_port(d.port);
            memcpy(bytes, heads[i].bytes, n);
            memcpy(bytes + n, GET GET, sizeof GET GET);
            EXPECT_INT(send(fd, bytes, n + sizeof GET GET - 1, MSG_NOSIGNAL),
                       n + sizeof GET GET - 1);
            if (heads[i].word == NAMED)
                (void)snprintf(want, sizeof want, "%s|%s;%s|%s;", heads[i].peer, own_address(fd),
                               heads[i].peer, own_address(fd));
            else
                (void)snprintf(want, sizeof want, "%s|;%s|;", own_address(fd), own_address(fd));
            EXPECT(is_heard(&d, want));
            (void)close(fd);
        }
        EXPECT_OP(counts(&d).proxy_heads, >, 10);
        EXPECT_INT(counts(&d).proxy_bad + counts(&d).proxy_missing + counts(&d).proxy_late +
                       counts(&d).proxy_strangers,
                   0);
        door_close(&d);
    }
}

TEST(a_head_may_come_byte_by_byte) { /* PROXY-6 */
    static const char v1[] = "PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\n" GET,
                      v2[] = SIGN "\x21\x11\x01\x00" V4;
    size_t k, i;
    for (k = 0; k < POLLERS; k++) {
        char want[200], zeros[244 + sizeof GET] = {0};
        wshub_stats s;
        door d;
        int fd, other;
        door_open(&d, pollers[k](), 0);
        fd = dial_port(d.port);
        for (i = 0; i < sizeof v1 - 1; i++) {
            EXPECT_INT(send(fd, v1 + i, 1, MSG_NOSIGNAL), 1);
            turns(&d, 1);
            wshub_stats_get(d.hub, &s);
            EXPECT_INT(s.conns, i >= 39); /* of whom nobody knows before the head is whole */
        }
        (void)snprintf(want, sizeof want, "192.0.2.1:61090|%s;", own_address(fd));
        EXPECT(is_heard(&d, want));

        /* And 244 bytes behind the addresses. */
        d.said[0] = 0;
        other = dial_port(d.port);
        for (i = 0; i < sizeof v2 - 1; i++) {
            EXPECT_INT(send(other, v2 + i, 1, MSG_NOSIGNAL), 1);
            turns(&d, 1);
        }
        memcpy(zeros + 244, GET, sizeof GET - 1);
        EXPECT(send(other, zeros, 100, MSG_NOSIGNAL) == 100);
        turns(&d, 2);
        EXPECT(send(other, zeros + 100, 144 + sizeof GET - 1, MSG_NOSIGNAL) > 0);
        (void)snprintf(want, sizeof want, "192.0.2.1:61090|%s;", own_address(other));
        EXPECT(is_heard(&d, want));
        (void)close(fd);
        (void)close(other);
        door_close(&d);
    }
}

TEST(what_is_no_head_is_closed_and_counted) { /* PROXY-5, PROXY-7 */
    size_t k, i;
    for (k = 0; k < POLLERS; k++) {
        uint64_t bad = 0, missing = 0;
        wshub_stats s;
        door d;
        int fd;
        door_open(&d, pollers[k](), 0);
        for (i = 0; i < sizeof heads / sizeof *heads; i++) {
            if (heads[i].word != BAD && heads[i].word != MISSING) continue;
            fd = dial_port(d.port);
            EXPECT_INT(send(fd, heads[i].bytes, heads[i].count, MSG_NOSIGNAL), heads[i].count);
            EXPECT(is_closed(&d, fd));
            bad += heads[i].word == BAD;
            missing += heads[i].word == MISSING;
            if (counts(&d).proxy_bad != bad || counts(&d).proxy_missing != missing) {
                test_fail(__FILE__, __LINE__);
                (void)printf("case %u\n", (unsigned)i);
            }
            (void)close(fd);
        }

        /* Who says nothing before its end, or only a part. */
        fd = dial_port(d.port);
        EXPECT_INT(shutdown(fd, SHUT_WR), 0);
        EXPECT(is_closed(&d, fd));
        EXPECT_INT(counts(&d).proxy_missing, missing + 1);
        (void)close(fd);
        fd = dial_port(d.port);
        EXPECT_INT(send(fd, "PROXY TCP4 ", 11, MSG_NOSIGNAL), 11);
        turns(&d, 3);
        EXPECT_INT(shutdown(fd, SHUT_WR), 0);
        EXPECT(is_closed(&d, fd));
        EXPECT_INT(counts(&d).proxy_bad, bad + 1);
        (void)close(fd);
        EXPECT_INT(counts(&d).proxy_heads, 0);
        wshub_stats_get(d.hub, &s);
        EXPECT_INT(s.conns_opened, 0); /* the hub has heard of none of them */
        EXPECT_STR(d.said, "");
        door_close(&d);
    }
}

TEST(a_head_has_a_clock_of_its_own) { /* PROXY-6, PROXY-7 */
    size_t k;
    for (k = 0; k < POLLERS; k++) {
        uint64_t begin;
        door d;
        int silent, slow, fast;
        door_open(&d, pollers[k](), 700);
        silent = dial_port(d.port);
        slow = dial_port(d.port);
        fast = dial_port(d.port);
        EXPECT_INT(send(fast, "PROXY UNKNOWN\r\n", 15, MSG_NOSIGNAL), 15);
        begin = wall_ms();
        while (wall_ms() - begin < 60) turns(&d, 1);
        EXPECT_INT(send(slow, "PROXY UNKNOWN", 13, MSG_NOSIGNAL),
                   13); /* which gives no more time */
        turns(&d, 2);
        if (wall_ms() - begin < 600) EXPECT_INT(counts(&d).proxy_late, 0);
        EXPECT_OP(wshub_io_sock_timeout(d.net), <=, 700);
        EXPECT(is_closed(&d, silent) && is_closed(&d, slow));
        EXPECT_OP(wall_ms() - begin, <, 60000);
        EXPECT_INT(counts(&d).proxy_late, 2);
        EXPECT_INT(counts(&d).proxy_heads, 1);
        EXPECT_INT(send(fast, GET, sizeof GET - 1, MSG_NOSIGNAL),
                   sizeof GET - 1); /* it is a stream like others */
        turns(&d, 20);
        EXPECT(d.said[0] != 0);
        (void)close(silent);
        (void)close(slow);
        (void)close(fast);
        door_close(&d);
    }
}

TEST(strangers_are_closed_before_they_say_a_word) { /* PROXY-5, PROXY-7 */
    static const char *const elsewhere[] = {"10.0.0.0/8", "::/0", "unix"};
    static const char head[] = "PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\n" GET;
    wshub_io_sock_place place;
    uint16_t port;
    door d;
    int fd;
    door_open(&d, BEST, 0);
    memset(&place, 0, sizeof place);
    place.host = "127.0.0.1";
    place.proxy_protocol = true;
    place.proxies = elsewhere;
    place.proxies_count = 3;
    EXPECT_INT(wshub_io_sock_listen_place(d.net, &place, &port), WSHUB_OK);
    fd = dial_port(port);
    EXPECT_OP(send(fd, head, sizeof head - 1, MSG_NOSIGNAL), >, 0);
    EXPECT(is_closed(&d, fd));
    (void)close(fd);
    EXPECT_INT(counts(&d).proxy_strangers, 1);
    EXPECT_INT(counts(&d).proxy_heads, 0);
    EXPECT_STR(d.said, "");
    door_close(&d);
}

/* A health check may be over before it is accepted. */
TEST(who_has_gone_before_it_is_accepted_is_no_stranger) { /* PROXY-7 */
    static const struct linger reset = {1, 0};
    door d;
    int fd;
    door_open(&d, BEST, 0);
    fd = dial_port(d.port);
    EXPECT_INT(send(fd, "PROXY UNKNOWN\r\n", 15, MSG_NOSIGNAL), 15);
    EXPECT_INT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    (void)close(fd);
    turns(&d, 5);
    EXPECT_INT(counts(&d).proxy_strangers, 0);
    fd = dial_port(d.port); /* and the next one is served */
    EXPECT_INT(send(fd, "PROXY UNKNOWN\r\n", 15, MSG_NOSIGNAL), 15);
    turns(&d, 5);
    EXPECT_INT(counts(&d).proxy_heads, 1);
    (void)close(fd);
    door_close(&d);
}

/* Whether there is a head is never guessed: where none is wanted it is a bad request. */
TEST(a_listener_that_is_not_marked_takes_no_head) { /* PROXY-5 */
    static const char head[] = "PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\n" GET;
    char got[500];
    uint16_t port;
    ssize_t n = -1;
    int fd, i;
    door d;
    door_open(&d, BEST, 0);
    EXPECT_INT(wshub_io_sock_listen(d.net, "127.0.0.1", 0, &port), WSHUB_OK);
    fd = dial_port(port);
    EXPECT_OP(send(fd, head, sizeof head - 1, MSG_NOSIGNAL), >, 0);
    for (i = 0; i < 200 && n < 0; i++) {
        turns(&d, 1);
        n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    }
    got[n > 0 ? n : 0] = 0;
    EXPECT_HAS(got, "HTTP/1.1 400 ");
    EXPECT_STR(d.said, "");
    (void)close(fd);
    door_close(&d);
}

TEST(a_proxy_may_come_by_a_unix_socket) { /* PROXY-5 */
    static const char *const by_unix[] = {"unix"};
    static const char head[] = SIGN "\x21\x21\x00\x24" V6A V6A "\x01\xBB\x00\x50" GET;
    wshub_io_sock_place place;
    const char *path = own_path("proxied.sock");
    door d;
    int fd;
    door_open(&d, BEST, 0);
    memset(&place, 0, sizeof place);
    place.name = "door";
    place.path = path;
    place.proxy_protocol = true;
    place.proxies = by_unix;
    place.proxies_count = 1;
    (void)unlink(path);
    EXPECT_INT(wshub_io_sock_listen_place(d.net, &place, NULL), WSHUB_OK);
    fd = dial_path(path);
    EXPECT_OP(send(fd, head, sizeof head - 1, MSG_NOSIGNAL), >, 0);
    EXPECT(is_heard(&d, "[2001:db8::1]:443|unix;"));
    (void)close(fd);
    door_close(&d);
}

/* Of a stream without its head nobody is told, and it belongs to who is there when that is whole. */
TEST(owners_come_and_go_while_a_head_is_read) { /* PROXY-6 */
    static const char head[] = "PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\n" GET;
    char want[200];
    door d;
    int a, b, c;
    door_open(&d, BEST, 0);
    a = dial_port(d.port);
    b = dial_port(d.port);
    c = dial_port(d.port);
    EXPECT_INT(send(a, head, 10, MSG_NOSIGNAL), 10);
    EXPECT_INT(send(b, head, 10, MSG_NOSIGNAL), 10);
    turns(&d, 5);
    wshub_destroy(d.hub);
    d.hub = NULL;

    /* With nobody there it is closed. */
    EXPECT_INT(send(a, head + 10, sizeof head - 11, MSG_NOSIGNAL), sizeof head - 11);
    EXPECT(is_closed(&d, a));
    door_hub(&d);
    EXPECT_INT(send(b, head + 10, sizeof head - 11, MSG_NOSIGNAL), sizeof head - 11);
    (void)snprintf(want, sizeof want, "192.0.2.1:61090|%s;", own_address(b));
    EXPECT(is_heard(&d, want));
    turns(&d, 2);
    wshub_destroy(d.hub);
    d.hub = NULL;
    wshub_io_sock_unlisten(d.net);
    door_close(&d); /* with c, whose head has not come, in it */
    (void)close(a);
    (void)close(b);
    (void)close(c);
}

/* A place is used again by a stream without a head, and nothing of the last one is left. */
TEST(a_name_goes_with_its_stream) { /* PROXY-5 */
    static const char head[] = "PROXY TCP4 192.0.2.1 10.0.0.9 61090 80\r\n" GET;
    wshub_io_sock_place place;
    char want[200];
    uint16_t port;
    door d;
    int fd, other;
    door_open(&d, BEST, 0);
    memset(&place, 0, sizeof place);
    place.name = "door";
    place.host = "127.0.0.1";
    EXPECT_INT(wshub_io_sock_listen_place(d.net, &place, &port), WSHUB_OK);
    fd = dial_port(d.port);
    EXPECT_OP(send(fd, head, sizeof head - 1, MSG_NOSIGNAL), >, 0);
    (void)snprintf(want, sizeof want, "192.0.2.1:61090|%s;", own_address(fd));
    EXPECT(is_heard(&d, want));
    (void)close(fd);
    turns(&d, 10);
    d.said[0] = 0;
    other = dial_port(port);
    EXPECT_OP(send(other, GET, sizeof GET - 1, MSG_NOSIGNAL), >, 0);
    (void)snprintf(want, sizeof want, "%s|;", own_address(other));
    EXPECT(is_heard(&d, want));
    (void)close(other);
    door_close(&d);
}

TEST(places_with_bad_proxies_are_refused_in_words) { /* PROXY-5 */
    static const char *const good[] = {"10.0.0.0/8"}, *const bad[] = {"10.0.0.0/8", "10.0.0.1/8"},
                             *const none[] = {NULL};
    static const struct {
        bool marked;
        const char *const *proxies;
        size_t count;
        const char *says;
    } cases[] = {
        {false, good, 1, "no proxy_protocol"},
        {false, NULL, 1, "no proxy_protocol"},
        {true, NULL, 0, "needs a list of proxies"},
        {true, good, 0, "needs a list of proxies"},
        {true, NULL, 1, "needs a list of proxies"},
        {true, good, 1025, "at most 1024"},
        {true, bad, 2, "proxies[1] is \"10.0.0.1/8\"; it must be an address"},
        {true, none, 1, "proxies[0] is \"(NULL)\""},
    };
    wshub_io_sock_place place;
    wshub_io_sock *net;
    size_t i;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(&place, 0, sizeof place);
        place.host = "127.0.0.1";
        place.proxy_protocol = cases[i].marked;
        place.proxies = cases[i].proxies;
        place.proxies_count = cases[i].count;
        EXPECT_INT(wshub_io_sock_listen_place(net, &place, NULL), WSHUB_ERR_PARAM);
        EXPECT_HAS(wshub_io_sock_error(net), cases[i].says);
        EXPECT_HAS(wshub_io_sock_error(net), "cannot listen on this place: ");
    }

    /* A place that cannot be listened to leaves nothing behind, and may be tried again. */
    memset(&place, 0, sizeof place);
    place.host = "no.such.host.invalid";
    place.proxy_protocol = true;
    place.proxies = good;
    place.proxies_count = 1;
    EXPECT_INT(wshub_io_sock_listen_place(net, &place, NULL), WSHUB_ERR_PARAM);
    place.host = "localhost"; /* which may have two addresses, of one list */
    for (i = 0; i < 3; i++) {
        EXPECT_INT(wshub_io_sock_listen_place(net, &place, NULL), WSHUB_OK);
        wshub_io_sock_unlisten(net);
    }
    wshub_io_sock_destroy(net);
}

TEST(the_clock_of_a_head_cannot_be_off) { /* PROXY-6 */
    wshub_io_sock *net;
    char text[300];
    wshub_io_sock_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.poller = BEST;
    desc.proxy_timeout_ms = WSHUB_OFF;
    EXPECT_INT(wshub_io_sock_create(&desc, &net), WSHUB_ERR_PARAM);
    (void)wshub_io_sock_desc_explain(&desc, WSHUB_ERR_PARAM, text, sizeof text);
    EXPECT_HAS(text, "proxy_timeout_ms is 4294967295 (WSHUB_OFF): must be 1 to 600000");
    desc.proxy_timeout_ms = 600001;
    EXPECT_INT(wshub_io_sock_create(&desc, &net), WSHUB_ERR_PARAM);
    desc.proxy_timeout_ms = 600000;
    EXPECT_INT(wshub_io_sock_create(&desc, &net), WSHUB_OK);
    wshub_io_sock_destroy(net);
}

/* Why a stream was closed is a line for who asks (LOG-1). */
static char lines[2000];
static void keep_line(void *ctx, wshub_log_level level, const char *line) {
    size_t n = strlen(lines);
    (void)ctx;
    EXPECT_INT(level, WSHUB_LEVEL_DEBUG);
    (void)snprintf(lines + n, sizeof lines - n, "%s\n", line);
}
TEST(why_a_stream_was_not_introduced_is_said_to_who_asks) { /* PROXY-7, LOG-1 */
    int level;
    for (level = WSHUB_LEVEL_DEBUG; level <= WSHUB_LEVEL_WARN; level++) {
        char want[300];
        door d;
        int fd;
        door_open(&d, BEST, 0);
        lines[0] = 0;
        d.net->io.log = keep_line;
        d.net->io.log_level = (wshub_log_level)level;
        fd = dial_port(d.port);
        EXPECT_OP(send(fd, GET, sizeof GET - 1, MSG_NOSIGNAL), >, 0);
        (void)snprintf(want, sizeof want,
                       "debug IO %s: closed: no PROXY head, and this listener has proxy_protocol\n",
                       own_address(fd));
        EXPECT(is_closed(&d, fd));
        EXPECT_STR(lines, level == WSHUB_LEVEL_DEBUG ? want : "");
        (void)close(fd);
        door_close(&d);
    }
}
