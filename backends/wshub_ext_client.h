/* wshub_ext_client.h - clients in C: a WebSocket to any server, and the protocol of a hub on it
 *
 * [x] WebSockets over any io that has guests: sockets, one's own loop, a fake in tests; all those
 *     of a pool are one guest, so that thousands cost one entry in the io
 * [x] URLs read strictly; names by a resolver of yours or by the io's; several addresses raced as
 *     RFC 8305 says; an HTTP proxy by CONNECT; one deadline over name, addresses, proxy, TLS and
 *     upgrade
 * [x] the handshake judged to the letter (RFC 6455 4.1): status, fields, accept key, nothing that
 *     was not offered; redirects only if asked for, and then without credentials elsewhere
 * [x] masks of fresh randomness for each frame, pings with a deadline, the closing handshake both
 *     ways, limits for all that a server can make grow
 * [x] HTTP/1.1 on the same streams (URLs, names, proxies, TLS): one request after another, for what
 *     begins with requests, as Engine.IO does; every answer that is none ends the line
 * [x] the hub's protocol on it: authentication fixed or asked for, heartbeat, rooms, events,
 *     requests with answers, encryption by hooks; it comes back by itself, after a backoff with
 *     chance, is in its rooms again, and sends what it kept, once and in order
 * [x] TLS where the io has it: `wss` is dialled as secure (wshub_dial.secure)
 * [x] `wss` and `https` through a proxy, where the io can begin TLS on a stream that is there
 *     (wshub_io.secure)
 * [x] permessage-deflate (RFC 7692) by a codec, as the hub's (wshub_ws_pool_desc.deflate): offered
 *     if asked for, and every answer to it that is valid is kept
 *
 * System   ISO C99.
 * Include  behind wshub.h. The code is emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_EXT_CLIENT_IMPLEMENTATION for a file of its own.
 * Threads  One, that of the io, for everything.
 *
 * ---- a WebSocket ----
 *     static void on_opened(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_about *about,
 *                           void *user) {
 *         wshub_ws_send(pool, ws, WSHUB_WS_TEXT, "hello", 5);
 *     }
 *     static const wshub_ws_events events = {.opened = on_opened, .message = on_message,
 *                                            .ended = on_ended};
 *
 *     wshub_ws_pool_create(&(wshub_ws_pool_desc){.io = wshub_io_sock_io(net)}, &pool);
 *     wshub_ws_open(pool, &(wshub_ws_desc){.url = "ws://localhost:8080/ws", .events = &events},
 *                   &ws);
 *     wshub_io_sock_run(net);
 *     wshub_ws_pool_destroy(pool);
 *
 * A wshub_ws is a handle of one connection, from wshub_ws_open() until ended(), which is told once,
 * whatever happens: a Close, a lost stream, a server that is none (wshub_ws_gone.why). It does not
 * come back by itself: what comes back, authenticates and keeps is on top.
 *
 * What is sent goes out in the next turn of the io, in one piece for each stream. What the stream
 * does not take waits, up to unsent_bytes_max.
 *
 * ---- a client of a hub ----
 *     static void on_event(wshub_ext_client *client, const wshub_event *event, void *user) {
 *         printf("%.*s\n", (int)event->data.len, event->data.ptr);
 *     }
 *     static const wshub_ext_client_events events = {.event = on_event};
 *     static const wshub_ext_client_desc desc = {
 *         .ws = {.url = "ws://localhost:8080/ws"}, .events = &events,
 *         .auth = "{\"token\":\"...\"}"};
 *
 *     wshub_ext_client_create(pool, &desc, NULL, &client);
 *     wshub_ext_client_subscribe(client, wshub_str_z("said"));
 *     wshub_ext_client_join(client, (wshub_str[]){wshub_str_z("lobby")}, 1);
 *     wshub_ext_client_emit(client, &(wshub_msg){.event = wshub_str_z("say"),
 *                                                .data = wshub_str_z("\"hello\"")}, false);
 *     wshub_io_sock_run(net);
 *
 * It connects, authenticates, is in the room and says what was kept for it, and all of that again
 * when the server was away. examples/sensor.c is a whole one.
 *
 * ---- the states of a WebSocket ----
 * STARTING, or RESOLVING while its name's addresses are awaited, DIALLING while they are tried,
 * PROXY until the proxy has answered, SECURING while TLS begins behind it, UPGRADING until the
 * server has answered; then OPEN, or HTTP for a line of requests, which has no handshake; CLOSING
 * behind our Close, ENDING when both have been seen, or the peer failed: nothing more is read, and
 * the end of the stream is awaited for close_timeout_ms. FAILED, of which ended() is owed and there
 * is no stream; CUT, when the stream's closed() is awaited. */
#ifndef WSHUB_EXT_CLIENT_H
#define WSHUB_EXT_CLIENT_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- a pool ---- */

/* The WebSockets that one io carries. Made by wshub_ws_pool_create(), ended by
 * wshub_ws_pool_destroy(). */
typedef struct wshub_ws_pool wshub_ws_pool;
/* A WebSocket that this side has opened, {0}: none. One that has ended is answered with STALE. */
/* clang-format off */
typedef struct wshub_ws { uint64_t id; } wshub_ws;
/* clang-format on */

/* Of wshub_ws_pool_desc, wshub_ws_desc and every other struct of this part of the file. */
#define WSHUB_WS_VERSION 1

/* What a pool is like. Zero is the default of every field. */
typedef struct wshub_ws_pool_desc {
    const wshub_io *io; /* required: with guest, connect and random; copied, outlives the pool */
    /* Asked for the addresses of a name that is none itself, on the io's thread; answers by
     * wshub_ws_resolved(), at once, later, or never: the WebSocket's own deadline holds. It may be
     * asked for one WebSocket several times (a redirect), each time with another question.
     *   name  terminated; a view, valid until it returns
     * NULL: the io resolves (wshub_dial.address is then the name), and tries the addresses. */
    void (*resolve)(wshub_ws_pool *pool, wshub_ask question, const char *name, void *user);
    void *user;           /* for resolve */
    wshub_alloc_fn alloc; /* NULL: realloc and free; the io's thread */
    void *alloc_user;     /* the first argument of alloc */
    /* The codec of permessage-deflate, such as that of wshub_deflate_zlib.h, for those that are
     * opened with wshub_ws_desc.deflate; its ctx outlives the pool. NULL: nothing is offered. */
    const wshub_deflate *deflate;
} wshub_ws_pool_desc;

/* Makes a pool, which becomes a guest of the io.
 *   desc      borrowed
 *   out_pool  given to you, end it with wshub_ws_pool_destroy()
 * Returns  OK; PARAM: wshub_ws_pool_desc_problem() says which field; NOMEM; LIMIT: the io has as
 *          many guests as it takes.
 * Thread   the io's. */
WSHUB_INLINE wshub_err wshub_ws_pool_create(const wshub_ws_pool_desc *desc,
                                            wshub_ws_pool **out_pool);
/* Says in one line what wshub_ws_pool_create() would refuse in a description, beginning with the
 * field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ws_pool_desc_problem(const wshub_ws_pool_desc *desc);
/* Ends it: its streams are closed at once, and nothing of it is called any more, not even ended().
 * NULL: nothing. In a callback of the pool's it is gone when the outermost of them has returned.
 * Thread: the io's. */
WSHUB_API void wshub_ws_pool_destroy(wshub_ws_pool *pool);

/* What the two above call, as wshub_create_versioned() of wshub.h: with what the header that your
 * program includes says of the description.
 *   desc_bytes  sizeof(wshub_ws_pool_desc)
 *   version     WSHUB_WS_VERSION
 * Return   as those. */
WSHUB_API wshub_err wshub_ws_pool_create_versioned(const wshub_ws_pool_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_ws_pool **out_pool);
WSHUB_API const char *wshub_ws_pool_desc_problem_versioned(const wshub_ws_pool_desc *desc,
                                                           size_t desc_bytes, uint32_t version);
WSHUB_INLINE wshub_err wshub_ws_pool_create(const wshub_ws_pool_desc *desc,
                                            wshub_ws_pool **out_pool) {
    return wshub_ws_pool_create_versioned(desc, sizeof *desc, WSHUB_WS_VERSION, out_pool);
}
WSHUB_INLINE const char *wshub_ws_pool_desc_problem(const wshub_ws_pool_desc *desc) {
    return wshub_ws_pool_desc_problem_versioned(desc, sizeof *desc, WSHUB_WS_VERSION);
}

/* Answers what wshub_ws_pool_desc.resolve was asked.
 *   addresses  count of them, in the order in which they are to be tried; their ports are not
 *              looked at; copied. More than WSHUB_WS_ADDRESSES_MAX: the first ones. count 0: the
 *              name has none
 * Returns  OK; STALE: nobody waits for it any more, which is no mistake: it took too long.
 * Thread   the io's; allowed inside resolve. */
WSHUB_API wshub_err wshub_ws_resolved(wshub_ws_pool *pool, wshub_ask question,
                                      const wshub_address *addresses, size_t count);
/* How many addresses of a name are tried. */
#define WSHUB_WS_ADDRESSES_MAX 16

/* Tells the clock of the pool's io, in milliseconds from a beginning of its own. */
WSHUB_API uint64_t wshub_ws_now_ms(const wshub_ws_pool *pool);
/* Writes count bytes that nobody can predict. False: the io has none. */
WSHUB_API bool wshub_ws_random(wshub_ws_pool *pool, void *bytes, size_t count);
/* Allocates as wshub_ws_pool_desc.alloc does, for what stands on the pool. */
WSHUB_API void *wshub_ws_alloc(wshub_ws_pool *pool, void *ptr, size_t old_bytes, size_t new_bytes);

/* ---- timers, for what stands on a pool ---- */

/* A timer that lies in a struct of yours, zeroed but for `fire` and `ctx`. The rest is the pool's.
 */
typedef struct wshub_ws_timer {
    void (*fire)(void *ctx); /* called once it is due, on the io's thread, never inside an order */
    void *ctx;               /* its argument */
    uint64_t due_ms;         /* the pool's; 0: it does not run */
    uint32_t order;          /* the pool's; how many were started before it */
    unsigned at : 31;        /* the pool's; 0: it does not run */
    unsigned added : 1;      /* the pool's */
} wshub_ws_timer;

/* Adds a timer to the pool, which does not run yet: afterwards starting it cannot fail. Once added,
 * twice is an error of the caller's. Returns OK; NOMEM. */
WSHUB_API wshub_err wshub_ws_timer_add(wshub_ws_pool *pool, wshub_ws_timer *timer);
/* Lets it fire at due_ms of the pool's clock (not 0), whenever it was to before. What is started
 * inside `fire` and due at once fires in the next turn (LIVE-3). */
WSHUB_API void wshub_ws_timer_start(wshub_ws_pool *pool, wshub_ws_timer *timer, uint64_t due_ms);
/* It does not fire; it stays added. */
WSHUB_API void wshub_ws_timer_stop(wshub_ws_pool *pool, wshub_ws_timer *timer);
/* Takes it out of the pool, before its memory goes. One that was not added: nothing. */
WSHUB_API void wshub_ws_timer_remove(wshub_ws_pool *pool, wshub_ws_timer *timer);

/* ---- a WebSocket ---- */

/* Why a WebSocket has ended, or was not opened: name, the short word that programs print, text. */
#define WSHUB_WS_ENDS(X)                                                                           \
    X(CLOSE, "close", "closed")                                                                    \
    X(LOST, "lost", "the stream ended, or the peer fell silent, without a Close")                  \
    X(BROKEN, "protocol", "the peer broke the protocol or a limit")                                \
    X(RESOLVE, "resolve", "the name has no address")                                               \
    X(CONNECT, "connect", "no address took the connection")                                        \
    X(TIMEOUT, "timeout", "timeout")                                                               \
    X(TLS, "tls", "TLS failed, or this io has none")                                               \
    X(CERTIFICATE, "certificate", "the server's certificate is not trusted, or another host's")    \
    X(EARLY, "closed", "the stream ended before the answer was whole")                             \
    X(STATUS, "status", "the server refused: `status`")                                            \
    X(HANDSHAKE, "handshake", "no valid answer to the handshake")                                  \
    X(REDIRECT, "redirect", "redirected too often, or to where it must not go")                    \
    X(PROXY, "proxy", "the proxy refused, or what answered is none")                               \
    X(CANCELLED, "cancelled", "closed by us before it was open")                                   \
    X(MEMORY, "memory", "out of memory")                                                           \
    X(RANDOM, "random", "the io has no randomness: keys would be guessable")                       \
    X(ANSWER, "answer", "no valid answer to a request of HTTP")

/* Why a WebSocket has ended. CLOSE, LOST and BROKEN are of those that were open; the others, and
 * MEMORY and RANDOM too, of those that never were; ANSWER is of lines of HTTP alone. */
typedef enum wshub_ws_why {
#define WSHUB__X(name, word, text) WSHUB_WS_END_##name,
    WSHUB_WS_ENDS(WSHUB__X)
#undef WSHUB__X
        WSHUB_WS_WHYS /* how many there are */
} wshub_ws_why;

/* Returns the short word of a reason ("resolve"); "?" of what is none. Pure: any thread. */
WSHUB_API const char *wshub_ws_why_name(wshub_ws_why why);

/* What a message is. */
typedef enum wshub_ws_kind {
    WSHUB_WS_TEXT = 1,  /* UTF-8 */
    WSHUB_WS_BINARY = 2 /* any bytes */
} wshub_ws_kind;

/* How a WebSocket was opened. Views, valid until the callback returns. */
typedef struct wshub_ws_about {
    wshub_str protocol; /* the subprotocol that the server chose; ptr NULL: none */
    bool deflate;       /* permessage-deflate was agreed on */
    wshub_str address;  /* of the peer, or of the proxy, as wshub_about.peer; may be absent */
    wshub_conn conn;    /* the stream, for wshub_io.about */
} wshub_ws_about;

/* How a WebSocket has ended. Views, valid until the callback returns. */
typedef struct wshub_ws_gone {
    wshub_ws_why why; /* the reason, of which `text` says more */
    bool opened;      /* opened() has been told */
    uint16_t code; /* opened: of the Close that came, 1005 if it had none; ours if we began, or if
                         the peer failed; 1006: there was no Close */
    wshub_str reason; /* opened: of the Close that came, UTF-8; empty: none */
    int status;       /* STATUS, PROXY, REDIRECT: what was answered; else 0 */
    const char *text; /* a line for people, printable ASCII, terminated; never NULL */
    bool raced;       /* EARLY, of a line of HTTP: it was answered on before, and its stream ended
                         within two seconds of the request, without a byte of the answer. Servers
                         and proxies that end a stream without a word may have done so before the
                         request came; who knows that it does no harm twice may ask again, on
                         another line (RFC 9112 9.3.1) */
} wshub_ws_gone;

/* Whom a WebSocket tells. On the io's thread, never from inside an order; each may call anything,
 * also forget or close the WebSocket that it is about, or end the pool. NULL: not told. */
typedef struct wshub_ws_events {
    /* The handshake is through. */
    void (*opened)(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_about *about, void *user);
    /* A whole message. bytes: yours to write into, until it returns; text is valid UTF-8. */
    void (*message)(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind, uint8_t *bytes,
                    size_t count, void *user);
    /* The answer to a wshub_ws_ping() of yours, not to one of the pool's own, nor an unasked one.
     * bytes: as above. */
    void (*pong)(wshub_ws_pool *pool, wshub_ws ws, const uint8_t *bytes, size_t count, void *user);
    /* Everything has left that waited because the stream did not take it. */
    void (*drained)(wshub_ws_pool *pool, wshub_ws ws, void *user);
    /* The last word, exactly once; the handle is stale. */
    void (*ended)(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone, void *user);
} wshub_ws_events;

/* What is to be opened. Zero is the default of every field. */
typedef struct wshub_ws_desc {
    const char *url;               /* required: as wshub_ws_url_read() takes it; copied */
    const wshub_ws_events *events; /* required; borrowed until ended() or wshub_ws_forget() */
    void *user;                    /* the last argument of the events */
    const char *protocols;         /* subprotocols offered, "a, b"; NULL: none; copied */
    /* Further fields of the request, headers_count of them; copied. Refused (PARAM): what is no
     * field, and what the handshake has itself: Host, Upgrade, Connection, Content-Length,
     * Transfer-Encoding, and all that begins with Sec-WebSocket-. */
    const wshub_header *headers;
    size_t headers_count;
    /* A proxy that is asked to CONNECT: `http://host:port` or `http://user:password@host:port`,
     * where % stands for bytes. Its credentials go to it alone. NULL: none; copied. For `wss` TLS
     * begins behind the proxy's answer, with the server; where the io cannot do that
     * (wshub_io.secure), nothing is dialled, and ended() is told with TLS. */
    const char *proxy;
    /* Offers permessage-deflate, where the pool has a codec: what comes may be compressed, and what
     * is sent is, where that makes it shorter. */
    bool deflate;
    /* deflate: the window of what is sent is kept between messages, in a deflater of its own (with
     * zlib 268 KiB), unless the server does not want that. false: one of the pool's is taken. */
    bool deflate_takeover;
    /* deflate: the server has to forget between messages, and no inflater is kept of who is silent
     * (with zlib up to 42 KiB). A server that does not agree has no valid answer. */
    bool deflate_forget;
    uint32_t deflate_bytes_min; /* 256; shorter messages go plain. WSHUB_OFF: all do */
    /* 0; how many redirects (301, 302, 303, 307, 308) are followed: up to 20. From `wss` none leads
     * to `ws`. Cookie, Authorization and Proxy-Authorization of headers go to the origin of url
     * alone (scheme, host and port): a redirect to another one drops them for good, also where a
     * further one leads back. All other fields and the subprotocols go along, as what is secret in
     * them is not known here. What an answer says by Set-Cookie is not kept. Once it is open, what
     * is sent goes to where it was led, such as an authentication by message. */
    uint32_t redirects_max;
    wshub_verify verify;         /* `wss`: how far the server has to prove who it is */
    uint32_t connect_timeout_ms; /* 20000; from wshub_ws_open() to the valid 101, whatever is
                                     awaited, WSHUB_OFF: none */
    uint32_t attempt_delay_ms;   /* 250; the next address is tried so long after the one before, or
                                     at once when that fails (RFC 8305 5); only with a resolver */
    uint32_t idle_timeout_ms;    /* 60000; no byte for so long: it is lost; a ping goes out at half
                                     of it. WSHUB_OFF: neither */
    uint32_t close_timeout_ms;   /* 2000; how long the peer's Close and the end of its stream are
                                     awaited */
    uint32_t message_timeout_ms; /* 120000; from the first frame of a message to its last byte.
                                     WSHUB_OFF: none */
    uint32_t message_bytes_max;  /* 1048576; of one message that comes, whole. At most 2^30 */
    uint32_t unsent_bytes_max;   /* 1048576; of what waits to leave. At most 2^30 */
} wshub_ws_desc;

/* The largest head of an answer, in bytes. */
#define WSHUB_WS_HEAD_BYTES_MAX 16384
/* How many fields it may have. */
#define WSHUB_WS_HEAD_FIELDS_MAX 100

/* Opens a WebSocket. Whatever happens from here on is told by ended(), never by this call.
 *   desc    borrowed
 *   out_ws  its handle
 * Returns  OK; PARAM: wshub_ws_desc_problem() says which field; NOMEM.
 * Thread   the io's; allowed in callbacks. Cost: until it is open about 2 KiB and what the head of
 *          the answer has, then sizeof of its struct (tests/test_client.c says how much). */
WSHUB_INLINE wshub_err wshub_ws_open(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                     wshub_ws *out_ws);
/* Says in one line what wshub_ws_open() would refuse in a description, beginning with the field's
 * name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ws_desc_problem(const wshub_ws_desc *desc);
/* What the two above call, as wshub_ws_pool_create_versioned(). Return as those. */
WSHUB_API wshub_err wshub_ws_open_versioned(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                            size_t desc_bytes, uint32_t version, wshub_ws *out_ws);
WSHUB_API const char *wshub_ws_desc_problem_versioned(const wshub_ws_desc *desc, size_t desc_bytes,
                                                      uint32_t version);
WSHUB_INLINE wshub_err wshub_ws_open(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                     wshub_ws *out_ws) {
    return wshub_ws_open_versioned(pool, desc, sizeof *desc, WSHUB_WS_VERSION, out_ws);
}
WSHUB_INLINE const char *wshub_ws_desc_problem(const wshub_ws_desc *desc) {
    return wshub_ws_desc_problem_versioned(desc, sizeof *desc, WSHUB_WS_VERSION);
}

/* Sends a message in one frame.
 *   bytes  count of them, copied; text must be UTF-8
 * Returns  OK; STALE: it has ended; STATE: it is not open, or closing; PARAM: no such kind, or text
 *          that is not UTF-8, or over 2^30 bytes; DROPPED: unsent_bytes_max waits already, or would
 *          with it: a message is always taken where nothing waits; NOMEM; RANDOM. After an error
 *          nothing has changed.
 * Thread   the io's; allowed in callbacks. Cost: one copy, masked. */
WSHUB_API wshub_err wshub_ws_send(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind,
                                  const void *bytes, size_t count);
/* Sends a ping, whose answer is pong().
 *   bytes  count of them, at most 125
 * Returns  as wshub_ws_send(). */
WSHUB_API wshub_err wshub_ws_ping(wshub_ws_pool *pool, wshub_ws ws, const void *bytes,
                                  size_t count);
/* Closes in order: our Close goes out behind what was sent, the peer's and its end are awaited for
 * close_timeout_ms, and ended() follows. What is not open yet is given up (CANCELLED).
 *   code    1000..1003, 1007..1014, 3000..4999; 0: a Close without a code, 1005 for ended()
 *   reason  UTF-8, at most WSHUB_CLOSE_REASON_MAX bytes; copied
 * Returns  OK, also if it is closing already; STALE; PARAM; NOMEM. */
WSHUB_API wshub_err wshub_ws_close(wshub_ws_pool *pool, wshub_ws ws, uint16_t code,
                                   wshub_str reason);
/* Cuts the stream without a word; ended() follows, with LOST and 1006. Returns OK; STALE. */
WSHUB_API wshub_err wshub_ws_drop(wshub_ws_pool *pool, wshub_ws ws);
/* Cuts the stream without a word, and nothing more is told of it, not even ended(). Returns OK;
 * STALE. */
WSHUB_API wshub_err wshub_ws_forget(wshub_ws_pool *pool, wshub_ws ws);
/* Stops reading, or goes on; neither silence nor a message that does not end is judged meanwhile.
 * Returns OK; STALE; STATE: the io cannot pause, or it is not open. */
WSHUB_API wshub_err wshub_ws_pause(wshub_ws_pool *pool, wshub_ws ws, bool paused);

/* How far a WebSocket is. */
typedef enum wshub_ws_state {
    WSHUB_WS_GONE = 0,   /* it has ended, or never was */
    WSHUB_WS_CONNECTING, /* until the valid 101 */
    WSHUB_WS_OPEN,       /* both ways */
    WSHUB_WS_CLOSING     /* a Close was sent, or the end is awaited */
} wshub_ws_state;
/* Tells how far it is; GONE of a handle that is stale. */
WSHUB_API wshub_ws_state wshub_ws_state_of(const wshub_ws_pool *pool, wshub_ws ws);
/* Tells how many bytes wait to leave, frames' heads included; 0 of a handle that is stale. */
WSHUB_API size_t wshub_ws_unsent(const wshub_ws_pool *pool, wshub_ws ws);

/* The parts of a URL of a WebSocket. Views of what was read. */
typedef struct wshub_ws_url {
    bool secure;      /* `wss` */
    wshub_str host;   /* a name, an IPv4 address, or an IPv6 address without its brackets */
    bool v6;          /* host is an IPv6 address, which has brackets wherever a port can follow */
    uint16_t port;    /* 80 and 443 where none is said */
    bool port_said;   /* and it is another one than these */
    wshub_str target; /* path and query as they are to be sent, behind a `/` if none is there
                         (slash); may be empty */
    bool slash;       /* target lacks its `/` in front */
} wshub_ws_url;

/* Reads a URL: `ws` or `wss`, a name of letters, digits, `-`, `_` and `.`, an IPv4 address or an
 * IPv6 address in brackets, perhaps a port from 1 to 65535, perhaps a path and a query. Not taken:
 * another scheme, user names, a fragment, blanks, control bytes, what is not ASCII, more than 8192
 * bytes.
 *   out_url  untouched if there is none
 * Returns  false: it is none. Pure: any thread. */
WSHUB_API bool wshub_ws_url_read(wshub_str text, wshub_ws_url *out_url);

/* ---- a line of HTTP ----------------------------------------------------------------------------
 * A stream to a server over which requests of HTTP/1.1 go, one after the other: the next is taken
 * when the answer to the one before is whole. Its handle is a wshub_ws, too: wshub_ws_drop(),
 * wshub_ws_close() (which is the same here), wshub_ws_forget(), wshub_ws_state_of() and
 * wshub_ws_unsent() know it; messages, pings and pauses are refused (STATE). It does not dial again
 * when its stream has ended, and nothing is sent twice: whoever needs that knows whether a request
 * may be repeated. Redirects are answers like others; nothing is offered to be compressed. */

/* A request. Borrowed until wshub_ws_http_request() returns. */
typedef struct wshub_ws_request {
    const char *method;  /* required: GET, POST, PUT, ...; not HEAD or CONNECT */
    const char *target;  /* required: path and query, from a `/` on, as they are to be sent */
    const char *type;    /* Content-Type of the body; NULL: not said */
    const char *cookies; /* Cookie; NULL: not said, or what the line's headers say */
    const void *body;    /* body_bytes of it; NULL: none, and no Content-Length but for POST */
    size_t body_bytes;   /* at most 2^30 */
    uint32_t timeout_ms; /* 60000; from the order to the whole answer, whatever is awaited.
                            WSHUB_OFF: none */
} wshub_ws_request;

/* The answer to a request. Views, valid until the callback returns. */
typedef struct wshub_ws_answer {
    int status;        /* 200 to 999 */
    uint8_t *body;     /* body_bytes of it, yours to write into; never NULL */
    size_t body_bytes; /* without chunks, at most message_bytes_max */
    wshub_str type;    /* Content-Type; ptr NULL: not said */
    wshub_str head;    /* status line and fields as they came, each with its CRLF, and the empty
                          line; well formed, without control bytes but tabs */
    bool last;         /* the line takes no other request, ended() follows: the server says so, or
                          has answered before it had read all */
} wshub_ws_answer;

/* Whom a line tells. As wshub_ws_events. */
typedef struct wshub_ws_http_events {
    /* An answer is whole; the next request may be given, unless it is the last one. */
    void (*answered)(wshub_ws_pool *pool, wshub_ws line, const wshub_ws_answer *answer, void *user);
    /* The last word, exactly once; the handle is stale. A request that is not answered yet never
     * will be. gone->why: as of a WebSocket that never was open, PROXY among it (407); LOST: its
     * stream ended while nothing was asked; EARLY: before the answer was whole, see gone->raced;
     * ANSWER: what came is no answer, or too large; TIMEOUT: neither stream nor answer in time.
     * gone->opened is false. */
    void (*ended)(wshub_ws_pool *pool, wshub_ws line, const wshub_ws_gone *gone, void *user);
} wshub_ws_http_events;

/* Opens a line. Whatever happens from here on is told by ended(), never by this call.
 *   desc      borrowed. url: `http` or `https`, what stands behind host and port is not looked at.
 *             events is not used, nor what is of messages: protocols, deflate, redirects_max,
 *             message_timeout_ms, unsent_bytes_max. headers: of each request. proxy: for `https` as
 *             for `wss`; for `http` it is sent the requests themselves, whose target is then the
 *             whole URL (RFC 9112 3.2.2), and not asked to CONNECT, which many refuse.
 *             connect_timeout_ms: until its stream is there, and secure if it is to be.
 *             idle_timeout_ms: so long without a request it ends itself; sooner if the server says
 *             that it will (Keep-Alive).
 *             message_bytes_max: of the body of an answer
 *   events    required; borrowed until ended() or wshub_ws_forget()
 *   out_line  its handle
 * Returns  OK; PARAM: wshub_ws_http_problem() says which field; NOMEM.
 * Thread   the io's; allowed in callbacks. */
WSHUB_INLINE wshub_err wshub_ws_http_open(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                          const wshub_ws_http_events *events, wshub_ws *out_line);
/* Says in one line what wshub_ws_http_open() would refuse in a description, beginning with the
 * field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ws_http_problem(const wshub_ws_desc *desc);
/* What the two above call, as wshub_ws_pool_create_versioned(). Return as those. */
WSHUB_API wshub_err wshub_ws_http_open_versioned(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                                 const wshub_ws_http_events *events,
                                                 size_t desc_bytes, uint32_t version,
                                                 wshub_ws *out_line);
WSHUB_API const char *wshub_ws_http_problem_versioned(const wshub_ws_desc *desc, size_t desc_bytes,
                                                      uint32_t version);
WSHUB_INLINE wshub_err wshub_ws_http_open(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                          const wshub_ws_http_events *events, wshub_ws *out_line) {
    return wshub_ws_http_open_versioned(pool, desc, events, sizeof *desc, WSHUB_WS_VERSION,
                                        out_line);
}
WSHUB_INLINE const char *wshub_ws_http_problem(const wshub_ws_desc *desc) {
    return wshub_ws_http_problem_versioned(desc, sizeof *desc, WSHUB_WS_VERSION);
}

/* Sends a request, at once or as soon as the stream is there.
 *   request  borrowed
 * Returns  OK; STALE: the line has ended; STATE: it has a request that is not answered, or has had
 *          its last one, or is ending, or is no line of HTTP; PARAM: no method, target, type or
 *          cookies, or a body over 2^30 bytes; NOMEM. After an error nothing has changed.
 * Thread   the io's; allowed in callbacks. Cost: one copy of the body. */
