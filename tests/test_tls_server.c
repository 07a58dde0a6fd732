/* A server over TLS by each library that is there, with peers of OpenSSL: names, ALPN, tickets,
 * certificates of clients, what is no TLS, ends, clocks, reloading; and the same io dialling.
 * PITFALLS c1 to c11 name their tests. Built with -DWITH_OPENSSL and -DWITH_MBEDTLS where these
 * are; else it says that it is skipped. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_io_tls.h"
#ifdef WITH_OPENSSL
#include "wshub_io_openssl.h"
#endif
#ifdef WITH_MBEDTLS
#include "wshub_io_mbedtls.h"
#endif
#ifndef WITH_OPENSSL
TEST(a_server_over_tls) {
    SKIP("OpenSSL, whose peers this needs, is not installed");
}
#else
#include "tls_peer.h"

/* An owner that writes down what it is told, and the io it has. */
typedef struct site {
    wshub_io_sock *net;
    wshub_io_tls *tls;
    const wshub_io *io;
    uint16_t port;
    wshub_conn conn; /* the last that was opened */
    int opened, ended, closed, drained;
    char got[1 << 17];
    size_t got_len;
    bool pause; /* pauses a stream whenever something comes */
    char error[448];
} site;

static void site_opened(void *ctx, wshub_conn c) {
    ((site *)ctx)->conn = c;
    ((site *)ctx)->opened++;
}
static void site_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    site *s = (site *)ctx;
    EXPECT(!s->ended || c.id != s->conn.id);
    if (s->got_len + n <= sizeof s->got) memcpy(s->got + s->got_len, bytes, n);
    s->got_len += n;
    if (s->pause) s->io->pause(s->io->ctx, c, true);
}
static void site_ended(void *ctx, wshub_conn c) {
    (void)c;
    ((site *)ctx)->ended++;
}
static void site_drained(void *ctx, wshub_conn c) {
    (void)c;
    ((site *)ctx)->drained++;
}
static void site_closed(void *ctx, wshub_conn c) {
    (void)c;
    ((site *)ctx)->closed++;
}
static uint64_t site_settle(void *ctx) {
    (void)ctx;
    return WSHUB_NEVER;
}
static void site_error(const char *text, void *user) {
    (void)snprintf(((site *)user)->error, sizeof((site *)user)->error, "%s", text);
}
static wshub_io_owner site_owner(site *s) {
    wshub_io_owner o;
    memset(&o, 0, sizeof o);
    o.ctx = s;
    o.opened = site_opened;
    o.received = site_received;
    o.ended = site_ended;
    o.drained = site_drained;
    o.closed = site_closed;
    o.settle = site_settle;
    return o;
}

static const wshub_tls_pair the_pair = {.cert = tls_server_cert, .key = tls_server_key};

/* desc.io is filled in; so are pairs, if there are none, and on_error. */
static void site_start(site *s, const tls_engine *engine, wshub_io_tls_desc desc) {
    wshub_io_owner o = site_owner(s);
    memset(s, 0, sizeof *s);
    (void)signal(SIGPIPE, SIG_IGN);
    EXPECT_INT(wshub_io_auto_create(NULL, &s->net), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(s->net, "127.0.0.1", 0, &s->port), WSHUB_OK);
    desc.io = wshub_io_sock_io(s->net);
    if (!desc.pairs) {
        desc.pairs = &the_pair;
        desc.pairs_count = 1;
    }
    desc.on_error = site_error;
    desc.user = s;
    s->tls = tls_make(engine, &desc);
    s->io = wshub_io_tls_io(s->tls);
    s->io->attach(s->io->ctx, &o);
}
static void site_end(site *s) {
    wshub_io_tls_stats st;
    s->io->attach(s->io->ctx, NULL);
    wshub_io_tls_stats_get(s->tls, &st);
    EXPECT_INT(st.under_way, 0);
    wshub_io_tls_destroy(s->tls);
    wshub_io_sock_destroy(s->net);
}
static void site_step(site *s) {
    EXPECT_INT(wshub_io_sock_run_once(s->net, tls_peers ? 0 : 2), WSHUB_OK);
    tls_peers_shake();
}
static wshub_io_tls_stats site_stats(const site *s) {
    wshub_io_tls_stats st;
    wshub_io_tls_stats_get(s->tls, &st);
    return st;
}
static uint64_t site_failed(const site *s, wshub_tls_failure kind) {
    return site_stats(s).failed[kind];
}

/* A client's context; what is NULL is left out. */
static SSL_CTX *peer_ctx(const char *roots, const char *cert, const char *key) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio = roots ? BIO_new_mem_buf(roots, -1) : NULL;
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (x) {
        EXPECT_INT(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x), 1);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    X509_free(x);
    BIO_free(bio);
    if (cert) tls_use(ctx, cert, key);
    return ctx;
}
static tls_peer *peer_dial(site *s, SSL_CTX *ctx, const char *name, SSL_SESSION *session) {
    tls_peer *p = tls_peer_on(dial_port(s->port), ctx);
    if (name) SSL_set_tlsext_host_name(p->ssl, name);
    if (session) SSL_set_session(p->ssl, session);
    return p;
}
/* Steps until the peer's handshake is over, one way or the other, and the server heard of it. */
static bool peer_shaken(site *s, tls_peer *p) {
    int i, opened = s->opened, quiet = 0;
    for (i = 0; i < 60000 && quiet < 10; i++) {
        site_step(s);
        if (tls_peer_shake(p) || s->error[0]) quiet++;
    }
    return p->shaken && s->opened == opened + 1;
}
/* The first bytes of an answer, or of an end. */
static size_t peer_hear(site *s, tls_peer *p, char *buf, size_t want, bool *ended) {
    size_t n = 0;
    int i;
    *ended = false;
    for (i = 0; i < 60000 && n < want && !*ended; i++) {
        site_step(s);
        n += tls_peer_hear(p, buf + n, want - n, ended);
    }
    return n;
}
static void peer_says(site *s, tls_peer *p, const char *text, size_t want) {
    int i;
    EXPECT_INT(SSL_write(p->ssl, text, (int)strlen(text)), strlen(text));
    for (i = 0; i < 60000 && s->got_len < want; i++) site_step(s);
    EXPECT_INT(s->got_len, want);
}
static void site_says(site *s, const char *text) {
    wshub_span span = {(const uint8_t *)text, strlen(text)};
    EXPECT_INT(s->io->send(s->io->ctx, s->conn, &span, 1), strlen(text));
}

