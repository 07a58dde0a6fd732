/* wshub_dialect_engineio.h - Engine.IO v4: sessions over long-polling and WebSocket, on a hub
 *
 * [x] polling: polls that are held, posts of any number of packets, overlaps, aborts
 * [x] WebSocket, from the start or by an upgrade with its probe, while messages flow
 * [x] heartbeat by the server, refusals as Node's server words them, cookie, CORS, a hook that
 *     admits or refuses, now or later
 * [x] what a session is owed lies in the hub's queue, with the hub's limits, whatever brings it
 * [x] compression of polls' answers, and by the hub of WebSockets
 * [ ] JSONP, WebTransport, version 3 of the protocol
 *
 * System   the C standard library.
 * Include  behind wshub.h. The code is emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_DIALECT_ENGINEIO_IMPLEMENTATION for a file of its own.
 * Threads  an engine belongs to its hub's thread; a group of engines to all of theirs.
 *
 * Socket.IO stands on it (wshub_dialect_socketio.h), and brings its own path. Alone it is a pipe
 * for messages, texts and bytes, to clients of the npm package engine.io-client. An echo:
 *
 *     static void on_message(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes,
 *                            size_t count, bool text, void *user) {
 *         (void)user;
 *         wshub_eio_send(eio, session, bytes, count, text);
 *     }
 *     static int serve(wshub_io_sock *net, wshub *hub) {
 *         wshub_eio *eio;
 *         if (wshub_eio_create(hub, &(wshub_eio_desc){.on_message = on_message}, &eio)) return 1;
 *         wshub_io_sock_serve(net, hub); // until a signal
 *         wshub_destroy(hub);
 *         wshub_eio_destroy(eio); // behind its hub
 *         return 0;
 *     }
 *
 * ---- Sessions ----------------------------------------------------------------------------------
 * A session polls at first, unless its client begins with a WebSocket: GET brings what waits for
 * it, or is held until something does; POST brings what the client says, any number of packets at
 * once. Behind its back the client tries a WebSocket, and the session moves there with all that
 * waits. Nothing is lost or doubled by that, nor out of order, whenever something is sent.
 *
 * Its id is a secret, as whoever knows it can poll in its place: 20 characters, 88 bits of them
 * random. It is no name for anybody: put it into no page and no log.
 *
 * Pages of which origins may open sessions is said by wshub_desc.allowed_origins, as for all that
 * the hub serves: others are refused with 403, code 4. `cors` says which of them may read answers.
 *
 * What closes a session, as on_close is told: its client (`transport close`), a breach of the rules
 * or a poll that is dropped (`transport error`), silence (`ping timeout`), a packet that is none
 * (`parse error`), wshub_eio_close() (`forced close`), the end of it all (`server shutting down`),
 * more waiting for it than session_bytes_max (OVERFLOW, `transport error`). A session that polls,
 * and is closed while no poll is held, hears of it by its next one, within 30 s.
 *
 * ---- Options, beside those of Node's server ----------------------------------------------------
 *     Node's option      default           here
 *     path               "/engine.io"      path: "/engine.io/", and all below it
 *     addTrailingSlash   true              always: the path without it is not this mount's
 *     pingInterval       25000             ping_interval_ms
 *     pingTimeout        20000             ping_timeout_ms
 *     upgradeTimeout     10000             upgrade_timeout_ms
 *     maxHttpBufferSize  1e6               message_bytes_max
 *     transports         both              no_polling, no_websocket
 *     allowUpgrades      true              no_upgrade
 *     allowRequest       none              allow: true, or later wshub_eio_admit(), _refuse()
 *     cors               none              cors; and wshub_desc.allowed_origins, which keeps out
 *       origin: true                       cors.reflect
 *     cookie             none              cookie: its name; cookie_rest: what stands behind it
 *     initialPacket      none              initial
 *     serveClient        (Socket.IO's)     on_file: you have the file, we have none
 *     "initial_headers"  event             on_answer, first is set
 *     "headers"          event             on_answer
 *     "connection_error" event             on_refused
 *     generateId         15 random bytes   as there, and not yours to make
 *     destroyUpgrade     true, 1 s         what no mount takes is answered 404
 *     perMessageDeflate  off               wshub_desc.deflate, for all WebSockets of the hub
 *     httpCompression    from 1024 bytes   deflate, whatever the packets' `compress` says
 *     allowEIO3, j=      off, JSONP        none: version 4, without JSONP
 *     webtransport       off               none
 *
 * ---- Limits ------------------------------------------------------------------------------------
 * What a peer can make grow, the field that bounds it with its default, and the figure that counts
 * it. No count that a peer announces sizes anything.
 *
 *     sessions             sessions_max 100000            refused with 503; refused. One that is
 *                                                         closed and has not heard of it yet counts
 *     of one address       sessions_per_address_max,      refused with 503; refused, crowded
 *                          WSHUB_OFF
 *     one message          message_bytes_max 1000000      a post: 413, the session stays;
 *                                                         a WebSocket: 1009; protocol_errors
 *     what waits for one   session_bytes_max 8388608      it is closed; overflown
 *     silence              ping_interval_ms 25000 and     it is closed
 *                          ping_timeout_ms 20000
 *     a second transport   one at a time, and for         it is closed, and the session polls on
 *                          upgrade_timeout_ms 10000
 *     polls, posts         one of each at a time          the session is closed
 *     a closed session     30 s, until it hears of that   forgotten
 *     streams, heads,      conns_max, http_head_bytes_max,   the hub's (>>limits of wshub.h)
 *     slow bodies          head_timeout_ms, message_timeout_ms
 *     how fast             address_conns_per_s            the hub's (>>rates of wshub.h)
 *
 * `refused`, `crowded` and `overflown` are wshub_eio_stats, the others wshub_stats. A session
 * without a client behind it, which nobody polls, is closed ping_interval_ms + ping_timeout_ms
 * after its opening.
 *
 * An address is that of wshub_about.peer: behind a proxy that is trusted the one that it tells, of
 * IPv6 as many bits as address_prefix_bits of the hub says. Whoever comes by a Unix socket has none
 * and is not counted. Behind a proxy that is not trusted all have the proxy's. A session counts
 * until it has closed, or until wshub_eio_trust() says that it is a wanted one.
 *
 * ---- Several loops of one process ---------------------------------------------------------------
 * A program with a hub on each core listens with each of them on one port (reuse_port of
 * wshub_io_sock_desc), and connections come to any. Requests that poll for one session come by
 * several connections, and so does its upgrade: the engines share a group, and a connection that
 * brings a request for a session of another engine goes there, request and all, before anything
 * of it is answered. Each thread:
 *
 *     wshub_eio_desc desc = {.group = group, .on_message = on_message};
 *     wshub_eio_create(hub, &desc, &eio);
 *     wshub_io_sock_serve(net, hub);
 *     wshub_destroy(hub);
 *     wshub_eio_destroy(eio); // before its io
 *     wshub_io_sock_destroy(net);
 *
 * The number of the loop is in the id, masked. A loop that has left, or does not know the session,
 * gives the answer that every unknown session gets: 400, code 1. Of what one session is told by
 * clients of other loops the bus takes care (wshub_bus_local.h). All engines of a group have the
 * same description, and ios of one kind: over one that cannot hand streams over, which is to say
 * without wshub_io.hand_over, requests for other loops get that 400. A connection counts for the
 * limits of each hub that has it in turn, sessions for those of their own engine
 * (tests/test_eio_loops.c; tests/socketio_loops.mjs asks real clients).
 *
 * ---- Several processes behind one address ------------------------------------------------------
 * A session lives in one process, and all requests that poll for it have to go there: any other one
 * answers them with 400, code 1, and the client begins anew. A WebSocket is one connection and goes
 * wherever it goes, so who has only these (`transports: ["websocket"]`) needs nothing of this.
 *
 * The balancer cannot choose by a hash of the session's id: the first request has none, and whoever
 * answers that one makes it up. It chooses by something that is there from the beginning, or it
 * remembers. nginx, by the address of the client:
 *
 *     map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
 *     upstream hubs {
 *         hash $remote_addr consistent;
 *         server 127.0.0.1:8080;
 *         server 127.0.0.1:8081;
 *     }
 *     server {
 *         listen 80;
 *         location / {
 *             proxy_pass http://hubs;
 *             proxy_http_version 1.1;
 *             proxy_next_upstream off;
 *             proxy_buffering off;
 *             proxy_read_timeout 2m;
 *             proxy_set_header Host $host;
 *             proxy_set_header Upgrade $http_upgrade;
 *             proxy_set_header Connection $connection_upgrade;
 *             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
 *         }
 *     }
 *
 * Where many clients share an address, or one changes it, let each make up a key and say it in the
 * query of all of its requests: `io({query: {k: Math.random()}})` in the page, and `hash $arg_k
 * consistent;` here. Who comes back comes to the same process, too. Behind another proxy
 * $remote_addr is that one's: use the key.
 *
 * haproxy can remember who has a session: wshub_eio_desc.cookie = "io" puts its id into the answer
 * that opens it, where it is learned, and later requests have it in their query:
 *
 *     frontend web
 *         mode http
 *         bind :80
 *         option forwardfor
 *         default_backend hubs
 *     backend hubs
 *         mode http
 *         balance leastconn
 *         timeout server 2m
 *         timeout tunnel 2m
 *         stick-table type string len 20 size 1m expire 5m
 *         stick store-response res.cook(io)
 *         stick match url_param(sid)
 *         server one 127.0.0.1:8080 check
 *         server two 127.0.0.1:8081 check
 *
 * `balance source` with `hash-type consistent`, or `balance url_param k`, do as nginx does above,
 * without a table and the cookie.
 *
 * No request may be asked twice by the balancer: a poll that comes while another is held ends its
 * session. So `proxy_next_upstream off`, and no `retry-on` in haproxy beyond what it does by
 * itself. Times to wait have to be longer than ping_interval_ms, in which each poll is answered and
 * each WebSocket says something. `make sticky` runs both with these very lines.
 *
 * With wshub_desc.trusted_proxies and forwarded_header addresses are those of the clients, not the
 * balancer's (README.md, Behind a proxy). All of this brings requests to their session: what
 * sessions of one process are told, those of another are not.
 *
 *
 * ---- Where it departs from Node's server, on purpose -------------------------------------------
 * - Another version of the protocol, or transport=polling, in a request for a WebSocket is refused
 *   with 400. Node's server grants the WebSocket, and writes an answer of HTTP into it, or ends it.
 * - Pages of origins that are not allowed open no session. There, CORS hides answers from them, and
 *   the session is there all the same.
 * - A poll that is held when the session moves is answered with a noop. There it may be answered
 *   with a close, by which a client thinks that the session is over.
 * - A pong that nobody has asked for changes no clock. There it puts the next ping off, so that a
 *   client can silence the heartbeat.
 * - The heartbeat begins anew when a session has moved. There a ping that is unanswered at that
 *   moment is the last one, and a session whose client is gone stays for ever.
 * - A packet of type close closes over a WebSocket, too. There the session waits for the ping.
 * - No pong is missed while what was sent before the ping is still leaving: a slow line is no
 *   silence, and write_timeout_ms of the hub judges its progress.
 * - What waits for a session is bounded, as nothing drains one that does not poll.
 * - 204 has no Content-Length (RFC 9110 8.6). Of subprotocols the first is echoed, as there, but
 *   none that carries a token.
 * - A WebSocket of the drafts before RFC 6455 (version 8) is refused. There it is as good as 13.
 * - A body that nobody reads, as its request is refused, is not waited for: the stream ends behind
 *   the answer, and the client opens another. There it is read and dropped.
 *
 * Proved by tests/test_eio.c, tests/test_eio_polling.c, tests/test_eio_upgrade.c,
 * tests/test_eio_heads.c, tests/test_eio_states.c, tests/test_sio_limits.c, tests/test_sio_sim.c,
 * tests/test_sio_faults.c and tests/test_eio_vectors.c, which plays what Node's server was recorded
 * to answer; over real sockets by tests/sticky.mjs and tests/socketio_chat.mjs. */
#ifndef WSHUB_DIALECT_ENGINEIO_H
#define WSHUB_DIALECT_ENGINEIO_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* Sessions on one path. Made by wshub_eio_create(), ended by wshub_eio_destroy(). */
typedef struct wshub_eio wshub_eio;
/* The engines of one process that serve one path, each on a loop of its own. */
typedef struct wshub_eio_group wshub_eio_group;
/* One session. {0}: none. Stale when it has closed. */
typedef struct wshub_eio_session {
    uint64_t id; /* the library's own; not the sid */
} wshub_eio_session;

/* What carries a session. */
typedef enum wshub_eio_transport { WSHUB_EIO_POLLING = 1, WSHUB_EIO_WEBSOCKET } wshub_eio_transport;

/* Why a session has closed; wshub_eio_reason_text() says it in the words of Node's server. */
typedef enum wshub_eio_reason {
    WSHUB_EIO_TRANSPORT_CLOSE = 1, /* its client closed it, or its WebSocket ended */
    WSHUB_EIO_TRANSPORT_ERROR,     /* a breach of HTTP or RFC 6455, an aborted poll, a ping of its
                                      client's, two polls at a time */
    WSHUB_EIO_PING_TIMEOUT,        /* no pong in time */
    WSHUB_EIO_PARSE_ERROR,         /* a packet that is none */
    WSHUB_EIO_FORCED_CLOSE,        /* wshub_eio_close() */
    WSHUB_EIO_SHUTDOWN,            /* wshub_eio_shutdown(), or the hub's end */
    WSHUB_EIO_OVERFLOW             /* more waits for it than session_bytes_max, or no memory */
} wshub_eio_reason;

/* Codes of refusals, as they stand in their JSON. */
typedef enum wshub_eio_refusal {
    WSHUB_EIO_UNKNOWN_TRANSPORT = 0,    /* `transport` is missing, or none that is served */
    WSHUB_EIO_UNKNOWN_SID = 1,          /* no session has this sid, or not any more */
    WSHUB_EIO_BAD_HANDSHAKE_METHOD = 2, /* a session is opened by GET */
    WSHUB_EIO_BAD_REQUEST = 3,          /* another transport than the session's, or a wrong body */
    WSHUB_EIO_FORBIDDEN = 4,            /* `allow` has refused it */
    WSHUB_EIO_UNSUPPORTED_VERSION = 5   /* `EIO` is not 4 */
} wshub_eio_refusal;

/* Which pages of other origins may talk to it, in the words of Node's `cors`: the headers stand in
 * every answer, refusals and 101 too. They make browsers give answers to pages, and keep nobody
 * out: that is what wshub_desc.allowed_origins and `allow` are for. */
typedef struct wshub_eio_cors {
    /* Required, unless `reflect`: origins_count of them, one at least, each written as those of
     * wshub_desc.allowed_origins are. "*", which stands alone, is everybody; a single one is said
     * whatever was asked; of several, and of one that has `*.` before its host, the one that asks,
     * if it is allowed. */
    const char *const *origins;
    size_t origins_count;
    /* Whoever asks is allowed, and named: Node's `origin: true`. Instead of origins, for pages of
     * any site at all; with credentials any of them reads answers as whoever looks at it */
    bool reflect;
    bool credentials; /* cookies are sent along; browsers refuse that with `*`. Not with `null` */
    const char *methods; /* "GET,HEAD,PUT,PATCH,POST,DELETE" */
    const char *headers; /* that a page may set; NULL: those that it asks for */
    const char *expose;  /* that it may read in an answer; NULL: it is not said */
    uint32_t max_age_s;  /* for which a preflight holds; 0: it is not said */
} wshub_eio_cors;

#define WSHUB_EIO_DESC_VERSION 1 /* it rises when the struct below changes */

/* What is served, and how. Zero is the default of every field, which stands first in its comment.
 * What it points to is borrowed until wshub_eio_destroy(). All callbacks run on the hub's thread,
 * may call anything, and may be NULL; `user` is their last argument. */
typedef struct wshub_eio_desc {
    const char *path;            /* "/engine.io/"; begins with `/`; one at its end is added */
    uint32_t ping_interval_ms;   /* 25000; from a pong, or the beginning, to the next ping */
    uint32_t ping_timeout_ms;    /* 20000; from a ping to the pong; both together: 2147483647 */
    uint32_t upgrade_timeout_ms; /* 10000; from a second transport's beginning to its end */
    uint32_t message_bytes_max;  /* 1000000; of one message, or of the body of a post */
    uint32_t session_bytes_max;  /* 8388608; what may wait for one session; beyond it is closed */
    uint32_t sessions_max;       /* 100000; further ones are refused with 503 */
    bool no_polling;             /* WebSocket alone */
    bool no_websocket;           /* polling alone */
    bool no_upgrade;             /* who polls stays at that */
    const wshub_eio_cors *cors;  /* NULL: pages of this origin alone read answers */
    const char *cookie;          /* name of a cookie with the id, for balancers; NULL: none */
    const char *cookie_rest;     /* "Path=/; HttpOnly; SameSite=Lax" */
    const char *initial;         /* a text that follows the open packet in every session's first
                                     answer; NULL: none */
    /* WSHUB_OFF; of one address, but for those that are trusted: wshub_eio_trust() */
    uint32_t sessions_per_address_max;
    /* Kinds of wire of the hub's that a session's clients have while it polls and when it has a
     * WebSocket, with and without b64=1: see wshub_eio_kind(). 0: it has no clients. */
    wshub_kind kind_polling, kind_websocket, kind_websocket_b64;
    /* Asks whether a new session may be. Returns true: yes. false: answer with wshub_eio_refuse(),
     * inside it or later, or later with wshub_eio_admit(). */
    bool (*allow)(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http, void *user);
    /* Hands over a GET of a longer path without the query of Engine.IO, `/engine.io/client.js`:
     * answer it and return true; false: it is a request like any other. */
    bool (*on_file)(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http, void *user);
    /* Tells that a session has opened; its open packet has left before whatever you send. */
    void (*on_open)(wshub_eio *eio, wshub_eio_session session, void *user);
    /* Hands over a message. bytes: a view until you return; text: they are UTF-8. */
    void (*on_message)(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes,
                       size_t count, bool text, void *user);
    /* Tells that a session has closed, once for each that has opened; its handle is stale behind
     * this, and nothing can be sent any more. */
    void (*on_close)(wshub_eio *eio, wshub_eio_session session, wshub_eio_reason reason,
                     void *user);
    /* Tells of a request that was refused. detail: a text without what the peer has sent. */
    void (*on_refused)(wshub_eio *eio, wshub_eio_refusal code, const char *message, void *user);
    /* Asks for further headers of an answer: add them with wshub_headers_add().
     *   session  {0}: it is none yet, or not any more
     *   first    it opens one */
    void (*on_answer)(wshub_eio *eio, wshub_eio_session session, bool first, wshub_headers *more,
                      void *user);
    /* With which other engines of this process it shares its path, its port and this description:
     * requests for sessions of theirs go there. NULL: it is alone. Borrowed until
     * wshub_eio_destroy(), which must be called before the io of its hub ends. */
    wshub_eio_group *group;
    /* Compresses answers to polls of deflate_bytes_min bytes or more for clients that take that
     * (wshub_http_coding()); the table is copied, its ctx must outlive the engine. What goes over
     * WebSockets is the hub's: wshub_desc.deflate. NULL: none is. */
    const wshub_deflate *deflate;
    uint32_t deflate_bytes_min; /* 1024 */
    wshub_alloc_fn alloc;       /* NULL: realloc and free */
    void *alloc_user;           /* its first argument */
    void *user;                 /* the last argument of all callbacks; wshub_eio_user() */
} wshub_eio_desc;