WSHUB_API wshub_err wshub_ws_http_request(wshub_ws_pool *pool, wshub_ws line,
                                          const wshub_ws_request *request);

/* ---- a client of a hub -------------------------------------------------------------------------
 * Speaks the protocol of a hub (>>protocol of wshub.h) over a WebSocket of a pool: authenticates,
 * keeps its heartbeat, comes back when it is lost, is in its rooms again, and keeps what was
 * emitted meanwhile. What it has promised to send it sends once, in the order in which it was
 * given. */

/* One client. Made by wshub_ext_client_create(), ended by wshub_ext_client_destroy(). */
typedef struct wshub_ext_client wshub_ext_client;

/* How far a client is. */
typedef enum wshub_ext_client_state {
    WSHUB_EXT_CLIENT_IDLE = 0,       /* it neither is nor wants to be connected */
    WSHUB_EXT_CLIENT_WAITING,        /* for the next attempt */
    WSHUB_EXT_CLIENT_CONNECTING,     /* an attempt is under way */
    WSHUB_EXT_CLIENT_UNAUTHORIZED,   /* connected */
    WSHUB_EXT_CLIENT_AUTHENTICATING, /* `authenticate` is sent */
    WSHUB_EXT_CLIENT_AUTHENTICATED,  /* the hub has said `connected` */
    WSHUB_EXT_CLIENT_LEAVING         /* the end of its stream is awaited */
} wshub_ext_client_state;

/* What a client tells. On the io's thread, never from inside an order; each may call anything, also
 * end the client. Texts are views, valid until it returns. NULL: not told. */
typedef struct wshub_ext_client_events {
    /* A connection is there. What is to be sent as `authenticate` is said now, or later, by
     * wshub_ext_client_authenticate(), unless the description has it (auth). */
    void (*connected)(wshub_ext_client *client, const wshub_ws_about *about, void *user);
    /* An attempt has failed; again: there will be another. */
    void (*connect_error)(wshub_ext_client *client, const wshub_ws_gone *gone, bool again,
                          void *user);
    /* Accepted, rooms asked for again, and what was kept is sent. data: of `connected`. */
    void (*authenticated)(wshub_ext_client *client, wshub_str id, wshub_str data, void *user);
    /* Refused, or too late (4001, 4003, 4004); disconnected() follows. message: of the last `error`
     * since `authenticate`, else the reason of the Close. */
    void (*unauthenticated)(wshub_ext_client *client, wshub_str message, void *user);
    /* Once for each connected(). again: it will come back. */
    void (*disconnected)(wshub_ext_client *client, const wshub_ws_gone *gone, bool again,
                         void *user);
    /* It waits for so long, then makes its attempt-th attempt since it was last connected. */
    void (*reconnecting)(wshub_ext_client *client, uint32_t attempt, uint32_t delay_ms, void *user);
    /* So many attempts have failed, as many as were to be made; wshub_ext_client_connect() begins
     * anew. */
    void (*gave_up)(wshub_ext_client *client, uint32_t attempts, void *user);
    /* An event of the hub's that is subscribed to; `connected` and `error` are some, too. */
    void (*event)(wshub_ext_client *client, const wshub_event *event, void *user);
    /* Set: a plain WebSocket that comes back. It is given all messages as they are, the hub's
     * protocol is not spoken, and messages go by wshub_ws_send() to wshub_ext_client_ws(). bytes:
     * yours to write into, until it returns. */
    void (*message)(wshub_ext_client *client, wshub_ws_kind kind, uint8_t *bytes, size_t count,
                    void *user);
    /* As wshub_ws_events.pong. */
    void (*pong)(wshub_ext_client *client, const uint8_t *bytes, size_t count, void *user);
    /* Encrypts: makes the message that is sent out of one that is to be, for a client that is
     * authenticated. Both whole JSON texts; *out_text is valid until the next call. False: it
     * cannot, and the message is dropped (ENC-2). NULL: messages go as they are. */
    bool (*seal)(wshub_ext_client *client, wshub_str text, wshub_str *out_text, void *user);
    /* The other way, for messages that come with the event `encrypted`. NULL: they are events. */
    bool (*open)(wshub_ext_client *client, wshub_str text, wshub_str *out_text, void *user);
} wshub_ext_client_events;

/* Of wshub_ext_client_desc and its events. */
#define WSHUB_EXT_CLIENT_VERSION 1

/* What a client is like. Zero is the default of every field. It is borrowed with all that it points
 * to until the client is destroyed, so that thousands can share it. */
typedef struct wshub_ext_client_desc {
    wshub_ws_desc ws; /* where to, and how: url and what follows; its events and user are ours */
    const wshub_ext_client_events *events; /* required */
    /* `data` of `authenticate`, JSON, sent after each connection. NULL: the application says it
     * each time; see also auto_auth. */
    const char *auth;
    /* The application authenticates after each connection, by wshub_ext_client_authenticate(): it
     * counts as connected when that is through, and until then emits are kept, as with auth. */
    bool auto_auth;
    bool no_connect;        /* it waits for wshub_ext_client_connect() */
    bool no_reconnect;      /* it does not come back */
    bool always;            /* it comes back after 1000, 1008, 4003 and 4004 too */
    bool backoff_from_open; /* attempts are counted anew from each connection on; false: from an
                               authentication on, or from a connection that lasted for stable_ms */
    uint32_t reconnect_delay_ms; /* 1000; the first wait, doubled each time, give or take half */
    uint32_t reconnect_delay_max_ms; /* 5000; to which it is doubled */
    uint32_t reconnect_tries;        /* 0: as often as it takes */
    uint32_t stable_ms;              /* 30000 */
    uint32_t heartbeat_ms;           /* 30000; `heartbeat` while authenticated; WSHUB_OFF: none */
    uint32_t buffer_bytes;           /* 65536; of emits that are kept while it cannot send; the
                                        messages as they go out. WSHUB_OFF: none is kept */
} wshub_ext_client_desc;

/* Makes a client, which connects in the next turn unless no_connect.
 *   pool        ended after its clients
 *   desc        borrowed until the client is destroyed
 *   user        the last argument of its events
 *   out_client  given to you
 * Returns  OK; PARAM: wshub_ext_client_desc_problem() says which field; NOMEM.
 * Thread   the io's. */
WSHUB_INLINE wshub_err wshub_ext_client_create(wshub_ws_pool *pool,
                                               const wshub_ext_client_desc *desc, void *user,
                                               wshub_ext_client **out_client);
/* Says in one line what wshub_ext_client_create() would refuse in a description, beginning with the
 * field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ext_client_desc_problem(const wshub_ext_client_desc *desc);
/* What the two above call, as wshub_ws_pool_create_versioned(). Return as those. */
WSHUB_API wshub_err wshub_ext_client_create_versioned(wshub_ws_pool *pool,
                                                      const wshub_ext_client_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      void *user, wshub_ext_client **out_client);
WSHUB_API const char *wshub_ext_client_desc_problem_versioned(const wshub_ext_client_desc *desc,
                                                              size_t desc_bytes, uint32_t version);
WSHUB_INLINE wshub_err wshub_ext_client_create(wshub_ws_pool *pool,
                                               const wshub_ext_client_desc *desc, void *user,
                                               wshub_ext_client **out_client) {
    return wshub_ext_client_create_versioned(pool, desc, sizeof *desc, WSHUB_EXT_CLIENT_VERSION,
                                             user, out_client);
}
WSHUB_INLINE const char *wshub_ext_client_desc_problem(const wshub_ext_client_desc *desc) {
    return wshub_ext_client_desc_problem_versioned(desc, sizeof *desc, WSHUB_EXT_CLIENT_VERSION);
}
/* Ends it, in any state: its stream is cut, and nothing of it is called any more. In a callback of
 * its own it is gone when that has returned. NULL: nothing. Thread: the io's. */
WSHUB_API void wshub_ext_client_destroy(wshub_ext_client *client);

/* Begins to connect, or cuts a wait short; attempts are counted anew. Returns OK, also while an
 * attempt is under way; STATE: it is connected. */
WSHUB_API wshub_err wshub_ext_client_connect(wshub_ext_client *client);
/* Leaves: closes in order if it is connected, else ends waits and attempts, of which nothing more
 * is told. It does not come back by itself.
 *   code, reason  as wshub_ws_close() takes them
 * Returns  OK, also if it is not connected; PARAM; NOMEM. */
WSHUB_API wshub_err wshub_ext_client_disconnect(wshub_ext_client *client, uint16_t code,
                                                wshub_str reason);
/* Cuts the stream without a word; it comes back as after any loss. Returns OK; STATE: it is not
 * connected. */
WSHUB_API wshub_err wshub_ext_client_drop(wshub_ext_client *client);
/* Sends `authenticate`.
 *   data  JSON; ptr NULL: none; borrowed
 * Returns  OK; STATE: it is not connected, or not UNAUTHORIZED; JSON; NOMEM; RANDOM. */
WSHUB_API wshub_err wshub_ext_client_authenticate(wshub_ext_client *client, wshub_str data);

/* Asks to be in rooms, or leaves them. With auth or auto_auth the rooms are remembered, asked for
 * again after each authentication, and forgotten when they are left; else the message is kept while
 * it is not connected, as an emit is.
 *   rooms  UTF-8, count of them; copied
 * Returns  OK; PARAM: no UTF-8, or a name over WSHUB_NAME_BYTES_MAX bytes; LIMIT: over buffer_bytes
 *          of names, or of what is kept; NOMEM; RANDOM. After an error nothing has changed. */
WSHUB_API wshub_err wshub_ext_client_join(wshub_ext_client *client, const wshub_str *rooms,
                                          size_t count);
WSHUB_API wshub_err wshub_ext_client_leave(wshub_ext_client *client, const wshub_str *rooms,
                                           size_t count);
/* Wants to hear of an event, or no longer: "*" is all of them. Twice is once.
 *   event  copied
 * Returns  OK; PARAM: no name; ABSENT: it was not subscribed to; NOMEM. */
WSHUB_API wshub_err wshub_ext_client_subscribe(wshub_ext_client *client, wshub_str event);
WSHUB_API wshub_err wshub_ext_client_unsubscribe(wshub_ext_client *client, wshub_str event);

/* Emits an event. While it cannot be sent (it is not connected; with auth or auto_auth: not
 * authenticated) it is kept, in order, and sent once.
 *   msg      data ptr NULL: without; copied
 *   fleeting dropped instead of kept
 * Returns  OK; STATE: fleeting, or nothing is kept (buffer_bytes), and it cannot be sent; LIMIT:
 *          over buffer_bytes; PARAM; JSON; NOMEM; RANDOM. After an error nothing has changed. */
WSHUB_API wshub_err wshub_ext_client_emit(wshub_ext_client *client, const wshub_msg *msg,
                                          bool fleeting);
/* Is told the answer to a request: once, unless the client is destroyed.
 *   err     OK: an answer is here, which may well be a refusal: its event's name says what it is;
 *           DROPPED: none has come in time; CLOSED: the connection was lost
 *   answer  the message, a view; its data ptr NULL: it had none. NULL: there is none */
typedef void (*wshub_ext_client_reply)(wshub_ext_client *client, wshub_err err,
                                       const wshub_event *answer, void *user);
/* Emits an event with an `id`, and waits for the message that bears it too (SEND-7). One that runs
 * out of time while it is kept is not sent any more; one that was sent is not sent again.
 *   timeout_ms  1..86400000
 *   reply       required; reply_user: its last argument
 * Returns  as wshub_ext_client_emit(). */
WSHUB_API wshub_err wshub_ext_client_request(wshub_ext_client *client, const wshub_msg *msg,
                                             uint32_t timeout_ms, wshub_ext_client_reply reply,
                                             void *reply_user);

/* Tell how far it is, its id while it is authenticated (empty: it is not; a view until it changes),
 * how many messages are kept, and its WebSocket of now ({0}: there is none). */
WSHUB_API wshub_ext_client_state wshub_ext_client_state_of(const wshub_ext_client *client);
WSHUB_API wshub_str wshub_ext_client_id(const wshub_ext_client *client);
WSHUB_API size_t wshub_ext_client_buffered(const wshub_ext_client *client);
WSHUB_API wshub_ws wshub_ext_client_ws(const wshub_ext_client *client);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_EXT_CLIENT_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_EXT_CLIENT_IMPLEMENTATION)) &&                 \
    !defined(WSHUB__EXT_CLIENT_DONE)
#define WSHUB__EXT_CLIENT_DONE
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
    WSHUB_WS__BLOCK = 32,           /* WebSockets that are allocated together */
    WSHUB_WS__URL_MAX = 8192,       /* bytes of a URL */
    WSHUB_WS__HOST_MAX = 253,       /* of a name (RFC 1035 2.3.4) */
    WSHUB_WS__REQUEST_MAX = 65536,  /* of a request's head, that of the caller's fields included */
    WSHUB_WS__RANDOM = 256,         /* random bytes that are asked for at once */
    WSHUB_WS__TEXT_MAX = 160,       /* of a line that says what went wrong */
    WSHUB_WS__REDIRECTS_MAX = 20,   /* that can be asked for */
    WSHUB_WS__INFLATE_BYTES = 4096, /* that are inflated before limits are asked */
    WSHUB_WS__SQUEEZED = 0x40,      /* RSV1, beside an opcode (RFC 7692 7.2.1) */
    WSHUB_WS__SPARE_MAX = 65536,    /* a buffer up to here is kept for the next one who sends */
    WSHUB_WS__PONG = 0xA,           /* opcodes (RFC 6455 5.2) */
    WSHUB_WS__PING = 0x9,
    WSHUB_WS__CLOSE_OP = 0x8,
    WSHUB_WS__CONTROL_MAX = 125, /* bytes of a control frame (RFC 6455 5.5) */
    WSHUB_WS__HEAD_MAX = 10,     /* bytes of the head of a frame that is not masked */
    WSHUB_WS__CHUNK_MAX = 256,   /* of the line in front of a chunk, with its extensions */
    WSHUB_WS__KEEP_MS = 1000,    /* so long before the server ends an idle stream, we do */
    WSHUB_WS__RACE_MS = 2000     /* within that a request may cross the end of its stream */
};
#define WSHUB_WS__COUNT_MAX (1u << 30)
#define WSHUB_WS__BYTES_MAX (1u << 31) /* of what grows, whatever asks for it */

/* What a WebSocket is; see the top of this file. */
typedef enum wshub_ws__state {
    WSHUB_WS__FREE,
    WSHUB_WS__STARTING,
    WSHUB_WS__RESOLVING,
    WSHUB_WS__DIALLING,
    WSHUB_WS__PROXY,
    WSHUB_WS__SECURING,
    WSHUB_WS__UPGRADING,
    WSHUB_WS__HTTP,
    WSHUB_WS__OPEN,
    WSHUB_WS__CLOSING,
    WSHUB_WS__ENDING,
    WSHUB_WS__FAILED,
    WSHUB_WS__CUT
} wshub_ws__state;

/* Bytes that grow. */
typedef struct wshub_ws__bytes {
    uint8_t *ptr;
    uint32_t len, cap;
} wshub_ws__bytes;

/* What the handshake needs, until the WebSocket is open. Texts are terminated and ours. */
typedef struct wshub_ws__attempt {
    char *url, *protocols, *headers, *proxy_auth; /* headers: whole lines; NULL: none */
    size_t headers_bytes;
    wshub_ws_url parts;                      /* of url */
    char proxy_host[WSHUB_WS__HOST_MAX + 1]; /* "": there is no proxy */
    uint16_t proxy_port;
    char accept[28];      /* what the server has to answer */
    uint64_t question;    /* of the resolver; 0: none */
    uint64_t deadline_ms; /* WSHUB_NEVER: none */
    uint64_t next_ms;     /* when the next address is tried */
    wshub_verify verify;
    uint32_t delay_ms;
    uint32_t redirects_left;
    bool redirects;                /* some were asked for */
    bool deflate, slides, forgets; /* of the description: deflate, deflate_takeover, _forget */
    uint32_t deflate_min;
    wshub_address addresses[WSHUB_WS_ADDRESSES_MAX];
    uint64_t racing[WSHUB_WS_ADDRESSES_MAX]; /* streams by address; 0: none, or it failed */
    uint32_t addresses_count, tried;
    uint32_t heads; /* bytes of the heads before this one: of a proxy, of 1xx */
} wshub_ws__attempt;

/* What was agreed on of permessage-deflate. */
typedef struct wshub_ws__agreed {
    void *deflater; /* with `slides`: its own; NULL: none yet */
    void *inflater; /* NULL: none yet; with `forgets`: the pool's, for the time of a message */
    uint32_t deflate_min;
    uint8_t server_bits, client_bits; /* sizes of windows, 8 to 15 */
    bool slides;                      /* what is sent points back to earlier messages */
    bool forgets;                     /* what comes does not */
    bool squeezed;                    /* the message that is being read is compressed */
} wshub_ws__agreed;

/* What of an answer is read next. */
typedef enum wshub_ws__part {
    WSHUB_WS__PART_HEAD,
    WSHUB_WS__PART_BODY,      /* left bytes of it */
    WSHUB_WS__PART_REST,      /* all up to the end of the stream */
    WSHUB_WS__PART_SIZE,      /* the line in front of a chunk */
    WSHUB_WS__PART_CHUNK,     /* left bytes of it */
    WSHUB_WS__PART_CHUNK_END, /* the CRLF behind it */
    WSHUB_WS__PART_TRAILER    /* fields behind the last chunk, up to an empty line */
} wshub_ws__part;

/* What a line of HTTP has more than a WebSocket. */
typedef struct wshub_ws__http {
    const wshub_ws_http_events *events;
    wshub_ws__bytes base;    /* what stands in front of each target: for a proxy; else nothing */
    wshub_ws__bytes front;   /* Host and the caller's fields, as each request has them */
    wshub_ws__bytes request; /* until the stream is there */
    wshub_ws__bytes body;    /* of the answer, as far as it has come */
    wshub_ws__bytes text;    /* a line of chunks that is not whole */
    wshub_str type;          /* of the answer; a view of its head, which stays in `in` */
    uint64_t left;
    uint64_t deadline_ms; /* for the answer, or of the idle stream; WSHUB_NEVER: none */
    uint64_t asked_ms;    /* when the last request was given */
    uint32_t heads;       /* bytes of the heads before this one: of 1xx */
    uint32_t trailers;    /* bytes of them */
    uint32_t keep_ms;     /* how long the stream may be idle; WSHUB_OFF: for ever */
    uint16_t status;
    uint8_t part; /* a wshub_ws__part */
    bool asked;   /* a request is not answered yet */
    bool reused;  /* one has been answered */
    bool done;    /* in what is read now an answer has ended */
    bool last;    /* there will be no other one */
} wshub_ws__http;

/* What a WebSocket has of a frame that is not whole, and of a pong that waits. */
typedef struct wshub_ws__scraps {
    uint8_t part[WSHUB_WS__CONTROL_MAX]; /* of a head, or of a control frame */
    uint8_t part_len;
    uint8_t pong_len;
    uint8_t pong[WSHUB_WS__CONTROL_MAX];
    bool pongs; /* a pong waits */
} wshub_ws__scraps;

typedef struct wshub_ws__line {
    uint64_t id; /* 0: free */
    wshub_ws_pool *pool;
    uint64_t conn;
    const wshub_ws_events *events;
    void *user;
    wshub_ws__attempt *attempt;
    wshub_ws__agreed *agreed; /* NULL: nothing is compressed */
    wshub_ws__http *http;     /* NULL: it is a WebSocket */
    wshub_ws_timer timer;
    wshub_ws__bytes out;    /* what waits; of it out_at bytes have left */
    wshub_ws__bytes flying; /* what the io has, and completes later; flown bytes have left */
    wshub_ws__bytes in;     /* a head, or a message that is not whole */
    uint32_t out_at, flown;
    uint64_t frame_left; /* bytes of the frame that is being read */
    uint64_t heard_ms;   /* when the peer was heard, or pinged; if it is paused: since when */
    uint64_t message_ms, end_ms;
    wshub_ws__scraps *scraps; /* NULL: none */
    char *text;               /* a reason, or what went wrong; allocated; NULL: none */
    uint32_t idle_ms, close_ms, message_timeout_ms, message_max, unsent_max;
    uint32_t empties;    /* frames without bytes in the message */
    uint32_t dirty_next; /* index + 1 of the next one in the list of those who send */
    uint16_t code;       /* of the Close, once it was open; before: the status of an answer */
    uint8_t state, why;
    uint8_t opcode;      /* of the message that is being read; 0: none */
    uint8_t frame;       /* opcode of the frame whose bytes are read; 0xFF: none is */
    uint8_t own_ping[4]; /* payload of our last own ping */
    bool fin : 1, dirty : 1, mute : 1, blocked : 1, opened : 1, paused : 1, pinged : 1;
    bool reason : 1, asked_pong : 1;
    bool told_room : 1; /* drained() is owed */
    bool flushing : 1;  /* the stream's end goes out behind what waits */
    bool moves : 1;     /* a redirect is followed when its stream is closed */
} wshub_ws__line;

struct wshub_ws_pool {
    wshub_io io;
    wshub_ws_pool_desc desc;
    wshub_ws__line **blocks;
    uint32_t blocks_count, blocks_cap, free_cap,
        lines_count; /* lines_count: slots that were ever used */
    uint32_t *free_slots;
    uint32_t free_count;
    uint32_t generation;
    uint32_t *by_conn; /* by the low half of a stream's id: index + 1 of its WebSocket */
    uint32_t by_conn_cap;
    wshub_ws_timer **timers; /* a heap, the first due on top */
    uint32_t timers_count, timers_added, timers_cap;
    uint32_t timers_order; /* how many were started */
    uint64_t firing_ms;    /* those that are due by then are fired just now; 0: none are */
    uint32_t dirty_first;
    uint32_t depth;
    uint64_t questions;
    wshub_ws__bytes spare;
    wshub_deflate codec;      /* version 0: there is none */
    void *deflaters[8];       /* by the size of their window, 8 to 15; NULL: none yet */
    void *inflater;           /* of those who forget; NULL: none, or lent */
    wshub_ws__bytes squeezed; /* what was compressed last */
    uint8_t random[WSHUB_WS__RANDOM];
    uint32_t random_left;
    bool doomed;
};

static const char *const wshub_ws__whys[][2] = {
#define WSHUB__X(name, word, text) {word, text},
    WSHUB_WS_ENDS(WSHUB__X)
#undef WSHUB__X
};

WSHUB_API const char *wshub_ws_why_name(wshub_ws_why why) {
    return (unsigned)why < WSHUB_WS_WHYS ? wshub_ws__whys[why][0] : "?";
}

/* ---- memory ---- */

static void *wshub_ws__realloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

WSHUB_API void *wshub_ws_alloc(wshub_ws_pool *pool, void *ptr, size_t old_bytes, size_t new_bytes) {
    if (!old_bytes && !new_bytes) return NULL;
    return pool->desc.alloc(pool->desc.alloc_user, ptr, old_bytes, new_bytes);
}

static void wshub_ws__bytes_free(wshub_ws_pool *pool, wshub_ws__bytes *bytes) {
    (void)wshub_ws_alloc(pool, bytes->ptr, bytes->cap, 0);
    memset(bytes, 0, sizeof *bytes);
}

/* Makes room for count bytes more, doubling up to `most` bytes in all. */
static bool wshub_ws__bytes_room(wshub_ws_pool *pool, wshub_ws__bytes *bytes, size_t count,
                                 size_t most) {
    size_t cap = bytes->cap ? bytes->cap : 64;
    uint8_t *ptr;

    WSHUB_ASSERT(bytes->len + count <= most && bytes->len <= bytes->cap);
    if (bytes->cap - bytes->len >= count) return true;
    if (count > WSHUB_WS__BYTES_MAX - bytes->len) return false;
    while (cap < bytes->len + count) cap *= 2;
    if (cap > most) cap = most;
    ptr = (uint8_t *)wshub_ws_alloc(pool, bytes->ptr, bytes->cap, cap);
    if (!ptr) return false;
    bytes->ptr = ptr;
    bytes->cap = (uint32_t)cap;
    return true;
}

static bool wshub_ws__bytes_add(wshub_ws_pool *pool, wshub_ws__bytes *bytes, const void *from,
                                size_t count, size_t most) {
    if (!wshub_ws__bytes_room(pool, bytes, count, most)) return false;
    WSHUB_ASSERT(count == 0 || bytes->ptr);
    if (count) memcpy(bytes->ptr + bytes->len, from, count);
    bytes->len += (uint32_t)count;
    return true;
}