/* A test of each library. */
#define EACH(id)                                                                                   \
    static void id##_by(const tls_engine *engine, site *s);                                        \
    TEST(id) {                                                                                     \
        static site s;                                                                             \
        size_t i;                                                                                  \
        for (i = 0; tls_engine_at(i); i++) id##_by(tls_engine_at(i), &s);                          \
    }                                                                                              \
    static void id##_by(const tls_engine *engine, site *s)

EACH(what_is_known_of_a_stream_is_told) {
    SSL_CTX *ctx = peer_ctx(tls_root_cert, NULL, NULL);
    wshub_about a;
    tls_peer *p;
    char buf[16];
    bool ended;
    site_start(s, engine, (wshub_io_tls_desc){0});
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    p = peer_dial(s, ctx, "localhost", NULL);
    SSL_set1_host(p->ssl, "localhost"); /* the chain is sent whole: the middle is not known here */
    EXPECT(peer_shaken(s, p));
    EXPECT(s->io->about(s->io->ctx, s->conn, &a));
    EXPECT(a.secure && !a.peer_verified && !a.peer_cert.ptr && a.peer.ptr);
    EXPECT(wshub_str_eq_z(a.alpn, "http/1.1"));
    EXPECT(wshub_str_eq_z(a.server_name, "localhost"));
    peer_says(s, p, "hello", 5);
    site_says(s, "and you");
    EXPECT_INT(peer_hear(s, p, buf, 7, &ended), 7);
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

EACH(protocols_and_versions_that_are_not_ours_are_refused) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    tls_peer *p;
    site_start(s, engine, (wshub_io_tls_desc){0});
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3);
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(!peer_shaken(s, p));
    EXPECT_INT(p->why, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    s->error[0] = 0;
    ctx = peer_ctx(NULL, NULL, NULL);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(!peer_shaken(s, p));
    EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_VERSION), 1);
    EXPECT_HAS(s->error, "no version of TLS in common");
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

/* version_min 13: who has no more than TLS 1.2 is refused. */
EACH(an_older_version_is_refused_where_it_is_said) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    tls_peer *p;
    if (!engine->table->tls13) { /* such a description is refused */
        SSL_CTX_free(ctx);
        return;
    }
    site_start(s, engine, (wshub_io_tls_desc){.version_min = 13});
    tls_peer_version = TLS1_2_VERSION;
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(!peer_shaken(s, p));
    EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_VERSION), 1);
    tls_peer_free(p);
    s->error[0] = 0;
    tls_peer_version = TLS1_3_VERSION;
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    tls_peer_free(p);
    tls_peer_version = 0;
    SSL_CTX_free(ctx);
    site_end(s);
}

static int never(wshub_str name, void *user) {
    (void)user;
    return wshub_str_eq_z(name, "secret.test") ? -1 : 0;
}

EACH(a_name_has_its_certificate) {
    SSL_CTX *ctx = peer_ctx(tls_root_cert, NULL, NULL);
    wshub_tls_pair pairs[] = {the_pair,
                              {.name = "other.test", .cert = tls_other_cert, .key = tls_other_key}};
    static const struct {
        const char *name, *subject;
    } rows[] = {
        {"OTHER.test", "/CN=other"}, {"elsewhere", "/CN=localhost"}, {NULL, "/CN=localhost"}};
    size_t i;
    site_start(s, engine, (wshub_io_tls_desc){.pairs = pairs, .pairs_count = 2});
    for (i = 0; i < 3; i++) {
        tls_peer *p = peer_dial(s, ctx, rows[i].name, NULL);
        char text[64] = "";
        EXPECT(peer_shaken(s, p));
        (void)X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(p->ssl)), text, 64);
        EXPECT_STR(text, rows[i].subject);
        tls_peer_free(p);
    }
    site_end(s);
    site_start(s, engine, (wshub_io_tls_desc){.on_name = never});
    {
        tls_peer *p = peer_dial(s, ctx, "secret.test", NULL);
        EXPECT(!peer_shaken(s, p));
        EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_NAME), 1);
        tls_peer_free(p);
    }
    SSL_CTX_free(ctx);
    site_end(s);
}

/* Talks once, and returns the session that was given. */
static SSL_SESSION *talked(site *s, SSL_CTX *ctx, const char *name, SSL_SESSION *with) {
    tls_peer *p = peer_dial(s, ctx, name, with);
    SSL_SESSION *got;
    char buf[8];
    bool ended;
    EXPECT(peer_shaken(s, p));
    site_says(s, "x");
    EXPECT_INT(peer_hear(s, p, buf, 1, &ended), 1);
    got = SSL_get1_session(p->ssl);
    (void)SSL_shutdown(p->ssl);
    tls_peer_free(p);
    return got;
}