/* How many engines a group may have at a time. */
#define WSHUB_EIO_LOOPS_MAX 256

/* Makes a group of engines, each of which has a hub and a thread of its own.
 *   out_group  given to you, end it with wshub_eio_group_destroy()
 * Returns  OK; PARAM: out_group is NULL; NOMEM.
 * Thread   any. */
WSHUB_API wshub_err wshub_eio_group_create(wshub_eio_group **out_group);
/* Ends a group, in which no engine is any more. NULL: nothing. Thread: any. */
WSHUB_API void wshub_eio_group_destroy(wshub_eio_group *group);

/* Figures of an engine. */
typedef struct wshub_eio_stats {
    uint64_t sessions;  /* gauge: open */
    uint64_t polling;   /* gauge: of these, without a WebSocket */
    uint64_t opened;    /* in all */
    uint64_t upgraded;  /* moved to a WebSocket */
    uint64_t refused;   /* requests that were answered with an error */
    uint64_t overflown; /* sessions closed with OVERFLOW */
    uint64_t crowded;   /* sessions refused for sessions_per_address_max */
    uint64_t elsewhere; /* requests that went, with their streams, to another engine of the group */
} wshub_eio_stats;

/* Serves a path from now on, as long as the hub lives.
 *   hub      on its thread
 *   desc     borrowed; NULL: all defaults
 *   out_eio  given to you, end it with wshub_eio_destroy()
 * Returns  OK; PARAM: wshub_eio_desc_problem() says which field; STATE: its path is another's
 *          (wshub_mount()); NOMEM; LIMIT: mounts or dialects of the hub, or engines of the group.
 *          What it is, is logged (CREATE). */
WSHUB_INLINE wshub_err wshub_eio_create(wshub *hub, const wshub_eio_desc *desc,
                                        wshub_eio **out_eio);
/* Says in one line what wshub_eio_create() would refuse in a description, beginning with the
 * field's name. NULL: nothing. Pure: any thread. */
WSHUB_API const char *wshub_eio_desc_problem(const wshub_eio_desc *desc);
/* Says what wshub_eio_create() would return on a hub now, memory, dialects and the group apart, and
 * does nothing.
 * Returns  OK; PARAM; STATE; LIMIT: mounts. */
WSHUB_API wshub_err wshub_eio_check(const wshub *hub, const wshub_eio_desc *desc);
/* Says why wshub_eio_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h.
 *   err  what that returned; OK: it was not called yet
 * Returns  as that. Thread: the hub's. */
WSHUB_INLINE size_t wshub_eio_desc_explain(const wshub *hub, const wshub_eio_desc *desc,
                                           wshub_err err, char *buf, size_t cap);
/* What these two call, as wshub_create_versioned() of wshub.h.
 *   desc_bytes  sizeof(wshub_eio_desc)
 *   version     WSHUB_EIO_DESC_VERSION
 * Return   as those; PARAM also for another version. */
WSHUB_API wshub_err wshub_eio_create_versioned(wshub *hub, const wshub_eio_desc *desc,
                                               size_t desc_bytes, uint32_t version,
                                               wshub_eio **out_eio);
WSHUB_API size_t wshub_eio_desc_explain_versioned(const wshub *hub, const wshub_eio_desc *desc,
                                                  size_t desc_bytes, uint32_t version,
                                                  wshub_err err, char *buf, size_t cap);
WSHUB_INLINE wshub_err wshub_eio_create(wshub *hub, const wshub_eio_desc *desc,
                                        wshub_eio **out_eio) {
    return wshub_eio_create_versioned(hub, desc, sizeof *desc, WSHUB_EIO_DESC_VERSION, out_eio);
}
WSHUB_INLINE size_t wshub_eio_desc_explain(const wshub *hub, const wshub_eio_desc *desc,
                                           wshub_err err, char *buf, size_t cap) {
    return wshub_eio_desc_explain_versioned(hub, desc, sizeof *desc, WSHUB_EIO_DESC_VERSION, err,
                                            buf, cap);
}
/* Ends it, after its hub: on_close is told of nothing any more. NULL: nothing. */
WSHUB_API void wshub_eio_destroy(wshub_eio *eio);
/* Closes all sessions, as Node's io.close() does: nothing is sent, held polls and WebSockets end.
 * New ones are refused. */
WSHUB_API void wshub_eio_shutdown(wshub_eio *eio);

/* Sends a message. It leaves in this turn's settle, with the next poll, or when the WebSocket has
 * room.
 *   bytes  count of them; borrowed, copied once
 *   text   they are UTF-8; false: bytes
 * Returns  OK; STALE; PARAM: a count without bytes, no UTF-8, or a text with WSHUB_EIO_SEPARATOR in
 *          it while the session polls, where that would begin a packet of its own; LIMIT: over
 *          message of the hub's WSHUB_MSG_BYTES_MAX; NOMEM, DROPPED: the session closes
 *          (OVERFLOW). */
WSHUB_API wshub_err wshub_eio_send(wshub_eio *eio, wshub_eio_session session, const void *bytes,
                                   size_t count, bool text);
/* Closes a session: what waits is brought still, then its client is told. on_close is called before
 * this returns (FORCED_CLOSE). Returns OK; STALE. */
WSHUB_API wshub_err wshub_eio_close(wshub_eio *eio, wshub_eio_session session);
/* Closes a session for another reason, as whoever reads its messages finds them wrong. Returns OK;
 * STALE. */
WSHUB_API wshub_err wshub_eio_close_for(wshub_eio *eio, wshub_eio_session session,
                                        wshub_eio_reason reason);

/* Answer a request that `allow` has left open. text: UTF-8, terminated; NULL: "Forbidden".
 * Return  OK; STALE: its peer has gone, or it was answered; LIMIT: sessions_max, it is refused;
 *         NOMEM. */
WSHUB_API wshub_err wshub_eio_admit(wshub_eio *eio, wshub_exchange exchange);
WSHUB_API wshub_err wshub_eio_refuse(wshub_eio *eio, wshub_exchange exchange, const char *text);

/* What a session is, while it is open; of one that is stale: NULL, 0, an empty text, {0}. */
WSHUB_API wshub_eio_transport wshub_eio_transport_of(const wshub_eio *eio,
                                                     wshub_eio_session session);
WSHUB_API wshub_str wshub_eio_sid(const wshub_eio *eio, wshub_eio_session session);
/* Would something that is sent now leave at once? A poll is held, or nothing is unsent. */
WSHUB_API bool wshub_eio_is_writable(const wshub_eio *eio, wshub_eio_session session);
/* The hub's own session, to which clients can be added; a session that moves gets another. */
WSHUB_API wshub_session wshub_eio_hub_session(const wshub_eio *eio, wshub_eio_session session);
/* The kind of wire that its clients have at present. */
WSHUB_API wshub_kind wshub_eio_kind(const wshub_eio *eio, wshub_eio_session session);
/* The request that has opened it, as it was; kept until wshub_eio_forget_http(). NULL: forgotten.
 * Its conn is that of then. */
WSHUB_API const wshub_http *wshub_eio_http(const wshub_eio *eio, wshub_eio_session session);
/* The request that has brought what on_message is being told: a POST, or NULL over a WebSocket. A
 * view until that callback returns; NULL outside it. */
WSHUB_API const wshub_http *wshub_eio_carrier(const wshub_eio *eio);
/* Where it came from: as wshub_about.peer was. Forgotten with the request. */
WSHUB_API wshub_str wshub_eio_address(const wshub_eio *eio, wshub_eio_session session);
/* When it was opened, in milliseconds since 1970 UTC. Forgotten with the request: 0. */
WSHUB_API uint64_t wshub_eio_issued_ms(const wshub_eio *eio, wshub_eio_session session);
/* Whether that request came over TLS, here in this program. Forgotten with it: false. */
WSHUB_API bool wshub_eio_is_secure(const wshub_eio *eio, wshub_eio_session session);
/* Frees the memory of the request, some hundred bytes a session. */
WSHUB_API void wshub_eio_forget_http(wshub_eio *eio, wshub_eio_session session);
/* Says that a session is one that is wanted, as its client has shown who it is: it counts no more
 * against sessions_per_address_max. */
WSHUB_API void wshub_eio_trust(wshub_eio *eio, wshub_eio_session session);
/* A pointer of yours, NULL at first. */
WSHUB_API void wshub_eio_set_session_user(wshub_eio *eio, wshub_eio_session session, void *user);
WSHUB_API void *wshub_eio_session_user(const wshub_eio *eio, wshub_eio_session session);
/* Goes through all open sessions. iter: zeroed to begin. Anything may be closed or opened
 * meanwhile. Returns false: no more. */
WSHUB_API bool wshub_eio_each(const wshub_eio *eio, wshub_iter *iter,
                              wshub_eio_session *out_session);
/* The hub that it is on; what desc.user was; the figures. */
WSHUB_API wshub *wshub_eio_hub(const wshub_eio *eio);
WSHUB_API void *wshub_eio_user(const wshub_eio *eio);
WSHUB_API void wshub_eio_stats_get(const wshub_eio *eio, wshub_eio_stats *out_stats);
/* The words of Node's server for a reason, such as "transport close". A constant. */
WSHUB_API const char *wshub_eio_reason_text(wshub_eio_reason reason);

/* For the encoder of a protocol above, whose packets are the engine's messages: what stands between
 * two packets of a payload that is polled. */
#define WSHUB_EIO_SEPARATOR 0x1E
/* The same for a message of bytes where only text can go, as polled and as text frame: how long it
 * is, and what it is, `b` and base64.
 *   bytes  count of them
 *   out    wshub_eio_binary_len(count) characters; not terminated
 * Pure: any thread. */
WSHUB_API size_t wshub_eio_binary_len(size_t count);
WSHUB_API void wshub_eio_binary_write(const void *bytes, size_t count, char *out);
/* The other way: the base64 behind the `b`, read as leniently as Node reads it.
 *   out  3 bytes for each 4 characters that have begun; may be the text itself
 * Returns  how many bytes. Pure: any thread. */
WSHUB_API size_t wshub_eio_binary_read(wshub_str text, void *out);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_DIALECT_ENGINEIO_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_DIALECT_ENGINEIO_IMPLEMENTATION)) &&           \
    !defined(WSHUB__DIALECT_ENGINEIO_DONE)
#define WSHUB__DIALECT_ENGINEIO_DONE
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

/* ---- >>eio-objects ---------------------------------------------------------------------------
 * What there is: an engine, its sessions in slots, lists of those that wait for the same clock. A
 * session's state changes in wshub_eio__to() alone. */

enum {
    WSHUB_EIO__SID = 20,           /* characters of base64url, of 15 bytes */
    WSHUB_EIO__TICK_MS = 100,      /* a poll is let go while its session moves */
    WSHUB_EIO__CLOSING_MS = 30000, /* until somebody who does not poll is given up */
    WSHUB_EIO__SLACK_MS = 5000,    /* a poll is answered by a ping long before this */
    WSHUB_EIO__NONE = 0x7FFFFFFF
};

/* What a session is at. Every packet, request and clock does what stands for it in the table in
 * >>eio-states. */
typedef enum wshub_eio__state {
    WSHUB_EIO__FREE,     /* a slot without a session */
    WSHUB_EIO__POLLS,    /* open; polls */
    WSHUB_EIO__UPGRADES, /* open; polls, and has a second transport that is being tried */
    WSHUB_EIO__SOCKET,   /* open; a WebSocket carries it */
    WSHUB_EIO__CLOSING,  /* closed; what waits, and the end, are brought by polls that come */
    WSHUB_EIO__DEAD,     /* closed; the hub holds something of it still that will be told of */
    WSHUB_EIO__STATES
} wshub_eio__state;

/* Which clock a session waits for; of one length each, so that whoever begins to wait is the last
 * of the list. */
typedef enum wshub_eio__clock {
    WSHUB_EIO__CLOCK_PING,    /* the next ping is sent */
    WSHUB_EIO__CLOCK_PONG,    /* the pong has not come */
    WSHUB_EIO__CLOCK_CLOSING, /* nobody has come to hear of the end */
    WSHUB_EIO__CLOCKS,
    WSHUB_EIO__NO_CLOCK = WSHUB_EIO__CLOCKS
} wshub_eio__clock;

/* What `owner` of an exchange or a WebSocket is: an engine, or a session of one. */
typedef struct wshub_eio__owner {
    wshub_eio *eio;
    bool is_session;
} wshub_eio__owner;

/* The request that has opened a session, kept whole in one block. */
typedef struct wshub_eio__opening {
    size_t bytes; /* of this block: headers and texts follow */
    wshub_http http;
    wshub_str address;
    uint64_t issued_ms;
    bool secure;
} wshub_eio__opening;

/* A second transport that is being tried. */
typedef struct wshub_eio__upgrade {
    wshub_conn conn;
    wshub_timer deadline, tick; /* tick {0}: it has not probed */
} wshub_eio__upgrade;

typedef struct wshub_eio__session {
    wshub_eio__owner owner;
    uint8_t state; /* wshub_eio__state */
    uint8_t clock; /* wshub_eio__clock */
    bool b64;      /* bytes go as text, over a WebSocket too */
    bool extended; /* something else than a pong has come since the ping */
    bool first;    /* its opening request is yet to be answered */
    /* One as long as it is not dead, and one for each thing of the hub's of which it is the owner:
     * an exchange until it is answered or told to be gone, a WebSocket until it is told to have
     * closed, a lent session until that is told to have ended. */
    uint32_t refs;
    uint32_t slot, prev, next; /* its place; its neighbours in the list of its clock, as slots */
    uint64_t due;
    wshub_session hub_session;
    wshub_conn conn;           /* SOCKET: its WebSocket */
    wshub_exchange poll, post; /* {0}: none is held; none is being read */
    wshub_eio__upgrade *upgrade;
    wshub_eio__opening *opening;
    struct wshub_eio__address *address; /* NULL: it is not counted, or no more */
    void *user;
    struct wshub_eio__session *next_ended;
    char sid[WSHUB_EIO__SID];
} wshub_eio__session;

/* An address, and how many sessions count for it. */
typedef struct wshub_eio__address {
    struct wshub_eio__address *next; /* of its bucket */
    uint32_t sessions;
    uint8_t bytes[16];
} wshub_eio__address;

typedef struct wshub_eio__slot {
    wshub_eio__session *session; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
} wshub_eio__slot;

struct wshub_eio_group {
    bool lock;       /* of what follows, and of an engine's being there */
    bool has_mask;   /* the first engine that has come has made it */
    uint8_t mask[4]; /* that all of them have */
    const wshub_eio *loops[WSHUB_EIO_LOOPS_MAX]; /* by number; NULL: none */
};

struct wshub_eio {
    wshub_eio__owner owner;
    wshub_io io;  /* with a group: the hub's, for the other engines */
    uint8_t loop; /* with a group: its number there */
    bool joined;  /* it is in its group */
    wshub *hub;
    wshub_eio_desc desc;   /* with all defaults */
    wshub_deflate deflate; /* if desc.deflate */
    char *path;
    size_t path_len;
    uint32_t dialect;
    bool down; /* wshub_eio_shutdown() */
    wshub_eio__slot *slots;
    uint32_t slots_count, slots_cap, first_free;
    uint32_t heads[WSHUB_EIO__CLOCKS], tails[WSHUB_EIO__CLOCKS]; /* slots */
    wshub_timer timer;                                           /* of the soonest */
    uint64_t timer_due;                                          /* 0: it does not run */
    uint8_t mask[4];                                             /* over the slot number in a sid */
    uint32_t held;      /* sessions that are not dead: open ones, and those that are closing */
    uint64_t secret[2]; /* of the hash by which addresses lie in their buckets */
    wshub_eio__address **buckets;
    uint32_t buckets_count, addresses;
    uint32_t depth; /* how many calls are open: what has ended is freed when none is */
    wshub_eio__session *ended;
    wshub_exchange carrier; /* whose body is being told; {0}: none is */
    char *scratch;          /* where packets and payloads are put together */
    size_t scratch_cap;
    wshub_eio_stats stats;
};

static void *wshub_eio__realloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

static void *wshub_eio__alloc(const wshub_eio *eio, void *ptr, size_t old_bytes, size_t new_bytes) {
    return eio->desc.alloc(eio->desc.alloc_user, ptr, old_bytes, new_bytes);
}

static wshub_eio_session wshub_eio__handle(const wshub_eio__session *session) {
    wshub_eio_session handle;
    const wshub_eio__slot *slot = &session->owner.eio->slots[session->slot];
    handle.id = (uint64_t)slot->generation << 32 | (session->slot + 1);
    return handle;
}

/* The session of a handle, also one that is closing. NULL: stale. */
static wshub_eio__session *wshub_eio__get(const wshub_eio *eio, wshub_eio_session handle) {
    uint32_t slot = (uint32_t)handle.id - 1;
    if (!handle.id || slot >= eio->slots_count) return NULL;
    if (eio->slots[slot].generation != (uint32_t)(handle.id >> 32)) return NULL;
    return eio->slots[slot].session;
}

