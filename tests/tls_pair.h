/* Two ends of TLS in memory, each an io over a fake one of its own: one dials, the other one serves
 * and says everything back. A test carries the bytes between them, in what pieces it likes, and has
 * any allocation of the layer and its engines fail, but none of the fakes' and the libraries'. The
 * layer's code is compiled here, and not taken from the library of the tests. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H
#include "tls_certs.h"
#ifdef WITH_OPENSSL
#include <openssl/ssl.h>
#endif
#ifdef WITH_MBEDTLS
#include <mbedtls/ssl.h>
#endif

static struct {
    bool on;      /* they are counted now */
    long count;   /* how many there were */
    long fail_at; /* this one fails; 0: none */
} allocs;
static bool allocs_fail(void) {
    return allocs.on && ++allocs.count == allocs.fail_at;
}
static void *allocs_malloc(size_t n) {
    return allocs_fail() ? NULL : malloc(n);
}
static void *allocs_calloc(size_t n, size_t each) {
    return allocs_fail() ? NULL : calloc(n, each);
}
static void *allocs_realloc(void *p, size_t n) {
    return allocs_fail() ? NULL : realloc(p, n);
}
/* The libraries' own, which are asked for it before their first. */
static struct {
    bool on;
    long count, fail_at;
} inner;
UNUSED static bool inner_fails(void) {
    return allocs.on && inner.on && ++inner.count == inner.fail_at;
}
#ifdef WITH_OPENSSL
static void *inner_malloc(size_t n, const char *file, int line) {
    (void)file, (void)line;
    return inner_fails() ? NULL : malloc(n);
}
static void *inner_realloc(void *p, size_t n, const char *file, int line) {
    (void)file, (void)line;
    if (n) return inner_fails() ? NULL : realloc(p, n);
    free(p);
    return NULL;
}
static void inner_free(void *p, const char *file, int line) {
    (void)file, (void)line;
    free(p);
}
#endif
/* Has OpenSSL's allocations counted, too. */
__attribute__((constructor)) static void inner_begin(void) {
#ifdef WITH_OPENSSL
    (void)CRYPTO_set_mem_functions(inner_malloc, inner_realloc, inner_free);
#endif
}
#define malloc(n) allocs_malloc(n)
#define calloc(n, each) allocs_calloc(n, each)
#define realloc(p, n) allocs_realloc(p, n)
#include "../backends/wshub_io_tls.h"
#ifdef WITH_OPENSSL
#include "../backends/wshub_io_openssl.h"
#endif
#ifdef WITH_MBEDTLS
#include "../backends/wshub_io_mbedtls.h"
#endif
#undef malloc
#undef calloc
#undef realloc

/* A library and a version of TLS, as both ends have them. */
typedef struct tls_way {
    const char *name;
    const wshub_tls_engine *engine;
    bool old; /* TLS 1.2, though the library has 1.3 */
} tls_way;
/* The i-th that is there. False: there are no more. */
UNUSED static bool tls_way_at(size_t i, tls_way *out) {
    tls_way all[4];
    size_t n = 0;
    memset(all, 0, sizeof all);
#ifdef WITH_OPENSSL
    all[n].name = "OpenSSL, TLS 1.3";
    all[n++].engine = wshub_io_openssl_engine();
    all[n].name = "OpenSSL, TLS 1.2";
    all[n].old = true;
    all[n++].engine = wshub_io_openssl_engine();
#endif
#ifdef WITH_MBEDTLS
    all[n].name = "mbedTLS";
    all[n++].engine = wshub_io_mbedtls_engine();
#endif
    *out = all[i < n ? i : n];
    return i < n;
}

enum { PAIR_TEXT = 150000 };

typedef struct pair_end {
    wshub_io_fake *net;
    wshub_io_tls *tls;
    const wshub_io *io;
    wshub_conn conn;
    bool dials, echoes, finned; /* its end below was passed on */
    bool counted;               /* its allocations are */
    bool blind;                 /* it looks at no certificate */
    int opened, ended, closed;
    size_t want;            /* it dials: says so much, and ends when that has come back */
    size_t first;           /* of these it says so many when it is opened; 0: all */
    uint8_t say[PAIR_TEXT]; /* what it says */
    size_t say_len, said;   /* by now */
    size_t got_len;         /* what it was told, which is right so far */
    bool wrong;             /* or not */
    bool clear;             /* it dials: what it hears is the proxy's still */
    size_t asked, answered; /* so much of its CONNECT is out, and of the answer was heard */
    int rests; /* it pauses: 1, before it has TLS begin; 2, meanwhile; 3, before, and goes on then */
    bool pauses; /* whenever something comes, until nothing else happens */
    bool paused;
    char error[448];
} pair_end;