EACH(sessions_are_resumed_under_their_name_and_by_whoever_has_the_keys) {
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    uint8_t keys[2 * WSHUB_TLS_TICKET_KEY_BYTES];
    size_t v;
    memset(keys, 7, sizeof keys);
    memset(keys, 9, WSHUB_TLS_TICKET_KEY_BYTES);
    for (v = 0; v < (engine->table->tls13 ? 2u : 1u); v++) {
        SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
        wshub_io_tls_desc desc = {.ticket_keys = keys + WSHUB_TLS_TICKET_KEY_BYTES,
                                  .ticket_keys_count = 1};
        SSL_SESSION *one, *two;
        tls_peer_version = versions[v];
        site_start(s, engine, desc);
        one = talked(s, ctx, "localhost", NULL);
        EXPECT_INT(site_stats(s).resumed, 0);
        two = talked(s, ctx, "localhost", one);
        EXPECT_INT(site_stats(s).resumed, 1);
        SSL_SESSION_free(two);
        two = talked(s, ctx, "a.example.org", one); /* another name: a whole handshake */
        EXPECT_INT(site_stats(s).resumed, 1);
        SSL_SESSION_free(two);
        site_end(s);

        /* another process, with that key as the older one */
        desc.ticket_keys = keys;
        desc.ticket_keys_count = 2;
        site_start(s, engine, desc);
        two = talked(s, ctx, "localhost", one);
        EXPECT_INT(site_stats(s).resumed, 1);
        SSL_SESSION_free(two);
        site_end(s);
        /* a server that knows none of them, or asks for certificates now */
        site_start(s, engine, (wshub_io_tls_desc){0});
        two = talked(s, ctx, "localhost", one);
        EXPECT_INT(site_stats(s).resumed, 0);
        SSL_SESSION_free(two);
        site_end(s);
        desc.clients = WSHUB_TLS_CLIENTS_ASK;
        desc.client_roots = tls_root_cert;
        site_start(s, engine, desc);
        two = talked(s, ctx, "localhost", one);
        EXPECT_INT(site_stats(s).resumed, 0);
        SSL_SESSION_free(two);
        site_end(s);
        SSL_SESSION_free(one);
        SSL_CTX_free(ctx);
    }
    tls_peer_version = 0;
}

EACH(certificates_of_clients_are_asked_for_and_shown) {
    static const struct {
        const char *cert, *key;
        wshub_tls_clients clients;
        bool in, verified;
    } rows[] = {
        {NULL, NULL, WSHUB_TLS_CLIENTS_ASK, true, false},
        {tls_client_cert, tls_client_key, WSHUB_TLS_CLIENTS_ASK, true, true},
        {tls_self_cert, tls_self_key, WSHUB_TLS_CLIENTS_ASK, true, false},
        {tls_client_cert, tls_client_key, WSHUB_TLS_CLIENTS_REQUIRE, true, true},
        {NULL, NULL, WSHUB_TLS_CLIENTS_REQUIRE, false, false},
        {tls_self_cert, tls_self_key, WSHUB_TLS_CLIENTS_REQUIRE, false, false},
        {tls_expired_cert, tls_expired_key, WSHUB_TLS_CLIENTS_REQUIRE, false, false},
    };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        SSL_CTX *ctx = peer_ctx(NULL, rows[i].cert, rows[i].key);
        wshub_about a;
        tls_peer *p;
        site_start(s, engine,
                   (wshub_io_tls_desc){.clients = rows[i].clients, .client_roots = tls_root_cert});
        p = peer_dial(s, ctx, NULL, NULL);
        (void)peer_shaken(s, p);
        EXPECT_INT(s->opened, rows[i].in);
        if (rows[i].in) {
            EXPECT(s->io->about(s->io->ctx, s->conn, &a));
            EXPECT(a.peer_verified == rows[i].verified && !a.peer_cert.ptr == !rows[i].cert);
        } else {
            EXPECT(s->error[0]);
            EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_NO_CERT) +
                           site_failed(s, WSHUB_TLS_FAIL_UNTRUSTED) +
                           site_failed(s, WSHUB_TLS_FAIL_EXPIRED),
                       1);
        }
        tls_peer_free(p);
        SSL_CTX_free(ctx);
        site_end(s);
    }
}

EACH(what_is_no_tls_is_closed_at_once) {
    static const struct {
        const char *bytes;
        size_t len;
        wshub_tls_failure kind;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, WSHUB_TLS_FAIL_NOT_TLS},
        {"\x16\x02", 2, WSHUB_TLS_FAIL_NOT_TLS},
        {"\x16\x03\x01\x7f\xff", 5, WSHUB_TLS_FAIL_NOT_TLS},
        {"\x16\x03\x01\x00\x40\x02", 6, WSHUB_TLS_FAIL_NOT_TLS},
        {"\x17\x03\x03", 3, WSHUB_TLS_FAIL_NOT_TLS},
        {"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", 11, WSHUB_TLS_FAIL_RECORD},
    };
    size_t i, k;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char buf[64];
        bool ended = false;
        tls_peer *p;
        site_start(s, engine, (wshub_io_tls_desc){.linger_ms = 20});
        p = tls_peer_on(dial_port(s->port), NULL);
        EXPECT_INT(send(p->fd, rows[i].bytes, rows[i].len, MSG_NOSIGNAL), rows[i].len);
        for (k = 0; k < 60000 && !ended; k++) {
            site_step(s);
            while (tls_peer_hear(p, buf, sizeof buf, &ended)) {
            }
        }
        EXPECT(ended && s->opened == 0 && s->closed == 0);
        EXPECT_INT(site_failed(s, rows[i].kind), 1);
        if (!i) EXPECT_HAS(s->error, "plain HTTP on a TLS port");
        tls_peer_free(p);
        site_end(s);
    }
}

/* c4: an end without close_notify is no end of what was said, and counted. */
EACH(a_stream_that_is_cut_is_told_from_one_that_ends) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    tls_peer *p;
    int i;
    site_start(s, engine, (wshub_io_tls_desc){0});
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    peer_says(s, p, "first", 5);
    EXPECT_INT(shutdown(p->fd, SHUT_WR), 0);
    for (i = 0; i < 60000 && !s->closed; i++) site_step(s);
    EXPECT(s->closed == 1 && s->ended == 0);
    EXPECT_INT(site_stats(s).truncated, 1);
    EXPECT_STR(s->error, ""); /* on_error is not told of each */
    tls_peer_free(p);
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    EXPECT(SSL_shutdown(p->ssl) >= 0);
    for (i = 0; i < 60000 && !s->ended; i++) site_step(s);
    EXPECT(s->closed == 1 && s->ended == 1);
    s->io->close(s->io->ctx, s->conn, true);
    for (i = 0; i < 60000 && !(SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN); i++) {
        char c;
        site_step(s);
        (void)SSL_read(p->ssl, &c, 1);
    }
    EXPECT(SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN); /* ours comes, too */
    tls_peer_free(p);
    for (i = 0; i < 60000 && s->closed < 2; i++) site_step(s);
    EXPECT_INT(s->closed, 2);
    EXPECT_INT(site_stats(s).truncated, 1);
    /* within a handshake */
    p = tls_peer_on(dial_port(s->port), NULL);
    EXPECT_INT(send(p->fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
    EXPECT_INT(shutdown(p->fd, SHUT_WR), 0);
    for (i = 0; i < 60000 && !site_failed(s, WSHUB_TLS_FAIL_CUT); i++) site_step(s);
    EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_CUT), 1);
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