/* The same, but one that is open: NULL where on_open is yet to be told, or on_close has been. */
static wshub_eio__session *wshub_eio__open(const wshub_eio *eio, wshub_eio_session handle) {
    wshub_eio__session *session = wshub_eio__get(eio, handle);
    bool open = session && session->state > WSHUB_EIO__FREE && session->state < WSHUB_EIO__CLOSING;
    return open && !session->first ? session : NULL;
}

/* Room for so many bytes at the engine's scratch. NULL: out of memory. */
static char *wshub_eio__scratch(wshub_eio *eio, size_t bytes) {
    size_t cap = eio->scratch_cap ? eio->scratch_cap : 1024;
    char *room;

    if (bytes <= eio->scratch_cap) return eio->scratch;
    while (cap < bytes) cap *= 2;
    room = (char *)wshub_eio__alloc(eio, eio->scratch, eio->scratch_cap, cap);
    if (!room) return NULL;
    eio->scratch = room;
    eio->scratch_cap = cap;
    return room;
}

/* Takes the scratch away, with what is in it: what is asked about an answer may send, which would
 * write over its body. Returns its memory, to be given back to wshub_eio__scratch_return(). */
static char *wshub_eio__scratch_take(wshub_eio *eio, size_t *out_cap) {
    char *memory = eio->scratch;

    *out_cap = eio->scratch_cap;
    eio->scratch = NULL;
    eio->scratch_cap = 0;
    return memory;
}

/* Gives it back, unless another was needed meanwhile. */
static void wshub_eio__scratch_return(wshub_eio *eio, char *memory, size_t cap) {
    if (eio->scratch) {
        (void)wshub_eio__alloc(eio, memory, cap, 0);
        return;
    }
    eio->scratch = memory;
    eio->scratch_cap = cap;
}

/* What was needed once for something large is given back. */
static void wshub_eio__scratch_trim(wshub_eio *eio) {
    if (eio->scratch_cap <= 65536) return;
    (void)wshub_eio__alloc(eio, eio->scratch, eio->scratch_cap, 0);
    eio->scratch = NULL;
    eio->scratch_cap = 0;
}

/* ---- slots ---- */

/* Takes a slot for a session. Returns its number; WSHUB_EIO__NONE: out of memory. */
static uint32_t wshub_eio__slot_take(wshub_eio *eio, wshub_eio__session *session) {
    uint32_t number = eio->first_free;

    if (number == WSHUB_EIO__NONE) {
        number = eio->slots_count;
        if (number == eio->slots_cap) {
            uint32_t cap = eio->slots_cap ? eio->slots_cap * 2 : 16;
            wshub_eio__slot *slots = (wshub_eio__slot *)wshub_eio__alloc(
                eio, eio->slots, eio->slots_cap * sizeof *slots, cap * sizeof *slots);
            if (!slots) return WSHUB_EIO__NONE;
            eio->slots = slots;
            eio->slots_cap = cap;
        }
        eio->slots[number].generation = 1;
        eio->slots_count++;
    } else {
        WSHUB_ASSERT(!eio->slots[number].session);
        eio->first_free = eio->slots[number].next_free;
    }
    eio->slots[number].session = session;
    return number;
}

static void wshub_eio__slot_free(wshub_eio *eio, uint32_t number) {
    wshub_eio__slot *slot = &eio->slots[number];

    WSHUB_ASSERT(number < eio->slots_count);
    WSHUB_ASSERT(slot->session);
    slot->session = NULL;
    slot->generation++;
    slot->next_free = eio->first_free;
    eio->first_free = number;
}

/* ---- what holds between two calls ---- */

#if defined(WSHUB_SELF_CHECK) && !defined(NDEBUG)
enum { WSHUB_EIO__CHECKED = 64 }; /* sessions up to which all is looked at each time */

/* A session has what its state says, and nothing else. */
static void wshub_eio__check_session(const wshub_eio *eio, const wshub_eio__session *session) {
    uint8_t state = session->state;
    bool polls = state == WSHUB_EIO__POLLS || state == WSHUB_EIO__UPGRADES;
    bool open = polls || state == WSHUB_EIO__SOCKET;

    WSHUB_ASSERT(session->owner.is_session && session->owner.eio == eio);
    WSHUB_ASSERT(eio->slots[session->slot].session == session);
    WSHUB_ASSERT(session->refs > 0);
    WSHUB_ASSERT(open || state == WSHUB_EIO__CLOSING || state == WSHUB_EIO__DEAD);
    WSHUB_ASSERT((session->upgrade != NULL) == (state == WSHUB_EIO__UPGRADES));
    WSHUB_ASSERT((session->conn.id != 0) == (state == WSHUB_EIO__SOCKET));
    WSHUB_ASSERT((session->hub_session.id != 0) == (state != WSHUB_EIO__DEAD));
    WSHUB_ASSERT(!session->poll.id || polls);
    WSHUB_ASSERT(!session->first || state == WSHUB_EIO__DEAD); /* answered, or never open */
    WSHUB_ASSERT(!(session->post.id && state == WSHUB_EIO__DEAD));
    WSHUB_ASSERT(!((session->opening || session->address) && state == WSHUB_EIO__DEAD));
    if (open)
        WSHUB_ASSERT(session->clock == WSHUB_EIO__CLOCK_PING ||
                     session->clock == WSHUB_EIO__CLOCK_PONG);
    else
        WSHUB_ASSERT(session->clock == (state == WSHUB_EIO__CLOSING
                                            ? (uint8_t)WSHUB_EIO__CLOCK_CLOSING
                                            : (uint8_t)WSHUB_EIO__NO_CLOCK));
}

/* Who waits for one clock: all in that list, the soonest first. Returns how many. */
static uint32_t wshub_eio__check_list(const wshub_eio *eio, unsigned clock) {
    uint32_t count = 0, before = WSHUB_EIO__NONE, at = eio->heads[clock];
    uint64_t due = 0;

    for (; at != WSHUB_EIO__NONE; before = at, at = eio->slots[at].session->next, count++) {
        WSHUB_ASSERT(eio->slots[at].session->clock == clock);
        WSHUB_ASSERT(eio->slots[at].session->prev == before);
        WSHUB_ASSERT(eio->slots[at].session->due >= due);
        due = eio->slots[at].session->due;
    }
    WSHUB_ASSERT(eio->tails[clock] == before);
    return count;
}

/* Each address counts for its sessions: as many of them as name it. */
static uint32_t wshub_eio__check_addresses(const wshub_eio *eio) {
    uint32_t i, count = 0, sessions = 0;

    for (i = 0; i < eio->buckets_count; i++) {
        const wshub_eio__address *address = eio->buckets[i];
        for (; address; address = address->next, count++) {
            WSHUB_ASSERT(address->sessions > 0);
            sessions += address->sessions;
        }
    }
    WSHUB_ASSERT(eio->addresses == count);
    return sessions;
}

/* What is counted, and who is listed, agrees with the sessions that there are. */
static void wshub_eio__check(const wshub_eio *eio) {
    uint32_t i, held = 0, open = 0, polling = 0, counted = 0, waits = 0, listed = 0;

    if (eio->slots_count > WSHUB_EIO__CHECKED) return;
    for (i = 0; i < eio->slots_count; i++) {
        const wshub_eio__session *session = eio->slots[i].session;
        if (!session) continue;
        wshub_eio__check_session(eio, session);
        held += session->state != WSHUB_EIO__DEAD;
        open += session->state < WSHUB_EIO__CLOSING;
        polling += session->state < WSHUB_EIO__SOCKET;
        counted += session->address != NULL;
        waits += session->clock != WSHUB_EIO__NO_CLOCK;
    }
    WSHUB_ASSERT(eio->held == held);
    WSHUB_ASSERT(eio->stats.sessions == open);
    WSHUB_ASSERT(eio->stats.polling == polling);
    WSHUB_ASSERT(wshub_eio__check_addresses(eio) == counted);
    for (i = 0; i < WSHUB_EIO__CLOCKS; i++) listed += wshub_eio__check_list(eio, i);
    WSHUB_ASSERT(listed == waits);
}
#else
static void wshub_eio__check(const wshub_eio *eio) {
    (void)eio;
}
#endif

/* Around all that comes from the hub or the application: what ends inside is freed behind it, as
 * somebody further out may still look at it, and the hub lasts as long. */
static void wshub_eio__enter(wshub_eio *eio) {
    wshub_call_begin(eio->hub);
    eio->depth++;
    WSHUB_ASSERT(eio->depth < 1000);
}

/* Nobody looks at what has ended any more. */
static void wshub_eio__ended_free(wshub_eio *eio) {
    while (eio->ended) {
        wshub_eio__session *session = eio->ended;
        eio->ended = session->next_ended;
        wshub_eio__slot_free(eio, session->slot);
        (void)wshub_eio__alloc(eio, session, sizeof *session, 0);
    }
}

/* Behind the outermost the hub may be gone. */
static void wshub_eio__leave(wshub_eio *eio) {
    WSHUB_ASSERT(eio->depth > 0);
    if (--eio->depth == 0) {
        wshub_eio__ended_free(eio);
        wshub_eio__scratch_trim(eio);
        wshub_eio__check(eio);
    }
    wshub_call_end(eio->hub);
}

/* ---- >>eio-codec -----------------------------------------------------------------------------
 * Texts that go over the wire. Pure. */

static const char wshub_eio__url64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of a character of base64, of either alphabet. -1: it is none. */
static int wshub_eio__b64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Reads base64 as leniently as Node does: what is no character of it is passed over, `=` ends it.
 * out: 3 bytes for each 4 characters at most; may be the text itself. Returns how many bytes. */
static size_t wshub_eio__b64_read(const char *text, size_t len, uint8_t *out) {
    uint32_t bits = 0;
    unsigned have = 0;
    size_t i, n = 0;

    for (i = 0; i < len && text[i] != '='; i++) {
        int value = wshub_eio__b64_value(text[i]);
        if (value < 0) continue;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[n++] = (uint8_t)(bits >> have);
    }
    WSHUB_ASSERT(n <= len);
    return n;
}

WSHUB_API size_t wshub_eio_binary_read(wshub_str text, void *out) {
    return wshub_eio__b64_read(text.ptr, text.len, (uint8_t *)out);
}

WSHUB_API size_t wshub_eio_binary_len(size_t count) {
    return 1 + (count + 2) / 3 * 4;
}

WSHUB_API void wshub_eio_binary_write(const void *bytes, size_t count, char *out) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = (const uint8_t *)bytes;
    size_t i;

    *out++ = 'b';
    for (i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t bits = (uint32_t)from[i] << 16;
        if (left > 1) bits |= (uint32_t)from[i + 1] << 8;
        if (left > 2) bits |= from[i + 2];
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[bits & 63] : '=';
    }
}

/* One packet of a payload. */
typedef struct wshub_eio__packet {
    char type; /* '0' to '6'; 'b': a message of bytes */
    wshub_str data;
} wshub_eio__packet;

/* Reads a packet that came as text. False: it is none. */
static bool wshub_eio__packet_read(wshub_str text, wshub_eio__packet *out) {
    if (text.len == 0) return false;
    if ((text.ptr[0] < '0' || text.ptr[0] > '6') && text.ptr[0] != 'b') return false;
    out->type = text.ptr[0];
    out->data.ptr = text.ptr + 1;
    out->data.len = text.len - 1;
    return true;
}

/* Takes the next packet off a payload. False: that was the last one. An empty payload is one empty
 * packet. */
static bool wshub_eio__payload_next(wshub_str *payload, wshub_str *out) {
    const char *end;

    if (!payload->ptr) return false;
    end = (const char *)memchr(payload->ptr, WSHUB_EIO_SEPARATOR, payload->len);
    out->ptr = payload->ptr;
    out->len = end ? (size_t)(end - payload->ptr) : payload->len;
    payload->len -= out->len + (end != NULL);
    payload->ptr = end ? end + 1 : NULL;
    return true;
}

/* ---- >>eio-query -----------------------------------------------------------------------------
 * What a request says of itself in its query: of a name that comes twice the last counts. */

typedef struct wshub_eio__query {
    char version[4], transport[16], sid[WSHUB_EIO__SID + 4];
    size_t version_len, transport_len,
        sid_len; /* SIZE_MAX: it is not there, or too long to be right */
    bool has_version, has_transport, has_sid, b64;
} wshub_eio__query;

/* Is this raw name that one, decoded? */
static bool wshub_eio__query_is(wshub_str raw, const char *name) {
    char text[16];
    size_t len = wshub_percent_decode(raw, true, text, sizeof text);
    return len == strlen(name) && memcmp(text, name, len) == 0;
}

/* Decodes a value. What does not fit is longer than anything that could be right. */
static size_t wshub_eio__query_value(wshub_str raw, char *buf, size_t cap) {
    size_t len = raw.ptr ? wshub_percent_decode(raw, true, buf, cap) : 0;
    return len <= cap ? len : SIZE_MAX;
}

static void wshub_eio__query_read(wshub_str query, wshub_eio__query *out) {
    wshub_iter iter = {0, 0};
    wshub_str name, value;

    memset(out, 0, sizeof *out);
    while (wshub_query_each(query, &iter, &name, &value)) {
        if (wshub_eio__query_is(name, "EIO")) {
            out->has_version = true;
            out->version_len = wshub_eio__query_value(value, out->version, sizeof out->version);
        } else if (wshub_eio__query_is(name, "transport")) {
            out->has_transport = true;
            out->transport_len =
                wshub_eio__query_value(value, out->transport, sizeof out->transport);
        } else if (wshub_eio__query_is(name, "sid")) {
            out->sid_len = wshub_eio__query_value(value, out->sid, sizeof out->sid);
            out->has_sid = out->sid_len > 0; /* an empty one is none */
        } else if (wshub_eio__query_is(name, "b64")) {
            out->b64 = value.len > 0;
        }
    }
}

static bool wshub_eio__text_is(const char *text, size_t len, const char *what) {
    return len == strlen(what) && memcmp(text, what, len) == 0;
}

/* ---- >>eio-clocks ----------------------------------------------------------------------------
 * One list a clock, whose members have begun to wait one after the other for the same time, and one
 * timer of the hub's for the soonest of all. It is never set later than somebody waits for, and may
 * be set sooner: then it finds nobody, and is set anew. */

static void wshub_eio__timer_fired(wshub *hub, void *arg);

static uint64_t wshub_eio__clock_ms(const wshub_eio *eio, unsigned clock) {
    if (clock == WSHUB_EIO__CLOCK_PING) return eio->desc.ping_interval_ms;
    if (clock == WSHUB_EIO__CLOCK_PONG) return eio->desc.ping_timeout_ms;
    WSHUB_ASSERT(clock == WSHUB_EIO__CLOCK_CLOSING);
    return WSHUB_EIO__CLOSING_MS;
}

static wshub_eio__session *wshub_eio__at(const wshub_eio *eio, uint32_t slot) {
    WSHUB_ASSERT(slot < eio->slots_count);
    WSHUB_ASSERT(eio->slots[slot].session);
    return eio->slots[slot].session;
}

/* Sees that the timer fires at `due` at the latest. Without memory for one, the next that is set
 * will do: each packet and each request comes by here. */
static void wshub_eio__timer_by(wshub_eio *eio, uint64_t due) {
    uint64_t now = wshub_now_ms(eio->hub);

    if (eio->timer_due && eio->timer_due <= due) return;
    if (eio->timer_due) (void)wshub_timer_stop(eio->hub, eio->timer);
    eio->timer_due = 0;
    if (!wshub_timer_start(eio->hub, due > now ? due - now : 0, wshub_eio__timer_fired, eio,
                           &eio->timer))
        eio->timer_due = due ? due : 1;
}

/* Takes a session out of the list in which it waits. */
static void wshub_eio__clock_stop(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;
    unsigned clock = session->clock;

    WSHUB_ASSERT(clock <= WSHUB_EIO__NO_CLOCK);
    if (clock == WSHUB_EIO__NO_CLOCK) return;
    if (session->prev != WSHUB_EIO__NONE)
        wshub_eio__at(eio, session->prev)->next = session->next;
    else
        eio->heads[clock] = session->next;
    if (session->next != WSHUB_EIO__NONE)
        wshub_eio__at(eio, session->next)->prev = session->prev;
    else
        eio->tails[clock] = session->prev;
    session->clock = WSHUB_EIO__NO_CLOCK;
}

/* Lets a session wait for a clock, from now on, instead of what it waited for. */
static void wshub_eio__clock_start(wshub_eio__session *session, unsigned clock) {
    wshub_eio *eio = session->owner.eio;

    WSHUB_ASSERT(clock < WSHUB_EIO__CLOCKS);
    WSHUB_ASSERT(session->state != WSHUB_EIO__FREE && session->state != WSHUB_EIO__DEAD);
    wshub_eio__clock_stop(session);
    session->clock = (uint8_t)clock;
    session->due = wshub_now_ms(eio->hub) + wshub_eio__clock_ms(eio, clock);
    session->prev = eio->tails[clock];
    session->next = WSHUB_EIO__NONE;
    if (session->prev != WSHUB_EIO__NONE) {
        WSHUB_ASSERT(wshub_eio__at(eio, session->prev)->due <= session->due);
        wshub_eio__at(eio, session->prev)->next = session->slot;
    } else {
        eio->heads[clock] = session->slot;
    }
    eio->tails[clock] = session->slot;
    wshub_eio__timer_by(eio, session->due);
}

/* ---- >>eio-addresses -------------------------------------------------------------------------
 * How many sessions each address has that nobody vouches for: one entry an address, as long as it
 * has any, so that there are never more than sessions. A hash whose key nobody knows. */

/* The bucket of an address. */
static wshub_eio__address **wshub_eio__bucket(const wshub_eio *eio, const uint8_t bytes[16]) {
    WSHUB_ASSERT(eio->buckets_count);
    return &eio->buckets[wshub_siphash(eio->secret, bytes, 16) & (eio->buckets_count - 1)];
}

/* Twice as many buckets. False: out of memory, nothing changed. */
static bool wshub_eio__buckets_grow(wshub_eio *eio) {
    wshub_eio__address **old = eio->buckets;
    uint32_t old_count = eio->buckets_count, count = old_count ? old_count * 2 : 16, i;
    wshub_eio__address **buckets =
        (wshub_eio__address **)wshub_eio__alloc(eio, NULL, 0, count * sizeof *buckets);

    if (!buckets) return false;
    memset(buckets, 0, count * sizeof *buckets);
    eio->buckets = buckets;
    eio->buckets_count = count;
    for (i = 0; i < old_count; i++) {
        while (old[i]) {
            wshub_eio__address *address = old[i], **bucket = wshub_eio__bucket(eio, address->bytes);
            old[i] = address->next;
            address->next = *bucket;
            *bucket = address;
        }
    }
    if (old) (void)wshub_eio__alloc(eio, old, old_count * sizeof *old, 0);
    return true;
}