/* A terminated copy; NULL: out of memory. */
static char *wshub_ws__text(wshub_ws_pool *pool, const char *text, size_t len) {
    char *copy = (char *)wshub_ws_alloc(pool, NULL, 0, len + 1);

    if (!copy) return NULL;
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

static void wshub_ws__text_free(wshub_ws_pool *pool, char **text) {
    if (*text) (void)wshub_ws_alloc(pool, *text, strlen(*text) + 1, 0);
    *text = NULL;
}

WSHUB_API uint64_t wshub_ws_now_ms(const wshub_ws_pool *pool) {
    return pool->io.now_ms(pool->io.ctx);
}

/* The io is asked for many at once: each such call may be one into the system. */
WSHUB_API bool wshub_ws_random(wshub_ws_pool *pool, void *bytes, size_t count) {
    if (count > WSHUB_WS__RANDOM) return pool->io.random(pool->io.ctx, (uint8_t *)bytes, count);
    if (pool->random_left < count) {
        if (!pool->io.random(pool->io.ctx, pool->random, sizeof pool->random)) return false;
        pool->random_left = sizeof pool->random;
    }
    pool->random_left -= (uint32_t)count;
    memcpy(bytes, pool->random + pool->random_left, count);
    memset(pool->random + pool->random_left, 0, count); /* each is given out once */
    return true;
}

/* ---- timers ----
 * A heap of pointers; a timer knows its place, so that it can be moved. */

/* Does a timer fire before another one? Of those that are due together the one that was started
 * first. */
static bool wshub_ws__timer_before(const wshub_ws_timer *timer, const wshub_ws_timer *other) {
    if (timer->due_ms != other->due_ms) return timer->due_ms < other->due_ms;
    return (int32_t)(timer->order - other->order) < 0;
}

static void wshub_ws__timer_put(wshub_ws_pool *pool, uint32_t at, wshub_ws_timer *timer) {
    pool->timers[at] = timer;
    timer->at = (at + 1) & INT32_MAX;
}

static void wshub_ws__timer_up(wshub_ws_pool *pool, uint32_t at, wshub_ws_timer *timer) {
    while (at > 0 && wshub_ws__timer_before(timer, pool->timers[(at - 1) / 2])) {
        wshub_ws__timer_put(pool, at, pool->timers[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    wshub_ws__timer_put(pool, at, timer);
}

static void wshub_ws__timer_down(wshub_ws_pool *pool, uint32_t at, wshub_ws_timer *timer) {
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= pool->timers_count) break;
        if (child + 1 < pool->timers_count &&
            wshub_ws__timer_before(pool->timers[child + 1], pool->timers[child]))
            child++;
        if (!wshub_ws__timer_before(pool->timers[child], timer)) break;
        wshub_ws__timer_put(pool, at, pool->timers[child]);
        at = child;
    }
    wshub_ws__timer_put(pool, at, timer);
}

WSHUB_API wshub_err wshub_ws_timer_add(wshub_ws_pool *pool, wshub_ws_timer *timer) {
    WSHUB_ASSERT(!timer->added && timer->fire);
    if (pool->timers_added == pool->timers_cap) {
        uint32_t cap = pool->timers_cap ? pool->timers_cap * 2 : 16;
        wshub_ws_timer **timers = (wshub_ws_timer **)wshub_ws_alloc(
            pool, pool->timers, pool->timers_cap * sizeof *timers, cap * sizeof *timers);
        if (!timers) return WSHUB_ERR_NOMEM;
        pool->timers = timers;
        pool->timers_cap = cap;
    }
    pool->timers_added++;
    timer->due_ms = 0;
    timer->at = 0;
    timer->added = true;
    return WSHUB_OK;
}

WSHUB_API void wshub_ws_timer_stop(wshub_ws_pool *pool, wshub_ws_timer *timer) {
    uint32_t at = timer->at;
    wshub_ws_timer *last;

    timer->at = 0;
    timer->due_ms = 0;
    if (!at) return;
    last = pool->timers[--pool->timers_count];
    if (last == timer) return;
    at--;
    if (at > 0 && wshub_ws__timer_before(last, pool->timers[(at - 1) / 2]))
        wshub_ws__timer_up(pool, at, last);
    else
        wshub_ws__timer_down(pool, at, last);
}

WSHUB_API void wshub_ws_timer_start(wshub_ws_pool *pool, wshub_ws_timer *timer, uint64_t due_ms) {
    WSHUB_ASSERT(timer->added && due_ms);
    if (timer->due_ms == due_ms) return;
    wshub_ws_timer_stop(pool, timer);
    if (due_ms == WSHUB_NEVER) return;
    timer->due_ms = due_ms < pool->firing_ms ? pool->firing_ms : due_ms;
    timer->order = pool->timers_order++;
    wshub_ws__timer_up(pool, pool->timers_count++, timer);
}

WSHUB_API void wshub_ws_timer_remove(wshub_ws_pool *pool, wshub_ws_timer *timer) {
    if (!timer->added) return;
    wshub_ws_timer_stop(pool, timer);
    timer->added = false;
    pool->timers_added--;
}

/* ---- WebSockets and their streams ---- */

static wshub_ws__line *wshub_ws__slot(const wshub_ws_pool *pool, uint32_t index) {
    return &pool->blocks[index / WSHUB_WS__BLOCK][index % WSHUB_WS__BLOCK];
}

static wshub_ws__line *wshub_ws__get(const wshub_ws_pool *pool, uint64_t id) {
    uint32_t index = (uint32_t)id;
    wshub_ws__line *line;

    if (!id || index >= pool->lines_count) return NULL;
    line = wshub_ws__slot(pool, index);
    return line->id == id && !line->mute ? line : NULL;
}

static wshub_ws wshub_ws__handle(const wshub_ws__line *line) {
    wshub_ws ws;
    ws.id = line->id;
    return ws;
}

/* Whose stream is this? NULL: nobody's any more. */
static wshub_ws__line *wshub_ws__of_conn(const wshub_ws_pool *pool, wshub_conn conn) {
    uint32_t low = (uint32_t)conn.id, index, i;
    wshub_ws__line *line;

    if (low >= pool->by_conn_cap || !pool->by_conn[low]) return NULL;
    index = pool->by_conn[low] - 1;
    line = wshub_ws__slot(pool, index);
    if (!line->id) return NULL;
    if (line->conn == conn.id) return line;
    for (i = 0; line->attempt && i < line->attempt->tried; i++) {
        if (line->attempt->racing[i] == conn.id) return line;
    }
    return NULL;
}

/* Remembers whose a stream is. */
static bool wshub_ws__map(wshub_ws_pool *pool, uint64_t conn, const wshub_ws__line *line) {
    uint32_t low = (uint32_t)conn, cap = pool->by_conn_cap ? pool->by_conn_cap : 16;

    if (low >= pool->by_conn_cap) {
        uint32_t *grown;
        while (cap <= low) cap *= 2;
        grown = (uint32_t *)wshub_ws_alloc(pool, pool->by_conn, pool->by_conn_cap * sizeof *grown,
                                           cap * sizeof *grown);
        if (!grown) return false;
        memset(grown + pool->by_conn_cap, 0, (cap - pool->by_conn_cap) * sizeof *grown);
        pool->by_conn = grown;
        pool->by_conn_cap = cap;
    }
    pool->by_conn[low] = (uint32_t)line->id + 1;
    return true;
}

/* Closes a stream of which nothing is to be heard any more. */
static void wshub_ws__let_go(wshub_ws_pool *pool, uint64_t conn) {
    wshub_conn c;

    c.id = conn;
    if (!conn) return;
    if ((uint32_t)conn < pool->by_conn_cap) pool->by_conn[(uint32_t)conn] = 0;
    pool->io.close(pool->io.ctx, c, false);
}

static void wshub_ws__attempt_free(wshub_ws_pool *pool, wshub_ws__line *line, bool streams) {
    wshub_ws__attempt *attempt = line->attempt;
    uint32_t i;

    if (!attempt) return;
    for (i = 0; streams && i < attempt->tried; i++) wshub_ws__let_go(pool, attempt->racing[i]);
    wshub_ws__text_free(pool, &attempt->url);
    wshub_ws__text_free(pool, &attempt->protocols);
    (void)wshub_ws_alloc(pool, attempt->headers, attempt->headers_bytes, 0);
    wshub_ws__text_free(pool, &attempt->proxy_auth);
    (void)wshub_ws_alloc(pool, attempt, sizeof *attempt, 0);
    line->attempt = NULL;
}

/* Takes a WebSocket out of the list of those that have something to send. */
static void wshub_ws__clean(wshub_ws_pool *pool, wshub_ws__line *line) {
    uint32_t *at = &pool->dirty_first;

    if (!line->dirty) return;
    while (*at != (uint32_t)line->id + 1) at = &wshub_ws__slot(pool, *at - 1)->dirty_next;
    *at = line->dirty_next;
    line->dirty = false;
}

/* It has something to send, or to be looked at, in the next settle. */
static void wshub_ws__touch(wshub_ws_pool *pool, wshub_ws__line *line) {
    if (line->dirty) return;
    line->dirty = true;
    line->dirty_next = pool->dirty_first;
    pool->dirty_first = (uint32_t)line->id + 1;
}

/* Its scraps. NULL: out of memory. */
static wshub_ws__scraps *wshub_ws__scraps_get(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__scraps *scraps = line->scraps;

    if (scraps) return scraps;
    scraps = (wshub_ws__scraps *)wshub_ws_alloc(pool, NULL, 0, sizeof *scraps);
    if (!scraps) return NULL;
    memset(scraps, 0, sizeof *scraps);
    line->scraps = scraps;
    return scraps;
}

/* Frees them, unless there is something in them. */
static void wshub_ws__scraps_done(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__scraps *scraps = line->scraps;

    if (!scraps || scraps->part_len || scraps->pongs) return;
    (void)wshub_ws_alloc(pool, scraps, sizeof *scraps, 0);
    line->scraps = NULL;
}

/* Adds to what is there of a frame that is not whole. False: out of memory. */
static bool wshub_ws__part_add(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                               size_t count) {
    wshub_ws__scraps *scraps = wshub_ws__scraps_get(pool, line);

    if (!scraps) return false;
    WSHUB_ASSERT(scraps->part_len + count <= sizeof scraps->part);
    if (count) memcpy(scraps->part + scraps->part_len, bytes, count);
    scraps->part_len = (uint8_t)(scraps->part_len + count);
    return true;
}

/* Takes what is there out. Returns its length. */
static size_t wshub_ws__part_take(wshub_ws_pool *pool, wshub_ws__line *line, uint8_t *out) {
    size_t len = line->scraps ? line->scraps->part_len : 0;

    if (!len) return 0;
    memcpy(out, line->scraps->part, len);
    line->scraps->part_len = 0;
    wshub_ws__scraps_done(pool, line);
    return len;
}

static void wshub_ws__agreed_free(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__agreed *agreed = line->agreed;
    const wshub_deflate *codec = &pool->codec;

    if (!agreed) return;
    if (agreed->deflater) codec->deflater_free(codec->ctx, agreed->deflater);
    if (agreed->inflater) codec->inflater_free(codec->ctx, agreed->inflater);
    (void)wshub_ws_alloc(pool, agreed, sizeof *agreed, 0);
    line->agreed = NULL;
}

static void wshub_ws__http_free(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__http *http = line->http;

    if (!http) return;
    wshub_ws__bytes_free(pool, &http->base);
    wshub_ws__bytes_free(pool, &http->front);
    wshub_ws__bytes_free(pool, &http->request);
    wshub_ws__bytes_free(pool, &http->body);
    wshub_ws__bytes_free(pool, &http->text);
    (void)wshub_ws_alloc(pool, http, sizeof *http, 0);
    line->http = NULL;
}

/* Frees all of a WebSocket, of which the io has nothing any more. */
static void wshub_ws__free(wshub_ws_pool *pool, wshub_ws__line *line) {
    uint32_t index = (uint32_t)line->id;

    wshub_ws__clean(pool, line);
    wshub_ws__attempt_free(pool, line, true);
    if (line->conn && (uint32_t)line->conn < pool->by_conn_cap)
        pool->by_conn[(uint32_t)line->conn] = 0;
    wshub_ws_timer_remove(pool, &line->timer);
    wshub_ws__bytes_free(pool, &line->out);
    wshub_ws__bytes_free(pool, &line->flying);
    wshub_ws__bytes_free(pool, &line->in);
    (void)wshub_ws_alloc(pool, line->scraps, line->scraps ? sizeof *line->scraps : 0, 0);
    wshub_ws__agreed_free(pool, line);
    wshub_ws__http_free(pool, line);
    wshub_ws__text_free(pool, &line->text);
    memset(line, 0, sizeof *line);
    pool->free_slots[pool->free_count++] = index;
}

/* ---- ends ---- */

/* What went wrong, in a line of printable ASCII; the first that is said stays. */
static void wshub_ws__say(wshub_ws_pool *pool, wshub_ws__line *line, const char *text) {
    size_t i, len = strlen(text);

    if (line->text) return;
    if (len > WSHUB_WS__TEXT_MAX) len = WSHUB_WS__TEXT_MAX;
    line->text = wshub_ws__text(pool, text, len);
    for (i = 0; line->text && i < len; i++) {
        if ((unsigned char)line->text[i] < ' ' || (unsigned char)line->text[i] > '~')
            line->text[i] = '?';
    }
}

/* Is there a stream whose closed() is still to come? */
static bool wshub_ws__has_stream(const wshub_ws__line *line) {
    return line->conn != 0;
}

/* When the WebSocket wants to be looked at: its one timer serves all its clocks. */
static void wshub_ws__rearm(wshub_ws_pool *pool, wshub_ws__line *line) {
    uint64_t due = WSHUB_NEVER;
    const wshub_ws__attempt *attempt = line->attempt;

    if (attempt) {
        due = attempt->deadline_ms;
        if (attempt->tried < attempt->addresses_count && attempt->next_ms < due)
            due = attempt->next_ms;
    }
    if (line->http && line->http->deadline_ms < due) due = line->http->deadline_ms;
    if (line->state == WSHUB_WS__OPEN || line->state == WSHUB_WS__CLOSING) {
        if (line->idle_ms != WSHUB_OFF && !line->paused) {
            due = line->pinged ? line->heard_ms + line->idle_ms - line->idle_ms / 2
                               : line->heard_ms + line->idle_ms / 2;
            if (line->idle_ms > 8000) due = (due + 127) | 127; /* many share a turn */
        }
        if (line->opcode && !line->paused && line->message_timeout_ms != WSHUB_OFF &&
            line->message_ms + line->message_timeout_ms < due)
            due = line->message_ms + line->message_timeout_ms;
    }
    if ((line->state == WSHUB_WS__CLOSING || line->state == WSHUB_WS__ENDING) && line->end_ms < due)
        due = line->end_ms;
    if (line->state == WSHUB_WS__FAILED || line->state == WSHUB_WS__STARTING) due = 1;
    if (line->state == WSHUB_WS__CUT) due = WSHUB_NEVER;
    wshub_ws_timer_start(pool, &line->timer, due);
}

/* The one door of the state. */
static void wshub_ws__to(wshub_ws_pool *pool, wshub_ws__line *line, wshub_ws__state state) {
    WSHUB_ASSERT(line->state < (uint8_t)state ||
                 (state == WSHUB_WS__STARTING && line->state == WSHUB_WS__UPGRADING));
    line->state = (uint8_t)state;
    wshub_ws__rearm(pool, line);
}

/* It is over; ended() is owed, and told when the stream is closed, or in the next settle. */
static void wshub_ws__fail(wshub_ws_pool *pool, wshub_ws__line *line, wshub_ws_why why,
                           const char *text) {
    wshub_conn conn;

    if (line->state >= WSHUB_WS__FAILED) return;
    line->why = (uint8_t)why;
    if (text) wshub_ws__say(pool, line, text);
    wshub_ws__attempt_free(pool, line, true);
    if (!wshub_ws__has_stream(line)) {
        wshub_ws__to(pool, line, WSHUB_WS__FAILED);
        return;
    }
    conn.id = line->conn;
    wshub_ws__to(pool, line, WSHUB_WS__CUT);
    pool->io.close(pool->io.ctx, conn, false);
}

/* Says in a line what Close it was: its code and, in printable ASCII, its reason. */
static const char *wshub_ws__closed_text(const wshub_ws_gone *gone, char *buf, size_t cap) {
    size_t at, i;

    WSHUB_ASSERT(cap > 40 + WSHUB_CLOSE_REASON_MAX);
    at = (size_t)snprintf(buf, cap, "closed with %u%s", gone->code, gone->reason.len ? ": " : "");
    for (i = 0; i < gone->reason.len && at + 1 < cap; i++, at++) {
        char c = gone->reason.ptr[i];
        buf[at] = c;
        if (c < ' ' || c > '~') buf[at] = '?';
    }
    buf[at] = 0;
    return buf;
}

/* May the end of its stream and its request have crossed? Nothing of the answer is there, there was
 * one before, and no more time has passed than a long way takes. */
static bool wshub_ws__raced(const wshub_ws_pool *pool, const wshub_ws__line *line) {
    const wshub_ws__http *http = line->http;

    return http && line->why == WSHUB_WS_END_EARLY && http->asked && http->reused &&
           http->part == WSHUB_WS__PART_HEAD && !http->heads && !line->in.len &&
           wshub_ws_now_ms(pool) - http->asked_ms < WSHUB_WS__RACE_MS;
}

/* The last word, told and done. What is mute was forgotten, and its events may be gone. */
static void wshub_ws__tell_end(wshub_ws_pool *pool, wshub_ws__line *line) {
    void (*ended)(wshub_ws_pool * of, wshub_ws ws, const wshub_ws_gone *gone, void *user) = NULL;
    void *user = line->user;
    wshub_ws ws = wshub_ws__handle(line);
    wshub_ws_gone gone;
    char *text = line->text, closed[64 + WSHUB_CLOSE_REASON_MAX];

    if (!line->mute) ended = line->http ? line->http->events->ended : line->events->ended;
    memset(&gone, 0, sizeof gone);
    gone.why = (wshub_ws_why)line->why;
    gone.opened = line->opened;
    gone.code = line->opened ? line->code : 0;
    gone.status = line->opened ? 0 : line->code;
    gone.raced = wshub_ws__raced(pool, line);
    gone.reason.ptr = "";
    if (line->reason && text) {
        gone.reason.ptr = text;
        gone.reason.len = strlen(text);
    }
    gone.text = text && !line->reason ? text : wshub_ws__whys[line->why][1];
    if (gone.why == WSHUB_WS_END_CLOSE && gone.opened)
        gone.text = wshub_ws__closed_text(&gone, closed, sizeof closed);
    if (gone.why == WSHUB_WS_END_TIMEOUT) gone.text = wshub_ws__whys[WSHUB_WS_END_TIMEOUT][1];
    line->text = NULL;
    wshub_ws__free(pool, line);
    if (ended) ended(pool, ws, &gone, user);
    if (text) (void)wshub_ws_alloc(pool, text, strlen(text) + 1, 0);
}

/* ---- out ----
 * Frames are written, masked, behind what waits, and go to the io once a turn. */

/* How much waits to leave. */
static size_t wshub_ws__waits(const wshub_ws__line *line) {
    return (size_t)(line->out.len - line->out_at) + (line->flying.len - line->flown);
}

/* Bytes that have left make room in front. */
static void wshub_ws__out_pull(wshub_ws__line *line) {
    if (!line->out_at) return;
    line->out.len -= line->out_at;
    memmove(line->out.ptr, line->out.ptr + line->out_at, line->out.len);
    line->out_at = 0;
}

/* Writes a frame behind what waits. opcode: with the reserved bits above it. */
static wshub_err wshub_ws__frame(wshub_ws_pool *pool, wshub_ws__line *line, uint8_t opcode,
                                 const void *bytes, size_t count) {
    wshub_frame frame;
    uint8_t head[14];
    size_t head_len;

    memset(&frame, 0, sizeof frame);
    frame.payload_bytes = count;
    frame.opcode = opcode & 15;
    frame.rsv = opcode >> 4 & 7;
    frame.fin = true;
    frame.masked = true;
    if (!wshub_ws_random(pool, frame.mask, sizeof frame.mask)) return WSHUB_ERR_RANDOM;
    head_len = wshub_frame_write(&frame, head);

    if (line->out_at > line->out.len / 2) wshub_ws__out_pull(line);
    if (!line->out.cap && pool->spare.cap) {
        line->out = pool->spare;
        line->out.len = 0;
        memset(&pool->spare, 0, sizeof pool->spare);
    }
    if (!wshub_ws__bytes_room(pool, &line->out, head_len + count, SIZE_MAX / 2))
        return WSHUB_ERR_NOMEM;
    memcpy(line->out.ptr + line->out.len, head, head_len);
    line->out.len += (uint32_t)head_len;
    if (count) {
        memcpy(line->out.ptr + line->out.len, bytes, count);
        wshub_mask(line->out.ptr + line->out.len, count, frame.mask, 0);
        line->out.len += (uint32_t)count;
    }
    wshub_ws__touch(pool, line);
    return WSHUB_OK;
}

/* Nothing waits any more: the buffer is the next one's who sends. */
static void wshub_ws__out_done(wshub_ws_pool *pool, wshub_ws__line *line) {
    line->out_at = 0;
    if (!pool->spare.cap && line->out.cap <= WSHUB_WS__SPARE_MAX) {
        pool->spare = line->out;
        pool->spare.len = 0;
        memset(&line->out, 0, sizeof line->out);
    } else {
        wshub_ws__bytes_free(pool, &line->out);
    }
}

/* The pong that was kept back while the stream took nothing: the latest (RFC 6455 5.5.3). */
static void wshub_ws__pong_late(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__scraps *scraps = line->scraps;

    if (!scraps || !scraps->pongs || wshub_ws__waits(line)) return;
    scraps->pongs = false;
    if (line->state == WSHUB_WS__OPEN)
        (void)wshub_ws__frame(pool, line, WSHUB_WS__PONG, scraps->pong, scraps->pong_len);
    wshub_ws__scraps_done(pool, line);
}

/* Hands the io what waits. */
static void wshub_ws__flush(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_conn conn;
    wshub_span span;
    int64_t took;

    if (line->blocked || line->flying.ptr || line->moves || !wshub_ws__has_stream(line)) return;
    conn.id = line->conn;
    if (line->out.len > line->out_at) {
        span.ptr = line->out.ptr + line->out_at;
        span.len = line->out.len - line->out_at;
        took = pool->io.send(pool->io.ctx, conn, &span, 1);
        if (took == WSHUB_IO_PENDING) {
            line->flying = line->out;
            line->flown = line->out_at;
            line->out_at = 0;
            memset(&line->out, 0, sizeof line->out);
            return;
        }
        line->out_at += (uint32_t)took;
        line->blocked = line->out_at < line->out.len;
    }
    if (line->blocked) return;
    if (line->out.cap) wshub_ws__out_done(pool, line);
    wshub_ws__pong_late(pool, line);

    /* Behind the last byte of an orderly end comes the end of the stream. */
    if (line->flushing && line->state == WSHUB_WS__ENDING) {
        line->flushing = false;
        pool->io.close(pool->io.ctx, conn, true);
    }
}

/* ---- the closing handshake ---- */

/* Writes a Close. code 0: an empty one. */
static wshub_err wshub_ws__close_frame(wshub_ws_pool *pool, wshub_ws__line *line, uint16_t code,
                                       wshub_str reason) {
    uint8_t payload[WSHUB_WS__CONTROL_MAX];

    if (!code) return wshub_ws__frame(pool, line, WSHUB_WS__CLOSE_OP, NULL, 0);
    WSHUB_ASSERT(reason.len <= WSHUB_CLOSE_REASON_MAX);
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (reason.len) memcpy(payload + 2, reason.ptr, reason.len);
    return wshub_ws__frame(pool, line, WSHUB_WS__CLOSE_OP, payload, 2 + reason.len);
}

/* Nothing more is read: what waits goes out, and then the end of both sides is awaited. end: ours
 * goes out at once behind it, else the server ends first (RFC 6455 7.1.1). */
static void wshub_ws__ending(wshub_ws_pool *pool, wshub_ws__line *line, bool end) {
    line->end_ms = wshub_ws_now_ms(pool) + line->close_ms;
    line->flushing = line->flushing || end;
    wshub_ws__to(pool, line, WSHUB_WS__ENDING);
    wshub_ws__touch(pool, line);
}

/* The peer has broken a rule: it is told so by a Close, and not listened to any more. */
static void wshub_ws__broken(wshub_ws_pool *pool, wshub_ws__line *line, uint16_t code,
                             const char *text) {
    wshub_str none = {NULL, 0};
    bool closing = line->state == WSHUB_WS__CLOSING;

    line->code = code;
    line->why = WSHUB_WS_END_BROKEN;
    line->reason = false;
    wshub_ws__text_free(pool, &line->text);
    wshub_ws__say(pool, line, text);
    if (!closing) (void)wshub_ws__close_frame(pool, line, code, none);
    wshub_ws__ending(pool, line, true);
}

/* Out of memory while reading: the peer is not to blame. */
static void wshub_ws__exhausted(wshub_ws_pool *pool, wshub_ws__line *line) {
    line->code = 1006;
    wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
}

/* May a Close bear this code (RFC 6455 7.4)? */
static bool wshub_ws__code_ok(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* The peer's Close. */
static void wshub_ws__on_close(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                               size_t count) {
    uint16_t code = (uint16_t)(count >= 2 ? bytes[0] << 8 | bytes[1] : 0);
    wshub_str none = {NULL, 0};

    if (count == 1 || (code && !wshub_ws__code_ok(code)) || (count >= 2 && !code)) {
        wshub_ws__broken(pool, line, 1002, "a Close with a code that must not be sent");
        return;
    }
    if (count > 2 && !wshub_utf8_check(bytes + 2, count - 2)) {
        wshub_ws__broken(pool, line, 1007, "a Close whose reason is not UTF-8");
        return;
    }
    if (line->state == WSHUB_WS__OPEN) {
        line->code = code ? code : 1005;
        line->why = WSHUB_WS_END_CLOSE;
        if (count > 2 && !memchr(bytes + 2, 0, count - 2)) {
            line->text = wshub_ws__text(pool, (const char *)bytes + 2, count - 2);
            line->reason = line->text != NULL;
        }
        (void)wshub_ws__close_frame(pool, line, code, none);
    }
    wshub_ws__ending(pool, line, false);
}

/* ---- in ----
 * Frames of the server, in any pieces (RFC 6455 5). Each callback may end the WebSocket: whoever
 * goes on asks first whether it is still there, and still listens. */

static bool wshub_ws__listens(const wshub_ws_pool *pool, uint64_t id) {
    const wshub_ws__line *line = wshub_ws__get(pool, id);
    return line && (line->state == WSHUB_WS__OPEN || line->state == WSHUB_WS__CLOSING);
}

static void wshub_ws__on_ping(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                              size_t count) {
    wshub_ws__scraps *scraps;

    if (line->state != WSHUB_WS__OPEN) return;
    if (!line->blocked && !line->flying.ptr && wshub_ws__waits(line) < 4096) {
        if (wshub_ws__frame(pool, line, WSHUB_WS__PONG, bytes, count) == WSHUB_ERR_RANDOM)
            wshub_ws__fail(pool, line, WSHUB_WS_END_RANDOM, NULL);
        return;
    }
    scraps = wshub_ws__scraps_get(pool, line);
    if (!scraps) return; /* an unanswered ping is not worth the stream */
    scraps->pongs = true;
    scraps->pong_len = (uint8_t)count;
    if (count) memcpy(scraps->pong, bytes, count);
    wshub_ws__touch(pool, line);
}

static void wshub_ws__on_pong(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                              size_t count) {
    bool own = count == sizeof line->own_ping && memcmp(bytes, line->own_ping, count) == 0;

    if (own || !line->asked_pong || line->state != WSHUB_WS__OPEN) return;
    line->asked_pong = false;
    if (line->events->pong)
        line->events->pong(pool, wshub_ws__handle(line), bytes, count, line->user);
}

static void wshub_ws__control(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                              size_t count) {
    uint8_t opcode = line->frame;

    line->frame = 0xFF;
    if (opcode == WSHUB_WS__CLOSE_OP) wshub_ws__on_close(pool, line, bytes, count);
    if (opcode == WSHUB_WS__PING) wshub_ws__on_ping(pool, line, bytes, count);
    if (opcode == WSHUB_WS__PONG) wshub_ws__on_pong(pool, line, bytes, count);
}

/* A message is whole. bytes: ours until this returns. */
static void wshub_ws__whole(wshub_ws_pool *pool, wshub_ws__line *line, uint8_t *bytes,
                            size_t count) {
    wshub_ws_kind kind = (wshub_ws_kind)line->opcode;

    line->opcode = 0;
    line->empties = 0;
    if (line->message_timeout_ms != WSHUB_OFF) wshub_ws__rearm(pool, line);
    if (kind == WSHUB_WS_TEXT && !wshub_utf8_check(bytes, count)) {
        wshub_ws__broken(pool, line, 1007, "a text that is not UTF-8");
        return;
    }
    if (line->events->message)
        line->events->message(pool, wshub_ws__handle(line), kind, bytes, count, line->user);
}

/* What a frame's first two bytes say that must not be. NULL: nothing. */
static const char *wshub_ws__head_problem(const wshub_ws__line *line, const uint8_t *head) {
    uint8_t opcode = head[0] & 0x0F, length = head[1] & 0x7F;
    bool fin = (head[0] & 0x80) != 0;
    bool squeezes = line->agreed && (opcode == WSHUB_WS_TEXT || opcode == WSHUB_WS_BINARY);

    if (head[0] & (squeezes ? 0x30 : 0x70)) return "a frame with a reserved bit";
    if (head[1] & 0x80) return "a frame that is masked";
    if (opcode > WSHUB_WS_BINARY && (opcode < WSHUB_WS__CLOSE_OP || opcode > WSHUB_WS__PONG))
        return "a frame of a reserved kind";
    if (opcode >= WSHUB_WS__CLOSE_OP)
        return !fin || length > WSHUB_WS__CONTROL_MAX ? "a control frame that is long or in pieces"
                                                      : NULL;
    if (!opcode && !line->opcode) return "a continuation of nothing";
    if (opcode && line->opcode) return "a message inside another one";
    return NULL;
}

static bool wshub_ws__is_squeezed(const wshub_ws__line *line) {
    return line->agreed && line->agreed->squeezed;
}

/* The first frame of a message starts its clock. */
static bool wshub_ws__message_begins(wshub_ws_pool *pool, wshub_ws__line *line,
                                     const wshub_frame *frame) {
    if (!frame->opcode) return true;
    line->opcode = frame->opcode;
    line->message_ms = wshub_ws_now_ms(pool);
    return true;
}

/* A frame's head is there. False: it broke a rule. */
static bool wshub_ws__frame_begins(wshub_ws_pool *pool, wshub_ws__line *line,
                                   const wshub_frame *frame) {
    line->frame = frame->opcode;
    line->frame_left = frame->payload_bytes;
    line->fin = frame->fin;
    if (frame->opcode >= WSHUB_WS__CLOSE_OP) return true;

    /* Frames without bytes count too, or nothing would end a message of them. */
    if (!frame->payload_bytes) line->empties++;
    if (frame->opcode && line->agreed) line->agreed->squeezed = frame->rsv != 0;
    if (wshub_ws__is_squeezed(line)) { /* it counts by what it holds */
        if (line->empties <= line->message_max) return wshub_ws__message_begins(pool, line, frame);
        wshub_ws__broken(pool, line, 1009, "a message over message_bytes_max");
        return false;
    }
    if (frame->payload_bytes > line->message_max ||
        line->in.len + line->empties + frame->payload_bytes > (uint64_t)line->message_max + 1) {
        wshub_ws__broken(pool, line, 1009, "a message over message_bytes_max");
        return false;
    }
    if (line->in.len + frame->payload_bytes > line->message_max) {
        wshub_ws__broken(pool, line, 1009, "a message over message_bytes_max");
        return false;
    }
    return wshub_ws__message_begins(pool, line, frame);
}

/* Reads a frame's head, which may come in pieces. Returns how many of the bytes were its; 0 too
 * when it broke a rule: then nothing more is read. */
static size_t wshub_ws__read_head(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                                  size_t count) {
    wshub_frame frame;
    uint8_t head[WSHUB_WS__CONTROL_MAX];
    size_t had = wshub_ws__part_take(pool, line, head), more = WSHUB_WS__HEAD_MAX - had;
    const char *problem;
    int done;

    WSHUB_ASSERT(had < WSHUB_WS__HEAD_MAX);
    if (more > count) more = count;
    memcpy(head + had, bytes, more);
    if (had + more >= 2) {
        problem = wshub_ws__head_problem(line, head);
        if (problem) {
            wshub_ws__broken(pool, line, 1002, problem);
            return 0;
        }
    }
    done = wshub_frame_read(head, had + more, &frame);
    if (done < 0) {
        wshub_ws__broken(pool, line, 1002, "a length that is not written as shortly as it can be");
        return 0;
    }
    if (!done) {
        if (!wshub_ws__part_add(pool, line, head, had + more)) wshub_ws__exhausted(pool, line);
        return more;
    }
    if (!wshub_ws__frame_begins(pool, line, &frame)) return 0;
    return frame.head_bytes - had;
}

/* Bytes of a control frame, gathered in front of which a message's may already lie. */
static void wshub_ws__read_control(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                                   size_t count) {
    uint8_t whole[WSHUB_WS__CONTROL_MAX];
    size_t had;

    line->frame_left -= count;
    if (line->frame_left) {
        if (!wshub_ws__part_add(pool, line, bytes, count)) wshub_ws__exhausted(pool, line);
        return;
    }
    had = wshub_ws__part_take(pool, line, whole);
    if (!had) { /* it has come at once */
        wshub_ws__control(pool, line, bytes, count);
        return;
    }
    WSHUB_ASSERT(had + count <= sizeof whole);
    memcpy(whole + had, bytes, count);
    wshub_ws__control(pool, line, whole, had + count);
}

/* ---- compressed messages (RFC 7692) ---- */

/* The inflater for a message: its own, or for the time of the message the pool's. False: out of
 * memory. */
static bool wshub_ws__inflater_begin(wshub_ws_pool *pool, wshub_ws__agreed *agreed) {
    const wshub_deflate *codec = &pool->codec;

    if (agreed->inflater) return true;
    if (agreed->forgets && pool->inflater) {
        agreed->inflater = pool->inflater;
        pool->inflater = NULL;
        codec->inflater_reset(codec->ctx, agreed->inflater);
    } else {
        agreed->inflater = codec->inflater(codec->ctx, pool->desc.alloc, pool->desc.alloc_user,
                                           agreed->forgets ? 15 : agreed->server_bits);
    }
    return agreed->inflater != NULL;
}

/* The message is over. */
static void wshub_ws__inflater_end(wshub_ws_pool *pool, wshub_ws__agreed *agreed) {
    if (!agreed->forgets) return;
    if (pool->inflater)
        pool->codec.inflater_free(pool->codec.ctx, agreed->inflater);
    else
        pool->inflater = agreed->inflater;
    agreed->inflater = NULL;
}

/* Keeps what was inflated. False: the WebSocket fails. */
static bool wshub_ws__inflated(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                               size_t count) {
    if (line->in.len + count > line->message_max) {
        wshub_ws__broken(pool, line, 1009, "a message over message_bytes_max");
        return false;
    }
    if (wshub_ws__bytes_add(pool, &line->in, bytes, count, line->message_max)) return true;
    wshub_ws__exhausted(pool, line);
    return false;
}

/* Inflates bytes of a message; the limit is asked before each 4096 of them are kept, so that a bomb
 * costs no more than an honest message. False: the WebSocket fails. */
static bool wshub_ws__inflate(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                              size_t count, wshub_inflating *at) {
    const wshub_deflate *codec = &pool->codec;
    uint8_t some[WSHUB_WS__INFLATE_BYTES];
    wshub_err err;

    if (!wshub_ws__inflater_begin(pool, line->agreed)) {
        wshub_ws__exhausted(pool, line);
        return false;
    }
    at->in = bytes;
    at->in_len = count;
    do {
        at->out = some;
        at->out_len = sizeof some;
        err = codec->inflate(codec->ctx, line->agreed->inflater, at);
        if (!wshub_ws__inflated(pool, line, some, sizeof some - at->out_len)) return false;
        if (err == WSHUB_ERR_NOMEM) wshub_ws__exhausted(pool, line);
        if (err && err != WSHUB_ERR_NOMEM)
            wshub_ws__broken(pool, line, 1007, "bad compressed data");
        if (err) return false;
        WSHUB_ASSERT(!at->in_len || !at->out_len); /* or the codec would be stuck */
    } while (!at->out_len);
    return true;
}

/* Bytes of a compressed message's frame. */
static void wshub_ws__read_squeezed(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                                    size_t count, bool last) {
    static const uint8_t tail[] = {0, 0, 0xFF, 0xFF};
    wshub_inflating at;
    wshub_ws__bytes in;
    uint8_t none = 0;

    memset(&at, 0, sizeof at);
    if (!wshub_ws__inflate(pool, line, bytes, count, &at)) return;
    if (!last) {
        wshub_ws__rearm(pool, line);
        return;
    }
    /* Behind a last block nothing is left out, and nothing need follow (7.2.2). */
    if (!at.last && !wshub_ws__inflate(pool, line, tail, sizeof tail, &at)) return;
    if (!at.whole) {
        wshub_ws__broken(pool, line, 1007, "bad compressed data");
        return;
    }
    wshub_ws__inflater_end(pool, line->agreed);
    line->agreed->squeezed = false;
    in = line->in; /* the callback may end the WebSocket */
    memset(&line->in, 0, sizeof line->in);
    wshub_ws__whole(pool, line, in.len ? in.ptr : &none, in.len);
    wshub_ws__bytes_free(pool, &in);
}

/* The deflater for what a WebSocket sends; NULL: there is none, and it goes plain. */
static void *wshub_ws__deflater(wshub_ws_pool *pool, wshub_ws__agreed *agreed) {
    const wshub_deflate *codec = &pool->codec;
    void **at = agreed->slides ? &agreed->deflater : &pool->deflaters[agreed->client_bits - 8];

    if (agreed->client_bits < codec->window_bits_min) return NULL;
    if (!*at)
        *at = codec->deflater(codec->ctx, pool->desc.alloc, pool->desc.alloc_user,
                              WSHUB_DEFLATE_RAW, agreed->client_bits);
    else if (!agreed->slides)
        codec->deflater_reset(codec->ctx, *at);
    return *at;
}

/* Compresses a message into pool->squeezed. False: it goes plain, as it does not get shorter, or
 * for want of memory. */
static bool wshub_ws__squeeze(wshub_ws_pool *pool, void *deflater, const void *bytes,
                              size_t count) {
    const wshub_deflate *codec = &pool->codec;
    wshub_ws__bytes *to = &pool->squeezed;
    size_t room = codec->bound(codec->ctx, deflater, count), made = 0;

    to->len = 0;
    if (!wshub_ws__bytes_room(pool, to, room, SIZE_MAX / 2)) return false;
    if (codec->deflate(codec->ctx, deflater, (const uint8_t *)bytes, count, to->ptr, &made))
        return false;
    to->len = (uint32_t)made;
    return made < count;
}

/* Sends a message, compressed where that was agreed on and makes it shorter. */
static wshub_err wshub_ws__message(wshub_ws_pool *pool, wshub_ws__line *line, uint8_t opcode,
                                   const void *bytes, size_t count) {
    wshub_ws__agreed *agreed = line->agreed;
    wshub_err err = WSHUB_OK;
    void *deflater = NULL;
    bool squeezed;

    if (agreed && count && count >= agreed->deflate_min)
        deflater = wshub_ws__deflater(pool, agreed);
    if (!deflater) return wshub_ws__frame(pool, line, opcode, bytes, count);
    squeezed = wshub_ws__squeeze(pool, deflater, bytes, count);
    if (squeezed)
        err = wshub_ws__frame(pool, line, opcode | WSHUB_WS__SQUEEZED, pool->squeezed.ptr,
                              pool->squeezed.len);
    /* What the peer does not see, nothing may point back to. */
    if (agreed->slides && (err || !squeezed)) pool->codec.deflater_reset(pool->codec.ctx, deflater);
    if (pool->squeezed.cap > WSHUB_WS__SPARE_MAX) wshub_ws__bytes_free(pool, &pool->squeezed);
    return squeezed ? err : wshub_ws__frame(pool, line, opcode, bytes, count);
}

/* ---- messages ---- */

/* Bytes of a message's frame. */
static void wshub_ws__read_data(wshub_ws_pool *pool, wshub_ws__line *line, uint8_t *bytes,
                                size_t count) {
    wshub_ws__bytes in;
    bool last;

    line->frame_left -= count;
    last = !line->frame_left && line->fin;
    if (!line->frame_left) line->frame = 0xFF;
    if (wshub_ws__is_squeezed(line)) {
        wshub_ws__read_squeezed(pool, line, bytes, count, last);
        return;
    }
    if (last && !line->in.len) { /* whole, where it lies */
        wshub_ws__whole(pool, line, bytes, count);
        return;
    }
    if (!wshub_ws__bytes_add(pool, &line->in, bytes, count, line->message_max)) {
        wshub_ws__exhausted(pool, line);
        return;
    }
    if (!last) {
        wshub_ws__rearm(pool, line);
        return;
    }
    in = line->in; /* the callback may end the WebSocket */
    memset(&line->in, 0, sizeof line->in);
    wshub_ws__whole(pool, line, in.ptr, in.len);
    wshub_ws__bytes_free(pool, &in);
}

/* Bytes of an open WebSocket. */
static void wshub_ws__feed(wshub_ws_pool *pool, wshub_ws__line *line, uint8_t *bytes,
                           size_t count) {
    uint64_t id = line->id;
    size_t at = 0, part;

    while (at < count || (line->frame != 0xFF && !line->frame_left)) {
        if (line->frame == 0xFF) {
            part = wshub_ws__read_head(pool, line, bytes + at, count - at);
            at += part;
            if (!wshub_ws__listens(pool, id)) return;
            continue;
        }
        part = count - at < line->frame_left ? count - at : (size_t)line->frame_left;
        if (line->frame >= WSHUB_WS__CLOSE_OP)
            wshub_ws__read_control(pool, line, bytes + at, part);
        else
            wshub_ws__read_data(pool, line, bytes + at, part);
        at += part;
        if (!wshub_ws__listens(pool, id)) return;
    }
}

/* ---- URLs ---- */

static bool wshub_ws__is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char wshub_ws__lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Are these the same, but for their case? */
static bool wshub_ws__same(wshub_str a, const char *b) {
    size_t i;

    if (a.len != strlen(b)) return false;
    for (i = 0; i < a.len; i++) {
        if (wshub_ws__lower(a.ptr[i]) != wshub_ws__lower(b[i])) return false;
    }
    return true;
}

static bool wshub_ws__starts(wshub_str text, const char *with) {
    wshub_str front = text;

    if (text.len < strlen(with)) return false;
    front.len = strlen(with);
    return wshub_ws__same(front, with);
}

static wshub_str wshub_ws__behind(wshub_str text, size_t count) {
    text.ptr += count;
    text.len -= count;
    return text;
}

/* Is this a host, and is it IPv6? What ends in a number is an IPv4 address or nothing. */
static bool wshub_ws__host_ok(wshub_str host, bool v6) {
    wshub_address address;
    size_t i, label = 0;
    bool digits = true;

    memset(&address, 0, sizeof address);
    if (!host.len || host.len > WSHUB_WS__HOST_MAX) return false;
    if (v6)
        return !memchr(host.ptr, '%', host.len) && wshub_address_read(host, &address) &&
               memchr(host.ptr, ':', host.len) && host.ptr[0] != '[';
    for (i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!wshub_ws__is_alnum(c) && c != '-' && c != '_' && c != '.') return false;
        if (c == '.' && (i == label || i - label > 63)) return false; /* an empty label */
        if (c == '.') label = i + 1;
        if (c != '.' && i == label) digits = true;
        if (c != '.' && (c < '0' || c > '9')) digits = false;
    }
    if (host.len - label > 63) return false; /* RFC 1035 2.3.4 */
    return !digits || (wshub_address_read(host, &address) && address.kind == WSHUB_ADDRESS_V4 &&
                       !address.port);
}

/* Reads `host`, `host:port`, `[v6]` and `[v6]:port`. port: as it is where none is said. */
static bool wshub_ws__authority(wshub_str text, wshub_str *out_host, bool *out_v6, uint16_t *port) {
    const char *colon;
    wshub_str digits;
    unsigned number = 0;
    size_t i, end;

    *out_v6 = text.len > 0 && text.ptr[0] == '[';
    if (*out_v6) {
        colon = (const char *)memchr(text.ptr, ']', text.len);
        if (!colon) return false;
        end = (size_t)(colon - text.ptr) + 1;
        out_host->ptr = text.ptr + 1;
        out_host->len = end - 2;
        if (end < text.len && text.ptr[end] != ':') return false;
    } else {
        colon = (const char *)memchr(text.ptr, ':', text.len);
        end = colon ? (size_t)(colon - text.ptr) : text.len;
        out_host->ptr = text.ptr;
        out_host->len = end;
    }
    if (!wshub_ws__host_ok(*out_host, *out_v6)) return false;
    if (end == text.len) return true;

    digits = wshub_ws__behind(text, end + 1);
    if (!digits.len || digits.len > 5) return false;
    for (i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
        number = number * 10 + (unsigned)(digits.ptr[i] - '0');
    }
    if (number < 1 || number > 65535) return false;
    *port = (uint16_t)number;
    return true;
}

/* Reads a URL of one of two schemes, of which the second is the secure one: with their `://`. */
static bool wshub_ws__url_read(wshub_str text, const char *plain, const char *secure,
                               wshub_ws_url *out_url) {
    wshub_ws_url url;
    wshub_str rest, authority;
    size_t i;

    memset(&url, 0, sizeof url);
    if (!text.ptr || text.len > WSHUB_WS__URL_MAX) return false;
    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '#') return false;
    }
    url.secure = wshub_ws__starts(text, secure);
    if (!url.secure && !wshub_ws__starts(text, plain)) return false;
    rest = wshub_ws__behind(text, strlen(url.secure ? secure : plain));

    for (i = 0; i < rest.len && rest.ptr[i] != '/' && rest.ptr[i] != '?'; i++) {
    }
    authority.ptr = rest.ptr;
    authority.len = i;
    url.port = url.secure ? 443 : 80;
    if (!wshub_ws__authority(authority, &url.host, &url.v6, &url.port)) return false;
    url.port_said = url.port != (url.secure ? 443 : 80);
    url.target = wshub_ws__behind(rest, i);
    url.slash = !url.target.len || url.target.ptr[0] == '?';
    *out_url = url;
    return true;
}