/* c1: several records in one read, and a reader that pauses after each report. */
EACH(what_waits_while_paused_comes_without_an_event) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    static char much[100000];
    tls_peer *p;
    size_t sent = 0;
    int i;
    site_start(s, engine, (wshub_io_tls_desc){0});
    memset(much, 'm', sizeof much);
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    s->pause = true;
    for (i = 0; i < 60000 && s->got_len < sizeof much; i++) {
        if (sent < sizeof much) {
            int n = SSL_write(p->ssl, much,
                              (int)(sizeof much - sent < 9000 ? sizeof much - sent : 9000));
            if (n > 0) sent += (size_t)n;
        }
        if (i % 5 == 4) s->io->pause(s->io->ctx, s->conn, false);
        site_step(s);
    }
    EXPECT_INT(s->got_len, sizeof much);
    EXPECT(memcmp(s->got, much, sizeof much) == 0);
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

/* c1, c4: the same, and the end of the socket is seen while some of it waits: all of it is told
 * first; then the end, or, without close_notify, that the stream is closed. */
EACH(what_waits_while_paused_comes_before_the_end) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    static char much[130000];
    int cut, i;
    memset(much, 'm', sizeof much);
    for (cut = 0; cut < 2; cut++) {
        tls_peer *p;
        size_t sent = 0;
        site_start(s, engine, (wshub_io_tls_desc){0});
        p = peer_dial(s, ctx, NULL, NULL);
        EXPECT(peer_shaken(s, p));
        s->io->pause(s->io->ctx, s->conn, true);
        s->pause = true;
        for (i = 0; i < 60000 && sent < sizeof much; i++) {
            int n = SSL_write(p->ssl, much + sent, (int)(sizeof much - sent));
            if (n > 0) sent += (size_t)n;
            site_step(s);
        }
        EXPECT_INT(sent, sizeof much);
        if (!cut) EXPECT(SSL_shutdown(p->ssl) >= 0);
        EXPECT_INT(shutdown(p->fd, SHUT_WR), 0);
        for (i = 0; i < 60000 && !s->ended && !s->closed; i++) {
            s->io->pause(s->io->ctx, s->conn, false);
            site_step(s);
        }
        EXPECT_INT(s->got_len, sizeof much);
        EXPECT_INT(s->ended, !cut);
        EXPECT_INT(s->closed, cut);
        EXPECT_INT(site_stats(s).truncated, cut);
        tls_peer_free(p);
        site_end(s);
    }
    SSL_CTX_free(ctx);
}

/* mbedTLS 3.x speaks TLS 1.3 and does not know the message: who sends it is refused. */
static bool updates_keys(const tls_engine *engine) {
    return strcmp(engine->name, "mbedTLS") != 0;
}

/* c2, c8: a KeyUpdate that wants an answer, also while what we sent is not read. */
EACH(keys_are_updated_between_records) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    static char big[400000], heard[400000];
    tls_peer *p;
    bool ended = false;
    size_t n = 0, offered = 0;
    int i;
    if (!engine->table->tls13) { /* c7: it has neither version nor message */
        SSL_CTX_free(ctx);
        return;
    }
    for (i = 0; i < (int)sizeof big; i++) big[i] = (char)('a' + i % 19);
    site_start(s, engine, (wshub_io_tls_desc){0});
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    for (i = 0; i < 60000 && n < sizeof big && !ended; i++) {
        wshub_span span = {(const uint8_t *)big + offered, sizeof big - offered};
        if (span.len) offered += (size_t)s->io->send(s->io->ctx, s->conn, &span, 1);
        if (i % 7 == 3 && i < 60) {
            EXPECT_INT(SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
            (void)SSL_write(p->ssl, "k", 1);
        }
        site_step(s);
        if (i > 20) n += tls_peer_hear(p, heard + n, sizeof heard - n, &ended);
    }
    EXPECT(ended == !updates_keys(engine));
    if (updates_keys(engine)) {
        EXPECT_INT(n, sizeof big);
        EXPECT(memcmp(big, heard, n) == 0 && s->got_len > 3);
    } else {
        EXPECT_INT(s->closed, 1);
        EXPECT_INT(s->got_len, 0);
        EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_RECORD), 1); /* c7 */
        EXPECT_HAS(s->error, "a record or message that TLS does not allow");
    }
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

/* Who renegotiates is refused, and counted; what it said before is told. */
EACH(a_handshake_is_not_begun_anew) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    tls_peer *p;
    char buf[8];
    bool ended;
    int i;
    site_start(s, engine, (wshub_io_tls_desc){.linger_ms = 20});
    tls_peer_version = TLS1_2_VERSION;
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    EXPECT_INT(SSL_write(p->ssl, "right", 5), 5);
    (void)SSL_renegotiate(p->ssl);
    (void)SSL_do_handshake(p->ssl);
    (void)peer_hear(s, p, buf, 1, &ended);
    EXPECT(ended && s->opened == 1);
    for (i = 0; i < 60000 && !s->closed; i++) site_step(s);
    EXPECT_INT(s->closed, 1);
    EXPECT_INT(s->got_len, 5);
    EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_RECORD), 1);
    EXPECT_HAS(s->error, "begins the handshake anew");
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    tls_peer_version = 0;
    site_end(s);
}

