/* Mounts that a test directs. What a mount is asked and told it writes into the world's log, with
 * its name; what it answers, and what else it does meanwhile, its `site` says. EXPECT_LOG compares
 * the log and empties it. Includes everything. */
#ifndef MOUNTED_H
#define MOUNTED_H
#include "hubtest.h"

#define UPGRADE_LINES                                                                              \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WANT(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define WANT_WS(path) "GET " path " HTTP/1.1\r\nHost: h\r\n" UPGRADE_LINES "\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: " length "\r\n\r\n"

typedef struct site {
    const char *name;
    world *w;
    wshub_take take; /* what on_head says */
    /* What else it does, inside these callbacks; NULL: nothing. */
    void (*at_head)(struct site *s, wshub *hub);
    void (*at_body)(struct site *s, wshub *hub);
    void (*at_answer)(struct site *s, wshub *hub, wshub_headers *more);
    void (*at_gone)(struct site *s, wshub *hub);
    void (*at_message)(struct site *s, wshub *hub);
    void (*at_closed)(struct site *s, wshub *hub);
    wshub_exchange exchange; /* the last that it was asked about */
    wshub_conn conn;         /* its stream; or the last WebSocket that it heard of */
    const wshub_http *http;  /* as on_head and on_answer were given it */
    int status;              /* what on_answer was told */
    wshub_cause cause;       /* what an end was told to be */
    int gone;                /* how often one was told */
} site;

UNUSED static void site_note(const site *s, const char *what) {
    char text[160];
    (void)snprintf(text, sizeof text, "%s %s;", what, s->name);
    world_note(s->w, text);
}

UNUSED static wshub_take site_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                   void *user) {
    site *s = (site *)user;
    s->exchange = exchange;
    s->conn = http->conn;
    s->http = http;
    site_note(s, "head");
    if (s->at_head) s->at_head(s, hub);
    return s->take;
}

UNUSED static void site_body(wshub *hub, wshub_exchange exchange, uint8_t *bytes, size_t count,
                             void *owner) {
    site *s = (site *)owner;
    char text[80];
    s->exchange = exchange;
    (void)snprintf(text, sizeof text, "body %.*s to", (int)(count < 60 ? count : 60),
                   count ? (const char *)bytes : "");
    site_note(s, text);
    if (s->at_body) s->at_body(s, hub);
}

UNUSED static void site_answer(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                               int status, wshub_headers *more, void *owner) {
    site *s = (site *)owner;
    char text[32];
    s->exchange = exchange;
    s->http = http;
    s->status = status;
    (void)snprintf(text, sizeof text, "%d by", status);
    site_note(s, text);
    if (s->at_answer) s->at_answer(s, hub, more);
}

UNUSED static void site_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner) {
    site *s = (site *)owner;
    char text[32];
    s->cause = cause;
    s->gone++;
    (void)snprintf(text, sizeof text, "gone %d", (int)cause);
    site_note(s, text);
    /* it is stale already */
    EXPECT_INT(wshub_http_drop(hub, exchange), WSHUB_ERR_STALE);
    s->exchange = exchange;
    if (s->at_gone) s->at_gone(s, hub);
}

UNUSED static void site_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count,
                                bool text, void *owner) {
    site *s = (site *)owner;
    char what[80];
    s->conn = conn;
    (void)snprintf(what, sizeof what, "%s %.*s to", text ? "text" : "bytes",
                   (int)(count < 60 ? count : 60), count ? (const char *)bytes : "");
    site_note(s, what);
    if (s->at_message) s->at_message(s, hub);
}

UNUSED static void site_closed(wshub *hub, wshub_conn conn, uint16_t code, wshub_str reason,
                               wshub_cause cause, void *owner) {
    site *s = (site *)owner;
    char text[80];
    s->conn = conn;
    s->cause = cause;
    s->gone++;
    (void)snprintf(text, sizeof text, "closed %u %.*s by %d", (unsigned)code,
                   (int)(reason.len < 40 ? reason.len : 40), reason.len ? reason.ptr : "",
                   (int)cause);
    site_note(s, text);
    if (s->at_closed) s->at_closed(s, hub);
}