WSHUB_API bool wshub_ws_url_read(wshub_str text, wshub_ws_url *out_url) {
    return wshub_ws__url_read(text, "ws://", "wss://", out_url);
}

/* As wshub_ws_url_read(), of what a line of HTTP is opened with, if `http` is set. */
static bool wshub_ws__url_of(wshub_str text, bool http, wshub_ws_url *out_url) {
    return http ? wshub_ws__url_read(text, "http://", "https://", out_url)
                : wshub_ws_url_read(text, out_url);
}

/* ---- the head of the answer ---- */

/* What an answer's head says. Views. */
typedef struct wshub_ws__answer {
    int status;
    bool old; /* HTTP/1.0 */
    unsigned upgrades, accepts, protocols, extensions, connections;
    bool upgrade_token;       /* Connection has it */
    bool bad_extensions;      /* what an answer to our offer cannot be */
    wshub_ws__agreed deflate; /* what it says of permessage-deflate */
    wshub_str upgrade, accept, protocol, location, authenticate;
    unsigned lengths, codings; /* how often Content-Length and Transfer-Encoding were said */
    bool ends;                 /* Connection has `close` */
    wshub_str length, coding, type, keep;
} wshub_ws__answer;

static bool wshub_ws__is_token(char c) {
    return wshub_ws__is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static wshub_str wshub_ws__trim(wshub_str text) {
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = wshub_ws__behind(text, 1);
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Is a word in a list that commas part? Its case matters, or does not. */
static bool wshub_ws__in_list(wshub_str list, wshub_str word, bool exact) {
    char copy[256];

    if (word.len >= sizeof copy) return false;
    memcpy(copy, word.ptr, word.len);
    copy[word.len] = 0;
    while (list.len) {
        const char *comma = (const char *)memchr(list.ptr, ',', list.len);
        wshub_str item = list;
        if (comma) item.len = (size_t)(comma - list.ptr);
        list = wshub_ws__behind(list, comma ? item.len + 1 : item.len);
        item = wshub_ws__trim(item);
        if (exact ? wshub_str_eq(item, word) : wshub_ws__same(item, copy)) return true;
    }
    return false;
}

/* Reads the status line. False: it is none. */
static bool wshub_ws__status_line(wshub_str line, wshub_ws__answer *answer) {
    size_t i;

    if (line.len < 12 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[8] != ' ') return false;
    if (line.ptr[7] != '0' && line.ptr[7] != '1') return false;
    for (i = 9; i < 12; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9') return false;
        answer->status = answer->status * 10 + (line.ptr[i] - '0');
    }
    answer->old = line.ptr[7] == '0';
    return answer->status >= 100 && (line.len == 12 || line.ptr[12] == ' ');
}

/* Takes a token off a text, with the blanks behind it. len 0: there is none. */
static wshub_str wshub_ws__take_token(wshub_str *text) {
    wshub_str token = *text;

    for (token.len = 0; token.len < text->len && wshub_ws__is_token(text->ptr[token.len]);)
        token.len++;
    *text = wshub_ws__trim(wshub_ws__behind(*text, token.len));
    return token;
}

static bool wshub_ws__take_sign(wshub_str *text, char sign) {
    if (!text->len || text->ptr[0] != sign) return false;
    *text = wshub_ws__trim(wshub_ws__behind(*text, 1));
    return true;
}

/* The size of a window: 8 to 15, without a zero in front. 0: it is none. */
static uint8_t wshub_ws__bits(wshub_str value) {
    const char *at = value.ptr;

    if (value.len == 1 && (at[0] == '8' || at[0] == '9')) return (uint8_t)(at[0] - '0');
    if (value.len == 2 && at[0] == '1' && at[1] >= '0' && at[1] <= '5')
        return (uint8_t)(10 + at[1] - '0');
    return 0;
}

/* A parameter of the answer, each once (RFC 7692 7.1): forgetting has no value, a window has one.
 * seen: a bit for each that came. */
static bool wshub_ws__deflate_param(wshub_str name, wshub_str value, unsigned *seen,
                                    wshub_ws__agreed *out) {
    static const char *const names[] = {"server_no_context_takeover", "client_no_context_takeover",
                                        "server_max_window_bits", "client_max_window_bits"};
    unsigned i = 0;

    while (i < 4 && !wshub_str_eq_z(name, names[i])) i++;
    if (i == 4 || *seen & 1u << i) return false;
    *seen |= 1u << i;
    if (i == 0) out->forgets = true;
    if (i == 1) out->slides = false;
    if (i < 2) return !value.ptr;
    if (!value.ptr) return false;
    *(i == 2 ? &out->server_bits : &out->client_bits) = wshub_ws__bits(value);
    return wshub_ws__bits(value) != 0;
}

/* The one extension that can have been offered, and its parameters. False: it is none. */
static bool wshub_ws__extension(wshub_str *text, wshub_ws__agreed *out) {
    unsigned seen = 0;

    out->server_bits = out->client_bits = 15;
    out->slides = true;
    if (!wshub_str_eq_z(wshub_ws__take_token(text), "permessage-deflate")) return false;
    while (wshub_ws__take_sign(text, ';')) {
        wshub_str name = wshub_ws__take_token(text), value = {NULL, 0};
        if (wshub_ws__take_sign(text, '=')) {
            bool quoted = wshub_ws__take_sign(text, '"');
            value = wshub_ws__take_token(text);
            if (!value.len || (quoted && !wshub_ws__take_sign(text, '"'))) return false;
        }
        if (!wshub_ws__deflate_param(name, value, &seen, out)) return false;
    }
    return !text->len || text->ptr[0] == ',';
}

/* A field of extensions: permessage-deflate, in one of the fields, once. */
static void wshub_ws__extensions(wshub_str value, wshub_ws__answer *answer) {
    while (wshub_ws__take_sign(&value, ',')) { /* elements may be empty (RFC 9110 5.6.1) */
    }
    answer->bad_extensions = answer->bad_extensions || answer->extensions++ ||
                             !wshub_ws__extension(&value, &answer->deflate);
    while (wshub_ws__take_sign(&value, ',')) {
    }
    if (value.len) answer->bad_extensions = true;
}

/* What says how long the body is, what it is, and what becomes of the stream behind it. */
static void wshub_ws__body_field(wshub_str name, wshub_str value, wshub_ws__answer *answer) {
    if (wshub_ws__same(name, "content-length")) {
        answer->lengths++;
        answer->length = value;
    } else if (wshub_ws__same(name, "transfer-encoding")) {
        answer->codings++;
        answer->coding = value;
    } else if (wshub_ws__same(name, "content-type")) {
        answer->type = value;
    } else if (wshub_ws__same(name, "keep-alive")) {
        answer->keep = value;
    }
}

/* Keeps what is asked of a field. */
static void wshub_ws__field(wshub_str name, wshub_str value, wshub_ws__answer *answer) {
    if (wshub_ws__same(name, "upgrade")) {
        answer->upgrades++;
        answer->upgrade = value;
    } else if (wshub_ws__same(name, "connection")) {
        answer->connections++;
        if (wshub_ws__in_list(value, wshub_str_z("upgrade"), false)) answer->upgrade_token = true;
        if (wshub_ws__in_list(value, wshub_str_z("close"), false)) answer->ends = true;
    } else if (wshub_ws__same(name, "sec-websocket-accept")) {
        answer->accepts++;
        answer->accept = value;
    } else if (wshub_ws__same(name, "sec-websocket-protocol")) {
        answer->protocols++;
        answer->protocol = value;
    } else if (wshub_ws__same(name, "sec-websocket-extensions")) {
        wshub_ws__extensions(value, answer);
    } else if (wshub_ws__same(name, "location")) {
        answer->location = value;
    } else if (wshub_ws__same(name, "proxy-authenticate") && !answer->authenticate.ptr) {
        answer->authenticate = value;
    } else {
        wshub_ws__body_field(name, value, answer);
    }
}

/* Reads one field. False: it is none. */
static bool wshub_ws__field_line(wshub_str line, wshub_ws__answer *answer) {
    wshub_str name = line, value;
    size_t i;

    for (i = 0; i < line.len && wshub_ws__is_token(line.ptr[i]); i++) {
    }
    if (!i || i == line.len || line.ptr[i] != ':') return false;
    name.len = i;
    value = wshub_ws__trim(wshub_ws__behind(line, i + 1));
    for (i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 127) return false;
    }
    wshub_ws__field(name, value, answer);
    return true;
}

/* Reads a whole head, up to and with its empty line. NULL: done; else what is wrong with it. */
static const char *wshub_ws__head(wshub_str head, wshub_ws__answer *out_answer) {
    unsigned fields = 0;
    bool first = true;

    memset(out_answer, 0, sizeof *out_answer);
    for (;;) {
        const char *cr = (const char *)memchr(head.ptr, '\r', head.len);
        wshub_str line = head;

        if (!cr || (size_t)(cr - head.ptr) + 1 >= head.len || cr[1] != '\n')
            return "a line of the answer's head that does not end in CRLF";
        line.len = (size_t)(cr - head.ptr);
        head = wshub_ws__behind(head, line.len + 2);
        if (first && !wshub_ws__status_line(line, out_answer))
            return "the answer does not begin with a status line of HTTP/1.1";
        if (!first && !line.len) return NULL;
        if (!first && ++fields > WSHUB_WS_HEAD_FIELDS_MAX)
            return "the answer has too many header fields";
        if (!first && !wshub_ws__field_line(line, out_answer))
            return "a malformed header field in the answer";
        first = false;
    }
}

/* What is wrong with a 101 (RFC 6455 4.1). NULL: nothing. */
static const char *wshub_ws__answer_problem(const wshub_ws__attempt *attempt,
                                            const wshub_ws__answer *answer) {
    wshub_str want, offered = {"", 0};

    want.ptr = attempt->accept;
    want.len = sizeof attempt->accept;
    if (answer->old) return "a 101 of HTTP/1.0";
    if (answer->upgrades != 1 || !wshub_ws__same(answer->upgrade, "websocket"))
        return "the 101 does not say `Upgrade: websocket`";
    if (!answer->upgrade_token) return "the 101 does not say `Connection: Upgrade`";
    if (answer->accepts != 1 || !wshub_str_eq(answer->accept, want))
        return "Sec-WebSocket-Accept is missing, doubled or wrong";
    if (answer->extensions && !attempt->deflate) return "an extension that was not offered";
    if (answer->bad_extensions) return "an answer to permessage-deflate that is none";
    if (answer->extensions && attempt->forgets && !answer->deflate.forgets)
        return "permessage-deflate without server_no_context_takeover, which was asked for";
    if (!answer->protocols) return NULL;
    if (attempt->protocols) offered = wshub_str_z(attempt->protocols);
    if (answer->protocols > 1 || !answer->protocol.len ||
        memchr(answer->protocol.ptr, ',', answer->protocol.len) ||
        !wshub_ws__in_list(offered, answer->protocol, true))
        return "a subprotocol that was not offered";
    return NULL;
}

/* ---- the request ---- */

static bool wshub_ws__put(wshub_ws_pool *pool, wshub_ws__line *line, const char *text, size_t len) {
    return wshub_ws__bytes_add(pool, &line->out, text, len, WSHUB_WS__REQUEST_MAX * 2);
}
static bool wshub_ws__put_z(wshub_ws_pool *pool, wshub_ws__line *line, const char *text) {
    return wshub_ws__put(pool, line, text, strlen(text));
}

/* Host, and its port where it must be said. */
static bool wshub_ws__put_host(wshub_ws_pool *pool, wshub_ws__line *line, bool port) {
    const wshub_ws_url *url = &line->attempt->parts;
    char digits[8];

    (void)snprintf(digits, sizeof digits, ":%u", (unsigned)url->port);
    return wshub_ws__put_z(pool, line, url->v6 ? "[" : "") &&
           wshub_ws__put(pool, line, url->host.ptr, url->host.len) &&
           wshub_ws__put_z(pool, line, url->v6 ? "]" : "") &&
           (!port || wshub_ws__put_z(pool, line, digits));
}

/* The credentials for a proxy. */
static bool wshub_ws__put_auth(wshub_ws_pool *pool, wshub_ws__line *line, const char *auth) {
    return wshub_ws__put_z(pool, line, "Proxy-Authorization: Basic ") &&
           wshub_ws__put_z(pool, line, auth) && wshub_ws__put_z(pool, line, "\r\n");
}

/* RFC 9110 9.3.6: the authority is both the target and Host. */
static bool wshub_ws__put_connect(wshub_ws_pool *pool, wshub_ws__line *line) {
    const char *auth = line->attempt->proxy_auth;

    return wshub_ws__put_z(pool, line, "CONNECT ") && wshub_ws__put_host(pool, line, true) &&
           wshub_ws__put_z(pool, line, " HTTP/1.1\r\nHost: ") &&
           wshub_ws__put_host(pool, line, true) && wshub_ws__put_z(pool, line, "\r\n") &&
           (!auth || wshub_ws__put_auth(pool, line, auth)) && wshub_ws__put_z(pool, line, "\r\n");
}

static bool wshub_ws__put_upgrade(wshub_ws_pool *pool, wshub_ws__line *line, const char key[24]) {
    const wshub_ws__attempt *attempt = line->attempt;

    return wshub_ws__put_z(pool, line, attempt->parts.slash ? "GET /" : "GET ") &&
           wshub_ws__put(pool, line, attempt->parts.target.ptr, attempt->parts.target.len) &&
           wshub_ws__put_z(pool, line, " HTTP/1.1\r\nHost: ") &&
           wshub_ws__put_host(pool, line, attempt->parts.port_said) &&
           wshub_ws__put_z(pool, line,
                           "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ") &&
           wshub_ws__put(pool, line, key, 24) && wshub_ws__put_z(pool, line, "\r\n") &&
           (!attempt->protocols || (wshub_ws__put_z(pool, line, "Sec-WebSocket-Protocol: ") &&
                                    wshub_ws__put_z(pool, line, attempt->protocols) &&
                                    wshub_ws__put_z(pool, line, "\r\n"))) &&
           (!attempt->deflate ||
            wshub_ws__put_z(pool, line,
                            attempt->forgets
                                ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                  "server_no_context_takeover; client_max_window_bits\r\n"
                                : "Sec-WebSocket-Extensions: permessage-deflate; "
                                  "client_max_window_bits\r\n")) &&
           (!attempt->headers || wshub_ws__put_z(pool, line, attempt->headers)) &&
           wshub_ws__put_z(pool, line, "\r\n");
}

/* Is a proxy between, that passes on what it cannot read? Of a line in the clear it takes the
 * requests themselves. */
static bool wshub_ws__tunnels(const wshub_ws__line *line) {
    return line->attempt->proxy_host[0] && (!line->http || line->attempt->parts.secure);
}

/* A line of HTTP has its stream, to the server or to a proxy: what it was asked meanwhile goes
 * out. */
static void wshub_ws__http_ready(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__http *http = line->http;

    wshub_ws__attempt_free(pool, line, false);
    if (!http->asked && http->keep_ms != WSHUB_OFF)
        http->deadline_ms = wshub_ws_now_ms(pool) + http->keep_ms;
    line->why = WSHUB_WS_END_LOST;
    wshub_ws__to(pool, line, WSHUB_WS__HTTP);
    if (http->request.len && !wshub_ws__bytes_add(pool, &line->out, http->request.ptr,
                                                  http->request.len, SIZE_MAX / 2)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return;
    }
    wshub_ws__bytes_free(pool, &http->request);
    wshub_ws__touch(pool, line);
}

/* The stream is there, or the proxy has let us through, and TLS has begun: the request goes out. */
static void wshub_ws__request(wshub_ws_pool *pool, wshub_ws__line *line, bool to_proxy) {
    uint8_t nonce[16];
    char key[24];
    wshub_str text;

    if (line->http && !to_proxy) {
        wshub_ws__http_ready(pool, line);
        return;
    }
    wshub_ws__to(pool, line, to_proxy ? WSHUB_WS__PROXY : WSHUB_WS__UPGRADING);
    if (!to_proxy) {
        if (!wshub_ws_random(pool, nonce, sizeof nonce)) {
            wshub_ws__fail(pool, line, WSHUB_WS_END_RANDOM, NULL);
            return;
        }
        (void)wshub_base64(nonce, sizeof nonce, key);
        text.ptr = key;
        text.len = sizeof key;
        wshub_accept_key(text, line->attempt->accept);
    }
    if (to_proxy ? !wshub_ws__put_connect(pool, line) : !wshub_ws__put_upgrade(pool, line, key)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return;
    }
    wshub_ws__touch(pool, line);
}

/* ---- redirects ---- */

/* Drops the lines of the caller's fields that are for the origin alone. They do not come back where
 * a later redirect leads to that origin again: by then it is somebody else who says so. */
static void wshub_ws__strip(wshub_ws__attempt *attempt) {
    static const char *const secret[] = {"authorization:", "cookie:", "proxy-authorization:"};
    char *from = attempt->headers, *to = from;
    size_t i;

    while (from && *from) {
        wshub_str text = wshub_str_z(from);
        bool drop = false;
        text.len = (size_t)(strstr(from, "\r\n") - from) + 2;
        for (i = 0; i < sizeof secret / sizeof *secret; i++)
            drop = drop || wshub_ws__starts(text, secret[i]);
        if (!drop) {
            memmove(to, from, text.len);
            to += text.len;
        }
        from += text.len;
    }
    if (to) *to = 0;
}

/* Writes where a Location leads, as a URL of a WebSocket. False: to another
 * scheme, or it does not fit. */
static bool wshub_ws__absolute(const wshub_ws__attempt *attempt, wshub_str to,
                               char buf[WSHUB_WS__URL_MAX + 1]) {
    static const struct {
        const char *from, *to;
    } schemes[] = {{"https:", "wss:"}, {"http:", "ws:"}, {"wss:", "wss:"}, {"ws:", "ws:"}};
    const char *hash = to.len ? (const char *)memchr(to.ptr, '#', to.len) : NULL;
    const char *front = attempt->parts.secure ? "wss:" : "ws:", *target = attempt->parts.target.ptr;
    size_t i, base = 0;
    int len;

    if (hash) to.len = (size_t)(hash - to.ptr);
    for (i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!wshub_ws__starts(to, schemes[i].from)) continue;
        to = wshub_ws__behind(to, strlen(schemes[i].from));
        len = snprintf(buf, WSHUB_WS__URL_MAX + 1, "%s%.*s", schemes[i].to, (int)to.len, to.ptr);
        return len <= WSHUB_WS__URL_MAX;
    }
    for (i = 0; i < to.len && to.ptr[i] != '/' && to.ptr[i] != '?'; i++) {
        if (to.ptr[i] == ':') return false; /* another scheme (RFC 3986 4.1) */
    }
    if (!wshub_ws__starts(to, "//")) {
        base = (size_t)(target - attempt->url);
        front = attempt->url;
        for (i = 0; to.len && to.ptr[0] != '/' && i < attempt->parts.target.len; i++) {
            if (target[i] == '?') break;
            if (target[i] == '/') base = (size_t)(target - attempt->url) + i + 1;
        }
    } else {
        base = strlen(front);
    }
    len = snprintf(buf, WSHUB_WS__URL_MAX + 1, "%.*s%s%.*s", (int)base, front,
                   front == attempt->url && to.len && to.ptr[0] != '/' &&
                           base == (size_t)(target - attempt->url)
                       ? "/"
                       : "",
                   (int)to.len, to.ptr);
    return len <= WSHUB_WS__URL_MAX;
}

