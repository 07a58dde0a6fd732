/* wshub_ext_client_engineio.h - sessions of Engine.IO that this side opens
 *
 * [x] Engine.IO 4 as Node's servers and wshub_dialect_engineio.h speak it, on the streams of
 *     wshub_ext_client.h: any io, names, proxies and TLS as those have them, `https` and `wss`
 *     through a proxy too
 * [x] over a WebSocket, over long-polling for networks that have nothing else, or over polling
 *     first and a WebSocket as soon as one works, without a packet lost, doubled or out of order
 * [x] the heartbeat: the server's pings are answered, and a server that does not ping is given up
 * [x] what is posted is cut to the server's maxPayload, whole packets, in order; a packet over it
 *     goes alone
 * [ ] it does not come back: what does, such as wshub_ext_client_socketio.h, opens the next one
 * [x] cookies of a session that polls, for balancers that find its server by one; see "cookies"
 * [ ] compressed answers to polls: none are asked for
 *
 * System   ISO C99.
 * Include  behind wshub.h; it includes wshub_dialect_engineio.h, whose base64 it reads and writes,
 *          and wshub_ext_client.h. The code is emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_EXT_CLIENT_ENGINEIO_IMPLEMENTATION for a file of its own.
 * Threads  One, that of the io, for everything.
 *
 * ---- a session ----
 *     static void on_opened(wshub_eio_link *link, void *user) {
 *         wshub_eio_link_send(link, WSHUB_WS_TEXT, "4hello", 6);
 *     }
 *     static const wshub_eio_link_events events = {.opened = on_opened, .message = on_message,
 *                                                  .over = on_over};
 *     static const wshub_ws_desc to = {.url = "http://localhost:3000"};
 *
 *     wshub_eio_link_open(pool, &(wshub_eio_link_desc){.ws = &to, .events = &events,
 *                         .transports = WSHUB_EIO_POLLING_FIRST}, NULL, &link);
 *     wshub_io_sock_run(net);
 *     wshub_eio_link_destroy(link);
 *
 * ---- polling ----
 * Two lines of HTTP: one on which a poll is always under way, whose answer brings what the server
 * has, and one for posts. What is sent within a turn goes in one post, and the next post leaves
 * when the one before is answered; so order holds, and what waits is one round trip old at most.
 * Some proxies end a stream behind each answer and do not say so. A poll that crosses such an end
 * is asked again on another line, and from then on no line is asked twice. A post is not said
 * again: nobody knows whether it was heard, and the session ends.
 * An answer but 200 ends the session, a redirect among them, which is not followed, whatever
 * ws.redirects_max says: that is for WebSockets.
 *
 * ---- cookies ----
 * A balancer may say by a cookie which server has a session. Those that an answer to a poll or a
 * post sets are said with each later poll and post of the session, and with the WebSocket that it
 * moves to, as by a browser that is on its server's page; they are forgotten with the session, and
 * one that begins on a WebSocket has none. Of RFC 6265: the last one of a name holds; Path has
 * to lead to the session's path; Secure ones are taken over `https` alone; Max-Age=0 or less, or
 * Expires of a year before 2000, takes one away. Domain and other ages are not looked at: what is
 * kept goes to this host alone, and ends with the session. Not taken: what is not printable ASCII,
 * and what is beyond WSHUB_EIO_COOKIES_MAX or WSHUB_EIO_COOKIES_BYTES_MAX. Where ws.headers say a
 * Cookie of the caller's, that is said and no other.
 *
 * ---- the states of a session ----
 * OPENING until the server's open packet; OPEN; LEAVING behind wshub_eio_link_close(), until the
 * server has taken what was sent and the end of it; OVER. Its transport beside them: POLLING,
 * PROBING while a WebSocket is opened and asked whether it works, PAUSING when it does: nothing new
 * is polled or posted, what is under way is awaited, and then everything goes over the WEBSOCKET. A
 * WebSocket that does not come so far is forgotten, and polling goes on. */
#ifndef WSHUB_EXT_CLIENT_ENGINEIO_H
#define WSHUB_EXT_CLIENT_ENGINEIO_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#include "wshub_dialect_engineio.h"
#include "wshub_ext_client.h"
#ifdef __cplusplus
extern "C" {
#endif

/* One session. Made by wshub_eio_link_open(), ended by wshub_eio_link_destroy(). */
typedef struct wshub_eio_link wshub_eio_link;

/* What may carry a session. */
typedef enum wshub_eio_transports {
    WSHUB_EIO_WEBSOCKET_ONLY = 0, /* a WebSocket from the beginning, and nothing else */
    WSHUB_EIO_POLLING_ONLY,       /* long-polling for all its life */
    WSHUB_EIO_POLLING_FIRST       /* long-polling, and a WebSocket as soon as one works and the
                                     server wants it: the default of Node's client */
} wshub_eio_transports;

/* How a session has ended, or was not opened. Views, until the callback returns. */
typedef struct wshub_eio_over {
    /* In the words of Node's client: `transport close`, it was closed or its streams were lost;
     * `transport error`, what came is no Engine.IO; `ping timeout`. */
    const char *reason;
    const char *text;          /* a line for people; never NULL */
    const wshub_ws_gone *gone; /* how its stream has ended; STATUS: how a request was answered;
                                  NULL: something else */
    bool opened;               /* opened() has been told */
    bool there;                /* it can still be closed in order, by wshub_eio_link_close() */
} wshub_eio_over;

/* What a session tells. On the io's thread, never from inside an order; each may call anything,
 * also destroy the session. NULL: not told. */
typedef struct wshub_eio_link_events {
    /* The server has opened it. */
    void (*opened)(wshub_eio_link *link, void *user);
    /* A message. bytes: yours to write into, until it returns; a text stands without the `4` in
     * front of it, and is valid UTF-8. */
    void (*message)(wshub_eio_link *link, wshub_ws_kind kind, uint8_t *bytes, size_t count,
                    void *user);
    /* Everything has left that waited. */
    void (*drained)(wshub_eio_link *link, void *user);
    /* It is over, which is told once, but not behind wshub_eio_link_close(). Nothing more comes. */
    void (*over)(wshub_eio_link *link, const wshub_eio_over *over, void *user);
    /* Behind wshub_eio_link_close(): nothing of it is under way any more. */
    void (*closed)(wshub_eio_link *link, void *user);
    /* For who has a timer already, and thousands of sessions: wshub_eio_link_due_ms() has changed.
     * Told at any time, also inside an order and before there is an out_link, and nothing of the
     * session may be called but that. NULL: the session has a timer of its own. */
    void (*clock)(wshub_eio_link *link, void *user);
} wshub_eio_link_events;

/* What a session is like. Zero is the default of every field. What it points to is borrowed until
 * the session is destroyed. */
typedef struct wshub_eio_link_desc {
    /* Required: where to, and how. url: `http`, `https`, `ws` or `wss`, host and port, with at most
     * a `/` behind them. events and user are not used. idle_timeout_ms: 0 is WSHUB_OFF here, as the
     * server pings. message_bytes_max: of one message. unsent_bytes_max is not used: who
     * sends much looks at wshub_eio_link_unsent(). connect_timeout_ms: until the server's open
     * packet, and again for the WebSocket that a session moves to. close_timeout_ms: how long it
     * takes to leave. */
    const wshub_ws_desc *ws;
    const char *path;                    /* of the mount; NULL: "/engine.io/". A slash is added */
    const char *query;                   /* `a=b&c=d`, in front of what the protocol needs */
    const wshub_eio_link_events *events; /* required */
    wshub_eio_transports transports;     /* what may carry it */
    uint32_t payload_bytes_max;          /* 16777216; of what one poll brings. At most 2^30 */
    bool no_cookies;                     /* none are kept; see the top of the file */
} wshub_eio_link_desc;

/* How many cookies of a session are kept, */
#define WSHUB_EIO_COOKIES_MAX 16
/* and how many bytes they may have, as they are said. */
#define WSHUB_EIO_COOKIES_BYTES_MAX 4096

/* Of the structs of this file. */
#define WSHUB_EIO_LINK_VERSION 1

/* Opens a session. Whatever happens from here on is told by over(), never by this call.
 *   pool      ended after its sessions
 *   desc      copied, what it points to is borrowed
 *   user      the last argument of the events
 *   out_link  given to you, end it with wshub_eio_link_destroy()
 * Returns  OK; PARAM: wshub_eio_link_problem() says which field; NOMEM.
 * Thread   the io's; allowed in callbacks. */
WSHUB_INLINE wshub_err wshub_eio_link_open(wshub_ws_pool *pool, const wshub_eio_link_desc *desc,
                                           void *user, wshub_eio_link **out_link);
/* Says in one line what wshub_eio_link_open() would refuse in a description, beginning with the
 * field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_eio_link_problem(const wshub_eio_link_desc *desc);
/* What the two above call, as wshub_ws_pool_create_versioned(). Return as those. */
WSHUB_API wshub_err wshub_eio_link_open_versioned(wshub_ws_pool *pool,
                                                  const wshub_eio_link_desc *desc,
                                                  size_t desc_bytes, uint32_t version, void *user,
                                                  wshub_eio_link **out_link);
WSHUB_API const char *wshub_eio_link_problem_versioned(const wshub_eio_link_desc *desc,
                                                       size_t desc_bytes, uint32_t version);
WSHUB_INLINE wshub_err wshub_eio_link_open(wshub_ws_pool *pool, const wshub_eio_link_desc *desc,
                                           void *user, wshub_eio_link **out_link) {
    return wshub_eio_link_open_versioned(pool, desc, sizeof *desc, WSHUB_EIO_LINK_VERSION, user,
                                         out_link);
}
WSHUB_INLINE const char *wshub_eio_link_problem(const wshub_eio_link_desc *desc) {
    return wshub_eio_link_problem_versioned(desc, sizeof *desc, WSHUB_EIO_LINK_VERSION);
}
/* Ends it, in any state: its streams are cut, and nothing of it is called any more. In a callback
 * of its own it is gone when that has returned. NULL: nothing. Thread: the io's. */
WSHUB_API void wshub_eio_link_destroy(wshub_eio_link *link);

/* Sends a message.
 *   kind   TEXT: bytes are the whole packet, with the `4` in front, as wshub_sio_packet_write()
 *          writes it, and UTF-8
 *   bytes  count of them, at most 2^30; copied
 * Returns  OK; STATE: it is not open; PARAM: a text without its `4`, or that is not UTF-8, or with
 *          a byte 1E, which parts packets; NOMEM; RANDOM. After an error nothing has changed.
 * Thread   the io's; allowed in callbacks. */
WSHUB_API wshub_err wshub_eio_link_send(wshub_eio_link *link, wshub_ws_kind kind, const void *bytes,
                                        size_t count);
/* Tells how many bytes wait to leave. While polling, what is posted waits until it is answered. */
WSHUB_API size_t wshub_eio_link_unsent(const wshub_eio_link *link);
/* Closes in order: what was sent goes out, then the end; closed() follows, at the latest after
 * close_timeout_ms. Nothing is told of what comes meanwhile. Also when over() says that it is still
 * there. Returns OK; STATE: it is not open, or leaving already. */
WSHUB_API wshub_err wshub_eio_link_close(wshub_eio_link *link);
/* Cuts its streams without a word; over() follows, `transport close`. Returns OK; STATE: it is not
 * open. */
WSHUB_API wshub_err wshub_eio_link_drop(wshub_eio_link *link);
/* Tells when wshub_eio_link_tick() is to be called, of the pool's clock; WSHUB_NEVER: not. For who
 * is told clock(). */
WSHUB_API uint64_t wshub_eio_link_due_ms(const wshub_eio_link *link);
/* Does what is due. Not inside an order; it may tell anything, and a session that was destroyed
 * meanwhile is gone. Sooner than it is due: nothing. */
WSHUB_API void wshub_eio_link_tick(wshub_eio_link *link);
/* Tells the WebSocket that carries it ({0}: none does, as while it polls). */
WSHUB_API wshub_ws wshub_eio_link_ws(const wshub_eio_link *link);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_EXT_CLIENT_ENGINEIO_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_EXT_CLIENT_ENGINEIO_IMPLEMENTATION)) &&        \
    !defined(WSHUB__EXT_CLIENT_ENGINEIO_DONE)