EACH(a_record_that_cannot_be_opened_ends_its_stream) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    tls_peer *p;
    int i;
    site_start(s, engine, (wshub_io_tls_desc){.linger_ms = 20});
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    EXPECT_INT(SSL_write(p->ssl, "right", 5), 5);
    EXPECT_INT(send(p->fd, "\x17\x03\x03\x00\x20 this was never sealed by a key", 36, MSG_NOSIGNAL),
               36);
    EXPECT_INT(send(p->fd, " ", 1, MSG_NOSIGNAL), 1);
    for (i = 0; i < 60000 && !s->closed; i++) site_step(s);
    EXPECT(s->closed == 1 && s->got_len == 5); /* what came before is told */
    EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_RECORD), 1);
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

EACH(a_handshake_has_a_clock_and_a_limit) {
    tls_peer *p[4];
    int i;
    site_start(s, engine, (wshub_io_tls_desc){.handshake_ms = 1500, .handshakes_max = 3});
    for (i = 0; i < 4; i++) p[i] = tls_peer_on(dial_port(s->port), NULL);
    for (i = 0; i < 60000 && site_stats(s).shed < 1; i++) site_step(s);
    EXPECT_INT(site_stats(s).shed, 1);
    EXPECT_INT(site_stats(s).under_way, 3);
    for (i = 0; i < 60000 && site_failed(s, WSHUB_TLS_FAIL_LATE) < 3; i++) { /* bytes buy no time */
        if (i < 3) (void)send(p[0]->fd, "\x16\x03\x01" + i, 1, MSG_NOSIGNAL);
        site_step(s);
    }
    EXPECT_INT(site_failed(s, WSHUB_TLS_FAIL_LATE), 3);
    EXPECT_INT(s->opened, 0);
    for (i = 0; i < 4; i++) tls_peer_free(p[i]);
    site_end(s);
}

EACH(certificates_are_read_again_and_nobody_is_dropped) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    wshub_tls_pair other = {.cert = tls_other_cert, .key = tls_other_key};
    wshub_tls_pair bad = {.cert = tls_other_cert, .key = tls_server_key};
    wshub_io_tls_desc desc = {.pairs = &other, .pairs_count = 1};
    tls_peer *p, *q;
    char text[64] = "", buf[8];
    bool ended;
    wshub_conn first;
    site_start(s, engine, (wshub_io_tls_desc){0});
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    first = s->conn;
    desc.pairs = &bad;
    EXPECT_INT(wshub_io_tls_reload(s->tls, &desc), WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_io_tls_error(s->tls), "key");
    desc.pairs = &other;
    EXPECT_INT(wshub_io_tls_reload(s->tls, &desc), WSHUB_OK);
    q = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, q));
    (void)X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(q->ssl)), text, 64);
    EXPECT_STR(text, "/CN=other");
    s->conn = first;
    site_says(s, "old");
    EXPECT_INT(peer_hear(s, p, buf, 3, &ended), 3);
    EXPECT_INT(site_stats(s).reloads, 1);
    tls_peer_free(p);
    tls_peer_free(q);
    SSL_CTX_free(ctx);
    site_end(s);
}

/* A text as a file beside the programs of the tests. Returns its path, a view until the next. */
static const char *a_file(const char *name, const char *text) {
    static char paths[4][96];
    static size_t at;
    char *path = paths[at++ % 4];
    FILE *f;
    (void)snprintf(path, sizeof paths[0], "build/tls-%d-%s", (int)getpid(), name);
    f = fopen(path, "w");
    EXPECT(f && fputs(text, f) >= 0);
    if (f) (void)fclose(f);
    return path;
}

/* The same from files, a whole chain: a peer that trusts the root alone is content. What lies there
 * later is taken by reload alone. */
EACH(certificates_are_read_from_files) {
    const char *cert = a_file("cert.pem", tls_server_cert),
               *key = a_file("key.pem", tls_server_key);
    wshub_tls_pair pair = {.cert = cert, .key = key};
    wshub_io_tls_desc desc = {.pairs = &pair, .pairs_count = 1};
    static const char *const names[] = {"localhost", "localhost", "other.test"};
    size_t i;
    site_start(s, engine, desc);
    for (i = 0; i < 3; i++) {
        SSL_CTX *ctx = peer_ctx(tls_root_cert, NULL, NULL);
        tls_peer *p = peer_dial(s, ctx, NULL, NULL);
        SSL_set1_host(p->ssl, names[i]);
        EXPECT(peer_shaken(s, p));
        EXPECT_INT(SSL_get_verify_result(p->ssl), X509_V_OK);
        tls_peer_free(p);
        SSL_CTX_free(ctx);
        if (!i) {
            (void)a_file("cert.pem", tls_other_cert);
            (void)a_file("key.pem", tls_other_key);
        }
        if (i == 1) EXPECT_INT(wshub_io_tls_reload(s->tls, &desc), WSHUB_OK);
    }
    (void)unlink(cert);
    (void)unlink(key);
    site_end(s);
}

/* With no certificate left, who comes in is closed, and so is who came in and has said nothing. */
EACH(who_has_said_nothing_yet_outlives_a_reload_that_takes_all_certificates_away) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    wshub_io_tls_desc none = {0};
    tls_peer *p;
    int fd;
    char byte;
    int i;
    site_start(s, engine, (wshub_io_tls_desc){0});
    fd = dial_port(s->port);
    for (i = 0; i < 60000 && !site_stats(s).under_way; i++) site_step(s);
    EXPECT_INT(site_stats(s).under_way, 1);
    EXPECT_INT(wshub_io_tls_reload(s->tls, &none), WSHUB_OK);
    p = tls_peer_on(fd, ctx);
    for (i = 0; i < 60000 && !site_stats(s).shed; i++) site_step(s);
    EXPECT_INT(site_stats(s).shed, 1);
    EXPECT_INT(s->opened, 0);
    while (recv(fd, &byte, 1, 0) > 0) {
    } /* it is closed */
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

