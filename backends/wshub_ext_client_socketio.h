/* wshub_ext_client_socketio.h - a client of Socket.IO in C
 *
 * [x] Socket.IO 5 over Engine.IO 4, as Node's servers and wshub_dialect_socketio.h speak it, on the
 *     streams of wshub_ext_client.h: any io, names, proxies and TLS as those have them, `https` and
 *     `wss` through a proxy too
 * [x] over a WebSocket; over long-polling, for networks that have nothing else; or over polling
 *     first and a WebSocket as soon as one works (wshub_sio_client_desc.transports)
 * [x] namespaces, several on one connection; what is said at CONNECT fixed or asked for each time
 * [x] events both ways with several arguments and bytes at any depth; acknowledgements both ways
 * [x] it comes back: after a backoff with chance, to the server's recovery if that has one; what
 *     was emitted meanwhile is kept to a limit, and what has run out of time is not sent any more
 * [x] the flow of the Ignis helper: authenticate, subscribe, join, leave
 * [x] `retries`: what is emitted is said again until it is answered, one after the other
 *
 * System   ISO C99.
 * Include  behind wshub.h; it includes wshub_dialect_socketio.h, whose packets it reads and writes,
 *          and wshub_ext_client_engineio.h, whose sessions carry them, with wshub_ext_client.h. The
 *          code is emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_EXT_CLIENT_SOCKETIO_IMPLEMENTATION for a file of its own.
 * Threads  One, that of the io, for everything.
 *
 * ---- a client ----
 *     static void on_connected(wshub_sio_socket *socket, wshub_str id, bool recovered,
 *                              void *user) {
 *         wshub_str text = wshub_str_z("\"hello\"");
 *         wshub_packet packet = {.event = wshub_str_z("say"), .args = &text, .args_count = 1};
 *         wshub_sio_socket_emit(socket, &packet);
 *     }
 *     static const wshub_sio_socket_events events = {.connected = on_connected, .event = on_event};
 *     static const wshub_sio_client_desc to = {.ws = {.url = "http://localhost:3000"}};
 *     static const wshub_sio_socket_desc main_space = {.events = &events};
 *
 *     wshub_ws_pool_create(&(wshub_ws_pool_desc){.io = wshub_io_sock_io(net)}, &pool);
 *     wshub_sio_client_create(pool, &to, NULL, &client);
 *     wshub_sio_socket_create(client, &main_space, NULL, &socket);
 *     wshub_io_sock_run(net);
 *     wshub_sio_client_destroy(client);
 *     wshub_ws_pool_destroy(pool);
 *
 * A client is a connection, or the will to have one; it is connected while one of its sockets wants
 * to be. A socket is a namespace on it. Arguments are JSON; where bytes belong stands an object, as
 * on the server's side: wshub_sio_bytes() and wshub_sio_put_bytes() read and write it.
 *
 * ---- why it was disconnected ----
 * The words are those of Node's client. `io client disconnect`: it left. `io server disconnect`:
 * the server has put it out. After these two it does not come back by itself; after the others
 * it does: `transport close`: the connection was closed or lost; `ping timeout`: the server has
 * not pinged for the interval and the timeout that it had announced; `transport error`: what
 * came is no Engine.IO, no WebSocket, or no answer to a poll; `parse error`: no Socket.IO, or
 * more than a limit allows. A namespace that refuses tells connect_error(), and it does not come
 * back by itself either.
 *
 * ---- coming back ----
 * It waits for reconnect_delay_ms, doubled each time up to reconnect_delay_max_ms, give or take
 * half by chance; attempts are counted anew when a namespace has accepted. In order: CONNECT, what
 * was kept, then connected() is told, then what has come before the answer to CONNECT, which a
 * recovery sends first. Where the server recovers, the last argument of an event is its offset, and
 * stays in the arguments; a volatile event that ends in a string is mistaken for one, as by Node's
 * client, and the next recovery fails for it.
 *
 * What asks for an answer is told once: an answer, `operation has timed out`, or
 * `socket has been disconnected` if the connection was lost while it was under way; what was still
 * kept then is sent later. Without retries nothing is repeated: an event comes twice only if it is
 * said twice.
 *
 * ---- saying it until it is answered ----
 * With wshub_sio_socket_desc.retries each event that is emitted or asked, but for volatile ones, is
 * promised: it is sent when all that were promised before it are over, and sent again, the same
 * bytes with the same id, each time ack_timeout_ms have passed or the connection was lost without
 * an answer, until it is answered or 1 + retries tries are used up. While it is not connected no
 * try is made or counted. So order is kept across losses, and an event arrives at least once: where
 * an answer was lost, or too late, it arrives twice. Who must not count it twice writes a number of
 * its own into the arguments, as the documentation of Socket.IO says; the server's handler has to
 * acknowledge each event, with or without arguments. An answer to an earlier try counts, too.
 * What is promised outlives wshub_sio_socket_disconnect(), until the next connection; it does not
 * outlive wshub_sio_socket_shutdown(), the socket, or the process. Answers, and the events of the
 * helper's flow, are not promised. */
#ifndef WSHUB_EXT_CLIENT_SOCKETIO_H
#define WSHUB_EXT_CLIENT_SOCKETIO_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#include "wshub_dialect_socketio.h"
#include "wshub_ext_client_engineio.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A connection to a server. Made by wshub_sio_client_create(), ended by
 * wshub_sio_client_destroy(). */
typedef struct wshub_sio_client wshub_sio_client;
/* A namespace on it. Made by wshub_sio_socket_create(), ended by wshub_sio_socket_destroy(), or
 * with its client. */
typedef struct wshub_sio_socket wshub_sio_socket;

/* How far a client is. */
typedef enum wshub_sio_client_state {
    WSHUB_SIO_CLIENT_IDLE = 0,   /* it neither is nor wants to be connected */
    WSHUB_SIO_CLIENT_WAITING,    /* for the next attempt */
    WSHUB_SIO_CLIENT_CONNECTING, /* an attempt is under way, until the server's open packet */
    WSHUB_SIO_CLIENT_OPEN        /* namespaces are asked for, and there */
} wshub_sio_client_state;

/* How far a socket is. */
typedef enum wshub_sio_socket_state {
    WSHUB_SIO_SOCKET_IDLE = 0, /* it neither is nor wants to be connected */
    WSHUB_SIO_SOCKET_WAITING,  /* for the connection */
    WSHUB_SIO_SOCKET_JOINING,  /* CONNECT is sent */
    WSHUB_SIO_SOCKET_CONNECTED /* the server has accepted */
} wshub_sio_socket_state;

/* How far the helper's flow is. */
typedef enum wshub_sio_socket_auth {
    WSHUB_SIO_SOCKET_UNAUTHORIZED = 0, /* also while it is not connected */
    WSHUB_SIO_SOCKET_AUTHENTICATING,   /* `authenticate` is sent */
    WSHUB_SIO_SOCKET_AUTHENTICATED     /* the server has said `authenticated` */
} wshub_sio_socket_auth;

/* Why a socket is not connected. Views, until the callback returns. */
typedef struct wshub_sio_connect_error {
    wshub_str message; /* of the server's refusal; else what went wrong, "timeout" among it */
    wshub_str data;    /* of the server's refusal, JSON; ptr NULL: none */
    bool refused;      /* the namespace has answered so */
    bool again;        /* there will be another attempt: by itself, or as a callback wants it */
    const wshub_ws_gone *gone; /* how an attempt's stream has ended, or (STATUS) how its request was
                                  answered; NULL: something else */
} wshub_sio_connect_error;

/* What a socket tells. On the io's thread, never from inside an order; each may call anything, also
 * end the socket or the client. Texts are views until it returns. NULL: not told. */
typedef struct wshub_sio_socket_events {
    /* Asked before each CONNECT for what it is to say, a JSON object; ptr NULL: nothing. What is
     * none is not said. The answer is copied. NULL: desc.auth is said. */
    wshub_str (*auth)(wshub_sio_socket *socket, void *user);
    /* The server has accepted it; what was kept is sent already. recovered: as the one that it was,
     * with its rooms, and what it has missed follows. */
    void (*connected)(wshub_sio_socket *socket, wshub_str id, bool recovered, void *user);
    /* An attempt has failed, or it is refused; never together with disconnected(). */
    void (*connect_error)(wshub_sio_socket *socket, const wshub_sio_connect_error *error,
                          void *user);
    /* Once for each connected(). reason: see the top of the file. again: it will come back, by
     * itself or as a callback that was told before wants it. When an end is told, all sockets that
     * it concerns have their state already: wshub_sio_socket_connect() for any of them stands. */
    void (*disconnected)(wshub_sio_socket *socket, const char *reason, bool again, void *user);
    /* An event, behind the handlers that are subscribed to it. It was sent to the socket that
     * connected() has told of, and not to one that had left before. event->ack: an answer is
     * wanted, wshub_sio_socket_answer(). */
    void (*event)(wshub_sio_socket *socket, const wshub_sio_event *event, void *user);
    /* The helper's flow: `authenticated` has come, whose first argument is data (ptr NULL:
     * none). */
    void (*authenticated)(wshub_sio_socket *socket, wshub_str data, void *user);
    /* And `unauthenticated`, with its message (may be empty). */
    void (*unauthenticated)(wshub_sio_socket *socket, wshub_str message, void *user);
} wshub_sio_socket_events;

/* What a client tells, as a socket does. */
typedef struct wshub_sio_client_events {
    /* It waits for so long, then makes its attempt-th attempt since a namespace was connected. */
    void (*reconnecting)(wshub_sio_client *client, uint32_t attempt, uint32_t delay_ms, void *user);
    /* So many attempts have failed, as many as were to be made; wshub_sio_socket_connect() begins
     * anew. */
    void (*gave_up)(wshub_sio_client *client, uint32_t attempts, void *user);
    /* The connection that it has left is closed to its end: nothing of it is under way any more. */
    void (*closed)(wshub_sio_client *client, void *user);
} wshub_sio_client_events;

/* Of the descriptions and events of this file. */
#define WSHUB_SIO_CLIENT_VERSION 1

/* What a client is like. Zero is the default of every field. It is borrowed with all that it points
 * to until the client is destroyed, so that thousands can share it. */
typedef struct wshub_sio_client_desc {
    /* Where to, and how. ws.url: `http`, `https`, `ws` or `wss`, host and port, with at most a `/`
     * behind them. ws.events and ws.user are ours. ws.idle_timeout_ms: 0 is WSHUB_OFF here, as the
     * server pings. ws.message_bytes_max: of a text, and of an attachment. ws.connect_timeout_ms:
     * until the server's open packet. ws.headers: of the WebSocket's request, and of each poll. */
    wshub_ws_desc ws;
    /* WSHUB_EIO_WEBSOCKET_ONLY; what may carry a connection. Node's client has POLLING_FIRST: it
     * gets through where WebSockets do not, and takes two round trips more to begin. */
    wshub_eio_transports transports;
    const char *path;  /* of the mount; NULL: "/socket.io/". A slash is added at its end */
    const char *query; /* `a=b&c=d`, in front of what the protocol needs; NULL: none */
    const wshub_sio_client_events *events; /* NULL: none */
    bool no_cookies;   /* polling: those that the server sets are not said, as they are else, within
                          a connection; "cookies" of wshub_ext_client_engineio.h */
    bool no_reconnect; /* it does not come back */
    uint32_t reconnect_delay_ms;     /* 1000; the first wait */
    uint32_t reconnect_delay_max_ms; /* 5000; to which it is doubled */
    uint32_t reconnect_tries;        /* 0: as often as it takes */
    uint32_t join_timeout_ms;   /* 45000; for the answer to a CONNECT; WSHUB_OFF: none. Then the
                                   connection is given up, or if other namespaces are connected the
                                   socket alone */
    uint32_t buffer_bytes;      /* 1048576; of what a socket keeps while it cannot send */
    uint32_t attachments_max;   /* 10; of a packet, both ways; at most 99 */
    uint32_t packet_bytes_max;  /* 10485760; of a packet that comes, with its attachments */
    uint32_t payload_bytes_max; /* 16777216; polling: of what one answer brings, many packets */
    uint32_t early_bytes_max;   /* 1048576; of what comes before the answer to CONNECT */
    uint32_t asks_max;          /* 65536; of a socket's events that wait for an answer */
    uint32_t unanswered_max;    /* 1024; of the server's events that we may answer yet: the oldest
                                   are forgotten */
} wshub_sio_client_desc;

/* Makes a client, which connects when a socket wants it.
 *   pool        ended after its clients
 *   desc        borrowed until the client is destroyed
 *   user        the last argument of its events
 *   out_client  given to you
 * Returns  OK; PARAM: wshub_sio_client_desc_problem() says which field; NOMEM.
 * Thread   the io's. */
WSHUB_INLINE wshub_err wshub_sio_client_create(wshub_ws_pool *pool,
                                               const wshub_sio_client_desc *desc, void *user,
                                               wshub_sio_client **out_client);
/* Says in one line what wshub_sio_client_create() would refuse in a description, beginning with the
 * field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_sio_client_desc_problem(const wshub_sio_client_desc *desc);
/* What the two above call, as wshub_ws_pool_create_versioned(). Return as those. */
WSHUB_API wshub_err wshub_sio_client_create_versioned(wshub_ws_pool *pool,
                                                      const wshub_sio_client_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      void *user, wshub_sio_client **out_client);
WSHUB_API const char *wshub_sio_client_desc_problem_versioned(const wshub_sio_client_desc *desc,
                                                              size_t desc_bytes, uint32_t version);
WSHUB_INLINE wshub_err wshub_sio_client_create(wshub_ws_pool *pool,
                                               const wshub_sio_client_desc *desc, void *user,
                                               wshub_sio_client **out_client) {
    return wshub_sio_client_create_versioned(pool, desc, sizeof *desc, WSHUB_SIO_CLIENT_VERSION,
                                             user, out_client);
}
WSHUB_INLINE const char *wshub_sio_client_desc_problem(const wshub_sio_client_desc *desc) {
    return wshub_sio_client_desc_problem_versioned(desc, sizeof *desc, WSHUB_SIO_CLIENT_VERSION);
}
/* Ends it with its sockets, in any state: its stream is cut, and nothing of it is called any more.
 * In a callback of its own it is gone when that has returned. NULL: nothing. Thread: the io's. */
WSHUB_API void wshub_sio_client_destroy(wshub_sio_client *client);
/* Cuts its streams without a word; it comes back as after any loss. Returns OK; STATE: it is not
 * OPEN. */
WSHUB_API wshub_err wshub_sio_client_drop(wshub_sio_client *client);
/* Tells how far it is, and its WebSocket of now ({0}: there is none, as while it polls). */
WSHUB_API wshub_sio_client_state wshub_sio_client_state_of(const wshub_sio_client *client);
WSHUB_API wshub_ws wshub_sio_client_ws(const wshub_sio_client *client);
/* Is the end of a connection awaited that it has left? Then closed() will be told. */
WSHUB_API bool wshub_sio_client_is_leaving(const wshub_sio_client *client);

/* ---- sockets ---- */

/* What a socket is like. Zero is the default of every field. Borrowed until it is destroyed. */
typedef struct wshub_sio_socket_desc {
    const char *name; /* of the namespace; NULL: "/". A slash is added in front; UTF-8, at most 256
                         bytes, no comma */
    const wshub_sio_socket_events *events; /* required */
    const char *auth; /* a JSON object that is said at CONNECT; NULL: none. See events.auth */
    bool no_connect;  /* it waits for wshub_sio_socket_connect() */
    bool helper;      /* it speaks the helper's flow: see wshub_sio_socket_authenticate() */
    bool auto_auth;   /* the helper's: it authenticates after each connection, and then joins again
                         what it had joined */
    uint32_t retries; /* 0: events are sent once; else how often one is sent again that is not
                         answered. See "saying it until it is answered" */
    uint32_t ack_timeout_ms; /* 10000, up to a day; with retries: how long each try waits for its
                                answer. WSHUB_OFF: as long as it is connected */
} wshub_sio_socket_desc;

/* Makes a socket, which connects in the next turn unless no_connect.
 *   desc        borrowed until the socket is destroyed
 *   user        the last argument of its events
 *   out_socket  given to you, until its client is destroyed
 * Returns  OK; PARAM: wshub_sio_socket_desc_problem() says which field; STATE: the client has a
 *          socket of that name; NOMEM.
 * Thread   the io's. */