/* Whether clients dial in the clear, and have TLS begin behind the answer of a proxy, whose words
 * are `CONNECT` and `200`, and what that brings along. */
static bool pair_late;
static const char *pair_answer = "200";
static wshub_err pair_secured; /* what secure() returned last */

typedef struct pair {
    tls_way way;
    pair_end server, client;
    size_t to_server, to_client; /* so many more bytes are carried; SIZE_MAX: all */
    bool trusting;               /* the client looks at no certificate, which costs time */
    size_t carried[2];
    wshub_io_tls_stats before[2]; /* the server's and the client's, when they were connected */
} pair;

static uint8_t pair_byte(size_t i) {
    return (uint8_t)(i * 7 + (i >> 8));
}

/* ---- its owner ---- */

static void pair_say(pair_end *e) {
    wshub_span spans[3];
    size_t left = e->say_len - e->said, i, n = 0;
    int64_t took;
    for (i = 0; i < 3 && left; i++) { /* small ones first */
        spans[i].ptr = e->say + e->said + n;
        spans[i].len = i < 2 && left > 5 ? 5 : left;
        n += spans[i].len;
        left -= spans[i].len;
    }
    if (!i) return;
    took = e->io->send(e->io->ctx, e->conn, spans, i);
    EXPECT(took >= 0 && (size_t)took <= n);
    e->said += (size_t)took;
}
static void pair_ask(pair_end *e) {
    static const char text[] = "CONNECT";
    wshub_span span = {(const uint8_t *)text + e->asked, 7 - e->asked};
    int64_t took = span.len ? e->io->send(e->io->ctx, e->conn, &span, 1) : 0;
    e->asked += took == WSHUB_IO_PENDING ? span.len : (size_t)took;
}
/* The proxy's answer is whole: what lies behind it is TLS's. Nothing leaves in between, and nothing
 * is told from inside. */
static void pair_secure(pair_end *e, const uint8_t *bytes, size_t n) {
    wshub_dial dial;
    wshub_span span = {(const uint8_t *)"clear", 5};
    wshub_conn nobody = {e->conn.id ^ UINT64_C(1) << 63};
    int closed = e->closed;
    memset(&dial, 0, sizeof dial);
    EXPECT_INT(e->io->secure(e->io->ctx, e->conn, &dial, bytes, n), WSHUB_ERR_PARAM);
    dial.server_name = "localhost";
    dial.verify = e->blind ? WSHUB_VERIFY_NONE : WSHUB_VERIFY_FULL;
    if (e->rests & 1) e->io->pause(e->io->ctx, e->conn, true);
    EXPECT_INT(e->io->secure(e->io->ctx, nobody, &dial, bytes, n), WSHUB_ERR_STALE);
    pair_secured = e->io->secure(e->io->ctx, e->conn, &dial, bytes, n);
    EXPECT(!e->opened && e->closed == closed);
    if (pair_secured) {
        e->io->close(e->io->ctx, e->conn, false);
        return;
    }
    e->clear = false;
    if (e->rests & 2) e->io->pause(e->io->ctx, e->conn, e->rests == 2);
    e->paused = e->rests == 1 || e->rests == 2;
    EXPECT_INT(e->io->secure(e->io->ctx, e->conn, &dial, bytes, n), WSHUB_ERR_STALE);
    EXPECT_INT(e->io->send(e->io->ctx, e->conn, &span, 1), 0);
}
static void pair_heard_proxy(pair_end *e, const uint8_t *bytes, size_t n) {
    while (n && e->answered < 3) {
        EXPECT(*bytes == (uint8_t) "200"[e->answered]);
        e->answered++;
        bytes++;
        n--;
        if (e->answered == 3) pair_secure(e, bytes, n);
    }
}

