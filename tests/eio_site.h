/* An engine (wshub_dialect_engineio.h) on a hub with a fake io, whose application echoes, and a few
 * words to speak to it as its clients do: requests whose answers are looked at, polls that are
 * held, WebSockets. Includes everything. */
#ifndef EIO_SITE_H
#define EIO_SITE_H
#include "hubtest.h"
#include "wshub_dialect_engineio.h"

/* A request for a WebSocket: its head lines. */
#define EIO_UPGRADE                                                                                \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

typedef struct eio_site {
    world w;
    wshub_eio *eio;
    wshub_eio_session last; /* the one that has opened last */
    char reasons[200];      /* of sessions that have closed, each with a `;` behind it */
    int opened, closed, refused;
    char sid[21]; /* of the one that open_polling() has opened */
    void (*at_message)(struct eio_site *s, wshub_eio_session session, const char *text, size_t len);
} eio_site;

static void eio_site_opened(wshub_eio *eio, wshub_eio_session session, void *user) {
    eio_site *s = (eio_site *)user;
    EXPECT(wshub_eio_sid(eio, session).len == 20);
    s->last = session;
    s->opened++;
}

static void eio_site_message(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes,
                             size_t count, bool text, void *user) {
    eio_site *s = (eio_site *)user;
    EXPECT(!text || wshub_utf8_check(bytes, count));
    if (s->at_message) s->at_message(s, session, (const char *)bytes, count);
    if (text && count == 6 && memcmp(bytes, "!close", 6) == 0) {
        (void)wshub_eio_close(eio, session);
    } else if (text && count == 11 && memcmp(bytes, "!send-close", 11) == 0) {
        (void)wshub_eio_send(eio, session, "x", 1, true);
        (void)wshub_eio_send(eio, session, "\1\2\3", 3, false);
        (void)wshub_eio_close(eio, session);
    } else {
        (void)wshub_eio_send(eio, session, bytes, count, text);
    }
}

static void eio_site_closed(wshub_eio *eio, wshub_eio_session session, wshub_eio_reason reason,
                            void *user) {
    eio_site *s = (eio_site *)user;
    size_t len = strlen(s->reasons);
    (void)snprintf(s->reasons + len, sizeof s->reasons - len, "%s;", wshub_eio_reason_text(reason));
    EXPECT_INT(wshub_eio_send(eio, session, "late", 4, true), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_eio_close(eio, session), WSHUB_ERR_STALE);
    s->closed++;
}

static void eio_site_refused(wshub_eio *eio, wshub_eio_refusal code, const char *message,
                             void *user) {
    (void)eio;
    (void)code;
    EXPECT(message[0] != 0);
    ((eio_site *)user)->refused++;
}

#define EIO(...) ((wshub_eio_desc){__VA_ARGS__})

/* Unless it says otherwise: the clocks and limits with which the vectors were recorded. */
UNUSED static void eio_start(eio_site *s, wshub_eio_desc d, wshub_desc hub, wshub_io_fake_desc fd) {
    memset(s, 0, sizeof *s);
    world_start(&s->w, hub, fd);
    if (!d.path) d.path = "/socket.io";
    if (!d.ping_interval_ms) d.ping_interval_ms = 400;
    if (!d.ping_timeout_ms) d.ping_timeout_ms = 300;
    if (!d.upgrade_timeout_ms) d.upgrade_timeout_ms = 500;
    if (!d.message_bytes_max) d.message_bytes_max = 1000;
    d.on_open = eio_site_opened;
    d.on_message = eio_site_message;
    d.on_close = eio_site_closed;
    d.on_refused = eio_site_refused;
    d.user = s;
    d.alloc = world_alloc;
    d.alloc_user = &s->w;
    EXPECT_INT(wshub_eio_create(s->w.hub, &d, &s->eio), WSHUB_OK);
}

UNUSED static void eio_stop(eio_site *s) {
    wshub *hub = s->w.hub;
    s->w.hub = NULL;
    wshub_destroy(hub);
    wshub_eio_destroy(s->eio);
    world_stop(&s->w);
}

/* What a request was answered; status 0: nothing yet. Views into what the stream has brought. */
typedef struct eio_answer {
    int status;
    wshub_str head, body;
} eio_answer;