#define WSHUB__EXT_CLIENT_ENGINEIO_DONE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

enum {
    WSHUB_EIO_LINK__SID_MAX = 128,      /* bytes of a session's id */
    WSHUB_EIO_LINK__URL_MAX = 8192,     /* of a URL */
    WSHUB_EIO_LINK__PONG_MS = 1000,     /* pings that come sooner are answered once */
    WSHUB_EIO_LINK__LATE_MS = 1000,     /* a clock that is so late has slept: it asks once more */
    WSHUB_EIO_LINK__POST_IDLE_MS = 4000 /* so long a stream for posts is kept without any: Node's
                                           server ends it after 5 seconds */
};

/* How far a session is. */
typedef enum wshub_eio_link__state {
    WSHUB_EIO_LINK__OPENING,
    WSHUB_EIO_LINK__OPEN,
    WSHUB_EIO_LINK__LEAVING,
    WSHUB_EIO_LINK__OVER
} wshub_eio_link__state;

/* What carries it. */
typedef enum wshub_eio_link__way {
    WSHUB_EIO_LINK__POLLING,
    WSHUB_EIO_LINK__PROBING,
    WSHUB_EIO_LINK__PAUSING,
    WSHUB_EIO_LINK__WEBSOCKET
} wshub_eio_link__way;

/* A packet that waits to be posted; its bytes stand behind it. */
typedef struct wshub_eio_link__packet {
    struct wshub_eio_link__packet *next;
    size_t len;
    wshub_ws_kind kind;
} wshub_eio_link__packet;

/* One of the two lines of HTTP. */
typedef struct wshub_eio_link__line {
    wshub_ws line; /* {0}: there is none now */
    bool asked;    /* a request is under way */
} wshub_eio_link__line;

/* What a session needs while it polls, until a WebSocket carries it. */
typedef struct wshub_eio_link__polled {
    wshub_eio_link_desc desc;
    wshub_eio_link__line poll, post;
    wshub_eio_link__packet *first, *last; /* to be posted */
    size_t waits;                         /* bytes of these as they are posted */
    size_t posted;                        /* of the post that is under way */
    char *sid;                            /* as it stands in a URL; NULL: not told */
    char *cookies;                        /* "a=b; c=d"; NULL: none */
    uint64_t probe_ms;                    /* until when the WebSocket that is probed may take;
                                             WSHUB_NEVER: none is */
    uint32_t payload_max;                 /* of a post */
    uint32_t requests;                    /* that were made */
    bool once;                            /* a line is asked once: one has ended without a word */
} wshub_eio_link__polled;

/* Thousands are idle on a WebSocket each: what those have no use for stands in `polled`, and its
 * timer, if its owner has none for it, behind it. */
struct wshub_eio_link {
    wshub_ws_pool *pool;
    const wshub_eio_link_events *events;
    void *user;
    wshub_ws ws;                    /* that carries it, or is probed; {0}: none */
    wshub_eio_link__polled *polled; /* NULL: a WebSocket carries it */
    uint64_t due_ms;     /* of the open packet, of the server's ping, of leaving; or WSHUB_NEVER */
    uint32_t pong_ms;    /* when we have answered a ping last: the low half; 0: never */
    uint32_t silence_ms; /* the server pings within */
    uint32_t close_ms;   /* how long it may take to leave */
    uint8_t depth, state, way;
    bool doomed : 1;
    bool soon : 1;    /* something is to be done when no order runs */
    bool cut : 1;     /* over() is owed for a drop */
    bool there : 1;   /* it is over, and can still be closed in order */
    bool excused : 1; /* its clock was late once */
    bool clocked : 1; /* its owner has a timer for it, and is told clock() */
};

/* Its own timer, behind it; NULL: its owner has one for it. Once it is destroyed its events may be
 * gone. */
static wshub_ws_timer *wshub_eio_link__timer(wshub_eio_link *link) {
    return link->clocked ? NULL : (wshub_ws_timer *)(link + 1);
}
static size_t wshub_eio_link__bytes(bool clocked) {
    return sizeof(wshub_eio_link) + (clocked ? 0 : sizeof(wshub_ws_timer));
}

WSHUB_API uint64_t wshub_eio_link_due_ms(const wshub_eio_link *link) {
    if (link->soon) return 1;
    return link->polled && link->polled->probe_ms < link->due_ms ? link->polled->probe_ms
                                                                 : link->due_ms;
}

/* It wants to be looked at another time: one timer serves all its clocks. */
static void wshub_eio_link__rearm(wshub_eio_link *link) {
    wshub_ws_timer *timer = wshub_eio_link__timer(link);

    WSHUB_ASSERT(!link->doomed);
    if (timer)
        wshub_ws_timer_start(link->pool, timer, wshub_eio_link_due_ms(link));
    else
        link->events->clock(link, link->user);
}

/* Sets the clock of its state. */
static void wshub_eio_link__wake_at(wshub_eio_link *link, uint64_t due_ms) {
    link->due_ms = due_ms;
    wshub_eio_link__rearm(link);
}

/* The one door of its state. */
static void wshub_eio_link__to(wshub_eio_link *link, wshub_eio_link__state state) {
    WSHUB_ASSERT(link->state < (uint8_t)state ||
                 (link->state == WSHUB_EIO_LINK__OVER && state == WSHUB_EIO_LINK__LEAVING));
    link->state = (uint8_t)state;
    wshub_eio_link__wake_at(link, WSHUB_NEVER);
}