static void pair_opened(void *ctx, wshub_conn c) {
    pair_end *e = (pair_end *)ctx;
    EXPECT_INT(c.id, e->conn.id ? (long long)e->conn.id : (long long)c.id);
    e->conn = c;
    if (e->clear) {
        pair_ask(e);
        return;
    }
    e->opened++;
    if (e->dials) {
        wshub_about about;
        EXPECT(e->io->about(e->io->ctx, c, &about) && about.secure);
        EXPECT(e->blind || about.peer_verified);
        EXPECT(wshub_str_eq_z(about.server_name, "localhost"));
        e->say_len = e->first ? e->first : e->want;
        pair_say(e);
    }
}
static void pair_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    pair_end *e = (pair_end *)ctx;
    size_t i;
    if (e->clear) {
        pair_heard_proxy(e, bytes, n);
        return;
    }
    EXPECT(e->opened == 1 && !e->ended && !e->closed && !e->paused);
    for (i = 0; i < n; i++, e->got_len++) {
        if (bytes[i] != pair_byte(e->got_len)) e->wrong = true;
        if (e->echoes && e->say_len < sizeof e->say) e->say[e->say_len++] = bytes[i];
    }
    if (e->echoes) pair_say(e);
    if (e->dials && e->got_len == e->want) e->io->close(e->io->ctx, c, true);
    if (e->pauses) {
        e->paused = true;
        e->io->pause(e->io->ctx, c, true);
    }
}
static void pair_ended(void *ctx, wshub_conn c) {
    pair_end *e = (pair_end *)ctx;
    if (e->clear) {
        e->io->close(e->io->ctx, c, false);
        return;
    }
    EXPECT(e->opened == 1 && !e->ended && !e->closed);
    e->ended++;
    e->io->close(e->io->ctx, c, true);
}
static void pair_drained(void *ctx, wshub_conn c) {
    pair_end *e = (pair_end *)ctx;
    (void)c;
    if (e->clear) pair_ask(e);
    EXPECT(e->clear || e->opened);
    if (!e->clear) pair_say(e);
}
static void pair_sent(void *ctx, wshub_conn c, size_t n) {
    const pair_end *e = (pair_end *)ctx;
    (void)c;
    EXPECT(pair_late && e->dials && !e->opened && !e->closed && n <= 7);
}
static void pair_closed(void *ctx, wshub_conn c) {
    (void)c;
    ((pair_end *)ctx)->closed++;
}
static uint64_t pair_settle(void *ctx) {
    (void)ctx;
    return WSHUB_NEVER;
}
static void pair_error(const char *text, void *user) {
    (void)snprintf(((pair_end *)user)->error, sizeof((pair_end *)user)->error, "%s", text);
}
static wshub_io_owner pair_owner(pair_end *e) {
    wshub_io_owner o;
    memset(&o, 0, sizeof o);
    o.ctx = e;
    o.opened = pair_opened;
    o.received = pair_received;
    o.ended = pair_ended;
    o.drained = pair_drained;
    o.sent = pair_sent;
    o.closed = pair_closed;
    o.settle = pair_settle;
    return o;
}

/* ---- making and ending one ---- */

static bool pair_tls(pair *p, pair_end *e) {
    static const wshub_tls_pair cert = {.cert = tls_server_cert, .key = tls_server_key};
    wshub_io_tls_desc desc;
    wshub_err err;
    char why[300];
    memset(&desc, 0, sizeof desc);
    desc.io = wshub_io_fake_io(e->net);
    desc.pairs = e->dials ? NULL : &cert;
    desc.pairs_count = e->dials ? 0 : 1;
    desc.roots = tls_root_cert;
    desc.plain_listener = "clear";
    desc.on_error = pair_error;
    desc.user = e;
    allocs.on = e->counted;
    err = wshub_io_tls_create_versioned(&desc, sizeof desc, WSHUB_IO_TLS_DESC_VERSION,
                                        p->way.engine, &e->tls, why, sizeof why);
    allocs.on = false;
    EXPECT((err == WSHUB_OK) == !*why);
    /* OpenSSL does not always say what it wanted */
    EXPECT(!err || err == WSHUB_ERR_NOMEM || (inner.on && err == WSHUB_ERR_PARAM));
    return err == WSHUB_OK;
}
/* fake_ is what both nets are like. False: its allocation failed, and there is nothing. */
static bool pair_begin(pair *p, pair_end *e, bool dials, const wshub_io_fake_desc *fake) {
    wshub_io_owner o = pair_owner(e);
    size_t i;
    e->dials = dials;
    e->echoes = !dials;
    for (i = 0; dials && i < sizeof e->say; i++) e->say[i] = pair_byte(i);
    EXPECT_INT(wshub_io_fake_create(fake, &e->net), WSHUB_OK);
    if (!pair_tls(p, e)) {
        wshub_io_fake_destroy(e->net);
        e->net = NULL;
        return false;
    }
    e->io = wshub_io_tls_io(e->tls);
    if (dials) {
        EXPECT_INT(e->io->guest(e->io->ctx, &o, true), WSHUB_OK);
    } else {
        e->io->attach(e->io->ctx, &o);
    }
    return true;
}
static void pair_end_of(pair_end *e) {
    wshub_io_owner o = pair_owner(e);
    if (!e->net) return;
    if (e->dials)
        EXPECT_INT(e->io->guest(e->io->ctx, &o, false), WSHUB_OK);
    else
        e->io->attach(e->io->ctx, NULL);
    wshub_io_tls_destroy(e->tls);
    wshub_io_fake_destroy(e->net);
    e->net = NULL;
}