WSHUB_INLINE wshub_err wshub_sio_socket_create(wshub_sio_client *client,
                                               const wshub_sio_socket_desc *desc, void *user,
                                               wshub_sio_socket **out_socket);
/* As wshub_sio_client_desc_problem(). */
WSHUB_INLINE const char *wshub_sio_socket_desc_problem(const wshub_sio_socket_desc *desc);
/* What the two above call, as wshub_ws_pool_create_versioned(). Return as those. */
WSHUB_API wshub_err wshub_sio_socket_create_versioned(wshub_sio_client *client,
                                                      const wshub_sio_socket_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      void *user, wshub_sio_socket **out_socket);
WSHUB_API const char *wshub_sio_socket_desc_problem_versioned(const wshub_sio_socket_desc *desc,
                                                              size_t desc_bytes, uint32_t version);
WSHUB_INLINE wshub_err wshub_sio_socket_create(wshub_sio_client *client,
                                               const wshub_sio_socket_desc *desc, void *user,
                                               wshub_sio_socket **out_socket) {
    return wshub_sio_socket_create_versioned(client, desc, sizeof *desc, WSHUB_SIO_CLIENT_VERSION,
                                             user, out_socket);
}
WSHUB_INLINE const char *wshub_sio_socket_desc_problem(const wshub_sio_socket_desc *desc) {
    return wshub_sio_socket_desc_problem_versioned(desc, sizeof *desc, WSHUB_SIO_CLIENT_VERSION);
}
/* Ends it: it leaves as wshub_sio_socket_disconnect() does, and nothing of it is called any more.
 * In a callback of the client's it is gone when that has returned. NULL: nothing. */
WSHUB_API void wshub_sio_socket_destroy(wshub_sio_socket *socket);

/* Wants to be connected, also after it was put out or has left; cuts a wait of the client's short,
 * and attempts are counted anew. Returns OK, also if it is under way or there. */
WSHUB_API wshub_err wshub_sio_socket_connect(wshub_sio_socket *socket);
/* Leaves. What is kept stays for the next connection. disconnected() is told in the next turn, if
 * it was connected; a connection that no socket wants any more is closed. What the server had sent
 * to it and is still under way is told to nobody: nor if the name is taken again on the same
 * connection, by this socket or another one, perhaps as another user. From the leaving until the
 * server has accepted again all events of that name are passed over, and that the server has put it
 * out. So are those that a server says before it accepts, out of a middleware, in this one case.
 * A server of Node's ends the whole connection, with all its namespaces, where it reads the leaving
 * and the next CONNECT of that name in one piece, as they are said within a turn, and where what it
 * has just put out says that it leaves; all of them come back then.
 * Returns OK, also if it is not connected. */
WSHUB_API wshub_err wshub_sio_socket_disconnect(wshub_sio_socket *socket);

/* Emits an event. While it cannot be sent it is kept, in order, and sent once; or it is promised,
 * with wshub_sio_socket_desc.retries.
 *   packet  event, arguments, attachments and flags (WSHUB_PACKET_VOLATILE: dropped instead of
 *           kept); its id and ask are not looked at; copied
 * Returns  OK; PARAM: no event, a reserved name, or bytes that are not there; JSON: an argument is
 *          none; STATE: a volatile one that cannot be sent now; LIMIT: over attachments_max, or
 *          over buffer_bytes with what is kept and promised, or asks_max are promised; NOMEM;
 *          RANDOM. After an error nothing has changed.
 * Thread   the io's; allowed in callbacks. Cost: one copy, masked. */
WSHUB_API wshub_err wshub_sio_socket_emit(wshub_sio_socket *socket, const wshub_packet *packet);
/* Is told the answer to what has asked for one: once, unless its socket is destroyed.
 *   answers  error, args and attachments; answers and answers_count are not used */
typedef void (*wshub_sio_reply_fn)(wshub_sio_socket *socket, const wshub_sio_answers *answers,
                                   void *user);
/* Emits an event and asks for an answer. What runs out of time while it is kept is not sent any
 * more.
 *   timeout_ms  1..86400000, from now on; WSHUB_OFF: as long as it is connected. Where it is
 *               promised: of each try, in place of ack_timeout_ms, and fn is told when it is over
 *   fn          required; user: its last argument
 * Returns  as wshub_sio_socket_emit(); LIMIT also: asks_max wait. */
WSHUB_API wshub_err wshub_sio_socket_ask(wshub_sio_socket *socket, const wshub_packet *packet,
                                         uint32_t timeout_ms, wshub_sio_reply_fn fn, void *user);
/* Answers an event of the server's that has asked, once.
 *   packet  arguments and attachments
 * Returns  as wshub_sio_socket_emit(); STALE: it is answered, forgotten (unanswered_max), or of a
 *          connection that is gone. */
WSHUB_API wshub_err wshub_sio_socket_answer(wshub_sio_socket *socket, wshub_sio_ack ack,
                                            const wshub_packet *packet);

/* Tell how far it is, its id while it is connected (empty: it is not; a view until it changes), how
 * many packets are kept, or promised and not over, and its name, with the slash. */
WSHUB_API wshub_sio_socket_state wshub_sio_socket_state_of(const wshub_sio_socket *socket);
WSHUB_API wshub_str wshub_sio_socket_id(const wshub_sio_socket *socket);
WSHUB_API size_t wshub_sio_socket_buffered(const wshub_sio_socket *socket);
WSHUB_API wshub_str wshub_sio_socket_name(const wshub_sio_socket *socket);
WSHUB_API wshub_sio_client *wshub_sio_socket_client(const wshub_sio_socket *socket);

/* ---- handlers ---- */

/* Is told an event that it is subscribed to; as wshub_sio_socket_events.event. */
typedef void (*wshub_sio_handler_fn)(wshub_sio_socket *socket, const wshub_sio_event *event,
                                     void *user);
/* Has events told to a handler. Handlers of one event are called in the order of their
 * subscription; those that are subscribed meanwhile from the next event on.
 *   events     count names, copied
 *   duplicate  also if the event has a handler; false: then it is refused
 * Returns  OK; PARAM: no name, or one over WSHUB_NAME_BYTES_MAX bytes; STATE: one of them has a
 *          handler; NOMEM. After an error none is subscribed. */
WSHUB_API wshub_err wshub_sio_socket_subscribe(wshub_sio_socket *socket, wshub_str event,
                                               wshub_sio_handler_fn fn, void *user, bool duplicate);
WSHUB_API wshub_err wshub_sio_socket_subscribe_many(wshub_sio_socket *socket,
                                                    const wshub_str *events, size_t count,
                                                    wshub_sio_handler_fn fn, void *user,
                                                    bool duplicate);
/* Has them told no longer.
 *   fn  NULL: all handlers of the event
 * Returns  OK; ABSENT: there is none of one of them, the others are taken away. */
WSHUB_API wshub_err wshub_sio_socket_unsubscribe(wshub_sio_socket *socket, wshub_str event,
                                                 wshub_sio_handler_fn fn);
WSHUB_API wshub_err wshub_sio_socket_unsubscribe_many(wshub_sio_socket *socket,
                                                      const wshub_str *events, size_t count,
                                                      wshub_sio_handler_fn fn);

/* ---- the helper's flow (wshub_sio_socket_desc.helper) ----
 * The client's side of wshub_sio_flow. Every disconnection is the end of an authentication. */

/* Sends `authenticate`; authenticated() or unauthenticated() follows. Returns OK; STATE: it is not
 * connected, or not UNAUTHORIZED, or no helper; NOMEM; RANDOM. */
WSHUB_API wshub_err wshub_sio_socket_authenticate(wshub_sio_socket *socket);
/* Tells how far its authentication is. */
WSHUB_API wshub_sio_socket_auth wshub_sio_socket_auth_of(const wshub_sio_socket *socket);
/* Asks to be in rooms, or leaves them. With auto_auth they are remembered, asked for after each
 * authentication, and forgotten when they are left.
 *   rooms  UTF-8, count of them; copied
 * Returns  OK; PARAM: none, no UTF-8, or a name over WSHUB_NAME_BYTES_MAX bytes; STATE: it is not
 *          connected (and not auto_auth), or no helper; LIMIT: over buffer_bytes of names; NOMEM;
 *          RANDOM. After an error nothing has changed. */
WSHUB_API wshub_err wshub_sio_socket_join(wshub_sio_socket *socket, const wshub_str *rooms,
                                          size_t count);
WSHUB_API wshub_err wshub_sio_socket_leave(wshub_sio_socket *socket, const wshub_str *rooms,
                                           size_t count);
/* Leaves, and forgets handlers, rooms, what is kept, and who waits for answers: nothing of it is
 * told any more, disconnected() neither, until it is connected again. Returns OK. */
WSHUB_API wshub_err wshub_sio_socket_shutdown(wshub_sio_socket *socket);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_EXT_CLIENT_SOCKETIO_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_EXT_CLIENT_SOCKETIO_IMPLEMENTATION)) &&        \
    !defined(WSHUB__EXT_CLIENT_SOCKETIO_DONE)
#define WSHUB__EXT_CLIENT_SOCKETIO_DONE
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
    WSHUB_SIO_CLIENT__ATTACHMENTS = 99, /* of a packet, whatever the description says */
    WSHUB_SIO_CLIENT__NAME_MAX = 256,   /* bytes of a namespace's name */
    WSHUB_SIO_CLIENT__ID_MAX = 64,      /* a socket's id is shorter, or not told */
    WSHUB_SIO_CLIENT__TOKEN_MAX = 256,  /* of a pid and an offset as JSON; a longer one is none */
    WSHUB_SIO_CLIENT__RETRY_MS = 100,   /* what could not be sent, though nothing waits */
    WSHUB_SIO_CLIENT__HEADS = 16,       /* what a frame has around its bytes, at most */
    WSHUB_SIO_CLIENT__SHORT = 512,      /* a text up to here is written where it needs no memory */
    WSHUB_SIO_CLIENT__LIST = 16         /* so many arguments are listed there, too */
};

/* Bytes that are kept; they stand behind it. A packet is its text, with its attachments as
 * parts. */
typedef struct wshub_sio_client__kept {
    struct wshub_sio_client__kept *next, *part;
    size_t len;
    uint64_t ask; /* of an event that asks: the id and 1; 0: none */
} wshub_sio_client__kept;

/* Packets in order. */
typedef struct wshub_sio_client__queue {
    wshub_sio_client__kept *first, *last;
    size_t bytes, count;
} wshub_sio_client__queue;

/* Who waits for an answer. */
typedef struct wshub_sio_client__ask {
    struct wshub_sio_client__ask *next;
    wshub_sio_socket *socket;
    wshub_ws_timer timer;
    uint64_t id;
    wshub_sio_reply_fn fn; /* NULL: of an event that is promised, and of which nobody is told */
    void *user;
    wshub_sio_client__kept *packet; /* of what is promised, for the next try; NULL: it is not */
    uint32_t timeout_ms, tries;     /* of what is promised */
    bool sent, lost;                /* sent: and not answered; lost: that is still to be told */
} wshub_sio_client__ask;

/* What the server waits for. */
typedef struct wshub_sio_client__due {
    struct wshub_sio_client__due *next;
    uint64_t handle;
    size_t len;
    char id[16]; /* as the server has written it, len digits */
} wshub_sio_client__due;

/* A handler; the event's name stands behind it. */
typedef struct wshub_sio_client__handler {
    struct wshub_sio_client__handler *next;
    wshub_sio_handler_fn fn;
    void *user;
    size_t len;
    bool gone; /* it is swept up when no callback runs */
} wshub_sio_client__handler;

/* A room; its name stands behind it. */
typedef struct wshub_sio_client__room {
    struct wshub_sio_client__room *next;
    size_t len;
} wshub_sio_client__room;

/* A text of ours; ptr NULL: none. */
typedef struct wshub_sio_client__text {
    char *ptr;
    size_t len;
} wshub_sio_client__text;

enum { /* what a socket has to be told of an end */
       WSHUB_SIO_SOCKET__OWED_NOTHING,
       WSHUB_SIO_SOCKET__OWED_LOSS, /* disconnected() */
       WSHUB_SIO_SOCKET__OWED_ERROR /* connect_error() */
};

/* What a socket has under way, which one that is idle has not: there is one as soon as something
 * comes into it, until it is empty and no callback runs. */
typedef struct wshub_sio_socket__work {
    wshub_sio_client__queue kept;  /* to be sent */
    wshub_sio_client__queue early; /* come before CONNECT's answer */
    wshub_sio_client__ask *asks, *asks_last;
    wshub_sio_client__due *dues, *dues_last;
    uint64_t join_ms; /* until when CONNECT is to be answered; WSHUB_NEVER: none is awaited */
    size_t promised_bytes;
    uint32_t asks_count, dues_count, promised_count;
} wshub_sio_socket__work;

/* Thousands are idle: what those have no use for stands in `work`. */
struct wshub_sio_socket {
    wshub_sio_client *client;
    wshub_sio_socket *next;
    const wshub_sio_socket_desc *desc;
    void *user;
    char *slashed;      /* its name behind a slash; NULL: the description's has one, or is none */
    char *id;           /* NULL: it is not connected */
    char *pid, *offset; /* JSON strings, of a recovery; NULL: none */
    wshub_sio_socket__work *work; /* NULL: nothing is under way */
    wshub_sio_client__handler *handlers;
    wshub_sio_client__room *rooms;
    uint64_t next_ask, last_due;
    uint32_t said; /* which CONNECT of this connection its last one was; parted: after how many it
                      has left */
    uint8_t state, auth;
    uint8_t owed;    /* WSHUB_SIO_SOCKET__OWED_..., while an end is told to one after the other */
    bool asked : 1;  /* a CONNECT is unanswered in this connection */
    bool parted : 1; /* in this connection it was left, and what the server sent to it before may
                        still come: until its name, or one that was asked for later, is answered */
    bool left : 1;   /* disconnected() is owed for having left */
    bool mute : 1;   /* shut down */
    bool doomed : 1; /* it is freed when no callback runs */
};

/* A packet whose attachments are awaited. */
typedef struct wshub_sio_client__partial {
    wshub_sio_client__kept *packet;
    size_t bytes;
    unsigned due; /* how many are */
} wshub_sio_client__partial;

struct wshub_sio_client {
    wshub_ws_pool *pool;
    const wshub_sio_client_desc *desc;
    void *user;
    wshub_eio_link *link;    /* NULL: none */
    wshub_eio_link *leaving; /* the one that it has left, until that has ended */
    wshub_sio_socket *sockets;
    wshub_sio_socket *ghosts; /* destroyed, of which nothing is left but what is under way to them:
                                 the answer to a CONNECT (asked), or anything else (parted) */
    wshub_sio_client__partial *partial; /* NULL: none */
    wshub_ws_timer timer;               /* of all its clocks: wshub_sio_client__rearm() */
    uint64_t due_ms; /* of the next attempt; while it is open, of another try to send; or
                        WSHUB_NEVER */
    uint32_t attempt;
    uint8_t depth, state;
    bool doomed;
    bool sweep : 1; /* sockets or handlers are to be freed when no callback runs */
    bool soon : 1;  /* something is to be done when no order runs */
};