#ifdef WITH_MBEDTLS
static int mbed_random(void *ctx, unsigned char *out, size_t count) {
    (void)ctx;
    memset(out, 7, count);
    return 0;
}
static int mbed_says(void *ctx, const unsigned char *bytes, size_t count) {
    ssize_t n = send(*(int *)ctx, bytes, count, MSG_NOSIGNAL);
    return n < 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : (int)n;
}
static int mbed_hears(void *ctx, unsigned char *bytes, size_t count) {
    ssize_t n = recv(*(int *)ctx, bytes, count, MSG_DONTWAIT);
    return n < 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)n;
}
/* Records that hold nothing may come at any time (RFC 5246 6.2.1, RFC 8446 5.1), and some send one
 * in front of each that holds something: they are no end. */
EACH(records_that_hold_nothing_end_nothing) {
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    int fd, r = MBEDTLS_ERR_SSL_WANT_READ, i;
    site_start(s, engine, (wshub_io_tls_desc){0});
    fd = dial_port(s->port);
    mbedtls_ssl_config_init(&conf);
    mbedtls_ssl_init(&ssl);
    EXPECT_INT(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
                                           MBEDTLS_SSL_TRANSPORT_STREAM,
                                           MBEDTLS_SSL_PRESET_DEFAULT),
               0);
    mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&conf, mbed_random, NULL);
    EXPECT_INT(mbedtls_ssl_setup(&ssl, &conf), 0);
    mbedtls_ssl_set_bio(&ssl, &fd, mbed_says, mbed_hears, NULL);
    for (i = 0; i < 60000 && r; i++) {
        r = mbedtls_ssl_handshake(&ssl);
        site_step(s);
    }
    EXPECT_INT(r, 0);
    for (i = 0; i < 3; i++) EXPECT_INT(mbedtls_ssl_write(&ssl, (const unsigned char *)"", 0), 0);
    EXPECT_INT(mbedtls_ssl_write(&ssl, (const unsigned char *)"hello", 5), 5);
    for (i = 0; i < 60000 && s->got_len < 5 && !s->ended && !s->closed; i++) site_step(s);
    EXPECT_INT(s->ended + s->closed, 0);
    EXPECT_INT(s->got_len, 5);
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&conf);
    (void)close(fd);
    site_end(s);
}
#endif

/* A program's own failures with the library are nobody's here. */
EACH(what_waits_in_the_librarys_error_queue_harms_nobody) {
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    tls_peer *p;
    site_start(s, engine, (wshub_io_tls_desc){0});
    p = peer_dial(s, ctx, NULL, NULL);
    EXPECT(peer_shaken(s, p));
    EXPECT_INT(SSL_write(p->ssl, "fine", 4), 4);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
    peer_says(s, p, "", 4);
    EXPECT_INT(s->closed, 0);
    ERR_clear_error();
    tls_peer_free(p);
    SSL_CTX_free(ctx);
    site_end(s);
}

/* ---- the io dials ---- */

static void dialled(const tls_engine *engine, site *s, const wshub_tls_pair *pair,
                    const char *roots, const char *address_form, const char *name,
                    wshub_verify verify, int want_failure) {
    wshub_io_owner o;
    wshub_conn c;
    wshub_about a;
    site guest;
    char address[64];
    wshub_dial dial = {.address = address, .server_name = name, .secure = true, .verify = verify};
    int i;
    memset(&guest, 0, sizeof guest);
    site_start(s, engine, (wshub_io_tls_desc){.pairs = pair, .pairs_count = 1, .roots = roots});
    o = site_owner(&guest);
    guest.io = s->io;
    (void)snprintf(address, sizeof address, address_form, (unsigned)s->port);
    EXPECT_INT(s->io->guest(s->io->ctx, &o, true), WSHUB_OK);
    EXPECT_INT(s->io->connect(s->io->ctx, &guest, &dial, &c), WSHUB_OK);
    for (i = 0; i < 60000 && !(guest.opened && s->opened) && !guest.closed; i++) site_step(s);
    if (want_failure < 0) {
        wshub_span span = {(const uint8_t *)"hi", 2};
        EXPECT(guest.opened == 1 && s->opened == 1);
        EXPECT(s->io->about(s->io->ctx, c, &a) && a.secure && a.peer_cert.ptr);
        EXPECT(a.peer_verified == (verify != WSHUB_VERIFY_NONE));
        EXPECT(s->io->about(s->io->ctx, s->conn, &a));
        EXPECT(!a.server_name.ptr == !(name ? name[0] >= 'a' : address[0] >= 'a')); /* c10 */
        EXPECT(!a.server_name.ptr || a.server_name.ptr[a.server_name.len - 1] != '.');
        EXPECT_INT(s->io->send(s->io->ctx, c, &span, 1), 2);
        for (i = 0; i < 60000 && s->got_len < 2; i++) site_step(s);
        EXPECT_INT(s->got_len, 2);
    } else {
        EXPECT(guest.opened == 0 && guest.closed == 1);
        EXPECT(site_failed(s, (wshub_tls_failure)want_failure) >= 1);
        EXPECT(s->io->error(s->io->ctx)[0]);
    }
    EXPECT_INT(s->io->guest(s->io->ctx, &o, false), WSHUB_OK);
    site_end(s);
}