/* Mounts it with all callbacks. */
UNUSED static wshub_err site_mount(world *w, site *s, wshub_mount_desc d) {
    s->w = w;
    d.version = WSHUB_MOUNT_VERSION;
    d.user = s;
    d.on_head = site_head;
    d.on_body = site_body;
    d.on_answer = site_answer;
    d.on_exchange_gone = site_gone;
    d.on_message = site_message;
    d.on_conn_closed = site_closed;
    return wshub_mount(w->hub, &d);
}
#define MOUNT(w, s, ...)                                                                           \
    EXPECT_INT(site_mount(w, s, (wshub_mount_desc){.version = 0, __VA_ARGS__}), WSHUB_OK)

UNUSED static void say(world *w, wshub_conn c, const char *text) {
    wshub_io_fake_input(w->net, c, text, strlen(text));
}

/* A new stream that says this. */
UNUSED static wshub_conn said(world *w, const char *text) {
    wshub_conn c = wshub_io_fake_open(w->net);
    EXPECT(c.id);
    say(w, c, text);
    return c;
}

UNUSED static wshub_reply plain_reply(int status, const char *body) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = status;
    r.body = wshub_str_z(body);
    return r;
}
UNUSED static wshub_err answer(wshub *hub, wshub_exchange exchange, const char *body) {
    wshub_reply r = plain_reply(200, body);
    return wshub_http_reply(hub, exchange, &r);
}

/* What was sent on a stream and not taken, taken. One buffer. */
UNUSED static const char *sent(world *w, wshub_conn c) {
    static char text[8192];
    wshub_str out = wshub_io_fake_output(w->net, c);
    size_t n = out.len < sizeof text - 1 ? out.len : sizeof text - 1;
    if (n) memcpy(text, out.ptr, n);
    text[n] = 0;
    wshub_io_fake_take(w->net, c, SIZE_MAX);
    return text;
}
UNUSED static void forget_log(world *w) {
    w->log[0] = 0;
    w->log_len = 0;
}

/* What is sent begins with this status and has that in it, or NULL: nothing else is asked. */
#define EXPECT_SENT(w, c, status, part)                                                            \
    do {                                                                                           \
        const char *test_s = sent(w, c), *test_part = part;                                        \
        if (strncmp(test_s, "HTTP/1.1 " status, sizeof "HTTP/1.1 " status - 1) != 0 ||             \
            (test_part && !strstr(test_s, test_part))) {                                           \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: %s: sent %s\n    expected %s and %s\n", __FILE__, __LINE__,     \
                         test_name, test_s, status, test_part ? test_part : "");                   \
        }                                                                                          \
    } while (0)
#define EXPECT_LOG(w, want)                                                                        \
    do {                                                                                           \
        if (strcmp((w)->log, want) != 0) {                                                         \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: %s: told %s\n    expected %s\n", __FILE__, __LINE__, test_name, \
                         (w)->log, want);                                                          \
        }                                                                                          \
        forget_log(w);                                                                             \
    } while (0)

UNUSED static bool note_request(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                void *user) {
    (void)hub, (void)exchange, (void)http;
    world_note((world *)user, "request;");
    return false;
}

/* What a site can do meanwhile. */
UNUSED static void do_answer(site *s, wshub *hub) {
    EXPECT_INT(answer(hub, s->exchange, s->name), WSHUB_OK);
}
UNUSED static void do_drop(site *s, wshub *hub) {
    EXPECT_INT(wshub_http_drop(hub, s->exchange), WSHUB_OK);
}
UNUSED static void do_refuse(site *s, wshub *hub) {
    EXPECT_INT(wshub_http_refuse(hub, s->exchange, 403, "not here"), WSHUB_OK);
}
UNUSED static void do_upgrade(site *s, wshub *hub) {
    EXPECT_INT(wshub_http_upgrade(hub, s->exchange, NULL, &s->conn), WSHUB_OK);
}
UNUSED static void do_destroy(site *s, wshub *hub) {
    s->w->hub = NULL;
    wshub_destroy(hub);
}
UNUSED static void do_destroy_once(site *s, wshub *hub) {
    if (s->w->hub) do_destroy(s, hub);
}
UNUSED static void do_shut_down(site *s, wshub *hub) {
    (void)s;
    EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
}
/* The peer goes away while the hub is in a callback. */
UNUSED static void do_leave(site *s, wshub *hub) {
    wshub_conn_closed(hub, s->conn);
}

#endif