UNUSED static bool pair_start(pair *p, const tls_way *way, const wshub_io_fake_desc *fake) {
    p->way = *way;
    if (!pair_begin(p, &p->server, false, fake)) return false;
    if (pair_begin(p, &p->client, true, fake)) return true;
    pair_end_of(&p->server);
    return false;
}
UNUSED static void pair_stop(pair *p) {
    pair_end_of(&p->client);
    pair_end_of(&p->server);
}

/* ---- what goes between them ---- */

/* What one has sent reaches the other; behind it its end. False: there was nothing. */
static bool pair_carry(pair_end *from, pair_end *to, size_t *limit, size_t *carried) {
    wshub_str out = wshub_io_fake_output(from->net, from->conn);
    size_t n = out.len < *limit ? out.len : *limit;
    uint8_t *copy;
    if (n) {
        copy = (uint8_t *)malloc(n);
        memcpy(copy, out.ptr, n);
        wshub_io_fake_take(from->net, from->conn, n);
        if (*limit != SIZE_MAX) *limit -= n;
        *carried += n;
        allocs.on = to->counted;
        wshub_io_fake_input(to->net, to->conn, copy, n);
        allocs.on = false;
        free(copy);
        return true;
    }
    if (out.len || from->finned || wshub_io_fake_is_open(from->net, from->conn)) return false;
    from->finned = true;
    allocs.on = to->counted;
    wshub_io_fake_half_close(to->net, to->conn);
    allocs.on = false;
    return true;
}
/* A pause ends when nothing else happens any more. False: there is none. */
static bool pair_let_go(pair_end *e) {
    if (!e->paused) return false;
    e->paused = false;
    allocs.on = e->counted;
    e->io->pause(e->io->ctx, e->conn, false);
    wshub_io_fake_run(e->net);
    allocs.on = false;
    return true;
}
UNUSED static void pair_pump(pair *p) {
    while (pair_carry(&p->client, &p->server, &p->to_server, &p->carried[0]) ||
           pair_carry(&p->server, &p->client, &p->to_client, &p->carried[1]) ||
           pair_let_go(&p->server) || pair_let_go(&p->client)) {
    }
}

static void pair_forget(pair_end *e) {
    if (e->conn.id) wshub_io_fake_forget(e->net, e->conn);
    e->conn.id = 0;
    e->opened = e->ended = e->closed = 0;
    e->finned = e->wrong = e->paused = false;
    e->say_len = e->said = e->got_len = e->asked = e->answered = 0;
    e->clear = e->dials && pair_late;
    e->error[0] = 0;
}

/* The proxy between them answers when it was asked. */
UNUSED static void pair_proxy(pair *p) {
    pair_end *e = &p->client;
    int i;
    allocs.on = e->counted;
    for (i = 0; i < 20 && wshub_io_fake_output(e->net, e->conn).len < 7; i++)
        wshub_io_fake_run(e->net);
    if (wshub_io_fake_output(e->net, e->conn).len == 7) {
        EXPECT_STR(wshub_io_fake_output(e->net, e->conn).ptr, "CONNECT");
        wshub_io_fake_take(e->net, e->conn, 7);
        wshub_io_fake_input(e->net, e->conn, pair_answer, strlen(pair_answer));
    }
    allocs.on = false;
}