/* The first bits of an address by which it is counted; false: it has none. */
static bool wshub_eio__address_read(const wshub_eio *eio, wshub_conn conn, uint8_t out[16]) {
    uint32_t bits = wshub_desc_get(eio->hub)->address_prefix_bits, i;
    wshub_address address;
    wshub_about about;

    memset(&about, 0, sizeof about);
    if (wshub_conn_about(eio->hub, conn, &about) || !wshub_address_read(about.peer, &address))
        return false;
    if (address.kind == WSHUB_ADDRESS_UNIX) return false;
    if (address.kind == WSHUB_ADDRESS_V4) bits = 128;
    for (i = 0; i < 16; i++) {
        uint32_t left = bits > 8 * i ? bits - 8 * i : 0;
        out[i] = (uint8_t)(left >= 8 ? address.bytes[i] : address.bytes[i] & (0xFF00u >> left));
    }
    return true;
}

/* Counts a session for the address from which it comes. False: there are too many, or there is no
 * memory to count. */
static bool wshub_eio__address_take(wshub_eio__session *session, wshub_conn conn) {
    wshub_eio *eio = session->owner.eio;
    wshub_eio__address *address, **bucket;
    uint8_t bytes[16];

    WSHUB_ASSERT(!session->address);
    if (eio->desc.sessions_per_address_max == WSHUB_OFF) return true;
    if (!wshub_eio__address_read(eio, conn, bytes)) return true;
    if (eio->addresses >= eio->buckets_count && !wshub_eio__buckets_grow(eio)) return false;
    bucket = wshub_eio__bucket(eio, bytes);
    for (address = *bucket; address; address = address->next) {
        if (memcmp(address->bytes, bytes, sizeof bytes) == 0) break;
    }
    if (address && address->sessions >= eio->desc.sessions_per_address_max) {
        eio->stats.crowded++;
        return false;
    }

    if (!address) {
        address = (wshub_eio__address *)wshub_eio__alloc(eio, NULL, 0, sizeof *address);
        if (!address) return false;
        memcpy(address->bytes, bytes, sizeof bytes);
        address->sessions = 0;
        address->next = *bucket;
        *bucket = address;
        eio->addresses++;
    }
    address->sessions++;
    session->address = address;
    return true;
}

/* A session counts no more. */
static void wshub_eio__address_leave(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;
    wshub_eio__address *address = session->address, **link;

    if (!address) return;
    WSHUB_ASSERT(address->sessions > 0);
    session->address = NULL;
    if (--address->sessions) return;
    for (link = wshub_eio__bucket(eio, address->bytes); *link != address;) link = &(*link)->next;
    *link = address->next;
    WSHUB_ASSERT(eio->addresses > 0);
    eio->addresses--;
    (void)wshub_eio__alloc(eio, address, sizeof *address, 0);
}

/* ---- >>eio-states ----------------------------------------------------------------------------
 * A session's states, and its end. Which states may follow which (2.4, 2.6 of the protocol):
 *
 *     POLLS     -> UPGRADES  its client opens a WebSocket beside it
 *     UPGRADES  -> SOCKET    `5` on that
 *     UPGRADES  -> POLLS     anything else on that, its end, or the clock
 *     POLLS, UPGRADES -> CLOSING  closed from here, and nobody polls at the moment
 *     any       -> DEAD */

static void wshub_eio__to(wshub_eio__session *session, wshub_eio__state state) {
    static const uint8_t from[WSHUB_EIO__STATES] = {
        0,                                                                            /* FREE */
        1u << WSHUB_EIO__FREE | 1u << WSHUB_EIO__UPGRADES,                            /* POLLS */
        1u << WSHUB_EIO__POLLS,                                                       /* UPGRADES */
        1u << WSHUB_EIO__FREE | 1u << WSHUB_EIO__UPGRADES,                            /* SOCKET */
        1u << WSHUB_EIO__POLLS | 1u << WSHUB_EIO__UPGRADES | 1u << WSHUB_EIO__SOCKET, /* CLOSING */
        0xFF                                                                          /* DEAD */
    };
    WSHUB_ASSERT(from[state] & 1u << session->state);
    (void)from;
    session->state = (uint8_t)state;
}

static bool wshub_eio__is_open(const wshub_eio__session *session) {
    return session->state >= WSHUB_EIO__POLLS && session->state <= WSHUB_EIO__SOCKET;
}

static bool wshub_eio__polls(const wshub_eio__session *session) {
    return session->state == WSHUB_EIO__POLLS || session->state == WSHUB_EIO__UPGRADES;
}

/* Something of the hub's is not its any more. */
static void wshub_eio__unref(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;

    WSHUB_ASSERT(session->refs > 0);
    WSHUB_ASSERT(eio->depth > 0);
    if (--session->refs) return;
    WSHUB_ASSERT(session->state == WSHUB_EIO__DEAD);
    session->next_ended = eio->ended;
    eio->ended = session;
}

/* The number of a slot as it stands in an id, and back. */
static void wshub_eio__sid_mask(const wshub_eio *eio, uint8_t bytes[4]) {
    int i;
    for (i = 0; i < 4; i++) bytes[i] = (uint8_t)(bytes[i] ^ eio->mask[i]);
}

/* ---- a group ---- */

static void wshub_eio__group_lock(wshub_eio_group *group) {
#if defined(__GNUC__)
    while (__atomic_test_and_set(&group->lock, __ATOMIC_ACQUIRE)) { /* for a few lines */
    }
#else
    (void)group; /* one thread runs them all */
#endif
}
static void wshub_eio__group_unlock(wshub_eio_group *group) {
#if defined(__GNUC__)
    __atomic_clear(&group->lock, __ATOMIC_RELEASE);
#else
    (void)group;
#endif
}

/* An engine comes to its group: it gets a number, and the mask by which all of them read ids.
 * False: there are as many as there may be. */
static bool wshub_eio__group_join(wshub_eio *eio) {
    wshub_eio_group *group = eio->desc.group;
    unsigned i = 0;

    WSHUB_ASSERT(group && !eio->joined);
    eio->io = *wshub_io_of(eio->hub);
    wshub_eio__group_lock(group);
    if (group->has_mask)
        memcpy(eio->mask, group->mask, sizeof eio->mask);
    else
        memcpy(group->mask, eio->mask, sizeof eio->mask);
    group->has_mask = true;
    while (i < WSHUB_EIO_LOOPS_MAX && group->loops[i]) i++;
    if (i < WSHUB_EIO_LOOPS_MAX) {
        group->loops[i] = eio;
        eio->loop = (uint8_t)i;
        eio->joined = true;
    }
    wshub_eio__group_unlock(group);
    return eio->joined;
}

/* It goes: from here on nothing is handed over to it. */
static void wshub_eio__group_leave(wshub_eio *eio) {
    if (!eio->joined) return;
    wshub_eio__group_lock(eio->desc.group);
    WSHUB_ASSERT(eio->desc.group->loops[eio->loop] == eio);
    eio->desc.group->loops[eio->loop] = NULL;
    wshub_eio__group_unlock(eio->desc.group);
    eio->joined = false;
}

/* An id: where the session is, and 88 random bits. */
static void wshub_eio__sid_make(wshub_eio *eio, uint32_t slot, char out[WSHUB_EIO__SID]) {
    uint8_t bytes[15];
    size_t i, k = 0;

    for (i = 0; i < 4; i++) bytes[i] = (uint8_t)(slot >> (8 * i));
    WSHUB_ASSERT(!eio->joined || !bytes[3]); /* sessions_max sees to that */
    if (eio->joined) bytes[3] = eio->loop;
    wshub_eio__sid_mask(eio, bytes);
    wshub_random_bytes(eio->hub, bytes + 4, sizeof bytes - 4);
    for (i = 0; i < sizeof bytes; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        out[k++] = wshub_eio__url64[bits >> 18];
        out[k++] = wshub_eio__url64[bits >> 12 & 63];
        out[k++] = wshub_eio__url64[bits >> 6 & 63];
        out[k++] = wshub_eio__url64[bits & 63];
    }
    WSHUB_ASSERT(k == WSHUB_EIO__SID);
}

/* The session of an id, compared whole and in a time that does not depend on where it differs.
 * NULL: there is none. */
static wshub_eio__session *wshub_eio__sid_find(const wshub_eio *eio, const char *sid, size_t len) {
    wshub_eio__session *session;
    uint8_t bytes[WSHUB_EIO__SID];
    unsigned differs = 0;
    uint32_t slot = 0;
    size_t i;

    if (len != WSHUB_EIO__SID || wshub_eio__b64_read(sid, 8, bytes) != 6) return NULL;
    wshub_eio__sid_mask(eio, bytes);
    if (eio->joined && bytes[3] != eio->loop) return NULL;
    if (eio->joined) bytes[3] = 0;
    for (i = 0; i < 4; i++) slot |= (uint32_t)bytes[i] << (8 * i);
    if (slot >= eio->slots_count) return NULL;
    session = eio->slots[slot].session;
    if (!session || session->state == WSHUB_EIO__DEAD) return NULL;
    for (i = 0; i < WSHUB_EIO__SID; i++) differs |= (unsigned)(session->sid[i] ^ sid[i]);
    return differs ? NULL : session;
}

/* Copies a text to *at, which moves on. */
static wshub_str wshub_eio__keep(char **at, wshub_str text) {
    wshub_str kept;
    kept.ptr = text.ptr ? *at : NULL;
    kept.len = text.len;
    if (text.len) memcpy(*at, text.ptr, text.len); /* NOLINT */
    *at += text.len;
    return kept;
}

/* Keeps the request that opens a session, in one block. NULL: out of memory. */
static wshub_eio__opening *wshub_eio__opening_keep(wshub_eio *eio, const wshub_http *http) {
    wshub_about about;
    size_t bytes = sizeof(wshub_eio__opening) + http->headers_count * sizeof(wshub_header), i;
    wshub_eio__opening *opening;
    wshub_header *headers;
    char *at;

    memset(&about, 0, sizeof about);
    (void)wshub_conn_about(eio->hub, http->conn, &about);
    bytes += http->method.len + http->target.len + http->path.len + http->query.len;
    bytes += about.peer.len;
    for (i = 0; i < http->headers_count; i++)
        bytes += http->headers[i].name.len + http->headers[i].value.len;
    opening = (wshub_eio__opening *)wshub_eio__alloc(eio, NULL, 0, bytes);
    if (!opening) return NULL;

    memset(opening, 0, sizeof *opening);
    opening->bytes = bytes;
    opening->issued_ms = wshub_wall_ms(eio->hub);
    opening->secure = about.secure;
    headers = (wshub_header *)(void *)(opening + 1);
    at = (char *)(headers + http->headers_count);
    opening->http = *http;
    opening->http.headers = headers;
    opening->http.body = wshub_str_z("");
    opening->http.method = wshub_eio__keep(&at, http->method);
    opening->http.target = wshub_eio__keep(&at, http->target);
    opening->http.path = wshub_eio__keep(&at, http->path); /* no part of that target's memory */
    if (http->query.ptr) opening->http.query = wshub_eio__keep(&at, http->query);
    for (i = 0; i < http->headers_count; i++) {
        headers[i].name = wshub_eio__keep(&at, http->headers[i].name);
        headers[i].value = wshub_eio__keep(&at, http->headers[i].value);
    }
    opening->address = wshub_eio__keep(&at, about.peer);
    WSHUB_ASSERT(at == (char *)opening + bytes);
    return opening;
}

static void wshub_eio__opening_free(wshub_eio__session *session) {
    wshub_eio__opening *opening = session->opening;
    session->opening = NULL;
    if (opening) (void)wshub_eio__alloc(session->owner.eio, opening, opening->bytes, 0);
}

/* A new session, of no state yet and held by its maker. NULL: out of memory, or its address has too
 * many. */
static wshub_eio__session *wshub_eio__session_new(wshub_eio *eio, const wshub_http *http,
                                                  bool b64) {
    wshub_eio__session *session =
        (wshub_eio__session *)wshub_eio__alloc(eio, NULL, 0, sizeof *session);

    if (!session) return NULL;
    memset(session, 0, sizeof *session);
    session->owner.eio = eio;
    session->owner.is_session = true;
    session->clock = WSHUB_EIO__NO_CLOCK;
    session->b64 = b64;
    session->refs = 1;
    session->slot = wshub_eio__slot_take(eio, session);
    if (session->slot == WSHUB_EIO__NONE) {
        (void)wshub_eio__alloc(eio, session, sizeof *session, 0);
        return NULL;
    }
    if (wshub_eio__address_take(session, http->conn))
        session->opening = wshub_eio__opening_keep(eio, http);
    if (!session->opening) {
        wshub_eio__address_leave(session);
        wshub_eio__slot_free(eio, session->slot);
        (void)wshub_eio__alloc(eio, session, sizeof *session, 0);
        return NULL;
    }
    wshub_eio__sid_make(eio, session->slot, session->sid);
    eio->held++;
    return session;
}

/* ---- the end ---- */

/* What a poll that is held is told when its session ends. */
static const char wshub_eio__said_close[] = "1", wshub_eio__said_noop[] = "6",
                  wshub_eio__said_noop_close[] = "6\x1E"
                                                 "1";

static void wshub_eio__poll_answer(wshub_eio__session *session, const char *body, size_t len);
static void wshub_eio__poll_flush(wshub_eio__session *session);
static void wshub_eio__upgrade_drop(wshub_eio__session *session);

/* Nothing is left of a session but what the hub has yet to tell of. */
static void wshub_eio__bury(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;

    WSHUB_ASSERT(!session->poll.id);
    WSHUB_ASSERT(!session->upgrade);
    WSHUB_ASSERT(eio->held > 0);
    eio->held--;
    wshub_eio__clock_stop(session);
    wshub_eio__opening_free(session);
    wshub_eio__address_leave(session);
    wshub_eio__to(session, WSHUB_EIO__DEAD);
    if (session->post.id) {
        if (!wshub_http_drop(eio->hub, session->post)) wshub_eio__unref(session);
        session->post.id = 0;
    }
    if (session->hub_session.id)
        (void)wshub_session_end(eio->hub, session->hub_session, WSHUB_BY_APP, 0, wshub_str_z(""));
    session->hub_session.id = 0;
    session->conn.id = 0;
    wshub_eio__unref(session);
}

static void wshub_eio__tell_closed(wshub_eio__session *session, wshub_eio_reason reason) {
    wshub_eio *eio = session->owner.eio;

    WSHUB_ASSERT(session->state == WSHUB_EIO__CLOSING);
    WSHUB_ASSERT(eio->stats.sessions > 0);
    eio->stats.sessions--;
    if (reason == WSHUB_EIO_OVERFLOW) eio->stats.overflown++;
    if (eio->desc.on_close)
        eio->desc.on_close(eio, wshub_eio__handle(session), reason, eio->desc.user);
}

/* Closes an open session: whoever stands above is told, then whatever carries it ends. */
static void wshub_eio__close(wshub_eio__session *session, wshub_eio_reason reason) {
    wshub_eio *eio = session->owner.eio;
    bool polled = wshub_eio__polls(session);

    WSHUB_ASSERT(wshub_eio__is_open(session));
    WSHUB_ASSERT(!session->first); /* whoever is told of its end was told of its beginning */
    WSHUB_ASSERT(!polled || eio->stats.polling > 0);
    wshub_eio__clock_stop(session);
    if (session->upgrade) wshub_eio__upgrade_drop(session);
    if (polled) eio->stats.polling--;
    if (session->state == WSHUB_EIO__UPGRADES) wshub_eio__to(session, WSHUB_EIO__POLLS);
    wshub_eio__to(session, WSHUB_EIO__CLOSING);
    session->refs++; /* until this is done */
    wshub_eio__tell_closed(session, reason);

    /* What was sent before is brought still. */
    if (session->poll.id && reason == WSHUB_EIO_FORCED_CLOSE) wshub_eio__poll_flush(session);
    if (session->poll.id) {
        bool noop = reason == WSHUB_EIO_TRANSPORT_CLOSE;
        wshub_eio__poll_answer(session, noop ? wshub_eio__said_noop : wshub_eio__said_close, 1);
    } else if (polled && reason == WSHUB_EIO_FORCED_CLOSE && session->hub_session.id) {
        wshub_eio__clock_start(session, WSHUB_EIO__CLOCK_CLOSING); /* the next poll hears of it */
        wshub_eio__unref(session);
        return;
    }
    if (session->state == WSHUB_EIO__CLOSING) wshub_eio__bury(session);
    wshub_eio__unref(session);
}

/* ---- >>eio-answers ---------------------------------------------------------------------------
 * What requests are answered. */

/* Answers a request. Returns as wshub_http_reply(). */
static wshub_err wshub_eio__reply(wshub_eio *eio, wshub_exchange exchange, int status,
                                  const char *type, const char *body, size_t len,
                                  const wshub_header *headers, size_t headers_count, bool close) {
    wshub_reply reply;
    memset(&reply, 0, sizeof reply);
    reply.status = status;
    reply.content_type = type;
    reply.headers = headers;
    reply.headers_count = headers_count;
    reply.body.ptr = body;
    reply.body.len = len;
    reply.close = close;
    return wshub_http_reply(eio->hub, exchange, &reply);
}

/* Answers with a status and nothing else. */
static void wshub_eio__reply_empty(wshub_eio *eio, wshub_exchange exchange, int status) {
    if (wshub_eio__reply(eio, exchange, status, NULL, "", 0, NULL, 0, false))
        (void)wshub_http_drop(eio->hub, exchange);
}

/* Refuses a request, as Node's server does: with JSON, or, where a WebSocket is asked for, with a
 * text and the end of its stream. */