/* Do two URLs lead to one origin (RFC 6454 4)? Letter case is nothing in a name, and a port that is
 * not said is the scheme's. */
static bool wshub_ws__same_origin(const wshub_ws_url *a, const wshub_ws_url *b) {
    size_t i = 0;

    while (i < a->host.len && i < b->host.len &&
           wshub_ws__lower(a->host.ptr[i]) == wshub_ws__lower(b->host.ptr[i]))
        i++;
    return i == a->host.len && i == b->host.len && a->port == b->port && a->secure == b->secure;
}

/* Follows a redirect: the stream is closed, and all begins anew under the same deadline. NULL:
 * done, or failed out of memory; else why not. */
static const char *wshub_ws__redirect(wshub_ws_pool *pool, wshub_ws__line *line,
                                      const wshub_ws__answer *answer) {
    wshub_ws__attempt *attempt = line->attempt;
    char text[WSHUB_WS__URL_MAX + 1], *url;
    wshub_ws_url parts;
    wshub_conn conn;

    if (!attempt->redirects_left) return "redirected too often";
    if (!answer->location.len || !wshub_ws__absolute(attempt, answer->location, text) ||
        !wshub_ws_url_read(wshub_str_z(text), &parts))
        return "redirected to what is no URL of a WebSocket";
    if (attempt->parts.secure && !parts.secure) return "redirected from wss to ws";
    if (parts.secure && attempt->proxy_host[0] && !pool->io.secure)
        return "redirected to wss behind a proxy, where this io cannot begin TLS";
    if (!wshub_ws__same_origin(&parts, &attempt->parts)) wshub_ws__strip(attempt);

    url = wshub_ws__text(pool, text, strlen(text));
    if (!url) {
        line->code = 0;
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return NULL;
    }
    wshub_ws__text_free(pool, &attempt->url);
    attempt->url = url;
    (void)wshub_ws_url_read(wshub_str_z(url), &attempt->parts);
    attempt->redirects_left--;
    attempt->addresses_count = attempt->tried = 0;
    attempt->question = 0;
    wshub_ws__bytes_free(pool, &line->in);
    line->moves = true;
    conn.id = line->conn;
    pool->io.close(pool->io.ctx, conn, false);
    return NULL;
}

/* The stream of a redirect is closed, and the io has none of our bytes any more: all begins anew,
 * as if nothing had been answered. */
static void wshub_ws__moved(wshub_ws_pool *pool, wshub_ws__line *line) {
    line->moves = line->blocked = false;
    line->code = 0;
    line->attempt->heads = 0;
    wshub_ws__bytes_free(pool, &line->out);
    wshub_ws__bytes_free(pool, &line->flying);
    line->out_at = line->flown = 0;
    wshub_ws__to(pool, line, WSHUB_WS__STARTING);
}

/* ---- the answer ---- */

/* Keeps what the answer says of permessage-deflate. False: out of memory. */
static bool wshub_ws__agree(wshub_ws_pool *pool, wshub_ws__line *line,
                            const wshub_ws__answer *answer) {
    line->agreed = (wshub_ws__agreed *)wshub_ws_alloc(pool, NULL, 0, sizeof *line->agreed);
    if (!line->agreed) return false;
    *line->agreed = answer->deflate;
    line->agreed->slides = answer->deflate.slides && line->attempt->slides;
    line->agreed->deflate_min = line->attempt->deflate_min;
    return true;
}

/* The 101 is valid: what it came with is read as frames, behind opened(). rest: ours. */
static void wshub_ws__upgraded(wshub_ws_pool *pool, wshub_ws__line *line,
                               const wshub_ws__answer *answer, uint8_t *rest, size_t count) {
    wshub_ws_about about;
    wshub_about known;
    wshub_conn conn;
    uint64_t id = line->id;

    if (answer->extensions && !wshub_ws__agree(pool, line, answer)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return;
    }
    conn.id = line->conn;
    memset(&about, 0, sizeof about);
    memset(&known, 0, sizeof known);
    about.deflate = line->agreed != NULL;
    if (answer->protocols) about.protocol = answer->protocol;
    if (pool->io.about && pool->io.about(pool->io.ctx, conn, &known)) about.address = known.peer;
    about.conn = conn;

    wshub_ws__attempt_free(pool, line, false);
    line->opened = true;
    line->frame = 0xFF;
    line->code = 1006;
    line->why = WSHUB_WS_END_LOST;
    line->heard_ms = wshub_ws_now_ms(pool);
    wshub_ws__to(pool, line, WSHUB_WS__OPEN);
    if (line->events->opened)
        line->events->opened(pool, wshub_ws__handle(line), &about, line->user);
    if (count && wshub_ws__listens(pool, id)) wshub_ws__feed(pool, line, rest, count);
}

/* Whom TLS is with: the server, and never the proxy. name: the dial's, as long as that is used. */
static void wshub_ws__dial_fill(const wshub_ws__attempt *attempt, char name[WSHUB_WS__HOST_MAX + 1],
                                wshub_dial *out_dial) {
    memset(out_dial, 0, sizeof *out_dial);
    memcpy(name, attempt->parts.host.ptr, attempt->parts.host.len);
    name[attempt->parts.host.len] = 0;
    out_dial->secure = attempt->parts.secure;
    out_dial->server_name = name;
    out_dial->verify = attempt->verify;
}

/* The proxy says no. */
static void wshub_ws__proxy_refused(wshub_ws_pool *pool, wshub_ws__line *line,
                                    const wshub_ws__answer *answer) {
    char text[WSHUB_WS__TEXT_MAX];

    line->code = (uint16_t)answer->status;
    if (answer->authenticate.len)
        (void)snprintf(text, sizeof text, "the proxy answers %d and asks for %.*s", answer->status,
                       (int)(answer->authenticate.len > 60 ? 60 : answer->authenticate.len),
                       answer->authenticate.ptr);
    else
        (void)snprintf(text, sizeof text, "the proxy answers %d", answer->status);
    wshub_ws__fail(pool, line, WSHUB_WS_END_PROXY, text);
}

/* TLS with the server begins behind the proxy's answer, `head` bytes in `in`: what lies behind them
 * came in the same read, and is TLS's. */
static void wshub_ws__secure(wshub_ws_pool *pool, wshub_ws__line *line, size_t head) {
    char name[WSHUB_WS__HOST_MAX + 1];
    const char *said;
    wshub_dial dial;
    wshub_conn conn;
    wshub_err err;

    if (line->out.len > line->out_at) { /* it would leave encrypted */
        wshub_ws__fail(pool, line, WSHUB_WS_END_PROXY,
                       "the proxy answers before it has been asked");
        return;
    }
    wshub_ws__dial_fill(line->attempt, name, &dial);
    conn.id = line->conn;
    err = pool->io.secure(pool->io.ctx, conn, &dial, line->in.ptr + head, line->in.len - head);
    if (err == WSHUB_ERR_NOMEM) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return;
    }
    if (err) { /* of another one error() says nothing, or what failed before */
        said = err == WSHUB_ERR_IO && pool->io.error ? pool->io.error(pool->io.ctx) : "";
        wshub_ws__fail(pool, line, WSHUB_WS_END_TLS, *said ? said : wshub_strerror(err));
        return;
    }
    line->attempt->heads += (uint32_t)head;
    wshub_ws__bytes_free(pool, &line->in);
    wshub_ws__to(pool, line, WSHUB_WS__SECURING);
}

/* The proxy's answer is whole. */
static void wshub_ws__proxied(wshub_ws_pool *pool, wshub_ws__line *line,
                              const wshub_ws__answer *answer, size_t head) {
    if (answer->status < 200 || answer->status >= 300)
        wshub_ws__proxy_refused(pool, line, answer);
    else if (line->attempt->parts.secure)
        wshub_ws__secure(pool, line, head);
    else
        wshub_ws__request(pool, line, false);
}

/* The server's answer is whole, and no 101. */
static void wshub_ws__refused(wshub_ws_pool *pool, wshub_ws__line *line,
                              const wshub_ws__answer *answer) {
    char text[WSHUB_WS__TEXT_MAX];
    const char *problem;
    int s = answer->status;

    line->code = (uint16_t)s;
    if (line->attempt->redirects && (s == 301 || s == 302 || s == 303 || s == 307 || s == 308)) {
        problem = wshub_ws__redirect(pool, line, answer);
        if (problem) wshub_ws__fail(pool, line, WSHUB_WS_END_REDIRECT, problem);
        return;
    }
    (void)snprintf(text, sizeof text, "the server answers %d", s);
    wshub_ws__fail(pool, line, WSHUB_WS_END_STATUS, text);
}

/* A whole head lies in `in`, `head` bytes of it. */
static void wshub_ws__answered(wshub_ws_pool *pool, wshub_ws__line *line, size_t head) {
    wshub_ws__answer answer;
    wshub_ws__bytes in;
    wshub_str text;
    const char *problem;
    bool proxy = line->state == WSHUB_WS__PROXY;

    text.ptr = (const char *)line->in.ptr;
    text.len = head;
    problem = wshub_ws__head(text, &answer);
    if (!problem && answer.status == 101 && !proxy)
        problem = wshub_ws__answer_problem(line->attempt, &answer);
    if (problem) {
        wshub_ws__fail(pool, line, proxy ? WSHUB_WS_END_PROXY : WSHUB_WS_END_HANDSHAKE, problem);
        return;
    }
    in = line->in; /* views lie in it */
    if (answer.status != 101 || proxy) {
        bool more = proxy || answer.status < 200; /* another answer may lie behind */
        if (answer.status >= 200 && proxy) wshub_ws__proxied(pool, line, &answer, head);
        if (answer.status >= 200 && !proxy) wshub_ws__refused(pool, line, &answer);
        if (proxy && answer.status == 101) wshub_ws__proxied(pool, line, &answer, head);
        if (!more || line->in.ptr != in.ptr) return;
        if (line->attempt) line->attempt->heads += (uint32_t)head;
        line->in.len -= (uint32_t)head;
        memmove(line->in.ptr, line->in.ptr + head, line->in.len);
        return;
    }
    memset(&line->in, 0, sizeof line->in);
    wshub_ws__upgraded(pool, line, &answer, in.ptr + head, in.len - head);
    wshub_ws__bytes_free(pool, &in);
}

/* Is the end of the head there? Looks at what is new, from `from` on. Returns its length; 0: not
 * yet; SIZE_MAX: it can become none. */
static size_t wshub_ws__head_end(const wshub_ws__bytes *in, size_t from) {
    static const char front[] = "HTTP/1.";
    size_t i;

    for (i = 0; i < in->len && i < sizeof front - 1; i++) {
        if (in->ptr[i] != (uint8_t)front[i]) return SIZE_MAX;
    }
    for (i = from; i < in->len; i++) {
        if (in->ptr[i] != '\n') continue;
        if (!i || in->ptr[i - 1] != '\r') return SIZE_MAX;
        if (i >= 3 && in->ptr[i - 2] == '\n' && in->ptr[i - 3] == '\r') return i + 1;
    }
    return 0;
}

/* Bytes of an answer's head. What lies behind it is kept with it, as one read has both. */
static void wshub_ws__read_answer(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                                  size_t count) {
    uint64_t id = line->id;
    size_t from = line->in.len, head;

    if (!wshub_ws__bytes_add(pool, &line->in, bytes, count, SIZE_MAX / 2)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return;
    }
    do {
        wshub_ws_why why =
            line->state == WSHUB_WS__PROXY ? WSHUB_WS_END_PROXY : WSHUB_WS_END_HANDSHAKE;
        head = wshub_ws__head_end(&line->in, from);
        if (head == SIZE_MAX) {
            wshub_ws__fail(pool, line, why, "what answers does not speak HTTP/1.1");
            return;
        }
        if ((head ? head : line->in.len) + line->attempt->heads > WSHUB_WS_HEAD_BYTES_MAX) {
            wshub_ws__fail(pool, line, why, "the head of the answer is too long");
            return;
        }
        if (head) wshub_ws__answered(pool, line, head);
        from = 0;
        line = wshub_ws__get(pool, id);
    } while (head && line &&
             (line->state == WSHUB_WS__PROXY || line->state == WSHUB_WS__UPGRADING) &&
             line->in.len);
}

/* ---- answers to requests (RFC 9112 6) ----
 * An answer is read as it comes, its body gathered up to the limit. Whatever cannot be one ends the
 * line: behind it nobody could say where the next begins. */

static void wshub_ws__http_bad(wshub_ws_pool *pool, wshub_ws__line *line, const char *text) {
    wshub_ws__fail(pool, line, WSHUB_WS_END_ANSWER, text);
}

/* How long the stream may be idle: as long as we want, or as the server says (`timeout=5`). */
static void wshub_ws__http_keep(wshub_ws__line *line, wshub_str keep) {
    static const char word[] = "timeout=";
    uint64_t seconds = 0, most = line->idle_ms;
    size_t i;

    line->http->keep_ms = line->idle_ms;
    for (i = 0; i + sizeof word <= keep.len + 1; i++) {
        if (wshub_ws__starts(wshub_ws__behind(keep, i), word)) break;
    }
    if (i + sizeof word > keep.len + 1) return;
    for (i += sizeof word - 1; i < keep.len && keep.ptr[i] >= '0' && keep.ptr[i] <= '9'; i++) {
        if (seconds < 1000000) seconds = seconds * 10 + (uint64_t)(keep.ptr[i] - '0');
    }
    seconds = seconds * 1000 > WSHUB_WS__KEEP_MS ? seconds * 1000 - WSHUB_WS__KEEP_MS : 0;
    if (seconds < most) line->http->keep_ms = (uint32_t)seconds; /* most fits, WSHUB_OFF too */
}

/* An answer is whole: it is told, and the line is free for the next request, or over. */
static void wshub_ws__http_done(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__http *http = line->http;
    wshub_ws__bytes body = http->body, head = line->in;
    wshub_ws_answer answer;
    uint64_t id = line->id;
    uint8_t none = 0;

    WSHUB_ASSERT(http->asked);
    if (wshub_ws__waits(line)) http->last = true; /* of the request: it is not wanted any more */
    memset(&answer, 0, sizeof answer);
    answer.status = http->status;
    answer.body = body.len ? body.ptr : &none;
    answer.body_bytes = body.len;
    answer.type = http->type;
    answer.head.ptr = (const char *)head.ptr;
    answer.head.len = head.len;
    answer.last = http->last;

    /* The callback may ask again, or end the line. */
    memset(&http->body, 0, sizeof http->body);
    memset(&line->in, 0, sizeof line->in);
    http->part = WSHUB_WS__PART_HEAD;
    http->asked = false;
    http->reused = true;
    http->done = true;
    http->deadline_ms =
        http->keep_ms == WSHUB_OFF ? WSHUB_NEVER : wshub_ws_now_ms(pool) + http->keep_ms;
    http->heads = 0;
    wshub_ws__rearm(pool, line);
    if (http->events->answered)
        http->events->answered(pool, wshub_ws__handle(line), &answer, line->user);
    wshub_ws__bytes_free(pool, &body);
    wshub_ws__bytes_free(pool, &head);
    line = wshub_ws__get(pool, id);
    if (line && line->http->last) wshub_ws__fail(pool, line, WSHUB_WS_END_LOST, NULL);
}

/* Reads a length of decimal digits. False: it is none. */
static bool wshub_ws__length(wshub_str text, uint64_t *out_length) {
    uint64_t length = 0;
    size_t i;

    if (!text.len || text.len > 18) return false;
    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        length = length * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out_length = length;
    return true;
}

/* How the body is framed: what is read next, and how much of it. NULL: done; else what is wrong. */
static const char *wshub_ws__framing(wshub_ws__line *line, const wshub_ws__answer *answer) {
    wshub_ws__http *http = line->http;

    http->left = 0;
    http->part = WSHUB_WS__PART_BODY;
    if (answer->status == 204 || answer->status == 304) return NULL;
    if (answer->codings) {
        /* Where both are said, two readers would read two bodies. */
        if (answer->lengths) return "an answer with Transfer-Encoding and Content-Length";
        if (answer->old || answer->codings > 1 || !wshub_ws__same(answer->coding, "chunked"))
            return "an answer with a Transfer-Encoding other than chunked";
        http->part = WSHUB_WS__PART_SIZE;
        return NULL;
    }
    if (!answer->lengths) {
        http->part = WSHUB_WS__PART_REST;
        http->last = true;
        return NULL;
    }
    if (answer->lengths > 1 || !wshub_ws__length(answer->length, &http->left))
        return "an answer with a Content-Length that is none, or with two";
    return http->left > line->message_max ? "an answer over message_bytes_max" : NULL;
}

/* A head is whole: `head` bytes in `in`. */
static void wshub_ws__http_head(wshub_ws_pool *pool, wshub_ws__line *line, size_t head) {
    wshub_ws__http *http = line->http;
    wshub_ws__answer answer;
    wshub_str text;
    const char *problem;

    text.ptr = (const char *)line->in.ptr;
    text.len = head;
    problem = wshub_ws__head(text, &answer);
    if (!problem && answer.status == 101) problem = "a 101 that nobody has asked for";
    if (!problem && answer.status == 407 && http->base.len) {
        wshub_ws__proxy_refused(pool, line, &answer);
        return;
    }
    if (!problem && answer.status < 200) { /* a note: the answer follows */
        http->heads += (uint32_t)head;
        line->in.len = 0;
        return;
    }
    if (!problem) {
        http->status = (uint16_t)answer.status;
        http->type = answer.type;
        http->last = answer.old || answer.ends;
        wshub_ws__http_keep(line, answer.keep);
        problem = wshub_ws__framing(line, &answer);
    }
    if (problem)
        wshub_ws__http_bad(pool, line, problem);
    else if (http->part == WSHUB_WS__PART_BODY && !http->left)
        wshub_ws__http_done(pool, line);
}

/* Bytes of a head. Returns how many were its; 0: the line has ended. */
static size_t wshub_ws__http_read_head(wshub_ws_pool *pool, wshub_ws__line *line,
                                       const uint8_t *bytes, size_t count) {
    size_t had = line->in.len, room = WSHUB_WS_HEAD_BYTES_MAX + 1 - line->http->heads - had, head;

    WSHUB_ASSERT(line->http->heads + had <= WSHUB_WS_HEAD_BYTES_MAX);
    if (count > room) count = room;
    if (!wshub_ws__bytes_add(pool, &line->in, bytes, count, SIZE_MAX / 2)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return 0;
    }
    head = wshub_ws__head_end(&line->in, had);
    if (head == SIZE_MAX) {
        wshub_ws__http_bad(pool, line, "what answers does not speak HTTP/1.1");
        return 0;
    }
    if ((head ? head : line->in.len) + line->http->heads > WSHUB_WS_HEAD_BYTES_MAX) {
        wshub_ws__http_bad(pool, line, "the head of the answer is too long");
        return 0;
    }
    if (!head) return count;
    line->in.len = (uint32_t)head;
    wshub_ws__http_head(pool, line, head);
    return head - had;
}

/* Bytes of a body, `left` of them, or all. Returns how many were its; 0: the line has ended. */
static size_t wshub_ws__http_read_body(wshub_ws_pool *pool, wshub_ws__line *line,
                                       const uint8_t *bytes, size_t count) {
    wshub_ws__http *http = line->http;

    if (http->part != WSHUB_WS__PART_REST && count > http->left) count = (size_t)http->left;
    if (http->body.len + count > line->message_max) {
        wshub_ws__http_bad(pool, line, "an answer over message_bytes_max");
        return 0;
    }
    if (!wshub_ws__bytes_add(pool, &http->body, bytes, count, line->message_max)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return 0;
    }
    if (http->part == WSHUB_WS__PART_REST) return count;
    http->left -= count;
    if (http->left) return count;
    if (http->part == WSHUB_WS__PART_CHUNK)
        http->part = WSHUB_WS__PART_CHUNK_END;
    else
        wshub_ws__http_done(pool, line);
    return count;
}

/* The size in front of a chunk: hexadecimal digits, and behind them perhaps extensions, which say
 * nothing to us. False: it is none, or beyond what may come. */
static bool wshub_ws__chunk_size(wshub_str line, uint64_t *out_size) {
    static const char digits[] = "0123456789abcdef";
    uint64_t size = 0;
    size_t i;

    for (i = 0; i < line.len && i < 9; i++) {
        char c = wshub_ws__lower(line.ptr[i]);
        const char *at = c ? strchr(digits, c) : NULL;
        if (!at) break;
        size = size * 16 + (uint64_t)(at - digits);
    }
    if (!i || i == 9) return false;
    *out_size = size;
    line = wshub_ws__trim(wshub_ws__behind(line, i));
    return !line.len || line.ptr[0] == ';';
}

/* A line between chunks is whole, without its CRLF. */
static void wshub_ws__http_chunk_line(wshub_ws_pool *pool, wshub_ws__line *line, wshub_str text) {
    wshub_ws__http *http = line->http;
    wshub_ws__answer ignored;

    memset(&ignored, 0, sizeof ignored);
    if (http->part == WSHUB_WS__PART_CHUNK_END) {
        http->part = WSHUB_WS__PART_SIZE;
        if (text.len) wshub_ws__http_bad(pool, line, "a chunk that does not end where it says");
    } else if (http->part == WSHUB_WS__PART_SIZE) {
        if (!wshub_ws__chunk_size(text, &http->left))
            wshub_ws__http_bad(pool, line, "a chunk without its size");
        http->part = http->left ? WSHUB_WS__PART_CHUNK : WSHUB_WS__PART_TRAILER;
    } else if (!text.len) {
        http->trailers = 0;
        wshub_ws__http_done(pool, line);
    } else if (!wshub_ws__field_line(text, &ignored)) {
        wshub_ws__http_bad(pool, line, "a malformed field behind the chunks");
    }
}

/* How long a line between chunks may be. */
static size_t wshub_ws__http_line_max(const wshub_ws__http *http) {
    if (http->part == WSHUB_WS__PART_CHUNK_END) return 2;
    if (http->part == WSHUB_WS__PART_SIZE) return WSHUB_WS__CHUNK_MAX;
    return WSHUB_WS_HEAD_BYTES_MAX - http->trailers;
}

/* Bytes of a line between chunks. Returns how many were its; 0: the line of HTTP has ended. */
static size_t wshub_ws__http_read_line(wshub_ws_pool *pool, wshub_ws__line *line,
                                       const uint8_t *bytes, size_t count) {
    wshub_ws__http *http = line->http;
    const uint8_t *end = (const uint8_t *)memchr(bytes, '\n', count);
    size_t take = end ? (size_t)(end - bytes) + 1 : count, len;
    wshub_ws__bytes whole;
    wshub_str text;

    if (http->text.len + take > wshub_ws__http_line_max(http)) {
        wshub_ws__http_bad(pool, line, "a line between chunks that is too long");
        return 0;
    }
    if (!wshub_ws__bytes_add(pool, &http->text, bytes, take, SIZE_MAX / 2)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_MEMORY, NULL);
        return 0;
    }
    if (!end) return take;

    whole = http->text;
    len = whole.len;
    memset(&http->text, 0, sizeof http->text);
    if (http->part == WSHUB_WS__PART_TRAILER) http->trailers += (uint32_t)len;
    text.ptr = (const char *)whole.ptr;
    text.len = len >= 2 ? len - 2 : 0;
    if (len < 2 || whole.ptr[len - 2] != '\r')
        wshub_ws__http_bad(pool, line, "a line between chunks that does not end in CRLF");
    else
        wshub_ws__http_chunk_line(pool, line, text);
    wshub_ws__bytes_free(pool, &whole);
    return take;
}

/* Bytes of answers. */
static void wshub_ws__http_read(wshub_ws_pool *pool, wshub_ws__line *line, const uint8_t *bytes,
                                size_t count) {
    uint64_t id = line->id;
    size_t took = 0;

    line->http->done = false;
    while (count) {
        /* What was asked inside answered() has not left yet. */
        if (!line->http->asked || line->http->done) {
            wshub_ws__http_bad(pool, line, "an answer to what was not asked");
            return;
        }
        switch ((wshub_ws__part)line->http->part) {
        case WSHUB_WS__PART_HEAD: took = wshub_ws__http_read_head(pool, line, bytes, count); break;
        case WSHUB_WS__PART_BODY:
        case WSHUB_WS__PART_REST:
        case WSHUB_WS__PART_CHUNK: took = wshub_ws__http_read_body(pool, line, bytes, count); break;
        case WSHUB_WS__PART_SIZE:
        case WSHUB_WS__PART_CHUNK_END:
        case WSHUB_WS__PART_TRAILER:
            took = wshub_ws__http_read_line(pool, line, bytes, count);
            break;
        }
        bytes += took;
        count -= took;
        line = wshub_ws__get(pool, id);
        if (!line || line->state != WSHUB_WS__HTTP) return;
    }
}

/* The server sends no more: that may be how a body ends. */
static void wshub_ws__http_ended(wshub_ws_pool *pool, wshub_ws__line *line) {
    if (line->http->asked && line->http->part == WSHUB_WS__PART_REST)
        wshub_ws__http_done(pool, line); /* the last one */
    else
        wshub_ws__fail(pool, line, line->http->asked ? WSHUB_WS_END_EARLY : WSHUB_WS_END_LOST,
                       NULL);
}

/* ---- dialling ---- */

static void wshub_ws__dial_on(wshub_ws_pool *pool, wshub_ws__line *line);

/* Dials an address. False: the io would not, and line->text says why. */
static bool wshub_ws__dial(wshub_ws_pool *pool, wshub_ws__line *line, const char *address,
                           uint64_t *out_conn) {
    char name[WSHUB_WS__HOST_MAX + 1];
    wshub_dial dial;
    wshub_conn conn;
    wshub_err err;

    wshub_ws__dial_fill(line->attempt, name, &dial);
    dial.address = address;
    if (line->attempt->proxy_host[0])
        dial.secure = false; /* it is not the proxy that TLS is with */
    conn.id = 0;
    err = pool->io.connect(pool->io.ctx, pool, &dial, &conn);
    if (!err && !wshub_ws__map(pool, conn.id, line)) {
        pool->io.close(pool->io.ctx, conn, false);
        err = WSHUB_ERR_NOMEM;
    }
    if (err) {
        wshub_ws__text_free(pool, &line->text);
        wshub_ws__say(pool, line,
                      err == WSHUB_ERR_NOMEM || !pool->io.error ? wshub_strerror(err)
                                                                : pool->io.error(pool->io.ctx));
        return false;
    }
    *out_conn = conn.id;
    return true;
}

/* No address has taken it, or TLS behind the proxy has failed. What the io has said last tells
 * more. */
static void wshub_ws__unreached(wshub_ws_pool *pool, wshub_ws__line *line) {
    /* of WSHUB_TLS_FAILURES (wshub_io_tls.h): EXPIRED, NAME, UNTRUSTED */
    static const char *const refused[] = {"a certificate is not valid", "certificate is not for",
                                          "certificate leads to nobody"};
    size_t i;
    bool securing = line->state == WSHUB_WS__SECURING;
    bool secure = securing || (line->attempt->parts.secure && !line->attempt->proxy_host[0]);
    const char *said = pool->io.error ? pool->io.error(pool->io.ctx) : "";
    wshub_ws_why why = WSHUB_WS_END_CONNECT;

    if (securing || (secure && strstr(said, "TLS"))) why = WSHUB_WS_END_TLS;
    for (i = 0; secure && i < sizeof refused / sizeof *refused; i++) {
        if (strstr(said, refused[i])) why = WSHUB_WS_END_CERTIFICATE;
    }
    wshub_ws__fail(pool, line, why, *said ? said : NULL);
}

/* Tries the next address, and the ones behind it where the io refuses at once. */
static void wshub_ws__dial_on(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__attempt *attempt = line->attempt;
    char text[WSHUB_ADDRESS_BYTES];
    uint32_t i;

    WSHUB_ASSERT(attempt); /* there are addresses to dial */
    while (attempt->tried < attempt->addresses_count) {
        wshub_address *address = &attempt->addresses[attempt->tried];
        uint64_t *conn = &attempt->racing[attempt->tried++];
        *conn = 0;
        address->port = attempt->proxy_host[0] ? attempt->proxy_port : attempt->parts.port;
        (void)wshub_address_write(address, text);
        if (!wshub_ws__dial(pool, line, text, conn)) continue;
        attempt->next_ms = wshub_ws_now_ms(pool) + attempt->delay_ms;
        wshub_ws__rearm(pool, line);
        return;
    }
    wshub_ws__rearm(pool, line);
    for (i = 0; i < attempt->tried; i++) {
        if (attempt->racing[i]) return;
    }
    wshub_ws__unreached(pool, line);
}