/* The one door of what carries it. */
static void wshub_eio_link__way_to(wshub_eio_link *link, wshub_eio_link__way way) {
    static const uint8_t after[] = {
        1 << WSHUB_EIO_LINK__PROBING, 1 << WSHUB_EIO_LINK__POLLING | 1 << WSHUB_EIO_LINK__PAUSING,
        1 << WSHUB_EIO_LINK__POLLING | 1 << WSHUB_EIO_LINK__WEBSOCKET, 0};

    WSHUB_ASSERT(link->polled && after[link->way] >> way & 1);
    (void)after; /* only asserted */
    link->way = (uint8_t)way;
    link->polled->probe_ms = WSHUB_NEVER;
    wshub_eio_link__rearm(link);
}

/* ---- memory ---- */

static void wshub_eio_link__text_free(wshub_eio_link *link, char **text) {
    if (*text) (void)wshub_ws_alloc(link->pool, *text, strlen(*text) + 1, 0);
    *text = NULL;
}

/* How long a packet is in a payload. */
static size_t wshub_eio_link__wire(wshub_ws_kind kind, size_t count) {
    return kind == WSHUB_WS_BINARY ? wshub_eio_binary_len(count) : count;
}

/* Takes the first packet out of those that wait. */
static void wshub_eio_link__shift(wshub_eio_link *link) {
    wshub_eio_link__polled *polled = link->polled;
    wshub_eio_link__packet *packet = polled->first;

    polled->first = packet->next;
    if (!polled->first) polled->last = NULL;
    polled->waits -= wshub_eio_link__wire(packet->kind, packet->len);
    (void)wshub_ws_alloc(link->pool, packet, sizeof *packet + packet->len, 0);
}

/* Lets its lines of HTTP go. */
static void wshub_eio_link__lines_cut(wshub_eio_link *link) {
    wshub_eio_link__polled *polled = link->polled;

    (void)wshub_ws_forget(link->pool, polled->poll.line);
    (void)wshub_ws_forget(link->pool, polled->post.line);
    polled->poll.line.id = polled->post.line.id = 0;
    polled->poll.asked = polled->post.asked = false;
    polled->posted = 0;
}

/* What polls needs memory of its own. False: out of memory. */
static bool wshub_eio_link__polled_new(wshub_eio_link *link, const wshub_eio_link_desc *desc) {
    wshub_eio_link__polled *polled =
        (wshub_eio_link__polled *)wshub_ws_alloc(link->pool, NULL, 0, sizeof *polled);

    if (!polled) return false;
    memset(polled, 0, sizeof *polled);
    polled->desc = *desc;
    polled->probe_ms = WSHUB_NEVER;
    link->polled = polled;
    return true;
}

/* It polls no more. */
static void wshub_eio_link__polled_free(wshub_eio_link *link) {
    wshub_eio_link__polled *polled = link->polled;

    if (!polled) return;
    wshub_eio_link__lines_cut(link);
    while (polled->first) wshub_eio_link__shift(link);
    wshub_eio_link__text_free(link, &polled->sid);
    wshub_eio_link__text_free(link, &polled->cookies);
    (void)wshub_ws_alloc(link->pool, polled, sizeof *polled, 0);
    link->polled = NULL;
}

/* Lets all its streams go, of which nothing is heard any more. */
static void wshub_eio_link__cut(wshub_eio_link *link) {
    (void)wshub_ws_forget(link->pool, link->ws);
    link->ws.id = 0;
    if (!link->polled) return;
    wshub_eio_link__lines_cut(link);
    link->polled->probe_ms = WSHUB_NEVER;
}

static void wshub_eio_link__free(wshub_eio_link *link) {
    wshub_ws_timer *timer = wshub_eio_link__timer(link);

    wshub_eio_link__cut(link);
    wshub_eio_link__polled_free(link);
    if (timer) wshub_ws_timer_remove(link->pool, timer);
    (void)wshub_ws_alloc(link->pool, link, wshub_eio_link__bytes(link->clocked), 0);
}

/* Each report and timer stands between these two: what is destroyed in between goes with the
 * outermost. */
static void wshub_eio_link__enter(wshub_eio_link *link) {
    WSHUB_ASSERT(link->depth < UINT8_MAX);
    link->depth++;
}
static void wshub_eio_link__leave(wshub_eio_link *link) {
    WSHUB_ASSERT(link->depth);
    if (!--link->depth && link->doomed) wshub_eio_link__free(link);
}

/* Does it still listen to what its streams bring? */
static bool wshub_eio_link__listens(const wshub_eio_link *link) {
    return !link->doomed && !link->cut && link->state <= WSHUB_EIO_LINK__OPEN;
}

static void wshub_eio_link__soon(wshub_eio_link *link) {
    link->soon = true;
    wshub_eio_link__rearm(link);
}

/* ---- where to ---- */

/* What stands between the scheme and a last slash. secure: `https` or `wss`. False: it is no URL of
 * a server. */
static bool wshub_eio_link__origin(const char *url, bool *out_secure, wshub_str *out_rest) {
    static const char *const schemes[] = {"http://", "ws://", "https://", "wss://"};
    size_t i, n;

    for (i = 0; url && i < 4; i++) {
        n = strlen(schemes[i]);
        if (strncmp(url, schemes[i], n) != 0) continue;
        *out_secure = i >= 2;
        *out_rest = wshub_str_z(url + n);
        if (out_rest->len && out_rest->ptr[out_rest->len - 1] == '/') out_rest->len--;
        return out_rest->len && out_rest->len <= 300 &&
               strcspn(out_rest->ptr, "/?#") >= out_rest->len;
    }
    return false;
}

/* Writes path and query. sid: as it stands in a URL; NULL: none. Returns the length; what does not
 * fit is not written whole. */
static size_t wshub_eio_link__target(const wshub_eio_link_desc *desc, const char *transport,
                                     const char *sid, char *buf, size_t cap) {
    const char *path = desc->path ? desc->path : "/engine.io/", *query = desc->query;
    size_t n = strlen(path);
    int len;

    len = snprintf(buf, cap, "%s%s?%s%sEIO=4&transport=%s%s%s", path,
                   n && path[n - 1] == '/' ? "" : "/", query ? query : "",
                   query && *query ? "&" : "", transport, sid ? "&sid=" : "", sid ? sid : "");
    return len < 0 ? 0 : (size_t)len;
}

/* Writes the URL of a WebSocket, or that of a server's lines of HTTP. Returns as the one above. */
static size_t wshub_eio_link__url(const wshub_eio_link_desc *desc, bool http, const char *sid,
                                  char *buf, size_t cap) {
    wshub_str rest = {NULL, 0};
    bool secure = false;
    size_t front;
    int len;

    if (!wshub_eio_link__origin(desc->ws->url, &secure, &rest)) return 0;
    len = snprintf(buf, cap, "%s%s://%.*s", http ? "http" : "ws", secure ? "s" : "", (int)rest.len,
                   rest.ptr);
    if (http || len < 0) return len < 0 ? 0 : (size_t)len;
    front = (size_t)len < cap ? (size_t)len : cap;
    return (size_t)len + wshub_eio_link__target(desc, "websocket", sid, buf + front, cap - front);
}

/* ---- cookies ---- */

/* The same but for the case of ASCII letters? */
static bool wshub_eio_link__same(wshub_str text, const char *lower) {
    size_t i;

    for (i = 0; i < text.len && lower[i]; i++) {
        char c = text.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != lower[i]) return false;
    }
    return i == text.len && !lower[i];
}

/* Takes what stands in front of `end` out of a text, blanks around it cut off. The text goes on
 * behind `end`; without one nothing is left of it. */
static wshub_str wshub_eio_link__cut_off(wshub_str *text, char end) {
    const char *at = text->len ? (const char *)memchr(text->ptr, end, text->len) : NULL;
    wshub_str part = *text;

    if (at) part.len = (size_t)(at - text->ptr);
    text->ptr += part.len + (at != NULL);
    text->len -= part.len + (at != NULL);
    while (part.len && (*part.ptr == ' ' || *part.ptr == '\t')) {
        part.ptr++;
        part.len--;
    }
    while (part.len && strchr(" \t\r", part.ptr[part.len - 1])) part.len--;
    return part;
}

/* Does a Path lead to where the session's requests go (RFC 6265 5.1.4)? What does not begin with a
 * slash is as if it was not said. */