static void wshub_eio__reply_error(wshub_eio *eio, wshub_exchange exchange, bool upgrade,
                                   int status, wshub_eio_refusal code, const char *message) {
    char json[700];
    wshub_json_writer writer;
    wshub_str text = {"", 0};
    wshub_err err;

    eio->stats.refused++;
    if (eio->desc.on_refused) eio->desc.on_refused(eio, code, message, eio->desc.user);
    if (upgrade) {
        err = wshub_eio__reply(eio, exchange, status == 503 ? 503 : 400, "text/html", message,
                               strlen(message), NULL, 0, true);
    } else {
        wshub_json_begin(&writer, json, sizeof json);
        wshub_json_put_object(&writer, NULL);
        wshub_json_put_int(&writer, "code", (int64_t)code);
        wshub_json_put_str(&writer, "message", wshub_str_z(message));
        wshub_json_put_end(&writer);
        if (wshub_json_done(&writer, &text))
            text = wshub_str_z("{\"code\":4,\"message\":\"Forbidden\"}");
        err = wshub_eio__reply(eio, exchange, status, "application/json", text.ptr, text.len, NULL,
                               0, false);
    }
    if (err) (void)wshub_http_drop(eio->hub, exchange);
}

static void wshub_eio__refuse(wshub_eio *eio, wshub_exchange exchange, bool upgrade,
                              wshub_eio_refusal code) {
    static const char *const messages[] = {
        "Transport unknown", "Session ID unknown", "Bad handshake method",
        "Bad request",       "Forbidden",          "Unsupported protocol version"};

    WSHUB_ASSERT((size_t)code < sizeof messages / sizeof messages[0]);
    wshub_eio__reply_error(eio, exchange, upgrade, code == WSHUB_EIO_FORBIDDEN ? 403 : 400, code,
                           messages[code]);
}

/* ---- CORS, and further headers ---- */

static void wshub_eio__add(wshub_headers *more, const char *name, wshub_str value) {
    (void)wshub_headers_add(more, wshub_str_z(name), value);
}

/* Which origin is named; ptr NULL: none. */
static wshub_str wshub_eio__cors_origin(const wshub_eio_cors *cors, wshub_str origin) {
    wshub_str none = {NULL, 0};
    size_t i;

    if (cors->reflect) return origin;
    WSHUB_ASSERT(cors->origins_count); /* wshub_eio_desc_problem() has seen to that */
    if (cors->origins_count == 1 && !strstr(cors->origins[0], "://*."))
        return wshub_str_z(cors->origins[0]);
    for (i = 0; i < cors->origins_count; i++) {
        if (wshub_origin_matches(origin, cors->origins[i])) return origin;
    }
    return none;
}

/* What only the answer to a preflight says. */
static void wshub_eio__cors_preflight(const wshub_eio_cors *cors, const wshub_http *http,
                                      wshub_headers *more) {
    wshub_str asked = wshub_http_header(http, "Access-Control-Request-Headers");
    char age[16];

    wshub_eio__add(more, "Access-Control-Allow-Methods",
                   wshub_str_z(cors->methods ? cors->methods : "GET,HEAD,PUT,PATCH,POST,DELETE"));
    if (cors->headers) {
        wshub_eio__add(more, "Access-Control-Allow-Headers", wshub_str_z(cors->headers));
    } else if (asked.ptr) {
        wshub_eio__add(more, "Vary", wshub_str_z("Access-Control-Request-Headers"));
        wshub_eio__add(more, "Access-Control-Allow-Headers", asked);
    }
    if (!cors->max_age_s) return;
    (void)snprintf(age, sizeof age, "%lu", (unsigned long)cors->max_age_s);
    wshub_eio__add(more, "Access-Control-Max-Age", wshub_str_z(age));
}

static void wshub_eio__cors_add(const wshub_eio_cors *cors, const wshub_http *http,
                                wshub_headers *more) {
    wshub_str origin = wshub_eio__cors_origin(cors, wshub_http_header(http, "Origin"));
    bool any = !cors->reflect && strcmp(cors->origins[0], "*") == 0; /* it stands alone */

    if (origin.ptr) wshub_eio__add(more, "Access-Control-Allow-Origin", origin);
    if (!any) wshub_eio__add(more, "Vary", wshub_str_z("Origin"));
    if (cors->credentials)
        wshub_eio__add(more, "Access-Control-Allow-Credentials", wshub_str_z("true"));
    if (wshub_str_eq_z(http->method, "OPTIONS")) wshub_eio__cors_preflight(cors, http, more);
    if (cors->expose)
        wshub_eio__add(more, "Access-Control-Expose-Headers", wshub_str_z(cors->expose));
}

static void wshub_eio__on_answer(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                 int status, wshub_headers *more, void *owner) {
    wshub_eio *eio = ((wshub_eio__owner *)owner)->eio;
    wshub_eio__session *session =
        ((wshub_eio__owner *)owner)->is_session ? (wshub_eio__session *)owner : NULL;
    wshub_eio_session handle = {0};

    (void)hub;
    (void)exchange;
    wshub_eio__enter(eio);
    if (session && session->state != WSHUB_EIO__DEAD && !session->first)
        handle = wshub_eio__handle(session);
    if (eio->desc.cors && http && !(http->handshake && status != 101))
        wshub_eio__cors_add(eio->desc.cors, http, more);
    if (eio->desc.on_answer)
        eio->desc.on_answer(eio, handle, session && session->first, more, eio->desc.user);
    wshub_eio__leave(eio);
}

/* ---- >>eio-poll ------------------------------------------------------------------------------
 * A session that polls: GET takes what waits for it, POST brings what its client says. */

static const wshub_header wshub_eio__no_store[1] = {{{"cache-control", 13}, {"no-store", 8}}};

/* Answers a poll with a body that is compressed, if its client takes that and it can be had. */
static wshub_err wshub_eio__reply_coded(wshub_eio *eio, wshub_exchange exchange, const char *body,
                                        size_t len) {
    const wshub_http *http = wshub_exchange_http(eio->hub, exchange);
    wshub_deflate_form form = http ? wshub_http_coding(http) : (wshub_deflate_form)0;
    wshub_header headers[2];
    uint8_t *coded = NULL;
    size_t cap = 0, count = 0;
    wshub_err err;

    headers[0] = wshub_eio__no_store[0];
    if (!form ||
        wshub_deflate_whole(eio->hub, &eio->deflate, form, body, len, &coded, &cap, &count))
        return wshub_eio__reply(eio, exchange, 200, "text/plain; charset=UTF-8", body, len, headers,
                                1, false);
    headers[1].name = wshub_str_z("Content-Encoding");
    headers[1].value = wshub_str_z(wshub_deflate_name(form));
    err = wshub_eio__reply(eio, exchange, 200, "text/plain; charset=UTF-8", (const char *)coded,
                           count, headers, 2, false);
    (void)wshub_alloc(eio->hub, coded, cap, 0);
    return err;
}

/* Answers the poll that is held. What cannot be answered is dropped, and with it the session. */
static void wshub_eio__poll_answer(wshub_eio__session *session, const char *body, size_t len) {
    wshub_eio *eio = session->owner.eio;
    wshub_exchange exchange = session->poll;
    wshub_err err, said;

    WSHUB_ASSERT(exchange.id);
    session->poll.id = 0;
    if (eio->desc.deflate && len >= eio->desc.deflate_bytes_min)
        err = wshub_eio__reply_coded(eio, exchange, body, len);
    else
        err = wshub_eio__reply(eio, exchange, 200, "text/plain; charset=UTF-8", body, len,
                               wshub_eio__no_store, 1, false);
    said = err;
    if (err && err != WSHUB_ERR_STALE) err = wshub_http_drop(eio->hub, exchange);
    if (!err) wshub_eio__unref(session); /* or it will be told to be gone */
    if (said && wshub_eio__is_open(session))
        wshub_eio__close(session,
                         said == WSHUB_ERR_STALE ? WSHUB_EIO_TRANSPORT_ERROR : WSHUB_EIO_OVERFLOW);
}

/* All that waits, as one payload in the scratch. Returns its length; 0: out of memory, or
 * nothing. */
static size_t wshub_eio__payload(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;
    wshub_span spans[32];
    size_t len = 0, i, n;

    while ((n = wshub_session_spans(eio->hub, session->hub_session, spans, 32)) > 0) {
        size_t taken = 0;
        if (n > 32) n = 32;
        for (i = 0; i < n; i++) {
            char *to = wshub_eio__scratch(eio, len + spans[i].len + 1);
            if (!to) return 0;
            if (len) to[len++] = WSHUB_EIO_SEPARATOR;
            memcpy(to + len, spans[i].ptr, spans[i].len);
            len += spans[i].len;
            taken += spans[i].len;
        }
        (void)wshub_session_taken(eio->hub, session->hub_session, taken);
    }
    return len;
}

/* Gives what waits to the poll that is held. */
static void wshub_eio__poll_flush(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;
    size_t len, cap;
    char *text;

    WSHUB_ASSERT(session->poll.id);
    if (!wshub_session_spans(eio->hub, session->hub_session, NULL, 0)) return;
    len = wshub_eio__payload(session);
    if (!len) {
        if (wshub_eio__is_open(session)) wshub_eio__close(session, WSHUB_EIO_OVERFLOW);
        return;
    }

    text = wshub_eio__scratch_take(eio, &cap);
    wshub_eio__poll_answer(session, text, len);
    wshub_eio__scratch_return(eio, text, cap);
}

/* A poll after the end: what waits, then the end itself. Without memory for what waits it is the
 * end alone: nobody would answer this poll later. */
static void wshub_eio__poll_closing(wshub_eio__session *session) {
    WSHUB_ASSERT(session->state == WSHUB_EIO__CLOSING);
    WSHUB_ASSERT(session->poll.id);
    if (wshub_session_spans(session->owner.eio->hub, session->hub_session, NULL, 0)) {
        wshub_eio__poll_flush(session);
        if (!session->poll.id) return;
    }
    wshub_eio__poll_answer(session, wshub_eio__said_noop_close, 3);
    if (session->state == WSHUB_EIO__CLOSING) wshub_eio__bury(session);
}

/* A GET of a session that polls. */
static wshub_take wshub_eio__poll(wshub_eio__session *session, wshub_exchange exchange) {
    wshub_eio *eio = session->owner.eio;

    WSHUB_ASSERT(wshub_eio__polls(session) || session->state == WSHUB_EIO__CLOSING);
    if (session->poll.id) { /* two at a time */
        wshub_eio__reply_empty(eio, exchange, 400);
        if (wshub_eio__is_open(session)) wshub_eio__close(session, WSHUB_EIO_TRANSPORT_ERROR);
        return WSHUB_TAKE_DONE;
    }
    session->poll = exchange;
    session->refs++;
    (void)wshub_exchange_set_owner(eio->hub, exchange, session);
    (void)wshub_session_heard(eio->hub, session->hub_session);
    if (session->state == WSHUB_EIO__CLOSING)
        wshub_eio__poll_closing(session);
    else
        wshub_eio__poll_flush(session);
    return session->poll.id ? WSHUB_TAKE_HELD : WSHUB_TAKE_DONE;
}

/* A POST: its body is awaited. */
static wshub_take wshub_eio__post(wshub_eio__session *session, wshub_exchange exchange,
                                  const wshub_http *http) {
    wshub_eio *eio = session->owner.eio;

    WSHUB_ASSERT(wshub_eio__polls(session) || session->state == WSHUB_EIO__CLOSING);
    if (session->post.id ||
        wshub_str_eq_z(wshub_http_header(http, "Content-Type"), "application/octet-stream")) {
        wshub_eio__reply_empty(eio, exchange, 400);
        if (wshub_eio__is_open(session)) wshub_eio__close(session, WSHUB_EIO_TRANSPORT_ERROR);
        return WSHUB_TAKE_DONE;
    }
    if (http->body_bytes != WSHUB_LENGTH_UNKNOWN &&
        http->body_bytes > eio->desc.message_bytes_max) {
        wshub_eio__reply_empty(eio, exchange, 413); /* which costs no session */
        return WSHUB_TAKE_DONE;
    }
    session->post = exchange;
    session->refs++;
    (void)wshub_exchange_set_owner(eio->hub, exchange, session);
    return WSHUB_TAKE_BODY;
}

static void wshub_eio__packet_heard(wshub_eio__session *session, const wshub_eio__packet *packet);

/* The packets of a body, one after the other, until one ends the session. */
static void wshub_eio__post_read(wshub_eio__session *session, wshub_str body) {
    wshub_str text;
    wshub_eio__packet packet;

    while (wshub_eio__is_open(session) && wshub_eio__payload_next(&body, &text)) {
        if (wshub_eio__packet_read(text, &packet)) {
            wshub_eio__packet_heard(session, &packet);
        } else {
            wshub_eio__close(session, WSHUB_EIO_PARSE_ERROR);
        }
    }
}

static void wshub_eio__on_body(wshub *hub, wshub_exchange exchange, uint8_t *bytes, size_t count,
                               void *owner) {
    wshub_eio__session *session = (wshub_eio__session *)owner;
    wshub_eio *eio = session->owner.eio;
    wshub_str body;
    wshub_err err;

    WSHUB_ASSERT(session->owner.is_session); /* nobody else waits for a body */
    WSHUB_ASSERT(exchange.id == session->post.id);
    body.ptr = bytes ? (const char *)bytes : "";
    body.len = count;
    wshub_eio__enter(eio);
    session->post.id = 0;
    if (session->hub_session.id) (void)wshub_session_heard(hub, session->hub_session);
    if (!wshub_utf8_check((const uint8_t *)body.ptr, body.len)) {
        if (wshub_eio__is_open(session)) wshub_eio__close(session, WSHUB_EIO_PARSE_ERROR);
    } else {
        eio->carrier = exchange;
        wshub_eio__post_read(session, body);
        eio->carrier.id = 0;
    }
    err = wshub_eio__reply(eio, exchange, 200, "text/html", "ok", 2, wshub_eio__no_store, 1, false);
    if (err && err != WSHUB_ERR_STALE) err = wshub_http_drop(hub, exchange);
    if (!err) wshub_eio__unref(session);
    wshub_eio__leave(eio);
}

/* A poll or a post has ended without an answer. A body that was too long costs no session. */
static void wshub_eio__on_exchange_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause,
                                        void *owner) {
    wshub_eio__session *session = (wshub_eio__session *)owner;
    wshub_eio *eio = ((wshub_eio__owner *)owner)->eio;
    bool poll, post;

    (void)hub;
    if (!((wshub_eio__owner *)owner)->is_session) return; /* it waited to be admitted */
    wshub_eio__enter(eio);
    poll = session->poll.id == exchange.id;
    post = session->post.id == exchange.id;
    if (poll) session->poll.id = 0;
    if (post) session->post.id = 0;
    if (wshub_eio__is_open(session) && (poll || (post && cause != WSHUB_BY_PROTOCOL)))
        wshub_eio__close(session, cause == WSHUB_BY_SHUTDOWN ? WSHUB_EIO_SHUTDOWN
                                                             : WSHUB_EIO_TRANSPORT_ERROR);
    wshub_eio__unref(session);
    wshub_eio__leave(eio);
}

/* ---- >>eio-packets ---------------------------------------------------------------------------
 * What packets of either transport mean, and the heartbeat (2.3, 2.7). */

/* Queues a packet of the engine's own, on whatever carries the session. A session for which that
 * fails is ended by the hub (wshub_session_limit()). */
static void wshub_eio__say(wshub_eio__session *session, const char *packet) {
    wshub *hub = session->owner.eio->hub;
    WSHUB_ASSERT(wshub_eio__is_open(session));
    if (session->state == WSHUB_EIO__SOCKET)
        (void)wshub_conn_send(hub, session->conn, packet, strlen(packet), true);
    else
        (void)wshub_session_send(hub, session->hub_session, packet, strlen(packet));
}

/* Something else than a pong: its client lives, which is worth one more time to wait. */
static void wshub_eio__alive(wshub_eio__session *session) {
    WSHUB_ASSERT(wshub_eio__is_open(session));
    if (session->clock != WSHUB_EIO__CLOCK_PONG || session->extended) return;
    session->extended = true;
    wshub_eio__clock_start(session, WSHUB_EIO__CLOCK_PONG);
}

static void wshub_eio__message(wshub_eio__session *session, const uint8_t *bytes, size_t count,
                               bool text) {
    wshub_eio *eio = session->owner.eio;
    WSHUB_ASSERT(wshub_eio__is_open(session));
    if (eio->desc.on_message)
        eio->desc.on_message(eio, wshub_eio__handle(session), bytes, count, text, eio->desc.user);
}

/* A message of bytes that came as text is decoded where it lies. */
static void wshub_eio__message_b64(wshub_eio__session *session, wshub_str text) {
    uint8_t *bytes = (uint8_t *)(uintptr_t)text.ptr; /* of a body or frame that is ours to write */
    wshub_eio__message(session, bytes, wshub_eio__b64_read(text.ptr, text.len, bytes), false);
}

static void wshub_eio__packet_heard(wshub_eio__session *session, const wshub_eio__packet *packet) {
    if (packet->type != '3') wshub_eio__alive(session);
    switch (packet->type) {
    case '1': wshub_eio__close(session, WSHUB_EIO_TRANSPORT_CLOSE); return;
    case '2': wshub_eio__close(session, WSHUB_EIO_TRANSPORT_ERROR); return;
    case '3':
        if (session->clock == WSHUB_EIO__CLOCK_PONG)
            wshub_eio__clock_start(session, WSHUB_EIO__CLOCK_PING);
        return;
    case '4':
        wshub_eio__message(session, (const uint8_t *)packet->data.ptr, packet->data.len, true);
        return;
    case 'b': wshub_eio__message_b64(session, packet->data); return;
    default: return; /* open, upgrade and noop say nothing here */
    }
}

/* The pong has not come. While what was said before the ping still leaves, the ping has not
 * arrived, and the hub's own clock judges progress. */
static void wshub_eio__pong_due(wshub_eio__session *session) {
    WSHUB_ASSERT(wshub_eio__is_open(session));
    if (session->state == WSHUB_EIO__SOCKET &&
        wshub_conn_queued_bytes(session->owner.eio->hub, session->conn)) {
        wshub_eio__clock_start(session, WSHUB_EIO__CLOCK_PONG);
        return;
    }
    wshub_eio__close(session, WSHUB_EIO_PING_TIMEOUT);
}

static void wshub_eio__due(wshub_eio__session *session) {
    switch (session->clock) {
    case WSHUB_EIO__CLOCK_PING:
        session->extended = false;
        wshub_eio__clock_start(session, WSHUB_EIO__CLOCK_PONG);
        wshub_eio__say(session, "2");
        return;
    case WSHUB_EIO__CLOCK_PONG: wshub_eio__pong_due(session); return;
    default:
        WSHUB_ASSERT(session->state == WSHUB_EIO__CLOSING);
        wshub_eio__bury(session);
        return;
    }
}

