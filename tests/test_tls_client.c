/* wss:// and https:// of the clients (backends/wshub_ext_client.h, wshub_ext_client_engineio.h) by each library of TLS that is there, over
 * sockets: a hub over TLS answers, with certificates that are right and wrong; each failure has the
 * kind that decides whether it is tried again. Built with -DWITH_OPENSSL and -DWITH_MBEDTLS where
 * these are; else it says that it is skipped. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client_engineio.h"
#include "wshub_io_tls.h"
#ifdef WITH_OPENSSL
#include "wshub_io_openssl.h"
#endif
#ifdef WITH_MBEDTLS
#include "wshub_io_mbedtls.h"
#endif
#include "tls_certs.h"
#include <errno.h>
#include <signal.h>
#include "connect_proxy.h"

static const wshub_tls_engine *engine_at(size_t i) {
    static const wshub_tls_engine *all[3];
    size_t n = 0;
#ifdef WITH_OPENSSL
    all[n++] = wshub_io_openssl_engine();
#endif
#ifdef WITH_MBEDTLS
    all[n++] = wshub_io_mbedtls_engine();
#endif
    return i < n ? all[i] : NULL;
}

/* A hub over TLS and clients on the same sockets: the server's side and the clients' have an io of
 * TLS each, as they would in two programs. */
static wshub_io_sock *server_net, *net;
static wshub_io_tls *server_tls, *tls;
static wshub *hub;
static wshub_ws_pool *pool;
static wshub_ext_client *client;
static uint16_t port;
static char told[512];
static connect_proxy *proxy; /* NULL: clients go straight to the server */
static char error_text[200]; /* of the last connect_error */

static void on_authenticate(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    (void)wshub_auth_accept(h, ask, &who);
}
static wshub_err on_message(wshub *h, wshub_client c, const wshub_event *event, void *user) {
    wshub_msg msg;
    (void)user;
    memset(&msg, 0, sizeof msg);
    msg.event = event->event;
    msg.data = event->data;
    return wshub_client_send(h, c, &msg);
}
static wshub_io_tls *make(const wshub_tls_engine *engine, const wshub_io *below,
                          const wshub_tls_pair *pair, const char *roots, const wshub_tls_pair *own,
                          bool ask) {
    wshub_io_tls_desc d;
    wshub_io_tls *made = NULL;
    char why[300];
    memset(&d, 0, sizeof d);
    d.io = below;
    d.pairs = pair;
    d.pairs_count = pair ? 1 : 0;
    d.own = own;
    if (ask) d.client_roots = roots;
    if (ask) d.clients = WSHUB_TLS_CLIENTS_REQUIRE;
    if (!pair) d.roots = roots;
    EXPECT_INT(wshub_io_tls_create_versioned(&d, sizeof d, WSHUB_IO_TLS_DESC_VERSION, engine, &made,
                                             why, sizeof why),
               WSHUB_OK);
    EXPECT_STR(why, "");
    return made;
}
/* pair NULL: the server is one in the clear. */
static void start(const wshub_tls_engine *engine, const wshub_tls_pair *pair, const char *roots,
                  const wshub_tls_pair *own, bool ask) {
    wshub_desc d;
    wshub_ws_pool_desc p;
    (void)signal(SIGPIPE, SIG_IGN);
    EXPECT_INT(wshub_io_auto_create(NULL, &server_net), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(server_net, "127.0.0.1", 0, &port), WSHUB_OK);
    memset(&d, 0, sizeof d);
    server_tls = NULL;
    if (pair)
        server_tls = make(engine, wshub_io_sock_io(server_net), pair, tls_root_cert, NULL, ask);
    d.io = pair ? wshub_io_tls_io(server_tls) : wshub_io_sock_io(server_net);
    d.on_authenticate = on_authenticate;
    d.on_message = on_message;
    d.no_log = true;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    tls = make(engine, wshub_io_sock_io(net), NULL, roots, own, false);
    memset(&p, 0, sizeof p);
    p.io = wshub_io_tls_io(tls);
    EXPECT_INT(wshub_ws_pool_create(&p, &pool), WSHUB_OK);
    told[0] = 0;
}
static void stop(void) {
    wshub_ext_client_destroy(client);
    wshub_ws_pool_destroy(pool);
    wshub_io_tls_destroy(tls);
    wshub_io_sock_destroy(net);
    wshub_destroy(hub);
    wshub_io_tls_destroy(server_tls);
    wshub_io_sock_destroy(server_net);
}
static void tell(const char *what, const char *more) {
    size_t n = strlen(told);
    (void)snprintf(told + n, sizeof told - n, "%s%s;", what, more);
}
static void step(void) {
    EXPECT_INT(wshub_io_sock_run_once(server_net, 1), WSHUB_OK);
    if (proxy) proxy_step(proxy);
    EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
}
/* Until so many things were told. */
static void until(size_t things) {
    size_t i, n;
    const char *at;
    for (i = 0; i < 20000; i++) {
        for (n = 0, at = told; *at; at++) n += *at == ';';
        if (n >= things) return;
        step();
    }
    EXPECT(!"told in time");
}