EACH(who_is_dialled_has_to_prove_its_name) {
    static const wshub_tls_pair numbers = {.cert = tls_numbers_cert, .key = tls_numbers_key},
                                expired = {.cert = tls_expired_cert, .key = tls_expired_key},
                                self = {.cert = tls_self_cert, .key = tls_self_key},
                                six = {.cert = tls_six_cert, .key = tls_six_key};
    const char *root = tls_root_cert;
    dialled(engine, s, &the_pair, root, "localhost:%u", NULL, WSHUB_VERIFY_FULL, -1);
    dialled(engine, s, &the_pair, root, "127.0.0.1:%u", "localhost.", WSHUB_VERIFY_FULL,
            -1);                                                                      /* c11 */
    dialled(engine, s, &the_pair, root, "127.0.0.1:%u", NULL, WSHUB_VERIFY_FULL, -1); /* c10 */
    dialled(engine, s, &numbers, root, "127.0.0.1:%u", NULL, WSHUB_VERIFY_FULL,
            WSHUB_TLS_FAIL_NAME);
    dialled(engine, s, &six, tls_six_cert, "127.0.0.1:%u", "::1", WSHUB_VERIFY_FULL, -1);
    dialled(engine, s, &six, tls_six_cert, "127.0.0.1:%u", "::2", WSHUB_VERIFY_FULL,
            WSHUB_TLS_FAIL_NAME);
    dialled(engine, s, &the_pair, root, "127.0.0.1:%u", "a.example.org", WSHUB_VERIFY_FULL, -1);
    dialled(engine, s, &the_pair, root, "127.0.0.1:%u", "a.b.example.org", WSHUB_VERIFY_FULL,
            WSHUB_TLS_FAIL_NAME);
    dialled(engine, s, &the_pair, root, "127.0.0.1:%u", "wrong.test", WSHUB_VERIFY_FULL,
            WSHUB_TLS_FAIL_NAME);
    dialled(engine, s, &the_pair, root, "127.0.0.1:%u", "wrong.test", WSHUB_VERIFY_CHAIN, -1);
    dialled(engine, s, &expired, root, "localhost:%u", NULL, WSHUB_VERIFY_FULL,
            WSHUB_TLS_FAIL_EXPIRED);
    dialled(engine, s, &self, root, "localhost:%u", NULL, WSHUB_VERIFY_FULL,
            WSHUB_TLS_FAIL_UNTRUSTED);
    dialled(engine, s, &self, root, "localhost:%u", NULL, WSHUB_VERIFY_NONE, -1);
}

/* Without roots of its own it trusts whom the system does, read when somebody dials. */
EACH(whom_the_system_trusts_is_trusted) {
    EXPECT_INT(setenv("SSL_CERT_FILE", a_file("roots.pem", tls_root_cert), 1), 0);
    dialled(engine, s, &the_pair, NULL, "localhost:%u", NULL, WSHUB_VERIFY_FULL, -1);
    EXPECT_INT(setenv("SSL_CERT_FILE", a_file("roots.pem", tls_self_cert), 1), 0);
    dialled(engine, s, &the_pair, NULL, "localhost:%u", NULL, WSHUB_VERIFY_FULL,
            WSHUB_TLS_FAIL_UNTRUSTED);
    (void)unlink(getenv("SSL_CERT_FILE"));
    (void)unsetenv("SSL_CERT_FILE");
}

/* ---- a hub over it ---- */

/* How its WebSockets ended, and what was logged of it. */
static struct {
    int count;
    uint16_t code;
    char log[1000];
} ends;

static void ends_count(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)user;
    ends.count++;
    ends.code = gone->code;
}
static void ends_log(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    if (line->level < WSHUB_LEVEL_WARN) return;
    (void)snprintf(ends.log, sizeof ends.log, "%s", line->text);
}

static bool heard_it(site *s, tls_peer *p, const char *what, size_t len) {
    static char heard[1000];
    bool ended = false;
    size_t n = 0;
    int i;
    for (i = 0; i < 60000 && !ended && !memmem(heard, n, what, len); i++) {
        site_step(s);
        n += tls_peer_hear(p, heard + n, sizeof heard - n, &ended);
    }
    return memmem(heard, n, what, len) != NULL;
}

/* c4: the connection ends without close_notify. Behind a Close that is nothing, whether the peer
 * waits for ours or not; without one the WebSocket is lost (1006), and counted. None of it makes a
 * line of warning. */
enum { CUT_BEHIND_BOTH, CUT_BEHIND_CLOSE, CUT_WITHOUT, CUTS };
EACH(a_cut_harms_no_websocket_that_has_said_close) {
    static const char hello[] =
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";
    static const char bye[] = "\x88\x82\0\0\0\0\x03\xE8";
    SSL_CTX *ctx = peer_ctx(NULL, NULL, NULL);
    int how, i;
    for (how = 0; how < CUTS; how++) {
        wshub_desc d;
        tls_peer *p;
        wshub *hub;
        site_start(s, engine, (wshub_io_tls_desc){0});
        s->io->attach(s->io->ctx, NULL); /* the hub's from here on */
        memset(&d, 0, sizeof d);
        d.io = s->io;
        d.on_authenticate = accept_all;
        d.on_disconnected = ends_count;
        d.on_log = ends_log;
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
        p = peer_dial(s, ctx, NULL, NULL);
        for (i = 0; i < 60000 && !tls_peer_shake(p); i++) site_step(s);
        EXPECT_INT(SSL_write(p->ssl, hello, sizeof hello - 1), sizeof hello - 1);
        EXPECT(heard_it(s, p, "connected", 9));
        memset(&ends, 0, sizeof ends); /* what a hub says at first */
        if (how != CUT_WITHOUT) EXPECT_INT(SSL_write(p->ssl, bye, sizeof bye - 1), sizeof bye - 1);
        if (how == CUT_BEHIND_BOTH) EXPECT(heard_it(s, p, "\x88\x02\x03\xE8", 4));
        tls_peer_free(p);
        for (i = 0; i < 60000 && !ends.count; i++) site_step(s);
        EXPECT_INT(ends.count, 1);
        EXPECT_INT(ends.code, how == CUT_WITHOUT ? 1006 : 1000);
        if (how != CUT_BEHIND_CLOSE) EXPECT_INT(site_stats(s).truncated, how == CUT_WITHOUT);
        EXPECT_STR(s->error, "");
        EXPECT_STR(ends.log, "");
        wshub_destroy(hub);
        site_end(s);
    }
    SSL_CTX_free(ctx);
}

/* What dialling needs is made when somebody dials: who is on the way when all is read again, and no
 * roots are named, goes on with the system's that are there then, or fails if there are none. */