static void wshub_eio__timer_fired(wshub *hub, void *arg) {
    wshub_eio *eio = (wshub_eio *)arg;
    uint64_t now = wshub_now_ms(hub), soonest = UINT64_MAX;
    unsigned clock;

    wshub_eio__enter(eio);
    eio->timer_due = 0;
    for (clock = 0; clock < WSHUB_EIO__CLOCKS; clock++) {
        while (eio->heads[clock] != WSHUB_EIO__NONE &&
               wshub_eio__at(eio, eio->heads[clock])->due <= now)
            wshub_eio__due(wshub_eio__at(eio, eio->heads[clock]));
    }
    for (clock = 0; clock < WSHUB_EIO__CLOCKS; clock++) {
        if (eio->heads[clock] != WSHUB_EIO__NONE &&
            wshub_eio__at(eio, eio->heads[clock])->due < soonest)
            soonest = wshub_eio__at(eio, eio->heads[clock])->due;
    }
    if (soonest != UINT64_MAX) wshub_eio__timer_by(eio, soonest);
    wshub_eio__leave(eio);
}

/* ---- >>eio-socket ----------------------------------------------------------------------------
 * A session that a WebSocket carries. */

/* A message of the WebSocket that carries the session. */
static void wshub_eio__socket_heard(wshub_eio__session *session, uint8_t *bytes, size_t count,
                                    bool text) {
    wshub_eio__packet packet;
    wshub_str whole;

    (void)wshub_session_heard(session->owner.eio->hub, session->hub_session);
    whole.ptr = (const char *)bytes;
    whole.len = count;
    if (!text) {
        wshub_eio__alive(session);
        wshub_eio__message(session, bytes, count, false);
    } else if (wshub_eio__packet_read(whole, &packet)) {
        wshub_eio__packet_heard(session, &packet);
    } else {
        wshub_eio__close(session, WSHUB_EIO_PARSE_ERROR);
    }
}

/* Why a session has closed whose stream, or lent session, the hub has ended. */
static wshub_eio_reason wshub_eio__reason_of(wshub_cause cause) {
    switch (cause) {
    case WSHUB_BY_PROTOCOL: return WSHUB_EIO_TRANSPORT_ERROR;
    case WSHUB_BY_BACKPRESSURE:
    case WSHUB_BY_MEMORY: return WSHUB_EIO_OVERFLOW;
    case WSHUB_BY_SHUTDOWN: return WSHUB_EIO_SHUTDOWN;
    case WSHUB_BY_APP: return WSHUB_EIO_FORCED_CLOSE;
    default: return WSHUB_EIO_TRANSPORT_CLOSE;
    }
}

/* Ends the WebSocket of a session, or one that was being tried: a Close without a code leaves. */
static void wshub_eio__conn_close(wshub_eio *eio, wshub_conn conn) {
    (void)wshub_conn_close(eio->hub, conn, 0, wshub_str_z(""));
}

/* ---- >>eio-upgrade ---------------------------------------------------------------------------
 * A second transport, beside the one that polls: it is tried, and takes the session over.
 *
 *     client: `2probe`    ours: `3probe`; from here on a poll that is held is let go each 100 ms
 *     client: `5`         the session moves there, with all that waits for it
 *     anything else, its end, or upgrade_timeout_ms: it is closed, the session goes on polling */

/* Lets go of a second transport. */
static void wshub_eio__upgrade_free(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;
    wshub_eio__upgrade *upgrade = session->upgrade;

    WSHUB_ASSERT(upgrade);
    session->upgrade = NULL;
    if (upgrade->deadline.id) (void)wshub_timer_stop(eio->hub, upgrade->deadline);
    if (upgrade->tick.id) (void)wshub_timer_stop(eio->hub, upgrade->tick);
    (void)wshub_eio__alloc(eio, upgrade, sizeof *upgrade, 0);
}

/* Gives a second transport up: it is closed. */
static void wshub_eio__upgrade_drop(wshub_eio__session *session) {
    wshub_conn conn = session->upgrade->conn;
    WSHUB_ASSERT(conn.id);
    wshub_eio__upgrade_free(session);
    wshub_eio__conn_close(session->owner.eio, conn);
}

/* The same, and the session polls as before. */
static void wshub_eio__upgrade_end(wshub_eio__session *session) {
    WSHUB_ASSERT(session->state == WSHUB_EIO__UPGRADES);
    wshub_eio__upgrade_drop(session);
    wshub_eio__to(session, WSHUB_EIO__POLLS);
}

static void wshub_eio__upgrade_due(wshub *hub, void *arg) {
    wshub_eio__session *session = (wshub_eio__session *)arg;
    wshub_eio *eio = session->owner.eio;

    (void)hub;
    wshub_eio__enter(eio);
    WSHUB_ASSERT(session->upgrade);
    session->upgrade->deadline.id = 0;
    wshub_eio__upgrade_end(session);
    wshub_eio__leave(eio);
}

/* A client that waits for its poll to return before it goes on is let go, each time. */
static void wshub_eio__upgrade_tick(wshub *hub, void *arg) {
    wshub_eio__session *session = (wshub_eio__session *)arg;
    wshub_eio *eio = session->owner.eio;

    wshub_eio__enter(eio);
    WSHUB_ASSERT(session->upgrade);
    session->upgrade->tick.id = 0;
    (void)wshub_timer_start(hub, WSHUB_EIO__TICK_MS, wshub_eio__upgrade_tick, session,
                            &session->upgrade->tick);
    if (session->poll.id && !wshub_session_spans(hub, session->hub_session, NULL, 0))
        wshub_eio__poll_answer(session, wshub_eio__said_noop, 1);
    wshub_eio__leave(eio);
}

/* The session moves to its second transport. What fails leaves it polling. */
static void wshub_eio__upgrade_move(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;
    wshub_conn conn = session->upgrade->conn;
    wshub_session to = wshub_conn_session(eio->hub, conn);
    wshub_kind_change change;

    WSHUB_ASSERT(session->state == WSHUB_EIO__UPGRADES);
    WSHUB_ASSERT(session->hub_session.id && to.id);
    change.from = eio->desc.kind_polling;
    change.to = session->b64 ? eio->desc.kind_websocket_b64 : eio->desc.kind_websocket;
    if (session->poll.id) wshub_eio__poll_answer(session, wshub_eio__said_noop, 1);
    if (session->state != WSHUB_EIO__UPGRADES) return; /* closed by who was asked for headers */
    if (wshub_session_move(eio->hub, session->hub_session, to, &change, change.from ? 1 : 0)) {
        wshub_eio__upgrade_end(session);
        return;
    }
    wshub_eio__upgrade_free(session);
    session->conn = conn;
    session->hub_session = to;
    wshub_eio__to(session, WSHUB_EIO__SOCKET);
    eio->stats.upgraded++;
    eio->stats.polling--;
    wshub_eio__clock_start(session, WSHUB_EIO__CLOCK_PING);
}

/* A message of a second transport. */
static void wshub_eio__upgrade_heard(wshub_eio__session *session, wshub_str text) {
    wshub *hub = session->owner.eio->hub;
    wshub_eio__upgrade *upgrade = session->upgrade;

    WSHUB_ASSERT(session->state == WSHUB_EIO__UPGRADES);
    (void)wshub_session_heard(hub, session->hub_session);
    if (wshub_str_eq_z(text, "2probe") && !wshub_conn_send(hub, upgrade->conn, "3probe", 6, true)) {
        if (upgrade->tick.id) return;
        (void)wshub_timer_start(hub, WSHUB_EIO__TICK_MS, wshub_eio__upgrade_tick, session,
                                &upgrade->tick);
    } else if (wshub_str_eq_z(text, "5")) {
        wshub_eio__upgrade_move(session);
    } else {
        wshub_eio__upgrade_end(session);
    }
}

static void wshub_eio__on_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count,
                                  bool text, void *owner) {
    wshub_eio__session *session = (wshub_eio__session *)owner;
    wshub_eio *eio = ((wshub_eio__owner *)owner)->eio;
    wshub_str said;

    (void)hub;
    if (!((wshub_eio__owner *)owner)->is_session) return; /* one that was never to be */
    said.ptr = text ? (const char *)bytes : NULL;
    said.len = text ? count : 0;
    wshub_eio__enter(eio);
    if (session->upgrade && session->upgrade->conn.id == conn.id) {
        wshub_eio__upgrade_heard(session, said);
    } else if (session->state == WSHUB_EIO__SOCKET && session->conn.id == conn.id) {
        wshub_eio__socket_heard(session, bytes, count, text);
    }
    wshub_eio__leave(eio);
}

static void wshub_eio__on_conn_closed(wshub *hub, wshub_conn conn, uint16_t code, wshub_str reason,
                                      wshub_cause cause, void *owner) {
    wshub_eio__session *session = (wshub_eio__session *)owner;
    wshub_eio *eio = ((wshub_eio__owner *)owner)->eio;

    (void)hub;
    (void)code;
    (void)reason;
    if (!((wshub_eio__owner *)owner)->is_session) return;
    wshub_eio__enter(eio);
    if (session->upgrade && session->upgrade->conn.id == conn.id) {
        wshub_eio__upgrade_free(session);
        wshub_eio__to(session, WSHUB_EIO__POLLS);
    } else if (session->state == WSHUB_EIO__SOCKET && session->conn.id == conn.id) {
        session->hub_session.id = 0; /* it has ended with its stream */
        wshub_eio__close(session, wshub_eio__reason_of(cause));
    }
    wshub_eio__unref(session);
    wshub_eio__leave(eio);
}

/* ---- >>eio-lent ------------------------------------------------------------------------------
 * What the hub tells of a session that was lent, and asks when one moves. */

static void wshub_eio__owed(wshub *hub, wshub_session lent, size_t bytes, void *user) {
    wshub_eio *eio = (wshub_eio *)user;
    wshub_eio__session *session = (wshub_eio__session *)wshub_session_owner(hub, lent);

    (void)bytes;
    wshub_eio__enter(eio);
    if (session && session->poll.id && session->hub_session.id == lent.id)
        wshub_eio__poll_flush(session);
    wshub_eio__leave(eio);
}

static void wshub_eio__session_gone(wshub *hub, wshub_session lent, wshub_cause cause, void *user) {
    wshub_eio *eio = (wshub_eio *)user;
    wshub_eio__session *session = (wshub_eio__session *)wshub_session_owner(hub, lent);

    WSHUB_ASSERT(session); /* it was lent with one, which lives until now */
    wshub_eio__enter(eio);
    if (session->hub_session.id == lent.id) {
        session->hub_session.id = 0;
        if (wshub_eio__is_open(session)) {
            wshub_eio__close(session, wshub_eio__reason_of(cause));
        } else if (session->state == WSHUB_EIO__CLOSING) {
            wshub_eio__bury(session);
        }
    }
    wshub_eio__unref(session);
    wshub_eio__leave(eio);
}

/* One packet of a payload as a frame. */
static wshub_err wshub_eio__convert_packet(wshub_eio__session *session, wshub_str packet,
                                           wshub_writer *out) {
    bool text = session->b64 || !packet.len || packet.ptr[0] != 'b';
    size_t len = text ? packet.len : 0;
    char *bytes = NULL;
    uint8_t *to;

    if (!text) { /* as long as it turns out to be */
        bytes = wshub_eio__scratch(session->owner.eio, packet.len);
        if (!bytes) return WSHUB_ERR_NOMEM;
        len = wshub_eio__b64_read(packet.ptr + 1, packet.len - 1, (uint8_t *)bytes);
    }
    to = wshub_writer_frame(out, text, len);
    if (!to) return WSHUB_ERR_NOMEM;
    if (len) memcpy(to, text ? packet.ptr : bytes, len);
    return WSHUB_OK;
}

static wshub_err wshub_eio__convert(wshub *hub, wshub_session lent, wshub_span message,
                                    wshub_writer *out, void *user) {
    wshub_eio__session *session = (wshub_eio__session *)wshub_session_owner(hub, lent);
    wshub_str payload, packet;
    wshub_err err = WSHUB_OK;

    (void)user;
    WSHUB_ASSERT(session); /* a lent one, which is moving */
    payload.ptr = (const char *)message.ptr;
    payload.len = message.len;
    while (!err && wshub_eio__payload_next(&payload, &packet))
        err = wshub_eio__convert_packet(session, packet, out);
    return err;
}

/* ---- >>eio-heads -----------------------------------------------------------------------------
 * Whose a request is, and whether it is as it should be: in this order, the first that fails is
 * what it is refused with. */

static bool wshub_eio__transport_ok(const wshub_eio *eio, const wshub_eio__query *query) {
    if (!query->has_transport) return false;
    if (wshub_eio__text_is(query->transport, query->transport_len, "polling"))
        return !eio->desc.no_polling;
    return wshub_eio__text_is(query->transport, query->transport_len, "websocket") &&
           !eio->desc.no_websocket;
}

/* What is wrong with a request; -1: nothing. */
static int wshub_eio__judge(const wshub_eio *eio, const wshub_http *http,
                            const wshub_eio__query *query, wshub_eio__session *session) {
    bool polling = wshub_eio__text_is(query->transport, query->transport_len, "polling");
    bool version =
        query->has_version && wshub_eio__text_is(query->version, query->version_len, "4");

    if (!wshub_eio__transport_ok(eio, query)) return WSHUB_EIO_UNKNOWN_TRANSPORT;
    if (query->has_sid) {
        if (!session) return WSHUB_EIO_UNKNOWN_SID;
        if (!http->handshake && (!polling || session->state == WSHUB_EIO__SOCKET))
            return WSHUB_EIO_BAD_REQUEST;
        if (!version) return WSHUB_EIO_BAD_REQUEST;
    } else {
        if (!wshub_str_eq_z(http->method, "GET")) return WSHUB_EIO_BAD_HANDSHAKE_METHOD;
        if (!polling && !http->handshake) return WSHUB_EIO_BAD_REQUEST;
    }
    return http->handshake && polling ? (int)WSHUB_EIO_BAD_REQUEST : -1;
}

/* May there be one more? If not, it is refused. */
static bool wshub_eio__has_room(wshub_eio *eio, wshub_exchange exchange, bool upgrade) {
    const char *why = eio->down ? "Server shutting down" : "Too many sessions";
    if (!eio->down && eio->held < eio->desc.sessions_max) return true;
    wshub_eio__reply_error(eio, exchange, upgrade, 503, WSHUB_EIO_FORBIDDEN, why);
    return false;
}

/* The first packet. Returns its length. */
static size_t wshub_eio__open_packet(const wshub_eio__session *session, char buf[256]) {
    const wshub_eio *eio = session->owner.eio;
    bool upgrades =
        session->state == WSHUB_EIO__POLLS && !eio->desc.no_upgrade && !eio->desc.no_websocket;
    int len = snprintf(buf, 256,
                       "0{\"sid\":\"%.*s\",\"upgrades\":[%s],\"pingInterval\":%lu,"
                       "\"pingTimeout\":%lu,\"maxPayload\":%lu}",
                       WSHUB_EIO__SID, session->sid, upgrades ? "\"websocket\"" : "",
                       (unsigned long)eio->desc.ping_interval_ms,
                       (unsigned long)eio->desc.ping_timeout_ms,
                       (unsigned long)eio->desc.message_bytes_max);
    WSHUB_ASSERT(len > 0 && len < 256);
    return (size_t)len;
}

/* A session has been opened: its clock runs, and whoever stands above is told. */
static void wshub_eio__opened(wshub_eio__session *session) {
    wshub_eio *eio = session->owner.eio;

    WSHUB_ASSERT(wshub_eio__is_open(session));
    WSHUB_ASSERT(session->first && session->clock == WSHUB_EIO__NO_CLOCK);
    session->first = false;
    (void)wshub_session_limit(eio->hub, session->hub_session, eio->desc.session_bytes_max, true);
    eio->stats.sessions++;
    eio->stats.opened++;
    if (wshub_eio__polls(session)) eio->stats.polling++;
    wshub_eio__clock_start(session, WSHUB_EIO__CLOCK_PING);
    if (eio->desc.on_open) eio->desc.on_open(eio, wshub_eio__handle(session), eio->desc.user);

    /* Who was asked for headers of the answer may have shut all down, this one not counted. */
    if (eio->down && wshub_eio__is_open(session)) wshub_eio__close(session, WSHUB_EIO_SHUTDOWN);
}

/* Answers the request that opens a session by polling. */
static wshub_err wshub_eio__open_answer(wshub_eio__session *session, wshub_exchange exchange) {
    wshub_eio *eio = session->owner.eio;
    wshub_header headers[2];
    char cookie[512], open[256];
    size_t len = wshub_eio__open_packet(session, open), initial = 0, count = 1, cap;
    char *body;
    wshub_err err;
    int n;

    WSHUB_ASSERT(session->first);
    if (eio->desc.initial) initial = strlen(eio->desc.initial);
    body = wshub_eio__scratch(eio, len + initial + 2);
    if (!body) return WSHUB_ERR_NOMEM;
    memcpy(body, open, len);
    if (eio->desc.initial) {
        body[len++] = WSHUB_EIO_SEPARATOR;
        body[len++] = '4';
        memcpy(body + len, eio->desc.initial, initial);
        len += initial;
    }
    headers[0] = wshub_eio__no_store[0];
    if (eio->desc.cookie) {
        n = snprintf(cookie, sizeof cookie, "%s=%.*s; %s", eio->desc.cookie, WSHUB_EIO__SID,
                     session->sid, eio->desc.cookie_rest);
        headers[1].name = wshub_str_z("Set-Cookie");
        headers[1].value.ptr = cookie;
        headers[1].value.len = (size_t)n;
        count = 2;
    }
    body = wshub_eio__scratch_take(eio, &cap);
    err = wshub_eio__reply(eio, exchange, 200, "text/plain; charset=UTF-8", body, len, headers,
                           count, false);
    wshub_eio__scratch_return(eio, body, cap);
    return err;
}