static void on_connected(wshub_ext_client *c, const wshub_ws_about *about, void *user) {
    wshub_about known;
    const wshub_io *io = wshub_io_tls_io(tls);
    (void)c;
    (void)user;
    EXPECT(io->about(io->ctx, about->conn, &known) && known.secure);
    tell("connected ", known.peer_verified ? "verified" : "unverified");
}
static void on_connect_error(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                             void *user) {
    (void)c;
    (void)user;
    EXPECT(again == (gone->why != WSHUB_WS_END_CERTIFICATE && gone->status != 407));
    (void)snprintf(error_text, sizeof error_text, "%s", gone->text);
    if (gone->why == WSHUB_WS_END_CERTIFICATE || gone->why == WSHUB_WS_END_TLS)
        EXPECT_HAS(gone->text, "TLS with localhost: ");
    tell("", wshub_ws_why_name(gone->why));
}
static void on_disconnected(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                            void *user) {
    (void)c;
    (void)gone;
    (void)again;
    (void)user;
    tell("gone", "");
}
static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    char text[64];
    (void)c;
    (void)user;
    (void)snprintf(text, sizeof text, " %.*s", (int)event->data.len, event->data.ptr);
    tell("event", text);
}
static void dial(const char *host, wshub_verify verify) {
    static wshub_ext_client_events events;
    static wshub_ext_client_desc d;
    static char url[64];
    (void)snprintf(url, sizeof url, "wss://%s:%u/ws", host, (unsigned)port);
    memset(&events, 0, sizeof events);
    events.connected = on_connected;
    events.connect_error = on_connect_error;
    events.disconnected = on_disconnected;
    events.event = on_event;
    memset(&d, 0, sizeof d);
    d.ws.url = url;
    d.ws.verify = verify;
    d.ws.proxy = proxy ? proxy->url : NULL;
    d.ws.connect_timeout_ms = proxy && !proxy->answer ? 50 : 0;
    d.events = &events;
    d.auth = "{}";
    d.reconnect_delay_ms = 86400000;
    d.reconnect_delay_max_ms = 86400000;
    EXPECT_INT(wshub_ext_client_create(pool, &d, NULL, &client), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_subscribe(client, wshub_str_z("say")), WSHUB_OK);
}
/* One attempt with localhost, of which `want` is told. */
static void attempt(const wshub_tls_engine *engine, const wshub_tls_pair *pair, const char *roots,
                    const char *host, wshub_verify verify, const char *want) {
    start(engine, pair, roots, NULL, false);
    dial(host, verify);
    until(1);
    EXPECT_STR(told, want);
    stop();
}
static const wshub_tls_pair good = {NULL, tls_server_cert, tls_server_key};