static bool wshub_eio_link__path_leads(const wshub_eio_link *link, wshub_str path) {
    const char *to = link->polled->desc.path ? link->polled->desc.path : "/engine.io/";
    size_t len = strlen(to);

    if (!path.len || *path.ptr != '/') return true;
    if (path.len == len + 1 && path.ptr[len] == '/') path.len--; /* we add that one */
    if (path.len > len || memcmp(path.ptr, to, path.len) != 0) return false;
    return path.len == len || path.ptr[path.len - 1] == '/' || to[path.len] == '/';
}

/* Is this Expires of long ago? It ends in year and time: the year is the first of four digits. */
static bool wshub_eio_link__is_past(wshub_str date) {
    size_t i, digits = 0;

    for (i = 0; i < date.len; i++) {
        digits = date.ptr[i] >= '0' && date.ptr[i] <= '9' ? digits + 1 : 0;
        if (digits == 4) return date.ptr[i - 3] < '2';
    }
    return false;
}

/* Reads the attributes of a cookie. Returns whether it is ours; *out_gone: it is taken away. */
static bool wshub_eio_link__cookie_ours(const wshub_eio_link *link, wshub_str attributes,
                                        bool *out_gone) {
    bool secure = false, aged = false, ours = true;
    wshub_str rest, value, name;

    *out_gone = false;
    (void)wshub_eio_link__origin(link->polled->desc.ws->url, &secure, &rest);
    while (attributes.len) {
        value = wshub_eio_link__cut_off(&attributes, ';');
        name = wshub_eio_link__cut_off(&value, '=');
        value = wshub_eio_link__cut_off(&value, ';');
        if (wshub_eio_link__same(name, "path")) ours = wshub_eio_link__path_leads(link, value);
        if (wshub_eio_link__same(name, "secure") && !secure) return false;
        if (wshub_eio_link__same(name, "expires") && !aged)
            *out_gone = wshub_eio_link__is_past(value);
        if (!wshub_eio_link__same(name, "max-age") || !value.len) continue;
        aged = true; /* it goes before Expires, wherever that stands */
        *out_gone = *value.ptr == '-' || strspn(value.ptr, "0") >= value.len;
    }
    return ours;
}