/* Opens a session that polls. */
static void wshub_eio__open_polling(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                                    const wshub_eio__query *query) {
    wshub_eio__session *session = wshub_eio__session_new(eio, http, query->b64);
    wshub_err err = session
                        ? wshub_session_lend(eio->hub, eio->dialect, session, &session->hub_session)
                        : WSHUB_ERR_NOMEM;

    if (err) {
        wshub_eio__reply_error(eio, exchange, false, 503, WSHUB_EIO_FORBIDDEN, "Too many sessions");
        if (session) wshub_eio__bury(session);
        return;
    }
    session->refs += 2; /* the lent session, and the exchange */
    session->first = true;
    wshub_eio__to(session, WSHUB_EIO__POLLS);
    (void)wshub_exchange_set_owner(eio->hub, exchange, session);
    err = wshub_eio__open_answer(session, exchange);
    if (err && err != WSHUB_ERR_STALE && !wshub_http_drop(eio->hub, exchange))
        wshub_eio__unref(session);
    if (err) {
        wshub_eio__bury(session);
        return;
    }
    wshub_eio__unref(session);
    wshub_eio__opened(session);
}

/* Grants a WebSocket. Of the subprotocols that are offered the first is echoed, as Node's server
 * does; one that the hub would not echo, as it carries a token, is not. */
static wshub_err wshub_eio__grant(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                                  wshub_eio__session *session, wshub_conn *out_conn) {
    wshub_upgrade_answer answer;
    wshub_iter iter = {0, 0};
    wshub_err err;

    memset(&answer, 0, sizeof answer);
    answer.owner = session ? (void *)session : (void *)eio;
    if (!wshub_http_each_item(wshub_http_header(http, "Sec-WebSocket-Protocol"), &iter,
                              &answer.protocol)) {
        answer.protocol.ptr = NULL;
        answer.protocol.len = 0;
    }
    err = wshub_http_upgrade(eio->hub, exchange, &answer, out_conn);
    if (err == WSHUB_ERR_PARAM && answer.protocol.ptr) {
        answer.protocol.ptr = NULL;
        answer.protocol.len = 0;
        err = wshub_http_upgrade(eio->hub, exchange, &answer, out_conn);
    }
    return err;
}

/* Opens a session at a WebSocket. */
static void wshub_eio__open_socket(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                                   const wshub_eio__query *query) {
    wshub_eio__session *session = wshub_eio__session_new(eio, http, query->b64);
    char open[256], *initial;
    size_t len;

    if (session) {
        session->first = true;
        session->refs++;                                             /* the WebSocket */
        (void)wshub_exchange_set_owner(eio->hub, exchange, session); /* for on_answer alone */
    }
    if (!session || wshub_eio__grant(eio, exchange, http, session, &session->conn)) {
        wshub_eio__reply_error(eio, exchange, true, 503, WSHUB_EIO_FORBIDDEN, "Too many sessions");
        if (!session) return;
        wshub_eio__unref(session);
        wshub_eio__bury(session);
        return;
    }
    session->hub_session = wshub_conn_session(eio->hub, session->conn);
    wshub_eio__to(session, WSHUB_EIO__SOCKET);
    len = wshub_eio__open_packet(session, open);
    (void)wshub_conn_send(eio->hub, session->conn, open, len, true);
    if (eio->desc.initial) {
        len = strlen(eio->desc.initial);
        initial = wshub_eio__scratch(eio, len + 1);
        if (initial) {
            initial[0] = '4';
            memcpy(initial + 1, eio->desc.initial, len);
            (void)wshub_conn_send(eio->hub, session->conn, initial, len + 1, true);
        }
    }
    wshub_eio__opened(session);
}

/* Opens a session, when it may be. */
static void wshub_eio__open_session(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                                    const wshub_eio__query *query) {
    bool version =
        query->has_version && wshub_eio__text_is(query->version, query->version_len, "4");

    if (!version) {
        wshub_eio__refuse(eio, exchange, http->handshake != 0, WSHUB_EIO_UNSUPPORTED_VERSION);
    } else if (!wshub_eio__has_room(eio, exchange, http->handshake != 0)) {
        return;
    } else if (http->handshake) {
        wshub_eio__open_socket(eio, exchange, http, query);
    } else {
        wshub_eio__open_polling(eio, exchange, http, query);
    }
}

/* A WebSocket for a session that is there already. One that cannot have it gets 101 and its end, as
 * clients take a refusal for a failure of the whole. */
static void wshub_eio__upgrade_begin(wshub_eio__session *session, wshub_exchange exchange,
                                     const wshub_http *http) {
    wshub_eio *eio = session->owner.eio;
    wshub_eio__upgrade *upgrade = NULL;
    wshub_conn conn;

    if (session->state == WSHUB_EIO__POLLS && !eio->desc.no_upgrade) {
        upgrade = (wshub_eio__upgrade *)wshub_eio__alloc(eio, NULL, 0, sizeof *upgrade);
        if (upgrade) memset(upgrade, 0, sizeof *upgrade);
    }
    if (wshub_eio__grant(eio, exchange, http, upgrade ? session : NULL, &conn)) {
        if (upgrade) (void)wshub_eio__alloc(eio, upgrade, sizeof *upgrade, 0);
        wshub_eio__reply_error(eio, exchange, true, 503, WSHUB_EIO_FORBIDDEN, "Too many sessions");
        return;
    }
    if (!upgrade) {
        wshub_eio__conn_close(eio, conn);
        return;
    }
    session->refs++;
    if (session->state != WSHUB_EIO__POLLS) { /* closed by who was asked for headers */
        (void)wshub_eio__alloc(eio, upgrade, sizeof *upgrade, 0);
        wshub_eio__conn_close(eio, conn);
        return;
    }
    upgrade->conn = conn;
    session->upgrade = upgrade;
    wshub_eio__to(session, WSHUB_EIO__UPGRADES);
    if (wshub_timer_start(eio->hub, eio->desc.upgrade_timeout_ms, wshub_eio__upgrade_due, session,
                          &upgrade->deadline))
        wshub_eio__upgrade_end(session); /* without a clock it might stay for ever */
}

/* A request that is as it should be, of a session. */
static wshub_take wshub_eio__serve(wshub_eio__session *session, wshub_exchange exchange,
                                   const wshub_http *http) {
    wshub_eio *eio = session->owner.eio;

    if (http->handshake) {
        wshub_eio__upgrade_begin(session, exchange, http);
        return WSHUB_TAKE_DONE;
    }
    if (wshub_str_eq_z(http->method, "GET")) return wshub_eio__poll(session, exchange);
    if (wshub_str_eq_z(http->method, "POST")) return wshub_eio__post(session, exchange, http);
    wshub_eio__reply_empty(eio, exchange, 500);
    return WSHUB_TAKE_DONE;
}

/* Is it a request for a file, and has it been answered, or will it be? */
static bool wshub_eio__is_file(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                               const wshub_eio__query *query) {
    return eio->desc.on_file && !http->handshake && !query->has_version &&
           http->path.len > eio->path_len &&
           (wshub_str_eq_z(http->method, "GET") || wshub_str_eq_z(http->method, "HEAD")) &&
           eio->desc.on_file(eio, exchange, http, eio->desc.user);
}

static wshub_take wshub_eio__held(const wshub_eio *eio, wshub_exchange exchange) {
    return wshub_exchange_http(eio->hub, exchange) ? WSHUB_TAKE_HELD : WSHUB_TAKE_DONE;
}

/* The number of the other engine of the group whose session this might be; WSHUB_EIO_LOOPS_MAX: it
 * is none's. */
static unsigned wshub_eio__loop_of(const wshub_eio *eio, const wshub_eio__query *query) {
    uint8_t bytes[WSHUB_EIO__SID];

    if (!eio->joined || query->sid_len != WSHUB_EIO__SID ||
        wshub_eio__b64_read(query->sid, 8, bytes) != 6)
        return WSHUB_EIO_LOOPS_MAX;
    wshub_eio__sid_mask(eio, bytes);
    return bytes[3] == eio->loop ? WSHUB_EIO_LOOPS_MAX : bytes[3];
}

/* Is there such an engine just now? */
static bool wshub_eio__is_elsewhere(const wshub_eio *eio, const wshub_eio__query *query) {
    unsigned loop = wshub_eio__loop_of(eio, query);
    bool there;

    if (loop == WSHUB_EIO_LOOPS_MAX) return false;
    wshub_eio__group_lock(eio->desc.group);
    there = eio->desc.group->loops[loop] != NULL;
    wshub_eio__group_unlock(eio->desc.group);
    return there;
}

/* A request goes to the engine that has its session. The engine, and with it its io, stay there as
 * long as the group is locked. Where it cannot go, it is one for a session that nobody knows. */
static void wshub_eio__on_leaving(wshub *hub, wshub_exchange exchange, void *owner) {
    wshub_eio *eio = ((wshub_eio__owner *)owner)->eio;
    const wshub_http *http = wshub_exchange_http(hub, exchange);
    wshub_eio_group *group = eio->desc.group;
    wshub_eio__query query;
    wshub_err err = WSHUB_ERR_STALE;
    const wshub_eio *there;
    unsigned loop;

    wshub_eio__enter(eio);
    wshub_eio__query_read(http->query, &query);
    loop = wshub_eio__loop_of(eio, &query);
    WSHUB_ASSERT(loop < WSHUB_EIO_LOOPS_MAX); /* or it would have been answered */
    wshub_eio__group_lock(group);
    there = group->loops[loop];
    if (there) err = wshub_conn_hand_over(hub, exchange, &there->io);
    wshub_eio__group_unlock(group);
    if (err) {
        int wrong = wshub_eio__judge(eio, http, &query, NULL);
        wshub_eio__refuse(eio, exchange, http->handshake != 0, (wshub_eio_refusal)wrong);
    } else {
        eio->stats.elsewhere++;
    }
    wshub_eio__leave(eio);
}

static wshub_take wshub_eio__head(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http) {
    wshub_eio__query query;
    wshub_eio__session *session;
    int wrong;

    wshub_eio__query_read(http->query, &query);
    if (wshub_eio__is_file(eio, exchange, http, &query)) return wshub_eio__held(eio, exchange);
    if (eio->desc.cors && wshub_str_eq_z(http->method, "OPTIONS")) {
        wshub_eio__reply_empty(eio, exchange, 204);
        return WSHUB_TAKE_DONE;
    }
    session = query.has_sid ? wshub_eio__sid_find(eio, query.sid, query.sid_len) : NULL;
    if (!session && wshub_eio__is_elsewhere(eio, &query)) return WSHUB_TAKE_LEAVING;
    wrong = wshub_eio__judge(eio, http, &query, session);
    if (wrong >= 0) {
        wshub_eio__refuse(eio, exchange, http->handshake != 0, (wshub_eio_refusal)wrong);
        return WSHUB_TAKE_DONE;
    }
    if (http->handshake && http->handshake != 101) {
        wshub_eio__reply_error(eio, exchange, true, 400, WSHUB_EIO_BAD_REQUEST,
                               http->handshake_problem);
        return WSHUB_TAKE_DONE;
    }
    if ((!session || http->handshake) && !wshub_origin_allowed(eio->hub, http)) {
        wshub_eio__refuse(eio, exchange, http->handshake != 0, WSHUB_EIO_FORBIDDEN);
        return WSHUB_TAKE_DONE;
    }
    if (session) return wshub_eio__serve(session, exchange, http);
    if (eio->desc.allow && !eio->desc.allow(eio, exchange, http, eio->desc.user))
        return wshub_eio__held(eio, exchange);
    wshub_eio__open_session(eio, exchange, http, &query);
    return WSHUB_TAKE_DONE;
}

static wshub_take wshub_eio__on_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                     void *user) {
    wshub_eio *eio = (wshub_eio *)user;
    wshub_take take;

    (void)hub;
    wshub_eio__enter(eio);
    take = wshub_eio__head(eio, exchange, http);
    wshub_eio__leave(eio);
    return take;
}

/* ---- >>eio-public ---------------------------------------------------------------------------- */

WSHUB_API const char *wshub_eio_reason_text(wshub_eio_reason reason) {
    switch (reason) {
    case WSHUB_EIO_TRANSPORT_CLOSE: return "transport close";
    case WSHUB_EIO_PING_TIMEOUT: return "ping timeout";
    case WSHUB_EIO_PARSE_ERROR: return "parse error";
    case WSHUB_EIO_FORCED_CLOSE: return "forced close";
    case WSHUB_EIO_SHUTDOWN: return "server shutting down";
    case WSHUB_EIO_TRANSPORT_ERROR:
    case WSHUB_EIO_OVERFLOW: break;
    }
    return "transport error";
}

/* What is wrong with an origin of a description. NULL: nothing. */
static const char *wshub_eio__origin_problem(const wshub_eio_cors *cors, size_t i) {
    const char *rule = cors->origins[i];

    if (!wshub_origin_rule_ok(rule))
        return "cors.origins: must be `https://host[:port]`, no path, no slash behind it, no "
               "default port, with `*.` before the host for its subdomains; or `null`, or `*`";
    if (strcmp(rule, "*") == 0 && cors->origins_count > 1)
        return "cors.origins: `*` is everybody, and must stand alone";
    if (strcmp(rule, "null") == 0 && cors->credentials)
        return "cors.origins: with credentials `null` would let any page act as whoever looks at "
               "it; name the origins";
    return NULL;
}

/* What is wrong with a description of pages, which may be NULL. NULL: nothing. */
static const char *wshub_eio__cors_problem(const wshub_eio_cors *cors) {
    const char *problem = NULL;
    size_t i;

    if (!cors) return NULL;
    if (cors->reflect)
        return cors->origins || cors->origins_count
                   ? "cors: reflect allows whoever asks, and stands instead of origins"
                   : NULL;
    if (!cors->origins || !cors->origins_count)
        return "cors: origins and origins_count are required, one at least; pages of any origin: "
               "`*`, or reflect";
    for (i = 0; i < cors->origins_count && !problem; i++)
        problem = wshub_eio__origin_problem(cors, i);
    return problem;
}

/* What is wrong with the cookie of a description. NULL: nothing. */
static const char *wshub_eio__cookie_problem(const wshub_eio_desc *desc) {
    const char *p;

    if (desc->cookie_rest && !desc->cookie)
        return "cookie_rest: it stands behind a cookie, and there is none; set cookie";
    for (p = desc->cookie; p && *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == '=' || *p == ';')
            return "cookie: must be a name without blanks, control characters, `=` and `;`";
    }
    for (p = desc->cookie_rest; p && *p; p++) {
        if ((unsigned char)*p < ' ')
            return "cookie_rest: must have no control characters, as a header field";
    }
    if (desc->cookie &&
        strlen(desc->cookie) + (desc->cookie_rest ? strlen(desc->cookie_rest) : 0) > 400)
        return "cookie: must have at most 400 bytes together with cookie_rest";
    return NULL;
}

/* Clients wait for both together, and those in browsers and Node count no further: what is longer
 * is over at once there. */
static bool wshub_eio__pings_ok(const wshub_eio_desc *desc) {
    uint64_t interval = desc->ping_interval_ms ? desc->ping_interval_ms : 25000;
    uint64_t timeout = desc->ping_timeout_ms ? desc->ping_timeout_ms : 20000;
    return interval + timeout <= INT32_MAX;
}

WSHUB_API const char *wshub_eio_desc_problem(const wshub_eio_desc *desc) {
    if (!desc) return NULL;
    if (!wshub_eio__pings_ok(desc))
        return "ping_interval_ms: must be at most 2147483647 together with ping_timeout_ms, as "
               "clients can wait no longer for both";
    if (desc->path && (desc->path[0] != '/' || strlen(desc->path) >= WSHUB_NAME_BYTES_MAX))
        return "path: must begin with `/`, and be shorter than WSHUB_NAME_BYTES_MAX (4096)";
    if (desc->path && strcspn(desc->path, "?# \t\r\n") != strlen(desc->path))
        return "path: must be without query, fragment and white space; no request has such a one";
    if (desc->message_bytes_max > 1u << 30)
        return "message_bytes_max: must be at most 1073741824 (1 GiB)";
    if (desc->session_bytes_max > 1u << 30)
        return "session_bytes_max: must be at most 1073741824 (1 GiB)";
    if (desc->deflate && wshub_deflate_problem(desc->deflate))
        return wshub_deflate_problem(desc->deflate);
    if (desc->group && desc->sessions_max > 1u << 24)
        return "sessions_max: must be at most 16777216 with a group";
    if (desc->no_polling && desc->no_websocket)
        return "no_polling: one of the two transports has to be there";
    if (wshub_eio__cors_problem(desc->cors)) return wshub_eio__cors_problem(desc->cors);
    return wshub_eio__cookie_problem(desc);
}

static void wshub_eio__defaults(wshub_eio_desc *desc) {
    if (!desc->path) desc->path = "/engine.io/";
    if (!desc->ping_interval_ms) desc->ping_interval_ms = 25000;
    if (!desc->ping_timeout_ms) desc->ping_timeout_ms = 20000;
    if (!desc->upgrade_timeout_ms) desc->upgrade_timeout_ms = 10000;
    if (!desc->message_bytes_max) desc->message_bytes_max = 1000000;
    if (!desc->session_bytes_max) desc->session_bytes_max = 8388608;
    if (!desc->deflate_bytes_min) desc->deflate_bytes_min = 1024;
    if (!desc->sessions_max) desc->sessions_max = 100000;
    if (!desc->sessions_per_address_max) desc->sessions_per_address_max = WSHUB_OFF;
    if (!desc->cookie_rest) desc->cookie_rest = "Path=/; HttpOnly; SameSite=Lax";
    if (!desc->alloc) desc->alloc = wshub_eio__realloc;
}

/* The path of a description with a slash at its end, in memory for WSHUB_NAME_BYTES_MAX + 1. */
static void wshub_eio__path_write(const wshub_eio_desc *desc, char *path) {
    const char *text = desc && desc->path ? desc->path : "/engine.io/";
    size_t len = strlen(text);

    WSHUB_ASSERT(len && len < WSHUB_NAME_BYTES_MAX);
    memcpy(path, text, len + 1);
    if (path[len - 1] != '/') memcpy(path + len, "/", 2);
}

WSHUB_API wshub_err wshub_eio_check(const wshub *hub, const wshub_eio_desc *desc) {
    char path[WSHUB_NAME_BYTES_MAX + 1];
    wshub_mount_desc mount;

    if (!hub || wshub_eio_desc_problem(desc)) return WSHUB_ERR_PARAM;
    wshub_eio__path_write(desc, path);
    memset(&mount, 0, sizeof mount);
    mount.version = WSHUB_MOUNT_VERSION;
    mount.path = path;
    mount.prefix = mount.alone = true;
    return wshub_mount_check(hub, &mount);
}