/* The addresses are known. */
static void wshub_ws__race(wshub_ws_pool *pool, wshub_ws__line *line) {
    line->attempt->next_ms = wshub_ws_now_ms(pool);
    wshub_ws__to(pool, line, WSHUB_WS__DIALLING);
    wshub_ws__dial_on(pool, line);
}

/* A name that the io resolves: it tries all addresses, as one stream. */
static void wshub_ws__dial_name(wshub_ws_pool *pool, wshub_ws__line *line, const char *host) {
    wshub_ws__attempt *attempt = line->attempt;
    char address[WSHUB_WS__HOST_MAX + 8];

    (void)snprintf(address, sizeof address, "%s:%u", host,
                   (unsigned)(attempt->proxy_host[0] ? attempt->proxy_port : attempt->parts.port));
    wshub_ws__to(pool, line, WSHUB_WS__DIALLING);
    attempt->addresses_count = attempt->tried = 1;
    attempt->racing[0] = 0;
    if (!wshub_ws__dial(pool, line, address, &attempt->racing[0]))
        wshub_ws__unreached(pool, line);
    else
        wshub_ws__rearm(pool, line);
}

/* Begins: with an address, the resolver, or the io's. */
static void wshub_ws__start(wshub_ws_pool *pool, wshub_ws__line *line) {
    wshub_ws__attempt *attempt = line->attempt;
    char host[WSHUB_WS__HOST_MAX + 1];
    wshub_ask question;

    WSHUB_ASSERT(attempt);
    if (attempt->proxy_host[0] && attempt->parts.secure && !pool->io.secure) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_TLS,
                       "proxy: this io cannot begin TLS behind one (wshub_io.secure)");
        return;
    }
    memset(host, 0, sizeof host);
    if (attempt->proxy_host[0])
        memcpy(host, attempt->proxy_host, sizeof host);
    else
        memcpy(host, attempt->parts.host.ptr, attempt->parts.host.len);

    if (wshub_address_read(wshub_str_z(host), &attempt->addresses[0])) {
        attempt->addresses_count = 1;
        wshub_ws__race(pool, line);
        return;
    }
    if (!pool->desc.resolve) {
        wshub_ws__dial_name(pool, line, host);
        return;
    }
    wshub_ws__to(pool, line, WSHUB_WS__RESOLVING);
    attempt->question = ++pool->questions << 32 | (uint32_t)line->id;
    question.id = attempt->question;
    pool->desc.resolve(pool, question, host, pool->desc.user);
}

WSHUB_API wshub_err wshub_ws_resolved(wshub_ws_pool *pool, wshub_ask question,
                                      const wshub_address *addresses, size_t count) {
    uint32_t index = (uint32_t)question.id;
    wshub_ws__line *line;
    size_t i;

    if (!question.id || index >= pool->lines_count) return WSHUB_ERR_STALE;
    line = wshub_ws__slot(pool, index);
    if (!line->id || line->state != WSHUB_WS__RESOLVING || line->attempt->question != question.id)
        return WSHUB_ERR_STALE;

    for (i = 0; i < count && line->attempt->addresses_count < WSHUB_WS_ADDRESSES_MAX; i++) {
        if (addresses[i].kind != WSHUB_ADDRESS_V4 && addresses[i].kind != WSHUB_ADDRESS_V6)
            continue;
        line->attempt->addresses[line->attempt->addresses_count++] = addresses[i];
    }
    line->attempt->question = 0;
    if (line->attempt->addresses_count)
        wshub_ws__race(pool, line);
    else
        wshub_ws__fail(pool, line, WSHUB_WS_END_RESOLVE, NULL);
    return WSHUB_OK;
}

/* ---- clocks ---- */

/* An open one: is it silent, does a message not end? */
static void wshub_ws__watch(wshub_ws_pool *pool, wshub_ws__line *line, uint64_t now) {
    uint64_t heard = pool->io.heard_ms ? pool->io.heard_ms(pool->io.ctx) : now;

    if (line->opcode && !line->paused && line->message_timeout_ms != WSHUB_OFF &&
        heard >= line->message_ms + line->message_timeout_ms) {
        wshub_ws__broken(pool, line, 1008, "a message that does not end");
        return;
    }
    if (line->idle_ms == WSHUB_OFF || line->paused) return;
    if (line->pinged && heard >= line->heard_ms + line->idle_ms - line->idle_ms / 2) {
        if (line->state == WSHUB_WS__OPEN) line->code = 1006;
        wshub_ws__fail(pool, line, (wshub_ws_why)line->why, "the peer is silent");
        return;
    }
    if (line->pinged || now < line->heard_ms + line->idle_ms / 2) return;
    line->pinged = true; /* a jump of the clock is silence only after a try */
    line->heard_ms = now;
    if (line->state != WSHUB_WS__OPEN || !wshub_ws_random(pool, line->own_ping, 4)) return;
    (void)wshub_ws__frame(pool, line, WSHUB_WS__PING, line->own_ping, sizeof line->own_ping);
}

/* The one timer of a WebSocket. */
static void wshub_ws__on_timer(void *ctx) {
    wshub_ws__line *line = (wshub_ws__line *)ctx;
    wshub_ws_pool *pool = line->pool;
    uint64_t now = wshub_ws_now_ms(pool);

    if (line->state == WSHUB_WS__FAILED) {
        wshub_ws__tell_end(pool, line);
        return;
    }
    if ((line->attempt && now >= line->attempt->deadline_ms) ||
        (line->http && line->http->asked && now >= line->http->deadline_ms)) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_TIMEOUT, NULL);
    } else if (line->http && line->state == WSHUB_WS__HTTP && now >= line->http->deadline_ms) {
        wshub_ws__fail(pool, line, WSHUB_WS_END_LOST, "nothing was asked for too long");
    } else if (line->state == WSHUB_WS__STARTING) {
        wshub_ws__start(pool, line);
        return; /* it may be gone */
    } else if (line->state == WSHUB_WS__DIALLING) {
        wshub_ws__dial_on(pool, line);
    } else if ((line->state == WSHUB_WS__CLOSING || line->state == WSHUB_WS__ENDING) &&
               now >= line->end_ms) {
        wshub_ws__fail(pool, line, (wshub_ws_why)line->why, NULL);
    } else if (line->state == WSHUB_WS__OPEN || line->state == WSHUB_WS__CLOSING) {
        wshub_ws__watch(pool, line, now);
    }
    if (!line->timer.due_ms) wshub_ws__rearm(pool, line);
    if (line->timer.due_ms && line->timer.due_ms <= now && line->state != WSHUB_WS__FAILED)
        wshub_ws_timer_start(pool, &line->timer, now + 1); /* what has arrived is heard first */
}

/* ---- the io's reports ---- */

static void wshub_ws__leave(wshub_ws_pool *pool);

static void wshub_ws__on_opened(void *ctx, wshub_conn conn) {
    wshub_ws_pool *pool = (wshub_ws_pool *)ctx;
    wshub_ws__line *line = wshub_ws__of_conn(pool, conn);
    uint32_t i;

    pool->depth++;
    if (line && line->state == WSHUB_WS__DIALLING) {
        for (i = 0; i < line->attempt->tried; i++) {
            if (line->attempt->racing[i] != conn.id)
                wshub_ws__let_go(pool, line->attempt->racing[i]);
            line->attempt->racing[i] = 0;
        }
        line->attempt->tried = line->attempt->addresses_count = 0;
        line->conn = conn.id;
        wshub_ws__text_free(pool, &line->text);
        wshub_ws__request(pool, line, wshub_ws__tunnels(line));
    } else if (line && line->state == WSHUB_WS__SECURING && line->conn == conn.id) {
        wshub_ws__request(pool, line, false);
    }
    wshub_ws__leave(pool);
}

/* The peer has given a sign of itself. While reading rests that changes nothing: since when it does
 * is what counts then. */
static void wshub_ws__heard(wshub_ws_pool *pool, wshub_ws__line *line) {
    if (line->paused) return;
    line->heard_ms = wshub_ws_now_ms(pool);
    line->pinged = false;
}

static void wshub_ws__on_received(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count) {
    wshub_ws_pool *pool = (wshub_ws_pool *)ctx;
    wshub_ws__line *line = wshub_ws__of_conn(pool, conn);

    pool->depth++;
    if (line && line->conn == conn.id) {
        wshub_ws__heard(pool, line);
        if (line->state == WSHUB_WS__PROXY || line->state == WSHUB_WS__UPGRADING)
            wshub_ws__read_answer(pool, line, bytes, count);
        else if (line->state == WSHUB_WS__HTTP)
            wshub_ws__http_read(pool, line, bytes, count);
        else if (line->state == WSHUB_WS__OPEN || line->state == WSHUB_WS__CLOSING)
            wshub_ws__feed(pool, line, bytes, count);
    }
    wshub_ws__leave(pool);
}

/* The peer sends no more. */
static void wshub_ws__on_ended(void *ctx, wshub_conn conn) {
    wshub_ws_pool *pool = (wshub_ws_pool *)ctx;
    wshub_ws__line *line = wshub_ws__of_conn(pool, conn);

    pool->depth++;
    if (line && line->conn == conn.id) {
        if (line->attempt)
            wshub_ws__fail(pool, line, WSHUB_WS_END_EARLY, NULL);
        else if (line->state == WSHUB_WS__HTTP)
            wshub_ws__http_ended(pool, line);
        else if (line->state < WSHUB_WS__ENDING)
            wshub_ws__ending(pool, line, true);
        else if (line->state == WSHUB_WS__ENDING) {
            line->flushing = true;
            wshub_ws__touch(pool, line);
        }
    }
    wshub_ws__leave(pool);
}

/* Some of what waits has left: the peer takes, so it is there, though it may be too slow to come to
 * our ping. Of the ping itself that it has left says nothing. */
static void wshub_ws__takes(wshub_ws_pool *pool, wshub_ws__line *line) {
    if (wshub_ws__waits(line) > WSHUB_WS__CONTROL_MAX + 14) wshub_ws__heard(pool, line);
}

static void wshub_ws__on_drained(void *ctx, wshub_conn conn) {
    wshub_ws_pool *pool = (wshub_ws_pool *)ctx;
    wshub_ws__line *line = wshub_ws__of_conn(pool, conn);

    pool->depth++;
    if (line && line->conn == conn.id && line->blocked) {
        line->blocked = false;
        wshub_ws__takes(pool, line);
        line->told_room = true;
        wshub_ws__touch(pool, line);
    }
    wshub_ws__leave(pool);
}

static void wshub_ws__on_sent(void *ctx, wshub_conn conn, size_t count) {
    wshub_ws_pool *pool = (wshub_ws_pool *)ctx;
    wshub_ws__line *line = wshub_ws__of_conn(pool, conn);

    pool->depth++;
    if (line && line->conn == conn.id && line->flying.ptr) {
        wshub_ws__takes(pool, line);
        line->flown += (uint32_t)count;
        if (line->flown >= line->flying.len) {
            wshub_ws__bytes_free(pool, &line->flying);
            line->flown = 0;
            line->told_room = true;
            wshub_ws__touch(pool, line);
        }
    }
    wshub_ws__leave(pool);
}

/* One of several that are dialled has failed. */
static void wshub_ws__lost_race(wshub_ws_pool *pool, wshub_ws__line *line, uint64_t conn) {
    uint32_t i;

    for (i = 0; i < line->attempt->tried; i++) {
        if (line->attempt->racing[i] == conn) line->attempt->racing[i] = 0;
    }
    if (line->state == WSHUB_WS__DIALLING) wshub_ws__dial_on(pool, line);
}

static void wshub_ws__on_closed(void *ctx, wshub_conn conn) {
    wshub_ws_pool *pool = (wshub_ws_pool *)ctx;
    wshub_ws__line *line = wshub_ws__of_conn(pool, conn);

    pool->depth++;
    if (line) {
        pool->by_conn[(uint32_t)conn.id] = 0;
        if (line->conn != conn.id) {
            wshub_ws__lost_race(pool, line, conn.id);
        } else {
            line->conn = 0;
            if (line->state == WSHUB_WS__HTTP && line->http->asked) line->why = WSHUB_WS_END_EARLY;
            if (line->attempt && line->moves)
                wshub_ws__moved(pool, line);
            else if (line->state == WSHUB_WS__SECURING)
                wshub_ws__unreached(pool, line);
            else if (line->attempt)
                wshub_ws__fail(pool, line, WSHUB_WS_END_EARLY, NULL);
            else
                wshub_ws__tell_end(pool, line);
        }
    }
    wshub_ws__leave(pool);
}

/* Sends for all that have something, and tells them that there is room again. */
static void wshub_ws__flush_all(wshub_ws_pool *pool) {
    while (pool->dirty_first && !pool->doomed) {
        wshub_ws__line *line = wshub_ws__slot(pool, pool->dirty_first - 1);
        pool->dirty_first = line->dirty_next;
        line->dirty = false;
        wshub_ws__flush(pool, line);
        if (line->told_room && !wshub_ws__waits(line)) {
            line->told_room = false;
            if (line->state == WSHUB_WS__OPEN && !line->mute && line->events->drained)
                line->events->drained(pool, wshub_ws__handle(line), line->user);
        }
    }
}

/* Is a timer due? Of those that are due just now only the ones that were started before `before`:
 * what a timer starts that is due at once fires in the next turn, so that the loop breathes
 * (LIVE-3). One that was due earlier cannot have been started meanwhile. */
static bool wshub_ws__timer_due(const wshub_ws_pool *pool, uint64_t now, uint32_t before) {
    const wshub_ws_timer *first = pool->timers_count ? pool->timers[0] : NULL;

    if (!first || first->due_ms > now) return false;
    return first->due_ms < now || (int32_t)(first->order - before) < 0;
}

/* Once a turn: what waits, and what is due. */
static uint64_t wshub_ws__settle(void *ctx) {
    wshub_ws_pool *pool = (wshub_ws_pool *)ctx;
    uint64_t now = wshub_ws_now_ms(pool), next = WSHUB_NEVER;
    uint32_t before;

    pool->depth++;
    wshub_ws__flush_all(pool);
    pool->firing_ms = now;
    before = pool->timers_order;
    while (!pool->doomed && wshub_ws__timer_due(pool, now, before)) {
        wshub_ws_timer *timer = pool->timers[0];
        wshub_ws_timer_stop(pool, timer);
        timer->fire(timer->ctx);
        wshub_ws__flush_all(pool);
    }
    pool->firing_ms = 0;
    if (!pool->doomed && pool->timers_count) next = pool->timers[0]->due_ms;
    wshub_ws__leave(pool);
    return next;
}

static uint64_t wshub_ws__due(void *ctx) {
    const wshub_ws_pool *pool = (const wshub_ws_pool *)ctx;

    if (pool->dirty_first) return 0;
    return pool->timers_count ? pool->timers[0]->due_ms : WSHUB_NEVER;
}

/* ---- the pool ---- */

WSHUB_API const char *wshub_ws_pool_desc_problem_versioned(const wshub_ws_pool_desc *desc,
                                                           size_t desc_bytes, uint32_t version) {
    if (!desc) return "desc: it is NULL";
    if (version != WSHUB_WS_VERSION || desc_bytes != sizeof *desc)
        return "desc: compiled against another wshub_ext_client.h than this code";
    if (!desc->io) return "io: it is required";
    if (desc->io->version != WSHUB_IO_VERSION)
        return "io: its version is not WSHUB_IO_VERSION, it was compiled against another wshub.h";
    if (!desc->io->guest || !desc->io->connect || !desc->io->random)
        return "io: its table must have guest, connect and random, as wshub_io_sock.h has them";
    if (desc->deflate) return wshub_deflate_problem(desc->deflate);
    return NULL;
}

WSHUB_API wshub_err wshub_ws_pool_create_versioned(const wshub_ws_pool_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_ws_pool **out_pool) {
    wshub_ws_pool *pool;
    wshub_io_owner me;
    wshub_alloc_fn alloc;
    wshub_err err;

    if (!out_pool || wshub_ws_pool_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    alloc = desc->alloc ? desc->alloc : wshub_ws__realloc;
    pool = (wshub_ws_pool *)alloc(desc->alloc_user, NULL, 0, sizeof *pool);
    if (!pool) return WSHUB_ERR_NOMEM;
    memset(pool, 0, sizeof *pool);
    pool->desc = *desc;
    pool->desc.alloc = alloc;
    pool->io = *desc->io;
    if (desc->deflate) pool->codec = *desc->deflate;
    pool->desc.deflate = NULL;

    memset(&me, 0, sizeof me);
    me.ctx = pool;
    me.opened = wshub_ws__on_opened;
    me.received = wshub_ws__on_received;
    me.ended = wshub_ws__on_ended;
    me.drained = wshub_ws__on_drained;
    me.sent = wshub_ws__on_sent;
    me.closed = wshub_ws__on_closed;
    me.settle = wshub_ws__settle;
    me.due = wshub_ws__due;
    err = pool->io.guest(pool->io.ctx, &me, true);
    if (err) {
        (void)alloc(desc->alloc_user, pool, sizeof *pool, 0);
        return err;
    }
    *out_pool = pool;
    return WSHUB_OK;
}

static void wshub_ws__pool_free(wshub_ws_pool *pool) {
    uint32_t i;

    for (i = 0; i < pool->lines_count; i++) {
        wshub_ws__line *line = wshub_ws__slot(pool, i);
        if (line->id) wshub_ws__attempt_free(pool, line, false);
        if (line->id) wshub_ws__free(pool, line);
    }
    for (i = 0; i < pool->blocks_count; i++)
        (void)wshub_ws_alloc(pool, pool->blocks[i], WSHUB_WS__BLOCK * sizeof **pool->blocks, 0);
    (void)wshub_ws_alloc(pool, pool->blocks, pool->blocks_cap * sizeof *pool->blocks, 0);
    (void)wshub_ws_alloc(pool, pool->free_slots, pool->free_cap * sizeof *pool->free_slots, 0);
    (void)wshub_ws_alloc(pool, pool->by_conn, pool->by_conn_cap * sizeof *pool->by_conn, 0);
    (void)wshub_ws_alloc(pool, pool->timers, pool->timers_cap * sizeof(wshub_ws_timer *), 0);
    wshub_ws__bytes_free(pool, &pool->spare);
    wshub_ws__bytes_free(pool, &pool->squeezed);
    for (i = 0; i < 8; i++) {
        if (pool->deflaters[i]) pool->codec.deflater_free(pool->codec.ctx, pool->deflaters[i]);
    }
    if (pool->inflater) pool->codec.inflater_free(pool->codec.ctx, pool->inflater);
    (void)pool->desc.alloc(pool->desc.alloc_user, pool, sizeof *pool, 0);
}

/* The outermost report returns: a pool that was destroyed meanwhile goes. */
static void wshub_ws__leave(wshub_ws_pool *pool) {
    WSHUB_ASSERT(pool->depth);
    if (!--pool->depth && pool->doomed) wshub_ws__pool_free(pool);
}

WSHUB_API void wshub_ws_pool_destroy(wshub_ws_pool *pool) {
    wshub_io_owner me;
    uint32_t i;

    if (!pool || pool->doomed) return;
    pool->doomed = true;
    memset(&me, 0, sizeof me);
    me.ctx = pool;
    (void)pool->io.guest(pool->io.ctx, &me, false);
    for (i = 0; i < pool->lines_count; i++) wshub_ws__slot(pool, i)->mute = true;
    if (!pool->depth) wshub_ws__pool_free(pool);
}

/* ---- opening one ---- */

/* Is this a field that a request may have beside the handshake's own? */
static bool wshub_ws__header_ok(const wshub_header *header) {
    static const char *const own[] = {"host", "upgrade", "connection", "content-length",
                                      "transfer-encoding"};
    size_t i;

    if (!header->name.len) return false;
    for (i = 0; i < header->name.len; i++) {
        if (!wshub_ws__is_token(header->name.ptr[i])) return false;
    }
    for (i = 0; i < header->value.len; i++) {
        unsigned char c = (unsigned char)header->value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 127) return false;
    }
    for (i = 0; i < sizeof own / sizeof *own; i++) {
        if (wshub_ws__same(header->name, own[i])) return false;
    }
    return !wshub_ws__starts(header->name, "sec-websocket-");
}

/* Is this a list of subprotocols (RFC 6455 4.1): tokens, each once? */
static bool wshub_ws__protocols_ok(const char *text) {
    wshub_str rest = wshub_str_z(text);

    for (;;) {
        const char *comma = rest.len ? (const char *)memchr(rest.ptr, ',', rest.len) : NULL;
        wshub_str item = rest;
        size_t i;
        if (comma) item.len = (size_t)(comma - rest.ptr);
        rest = wshub_ws__behind(rest, comma ? item.len + 1 : item.len);
        item = wshub_ws__trim(item);
        if (!item.len || item.len > 255) return false;
        for (i = 0; i < item.len; i++) {
            if (!wshub_ws__is_token(item.ptr[i])) return false;
        }
        if (comma && wshub_ws__in_list(rest, item, true)) return false;
        if (!comma) return true;
    }
}

/* A proxy's URL: host, port, and where its credentials lie. False: it is none. */
static bool wshub_ws__proxy_read(const char *text, wshub_str *out_host, uint16_t *out_port,
                                 wshub_str *out_credentials) {
    wshub_str rest = wshub_str_z(text);
    const char *at;
    bool v6;
    size_t i;

    if (!wshub_ws__starts(rest, "http://")) return false;
    rest = wshub_ws__behind(rest, 7);
    for (i = 0; i < rest.len; i++) {
        if (rest.ptr[i] <= ' ' || rest.ptr[i] > '~' || rest.ptr[i] == '#') return false;
    }
    if (rest.len && rest.ptr[rest.len - 1] == '/') rest.len--;
    out_credentials->ptr = NULL;
    out_credentials->len = 0;
    at = rest.len ? (const char *)memchr(rest.ptr, '@', rest.len) : NULL;
    if (at) {
        out_credentials->ptr = rest.ptr;
        out_credentials->len = (size_t)(at - rest.ptr);
        if (out_credentials->len > 512 || !memchr(rest.ptr, ':', out_credentials->len))
            return false;
        rest = wshub_ws__behind(rest, out_credentials->len + 1);
    }
    *out_port = 80;
    return wshub_ws__authority(rest, out_host, &v6, out_port);
}

static bool wshub_ws__in_range(uint32_t value, bool off, uint32_t most) {
    return (off && value == WSHUB_OFF) || value <= most;
}

/* What would be refused in a description: of a line of HTTP, or of a WebSocket. */
static const char *wshub_ws__desc_problem(const wshub_ws_desc *desc, size_t desc_bytes,
                                          uint32_t version, bool http) {
    wshub_ws_url url;
    wshub_str host, credentials;
    uint16_t port;
    size_t i, total = 0;

    if (!desc) return "desc: it is NULL";
    if (version != WSHUB_WS_VERSION || desc_bytes != sizeof *desc)
        return "desc: compiled against another wshub_ext_client.h than this code";
    if (!desc->url || !wshub_ws__url_of(wshub_str_z(desc->url), http, &url))
        return http ? "url: no URL of HTTP, as in http://host:port"
                    : "url: no URL of a WebSocket, as in ws://host:port/path";
    if (!http && !desc->events) return "events: they are required";
    if (desc->protocols && !wshub_ws__protocols_ok(desc->protocols))
        return "protocols: tokens, each once, with commas between them";
    if (!desc->headers != !desc->headers_count)
        return "headers: a list needs its headers_count, and the other way round";
    for (i = 0; i < desc->headers_count; i++) {
        if (!wshub_ws__header_ok(&desc->headers[i]))
            return "headers: one of them is no field, or one that the handshake has itself";
        total += desc->headers[i].name.len + desc->headers[i].value.len + 4;
        if (total > WSHUB_WS__REQUEST_MAX / 2) return "headers: over 32 KiB in all";
    }
    if (desc->proxy && !wshub_ws__proxy_read(desc->proxy, &host, &port, &credentials))
        return "proxy: none, as in http://host:port or http://user:password@host:port";
    if (!wshub_ws__in_range(desc->deflate_bytes_min, true, WSHUB_WS__COUNT_MAX))
        return "deflate_bytes_min: up to 2^30, or WSHUB_OFF";
    if (desc->redirects_max > WSHUB_WS__REDIRECTS_MAX) return "redirects_max: up to 20";
    if ((unsigned)desc->verify > WSHUB_VERIFY_NONE) return "verify: FULL, CHAIN or NONE";
    if (!wshub_ws__in_range(desc->connect_timeout_ms, true, 86400000))
        return "connect_timeout_ms: up to a day, or WSHUB_OFF";
    if (!wshub_ws__in_range(desc->attempt_delay_ms, false, 86400000))
        return "attempt_delay_ms: up to a day";
    if (!wshub_ws__in_range(desc->idle_timeout_ms, true, 86400000))
        return "idle_timeout_ms: up to a day, or WSHUB_OFF";
    if (!wshub_ws__in_range(desc->close_timeout_ms, false, 86400000))
        return "close_timeout_ms: up to a day";
    if (!wshub_ws__in_range(desc->message_timeout_ms, true, 86400000))
        return "message_timeout_ms: up to a day, or WSHUB_OFF";
    if (desc->message_bytes_max > WSHUB_WS__COUNT_MAX) return "message_bytes_max: up to 2^30";
    if (desc->unsent_bytes_max > WSHUB_WS__COUNT_MAX) return "unsent_bytes_max: up to 2^30";
    return NULL;
}

WSHUB_API const char *wshub_ws_desc_problem_versioned(const wshub_ws_desc *desc, size_t desc_bytes,
                                                      uint32_t version) {
    return wshub_ws__desc_problem(desc, desc_bytes, version, false);
}

WSHUB_API const char *wshub_ws_http_problem_versioned(const wshub_ws_desc *desc, size_t desc_bytes,
                                                      uint32_t version) {
    return wshub_ws__desc_problem(desc, desc_bytes, version, true);
}

/* Makes a table of elements of `size` bytes longer. False: out of memory. */
static bool wshub_ws__grow(wshub_ws_pool *pool, void **table, uint32_t *cap, uint32_t to,
                           size_t size) {
    void *grown;

    if (*cap >= to) return true;
    if (to < *cap * 2) to = *cap * 2;
    grown = wshub_ws_alloc(pool, *table, *cap * size, to * size);
    if (!grown) return false;
    *table = grown;
    *cap = to;
    return true;
}

/* Another block of slots. False: out of memory, and what has grown is of use later. */
static bool wshub_ws__block(wshub_ws_pool *pool) {
    wshub_ws__line *block;
    void *blocks = pool->blocks, *slots = pool->free_slots;
    bool ok;

    ok = wshub_ws__grow(pool, &blocks, &pool->blocks_cap, pool->blocks_count + 1,
                        sizeof *pool->blocks);
    pool->blocks = (wshub_ws__line **)blocks;
    ok = ok && wshub_ws__grow(pool, &slots, &pool->free_cap,
                              (pool->blocks_count + 1) * WSHUB_WS__BLOCK, sizeof(uint32_t));
    pool->free_slots = (uint32_t *)slots;
    if (!ok) return false;

    block = (wshub_ws__line *)wshub_ws_alloc(pool, NULL, 0, WSHUB_WS__BLOCK * sizeof *block);
    if (!block) return false;
    memset(block, 0, WSHUB_WS__BLOCK * sizeof *block);
    pool->blocks[pool->blocks_count++] = block;
    return true;
}

/* A slot for one more. NULL: out of memory. */
static wshub_ws__line *wshub_ws__new(wshub_ws_pool *pool) {
    uint32_t index;
    wshub_ws__line *line;

    if (!pool->free_count && pool->lines_count == pool->blocks_count * WSHUB_WS__BLOCK &&
        !wshub_ws__block(pool))
        return NULL;
    index = pool->free_count ? pool->free_slots[--pool->free_count] : pool->lines_count++;
    line = wshub_ws__slot(pool, index);
    if (!++pool->generation) pool->generation = 1;
    line->id = (uint64_t)pool->generation << 32 | index;
    line->pool = pool;
    return line;
}

/* Writes the caller's fields as lines. */
static bool wshub_ws__headers(wshub_ws_pool *pool, wshub_ws__attempt *attempt,
                              const wshub_ws_desc *desc) {
    size_t i, total = 0;
    char *at;

    for (i = 0; i < desc->headers_count; i++)
        total += desc->headers[i].name.len + desc->headers[i].value.len + 4;
    if (!total) return true;
    attempt->headers = at = (char *)wshub_ws_alloc(pool, NULL, 0, total + 1);
    if (!at) return false;
    attempt->headers_bytes = total + 1;
    for (i = 0; i < desc->headers_count; i++) {
        const wshub_header *header = &desc->headers[i];
        memcpy(at, header->name.ptr, header->name.len);
        at += header->name.len;
        memcpy(at, ": ", 2);
        at += 2;
        if (header->value.len) memcpy(at, header->value.ptr, header->value.len);
        at += header->value.len;
        memcpy(at, "\r\n", 2);
        at += 2;
    }
    *at = 0;
    return true;
}

static int wshub_ws__hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = wshub_ws__lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads the proxy, its credentials as Basic has them (RFC 7617). */
static bool wshub_ws__proxy(wshub_ws_pool *pool, wshub_ws__attempt *attempt, const char *proxy) {
    wshub_str host, given;
    uint8_t plain[512];
    char coded[700];
    size_t i, n = 0;

    if (!proxy || !wshub_ws__proxy_read(proxy, &host, &attempt->proxy_port, &given)) return true;
    memcpy(attempt->proxy_host, host.ptr, host.len);
    if (!given.ptr) return true;
    for (i = 0; i < given.len; i++) {
        bool escape = given.ptr[i] == '%' && i + 2 < given.len &&
                      wshub_ws__hex(given.ptr[i + 1]) >= 0 && wshub_ws__hex(given.ptr[i + 2]) >= 0;
        plain[n++] =
            escape
                ? (uint8_t)(wshub_ws__hex(given.ptr[i + 1]) * 16 + wshub_ws__hex(given.ptr[i + 2]))
                : (uint8_t)given.ptr[i];
        if (escape) i += 2;
    }
    n = wshub_base64(plain, n, coded);
    attempt->proxy_auth = wshub_ws__text(pool, coded, n);
    return attempt->proxy_auth != NULL;
}