/* Whether the head of an answer has this line. */
UNUSED static bool eio_has_line(const eio_answer *a, const char *line) {
    size_t len = strlen(line), i;
    for (i = 0; i + len + 2 <= a->head.len; i++) {
        if (memcmp(a->head.ptr + i, line, len) == 0 && a->head.ptr[i + len] == '\r') return true;
    }
    return false;
}

/* The answer at the front of what a stream has brought; it is taken by eio_take(). */
UNUSED static eio_answer eio_look(eio_site *s, wshub_conn c) {
    wshub_str out = wshub_io_fake_output(s->w.net, c);
    eio_answer a;
    size_t i, length = 0;
    memset(&a, 0, sizeof a);
    for (i = 0; i + 4 <= out.len; i++) {
        if (memcmp(out.ptr + i, "\r\n\r\n", 4) == 0) break;
    }
    if (i + 4 > out.len) return a;
    a.head.ptr = out.ptr;
    a.head.len = i + 2;
    a.status = atoi(out.ptr + 9);
    for (; i > 0; i--) {
        if (i + 16 <= out.len && memcmp(out.ptr + i, "Content-Length: ", 16) == 0)
            length = (size_t)atoi(out.ptr + i + 16);
    }
    a.body.ptr = a.head.ptr + a.head.len + 2;
    a.body.len = length;
    EXPECT_OP(a.head.len + 2 + length, <=, out.len);
    return a;
}

/* The body as a terminated text. */
UNUSED static const char *eio_body(const eio_answer *a) {
    static char text[8192];
    (void)snprintf(text, sizeof text, "%.*s", (int)a->body.len, a->body.ptr);
    return text;
}

UNUSED static void eio_take(eio_site *s, wshub_conn c, const eio_answer *a) {
    wshub_io_fake_take(s->w.net, c, a->head.len + 2 + a->body.len);
}

/* Sends a request on a stream: `method query`, where query may hold {sid}, further lines, a body.
 * count SIZE_MAX: that of the text. */
UNUSED static void eio_ask(eio_site *s, wshub_conn c, const char *method, const char *query,
                           const char *lines, const char *body) {
    char text[8000];
    const char *at = strstr(query, "{sid}");
    int n = snprintf(text, sizeof text, "%s %s%.*s%s%s HTTP/1.1\r\nHost: h\r\n%s", method,
                     query[0] == '/' ? "" : "/socket.io/?", at ? (int)(at - query) : 1000, query,
                     at ? s->sid : "", at ? at + 5 : "", lines);
    if (body)
        n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: %d\r\n",
                      (int)strlen(body));
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n%s", body ? body : "");
    EXPECT_OP(n, <, (int)sizeof text);
    wshub_io_fake_input(s->w.net, c, text, (size_t)n);
    wshub_io_fake_run(s->w.net);
}

/* The stream's next answer has this status and body, and is taken. */
#define EXPECT_ANSWER(s, c, want_status, want_body)                                                \
    do {                                                                                           \
        eio_answer test_a = eio_look(s, c);                                                        \
        EXPECT_INT(test_a.status, want_status);                                                    \
        if (test_a.status) {                                                                       \
            EXPECT_STR(eio_body(&test_a), want_body);                                              \
            eio_take(s, c, &test_a);                                                               \
        }                                                                                          \
    } while (0)
#define EXPECT_HELD(s, c) EXPECT_INT(eio_look(s, c).status, 0)

#define EIO_POLL "EIO=4&transport=polling&sid={sid}"
#define EIO_UP "EIO=4&transport=websocket&sid={sid}"
#define EIO_TEXT "Content-Type: text/plain;charset=UTF-8\r\n"

/* Opens a session that polls, on a stream of its own. Its id stands in s->sid. */
UNUSED static wshub_conn eio_open(eio_site *s) {
    wshub_conn c = wshub_io_fake_open(s->w.net);
    eio_answer a;
    eio_ask(s, c, "GET", "EIO=4&transport=polling", "", NULL);
    a = eio_look(s, c);
    EXPECT_INT(a.status, 200);
    if (a.status != 200) return c;
    EXPECT(a.body.len > 30 && memcmp(a.body.ptr, "0{\"sid\":\"", 9) == 0);
    memcpy(s->sid, a.body.ptr + 9, 20);
    s->sid[20] = 0;
    eio_take(s, c, &a);
    return c;
}