/* Writes which origin of a description is wrong: `cors.origins[1] is "x": problem`. */
static size_t wshub_eio__origin_explain(const wshub_eio_cors *cors, char *buf, size_t cap) {
    static const wshub_field entry = {"", NULL, WSHUB_FIELD_TEXT, 0, sizeof(const char *)};
    char name[40], problem[WSHUB_EXPLAIN_BYTES];
    wshub_field field = entry;
    size_t i = 0;

    while (!wshub_eio__origin_problem(cors, i)) i++;
    WSHUB_ASSERT(i < cors->origins_count);
    (void)snprintf(name, sizeof name, "cors.origins[%lu]", (unsigned long)i);
    (void)snprintf(problem, sizeof problem, "%s%s", name,
                   strchr(wshub_eio__origin_problem(cors, i), ':'));
    field.name = name;
    return wshub_explain(problem, &cors->origins[i], &field, 1, buf, cap);
}

WSHUB_API size_t wshub_eio_desc_explain_versioned(const wshub *hub, const wshub_eio_desc *desc,
                                                  size_t desc_bytes, uint32_t version,
                                                  wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_eio_desc, path, TEXT, NULL),
        WSHUB_FIELD(wshub_eio_desc, ping_interval_ms, UINT, "ping_timeout_ms"),
        WSHUB_FIELD(wshub_eio_desc, ping_timeout_ms, UINT, NULL),
        WSHUB_FIELD(wshub_eio_desc, message_bytes_max, UINT, NULL),
        WSHUB_FIELD(wshub_eio_desc, session_bytes_max, UINT, NULL),
        WSHUB_FIELD(wshub_eio_desc, sessions_max, UINT, NULL),
        WSHUB_FIELD(wshub_eio_desc, no_polling, BOOL, "no_websocket"),
        WSHUB_FIELD(wshub_eio_desc, no_websocket, BOOL, NULL),
        WSHUB_FIELD(wshub_eio_desc, cookie, TEXT, NULL),
        WSHUB_FIELD(wshub_eio_desc, cookie_rest, TEXT, NULL),
    };
    wshub_eio_desc none;
    const char *problem;

    if (desc_bytes != sizeof *desc || version != WSHUB_EIO_DESC_VERSION)
        return wshub_explain("wshub_eio_desc: of another wshub_dialect_engineio.h than the code",
                             NULL, NULL, 0, buf, cap);
    memset(&none, 0, sizeof none);
    none.path = "/engine.io/";
    if (!desc) desc = &none;
    problem = wshub_eio_desc_problem(desc);
    if (problem && strncmp(problem, "cors.origins:", 13) == 0)
        return wshub_eio__origin_explain(desc->cors, buf, cap);

    if (!problem && hub && wshub_eio_check(hub, desc) == WSHUB_ERR_STATE)
        problem = "path: something that takes all requests of this path is mounted there already; "
                  "give one of the two another path";
    if (!problem && err == WSHUB_ERR_PARAM) problem = "hub, out_eio: required, and NULL";
    if (!problem && err == WSHUB_ERR_LIMIT)
        problem = "the hub has as many mounts (WSHUB_MOUNTS_MAX, 1000) or dialects "
                  "(WSHUB_DIALECTS_MAX, 16) as it can have, or the group as many engines "
                  "(WSHUB_EIO_LOOPS_MAX, 256); none of them is ever given back";
    if (!problem && err) problem = wshub_strerror(err);
    if (!desc->path) {
        none = *desc;
        none.path = "/engine.io/";
        desc = &none;
    }
    return wshub_explain(problem, desc, fields, sizeof fields / sizeof fields[0], buf, cap);
}

/* Says in the log why an engine was not made. Returns err. */
static wshub_err wshub_eio__refused(wshub *hub, const wshub_eio_desc *desc, size_t desc_bytes,
                                    uint32_t version, wshub_err err) {
    char why[WSHUB_EXPLAIN_BYTES];

    if (!hub) return err;
    (void)wshub_eio_desc_explain_versioned(hub, desc, desc_bytes, version, err, why, sizeof why);
    wshub_creation_failed(hub, "wshub_eio_create()", why);
    return err;
}

/* Adds the engine to its hub: its dialect, which lends sessions, and its path. */
static wshub_err wshub_eio__mount(wshub_eio *eio) {
    wshub_dialect table;
    wshub_mount_desc mount;
    wshub_err err;

    memset(&table, 0, sizeof table);
    table.version = WSHUB_DIALECT_VERSION;
    table.name = "engine.io";
    table.owed = wshub_eio__owed;
    table.session_gone = wshub_eio__session_gone;
    table.convert = wshub_eio__convert;
    err = wshub_dialect_add(eio->hub, &table, eio, &eio->dialect);
    if (err) return err;

    memset(&mount, 0, sizeof mount);
    mount.version = WSHUB_MOUNT_VERSION;
    mount.path = eio->path;
    mount.prefix = mount.alone = true;
    mount.keep_head = mount.half_close_ends = mount.no_close_reasons = true;
    WSHUB_ASSERT(wshub_eio__pings_ok(&eio->desc)); /* so that this is no sum that wraps */
    mount.answer_timeout_ms =
        eio->desc.ping_interval_ms + eio->desc.ping_timeout_ms + WSHUB_EIO__SLACK_MS;
    mount.body_bytes_max = mount.message_bytes_max = eio->desc.message_bytes_max;
    mount.user = eio;
    mount.on_head = wshub_eio__on_head;
    mount.on_body = wshub_eio__on_body;
    mount.on_answer = wshub_eio__on_answer;
    mount.on_exchange_gone = wshub_eio__on_exchange_gone;
    mount.on_leaving = wshub_eio__on_leaving;
    mount.on_message = wshub_eio__on_message;
    mount.on_conn_closed = wshub_eio__on_conn_closed;
    return wshub_mount(eio->hub, &mount);
}

/* Fills an engine that is all zero, and adds it to its hub. */
static wshub_err wshub_eio__begin(wshub_eio *eio, wshub *hub, const wshub_eio_desc *filled) {
    unsigned i;

    eio->owner.eio = eio;
    eio->hub = hub;
    eio->desc = *filled;
    if (filled->deflate) eio->deflate = *filled->deflate;
    eio->first_free = WSHUB_EIO__NONE;
    for (i = 0; i < WSHUB_EIO__CLOCKS; i++) eio->heads[i] = eio->tails[i] = WSHUB_EIO__NONE;
    wshub_random_bytes(hub, eio->mask, sizeof eio->mask);
    if (filled->group && !wshub_eio__group_join(eio)) return WSHUB_ERR_LIMIT;
    wshub_random_bytes(hub, eio->secret, sizeof eio->secret);

    eio->path = (char *)wshub_eio__alloc(eio, NULL, 0, strlen(filled->path) + 2);
    if (!eio->path) return WSHUB_ERR_NOMEM;
    wshub_eio__path_write(filled, eio->path);
    eio->path_len = strlen(eio->path);
    return wshub_eio__mount(eio);
}

WSHUB_API wshub_err wshub_eio_create_versioned(wshub *hub, const wshub_eio_desc *desc,
                                               size_t desc_bytes, uint32_t version,
                                               wshub_eio **out_eio) {
    wshub_eio_desc filled;
    wshub_eio *eio;
    wshub_err err;

    if (!out_eio || desc_bytes != sizeof filled || version != WSHUB_EIO_DESC_VERSION)
        return wshub_eio__refused(hub, desc, desc_bytes, version, WSHUB_ERR_PARAM);
    err = wshub_eio_check(hub, desc); /* a dialect could not be taken back */
    if (err) return wshub_eio__refused(hub, desc, desc_bytes, version, err);
    memset(&filled, 0, sizeof filled);
    if (desc) filled = *desc;
    wshub_eio__defaults(&filled);

    eio = (wshub_eio *)filled.alloc(filled.alloc_user, NULL, 0, sizeof *eio);
    if (!eio) return wshub_eio__refused(hub, desc, desc_bytes, version, WSHUB_ERR_NOMEM);
    memset(eio, 0, sizeof *eio);
    err = wshub_eio__begin(eio, hub, &filled);
    if (err) {
        wshub_eio_destroy(eio);
        return wshub_eio__refused(hub, desc, desc_bytes, version, err);
    }
    *out_eio = eio;
    return WSHUB_OK;
}

WSHUB_API void wshub_eio_destroy(wshub_eio *eio) {
    uint32_t i;
    wshub_alloc_fn alloc;
    void *user;

    if (!eio) return;
    wshub_eio__group_leave(eio);
    for (i = 0; i < eio->slots_count; i++) {
        wshub_eio__session *session = eio->slots[i].session;
        if (!session) continue;
        wshub_eio__opening_free(session);
        wshub_eio__address_leave(session);
        if (session->upgrade)
            (void)wshub_eio__alloc(eio, session->upgrade, sizeof *session->upgrade, 0);
        (void)wshub_eio__alloc(eio, session, sizeof *session, 0);
    }
    if (eio->slots) (void)wshub_eio__alloc(eio, eio->slots, eio->slots_cap * sizeof *eio->slots, 0);
    if (eio->buckets)
        (void)wshub_eio__alloc(eio, eio->buckets, eio->buckets_count * sizeof *eio->buckets, 0);
    if (eio->scratch) (void)wshub_eio__alloc(eio, eio->scratch, eio->scratch_cap, 0);
    if (eio->path) (void)wshub_eio__alloc(eio, eio->path, strlen(eio->desc.path) + 2, 0);
    alloc = eio->desc.alloc;
    user = eio->desc.alloc_user;
    (void)alloc(user, eio, sizeof *eio, 0);
}

WSHUB_API wshub_err wshub_eio_group_create(wshub_eio_group **out_group) {
    wshub_eio_group *group;

    if (!out_group) return WSHUB_ERR_PARAM;
    group = (wshub_eio_group *)malloc(sizeof *group);
    if (!group) return WSHUB_ERR_NOMEM;
    memset(group, 0, sizeof *group);
    *out_group = group;
    return WSHUB_OK;
}

WSHUB_API void wshub_eio_group_destroy(wshub_eio_group *group) {
    free(group);
}

WSHUB_API void wshub_eio_shutdown(wshub_eio *eio) {
    wshub_eio_session handle;
    wshub_iter iter = {0, 0};

    eio->down = true;
    wshub_eio__enter(eio);
    while (wshub_eio_each(eio, &iter, &handle))
        (void)wshub_eio_close_for(eio, handle, WSHUB_EIO_SHUTDOWN);
    wshub_eio__leave(eio);
}

/* Sends a packet that is put together behind its first character. */
static wshub_err wshub_eio__send_packet(wshub_eio__session *session, const char *packet,
                                        size_t len) {
    wshub *hub = session->owner.eio->hub;
    WSHUB_ASSERT(wshub_eio__is_open(session));
    WSHUB_ASSERT(len > 0);
    if (session->state == WSHUB_EIO__SOCKET)
        return wshub_conn_send(hub, session->conn, packet, len, true);
    return wshub_session_send(hub, session->hub_session, packet, len);
}

static wshub_err wshub_eio__send(wshub_eio__session *session, const void *bytes, size_t count,
                                 bool text) {
    wshub_eio *eio = session->owner.eio;
    bool coded = !text && (session->b64 || session->state != WSHUB_EIO__SOCKET);
    size_t len = coded ? wshub_eio_binary_len(count) : 1 + count;
    char *packet;

    if (!text && !coded) return wshub_conn_send(eio->hub, session->conn, bytes, count, false);
    packet = wshub_eio__scratch(eio, len);
    if (!packet) return WSHUB_ERR_NOMEM;
    if (coded) {
        wshub_eio_binary_write(bytes, count, packet);
    } else {
        packet[0] = '4';
        if (count) memcpy(packet + 1, bytes, count);
    }
    return wshub_eio__send_packet(session, packet, len);
}

WSHUB_API wshub_err wshub_eio_send(wshub_eio *eio, wshub_eio_session session, const void *bytes,
                                   size_t count, bool text) {
    wshub_eio__session *found = wshub_eio__open(eio, session);
    wshub_err err;

    if (!found) return WSHUB_ERR_STALE;
    if (count && !bytes) return WSHUB_ERR_PARAM;
    if (count > WSHUB_MSG_BYTES_MAX / 2) return WSHUB_ERR_LIMIT;
    if (text && !wshub_utf8_check((const uint8_t *)bytes, count)) return WSHUB_ERR_PARAM;
    if (text && count && wshub_eio__polls(found) && memchr(bytes, WSHUB_EIO_SEPARATOR, count))
        return WSHUB_ERR_PARAM;
    wshub_eio__enter(eio);
    err = wshub_eio__send(found, bytes, count, text);
    if (err == WSHUB_ERR_NOMEM && wshub_eio__is_open(found)) /* it would go on with a gap */
        wshub_eio__close(found, WSHUB_EIO_OVERFLOW);
    wshub_eio__leave(eio);
    return err;
}

WSHUB_API wshub_err wshub_eio_close_for(wshub_eio *eio, wshub_eio_session session,
                                        wshub_eio_reason reason) {
    wshub_eio__session *found = wshub_eio__open(eio, session);

    if (!found) return WSHUB_ERR_STALE;
    wshub_eio__enter(eio);
    wshub_eio__close(found, reason);
    wshub_eio__leave(eio);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_eio_close(wshub_eio *eio, wshub_eio_session session) {
    return wshub_eio_close_for(eio, session, WSHUB_EIO_FORCED_CLOSE);
}

WSHUB_API wshub_err wshub_eio_admit(wshub_eio *eio, wshub_exchange exchange) {
    const wshub_http *http = wshub_exchange_http(eio->hub, exchange);
    wshub_eio__query query;
    uint64_t refused = eio->stats.refused;
    bool admitted;

    if (!http) return WSHUB_ERR_STALE;
    wshub_eio__enter(eio);
    wshub_eio__query_read(http->query, &query);
    wshub_eio__open_session(eio, exchange, http, &query);
    admitted = eio->stats.refused == refused;
    wshub_eio__leave(eio);
    return admitted ? WSHUB_OK : WSHUB_ERR_LIMIT;
}

WSHUB_API wshub_err wshub_eio_refuse(wshub_eio *eio, wshub_exchange exchange, const char *text) {
    const wshub_http *http = wshub_exchange_http(eio->hub, exchange);

    if (!http) return WSHUB_ERR_STALE;
    wshub_eio__enter(eio);
    wshub_eio__reply_error(eio, exchange, http->handshake != 0, 403, WSHUB_EIO_FORBIDDEN,
                           text ? text : "Forbidden");
    wshub_eio__leave(eio);
    return WSHUB_OK;
}

WSHUB_API wshub_eio_transport wshub_eio_transport_of(const wshub_eio *eio,
                                                     wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    if (!found) return (wshub_eio_transport)0;
    return found->state == WSHUB_EIO__SOCKET ? WSHUB_EIO_WEBSOCKET : WSHUB_EIO_POLLING;
}

WSHUB_API wshub_str wshub_eio_sid(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    wshub_str sid;
    sid.ptr = found ? found->sid : NULL;
    sid.len = found ? WSHUB_EIO__SID : 0;
    return sid;
}

WSHUB_API bool wshub_eio_is_writable(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    if (!found) return false;
    if (found->conn.id) return wshub_conn_queued_bytes(eio->hub, found->conn) == 0;
    return found->poll.id != 0;
}

WSHUB_API wshub_session wshub_eio_hub_session(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__open(eio, session);
    wshub_session none = {0};
    return found ? found->hub_session : none;
}

WSHUB_API wshub_kind wshub_eio_kind(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__open(eio, session);
    if (!found) return 0;
    if (found->state != WSHUB_EIO__SOCKET) return eio->desc.kind_polling;
    return found->b64 ? eio->desc.kind_websocket_b64 : eio->desc.kind_websocket;
}

WSHUB_API const wshub_http *wshub_eio_http(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    return found && found->opening ? &found->opening->http : NULL;
}

WSHUB_API const wshub_http *wshub_eio_carrier(const wshub_eio *eio) {
    return eio->carrier.id ? wshub_exchange_http(eio->hub, eio->carrier) : NULL;
}

WSHUB_API wshub_str wshub_eio_address(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    return found && found->opening ? found->opening->address : wshub_str_z("");
}

WSHUB_API uint64_t wshub_eio_issued_ms(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    return found && found->opening ? found->opening->issued_ms : 0;
}

WSHUB_API bool wshub_eio_is_secure(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    return found && found->opening && found->opening->secure;
}

WSHUB_API void wshub_eio_forget_http(wshub_eio *eio, wshub_eio_session session) {
    wshub_eio__session *found = wshub_eio__get(eio, session);
    if (found) wshub_eio__opening_free(found);
}

WSHUB_API void wshub_eio_trust(wshub_eio *eio, wshub_eio_session session) {
    wshub_eio__session *found = wshub_eio__get(eio, session);
    if (found) wshub_eio__address_leave(found);
}

WSHUB_API void wshub_eio_set_session_user(wshub_eio *eio, wshub_eio_session session, void *user) {
    wshub_eio__session *found = wshub_eio__get(eio, session);
    if (found) found->user = user;
}

WSHUB_API void *wshub_eio_session_user(const wshub_eio *eio, wshub_eio_session session) {
    const wshub_eio__session *found = wshub_eio__get(eio, session);
    return found ? found->user : NULL;
}

WSHUB_API bool wshub_eio_each(const wshub_eio *eio, wshub_iter *iter,
                              wshub_eio_session *out_session) {
    for (; iter->pos < eio->slots_count; iter->pos++) { /* slots do not move */
        const wshub_eio__session *session = eio->slots[iter->pos].session;
        if (!session || session->first || !wshub_eio__is_open(session)) continue;
        *out_session = wshub_eio__handle(session);
        iter->pos++;
        return true;
    }
    return false;
}

WSHUB_API wshub *wshub_eio_hub(const wshub_eio *eio) {
    return eio->hub;
}

WSHUB_API void *wshub_eio_user(const wshub_eio *eio) {
    return eio->desc.user;
}

WSHUB_API void wshub_eio_stats_get(const wshub_eio *eio, wshub_eio_stats *out_stats) {
    *out_stats = eio->stats;
}

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_DIALECT_ENGINEIO_DONE */