/* Copies what the handshake needs. False: out of memory. */
static bool wshub_ws__attempt_fill(wshub_ws_pool *pool, wshub_ws__attempt *attempt,
                                   const wshub_ws_desc *desc, bool http) {
    uint32_t timeout = desc->connect_timeout_ms ? desc->connect_timeout_ms : 20000;

    attempt->url = wshub_ws__text(pool, desc->url, strlen(desc->url));
    if (!attempt->url) return false;
    (void)wshub_ws__url_of(wshub_str_z(attempt->url), http, &attempt->parts);
    if (desc->protocols) {
        attempt->protocols = wshub_ws__text(pool, desc->protocols, strlen(desc->protocols));
        if (!attempt->protocols) return false;
    }
    attempt->deadline_ms = timeout == WSHUB_OFF ? WSHUB_NEVER : wshub_ws_now_ms(pool) + timeout;
    attempt->verify = desc->verify;
    attempt->delay_ms = desc->attempt_delay_ms ? desc->attempt_delay_ms : 250;
    attempt->redirects_left = desc->redirects_max;
    attempt->redirects = desc->redirects_max > 0;
    attempt->deflate = desc->deflate && pool->codec.version;
    attempt->slides = desc->deflate_takeover;
    attempt->forgets = desc->deflate_forget;
    attempt->deflate_min = desc->deflate_bytes_min ? desc->deflate_bytes_min : 256;
    return wshub_ws__headers(pool, attempt, desc) && wshub_ws__proxy(pool, attempt, desc->proxy);
}