static uint32_t wshub_sio_client__or(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

static uint32_t wshub_sio_client__attachments_max(const wshub_sio_client *client) {
    return wshub_sio_client__or(client->desc->attachments_max, 10);
}

/* What a socket has under way, to look at. */
static const wshub_sio_socket__work *wshub_sio_socket__work_of(const wshub_sio_socket *socket) {
    static const wshub_sio_socket__work none = {
        {NULL, NULL, 0, 0}, {NULL, NULL, 0, 0}, NULL, NULL, NULL, NULL, WSHUB_NEVER, 0, 0, 0, 0};
    return socket->work ? socket->work : &none;
}

/* When a session wants to be looked at. link NULL: there is none. */
static uint64_t wshub_sio_client__link_ms(const wshub_eio_link *link) {
    return link ? wshub_eio_link_due_ms(link) : WSHUB_NEVER;
}

/* When a client wants to be looked at: its one timer serves all its clocks, and those of its
 * sockets and sessions. */
static void wshub_sio_client__rearm(wshub_sio_client *client) {
    uint64_t due = client->due_ms, other;
    const wshub_sio_socket *socket = client->sockets;

    for (; socket; socket = socket->next) {
        other = wshub_sio_socket__work_of(socket)->join_ms;
        if (other < due) due = other;
    }
    other = wshub_sio_client__link_ms(client->link);
    if (other < due) due = other;
    other = wshub_sio_client__link_ms(client->leaving);
    if (other < due) due = other;
    if (client->soon) due = 1;
    wshub_ws_timer_start(client->pool, &client->timer, due);
}

/* Sets the clock of its state. */
static void wshub_sio_client__wake_at(wshub_sio_client *client, uint64_t due_ms) {
    client->due_ms = due_ms;
    wshub_sio_client__rearm(client);
}

/* The one door of a client's state. */
static void wshub_sio_client__to(wshub_sio_client *client, wshub_sio_client_state state) {
    static const uint8_t after[] = {
        1 << WSHUB_SIO_CLIENT_WAITING | 1 << WSHUB_SIO_CLIENT_CONNECTING,
        1 << WSHUB_SIO_CLIENT_IDLE | 1 << WSHUB_SIO_CLIENT_CONNECTING,
        1 << WSHUB_SIO_CLIENT_IDLE | 1 << WSHUB_SIO_CLIENT_OPEN, 1 << WSHUB_SIO_CLIENT_IDLE};

    WSHUB_ASSERT(after[client->state] >> state & 1);
    (void)after; /* only asserted */
    client->state = (uint8_t)state;
    wshub_sio_client__wake_at(client, WSHUB_NEVER);
}

/* Is it told things? If it is not, its description may be gone already. */
static bool wshub_sio_socket__hears(const wshub_sio_socket *socket) {
    return !socket->doomed && !socket->mute && !socket->client->doomed;
}

/* ---- memory ---- */

static void wshub_sio_client__text_drop(wshub_sio_client *client, wshub_sio_client__text *text) {
    if (text->ptr) (void)wshub_ws_alloc(client->pool, text->ptr, text->len + 1, 0);
    text->ptr = NULL;
    text->len = 0;
}

/* Copies a text, terminated. False: out of memory, and there is none. */
static bool wshub_sio_client__text_set(wshub_sio_client *client, wshub_sio_client__text *text,
                                       wshub_str from) {
    WSHUB_ASSERT(from.len == 0 || from.ptr);
    wshub_sio_client__text_drop(client, text);
    text->ptr = (char *)wshub_ws_alloc(client->pool, NULL, 0, from.len + 1);
    if (!text->ptr) return false;
    if (from.len) memcpy(text->ptr, from.ptr, from.len);
    text->ptr[from.len] = 0;
    text->len = from.len;
    return true;
}

static wshub_str wshub_sio_client__text_str(const wshub_sio_client__text *text) {
    wshub_str str;
    str.ptr = text->ptr;
    str.len = text->len;
    return str;
}

/* The same of one without a zero byte, whose length is not kept. */
static void wshub_sio_client__string_drop(wshub_sio_client *client, char **string) {
    if (*string) (void)wshub_ws_alloc(client->pool, *string, strlen(*string) + 1, 0);
    *string = NULL;
}
static bool wshub_sio_client__string_set(wshub_sio_client *client, char **string, wshub_str from) {
    wshub_sio_client__text text = {NULL, 0};

    WSHUB_ASSERT(from.len == 0 || (from.ptr && !memchr(from.ptr, 0, from.len)));
    wshub_sio_client__string_drop(client, string);
    if (!wshub_sio_client__text_set(client, &text, from)) return false;
    *string = text.ptr;
    return true;
}

/* The name of a socket, with its slash. */
static wshub_str wshub_sio_socket__name(const wshub_sio_socket *socket) {
    const char *name = socket->desc->name;

    if (socket->slashed) return wshub_str_z(socket->slashed);
    return wshub_str_z(name && *name ? name : "/");
}

/* The one door of a socket's state. */
static void wshub_sio_socket__to(wshub_sio_socket *socket, wshub_sio_socket_state state) {
    static const uint8_t after[] = {1 << WSHUB_SIO_SOCKET_WAITING,
                                    1 << WSHUB_SIO_SOCKET_IDLE | 1 << WSHUB_SIO_SOCKET_JOINING,
                                    1 << WSHUB_SIO_SOCKET_IDLE | 1 << WSHUB_SIO_SOCKET_WAITING |
                                        1 << WSHUB_SIO_SOCKET_CONNECTED,
                                    1 << WSHUB_SIO_SOCKET_IDLE | 1 << WSHUB_SIO_SOCKET_WAITING};

    WSHUB_ASSERT(after[socket->state] >> state & 1);
    WSHUB_ASSERT(state != WSHUB_SIO_SOCKET_CONNECTED || socket->id);
    (void)after; /* only asserted */
    socket->state = (uint8_t)state;
    if (socket->work) socket->work->join_ms = WSHUB_NEVER;
    wshub_sio_client__rearm(socket->client);
    if (state != WSHUB_SIO_SOCKET_CONNECTED) {
        wshub_sio_client__string_drop(socket->client, &socket->id);
        socket->auth = WSHUB_SIO_SOCKET_UNAUTHORIZED;
    }
}

/* What a socket has under way, to change. NULL: out of memory. */
static wshub_sio_socket__work *wshub_sio_socket__work_get(wshub_sio_socket *socket) {
    wshub_sio_socket__work *work = socket->work;

    if (work) return work;
    work = (wshub_sio_socket__work *)wshub_ws_alloc(socket->client->pool, NULL, 0, sizeof *work);
    if (!work) return NULL;
    *work = *wshub_sio_socket__work_of(socket);
    socket->work = work;
    return work;
}

/* Frees it, unless something is under way. */
static void wshub_sio_socket__work_done(wshub_sio_socket *socket) {
    const wshub_sio_socket__work *work = socket->work;

    if (!work || work->kept.first || work->early.first || work->asks || work->dues ||
        work->join_ms != WSHUB_NEVER)
        return;
    (void)wshub_ws_alloc(socket->client->pool, socket->work, sizeof *work, 0);
    socket->work = NULL;
}

static wshub_sio_client__kept *wshub_sio_client__kept_new(wshub_sio_client *client,
                                                          const void *bytes, size_t len) {
    wshub_sio_client__kept *kept =
        (wshub_sio_client__kept *)wshub_ws_alloc(client->pool, NULL, 0, sizeof *kept + len);

    if (!kept) return NULL;
    memset(kept, 0, sizeof *kept);
    kept->len = len;
    if (len) memcpy(kept + 1, bytes, len);
    return kept;
}

/* Frees a packet with its parts. */
static void wshub_sio_client__kept_free(wshub_sio_client *client, wshub_sio_client__kept *kept) {
    while (kept) {
        wshub_sio_client__kept *part = kept->part;
        (void)wshub_ws_alloc(client->pool, kept, sizeof *kept + kept->len, 0);
        kept = part;
    }
}

static size_t wshub_sio_client__kept_bytes(const wshub_sio_client__kept *kept) {
    size_t bytes = 0;
    for (; kept; kept = kept->part) bytes += kept->len + WSHUB_SIO_CLIENT__HEADS;
    return bytes;
}

/* A packet as one that is kept; NULL: out of memory. */
static wshub_sio_client__kept *wshub_sio_client__kept_of(wshub_sio_client *client, wshub_str text,
                                                         const wshub_span *attachments,
                                                         size_t count) {
    wshub_sio_client__kept *kept = wshub_sio_client__kept_new(client, text.ptr, text.len);
    wshub_sio_client__kept *last = kept;
    size_t i;

    for (i = 0; last && i < count; i++) {
        last->part = wshub_sio_client__kept_new(client, attachments[i].ptr, attachments[i].len);
        last = last->part;
    }
    if (last) return kept;
    wshub_sio_client__kept_free(client, kept);
    return NULL;
}

static void wshub_sio_client__queue_add(wshub_sio_client__queue *queue,
                                        wshub_sio_client__kept *kept) {
    if (queue->last)
        queue->last->next = kept;
    else
        queue->first = kept;
    queue->last = kept;
    queue->bytes += wshub_sio_client__kept_bytes(kept);
    queue->count++;
}

/* Takes what stands behind `before` out, or the first; it is the caller's. */
static wshub_sio_client__kept *wshub_sio_client__queue_take(wshub_sio_client__queue *queue,
                                                            wshub_sio_client__kept *before) {
    wshub_sio_client__kept *kept = before ? before->next : queue->first;

    if (before)
        before->next = kept->next;
    else
        queue->first = kept->next;
    if (queue->last == kept) queue->last = before;
    kept->next = NULL;
    queue->bytes -= wshub_sio_client__kept_bytes(kept);
    queue->count--;
    return kept;
}

static void wshub_sio_client__queue_clear(wshub_sio_client *client,
                                          wshub_sio_client__queue *queue) {
    while (queue->first)
        wshub_sio_client__kept_free(client, wshub_sio_client__queue_take(queue, NULL));
}

/* Forgets what has come before CONNECT's answer. */
static void wshub_sio_socket__early_clear(wshub_sio_socket *socket) {
    if (socket->work) wshub_sio_client__queue_clear(socket->client, &socket->work->early);
}

static void wshub_sio_client__partial_drop(wshub_sio_client *client) {
    wshub_sio_client__partial *partial = client->partial;

    if (!partial) return;
    wshub_sio_client__kept_free(client, partial->packet);
    (void)wshub_ws_alloc(client->pool, partial, sizeof *partial, 0);
    client->partial = NULL;
}

static void wshub_sio_socket__ask_drop(wshub_sio_socket *socket, wshub_sio_client__ask *ask) {
    wshub_sio_socket__work *work = socket->work;
    wshub_sio_client__ask **at = &work->asks, *before = NULL;

    while (*at != ask) {
        before = *at;
        at = &(*at)->next;
    }
    *at = ask->next;
    if (work->asks_last == ask) work->asks_last = before;
    work->asks_count--;
    if (ask->packet) {
        work->promised_bytes -= wshub_sio_client__kept_bytes(ask->packet);
        work->promised_count--;
        wshub_sio_client__kept_free(socket->client, ask->packet);
    }
    wshub_ws_timer_remove(socket->client->pool, &ask->timer);
    (void)wshub_ws_alloc(socket->client->pool, ask, sizeof *ask, 0);
}

static void wshub_sio_socket__due_drop(wshub_sio_socket *socket, wshub_sio_client__due *before) {
    wshub_sio_socket__work *work = socket->work;
    wshub_sio_client__due *due = before ? before->next : work->dues;

    if (before)
        before->next = due->next;
    else
        work->dues = due->next;
    if (work->dues_last == due) work->dues_last = before;
    work->dues_count--;
    (void)wshub_ws_alloc(socket->client->pool, due, sizeof *due, 0);
}

static void wshub_sio_socket__room_drop(wshub_sio_socket *socket, wshub_sio_client__room **at) {
    wshub_sio_client__room *room = *at;

    *at = room->next;
    (void)wshub_ws_alloc(socket->client->pool, room, sizeof *room + room->len, 0);
}

/* Forgets the rooms behind the first `count`. */
static void wshub_sio_socket__rooms_cut(wshub_sio_socket *socket, size_t count) {
    wshub_sio_client__room **at = &socket->rooms;

    for (; *at && count; count--) at = &(*at)->next;
    while (*at) wshub_sio_socket__room_drop(socket, at);
}

/* Takes the handlers away that are gone, or all. */
static void wshub_sio_socket__handlers_sweep(wshub_sio_socket *socket, bool all) {
    wshub_sio_client__handler **at = &socket->handlers;

    while (*at) {
        wshub_sio_client__handler *handler = *at;
        if (!all && !handler->gone) {
            at = &handler->next;
            continue;
        }
        *at = handler->next;
        (void)wshub_ws_alloc(socket->client->pool, handler, sizeof *handler + handler->len, 0);
    }
}

/* Forgets by what it can be recovered. */
static void wshub_sio_socket__pid_drop(wshub_sio_socket *socket) {
    wshub_sio_client__string_drop(socket->client, &socket->pid);
    wshub_sio_client__string_drop(socket->client, &socket->offset);
}

/* Forgets all that it has kept, and who waits. */
static void wshub_sio_socket__forget(wshub_sio_socket *socket) {
    wshub_sio_socket__work *work = socket->work;

    wshub_sio_socket__early_clear(socket);
    if (work) wshub_sio_client__queue_clear(socket->client, &work->kept);
    while (work && work->asks) wshub_sio_socket__ask_drop(socket, work->asks);
    while (work && work->dues) wshub_sio_socket__due_drop(socket, NULL);
    while (socket->rooms) wshub_sio_socket__room_drop(socket, &socket->rooms);
    wshub_sio_socket__pid_drop(socket);
}

/* Nothing is left of it but its name. */
static void wshub_sio_socket__strip(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;
    wshub_sio_socket **at = &client->sockets;

    while (*at && *at != socket) at = &(*at)->next;
    if (*at) *at = socket->next;
    wshub_sio_socket__forget(socket);
    if (socket->work) socket->work->join_ms = WSHUB_NEVER;
    wshub_sio_socket__work_done(socket);
    wshub_sio_socket__handlers_sweep(socket, true);
}

static void wshub_sio_socket__free(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;

    wshub_sio_socket__strip(socket);
    wshub_sio_client__string_drop(client, &socket->slashed);
    wshub_sio_client__string_drop(client, &socket->id);
    (void)wshub_ws_alloc(client->pool, socket, sizeof *socket, 0);
}

/* Is something under way to it that is for nobody else? */
static bool wshub_sio_socket__lingers(const wshub_sio_socket *socket) {
    WSHUB_ASSERT(socket->client->link || (!socket->asked && !socket->parted));
    return socket->asked || socket->parted;
}

/* How many CONNECTs were said in this connection, as far as it matters to one that is left. */
static uint32_t wshub_sio_client__said(const wshub_sio_client *client) {
    const wshub_sio_socket *socket;
    uint32_t said = 0;

    for (socket = client->sockets; socket; socket = socket->next)
        if (socket->said > said) said = socket->said;
    for (socket = client->ghosts; socket; socket = socket->next)
        if (socket->said > said) said = socket->said;
    return said;
}

/* The server is told that it has left, and may have sent something meanwhile. */
static void wshub_sio_socket__part(wshub_sio_socket *socket) {
    socket->parted = true;
    socket->said = wshub_sio_client__said(socket->client);
}

/* Keeps the name of one to which something is under way for itself, as the description goes with
 * its program's part. Out of memory: the connection is lost, so that the name is not asked for a
 * second time in it. */
static void wshub_sio_socket__name_keep(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;

    if (socket->slashed || !wshub_sio_socket__lingers(socket)) return;
    if (!wshub_sio_client__string_set(client, &socket->slashed, wshub_sio_socket__name(socket)))
        (void)wshub_eio_link_drop(client->link);
}

/* Frees one that was destroyed. Where something is under way to it, its name is kept until that has
 * come, or who has the name next would take it for its own. */
static void wshub_sio_socket__bury(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;

    WSHUB_ASSERT(socket->doomed);
    if (!wshub_sio_socket__lingers(socket) || !socket->slashed) {
        wshub_sio_socket__free(socket);
        return;
    }
    wshub_sio_socket__strip(socket);
    socket->next = client->ghosts;
    client->ghosts = socket;
}

/* Where one of that name is kept; NULL there: none is. */
static wshub_sio_socket **wshub_sio_client__ghost(wshub_sio_client *client, wshub_str name) {
    wshub_sio_socket **at = &client->ghosts;

    while (*at && !wshub_str_eq(wshub_sio_socket__name(*at), name)) at = &(*at)->next;
    return at;
}

/* Has the server yet to answer a CONNECT of that name whose socket is destroyed, buried or not? */
static bool wshub_sio_client__haunted(wshub_sio_client *client, wshub_str name) {
    const wshub_sio_socket *socket = client->sockets;

    for (; socket; socket = socket->next) {
        if (socket->doomed && socket->asked && socket->slashed &&
            wshub_str_eq(wshub_sio_socket__name(socket), name))
            return true;
    }
    socket = *wshub_sio_client__ghost(client, name);
    return socket && socket->asked;
}

/* Nothing is under way to it any more, or to somebody else. */
static void wshub_sio_client__ghost_free(wshub_sio_socket **at) {
    wshub_sio_socket *ghost = *at;

    *at = ghost->next;
    wshub_sio_socket__free(ghost);
}

/* Its connection of now has ended, and with it what was under way there. */
static wshub_eio_link *wshub_sio_client__link_take(wshub_sio_client *client) {
    wshub_eio_link *link = client->link;
    wshub_sio_socket *socket;

    client->link = NULL;
    while (client->ghosts) wshub_sio_client__ghost_free(&client->ghosts);
    for (socket = client->sockets; socket; socket = socket->next) {
        socket->asked = socket->parted = false;
        socket->said = 0;
    }
    return link;
}

/* The server has answered that CONNECT of this connection: behind the answer nothing comes that was
 * sent to who had left before it was said. Those are no longer needed. */
static void wshub_sio_client__ghosts_clear(wshub_sio_client *client, uint32_t said) {
    wshub_sio_socket **at = &client->ghosts;

    while (*at) {
        if (!(*at)->asked && (!(*at)->parted || (*at)->said < said))
            wshub_sio_client__ghost_free(at);
        else
            at = &(*at)->next;
    }
}

/* Ends its connection of now, of which nothing is heard any more. */
static void wshub_sio_client__forget(wshub_sio_client *client) {
    wshub_eio_link_destroy(wshub_sio_client__link_take(client));
}

static void wshub_sio_client__free(wshub_sio_client *client) {
    wshub_sio_client__forget(client);
    wshub_eio_link_destroy(client->leaving);
    while (client->sockets) wshub_sio_socket__free(client->sockets);
    wshub_sio_client__partial_drop(client);
    wshub_ws_timer_remove(client->pool, &client->timer);
    (void)wshub_ws_alloc(client->pool, client, sizeof *client, 0);
}

/* Each report and timer stands between these two: what is destroyed in between goes with the
 * outermost. */
static void wshub_sio_client__enter(wshub_sio_client *client) {
    WSHUB_ASSERT(client->depth < UINT8_MAX);
    client->depth++;
}
static void wshub_sio_client__leave(wshub_sio_client *client) {
    wshub_sio_socket *socket, *next;

    WSHUB_ASSERT(client->depth);
    if (--client->depth) return;
    if (client->doomed) {
        wshub_sio_client__free(client);
        return;
    }
    for (socket = client->sockets; socket; socket = next) {
        next = socket->next;
        wshub_sio_socket__work_done(socket);
        if (client->sweep) wshub_sio_socket__handlers_sweep(socket, false);
        if (client->sweep && socket->doomed) wshub_sio_socket__bury(socket);
    }
    client->sweep = false;
}

/* Has what is owed done when no order runs. */
static void wshub_sio_client__soon(wshub_sio_client *client) {
    client->soon = true;
    wshub_sio_client__rearm(client);
}

/* ---- sending ---- */

/* Is there room for so many bytes? Where nothing waits there always is. */
static bool wshub_sio_client__has_room(const wshub_sio_client *client, size_t bytes) {
    size_t waits = client->link ? wshub_eio_link_unsent(client->link) : 0;
    return !waits ||
           waits + bytes <= wshub_sio_client__or(client->desc->ws.unsent_bytes_max, 1048576);
}

/* Sends a packet, with its `4`, however much waits. */
static wshub_err wshub_sio_client__say(wshub_sio_client *client, const char *text, size_t len) {
    if (!client->link) return WSHUB_ERR_STATE;
    return wshub_eio_link_send(client->link, WSHUB_WS_TEXT, text, len);
}

/* The connection is lost, which is told in the next turn. */
static void wshub_sio_client__cut(wshub_sio_client *client) {
    if (client->link) (void)wshub_eio_link_drop(client->link);
}

/* Sends bytes that belong to a text which has gone out: without them the rest would be misread. */
static void wshub_sio_client__send_bytes(wshub_sio_client *client, const void *bytes, size_t len) {
    if (!client->link || wshub_eio_link_send(client->link, WSHUB_WS_BINARY, bytes, len))
        wshub_sio_client__cut(client);
}

/* Sends a packet that is kept, with its attachments. */
static wshub_err wshub_sio_client__say_kept(wshub_sio_client *client,
                                            const wshub_sio_client__kept *kept) {
    const wshub_sio_client__kept *part;
    wshub_err err = wshub_sio_client__say(client, (const char *)(kept + 1), kept->len);

    if (err) return err;
    for (part = kept->part; part; part = part->part)
        wshub_sio_client__send_bytes(client, part + 1, part->len);
    return WSHUB_OK;
}

/* An event that asks has left. */
static void wshub_sio_socket__sent(wshub_sio_socket *socket, uint64_t ask) {
    wshub_sio_client__ask *at = wshub_sio_socket__work_of(socket)->asks;

    while (ask && at && at->id + 1 != ask) at = at->next;
    if (ask && at) at->sent = true;
}

/* Sends what is kept, in order, as far as there is room; who calls it sees to the rest. */
static void wshub_sio_socket__flush_kept(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;
    wshub_sio_socket__work *work = socket->work;

    while (work && work->kept.first && socket->state == WSHUB_SIO_SOCKET_CONNECTED) {
        wshub_sio_client__kept *kept = work->kept.first;
        if (!wshub_sio_client__has_room(client, wshub_sio_client__kept_bytes(kept))) return;
        if (wshub_sio_client__say_kept(client, kept)) return;
        wshub_sio_socket__sent(socket, kept->ask);
        wshub_sio_client__kept_free(client, wshub_sio_client__queue_take(&work->kept, NULL));
    }
}

/* Of what is promised, the one whose turn it is; NULL: none. */
static wshub_sio_client__ask *wshub_sio_socket__turn(const wshub_sio_socket *socket) {
    const wshub_sio_socket__work *work = wshub_sio_socket__work_of(socket);
    wshub_sio_client__ask *ask = work->asks;

    if (!work->promised_count) return NULL;
    while (ask && (!ask->packet || ask->lost)) ask = ask->next;
    return ask;
}

/* Is there something that it could send? */
static bool wshub_sio_socket__owes(const wshub_sio_socket *socket) {
    const wshub_sio_client__ask *turn = wshub_sio_socket__turn(socket);
    return socket->state == WSHUB_SIO_SOCKET_CONNECTED &&
           (wshub_sio_socket__work_of(socket)->kept.first || (turn && !turn->sent));
}

/* Makes a try of what is promised, behind what is kept and unless one is under way. */
static void wshub_sio_socket__try(wshub_sio_socket *socket) {
    wshub_sio_client__ask *turn = wshub_sio_socket__turn(socket);
    wshub_sio_client *client = socket->client;

    if (!turn || turn->sent || socket->work->kept.first ||
        socket->state != WSHUB_SIO_SOCKET_CONNECTED)
        return;
    WSHUB_ASSERT(turn->tries <= socket->desc->retries);
    if (!wshub_sio_client__has_room(client, wshub_sio_client__kept_bytes(turn->packet))) return;
    if (wshub_sio_client__say_kept(client, turn->packet)) return;
    turn->sent = true;
    turn->tries++;
    if (turn->timeout_ms != WSHUB_OFF)
        wshub_ws_timer_start(client->pool, &turn->timer,
                             wshub_ws_now_ms(client->pool) + turn->timeout_ms);
}

/* Sends what is kept, and what is promised if its turn has come. */
static void wshub_sio_socket__flush(wshub_sio_socket *socket) {
    wshub_sio_socket__flush_kept(socket);
    wshub_sio_socket__try(socket);
}

/* May so much be kept, beside what is kept and promised already? */
static bool wshub_sio_socket__fits(const wshub_sio_socket *socket, wshub_str text,
                                   const wshub_packet *packet) {
    const wshub_sio_socket__work *work = wshub_sio_socket__work_of(socket);
    size_t most = wshub_sio_client__or(socket->client->desc->buffer_bytes, 1048576);
    size_t bytes = text.len + WSHUB_SIO_CLIENT__HEADS, i;

    for (i = 0; i < packet->attachments_count; i++)
        bytes += packet->attachments[i].len + WSHUB_SIO_CLIENT__HEADS;
    return bytes <= most && work->kept.bytes + work->promised_bytes <= most - bytes;
}

/* Keeps a packet behind the others. */
static wshub_err wshub_sio_socket__keep(wshub_sio_socket *socket, wshub_str text,
                                        const wshub_packet *packet,
                                        const wshub_sio_client__ask *ask) {
    wshub_sio_socket__work *work;
    wshub_sio_client__kept *kept;

    if (!wshub_sio_socket__fits(socket, text, packet)) return WSHUB_ERR_LIMIT;
    work = wshub_sio_socket__work_get(socket);
    if (!work) return WSHUB_ERR_NOMEM;
    kept = wshub_sio_client__kept_of(socket->client, text, packet->attachments,
                                     packet->attachments_count);
    if (!kept) return WSHUB_ERR_NOMEM;
    kept->ask = ask ? ask->id + 1 : 0;
    wshub_sio_client__queue_add(&work->kept, kept);
    if (socket->state == WSHUB_SIO_SOCKET_CONNECTED) wshub_sio_client__soon(socket->client);
    return WSHUB_OK;
}

/* Promises a packet, behind what is promised already. */
static wshub_err wshub_sio_socket__promise(wshub_sio_socket *socket, wshub_str text,
                                           const wshub_packet *packet, wshub_sio_client__ask *ask) {
    wshub_sio_socket__work *work = socket->work;

    WSHUB_ASSERT(work && !ask->packet && ask == work->asks_last);
    if (!wshub_sio_socket__fits(socket, text, packet)) return WSHUB_ERR_LIMIT;
    ask->packet = wshub_sio_client__kept_of(socket->client, text, packet->attachments,
                                            packet->attachments_count);
    if (!ask->packet) return WSHUB_ERR_NOMEM;
    work->promised_bytes += wshub_sio_client__kept_bytes(ask->packet);
    work->promised_count++;
    wshub_sio_socket__flush(socket);
    if (wshub_sio_socket__owes(socket)) wshub_sio_client__soon(socket->client);
    return WSHUB_OK;
}

/* Is an event said until it is answered? */
static bool wshub_sio_socket__promises(const wshub_sio_socket *socket, const wshub_packet *packet) {
    return socket->desc->retries && !(packet->flags & WSHUB_PACKET_VOLATILE);
}

/* Sends a packet now, or keeps it. */
static wshub_err wshub_sio_socket__push(wshub_sio_socket *socket, wshub_str text,
                                        const wshub_packet *packet, wshub_sio_client__ask *ask) {
    wshub_sio_client *client = socket->client;
    size_t bytes = text.len, i;
    wshub_err err;

    for (i = 0; i < packet->attachments_count; i++)
        bytes += packet->attachments[i].len + WSHUB_SIO_CLIENT__HEADS;
    wshub_sio_socket__flush(socket);
    if (socket->state == WSHUB_SIO_SOCKET_CONNECTED &&
        !wshub_sio_socket__work_of(socket)->kept.first &&
        wshub_sio_client__has_room(client, bytes)) {
        err = wshub_sio_client__say(client, text.ptr, text.len);
        if (!err) {
            for (i = 0; i < packet->attachments_count; i++)
                wshub_sio_client__send_bytes(client, packet->attachments[i].ptr,
                                             packet->attachments[i].len);
            if (ask) ask->sent = true;
            return WSHUB_OK;
        }
        if (err != WSHUB_ERR_STATE && err != WSHUB_ERR_STALE && err != WSHUB_ERR_DROPPED)
            return err;
    }
    if (packet->flags & WSHUB_PACKET_VOLATILE) return WSHUB_ERR_STATE;
    return wshub_sio_socket__keep(socket, text, packet, ask);
}

/* Writes an event or an answer, and pushes or promises it.
 *   id   the packet's id
 *   ask  who waits for its answer; NULL: nobody */
static wshub_err wshub_sio_socket__write(wshub_sio_socket *socket, char type, wshub_str id,
                                         const wshub_packet *packet, wshub_sio_client__ask *ask) {
    wshub_sio_client *client = socket->client;
    char small[WSHUB_SIO_CLIENT__SHORT], *big = NULL;
    wshub_sio_packet head;
    wshub_str text;
    wshub_err err;

    if (socket->doomed || client->doomed) return WSHUB_ERR_STATE;
    err = wshub_sio_packet_check(packet, type == '2', wshub_sio_client__attachments_max(client));
    if (err) return err;
    memset(&head, 0, sizeof head);
    head.type = type;
    head.space = wshub_sio_socket__name(socket);
    head.id = id;
    text.ptr = small;
    text.len = wshub_sio_packet_write(&head, packet, small, sizeof small);
    if (text.len > sizeof small) {
        big = (char *)wshub_ws_alloc(client->pool, NULL, 0, text.len);
        if (!big) return WSHUB_ERR_NOMEM;
        (void)wshub_sio_packet_write(&head, packet, big, text.len);
        text.ptr = big;
    }
    if (ask && wshub_sio_socket__promises(socket, packet))
        err = wshub_sio_socket__promise(socket, text, packet, ask);
    else
        err = wshub_sio_socket__push(socket, text, packet, ask);
    if (big) (void)wshub_ws_alloc(client->pool, big, text.len, 0);
    return err;
}

/* Emits an event with one argument, or none, which is not promised. */
static wshub_err wshub_sio_socket__emit_json(wshub_sio_socket *socket, const char *event,
                                             wshub_str json) {
    wshub_str none = {NULL, 0};
    wshub_packet packet;

    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z(event);
    packet.args = &json;
    packet.args_count = json.ptr ? 1 : 0;
    packet.args_are_json = true;
    return wshub_sio_socket__write(socket, '2', none, &packet, NULL);
}

/* ---- answers ---- */

/* Tells somebody, who waits no more. */
static void wshub_sio_socket__answered(wshub_sio_socket *socket, wshub_sio_client__ask *ask,
                                       const wshub_sio_answers *answers) {
    wshub_sio_reply_fn fn = ask->fn;
    void *user = ask->user;

    wshub_sio_socket__ask_drop(socket, ask);
    wshub_sio_socket__try(socket); /* the next one's turn may have come */
    if (wshub_sio_socket__owes(socket)) wshub_sio_client__soon(socket->client);
    if (fn && wshub_sio_socket__hears(socket)) fn(socket, answers, user);
}

static void wshub_sio_socket__unanswered(wshub_sio_socket *socket, wshub_sio_client__ask *ask,
                                         const char *error) {
    wshub_sio_answers answers;

    memset(&answers, 0, sizeof answers);
    answers.error = error;
    wshub_sio_socket__answered(socket, ask, &answers);
}

/* A try of what is promised has come to nothing. Returns whether there may be another one. */
static bool wshub_sio_socket__try_failed(wshub_sio_socket *socket, wshub_sio_client__ask *ask) {
    if (!ask->packet || ask->tries > socket->desc->retries) return false;
    ask->sent = false;
    wshub_ws_timer_stop(socket->client->pool, &ask->timer);
    return true;
}

/* No answer has come in time: what was not sent yet is not sent any more, and what is promised is
 * said again. */
static void wshub_sio_socket__ask_late(void *ctx) {
    wshub_sio_client__ask *ask = (wshub_sio_client__ask *)ctx;
    wshub_sio_socket *socket = ask->socket;
    wshub_sio_client *client = socket->client;
    wshub_sio_socket__work *work = socket->work;
    wshub_sio_client__kept *kept = work->kept.first, *before = NULL;

    wshub_sio_client__enter(client);
    if (wshub_sio_socket__try_failed(socket, ask)) {
        wshub_sio_socket__flush(socket);
        if (wshub_sio_socket__owes(socket)) wshub_sio_client__soon(client);
        wshub_sio_client__leave(client);
        return;
    }
    for (; kept && !ask->sent; before = kept, kept = kept->next) {
        if (kept->ask != ask->id + 1) continue;
        wshub_sio_client__kept_free(client, wshub_sio_client__queue_take(&work->kept, before));
        break;
    }
    wshub_sio_socket__unanswered(socket, ask, "operation has timed out");
    wshub_sio_client__leave(client);
}

/* Marks who waits for what was under way, and not for another try: their connection is gone. */
static void wshub_sio_socket__asks_lose(wshub_sio_socket *socket) {
    wshub_sio_client__ask *ask;

    for (ask = wshub_sio_socket__work_of(socket)->asks; ask; ask = ask->next) {
        if (ask->sent && !ask->lost && wshub_sio_socket__try_failed(socket, ask)) continue;
        ask->lost = ask->lost || ask->sent;
        if (ask->lost) wshub_ws_timer_stop(socket->client->pool, &ask->timer);
    }
    while (socket->work && socket->work->dues) wshub_sio_socket__due_drop(socket, NULL);
}

/* Tells them. */
static void wshub_sio_socket__asks_tell(wshub_sio_socket *socket) {
    wshub_sio_client__ask *ask = wshub_sio_socket__work_of(socket)->asks;

    while (ask) {
        if (ask->lost) {
            wshub_sio_socket__unanswered(socket, ask, "socket has been disconnected");
            ask = socket->work->asks; /* whatever that has changed */
        } else {
            ask = ask->next;
        }
    }
}

/* Somebody who waits, behind the others, with the next id; NULL: out of memory. */
static wshub_sio_client__ask *wshub_sio_socket__ask_new(wshub_sio_socket *socket,
                                                        uint32_t timeout_ms, wshub_sio_reply_fn fn,
                                                        void *user) {
    wshub_ws_pool *pool = socket->client->pool;
    wshub_sio_socket__work *work = wshub_sio_socket__work_get(socket);
    wshub_sio_client__ask *ask;

    if (!work) return NULL;
    ask = (wshub_sio_client__ask *)wshub_ws_alloc(pool, NULL, 0, sizeof *ask);
    if (!ask) return NULL;
    memset(ask, 0, sizeof *ask);
    ask->socket = socket;
    ask->timer.fire = wshub_sio_socket__ask_late;
    ask->timer.ctx = ask;
    ask->id = socket->next_ask;
    ask->fn = fn;
    ask->user = user;
    ask->timeout_ms = timeout_ms;
    if (wshub_ws_timer_add(pool, &ask->timer)) {
        (void)wshub_ws_alloc(pool, ask, sizeof *ask, 0);
        return NULL;
    }
    if (work->asks_last)
        work->asks_last->next = ask;
    else
        work->asks = ask;
    work->asks_last = ask;
    work->asks_count++;
    return ask;
}

/* Sends, keeps or promises an event whose answer is waited for. */
static wshub_err wshub_sio_socket__ask_write(wshub_sio_socket *socket, const wshub_packet *packet,
                                             uint32_t timeout_ms, wshub_sio_reply_fn fn,
                                             void *user) {
    wshub_sio_client *client = socket->client;
    wshub_sio_client__ask *ask;
    char digits[24];
    wshub_err err;

    if (wshub_sio_socket__work_of(socket)->asks_count >=
        wshub_sio_client__or(client->desc->asks_max, 65536))
        return WSHUB_ERR_LIMIT;
    ask = wshub_sio_socket__ask_new(socket, timeout_ms, fn, user);
    if (!ask) return WSHUB_ERR_NOMEM;
    (void)snprintf(digits, sizeof digits, "%lu", (unsigned long)ask->id);
    err = wshub_sio_socket__write(socket, '2', wshub_str_z(digits), packet, ask);
    if (err) {
        wshub_sio_socket__ask_drop(socket, ask);
        return err;
    }
    socket->next_ask++;
    if (!ask->packet && timeout_ms != WSHUB_OFF)
        wshub_ws_timer_start(client->pool, &ask->timer, wshub_ws_now_ms(client->pool) + timeout_ms);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_sio_socket_emit(wshub_sio_socket *socket, const wshub_packet *packet) {
    uint32_t wait = wshub_sio_client__or(socket->desc->ack_timeout_ms, 10000);
    wshub_str none = {NULL, 0};

    if (!packet) return WSHUB_ERR_PARAM;
    if (wshub_sio_socket__promises(socket, packet))
        return wshub_sio_socket__ask_write(socket, packet, wait, NULL, NULL);
    return wshub_sio_socket__write(socket, '2', none, packet, NULL);
}

WSHUB_API wshub_err wshub_sio_socket_ask(wshub_sio_socket *socket, const wshub_packet *packet,
                                         uint32_t timeout_ms, wshub_sio_reply_fn fn, void *user) {
    if (!packet || !fn || !timeout_ms || (timeout_ms > 86400000 && timeout_ms != WSHUB_OFF))
        return WSHUB_ERR_PARAM;
    return wshub_sio_socket__ask_write(socket, packet, timeout_ms, fn, user);
}

WSHUB_API wshub_err wshub_sio_socket_answer(wshub_sio_socket *socket, wshub_sio_ack ack,
                                            const wshub_packet *packet) {
    wshub_sio_client__due *due = wshub_sio_socket__work_of(socket)->dues, *before = NULL;
    wshub_str id;
    wshub_err err;

    if (!packet) return WSHUB_ERR_PARAM;
    for (; due && due->handle != ack.id; before = due, due = due->next) continue;
    if (!due) return WSHUB_ERR_STALE;
    id.ptr = due->id;
    id.len = due->len;
    err = wshub_sio_socket__write(socket, '3', id, packet, NULL);
    if (!err) wshub_sio_socket__due_drop(socket, before);
    return err;
}

/* Notes that an event may be answered. {0}: out of memory, then it cannot. */
static wshub_sio_ack wshub_sio_socket__due_new(wshub_sio_socket *socket, wshub_str id) {
    wshub_sio_client *client = socket->client;
    wshub_sio_socket__work *work;
    wshub_sio_client__due *due;
    wshub_sio_ack ack = {0};

    if (id.len > sizeof due->id) return ack;
    work = wshub_sio_socket__work_get(socket);
    if (!work) return ack;
    due = (wshub_sio_client__due *)wshub_ws_alloc(client->pool, NULL, 0, sizeof *due);
    if (!due) return ack;
    if (work->dues_count >= wshub_sio_client__or(client->desc->unanswered_max, 1024))
        wshub_sio_socket__due_drop(socket, NULL);
    due->next = NULL;
    due->len = id.len;
    memcpy(due->id, id.ptr, id.len);
    due->handle = ++socket->last_due;
    if (work->dues_last)
        work->dues_last->next = due;
    else
        work->dues = due;
    work->dues_last = due;
    work->dues_count++;
    ack.id = due->handle;
    return ack;
}

/* ---- coming and going ---- */

/* Does a socket want to be connected? */
static bool wshub_sio_client__wanted(const wshub_sio_client *client) {
    const wshub_sio_socket *socket = client->sockets;

    while (socket && socket->state == WSHUB_SIO_SOCKET_IDLE) socket = socket->next;
    return socket != NULL;
}

/* Closes the connection in order; its end is awaited on the side. */
static void wshub_sio_client__close(wshub_sio_client *client) {
    wshub_eio_link_destroy(client->leaving);
    client->leaving = wshub_sio_client__link_take(client);
    (void)wshub_eio_link_close(client->leaving);
    wshub_sio_client__partial_drop(client);
    wshub_sio_client__to(client, WSHUB_SIO_CLIENT_IDLE);
}

/* Nobody wants the connection any more. */
static void wshub_sio_client__unwanted(wshub_sio_client *client) {
    if (client->state == WSHUB_SIO_CLIENT_IDLE || wshub_sio_client__wanted(client)) return;
    if (client->state == WSHUB_SIO_CLIENT_OPEN) {
        wshub_sio_client__close(client);
        return;
    }
    wshub_sio_client__forget(client);
    wshub_sio_client__to(client, WSHUB_SIO_CLIENT_IDLE);
}

/* Will there be another attempt? */
static bool wshub_sio_client__again(const wshub_sio_client *client) {
    const wshub_sio_client_desc *desc = client->desc;
    return !desc->no_reconnect &&
           (!desc->reconnect_tries || client->attempt < desc->reconnect_tries);
}

/* The next wait: doubled each time, and by chance half of it more or less, so that thousands do not
 * come back at once. */
static uint32_t wshub_sio_client__delay(wshub_sio_client *client) {
    uint64_t base = wshub_sio_client__or(client->desc->reconnect_delay_ms, 1000);
    uint64_t most = wshub_sio_client__or(client->desc->reconnect_delay_max_ms, 5000);
    uint32_t i, chance = UINT32_MAX / 2;

    for (i = 1; i < client->attempt && base < most; i++) base *= 2;
    if (base > most) base = most;
    (void)wshub_ws_random(client->pool, &chance, sizeof chance);
    base = base / 2 + (base * chance >> 32);
    return base ? (uint32_t)base : 1; /* or nothing would rest in between */
}

/* Waits for the next attempt, if one is wanted and a callback has not asked for one at once. */
static void wshub_sio_client__schedule(wshub_sio_client *client) {
    const wshub_sio_client_events *events;
    uint32_t delay;

    if (client->doomed || client->state != WSHUB_SIO_CLIENT_IDLE ||
        !wshub_sio_client__wanted(client))
        return;
    events = client->desc->events;
    client->attempt++;
    delay = wshub_sio_client__delay(client);
    wshub_sio_client__to(client, WSHUB_SIO_CLIENT_WAITING);
    wshub_sio_client__wake_at(client, wshub_ws_now_ms(client->pool) + delay);
    if (events && events->reconnecting)
        events->reconnecting(client, client->attempt, delay, client->user);
}

/* There will be no other attempt by itself. */
static void wshub_sio_client__give_up(wshub_sio_client *client) {
    const wshub_sio_client_events *events;

    if (client->doomed || client->state != WSHUB_SIO_CLIENT_IDLE || client->desc->no_reconnect)
        return;
    events = client->desc->events;
    if (events && events->gave_up) events->gave_up(client, client->attempt, client->user);
}

static void wshub_sio_socket__tell_error(wshub_sio_socket *socket,
                                         const wshub_sio_connect_error *error) {
    if (wshub_sio_socket__hears(socket) && socket->desc->events->connect_error)
        socket->desc->events->connect_error(socket, error, socket->user);
}

/* Tells what an order of the application's has done: it has left its namespace. */
static void wshub_sio_socket__tell_left(wshub_sio_socket *socket) {
    bool left = socket->left;

    socket->left = false;
    wshub_sio_socket__asks_tell(socket);
    if (left && wshub_sio_socket__hears(socket) && socket->desc->events->disconnected)
        socket->desc->events->disconnected(socket, "io client disconnect", false, socket->user);
}

/* A connection is gone, or an attempt to have one: the socket is what it will be from now on, and
 * what it has to be told is noted. again: it will come back. attempt: who waits is told as well. */
static void wshub_sio_socket__lose(wshub_sio_socket *socket, bool again, bool attempt) {
    bool waits = socket->state == WSHUB_SIO_SOCKET_WAITING;

    if (socket->work) socket->work->join_ms = WSHUB_NEVER;
    wshub_sio_socket__early_clear(socket);
    if (socket->state == WSHUB_SIO_SOCKET_IDLE || (waits && again && !attempt)) return;

    socket->owed = socket->state == WSHUB_SIO_SOCKET_CONNECTED ? WSHUB_SIO_SOCKET__OWED_LOSS
                                                               : WSHUB_SIO_SOCKET__OWED_ERROR;
    if (!waits || !again)
        wshub_sio_socket__to(socket, again ? WSHUB_SIO_SOCKET_WAITING : WSHUB_SIO_SOCKET_IDLE);
    wshub_sio_socket__asks_lose(socket);
}

/* Tells what is noted. Whether it comes back is seen last: replies, and what others were told
 * before, may have connected or disconnected it. gone: of the attempt, or NULL. */
static void wshub_sio_socket__tell_loss(wshub_sio_socket *socket, const char *reason,
                                        const wshub_ws_gone *gone) {
    uint8_t owed = socket->owed;
    wshub_sio_connect_error error;
    bool again;

    socket->owed = WSHUB_SIO_SOCKET__OWED_NOTHING;
    if (!owed) return;
    wshub_sio_socket__tell_left(socket);

    again = socket->state != WSHUB_SIO_SOCKET_IDLE;
    if (owed == WSHUB_SIO_SOCKET__OWED_ERROR) {
        memset(&error, 0, sizeof error);
        error.message = wshub_str_z(reason);
        error.again = again;
        error.gone = gone;
        wshub_sio_socket__tell_error(socket, &error);
    } else if (wshub_sio_socket__hears(socket) && socket->desc->events->disconnected) {
        socket->desc->events->disconnected(socket, reason, again, socket->user);
    }
}

/* What an end means to all sockets. Each is first what it will be, and only then is any of them
 * told: so what a callback does to another socket stands, and who was not concerned hears
 * nothing. */
static void wshub_sio_client__over(wshub_sio_client *client, const char *reason,
                                   const wshub_ws_gone *gone, bool attempt) {
    bool again = wshub_sio_client__again(client), wanted = wshub_sio_client__wanted(client);
    wshub_sio_socket *socket;

    WSHUB_ASSERT(client->state == WSHUB_SIO_CLIENT_IDLE);
    for (socket = client->sockets; socket; socket = socket->next)
        wshub_sio_socket__lose(socket, again, attempt);
    for (socket = client->sockets; socket; socket = socket->next)
        wshub_sio_socket__tell_loss(socket, reason, gone);
    if (again)
        wshub_sio_client__schedule(client);
    else if (wanted)
        wshub_sio_client__give_up(client);
}

/* An attempt has failed: whoever waits for it is told. gone: how, or NULL. */
static void wshub_sio_client__failed(wshub_sio_client *client, const wshub_ws_gone *gone,
                                     const char *text) {
    wshub_sio_client__forget(client);
    wshub_sio_client__to(client, WSHUB_SIO_CLIENT_IDLE);
    wshub_sio_client__over(client, text, gone, true);
}

/* The connection is gone, or no longer worth having. in_order: it is still there, and closed as the
 * protocol wants it. */
static void wshub_sio_client__lost(wshub_sio_client *client, const char *reason, bool in_order) {
    if (in_order) {
        wshub_sio_client__close(client);
    } else {
        wshub_sio_client__forget(client);
        wshub_sio_client__partial_drop(client);
        wshub_sio_client__to(client, WSHUB_SIO_CLIENT_IDLE);
    }
    wshub_sio_client__over(client, reason, NULL, false);
}

/* ---- namespaces ---- */

/* Writes what a CONNECT holds: where it was, for a recovery, and what the application says. Returns
 * its length; what does not fit is not written. */
static size_t wshub_sio_socket__hello(const wshub_sio_socket *socket, wshub_str auth, char *buf,
                                      size_t cap) {
    wshub_iter iter = {0, 0};
    wshub_str key, value;
    size_t len = 0;
    const char *pieces[5];
    size_t lens[5], i;

    if (!socket->pid) {
        if (auth.len && auth.len <= cap) memcpy(buf, auth.ptr, auth.len);
        return auth.len;
    }
    pieces[0] = "{\"pid\":";
    pieces[1] = socket->pid;
    pieces[2] = socket->offset ? ",\"offset\":" : "";
    pieces[3] = socket->offset ? socket->offset : "";
    /* what the application says stands behind it, without its brace */
    pieces[4] = "}";
    for (i = 0; i < 4; i++) lens[i] = strlen(pieces[i]);
    lens[4] = 1;
    if (auth.len && wshub_json_each_member(auth, &iter, &key, &value)) {
        pieces[4] = key.ptr;
        lens[4] = (size_t)(auth.ptr + auth.len - key.ptr);
    }
    for (i = 0; i < 5; i++) {
        if (i == 4 && lens[4] > 1) {
            if (len < cap) buf[len] = ',';
            len++;
        }
        if (len <= cap && lens[i] <= cap - len) memcpy(buf + len, pieces[i], lens[i]);
        len += lens[i];
    }
    return len;
}

/* What the application says at CONNECT. */
static wshub_str wshub_sio_socket__auth(wshub_sio_socket *socket) {
    wshub_str auth = wshub_str_z(socket->desc->auth), none = {NULL, 0};
    const char *blanks = " \t\r\n";

    if (socket->desc->events->auth) {
        auth = socket->desc->events->auth(socket, socket->user);
        if (!wshub_sio_socket__hears(socket)) return none; /* it may be gone with the socket */
        if (auth.ptr && wshub_json_type(auth) != WSHUB_JSON_OBJECT) return none;
    }
    for (; auth.len && strchr(blanks, auth.ptr[0]); auth.len--) /* a length has bytes: NOLINT */
        auth.ptr++;
    while (auth.len && strchr(blanks, auth.ptr[auth.len - 1])) auth.len--;
    return auth;
}

/* From now on the server has to answer in time. False: out of memory. */
static bool wshub_sio_socket__join_clock(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;
    uint32_t wait = wshub_sio_client__or(client->desc->join_timeout_ms, 45000);
    wshub_sio_socket__work *work;

    WSHUB_ASSERT(socket->state == WSHUB_SIO_SOCKET_WAITING ||
                 socket->state == WSHUB_SIO_SOCKET_JOINING);
    if (wait == WSHUB_OFF) return true;
    work = wshub_sio_socket__work_get(socket);
    if (!work) return false;
    work->join_ms = wshub_ws_now_ms(client->pool) + wait;
    wshub_sio_client__rearm(client);
    return true;
}

/* What is under way to who had its name before is none of its own. */
static void wshub_sio_socket__inherit(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;
    wshub_str name = wshub_sio_socket__name(socket);
    wshub_sio_socket **ghost = wshub_sio_client__ghost(client, name), *other;

    if (*ghost) {
        WSHUB_ASSERT(!(*ghost)->asked && (*ghost)->parted);
        wshub_sio_client__ghost_free(ghost);
        socket->parted = true;
    }
    for (other = client->sockets; other; other = other->next) {
        if (!other->doomed || !other->parted || !other->slashed ||
            !wshub_str_eq(wshub_sio_socket__name(other), name))
            continue;
        other->parted = false;
        socket->parted = true;
    }
}

/* Its CONNECT has gone out. */
static void wshub_sio_socket__asked(wshub_sio_socket *socket) {
    wshub_sio_socket__inherit(socket);
    socket->asked = true;
    socket->said = wshub_sio_client__said(socket->client) + 1;
}

/* Asks the server for the namespace. */
static void wshub_sio_socket__join(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;
    wshub_str name, auth;
    wshub_sio_packet head;
    char *text;
    size_t most, len;

    if (!wshub_sio_socket__hears(socket)) return;
    name = wshub_sio_socket__name(socket);
    if (wshub_sio_client__haunted(client, name)) { /* the server answers that one first */
        if (wshub_sio_socket__work_of(socket)->join_ms == WSHUB_NEVER &&
            !wshub_sio_socket__join_clock(socket))
            wshub_sio_client__cut(client);
        return;
    }
    auth = wshub_sio_socket__auth(socket);
    if (!wshub_sio_socket__hears(socket) || socket->state != WSHUB_SIO_SOCKET_WAITING ||
        client->state != WSHUB_SIO_CLIENT_OPEN)
        return;
    wshub_sio_socket__to(socket, WSHUB_SIO_SOCKET_JOINING);
    if (!wshub_sio_socket__join_clock(socket)) {
        wshub_sio_client__cut(client);
        return;
    }
    if (socket->asked) return; /* it has left and come again meanwhile */

    memset(&head, 0, sizeof head);
    head.type = '0';
    head.space = name;
    most = wshub_sio_socket__hello(socket, auth, NULL, 0);
    most += wshub_sio_packet_write(&head, NULL, NULL, 0);
    text = (char *)wshub_ws_alloc(client->pool, NULL, 0, most);
    if (text) {
        len = wshub_sio_packet_write(&head, NULL, text, most);
        (void)wshub_sio_socket__hello(socket, auth, text + len, most - len);
    }
    if (!text || wshub_sio_client__say(client, text, most))
        wshub_sio_client__cut(client); /* and it comes back */
    else
        wshub_sio_socket__asked(socket);
    if (text) (void)wshub_ws_alloc(client->pool, text, most, 0);
}

/* Says that a namespace is left. */
static void wshub_sio_client__bye(wshub_sio_client *client, wshub_str name) {
    wshub_sio_packet head;
    char text[WSHUB_SIO_CLIENT__NAME_MAX + 8];
    size_t len;

    memset(&head, 0, sizeof head);
    head.type = '1';
    head.space = name;
    len = wshub_sio_packet_write(&head, NULL, text, sizeof text);
    if (len <= sizeof text) (void)wshub_sio_client__say(client, text, len);
}

/* The server has said nothing to a CONNECT for long. */
static void wshub_sio_socket__join_late(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;
    const wshub_sio_socket *other = client->sockets;
    wshub_sio_connect_error error;

    while (other && other->state != WSHUB_SIO_SOCKET_CONNECTED) other = other->next;
    if (!other) {
        wshub_sio_client__lost(client, "timeout", true);
        return;
    }
    wshub_sio_socket__to(socket, WSHUB_SIO_SOCKET_IDLE);
    memset(&error, 0, sizeof error);
    error.message = wshub_str_z("timeout");
    wshub_sio_socket__tell_error(socket, &error);
}

WSHUB_API wshub_err wshub_sio_socket_connect(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;

    if (socket->doomed || client->doomed) return WSHUB_ERR_STATE;
    socket->mute = false;
    if (socket->state == WSHUB_SIO_SOCKET_IDLE)
        wshub_sio_socket__to(socket, WSHUB_SIO_SOCKET_WAITING);
    if (socket->state != WSHUB_SIO_SOCKET_WAITING) return WSHUB_OK;
    if (client->state == WSHUB_SIO_CLIENT_OPEN) {
        wshub_sio_client__soon(client); /* as it is asked for what to say */
        return WSHUB_OK;
    }
    if (client->state == WSHUB_SIO_CLIENT_CONNECTING) return WSHUB_OK;
    client->attempt = 0;
    if (client->state == WSHUB_SIO_CLIENT_IDLE)
        wshub_sio_client__to(client, WSHUB_SIO_CLIENT_WAITING);
    wshub_sio_client__wake_at(client, 1);
    return WSHUB_OK;
}

/* Leaves the namespace, of which nothing is told yet. */
static void wshub_sio_socket__quit(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;

    if (socket->state == WSHUB_SIO_SOCKET_IDLE) return;
    if (socket->state == WSHUB_SIO_SOCKET_CONNECTED) {
        wshub_sio_socket__flush_kept(socket);
        wshub_sio_client__bye(client, wshub_sio_socket__name(socket));
        wshub_sio_socket__part(socket);
        socket->left = true;
        wshub_sio_client__soon(client);
    }
    wshub_sio_socket__to(socket, WSHUB_SIO_SOCKET_IDLE);
    wshub_sio_socket__early_clear(socket);
    wshub_sio_socket__asks_lose(socket);
    wshub_sio_socket__pid_drop(socket);
    wshub_sio_client__unwanted(client);
}

WSHUB_API wshub_err wshub_sio_socket_disconnect(wshub_sio_socket *socket) {
    wshub_sio_socket__quit(socket);
    return WSHUB_OK;
}

WSHUB_API void wshub_sio_socket_destroy(wshub_sio_socket *socket) {
    if (!socket || socket->doomed || socket->client->doomed) return;
    wshub_sio_socket__quit(socket);
    wshub_sio_socket__name_keep(socket);
    socket->doomed = true;
    socket->client->sweep = true;
    if (socket->client->depth) return;
    wshub_sio_client__enter(socket->client);
    wshub_sio_client__leave(socket->client);
}

/* ---- handlers ---- */

static bool wshub_sio_socket__handles(const wshub_sio_socket *socket, wshub_str event) {
    const wshub_sio_client__handler *at = socket->handlers;
    wshub_str name;

    for (; at; at = at->next) {
        name.ptr = (const char *)(at + 1);
        name.len = at->len;
        if (!at->gone && wshub_str_eq(name, event)) return true;
    }
    return false;
}

WSHUB_API wshub_err wshub_sio_socket_subscribe_many(wshub_sio_socket *socket,
                                                    const wshub_str *events, size_t count,
                                                    wshub_sio_handler_fn fn, void *user,
                                                    bool duplicate) {
    wshub_sio_client__handler **end = &socket->handlers, **at, *handler;
    size_t i;

    if (!fn || !count) return WSHUB_ERR_PARAM;
    for (i = 0; i < count; i++) {
        if (!events[i].len || events[i].len > WSHUB_NAME_BYTES_MAX) return WSHUB_ERR_PARAM;
        if (!duplicate && wshub_sio_socket__handles(socket, events[i])) return WSHUB_ERR_STATE;
    }
    while (*end) end = &(*end)->next;
    for (i = 0, at = end; i < count; i++, at = &(*at)->next) {
        *at = handler = (wshub_sio_client__handler *)wshub_ws_alloc(
            socket->client->pool, NULL, 0, sizeof *handler + events[i].len);
        if (!handler) break;
        memset(handler, 0, sizeof *handler);
        handler->fn = fn;
        handler->user = user;
        handler->len = events[i].len;
        memcpy(handler + 1, events[i].ptr, events[i].len);
    }
    while (i < count && *end) { /* out of memory: none of them */
        handler = *end;
        *end = handler->next;
        (void)wshub_ws_alloc(socket->client->pool, handler, sizeof *handler + handler->len, 0);
    }
    return i == count ? WSHUB_OK : WSHUB_ERR_NOMEM;
}

WSHUB_API wshub_err wshub_sio_socket_subscribe(wshub_sio_socket *socket, wshub_str event,
                                               wshub_sio_handler_fn fn, void *user,
                                               bool duplicate) {
    return wshub_sio_socket_subscribe_many(socket, &event, 1, fn, user, duplicate);
}

WSHUB_API wshub_err wshub_sio_socket_unsubscribe_many(wshub_sio_socket *socket,
                                                      const wshub_str *events, size_t count,
                                                      wshub_sio_handler_fn fn) {
    wshub_sio_client__handler *at;
    wshub_err err = WSHUB_OK;
    size_t i;

    for (i = 0; i < count; i++) {
        bool found = false;
        for (at = socket->handlers; at; at = at->next) {
            wshub_str name;
            name.ptr = (const char *)(at + 1);
            name.len = at->len;
            if (at->gone || (fn && at->fn != fn) || !wshub_str_eq(name, events[i])) continue;
            at->gone = found = true;
        }
        if (!found) err = WSHUB_ERR_ABSENT;
    }
    socket->client->sweep = true;
    if (!socket->client->depth) wshub_sio_socket__handlers_sweep(socket, false);
    return err;
}

WSHUB_API wshub_err wshub_sio_socket_unsubscribe(wshub_sio_socket *socket, wshub_str event,
                                                 wshub_sio_handler_fn fn) {
    return wshub_sio_socket_unsubscribe_many(socket, &event, 1, fn);
}

/* ---- the helper's flow ---- */

WSHUB_API wshub_err wshub_sio_socket_authenticate(wshub_sio_socket *socket) {
    wshub_str none = {NULL, 0};
    wshub_err err;

    if (!socket->desc->helper || socket->state != WSHUB_SIO_SOCKET_CONNECTED ||
        socket->auth != WSHUB_SIO_SOCKET_UNAUTHORIZED)
        return WSHUB_ERR_STATE;
    err = wshub_sio_socket__emit_json(socket, "authenticate", none);
    if (!err) socket->auth = WSHUB_SIO_SOCKET_AUTHENTICATING;
    return err;
}

/* Emits `join` or `leave` for count rooms, or for all that are remembered (rooms NULL). */
static wshub_err wshub_sio_socket__rooms_say(wshub_sio_socket *socket, const char *what,
                                             const wshub_str *rooms, size_t count) {
    const wshub_sio_client__room *room = socket->rooms;
    wshub_ws_pool *pool = socket->client->pool;
    size_t most = 16, len, i;
    wshub_str name, json;
    wshub_err err;
    char *text;

    for (i = 0; i < count; i++) most += wshub_json_quoted_len(rooms[i]) + 1;
    for (; !rooms && room; room = room->next) most += 6 * room->len + 3;
    text = (char *)wshub_ws_alloc(pool, NULL, 0, most);
    if (!text) return WSHUB_ERR_NOMEM;
    memcpy(text, "{\"rooms\":[", 10);
    len = 10;
    room = socket->rooms;
    for (i = 0; rooms ? i < count : room != NULL; i++) {
        if (rooms) {
            name = rooms[i];
        } else {
            name.ptr = (const char *)(room + 1);
            name.len = room->len;
            room = room->next;
        }
        if (i) text[len++] = ',';
        len += wshub_json_quote(name, text + len, most - len);
    }
    memcpy(text + len, "]}", 2);
    json.ptr = text;
    json.len = len + 2;
    err = wshub_sio_socket__emit_json(socket, what, json);
    (void)wshub_ws_alloc(pool, text, most, 0);
    return err;
}

static bool wshub_sio_socket__rooms_ok(const wshub_str *rooms, size_t count) {
    size_t i;

    for (i = 0; i < count; i++) {
        if (rooms[i].len > WSHUB_NAME_BYTES_MAX ||
            !wshub_utf8_check((const uint8_t *)rooms[i].ptr, rooms[i].len))
            return false;
    }
    return rooms && count > 0;
}

/* Where a room is remembered; where the end is, if it is not. */
static wshub_sio_client__room **wshub_sio_socket__room_find(wshub_sio_socket *socket,
                                                            wshub_str name) {
    wshub_sio_client__room **at = &socket->rooms;
    wshub_str there;

    for (; *at; at = &(*at)->next) {
        there.ptr = (const char *)(*at + 1);
        there.len = (*at)->len;
        if (wshub_str_eq(there, name)) break;
    }
    return at;
}

/* Remembers a room. */
static wshub_err wshub_sio_socket__remember(wshub_sio_socket *socket, wshub_str name) {
    size_t most = wshub_sio_client__or(socket->client->desc->buffer_bytes, 1048576);
    wshub_sio_client__room **at = wshub_sio_socket__room_find(socket, name), *room;
    size_t bytes = sizeof *room + name.len;

    if (*at) return WSHUB_OK;
    for (room = socket->rooms; room; room = room->next) bytes += sizeof *room + room->len;
    if (bytes > most) return WSHUB_ERR_LIMIT;
    room = (wshub_sio_client__room *)wshub_ws_alloc(socket->client->pool, NULL, 0,
                                                    sizeof *room + name.len);
    if (!room) return WSHUB_ERR_NOMEM;
    room->next = NULL;
    room->len = name.len;
    if (name.len) memcpy(room + 1, name.ptr, name.len);
    *at = room;
    return WSHUB_OK;
}

/* May it speak of rooms now? */
static bool wshub_sio_socket__rooms_may(const wshub_sio_socket *socket) {
    if (socket->desc->auto_auth) return socket->auth == WSHUB_SIO_SOCKET_AUTHENTICATED;
    return socket->state == WSHUB_SIO_SOCKET_CONNECTED;
}

WSHUB_API wshub_err wshub_sio_socket_join(wshub_sio_socket *socket, const wshub_str *rooms,
                                          size_t count) {
    const wshub_sio_client__room *room = socket->rooms;
    wshub_err err = WSHUB_OK;
    size_t i, had = 0;

    if (!wshub_sio_socket__rooms_ok(rooms, count)) return WSHUB_ERR_PARAM;
    if (!socket->desc->helper) return WSHUB_ERR_STATE;
    for (; room; room = room->next) had++;
    for (i = 0; socket->desc->auto_auth && !err && i < count; i++)
        err = wshub_sio_socket__remember(socket, rooms[i]);
    if (!err && wshub_sio_socket__rooms_may(socket))
        err = wshub_sio_socket__rooms_say(socket, "join", rooms, count);
    else if (!err && !socket->desc->auto_auth)
        err = WSHUB_ERR_STATE;
    if (err) wshub_sio_socket__rooms_cut(socket, had);
    return err;
}

WSHUB_API wshub_err wshub_sio_socket_leave(wshub_sio_socket *socket, const wshub_str *rooms,
                                           size_t count) {
    wshub_err err = WSHUB_OK;
    size_t i;

    if (!wshub_sio_socket__rooms_ok(rooms, count)) return WSHUB_ERR_PARAM;
    if (!socket->desc->helper) return WSHUB_ERR_STATE;
    if (wshub_sio_socket__rooms_may(socket))
        err = wshub_sio_socket__rooms_say(socket, "leave", rooms, count);
    else if (!socket->desc->auto_auth)
        err = WSHUB_ERR_STATE;
    for (i = 0; i < count && !err; i++) {
        wshub_sio_client__room **at = wshub_sio_socket__room_find(socket, rooms[i]);
        if (*at) wshub_sio_socket__room_drop(socket, at);
    }
    return err;
}

WSHUB_API wshub_err wshub_sio_socket_shutdown(wshub_sio_socket *socket) {
    wshub_sio_client__handler *at;

    wshub_sio_socket__quit(socket);
    socket->left = false;
    socket->mute = true;
    wshub_sio_socket__forget(socket);
    for (at = socket->handlers; at; at = at->next) at->gone = true;
    socket->client->sweep = true;
    if (!socket->client->depth) wshub_sio_socket__handlers_sweep(socket, false);
    return WSHUB_OK;
}

/* Authenticates by itself, if the application has not done so. Without memory for it the server
 * would wait, perhaps for ever: the connection is dropped instead, and it comes back. */
static void wshub_sio_socket__auto_auth(wshub_sio_socket *socket) {
    wshub_err err = wshub_sio_socket_authenticate(socket);

    if (err && err != WSHUB_ERR_STATE) wshub_sio_client__cut(socket->client);
}

/* Looks at what the server says of authentication. */
static void wshub_sio_socket__flow(wshub_sio_socket *socket, const wshub_sio_event *event) {
    const wshub_sio_socket_events *events = socket->desc->events;
    wshub_str data = {NULL, 0}, text;
    char message[256];

    if (event->args_count) data = event->args[0];
    if (wshub_str_eq_z(event->name, "authenticated") &&
        socket->auth == WSHUB_SIO_SOCKET_AUTHENTICATING) {
        socket->auth = WSHUB_SIO_SOCKET_AUTHENTICATED;
        if (socket->rooms && wshub_sio_socket__rooms_say(socket, "join", NULL, 0)) {
            wshub_sio_client__cut(socket->client); /* it comes back, and is in them then */
            return;
        }
        if (events->authenticated) events->authenticated(socket, data, socket->user);
    } else if (wshub_str_eq_z(event->name, "unauthenticated")) {
        socket->auth = WSHUB_SIO_SOCKET_UNAUTHORIZED;
        text.ptr = message;
        text.len = 0;
        if (!wshub_json_copy(wshub_json_find(data, "message"), message, sizeof message, NULL))
            text.len = strlen(message);
        if (events->unauthenticated) events->unauthenticated(socket, text, socket->user);
    }
}

/* ---- what comes ---- */

/* The elements of an array that is checked. small: of WSHUB_SIO_CLIENT__LIST; NULL: out of memory,
 * which is told by *out_count SIZE_MAX. What comes back is small, or freed by list_free(). */
static wshub_str *wshub_sio_client__list(wshub_sio_client *client, wshub_str json, wshub_str *small,
                                         size_t *out_count) {
    wshub_iter iter = {0, 0};
    wshub_str value, *list = small;
    size_t count = 0;

    while (json.len && wshub_json_next(json, &iter, &value)) count++;
    *out_count = count;
    if (count > WSHUB_SIO_CLIENT__LIST) {
        list = (wshub_str *)wshub_ws_alloc(client->pool, NULL, 0, count * sizeof *list);
        if (!list) return NULL;
    }
    memset(&iter, 0, sizeof iter);
    for (count = 0; count < *out_count; count++) (void)wshub_json_next(json, &iter, &list[count]);
    return list;
}

static void wshub_sio_client__list_free(wshub_sio_client *client, wshub_str *list, wshub_str *small,
                                        size_t count) {
    if (list && list != small) (void)wshub_ws_alloc(client->pool, list, count * sizeof *list, 0);
}

/* Where the server's recovery would begin: the last argument, if it is a text. Who names none has
 * heard nothing, and would hear all of it again: one that is too long to be an offset becomes one
 * that no server knows, and out of memory the socket comes back as a new one. */
static void wshub_sio_socket__offset_note(wshub_sio_socket *socket, wshub_str last) {
    if (!socket->pid || wshub_json_peek(last) != WSHUB_JSON_STRING) return;
    if (last.len > WSHUB_SIO_CLIENT__TOKEN_MAX) last = wshub_str_z("\"\"");
    if (!wshub_sio_client__string_set(socket->client, &socket->offset, last))
        wshub_sio_socket__pid_drop(socket);
}

/* Tells an event to all that want it. */
static void wshub_sio_socket__tell(wshub_sio_socket *socket, const wshub_sio_event *event) {
    wshub_sio_client__handler *at, *last = socket->handlers;
    wshub_str name;

    if (wshub_sio_socket__hears(socket) && socket->desc->helper)
        wshub_sio_socket__flow(socket, event);
    while (last && last->next) last = last->next;
    for (at = socket->handlers; at && wshub_sio_socket__hears(socket); at = at->next) {
        name.ptr = (const char *)(at + 1);
        name.len = at->len;
        if (!at->gone && wshub_str_eq(name, event->name)) at->fn(socket, event, at->user);
        if (at == last) break;
    }
    if (wshub_sio_socket__hears(socket) && socket->desc->events->event)
        socket->desc->events->event(socket, event, socket->user);
}

/* An event, with its attachments. Out of memory it is lost, and the connection with it, so that a
 * recovery can bring it again. */
static void wshub_sio_socket__event(wshub_sio_socket *socket, const wshub_sio_packet *packet,
                                    const wshub_span *attachments) {
    wshub_sio_client *client = socket->client;
    wshub_str small[WSHUB_SIO_CLIENT__LIST], *list;
    wshub_sio_client__text name = {NULL, 0};
    wshub_sio_event event;
    size_t count;

    if (!packet->json.len) return; /* an event of nothing */
    list = wshub_sio_client__list(client, packet->json, small, &count);
    WSHUB_ASSERT(!list || count); /* an array without a name is no packet */
    if (!list || !wshub_sio_client__text_set(client, &name, list[0])) {
        wshub_sio_client__cut(client);
        wshub_sio_client__list_free(client, list, small, count);
        return;
    }
    memset(&event, 0, sizeof event);
    event.name = wshub_sio_client__text_str(&name);
    if (wshub_json_peek(list[0]) == WSHUB_JSON_STRING)
        event.name.len = wshub_json_unescape((const uint8_t *)list[0].ptr + 1, list[0].len - 2,
                                             (uint8_t *)name.ptr, name.len);
    event.args = list + 1;
    event.args_count = count - 1;
    event.attachments = attachments;
    event.attachments_count = packet->attachments;
    event.raw = packet->json;
    if (packet->id.ptr) event.ack = wshub_sio_socket__due_new(socket, packet->id);
    if (count > 1) wshub_sio_socket__offset_note(socket, list[count - 1]);
    wshub_sio_socket__tell(socket, &event);
    wshub_sio_client__text_drop(client, &name);
    wshub_sio_client__list_free(client, list, small, count);
}

/* An answer. One that nobody waits for, or no longer, is passed over. */
static void wshub_sio_socket__ack(wshub_sio_socket *socket, const wshub_sio_packet *packet,
                                  const wshub_span *attachments) {
    wshub_sio_client *client = socket->client;
    wshub_sio_client__ask *ask = wshub_sio_socket__work_of(socket)->asks;
    wshub_str small[WSHUB_SIO_CLIENT__LIST], *list;
    wshub_sio_answers answers;
    uint64_t id;
    size_t count;

    if (!packet->id.ptr || !wshub_json_uint(packet->id, &id)) return;
    while (ask && ask->id != id) ask = ask->next;
    if (!ask || !(ask->sent || ask->tries)) return;
    list = wshub_sio_client__list(client, packet->json, small, &count);
    if (!list) {
        wshub_sio_client__cut(client);
        return;
    }
    memset(&answers, 0, sizeof answers);
    answers.args = list;
    answers.args_count = count;
    answers.attachments = attachments;
    answers.attachments_count = packet->attachments;
    wshub_sio_socket__answered(socket, ask, &answers);
    wshub_sio_client__list_free(client, list, small, count);
}

static void wshub_sio_client__packet(wshub_sio_client *client, const wshub_sio_packet *packet,
                                     wshub_str text, const wshub_span *attachments);

/* Has a packet that is kept told as if it came now. */
static void wshub_sio_client__replay(wshub_sio_client *client, const wshub_sio_client__kept *kept) {
    wshub_span spans[WSHUB_SIO_CLIENT__ATTACHMENTS];
    const wshub_sio_client__kept *part;
    wshub_sio_packet packet;
    wshub_str text;
    size_t count = 0;

    text.ptr = (const char *)(kept + 1);
    text.len = kept->len;
    for (part = kept->part; part && count < WSHUB_SIO_CLIENT__ATTACHMENTS; part = part->part) {
        spans[count].ptr = (const uint8_t *)(part + 1);
        spans[count++].len = part->len;
    }
    if (!wshub_sio_packet_read(text, WSHUB_SIO_CLIENT__ATTACHMENTS, &packet))
        wshub_sio_client__packet(client, &packet, text, spans);
}

/* An event that came before its namespace was there waits for that. */
static void wshub_sio_socket__early(wshub_sio_socket *socket, const wshub_sio_packet *packet,
                                    wshub_str text, const wshub_span *attachments) {
    wshub_sio_client *client = socket->client;
    size_t most = wshub_sio_client__or(client->desc->early_bytes_max, 1048576);
    wshub_sio_socket__work *work = wshub_sio_socket__work_get(socket);
    wshub_sio_client__kept *kept = NULL;

    if (work) kept = wshub_sio_client__kept_of(client, text, attachments, packet->attachments);
    if (!kept) {
        wshub_sio_client__cut(client);
        return;
    }
    wshub_sio_client__queue_add(&work->early, kept);
    if (work->early.bytes > most) wshub_sio_client__lost(client, "parse error", true);
}

/* Notes by what it can be recovered. Returns whether it was. */
static bool wshub_sio_socket__pid_note(wshub_sio_socket *socket, wshub_str pid) {
    if (pid.ptr && socket->pid && wshub_str_eq_z(pid, socket->pid)) return true;
    wshub_sio_socket__pid_drop(socket);
    if (wshub_json_peek(pid) == WSHUB_JSON_STRING && pid.len <= WSHUB_SIO_CLIENT__TOKEN_MAX)
        (void)wshub_sio_client__string_set(socket->client, &socket->pid, pid);
    return false;
}

/* The namespace has refused, or what it says makes no sense: nothing more by itself. */
static void wshub_sio_socket__refused(wshub_sio_socket *socket, wshub_str message, wshub_str data) {
    wshub_sio_client *client = socket->client;
    wshub_sio_connect_error error;

    wshub_sio_socket__to(socket, WSHUB_SIO_SOCKET_IDLE);
    wshub_sio_socket__early_clear(socket);
    memset(&error, 0, sizeof error);
    error.message = message;
    error.data = data;
    error.refused = true;
    wshub_sio_socket__tell_error(socket, &error);
    if (!client->doomed) wshub_sio_client__unwanted(client);
}

/* The server has accepted: what was kept, then the application, then what came early. */
static void wshub_sio_socket__accepted(wshub_sio_socket *socket, const wshub_sio_packet *packet) {
    const wshub_sio_socket_events *events = socket->desc->events;
    wshub_sio_client *client = socket->client;
    wshub_str none = {NULL, 0}, sid = wshub_json_find(packet->json, "sid");
    char id[WSHUB_SIO_CLIENT__ID_MAX];
    bool recovered;

    if (socket->state != WSHUB_SIO_SOCKET_JOINING) return; /* said twice */
    if (!packet->json.len || wshub_json_peek(sid) != WSHUB_JSON_STRING || sid.len < 3) {
        wshub_sio_socket__refused(socket, wshub_str_z("the server speaks no Socket.IO 5"), none);
        return;
    }
    if (wshub_json_copy(sid, id, sizeof id, NULL)) id[0] = 0;
    if (!wshub_sio_client__string_set(client, &socket->id, wshub_str_z(id))) {
        wshub_sio_client__cut(client); /* and it comes back */
        return;
    }
    wshub_sio_socket__to(socket, WSHUB_SIO_SOCKET_CONNECTED);
    client->attempt = 0;
    recovered = wshub_sio_socket__pid_note(socket, wshub_json_find(packet->json, "pid"));
    wshub_sio_socket__flush(socket);
    if (wshub_sio_socket__owes(socket)) wshub_sio_client__soon(client);
    if (events->connected && wshub_sio_socket__hears(socket))
        events->connected(socket, wshub_str_z(id), recovered, socket->user);
    if (wshub_sio_socket__hears(socket) && socket->desc->auto_auth)
        wshub_sio_socket__auto_auth(socket);
    while (wshub_sio_socket__work_of(socket)->early.first &&
           socket->state == WSHUB_SIO_SOCKET_CONNECTED && !client->doomed) {
        wshub_sio_client__kept *kept = wshub_sio_client__queue_take(&socket->work->early, NULL);
        wshub_sio_client__replay(client, kept);
        wshub_sio_client__kept_free(client, kept);
    }
}

/* CONNECT_ERROR: an object with message and perhaps data, or a text. */
static void wshub_sio_socket__error(wshub_sio_socket *socket, wshub_str json) {
    wshub_sio_client__text text = {NULL, 0};
    wshub_str message = json, data = {NULL, 0}, said = {"", 0};

    if (socket->state != WSHUB_SIO_SOCKET_JOINING) return;
    if (wshub_json_peek(json) == WSHUB_JSON_OBJECT) {
        message = wshub_json_find(json, "message");
        data = wshub_json_find(json, "data");
    }
    if (wshub_json_peek(message) == WSHUB_JSON_STRING &&
        wshub_sio_client__text_set(socket->client, &text, message)) {
        said.ptr = text.ptr;
        said.len = wshub_json_text(message, text.ptr, text.len);
    }
    wshub_sio_socket__refused(socket, said, data);
    wshub_sio_client__text_drop(socket->client, &text);
}

/* The server has put it out. */
static void wshub_sio_socket__out(wshub_sio_socket *socket) {
    wshub_sio_client *client = socket->client;
    wshub_str none = {NULL, 0};

    if (socket->state == WSHUB_SIO_SOCKET_JOINING)
        wshub_sio_socket__refused(socket, wshub_str_z("io server disconnect"), none);
    if (socket->state != WSHUB_SIO_SOCKET_CONNECTED) return;
    wshub_sio_socket__pid_drop(socket);
    wshub_sio_socket__lose(socket, false, false);
    wshub_sio_socket__tell_loss(socket, "io server disconnect", NULL);
    if (!client->doomed) wshub_sio_client__unwanted(client);
}

/* A CONNECT is answered. left: the answer was for who had left, and is answered in turn. */
static void wshub_sio_socket__heard(wshub_sio_socket *socket, bool left) {
    uint32_t said = socket->said;

    socket->asked = socket->parted = false;
    if (left) wshub_sio_socket__part(socket);
    wshub_sio_client__ghosts_clear(socket->client, said);
}

/* A packet for a namespace that is not there, or not any more: a late answer to its CONNECT is
 * answered, or the server would keep it. */
static void wshub_sio_client__stray(wshub_sio_client *client, wshub_sio_socket *socket,
                                    const wshub_sio_packet *packet) {
    wshub_sio_socket *ghost = *wshub_sio_client__ghost(client, packet->space);
    wshub_sio_socket *of = ghost && ghost->asked ? ghost : socket;
    bool asked = of && of->asked, there = packet->type == '0';

    /* What nobody has asked for is answered as far as there is room. */
    if (there && (asked || (!socket && wshub_sio_client__has_room(client, 512))))
        wshub_sio_client__bye(client, packet->space);
    if (!there && packet->type != '4') return;
    if (asked) wshub_sio_socket__heard(of, there);
    if (socket && socket->state == WSHUB_SIO_SOCKET_WAITING) wshub_sio_client__soon(client);
}

/* A whole packet.
 *   text  of it, without the `4` */
static void wshub_sio_client__packet(wshub_sio_client *client, const wshub_sio_packet *packet,
                                     wshub_str text, const wshub_span *attachments) {
    wshub_sio_socket *socket = client->sockets;

    while (socket &&
           (socket->doomed || !wshub_str_eq(wshub_sio_socket__name(socket), packet->space)))
        socket = socket->next;
    if (!socket || socket->state < WSHUB_SIO_SOCKET_JOINING) {
        wshub_sio_client__stray(client, socket, packet);
        return;
    }
    if (packet->type == '0' || packet->type == '4')
        wshub_sio_socket__heard(socket, false);
    else if (socket->parted && packet->type != '3')
        return; /* it is for who had left: answers alone say whose they are */
    if (packet->type == '0') {
        wshub_sio_socket__accepted(socket, packet);
    } else if (packet->type == '1') {
        wshub_sio_socket__out(socket);
    } else if (packet->type == '4') {
        wshub_sio_socket__error(socket, packet->json);
    } else if (packet->type == '3') {
        wshub_sio_socket__ack(socket, packet, attachments);
    } else if (socket->state == WSHUB_SIO_SOCKET_JOINING) {
        wshub_sio_socket__early(socket, packet, text, attachments);
    } else {
        wshub_sio_socket__event(socket, packet, attachments);
    }
}

/* A message of text: a packet, whose attachments may follow. */
static void wshub_sio_client__text_in(wshub_sio_client *client, wshub_str text) {
    wshub_sio_client__partial *partial;
    wshub_sio_packet packet;

    if (client->partial ||
        wshub_sio_packet_read(text, wshub_sio_client__attachments_max(client), &packet)) {
        wshub_sio_client__lost(client, "parse error", true);
        return;
    }
    if (!packet.attachments) {
        wshub_sio_client__packet(client, &packet, text, NULL);
        return;
    }
    partial = (wshub_sio_client__partial *)wshub_ws_alloc(client->pool, NULL, 0, sizeof *partial);
    if (partial) {
        partial->packet = wshub_sio_client__kept_new(client, text.ptr, text.len);
        partial->due = packet.attachments;
        partial->bytes = text.len;
    }
    client->partial = partial;
    if (!partial || !partial->packet) wshub_sio_client__cut(client);
}

/* A message of bytes: the next attachment. */
static void wshub_sio_client__bytes_in(wshub_sio_client *client, const uint8_t *bytes,
                                       size_t count) {
    size_t most = wshub_sio_client__or(client->desc->packet_bytes_max, 10485760);
    wshub_sio_client__partial *partial = client->partial;
    wshub_sio_client__kept *kept, *last;

    if (!partial || partial->bytes + count > most) {
        wshub_sio_client__lost(client, "parse error", true);
        return;
    }
    last = kept = partial->packet;
    while (last->part) last = last->part;
    last->part = wshub_sio_client__kept_new(client, bytes, count);
    if (!last->part) {
        wshub_sio_client__cut(client);
        return;
    }
    partial->bytes += count;
    if (--partial->due) return;
    partial->packet = NULL;
    wshub_sio_client__partial_drop(client);
    wshub_sio_client__replay(client, kept);
    wshub_sio_client__kept_free(client, kept);
}

/* ---- reports of the connection ---- */

static void wshub_sio_client__on_opened(wshub_eio_link *link, void *user) {
    wshub_sio_client *client = (wshub_sio_client *)user;
    wshub_sio_socket *socket;

    if (link != client->link || client->doomed) return;
    wshub_sio_client__enter(client);
    wshub_sio_client__to(client, WSHUB_SIO_CLIENT_OPEN);
    for (socket = client->sockets; socket && client->state == WSHUB_SIO_CLIENT_OPEN;
         socket = socket->next)
        if (socket->state == WSHUB_SIO_SOCKET_WAITING) wshub_sio_socket__join(socket);
    wshub_sio_client__leave(client);
}

static void wshub_sio_client__on_message(wshub_eio_link *link, wshub_ws_kind kind, uint8_t *bytes,
                                         size_t count, void *user) {
    wshub_sio_client *client = (wshub_sio_client *)user;
    wshub_str text;

    if (link != client->link || client->doomed) return;
    wshub_sio_client__enter(client);
    text.ptr = (const char *)bytes;
    text.len = count;
    if (kind == WSHUB_WS_BINARY)
        wshub_sio_client__bytes_in(client, bytes, count);
    else
        wshub_sio_client__text_in(client, text);
    wshub_sio_client__leave(client);
}

/* Sends what is kept for all of them. Returns whether some is left that could be sent. */
static bool wshub_sio_client__flush_all(wshub_sio_client *client) {
    wshub_sio_socket *socket;
    bool more = false;

    for (socket = client->sockets; socket; socket = socket->next) {
        wshub_sio_socket__flush(socket);
        more = more || wshub_sio_socket__owes(socket);
    }
    return more;
}

static void wshub_sio_client__on_drained(wshub_eio_link *link, void *user) {
    wshub_sio_client *client = (wshub_sio_client *)user;

    if (link == client->link && !client->doomed && wshub_sio_client__flush_all(client))
        wshub_sio_client__soon(client);
}

static void wshub_sio_client__on_over(wshub_eio_link *link, const wshub_eio_over *over,
                                      void *user) {
    wshub_sio_client *client = (wshub_sio_client *)user;

    if (link != client->link || client->doomed) return;
    wshub_sio_client__enter(client);
    if (over->opened)
        wshub_sio_client__lost(client, over->reason, over->there);
    else
        wshub_sio_client__failed(client, over->gone, over->text);
    wshub_sio_client__leave(client);
}

/* What it has left is closed to its end. */
static void wshub_sio_client__on_closed(wshub_eio_link *link, void *user) {
    wshub_sio_client *client = (wshub_sio_client *)user;
    const wshub_sio_client_events *events;

    if (link != client->leaving || client->doomed) return;
    events = client->desc->events;
    wshub_sio_client__enter(client);
    client->leaving = NULL;
    wshub_eio_link_destroy(link);
    if (events && events->closed) events->closed(client, client->user);
    wshub_sio_client__leave(client);
}

static void wshub_sio_client__on_clock(wshub_eio_link *link, void *user) {
    (void)link;
    wshub_sio_client__rearm((wshub_sio_client *)user);
}

static const wshub_eio_link_events wshub_sio_client__link_events = {
    wshub_sio_client__on_opened, wshub_sio_client__on_message, wshub_sio_client__on_drained,
    wshub_sio_client__on_over,   wshub_sio_client__on_closed,  wshub_sio_client__on_clock};

/* Writes what a connection is like. */
static void wshub_sio_client__link_desc(const wshub_sio_client_desc *desc,
                                        wshub_eio_link_desc *out_desc) {
    memset(out_desc, 0, sizeof *out_desc);
    out_desc->ws = &desc->ws;
    out_desc->path = desc->path ? desc->path : "/socket.io/";
    out_desc->query = desc->query;
    out_desc->events = &wshub_sio_client__link_events;
    out_desc->transports = desc->transports;
    out_desc->no_cookies = desc->no_cookies;
    out_desc->payload_bytes_max = desc->payload_bytes_max;
}

/* Begins an attempt. */
static void wshub_sio_client__attempt(wshub_sio_client *client) {
    wshub_eio_link_desc desc;

    wshub_sio_client__link_desc(client->desc, &desc);
    wshub_sio_client__to(client, WSHUB_SIO_CLIENT_CONNECTING);
    if (wshub_eio_link_open(client->pool, &desc, client, &client->link))
        wshub_sio_client__failed(client, NULL, wshub_strerror(WSHUB_ERR_NOMEM));
    else
        wshub_sio_client__rearm(client);
}

/* Something is kept that was not sent. If some was, the rest follows when that has left. If nothing
 * was, the stream takes none: it is ending, of which over() will tell, or out of memory. */
static void wshub_sio_client__flush_later(wshub_sio_client *client) {
    uint64_t now = wshub_ws_now_ms(client->pool);

    WSHUB_ASSERT(client->state == WSHUB_SIO_CLIENT_OPEN);
    if (client->link && wshub_eio_link_unsent(client->link) > 0)
        wshub_sio_client__soon(client);
    else
        wshub_sio_client__wake_at(client, now + WSHUB_SIO_CLIENT__RETRY_MS);
}

/* Does what is owed: reports of what an order has done, CONNECTs, and what is kept and has room. */
static void wshub_sio_client__settle(wshub_sio_client *client) {
    /* then drained() will be told */
    bool blocked = client->link && wshub_eio_link_unsent(client->link) > 0;
    wshub_sio_socket *socket;

    client->soon = false;
    for (socket = client->sockets; socket && !client->doomed; socket = socket->next) {
        wshub_sio_socket__tell_left(socket);
        if (socket->state == WSHUB_SIO_SOCKET_WAITING && client->state == WSHUB_SIO_CLIENT_OPEN)
            wshub_sio_socket__join(socket);
    }
    if (!client->doomed && wshub_sio_client__flush_all(client) && !blocked)
        wshub_sio_client__flush_later(client);
}

/* The answers to CONNECTs that have not come in time. */
static void wshub_sio_client__joins_late(wshub_sio_client *client, uint64_t now) {
    wshub_sio_socket *socket;

    for (socket = client->sockets; socket && !client->doomed; socket = socket->next)
        if (now >= wshub_sio_socket__work_of(socket)->join_ms) wshub_sio_socket__join_late(socket);
}

/* Has a session do what is due. */
static void wshub_sio_client__tick(wshub_eio_link *link, uint64_t now) {
    if (now >= wshub_sio_client__link_ms(link)) wshub_eio_link_tick(link);
}

static void wshub_sio_client__on_timer(void *ctx) {
    wshub_sio_client *client = (wshub_sio_client *)ctx;
    uint64_t now = wshub_ws_now_ms(client->pool);
    bool due = now >= client->due_ms;

    wshub_sio_client__enter(client);
    if (due && client->state == WSHUB_SIO_CLIENT_WAITING) wshub_sio_client__attempt(client);
    if (due && client->state == WSHUB_SIO_CLIENT_OPEN) {
        client->due_ms = WSHUB_NEVER;
        client->soon = true;
    }
    if (client->soon && !client->doomed) wshub_sio_client__settle(client);
    wshub_sio_client__joins_late(client, now);
    wshub_sio_client__tick(client->link, now);
    wshub_sio_client__tick(client->leaving, now);
    wshub_sio_client__rearm(client);
    wshub_sio_client__leave(client);
}

WSHUB_API wshub_err wshub_sio_client_drop(wshub_sio_client *client) {
    if (client->state != WSHUB_SIO_CLIENT_OPEN || client->doomed) return WSHUB_ERR_STATE;
    wshub_sio_client__cut(client);
    return WSHUB_OK;
}

WSHUB_API wshub_sio_client_state wshub_sio_client_state_of(const wshub_sio_client *client) {
    return (wshub_sio_client_state)client->state;
}
WSHUB_API wshub_ws wshub_sio_client_ws(const wshub_sio_client *client) {
    wshub_ws none = {0};
    return client->link ? wshub_eio_link_ws(client->link) : none;
}
WSHUB_API bool wshub_sio_client_is_leaving(const wshub_sio_client *client) {
    return client->leaving != NULL;
}
WSHUB_API wshub_sio_socket_state wshub_sio_socket_state_of(const wshub_sio_socket *socket) {
    return (wshub_sio_socket_state)socket->state;
}
WSHUB_API wshub_sio_socket_auth wshub_sio_socket_auth_of(const wshub_sio_socket *socket) {
    return (wshub_sio_socket_auth)socket->auth;
}
WSHUB_API wshub_str wshub_sio_socket_id(const wshub_sio_socket *socket) {
    wshub_str id;
    id = wshub_str_z(socket->id);
    if (!id.ptr) id.ptr = "";
    return id;
}
WSHUB_API size_t wshub_sio_socket_buffered(const wshub_sio_socket *socket) {
    const wshub_sio_socket__work *work = wshub_sio_socket__work_of(socket);
    return work->kept.count + work->promised_count;
}
WSHUB_API wshub_str wshub_sio_socket_name(const wshub_sio_socket *socket) {
    return wshub_sio_socket__name(socket);
}
WSHUB_API wshub_sio_client *wshub_sio_socket_client(const wshub_sio_socket *socket) {
    return socket->client;
}

/* ---- making and ending them ---- */

WSHUB_API const char *wshub_sio_client_desc_problem_versioned(const wshub_sio_client_desc *desc,
                                                              size_t desc_bytes, uint32_t version) {
    wshub_eio_link_desc link;
    const char *problem;

    if (!desc) return "desc: it is NULL";
    if (version != WSHUB_SIO_CLIENT_VERSION || desc_bytes != sizeof *desc)
        return "desc: compiled against another wshub_ext_client_socketio.h than this code";
    wshub_sio_client__link_desc(desc, &link);
    problem = wshub_eio_link_problem(&link);
    if (problem) return problem;
    if (desc->attachments_max > WSHUB_SIO_CLIENT__ATTACHMENTS) return "attachments_max: up to 99";
    if (desc->reconnect_delay_ms > 86400000 || desc->reconnect_delay_max_ms > 86400000)
        return "reconnect_delay_ms, reconnect_delay_max_ms: up to a day";
    if (desc->join_timeout_ms > 86400000 && desc->join_timeout_ms != WSHUB_OFF)
        return "join_timeout_ms: up to a day, or WSHUB_OFF";
    if (desc->buffer_bytes > 1u << 30 || desc->packet_bytes_max > 1u << 30 ||
        desc->early_bytes_max > 1u << 30)
        return "buffer_bytes, packet_bytes_max, early_bytes_max: up to 2^30";
    return NULL;
}

WSHUB_API wshub_err wshub_sio_client_create_versioned(wshub_ws_pool *pool,
                                                      const wshub_sio_client_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      void *user, wshub_sio_client **out_client) {
    wshub_sio_client *client;

    if (!pool || !out_client || wshub_sio_client_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    client = (wshub_sio_client *)wshub_ws_alloc(pool, NULL, 0, sizeof *client);
    if (!client) return WSHUB_ERR_NOMEM;
    memset(client, 0, sizeof *client);
    client->pool = pool;
    client->desc = desc;
    client->user = user;
    client->due_ms = WSHUB_NEVER;
    client->timer.fire = wshub_sio_client__on_timer;
    client->timer.ctx = client;
    if (wshub_ws_timer_add(pool, &client->timer)) {
        wshub_sio_client__free(client);
        return WSHUB_ERR_NOMEM;
    }
    *out_client = client;
    return WSHUB_OK;
}

WSHUB_API void wshub_sio_client_destroy(wshub_sio_client *client) {
    if (!client || client->doomed) return;
    client->doomed = true;
    wshub_sio_client__forget(client);
    wshub_eio_link_destroy(client->leaving);
    client->leaving = NULL;
    if (!client->depth) wshub_sio_client__free(client);
}

WSHUB_API const char *wshub_sio_socket_desc_problem_versioned(const wshub_sio_socket_desc *desc,
                                                              size_t desc_bytes, uint32_t version) {
    wshub_str name;

    if (!desc) return "desc: it is NULL";
    if (version != WSHUB_SIO_CLIENT_VERSION || desc_bytes != sizeof *desc)
        return "desc: compiled against another wshub_ext_client_socketio.h than this code";
    if (!desc->events) return "events: they are required";
    name = wshub_str_z(desc->name);
    if (name.len >= WSHUB_SIO_CLIENT__NAME_MAX || (name.len && memchr(name.ptr, ',', name.len)) ||
        !wshub_utf8_check((const uint8_t *)name.ptr, name.len))
        return "name: UTF-8 without commas, up to 256 bytes with its slash";
    if (desc->auth && wshub_json_type(wshub_str_z(desc->auth)) != WSHUB_JSON_OBJECT)
        return "auth: no JSON object";
    if (desc->ack_timeout_ms > 86400000 && desc->ack_timeout_ms != WSHUB_OFF)
        return "ack_timeout_ms: up to a day, or WSHUB_OFF";
    return NULL;
}

/* Puts a slash in front of the name, if it has none. False: out of memory. */
static bool wshub_sio_socket__name_set(wshub_sio_socket *socket, const char *name) {
    char text[WSHUB_SIO_CLIENT__NAME_MAX + 2];

    if (!name || !*name || *name == '/') return true;
    (void)snprintf(text, sizeof text, "/%s", name);
    return wshub_sio_client__string_set(socket->client, &socket->slashed, wshub_str_z(text));
}

WSHUB_API wshub_err wshub_sio_socket_create_versioned(wshub_sio_client *client,
                                                      const wshub_sio_socket_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      void *user, wshub_sio_socket **out_socket) {
    wshub_sio_socket *socket, **at;

    if (!client || client->doomed || !out_socket ||
        wshub_sio_socket_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    socket = (wshub_sio_socket *)wshub_ws_alloc(client->pool, NULL, 0, sizeof *socket);
    if (!socket) return WSHUB_ERR_NOMEM;
    memset(socket, 0, sizeof *socket);
    socket->client = client;
    socket->desc = desc;
    socket->user = user;
    if (!wshub_sio_socket__name_set(socket, desc->name)) {
        wshub_sio_socket__free(socket);
        return WSHUB_ERR_NOMEM;
    }
    for (at = &client->sockets; *at; at = &(*at)->next) {
        if ((*at)->doomed ||
            !wshub_str_eq(wshub_sio_socket__name(*at), wshub_sio_socket__name(socket)))
            continue;
        wshub_sio_socket__free(socket);
        return WSHUB_ERR_STATE;
    }
    *at = socket;
    if (!desc->no_connect) (void)wshub_sio_socket_connect(socket);
    *out_socket = socket;
    return WSHUB_OK;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