/* Both are connected, the client wants to say so much; nothing is carried yet. False: it could not
 * even dial. */
UNUSED static bool pair_dial(pair *p, size_t want) {
    wshub_dial dial;
    wshub_err err;
    bool inner_was;
    pair_forget(&p->server);
    pair_forget(&p->client);
    memset(&dial, 0, sizeof dial);
    dial.address = "localhost:1";
    dial.secure = !pair_late;
    p->client.blind = p->trusting;
    dial.verify = p->trusting ? WSHUB_VERIFY_NONE : WSHUB_VERIFY_FULL;
    p->client.want = want;
    p->to_server = p->to_client = SIZE_MAX;
    p->carried[0] = p->carried[1] = 0;
    wshub_io_tls_stats_get(p->server.tls, &p->before[0]);
    wshub_io_tls_stats_get(p->client.tls, &p->before[1]);
    allocs.on = p->client.counted;
    err = p->client.io->connect(p->client.io->ctx, &p->client, &dial, &p->client.conn);
    allocs.on = false;
    inner_was = inner.on;
    inner.on = false; /* handshakes that are short of memory OpenSSL 3.0 does not always survive */
    if (err) {
        EXPECT(err == WSHUB_ERR_NOMEM || (inner_was && err == WSHUB_ERR_IO));
        p->client.conn.id = 0;
        return false;
    }
#ifdef WITH_OPENSSL
    if (p->way.old && pair_late && !p->client.tls->client) { /* else it is there when it dials */
        wshub_tls_fault fault;
        (void)wshub_io_tls__dials(p->client.tls, &fault);
    }
    if (p->way.old && p->client.tls->client) {
        wshub_io_openssl__context *c = (wshub_io_openssl__context *)p->client.tls->client->context;
        EXPECT_INT(SSL_CTX_set_max_proto_version(c->pairs[0], TLS1_2_VERSION), 1);
    }
#endif
    allocs.on = p->server.counted;
    p->server.conn = wshub_io_fake_open(p->server.net);
    wshub_io_fake_silent(p->server.net, p->server.conn, true);
    allocs.on = p->client.counted;
    wshub_io_fake_silent(p->client.net, p->client.conn, true);
    wshub_io_fake_answer(p->client.net, p->client.conn, true);
    allocs.on = false;
    if (pair_late && pair_answer) pair_proxy(p);
    return true;
}

/* Carries all, and then lets all clocks run out, until both streams are gone. */
UNUSED static void pair_finish(pair *p) {
    int i;
    pair_pump(p);
    for (i = 0; i < 4; i++) {
        allocs.on = p->server.counted;
        wshub_io_fake_advance(p->server.net, 11000);
        allocs.on = p->client.counted;
        wshub_io_fake_advance(p->client.net, 11000);
        allocs.on = false;
        pair_pump(p);
    }
}

static void pair_end_holds(const pair_end *e) {
    wshub_io_tls_stats st;
    size_t i;
    wshub_io_tls_stats_get(e->tls, &st);
    EXPECT_INT(st.under_way, 0);
    EXPECT(!e->tls->owed && !e->tls->dead && !e->tls->shaking.first && !e->tls->lingering.first);
    EXPECT(!e->tls->wire.out_len && !e->tls->depth);
    for (i = 0; i < e->tls->streams_cap; i++) EXPECT(!e->tls->streams[i]);
    EXPECT(wshub_io_fake_is_gone(e->net, e->conn));
    EXPECT(!e->wrong);
    EXPECT(e->opened <= 1);
    EXPECT_INT(e->closed, e->dials && e->conn.id ? 1 : e->opened);
}
/* What is so behind every talk, however it ended. */
UNUSED static void pair_holds(const pair *p) {
    pair_end_holds(&p->server);
    pair_end_holds(&p->client);
}
/* And behind one that went well. */
UNUSED static void pair_went_well(const pair *p) {
    pair_holds(p);
    EXPECT_INT(p->client.opened, 1);
    EXPECT_INT(p->server.got_len, p->client.want);
    EXPECT_INT(p->client.got_len, p->client.want);
    EXPECT_INT(p->server.ended, 1);
    EXPECT_STR(p->server.error, "");
    EXPECT_STR(p->client.error, "");
}
#endif