static uint32_t wshub_ws__or(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

/* What each request of a line has: Host, and the caller's fields. False: out of memory. */
static bool wshub_ws__http_fill(wshub_ws_pool *pool, wshub_ws__line *line,
                                const wshub_ws_http_events *events) {
    const wshub_ws__attempt *attempt = line->attempt;
    bool reads = attempt->proxy_host[0] && !attempt->parts.secure; /* the proxy reads requests */
    wshub_ws__http *http;

    http = (wshub_ws__http *)wshub_ws_alloc(pool, NULL, 0, sizeof *http);
    if (!http) return false;
    memset(http, 0, sizeof *http);
    line->http = http;
    http->events = events;
    http->deadline_ms = WSHUB_NEVER;
    http->keep_ms = line->idle_ms;
    if (reads) {
        if (!wshub_ws__put_z(pool, line, "http://") ||
            !wshub_ws__put_host(pool, line, attempt->parts.port_said))
            return false;
        http->base = line->out;
        memset(&line->out, 0, sizeof line->out);
    }
    if (!wshub_ws__put_z(pool, line, " HTTP/1.1\r\nHost: ") ||
        !wshub_ws__put_host(pool, line, attempt->parts.port_said) ||
        !wshub_ws__put_z(pool, line, "\r\n") ||
        (reads && attempt->proxy_auth && !wshub_ws__put_auth(pool, line, attempt->proxy_auth)) ||
        (attempt->headers && !wshub_ws__put_z(pool, line, attempt->headers)))
        return false;
    http->front = line->out;
    memset(&line->out, 0, sizeof line->out);
    return true;
}

/* Begins what a description that is checked wants. http: the events of a line; NULL: it is a
 * WebSocket. */
static wshub_err wshub_ws__open(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                const wshub_ws_http_events *http, wshub_ws *out_ws) {
    wshub_ws__line *line = wshub_ws__new(pool);

    if (!line) return WSHUB_ERR_NOMEM;
    line->events = desc->events;
    line->user = desc->user;
    line->idle_ms = wshub_ws__or(desc->idle_timeout_ms, 60000);
    line->close_ms = wshub_ws__or(desc->close_timeout_ms, 2000);
    line->message_timeout_ms = wshub_ws__or(desc->message_timeout_ms, 120000);
    line->message_max = wshub_ws__or(desc->message_bytes_max, 1048576);
    line->unsent_max = wshub_ws__or(desc->unsent_bytes_max, 1048576);
    line->timer.fire = wshub_ws__on_timer;
    line->timer.ctx = line;
    line->attempt = (wshub_ws__attempt *)wshub_ws_alloc(pool, NULL, 0, sizeof *line->attempt);
    if (line->attempt) memset(line->attempt, 0, sizeof *line->attempt);
    if (!line->attempt || wshub_ws_timer_add(pool, &line->timer) ||
        !wshub_ws__attempt_fill(pool, line->attempt, desc, http != NULL) ||
        (http && !wshub_ws__http_fill(pool, line, http))) {
        wshub_ws__free(pool, line);
        return WSHUB_ERR_NOMEM;
    }
    wshub_ws__to(pool, line, WSHUB_WS__STARTING);
    if (pool->io.wake) pool->io.wake(pool->io.ctx);
    *out_ws = wshub_ws__handle(line);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ws_open_versioned(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                            size_t desc_bytes, uint32_t version, wshub_ws *out_ws) {
    if (!pool || pool->doomed || !out_ws ||
        wshub_ws_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    return wshub_ws__open(pool, desc, NULL, out_ws);
}

WSHUB_API wshub_err wshub_ws_http_open_versioned(wshub_ws_pool *pool, const wshub_ws_desc *desc,
                                                 const wshub_ws_http_events *events,
                                                 size_t desc_bytes, uint32_t version,
                                                 wshub_ws *out_line) {
    if (!pool || pool->doomed || !events || !out_line ||
        wshub_ws_http_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    return wshub_ws__open(pool, desc, events, out_line);
}

/* ---- orders ---- */

/* Sends a frame of the caller's, to the limit of what may wait. */
static wshub_err wshub_ws__order(wshub_ws_pool *pool, wshub_ws ws, uint8_t opcode,
                                 const void *bytes, size_t count) {
    wshub_ws__line *line = wshub_ws__get(pool, ws.id);
    size_t waits;

    if (!line) return WSHUB_ERR_STALE;
    if (line->state != WSHUB_WS__OPEN) return WSHUB_ERR_STATE;
    waits = wshub_ws__waits(line);
    if (waits && waits + count > line->unsent_max) { /* the stream may take some of it yet */
        wshub_ws__flush(pool, line);
        waits = wshub_ws__waits(line);
        if (waits && waits + count > line->unsent_max) return WSHUB_ERR_DROPPED;
    }
    return opcode == WSHUB_WS__PING ? wshub_ws__frame(pool, line, opcode, bytes, count)
                                    : wshub_ws__message(pool, line, opcode, bytes, count);
}

WSHUB_API wshub_err wshub_ws_send(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind,
                                  const void *bytes, size_t count) {
    if ((kind != WSHUB_WS_TEXT && kind != WSHUB_WS_BINARY) || count > WSHUB_WS__COUNT_MAX ||
        (kind == WSHUB_WS_TEXT && !wshub_utf8_check((const uint8_t *)bytes, count)))
        return WSHUB_ERR_PARAM;
    return wshub_ws__order(pool, ws, (uint8_t)kind, bytes, count);
}

WSHUB_API wshub_err wshub_ws_ping(wshub_ws_pool *pool, wshub_ws ws, const void *bytes,
                                  size_t count) {
    wshub_err err;

    if (count > WSHUB_WS__CONTROL_MAX) return WSHUB_ERR_PARAM;
    err = wshub_ws__order(pool, ws, WSHUB_WS__PING, bytes, count);
    if (!err) wshub_ws__get(pool, ws.id)->asked_pong = true;
    return err;
}

/* Stops reading, or goes on. The peer's clocks stand still meanwhile: that of its silence, and that
 * of a message that has begun. */
static void wshub_ws__set_paused(wshub_ws_pool *pool, wshub_ws__line *line, bool paused) {
    uint64_t now = wshub_ws_now_ms(pool);
    wshub_conn conn;

    WSHUB_ASSERT(line->paused != paused && pool->io.pause);
    if (!paused) line->message_ms += now - line->heard_ms;
    line->heard_ms = now;
    line->pinged = false;
    line->paused = paused;
    conn.id = line->conn;
    pool->io.pause(pool->io.ctx, conn, paused);
    wshub_ws__rearm(pool, line);
}

WSHUB_API wshub_err wshub_ws_close(wshub_ws_pool *pool, wshub_ws ws, uint16_t code,
                                   wshub_str reason) {
    wshub_ws__line *line = wshub_ws__get(pool, ws.id);
    wshub_err err;

    if (!line) return WSHUB_ERR_STALE;
    if ((code && !wshub_ws__code_ok(code)) || (!code && reason.len) ||
        reason.len > WSHUB_CLOSE_REASON_MAX ||
        !wshub_utf8_check((const uint8_t *)reason.ptr, reason.len))
        return WSHUB_ERR_PARAM;
    if (line->attempt || line->http) wshub_ws__fail(pool, line, WSHUB_WS_END_CANCELLED, NULL);
    if (line->state != WSHUB_WS__OPEN) return WSHUB_OK;

    err = wshub_ws__close_frame(pool, line, code, reason);
    if (err) return err;
    line->code = code ? code : 1005;
    line->why = WSHUB_WS_END_CLOSE;
    line->end_ms = wshub_ws_now_ms(pool) + line->close_ms;
    wshub_ws__to(pool, line, WSHUB_WS__CLOSING);
    if (line->paused) wshub_ws__set_paused(pool, line, false); /* or its Close is never read */
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ws_drop(wshub_ws_pool *pool, wshub_ws ws) {
    wshub_ws__line *line = wshub_ws__get(pool, ws.id);

    if (!line) return WSHUB_ERR_STALE;
    if (line->opened && line->state == WSHUB_WS__OPEN) line->code = 1006;
    wshub_ws__fail(pool, line, line->opened ? (wshub_ws_why)line->why : WSHUB_WS_END_CANCELLED,
                   NULL);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ws_forget(wshub_ws_pool *pool, wshub_ws ws) {
    wshub_ws__line *line = wshub_ws__get(pool, ws.id);

    if (!line) return WSHUB_ERR_STALE;
    line->mute = true;
    wshub_ws__fail(pool, line, WSHUB_WS_END_CANCELLED, NULL);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ws_pause(wshub_ws_pool *pool, wshub_ws ws, bool paused) {
    wshub_ws__line *line = wshub_ws__get(pool, ws.id);

    if (!line) return WSHUB_ERR_STALE;
    if (!pool->io.pause || line->state != WSHUB_WS__OPEN) return WSHUB_ERR_STATE;
    if (line->paused != paused) wshub_ws__set_paused(pool, line, paused);
    return WSHUB_OK;
}

WSHUB_API wshub_ws_state wshub_ws_state_of(const wshub_ws_pool *pool, wshub_ws ws) {
    const wshub_ws__line *line = wshub_ws__get(pool, ws.id);

    if (!line) return WSHUB_WS_GONE;
    if (line->attempt || line->state < WSHUB_WS__HTTP) return WSHUB_WS_CONNECTING;
    return line->state <= WSHUB_WS__OPEN ? WSHUB_WS_OPEN : WSHUB_WS_CLOSING;
}

WSHUB_API size_t wshub_ws_unsent(const wshub_ws_pool *pool, wshub_ws ws) {
    const wshub_ws__line *line = wshub_ws__get(pool, ws.id);
    return line ? wshub_ws__waits(line) : 0;
}

/* ---- requests ---- */

/* Is this what a request may say? */
static bool wshub_ws__request_ok(const wshub_ws_request *request) {
    wshub_header type, cookies;
    size_t i;

    if (!request || !request->method || !request->target || request->target[0] != '/') return false;
    if ((!request->body && request->body_bytes) || request->body_bytes > WSHUB_WS__COUNT_MAX)
        return false;
    for (i = 0; request->method[i]; i++) {
        if (!wshub_ws__is_token(request->method[i])) return false;
    }
    if (!i || strcmp(request->method, "HEAD") == 0 || strcmp(request->method, "CONNECT") == 0)
        return false;
    for (i = 0; request->target[i]; i++) {
        if (request->target[i] <= ' ' || request->target[i] > '~' || i >= WSHUB_WS__URL_MAX)
            return false;
    }
    type.name = wshub_str_z("Content-Type");
    type.value = wshub_str_z(request->type);
    cookies.name = wshub_str_z("Cookie");
    cookies.value = wshub_str_z(request->cookies);
    return wshub_ws__header_ok(&type) && type.value.len <= WSHUB_WS__URL_MAX &&
           wshub_ws__header_ok(&cookies) && cookies.value.len <= WSHUB_WS__URL_MAX;
}

/* Writes a request behind what is there. False: out of memory. */
static bool wshub_ws__request_put(wshub_ws_pool *pool, const wshub_ws__http *http,
                                  const wshub_ws_request *request, wshub_ws__bytes *to) {
    char length[48] = "";
    struct {
        const void *ptr;
        size_t len;
    } pieces[13];
    size_t i, total = 0;

    if (request->body || strcmp(request->method, "POST") == 0)
        (void)snprintf(length, sizeof length, "Content-Length: %lu\r\n",
                       (unsigned long)request->body_bytes);
#define WSHUB__PIECE(at, text)                                                                     \
    pieces[at].ptr = (text);                                                                       \
    pieces[at].len = strlen(text)
    WSHUB__PIECE(0, request->method);
    WSHUB__PIECE(1, " ");
    pieces[2].ptr = http->base.ptr;
    pieces[2].len = http->base.len;
    WSHUB__PIECE(3, request->target);
    pieces[4].ptr = http->front.ptr;
    pieces[4].len = http->front.len;
    WSHUB__PIECE(5, request->type ? "Content-Type: " : "");
    WSHUB__PIECE(6, request->type ? request->type : "");
    WSHUB__PIECE(7, request->type ? "\r\n" : "");
    WSHUB__PIECE(8, length);
    WSHUB__PIECE(9, request->cookies ? "Cookie: " : "");
    WSHUB__PIECE(10, request->cookies ? request->cookies : "");
    WSHUB__PIECE(11, request->cookies ? "\r\n" : "");
    WSHUB__PIECE(12, "\r\n");
#undef WSHUB__PIECE
    for (i = 0; i < 13; i++) total += pieces[i].len;
    if (!wshub_ws__bytes_room(pool, to, total + request->body_bytes, SIZE_MAX / 2)) return false;
    for (i = 0; i < 13; i++)
        (void)wshub_ws__bytes_add(pool, to, pieces[i].ptr, pieces[i].len, SIZE_MAX / 2);
    return wshub_ws__bytes_add(pool, to, request->body, request->body_bytes, SIZE_MAX / 2);
}

WSHUB_API wshub_err wshub_ws_http_request(wshub_ws_pool *pool, wshub_ws line,
                                          const wshub_ws_request *request) {
    wshub_ws__line *at = wshub_ws__get(pool, line.id);
    wshub_ws__http *http;
    uint32_t timeout;
    bool ready;

    if (!at) return WSHUB_ERR_STALE;
    http = at->http;
    if (!http || http->asked || http->last || at->state >= WSHUB_WS__FAILED) return WSHUB_ERR_STATE;
    if (!wshub_ws__request_ok(request)) return WSHUB_ERR_PARAM;
    ready = at->state == WSHUB_WS__HTTP;
    if (!wshub_ws__request_put(pool, http, request, ready ? &at->out : &http->request))
        return WSHUB_ERR_NOMEM;

    timeout = wshub_ws__or(request->timeout_ms, 60000);
    http->asked = true;
    http->asked_ms = wshub_ws_now_ms(pool);
    http->deadline_ms = timeout == WSHUB_OFF ? WSHUB_NEVER : http->asked_ms + timeout;
    wshub_ws__rearm(pool, at);
    if (ready) wshub_ws__touch(pool, at);
    return WSHUB_OK;
}

/* ================================================================================================
 * A client of a hub
 * ================================================================================================
 */

/* A message that is kept; its text stands behind it. */
typedef struct wshub_ext_client__kept {
    struct wshub_ext_client__kept *next;
    size_t len;
    uint64_t request; /* 0: none */
} wshub_ext_client__kept;

/* The name of a room, or of an event, which stands behind it. */
typedef struct wshub_ext_client__name {
    struct wshub_ext_client__name *next;
    size_t len;
} wshub_ext_client__name;

/* Somebody waits for an answer. */
typedef struct wshub_ext_client__request {
    struct wshub_ext_client__request *next;
    wshub_ext_client *client;
    wshub_ws_timer timer;
    uint64_t id;
    wshub_ext_client_reply reply;
    void *user;
    bool sent;
} wshub_ext_client__request;

enum { WSHUB_EXT_CLIENT__RETRY_MS = 100 }; /* what could not be sent, though nothing waits */

struct wshub_ext_client {
    wshub_ws_pool *pool;
    const wshub_ext_client_desc *desc;
    void *user;
    wshub_ws ws;
    wshub_ws_timer timer; /* of the next attempt, of the heartbeat, of what had no memory */
    wshub_ext_client__kept *first, *last;
    wshub_ext_client__name *rooms, *events;
    wshub_ext_client__request *requests;
    char *error; /* the message of the last `error` since `authenticate`; NULL: none */
    uint64_t opened_ms, last_request;
    uint32_t kept_bytes, kept_count; /* each limited */
    uint32_t rooms_bytes;
    uint32_t attempt;
    uint16_t depth;
    uint8_t state, id_len;
    bool doomed, left, later, stable, sealing;
    char id[64];
};

static bool wshub_ext_client__auto(const wshub_ext_client *client) {
    return client->desc->auth || client->desc->auto_auth;
}

static bool wshub_ext_client__connected(const wshub_ext_client *client) {
    return client->state >= WSHUB_EXT_CLIENT_UNAUTHORIZED &&
           client->state <= WSHUB_EXT_CLIENT_AUTHENTICATED;
}

static bool wshub_ext_client__can_send(const wshub_ext_client *client) {
    return wshub_ext_client__auto(client) ? client->state == WSHUB_EXT_CLIENT_AUTHENTICATED
                                          : wshub_ext_client__connected(client);
}

static uint32_t wshub_ext_client__or(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

/* Which states may follow on which, a bit each. */
static void wshub_ext_client__to(wshub_ext_client *client, wshub_ext_client_state state) {
    static const uint8_t after[] = {
        1 << WSHUB_EXT_CLIENT_WAITING | 1 << WSHUB_EXT_CLIENT_CONNECTING,
        1 << WSHUB_EXT_CLIENT_IDLE | 1 << WSHUB_EXT_CLIENT_CONNECTING,
        1 << WSHUB_EXT_CLIENT_IDLE | 1 << WSHUB_EXT_CLIENT_UNAUTHORIZED,
        1 << WSHUB_EXT_CLIENT_IDLE | 1 << WSHUB_EXT_CLIENT_AUTHENTICATING |
            1 << WSHUB_EXT_CLIENT_AUTHENTICATED | 1 << WSHUB_EXT_CLIENT_LEAVING,
        1 << WSHUB_EXT_CLIENT_IDLE | 1 << WSHUB_EXT_CLIENT_AUTHENTICATED |
            1 << WSHUB_EXT_CLIENT_LEAVING,
        1 << WSHUB_EXT_CLIENT_IDLE | 1 << WSHUB_EXT_CLIENT_LEAVING,
        1 << WSHUB_EXT_CLIENT_IDLE};

    WSHUB_ASSERT(after[client->state] >> state & 1);
    (void)after; /* only asserted */
    wshub_ws_timer_stop(client->pool, &client->timer);
    client->state = (uint8_t)state;
    if (state <= WSHUB_EXT_CLIENT_CONNECTING) client->id_len = 0;
}

/* ---- memory ---- */

static wshub_ext_client__name *wshub_ext_client__name_new(wshub_ext_client *client,
                                                          wshub_str text) {
    wshub_ext_client__name *name =
        (wshub_ext_client__name *)wshub_ws_alloc(client->pool, NULL, 0, sizeof *name + text.len);

    if (!name) return NULL;
    name->next = NULL;
    name->len = text.len;
    memcpy(name + 1, text.ptr, text.len);
    return name;
}

static wshub_str wshub_ext_client__name_text(const wshub_ext_client__name *name) {
    wshub_str text;
    text.ptr = (const char *)(name + 1);
    text.len = name->len;
    return text;
}

/* Where a name stands in its list; where the end is, if it does not. */
static wshub_ext_client__name **wshub_ext_client__find(wshub_ext_client__name **list,
                                                       wshub_str text) {
    while (*list && !wshub_str_eq(wshub_ext_client__name_text(*list), text)) list = &(*list)->next;
    return list;
}

static void wshub_ext_client__name_drop(wshub_ext_client *client, wshub_ext_client__name **at) {
    wshub_ext_client__name *name = *at;
    *at = name->next;
    (void)wshub_ws_alloc(client->pool, name, sizeof *name + name->len, 0);
}

static void wshub_ext_client__kept_drop(wshub_ext_client *client, wshub_ext_client__kept *before) {
    wshub_ext_client__kept *kept = before ? before->next : client->first;

    if (before)
        before->next = kept->next;
    else
        client->first = kept->next;
    if (client->last == kept) client->last = before;
    client->kept_bytes -= (uint32_t)kept->len;
    client->kept_count--;
    (void)wshub_ws_alloc(client->pool, kept, sizeof *kept + kept->len, 0);
}

static void wshub_ext_client__request_drop(wshub_ext_client *client,
                                           wshub_ext_client__request *request) {
    wshub_ext_client__request **at = &client->requests;

    while (*at != request) at = &(*at)->next;
    *at = request->next;
    wshub_ws_timer_remove(client->pool, &request->timer);
    (void)wshub_ws_alloc(client->pool, request, sizeof *request, 0);
}

static void wshub_ext_client__free(wshub_ext_client *client) {
    (void)wshub_ws_forget(client->pool, client->ws);
    while (client->first) wshub_ext_client__kept_drop(client, NULL);
    while (client->requests) wshub_ext_client__request_drop(client, client->requests);
    while (client->rooms) wshub_ext_client__name_drop(client, &client->rooms);
    while (client->events) wshub_ext_client__name_drop(client, &client->events);
    wshub_ws__text_free(client->pool, &client->error);
    wshub_ws_timer_remove(client->pool, &client->timer);
    (void)wshub_ws_alloc(client->pool, client, sizeof *client, 0);
}

/* Each report and timer stands between these two: a client that is destroyed in between goes with
 * the outermost. Returns whether it is still there. */
static void wshub_ext_client__enter(wshub_ext_client *client) {
    client->depth++;
}
static void wshub_ext_client__leave(wshub_ext_client *client) {
    WSHUB_ASSERT(client->depth);
    if (!--client->depth && client->doomed) wshub_ext_client__free(client);
}

/* ---- sending ---- */

/* Sends a text, or seals it first. DROPPED: the stream takes no more now. The hook may end the
 * client, and emit: that is kept meanwhile. */
static wshub_err wshub_ext_client__send(wshub_ext_client *client, const void *bytes, size_t len) {
    const wshub_ext_client_events *events = client->desc->events;
    wshub_str text, sealed;
    bool ok;

    WSHUB_ASSERT(client->depth && !client->sealing);
    text.ptr = (const char *)bytes;
    text.len = len;
    if (events->seal && client->state == WSHUB_EXT_CLIENT_AUTHENTICATED) {
        sealed = text;
        client->sealing = true;
        ok = events->seal(client, text, &sealed, client->user);
        client->sealing = false;
        if (client->doomed) return WSHUB_ERR_STATE;
        if (!ok) return WSHUB_ERR_APP;
        text = sealed;
    }
    return wshub_ws_send(client->pool, client->ws, WSHUB_WS_TEXT, text.ptr, text.len);
}

static void wshub_ext_client__sent(wshub_ext_client *client, uint64_t id) {
    wshub_ext_client__request *request = client->requests;

    while (request && request->id != id) request = request->next;
    if (request && id) request->sent = true;
}

/* What is kept could not be sent. If something waits on the stream, the rest follows when that has
 * left; else memory or chance is out, and it is tried again soon. */
static void wshub_ext_client__flush_later(wshub_ext_client *client) {
    uint64_t soon = wshub_ws_now_ms(client->pool) + WSHUB_EXT_CLIENT__RETRY_MS;

    if (client->doomed || wshub_ws_unsent(client->pool, client->ws) > 0) return;
    if (!client->timer.due_ms || client->timer.due_ms > soon)
        wshub_ws_timer_start(client->pool, &client->timer, soon);
}

/* Sends what is kept, in order, as far as the stream takes it. */
static void wshub_ext_client__flush(wshub_ext_client *client) {
    while (client->first && !client->doomed && wshub_ext_client__can_send(client)) {
        wshub_ext_client__kept *kept = client->first;
        wshub_err err = wshub_ext_client__send(client, kept + 1, kept->len);
        if (err && err != WSHUB_ERR_APP) {
            wshub_ext_client__flush_later(client);
            return;
        }
        if (!err) wshub_ext_client__sent(client, kept->request);
        if (client->first == kept) wshub_ext_client__kept_drop(client, NULL);
    }
}

/* Keeps a message behind the others. */
static wshub_err wshub_ext_client__keep(wshub_ext_client *client, const void *bytes, size_t len,
                                        uint64_t request) {
    uint32_t most = wshub_ext_client__or(client->desc->buffer_bytes, 65536);
    wshub_ext_client__kept *kept;

    if (most == WSHUB_OFF) return WSHUB_ERR_STATE;
    if (len > most || client->kept_bytes > most - len) return WSHUB_ERR_LIMIT;
    kept = (wshub_ext_client__kept *)wshub_ws_alloc(client->pool, NULL, 0, sizeof *kept + len);
    if (!kept) return WSHUB_ERR_NOMEM;
    kept->next = NULL;
    kept->len = len;
    kept->request = request;
    memcpy(kept + 1, bytes, len);
    if (client->last)
        client->last->next = kept;
    else
        client->first = kept;
    client->last = kept;
    client->kept_bytes += (uint32_t)len;
    client->kept_count++;
    return WSHUB_OK;
}

/* Sends a message now, or keeps it. */
static wshub_err wshub_ext_client__push(wshub_ext_client *client, const wshub_ws__bytes *text,
                                        uint64_t request, bool fleeting) {
    wshub_err err = WSHUB_ERR_STATE;

    if (client->doomed) return WSHUB_ERR_STATE;
    if (wshub_ext_client__can_send(client) && !client->sealing) {
        wshub_ext_client__flush(client);
        if (!client->first && !client->doomed)
            err = wshub_ext_client__send(client, text->ptr, text->len);
        if (!err) {
            wshub_ext_client__sent(client, request);
            wshub_ext_client__flush(client); /* what was emitted while it was sealed */
        }
        if (client->doomed || (err != WSHUB_ERR_STATE && err != WSHUB_ERR_DROPPED)) return err;
    }
    return fleeting ? err : wshub_ext_client__keep(client, text->ptr, text->len, request);
}

/* ---- writing messages ---- */

static bool wshub_ext_client__put(wshub_ext_client *client, wshub_ws__bytes *to, wshub_str text) {
    return wshub_ws__bytes_add(client->pool, to, text.ptr, text.len, SIZE_MAX / 2);
}
static bool wshub_ext_client__put_quoted(wshub_ext_client *client, wshub_ws__bytes *to,
                                         wshub_str text) {
    size_t len = wshub_json_quoted_len(text);

    if (!wshub_ws__bytes_room(client->pool, to, len, SIZE_MAX / 2)) return false;
    to->len += (uint32_t)wshub_json_quote(text, (char *)to->ptr + to->len, len);
    return true;
}

/* Writes {"event":E,"data":D,"id":N}. */
static wshub_err wshub_ext_client__write(wshub_ext_client *client, wshub_ws__bytes *to,
                                         wshub_str event, wshub_str data, uint64_t id) {
    char number[32];
    bool ok;

    (void)snprintf(number, sizeof number, ",\"id\":%lu", (unsigned long)id);
    ok = wshub_ext_client__put(client, to, wshub_str_z("{\"event\":")) &&
         wshub_ext_client__put_quoted(client, to, event) &&
         (!data.ptr || (wshub_ext_client__put(client, to, wshub_str_z(",\"data\":")) &&
                        wshub_ext_client__put(client, to, data))) &&
         (!id || wshub_ext_client__put(client, to, wshub_str_z(number))) &&
         wshub_ext_client__put(client, to, wshub_str_z("}"));
    return ok ? WSHUB_OK : WSHUB_ERR_NOMEM;
}

static wshub_err wshub_ext_client__check(const wshub_msg *msg) {
    if (!msg || !msg->event.len || msg->event.len > WSHUB_NAME_BYTES_MAX ||
        msg->data.len > WSHUB_MSG_BYTES_MAX ||
        !wshub_utf8_check((const uint8_t *)msg->event.ptr, msg->event.len))
        return WSHUB_ERR_PARAM;
    if (msg->data.ptr && !msg->data_is_json && !wshub_json_check(msg->data, 0))
        return WSHUB_ERR_JSON;
    return WSHUB_OK;
}

static wshub_err wshub_ext_client__emit(wshub_ext_client *client, const wshub_msg *msg, uint64_t id,
                                        bool fleeting) {
    wshub_ws__bytes text = {NULL, 0, 0};
    wshub_err err = wshub_ext_client__check(msg);

    wshub_ext_client__enter(client);
    if (!err) err = wshub_ext_client__write(client, &text, msg->event, msg->data, id);
    if (!err) err = wshub_ext_client__push(client, &text, id, fleeting);
    wshub_ws__bytes_free(client->pool, &text);
    wshub_ext_client__leave(client);
    return err;
}

WSHUB_API wshub_err wshub_ext_client_emit(wshub_ext_client *client, const wshub_msg *msg,
                                          bool fleeting) {
    return wshub_ext_client__emit(client, msg, 0, fleeting);
}

/* ---- requests ---- */

/* Tells somebody, who waits no more. answer: NULL with an error. */
static void wshub_ext_client__answer(wshub_ext_client *client, wshub_ext_client__request *request,
                                     wshub_err err, const wshub_event *answer) {
    wshub_ext_client_reply reply = request->reply;
    void *user = request->user;

    WSHUB_ASSERT((err == WSHUB_OK) == (answer != NULL));
    wshub_ext_client__request_drop(client, request);
    reply(client, err, answer, user);
}

/* No answer has come in time: what was not sent yet is not sent any more. */
static void wshub_ext_client__late(void *ctx) {
    wshub_ext_client__request *request = (wshub_ext_client__request *)ctx;
    wshub_ext_client *client = request->client;
    wshub_ext_client__kept *kept = client->first, *before = NULL;

    wshub_ext_client__enter(client);
    for (; kept && !request->sent; before = kept, kept = kept->next) {
        if (kept->request != request->id) continue;
        wshub_ext_client__kept_drop(client, before);
        break;
    }
    wshub_ext_client__answer(client, request, WSHUB_ERR_DROPPED, NULL);
    wshub_ext_client__leave(client);
}

WSHUB_API wshub_err wshub_ext_client_request(wshub_ext_client *client, const wshub_msg *msg,
                                             uint32_t timeout_ms, wshub_ext_client_reply reply,
                                             void *reply_user) {
    wshub_ext_client__request *request;
    wshub_err err;

    if (!reply || timeout_ms < 1 || timeout_ms > 86400000) return WSHUB_ERR_PARAM;
    request = (wshub_ext_client__request *)wshub_ws_alloc(client->pool, NULL, 0, sizeof *request);
    if (!request) return WSHUB_ERR_NOMEM;
    memset(request, 0, sizeof *request);
    request->client = client;
    request->timer.fire = wshub_ext_client__late;
    request->timer.ctx = request;
    request->id = ++client->last_request;
    request->reply = reply;
    request->user = reply_user;
    request->next = client->requests;
    client->requests = request;
    wshub_ext_client__enter(client);
    err = wshub_ws_timer_add(client->pool, &request->timer);
    if (!err) err = wshub_ext_client__emit(client, msg, request->id, false);
    if (err)
        wshub_ext_client__request_drop(client, request);
    else
        wshub_ws_timer_start(client->pool, &request->timer,
                             wshub_ws_now_ms(client->pool) + timeout_ms);
    wshub_ext_client__leave(client);
    return err;
}

/* The connection is gone: whoever's request was sent learns nothing any more. */
static void wshub_ext_client__lose(wshub_ext_client *client) {
    uint64_t up_to = client->last_request;
    wshub_ext_client__request *request = client->requests;

    while (request && !client->doomed) {
        if (request->sent && request->id <= up_to) {
            wshub_ext_client__answer(client, request, WSHUB_ERR_CLOSED, NULL);
            request = client->requests; /* whatever that has changed */
        } else {
            request = request->next;
        }
    }
}

/* ---- rooms and events ---- */

/* Writes `join` or `leave` for count names, or for all that are remembered. */
static wshub_err wshub_ext_client__rooms_text(wshub_ext_client *client, wshub_ws__bytes *to,
                                              const char *what, const wshub_str *rooms,
                                              size_t count) {
    const wshub_ext_client__name *name = client->rooms;
    size_t i;
    bool ok = wshub_ext_client__put(client, to, wshub_str_z("{\"event\":\"")) &&
              wshub_ext_client__put(client, to, wshub_str_z(what)) &&
              wshub_ext_client__put(client, to, wshub_str_z("\",\"data\":{\"rooms\":["));

    for (i = 0; ok && (rooms ? i < count : name != NULL); i++) {
        ok = wshub_ext_client__put(client, to, wshub_str_z(i ? "," : "")) &&
             wshub_ext_client__put_quoted(client, to,
                                          rooms ? rooms[i] : wshub_ext_client__name_text(name));
        if (!rooms) name = name->next;
    }
    ok = ok && wshub_ext_client__put(client, to, wshub_str_z("]}}"));
    return ok ? WSHUB_OK : WSHUB_ERR_NOMEM;
}

static wshub_err wshub_ext_client__rooms(wshub_ext_client *client, const char *what,
                                         const wshub_str *rooms, size_t count, bool keep) {
    wshub_ws__bytes text = {NULL, 0, 0};
    wshub_err err;

    WSHUB_ASSERT(client->depth);
    err = wshub_ext_client__rooms_text(client, &text, what, rooms, count);
    if (!err) err = wshub_ext_client__push(client, &text, 0, !keep);
    wshub_ws__bytes_free(client->pool, &text);
    return err;
}

static bool wshub_ext_client__names_ok(const wshub_str *names, size_t count) {
    size_t i;

    for (i = 0; i < count; i++) {
        if (names[i].len > WSHUB_NAME_BYTES_MAX ||
            !wshub_utf8_check((const uint8_t *)names[i].ptr, names[i].len))
            return false;
    }
    return count > 0;
}

/* Forgets a room that is remembered. */
static void wshub_ext_client__room_drop(wshub_ext_client *client, wshub_ext_client__name **at) {
    client->rooms_bytes -= (uint32_t)((*at)->len + sizeof **at);
    wshub_ext_client__name_drop(client, at);
}

/* Forgets the rooms behind the first `count`. */
static void wshub_ext_client__rooms_cut(wshub_ext_client *client, size_t count) {
    wshub_ext_client__name **at = &client->rooms;

    for (; *at && count; count--) at = &(*at)->next;
    while (*at) wshub_ext_client__room_drop(client, at);
}

/* Remembers rooms that it is not in yet, behind the others. */
static wshub_err wshub_ext_client__remember(wshub_ext_client *client, const wshub_str *rooms,
                                            size_t count) {
    uint32_t most = wshub_ext_client__or(client->desc->buffer_bytes, 65536);
    wshub_ext_client__name *name;
    size_t i;

    for (i = 0; i < count; i++) {
        wshub_ext_client__name **at = wshub_ext_client__find(&client->rooms, rooms[i]);
        if (*at) continue;
        if (client->rooms_bytes + rooms[i].len + sizeof *name > most) return WSHUB_ERR_LIMIT;
        *at = wshub_ext_client__name_new(client, rooms[i]);
        if (!*at) return WSHUB_ERR_NOMEM;
        client->rooms_bytes += (uint32_t)(rooms[i].len + sizeof *name);
    }
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ext_client_join(wshub_ext_client *client, const wshub_str *rooms,
                                          size_t count) {
    const wshub_ext_client__name *name = client->rooms;
    bool remembers = wshub_ext_client__auto(client);
    wshub_err err = WSHUB_OK;
    size_t had = 0;

    if (!wshub_ext_client__names_ok(rooms, count)) return WSHUB_ERR_PARAM;
    for (; name; name = name->next) had++;
    wshub_ext_client__enter(client);
    if (remembers) err = wshub_ext_client__remember(client, rooms, count);
    if (!err && (!remembers || wshub_ext_client__can_send(client)))
        err = wshub_ext_client__rooms(client, "join", rooms, count, true);
    if (remembers && err) wshub_ext_client__rooms_cut(client, had);
    wshub_ext_client__leave(client);
    return err;
}

WSHUB_API wshub_err wshub_ext_client_leave(wshub_ext_client *client, const wshub_str *rooms,
                                           size_t count) {
    wshub_err err = WSHUB_OK;
    size_t i;

    if (!wshub_ext_client__names_ok(rooms, count)) return WSHUB_ERR_PARAM;
    wshub_ext_client__enter(client);
    if (!wshub_ext_client__auto(client) || wshub_ext_client__can_send(client))
        err = wshub_ext_client__rooms(client, "leave", rooms, count, true);
    for (i = 0; i < count && !err; i++) {
        wshub_ext_client__name **at = wshub_ext_client__find(&client->rooms, rooms[i]);
        if (*at) wshub_ext_client__room_drop(client, at);
    }
    wshub_ext_client__leave(client);
    return err;
}

WSHUB_API wshub_err wshub_ext_client_subscribe(wshub_ext_client *client, wshub_str event) {
    wshub_ext_client__name **at = wshub_ext_client__find(&client->events, event);

    if (!event.len || event.len > WSHUB_NAME_BYTES_MAX) return WSHUB_ERR_PARAM;
    if (*at) return WSHUB_OK;
    *at = wshub_ext_client__name_new(client, event);
    return *at ? WSHUB_OK : WSHUB_ERR_NOMEM;
}

WSHUB_API wshub_err wshub_ext_client_unsubscribe(wshub_ext_client *client, wshub_str event) {
    wshub_ext_client__name **at = wshub_ext_client__find(&client->events, event);

    if (!event.len) return WSHUB_ERR_PARAM;
    if (!*at) return WSHUB_ERR_ABSENT;
    wshub_ext_client__name_drop(client, at);
    return WSHUB_OK;
}

/* ---- authentication ---- */

WSHUB_API wshub_err wshub_ext_client_authenticate(wshub_ext_client *client, wshub_str data) {
    wshub_ws__bytes text = {NULL, 0, 0};
    wshub_err err;

    if (client->doomed || client->state != WSHUB_EXT_CLIENT_UNAUTHORIZED) return WSHUB_ERR_STATE;
    if (data.ptr && !wshub_json_check(data, 0)) return WSHUB_ERR_JSON;
    err = wshub_ext_client__write(client, &text, wshub_str_z("authenticate"), data, 0);
    if (!err) err = wshub_ws_send(client->pool, client->ws, WSHUB_WS_TEXT, text.ptr, text.len);
    wshub_ws__bytes_free(client->pool, &text);
    if (err) return err;
    wshub_ws__text_free(client->pool, &client->error);
    wshub_ext_client__to(client, WSHUB_EXT_CLIENT_AUTHENTICATING);
    return WSHUB_OK;
}

static void wshub_ext_client__beat(wshub_ext_client *client) {
    uint32_t every = wshub_ext_client__or(client->desc->heartbeat_ms, 30000);

    if (every != WSHUB_OFF)
        wshub_ws_timer_start(client->pool, &client->timer, wshub_ws_now_ms(client->pool) + every);
}

/* Asks for the rooms again that are remembered. A hook that does not seal it has dropped it. */
static wshub_err wshub_ext_client__rejoin(wshub_ext_client *client) {
    wshub_ws__bytes text = {NULL, 0, 0};
    wshub_err err;

    if (!client->rooms || !wshub_ext_client__auto(client)) return WSHUB_OK;
    err = wshub_ext_client__rooms_text(client, &text, "join", NULL, 0);
    if (!err) err = wshub_ext_client__send(client, text.ptr, text.len);
    wshub_ws__bytes_free(client->pool, &text);
    return err == WSHUB_ERR_APP || client->doomed ? WSHUB_OK : err;
}

/* The hub has said `connected`: rooms, what was kept, and then the application, so that what was
 * emitted first leaves first. Without memory to ask for its rooms it is not what it was: it drops
 * the connection, and comes back. */
static void wshub_ext_client__accepted(wshub_ext_client *client, wshub_str data) {
    const wshub_ext_client_events *events = client->desc->events;
    wshub_str id;

    wshub_ext_client__to(client, WSHUB_EXT_CLIENT_AUTHENTICATED);
    client->attempt = 0;
    client->stable = true;
    client->id_len = 0;
    if (wshub_json_copy(wshub_json_find(data, "id"), client->id, sizeof client->id, NULL) ==
        WSHUB_OK)
        client->id_len = (uint8_t)strlen(client->id);
    wshub_ext_client__beat(client);
    if (wshub_ext_client__rejoin(client)) {
        (void)wshub_ws_drop(client->pool, client->ws);
        return;
    }
    wshub_ext_client__flush(client);
    id = wshub_ext_client_id(client);
    if (!client->doomed && events->authenticated && client->state == WSHUB_EXT_CLIENT_AUTHENTICATED)
        events->authenticated(client, id, data, client->user);
}

/* ---- what comes ---- */

/* Keeps the message of an `error`. */
static void wshub_ext_client__on_error(wshub_ext_client *client, wshub_str data) {
    wshub_str value = wshub_json_find(data, "message");
    char text[256];

    if (wshub_json_copy(value, text, sizeof text, NULL)) return;
    wshub_ws__text_free(client->pool, &client->error);
    client->error = wshub_ws__text(client->pool, text, strlen(text));
}

/* Is this the answer to a request? */
static bool wshub_ext_client__on_reply(wshub_ext_client *client, const wshub_event *event) {
    wshub_ext_client__request *request = client->requests;
    uint64_t number;

    if (!event->id.ptr || !wshub_json_uint(event->id, &number)) return false;
    while (request && request->id != number) request = request->next;
    if (!request || !request->sent) return false;
    wshub_ext_client__answer(client, request, WSHUB_OK, event);
    return true;
}

/* A message of the hub's. bytes: ours to write into. opened: it came out of an encrypted one. */
static void wshub_ext_client__message(wshub_ext_client *client, uint8_t *bytes, size_t count,
                                      bool opened) {
    wshub_json_field fields[3] = {{"event", {NULL, 0}}, {"data", {NULL, 0}}, {"id", {NULL, 0}}};
    const wshub_ext_client_events *events = client->desc->events;
    wshub_event event;
    wshub_str text, out = {NULL, 0};
    uint8_t *name, *copy;

    text.ptr = (const char *)bytes;
    text.len = count;
    if (wshub_json_fields(bytes, count, WSHUB_JSON_DEPTH_MAX, fields, 3) != WSHUB_JSON_FIELDS ||
        wshub_json_peek(fields[0].value) != WSHUB_JSON_STRING)
        return;
    name = bytes + (fields[0].value.ptr - text.ptr);
    event.data = fields[1].value;
    event.id = fields[2].value;

    if (events->open && !opened && wshub_json_is(fields[0].value, "encrypted") &&
        client->state == WSHUB_EXT_CLIENT_AUTHENTICATED) {
        if (!events->open(client, text, &out, client->user) || client->doomed) return;
        copy = (uint8_t *)wshub_ws_alloc(client->pool, NULL, 0, out.len + 1);
        if (!copy) return;
        if (out.len) memcpy(copy, out.ptr, out.len);
        if (wshub_utf8_check(copy, out.len)) wshub_ext_client__message(client, copy, out.len, true);
        (void)wshub_ws_alloc(client->pool, copy, out.len + 1, 0);
        return;
    }

    event.event.ptr = (const char *)name;
    event.event.len =
        wshub_json_unescape(name + 1, fields[0].value.len - 2, name, fields[0].value.len - 2);
    if (wshub_str_eq_z(event.event, "connected") &&
        (client->state == WSHUB_EXT_CLIENT_UNAUTHORIZED ||
         client->state == WSHUB_EXT_CLIENT_AUTHENTICATING))
        wshub_ext_client__accepted(client, event.data);
    if (wshub_str_eq_z(event.event, "error")) wshub_ext_client__on_error(client, event.data);
    if (client->doomed || wshub_ext_client__on_reply(client, &event)) return;
    if (events->event && (*wshub_ext_client__find(&client->events, event.event) ||
                          *wshub_ext_client__find(&client->events, wshub_str_z("*"))))
        events->event(client, &event, client->user);
}

static void wshub_ext_client__on_message(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind,
                                         uint8_t *bytes, size_t count, void *user) {
    wshub_ext_client *client = (wshub_ext_client *)user;

    (void)pool;
    if (ws.id != client->ws.id || client->doomed) return;
    wshub_ext_client__enter(client);
    if (client->desc->events->message)
        client->desc->events->message(client, kind, bytes, count, client->user);
    else if (kind == WSHUB_WS_TEXT || wshub_utf8_check(bytes, count))
        wshub_ext_client__message(client, bytes, count, false);
    wshub_ext_client__leave(client);
}

static void wshub_ext_client__on_pong(wshub_ws_pool *pool, wshub_ws ws, const uint8_t *bytes,
                                      size_t count, void *user) {
    wshub_ext_client *client = (wshub_ext_client *)user;

    (void)pool;
    if (ws.id != client->ws.id || client->doomed) return;
    wshub_ext_client__enter(client);
    if (client->desc->events->pong) client->desc->events->pong(client, bytes, count, client->user);
    wshub_ext_client__leave(client);
}

static void wshub_ext_client__on_drained(wshub_ws_pool *pool, wshub_ws ws, void *user) {
    wshub_ext_client *client = (wshub_ext_client *)user;

    (void)pool;
    if (ws.id != client->ws.id) return;
    wshub_ext_client__enter(client);
    wshub_ext_client__flush(client);
    wshub_ext_client__leave(client);
}

/* ---- coming and going ---- */

static void wshub_ext_client__on_opened(wshub_ws_pool *pool, wshub_ws ws,
                                        const wshub_ws_about *about, void *user) {
    wshub_ext_client *client = (wshub_ext_client *)user;
    const wshub_ext_client_desc *desc = client->desc;

    wshub_ext_client__enter(client);
    wshub_ext_client__to(client, WSHUB_EXT_CLIENT_UNAUTHORIZED);
    client->opened_ms = wshub_ws_now_ms(pool);
    client->stable = desc->backoff_from_open;
    wshub_ws__text_free(pool, &client->error);
    wshub_ext_client__flush(client);
    /* What is doomed has no description any more. */
    if (!client->doomed && desc->events->connected)
        desc->events->connected(client, about, client->user);
    /* The hub would wait for it, perhaps for ever. */
    if (!client->doomed && desc->auth && client->state == WSHUB_EXT_CLIENT_UNAUTHORIZED &&
        wshub_ext_client_authenticate(client, wshub_str_z(desc->auth)))
        (void)wshub_ws_drop(pool, ws);
    wshub_ext_client__leave(client);
}

/* Does an attempt that failed so leave hope for the next one? */
static bool wshub_ext_client__hopeful(const wshub_ws_gone *gone) {
    int status = gone->status;

    switch (gone->why) {
    case WSHUB_WS_END_CERTIFICATE:
    case WSHUB_WS_END_HANDSHAKE:
    case WSHUB_WS_END_REDIRECT:
    case WSHUB_WS_END_CANCELLED:
    case WSHUB_WS_END_ANSWER: /* of HTTP alone */
    case WSHUB_WS_END_RANDOM: return false;
    case WSHUB_WS_END_STATUS:
    case WSHUB_WS_END_PROXY:
        return !status || status == 408 || status == 425 || status == 429 || status >= 500;
    case WSHUB_WS_END_CLOSE:
    case WSHUB_WS_END_LOST:
    case WSHUB_WS_END_BROKEN:
    case WSHUB_WS_END_RESOLVE:
    case WSHUB_WS_END_CONNECT:
    case WSHUB_WS_END_TIMEOUT:
    case WSHUB_WS_END_TLS:
    case WSHUB_WS_END_EARLY:
    case WSHUB_WS_END_MEMORY:
    case WSHUB_WS_WHYS: return true;
    }
    return false;
}

/* Does it come back after such an end? */
static bool wshub_ext_client__comes_back(const wshub_ext_client *client,
                                         const wshub_ws_gone *gone) {
    if (client->left || client->desc->no_reconnect) return false;
    if (!gone->opened) return wshub_ext_client__hopeful(gone);
    if (client->desc->always || gone->why != WSHUB_WS_END_CLOSE) return true;
    return gone->code != 1000 && gone->code != 1008 && gone->code != 4003 && gone->code != 4004;
}

/* The next wait: doubled each time, and by chance half of it more or less, so that thousands do not
 * come back at once; after 1013 ("try again later") not the shortest. */
static uint32_t wshub_ext_client__delay(wshub_ext_client *client) {
    uint64_t base = wshub_ext_client__or(client->desc->reconnect_delay_ms, 1000);
    uint64_t most = wshub_ext_client__or(client->desc->reconnect_delay_max_ms, 5000);
    uint32_t i, chance = UINT32_MAX / 2;

    for (i = 1; i < client->attempt && base < most; i++) base *= 2;
    if (base > most) base = most;
    (void)wshub_ws_random(client->pool, &chance, sizeof chance);
    if (client->later) chance = UINT32_MAX / 2 + chance / 2;
    base = base / 2 + (base * chance >> 32);
    return base ? (uint32_t)base : 1; /* or nothing would rest in between */
}

/* Waits for the next attempt, or gives up. */
static void wshub_ext_client__schedule(wshub_ext_client *client) {
    const wshub_ext_client_desc *desc = client->desc;
    uint32_t delay;

    if (desc->reconnect_tries && client->attempt >= desc->reconnect_tries) {
        if (desc->events->gave_up) desc->events->gave_up(client, client->attempt, client->user);
        return;
    }
    client->attempt++;
    delay = wshub_ext_client__delay(client);
    wshub_ext_client__to(client, WSHUB_EXT_CLIENT_WAITING);
    wshub_ws_timer_start(client->pool, &client->timer, wshub_ws_now_ms(client->pool) + delay);
    if (desc->events->reconnecting)
        desc->events->reconnecting(client, client->attempt, delay, client->user);
}

/* Tells of an end of what was connected. */
static void wshub_ext_client__tell_end(wshub_ext_client *client, const wshub_ws_gone *gone,
                                       bool again) {
    const wshub_ext_client_events *events = client->desc->events;
    wshub_str message = gone->reason;

    if (gone->why == WSHUB_WS_END_CLOSE && !client->left && events->unauthenticated &&
        (gone->code == 4001 || gone->code == 4003 || gone->code == 4004)) {
        if (client->error) message = wshub_str_z(client->error);
        events->unauthenticated(client, message, client->user);
    }
    if (!client->doomed && events->disconnected)
        events->disconnected(client, gone, again, client->user);
}

static void wshub_ext_client__on_ended(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone,
                                       void *user) {
    wshub_ext_client *client = (wshub_ext_client *)user;
    const wshub_ext_client_events *events = client->desc->events;
    bool again = wshub_ext_client__comes_back(client, gone);

    if (ws.id != client->ws.id) return;
    wshub_ext_client__enter(client);
    client->ws.id = 0;
    client->later = gone->opened && gone->code == 1013;
    if (gone->opened &&
        (client->stable || wshub_ws_now_ms(pool) - client->opened_ms >=
                               wshub_ext_client__or(client->desc->stable_ms, 30000)))
        client->attempt = 0;
    wshub_ext_client__to(client, WSHUB_EXT_CLIENT_IDLE);
    wshub_ext_client__lose(client);
    if (gone->opened && !client->doomed)
        wshub_ext_client__tell_end(client, gone, again);
    else if (!client->doomed && events->connect_error)
        events->connect_error(client, gone, again, client->user);
    if (again && !client->doomed && !client->left && client->state == WSHUB_EXT_CLIENT_IDLE)
        wshub_ext_client__schedule(client);
    wshub_ext_client__leave(client);
}

static const wshub_ws_events wshub_ext_client__ws_events = {
    wshub_ext_client__on_opened, wshub_ext_client__on_message, wshub_ext_client__on_pong,
    wshub_ext_client__on_drained, wshub_ext_client__on_ended};

/* Begins an attempt. */
static void wshub_ext_client__attempt(wshub_ext_client *client) {
    wshub_ws_desc desc = client->desc->ws;
    wshub_ws_gone gone;
    bool again = !client->desc->no_reconnect;

    desc.events = &wshub_ext_client__ws_events;
    desc.user = client;
    wshub_ext_client__to(client, WSHUB_EXT_CLIENT_CONNECTING);
    if (wshub_ws_open(client->pool, &desc, &client->ws) == WSHUB_OK) return;

    memset(&gone, 0, sizeof gone);
    gone.why = WSHUB_WS_END_MEMORY;
    gone.text = wshub_strerror(WSHUB_ERR_NOMEM);
    wshub_ext_client__to(client, WSHUB_EXT_CLIENT_IDLE);
    if (client->desc->events->connect_error)
        client->desc->events->connect_error(client, &gone, again, client->user);
    if (again && !client->doomed && !client->left && client->state == WSHUB_EXT_CLIENT_IDLE)
        wshub_ext_client__schedule(client);
}

static void wshub_ext_client__on_timer(void *ctx) {
    wshub_ext_client *client = (wshub_ext_client *)ctx;
    static const char beat[] = "{\"event\":\"heartbeat\"}";

    wshub_ext_client__enter(client);
    if (client->state == WSHUB_EXT_CLIENT_WAITING) {
        wshub_ext_client__attempt(client);
    } else if (client->state == WSHUB_EXT_CLIENT_AUTHENTICATED) {
        (void)wshub_ext_client__send(client, beat, sizeof beat - 1);
        if (!client->doomed) wshub_ext_client__beat(client);
    }
    if (!client->doomed) wshub_ext_client__flush(client); /* what had no memory */
    wshub_ext_client__leave(client);
}

WSHUB_API wshub_err wshub_ext_client_connect(wshub_ext_client *client) {
    if (client->doomed || client->state >= WSHUB_EXT_CLIENT_UNAUTHORIZED) return WSHUB_ERR_STATE;
    client->left = false;
    if (client->state == WSHUB_EXT_CLIENT_CONNECTING) return WSHUB_OK;
    client->attempt = 0;
    if (client->state == WSHUB_EXT_CLIENT_IDLE)
        wshub_ext_client__to(client, WSHUB_EXT_CLIENT_WAITING);
    wshub_ws_timer_start(client->pool, &client->timer,
                         wshub_ws_now_ms(client->pool) + !wshub_ws_now_ms(client->pool));
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ext_client_disconnect(wshub_ext_client *client, uint16_t code,
                                                wshub_str reason) {
    wshub_err err = WSHUB_OK;

    if (wshub_ext_client__connected(client)) {
        err = wshub_ws_close(client->pool, client->ws, code, reason);
        if (err) return err == WSHUB_ERR_STALE ? WSHUB_OK : err;
        wshub_ext_client__to(client, WSHUB_EXT_CLIENT_LEAVING);
    } else if (client->state == WSHUB_EXT_CLIENT_WAITING ||
               client->state == WSHUB_EXT_CLIENT_CONNECTING) {
        (void)wshub_ws_forget(client->pool, client->ws);
        client->ws.id = 0;
        wshub_ext_client__to(client, WSHUB_EXT_CLIENT_IDLE);
    }
    client->left = true;
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ext_client_drop(wshub_ext_client *client) {
    if (!wshub_ext_client__connected(client)) return WSHUB_ERR_STATE;
    (void)wshub_ws_drop(client->pool, client->ws);
    return WSHUB_OK;
}

WSHUB_API wshub_ext_client_state wshub_ext_client_state_of(const wshub_ext_client *client) {
    return (wshub_ext_client_state)client->state;
}
WSHUB_API wshub_str wshub_ext_client_id(const wshub_ext_client *client) {
    wshub_str id;
    id.ptr = client->id;
    id.len = client->state == WSHUB_EXT_CLIENT_AUTHENTICATED ? client->id_len : 0;
    return id;
}
WSHUB_API size_t wshub_ext_client_buffered(const wshub_ext_client *client) {
    return client->kept_count;
}
WSHUB_API wshub_ws wshub_ext_client_ws(const wshub_ext_client *client) {
    return client->ws;
}

/* ---- making and ending one ---- */

WSHUB_API const char *wshub_ext_client_desc_problem_versioned(const wshub_ext_client_desc *desc,
                                                              size_t desc_bytes, uint32_t version) {
    wshub_ws_desc ws;
    const char *problem;

    if (!desc) return "desc: it is NULL";
    if (version != WSHUB_EXT_CLIENT_VERSION || desc_bytes != sizeof *desc)
        return "desc: compiled against another wshub_ext_client.h than this code";
    if (!desc->events) return "events: they are required";
    ws = desc->ws;
    ws.events = &wshub_ext_client__ws_events;
    problem = wshub_ws_desc_problem(&ws);
    if (problem) return problem;
    if (desc->auth && !wshub_json_check(wshub_str_z(desc->auth), 0)) return "auth: no JSON";
    if (desc->reconnect_delay_ms > 86400000 || desc->reconnect_delay_max_ms > 86400000)
        return "reconnect_delay_ms, reconnect_delay_max_ms: up to a day";
    if (desc->buffer_bytes != WSHUB_OFF && desc->buffer_bytes > WSHUB_WS__COUNT_MAX)
        return "buffer_bytes: up to 2^30, or WSHUB_OFF";
    if (desc->heartbeat_ms != WSHUB_OFF && desc->heartbeat_ms > 86400000)
        return "heartbeat_ms: up to a day, or WSHUB_OFF";
    return NULL;
}

WSHUB_API wshub_err wshub_ext_client_create_versioned(wshub_ws_pool *pool,
                                                      const wshub_ext_client_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      void *user, wshub_ext_client **out_client) {
    wshub_ext_client *client;

    if (!pool || pool->doomed || !out_client ||
        wshub_ext_client_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    client = (wshub_ext_client *)wshub_ws_alloc(pool, NULL, 0, sizeof *client);
    if (!client) return WSHUB_ERR_NOMEM;
    memset(client, 0, sizeof *client);
    client->pool = pool;
    client->desc = desc;
    client->user = user;
    client->timer.fire = wshub_ext_client__on_timer;
    client->timer.ctx = client;
    if (wshub_ws_timer_add(pool, &client->timer)) {
        (void)wshub_ws_alloc(pool, client, sizeof *client, 0);
        return WSHUB_ERR_NOMEM;
    }
    if (!desc->no_connect) (void)wshub_ext_client_connect(client);
    *out_client = client;
    return WSHUB_OK;
}

WSHUB_API void wshub_ext_client_destroy(wshub_ext_client *client) {
    if (!client || client->doomed) return;
    client->doomed = true;
    (void)wshub_ws_forget(client->pool, client->ws);
    if (!client->depth) wshub_ext_client__free(client);
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