/* May this be said in a Cookie? */
static bool wshub_eio_link__cookie_ok(wshub_str name, wshub_str value) {
    size_t i;

    for (i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~') return false;
    for (i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~') return false;
    return name.len > 0;
}

/* Writes the cookies that are kept but for this one, and then that, if value is not NULL. Returns
 * the length, and how many they are; what would be too much is not written. */
static size_t wshub_eio_link__cookies_put(const char *kept, wshub_str name, const wshub_str *value,
                                          char buf[WSHUB_EIO_COOKIES_BYTES_MAX + 1],
                                          size_t *out_count) {
    wshub_str rest = wshub_str_z(kept), one, other, before;
    size_t len = 0;

    *out_count = 0;
    while (rest.len) {
        one = before = wshub_eio_link__cut_off(&rest, ';');
        other = wshub_eio_link__cut_off(&before, '=');
        if (wshub_str_eq(other, name)) continue;
        len += (size_t)snprintf(buf + len, WSHUB_EIO_COOKIES_BYTES_MAX + 1 - len, "%s%.*s",
                                len ? "; " : "", (int)one.len, one.ptr);
        ++*out_count;
    }
    if (!value) return len;
    ++*out_count;
    if (len + name.len + value->len + 3 > WSHUB_EIO_COOKIES_BYTES_MAX) return SIZE_MAX;
    return len + (size_t)snprintf(buf + len, WSHUB_EIO_COOKIES_BYTES_MAX + 1 - len, "%s%.*s=%.*s",
                                  len ? "; " : "", (int)name.len, name.ptr, (int)value->len,
                                  value->ptr);
}

/* One Set-Cookie. Out of memory those that were there stay. */
static void wshub_eio_link__cookie_in(wshub_eio_link *link, wshub_str text) {
    char buf[WSHUB_EIO_COOKIES_BYTES_MAX + 1], *copy;
    wshub_str value = wshub_eio_link__cut_off(&text, ';'), name;
    bool gone, pair = value.len && memchr(value.ptr, '=', value.len);
    size_t len, count;

    name = wshub_eio_link__cut_off(&value, '=');
    value = wshub_eio_link__cut_off(&value, ';');
    if (!pair || !wshub_eio_link__cookie_ok(name, value)) return;
    if (!wshub_eio_link__cookie_ours(link, text, &gone)) return;
    len =
        wshub_eio_link__cookies_put(link->polled->cookies, name, gone ? NULL : &value, buf, &count);
    if (len == SIZE_MAX || count > WSHUB_EIO_COOKIES_MAX) return;
    copy = len ? (char *)wshub_ws_alloc(link->pool, NULL, 0, len + 1) : NULL;
    if (len && !copy) return;
    wshub_eio_link__text_free(link, &link->polled->cookies);
    if (copy) memcpy(copy, buf, len);
    if (copy) copy[len] = 0;
    link->polled->cookies = copy;
}

/* Does the caller say a Cookie of its own? */
static bool wshub_eio_link__says_cookie(const wshub_ws_desc *ws) {
    size_t i;

    for (i = 0; i < ws->headers_count; i++)
        if (wshub_eio_link__same(ws->headers[i].name, "cookie")) return true;
    return false;
}

/* What the head of an answer sets. */
static void wshub_eio_link__cookies_in(wshub_eio_link *link, wshub_str head) {
    const wshub_eio_link_desc *desc = &link->polled->desc;

    if (desc->no_cookies || wshub_eio_link__says_cookie(desc->ws)) return;
    while (head.len) {
        wshub_str line = wshub_eio_link__cut_off(&head, '\n');
        wshub_str name = wshub_eio_link__cut_off(&line, ':');
        if (wshub_eio_link__same(name, "set-cookie")) wshub_eio_link__cookie_in(link, line);
    }
}

/* ---- the server's first packet ---- */

/* Writes a sid as it stands in a query: what may mean something there is escaped. NULL: it is none,
 * or out of memory. */
static char *wshub_eio_link__sid(wshub_eio_link *link, wshub_str json) {
    char plain[WSHUB_EIO_LINK__SID_MAX + 1], coded[WSHUB_EIO_LINK__SID_MAX * 3 + 1], *copy;
    size_t i, n = 0;

    if (wshub_json_copy(json, plain, sizeof plain, NULL)) return NULL;
    for (i = 0; plain[i]; i++) {
        char c = plain[i];
        bool as_is = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        n += (size_t)snprintf(coded + n, sizeof coded - n, as_is ? "%c" : "%%%02X",
                              (unsigned char)c);
    }
    copy = (char *)wshub_ws_alloc(link->pool, NULL, 0, n + 1);
    if (copy) memcpy(copy, coded, n + 1);
    return copy;
}

/* ---- ends ---- */

/* It is over: told, unless it was left before. there: it can still be closed in order. */
static void wshub_eio_link__over(wshub_eio_link *link, const char *reason, const char *text,
                                 const wshub_ws_gone *gone, bool there) {
    wshub_eio_over over;

    WSHUB_ASSERT(link->state <= WSHUB_EIO_LINK__OPEN);
    memset(&over, 0, sizeof over);
    over.reason = reason;
    over.text = text;
    over.gone = gone;
    over.opened = link->state == WSHUB_EIO_LINK__OPEN;
    over.there = link->there = there && over.opened;
    wshub_eio_link__to(link, WSHUB_EIO_LINK__OVER);
    if (!over.there) wshub_eio_link__cut(link);
    if (link->events->over) link->events->over(link, &over, link->user);
}

/* What came is no Engine.IO. */
static void wshub_eio_link__broken(wshub_eio_link *link, const char *text) {
    wshub_eio_link__over(link, "transport error", text, NULL, true);
}

/* Out of memory: as if its streams were lost. */
static void wshub_eio_link__exhausted(wshub_eio_link *link) {
    wshub_eio_link__over(link, "transport close", wshub_strerror(WSHUB_ERR_NOMEM), NULL, false);
}

/* It has left. */
static void wshub_eio_link__closed(wshub_eio_link *link) {
    wshub_eio_link__cut(link);
    wshub_eio_link__to(link, WSHUB_EIO_LINK__OVER);
    if (link->events->closed) link->events->closed(link, link->user);
}

/* One of its streams has failed. */
static void wshub_eio_link__failed(wshub_eio_link *link, const wshub_ws_gone *gone) {
    bool wrong = gone->why == WSHUB_WS_END_BROKEN || gone->why == WSHUB_WS_END_ANSWER ||
                 gone->why == WSHUB_WS_END_STATUS;

    if (link->state == WSHUB_EIO_LINK__LEAVING)
        wshub_eio_link__closed(link);
    else if (wshub_eio_link__listens(link))
        wshub_eio_link__over(link, wrong ? "transport error" : "transport close", gone->text, gone,
                             false);
}

/* ---- the heartbeat ---- */

/* The server has pinged, or opened the session: it has to ping again in time. */
static void wshub_eio_link__watch(wshub_eio_link *link) {
    link->excused = false;
    wshub_eio_link__wake_at(link, wshub_ws_now_ms(link->pool) + link->silence_ms);
}

/* The server has not pinged in time. A clock that rings much too late has slept, and what came
 * meanwhile is not read yet: then it waits once more. */
static void wshub_eio_link__silent(wshub_eio_link *link) {
    uint64_t now = wshub_ws_now_ms(link->pool);

    if (link->excused || now < link->due_ms + WSHUB_EIO_LINK__LATE_MS) {
        wshub_eio_link__over(link, "ping timeout", "ping timeout", NULL, false);
        return;
    }
    wshub_eio_link__watch(link);
    link->excused = true;
}

/* ---- out ---- */

/* Has a packet wait for a post. */
static wshub_err wshub_eio_link__queue(wshub_eio_link *link, wshub_ws_kind kind, const void *bytes,
                                       size_t count) {
    wshub_eio_link__polled *polled = link->polled;
    wshub_eio_link__packet *packet =
        (wshub_eio_link__packet *)wshub_ws_alloc(link->pool, NULL, 0, sizeof *packet + count);

    if (!packet) return WSHUB_ERR_NOMEM;
    packet->next = NULL;
    packet->len = count;
    packet->kind = kind;
    if (count) memcpy(packet + 1, bytes, count);
    if (polled->last)
        polled->last->next = packet;
    else
        polled->first = packet;
    polled->last = packet;
    polled->waits += wshub_eio_link__wire(kind, count);
    wshub_eio_link__soon(link);
    return WSHUB_OK;
}

/* Sends a packet by what carries the session now. */
static wshub_err wshub_eio_link__say(wshub_eio_link *link, wshub_ws_kind kind, const void *bytes,
                                     size_t count) {
    if (link->way != WSHUB_EIO_LINK__WEBSOCKET)
        return wshub_eio_link__queue(link, kind, bytes, count);
    return wshub_ws_send(link->pool, link->ws, kind, bytes, count);
}

WSHUB_API wshub_err wshub_eio_link_send(wshub_eio_link *link, wshub_ws_kind kind, const void *bytes,
                                        size_t count) {
    const uint8_t *text = (const uint8_t *)bytes;

    if (!wshub_eio_link__listens(link) || link->state != WSHUB_EIO_LINK__OPEN)
        return WSHUB_ERR_STATE;
    if ((kind != WSHUB_WS_TEXT && kind != WSHUB_WS_BINARY) || count > 1u << 30)
        return WSHUB_ERR_PARAM;
    if (kind == WSHUB_WS_TEXT &&
        (!count || text[0] != '4' || memchr(text, WSHUB_EIO_SEPARATOR, count)))
        return WSHUB_ERR_PARAM;
    if (kind == WSHUB_WS_TEXT && link->way != WSHUB_EIO_LINK__WEBSOCKET &&
        !wshub_utf8_check(text, count))
        return WSHUB_ERR_PARAM;
    return wshub_eio_link__say(link, kind, bytes, count);
}

WSHUB_API size_t wshub_eio_link_unsent(const wshub_eio_link *link) {
    if (link->way == WSHUB_EIO_LINK__WEBSOCKET) return wshub_ws_unsent(link->pool, link->ws);
    return link->polled->waits + link->polled->posted;
}

/* ---- lines of HTTP ---- */

/* What lines report to; it polls and posts again itself. */
static void wshub_eio_link__on_answered(wshub_ws_pool *pool, wshub_ws line,
                                        const wshub_ws_answer *answer, void *user);
static void wshub_eio_link__on_line_ended(wshub_ws_pool *pool, wshub_ws line,
                                          const wshub_ws_gone *gone, void *user);
static const wshub_ws_http_events wshub_eio_link__http_events = {wshub_eio_link__on_answered,
                                                                 wshub_eio_link__on_line_ended};

/* Opens a line. Returns as wshub_ws_http_open(). */
static wshub_err wshub_eio_link__line_open(wshub_eio_link *link, wshub_eio_link__line *on) {
    const wshub_eio_link_desc *asked = &link->polled->desc;
    wshub_ws_desc desc = *asked->ws;
    char url[320];

    (void)wshub_ws_forget(link->pool, on->line);
    on->line.id = 0;

    (void)wshub_eio_link__url(asked, true, NULL, url, sizeof url);
    desc.url = url;
    desc.user = link;
    desc.idle_timeout_ms = WSHUB_EIO_LINK__POST_IDLE_MS;
    desc.message_bytes_max = asked->payload_bytes_max ? asked->payload_bytes_max : 16777216;
    return wshub_ws_http_open(link->pool, &desc, &wshub_eio_link__http_events, &on->line);
}

/* Sends a request on a line, which is opened if there is none, or if lines are asked once. request:
 * its target is ours to say. False: out of memory. */
static bool wshub_eio_link__ask(wshub_eio_link *link, wshub_eio_link__line *on,
                                const wshub_ws_request *request) {
    wshub_eio_link__polled *polled = link->polled;
    char target[WSHUB_EIO_LINK__URL_MAX + 40];
    wshub_ws_request asked = *request;
    wshub_err err = WSHUB_ERR_STALE;
    size_t n;

    /* `t` is never the same, so that no cache between us takes one answer for another. */
    n = wshub_eio_link__target(&polled->desc, "polling", polled->sid, target, sizeof target);
    (void)snprintf(target + n, sizeof target - n, "&t=%lx-%lx",
                   (unsigned long)wshub_ws_now_ms(link->pool), (unsigned long)++polled->requests);
    asked.target = target;
    asked.cookies = polled->cookies;

    if (on->line.id && !polled->once) err = wshub_ws_http_request(link->pool, on->line, &asked);
    if (err == WSHUB_ERR_STALE || err == WSHUB_ERR_STATE) { /* there is none, or it is ending */
        err = wshub_eio_link__line_open(link, on);
        if (!err) err = wshub_ws_http_request(link->pool, on->line, &asked);
    }
    if (err) return false;
    on->asked = true;
    return true;
}

/* Polls. The clock of the open packet, and then that of the server's pings, watch over it. */
static void wshub_eio_link__poll(wshub_eio_link *link) {
    wshub_ws_request request;

    WSHUB_ASSERT(!link->polled->poll.asked); /* two polls at a time end a session */
    memset(&request, 0, sizeof request);
    request.method = "GET";
    request.timeout_ms = WSHUB_OFF;
    if (!wshub_eio_link__ask(link, &link->polled->poll, &request)) wshub_eio_link__exhausted(link);
}

/* Writes the packets of a post: as many as the server takes, at least one. Returns how many. */
static size_t wshub_eio_link__payload(const wshub_eio_link *link, char *out, size_t *out_len) {
    const wshub_eio_link__packet *packet = link->polled->first;
    size_t len = 0, count = 0, wire;

    for (; packet; packet = packet->next, count++) {
        wire = wshub_eio_link__wire(packet->kind, packet->len);
        if (count && len + 1 + wire > link->polled->payload_max) break;
        if (count) {
            if (out) out[len] = WSHUB_EIO_SEPARATOR;
            len++;
        }
        if (out && packet->kind == WSHUB_WS_BINARY)
            wshub_eio_binary_write(packet + 1, packet->len, out + len);
        else if (out)
            memcpy(out + len, packet + 1, packet->len);
        len += wire;
    }
    *out_len = len;
    return count;
}

/* Posts what waits, unless a post is under way, or the session moves to its WebSocket. */
static void wshub_eio_link__post(wshub_eio_link *link) {
    wshub_eio_link__polled *polled = link->polled;
    wshub_ws_request request;
    size_t len, count;
    char *body;
    bool ok;

    if (!polled->first || polled->post.asked || link->way == WSHUB_EIO_LINK__PAUSING) return;
    count = wshub_eio_link__payload(link, NULL, &len);
    body = (char *)wshub_ws_alloc(link->pool, NULL, 0, len + 1);
    ok = body != NULL;
    if (ok) {
        (void)wshub_eio_link__payload(link, body, &len);
        memset(&request, 0, sizeof request);
        request.method = "POST";
        request.type = "text/plain;charset=UTF-8";
        request.body = body;
        request.body_bytes = len;
        request.timeout_ms = WSHUB_OFF; /* or pongs do not arrive, and the server ends it */
        ok = wshub_eio_link__ask(link, &polled->post, &request);
        (void)wshub_ws_alloc(link->pool, body, len + 1, 0);
    }
    if (ok) {
        polled->posted = len;
        while (count--) wshub_eio_link__shift(link);
    } else if (link->state == WSHUB_EIO_LINK__LEAVING) {
        wshub_eio_link__closed(link);
    } else {
        wshub_eio_link__exhausted(link);
    }
}

/* ---- in ---- */

/* Is a WebSocket among the upgrades that the server offers? */
static bool wshub_eio_link__offered(wshub_str upgrades) {
    wshub_iter iter = {0, 0};
    wshub_str value;

    while (wshub_json_each(upgrades, &iter, &value)) {
        if (wshub_json_is(value, "websocket")) return true;
    }
    return false;
}

static bool wshub_eio_link__ws_open(wshub_eio_link *link, const wshub_eio_link_desc *desc);

/* How long an attempt may take, and a probe. */
static uint32_t wshub_eio_link__patience_ms(const wshub_eio_link_desc *desc) {
    return desc->ws->connect_timeout_ms ? desc->ws->connect_timeout_ms : 20000;
}

static void wshub_eio_link__probe_clock(wshub_eio_link *link) {
    uint32_t wait = wshub_eio_link__patience_ms(&link->polled->desc);

    if (wait == WSHUB_OFF) return;
    link->polled->probe_ms = wshub_ws_now_ms(link->pool) + wait;
    wshub_eio_link__rearm(link);
}

/* Opens a WebSocket beside the polls. Out of memory: polling goes on. */
static void wshub_eio_link__probe(wshub_eio_link *link) {
    wshub_eio_link__way_to(link, WSHUB_EIO_LINK__PROBING);
    if (wshub_eio_link__ws_open(link, &link->polled->desc))
        wshub_eio_link__probe_clock(link);
    else
        wshub_eio_link__way_to(link, WSHUB_EIO_LINK__POLLING);
}

/* Notes what polls and posts have to know of the session. False: it has no id of use. */
static bool wshub_eio_link__polled_opened(wshub_eio_link *link, wshub_str json) {
    wshub_eio_link__polled *polled = link->polled;
    int64_t most;

    polled->payload_max = 1u << 30;
    if (!wshub_json_int(wshub_json_find(json, "maxPayload"), 1, 1 << 30, &most))
        polled->payload_max = (uint32_t)most;
    polled->sid = wshub_eio_link__sid(link, wshub_json_find(json, "sid"));
    return polled->sid != NULL;
}

/* The first packet: what the session is like. */
static void wshub_eio_link__opened(wshub_eio_link *link, wshub_str json) {
    int64_t interval, timeout;
    wshub_str sid;
    bool moves;

    if (wshub_json_type(json) != WSHUB_JSON_OBJECT) json.len = 0;
    sid = wshub_json_find(json, "sid");
    if (!json.len || wshub_json_peek(sid) != WSHUB_JSON_STRING || sid.len < 3 ||
        wshub_json_int(wshub_json_find(json, "pingInterval"), 1, 86400000, &interval) ||
        wshub_json_int(wshub_json_find(json, "pingTimeout"), 1, 86400000, &timeout)) {
        wshub_eio_link__broken(link, "the server's open packet is none");
        return;
    }
    link->silence_ms = (uint32_t)(interval + timeout);
    if (link->polled && !wshub_eio_link__polled_opened(link, json)) {
        wshub_eio_link__broken(link, "the server's open packet has no id of use");
        return;
    }
    moves = link->polled && link->polled->desc.transports == WSHUB_EIO_POLLING_FIRST &&
            wshub_eio_link__offered(wshub_json_find(json, "upgrades"));
    wshub_eio_link__to(link, WSHUB_EIO_LINK__OPEN);
    wshub_eio_link__watch(link);
    if (link->events->opened) link->events->opened(link, link->user);
    if (moves && wshub_eio_link__listens(link)) wshub_eio_link__probe(link);
}

static void wshub_eio_link__message(wshub_eio_link *link, wshub_ws_kind kind, uint8_t *bytes,
                                    size_t count) {
    if (link->events->message) link->events->message(link, kind, bytes, count, link->user);
}

/* Answers a ping, unless an answer from just now still waits: a server that pings and does not read
 * would have them pile up. */
static void wshub_eio_link__pong(wshub_eio_link *link) {
    uint32_t now = (uint32_t)wshub_ws_now_ms(link->pool);

    if (wshub_eio_link_unsent(link) && link->pong_ms &&
        now - link->pong_ms < WSHUB_EIO_LINK__PONG_MS)
        return;
    if (!wshub_eio_link__say(link, WSHUB_WS_TEXT, "3", 1)) link->pong_ms = now;
}

/* A packet of text of an open session. The byte behind it may be written. */
static void wshub_eio_link__packet_in(wshub_eio_link *link, uint8_t *bytes, size_t count) {
    wshub_str text;

    text.ptr = (const char *)bytes + 1;
    text.len = count ? count - 1 : 0;
    switch (count ? (char)bytes[0] : 0) {
    case '0':
    case '3':
    case '6': return; /* nothing to us */
    case '1':
        wshub_eio_link__over(link, "transport close", "closed by the server", NULL,
                             link->way == WSHUB_EIO_LINK__WEBSOCKET);
        return;
    case '2':
        wshub_eio_link__pong(link);
        wshub_eio_link__watch(link);
        return;
    case '4': wshub_eio_link__message(link, WSHUB_WS_TEXT, bytes + 1, text.len); return;
    case 'b':
        wshub_eio_link__message(link, WSHUB_WS_BINARY, bytes + 1,
                                wshub_eio_binary_read(text, bytes + 1));
        return;
    default: wshub_eio_link__broken(link, "a packet of no kind");
    }
}

/* A packet of text, whatever the session waits for. */
static void wshub_eio_link__text_in(wshub_eio_link *link, uint8_t *bytes, size_t count) {
    wshub_str json;

    if (link->state == WSHUB_EIO_LINK__OPEN) {
        wshub_eio_link__packet_in(link, bytes, count);
        return;
    }
    if (!count || bytes[0] != '0') {
        wshub_eio_link__broken(link, "the server's first packet does not open a session");
        return;
    }
    json.ptr = (const char *)bytes + 1;
    json.len = count - 1;
    wshub_eio_link__opened(link, json);
}

/* What a poll has brought: packets, parted by a byte. */
static void wshub_eio_link__payload_in(wshub_eio_link *link, uint8_t *bytes, size_t count) {
    const wshub_ws_desc *to = link->polled->desc.ws;
    size_t most = to->message_bytes_max ? to->message_bytes_max : 1048576;

    if (!wshub_utf8_check(bytes, count)) {
        wshub_eio_link__broken(link, "a payload that is not UTF-8");
        return;
    }
    for (;;) {
        uint8_t *end = count ? (uint8_t *)memchr(bytes, WSHUB_EIO_SEPARATOR, count) : NULL;
        size_t len = end ? (size_t)(end - bytes) : count;

        /* Bytes are a third shorter than their text. */
        if (len && (bytes[0] == 'b' ? (len - 1) / 4 * 3 : len) > most + 4)
            wshub_eio_link__broken(link, "a message over message_bytes_max");
        else
            wshub_eio_link__text_in(link, bytes, len);
        if (!end || !wshub_eio_link__listens(link)) return;
        bytes += len + 1;
        count -= len + 1;
    }
}

/* ---- reports of lines ---- */

/* An answer that says no. */
static void wshub_eio_link__status(wshub_eio_link *link, int status) {
    wshub_ws_gone gone;
    char text[40];

    memset(&gone, 0, sizeof gone);
    (void)snprintf(text, sizeof text, "the server answers %d", status);
    gone.why = WSHUB_WS_END_STATUS;
    gone.status = status;
    gone.reason.ptr = "";
    gone.text = text;
    wshub_eio_link__failed(link, &gone);
}

/* A post is answered: the next one, or all has left. */
static void wshub_eio_link__posted(wshub_eio_link *link) {
    bool leaves = link->state == WSHUB_EIO_LINK__LEAVING;

    link->polled->posted = 0;
    wshub_eio_link__post(link);
    if (link->polled->post.asked || link->polled->first) return;
    if (leaves && link->state == WSHUB_EIO_LINK__LEAVING) wshub_eio_link__closed(link);
    if (!leaves && wshub_eio_link__listens(link) && link->events->drained)
        link->events->drained(link, link->user);
}

/* ---- from polling to a WebSocket ---- */

/* The WebSocket that was probed is of no use: polling goes on. */
static void wshub_eio_link__unprobed(wshub_eio_link *link) {
    bool paused = link->way == WSHUB_EIO_LINK__PAUSING;

    (void)wshub_ws_forget(link->pool, link->ws);
    link->ws.id = 0;
    wshub_eio_link__way_to(link, WSHUB_EIO_LINK__POLLING);
    if (!paused || !wshub_eio_link__listens(link)) return;
    wshub_eio_link__soon(link);
    if (!link->polled->poll.asked) wshub_eio_link__poll(link);
}

/* Nothing is under way any more on the lines: the WebSocket carries the session from here on, what
 * waits first. */
static void wshub_eio_link__switch(wshub_eio_link *link) {
    const wshub_eio_link__polled *polled = link->polled;
    const wshub_eio_link__packet *packet;

    if (link->way != WSHUB_EIO_LINK__PAUSING || polled->poll.asked || polled->post.asked ||
        !wshub_eio_link__listens(link))
        return;
    if (wshub_ws_send(link->pool, link->ws, WSHUB_WS_TEXT, "5", 1)) {
        wshub_eio_link__unprobed(link);
        return;
    }
    wshub_eio_link__way_to(link, WSHUB_EIO_LINK__WEBSOCKET);
    wshub_eio_link__lines_cut(link);
    while ((packet = polled->first) != NULL) {
        if (wshub_ws_send(link->pool, link->ws, packet->kind, packet + 1, packet->len)) {
            wshub_eio_link__exhausted(link);
            return;
        }
        wshub_eio_link__shift(link);
    }
    wshub_eio_link__polled_free(link);
    if (link->events->drained) link->events->drained(link, link->user);
}

/* Which of its lines is this? NULL: none of now. */
static wshub_eio_link__line *wshub_eio_link__line_of(wshub_eio_link *link, wshub_ws line) {
    wshub_eio_link__polled *polled = link->polled;

    if (polled && line.id == polled->poll.line.id) return &polled->poll;
    return polled && line.id == polled->post.line.id ? &polled->post : NULL;
}

static void wshub_eio_link__on_answered(wshub_ws_pool *pool, wshub_ws line,
                                        const wshub_ws_answer *answer, void *user) {
    wshub_eio_link *link = (wshub_eio_link *)user;
    wshub_eio_link__line *of = wshub_eio_link__line_of(link, line);
    bool poll = link->polled && of == &link->polled->poll;

    if (!of || link->doomed) return;
    wshub_eio_link__enter(link);
    of->asked = false;
    if (answer->last) { /* its end is of no interest, and may come when the session is gone */
        (void)wshub_ws_forget(pool, line);
        of->line.id = 0;
    }
    if (wshub_eio_link__listens(link)) wshub_eio_link__cookies_in(link, answer->head);
    if (poll && !wshub_eio_link__listens(link)) {
        /* Whatever it is, it comes too late. */
    } else if (answer->status != 200) {
        wshub_eio_link__status(link, answer->status);
    } else if (poll) {
        wshub_eio_link__payload_in(link, answer->body, answer->body_bytes);
    } else {
        wshub_eio_link__posted(link);
    }
    if (poll && link->way != WSHUB_EIO_LINK__PAUSING && wshub_eio_link__listens(link))
        wshub_eio_link__poll(link);
    wshub_eio_link__switch(link);
    wshub_eio_link__leave(link);
}

static void wshub_eio_link__on_line_ended(wshub_ws_pool *pool, wshub_ws line,
                                          const wshub_ws_gone *gone, void *user) {
    wshub_eio_link *link = (wshub_eio_link *)user;
    wshub_eio_link__line *of = wshub_eio_link__line_of(link, line);
    bool asked = of && of->asked, poll = of && of == &link->polled->poll;

    (void)pool;
    if (!of || link->doomed) return;
    wshub_eio_link__enter(link);
    of->line.id = 0;
    of->asked = false;
    if (gone->raced) link->polled->once = true;
    /* While it leaves the polled line says nothing any more. */
    if (gone->raced && poll && wshub_eio_link__listens(link)) {
        if (link->way != WSHUB_EIO_LINK__PAUSING) wshub_eio_link__poll(link);
        wshub_eio_link__switch(link);
    } else if (asked && (!poll || link->state != WSHUB_EIO_LINK__LEAVING)) {
        wshub_eio_link__failed(link, gone);
    }
    wshub_eio_link__leave(link);
}

/* ---- reports of a WebSocket ---- */

/* A WebSocket that is probed is asked whether it works. */
static void wshub_eio_link__on_ws_opened(wshub_ws_pool *pool, wshub_ws ws,
                                         const wshub_ws_about *about, void *user) {
    wshub_eio_link *link = (wshub_eio_link *)user;

    (void)about;
    if (ws.id != link->ws.id || link->way != WSHUB_EIO_LINK__PROBING) return;
    wshub_eio_link__enter(link);
    if (wshub_ws_send(pool, ws, WSHUB_WS_TEXT, "2probe", 6)) wshub_eio_link__unprobed(link);
    wshub_eio_link__leave(link);
}

/* It says so: what is under way is awaited, which the server ends by an empty answer to the poll.
 * Behind that it says nothing until we have moved. */
static void wshub_eio_link__probed(wshub_eio_link *link, wshub_ws_kind kind, const uint8_t *bytes,
                                   size_t count) {
    if (link->way == WSHUB_EIO_LINK__PAUSING) return;
    if (kind != WSHUB_WS_TEXT || count != 6 || memcmp(bytes, "3probe", 6) != 0) {
        wshub_eio_link__unprobed(link);
        return;
    }
    wshub_eio_link__way_to(link, WSHUB_EIO_LINK__PAUSING);
    wshub_eio_link__probe_clock(link);
    wshub_eio_link__switch(link);
}

static void wshub_eio_link__on_message(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind,
                                       uint8_t *bytes, size_t count, void *user) {
    wshub_eio_link *link = (wshub_eio_link *)user;

    (void)pool;
    if (ws.id != link->ws.id || !wshub_eio_link__listens(link)) return;
    wshub_eio_link__enter(link);
    if (link->way != WSHUB_EIO_LINK__WEBSOCKET)
        wshub_eio_link__probed(link, kind, bytes, count);
    else if (kind == WSHUB_WS_TEXT)
        wshub_eio_link__text_in(link, bytes, count);
    else if (link->state == WSHUB_EIO_LINK__OPEN)
        wshub_eio_link__message(link, kind, bytes, count);
    else
        wshub_eio_link__broken(link, "the server's first packet does not open a session");
    wshub_eio_link__leave(link);
}

static void wshub_eio_link__on_drained(wshub_ws_pool *pool, wshub_ws ws, void *user) {
    wshub_eio_link *link = (wshub_eio_link *)user;

    (void)pool;
    if (ws.id != link->ws.id || !wshub_eio_link__listens(link) ||
        link->way != WSHUB_EIO_LINK__WEBSOCKET)
        return;
    wshub_eio_link__enter(link);
    if (link->events->drained) link->events->drained(link, link->user);
    wshub_eio_link__leave(link);
}

static void wshub_eio_link__on_ws_ended(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone,
                                        void *user) {
    wshub_eio_link *link = (wshub_eio_link *)user;

    (void)pool;
    if (ws.id != link->ws.id || link->doomed) return;
    wshub_eio_link__enter(link);
    link->ws.id = 0;
    if (link->way == WSHUB_EIO_LINK__WEBSOCKET)
        wshub_eio_link__failed(link, gone);
    else
        wshub_eio_link__unprobed(link);
    wshub_eio_link__leave(link);
}

static const wshub_ws_events wshub_eio_link__ws_events = {
    wshub_eio_link__on_ws_opened, wshub_eio_link__on_message, NULL, wshub_eio_link__on_drained,
    wshub_eio_link__on_ws_ended};

/* Puts the session's cookies behind the caller's fields. *out_headers: to be freed, NULL: there are
 * none. False: out of memory. */
static bool wshub_eio_link__headers_new(wshub_eio_link *link, wshub_ws_desc *desc,
                                        wshub_header **out_headers) {
    size_t count = desc->headers_count;
    wshub_header *headers = NULL;

    *out_headers = NULL;
    if (!link->polled || !link->polled->cookies) return true;
    headers = (wshub_header *)wshub_ws_alloc(link->pool, NULL, 0, (count + 1) * sizeof *headers);
    if (!headers) return false;
    if (count) memcpy(headers, desc->headers, count * sizeof *headers);
    headers[count].name = wshub_str_z("Cookie");
    headers[count].value = wshub_str_z(link->polled->cookies);
    desc->headers = *out_headers = headers;
    desc->headers_count = count + 1;
    return true;
}

/* Opens the WebSocket of a session, a new one or the one that polls. False: out of memory. */
static bool wshub_eio_link__ws_open(wshub_eio_link *link, const wshub_eio_link_desc *of) {
    const char *sid = link->polled ? link->polled->sid : NULL;
    wshub_ws_desc desc = *of->ws;
    char measured[1];
    size_t len = wshub_eio_link__url(of, false, sid, measured, sizeof measured);
    char *url = (char *)wshub_ws_alloc(link->pool, NULL, 0, len + 1);
    wshub_header *headers;
    bool ok;

    if (!url) return false;
    (void)wshub_eio_link__url(of, false, sid, url, len + 1);
    if (!wshub_eio_link__headers_new(link, &desc, &headers)) {
        (void)wshub_ws_alloc(link->pool, url, len + 1, 0);
        return false;
    }
    desc.url = url;
    desc.events = &wshub_eio_link__ws_events;
    desc.user = link;
    if (!desc.idle_timeout_ms) desc.idle_timeout_ms = WSHUB_OFF;
    desc.unsent_bytes_max = 1u << 30; /* the limit is kept above, where packets are whole */
    ok = wshub_ws_open(link->pool, &desc, &link->ws) == WSHUB_OK;
    if (!ok) link->ws.id = 0;
    (void)wshub_ws_alloc(link->pool, url, len + 1, 0);
    if (headers) (void)wshub_ws_alloc(link->pool, headers, desc.headers_count * sizeof *headers, 0);
    return ok;
}

/* ---- clocks ---- */

/* The time of its state is over. */
static void wshub_eio_link__late(wshub_eio_link *link) {
    if (link->state == WSHUB_EIO_LINK__OPENING)
        wshub_eio_link__over(link, "transport error", "timeout", NULL, false);
    else if (link->state == WSHUB_EIO_LINK__OPEN)
        wshub_eio_link__silent(link);
    else if (link->state == WSHUB_EIO_LINK__LEAVING)
        wshub_eio_link__closed(link);
}

/* Does what is owed: the end of what was cut, and posts. */
static void wshub_eio_link__settle(wshub_eio_link *link) {
    link->soon = false;
    if (link->cut && link->state <= WSHUB_EIO_LINK__OPEN)
        wshub_eio_link__over(link, "transport close", "dropped", NULL, false);
    else if (!link->cut && link->way != WSHUB_EIO_LINK__WEBSOCKET &&
             link->state != WSHUB_EIO_LINK__OVER)
        wshub_eio_link__post(link);
}

WSHUB_API void wshub_eio_link_tick(wshub_eio_link *link) {
    uint64_t now = wshub_ws_now_ms(link->pool);

    wshub_eio_link__enter(link);
    if (link->soon) wshub_eio_link__settle(link);
    /* The WebSocket that is probed may have taken too long. */
    if (link->polled && now >= link->polled->probe_ms) wshub_eio_link__unprobed(link);
    if (!link->doomed && now >= link->due_ms) wshub_eio_link__late(link);
    if (!link->doomed) wshub_eio_link__rearm(link);
    wshub_eio_link__leave(link);
}

static void wshub_eio_link__on_timer(void *ctx) {
    wshub_eio_link_tick((wshub_eio_link *)ctx);
}

/* Its own timer, if it is to have one. False: out of memory. */
static bool wshub_eio_link__timer_add(wshub_eio_link *link) {
    wshub_ws_timer *timer = wshub_eio_link__timer(link);

    if (!timer) return true;
    memset(timer, 0, sizeof *timer);
    timer->fire = wshub_eio_link__on_timer;
    timer->ctx = link;
    return wshub_ws_timer_add(link->pool, timer) == WSHUB_OK;
}

/* ---- making and ending one ---- */

WSHUB_API const char *wshub_eio_link_problem_versioned(const wshub_eio_link_desc *desc,
                                                       size_t desc_bytes, uint32_t version) {
    char url[WSHUB_EIO_LINK__URL_MAX];
    wshub_str rest;
    wshub_ws_desc ws;
    size_t len;
    bool secure;

    if (!desc) return "desc: it is NULL";
    if (version != WSHUB_EIO_LINK_VERSION || desc_bytes != sizeof *desc)
        return "desc: compiled against another wshub_ext_client_engineio.h than this code";
    if (!desc->ws || !wshub_eio_link__origin(desc->ws->url, &secure, &rest))
        return "ws.url: http://, https://, ws:// or wss://, host and port, and nothing behind them";
    if (!desc->events) return "events: they are required";
    if (desc->path && (desc->path[0] != '/' || strcspn(desc->path, "?#") < strlen(desc->path)))
        return "path: it begins with a slash and has no query";
    len = wshub_eio_link__url(desc, false, NULL, url, sizeof url);
    if (!len || len + WSHUB_EIO_LINK__SID_MAX * 3 + 40 >= sizeof url)
        return "path, query: too long";
    ws = *desc->ws;
    ws.url = url;
    ws.events = &wshub_eio_link__ws_events;
    if (wshub_ws_desc_problem(&ws)) return wshub_ws_desc_problem(&ws);
    if ((unsigned)desc->transports > WSHUB_EIO_POLLING_FIRST)
        return "transports: WEBSOCKET_ONLY, POLLING_ONLY or POLLING_FIRST";
    if (desc->payload_bytes_max > 1u << 30) return "payload_bytes_max: up to 2^30";
    return NULL;
}

/* Begins, by what it is to be carried first. False: out of memory. */
static bool wshub_eio_link__begin(wshub_eio_link *link, const wshub_eio_link_desc *desc) {
    wshub_ws_request request;

    if (desc->transports == WSHUB_EIO_WEBSOCKET_ONLY) {
        link->way = WSHUB_EIO_LINK__WEBSOCKET;
        return wshub_eio_link__ws_open(link, desc);
    }
    if (!wshub_eio_link__polled_new(link, desc)) return false;
    memset(&request, 0, sizeof request);
    request.method = "GET";
    request.timeout_ms = WSHUB_OFF;
    return wshub_eio_link__ask(link, &link->polled->poll, &request);
}

WSHUB_API wshub_err wshub_eio_link_open_versioned(wshub_ws_pool *pool,
                                                  const wshub_eio_link_desc *desc,
                                                  size_t desc_bytes, uint32_t version, void *user,
                                                  wshub_eio_link **out_link) {
    wshub_eio_link *link;
    bool clocked;
    uint32_t wait;

    if (!pool || !out_link || wshub_eio_link_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    clocked = desc->events->clock != NULL;
    link = (wshub_eio_link *)wshub_ws_alloc(pool, NULL, 0, wshub_eio_link__bytes(clocked));
    if (!link) return WSHUB_ERR_NOMEM;
    memset(link, 0, sizeof *link);
    link->pool = pool;
    link->close_ms = desc->ws->close_timeout_ms ? desc->ws->close_timeout_ms : 2000;
    link->events = desc->events;
    link->clocked = clocked;
    link->user = user;
    link->due_ms = WSHUB_NEVER;
    if (!wshub_eio_link__timer_add(link) || !wshub_eio_link__begin(link, desc)) {
        wshub_eio_link__free(link);
        return WSHUB_ERR_NOMEM;
    }
    wait = wshub_eio_link__patience_ms(desc);
    if (wait != WSHUB_OFF) wshub_eio_link__wake_at(link, wshub_ws_now_ms(pool) + wait);
    *out_link = link;
    return WSHUB_OK;
}

WSHUB_API void wshub_eio_link_destroy(wshub_eio_link *link) {
    if (!link || link->doomed) return;
    link->doomed = true;
    wshub_eio_link__cut(link);
    if (!link->depth) wshub_eio_link__free(link);
}

WSHUB_API wshub_err wshub_eio_link_close(wshub_eio_link *link) {
    bool over = link->state == WSHUB_EIO_LINK__OVER && link->there;
    wshub_str none = {NULL, 0};
    wshub_err err;

    if (link->doomed || (link->state != WSHUB_EIO_LINK__OPEN && !over)) return WSHUB_ERR_STATE;
    wshub_eio_link__to(link, WSHUB_EIO_LINK__LEAVING);
    wshub_eio_link__wake_at(link, wshub_ws_now_ms(link->pool) + link->close_ms);
    if (link->way == WSHUB_EIO_LINK__WEBSOCKET) {
        err = link->cut ? WSHUB_ERR_STALE : wshub_ws_close(link->pool, link->ws, 0, none);
    } else {
        if (link->way != WSHUB_EIO_LINK__POLLING) {
            (void)wshub_ws_forget(link->pool, link->ws);
            link->ws.id = 0;
            wshub_eio_link__way_to(link, WSHUB_EIO_LINK__POLLING);
        }
        err = link->cut ? WSHUB_ERR_STALE : wshub_eio_link__queue(link, WSHUB_WS_TEXT, "1", 1);
    }
    if (err) { /* it is left without a word, in the next turn */
        wshub_eio_link__cut(link);
        wshub_eio_link__wake_at(link, 1);
    }
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_eio_link_drop(wshub_eio_link *link) {
    if (!wshub_eio_link__listens(link) || link->state != WSHUB_EIO_LINK__OPEN)
        return WSHUB_ERR_STATE;
    wshub_eio_link__cut(link);
    link->cut = true;
    wshub_eio_link__soon(link);
    return WSHUB_OK;
}

WSHUB_API wshub_ws wshub_eio_link_ws(const wshub_eio_link *link) {
    wshub_ws none = {0};
    return link->way == WSHUB_EIO_LINK__WEBSOCKET ? link->ws : none;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