static void talks(const wshub_tls_engine *engine) {
    wshub_msg msg;
    start(engine, &good, tls_root_cert, NULL, false);
    dial("localhost", WSHUB_VERIFY_FULL);
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("say");
    msg.data = wshub_str_z("1.50");
    EXPECT_INT(wshub_ext_client_emit(client, &msg, false), WSHUB_OK);
    until(2);
    EXPECT_STR(told, "connected verified;event 1.50;");
    EXPECT_INT(wshub_ext_client_disconnect(client, 1000, wshub_str_z("")), WSHUB_OK);
    until(3);
    EXPECT_STR(told, "connected verified;event 1.50;gone;");
    stop();
}
static void fails(const wshub_tls_engine *engine) {
    static const wshub_tls_pair other = {NULL, tls_other_cert, tls_other_key},
                                expired = {NULL, tls_expired_cert, tls_expired_key},
                                self = {NULL, tls_self_cert, tls_self_key};
    const char *root = tls_root_cert;
    attempt(engine, &good, root, "127.0.0.1", WSHUB_VERIFY_FULL, "connected verified;");
    attempt(engine, &other, root, "localhost", WSHUB_VERIFY_FULL, "certificate;");
    attempt(engine, &expired, root, "localhost", WSHUB_VERIFY_FULL, "certificate;");
    attempt(engine, &self, root, "localhost", WSHUB_VERIFY_FULL, "certificate;");
    attempt(engine, &self, root, "localhost", WSHUB_VERIFY_NONE, "connected unverified;");
    attempt(engine, &self, tls_self_cert, "localhost", WSHUB_VERIFY_FULL, "connected verified;");
    attempt(engine, NULL, root, "localhost", WSHUB_VERIFY_FULL, "tls;"); /* a server in the clear */
}
/* A server that wants a certificate gets ours; without one it is no matter of the server's. */
static void shows(const wshub_tls_engine *engine) {
    static const wshub_tls_pair own = {NULL, tls_client_cert, tls_client_key};
    start(engine, &good, tls_root_cert, &own, true);
    dial("localhost", WSHUB_VERIFY_FULL);
    until(1);
    EXPECT_STR(told, "connected verified;");
    stop();
}
/* Long-polling over https, and from there to wss: an engine echoes. */
static void on_echo(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes, size_t count,
                    bool text, void *user) {
    (void)user;
    EXPECT_INT(wshub_eio_send(eio, session, bytes, count, text), WSHUB_OK);
}
static void on_link_opened(wshub_eio_link *link, void *user) {
    (void)user;
    tell("opened", "");
    EXPECT_INT(wshub_eio_link_send(link, WSHUB_WS_TEXT, "4hello", 6), WSHUB_OK);
}
static void on_link_message(wshub_eio_link *link, wshub_ws_kind kind, uint8_t *bytes, size_t count,
                            void *user) {
    char text[20];
    (void)user;
    (void)snprintf(text, sizeof text, " %.*s", (int)count, (char *)bytes);
    tell(kind == WSHUB_WS_TEXT ? "text" : "bytes", text);
    if (kind == WSHUB_WS_TEXT)
        EXPECT_INT(wshub_eio_link_send(link, WSHUB_WS_BINARY, "you", 3), WSHUB_OK);
}
static void on_link_over(wshub_eio_link *link, const wshub_eio_over *over, void *user) {
    (void)link;
    (void)user;
    tell("over ", over->gone ? wshub_ws_why_name(over->gone->why) : over->text);
}
static void on_link_closed(wshub_eio_link *link, void *user) {
    (void)link;
    (void)user;
    tell("closed", "");
}
static void polls(const wshub_tls_engine *engine) {
    static const wshub_eio_link_events events = {on_link_opened, on_link_message, NULL,
                                                 on_link_over,   on_link_closed,  NULL};
    wshub_eio_desc served;
    wshub_eio_link_desc d;
    wshub_eio_link *link;
    wshub_eio *eio;
    wshub_ws_desc to;
    char url[64];
    size_t i, trusted;
    client = NULL;
    for (trusted = 0; trusted < 2; trusted++) {
        start(engine, &good, trusted ? tls_root_cert : tls_self_cert, NULL, false);
        memset(&served, 0, sizeof served);
        served.path = "/engine.io/";
        served.on_message = on_echo;
        EXPECT_INT(wshub_eio_create(hub, &served, &eio), WSHUB_OK);
        (void)snprintf(url, sizeof url, "https://localhost:%u", (unsigned)port);
        memset(&to, 0, sizeof to);
        memset(&d, 0, sizeof d);
        to.url = url;
        to.proxy = proxy ? proxy->url : NULL;
        d.ws = &to;
        d.events = &events;
        d.transports = WSHUB_EIO_POLLING_FIRST;
        EXPECT_INT(wshub_eio_link_open(pool, &d, NULL, &link), WSHUB_OK);
        until(trusted ? 3 : 1);
        EXPECT_STR(told, trusted ? "opened;text hello;bytes you;" : "over certificate;");
        for (i = 0; trusted && i < 20000 && !wshub_eio_link_ws(link).id; i++) step();
        EXPECT_INT(wshub_eio_link_ws(link).id != 0, trusted);
        EXPECT_INT(wshub_eio_link_close(link), trusted ? WSHUB_OK : WSHUB_ERR_STATE);
        if (trusted) until(4);
        wshub_eio_link_destroy(link);
        wshub_eio_shutdown(eio);
        stop();
        wshub_eio_destroy(eio);
    }
}
/* All of it through a proxy, which sees where to, its credentials, and TLS. */
#define PROXY_YES "HTTP/1.1 200 Connection established\r\nVia: p\r\n\r\n"
static void goes_through(const wshub_tls_engine *engine) {
    static const size_t pieces[] = {0, 1, 7};
    static connect_proxy p;
    char want[300];
    size_t i;
    for (i = 0; i < 3; i++) {
        proxy_start(proxy = &p, PROXY_YES);
        p.piece = pieces[i];
        talks(engine);
        (void)snprintf(want, sizeof want,
                       "CONNECT localhost:%u HTTP/1.1\r\nHost: localhost:%u\r\n"
                       "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n",
                       (unsigned)port, (unsigned)port);
        EXPECT_STR(p.first, want);
        EXPECT(p.passed[0] && p.passed[1] && !p.clear_text);
        proxy_stop(proxy);
    }
    proxy_start(proxy = &p, PROXY_YES);
    polls(engine); /* the two lines of polling, and the WebSocket behind them */
    EXPECT_OP(p.asked, >, 3);
    EXPECT(!p.clear_text);
    shows(engine);
    fails(engine);
    proxy_stop(proxy);
    proxy = NULL;
}
/* A proxy that is none, refuses, hangs, or leads to nobody. */
static void fails_at_the_proxy(const wshub_tls_engine *engine) {
    static const struct {
        const char *answer, *told, *text;
    } all[] = {
        {"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=\"r\"\r\n\r\nbody", "proxy;",
         "the proxy answers 407 and asks for Basic realm=\"r\""},
        {"HTTP/1.1 502 no\r\nContent-Length: 0\r\n\r\n", "proxy;", "the proxy answers 502"},
        {"SSH-2.0-x\r\n", "proxy;", "what answers does not speak HTTP/1.1"},
        {NULL, "timeout;", "timeout"},
        {PROXY_YES "HTTP/1.1 200 ok\r\n\r\n", "tls;", "TLS with localhost: "},
    };
    static connect_proxy p;
    size_t i;
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        proxy_start(proxy = &p, all[i].answer);
        attempt(engine, &good, tls_root_cert, "localhost", WSHUB_VERIFY_FULL, all[i].told);
        EXPECT_HAS(error_text, all[i].text);
        EXPECT_INT(p.asked, 1);
        proxy_stop(proxy);
    }
    proxy_start(proxy = &p, PROXY_YES);
    proxy_stop(proxy);
    p.listener = -1;
    attempt(engine, &good, tls_root_cert, "localhost", WSHUB_VERIFY_FULL, "connect;");
    EXPECT_HAS(error_text, "cannot connect");
    proxy = NULL;
}
/* What is named and cannot be read is found before anybody dials. */
static void reads(const wshub_tls_engine *engine) {
    wshub_io_tls_desc d;
    wshub_tls_pair own = {NULL, tls_client_cert, tls_other_key};
    wshub_io_tls *made = NULL;
    char why[300];
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    d.io = wshub_io_sock_io(net);
    d.roots = "no/such/file";
    EXPECT_INT(wshub_io_tls_create_versioned(&d, sizeof d, WSHUB_IO_TLS_DESC_VERSION, engine, &made,
                                             why, sizeof why),
               WSHUB_ERR_PARAM);
    EXPECT_HAS(why, "no/such/file");
    d.roots = tls_root_cert;
    d.own = &own;
    EXPECT_INT(wshub_io_tls_create_versioned(&d, sizeof d, WSHUB_IO_TLS_DESC_VERSION, engine, &made,
                                             why, sizeof why),
               WSHUB_ERR_PARAM);
    EXPECT(!made);
    wshub_io_sock_destroy(net);
}

#define EACH(name, body)                                                                           \
    TEST(name) {                                                                                   \
        size_t i;                                                                                  \
        if (!engine_at(0)) SKIP("no library of TLS is installed");                                 \
        for (i = 0; engine_at(i); i++) body(engine_at(i));                                         \
    }
EACH(wss_talks_to_a_hub, talks)
EACH(wss_fails_in_words_that_decide_what_follows, fails)
EACH(wss_shows_its_own_certificate, shows)
EACH(https_is_polled_and_left_for_wss, polls)
EACH(wss_and_https_go_through_a_proxy, goes_through)
EACH(a_proxy_that_fails_says_so, fails_at_the_proxy)
EACH(what_is_named_is_read_at_once, reads)