EACH(who_is_dialling_outlives_a_reload) {
    static const wshub_io_tls_desc read = {.pairs = &the_pair, .pairs_count = 1};
    char roots[] = "/tmp/wshub-roots-XXXXXX";
    int fd = mkstemp(roots), gone, i;
    EXPECT(fd >= 0 && write(fd, tls_root_cert, strlen(tls_root_cert)) > 0);
    EXPECT_INT(close(fd), 0);
    EXPECT_INT(setenv("SSL_CERT_FILE", roots, 1), 0);
    for (gone = 0; gone < 2; gone++) {
        char address[64];
        wshub_dial dial = {.address = address, .secure = true, .verify = WSHUB_VERIFY_FULL};
        wshub_io_owner o;
        site guest;
        wshub_conn c;
        memset(&guest, 0, sizeof guest);
        site_start(s, engine, (wshub_io_tls_desc){0});
        o = site_owner(&guest);
        guest.io = s->io;
        (void)snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)s->port);
        EXPECT_INT(s->io->guest(s->io->ctx, &o, true), WSHUB_OK);
        EXPECT_INT(s->io->connect(s->io->ctx, &guest, &dial, &c), WSHUB_OK);
        EXPECT_INT(wshub_io_tls_reload(s->tls, &read), WSHUB_OK);
        if (gone) EXPECT_INT(unlink(roots), 0);
        for (i = 0; i < 60000 && !(guest.opened && s->opened) && !guest.closed; i++) site_step(s);
        EXPECT_INT(guest.opened, !gone);
        EXPECT_INT(guest.closed, gone);
        EXPECT_INT(s->io->guest(s->io->ctx, &o, false), WSHUB_OK);
        site_end(s);
    }
    EXPECT_INT(unsetenv("SSL_CERT_FILE"), 0);
}

/* The oldest version is the description's that was read last, for who dials, too; and where the
 * library has no such one, it is refused then as at the beginning. */
EACH(an_oldest_version_that_is_read_again_holds_both_ways) {
    static const uint8_t alone[] = {0, 0x2b, 0, 3, 2, 3, 4}; /* supported_versions: 1.3 */
    wshub_io_tls_desc read = {.pairs = &the_pair, .pairs_count = 1, .version_min = 13};
    struct sockaddr_in at;
    socklen_t at_len = sizeof at;
    char address[64];
    uint8_t hello[2048];
    wshub_dial dial = {.address = address, .secure = true, .verify = WSHUB_VERIFY_NONE};
    wshub_io_owner o;
    site guest;
    wshub_conn c;
    ssize_t n = 0;
    int fd, peer = -1, i;
    memset(&guest, 0, sizeof guest);
    site_start(s, engine, (wshub_io_tls_desc){0});
    if (!engine->table->tls13) {
        EXPECT_INT(wshub_io_tls_reload(s->tls, &read), WSHUB_ERR_PARAM);
        EXPECT_HAS(wshub_io_tls_error(s->tls), "version_min:");
        site_end(s);
        return;
    }
    EXPECT_INT(wshub_io_tls_reload(s->tls, &read), WSHUB_OK);

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_INT(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    EXPECT_INT(listen(fd, 1), 0);
    EXPECT_INT(getsockname(fd, (struct sockaddr *)&at, &at_len), 0);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    o = site_owner(&guest);
    guest.io = s->io;
    EXPECT_INT(s->io->guest(s->io->ctx, &o, true), WSHUB_OK);
    EXPECT_INT(s->io->connect(s->io->ctx, &guest, &dial, &c), WSHUB_OK);
    peer = accept(fd, NULL, NULL);
    for (i = 0; i < 60000 && n < 6; i++) {
        site_step(s);
        n = recv(peer, hello, sizeof hello, MSG_DONTWAIT | MSG_PEEK);
    }
    EXPECT_OP(n, >, 6);
    for (i = 0; i + (int)sizeof alone <= n; i++) {
        if (memcmp(hello + i, alone, sizeof alone) == 0) break;
    }
    EXPECT(i + (int)sizeof alone <= n);
    (void)close(peer);
    (void)close(fd);
    EXPECT_INT(s->io->guest(s->io->ctx, &o, false), WSHUB_OK);
    site_end(s);
}

EACH(what_is_wrong_with_a_description_is_said) {
    wshub_io_tls_desc desc = {0};
    wshub_io_tls *tls = NULL;
    wshub_tls_pair pair = the_pair;
    wshub_io_sock *net;
    char why[300];
    (void)s;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
#define SAYS(text)                                                                                 \
    EXPECT(wshub_io_tls_create_versioned(&desc, sizeof desc, WSHUB_IO_TLS_DESC_VERSION,            \
                                         engine->table, &tls, why,                                 \
                                         sizeof why) == WSHUB_ERR_PARAM);                          \
    EXPECT_HAS(why, text);                                                                         \
    EXPECT(!tls)
    SAYS("io:");
    desc.io = wshub_io_sock_io(net);
    desc.pairs_count = 1;
    SAYS("pairs:");
    desc.pairs = &pair;
    desc.pairs_count = 0;
    SAYS("pairs: a list needs its pairs_count");
    desc.pairs_count = 1;
    pair.key = NULL;
    SAYS("cert and key");
    pair.key = tls_other_key;
    SAYS("key (given as text)");
    pair.key = "no/such/file";
    SAYS("no/such/file");
    pair.cert = "-----BEGIN NONSENSE-----\n";
    SAYS("certificate (given as text)");
    pair = the_pair;
    desc.version_min = 11;
    SAYS("version_min:");
    desc.version_min = 0;
    desc.clients = WSHUB_TLS_CLIENTS_REQUIRE;
    SAYS("client_roots:");
    desc.clients = WSHUB_TLS_CLIENTS_ANY; /* then everybody would come in without one */
    desc.client_roots = tls_root_cert;
    SAYS("client_roots: nobody is asked");
    desc.client_roots = NULL;
    desc.handshake_ms = 700000;
    SAYS("handshake_ms:");
    desc.handshake_ms = 0;
    desc.ticket_keys_count = 1;
    SAYS("ticket_keys:");
#undef SAYS
    wshub_io_sock_destroy(net);
}
#endif