/* Opens a WebSocket: of a session of its own, or for s->sid. What is sent to it are frames from
 * here on. */
UNUSED static wshub_conn eio_socket(eio_site *s, const char *query) {
    wshub_conn c = wshub_io_fake_open(s->w.net);
    eio_answer a;
    eio_ask(s, c, "GET", query, EIO_UPGRADE, NULL);
    a = eio_look(s, c);
    EXPECT_INT(a.status, 101);
    if (a.status) eio_take(s, c, &a);
    return c;
}
/* ---- a client, over either transport ---- */

typedef struct eio_peer {
    eio_site *s;
    bool polls, held, open, ended; /* the last two are the test's to keep */
    wshub_conn c, post;            /* its WebSocket, or where it polls; where it posts */
    char queue[8200];              /* what has come and was not looked at yet */
    char eio[21];                  /* its session's id */
    char sid[21];                  /* for the test: its socket's */
} eio_peer;

UNUSED static void eio_peer_open(eio_site *s, eio_peer *p, bool polls) {
    wshub_io_fake_frame f;
    memset(p, 0, sizeof *p);
    p->s = s;
    p->polls = polls;
    p->open = true;
    if (polls) {
        p->c = eio_open(s);
        p->post = wshub_io_fake_open(p->s->w.net);
    } else {
        p->c = eio_socket(p->s, "EIO=4&transport=websocket");
        EXPECT(wshub_io_fake_next(p->s->w.net, p->c, &f) && f.payload.ptr[0] == '0');
    }
    memcpy(p->eio, p->s->sid, sizeof p->eio);
}
UNUSED static void eio_peer_say(eio_peer *p, const char *text) {
    memcpy(p->s->sid, p->eio, sizeof p->eio);
    if (p->polls) {
        eio_ask(p->s, p->post, "POST", EIO_POLL, "Content-Type: text/plain\r\n", text);
        EXPECT_ANSWER(p->s, p->post, 200, "ok");
    } else {
        wshub_io_fake_text(p->s->w.net, p->c, text);
        wshub_io_fake_run(p->s->w.net);
    }
}
/* The next packet that it hears; an empty text: none. A WebSocket that closes is a `1`; bytes are
 * as they are polled. */
UNUSED static void eio_peer_hear(eio_peer *p, char out[1000]) {
    wshub_io_fake_frame f;
    char *end;
    out[0] = 0;
    if (!p->s) return; /* it has never come */
    wshub_io_fake_run(p->s->w.net);
    if (!p->polls) {
        if (!wshub_io_fake_next(p->s->w.net, p->c, &f)) return;
        if (f.opcode == 2) {
            wshub_eio_binary_write(f.payload.ptr, f.payload.len, out);
            out[wshub_eio_binary_len(f.payload.len)] = 0;
        } else if (f.opcode == 8) {
            (void)snprintf(out, 1000, "1");
        } else {
            (void)snprintf(out, 1000, "%.*s", (int)f.payload.len, f.payload.ptr);
        }
        return;
    }
    if (!p->queue[0]) {
        eio_answer a;
        memcpy(p->s->sid, p->eio, sizeof p->eio);
        if (!p->held) eio_ask(p->s, p->c, "GET", EIO_POLL, "", NULL);
        p->held = true;
        a = eio_look(p->s, p->c);
        if (!a.status) return;
        EXPECT_INT(a.status, 200);
        (void)snprintf(p->queue, sizeof p->queue, "%s", eio_body(&a));
        eio_take(p->s, p->c, &a);
        p->held = false;
    }
    end = strchr(p->queue, WSHUB_EIO_SEPARATOR);
    if (!end) end = p->queue + strlen(p->queue);
    (void)snprintf(out, 1000, "%.*s", (int)(end - p->queue), p->queue);
    memmove(p->queue, end + (*end != 0), strlen(end + (*end != 0)) + 1);
}

#endif
