/* wshub.h - v0.2.0 - a WebSocket hub in one header
 *
 * Turns byte streams into WebSocket clients, authenticates them after they have connected, keeps
 * clients, users and rooms, routes messages to any of them, and joins several hubs over a bus.
 * The hub makes no system call, reads no clock, starts no thread and has no global variable: bytes,
 * time and answers come in by function call, bytes and closings go out through a table. A backend
 * from backends/ supplies both, or your own loop does (examples/custom_io.c).
 *
 * Do this in exactly one C or C++ file:
 *     #define WSHUB_IMPLEMENTATION
 *     #include "wshub.h"
 *     #include "wshub_io_auto.h"          (or another backend, after wshub.h)
 * Everywhere else just include it. ISO C99 or C++11, the C standard library, nothing more.
 * Licence: MIT or public domain, at your choice; see the end of this file.
 *
 * THE MANUAL  >>start  >>protocol  >>messages  >>sending  >>rooms-users  >>http-requests
 *             >>encryption  >>buses  >>dialects  >>logs  >>statistics  >>limits  >>config
 *             >>life  >>ends-clocks  >>threads  >>memory  >>errors  >>backends  >>promises
 *             >>rules  >>changes
 * THE API     >>types  >>tables  >>desc  >>api-hub  >>api-conn  >>api-mount  >>api-realm
 *             >>api-client  >>api-room  >>api-send  >>api-ask  >>api-dialect  >>api-http
 *             >>api-http-hand  >>api-post  >>api-bus  >>api-codec
 * THE ROOMS   >>mem  >>atomic  >>buf  >>utf8  >>sha1  >>base64  >>dates  >>siphash  >>json  >>http
 *             >>http-hand  >>frame  >>slots  >>index  >>deadlines
 *   below     >>hub  >>log  >>queue  >>mount  >>conn  >>reply  >>exchange  >>message  >>due
 *             >>link  >>flow  >>sockets  >>forward  >>app-timers
 *   above     >>walks  >>checks  >>realms  >>clients  >>uplink  >>subs  >>rooms  >>ask  >>session
 *             >>gate  >>transform  >>routing  >>auth  >>events  >>answers  >>upper  >>bus
 *             >>asking  >>sends  >>speaking  >>post  >>dialect-json  >>envelope  >>emitter
 *             >>settle  >>stats  >>public  >>licence
 */

/* ================================================================================================
 * THE MANUAL
 * ================================================================================================
 *
 * It reads from top to bottom as an introduction. What a single function or field does stands
 * at its declaration, in the second part of this file. Names like AUTH-3 are rules; all of them
 * are in >>rules.
 *
 * ---- >>start -----------------------------------------------------------------------------------
 * A whole server (examples/hello.c, there with its #include lines): everybody may come in, and
 * whatever one says, all hear.
 *
 *     static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
 *         (void)auth, (void)user;  // auth->data is the client's own JSON: decide now or later
 *         wshub_auth_accept(hub, ask, NULL);
 *     }
 *     static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e,
 *                                 void *user) {
 *         (void)client, (void)user;
 *         return wshub_all_send(hub, &(wshub_msg){.event = e->event, .data = e->data}, NULL, 0);
 *     }
 *     int main(void) {
 *         wshub_io_sock *net;
 *         wshub *hub;
 *         if (wshub_io_auto_create(NULL, &net)) return 1;
 *         if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
 *                                        .on_authenticate = on_authenticate,
 *                                        .on_message = on_message}, &hub)) return 1;
 *         if (wshub_io_sock_listen(net, "127.0.0.1", 8080, NULL))
 *             return puts(wshub_io_sock_error(net)), 1;
 *         puts("ws://127.0.0.1:8080/ws");
 *         return wshub_io_sock_serve(net, hub) != WSHUB_OK;  // until SIGTERM or SIGINT
 *     }
 *
 * `cc hello.c` builds it, with this file and those of backends/ beside it. A client opens
 * ws://127.0.0.1:8080/ws, sends {"event":"authenticate"}, gets
 * {"event":"connected","data":{...}}, sends {"event":"say","data":"hello"}, and everybody who is
 * connected gets that.
 *
 * wshub_io_auto_create() makes an *io*, which is where bytes come from and go to: here, sockets.
 * wshub_create() makes a hub on it, from a description in which all that is left out has its
 * default. wshub_io_sock_serve() waits, tells the hub what has arrived, and the hub calls you;
 * when it is told to end it ends in order (>>life).
 *
 * Words that are used from here on. A *stream* is one connection; where the io's number for it
 * is meant it is a *conn*. A *client* is who is at the far end of a stream that has become a
 * WebSocket, and an *exchange* is a request of one that has not, with its answer. An *ask* is a
 * question that a callback puts to you, such as who a client is: answer it at once, inside the
 * callback, or at any time later. A *turn* is what happens between two waits of the io: reports,
 * callbacks, and at its end the *settle*, in which all that was said leaves. An *instance* is
 * one hub of several that share a *bus*.
 *
 * ---- >>protocol --------------------------------------------------------------------------------
 * Client and hub speak WebSocket (RFC 6455) in text messages. Each is one JSON object: `event`,
 * a string; `data`, any JSON; and `id`, any JSON, by which a client finds the answer to what it
 * sent: the application gets to see it, and wshub_client_reply() sends it back (SEND-7).
 *
 *     client                                hub
 *     GET /ws, Upgrade: websocket      -->       CONN-1; on_upgrade may refuse
 *                                      <--  101
 *     {"event":"authenticate",         -->       on_authenticate is asked (AUTH-3): answer it
 *      "data":{"token":"..."}}                   with wshub_auth_accept(), now or later
 *                                      <--  {"event":"connected","data":{"id":"...",
 *                                            "userId":"...","time":"..."}}
 *     {"event":"join",                 -->       on_join is asked which it may (ROOM-2)
 *      "data":{"rooms":["a","b"]}}
 *     {"event":"say","data":"hello"}   -->       on_message (MSG-7)
 *     {"event":"add","data":[2,3],     -->       on_message, which answers with
 *      "id":7}                                   wshub_client_reply()
 *                                      <--  {"event":"sum","data":5,"id":7}
 *                                      <--  {"event":...,"data":...} whatever is sent to it
 *     {"event":"leave",                -->
 *      "data":{"rooms":["b"]}}
 *     {"event":"heartbeat"}            -->       nothing but a sign of life (MSG-4)
 *
 * A client is UNAUTHORIZED, then AUTHENTICATING (your callback has been asked), then
 * AUTHENTICATED, then DISCONNECTED, and from any of these it may go to the last; nothing moves
 * back (CONN-4). `authenticate`, `join`, `leave` and `heartbeat` are the hub's own events;
 * every other name is the application's. `connected` holds `id`, `userId` if there is one,
 * `time` in ISO 8601 UTC, and after a key exchange `serverPublicKey` and `salt`, in this order
 * (AUTH-7).
 *
 * What a client may be told, as {"event":"error","data":{"message":...}}:
 *
 *     Invalid message format         what it sent is no JSON (MSG-2); it stays
 *     Not authenticated              an event before acceptance (MSG-6); it stays
 *     Already authenticated          a second `authenticate` (MSG-5); it stays
 *     Authentication failed          rejected; close 4003 follows (AUTH-4)
 *     Authentication error           your callback failed; close 4003 follows (AUTH-4)
 *     Encryption handshake failed    keys were refused; close 4004 follows (AUTH-5)
 *
 * How a connection is closed, by code:
 *
 *     1001  Server shutting down     wshub_shutdown(); of wshub_drain() the code it was given
 *     1002  ...                      a breach of RFC 6455; the reason names it (BYE-3)
 *     1007  ...is not UTF-8          a text message, or the reason of a Close (BYE-3)
 *     1008  too much before authentication    preauth_messages_max, preauth_bytes_max
 *     1008  too much while waiting            held_bytes_max
 *     1008  message not finished in time      message_timeout_ms
 *     1009  message too big          payload_bytes_max (BYE-3)
 *     1011  out of memory            while a message was being read
 *     4001  Authentication timeout   AUTH-1, AUTH-2
 *     4002  Heartbeat timeout        LIVE-1
 *     4003  Authentication failed    AUTH-4
 *     4004  Encryption required      AUTH-5
 *     1006                           not sent: on_disconnected says it where no Close came
 *
 * ---- >>messages --------------------------------------------------------------------------------
 * From clients. A message is judged in this order: it counts as activity (MSG-1); its bytes are
 * JSON, strictly (MSG-9), or the client is told (MSG-2); it is an object with a string `event`,
 * or it is dropped (MSG-3); the hub's own events are carried out; all others go to on_message,
 * which gets the event decoded and `data` and `id` as the raw JSON that was sent: numbers keep
 * all their digits, objects their order (MSG-7). These texts lie in the receive buffer and end
 * with the callback: copy what you keep. The wshub_json_*() functions read raw JSON without
 * building a tree. A failure that on_message returns is counted and logged, and the client
 * stays (MSG-8). What is said to a room, by those who are in it, to those who are in it:
 *
 *     static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e,
 *                                 void *user) {
 *         wshub_msg msg = {.event = e->event, .data = e->data};
 *         char room[64];
 *         (void)user;
 *         if (wshub_json_copy(wshub_json_get(e->data, "room"), room, sizeof room, NULL))
 *             return WSHUB_ERR_APP;  // no string `room` in data, or a long one
 *         if (!wshub_client_in_room(hub, client, wshub_str_z(room))) return WSHUB_ERR_APP;
 *         return wshub_room_send(hub, wshub_str_z(room), &msg, NULL, 0);
 *     }
 *
 * A binary message goes to on_binary if that is set, else it is read like text.
 *
 * Before a client is accepted it may send preauth_messages_max messages and preauth_bytes_max
 * bytes; one message has payload_bytes_max at most. While the inbound transformer of a client
 * is asked (>>encryption), nothing more of that client is read, so that its messages keep their
 * order.
 *
 * To clients. A wshub_msg is an event and a `data` that is JSON already; it travels as
 * {"event":...,"data":...} with nothing between the tokens and with your `data` byte for byte.
 * The hub checks that it is JSON, unless data_is_json says that you know it. A wshub_json_writer
 * writes `data` into a buffer of yours, and says if it does not fit; for reading there are also
 * wshub_json_at(), which follows a path (`/user/names/0`), and wshub_json_each_member():
 *
 *     static wshub_err tell_score(wshub *hub, wshub_str room, wshub_str who, int64_t points) {
 *         char text[200];
 *         wshub_json_writer w;
 *         wshub_msg msg = {.event = wshub_str_z("score"), .data_is_json = true};
 *         wshub_json_begin(&w, text, sizeof text);
 *         wshub_json_put_object(&w, NULL);
 *         wshub_json_put_str(&w, "who", who);
 *         wshub_json_put_int(&w, "points", points);
 *         wshub_json_put_end(&w);
 *         if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
 *         return wshub_room_send(hub, room, &msg, NULL, 0);
 *     }
 *
 * ---- >>sending ---------------------------------------------------------------------------------
 * One rule for names: a send whose name ends in `_here` reaches clients of this hub alone;
 * without it, clients of all instances that share the bus. A hub without a bus is all there is,
 * and both reach the same. A handle (wshub_client) names a client of this hub, so what takes
 * one needs no ending.
 *
 *     to                       everywhere               here alone
 *     one client, by handle                             wshub_client_send
 *       in answer to its message                        wshub_client_reply
 *       the same, bytes                                 wshub_client_send_binary
 *       the same, a packet                              wshub_client_send_packet
 *       from another thread                             wshub_post_client_send,
 *                                                         wshub_post_client_reply
 *     one client, by its id    wshub_send, CLIENT       wshub_send_here, CLIENT
 *     a user's clients         wshub_user_send          wshub_user_send_here
 *     a room's members         wshub_room_send          wshub_room_send_here
 *     several rooms' members   (>>dialects)             wshub_send_here, rooms
 *     everybody                wshub_all_send           wshub_all_send_here
 *     whatever a wshub_dest    wshub_send               wshub_send_here
 *       says, a packet         wshub_packet_send        wshub_packet_send_here
 *       from another thread    wshub_post_send
 *       from a process that    wshub_emitter_send
 *         holds no clients
 *     a mount's WebSocket                               wshub_conn_send
 *
 * A wshub_dest says what kind of target it names (WSHUB_DEST_CLIENT and the like), or leaves it
 * open (WSHUB_DEST_RESOLVE): then a name is the client of this hub that has it as its id, else
 * the room of that name, and no name is everybody (SEND-3). Packets are for other dialects than
 * JSON (>>dialects). What goes to other instances has an event and data; what stays here may
 * lack either.
 *
 * Rooms, users and everybody are authenticated clients alone; the one exception is a client
 * that you have put into a room yourself before it was accepted (SEND-2). A room or everybody
 * can be sent to with a list of client ids to leave out (SEND-1):
 *
 *     static wshub_err tell_the_others(wshub *hub, wshub_client client, const wshub_msg *msg) {
 *         wshub_str self = wshub_client_id(hub, client);
 *         return wshub_room_send(hub, wshub_str_z("lobby"), msg, &self, 1);
 *     }
 *
 * Nothing leaves at once. What is sent is put into the queues of its receivers, encoded once
 * for all of them, and leaves in this turn's settle (>>life), one io send for each stream.
 * Messages to one client arrive in the order in which they were sent, whatever their kinds
 * (SEND-5).
 *
 * The limit is on what waits, not on a message (SEND-6). A client that takes all it is offered
 * gets a message of any length. One that does not read owes, at most backpressure_bytes_max: a
 * message that would take it beyond is dropped for it, or the client is closed
 * (close_on_backpressure). Others notice nothing. on_pressure tells when a client begins to
 * owe, when something was dropped for it, and when everything has left.
 *
 * A send returns WSHUB_OK also when nobody is there. What happens to one receiver of many is
 * counted and logged, and is no error of the sender.
 *
 * ---- >>rooms-users -----------------------------------------------------------------------------
 * A room is a name; it exists while somebody is in it (ROOM-5). Names are case-sensitive bytes
 * of UTF-8, and no character of them means anything.
 *
 * - A client asks to join (ROOM-1). Names that are no valid names, begin with `ws:`, or are the
 *   id of another client of this hub are taken out; the rest goes to on_join, which answers
 *   with wshub_join_accept() and the names that it grants, now or later (ROOM-2). Without
 *   on_join nobody joins anything. Grant no name that you did not make: on another instance it
 *   may be a client's id.
 * - The application joins and leaves clients as it likes (ROOM-4): wshub_client_join(),
 *   wshub_client_leave(). That is how most servers do it, from on_connected.
 * - On acceptance each client joins the default rooms, `ws-default` and `ws-notification`
 *   unless you say otherwise, and the room named like its own id: so a send to a room of that
 *   name reaches that client, on whatever instance it is (AUTH-7).
 * - rooms_per_client_max, rooms_per_message_max and rooms_max bound all of it (ROOM-6).
 *
 *     static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
 *         (void)user;
 *         return wshub_client_join(hub, client, wshub_str_z("lobby"));  // asks nobody
 *     }
 *     static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
 *         wshub_str granted[2];
 *         size_t i, count = 0;
 *         (void)user;
 *         for (i = 0; i < join->rooms_count && count < 2; i++) {
 *             if (wshub_str_eq_z(join->rooms[i], "news")) granted[count++] = join->rooms[i];
 *             if (wshub_str_eq_z(join->rooms[i], "chess")) granted[count++] = join->rooms[i];
 *         }
 *         wshub_join_accept(hub, ask, granted, count);
 *     }
 *
 * A user is somebody with one client or several, such as a phone and two windows of a browser:
 * all that were accepted with the same wshub_identity.user_id. wshub_user_send() reaches all of
 * them, wshub_user_count() is how many are here, and of those that end the last one's
 * on_disconnected finds 0. A client without a user id is anonymous.
 *
 * Walks (wshub_client_each(), wshub_room_each_member() and their relatives) may be interrupted
 * by anything, a turn's end too: whoever is there from the first step to the last is seen once.
 *
 * All these names are names in a *realm* (>>api-realm). A hub has one, unless a dialect of yours
 * makes more: then names that are equal in two of them have nothing to do with each other.
 *
 * ---- >>http-requests ---------------------------------------------------------------------------
 * A stream speaks HTTP/1.1, with keep-alive and requests behind one another, until it is
 * upgraded. An upgrade on wshub_desc.path becomes a client (CONN-1). Every other request goes
 * to on_request, which returns true and answers with wshub_http_reply() at once or later:
 * health checks, metrics (>>statistics has one), a page. Who returns false, or has no
 * on_request, answers 404. After http_timeout_ms without an answer it is 503.
 *
 * The usual answers take one line, wshub_http_reply_text(), wshub_http_reply_json(),
 * wshub_http_redirect(), and what stands in a request is found by the functions of
 * >>api-http-hand: header fields, values of a query or a form, cookies, conditions, ranges.
 *
 *     static bool on_request(wshub *hub, wshub_exchange exchange, const wshub_http *http,
 *                            void *user) {
 *         char name[80];
 *         (void)user;
 *         if (!wshub_str_eq_z(http->path, "/hello")) return false;  // 404
 *         if (wshub_query_copy(http->query, "name", name, sizeof name, NULL))
 *             wshub_http_reply_text(hub, exchange, 400, wshub_str_z("?name= is missing\n"));
 *         else
 *             wshub_http_reply_text(hub, exchange, 200, wshub_str_z(name));
 *         return true;
 *     }
 *
 * Who serves more than one thing mounts them: wshub_mount() gives a path its own body limit,
 * clock and callbacks (>>api-mount). on_head sees the head before anything of the body is read
 * and takes the request, or leaves it to another; the longest path that fits is asked first,
 * on_request last. An exchange that was taken is open until it is answered, as long as that may
 * take, and if it ends otherwise the mount is told, once.
 *
 * An answer that is long, or comes bit by bit, is written in pieces: wshub_http_begin(),
 * wshub_http_write(), wshub_http_end(). Of such an answer no more than http_answers_bytes_max
 * and one piece is ever held: wshub_http_write() then says LIMIT, and on_exchange_drained tells
 * when there is room (SEND-6). To count to ten million for whoever asks
 * (examples/http_server.c), whose exchange has been given a number as its owner and been begun:
 *
 *     static void count_on(wshub *hub, wshub_exchange exchange, void *owner) {
 *         int *next = (int *)owner;  // on_exchange_drained leads here too
 *         while (*next <= 10000000) {
 *             char line[16];
 *             int n = snprintf(line, sizeof line, "%d\n", *next);
 *             if (wshub_http_write(hub, exchange, line, (size_t)n)) return;
 *             ++*next;
 *         }
 *         wshub_http_end(hub, exchange);
 *     }
 *
 * A body of known length is sent as it is, one of unknown length in chunks, to HTTP/1.0 until
 * the stream ends; for HEAD, 204 and 304 what is written is not sent (CONN-5). Whatever cuts a
 * body short drops its stream. While you wait for room, it is the peer whose clock runs
 * (write_timeout_ms, idle_timeout_ms); while you have room, yours (answer_timeout_ms, from call
 * to call).
 *
 * Where a hub runs on each core, a request may come to another hub than the one that knows the
 * answer, such as the next poll of a session that lives there: wshub_http_forward() hands it over,
 * and the answer, in pieces too, comes back to this stream. Either hub may end first.
 *
 * A mount can also turn a request into a WebSocket without a client, wshub_http_upgrade():
 * enough for a server without any of the hub's own words (examples/ws_echo.c), and what a
 * dialect stands on (>>dialects). Its messages come to on_message, and yours go by
 * wshub_conn_send(). What waits for its peer has the limit that a client's has (SEND-6): beyond,
 * wshub_conn_send() says DROPPED, and on_drained tells when all has left. Who answers what it is
 * asked, and does not want to hear more than its peer reads, says
 * wshub_conn_pause_until_drained(). Pings keep a live peer's WebSocket (LIVE-2); heartbeats are
 * a matter of clients. With wshub_desc.no_dialect mounts are all there is, and the hub takes no
 * upgrade of its own (examples/http_server.c).
 *
 * Who may open a WebSocket: pages of allowed_origins; whom on_upgrade does not refuse; while
 * there is room (clients_max). Under which names the hub answers at all is allowed_hosts (421).
 * Which pages of other origins may read what is answered is said by wshub_desc.cors and
 * wshub_mount_desc.cors (HTTP-4): the hub writes the headers that browsers ask for.
 *
 * The refusals of the hub's own, each with one line of text: 400 malformed, 403 origin or
 * on_upgrade, 413 body, 421 host, 426 another WebSocket version, 431 head, 500 memory, 501
 * CONNECT or a coding, 503 full or shutting down, 505 HTTP version (CONN-2, CONN-3).
 *
 * What is one request and where the next begins is decided by its framing headers alone (RFC
 * 9112 6.3), before Upgrade, path or application are looked at (CONN-5). A body that came with
 * a request is that request's: on_request gets it whole, or the request is refused and the
 * stream ends. Both lengths at once, a length said twice, a coding other than chunked, folded
 * lines, bare CR or LF, CONNECT: refused, since a proxy before us might read them differently
 * (`make proxies` sends the same streams straight and through two of them). Of an answer, what
 * frames it is written by the hub alone; wshub_http_reply() refuses such headers of yours.
 *
 * What a stream is owed has a limit before authentication as after it (SEND-6). Answers that
 * nobody takes stop the reading of further requests at http_answers_bytes_max; requests behind
 * one that you answer later wait, unread, up to held_bytes_max, and the io is asked to read no
 * more meanwhile. Nothing is lost: both go on where they stopped. The statistics queued_bytes,
 * held_bytes, http_owed and held_refused tell.
 *
 * ---- >>encryption ------------------------------------------------------------------------------
 * The hub encrypts nothing itself: it says when keys are agreed, for whom, and sees to it that
 * nothing goes past them. (Against eavesdroppers use TLS; a proxy in front does it.)
 *
 * 1. wshub_desc.require_encryption: after on_authenticate has accepted a client, on_handshake
 *    is asked, with the `data` that the client sent along (its public key, say). The answer
 *    wshub_handshake_accept() carries your public key and a salt, which the client gets in
 *    `connected` (AUTH-5). Until then the client is not authenticated, and nothing is sent to
 *    it (AUTH-6). Or, without that, mark single clients whenever you like:
 *    wshub_client_encrypt() (ENC-4).
 * 2. Every message to such a client, but its `connected`, passes on_transform_out, which
 *    answers with wshub_transform_accept(): unchanged, or another event and data (ENC-1). At
 *    most encrypted_batch_max of one message are asked at a time (ENC-3), and each client gets
 *    its messages in order, however late the answers come (SEND-5).
 * 3. Every event from such a client, but `heartbeat`, passes on_transform_in in the same way.
 * 4. A transformer that rejects, fails, or is out of memory loses that message; it is never
 *    sent in the clear (ENC-2). on_transform_in that does not answer in transform_timeout_ms
 *    has failed.
 *
 * Clients that are not encrypted never pass a transformer. Binary messages cannot be
 * transformed: where there is an outbound transformer, wshub_client_send_binary() to an
 * encrypted client is refused (CLEAR).
 *
 * ---- >>buses -----------------------------------------------------------------------------------
 * Several hubs on one bus are one: whatever is sent without `_here` reaches clients on all of
 * them. A bus is a table (wshub_bus). backends/wshub_bus_redis.h carries it over Redis or
 * Valkey; wshub_bus_local.h joins hubs of one process, one a thread. wshub_desc.bus is given to
 * the hub and ends with it.
 *
 * On the bus a message is an envelope on a channel (BUS-1, BUS-2), which other programs may
 * read and write:
 *
 *     channel                  envelope, keys in this order, absent ones left out
 *     ws:broadcast             {"serverId":...,"type":"broadcast","event":...,"data":...,
 *                               "exclude":[...]}
 *     ws:room:<room>           {"serverId":...,"type":"room","target":...,"event":...,
 *                               "data":...,"exclude":[...]}
 *     ws:user:<user id>        {... "type":"user" ...}
 *     ws:client:<client id>    {... "type":"client" ...}
 *
 * A hub subscribes to all of these, by patterns, and drops its own and what nobody here is a
 * receiver of (BUS-3). With bus_exact it subscribes to the channels of whom it holds, and only
 * what it needs comes (BUS-4): for many instances with small rooms. No name from a client leads
 * out of its prefix (BUS-6).
 *
 *     static wshub_err join_the_others(const wshub_io *io, wshub **out_hub) {
 *         wshub_bus_redis *redis;
 *         wshub_err err = wshub_bus_redis_create(
 *             &(wshub_bus_redis_desc){.io = io, .url = "redis://127.0.0.1:6379"}, &redis);
 *         if (err) return err;
 *         return wshub_create(&(wshub_desc){.io = io, .bus = wshub_bus_redis_bus(redis)}, out_hub);
 *     }
 *
 * The bus carries at most once. While it is down, delivery here goes on, and what would have
 * been published is kept, at most bus_queue_bytes_max and bus_queue_ms_max, the oldest going
 * first, and sent on recovery (BUS-5). What others published meanwhile is lost; on_bus says how
 * long the gap was, so that you can refetch or tell clients. A busy turn is no outage: while
 * the bus is up, bus_burst_bytes_max may wait.
 *
 * A process that holds no clients publishes with an emitter (EMIT-1): wshub_emitter_create(),
 * or examples/wshub-emit.c from the command line. wshub_bus_request() asks the broker anything
 * else.
 *
 * ---- >>dialects --------------------------------------------------------------------------------
 * What travels is one dialect: the JSON messages of >>protocol, on wshub_desc.path. A hub can
 * speak others beside it, each on a path of its own, and clients of all of them hear the same
 * rooms if you want them to. The hub keeps clients, users, rooms, authentication, encryption,
 * limits, clocks and the bus; a dialect reads and writes words. The JSON dialect is written on
 * the same table as one of yours would be (>>api-dialect), and the core does not know its
 * words. To write one (examples/dialect_lines.c is a whole one, of plain lines of text):
 *
 * 1. Fill a wshub_dialect, as much of it as you need, and add it: wshub_dialect_add().
 *    `accepted` tells a client that it is in, `refused` that it is not, `close` that it is to
 *    go; `event` gets what has passed the inbound transformer.
 * 2. Mount it: a wshub_mount_desc (>>api-mount) with a path, whose on_head grants upgrades and
 *    whose on_message gets whole messages.
 * 3. For a new stream, when wshub_http_upgrade() has granted it, add a client to its session:
 *    wshub_client_add(), then wshub_client_opened(); or end the session, if there is no room.
 * 4. Way in: say that somebody was heard, wshub_conn_heard(), and see from what it returns how
 *    far the client has come. Read the message. From who is not accepted yet comes
 *    wshub_client_authenticate(); give all others' to wshub_client_receive(), which decrypts, and
 *    in `event` call wshub_client_ask_join() with rooms that wshub_client_may_join(),
 *    wshub_client_leave(), a send, or wshub_client_event() with what is the application's.
 * 5. Way out: a kind of wire, wshub_kind_add(), whose `encode` writes an event as it looks, in a
 *    frame of wshub_writer_frame() say. It is called once for each message that somebody of that
 *    kind is to get. What you have to say
 *    yourself, an error say, goes by wshub_client_tell(), an acceptance by
 *    wshub_client_welcome().
 * 6. Other instances: give the dialect a `bus_prefix`, under which all of its channels are, and
 *    make a realm that names the dialect (wshub_realm_desc.dialect). Four functions more:
 *    `publish` says with wshub_bus_publish() what is sent to all instances in that realm;
 *    `on_bus_state` subscribes, with wshub_bus_subscribe(), whenever the bus has been connected;
 *    `on_bus` reads what comes, drops what this hub has published itself (BUS-3), and hands on
 *    the rest with wshub_send_here(); `on_name` tells who is here, to whoever wants to hear of
 *    no more than that (BUS-4). Queues, outages and what is kept meanwhile (BUS-5) are the hub's.
 *
 * A *session* is one peer with one out-queue and one heartbeat. It is a WebSocket stream, or it
 * is lent (wshub_session_lend()): then it has no stream, and what is queued for it is handed to
 * the dialect, which brings it to a peer that polls (wshub_session_spans(),
 * wshub_session_taken()). wshub_session_move() moves it to a WebSocket when the peer has opened
 * one, with its clients and with what waits, rewritten by `convert`. A session has one client or
 * several.
 *
 * A *realm* is what ids, users and rooms are names in (>>api-realm). Every hub has a first one,
 * in which the clients of the JSON dialect are and which every function means that does not
 * name another; a dialect with namespaces makes one for each. A name of one realm finds nobody
 * in another.
 *
 * ---- >>logs ------------------------------------------------------------------------------------
 * A hub writes one line for whatever an operator may want to know: a level, a code, whom it is
 * about, a text. Without a word of yours the io shows it; wshub_io_sock.h writes warnings and
 * errors to standard error, each with its time, and waits for nobody there. What hello.c of the
 * README says when it starts, and when a page then sends rubbish and asks for a room:
 *
 *     2026-11-26T16:52:29.475Z warn ORIGINS_OPEN: no allowed_origins: any web page may connect
 *     2026-11-26T16:52:30.616Z warn QUIET aa179b79-5d78-4dd3-8aa2-c109a216edbe: not shown below
 *         warn (WSHUB_LOG=debug, or log_level): message is not JSON
 *     2026-11-26T16:52:31.017Z warn JOIN_REFUSED aa179b79-5d78-4dd3-8aa2-c109a216edbe: join or
 *         leave refused: no on_join
 *
 * (A line is one line; here the long ones are broken, and ids are shortened below.) Whom a line is
 * about is a client's id, or the peer's address where there is no client yet. The levels:
 *
 *     debug  why somebody was refused or closed, which limit was met, what was ignored
 *     info   what peers do wrong, or what passes
 *     warn   what costs somebody a message, or could be an oversight of yours
 *     error  what should not happen: a callback that failed, memory that is out
 *
 * Why does my client not get in? Start the program with WSHUB_LOG=debug. A page of a foreign
 * origin, a wrong token, a frame that is none:
 *
 *     16:52:48.098Z debug REFUSED 127.0.0.1:36576: refused: not in allowed_origins:
 *         http://evil.example
 *     16:52:48.098Z info UPGRADE_REFUSED 127.0.0.1:36576: upgrade refused: this origin may not
 *         connect
 *     16:52:48.199Z info AUTH_FAILED 22453034: authentication did not succeed: Authentication
 *         failed: the application's answer
 *     16:52:48.199Z debug CLOSED 22453034: client closed: authentication, code 4003:
 *         Authentication failed
 *     16:52:48.601Z info PROTO fc9adb06: protocol error: reserved bits are set
 *     16:52:48.601Z debug CLOSED fc9adb06: client closed: protocol, code 1002: reserved bits are
 *         set
 *
 * From which level on lines are written, who says it goes before who stands below:
 *
 *     where there is no on_log                       where there is one
 *     wshub_desc.no_log: none
 *     wshub_io_sock_desc.no_log: none
 *     wshub_io_sock_desc.log_level
 *     WSHUB_LOG in the environment: debug, info,
 *       warn, error, off
 *     wshub_desc.log_level                           wshub_desc.log_level
 *     else warn                                      else info
 *
 * on_log gets the lines instead of the io. The table of all codes, with what each means and what to
 * do, is the list WSHUB_LOGS in >>types; wshub_log_name() and wshub_log_help() give both at run
 * time, and wshub_log_line() the line as the io would show it:
 *
 *     static void on_log(wshub *hub, const wshub_log *line, void *user) {
 *         char text[WSHUB_LOG_LINE_BYTES];
 *         (void)hub, (void)user;
 *         wshub_log_line(line, text);
 *         fprintf(stderr, "%s\n", text);
 *         if (line->level == WSHUB_LEVEL_ERROR)
 *             fprintf(stderr, "  %s\n", wshub_log_help(line->code));
 *     }
 *
 * Texts are escaped ASCII and never hold a payload, a token or a query; names of rooms, origins
 * and hosts that were refused they do. Of one code at most ten lines a second are written, and the
 * next one says how many were held back. Where nobody has chosen a level, the first refusal that
 * is not shown is told once (QUIET), so that silence is not taken for consent. A bus has
 * lines of its own, from the same level on: wshub_bus_redis_desc.on_log and no_log.
 *
 * ---- >>statistics ------------------------------------------------------------------------------
 * wshub_stats_get() reads all figures at once, wshub_stats_json() writes them as one JSON
 * object, and wshub_stats_openmetrics() as a page for Prometheus and its relatives, counters as
 * `wshub_<name>_total`, gauges as `wshub_<name>`. The table of all figures, with type, unit and
 * meaning, is the list WSHUB_STATS in >>types. A page of metrics is:
 *
 *     static bool on_request(wshub *hub, wshub_exchange exchange, const wshub_http *http,
 *                            void *user) {
 *         static char text[16384];
 *         (void)user;
 *         if (!wshub_str_eq_z(http->path, "/metrics")) return false;
 *         wshub_http_reply(hub, exchange, &(wshub_reply){
 *             .status = 200, .content_type = WSHUB_OPENMETRICS_TYPE,
 *             .body = {text, wshub_stats_openmetrics(hub, text, sizeof text)}});
 *         return true;
 *     }
 *
 * ---- >>limits ----------------------------------------------------------------------------------
 * Nothing that a peer can make grow is without a limit, and nothing that it can keep waiting is
 * without a clock. The table of all of them, with unit, default, least and greatest value and
 * meaning, is the list WSHUB_LIMITS in >>desc. A field that is 0 has its default; WSHUB_OFF is
 * none, where the table says OFF. Values that are out of range, or that do not go together, are
 * refused: wshub_desc_problem() says what to write.
 *
 * Not in a description, but fixed: a name has WSHUB_NAME_BYTES_MAX bytes, one from a client
 * WSHUB_NAME_UNITS_MAX UTF-16 code units; a message to be sent WSHUB_MSG_BYTES_MAX bytes; the
 * reason of a Close WSHUB_CLOSE_REASON_MAX bytes; one client's queue 2 GiB - 1; 64 walks are
 * tracked at a time; ten log lines a second of a code, of 128 bytes each. A hub has at most
 * WSHUB_MOUNTS_MAX mounts, WSHUB_DIALECTS_MAX dialects, WSHUB_KINDS_MAX kinds of wire and
 * WSHUB_REALMS_MAX realms; a client's id WSHUB_CLIENT_ID_BYTES_MAX bytes.
 *
 * ---- >>config ----------------------------------------------------------------------------------
 * What a running server may want to change is a field of wshub_desc. What shapes the code is a
 * macro, defined before the implementation is included:
 *
 *   WSHUB_IMPLEMENTATION   emit the code here: in exactly one file
 *   WSHUB_STATIC           all functions static (for a library that keeps wshub to itself);
 *                          only where WSHUB_IMPLEMENTATION is defined too
 *   WSHUB_ASSERT(x)        default: assert(x) from <assert.h>. States what the hub itself
 *                          relies on; no byte from the network and no argument of yours can
 *                          make one fail
 *   WSHUB_SELF_CHECK       also emit wshub_self_check(), which walks every index (for tests)
 *   WSHUB_JSON_DEPTH_MAX   the largest json_depth_max a hub may be given (default 4096; costs
 *                          one bit of stack each while parsing). The same in all files
 *   WSHUB_NO_THREADS       strip the wshub_post family's atomics; posts are then refused
 *                          (NOWAKE)
 *   WSHUB_PORTABLE         use nothing but ISO C where a compiler's own ways are known to be
 *                          faster
 *   WSHUB_IO_SOCK_IMPLEMENTATION and the like
 *                          emit the code of that backend here, without that of the others: for
 *                          who gives it a file of its own
 *   _GNU_SOURCE            yours to define before the first #include, where a compiler is told
 *                          to be strict (-std=c99): systems then hide their sockets
 *
 * ---- >>life ------------------------------------------------------------------------------------
 * A stream speaks HTTP until it is upgraded; then it has a client. A question is answered once; a
 * late or second answer is told so (STALE) and harmless. The handles of streams, clients and
 * questions (wshub_conn, wshub_client, wshub_ask) are values, not pointers: keep them as long as
 * you like. One whose stream, client or question is gone is answered with STALE, too.
 *
 * The *turn*: the io reports what has happened (bytes, ends, room), callbacks run, and
 * everything that they cause is gathered. Then wshub_settle(), which the io calls once before
 * it waits, runs what is due by the clock, hands each stream what is queued for it in one send,
 * publishes, and frees what was closed. So a callback may call anything, closing its own
 * client or destroying the hub included, and a hundred messages to one client in one turn are
 * one send.
 *
 * on_disconnected comes from settle, once for each client, authenticated or not, in the order
 * in which they ended: it has left every index by then, and whoever ends behind it, in the same
 * turn too, has not (BYE-1). Right before it leaves, on_disconnecting finds it in its rooms
 * still. Nothing is sent to any of them any more.
 *
 * A server that is to end says so: wshub_shutdown() closes everybody with 1001, waits for them
 * and for the broker, and calls on_shutdown (BYE-2); wshub_drain() does it at a pace.
 * wshub_destroy() waits for nothing. With sockets wshub_io_sock_serve() is all of it in one call:
 * at SIGTERM or SIGINT it listens no more, drains, shuts down within nine seconds and returns; a
 * second signal hurries (wshub_io_sock_serve_desc says how to set that).
 *
 * ---- >>ends-clocks -----------------------------------------------------------------------------
 * An end is a state (LIVE-3). Whoever ends a stream in whatever way, what it is owed is sent as
 * long as that makes progress, and what the peer says is read meanwhile. Our Close leaves behind
 * the last message, and behind that the end of our sending side (TCP's FIN). Then the peer's end
 * is waited for, and only now does close_timeout_ms run: before, nothing gives up on a stream
 * but write_timeout_ms without a byte of progress. A peer that half-closes, so that it says no
 * more and still listens, gets its answers.
 *
 * Clocks measure silence or want of progress, never the length of honest work: a reader of a
 * large page, a sender of a large body, a client whose inbound transformer is slow is not
 * silent. Peers are judged by wshub_io.heard_ms, up to when all they said has been reported:
 * after a late turn (a stopped process, a slow callback, a suspended machine) what lies in the
 * system's buffers is read first. Timers of yours go by the clock itself; what a timer starts
 * with no delay runs in the next turn.
 *
 * Two clocks watch a client: heartbeat_timeout_ms counts from its last message (LIVE-1),
 * idle_timeout_ms from the last byte in either direction, and pings are sent so that a live
 * peer never reaches it (LIVE-2). A WebSocket without a client has the second alone.
 *
 * ---- >>threads ---------------------------------------------------------------------------------
 * A hub belongs to one thread; all functions are called there, callbacks run there. Of those that
 * are given a hub exactly the ones named wshub_post* may be called from any thread: they copy,
 * queue and wake the hub. (What is pure goes anywhere, too: >>api-codec, wshub_strerror(),
 * wshub_desc_problem().) An answer from elsewhere
 * (examples/auth_later.c):
 *
 *     static void *look_up(void *arg) {  // a thread of its own
 *         struct { wshub *hub; wshub_ask ask; } *q = arg;
 *         wshub_identity who = {.user_id = wshub_str_z("ada")};
 *         wshub_post_auth_accept(q->hub, q->ask, &who);
 *         return NULL;
 *     }
 *
 * For more cores make a hub per thread, each with its own io, joined by
 * backends/wshub_bus_local.h (examples/cores.c). There is no global variable, so hubs know
 * nothing of each other.
 *
 * ---- >>memory ----------------------------------------------------------------------------------
 * All memory comes through wshub_desc.alloc, which is told the old size with every change. An
 * idle authenticated client costs 487 bytes here, its three rooms, its user and what an
 * allocator adds included (tests/test_memory.c counts it). A message to be sent is encoded once
 * into a shared segment; each receiver holds a span of it. The largest thing ever seen leaves
 * nothing behind: what is longer than a segment has memory of its own that goes with it, what
 * the most clients, rooms, timers and questions took is given back within a second or two of
 * turns, and a turn costs the same before and after (tests/bench/after.sh, tests/test_costs.c).
 *
 * Texts that you are given are *views*: valid until the callback returns, or as long as the
 * declaration says. Texts that you give are *borrowed* for the call, or *copied* where the hub
 * keeps them; what is *given* is the other's to end from then on. Every declaration uses these
 * four words.
 *
 * ---- >>errors ----------------------------------------------------------------------------------
 * Functions that can fail return wshub_err and nothing else: WSHUB_OK, which is 0, or an error,
 * of which contracts give the short name (STALE is WSHUB_ERR_STALE). Results come out through
 * out_ parameters, untouched on failure; a function does all or nothing. The peer's mistakes end in
 * a close code or an HTTP status, a counter and a log line, never in an error of yours; the
 * world's in a returned error; yours in WSHUB_ERR_PARAM. The numbers are the contract,
 * wshub_strerror() is for people, and wshub_desc_problem() explains what a description lacks.
 *
 * ---- >>backends --------------------------------------------------------------------------------
 * An io (wshub_io) is where bytes come from. backends/wshub_io_sock.h serves sockets over one
 * of the pollers wshub_io_epoll.h, wshub_io_kqueue.h, wshub_io_poll.h; wshub_io_auto.h takes
 * the best there is. backends/wshub_io_fake.h is a transport without a network and a clock
 * turned by hand, for unit tests (examples/unit_test.c). A loop of your own is an io of 150
 * lines (examples/custom_io.c). A bus (wshub_bus) carries messages between hubs:
 * backends/wshub_bus_local.h within a process, wshub_bus_redis.h over Redis or Valkey,
 * wshub_bus_hiredis.h the same for who has hiredis. An extension stands on the public
 * functions alone: backends/wshub_ext_files.h serves the files of a folder. A backend is a
 * file to copy beside wshub.h and to include behind it; it uses nothing but what is declared
 * here. Each opens with what it does and does not.
 *
 * ---- >>promises --------------------------------------------------------------------------------
 * What else holds, whoever is at the other end; in brackets the one place that keeps it and the
 * test that tries to break it.
 * - A large message is an ordinary message: the limit is on what waits, so a client that owes
 *   nothing gets a message of any length, and behind the largest thing ever said a turn costs
 *   and holds what it did (wshub__out_fits, wshub__log_room; tests/test_costs.c, `make after`).
 * - Callbacks may do anything, on_log included, and none is called in the middle of a change:
 *   log lines are kept and told when the outermost call leaves or between the steps of settle
 *   (wshub__log_tell; tests/test_logs.c, test_matrix.c). Who is there from a walk's first step
 *   to its last is seen once, whoever leaves meanwhile (>>walks; tests/test_walks.c).
 * - Presence is told in the order in which it happened, each end before the next one's
 *   (wshub__gone_run; tests/test_walks.c).
 * - Costs grow as their declarations say, in 16 times as much too, whatever names strangers
 *   choose (tests/test_work.c).
 * - A busy turn is no outage: over a bus that is up what is published waits for room, up to
 *   bus_burst_bytes_max; only while the bus is down do bus_queue_bytes_max and bus_queue_ms_max
 *   drop the oldest. What was accepted here can be read by every equal instance, and a shutdown
 *   waits for the broker's word (wshub__uplink_push, wshub__bus_leave; tests/test_outbox.c).
 * - A description that is half right is refused by wshub_desc_problem() with a text that names
 *   the field: a list without its count, an origin no browser sends, limits under which nobody
 *   could be accepted (tests/test_desc.c).
 * - A handle fits the hub that gave it and no other, before or after a restart; an id is never
 *   given twice, whatever the io's randomness does (wshub__pool_first, wshub__random,
 *   wshub__index_put; tests/test_slots.c).
 *
 * ---- >>rules -----------------------------------------------------------------------------------
 * Every rule that code, comment or test cites, in a line or two. On the wire they are those of
 * the system that wshub is compatible with; where one departs from it, it says so: (departs).
 *
 *   Connections
 *   CONN-1  An upgrade on the configured path becomes a client, unauthorized, with a fresh
 *           random UUID as its id.
 *   CONN-2  Every other request goes to the application, or is answered 404. Refused
 *           handshakes: 400 malformed, 426 another version, 403 a foreign origin or the
 *           application, 503 full, 500 memory. No list of origins: any page; an empty one:
 *           none.
 *   CONN-3  A request's head has a largest size, a largest number of fields (431) and a clock
 *           of its own.
 *   CONN-4  States go UNAUTHORIZED, AUTHENTICATING, AUTHENTICATED, DISCONNECTED; none goes
 *           back.
 *   CONN-5  The framing headers alone decide where a request ends. A body is never read as a
 *           request, and the framing of answers is the hub's.
 *
 *   HTTP at hand
 *   HTTP-1  Queries, cookies and lists are cut before they are decoded, which is done once; what
 *           is written badly stays as it is or is not found, and nothing else is lost with it.
 *   HTTP-2  Conditions are those of RFC 9110 13: tags before dates, weak ones for If-None-Match,
 *           strong ones for If-Match and If-Range.
 *   HTTP-3  One range of a body is answered as 206, cut where that ends; several and bad ones
 *           mean the whole, and none that is there 416 with the length.
 *   HTTP-4  Pages of the origins that a mount's cors names may read its answers, refusals of the
 *           hub too; pages of others are told nothing. Preflights are answered by the hub.
 *   FILE-1  A path is decoded once, then cut at each slash; what could lead out of the folder, or
 *           mean something else than a name, on any system is no name on all of them.
 *   FILE-2  Only regular files are served; links are not followed, unless so set.
 *   FILE-3  A file is sent with the length that it had: one that grows is cut there, one that
 *           shrinks ends the stream.
 *   FILE-4  Tags are strong, but of files that were changed within the last two seconds.
 *
 *   Messages from clients
 *   MSG-1   Any message counts as activity.
 *   MSG-2   What is no JSON in UTF-8: `error` Invalid message format; the client stays.
 *           (departs: bad UTF-8 is not patched up)
 *   MSG-3   JSON without a non-empty string `event`: dropped, logged, counted. (departs: no
 *           other type of `event` is passed on)
 *   MSG-4   `heartbeat` does nothing else, in any state.
 *   MSG-5   `authenticate` in any state but UNAUTHORIZED: `error` Already authenticated.
 *   MSG-6   Any other event before acceptance: `error` Not authenticated; the client stays.
 *   MSG-7   Other events go to the application with `data` and `id` as raw JSON, untouched; but
 *           those that servers alone send (connected, disconnect, error, encrypted) are dropped.
 *   MSG-8   A failure that the application reports is logged and counted; the client stays.
 *   MSG-9   JSON is RFC 8259, strictly, to a largest depth; of equal keys the last counts.
 *
 *   Authentication
 *   AUTH-1  Who has not sent `authenticate` in time is closed with 4001, without `error`.
 *   AUTH-2  The answer has three times that time, from the question.
 *   AUTH-3  The application gets the raw `data` ({} if absent) and answers now or later, from
 *           any thread: accepted, rejected or failed. Late and second answers do no harm.
 *   AUTH-4  Rejected: `error` Authentication failed; failed: `error` Authentication error; then
 *           4003.
 *   AUTH-5  Where encryption is required, acceptance is followed by the key exchange; without a
 *           callback for it, or refused, the client is closed with 4004.
 *   AUTH-6  Until the keys are agreed the client is not authenticated: nothing is taken from it
 *           and nothing sent to it in the clear. (departs)
 *   AUTH-7  Then, in this order: authenticated, indexed under its user id unless that is empty,
 *           in the room of its own id and the default rooms, sent `connected`, on_connected.
 *
 *   Rooms
 *   ROOM-1  Names from clients: 1 to 256 UTF-16 code units, not beginning with `ws:`, not the
 *           id of another client of this hub (departs); others are taken out.
 *   ROOM-2  The application grants joins, now or later; without a callback there are none.
 *   ROOM-3  `leave` leaves those of the named rooms that the client is in.
 *   ROOM-4  The application joins and leaves any client to any room, unasked.
 *   ROOM-5  Joining twice is joining once; a room is there while it has members; who goes
 *           leaves all.
 *   ROOM-6  Rooms of a client and rooms in a message have limits; the rest is refused and
 *           counted.
 *
 *   Sending
 *   SEND-1  There are sends to a client, a user, a room and all; the last two can leave clients
 *           out.
 *   SEND-2  Rooms, users and all are authenticated clients; a client in a room by the
 *           application's own join hears that room before, too. A client by its id is reached
 *           in any state, but not while its keys are still to be agreed. (departs)
 *   SEND-3  A destination without a kind: nothing: all; the id of a client here: that client;
 *           else the room of that name. An event and data are required.
 *   SEND-4  The kind of a destination can be named.
 *   SEND-5  Messages to one client keep their order, whatever their kinds and however late a
 *           transformer answers. (departs)
 *   SEND-6  What waits for a client, for a mount's WebSocket, or in answers for a stream, has a
 *           limit; who owes nothing is sent a message of any length. Beyond: dropped, counted,
 *           told, or closed if so set.
 *   SEND-7  An answer to a message bears its `id`, byte for byte, behind `data`; no transformer
 *           sees it. (beyond the reference)
 *
 *   Encryption
 *   ENC-1   All that goes to an encrypted client, but `connected`, passes the transformer, if
 *           there is one.
 *   ENC-2   What it fails at is dropped for that client, logged, counted, never sent in the
 *           clear.
 *   ENC-3   So many transformations of one message run at a time.
 *   ENC-4   The application may switch a client to encrypted at any time after authentication.
 *
 *   The bus
 *   BUS-1   Channels: ws:broadcast, ws:room:<room>, ws:client:<id>, ws:user:<user id>.
 *   BUS-2   The envelope: serverId, type, target, event, data, exclude; in this order, absent
 *           ones left out.
 *   BUS-3   What is no envelope is counted and dropped; own messages are dropped; the rest is
 *           delivered here by type and target. (departs: no room name is special)
 *   BUS-4   Exact mode: subscriptions to what is here, instead of patterns.
 *   BUS-5   While the bus is down, what is published is kept, to a limit, and sent on recovery;
 *           what has to go is counted, and the application told of both.
 *   BUS-6   No name from a client chooses a channel outside its prefix, or is a pattern.
 *   EMIT-1  An emitter publishes without holding clients, under the name `emitter`, which no
 *           hub bears.
 *
 *   Liveness
 *   LIVE-1  Authenticated clients silent for longer than the heartbeat timeout are closed with
 *           4002, one heartbeat interval later at most.
 *   LIVE-2  A stream on which no byte moves for the idle timeout is dropped; pings see to it
 *           that a live peer's does not. A pong is no heartbeat, unless so set.
 *   LIVE-3  Clocks measure silence or want of progress, never honest work; after a late turn
 *           what has arrived is read before anybody is judged.
 *
 *   Ends
 *   BYE-1   A client that is closed leaves users, rooms and the table of clients; then
 *           on_disconnected is called, once, whether it ever authenticated or not. Before it
 *           leaves, on_disconnecting is called, once.
 *   BYE-2   Shutdown: no new clients, 1001 for all; on_disconnected when all are closed
 *           (departs); then the bus is left, once the broker has acknowledged what was
 *           published, or a deadline has passed.
 *   BYE-3   Over the largest message: 1009. Text that is not UTF-8: 1007. Any other breach:
 *           1002.
 *
 *   Logs
 *   LOG-1   Lines go to on_log, else to the io, from the level on that was chosen; by default info
 *           for the former, warnings and errors for the latter, and one word of the first refusal
 *           that is not shown.
 *   LOG-2   A line is printable ASCII of bounded length, ten a second of a code; no payload, token
 *           or query is in it.
 *   LOG-3   An io never waits for whoever reads the lines, and outlives that; what nobody takes is
 *           lost, counted, and said with the next line.
 *
 * ---- >>changes ---------------------------------------------------------------------------------
 * 0.2.0. What a program that was written for 0.1.0 says otherwise:
 *
 * - A send whose name ends in `_here` reaches clients of this hub alone, without it clients of
 *   all instances. For wshub_user_send(), wshub_room_send() and wshub_all_send() as they were
 *   write wshub_user_send_here(), wshub_room_send_here(), wshub_all_send_here(); the short
 *   names now publish too.
 * - wshub_request is called wshub_exchange: an HTTP request and its answer. It is what
 *   on_request is given and wshub_http_reply() takes.
 * - The bus of one process is a backend: include wshub_bus_local.h behind this header. For
 *   wshub_loop and wshub_loop_desc write wshub_bus_local and wshub_bus_local_desc, for
 *   wshub_loop_create(), wshub_loop_destroy(), wshub_loop_set_down() and wshub_loop_dropped()
 *   the same names with wshub_bus_local_, and wshub_bus_local_seat() for wshub_loop_bus().
 * - Who fills a wshub_dest, a wshub_desc, a table or any other struct member by member zeroes
 *   it first: they have more members than before. The order of the fields of wshub_desc and
 *   wshub_stats is another one: name them.
 * - Who expands WSHUB_LOGS writes five parameters instead of three. There are two more codes,
 *   OWED and BUS_UNCONFIRMED, so the numbers of those behind OWED have changed.
 * - What takes a description passes its size and version: wshub_create() and wshub_desc_problem(),
 *   the _create() of the emitter and of all backends, and their _problem(), are called as
 *   before and compiled into the program. A binding of another language, which finds functions
 *   by their names in a library, calls wshub_create_versioned() and its relatives.
 * - Redis over TLS: wshub_bus_redis_desc.tls asks the io for TLS (wshub_dial.secure). It used to
 *   say that what the io carries is encrypted anyhow; where that is so, leave it out and write
 *   redis:// for rediss://.
 * - WSHUB_STATIC is refused where WSHUB_IMPLEMENTATION is not defined.
 *
 * - A hub without on_log shows warnings and errors: wshub_io_sock.h writes them to standard error,
 *   as it does what on_error, and the on_log of the bus over Redis, would be told. Who wants
 *   silence as before sets no_log, in wshub_desc, wshub_io_sock_desc or wshub_bus_redis_desc.
 *   wshub_log_level has a level below, WSHUB_LEVEL_DEBUG, and its numbers begin with 1.
 *
 * What somebody who fills a table says otherwise; zero it first, and set its first member,
 * version:
 *
 * - wshub_io (WSHUB_IO_VERSION): `about` takes the place of `peer`: write the peer's address
 *   into out_about->peer. connect() takes a wshub_dial, whose address is what it took:
 *   &(wshub_dial){.address = "host:port"}. close(flush) has no clock of the io's while its
 *   owner is there. Report a half-close by wshub_io_owner.ended, or closed() as before, where
 *   that is NULL. Optional: heard_ms, taken, log, log_level.
 * - wshub_io_sock_poller (WSHUB_POLLER_VERSION): it can be asked for WSHUB_IO_SOCK_GONE alone,
 *   and tells it with READ and WRITE for an error or the end of both directions.
 * - wshub_bus (WSHUB_BUS_VERSION): orders call no report. Optional entries: pending, alarm,
 *   unconfirmed, taken, request, hand_over; optional reports of its owner: room, late,
 *   handed_over.
 * - wshub_bus_redis_driver (WSHUB_BUS_REDIS_DRIVER_VERSION): the entry `waiting` is required. Tell
 *   wshub_bus_redis_heard() of bytes that have come, and where wshub_bus_redis_wants_whole() is
 *   true give the reply to wshub_bus_redis_answered().
 *
 * What is otherwise without a word of yours:
 *
 * - A half right description is refused, and wshub_desc_problem() says what to write. The server
 *   id `emitter` is an emitter's. An io has one hub and a bus one owner at a time: who comes
 *   second is refused (STATE).
 * - Defaults: http_head_bytes_max 16384, rooms_per_message_max as rooms_per_client_max,
 *   bus_queue_ms_max 15000. A request's head has a clock of its own, head_timeout_ms, which was
 *   auth_timeout_ms. A payload_bytes_max of nearly 1 GiB needs no held_bytes_max beside it.
 * - A client cannot ask for the room that is named like another client's id (ROOM-1).
 * - A hub that is down refuses to publish (CLOSED).
 * - OPTIONS that nobody takes is answered 204 with Allow, no longer 404. wshub_http_reply()
 *   refuses headers that frame or speak of the connection (use wshub_reply.close), and a second
 *   Content-Type.
 * - wshub_json_get() and its relatives give nothing out of what is no JSON.
 * - wshub_client_peer() gives 0 where the text does not fit, no longer the address without its
 *   port.
 * - Log lines come when the outermost call leaves, not inside it.
 *
 * What is new, the newest first:
 *
 * - A program's life in one call: wshub_io_sock_serve(), wshub_io_sock_serve_with(), for one
 *   thread or several. wshub_io_sock_run() and the rest of the pieces are as they were.
 * - Files: backends/wshub_ext_files.h serves a folder, with ranges, tags and conditions.
 *   wshub_http_room() and wshub_http_wait(): a body that is not copied, and who lets others go
 *   first.
 * - Logs by default (>>logs): wshub_io.log, wshub_desc.log_level and no_log, the environment's
 *   WSHUB_LOG, codes that say why somebody was refused; wshub_log.who, wshub_log_line(),
 *   wshub_log_level_name(), wshub_io_fake_log().
 * - HTTP at hand (>>api-http-hand): queries, forms, cookies and lists of a request, dates, tags,
 *   conditions and ranges; WSHUB_ERR_ABSENT. Pages of other origins: wshub_desc.cors,
 *   wshub_mount_desc.cors. Answers in one line: wshub_http_reply_text(),
 *   wshub_http_reply_json(), wshub_http_redirect().
 * - wshub_client_reply(), wshub_post_client_reply(): an answer that bears the id of what it
 *   answers.
 * - JSON at hand: wshub_json_begin() and what stands around it write a value into memory of
 *   yours; wshub_json_at(), wshub_json_each_member(), wshub_json_double(), wshub_json_bool(),
 *   wshub_json_is() read one.
 * - wshub_http_forward(): another hub of the program answers a request.
 * - wshub_writer_frame(): the head of a frame, for a dialect's encode.
 * - wshub_desc.no_dialect: a hub that serves HTTP and WebSocket by its mounts alone.
 * - Answers in pieces: wshub_http_begin(), wshub_http_write(), wshub_http_end(),
 *   on_exchange_drained. In wshub_http.body_bytes, UINT64_MAX is called WSHUB_LENGTH_UNKNOWN.
 * - The WebSockets of mounts are spoken to: wshub_conn_send() and its relatives (>>api-mount);
 *   on_drained.
 * - A dialect speaks on the bus, in its own words and realms: wshub_dialect.publish, on_bus,
 *   on_name, on_bus_state, wshub_realm_desc.dialect, wshub_bus_publish(), wshub_bus_subscribe();
 *   wshub_packet_send(). A lent session moves to a WebSocket: wshub_session_move(),
 *   wshub_dialect.convert.
 * - Dialects: wshub_dialect_add() and what stands around it (>>dialects); kinds of wire,
 *   packets, sessions; several rooms in one send (wshub_send_here()).
 * - Realms: wshub_realm_create() and what stands around it, functions that end in `_in`, and
 *   fields named realm in wshub_dest and in what callbacks are given. wshub_client_each() and
 *   its relatives go through the first realm, which is all there is where none was made.
 * - on_disconnecting: a client that goes, seen while it is in its rooms still.
 * - Mounts: wshub_mount() serves further paths, with limits, callbacks and WebSockets of their
 *   own (>>api-mount); wshub_http_upgrade(), wshub_http_refuse(), wshub_http_drop().
 *   on_request is what answers where no mount takes a request; on_exchange_gone tells of one
 *   that it has taken and that ends otherwise.
 * - wshub_stats_json(), wshub_stats_openmetrics(), wshub_log_help(): statistics, log codes and
 *   limits are lists (WSHUB_STATS, WSHUB_LOGS, WSHUB_LIMITS).
 * - wshub_conn_about() and wshub_client_about() tell the listener, both addresses and what TLS
 *   knows; wshub_io_sock_listen_place() gives a listener a name.
 * - wshub_bus_request() asks the broker; wshub_bus_redis_desc.requests_max bounds it.
 * - wshub_emitter_close() ends an emitter politely; wshub_emitter_problem(),
 *   wshub_emitter_dropped().
 * - wshub_json_int() and wshub_json_copy() say when something does not fit; wshub_json_fields()
 *   and its neighbours, for what has been checked; wshub_siphash().
 * - Fields: transform_timeout_ms, heartbeat_by_pong, held_bytes_max, http_answers_bytes_max,
 *   bus_burst_bytes_max, allowed_hosts.
 * - wshub_io_fake: half-closes, silent peers, a process that is late.
 *
 * 0.1.0, the first version.
 */
#ifndef WSHUB_H
#define WSHUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WSHUB_VERSION "0.2.0" /* of this header; major.minor.patch */

/* clang-format off */
/* Stands in front of every public function. WSHUB_STATIC makes them static (see >>config). */
#if defined(WSHUB_STATIC) && !defined(WSHUB_IMPLEMENTATION)
#error "WSHUB_STATIC without WSHUB_IMPLEMENTATION: static functions are of no use without code"
#elif defined(WSHUB_STATIC) && defined(__GNUC__)
#define WSHUB_API static __attribute__((unused)) /* nobody need use all of it */
#elif defined(WSHUB_STATIC)
#define WSHUB_API static
#else
#define WSHUB_API extern
#endif
/* What a program calls and what must be compiled into it, not into the library: the sizes and
 * versions of the descriptions that it has filled. */
#if defined(__GNUC__)
#define WSHUB_INLINE static inline __attribute__((unused))
#else
#define WSHUB_INLINE static inline
#endif
/* clang-format on */

#ifdef __cplusplus
extern "C" {
#endif

/* ================================================================================================
 * THE API
 * ================================================================================================
 */

/* ---- >>types -------------------------------------------------------------------------------- */

/* One hub. Made by wshub_create(), ended by wshub_destroy(); it belongs to one thread. */
typedef struct wshub wshub;

/* Text or bytes with a length, not terminated: as an argument borrowed for the call, as a result a
 * view. ptr NULL, and then len 0, means "absent" where a declaration gives absence a meaning. */
typedef struct wshub_str {
    const char *ptr; /* UTF-8 where it is text; any bytes where a declaration says so */
    size_t len;      /* bytes at ptr */
} wshub_str;

/* Bytes that lie together: what an io is given to send (wshub_io.send), attachments, a certificate.
 * Borrowed, or a view, as the declaration says that uses it. */
typedef struct wshub_span {
    const uint8_t *ptr; /* NULL: absent; len is 0 then */
    size_t len;         /* bytes at ptr */
} wshub_span;

/* Handles: values, not pointers, to be copied and kept as you like; {0} names nothing. One that
 * outlives what it names is answered with WSHUB_ERR_STALE; so is one of another hub, or of a hub
 * before a restart, since each hub's begin at a random number (one in 2^31 is mistaken). */
/* clang-format off */
typedef struct wshub_client { uint64_t id; } wshub_client;     /* a client of this hub */
typedef struct wshub_realm { uint64_t id; } wshub_realm;       /* {0}: the first, which all have */
typedef struct wshub_ask { uint64_t id; } wshub_ask;           /* a question that you are asked */
typedef struct wshub_exchange { uint64_t id; } wshub_exchange; /* an HTTP request to be answered */
typedef struct wshub_timer { uint64_t id; } wshub_timer;       /* a timer that has not fired */
/* A byte stream, named by the io that owns it. The low 32 bits are a small number, unique among
 * the streams now open and below 2^30 - 1 (the hub keeps a table as large as the largest one), the
 * high 32 bits tell reuses of that number apart and are not 0. */
typedef struct wshub_conn { uint64_t id; } wshub_conn;
/* clang-format on */

/* The errors: name, number, text. One list makes the enum and wshub_strerror(). The number is the
 * contract and stays, the text is for people and may get better. What an error means for a single
 * function stands at its declaration. */
#define WSHUB_ERRORS(X)                                                                            \
    X(NOMEM, -1, "out of memory; nothing was changed")                                             \
    X(STALE, -2, "the client, question or exchange is gone")                                       \
    X(PARAM, -3, "an argument breaks the contract")                                                \
    X(STATE, -4, "not possible in this state")                                                     \
    X(LIMIT, -5, "a limit of the description is reached")                                          \
    X(JSON, -6, "the text is not JSON")                                                            \
    X(DROPPED, -7, "dropped: the client has too much unsent")                                      \
    X(CLEAR, -8, "refused: the client's keys are not agreed, nothing goes to it in clear")         \
    X(NOWAKE, -9, "this io cannot be woken from another thread, so nothing can be posted")         \
    X(CLOSED, -10, "the hub is shutting down")                                                     \
    X(RANDOM, -11, "the io has no randomness to give; ids would be guessable")                     \
    X(PROTO, -12, "the bytes break the protocol")                                                  \
    X(IO, -13, "the system refused; the backend's error text says what")                           \
    X(APP, -14, "the application's callback reported a failure")                                   \
    X(ABSENT, -15, "nothing of that name is there")

/* What functions that can fail return: OK, or one of the errors above, which are negative. */
typedef enum wshub_err {
    WSHUB_OK = 0, /* done */
#define WSHUB__X(name, value, text) WSHUB_ERR_##name = value,
    WSHUB_ERRORS(WSHUB__X)
#undef WSHUB__X
        WSHUB__ERR_END = -999 /* not an error; ends the list */
} wshub_err;

/* A limit or a clock of wshub_desc that is to be none, where WSHUB_LIMITS says OFF. */
#define WSHUB_OFF UINT32_MAX
/* A deadline that there is not: what wshub_settle() returns if nothing waits for the clock. */
#define WSHUB_NEVER UINT64_MAX
#ifndef WSHUB_JSON_DEPTH_MAX
/* The largest json_depth_max that a hub may be given; yours to define (>>config). */
#define WSHUB_JSON_DEPTH_MAX 4096
#endif
/* The longest room name that a client may ask for, in UTF-16 code units (ROOM-1). */
#define WSHUB_NAME_UNITS_MAX 256
/* The longest name of a room, user, client or event from the application, in bytes. */
#define WSHUB_NAME_BYTES_MAX 4096
/* The longest `data` of a message that is sent, in bytes. */
#define WSHUB_MSG_BYTES_MAX ((1u << 30) - 8192u)
/* The longest reason of a Close, in bytes: control frames carry at most 125 (RFC 6455 5.5). */
#define WSHUB_CLOSE_REASON_MAX 123

/* How far a client has come. It goes downwards in this list and never back (CONN-4). */
typedef enum wshub_state {
    WSHUB_CLIENT_UNAUTHORIZED = 1, /* upgraded; has not sent `authenticate` */
    WSHUB_CLIENT_AUTHENTICATING,   /* your answer, or the key exchange, is waited for */
    WSHUB_CLIENT_AUTHENTICATED,    /* accepted; it is in rooms and hears them */
    WSHUB_CLIENT_DISCONNECTED      /* closed, by whomever; also of a handle that is stale */
} wshub_state;

/* Why a client is gone (wshub_gone.cause). */
typedef enum wshub_cause {
    WSHUB_BY_PEER = 1,     /* it closed, or its stream ended */
    WSHUB_BY_APP,          /* wshub_client_close() */
    WSHUB_BY_AUTH,         /* AUTH-1, AUTH-4, AUTH-5 */
    WSHUB_BY_TIMEOUT,      /* LIVE-1, LIVE-2, a write without progress */
    WSHUB_BY_PROTOCOL,     /* BYE-3, limits before authentication, an unfinished message */
    WSHUB_BY_BACKPRESSURE, /* SEND-6 with close_on_backpressure */
    WSHUB_BY_MEMORY,       /* out of memory while serving it */
    WSHUB_BY_SHUTDOWN      /* BYE-2, wshub_drain(), wshub_destroy() */
} wshub_cause;

/* Allocates (old_bytes 0), resizes, or frees (new_bytes 0; returns NULL). Sizes are exact, so a
 * test can count to the byte. NULL for more memory: there is none, and ptr is as it was.
 *   user  wshub_desc.alloc_user
 *   ptr   what this function returned, of old_bytes; NULL if that is 0
 * The memory is aligned as malloc() aligns.
 * Thread   the hub's; wshub_post* call it on the threads that call them, also while the
 *          hub's thread is in it. */
typedef void *(*wshub_alloc_fn)(void *user, void *ptr, size_t old_bytes, size_t new_bytes);

/* One event to be sent: {"event":...,"data":...} on the wire. Borrowed by whoever takes it. */
typedef struct wshub_msg {
    wshub_str event;   /* UTF-8, unescaped, at most WSHUB_NAME_BYTES_MAX bytes; may be empty where
                        nothing is published */
    wshub_str data;    /* JSON, sent byte for byte, at most WSHUB_MSG_BYTES_MAX bytes; ptr NULL: the
                        message has no `data` */
    bool data_is_json; /* you know that data is JSON in UTF-8, nested less than json_depth_max deep
                          (the message around it is a level, MSG-9). false: it is checked */
} wshub_msg;

/* What kind of name a destination is (SEND-3, SEND-4). */
typedef enum wshub_dest_kind {
    WSHUB_DEST_RESOLVE = 0, /* see what it is: the id of a client of this hub, else a room; empty:
                               everybody */
    WSHUB_DEST_ALL,         /* everybody; the name is ignored */
    WSHUB_DEST_CLIENT,      /* the client with this id */
    WSHUB_DEST_USER,        /* all clients of this user */
    WSHUB_DEST_ROOM         /* all members of this room */
} wshub_dest_kind;

/* Where a message goes. Zeroed: everybody. Borrowed by whoever takes it. */
typedef struct wshub_dest {
    wshub_dest_kind kind; /* of what `name` is the name */
    wshub_str name;       /* UTF-8, 1..WSHUB_NAME_BYTES_MAX bytes for CLIENT, USER and ROOM */
    /* Ids of clients to leave out of a room or of everybody, exclude_count of them; ids that nobody
     * has are ignored; NULL: none. */
    const wshub_str *exclude;
    size_t exclude_count;
    wshub_realm realm; /* in which the names are looked up, and whose clients "all" are */
    /* Several rooms instead of name (ROOM), rooms_count of them: who is in more than one hears
     * once. On this hub only (wshub_send_here()), or in a realm whose dialect can say it on the
     * bus. */
    const wshub_str *rooms;
    size_t rooms_count;
    /* Who is in one of these, except_rooms_count of them, does not hear (ROOM, ALL). As rooms. */
    const wshub_str *except_rooms;
    size_t except_rooms_count;
} wshub_dest;

/* What on_authenticate is asked (AUTH-3). All texts are views, valid until the callback returns. */
typedef struct wshub_auth {
    wshub_client client; /* who asks; AUTHENTICATING */
    wshub_str id;        /* its id, a UUID of 36 characters */
    wshub_str data;      /* raw JSON of `data`; `{}` if absent */
    wshub_realm realm;   /* the client's */
} wshub_auth;

/* Who a client is: the answer to on_authenticate. Copied by whoever takes it. */
typedef struct wshub_identity {
    wshub_str user_id; /* UTF-8, at most WSHUB_NAME_BYTES_MAX bytes; ptr NULL: none; empty: shown to
                          the client, not indexed (AUTH-7) */
    wshub_str metadata; /* JSON of yours about this client, for wshub_client_metadata(); never sent;
                           ptr NULL: none */
} wshub_identity;

/* What on_handshake is asked (AUTH-5). All texts are views, valid until the callback returns. */
typedef struct wshub_handshake {
    wshub_client client; /* accepted, still AUTHENTICATING */
    wshub_str id;        /* its id */
    wshub_str user_id;   /* as it was accepted; ptr NULL: none */
    wshub_str data;      /* the same raw JSON that on_authenticate got */
    wshub_realm realm;   /* the client's */
} wshub_handshake;

/* What on_join is asked (ROOM-2): the names that passed ROOM-1, at most rooms_per_message_max.
 * Views, valid until the callback returns. A name that is the id of a client of another instance
 * may be among them: grant no name that you did not make. */
typedef struct wshub_join {
    wshub_client client;    /* who asks; AUTHENTICATED */
    const wshub_str *rooms; /* rooms_count of them, at least one, in the client's order */
    size_t rooms_count;
    wshub_realm realm; /* the client's, and that of the rooms */
} wshub_join;

/* An event from a client (MSG-7), or one to be transformed (ENC-1). Views, valid until the callback
 * returns. */
typedef struct wshub_event {
    wshub_str event; /* decoded, UTF-8, any character may be in it; never empty from a client */
    wshub_str data;  /* raw JSON; ptr NULL: absent */
    wshub_str id;    /* raw JSON of the message's `id`, whatever on_transform_in made of the rest;
                        ptr NULL: absent, as always for on_transform_out */
} wshub_event;

/* A client that is gone, for on_disconnecting and on_disconnected (BYE-1). Views, valid until the
 * callback returns. */
typedef struct wshub_gone {
    wshub_client client; /* inside on_disconnecting it answers questions; then it is stale, to match
                            against what you kept */
    wshub_str id;        /* as wshub_client_id() */
    wshub_str user_id;   /* ptr NULL: none, or not yet accepted */
    wshub_state state;   /* how far it had come: never DISCONNECTED */
    wshub_cause cause;   /* who has ended it, and why */
    uint16_t code;    /* the close code sent or received; 1005: none in the frame; 1006: no frame */
    wshub_str reason; /* the peer's close reason, or ours; empty: none */
    void *user_ptr;   /* what wshub_client_set_user_ptr() or on_upgrade has set; yours to end */
    wshub_realm realm; /* the client's */
} wshub_gone;

/* What on_pressure tells of a client's queue (SEND-6). */
typedef enum wshub_pressure {
    WSHUB_PRESSURE_ON = 1,  /* the first byte that the stream did not take */
    WSHUB_PRESSURE_DROPPED, /* at least one message was dropped for this client in this turn */
    WSHUB_PRESSURE_OFF      /* everything has left */
} wshub_pressure;

/* One header field of a request or an answer. */
typedef struct wshub_header {
    wshub_str name;  /* in a request as it was sent, in whatever case */
    wshub_str value; /* without leading and trailing white space; any bytes but CR, LF and NUL */
} wshub_header;

/* Instead of the length of a body: it ends where it says so itself. */
#define WSHUB_LENGTH_UNKNOWN UINT64_MAX

/* An HTTP request. Views, valid until the callback returns; where a mount has keep_head,
 * wshub_exchange_http() gives them as long as the exchange is open. */
typedef struct wshub_http {
    wshub_conn conn;             /* the stream that it came on */
    wshub_str method, target;    /* as sent */
    wshub_str path, query;       /* of the target: up to `?`, and behind it; neither is decoded.
                                    query ptr NULL: there is no `?` */
    const wshub_header *headers; /* headers_count of them, in the order in which they came; values
                                    without leading and trailing white space */
    size_t headers_count;
    wshub_str body;      /* whole, without its transfer coding; len 0: none, or not yet read */
    uint64_t body_bytes; /* how much of it the head announces; WSHUB_LENGTH_UNKNOWN: it comes in
                            chunks */
    int minor;           /* HTTP/1.minor */
    /* Does it ask for a WebSocket (RFC 6455 4.2.1)? 0: no. 101: as it should, and
     * wshub_http_upgrade() may grant it. 400 or 426, statuses to refuse it with: not as it
     * should. */
    int handshake;
    /* In a line, what is wrong with a handshake of 400 or 426; a constant text. NULL: nothing. */
    const char *handshake_problem;
} wshub_http;

/* An HTTP answer. Borrowed for the call. Date, Content-Length, Connection and whatever else frames
 * it or speaks of the connection are written by the hub (CONN-5). */
typedef struct wshub_reply {
    int status;                  /* 200..599 */
    const char *content_type;    /* terminated; NULL: none is sent */
    const wshub_header *headers; /* headers_count further ones; NULL: none. Names are tokens, values
                                    without CR, LF or NUL. Refused, since they are the hub's:
                                    Content-Length, Transfer-Encoding, Trailer, Connection,
                                    Keep-Alive, TE, Upgrade, Date; and a second Content-Type */
    size_t headers_count;
    wshub_str body; /* not sent in answer to HEAD, nor with 204 and 304 */
    bool close;     /* end the stream after it */
} wshub_reply;

/* Which pages of other origins may read answers, and what they may ask with (CORS, as the Fetch
 * standard has it; HTTP-4): wshub_desc.cors, wshub_mount_desc.cors. The hub writes the headers
 * then, in every answer but a 101, its own refusals too, and answers preflights, of which no
 * callback but on_answer hears; an `Access-Control-` header of yours is refused (PARAM). It is what
 * browsers allow their pages: a simple request of any page arrives all the same. */
typedef struct wshub_cors {
    /* Required: as wshub_desc.allowed_origins, origins_count of them, one at least. An origin that
     * none of them allows gets no such header. */
    const char *const *origins;
    size_t origins_count;
    /* Lists, terminated, separated by commas; copied. */
    const char
        *methods; /* that a page may use; NULL: "GET, HEAD, POST", which all may in any case */
    const char
        *headers;       /* that it may set in a request; NULL: those that all may set in any case */
    const char *expose; /* that it may read in an answer; NULL: the simple ones, as Content-Type */
    bool credentials;   /* pages may send cookies and read what comes then. Not with `*` or `null`,
                            which would let any page act as whoever looks at it */
    uint32_t max_age_s; /* for which a browser may remember a preflight; 0: it is not said, and
                            browsers take 5 s */
} wshub_cors;

/* What a mount says to a request (wshub_mount_desc.on_head). */
typedef enum wshub_take {
    WSHUB_TAKE_DECLINED = 0, /* it is another's: the next mount of its path is asked, at last
                                on_request */
    WSHUB_TAKE_BODY, /* it is mine; on_body gets its body, which may be empty, when that is whole */
    WSHUB_TAKE_HELD, /* it is mine, and is answered later. A body that it has is not read, and the
                        stream ends behind the answer */
    WSHUB_TAKE_DONE  /* it has been answered, or an answer has begun; if not, the hub answers 500 */
} wshub_take;

/* Headers that are gathered for an answer (wshub_mount_desc.on_answer, wshub_headers_add()). */
typedef struct wshub_headers wshub_headers;

/* How a request for a WebSocket is granted (wshub_http_upgrade()). Borrowed for the call. */
typedef struct wshub_upgrade_answer {
    wshub_str protocol;          /* of the subprotocols that were offered; ptr NULL: none */
    const wshub_header *headers; /* headers_count further ones; NULL: none. As in wshub_reply, and
                                    no Sec-WebSocket-* */
    size_t headers_count;
    void *owner; /* last argument of the WebSocket's callbacks; NULL: as the exchange's was */
} wshub_upgrade_answer;

/* What on_upgrade may decide about a handshake that is valid in itself. */
typedef struct wshub_upgrade {
    const wshub_str *protocols; /* offered subprotocols, protocols_count of them, in the client's
                                   order, 32 at most; views until the callback returns */
    size_t protocols_count;
    int protocol;   /* out: index of the one to select; -1 (preset): none */
    int refuse;     /* out: 0 (preset): go on; else the HTTP status, 400..599, usually 403 (CONN-2);
                       what is no such status counts as 403 */
    void *user_ptr; /* out: becomes the client's user pointer (wshub_client_user_ptr()); NULL
                       (preset) */
} wshub_upgrade;

/* How a bus is (BUS-5). */
typedef enum wshub_bus_state {
    WSHUB_BUS_DOWN = 0,  /* nothing goes to other instances or comes from them */
    WSHUB_BUS_CONNECTED, /* only between a bus and its owner: nothing is subscribed, do it now */
    WSHUB_BUS_UP         /* everything that was subscribed is acknowledged */
} wshub_bus_state;

/* Log lines. One list makes the enum, wshub_log_name() and wshub_log_help(), and is the table of
 * the manual (>>logs): name, level, how the text of the line begins, what it means, what to do. */
/* clang-format off */
#define WSHUB_LOGS(X)                                                                              \
    X(ORIGINS_OPEN, WARN, "no allowed_origins: any web page may connect",                          \
      "The description has no list, so a page of any site can open a WebSocket here (CONN-2).",    \
      "Name the origins of your own pages, or write `*` to say that any page is meant.")           \
    X(NO_TRANSFORMER, WARN, "require_encryption without on_transform_out",                         \
      "Clients agree on keys, and what is sent to them then leaves as it is (ENC-1).",             \
      "Set on_transform_out, or leave require_encryption out.")                                    \
    X(HTTP_BAD, INFO, "bad HTTP request",                                                          \
      "A request was refused by the hub itself; the line says why (CONN-2, CONN-3, CONN-5).",      \
      "Single ones are scanners; many of one kind are a client or a proxy of yours to look at.")   \
    X(UPGRADE_REFUSED, INFO, "upgrade refused",                                                    \
      "A WebSocket handshake was refused: malformed, of a foreign origin, by on_upgrade, for "     \
      "want of room.",                                                                             \
      "Of the reason `this origin may not connect`: see that allowed_origins has all your pages.") \
    X(MSG_INVALID, INFO, "message is not JSON",                                                    \
      "A client sent what is no JSON in UTF-8; it was told so and stays (MSG-2).",                 \
      "Look at the client's code; one that goes on can be closed in on_log.")                      \
    X(MSG_IGNORED, INFO, "message without a usable event",                                         \
      "JSON, but no object with a string `event` in it; dropped without an answer (MSG-3).",       \
      "Look at the client's code.")                                                                \
    X(APP_FAILED, ERROR, "a callback failed",                                                      \
      "The named callback reported a failure, at once or by wshub_ask_fail() (MSG-8, AUTH-7, "     \
      "ROOM-2).",                                                                                  \
      "The reason is known to your callback: let it log it.")                                      \
    X(AUTH_FAILED, INFO, "authentication did not succeed",                                         \
      "A client was closed with 4003 or 4004; the line says why (AUTH-4, AUTH-5).",                \
      "Many of them: a token service that fails, or somebody who guesses.")                        \
    X(JOIN_REFUSED, WARN, "join or leave refused",                                                 \
      "Rooms that a client named were not joined: names, limits, no on_join, your answer "         \
      "(ROOM-1, ROOM-6).",                                                                         \
      "Of the reason `no on_join`: set it. Of a limit: raise it, or look at the client.")          \
    X(PROTO, INFO, "protocol error",                                                               \
      "A peer broke RFC 6455 or a limit before authentication and was closed (BYE-3).",            \
      "Nothing, for single ones. Code 1009 often: payload_bytes_max may be too small.")            \
    X(DROPPED, WARN, "message dropped for a slow client",                                          \
      "The client, or a mount's WebSocket, would be owed more than backpressure_bytes_max "        \
      "(SEND-6).",                                                                                 \
      "Send less to it, let it fetch anew (on_pressure), raise the limit, or "                     \
      "close_on_backpressure.")                                                                    \
    X(CLEAR_REFUSED, WARN, "send refused: keys not agreed",                                        \
      "A direct send to a client whose keys are still to be agreed; nothing was sent (SEND-2).",   \
      "Send after on_connected.")                                                                  \
    X(TRANSFORM_FAILED, WARN, "transformer failed; message dropped",                               \
      "on_transform_out or on_transform_in failed, refused, or did not answer in time (ENC-2).",   \
      "The reason is known to your transformer; transform_timeout_ms bounds the inbound one.")     \
    X(TIMEOUT, INFO, "deadline passed",                                                            \
      "A request not finished, a Close not answered, or no byte of progress in sending (LIVE-3).", \
      "Single ones are broken networks; many are a load that this machine does not carry.")        \
    X(OWED, INFO, "peer takes no answers; no request is taken until it does",                      \
      "A stream has http_answers_bytes_max of answers unsent, so its next requests wait "          \
      "(SEND-6).",                                                                                 \
      "Nothing; a client that reads goes on by itself.")                                           \
    X(NOMEM, ERROR, "out of memory",                                                               \
      "The allocator refused; the line says for what. The client in question is closed or "        \
      "refused.",                                                                                  \
      "Give the process more memory, or lower clients_max and backpressure_bytes_max.")            \
    X(BUS_BAD, WARN, "bus message is no envelope",                                                 \
      "Something on the broker is no envelope, or its channel, type and target do not fit "        \
      "(BUS-3).",                                                                                  \
      "Find who else publishes below `ws:`; a publisher as the reference's may need "              \
      "bus_any_channel.")                                                                          \
    X(BUS_STATE, WARN, "bus state",                                                                \
      "The bus went down or is up again (BUS-5); what others published meanwhile is lost here.",   \
      "Look at the broker; refetch or tell clients in on_bus.")                                    \
    X(BUS_DROPPED, WARN, "bus is down or slow; oldest dropped",                                    \
      "What waited for the bus passed the limit that the line names (BUS-5).",                     \
      "Mend the broker; for longer outages raise bus_queue_bytes_max and bus_queue_ms_max.")       \
    X(BUS_UNCONFIRMED, WARN,                                                                       \
      "published without the broker's word: its connection, or the hub, has ended",                \
      "Messages were on their way to the broker; whether they arrived is not known (BYE-2).",      \
      "Send again what must not be lost; give wshub_shutdown() more time.")                        \
    X(QUIET, WARN, "not shown below warn (WSHUB_LOG=debug, or log_level)",                         \
      "A peer was refused something; told once, since lines of its level are not shown.",          \
      "Let the program run with log_level, or the environment's WSHUB_LOG, at debug.")             \
    X(REFUSED, DEBUG, "refused",                                                                   \
      "What a peer was refused, with what it had: an origin, a host, a room's name (CONN-2, "      \
      "ROOM-1); or a question that was not answered in time (AUTH-2).",                            \
      "See that the list or the callback that the line names says what you mean.")                 \
    X(LIMIT, DEBUG, "limit met",                                                                   \
      "The limit of the description (WSHUB_LIMITS) that the line names was met, with its value.",  \
      "Raise it, or look at who met it.")                                                          \
    X(IGNORED, DEBUG, "ignored",                                                                   \
      "What came too late, twice, too early, or for nobody: it had no effect (MSG-5, MSG-6, "      \
      "AUTH-3).",                                                                                  \
      "Nothing, where peers leave at any time; else look at who said it.")                         \
    X(CLOSED, DEBUG, "client closed",                                                              \
      "A client is gone; the line says by whom, for what, and the close code (BYE-1).",            \
      "Nothing; 4002 often: clients that forget their heartbeats.")
/* clang-format on */

/* What a log line is about: one value for each entry of WSHUB_LOGS. */
typedef enum wshub_log_code {
#define WSHUB__X(name, level, text, meaning, advice) WSHUB_LOG_##name,
    WSHUB_LOGS(WSHUB__X)
#undef WSHUB__X
        WSHUB_LOG_COUNT /* how many there are */
} wshub_log_code;

/* How much a log line matters. 0 is none of them: where a level is asked for, the default. */
typedef enum wshub_log_level {
    WSHUB_LEVEL_DEBUG = 1, /* why somebody was refused or closed, which limit was met, what was
                              ignored: for who looks for the reason */
    WSHUB_LEVEL_INFO,      /* what peers do wrong, or what passes */
    WSHUB_LEVEL_WARN,      /* somebody loses a message, or it could be an oversight of yours */
    WSHUB_LEVEL_ERROR      /* what should not happen: a callback failed, memory is out */
} wshub_log_level;

/* One line. Its texts are escaped ASCII, never payload, token or query. Of one code at most ten
 * lines a second are written; how many were held back, the next one says. A line is given to
 * on_log, or to the io, when the outermost call into the hub is about to return, and between the
 * steps of wshub_settle(), in the order in which the lines were written: never in the middle of a
 * change, and not before wshub_create() has returned. So on_log may call anything, as other
 * callbacks may. */
typedef struct wshub_log {
    wshub_log_code code;   /* what kind of line it is (WSHUB_LOGS) */
    wshub_log_level level; /* the code's */
    const char *text;    /* terminated; what happened, with detail; at most 128 bytes; a view until
                              the callback returns */
    wshub_client client; /* whom it is about; {0}: none. It may be gone by now */
    const char *who;     /* terminated, at most 63 bytes: the client's id, else the peer's address;
                              empty: neither is known; a view as text is */
    uint64_t suppressed; /* lines of this code held back since the last one */
} wshub_log;

/* How long a line is that wshub_log_line() writes, at most, with its terminator. */
#define WSHUB_LOG_LINE_BYTES 256

/* Figures of a hub: name, type, unit, help. One list makes wshub_stats, wshub_stats_json() and
 * wshub_stats_openmetrics(), and is the table of the manual. A COUNTER counts since creation and
 * never falls, a GAUGE says how it is now. */
/* clang-format off */
#define WSHUB_STATS(X)                                                                             \
    /* who is here */                                                                              \
    X(conns,              GAUGE,   "",      "Streams that are open.")                              \
    X(clients,            GAUGE,   "",      "Clients, in whatever state.")                         \
    X(authenticated,      GAUGE,   "",      "Clients that are authenticated.")                     \
    X(users,              GAUGE,   "",      "Users with at least one client here.")                \
    X(rooms,              GAUGE,   "",      "Rooms with at least one member, own-id rooms too.")   \
    /* what is held */                                                                             \
    X(queued_bytes,       GAUGE,   "bytes", "Owed to peers and not yet taken by their streams.")   \
    X(segment_bytes,      GAUGE,   "bytes", "Memory of the shared segments that hold what is "     \
                                            "owed.")                                               \
    X(lagging_bytes,      GAUGE,   "bytes", "Of segment_bytes, held for pressured clients "        \
                                            "(segment_bytes_max).")                                \
    X(transform_bytes,    GAUGE,   "bytes", "Held for the outbound transformer.")                  \
    X(held_bytes,         GAUGE,   "bytes", "Received and waiting for an answer or a "             \
                                            "transformer.")                                        \
    X(held_refused,       COUNTER, "",      "Streams ended for more than held_bytes_max.")         \
    /* streams and HTTP */                                                                         \
    X(conns_opened,       COUNTER, "",      "Streams taken.")                                      \
    X(conns_closed,       COUNTER, "",      "Streams that have ended.")                            \
    X(conns_refused,      COUNTER, "",      "Streams refused: conns_max, memory, shutdown.")       \
    X(http_requests,      COUNTER, "",      "Whole requests, upgrades too.")                       \
    X(http_bad,           COUNTER, "",      "Requests that the hub itself refused, upgrades and "  \
                                            "hosts too.")                                          \
    X(http_owed,          COUNTER, "",      "Times that http_answers_bytes_max stopped a "         \
                                            "stream's requests.")                                  \
    X(hosts_refused,      COUNTER, "",      "Requests answered 421: none of allowed_hosts.")       \
    X(upgrades,           COUNTER, "",      "Streams that became WebSockets.")                     \
    X(upgrades_refused,   COUNTER, "",      "Handshakes refused.")                                 \
    /* messages; out: once for each receiver */                                                    \
    X(messages_in,        COUNTER, "",      "Messages from clients.")                              \
    X(bytes_in,           COUNTER, "bytes", "Bytes received from streams.")                        \
    X(messages_out,       COUNTER, "",      "Messages queued for clients and for the WebSockets "  \
                                            "of mounts, once for each receiver.")                  \
    X(bytes_out,          COUNTER, "bytes", "Bytes of these messages, their frames' heads "        \
                                            "included.")                                           \
    X(msg_invalid,        COUNTER, "",      "Messages that were no JSON (MSG-2).")                 \
    X(msg_ignored,        COUNTER, "",      "Messages without a usable event (MSG-3).")            \
    X(msg_unhandled,      COUNTER, "",      "Events that came while there was no on_message "      \
                                            "(MSG-7).")                                            \
    X(app_failures,       COUNTER, "",      "Failures that callbacks reported (MSG-8).")           \
    X(joins_refused,      COUNTER, "",      "Rooms, or lists of them, that were not joined "       \
                                            "(ROOM-1, ROOM-6).")                                   \
    /* authentication */                                                                           \
    X(auth_accepted,      COUNTER, "",      "Clients accepted (AUTH-7).")                          \
    X(auth_rejected,      COUNTER, "",      "Clients rejected (AUTH-4, AUTH-5).")                  \
    X(auth_failed,        COUNTER, "",      "Clients whose authentication failed (AUTH-4).")       \
    X(auth_timeouts,      COUNTER, "",      "Clients closed with 4001 (AUTH-1, AUTH-2).")          \
    /* ends and losses */                                                                          \
    X(heartbeat_timeouts, COUNTER, "",      "Clients closed with 4002 (LIVE-1).")                  \
    X(idle_timeouts,      COUNTER, "",      "Streams dropped for idle_timeout_ms (LIVE-2).")       \
    X(write_timeouts,     COUNTER, "",      "Streams dropped for write_timeout_ms.")               \
    X(message_timeouts,   COUNTER, "",      "Streams ended for message_timeout_ms.")               \
    X(protocol_errors,    COUNTER, "",      "Streams ended for a broken rule (BYE-3).")            \
    X(dropped_pressure,   COUNTER, "",      "Messages dropped for slow peers, or peers closed "    \
                                            "for it (SEND-6).")                                    \
    X(dropped_memory,     COUNTER, "",      "Messages dropped for want of memory.")                \
    X(dropped_transform,  COUNTER, "",      "Messages dropped for the transformer (ENC-2).")       \
    X(unsayable,          COUNTER, "",      "Messages that a receiver's dialect cannot say.")      \
    X(clear_refused,      COUNTER, "",      "Messages not sent for keys not agreed (SEND-2).")     \
    X(pings_sent,         COUNTER, "",      "Pings sent.")                                         \
    X(pongs_received,     COUNTER, "",      "Pongs received.")                                     \
    /* the bus */                                                                                  \
    X(bus_published,      COUNTER, "",      "Messages that the bus has taken.")                    \
    X(bus_received,       COUNTER, "",      "Messages that came from the bus, own ones too.")      \
    X(bus_self_echo,      COUNTER, "",      "Of bus_received, own ones (BUS-3).")                  \
    X(bus_discarded,      COUNTER, "",      "Of bus_received, those that nobody here is a "        \
                                            "receiver of.")                                        \
    X(bus_bad,            COUNTER, "",      "Of bus_received, those that are no envelope "         \
                                            "(BUS-3).")                                            \
    X(bus_refused,        COUNTER, "",      "Of bus_received, those whose channel does not fit "   \
                                            "type and target.")                                    \
    X(bus_dropped,        COUNTER, "",      "Messages that waited for the bus and had to go "      \
                                            "(BUS-5).")                                            \
    X(bus_dropped_up,     COUNTER, "",      "Of bus_dropped, over bus_burst_bytes_max, the bus "   \
                                            "being up.")                                           \
    X(bus_unconfirmed,    COUNTER, "",      "Messages that the bus took and nobody knows to have " \
                                            "arrived (BYE-2).")                                    \
    X(bus_downs,          COUNTER, "",      "Times that the bus went down.")                       \
    X(bus_down_ms,        COUNTER, "ms",    "Time without the bus, that from creation to the "     \
                                            "first UP too.")                                       \
    X(bus_queued_bytes,   GAUGE,   "bytes", "Waiting for the bus.")                                \
    X(bus_lingering,      GAUGE,   "",      "Channels still subscribed that nobody here is in "    \
                                            "any more (bus_linger_ms).")                           \
    X(log_suppressed,     COUNTER, "",      "Log lines held back.")
/* clang-format on */

/* The figures at one moment; filled in by wshub_stats_get(). */
typedef struct wshub_stats {
#define WSHUB__X(name, type, unit, help) uint64_t name;
    WSHUB_STATS(WSHUB__X)
#undef WSHUB__X
} wshub_stats;

/* A place in a walk over clients, members, users or rooms, or in a JSON array. Zero it to begin;
 * its fields are the hub's. Whatever joins, leaves, comes or goes during a walk, also between
 * turns: whoever is there from its first step to its end is seen exactly once; who leaves or comes
 * meanwhile, once or not at all. A hub keeps track of 64 walks at a time: one whose last step lies
 * longer back than those of 64 others may see somebody twice, or end early. A walk given up
 * halfway costs nothing more. Cost: O(1) a step, and a few ns for whoever leaves what is being
 * walked. */
typedef struct wshub_iter {
    uint64_t pos;   /* the hub's */
    uint32_t phase; /* the hub's; 0: not begun */
} wshub_iter;

/* ---- >>tables -------------------------------------------------------------------------------
 * Orders go down, reports come up. A table is copied where it is taken.
 *
 * A table begins with its version, which is the first thing that is read of it: one that was
 * compiled against another wshub.h is refused (PARAM) with a text that says so, before an entry of
 * it is called. Who fills a table by hand zeroes it and sets the version. What is optional may be
 * NULL, and says what is missing then. ctx is the first argument of every entry. */

/* Of wshub_io, of its owner's table, and of what they hand to each other: whoever agrees with an
 * io on this number can also be its owner. */
#define WSHUB_IO_VERSION 2

/* Whom bytes are for: a hub, a layer such as TLS, a guest. Its io calls these on the owner's
 * thread, and never from inside an order. Any report may give orders, and may end the owner: the
 * io's attach(ctx, NULL), or guest() with `on` false, is then called from inside it. All are
 * required but ended, and sent where send() never pends. */
typedef struct wshub_io_owner {
    void *ctx; /* the owner's own; the io hands it back and looks at nothing in it */
    /* A stream is there: it came in, or what was dialled is connected. The first word about it. */
    void (*opened)(void *ctx, wshub_conn conn);
    /* count > 0 bytes have arrived; they are the owner's, to write into, until it returns. */
    void (*received)(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count);
    /* The peer sends no more (a FIN): received() does not follow, what is sent still reaches it.
     * Once at most. The owner ends the stream with close() when nothing is owed any more. NULL:
     * closed() is reported instead, as it is by an io that cannot tell the two apart. */
    void (*ended)(void *ctx, wshub_conn conn);
    /* After a send() that took less than it was offered: there is room again. */
    void (*drained)(void *ctx, wshub_conn conn);
    /* After WSHUB_IO_PENDING: count bytes more of these have left, and are the owner's again. */
    void (*sent)(void *ctx, wshub_conn conn, size_t count);
    /* The last word about a stream, exactly once, whoever has ended it and however; also of one
     * that was dialled and never opened. Its number may be another's from then on. */
    void (*closed)(void *ctx, wshub_conn conn);
    /* Once before the io waits: everything gathered is carried out. Returns when the io must call
     * it again at the latest, on the clock of now_ms(); WSHUB_NEVER: not before the next report;
     * 0: at once, when what else is ready has been reported. */
    uint64_t (*settle)(void *ctx);
} wshub_io_owner;

/* What send() returns when it has taken everything and completes later. */
#define WSHUB_IO_PENDING INT64_MIN

/* What an io knows about a stream. What it does not know is empty: texts and bytes with ptr NULL.
 * Addresses are in the form of wshub_dial.address. */
typedef struct wshub_about {
    /* The name that was given to the listener it came in by. Empty: it has none, or it went out. */
    wshub_str listener;
    wshub_str local; /* our address */
    /* The peer's; that of a proxy, if one stands between. `unix`: a Unix socket, whose peer has no
     * address that could be relied on. */
    wshub_str peer;
    bool secure;    /* TLS, here in this program: a proxy's is not known */
    wshub_str alpn; /* secure: the protocol that was agreed on (RFC 7301) */
    /* secure: by which name the client asks for this server (SNI, RFC 6066 3); of a stream that
     * went out, by which name this side has asked. */
    wshub_str server_name;
    wshub_span peer_cert; /* secure: the peer's certificate, DER */
    /* secure: the certificate's chain leads to somebody who is trusted, and it bears the name that
     * was wanted. */
    bool peer_verified;
} wshub_about;

/* How far the peer of a secure stream has to prove who it is. */
typedef enum wshub_verify {
    WSHUB_VERIFY_FULL = 0, /* the chain leads to somebody who is trusted, and the name is right */
    WSHUB_VERIFY_CHAIN,    /* the chain alone: where all who are trusted may answer */
    WSHUB_VERIFY_NONE      /* not at all: encrypted, but by whom nobody knows */
} wshub_verify;

/* Where a stream is to go. Zero but for the address: bytes in the clear. */
typedef struct wshub_dial {
    /* Required: `host:port`, `[v6]:port`, or the path of a Unix socket, which begins with `/` or
     * `.`. */
    const char *address;
    /* secure: by which name the peer is asked for (SNI), and which its certificate has to bear.
     * NULL: the host of address. */
    const char *server_name;
    bool secure;         /* TLS: nothing of the owner's leaves before its handshake is done */
    wshub_verify verify; /* secure: what of the peer is verified */
} wshub_dial;

/* Where bytes come from. Called on the owner's thread but for wake(), from inside reports too; no
 * order calls a report, but for what attach() and guest() say. A conn that the io does not know
 * (any more) is passed over: send() takes everything of it. */
typedef struct wshub_io {
    uint32_t version; /* WSHUB_IO_VERSION */
    void *ctx;        /* the io's own; the owner hands it back and looks at nothing in it */

    /* ---- required ---- */
    /* Takes the owner; copied. NULL: it leaves, no report follows, and its streams are closed, each
     * at once but for those whose end is under way. */
    void (*attach)(void *ctx, const wshub_io_owner *owner);
    /* Bytes to send, in order; borrowed. Returns how many are done with: the owner keeps the rest
     * and offers it again after drained(). Or WSHUB_IO_PENDING: all are taken and not copied; they
     * stay valid where they lie, and nothing more is sent, until sent() has reported them. A broken
     * stream takes everything; closed() follows. */
    int64_t (*send)(void *ctx, wshub_conn conn, const wshub_span *spans, size_t count);
    /* Ends a stream; closed() follows, later. flush: our end goes out behind what send() took, and
     * what the peer still says is read (paused or not) and thrown away until it has ended too. The
     * io has no clock for that: the owner has, and calls close() without flush when it has waited
     * long enough. What an owner leaves behind is bounded by a short deadline of the io's. Not
     * flush: at once. */
    void (*close)(void *ctx, wshub_conn conn, bool flush);
    uint64_t (*now_ms)(void *ctx);  /* monotonic; stands still within a turn */
    uint64_t (*wall_ms)(void *ctx); /* since 1970-01-01 UTC; for people, it may jump */
    /* Writes count bytes that nobody can predict. False: there are none. */
    bool (*random)(void *ctx, uint8_t *bytes, size_t count);

    /* ---- optional ---- */
    /* Whether it has an owner: it has one at a time, and wshub_create() refuses (STATE) to take it
     * from that one. NULL: it cannot tell, and is given to one owner only. */
    bool (*taken)(void *ctx);
    /* Up to when everything that had arrived has been reported; never after now_ms(). Peers are
     * judged by this clock, so that after a late turn (a stopped process, a slow callback) what
     * lies in the system's buffers is heard first: while somebody is due in between, settle() asks
     * to be called again at once. NULL: this io reports before it settles, now_ms(). */
    uint64_t (*heard_ms)(void *ctx);
    /* Any thread: settle soon. NULL: wshub_post* and buses are refused. */
    void (*wake)(void *ctx);
    /* Stop receiving, or go on. NULL: the hub keeps what arrives up to a limit (held_bytes_max),
     * then closes. */
    void (*pause)(void *ctx, wshub_conn conn, bool paused);
    /* Tells what it knows about a stream, as often as it is asked, from inside opened() on until
     * closed(). It is asked, and not told with opened(), since most streams come and go without
     * anybody wanting to know. out_about: all of it is written; views, valid until the next call
     * into the io. False: there is no such stream, and all is empty. NULL: nothing is known. */
    bool (*about)(void *ctx, wshub_conn conn, wshub_about *out_about);
    /* A guest comes (`on`) or leaves: a further owner beside the attached one, for streams that it
     * opens itself, such as those of a bus to its broker. Its input is reported before that of
     * others, its settle is called in every turn before the attached owner's. owner: copied; guests
     * are told apart by their ctx, all that is read of it when one leaves. When it has left no
     * report follows, and its streams are closed as by attach(). Returns OK, NOMEM or LIMIT. NULL:
     * this io has no guests. */
    wshub_err (*guest)(void *ctx, const wshub_io_owner *owner, bool on);
    /* Opens a stream for a guest. dial: borrowed. opened() follows, behind the handshake if it is
     * secure; or closed() if nobody answers, within the system's patience, or if the peer is not
     * who was wanted: who has less patience closes it. Returns OK; PARAM: an address that none
     * could dial, no such guest, or secure where this io has no TLS, as error() says; NOMEM, LIMIT
     * or IO. NULL: guests can open none. */
    wshub_err (*connect)(void *ctx, void *guest_ctx, const wshub_dial *dial, wshub_conn *out_conn);
    /* One line on what failed last, in words for an operator; "" if nothing did. A view, valid
     * until the next call into the io. NULL: it cannot say. */
    const char *(*error)(void *ctx);
    /* Shows a line to whoever runs the program: `level CODE who: text` as wshub_log_line() writes
     * it, printable ASCII without a line's end, terminated; borrowed. The time in front of it is
     * the io's. A hub without on_log calls it, and guests may. It calls no report and waits for
     * nobody: a line that nobody takes is lost. NULL: nothing is shown. */
    void (*log)(void *ctx, wshub_log_level level, const char *line);
    /* From which level on log() wants lines, where whoever runs the program has said so: it goes
     * before what a description says. 0: nobody has said. */
    wshub_log_level log_level;
} wshub_io;

/* One message on a bus; both may hold any bytes. */
typedef struct wshub_bus_msg {
    wshub_str channel; /* where it goes, not empty */
    wshub_str payload; /* what goes there */
} wshub_bus_msg;
/* The same with what its publisher has checked and encoded already, for owners in the same process
 * (wshub_bus.hand_over). */
typedef struct wshub_bus_handover {
    wshub_str channel; /* as in wshub_bus_msg */
    wshub_str payload; /* as in wshub_bus_msg */
    wshub_str brief;   /* what is encoded, in a form that hubs alone read; len 0: there is none */
} wshub_bus_handover;
/* What a bus is asked to hear of. */
typedef struct wshub_bus_channel {
    wshub_str name; /* any bytes, not empty */
    bool pattern; /* name ends in `*`, which stands for anything; false: `*` is only a character */
} wshub_bus_channel;

/* For whom a bus works: a hub, or an emitter. A bus reports by these; the first argument is ctx. */
typedef struct wshub_bus_owner {
    void *ctx; /* the owner's own; the bus hands it back and looks at nothing in it */
    void (*received)(void *ctx, wshub_str channel, wshub_str payload); /* owner's thread; views */
    /* DOWN at first. CONNECTED: whatever was subscribed before is forgotten; the owner subscribes
     * again to all it wants, at once, in this very report. UP: all of that is acknowledged. DOWN:
     * after either. */
    void (*state)(void *ctx, wshub_bus_state state);
    void (*wake)(void *ctx); /* any thread: call pump() soon. NULL: same thread only, pump is called
                                often */
    /* Owner's thread, never from inside an order: after a short publish() there is room again, or
     * pending(), which was not 0 when it was asked, is. NULL: wake() is called instead. */
    void (*room)(void *ctx);
    void (*late)(void *ctx); /* owner's thread: the time given to alarm() is over. NULL: alarm() is
                                not called */
    /* In place of received(), for a message that came with a brief, exactly as it was given to
     * hand_over(); owner's thread; a view. NULL: received() is called for those too. */
    void (*handed_over)(void *ctx, const wshub_bus_handover *message);
    /* Secret random bytes of this owner's, for the hash tables in which a bus keeps the channels
     * that it subscribes to: strangers choose their names. All 0: it has none to give. */
    uint8_t key[16];
} wshub_bus_owner;

/* What a broker answered to a request (wshub_bus.request). All of it is a view, valid until the
 * function that was given it returns. */
typedef enum wshub_bus_reply_kind {
    WSHUB_BUS_REPLY_NULL,    /* the broker has nothing under that name */
    WSHUB_BUS_REPLY_INTEGER, /* `integer` */
    WSHUB_BUS_REPLY_TEXT,    /* `text`, which may hold any bytes */
    WSHUB_BUS_REPLY_ERROR,   /* the broker refused; `text` says why */
    WSHUB_BUS_REPLY_ARRAY    /* `count` replies at `items`, which may be arrays again */
} wshub_bus_reply_kind;

/* One answer; which fields mean something, its kind says. */
typedef struct wshub_bus_reply {
    wshub_bus_reply_kind kind;           /* which of the others mean something */
    int64_t integer;                     /* of INTEGER */
    wshub_str text;                      /* of TEXT and ERROR */
    const struct wshub_bus_reply *items; /* of ARRAY */
    size_t count;                        /* of ARRAY: how many items */
} wshub_bus_reply;

/* How many channels one call of subscribe() or unsubscribe() may have. */
#define WSHUB_BUS_BATCH 500

/* The version of the two tables of a bus, this one and its owner's. It rises whenever either
 * changes, or what hubs hand each other through them. */
#define WSHUB_BUS_VERSION 1u

/* Carries messages between instances, at most once, in order for each publisher and channel. What
 * is optional is NULL in a table that was zeroed first. Publish, subscribe, unsubscribe, flush,
 * pending, alarm and request call no report: the owner may be in the middle of a change. What they
 * find out is reported later. */
typedef struct wshub_bus {
    /* WSHUB_BUS_VERSION of the header that the bus was compiled with. A table with another is
     * refused, by wshub_create() and wshub_emitter_create() alike, and nothing else in it is read:
     * it stays yours to end. */
    uint32_t version;
    void *ctx; /* the bus's own; the owner hands it back and looks at nothing in it */
    /* Takes an owner; copied. Returns OK, or why not: the owner's creation then fails with that.
     * NULL: the owner leaves; what was taken is handed over as far as that goes at once, then no
     * report follows and ctx is used no more. Called so once in any case, also when it failed
     * before. Required. */
    wshub_err (*attach)(void *ctx, const wshub_bus_owner *owner);
    /* Required. Returns how many of the messages, from the first on, it took (copied); the rest is
     * offered again. */
    size_t (*publish)(void *ctx, const wshub_bus_msg *msgs, size_t count);
    /* 1 to WSHUB_BUS_BATCH channels, taken in order, each whether or not it is subscribed already.
     * False: none was taken, for want of room; they are offered again in a later turn. While DOWN:
     * true, ignored. */
    bool (*subscribe)(void *ctx, const wshub_bus_channel *channels, size_t count);
    /* The same the other way: nothing of these channels is wanted any more. */
    bool (*unsubscribe)(void *ctx, const wshub_bus_channel *channels, size_t count);
    void (*flush)(void *ctx); /* the end of a turn's calls: to the network with them. NULL: not
                                 needed */
    void (*pump)(void *ctx); /* reports what has arrived; called by the owner once a turn. NULL: not
                                needed */
    /* Messages that were taken and whose delivery to the broker is not confirmed: an end waits for
     * them (BYE-2). NULL: what was taken is delivered. */
    uint64_t (*pending)(void *ctx);
    void (*alarm)(void *ctx, uint32_t ms); /* calls late() once after so long; again: anew. NULL: it
                                              has no clock */
    /* Of what it took from this owner: how many it will never have a word about, since their
     * connection broke. NULL: none. */
    uint64_t (*unconfirmed)(void *ctx);
    /* Whether it has an owner: it has one at a time, and who is refused (STATE) for that leaves it
     * alone. NULL: it cannot tell, and is given to one owner only. */
    bool (*taken)(void *ctx);
    /* Any command of the broker, for counts of subscribers, locks and the like; the words are its
     * own: argv[0] the command, argc at least 1. Texts are borrowed, any bytes.
     * If it returns OK, on_reply is called exactly once: on the owner's thread, never from inside
     * this call, in the order of the requests. reply NULL: the connection was lost, or the bus was
     * left (from inside attach(ctx, NULL)), before an answer came; the command may have been
     * carried out. Otherwise on_reply is not called: STATE: not connected; NOMEM; PARAM: no
     * command; LIMIT: too many wait for an answer already. on_reply may call anything, also leave
     * the bus.
     * NULL: this bus has no broker that could be asked. */
    wshub_err (*request)(void *ctx, const wshub_str *argv, size_t argc,
                         void (*on_reply)(void *arg, const wshub_bus_reply *reply), void *arg);
    /* publish() for a bus within one process: beside each message lies what its publisher has
     * checked and encoded already, so that the others need not do it again. The bus copies a
     * brief as it does the payload, looks at neither, and gives both to handed_over() of each
     * owner that has it, in one order with what publish() took. A bus that fills this must not
     * let a brief out of the process, nor take one in: it is memory of this version of wshub.h,
     * in the layout of this machine, and whoever is handed it reads it unchecked. That both sides
     * mean the same by it is vouched for by the version above alone, so it must join only owners
     * that took its table by that version. NULL: hubs make no briefs, and publish() is called. */
    size_t (*hand_over)(void *ctx, const wshub_bus_handover *messages, size_t count);
} wshub_bus;

/* Of wshub_mount_desc, and of what it and its hub hand to each other. */
#define WSHUB_MOUNT_VERSION 1u
/* How many mounts one hub may have. */
#define WSHUB_MOUNTS_MAX 1000

/* What is served on a path, for wshub_mount(): HTTP, and WebSockets without clients. Enough for a
 * server without any of the hub's own words, and what a dialect stands on. Zero it, set the
 * version, the path, and what you need.
 *
 * A request that a mount has taken is its own until it is answered. If it ends otherwise, the mount
 * is told, once: on_exchange_gone. `owner` is `user` until wshub_exchange_set_owner() or
 * wshub_upgrade_answer say otherwise. All callbacks run on the hub's thread and may call any
 * function; each may be NULL. */
typedef struct wshub_mount_desc {
    uint32_t version; /* WSHUB_MOUNT_VERSION */
    /* Required: begins with `/`, at most WSHUB_NAME_BYTES_MAX bytes. Compared with wshub_http.path
     * byte for byte, nothing decoded. Of several mounts that fit the longest is asked first, of
     * equal ones that of an exact path, then the earlier one. Copied. */
    const char *path;
    bool prefix; /* all paths that begin so; let it end with `/` to serve whole segments */
    /* The head can be looked at (wshub_exchange_http()) as long as the exchange is open, and in
     * on_exchange_gone; false: in on_head and on_body. */
    bool keep_head;
    /* A peer that ends its sending side while an exchange is open has gone, as browsers do with
     * requests that they give up; false: it still gets its answer (LIVE-3). */
    bool half_close_ends;
    uint32_t answer_timeout_ms; /* http_timeout_ms, or WSHUB_OFF: for your answer, then 503; of one
                                   that has begun, for your next call, then the stream is dropped */
    uint32_t body_bytes_max;    /* http_body_bytes_max; at most 1 GiB; beyond: 413 */
    uint32_t message_bytes_max; /* payload_bytes_max; at most 1 GiB; one message of a WebSocket;
                                   beyond: 1009 */
    const char *allow; /* methods, for an OPTIONS that nobody takes; "GET, HEAD, POST, PUT, PATCH,
                          DELETE, OPTIONS"; copied */
    const wshub_cors *cors; /* pages of which origins may read answers; NULL: this hub's own alone;
                               copied */
    void *user;             /* last argument of on_head, and of all callbacks at first */

    /* Asks whose a request is, when its head is whole and nothing of its body has been read. NULL:
     * it is mine, with its body. */
    wshub_take (*on_head)(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user);
    /* Hands over the body of a request that was taken with BODY: answer it, now or later. bytes:
     * yours, to write into, until you return; count may be 0. NULL: the request is held. */
    void (*on_body)(wshub *hub, wshub_exchange exchange, uint8_t *bytes, size_t count, void *owner);
    /* Asks what is to be said in every answer under this mount, 101 and the hub's own refusals
     * too (a cookie, a policy): add it with wshub_headers_add().
     *   http  NULL: the head is not there any more (keep_head)
     * Nothing can be done to this exchange meanwhile (STATE). */
    void (*on_answer)(wshub *hub, wshub_exchange exchange, const wshub_http *http, int status,
                      wshub_headers *more, void *owner);
    /* Tells that a request that was taken has ended, and not by an answer of yours, or in the
     * middle of one: in settle, once. The exchange is stale already.
     *   cause  BY_PEER: it has gone; BY_TIMEOUT: a clock has run out, yours or the peer's;
     *          BY_PROTOCOL: its body broke a rule or a limit; BY_MEMORY; BY_SHUTDOWN */
    void (*on_exchange_gone)(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner);
    /* Tells that wshub_http_write(), which has said LIMIT, takes bytes again, since all that was
     * written has left (SEND-6): in settle, once for each time that you were told to wait. */
    void (*on_exchange_drained)(wshub *hub, wshub_exchange exchange, void *owner);

    /* Of the WebSockets that wshub_http_upgrade() makes of requests under this mount: */

    /* Hands over a whole message. bytes: yours, to write into, until you return. text: they are
     * UTF-8. NULL: messages are dropped. */
    void (*on_message)(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool text,
                       void *owner);
    /* Tells that the peer, which did not take all that it was offered, has now taken it (SEND-6):
     * in settle. It follows every DROPPED of wshub_conn_send(), unless the WebSocket ends. What all
     * leaves at once is not told. */
    void (*on_drained)(wshub *hub, wshub_conn conn, void *owner);
    /* Tells that one has ended: in settle, once for each. The conn is stale already.
     *   code    of the Close that was sent or received; 1005: none in it; 1006: there was none
     *   reason  that of the Close, a view; len 0: none */
    void (*on_conn_closed)(wshub *hub, wshub_conn conn, uint16_t code, wshub_str reason,
                           wshub_cause cause, void *owner);
} wshub_mount_desc;

/* ---- >>desc ---------------------------------------------------------------------------------
 * Zero always means the default, so a zeroed struct plus an io is valid. Everything is copied.
 * Its size and version are passed beside it by wshub_create(), so that nobody has to set them. */
#define WSHUB_DESC_VERSION 1 /* also of every other struct that a program and its hub hand over */

/* Limits and clocks: type, name, unit, default, least, greatest, whether WSHUB_OFF is allowed
 * (OFF) or not (ALWAYS), help. One list makes the fields of wshub_desc, their defaults and the
 * checks of wshub_desc_problem(), and is the table of the manual (>>limits). A default of 0 is
 * worked out from other fields, as its help says. */
/* clang-format off */
#define WSHUB_LIMITS(X)                                                                            \
    /* Clocks. They measure silence or want of progress, never honest work, and peers are judged   \
     * only by what has been heard of them (LIVE-3; wshub_io.heard_ms). */                         \
    X(uint32_t, head_timeout_ms,        "ms",      5000, 1, UINT32_MAX - 1, ALWAYS,                \
      "for a whole request head, from its first byte (CONN-3); cannot be off, or a peer could "    \
      "stay for ever")                                                                             \
    X(uint32_t, auth_timeout_ms,        "ms",      5000, 1, UINT32_MAX - 1, ALWAYS,                \
      "from the upgrade to `authenticate` (AUTH-1), three times that for the answer (AUTH-2); "    \
      "cannot be off, or a peer could stay for ever")                                              \
    X(uint32_t, heartbeat_interval_ms,  "ms",     30000, 1, UINT32_MAX - 1, ALWAYS,                \
      "how late heartbeat_timeout_ms may be found to have passed (LIVE-1); cannot be off")         \
    X(uint32_t, heartbeat_timeout_ms,   "ms",     90000, 1, UINT32_MAX,     OFF,                   \
      "silence of an authenticated client, by messages, after which it is closed with 4002 "       \
      "(LIVE-1); or WSHUB_OFF")                                                                    \
    X(uint32_t, idle_timeout_ms,        "ms",     60000, 1, UINT32_MAX,     OFF,                   \
      "silence of a stream in both directions, after which it is dropped; pings are sent after "   \
      "half of it (LIVE-2); at least 2 with pings; or WSHUB_OFF")                                  \
    X(uint32_t, message_timeout_ms,     "ms",     30000, 1, UINT32_MAX,     OFF,                   \
      "for each 4096 bytes more of a message or body that has begun; or WSHUB_OFF")                \
    X(uint32_t, write_timeout_ms,       "ms",     60000, 1, UINT32_MAX,     OFF,                   \
      "without a byte of progress in sending; ends are bounded by it too (LIVE-3); or WSHUB_OFF")  \
    X(uint32_t, close_timeout_ms,       "ms",      5000, 1, UINT32_MAX - 1, ALWAYS,                \
      "for the peer's Close, and for its end, once ours has left; cannot be off, or a peer could " \
      "stay for ever")                                                                             \
    X(uint32_t, transform_timeout_ms,   "ms",     30000, 1, UINT32_MAX,     OFF,                   \
      "for your answer to on_transform_in, then it has failed (ENC-2); or WSHUB_OFF")              \
    X(uint32_t, http_timeout_ms,        "ms",     30000, 1, UINT32_MAX,     OFF,                   \
      "for your answer to an HTTP request, then 503; or WSHUB_OFF")                                \
    X(uint32_t, shutdown_timeout_ms,    "ms",      5000, 1, UINT32_MAX - 1, ALWAYS,                \
      "bounds wshub_shutdown(): for peers to close, then for the broker to acknowledge what was "  \
      "published (BYE-2); cannot be off")                                                          \
    /* What comes from peers. */                                                                   \
    X(uint32_t, payload_bytes_max,      "bytes", 131072, 24, 1u << 30,      ALWAYS,                \
      "one inbound message after reassembly, beyond: 1009 (BYE-3); 24, which "                     \
      "{\"event\":\"authenticate\"} takes, to 1 GiB")                                              \
    X(uint32_t, preauth_messages_max,   "messages",  16, 1, UINT32_MAX,     ALWAYS,                \
      "messages of a client before it is accepted; beyond: close 1008")                            \
    X(uint32_t, preauth_bytes_max,      "bytes",   8192, 24, UINT32_MAX,    ALWAYS,                \
      "bytes of these messages; at least 24, which {\"event\":\"authenticate\"} takes; beyond: "   \
      "close 1008")                                                                                \
    X(uint32_t, held_bytes_max,         "bytes",      0, 1, 1u << 30,       ALWAYS,                \
      "of a stream: received and not yet looked at, since an answer or a transformer is waited "   \
      "for; payload_bytes_max + 262144, at most 1 GiB. "                                           \
      "An io that pauses brings one report of it at most, which is always kept; what others "      \
      "bring beyond ends the stream (1008)")                                                       \
    X(uint32_t, json_depth_max,         "levels",  1024, 1, WSHUB_JSON_DEPTH_MAX, ALWAYS,          \
      "nesting of JSON (MSG-9); at most WSHUB_JSON_DEPTH_MAX, which can be defined larger")        \
    X(uint32_t, http_head_bytes_max,    "bytes",  16384, 136, 1u << 20,     ALWAYS,                \
      "a request's head, beyond: 431 (CONN-3); at least 136 and the path, for the shortest "       \
      "upgrade; at most 1 MiB")                                                                    \
    X(uint32_t, http_headers_max,       "fields",   100, 5, 256,            ALWAYS,                \
      "header fields of a request, beyond: 431 (CONN-3); 5, for the shortest upgrade, to 256")     \
    X(uint32_t, http_body_bytes_max,    "bytes",  65536, 1, 1u << 30,       ALWAYS,                \
      "a request's body, beyond: 413; at most 1 GiB")                                              \
    /* What waits for peers (SEND-6). */                                                           \
    X(uint32_t, backpressure_bytes_max, "bytes", 1048576, 1, 1u << 30,      OFF,                   \
      "what waits for one client (SEND-6); one that owes nothing is sent a message of any "        \
      "length; at most 1 GiB, or WSHUB_OFF: 2 GiB - 1, which no queue passes")                     \
    X(uint64_t, segment_bytes_max,      "bytes", 1u << 30, 1, UINT64_MAX,   ALWAYS,                \
      "held for all pressured clients together (lagging_bytes)")                                   \
    X(uint32_t, http_answers_bytes_max, "bytes", 262144, 1, 1u << 30,       ALWAYS,                \
      "unsent answers of a stream: with more, no further request of it is taken until they have "  \
      "drained (SEND-6); one answer may be larger; at most 1 GiB")                                 \
    /* How many there may be. */                                                                   \
    X(uint32_t, conns_max,              "streams", 1000000, 1, UINT32_MAX,  ALWAYS,                \
      "open at a time; further ones are closed at once")                                           \
    X(uint32_t, clients_max,            "clients", 1000000, 1, UINT32_MAX,  ALWAYS,                \
      "at a time; further upgrades are answered 503 (CONN-2)")                                     \
    X(uint32_t, rooms_per_client_max,   "rooms",   1024, 1, UINT32_MAX,     ALWAYS,                \
      "rooms of one client; at least the default rooms and the client's own (ROOM-6)")             \
    X(uint32_t, rooms_per_message_max,  "rooms",      0, 1, UINT32_MAX,     ALWAYS,                \
      "rooms named in one `join` or `leave`; rooms_per_client_max (ROOM-6)")                       \
    X(uint32_t, rooms_max,              "rooms", 1000000, 1, UINT32_MAX,    ALWAYS,                \
      "at a time, in all realms together; at least the default rooms")                             \
    X(uint32_t, users_max,              "users", 1000000, 1, UINT32_MAX,    ALWAYS,                \
      "at a time")                                                                                 \
    X(uint32_t, asks_per_client_max,    "questions", 16, 1, UINT32_MAX,     ALWAYS,                \
      "joins of one client that are not yet answered")                                             \
    X(uint32_t, encrypted_batch_max,    "questions", 10, 1, UINT32_MAX,     ALWAYS,                \
      "on_transform_out of one message, not yet answered, at a time (ENC-3)")                      \
    /* The bus, and other threads. */                                                              \
    X(uint32_t, bus_queue_bytes_max,    "bytes", 1048576, 1, UINT32_MAX,    ALWAYS,                \
      "kept while the bus is down; beyond, the oldest goes (BUS-5)")                               \
    X(uint32_t, bus_queue_ms_max,       "ms",     15000, 1, UINT32_MAX,     OFF,                   \
      "how long that is kept (BUS-5): more than the longest pause between two attempts to "        \
      "reconnect and the attempt itself; or WSHUB_OFF")                                            \
    X(uint32_t, bus_burst_bytes_max,    "bytes",      0, 1, UINT32_MAX,     ALWAYS,                \
      "waits while the bus is up and cannot take it at once; 16 MiB or bus_queue_bytes_max, "      \
      "whichever is more. One message may be longer than either")                                  \
    X(uint32_t, bus_linger_ms,          "ms",      5000, 1, UINT32_MAX,     OFF,                   \
      "bus_exact: unsubscribes so long after the last has left; at most rooms_max channels "       \
      "linger (bus_lingering), beyond, the oldest are given up at once; or WSHUB_OFF: at once")    \
    X(uint32_t, post_bytes_max,         "bytes", 64u << 20, 1, 1u << 30,    ALWAYS,                \
      "posted by other threads and not yet carried out; at most 1 GiB")
/* clang-format on */

/* What wshub_create() is told. Zeroed but for the io it is valid. */
typedef struct wshub_desc {
    /* ---- what it stands on ---- */

    /* Where bytes come from; required. Borrowed for the call; the io itself must outlive the hub.
     * It has one hub at a time. */
    const wshub_io *io;
    /* What joins this hub with others (>>buses); NULL: it stands alone. Given: it ends with the
     * hub, or with a creation that fails; refused and left alone where it is another's (STATE) or
     * of another version (PARAM). */
    const wshub_bus *bus;
    wshub_alloc_fn alloc; /* NULL: realloc and free */
    void *alloc_user;     /* the first argument of alloc */
    void *user; /* the last argument of every callback; yours, the hub never looks at it */

    /* ---- names; terminated texts and lists of them, all copied ---- */

    const char *path;      /* where upgrades are taken, without a query, at most 1024 bytes of plain
                              ASCII; NULL: "/ws" */
    const char *server_id; /* under which name this hub publishes: UTF-8, at most 63 bytes, another
                              one for each hub, and not `emitter`; NULL: a fresh UUID v4 */
    /* The rooms that every client joins on acceptance (AUTH-7), default_rooms_count of them; NULL:
     * `ws-default` and `ws-notification`. */
    const char *const *default_rooms;
    size_t default_rooms_count;
    bool no_default_rooms; /* none; instead of a list */
    /* Who may open a WebSocket from a page, as a browser says it (CONN-2): `https://host[:port]`,
     * `https://`*`.host` for its subdomains, `null`, or `*`: any page. allowed_origins_count of
     * them. NULL: any page, with a warning. Nobody: a list whose first entry is NULL, of count 0.
     * Requests without Origin (programs, not pages) always pass. */
    const char *const *allowed_origins;
    size_t allowed_origins_count;
    /* By which names this hub is called, allowed_hosts_count of them: `host` (any port),
     * `host:port` (as it is sent: browsers leave a default port out), `[v6]`, `*.host` for
     * subdomains. Requests, upgrades included, whose Host (or absolute target) is none of them
     * are answered 421, so that no page reaches a hub inside its visitor's network by a name of
     * its own (DNS rebinding). NULL: any, for hubs behind a proxy that asks. */
    const char *const *allowed_hosts;
    size_t allowed_hosts_count;
    /* Which pages of other origins may read what on_request answers, and the 404 of what it
     * declines; mounts have their own (wshub_mount_desc.cors). NULL: none but this hub's own. */
    const wshub_cors *cors;

    /* From which level on log lines are written (>>logs). 0: for on_log INFO; where there is none,
     * and lines go to the io, WARN. What the io has been told by whoever runs the program
     * (wshub_io.log_level) goes before this. */
    wshub_log_level log_level;

    /* ---- limits and clocks: the fields of WSHUB_LIMITS; 0: the default ---- */

#define WSHUB__X(type, name, unit, usual, least, greatest, off, help) type name;
    WSHUB_LIMITS(WSHUB__X)
#undef WSHUB__X

    /* ---- ways; false is the usual one ---- */

    /* Without the JSON dialect: no upgrade is taken but by mounts of yours (wshub_mount()), so that
     * this is a server of HTTP and WebSocket. Clients are those that a dialect of yours adds. path
     * must be NULL. */
    bool no_dialect;
    bool no_log;            /* where there is no on_log: nothing is given to the io either */
    bool no_pings;          /* send none: silent streams are then dropped after idle_timeout_ms */
    bool heartbeat_by_pong; /* a pong, or a ping of the client's, counts as a heartbeat: for clients
                               that only listen (LIVE-2). Needs pings more often than
                               heartbeat_timeout_ms */
    bool close_on_backpressure; /* over backpressure_bytes_max: close the client, or the WebSocket
                                   of a mount (cause BACKPRESSURE, no Close frame), instead of
                                   dropping the message */
    bool require_encryption;    /* keys are agreed before a client is authenticated (AUTH-5) */
    bool bus_exact;       /* subscribe to the channels of who is here, not to patterns (BUS-4) */
    bool bus_any_channel; /* an envelope's type and target decide, whatever channel it comes on, as
                             in the reference; false: those that do not agree are refused */

    /* ---- callbacks ---- All run on the hub's thread, from inside a report or wshub_settle(),
     * and may call any function, also close the client that they are about or destroy the hub.
     * Each may be NULL; what that means is said. Texts are views, valid until the callback
     * returns. `user` is the field above. */

    /* Asks who a client is that has sent `authenticate` (AUTH-3). Answer, now or later, with
     * wshub_auth_accept(), wshub_ask_reject() or wshub_ask_fail(); without an answer the client is
     * closed after three times auth_timeout_ms. NULL: everybody is rejected. */
    void (*on_authenticate)(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user);
    /* Asks for the keys of a client that is accepted, if require_encryption (AUTH-5). Answer with
     * wshub_handshake_accept(), wshub_ask_reject() or wshub_ask_fail(). NULL: closed with 4004. */
    void (*on_handshake)(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user);
    /* Asks which of the rooms that a client named it may join (ROOM-2). Answer with
     * wshub_join_accept(), wshub_ask_reject() or wshub_ask_fail(). NULL: none. */
    void (*on_join)(wshub *hub, wshub_ask ask, const wshub_join *join, void *user);
    /* Hands over an event from an authenticated client (MSG-7). A result other than WSHUB_OK is
     * counted and logged, and the client stays (MSG-8). NULL: events are counted and dropped. */
    wshub_err (*on_message)(wshub *hub, wshub_client client, const wshub_event *event, void *user);
    /* Hands over a binary message from an authenticated client, count bytes. Result as above. NULL:
     * it is read like a text message. */
    wshub_err (*on_binary)(wshub *hub, wshub_client client, const uint8_t *bytes, size_t count,
                           void *user);
    /* Asks what is to be sent to an encrypted client instead of this event (ENC-1). Answer with
     * wshub_transform_accept(), wshub_ask_reject() or wshub_ask_fail(), now or later: messages
     * keep their order, and there is no deadline; what waits counts against
     * backpressure_bytes_max. NULL: sent as it is. */
    void (*on_transform_out)(wshub *hub, wshub_ask ask, wshub_client client,
                             const wshub_event *event, void *user);
    /* Asks what an encrypted client's event means. Answers as above, within transform_timeout_ms;
     * nothing more of that client is read before. `heartbeat` is not asked about. NULL: as it
     * is. */
    void (*on_transform_in)(wshub *hub, wshub_ask ask, wshub_client client,
                            const wshub_event *event, void *user);
    /* Tells of a client that has been upgraded and has yet to authenticate. */
    void (*on_opened)(wshub *hub, wshub_client client, void *user);
    /* Tells of a client that is authenticated: it is indexed, in its rooms, and `connected` is
     * queued for it (AUTH-7). A result other than WSHUB_OK is counted and logged. */
    wshub_err (*on_connected)(wshub *hub, wshub_client client, void *user);
    /* Tells of a client that is about to leave its rooms and all indexes: once for each that was
     * opened, in the order in which they ended, and each one's on_disconnected follows before the
     * next one's on_disconnecting (BYE-1). Its rooms and its user are there still: walk them, send
     * to who else is in them, ask about the client by its handle. It hears nothing any more and
     * takes no orders (STALE), and it leaves when this returns, whatever is called here. */
    void (*on_disconnecting)(wshub *hub, const wshub_gone *gone, void *user);
    /* Tells of a client that is gone: once for each that was opened (BYE-1), after it has left all
     * indexes. */
    void (*on_disconnected)(wshub *hub, const wshub_gone *gone, void *user);
    /* Tells how a client's queue fares (SEND-6), at most once a turn for each `what`. queued_bytes:
     * what its stream has yet to take. Clients of one session share a queue: all are told. */
    void (*on_pressure)(wshub *hub, wshub_client client, wshub_pressure what, size_t queued_bytes,
                        void *user);
    /* Hands over an HTTP request that is no upgrade on `path`. Return true and answer with
     * wshub_http_reply(), now or within http_timeout_ms; false: 404. NULL: 404. */
    bool (*on_request)(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user);
    /* Tells that a request which on_request has taken has ended, and not by an answer of yours:
     * once, as in wshub_mount_desc. owner: `user`, unless wshub_exchange_set_owner() says
     * otherwise. */
    void (*on_exchange_gone)(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner);
    /* Tells that there is room again for more of an answer: as in wshub_mount_desc. */
    void (*on_exchange_drained)(wshub *hub, wshub_exchange exchange, void *owner);
    /* Asks about a handshake that is valid in itself: write the answer into *upgrade before you
     * return. NULL: everybody, no subprotocol. */
    void (*on_upgrade)(wshub *hub, const wshub_http *http, wshub_upgrade *upgrade, void *user);
    /* Tells that the bus went DOWN, or is UP again after down_ms, counted from creation the first
     * time. What others published meanwhile is lost: here is the place to tell clients, to refetch,
     * or to close them with 1012 at a pace of yours (BUS-5). */
    void (*on_bus)(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user);
    /* Tells that shutdown or drain has finished (BYE-2): nobody is left, the bus is left. A good
     * place to stop the loop. */
    void (*on_shutdown)(wshub *hub, void *user);
    /* Hands over a log line (>>logs). NULL: the io shows it, unless no_log. */
    void (*on_log)(wshub *hub, const wshub_log *line, void *user);
} wshub_desc;

/* ---- >>api-hub ---------------------------------------------------------------------------------
 * A hub from its creation to its end. Unless another word is said, the thread of every function
 * is the hub's, and all are allowed in callbacks. */

/* Makes a hub and attaches it to its io and bus.
 *   desc     borrowed; everything in it is copied, texts too; the bus is given
 *   out_hub  the hub; given to you, end it with wshub_destroy()
 * Returns  OK; PARAM: no io, a limit out of range, a bad room, path or origin:
 *          wshub_desc_problem() says which; NOMEM; RANDOM: io->random failed; STATE: the io has a
 *          hub, or the bus an owner, who keeps it; NOWAKE or others: what the bus's attach said;
 *          CLOSED: a callback has destroyed it meanwhile.
 * Thread   the one that the hub will belong to. */
WSHUB_INLINE wshub_err wshub_create(const wshub_desc *desc, wshub **out_hub);

/* Says in one line what wshub_create() would refuse in a description, beginning with the field's
 * name, and what it should be. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_desc_problem(const wshub_desc *desc);

/* What the two above call, with what the header that your program includes says of wshub_desc. If
 * the header with WSHUB_IMPLEMENTATION says otherwise, the description is refused (PARAM) and
 * nothing in it is read, its bus included. For bindings of other languages, which lay the struct
 * out themselves.
 *   desc_bytes  sizeof(wshub_desc)
 *   version     WSHUB_DESC_VERSION
 * Return   as wshub_create() and wshub_desc_problem(). */
WSHUB_API wshub_err wshub_create_versioned(const wshub_desc *desc, size_t desc_bytes,
                                           uint32_t version, wshub **out_hub);
WSHUB_API const char *wshub_desc_problem_versioned(const wshub_desc *desc, size_t desc_bytes,
                                                   uint32_t version);

WSHUB_INLINE wshub_err wshub_create(const wshub_desc *desc, wshub **out_hub) {
    return wshub_create_versioned(desc, sizeof *desc, WSHUB_DESC_VERSION, out_hub);
}
WSHUB_INLINE const char *wshub_desc_problem(const wshub_desc *desc) {
    return wshub_desc_problem_versioned(desc, sizeof *desc, WSHUB_DESC_VERSION);
}

/* Ends a hub: every client is reported gone (cause SHUTDOWN, code 1001 where none was sent),
 * every stream dropped at once, all memory freed. What waits for the bus is handed over as far as
 * it takes it at once; what is lost is told nobody. Inside a callback it is done when the
 * outermost call returns, and the hub may be used until then. For a polite end, which waits and
 * tells, call wshub_shutdown() first. NULL: nothing. */
WSHUB_API void wshub_destroy(wshub *hub);

/* Ends service (BYE-2): no new clients, every client gets close 1001 `Server shutting down`;
 * on_shutdown follows when all streams have ended and the broker has acknowledged what was
 * published, after shutdown_timeout_ms at the latest. The hub can still be queried.
 * Returns  OK, also when it is under way. */
WSHUB_API wshub_err wshub_shutdown(wshub *hub);

/* Empties the hub at a pace: no new clients; the oldest are closed first, realm by realm. When
 * none are left, it goes on as wshub_shutdown().
 *   per_second  how many clients a second, 1..1000000
 *   code        of the Close: 1001, or 1012 for "come back"; as in wshub_client_close(), not 0
 *   reason      UTF-8, at most WSHUB_CLOSE_REASON_MAX bytes; copied
 * Returns  OK; PARAM; NOMEM; STATE: draining or shutting down already. */
WSHUB_API wshub_err wshub_drain(wshub *hub, uint32_t per_second, uint16_t code, wshub_str reason);

/* Has a drain or a shutdown begun? It stays true. */
WSHUB_API bool wshub_is_draining(const wshub *hub);
/* Has the shutdown finished? Then nobody is here, the bus is left, and wshub_send() is refused. */
WSHUB_API bool wshub_is_down(const wshub *hub);

/* Carries out what was gathered (>>life). Ios call it through their owner table; call it yourself
 * after sends from outside any report if your io does not. Inside a callback it does nothing.
 * Returns  when it wants to be called again at the latest, on the io's clock; WSHUB_NEVER: not
 *          before the next report; 0: soon.
 * Thread   the hub's. Cost: what is due, and a few ns where nothing is. */
WSHUB_API uint64_t wshub_settle(wshub *hub);

/* Calls a function later, once, on the hub's thread and clock: a late answer, a tick of yours.
 *   delay_ms   from now; 0: at the end of the next turn, also from inside a timer (LIVE-3)
 *   fn         called with the hub and arg; may call anything. Never called after wshub_destroy()
 *   arg        yours
 *   out_timer  to stop it; NULL: it cannot be stopped
 * Returns  OK; PARAM: no fn, or more than 2^62 ms; NOMEM. Cost: O(log n) of the timers that run. */
WSHUB_API wshub_err wshub_timer_start(wshub *hub, uint64_t delay_ms,
                                      void (*fn)(wshub *hub, void *arg), void *arg,
                                      wshub_timer *out_timer);
/* Stops a timer, so that its function is not called.
 * Returns  OK; STALE: it has fired or been stopped before, which is harmless. Cost: O(log n). */
WSHUB_API wshub_err wshub_timer_stop(wshub *hub, wshub_timer timer);

/* Reads all figures of a hub (WSHUB_STATS) into *out_stats. Cost: O(1). */
WSHUB_API void wshub_stats_get(const wshub *hub, wshub_stats *out_stats);
/* Write the figures as text: as one JSON object, or as OpenMetrics for Prometheus and its
 * relatives, names beginning with `wshub_`. Neither allocates; on_request can serve them.
 *   buf  at most cap bytes are written, no terminator; may be NULL if cap is 0
 * Returns  the length of the whole text; above cap: it was cut. 16 KiB hold either. */
WSHUB_API size_t wshub_stats_json(const wshub *hub, char *buf, size_t cap);
WSHUB_API size_t wshub_stats_openmetrics(const wshub *hub, char *buf, size_t cap);
/* The content type of the latter. */
#define WSHUB_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Tells the name under which this hub publishes: wshub_desc.server_id, or the UUID that was made
 * for it. A view, valid as long as the hub. */
WSHUB_API wshub_str wshub_server_id(const wshub *hub);
/* Tells the hub's clock, in milliseconds from an unknown beginning: it never goes back and stands
 * still within a turn. */
WSHUB_API uint64_t wshub_now_ms(const wshub *hub);
/* Gives wshub_desc.user back. */
WSHUB_API void *wshub_user(const wshub *hub);

/* Say what an error or a log code is, for people: the text of err; the name of the code
 * ("MSG_INVALID"); what the code means and what to do about it. Never NULL; of what is none: a text
 * that says so, or "?". Pure: any thread. */
WSHUB_API const char *wshub_strerror(wshub_err err);
WSHUB_API const char *wshub_log_name(wshub_log_code code);
WSHUB_API const char *wshub_log_help(wshub_log_code code);
/* Returns the name of a level: "debug", "info", "warn", "error"; "?": it is none. Any thread. */
WSHUB_API const char *wshub_log_level_name(wshub_log_level level);
/* Writes a log line as the io shows it: `level CODE who: text`, and how many like it were held
 * back. Printable ASCII without a line's end, terminated. Any thread. */
WSHUB_API void wshub_log_line(const wshub_log *line, char out_text[WSHUB_LOG_LINE_BYTES]);

#ifdef WSHUB_SELF_CHECK
/* Walks every index and byte account, for tests. NULL: all agrees; else a text that names the first
 * thing that is wrong. Cost: O(all that the hub holds). */
WSHUB_API const char *wshub_self_check(const wshub *hub);
#endif

/* ---- >>api-conn --------------------------------------------------------------------------------
 * Streams: what is known of one, and what an io reports about it. Thread: the hub's. */

/* Tells what the io knows about a stream: the listener, both addresses, TLS and certificates.
 *   conn       as in wshub_http.conn
 *   out_about  views, valid until the next call into the hub or its io
 * Returns  OK, also where nothing is known (all is empty); STALE: it has ended, out_about stays as
 *          it was.
 * Thread   the hub's; allowed in callbacks. Cost: what it costs the io, for sockets two system
 *          calls. */
WSHUB_API wshub_err wshub_conn_about(const wshub *hub, wshub_conn conn, wshub_about *out_about);

/* Tells how much is queued for a stream that its peer has yet to take, in bytes: what waits for
 * this turn's settle too.
 * Returns  0: nothing, or there is no such stream.
 * Thread   the hub's; allowed in callbacks. Cost: O(1). */
WSHUB_API size_t wshub_conn_queued_bytes(const wshub *hub, wshub_conn conn);

/* Report to the hub what happened to a stream, for whoever writes an io without a table of
 * owners. The contract is that of wshub_io_owner, entry by entry; streams that the hub does not
 * know are ignored. Any of them may run callbacks. Thread: the hub's; not from inside an order of
 * the io's. */
WSHUB_API void wshub_conn_opened(wshub *hub, wshub_conn conn);
WSHUB_API void wshub_conn_received(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count);
WSHUB_API void wshub_conn_ended(wshub *hub, wshub_conn conn);
WSHUB_API void wshub_conn_drained(wshub *hub, wshub_conn conn);
WSHUB_API void wshub_conn_sent(wshub *hub, wshub_conn conn, size_t count);
WSHUB_API void wshub_conn_closed(wshub *hub, wshub_conn conn);

/* ---- >>api-mount ----------------------------------------------------------------------------
 * HTTP and WebSocket without clients: what is served on which path, exchanges, and the WebSockets
 * that they become. */

/* Serves a path from now on, as long as the hub lives.
 *   desc  borrowed; copied, its texts too
 * Returns  OK; PARAM: wshub_mount_problem() says what is wrong; LIMIT: WSHUB_MOUNTS_MAX; NOMEM.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_mount(wshub *hub, const wshub_mount_desc *desc);
/* Says what wshub_mount() would refuse in a description, and what it should be.
 *   desc     borrowed
 * Returns  one line, a constant text that begins with the field's name; NULL: nothing.
 * Thread   any; pure. */
WSHUB_API const char *wshub_mount_problem(const wshub_mount_desc *desc);

/* Looks at the request of an exchange: in on_head, on_body and on_request, there with its body; and
 * where its mount has keep_head, as long as it is open and in on_exchange_gone.
 * Returns  a view until then; NULL: it is stale, or its head is not there any more.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API const wshub_http *wshub_exchange_http(const wshub *hub, wshub_exchange exchange);
/* Says whose an exchange is: `owner` is the last argument of its callbacks from now on.
 * Returns  OK; STALE; STATE: on_answer is being asked about it.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_exchange_set_owner(wshub *hub, wshub_exchange exchange, void *owner);
/* Tells whose an exchange is.
 * Returns  at first its mount's user; NULL: it is stale.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API void *wshub_exchange_owner(const wshub *hub, wshub_exchange exchange);

/* Adds a header to an answer that is about to be written; inside on_answer.
 *   headers      what on_answer was given
 *   name, value  as in wshub_reply.headers, but no Content-Type; borrowed
 * Returns  OK; PARAM: a name or value that is not allowed; NOMEM, and the answer fails with that.
 * Thread   the hub's. */
WSHUB_API wshub_err wshub_headers_add(wshub_headers *headers, wshub_str name, wshub_str value);

/* The WebSockets of mounts: those that wshub_http_upgrade() has made. Each of these functions
 * returns STATE for a stream that is none, though it is there: one that speaks HTTP still, or that
 * of a client of the JSON dialect, whose messages have an order and perhaps an encryption that
 * bytes from elsewhere would break (ENC-1, SEND-5); and STALE from the moment at which its end has
 * been decided, by whomever, before on_conn_closed tells of it. Where a dialect has clients at its
 * WebSocket, it may speak here beside them in words of its transport (a ping of its own, say):
 * these pass no transformer, and go before what still waits for one. */

/* Sends a message over a WebSocket. It is queued, behind all that was sent before, and leaves in
 * this turn's settle. The limit is on what waits, not on a message (SEND-6): while the peer takes
 * all that it is offered, a message of any length is.
 *   bytes  count of them; borrowed, copied once; NULL: none
 *   text   they are UTF-8 and go as a text message; false: as a binary one
 * Returns  OK; STALE; STATE; PARAM: a count without bytes, or text that is not UTF-8; LIMIT: over
 *          WSHUB_MSG_BYTES_MAX bytes; NOMEM: it is not sent, counted (dropped_memory); DROPPED: the
 *          peer would be owed more than backpressure_bytes_max, or all of them more than
 *          segment_bytes_max: it is not sent, counted (dropped_pressure) and logged, and
 *          on_drained follows when the peer has taken all that it is owed. With
 *          close_on_backpressure it ends instead (1006, BACKPRESSURE).
 * Thread   the hub's; allowed in callbacks. Cost: O(count). */
WSHUB_API wshub_err wshub_conn_send(wshub *hub, wshub_conn conn, const void *bytes, size_t count,
                                    bool text);
/* Reads no further message of a WebSocket until its peer has taken all that it is owed: whoever
 * does not read what it is told is not listened to either, so that what waits for it stays within
 * what you have sent so far. What it says meanwhile is held, up to held_bytes_max, and the io is
 * asked to read no more (wshub_io.pause); it goes on by itself, behind on_drained. A peer that
 * takes not a byte meanwhile is dropped after write_timeout_ms, as any. Where nothing is owed, or
 * the io takes all of it at once, nothing happens.
 * Returns  OK; STALE; STATE.
 * Thread   the hub's; allowed in callbacks, for another WebSocket too. Cost: O(1), an io send. */
WSHUB_API wshub_err wshub_conn_pause_until_drained(wshub *hub, wshub_conn conn);
/* Closes a WebSocket: what it is owed leaves, our Close behind it, and on_conn_closed is called in
 * this turn's settle (cause BY_APP, with this code and reason; code 0: 1005). Nothing more of what
 * its peer says is handed over. Clients that a dialect has there are gone with the same.
 *   code, reason  as in wshub_client_close()
 * Returns  OK; STALE; STATE; PARAM.
 * Thread   the hub's; allowed in callbacks, that of its own message too. */
WSHUB_API wshub_err wshub_conn_close(wshub *hub, wshub_conn conn, uint16_t code, wshub_str reason);
/* Says whose a WebSocket is: `owner` is the last argument of its callbacks from now on, of
 * on_conn_closed too. What was the owner before is not looked at again, so that it can be freed.
 * Returns  OK; STALE; STATE.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_conn_set_owner(wshub *hub, wshub_conn conn, void *owner);
/* Tells whose a WebSocket is.
 * Returns  at first wshub_upgrade_answer.owner, or whose the exchange was; NULL: STALE, STATE.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API void *wshub_conn_owner(const wshub *hub, wshub_conn conn);

/* ---- >>api-realm ----------------------------------------------------------------------------
 * A realm is what ids, users and rooms are names in: a client of one realm is not found, counted,
 * joined with or sent to by a name of another, however equal their names are. Every hub has a first
 * realm, whose handle is {0}: the JSON dialect's clients are in it, and every function that takes a
 * name and no realm means it. Functions that take a realm end in `_in`; wshub_dest has a field for
 * it. Limits and statistics count all realms of a hub together. What is sent in the first realm
 * goes to other instances in the words of the JSON dialect, in another realm in those of the
 * dialect that it names; in one that names none it stays on this hub. Thread: the hub's; allowed
 * in callbacks. */

/* Of wshub_realm_desc. */
#define WSHUB_REALM_VERSION 1u
/* How many realms one hub may have, the first among them. */
#define WSHUB_REALMS_MAX 65536u

/* What wshub_realm_create() is told. Zero it before you fill it. */
typedef struct wshub_realm_desc {
    uint32_t version; /* WSHUB_REALM_VERSION */
    const char *name; /* UTF-8, at most WSHUB_NAME_BYTES_MAX bytes; copied; NULL: empty. For you and
                         your dialect: the hub looks no realm up by its name, two may have one */
    const char *const *default_rooms; /* joined on acceptance; copied; NULL: none */
    size_t default_rooms_count;       /* at most rooms_per_client_max and rooms_max allow */
    void *user;                       /* wshub_realm_user() */
    /* Who speaks for it on the bus, alone, whichever dialects its clients have: of
     * wshub_dialect_add(). 0: nobody */
    uint32_t dialect;
} wshub_realm_desc;

/* Makes a realm.
 *   desc       borrowed; its texts are copied
 *   out_realm  its handle, valid until wshub_realm_destroy() or the hub's end
 * Returns  OK; PARAM: no desc, no out_realm, a desc of another version, a name or room that is no
 *          name, a list without its count, default rooms under which nobody could be accepted, no
 *          such dialect; LIMIT: WSHUB_REALMS_MAX; NOMEM; CLOSED: the hub is being destroyed. */
WSHUB_API wshub_err wshub_realm_create(wshub *hub, const wshub_realm_desc *desc,
                                       wshub_realm *out_realm);
/* Ends a realm in which nobody is; walks over it end.
 * Returns  OK; STALE: no such realm; STATE: it is the first, or clients are in it, those included
 *          that are closed and not yet reported gone. */
WSHUB_API wshub_err wshub_realm_destroy(wshub *hub, wshub_realm realm);
/* Tell what a realm was made with. The first realm has an empty name and no user. Of a realm that
 * is gone: ptr NULL, NULL. The text is a view, valid until the realm is destroyed. */
WSHUB_API wshub_str wshub_realm_name(const wshub *hub, wshub_realm realm);
WSHUB_API void *wshub_realm_user(const wshub *hub, wshub_realm realm);
/* Tells the realm that a client is in; {0} also for a client that is gone. */
WSHUB_API wshub_realm wshub_client_realm(const wshub *hub, wshub_client client);

/* The same as the functions without `_in` at their names, in a realm. Return what those return; for
 * a realm that is gone, where nobody and nothing is, STALE, false or 0. What is posted to such a
 * one is silent. */
WSHUB_API wshub_err wshub_client_find_in(const wshub *hub, wshub_realm realm, wshub_str id,
                                         wshub_client *out_client);
WSHUB_API bool wshub_client_each_in(const wshub *hub, wshub_realm realm, wshub_iter *iter,
                                    wshub_client *out_client);
WSHUB_API size_t wshub_room_count_in(const wshub *hub, wshub_realm realm, wshub_str room);
WSHUB_API bool wshub_room_each_member_in(const wshub *hub, wshub_realm realm, wshub_str room,
                                         wshub_iter *iter, wshub_client *out_client);
WSHUB_API bool wshub_room_each_in(const wshub *hub, wshub_realm realm, wshub_iter *iter,
                                  wshub_str *out_room);
WSHUB_API size_t wshub_user_count_in(const wshub *hub, wshub_realm realm, wshub_str user_id);
WSHUB_API bool wshub_user_each_client_in(const wshub *hub, wshub_realm realm, wshub_str user_id,
                                         wshub_iter *iter, wshub_client *out_client);
WSHUB_API bool wshub_user_each_in(const wshub *hub, wshub_realm realm, wshub_iter *iter,
                                  wshub_str *out_user_id);
WSHUB_API wshub_err wshub_post_close_id_in(wshub *hub, wshub_realm realm, wshub_str id,
                                           uint16_t code, wshub_str reason);

/* ---- >>api-client ------------------------------------------------------------------------------
 * Who is here, what is known of them, and what is done to them. Texts returned are views: valid
 * until the client is gone or you change what they show. Questions about a client that is gone
 * are answered with an empty value. Thread: the hub's; allowed in callbacks. Cost, where none is
 * given: O(1). */

/* Finds a client by its id, in any state but DISCONNECTED.
 *   id          a UUID of 36 characters, or as wshub_client_desc.id said; borrowed
 *   out_client  whose it is
 * Returns  OK; STALE: nobody here has it. */
WSHUB_API wshub_err wshub_client_find(const wshub *hub, wshub_str id, wshub_client *out_client);

/* Goes through all clients of the first realm, in whatever state, the oldest first.
 *   iter        zeroed to begin; clients that come or go meanwhile are safe (wshub_iter)
 *   out_client  the next one
 * Returns  false: no more, and nothing was written. */
WSHUB_API bool wshub_client_each(const wshub *hub, wshub_iter *iter, wshub_client *out_client);

/* How far has it come (CONN-4)? DISCONNECTED: it is gone. */
WSHUB_API wshub_state wshub_client_state(const wshub *hub, wshub_client client);
/* Its id, which it has from the upgrade on: a UUID of 36 characters (CONN-1), unless its dialect
 * has given it another (wshub_client_desc.id). */
WSHUB_API wshub_str wshub_client_id(const wshub *hub, wshub_client client);
/* Its user's id (AUTH-7). ptr NULL: it has none, or is not authenticated. */
WSHUB_API wshub_str wshub_client_user_id(const wshub *hub, wshub_client client);
/* Its metadata, JSON of yours. ptr NULL: none. */
WSHUB_API wshub_str wshub_client_metadata(const wshub *hub, wshub_client client);
/* Does what is sent to it pass the transformer (ENC-1)? */
WSHUB_API bool wshub_client_is_encrypted(const wshub *hub, wshub_client client);
/* Has its stream refused a byte that it has yet to take (SEND-6)? */
WSHUB_API bool wshub_client_is_pressured(const wshub *hub, wshub_client client);
/* What the hub holds for it, in bytes: what its stream has not taken, and what is with the outbound
 * transformer. */
WSHUB_API size_t wshub_client_queued_bytes(const wshub *hub, wshub_client client);
/* The pointer that on_upgrade or wshub_client_set_user_ptr() has set; NULL: none. */
WSHUB_API void *wshub_client_user_ptr(const wshub *hub, wshub_client client);

/* Keeps a pointer of yours with a client.
 *   ptr  the hub never looks at it, and gives it back in wshub_gone.user_ptr, for you to end
 * Returns  OK; STALE. */
WSHUB_API wshub_err wshub_client_set_user_ptr(wshub *hub, wshub_client client, void *ptr);

/* Replaces the metadata of a client.
 *   metadata  JSON; copied; ptr NULL: none from now on
 * Returns  OK; STALE; JSON; NOMEM. Cost: O(its length). */
WSHUB_API wshub_err wshub_client_set_metadata(wshub *hub, wshub_client client, wshub_str metadata);

/* The same as wshub_conn_about(), for the stream that serves this client now. Returns as that;
 * STALE also for a client that is gone. */
WSHUB_API wshub_err wshub_client_about(const wshub *hub, wshub_client client,
                                       wshub_about *out_about);
/* Writes the peer's address (wshub_about.peer), terminated.
 *   text  of cap bytes, terminator included; 64 are enough for any but a path
 * Returns  its length; 0, and an empty text: unknown, or it does not fit. */
WSHUB_API size_t wshub_client_peer(const wshub *hub, wshub_client client, char *text, size_t cap);

/* Closes a client: what is queued is sent, then a Close frame; what it says meanwhile is dropped.
 * It leaves the indexes in this turn's settle, which calls on_disconnected (cause APP; BYE-1).
 *   code    1000, 1001, 1003, 1007..1014, 3000..4999; 0: a Close frame without a code
 *   reason  UTF-8, at most WSHUB_CLOSE_REASON_MAX bytes, empty if code is 0; borrowed
 * Returns  OK; STALE: gone already; PARAM. Allowed in callbacks, also those about this client. */
WSHUB_API wshub_err wshub_client_close(wshub *hub, wshub_client client, uint16_t code,
                                       wshub_str reason);

/* Marks a client as encrypted: from here on all that is sent to it passes the transformer (ENC-1,
 * ENC-4). There is no way back. Returns OK; STALE; STATE: it is not AUTHENTICATED. */
WSHUB_API wshub_err wshub_client_encrypt(wshub *hub, wshub_client client);

/* Puts a client into a room, without asking on_join, in any state (ROOM-4). One that has not
 * authenticated hears what is sent to that room too (SEND-2): it was you who put it there.
 *   room  UTF-8, 1..WSHUB_NAME_BYTES_MAX bytes; copied
 * Returns  OK, also if it was in there (ROOM-5); STALE; PARAM; NOMEM; LIMIT: rooms_per_client_max
 *          or rooms_max. Cost: O(1), however many rooms it is in and members the room has. */
WSHUB_API wshub_err wshub_client_join(wshub *hub, wshub_client client, wshub_str room);
/* Takes a client out of a room, its own-id room and the default rooms too (ROOM-3, ROOM-4).
 *   room  borrowed
 * Returns  OK, also if it was not in there; STALE; PARAM: no name of a room. Cost: O(1). */
WSHUB_API wshub_err wshub_client_leave(wshub *hub, wshub_client client, wshub_str room);
/* Is this client in that room? room: borrowed. Cost: O(1). */
WSHUB_API bool wshub_client_in_room(const wshub *hub, wshub_client client, wshub_str room);
/* Goes through a client's rooms, its own-id room included.
 *   iter      zeroed to begin; joining and leaving meanwhile are safe (wshub_iter)
 *   out_room  a view, valid as long as the client is in it
 * Returns  false: no more, or the client is gone. */
WSHUB_API bool wshub_client_each_room(const wshub *hub, wshub_client client, wshub_iter *iter,
                                      wshub_str *out_room);

/* ---- >>api-room --------------------------------------------------------------------------------
 * Rooms and users of this hub; what other instances hold is not seen from here. Members come in
 * no particular order; whoever joins or leaves while you look is safe (wshub_iter). Members that
 * have not authenticated (wshub_client_join()) are among them. Counts hold those who are closed
 * and not yet reported gone, walks do not show them (>>life). Names that go in are borrowed, names
 * of no room or user find nobody; names that come out (out_room, out_user_id) are views, valid as
 * long as the room or user is there. out_client is the next one; where a walk returns false,
 * nothing was written. Thread: the hub's; allowed in
 * callbacks. Cost: O(1), a step. */

/* How many members has a room? 0: there is no such room. */
WSHUB_API size_t wshub_room_count(const wshub *hub, wshub_str room);
/* Goes through the members of a room. iter: zeroed to begin. Returns false: no more. */
WSHUB_API bool wshub_room_each_member(const wshub *hub, wshub_str room, wshub_iter *iter,
                                      wshub_client *out_client);
/* Goes through all rooms, own-id rooms too. iter: zeroed to begin. Returns false: no more. A room
 * that is named like a client's id may be missed if that client goes meanwhile. */
WSHUB_API bool wshub_room_each(const wshub *hub, wshub_iter *iter, wshub_str *out_room);

/* How many clients has the user of this user_id here? 0: none. Inside on_disconnected the client
 * that is gone is not counted any more. */
WSHUB_API size_t wshub_user_count(const wshub *hub, wshub_str user_id);
/* Goes through the clients of a user. iter: zeroed to begin. Returns false: no more. */
WSHUB_API bool wshub_user_each_client(const wshub *hub, wshub_str user_id, wshub_iter *iter,
                                      wshub_client *out_client);
/* Goes through all users. iter: zeroed to begin. Returns false: no more. */
WSHUB_API bool wshub_user_each(const wshub *hub, wshub_iter *iter, wshub_str *out_user_id);

/* ---- >>api-send --------------------------------------------------------------------------------
 * Sends of one event (>>sending has a table of all). Those that end in `_here`, and those that take
 * a client's handle, reach clients of this hub alone; all others reach all instances. A message is
 * encoded once, however many receive it, and leaves in this turn's settle.
 *   msg            event and data; borrowed
 *   exclude        ids of clients to leave out, exclude_count of them, UTF-8; borrowed; ids that
 *                  nobody has are ignored; NULL: none
 *   user_id, room  UTF-8, at most WSHUB_NAME_BYTES_MAX bytes; borrowed; of the first realm
 * Returns  OK, also where nobody is there; PARAM: msg is NULL, its event is absent, too long or not
 *          UTF-8, or another argument breaks its contract; JSON: data is not JSON in UTF-8; LIMIT:
 *          it is over WSHUB_MSG_BYTES_MAX; NOMEM: nobody got it. What happens to one receiver of
 *          many (dropped for backpressure) is counted, logged and told by on_pressure; it is no
 *          error of the sender.
 * Thread   the hub's; allowed in callbacks. Cost: one encoding, then some 15 ns a member; what one
 *          room, or everybody, is sent without a break costs them once, unless ids are excluded, a
 *          transformer is set, encryption is required or backpressure closes. */

/* Sends to one client of this hub, in any state (SEND-2).
 * Returns  further: STALE; CLEAR: its keys are not agreed; DROPPED: it has too much unsent, or
 *          close_on_backpressure has ended it for that (SEND-6); PARAM: its dialect has no words
 *          for it (the statistic unsayable); or what else its kind's encode function has
 *          returned. To a client with a transformer before it, OK means that the transformer is
 *          asked: what is dropped there is counted and told (on_pressure). */
WSHUB_API wshub_err wshub_client_send(wshub *hub, wshub_client client, const wshub_msg *msg);
/* Sends bytes as they are to one client of this hub, as a binary WebSocket message.
 *   bytes  count of them, at most WSHUB_MSG_BYTES_MAX; borrowed; NULL with count 0: an empty one
 * Returns  as wshub_client_send(); CLEAR also to an encrypted client, where there is
 *          on_transform_out; PARAM: bytes is NULL and count is not 0; LIMIT: over
 *          WSHUB_MSG_BYTES_MAX. */
WSHUB_API wshub_err wshub_client_send_binary(wshub *hub, wshub_client client, const uint8_t *bytes,
                                             size_t count);

/* Answers a message of a client of this hub: as wshub_client_send(), and the message bears the id
 * of what it answers, so that a page that waits for it can tell (SEND-7):
 * {"event":...,"data":...,"id":...}.
 *   id  raw JSON: wshub_event.id, or what you have kept of it; borrowed; ptr NULL: the client gave
 *       none, and gets an event like any other
 * Returns  further: JSON also where id is none; LIMIT also where it is over WSHUB_MSG_BYTES_MAX. */
WSHUB_API wshub_err wshub_client_reply(wshub *hub, wshub_client client, wshub_str id,
                                       const wshub_msg *msg);

/* Send to the clients of a user, to the members of a room, to everybody, on this hub (SEND-1). The
 * event may be empty, and data may be absent.
 * Return   as above, without STALE, CLEAR and DROPPED. */
WSHUB_API wshub_err wshub_user_send_here(wshub *hub, wshub_str user_id, const wshub_msg *msg);
WSHUB_API wshub_err wshub_room_send_here(wshub *hub, wshub_str room, const wshub_msg *msg,
                                         const wshub_str *exclude, size_t exclude_count);
WSHUB_API wshub_err wshub_all_send_here(wshub *hub, const wshub_msg *msg, const wshub_str *exclude,
                                        size_t exclude_count);
/* Sends to whatever dest says, on this hub. It knows what only one hub can know: several rooms,
 * nobody twice, and who is in other rooms left out (wshub_dest.rooms, except_rooms); and it knows
 * other realms than the first.
 *   dest  borrowed; NULL: everybody in the first realm
 * Returns  further: STALE: no such realm. */
WSHUB_API wshub_err wshub_send_here(wshub *hub, const wshub_dest *dest, const wshub_msg *msg);

/* Send the same on all instances: deliver here and publish (SEND-1, SEND-4). user_id and room are
 * not empty.
 * Returns  further: PARAM: the event is empty or data is absent (SEND-3); CLOSED: the hub is down
 *          (wshub_is_down()), nobody would hear of it. The bus being down is no error: what is
 *          published is kept for a while (BUS-5), and what has to go is counted and logged. */
WSHUB_API wshub_err wshub_user_send(wshub *hub, wshub_str user_id, const wshub_msg *msg);
WSHUB_API wshub_err wshub_room_send(wshub *hub, wshub_str room, const wshub_msg *msg,
                                    const wshub_str *exclude, size_t exclude_count);
WSHUB_API wshub_err wshub_all_send(wshub *hub, const wshub_msg *msg, const wshub_str *exclude,
                                   size_t exclude_count);
/* Sends to whatever dest says, on all instances (SEND-3, SEND-4): a client by its id, for example.
 * In another realm than the first the dialect that speaks for it tells the others
 * (wshub_realm_desc.dialect, wshub_dialect.publish); without one it reaches this hub alone.
 *   dest  borrowed; NULL: everybody; in the first realm without rooms and except_rooms (PARAM),
 *         which an envelope has no words for
 * Returns  as above; further: STALE: no such realm; or what that dialect has returned. */
WSHUB_API wshub_err wshub_send(wshub *hub, const wshub_dest *dest, const wshub_msg *msg);

/* ---- >>api-ask ---------------------------------------------------------------------------------
 * Answers to what a callback was asked: inside that callback or at any time later, once. All return
 * STALE where the question was answered before or the client is gone, which is harmless, and STATE
 * where the question is of another kind. Thread: the hub's; allowed in callbacks; for other threads
 * there is the same below >>api-post. */

/* Accepts a client (AUTH-3): it is authenticated (AUTH-7), or asked for its keys if
 * require_encryption (AUTH-5).
 *   who  copied; NULL: anonymous, without metadata
 * Returns  OK; STALE; STATE; PARAM: user_id is no UTF-8 or too long; JSON: metadata; NOMEM; LIMIT:
 *          users_max, or a limit on rooms; or what wshub_dialect.accepted has returned. After an
 *          error the question stays open. */
WSHUB_API wshub_err wshub_auth_accept(wshub *hub, wshub_ask ask, const wshub_identity *who);

/* Accepts the key exchange of a client (AUTH-5): it is encrypted and authenticated.
 *   server_public_key, salt  UTF-8; borrowed; sent in `connected`; ptr NULL: left out
 * Returns  OK; STALE; STATE; PARAM: no UTF-8; NOMEM; LIMIT, as above. After an error the question
 *          stays open. */
WSHUB_API wshub_err wshub_handshake_accept(wshub *hub, wshub_ask ask, wshub_str server_public_key,
                                           wshub_str salt);

/* Joins a client to rooms, usually a subset of those that it asked for (ROOM-2).
 *   rooms  count names, UTF-8, 1..WSHUB_NAME_BYTES_MAX bytes each; borrowed; count 0: none
 * Returns  OK; STALE; STATE; PARAM, and the question stays open; NOMEM or LIMIT: the error of the
 *          first room that could not be joined; all others were. Cost: O(count). */
WSHUB_API wshub_err wshub_join_accept(wshub *hub, wshub_ask ask, const wshub_str *rooms,
                                      size_t count);

/* Says what a message becomes (ENC-1): what is sent, or what the client is taken to have said.
 *   msg  borrowed; NULL: as it was. An empty event from a client is dropped
 * Returns  OK; STALE; STATE; PARAM, JSON, LIMIT: of msg; NOMEM. After an error the question stays
 *          open. */
WSHUB_API wshub_err wshub_transform_accept(wshub *hub, wshub_ask ask, const wshub_msg *msg);

/* Says no: the client is refused and closed (AUTH-4, AUTH-5), or joins nothing; a transformer that
 * says no has failed (ENC-2). Returns OK; STALE. */
WSHUB_API wshub_err wshub_ask_reject(wshub *hub, wshub_ask ask);

/* Says that your side could not find out: as above, but the client is told of an error and not of a
 * refusal (AUTH-4, AUTH-5), and the failure is counted and logged (ROOM-2, ENC-2). Returns OK;
 * STALE. */
WSHUB_API wshub_err wshub_ask_fail(wshub *hub, wshub_ask ask);

/* ---- >>api-dialect ---------------------------------------------------------------------------
 * What a dialect is made of (>>dialects): how events look on the wire, what a message of a stream
 * means, and how an event of the hub is written. The JSON messages are the built-in one, mounted
 * on wshub_desc.path, and use nothing else; further ones stand beside it in the same hub. The hub
 * keeps clients, rooms, users, authentication, encryption, limits and clocks; a dialect reads and
 * writes words.
 *
 * The way in: the mount of the dialect hands it a message; wshub_conn_heard() or
 * wshub_client_heard() tells the hub that there was one and says who that is and how far it has
 * come; the dialect reads it and calls wshub_client_authenticate(), wshub_client_ask_join(),
 * wshub_client_leave() or, with an event of the application's, wshub_client_event(), through
 * wshub_client_receive() where it may be encrypted. The way out: an encode function for each kind
 * of wire (wshub_kind). What the hub itself has to say to a client, it says by the functions of
 * wshub_dialect.
 *
 * Callbacks run on the hub's thread, from inside other calls of yours or from settle, and may
 * call anything, unless it says otherwise. Their texts are views until they return. Of the
 * functions, too, the thread is the hub's; all are allowed in callbacks; texts are borrowed.
 * Cost, where none is given: O(1). */

/* One peer at the far end: one out-queue, one heartbeat, and the clients that it has (one in the
 * JSON dialect). {0}: none. Stale when its stream, or the session that was lent, has ended. */
/* clang-format off */
typedef struct wshub_session { uint64_t id; } wshub_session;
/* clang-format on */

/* Why somebody is not accepted (wshub_dialect.refused). */
typedef enum wshub_refusal {
    WSHUB_REFUSED_AUTH = 1,  /* on_authenticate said no, or there is none (AUTH-4) */
    WSHUB_REFUSED_FAILED,    /* a callback failed (AUTH-4) */
    WSHUB_REFUSED_HANDSHAKE, /* on_handshake said no (AUTH-5) */
    WSHUB_REFUSED_CLEAR      /* require_encryption without on_handshake (AUTH-5) */
} wshub_refusal;

/* What a client is told when it is accepted (AUTH-7). Views; ptr NULL: there is none of it. */
typedef struct wshub_acceptance {
    wshub_str user_id;                 /* as it was accepted; may be empty */
    wshub_str server_public_key, salt; /* of the key exchange (AUTH-5) */
} wshub_acceptance;

/* All that a message can be; a wshub_msg is one with an event and at most one argument. Zero it
 * before you fill it. A client whose dialect cannot say a packet does not get it (the statistic
 * unsayable): the JSON dialect says an event with at most one argument and an id.
 * Borrowed. */
typedef struct wshub_packet {
    wshub_str event;       /* UTF-8, unescaped */
    const wshub_str *args; /* JSON each, args_count of them; checked as wshub_msg.data is */
    size_t args_count;
    bool args_are_json;            /* you know that; as wshub_msg.data_is_json */
    const wshub_span *attachments; /* bytes that belong to it, attachments_count of them */
    size_t attachments_count;
    wshub_str id;   /* JSON, of what it answers (SEND-7); ptr NULL: it answers nothing */
    uint32_t flags; /* WSHUB_PACKET_..., added up */
} wshub_packet;
/* It is worth nothing later: dropped for who has something unsent. */
#define WSHUB_PACKET_VOLATILE 1u
/* It is not to be compressed, where that is possible. */
#define WSHUB_PACKET_NO_COMPRESS 2u

/* Of wshub_dialect, and of what a dialect and its hub hand to each other. */
#define WSHUB_DIALECT_VERSION 1u
/* How many dialects one hub may have, the JSON dialect included. */
#define WSHUB_DIALECTS_MAX 16

/* Where a function of yours writes: encode of a kind, convert of a dialect. */
typedef struct wshub_writer wshub_writer;
/* Makes room behind what has been committed. What was not committed is lost with the next call.
 *   bytes    how many are to be written at most
 * Returns  where they go; NULL: out of memory.
 * Inside encode and convert only. */
WSHUB_API uint8_t *wshub_writer_room(wshub_writer *out, size_t bytes);
/* Says that so many of them have been written, at most those that were asked for. */
WSHUB_API void wshub_writer_commit(wshub_writer *out, size_t bytes);
/* Writes and commits a whole WebSocket frame, text or binary, but for its payload.
 *   payload_bytes  how long that is
 * Returns  where it goes, to be written before anything else is made room for; NULL: out of memory.
 * Inside encode and convert only. */
WSHUB_API uint8_t *wshub_writer_frame(wshub_writer *out, bool text, size_t payload_bytes);

/* The functions of a dialect, which the hub calls. Zero a table before you fill it. user: what
 * wshub_dialect_add() was given. */
typedef struct wshub_dialect {
    uint32_t version; /* WSHUB_DIALECT_VERSION */
    const char *name; /* for people; required; borrowed as long as the hub lives */
    /* Tells a client that it is about to be accepted, with wshub_client_welcome(). Whatever else
     * than OK is returned, the acceptance has failed with that and nothing has changed. Must call
     * nothing else that changes the hub. NULL: it is told nothing. */
    wshub_err (*accepted)(wshub *hub, wshub_client client, const wshub_acceptance *what,
                          void *user);
    /* Tells a client that it is not accepted, and ends it. NULL: wshub_client_end(). */
    void (*refused)(wshub *hub, wshub_client client, wshub_refusal why, void *user);
    /* Tells a client in your words that it is to go, and ends it or its stream.
     *   cause   BY_APP, or BY_SHUTDOWN with a code: wshub_client_close() or wshub_drain() said code
     *           and reason; else code is 0 and the words are yours: BY_AUTH: no authentication in
     *           time (AUTH-1); BY_TIMEOUT: not heard of (LIVE-1); BY_SHUTDOWN (BYE-2)
     * NULL: the stream is closed with that code, 0: 1008, and without a reason; at a shutdown with
     * 1001. */
    void (*close)(wshub *hub, wshub_client client, wshub_cause cause, uint16_t code,
                  wshub_str reason, void *user);
    /* Hands over an event of a client that is authenticated, in clear: it has passed the inbound
     * transformer (ENC-1), if there is one. Call wshub_client_event() with what is the
     * application's. NULL: all of it is. */
    void (*event)(wshub *hub, wshub_client client, const wshub_event *event, void *user);
    /* Tells that something is queued for a lent session (wshub_session_lend()), in settle: hand it
     * out now or later, with wshub_session_spans() and wshub_session_taken(). Required for who
     * lends. */
    void (*owed)(wshub *hub, wshub_session session, size_t bytes, void *user);
    /* Tells that a lent session ends, once, whoever has ended it: limits, memory, a shutdown, the
     * end of the hub, you; it is gone when this returns. Its clients are told of as always. NULL:
     * nobody is told. */
    void (*session_gone)(wshub *hub, wshub_session session, wshub_cause cause, void *user);
    /* Writes a message that waits in a lent session as the wire has it to which that moves
     * (wshub_session_move()). Writing nothing leaves it out. Must call nothing that changes the
     * hub.
     *   message  whole, as its kind wrote it
     * Returns  OK; whatever else: the session does not move. NULL: messages stay as they are. */
    wshub_err (*convert)(wshub *hub, wshub_session session, wshub_span message, wshub_writer *out,
                         void *user);

    /* On the bus (>>buses), in the realms that name this dialect (wshub_realm_desc.dialect): */

    /* What all channels of this dialect begin with: 1 to WSHUB_BUS_PREFIX_BYTES_MAX bytes of plain
     * ASCII without `*`, `?`, `[`, `]` and `\`. Two dialects of a hub have prefixes of which
     * neither begins with the other; `ws:` is that of the JSON dialect. Borrowed as long as the hub
     * lives. NULL: this dialect does not speak on the bus, and the four below are NULL too. */
    const char *bus_prefix;
    /* Publishes in your words, with wshub_bus_publish(), what is sent to all instances in a realm;
     * here it has been delivered already. Called where there is a bus.
     *   dest  its kind is not RESOLVE
     * What is returned the send returns, if the delivery here has not failed. NULL: sends in your
     * realms stay on this hub. */
    wshub_err (*publish)(wshub *hub, wshub_realm realm, const wshub_dest *dest,
                         const wshub_packet *packet, void *user);
    /* Hands over a message on a channel that you have subscribed to, with wshub_send_here() to be
     * brought to whom it concerns. It is data from outside: whoever may publish there has written
     * it. This hub's own messages may come too (put wshub_server_id() into yours, BUS-3), and one
     * that two subscriptions fit may come twice.
     *   channel  without the prefix   payload  any bytes */
    void (*on_bus)(wshub *hub, wshub_str channel, wshub_str payload, void *user);
    /* Tells that the first client, user or room of a name has come to a realm, or that the last has
     * gone: for who subscribes to the channels of who is here (BUS-4; wshub_desc.bus_exact asks for
     * that). Called while the bus is connected; when it has been connected anew, for all that are
     * here. Called in the middle of a change: must call nothing but questions,
     * wshub_bus_subscribe() and wshub_bus_unsubscribe().
     *   kind  CLIENT, USER or ROOM. A client's own room (AUTH-7) is a room too */
    void (*on_name)(wshub *hub, wshub_realm realm, wshub_dest_kind kind, wshub_str name, bool here,
                    void *user);
    /* Tells how the bus is. CONNECTED: nothing is subscribed to (any more): do it now, but for what
     * on_name asks for, which follows. Also said in settle where wshub_dialect_add() finds the bus
     * connected (or UP, which is not said then), and again where memory was wanting: subscribing
     * to what is subscribed to already does no harm. UP and DOWN: as on_bus of wshub_desc, behind
     * it. */
    void (*on_bus_state)(wshub *hub, wshub_bus_state state, void *user);
} wshub_dialect;
/* The longest bus_prefix, in bytes. */
#define WSHUB_BUS_PREFIX_BYTES_MAX 64
/* The longest name of a channel behind it, in bytes: room for two names and what parts them. */
#define WSHUB_BUS_CHANNEL_BYTES_MAX (2 * WSHUB_NAME_BYTES_MAX + 64)

/* Adds a dialect to a hub, for good.
 *   dialect      borrowed; the table is copied
 *   user         last argument of its functions
 *   out_dialect  what wshub_client_desc.dialect is given; never 0, which is the JSON dialect
 * Returns  OK; PARAM: a table of another version, or without a name, or with a bus_prefix that is
 *          none or meets another's, or without one that the table needs; LIMIT:
 *          WSHUB_DIALECTS_MAX. */
WSHUB_API wshub_err wshub_dialect_add(wshub *hub, const wshub_dialect *dialect, void *user,
                                      uint32_t *out_dialect);

/* Publishes bytes on a channel of a dialect. While the bus is down they are kept, to the limits of
 * all publications, and what has to go is counted and logged (BUS-5).
 *   dialect  of wshub_dialect_add(), with a bus_prefix
 *   channel  behind that: at most WSHUB_BUS_CHANNEL_BYTES_MAX bytes, of any kind
 *   payload  any bytes, at most WSHUB_MSG_BYTES_MAX
 * Returns  OK; PARAM: no such dialect, or no such channel; LIMIT: too long a payload; STATE: there
 *          is no bus, or it has been left; NOMEM. */
WSHUB_API wshub_err wshub_bus_publish(wshub *hub, uint32_t dialect, wshub_str channel,
                                      wshub_str payload);
/* Subscribe to a channel of a dialect, or to all that begin alike, and give it up again, after
 * bus_linger_ms. What is subscribed to already, or not at all, stays as it is. While the bus is not
 * connected nothing is done: on_bus_state and on_name will come.
 *   channel  as above
 *   pattern  it ends in `*`, which stands for anything; `?`, `[`, `]`, `\` and further `*` are
 *            not in it. false: all of these are only characters
 * Return  OK; PARAM: no such dialect or channel; NOMEM: where it was to be subscribed to,
 *         on_bus_state and on_name are called again in a later turn, for all of it. */
WSHUB_API wshub_err wshub_bus_subscribe(wshub *hub, uint32_t dialect, wshub_str channel,
                                        bool pattern);
WSHUB_API wshub_err wshub_bus_unsubscribe(wshub *hub, uint32_t dialect, wshub_str channel,
                                          bool pattern);

/* A kind of wire: how an event looks to some clients. Each message is written once for each kind
 * that one of its receivers has. 0: the frames of the JSON dialect, `{"event":...,"data":...}`. */
typedef uint8_t wshub_kind;
/* How many kinds one hub may have, the JSON dialect's included. */
#define WSHUB_KINDS_MAX 64

/* How a kind writes. */
typedef struct wshub_kind_desc {
    /* Writes one message as a client of this kind is to get it, whole: frames with their heads,
     * or whatever its transport takes. What it wrote is never looked into again. Must call
     * nothing that changes the hub. Required.
     *   packet  event ptr NULL: bytes for wshub_client_send_binary(), in attachments[0]
     * Returns  OK; PARAM: this kind cannot say it (counted, nobody of this kind gets it); NOMEM. OK
     *          without a byte that was committed counts as APP. */
    wshub_err (*encode)(wshub *hub, wshub_kind kind, const wshub_packet *packet, wshub_writer *out,
                        void *user);
    /* For people, and for hubs of one process, which find a kind by it; required; borrowed as long
     * as the hub lives. */
    const char *name;
    void *user; /* last argument of encode */
} wshub_kind_desc;

/* Adds a kind of wire to a hub, for good.
 *   desc      borrowed
 *   out_kind  what wshub_client_desc.kind is given; never 0
 * Returns  OK; PARAM: no encode or no name; LIMIT: WSHUB_KINDS_MAX. */
WSHUB_API wshub_err wshub_kind_add(wshub *hub, const wshub_kind_desc *desc, wshub_kind *out_kind);

/* Send a packet, as wshub_send_here(), wshub_send() and wshub_client_send() send an event. To all
 * instances in the first realm goes one with exactly one argument, and nothing else (PARAM), since
 * that is what an envelope can say. To an encrypted client go events with at most one argument and
 * nothing else: a transformer knows no more; anything else is dropped for it (the statistic
 * unsayable).
 * Return   as those, of args as of data; further: PARAM: args or attachments without their list,
 *          an argument or attachment without its bytes; DROPPED, to one client:
 *          WSHUB_PACKET_VOLATILE, and it has something unsent. */
WSHUB_API wshub_err wshub_packet_send_here(wshub *hub, const wshub_dest *dest,
                                           const wshub_packet *packet);
WSHUB_API wshub_err wshub_packet_send(wshub *hub, const wshub_dest *dest,
                                      const wshub_packet *packet);
WSHUB_API wshub_err wshub_client_send_packet(wshub *hub, wshub_client client,
                                             const wshub_packet *packet);

/* Changes the kind of a client, for what is sent from here on; what is queued stays as it is
 * written.
 * Returns OK; STALE; PARAM: no such kind. */
WSHUB_API wshub_err wshub_client_set_kind(wshub *hub, wshub_client client, wshub_kind kind);
/* Tells the kind of a client. 0: that of the JSON dialect, or the client is gone. */
WSHUB_API wshub_kind wshub_client_kind(const wshub *hub, wshub_client client);

/* Tells the session of an open WebSocket stream, which is the stream's own. {0}: the conn is
 * none. */
WSHUB_API wshub_session wshub_conn_session(const wshub *hub, wshub_conn conn);
/* Tells the newest client of a session. {0}: it has none. */
WSHUB_API wshub_client wshub_session_client(const wshub *hub, wshub_session session);
/* Tells the client of a stream whose session has one. {0}: none. */
WSHUB_API wshub_client wshub_conn_client(const wshub *hub, wshub_conn conn);
/* Tells the session of a client. {0}: the client is gone. */
WSHUB_API wshub_session wshub_client_session(const wshub *hub, wshub_client client);
/* Goes through the clients of a session, the newest first. Ending one meanwhile is safe; adding one
 * is not.
 *   iter        zeroed to begin
 *   out_client  the next one
 * Returns  false: no more, or the session is gone. */
WSHUB_API bool wshub_session_each_client(const wshub *hub, wshub_session session, wshub_iter *iter,
                                         wshub_client *out_client);

/* Opens a session without a conn: what its clients are sent is queued as for any other, with the
 * same limits, and handed to the dialect (owed). A session that polls is such a one.
 *   dialect  of wshub_dialect_add(), with `owed`
 *   owner    yours, for wshub_session_owner()
 * Returns  OK; PARAM: no out_session, no such dialect, or it has no owed; LIMIT: conns_max; NOMEM;
 *          CLOSED: the hub is shutting down. */
WSHUB_API wshub_err wshub_session_lend(wshub *hub, uint32_t dialect, void *owner,
                                       wshub_session *out_session);
/* Gives back what a session was lent with. NULL: it was not lent, or is gone. */
WSHUB_API void *wshub_session_owner(const wshub *hub, wshub_session session);
/* Shows what is queued for a lent session, from the front: spans, each of which is one message as
 * its kind wrote it, or what is left of it.
 *   spans  at most cap are written; views until the next call that changes the hub
 * Returns  how many there are in all; 0: none, or no lent session. */
WSHUB_API size_t wshub_session_spans(const wshub *hub, wshub_session session, wshub_span *spans,
                                     size_t cap);
/* Says that so many bytes of it have been handed out. Returns OK; STALE; PARAM: more than is
 * queued, or not lent. */
WSHUB_API wshub_err wshub_session_taken(wshub *hub, wshub_session session, size_t bytes);
/* Says that a session's peer has been heard of (a pong of its own): that is no silence (LIVE-1).
 * Returns OK; STALE. */
WSHUB_API wshub_err wshub_session_heard(wshub *hub, wshub_session session);
/* Ends a session: its clients are gone, with cause, code and reason, and told of in settle (BYE-1);
 * a conn is closed with that code. code and reason: as in wshub_client_close(). Returns OK; STALE;
 * PARAM. */
WSHUB_API wshub_err wshub_session_end(wshub *hub, wshub_session session, wshub_cause cause,
                                      uint16_t code, wshub_str reason);

/* Which kind of wire becomes which, where a session moves. */
typedef struct wshub_kind_change {
    wshub_kind from, to; /* of wshub_kind_add(), or 0 */
} wshub_kind_change;
/* Moves a lent session to a WebSocket (an upgrade of Engine.IO): what waits goes over, rewritten
 * message by message (wshub_dialect.convert), behind what is queued there already and whatever the
 * limits, then the clients, who keep their handles, names, rooms, metadata and what is still with a
 * transformer. Statistics do not count again what was queued before. The lent session has ended
 * then, and session_gone is told of it (BY_APP).
 *   from     a lent session whose first message has not been handed out in part
 *   to       that of an open WebSocket without clients (wshub_conn_session())
 *   changes  of the clients' kinds, changes_count of them; kinds that are not among them stay;
 *            borrowed; NULL: none
 * Returns  OK; STALE: one of them is gone or ends; PARAM: from is not lent, to is, or no such kind;
 *          STATE: to has clients, or a message has been handed out in part; NOMEM; or what convert
 *          has returned. Unless OK nothing has changed. Cost: O(what waits). */
WSHUB_API wshub_err wshub_session_move(wshub *hub, wshub_session from, wshub_session to,
                                       const wshub_kind_change *changes, size_t changes_count);

/* A new client. Zero it before you fill it. Borrowed. */
typedef struct wshub_client_desc {
    uint32_t dialect; /* of wshub_dialect_add(); 0: the JSON dialect */
    wshub_kind kind;  /* of wshub_kind_add(); 0: that of the JSON dialect */
    wshub_str id;     /* 1..WSHUB_CLIENT_ID_BYTES_MAX bytes, UTF-8, unique in its realm; copied; ptr
                         NULL: a UUID v4 */
    void *user_ptr;   /* wshub_client_user_ptr() */
    wshub_realm realm; /* in which it is, for good */
} wshub_client_desc;
/* The longest id that a client may be given, in bytes. */
#define WSHUB_CLIENT_ID_BYTES_MAX 40

/* Adds a client to a session, UNAUTHORIZED: auth_timeout_ms runs from now (AUTH-1). on_opened is
 * not called: see wshub_client_opened().
 *   desc  borrowed; required
 * Returns  OK; STALE: no such session or realm; PARAM: no desc, no out_client, no such dialect or
 *          kind, or an id that is none; STATE: the id is taken; LIMIT: clients_max; CLOSED:
 *          draining or shutting down; NOMEM. */
WSHUB_API wshub_err wshub_client_add(wshub *hub, wshub_session session,
                                     const wshub_client_desc *desc, wshub_client *out_client);
/* Takes a client back that nobody has been told of, as if it had never been. Returns OK; STALE;
 * STATE: it has asked to be authenticated already, is in a room, or has metadata. */
WSHUB_API wshub_err wshub_client_cancel(wshub *hub, wshub_client client);
/* Tells the application of a new client (on_opened). Returns OK; STALE. */
WSHUB_API wshub_err wshub_client_opened(wshub *hub, wshub_client client);
/* Ends a client, and not its session: gone with cause, code and reason, told of in settle (BYE-1).
 * Nothing is sent. Returns OK; STALE; PARAM: the reason is not UTF-8. */
WSHUB_API wshub_err wshub_client_end(wshub *hub, wshub_client client, wshub_cause cause,
                                     uint16_t code, wshub_str reason);

/* What a dialect needs to know of who has sent a message. */
typedef struct wshub_heard {
    wshub_client client; /* {0}: nobody */
    wshub_state state;   /* DISCONNECTED: read nothing, the client is gone or has just been ended */
    bool transforms; /* its events have to pass the inbound transformer: wshub_client_receive() */
} wshub_heard;
/* Say that a message of so many bytes has come from a client: it is counted, ends silence
 * (MSG-1), and before acceptance counts against preauth_messages_max and preauth_bytes_max. The
 * first form: from a stream whose session has one client. */
WSHUB_API wshub_heard wshub_conn_heard(wshub *hub, wshub_conn conn, size_t bytes);
WSHUB_API wshub_heard wshub_client_heard(wshub *hub, wshub_client client, size_t bytes);

/* Says that a client asks to be authenticated: on_authenticate is asked (AUTH-2, AUTH-3).
 *   data  raw JSON; ptr NULL: {}
 * Returns  OK, also where the answer is no already; STALE; STATE: it has asked before. */
WSHUB_API wshub_err wshub_client_authenticate(wshub *hub, wshub_client client, wshub_str data);
/* May a client ask for a room of that name (ROOM-1)? A room that is named like a client of its
 * realm is that client's. */
WSHUB_API bool wshub_client_may_join(const wshub *hub, wshub_client client, wshub_str room);
/* Says that a client asks for rooms: on_join is asked (ROOM-2).
 *   rooms  those that it may ask for (wshub_client_may_join()), count of them, at least one
 * Returns  OK; STALE; STATE: it is not authenticated; and, counted and logged: LIMIT:
 *          asks_per_client_max; APP: there is no on_join; NOMEM. */
WSHUB_API wshub_err wshub_client_ask_join(wshub *hub, wshub_client client, const wshub_str *rooms,
                                          size_t count);
/* Says that an event of an authenticated client has arrived: it goes through the inbound
 * transformer, if the client is encrypted and there is one, then to wshub_dialect.event (ENC-1).
 * Returns  OK, also if it was dropped and counted; STALE; STATE: it is not authenticated, or the
 *          transformer has an event of it and has yet to answer: keep this one until then. */
WSHUB_API wshub_err wshub_client_receive(wshub *hub, wshub_client client, const wshub_event *event);
/* Hand an event to the application (on_message), or bytes (on_binary): a failure is counted and
 * logged (MSG-8), an event that nobody takes is counted (MSG-7). Return OK; STALE; of bytes also
 * STATE: there is no on_binary. */
WSHUB_API wshub_err wshub_client_event(wshub *hub, wshub_client client, const wshub_event *event);
WSHUB_API wshub_err wshub_client_binary(wshub *hub, wshub_client client, const uint8_t *bytes,
                                        size_t count);

/* Says something of the dialect's own to a client (an error, an acknowledgement): encrypted as
 * events are, whatever require_encryption asks. Before acceptance one unread reply is enough: a
 * peer that does not read gets no second one (DROPPED). Returns as wshub_client_send(), but never
 * CLEAR. */
WSHUB_API wshub_err wshub_client_tell(wshub *hub, wshub_client client, const wshub_msg *msg);
/* Says the first word to who is accepted: in clear, whatever waits. Inside `accepted` only; msg is
 * taken to be in order. Returns OK; STALE; NOMEM, also where its kind has no words for it. */
WSHUB_API wshub_err wshub_client_welcome(wshub *hub, wshub_client client, const wshub_msg *msg);
/* Logs what was wrong with a message, and counts it where a statistic goes with the code:
 * MSG_INVALID, MSG_IGNORED, JOIN_REFUSED, PROTO, and of the bus BUS_BAD, where client is {0}.
 *   count   how often it is counted; it is logged once
 *   detail  yours, for people, terminated; "": none
 *   text    the peer's, which is escaped; ptr NULL: none */
WSHUB_API void wshub_client_report(wshub *hub, wshub_client client, wshub_log_code code,
                                   uint32_t count, const char *detail, wshub_str text);

/* Shows the description of a hub, its defaults filled in; a view, valid as long as the hub. Its
 * lists of texts are NULL: the hub has copies of its own. */
WSHUB_API const wshub_desc *wshub_desc_get(const wshub *hub);
/* Gives memory of the hub's allocator, takes it back, or resizes it, as wshub_alloc_fn does.
 *   ptr  what this function gave, of old_bytes; NULL if that is 0
 * Returns  new_bytes of memory; NULL: there is none (ptr is as it was), or new_bytes is 0. */
WSHUB_API void *wshub_alloc(wshub *hub, void *ptr, size_t old_bytes, size_t new_bytes);
/* Tells the time of day, in milliseconds since 1970 UTC; it may jump. */
WSHUB_API uint64_t wshub_wall_ms(const wshub *hub);
/* Writes a time of day as `2026-01-31T09:30:00.000Z`, 24 bytes, not terminated.
 *   wall_ms  since 1970 UTC; beyond the year 9999 it means nothing
 * Thread   any; pure. */
WSHUB_API void wshub_iso_time(uint64_t wall_ms, char out_text[24]);

/* ---- >>api-http --------------------------------------------------------------------------------
 * Answers to requests, whoever has taken them: on_request, or a mount (>>api-mount). Thread: the
 * hub's; allowed in callbacks. */

/* Answers a request that on_request took, inside it or later. The answer is queued and leaves in
 * this turn's settle; the next request of that stream is taken behind it, unless answers wait
 * unsent over http_answers_bytes_max (SEND-6).
 *   reply  borrowed
 * Returns  OK; STALE: the peer left, or it was answered before; STATE: an answer has begun, or
 *          on_answer is being asked about it; PARAM: no reply, or a status, name, value or
 *          content_type that is not allowed; NOMEM. After PARAM and NOMEM it can be answered yet.
 * Thread   the hub's; allowed in callbacks. Cost: O(length of the answer), copied once. */
WSHUB_API wshub_err wshub_http_reply(wshub *hub, wshub_exchange exchange, const wshub_reply *reply);

/* Answers with a text, as `text/plain; charset=utf-8`.
 *   status  200..599
 *   text    UTF-8; borrowed
 * Returns  as wshub_http_reply().
 * Thread   the hub's; allowed in callbacks. Cost: O(length of the text). */
WSHUB_API wshub_err wshub_http_reply_text(wshub *hub, wshub_exchange exchange, int status,
                                          wshub_str text);
/* Answers with JSON, as `application/json`.
 *   status  200..599
 *   json    a whole value in UTF-8, which is checked (MSG-9), to WSHUB_JSON_DEPTH_MAX levels;
 *           borrowed
 * Returns  as wshub_http_reply(); JSON: it is none, and the request can be answered yet.
 * Thread   the hub's; allowed in callbacks. Cost: O(length of the JSON). */
WSHUB_API wshub_err wshub_http_reply_json(wshub *hub, wshub_exchange exchange, int status,
                                          wshub_str json);
/* Sends whoever asks elsewhere, with an empty body.
 *   status    301, 308: for good; 302, 307: this time; 303: to what answers a form that was posted,
 *             by GET. With 307 and 308 the method stays
 *   location  an absolute or relative reference (RFC 3986 4.1), in ASCII, percent-encoded where
 *             that is needed; borrowed. Where it comes from a peer, see that it leads nobody away:
 *             `//elsewhere.example` is another host
 * Returns  as wshub_http_reply(); PARAM also for another status, and for a location that is empty
 *          or has a character that no such reference has.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_http_redirect(wshub *hub, wshub_exchange exchange, int status,
                                        wshub_str location);

/* Begins an answer whose body is written piece by piece: what is too long to be held, or comes
 * bit by bit. Its head is queued; wshub_http_write() follows, as often as you like, then
 * wshub_http_end(). Requests behind this one wait until then. From here on answer_timeout_ms runs
 * from each call to the next, and when it has passed the stream is dropped; it does not run while
 * you wait for room. If the peer goes, or a clock runs out, on_exchange_gone tells, once; whatever
 * cuts the body short drops the stream, so that nobody takes it for whole.
 *   reply   as in wshub_http_reply(), without a body; borrowed
 *   length  of the body, announced as Content-Length; WSHUB_LENGTH_UNKNOWN: it goes in chunks, to
 *           a peer of HTTP/1.0 until the stream ends, who cannot tell a drop from that end where
 *           the io does not show it
 * A body in answer to HEAD, or with 204 and 304, may be written, and is not sent.
 * Returns  as wshub_http_reply(); PARAM also for a body in reply. After PARAM and NOMEM it can be
 *          answered yet.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_http_begin(wshub *hub, wshub_exchange exchange, const wshub_reply *reply,
                                     uint64_t length);
/* Writes the next piece of a body.
 *   bytes  count of them, at most 1 GiB; borrowed. count 0: nothing but your clock starts anew
 * Returns  OK: it is queued, whole; LIMIT: more than http_answers_bytes_max of this stream is
 *          unsent (SEND-6), nothing was taken: wait for on_exchange_drained; STALE; STATE: no
 *          answer has begun; PARAM: more than the length that was announced, or than 1 GiB; NOMEM.
 *          Unless OK nothing was taken.
 * Thread   the hub's; allowed in callbacks. Cost: O(count), copied once. */
WSHUB_API wshub_err wshub_http_write(wshub *hub, wshub_exchange exchange, const void *bytes,
                                     size_t count);
/* Makes room for the next piece of a body where it is sent from, so that it need not be copied:
 * read a file into it, and give what has become of it, from its first byte on, to
 * wshub_http_write(), before any other call into the hub. What is not given is forgotten.
 *   count      how many bytes at most, 1..WSHUB_HTTP_ROOM_MAX
 *   out_bytes  where they go
 * Returns  OK; LIMIT, STALE, STATE, NOMEM: as wshub_http_write(), to which you need not go with
 *          them then; PARAM: the count.
 * Thread   the hub's; allowed in callbacks. Cost: O(1). */
WSHUB_API wshub_err wshub_http_room(wshub *hub, wshub_exchange exchange, size_t count,
                                    uint8_t **out_bytes);
/* The most room that can be made at a time, in bytes. */
#define WSHUB_HTTP_ROOM_MAX 32768
/* Says that what has been written is enough for now, though there would be room:
 * on_exchange_drained tells when all of it has left. So the others have their turn in between, and
 * little lies about unsent, which is also quicker, as it is still in the processor's caches when it
 * leaves.
 * Returns  OK; STATE: no answer has begun, or nothing is unsent, and you can go on; STALE.
 * Thread   the hub's; allowed in callbacks. Cost: O(1). */
WSHUB_API wshub_err wshub_http_wait(wshub *hub, wshub_exchange exchange);
/* Ends a body. The exchange is stale from here on; what is unsent leaves, and the next request of
 * the stream is taken behind it.
 * Returns  OK; PARAM: less was written than the length that was announced, and the stream is
 *          dropped, as by wshub_http_drop(); STALE; STATE: no answer has begun; NOMEM: it is open
 *          still, end it again.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_http_end(wshub *hub, wshub_exchange exchange);
/* Refuses a request with a line of text and the end of its stream; counted and logged as the hub's
 * own refusals are (http_bad, and upgrades_refused).
 *   status  400..599
 *   text    terminated, at most 120 bytes; borrowed
 * Returns  OK; STALE; STATE: an answer has begun, or on_answer is being asked about it; PARAM: one
 *          of the two; NOMEM: the stream is dropped.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_http_refuse(wshub *hub, wshub_exchange exchange, int status,
                                      const char *text);
/* Hands a request over to another hub of this program, which another thread may run: what it says
 * is answered there, whole or in pieces, as if it had come there, with that hub's mounts, limits
 * and clocks; the stream stays here, and what is answered goes out on it byte for byte. The
 * exchange is stale from here on. If the peer leaves, the exchange there has gone (BY_PEER); if
 * that hub has no room for it or is shut down, 503 is answered here, and the stream is dropped if
 * an answer had begun. wshub_conn_about() of http->conn knows nothing there.
 *   exchange  nothing of it has been answered, its head can be looked at, its body has come whole
 *             or it has none
 *   to        another hub, alive during this call; it may be destroyed afterwards, as this one may
 * Returns  OK; STALE; STATE: an answer has begun, the head or body is not there (wait for on_body,
 *          or keep_head where there is no body), or it asks for a WebSocket; PARAM: no other hub;
 *          NOWAKE: an io of the two cannot be woken, or WSHUB_NO_THREADS; NOMEM.
 * Thread   the hub's; allowed in callbacks. The allocator of this hub is called by the thread of
 *          `to` as well, until both are destroyed.
 * Cost     the request is written anew once; of the answer 64 KiB at a time cross over. */
WSHUB_API wshub_err wshub_http_forward(wshub *hub, wshub_exchange exchange, wshub *to);
/* Drops the stream of an exchange in this turn, without an answer or without the rest of one.
 * on_exchange_gone is not called.
 * Returns  OK; STALE; STATE: on_answer is being asked about it.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_http_drop(wshub *hub, wshub_exchange exchange);
/* Grants a request for a WebSocket (wshub_http.handshake is 101; RFC 6455 4.2.2), now or later.
 * What its peer says before is held, up to held_bytes_max, and read then. The exchange is stale
 * from here on, and the WebSocket has the callbacks of its mount.
 *   answer    borrowed; NULL: no subprotocol, no further headers
 *   out_conn  the WebSocket; NULL: not wanted
 * Returns  OK; STALE; STATE: it is no such request, or an answer has begun; PARAM: a protocol or
 *          header that is not allowed; CLOSED: the hub is shutting down; NOMEM. Unless OK it can be
 *          answered yet.
 * Thread   the hub's; allowed in callbacks. */
WSHUB_API wshub_err wshub_http_upgrade(wshub *hub, wshub_exchange exchange,
                                       const wshub_upgrade_answer *answer, wshub_conn *out_conn);

/* ---- >>api-http-hand ---------------------------------------------------------------------------
 * HTTP at hand: what stands in a request, and what it wants of an answer. All of these are pure: no
 * hub, no allocation, any thread. What they are given is borrowed; texts that come out are views
 * into it, raw unless it is said otherwise. A peer may have written anything: what is not written
 * as it should be is not found, and nothing is read past its end (HTTP-1). */

/* Finds a header field of a request.
 *   name  terminated, in any case; borrowed
 * Returns  its value, a view as long as the request's; of several the first; ptr NULL: absent. */
WSHUB_API wshub_str wshub_http_header(const wshub_http *http, const char *name);
/* Goes through the fields of one name, in the order in which they came.
 *   name       terminated, in any case
 *   iter       zeroed to begin
 *   out_value  the next one's value
 * Returns  false: no more. Cost: O(headers_count) for all steps together. */
WSHUB_API bool wshub_http_each_header(const wshub_http *http, const char *name, wshub_iter *iter,
                                      wshub_str *out_value);
/* Goes through a list as values of header fields are, `gzip, br;q=0.5`: separated by commas, of
 * which those inside quotes do not count; empty elements are passed over (RFC 9110 5.6.1). Fields
 * of the same name are one list: go through each of them (RFC 9110 5.3).
 *   list      the same in every step
 *   iter      zeroed to begin
 *   out_item  the next element, without blanks around it, with its quotes and parameters
 * Returns  false: no more. */
WSHUB_API bool wshub_http_each_item(wshub_str list, wshub_iter *iter, wshub_str *out_item);

/* Goes through a query (wshub_http.query), or a body of application/x-www-form-urlencoded: cut at
 * each `&`, and every piece at its first `=`. What is decoded before that would be cut where its
 * sender had written `%26`. Empty pieces are passed over.
 *   query      the same in every step
 *   iter       zeroed to begin
 *   out_name   raw: wshub_percent_decode() decodes it, with plus_is_space
 *   out_value  the same; ptr NULL: the piece has no `=`
 * Returns  false: no more. */
WSHUB_API bool wshub_query_each(wshub_str query, wshub_iter *iter, wshub_str *out_name,
                                wshub_str *out_value);
/* Decodes the value of a name in a query or form to a terminated text, all of it or nothing.
 *   name     terminated; compared decoded; of several the first
 *   buf      of cap bytes, terminator included. What comes out is any bytes, not always UTF-8
 *   out_len  its length; may be NULL
 * Returns  OK, also for a name without `=`, whose text is empty; ABSENT: there is no such name;
 *          LIMIT: it does not fit; PARAM: it holds a NUL, which would end it early. After an error
 *          nothing is written. */
WSHUB_API wshub_err wshub_query_copy(wshub_str query, const char *name, char *buf, size_t cap,
                                     size_t *out_len);
/* Decodes `%41` and its like (RFC 3986 2.1), once. What is no escape, such as `%`, `%4` and `%zz`,
 * stays as it is.
 *   plus_is_space  `+` is a blank, as in queries and forms; not so in paths
 *   buf            at most cap bytes are written, no terminator; may be the text itself; may be
 *                  NULL if cap is 0
 * Returns  the decoded length, which is never more than text's; above cap: it was cut. Any byte may
 *          come out, a NUL too. */
WSHUB_API size_t wshub_percent_decode(wshub_str text, bool plus_is_space, char *buf, size_t cap);

/* Finds a cookie of a request.
 *   name  terminated; upper and lower case differ
 * Returns  its value, raw, quotes included; of several the first, as browsers send those of longer
 *          paths first (though RFC 6265 5.4 promises no order); ptr NULL: absent. */
WSHUB_API wshub_str wshub_http_cookie(const wshub_http *http, const char *name);
/* Goes through the cookies of one `Cookie` field: cut at each `;`, whatever is quoted, and every
 * piece at its first `=`. A piece without `=` is passed over: the others count.
 *   field      the same in every step
 *   iter       zeroed to begin
 *   out_name   without blanks around it
 *   out_value  the same; raw: nothing is decoded, as each application does that in its own way
 * Returns  false: no more. */
WSHUB_API bool wshub_cookie_each(wshub_str field, wshub_iter *iter, wshub_str *out_name,
                                 wshub_str *out_value);

/* Instead of a moment: there is none. */
#define WSHUB_NO_DATE INT64_MIN
/* Reads a date as HTTP has it (RFC 9110 5.6.7), also in the two obsolete forms, where years of two
 * digits are those from 1970 to 2069.
 *   out_s  seconds since 1970 UTC; below 0 before that
 * Returns  false: it is none, the day of the week included; *out_s is untouched. */
WSHUB_API bool wshub_http_date_read(wshub_str text, int64_t *out_s);
/* Writes a date as HTTP has it, `Sun, 06 Nov 1994 08:49:37 GMT`, terminated.
 *   s  seconds since 1970 UTC
 * Returns  its length, 29; 0: it lies before the year 0 or behind 9999, and buf is empty. */
WSHUB_API size_t wshub_http_date_write(int64_t s, char buf[30]);

/* Is a tag in a list of tags, as If-None-Match and If-Match have them (RFC 9110 8.8.3)? `*` names
 * all. What is written badly ends the list.
 *   list  a field's value: tags are quoted, and may have commas inside
 *   etag  as you send it in ETag: `"abc"`, or W/"abc" for a weak one; ptr NULL: there is none
 *   weak  whether W/ is looked at: true: it is not (If-None-Match); false: two tags are the same
 *         only where neither has it (If-Match, If-Range) */
WSHUB_API bool wshub_http_etag_match(wshub_str list, wshub_str etag, bool weak);
/* Judges the conditions that a request sets for something that is there: If-Match,
 * If-Unmodified-Since, If-None-Match, If-Modified-Since, in the order of RFC 9110 13.2.2. A date is
 * looked at only where there are no tags for the same (HTTP-2).
 *   etag        its tag, as in wshub_http_etag_match(); ptr NULL: it has none
 *   modified_s  its last change, as Last-Modified says it; WSHUB_NO_DATE: not known
 * Returns  0: go on; 304: answer so, without a body, with the same ETag; 412: answer so, and do
 *          nothing. */
WSHUB_API int wshub_http_condition(const wshub_http *http, wshub_str etag, int64_t modified_s);

/* What of a body is asked for, and how that is answered. */
typedef struct wshub_range {
    int status;      /* 200: all of it; 206: a part; 416: nothing of it is there */
    uint64_t first;  /* 0 for 200 and 416 */
    uint64_t count;  /* bytes from there; 0 for 416 */
    uint64_t length; /* of the whole */
} wshub_range;
/* Reads a Range (RFC 9110 14.2; HTTP-3). One range is answered, cut where the body ends. What is no
 * range of bytes, and two or more ranges of which something is there, mean the whole, so that
 * nobody makes a server gather pieces. Of an empty body, too, the whole is sent.
 *   value   of the field, `bytes=0-99`; ptr NULL: there is none
 *   length  of the whole body */
WSHUB_API wshub_range wshub_http_range_read(wshub_str value, uint64_t length);
/* What of a body a request wants: its Range, if it is a GET and has one, and if If-Range, where it
 * has that, names what is there: the very tag, which is not weak, or the exact date (RFC 9110
 * 13.1.5). Ask wshub_http_condition() before.
 *   length            of the whole body
 *   etag, modified_s  as in wshub_http_condition() */
WSHUB_API wshub_range wshub_http_range(const wshub_http *http, uint64_t length, wshub_str etag,
                                       int64_t modified_s);
/* Writes the Content-Range that belongs to a 206, which names part and length, or to a 416, which
 * names the length alone; terminated.
 * Returns  its length; 0: for 200 there is none, and buf is empty. */
WSHUB_API size_t wshub_http_range_write(const wshub_range *range, char buf[72]);

/* ---- >>api-post --------------------------------------------------------------------------------
 * The functions that any thread may call, at any time while the hub is there. They copy, queue,
 * and wake the hub, which carries them out in its next settle, in the order of posting for each
 * thread. Arguments are those of the functions of the same name without `post_`, all copied, and
 * are checked here in the same way; what comes of it later (a client that has gone) is silent.
 * Return   OK: queued; PARAM, JSON: an argument; LIMIT: post_bytes_max, or too long; NOMEM; NOWAKE:
 *          the io cannot be woken, or WSHUB_NO_THREADS. After an error nothing is queued.
 * Thread   any, but not in a signal handler. What is posted and not carried out when the hub is
 *          destroyed is dropped; that nobody posts any more is yours to see to. */

/* Calls a function on the hub's thread, where it may call anything.
 *   fn   called with the hub and arg, once; not called if the hub is destroyed before
 *   arg  yours
 * Returns  as above; PARAM: no fn. */
WSHUB_API wshub_err wshub_post(wshub *hub, void (*fn)(wshub *hub, void *arg), void *arg);

/* Send: to a destination on all instances (wshub_send()), or to one client of this hub
 * (wshub_client_send(), wshub_client_reply()).
 *   dest     without rooms and except_rooms, whatever its realm (PARAM)
 * Return   as above; LIMIT also for data over WSHUB_MSG_BYTES_MAX. */
WSHUB_API wshub_err wshub_post_send(wshub *hub, const wshub_dest *dest, const wshub_msg *msg);
WSHUB_API wshub_err wshub_post_client_send(wshub *hub, wshub_client client, const wshub_msg *msg);
WSHUB_API wshub_err wshub_post_client_reply(wshub *hub, wshub_client client, wshub_str id,
                                            const wshub_msg *msg);

/* Close a client, by its handle (wshub_client_close()) or by its id. Return as above. */
WSHUB_API wshub_err wshub_post_close(wshub *hub, wshub_client client, uint16_t code,
                                     wshub_str reason);
WSHUB_API wshub_err wshub_post_close_id(wshub *hub, wshub_str id, uint16_t code, wshub_str reason);

/* Answer a question (>>api-ask). Return as above: OK does not say that the answer was in time. One
 * that fails on the hub's thread, for want of memory or a limit, is lost; the client then runs into
 * its deadline. */
WSHUB_API wshub_err wshub_post_auth_accept(wshub *hub, wshub_ask ask, const wshub_identity *who);
WSHUB_API wshub_err wshub_post_handshake_accept(wshub *hub, wshub_ask ask,
                                                wshub_str server_public_key, wshub_str salt);
WSHUB_API wshub_err wshub_post_join_accept(wshub *hub, wshub_ask ask, const wshub_str *rooms,
                                           size_t count);
WSHUB_API wshub_err wshub_post_transform_accept(wshub *hub, wshub_ask ask, const wshub_msg *msg);
WSHUB_API wshub_err wshub_post_ask_reject(wshub *hub, wshub_ask ask);
WSHUB_API wshub_err wshub_post_ask_fail(wshub *hub, wshub_ask ask);

/* ---- >>api-bus ---------------------------------------------------------------------------------
 * What a hub asks of the broker behind its bus, and the emitter. Thread: the hub's, and that of an
 * emitter's bus. */

/* Asks the broker behind the hub's bus: any command of it (wshub_bus.request).
 *   argv      the command and its arguments, any bytes; borrowed
 *   argc      how many, at least 1
 *   on_reply  called exactly once if OK is returned, later, on the hub's thread: with the answer,
 *             a view until it returns, or with NULL: the connection was lost or the hub has left
 *             its bus before the answer came. It may call anything
 * Returns  OK; STATE: no bus, one that cannot be asked, or it is not connected; PARAM: argv, argc
 *          or on_reply; NOMEM; LIMIT: too many wait for an answer already.
 * Thread   the hub's; allowed in callbacks. It leaves in this turn's settle. */
WSHUB_API wshub_err wshub_bus_request(wshub *hub, const wshub_str *argv, size_t argc,
                                      void (*on_reply)(wshub *hub, const wshub_bus_reply *reply,
                                                       void *arg),
                                      void *arg);

/* The emitter: publishes for processes that hold no clients (EMIT-1). It belongs to one thread,
 * that of its bus; all that follows is called there. */
typedef struct wshub_emitter wshub_emitter;

/* What wshub_emitter_create() is told. Zeroed but for the bus it is valid. Copied. */
typedef struct wshub_emitter_desc {
    const wshub_bus *bus; /* required. Given: it ends with the emitter, or if creation fails;
                             another's: STATE; of another version: PARAM */
    wshub_alloc_fn alloc; /* NULL: realloc and free */
    void *alloc_user;     /* the first argument of alloc */
    uint32_t bus_queue_bytes_max; /* 1048576; kept while the bus is down (BUS-5) */
    uint32_t bus_burst_bytes_max; /* 16777216, or bus_queue_bytes_max if that is more; kept while
                                     the bus is up and has no room */
    uint32_t json_depth_max; /* 1024, at most WSHUB_JSON_DEPTH_MAX; of the hubs that are to read it
                                (MSG-9) */
} wshub_emitter_desc;

/* Makes an emitter and attaches it to its bus.
 *   desc         borrowed; the bus in it is given
 *   out_emitter  the emitter; given to you, end it with wshub_emitter_close() or _destroy()
 * Returns  OK; PARAM: no bus, one of another version or without attach or publish, a limit out of
 *          range: wshub_emitter_problem() says which; STATE: the bus is another's, who keeps it;
 *          NOMEM; or what the bus's attach said. On every error but a bus of another version or
 *          another's the bus is left.
 * Thread   the one the emitter will belong to. */
WSHUB_INLINE wshub_err wshub_emitter_create(const wshub_emitter_desc *desc,
                                            wshub_emitter **out_emitter);

/* Says what wshub_emitter_create() would refuse in a description, in one line, and what it should
 * be. NULL: nothing. Pure. */
WSHUB_INLINE const char *wshub_emitter_problem(const wshub_emitter_desc *desc);

/* What the two above call, as wshub_create_versioned().
 *   desc_bytes  sizeof(wshub_emitter_desc)
 *   version     WSHUB_DESC_VERSION
 * Return   as those; PARAM, or a text, for a description of another header. */
WSHUB_API wshub_err wshub_emitter_create_versioned(const wshub_emitter_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_emitter **out_emitter);
WSHUB_API const char *wshub_emitter_problem_versioned(const wshub_emitter_desc *desc,
                                                      size_t desc_bytes, uint32_t version);

/* The two, as they are compiled into your program. */
WSHUB_INLINE wshub_err wshub_emitter_create(const wshub_emitter_desc *desc,
                                            wshub_emitter **out_emitter) {
    return wshub_emitter_create_versioned(desc, sizeof *desc, WSHUB_DESC_VERSION, out_emitter);
}
WSHUB_INLINE const char *wshub_emitter_problem(const wshub_emitter_desc *desc) {
    return wshub_emitter_problem_versioned(desc, sizeof *desc, WSHUB_DESC_VERSION);
}

/* Publishes one event to all instances: handed to the bus before this returns, if that is up
 * and has room; else kept, and it leaves by itself when there is room (over wshub_bus_local,
 * which nobody runs for an emitter, with its next send or its end).
 *   dest  borrowed; NULL: all. Kind RESOLVE with a name means that room. Its realm is {0}, and it
 *         has neither rooms nor except_rooms
 *   msg   borrowed; data may be absent
 * Returns  OK: handed to the bus or kept; PARAM: dest or the event; JSON: data is none; NOMEM;
 *          STATE: the emitter closes; LIMIT: the queue is full, or data is over
 *          WSHUB_MSG_BYTES_MAX. On an error nothing is kept. What the broker says to it is the
 *          bus's to tell. */
WSHUB_API wshub_err wshub_emitter_send(wshub_emitter *emitter, const wshub_dest *dest,
                                       const wshub_msg *msg);

/* Ends an emitter once the broker has acknowledged everything it took, or deadline_ms have
 * passed, whichever is first: run the loop of its bus until then. Sends are refused meanwhile.
 *   on_closed  called once, from inside this call if there is nothing to wait for, as over a
 *              bus without alarm(). The emitter is gone then, and its bus may be destroyed.
 *              lost: of all that was ever taken, what was dropped or not acknowledged. NULL:
 *              nobody is told
 * emitter NULL, or closing already: nothing. */
WSHUB_API void wshub_emitter_close(wshub_emitter *emitter, uint32_t deadline_ms,
                                   void (*on_closed)(uint64_t lost, void *arg), void *arg);

/* Ends an emitter now: what it keeps is handed over as far as the bus takes it at once. If it is
 * closing, its on_closed is called. NULL: nothing. */
WSHUB_API void wshub_emitter_destroy(wshub_emitter *emitter);

/* Bytes of what was sent and is kept, since the bus had no room for it. */
WSHUB_API uint64_t wshub_emitter_queued_bytes(const wshub_emitter *emitter);

/* Messages that were kept and had to go when the bus went down: over bus_queue_bytes_max. */
WSHUB_API uint64_t wshub_emitter_dropped(const wshub_emitter *emitter);

/* ---- >>api-codec -------------------------------------------------------------------------------
 * Small functions for texts, JSON, frames and digests. All are pure: no hub, no allocation, any
 * thread. What they are given is borrowed; texts that come out are views into it. */

/* Makes a wshub_str of a terminated text; NULL gives ptr NULL. Cost: O(its length). */
WSHUB_API wshub_str wshub_str_z(const char *text);
/* Are two texts the same, byte for byte? An absent text is equal to an empty one. */
WSHUB_API bool wshub_str_eq(wshub_str a, wshub_str b);
/* The same with a terminated text; NULL counts as empty. */
WSHUB_API bool wshub_str_eq_z(wshub_str a, const char *b);

/* What a JSON value is. */
typedef enum wshub_json_kind {
    WSHUB_JSON_NONE,   /* no JSON, or absent */
    WSHUB_JSON_NULL,   /* `null` */
    WSHUB_JSON_BOOL,   /* `true` or `false`: look at the first byte */
    WSHUB_JSON_NUMBER, /* wshub_json_int() and its relatives read it */
    WSHUB_JSON_STRING, /* with its quotes; wshub_json_text() decodes it */
    WSHUB_JSON_ARRAY,  /* wshub_json_each() walks it */
    WSHUB_JSON_OBJECT  /* wshub_json_get() looks into it */
} wshub_json_kind;

/* Is this one JSON value, strictly RFC 8259, in UTF-8, with nothing but white space around it
 * (MSG-9)?
 *   depth_max  levels of nesting, at most WSHUB_JSON_DEPTH_MAX; 0: 1024
 * Cost: O(length), without recursion. */
WSHUB_API bool wshub_json_check(wshub_str text, uint32_t depth_max);

/* The readers. Each is given one whole JSON text, or a value that another of them gave, and looks
 * at all of it first: out of what is no JSON (cut off, garbage behind it, bad UTF-8, deeper than
 * WSHUB_JSON_DEPTH_MAX) they give nothing. Cost: O(length of the text) each. */

/* What is this value? */
WSHUB_API wshub_json_kind wshub_json_type(wshub_str value);
/* Finds the value of a key of an object, raw; of equal keys the last.
 *   key  terminated, decoded
 * Returns  ptr NULL: no JSON, no object, or no such key. */
WSHUB_API wshub_str wshub_json_get(wshub_str object, const char *key);
/* Goes through an array.
 *   array      the same in every step
 *   iter       zeroed to begin
 *   out_value  the next element, raw
 * Returns  false: no more, no JSON, or no array. */
WSHUB_API bool wshub_json_each(wshub_str array, wshub_iter *iter, wshub_str *out_value);
/* Decodes a string value to UTF-8 (lone surrogates become U+FFFD).
 *   buf  at most cap bytes are written, no terminator; may be the value itself; may be NULL if cap
 *        is 0
 * Returns  the decoded length; SIZE_MAX: no string; above cap: it was cut, and what is in buf is
 *          not the text, nor need it be UTF-8: ask again with room, or take wshub_json_copy(). */
WSHUB_API size_t wshub_json_text(wshub_str value, char *buf, size_t cap);
/* Decodes a string value to a terminated text, all of it or nothing.
 *   buf      of cap bytes, terminator included
 *   out_len  its length; may be NULL
 * Returns  OK; JSON: no string; LIMIT: it does not fit; PARAM: it holds a NUL, which would end it
 *          early. After an error nothing is written. */
WSHUB_API wshub_err wshub_json_copy(wshub_str value, char *buf, size_t cap, size_t *out_len);
/* Reads a number without sign, fraction and exponent, 0..2^53-1. Returns false: anything else, and
 * *out_number is untouched. */
WSHUB_API bool wshub_json_uint(wshub_str value, uint64_t *out_number);
/* Reads a number without fraction and exponent, min..max. Returns OK; JSON: no such number;
 * LIMIT: one that is out of range. After an error *out_number is untouched. */
WSHUB_API wshub_err wshub_json_int(wshub_str value, int64_t min, int64_t max, int64_t *out_number);
/* Reads any number. Returns OK; JSON: no number; LIMIT: beyond what a double holds, or written with
 * more than 512 characters. After an error *out_number is untouched. */
WSHUB_API wshub_err wshub_json_double(wshub_str value, double *out_number);
/* Reads `true` or `false`. Returns false: neither, and *out_bool is untouched. */
WSHUB_API bool wshub_json_bool(wshub_str value, bool *out_bool);
/* Is this a string with exactly this text? Without a copy, escapes decoded.
 *   text  terminated, UTF-8, at most 256 bytes: a longer one is equal to none */
WSHUB_API bool wshub_json_is(wshub_str value, const char *text);
/* Goes through an object, in the order in which it was written, equal keys included.
 *   object     the same in every step
 *   iter       zeroed to begin
 *   out_key    raw, with its quotes: wshub_json_is() compares it, wshub_json_copy() decodes it
 *   out_value  its value, raw
 * Returns  false: no more, no JSON, or no object. */
WSHUB_API bool wshub_json_each_member(wshub_str object, wshub_iter *iter, wshub_str *out_key,
                                      wshub_str *out_value);
/* Finds a value by its path, a JSON Pointer (RFC 6901): `/user/names/0` is the first of `names` of
 * `user`, an empty one the value itself; `~1` in a key stands for a slash and `~0` for a tilde. Of
 * equal keys the last.
 *   path  terminated; keys are decoded, at most 256 bytes each
 * Returns  ptr NULL: no JSON, or nothing is there. */
WSHUB_API wshub_str wshub_json_at(wshub_str value, const char *path);

/* Writes one JSON value into a buffer of yours, piece by piece, without allocation. What goes wrong
 * on the way is remembered and told once, by wshub_json_done():
 *
 *     char text[200];
 *     wshub_json_writer w;
 *     wshub_json_begin(&w, text, sizeof text);
 *     wshub_json_put_object(&w, NULL);
 *     wshub_json_put_str(&w, "name", name);
 *     wshub_json_put_int(&w, "age", 7);
 *     wshub_json_put_end(&w);
 *     if (wshub_json_done(&w, &msg.data) != WSHUB_OK) ...
 *
 * `key` is the value's name where it goes into an object (terminated, UTF-8, escaped here), and
 * NULL in an array and for the outermost value. All is borrowed for the call. Thread: any, one at
 * a time. */
typedef struct wshub_json_writer {
    char *buf;      /* what wshub_json_begin() was given; what fits of the value */
    size_t cap;     /* its bytes */
    size_t len;     /* of the whole, also where that does not fit */
    uint64_t array; /* a bit a level: it is an array */
    uint8_t depth;  /* levels that are open */
    bool some;      /* something stands in the level already */
    wshub_err err;  /* the first that went wrong */
} wshub_json_writer;
/* How deep a writer can nest. */
#define WSHUB_JSON_WRITER_DEPTH_MAX 64

/* Begins a value.
 *   buf  of cap bytes, yours until the writer is done; may be NULL if cap is 0, to learn the
 *        length */
WSHUB_API void wshub_json_begin(wshub_json_writer *w, char *buf, size_t cap);
/* Open an object, an array; what follows goes into it, until wshub_json_put_end(). */
WSHUB_API void wshub_json_put_object(wshub_json_writer *w, const char *key);
WSHUB_API void wshub_json_put_array(wshub_json_writer *w, const char *key);
/* Ends the object or array that was opened last. */
WSHUB_API void wshub_json_put_end(wshub_json_writer *w);
/* Put a text, which is escaped; ptr NULL, and NULL, put `null`. */
WSHUB_API void wshub_json_put_str(wshub_json_writer *w, const char *key, wshub_str text);
WSHUB_API void wshub_json_put_text(wshub_json_writer *w, const char *key, const char *text);
/* Put a whole number. JavaScript holds numbers up to 2^53 - 1 exactly. */
WSHUB_API void wshub_json_put_int(wshub_json_writer *w, const char *key, int64_t number);
WSHUB_API void wshub_json_put_uint(wshub_json_writer *w, const char *key, uint64_t number);
/* Puts a number as shortly as reads back the same; one that is not finite is an error (PARAM), as
 * JSON has none. */
WSHUB_API void wshub_json_put_double(wshub_json_writer *w, const char *key, double number);
/* Put `true` or `false`, and `null`. */
WSHUB_API void wshub_json_put_bool(wshub_json_writer *w, const char *key, bool yes);
WSHUB_API void wshub_json_put_null(wshub_json_writer *w, const char *key);
/* Puts a value that is JSON already, as it is. What is no JSON is an error (JSON); ptr NULL puts
 * `null`. Cost: O(its length), as it is checked. */
WSHUB_API void wshub_json_put_raw(wshub_json_writer *w, const char *key, wshub_str json);
/* Ends the writing.
 *   out_text  the value, a view of buf, not terminated; after an error ptr NULL. May be NULL
 * Returns  OK; LIMIT: it does not fit: w->len says how much it would have been; PARAM: a key where
 *          none belongs or none where one does, a text that is not UTF-8, more than one outermost
 *          value or none, an end too many or too few, nested too deep, a number that is not finite;
 *          JSON: what wshub_json_put_raw() was given is none. */
WSHUB_API wshub_err wshub_json_done(wshub_json_writer *w, wshub_str *out_text);

/* Writes a text as a JSON string with its quotes.
 *   text  UTF-8
 *   buf   at most cap bytes are written, no terminator; may be NULL if cap is 0
 * Returns  the length of the whole; above cap: it was cut. */
WSHUB_API size_t wshub_json_quote(wshub_str text, char *buf, size_t cap);

/* For what has been checked, as a dialect checks a message once: these look at nothing twice.
 * Given a text that is no JSON after all they stay inside it, and what they find means nothing.
 * Any thread. */

/* One key of an object that wshub_json_fields() looks for, and where its value stands. */
typedef struct wshub_json_field {
    const char *key; /* terminated; borrowed */
    wshub_str value; /* out: raw, a view of the text; ptr NULL: absent */
} wshub_json_field;
/* What wshub_json_fields() found. */
typedef enum wshub_json_result {
    WSHUB_JSON_BAD,       /* no JSON, or nested too deep */
    WSHUB_JSON_NO_OBJECT, /* JSON, and not an object */
    WSHUB_JSON_FIELDS     /* an object; the fields are filled in */
} wshub_json_result;
/* Checks a whole text, UTF-8 apart, and if it is an object finds the named keys in the same walk;
 * of equal ones the last (MSG-9). A key that is written with escapes is found up to 256 bytes of
 * length.
 *   depth_max  levels, 1..WSHUB_JSON_DEPTH_MAX; more counts as that
 *   fields     fields_count of them, their values absent (ptr NULL); borrowed
 * Cost: one walk, O(count * fields_count) at worst. */
WSHUB_API wshub_json_result wshub_json_fields(const uint8_t *bytes, size_t count,
                                              uint32_t depth_max, wshub_json_field *fields,
                                              size_t fields_count);
/* What a value is, by its first byte. NONE: ptr NULL. */
WSHUB_API wshub_json_kind wshub_json_peek(wshub_str value);
/* Find a key, and go through an array, as wshub_json_get() and wshub_json_each() do. */
WSHUB_API wshub_str wshub_json_find(wshub_str object, const char *key);
WSHUB_API bool wshub_json_next(wshub_str array, wshub_iter *iter, wshub_str *out_value);
/* Decodes what stands between the quotes of a string, n bytes at src. Writes at most cap bytes;
 * dst may be src, as a text never gets longer. Returns the decoded length. */
WSHUB_API size_t wshub_json_unescape(const uint8_t *src, size_t n, uint8_t *dst, size_t cap);
/* How long wshub_json_quote() makes a text. */
WSHUB_API size_t wshub_json_quoted_len(wshub_str text);
/* How many UTF-16 code units a text has, which is UTF-8 (ROOM-1). */
WSHUB_API size_t wshub_utf8_units(wshub_str text);

/* Is this UTF-8, whole and as RFC 3629 has it? Of no bytes: yes. Cost: O(count). */
WSHUB_API bool wshub_utf8_check(const uint8_t *bytes, size_t count);
/* Encodes bytes as Base64: standard alphabet, padded, no terminator.
 *   buf  at least 4 * ((count + 2) / 3) bytes
 * Returns  that length. */
WSHUB_API size_t wshub_base64(const uint8_t *bytes, size_t count, char *buf);
/* Makes the SHA-1 digest of count bytes, which the handshake wants (RFC 6455 4.2.2). Not for
 * secrets. Cost: O(count). */
WSHUB_API void wshub_sha1(const uint8_t *bytes, size_t count, uint8_t out_digest[20]);
/* SipHash-1-3, for hash tables of names that strangers choose: who lacks the key cannot make
 * names meet. key: secret and random, its bytes as two little-endian numbers. */
WSHUB_API uint64_t wshub_siphash(const uint64_t key[2], const void *bytes, size_t count);

/* A frame's head (RFC 6455 5.2). */
typedef struct wshub_frame {
    uint64_t payload_bytes; /* below 2^63 */
    uint8_t opcode;  /* 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong; 0..15 is read */
    uint8_t rsv;     /* the reserved bits: RSV1 is 4, RSV2 2, RSV3 1 */
    bool fin;        /* the last frame of its message */
    bool masked;     /* by `mask`, as all frames of clients are */
    uint8_t mask[4]; /* if masked */
    uint8_t head_bytes; /* 2..14; set by wshub_frame_read() alone */
} wshub_frame;

/* Reads a frame's head. What its bits mean is yours to judge.
 *   bytes  count of them, from the frame's first on
 * Returns  1: done; 0: more bytes are needed; -1: the length is not written as shortly as it must
 *          be, or is 2^63 or more (RFC 6455 5.2). *out_frame is complete with 1 alone. */
WSHUB_API int wshub_frame_read(const uint8_t *bytes, size_t count, wshub_frame *out_frame);
/* Writes a frame's head.
 *   frame  head_bytes is not looked at
 *   buf    14 bytes are enough
 * Returns  its length. */
WSHUB_API size_t wshub_frame_write(const wshub_frame *frame, uint8_t *buf);
/* Masks or unmasks bytes in place, which is the same.
 *   mask    the frame's
 *   offset  how many bytes of the payload came before these
 * Cost: O(count), eight bytes and more at a time. */
WSHUB_API void wshub_mask(uint8_t *bytes, size_t count, const uint8_t mask[4], uint64_t offset);
/* Writes the value of Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2), no
 * terminator. key: 24 bytes; what is longer is cut. */
WSHUB_API void wshub_accept_key(wshub_str key, char out_accept[28]);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_H */

/* ================================================================================================
 * THE ROOMS: from here on the implementation
 * ================================================================================================
 * A room reaches from one banner to the next. It calls only the rooms above it, except through a
 * pointer that it was given (tests/rooms.mjs asks the compiler), so the file reads from top to
 * bottom: what a function calls, you have met. The first rooms are the ground. They are functions
 * over bytes and small containers, they know no hub, and all rooms behind them may use them.
 * Private names begin with wshub__ and mostly with the name of their room.
 */
#if defined(WSHUB_IMPLEMENTATION) && !defined(WSHUB__IMPLEMENTED)
#define WSHUB__IMPLEMENTED

#include <stdio.h> /* numbers with a fraction, in JSON */
#include <stdlib.h>

#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif

/* A branch that cannot be taken, for the reason that stands beside it. It stays, in case the reason
 * is wrong, and where the self-check is on, the program ends there. Coverage does not count it. */
#ifdef WSHUB_SELF_CHECK
#define WSHUB__NEVER(x) ((x) ? (abort(), true) : false)
#else
#define WSHUB__NEVER(x) (x)
#endif

/* Eight bytes of a text are looked at as one number, in which the interesting ones have their top
 * bit set, and only that one: how many bytes lie in memory before the first of them? Where that is
 * not known the answer is none (of a number in which none is marked: all eight), and the bytes are
 * looked at one by one. */
#if !defined(WSHUB_PORTABLE) && defined(__GNUC__) && defined(__BYTE_ORDER__) &&                    \
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WSHUB__FIRST_BYTE(w) (__builtin_ctzll(w) / 8)
#else
#define WSHUB__FIRST_BYTE(w) ((w) ? 0 : 8)
#endif

/* Memory that is written soon is fetched ahead, where the compiler can say so. */
#if defined(__GNUC__)
#define WSHUB__PREFETCH(p) __builtin_prefetch(p, 1)
#else
#define WSHUB__PREFETCH(p) ((void)(p))
#endif

/* For what is done once a connection, a request or a turn, not once a message: it stays out of the
 * lines of code that are hot, and the compiler does not copy it into its callers. */
#if defined(__GNUC__)
#define WSHUB__COLD __attribute__((noinline, cold))
#else
#define WSHUB__COLD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- >>mem -----------------------------------------------------------------------------------
 * The one way to memory. A size goes in; memory of the application's allocator comes out
 * (wshub_desc.alloc), or of the C library where it named none. No other room calls either of them.
 * Whoever gets memory owns it and keeps its size: the allocator is told the old size with every
 * change, and nothing here remembers it. Fails by NULL or false, and then nothing has changed.
 * Calls no other room. Proved by tests/test_memory.c, which counts to the byte, and by the
 * allocation failures of tests/test_golden.c. */

typedef struct wshub__mem {
    wshub_alloc_fn fn;
    void *user;
} wshub__mem;

/* What is asked where the application named no allocator: the C library, which needs neither the
 * user pointer nor the old size. */
static void *wshub__mem_default(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_bytes);
}

/* fn: the application's allocator; NULL: the C library's. */
static wshub__mem wshub__mem_make(wshub_alloc_fn fn, void *user) {
    wshub__mem mem;
    mem.fn = fn ? fn : wshub__mem_default;
    mem.user = fn ? user : NULL;
    return mem;
}

/* Zeroed memory. NULL: there is none. */
static void *wshub__mem_new(const wshub__mem *mem, size_t bytes) {
    void *p;

    WSHUB_ASSERT(bytes > 0); /* a new size of 0 would mean: free it */
    p = mem->fn(mem->user, NULL, 0, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

/* Gives memory back, if there is any. bytes: as many as were asked for. */
static void wshub__mem_free(const wshub__mem *mem, void *ptr, size_t bytes) {
    if (!ptr) return;
    WSHUB_ASSERT(bytes > 0);
    (void)mem->fn(mem->user, ptr, bytes, 0);
}

/* Makes room for `want` items in *items. The capacity is doubled, so that adding items one by one
 * costs a constant for each. False: out of memory, nothing changed. */
static bool wshub__mem_grow(const wshub__mem *mem, void **items, uint32_t *cap, uint32_t want,
                            size_t item_bytes) {
    uint32_t next = *cap ? *cap : item_bytes == 1 ? 8 : 2;
    void *p;

    WSHUB_ASSERT(item_bytes > 0);
    WSHUB_ASSERT(*items || *cap == 0);
    if (want <= *cap) return true;
    if (want > UINT32_MAX / 2) return false; /* doubling would begin at 0 again */
    while (next < want) next *= 2;

    p = mem->fn(mem->user, *items, (size_t)*cap * item_bytes, (size_t)next * item_bytes);
    if (!p) return false;
    *items = p;
    *cap = next;
    WSHUB_ASSERT(*cap >= want);
    return true;
}

#define WSHUB__CAP_KEPT 1024u /* an array of so many items at most is not made smaller */
#define WSHUB__CAP_LEAST 256u /* and none is made smaller than this */

/* Gives back what the most items ever took, once an eighth of it is in use at most; what stays is
 * room for twice as many as there are. Out of memory: it stays as it is. */
WSHUB__COLD static void wshub__mem_shrink(const wshub__mem *mem, void **items, uint32_t *cap,
                                          uint32_t count, size_t item_bytes) {
    uint32_t next = *cap;
    void *p;

    WSHUB_ASSERT(count <= *cap);
    if (*cap <= WSHUB__CAP_KEPT || count > *cap / 8) return;
    while (next > WSHUB__CAP_LEAST && count <= next / 4) next /= 2;
    WSHUB_ASSERT(count <= next);

    p = mem->fn(mem->user, *items, (size_t)*cap * item_bytes, (size_t)next * item_bytes);
    if (!p) return;
    *items = p;
    *cap = next;
}

/* ---- >>atomic --------------------------------------------------------------------------------
 * What crosses threads: a stack on which any thread pushes and from which one takes everything, a
 * counter. In and out go nodes that stand first in what the caller owns; nothing is allocated here
 * and nothing fails. All that other threads may touch at the same time goes through these macros
 * and functions. Where the compiler has no atomics that we know, or WSHUB_NO_THREADS is defined,
 * WSHUB__THREADS is 0: the same names then do the plain thing, and the functions for other threads
 * are refused by >>post.
 * Calls no other room. Proved by tests/test_threads.c under ThreadSanitizer (`make tsan`). */

#if defined(WSHUB_NO_THREADS)
#define WSHUB__THREADS 0
#elif defined(__GNUC__) || defined(__clang__)
#define WSHUB__THREADS 1
/* What was written before a release is seen by whoever acquires the same place afterwards. */
#define WSHUB__XCHG_PTR(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define WSHUB__LOAD_PTR(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define WSHUB__CAS_PTR(p, old, v)                                                                  \
    __atomic_compare_exchange_n((p), (old), (v), true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define WSHUB__ADD(p, v) __atomic_add_fetch((p), (v), __ATOMIC_ACQ_REL)
#define WSHUB__SUB(p, v) __atomic_sub_fetch((p), (v), __ATOMIC_ACQ_REL)
#define WSHUB__LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define WSHUB__LOCK(p)                                                                             \
    while (__atomic_exchange_n((p), 1u, __ATOMIC_ACQUIRE)) {                                       \
    }
#define WSHUB__UNLOCK(p) __atomic_store_n((p), 0u, __ATOMIC_RELEASE)
#else
#define WSHUB__THREADS 0
#endif
#if !WSHUB__THREADS
#define WSHUB__ADD(p, v) (*(p) += (v))
#define WSHUB__SUB(p, v) (*(p) -= (v))
#define WSHUB__LOAD(p) (*(p))
#define WSHUB__LOCK(p) ((void)(p))
#define WSHUB__UNLOCK(p) ((void)(p))
#endif

/* first member of whatever is pushed */
typedef struct wshub__node {
    struct wshub__node *next;
} wshub__node;

/* Any thread. Returns whether the stack was empty, which is when its owner must be woken. */
static bool wshub__stack_push(wshub__node **top, wshub__node *node) {
#if WSHUB__THREADS
    wshub__node *old = WSHUB__LOAD_PTR(top);
    do {
        node->next = old;
    } while (!WSHUB__CAS_PTR(top, &old, node)); /* never: twice only where threads collide */
    return old == NULL;                         /* node may have been taken and freed by now */
#else
    node->next = *top;
    *top = node;
    return node->next == NULL;
#endif
}

/* The owner's thread. Takes everything, oldest first. As all is taken at once, a node that is
 * pushed again between two looks of another thread does no harm (the ABA problem). */
static wshub__node *wshub__stack_take(wshub__node **top) {
#if WSHUB__THREADS
    wshub__node *node = WSHUB__LOAD_PTR(top) ? WSHUB__XCHG_PTR(top, (wshub__node *)NULL) : NULL;
#else
    wshub__node *node = *top;
    *top = NULL;
#endif
    wshub__node *oldest = NULL;

    /* What was pushed last lies on top: the links are turned round. */
    while (node) {
        wshub__node *next = node->next;
        node->next = oldest;
        oldest = node;
        node = next;
    }
    return oldest;
}

/* ---- >>buf -----------------------------------------------------------------------------------
 * Text with a length, the letters and digits of ASCII, and a buffer that grows at its end. A text
 * (wshub_str) borrows its bytes; a buffer owns its own, takes them from >>mem and is given back by
 * wshub__buf_done(). A buffer that could not grow remembers that (`bad`) and takes nothing more, so
 * that a writer asks once, at the end, and not behind every piece. Knows nothing of what the bytes
 * mean: UTF-8, JSON and HTTP have rooms of their own.
 * Calls >>mem. Proved by tests/test_memory.c, and by the allocation failures of
 * tests/test_golden.c. */

/* A text of these bytes, which it borrows. */
static wshub_str wshub__str(const void *ptr, size_t len) {
    wshub_str s;
    s.ptr = (const char *)ptr;
    s.len = len;
    return s;
}

WSHUB_API wshub_str wshub_str_z(const char *text) {
    return wshub__str(text, text ? strlen(text) : 0);
}

WSHUB_API bool wshub_str_eq(wshub_str a, wshub_str b) {
    if (a.len != b.len) return false;
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0; /* NOLINT: a length comes with bytes */
}

WSHUB_API bool wshub_str_eq_z(wshub_str a, const char *b) {
    return wshub_str_eq(a, wshub_str_z(b));
}

/* ASCII, whatever the C library's locale says. */
static uint8_t wshub__lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool wshub__is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static bool wshub__is_alnum(uint8_t c) {
    c = wshub__lower(c);
    return wshub__is_digit(c) || (c >= 'a' && c <= 'z');
}

/* The value of a hexadecimal digit; -1: it is none. */
static int wshub__hex(uint8_t c) {
    if (wshub__is_digit(c)) return c - '0';
    c = wshub__lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char wshub__hex_digits[] = "0123456789abcdef";

/* The same n bytes, but for upper and lower case of ASCII? */
static bool wshub__same(const char *a, const char *b, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) {
        if (wshub__lower((uint8_t)a[i]) != wshub__lower((uint8_t)b[i])) return false;
    }
    return true;
}

static bool wshub__str_same(wshub_str a, const char *b) {
    return a.len == strlen(b) && wshub__same(a.ptr, b, a.len);
}

/* Copies a terminated text to *at, which moves on. */
static wshub_str wshub__copy_text(char **at, const char *text) {
    wshub_str s = wshub__str(*at, strlen(text));
    memcpy(*at, text, s.len + 1);
    *at += s.len + 1;
    return s;
}

/* Copies a list of terminated texts to *at, which moves on. */
static void wshub__copy_list(wshub_str *list, const char *const *texts, size_t count, char **at) {
    size_t i;
    for (i = 0; i < count; i++) list[i] = wshub__copy_text(at, texts[i]);
}

/* How many bytes a list of terminated texts takes, with the slices that show them. */
static size_t wshub__list_bytes(const char *const *texts, size_t count) {
    size_t i, bytes = count * sizeof(wshub_str);
    for (i = 0; i < count; i++) bytes += strlen(texts[i]) + 1;
    return bytes;
}

typedef struct wshub__buf {
    uint8_t *ptr;
    uint32_t len;
    uint32_t cap : 31; /* at most WSHUB__BUF_BYTES_MAX */
    uint32_t bad : 1;  /* once it could not grow */
} wshub__buf;

#define WSHUB__BUF_BYTES_MAX (1u << 30)

/* Makes room for `more` bytes behind those that are there. False: the buffer is bad. */
static bool wshub__buf_room(const wshub__mem *mem, wshub__buf *buf, size_t more) {
    void *p = buf->ptr;
    uint32_t cap = buf->cap;

    WSHUB_ASSERT(buf->len <= cap);
    if (buf->bad || more > WSHUB__BUF_BYTES_MAX - buf->len ||
        !wshub__mem_grow(mem, &p, &cap, buf->len + (uint32_t)more, 1)) {
        buf->bad = true;
        return false;
    }

    buf->ptr = (uint8_t *)p;
    buf->cap = cap & (WSHUB__BUF_BYTES_MAX * 2 - 1); /* all of it: the mask says that it fits */
    WSHUB_ASSERT(buf->cap == cap);
    WSHUB_ASSERT(more <= buf->cap - buf->len);
    return true;
}

/* Adds bytes at the end, or makes the buffer bad. */
static void wshub__buf_add(const wshub__mem *mem, wshub__buf *buf, const void *bytes,
                           size_t count) {
    if (count == 0 || !wshub__buf_room(mem, buf, count)) return;
    memcpy(buf->ptr + buf->len, bytes, count);
    buf->len += (uint32_t)count;
    WSHUB_ASSERT(buf->len <= buf->cap);
}

static void wshub__buf_text(const wshub__mem *mem, wshub__buf *buf, const char *text) {
    wshub__buf_add(mem, buf, text, strlen(text));
}

#define WSHUB__DIGITS_MAX 20u /* as many as 2^64 - 1 has */

/* Writes a number in decimal digits, from the back of the room. Returns where they begin. */
static char *wshub__digits(uint64_t n, char room[WSHUB__DIGITS_MAX]) {
    char *first = room + WSHUB__DIGITS_MAX;

    do {
        *--first = (char)('0' + (int)(n % 10));
        n /= 10;
    } while (n);
    WSHUB_ASSERT(first >= room);
    return first;
}

/* Adds a number in decimal digits. */
static void wshub__buf_uint(const wshub__mem *m, wshub__buf *b, uint64_t n) {
    char room[WSHUB__DIGITS_MAX], *first = wshub__digits(n, room);
    wshub__buf_add(m, b, first, (size_t)(room + sizeof room - first));
}

/* Gives the memory back; what is left is an empty buffer that is not bad. */
static void wshub__buf_done(const wshub__mem *mem, wshub__buf *buf) {
    WSHUB_ASSERT(!buf->ptr == !buf->cap);
    wshub__mem_free(mem, buf->ptr, buf->cap);
    memset(buf, 0, sizeof *buf);
}

/* ---- >>utf8 ----------------------------------------------------------------------------------
 * Whether bytes are UTF-8 (RFC 3629), as they arrive, in whatever pieces; and how code points are
 * counted and written. A validation stops at the first byte that cannot be right, so a message that
 * is broken is refused before it is whole (RFC 6455 8.1). The state between two pieces is one
 * number that the caller keeps. Allocates nothing; fails by WSHUB__UTF8_BAD. No other room looks at
 * lead and continuation bytes.
 * Calls no other room. Proved by tests/test_codec.c against a slow decoder, and by
 * tests/fuzz/fuzz_text.c. */

/* The state: how many bytes of a character are missing, and between which two values the next one
 * must lie (the table of RFC 3629 4). WSHUB__UTF8_OK: between two characters. */
#define WSHUB__UTF8_OK 0u
#define WSHUB__UTF8_BAD UINT32_MAX

static uint32_t wshub__utf8_state(uint32_t missing, uint32_t least, uint32_t most) {
    return missing << 16 | least << 8 | most;
}

/* The state behind a character's first byte. */
static uint32_t wshub__utf8_lead(uint8_t c) {
    WSHUB_ASSERT(c >= 0x80);              /* ASCII has been passed over */
    if (c < 0xC2) return WSHUB__UTF8_BAD; /* a continuation, or an overlong form of two bytes */
    if (c < 0xE0) return wshub__utf8_state(1, 0x80, 0xBF);
    if (c == 0xE0) return wshub__utf8_state(2, 0xA0, 0xBF); /* overlong below */
    if (c == 0xED) return wshub__utf8_state(2, 0x80, 0x9F); /* surrogates above */
    if (c < 0xF0) return wshub__utf8_state(2, 0x80, 0xBF);
    if (c == 0xF0) return wshub__utf8_state(3, 0x90, 0xBF); /* overlong below */
    if (c < 0xF4) return wshub__utf8_state(3, 0x80, 0xBF);
    if (c == 0xF4) return wshub__utf8_state(3, 0x80, 0x8F); /* above U+10FFFF */
    return WSHUB__UTF8_BAD;
}

/* The state behind one more byte of a character that has begun. */
static uint32_t wshub__utf8_more(uint32_t state, uint8_t c) {
    uint32_t missing = state >> 16, least = state >> 8 & 0xFF, most = state & 0xFF;

    WSHUB_ASSERT(missing >= 1 && missing <= 3);
    if (c < least || c > most) return WSHUB__UTF8_BAD;
    return missing == 1 ? WSHUB__UTF8_OK : wshub__utf8_state(missing - 1, 0x80, 0xBF);
}

/* The state behind n more bytes. */
static uint32_t wshub__utf8_feed(uint32_t state, const uint8_t *p, size_t n) {
    size_t i = 0;

    WSHUB_ASSERT(state != WSHUB__UTF8_BAD);
    while (i < n) {
        if (state == WSHUB__UTF8_OK) {
            /* Most text is ASCII: eight bytes at a time, as long as none has its top bit set. */
            while (n - i >= 8) {
                uint64_t w;
                memcpy(&w, p + i, 8);
                if (w & UINT64_C(0x8080808080808080)) break;
                i += 8;
            }
            while (i < n && p[i] < 0x80) i++;
            if (i == n) return state;
            state = wshub__utf8_lead(p[i++]);
        } else {
            state = wshub__utf8_more(state, p[i++]);
        }

        if (state == WSHUB__UTF8_BAD) return state;
    }
    return state;
}

WSHUB_API bool wshub_utf8_check(const uint8_t *bytes, size_t count) {
    return wshub__utf8_feed(WSHUB__UTF8_OK, bytes, count) == WSHUB__UTF8_OK;
}

/* How many UTF-16 code units a valid text has, which is what names are measured in (ROOM-1): two
 * for a character of four bytes, one for any other. */
WSHUB_API size_t wshub_utf8_units(wshub_str s) {
    size_t i, units = 0;
    for (i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        if ((c & 0xC0) != 0x80) units += c >= 0xF0 ? 2 : 1;
    }
    return units;
}

/* Writes a code point. Returns how many bytes that took. */
static size_t wshub__utf8_write(uint32_t cp, uint8_t out[4]) {
    WSHUB_ASSERT(cp <= 0x10FFFF);
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xC0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xE0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (cp & 0x3F));
        return 3;
    }

    out[0] = (uint8_t)(0xF0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (cp & 0x3F));
    return 4;
}

/* ---- >>sha1 ----------------------------------------------------------------------------------
 * SHA-1 (FIPS 180-4) of bytes that lie there whole. It is here for the handshake alone, which asks
 * for it (RFC 6455 1.3); nothing rests on its strength, and nobody should use it for more.
 * Allocates nothing, cannot fail, calls no other room. Proved by tests/test_codec.c. */

#define WSHUB__SHA1_BLOCK 64u

static uint32_t wshub__rol(uint32_t x, int n) {
    return x << n | x >> (32 - n);
}

/* One of the eighty steps over the working variables a to e (FIPS 180-4 6.1.2). */
static void wshub__sha1_step(uint32_t v[5], uint32_t f, uint32_t k, uint32_t w) {
    uint32_t t = wshub__rol(v[0], 5) + f + v[4] + k + w;
    v[4] = v[3];
    v[3] = v[2];
    v[2] = wshub__rol(v[1], 30);
    v[1] = v[0];
    v[0] = t;
}

/* Takes one block into the digest that has come out of those before it (6.1.2). */
static void wshub__sha1_block(uint32_t h[5], const uint8_t *p) {
    uint32_t w[80], v[5];
    int i;

    /* Sixteen words of the block, and sixty-four more that are made of them. */
    for (i = 0; i < 16; i++, p += 4) {
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (; i < 80; i++) w[i] = wshub__rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);

    /* Twenty steps each with the functions Ch, Parity, Maj and Parity (4.1.1, 4.2.1). */
    for (i = 0; i < 5; i++) v[i] = h[i];
    for (i = 0; i < 20; i++) wshub__sha1_step(v, (v[1] & v[2]) | (~v[1] & v[3]), 0x5A827999u, w[i]);
    for (; i < 40; i++) wshub__sha1_step(v, v[1] ^ v[2] ^ v[3], 0x6ED9EBA1u, w[i]);
    for (; i < 60; i++)
        wshub__sha1_step(v, (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]), 0x8F1BBCDCu, w[i]);
    for (; i < 80; i++) wshub__sha1_step(v, v[1] ^ v[2] ^ v[3], 0xCA62C1D6u, w[i]);
    for (i = 0; i < 5; i++) h[i] += v[i];
}

WSHUB_API void wshub_sha1(const uint8_t *bytes, size_t count, uint8_t out_digest[20]) {
    uint32_t h[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    uint8_t tail[2 * WSHUB__SHA1_BLOCK];
    size_t i, rest = count % WSHUB__SHA1_BLOCK, tail_bytes;

    for (i = 0; i + WSHUB__SHA1_BLOCK <= count; i += WSHUB__SHA1_BLOCK)
        wshub__sha1_block(h, bytes + i);

    /* What is left, a bit that is set, and at the end of a block the length in bits (5.1.1): nine
     * bytes more, which may take a second block. */
    tail_bytes = rest + 9 <= WSHUB__SHA1_BLOCK ? WSHUB__SHA1_BLOCK : sizeof tail;
    WSHUB_ASSERT(rest + 9 <= tail_bytes);
    memset(tail, 0, sizeof tail);
    if (rest) memcpy(tail, bytes + i, rest);
    tail[rest] = 0x80;
    for (i = 0; i < 8; i++) tail[tail_bytes - 1 - i] = (uint8_t)((uint64_t)count * 8 >> 8 * i);
    for (i = 0; i < tail_bytes; i += WSHUB__SHA1_BLOCK) wshub__sha1_block(h, tail + i);

    for (i = 0; i < 20; i++) out_digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* ---- >>base64 -------------------------------------------------------------------------------
 * Bytes to base64 (RFC 4648 4: the standard alphabet, padded), into the caller's buffer. Nothing
 * here reads base64. Allocates nothing, cannot fail, calls no other room. Proved by
 * tests/test_codec.c. */

WSHUB_API size_t wshub_base64(const uint8_t *bytes, size_t count, char *buf) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i, at = 0;

    /* Three bytes are four digits of six bits; signs of padding stand for bytes that are not
     * there. */
    for (i = 0; i < count; i += 3) {
        uint32_t w = (uint32_t)bytes[i] << 16;
        if (i + 1 < count) w |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < count) w |= bytes[i + 2];

        buf[at++] = digits[w >> 18];
        buf[at++] = digits[w >> 12 & 63];
        buf[at++] = i + 1 < count ? digits[w >> 6 & 63] : '=';
        buf[at++] = i + 2 < count ? digits[w & 63] : '=';
    }
    return at;
}

/* ---- >>dates ---------------------------------------------------------------------------------
 * The calendar: days to dates and back, and how moments are written (AUTH-7; RFC 9110 5.6.7). It is
 * the Gregorian one, for the years 0 to 9999, in UTC; days are counted from 0000-01-01. Knows no
 * clock and no zones; allocates nothing. Calls >>buf. Proved by tests/test_codec.c and
 * test_http_hand.c, which count the days one by one. */

/* A day of the calendar; month and day begin with 1. */
typedef struct wshub__date {
    uint32_t year, month, day;
} wshub__date;

#define WSHUB__DAYS_TO_1970 719528u   /* to the first of that year */
#define WSHUB__DAYS_TO_10000 3652425u /* the same: nothing is written from there on */
#define WSHUB__DAY_S 86400u           /* seconds of a day; nobody counts leap seconds here */
#define WSHUB__HTTP_DATE_BYTES 29u    /* `Sun, 06 Nov 1994 08:49:37 GMT` */

/* In the order in which days are counted: the first of all was a Saturday. */
static const char *const wshub__weekdays[] = {"Saturday",  "Sunday",   "Monday", "Tuesday",
                                              "Wednesday", "Thursday", "Friday"};
static const char *const wshub__months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void wshub__two_digits(char *to, uint32_t n) {
    to[0] = (char)('0' + n / 10 % 10);
    to[1] = (char)('0' + n % 10);
}

static void wshub__four_digits(char *to, uint32_t n) {
    wshub__two_digits(to, n / 100);
    wshub__two_digits(to + 2, n);
}

/* Days to the first of a year. */
static uint32_t wshub__year_days(uint32_t year) {
    return 365 * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

/* Days of a year that lie before its month; of month 13, all of them. */
static uint32_t wshub__month_days(uint32_t year, uint32_t month) {
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    WSHUB_ASSERT(month >= 1 && month <= 13);
    return before[month - 1] + (leap && month > 2 ? 1u : 0u);
}

/* Which day it is, so many days after the first of all. */
static wshub__date wshub__date_of(uint32_t days) {
    wshub__date date;

    /* 400 years have 146097 days, whichever they are; a year guessed by that is the right one or
     * one of its neighbours. */
    WSHUB_ASSERT(days < WSHUB__DAYS_TO_10000);
    date.year = (uint32_t)((uint64_t)days * 400 / 146097);
    if (wshub__year_days(date.year) > days) date.year--;
    if (wshub__year_days(date.year + 1) <= days) date.year++;
    days -= wshub__year_days(date.year);

    /* No month is longer than 31 days, so that it is this one or the next. */
    date.month = days / 31 + 1;
    if (wshub__month_days(date.year, date.month + 1) <= days) date.month++;
    date.day = days - wshub__month_days(date.year, date.month) + 1;
    WSHUB_ASSERT(date.month <= 12 && date.day <= 31);
    return date;
}

/* Writes a time of day as `09:30:00`, eight bytes. */
static void wshub__clock_write(uint32_t second, char *to) {
    WSHUB_ASSERT(second < WSHUB__DAY_S);
    wshub__two_digits(to, second / 3600);
    to[2] = ':';
    wshub__two_digits(to + 3, second / 60 % 60);
    to[5] = ':';
    wshub__two_digits(to + 6, second % 60);
}

WSHUB__COLD WSHUB_API void wshub_iso_time(uint64_t ms, char out[24]) {
    uint64_t days = ms / 1000 / WSHUB__DAY_S + WSHUB__DAYS_TO_1970;
    uint32_t last = WSHUB__DAYS_TO_10000 - 1;
    wshub__date date = wshub__date_of(days < last ? (uint32_t)days : last);

    memcpy(out, "0000-00-00T00:00:00.000Z", 24);
    wshub__four_digits(out, date.year);
    wshub__two_digits(out + 5, date.month);
    wshub__two_digits(out + 8, date.day);
    wshub__clock_write((uint32_t)(ms / 1000 % WSHUB__DAY_S), out + 11);
    out[20] = (char)('0' + ms % 1000 / 100);
    wshub__two_digits(out + 21, (uint32_t)(ms % 100));
}

WSHUB__COLD WSHUB_API size_t wshub_http_date_write(int64_t s, char buf[30]) {
    const int64_t first = -(int64_t)WSHUB__DAYS_TO_1970 * WSHUB__DAY_S;
    const int64_t behind = first + (int64_t)WSHUB__DAYS_TO_10000 * WSHUB__DAY_S;
    uint32_t days;
    wshub__date date;

    buf[0] = 0;
    if (s < first || s >= behind) return 0;
    days = (uint32_t)((s - first) / WSHUB__DAY_S);
    date = wshub__date_of(days);

    memcpy(buf, "Sun, 06 Nov 1994 08:49:37 GMT", WSHUB__HTTP_DATE_BYTES + 1);
    memcpy(buf, wshub__weekdays[days % 7], 3);
    wshub__two_digits(buf + 5, date.day);
    memcpy(buf + 8, wshub__months[date.month - 1], 3);
    wshub__four_digits(buf + 12, date.year);
    wshub__clock_write((uint32_t)((s - first) % WSHUB__DAY_S), buf + 17);
    return WSHUB__HTTP_DATE_BYTES;
}

/* What stands in the text of a date. */
typedef struct wshub__date_text {
    uint32_t weekday, month; /* places in the lists of names */
    uint32_t day, year, hour, minute, second;
} wshub__date_text;

/* Takes the name of one of a list off a text. letters: how many of each name are written; 0:
 * all. */
static bool wshub__date_name(wshub_str *text, const char *const *names, uint32_t count,
                             size_t letters, uint32_t *out) {
    uint32_t i;

    for (i = 0; i < count; i++) {
        size_t n = letters ? letters : strlen(names[i]);
        if (text->len < n || memcmp(text->ptr, names[i], n) != 0) continue;
        *text = wshub__str(text->ptr + n, text->len - n);
        *out = i;
        return true;
    }
    return false;
}

/* Which number of a date a letter of a form stands for. NULL: none. */
static uint32_t *wshub__date_number(wshub__date_text *date, char letter) {
    switch (letter) {
    case 'd': return &date->day;
    case 'y': return &date->year;
    case 'h': return &date->hour;
    case 'n': return &date->minute;
    case 's': return &date->second;
    default: return NULL;
    }
}

/* Reads a text by a form, in which `d`, `y`, `h`, `n` and `s` stand for a digit each of their
 * number, `_` for one of the day or a blank, `w` for a day of the week in three letters, `W` for
 * its whole name, `m` for a month, and all else for itself. */
static bool wshub__date_scan(wshub_str text, const char *form, wshub__date_text *out) {
    memset(out, 0, sizeof *out);
    for (; *form; form++) {
        uint32_t *number = wshub__date_number(out, *form == '_' ? 'd' : *form);

        if (*form == 'm') {
            if (!wshub__date_name(&text, wshub__months, 12, 3, &out->month)) return false;
            continue;
        }
        if (*form == 'w' || *form == 'W') {
            size_t letters = *form == 'w' ? 3 : 0;
            if (!wshub__date_name(&text, wshub__weekdays, 7, letters, &out->weekday)) return false;
            continue;
        }

        if (text.len == 0) return false;
        if (number && wshub__is_digit((uint8_t)*text.ptr))
            *number = *number * 10 + (uint32_t)(*text.ptr - '0');
        else if (*text.ptr != (*form == '_' ? ' ' : *form) || (number && *form != '_'))
            return false;
        text = wshub__str(text.ptr + 1, text.len - 1);
    }
    return text.len == 0;
}

WSHUB__COLD WSHUB_API bool wshub_http_date_read(wshub_str text, int64_t *out_s) {
    wshub__date_text date;
    uint32_t days;

    if (wshub__date_scan(text, "W, dd-m-yy hh:nn:ss GMT", &date)) {
        date.year += date.year < 70 ? 2000 : 1900;
    } else if (!wshub__date_scan(text, "w, dd m yyyy hh:nn:ss GMT", &date) &&
               !wshub__date_scan(text, "w m _d hh:nn:ss yyyy", &date)) {
        return false;
    }

    /* A day that the calendar has, and that was such a day of the week. */
    days = wshub__year_days(date.year) + wshub__month_days(date.year, date.month + 1) + date.day;
    if (date.day == 0 || wshub__month_days(date.year, date.month + 1) + date.day >
                             wshub__month_days(date.year, date.month + 2))
        return false;
    if (date.hour > 23 || date.minute > 59 || date.second > 59) return false;
    days--;
    if (days % 7 != date.weekday) return false;

    *out_s = ((int64_t)days - (int64_t)WSHUB__DAYS_TO_1970) * (int64_t)WSHUB__DAY_S +
             (int64_t)(date.hour * 3600 + date.minute * 60 + date.second);
    return true;
}

/* ---- >>siphash -------------------------------------------------------------------------------
 * SipHash-1-3: a hash of bytes under a secret key of 128 bits. Strangers choose the names of rooms
 * and of users; as they lack the key, they cannot choose names that fall on one place of a table.
 * Whoever hashes names, or makes numbers out of a key, does it here. The key is the caller's.
 * Allocates nothing, cannot fail, calls no other room. Proved by tests/test_codec.c with the
 * vectors that other implementations have. */

static uint64_t wshub__rol64(uint64_t x, int n) {
    return x << n | x >> (64 - n);
}

/* One round over the four words of the state, in the order and with the rotations of its
 * authors' paper. */
static inline void wshub__sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = wshub__rol64(v[1], 13) ^ v[0];
    v[0] = wshub__rol64(v[0], 32);
    v[2] += v[3];
    v[3] = wshub__rol64(v[3], 16) ^ v[2];

    v[0] += v[3];
    v[3] = wshub__rol64(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = wshub__rol64(v[1], 17) ^ v[2];
    v[2] = wshub__rol64(v[2], 32);
}

/* Eight bytes as a number, the first of them its lowest: written so that compilers see one load. */
static inline uint64_t wshub__load64le(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* kind: what the bytes name. Equal bytes of different kinds have hashes that say nothing of each
 * other. */
static uint64_t wshub__siphash(const uint64_t key[2], const void *bytes, size_t count,
                               uint8_t kind) {
    const uint8_t *p = (const uint8_t *)bytes;
    uint64_t v[4], w;
    size_t i, k;

    v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
    v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d) ^ kind;
    v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
    v[3] = key[1] ^ UINT64_C(0x7465646279746573);

    /* One round for each eight bytes; the last have the length in their top byte. */
    for (i = 0; i + 8 <= count; i += 8) {
        w = wshub__load64le(p + i);
        v[3] ^= w;
        wshub__sip_round(v);
        v[0] ^= w;
    }
    WSHUB_ASSERT(count - i < 8); /* so that the top byte is free */
    w = (uint64_t)(count & 0xFF) << 56;
    for (k = 0; i + k < count; k++) w |= (uint64_t)p[i + k] << 8 * k;
    v[3] ^= w;
    wshub__sip_round(v);
    v[0] ^= w;

    /* Three rounds at the end. */
    v[2] ^= 0xFF;
    for (i = 0; i < 3; i++) wshub__sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

WSHUB_API uint64_t wshub_siphash(const uint64_t key[2], const void *bytes, size_t count) {
    return wshub__siphash(key, bytes, count, 0);
}

/* ---- >>json ----------------------------------------------------------------------------------
 * Finds values in a text and builds no tree: a value is the slice of bytes that it was, and lives
 * as long as these. Strict RFC 8259 (MSG-9), nested as deeply as the caller allows; levels are bits
 * on the stack, nothing recurses. Bytes above 0x7F pass: whether they are UTF-8 is asked of >>utf8,
 * before or after. Also decodes strings, and writes them. Allocates nothing but what
 * wshub__buf_quote() adds to a buffer. No other room looks for quotes, brackets or escapes.
 * Two sorts of functions. Those that check a text say NULL, false or WSHUB_JSON_BAD of what is no
 * JSON. Those that read a text which has been checked already (wshub_json_find, _next, _peek,
 * _unescape) do not look at all of it again; should it be no JSON after all, they stay inside.
 * Calls >>buf, >>utf8. Proved by tests/test_json.c (every cut of a text among them), test_golden.c
 * (parse-*), and tests/fuzz/fuzz_text.c against a slow parser. */

static bool wshub__json_is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const uint8_t *wshub__json_ws(const uint8_t *p, const uint8_t *end) {
    while (p < end && wshub__json_is_blank(*p)) p++;
    return p;
}

/* p: behind a value, or NULL. Nothing but white space stands there? */
static bool wshub__json_ends(const uint8_t *p, const uint8_t *end) {
    return p && wshub__json_ws(p, end) == end;
}

/* p behind a backslash. Returns behind the escape; NULL: it is none of RFC 8259 7. */
static const uint8_t *wshub__json_escape(const uint8_t *p, const uint8_t *end) {
    if (p >= end) return NULL;
    switch (*p++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return p;
    case 'u':
        if (end - p < 4 || wshub__hex(p[0]) < 0 || wshub__hex(p[1]) < 0 || wshub__hex(p[2]) < 0 ||
            wshub__hex(p[3]) < 0) {
            return NULL;
        }
        return p + 4;
    default: return NULL;
    }
}

/* Eight bytes of a string: those that cannot simply be passed over (a quote, a backslash, a control
 * character) get their top bit set. Each of the three subtractions sets the top bit of such a byte
 * and of no other below 0x80; bytes above are masked out. As a subtraction may borrow from the next
 * byte, which is then marked too, only the lowest mark counts. */
static uint64_t wshub__json_marks(uint64_t w) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\';
    return ((w - ones * 0x20) | (quote - ones) | (backslash - ones)) & ~w & high;
}

/* p behind the opening quote. Returns behind the closing one; NULL: it is no string. */
static const uint8_t *wshub__json_string(const uint8_t *p, const uint8_t *end) {
    for (;;) {
        while (end - p >= 8) {
            uint64_t w, marks;
            memcpy(&w, p, 8);
            marks = wshub__json_marks(w);
            if (marks) {
                p += WSHUB__FIRST_BYTE(marks);
                break;
            }
            p += 8;
        }

        if (p >= end || *p < 0x20) return NULL;
        if (*p == '"') return p + 1;
        if (*p++ != '\\') continue;
        p = wshub__json_escape(p, end);
        if (!p) return NULL;
    }
}

/* p where digits must stand. Returns behind them; NULL: there is none. */
static const uint8_t *wshub__json_digits(const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = p;
    while (p < end && wshub__is_digit(*p)) p++;
    return p > start ? p : NULL;
}

/* RFC 8259 6: a minus, a whole part without leading zeros, a fraction, an exponent. */
static const uint8_t *wshub__json_number(const uint8_t *p, const uint8_t *end) {
    WSHUB_ASSERT(p < end);
    if (*p == '-') p++;
    if (p < end && *p == '0') {
        p++;
    } else {
        p = wshub__json_digits(p, end);
    }

    if (p && p < end && *p == '.') p = wshub__json_digits(p + 1, end);
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        p = wshub__json_digits(p, end);
    }
    return p;
}

static const uint8_t *wshub__json_word(const uint8_t *p, const uint8_t *end, const char *word) {
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && memcmp(p, word, n) == 0 ? p + n : NULL;
}

/* p at the first byte of what has no brackets. Returns behind it; NULL: no value. */
static const uint8_t *wshub__json_scalar(const uint8_t *p, const uint8_t *end) {
    WSHUB_ASSERT(p < end);
    switch (*p) {
    case '"': return wshub__json_string(p + 1, end);
    case 't': return wshub__json_word(p, end, "true");
    case 'f': return wshub__json_word(p, end, "false");
    case 'n': return wshub__json_word(p, end, "null");
    default: return wshub__json_number(p, end);
    }
}

/* p where a key must stand. Returns where its value begins; NULL: no key and colon. */
static const uint8_t *wshub__json_key(const uint8_t *p, const uint8_t *end) {
    if (p >= end || *p != '"') return NULL;
    p = wshub__json_string(p + 1, end);
    if (!p) return NULL;
    p = wshub__json_ws(p, end);
    return p < end && *p == ':' ? wshub__json_ws(p + 1, end) : NULL;
}

/* What the open brackets are, from the outermost on: one bit a level, set for an object. Of a word
 * only the bits of open levels mean anything, so nothing needs to be zeroed first. */
static void wshub__json_open(uint32_t *is_object, uint32_t level, bool object) {
    uint32_t *word = &is_object[level / 32], bit = 1u << level % 32;
    uint32_t outer = level % 32 ? *word & (bit - 1) : 0;

    WSHUB_ASSERT(level < WSHUB_JSON_DEPTH_MAX);
    *word = object ? outer | bit : outer;
}

/* Is the bracket of this level an object's? */
static bool wshub__json_in_object(const uint32_t *is_object, uint32_t level) {
    WSHUB_ASSERT(level < WSHUB_JSON_DEPTH_MAX);
    return (is_object[level / 32] >> level % 32 & 1u) != 0;
}

/* p at a value's first byte. Returns behind it; NULL: no value, or nested deeper than depth_max. */
static const uint8_t *wshub__json_value(const uint8_t *p, const uint8_t *end, uint32_t depth_max) {
    uint32_t is_object[WSHUB_JSON_DEPTH_MAX / 32 + 1]; /* of each open level */
    uint32_t depth = 0;

    WSHUB_ASSERT(depth_max <= WSHUB_JSON_DEPTH_MAX);
    for (;;) {
        bool object, opened = false;

        /* A value begins: a bracket opens one level more, all else is read at once. */
        if (p >= end) return NULL;
        if (*p == '{' || *p == '[') {
            if (depth >= depth_max) return NULL;
            wshub__json_open(is_object, depth++, *p == '{');
            p = wshub__json_ws(p + 1, end);
            opened = true;
        } else {
            p = wshub__json_scalar(p, end);
            if (!p) return NULL;
        }

        /* Brackets may close behind it, or right behind the one that opened. */
        for (;;) {
            if (depth == 0) return p;
            object = wshub__json_in_object(is_object, depth - 1);
            if (!opened) p = wshub__json_ws(p, end);
            if (p >= end) return NULL;
            if (*p != (object ? '}' : ']')) break;
            p++;
            depth--;
            opened = false;
        }

        /* The level goes on: with a comma unless this is its first, and in an object with a key. */
        if (!opened) {
            if (*p != ',') return NULL;
            p = wshub__json_ws(p + 1, end);
        }
        if (object && (p = wshub__json_key(p, end)) == NULL) return NULL;
    }
}

/* Reads four hexadecimal digits, or what there is of them. */
static uint32_t wshub__json_unit(const uint8_t *src, size_t n) {
    uint32_t unit = 0;
    size_t i;

    for (i = 0; i < 4 && i < n; i++) unit = unit << 4 | (uint32_t)(wshub__hex(src[i]) & 15);
    return unit;
}

/* src: behind a \u. Reads that code point, which may be a pair of surrogates that takes a second \u
 * (RFC 8259 7); half a pair becomes U+FFFD, as UTF-8 has no form for it. *used: how many bytes. */
static uint32_t wshub__json_code_point(const uint8_t *src, size_t n, size_t *used) {
    uint32_t high = wshub__json_unit(src, n), low;

    *used = n < 4 ? n : 4;
    WSHUB_ASSERT(high <= 0xFFFF);
    if (high < 0xD800 || high >= 0xE000) return high;

    if (high < 0xDC00 && n >= 10 && src[4] == '\\' && src[5] == 'u') {
        low = wshub__json_unit(src + 6, 4);
        if (low >= 0xDC00 && low < 0xE000) {
            *used = 10;
            return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return 0xFFFD;
}

/* Decodes what stands between a string's quotes; the text has been checked. Returns the decoded
 * length and writes what fits. dst may be src: a text never gets longer. */
WSHUB_API size_t wshub_json_unescape(const uint8_t *src, size_t n, uint8_t *dst, size_t cap) {
    size_t i = 0, at = 0;

    while (i < n) {
        uint8_t out[4];
        size_t len = 1, k, used;

        /* One byte, or what an escape stands for. */
        out[0] = src[i++];
        if (out[0] == '\\' && i < n) {
            out[0] = src[i++];
            switch (out[0]) {
            case 'b': out[0] = '\b'; break;
            case 'f': out[0] = '\f'; break;
            case 'n': out[0] = '\n'; break;
            case 'r': out[0] = '\r'; break;
            case 't': out[0] = '\t'; break;
            case 'u':
                len = wshub__utf8_write(wshub__json_code_point(src + i, n - i, &used), out);
                i += used;
                break;
            default: break; /* a quote, a backslash or a slash stands for itself */
            }
        }

        WSHUB_ASSERT(at + len <= i); /* what has not been read is not written over */
        for (k = 0; k < len; k++, at++) {
            if (at < cap) dst[at] = out[k];
        }
    }
    return at;
}

#define WSHUB__JSON_KEY_BYTES_MAX 256u

/* Takes the escapes out of a key, given between its quotes, with `plain` as room for it. False: it
 * is longer than any key that is looked for. */
static bool wshub__json_plain(wshub_str *name, uint8_t plain[WSHUB__JSON_KEY_BYTES_MAX]) {
    size_t n;

    if (!name->len || !memchr(name->ptr, '\\', name->len)) return true;
    n = wshub_json_unescape((const uint8_t *)name->ptr, name->len, plain,
                            WSHUB__JSON_KEY_BYTES_MAX);
    *name = wshub__str(plain, n);
    return n <= WSHUB__JSON_KEY_BYTES_MAX;
}

/* Gives a value to the field that has its name, if one has: the last of equal ones counts (MSG-9).
 * name: between its quotes. */
static void wshub__json_field_set(wshub_json_field *fields, size_t fields_count, wshub_str name,
                                  wshub_str value) {
    uint8_t plain[WSHUB__JSON_KEY_BYTES_MAX];
    size_t i;

    if (!wshub__json_plain(&name, plain)) return;
    for (i = 0; i < fields_count; i++) {
        if (name.len && fields[i].key[0] != name.ptr[0]) continue;
        if (wshub_str_eq_z(name, fields[i].key)) fields[i].value = value;
    }
}

/* Checks a whole text and, if it is an object, finds the named keys. */
WSHUB_API wshub_json_result wshub_json_fields(const uint8_t *p, size_t n, uint32_t depth_max,
                                              wshub_json_field *fields, size_t fields_count) {
    const uint8_t *end = p + n;

    /* What is no object is only checked. */
    if (depth_max > WSHUB_JSON_DEPTH_MAX) depth_max = WSHUB_JSON_DEPTH_MAX;
    p = wshub__json_ws(p, end);
    if (p >= end) return WSHUB_JSON_BAD;
    if (*p != '{') {
        p = wshub__json_value(p, end, depth_max);
        return wshub__json_ends(p, end) ? WSHUB_JSON_NO_OBJECT : WSHUB_JSON_BAD;
    }

    if (depth_max < 1) return WSHUB_JSON_BAD;
    p = wshub__json_ws(p + 1, end);
    if (p < end && *p == '}')
        return wshub__json_ends(p + 1, end) ? WSHUB_JSON_FIELDS : WSHUB_JSON_BAD;

    for (;;) {
        const uint8_t *name = p + 1, *behind, *value;

        /* A key and its value, which lies one level deeper. */
        if (p >= end || *p != '"') return WSHUB_JSON_BAD;
        behind = wshub__json_string(name, end);
        if (!behind) return WSHUB_JSON_BAD;
        value = wshub__json_ws(behind, end);
        if (value >= end || *value != ':') return WSHUB_JSON_BAD;
        value = wshub__json_ws(value + 1, end);
        p = wshub__json_value(value, end, depth_max - 1);
        if (!p) return WSHUB_JSON_BAD;
        wshub__json_field_set(fields, fields_count, wshub__str(name, (size_t)(behind - name) - 1),
                              wshub__str(value, (size_t)(p - value)));

        /* Behind it the object ends, or a comma says that it goes on. */
        p = wshub__json_ws(p, end);
        if (p < end && *p == '}') break;
        if (p >= end || *p != ',') return WSHUB_JSON_BAD;
        p = wshub__json_ws(p + 1, end);
    }
    return wshub__json_ends(p + 1, end) ? WSHUB_JSON_FIELDS : WSHUB_JSON_BAD;
}

WSHUB_API bool wshub_json_check(wshub_str text, uint32_t depth_max) {
    const uint8_t *p = (const uint8_t *)text.ptr, *end;

    if (!text.ptr) return false;
    end = p + text.len;
    if (depth_max == 0) depth_max = 1024; /* as the declaration says */
    if (depth_max > WSHUB_JSON_DEPTH_MAX) depth_max = WSHUB_JSON_DEPTH_MAX;
    return wshub__json_ends(wshub__json_value(wshub__json_ws(p, end), end, depth_max), end) &&
           wshub_utf8_check((const uint8_t *)text.ptr, text.len);
}

/* Without the white space around it, which a whole text may have and a value taken from one has
 * not. */
static wshub_str wshub__json_trim(wshub_str value) {
    while (value.len && wshub__json_is_blank((uint8_t)value.ptr[value.len - 1])) value.len--;
    while (value.len && wshub__json_is_blank((uint8_t)value.ptr[0])) {
        value.ptr++;
        value.len--;
    }
    return value;
}

WSHUB_API wshub_json_kind wshub_json_peek(wshub_str value) {
    value = wshub__json_trim(value);
    if (!value.len) return WSHUB_JSON_NONE;
    switch (value.ptr[0]) {
    case '{': return WSHUB_JSON_OBJECT;
    case '[': return WSHUB_JSON_ARRAY;
    case '"': return WSHUB_JSON_STRING;
    case 't':
    case 'f': return WSHUB_JSON_BOOL;
    case 'n': return WSHUB_JSON_NULL;
    default: return WSHUB_JSON_NUMBER;
    }
}

WSHUB_API wshub_json_kind wshub_json_type(wshub_str value) {
    return wshub_json_check(value, WSHUB_JSON_DEPTH_MAX) ? wshub_json_peek(value) : WSHUB_JSON_NONE;
}

/* name: between its quotes, as it is written; it may have escapes. */
static bool wshub__json_is_key(wshub_str name, wshub_str key) {
    uint8_t plain[WSHUB__JSON_KEY_BYTES_MAX];
    return wshub__json_plain(&name, plain) && wshub_str_eq(name, key);
}

/* The next member of an object that has been checked. iter->pos: behind the last value. */
static bool wshub__json_next_member(wshub_str object, wshub_iter *iter, wshub_str *out_key,
                                    wshub_str *out_value) {
    const uint8_t *p = (const uint8_t *)object.ptr, *end, *name, *value, *behind;

    if (!p || iter->pos > object.len) return false;
    end = p + object.len;
    p = wshub__json_ws(p + iter->pos, end);
    if (p >= end || *p != (iter->pos ? ',' : '{')) return false;

    name = wshub__json_ws(p + 1, end);
    value = wshub__json_key(name, end);
    behind = value ? wshub__json_value(value, end, WSHUB_JSON_DEPTH_MAX) : NULL;
    if (!behind) return false;
    *out_key = wshub__str(name, (size_t)(wshub__json_string(name + 1, end) - name));
    *out_value = wshub__str(value, (size_t)(behind - value));
    iter->pos = (uint64_t)(behind - (const uint8_t *)object.ptr);
    return true;
}

/* wshub_json_get() for a text that the hub has checked: through all members, as the last of equal
 * keys counts (MSG-9). */
WSHUB_API wshub_str wshub_json_find(wshub_str object, const char *key) {
    wshub_str wanted = wshub_str_z(key), found = wshub__str(NULL, 0), name, value;
    wshub_iter iter;

    memset(&iter, 0, sizeof iter);
    while (wshub__json_next_member(object, &iter, &name, &value)) {
        if (wshub__json_is_key(wshub__str(name.ptr + 1, name.len - 2), wanted)) found = value;
    }
    return found;
}

/* wshub_json_each() for a text that the hub has checked. iter->pos: behind the last element. */
WSHUB_API bool wshub_json_next(wshub_str array, wshub_iter *iter, wshub_str *out_value) {
    const uint8_t *p = (const uint8_t *)array.ptr, *end, *behind;

    if (!p || iter->pos > array.len) return false;
    end = p + array.len;
    p = wshub__json_ws(p + iter->pos, end);
    if (p >= end || *p != (iter->pos ? ',' : '[')) return false;

    p = wshub__json_ws(p + 1, end);
    behind = wshub__json_value(p, end, WSHUB_JSON_DEPTH_MAX);
    if (!behind) return false;
    *out_value = wshub__str(p, (size_t)(behind - p));
    iter->pos = (uint64_t)(behind - (const uint8_t *)array.ptr);
    return true;
}

WSHUB_API wshub_str wshub_json_get(wshub_str object, const char *key) {
    return key && wshub_json_check(object, WSHUB_JSON_DEPTH_MAX) ? wshub_json_find(object, key)
                                                                 : wshub__str(NULL, 0);
}

WSHUB_API bool wshub_json_each(wshub_str array, wshub_iter *iter, wshub_str *out_value) {
    if (iter->pos == 0 && !wshub_json_check(array, WSHUB_JSON_DEPTH_MAX)) return false;
    return wshub_json_next(array, iter, out_value);
}

WSHUB_API size_t wshub_json_text(wshub_str value, char *buf, size_t cap) {
    const uint8_t *p, *end;

    if (!value.ptr) return SIZE_MAX;
    value = wshub__json_trim(value);
    p = (const uint8_t *)value.ptr;
    end = p + value.len;
    if (value.len < 2 || *p != '"' || wshub__json_string(p + 1, end) != end ||
        !wshub_utf8_check(p, value.len))
        return SIZE_MAX;
    return wshub_json_unescape(p + 1, value.len - 2, (uint8_t *)buf, cap);
}

/* Is there an escape of the character NUL in this string? It has been checked. */
static bool wshub__json_has_nul(wshub_str value) {
    size_t i;

    for (i = 0; i + 6 <= value.len; i++) { /* six bytes: \u0000 */
        if (value.ptr[i] != '\\') continue;
        if (memcmp(value.ptr + i, "\\u0000", 6) == 0) return true;
        i++; /* what is escaped begins no escape */
    }
    return false;
}

WSHUB_API wshub_err wshub_json_copy(wshub_str value, char *buf, size_t cap, size_t *out_len) {
    size_t n = wshub_json_text(value, NULL, 0);

    /* All that can be wrong is asked before anything is written. */
    if (n == SIZE_MAX) return WSHUB_ERR_JSON;
    if (n >= cap) return WSHUB_ERR_LIMIT;
    if (wshub__json_has_nul(value)) return WSHUB_ERR_PARAM;

    (void)wshub_json_text(value, buf, cap);
    buf[n] = 0;
    if (out_len) *out_len = n;
    return WSHUB_OK;
}

/* Reads digits to the end of the value, without a leading zero. Returns OK; JSON: no such number;
 * LIMIT: more than 2^63, which no int64_t has with either sign. */
static wshub_err wshub__json_magnitude(wshub_str digits, uint64_t *out_number) {
    const uint64_t most = UINT64_C(1) << 63;
    bool big = false;
    uint64_t n = 0;
    size_t i;

    if (digits.len == 0 || (digits.ptr[0] == '0' && digits.len > 1)) return WSHUB_ERR_JSON;
    for (i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(uint8_t)digits.ptr[i] - '0';
        if (digit > 9) return WSHUB_ERR_JSON;
        if (n > (most - digit) / 10) big = true; /* read on: it may be no number at all */
        n = big ? 0 : n * 10 + digit;
    }
    WSHUB_ASSERT(n <= most);
    *out_number = n;
    return big ? WSHUB_ERR_LIMIT : WSHUB_OK;
}

WSHUB_API wshub_err wshub_json_int(wshub_str value, int64_t min, int64_t max, int64_t *out_number) {
    wshub_err err;
    bool minus;
    uint64_t n;
    int64_t whole;

    if (!value.ptr) return WSHUB_ERR_JSON;
    value = wshub__json_trim(value);
    minus = value.len && value.ptr[0] == '-';
    err = wshub__json_magnitude(
        wshub__str(value.ptr + (minus ? 1 : 0), value.len - (minus ? 1 : 0)), &n);
    if (err) return err;

    /* -2^63 has no positive twin. */
    if (!minus && n > INT64_MAX) return WSHUB_ERR_LIMIT;
    whole = !minus ? (int64_t)n : n ? -(int64_t)(n - 1) - 1 : 0;
    if (whole < min || whole > max) return WSHUB_ERR_LIMIT;
    *out_number = whole;
    return WSHUB_OK;
}

/* The greatest whole number that JavaScript's numbers hold exactly: 2^53 - 1. */
#define WSHUB__JSON_UINT_MAX INT64_C(9007199254740991)

WSHUB_API bool wshub_json_uint(wshub_str value, uint64_t *out_number) {
    int64_t n;

    if (wshub_json_int(value, 0, WSHUB__JSON_UINT_MAX, &n)) return false;
    if (memchr(value.ptr, '-', value.len)) return false; /* -0 */
    *out_number = (uint64_t)n;
    return true;
}

/* The longest number that is handed to the C library. */
#define WSHUB__JSON_NUMBER_BYTES_MAX 512u

/* Whatever the locale has for a decimal point, JSON has a dot. */
static char wshub__json_point(void) {
    char text[8];
    (void)snprintf(text, sizeof text, "%.1f", 0.5);
    return text[1];
}

WSHUB_API wshub_err wshub_json_double(wshub_str value, double *out_number) {
    char text[WSHUB__JSON_NUMBER_BYTES_MAX + 1], *dot;
    double number;

    if (wshub_json_type(value) != WSHUB_JSON_NUMBER) return WSHUB_ERR_JSON;
    value = wshub__json_trim(value);
    if (value.len > WSHUB__JSON_NUMBER_BYTES_MAX) return WSHUB_ERR_LIMIT;
    memcpy(text, value.ptr, value.len);
    text[value.len] = 0;
    dot = strchr(text, '.');
    if (dot) *dot = wshub__json_point();

    number = strtod(text, NULL);
    if (number - number != 0) return WSHUB_ERR_LIMIT; /* no infinity is equal to itself so */
    *out_number = number;
    return WSHUB_OK;
}

WSHUB_API bool wshub_json_bool(wshub_str value, bool *out_bool) {
    if (wshub_json_type(value) != WSHUB_JSON_BOOL) return false;
    *out_bool = wshub__json_trim(value).ptr[0] == 't';
    return true;
}

WSHUB_API bool wshub_json_is(wshub_str value, const char *text) {
    uint8_t plain[WSHUB__JSON_KEY_BYTES_MAX];
    size_t n = wshub_json_text(value, (char *)plain, sizeof plain);

    return text && n <= sizeof plain && wshub_str_eq_z(wshub__str(plain, n), text);
}

WSHUB_API bool wshub_json_each_member(wshub_str object, wshub_iter *iter, wshub_str *out_key,
                                      wshub_str *out_value) {
    if (iter->pos == 0 && !wshub_json_check(object, WSHUB_JSON_DEPTH_MAX)) return false;
    return wshub__json_next_member(object, iter, out_key, out_value);
}

/* Takes the escapes out of a step of a path (RFC 6901 3, 4). False: it has none that is right, or
 * is longer than any key that is looked for. */
static bool wshub__json_step(const char *step, size_t n,
                             char out_name[WSHUB__JSON_KEY_BYTES_MAX + 1]) {
    size_t i, at = 0;

    for (i = 0; i < n; i++) {
        char byte = step[i];
        if (byte == '~') {
            if (++i >= n || (step[i] != '0' && step[i] != '1')) return false;
            byte = step[i] == '0' ? '~' : '/';
        }
        if (at == WSHUB__JSON_KEY_BYTES_MAX) return false;
        out_name[at++] = byte;
    }
    out_name[at] = 0;
    return true;
}

/* The element of an array that a step names: digits, without a leading zero (RFC 6901 4). */
static wshub_str wshub__json_element(wshub_str array, const char *step) {
    wshub_str digits = wshub_str_z(step), value = wshub__str(NULL, 0);
    wshub_iter iter;
    int64_t wanted, i;

    if (wshub_json_int(digits, 0, INT64_MAX, &wanted) || step[0] == '-') return value;
    memset(&iter, 0, sizeof iter);
    for (i = 0; i <= wanted; i++) {
        if (!wshub_json_next(array, &iter, &value)) return wshub__str(NULL, 0);
    }
    return value;
}

WSHUB_API wshub_str wshub_json_at(wshub_str value, const char *path) {
    const wshub_str absent = wshub__str(NULL, 0);
    char name[WSHUB__JSON_KEY_BYTES_MAX + 1];

    if (!path || !wshub_json_check(value, WSHUB_JSON_DEPTH_MAX)) return absent;
    value = wshub__json_trim(value);
    while (*path) {
        size_t n;
        if (*path++ != '/') return absent;
        n = strcspn(path, "/");
        if (!wshub__json_step(path, n, name)) return absent;
        path += n;

        switch (wshub_json_peek(value)) {
        case WSHUB_JSON_OBJECT: value = wshub_json_find(value, name); break;
        case WSHUB_JSON_ARRAY: value = wshub__json_element(value, name); break;
        default: return absent;
        }
        if (!value.ptr) return absent;
    }
    return value;
}

/* How many bytes more than itself a byte takes inside a JSON string, as JSON.stringify writes it:
 * a backslash, or \u00 and two digits instead of the byte. */
static uint32_t wshub__json_extra(uint8_t c) {
    if (c == '"' || c == '\\') return 1;
    if (c >= 0x20) return 0;
    return c == '\b' || c == '\t' || c == '\n' || c == '\f' || c == '\r' ? 1 : 5;
}

WSHUB_API size_t wshub_json_quoted_len(wshub_str s) {
    size_t i, n = s.len + 2;
    for (i = 0; i < s.len; i++) n += wshub__json_extra((uint8_t)s.ptr[i]);
    return n;
}

/* Writes the escape of a byte that needs one. Returns its length. */
static size_t wshub__json_write_escape(uint8_t c, char out[6]) {
    out[0] = '\\';
    switch (c) {
    case '\b': out[1] = 'b'; return 2;
    case '\t': out[1] = 't'; return 2;
    case '\n': out[1] = 'n'; return 2;
    case '\f': out[1] = 'f'; return 2;
    case '\r': out[1] = 'r'; return 2;
    case '"':
    case '\\': out[1] = (char)c; return 2;
    default: break;
    }

    WSHUB_ASSERT(c < 0x20);
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = wshub__hex_digits[c >> 4];
    out[5] = wshub__hex_digits[c & 15];
    return 6;
}

WSHUB_API size_t wshub_json_quote(wshub_str text, char *buf, size_t cap) {
    size_t i, k, at = 0;

    if (at < cap) buf[at] = '"';
    at++;
    for (i = 0; i < text.len; i++) {
        char byte = text.ptr[i], out[6];
        size_t len;

        if (!wshub__json_extra((uint8_t)byte)) {
            if (at < cap) buf[at] = byte;
            at++;
            continue;
        }
        len = wshub__json_write_escape((uint8_t)byte, out);
        for (k = 0; k < len; k++, at++) {
            if (at < cap) buf[at] = out[k];
        }
    }
    if (at < cap) buf[at] = '"';
    return at + 1;
}

/* ---- the writer ---- */

WSHUB_API void wshub_json_begin(wshub_json_writer *w, char *buf, size_t cap) {
    memset(w, 0, sizeof *w);
    w->buf = buf;
    w->cap = buf ? cap : 0;
}

/* The first thing that goes wrong counts; that something does not fit only where nothing else is
 * wrong, which wshub_json_done() sees by the length. */
static void wshub__json_writer_wrong(wshub_json_writer *w, wshub_err err) {
    if (!w->err) w->err = err;
}

static void wshub__json_writer_add(wshub_json_writer *w, const char *bytes, size_t n) {
    if (w->len < w->cap) memcpy(w->buf + w->len, bytes, n < w->cap - w->len ? n : w->cap - w->len);
    w->len = n > SIZE_MAX - w->len ? SIZE_MAX : w->len + n;
}

static void wshub__json_writer_add_quoted(wshub_json_writer *w, wshub_str text) {
    size_t room = w->len < w->cap ? w->cap - w->len : 0;

    if (!wshub_utf8_check((const uint8_t *)text.ptr, text.len))
        wshub__json_writer_wrong(w, WSHUB_ERR_PARAM);
    w->len += wshub_json_quote(text, room ? w->buf + w->len : NULL, room);
}

static bool wshub__json_writer_in_array(const wshub_json_writer *w) {
    WSHUB_ASSERT(w->depth > 0);
    return w->array >> (w->depth - 1) & 1;
}

/* What stands in front of every value: a comma unless it is the first, and in an object its key. */
static void wshub__json_writer_lead(wshub_json_writer *w, const char *key) {
    bool named = w->depth && !wshub__json_writer_in_array(w);

    if (named != (key != NULL)) wshub__json_writer_wrong(w, WSHUB_ERR_PARAM);
    if (w->some && !w->depth)
        wshub__json_writer_wrong(w, WSHUB_ERR_PARAM); /* a second outermost value */
    if (w->some) wshub__json_writer_add(w, ",", 1);
    w->some = true;
    if (!named || !key) return;
    wshub__json_writer_add_quoted(w, wshub_str_z(key));
    wshub__json_writer_add(w, ":", 1);
}

static void wshub__json_writer_put(wshub_json_writer *w, const char *key, const char *text) {
    wshub__json_writer_lead(w, key);
    wshub__json_writer_add(w, text, strlen(text));
}

static void wshub__json_writer_open(wshub_json_writer *w, const char *key, bool array) {
    wshub__json_writer_put(w, key, array ? "[" : "{");
    if (w->depth == WSHUB_JSON_WRITER_DEPTH_MAX) {
        wshub__json_writer_wrong(w, WSHUB_ERR_PARAM);
        return;
    }
    w->array &= ~(UINT64_C(1) << w->depth);
    w->array |= (uint64_t)array << w->depth;
    w->depth++;
    w->some = false;
}

WSHUB_API void wshub_json_put_object(wshub_json_writer *w, const char *key) {
    wshub__json_writer_open(w, key, false);
}

WSHUB_API void wshub_json_put_array(wshub_json_writer *w, const char *key) {
    wshub__json_writer_open(w, key, true);
}

WSHUB_API void wshub_json_put_end(wshub_json_writer *w) {
    if (!w->depth) {
        wshub__json_writer_wrong(w, WSHUB_ERR_PARAM);
        return;
    }
    wshub__json_writer_add(w, wshub__json_writer_in_array(w) ? "]" : "}", 1);
    w->depth--;
    w->some = true;
}

WSHUB_API void wshub_json_put_str(wshub_json_writer *w, const char *key, wshub_str text) {
    if (!text.ptr) {
        wshub_json_put_null(w, key);
        return;
    }
    wshub__json_writer_lead(w, key);
    wshub__json_writer_add_quoted(w, text);
}

WSHUB_API void wshub_json_put_text(wshub_json_writer *w, const char *key, const char *text) {
    wshub_json_put_str(w, key, wshub_str_z(text));
}

static void wshub__json_writer_digits(wshub_json_writer *w, const char *key, bool minus,
                                      uint64_t magnitude) {
    char room[WSHUB__DIGITS_MAX], *first = wshub__digits(magnitude, room);

    wshub__json_writer_lead(w, key);
    if (minus) wshub__json_writer_add(w, "-", 1);
    wshub__json_writer_add(w, first, (size_t)(room + sizeof room - first));
}

WSHUB_API void wshub_json_put_int(wshub_json_writer *w, const char *key, int64_t number) {
    wshub__json_writer_digits(w, key, number < 0,
                              number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

WSHUB_API void wshub_json_put_uint(wshub_json_writer *w, const char *key, uint64_t number) {
    wshub__json_writer_digits(w, key, false, number);
}

WSHUB_API void wshub_json_put_double(wshub_json_writer *w, const char *key, double number) {
    char text[40], *point;
    int digits;

    if (number - number != 0) { /* infinite, or no number */
        wshub__json_writer_wrong(w, WSHUB_ERR_PARAM);
        return;
    }
    for (digits = 15; digits <= 17; digits++) { /* never: 17 read back the same always */
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (!(strtod(text, NULL) < number) && !(strtod(text, NULL) > number)) break;
    }
    point = strchr(text, wshub__json_point());
    if (point) *point = '.';
    wshub__json_writer_put(w, key, text);
}

WSHUB_API void wshub_json_put_bool(wshub_json_writer *w, const char *key, bool yes) {
    wshub__json_writer_put(w, key, yes ? "true" : "false");
}

WSHUB_API void wshub_json_put_null(wshub_json_writer *w, const char *key) {
    wshub__json_writer_put(w, key, "null");
}

WSHUB_API void wshub_json_put_raw(wshub_json_writer *w, const char *key, wshub_str json) {
    if (!json.ptr) {
        wshub_json_put_null(w, key);
        return;
    }
    if (!wshub_json_check(json, WSHUB_JSON_DEPTH_MAX)) wshub__json_writer_wrong(w, WSHUB_ERR_JSON);
    wshub__json_writer_lead(w, key);
    wshub__json_writer_add(w, json.ptr, json.len);
}

WSHUB_API wshub_err wshub_json_done(wshub_json_writer *w, wshub_str *out_text) {
    if (w->depth || !w->some) wshub__json_writer_wrong(w, WSHUB_ERR_PARAM);
    if (w->len > w->cap) wshub__json_writer_wrong(w, WSHUB_ERR_LIMIT);
    if (out_text) *out_text = w->err ? wshub__str(NULL, 0) : wshub__str(w->buf, w->len);
    return w->err;
}

/* Adds a text as a JSON string. */
static void wshub__buf_quote(const wshub__mem *mem, wshub__buf *buf, wshub_str s) {
    size_t n = wshub_json_quoted_len(s);

    if (!wshub__buf_room(mem, buf, n)) return;
    buf->len += (uint32_t)wshub_json_quote(s, (char *)buf->ptr + buf->len, n);
    WSHUB_ASSERT(buf->len <= buf->cap);
}

/* ---- >>http ----------------------------------------------------------------------------------
 * Reads a request's head (RFC 9112) and judges what stands in it: framing, Host, Origin, a
 * WebSocket handshake. Strictly: what two readers could understand differently is refused, since a
 * proxy before us may be the other reader (CONN-5). A whole head goes in; slices of it come out,
 * which live as long as the head does. Refuses by returning the HTTP status to answer with, and a
 * text that says why. Chunked bodies are read here as well, byte by byte. Knows no stream, no path,
 * no body's owner: what a request is answered with is the affair of >>exchange. No other room looks
 * for header fields, lists, hosts or origins in bytes.
 * Allocates nothing. Calls >>buf, >>sha1, >>base64. Proved by tests/test_http.c,
 * test_negative_http.c, test_upgrade.c (origins), tests/fuzz/fuzz_conn.c, and `make proxies`, where
 * nginx and haproxy are asked too. */

/* May this byte stand in a token, as methods and names of fields are (RFC 9110 5.6.2)? */
static bool wshub__http_token_char(uint8_t c) {
    if (wshub__is_alnum(c)) return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* Is this a token: one such byte or more? */
static bool wshub__http_is_token(wshub_str s) {
    size_t i;
    for (i = 0; i < s.len; i++) {
        if (!wshub__http_token_char((uint8_t)s.ptr[i])) return false;
    }
    return s.len > 0;
}

/* Without the blanks and tabs around it (OWS, RFC 9110 5.6.3). */
static wshub_str wshub__http_trim(wshub_str s) {
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) s.len--;
    return s;
}

/* Takes what stands before the next sign off a text that is not empty, and that sign with it;
 * without one, all. What is left is absent where there was no sign. */
static wshub_str wshub__http_cut(wshub_str *text, char sign) {
    const char *at = (const char *)memchr(text->ptr, sign, text->len);
    size_t n = at ? (size_t)(at - text->ptr) : text->len;
    wshub_str piece = wshub__str(text->ptr, n);

    WSHUB_ASSERT(text->len);
    WSHUB_ASSERT(n <= text->len);
    *text = at ? wshub__str(at + 1, text->len - n - 1) : wshub__str(NULL, 0);
    return piece;
}

/* Takes the next element off a list of tokens, separated by commas; empty ones are skipped (RFC
 * 9110 5.6.1). Quotes are no part of a token, so they protect nothing here. */
static bool wshub__http_list(wshub_str *list, wshub_str *out_item) {
    while (list->len) {
        wshub_str item = wshub__http_trim(wshub__http_cut(list, ','));
        if (item.len) {
            *out_item = item;
            return true;
        }
    }
    return false;
}

/* Where the next field of that name stands, from a place on; headers_count: there is none. */
static size_t wshub__http_find(const wshub_http *http, const char *name, size_t from) {
    while (from < http->headers_count && !wshub__str_same(http->headers[from].name, name)) from++;
    return from;
}

WSHUB_API wshub_str wshub_http_header(const wshub_http *http, const char *name) {
    size_t at = wshub__http_find(http, name, 0);
    return at < http->headers_count ? http->headers[at].value : wshub__str(NULL, 0);
}

WSHUB_API bool wshub_http_each_header(const wshub_http *http, const char *name, wshub_iter *iter,
                                      wshub_str *out_value) {
    size_t at = wshub__http_find(http, name, (size_t)iter->pos);

    if (at >= http->headers_count) return false;
    iter->pos = at + 1;
    *out_value = http->headers[at].value;
    return true;
}

/* How many fields of that name there are. */
static size_t wshub__http_count(const wshub_http *http, const char *name) {
    wshub_iter iter = {0, 0};
    wshub_str value;
    size_t n = 0;

    while (wshub_http_each_header(http, name, &iter, &value)) n++;
    return n;
}

/* Is the token an element of the list that all fields of that name make up together? */
static bool wshub__http_has_token(const wshub_http *http, const char *name, const char *token) {
    wshub_iter iter = {0, 0};
    wshub_str list, item;

    while (wshub_http_each_header(http, name, &iter, &list)) {
        while (wshub__http_list(&list, &item)) {
            if (wshub__str_same(item, token)) return true;
        }
    }
    return false;
}

/* A port as it stands behind a host, which may be empty (RFC 3986 3.2.3). */
static bool wshub__http_port_ok(wshub_str s) {
    size_t i;

    WSHUB_ASSERT(s.len > 0);
    if (s.ptr[0] != ':') return false;
    for (i = 1; i < s.len; i++) {
        if (!wshub__is_digit((uint8_t)s.ptr[i])) return false;
    }
    return true;
}

/* May this byte stand in a name or an IPv4 address (reg-name, RFC 3986 3.2.2)? */
static bool wshub__http_host_char(uint8_t c) {
    return wshub__is_alnum(c) || (c != 0 && strchr("-._~%!$&'()*+,;=", c) != NULL);
}

/* Is this what Host may say: uri-host [ ":" port ] (RFC 9110 7.2)? It may be empty, where the
 * target names none. */
WSHUB__COLD static bool wshub__http_host_ok(wshub_str s) {
    size_t i = 0, k;

    /* An IPv6 address stands in brackets; the shortest is `::`. All else is a name or an IPv4
     * address, up to the colon. */
    if (s.len && s.ptr[0] == '[') {
        while (i < s.len && s.ptr[i] != ']') i++;
        if (i == s.len || i < 3) return false;
        for (k = 1; k < i; k++) {
            bool ok = wshub__hex((uint8_t)s.ptr[k]) >= 0 || s.ptr[k] == ':' || s.ptr[k] == '.';
            if (!ok) return false;
        }
        i++;
    } else {
        for (; i < s.len && s.ptr[i] != ':'; i++) {
            if (!wshub__http_host_char((uint8_t)s.ptr[i])) return false;
        }
    }
    WSHUB_ASSERT(i <= s.len);
    return i == s.len || wshub__http_port_ok(wshub__str(s.ptr + i, s.len - i));
}

/* Of `scheme://rest`, how many bytes lie before the rest. 0: there is no `://`. */
static size_t wshub__http_scheme_bytes(wshub_str s) {
    size_t i;
    for (i = 0; i + 3 <= s.len; i++) {
        if (memcmp(s.ptr + i, "://", 3) == 0) return i + 3;
    }
    return 0;
}

/* Where an authority ends that begins at `from`: at the path, at the query, or with the text. */
static size_t wshub__http_authority_end(wshub_str s, size_t from) {
    while (from < s.len && s.ptr[from] != '/' && s.ptr[from] != '?') from++;
    return from;
}

/* Takes scheme and authority off a target in absolute form (RFC 9112 3.2.2). False: it has none, or
 * one that cannot be ours. */
static bool wshub__http_target_relative(wshub_str *target) {
    static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
    size_t i, end, from = 0;

    for (i = 0; i < sizeof schemes / sizeof *schemes && from == 0; i++) {
        size_t n = strlen(schemes[i]);
        if (target->len > n && wshub__same(target->ptr, schemes[i], n)) from = n;
    }
    if (from == 0) return false;

    end = wshub__http_authority_end(*target, from);
    WSHUB_ASSERT(end >= from && end <= target->len);
    if (end == from || !wshub__http_host_ok(wshub__str(target->ptr + from, end - from)))
        return false;
    *target = wshub__str(target->ptr + end, target->len - end);
    return true;
}

/* Splits a target into path and query. False: not a form that this server takes, which are the
 * origin form, the absolute form, and `*` for OPTIONS; the authority form is CONNECT's. */
WSHUB__COLD static bool wshub__http_target(wshub_http *http) {
    wshub_str target = http->target;
    const char *query;
    size_t i;

    if (target.len == 0) return false;
    for (i = 0; i < target.len; i++) {
        uint8_t c = (uint8_t)target.ptr[i];
        if (c <= 0x20 || c >= 0x7F || c == '#') return false;
    }

    if (target.ptr[0] != '/' && !wshub__http_target_relative(&target)) {
        http->path = target;
        http->query = wshub__str(NULL, 0);
        return wshub_str_eq_z(target, "*") && wshub_str_eq_z(http->method, "OPTIONS");
    }

    query = target.len ? (const char *)memchr(target.ptr, '?', target.len) : NULL;
    http->path = wshub__str(target.ptr, query ? (size_t)(query - target.ptr) : target.len);
    http->query =
        query ? wshub__str(query + 1, target.len - http->path.len - 1) : wshub__str(NULL, 0);
    if (http->path.len == 0) http->path = wshub_str_z("/"); /* RFC 9110 4.2.3 */
    return true;
}

/* A host, as wshub__http_host_ok() lets it through, without its port. */
static wshub_str wshub__http_host_name(wshub_str host) {
    size_t n = host.len;

    while (n && wshub__is_digit((uint8_t)host.ptr[n - 1])) n--;
    return n && host.ptr[n - 1] == ':' ? wshub__str(host.ptr, n - 1) : host;
}

/* Is this the host of a rule of allowed_hosts, as wshub__host_rule_ok() lets them through? A rule
 * without a port stands for any port; one that begins with `*.` for whatever has something before
 * that dot. */
WSHUB__COLD static bool wshub__host_match(wshub_str host, wshub_str rule) {
    const char *bracket = (const char *)memchr(rule.ptr, ']', rule.len);
    const char *colon_from = bracket ? bracket : rule.ptr; /* those of an address are no port's */

    WSHUB_ASSERT(rule.len);
    if (!memchr(colon_from, ':', rule.len - (size_t)(colon_from - rule.ptr)))
        host = wshub__http_host_name(host);

    /* Behind the star begins what the host must end with, its dot included. */
    if (rule.ptr[0] == '*') {
        rule = wshub__str(rule.ptr + 1, rule.len - 1);
        if (host.len <= rule.len || host.ptr[0] == '.') return false;
        host = wshub__str(host.ptr + (host.len - rule.len), rule.len);
    }
    return host.len == rule.len && wshub__same(host.ptr, rule.ptr, rule.len);
}

/* Whom a request is for: of an absolute-form target its authority, else Host (RFC 9112 3.3). ptr
 * NULL: it does not say. */
WSHUB__COLD static wshub_str wshub__http_authority(const wshub_http *http) {
    wshub_str target = http->target;
    size_t from = target.len && target.ptr[0] == '/' ? 0 : wshub__http_scheme_bytes(target);

    if (from == 0) return wshub_http_header(http, "Host"); /* origin form, or `*` */
    return wshub__str(target.ptr + from, wshub__http_authority_end(target, from) - from);
}

/* The end of the line that begins at p: its CR, behind which the LF stands. NULL: a CR alone, or
 * none (RFC 9112 2.2). */
static const uint8_t *wshub__http_line_end(const uint8_t *p, const uint8_t *end) {
    const uint8_t *cr = (const uint8_t *)memchr(p, '\r', (size_t)(end - p));
    return cr && cr + 1 < end && cr[1] == '\n' ? cr : NULL;
}

/* Reads a request line (RFC 9112 3), p to eol. Returns 0, or the status; *why says why. */
static int wshub__http_parse_line(const uint8_t *p, const uint8_t *eol, wshub_http *out,
                                  const char **why) {
    const uint8_t *target, *version;

    /* Method and target, with one blank behind each. */
    WSHUB_ASSERT(p <= eol);
    *why = "malformed request line";
    target = (const uint8_t *)memchr(p, ' ', (size_t)(eol - p));
    if (!target++) return 400;
    version = (const uint8_t *)memchr(target, ' ', (size_t)(eol - target));
    if (!version++) return 400;
    out->method = wshub__str(p, (size_t)(target - p) - 1);
    out->target = wshub__str(target, (size_t)(version - target) - 1);
    if (!wshub__http_is_token(out->method)) return 400;

    /* HTTP-version: two digits with a dot between them. */
    if (eol - version != 8 || memcmp(version, "HTTP/", 5) != 0) return 400;
    if (!wshub__is_digit(version[5]) || version[6] != '.' || !wshub__is_digit(version[7]))
        return 400;
    *why = "only HTTP/1.1 is spoken here";
    if (version[5] != '1') return 505;
    out->minor = version[7] - '0';

    *why = "malformed request target";
    return wshub__http_target(out) ? 0 : 400;
}

/* Reads a header field (RFC 9112 5), p to eol with a colon in it. No name, a blank before the colon
 * and a folded line are refused, as their names are no tokens; so is a NUL, a bare LF or another
 * control character in the value. */
static bool wshub__http_parse_field(const uint8_t *p, const uint8_t *colon, const uint8_t *eol,
                                    wshub_header *out) {
    const uint8_t *c;

    WSHUB_ASSERT(p <= colon && colon < eol);
    out->name = wshub__str(p, (size_t)(colon - p));
    if (!wshub__http_is_token(out->name)) return false;
    for (c = colon + 1; c < eol; c++) {
        if ((*c < 0x20 && *c != '\t') || *c == 0x7F) return false;
    }
    out->value = wshub__http_trim(wshub__str(colon + 1, (size_t)(eol - colon - 1)));
    return true;
}

/* Host: once in HTTP/1.1, at most once before it, and valid (RFC 9112 3.2). */
static bool wshub__http_has_host(const wshub_http *http) {
    size_t n = wshub__http_count(http, "Host");

    if (n == 0) return http->minor < 1;
    return n == 1 && wshub__http_host_ok(wshub_http_header(http, "Host"));
}

/* Reads a head: from the request line to the empty line, both included. headers: room for
 * headers_max. Returns 0, or the HTTP status to answer with; *why says why. */
WSHUB__COLD static int wshub__http_parse(const uint8_t *p, size_t n, wshub_header *headers,
                                         size_t headers_max, wshub_http *out, const char **why) {
    const uint8_t *end = p + n, *eol, *colon;
    int status;

    memset(out, 0, sizeof *out);
    out->headers = headers;
    *why = "malformed request line";
    eol = wshub__http_line_end(p, end);
    if (!eol) return 400;
    status = wshub__http_parse_line(p, eol, out, why);
    if (status) return status;

    /* A field a line, until one is empty. */
    for (p = eol + 2; p < end && *p != '\r'; p = eol + 2) {
        *why = "malformed header field";
        eol = wshub__http_line_end(p, end);
        if (!eol) return 400;
        colon = (const uint8_t *)memchr(p, ':', (size_t)(eol - p));
        if (!colon) return 400;
        if (out->headers_count >= headers_max) {
            *why = "too many header fields";
            return 431;
        }
        if (!wshub__http_parse_field(p, colon, eol, &headers[out->headers_count])) return 400;
        out->headers_count++;
    }
    WSHUB_ASSERT(out->headers_count <= headers_max);

    *why = "malformed head";
    if (end - p != 2 || p[1] != '\n') return 400;
    *why = "Host must be there once, and be valid";
    return wshub__http_has_host(out) ? 0 : 400;
}

/* Digits of a Content-Length: more than any body may have, and none that a uint64_t has not. */
#define WSHUB__HTTP_LENGTH_DIGITS_MAX 18u

/* How the body is framed, by its framing headers alone (RFC 9112 6.3). Returns 0, or the status. */
WSHUB__COLD static int wshub__http_body(const wshub_http *http, uint64_t *out_length,
                                        const char **why) {
    wshub_str length = wshub_http_header(http, "Content-Length");
    size_t codings = wshub__http_count(http, "Transfer-Encoding"), i;

    /* One coding, which must be `chunked`, and no length beside it. */
    *out_length = 0;
    *why = "malformed Content-Length or Transfer-Encoding";
    if (codings) {
        if (length.ptr || http->minor < 1 || codings != 1) return 400;
        if (!wshub__str_same(wshub_http_header(http, "Transfer-Encoding"), "chunked")) return 501;
        *out_length = WSHUB_LENGTH_UNKNOWN;
        return 0;
    }

    /* Or a length, once and in digits; neither: there is no body. */
    if (!length.ptr) return 0;
    if (wshub__http_count(http, "Content-Length") != 1) return 400;
    if (length.len == 0 || length.len > WSHUB__HTTP_LENGTH_DIGITS_MAX) return 400;
    for (i = 0; i < length.len; i++) {
        uint8_t c = (uint8_t)length.ptr[i];
        if (!wshub__is_digit(c)) return 400;
        *out_length = *out_length * 10 + (uint64_t)(c - '0');
    }
    WSHUB_ASSERT(*out_length != WSHUB_LENGTH_UNKNOWN);
    return 0;
}

#define WSHUB__WS_KEY_BYTES 24u /* sixteen bytes in base64 */

/* Is this sixteen bytes in base64: 22 digits and two signs of padding (RFC 6455 4.1)? */
static bool wshub__http_ws_key_ok(wshub_str key) {
    size_t i;
    if (key.len != WSHUB__WS_KEY_BYTES) return false;
    for (i = 0; i < 22; i++) {
        uint8_t c = (uint8_t)key.ptr[i];
        if (!wshub__is_alnum(c) && c != '+' && c != '/') return false;
    }
    return key.ptr[22] == '=' && key.ptr[23] == '=';
}

/* Judges a handshake (RFC 6455 4.2.1). Returns 0, or the status. */
WSHUB__COLD static int wshub__http_judge(const wshub_http *http, const char **why) {
    *why = "a WebSocket handshake is a GET";
    if (!wshub_str_eq_z(http->method, "GET")) return 400;
    *why = "a WebSocket handshake needs HTTP/1.1";
    if (http->minor < 1) return 400;
    *why = "Connection must name Upgrade";
    if (!wshub__http_has_token(http, "Connection", "upgrade")) return 400;

    *why = "Sec-WebSocket-Version must be 13";
    if (wshub__http_count(http, "Sec-WebSocket-Version") > 1) return 400;
    if (!wshub_str_eq_z(wshub_http_header(http, "Sec-WebSocket-Version"), "13")) return 426;
    *why = "Sec-WebSocket-Key must be 16 bytes in base64, once";
    if (wshub__http_count(http, "Sec-WebSocket-Key") != 1) return 400;
    return wshub__http_ws_key_ok(wshub_http_header(http, "Sec-WebSocket-Key")) ? 0 : 400;
}

WSHUB_API void wshub_accept_key(wshub_str key, char out_accept[28]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
    uint8_t text[WSHUB__WS_KEY_BYTES + sizeof guid - 1], digest[20];
    size_t n = key.len < WSHUB__WS_KEY_BYTES ? key.len : WSHUB__WS_KEY_BYTES;

    if (n) memcpy(text, key.ptr, n);
    memcpy(text + n, guid, sizeof guid - 1);
    wshub_sha1(text, n + sizeof guid - 1, digest);
    (void)wshub_base64(digest, sizeof digest, out_accept);
}

/* The reason phrase of a status (RFC 9110 15), which clients are to ignore. */
static const char *wshub__http_phrase(int status) {
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";

    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";

    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";

    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 416: return "Range Not Satisfiable";
    case 421: return "Misdirected Request";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";

    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

/* A chunked body (RFC 9112 7.1), as it arrives: what the next byte is. Data is taken by the caller
 * in whole pieces; all else comes here byte by byte. */
typedef enum wshub__chunk_state {
    WSHUB__CHUNK_SIZE,         /* a digit of a chunk's size, or what ends it */
    WSHUB__CHUNK_EXT,          /* of an extension, which is passed over */
    WSHUB__CHUNK_SIZE_LF,      /* the LF behind size and extensions */
    WSHUB__CHUNK_DATA,         /* of the chunk */
    WSHUB__CHUNK_DATA_CR,      /* the CR behind the data */
    WSHUB__CHUNK_DATA_LF,      /* and its LF */
    WSHUB__CHUNK_TRAILER,      /* the first of a line behind the last chunk */
    WSHUB__CHUNK_TRAILER_LINE, /* of a trailer field, which is passed over */
    WSHUB__CHUNK_TRAILER_LF,   /* the LF behind it */
    WSHUB__CHUNK_END_LF,       /* the LF of the empty line at the end */
    WSHUB__CHUNK_DONE,
    WSHUB__CHUNK_BAD
} wshub__chunk_state;

#define WSHUB__CHUNK_DIGITS_MAX 8u /* of a chunk's size */
#define WSHUB__CHUNK_SIZE_BYTES_MAX (WSHUB__CHUNK_DIGITS_MAX + 2u)
#define WSHUB__CHUNK_OVERHEAD_BYTES_MAX 4096u /* extensions and trailers of a body */

/* The state behind one byte that is not data. A LF without its CR is refused wherever it stands: to
 * some readers it would end a line, and the body with it.
 *   left      bytes of the chunk, as far as its size has been read
 *   digits    how many digits its size has had
 *   overhead  bytes of extensions and trailers so far */
WSHUB__COLD static wshub__chunk_state wshub__chunk_byte(wshub__chunk_state s, uint8_t c,
                                                        uint64_t *left, uint32_t *digits,
                                                        uint32_t *overhead) {
    switch (s) {
    case WSHUB__CHUNK_SIZE: {
        int digit = wshub__hex(c);
        WSHUB_ASSERT(*digits <= WSHUB__CHUNK_DIGITS_MAX);
        if (digit >= 0) {
            if (++*digits > WSHUB__CHUNK_DIGITS_MAX) return WSHUB__CHUNK_BAD;
            *left = *left << 4 | (uint64_t)digit;
            return s;
        }
        if (*digits == 0) return WSHUB__CHUNK_BAD;
        return c == '\r' ? WSHUB__CHUNK_SIZE_LF : c == ';' ? WSHUB__CHUNK_EXT : WSHUB__CHUNK_BAD;
    }
    case WSHUB__CHUNK_EXT:
        if (++*overhead > WSHUB__CHUNK_OVERHEAD_BYTES_MAX || c == '\n') return WSHUB__CHUNK_BAD;
        return c == '\r' ? WSHUB__CHUNK_SIZE_LF : s;
    case WSHUB__CHUNK_SIZE_LF:
        if (c != '\n') return WSHUB__CHUNK_BAD;
        *digits = 0;
        return *left ? WSHUB__CHUNK_DATA : WSHUB__CHUNK_TRAILER;

    case WSHUB__CHUNK_DATA_CR: return c == '\r' ? WSHUB__CHUNK_DATA_LF : WSHUB__CHUNK_BAD;
    case WSHUB__CHUNK_DATA_LF: return c == '\n' ? WSHUB__CHUNK_SIZE : WSHUB__CHUNK_BAD;

    case WSHUB__CHUNK_TRAILER:
        if (c == '\n') return WSHUB__CHUNK_BAD;
        return c == '\r' ? WSHUB__CHUNK_END_LF : WSHUB__CHUNK_TRAILER_LINE;
    case WSHUB__CHUNK_TRAILER_LINE:
        if (++*overhead > WSHUB__CHUNK_OVERHEAD_BYTES_MAX || c == '\n') return WSHUB__CHUNK_BAD;
        return c == '\r' ? WSHUB__CHUNK_TRAILER_LF : s;
    case WSHUB__CHUNK_TRAILER_LF: return c == '\n' ? WSHUB__CHUNK_TRAILER : WSHUB__CHUNK_BAD;
    case WSHUB__CHUNK_END_LF: return c == '\n' ? WSHUB__CHUNK_DONE : WSHUB__CHUNK_BAD;

    case WSHUB__CHUNK_DATA:
    case WSHUB__CHUNK_DONE:
    case WSHUB__CHUNK_BAD: break; /* none of these reads a byte */
    }
    return WSHUB__CHUNK_BAD;
}

/* What stands before a chunk of n bytes that is sent; behind it comes CR LF. Returns its length. */
static size_t wshub__chunk_size(size_t n, char to[WSHUB__CHUNK_SIZE_BYTES_MAX]) {
    size_t at = 0, shift = 4 * (WSHUB__CHUNK_DIGITS_MAX - 1);

    WSHUB_ASSERT(n && n <= UINT32_MAX); /* of length 0 is the last one */
    while (!(n >> shift)) shift -= 4;
    for (; shift; shift -= 4) to[at++] = wshub__hex_digits[n >> shift & 15];
    to[at++] = wshub__hex_digits[n & 15];
    to[at++] = '\r';
    to[at++] = '\n';
    return at;
}

#define WSHUB__CHUNK_LAST "0\r\n\r\n" /* behind the last chunk, without trailers */

/* Is this one or more labels of a host, with single dots between them? */
static bool wshub__http_labels_ok(wshub_str s) {
    size_t i;

    WSHUB_ASSERT(s.len);
    for (i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        bool dot = c == '.';
        if (dot && (i == 0 || s.ptr[i - 1] == '.')) return false;
        if (!dot && !wshub__is_alnum(c) && c != '-' && c != '_') return false;
    }
    return s.ptr[s.len - 1] != '.';
}

/* Is this Origin (RFC 6454) one that a rule allows? A rule `*` allows any page; one with `*.`
 * behind its scheme every host that has labels before what follows; any other only the origin that
 * it is. */
WSHUB__COLD static bool wshub__origin_match(wshub_str origin, wshub_str rule) {
    size_t scheme = wshub__http_scheme_bytes(rule), tail;

    WSHUB_ASSERT(scheme <= rule.len);
    if (wshub_str_eq_z(rule, "*")) return true;

    if (scheme && scheme + 1 < rule.len && rule.ptr[scheme] == '*' && rule.ptr[scheme + 1] == '.') {
        tail = rule.len - scheme - 1; /* the dot and the host */
        if (origin.len <= scheme + tail) return false;
        return wshub__same(origin.ptr, rule.ptr, scheme) &&
               wshub__same(origin.ptr + (origin.len - tail), rule.ptr + (rule.len - tail), tail) &&
               wshub__http_labels_ok(wshub__str(origin.ptr + scheme, origin.len - tail - scheme));
    }
    return origin.len == rule.len && wshub__same(origin.ptr, rule.ptr, rule.len);
}

/* Is the Origin of a request, said once, one that a rule of a list allows? */
WSHUB__COLD static bool wshub__origin_in(const wshub_http *http, const wshub_str *rules,
                                         size_t count) {
    size_t i;

    if (wshub__http_count(http, "Origin") != 1) return false;
    for (i = 0; i < count; i++) {
        if (wshub__origin_match(wshub_http_header(http, "Origin"), rules[i])) return true;
    }
    return false;
}

/* Are these labels of a host, from the first byte to `end`, one at least? Browsers write other
 * letters as xn--, programs as they are. */
WSHUB__COLD static bool wshub__host_labels_ok(wshub_str host, size_t end) {
    size_t i;

    for (i = 0; i < end; i++) {
        uint8_t c = (uint8_t)host.ptr[i];
        bool dot = c == '.' && i > 0 && host.ptr[i - 1] != '.';
        if (!wshub__is_alnum(c) && c != '-' && c != '_' && !dot && c < 0x80) return false;
    }
    return end > 0;
}

/* Is this a port behind a host, with its colon: 1 to 65535 in plain digits? */
WSHUB__COLD static bool wshub__host_port_ok(wshub_str text, uint32_t *out_port) {
    size_t i;

    WSHUB_ASSERT(text.len > 0);
    if (text.ptr[0] != ':' || text.len < 2 || text.ptr[1] == '0' || text.len > 6) return false;
    for (i = 1; i < text.len; i++) {
        if (!wshub__is_digit((uint8_t)text.ptr[i])) return false;
        *out_port = *out_port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return *out_port <= 65535;
}

/* Is this a host that a browser could name: labels, an address, or [v6], with `*.` before it for
 * its subdomains? *out_port: the port behind it; 0: none. */
WSHUB__COLD static bool wshub__host_rule_ok(wshub_str rule, uint32_t *out_port) {
    wshub_str host = rule;
    size_t end = 0;

    *out_port = 0;
    if (host.len > 2 && host.ptr[0] == '*' && host.ptr[1] == '.') {
        host = wshub__str(rule.ptr + 2, rule.len - 2);
        if (host.ptr[0] == '[') return false; /* an address has no subdomains */
    }

    if (host.len && host.ptr[0] == '[') {
        while (end < host.len && host.ptr[end] != ']') end++;
        if (!wshub__http_host_ok(wshub__str(host.ptr, end < host.len ? end + 1 : end)))
            return false;
        end++;
    } else {
        while (end < host.len && host.ptr[end] != ':') end++;
        if (!wshub__host_labels_ok(host, end)) return false;
    }
    return end == host.len ||
           wshub__host_port_ok(wshub__str(host.ptr + end, host.len - end), out_port);
}

/* An entry of allowed_origins that a browser can send (RFC 6454 6.2, as browsers write it):
 * anything else would match nothing, which is not what its author meant. */
WSHUB__COLD static bool wshub__origin_rule_ok(const char *rule) {
    const char *at = rule ? strstr(rule, "://") : NULL;
    wshub_str scheme;
    uint32_t port;
    size_t i;

    if (rule && (strcmp(rule, "*") == 0 || strcmp(rule, "null") == 0)) return true;
    if (!at || at == rule) return false;

    scheme = wshub__str(rule, (size_t)(at - rule));
    for (i = 0; i < scheme.len; i++) {
        uint8_t c = wshub__lower((uint8_t)scheme.ptr[i]);
        bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!((c >= 'a' && c <= 'z') || (i > 0 && later))) return false;
    }
    if (wshub__str_same(scheme, "file")) return at[3] == 0; /* some web views say `file://` */
    if (wshub__str_same(scheme, "ws") || wshub__str_same(scheme, "wss"))
        return false; /* a page's scheme is another */

    /* Nor does a browser write the scheme's own port. */
    if (!wshub__host_rule_ok(wshub_str_z(at + 3), &port)) return false;
    return !(port == 80 && wshub__str_same(scheme, "http")) &&
           !(port == 443 && wshub__str_same(scheme, "https"));
}

/* ---- >>http-hand -----------------------------------------------------------------------------
 * What applications look for in a request: pieces of queries, forms, cookies and lists, and what
 * conditions and ranges ask of an answer (HTTP-1 to HTTP-3). Everything is cut before it is decoded
 * and is a view of what came in; what peers wrote badly is not found. Pure: knows no hub, no
 * stream, no file; allocates nothing. Calls >>buf, >>dates, >>http. Proved by
 * tests/test_http_hand.c, tests/fuzz/fuzz_http_hand.c. */

/* ---- lists, queries, cookies ---- */

/* What a walk through a text has before it. */
static wshub_str wshub__iter_rest(wshub_str text, const wshub_iter *iter) {
    if (iter->pos >= text.len) return wshub__str(NULL, 0);
    return wshub__str(text.ptr + iter->pos, text.len - (size_t)iter->pos);
}

/* How long the first element of a list is, which ends before a comma that stands in no quotes
 * (RFC 9110 5.6.4: a backslash in them takes its meaning from what follows it). */
static size_t wshub__http_item_len(wshub_str list) {
    bool quoted = false;
    size_t i;

    for (i = 0; i < list.len; i++) {
        char c = list.ptr[i];
        if (c == ',' && !quoted) break;
        if (c == '"') quoted = !quoted;
        if (c == '\\' && quoted && i + 1 < list.len) i++;
    }
    return i;
}

WSHUB_API bool wshub_http_each_item(wshub_str list, wshub_iter *iter, wshub_str *out_item) {
    wshub_str rest = wshub__iter_rest(list, iter);

    while (rest.len) {
        size_t n = wshub__http_item_len(rest);
        wshub_str item = wshub__http_trim(wshub__str(rest.ptr, n));

        n += n < rest.len ? 1 : 0; /* the comma */
        rest = wshub__str(rest.ptr + n, rest.len - n);
        iter->pos = list.len - rest.len;
        if (item.len) {
            *out_item = item;
            return true;
        }
    }
    return false;
}

/* The next piece of a text that is cut at a sign, itself cut at its first `=`. Without one
 * *out_value is absent. */
static bool wshub__pair_next(wshub_str text, char sign, wshub_iter *iter, wshub_str *out_name,
                             wshub_str *out_value) {
    wshub_str rest = wshub__iter_rest(text, iter);

    while (rest.len) {
        wshub_str piece = wshub__http_cut(&rest, sign), name;

        WSHUB_ASSERT(rest.len < text.len);
        iter->pos = text.len - rest.len;
        if (piece.len == 0) continue;
        name = wshub__http_cut(&piece, '=');
        *out_value = piece;
        *out_name = name;
        return true;
    }
    return false;
}

WSHUB_API bool wshub_query_each(wshub_str query, wshub_iter *iter, wshub_str *out_name,
                                wshub_str *out_value) {
    return wshub__pair_next(query, '&', iter, out_name, out_value);
}

WSHUB_API bool wshub_cookie_each(wshub_str field, wshub_iter *iter, wshub_str *out_name,
                                 wshub_str *out_value) {
    wshub_str name, value;

    while (wshub__pair_next(field, ';', iter, &name, &value)) {
        if (!value.ptr) continue;
        *out_name = wshub__http_trim(name);
        *out_value = wshub__http_trim(value);
        return true;
    }
    return false;
}

WSHUB_API wshub_str wshub_http_cookie(const wshub_http *http, const char *name) {
    wshub_iter fields = {0, 0};
    wshub_str field, found, value;

    while (wshub_http_each_header(http, "Cookie", &fields, &field)) {
        wshub_iter cookies = {0, 0};
        while (wshub_cookie_each(field, &cookies, &found, &value)) {
            if (wshub_str_eq_z(found, name)) return value;
        }
    }
    return wshub__str(NULL, 0);
}

/* ---- percent-encoding ---- */

/* Takes a byte off a text that is not empty, decoded. */
static uint8_t wshub__percent_next(wshub_str *text, bool plus_is_space) {
    uint8_t c = (uint8_t)text->ptr[0];
    size_t n = 1;

    WSHUB_ASSERT(text->len);
    if (c == '%' && text->len > 2) {
        int high = wshub__hex((uint8_t)text->ptr[1]), low = wshub__hex((uint8_t)text->ptr[2]);
        if (high >= 0 && low >= 0) {
            c = (uint8_t)(high << 4 | low);
            n = 3;
        }
    } else if (c == '+' && plus_is_space) {
        c = ' ';
    }
    *text = wshub__str(text->ptr + n, text->len - n);
    return c;
}

WSHUB_API size_t wshub_percent_decode(wshub_str text, bool plus_is_space, char *buf, size_t cap) {
    size_t n = 0;

    while (text.len) {
        /* What is written lies before what is read, where both are the same memory. */
        uint8_t c = wshub__percent_next(&text, plus_is_space);
        if (n < cap) buf[n] = (char)c;
        n++;
    }
    return n;
}

/* Is this the name of a query, decoded? */
static bool wshub__query_is(wshub_str raw, const char *name) {
    for (; raw.len && *name; name++) {
        if (wshub__percent_next(&raw, true) != (uint8_t)*name) return false;
    }
    return raw.len == 0 && *name == 0;
}

WSHUB_API wshub_err wshub_query_copy(wshub_str query, const char *name, char *buf, size_t cap,
                                     size_t *out_len) {
    wshub_iter iter = {0, 0};
    wshub_str found, value, rest;
    size_t n = 0;

    for (;;) {
        if (!wshub_query_each(query, &iter, &found, &value)) return WSHUB_ERR_ABSENT;
        if (wshub__query_is(found, name)) break;
    }

    for (rest = value; rest.len; n++) {
        if (wshub__percent_next(&rest, true) == 0) return WSHUB_ERR_PARAM;
    }
    if (n >= cap) return WSHUB_ERR_LIMIT;
    (void)wshub_percent_decode(value, true, buf, cap);
    buf[n] = 0;
    if (out_len) *out_len = n;
    return WSHUB_OK;
}

/* ---- conditions ---- */

/* Takes a tag off the front of a text (RFC 9110 8.8.3), with its quotes and without W/. */
static bool wshub__etag_take(wshub_str *text, wshub_str *out_tag, bool *out_weak) {
    wshub_str rest = *text;
    size_t n = 1;

    *out_weak = rest.len > 2 && rest.ptr[0] == 'W' && rest.ptr[1] == '/';
    if (*out_weak) rest = wshub__str(rest.ptr + 2, rest.len - 2);
    if (rest.len < 2 || rest.ptr[0] != '"') return false;
    while (n < rest.len && rest.ptr[n] != '"') {
        uint8_t c = (uint8_t)rest.ptr[n++];
        if (c <= 0x20 || c == 0x7F) return false;
    }
    if (n == rest.len) return false;

    *out_tag = wshub__str(rest.ptr, n + 1);
    *text = wshub__str(rest.ptr + n + 1, rest.len - n - 1);
    return true;
}

/* Is the tag at the front of a text, which is taken off, the same as another? *ok says whether
 * there was one. */
static bool wshub__etag_same(wshub_str *text, wshub_str etag, bool weak, bool *ok) {
    bool weak_there, weak_ours;
    wshub_str there, ours;

    *ok = wshub__etag_take(text, &there, &weak_there);
    if (!*ok || !wshub__etag_take(&etag, &ours, &weak_ours) || etag.len) return false;
    return wshub_str_eq(there, ours) && (weak || (!weak_there && !weak_ours));
}

WSHUB_API bool wshub_http_etag_match(wshub_str list, wshub_str etag, bool weak) {
    bool ok = true;

    list = wshub__http_trim(list);
    if (wshub_str_eq_z(list, "*")) return true;
    while (ok) {
        while (list.len && list.ptr[0] == ',')
            list = wshub__http_trim(wshub__str(list.ptr + 1, list.len - 1));
        if (wshub__etag_same(&list, etag, weak, &ok)) return true;
        list = wshub__http_trim(list);
        ok = ok && list.len && list.ptr[0] == ',';
    }
    return false;
}

/* Do the fields of that name, which are lists of tags, name one? *out_there: there is such a
 * field. */
static bool wshub__http_tagged(const wshub_http *http, const char *name, wshub_str etag, bool weak,
                               bool *out_there) {
    wshub_iter iter = {0, 0};
    wshub_str list;

    *out_there = false;
    while (wshub_http_each_header(http, name, &iter, &list)) {
        *out_there = true;
        if (wshub_http_etag_match(list, etag, weak)) return true;
    }
    return false;
}

/* The date of a field. WSHUB_NO_DATE: it is not there, or twice, or says none, and is not looked at
 * then (RFC 9110 13.1.3). */
static int64_t wshub__http_dated(const wshub_http *http, const char *name) {
    int64_t s = WSHUB_NO_DATE;

    if (wshub__http_count(http, name) == 1)
        (void)wshub_http_date_read(wshub_http_header(http, name), &s);
    return s;
}

WSHUB_API int wshub_http_condition(const wshub_http *http, wshub_str etag, int64_t modified_s) {
    bool reads = wshub_str_eq_z(http->method, "GET") || wshub_str_eq_z(http->method, "HEAD");
    bool there, named = wshub__http_tagged(http, "If-Match", etag, false, &there);
    int64_t since;

    /* Is it what its sender believes it to be? */
    since = there ? WSHUB_NO_DATE : wshub__http_dated(http, "If-Unmodified-Since");
    if (there && !named) return 412;
    if (since != WSHUB_NO_DATE && modified_s > since) return 412;

    /* Is it something that its sender does not have yet? */
    named = wshub__http_tagged(http, "If-None-Match", etag, true, &there);
    if (named) return reads ? 304 : 412;
    since = there || !reads ? WSHUB_NO_DATE : wshub__http_dated(http, "If-Modified-Since");
    return since != WSHUB_NO_DATE && modified_s != WSHUB_NO_DATE && modified_s <= since ? 304 : 0;
}

/* ---- ranges ---- */

/* Takes a number off the front of a text; one that is too large is the largest there is. False:
 * there is no digit. */
static bool wshub__http_number(wshub_str *text, uint64_t *out_number) {
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < text->len && wshub__is_digit((uint8_t)text->ptr[i]); i++) {
        uint64_t digit = (uint64_t)(text->ptr[i] - '0');
        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    *text = wshub__str(text->ptr + i, text->len - i);
    if (i) *out_number = n;
    return i > 0;
}

/* What one range of a list is. */
typedef enum wshub__range_kind {
    WSHUB__RANGE_BAD,    /* none, and the whole list with it */
    WSHUB__RANGE_BEHIND, /* nothing of it is there */
    WSHUB__RANGE_THERE
} wshub__range_kind;

/* Reads one range, `first-last`, `first-`, or `-count`, of a body that is not empty. */
static wshub__range_kind wshub__range_one(wshub_str text, wshub_range *range) {
    uint64_t first = 0, last = UINT64_MAX, end = range->length - 1;
    bool has_first = wshub__http_number(&text, &first), has_last;

    WSHUB_ASSERT(range->length);
    if (text.len == 0 || text.ptr[0] != '-') return WSHUB__RANGE_BAD;
    text = wshub__str(text.ptr + 1, text.len - 1);
    has_last = wshub__http_number(&text, &last);
    if (text.len || (!has_first && !has_last) || last < first) return WSHUB__RANGE_BAD;

    /* Without a first byte it is the last that are counted, from the end. */
    if (!has_first) {
        if (last == 0) return WSHUB__RANGE_BEHIND;
        first = last > end ? 0 : range->length - last;
        last = end;
    }
    if (first > end) return WSHUB__RANGE_BEHIND;
    range->status = 206;
    range->first = first;
    range->count = (last < end ? last : end) - first + 1;
    WSHUB_ASSERT(range->count <= range->length - first);
    return WSHUB__RANGE_THERE;
}

/* All of a body. */
static wshub_range wshub__range_whole(uint64_t length) {
    wshub_range whole;

    whole.status = 200;
    whole.first = 0;
    whole.count = whole.length = length;
    return whole;
}

WSHUB_API wshub_range wshub_http_range_read(wshub_str value, uint64_t length) {
    static const char unit[] = "bytes=";
    const size_t unit_len = sizeof unit - 1;
    wshub_range whole = wshub__range_whole(length), found = whole;
    size_t ranges = 0, there = 0;
    wshub_str item;

    if (length == 0 || value.len < unit_len || !wshub__same(value.ptr, unit, unit_len))
        return whole;

    value = wshub__str(value.ptr + unit_len, value.len - unit_len);
    for (; wshub__http_list(&value, &item); ranges++) {
        wshub__range_kind kind = wshub__range_one(item, &found);
        if (kind == WSHUB__RANGE_BAD) return whole;
        if (kind == WSHUB__RANGE_THERE && there++) return whole;
    }

    if (ranges && !there) {
        found.status = 416;
        found.count = 0;
    }
    return found;
}

/* Does If-Range, if there is one, name what is there? */
static bool wshub__http_range_holds(const wshub_http *http, wshub_str etag, int64_t modified_s) {
    wshub_str value = wshub_http_header(http, "If-Range");
    bool same, ok;
    int64_t s;

    if (!value.ptr) return true;
    if (wshub__http_count(http, "If-Range") > 1) return false;
    same = wshub__etag_same(&value, etag, false, &ok);
    if (ok) return same && value.len == 0;
    return wshub_http_date_read(value, &s) && s == modified_s;
}

WSHUB_API wshub_range wshub_http_range(const wshub_http *http, uint64_t length, wshub_str etag,
                                       int64_t modified_s) {
    if (!wshub_str_eq_z(http->method, "GET") || wshub__http_count(http, "Range") != 1 ||
        !wshub__http_range_holds(http, etag, modified_s))
        return wshub__range_whole(length);
    return wshub_http_range_read(wshub_http_header(http, "Range"), length);
}

/* Adds a number, and one character behind it, at the end of a text. Returns the end. */
static char *wshub__range_number(char *to, uint64_t number, char behind) {
    char room[WSHUB__DIGITS_MAX], *digits = wshub__digits(number, room);
    size_t n = (size_t)(room + sizeof room - digits);

    memcpy(to, digits, n);
    to[n] = behind;
    return to + n + 1;
}

WSHUB_API size_t wshub_http_range_write(const wshub_range *range, char buf[72]) {
    char *at = buf + 6;

    buf[0] = 0;
    if (range->status != 206 && range->status != 416) return 0;
    memcpy(buf, "bytes ", 6);
    if (range->status == 206) {
        at = wshub__range_number(at, range->first, '-');
        at = wshub__range_number(at, range->first + range->count - 1, '/');
    } else {
        *at++ = '*';
        *at++ = '/';
    }
    at = wshub__range_number(at, range->length, 0);
    return (size_t)(at - buf) - 1;
}

/* ---- >>frame ---------------------------------------------------------------------------------
 * Heads of WebSocket frames to bytes and back, masking, and which close codes may be sent (RFC 6455
 * 5.2, 5.3, 7.4). Bytes go in and a wshub_frame comes out, or the other way round, in memory of the
 * caller's. Knows opcodes, masks and lengths; nothing of streams, of what may follow what, of JSON:
 * what a server does with frames is in >>message. No other room takes a head apart.
 * Allocates nothing. A head that is not there whole gives 0, one that breaks a rule -1. Calls no
 * other room. Proved by tests/test_frame.c, test_negative_frames.c, and tests/fuzz/fuzz_wire.c
 * against a slow reader. */

/* Opcodes (RFC 6455 5.2). Those from WSHUB__OP_CLOSE on are of control frames; 3 to 7 and 11 to 15
 * are reserved. */
enum {
    WSHUB__OP_CONTINUATION = 0,
    WSHUB__OP_TEXT = 1,
    WSHUB__OP_BINARY = 2,
    WSHUB__OP_CLOSE = 8,
    WSHUB__OP_PING = 9,
    WSHUB__OP_PONG = 10
};

static bool wshub__op_known(uint8_t opcode) {
    return opcode <= WSHUB__OP_BINARY || (opcode >= WSHUB__OP_CLOSE && opcode <= WSHUB__OP_PONG);
}

#define WSHUB__CONTROL_BYTES_MAX 125u   /* payload of a control frame (RFC 6455 5.5) */
#define WSHUB__FRAME_HEAD_BYTES_MAX 14u /* two, eight of length, four of mask */

/* The second byte holds a length up to 125, or says that one of two or of eight bytes follows. */
#define WSHUB__LENGTH_IN_2 126u
#define WSHUB__LENGTH_IN_8 127u

/* How long a frame of ours is: its head, which has no mask, and its payload. */
static uint64_t wshub__frame_bytes(uint64_t payload) {
    return payload + (payload < WSHUB__LENGTH_IN_2 ? 2 : payload <= UINT16_MAX ? 4 : 10);
}

WSHUB_API int wshub_frame_read(const uint8_t *bytes, size_t count, wshub_frame *out_frame) {
    size_t need = 2, i;
    uint64_t n;

    /* Two bytes say what the frame is and how its length is written. */
    if (count < need) return 0;
    out_frame->fin = (bytes[0] & 0x80) != 0;
    out_frame->rsv = (uint8_t)(bytes[0] >> 4 & 7);
    out_frame->opcode = (uint8_t)(bytes[0] & 15);
    out_frame->masked = (bytes[1] & 0x80) != 0;
    n = bytes[1] & 0x7F;

    /* A longer length than is needed is refused, and so is one of 64 bits (RFC 6455 5.2). */
    if (n == WSHUB__LENGTH_IN_2) {
        need = 4;
        if (count < need) return 0;
        n = (uint64_t)bytes[2] << 8 | bytes[3];
        if (n < WSHUB__LENGTH_IN_2) return -1;
    } else if (n == WSHUB__LENGTH_IN_8) {
        need = 10;
        if (count < need) return 0;
        for (n = 0, i = 2; i < 10; i++) n = n << 8 | bytes[i];
        if (n <= UINT16_MAX || n > INT64_MAX) return -1;
    }

    if (out_frame->masked) {
        if (count < need + 4) return 0;
        memcpy(out_frame->mask, bytes + need, 4);
        need += 4;
    }
    WSHUB_ASSERT(need <= count);
    WSHUB_ASSERT(need <= WSHUB__FRAME_HEAD_BYTES_MAX);
    out_frame->payload_bytes = n;
    out_frame->head_bytes = (uint8_t)need;
    return 1;
}

/* The first byte of a head as it is to be, the length with the bit `masked` (0x80 or 0). Returns
 * how many bytes these are. */
static inline size_t wshub__frame_put(uint8_t *buf, uint8_t first, uint8_t masked, uint64_t n) {
    size_t i;

    WSHUB_ASSERT(!(masked & 0x7F)); /* the length is written beside it */
    buf[0] = first;
    if (n < WSHUB__LENGTH_IN_2) {
        buf[1] = (uint8_t)(masked | n);
        return 2;
    }

    if (n <= UINT16_MAX) {
        buf[1] = (uint8_t)(masked | WSHUB__LENGTH_IN_2);
        buf[2] = (uint8_t)(n >> 8);
        buf[3] = (uint8_t)n;
        return 4;
    }

    buf[1] = (uint8_t)(masked | WSHUB__LENGTH_IN_8);
    for (i = 0; i < 8; i++) buf[2 + i] = (uint8_t)(n >> (56 - 8 * i));
    return 10;
}

/* The head of a whole frame as servers send it: not masked. */
static inline size_t wshub__frame_head(uint8_t *buf, uint8_t opcode, uint64_t payload_bytes) {
    WSHUB_ASSERT(wshub__op_known(opcode));
    return wshub__frame_put(buf, (uint8_t)(0x80 | opcode), 0, payload_bytes);
}

WSHUB_API size_t wshub_frame_write(const wshub_frame *frame, uint8_t *buf) {
    uint8_t first = (uint8_t)((frame->fin ? 0x80 : 0) | (frame->rsv & 7) << 4);
    size_t at = wshub__frame_put(buf, (uint8_t)(first | (frame->opcode & 15)),
                                 frame->masked ? 0x80 : 0, frame->payload_bytes);

    if (frame->masked) {
        memcpy(buf + at, frame->mask, 4);
        at += 4;
    }
    WSHUB_ASSERT(at <= WSHUB__FRAME_HEAD_BYTES_MAX);
    return at;
}

WSHUB_API void wshub_mask(uint8_t *bytes, size_t count, const uint8_t mask[4], uint64_t offset) {
    uint8_t key[8]; /* the mask twice, from where the payload goes on */
    uint64_t k;
    size_t i;

    for (i = 0; i < 8; i++) key[i] = mask[(offset + i) & 3];
    memcpy(&k, key, 8);

    /* Eight bytes at a time, then those that are left. */
    for (i = 0; i + 8 <= count; i += 8) {
        uint64_t w;
        memcpy(&w, bytes + i, 8);
        w ^= k;
        memcpy(bytes + i, &w, 8);
    }
    for (; i < count; i++) bytes[i] = (uint8_t)(bytes[i] ^ key[i & 7]);
}

/* Close codes that are used here (RFC 6455 7.4.1). */
enum {
    WSHUB__CLOSE_GOING_AWAY = 1001,
    WSHUB__CLOSE_PROTOCOL = 1002,
    WSHUB__CLOSE_NO_CODE = 1005,  /* a Close came, and no code in it; never sent */
    WSHUB__CLOSE_ABNORMAL = 1006, /* the stream ended without a Close; never sent */
    WSHUB__CLOSE_NOT_UTF8 = 1007,
    WSHUB__CLOSE_POLICY = 1008,
    WSHUB__CLOSE_TOO_BIG = 1009,
    WSHUB__CLOSE_INTERNAL = 1011
};

/* May this code stand in a Close frame? Those of applications and frameworks, and those of the
 * registry up to 1014 without the ones that only say how a connection ended (RFC 6455 7.4). */
static bool wshub__close_code_ok(uint16_t code) {
    if (code >= 3000 && code <= 4999) return true;
    if (code == WSHUB__CLOSE_NO_CODE || code == WSHUB__CLOSE_ABNORMAL) return false;
    return code >= 1000 && code <= 1014 && code != 1004; /* 1004 is reserved */
}

/* ---- >>slots ---------------------------------------------------------------------------------
 * Pools of equal things that are known by number. A thing stands in a slot for as long as it lives.
 * Its handle has the slot's index in the low half and a generation in the high half, which rises
 * when the slot is freed, so that a handle that somebody has kept names nobody afterwards, and not
 * whoever has the slot then. A slot whose generation would begin anew is retired. Generations begin
 * at a secret number of the owner's: handles of another hub, or from before a restart, do not fit.
 * Slots lie in pages that never move: a pointer into one is good until its slot is freed. The pool
 * owns the pages, the caller keeps the pool; what a thing holds is the caller's to free. Pages at
 * the end in which nothing lives are given back between turns. Fails by NULL or false when memory
 * is out. No other room makes or takes apart a handle of a pool.
 * Calls >>mem, >>siphash. Proved by tests/test_slots.c. */

/* An index that names nothing, wherever one may be absent. */
#define WSHUB__NONE UINT32_MAX

#define WSHUB__PAGE 128u                  /* slots in a page */
#define WSHUB__LIVE (WSHUB__NONE - 1)     /* instead of a link: the slot is taken */
#define WSHUB__GENERATION_LAST UINT32_MAX /* the slot is retired with whoever has it */

/* First member of everything that is taken from a pool. */
typedef struct wshub__slot {
    uint32_t generation; /* from wshub__pool.first on; 0: never taken */
    uint32_t link;       /* WSHUB__LIVE; or the next free slot, WSHUB__NONE behind the last */
} wshub__slot;

typedef struct wshub__pool {
    void **pages;
    uint32_t pages_count, pages_cap;
    uint32_t item_bytes;
    uint32_t used;      /* slots that have ever been taken: all behind them are new */
    uint32_t live;      /* of these, how many are taken now */
    uint32_t free_head; /* the first free slot of those used; WSHUB__NONE: there is none */
    uint32_t first;     /* generation of a slot that is new; 0: nothing is taken from this pool */
} wshub__pool;

/* Makes an empty pool. item_bytes: of one thing, its wshub__slot included. */
static void wshub__pool_init(wshub__pool *pool, size_t item_bytes, uint32_t first) {
    WSHUB_ASSERT(item_bytes <= UINT32_MAX);
    memset(pool, 0, sizeof *pool);
    pool->item_bytes = (uint32_t)item_bytes;
    pool->free_head = WSHUB__NONE;
    pool->first = first;
}

/* A number at which an owner's handles begin, from its secret key: in the lower half, so that no
 * slot is retired soon. */
static uint32_t wshub__pool_first(const uint64_t key[2], uint8_t kind) {
    return (uint32_t)(wshub__siphash(key, "handles", 7, kind) >> 33) | 1u;
}

/* The slot of an index, whose page has been made. */
static void *wshub__pool_at(const wshub__pool *pool, uint32_t index) {
    WSHUB_ASSERT(index / WSHUB__PAGE < pool->pages_count);
    WSHUB_ASSERT(pool->pages[index / WSHUB__PAGE]);
    return (uint8_t *)pool->pages[index / WSHUB__PAGE] +
           (size_t)(index % WSHUB__PAGE) * pool->item_bytes;
}

/* Makes the page of an index. Pages before it that nobody has asked for stay absent. */
WSHUB__COLD static bool wshub__pool_reach(const wshub__mem *mem, wshub__pool *pool,
                                          uint32_t index) {
    uint32_t page = index / WSHUB__PAGE;

    if (page >= pool->pages_count) {
        void *pages = pool->pages;
        if (!wshub__mem_grow(mem, &pages, &pool->pages_cap, page + 1, sizeof(void *))) return false;
        pool->pages = (void **)pages;
        while (pool->pages_count <= page) pool->pages[pool->pages_count++] = NULL;
    }
    WSHUB_ASSERT(pool->pages_count <= pool->pages_cap);

    if (!pool->pages[page])
        pool->pages[page] = wshub__mem_new(mem, (size_t)WSHUB__PAGE * pool->item_bytes);
    return pool->pages[page] != NULL;
}

/* Takes a slot, zeroed but for its generation. NULL: out of memory. */
static void *wshub__pool_take(const wshub__mem *mem, wshub__pool *pool, uint32_t *out_index) {
    wshub__slot *slot;
    uint32_t generation;

    /* One that has been free, or else the first that is new. */
    if (pool->free_head != WSHUB__NONE) {
        WSHUB_ASSERT(pool->free_head < pool->used);
        *out_index = pool->free_head;
        slot = (wshub__slot *)wshub__pool_at(pool, *out_index);
        pool->free_head = slot->link;
    } else {
        if (!wshub__pool_reach(mem, pool, pool->used)) return NULL;
        *out_index = pool->used++;
        slot = (wshub__slot *)wshub__pool_at(pool, *out_index);
    }

    WSHUB_ASSERT(slot->link != WSHUB__LIVE);
    WSHUB_ASSERT(pool->first != 0);
    generation = slot->generation ? slot->generation : pool->first;
    memset(slot, 0, pool->item_bytes);
    slot->generation = generation;
    slot->link = WSHUB__LIVE;
    pool->live++;
    WSHUB_ASSERT(pool->live <= pool->used);
    return slot;
}

/* Frees a slot: its handle names nobody any more, and the next thing may have its place. */
static void wshub__pool_free(wshub__pool *pool, uint32_t index) {
    wshub__slot *slot = (wshub__slot *)wshub__pool_at(pool, index);

    WSHUB_ASSERT(slot->link == WSHUB__LIVE);
    WSHUB_ASSERT(pool->live > 0);

    pool->live--;
    slot->link = WSHUB__NONE;
    if (slot->generation == WSHUB__GENERATION_LAST) return; /* retired: on no list any more */
    slot->generation++;
    slot->link = pool->free_head;
    pool->free_head = index;
}

/* The handle of what lives at an index. */
static uint64_t wshub__pool_handle(const wshub__pool *pool, uint32_t index) {
    const wshub__slot *slot = (const wshub__slot *)wshub__pool_at(pool, index);

    WSHUB_ASSERT(slot->link == WSHUB__LIVE);
    return (uint64_t)slot->generation << 32 | index;
}

/* What a handle names. NULL: nothing that lives. */
static void *wshub__pool_get(const wshub__pool *pool, uint64_t handle) {
    uint32_t index = (uint32_t)handle;
    wshub__slot *slot;

    if (index >= pool->used) return NULL;
    slot = (wshub__slot *)wshub__pool_at(pool, index);
    return slot->link == WSHUB__LIVE && slot->generation == (uint32_t)(handle >> 32) ? slot : NULL;
}

/* Gives a page back, if it has been made. */
static void wshub__page_free(const wshub__mem *mem, wshub__pool *pool, uint32_t page) {
    if (!pool->pages[page]) return;
    wshub__mem_free(mem, pool->pages[page], (size_t)WSHUB__PAGE * pool->item_bytes);
    pool->pages[page] = NULL;
}

/* Frees the pages behind the one in which slot `keep` - 1 lies. */
WSHUB__COLD static void wshub__pool_cut(const wshub__mem *mem, wshub__pool *pool, uint32_t keep) {
    while (pool->pages_count * WSHUB__PAGE >= keep + WSHUB__PAGE)
        wshub__page_free(mem, pool, --pool->pages_count);
}

/* Can a slot be handed out again? */
static bool wshub__slot_is_free(const wshub__slot *slot) {
    return slot->link != WSHUB__LIVE && slot->generation != WSHUB__GENERATION_LAST;
}

/* How many slots are left if those at the end go in which nothing lives, and no retired one either,
 * which must not come again. A slot that comes again after that begins with a generation that none
 * of these had reached, so that handles of then stay stale. */
static uint32_t wshub__pool_end(wshub__pool *pool) {
    uint32_t end = pool->used;

    for (; end; end--) {
        const wshub__slot *slot = (const wshub__slot *)wshub__pool_at(pool, end - 1);
        if (!wshub__slot_is_free(slot)) break;
        if (slot->generation > pool->first) pool->first = slot->generation;
    }
    WSHUB_ASSERT(end >= pool->live);
    return end;
}

/* Gives back the pages at the end in which nothing lives, where that is a good part of all; low
 * slots are taken first from there on. */
WSHUB__COLD static void wshub__pool_give_back(const wshub__mem *mem, wshub__pool *pool) {
    uint32_t i, end;

    if (pool->used <= 4 * WSHUB__PAGE || pool->live > pool->used / 4) return;
    end = wshub__pool_end(pool);
    if (end > pool->used - pool->used / 8) return; /* too little to go through all of them for */
    wshub__pool_cut(mem, pool, end);
    if (pool->used > pool->pages_count * WSHUB__PAGE) pool->used = pool->pages_count * WSHUB__PAGE;

    /* The list of free slots is made anew, the lowest in front. */
    pool->free_head = WSHUB__NONE;
    for (i = pool->used; i; i--) {
        wshub__slot *slot = (wshub__slot *)wshub__pool_at(pool, i - 1);
        if (!wshub__slot_is_free(slot)) continue;
        slot->link = pool->free_head;
        pool->free_head = i - 1;
    }
    WSHUB_ASSERT(pool->live <= pool->used);
}

/* Gives all memory back; the pool is empty then and fit to be used again. */
WSHUB__COLD static void wshub__pool_done(const wshub__mem *mem, wshub__pool *pool) {
    uint32_t i;

    for (i = 0; i < pool->pages_count; i++) wshub__page_free(mem, pool, i);
    wshub__mem_free(mem, pool->pages, pool->pages_cap * sizeof(void *));
    wshub__pool_init(pool, pool->item_bytes, pool->first);
}

/* ---- >>index ---------------------------------------------------------------------------------
 * One hash table for all that is found by name: ids, users, rooms, channels. A kind and a text go
 * in, the thing comes out that has that name. Open addressing with a keyed hash: a name that is not
 * at its own place stands behind it, with no gap between; the hashes lie apart from the names, so
 * that a search stays in one cache line until it has found. The index owns its two arrays and
 * nothing that it points to: each thing begins with its wshub__name, and whoever owns it takes it
 * out before it goes. Room is made beforehand (wshub__index_reserve(), which fails when memory is
 * out), so that putting in cannot fail. No other room searches by name in any other way.
 * Calls >>mem, >>buf, >>siphash. Proved by tests/test_index.c against a plain list. */

typedef enum wshub__kind {
    WSHUB__KIND_CLIENT = 1,
    WSHUB__KIND_USER,
    WSHUB__KIND_ROOM,
    WSHUB__KIND_CHANNEL,
    WSHUB__KIND_PATTERN /* of channels */
} wshub__kind;

/* First member of everything that is indexed. */
typedef struct wshub__name {
    const char *ptr;
    uint32_t len : 28, kind : 4; /* wshub__kind */
    uint32_t hash;
} wshub__name;

#define WSHUB__NAME_LEN_MAX 0x0FFFFFFFu

typedef struct wshub__index {
    uint32_t *hashes; /* cap of them; 0: nothing stands there */
    wshub__name **names;
    uint32_t cap, count; /* cap: a power of two, at most 3/4 full, so that searches end */
    uint64_t key[2];
} wshub__index;

/* Never 0, which stands for an empty place. */
static uint32_t wshub__index_hash(const wshub__index *index, wshub__kind kind, wshub_str s) {
    uint64_t h = wshub__siphash(index->key, s.ptr, s.len, (uint8_t)kind);
    uint32_t folded = (uint32_t)(h ^ h >> 32);
    return folded ? folded : 1;
}

/* The place at which a name stands, or at which it would be put. */
static inline uint32_t wshub__index_slot(const wshub__index *index, wshub__kind kind, wshub_str s,
                                         uint32_t hash) {
    uint32_t i = hash & (index->cap - 1);

    WSHUB_ASSERT(index->count < index->cap); /* or the search would not end */
    for (; index->hashes[i]; i = (i + 1) & (index->cap - 1)) {
        const wshub__name *n = index->names[i];
        if (index->hashes[i] == hash && n->kind == (uint32_t)kind && n->len == s.len &&
            (s.len == 0 || memcmp(n->ptr, s.ptr, s.len) == 0)) {
            break;
        }
    }
    return i;
}

/* NULL: nobody has that name. */
static wshub__name *wshub__index_find(const wshub__index *index, wshub__kind kind, wshub_str s) {
    uint32_t i;

    if (!index->count || !s.ptr) return NULL;
    i = wshub__index_slot(index, kind, s, wshub__index_hash(index, kind, s));
    return index->hashes[i] ? index->names[i] : NULL;
}

/* Moves all to arrays of another length. False: out of memory, nothing changed. */
WSHUB__COLD static bool wshub__index_resize(const wshub__mem *mem, wshub__index *index,
                                            uint32_t cap) {
    wshub__index next = *index;
    uint32_t i;

    WSHUB_ASSERT((cap & (cap - 1)) == 0);
    WSHUB_ASSERT(index->count < cap);
    if (cap > UINT32_MAX / 4) return false;
    next.cap = cap;
    next.hashes = (uint32_t *)wshub__mem_new(mem, cap * sizeof(uint32_t));
    next.names = (wshub__name **)wshub__mem_new(mem, cap * sizeof(wshub__name *));
    if (!next.hashes || !next.names) {
        wshub__mem_free(mem, next.hashes, cap * sizeof(uint32_t));
        wshub__mem_free(mem, next.names, cap * sizeof(wshub__name *));
        return false;
    }

    /* Each goes to its place among `cap`, or to the first free one behind that. */
    for (i = 0; i < index->cap; i++) {
        uint32_t at;
        if (!index->hashes[i]) continue;
        at = index->hashes[i] & (cap - 1);
        while (next.hashes[at]) at = (at + 1) & (cap - 1);
        next.hashes[at] = index->hashes[i];
        next.names[at] = index->names[i];
    }

    wshub__mem_free(mem, index->hashes, index->cap * sizeof(uint32_t));
    wshub__mem_free(mem, index->names, index->cap * sizeof(wshub__name *));
    *index = next;
    return true;
}

#define WSHUB__INDEX_CAP_LEAST 16u

/* Makes sure that the next wshub__index_add() cannot fail. */
WSHUB__COLD static bool wshub__index_reserve(const wshub__mem *mem, wshub__index *index) {
    if (index->cap && index->count + 1 <= index->cap / 4 * 3) return true;
    return wshub__index_resize(mem, index, index->cap ? index->cap * 2 : WSHUB__INDEX_CAP_LEAST);
}

/* Gives back what the most names ever took, by the measures of wshub__mem_shrink(). */
WSHUB__COLD static void wshub__index_give_back(const wshub__mem *mem, wshub__index *index) {
    uint32_t cap = index->cap;

    if (cap <= WSHUB__CAP_KEPT || index->count > cap / 8) return;
    while (cap > WSHUB__CAP_LEAST && index->count <= cap / 4) cap /= 2;
    (void)wshub__index_resize(mem, index, cap);
}

/* Puts a name in, for which room has been reserved. False: it is there already, nothing changed. */
static bool wshub__index_put(wshub__index *index, wshub__name *name) {
    wshub_str s = wshub__str(name->ptr, name->len);
    wshub__kind kind = (wshub__kind)name->kind;
    uint32_t i;

    name->hash = wshub__index_hash(index, kind, s);
    i = wshub__index_slot(index, kind, s, name->hash);
    if (index->hashes[i]) return false;

    index->hashes[i] = name->hash;
    index->names[i] = name;
    index->count++;
    WSHUB_ASSERT(index->count < index->cap); /* or the next search would not end */
    return true;
}

/* Puts a name in that is known not to be there. */
static void wshub__index_add(wshub__index *index, wshub__name *name) {
    bool fresh = wshub__index_put(index, name);
    WSHUB_ASSERT(fresh);
    (void)fresh;
}

/* Takes a name out and closes the gap: what stands behind it without a gap moves up, unless its own
 * place lies behind the gap. */
static void wshub__index_remove(wshub__index *index, wshub__name *name) {
    uint32_t mask = index->cap - 1, hole = name->hash & mask, i;

    WSHUB_ASSERT(index->count > 0);
    while (index->names[hole] != name) {
        WSHUB_ASSERT(index->hashes[hole]); /* a name that is taken out is there */
        hole = (hole + 1) & mask;
    }

    for (i = (hole + 1) & mask; index->hashes[i]; i = (i + 1) & mask) {
        uint32_t home = index->hashes[i] & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            index->hashes[hole] = index->hashes[i];
            index->names[hole] = index->names[i];
            hole = i;
        }
    }

    index->hashes[hole] = 0;
    index->names[hole] = NULL;
    index->count--;
}

/* Gives the memory back; the names are their owners'. */
WSHUB__COLD static void wshub__index_done(const wshub__mem *mem, wshub__index *index) {
    wshub__mem_free(mem, index->hashes, index->cap * sizeof(uint32_t));
    wshub__mem_free(mem, index->names, index->cap * sizeof(wshub__name *));
    memset(index, 0, sizeof *index);
}

/* ---- >>deadlines -----------------------------------------------------------------------------
 * A deadline is a moment in a hub's time at which somebody must be looked at, should nothing have
 * happened before. Here they lie in a heap, the soonest in front; who has one is an item of a pool,
 * which remembers its place in the heap, so that it can be moved or cleared at once. A hub has two
 * heaps. One is of its streams, who are judged by what has been heard of them: theirs may pass too
 * early, as a peer who spoke has more time than its deadline says, and is then set anew, so that
 * activity costs nothing here. The other is of the application's timers, which go by the clock.
 * Equal moments pass in the order in which they were set. Knows neither streams nor timers nor any
 * clock: the time is told. Room is made beforehand (wshub__deadlines_reserve(), which fails when
 * memory is out), so that setting a deadline cannot fail. The heap owns its array. No other room
 * moves anything in it.
 * Calls >>mem, >>slots. Proved by tests/test_clocks.c, test_timers.c, test_self_check.c. */

typedef struct wshub__deadline {
    uint64_t at;
    uint32_t owner; /* its index in the pool */
    uint32_t order; /* a number that rises with each that is set, and begins anew behind the last */
} wshub__deadline;

typedef struct wshub__deadlines {
    wshub__deadline *items; /* none is sooner than the one at (i - 1) / 2 */
    uint32_t count, cap;
    uint32_t orders;
    const wshub__pool *pool; /* of the owners */
    size_t place_at; /* where in an owner its place stands, a uint32_t; WSHUB__NONE: it has none */
} wshub__deadlines;

/* Makes an empty heap. pool: of the owners; place_at: where in each its place is remembered. */
static void wshub__deadlines_init(wshub__deadlines *heap, const wshub__pool *pool,
                                  size_t place_at) {
    memset(heap, 0, sizeof *heap);
    heap->pool = pool;
    heap->place_at = place_at;
}

/* Where an owner remembers its place in the heap. */
static uint32_t *wshub__deadline_place(const wshub__deadlines *heap, uint32_t owner) {
    return (uint32_t *)(void *)((uint8_t *)wshub__pool_at(heap->pool, owner) + heap->place_at);
}

/* Does a pass before b? Of equal moments the one that was set first. */
static bool wshub__deadline_before(const wshub__deadline *a, const wshub__deadline *b) {
    return a->at != b->at ? a->at < b->at : (int32_t)(a->order - b->order) < 0;
}

/* Puts a deadline at a place of the heap, which its owner remembers. */
static void wshub__deadline_put(wshub__deadlines *heap, uint32_t i, wshub__deadline one) {
    WSHUB_ASSERT(i < heap->count);
    heap->items[i] = one;
    *wshub__deadline_place(heap, one.owner) = i;
}

/* Moves what stands at i to where it belongs: to the front past all that are later, or else to the
 * back past all that are sooner. */
static void wshub__deadline_sift(wshub__deadlines *heap, uint32_t i) {
    wshub__deadline one = heap->items[i];

    WSHUB_ASSERT(i < heap->count);
    while (i > 0 && wshub__deadline_before(&one, &heap->items[(i - 1) / 2])) {
        wshub__deadline_put(heap, i, heap->items[(i - 1) / 2]);
        i = (i - 1) / 2;
    }

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count &&
            wshub__deadline_before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!wshub__deadline_before(&heap->items[child], &one)) break;
        wshub__deadline_put(heap, i, heap->items[child]);
        i = child;
    }
    wshub__deadline_put(heap, i, one);
}

/* Room for `total` owners, each of whom has a deadline at most. */
static bool wshub__deadlines_reserve(const wshub__mem *mem, wshub__deadlines *heap,
                                     uint32_t total) {
    void *items = heap->items;

    if (!wshub__mem_grow(mem, &items, &heap->cap, total, sizeof *heap->items)) return false;
    heap->items = (wshub__deadline *)items;
    WSHUB_ASSERT(heap->cap >= total);
    return true;
}

/* To be called of each owner that is new, before all else here. */
static void wshub__deadline_none(const wshub__deadlines *heap, uint32_t owner) {
    *wshub__deadline_place(heap, owner) = WSHUB__NONE;
}

/* Sets an owner's deadline, or moves the one that it has. */
static void wshub__deadline_set(wshub__deadlines *heap, uint32_t owner, uint64_t at) {
    uint32_t i = *wshub__deadline_place(heap, owner);
    wshub__deadline one;

    WSHUB_ASSERT(i == WSHUB__NONE || i < heap->count);
    WSHUB_ASSERT(i == WSHUB__NONE || heap->items[i].owner == owner);
    one.at = at;
    one.owner = owner;
    one.order = heap->orders++;

    if (i == WSHUB__NONE) i = heap->count++;
    WSHUB_ASSERT(heap->count <= heap->cap); /* room has been made beforehand */
    heap->items[i] = one;
    wshub__deadline_sift(heap, i);
}

/* The same, unless the one that it has is as soon. */
static void wshub__deadline_sooner(wshub__deadlines *heap, uint32_t owner, uint64_t at) {
    uint32_t i = *wshub__deadline_place(heap, owner);

    if (i == WSHUB__NONE || heap->items[i].at > at) wshub__deadline_set(heap, owner, at);
}

/* Takes an owner's deadline off, if it has one. */
static void wshub__deadline_clear(wshub__deadlines *heap, uint32_t owner) {
    uint32_t i = *wshub__deadline_place(heap, owner);

    if (i == WSHUB__NONE) return;
    WSHUB_ASSERT(i < heap->count);
    WSHUB_ASSERT(heap->items[i].owner == owner);

    /* The last one fills the gap. */
    *wshub__deadline_place(heap, owner) = WSHUB__NONE;
    heap->count--;
    if (i == heap->count) return;
    heap->items[i] = heap->items[heap->count];
    wshub__deadline_sift(heap, i);
}

/* The soonest. NULL: there is none. */
static const wshub__deadline *wshub__deadlines_first(const wshub__deadlines *heap) {
    return heap->count ? &heap->items[0] : NULL;
}

/* Takes the soonest off, if it has come at that time. */
static bool wshub__deadlines_take(wshub__deadlines *heap, uint64_t now, uint32_t *out_owner) {
    if (!heap->count || heap->items[0].at > now) return false;
    *out_owner = heap->items[0].owner;
    wshub__deadline_clear(heap, *out_owner);
    return true;
}

/* Gives back what the most owners ever took; `total` of them are there. */
WSHUB__COLD static void wshub__deadlines_give_back(const wshub__mem *mem, wshub__deadlines *heap,
                                                   uint32_t total) {
    void *items = heap->items;

    WSHUB_ASSERT(heap->count <= total);
    wshub__mem_shrink(mem, &items, &heap->cap, total, sizeof *heap->items);
    heap->items = (wshub__deadline *)items;
    WSHUB_ASSERT(heap->count <= heap->cap);
}

/* Gives the memory back; the heap is empty then and fit to be used again. */
WSHUB__COLD static void wshub__deadlines_done(const wshub__mem *mem, wshub__deadlines *heap) {
    wshub__mem_free(mem, heap->items, heap->cap * sizeof *heap->items);
    wshub__deadlines_init(heap, heap->pool, heap->place_at);
}

#ifdef WSHUB_SELF_CHECK
/* Does every owner know its place, and is none sooner than the one in front of it? */
static bool wshub__deadlines_agree(const wshub__deadlines *heap) {
    uint32_t i;
    for (i = 0; i < heap->count; i++) {
        if (*wshub__deadline_place(heap, heap->items[i].owner) != i) return false;
        if (i && wshub__deadline_before(&heap->items[i], &heap->items[(i - 1) / 2])) return false;
    }
    return true;
}
#endif

/* ---- >>hub -------------------------------------------------------------------------------------
 * The objects of both storeys, and what all rooms share: entering and leaving, the clock,
 * randomness, log lines. on_log is called from wshub__log_tell() alone, never from inside a
 * change (proved by tests/test_logs.c, test_matrix.c). The lower storey, from here to
 * >>app-timers, is a server of HTTP and WebSocket that knows no client: what stands above it is
 * reached by the pointers of wshub__above. */

/* A segment: a piece of the frame log. Its bytes follow. */
typedef struct wshub__seg {
    struct wshub__seg *prev, *next;
    uint64_t held; /* bytes that queues still owe from it, counted once a queue */
    uint32_t refs; /* spans in queues and elsewhere, and one while it is the log */
    uint32_t used, cap;
    uint16_t lags;   /* 1: it counts as lagging: some of it is or was in the queue of a client who
                        is pressured */
    uint16_t is_log; /* 1: somebody may write at its end */
} wshub__seg;

/* Bytes of a segment, which a queue owes. */
typedef struct wshub__span {
    wshub__seg *seg;
    uint32_t at, len;
} wshub__span;

/* An end is a state, not an event (LIVE-3): whichever way a stream ends, what it owes leaves as
 * long as it makes progress, what its peer still says is read, and only then does the clock of its
 * state run. Which state may follow which stands in wshub__conn_follows, and wshub__conn_to() alone
 * writes it. */
typedef enum wshub__conn_state {
    WSHUB__CONN_FREE,
    WSHUB__CONN_HTTP, /* reading a request. Clocks: its head, its body; between requests, silence */
    WSHUB__CONN_ANSWERING, /* the application has a request. Clock: answer_timeout_ms of its mount;
                              while a peer is to take what has been written, silence instead */
    WSHUB__CONN_OPEN, /* a WebSocket. Clocks: silence, a message begun, authentication or heartbeat;
                         while an inbound transformer is asked, transform_timeout_ms instead */
    WSHUB__CONN_CLOSING,  /* our Close is queued; waiting for the peer's. Clock: close_timeout_ms
                             once ours has left */
    WSHUB__CONN_FLUSHING, /* nothing the peer says counts; what is owed leaves, then our end. Clock:
                             want of progress */
    WSHUB__CONN_LINGERING, /* our side has ended; waiting for the peer's end. Clock:
                              close_timeout_ms */
    WSHUB__CONN_ABORTING,  /* to be dropped in this settle */
    WSHUB__CONN_ENDING     /* dropped; waiting for the io's closed(), which it owes us */
} wshub__conn_state;

/* What settle has yet to tell of a stream's backpressure, a bit each: it began, messages were
 * dropped, it ended. */
enum { WSHUB__NOTE_ON = 1, WSHUB__NOTE_DROPPED = 2, WSHUB__NOTE_OFF = 4 };

/* The spans of a queue behind its first. They follow, cap of them. */
typedef struct wshub__queue {
    uint32_t head; /* those before it have been moved up */
    uint32_t count, cap;
    uint32_t bytes; /* of this block */
} wshub__queue;

/* What has arrived of something that is not yet whole. A stream has it only as long as there is
 * something: while its bytes are read it borrows the hub's own (wshub__rx_begin). */
typedef struct wshub__rx {
    /* by the conn's state */
    union {
        struct {
            uint64_t frame_bytes; /* payload of the current frame */
            uint64_t frame_at;    /* how much of it has arrived */
            uint32_t utf8;        /* the state behind the message's last byte (>>utf8) */
            uint8_t mask[4];
            uint8_t head[WSHUB__FRAME_HEAD_BYTES_MAX]; /* what has arrived of the next one's head */
            uint8_t head_len;
        } ws;
        struct {
            uint64_t body_left;
            uint32_t head_bytes; /* the head's part of `in`; 0: it is not whole yet */
            uint32_t scanned;    /* how much of `in` has been looked through for the head's end */
            uint32_t chunk_state, chunk_digits, chunk_overhead; /* see wshub__chunk_byte() */
        } http;
    } as;
    wshub__buf in;   /* the message, or the HTTP head and body, as far as it arrived */
    wshub__buf held; /* bytes that wait until the stream may be read on, from held_at on */
    uint32_t held_at;
    uint32_t part_kept; /* bytes of `in` for which time has been granted (wshub__part_clock) */
    wshub__buf control; /* payload of a control frame that arrives in pieces */
    wshub__buf pong;    /* the latest pong, while the peer does not read */
} wshub__rx;

/* A stream. Its size is the greater part of what an idle client costs: what is asked for each
 * message is a byte of its own, what is asked seldom a bit, and a state shares its clock with the
 * message that is begun in it. */
typedef struct wshub__conn {
    /* What a fan-out and a flush touch, together in front. */
    wshub__span first;                 /* the front of the queue */
    wshub__queue *more;                /* the rest of it; NULL: there is none */
    uint32_t queued;                   /* bytes in the queue */
    uint32_t inflight;                 /* bytes a completion io has, until sent() */
    uint64_t id;                       /* the io's; 0: free */
    uint8_t state;                     /* wshub__conn_state */
    bool blocked;                      /* the stream took less than offered; drained() follows */
    bool pressured;                    /* unsent bytes since the last time the queue was empty */
    uint8_t notes;                     /* WSHUB__NOTE_*, to be told in settle */
    bool pong_late : 1, ping_late : 1; /* to be sent when the queue has drained */
    bool note_listed : 1, resume_listed : 1;
    bool pinged : 1;  /* since it was last heard of */
    bool discard : 1; /* messages that arrive count for nothing any more */

    /* What is being received. */
    uint8_t opcode;     /* of the frame whose payload is being received */
    uint8_t msg_opcode; /* of the message; 0: none has begun */
    bool fin, in_frame, parsing;
    bool http_close : 1, http_head : 1, chunked : 1, blank_seen : 1; /* of the request */
    bool asked : 1; /* an inbound transformer has its message: no more is read until it answers */
    /* No more requests or messages are read, and no more of an answer is taken, until what is
     * queued has left. */
    bool owes : 1;
    bool io_paused : 1; /* the io has been asked to read no more, while bytes are held */
    bool ended : 1;     /* the peer sends no more; what is held comes before that */
    uint32_t above;     /* who stands above: index + 1; 0: nobody */
    uint32_t exchange;  /* what it serves: index + 1; 0: none, or a WebSocket with others above */
    uint32_t allowance; /* bytes of messages that it may still bring; UINT32_MAX: no limit */
    uint32_t message_bytes_max; /* of one message */
    uint32_t deadline;          /* its place among hub->deadlines */
    wshub__rx *rx;              /* NULL: nothing has arrived that is not whole */
    uint64_t last_active;       /* when a byte came, or left a stream that had been blocked */
    uint64_t phase_due; /* deadline of the state, or of a message begun in it; 0: none runs */
    uint64_t write_due; /* deadline of progress in sending; 0: none runs */
    uint32_t next_note, resume_next; /* links of two lists: index + 1 */
} wshub__conn;

/* Which pages of other origins may read answers: wshub_cors, copied (HTTP-4). */
typedef struct wshub__cors {
    size_t bytes; /* of this block; its texts follow */
    wshub_str *origins;
    size_t origins_count;
    bool any; /* `*` is one of them */
    bool credentials;
    uint32_t max_age_s;                 /* 0: not said */
    wshub_str methods, headers, expose; /* ptr NULL: not said */
} wshub__cors;

/* What is served on a path (>>mount). */
typedef struct wshub__mount {
    struct wshub__mount *next; /* asked behind this one */
    wshub_mount_desc desc;     /* with defaults filled in; its texts follow, or are the hub's */
    wshub_str path;
    wshub__cors *cors; /* NULL: only the hub's own pages may read its answers */
    size_t bytes;      /* of this block; 0: a part of the hub */
} wshub__mount;

/* An HTTP request and its answer; then, if that was 101 and nobody else stands above its stream,
 * the WebSocket that it has become, until its end has been told. Which state may follow which
 * stands in wshub__exchange_follows, and wshub__exchange_to() alone writes it. Clocks are the
 * stream's. */
typedef enum wshub__exchange_state {
    WSHUB__EXCHANGE_FREE,
    WSHUB__EXCHANGE_HEADED,    /* its head is whole; its mounts are asked whose it is */
    WSHUB__EXCHANGE_BODY,      /* it is its mount's; its body is being read */
    WSHUB__EXCHANGE_HELD,      /* it is its mount's; nothing has been answered */
    WSHUB__EXCHANGE_STREAMING, /* an answer has begun, and its body is being written */
    WSHUB__EXCHANGE_OPEN,      /* a WebSocket */
    WSHUB__EXCHANGE_FORWARDED, /* another hub of the program answers it (>>link) */
    WSHUB__EXCHANGE_GONE       /* ended without the application's doing; that is told in settle */
} wshub__exchange_state;

/* A head that is kept; its headers and texts follow. */
typedef struct wshub__head {
    wshub_http http;
    size_t bytes; /* of this block */
} wshub__head;

typedef struct wshub__exchange {
    wshub__slot slot;
    uint32_t index;         /* its own */
    uint32_t next_gone;     /* index + 1 */
    wshub_conn conn;        /* the io's, also behind its end */
    wshub__mount *mount;    /* whose it is, or who is asked */
    void *owner;            /* last argument of its callbacks */
    const wshub_http *http; /* its head, as long as that can be looked at; NULL */
    wshub__head *head;      /* kept; NULL */
    wshub__buf origin;      /* that of the page that asks, if its mount's cors allows it */
    wshub__buf reason;      /* of a WebSocket's end */
    uint16_t code;          /* the same */
    uint8_t cause;          /* of its end */
    uint8_t state;          /* wshub__exchange_state */
    bool parted;            /* its stream serves it no more */
    bool unread;            /* it has a body that has not been read */
    bool asks_upgrade;      /* whose refusal counts as that of an upgrade */
    bool handshake;         /* which may be granted, with the key below */
    bool busy;              /* on_answer is being asked: nothing may be done to it */
    bool was_open;          /* GONE: it was a WebSocket */
    bool listed;            /* GONE: settle is to tell of it */
    bool old;               /* asked in HTTP/1.0, which knows no chunks */
    bool chunked, bodyless; /* STREAMING: how its body is framed; it has none that were sent */
    bool closes;            /* STREAMING: the stream ends behind it */
    bool waits;             /* STREAMING: on_exchange_drained is to be told when it has drained */
    union {
        char key[24];  /* Sec-WebSocket-Key, until it is answered */
        uint64_t left; /* STREAMING: bytes of its body that are yet to be written */
    } as;
} wshub__exchange;

#define WSHUB__HEADERS_MAX 256u       /* greatest http_headers_max */
#define WSHUB__REFUSAL_BYTES_MAX 120u /* text of a refusal */
#define WSHUB__ALLOW "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/* A publication that waits for the bus. Channel, payload and brief follow it, in one block of cap
 * bytes. */
typedef struct wshub__pub {
    struct wshub__pub *next;
    uint64_t at; /* when it was published */
    uint32_t channel_len, payload_len, brief_len, cap;
} wshub__pub;

/* The publications that wait, oldest first. */
typedef struct wshub__outbox {
    wshub__pub *head, *tail;
    uint64_t bytes, count;
    uint64_t left; /* bytes that the bus did not take when they were offered last */
} wshub__outbox;

/* How the connection behind a bus stands. Which state may follow which stands in
 * wshub__uplink_follows, and wshub__uplink_to() alone writes it. */
typedef enum wshub__uplink_state {
    WSHUB__UPLINK_NONE,   /* there is no bus, or it has been left */
    WSHUB__UPLINK_DOWN,   /* no connection: what is published waits, to a limit (BUS-5) */
    WSHUB__UPLINK_LINKED, /* connected; what is wanted is being subscribed to */
    WSHUB__UPLINK_UP
} wshub__uplink_state;

/* An owner's end of its bus: a hub's, or an emitter's (>>uplink). */
typedef struct wshub__uplink {
    wshub_bus bus;
    const struct wshub__words *words; /* how a dialect speaks on it */
    uint8_t state;                    /* wshub__uplink_state */
    wshub__outbox outbox;
} wshub__uplink;

/* Exact mode (BUS-4): a channel on its way in or out; its name follows. */
typedef struct wshub__chan {
    wshub__name name;
    struct wshub__chan *prev, *next;
    uint64_t due; /* out: subscribed still, until then */
    bool out;
} wshub__chan;

typedef struct wshub__chans {
    wshub__chan *head, *tail;
} wshub__chans;

/* How far everything has been subscribed to anew, since the bus was connected: what comes next. */
typedef enum wshub__replay_phase {
    WSHUB__REPLAY_DONE,
    WSHUB__REPLAY_BASE, /* what every instance listens to */
    WSHUB__REPLAY_ROOMS,
    WSHUB__REPLAY_USERS,
    WSHUB__REPLAY_CLIENTS
} wshub__replay_phase;

typedef enum wshub__phase {
    WSHUB__RUNNING,
    WSHUB__DRAINING,
    WSHUB__STOPPING,
    WSHUB__DOWN
} wshub__phase;

#define WSHUB__WALKS 64u

/* A walk over something whose order changes when somebody leaves (>>walks). */
typedef struct wshub__walk {
    const void *key; /* what is walked; NULL: free */
    uint32_t number; /* never 0; tells it from those that had the place before */
    uint32_t left; /* of an array: how many, from its front, have not been seen. Of clients: who was
                      seen last, index + 1 */
    uint64_t used; /* when it made its last step, in steps */
} wshub__walk;

#define WSHUB__LINES 32u /* lines of one step; more of them are counted as suppressed */

#define WSHUB__LINE_BYTES 129u /* of a line's text, its terminator included */
#define WSHUB__WHO_BYTES 64u   /* of whom it is about, the same */

/* A log line that nobody has been given yet. */
typedef struct wshub__line {
    wshub_log_code code;
    wshub_client client;
    uint64_t suppressed;
    char who[WSHUB__WHO_BYTES];
    char text[WSHUB__LINE_BYTES];
} wshub__line;

/* What stands above a stream, reached by pointer, so that the lower storey calls nothing of it by
 * name. conn->above tells it who it is there; 0: nobody stands above that stream, and nothing is
 * called. */
typedef struct wshub__above {
    /* A whole message; bytes may be written into. text: they are known to be UTF-8. */
    void (*message)(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool text);
    /* The stream ends, for the reason and with the close code that are given: once, when that is
     * decided. */
    void (*ended)(wshub *hub, wshub__conn *conn, wshub_cause cause, uint16_t code,
                  wshub_str reason);
    /* The io has said its last word about the stream, which is freed behind this. */
    void (*closed)(wshub *hub, wshub__conn *conn);
    /* What its peer did, or could not do, is not to be taken for silence. */
    void (*heard)(wshub *hub, wshub__conn *conn);
    /* When its peer must be heard of. 0: never. */
    uint64_t (*due)(const wshub *hub, const wshub__conn *conn);
    /* That time has passed, but a late turn kept us from asking it (LIVE-3): true, and it is
     * asked now. */
    bool (*asked)(wshub *hub, wshub__conn *conn);
    /* That time has passed, and it has not been heard of. */
    void (*late)(wshub *hub, wshub__conn *conn);
    /* The clock of an answer that the stream waits for has run out. */
    void (*waited)(wshub *hub, wshub__conn *conn);
    /* Whom log lines name, and the id of one. ptr NULL: it is gone. */
    wshub_client (*who)(const wshub *hub, const wshub__conn *conn);
    wshub_str (*id)(const wshub *hub, wshub_client client);
    /* What its queue has come to, WSHUB__NOTE_*: from settle. */
    void (*noted)(wshub *hub, wshub__conn *conn, uint8_t notes);
    /* Something is queued for a lent stream; a lent stream is to be freed. */
    void (*owed)(wshub *hub, wshub__conn *conn);
    void (*lent_gone)(wshub *hub, wshub__conn *conn);
    /* What is gathered for many is to be given out (wshub__run_out). */
    void (*run_out)(wshub *hub);
    /* The hub is to be freed, and nobody is inside it any more. */
    void (*free)(wshub *hub);
} wshub__above;

struct wshub__group;

/* What has been given out since it was last booked. */
typedef struct wshub__tally {
    uint32_t receivers;
    uint32_t fresh; /* those of them whose queue was empty: it holds the segment once more */
} wshub__tally;

/* A delivery as one kind of wire has it. */
typedef struct wshub__piece {
    wshub__span span;   /* holds a reference while the delivery lives */
    uint32_t messages;  /* in it: one, or those of a run */
    uint32_t *lens;     /* of a run: the length of each of them */
    wshub__tally tally; /* of kinds but the plain one, for which who walks keeps it */
    wshub_kind kind;
    bool encoded;
    wshub_err failed; /* why it could not be encoded; it is not tried again */
    struct wshub__piece *next;
} wshub__piece;

/* A kind of wire. */
typedef struct wshub__wire {
    wshub_kind_desc desc;
    wshub__seg *log;  /* where its messages are written; NULL: there are none yet. The plain kind
                         has the hub's */
    uint32_t clients; /* that have it */
} wshub__wire;

#define WSHUB__RUN_MAX 256u /* messages in a run */

/* A dialect of this hub. */
typedef struct wshub__speaker {
    wshub_dialect table;
    void *user;
} wshub__speaker;

/* All rooms, or all users, of a realm: in no order, without gaps. */
typedef struct wshub__groups {
    struct wshub__group **items;
    uint32_t count, cap;
    bool walked; /* somebody may be in a walk over them */
} wshub__groups;

/* In which clients, users and rooms are names: what is equal in two realms of a hub has nothing
 * to do with each other. The first is part of its hub (>>realms). */
typedef struct wshub__realm {
    wshub__slot slot;        /* not of the first */
    wshub__index index;      /* ids of its clients, names of its users and rooms */
    uint32_t number;         /* 0: the first; else its index in hub->realms + 1 */
    uint32_t oldest, newest; /* its clients, oldest first: index + 1 */
    uint64_t id_lengths;     /* a bit for each length that an id of a client has had */
    bool clients_walked;     /* somebody may be in a walk over them */
    wshub__groups rooms, users;
    wshub_str *default_rooms; /* joined on acceptance */
    uint32_t default_rooms_count;
    wshub_str name;
    void *user;
    uint32_t dialect; /* who speaks for it on the bus; 0: the first realm's, or nobody */
    void *texts;      /* a block with its own texts; NULL: they are elsewhere, or there are none */
    size_t texts_bytes;
} wshub__realm;

struct wshub {
    /* ---- below: streams ---- */
    wshub__mem mem;
    wshub_desc desc; /* with defaults filled in; its texts are ours */
    wshub_io io;
    const wshub__above *above;
    wshub *self;    /* for wshub__look() */
    uint32_t depth; /* how many calls into the hub are open */
    bool destroying, dead;
    wshub__phase phase;
    uint64_t now, io_now; /* the hub's clock; the io's when it was last read */
    uint64_t heard; /* up to then all that peers said has been reported: they are judged by this */
    wshub_str server_id;
    wshub_str *origins, *hosts;
    void *texts; /* one block with all texts of the description */
    size_t texts_bytes;
    bool origins_any; /* no list of them was given */
    uint64_t key[2];  /* secret; from the io's randomness */
    uint8_t random[256];
    uint32_t random_left;
    uint64_t random_refills;
    wshub__pool conns; /* indexed by the io's numbers; not taken and freed here */
    uint32_t conns_live;
    wshub__deadlines deadlines; /* of streams */
    wshub__pool timers;         /* the application's */
    wshub__deadlines timer_deadlines;
    wshub__rx rx; /* lent to the stream whose bytes are being read */
    bool rx_lent;
    bool gathered; /* frames wait to be given out together; they come before all others */
    uint32_t notes_head, resume_head;
    uint64_t *dirty;       /* a bit for each conn that settle is to look at */
    uint64_t *dirty_words; /* a bit for each word of these that is not 0 */
    uint32_t dirty_cap, dirty_words_cap;
    uint32_t dirty_lo, dirty_hi; /* which of dirty_words may not be 0 */
    uint64_t *laggards; /* a bit for each conn whose queue its stream has not taken whole, which
                           wshub__out_compact() sees to */
    uint32_t laggards_cap;
    uint64_t compacted[2];   /* bytes queued, and bytes in segments, when laggards were last looked
                               through */
    wshub__seg *log, *segs;  /* the one being written; all */
    wshub__mount *mounts;    /* in the order in which they are asked; the last is `fallback` */
    wshub__mount fallback;   /* serves all paths: on_request */
    uint32_t mounts_count;   /* those of wshub_mount() */
    wshub__pool lents;       /* streams without a conn of the io's: wshub__lent */
    wshub__mount forwarding; /* serves no path: of exchanges that another hub answers */
    struct wshub__link_side *ends; /* of the links that this hub has an end of */
    wshub__node *calls;            /* ends that it is to look at; any thread pushes */
    wshub__pool exchanges;
    uint32_t exchanges_gone, exchanges_gone_last; /* to be told of: index + 1 */
    wshub_stats stats;
    struct {
        uint64_t second, suppressed;
        uint32_t lines;
    } logs[WSHUB_LOG_COUNT];
    wshub__line lines[WSHUB__LINES]; /* a ring of those that nobody has been given yet */
    uint32_t lines_head, lines_count;
    uint8_t log_from; /* the lowest level that is written: a wshub_log_level, or LOG_NONE */
    bool log_quiet;   /* that lines are not shown is to be told with the first of them (QUIET) */

    /* ---- above: the hub ---- */
    wshub__mount json; /* wshub_desc.path */
    wshub__wire kinds[WSHUB_KINDS_MAX];
    uint32_t kinds_count;
    uint64_t kinds_here;         /* which of them clients have: a bit each */
    struct wshub__piece *pieces; /* used before, to be used again */
    wshub__pool clients, asks;
    wshub__speaker dialects[WSHUB_DIALECTS_MAX];
    uint32_t dialects_count;
    wshub__realm first_realm;
    wshub__pool realms;                         /* the others */
    uint32_t rooms_live, users_live, own_rooms; /* of all realms together */
    uint32_t mark; /* of the last fan-out with exclusions: wshub__exclude() */
    uint32_t gone_head, gone_tail;
    const void *last_target; /* what was sent to last: a room, or for all of a realm its `oldest`;
                                only to be compared with */
    /* A run: messages to one room, one behind the other in their logs, that have not been given
     * out yet. There is one if `gathered`. */
    struct {
        wshub__realm *realm;
        struct wshub__group *room; /* NULL: to all of the realm */
        wshub__piece plain, *others;
        uint64_t kinds; /* those of its receivers: a bit each */
        bool never; /* by the description: what is sent depends on each receiver, or may end one */
        uint32_t lens[WSHUB__RUN_MAX]; /* of the plain ones */
    } run;
    wshub__walk walks[WSHUB__WALKS];
    uint64_t walk_steps;
    uint32_t walk_numbers;
    uint64_t stop_due, give_back_due;
    uint32_t drain_per_second;
    uint64_t drain_start, drain_done;
    uint16_t drain_code;
    wshub__buf drain_reason;
    wshub__uplink uplink;
    uint64_t bus_since;  /* down since then */
    uint64_t bus_broken; /* of what the bus will have no word about: counted already */
    wshub__chans subs_in, subs_out;
    wshub__index channels; /* those in the two lists */
    uint32_t subs_count;
    uint32_t replay;       /* wshub__replay_phase */
    uint32_t replay_realm; /* whose rooms or users it goes through: a realm's number */
    uint32_t replay_at;    /* how many of these are left; UINT32_MAX: all of them */
    wshub__node *posts;
    size_t posted_bytes; /* a machine word, as it is atomic */
};

/* Streams lie in pages by their index. Those of the io have every other page, by the numbers that
 * the io gives them; the pages between are for streams that a dialect lends (a session that polls
 * has no conn), whose numbers have the top bit. So both are found in one table, and neither has a
 * gap. */
#define WSHUB__LENT 0x80000000u

/* The index of the stream that an io, or a pool of lent ones, knows by this number. */
static uint32_t wshub__conn_slot(uint32_t number) {
    uint32_t lent = number >> 31;
    return (number / WSHUB__PAGE * 2 + lent) * WSHUB__PAGE + number % WSHUB__PAGE;
}

/* Has this stream no conn of an io? Its queue is handed out by who lent it. */
static bool wshub__conn_is_lent(const wshub__conn *conn) {
    return (conn->id & WSHUB__LENT) != 0;
}

/* What a stream has that was lent: to a session of a dialect's, which has its queue, or to a
 * request that another hub has handed over. */
typedef struct wshub__lent {
    wshub__slot slot;
    void *owner; /* the session's */
    uint32_t dialect;
    wshub_cause cause;             /* of its end */
    bool split;                    /* a part of its first message has been handed out */
    struct wshub__link_side *link; /* NULL: a session's */
} wshub__lent;

static wshub__lent *wshub__conn_lent(const wshub *hub, const wshub__conn *conn) {
    wshub__lent *lent =
        (wshub__lent *)wshub__pool_at(&hub->lents, (uint32_t)conn->id & ~WSHUB__LENT);

    WSHUB_ASSERT(wshub__conn_is_lent(conn));
    WSHUB_ASSERT(lent->slot.link == WSHUB__LIVE); /* it is freed behind its stream */
    return lent;
}

/* The end of a link that a stream is. NULL: it is the io's, or a session's. */
static struct wshub__link_side *wshub__conn_link(const wshub *hub, const wshub__conn *conn) {
    return wshub__conn_is_lent(conn) ? wshub__conn_lent(hub, conn)->link : NULL;
}

static wshub__conn *wshub__conn_at(const wshub *hub, uint32_t index) {
    return (wshub__conn *)wshub__pool_at(&hub->conns, index);
}

/* The index of a stream among hub->conns. */
static uint32_t wshub__conn_index(const wshub__conn *conn) {
    WSHUB_ASSERT(conn->id);
    return wshub__conn_slot((uint32_t)conn->id);
}

/* The stream of an index, if there is one. */
static wshub__conn *wshub__conn_find(const wshub *hub, uint32_t index) {
    if (index / WSHUB__PAGE >= hub->conns.pages_count || !hub->conns.pages[index / WSHUB__PAGE])
        return NULL;
    return wshub__conn_at(hub, index);
}

/* The next stream that is open, from *at on, which moves behind it. NULL: there are no more. */
static wshub__conn *wshub__conn_next_open(const wshub *hub, uint32_t *at) {
    while (*at / WSHUB__PAGE < hub->conns.pages_count) {
        wshub__conn *conn;

        if (!hub->conns.pages[*at / WSHUB__PAGE]) {
            *at += WSHUB__PAGE - *at % WSHUB__PAGE;
            continue;
        }
        conn = wshub__conn_at(hub, (*at)++);
        if (conn->id) return conn;
    }
    return NULL;
}

/* The longest that may pass between two turns while anything has a deadline: settle asks to be
 * called by then. More than that is a suspend, a stopped process or a broken clock and counts as
 * just so much, so that nobody is thrown out for it. */
static uint64_t wshub__stride(const wshub *hub) {
    return hub->desc.heartbeat_interval_ms > 1000 ? hub->desc.heartbeat_interval_ms : 1000;
}

/* Reads the io's clock. Time passes between turns, not within one. */
static void wshub__clock(wshub *hub) {
    uint64_t now = hub->io.now_ms(hub->io.ctx), passed;

    if (now == hub->io_now) return; /* mostly: a millisecond has many turns */
    passed = now > hub->io_now ? now - hub->io_now : 0;
    if ((hub->deadlines.count || hub->timer_deadlines.count) && passed > wshub__stride(hub))
        passed = wshub__stride(hub);
    hub->io_now = now;
    hub->now += passed;
}

/* Peers are judged by what has been heard of them: behind a late turn that is less than the clock
 * says (LIVE-3). */
static void wshub__clock_heard(wshub *hub) {
    uint64_t heard = hub->io.heard_ms ? hub->io.heard_ms(hub->io.ctx) : hub->io_now;
    uint64_t lag = heard < hub->io_now ? hub->io_now - heard : 0;

    WSHUB_ASSERT(hub->depth > 0); /* the clock has been read */
    hub->heard = lag < hub->now ? hub->now - lag : 0;
    WSHUB_ASSERT(hub->heard <= hub->now);
}

/* A call into the hub begins. The outermost one reads the clock. */
static void wshub__enter(wshub *hub) {
    WSHUB_ASSERT(!hub->destroying || hub->depth > 0); /* or it would have been freed */
    if (hub->depth++ == 0) wshub__clock(hub);
}

static const struct {
    const char *name, *text, *help;
    wshub_log_level level;
} wshub__logs[] = {
#define WSHUB__X(name, level, text, meaning, advice)                                               \
    {#name, text, meaning " " advice, WSHUB_LEVEL_##level},
    WSHUB_LOGS(WSHUB__X)
#undef WSHUB__X
};

WSHUB_API const char *wshub_log_name(wshub_log_code code) {
    return (unsigned)code < WSHUB_LOG_COUNT ? wshub__logs[code].name : "?";
}

WSHUB_API const char *wshub_log_help(wshub_log_code code) {
    return (unsigned)code < WSHUB_LOG_COUNT ? wshub__logs[code].help : "?";
}

WSHUB_API const char *wshub_log_level_name(wshub_log_level level) {
    static const char *const names[] = {"?", "debug", "info", "warn", "error"};
    return (unsigned)level < sizeof names / sizeof names[0] ? names[level] : "?";
}

WSHUB_API const char *wshub_strerror(wshub_err err) {
    switch (err) {
    case WSHUB_OK: return "ok";
#define WSHUB__X(name, value, text)                                                                \
    case WSHUB_ERR_##name: return text;
        WSHUB_ERRORS(WSHUB__X)
#undef WSHUB__X
    case WSHUB__ERR_END: break;
    }
    return "unknown error";
}

/* ---- log lines ---- */

#define WSHUB__LOG_NONE 255u      /* as wshub.log_from: above every level */
#define WSHUB__LINES_A_SECOND 10u /* of one code */

/* Adds what there is room for of a text of ours to one of cap bytes. Returns where that ends
 * then. */
static size_t wshub__line_add(char *line, size_t cap, size_t at, const char *text) {
    WSHUB_ASSERT(at < cap);
    while (*text && at < cap - 1) line[at++] = *text++;
    return at;
}

/* The same of a text that somebody else chose: what is not printable ASCII is escaped, and so is
 * the backslash; of a name the space, too. There is room as long as an escape would fit. */
static size_t wshub__line_add_escaped(char *line, size_t cap, size_t at, wshub_str text,
                                      bool is_name) {
    size_t i;

    WSHUB_ASSERT(at < cap);
    for (i = 0; i < text.len && at + 4 < cap; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c >= (is_name ? 0x21 : 0x20) && c < 0x7F && c != '\\') {
            line[at++] = (char)c;
            continue;
        }
        line[at++] = '\\';
        line[at++] = 'x';
        line[at++] = wshub__hex_digits[c >> 4];
        line[at++] = wshub__hex_digits[c & 15];
    }
    return at;
}

WSHUB__COLD WSHUB_API void wshub_log_line(const wshub_log *line,
                                          char out_text[WSHUB_LOG_LINE_BYTES]) {
    const size_t cap = WSHUB_LOG_LINE_BYTES;
    char room[WSHUB__DIGITS_MAX + 1] = "";
    size_t at = wshub__line_add(out_text, cap, 0, wshub_log_level_name(line->level));

    at = wshub__line_add(out_text, cap, at, " ");
    at = wshub__line_add(out_text, cap, at, wshub_log_name(line->code));
    if (*line->who) at = wshub__line_add(out_text, cap, at, " ");
    at = wshub__line_add(out_text, cap, at, line->who);
    at = wshub__line_add(out_text, cap, at, ": ");
    at = wshub__line_add(out_text, cap, at, line->text);

    if (line->suppressed) {
        at = wshub__line_add(out_text, cap, at, " (and ");
        at = wshub__line_add(out_text, cap, at, wshub__digits(line->suppressed, room));
        at = wshub__line_add(out_text, cap, at, " more)");
    }
    WSHUB_ASSERT(at < cap);
    out_text[at] = 0;
}

/* From which level on a hub's lines are written (>>logs). Whoever runs the program goes before
 * who wrote it. */
WSHUB__COLD static void wshub__log_begin(wshub *hub) {
    const wshub_desc *desc = &hub->desc;
    unsigned from = desc->log_level;

    if (desc->on_log) {
        if (!from) from = WSHUB_LEVEL_INFO;
    } else if (!hub->io.log || desc->no_log) {
        from = WSHUB__LOG_NONE;
    } else if (hub->io.log_level) {
        from = hub->io.log_level;
    } else if (!from) {
        from = WSHUB_LEVEL_WARN;
        hub->log_quiet = true;
    }
    hub->log_from = (uint8_t)from;
}

/* Gives on_log, or the io, what was logged. Called only where nothing is half done: when the
 * outermost call leaves and between the steps of settle. What on_log's own doing logs is told here
 * too; it comes to an end, as the clock stands still and each code has ten lines a second. */
WSHUB__COLD static void wshub__log_tell(wshub *hub) {
    WSHUB_ASSERT(hub->depth == 1); /* no other call is in the middle of anything */
    WSHUB_ASSERT(hub->lines_count <= WSHUB__LINES);
    while (hub->lines_count) {
        /* Taken out first: its place is free for what on_log causes. */
        wshub__line line = hub->lines[hub->lines_head];
        char text[WSHUB_LOG_LINE_BYTES];
        wshub_log told;

        WSHUB_ASSERT(hub->desc.on_log || hub->io.log); /* else no line is written */
        hub->lines_head = (hub->lines_head + 1) % WSHUB__LINES;
        hub->lines_count--;

        told.code = line.code;
        told.level = wshub__logs[line.code].level;
        told.text = line.text;
        told.client = line.client;
        told.who = line.who;
        told.suppressed = line.suppressed;
        if (hub->desc.on_log) {
            hub->desc.on_log(hub, &told, hub->desc.user);
        } else {
            wshub_log_line(&told, text);
            hub->io.log(hub->io.ctx, told.level, text);
        }
    }
}

/* A call into the hub ends. Behind the outermost one the hub may be gone. */
static void wshub__leave(wshub *hub) {
    WSHUB_ASSERT(hub->depth > 0);
    if (hub->lines_count && hub->depth == 1) wshub__log_tell(hub);
    if (--hub->depth == 0 && hub->destroying) hub->above->free(hub);
}

/* At the end of a call that is too small to enter and leave: what it logged is told, unless it was
 * made inside another. */
static void wshub__log_leave(wshub *hub) {
    if (!hub->lines_count || hub->depth) return;
    wshub__enter(hub);
    wshub__leave(hub);
}

/* The handle that names no client. */
static wshub_client wshub__nobody(void) {
    wshub_client nobody;
    nobody.id = 0;
    return nobody;
}

/* May a line of this code be written now? Of more than a few in a second only their number is
 * kept. */
static bool wshub__line_allowed(wshub *hub, wshub_log_code code) {
    uint64_t second = hub->now / 1000;

    WSHUB_ASSERT((unsigned)code < WSHUB_LOG_COUNT);
    if (hub->destroying) return false;
    if (hub->logs[code].second != second) {
        hub->logs[code].second = second;
        hub->logs[code].lines = 0;
    }
    if (++hub->logs[code].lines <= WSHUB__LINES_A_SECOND && hub->lines_count < WSHUB__LINES)
        return true;

    hub->logs[code].suppressed++;
    hub->stats.log_suppressed++;
    return false;
}

/* Whom a line is about: a client's id, else the address of a stream's peer. A lent stream has
 * none. */
WSHUB__COLD static void wshub__line_who(const wshub *hub, wshub__line *line, wshub_conn conn) {
    wshub_str who = wshub__str(NULL, 0);
    wshub_about about;

    if (line->client.id) who = hub->above->id(hub, line->client);
    memset(&about, 0, sizeof about);
    if (!who.ptr && conn.id && !(conn.id & WSHUB__LENT) && hub->io.about &&
        hub->io.about(hub->io.ctx, conn, &about))
        who = about.peer;
    line->who[wshub__line_add_escaped(line->who, sizeof line->who, 0, who, true)] = 0;
}

/* What a line says. hidden: its level is not shown, and this is told in its place (QUIET). */
WSHUB__COLD static void wshub__line_write(wshub__line *line, wshub_log_code code, bool hidden,
                                          const char *detail, wshub_str text) {
    const size_t cap = WSHUB__LINE_BYTES;
    size_t at = 0;

    if (hidden) {
        at = wshub__line_add(line->text, cap, at, wshub__logs[WSHUB_LOG_QUIET].text);
        at = wshub__line_add(line->text, cap, at, ": ");
    }
    at = wshub__line_add(line->text, cap, at, wshub__logs[code].text);
    if (*detail) at = wshub__line_add(line->text, cap, at, ": ");
    at = wshub__line_add(line->text, cap, at, detail);
    if (text.ptr) {
        if (at + 2 < cap) at = wshub__line_add(line->text, cap, at, ": ");
        at = wshub__line_add_escaped(line->text, cap, at, text, false);
    }
    WSHUB_ASSERT(at < cap);
    line->text[at] = 0;
}

/* Is a line of this code, whose level is not shown, the first refusal of which that has to be
 * said? Who sees nothing at all would not know where to look. */
static bool wshub__log_is_first(wshub *hub, wshub_log_code code) {
    if (!hub->log_quiet || hub->destroying) return false;
    if (wshub__logs[code].level == WSHUB_LEVEL_DEBUG || code == WSHUB_LOG_TIMEOUT ||
        code == WSHUB_LOG_OWED)
        return false;
    hub->log_quiet = false;
    return true;
}

/* Writes one line, which is given to on_log or to the io later (wshub__log_tell): the caller may
 * be in the middle of a change. Allocates nothing.
 *   client, conn  whom it is about; {0}: nobody. Of a client its stream need not be named
 *   detail        of ours; empty: none
 *   text          somebody's, which is escaped; ptr NULL: none */
WSHUB__COLD static void wshub__log_of(wshub *hub, wshub_log_code code, wshub_client client,
                                      wshub_conn conn, const char *detail, wshub_str text) {
    bool hidden = (unsigned)wshub__logs[code].level < hub->log_from;
    wshub_log_code as = hidden ? WSHUB_LOG_QUIET : code;
    wshub__line *line;

    if (hidden && !wshub__log_is_first(hub, code)) return;
    if (!wshub__line_allowed(hub, as)) return;
    line = &hub->lines[(hub->lines_head + hub->lines_count++) % WSHUB__LINES];
    WSHUB_ASSERT(hub->lines_count <= WSHUB__LINES); /* or the oldest would be written over */

    wshub__line_write(line, code, hidden, detail, text);
    line->code = as;
    line->client = client;
    line->suppressed = hub->logs[as].suppressed;
    hub->logs[as].suppressed = 0;
    wshub__line_who(hub, line, conn);
}

/* The same where no stream is known. */
WSHUB__COLD static void wshub__log(wshub *hub, wshub_log_code code, wshub_client client,
                                   const char *detail, wshub_str text) {
    wshub_conn none;
    none.id = 0;
    wshub__log_of(hub, code, client, none, detail, text);
}

/* Is it worth a word why somebody was refused, or something ignored? */
static inline bool wshub__debugs(const wshub *hub) {
    return hub->log_from <= WSHUB_LEVEL_DEBUG;
}

/* A limit of the description was met, by a client or a stream. name: the field's. */
WSHUB__COLD static void wshub__log_limit(wshub *hub, wshub_client client, wshub_conn conn,
                                         const char *name, uint64_t value) {
    char text[64], room[WSHUB__DIGITS_MAX + 1] = "";
    size_t at;

    if (!wshub__debugs(hub)) return;
    at = wshub__line_add(text, sizeof text, 0, name);
    at = wshub__line_add(text, sizeof text, at, " ");
    at = wshub__line_add(text, sizeof text, at, wshub__digits(value, room));
    text[at] = 0;
    wshub__log_of(hub, WSHUB_LOG_LIMIT, client, conn, text, wshub__str(NULL, 0));
}

/* Fills the hub's store of random bytes: what the io gives, mixed under the hub's secret key with
 * the number of the refill and the place. So no two refills are the same, whatever the io gives;
 * should it give nothing, the key alone, which creation has shown to come from randomness, goes
 * on. */
WSHUB__COLD static void wshub__random_refill(wshub *hub) {
    uint64_t nonce[2], word;
    uint32_t at;

    WSHUB_ASSERT(hub->random_left == 0); /* what is left is handed out first */
    if (!hub->io.random(hub->io.ctx, hub->random, sizeof hub->random))
        memset(hub->random, 0, sizeof hub->random);
    nonce[0] = hub->random_refills++;
    for (at = 0; at < sizeof hub->random; at += 8) {
        nonce[1] = at;
        memcpy(&word, hub->random + at, 8);
        word ^= wshub__siphash(hub->key, nonce, sizeof nonce, 'i');
        memcpy(hub->random + at, &word, 8);
    }
    hub->random_left = sizeof hub->random;
}

/* Random bytes, each of which is handed out once. */
WSHUB__COLD static void wshub__random(wshub *hub, uint8_t *bytes, size_t count) {
    size_t i;

    for (i = 0; i < count; i++) {
        if (hub->random_left == 0) wshub__random_refill(hub);
        WSHUB_ASSERT(hub->random_left <= sizeof hub->random);
        bytes[i] = hub->random[--hub->random_left];
        hub->random[hub->random_left] = 0;
    }
}

/* Random bytes as a UUID of version 4 (RFC 9562 5.4). */
static void wshub__uuid(const uint8_t bytes[16], char out[36]) {
    size_t i, at = 0;

    for (i = 0; i < 16; i++) {
        uint8_t b = bytes[i];
        if (i == 6) b = (uint8_t)((b & 0x0F) | 0x40); /* the version */
        if (i == 8) b = (uint8_t)((b & 0x3F) | 0x80); /* the variant */
        if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
        out[at++] = wshub__hex_digits[b >> 4];
        out[at++] = wshub__hex_digits[b & 15];
    }
    WSHUB_ASSERT(at == 36);
}

/* When so many milliseconds will have passed. 0: never, as they are WSHUB_OFF. */
static uint64_t wshub__after(const wshub *hub, uint32_t ms) {
    return ms == WSHUB_OFF ? 0 : hub->now + ms;
}

/* The sooner of two moments, each of which may be 0: never. */
static uint64_t wshub__sooner(uint64_t a, uint64_t b) {
    return !a || (b && b < a) ? b : a;
}

/* ---- >>log -------------------------------------------------------------------------------------
 * The frame log. A frame is written once into the current segment; queues hold spans of segments.
 * What is longer than a segment gets one of its own, which goes when it has left: the log is
 * never larger than WSHUB__SEG_BYTES, so that the largest thing ever sent costs later turns
 * nothing. Knows no conn. Uses >>mem. Proved by tests/test_send.c, tests/bench/after.sh. */

#define WSHUB__SEG_BYTES 65536u
#define WSHUB__QUEUE_MAX 0x7FFFFFFFu /* bytes in one queue; sums of two fit into 32 bits */

static uint8_t *wshub__seg_bytes(wshub__seg *seg) {
    return (uint8_t *)(seg + 1);
}

/* A new segment, in the list of all, with one reference. NULL: out of memory. */
static wshub__seg *wshub__seg_new(wshub *hub, uint32_t cap) {
    wshub__seg *seg = (wshub__seg *)hub->mem.fn(hub->mem.user, NULL, 0, sizeof *seg + cap);

    if (!seg) return NULL;
    memset(seg, 0, sizeof *seg);
    seg->cap = cap;
    seg->refs = 1;
    seg->next = hub->segs;
    if (seg->next) seg->next->prev = seg;
    hub->segs = seg;
    hub->stats.segment_bytes += cap;
    return seg;
}

/* Gives a reference back; with the last the segment goes. */
static void wshub__seg_unref(wshub *hub, wshub__seg *seg) {
    WSHUB_ASSERT(seg->refs > 0);
    if (--seg->refs) return;

    WSHUB_ASSERT(seg->used <= seg->cap);
    WSHUB_ASSERT(seg->prev ? seg->prev->next == seg : hub->segs == seg);
    WSHUB_ASSERT(!seg->lags || hub->stats.lagging_bytes >= seg->cap);
    if (seg->prev) {
        seg->prev->next = seg->next;
    } else {
        hub->segs = seg->next;
    }
    if (seg->next) seg->next->prev = seg->prev;
    hub->stats.segment_bytes -= seg->cap;
    if (seg->lags) hub->stats.lagging_bytes -= seg->cap;
    wshub__mem_free(&hub->mem, seg, sizeof *seg + seg->cap);
}

/* Some of a segment is in the queue of a stream that is pressured. */
static void wshub__seg_lags(wshub *hub, wshub__seg *seg) {
    WSHUB_ASSERT(seg->refs > 0);
    if (seg->lags) return;
    seg->lags = 1;
    hub->stats.lagging_bytes += seg->cap;
    WSHUB_ASSERT(hub->stats.lagging_bytes <= hub->stats.segment_bytes);
}

/* A segment of its own for what no segment of the log could hold; it never becomes the log. */
WSHUB__COLD static wshub__seg *wshub__seg_big(wshub *hub, size_t n) {
    wshub__seg *s = n > UINT32_MAX / 4 ? NULL : wshub__seg_new(hub, (uint32_t)n);

    WSHUB_ASSERT(n > WSHUB__SEG_BYTES);
    if (s) s->refs = 0; /* the first reference is that of wshub__log_commit() */
    return s;
}

/* Frees a segment of its own in which nothing has been written after all. */
static void wshub__seg_drop(wshub *hub, wshub__seg *seg) {
    WSHUB_ASSERT(!seg->refs);
    WSHUB_ASSERT(!seg->is_log);
    seg->refs = 1;
    wshub__seg_unref(hub, seg);
}

/* The log has no room for n bytes, or nobody holds any of it. */
static wshub__seg *wshub__log_turn(wshub *hub, wshub__seg **log, size_t n) {
    wshub__seg *seg = *log, *next;

    if (n > WSHUB__SEG_BYTES) return wshub__seg_big(hub, n);
    if (seg && seg->refs == 1) { /* begin again, in warm memory */
        seg->used = 0;
        if (seg->lags) hub->stats.lagging_bytes -= seg->cap;
        seg->lags = 0;
    }
    if (seg && seg->cap - seg->used >= n) return seg;

    next = wshub__seg_new(hub, WSHUB__SEG_BYTES);
    if (!next) return NULL;
    next->is_log = 1;
    *log = next;
    if (seg) {
        seg->is_log = 0;
        wshub__seg_unref(hub, seg);
    }
    return next;
}

/* A segment with room for n bytes at the end of a log (of a kind of wire, see >>gate; `*log`
 * NULL: there is none yet), or one of its own. NULL: out of memory. Whoever was given one writes
 * at wshub__log_end() and then calls wshub__log_commit(), or wshub__seg_drop() if it is one of
 * its own and nothing came of it. */
static inline wshub__seg *wshub__log_room_in(wshub *hub, wshub__seg **log, size_t n) {
    wshub__seg *seg = *log;
    WSHUB_ASSERT(!seg || seg->is_log);
    WSHUB_ASSERT(!seg || seg->refs > 0);
    WSHUB_ASSERT(!seg || seg->cap == WSHUB__SEG_BYTES);
    if (seg && seg->refs > 1 && n <= seg->cap - seg->used) return seg;
    return wshub__log_turn(hub, log, n);
}

static wshub__seg *wshub__log_room(wshub *hub, size_t n) {
    return wshub__log_room_in(hub, &hub->log, n);
}

static uint8_t *wshub__log_end(wshub__seg *s) {
    WSHUB_ASSERT(s->used <= s->cap);
    return wshub__seg_bytes(s) + s->used;
}

/* What has been written at the end of a segment stays there. The span holds a reference, which is
 * the caller's. */
static wshub__span wshub__log_commit(wshub__seg *seg, size_t n) {
    wshub__span span;

    WSHUB_ASSERT(n <= seg->cap - seg->used);
    span.seg = seg;
    span.at = seg->used;
    span.len = (uint32_t)n;
    seg->used += (uint32_t)n;
    seg->refs++;
    return span;
}

/* ---- >>queue -----------------------------------------------------------------------------------
 * What a stream is owed: spans of the log. Neighbouring spans merge, so that a burst to a room is
 * one contiguous piece for each member. Offers queues to the io, in settle or when a limit asks;
 * knows conns, not clients. Uses >>log, >>frame. Proved by tests/test_send.c,
 * tests/bench/after.sh. */

/* The number of the lowest bit that is set; there is one. */
static uint32_t wshub__lowest_bit(uint64_t bits) {
#if defined(__GNUC__) || defined(__clang__)
    return (uint32_t)__builtin_ctzll(bits);
#else
    uint32_t i = 0;
    for (; !(bits & 1); bits >>= 1) i++;
    return i;
#endif
}

/* To be looked at in settle. A bit for each word that is not 0 leads there, so that a turn's cost
 * follows the streams that it touches, not how many there are or ever were. */
static void wshub__dirty(wshub *hub, uint32_t index) {
    uint32_t word = index / 64, group = word / 64;
    uint64_t was = hub->dirty[word];

    WSHUB_ASSERT(word < hub->dirty_cap); /* there is room since the stream was made */
    WSHUB_ASSERT(group < hub->dirty_words_cap);
    hub->dirty[word] = was | UINT64_C(1) << index % 64;
    if (was) return;
    hub->dirty_words[group] |= UINT64_C(1) << word % 64;
    if (group < hub->dirty_lo) hub->dirty_lo = group;
    if (group >= hub->dirty_hi) hub->dirty_hi = group + 1;
}

/* Makes zeroed words up to and including `word`. False: out of memory. */
WSHUB__COLD static bool wshub__words_reach(wshub *hub, uint64_t **words, uint32_t *cap,
                                           uint32_t word) {
    uint32_t had = *cap;
    void *items = *words;
    if (!wshub__mem_grow(&hub->mem, &items, cap, word + 1, sizeof(uint64_t))) return false;
    *words = (uint64_t *)items;
    if (*cap > had) memset(*words + had, 0, (*cap - had) * sizeof(uint64_t));
    return true;
}

/* What is gathered for many (>>routing) comes before whatever else happens to a queue, to who is
 * a member of what, or to a counter that is read: whoever is about to touch one of these calls
 * this first. */
static void wshub__run_out(wshub *hub) {
    if (hub->gathered) hub->above->run_out(hub);
    WSHUB_ASSERT(!hub->gathered);
}

/* Who looks at queues or counts sees what was sent. */
static void wshub__look(const wshub *hub) {
    WSHUB_ASSERT(hub->self == hub);
    wshub__run_out(hub->self);
}

static wshub__span *wshub__queue_spans(wshub__queue *q) {
    return (wshub__span *)(void *)(q + 1);
}

/* What holds of every queue, whoever has just changed it. */
static inline void wshub__queue_agrees(const wshub__conn *conn) {
    WSHUB_ASSERT(!conn->queued == !conn->first.len); /* the front is empty where all is */
    WSHUB_ASSERT(conn->first.len <= conn->queued);
    WSHUB_ASSERT(!conn->more || conn->first.len);
    WSHUB_ASSERT(!conn->more || conn->more->head < conn->more->count); /* or it would be freed */
    WSHUB_ASSERT(!conn->more || conn->more->count <= conn->more->cap);
    WSHUB_ASSERT(conn->inflight <= conn->queued); /* what an io has is owed still */
    (void)conn;
}

/* Room for one span more. False: out of memory, nothing changed. Grows by the number of spans, not
 * by their size, so that the same happens on every machine. */
static bool wshub__queue_room(wshub *hub, wshub__conn *conn) {
    wshub__queue *queue = conn->more;
    uint32_t cap = queue ? queue->cap * 2 : 2;
    uint32_t bytes = (uint32_t)(sizeof *queue + cap * sizeof(wshub__span));

    WSHUB_ASSERT(conn->first.len > 0); /* it is for what comes behind that */

    /* The gap in front is closed where it is the greater part. */
    if (queue && queue->head > 8 && queue->head > queue->count / 2) {
        queue->count -= queue->head;
        memmove(wshub__queue_spans(queue), wshub__queue_spans(queue) + queue->head,
                queue->count * sizeof(wshub__span));
        queue->head = 0;
    }
    if (queue && queue->count < queue->cap) return true;

    if (cap > 1u << 26) return false; /* never: in tests, it is a gibibyte of spans */
    queue = (wshub__queue *)hub->mem.fn(hub->mem.user, queue, queue ? queue->bytes : 0, bytes);
    if (!queue) return false;
    if (!conn->more) memset(queue, 0, sizeof *queue);
    queue->bytes = bytes;
    queue->cap = cap;
    conn->more = queue;
    WSHUB_ASSERT(queue->count < queue->cap);
    return true;
}

/* The last span of a queue. NULL: there is nothing in it. */
static wshub__span *wshub__queue_last(wshub__conn *conn) {
    if (!conn->first.len) return NULL;
    WSHUB_ASSERT(!conn->more || conn->more->head < conn->more->count);
    return conn->more ? &wshub__queue_spans(conn->more)[conn->more->count - 1] : &conn->first;
}

/* Appends a span. False: out of memory, or the queue would pass WSHUB__QUEUE_MAX, whatever the
 * limits of the description: nothing changed. */
static bool wshub__queue_push(wshub *hub, wshub__conn *conn, wshub__span span) {
    wshub__span *last;

    WSHUB_ASSERT(span.len > 0);
    WSHUB_ASSERT(span.seg->refs > 0); /* the caller's, until the queue has its own */
    WSHUB_ASSERT(span.at + span.len <= span.seg->used);
    wshub__run_out(hub); /* it comes first */
    if (span.len > WSHUB__QUEUE_MAX - conn->queued) return false;

    /* What lies right behind the last is one piece with it; but a lent stream's dialect is handed
     * message by message. */
    last = wshub__queue_last(conn);
    if (last && last->seg == span.seg && last->at + last->len == span.at &&
        !wshub__conn_is_lent(conn)) {
        last->len += span.len;
    } else if (!last) {
        conn->first = span;
        span.seg->refs++;
    } else {
        if (!wshub__queue_room(hub, conn)) return false;
        wshub__queue_spans(conn->more)[conn->more->count++] = span;
        span.seg->refs++;
    }

    span.seg->held += span.len;
    if (conn->pressured) wshub__seg_lags(hub, span.seg);
    conn->queued += span.len;
    hub->stats.queued_bytes += span.len;
    wshub__queue_agrees(conn);
    wshub__dirty(hub, wshub__conn_index(conn));
    return true;
}

/* Makes room for so many spans more behind the first. False: out of memory, nothing changed. */
WSHUB__COLD static bool wshub__queue_reserve(wshub *hub, wshub__conn *conn, uint32_t more) {
    wshub__queue *q = conn->more;
    uint32_t count = q ? q->count : 0, bytes;

    if (!more || (q && q->cap - count >= more)) return true;
    if (more > (1u << 26) - count) return false; /* never: in tests, it is a gibibyte of spans */
    bytes = (uint32_t)(sizeof *q + (count + more) * sizeof(wshub__span));
    q = (wshub__queue *)hub->mem.fn(hub->mem.user, q, q ? q->bytes : 0, bytes);
    if (!q) return false;
    if (!conn->more) memset(q, 0, sizeof *q);
    q->bytes = bytes;
    q->cap = count + more;
    conn->more = q;
    WSHUB_ASSERT(q->cap - q->count >= more);
    return true;
}

/* Appends spans together with the references that they hold, all or none. False: out of memory, or
 * the queue would pass WSHUB__QUEUE_MAX: nothing changed. */
WSHUB__COLD static bool wshub__queue_append(wshub *hub, wshub__conn *conn, const wshub__span *spans,
                                            uint32_t count) {
    uint32_t taken = count && !conn->first.len ? 1 : 0, i;
    uint64_t bytes = 0;

    for (i = 0; i < count; i++) {
        WSHUB_ASSERT(spans[i].len > 0);
        WSHUB_ASSERT(spans[i].seg->refs > 0);
        bytes += spans[i].len;
    }
    if (bytes > WSHUB__QUEUE_MAX - conn->queued) return false; /* never: in tests, it is 2 GiB */
    if (!wshub__queue_reserve(hub, conn, count - taken)) return false;

    if (taken) conn->first = spans[0];
    for (i = taken; i < count; i++) wshub__queue_spans(conn->more)[conn->more->count++] = spans[i];
    for (i = 0; i < count; i++) {
        spans[i].seg->held += spans[i].len;
        if (conn->pressured) wshub__seg_lags(hub, spans[i].seg);
    }
    conn->queued += (uint32_t)bytes;
    hub->stats.queued_bytes += bytes;
    wshub__queue_agrees(conn);
    wshub__dirty(hub, wshub__conn_index(conn));
    return true;
}

/* The front span is used up: the next takes its place. */
static void wshub__queue_shift(wshub *hub, wshub__conn *conn) {
    wshub__seg *seg = conn->first.seg;
    wshub__queue *queue = conn->more;

    WSHUB_ASSERT(!conn->first.len);
    if (queue) {
        WSHUB_ASSERT(queue->head < queue->count);
        conn->first = wshub__queue_spans(queue)[queue->head++];
        if (queue->head == queue->count) {
            wshub__mem_free(&hub->mem, queue, queue->bytes);
            conn->more = NULL;
        }
    } else {
        memset(&conn->first, 0, sizeof conn->first);
    }
    wshub__seg_unref(hub, seg);
}

/* The first n bytes of a queue are owed no more. */
static void wshub__queue_consume(wshub *hub, wshub__conn *conn, size_t n) {
    WSHUB_ASSERT(n <= conn->queued);
    conn->queued -= (uint32_t)n;
    hub->stats.queued_bytes -= n;
    while (n) {
        uint32_t part = conn->first.len < n ? conn->first.len : (uint32_t)n;

        WSHUB_ASSERT(part > 0); /* spans cover what is queued */
        conn->first.at += part;
        conn->first.len -= part;
        conn->first.seg->held -= part;
        n -= part;
        if (!conn->first.len) wshub__queue_shift(hub, conn);
    }
    wshub__queue_agrees(conn);
}

/* How many spans a queue has in which there is something. */
static uint32_t wshub__queue_count(const wshub__conn *conn) {
    WSHUB_ASSERT(conn->first.len > 0);
    return conn->more ? conn->more->count - conn->more->head + 1 : 1;
}

/* The span of a queue that is k-th from the front. */
static wshub__span *wshub__queue_span(wshub__conn *conn, uint32_t k) {
    WSHUB_ASSERT(k < wshub__queue_count(conn));
    return k ? &wshub__queue_spans(conn->more)[conn->more->head + k - 1] : &conn->first;
}

/* Copies what a laggard holds of segments less than half in use. False: out of memory. */
WSHUB__COLD static bool wshub__compact_conn(wshub *hub, wshub__conn *conn) {
    uint32_t k, n = wshub__queue_count(conn);

    WSHUB_ASSERT(!conn->inflight); /* or an io would still read what moves */
    for (k = 0; k < n; k++) {
        wshub__span *span = wshub__queue_span(conn, k), old = *span;
        wshub__seg *to;

        WSHUB_ASSERT(old.seg->held >= old.len);
        if (old.seg->is_log || old.seg->held >= old.seg->cap / 2) continue;
        to = wshub__log_room(hub, old.len);
        if (!to) return false;
        memcpy(wshub__log_end(to), wshub__seg_bytes(old.seg) + old.at, old.len);
        *span = wshub__log_commit(to, old.len);
        to->held += old.len;
        if (conn->pressured) wshub__seg_lags(hub, to);
        old.seg->held -= old.len;
        wshub__seg_unref(hub, old.seg);
    }
    return true;
}

/* When segments occupy over twice of what queues owe, laggards hold little of much: what they hold
 * of segments less than half in use is copied out. So shared memory never exceeds 1 MiB or twice
 * the bytes queued, and each copy frees more than it takes. Out of memory: it stays as it is. Only
 * laggards are looked through, and only when something has changed since: an idle turn pays for
 * none of them. */
WSHUB__COLD static void wshub__out_compact(wshub *hub) {
    uint32_t i;
    uint64_t left;

    if (hub->compacted[0] == hub->stats.queued_bytes &&
        hub->compacted[1] == hub->stats.segment_bytes)
        return;
    for (i = 0; i < hub->laggards_cap; i++) {
        for (left = hub->laggards[i]; left; left &= left - 1) {
            wshub__conn *conn = wshub__conn_at(hub, i * 64 + wshub__lowest_bit(left));

            WSHUB_ASSERT(conn->id); /* whoever ends takes its bit away */
            if (!conn->first.len) {
                hub->laggards[i] &= ~(left & (~left + 1)); /* it has caught up */
            } else if (!conn->inflight && !wshub__compact_conn(hub, conn)) {
                return;
            }
        }
    }
    hub->compacted[0] = hub->stats.queued_bytes;
    hub->compacted[1] = hub->stats.segment_bytes;
}

/* A stream has not taken its whole queue: wshub__out_compact() is to look at it. */
WSHUB__COLD static void wshub__out_lags(wshub *hub, wshub__conn *conn) {
    uint32_t index = wshub__conn_index(conn);

    WSHUB_ASSERT(index / 64 < hub->laggards_cap);
    hub->laggards[index / 64] |= UINT64_C(1) << index % 64;
}

/* What its peer did, or what kept it from doing anything, is no silence: so its heartbeat begins
 * anew. */
static void wshub__conn_heard(wshub *hub, wshub__conn *conn) {
    if (conn->above) hub->above->heard(hub, conn);
}

/* Notes what settle is to tell of a queue, where somebody is there to be told: whoever stands
 * above, or the mount of a WebSocket. */
static void wshub__out_note(wshub *hub, wshub__conn *conn, uint8_t note) {
    bool logs = note == WSHUB__NOTE_DROPPED && hub->log_from <= WSHUB_LEVEL_WARN;
    bool above = conn->above && (hub->desc.on_pressure || logs);
    bool mount = conn->exchange && conn->state == WSHUB__CONN_OPEN;

    if (!above && !mount) return;
    if (!conn->note_listed) {
        conn->note_listed = true;
        conn->next_note = hub->notes_head;
        hub->notes_head = wshub__conn_index(conn) + 1;
    }

    /* On, off and on again in one turn: what is told ends with what is. */
    if (note == WSHUB__NOTE_ON && conn->notes & WSHUB__NOTE_OFF) {
        conn->notes &= (uint8_t)~WSHUB__NOTE_OFF;
        return;
    }
    conn->notes |= note;
}

/* A stream that was full has taken more, and still not all: its peer reads, so it is not silent
 * (LIVE-2). The last of it proves nothing, since the system takes that whether or not there is a
 * peer. */
static void wshub__out_moved(wshub *hub, wshub__conn *conn) {
    WSHUB_ASSERT(conn->queued > 0);
    conn->last_active = hub->now;
    conn->pinged = conn->ping_late;
    if (hub->desc.heartbeat_by_pong) wshub__conn_heard(hub, conn); /* its ping waits behind this */
}

/* Something waits for the peer. It is pressured until its queue is empty again, and what is shared
 * of that counts as lagging. */
WSHUB__COLD static void wshub__out_waits(wshub *hub, wshub__conn *conn) {
    uint32_t i, count = wshub__queue_count(conn);

    WSHUB_ASSERT(conn->queued > 0);
    WSHUB_ASSERT(!conn->pressured);
    for (i = 0; i < count; i++) wshub__seg_lags(hub, wshub__queue_span(conn, i)->seg);
    conn->pressured = true;
    wshub__out_lags(hub, conn);
    wshub__out_note(hub, conn, WSHUB__NOTE_ON);
}

#define WSHUB__SEND_SPANS 64u /* in one send of the io */

/* The spans in front of a queue. Returns how many; *out_total: their bytes. */
static inline size_t wshub__out_spans(const wshub__conn *conn, wshub_span spans[WSHUB__SEND_SPANS],
                                      size_t *out_total) {
    uint32_t at = conn->more ? conn->more->head : 0, end = conn->more ? conn->more->count : 0;
    const wshub__span *span = &conn->first;
    size_t n = 0, total = 0;

    for (;;) {
        spans[n].ptr = wshub__seg_bytes(span->seg) + span->at;
        spans[n].len = span->len;
        total += span->len;
        if (++n == WSHUB__SEND_SPANS || at == end) break;
        span = &wshub__queue_spans(conn->more)[at++];
    }
    WSHUB_ASSERT(total <= conn->queued);
    *out_total = total;
    return n;
}

/* The usual case: there was one span, and all of it is gone. */
static inline void wshub__out_gone(wshub *hub, wshub__conn *conn) {
    wshub__seg *seg = conn->first.seg;

    WSHUB_ASSERT(!conn->more);
    WSHUB_ASSERT(!conn->inflight);
    WSHUB_ASSERT(conn->queued == conn->first.len);
    seg->held -= conn->queued;
    hub->stats.queued_bytes -= conn->queued;
    conn->queued = 0;
    conn->write_due = 0;
    memset(&conn->first, 0, sizeof conn->first);
    wshub__seg_unref(hub, seg);
}

/* An io has taken a part of what it was offered, or all of several spans. One that says less than
 * nothing, or more than all, is not believed. */
WSHUB__COLD static void wshub__out_took(wshub *hub, wshub__conn *conn, int64_t took,
                                        size_t offered) {
    WSHUB_ASSERT(offered > 0);
    WSHUB_ASSERT(offered <= conn->queued);
    if (took < 0) took = 0;
    if ((uint64_t)took > offered) took = (int64_t)offered;
    if (took) {
        wshub__queue_consume(hub, conn, (size_t)took);
        conn->write_due = 0;
        if (conn->pressured && conn->queued) wshub__out_moved(hub, conn);
    }
    if ((size_t)took < offered) conn->blocked = true;
}

/* Offers a queue to the io. Calls no callback: what the application is to be told is noted. */
static void wshub__out_send(wshub *hub, wshub__conn *conn) {
    wshub__queue_agrees(conn);
    while (conn->queued && !conn->blocked && !conn->inflight) {
        wshub_span spans[WSHUB__SEND_SPANS];
        size_t total, n = wshub__out_spans(conn, spans, &total);
        wshub_conn handle;
        int64_t took;

        WSHUB_ASSERT(!wshub__conn_is_lent(conn)); /* that is blocked for ever */
        handle.id = conn->id;
        took = hub->io.send(hub->io.ctx, handle, spans, n);
        if (took == WSHUB_IO_PENDING) {
            conn->inflight = (uint32_t)total;
            wshub__out_lags(hub, conn);
            return;
        }
        if ((uint64_t)took == total && !conn->more) {
            wshub__out_gone(hub, conn);
        } else {
            wshub__out_took(hub, conn, took, total);
        }
    }

    if (conn->queued && !conn->pressured) {
        wshub__out_waits(hub, conn);
    } else if (!conn->queued && conn->pressured && !wshub__conn_is_lent(conn)) {
        conn->pressured = false;
        wshub__out_note(hub, conn, WSHUB__NOTE_OFF);
    }
}

/* Would a stream whose peer is owed `owed` bytes stay within the limits with len more? */
static bool wshub__out_within(const wshub *hub, const wshub__conn *conn, uint64_t owed,
                              uint64_t len) {
    return owed + len <= hub->desc.backpressure_bytes_max &&
           (!conn->pressured || hub->stats.lagging_bytes + len <= hub->desc.segment_bytes_max);
}

/* Does the stream take all that it is offered? The limits are on what waits, so what only waits for
 * settle is offered first; what a completion io has taken does not wait. */
static bool wshub__out_taken(wshub *hub, wshub__conn *conn) {
    if (!conn->blocked && !conn->inflight) wshub__out_send(hub, conn);
    return conn->queued == conn->inflight;
}

/* Is there room for len more bytes to this conn (SEND-6)? For one whose stream takes all there is,
 * whatever len is; for any other within the limits. */
static bool wshub__out_fits(wshub *hub, wshub__conn *conn, uint64_t len) {
    if (wshub__out_within(hub, conn, conn->queued, len)) return true;
    if (wshub__out_taken(hub, conn)) return conn->queued + len <= WSHUB__QUEUE_MAX;
    return wshub__out_within(hub, conn, conn->queued, len); /* it may have taken some */
}

/* Nothing of a queue is owed any more. */
static void wshub__queue_drop(wshub *hub, wshub__conn *conn) {
    conn->inflight = 0;
    if (conn->queued) wshub__queue_consume(hub, conn, conn->queued);
    WSHUB_ASSERT(!conn->first.len);
    WSHUB_ASSERT(!conn->more);
}

/* Queues what has been written at a log's end, whatever the limits. */
static bool wshub__out_commit(wshub *hub, wshub__conn *conn, wshub__seg *seg, size_t n) {
    bool ok = wshub__queue_push(hub, conn, wshub__log_commit(seg, n));

    wshub__seg_unref(hub, seg);
    return ok;
}

/* Queues one whole frame with a given payload, whatever the limits: Close, Pong, Ping. */
static bool wshub__out_frame(wshub *hub, wshub__conn *conn, uint8_t opcode, const void *payload,
                             size_t n) {
    wshub__seg *seg = wshub__log_room(hub, n + WSHUB__FRAME_HEAD_BYTES_MAX);
    uint8_t *to;
    size_t head;

    WSHUB_ASSERT(!wshub__conn_is_lent(conn)); /* there are no frames there */
    WSHUB_ASSERT(opcode < WSHUB__OP_CLOSE || n <= WSHUB__CONTROL_BYTES_MAX);
    if (!seg) return false;
    to = wshub__log_end(seg);
    head = wshub__frame_head(to, opcode, n);
    if (n) memcpy(to + head, payload, n);
    return wshub__out_commit(hub, conn, seg, head + n);
}

/* Queues bytes, whatever the limits: HTTP answers. */
static bool wshub__out_bytes(wshub *hub, wshub__conn *conn, const void *bytes, size_t n) {
    wshub__seg *seg = wshub__log_room(hub, n);

    if (!seg) return false;
    memcpy(wshub__log_end(seg), bytes, n);
    return wshub__out_commit(hub, conn, seg, n);
}

/* ---- >>mount -----------------------------------------------------------------------------------
 * What is served on which path, and exchanges as objects: their states, which
 * wshub__exchange_to() alone changes, whose they are, and who is told when one ends without the
 * application's doing. That is told in settle (wshub__exchanges_tell), never from inside a
 * change. Of streams it knows no more than where an exchange hangs. Uses >>slots, >>buf. Proved
 * by tests/test_exchange.c. */

/* clang-format off */
/* Which states may follow a state: a bit for each. */
#define WSHUB__TO(state) (1u << WSHUB__EXCHANGE_##state)
static const uint16_t wshub__exchange_follows[] = {
    /* free      */ WSHUB__TO(HEADED),
    /* headed    */ WSHUB__TO(BODY) | WSHUB__TO(HELD) | WSHUB__TO(STREAMING) | WSHUB__TO(OPEN) |
                    WSHUB__TO(FORWARDED) | WSHUB__TO(GONE) | WSHUB__TO(FREE),
    /* body      */ WSHUB__TO(HELD) | WSHUB__TO(STREAMING) | WSHUB__TO(GONE) | WSHUB__TO(FREE),
    /* held      */ WSHUB__TO(STREAMING) | WSHUB__TO(OPEN) | WSHUB__TO(FORWARDED) |
                    WSHUB__TO(GONE) | WSHUB__TO(FREE),
    /* streaming */ WSHUB__TO(GONE) | WSHUB__TO(FREE),
    /* open      */ WSHUB__TO(GONE),
    /* forwarded */ WSHUB__TO(GONE) | WSHUB__TO(FREE),
    /* gone      */ WSHUB__TO(FREE)
};
#undef WSHUB__TO
/* clang-format on */

/* The one door: nobody else writes the state. */
static void wshub__exchange_to(wshub__exchange *exchange, wshub__exchange_state to) {
    WSHUB_ASSERT(wshub__exchange_follows[exchange->state] >> to & 1);
    (void)wshub__exchange_follows;
    exchange->state = (uint8_t)to;
}

static wshub__exchange *wshub__exchange_at(const wshub *hub, uint32_t index) {
    return (wshub__exchange *)wshub__pool_at(&hub->exchanges, index);
}

/* The exchange of a handle, in any state. NULL: it is stale. */
static wshub__exchange *wshub__exchange_get(const wshub *hub, wshub_exchange handle) {
    return (wshub__exchange *)wshub__pool_get(&hub->exchanges, handle.id);
}

/* The handle by which the application knows an exchange. */
static wshub_exchange wshub__exchange_handle(const wshub__exchange *exchange) {
    wshub_exchange handle;

    WSHUB_ASSERT(exchange->slot.link == WSHUB__LIVE);
    handle.id = (uint64_t)exchange->slot.generation << 32 | exchange->index;
    return handle;
}

/* What a stream is serving: an exchange, or the WebSocket that one has become. NULL: neither. */
static wshub__exchange *wshub__exchange_of(const wshub *hub, const wshub__conn *conn) {
    wshub__exchange *exchange = conn->exchange ? wshub__exchange_at(hub, conn->exchange - 1) : NULL;

    WSHUB_ASSERT(!exchange || exchange->slot.link == WSHUB__LIVE);
    WSHUB_ASSERT(!exchange || !exchange->parted);
    return exchange;
}

/* The stream that serves an exchange. NULL: none does. */
static wshub__conn *wshub__exchange_conn(const wshub *hub, const wshub__exchange *exchange) {
    wshub__conn *conn;

    if (exchange->parted) return NULL;
    conn = wshub__conn_at(hub, wshub__conn_slot((uint32_t)exchange->conn.id));
    WSHUB_ASSERT(conn->id == exchange->conn.id); /* it would have parted with its end */
    WSHUB_ASSERT(conn->exchange == exchange->index + 1);
    return conn;
}

/* Whether nothing has been answered yet, and somebody may. */
static bool wshub__exchange_unanswered(const wshub__exchange *exchange) {
    WSHUB_ASSERT(exchange->state != WSHUB__EXCHANGE_FREE);
    return exchange->state <= WSHUB__EXCHANGE_HELD;
}

/* Begins the exchange of a stream whose head is whole. NULL: out of memory. */
static wshub__exchange *wshub__exchange_new(wshub *hub, wshub__conn *conn) {
    uint32_t index;
    wshub__exchange *exchange;

    WSHUB_ASSERT(!conn->exchange); /* one at a time is served */
    WSHUB_ASSERT(conn->state == WSHUB__CONN_HTTP);
    exchange = (wshub__exchange *)wshub__pool_take(&hub->mem, &hub->exchanges, &index);
    if (!exchange) return NULL;

    exchange->index = index;
    exchange->conn.id = conn->id;
    conn->exchange = index + 1;
    wshub__exchange_to(exchange, WSHUB__EXCHANGE_HEADED);
    return exchange;
}

/* Its stream serves it no more. */
static void wshub__exchange_part(wshub *hub, wshub__exchange *exchange) {
    wshub__conn *conn = wshub__exchange_conn(hub, exchange);

    if (!conn) return;
    conn->exchange = 0;
    exchange->parted = true;
}

/* The last of an exchange: what it holds goes, and its handle is stale. */
static void wshub__exchange_free(wshub *hub, wshub__exchange *exchange) {
    WSHUB_ASSERT(!exchange->busy); /* whoever asks on_answer goes on with it */
    wshub__exchange_part(hub, exchange);
    if (exchange->head) wshub__mem_free(&hub->mem, exchange->head, exchange->head->bytes);
    wshub__buf_done(&hub->mem, &exchange->reason);
    wshub__buf_done(&hub->mem, &exchange->origin);
    wshub__exchange_to(exchange, WSHUB__EXCHANGE_FREE);
    wshub__pool_free(&hub->exchanges, exchange->index);
}

/* Settle is to tell whose it is that it has ended. */
static void wshub__exchange_list(wshub *hub, wshub__exchange *exchange) {
    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_GONE);
    WSHUB_ASSERT(!exchange->listed);
    WSHUB_ASSERT(!exchange->next_gone);
    WSHUB_ASSERT(!hub->exchanges_gone == !hub->exchanges_gone_last);
    exchange->listed = true;
    if (hub->exchanges_gone_last) {
        wshub__exchange_at(hub, hub->exchanges_gone_last - 1)->next_gone = exchange->index + 1;
    } else {
        hub->exchanges_gone = exchange->index + 1;
    }
    hub->exchanges_gone_last = exchange->index + 1;
}

/* Ends an exchange, or the WebSocket that it has become, without the application's doing. It
 * answers to nothing from here on, and settle tells whose it is; but of one that is just being
 * offered to a mount that is not known yet, and wshub__exchange_offered() sees to it. */
static void wshub__exchange_lose(wshub *hub, wshub__exchange *exchange, wshub_cause cause,
                                 uint16_t code, wshub_str reason) {
    bool offered = exchange->state == WSHUB__EXCHANGE_HEADED;

    exchange->was_open = exchange->state == WSHUB__EXCHANGE_OPEN;
    wshub__exchange_part(hub, exchange);
    wshub__exchange_to(exchange, WSHUB__EXCHANGE_GONE);
    exchange->cause = (uint8_t)cause;
    exchange->code = code;
    if (exchange->was_open) wshub__buf_add(&hub->mem, &exchange->reason, reason.ptr, reason.len);
    if (!offered) wshub__exchange_list(hub, exchange);
}

/* Tells of those that have ended, in that order (from settle, and when the hub ends). */
static void wshub__exchanges_tell(wshub *hub) {
    while (hub->exchanges_gone) {
        wshub__exchange *exchange = wshub__exchange_at(hub, hub->exchanges_gone - 1);
        const wshub_mount_desc *mount = &exchange->mount->desc;

        /* It leaves the list first, as callbacks may end others. */
        WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_GONE);
        WSHUB_ASSERT(exchange->listed);
        WSHUB_ASSERT(exchange->parted);
        hub->exchanges_gone = exchange->next_gone;
        if (!hub->exchanges_gone) hub->exchanges_gone_last = 0;

        if (exchange->was_open && mount->on_conn_closed)
            mount->on_conn_closed(hub, exchange->conn, exchange->code,
                                  wshub__str(exchange->reason.ptr, exchange->reason.len),
                                  (wshub_cause)exchange->cause, exchange->owner);
        if (!exchange->was_open && mount->on_exchange_gone)
            mount->on_exchange_gone(hub, wshub__exchange_handle(exchange),
                                    (wshub_cause)exchange->cause, exchange->owner);
        wshub__exchange_free(hub, exchange);
    }
}

/* Copies a text to *at, which moves on. One that is absent stays absent. */
static wshub_str wshub__head_copy(char **at, wshub_str text) {
    wshub_str copy = wshub__str(text.ptr ? *at : NULL, text.len);

    if (text.len) memcpy(*at, text.ptr, text.len); /* NOLINT */
    *at += text.len;
    return copy;
}

/* Keeps a head: one block with its texts. False: out of memory. */
WSHUB__COLD static bool wshub__head_keep(wshub *hub, wshub__exchange *exchange,
                                         const wshub_http *http) {
    size_t i, n = http->headers_count, bytes = sizeof(wshub__head) + n * sizeof(wshub_header);
    wshub_header *headers;
    wshub__head *head;
    char *at;

    /* How long the block is: the head, its headers, all their texts. */
    WSHUB_ASSERT(!exchange->head);
    bytes += http->method.len + http->target.len + http->path.len + http->query.len;
    for (i = 0; i < n; i++) bytes += http->headers[i].name.len + http->headers[i].value.len;
    head = (wshub__head *)wshub__mem_new(&hub->mem, bytes);
    if (!head) return false;

    headers = (wshub_header *)(void *)(head + 1);
    at = (char *)(headers + n);
    head->bytes = bytes;
    head->http = *http;
    head->http.headers = headers;
    head->http.method = wshub__head_copy(&at, http->method);
    head->http.target = wshub__head_copy(&at, http->target);
    head->http.path = wshub__head_copy(&at, http->path);
    head->http.query = wshub__head_copy(&at, http->query);
    for (i = 0; i < n; i++) {
        headers[i].name = wshub__head_copy(&at, http->headers[i].name);
        headers[i].value = wshub__head_copy(&at, http->headers[i].value);
    }
    WSHUB_ASSERT(at == (char *)head + bytes);
    exchange->head = head;
    exchange->http = &head->http;
    return true;
}

/* Does a mount serve this path? */
static bool wshub__mount_serves(const wshub__mount *mount, wshub_str path) {
    if (path.len < mount->path.len || (path.len > mount->path.len && !mount->desc.prefix))
        return false;
    return memcmp(path.ptr, mount->path.ptr, mount->path.len) == 0;
}

/* The next mount that serves a path, behind `mount`; NULL: the first. There always is one, as the
 * last serves all paths, and nobody asks for one behind that. */
static wshub__mount *wshub__mount_next(const wshub *hub, const wshub__mount *mount,
                                       wshub_str path) {
    wshub__mount *next = mount ? mount->next : hub->mounts;

    WSHUB_ASSERT(next);
    while (!wshub__mount_serves(next, path)) next = next->next;
    return next;
}

/* Is a asked before b, where both serve a path and a was there first? */
static bool wshub__mount_before(const wshub__mount *a, const wshub__mount *b) {
    if (a->path.len != b->path.len) return a->path.len > b->path.len;
    return !a->desc.prefix || b->desc.prefix;
}

/* Puts a mount among the others, in the order in which they are asked. */
static void wshub__mount_put(wshub *hub, wshub__mount *mount) {
    const wshub_desc *defaults = &hub->desc;
    wshub_mount_desc *desc = &mount->desc;
    wshub__mount **at = &hub->mounts;

    WSHUB_ASSERT(!mount->next);
    mount->path = wshub_str_z(desc->path);
    if (!desc->answer_timeout_ms) desc->answer_timeout_ms = defaults->http_timeout_ms;
    if (!desc->body_bytes_max) desc->body_bytes_max = defaults->http_body_bytes_max;
    if (!desc->message_bytes_max) desc->message_bytes_max = defaults->payload_bytes_max;

    while (*at && wshub__mount_before(*at, mount)) at = &(*at)->next;
    mount->next = *at;
    *at = mount;
    WSHUB_ASSERT(!hub->fallback.next); /* the last */
}

/* ---- >>conn ------------------------------------------------------------------------------------
 * The life of a stream: its states, which wshub__conn_to() alone changes, its deadlines, closing
 * in all its ways. Closing only marks and queues; >>flow sends, and >>settle tells of the end and
 * frees. Who stands above is told once that a stream ends. Proved by tests/test_ends.c,
 * test_clocks.c. */

/* clang-format off */
/* Which states may follow a state: a bit for each. The io may report the end of a stream in any. */
#define WSHUB__TO(state) (1u << WSHUB__CONN_##state)
static const uint16_t wshub__conn_follows[] = {
    /* free      */ WSHUB__TO(HTTP) | WSHUB__TO(OPEN),
    /* http      */ WSHUB__TO(ANSWERING) | WSHUB__TO(FLUSHING) |
                    WSHUB__TO(ABORTING) | WSHUB__TO(FREE),
    /* answering */ WSHUB__TO(HTTP) | WSHUB__TO(OPEN) | WSHUB__TO(FLUSHING) |
                    WSHUB__TO(ABORTING) | WSHUB__TO(FREE),
    /* open      */ WSHUB__TO(CLOSING) | WSHUB__TO(FLUSHING) |
                    WSHUB__TO(ABORTING) | WSHUB__TO(FREE),
    /* closing   */ WSHUB__TO(FLUSHING) | WSHUB__TO(ABORTING) | WSHUB__TO(FREE),
    /* flushing  */ WSHUB__TO(LINGERING) | WSHUB__TO(ABORTING) | WSHUB__TO(FREE),
    /* lingering */ WSHUB__TO(ABORTING) | WSHUB__TO(FREE),
    /* aborting  */ WSHUB__TO(ENDING) | WSHUB__TO(FREE),
    /* ending    */ WSHUB__TO(FREE)
};
#undef WSHUB__TO
/* clang-format on */

/* The one door: nobody else writes the state. Starts the clock that the new state has from its
 * beginning; those that wait for something (a first byte, our Close that leaves) start where that
 * happens. */
static void wshub__conn_to(wshub *hub, wshub__conn *conn, wshub__conn_state to) {
    WSHUB_ASSERT(conn->id);
    WSHUB_ASSERT(wshub__conn_follows[conn->state] >> to & 1);
    (void)wshub__conn_follows;
    conn->state = (uint8_t)to;
    conn->phase_due = 0;
    if (to == WSHUB__CONN_LINGERING)
        conn->phase_due = wshub__after(hub, hub->desc.close_timeout_ms);
}

/* Has a WebSocket brought something of a message or frame, and not all of it? */
static bool wshub__part_begun(const wshub__conn *conn) {
    WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN);
    return conn->rx && (conn->rx->as.ws.head_len || conn->in_frame || conn->msg_opcode);
}

/* Must what arrives wait? For an answer of the application, or until what the peer is owed has
 * left. */
static bool wshub__conn_waits(const wshub__conn *conn) {
    return conn->state <= WSHUB__CONN_OPEN &&
           (conn->state == WSHUB__CONN_ANSWERING || conn->owes || conn->asked);
}

/* For how long a stream may take none of what it owes. An end is bounded also where that is off. */
static uint32_t wshub__write_patience(const wshub *hub, const wshub__conn *conn) {
    uint32_t ms = hub->desc.write_timeout_ms;

    return ms == WSHUB_OFF && conn->state >= WSHUB__CONN_CLOSING ? hub->desc.close_timeout_ms : ms;
}

/* May silence be held against the peer now? Not while we do not listen, and not while it owes us
 * nothing. */
static bool wshub__conn_counts_silence(const wshub *hub, const wshub__conn *conn) {
    if (wshub__conn_is_lent(conn)) return false; /* who lends it has clocks of its own */
    if (hub->desc.idle_timeout_ms == WSHUB_OFF) return false;

    /* While the io is paused the peer is not heard, and its silence is ours; but where it is paused
     * until the peer takes its answers, and no other clock runs for that, this one does. */
    if (conn->io_paused && !conn->ended && !(conn->owes && hub->desc.write_timeout_ms == WSHUB_OFF))
        return false;
    return conn->state == WSHUB__CONN_HTTP || conn->state == WSHUB__CONN_OPEN ||
           (conn->state == WSHUB__CONN_ANSWERING && conn->owes);
}

/* When this conn must be looked at next, from what it is now. 0: never. */
static uint64_t wshub__conn_next(const wshub *hub, const wshub__conn *conn) {
    uint64_t at = wshub__sooner(conn->phase_due, conn->write_due);

    if (conn->state >= WSHUB__CONN_ABORTING) return 0;

    /* A silent peer is asked half way to the idle timeout (LIVE-2). */
    if (wshub__conn_counts_silence(hub, conn)) {
        uint32_t idle = hub->desc.idle_timeout_ms;
        bool ping = conn->state == WSHUB__CONN_OPEN && !hub->desc.no_pings && !conn->pinged;
        at = wshub__sooner(at, conn->last_active + (ping ? idle / 2 : idle));
    }
    return conn->above ? wshub__sooner(at, hub->above->due(hub, conn)) : at;
}

/* Arms the conn's timer if something is due sooner than it is armed for; later is found when it
 * fires. */
static void wshub__conn_arm(wshub *hub, wshub__conn *conn) {
    uint64_t at = wshub__conn_next(hub, conn);
    if (at) wshub__deadline_sooner(&hub->deadlines, wshub__conn_index(conn), at);
}

/* Writes a log line about a stream, or whoever stands above it. */
WSHUB__COLD static void wshub__conn_log_text(wshub *hub, wshub_log_code code,
                                             const wshub__conn *conn, const char *detail,
                                             wshub_str text) {
    wshub_conn handle;
    handle.id = conn->id;
    wshub__log_of(hub, code, conn->above ? hub->above->who(hub, conn) : wshub__nobody(), handle,
                  detail, text);
}

WSHUB__COLD static void wshub__conn_log(wshub *hub, wshub_log_code code, const wshub__conn *conn,
                                        const char *detail) {
    wshub__conn_log_text(hub, code, conn, detail, wshub__str(NULL, 0));
}

/* A stream has met a limit of the description. name: the field's. */
WSHUB__COLD static void wshub__conn_limit(wshub *hub, const wshub__conn *conn, const char *name,
                                          uint64_t value) {
    wshub_conn handle;
    handle.id = conn->id;
    wshub__log_limit(hub, conn->above ? hub->above->who(hub, conn) : wshub__nobody(), handle, name,
                     value);
}

/* It is decided that a stream ends: its exchange is lost, and who stands above is told. */
static void wshub__conn_end(wshub *hub, wshub__conn *conn, wshub_cause cause, uint16_t code,
                            wshub_str reason) {
    wshub__exchange *exchange = wshub__exchange_of(hub, conn);

    WSHUB_ASSERT(conn->id);
    WSHUB_ASSERT(conn->state != WSHUB__CONN_FREE);
    if (exchange) wshub__exchange_lose(hub, exchange, cause, code, reason);
    if (conn->above) hub->above->ended(hub, conn, cause, code, reason);
}

/* Drops the stream in this settle: no Close frame, nothing more is sent. */
WSHUB__COLD static void wshub__conn_abort(wshub *hub, wshub__conn *conn, wshub_cause cause,
                                          uint16_t code, const char *why) {
    wshub__conn_end(hub, conn, cause, code, wshub_str_z(why));
    WSHUB_ASSERT(!conn->exchange); /* it has been lost */
    if (conn->state >= WSHUB__CONN_ABORTING) return;
    wshub__conn_to(hub, conn, WSHUB__CONN_ABORTING);
    wshub__dirty(hub, wshub__conn_index(conn));
}

/* A message of so many bytes did not fit into what may wait for a peer (SEND-6). */
static void wshub__conn_dropped(wshub *hub, wshub__conn *conn, uint64_t bytes) {
    const wshub_desc *desc = &hub->desc;
    bool all = conn->pressured && hub->stats.lagging_bytes + bytes > desc->segment_bytes_max;

    hub->stats.dropped_pressure++;
    wshub__conn_limit(hub, conn, all ? "segment_bytes_max" : "backpressure_bytes_max",
                      all ? desc->segment_bytes_max : desc->backpressure_bytes_max);
    if (hub->desc.close_on_backpressure) {
        wshub__conn_abort(hub, conn, WSHUB_BY_BACKPRESSURE, WSHUB__CLOSE_ABNORMAL, "");
        return;
    }
    wshub__out_note(hub, conn, WSHUB__NOTE_DROPPED);
}

/* What is held will not be read. */
static void wshub__held_drop(wshub *hub, wshub__conn *conn) {
    if (!conn->rx) return;
    WSHUB_ASSERT(conn->rx->held_at <= conn->rx->held.len);
    WSHUB_ASSERT(hub->stats.held_bytes >= conn->rx->held.len - conn->rx->held_at);
    hub->stats.held_bytes -= conn->rx->held.len - conn->rx->held_at;
    wshub__buf_done(&hub->mem, &conn->rx->held);
    conn->rx->held_at = 0;
}

/* A stream is read on: by the io, once nothing is held any more. What the peer could not say
 * meanwhile is not held against it. */
static void wshub__io_unpause(wshub *hub, wshub__conn *conn) {
    wshub_conn handle;

    if (!conn->io_paused) return;
    WSHUB_ASSERT(hub->io.pause);
    WSHUB_ASSERT(!wshub__conn_is_lent(conn));
    handle.id = conn->id;
    conn->io_paused = false;
    conn->last_active = hub->now;
    conn->pinged = false;
    wshub__conn_heard(hub, conn);
    wshub__conn_arm(hub, conn);
    hub->io.pause(hub->io.ctx, handle, false);
}

/* What is owed, then the end of the stream. What the peer still says is read and counts for
 * nothing. In the middle of a body the stream is dropped instead: an end in order might be taken
 * for the body's (CONN-5). */
static void wshub__conn_flush_end(wshub *hub, wshub__conn *conn, wshub_cause cause) {
    const wshub__exchange *exchange = wshub__exchange_of(hub, conn);

    /* Nothing more is read or asked of one that has come so far. */
    if (WSHUB__NEVER(conn->state >= WSHUB__CONN_FLUSHING)) return;
    if (exchange && (exchange->state == WSHUB__EXCHANGE_STREAMING ||
                     exchange->state == WSHUB__EXCHANGE_FORWARDED)) {
        wshub__conn_abort(hub, conn, cause, WSHUB__CLOSE_ABNORMAL, "");
        return;
    }

    WSHUB_ASSERT(!wshub__conn_is_lent(conn) || wshub__conn_link(hub, conn));
    wshub__conn_end(hub, conn, cause, WSHUB__CLOSE_ABNORMAL, wshub__str(NULL, 0));
    wshub__conn_to(hub, conn, WSHUB__CONN_FLUSHING);
    if (conn->rx) wshub__buf_done(&hub->mem, &conn->rx->in);
    wshub__held_drop(hub, conn);
    wshub__io_unpause(hub, conn);
    wshub__dirty(hub, wshub__conn_index(conn));
    wshub__conn_arm(hub, conn);
}

/* Has settle go on with a stream (wshub__resume_run). */
static void wshub__resume_list(wshub *hub, wshub__conn *conn) {
    if (conn->resume_listed) return;
    WSHUB_ASSERT(conn->id);
    WSHUB_ASSERT(hub->resume_head != wshub__conn_index(conn) + 1);
    conn->resume_listed = true;
    conn->resume_next = hub->resume_head;
    hub->resume_head = wshub__conn_index(conn) + 1;
}

/* Has settle read on what is held, or judge the end that stands behind it. */
static void wshub__resume(wshub *hub, wshub__conn *conn) {
    if (conn->io_paused || conn->ended || (conn->rx && conn->rx->held.len))
        wshub__resume_list(hub, conn);
}

/* Everything that the peer said has been read, and it says no more (a half-close). Who asked gets
 * the answer; whose WebSocket ends without a Close is gone (code 1006), and what it is owed
 * leaves. */
static void wshub__conn_heard_all(wshub *hub, wshub__conn *conn) {
    if (!conn->ended || conn->state >= WSHUB__CONN_FLUSHING || wshub__conn_waits(conn)) return;
    wshub__conn_flush_end(hub, conn, WSHUB_BY_PEER);
}

/* Is this a close that RFC 6455 5.5.1 and 7.4 allow an endpoint to send? */
static bool wshub__close_ok(uint16_t code, wshub_str reason) {
    if (!code) return reason.len == 0;
    return wshub__close_code_ok(code) && reason.len <= WSHUB_CLOSE_REASON_MAX &&
           (!reason.len || wshub_utf8_check((const uint8_t *)reason.ptr, reason.len));
}

/* Queues a Close frame (RFC 6455 5.5.1). code 0: one that says nothing. False: out of memory, and
 * the stream is dropped. */
static bool wshub__conn_close_frame(wshub *hub, wshub__conn *conn, uint16_t code,
                                    wshub_str reason) {
    uint8_t payload[WSHUB__CONTROL_BYTES_MAX];
    size_t count = code ? 2 + reason.len : 0;

    WSHUB_ASSERT(count <= sizeof payload);
    WSHUB_ASSERT(code || !reason.len);
    WSHUB_ASSERT(!wshub__conn_is_lent(conn));
    if (code) {
        payload[0] = (uint8_t)(code >> 8);
        payload[1] = (uint8_t)code;
        if (reason.len) memcpy(payload + 2, reason.ptr, reason.len);
    }
    if (wshub__out_frame(hub, conn, WSHUB__OP_CLOSE, payload, count)) return true;
    wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "out of memory");
    return false;
}

/* Begins the closing handshake (RFC 6455 7.1.2): our Close, then the peer's is waited for. */
static void wshub__conn_close(wshub *hub, wshub__conn *conn, wshub_cause cause, uint16_t code,
                              wshub_str reason) {
    if (conn->state != WSHUB__CONN_OPEN) return;
    wshub__conn_end(hub, conn, cause, code ? code : (uint16_t)WSHUB__CLOSE_NO_CODE, reason);
    if (!wshub__conn_close_frame(hub, conn, code, reason)) return;

    /* The clock of this state starts when our Close has left (wshub__flush_conn). Among what is
     * held may be the peer's. */
    wshub__conn_to(hub, conn, WSHUB__CONN_CLOSING);
    conn->discard = true;
    if (conn->rx) wshub__buf_done(&hub->mem, &conn->rx->in);
    wshub__resume(hub, conn);
}

/* The peer broke a rule: Close with the code, and the end (RFC 6455 7.1.7). */
WSHUB__COLD static void wshub__conn_fail(wshub *hub, wshub__conn *conn, uint16_t code,
                                         const char *why) {
    bool ours = code == WSHUB__CLOSE_INTERNAL; /* no fault of the peer's */
    wshub_cause cause = ours ? WSHUB_BY_MEMORY : WSHUB_BY_PROTOCOL;

    WSHUB_ASSERT(wshub__close_code_ok(code));
    WSHUB_ASSERT(!wshub__conn_is_lent(conn));
    if (!ours) hub->stats.protocol_errors++;
    wshub__conn_log(hub, ours ? WSHUB_LOG_NOMEM : WSHUB_LOG_PROTO, conn, why);

    if (conn->state == WSHUB__CONN_OPEN) {
        wshub__conn_end(hub, conn, cause, code, wshub_str_z(why));
        if (!wshub__conn_close_frame(hub, conn, code, wshub_str_z(why))) return;
    }
    wshub__conn_flush_end(hub, conn, cause);
}

/* ---- >>reply -----------------------------------------------------------------------------------
 * Answers to HTTP requests: what an application may say in one, how it is written, what follows
 * behind it. What frames an answer and what is said of the connection is written here and nowhere
 * else (CONN-5). on_answer is asked before anything is changed, and whoever called looks again at
 * what is still there. Uses >>queue, >>conn, >>mount. Proved by tests/test_reply.c,
 * test_exchange.c. */

static void wshub__http_field(wshub *hub, wshub__buf *b, wshub_str name, wshub_str value) {
    wshub__buf_text(&hub->mem, b, "\r\n");
    wshub__buf_add(&hub->mem, b, name.ptr, name.len);
    wshub__buf_text(&hub->mem, b, ": ");
    wshub__buf_add(&hub->mem, b, value.ptr, value.len);
}

/* May this name stand among an application's own headers? What frames a message, and what is said
 * of the connection, is the hub's to say (CONN-5), or it would be said twice. */
static bool wshub__header_is_ours(wshub_str name) {
    static const char *const ours[] = {
        "Content-Length", "Transfer-Encoding", "Connection", "Upgrade",
        "Keep-Alive",     "Trailer",           "TE",         "Date"};
    size_t i;

    for (i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (wshub__str_same(name, ours[i])) return true;
    }
    return false;
}

static bool wshub__header_value_ok(wshub_str value) {
    size_t i;
    for (i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == 0) return false;
    }
    return true;
}

static bool wshub__header_ok(wshub_str name, wshub_str value) {
    return wshub__http_is_token(name) && !wshub__header_is_ours(name) &&
           (!value.len || value.ptr) && wshub__header_value_ok(value);
}

#define WSHUB__TEXT_TYPE "text/plain; charset=utf-8"

/* An answer without headers of its own. content_type NULL: it has no type. */
static void wshub__reply_init(wshub_reply *reply, int status, const char *content_type,
                              wshub_str body) {
    memset(reply, 0, sizeof *reply);
    reply->status = status;
    reply->content_type = content_type;
    reply->body = body;
}

/* ---- pages of other origins (HTTP-4; the Fetch standard calls it the CORS protocol) ---- */

#define WSHUB__CORS_METHODS "GET, HEAD, POST" /* what any page may use without being asked */

/* Is this a list of one token or more, or none at all (NULL)? */
static bool wshub__cors_list_ok(const char *text) {
    wshub_str list = wshub_str_z(text), item;
    size_t n = 0;

    for (; wshub__http_list(&list, &item); n++) {
        if (!wshub__http_is_token(item)) return false;
    }
    return n || !text;
}

/* Does a list have this element? */
static bool wshub__cors_list_has(const char *text, const char *what) {
    wshub_str list = wshub_str_z(text), item;

    while (wshub__http_list(&list, &item)) {
        if (wshub_str_eq_z(item, what)) return true;
    }
    return false;
}

/* What is wrong with a description, which may be NULL. NULL: nothing. */
WSHUB__COLD static const char *wshub__cors_problem(const wshub_cors *cors) {
    size_t i;

    if (!cors) return NULL;
    if (!cors->origins || !cors->origins_count)
        return "cors: origins and origins_count are required, one at least; pages of any origin: "
               "`*`";
    for (i = 0; i < cors->origins_count; i++) {
        const char *rule = cors->origins[i];
        if (!wshub__origin_rule_ok(rule))
            return "cors: origins are written as those of allowed_origins are";
        if (cors->credentials && (strcmp(rule, "*") == 0 || strcmp(rule, "null") == 0))
            return "cors: with credentials `*` and `null` would let any page act as whoever looks "
                   "at it; name the origins";
    }

    if (!wshub__cors_list_ok(cors->methods) || !wshub__cors_list_ok(cors->headers) ||
        !wshub__cors_list_ok(cors->expose))
        return "cors: methods, headers and expose are names, separated by commas, or NULL";
    if (cors->credentials &&
        (wshub__cors_list_has(cors->methods, "*") || wshub__cors_list_has(cors->headers, "*") ||
         wshub__cors_list_has(cors->expose, "*")))
        return "cors: with credentials browsers take `*` for a name in methods, headers and "
               "expose; write down the names";
    return NULL;
}

/* A copy of a text; ptr NULL: there is none. */
static wshub_str wshub__cors_text(char **at, const char *text) {
    return text ? wshub__copy_text(at, text) : wshub__str(NULL, 0);
}

/* Copies a description in which nothing is wrong, into one block. False: out of memory. *out is
 * NULL where there is none. */
WSHUB__COLD static bool wshub__cors_new(const wshub__mem *mem, const wshub_cors *cors,
                                        wshub__cors **out) {
    const char *methods;
    size_t bytes, i;
    wshub__cors *copy;
    char *at;

    *out = NULL;
    if (!cors) return true;
    methods = cors->methods ? cors->methods : WSHUB__CORS_METHODS;
    bytes =
        sizeof *copy + wshub__list_bytes(cors->origins, cors->origins_count) + strlen(methods) + 1;
    if (cors->headers) bytes += strlen(cors->headers) + 1;
    if (cors->expose) bytes += strlen(cors->expose) + 1;
    copy = (wshub__cors *)wshub__mem_new(mem, bytes);
    if (!copy) return false;

    copy->bytes = bytes;
    copy->credentials = cors->credentials;
    copy->max_age_s = cors->max_age_s;
    copy->origins = (wshub_str *)(void *)(copy + 1);
    copy->origins_count = cors->origins_count;
    at = (char *)(copy->origins + cors->origins_count);
    wshub__copy_list(copy->origins, cors->origins, cors->origins_count, &at);
    for (i = 0; i < copy->origins_count; i++) {
        if (wshub_str_eq_z(copy->origins[i], "*")) copy->any = true;
    }
    copy->methods = wshub__copy_text(&at, methods);
    copy->headers = wshub__cors_text(&at, cors->headers);
    copy->expose = wshub__cors_text(&at, cors->expose);
    WSHUB_ASSERT(at == (char *)copy + bytes);
    *out = copy;
    return true;
}

/* Gives a copy back. cors: may be NULL. */
static void wshub__cors_free(const wshub__mem *mem, wshub__cors *cors) {
    if (cors) wshub__mem_free(mem, cors, cors->bytes);
}

/* Remembers the page that asks, where the mount that is asked allows it: its answer may come when
 * the head is no longer there. Out of memory the buffer is bad. */
WSHUB__COLD static void wshub__cors_judge(wshub *hub, wshub__exchange *exchange,
                                          const wshub_http *http) {
    const wshub__cors *cors = exchange->mount->cors;
    wshub_str origin;

    wshub__buf_done(&hub->mem, &exchange->origin);
    if (!cors || cors->any || !wshub__origin_in(http, cors->origins, cors->origins_count)) return;
    origin = wshub_http_header(http, "Origin");
    wshub__buf_add(&hub->mem, &exchange->origin, origin.ptr, origin.len);
}

/* Whom an answer names as who may read it: what it writes into Access-Control-Allow-Origin. ptr
 * NULL: nobody else. */
static wshub_str wshub__cors_reader(const wshub__exchange *exchange) {
    if (exchange->mount->cors->any) return wshub_str_z("*");
    return wshub__str(exchange->origin.ptr, exchange->origin.len);
}

/* Adds what every answer says, so that no cache gives one page the answer for another. */
WSHUB__COLD static void wshub__cors_say(wshub *hub, wshub__buf *b,
                                        const wshub__exchange *exchange) {
    const wshub__cors *cors = exchange->mount->cors;
    wshub_str reader = wshub__cors_reader(exchange);

    wshub__http_field(hub, b, wshub_str_z("Vary"), wshub_str_z("Origin"));
    if (!reader.ptr) return;
    wshub__http_field(hub, b, wshub_str_z("Access-Control-Allow-Origin"), reader);
    if (cors->credentials)
        wshub__http_field(hub, b, wshub_str_z("Access-Control-Allow-Credentials"),
                          wshub_str_z("true"));
    if (cors->expose.ptr)
        wshub__http_field(hub, b, wshub_str_z("Access-Control-Expose-Headers"), cors->expose);
}

/* Is this a browser that asks whether its page may ask? */
static bool wshub__cors_preflight(const wshub_http *http) {
    return wshub_str_eq_z(http->method, "OPTIONS") && wshub_http_header(http, "Origin").ptr &&
           wshub_http_header(http, "Access-Control-Request-Method").ptr;
}

/* Is it the hub that says this in answers of an exchange, and nobody else? */
static bool wshub__cors_is_ours(const wshub__exchange *exchange, wshub_str name) {
    static const char ours[] = "Access-Control-";
    size_t n = sizeof ours - 1;

    return exchange->mount->cors && name.len >= n && wshub__same(name.ptr, ours, n);
}

/* ---- what an application says ---- */

/* Is this an answer to an exchange that can be sent as it stands? */
WSHUB__COLD static bool wshub__reply_ok(const wshub__exchange *exchange, const wshub_reply *r) {
    size_t i;

    if (r->status < 200 || r->status > 599) return false;
    if ((r->headers_count && !r->headers) || (r->body.len && !r->body.ptr)) return false;
    if (r->content_type && !wshub__header_value_ok(wshub_str_z(r->content_type))) return false;
    for (i = 0; i < r->headers_count; i++) {
        const wshub_header *h = &r->headers[i];
        if (!wshub__header_ok(h->name, h->value)) return false;
        if (wshub__cors_is_ours(exchange, h->name)) return false;
        if (r->content_type && wshub__str_same(h->name, "Content-Type")) return false;
    }
    return true;
}

/* ---- what a mount adds to its answers ---- */

struct wshub_headers {
    wshub *hub;
    const wshub__exchange *exchange;
    wshub__buf text; /* each with the end of the line before it */
};

WSHUB__COLD WSHUB_API wshub_err wshub_headers_add(wshub_headers *headers, wshub_str name,
                                                  wshub_str value) {
    if (!wshub__header_ok(name, value) || wshub__str_same(name, "Content-Type") ||
        wshub__cors_is_ours(headers->exchange, name))
        return WSHUB_ERR_PARAM;
    wshub__http_field(headers->hub, &headers->text, name, value);
    return headers->text.bad ? WSHUB_ERR_NOMEM : WSHUB_OK;
}

/* Asks the mount of an exchange what it adds to an answer. False: the callback has ended the
 * stream. Nothing else can happen to the exchange meanwhile, as it is busy. */
WSHUB__COLD static bool wshub__reply_asked(wshub *hub, wshub__exchange *exchange, int status,
                                           wshub_headers *out) {
    const wshub_mount_desc *mount = &exchange->mount->desc;

    if (!mount->on_answer) return true;
    WSHUB_ASSERT(!exchange->busy);
    WSHUB_ASSERT(!exchange->parted);
    exchange->busy = true;
    mount->on_answer(hub, wshub__exchange_handle(exchange), exchange->http, status, out,
                     exchange->owner);
    WSHUB_ASSERT(exchange->busy); /* it is the same still */
    exchange->busy = false;
    return !exchange->parted && !hub->destroying;
}

/* What is added to an answer: by its mount, and for pages of other origins, to which a 101 does not
 * matter (CONN-2). exchange: NULL: it has none. Out: freed by the caller, whatever is returned.
 * STALE: the callback has ended the stream. */
WSHUB__COLD static wshub_err wshub__reply_more(wshub *hub, wshub__exchange *exchange, int status,
                                               wshub_headers *out) {
    memset(out, 0, sizeof *out);
    out->hub = hub;
    out->exchange = exchange;
    if (!exchange) return WSHUB_OK;
    if (!wshub__reply_asked(hub, exchange, status, out)) return WSHUB_ERR_STALE;
    if (exchange->mount->cors && status != 101) wshub__cors_say(hub, &out->text, exchange);
    return out->text.bad ? WSHUB_ERR_NOMEM : WSHUB_OK;
}

/* ---- a whole answer ---- */

/* After an answer: the next request, or the end. */
static void wshub__http_next(wshub *hub, wshub__conn *conn, bool close) {
    wshub__exchange *exchange = wshub__exchange_of(hub, conn);

    if (exchange) wshub__exchange_free(hub, exchange);
    WSHUB_ASSERT(!conn->exchange); /* the next may begin */
    if (close) {
        wshub__conn_flush_end(hub, conn, WSHUB_BY_APP);
        return;
    }

    WSHUB_ASSERT(exchange); /* behind a refusal of what is no request there is no next one */
    wshub__conn_to(hub, conn, WSHUB__CONN_HTTP);
    if (conn->rx) conn->rx->as.http.head_bytes = conn->rx->as.http.scanned = 0;
    conn->blank_seen = false;

    /* Between requests silence counts; the head's deadline starts with its first byte. */
    conn->last_active = hub->now;
    wshub__resume(hub, conn);
    wshub__conn_arm(hub, conn);
}

static bool wshub__status_has_no_body(int status) { /* RFC 9110 6.4.1 */
    return status == 204 || status == 304;
}

/* Does the stream end behind this answer? An end is announced, whatever its reason. A body that has
 * not been read would be read as a request. */
static bool wshub__reply_closes(const wshub *hub, const wshub__conn *conn, const wshub_reply *r) {
    const wshub__exchange *exchange = wshub__exchange_of(hub, conn);

    if (r->close || conn->http_close || hub->phase >= WSHUB__STOPPING) return true;
    WSHUB_ASSERT(exchange); /* without one there are refusals alone */
    return exchange->unread;
}

/* The head of an answer but for what frames it. A 426 says to which protocol, and a proxy must
 * know that Upgrade is for it alone (CONN-2, RFC 9110 7.8). */
WSHUB__COLD static void wshub__reply_begin(wshub *hub, wshub__buf *b, const wshub_reply *r,
                                           const wshub_headers *more) {
    char date[WSHUB__HTTP_DATE_BYTES + 1];
    size_t i;

    WSHUB_ASSERT(r->status >= 200); /* a 101 is written by wshub__upgrade_put() */
    WSHUB_ASSERT(r->status <= 599);
    wshub__buf_text(&hub->mem, b, "HTTP/1.1 ");
    wshub__buf_uint(&hub->mem, b, (uint64_t)r->status);
    wshub__buf_text(&hub->mem, b, " ");
    wshub__buf_text(&hub->mem, b, wshub__http_phrase(r->status));
    if (wshub_http_date_write((int64_t)(hub->io.wall_ms(hub->io.ctx) / 1000), date))
        wshub__http_field(hub, b, wshub_str_z("Date"), wshub_str_z(date)); /* RFC 9110 6.6.1 */
    if (r->status == 426)
        wshub__buf_text(&hub->mem, b, "\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket");

    if (r->content_type)
        wshub__http_field(hub, b, wshub_str_z("Content-Type"), wshub_str_z(r->content_type));
    for (i = 0; i < r->headers_count; i++)
        wshub__http_field(hub, b, r->headers[i].name, r->headers[i].value);
    wshub__buf_add(&hub->mem, b, more->text.ptr, more->text.len);
}

/* The end of a head: what is said of the connection. */
WSHUB__COLD static void wshub__reply_headed(wshub *hub, wshub__buf *b, int status, bool close) {
    if (status == 426 || close) wshub__buf_text(&hub->mem, b, "\r\nConnection: ");
    if (status == 426) wshub__buf_text(&hub->mem, b, close ? "Upgrade, " : "Upgrade");
    if (close) wshub__buf_text(&hub->mem, b, "close");
    wshub__buf_text(&hub->mem, b, "\r\n\r\n");
}

/* How a body ends is said in its head: by its length, or in chunks; of neither it ends with the
 * stream (RFC 9112 6.3). */
WSHUB__COLD static void wshub__reply_framing(wshub *hub, wshub__buf *b, uint64_t length,
                                             bool chunked) {
    if (length != WSHUB_LENGTH_UNKNOWN) {
        wshub__buf_text(&hub->mem, b, "\r\nContent-Length: ");
        wshub__buf_uint(&hub->mem, b, length);
    } else if (chunked) {
        wshub__buf_text(&hub->mem, b, "\r\nTransfer-Encoding: chunked");
    }
}

/* May a body of this length go in chunks to whom the stream is serving? One of HTTP/1.0 knows
 * none, and its stream ends behind the answer in any case. */
static bool wshub__reply_chunked(const wshub *hub, const wshub__conn *conn, uint64_t length) {
    const wshub__exchange *exchange = wshub__exchange_of(hub, conn);

    if (length != WSHUB_LENGTH_UNKNOWN) return false;
    WSHUB_ASSERT(exchange); /* what the hub itself answers has a length */
    return !exchange->old;
}

/* Queues an answer to what the stream is serving: its head, and of the body, which has `length`
 * bytes, what is in r. What follows is the caller's (wshub__http_next). Returns OK; NOMEM: nothing
 * was queued; STALE: on_answer has ended the stream. */
WSHUB__COLD static wshub_err wshub__reply_put(wshub *hub, wshub__conn *conn, const wshub_reply *r,
                                              uint64_t length, bool *out_close) {
    wshub_headers more;
    wshub__buf b;
    bool bodyless = wshub__status_has_no_body(r->status);
    wshub_err err = wshub__reply_more(hub, wshub__exchange_of(hub, conn), r->status, &more);

    memset(&b, 0, sizeof b);
    if (!err) {
        WSHUB_ASSERT(conn->state <= WSHUB__CONN_ANSWERING); /* on_answer has not ended it */
        wshub__reply_begin(hub, &b, r, &more);
        if (!bodyless)
            wshub__reply_framing(hub, &b, length, wshub__reply_chunked(hub, conn, length));
        *out_close = wshub__reply_closes(hub, conn, r);
        wshub__reply_headed(hub, &b, r->status, *out_close);

        /* Whoever asked with HEAD gets no body, but its length in the head (RFC 9110 9.3.2). */
        if (!bodyless && !conn->http_head) wshub__buf_add(&hub->mem, &b, r->body.ptr, r->body.len);
        if (b.bad || !wshub__out_bytes(hub, conn, b.ptr, b.len)) err = WSHUB_ERR_NOMEM;
    }
    wshub__buf_done(&hub->mem, &b);
    wshub__buf_done(&hub->mem, &more.text);
    return err;
}

/* Answers what the stream is serving, and goes on. */
WSHUB__COLD static wshub_err wshub__http_send(wshub *hub, wshub__conn *conn, const wshub_reply *r) {
    bool close = false;
    wshub_err err = wshub__reply_put(hub, conn, r, r->body.len, &close);
    if (!err) wshub__http_next(hub, conn, close);
    return err;
}

/* ---- an answer whose body is written piece by piece ---- */

#define WSHUB__WRITE_BYTES_MAX (1u << 30) /* one piece */

/* The application's clock starts anew with each of its calls, but not while it waits for room:
 * then it is the peer that is waited for. */
static void wshub__stream_clock(wshub *hub, wshub__conn *conn, const wshub__exchange *exchange) {
    WSHUB_ASSERT(conn->state == WSHUB__CONN_ANSWERING);
    WSHUB_ASSERT(conn->exchange == exchange->index + 1);
    if (exchange->waits) return;
    conn->phase_due = wshub__after(hub, exchange->mount->desc.answer_timeout_ms);
    wshub__conn_arm(hub, conn);
}

/* Queues the head of an answer whose body follows. Returns as wshub__reply_put() does. */
WSHUB__COLD static wshub_err wshub__stream_begin(wshub *hub, wshub__exchange *exchange,
                                                 const wshub_reply *r, uint64_t length) {
    wshub__conn *conn = wshub__exchange_conn(hub, exchange);
    wshub_err err = wshub__reply_put(hub, conn, r, length, &exchange->closes);

    if (err) return err;
    WSHUB_ASSERT(wshub__exchange_unanswered(exchange)); /* its key is wanted no more */
    exchange->chunked = wshub__reply_chunked(hub, conn, length);
    exchange->bodyless = conn->http_head || wshub__status_has_no_body(r->status);
    exchange->as.left = length;
    wshub__exchange_to(exchange, WSHUB__EXCHANGE_STREAMING);

    /* Of a body that was still being read nobody wants the rest: the stream ends behind the
     * answer. */
    if (conn->state == WSHUB__CONN_HTTP) {
        WSHUB_ASSERT(exchange->closes);
        WSHUB_ASSERT(conn->rx); /* its head lies there */
        wshub__conn_to(hub, conn, WSHUB__CONN_ANSWERING);
        wshub__buf_done(&hub->mem, &conn->rx->in);
    }
    wshub__stream_clock(hub, conn, exchange);
    return WSHUB_OK;
}

/* Queues a piece of a body between the words of its framing, copied once, unless it lies there
 * already (wshub__stream_room()). False: out of memory. */
static bool wshub__body_put(wshub *hub, wshub__conn *conn, bool chunked, const void *bytes,
                            size_t n) {
    char before[WSHUB__CHUNK_SIZE_BYTES_MAX];
    size_t before_len = chunked ? wshub__chunk_size(n, before) : 0, after_len = chunked ? 2 : 0;
    wshub__seg *seg = wshub__log_room(hub, before_len + n + after_len);
    uint8_t *to;

    WSHUB_ASSERT(n > 0); /* a chunk of nothing would be the last (RFC 9112 7.1) */
    WSHUB_ASSERT(before_len <= sizeof before);
    if (!seg) return false;
    to = wshub__log_end(seg);
    if (bytes != to + before_len) memmove(to + before_len, bytes, n); /* from the room, or ours */
    if (chunked) {
        memcpy(to, before, before_len);
        memcpy(to + before_len + n, "\r\n", 2);
    }
    return wshub__out_commit(hub, conn, seg, before_len + n + after_len);
}

/* More than the limit is unsent: from here on the peer is waited for. */
static void wshub__stream_wait(wshub *hub, wshub__conn *conn, wshub__exchange *exchange) {
    WSHUB_ASSERT(conn->state == WSHUB__CONN_ANSWERING);
    WSHUB_ASSERT(conn->queued > 0); /* or nothing would end the wait */
    WSHUB_ASSERT(!conn->owes || exchange->waits);
    if (conn->owes) return;
    exchange->waits = conn->owes = true;
    conn->phase_due = 0;
    conn->last_active = hub->now; /* until now nothing was expected of it */
    wshub__conn_arm(hub, conn);
}

/* Takes a piece of a body that is not longer than what is left of it. */
static wshub_err wshub__stream_write(wshub *hub, wshub__exchange *exchange, const void *bytes,
                                     size_t n) {
    wshub__conn *conn = wshub__exchange_conn(hub, exchange);

    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_STREAMING);
    WSHUB_ASSERT(n <= exchange->as.left);
    if (n && !exchange->bodyless) {
        if (conn->queued > hub->desc.http_answers_bytes_max) {
            wshub__stream_wait(hub, conn, exchange);
            return WSHUB_ERR_LIMIT;
        }
        if (!wshub__body_put(hub, conn, exchange->chunked, bytes, n)) return WSHUB_ERR_NOMEM;
    }
    if (exchange->as.left != WSHUB_LENGTH_UNKNOWN) exchange->as.left -= n;
    wshub__stream_clock(hub, conn, exchange);
    return WSHUB_OK;
}

/* Room for a piece at the log's end, behind that for the words in front of it. Nothing need be kept
 * of it: if the log is used otherwise before the piece is written, the piece is moved. */
static wshub_err wshub__stream_room(wshub *hub, wshub__exchange *exchange, size_t n,
                                    uint8_t **out_bytes) {
    wshub__conn *conn = wshub__exchange_conn(hub, exchange);
    size_t before_len = exchange->chunked ? WSHUB__CHUNK_SIZE_BYTES_MAX : 0;
    wshub__seg *seg;

    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_STREAMING);
    if (!exchange->bodyless && conn->queued > hub->desc.http_answers_bytes_max) {
        wshub__stream_wait(hub, conn, exchange);
        return WSHUB_ERR_LIMIT;
    }
    seg = wshub__log_room(hub, WSHUB__CHUNK_SIZE_BYTES_MAX + n + 2);
    if (!seg) return WSHUB_ERR_NOMEM;
    WSHUB_ASSERT(seg->is_log); /* nothing has to be given back if nobody writes there */
    *out_bytes = wshub__log_end(seg) + before_len;
    return WSHUB_OK;
}

/* Ends an exchange by the application's doing, and its stream with it. */
WSHUB__COLD static void wshub__exchange_drop(wshub *hub, wshub__exchange *exchange) {
    wshub__conn *conn = wshub__exchange_conn(hub, exchange);

    WSHUB_ASSERT(!exchange->parted); /* only what is open is dropped */
    wshub__exchange_free(hub, exchange);
    wshub__conn_abort(hub, conn, WSHUB_BY_APP, WSHUB__CLOSE_ABNORMAL, "");
}

/* The body is whole, and says so; or it is short of what was announced. */
static wshub_err wshub__stream_end(wshub *hub, wshub__exchange *exchange) {
    wshub__conn *conn = wshub__exchange_conn(hub, exchange);
    bool sent = !exchange->bodyless;

    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_STREAMING);
    if (sent && exchange->as.left && exchange->as.left != WSHUB_LENGTH_UNKNOWN) {
        wshub__exchange_drop(hub, exchange);
        return WSHUB_ERR_PARAM;
    }
    if (sent && exchange->chunked &&
        !wshub__out_bytes(hub, conn, WSHUB__CHUNK_LAST, sizeof WSHUB__CHUNK_LAST - 1))
        return WSHUB_ERR_NOMEM;
    wshub__http_next(hub, conn, exchange->closes || hub->phase >= WSHUB__STOPPING);
    return WSHUB_OK;
}

/* What was written has left (from settle): whoever was told to wait is told to go on. */
WSHUB__COLD static void wshub__stream_drained(wshub *hub, wshub__conn *conn) {
    wshub__exchange *exchange = wshub__exchange_of(hub, conn);
    const wshub_mount_desc *mount = exchange ? &exchange->mount->desc : NULL;

    if (!mount || !exchange->waits || conn->owes) return;
    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_STREAMING ||
                 exchange->state == WSHUB__EXCHANGE_FORWARDED);
    exchange->waits = false;
    wshub__stream_clock(hub, conn, exchange);
    if (mount->on_exchange_drained)
        mount->on_exchange_drained(hub, wshub__exchange_handle(exchange), exchange->owner);
}

/* ---- refusals ---- */

/* Queues a refusal with a line of text, counts and logs it. Returns as wshub__reply_put() does, but
 * out of memory the stream is dropped already. */
WSHUB__COLD static wshub_err wshub__refusal_put(wshub *hub, wshub__conn *conn, int status,
                                                wshub_str why, bool upgrade) {
    wshub_reply r;
    wshub_err err;
    bool close;
    char body[WSHUB__REFUSAL_BYTES_MAX + 1];

    WSHUB_ASSERT(status >= 400);
    WSHUB_ASSERT(why.len <= WSHUB__REFUSAL_BYTES_MAX);
    hub->stats.http_bad++;
    if (upgrade) hub->stats.upgrades_refused++;
    wshub__conn_log_text(hub, upgrade ? WSHUB_LOG_UPGRADE_REFUSED : WSHUB_LOG_HTTP_BAD, conn, "",
                         why);
    memcpy(body, why.ptr, why.len);
    body[why.len] = '\n';

    wshub__reply_init(&r, status, WSHUB__TEXT_TYPE, wshub__str(body, why.len + 1));
    r.close = true;
    err = wshub__reply_put(hub, conn, &r, r.body.len, &close);
    WSHUB_ASSERT(err || close); /* what stands behind a refused request is not read */
    if (err == WSHUB_ERR_NOMEM)
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
    return err;
}

/* Refuses what the stream is serving, and ends the stream. */
WSHUB__COLD static wshub_err wshub__http_refuse(wshub *hub, wshub__conn *conn, int status,
                                                wshub_str why, bool upgrade) {
    wshub_err err = wshub__refusal_put(hub, conn, status, why, upgrade);
    if (!err) wshub__http_next(hub, conn, true);
    return err;
}

/* The same for the body of a request that its mount has taken already: it is told that the rest
 * will not come. */
WSHUB__COLD static void wshub__body_refuse(wshub *hub, wshub__conn *conn, int status,
                                           const char *why) {
    wshub__exchange *exchange = wshub__exchange_of(hub, conn);

    WSHUB_ASSERT(exchange);
    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_BODY);
    if (wshub__refusal_put(hub, conn, status, wshub_str_z(why), exchange->asks_upgrade)) return;
    wshub__exchange_lose(hub, exchange, WSHUB_BY_PROTOCOL, 0, wshub__str(NULL, 0));
    wshub__http_next(hub, conn, true);
}

/* ---- >>exchange --------------------------------------------------------------------------------
 * HTTP on a stream: heads and bodies as they arrive, the mounts that are asked about them, the
 * upgrade to a WebSocket (CONN-1 to CONN-3, CONN-5). Any cut of the stream gives the same. While
 * a callback runs, nothing more of its stream is read. Uses >>http, >>mount, >>reply. Proved by
 * tests/test_http.c, test_exchange.c, test_upgrade.c, test_golden.c (upgrade-*). */

/* ---- what is asked for ---- */

static bool wshub__host_allowed(const wshub *hub, const wshub_http *h) {
    wshub_str host;
    size_t i;

    if (!hub->desc.allowed_hosts_count) return true;
    host = wshub__http_authority(h);
    for (i = 0; i < hub->desc.allowed_hosts_count && host.ptr; i++) {
        if (wshub__host_match(host, hub->hosts[i])) return true;
    }
    return false;
}

/* Whether a head asks for a WebSocket, and rightly. What were the body of such a request must
 * never be read as a request (CONN-5). */
static void wshub__http_handshake(wshub_http *h) {
    const char *why = "a WebSocket handshake has no body";
    int status;
    if (!wshub__http_has_token(h, "Upgrade", "websocket")) return;
    status = h->body_bytes ? 400 : wshub__http_judge(h, &why);
    h->handshake = status ? status : 101;
    h->handshake_problem = status ? why : NULL;
}

/* What is wrong with a head that is whole, before anybody is asked about it: first how the request
 * is framed, whatever it wants (CONN-5). 0: nothing; else the status to refuse it with. */
WSHUB__COLD static int wshub__http_refusal(wshub *hub, wshub_http *h, const char **why) {
    int status = wshub__http_body(h, &h->body_bytes, why);

    wshub__http_handshake(h);
    if (status) return status;
    *why = "CONNECT is not served";
    if (wshub_str_eq_z(h->method, "CONNECT")) return 501;

    /* It can be answered: it counts, if it has a body when that is whole. */
    if (!h->body_bytes) hub->stats.http_requests++;
    *why = "this host is not served here";
    if (wshub__host_allowed(hub, h)) return 0;
    hub->stats.hosts_refused++;
    wshub__log_of(hub, WSHUB_LOG_REFUSED, wshub__nobody(), h->conn, "not in allowed_hosts",
                  wshub__http_authority(h));
    return 421;
}

/* ---- an exchange, and who takes it ---- */

/* The application has it from here on, and a time to answer. */
static void wshub__exchange_hold(wshub *hub, wshub__conn *conn, wshub__exchange *exchange) {
    WSHUB_ASSERT(conn->state == WSHUB__CONN_ANSWERING);
    WSHUB_ASSERT(conn->exchange == exchange->index + 1);
    wshub__exchange_to(exchange, WSHUB__EXCHANGE_HELD);
    conn->phase_due = wshub__after(hub, exchange->mount->desc.answer_timeout_ms);
    wshub__conn_arm(hub, conn);
}

/* It is up to this mount from here on what becomes of an exchange whose head can be looked at.
 * False: out of memory, and the stream is dropped. */
static bool wshub__exchange_to_mount(wshub *hub, wshub__exchange *exchange, wshub__mount *mount) {
    WSHUB_ASSERT(mount); /* the last takes all */
    exchange->mount = mount;
    exchange->owner = mount->desc.user;
    if (!mount->cors && !exchange->origin.ptr) return true;

    wshub__cors_judge(hub, exchange, exchange->http);
    if (!exchange->origin.bad) return true;
    wshub__conn_abort(hub, wshub__exchange_conn(hub, exchange), WSHUB_BY_MEMORY,
                      WSHUB__CLOSE_ABNORMAL, "");
    return false;
}

/* Answers a preflight: what a page may ask with, if it may read the answer (HTTP-4). */
WSHUB__COLD static void wshub__exchange_preflight(wshub *hub, wshub__exchange *exchange) {
    const wshub__cors *cors = exchange->mount->cors;
    wshub__conn *conn = wshub__exchange_conn(hub, exchange);
    char digits[WSHUB__DIGITS_MAX], *age = wshub__digits(cors->max_age_s, digits);
    wshub_header headers[3];
    wshub_reply reply;

    headers[0].name = wshub_str_z("Access-Control-Allow-Methods");
    headers[0].value = cors->methods;
    headers[1].name = wshub_str_z("Access-Control-Allow-Headers");
    headers[1].value = cors->headers;
    headers[2].name = wshub_str_z("Access-Control-Max-Age");
    headers[2].value = wshub__str(age, (size_t)(digits + sizeof digits - age));

    /* What is not said is left out. */
    wshub__reply_init(&reply, 204, NULL, wshub__str(NULL, 0));
    reply.headers = headers;
    if (wshub__cors_reader(exchange).ptr) {
        reply.headers_count = 1;
        if (cors->headers.ptr) reply.headers_count = 2;
        if (cors->max_age_s) headers[reply.headers_count++] = headers[2];
    }
    if (wshub__http_send(hub, conn, &reply) == WSHUB_ERR_NOMEM)
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
}

/* Asks a mount whether it takes an exchange. A preflight is not its to answer where it says itself
 * which pages may ask. */
static wshub_take wshub__exchange_ask(wshub *hub, wshub__exchange *exchange,
                                      const wshub_http *http) {
    const wshub_mount_desc *mount = &exchange->mount->desc;

    if (exchange->mount->cors && wshub__cors_preflight(http)) {
        wshub__exchange_preflight(hub, exchange);
        return WSHUB_TAKE_DONE;
    }
    if (!mount->on_head) return WSHUB_TAKE_BODY;
    return mount->on_head(hub, wshub__exchange_handle(exchange), http, mount->user);
}

/* Offers an exchange to the mounts of its path, from its first on, until one takes it. It may have
 * been answered afterwards, or be gone. */
static wshub_take wshub__exchange_offer(wshub *hub, wshub__exchange *exchange,
                                        const wshub_http *http) {
    wshub_exchange handle = wshub__exchange_handle(exchange);

    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_HEADED);
    WSHUB_ASSERT(exchange->http == http);
    for (;;) {
        wshub_take take = wshub__exchange_ask(hub, exchange, http);

        if (take != WSHUB_TAKE_DECLINED || hub->destroying ||
            wshub__exchange_get(hub, handle) != exchange ||
            exchange->state != WSHUB__EXCHANGE_HEADED)
            return take;
        if (!wshub__exchange_to_mount(hub, exchange,
                                      wshub__mount_next(hub, exchange->mount, http->path)))
            return take;
    }
}

/* The body of an exchange is whole, or it has none: whoever has taken it gets it. */
WSHUB__COLD static void wshub__exchange_bodied(wshub *hub, wshub__conn *conn,
                                               wshub__exchange *exchange, wshub_http *http,
                                               uint8_t *bytes, size_t count) {
    const wshub_mount_desc *mount = &exchange->mount->desc;
    wshub_exchange handle = wshub__exchange_handle(exchange);

    WSHUB_ASSERT(exchange->state <= WSHUB__EXCHANGE_BODY);
    WSHUB_ASSERT(!exchange->head || exchange->http == &exchange->head->http);
    http->body = wshub__str(bytes, count);
    if (exchange->head) {
        exchange->head->http.body = http->body;
    } else {
        exchange->http = http;
    }
    exchange->unread = false;
    wshub__exchange_hold(hub, conn, exchange);
    if (mount->on_body) mount->on_body(hub, handle, bytes, count, exchange->owner);

    if (wshub__exchange_get(hub, handle) != exchange) return;
    if (exchange->head) {
        exchange->head->http.body = wshub__str(NULL, 0);
    } else {
        exchange->http = NULL;
    }
}

/* An OPTIONS that nobody takes is answered for the path (RFC 9110 9.3.7); anything else is not
 * here. */
WSHUB__COLD static void wshub__exchange_unclaimed(wshub *hub, wshub__conn *conn,
                                                  const wshub_http *http) {
    const wshub__mount *mount = wshub__mount_next(hub, NULL, http->path);
    wshub_header allow;
    wshub_reply r;

    WSHUB_ASSERT(conn->state == WSHUB__CONN_ANSWERING);
    wshub__reply_init(&r, 404, WSHUB__TEXT_TYPE, wshub_str_z("Not Found\n"));
    if (wshub_str_eq_z(http->method, "OPTIONS")) {
        wshub__reply_init(&r, 204, NULL, wshub__str(NULL, 0));
        allow.name = wshub_str_z("Allow");
        allow.value = wshub_str_z(mount->desc.allow ? mount->desc.allow : WSHUB__ALLOW);
        r.headers = &allow;
        r.headers_count = 1;
    }
    if (wshub__http_send(hub, conn, &r) == WSHUB_ERR_NOMEM)
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
}

/* The last mount serves all paths: what no other takes goes to on_request (CONN-2). */
WSHUB__COLD static void wshub__request_bodied(wshub *hub, wshub_exchange handle, uint8_t *bytes,
                                              size_t count, void *owner) {
    const wshub_http *http = wshub_exchange_http(hub, handle);
    wshub__exchange *exchange;

    (void)bytes, (void)count, (void)owner;
    WSHUB_ASSERT(http); /* while its body is handed out, its head can be looked at */
    if (hub->desc.on_request && hub->desc.on_request(hub, handle, http, hub->desc.user)) return;
    exchange = wshub__exchange_get(hub, handle);
    if (hub->destroying || !exchange || exchange->state != WSHUB__EXCHANGE_HELD) return;
    wshub__exchange_unclaimed(hub, wshub__exchange_conn(hub, exchange), http);
}

WSHUB__COLD static void wshub__request_gone(wshub *hub, wshub_exchange handle, wshub_cause cause,
                                            void *owner) {
    if (hub->desc.on_exchange_gone) hub->desc.on_exchange_gone(hub, handle, cause, owner);
}

/* ---- heads ---- */

/* A head that is whole and is being looked at. Its bytes lie in `in`, which nobody touches
 * meanwhile, or, if that is empty, with the io. */
typedef struct wshub__headed {
    wshub_http http;
    const uint8_t *bytes;
    uint32_t count;
    wshub__buf in;
    wshub_header headers[WSHUB__HEADERS_MAX];
} wshub__headed;

/* A request's body is to follow its head. The head stays in front of it, and is read once more
 * behind it. */
WSHUB__COLD static void wshub__http_body_begin(wshub *hub, wshub__conn *conn,
                                               wshub__exchange *exchange, wshub__headed *head) {
    const wshub_http *http = &head->http;
    bool expects = wshub__http_has_token(http, "Expect", "100-continue") && http->minor >= 1;
    wshub__rx *rx = conn->rx;

    WSHUB_ASSERT(http->body_bytes > 0);
    WSHUB_ASSERT(!rx->in.ptr); /* what was there is the head's */
    wshub__exchange_to(exchange, WSHUB__EXCHANGE_BODY);
    wshub__conn_to(hub, conn, WSHUB__CONN_HTTP);
    if (http->body_bytes != WSHUB_LENGTH_UNKNOWN &&
        http->body_bytes > exchange->mount->desc.body_bytes_max) {
        wshub__conn_limit(hub, conn, "http_body_bytes_max", exchange->mount->desc.body_bytes_max);
        wshub__body_refuse(hub, conn, 413, "body too large");
        return;
    }

    rx->in = head->in;
    memset(&head->in, 0, sizeof head->in);
    if (rx->in.len == 0) wshub__buf_add(&hub->mem, &rx->in, head->bytes, head->count);
    if (rx->in.bad) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        return;
    }
    rx->in.len = rx->part_kept = rx->as.http.head_bytes = head->count;
    conn->chunked = http->body_bytes == WSHUB_LENGTH_UNKNOWN;
    rx->as.http.body_left = conn->chunked ? 0 : http->body_bytes;
    rx->as.http.chunk_state = WSHUB__CHUNK_SIZE;
    rx->as.http.chunk_digits = rx->as.http.chunk_overhead = 0;
    conn->phase_due = wshub__after(hub, hub->desc.message_timeout_ms);
    wshub__conn_arm(hub, conn);
    if (expects) (void)wshub__out_bytes(hub, conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* What its mounts have said to an exchange that they have left open is carried out. */
static void wshub__exchange_taken(wshub *hub, wshub__conn *conn, wshub__exchange *exchange,
                                  wshub_take take, wshub__headed *head) {
    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_HEADED);
    WSHUB_ASSERT(!exchange->parted);
    if (take == WSHUB_TAKE_DECLINED) {
        wshub__exchange_free(hub, exchange); /* the hub ends, so nobody more is asked */
    } else if (hub->destroying) { /* NOLINT: the last branch again: it is lost with the hub */
        wshub__exchange_hold(hub, conn, exchange);
    } else if (take == WSHUB_TAKE_DONE) {
        hub->stats.app_failures++;
        wshub__conn_log(hub, WSHUB_LOG_APP_FAILED, conn, "on_head: done, and not answered");
        (void)wshub__http_refuse(hub, conn, 500, wshub_str_z("no answer was given"), false);
    } else if (take == WSHUB_TAKE_BODY && head->http.body_bytes) {
        wshub__http_body_begin(hub, conn, exchange, head);
    } else if (take == WSHUB_TAKE_BODY) {
        wshub__exchange_bodied(hub, conn, exchange, &head->http, NULL, 0);
    } else {
        wshub__exchange_hold(hub, conn, exchange);
    }
}

/* An exchange has been offered, or was refused before that. It may have been answered, or have
 * ended. */
static void wshub__exchange_offered(wshub *hub, wshub__conn *conn, wshub_exchange handle,
                                    wshub_take take, wshub__headed *head) {
    wshub__exchange *exchange = wshub__exchange_get(hub, handle);

    if (exchange && exchange->state == WSHUB__EXCHANGE_HEADED) {
        wshub__exchange_taken(hub, conn, exchange, take, head);
        exchange = wshub__exchange_get(hub, handle);
    } else if (exchange && exchange->state == WSHUB__EXCHANGE_GONE) {
        /* Where an answer or a WebSocket had begun, it is told of in any case. */
        if (exchange->listed) return;
        if (take == WSHUB_TAKE_DECLINED)
            wshub__exchange_free(hub, exchange);
        else
            wshub__exchange_list(hub, exchange);
        return;
    }
    if (!exchange || exchange->parted) return;

    /* It goes on behind this call, and with it, if its mount wants that, its head. */
    WSHUB_ASSERT(!exchange->head);
    exchange->http = NULL;
    if (exchange->mount->desc.keep_head && exchange->state != WSHUB__EXCHANGE_OPEN &&
        !wshub__head_keep(hub, exchange, &head->http))
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
}

/* A WebSocket may be granted to it: the key of its handshake is kept until it is answered. */
static void wshub__exchange_key(wshub__exchange *exchange, const wshub_http *http) {
    wshub_str key = wshub_http_header(http, "Sec-WebSocket-Key");

    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_HEADED);
    WSHUB_ASSERT(key.len == sizeof exchange->as.key); /* or the handshake would be wrong */
    memcpy(exchange->as.key, key.ptr, sizeof exchange->as.key);
    exchange->handshake = true;
}

/* A head that can be read is whole: it begins an exchange. */
static void wshub__exchange_begin(wshub *hub, wshub__conn *conn, wshub__headed *head) {
    wshub_http *http = &head->http;
    wshub__exchange *exchange = wshub__exchange_new(hub, conn);
    wshub_take take = WSHUB_TAKE_DECLINED;
    wshub_exchange handle;
    const char *why;
    int status;
    wshub__mount *mount = wshub__mount_next(hub, NULL, http->path);
    bool upgrade, served;

    http->conn.id = conn->id;
    status = wshub__http_refusal(hub, http, &why);
    upgrade = http->handshake && mount != &hub->fallback; /* that might have been granted */
    conn->http_close = http->minor < 1 || wshub__http_has_token(http, "Connection", "close");
    if (!exchange) {
        (void)wshub__http_refuse(
            hub, conn, 500, wshub_str_z(upgrade ? "WebSocket upgrade failed" : "out of memory"),
            upgrade);
        return;
    }

    /* Until it is offered it is that of the mount whose path it has. */
    handle = wshub__exchange_handle(exchange);
    exchange->http = http;
    exchange->unread = http->body_bytes != 0;
    exchange->old = http->minor < 1;
    exchange->asks_upgrade = upgrade;
    served = wshub__exchange_to_mount(hub, exchange, mount);
    if (served && status) {
        upgrade = upgrade && status != 421; /* the host is refused, whatever was wanted of it */
        (void)wshub__http_refuse(hub, conn, status, wshub_str_z(why), upgrade);
    } else if (served) {
        if (http->handshake == 101) wshub__exchange_key(exchange, http);
        wshub__conn_to(hub, conn, WSHUB__CONN_ANSWERING);
        take = wshub__exchange_offer(hub, exchange, http);
        if (http->body_bytes && take != WSHUB_TAKE_BODY) hub->stats.http_requests++;
    }
    wshub__exchange_offered(hub, conn, handle, take, head);
}

/* A head is whole, at p. */
static void wshub__http_headed(wshub *hub, wshub__conn *conn, const uint8_t *p, uint32_t n) {
    wshub__headed head;
    const char *why;
    int status =
        wshub__http_parse(p, n, head.headers, hub->desc.http_headers_max, &head.http, &why);

    WSHUB_ASSERT(n > 0);
    WSHUB_ASSERT(n <= hub->desc.http_head_bytes_max);

    /* A refusal of HEAD has no body either (RFC 9110 9.3.2). */
    conn->http_head = wshub_str_eq_z(head.http.method, "HEAD");
    if (status) {
        if (status == 431)
            wshub__conn_limit(hub, conn, "http_headers_max", hub->desc.http_headers_max);
        (void)wshub__http_refuse(hub, conn, status, wshub_str_z(why), false);
        return;
    }

    /* Its bytes stay where they are until its mount has seen it. */
    head.bytes = p;
    head.count = n;
    head.in = conn->rx->in;
    memset(&conn->rx->in, 0, sizeof conn->rx->in);
    wshub__exchange_begin(hub, conn, &head);
    wshub__buf_done(&hub->mem, &head.in);
}

/* The body is whole, behind its head in rx->in. */
WSHUB__COLD static void wshub__http_bodied(wshub *hub, wshub__conn *conn) {
    wshub__exchange *exchange = wshub__exchange_of(hub, conn);
    wshub__headed head;
    const char *why;

    WSHUB_ASSERT(exchange);
    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_BODY);
    WSHUB_ASSERT(conn->rx->as.http.body_left == 0);
    head.in = conn->rx->in;
    head.count = conn->rx->as.http.head_bytes;
    WSHUB_ASSERT(head.in.len >= head.count);
    memset(&conn->rx->in, 0, sizeof conn->rx->in);
    conn->rx->as.http.head_bytes = conn->rx->as.http.scanned = 0;
    hub->stats.http_requests++;

    /* It could be read when it came, and its bytes are the same. */
    if (!WSHUB__NEVER(wshub__http_parse(head.in.ptr, head.count, head.headers,
                                        hub->desc.http_headers_max, &head.http, &why))) {
        (void)wshub__http_body(&head.http, &head.http.body_bytes, &why);
        wshub__http_handshake(&head.http);
        head.http.conn.id = conn->id;
        wshub__conn_to(hub, conn, WSHUB__CONN_ANSWERING);
        wshub__exchange_bodied(hub, conn, exchange, &head.http, head.in.ptr + head.count,
                               head.in.len - head.count);
    }
    wshub__buf_done(&hub->mem, &head.in);
}

/* Time is granted anew for every so many bytes of a message or body: a slow sender is not a silent
 * one (LIVE-3). */
#define WSHUB__PART_BYTES 4096u
static void wshub__part_clock(wshub *hub, wshub__conn *conn) {
    WSHUB_ASSERT(conn->rx->part_kept <= conn->rx->in.len);
    if (conn->rx->in.len - conn->rx->part_kept < WSHUB__PART_BYTES) return;
    conn->rx->part_kept = conn->rx->in.len;
    conn->phase_due = wshub__after(hub, hub->desc.message_timeout_ms);
}

/* Takes bytes of a body, or of a chunk of it. Returns how many; 0: out of memory, the stream is
 * dropped. */
static size_t wshub__http_body_bytes(wshub *hub, wshub__conn *conn, const uint8_t *p, size_t n) {
    wshub__rx *rx = conn->rx;
    size_t take = n < rx->as.http.body_left ? n : (size_t)rx->as.http.body_left;

    WSHUB_ASSERT(take > 0); /* 0 says that there was no memory */
    wshub__buf_add(&hub->mem, &rx->in, p, take);
    if (rx->in.bad) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        return 0;
    }
    rx->as.http.body_left -= take;
    if (rx->as.http.body_left == 0 && conn->chunked) rx->as.http.chunk_state = WSHUB__CHUNK_DATA_CR;
    return take;
}

/* Takes one byte between the chunks of a body. False: it is refused. */
static bool wshub__http_chunk_byte(wshub *hub, wshub__conn *conn, uint8_t byte) {
    const wshub__exchange *exchange = wshub__exchange_of(hub, conn);
    wshub__rx *rx = conn->rx;
    wshub__chunk_state state =
        wshub__chunk_byte((wshub__chunk_state)rx->as.http.chunk_state, byte, &rx->as.http.body_left,
                          &rx->as.http.chunk_digits, &rx->as.http.chunk_overhead);

    WSHUB_ASSERT(conn->chunked);
    WSHUB_ASSERT(rx->in.len >= rx->as.http.head_bytes);
    rx->as.http.chunk_state = state;
    if (state == WSHUB__CHUNK_BAD) {
        wshub__body_refuse(hub, conn, 400, "malformed chunked body");
        return false;
    }

    /* Judged as it is announced: nothing of a chunk that is too large is taken. */
    if (state == WSHUB__CHUNK_DATA && rx->in.len - rx->as.http.head_bytes + rx->as.http.body_left >
                                          exchange->mount->desc.body_bytes_max) {
        wshub__conn_limit(hub, conn, "http_body_bytes_max",
                          wshub__exchange_of(hub, conn)->mount->desc.body_bytes_max);
        wshub__body_refuse(hub, conn, 413, "body too large");
        return false;
    }
    return true;
}

WSHUB__COLD static size_t wshub__http_feed_body(wshub *hub, wshub__conn *conn, const uint8_t *p,
                                                size_t n) {
    wshub__rx *rx = conn->rx;
    size_t used = 0;
    bool done = false;

    WSHUB_ASSERT(rx->as.http.head_bytes > 0);
    while (used < n && !done) {
        if (!conn->chunked || rx->as.http.chunk_state == WSHUB__CHUNK_DATA) {
            size_t taken = wshub__http_body_bytes(hub, conn, p + used, n - used);
            if (!taken) return n;
            used += taken;
            done = !conn->chunked && rx->as.http.body_left == 0;
        } else {
            if (!wshub__http_chunk_byte(hub, conn, p[used++])) return n;
            done = rx->as.http.chunk_state == WSHUB__CHUNK_DONE;
        }
    }
    WSHUB_ASSERT(used <= n);

    if (done) {
        wshub__http_bodied(hub, conn);
    } else {
        wshub__part_clock(hub, conn);
    }
    return used;
}

/* ---- bytes ---- */

/* Looks for the end of a head. 1: found, *scanned is its length; 0: not yet; -1: a byte no head
 * has. */
static int wshub__http_end(const uint8_t *p, size_t n, uint32_t *scanned) {
    size_t i = *scanned;

    WSHUB_ASSERT(i <= n);
    for (; i < n; i++) {
        bool after_cr = i > 0 && p[i - 1] == '\r';
        if (p[i] == '\n') {
            if (!after_cr) return -1;
            if (i >= 3 && p[i - 2] == '\n') {
                *scanned = (uint32_t)i + 1;
                return 1;
            }
        } else if (after_cr || p[i] == 0) {
            return -1;
        }
    }
    *scanned = (uint32_t)n;
    return 0;
}

/* Refuses what will be no head, whatever follows. What was asked before on this stream does not
 * count any more. Returns that all of n bytes are used. */
WSHUB__COLD static size_t wshub__http_no_head(wshub *hub, wshub__conn *conn, int status,
                                              const char *why, size_t n) {
    const wshub__buf *in = &conn->rx->in;

    WSHUB_ASSERT(!conn->exchange); /* the one before has had its answer */
    conn->http_head = in->len >= 5 && memcmp(in->ptr, "HEAD ", 5) == 0;
    (void)wshub__http_refuse(hub, conn, status, wshub_str_z(why), false);
    return n;
}

/* An empty line before a request is passed over (RFC 9112 2.2): no head has begun, so that any
 * cut gives the same. */
static void wshub__http_blank(wshub *hub, wshub__conn *conn) {
    WSHUB_ASSERT(!conn->blank_seen);
    conn->blank_seen = true;
    conn->phase_due = 0;
    conn->rx->as.http.scanned = 0;
    wshub__conn_arm(hub, conn);
}

/* A head that does not lie in one piece: gathers it. Returns how many of n bytes were used. */
static size_t wshub__http_gather(wshub *hub, wshub__conn *conn, const uint8_t *p, size_t n) {
    wshub__buf *in = &conn->rx->in;
    uint32_t max = hub->desc.http_head_bytes_max, before = in->len, length;
    int end;

    WSHUB_ASSERT(before < max); /* or it would have been refused */
    wshub__buf_add(&hub->mem, in, p, n < (size_t)max - before ? n : (size_t)max - before);
    if (in->bad) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        return n;
    }

    end = wshub__http_end(in->ptr, in->len, &conn->rx->as.http.scanned);
    if (in->len >= 2 && in->ptr[0] == '\r' && in->ptr[1] == '\n') {
        if (conn->blank_seen) return wshub__http_no_head(hub, conn, 400, "malformed head", n);
        wshub__http_blank(hub, conn);
        wshub__buf_done(&hub->mem, in);
        WSHUB_ASSERT(before < 2);
        return 2 - before;
    }
    if (end < 0) return wshub__http_no_head(hub, conn, 400, "malformed head", n);
    if (end == 0 && in->len >= max) {
        wshub__conn_limit(hub, conn, "http_head_bytes_max", max);
        return wshub__http_no_head(hub, conn, 431, "request head too large", n);
    }
    if (end == 0) return n;
    length = conn->rx->as.http.scanned;
    WSHUB_ASSERT(length > before); /* it was not whole before */
    wshub__http_headed(hub, conn, in->ptr, length);
    return length - before;
}

/* Takes bytes of a request. Returns how many were used. */
static size_t wshub__http_feed(wshub *hub, wshub__conn *conn, const uint8_t *p, size_t n) {
    uint32_t max = hub->desc.http_head_bytes_max, *scanned = &conn->rx->as.http.scanned, length;
    bool begins = conn->rx->in.len == 0;

    WSHUB_ASSERT(n > 0);
    WSHUB_ASSERT(!conn->exchange == !conn->rx->as.http.head_bytes); /* it is that body's */
    if (conn->rx->as.http.head_bytes) return wshub__http_feed_body(hub, conn, p, n);
    if (begins && n >= 2 && p[0] == '\r' && p[1] == '\n') {
        if (conn->blank_seen) return wshub__http_no_head(hub, conn, 400, "malformed head", n);
        wshub__http_blank(hub, conn);
        return 2;
    }

    /* The head's deadline runs from its first byte (CONN-3). */
    if (!conn->phase_due || begins) {
        conn->phase_due = wshub__after(hub, hub->desc.head_timeout_ms);
        wshub__conn_arm(hub, conn);
    }

    /* The usual case: the whole head at once, read where it lies. */
    if (begins && wshub__http_end(p, n < max ? n : max, scanned) > 0) {
        length = *scanned;
        wshub__http_headed(hub, conn, p, length);
        return length;
    }
    if (begins) *scanned = 0;
    return wshub__http_gather(hub, conn, p, n);
}

/* Does this stream owe so much in answers that no further request of it is taken (SEND-6)? What
 * only waits for settle is offered to it first. */
WSHUB__COLD static bool wshub__http_owes(wshub *hub, wshub__conn *conn) {
    uint32_t max = hub->desc.http_answers_bytes_max;

    WSHUB_ASSERT(!conn->owes); /* whoever owes is not asked again */
    WSHUB_ASSERT(!conn->exchange);
    if (conn->queued <= max) return false;
    if (!conn->blocked && !conn->inflight) wshub__out_send(hub, conn);
    if (conn->queued <= max) return false;
    conn->owes = true;
    hub->stats.http_owed++;
    wshub__conn_log(hub, WSHUB_LOG_OWED, conn, "");
    wshub__conn_limit(hub, conn, "http_answers_bytes_max", max);
    return true;
}

/* ---- the answer 101 ---- */

/* May these stand in an answer that grants a WebSocket? */
static bool wshub__upgrade_ok(const wshub_upgrade_answer *answer) {
    static const char ours[] = "Sec-WebSocket-";
    size_t i, n = sizeof ours - 1;

    if (answer->headers_count && !answer->headers) return false;
    if (answer->protocol.ptr && !wshub__http_is_token(answer->protocol)) return false;
    for (i = 0; i < answer->headers_count; i++) {
        const wshub_header *h = &answer->headers[i];
        if (!wshub__header_ok(h->name, h->value)) return false;
        if (h->name.len >= n && wshub__str_same(wshub__str(h->name.ptr, n), ours)) return false;
    }
    return true;
}

/* Queues the 101 (RFC 6455 4.2.2). Returns as wshub__reply_put() does. */
static wshub_err wshub__upgrade_put(wshub *hub, wshub__conn *conn, wshub__exchange *exchange,
                                    const wshub_upgrade_answer *answer) {
    const wshub__mem *mem = &hub->mem;
    wshub_headers more;
    wshub__buf text;
    char accept[28];
    size_t i;
    wshub_err err = wshub__reply_more(hub, exchange, 101, &more);

    WSHUB_ASSERT(exchange->handshake); /* its key is there */
    memset(&text, 0, sizeof text);
    if (!err) {
        wshub_accept_key(wshub__str(exchange->as.key, sizeof exchange->as.key), accept);
        wshub__buf_text(
            mem, &text,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade");
        wshub__http_field(hub, &text, wshub_str_z("Sec-WebSocket-Accept"),
                          wshub__str(accept, sizeof accept));
        if (answer->protocol.ptr)
            wshub__http_field(hub, &text, wshub_str_z("Sec-WebSocket-Protocol"), answer->protocol);

        /* Then what the caller adds, and what on_answer has. */
        for (i = 0; i < answer->headers_count; i++)
            wshub__http_field(hub, &text, answer->headers[i].name, answer->headers[i].value);
        wshub__buf_add(mem, &text, more.text.ptr, more.text.len);
        wshub__buf_text(mem, &text, "\r\n\r\n");
        if (text.bad || !wshub__out_bytes(hub, conn, text.ptr, text.len)) err = WSHUB_ERR_NOMEM;
    }
    wshub__buf_done(mem, &text);
    wshub__buf_done(mem, &more.text);
    return err;
}

/* The stream is a WebSocket from here on. Whose it is the exchange remembers, unless somebody
 * stands above who does. */
static void wshub__upgrade_done(wshub *hub, wshub__conn *conn, wshub__exchange *exchange,
                                void *owner) {
    WSHUB_ASSERT(conn->exchange == exchange->index + 1);
    hub->stats.upgrades++;
    conn->message_bytes_max = exchange->mount->desc.message_bytes_max;
    if (conn->above) {
        wshub__exchange_free(hub, exchange);
    } else {
        wshub__exchange_to(exchange, WSHUB__EXCHANGE_OPEN);
        wshub__buf_done(&hub->mem, &exchange->origin);
        if (owner) exchange->owner = owner;
        conn->allowance = UINT32_MAX;
    }
    WSHUB_ASSERT(!conn->above != !conn->exchange); /* either speaks for it */
    wshub__conn_to(hub, conn, WSHUB__CONN_OPEN);

    /* Answers to what was asked before may still wait for its peer. */
    if (conn->pressured) wshub__out_note(hub, conn, WSHUB__NOTE_ON);
    if (conn->rx) memset(&conn->rx->as, 0, sizeof conn->rx->as);
    conn->last_active = hub->now;
    conn->pinged = false;
    wshub__conn_arm(hub, conn);
    wshub__resume(hub, conn);
}

/* ---- what an application may do to an exchange ---- */

/* Finds an open exchange. Returns OK; STALE; STATE: on_answer is being asked about it. */
static wshub_err wshub__exchange_find(const wshub *hub, wshub_exchange handle,
                                      wshub__exchange **out_exchange) {
    wshub__exchange *exchange = wshub__exchange_get(hub, handle);

    if (!exchange || exchange->state >= WSHUB__EXCHANGE_OPEN) return WSHUB_ERR_STALE;
    WSHUB_ASSERT(!exchange->parted); /* only what has ended has no stream */
    if (exchange->busy) return WSHUB_ERR_STATE;
    *out_exchange = exchange;
    return WSHUB_OK;
}

/* The same, of one whose answer has begun; STATE: it has not. */
static wshub_err wshub__exchange_find_streaming(const wshub *hub, wshub_exchange handle,
                                                wshub__exchange **out_exchange) {
    wshub_err err = wshub__exchange_find(hub, handle, out_exchange);
    return !err && (*out_exchange)->state != WSHUB__EXCHANGE_STREAMING ? WSHUB_ERR_STATE : err;
}

/* The same, of one that nobody has begun to answer. */
static wshub_err wshub__exchange_find_unanswered(const wshub *hub, wshub_exchange handle,
                                                 wshub__exchange **out_exchange) {
    wshub_err err = wshub__exchange_find(hub, handle, out_exchange);
    return !err && !wshub__exchange_unanswered(*out_exchange) ? WSHUB_ERR_STATE : err;
}

WSHUB_API const wshub_http *wshub_exchange_http(const wshub *hub, wshub_exchange exchange) {
    const wshub__exchange *found = wshub__exchange_get(hub, exchange);
    return found ? found->http : NULL;
}

WSHUB_API wshub_err wshub_exchange_set_owner(wshub *hub, wshub_exchange exchange, void *owner) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find(hub, exchange, &found);
    if (!err) found->owner = owner;
    return err;
}

WSHUB_API void *wshub_exchange_owner(const wshub *hub, wshub_exchange exchange) {
    wshub__exchange *found;
    return wshub__exchange_find(hub, exchange, &found) ? NULL : found->owner;
}

/* An answer came too late, or is the second one: it has no effect. */
WSHUB__COLD static wshub_err wshub__exchange_late(wshub *hub, wshub_err err) {
    wshub__log(hub, WSHUB_LOG_IGNORED, wshub__nobody(),
               "answer to a request that is gone, or has one", wshub__str(NULL, 0));
    wshub__log_leave(hub);
    return err;
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_reply(wshub *hub, wshub_exchange exchange,
                                                 const wshub_reply *reply) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find_unanswered(hub, exchange, &found);

    if (err) return wshub__exchange_late(hub, err);
    if (!reply || !wshub__reply_ok(found, reply)) return WSHUB_ERR_PARAM;
    wshub__enter(hub);
    err = wshub__http_send(hub, wshub__exchange_conn(hub, found), reply);
    wshub__leave(hub);
    return err;
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_reply_text(wshub *hub, wshub_exchange exchange,
                                                      int status, wshub_str text) {
    wshub_reply reply;

    wshub__reply_init(&reply, status, WSHUB__TEXT_TYPE, text);
    return wshub_http_reply(hub, exchange, &reply);
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_reply_json(wshub *hub, wshub_exchange exchange,
                                                      int status, wshub_str json) {
    wshub_reply reply;
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find_unanswered(hub, exchange, &found);

    if (err) return err;
    if (!wshub_json_check(json, WSHUB_JSON_DEPTH_MAX)) return WSHUB_ERR_JSON;
    wshub__reply_init(&reply, status, "application/json", json);
    return wshub_http_reply(hub, exchange, &reply);
}

/* May this stand in Location: is it made of what a URI reference is made of (RFC 3986 2)? */
static bool wshub__location_ok(wshub_str location) {
    size_t i;

    if (location.len == 0 || !location.ptr) return false;
    for (i = 0; i < location.len; i++) {
        uint8_t c = (uint8_t)location.ptr[i];
        if (!wshub__is_alnum(c) && (c == 0 || !strchr("-._~:/?#[]@!$&'()*+,;=%", c))) return false;
    }
    return true;
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_redirect(wshub *hub, wshub_exchange exchange, int status,
                                                    wshub_str location) {
    bool redirects = (status >= 301 && status <= 303) || status == 307 || status == 308;
    wshub__exchange *found;
    wshub_reply reply;
    wshub_header header;
    wshub_err err = wshub__exchange_find_unanswered(hub, exchange, &found);

    if (err) return err;
    if (!redirects || !wshub__location_ok(location)) return WSHUB_ERR_PARAM;
    wshub__reply_init(&reply, status, NULL, wshub__str(NULL, 0));
    header.name = wshub_str_z("Location");
    header.value = location;
    reply.headers = &header;
    reply.headers_count = 1;
    return wshub_http_reply(hub, exchange, &reply);
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_refuse(wshub *hub, wshub_exchange exchange, int status,
                                                  const char *text) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find_unanswered(hub, exchange, &found);
    wshub_str why = wshub_str_z(text);

    if (err) return err;
    if (status < 400 || status > 599 || !text || why.len > WSHUB__REFUSAL_BYTES_MAX)
        return WSHUB_ERR_PARAM;
    wshub__enter(hub);
    err =
        wshub__http_refuse(hub, wshub__exchange_conn(hub, found), status, why, found->asks_upgrade);
    wshub__leave(hub);
    return err;
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_drop(wshub *hub, wshub_exchange exchange) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find(hub, exchange, &found);

    if (err) return err;
    wshub__enter(hub);
    wshub__exchange_drop(hub, found);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_begin(wshub *hub, wshub_exchange exchange,
                                                 const wshub_reply *reply, uint64_t length) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find_unanswered(hub, exchange, &found);

    if (err) return wshub__exchange_late(hub, err);
    if (!reply || reply->body.len || !wshub__reply_ok(found, reply)) return WSHUB_ERR_PARAM;
    wshub__enter(hub);
    err = wshub__stream_begin(hub, found, reply, length);
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_http_write(wshub *hub, wshub_exchange exchange, const void *bytes,
                                     size_t count) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find_streaming(hub, exchange, &found);

    if (err) return err;
    if ((count && !bytes) || count > WSHUB__WRITE_BYTES_MAX || count > found->as.left)
        return WSHUB_ERR_PARAM;
    wshub__enter(hub);
    err = wshub__stream_write(hub, found, bytes, count);
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_http_room(wshub *hub, wshub_exchange exchange, size_t count,
                                    uint8_t **out_bytes) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find_streaming(hub, exchange, &found);
    if (err) return err;
    if (count == 0 || count > WSHUB_HTTP_ROOM_MAX || !out_bytes) return WSHUB_ERR_PARAM;
    wshub__enter(hub);
    err = wshub__stream_room(hub, found, count, out_bytes);
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_http_wait(wshub *hub, wshub_exchange exchange) {
    wshub__exchange *found;
    wshub__conn *conn;
    wshub_err err = wshub__exchange_find_streaming(hub, exchange, &found);
    if (err) return err;
    conn = wshub__exchange_conn(hub, found);
    if (conn->queued == 0) return WSHUB_ERR_STATE;
    wshub__enter(hub);
    wshub__stream_wait(hub, conn, found);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_http_end(wshub *hub, wshub_exchange exchange) {
    wshub__exchange *found;
    wshub_err err = wshub__exchange_find_streaming(hub, exchange, &found);

    if (err) return err;
    wshub__enter(hub);
    err = wshub__stream_end(hub, found);
    wshub__leave(hub);
    return err;
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_upgrade(wshub *hub, wshub_exchange exchange,
                                                   const wshub_upgrade_answer *answer,
                                                   wshub_conn *out_conn) {
    static const wshub_upgrade_answer plain = {{NULL, 0}, NULL, 0, NULL};
    wshub__exchange *found;
    wshub__conn *conn;
    wshub_err err = wshub__exchange_find_unanswered(hub, exchange, &found);

    if (err) return err;
    if (!answer) answer = &plain;
    if (!found->handshake) return WSHUB_ERR_STATE;
    if (!wshub__upgrade_ok(answer)) return WSHUB_ERR_PARAM;
    if (hub->phase != WSHUB__RUNNING) return WSHUB_ERR_CLOSED;

    wshub__enter(hub);
    conn = wshub__exchange_conn(hub, found);
    err = wshub__upgrade_put(hub, conn, found, answer);
    if (!err) {
        if (out_conn) out_conn->id = conn->id;
        wshub__upgrade_done(hub, conn, found, answer->owner);
    }
    wshub__leave(hub);
    return err;
}

/* ---- mounts ---- */

WSHUB__COLD WSHUB_API const char *wshub_mount_problem(const wshub_mount_desc *desc) {
    if (!desc) return "wshub_mount_desc: required";
    if (desc->version != WSHUB_MOUNT_VERSION)
        return "version: WSHUB_MOUNT_VERSION; a program that says another was compiled with "
               "another "
               "wshub.h";
    if (!desc->path || desc->path[0] != '/') return "path: required, begins with `/`";
    if (strlen(desc->path) > WSHUB_NAME_BYTES_MAX) return "path: at most 4096 bytes";
    if (strcspn(desc->path, "?# \t\r\n") != strlen(desc->path))
        return "path: without query, fragment and white space; no request has such a one";
    if (desc->body_bytes_max > 1u << 30) return "body_bytes_max: at most 1 GiB";
    if (desc->message_bytes_max > 1u << 30) return "message_bytes_max: at most 1 GiB";
    if (desc->allow && !wshub__header_value_ok(wshub_str_z(desc->allow)))
        return "allow: methods, separated by commas";
    return wshub__cors_problem(desc->cors);
}

WSHUB__COLD WSHUB_API wshub_err wshub_mount(wshub *hub, const wshub_mount_desc *desc) {
    size_t bytes, path, allow;
    wshub__mount *mount;
    char *at;

    if (wshub_mount_problem(desc)) return WSHUB_ERR_PARAM;
    if (hub->mounts_count >= WSHUB_MOUNTS_MAX) return WSHUB_ERR_LIMIT;
    path = strlen(desc->path) + 1;
    allow = desc->allow ? strlen(desc->allow) + 1 : 0;
    bytes = sizeof *mount + path + allow;
    mount = (wshub__mount *)wshub__mem_new(&hub->mem, bytes);
    if (!mount) return WSHUB_ERR_NOMEM;
    if (!wshub__cors_new(&hub->mem, desc->cors, &mount->cors)) {
        wshub__mem_free(&hub->mem, mount, bytes);
        return WSHUB_ERR_NOMEM;
    }

    at = (char *)(mount + 1);
    memcpy(at, desc->path, path);
    if (allow) memcpy(at + path, desc->allow, allow);
    mount->bytes = bytes;
    mount->desc = *desc;
    mount->desc.path = at;
    mount->desc.allow = allow ? at + path : NULL;
    mount->desc.cors = NULL; /* from here on the copy is what counts */
    wshub__mount_put(hub, mount);
    hub->mounts_count++;
    return WSHUB_OK;
}

/* The mount that every hub has serves all paths behind all others: what nobody takes goes to
 * on_request. */
static void wshub__mounts_begin(wshub *hub) {
    wshub_mount_desc *desc = &hub->fallback.desc;

    wshub__pool_init(&hub->exchanges, sizeof(wshub__exchange), wshub__pool_first(hub->key, 'r'));
    desc->path = "";
    desc->prefix = true;
    desc->user = hub->desc.user;
    desc->on_body = wshub__request_bodied;
    desc->on_exchange_gone = wshub__request_gone;
    desc->on_exchange_drained = hub->desc.on_exchange_drained;
    wshub__mount_put(hub, &hub->fallback);
}

static void wshub__mounts_done(wshub *hub) {
    WSHUB_ASSERT(!hub->exchanges.live);
    while (hub->mounts) {
        wshub__mount *mount = hub->mounts;

        hub->mounts = mount->next;
        wshub__cors_free(&hub->mem, mount->cors);
        if (mount->bytes) wshub__mem_free(&hub->mem, mount, mount->bytes);
    }
    wshub__pool_done(&hub->mem, &hub->exchanges);
}

/* ---- >>message ---------------------------------------------------------------------------------
 * Frames to whole messages (RFC 6455 5 to 7). Unmasks where the bytes lie; a message that is wholly
 * there is delivered from there, any other is gathered in the conn. Any cut of the stream gives the
 * same. Proved by tests/test_frame.c, tests/test_golden.c (frame-*), both at every cut. */

/* What can be wrong in the first two bytes of a frame. NULL: nothing. */
static const char *wshub__frame_judge(const wshub__conn *conn, const wshub_frame *frame,
                                      uint8_t second) {
    bool control = frame->opcode >= WSHUB__OP_CLOSE;

    if (frame->rsv) return "reserved bits are set";
    if (!wshub__op_known(frame->opcode)) return "reserved opcode";
    if (control && !frame->fin) return "fragmented control frame";
    if (control && (second & 0x7F) > WSHUB__CONTROL_BYTES_MAX)
        return "control frame over 125 bytes";
    if (!frame->masked) return "frame is not masked";

    /* Of the frames of a message only the first says what it is (RFC 6455 5.4). */
    if (control) return NULL;
    if (frame->opcode == WSHUB__OP_CONTINUATION)
        return conn->msg_opcode ? NULL : "continuation of nothing";
    return conn->msg_opcode ? "new message inside a fragmented one" : NULL;
}

/* Reads a frame's head from the stream, or more of one that has arrived in part.
 *   out_used  how many bytes of these it took
 *   out_why   what is wrong with it; NULL: nothing
 * Returns what wshub_frame_read() does. */
static int wshub__ws_head_read(wshub__rx *rx, const wshub__conn *conn, const uint8_t *bytes,
                               size_t count, wshub_frame *frame, size_t *out_used,
                               const char **out_why) {
    uint8_t *head = rx->as.ws.head;
    int read = 0;

    WSHUB_ASSERT(count > 0);
    WSHUB_ASSERT(rx->as.ws.head_len < WSHUB__FRAME_HEAD_BYTES_MAX);
    *out_used = 0;
    *out_why = NULL;
    if (!rx->as.ws.head_len && (read = wshub_frame_read(bytes, count, frame)) != 0) {
        *out_why = wshub__frame_judge(conn, frame, bytes[1]);
        *out_used = read > 0 ? frame->head_bytes : count;
    }

    /* Byte by byte, as it may be wrong in its first two and never become whole. */
    while (read == 0 && !*out_why && *out_used < count) {
        head[rx->as.ws.head_len++] = bytes[(*out_used)++];
        read = wshub_frame_read(head, rx->as.ws.head_len, frame);
        if (rx->as.ws.head_len >= 2) *out_why = wshub__frame_judge(conn, frame, head[1]);
    }
    if (!*out_why && read < 0) *out_why = "length is not minimal";
    return read;
}

/* Refuses a message that is too big for one, or with what came before it for who has not
 * authenticated. */
WSHUB__COLD static void wshub__ws_too_much(wshub *hub, wshub__conn *conn, bool one) {
    if (one) {
        wshub__conn_limit(hub, conn, "payload_bytes_max", conn->message_bytes_max);
        wshub__conn_fail(hub, conn, WSHUB__CLOSE_TOO_BIG, "message too big");
    } else {
        wshub__conn_limit(hub, conn, "preauth_bytes_max", hub->desc.preauth_bytes_max);
        wshub__conn_fail(hub, conn, WSHUB__CLOSE_POLICY, "too much before authentication");
    }
}

/* May so much more of a message come? That is asked at the head of each of its frames, so that
 * nothing of what is too much is taken. */
static bool wshub__ws_size_ok(wshub *hub, wshub__conn *conn, const wshub_frame *frame) {
    uint64_t most = conn->message_bytes_max, begun = conn->rx->in.len;

    WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN); /* in any other its messages are discarded */
    WSHUB_ASSERT(begun == 0 || conn->msg_opcode);
    if (frame->payload_bytes > most || begun + frame->payload_bytes > most) {
        wshub__ws_too_much(hub, conn, true);
        return false;
    }
    if (begun + frame->payload_bytes > conn->allowance) {
        wshub__ws_too_much(hub, conn, false);
        return false;
    }
    return true;
}

/* Takes a frame's head from the stream. Returns the bytes used; the frame has begun if
 * conn->in_frame. */
static size_t wshub__ws_head(wshub *hub, wshub__conn *conn, const uint8_t *bytes, size_t count) {
    wshub__rx *rx = conn->rx;
    wshub_frame frame;
    const char *why;
    size_t used;
    int read;

    WSHUB_ASSERT(!conn->in_frame);
    memset(&frame, 0, sizeof frame);
    read = wshub__ws_head_read(rx, conn, bytes, count, &frame, &used, &why);
    if (why) {
        wshub__conn_fail(hub, conn, WSHUB__CLOSE_PROTOCOL, why);
        return count;
    }
    if (read == 0) return used;
    rx->as.ws.head_len = 0;
    if (frame.opcode < WSHUB__OP_CLOSE && !conn->discard && !wshub__ws_size_ok(hub, conn, &frame))
        return count;

    conn->in_frame = true;
    conn->opcode = frame.opcode;
    conn->fin = frame.fin;
    memcpy(rx->as.ws.mask, frame.mask, 4);
    rx->as.ws.frame_bytes = frame.payload_bytes;
    rx->as.ws.frame_at = 0;
    if (frame.opcode == WSHUB__OP_TEXT || frame.opcode == WSHUB__OP_BINARY) {
        conn->msg_opcode = frame.opcode;
        rx->as.ws.utf8 = WSHUB__UTF8_OK;
    }
    return used;
}

/* A whole Close frame (RFC 6455 5.5.1): a code and a reason, or nothing. */
WSHUB__COLD static void wshub__ws_close(wshub *hub, wshub__conn *conn, const uint8_t *bytes,
                                        size_t count) {
    uint16_t code = (uint16_t)(count >= 2 ? bytes[0] << 8 | bytes[1] : 0);
    wshub_str reason = wshub__str(count > 2 ? bytes + 2 : NULL, count > 2 ? count - 2 : 0);

    if (count == 1 || (count >= 2 && !wshub__close_code_ok(code))) {
        wshub__conn_fail(hub, conn, WSHUB__CLOSE_PROTOCOL, "malformed close");
        return;
    }
    if (reason.len && !wshub_utf8_check((const uint8_t *)reason.ptr, reason.len)) {
        wshub__conn_fail(hub, conn, WSHUB__CLOSE_NOT_UTF8, "close reason is not UTF-8");
        return;
    }

    /* Unless it is the answer to ours, it is answered with the same code. */
    if (conn->state == WSHUB__CONN_OPEN) {
        wshub__conn_end(hub, conn, WSHUB_BY_PEER, code ? code : (uint16_t)WSHUB__CLOSE_NO_CODE,
                        reason);
        if (!wshub__conn_close_frame(hub, conn, code, reason)) return;
    }
    wshub__conn_flush_end(hub, conn, WSHUB_BY_PEER);
}

/* Answers a ping: at once, or when the peer reads again. Only the latest need be answered then
 * (RFC 6455 5.5.3). */
static void wshub__ws_pong(wshub *hub, wshub__conn *conn, const uint8_t *bytes, size_t count) {
    wshub__buf *pong = &conn->rx->pong;

    if (!conn->pressured && !conn->inflight) {
        (void)wshub__out_frame(hub, conn, WSHUB__OP_PONG, bytes, count);
        return;
    }
    pong->len = 0;
    wshub__buf_add(&hub->mem, pong, bytes, count);
    conn->pong_late = !pong->bad;
    if (!conn->pong_late) wshub__buf_done(&hub->mem, pong);
}

/* A whole control frame (RFC 6455 5.5). */
static void wshub__ws_control(wshub *hub, wshub__conn *conn, const uint8_t *bytes, size_t count) {
    WSHUB_ASSERT(conn->opcode >= WSHUB__OP_CLOSE);
    WSHUB_ASSERT(count <= WSHUB__CONTROL_BYTES_MAX);
    if (conn->opcode == WSHUB__OP_CLOSE) {
        wshub__ws_close(hub, conn, bytes, count);
        return;
    }

    /* LIVE-2: a ping counts as a sign of life too, as who pings has no pong to send. */
    if (hub->desc.heartbeat_by_pong) wshub__conn_heard(hub, conn);
    if (conn->opcode == WSHUB__OP_PONG) {
        hub->stats.pongs_received++;
    } else if (conn->state == WSHUB__CONN_OPEN) {
        wshub__ws_pong(hub, conn, bytes, count);
    }
}

/* Hands a whole message to whom the stream is: its mount, or who stands above. */
static void wshub__message_give(wshub *hub, wshub__conn *conn, uint8_t *bytes, size_t count,
                                bool text) {
    const wshub__exchange *exchange = wshub__exchange_of(hub, conn);
    wshub_conn handle;

    WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN);
    WSHUB_ASSERT(!conn->msg_opcode); /* the next one may begin */
    handle.id = conn->id;
    if (!exchange) {
        hub->above->message(hub, handle, bytes, count, text);
    } else if (exchange->mount->desc.on_message) {
        exchange->mount->desc.on_message(hub, handle, bytes, count, text, exchange->owner);
    }
}

/* Takes payload of a control frame: gathered, if it does not lie there in one piece.
 *   whole  these bytes are all of it
 *   done   they are the last of it
 * False: out of memory, and the stream is dropped. */
static bool wshub__ws_control_part(wshub *hub, wshub__conn *conn, const uint8_t *bytes,
                                   size_t count, bool whole, bool done) {
    wshub__buf *control = &conn->rx->control, gathered;

    WSHUB_ASSERT(!whole || done);
    WSHUB_ASSERT(!whole || !control->len);
    if (!whole) wshub__buf_add(&hub->mem, control, bytes, count);
    WSHUB_ASSERT(control->len <= WSHUB__CONTROL_BYTES_MAX);
    if (control->bad) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        return false;
    }
    if (!done) return true;

    /* The clock was its own, unless a message is waited for beside it. */
    if (!conn->msg_opcode && conn->state == WSHUB__CONN_OPEN) conn->phase_due = 0;
    gathered = *control;
    memset(control, 0, sizeof *control);
    wshub__ws_control(hub, conn, whole ? bytes : gathered.ptr, whole ? count : gathered.len);
    wshub__buf_done(&hub->mem, &gathered);
    return true;
}

/* Is what has come of a text UTF-8 so far, and whole at its end? It is refused at the first bad
 * byte (RFC 6455 8.1). last: these bytes are the message's last. */
static bool wshub__ws_text_ok(wshub *hub, wshub__conn *conn, const uint8_t *bytes, size_t count,
                              bool last) {
    uint32_t *state = &conn->rx->as.ws.utf8;

    WSHUB_ASSERT(*state != WSHUB__UTF8_BAD); /* the stream would have ended there */
    if (count) *state = wshub__utf8_feed(*state, bytes, count);
    if (*state != WSHUB__UTF8_BAD && !(last && *state != WSHUB__UTF8_OK)) return true;
    wshub__conn_fail(hub, conn, WSHUB__CLOSE_NOT_UTF8, "text is not UTF-8");
    return false;
}

/* The message has ended, before it is handed on. Returns whether it is a text. */
static bool wshub__ws_message_end(wshub__conn *conn) {
    bool text = conn->msg_opcode == WSHUB__OP_TEXT;

    WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN); /* in any other it is discarded */
    WSHUB_ASSERT(conn->msg_opcode);
    WSHUB_ASSERT(!conn->in_frame);
    conn->msg_opcode = 0;
    conn->phase_due = 0;
    return text;
}

/* For a frame up to this length room is made at once; a longer one has to come first. */
#define WSHUB__FRAME_ROOM_BYTES 4096u

/* Gathers payload of a message that does not lie there in one piece. False: out of memory. */
static bool wshub__ws_gather(wshub *hub, wshub__conn *conn, const uint8_t *bytes, size_t count) {
    wshub__buf *in = &conn->rx->in;
    uint64_t frame_bytes = conn->rx->as.ws.frame_bytes;

    WSHUB_ASSERT(in->len + (uint64_t)count <= conn->message_bytes_max); /* wshub__ws_size_ok() */
    if (in->cap == 0 && count && frame_bytes <= WSHUB__FRAME_ROOM_BYTES)
        (void)wshub__buf_room(&hub->mem, in, (size_t)frame_bytes);
    wshub__buf_add(&hub->mem, in, bytes, count);
    if (!in->bad) return true;
    wshub__conn_fail(hub, conn, WSHUB__CLOSE_INTERNAL, "out of memory");
    return false;
}

/* Takes payload of the current frame. Returns the bytes used. */
static size_t wshub__ws_payload(wshub *hub, wshub__conn *conn, uint8_t *bytes, size_t count) {
    wshub__rx *rx = conn->rx;
    uint64_t left = rx->as.ws.frame_bytes - rx->as.ws.frame_at;
    size_t part = count < left ? count : (size_t)left;
    bool whole = part == rx->as.ws.frame_bytes, done = part == left, last = done && conn->fin;

    WSHUB_ASSERT(conn->in_frame);
    WSHUB_ASSERT(rx->as.ws.frame_at <= rx->as.ws.frame_bytes);
    if (part) wshub_mask(bytes, part, rx->as.ws.mask, rx->as.ws.frame_at);
    rx->as.ws.frame_at += part;
    if (done) conn->in_frame = false;

    if (conn->opcode >= WSHUB__OP_CLOSE)
        return wshub__ws_control_part(hub, conn, bytes, part, whole, done) ? part : count;
    if (conn->discard) {
        if (last) conn->msg_opcode = 0;
        return part;
    }
    if (conn->msg_opcode == WSHUB__OP_TEXT && !wshub__ws_text_ok(hub, conn, bytes, part, last))
        return count;

    /* A message that lies there in one piece is handed on from there. */
    if (last && whole && rx->in.len == 0) {
        bool text = wshub__ws_message_end(conn);
        wshub__message_give(hub, conn, bytes, part, text);
        return part;
    }

    if (!wshub__ws_gather(hub, conn, bytes, part)) return count;
    if (last) {
        wshub__buf message = rx->in;
        bool text = wshub__ws_message_end(conn);
        memset(&rx->in, 0, sizeof rx->in);
        wshub__message_give(hub, conn, message.ptr, message.len, text);
        wshub__buf_done(&hub->mem, &message);
    }
    return part;
}

/* ---- >>due -------------------------------------------------------------------------------------
 * What happens when a deadline of a stream has passed, by what has been heard of its peer
 * (LIVE-3). Each state of a stream says which clocks run in it (wshub__conn_state). Uses >>conn,
 * >>reply. Proved by tests/test_clocks.c, test_ends.c, test_heartbeat.c. */

/* Has a request's head come, and nothing of its body? */
static bool wshub__http_body_awaited(const wshub__conn *conn) {
    return conn->rx && conn->rx->as.http.head_bytes &&
           conn->rx->in.len == conn->rx->as.http.head_bytes;
}

/* The application has not answered in time: 503, and the end. Of an answer that has begun nothing
 * else can be said any more. */
WSHUB__COLD static void wshub__answer_due(wshub *hub, wshub__conn *conn) {
    wshub__exchange *exchange = wshub__exchange_of(hub, conn);
    wshub_headers more;
    wshub__buf text;
    wshub_err err;

    WSHUB_ASSERT(exchange);
    WSHUB_ASSERT(conn->state == WSHUB__CONN_ANSWERING);
    if (exchange->state == WSHUB__EXCHANGE_STREAMING) {
        wshub__conn_log(hub, WSHUB_LOG_TIMEOUT, conn, "answer not continued");
        wshub__conn_abort(hub, conn, WSHUB_BY_TIMEOUT, WSHUB__CLOSE_ABNORMAL, "");
        return;
    }

    /* on_answer may add headers, and may itself have ended the stream. */
    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_HELD);
    err = wshub__reply_more(hub, exchange, 503, &more);
    memset(&text, 0, sizeof text);
    if (!err) {
        wshub__buf_text(&hub->mem, &text, "HTTP/1.1 503 Service Unavailable");
        wshub__buf_add(&hub->mem, &text, more.text.ptr, more.text.len);
        wshub__buf_text(&hub->mem, &text, "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        if (text.bad || !wshub__out_bytes(hub, conn, text.ptr, text.len)) err = WSHUB_ERR_NOMEM;
    }
    wshub__buf_done(&hub->mem, &text);
    wshub__buf_done(&hub->mem, &more.text);

    if (!err) wshub__conn_flush_end(hub, conn, WSHUB_BY_TIMEOUT);
    if (err == WSHUB_ERR_NOMEM)
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
}

/* The clock of a WebSocket has run out: of a message begun, or of who is asked about one. */
WSHUB__COLD static void wshub__open_due(wshub *hub, wshub__conn *conn) {
    if (conn->asked) {
        WSHUB_ASSERT(conn->above); /* whose event the transformer has */
        hub->above->waited(hub, conn);
        return;
    }
    if (conn->owes) return; /* we do not read on: it has its whole time behind that */
    WSHUB_ASSERT(wshub__part_begun(conn));
    hub->stats.message_timeouts++;
    wshub__conn_limit(hub, conn, "message_timeout_ms", hub->desc.message_timeout_ms);
    wshub__conn_fail(hub, conn, WSHUB__CLOSE_POLICY, "message not finished in time");
}

/* The clock of a stream's state has run out. */
WSHUB__COLD static void wshub__phase_due(wshub *hub, wshub__conn *conn) {
    conn->phase_due = 0;
    switch ((wshub__conn_state)conn->state) {
    case WSHUB__CONN_ANSWERING: wshub__answer_due(hub, conn); break;
    case WSHUB__CONN_HTTP:
        /* Its body may wait for our 100, which waits behind answers. */
        if (conn->queued && wshub__http_body_awaited(conn)) {
            conn->phase_due = wshub__after(hub, hub->desc.message_timeout_ms);
            break;
        }
        /* Answers to earlier requests may still be on their way. */
        wshub__conn_log(hub, WSHUB_LOG_TIMEOUT, conn, "request head or body");
        wshub__conn_flush_end(hub, conn, WSHUB_BY_TIMEOUT);
        break;

    case WSHUB__CONN_OPEN: wshub__open_due(hub, conn); break;
    case WSHUB__CONN_CLOSING:
    case WSHUB__CONN_LINGERING:
        wshub__conn_log(hub, WSHUB_LOG_TIMEOUT, conn, "close");
        wshub__conn_abort(hub, conn, WSHUB_BY_TIMEOUT, WSHUB__CLOSE_ABNORMAL, "");
        break;

    case WSHUB__CONN_FREE:          /* never: these have no such clock */
    case WSHUB__CONN_FLUSHING:      /* never: the same */
    case WSHUB__CONN_ABORTING:      /* never: the same */
    case WSHUB__CONN_ENDING: break; /* never: the same */
    }
}

/* The peer is to answer a ping, and has half the idle timeout for it, however late it is asked. */
static void wshub__peer_ask(wshub *hub, wshub__conn *conn) {
    uint64_t half = hub->desc.idle_timeout_ms / 2; /* has passed since it was last heard of */

    WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN);
    WSHUB_ASSERT(!conn->pinged);
    WSHUB_ASSERT(hub->heard >= half);
    if (conn->last_active < hub->heard - half) conn->last_active = hub->heard - half;
    conn->pinged = true;

    /* It leaves in settle, or when what is before it has drained (wshub__flush_conn). */
    conn->ping_late = true;
    wshub__dirty(hub, wshub__conn_index(conn));
}

/* LIVE-2: half way to the idle timeout the peer is asked, at the end it is dropped. */
WSHUB__COLD static void wshub__silence_due(wshub *hub, wshub__conn *conn) {
    uint64_t silent = hub->heard > conn->last_active ? hub->heard - conn->last_active : 0;
    bool asks = conn->state == WSHUB__CONN_OPEN && !hub->desc.no_pings && !conn->pinged;

    WSHUB_ASSERT(hub->desc.idle_timeout_ms != WSHUB_OFF);
    WSHUB_ASSERT(!wshub__conn_is_lent(conn));

    /* Whom a late turn kept us from asking is asked first, however long it has been silent. */
    if (silent >= hub->desc.idle_timeout_ms && !asks) {
        hub->stats.idle_timeouts++;
        wshub__conn_limit(hub, conn, "idle_timeout_ms", hub->desc.idle_timeout_ms);
        if (conn->state == WSHUB__CONN_HTTP) {
            /* The system may still have answers that a slow reader takes. */
            wshub__conn_flush_end(hub, conn, WSHUB_BY_TIMEOUT);
        } else {
            wshub__conn_abort(hub, conn, WSHUB_BY_TIMEOUT, WSHUB__CLOSE_ABNORMAL, "");
        }
    } else if (silent >= hub->desc.idle_timeout_ms / 2 && asks) {
        wshub__peer_ask(hub, conn);
    }
}

/* The first of a stream's deadlines that has passed, but for silence. */
WSHUB__COLD static void wshub__conn_late(wshub *hub, wshub__conn *conn) {
    uint64_t now = hub->heard, at = conn->above ? hub->above->due(hub, conn) : 0;
    bool late = at && now >= at && !hub->above->asked(hub, conn);

    if (conn->phase_due && now >= conn->phase_due) {
        wshub__phase_due(hub, conn);
    } else if (conn->write_due && now >= conn->write_due) {
        hub->stats.write_timeouts++;
        wshub__conn_limit(hub, conn, "write_timeout_ms", hub->desc.write_timeout_ms);
        wshub__conn_log(hub, WSHUB_LOG_TIMEOUT, conn, "no progress in sending");
        wshub__conn_abort(hub, conn, WSHUB_BY_TIMEOUT, WSHUB__CLOSE_ABNORMAL, "");
    } else if (late) {
        hub->above->late(hub, conn);
    }
}

/* A deadline may have passed, by what has been heard. Puts the timer back for what remains. */
WSHUB__COLD static void wshub__conn_due(wshub *hub, wshub__conn *conn) {
    uint64_t now = hub->heard, at, id = conn->id;

    WSHUB_ASSERT(conn->id); /* whoever ends takes its deadline away */
    WSHUB_ASSERT(conn->deadline == WSHUB__NONE);

    /* What has been queued since it was last offered is offered before anybody is judged for it. */
    if (conn->write_due && now >= conn->write_due && !conn->blocked && !conn->inflight)
        wshub__out_send(hub, conn);

    wshub__conn_late(hub, conn);
    if (conn->id != id) return; /* a callback has ended it */
    if (wshub__conn_counts_silence(hub, conn)) wshub__silence_due(hub, conn);

    /* Two clocks ran out at once: the other is judged a moment later. */
    at = wshub__conn_next(hub, conn);
    if (at && at <= now) at = now + 1;
    if (at) wshub__deadline_set(&hub->deadlines, wshub__conn_index(conn), at);
}

/* ---- >>link ------------------------------------------------------------------------------------
 * The way between two hubs of a program for one request that was handed over. HERE has the stream,
 * THERE answers it, on a stream of its own that no io knows. What THERE has to send lies in the
 * link until HERE takes it, so much at a time; that is all the memory that a link can come to.
 * Either end tells the other to look by a node that it owns, so that no end needs memory to end.
 * What both touch is touched under the link's lock, for a few lines and a wake. Uses >>queue,
 * >>conn, >>atomic. Proved by tests/test_forward.c. */

#define WSHUB__LINK_BYTES_MAX 65536u

/* What becomes of the stream when all that was answered has been taken. */
typedef enum wshub__link_fate {
    WSHUB__LINK_RUNNING, /* there is more to come */
    WSHUB__LINK_NEXT,    /* its next request is read */
    WSHUB__LINK_CLOSE,   /* its end follows */
    WSHUB__LINK_REFUSED, /* nobody there can answer: nothing was sent */
    WSHUB__LINK_ABORT    /* it is dropped, in the middle of an answer perhaps */
} wshub__link_fate;

typedef struct wshub__link_side {
    wshub__node node; /* in the other threads' hands while `called` */
    struct wshub__link *link;
    wshub *hub;  /* NULL: it has left, and nobody calls it any more */
    bool called; /* its hub is to look */
    /* its hub's own */
    struct wshub__link_side *prev, *next; /* in hub->ends */
    uint64_t id;                          /* HERE: the exchange; THERE: the stream; 0: none yet */
} wshub__link_side;

typedef struct wshub__link {
    wshub__mem mem;
    unsigned lock;
    unsigned held;  /* sides that are not given back yet */
    uint8_t *bytes; /* from THERE to HERE; NULL: none */
    uint32_t bytes_count;
    uint8_t fate; /* wshub__link_fate; written by THERE */
    bool gone;    /* the stream has ended; written by HERE */
    bool room;    /* HERE can take more */
    wshub__link_side here, there;
    size_t request_bytes; /* the request follows, as it is read THERE */
} wshub__link;

/* Any thread, with the lock. The hub of an end is to look at it. */
static void wshub__link_call(wshub__link_side *side) {
    wshub *hub = side->hub;

    if (!hub || side->called) return;
    WSHUB_ASSERT(hub->io.wake); /* or it would not have been forwarded to, or from */
    side->called = true;
    if (wshub__stack_push(&hub->calls, &side->node)) hub->io.wake(hub->io.ctx);
}

/* An end is given back; with the second the link goes. */
static void wshub__link_give_back(wshub__link *link) {
    bool last;

    WSHUB__LOCK(&link->lock);
    WSHUB_ASSERT(link->held > 0);
    last = --link->held == 0;
    WSHUB__UNLOCK(&link->lock);
    if (!last) return;

    WSHUB_ASSERT(!link->here.hub && !link->there.hub);
    wshub__mem_free(&link->mem, link->bytes, link->bytes_count);
    wshub__mem_free(&link->mem, link, sizeof *link + link->request_bytes);
}

/* A hub has an end from here on. */
static void wshub__link_join(wshub *hub, wshub__link_side *side) {
    WSHUB_ASSERT(side->hub == hub);
    WSHUB_ASSERT(!side->prev);
    WSHUB_ASSERT(!side->next);
    side->next = hub->ends;
    if (side->next) side->next->prev = side;
    hub->ends = side;
}

/* A hub leaves a link. One that is called just now is given back when its node comes by. */
static void wshub__link_leave(wshub *hub, wshub__link_side *side) {
    bool called;

    WSHUB_ASSERT(side->hub == hub);
    WSHUB_ASSERT(side->prev ? side->prev->next == side : hub->ends == side);
    *(side->prev ? &side->prev->next : &hub->ends) = side->next;
    if (side->next) side->next->prev = side->prev;

    WSHUB__LOCK(&side->link->lock);
    side->hub = NULL;
    called = side->called;
    WSHUB__UNLOCK(&side->link->lock);
    if (!called) wshub__link_give_back(side->link);
}

/* THERE: how it ends, for HERE to carry out behind what was sent. The first word counts. */
static void wshub__link_end(wshub__link_side *side, wshub__link_fate fate) {
    wshub__link *link = side->link;

    WSHUB_ASSERT(side == &link->there);
    WSHUB__LOCK(&link->lock);
    if (link->fate == WSHUB__LINK_RUNNING) link->fate = (uint8_t)fate;
    wshub__link_call(&link->here);
    WSHUB__UNLOCK(&link->lock);
}

/* HERE: there is room for more, or nobody is there any more who would take it. */
static void wshub__link_answer(wshub__link_side *side, bool gone) {
    wshub__link *link = side->link;

    WSHUB_ASSERT(side == &link->here);
    WSHUB__LOCK(&link->lock);
    WSHUB_ASSERT(!link->gone); /* that is its last word */
    link->room = !gone;
    link->gone = gone;
    wshub__link_call(&link->there);
    WSHUB__UNLOCK(&link->lock);
}

/* THERE: what is queued crosses over, as much as the other side has room for. Nobody but this
 * thread adds to what lies in a link. */
static void wshub__link_owed(wshub *hub, wshub__conn *conn, wshub__link_side *side) {
    wshub__link *link = side->link;
    uint32_t most = conn->queued < WSHUB__LINK_BYTES_MAX ? conn->queued : WSHUB__LINK_BYTES_MAX;
    uint32_t count = 0, k = 0;
    uint8_t *bytes;
    bool may;

    WSHUB_ASSERT(side == &link->there);
    WSHUB_ASSERT(most > 0);
    WSHUB__LOCK(&link->lock);
    may = link->room;
    WSHUB_ASSERT(!may || (!link->bytes && !link->gone));
    WSHUB__UNLOCK(&link->lock);
    if (!may) return;

    bytes = (uint8_t *)link->mem.fn(link->mem.user, NULL, 0, most);
    if (!bytes) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        return;
    }

    for (; count < most; k++) {
        const wshub__span *span = wshub__queue_span(conn, k);
        uint32_t n = span->len < most - count ? span->len : most - count;
        memcpy(bytes + count, wshub__seg_bytes(span->seg) + span->at, n);
        count += n;
    }
    wshub__queue_consume(hub, conn, most);

    WSHUB__LOCK(&link->lock);
    WSHUB_ASSERT(!link->bytes); /* nobody else has put anything there meanwhile */
    link->bytes = bytes;
    link->bytes_count = most;
    link->room = false;
    wshub__link_call(&link->here);
    WSHUB__UNLOCK(&link->lock);
}

/* ---- >>flow ------------------------------------------------------------------------------------
 * The way of a byte through the lower storey: what an io reports goes to >>exchange or >>message,
 * or is held until it may be read; in settle each stream that was touched is handed its queue, in
 * one send. Proved by tests/test_flow.c, test_ends.c. */

/* Makes room among what is held: what has been read of it goes. Each byte is moved once at most
 * for as many that were read. */
static void wshub__held_close_gap(wshub__rx *rx) {
    WSHUB_ASSERT(rx->held_at <= rx->held.len);
    if (rx->held_at < rx->held.len / 2) return;
    memmove(rx->held.ptr, rx->held.ptr + rx->held_at, rx->held.len - rx->held_at);
    rx->held.len -= rx->held_at;
    rx->held_at = 0;
}

/* Asks the io to read no more of a stream, while something of it is held. Of what another hub has
 * handed over everything has come. */
WSHUB__COLD static void wshub__io_pause(wshub *hub, wshub__conn *conn) {
    wshub_conn handle;

    if (!hub->io.pause || conn->io_paused || !wshub__conn_waits(conn)) return;
    if (wshub__conn_is_lent(conn)) return;
    handle.id = conn->id;
    conn->io_paused = true;
    hub->io.pause(hub->io.ctx, handle, true);
}

/* Keeps bytes that must wait, behind those that do already. The io is asked for no more if it can
 * be. */
WSHUB__COLD static void wshub__hold(wshub *hub, wshub__conn *conn, const uint8_t *bytes,
                                    size_t count) {
    wshub__rx *rx = conn->rx;

    WSHUB_ASSERT(count > 0);
    WSHUB_ASSERT(conn->state < WSHUB__CONN_FLUSHING); /* or it would count for nothing */
    if (!rx) rx = conn->rx = (wshub__rx *)wshub__mem_new(&hub->mem, sizeof *rx);
    if (!rx) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        return;
    }
    WSHUB_ASSERT(rx->held_at <= rx->held.len);
    if (rx->held.len && (uint64_t)(rx->held.len - rx->held_at) + count > hub->desc.held_bytes_max) {
        hub->stats.held_refused++;
        wshub__conn_limit(hub, conn, "held_bytes_max", hub->desc.held_bytes_max);
        wshub__conn_fail(hub, conn, WSHUB__CLOSE_POLICY, "too much while waiting");
        return;
    }

    if (rx->held_at) wshub__held_close_gap(rx);
    wshub__buf_add(&hub->mem, &rx->held, bytes, count);
    if (rx->held.bad) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        return;
    }
    hub->stats.held_bytes += count;
    wshub__io_pause(hub, conn);
}

/* The rest of what has just arrived must wait, before whatever was reported inside the callbacks
 * for its beginning. */
WSHUB__COLD static void wshub__hold_first(wshub *hub, wshub__conn *conn, const uint8_t *bytes,
                                          size_t count) {
    wshub__buf later = conn->rx->held;
    uint32_t at = conn->rx->held_at;

    WSHUB_ASSERT(at <= later.len);
    WSHUB_ASSERT(hub->stats.held_bytes >= later.len - at);
    memset(&conn->rx->held, 0, sizeof conn->rx->held);
    conn->rx->held_at = 0;
    hub->stats.held_bytes -= later.len - at;
    wshub__hold(hub, conn, bytes, count);
    if (conn->state < WSHUB__CONN_FLUSHING) wshub__hold(hub, conn, later.ptr + at, later.len - at);
    wshub__buf_done(&hub->mem, &later);
}

/* The rest of what was held, `count` bytes at its end, goes on waiting where it lies: nothing is
 * copied for what has been read. */
WSHUB__COLD static void wshub__hold_on(wshub *hub, wshub__conn *conn, wshub__buf *from,
                                       size_t count) {
    wshub__buf later = conn->rx->held;

    WSHUB_ASSERT(count <= from->len);
    WSHUB_ASSERT(conn->rx->held_at == 0); /* nothing has been read of what came since */
    conn->rx->held = *from;
    conn->rx->held_at = from->len - (uint32_t)count;
    hub->stats.held_bytes += count;
    memset(from, 0, sizeof *from);
    if (!later.len) return;

    /* Behind it comes what was reported inside the callbacks for its beginning. */
    hub->stats.held_bytes -= later.len;
    wshub__hold(hub, conn, later.ptr, later.len);
    wshub__buf_done(&hub->mem, &later);
}

/* Nothing that has arrived of a stream is kept. */
static void wshub__rx_drop(wshub *hub, wshub__conn *conn) {
    if (!conn->rx) return;
    wshub__buf_done(&hub->mem, &conn->rx->in);
    wshub__held_drop(hub, conn);
    wshub__buf_done(&hub->mem, &conn->rx->control);
    wshub__buf_done(&hub->mem, &conn->rx->pong);
    if (conn->rx != &hub->rx) wshub__mem_free(&hub->mem, conn->rx, sizeof *conn->rx);
    conn->rx = NULL;
}

/* Before bytes are read. The hub's own is lent out, to one stream at a time: others read meanwhile
 * only inside a callback of the first. False: out of memory, the stream is dropped. */
static bool wshub__rx_begin(wshub *hub, wshub__conn *conn, bool *out_lent) {
    *out_lent = !conn->rx && !hub->rx_lent;
    if (*out_lent) {
        hub->rx_lent = true;
        conn->rx = &hub->rx; /* its buffers are empty, as the last one left them */
        WSHUB_ASSERT(!conn->rx->in.ptr);
        WSHUB_ASSERT(!conn->rx->held.ptr);
        WSHUB_ASSERT(!conn->rx->control.ptr);
        WSHUB_ASSERT(!conn->rx->pong.ptr);
        if (conn->state == WSHUB__CONN_HTTP)
            memset(&conn->rx->as, 0, sizeof conn->rx->as);
        else
            conn->rx->as.ws.head_len = 0;
    } else if (!conn->rx) {
        conn->rx = (wshub__rx *)wshub__mem_new(&hub->mem, sizeof *conn->rx);
    }
    if (!conn->rx) wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
    WSHUB_ASSERT(*out_lent == (conn->rx == &hub->rx));
    return conn->rx != NULL;
}

/* A stream keeps what is not whole yet, in memory of its own. */
static void wshub__rx_keep(wshub *hub, wshub__conn *conn) {
    wshub__rx *own = (wshub__rx *)hub->mem.fn(hub->mem.user, NULL, 0, sizeof *own);

    WSHUB_ASSERT(conn->rx == &hub->rx);
    if (!own) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
        wshub__rx_drop(hub, conn);
        return;
    }
    *own = hub->rx;
    memset(&hub->rx, 0, sizeof hub->rx);
    conn->rx = own;
}

/* After they have been read: keeps what is not whole yet. */
static void wshub__rx_end(wshub *hub, wshub__conn *conn) {
    wshub__rx *rx = conn->rx;
    bool ws = conn->state == WSHUB__CONN_OPEN || conn->state == WSHUB__CONN_CLOSING;
    bool empty = !rx->in.ptr && !rx->held.ptr && !rx->control.ptr && !rx->pong.ptr &&
                 !(ws && (conn->in_frame || conn->msg_opcode || rx->as.ws.head_len));

    /* Where the stream is over, perhaps for want of memory, its buffers remember that, and the
     * hub's own must not hand it on to the next stream. */
    bool over = conn->state >= WSHUB__CONN_FLUSHING;

    WSHUB_ASSERT(!conn->parsing);
    if (empty && !over && rx == &hub->rx) { /* the usual case */
        conn->rx = NULL;
    } else if (empty || over) {
        wshub__rx_drop(hub, conn);
    } else if (rx == &hub->rx) {
        wshub__rx_keep(hub, conn);
    }
    WSHUB_ASSERT(conn->rx != &hub->rx); /* the next stream may borrow it */
}

/* Takes what can be taken of these bytes now: one head, a piece of a body, a frame's head or
 * payload. Returns how many. */
static size_t wshub__receive_some(wshub *hub, wshub__conn *conn, uint8_t *bytes, size_t count) {
    if (conn->state == WSHUB__CONN_HTTP) return wshub__http_feed(hub, conn, bytes, count);
    return conn->in_frame ? wshub__ws_payload(hub, conn, bytes, count)
                          : wshub__ws_head(hub, conn, bytes, count);
}

/* Is there something to take? Bytes, or the payload of a frame that has none. */
static bool wshub__receive_more(wshub *hub, wshub__conn *conn, size_t count) {
    if (conn->state >= WSHUB__CONN_FLUSHING || wshub__conn_waits(conn)) return false;

    /* A request that has begun is read to its end, as its deadline runs (LIVE-3). */
    if (conn->state == WSHUB__CONN_HTTP)
        return count && (conn->rx->in.len || !wshub__http_owes(hub, conn));
    return count || (conn->in_frame && conn->rx->as.ws.frame_at == conn->rx->as.ws.frame_bytes);
}

/* Something of what has arrived must wait. from: as of wshub__receive(). */
WSHUB__COLD static void wshub__receive_wait(wshub *hub, wshub__conn *conn, const uint8_t *bytes,
                                            size_t count, wshub__buf *from) {
    if (from) {
        wshub__hold_on(hub, conn, from, count);
    } else if (conn->rx->held.len) {
        wshub__hold_first(hub, conn, bytes, count);
    } else {
        wshub__hold(hub, conn, bytes, count);
    }
}

/* A message has begun that is not whole: its clock runs, and is put back by what comes of it. */
static void wshub__receive_clock(wshub *hub, wshub__conn *conn) {
    if (conn->phase_due) {
        wshub__part_clock(hub, conn);
        return;
    }
    conn->phase_due = wshub__after(hub, hub->desc.message_timeout_ms);
    conn->rx->part_kept = conn->rx->in.len;
    wshub__conn_arm(hub, conn);
}

/* Reads what has arrived, as far as it may be read now; the rest waits. from: the buffer in whose
 * end the bytes lie, if they were held; NULL: they are the io's. */
static void wshub__receive(wshub *hub, wshub__conn *conn, uint8_t *bytes, size_t count,
                           wshub__buf *from) {
    uint64_t id = conn->id;
    bool lent;

    WSHUB_ASSERT(!conn->parsing);
    WSHUB_ASSERT(!wshub__conn_waits(conn)); /* or these bytes would be held */
    if (!wshub__rx_begin(hub, conn, &lent)) return;
    conn->parsing = true;
    while (!hub->destroying && conn->id == id && wshub__receive_more(hub, conn, count)) {
        size_t used = wshub__receive_some(hub, conn, bytes, count);
        WSHUB_ASSERT(used <= count);
        if (used) bytes += used;
        count -= used;
    }
    if (lent) hub->rx_lent = false;
    if (conn->id != id) return; /* a callback has ended it */
    conn->parsing = false;

    if (count && conn->state < WSHUB__CONN_FLUSHING)
        wshub__receive_wait(hub, conn, bytes, count, from);
    if (conn->state == WSHUB__CONN_OPEN && wshub__part_begun(conn)) wshub__receive_clock(hub, conn);
    wshub__rx_end(hub, conn);

    /* Nothing waits any more: the io is heard again, and its end, if that has come. */
    if (conn->state < WSHUB__CONN_FLUSHING && !wshub__conn_waits(conn) &&
        !(conn->rx && conn->rx->held.len)) {
        if (conn->io_paused) wshub__io_unpause(hub, conn);
        wshub__conn_heard_all(hub, conn);
    }
}

/* Reads on what of a stream is held, and then the stream. */
static void wshub__resume_read(wshub *hub, wshub__conn *conn) {
    wshub__buf held;
    uint32_t at = 0;

    memset(&held, 0, sizeof held);
    if (conn->rx) {
        held = conn->rx->held;
        at = conn->rx->held_at;
        WSHUB_ASSERT(at <= held.len);
        WSHUB_ASSERT(hub->stats.held_bytes >= held.len - at);
        hub->stats.held_bytes -= held.len - at;
        memset(&conn->rx->held, 0, sizeof held);
        conn->rx->held_at = 0;
    }
    wshub__receive(hub, conn, held.ptr ? held.ptr + at : NULL, held.len - at, &held);
    wshub__buf_done(&hub->mem, &held);
}

/* Goes on with what was held, then with the stream; or with an answer, whose application has been
 * waiting for room (from settle). */
WSHUB__COLD static void wshub__resume_run(wshub *hub) {
    while (hub->resume_head && !hub->destroying) {
        wshub__conn *conn = wshub__conn_at(hub, hub->resume_head - 1);

        WSHUB_ASSERT(conn->resume_listed);
        hub->resume_head = conn->resume_next;
        conn->resume_listed = false;
        if (!conn->id || conn->state >= WSHUB__CONN_FLUSHING) continue;
        if (wshub__conn_waits(conn)) {
            wshub__stream_drained(hub, conn); /* perhaps for what has drained */
        } else {
            wshub__resume_read(hub, conn);
        }
    }
}

/* Makes the stream of an index, in its first state. NULL: out of memory, nothing changed. */
static wshub__conn *wshub__conn_make(wshub *hub, uint32_t index, uint64_t id) {
    wshub__conn *conn, links;

    WSHUB_ASSERT(hub->conns_live < hub->desc.conns_max);
    if (!wshub__pool_reach(&hub->mem, &hub->conns, index) ||
        !wshub__deadlines_reserve(&hub->mem, &hub->deadlines, hub->conns_live + 1) ||
        !wshub__words_reach(hub, &hub->dirty, &hub->dirty_cap, index / 64) ||
        !wshub__words_reach(hub, &hub->dirty_words, &hub->dirty_words_cap, index / 4096) ||
        !wshub__words_reach(hub, &hub->laggards, &hub->laggards_cap, index / 64))
        return NULL;

    conn = wshub__conn_at(hub, index);
    WSHUB_ASSERT(conn->id == 0);

    /* Lists of this turn may still lead through this slot. */
    links = *conn;
    memset(conn, 0, sizeof *conn);
    conn->next_note = links.next_note;
    conn->note_listed = links.note_listed;
    conn->resume_next = links.resume_next;
    conn->resume_listed = links.resume_listed;

    conn->id = id;
    wshub__deadline_none(&hub->deadlines, index);
    WSHUB_ASSERT(wshub__conn_index(conn) == index);
    hub->conns_live++;
    return conn;
}

WSHUB_API void wshub_conn_opened(wshub *hub, wshub_conn conn) {
    uint32_t number = (uint32_t)conn.id;
    wshub__conn *found = NULL;

    if (hub->destroying) return;
    wshub__enter(hub);
    if (hub->conns_live < hub->desc.conns_max && number < UINT32_MAX / 4 &&
        hub->phase < WSHUB__STOPPING)
        found = wshub__conn_make(hub, wshub__conn_slot(number), conn.id);

    if (found) {
        wshub__conn_to(hub, found, WSHUB__CONN_HTTP);
        found->last_active = hub->now;
        found->phase_due = wshub__after(hub, hub->desc.head_timeout_ms);
        hub->stats.conns_opened++;
        wshub__conn_arm(hub, found);
    } else {
        hub->stats.conns_refused++;
        if (hub->conns_live >= hub->desc.conns_max)
            wshub__log_limit(hub, wshub__nobody(), conn, "conns_max", hub->desc.conns_max);
        wshub__log_of(hub, WSHUB_LOG_REFUSED, wshub__nobody(), conn, "connection",
                      wshub__str(NULL, 0));
        hub->io.close(hub->io.ctx, conn, false);
    }
    wshub__leave(hub);
}

/* The stream of an io's conn. NULL: it has ended, or this io knows of no such one. */
static wshub__conn *wshub__conn_get(const wshub *hub, wshub_conn conn) {
    wshub__conn *found;

    if (conn.id & WSHUB__LENT) return NULL;
    found = wshub__conn_find(hub, wshub__conn_slot((uint32_t)conn.id));
    return found && found->id == conn.id && conn.id ? found : NULL;
}

WSHUB__COLD WSHUB_API wshub_err wshub_conn_about(const wshub *hub, wshub_conn conn,
                                                 wshub_about *out_about) {
    wshub_about about;

    if (!wshub__conn_get(hub, conn)) return WSHUB_ERR_STALE;

    memset(&about, 0, sizeof about);
    if (hub->io.about && !hub->io.about(hub->io.ctx, conn, &about)) return WSHUB_ERR_STALE;
    *out_about = about;
    return WSHUB_OK;
}

WSHUB_API void wshub_conn_received(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count) {
    wshub__conn *found = wshub__conn_get(hub, conn);

    if (!found || count == 0 || hub->destroying) return;
    wshub__enter(hub);
    found->last_active = hub->now;
    found->pinged = found->ping_late = false;
    hub->stats.bytes_in += count;

    /* Order is kept, inside callbacks too: behind what waits, this waits. */
    if (found->parsing || wshub__conn_waits(found) || (found->rx && found->rx->held.len)) {
        if (found->state < WSHUB__CONN_FLUSHING) {
            wshub__hold(hub, found, bytes, count);
            wshub__resume(hub, found);
        }
    } else if (found->state < WSHUB__CONN_FLUSHING) {
        wshub__receive(hub, found, bytes, count, NULL);
    }
    wshub__leave(hub);
}

/* Who takes an answer is not silent. A WebSocket is asked for a sign of life of its own. */
static void wshub__conn_took(wshub *hub, wshub__conn *conn) {
    if (conn->state < WSHUB__CONN_OPEN) conn->last_active = hub->now;
    wshub__dirty(hub, wshub__conn_index(conn));
}

WSHUB_API void wshub_conn_drained(wshub *hub, wshub_conn conn) {
    wshub__conn *found = wshub__conn_get(hub, conn);

    if (!found || hub->destroying) return;
    wshub__enter(hub);
    found->blocked = false;
    wshub__conn_took(hub, found);
    wshub__leave(hub);
}

WSHUB_API void wshub_conn_sent(wshub *hub, wshub_conn conn, size_t count) {
    wshub__conn *found = wshub__conn_get(hub, conn);

    if (!found || hub->destroying) return;
    wshub__enter(hub);
    WSHUB_ASSERT(found->inflight <= found->queued);
    if (count > found->inflight) count = found->inflight;
    found->inflight -= (uint32_t)count;
    wshub__queue_consume(hub, found, count);
    found->write_due = 0;
    if (found->queued) wshub__out_moved(hub, found);
    wshub__conn_took(hub, found);
    wshub__leave(hub);
}

/* Has a peer that sends no more given up what it asked for, by what its mount says? */
static bool wshub__half_close_ends(const wshub *hub, const wshub__conn *conn) {
    const wshub__exchange *exchange = wshub__exchange_of(hub, conn);
    return exchange && exchange->state != WSHUB__EXCHANGE_OPEN &&
           exchange->mount->desc.half_close_ends;
}

WSHUB_API void wshub_conn_ended(wshub *hub, wshub_conn conn) {
    wshub__conn *found = wshub__conn_get(hub, conn);

    if (!found || hub->destroying || found->ended) return;
    wshub__enter(hub);
    found->ended = true;
    if (wshub__half_close_ends(hub, found)) wshub__conn_flush_end(hub, found, WSHUB_BY_PEER);

    /* It stands behind what is held, and behind what is just being read. */
    if (!found->parsing && !(found->rx && found->rx->held.len)) wshub__conn_heard_all(hub, found);
    if (found->parsing) wshub__resume(hub, found);
    wshub__conn_arm(hub, found);
    wshub__leave(hub);
}

/* The last of a stream: what it holds goes, and its place is free. */
static void wshub__conn_free(wshub *hub, wshub__conn *conn) {
    uint32_t index = wshub__conn_index(conn);

    WSHUB_ASSERT(conn->id);
    WSHUB_ASSERT(hub->conns_live > 0);
    WSHUB_ASSERT(!conn->exchange); /* it has been lost with the end */
    wshub__queue_drop(hub, conn);
    wshub__rx_drop(hub, conn);
    wshub__deadline_clear(&hub->deadlines, index);
    hub->dirty[index / 64] &= ~(UINT64_C(1) << index % 64);
    hub->laggards[index / 64] &= ~(UINT64_C(1) << index % 64);
    wshub__conn_to(hub, conn, WSHUB__CONN_FREE);
    conn->id = 0;
    hub->conns_live--;
    hub->stats.conns_closed++;
}

WSHUB_API void wshub_conn_closed(wshub *hub, wshub_conn conn) {
    wshub__conn *found = wshub__conn_get(hub, conn);

    if (!found || hub->dead) return;
    wshub__enter(hub);
    if (found->exchange)
        wshub__conn_end(hub, found, WSHUB_BY_PEER, WSHUB__CLOSE_ABNORMAL, wshub__str(NULL, 0));
    if (found->above) hub->above->closed(hub, found);
    wshub__conn_free(hub, found);
    wshub__leave(hub);
}

/* The hub ends, and with it what its mounts have begun: they are told. */
WSHUB__COLD static void wshub__exchanges_end(wshub *hub) {
    wshub__conn *conn;
    uint32_t at = 0;

    while ((conn = wshub__conn_next_open(hub, &at)) != NULL) {
        if (conn->exchange)
            wshub__conn_end(hub, conn, WSHUB_BY_SHUTDOWN, WSHUB__CLOSE_GOING_AWAY,
                            wshub__str(NULL, 0));
    }
    wshub__exchanges_tell(hub);
}

/* THERE: its stream has ended, and with it this end of the link. */
WSHUB__COLD static void wshub__linked_free(wshub *hub, wshub__conn *conn) {
    wshub__link_side *side = wshub__conn_link(hub, conn);
    uint32_t number = (uint32_t)conn->id & ~WSHUB__LENT;

    WSHUB_ASSERT(side->id == conn->id);
    wshub__link_end(side, WSHUB__LINK_ABORT); /* unless it has ended in another way */
    wshub__link_leave(hub, side);
    wshub__conn_free(hub, conn);
    wshub__pool_free(&hub->lents, number);
}

/* THERE: all that was answered has crossed over. */
static void wshub__linked_drained(wshub *hub, wshub__conn *conn, wshub__link_side *side) {
    if (conn->state == WSHUB__CONN_HTTP) {
        WSHUB_ASSERT(!conn->exchange); /* it came whole */
        wshub__link_end(side, WSHUB__LINK_NEXT);
    } else if (conn->state == WSHUB__CONN_FLUSHING) {
        wshub__link_end(side, WSHUB__LINK_CLOSE);
    } else {
        return; /* nothing has been answered yet, or not all */
    }
    wshub__conn_abort(hub, conn, WSHUB_BY_APP, WSHUB__CLOSE_ABNORMAL, "");
}

/* A stream is dropped: the io is told, once. What a completion io holds of it stays until that has
 * said its last word. */
WSHUB__COLD static void wshub__flush_dropped(wshub *hub, wshub__conn *conn) {
    wshub_conn handle;

    WSHUB_ASSERT(conn->state >= WSHUB__CONN_ABORTING);
    if (wshub__conn_link(hub, conn)) {
        wshub__linked_free(hub, conn);
        return;
    }
    if (wshub__conn_is_lent(conn)) {
        hub->above->lent_gone(hub, conn);
        return;
    }
    handle.id = conn->id;
    if (!conn->inflight) wshub__queue_drop(hub, conn);
    if (conn->state == WSHUB__CONN_ENDING) return;
    wshub__conn_to(hub, conn, WSHUB__CONN_ENDING);
    hub->io.close(hub->io.ctx, handle, false);
}

/* What had to wait until the stream had room: the latest pong, a ping that was due. */
WSHUB__COLD static void wshub__flush_late(wshub *hub, wshub__conn *conn) {
    if (conn->pong_late) {
        conn->pong_late = false;
        (void)wshub__out_frame(hub, conn, WSHUB__OP_PONG, conn->rx ? conn->rx->pong.ptr : NULL,
                               conn->rx ? conn->rx->pong.len : 0);
        if (conn->rx) {
            wshub__buf_done(&hub->mem, &conn->rx->pong);
            wshub__rx_end(hub, conn);
        }
    }

    /* The peer has half the idle timeout for its pong, whenever the ping could leave. */
    if (conn->ping_late) {
        uint64_t half = hub->desc.idle_timeout_ms / 2;

        WSHUB_ASSERT(hub->now >= half); /* so long it had been silent when it was to be asked */
        if (conn->last_active < hub->now - half) conn->last_active = hub->now - half;
        conn->ping_late = false;
        if (wshub__out_frame(hub, conn, WSHUB__OP_PING, NULL, 0)) hub->stats.pings_sent++;
    }
    wshub__out_send(hub, conn);
}

/* Something is owed: from now on there must be progress. A lent stream's is handed out by who lent
 * it, who has clocks of its own. */
static void wshub__flush_owed(wshub *hub, wshub__conn *conn) {
    WSHUB_ASSERT(conn->queued > 0);
    if (wshub__conn_link(hub, conn)) return; /* the other hub has that clock */
    if (wshub__conn_is_lent(conn)) {
        hub->above->owed(hub, conn);
        return;
    }
    if (conn->write_due || wshub__write_patience(hub, conn) == WSHUB_OFF) return;
    conn->write_due = wshub__after(hub, wshub__write_patience(hub, conn));
    wshub__conn_arm(hub, conn);
}

/* Nothing is owed any more: whoever was waiting for that goes on. */
static void wshub__flush_drained(wshub *hub, wshub__conn *conn) {
    wshub_conn handle;

    WSHUB_ASSERT(conn->queued == 0);
    handle.id = conn->id;
    if (conn->owes) {
        conn->owes = false;
        wshub__resume_list(hub, conn);
    }
    if (wshub__conn_link(hub, conn)) {
        wshub__linked_drained(hub, conn, wshub__conn_link(hub, conn));
        return;
    }

    /* Our 100 has left, and the body may come. */
    if (conn->state == WSHUB__CONN_HTTP && conn->phase_due && wshub__http_body_awaited(conn))
        conn->phase_due = wshub__after(hub, hub->desc.message_timeout_ms);

    /* Our Close has left, and the peer's is waited for; or the last byte, and our end follows. */
    if (conn->state == WSHUB__CONN_CLOSING && !conn->phase_due) {
        conn->phase_due = wshub__after(hub, hub->desc.close_timeout_ms);
        wshub__conn_arm(hub, conn);
    } else if (conn->state == WSHUB__CONN_FLUSHING) {
        wshub__conn_to(hub, conn, WSHUB__CONN_LINGERING);
        wshub__conn_arm(hub, conn);
        hub->io.close(hub->io.ctx, handle, true);
    }
}

/* One stream in settle: what it owes is sent, and what follows from that is done. */
static void wshub__flush_conn(wshub *hub, wshub__conn *conn) {
    if (conn->state >= WSHUB__CONN_ABORTING) {
        wshub__flush_dropped(hub, conn);
        return;
    }

    wshub__out_send(hub, conn);
    if (conn->queued && wshub__conn_link(hub, conn))
        wshub__link_owed(hub, conn, wshub__conn_link(hub, conn));
    if (conn->queued) {
        wshub__flush_owed(hub, conn);
    } else if (conn->state != WSHUB__CONN_OPEN) {
        wshub__flush_drained(hub, conn);
    } else if (conn->pong_late || conn->ping_late) {
        wshub__flush_late(hub, conn);
    }
}

/* The streams of one word that settle is to look at. Whoever ends takes its mark away. */
static void wshub__flush_word(wshub *hub, uint32_t word) {
    uint64_t bits = hub->dirty[word];

    WSHUB_ASSERT(word < hub->dirty_cap);
    hub->dirty[word] = 0;
    for (; bits; bits &= bits - 1) {
        wshub__conn *conn = wshub__conn_at(hub, word * 64 + wshub__lowest_bit(bits));
        if (!WSHUB__NEVER(!conn->id)) wshub__flush_conn(hub, conn);
    }
}

/* Hands every stream that was touched its queue. They come in the order of the io's numbers, which
 * is mostly that of accepting, whatever the order in the rooms: so memory is walked one way. */
static void wshub__flush(wshub *hub) {
    uint32_t lo, hi, group;

    wshub__run_out(hub);
    lo = hub->dirty_lo;
    hi = hub->dirty_hi;
    WSHUB_ASSERT(hi <= hub->dirty_words_cap);
    hub->dirty_lo = UINT32_MAX;
    hub->dirty_hi = 0;

    for (group = lo; group < hi; group++) {
        uint64_t words = hub->dirty_words[group];
        hub->dirty_words[group] = 0;
        for (; words; words &= words - 1)
            wshub__flush_word(hub, group * 64 + wshub__lowest_bit(words));
    }
}

/* Streams whose deadline has passed by what has been heard. */
static void wshub__due_run(wshub *hub) {
    uint32_t index;
    while (!hub->destroying && wshub__deadlines_take(&hub->deadlines, hub->heard, &index))
        wshub__conn_due(hub, wshub__conn_at(hub, index));
}

/* ---- >>sockets ---------------------------------------------------------------------------------
 * The WebSockets of mounts, as an application has them: whose they are, what is sent to them within
 * the limits on what waits (SEND-6), and what is told of that, from settle. A stream that has a
 * client and no mount to speak for it is nobody's here. Uses >>queue, >>mount, >>conn, >>flow.
 * Proved by tests/test_socket.c, test_socket_ends.c. */

/* The exchange behind a WebSocket of a mount. Returns OK; STALE: it is none any more; STATE: it is
 * none, and a stream nevertheless. */
static wshub_err wshub__socket_find(const wshub *hub, wshub_conn handle, wshub__conn **out_conn,
                                    wshub__exchange **out_exchange) {
    wshub__conn *conn = wshub__conn_get(hub, handle);
    wshub__exchange *exchange = conn ? wshub__exchange_of(hub, conn) : NULL;

    if (!conn || conn->state > WSHUB__CONN_OPEN) return WSHUB_ERR_STALE;
    if (exchange && exchange->state == WSHUB__EXCHANGE_OPEN) {
        WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN);
        *out_conn = conn;
        *out_exchange = exchange;
        return WSHUB_OK;
    }

    /* While a hub ends, its WebSockets have nobody any more before their streams have ended. */
    return conn->state == WSHUB__CONN_OPEN && !conn->above ? WSHUB_ERR_STALE : WSHUB_ERR_STATE;
}

/* Queues a message, if it fits. What is dropped for a peer is noted, and so is that it waits, also
 * where a completion io holds all that there is: settle tells when that has left. */
static wshub_err wshub__socket_send(wshub *hub, wshub__conn *conn, uint8_t opcode,
                                    const void *bytes, size_t count) {
    uint64_t frame_bytes = wshub__frame_bytes(count);

    WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN);
    WSHUB_ASSERT(conn->exchange); /* its mount is told of what is dropped */
    wshub__run_out(hub);
    if (!wshub__out_fits(hub, conn, frame_bytes)) {
        if (!conn->pressured) wshub__out_waits(hub, conn);
        wshub__conn_dropped(hub, conn, frame_bytes);
        return WSHUB_ERR_DROPPED;
    }
    if (!wshub__out_frame(hub, conn, opcode, bytes, count)) {
        hub->stats.dropped_memory++;
        return WSHUB_ERR_NOMEM;
    }
    hub->stats.messages_out++;
    hub->stats.bytes_out += frame_bytes;
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_conn_send(wshub *hub, wshub_conn conn, const void *bytes, size_t count,
                                    bool text) {
    wshub__exchange *exchange;
    wshub__conn *found;
    wshub_err err = wshub__socket_find(hub, conn, &found, &exchange);

    if (err) return err;
    if (count > WSHUB_MSG_BYTES_MAX) return WSHUB_ERR_LIMIT;
    if (count && !bytes) return WSHUB_ERR_PARAM;
    if (text && !wshub_utf8_check((const uint8_t *)bytes, count)) return WSHUB_ERR_PARAM;

    wshub__enter(hub);
    err = wshub__socket_send(hub, found, text ? WSHUB__OP_TEXT : WSHUB__OP_BINARY, bytes, count);
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_conn_pause_until_drained(wshub *hub, wshub_conn conn) {
    wshub__exchange *exchange;
    wshub__conn *found;
    wshub_err err = wshub__socket_find(hub, conn, &found, &exchange);

    if (err) return err;
    wshub__enter(hub);
    wshub__run_out(hub);
    (void)wshub__out_taken(hub, found);
    if (found->queued) {
        if (!found->pressured) wshub__out_waits(hub, found);
        found->owes = true;
    }
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_conn_close(wshub *hub, wshub_conn conn, uint16_t code, wshub_str reason) {
    wshub__exchange *exchange;
    wshub__conn *found;
    wshub_err err = wshub__socket_find(hub, conn, &found, &exchange);

    if (err) return err;
    if (!wshub__close_ok(code, reason)) return WSHUB_ERR_PARAM;
    wshub__enter(hub);
    wshub__conn_close(hub, found, WSHUB_BY_APP, code, reason);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_conn_set_owner(wshub *hub, wshub_conn conn, void *owner) {
    wshub__exchange *exchange;
    wshub__conn *found;
    wshub_err err = wshub__socket_find(hub, conn, &found, &exchange);
    if (!err) exchange->owner = owner;
    return err;
}

WSHUB_API void *wshub_conn_owner(const wshub *hub, wshub_conn conn) {
    wshub__exchange *exchange;
    wshub__conn *found;
    return wshub__socket_find(hub, conn, &found, &exchange) ? NULL : exchange->owner;
}

WSHUB_API size_t wshub_conn_queued_bytes(const wshub *hub, wshub_conn conn) {
    const wshub__conn *found;
    wshub__look(hub);
    found = wshub__conn_get(hub, conn);
    return found ? found->queued : 0;
}

/* ---- what is told of queues ---- */

/* Tells the mount of a WebSocket what its queue has come to, and reads on where that was waited
 * for. */
WSHUB__COLD static void wshub__socket_noted(wshub *hub, wshub__conn *conn, uint8_t notes) {
    const wshub__exchange *exchange = wshub__exchange_of(hub, conn);
    const wshub_mount_desc *mount = &exchange->mount->desc;
    wshub_conn handle;

    WSHUB_ASSERT(!notes || exchange->state == WSHUB__EXCHANGE_OPEN);
    handle.id = conn->id;
    if (notes & WSHUB__NOTE_DROPPED && !conn->above)
        wshub__conn_log(hub, WSHUB_LOG_DROPPED, conn, "");
    if (!(notes & WSHUB__NOTE_OFF)) return;

    if (conn->owes) {
        conn->owes = false;
        if (!conn->asked && wshub__part_begun(conn))
            conn->phase_due = wshub__after(hub, hub->desc.message_timeout_ms);
        wshub__conn_arm(hub, conn);
        wshub__resume(hub, conn);
    }
    if (mount->on_drained) mount->on_drained(hub, handle, exchange->owner);
}

/* Tells of pressure (SEND-6). What a callback's own sends cause is told in the next turn, so
 * that an application which sends on every drop does not keep the hub here for ever. */
WSHUB__COLD static void wshub__notes(wshub *hub) {
    uint32_t at = hub->notes_head;

    hub->notes_head = 0;
    while (at) {
        wshub__conn *conn = wshub__conn_at(hub, at - 1);
        uint8_t notes = conn->notes;
        uint64_t id = conn->id;

        WSHUB_ASSERT(conn->note_listed);
        at = conn->next_note;
        conn->note_listed = false;
        conn->notes = 0;

        /* It may have ended since it was noted. A callback may end it too, and another stream may
         * have its place then. */
        if (hub->destroying || !id) continue;
        if (conn->exchange) wshub__socket_noted(hub, conn, notes);
        if (conn->id == id && conn->above) hub->above->noted(hub, conn, notes);
    }
}

/* ---- >>forward ---------------------------------------------------------------------------------
 * A request that is handed over to another hub of the program: written anew, read there as if it
 * had come there, and what is answered carried back (>>link). Whichever of the two hubs ends first,
 * the other finds its own end of the link. Uses >>link, >>exchange, >>flow. Proved by
 * tests/test_forward.c. */

/* ---- HERE, where the stream is ---- */

/* Fields that frame a request or are about its stream: they are said anew. */
static bool wshub__forward_skips(wshub_str name) {
    static const char *const ours[] = {"Connection", "Keep-Alive",        "Proxy-Connection",
                                       "Expect",     "Transfer-Encoding", "Content-Length",
                                       "TE",         "Upgrade",           "Trailer"};
    size_t i;

    for (i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (wshub__str_same(name, ours[i])) return true;
    }
    return false;
}

/* Writes a request as the other hub is to read it: its body has come, so its length is known. */
WSHUB__COLD static void wshub__forward_write(wshub *hub, const wshub_http *http, bool close,
                                             wshub__buf *to) {
    const wshub__mem *mem = &hub->mem;
    bool framed = http->body_bytes || wshub_http_header(http, "Content-Length").ptr;
    size_t i;

    WSHUB_ASSERT(!http->handshake); /* nobody there could carry frames back */
    WSHUB_ASSERT(!http->body_bytes || http->body.ptr);
    wshub__buf_add(mem, to, http->method.ptr, http->method.len);
    wshub__buf_text(mem, to, " ");
    wshub__buf_add(mem, to, http->target.ptr, http->target.len);
    wshub__buf_text(mem, to, http->minor < 1 ? " HTTP/1.0" : " HTTP/1.1");

    for (i = 0; i < http->headers_count; i++) {
        if (!wshub__forward_skips(http->headers[i].name))
            wshub__http_field(hub, to, http->headers[i].name, http->headers[i].value);
    }
    if (close) wshub__buf_text(mem, to, "\r\nConnection: close");
    if (framed) {
        wshub__buf_text(mem, to, "\r\nContent-Length: ");
        wshub__buf_uint(mem, to, http->body.len);
    }
    wshub__buf_text(mem, to, "\r\n\r\n");
    wshub__buf_add(mem, to, http->body.ptr, http->body.len);
}

/* A link between the two with the request in it. NULL: out of memory. */
WSHUB__COLD static wshub__link *wshub__link_new(wshub *hub, wshub *to, const wshub__buf *request) {
    wshub__link *link =
        (wshub__link *)wshub__mem_new(&hub->mem, sizeof(wshub__link) + request->len);

    WSHUB_ASSERT(hub != to);
    WSHUB_ASSERT(request->len > 0);
    if (!link) return NULL;
    link->mem = hub->mem;
    link->held = 2;
    link->room = true;
    link->here.link = link->there.link = link;
    link->here.hub = hub;
    link->there.hub = to;
    link->request_bytes = request->len;
    memcpy(link + 1, request->ptr, request->len);
    return link;
}

WSHUB__COLD WSHUB_API wshub_err wshub_http_forward(wshub *hub, wshub_exchange exchange, wshub *to) {
    const wshub_http *http;
    wshub__exchange *found;
    wshub__link *link;
    wshub__buf request;
    wshub_err err = wshub__exchange_find_unanswered(hub, exchange, &found);

    if (err) return err;
    if (!to || to == hub) return WSHUB_ERR_PARAM;
    if (!WSHUB__THREADS || !hub->io.wake || !to->io.wake) return WSHUB_ERR_NOWAKE;
    http = found->http;
    if (!http || http->handshake || found->unread || (http->body_bytes && !http->body.ptr))
        return WSHUB_ERR_STATE;

    memset(&request, 0, sizeof request);
    wshub__forward_write(hub, http, wshub__exchange_conn(hub, found)->http_close, &request);
    link = request.bad ? NULL : wshub__link_new(hub, to, &request);
    wshub__buf_done(&hub->mem, &request);
    if (!link) return WSHUB_ERR_NOMEM;

    wshub__enter(hub);
    wshub__exchange_to(found, WSHUB__EXCHANGE_FORWARDED);
    found->mount = &hub->forwarding;
    found->owner = &link->here;
    link->here.id = exchange.id;
    wshub__exchange_conn(hub, found)->phase_due = 0; /* the other hub has the clock of answers */
    wshub__link_join(hub, &link->here);
    WSHUB__LOCK(&link->lock);
    wshub__link_call(&link->there);
    WSHUB__UNLOCK(&link->lock);
    wshub__leave(hub);
    return WSHUB_OK;
}

/* The peer has gone, or the hub ends: nobody takes the answer any more. */
WSHUB__COLD static void wshub__forward_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause,
                                            void *owner) {
    wshub__link_side *side = (wshub__link_side *)owner;
    (void)exchange, (void)cause;
    wshub__link_answer(side, true);
    wshub__link_leave(hub, side);
}

/* What was carried over has left. */
WSHUB__COLD static void wshub__forward_drained(wshub *hub, wshub_exchange exchange, void *owner) {
    (void)hub, (void)exchange;
    wshub__link_answer((wshub__link_side *)owner, false);
}

/* All that was answered has been queued: the stream goes on, as the other hub said. */
WSHUB__COLD static void wshub__forward_end(wshub *hub, wshub__conn *conn, wshub__exchange *exchange,
                                           wshub__link_fate fate) {
    wshub__link_side *side = (wshub__link_side *)exchange->owner;

    WSHUB_ASSERT(fate != WSHUB__LINK_RUNNING);
    WSHUB_ASSERT(exchange->state == WSHUB__EXCHANGE_FORWARDED);

    /* A stream without memory for its 503 is dropped, and its exchange told of as gone: that
     * leaves the link, which must be there still. */
    if (fate == WSHUB__LINK_REFUSED) {
        if (!wshub__http_refuse(hub, conn, 503, wshub_str_z("nobody can answer now"), false))
            wshub__link_leave(hub, side);
        return;
    }

    wshub__link_leave(hub, side);
    if (fate == WSHUB__LINK_ABORT) {
        wshub__exchange_drop(hub, exchange);
    } else {
        wshub__http_next(hub, conn, fate == WSHUB__LINK_CLOSE);
    }
}

/* Something has been answered, or all. */
WSHUB__COLD static void wshub__forward_look(wshub *hub, wshub__link_side *side) {
    wshub__link *link = side->link;
    wshub_exchange handle;
    wshub__exchange *exchange;
    wshub__conn *conn;
    wshub__link_fate fate;
    uint8_t *bytes;
    uint32_t count;
    bool queued;

    WSHUB_ASSERT(side == &link->here);
    handle.id = side->id;
    exchange = wshub__exchange_get(hub, handle);
    WSHUB_ASSERT(exchange); /* it has not been told of its end yet, or this end would have left */
    if (exchange->state != WSHUB__EXCHANGE_FORWARDED) return;

    /* What lies in the link is taken out of it, and may be queued behind the lock. */
    WSHUB__LOCK(&link->lock);
    bytes = link->bytes;
    count = link->bytes_count;
    fate = (wshub__link_fate)link->fate;
    link->bytes = NULL;
    link->bytes_count = 0;
    WSHUB__UNLOCK(&link->lock);

    conn = wshub__exchange_conn(hub, exchange);
    WSHUB_ASSERT(conn->state == WSHUB__CONN_ANSWERING);
    queued = !bytes || wshub__out_bytes(hub, conn, bytes, count);
    wshub__mem_free(&link->mem, bytes, count);

    if (!queued) {
        wshub__conn_abort(hub, conn, WSHUB_BY_MEMORY, WSHUB__CLOSE_ABNORMAL, "");
    } else if (fate != WSHUB__LINK_RUNNING) {
        wshub__forward_end(hub, conn, exchange, fate);
    } else if (conn->queued > hub->desc.http_answers_bytes_max) {
        wshub__stream_wait(hub, conn, exchange);
    } else {
        WSHUB_ASSERT(bytes);
        wshub__link_answer(side, false);
    }
}

/* ---- THERE, where it is answered ---- */

/* A request has come by a link: it is read on a stream of its own. False: there is no room or no
 * memory for one, or the hub shuts down. */
WSHUB__COLD static bool wshub__linked_begin(wshub *hub, wshub__link_side *side) {
    wshub__link *link = side->link;
    wshub__lent *lent;
    wshub__conn *conn = NULL;
    uint32_t number;

    WSHUB_ASSERT(!side->id); /* it is begun once */
    if (hub->destroying || hub->phase >= WSHUB__STOPPING || hub->conns_live >= hub->desc.conns_max)
        return false;
    lent = (wshub__lent *)wshub__pool_take(&hub->mem, &hub->lents, &number);
    if (!lent) return false;
    conn = wshub__conn_make(hub, wshub__conn_slot(WSHUB__LENT | number),
                            wshub__pool_handle(&hub->lents, number) | WSHUB__LENT);
    if (!conn) {
        wshub__pool_free(&hub->lents, number);
        return false;
    }

    lent->link = side;
    side->id = conn->id;
    wshub__conn_to(hub, conn, WSHUB__CONN_HTTP);
    conn->blocked = conn->pressured = true; /* there is no io that takes anything */
    conn->last_active = hub->now;
    wshub__receive(hub, conn, (uint8_t *)(link + 1), link->request_bytes, NULL);
    return true;
}

/* A request has come, there is room for more of its answer, or nobody waits for it any more. */
WSHUB__COLD static void wshub__linked_look(wshub *hub, wshub__link_side *side) {
    wshub__conn *conn;
    bool gone;

    WSHUB_ASSERT(side->hub == hub);
    WSHUB__LOCK(&side->link->lock);
    gone = side->link->gone;
    WSHUB__UNLOCK(&side->link->lock);

    if (!side->id && !gone) {
        wshub__link_join(hub, side);
        if (wshub__linked_begin(hub, side)) return;
        wshub__link_end(side, WSHUB__LINK_REFUSED);
        wshub__link_leave(hub, side);
        return;
    }
    if (!side->id) { /* it has gone before it was read */
        wshub__link_join(hub, side);
        wshub__link_leave(hub, side);
        return;
    }

    conn = wshub__conn_find(hub, wshub__conn_slot((uint32_t)side->id));
    WSHUB_ASSERT(conn);
    WSHUB_ASSERT(conn->id == side->id); /* this end leaves with its stream */
    if (gone) {
        wshub__conn_abort(hub, conn, WSHUB_BY_PEER, WSHUB__CLOSE_ABNORMAL, "");
    } else {
        wshub__dirty(hub, wshub__conn_index(conn));
    }
}

/* ---- both ---- */

/* Looks at the links that the other hubs have called for (from settle, and when the hub ends). */
WSHUB__COLD static void wshub__links_run(wshub *hub) {
    wshub__node *node = wshub__stack_take(&hub->calls);

    while (node) {
        wshub__link_side *side = (wshub__link_side *)(void *)node;
        bool left;

        node = node->next;
        WSHUB__LOCK(&side->link->lock);
        WSHUB_ASSERT(side->called);
        side->called = false;
        left = !side->hub;
        WSHUB__UNLOCK(&side->link->lock);
        if (left) {
            wshub__link_give_back(side->link);
        } else if (hub->destroying && side->id) {
            continue; /* it leaves as its stream or exchange ends */
        } else if (side == &side->link->here) {
            wshub__forward_look(hub, side);
        } else {
            wshub__linked_look(hub, side);
        }
    }
}

WSHUB__COLD static void wshub__forwarding_begin(wshub *hub) {
    wshub_mount_desc *desc = &hub->forwarding.desc;

    wshub__pool_init(&hub->lents, sizeof(wshub__lent), wshub__pool_first(hub->key, 'l'));
    desc->answer_timeout_ms = WSHUB_OFF;
    desc->on_exchange_gone = wshub__forward_gone;
    desc->on_exchange_drained = wshub__forward_drained;
}

/* ---- >>app-timers ------------------------------------------------------------------------------
 * The application's timers, of which a server without clients has use too. Proved by
 * tests/test_timers.c. */

typedef struct wshub__timer {
    wshub__slot slot;
    uint32_t deadline; /* its place among hub->timer_deadlines */
    void (*fn)(wshub *hub, void *arg);
    void *arg;
} wshub__timer;

WSHUB_API wshub_err wshub_timer_start(wshub *hub, uint64_t delay_ms,
                                      void (*fn)(wshub *hub, void *arg), void *arg,
                                      wshub_timer *out_timer) {
    uint32_t index;
    wshub__timer *timer;

    if (!fn || delay_ms > UINT64_MAX / 4) return WSHUB_ERR_PARAM;
    if (!wshub__deadlines_reserve(&hub->mem, &hub->timer_deadlines, hub->timers.live + 1))
        return WSHUB_ERR_NOMEM;
    timer = (wshub__timer *)wshub__pool_take(&hub->mem, &hub->timers, &index);
    if (!timer) return WSHUB_ERR_NOMEM;

    wshub__enter(hub);
    timer->fn = fn;
    timer->arg = arg;
    wshub__deadline_none(&hub->timer_deadlines, index);
    wshub__deadline_set(&hub->timer_deadlines, index, hub->now + delay_ms);
    WSHUB_ASSERT(hub->timer_deadlines.count == hub->timers.live);
    if (out_timer) out_timer->id = wshub__pool_handle(&hub->timers, index);

    /* Started outside a turn: settle is to look at the clock anew. */
    if (hub->depth == 1 && hub->io.wake) hub->io.wake(hub->io.ctx);
    wshub__leave(hub);
    return WSHUB_OK;
}

/* A timer has passed or is stopped: its handle is stale. */
static void wshub__timer_free(wshub *hub, uint32_t index) {
    wshub__deadline_clear(&hub->timer_deadlines, index);
    wshub__pool_free(&hub->timers, index);
    WSHUB_ASSERT(hub->timer_deadlines.count == hub->timers.live);
}

WSHUB_API wshub_err wshub_timer_stop(wshub *hub, wshub_timer timer) {
    if (!wshub__pool_get(&hub->timers, timer.id)) return WSHUB_ERR_STALE;
    wshub__timer_free(hub, (uint32_t)timer.id);
    return WSHUB_OK;
}

/* Is a timer's moment due? Of those that are due just now only the ones that were started before
 * `before`: what a timer starts with no delay runs in the next turn, so that work in slices lets
 * the loop breathe (LIVE-3). One that was due earlier cannot have been started in this turn. */
static bool wshub__timer_due(const wshub *hub, const wshub__deadline *timer, uint32_t before) {
    if (timer->at != hub->now) return timer->at < hub->now;
    return (int32_t)(timer->order - before) < 0;
}

/* Runs the application's timers that are due, of those started before this turn's end began. */
static void wshub__timers_run(wshub *hub, uint32_t before) {
    const wshub__deadline *first;

    while ((first = wshub__deadlines_first(&hub->timer_deadlines)) != NULL && !hub->destroying &&
           wshub__timer_due(hub, first, before)) {
        uint32_t index = first->owner;
        wshub__timer timer = *(wshub__timer *)wshub__pool_at(&hub->timers, index);

        wshub__timer_free(hub, index);
        timer.fn(hub, timer.arg);
    }
}

/* ---- >>walks ---------------------------------------------------------------------------------
 * Where walks are, so that who leaves can move out of their way. Arrays are walked from the
 * back, and a gap is filled with the last: who has been seen would move in front of the walk and
 * be seen again. So a gap in front of a walk is filled with the last that it has not seen, and
 * that one's place with the last of all (wshub__walk_shift). Sending knows nothing of this;
 * leaving looks only where a walk has been. Allocates nothing. Proved by tests/test_walks.c. */

#define WSHUB__WALK_ENDED UINT32_MAX /* a phase */

/* An iterator holds where its walk is kept (its phase), the number that the walk has there, and
 * how far it is, should the walk have lost its place to another. */
static void wshub__walk_note(const wshub__walk *walk, wshub_iter *iter) {
    WSHUB_ASSERT(walk->number); /* 0 is that of a place which nobody has had */
    iter->pos = (uint64_t)walk->number << 32 | walk->left;
}

/* The walk that an iterator has begun. NULL: others have taken its place since. */
static wshub__walk *wshub__walk_kept(wshub *hub, const wshub_iter *iter) {
    wshub__walk *walk = &hub->walks[iter->phase % WSHUB__WALKS];
    WSHUB_ASSERT(iter->phase != WSHUB__WALK_ENDED);
    return walk->number && walk->number == (uint32_t)(iter->pos >> 32) ? walk : NULL;
}

/* The place of the walk that has not made a step for the longest time. */
static wshub__walk *wshub__walk_place(wshub *hub) {
    wshub__walk *walk = &hub->walks[0];
    uint32_t i;
    for (i = 1; i < WSHUB__WALKS; i++) {
        if (hub->walks[i].used < walk->used) walk = &hub->walks[i];
    }
    return walk;
}

/* One step of a walk: where it is.
 *   iter  zeroed: it begins
 *   key   what is walked: the address of something that does not move as long as it exists
 *   left  where it begins; not used otherwise: a walk that has lost its place goes on by what its
 *         iterator knows
 * NULL: it has ended. */
static wshub__walk *wshub__walk_step(const wshub *hub, wshub_iter *iter, const void *key,
                                     uint32_t left) {
    wshub *self = hub->self;
    wshub__walk *walk;

    WSHUB_ASSERT(key);
    if (iter->phase == WSHUB__WALK_ENDED) return NULL;

    /* It goes on where it is kept, or, where others have pushed it out, by what its iterator
     * knows. */
    if (iter->phase) {
        walk = wshub__walk_kept(self, iter);
        if (walk) {
            walk->used = ++self->walk_steps;
            return walk;
        }
        left = (uint32_t)iter->pos;
    }

    walk = wshub__walk_place(self);
    if (++self->walk_numbers == 0) self->walk_numbers = 1;
    walk->key = key;
    walk->number = self->walk_numbers;
    walk->left = left;
    walk->used = ++self->walk_steps;
    iter->phase = WSHUB__WALKS + (uint32_t)(walk - self->walks);
    wshub__walk_note(walk, iter);
    WSHUB_ASSERT(wshub__walk_kept(self, iter) == walk);
    return walk;
}

/* The walk has seen one more. */
static void wshub__walk_seen(wshub__walk *walk, wshub_iter *iter, uint32_t left) {
    WSHUB_ASSERT(iter->phase != WSHUB__WALK_ENDED);
    walk->left = left;
    wshub__walk_note(walk, iter);
}

/* The walk has seen all; its place is the first to be taken again. Returns false, as those who
 * walk do then. */
static bool wshub__walk_end(wshub__walk *walk, wshub_iter *iter) {
    walk->key = NULL;
    walk->used = 0;
    iter->phase = WSHUB__WALK_ENDED;
    return false;
}

/* What is walked ends: nothing of it is left to be seen. */
WSHUB__COLD static void wshub__walk_stop(wshub *hub, const void *key) {
    uint32_t i;
    for (i = 0; i < WSHUB__WALKS; i++) {
        wshub__walk *walk = &hub->walks[i];
        if (walk->key != key) continue;
        walk->key = NULL;
        walk->left = 0;
    }
}

/* There is a gap at `hole`. Returns whose member fills it: the last that the walk nearest behind
 * it has not seen, which then counts as one place further in front; the gap is there from now on
 * (it may be the same place). WSHUB__NONE: no walk has it in front of itself; the last of all
 * fills it. *out_walked: is anybody still in a walk over key? */
WSHUB__COLD static uint32_t wshub__walk_shift(wshub *hub, const void *key, uint32_t hole,
                                              bool *out_walked) {
    uint32_t i, nearest = WSHUB__NONE;

    /* Which walk has the gap in front of it and is nearest to it? */
    *out_walked = false;
    for (i = 0; i < WSHUB__WALKS; i++) {
        const wshub__walk *walk = &hub->walks[i];
        if (walk->key != key) continue;
        *out_walked = true;
        if (walk->left > hole && walk->left < nearest) nearest = walk->left;
    }
    if (nearest == WSHUB__NONE) return WSHUB__NONE;

    for (i = 0; i < WSHUB__WALKS; i++) {
        if (hub->walks[i].key == key && hub->walks[i].left == nearest) hub->walks[i].left--;
    }
    WSHUB_ASSERT(nearest - 1 >= hole);
    WSHUB_ASSERT(*out_walked);
    return nearest - 1;
}

/* Clients of a realm keep their order: where the one that was seen last goes, it is from now on
 * the one before. Both are index + 1. */
WSHUB__COLD static void wshub__walk_past(wshub *hub, wshub__realm *realm, uint32_t last,
                                         uint32_t before) {
    uint32_t i;

    WSHUB_ASSERT(last);
    WSHUB_ASSERT(last != before);
    realm->clients_walked = false;
    for (i = 0; i < WSHUB__WALKS; i++) {
        wshub__walk *walk = &hub->walks[i];
        if (walk->key != &realm->oldest) continue;
        realm->clients_walked = true;
        if (walk->left == last) walk->left = before;
    }
}

/* ---- >>checks ----------------------------------------------------------------------------------
 * What the public functions ask of their arguments: names, texts, JSON, messages, targets. Pure. */

/* May this be a name: of an event, a room, a user? The empty one may, for some. */
static bool wshub__name_ok(wshub_str s) {
    return s.ptr && s.len <= WSHUB_NAME_BYTES_MAX &&
           wshub_utf8_check((const uint8_t *)s.ptr, s.len);
}

/* Is this UTF-8, or absent? */
static bool wshub__text_ok(wshub_str text) {
    return !text.ptr || wshub_utf8_check((const uint8_t *)text.ptr, text.len);
}

/* Are these names of rooms, none of them empty? */
static bool wshub__rooms_ok(const wshub_str *rooms, size_t count) {
    size_t i;
    if (count && !rooms) return false;
    for (i = 0; i < count; i++) {
        if (!rooms[i].len || !wshub__name_ok(rooms[i])) return false;
    }
    return true;
}

static bool wshub__json_ok(const wshub *hub, wshub_str s) {
    return wshub_json_check(s, hub->desc.json_depth_max);
}

/* Whether data may be sent: what is accepted here every equal instance reads, and every client
 * with the same limit, so the level of what it travels in counts, as in MSG-9. */
static bool wshub__data_ok(wshub_str data, uint32_t depth_max) {
    wshub_json_kind kind = wshub_json_type(data);
    if (depth_max > 1) return wshub_json_check(data, depth_max - 1);
    return kind != WSHUB_JSON_OBJECT && kind != WSHUB_JSON_ARRAY && wshub_json_check(data, 1);
}

/* Is it the id of a message that is answered, or none? It goes where data goes. */
static wshub_err wshub__reply_id_check(const wshub *hub, wshub_str id) {
    if (!id.ptr) return WSHUB_OK;
    if (id.len > WSHUB_MSG_BYTES_MAX) return WSHUB_ERR_LIMIT;
    return wshub__data_ok(id, hub->desc.json_depth_max) ? WSHUB_OK : WSHUB_ERR_JSON;
}

static wshub_err wshub__msg_check(const wshub *hub, const wshub_msg *msg) {
    if (!msg || !wshub__name_ok(msg->event)) return WSHUB_ERR_PARAM;
    if (msg->data.len > WSHUB_MSG_BYTES_MAX) return WSHUB_ERR_LIMIT;
    if (msg->data.ptr && (!msg->data_is_json || !msg->data.len) &&
        !wshub__data_ok(msg->data, hub->desc.json_depth_max))
        return WSHUB_ERR_JSON;
    return WSHUB_OK;
}

/* Are these names? */
static bool wshub__names_ok(const wshub_str *names, size_t count) {
    size_t i;
    if (count && !names) return false;
    for (i = 0; i < count; i++) {
        if (!wshub__name_ok(names[i])) return false;
    }
    return true;
}

WSHUB__COLD static wshub_err wshub__dest_check(const wshub_dest *dest) {
    bool named = dest->kind >= WSHUB_DEST_CLIENT;

    if (dest->kind > WSHUB_DEST_ROOM) return WSHUB_ERR_PARAM;
    if (dest->rooms_count && dest->kind != WSHUB_DEST_ROOM) return WSHUB_ERR_PARAM;
    if (dest->kind != WSHUB_DEST_ALL && dest->name.len && !wshub__name_ok(dest->name))
        return WSHUB_ERR_PARAM;
    if (named && dest->name.len == 0 && !dest->rooms_count) return WSHUB_ERR_PARAM;

    if (!wshub__names_ok(dest->exclude, dest->exclude_count) ||
        !wshub__names_ok(dest->rooms, dest->rooms_count) ||
        !wshub__names_ok(dest->except_rooms, dest->except_rooms_count))
        return WSHUB_ERR_PARAM;
    return WSHUB_OK;
}

static wshub_str wshub__name_str(const wshub__name *n) {
    return wshub__str(n->ptr, n->len);
}

/* ---- >>realms ----------------------------------------------------------------------------------
 * The indexes in which clients, users and rooms are names. Every hub has a first realm, which is
 * part of it, so that reaching it costs nothing; the others lie in a pool. Nothing is looked up
 * in two realms, and nothing of one reaches another; limits and statistics count all of them
 * together. A realm ends only when nobody is in it, so whoever has a client may keep its realm's
 * number.
 * Calls >>index, >>walks, >>checks. Proved by tests/test_realms.c. */

/* The realm of a number. */
static wshub__realm *wshub__realm_at(const wshub *hub, uint32_t number) {
    WSHUB_ASSERT(number <= hub->realms.used);
    return number ? (wshub__realm *)wshub__pool_at(&hub->realms, number - 1)
                  : &hub->self->first_realm;
}

/* NULL: it has been destroyed, or is another hub's. */
static wshub__realm *wshub__realm_get(const wshub *hub, wshub_realm realm) {
    return realm.id ? (wshub__realm *)wshub__pool_get(&hub->realms, realm.id)
                    : &hub->self->first_realm;
}

/* The handle of a realm; 0 is the first one's. */
static wshub_realm wshub__realm_handle(const wshub__realm *realm) {
    wshub_realm handle;

    WSHUB_ASSERT(!realm->number || realm->slot.link == WSHUB__LIVE);
    handle.id = realm->number ? (uint64_t)realm->slot.generation << 32 | (realm->number - 1) : 0;
    return handle;
}

/* The handle of the first realm, which functions without a realm mean. */
static wshub_realm wshub__first(void) {
    wshub_realm first;
    first.id = 0;
    return first;
}

/* Goes through all realms of a hub, from the first on. realm NULL: gives that one. NULL: there
 * are no more. */
static wshub__realm *wshub__realm_next(const wshub *hub, const wshub__realm *realm) {
    uint32_t number = realm ? realm->number + 1 : 0;
    for (; number <= hub->realms.used; number++) {
        wshub__realm *next = wshub__realm_at(hub, number);
        if (!number || next->slot.link == WSHUB__LIVE) return next;
    }
    return NULL;
}

/* Memory of the most names there ever were is given back when few are left. */
WSHUB__COLD static void wshub__realm_give_back(const wshub__mem *mem, wshub__realm *realm) {
    void *rooms = realm->rooms.items, *users = realm->users.items;

    wshub__index_give_back(mem, &realm->index);
    wshub__mem_shrink(mem, &rooms, &realm->rooms.cap, realm->rooms.count,
                      sizeof *realm->rooms.items);
    wshub__mem_shrink(mem, &users, &realm->users.cap, realm->users.count,
                      sizeof *realm->users.items);
    realm->rooms.items = (struct wshub__group **)rooms;
    realm->users.items = (struct wshub__group **)users;
    WSHUB_ASSERT(realm->rooms.count <= realm->rooms.cap);
    WSHUB_ASSERT(realm->users.count <= realm->users.cap);
}

/* Frees what a realm holds. Nobody is in it any more. */
WSHUB__COLD static void wshub__realm_done(const wshub__mem *mem, wshub__realm *realm) {
    WSHUB_ASSERT(!realm->oldest);
    WSHUB_ASSERT(!realm->index.count);
    WSHUB_ASSERT(!realm->rooms.count);
    WSHUB_ASSERT(!realm->users.count);
    wshub__index_done(mem, &realm->index);
    wshub__mem_free(mem, realm->rooms.items, realm->rooms.cap * sizeof *realm->rooms.items);
    wshub__mem_free(mem, realm->users.items, realm->users.cap * sizeof *realm->users.items);
    if (realm->texts) wshub__mem_free(mem, realm->texts, realm->texts_bytes);
}

/* Are these names of rooms, few enough that a client can be in all of them and in its own? */
WSHUB__COLD static bool wshub__realm_rooms_ok(const wshub *hub, const char *const *rooms,
                                              size_t count) {
    size_t i;

    if (!rooms != !count) return false;
    if (count >= hub->desc.rooms_per_client_max || count > hub->desc.rooms_max) return false;
    for (i = 0; i < count; i++) {
        wshub_str room = wshub_str_z(rooms[i]);
        if (!room.len || !wshub__name_ok(room)) return false;
    }
    return true;
}

/* Keeps the texts of a realm in one block, if it has any. False: out of memory, nothing changed. */
WSHUB__COLD static bool wshub__realm_texts(const wshub__mem *mem, wshub__realm *realm,
                                           const wshub_realm_desc *desc) {
    size_t bytes = wshub__list_bytes(desc->default_rooms, desc->default_rooms_count) +
                   (desc->name ? strlen(desc->name) + 1 : 0);
    char *at;

    realm->name = wshub_str_z("");
    if (!bytes) return true;
    realm->texts = wshub__mem_new(mem, bytes);
    if (!realm->texts) return false;
    realm->texts_bytes = bytes;

    realm->default_rooms = (wshub_str *)realm->texts;
    realm->default_rooms_count = (uint32_t)desc->default_rooms_count;
    at = (char *)(realm->default_rooms + desc->default_rooms_count);
    wshub__copy_list(realm->default_rooms, desc->default_rooms, desc->default_rooms_count, &at);
    if (desc->name) realm->name = wshub__copy_text(&at, desc->name);
    WSHUB_ASSERT(at == (char *)realm->texts + bytes);
    return true;
}

WSHUB__COLD WSHUB_API wshub_err wshub_realm_create(wshub *hub, const wshub_realm_desc *desc,
                                                   wshub_realm *out_realm) {
    wshub__realm *realm;
    uint32_t index;

    if (!desc || desc->version != WSHUB_REALM_VERSION || !out_realm) return WSHUB_ERR_PARAM;
    if (desc->name && !wshub__name_ok(wshub_str_z(desc->name))) return WSHUB_ERR_PARAM;
    if (!wshub__realm_rooms_ok(hub, desc->default_rooms, desc->default_rooms_count))
        return WSHUB_ERR_PARAM;
    if (desc->dialect >= hub->dialects_count) return WSHUB_ERR_PARAM;
    if (hub->destroying) return WSHUB_ERR_CLOSED;
    if (hub->realms.live >= WSHUB_REALMS_MAX - 1) return WSHUB_ERR_LIMIT;

    realm = (wshub__realm *)wshub__pool_take(&hub->mem, &hub->realms, &index);
    if (!realm) return WSHUB_ERR_NOMEM;
    if (WSHUB__NEVER(index >= WSHUB_REALMS_MAX - 1)) { /* slots are retired after 2^31 realms */
        wshub__pool_free(&hub->realms, index);
        return WSHUB_ERR_LIMIT;
    }
    if (!wshub__realm_texts(&hub->mem, realm, desc)) {
        wshub__pool_free(&hub->realms, index);
        return WSHUB_ERR_NOMEM;
    }
    realm->number = index + 1;
    realm->user = desc->user;
    realm->dialect = desc->dialect;
    memcpy(realm->index.key, hub->key, sizeof hub->key);
    WSHUB_ASSERT(!realm->oldest);
    WSHUB_ASSERT(!realm->index.count);
    *out_realm = wshub__realm_handle(realm);
    WSHUB_ASSERT(wshub__realm_get(hub, *out_realm) == realm);
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_realm_destroy(wshub *hub, wshub_realm handle) {
    wshub__realm *realm = wshub__realm_get(hub, handle);

    if (!realm) return WSHUB_ERR_STALE;
    if (realm == &hub->first_realm || realm->oldest) return WSHUB_ERR_STATE;

    /* Its place in memory may be another realm's soon, which nothing that is kept by address may
     * take for this one. */
    wshub__walk_stop(hub, &realm->oldest);
    wshub__walk_stop(hub, &realm->rooms);
    wshub__walk_stop(hub, &realm->users);
    if (hub->last_target == &realm->oldest) hub->last_target = NULL;
    WSHUB_ASSERT(!hub->gathered || hub->run.realm != realm); /* nobody of it is there to hear */

    wshub__realm_done(&hub->mem, realm);
    wshub__pool_free(&hub->realms, realm->number - 1);
    return WSHUB_OK;
}

WSHUB_API wshub_str wshub_realm_name(const wshub *hub, wshub_realm realm) {
    const wshub__realm *found = wshub__realm_get(hub, realm);
    return found ? found->name : wshub__str(NULL, 0);
}

WSHUB_API void *wshub_realm_user(const wshub *hub, wshub_realm realm) {
    const wshub__realm *found = wshub__realm_get(hub, realm);
    return found ? found->user : NULL;
}

/* ---- >>clients ---------------------------------------------------------------------------------
 * Clients: who the hub knows at the end of a stream, what is kept of them, and the one door
 * through which their state changes. An end only marks a client as gone (wshub__client_end);
 * >>settle takes it out of the indexes and tells. Handles are made and looked up here and
 * nowhere else.
 * Calls >>realms. Proved by tests/test_shutdown.c, test_disconnecting.c, test_ends.c. */

/* A member of a room or a user. */
typedef struct wshub__member {
    uint32_t client; /* index */
    uint32_t place;  /* of the room in the client's list */
} wshub__member;

/* A room or a user; its name follows. What is done with it is in >>rooms. */
typedef struct wshub__group {
    wshub__name name;
    union {
        wshub__member one; /* cap 0: room for one, here */
        wshub__member *many;
    } at;
    uint32_t count, cap;
    uint32_t pos;        /* in its realm's rooms or users */
    uint32_t realm : 16; /* its realm's number */
    uint32_t pins : 15;  /* clients who are gone and whose user it was, until that is told */
    uint32_t walked : 1; /* somebody may be in a walk over its members */
} wshub__group;

struct wshub__xform;

#define WSHUB__UUID_BYTES 36
#define WSHUB__ID_BYTES 40 /* the longest id of a client: a UUID's fits */

/* What only some clients have, or not for long. */
typedef struct wshub__extra {
    wshub__buf metadata;
    wshub__buf user_id, auth_data; /* while keys are being agreed */
    wshub__buf reason;             /* of its end */
    wshub__buf inbound; /* an event that an inbound transformer has, waiting for its answer */
    uint32_t inbound_event, inbound_data, inbound_id; /* lengths in it; NONE: absent */
    struct wshub__xform *xform_head, *xform_tail;
    uint64_t xform_bytes; /* what those hold: wshub__xform_bytes() */
} wshub__extra;

/* The public states, and those that only the hub sees. */
typedef enum wshub__client_state {
    WSHUB__CLIENT_NONE, /* just made, or never */
    WSHUB__CLIENT_UNAUTHORIZED = WSHUB_CLIENT_UNAUTHORIZED,
    WSHUB__CLIENT_AUTHENTICATING = WSHUB_CLIENT_AUTHENTICATING,
    WSHUB__CLIENT_AUTHENTICATED = WSHUB_CLIENT_AUTHENTICATED,
    WSHUB__CLIENT_DISCONNECTED = WSHUB_CLIENT_DISCONNECTED, /* settle has yet to take it out */
    WSHUB__CLIENT_LEAVING, /* on_disconnecting is told; it is in its rooms still, can be asked */
    WSHUB__CLIENT_LEFT     /* is in no index any more; on_disconnected is told */
} wshub__client_state;

/* Links from one client to another, and to its questions, are index + 1, and 0 where there is
 * none: so what has been zeroed, as everything is that comes out of a pool, is linked to nobody.
 * It is the same for links between streams and questions. All other indexes that may be absent
 * are WSHUB__NONE then. */
typedef struct wshub__client {
    wshub__slot slot;
    wshub__name name; /* its id */
    /* what a fan-out looks at lies together */
    uint32_t index;     /* its own */
    uint32_t conn;      /* index; WSHUB__NONE: it has ended */
    uint32_t mark;      /* of the last fan-out that left it out; 0: none has */
    uint32_t next;      /* link: all clients of the realm, oldest first */
    uint8_t state;      /* wshub__client_state; wshub__client_to() alone writes it */
    uint8_t state_last; /* the one before it was disconnected */
    bool special;       /* encrypted, or of another kind than the plain one */

    bool encrypted : 1, has_user : 1;
    bool own_room;                  /* it is in the room named like its id, alone */
    bool rooms_walked;              /* somebody may be in a walk over its rooms */
    uint8_t cause : 4, dialect : 4; /* wshub_cause; index */
    uint8_t kind;                   /* of wire */
    uint16_t code;
    uint16_t realm;     /* its realm's number */
    uint32_t prev;      /* link: the one before it among those of the realm */
    uint32_t next_gone; /* link: the next that settle is to take out */
    uint32_t preauth_messages;
    uint32_t asks, asks_count; /* link to the first question about it; how many there are */
    uint32_t user_pos;         /* among its user's clients */
    uint32_t rooms_count, rooms_cap;
    uint32_t next_of_session; /* link; the session's first is its conn's `above` */
    wshub__group *user;       /* of one who is gone: pinned */
    wshub__group **rooms;     /* rooms_cap of them, its positions among their members, if many the
                             table: see >>rooms */
    uint64_t time; /* authenticated: when it was last heard of; before: when that must have happened
                    */
    void *user_ptr;
    wshub__extra *extra; /* NULL: it has nothing of that */
    char id[WSHUB__ID_BYTES];
} wshub__client;

static wshub__client *wshub__client_at(const wshub *hub, uint32_t index) {
    return (wshub__client *)wshub__pool_at(&hub->clients, index);
}

static wshub__realm *wshub__realm_of(const wshub *hub, const wshub__client *client) {
    return wshub__realm_at(hub, client->realm);
}

/* A client that is gone answers to nobody any more; it is in the indexes until settle takes it
 * out. */
static bool wshub__is_gone(const wshub__client *client) {
    return client->state >= WSHUB__CLIENT_DISCONNECTED;
}

/* clang-format off */
/* Which states may follow a state: a bit for each. Nothing moves back (CONN-4). */
#define WSHUB__TO(state) (1u << WSHUB__CLIENT_##state)
static const uint8_t wshub__client_follows[] = {
    WSHUB__TO(UNAUTHORIZED),                               /* none */
    WSHUB__TO(AUTHENTICATING) | WSHUB__TO(DISCONNECTED),   /* unauthorized */
    WSHUB__TO(AUTHENTICATED) | WSHUB__TO(DISCONNECTED),    /* authenticating */
    WSHUB__TO(DISCONNECTED),                               /* authenticated */
    WSHUB__TO(LEAVING),                                    /* disconnected */
    WSHUB__TO(LEFT),                                       /* leaving */
    0                                                      /* left: its slot is freed */
};
#undef WSHUB__TO
/* clang-format on */

/* The one door: nobody else writes a client's state. Counts who is authenticated; a client that
 * was counts until it has left the indexes. */
static void wshub__client_to(wshub *hub, wshub__client *client, wshub__client_state to) {
    WSHUB_ASSERT(client->slot.link == WSHUB__LIVE);
    WSHUB_ASSERT(wshub__client_follows[client->state] >> to & 1);
    (void)wshub__client_follows;
    if (to == WSHUB__CLIENT_AUTHENTICATED) hub->stats.authenticated++;
    if (to == WSHUB__CLIENT_DISCONNECTED) client->state_last = client->state;
    if (to == WSHUB__CLIENT_LEFT && client->state_last == WSHUB__CLIENT_AUTHENTICATED)
        hub->stats.authenticated--;
    client->state = (uint8_t)to;
}

/* The one place that writes a client's kind, and that it is encrypted: what makes it special
 * (>>routing). What has been gathered is for what it was. */
static void wshub__client_wire(wshub *hub, wshub__client *client, wshub_kind kind, bool encrypted) {
    wshub__wire *was = &hub->kinds[client->kind], *is = &hub->kinds[kind];

    WSHUB_ASSERT(kind < hub->kinds_count);
    WSHUB_ASSERT(was->clients > 0);
    WSHUB_ASSERT(hub->kinds_here >> client->kind & 1);
    wshub__run_out(hub);
    if (--was->clients == 0) hub->kinds_here &= ~(UINT64_C(1) << client->kind);
    if (is->clients++ == 0) hub->kinds_here |= UINT64_C(1) << kind;
    client->kind = kind;
    client->encrypted = encrypted;
    client->special = kind != 0 || encrypted;
}

/* Whom orders may be about. NULL: nobody, or one that is gone. */
static wshub__client *wshub__client_get(const wshub *hub, wshub_client client) {
    wshub__client *found = (wshub__client *)wshub__pool_get(&hub->clients, client.id);
    return found && !wshub__is_gone(found) ? found : NULL;
}

/* Whom questions may be about: also one that is just about to leave (on_disconnecting). It may
 * have no conn any more. */
static wshub__client *wshub__client_known(const wshub *hub, wshub_client client) {
    wshub__client *found = (wshub__client *)wshub__pool_get(&hub->clients, client.id);
    return found && (!wshub__is_gone(found) || found->state == WSHUB__CLIENT_LEAVING) ? found
                                                                                      : NULL;
}

/* How far a client has come, or had come before it was gone. */
static wshub_state wshub__client_reached(const wshub__client *client) {
    return (wshub_state)(wshub__is_gone(client) ? client->state_last : client->state);
}

/* The stream at whose end a client is. NULL: that has ended. */
static const wshub__conn *wshub__client_conn(const wshub *hub, const wshub__client *client) {
    WSHUB_ASSERT(client->conn != WSHUB__NONE || wshub__is_gone(client));
    return client->conn == WSHUB__NONE ? NULL : wshub__conn_at(hub, client->conn);
}

/* The handle by which the application knows a client. */
static wshub_client wshub__client_handle(const wshub *hub, const wshub__client *client) {
    wshub_client handle;

    (void)hub;
    WSHUB_ASSERT(client->slot.link == WSHUB__LIVE);
    handle.id = (uint64_t)client->slot.generation << 32 | client->index;
    return handle;
}

/* The first client of a stream's session, which in the JSON dialect is all it has. It has one. */
static wshub__client *wshub__conn_client(const wshub *hub, const wshub__conn *conn) {
    WSHUB_ASSERT(conn->above);
    return wshub__client_at(hub, conn->above - 1);
}

/* Finds a client by its id, gone ones too. */
static wshub__client *wshub__client_by_id(const wshub__realm *realm, wshub_str id) {
    wshub__name *n = wshub__index_find(&realm->index, WSHUB__KIND_CLIENT, id);
    return n ? (wshub__client *)(void *)((uint8_t *)n - offsetof(wshub__client, name)) : NULL;
}

WSHUB__COLD static void wshub__client_log(wshub *hub, wshub_log_code code,
                                          const wshub__client *client, const char *detail,
                                          wshub_str text) {
    wshub__log(hub, code, wshub__client_handle(hub, client), detail, text);
}

/* A client has met a limit of the description. name: the field's. */
WSHUB__COLD static void wshub__client_limit(wshub *hub, const wshub__client *client,
                                            const char *name, uint64_t value) {
    wshub_conn none;
    none.id = 0;
    wshub__log_limit(hub, wshub__client_handle(hub, client), none, name, value);
}

/* Says by whom, for what and with which code a client was closed. What a peer gives as its reason
 * is not ours to show. */
WSHUB__COLD static void wshub__client_log_end(wshub *hub, const wshub__client *client,
                                              wshub_cause cause, uint16_t code, wshub_str reason) {
    static const char *const causes[] = {
        "?",        "by its peer",  "by the application", "authentication", "timeout",
        "protocol", "backpressure", "out of memory",      "shutdown"};
    char text[64], room[WSHUB__DIGITS_MAX + 1] = "";
    size_t at;

    WSHUB_ASSERT((size_t)cause < sizeof causes / sizeof causes[0]);
    at = wshub__line_add(text, sizeof text, 0, causes[cause]);
    at = wshub__line_add(text, sizeof text, at, ", code ");
    at = wshub__line_add(text, sizeof text, at, wshub__digits(code, room));
    text[at] = 0;
    if (cause == WSHUB_BY_PEER || !reason.len) reason = wshub__str(NULL, 0);
    wshub__client_log(hub, WSHUB_LOG_CLOSED, client, text, reason);
}

/* The id that the application gave it, which may be empty (AUTH-7); ptr NULL: none. */
static wshub_str wshub__user_id(const wshub__client *client) {
    const wshub__extra *extra = client->extra;

    WSHUB_ASSERT(client->has_user || !client->user);
    if (!client->has_user) return wshub__str(NULL, 0);
    if (client->user) return wshub__name_str(&client->user->name);
    if (extra && extra->user_id.len) return wshub__str(extra->user_id.ptr, extra->user_id.len);
    return wshub__str("", 0);
}

/* What a client has of what only some have; made if there is none yet. NULL: out of memory. */
static wshub__extra *wshub__extra_take(wshub *hub, wshub__client *client) {
    if (!client->extra)
        client->extra = (wshub__extra *)wshub__mem_new(&hub->mem, sizeof *client->extra);
    return client->extra;
}

/* Marks a client as gone. It answers to nobody from here on; settle takes it out of the indexes
 * and tells the application (BYE-1). The first cause counts. */
static void wshub__client_end(wshub *hub, wshub__client *client, wshub_cause cause, uint16_t code,
                              wshub_str reason) {
    WSHUB_ASSERT(client->slot.link == WSHUB__LIVE);
    if (wshub__is_gone(client)) return;
    wshub__run_out(hub); /* what was sent before is still its */
    if (wshub__debugs(hub)) wshub__client_log_end(hub, client, cause, code, reason);
    wshub__client_to(hub, client, WSHUB__CLIENT_DISCONNECTED);
    client->cause = (unsigned)cause & 15u;
    client->code = code;
    if (reason.len && wshub__extra_take(hub, client))
        wshub__buf_add(&hub->mem, &client->extra->reason, reason.ptr, reason.len);

    /* It waits behind those who ended before it. */
    WSHUB_ASSERT(client->next_gone == 0 && !hub->gone_head == !hub->gone_tail);
    if (hub->gone_tail) {
        wshub__client_at(hub, hub->gone_tail - 1)->next_gone = client->index + 1;
    } else {
        hub->gone_head = client->index + 1;
    }
    hub->gone_tail = client->index + 1;
}

/* Replaces a client's metadata: JSON, or ptr NULL: none. All or nothing. */
static wshub_err wshub__metadata_set(wshub *hub, wshub__client *client, wshub_str metadata) {
    wshub__buf b;

    memset(&b, 0, sizeof b);
    if (metadata.ptr) wshub__buf_add(&hub->mem, &b, metadata.ptr, metadata.len);
    if (b.bad || (b.ptr && !wshub__extra_take(hub, client))) {
        wshub__buf_done(&hub->mem, &b);
        return WSHUB_ERR_NOMEM;
    }
    if (client->extra) {
        wshub__buf_done(&hub->mem, &client->extra->metadata);
        client->extra->metadata = b;
    }
    return WSHUB_OK;
}

/* ---- >>uplink ----------------------------------------------------------------------------------
 * An owner's end of its bus, for hubs and emitters alike: how the connection stands, and the
 * outbox in which publications wait. A busy turn is no outage: over a bus that is up they are
 * handed over as they come, what it cannot take at once waits under a limit of its own
 * (bus_burst_bytes_max), and a message may be as long as it likes; while the bus is down what
 * waits is kept up to bus_queue_bytes_max (BUS-5). Knows no hub, and neither channels nor
 * envelopes: these are the words of a dialect (wshub__words). Calls nothing of a bus but its
 * orders, which make no report. Where memory is wanting, nothing has changed. Uses >>mem,
 * >>buf. Proved by tests/test_outbox.c, test_bus_table.c. */

/* A message of another instance that has been read. */
typedef struct wshub__letter {
    wshub_dest dest; /* kind is not RESOLVE */
    wshub_str event, data;
    char *block; /* of the texts that had to be decoded; NULL: there is none */
    size_t block_bytes;
} wshub__letter;

typedef enum wshub__letter_verdict {
    WSHUB__LETTER_FINE,
    WSHUB__LETTER_OWN,     /* this instance wrote it, or one that calls itself so */
    WSHUB__LETTER_BAD,     /* it is none */
    WSHUB__LETTER_NOWHERE, /* it names no destination that there is */
    WSHUB__LETTER_MISFIT,  /* its destination is not the one that its channel stands for */
    WSHUB__LETTER_NOMEM
} wshub__letter_verdict;

#define WSHUB__CHANNEL_BYTES_MAX (WSHUB_NAME_BYTES_MAX + 16u)

/* How a dialect speaks on the bus: what channels are called, and what instances write to each
 * other. */
typedef struct wshub__words {
    /* The channels that every instance subscribes to. exact: to those alone of it for which no
     * name stands (BUS-4). Returns how many. */
    size_t (*base)(bool exact, const wshub_bus_channel **out_channels);
    /* Writes the channel of a destination, at most WSHUB__CHANNEL_BYTES_MAX bytes. Returns its
     * length. */
    size_t (*channel)(char *to, wshub_dest_kind kind, wshub_str name);
    /* Appends a message to the other instances. */
    void (*write)(const wshub__mem *m, wshub__buf *b, wshub_str server_id, const wshub_dest *dest,
                  const wshub_msg *msg);
    /* Who wrote it, seen without reading all of it. ptr NULL: that cannot be seen so. */
    wshub_str (*writer)(wshub_str payload);
    /* Reads a message of another instance. FINE: *out has its texts, views of the payload and of
     * out->block, which is the caller's to free. */
    wshub__letter_verdict (*read)(const wshub *hub, wshub_str channel, wshub_str payload,
                                  wshub__letter *out);
} wshub__words;

/* ---- the state of the connection ---- */

/* The one door to the state of an uplink. */
static void wshub__uplink_to(wshub__uplink *uplink, wshub__uplink_state to) {
    enum {
        NONE = 1 << WSHUB__UPLINK_NONE,
        DOWN = 1 << WSHUB__UPLINK_DOWN,
        LINKED = 1 << WSHUB__UPLINK_LINKED,
        UP = 1 << WSHUB__UPLINK_UP
    };
    static const uint8_t wshub__uplink_follows[] = {
        DOWN,                      /* NONE: a bus is taken */
        LINKED | UP | NONE,        /* DOWN: UP at once is said where nothing can be subscribed to */
        LINKED | UP | DOWN | NONE, /* LINKED: and again where the connection is another one */
        LINKED | DOWN | NONE       /* UP */
    };
    WSHUB_ASSERT(wshub__uplink_follows[uplink->state] >> to & 1);
    (void)wshub__uplink_follows;
    uplink->state = (uint8_t)to;
}

/* Takes what a bus reports. False: it says nothing new, and nothing has changed. */
static bool wshub__uplink_hear(wshub__uplink *uplink, wshub_bus_state reported) {
    wshub__uplink_state to = reported == WSHUB_BUS_UP          ? WSHUB__UPLINK_UP
                             : reported == WSHUB_BUS_CONNECTED ? WSHUB__UPLINK_LINKED
                                                               : WSHUB__UPLINK_DOWN;

    if (uplink->state == WSHUB__UPLINK_NONE) return false; /* it has been left: nobody listens */
    if (uplink->state == (uint8_t)to && to != WSHUB__UPLINK_LINKED) return false;
    wshub__uplink_to(uplink, to);
    return true;
}

static bool wshub__uplink_is_up(const wshub__uplink *uplink) {
    return uplink->state == WSHUB__UPLINK_UP;
}

static bool wshub__uplink_is_linked(const wshub__uplink *uplink) {
    return uplink->state >= WSHUB__UPLINK_LINKED;
}

static bool wshub__uplink_is_there(const wshub__uplink *uplink) {
    return uplink->state != WSHUB__UPLINK_NONE;
}

#define WSHUB__BUS_MISFIT                                                                          \
    "bus: its table is of another wshub.h; compile this backend anew with the one of the hub, "    \
    "and in a table of your own set version to WSHUB_BUS_VERSION"

/* Whether a table was compiled against this header. Nothing else of one that was not may be
 * read. */
static bool wshub__bus_fits(const wshub_bus *bus) {
    return bus->version == WSHUB_BUS_VERSION;
}

/* Is a bus another's already? */
static bool wshub__bus_taken(const wshub_bus *bus) {
    return bus->taken && bus->taken(bus->ctx);
}

/* Of what the bus has taken: how much waits for the broker's word (BYE-2), and how much will
 * never have one, since its connection broke. */
static uint64_t wshub__uplink_pending(const wshub__uplink *uplink) {
    return uplink->bus.pending ? uplink->bus.pending(uplink->bus.ctx) : 0;
}

static uint64_t wshub__uplink_broken(const wshub__uplink *uplink) {
    return uplink->bus.unconfirmed ? uplink->bus.unconfirmed(uplink->bus.ctx) : 0;
}

/* Lets the bus report what has come meanwhile, where it waits to be asked. */
static void wshub__uplink_pump(wshub__uplink *uplink) {
    if (wshub__uplink_is_there(uplink) && uplink->bus.pump) uplink->bus.pump(uplink->bus.ctx);
}

/* ---- briefs: the same message for hubs of this process ----
 * Beside the envelope lies what is known of it already, so that its texts and its frame are
 * made and checked once, not once a hub (wshub_bus.hand_over). Nobody but these two functions
 * looks into one. Whoever changes it raises WSHUB_BUS_VERSION. */

#define WSHUB__BRIEF_EXCLUDES 32u /* those who exclude more have no brief */

/* A brief's head; the lengths of the excluded follow, then name, event, the excluded and the
 * frame. */
typedef struct wshub__brief_head {
    uint32_t kind, name_len, event_len, exclude_count, frame_len;
    uint32_t data_len; /* data is the frame's, before its last byte */
} wshub__brief_head;

/* A brief that has been read; all texts are views of it. */
typedef struct wshub__brief {
    wshub_dest dest; /* dest.exclude is the array below */
    wshub_str event, data, frame;
    wshub_str exclude[WSHUB__BRIEF_EXCLUDES];
} wshub__brief;

/* Appends the brief of a message whose frame is known. */
static void wshub__brief_write(const wshub__mem *mem, wshub__buf *buf, const wshub_dest *dest,
                               const wshub_msg *msg, wshub_str frame) {
    wshub__brief_head head;
    uint32_t i;

    WSHUB_ASSERT(dest->kind != WSHUB_DEST_RESOLVE);
    WSHUB_ASSERT(dest->exclude_count <= WSHUB__BRIEF_EXCLUDES);
    WSHUB_ASSERT(frame.len > msg->data.len);
    head.kind = (uint32_t)dest->kind;
    head.name_len = dest->kind == WSHUB_DEST_ALL ? 0 : (uint32_t)dest->name.len;
    head.event_len = (uint32_t)msg->event.len;
    head.data_len = (uint32_t)msg->data.len;
    head.exclude_count = (uint32_t)dest->exclude_count;
    head.frame_len = (uint32_t)frame.len;

    wshub__buf_add(mem, buf, &head, sizeof head);
    for (i = 0; i < head.exclude_count; i++) {
        uint32_t len = (uint32_t)dest->exclude[i].len;
        wshub__buf_add(mem, buf, &len, sizeof len);
    }
    wshub__buf_add(mem, buf, dest->name.ptr, head.name_len);
    wshub__buf_add(mem, buf, msg->event.ptr, msg->event.len);
    for (i = 0; i < head.exclude_count; i++)
        wshub__buf_add(mem, buf, dest->exclude[i].ptr, dest->exclude[i].len);
    wshub__buf_add(mem, buf, frame.ptr, frame.len);
}

/* The text of so many bytes at *at, which moves on. */
static wshub_str wshub__brief_text(const char **at, uint32_t len) {
    wshub_str s = wshub__str(*at, len);
    *at += len;
    return s;
}

/* Reads a brief that a hub of this process has written. */
static void wshub__brief_read(wshub_str brief, wshub__brief *out) {
    wshub__brief_head head;
    const char *lens = brief.ptr + sizeof head, *at;
    uint32_t i;

    memcpy(&head, brief.ptr, sizeof head);
    WSHUB_ASSERT(head.exclude_count <= WSHUB__BRIEF_EXCLUDES);
    at = lens + head.exclude_count * sizeof(uint32_t);

    memset(&out->dest, 0, sizeof out->dest);
    out->dest.kind = (wshub_dest_kind)head.kind;
    out->dest.name = wshub__brief_text(&at, head.name_len);
    out->event = wshub__brief_text(&at, head.event_len);
    for (i = 0; i < head.exclude_count; i++) {
        uint32_t len;
        memcpy(&len, lens + i * sizeof len, sizeof len);
        out->exclude[i] = wshub__brief_text(&at, len);
    }
    out->dest.exclude = out->exclude;
    out->dest.exclude_count = head.exclude_count;
    out->frame = wshub__brief_text(&at, head.frame_len);
    out->data = wshub__str(out->frame.ptr + head.frame_len - 1 - head.data_len, head.data_len);
    WSHUB_ASSERT(at == brief.ptr + brief.len);
}

/* ---- the outbox ---- */

/* Limits that hubs and emitters share, where their descriptions say nothing. */
#define WSHUB__BUS_QUEUE_BYTES 1048576u
#define WSHUB__JSON_DEPTH 1024u

static uint32_t wshub__bus_burst(uint32_t queue_bytes_max) {
    return queue_bytes_max > 16u << 20 ? queue_bytes_max : 16u << 20;
}

/* What a publication counts against limits: not its brief, which never has more than the
 * payload and its texts once again. */
static uint64_t wshub__pub_bytes(const wshub__pub *pub) {
    return (uint64_t)pub->channel_len + pub->payload_len;
}

/* The publication that a buffer holds: room for its head, then channel, payload and brief. NULL: it
 * has not got the memory for all of that. */
static wshub__pub *wshub__pub_of(const wshub__mem *mem, wshub__buf *buf, uint64_t now,
                                 uint32_t channel_len, uint32_t payload_len) {
    wshub__pub *pub;

    if (buf->bad) {
        wshub__buf_done(mem, buf);
        return NULL;
    }
    pub = (wshub__pub *)(void *)buf->ptr;
    WSHUB_ASSERT(buf->len >= sizeof *pub + channel_len + payload_len);
    pub->next = NULL;
    pub->at = now;
    pub->channel_len = channel_len;
    pub->payload_len = payload_len;
    pub->brief_len = buf->len - (uint32_t)sizeof *pub - channel_len - payload_len;
    pub->cap = buf->cap;
    return pub;
}

/* Writes one publication, in one block. frame: the message as it is on the wire, which makes a
 * brief; ptr NULL: there is none. NULL: out of memory. */
static wshub__pub *wshub__pub_new(const wshub__mem *mem, const wshub__words *words, uint64_t now,
                                  wshub_str server_id, const wshub_dest *dest, const wshub_msg *msg,
                                  wshub_str frame) {
    wshub__buf buf;
    uint32_t channel_len, payload_at, brief_at;
    size_t usual = sizeof(wshub__pub) + 160 + 2 * (dest->name.len + msg->event.len) + msg->data.len;

    if (frame.ptr) usual += sizeof(wshub__brief_head) + frame.len;
    memset(&buf, 0, sizeof buf);
    if (!wshub__buf_room(mem, &buf, usual)) return NULL;

    buf.len = sizeof(wshub__pub);
    channel_len = (uint32_t)words->channel((char *)buf.ptr + buf.len, dest->kind, dest->name);
    WSHUB_ASSERT(channel_len <= WSHUB__CHANNEL_BYTES_MAX);
    WSHUB_ASSERT(buf.len + channel_len <= buf.cap);
    payload_at = buf.len += channel_len;
    words->write(mem, &buf, server_id, dest, msg);
    brief_at = buf.len;
    if (frame.ptr && dest->exclude_count <= WSHUB__BRIEF_EXCLUDES)
        wshub__brief_write(mem, &buf, dest, msg, frame);
    return wshub__pub_of(mem, &buf, now, channel_len, brief_at - payload_at);
}

/* The same in the words of another dialect than the built-in one: a channel behind its prefix, and
 * whatever bytes. */
static wshub__pub *wshub__pub_bytes_new(const wshub__mem *mem, uint64_t now, wshub_str prefix,
                                        wshub_str channel, wshub_str payload) {
    wshub__buf buf;

    WSHUB_ASSERT(payload.len <= WSHUB_MSG_BYTES_MAX);
    memset(&buf, 0, sizeof buf);
    if (!wshub__buf_room(mem, &buf, sizeof(wshub__pub) + prefix.len + channel.len + payload.len))
        return NULL;
    buf.len = sizeof(wshub__pub);
    wshub__buf_add(mem, &buf, prefix.ptr, prefix.len);
    wshub__buf_add(mem, &buf, channel.ptr, channel.len);
    wshub__buf_add(mem, &buf, payload.ptr, payload.len);
    return wshub__pub_of(mem, &buf, now, (uint32_t)(prefix.len + channel.len),
                         (uint32_t)payload.len);
}

static void wshub__pub_free(const wshub__mem *mem, wshub__pub *pub) {
    wshub__mem_free(mem, pub, pub->cap);
}

/* Puts a publication behind those that wait. */
static void wshub__outbox_push(wshub__outbox *box, wshub__pub *pub) {
    WSHUB_ASSERT((box->head == NULL) == (box->count == 0));
    *(box->tail ? &box->tail->next : &box->head) = pub;
    box->tail = pub;
    box->bytes += wshub__pub_bytes(pub);
    box->count++;
    WSHUB_ASSERT(!pub->next);
}

/* Frees the oldest publication. */
static void wshub__outbox_pop(const wshub__mem *mem, wshub__outbox *box) {
    wshub__pub *pub = box->head;

    WSHUB_ASSERT(box->count > 0);
    WSHUB_ASSERT(box->bytes >= wshub__pub_bytes(pub));
    box->head = pub->next;
    if (!box->head) box->tail = NULL;
    box->bytes -= wshub__pub_bytes(pub);
    box->count--;
    wshub__pub_free(mem, pub);
}

static void wshub__outbox_done(const wshub__mem *mem, wshub__outbox *box) {
    while (box->head) wshub__outbox_pop(mem, box);
}

/* The oldest go until `more` bytes fit in. Returns how many have gone. */
static uint64_t wshub__outbox_trim(const wshub__mem *mem, wshub__outbox *box, uint64_t max,
                                   uint64_t more) {
    uint64_t dropped = 0;
    for (; box->head && box->bytes + more > max; dropped++) wshub__outbox_pop(mem, box);
    return dropped;
}

/* Those that have waited for so long go. Returns how many. */
static uint64_t wshub__outbox_expire(const wshub__mem *mem, wshub__outbox *box, uint64_t now,
                                     uint32_t ms) {
    uint64_t dropped = 0;
    for (; box->head && box->head->at + ms <= now; dropped++) wshub__outbox_pop(mem, box);
    return dropped;
}

#define WSHUB__OFFER_MAX 64u          /* publications in one call of the bus */
#define WSHUB__HANDOVER_BYTES 262144u /* so much is gathered before a busy turn hands it over */

/* Offers the bus the oldest publications, with their briefs if it takes them. Returns how many
 * it took of how many. */
static size_t wshub__uplink_offer(const wshub__uplink *uplink, size_t *out_offered) {
    wshub_bus_msg msgs[WSHUB__OFFER_MAX];
    wshub_bus_handover items[WSHUB__OFFER_MAX];
    const wshub_bus *bus = &uplink->bus;
    const wshub__pub *pub = uplink->outbox.head;
    size_t n = 0;

    for (; pub && n < WSHUB__OFFER_MAX; pub = pub->next, n++) {
        wshub_str channel = wshub__str(pub + 1, pub->channel_len);
        wshub_str payload = wshub__str(channel.ptr + pub->channel_len, pub->payload_len);
        if (bus->hand_over) {
            items[n].channel = channel;
            items[n].payload = payload;
            items[n].brief = wshub__str(payload.ptr + pub->payload_len, pub->brief_len);
        } else {
            msgs[n].channel = channel;
            msgs[n].payload = payload;
        }
    }
    WSHUB_ASSERT(n <= uplink->outbox.count);

    *out_offered = n;
    return bus->hand_over ? bus->hand_over(bus->ctx, items, n) : bus->publish(bus->ctx, msgs, n);
}

/* Hands over what the bus takes, to the network at once where it is full otherwise. Returns how
 * many. */
static uint64_t wshub__uplink_flush(const wshub__mem *mem, wshub__uplink *uplink) {
    wshub__outbox *box = &uplink->outbox;
    uint64_t sent = 0;
    bool flushed = false; /* since it took something last */

    WSHUB_ASSERT(wshub__uplink_is_up(uplink));
    while (box->head) {
        size_t offered, took = wshub__uplink_offer(uplink, &offered);
        WSHUB_ASSERT(took <= offered);
        sent += took;
        offered -= took;
        if (took) flushed = false;
        while (took--) wshub__outbox_pop(mem, box);

        if (!offered) continue;
        if (flushed || !uplink->bus.flush) break;
        uplink->bus.flush(uplink->bus.ctx);
        flushed = true;
    }
    box->left = box->bytes;
    return sent;
}

/* Lets a publication wait, and hands over what has gathered. It is the outbox's then, or freed.
 *   max      bytes that may wait; while the bus is down, also those of each of them. Over a bus
 *            that is up, one that nothing waits before may be longer
 *   dropped  counts the oldest, which go for it over the limit. NULL: nothing goes for it
 *   sent     counts what was handed over
 * Returns OK, or LIMIT: it is longer than may wait, or nothing goes for it. */
static wshub_err wshub__uplink_push(const wshub__mem *mem, wshub__uplink *uplink, wshub__pub *pub,
                                    uint64_t max, uint64_t *dropped, uint64_t *sent) {
    wshub__outbox *box = &uplink->outbox;
    uint64_t bytes = wshub__pub_bytes(pub);
    bool up = wshub__uplink_is_up(uplink);

    WSHUB_ASSERT(wshub__uplink_is_there(uplink));
    if (up && box->bytes + bytes > max) *sent += wshub__uplink_flush(mem, uplink);
    if ((!up && bytes > max) || (!dropped && box->head && box->bytes + bytes > max)) {
        wshub__pub_free(mem, pub);
        return WSHUB_ERR_LIMIT;
    }

    if (dropped) *dropped += wshub__outbox_trim(mem, box, max, bytes);
    wshub__outbox_push(box, pub);
    if (up && box->bytes >= box->left + WSHUB__HANDOVER_BYTES)
        *sent += wshub__uplink_flush(mem, uplink);
    return WSHUB_OK;
}

/* ---- taking and leaving a bus ---- */

/* Leaves the bus; what waits is lost. From here on nothing is published, not even by those who
 * are told meanwhile that their requests will not be answered. */
static void wshub__uplink_leave(const wshub__mem *mem, wshub__uplink *uplink) {
    wshub__uplink_to(uplink, WSHUB__UPLINK_NONE);
    (void)uplink->bus.attach(uplink->bus.ctx, NULL);
    wshub__outbox_done(mem, &uplink->outbox);
}

/* Takes a bus for an owner. If that fails, the bus has been left again. */
static wshub_err wshub__uplink_attach(const wshub__mem *mem, wshub__uplink *uplink,
                                      const wshub_bus *bus, const wshub__words *words,
                                      const wshub_bus_owner *owner) {
    wshub_err err;

    uplink->bus = *bus;
    uplink->words = words;
    wshub__uplink_to(uplink, WSHUB__UPLINK_DOWN);
    err = uplink->bus.attach(uplink->bus.ctx, owner);
    if (err) wshub__uplink_leave(mem, uplink);
    return err;
}

/* ---- >>subs ------------------------------------------------------------------------------------
 * Which channels the bus is asked for (BUS-1, BUS-4). In exact mode that is a channel for each
 * name that is here, subscribed to when the first comes, given up some time after the last has
 * gone; what changes is handed to the bus in settle, in batches. When the bus is connected,
 * everything is subscribed to anew, a phase after the other (replay), as far at a time as the
 * bus has room. For the names of the first realm the channels are known here; for those of
 * others the dialect is told that speaks for them, and asks for what it wants.
 * Uses >>uplink, >>clients. Proved by tests/test_channels.c, test_bus.c, test_dialect_bus.c. */

#define WSHUB__SUBS_AGAIN_MS 50u /* until a bus that had no room is asked again */

/* ---- what has come or gone ---- */

/* A channel is on its way no more: the bus has it, or it is not wanted any more. */
static void wshub__chan_free(wshub *hub, wshub__chan *chan) {
    wshub__chans *list = chan->out ? &hub->subs_out : &hub->subs_in;

    WSHUB_ASSERT(hub->subs_count > 0);
    WSHUB_ASSERT(!chan->out || hub->stats.bus_lingering > 0);
    WSHUB_ASSERT(chan->prev || list->head == chan);
    WSHUB_ASSERT(chan->next || list->tail == chan);
    *(chan->prev ? &chan->prev->next : &list->head) = chan->next;
    *(chan->next ? &chan->next->prev : &list->tail) = chan->prev;
    hub->subs_count--;
    if (chan->out) hub->stats.bus_lingering--;
    wshub__index_remove(&hub->channels, &chan->name);
    wshub__mem_free(&hub->mem, chan, sizeof *chan + chan->name.len);
}

WSHUB__COLD static void wshub__subs_clear(wshub *hub) {
    while (hub->subs_in.head) wshub__chan_free(hub, hub->subs_in.head);
    while (hub->subs_out.head) wshub__chan_free(hub, hub->subs_out.head);
}

/* Hands over a batch of what is due of one list, in order. Returns how many; `ok` becomes false
 * if the bus has no room. */
static size_t wshub__chans_run(wshub *hub, wshub__chans *chans, bool *ok) {
    const wshub_bus *bus = &hub->uplink.bus;
    wshub_bus_channel list[WSHUB_BUS_BATCH];
    wshub__chan *chan = chans->head;
    size_t n = 0, i;

    /* Those whose time has come, and the oldest of more than may linger. */
    for (; chan && n < WSHUB_BUS_BATCH; chan = chan->next, n++) {
        if (chan->due > hub->now && hub->stats.bus_lingering <= (uint64_t)hub->desc.rooms_max + n)
            break;
        list[n].name = wshub__name_str(&chan->name);
        list[n].pattern = chan->name.kind == WSHUB__KIND_PATTERN;
    }
    if (!n) return 0;

    *ok = (chans == &hub->subs_out ? bus->unsubscribe : bus->subscribe)(bus->ctx, list, n);
    for (i = 0; *ok && i < n; i++) wshub__chan_free(hub, chans->head);
    return n;
}

/* Subscribes to what has come. False: to be continued. */
static bool wshub__subs_in_run(wshub *hub) {
    bool ok = true;
    while (wshub__chans_run(hub, &hub->subs_in, &ok) && ok) {
    }
    return ok;
}

/* Unsubscribes from what has lingered long enough, and from the oldest of more than rooms_max.
 * False: to be continued. */
static bool wshub__subs_out_run(wshub *hub) {
    bool ok = true;
    while (wshub__chans_run(hub, &hub->subs_out, &ok) && ok) {
    }
    return ok;
}

/* A channel on its way in or out, in the index and at its list's end. NULL: out of memory. */
static wshub__chan *wshub__chan_new(wshub *hub, wshub__kind kind, wshub_str channel, bool wanted) {
    wshub__chans *list = wanted ? &hub->subs_in : &hub->subs_out;
    uint32_t linger = hub->desc.bus_linger_ms;
    wshub__chan *chan;

    if (!wshub__index_reserve(&hub->mem, &hub->channels)) return NULL;
    chan = (wshub__chan *)wshub__mem_new(&hub->mem, sizeof *chan + channel.len);
    if (!chan) return NULL;

    memcpy(chan + 1, channel.ptr, channel.len);
    chan->name.ptr = (const char *)(chan + 1);
    chan->name.len = channel.len & WSHUB__NAME_LEN_MAX;
    chan->name.kind = (uint32_t)kind & 15;
    chan->out = !wanted;
    chan->due = hub->now + (wanted || linger == WSHUB_OFF ? 0 : linger);
    chan->prev = list->tail;
    *(chan->prev ? &chan->prev->next : &list->head) = chan;
    list->tail = chan;
    hub->subs_count++;
    if (chan->out) hub->stats.bus_lingering++;
    wshub__index_add(&hub->channels, &chan->name);
    WSHUB_ASSERT(hub->channels.count == hub->subs_count);
    return chan;
}

/* There is no memory to note that a channel has come or gone. Nothing is lost for good: for one
 * that is wanted all is subscribed to anew; one that is not is given up at once instead of some
 * time later, which needs no note. If the bus has no memory either, it stays, and what comes by it
 * is for nobody. */
WSHUB__COLD static void wshub__sub_at_once(wshub *hub, wshub__kind kind, wshub_str channel,
                                           bool wanted) {
    const wshub_bus *bus = &hub->uplink.bus;
    wshub_bus_channel one;

    if (wanted) {
        hub->replay = WSHUB__REPLAY_BASE;
    } else {
        one.name = channel;
        one.pattern = kind == WSHUB__KIND_PATTERN;
        (void)bus->unsubscribe(bus->ctx, &one, 1);
    }
    wshub__log(hub, WSHUB_LOG_NOMEM, wshub__nobody(), "a channel", channel);
}

/* The destination that a name of this kind is. */
static wshub_dest_kind wshub__kind_dest(uint32_t kind) {
    WSHUB_ASSERT(kind >= WSHUB__KIND_CLIENT && kind <= WSHUB__KIND_ROOM);
    return kind == WSHUB__KIND_CLIENT ? WSHUB_DEST_CLIENT
           : kind == WSHUB__KIND_USER ? WSHUB_DEST_USER
                                      : WSHUB_DEST_ROOM;
}

/* A channel, or a pattern of channels, is wanted from here on, or is not. The bus hears of it in
 * settle; of what comes and goes within a turn, or returns while it lingers, it hears nothing.
 * counted: who asks knows that it was not wanted before, or was. Returns OK or NOMEM. */
WSHUB__COLD static wshub_err wshub__sub(wshub *hub, wshub__kind kind, wshub_str channel,
                                        bool wanted, bool counted) {
    wshub__chan *chan = (wshub__chan *)(void *)wshub__index_find(&hub->channels, kind, channel);
    WSHUB_ASSERT(wshub__uplink_is_linked(&hub->uplink));
    if (chan && chan->out != wanted) return WSHUB_OK; /* that is noted already */

    /* On its way out and wanted again, or the other way round: it stays as it is. While all is
     * subscribed to anew what is on its way out need not have been subscribed to yet. */
    if (chan) {
        wshub__chan_free(hub, chan);
        if (wanted ? !hub->replay : counted) return WSHUB_OK;
    }

    chan = wshub__chan_new(hub, kind, channel, wanted);
    if (!chan) {
        wshub__sub_at_once(hub, kind, channel, wanted);
        return WSHUB_ERR_NOMEM;
    }

    /* A turn that leaves very many hands them over in its middle: an order makes no report. */
    if (chan->out && hub->stats.bus_lingering > hub->desc.rooms_max &&
        (hub->stats.bus_lingering - hub->desc.rooms_max) % WSHUB_BUS_BATCH == 0)
        (void)wshub__subs_out_run(hub);
    return WSHUB_OK;
}

/* May a change of what is wanted be noted? Where the bus is not connected, a replay is to come. */
static bool wshub__subs_open(const wshub *hub) {
    return !hub->dead && wshub__uplink_is_linked(&hub->uplink);
}

/* The same for a name of the first realm: its first has come, or its last has gone (BUS-4). */
WSHUB__COLD static void wshub__sub_name(wshub *hub, wshub__kind kind, wshub_str name, bool wanted) {
    char text[WSHUB__CHANNEL_BYTES_MAX];
    wshub_str channel;
    if (!hub->desc.bus_exact || !wshub__subs_open(hub)) return;
    WSHUB_ASSERT(name.ptr && name.len <= WSHUB_NAME_BYTES_MAX);
    channel = wshub__str(text, hub->uplink.words->channel(text, wshub__kind_dest(kind), name));
    (void)wshub__sub(hub, WSHUB__KIND_CHANNEL, channel, wanted, true);
}

/* The same for a name of another realm: who speaks for that is told. */
WSHUB__COLD static void wshub__tell_name(wshub *hub, const wshub__realm *realm, uint32_t kind,
                                         wshub_str name, bool here) {
    const wshub__speaker *speaker = &hub->dialects[realm->dialect];
    if (speaker->table.on_name)
        speaker->table.on_name(hub, wshub__realm_handle(realm), wshub__kind_dest(kind), name, here,
                               speaker->user);
}

/* ---- everything anew ---- */

/* Channels to be subscribed to together. Their names lie one behind the other in `names`, which
 * moves while it grows: the pointers of the list are filled in at the end. */
typedef struct wshub__batch {
    wshub_bus_channel list[WSHUB_BUS_BATCH];
    wshub__buf names;
    uint32_t count;
    uint32_t told; /* names that dialects have been told of meanwhile */
} wshub__batch;

/* Adds the channel of a name to a batch, or makes its buffer bad. */
static void wshub__batch_add(wshub *hub, wshub__batch *batch, uint32_t kind, wshub_str name) {
    size_t n;

    WSHUB_ASSERT(batch->count < WSHUB_BUS_BATCH);
    if (!wshub__buf_room(&hub->mem, &batch->names, WSHUB__CHANNEL_BYTES_MAX)) return;
    n = hub->uplink.words->channel((char *)batch->names.ptr + batch->names.len,
                                   wshub__kind_dest(kind), name);
    batch->names.len += (uint32_t)n;
    batch->list[batch->count].name.len = n;
    batch->list[batch->count++].pattern = false;
}

/* Subscribes to them. False: there is no memory, or the bus has no room. */
static bool wshub__batch_run(wshub *hub, wshub__batch *batch) {
    const wshub_bus *bus = &hub->uplink.bus;
    const char *at = (const char *)batch->names.ptr;
    uint32_t i;

    if (batch->names.bad) return false;
    for (i = 0; i < batch->count; i++) {
        batch->list[i].name.ptr = at;
        at += batch->list[i].name.len;
    }
    return batch->count == 0 || bus->subscribe(bus->ctx, batch->list, batch->count);
}

/* Is anybody to be told of the names of a realm, one by one? */
static bool wshub__realm_named_singly(const wshub *hub, const wshub__realm *realm) {
    if (!realm->number) return hub->desc.bus_exact;
    return realm->slot.link == WSHUB__LIVE && hub->dialects[realm->dialect].table.on_name;
}

/* The realm whose rooms or users are gone through. NULL: they need not be, or it has been destroyed
 * meanwhile. */
static const wshub__realm *wshub__replay_realm(const wshub *hub) {
    const wshub__realm *realm;
    if (hub->replay_realm > hub->realms.used) return NULL;
    realm = wshub__realm_at(hub, hub->replay_realm);
    return wshub__realm_named_singly(hub, realm) ? realm : NULL;
}

/* How many things a phase goes through. */
static uint32_t wshub__replay_count(const wshub *hub) {
    const wshub__realm *realm = wshub__replay_realm(hub);
    if (hub->replay == WSHUB__REPLAY_CLIENTS) return hub->clients.used;
    if (!realm) return 0;
    return hub->replay == WSHUB__REPLAY_ROOMS ? realm->rooms.count : realm->users.count;
}

/* A name that is here is to be heard of on the bus. */
static void wshub__replay_name(wshub *hub, wshub__batch *batch, const wshub__realm *realm,
                               uint32_t kind, wshub_str name) {
    if (!realm->number) {
        wshub__batch_add(hub, batch, kind, name);
    } else {
        wshub__tell_name(hub, realm, kind, name, true);
        batch->told++;
    }
}

/* The names of one thing of the phase. A client whose own room holds nobody else has one for that
 * room too (AUTH-7). */
static void wshub__replay_one(wshub *hub, wshub__batch *batch, uint32_t at) {
    const wshub__realm *realm = wshub__replay_realm(hub);
    const wshub__client *client;
    const wshub__name *name;

    if (hub->replay != WSHUB__REPLAY_CLIENTS) {
        const wshub__groups *groups =
            hub->replay == WSHUB__REPLAY_ROOMS ? &realm->rooms : &realm->users;
        name = &groups->items[at]->name;
        wshub__replay_name(hub, batch, realm, name->kind, wshub__name_str(name));
        return;
    }

    client = wshub__client_at(hub, at);
    if (client->slot.link != WSHUB__LIVE) return;
    realm = wshub__realm_of(hub, client);
    if (!wshub__realm_named_singly(hub, realm)) return;
    wshub__replay_name(hub, batch, realm, WSHUB__KIND_CLIENT, wshub__name_str(&client->name));
    if (client->own_room)
        wshub__replay_name(hub, batch, realm, WSHUB__KIND_ROOM, wshub__name_str(&client->name));
}

/* Subscribes to what every instance listens to, all of it or nothing, and has the dialects do the
 * same. */
static bool wshub__replay_base(wshub *hub) {
    const wshub_bus *bus = &hub->uplink.bus;
    const wshub_bus_channel *base;
    size_t count = hub->uplink.words->base(hub->desc.bus_exact, &base);
    bool singly = hub->desc.bus_exact;
    uint32_t i;

    WSHUB_ASSERT(hub->replay == WSHUB__REPLAY_BASE);
    if (!bus->subscribe(bus->ctx, base, count)) return false;

    /* What comes next, but where a dialect has no memory: then all of it once more. */
    for (i = 1; i < hub->dialects_count; i++) singly |= hub->dialects[i].table.on_name != NULL;
    hub->replay = singly ? WSHUB__REPLAY_ROOMS : WSHUB__REPLAY_DONE;
    hub->replay_realm = 0;
    hub->replay_at = UINT32_MAX;

    for (i = 1; i < hub->dialects_count; i++) {
        const wshub__speaker *speaker = &hub->dialects[i];
        if (speaker->table.on_bus_state)
            speaker->table.on_bus_state(hub, WSHUB_BUS_CONNECTED, speaker->user);
    }
    return hub->replay != WSHUB__REPLAY_BASE;
}

/* On to the next realm, or the next phase, when what there is of one has been gone through. */
static void wshub__replay_next(wshub *hub) {
    WSHUB_ASSERT(hub->replay > WSHUB__REPLAY_BASE);
    hub->replay_at = UINT32_MAX;
    if (hub->replay != WSHUB__REPLAY_CLIENTS && ++hub->replay_realm <= hub->realms.used) return;
    hub->replay_realm = 0;
    if (hub->replay++ == WSHUB__REPLAY_CLIENTS) hub->replay = WSHUB__REPLAY_DONE;
}

/* A batch of the phase. False: the bus has no room, or there is no memory. */
static bool wshub__replay_batch(wshub *hub, wshub__batch *batch) {
    uint32_t at, count = wshub__replay_count(hub);

    /* What dialects ask for waits in a list, which is not to pile up. */
    WSHUB_ASSERT(hub->replay > WSHUB__REPLAY_BASE);
    WSHUB_ASSERT(hub->subs_count >= hub->stats.bus_lingering);
    if (hub->subs_count - hub->stats.bus_lingering >= WSHUB_BUS_BATCH && !wshub__subs_in_run(hub))
        return false;

    batch->count = batch->told = batch->names.len = 0;
    at = hub->replay_at < count ? hub->replay_at : count;
    while (at && batch->count + 1 < WSHUB_BUS_BATCH && batch->told < WSHUB_BUS_BATCH &&
           !batch->names.bad) {
        wshub__replay_one(hub, batch, --at);
        if (hub->replay == WSHUB__REPLAY_BASE) return false; /* a dialect had no memory */
    }
    if (!wshub__batch_run(hub, batch)) return false;

    hub->replay_at = at;
    if (!at) wshub__replay_next(hub);
    return true;
}

/* Everything is subscribed to anew (BUS-5), a batch at a time. What a phase goes through is
 * walked downwards, so that what is removed and swapped behind meanwhile is not missed; what is
 * added meanwhile subscribes itself. False: the bus has no room, or there is no memory: to be
 * continued. */
WSHUB__COLD static bool wshub__replay_run(wshub *hub) {
    wshub__batch batch;
    bool ok = true;

    memset(&batch.names, 0, sizeof batch.names);
    if (hub->replay == WSHUB__REPLAY_BASE && !wshub__replay_base(hub)) return false;
    while (hub->replay && ok) ok = wshub__replay_batch(hub, &batch);
    wshub__buf_done(&hub->mem, &batch.names);
    return ok;
}

/* Hands over this turn's changes of what is subscribed to. False: to be continued. */
WSHUB__COLD static bool wshub__subs_run(wshub *hub) {
    WSHUB_ASSERT(wshub__uplink_is_linked(&hub->uplink));
    if (hub->replay && !wshub__replay_run(hub)) return false;
    return wshub__subs_in_run(hub) && wshub__subs_out_run(hub);
}

/* A name of a realm has come, or has gone: which channels the bus is asked for because of that is
 * decided here and nowhere else.
 *   kind  of the name: client, user or room
 *   here  true: the first of that name has come; false: the last has gone */
static void wshub__realm_named(wshub *hub, const wshub__realm *realm, wshub__kind kind,
                               wshub_str name, bool here) {
    if (realm == &hub->first_realm)
        wshub__sub_name(hub, kind, name, here);
    else if (wshub__subs_open(hub))
        wshub__tell_name(hub, realm, kind, name, here);
}

/* Puts a client behind the newest of its realm. */
static void wshub__client_link(wshub *hub, wshub__realm *realm, wshub__client *client) {
    WSHUB_ASSERT(!realm->newest == !realm->oldest);
    client->prev = realm->newest;
    if (client->prev) {
        wshub__client_at(hub, client->prev - 1)->next = client->index + 1;
    } else {
        realm->oldest = client->index + 1;
    }
    realm->newest = client->index + 1;
}

/* Takes a client out of its realm: from here on its id names nobody there. */
static void wshub__client_unlink(wshub *hub, wshub__client *client) {
    wshub__realm *realm = wshub__realm_of(hub, client);

    wshub__realm_named(hub, realm, WSHUB__KIND_CLIENT, wshub__name_str(&client->name), false);
    wshub__index_remove(&realm->index, &client->name);

    WSHUB_ASSERT(client->prev || realm->oldest == client->index + 1);
    WSHUB_ASSERT(client->next || realm->newest == client->index + 1);
    if (client->prev) {
        wshub__client_at(hub, client->prev - 1)->next = client->next;
    } else {
        realm->oldest = client->next;
    }
    if (client->next) {
        wshub__client_at(hub, client->next - 1)->prev = client->prev;
    } else {
        realm->newest = client->prev;
    }
    if (realm->clients_walked) wshub__walk_past(hub, realm, client->index + 1, client->prev);
    if (--hub->kinds[client->kind].clients == 0) hub->kinds_here &= ~(UINT64_C(1) << client->kind);
}

/* ---- >>rooms ---------------------------------------------------------------------------------
 * Rooms and users: a name and a dense array of members (a group). A member knows its place in
 * its client's list of rooms, and that list knows the place among the members, so that joining
 * and leaving cost the same in any crowd. A client that is in many rooms has a table of their
 * places, so that they cost the same there too. The room named like a client's id (AUTH-7) is a
 * flag in the client as long as nobody else is in it. What is gathered for a room (>>routing) is
 * given out before its members change. Fails with NOMEM or LIMIT, and then nothing has changed.
 * Calls >>walks, >>realms, >>clients, >>subs. Proved by tests/test_rooms.c, test_realms.c. */

/* ---- groups: a name and its members ---- */

/* The members of a group, in no order and without gaps: the first of them in the group itself, as
 * long as there has been but one. */
static wshub__member *wshub__members(wshub__group *group) {
    return group->cap ? group->at.many : &group->at.one;
}

static wshub__group *wshub__group_find(const wshub__realm *realm, wshub__kind kind,
                                       wshub_str name) {
    return (wshub__group *)wshub__index_find(&realm->index, kind, name);
}

/* The memory of a group that is in no index any more goes once its name is not shown either: a
 * user's is, until the end of its last client has been told. */
static void wshub__group_end(wshub *hub, wshub__group *group) {
    if (group->count || group->pins) return;
    if (group->cap) wshub__mem_free(&hub->mem, group->at.many, group->cap * sizeof(wshub__member));
    wshub__mem_free(&hub->mem, group, sizeof *group + group->name.len);
}

/* The list of a realm in which groups of a kind are. */
static wshub__groups *wshub__realm_groups(wshub__realm *realm, wshub__kind kind) {
    WSHUB_ASSERT(kind == WSHUB__KIND_ROOM || kind == WSHUB__KIND_USER);
    return kind == WSHUB__KIND_ROOM ? &realm->rooms : &realm->users;
}

/* How many groups of a kind the hub has, in all realms together. */
static uint32_t *wshub__groups_live(wshub *hub, wshub__kind kind) {
    return kind == WSHUB__KIND_ROOM ? &hub->rooms_live : &hub->users_live;
}

/* Makes a room or a user of a name that the realm has not. It is empty: whoever makes it puts
 * somebody into it, or frees it again. All or nothing. */
static wshub_err wshub__group_new(wshub *hub, wshub__realm *realm, wshub__kind kind, wshub_str name,
                                  wshub__group **out) {
    wshub__groups *list = wshub__realm_groups(realm, kind);
    uint32_t *live = wshub__groups_live(hub, kind);
    uint32_t most = kind == WSHUB__KIND_ROOM ? hub->desc.rooms_max : hub->desc.users_max;
    void *items = list->items;
    wshub__group *group;

    if (*live >= most) return WSHUB_ERR_LIMIT;

    /* All that is needed of memory, before anything changes. */
    if (!wshub__mem_grow(&hub->mem, &items, &list->cap, list->count + 1, sizeof *list->items))
        return WSHUB_ERR_NOMEM;
    list->items = (wshub__group **)items;
    if (!wshub__index_reserve(&hub->mem, &realm->index)) return WSHUB_ERR_NOMEM;
    group = (wshub__group *)wshub__mem_new(&hub->mem, sizeof *group + name.len);
    if (!group) return WSHUB_ERR_NOMEM;

    memcpy((char *)(group + 1), name.ptr, name.len);
    group->name.ptr = (const char *)(group + 1);
    group->name.len = name.len & WSHUB__NAME_LEN_MAX;
    group->name.kind = (uint32_t)kind & 15;
    group->realm = (uint16_t)realm->number;

    /* From here on nothing can fail. */
    WSHUB_ASSERT(list->count < list->cap);
    group->pos = list->count;
    list->items[list->count++] = group;
    ++*live;
    wshub__index_add(&realm->index, &group->name);
    wshub__realm_named(hub, realm, kind, name, true);
    *out = group;
    return WSHUB_OK;
}

/* Takes a group out of the list of its realm. The last of the list fills the gap, behind whom
 * walks over the list have yet to see. */
static void wshub__groups_remove(wshub *hub, wshub__groups *list, const wshub__group *group) {
    uint32_t hole = group->pos, from;

    WSHUB_ASSERT(hole < list->count);
    WSHUB_ASSERT(list->items[hole] == group);
    while (list->walked &&
           (from = wshub__walk_shift(hub, list, hole, &list->walked)) != WSHUB__NONE) {
        list->items[hole] = list->items[from];
        list->items[hole]->pos = hole;
        hole = from;
    }

    if (hole == --list->count) return;
    list->items[hole] = list->items[list->count];
    list->items[hole]->pos = hole;
}

/* The last member has left, or the first could not come in. */
static void wshub__group_free(wshub *hub, wshub__group *group) {
    wshub__kind kind = (wshub__kind)group->name.kind;
    wshub__realm *realm = wshub__realm_at(hub, group->realm);

    WSHUB_ASSERT(group->count == 0);
    WSHUB_ASSERT(*wshub__groups_live(hub, kind) > 0);
    wshub__realm_named(hub, realm, kind, wshub__name_str(&group->name), false);
    wshub__index_remove(&realm->index, &group->name);
    if (group->walked) wshub__walk_stop(hub, group);
    wshub__groups_remove(hub, wshub__realm_groups(realm, kind), group);
    --*wshub__groups_live(hub, kind);
    wshub__group_end(hub, group);
}

/* Room for more members than there are; the first lay in the group itself. False: out of memory,
 * nothing changed. */
WSHUB__COLD static bool wshub__group_grow(wshub *hub, wshub__group *group) {
    wshub__member one = *wshub__members(group);
    void *many = group->cap ? group->at.many : NULL;
    bool here = !group->cap;
    if (!wshub__mem_grow(&hub->mem, &many, &group->cap, group->count + 1, sizeof one)) return false;
    if (here) *(wshub__member *)many = one;
    group->at.many = (wshub__member *)many;
    return true;
}

/* Makes sure that a group has room for one member more. False: out of memory, nothing changed. */
static bool wshub__group_room(wshub *hub, wshub__group *group) {
    return group->count < (group->cap ? group->cap : 1) || wshub__group_grow(hub, group);
}

/* Adds a member; there is room. Returns its position. place: of the room in the client's list;
 * not used of users. */
static uint32_t wshub__group_add(wshub__group *group, uint32_t client, uint32_t place) {
    wshub__member *member = &wshub__members(group)[group->count];

    WSHUB_ASSERT(group->count < (group->cap ? group->cap : 1));
    member->client = client;
    member->place = place;
    return group->count++;
}

/* ---- a client's list of rooms ----
 * An array of rooms, one of the client's positions among their members, and beyond
 * WSHUB__ROOMS_FEW a hash table, all in one block. The table has two entries for each room,
 * which hold its place + 1, or 0 where they are empty: open addressing by the keyed hash that
 * the room's name has already. So a room is found in a client's list in the same time however
 * many it is in (ROOM-3, ROOM-5). */
#define WSHUB__ROOMS_FEW 16u
#define WSHUB__ROOMS_MOST (1u << 27) /* as many rooms of one client fit into no memory */

static size_t wshub__rooms_bytes(uint32_t cap) {
    return cap * (sizeof(wshub__group *) + sizeof(uint32_t)) +
           (cap > WSHUB__ROOMS_FEW ? 2 * cap * sizeof(uint32_t) : 0);
}

static uint32_t *wshub__room_positions(const wshub__client *client) {
    return (uint32_t *)(void *)(client->rooms + client->rooms_cap);
}

static uint32_t *wshub__rooms_table(const wshub__client *client) {
    return wshub__room_positions(client) + client->rooms_cap;
}

/* Where a room stands in the table, or the empty entry where it would. */
static uint32_t wshub__rooms_entry(const wshub__client *client, const wshub__group *room) {
    const uint32_t *table = wshub__rooms_table(client);
    uint32_t mask = 2 * client->rooms_cap - 1, i = room->name.hash & mask;
    WSHUB_ASSERT(client->rooms_cap > WSHUB__ROOMS_FEW);
    while (table[i] && client->rooms[table[i] - 1] != room) i = (i + 1) & mask;
    return i;
}

/* Takes a room out of the table, and closes the gap behind its entry. */
static void wshub__rooms_forget(wshub__client *client, const wshub__group *room) {
    uint32_t *table = wshub__rooms_table(client);
    uint32_t mask = 2 * client->rooms_cap - 1, hole = wshub__rooms_entry(client, room), i;

    WSHUB_ASSERT(table[hole]);
    for (i = (hole + 1) & mask; table[i]; i = (i + 1) & mask) {
        uint32_t home = client->rooms[table[i] - 1]->name.hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table[hole] = table[i];
            hole = i;
        }
    }
    table[hole] = 0;
}

/* The place of a room in a client's list. WSHUB__NONE: it is not in there. */
static uint32_t wshub__room_place(const wshub__client *client, const wshub__group *room) {
    uint32_t i;

    if (client->rooms_cap > WSHUB__ROOMS_FEW) {
        i = wshub__rooms_table(client)[wshub__rooms_entry(client, room)];
        return i ? i - 1 : WSHUB__NONE;
    }
    for (i = 0; i < client->rooms_count; i++) {
        if (client->rooms[i] == room) return i;
    }
    return WSHUB__NONE;
}

/* Makes the block of a client's rooms one for cap of them: a power of two, and enough for those
 * that it is in. False: out of memory, nothing changed. */
static bool wshub__rooms_resize(wshub *hub, wshub__client *client, uint32_t cap) {
    wshub__client old = *client;
    uint32_t i;
    void *block;

    WSHUB_ASSERT(cap >= client->rooms_count);
    WSHUB_ASSERT((cap & (cap - 1)) == 0);
    if (WSHUB__NEVER(cap > WSHUB__ROOMS_MOST)) return false;
    block = hub->mem.fn(hub->mem.user, NULL, 0, wshub__rooms_bytes(cap));
    if (!block) return false;

    client->rooms = (wshub__group **)block;
    client->rooms_cap = cap;
    if (old.rooms) {
        memcpy(client->rooms, old.rooms, old.rooms_count * sizeof *client->rooms);
        memcpy(wshub__room_positions(client), wshub__room_positions(&old),
               old.rooms_count * sizeof(uint32_t));
        wshub__mem_free(&hub->mem, old.rooms, wshub__rooms_bytes(old.rooms_cap));
    }
    if (cap <= WSHUB__ROOMS_FEW) return true;

    memset(wshub__rooms_table(client), 0, 2 * cap * sizeof(uint32_t));
    for (i = 0; i < client->rooms_count; i++)
        wshub__rooms_table(client)[wshub__rooms_entry(client, client->rooms[i])] = i + 1;
    return true;
}

/* ---- coming in ---- */

/* Puts a client into a room in which it is not. All or nothing. */
static wshub_err wshub__room_add(wshub *hub, wshub__client *client, wshub__group *room) {
    uint32_t place = client->rooms_count;

    WSHUB_ASSERT(client->realm == room->realm);
    if (place == client->rooms_cap &&
        !wshub__rooms_resize(hub, client, client->rooms_cap ? client->rooms_cap * 2 : 2))
        return WSHUB_ERR_NOMEM;
    if (!wshub__group_room(hub, room)) return WSHUB_ERR_NOMEM;

    /* What is gathered goes to those who were there. */
    if (hub->run.room == room) wshub__run_out(hub);

    client->rooms[place] = room;
    wshub__room_positions(client)[place] = wshub__group_add(room, client->index, place);
    if (client->rooms_cap > WSHUB__ROOMS_FEW) {
        uint32_t entry = wshub__rooms_entry(client, room);
        wshub__rooms_table(client)[entry] = place + 1;
    }
    client->rooms_count++;
    WSHUB_ASSERT(client->rooms_count <= client->rooms_cap);
    WSHUB_ASSERT(wshub__members(room)[wshub__room_positions(client)[place]].place == place);
    return WSHUB_OK;
}

/* ---- leaving ---- */

/* Moves a member of a group to another position, over whoever is there. */
static void wshub__group_move(wshub *hub, wshub__group *group, uint32_t from, uint32_t to) {
    wshub__member *members = wshub__members(group);
    wshub__client *client = wshub__client_at(hub, members[from].client);

    WSHUB_ASSERT(to <= from); /* gaps are filled from behind */
    if (from == to) return;
    members[to] = members[from];
    if (group->name.kind == WSHUB__KIND_ROOM) {
        WSHUB_ASSERT(wshub__room_positions(client)[members[to].place] == from);
        wshub__room_positions(client)[members[to].place] = to;
    } else {
        WSHUB_ASSERT(client->user_pos == from);
        client->user_pos = to;
    }
}

/* A member leaves a position in front of walks over the group: whom these have yet to see moves
 * up. Returns where the gap is then, which the last of all may fill. */
WSHUB__COLD static uint32_t wshub__group_shift(wshub *hub, wshub__group *group, uint32_t pos) {
    uint32_t from;
    bool walked = true;

    while ((from = wshub__walk_shift(hub, group, pos, &walked)) != WSHUB__NONE) {
        wshub__group_move(hub, group, from, pos);
        pos = from;
    }
    group->walked = walked;
    return pos;
}

/* Takes the member at a position out of a group, and frees the group with its last. */
static void wshub__group_remove(wshub *hub, wshub__group *group, uint32_t pos) {
    WSHUB_ASSERT(pos < group->count);
    WSHUB_ASSERT(group->count <= (group->cap ? group->cap : 1));
    if (hub->run.room == group) wshub__run_out(hub);
    if (group->walked) pos = wshub__group_shift(hub, group, pos);
    wshub__group_move(hub, group, --group->count, pos);

    /* A crowd has gone. */
    if (group->cap > WSHUB__CAP_KEPT && group->count <= group->cap / 8) {
        void *many = group->at.many;
        wshub__mem_shrink(&hub->mem, &many, &group->cap, group->count, sizeof(wshub__member));
        group->at.many = (wshub__member *)many;
    }
    if (group->count == 0) wshub__group_free(hub, group);
}

/* Moves a room of a client's list to another place, over what is there. */
static void wshub__place_move(wshub__client *client, uint32_t from, uint32_t to) {
    uint32_t *positions = wshub__room_positions(client);
    if (from == to) return;
    if (client->rooms_cap > WSHUB__ROOMS_FEW)
        wshub__rooms_table(client)[wshub__rooms_entry(client, client->rooms[from])] = to + 1;
    client->rooms[to] = client->rooms[from];
    positions[to] = positions[from];
    wshub__members(client->rooms[to])[positions[to]].place = to;
}

/* The same for a client's list of rooms as wshub__group_shift() for the members of a group. */
WSHUB__COLD static uint32_t wshub__place_shift(wshub *hub, wshub__client *client, uint32_t place) {
    uint32_t from;
    while ((from = wshub__walk_shift(hub, &client->rooms, place, &client->rooms_walked)) !=
           WSHUB__NONE) {
        wshub__place_move(client, from, place);
        place = from;
    }
    return place;
}

/* Takes the room at a place out of a client's list, and the client out of the room. */
static void wshub__room_drop(wshub *hub, wshub__client *client, uint32_t place) {
    wshub__group *room = client->rooms[place];
    uint32_t pos = wshub__room_positions(client)[place];

    WSHUB_ASSERT(place < client->rooms_count);
    WSHUB_ASSERT(pos < room->count);
    WSHUB_ASSERT(wshub__members(room)[pos].client == client->index);
    WSHUB_ASSERT(wshub__members(room)[pos].place == place);
    if (client->rooms_cap > WSHUB__ROOMS_FEW) wshub__rooms_forget(client, room);
    if (client->rooms_walked) place = wshub__place_shift(hub, client, place);
    wshub__place_move(client, --client->rooms_count, place);

    /* What the most rooms ever took is given back; without memory for that, it stays. */
    if (client->rooms_cap > WSHUB__ROOMS_FEW && client->rooms_count <= client->rooms_cap / 8)
        (void)wshub__rooms_resize(hub, client, client->rooms_cap / 4);
    wshub__group_remove(hub, room, pos);
}

/* ---- rooms by their names ---- */

/* Makes the room of a name. A client whose own-id room it was until now becomes its first
 * member, as a flag does for it alone, not for two. One that is gone does not, but its flag goes
 * too: the name is the new room's from here on, and not to be given up when the client leaves.
 * All or nothing. */
WSHUB__COLD static wshub_err wshub__room_make(wshub *hub, wshub__realm *realm, wshub_str name,
                                              wshub__group **out_room) {
    wshub__client *owner = wshub__client_by_id(realm, name);
    wshub_err err = wshub__group_new(hub, realm, WSHUB__KIND_ROOM, name, out_room);

    if (err || !owner || !owner->own_room) return err;

    if (!wshub__is_gone(owner)) err = wshub__room_add(hub, owner, *out_room);
    if (err) {
        wshub__group_free(hub, *out_room);
        wshub__realm_named(hub, realm, WSHUB__KIND_ROOM, name, true); /* it is the owner's still */
        return err;
    }
    WSHUB_ASSERT(hub->own_rooms > 0);
    owner->own_room = false;
    hub->own_rooms--;
    return WSHUB_OK;
}

/* Puts a client into the room of a name (ROOM-5: once). All or nothing, but that a room in which
 * its owner is alone may have become one of the many. */
static wshub_err wshub__room_join(wshub *hub, wshub__client *client, wshub_str name) {
    wshub__realm *realm = wshub__realm_of(hub, client);
    wshub__group *room = wshub__group_find(realm, WSHUB__KIND_ROOM, name);
    wshub_err err;

    if (client->own_room && wshub_str_eq(name, wshub__name_str(&client->name))) return WSHUB_OK;
    if (room && wshub__room_place(client, room) != WSHUB__NONE) return WSHUB_OK;
    if (client->rooms_count + (client->own_room ? 1u : 0u) >= hub->desc.rooms_per_client_max) {
        wshub__client_limit(hub, client, "rooms_per_client_max", hub->desc.rooms_per_client_max);
        return WSHUB_ERR_LIMIT;
    }

    if (!room && (err = wshub__room_make(hub, realm, name, &room)) != WSHUB_OK) {
        if (err == WSHUB_ERR_LIMIT)
            wshub__client_limit(hub, client, "rooms_max", hub->desc.rooms_max);
        return err;
    }
    err = wshub__room_add(hub, client, room);
    if (err && !room->count) wshub__group_free(hub, room);
    return err;
}

/* Takes a client out of the room of a name. False: it was not in there. */
static bool wshub__room_leave(wshub *hub, wshub__client *client, wshub_str name) {
    wshub__realm *realm = wshub__realm_of(hub, client);
    wshub__group *room;
    uint32_t place;

    if (client->own_room && wshub_str_eq(name, wshub__name_str(&client->name))) {
        WSHUB_ASSERT(hub->own_rooms > 0);
        client->own_room = false;
        hub->own_rooms--;
        wshub__realm_named(hub, realm, WSHUB__KIND_ROOM, name, false);
        return true;
    }

    room = wshub__group_find(realm, WSHUB__KIND_ROOM, name);
    place = room ? wshub__room_place(client, room) : WSHUB__NONE;
    if (place == WSHUB__NONE) return false;
    wshub__room_drop(hub, client, place);
    return true;
}

/* Puts a client into the room named like its id (AUTH-7): a flag, unless others are in it
 * already. */
static wshub_err wshub__room_join_own(wshub *hub, wshub__client *client) {
    wshub__realm *realm = wshub__realm_of(hub, client);
    wshub_str name = wshub__name_str(&client->name);
    wshub__group *room = wshub__group_find(realm, WSHUB__KIND_ROOM, name);

    WSHUB_ASSERT(!client->own_room);
    if (room)
        return wshub__room_place(client, room) == WSHUB__NONE ? wshub__room_add(hub, client, room)
                                                              : WSHUB_OK;
    client->own_room = true;
    hub->own_rooms++;
    wshub__realm_named(hub, realm, WSHUB__KIND_ROOM, name, true);
    return WSHUB_OK;
}

/* Takes a client out of all its rooms, and gives back what the list of them took. */
static void wshub__room_leave_all(wshub *hub, wshub__client *client) {
    if (client->own_room) (void)wshub__room_leave(hub, client, wshub__name_str(&client->name));
    while (client->rooms_count) wshub__room_drop(hub, client, client->rooms_count - 1);
    wshub__mem_free(&hub->mem, client->rooms, wshub__rooms_bytes(client->rooms_cap));
    client->rooms = NULL;
    client->rooms_cap = 0;
}

/* ---- users ---- */

/* Makes a client one of a user's, who may be new. All or nothing. */
static wshub_err wshub__user_add(wshub *hub, wshub__client *client, wshub_str id) {
    wshub__realm *realm = wshub__realm_of(hub, client);
    wshub__group *user = wshub__group_find(realm, WSHUB__KIND_USER, id);

    WSHUB_ASSERT(!client->user);
    if (!user) {
        wshub_err err = wshub__group_new(hub, realm, WSHUB__KIND_USER, id, &user);
        if (err == WSHUB_ERR_LIMIT)
            wshub__client_limit(hub, client, "users_max", hub->desc.users_max);
        if (err) return err;
    }
    if (!wshub__group_room(hub, user)) return WSHUB_ERR_NOMEM; /* never of a new one */

    client->user = user;
    client->user_pos = wshub__group_add(user, client->index, 0);
    return WSHUB_OK;
}

/* A client is its user's no more, if it has one. */
static void wshub__user_drop(wshub *hub, wshub__client *client) {
    if (!client->user) return;
    WSHUB_ASSERT(wshub__members(client->user)[client->user_pos].client == client->index);
    wshub__group_remove(hub, client->user, client->user_pos);
    client->user = NULL;
}

/* ---- >>ask -------------------------------------------------------------------------------------
 * Questions that the application has yet to answer: at once, later, from another thread, or
 * never. A client has a list of its own. What the answers do is in >>answers. Proved by
 * tests/test_auth.c. */

typedef enum wshub__ask_kind {
    WSHUB__ASK_AUTH,
    WSHUB__ASK_HANDSHAKE,
    WSHUB__ASK_JOIN,
    WSHUB__ASK_OUT,
    WSHUB__ASK_IN
} wshub__ask_kind;

typedef struct wshub__ask {
    wshub__slot slot;
    uint32_t index;      /* its own */
    uint32_t client;     /* index */
    uint32_t next, prev; /* of the same client: index + 1 */
    wshub__ask_kind kind;
    struct wshub__xform *xform;
} wshub__ask;

/* The state in which a client is when a question about it is asked. */
static const uint8_t wshub__ask_asked_in[] = {
    WSHUB__CLIENT_AUTHENTICATING, /* auth */
    WSHUB__CLIENT_AUTHENTICATING, /* handshake */
    WSHUB__CLIENT_AUTHENTICATED,  /* join */
    WSHUB__CLIENT_AUTHENTICATED,  /* out */
    WSHUB__CLIENT_AUTHENTICATED   /* in */
};

static wshub__ask *wshub__ask_at(const wshub *hub, uint32_t index) {
    return (wshub__ask *)wshub__pool_at(&hub->asks, index);
}

/* Opens a question about a client. NULL: out of memory, nothing changed. */
static wshub__ask *wshub__ask_new(wshub *hub, wshub__client *client, wshub__ask_kind kind,
                                  wshub_ask *out_ask) {
    uint32_t index;
    wshub__ask *ask = (wshub__ask *)wshub__pool_take(&hub->mem, &hub->asks, &index);

    WSHUB_ASSERT(!client->asks == !client->asks_count);
    WSHUB_ASSERT(client->state == wshub__ask_asked_in[kind]);
    (void)wshub__ask_asked_in;
    if (!ask) return NULL;

    ask->kind = kind;
    ask->index = index;
    ask->client = client->index;

    /* It becomes the first in its client's list. */
    ask->next = client->asks;
    if (ask->next) wshub__ask_at(hub, ask->next - 1)->prev = index + 1;
    client->asks = index + 1;
    client->asks_count++;

    out_ask->id = wshub__pool_handle(&hub->asks, index);
    return ask;
}

/* A question is answered, or its client has left: from here on its handle is stale. */
static void wshub__ask_free(wshub *hub, wshub__ask *ask) {
    wshub__client *client = wshub__client_at(hub, ask->client);

    WSHUB_ASSERT(client->slot.link == WSHUB__LIVE);
    WSHUB_ASSERT(client->asks_count > 0);
    WSHUB_ASSERT(ask->prev || client->asks == ask->index + 1);

    if (ask->prev) {
        wshub__ask_at(hub, ask->prev - 1)->next = ask->next;
    } else {
        client->asks = ask->next;
    }
    if (ask->next) wshub__ask_at(hub, ask->next - 1)->prev = ask->prev;
    client->asks_count--;

    wshub__pool_free(&hub->asks, ask->index);
    WSHUB_ASSERT(!client->asks == !client->asks_count);
}

/* Finds a question and its client, who must be there still. */
static wshub_err wshub__ask_find(const wshub *hub, wshub_ask ask, wshub__ask **out_ask,
                                 wshub__client **out_client) {
    *out_ask = (wshub__ask *)wshub__pool_get(&hub->asks, ask.id);
    if (!*out_ask) return WSHUB_ERR_STALE;
    *out_client = wshub__client_at(hub, (*out_ask)->client);
    WSHUB_ASSERT((*out_client)->slot.link == WSHUB__LIVE); /* it takes its questions along */
    WSHUB_ASSERT((*out_client)->asks);
    return wshub__is_gone(*out_client) ? WSHUB_ERR_STALE : WSHUB_OK;
}

/* An answer came too late, or twice: it does no harm (AUTH-3). */
WSHUB__COLD static wshub_err wshub__ask_stale(wshub *hub) {
    wshub__log(hub, WSHUB_LOG_IGNORED, wshub__nobody(), "answer to a question that is gone",
               wshub__str(NULL, 0));
    wshub__log_leave(hub);
    return WSHUB_ERR_STALE;
}

/* ---- >>session -------------------------------------------------------------------------------
 * One peer: its out-queue, its heartbeat, its clients. Where there is a conn the session is that
 * stream and nothing more, so that the usual client costs nothing for it; a lent session is a
 * stream without a conn, whose queue its dialect hands out. The clients of a session hang in a
 * chain at its stream. Proved by tests/test_dialect.c. */

/* The index of a stream, and the half of its id that tells it from those that had the index
 * before. */
static wshub_session wshub__session_handle(const wshub__conn *conn) {
    wshub_session handle;
    WSHUB_ASSERT(conn->id);
    WSHUB_ASSERT(conn->id >> 32); /* so that no session is {0} */
    handle.id = (conn->id & ~(uint64_t)UINT32_MAX) | wshub__conn_index(conn);
    return handle;
}

static wshub__conn *wshub__session_get(const wshub *hub, wshub_session session) {
    wshub__conn *conn = wshub__conn_find(hub, (uint32_t)session.id);
    if (!conn || !conn->id || conn->id >> 32 != session.id >> 32) return NULL;
    return wshub__conn_link(hub, conn) ? NULL : conn;
}

WSHUB_API wshub_session wshub_conn_session(const wshub *hub, wshub_conn conn) {
    const wshub__conn *found = wshub__conn_get(hub, conn);
    wshub_session none;
    none.id = 0;
    return found && found->state >= WSHUB__CONN_OPEN ? wshub__session_handle(found) : none;
}

WSHUB_API wshub_client wshub_session_client(const wshub *hub, wshub_session session) {
    const wshub__conn *conn = wshub__session_get(hub, session);
    if (!conn || !conn->above) return wshub__nobody();
    return wshub__client_handle(hub, wshub__conn_client(hub, conn));
}

WSHUB_API wshub_client wshub_conn_client(const wshub *hub, wshub_conn conn) {
    const wshub__conn *found = wshub__conn_get(hub, conn);
    if (!found || !found->above) return wshub__nobody();
    return wshub__client_handle(hub, wshub__conn_client(hub, found));
}

WSHUB_API wshub_session wshub_client_session(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_get(hub, client);
    wshub_session none;
    none.id = 0;
    if (!found) return none;
    WSHUB_ASSERT(found->conn != WSHUB__NONE);
    return wshub__session_handle(wshub__conn_at(hub, found->conn));
}

WSHUB_API bool wshub_session_each_client(const wshub *hub, wshub_session session, wshub_iter *iter,
                                         wshub_client *out_client) {
    const wshub__conn *conn = wshub__session_get(hub, session);
    const wshub__client *client;
    uint32_t at;

    if (!conn || iter->phase > 1) return false;
    at = iter->phase ? (uint32_t)iter->pos : conn->above;
    while (at && wshub__is_gone(wshub__client_at(hub, at - 1)))
        at = wshub__client_at(hub, at - 1)->next_of_session;
    iter->phase = at ? 1 : 2;
    if (!at) return false;
    client = wshub__client_at(hub, at - 1);
    iter->pos = client->next_of_session;
    *out_client = wshub__client_handle(hub, client);
    return true;
}

/* A client joins the chain of its stream, or leaves it. */
static void wshub__session_link(wshub__conn *conn, wshub__client *client) {
    WSHUB_ASSERT(conn->id);
    WSHUB_ASSERT(conn->above != client->index + 1);
    client->conn = wshub__conn_index(conn);
    client->next_of_session = conn->above;
    conn->above = client->index + 1;
    WSHUB_ASSERT(client->next_of_session != conn->above);
}

static void wshub__session_unlink(const wshub *hub, wshub__client *client) {
    wshub__conn *conn = wshub__conn_at(hub, client->conn);
    uint32_t at = conn->above;

    WSHUB_ASSERT(client->slot.link == WSHUB__LIVE);
    WSHUB_ASSERT(at); /* it is in this chain */
    if (at == client->index + 1) {
        conn->above = client->next_of_session;
        return;
    }
    while (wshub__client_at(hub, at - 1)->next_of_session != client->index + 1)
        at = wshub__client_at(hub, at - 1)->next_of_session;
    wshub__client_at(hub, at - 1)->next_of_session = client->next_of_session;
}

/* Gives a client its id: that of the description, or a UUID. False: the realm has no memory for it;
 * *out_taken: it is somebody's already, or the io's randomness gives ids that are. */
static bool wshub__client_name(wshub *hub, wshub__realm *realm, wshub__client *client, wshub_str id,
                               bool *out_taken) {
    uint8_t bytes[16];

    *out_taken = false;
    if (id.ptr) {
        WSHUB_ASSERT(id.len && id.len <= WSHUB__ID_BYTES);
        memcpy(client->id, id.ptr, id.len);
    } else {
        wshub__random(hub, bytes, sizeof bytes);
        wshub__uuid(bytes, client->id);
        id.len = WSHUB__UUID_BYTES;
    }
    client->name.ptr = client->id;
    client->name.len = id.len & WSHUB__NAME_LEN_MAX;
    client->name.kind = WSHUB__KIND_CLIENT;
    WSHUB_ASSERT(client->name.len == id.len); /* it fits into the bits that there are for it */
    if (!wshub__index_reserve(&hub->mem, &realm->index)) return false;
    *out_taken = !wshub__index_put(&realm->index, &client->name);
    realm->id_lengths |= UINT64_C(1) << id.len;
    return !*out_taken;
}

/* A new client of a realm, unauthorized, at a stream. Returns OK; STALE: no such realm; NOMEM;
 * STATE: the id is taken. On failure nothing has changed. */
static wshub_err wshub__client_new(wshub *hub, wshub__conn *conn, const wshub_client_desc *desc,
                                   wshub__client **out_client) {
    wshub__realm *realm = wshub__realm_get(hub, desc->realm);
    wshub__client *client;
    uint32_t index;
    bool taken;

    if (!realm) return WSHUB_ERR_STALE;
    client = (wshub__client *)wshub__pool_take(&hub->mem, &hub->clients, &index);
    if (!client) return WSHUB_ERR_NOMEM;
    if (!wshub__client_name(hub, realm, client, desc->id, &taken)) {
        wshub__pool_free(&hub->clients, index);
        return taken ? WSHUB_ERR_STATE : WSHUB_ERR_NOMEM;
    }

    client->index = index;
    client->realm = (uint16_t)realm->number;
    WSHUB_ASSERT(client->realm == realm->number);
    WSHUB_ASSERT(desc->dialect < hub->dialects_count);
    WSHUB_ASSERT(desc->kind < hub->kinds_count);
    client->dialect = desc->dialect & 15;
    client->kind = desc->kind;
    client->special = desc->kind != 0;
    if (hub->kinds[desc->kind].clients++ == 0) hub->kinds_here |= UINT64_C(1) << desc->kind;
    client->user_ptr = desc->user_ptr;
    client->time = hub->now + hub->desc.auth_timeout_ms; /* AUTH-1 */
    wshub__client_to(hub, client, WSHUB__CLIENT_UNAUTHORIZED);
    if (!conn->above) conn->allowance = hub->desc.preauth_bytes_max;
    wshub__client_link(hub, realm, client);
    wshub__session_link(conn, client);
    wshub__realm_named(hub, realm, WSHUB__KIND_CLIENT, wshub__name_str(&client->name), true);
    WSHUB_ASSERT(client->state == WSHUB__CLIENT_UNAUTHORIZED);
    WSHUB_ASSERT(wshub__client_by_id(realm, wshub__name_str(&client->name)) == client);
    *out_client = client;
    return WSHUB_OK;
}

/* Ends a session: its clients first, then the stream, with that code if there is a conn. */
static void wshub__session_close(wshub *hub, wshub__conn *conn, wshub_cause cause, uint16_t code,
                                 wshub_str reason) {
    if (!wshub__conn_is_lent(conn)) {
        wshub__conn_close(hub, conn, cause, code, reason);
        return;
    }
    if (conn->state >= WSHUB__CONN_ABORTING) return;
    wshub__conn_lent(hub, conn)->cause = cause;
    WSHUB_ASSERT(conn->state == WSHUB__CONN_OPEN); /* of a lent session there is nothing between */
    wshub__conn_end(hub, conn, cause, code, reason);
    wshub__conn_abort(hub, conn, cause, code, "");
}

/* The peer broke a rule. */
WSHUB__COLD static void wshub__session_fail(wshub *hub, wshub__conn *conn, uint16_t code,
                                            const char *why) {
    WSHUB_ASSERT(conn->id);
    WSHUB_ASSERT(why[0]);
    if (!wshub__conn_is_lent(conn)) {
        wshub__conn_fail(hub, conn, code, why);
        return;
    }
    hub->stats.protocol_errors++;
    wshub__conn_log(hub, WSHUB_LOG_PROTO, conn, why);
    wshub__session_close(hub, conn, WSHUB_BY_PROTOCOL, code, wshub_str_z(why));
}

WSHUB__COLD WSHUB_API wshub_err wshub_session_lend(wshub *hub, uint32_t dialect, void *owner,
                                                   wshub_session *out_session) {
    wshub__conn *conn = NULL;
    wshub__lent *lent;
    uint32_t number;

    if (!out_session || dialect >= hub->dialects_count || !hub->dialects[dialect].table.owed)
        return WSHUB_ERR_PARAM;
    if (hub->phase >= WSHUB__STOPPING) return WSHUB_ERR_CLOSED;
    if (hub->conns_live >= hub->desc.conns_max) return WSHUB_ERR_LIMIT;

    lent = (wshub__lent *)wshub__pool_take(&hub->mem, &hub->lents, &number);
    if (!lent) return WSHUB_ERR_NOMEM;
    conn = wshub__conn_make(hub, wshub__conn_slot(WSHUB__LENT | number),
                            wshub__pool_handle(&hub->lents, number) | WSHUB__LENT);
    if (!conn) {
        wshub__pool_free(&hub->lents, number);
        return WSHUB_ERR_NOMEM;
    }
    lent->owner = owner;
    lent->dialect = dialect;
    lent->cause = WSHUB_BY_SHUTDOWN;

    /* There is no io that takes anything, and each message lies by itself. */
    wshub__conn_to(hub, conn, WSHUB__CONN_OPEN);
    conn->allowance = WSHUB__NONE;
    conn->blocked = conn->pressured = true;
    WSHUB_ASSERT(wshub__conn_is_lent(conn));
    *out_session = wshub__session_handle(conn);
    return WSHUB_OK;
}

WSHUB_API void *wshub_session_owner(const wshub *hub, wshub_session session) {
    const wshub__conn *conn = wshub__session_get(hub, session);
    return conn && wshub__conn_is_lent(conn) ? wshub__conn_lent(hub, conn)->owner : NULL;
}

WSHUB_API size_t wshub_session_spans(const wshub *hub, wshub_session session, wshub_span *spans,
                                     size_t cap) {
    wshub__conn *conn = wshub__session_get(hub, session);
    size_t count, i;

    if (!conn || !wshub__conn_is_lent(conn) || !conn->queued) return 0;
    wshub__run_out(hub->self);
    WSHUB_ASSERT(!hub->gathered);
    count = wshub__queue_count(conn);
    WSHUB_ASSERT(count > 0);
    for (i = 0; i < count && i < cap; i++) {
        const wshub__span *span = wshub__queue_span(conn, (uint32_t)i);
        spans[i].ptr = wshub__seg_bytes(span->seg) + span->at;
        spans[i].len = span->len;
    }
    return count;
}

/* Would a message be handed out in part with so many bytes? */
static bool wshub__session_splits(wshub__conn *conn, size_t bytes) {
    uint32_t k = 0;

    WSHUB_ASSERT(bytes <= conn->queued);
    for (; bytes; k++) {
        uint32_t len = wshub__queue_span(conn, k)->len;
        if (bytes < len) return true;
        bytes -= len;
    }
    return false;
}

WSHUB_API wshub_err wshub_session_taken(wshub *hub, wshub_session session, size_t bytes) {
    wshub__conn *conn = wshub__session_get(hub, session);
    if (!conn) return WSHUB_ERR_STALE;
    if (!wshub__conn_is_lent(conn) || bytes > conn->queued) return WSHUB_ERR_PARAM;
    if (bytes) wshub__conn_lent(hub, conn)->split = wshub__session_splits(conn, bytes);
    wshub__queue_consume(hub, conn, bytes);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_session_heard(wshub *hub, wshub_session session) {
    wshub__conn *conn = wshub__session_get(hub, session);
    if (!conn) return WSHUB_ERR_STALE;
    wshub__conn_heard(hub, conn);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_session_end(wshub *hub, wshub_session session, wshub_cause cause,
                                      uint16_t code, wshub_str reason) {
    wshub__conn *conn = wshub__session_get(hub, session);
    if (!wshub__close_ok(code, reason)) return WSHUB_ERR_PARAM;
    if (!conn) return WSHUB_ERR_STALE;
    wshub__enter(hub);
    wshub__session_close(hub, conn, cause, code, reason);
    wshub__leave(hub);
    return WSHUB_OK;
}

/* ---- >>gate ----------------------------------------------------------------------------------
 * A delivery: one message on its way to any number of clients. It has one encoding for each kind
 * of wire among them, made when the first of that kind is met. And the one gate that every
 * delivery to a client passes, whatever its kind and whichever way it comes: encryption, the
 * encoding, the limits on what waits (SEND-6). Calls no callback but those that encode. Uses
 * >>queue. Proved by tests/test_send.c, test_runs.c, test_costs.c. */

struct wshub__text;

typedef struct wshub__delivery {
    const wshub_packet *packet; /* what is delivered: `own`, or the caller's */
    wshub_packet own;           /* an event with its data, or bytes: most that is sent is no more */
    wshub_str data;             /* the first argument; ptr NULL: it has none */
    wshub_span bytes;           /* of a binary message */
    wshub__piece plain;         /* of kind 0 */
    wshub__piece *others;       /* of other kinds that were met */
    bool reached;               /* somebody had to be written to */
    bool starved;               /* for somebody there was no memory to write it */
    struct wshub__text *text;   /* a copy, once a transformer needs it */
    wshub_str ready; /* the plain frame, encoded by another hub of this process. ptr NULL: none */
} wshub__delivery;

/* Every send pays for this: what is not read before it has been written is left as it is. */
static inline void wshub__delivery_init(wshub__delivery *delivery, wshub_str event,
                                        wshub_str data) {
    wshub_packet *own = &delivery->own;

    if (!data.ptr) data.len = 0; /* absent, whatever its length says */
    delivery->packet = own;
    delivery->data = data;
    own->event = event;
    own->args = &delivery->data;
    own->args_count = data.ptr ? 1 : 0;
    own->args_are_json = true;
    own->attachments = &delivery->bytes;
    own->attachments_count = 0;
    own->id.ptr = NULL;
    own->id.len = 0;
    own->flags = 0;

    delivery->plain.span.seg = NULL;
    delivery->plain.messages = 1;
    delivery->plain.lens = NULL;
    delivery->plain.kind = 0;
    delivery->plain.encoded = false;
    delivery->plain.failed = WSHUB_OK;
    delivery->plain.next = NULL;
    delivery->others = NULL;
    delivery->reached = delivery->starved = false;
    delivery->text = NULL;
    delivery->ready.ptr = NULL;
}

/* Is it an event with at most one argument, and nothing else but the id of what it answers? */
static bool wshub__packet_is_plain(const wshub_packet *packet) {
    return packet->args_count <= 1 && !packet->attachments_count;
}

/* The id of what it answers; len 0: nothing (SEND-7). */
static wshub_str wshub__delivery_id(const wshub__delivery *delivery) {
    wshub_str id = delivery->packet->id;
    if (!id.ptr) id.len = 0;
    return id;
}

/* A whole packet of the caller's. A transformer is shown its event and first argument. */
static void wshub__delivery_init_packet(wshub__delivery *delivery, const wshub_packet *packet) {
    wshub__delivery_init(delivery, packet->event,
                         packet->args_count ? packet->args[0] : wshub__str(NULL, 0));
    delivery->packet = packet;
}

/* Bytes instead of an event. */
static void wshub__delivery_init_bytes(wshub__delivery *delivery, const uint8_t *bytes,
                                       size_t count) {
    WSHUB_ASSERT(bytes);
    wshub__delivery_init(delivery, wshub__str(NULL, 0), wshub__str(NULL, 0));
    delivery->bytes.ptr = bytes;
    delivery->bytes.len = count;
    delivery->own.attachments_count = 1;
}

/* Pieces of other kinds come from a list of those that have been used, so that a turn allocates
 * none. */
static wshub__piece *wshub__piece_new(wshub *hub, wshub_kind kind) {
    wshub__piece *piece = hub->pieces;

    WSHUB_ASSERT(kind); /* the plain piece is the delivery's own */
    WSHUB_ASSERT(kind < hub->kinds_count);
    if (piece) {
        hub->pieces = piece->next;
    } else {
        piece = (wshub__piece *)wshub__mem_new(&hub->mem, sizeof *piece);
    }
    if (!piece) return NULL;
    memset(&piece->span, 0, sizeof piece->span);
    memset(&piece->tally, 0, sizeof piece->tally);
    piece->messages = 1;
    piece->kind = kind;
    piece->encoded = false;
    piece->failed = WSHUB_OK;
    piece->next = NULL;
    return piece;
}

/* Gives a chain of pieces back, and the references that they hold. */
static void wshub__pieces_release(wshub *hub, wshub__piece **chain) {
    while (*chain) {
        wshub__piece *piece = *chain;
        *chain = piece->next;
        if (piece->span.seg) wshub__seg_unref(hub, piece->span.seg);
        piece->next = hub->pieces;
        hub->pieces = piece;
    }
}

static inline void wshub__delivery_release(wshub *hub, wshub__delivery *delivery) {
    if (delivery->plain.span.seg) wshub__seg_unref(hub, delivery->plain.span.seg);
    delivery->plain.span.seg = NULL;
    if (delivery->others) wshub__pieces_release(hub, &delivery->others);
}

/* The piece of a kind, not yet encoded at first. NULL: out of memory. */
static wshub__piece *wshub__delivery_piece(wshub *hub, wshub__delivery *delivery, wshub_kind kind) {
    wshub__piece *piece = delivery->others;

    if (!kind) return &delivery->plain;
    while (piece && piece->kind != kind) piece = piece->next;
    if (piece) return piece;
    piece = wshub__piece_new(hub, kind);
    if (!piece) return NULL;
    piece->next = delivery->others;
    delivery->others = piece;
    return piece;
}

/* What an encode function writes to: the end of its kind's log. */
struct wshub_writer {
    wshub *hub;
    wshub__seg **log;
    wshub__seg *seg; /* NULL: nothing has been written */
    size_t len;      /* written so far */
};

/* Room for more behind what has been written, which goes along where it has to move, so that it
 * stays one piece. */
static wshub__seg *wshub__writer_more(const wshub_writer *out, size_t bytes) {
    wshub__seg *had = out->seg, *seg;

    WSHUB_ASSERT(out->len <= had->cap - had->used);
    had->refs++; /* until it has been copied */
    seg = wshub__log_room_in(out->hub, out->log, out->len + bytes);
    if (!seg) {
        had->refs--;
        return NULL;
    }
    if (seg != had) memcpy(wshub__log_end(seg), wshub__log_end(had), out->len);
    wshub__seg_unref(out->hub, had);
    return seg;
}

static inline uint8_t *wshub__writer_room(wshub_writer *out, size_t bytes) {
    wshub__seg *seg;
    if (bytes > WSHUB__QUEUE_MAX - out->len) return NULL;
    seg = out->seg ? wshub__writer_more(out, bytes) : wshub__log_room_in(out->hub, out->log, bytes);
    if (!seg) return NULL;
    out->seg = seg;
    return wshub__log_end(seg) + out->len;
}

WSHUB_API uint8_t *wshub_writer_room(wshub_writer *out, size_t bytes) {
    return wshub__writer_room(out, bytes);
}

WSHUB_API void wshub_writer_commit(wshub_writer *out, size_t bytes) {
    WSHUB_ASSERT(out->seg);
    WSHUB_ASSERT(out->seg->cap - out->seg->used >= out->len + bytes);
    out->len += bytes;
}

WSHUB_API uint8_t *wshub_writer_frame(wshub_writer *out, bool text, size_t payload_bytes) {
    uint8_t *to, *payload;

    if (payload_bytes > WSHUB__QUEUE_MAX) return NULL;
    to = wshub__writer_room(out, payload_bytes + WSHUB__FRAME_HEAD_BYTES_MAX);
    if (!to) return NULL;
    payload = to + wshub__frame_head(to, text ? WSHUB__OP_TEXT : WSHUB__OP_BINARY, payload_bytes);
    out->len += (size_t)(payload - to) + payload_bytes;
    WSHUB_ASSERT(out->seg->cap - out->seg->used >= out->len);
    return payload;
}

/* Copies a frame that is encoded into the log: what follows it there is one piece with it. */
static wshub_err wshub__piece_adopt(wshub_writer *out, wshub_str ready) {
    uint8_t *to = wshub_writer_room(out, ready.len);
    if (!to) return WSHUB_ERR_NOMEM;
    memcpy(to, ready.ptr, ready.len);
    wshub_writer_commit(out, ready.len);
    return WSHUB_OK;
}

/* A piece is encoded once; if that fails its receivers get nothing of this message. */
static wshub_err wshub__piece_encode(wshub *hub, wshub__delivery *delivery, wshub__piece *piece) {
    const wshub_kind_desc *desc = &hub->kinds[piece->kind].desc;
    wshub_writer out;

    WSHUB_ASSERT(piece->kind < hub->kinds_count);
    if (piece->encoded) return WSHUB_OK;
    if (piece->failed) return piece->failed;

    out.hub = hub;
    out.log = piece->kind ? &hub->kinds[piece->kind].log : &hub->log;
    out.seg = NULL;
    out.len = 0;
    piece->failed = delivery->ready.ptr && !piece->kind
                        ? wshub__piece_adopt(&out, delivery->ready)
                        : desc->encode(hub, piece->kind, delivery->packet, &out, desc->user);
    if (!piece->failed && !out.seg) piece->failed = WSHUB_ERR_APP; /* it has written nothing */
    if (piece->failed) {
        if (out.seg && !out.seg->refs) wshub__seg_drop(hub, out.seg); /* one of its own */
        return piece->failed;
    }
    piece->span = wshub__log_commit(out.seg, out.len);
    piece->encoded = delivery->reached = true;
    WSHUB_ASSERT(piece->span.len == out.len);
    return WSHUB_OK;
}

/* Behind encryption and its order: the client's piece, encoded if it is the first of its kind,
 * into its queue. What was gathered comes first, and counts against the limit. */
static wshub_err wshub__gate_push(wshub *hub, wshub__client *client, wshub__delivery *delivery) {
    wshub__conn *conn = wshub__conn_at(hub, client->conn);
    wshub__piece *piece = wshub__delivery_piece(hub, delivery, client->kind);
    wshub_err err = piece ? WSHUB_OK : WSHUB_ERR_NOMEM;

    if (WSHUB__NEVER(wshub__is_gone(client) || conn->state != WSHUB__CONN_OPEN))
        return WSHUB_ERR_STALE; /* who routes looks */
    wshub__run_out(hub);
    if (piece) err = wshub__piece_encode(hub, delivery, piece);
    WSHUB_ASSERT(!hub->gathered);
    WSHUB_ASSERT(!piece || piece->kind == client->kind);
    if (err == WSHUB_ERR_PARAM) hub->stats.unsayable++;
    if (err == WSHUB_ERR_NOMEM) {
        hub->stats.dropped_memory++;
        delivery->starved = true;
    }
    if (err) return err;

    if (delivery->packet->flags & WSHUB_PACKET_VOLATILE && conn->pressured && conn->queued) {
        hub->stats.dropped_pressure++;
        return WSHUB_ERR_DROPPED;
    }
    if (!wshub__out_fits(hub, conn, piece->span.len)) {
        wshub__conn_dropped(hub, conn, piece->span.len);
        return WSHUB_ERR_DROPPED;
    }
    if (!wshub__queue_push(hub, conn, piece->span)) {
        hub->stats.dropped_memory++;
        return WSHUB_ERR_NOMEM;
    }
    hub->stats.messages_out++;
    hub->stats.bytes_out += piece->span.len;
    return WSHUB_OK;
}

/* ---- >>transform -----------------------------------------------------------------------------
 * Messages to encrypted clients, through the application's outbound transformer and in order (ENC-1
 * to ENC-3, SEND-5). A fan-out's text is copied once; each receiver has a node in its own queue,
 * and the nodes that have not begun wait at the text, of which at most encrypted_batch_max run at
 * once. Proved by tests/test_transform.c, tests/test_golden.c (enc-*). */

typedef enum wshub__xform_state {
    WSHUB__XFORM_WAITING, /* at its text */
    WSHUB__XFORM_RUNNING, /* the application has been asked */
    WSHUB__XFORM_KEEP,
    WSHUB__XFORM_REPLACE,
    WSHUB__XFORM_FAILED
} wshub__xform_state;

/* A text that waits for the transformer: one event for all its receivers. Event and data follow,
 * then the id of what it answers, which the transformer neither sees nor changes (SEND-7): that of
 * a message which comes in is read before the transformer, too. */
typedef struct wshub__text {
    uint32_t refs; /* nodes */
    uint32_t running, event_len, data_len, id_len;
    bool has_data, busy;
    struct wshub__xform *wait_head, *wait_tail;
} wshub__text;

/* A message of one client on its way through the transformer: a node in that client's queue. */
typedef struct wshub__xform {
    struct wshub__xform *next;      /* of the same client, in order */
    struct wshub__xform *wait_next; /* of the same text */
    wshub__text *text;
    uint32_t client; /* index */
    bool orphan;     /* its client is gone; freed by its text */
    wshub__xform_state state;
    wshub__buf event, data; /* replaced */
    bool has_data;
} wshub__xform;

static wshub_str wshub__text_event(const wshub__text *text) {
    return wshub__str(text + 1, text->event_len);
}

static wshub_str wshub__text_data(const wshub__text *text) {
    return wshub__str(text->has_data ? (const char *)(text + 1) + text->event_len : NULL,
                      text->data_len);
}

/* ptr NULL: it answers nothing. */
static wshub_str wshub__text_id(const wshub__text *text) {
    const char *at = (const char *)(text + 1) + text->event_len + text->data_len;
    return wshub__str(text->id_len ? at : NULL, text->id_len);
}

/* How many bytes its event, data and id have. */
static size_t wshub__text_len(const wshub__text *text) {
    return (size_t)text->event_len + text->data_len + text->id_len;
}

/* How many bytes the block of a text has. */
static size_t wshub__text_bytes(const wshub__text *text) {
    return sizeof *text + wshub__text_len(text);
}

static void wshub__text_free(wshub *hub, wshub__text *text) {
    WSHUB_ASSERT(text->refs == 0);
    WSHUB_ASSERT(!text->wait_head);
    hub->stats.transform_bytes -= wshub__text_bytes(text);
    wshub__mem_free(&hub->mem, text, wshub__text_bytes(text));
}

/* What a message in a client's queue for the transformer holds, but for its text: the node, the
 * question, the answer. */
static uint64_t wshub__xform_own_bytes(const wshub__xform *xform) {
    return sizeof *xform + sizeof(wshub__ask) + xform->event.cap + xform->data.cap;
}

/* Node, question and text's head as a 64-bit machine has them: a limit means the same on every
 * machine. */
#define WSHUB__XFORM_COST 160u

/* What it counts against the client's limit: the text too, though others may share it, as with a
 * frame in a queue. */
static uint64_t wshub__xform_bytes(const wshub__xform *xform) {
    const wshub__text *text = xform->text;

    WSHUB_ASSERT(sizeof *xform + sizeof(wshub__ask) + sizeof(wshub__text) <= WSHUB__XFORM_COST);
    return WSHUB__XFORM_COST + xform->event.cap + xform->data.cap + wshub__text_len(text);
}

/* The answer, which waits for those before it, counts too. */
static void wshub__xform_answered(wshub *hub, wshub__client *client, wshub__xform *xform) {
    WSHUB_ASSERT(client->extra);
    WSHUB_ASSERT(xform->state == WSHUB__XFORM_RUNNING);
    client->extra->xform_bytes += xform->event.cap + xform->data.cap;
    hub->stats.transform_bytes += xform->event.cap + xform->data.cap;
}

/* Frees a node, which is in no list any more, and its text with the last. */
static void wshub__xform_free(wshub *hub, wshub__xform *xform) {
    wshub__text *text = xform->text;

    WSHUB_ASSERT(text->refs > 0);
    hub->stats.transform_bytes -= wshub__xform_own_bytes(xform);
    wshub__buf_done(&hub->mem, &xform->event);
    wshub__buf_done(&hub->mem, &xform->data);
    wshub__mem_free(&hub->mem, xform, sizeof *xform);
    if (--text->refs == 0 && !text->busy) wshub__text_free(hub, text);
}

/* Is there room for one more in front of the transformer? What it has not answered has been offered
 * to nobody: a client whose stream takes all there is may have up to its limit waiting there, and
 * one message beyond, so that none is too long; for any other both count together. */
static bool wshub__xform_fits(wshub *hub, wshub__conn *conn, uint64_t waits, uint64_t len) {
    if (wshub__out_within(hub, conn, conn->queued + waits, len)) return true;
    if (wshub__out_taken(hub, conn)) return waits < hub->desc.backpressure_bytes_max;
    return wshub__out_within(hub, conn, conn->queued + waits, len);
}

/* The text of a delivery, copied for the transformer once. It stays, whoever has it, until
 * wshub__delivery_done(). NULL: out of memory. */
WSHUB__COLD static wshub__text *wshub__text_of(wshub *hub, wshub__delivery *delivery) {
    wshub_str event = delivery->packet->event, data = delivery->data,
              id = wshub__delivery_id(delivery);
    size_t bytes = sizeof(wshub__text) + event.len + data.len + id.len;
    wshub__text *text = delivery->text;
    char *to;

    if (text) return text;
    text = (wshub__text *)wshub__mem_new(&hub->mem, bytes);
    if (!text) return NULL;
    hub->stats.transform_bytes += bytes;
    text->event_len = (uint32_t)event.len;
    text->data_len = (uint32_t)data.len;
    text->id_len = (uint32_t)id.len;
    text->has_data = data.ptr != NULL;
    text->busy = true;

    /* What has a length has bytes, see wshub__delivery_init(). */
    to = (char *)(text + 1);
    if (event.len) memcpy(to, event.ptr, event.len);
    if (data.len) memcpy(to + event.len, data.ptr, data.len);      /* NOLINT */
    if (id.len) memcpy(to + event.len + data.len, id.ptr, id.len); /* NOLINT */
    delivery->text = text;
    return text;
}

/* Puts a node behind those of its client, and behind those that wait at its text. */
static void wshub__xform_link(wshub__extra *own, wshub__xform *xform) {
    wshub__text *text = xform->text;

    WSHUB_ASSERT(!own->xform_head == !own->xform_tail);
    WSHUB_ASSERT(!text->wait_head == !text->wait_tail);
    if (own->xform_tail) {
        own->xform_tail->next = xform;
    } else {
        own->xform_head = xform;
    }
    own->xform_tail = xform;

    if (text->wait_tail) {
        text->wait_tail->wait_next = xform;
    } else {
        text->wait_head = xform;
    }
    text->wait_tail = xform;
    text->refs++;
}

/* Puts a delivery into the queue that a client has in front of the transformer. What finds no room
 * there is dropped (SEND-6). False: out of memory. */
static bool wshub__transform_queue(wshub *hub, wshub__client *client, wshub__delivery *delivery) {
    wshub__conn *conn = wshub__conn_at(hub, client->conn);
    uint64_t bytes = WSHUB__XFORM_COST + (uint64_t)delivery->packet->event.len +
                     delivery->data.len + wshub__delivery_id(delivery).len;
    wshub__extra *own;
    wshub__xform *xform = NULL;

    if (!wshub__xform_fits(hub, conn, client->extra ? client->extra->xform_bytes : 0, bytes)) {
        wshub__conn_dropped(hub, conn, bytes);
        return true;
    }

    own = wshub__text_of(hub, delivery) ? wshub__extra_take(hub, client) : NULL;
    if (own) xform = (wshub__xform *)wshub__mem_new(&hub->mem, sizeof *xform);
    if (!xform) {
        hub->stats.dropped_memory++;
        return false;
    }
    xform->text = delivery->text;
    xform->client = client->index;
    wshub__xform_link(own, xform);
    WSHUB_ASSERT(bytes == wshub__xform_bytes(xform));
    own->xform_bytes += bytes;
    hub->stats.transform_bytes += wshub__xform_own_bytes(xform);
    return true;
}

/* Sends a message as the transformer has left or made it. */
static void wshub__xform_send(wshub *hub, wshub__client *client, const wshub__xform *xform) {
    wshub__delivery delivery;
    wshub_str event = wshub__text_event(xform->text), data = wshub__text_data(xform->text);

    if (xform->state == WSHUB__XFORM_REPLACE) {
        event =
            xform->event.ptr ? wshub__str(xform->event.ptr, xform->event.len) : wshub__str("", 0);
        data = wshub__str(xform->has_data ? xform->data.ptr : NULL, xform->data.len);
    }
    wshub__delivery_init(&delivery, event, data);
    delivery.own.id = wshub__text_id(xform->text);
    (void)wshub__gate_push(hub, client, &delivery);
    wshub__delivery_release(hub, &delivery);
}

/* Sends what is ready at the front of a client's queue. Once it is gone, which a message may bring
 * about that is over its limit (SEND-6), the rest is dropped. */
static void wshub__xform_flush(wshub *hub, wshub__client *client) {
    wshub__extra *own = client->extra;

    while (own->xform_head && own->xform_head->state >= WSHUB__XFORM_KEEP) {
        wshub__xform *xform = own->xform_head;

        own->xform_head = xform->next;
        if (!xform->next) own->xform_tail = NULL;
        WSHUB_ASSERT(own->xform_bytes >= wshub__xform_bytes(xform));
        own->xform_bytes -= wshub__xform_bytes(xform);

        if (wshub__is_gone(client)) {
            hub->stats.dropped_transform++;
        } else if (xform->state == WSHUB__XFORM_FAILED) { /* ENC-2 */
            hub->stats.dropped_transform++;
            wshub__client_log(hub, WSHUB_LOG_TRANSFORM_FAILED, client, "", wshub__str(NULL, 0));
        } else {
            wshub__xform_send(hub, client, xform);
        }
        wshub__xform_free(hub, xform);
    }
}

/* Asks the application for one message. False: there is no memory to ask, or nobody to be asked
 * any more. */
static bool wshub__xform_ask(wshub *hub, wshub__client *client, wshub__xform *xform) {
    wshub__text *text = xform->text;
    wshub__ask *asked;
    wshub_ask ask;
    wshub_event event;

    WSHUB_ASSERT(xform->state == WSHUB__XFORM_WAITING);
    asked = !hub->destroying ? wshub__ask_new(hub, client, WSHUB__ASK_OUT, &ask) : NULL;
    if (!asked) return false;
    asked->xform = xform;
    xform->state = WSHUB__XFORM_RUNNING;
    text->running++;

    event.event = wshub__text_event(text);
    event.data = wshub__text_data(text);
    event.id = wshub__str(NULL, 0);
    hub->desc.on_transform_out(hub, ask, wshub__client_handle(hub, client), &event, hub->desc.user);
    return true;
}

/* Begins what waits at a text in front: asks the application, if somebody waits for it still. */
static void wshub__text_begin_one(wshub *hub, wshub__text *text) {
    wshub__xform *xform = text->wait_head;
    wshub__client *client;

    text->wait_head = xform->wait_next;
    if (!text->wait_head) text->wait_tail = NULL;
    if (xform->orphan) {
        wshub__xform_free(hub, xform);
        return;
    }

    /* Of a client that was closed in this turn nothing need be asked; this is freed with it. */
    client = wshub__client_at(hub, xform->client);
    if (wshub__is_gone(client)) {
        xform->state = WSHUB__XFORM_FAILED;
        return;
    }
    if (!wshub__xform_ask(hub, client, xform)) {
        xform->state = WSHUB__XFORM_FAILED;
        wshub__xform_flush(hub, client);
    }
}

/* Asks the application for what waits at a text, as far as ENC-3 allows, and ends the text. An
 * answer inside the callback comes back to this loop, and not into another. */
static void wshub__text_run(wshub *hub, wshub__text *text) {
    uint32_t most = hub->desc.encrypted_batch_max;

    text->busy = true;
    while (text->wait_head && (text->running < most || text->wait_head->orphan))
        wshub__text_begin_one(hub, text);
    text->busy = false;
    if (text->refs == 0) wshub__text_free(hub, text);
}

/* A transformation has ended, one way or another; its ask has been freed. */
static void wshub__xform_end(wshub *hub, wshub__xform *xform, wshub__xform_state state) {
    wshub__text *text = xform->text;
    bool run = !text->busy;

    WSHUB_ASSERT(xform->state == WSHUB__XFORM_RUNNING);
    WSHUB_ASSERT(text->running > 0);
    xform->state = state;
    text->running--;
    text->busy = true; /* keeps it alive */
    if (xform->orphan) {
        wshub__xform_free(hub, xform);
    } else {
        wshub__xform_flush(hub, wshub__client_at(hub, xform->client));
    }
    if (run) wshub__text_run(hub, text);
}

/* A client is gone, and its questions with it: what has not begun is left to its text, what ran is
 * forgotten. */
WSHUB__COLD static void wshub__xform_drop_all(wshub *hub, wshub__client *client) {
    wshub__xform *xform = client->extra ? client->extra->xform_head : NULL;

    if (!xform) return;
    client->extra->xform_head = client->extra->xform_tail = NULL;
    client->extra->xform_bytes = 0;
    while (xform) {
        wshub__xform *next = xform->next;
        xform->orphan = true;
        if (xform->state == WSHUB__XFORM_RUNNING) {
            wshub__xform_end(hub, xform, WSHUB__XFORM_FAILED);
        } else if (xform->state != WSHUB__XFORM_WAITING) {
            wshub__xform_free(hub, xform);
        }
        xform = next;
    }
}

/* ---- >>routing -------------------------------------------------------------------------------
 * Turns a target into receivers and hands each the delivery. What one room, or all, is sent
 * without a break is gathered (a run) and given out at once, kind by kind. Calls no callback but
 * those that encode, so what it walks stays as it is. Uses >>gate, >>transform, >>rooms. Proved
 * by tests/test_send.c, tests/test_runs.c, tests/test_golden.c (send-*). */

/* Ends a delivery: what waits for a transformer is begun. May run callbacks. */
static inline void wshub__delivery_done(wshub *hub, wshub__delivery *delivery) {
    wshub__delivery_release(hub, delivery);
    if (delivery->text) wshub__text_run(hub, delivery->text);
    delivery->text = NULL;
}

/* The gate. Every delivery to a client comes through here, or through wshub__deliver_fast(),
 * which takes the same decision where it is plain: in clear, encoded already, and within all
 * limits. */
static wshub_err wshub__deliver(wshub *hub, wshub__client *client, wshub__delivery *delivery) {
    if (client->encrypted && hub->desc.on_transform_out) {        /* ENC-1 */
        if (!delivery->packet->event.ptr) return WSHUB_ERR_CLEAR; /* bytes */
        if (!wshub__packet_is_plain(delivery->packet)) {
            hub->stats.unsayable++; /* a transformer is shown an event and data */
            return WSHUB_ERR_PARAM;
        }
        return wshub__transform_queue(hub, client, delivery) ? WSHUB_OK : WSHUB_ERR_NOMEM;
    }
    return wshub__gate_push(hub, client, delivery);
}

/* May application messages go to this client now? SEND-2, AUTH-6. */
static bool wshub__is_clear_refused(wshub *hub, const wshub__client *client) {
    if (!hub->desc.require_encryption || client->state == WSHUB_CLIENT_AUTHENTICATED) return false;
    hub->stats.clear_refused++;
    return true;
}

#define WSHUB__NOBODY UINT32_MAX /* a mark that no client bears */

/* A new mark for one delivery. Nothing need be undone behind it, since the next has another. */
static uint32_t wshub__mark_new(wshub *hub) {
    uint32_t k;
    if (++hub->mark != WSHUB__NOBODY) return hub->mark;

    /* All have been used: those of old are wiped out. */
    for (k = 0; k < hub->clients.used; k++) wshub__client_at(hub, k)->mark = 0;
    return hub->mark = 1;
}

static void wshub__mark_room(wshub *hub, const wshub__realm *realm, wshub_str name) {
    wshub__group *room = wshub__group_find(realm, WSHUB__KIND_ROOM, name);
    wshub__client *owner = room ? NULL : wshub__client_by_id(realm, name);
    uint32_t i;
    for (i = 0; room && i < room->count; i++)
        wshub__client_at(hub, wshub__members(room)[i].client)->mark = hub->mark;
    if (owner && owner->own_room) owner->mark = hub->mark;
}

/* Marks who is not to hear a delivery, so that it looks at ids and members once each. Returns the
 * mark. Nothing is allocated, so none of them can be forgotten. */
static uint32_t wshub__exclude(wshub *hub, const wshub__realm *realm, const wshub_dest *dest) {
    uint32_t mark;
    size_t i;

    if (!dest->exclude_count && !dest->except_rooms_count && dest->rooms_count < 2)
        return WSHUB__NOBODY;
    mark = wshub__mark_new(hub);
    for (i = 0; i < dest->exclude_count; i++) {
        wshub__client *client = wshub__client_by_id(realm, dest->exclude[i]);
        if (client) client->mark = mark;
    }
    for (i = 0; i < dest->except_rooms_count; i++)
        wshub__mark_room(hub, realm, dest->except_rooms[i]);
    return mark;
}

/* Books what has been given out: counters and accounts that all receivers share are touched once,
 * not once for each. */
static void wshub__tally_book(wshub *hub, const wshub__piece *piece, wshub__tally *tally) {
    uint64_t bytes = (uint64_t)tally->receivers * piece->span.len;

    WSHUB_ASSERT(tally->fresh <= tally->receivers);
    if (!tally->receivers) return;
    WSHUB_ASSERT(piece->encoded);
    piece->span.seg->refs += tally->fresh;
    piece->span.seg->held += bytes;
    hub->stats.queued_bytes += bytes;
    hub->stats.messages_out += (uint64_t)tally->receivers * piece->messages;
    hub->stats.bytes_out += bytes;
    tally->receivers = tally->fresh = 0;
}

/* The same for all kinds; tally: the plain one's. */
static void wshub__tallies_book(wshub *hub, wshub__delivery *delivery, wshub__tally *tally) {
    wshub__piece *piece;
    wshub__tally_book(hub, &delivery->plain, tally);
    for (piece = delivery->others; piece; piece = piece->next)
        wshub__tally_book(hub, piece, &piece->tally);
}

/* A run to one who cannot take it as one piece: message by message, each on its own. Nobody is
 * closed for what does not fit, see wshub__run_add(). */
WSHUB__COLD static void wshub__deliver_apart(wshub *hub, wshub__client *client,
                                             const wshub__piece *run) {
    wshub__delivery one;
    wshub__piece *piece;
    uint32_t i;

    wshub__delivery_init(&one, wshub__str(NULL, 0), wshub__str(NULL, 0));
    piece = wshub__delivery_piece(hub, &one, run->kind);
    if (!piece) {
        hub->stats.dropped_memory += run->messages;
        return;
    }
    piece->encoded = true;
    piece->span = run->span;
    piece->span.seg->refs++;
    WSHUB_ASSERT(run->encoded);
    WSHUB_ASSERT(run->messages > 1);
    WSHUB_ASSERT(piece->kind == client->kind);
    for (i = 0; i < run->messages; i++) {
        piece->span.len = run->lens[i];
        (void)wshub__deliver(hub, client, &one);
        piece->span.at += run->lens[i];
    }
    wshub__delivery_release(hub, &one);
}

/* The usual receiver has room, and nothing waits for it or what waits ends where this piece
 * begins: then no more is written than its span. False: it has to go through the gate. */
static inline bool wshub__deliver_fast(wshub *hub, uint32_t index, wshub__conn *conn,
                                       const wshub__piece *piece, wshub__tally *tally) {
    if (!piece->encoded || conn->more || conn->pressured ||
        (uint64_t)conn->queued + piece->span.len > hub->desc.backpressure_bytes_max)
        return false;
    if (!conn->queued) {
        conn->first = piece->span;
        tally->fresh++;
    } else if (conn->first.seg == piece->span.seg &&
               conn->first.at + conn->first.len == piece->span.at) {
        conn->first.len += piece->span.len;
    } else {
        return false;
    }
    conn->queued += piece->span.len;
    tally->receivers++;
    wshub__dirty(hub, index);
    return true;
}

/* One of many who is not plain: its kind's piece, or the gate, before which all accounts are
 * booked. */
static void wshub__deliver_long(wshub *hub, wshub__client *client, wshub__delivery *delivery,
                                wshub__tally *tally) {
    wshub__piece *piece = client->kind ? delivery->others : &delivery->plain;

    while (piece && piece->kind != client->kind) piece = piece->next;
    if (client->kind && piece && !client->encrypted &&
        wshub__deliver_fast(hub, client->conn, wshub__conn_at(hub, client->conn), piece,
                            &piece->tally))
        return;
    wshub__tallies_book(hub, delivery, tally);
    if (piece && piece->messages > 1) {
        wshub__deliver_apart(hub, client, piece);
    } else {
        (void)wshub__deliver(hub, client, delivery);
    }
}

static inline void wshub__deliver_each(wshub *hub, wshub__client *client, wshub__delivery *delivery,
                                       wshub__tally *tally) {
    if (client->special ||
        !wshub__deliver_fast(hub, client->conn, wshub__conn_at(hub, client->conn), &delivery->plain,
                             tally))
        wshub__deliver_long(hub, client, delivery, tally);
}

/* To all members but those who bear the mark `except`; each bears it afterwards if `once`. What is
 * needed soon of each member is fetched meanwhile, as each would be a miss of the cache. */
static void wshub__route_group(wshub *hub, wshub__group *group, wshub__delivery *delivery,
                               uint32_t except, bool once) {
    const wshub__member *members = wshub__members(group);
    wshub__tally tally = {0, 0};
    uint32_t i;

    wshub__run_out(hub); /* everybody's messages keep their order */
    WSHUB_ASSERT(!hub->gathered);
    for (i = 0; i < group->count; i++) {
        wshub__client *client = wshub__client_at(hub, members[i].client);

        if (i + 16 < group->count) {
            const wshub__client *soon = wshub__client_at(hub, members[i + 8].client);
            WSHUB__PREFETCH(wshub__client_at(hub, members[i + 16].client));
            if (soon->conn != WSHUB__NONE) WSHUB__PREFETCH(wshub__conn_at(hub, soon->conn));
        }

        /* One who is not accepted is in it by the application's own join. */
        if (client->state != WSHUB_CLIENT_AUTHENTICATED) {
            if (wshub__is_gone(client) || wshub__is_clear_refused(hub, client)) continue;
        }
        if (client->mark == except) continue;
        if (once) client->mark = except;
        wshub__deliver_each(hub, client, delivery, &tally);
    }
    wshub__tallies_book(hub, delivery, &tally);
    WSHUB_ASSERT(!tally.receivers);
}

/* To all clients of a realm but those who bear the mark `except`. */
static void wshub__route_all(wshub *hub, const wshub__realm *realm, wshub__delivery *delivery,
                             uint32_t except) {
    wshub__tally tally = {0, 0};
    uint32_t i = realm->oldest;

    wshub__run_out(hub);
    WSHUB_ASSERT(!hub->gathered);
    while (i) {
        wshub__client *client = wshub__client_at(hub, i - 1);
        i = client->next;
        if (client->state == WSHUB_CLIENT_AUTHENTICATED && client->mark != except)
            wshub__deliver_each(hub, client, delivery, &tally);
    }
    wshub__tallies_book(hub, delivery, &tally);
}

/* Which kinds are among the members of a room, or of all: a bit each. Asked once a run, and only
 * where clients of other kinds are in the hub at all. */
WSHUB__COLD static uint64_t wshub__kinds_among(const wshub *hub, wshub__group *room) {
    uint64_t kinds = 0;
    uint32_t i;
    if (!room) return hub->kinds_here;
    for (i = 0; i < room->count; i++)
        kinds |= UINT64_C(1) << wshub__client_at(hub, wshub__members(room)[i].client)->kind;
    return kinds;
}

/* What is gathered is given out: the walk over the members that was put off. */
static void wshub__run_end(wshub *hub) {
    wshub__group *room = hub->run.room;
    wshub__delivery delivery;

    WSHUB_ASSERT(hub->gathered);
    wshub__delivery_init(&delivery, wshub__str(NULL, 0), wshub__str(NULL, 0));
    delivery.plain = hub->run.plain;
    delivery.others = hub->run.others;
    memset(&hub->run.plain, 0, sizeof hub->run.plain);
    hub->run.room = NULL;
    hub->run.others = NULL;
    hub->gathered = false;
    WSHUB_ASSERT(delivery.plain.encoded || delivery.others); /* somebody hears it */
    if (room) {
        wshub__route_group(hub, room, &delivery, WSHUB__NOBODY, false);
    } else {
        wshub__route_all(hub, hub->run.realm, &delivery, WSHUB__NOBODY);
    }
    wshub__delivery_done(hub, &delivery);
}

/* Does this piece lie right behind what the run has of its kind, with room for its length? */
static bool wshub__run_joins(const wshub__piece *run, const wshub__piece *piece) {
    return run->span.seg == piece->span.seg && run->span.at + run->span.len == piece->span.at &&
           run->messages < WSHUB__RUN_MAX;
}

/* The run's piece of a kind becomes longer by one message, which lies right behind it. */
static void wshub__run_extend(wshub__piece *run, const wshub__piece *piece) {
    WSHUB_ASSERT(run->kind == piece->kind);
    WSHUB_ASSERT(run->lens);
    WSHUB_ASSERT(run->messages < WSHUB__RUN_MAX);
    run->lens[run->messages++] = piece->span.len;
    run->span.len += piece->span.len;
}

/* The run's piece of a kind but the plain one: it has one of each that its target has. */
static wshub__piece *wshub__run_other(const wshub *hub, wshub_kind kind) {
    wshub__piece *run = hub->run.others;
    WSHUB_ASSERT(hub->gathered);
    WSHUB_ASSERT(kind);
    while (run->kind != kind) run = run->next;
    return run;
}

/* May the delivery be added to the run that there is? */
static bool wshub__run_takes(const wshub *hub, const wshub__delivery *delivery) {
    const wshub__piece *piece;

    WSHUB_ASSERT(hub->gathered); /* and it is this target's: others end it */
    WSHUB_ASSERT(delivery->plain.encoded == hub->run.plain.encoded); /* it has the same kinds */
    if (delivery->plain.encoded && !wshub__run_joins(&hub->run.plain, &delivery->plain))
        return false;
    for (piece = delivery->others; piece; piece = piece->next) {
        if (!wshub__run_joins(wshub__run_other(hub, piece->kind), piece)) return false;
    }
    return true;
}

/* A run begins with a delivery, whose pieces become the run's. False: out of memory, there is
 * none. */
static bool wshub__run_begin(wshub *hub, wshub__realm *realm, wshub__group *room,
                             wshub__delivery *delivery) {
    wshub__piece *piece;

    WSHUB_ASSERT(!hub->gathered);
    for (piece = delivery->others; piece; piece = piece->next) {
        if (!piece->lens)
            piece->lens = (uint32_t *)wshub__mem_new(&hub->mem, WSHUB__RUN_MAX * sizeof(uint32_t));
        if (!piece->lens) return false;
        piece->lens[0] = piece->span.len;
    }
    hub->run.realm = realm;
    hub->run.room = room;
    hub->run.plain = delivery->plain;
    hub->run.plain.lens = hub->run.lens;
    /* That of nothing where no receiver was plain: it is looked at where the piece is encoded. */
    hub->run.lens[0] = delivery->plain.span.len; /* NOLINT */
    hub->run.others = delivery->others;
    delivery->others = NULL;
    if (delivery->plain.encoded) delivery->plain.span.seg->refs++;
    hub->gathered = true;
    WSHUB_ASSERT(hub->run.plain.messages == 1);
    return true;
}

/* Encodes a delivery for the kinds that its target has. False: one of them cannot be had, or cannot
 * say it; then it goes to each receiver by itself, where that is counted. */
static bool wshub__run_encode(wshub *hub, wshub__group *room, wshub__delivery *delivery) {
    uint64_t left, kinds;

    if (hub->kinds_here <= 1) { /* the usual hub: there is but one kind */
        hub->run.kinds = 1;
        return wshub__piece_encode(hub, delivery, &delivery->plain) == WSHUB_OK;
    }
    kinds = hub->gathered ? hub->run.kinds : wshub__kinds_among(hub, room);
    for (left = kinds; left; left &= left - 1) {
        wshub__piece *piece =
            wshub__delivery_piece(hub, delivery, (wshub_kind)wshub__lowest_bit(left));
        if (!piece || wshub__piece_encode(hub, delivery, piece)) return false;
    }
    hub->run.kinds = kinds;
    return true;
}

/* A room, or all, that is sent to without a break: what is encoded is gathered while it lies one
 * behind the other in the log, and the members are walked once for all of it (wshub__run_end),
 * before anything else happens to any of them: their queues, their rooms, their end, or somebody
 * who looks. room NULL: all. False: not this time. */
static bool wshub__run_add(wshub *hub, wshub__realm *realm, wshub__group *room,
                           wshub__delivery *delivery, uint32_t except) {
    const void *target = room ? (const void *)room : (const void *)&realm->oldest;
    bool again = hub->last_target == target;
    wshub__piece *piece;

    hub->last_target = target;

    /* What depends on each receiver, and what ends one, is done at once. */
    if (!again || (!room && !realm->oldest) || except != WSHUB__NOBODY ||
        delivery->packet != &delivery->own || hub->run.never)
        return false;
    if (!wshub__run_encode(hub, room, delivery)) return false;
    if (!hub->gathered || !wshub__run_takes(hub, delivery)) {
        wshub__run_out(hub);
        return wshub__run_begin(hub, realm, room, delivery);
    }
    if (delivery->plain.encoded) wshub__run_extend(&hub->run.plain, &delivery->plain);
    for (piece = delivery->others; piece; piece = piece->next)
        wshub__run_extend(wshub__run_other(hub, piece->kind), piece);
    return true;
}

/* The room of a name. The one that is gathered for, which is mostly meant again, is known without
 * a search. */
static inline wshub__group *wshub__room_meant(const wshub *hub, const wshub__realm *realm,
                                              wshub_str name) {
    wshub__group *room = hub->run.room;
    WSHUB_ASSERT(!room || (hub->gathered && room->count && room->name.len));
    if (room && hub->run.realm == realm && room->name.len == name.len &&
        memcmp(room->name.ptr, name.ptr, name.len) == 0)
        return room;
    return wshub__group_find(realm, WSHUB__KIND_ROOM, name);
}

/* To a room, at once or as a part of a run; once: see wshub__route_group(). */
static void wshub__route_room(wshub *hub, wshub__realm *realm, wshub_str name,
                              wshub__delivery *delivery, uint32_t except, bool once) {
    wshub__group *room = wshub__room_meant(hub, realm, name);
    wshub__client *owner;

    if (room) {
        if (once || !wshub__run_add(hub, realm, room, delivery, except))
            wshub__route_group(hub, room, delivery, except, once);
        return;
    }

    /* The room that is named like a client and holds nobody else. */
    owner = wshub__client_by_id(realm, name);
    if (!owner || !owner->own_room || wshub__is_gone(owner) || owner->mark == except) return;
    if (once) owner->mark = except;
    (void)wshub__deliver(hub, owner, delivery);
}

/* To several rooms, nobody twice: who has heard bears the mark. */
static void wshub__route_rooms(wshub *hub, wshub__realm *realm, const wshub_dest *dest,
                               wshub__delivery *delivery, uint32_t except) {
    const wshub_str *rooms = dest->rooms_count ? dest->rooms : &dest->name;
    size_t i, count = dest->rooms_count ? dest->rooms_count : 1;
    for (i = 0; i < count; i++)
        wshub__route_room(hub, realm, rooms[i], delivery, except, count > 1);
}

/* To the client of an id, if it is here. */
static void wshub__route_client(wshub *hub, const wshub__realm *realm, wshub_str id,
                                wshub__delivery *delivery) {
    wshub__client *client = wshub__client_by_id(realm, id);
    if (client && !wshub__is_gone(client) && !wshub__is_clear_refused(hub, client))
        (void)wshub__deliver(hub, client, delivery);
}

/* Delivers here, to what dest names in a realm; kind is not RESOLVE. */
static wshub_err wshub__route(wshub *hub, wshub__realm *realm, const wshub_dest *dest,
                              wshub__delivery *delivery) {
    uint32_t except = WSHUB__NOBODY;
    wshub__group *user;

    WSHUB_ASSERT(hub->depth > 0); /* what is sent leaves when this call does */
    WSHUB_ASSERT(dest->kind != WSHUB_DEST_RESOLVE);
    if (dest->kind == WSHUB_DEST_ALL || dest->kind == WSHUB_DEST_ROOM)
        except = wshub__exclude(hub, realm, dest);
    switch (dest->kind) {
    case WSHUB_DEST_RESOLVE: break; /* never: resolved by wshub_send() */
    case WSHUB_DEST_ALL:
        if (!wshub__run_add(hub, realm, NULL, delivery, except))
            wshub__route_all(hub, realm, delivery, except);
        break;
    case WSHUB_DEST_CLIENT: wshub__route_client(hub, realm, dest->name, delivery); break;
    case WSHUB_DEST_USER:
        user = wshub__group_find(realm, WSHUB__KIND_USER, dest->name);
        if (user) wshub__route_group(hub, user, delivery, WSHUB__NOBODY, false);
        break;
    case WSHUB_DEST_ROOM: wshub__route_rooms(hub, realm, dest, delivery, except); break;
    }
    return delivery->starved && !delivery->reached ? WSHUB_ERR_NOMEM : WSHUB_OK;
}

/* ---- >>auth ----------------------------------------------------------------------------------
 * From the wish to be authenticated to acceptance: questions, answers, the key exchange (AUTH-1 to
 * AUTH-7). What a client is told of it is its dialect's to say. Proved by tests/test_auth.c,
 * tests/test_golden.c (auth-*, enc-*). */

/* The dialect that a client's session speaks. */
static const wshub__speaker *wshub__client_speaker(const wshub *hub, const wshub__client *client) {
    WSHUB_ASSERT(client->dialect < hub->dialects_count);
    return &hub->dialects[client->dialect];
}

/* The client is to go: its dialect finds the words. */
WSHUB__COLD static void wshub__client_dismiss(wshub *hub, wshub__client *client, wshub_cause cause,
                                              uint16_t code, wshub_str reason) {
    const wshub__speaker *speaker = wshub__client_speaker(hub, client);

    if (wshub__is_gone(client)) return;
    WSHUB_ASSERT(client->conn != WSHUB__NONE);
    if (speaker->table.close) {
        speaker->table.close(hub, wshub__client_handle(hub, client), cause, code, reason,
                             speaker->user);
        return;
    }
    if (!code) code = cause == WSHUB_BY_SHUTDOWN ? WSHUB__CLOSE_GOING_AWAY : WSHUB__CLOSE_POLICY;
    wshub__session_close(hub, wshub__conn_at(hub, client->conn), cause, code, reason);
}

/* A client is not accepted (AUTH-4, AUTH-5): it is counted, logged, and its dialect finds the
 * words. reason: for the log. */
WSHUB__COLD static void wshub__auth_refuse(wshub *hub, wshub__client *client, wshub_refusal why,
                                           const char *reason) {
    static const char *const texts[] = {"", "Authentication failed", "Authentication error",
                                        "Encryption handshake failed", "Encryption required"};
    const wshub__speaker *speaker = wshub__client_speaker(hub, client);

    WSHUB_ASSERT(why >= WSHUB_REFUSED_AUTH && why <= WSHUB_REFUSED_CLEAR);
    WSHUB_ASSERT(client->state == WSHUB__CLIENT_AUTHENTICATING);
    if (why == WSHUB_REFUSED_FAILED) {
        hub->stats.auth_failed++;
    } else {
        hub->stats.auth_rejected++;
    }
    wshub__client_log(hub, WSHUB_LOG_AUTH_FAILED, client, texts[why], wshub_str_z(reason));

    if (speaker->table.refused) {
        speaker->table.refused(hub, wshub__client_handle(hub, client), why, speaker->user);
    } else {
        wshub__client_dismiss(hub, client, WSHUB_BY_AUTH, 0, wshub__str(NULL, 0));
    }
}

/* The client's user and rooms, and the word that it is accepted. On failure some of it may be
 * done. */
static wshub_err wshub__auth_enter(wshub *hub, wshub__client *client, wshub_str user_id,
                                   const wshub_acceptance *what) {
    const wshub__speaker *speaker = wshub__client_speaker(hub, client);
    const wshub__realm *realm = wshub__realm_of(hub, client);
    wshub_err err = WSHUB_OK;
    size_t i;

    WSHUB_ASSERT(!user_id.len || client->has_user);
    if (user_id.len) err = wshub__user_add(hub, client, user_id);
    if (!err) err = wshub__room_join_own(hub, client);
    for (i = 0; i < realm->default_rooms_count && !err; i++)
        err = wshub__room_join(hub, client, realm->default_rooms[i]);
    if (!err && speaker->table.accepted)
        err = speaker->table.accepted(hub, wshub__client_handle(hub, client), what, speaker->user);
    return err;
}

/* A client is accepted (AUTH-7), all or nothing: on failure it is what it was.
 *   user_id    len 0: it has none
 *   key, salt  of a handshake; ptr NULL: there was none */
static wshub_err wshub__auth_finish(wshub *hub, wshub__client *client, wshub_str user_id,
                                    wshub_str key, wshub_str salt) {
    wshub__conn *conn = wshub__conn_at(hub, client->conn);
    uint32_t before = client->rooms_count;
    wshub_acceptance what;
    wshub_err err;

    WSHUB_ASSERT(client->state == WSHUB__CLIENT_AUTHENTICATING);
    WSHUB_ASSERT(!client->user);
    what.user_id = client->has_user ? user_id : wshub__str(NULL, 0);
    what.server_public_key = key;
    what.salt = salt;
    err = wshub__auth_enter(hub, client, user_id, &what);
    if (err) {
        while (client->rooms_count > before) wshub__room_drop(hub, client, client->rooms_count - 1);
        if (client->own_room) (void)wshub__room_leave(hub, client, wshub__name_str(&client->name));
        wshub__user_drop(hub, client);
        WSHUB_ASSERT(client->rooms_count == before);
        WSHUB_ASSERT(!client->user);
        return err;
    }

    /* What was gathered before is not for it. */
    wshub__run_out(hub);
    hub->stats.auth_accepted++;
    wshub__client_to(hub, client, WSHUB__CLIENT_AUTHENTICATED);
    client->time = hub->now;
    conn->allowance = UINT32_MAX;
    WSHUB_ASSERT(!client->user == !user_id.len);

    /* The user's name is the group's from here on. */
    if (client->extra) {
        wshub__buf_done(&hub->mem, &client->extra->user_id);
        wshub__buf_done(&hub->mem, &client->extra->auth_data);
    }
    wshub__conn_arm(hub, conn);
    return WSHUB_OK;
}

/* Tells the application that a client is accepted. */
static void wshub__auth_connected(wshub *hub, wshub__client *client) {
    wshub_client handle = wshub__client_handle(hub, client);

    WSHUB_ASSERT(client->slot.link == WSHUB__LIVE);
    if (!hub->desc.on_connected || hub->destroying) return;
    if (hub->desc.on_connected(hub, handle, hub->desc.user) == WSHUB_OK) return;
    hub->stats.app_failures++;
    wshub__client_log(hub, WSHUB_LOG_APP_FAILED, client, "on_connected", wshub__str(NULL, 0));
}

/* Accepted, but keys are still to be agreed (AUTH-5, AUTH-6): the second question is asked, and
 * the first is freed. NOMEM: nothing has changed. */
WSHUB__COLD static wshub_err wshub__auth_handshake(wshub *hub, wshub__client *client,
                                                   wshub__ask *first, wshub_str user_id) {
    wshub_handshake handshake;
    wshub_ask ask;
    wshub__buf data;

    WSHUB_ASSERT(client->extra); /* where the data is kept since the first question */
    WSHUB_ASSERT(first->kind == WSHUB__ASK_AUTH);
    WSHUB_ASSERT(first->client == client->index);
    if (!hub->desc.on_handshake) {
        wshub__ask_free(hub, first);
        wshub__auth_refuse(hub, client, WSHUB_REFUSED_CLEAR, "no on_handshake");
        return WSHUB_OK;
    }
    if (!wshub__ask_new(hub, client, WSHUB__ASK_HANDSHAKE, &ask)) return WSHUB_ERR_NOMEM;
    wshub__ask_free(hub, first);

    /* The user's id is the caller's, and the data is kept here: an answer at once frees what the
     * client has of both. */
    data = client->extra->auth_data;
    memset(&client->extra->auth_data, 0, sizeof data);
    handshake.client = wshub__client_handle(hub, client);
    handshake.id = wshub__name_str(&client->name);
    handshake.realm = wshub__realm_handle(wshub__realm_of(hub, client));
    handshake.user_id = user_id;
    handshake.data = wshub__str(data.ptr, data.len);
    hub->desc.on_handshake(hub, ask, &handshake, hub->desc.user);
    wshub__buf_done(&hub->mem, &data);
    return WSHUB_OK;
}

/* Keeps what a client has said of itself, for the question that follows on this one. False: out
 * of memory. */
WSHUB__COLD static bool wshub__auth_keep(wshub *hub, wshub__client *client, wshub_str data) {
    if (!hub->desc.require_encryption) return true;
    if (!wshub__extra_take(hub, client)) return false;
    wshub__buf_add(&hub->mem, &client->extra->auth_data, data.ptr, data.len);
    return !client->extra->auth_data.bad;
}

/* A client wishes to be authenticated (AUTH-2, AUTH-3): the application is asked, and has three
 * times as long for its answer as the client had for its wish. data: what the client said; ptr
 * NULL: nothing. */
WSHUB__COLD static void wshub__auth_begin(wshub *hub, wshub__client *client, wshub_str data) {
    wshub_auth auth;
    wshub_ask ask;

    if (!data.ptr) data = wshub_str_z("{}");
    WSHUB_ASSERT(client->state == WSHUB__CLIENT_UNAUTHORIZED);
    WSHUB_ASSERT(!client->asks);
    wshub__client_to(hub, client, WSHUB__CLIENT_AUTHENTICATING);
    client->time = hub->now + 3 * (uint64_t)hub->desc.auth_timeout_ms;
    if (!hub->desc.on_authenticate) {
        wshub__auth_refuse(hub, client, WSHUB_REFUSED_AUTH, "no on_authenticate");
        return;
    }
    if (!wshub__auth_keep(hub, client, data) ||
        !wshub__ask_new(hub, client, WSHUB__ASK_AUTH, &ask)) {
        wshub__client_log(hub, WSHUB_LOG_NOMEM, client, "authenticate", wshub__str(NULL, 0));
        wshub__auth_refuse(hub, client, WSHUB_REFUSED_FAILED, "out of memory");
        return;
    }

    auth.client = wshub__client_handle(hub, client);
    auth.id = wshub__name_str(&client->name);
    auth.data = data;
    auth.realm = wshub__realm_handle(wshub__realm_of(hub, client));
    hub->desc.on_authenticate(hub, ask, &auth, hub->desc.user);
}

/* ---- >>events --------------------------------------------------------------------------------
 * Events of clients on their way in: through the inbound transformer (ENC-1), to the dialect, to
 * the application (MSG-7, MSG-8). Knows no words of any dialect. Proved by
 * tests/test_transform.c, tests/test_matrix.c. */

/* A callback of the application has failed on an event of this client. what: its name. */
WSHUB__COLD static void wshub__event_failed(wshub *hub, wshub__client *client, const char *what) {
    hub->stats.app_failures++;
    wshub__client_log(hub, WSHUB_LOG_APP_FAILED, client, what, wshub__str(NULL, 0));
}

WSHUB__COLD static void wshub__event_unheard(wshub *hub, const wshub__client *client) {
    wshub__client_log(hub, WSHUB_LOG_IGNORED, client, "event: there is no on_message",
                      wshub__str(NULL, 0));
}

/* To the application. */
static void wshub__event_app(wshub *hub, wshub__client *client, const wshub_event *event) {
    WSHUB_ASSERT(client->slot.link == WSHUB__LIVE);
    if (!hub->desc.on_message) {
        hub->stats.msg_unhandled++;
        if (wshub__debugs(hub)) wshub__event_unheard(hub, client);
    } else if (hub->desc.on_message(hub, wshub__client_handle(hub, client), event,
                                    hub->desc.user) != WSHUB_OK) { /* MSG-8 */
        wshub__event_failed(hub, client, "on_message");
    }
}

/* In clear: to the dialect, which knows what is the application's. */
static void wshub__event_clear(wshub *hub, wshub__client *client, const wshub_event *event) {
    const wshub__speaker *speaker = wshub__client_speaker(hub, client);
    if (speaker->table.event) {
        speaker->table.event(hub, wshub__client_handle(hub, client), event, speaker->user);
    } else {
        wshub__event_app(hub, client, event);
    }
}

/* Appends a text that may be absent. Returns its length; NONE: it is absent. */
WSHUB__COLD static uint32_t wshub__event_keep_text(wshub *hub, wshub__buf *to, wshub_str text) {
    if (!text.ptr) return WSHUB__NONE;
    wshub__buf_add(&hub->mem, to, text.ptr, text.len);
    return (uint32_t)text.len;
}

/* Takes a text out again from where it lies, which moves behind it. */
WSHUB__COLD static wshub_str wshub__event_kept_text(const char **at, uint32_t kept) {
    wshub_str text = wshub__str(NULL, 0);
    if (kept == WSHUB__NONE) return text;
    text = wshub__str(*at, kept);
    *at += kept;
    return text;
}

/* Keeps a copy of an event until the inbound transformer has answered. False: out of memory. */
WSHUB__COLD static bool wshub__event_keep(wshub *hub, wshub__client *client,
                                          const wshub_event *event) {
    wshub__extra *own = wshub__extra_take(hub, client);

    if (!own) return false;
    WSHUB_ASSERT(!own->inbound.len); /* one at a time: nothing more is read meanwhile */
    own->inbound_event = wshub__event_keep_text(hub, &own->inbound, event->event);
    own->inbound_data = wshub__event_keep_text(hub, &own->inbound, event->data);
    own->inbound_id = wshub__event_keep_text(hub, &own->inbound, event->id);
    if (!own->inbound.bad) return true;
    wshub__buf_done(&hub->mem, &own->inbound);
    return false;
}

/* The question to the inbound transformer about an event of a client. NULL: it has none. */
static wshub__ask *wshub__event_ask(const wshub *hub, const wshub__client *client) {
    uint32_t at = client->asks;

    while (at && wshub__ask_at(hub, at - 1)->kind != WSHUB__ASK_IN)
        at = wshub__ask_at(hub, at - 1)->next;
    return at ? wshub__ask_at(hub, at - 1) : NULL;
}

/* Hands an event of an encrypted client to the inbound transformer. Until it answers, nothing
 * more of this client's stream is read, so that its messages keep their order. */
WSHUB__COLD static void wshub__event_transform(wshub *hub, wshub__client *client,
                                               const wshub_event *event) {
    wshub__conn *conn = wshub__conn_at(hub, client->conn);
    wshub_ask ask;

    WSHUB_ASSERT(client->encrypted);
    WSHUB_ASSERT(!wshub__event_ask(hub, client));
    if (!wshub__event_keep(hub, client, event)) {
        wshub__client_log(hub, WSHUB_LOG_NOMEM, client, "inbound transformer", wshub__str(NULL, 0));
        return;
    }
    if (!wshub__ask_new(hub, client, WSHUB__ASK_IN, &ask)) {
        wshub__buf_done(&hub->mem, &client->extra->inbound);
        wshub__client_log(hub, WSHUB_LOG_NOMEM, client, "inbound transformer", wshub__str(NULL, 0));
        return;
    }
    hub->desc.on_transform_in(hub, ask, wshub__client_handle(hub, client), event, hub->desc.user);

    /* Answered at once, or nobody waits any more. */
    if (!wshub__pool_get(&hub->asks, ask.id) || wshub__is_gone(client)) return;
    conn->asked = true;
    conn->phase_due = wshub__after(hub, hub->desc.transform_timeout_ms);
    wshub__conn_arm(hub, conn);
}

/* A stream is heard again, unless another of its clients has an event with the transformer. */
WSHUB__COLD static void wshub__event_listen(wshub *hub, wshub__conn *conn) {
    uint32_t at;

    for (at = conn->above; at; at = wshub__client_at(hub, at - 1)->next_of_session) {
        if (wshub__event_ask(hub, wshub__client_at(hub, at - 1))) return;
    }
    conn->asked = false;
    if (conn->state == WSHUB__CONN_OPEN) /* the rest of a message begun is waited for from now on */
        conn->phase_due =
            wshub__part_begun(conn) ? wshub__after(hub, hub->desc.message_timeout_ms) : 0;
    wshub__conn_arm(hub, conn);
    wshub__resume(hub, conn);
}

/* The inbound transformer has answered: with another event, with none (msg NULL: the event as it
 * was), or it has failed, and the event is lost (ENC-2). */
WSHUB__COLD static void wshub__event_answered(wshub *hub, wshub__client *client,
                                              const wshub_msg *msg, bool failed) {
    wshub__extra *own = client->extra; /* the event was kept there */
    wshub__buf text = own->inbound;
    const char *at = (const char *)text.ptr;
    wshub_event event;

    WSHUB_ASSERT(!wshub__event_ask(hub, client)); /* it has been answered, and is gone */
    memset(&own->inbound, 0, sizeof own->inbound);
    event.event = wshub__event_kept_text(&at, own->inbound_event);
    event.data = wshub__event_kept_text(&at, own->inbound_data);
    event.id = wshub__event_kept_text(&at, own->inbound_id);
    WSHUB_ASSERT(at == (const char *)text.ptr + text.len);

    if (failed) {
        hub->stats.dropped_transform++;
        wshub__client_log(hub, WSHUB_LOG_TRANSFORM_FAILED, client, "inbound", wshub__str(NULL, 0));
    } else if (msg) {
        event.event = msg->event; /* the id stays: whoever replies names that */
        event.data = msg->data;
    }
    if (!failed && event.event.len) wshub__event_clear(hub, client, &event);
    wshub__buf_done(&hub->mem, &text);

    /* What it could not say meanwhile is not held against it. */
    if (client->state == WSHUB_CLIENT_AUTHENTICATED) client->time = hub->now;
    if (client->conn != WSHUB__NONE) wshub__event_listen(hub, wshub__conn_at(hub, client->conn));
}

/* The inbound transformer has not answered in time. */
WSHUB__COLD static void wshub__event_late(wshub *hub, wshub__client *client) {
    wshub__ask *ask = wshub__event_ask(hub, client);

    if (!ask) return;
    wshub__ask_free(hub, ask);
    wshub__event_answered(hub, client, NULL, true);
}

/* ---- >>answers ---------------------------------------------------------------------------------
 * What the application's answers do (>>ask): accept, join, transform, refuse.
 * Proved by tests/test_auth.c, tests/test_matrix.c. */

/* Puts a client's metadata back, as it was before it was not accepted after all. */
static void wshub__metadata_back(wshub *hub, wshub__client *client, wshub__buf before) {
    if (!client->extra) return;
    wshub__buf_done(&hub->mem, &client->extra->metadata);
    client->extra->metadata = before;
}

/* Replaces a client's metadata. *out_before: what it had, which is kept until it is clear that it
 * is accepted. NOMEM: it has what it had. */
static wshub_err wshub__metadata_swap(wshub *hub, wshub__client *client, wshub_str metadata,
                                      wshub__buf *out_before) {
    wshub_err err;

    memset(out_before, 0, sizeof *out_before);
    if (client->extra) {
        *out_before = client->extra->metadata;
        memset(&client->extra->metadata, 0, sizeof *out_before);
    }
    err = wshub__metadata_set(hub, client, metadata);
    if (err) wshub__metadata_back(hub, client, *out_before);
    return err;
}

/* The first answer is yes: keys are agreed, where they must be, or that was all. On failure the
 * question stays open. */
static wshub_err wshub__auth_go_on(wshub *hub, wshub__client *client, wshub__ask *ask,
                                   wshub_str user_id) {
    wshub_err err;

    if (!hub->desc.require_encryption) {
        err = wshub__auth_finish(hub, client, user_id, wshub__str(NULL, 0), wshub__str(NULL, 0));
        if (err) return err;
        wshub__ask_free(hub, ask);
        wshub__auth_connected(hub, client);
        return WSHUB_OK;
    }

    wshub__buf_done(&hub->mem, &client->extra->user_id);
    wshub__buf_add(&hub->mem, &client->extra->user_id, user_id.ptr, user_id.len);
    err = client->extra->user_id.bad ? WSHUB_ERR_NOMEM
                                     : wshub__auth_handshake(hub, client, ask, user_id);
    if (err) wshub__buf_done(&hub->mem, &client->extra->user_id);
    return err;
}

WSHUB_API wshub_err wshub_auth_accept(wshub *hub, wshub_ask ask, const wshub_identity *who) {
    wshub__ask *found;
    wshub__client *client;
    wshub_err err = wshub__ask_find(hub, ask, &found, &client);
    wshub_str user_id = who ? who->user_id : wshub__str(NULL, 0),
              metadata = who ? who->metadata : wshub__str(NULL, 0);
    wshub__buf before;

    if (err) return wshub__ask_stale(hub);
    if (found->kind != WSHUB__ASK_AUTH) return WSHUB_ERR_STATE;
    if (user_id.ptr && !wshub__name_ok(user_id)) return WSHUB_ERR_PARAM;
    if (metadata.ptr && !wshub__json_ok(hub, metadata)) return WSHUB_ERR_JSON;
    err = wshub__metadata_swap(hub, client, metadata, &before);
    if (err) return err;

    if (!user_id.ptr) user_id.len = 0;
    wshub__enter(hub);
    client->has_user = user_id.ptr != NULL;
    err = wshub__auth_go_on(hub, client, found, user_id);
    if (err) {
        client->has_user = false;
        wshub__metadata_back(hub, client, before);
    } else {
        wshub__buf_done(&hub->mem, &before);
    }
    wshub__leave(hub);
    return err;
}

WSHUB__COLD WSHUB_API wshub_err wshub_handshake_accept(wshub *hub, wshub_ask ask,
                                                       wshub_str server_public_key,
                                                       wshub_str salt) {
    wshub__ask *found;
    wshub__client *client;
    wshub_err err = wshub__ask_find(hub, ask, &found, &client);

    if (err) return wshub__ask_stale(hub);
    if (found->kind != WSHUB__ASK_HANDSHAKE) return WSHUB_ERR_STATE;
    if (!wshub__text_ok(server_public_key) || !wshub__text_ok(salt)) return WSHUB_ERR_PARAM;

    wshub__enter(hub);
    err = wshub__auth_finish(hub, client, wshub__user_id(client), server_public_key, salt);
    if (!err) {
        wshub__ask_free(hub, found);
        wshub__client_wire(hub, client, client->kind, true);
        wshub__auth_connected(hub, client);
    }
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_join_accept(wshub *hub, wshub_ask ask, const wshub_str *rooms,
                                      size_t count) {
    wshub__ask *found;
    wshub__client *client;
    wshub_err err = wshub__ask_find(hub, ask, &found, &client), first = WSHUB_OK;
    size_t i;

    if (err) return wshub__ask_stale(hub);
    if (found->kind != WSHUB__ASK_JOIN) return WSHUB_ERR_STATE;
    if (!wshub__rooms_ok(rooms, count)) return WSHUB_ERR_PARAM;

    /* Those that cannot be joined do not keep it out of the others. */
    wshub__enter(hub);
    wshub__ask_free(hub, found);
    for (i = 0; i < count; i++) {
        err = wshub__room_join(hub, client, rooms[i]);
        if (!err) continue;
        hub->stats.joins_refused++;
        wshub__client_log(hub, WSHUB_LOG_JOIN_REFUSED, client, wshub_strerror(err), rooms[i]);
        if (!first) first = err;
    }
    wshub__leave(hub);
    return first;
}

/* Keeps what an outbound transformer has made of a message. False: out of memory, and it has made
 * nothing of it yet. */
WSHUB__COLD static bool wshub__xform_replace(wshub *hub, wshub__xform *xform,
                                             const wshub_msg *msg) {
    size_t data_len = msg->data.ptr ? msg->data.len : 0;

    wshub__buf_add(&hub->mem, &xform->event, msg->event.ptr, msg->event.len);
    wshub__buf_add(&hub->mem, &xform->data, msg->data.ptr, data_len);
    xform->has_data = msg->data.ptr != NULL;
    if (!xform->event.bad && !xform->data.bad) return true;
    wshub__buf_done(&hub->mem, &xform->event);
    wshub__buf_done(&hub->mem, &xform->data);
    return false;
}

WSHUB__COLD WSHUB_API wshub_err wshub_transform_accept(wshub *hub, wshub_ask ask,
                                                       const wshub_msg *msg) {
    wshub__ask *found;
    wshub__client *client;
    wshub__xform *xform;
    wshub_err err = wshub__ask_find(hub, ask, &found, &client);

    if (err) return wshub__ask_stale(hub);
    if (found->kind != WSHUB__ASK_OUT && found->kind != WSHUB__ASK_IN) return WSHUB_ERR_STATE;
    if (msg && (err = wshub__msg_check(hub, msg)) != WSHUB_OK) return err;
    xform = found->xform;
    if (found->kind == WSHUB__ASK_OUT && msg && !wshub__xform_replace(hub, xform, msg))
        return WSHUB_ERR_NOMEM;

    wshub__enter(hub);
    if (found->kind == WSHUB__ASK_OUT) {
        wshub__xform_answered(hub, client, xform);
        wshub__ask_free(hub, found);
        wshub__xform_end(hub, xform, msg ? WSHUB__XFORM_REPLACE : WSHUB__XFORM_KEEP);
    } else {
        wshub__ask_free(hub, found);
        wshub__event_answered(hub, client, msg, false);
    }
    wshub__leave(hub);
    return WSHUB_OK;
}

/* The answer to a question, of any kind, is no. failed: the application could not answer it. */
WSHUB__COLD static wshub_err wshub__ask_deny(wshub *hub, wshub_ask ask, bool failed) {
    wshub__ask *found;
    wshub__client *client;
    wshub__xform *xform;
    wshub__ask_kind kind;
    wshub_err err = wshub__ask_find(hub, ask, &found, &client);

    if (err) return wshub__ask_stale(hub);
    wshub__enter(hub);
    kind = found->kind;
    xform = found->xform;
    wshub__ask_free(hub, found);

    switch (kind) {
    case WSHUB__ASK_AUTH:
        wshub__auth_refuse(hub, client, failed ? WSHUB_REFUSED_FAILED : WSHUB_REFUSED_AUTH,
                           "the application's answer");
        break;
    case WSHUB__ASK_HANDSHAKE: /* AUTH-5 */
        wshub__auth_refuse(hub, client, failed ? WSHUB_REFUSED_FAILED : WSHUB_REFUSED_HANDSHAKE,
                           "the application's answer");
        break;
    case WSHUB__ASK_JOIN:
        hub->stats.joins_refused++;
        wshub__client_log(hub, failed ? WSHUB_LOG_APP_FAILED : WSHUB_LOG_JOIN_REFUSED, client,
                          "on_join", wshub__str(NULL, 0));
        if (failed) hub->stats.app_failures++;
        break;
    case WSHUB__ASK_OUT: wshub__xform_end(hub, xform, WSHUB__XFORM_FAILED); break;
    case WSHUB__ASK_IN: wshub__event_answered(hub, client, NULL, true); break;
    }
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ask_reject(wshub *hub, wshub_ask ask) {
    return wshub__ask_deny(hub, ask, false);
}

WSHUB_API wshub_err wshub_ask_fail(wshub *hub, wshub_ask ask) {
    return wshub__ask_deny(hub, ask, true);
}

/* ---- >>upper -----------------------------------------------------------------------------------
 * What stands above a stream (wshub__above): a WebSocket that is asked for, its client's clock,
 * its end. Proved by tests/test_upgrade.c, tests/test_golden.c (upgrade-*). */

#define WSHUB__PROTOCOLS_MAX 32u /* subprotocols that are looked at */

/* The subprotocols that are offered, in the client's order. False: what is offered is no list of
 * tokens. */
static bool wshub__upgrade_protocols(const wshub_http *http, wshub_str *protocols,
                                     size_t *out_count) {
    wshub_iter iter = {0, 0};
    size_t count = 0;
    wshub_str list;

    while (wshub_http_each_header(http, "Sec-WebSocket-Protocol", &iter, &list)) {
        while (count < WSHUB__PROTOCOLS_MAX && wshub__http_list(&list, &protocols[count])) {
            if (!wshub__http_is_token(protocols[count++])) return false;
        }
    }
    WSHUB_ASSERT(count <= WSHUB__PROTOCOLS_MAX);
    *out_count = count;
    return true;
}

/* May a page of this origin connect? A program, which says none, may. */
static bool wshub__upgrade_origin(const wshub *hub, const wshub_http *http) {
    if (hub->origins_any || !wshub_http_header(http, "Origin").ptr) return true;
    return wshub__origin_in(http, hub->origins, hub->desc.allowed_origins_count);
}

/* What the hub itself has against an upgrade. 0: nothing; else the status to refuse it with. */
static int wshub__upgrade_judge(wshub *hub, const wshub_http *http, wshub_upgrade *up,
                                wshub_str *protocols, const char **why) {
    *why = http->handshake_problem;
    if (http->handshake != 101) return http->handshake;
    *why = "malformed Sec-WebSocket-Protocol";
    if (!wshub__upgrade_protocols(http, protocols, &up->protocols_count)) return 400;
    *why = "this origin may not connect";
    if (!wshub__upgrade_origin(hub, http)) {
        wshub__log_of(hub, WSHUB_LOG_REFUSED, wshub__nobody(), http->conn, "not in allowed_origins",
                      wshub_http_header(http, "Origin"));
        return 403;
    }
    *why = "shutting down";
    if (hub->phase != WSHUB__RUNNING) return 503;
    *why = "too many clients";
    if (hub->clients.live < hub->desc.clients_max) return 0;
    wshub__log_limit(hub, wshub__nobody(), http->conn, "clients_max", hub->desc.clients_max);
    return 503;
}

/* Makes a client of it, then answers 101; all or nothing. */
static void wshub__upgrade_grant(wshub *hub, wshub_exchange exchange, const wshub_upgrade *up) {
    static const char failed[] = "WebSocket upgrade failed";
    wshub__conn *conn = wshub__exchange_conn(hub, wshub__exchange_get(hub, exchange));
    wshub_upgrade_answer answer;
    wshub_client_desc desc;
    wshub__client *client;

    memset(&desc, 0, sizeof desc);
    desc.user_ptr = up->user_ptr;
    if (wshub__client_new(hub, conn, &desc, &client)) {
        (void)wshub_http_refuse(hub, exchange, 500, failed);
        return;
    }

    memset(&answer, 0, sizeof answer);
    if (up->protocol >= 0 && (size_t)up->protocol < up->protocols_count)
        answer.protocol = up->protocols[up->protocol];
    if (wshub_http_upgrade(hub, exchange, &answer, NULL)) {
        wshub__client_unlink(hub, client);
        wshub__session_unlink(hub, client);
        wshub__pool_free(&hub->clients, client->index);
        (void)wshub_http_refuse(hub, exchange, 500, failed);
        return;
    }
    if (hub->desc.on_opened)
        hub->desc.on_opened(hub, wshub__client_handle(hub, client), hub->desc.user);
}

/* The mount of wshub_desc.path: WebSockets there become clients (CONN-1, CONN-2). */
static wshub_take wshub__upgrade(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                 void *user) {
    wshub_str protocols[WSHUB__PROTOCOLS_MAX];
    wshub__exchange *found;
    wshub_upgrade up;
    const char *why;
    int status;

    if (!http->handshake) return WSHUB_TAKE_DECLINED;
    memset(&up, 0, sizeof up);
    up.protocol = -1;
    up.protocols = protocols;
    status = wshub__upgrade_judge(hub, http, &up, protocols, &why);

    /* The application is asked last. It may have answered the exchange itself. */
    if (!status && hub->desc.on_upgrade) {
        hub->desc.on_upgrade(hub, http, &up, user);
        if (hub->destroying || wshub__exchange_find_unanswered(hub, exchange, &found))
            return WSHUB_TAKE_DONE;
        if (up.refuse) status = up.refuse < 400 || up.refuse > 599 ? 403 : up.refuse;
        why = "refused by the application";
    }

    if (status) {
        (void)wshub_http_refuse(hub, exchange, status, why);
    } else {
        wshub__upgrade_grant(hub, exchange, &up);
    }
    return WSHUB_TAKE_DONE;
}

/* The next client of a session behind `client`; NULL: the first of conn, or there are no more. */
static wshub__client *wshub__session_next(const wshub *hub, const wshub__conn *conn,
                                          const wshub__client *client) {
    uint32_t at = client ? client->next_of_session : conn->above;
    return at ? wshub__client_at(hub, at - 1) : NULL;
}

/* When a client must have been heard of. 0: never. */
static uint64_t wshub__client_due(const wshub *hub, const wshub__conn *conn,
                                  const wshub__client *client) {
    uint32_t timeout = hub->desc.heartbeat_timeout_ms;
    uint64_t due, step = hub->desc.heartbeat_interval_ms;

    if (wshub__is_gone(client)) return 0;
    if (client->state != WSHUB_CLIENT_AUTHENTICATED) return client->time; /* AUTH-1, AUTH-2 */

    /* A message that is on its way has a clock of its own. */
    if (timeout == WSHUB_OFF || wshub__conn_waits(conn) || conn->phase_due) return 0;

    /* LIVE-1: who is late is found by the sweep behind that moment. */
    WSHUB_ASSERT(step > 0);
    due = client->time + timeout + 1;
    return (due + step - 1) / step * step;
}

/* When the first of a session's clients must have been heard of. 0: none must. */
static uint64_t wshub__above_due(const wshub *hub, const wshub__conn *conn) {
    const wshub__client *client = NULL;
    uint64_t due = 0;

    while ((client = wshub__session_next(hub, conn, client)) != NULL)
        due = wshub__sooner(due, wshub__client_due(hub, conn, client));
    return due;
}

/* A stream ends, and its clients with it. */
static void wshub__above_ended(wshub *hub, wshub__conn *conn, wshub_cause cause, uint16_t code,
                               wshub_str reason) {
    wshub__client *client = NULL;

    if (wshub__conn_is_lent(conn) && conn->state < WSHUB__CONN_ABORTING)
        wshub__conn_lent(hub, conn)->cause = cause;
    while ((client = wshub__session_next(hub, conn, client)) != NULL)
        wshub__client_end(hub, client, cause, code, reason);
}

/* A stream is to be freed. Its clients outlive it until settle takes them out. */
static void wshub__above_closed(wshub *hub, wshub__conn *conn) {
    wshub__client *client = NULL;

    wshub__above_ended(hub, conn, WSHUB_BY_PEER, WSHUB__CLOSE_ABNORMAL, wshub__str(NULL, 0));
    while ((client = wshub__session_next(hub, conn, client)) != NULL) {
        WSHUB_ASSERT(wshub__is_gone(client));
        client->conn = WSHUB__NONE;
    }
}

/* The peer of a stream has been heard of, and so have its clients. */
static void wshub__above_heard(wshub *hub, wshub__conn *conn) {
    wshub__client *client = NULL;

    while ((client = wshub__session_next(hub, conn, client)) != NULL) {
        if (client->state == WSHUB_CLIENT_AUTHENTICATED) client->time = hub->now;
    }
}

/* Where pongs are heartbeats, who has not been asked yet is asked before it is judged (LIVE-3). */
WSHUB__COLD static bool wshub__above_asked(wshub *hub, wshub__conn *conn) {
    wshub__client *client = NULL;
    bool asked = false;

    if (!hub->desc.heartbeat_by_pong || conn->pinged || wshub__conn_is_lent(conn)) return false;
    while ((client = wshub__session_next(hub, conn, client)) != NULL) {
        if (client->state != WSHUB_CLIENT_AUTHENTICATED) continue;
        client->time = hub->heard - hub->desc.idle_timeout_ms / 2;
        asked = true;
    }
    if (asked) wshub__peer_ask(hub, conn);
    return asked;
}

/* A client has not been heard of in time, or has not authenticated. */
WSHUB__COLD static void wshub__client_late(wshub *hub, wshub__client *client) {
    if (client->state != WSHUB_CLIENT_AUTHENTICATED) { /* AUTH-1, AUTH-2 */
        bool asked = client->state != WSHUB_CLIENT_UNAUTHORIZED;
        hub->stats.auth_timeouts++;
        wshub__client_log(hub, WSHUB_LOG_REFUSED, client,
                          asked ? "the application has not answered within 3 * auth_timeout_ms"
                                : "not a word of authentication within auth_timeout_ms",
                          wshub__str(NULL, 0));
        wshub__client_dismiss(hub, client, WSHUB_BY_AUTH, 0, wshub__str(NULL, 0));
    } else { /* LIVE-1 */
        hub->stats.heartbeat_timeouts++;
        wshub__client_limit(hub, client, "heartbeat_timeout_ms", hub->desc.heartbeat_timeout_ms);
        wshub__client_dismiss(hub, client, WSHUB_BY_TIMEOUT, 0, wshub__str(NULL, 0));
    }
}

/* A moment has passed at which one of a session's clients must have been heard of. */
WSHUB__COLD static void wshub__above_late(wshub *hub, wshub__conn *conn) {
    wshub__client *client = NULL;

    while ((client = wshub__session_next(hub, conn, client)) != NULL) {
        uint64_t due = wshub__client_due(hub, conn, client);
        if (due && hub->heard >= due) wshub__client_late(hub, client);
    }
}

/* A lent session has something queued: its dialect hands it out. */
static void wshub__above_owed(wshub *hub, wshub__conn *conn) {
    const wshub__speaker *speaker = &hub->dialects[wshub__conn_lent(hub, conn)->dialect];

    WSHUB_ASSERT(conn->queued);
    WSHUB_ASSERT(speaker->table.owed);
    speaker->table.owed(hub, wshub__session_handle(conn), conn->queued, speaker->user);
}

/* A lent session ends: its dialect is told, its clients have been. */
WSHUB__COLD static void wshub__above_lent_gone(wshub *hub, wshub__conn *conn) {
    const wshub__lent *lent = wshub__conn_lent(hub, conn);
    const wshub__speaker *speaker = &hub->dialects[lent->dialect];
    wshub_session session = wshub__session_handle(conn);
    uint32_t number = (uint32_t)conn->id & ~WSHUB__LENT;

    if (speaker->table.session_gone)
        speaker->table.session_gone(hub, session, lent->cause, speaker->user);
    wshub__above_closed(hub, conn);
    wshub__conn_free(hub, conn);
    wshub__pool_free(&hub->lents, number);
}

/* The clock of answers of the inbound transformer: of all clients whose event it has. */
WSHUB__COLD static void wshub__above_waited(wshub *hub, wshub__conn *conn) {
    wshub__client *client = NULL;
    while ((client = wshub__session_next(hub, conn, client)) != NULL)
        wshub__event_late(hub, client);
}

/* Whom a log line about a stream names: its first client. */
static wshub_client wshub__above_who(const wshub *hub, const wshub__conn *conn) {
    return wshub__client_handle(hub, wshub__conn_client(hub, conn));
}

/* ---- >>bus -----------------------------------------------------------------------------------
 * The hub as the owner of a bus: what it publishes, what it hears from other instances, and how
 * the connection stands (BUS-1 to BUS-6). What is dropped is counted and told, and an end waits
 * for the broker's word (BYE-2). What waits and for how long is >>uplink's, channels and
 * envelopes are the words of the dialect (>>envelope). Proved by tests/test_bus.c,
 * test_outbox.c, test_bus_table.c. */

/* ---- out ---- */

/* Publications were dropped. limit: the name of the one that was reached. */
WSHUB__COLD static void wshub__bus_dropped(wshub *hub, uint64_t count, const char *limit) {
    if (!count) return;
    hub->stats.bus_dropped += count;
    wshub__log(hub, WSHUB_LOG_BUS_DROPPED, wshub__nobody(), limit, wshub__str(NULL, 0));
}

/* A publication is on its way. One that finds no room is dropped and counted, and no error. */
static void wshub__bus_push(wshub *hub, wshub__pub *pub) {
    bool up = wshub__uplink_is_up(&hub->uplink);
    uint64_t max = up ? hub->desc.bus_burst_bytes_max : hub->desc.bus_queue_bytes_max, dropped = 0;

    WSHUB_ASSERT(wshub__uplink_is_there(&hub->uplink));
    if (wshub__uplink_push(&hub->mem, &hub->uplink, pub, max, &dropped, &hub->stats.bus_published))
        dropped++;
    if (up) hub->stats.bus_dropped_up += dropped;
    wshub__bus_dropped(hub, dropped, up ? "bus_burst_bytes_max" : "bus_queue_bytes_max");
}

/* Publishes what has been delivered here, or was to be (SEND-3): delivery is what that has made
 * of it. Returns OK or NOMEM. */
static wshub_err wshub__publish(wshub *hub, const wshub_dest *dest, const wshub_msg *msg,
                                wshub__delivery *delivery) {
    wshub__piece *plain = &delivery->plain;
    wshub_str frame = wshub__str(NULL, 0);
    wshub__pub *pub;

    WSHUB_ASSERT(msg->event.len && msg->data.ptr); /* SEND-3 */
    WSHUB_ASSERT(dest->kind != WSHUB_DEST_RESOLVE);
    /* Where the bus hands over what is encoded, it is encoded even if nobody here is a
     * receiver. */
    WSHUB_ASSERT(wshub__uplink_is_there(&hub->uplink));
    if (hub->uplink.bus.hand_over && wshub__piece_encode(hub, delivery, plain) == WSHUB_OK)
        frame = wshub__str(wshub__seg_bytes(plain->span.seg) + plain->span.at, plain->span.len);
    pub = wshub__pub_new(&hub->mem, hub->uplink.words, hub->now, hub->server_id, dest, msg, frame);
    if (!pub) return WSHUB_ERR_NOMEM;
    wshub__bus_push(hub, pub);
    return WSHUB_OK;
}

/* ---- in ---- */

/* What came from the bus is no message that this hub can read. */
WSHUB__COLD static void wshub__bus_bad(wshub *hub, const char *why, wshub_str channel) {
    hub->stats.bus_bad++;
    wshub__log(hub, WSHUB_LOG_BUS_BAD, wshub__nobody(), why, channel);
}

/* Delivers here what another instance has sent (BUS-3). */
static void wshub__bus_route(wshub *hub, const wshub_dest *dest, wshub__delivery *delivery) {
    WSHUB_ASSERT(dest->kind != WSHUB_DEST_RESOLVE);
    (void)wshub__route(hub, &hub->first_realm, dest, delivery);
    if (!delivery->reached && !delivery->text)
        hub->stats.bus_discarded++; /* nobody here wanted it */
    wshub__delivery_done(hub, delivery);
}

/* Reads what another instance has published, and delivers it or says why not. */
static void wshub__bus_read(wshub *hub, wshub_str channel, wshub_str payload) {
    wshub__letter letter;
    wshub__delivery delivery;

    WSHUB_ASSERT(hub->depth > 0);
    switch (hub->uplink.words->read(hub, channel, payload, &letter)) {
    case WSHUB__LETTER_FINE:
        wshub__delivery_init(&delivery, letter.event, letter.data);
        wshub__bus_route(hub, &letter.dest, &delivery);
        wshub__mem_free(&hub->mem, letter.block, letter.block_bytes);
        break;
    case WSHUB__LETTER_OWN: hub->stats.bus_self_echo++; break;
    case WSHUB__LETTER_BAD: wshub__bus_bad(hub, "", channel); break;
    case WSHUB__LETTER_NOMEM: wshub__bus_bad(hub, "out of memory", channel); break;

    case WSHUB__LETTER_NOWHERE:
        hub->stats.bus_discarded++;
        wshub__log(hub, WSHUB_LOG_BUS_BAD, wshub__nobody(), "type or target", channel);
        break;
    case WSHUB__LETTER_MISFIT:
        hub->stats.bus_refused++;
        wshub__log(hub, WSHUB_LOG_BUS_BAD, wshub__nobody(), "channel fits neither type nor target",
                   channel);
        break;
    }
}

/* Whose channel it is, of the dialects that speak on the bus beside the built-in one. NULL:
 * none's. */
static const wshub__speaker *wshub__bus_speaker(const wshub *hub, wshub_str channel,
                                                wshub_str *out_rest) {
    uint32_t i;
    for (i = 1; i < hub->dialects_count; i++) {
        const char *prefix = hub->dialects[i].table.bus_prefix;
        size_t n;

        if (!prefix) continue;
        n = strlen(prefix);
        if (channel.len < n || memcmp(channel.ptr, prefix, n) != 0) continue;
        *out_rest = wshub__str(channel.ptr + n, channel.len - n);
        return &hub->dialects[i];
    }
    return NULL;
}

/* The bus reports a message. What this hub published itself comes back too. */
static void wshub__bus_received(void *ctx, wshub_str channel, wshub_str payload) {
    wshub *hub = (wshub *)ctx;
    const wshub__speaker *speaker;
    wshub_str rest;

    if (hub->destroying) return;
    wshub__enter(hub);
    hub->stats.bus_received++;
    speaker = wshub__bus_speaker(hub, channel, &rest);
    if (speaker) {
        if (speaker->table.on_bus) speaker->table.on_bus(hub, rest, payload, speaker->user);
    } else if (wshub_str_eq(hub->uplink.words->writer(payload), hub->server_id)) {
        hub->stats.bus_self_echo++;
    } else {
        wshub__bus_read(hub, channel, payload);
    }
    wshub__leave(hub);
}

/* The same from a hub of this process: what it has checked and encoded is taken as it is. */
static void wshub__bus_handed_over(void *ctx, const wshub_bus_handover *message) {
    wshub *hub = (wshub *)ctx;
    wshub__brief brief;
    wshub__delivery delivery;

    if (hub->destroying) return;
    wshub__enter(hub);
    hub->stats.bus_received++;
    if (wshub_str_eq(hub->uplink.words->writer(message->payload), hub->server_id)) {
        hub->stats.bus_self_echo++;
    } else {
        wshub__brief_read(message->brief, &brief);
        WSHUB_ASSERT(brief.frame.len); /* the frame is what briefs are for */
        wshub__delivery_init(&delivery, brief.event, brief.data);
        delivery.ready = brief.frame;
        wshub__bus_route(hub, &brief.dest, &delivery);
    }
    wshub__leave(hub);
}

/* ---- the connection ---- */

/* Counts and tells what the bus has taken and nobody knows to have arrived: where a connection
 * broke, and at the end what is still pending. */
WSHUB__COLD static void wshub__bus_unconfirmed(wshub *hub, uint64_t pending) {
    uint64_t broken = wshub__uplink_broken(&hub->uplink);
    uint64_t more = broken - hub->bus_broken + pending;

    WSHUB_ASSERT(broken >= hub->bus_broken); /* it counts, and never falls */
    WSHUB_ASSERT(hub->depth > 0);
    hub->bus_broken = broken;
    hub->stats.bus_unconfirmed += more;
    if (more) wshub__log(hub, WSHUB_LOG_BUS_UNCONFIRMED, wshub__nobody(), "", wshub__str(NULL, 0));
}

/* The bus is not up any more. What a busy turn left is kept as far as an outage may keep. */
WSHUB__COLD static void wshub__bus_lost(wshub *hub) {
    WSHUB_ASSERT(!wshub__uplink_is_up(&hub->uplink));
    hub->bus_since = hub->now;
    hub->stats.bus_downs++;
    wshub__bus_unconfirmed(hub, 0);
    wshub__bus_dropped(
        hub, wshub__outbox_trim(&hub->mem, &hub->uplink.outbox, hub->desc.bus_queue_bytes_max, 0),
        "bus_queue_bytes_max");
}

/* Tells the dialects that the bus is up or down; CONNECTED is told where all is subscribed to
 * anew. */
WSHUB__COLD static void wshub__bus_tell(wshub *hub, wshub_bus_state state) {
    uint32_t i;
    for (i = 1; i < hub->dialects_count && !hub->destroying; i++) {
        const wshub__speaker *speaker = &hub->dialects[i];
        if (speaker->table.on_bus_state) speaker->table.on_bus_state(hub, state, speaker->user);
    }
}

/* The bus reports how it stands (BUS-5). */
WSHUB__COLD static void wshub__bus_state(void *ctx, wshub_bus_state state) {
    wshub *hub = (wshub *)ctx;
    bool was_up = wshub__uplink_is_up(&hub->uplink), up = state == WSHUB_BUS_UP;
    uint64_t down;

    if (hub->destroying || !wshub__uplink_hear(&hub->uplink, state)) return;
    wshub__enter(hub);
    WSHUB_ASSERT(up == wshub__uplink_is_up(&hub->uplink));
    if (!up) wshub__subs_clear(hub); /* whatever was subscribed to is forgotten */
    if (was_up) wshub__bus_lost(hub);
    down = was_up ? 0 : hub->now - hub->bus_since;

    if (state == WSHUB_BUS_CONNECTED) {
        hub->replay = WSHUB__REPLAY_BASE;
        (void)wshub__subs_run(hub);
    } else if (was_up || up) {
        hub->stats.bus_down_ms += down;
        wshub__log(hub, WSHUB_LOG_BUS_STATE, wshub__nobody(), up ? "up" : "down",
                   wshub__str(NULL, 0));
        if (hub->desc.on_bus) hub->desc.on_bus(hub, state, down, hub->desc.user);
        wshub__bus_tell(hub, state);
    }
    wshub__leave(hub);
}

/* Any thread. The bus has something to report. */
static void wshub__bus_wake(void *ctx) {
    wshub *hub = (wshub *)ctx;
    WSHUB_ASSERT(hub->io.wake); /* or the bus had been refused */
    hub->io.wake(hub->io.ctx);
}

/* Takes a bus. If that fails, the bus has been left again. */
WSHUB__COLD static wshub_err wshub__bus_attach(wshub *hub, const wshub_bus *bus,
                                               const wshub__words *words) {
    wshub_bus_owner owner;
    uint64_t key[2];

    memset(&owner, 0, sizeof owner); /* room: settle does what there is to do */
    owner.ctx = hub;
    owner.received = wshub__bus_received;
    owner.state = wshub__bus_state;
    owner.wake = wshub__bus_wake;
    owner.handed_over = wshub__bus_handed_over;
    key[0] = wshub__siphash(hub->key, "bus", 3, 0);
    key[1] = wshub__siphash(hub->key, "bus", 3, 1);
    memcpy(owner.key, key, sizeof owner.key);
    hub->bus_since = hub->now;
    return wshub__uplink_attach(&hub->mem, &hub->uplink, bus, words, &owner);
}

/* ---- the turn's end, and the hub's ---- */

static void wshub__bus_flush(wshub *hub) {
    WSHUB_ASSERT(wshub__uplink_is_up(&hub->uplink));
    hub->stats.bus_published += wshub__uplink_flush(&hub->mem, &hub->uplink);
}

/* While the bus is down: what has waited too long is dropped. Returns when to look again; 0:
 * never. */
WSHUB__COLD static uint64_t wshub__bus_expire(wshub *hub) {
    wshub__outbox *box = &hub->uplink.outbox;
    uint32_t most = hub->desc.bus_queue_ms_max;
    WSHUB_ASSERT(!wshub__uplink_is_up(&hub->uplink));
    if (!box->head || most == WSHUB_OFF) return 0;
    wshub__bus_dropped(hub, wshub__outbox_expire(&hub->mem, box, hub->now, most),
                       "bus_queue_ms_max");
    return box->head ? box->head->at + most : 0;
}

/* Hands the bus this turn's changes of subscriptions, batched, then its publications. Returns
 * when to look again; 0: not at a time. */
static uint64_t wshub__bus_settle(wshub *hub) {
    wshub__uplink *uplink = &hub->uplink;
    uint64_t next = 0;

    if (!wshub__uplink_is_there(uplink)) return 0;
    if (wshub__uplink_is_linked(uplink) && !hub->dead && (hub->subs_count || hub->replay)) {
        if (!wshub__subs_run(hub)) next = hub->now + WSHUB__SUBS_AGAIN_MS;
        if (hub->subs_out.head) next = wshub__sooner(next, hub->subs_out.head->due);
    }

    if (!wshub__uplink_is_up(uplink)) {
        next = wshub__sooner(next, wshub__bus_expire(hub));
    } else if (uplink->outbox.head) {
        wshub__bus_flush(hub);
    }
    if (uplink->bus.flush) uplink->bus.flush(uplink->bus.ctx);
    return next;
}

/* Hands over what the bus takes now. Returns whether an end has something to wait for all the
 * same: kept here, or taken and not acknowledged (BYE-2). */
WSHUB__COLD static bool wshub__bus_owes(wshub *hub) {
    if (!wshub__uplink_is_there(&hub->uplink)) return false;
    if (wshub__uplink_is_up(&hub->uplink)) wshub__bus_flush(hub);
    return hub->uplink.outbox.head || wshub__uplink_pending(&hub->uplink);
}

/* Hands over what the bus takes now, leaves it, and tells of what is lost or unknown. */
WSHUB__COLD static void wshub__bus_leave(wshub *hub) {
    uint64_t kept;
    if (!wshub__uplink_is_there(&hub->uplink)) return;
    (void)wshub__bus_settle(hub);
    kept = hub->uplink.outbox.count;
    wshub__bus_unconfirmed(hub, wshub__uplink_pending(&hub->uplink));
    wshub__uplink_leave(&hub->mem, &hub->uplink);
    wshub__bus_dropped(hub, kept, "shutdown_timeout_ms");
    WSHUB_ASSERT(!wshub__uplink_is_there(&hub->uplink));
}

/* ---- questions to the broker ---- */

/* One that waits for its answer; the bus answers each exactly once, if only by leaving. */
typedef struct wshub__bus_question {
    wshub *hub;
    void (*on_reply)(wshub *hub, const wshub_bus_reply *reply, void *arg);
    void *arg;
} wshub__bus_question;

/* The broker has answered, or will not. */
WSHUB__COLD static void wshub__bus_replied(void *arg, const wshub_bus_reply *reply) {
    wshub__bus_question question = *(wshub__bus_question *)arg;

    wshub__mem_free(&question.hub->mem, arg, sizeof question);
    wshub__enter(question.hub);
    question.on_reply(question.hub, reply, question.arg);
    wshub__leave(question.hub);
}

WSHUB__COLD WSHUB_API wshub_err wshub_bus_request(
    wshub *hub, const wshub_str *argv, size_t argc,
    void (*on_reply)(wshub *hub, const wshub_bus_reply *reply, void *arg), void *arg) {
    wshub__uplink *uplink = &hub->uplink;
    wshub__bus_question *question;
    wshub_err err;

    if (!argv || !argc || !on_reply) return WSHUB_ERR_PARAM;
    if (!wshub__uplink_is_there(uplink) || !uplink->bus.request) return WSHUB_ERR_STATE;

    question = (wshub__bus_question *)wshub__mem_new(&hub->mem, sizeof *question);
    if (!question) return WSHUB_ERR_NOMEM;
    question->hub = hub;
    question->on_reply = on_reply;
    question->arg = arg;

    err = uplink->bus.request(uplink->bus.ctx, argv, argc, wshub__bus_replied, question);
    if (err) wshub__mem_free(&hub->mem, question, sizeof *question);
    return err;
}

/* ---- >>asking ----------------------------------------------------------------------------------
 * What the application asks about clients, rooms and users, and what it does to them: public
 * functions alone, by handles and names. Questions are answered about who is about to leave too
 * (wshub__client_known), orders are not carried out about anybody who is gone
 * (wshub__client_get).
 * Calls >>walks, >>realms, >>clients, >>rooms, >>session.
 * Proved by tests/test_misuse.c, test_walks.c. */

WSHUB_API wshub_err wshub_client_find_in(const wshub *hub, wshub_realm realm, wshub_str id,
                                         wshub_client *out_client) {
    const wshub__realm *where = wshub__realm_get(hub, realm);
    wshub__client *client = where ? wshub__client_by_id(where, id) : NULL;
    if (!client || wshub__is_gone(client)) return WSHUB_ERR_STALE;
    *out_client = wshub__client_handle(hub, client);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_find(const wshub *hub, wshub_str id, wshub_client *out_client) {
    return wshub_client_find_in(hub, wshub__first(), id, out_client);
}

/* Behind whom a walk over the clients of a realm goes on. Returns false: that one has gone and
 * nobody knows who came next, as 64 other walks have pushed this one out. */
static bool wshub__clients_known(const wshub *hub, const wshub__realm *realm, uint32_t last) {
    const wshub__client *client;
    if (!last) return true; /* it begins */
    if (last > hub->clients.used) return false;
    client = wshub__client_at(hub, last - 1);
    return client->slot.link == WSHUB__LIVE && client->realm == realm->number;
}

/* One more client of a realm, the oldest first.
 *   all  those who are gone and not yet taken out too
 * NULL: no more. */
static wshub__client *wshub__clients_each(const wshub *hub, wshub__realm *realm, wshub_iter *iter,
                                          bool all) {
    wshub__walk *walk = wshub__walk_step(hub, iter, &realm->oldest, 0);
    uint32_t i = 0;

    if (!walk) return NULL;

    if (wshub__clients_known(hub, realm, walk->left))
        i = walk->left ? wshub__client_at(hub, walk->left - 1)->next : realm->oldest;
    while (i && !all && wshub__is_gone(wshub__client_at(hub, i - 1)))
        i = wshub__client_at(hub, i - 1)->next;
    if (!i) {
        (void)wshub__walk_end(walk, iter);
        return NULL;
    }

    realm->clients_walked = true;
    wshub__walk_seen(walk, iter, i);
    return wshub__client_at(hub, i - 1);
}

WSHUB_API bool wshub_client_each_in(const wshub *hub, wshub_realm realm, wshub_iter *iter,
                                    wshub_client *out_client) {
    wshub__realm *where = wshub__realm_get(hub, realm);
    const wshub__client *client = where ? wshub__clients_each(hub, where, iter, false) : NULL;
    if (!client) return false;
    *out_client = wshub__client_handle(hub, client);
    return true;
}

WSHUB_API bool wshub_client_each(const wshub *hub, wshub_iter *iter, wshub_client *out_client) {
    return wshub_client_each_in(hub, wshub__first(), iter, out_client);
}

WSHUB_API wshub_realm wshub_client_realm(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    return found ? wshub__realm_handle(wshub__realm_of(hub, found)) : wshub__first();
}

WSHUB_API wshub_state wshub_client_state(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_get(hub, client);
    return found ? (wshub_state)found->state : WSHUB_CLIENT_DISCONNECTED;
}

WSHUB_API wshub_str wshub_client_id(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    return found ? wshub__name_str(&found->name) : wshub__str(NULL, 0);
}

WSHUB_API wshub_str wshub_client_user_id(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    return found && wshub__client_reached(found) == WSHUB_CLIENT_AUTHENTICATED
               ? wshub__user_id(found)
               : wshub__str(NULL, 0);
}

WSHUB_API wshub_str wshub_client_metadata(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    return found && found->extra
               ? wshub__str(found->extra->metadata.ptr, found->extra->metadata.len)
               : wshub__str(NULL, 0);
}

WSHUB_API bool wshub_client_is_encrypted(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    return found && found->encrypted;
}

WSHUB_API bool wshub_client_is_pressured(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    const wshub__conn *conn = found ? wshub__client_conn(hub, found) : NULL;
    return conn && conn->pressured;
}

WSHUB_API size_t wshub_client_queued_bytes(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    const wshub__conn *conn = found ? wshub__client_conn(hub, found) : NULL;
    if (!found) return 0;
    wshub__look(hub);
    return (conn ? conn->queued : 0) + (found->extra ? (size_t)found->extra->xform_bytes : 0);
}

WSHUB_API void *wshub_client_user_ptr(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_known(hub, client);
    return found ? found->user_ptr : NULL;
}

WSHUB_API wshub_err wshub_client_set_user_ptr(wshub *hub, wshub_client client, void *ptr) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!found) return WSHUB_ERR_STALE;
    found->user_ptr = ptr;
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_set_metadata(wshub *hub, wshub_client client,
                                                          wshub_str metadata) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!found) return WSHUB_ERR_STALE;
    if (metadata.ptr && !wshub__json_ok(hub, metadata)) return WSHUB_ERR_JSON;
    return wshub__metadata_set(hub, found, metadata);
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_about(const wshub *hub, wshub_client client,
                                                   wshub_about *out_about) {
    const wshub__client *found = wshub__client_known(hub, client);
    const wshub__conn *conn = found ? wshub__client_conn(hub, found) : NULL;
    wshub_conn stream;
    if (!conn) return WSHUB_ERR_STALE;
    stream.id = conn->id;
    return wshub_conn_about(hub, stream, out_about);
}

WSHUB__COLD WSHUB_API size_t wshub_client_peer(const wshub *hub, wshub_client client, char *text,
                                               size_t cap) {
    wshub_about about;
    if (cap) text[0] = 0;
    if (wshub_client_about(hub, client, &about) || about.peer.len >= cap) return 0;

    if (about.peer.len) memcpy(text, about.peer.ptr, about.peer.len);
    text[about.peer.len] = 0;
    return about.peer.len;
}

WSHUB_API wshub_err wshub_client_close(wshub *hub, wshub_client client, uint16_t code,
                                       wshub_str reason) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!wshub__close_ok(code, reason)) return WSHUB_ERR_PARAM;
    if (!found) return WSHUB_ERR_STALE;
    wshub__enter(hub);
    wshub__client_dismiss(hub, found, WSHUB_BY_APP, code, reason);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_encrypt(wshub *hub, wshub_client client) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!found) return WSHUB_ERR_STALE;
    if (found->state != WSHUB_CLIENT_AUTHENTICATED) return WSHUB_ERR_STATE;
    wshub__client_wire(hub, found, found->kind, true);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_join(wshub *hub, wshub_client client, wshub_str room) {
    wshub__client *found = wshub__client_get(hub, client);
    wshub_err err;
    if (!room.len || !wshub__name_ok(room)) return WSHUB_ERR_PARAM;
    if (!found) return WSHUB_ERR_STALE;
    err = wshub__room_join(hub, found, room);
    wshub__log_leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_client_leave(wshub *hub, wshub_client client, wshub_str room) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!room.len || !wshub__name_ok(room)) return WSHUB_ERR_PARAM;
    if (!found) return WSHUB_ERR_STALE;
    (void)wshub__room_leave(hub, found, room);
    wshub__log_leave(hub);
    return WSHUB_OK;
}

WSHUB_API bool wshub_client_in_room(const wshub *hub, wshub_client client, wshub_str room) {
    const wshub__client *found = wshub__client_known(hub, client);
    const wshub__group *group;
    if (!found) return false;
    if (found->own_room && wshub_str_eq(room, wshub__name_str(&found->name))) return true;
    group = wshub__group_find(wshub__realm_of(hub, found), WSHUB__KIND_ROOM, room);
    return group && wshub__room_place(found, group) != WSHUB__NONE;
}

WSHUB__COLD WSHUB_API bool wshub_client_each_room(const wshub *hub, wshub_client client,
                                                  wshub_iter *iter, wshub_str *out_room) {
    wshub__client *found = wshub__client_known(hub, client);
    bool first = !iter->phase;
    wshub__walk *walk;

    if (!found) return false;
    walk = wshub__walk_step(hub, iter, &found->rooms, found->rooms_count);
    if (!walk) return false;
    found->rooms_walked = true;

    /* The room that is a flag comes first; should it become one of the many meanwhile, it stands
     * behind those that are still to be seen. */
    if (first && found->own_room) {
        *out_room = wshub__name_str(&found->name);
        return true;
    }

    if (walk->left > found->rooms_count) walk->left = found->rooms_count;
    if (!walk->left) return wshub__walk_end(walk, iter);
    wshub__walk_seen(walk, iter, walk->left - 1);
    *out_room = wshub__name_str(&found->rooms[walk->left]->name);
    return true;
}

/* The only member of a room that is a flag in it: the one whose id is the room's name. */
static wshub__client *wshub__room_alone(const wshub__realm *realm, wshub_str room) {
    wshub__client *client = wshub__client_by_id(realm, room);
    return client && client->own_room && !wshub__is_gone(client) ? client : NULL;
}

WSHUB_API size_t wshub_room_count_in(const wshub *hub, wshub_realm realm, wshub_str room) {
    const wshub__realm *where = wshub__realm_get(hub, realm);
    const wshub__group *group = where ? wshub__group_find(where, WSHUB__KIND_ROOM, room) : NULL;
    if (!where) return 0;
    if (group) return group->count;
    return wshub__room_alone(where, room) ? 1 : 0;
}

WSHUB_API size_t wshub_room_count(const wshub *hub, wshub_str room) {
    return wshub_room_count_in(hub, wshub__first(), room);
}

/* One more member of a room or user, from the back. */
static bool wshub__group_each(const wshub *hub, wshub__group *group, wshub_iter *iter,
                              wshub_client *out_client) {
    wshub__walk *walk = wshub__walk_step(hub, iter, group, group->count);

    if (!walk) return false;
    group->walked = true;

    /* It may have begun over a room of that name that is no more. */
    if (walk->left > group->count) walk->left = group->count;
    while (walk->left) {
        const wshub__client *client =
            wshub__client_at(hub, wshub__members(group)[walk->left - 1].client);

        wshub__walk_seen(walk, iter, walk->left - 1);
        if (wshub__is_gone(client)) continue;
        *out_client = wshub__client_handle(hub, client);
        return true;
    }
    return wshub__walk_end(walk, iter);
}

WSHUB_API bool wshub_room_each_member_in(const wshub *hub, wshub_realm realm, wshub_str room,
                                         wshub_iter *iter, wshub_client *out_client) {
    const wshub__realm *where = wshub__realm_get(hub, realm);
    wshub__group *group = where ? wshub__group_find(where, WSHUB__KIND_ROOM, room) : NULL;
    const wshub__client *alone;

    if (!where) return false;
    if (group) return wshub__group_each(hub, group, iter, out_client);

    alone = wshub__room_alone(where, room);
    if (!alone || iter->phase) return false;
    iter->phase = WSHUB__WALK_ENDED; /* who is seen now is not seen again when others have come */
    *out_client = wshub__client_handle(hub, alone);
    return true;
}

WSHUB_API bool wshub_room_each_member(const wshub *hub, wshub_str room, wshub_iter *iter,
                                      wshub_client *out_client) {
    return wshub_room_each_member_in(hub, wshub__first(), room, iter, out_client);
}

/* One more of a realm's list of all rooms or users, from the back. NULL: no more. */
static const wshub__group *wshub__groups_each(const wshub *hub, wshub__groups *list,
                                              wshub_iter *iter) {
    wshub__walk *walk = wshub__walk_step(hub, iter, list, list->count);

    if (!walk) return NULL;
    list->walked = true;
    if (walk->left > list->count) walk->left = list->count;
    if (!walk->left) {
        (void)wshub__walk_end(walk, iter);
        return NULL;
    }
    wshub__walk_seen(walk, iter, walk->left - 1);
    return list->items[walk->left];
}

/* A walk over all rooms goes first through those that are not named like a client, then through
 * the clients of the realm for the rooms named like them, whether these are flags or have other
 * members too: so each is seen once, whatever has become of it meanwhile. From this phase on it
 * is the second; what is beyond it is the phase of the walk over the clients. */
#define WSHUB__OWN_ROOMS 0x10000u

static bool wshub__own_room_each(const wshub *hub, wshub__realm *realm, wshub_iter *iter,
                                 wshub_str *out_room) {
    wshub_iter clients;
    const wshub__client *client;

    clients.pos = iter->pos;
    clients.phase = iter->phase - WSHUB__OWN_ROOMS;
    while ((client = wshub__clients_each(hub, realm, &clients, true)) != NULL) {
        *out_room = wshub__name_str(&client->name);
        if (client->own_room && !wshub__is_gone(client)) break;
        if (wshub__group_find(realm, WSHUB__KIND_ROOM, *out_room)) break;
    }
    iter->pos = clients.pos;
    iter->phase = client ? clients.phase + WSHUB__OWN_ROOMS : WSHUB__WALK_ENDED;
    return client != NULL;
}

WSHUB__COLD WSHUB_API bool wshub_room_each_in(const wshub *hub, wshub_realm realm, wshub_iter *iter,
                                              wshub_str *out_room) {
    wshub__realm *where = wshub__realm_get(hub, realm);

    if (!where) return false;
    while (iter->phase < WSHUB__OWN_ROOMS) {
        const wshub__group *group = wshub__groups_each(hub, &where->rooms, iter);
        if (!group) {
            iter->phase = WSHUB__OWN_ROOMS;
            iter->pos = 0;
        } else if (!wshub__client_by_id(where, wshub__name_str(&group->name))) {
            *out_room = wshub__name_str(&group->name);
            return true;
        }
    }
    return iter->phase != WSHUB__WALK_ENDED && wshub__own_room_each(hub, where, iter, out_room);
}

WSHUB__COLD WSHUB_API bool wshub_room_each(const wshub *hub, wshub_iter *iter,
                                           wshub_str *out_room) {
    return wshub_room_each_in(hub, wshub__first(), iter, out_room);
}

WSHUB_API size_t wshub_user_count_in(const wshub *hub, wshub_realm realm, wshub_str user_id) {
    const wshub__realm *where = wshub__realm_get(hub, realm);
    const wshub__group *group = where ? wshub__group_find(where, WSHUB__KIND_USER, user_id) : NULL;
    return group ? group->count : 0;
}

WSHUB_API size_t wshub_user_count(const wshub *hub, wshub_str user_id) {
    return wshub_user_count_in(hub, wshub__first(), user_id);
}

WSHUB_API bool wshub_user_each_client_in(const wshub *hub, wshub_realm realm, wshub_str user_id,
                                         wshub_iter *iter, wshub_client *out_client) {
    const wshub__realm *where = wshub__realm_get(hub, realm);
    wshub__group *group = where ? wshub__group_find(where, WSHUB__KIND_USER, user_id) : NULL;
    return group && wshub__group_each(hub, group, iter, out_client);
}

WSHUB_API bool wshub_user_each_client(const wshub *hub, wshub_str user_id, wshub_iter *iter,
                                      wshub_client *out_client) {
    return wshub_user_each_client_in(hub, wshub__first(), user_id, iter, out_client);
}

WSHUB__COLD WSHUB_API bool wshub_user_each_in(const wshub *hub, wshub_realm realm, wshub_iter *iter,
                                              wshub_str *out_user_id) {
    wshub__realm *where = wshub__realm_get(hub, realm);
    const wshub__group *group = where ? wshub__groups_each(hub, &where->users, iter) : NULL;
    if (!group) return false;
    *out_user_id = wshub__name_str(&group->name);
    return true;
}

WSHUB__COLD WSHUB_API bool wshub_user_each(const wshub *hub, wshub_iter *iter,
                                           wshub_str *out_user_id) {
    return wshub_user_each_in(hub, wshub__first(), iter, out_user_id);
}

/* ---- >>sends ---------------------------------------------------------------------------------
 * The application's sends, here and everywhere. Proved by tests/test_send.c, test_bus.c. */

static wshub_err wshub__client_send(wshub *hub, wshub_client client, wshub__delivery *delivery) {
    wshub__client *found = wshub__client_get(hub, client);
    wshub_err err;

    if (!found) {
        wshub__log(hub, WSHUB_LOG_IGNORED, client, "message to a client that is gone",
                   wshub__str(NULL, 0));
        wshub__log_leave(hub);
        return WSHUB_ERR_STALE;
    }
    wshub__enter(hub);
    if (wshub__is_clear_refused(hub, found)) {
        wshub__client_log(hub, WSHUB_LOG_CLEAR_REFUSED, found, "", wshub__str(NULL, 0));
        err = WSHUB_ERR_CLEAR;
    } else {
        err = wshub__deliver(hub, found, delivery);
    }
    wshub__delivery_done(hub, delivery);
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_client_send(wshub *hub, wshub_client client, const wshub_msg *msg) {
    wshub__delivery delivery;
    wshub_err err = wshub__msg_check(hub, msg);
    if (err) return err;
    wshub__delivery_init(&delivery, msg->event, msg->data);
    return wshub__client_send(hub, client, &delivery);
}

WSHUB_API wshub_err wshub_client_reply(wshub *hub, wshub_client client, wshub_str id,
                                       const wshub_msg *msg) {
    wshub__delivery delivery;
    wshub_err err = wshub__msg_check(hub, msg);

    if (!err) err = wshub__reply_id_check(hub, id);
    if (err) return err;
    wshub__delivery_init(&delivery, msg->event, msg->data);
    delivery.own.id = id;
    return wshub__client_send(hub, client, &delivery);
}

WSHUB_API wshub_err wshub_client_send_binary(wshub *hub, wshub_client client, const uint8_t *bytes,
                                             size_t count) {
    wshub__delivery delivery;
    static const uint8_t nothing = 0;

    if (count && !bytes) return WSHUB_ERR_PARAM;
    if (count > WSHUB_MSG_BYTES_MAX) return WSHUB_ERR_LIMIT;
    wshub__delivery_init_bytes(&delivery, bytes ? bytes : &nothing, count);
    return wshub__client_send(hub, client, &delivery);
}

/* Here, in the first realm, to all, a user or a room. Not by wshub_send_here(): what a destination
 * may say beyond that, these calls need not look for. */
static wshub_err wshub__send_kind(wshub *hub, wshub_dest_kind kind, wshub_str name,
                                  const wshub_msg *msg, const wshub_str *exclude,
                                  size_t exclude_count) {
    wshub__delivery delivery;
    wshub_dest dest;
    wshub_err err = wshub__msg_check(hub, msg);

    if (err) return err;
    if ((exclude_count && !exclude) || (name.len && !wshub__name_ok(name))) return WSHUB_ERR_PARAM;
    memset(&dest, 0, sizeof dest);
    dest.kind = kind;
    dest.name = name;
    dest.exclude = exclude;
    dest.exclude_count = exclude_count;

    wshub__enter(hub);
    wshub__delivery_init(&delivery, msg->event, msg->data);
    err = wshub__route(hub, &hub->first_realm, &dest, &delivery);
    wshub__delivery_done(hub, &delivery);
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_user_send_here(wshub *hub, wshub_str user_id, const wshub_msg *msg) {
    return wshub__send_kind(hub, WSHUB_DEST_USER, user_id, msg, NULL, 0);
}

WSHUB_API wshub_err wshub_room_send_here(wshub *hub, wshub_str room, const wshub_msg *msg,
                                         const wshub_str *exclude, size_t exclude_count) {
    return wshub__send_kind(hub, WSHUB_DEST_ROOM, room, msg, exclude, exclude_count);
}

WSHUB_API wshub_err wshub_all_send_here(wshub *hub, const wshub_msg *msg, const wshub_str *exclude,
                                        size_t exclude_count) {
    return wshub__send_kind(hub, WSHUB_DEST_ALL, wshub__str(NULL, 0), msg, exclude, exclude_count);
}

/* What dest means: a name alone is a client's id, or else a room; none is everybody. */
static wshub_dest wshub__dest_resolve(const wshub__realm *realm, const wshub_dest *dest) {
    wshub_dest out;
    wshub__client *client;

    memset(&out, 0, sizeof out);
    if (dest) out = *dest;
    if (out.kind != WSHUB_DEST_RESOLVE) return out;
    client = out.name.len ? wshub__client_by_id(realm, out.name) : NULL;
    out.kind = !out.name.len                       ? WSHUB_DEST_ALL
               : client && !wshub__is_gone(client) ? WSHUB_DEST_CLIENT
                                                   : WSHUB_DEST_ROOM;
    return out;
}

/* Delivers here, in one call from outside. Ends the delivery. */
static wshub_err wshub__send_out(wshub *hub, const wshub_dest *dest, wshub__delivery *delivery) {
    wshub__realm *realm = &hub->first_realm;
    wshub_dest to;
    wshub_err err;

    if (dest && wshub__dest_check(dest)) return WSHUB_ERR_PARAM;
    if (dest) realm = wshub__realm_get(hub, dest->realm);
    if (!realm) return WSHUB_ERR_STALE;
    to = wshub__dest_resolve(realm, dest);
    wshub__enter(hub);
    err = wshub__route(hub, realm, &to, delivery);
    wshub__delivery_done(hub, delivery);
    wshub__leave(hub);
    return err;
}

WSHUB_API wshub_err wshub_send_here(wshub *hub, const wshub_dest *dest, const wshub_msg *msg) {
    wshub__delivery delivery;
    wshub_err err = wshub__msg_check(hub, msg);
    if (err) return err;
    wshub__delivery_init(&delivery, msg->event, msg->data);
    return wshub__send_out(hub, dest, &delivery);
}

static wshub_err wshub__packet_check(const wshub *hub, const wshub_packet *packet) {
    size_t i;

    if (!packet || !wshub__name_ok(packet->event)) return WSHUB_ERR_PARAM;
    if ((packet->args_count && !packet->args) ||
        (packet->attachments_count && !packet->attachments))
        return WSHUB_ERR_PARAM;
    for (i = 0; i < packet->args_count; i++) {
        if (!packet->args[i].ptr) return WSHUB_ERR_PARAM;
        if (packet->args[i].len > WSHUB_MSG_BYTES_MAX) return WSHUB_ERR_LIMIT;
        if ((!packet->args_are_json || !packet->args[i].len) &&
            !wshub__data_ok(packet->args[i], hub->desc.json_depth_max))
            return WSHUB_ERR_JSON;
    }
    for (i = 0; i < packet->attachments_count; i++) {
        if (packet->attachments[i].len && !packet->attachments[i].ptr) return WSHUB_ERR_PARAM;
    }
    return wshub__reply_id_check(hub, packet->id);
}

WSHUB_API wshub_err wshub_packet_send_here(wshub *hub, const wshub_dest *dest,
                                           const wshub_packet *packet) {
    wshub__delivery delivery;
    wshub_err err = wshub__packet_check(hub, packet);
    if (err) return err;
    wshub__delivery_init_packet(&delivery, packet);
    return wshub__send_out(hub, dest, &delivery);
}

WSHUB_API wshub_err wshub_client_send_packet(wshub *hub, wshub_client client,
                                             const wshub_packet *packet) {
    wshub__delivery delivery;
    wshub_err err = wshub__packet_check(hub, packet);
    if (err) return err;
    wshub__delivery_init_packet(&delivery, packet);
    return wshub__client_send(hub, client, &delivery);
}

/* Tells other instances, in the words of whoever speaks for the realm on the bus, what has been
 * delivered here. */
static wshub_err wshub__send_publish(wshub *hub, const wshub__realm *realm, const wshub_dest *dest,
                                     wshub__delivery *delivery) {
    const wshub__speaker *speaker = &hub->dialects[realm->dialect];
    wshub_msg msg;

    if (realm->number) {
        if (!speaker->table.publish) return WSHUB_OK;
        return speaker->table.publish(hub, wshub__realm_handle(realm), dest, delivery->packet,
                                      speaker->user);
    }
    memset(&msg, 0, sizeof msg);
    msg.event = delivery->packet->event;
    msg.data = delivery->data;
    return wshub__publish(hub, dest, &msg, delivery);
}

/* Delivers here, and tells the others. Ends the delivery. */
static wshub_err wshub__send_wide(wshub *hub, const wshub_dest *dest, wshub__delivery *delivery) {
    wshub__realm *realm = &hub->first_realm;
    wshub_err err, published = WSHUB_OK;
    wshub_dest to;

    if (!delivery->packet->event.len || (dest && wshub__dest_check(dest)))
        return WSHUB_ERR_PARAM; /* SEND-3 */
    if (hub->phase == WSHUB__DOWN) return WSHUB_ERR_CLOSED;
    if (dest) realm = wshub__realm_get(hub, dest->realm);
    if (!realm) return WSHUB_ERR_STALE;
    if (!realm->number &&
        ((dest && (dest->rooms_count || dest->except_rooms_count)) || !delivery->data.ptr ||
         delivery->packet->id.ptr || !wshub__packet_is_plain(delivery->packet)))
        return WSHUB_ERR_PARAM; /* an envelope has no words for that */
    to = wshub__dest_resolve(realm, dest);

    wshub__enter(hub);
    err = wshub__route(hub, realm, &to, delivery);
    if (wshub__uplink_is_there(&hub->uplink))
        published = wshub__send_publish(hub, realm, &to, delivery);
    wshub__delivery_done(hub, delivery);
    wshub__leave(hub);
    return err ? err : published;
}

WSHUB_API wshub_err wshub_send(wshub *hub, const wshub_dest *dest, const wshub_msg *msg) {
    wshub__delivery delivery;
    wshub_err err = wshub__msg_check(hub, msg);
    if (err) return err;
    if (!msg->data.ptr) return WSHUB_ERR_PARAM; /* SEND-3 */
    wshub__delivery_init(&delivery, msg->event, msg->data);
    return wshub__send_wide(hub, dest, &delivery);
}

WSHUB_API wshub_err wshub_packet_send(wshub *hub, const wshub_dest *dest,
                                      const wshub_packet *packet) {
    wshub__delivery delivery;
    wshub_err err = wshub__packet_check(hub, packet);
    if (err) return err;
    wshub__delivery_init_packet(&delivery, packet);
    return wshub__send_wide(hub, dest, &delivery);
}

static wshub_err wshub__send_everywhere(wshub *hub, wshub_dest_kind kind, wshub_str name,
                                        const wshub_msg *msg, const wshub_str *exclude,
                                        size_t exclude_count) {
    wshub_dest dest;
    memset(&dest, 0, sizeof dest);
    dest.kind = kind;
    dest.name = name;
    dest.exclude = exclude;
    dest.exclude_count = exclude_count;
    return wshub_send(hub, &dest, msg);
}

WSHUB_API wshub_err wshub_user_send(wshub *hub, wshub_str user_id, const wshub_msg *msg) {
    return wshub__send_everywhere(hub, WSHUB_DEST_USER, user_id, msg, NULL, 0);
}

WSHUB_API wshub_err wshub_room_send(wshub *hub, wshub_str room, const wshub_msg *msg,
                                    const wshub_str *exclude, size_t exclude_count) {
    return wshub__send_everywhere(hub, WSHUB_DEST_ROOM, room, msg, exclude, exclude_count);
}

WSHUB_API wshub_err wshub_all_send(wshub *hub, const wshub_msg *msg, const wshub_str *exclude,
                                   size_t exclude_count) {
    return wshub__send_everywhere(hub, WSHUB_DEST_ALL, wshub__str(NULL, 0), msg, exclude,
                                  exclude_count);
}

/* ---- >>speaking ------------------------------------------------------------------------------
 * What a dialect does with the hub: adds itself, clients and lent sessions, tells what has
 * arrived, and says something of its own (>>api-dialect). Proved by tests/test_dialect.c. */

/* Does one of two texts begin with the other? */
static bool wshub__prefixes_meet(const char *a, const char *b) {
    size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    return memcmp(a, b, n) == 0;
}

/* May a dialect have this table, as far as the bus goes? */
WSHUB__COLD static bool wshub__dialect_bus_ok(const wshub *hub, const wshub_dialect *dialect) {
    const char *prefix = dialect->bus_prefix, *at;
    uint32_t i;

    if (!prefix)
        return !dialect->publish && !dialect->on_bus && !dialect->on_name && !dialect->on_bus_state;
    if (!*prefix || strlen(prefix) > WSHUB_BUS_PREFIX_BYTES_MAX) return false;

    /* Plain letters, and none that stands for others in a pattern. */
    for (at = prefix; *at; at++) {
        if (*at <= ' ' || *at > '~' || strchr("*?[]\\", *at)) return false;
    }

    for (i = 0; i < hub->dialects_count; i++) {
        const char *other = hub->dialects[i].table.bus_prefix;
        if (other && wshub__prefixes_meet(prefix, other)) return false;
    }
    return true;
}

WSHUB__COLD WSHUB_API wshub_err wshub_dialect_add(wshub *hub, const wshub_dialect *dialect,
                                                  void *user, uint32_t *out_dialect) {
    wshub__speaker *speaker = &hub->dialects[hub->dialects_count];

    if (!dialect || !out_dialect || dialect->version != WSHUB_DIALECT_VERSION || !dialect->name)
        return WSHUB_ERR_PARAM;
    if (hub->dialects_count == WSHUB_DIALECTS_MAX) return WSHUB_ERR_LIMIT;
    if (!wshub__dialect_bus_ok(hub, dialect)) return WSHUB_ERR_PARAM;
    speaker->table = *dialect;
    speaker->user = user;
    *out_dialect = hub->dialects_count++;

    /* A bus that is connected already has told nobody of it: settle does that. */
    if (dialect->on_bus_state && wshub__subs_open(hub)) hub->replay = WSHUB__REPLAY_BASE;
    return WSHUB_OK;
}

/* The prefix of the channels of a dialect; ptr NULL: there is no such dialect, or it has none, or
 * none of its channels has this name. */
static wshub_str wshub__bus_prefix_for(const wshub *hub, uint32_t dialect, wshub_str channel) {
    const char *prefix;
    if (!dialect || dialect >= hub->dialects_count || channel.len > WSHUB_BUS_CHANNEL_BYTES_MAX)
        return wshub__str(NULL, 0);
    prefix = hub->dialects[dialect].table.bus_prefix;
    return prefix ? wshub_str_z(prefix) : wshub__str(NULL, 0);
}

WSHUB_API wshub_err wshub_bus_publish(wshub *hub, uint32_t dialect, wshub_str channel,
                                      wshub_str payload) {
    wshub_str prefix = wshub__bus_prefix_for(hub, dialect, channel);
    wshub__pub *pub;

    if (!prefix.ptr) return WSHUB_ERR_PARAM;
    if (payload.len > WSHUB_MSG_BYTES_MAX) return WSHUB_ERR_LIMIT;
    if (!wshub__uplink_is_there(&hub->uplink)) return WSHUB_ERR_STATE;
    pub = wshub__pub_bytes_new(&hub->mem, hub->now, prefix, channel, payload);
    if (!pub) return WSHUB_ERR_NOMEM;
    wshub__bus_push(hub, pub);
    return WSHUB_OK;
}

/* In a pattern only the `*` at its end stands for anything (BUS-6). */
static bool wshub__pattern_ok(wshub_str pattern) {
    size_t i, n = pattern.len - 1;
    if (!pattern.len || pattern.ptr[n] != '*') return false;
    for (i = 0; i < n; i++) {
        if (!pattern.ptr[i] || strchr("*?[]\\", pattern.ptr[i])) return false;
    }
    return true;
}

static wshub_err wshub__bus_want(wshub *hub, uint32_t dialect, wshub_str channel, bool pattern,
                                 bool wanted) {
    char text[WSHUB_BUS_PREFIX_BYTES_MAX + WSHUB_BUS_CHANNEL_BYTES_MAX];
    wshub_str prefix = wshub__bus_prefix_for(hub, dialect, channel);

    if (!prefix.ptr || (pattern && !wshub__pattern_ok(channel))) return WSHUB_ERR_PARAM;
    if (!wshub__subs_open(hub)) return WSHUB_OK;

    memcpy(text, prefix.ptr, prefix.len);
    if (channel.len) memcpy(text + prefix.len, channel.ptr, channel.len);
    return wshub__sub(hub, pattern ? WSHUB__KIND_PATTERN : WSHUB__KIND_CHANNEL,
                      wshub__str(text, prefix.len + channel.len), wanted, false);
}

WSHUB__COLD WSHUB_API wshub_err wshub_bus_subscribe(wshub *hub, uint32_t dialect, wshub_str channel,
                                                    bool pattern) {
    return wshub__bus_want(hub, dialect, channel, pattern, true);
}

WSHUB__COLD WSHUB_API wshub_err wshub_bus_unsubscribe(wshub *hub, uint32_t dialect,
                                                      wshub_str channel, bool pattern) {
    return wshub__bus_want(hub, dialect, channel, pattern, false);
}

/* ---- a session that moves ---- */

/* Rewrites one message for the wire to which its session moves; len 0: there is nothing left of it.
 * The span that comes out holds a reference. */
static wshub_err wshub__move_message(wshub *hub, wshub__conn *from, const wshub__span *message,
                                     wshub__span *out_span) {
    const wshub__speaker *speaker = &hub->dialects[wshub__conn_lent(hub, from)->dialect];
    wshub_writer out;
    wshub_span view;
    wshub_err err;

    *out_span = *message;
    if (!speaker->table.convert) {
        message->seg->refs++;
        return WSHUB_OK;
    }

    out.hub = hub;
    out.log = &hub->log;
    out.seg = NULL;
    out.len = 0;
    view.ptr = wshub__seg_bytes(message->seg) + message->at;
    view.len = message->len;
    err = speaker->table.convert(hub, wshub__session_handle(from), view, &out, speaker->user);
    out_span->len = 0;
    if (!err && out.len) {
        *out_span = wshub__log_commit(out.seg, out.len);
    } else if (out.seg && !out.seg->refs) {
        wshub__seg_drop(hub, out.seg); /* one of its own */
    }
    return err;
}

/* The messages of a session, rewritten, with a reference each; neighbours are one span. spans: room
 * for as many as there are messages. */
static wshub_err wshub__move_messages(wshub *hub, wshub__conn *from, wshub__span *spans,
                                      uint32_t *out_count) {
    uint32_t count = from->queued ? wshub__queue_count(from) : 0, k;

    *out_count = 0;
    for (k = 0; k < count; k++) {
        wshub__span *last = *out_count ? &spans[*out_count - 1] : NULL, span;
        wshub_err err = wshub__move_message(hub, from, wshub__queue_span(from, k), &span);
        if (err) return err;
        if (!span.len) continue;
        if (last && last->seg == span.seg && last->at + last->len == span.at) {
            last->len += span.len;
            wshub__seg_unref(hub, span.seg);
        } else {
            spans[(*out_count)++] = span; /* NOLINT: there is room for each */
        }
    }
    return WSHUB_OK;
}

/* What waits goes over, all of it or nothing. */
static wshub_err wshub__move_queue(wshub *hub, wshub__conn *from, wshub__conn *to) {
    size_t bytes = from->queued ? wshub__queue_count(from) * sizeof(wshub__span) : 0;
    wshub__span *spans = (wshub__span *)(bytes ? wshub__mem_new(&hub->mem, bytes) : NULL);
    uint32_t count, k;
    wshub_err err;

    if (bytes && !spans) return WSHUB_ERR_NOMEM;

    err = wshub__move_messages(hub, from, spans, &count);
    if (!err && !wshub__queue_append(hub, to, spans, count)) err = WSHUB_ERR_NOMEM;
    if (err) {
        for (k = 0; k < count; k++) wshub__seg_unref(hub, spans[k].seg);
    } else {
        wshub__queue_drop(hub, from);
    }
    if (bytes) wshub__mem_free(&hub->mem, spans, bytes);
    return err;
}

static wshub_kind wshub__move_kind(wshub_kind kind, const wshub_kind_change *changes,
                                   size_t count) {
    size_t i = 0;
    while (i < count && changes[i].from != kind) i++;
    return i < count ? changes[i].to : kind;
}

/* The clients go over, and what there was to be said about them. */
static void wshub__move_clients(wshub *hub, wshub__conn *from, wshub__conn *to,
                                const wshub_kind_change *changes, size_t changes_count) {
    wshub__client *client;
    uint32_t at = from->above;

    WSHUB_ASSERT(!to->above && !to->asked);
    WSHUB_ASSERT(!from->queued);
    for (; at; at = client->next_of_session) {
        client = wshub__client_at(hub, at - 1);
        client->conn = wshub__conn_index(to);
        wshub__client_wire(hub, client, wshub__move_kind(client->kind, changes, changes_count),
                           client->encrypted);
    }

    to->above = from->above;
    to->allowance = from->allowance;
    if (from->asked) {
        to->asked = true;
        to->phase_due = from->phase_due;
    }
    if (from->notes & WSHUB__NOTE_DROPPED) wshub__out_note(hub, to, WSHUB__NOTE_DROPPED);
    from->above = 0;
    from->notes = 0;
    from->asked = false;
    wshub__conn_arm(hub, to);
}

/* Are these kinds? */
static bool wshub__move_kinds_ok(const wshub *hub, const wshub_kind_change *changes, size_t count) {
    size_t i;
    if (count && !changes) return false;
    for (i = 0; i < count; i++) {
        if (changes[i].from >= hub->kinds_count || changes[i].to >= hub->kinds_count) return false;
    }
    return true;
}

WSHUB__COLD WSHUB_API wshub_err wshub_session_move(wshub *hub, wshub_session from_session,
                                                   wshub_session to_session,
                                                   const wshub_kind_change *changes,
                                                   size_t changes_count) {
    wshub__conn *from = wshub__session_get(hub, from_session);
    wshub__conn *to = wshub__session_get(hub, to_session);
    wshub_err err;

    if (!from || !to || from->state != WSHUB__CONN_OPEN || to->state != WSHUB__CONN_OPEN)
        return WSHUB_ERR_STALE;
    if (!wshub__conn_is_lent(from) || wshub__conn_is_lent(to) ||
        !wshub__move_kinds_ok(hub, changes, changes_count))
        return WSHUB_ERR_PARAM;
    if (to->above || wshub__conn_lent(hub, from)->split) return WSHUB_ERR_STATE;

    wshub__enter(hub);
    wshub__run_out(hub);
    err = wshub__move_queue(hub, from, to);
    if (!err) {
        wshub__move_clients(hub, from, to, changes, changes_count);
        wshub__session_close(hub, from, WSHUB_BY_APP, 0, wshub__str(NULL, 0));
    }
    wshub__leave(hub);
    return err;
}

static bool wshub__client_desc_ok(const wshub *hub, const wshub_client_desc *desc) {
    if (!desc || desc->dialect >= hub->dialects_count || desc->kind >= hub->kinds_count)
        return false;
    if (!desc->id.ptr) return true;
    return desc->id.len && desc->id.len <= WSHUB_CLIENT_ID_BYTES_MAX && wshub__name_ok(desc->id);
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_add(wshub *hub, wshub_session session,
                                                 const wshub_client_desc *desc,
                                                 wshub_client *out_client) {
    wshub__conn *conn = wshub__session_get(hub, session);
    wshub__client *client;
    wshub_err err;

    if (!out_client || !wshub__client_desc_ok(hub, desc)) return WSHUB_ERR_PARAM;
    if (!conn || conn->state != WSHUB__CONN_OPEN) return WSHUB_ERR_STALE;
    if (hub->phase != WSHUB__RUNNING) return WSHUB_ERR_CLOSED;
    if (hub->clients.live >= hub->desc.clients_max) return WSHUB_ERR_LIMIT;
    err = wshub__client_new(hub, conn, desc, &client);
    if (err) return err;
    wshub__conn_arm(hub, conn);
    *out_client = wshub__client_handle(hub, client);
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_cancel(wshub *hub, wshub_client client) {
    wshub__client *found = wshub__client_get(hub, client);

    if (!found) return WSHUB_ERR_STALE;
    if (found->state != WSHUB_CLIENT_UNAUTHORIZED || found->rooms_count || found->extra)
        return WSHUB_ERR_STATE;
    wshub__client_unlink(hub, found);
    wshub__session_unlink(hub, found);
    wshub__pool_free(&hub->clients, found->index);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_opened(wshub *hub, wshub_client client) {
    if (!wshub__client_get(hub, client)) return WSHUB_ERR_STALE;
    wshub__enter(hub);
    if (hub->desc.on_opened) hub->desc.on_opened(hub, client, hub->desc.user);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_end(wshub *hub, wshub_client client, wshub_cause cause,
                                                 uint16_t code, wshub_str reason) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!wshub__text_ok(reason)) return WSHUB_ERR_PARAM;
    if (!found) return WSHUB_ERR_STALE;
    wshub__enter(hub);
    wshub__client_end(hub, found, cause, code, reason);
    wshub__leave(hub);
    return WSHUB_OK;
}

/* Before acceptance a stream may bring so many bytes and messages: what a message has beyond is
 * refused at the head of its frame already. */
WSHUB__COLD static wshub_state wshub__heard_early(wshub *hub, wshub__client *client, size_t bytes) {
    wshub__conn *conn = wshub__conn_at(hub, client->conn);
    if (conn->allowance != WSHUB__NONE)
        conn->allowance -= bytes < conn->allowance ? (uint32_t)bytes : conn->allowance;
    if (++client->preauth_messages <= hub->desc.preauth_messages_max)
        return (wshub_state)client->state;
    wshub__conn_limit(hub, conn, "preauth_messages_max", hub->desc.preauth_messages_max);
    wshub__session_fail(hub, conn, WSHUB__CLOSE_POLICY, "too much before authentication");
    return WSHUB_CLIENT_DISCONNECTED;
}

static wshub_heard wshub__heard(wshub *hub, wshub__client *client, size_t bytes) {
    wshub_heard heard;

    memset(&heard, 0, sizeof heard);
    heard.state = WSHUB_CLIENT_DISCONNECTED;
    if (!client || wshub__is_gone(client)) return heard;
    hub->stats.messages_in++;
    heard.client = wshub__client_handle(hub, client);
    heard.state = WSHUB_CLIENT_AUTHENTICATED;
    if (client->state == WSHUB_CLIENT_AUTHENTICATED) { /* MSG-1 */
        client->time = hub->now;
        heard.transforms = client->encrypted && hub->desc.on_transform_in;
    } else {
        heard.state = wshub__heard_early(hub, client, bytes);
    }
    return heard;
}

WSHUB__COLD WSHUB_API wshub_err wshub_kind_add(wshub *hub, const wshub_kind_desc *desc,
                                               wshub_kind *out_kind) {
    if (!desc || !desc->encode || !desc->name || !out_kind) return WSHUB_ERR_PARAM;
    if (hub->kinds_count == WSHUB_KINDS_MAX) return WSHUB_ERR_LIMIT;
    hub->kinds[hub->kinds_count].desc = *desc;
    *out_kind = (wshub_kind)hub->kinds_count++;
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_set_kind(wshub *hub, wshub_client client, wshub_kind kind) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!found) return WSHUB_ERR_STALE;
    if (kind >= hub->kinds_count) return WSHUB_ERR_PARAM;
    wshub__client_wire(hub, found, kind, found->encrypted);
    return WSHUB_OK;
}

WSHUB_API wshub_kind wshub_client_kind(const wshub *hub, wshub_client client) {
    const wshub__client *found = wshub__client_get(hub, client);
    return found ? found->kind : 0;
}

WSHUB_API wshub_heard wshub_conn_heard(wshub *hub, wshub_conn conn, size_t bytes) {
    const wshub__conn *found = wshub__conn_get(hub, conn);
    return wshub__heard(hub, found && found->above ? wshub__conn_client(hub, found) : NULL, bytes);
}

WSHUB_API wshub_heard wshub_client_heard(wshub *hub, wshub_client client, size_t bytes) {
    return wshub__heard(hub, wshub__client_get(hub, client), bytes);
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_authenticate(wshub *hub, wshub_client client,
                                                          wshub_str data) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!found) return WSHUB_ERR_STALE;
    if (found->state != WSHUB_CLIENT_UNAUTHORIZED) return WSHUB_ERR_STATE;
    wshub__enter(hub);
    wshub__auth_begin(hub, found, data);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API bool wshub_client_may_join(const wshub *hub, wshub_client client, wshub_str room) {
    const wshub__client *found = wshub__client_get(hub, client), *owner;
    const wshub__realm *realm;

    if (!found || !room.len) return false;
    if (room.len > WSHUB__ID_BYTES) return true;
    realm = wshub__realm_of(hub, found);
    if (!(realm->id_lengths >> room.len & 1)) return true; /* no id is as long: not looked up */
    owner = wshub__client_by_id(realm, room);
    return !owner || owner == found;
}

WSHUB__COLD static wshub_err wshub__join_refused(wshub *hub, wshub__client *client, wshub_err err,
                                                 const char *why) {
    hub->stats.joins_refused++;
    wshub__client_log(hub, WSHUB_LOG_JOIN_REFUSED, client, why, wshub__str(NULL, 0));
    return err;
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_ask_join(wshub *hub, wshub_client client,
                                                      const wshub_str *rooms, size_t count) {
    wshub__client *found = wshub__client_get(hub, client);
    wshub_join join;
    wshub_ask ask;

    if (!found) return WSHUB_ERR_STALE;
    if (found->state != WSHUB_CLIENT_AUTHENTICATED) return WSHUB_ERR_STATE;
    if (!hub->desc.on_join) return wshub__join_refused(hub, found, WSHUB_ERR_APP, "no on_join");
    if (found->asks_count >= hub->desc.asks_per_client_max) {
        wshub__client_limit(hub, found, "asks_per_client_max", hub->desc.asks_per_client_max);
        return wshub__join_refused(hub, found, WSHUB_ERR_LIMIT, "too many joins not yet answered");
    }
    if (!wshub__ask_new(hub, found, WSHUB__ASK_JOIN, &ask))
        return wshub__join_refused(hub, found, WSHUB_ERR_NOMEM, "out of memory");

    wshub__enter(hub);
    join.client = client;
    join.rooms = rooms;
    join.rooms_count = count;
    join.realm = wshub__realm_handle(wshub__realm_of(hub, found));
    hub->desc.on_join(hub, ask, &join, hub->desc.user);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_receive(wshub *hub, wshub_client client,
                                         const wshub_event *event) {
    wshub__client *found = wshub__client_get(hub, client);
    bool transforms;
    if (!found) return WSHUB_ERR_STALE;
    if (found->state != WSHUB_CLIENT_AUTHENTICATED) return WSHUB_ERR_STATE;
    transforms = found->encrypted && hub->desc.on_transform_in;
    if (transforms && wshub__event_ask(hub, found)) return WSHUB_ERR_STATE;
    wshub__enter(hub);
    if (transforms) {
        wshub__event_transform(hub, found, event);
    } else {
        wshub__event_clear(hub, found, event);
    }
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_event(wshub *hub, wshub_client client, const wshub_event *event) {
    wshub__client *found = wshub__client_get(hub, client);
    if (!found) return WSHUB_ERR_STALE;
    wshub__enter(hub);
    wshub__event_app(hub, found, event);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_client_binary(wshub *hub, wshub_client client, const uint8_t *bytes,
                                        size_t count) {
    wshub__client *found = wshub__client_get(hub, client);

    if (!found) return WSHUB_ERR_STALE;
    if (!hub->desc.on_binary) return WSHUB_ERR_STATE;
    wshub__enter(hub);
    if (hub->desc.on_binary(hub, client, bytes, count, hub->desc.user) != WSHUB_OK)
        wshub__event_failed(hub, found, "on_binary");
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_tell(wshub *hub, wshub_client client,
                                                  const wshub_msg *msg) {
    wshub__client *found = wshub__client_get(hub, client);
    wshub_err err;
    wshub__delivery delivery;

    if (!found) return WSHUB_ERR_STALE;
    err = wshub__msg_check(hub, msg);
    if (err) return err;
    if (found->state != WSHUB_CLIENT_AUTHENTICATED && wshub__conn_at(hub, found->conn)->pressured)
        return WSHUB_ERR_DROPPED;
    wshub__enter(hub);
    wshub__delivery_init(&delivery, msg->event, msg->data);
    err = wshub__deliver(hub, found, &delivery);
    wshub__delivery_done(hub, &delivery);
    wshub__leave(hub);
    return err;
}

WSHUB__COLD WSHUB_API wshub_err wshub_client_welcome(wshub *hub, wshub_client client,
                                                     const wshub_msg *msg) {
    wshub__client *found = wshub__client_get(hub, client);
    wshub__conn *conn;
    wshub__delivery delivery;
    wshub__piece *piece;
    bool ok;

    if (!found) return WSHUB_ERR_STALE;
    conn = wshub__conn_at(hub, found->conn);
    wshub__delivery_init(&delivery, msg->event, msg->data);
    piece = wshub__delivery_piece(hub, &delivery, found->kind);
    ok = piece && wshub__piece_encode(hub, &delivery, piece) == WSHUB_OK &&
         wshub__queue_push(hub, conn, piece->span);
    wshub__delivery_release(hub, &delivery);
    if (ok) hub->stats.messages_out++;
    return ok ? WSHUB_OK : WSHUB_ERR_NOMEM;
}

WSHUB__COLD WSHUB_API void wshub_client_report(wshub *hub, wshub_client client, wshub_log_code code,
                                               uint32_t count, const char *detail, wshub_str text) {
    if (code == WSHUB_LOG_MSG_INVALID) hub->stats.msg_invalid += count;
    if (code == WSHUB_LOG_MSG_IGNORED) hub->stats.msg_ignored += count;
    if (code == WSHUB_LOG_JOIN_REFUSED) hub->stats.joins_refused += count;
    if (code == WSHUB_LOG_PROTO) hub->stats.protocol_errors += count;
    if (code == WSHUB_LOG_BUS_BAD) hub->stats.bus_bad += count;
    wshub__log(hub, code, client, detail, text);
    wshub__log_leave(hub);
}

WSHUB_API const wshub_desc *wshub_desc_get(const wshub *hub) {
    return &hub->desc;
}

WSHUB_API void *wshub_alloc(wshub *hub, void *ptr, size_t old_bytes, size_t new_bytes) {
    if (!old_bytes && !new_bytes) return NULL;
    return hub->mem.fn(hub->mem.user, ptr, old_bytes, new_bytes);
}

WSHUB_API uint64_t wshub_wall_ms(const wshub *hub) {
    return hub->io.wall_ms(hub->io.ctx);
}

/* ---- >>post ----------------------------------------------------------------------------------
 * What other threads ask for: copied into one block, pushed, and carried out in settle.
 * Proved by tests/test_threads.c. */

typedef enum wshub__post_kind {
    WSHUB__POST_FN,
    WSHUB__POST_SEND,
    WSHUB__POST_CLIENT_REPLY,
    WSHUB__POST_CLOSE,
    WSHUB__POST_CLOSE_ID,
    WSHUB__POST_AUTH,
    WSHUB__POST_HANDSHAKE,
    WSHUB__POST_JOIN,
    WSHUB__POST_TRANSFORM,
    WSHUB__POST_REJECT,
    WSHUB__POST_FAIL
} wshub__post_kind;

/* An order of another thread. Its texts follow: the wshub_strs, then their bytes. */
typedef struct wshub__post {
    wshub__node node;
    wshub__post_kind kind;
    uint16_t code;
    wshub_dest_kind dest;
    wshub_realm realm; /* in which names are looked up */
    uint64_t handle;
    void (*fn)(wshub *hub, void *arg);
    void *arg;
    size_t bytes, count;
} wshub__post;

/* The texts of an order. */
static wshub_str *wshub__post_strs(wshub__post *post) {
    return (wshub_str *)(void *)(post + 1);
}

/* Two lists of texts, one behind the other. */
typedef struct wshub__post_texts {
    const wshub_str *first, *second;
    size_t first_count, count; /* count: of both together */
} wshub__post_texts;

static const wshub_str *wshub__post_text(const wshub__post_texts *texts, size_t i) {
    WSHUB_ASSERT(i < texts->count);
    return i < texts->first_count ? &texts->first[i] : &texts->second[i - texts->first_count];
}

/* How many bytes an order with these texts takes. 0: more than `most`. No sum wraps, however many
 * and long the texts are. */
static size_t wshub__post_bytes(const wshub__post_texts *texts, size_t most) {
    size_t bytes = sizeof(wshub__post) + texts->count * sizeof(wshub_str), i;

    for (i = 0; i < texts->count; i++) {
        const wshub_str *text = wshub__post_text(texts, i);
        if (bytes > most || (text->ptr && text->len > most - bytes)) return 0;
        if (text->ptr) bytes += text->len;
    }
    return bytes;
}

/* Copies the texts behind an order. One that is absent stays absent. */
static void wshub__post_copy(wshub__post *post, const wshub__post_texts *texts) {
    wshub_str *strs = wshub__post_strs(post);
    char *at = (char *)(strs + texts->count);
    size_t i;

    for (i = 0; i < texts->count; i++) {
        const wshub_str *text = wshub__post_text(texts, i);
        /* No list is NULL but an empty one. */
        strs[i] = wshub__str(text->ptr ? at : NULL, text->ptr ? text->len : 0); /* NOLINT */
        if (text->ptr && text->len) memcpy(at, text->ptr, text->len);
        at += strs[i].len;
    }
    WSHUB_ASSERT(at == (char *)post + post->bytes);
}

/* Any thread. Hands the hub an order: what `proto` says, with two lists of texts, which are
 * copied. Bytes are counted before there is memory for them, so that what all threads have posted
 * together stays below its limit. */
static wshub_err wshub__post_put(wshub *hub, const wshub__post *proto, const wshub_str *first,
                                 size_t first_count, const wshub_str *second, size_t second_count) {
    size_t most = hub->desc.post_bytes_max, texts_most = most / sizeof(wshub_str), bytes;
    wshub__post_texts texts;
    wshub__post *post;

    if (!WSHUB__THREADS || !hub->io.wake) return WSHUB_ERR_NOWAKE;
    if (second_count > texts_most || first_count > texts_most - second_count)
        return WSHUB_ERR_LIMIT;
    texts.first = first;
    texts.second = second;
    texts.first_count = first_count;
    texts.count = first_count + second_count;
    bytes = wshub__post_bytes(&texts, most);
    if (!bytes) return WSHUB_ERR_LIMIT;

    if (WSHUB__ADD(&hub->posted_bytes, bytes) > most) {
        (void)WSHUB__SUB(&hub->posted_bytes, bytes);
        return WSHUB_ERR_LIMIT;
    }
    post = (wshub__post *)hub->mem.fn(hub->mem.user, NULL, 0, bytes);
    if (!post) {
        (void)WSHUB__SUB(&hub->posted_bytes, bytes);
        return WSHUB_ERR_NOMEM;
    }

    *post = *proto;
    post->bytes = bytes;
    post->count = texts.count;
    wshub__post_copy(post, &texts);
    if (wshub__stack_push(&hub->posts, &post->node)) hub->io.wake(hub->io.ctx);
    return WSHUB_OK;
}

/* An order about a client or a question, or about neither (handle 0). */
static wshub__post wshub__post_make(wshub__post_kind kind, uint64_t handle) {
    wshub__post post;

    memset(&post, 0, sizeof post);
    post.kind = kind;
    post.handle = handle;
    return post;
}

WSHUB_API wshub_err wshub_post(wshub *hub, void (*fn)(wshub *hub, void *arg), void *arg) {
    wshub__post post = wshub__post_make(WSHUB__POST_FN, 0);
    if (!fn) return WSHUB_ERR_PARAM;
    post.fn = fn;
    post.arg = arg;
    return wshub__post_put(hub, &post, NULL, 0, NULL, 0);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_send(wshub *hub, const wshub_dest *dest,
                                                const wshub_msg *msg) {
    wshub__post post = wshub__post_make(WSHUB__POST_SEND, 0);
    wshub_str texts[3];
    wshub_dest to;
    wshub_err err = wshub__msg_check(hub, msg);

    if (err) return err;
    memset(&to, 0, sizeof to);
    if (dest) to = *dest;
    if (!msg->event.len || !msg->data.ptr || wshub__dest_check(&to)) return WSHUB_ERR_PARAM;
    if (to.rooms_count || to.except_rooms_count) return WSHUB_ERR_PARAM; /* as wshub_send() */

    texts[0] = to.name;
    texts[1] = msg->event;
    texts[2] = msg->data;
    post.dest = to.kind;
    post.realm = to.realm;
    return wshub__post_put(hub, &post, texts, 3, to.exclude, to.exclude_count);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_client_reply(wshub *hub, wshub_client client,
                                                        wshub_str id, const wshub_msg *msg) {
    wshub__post post = wshub__post_make(WSHUB__POST_CLIENT_REPLY, client.id);
    wshub_str texts[3];
    wshub_err err = wshub__msg_check(hub, msg);

    if (!err) err = wshub__reply_id_check(hub, id);
    if (err) return err;
    texts[0] = msg->event;
    texts[1] = msg->data;
    texts[2] = id;
    return wshub__post_put(hub, &post, texts, 3, NULL, 0);
}

WSHUB_API wshub_err wshub_post_client_send(wshub *hub, wshub_client client, const wshub_msg *msg) {
    return wshub_post_client_reply(hub, client, wshub__str(NULL, 0), msg);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_close(wshub *hub, wshub_client client, uint16_t code,
                                                 wshub_str reason) {
    wshub__post post = wshub__post_make(WSHUB__POST_CLOSE, client.id);
    if (!wshub__close_ok(code, reason)) return WSHUB_ERR_PARAM;
    post.code = code;
    return wshub__post_put(hub, &post, &reason, 1, NULL, 0);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_close_id_in(wshub *hub, wshub_realm realm, wshub_str id,
                                                       uint16_t code, wshub_str reason) {
    wshub__post post = wshub__post_make(WSHUB__POST_CLOSE_ID, 0);
    if (!wshub__close_ok(code, reason)) return WSHUB_ERR_PARAM;
    post.code = code;
    post.realm = realm;
    return wshub__post_put(hub, &post, &reason, 1, &id, 1);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_close_id(wshub *hub, wshub_str id, uint16_t code,
                                                    wshub_str reason) {
    return wshub_post_close_id_in(hub, wshub__first(), id, code, reason);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_auth_accept(wshub *hub, wshub_ask ask,
                                                       const wshub_identity *who) {
    wshub__post post = wshub__post_make(WSHUB__POST_AUTH, ask.id);
    wshub_str texts[2];
    texts[0] = who ? who->user_id : wshub__str(NULL, 0);
    texts[1] = who ? who->metadata : wshub__str(NULL, 0);
    if (texts[0].ptr && !wshub__name_ok(texts[0])) return WSHUB_ERR_PARAM;
    if (texts[1].ptr && !wshub__json_ok(hub, texts[1])) return WSHUB_ERR_JSON;
    return wshub__post_put(hub, &post, texts, 2, NULL, 0);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_handshake_accept(wshub *hub, wshub_ask ask,
                                                            wshub_str server_public_key,
                                                            wshub_str salt) {
    wshub__post post = wshub__post_make(WSHUB__POST_HANDSHAKE, ask.id);
    if (!wshub__text_ok(server_public_key) || !wshub__text_ok(salt)) return WSHUB_ERR_PARAM;
    return wshub__post_put(hub, &post, &server_public_key, 1, &salt, 1);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_join_accept(wshub *hub, wshub_ask ask,
                                                       const wshub_str *rooms, size_t count) {
    wshub__post post = wshub__post_make(WSHUB__POST_JOIN, ask.id);
    if (!wshub__rooms_ok(rooms, count)) return WSHUB_ERR_PARAM;
    return wshub__post_put(hub, &post, rooms, count, NULL, 0);
}

WSHUB__COLD WSHUB_API wshub_err wshub_post_transform_accept(wshub *hub, wshub_ask ask,
                                                            const wshub_msg *msg) {
    wshub__post post = wshub__post_make(WSHUB__POST_TRANSFORM, ask.id);
    wshub_str texts[2];
    wshub_err err = msg ? wshub__msg_check(hub, msg) : WSHUB_OK;

    if (err) return err;
    texts[0] = msg ? msg->event : wshub__str(NULL, 0);
    texts[1] = msg ? msg->data : wshub__str(NULL, 0);
    return wshub__post_put(hub, &post, texts, 2, NULL, 0);
}

WSHUB_API wshub_err wshub_post_ask_reject(wshub *hub, wshub_ask ask) {
    wshub__post post = wshub__post_make(WSHUB__POST_REJECT, ask.id);
    return wshub__post_put(hub, &post, NULL, 0, NULL, 0);
}

WSHUB_API wshub_err wshub_post_ask_fail(wshub *hub, wshub_ask ask) {
    wshub__post post = wshub__post_make(WSHUB__POST_FAIL, ask.id);
    return wshub__post_put(hub, &post, NULL, 0, NULL, 0);
}

/* The message of an order. Its data was checked by the thread that posted it. */
static wshub_msg wshub__post_msg(wshub_str event, wshub_str data) {
    wshub_msg msg;

    memset(&msg, 0, sizeof msg);
    msg.event = event;
    msg.data = data;
    msg.data_is_json = true;
    return msg;
}

/* Carries out a send: a name, event and data, then who is left out. */
WSHUB__COLD static void wshub__post_run_send(wshub *hub, const wshub__post *post,
                                             const wshub_str *texts) {
    wshub_msg msg = wshub__post_msg(texts[1], texts[2]);
    wshub_dest dest;

    WSHUB_ASSERT(post->count >= 3);
    memset(&dest, 0, sizeof dest);
    dest.kind = post->dest;
    dest.realm = post->realm;
    dest.name = texts[0];
    dest.exclude = texts + 3;
    dest.exclude_count = post->count - 3;
    (void)wshub_send(hub, &dest, &msg);
}

/* Carries out an order. What has become meanwhile of whom it is about is found out by the functions
 * that the application would have called itself. */
WSHUB__COLD static void wshub__post_run(wshub *hub, wshub__post *post) {
    const wshub_str *texts = wshub__post_strs(post);
    wshub_client client;
    wshub_ask ask;
    wshub_msg msg;
    wshub_identity who;

    client.id = ask.id = post->handle;
    switch (post->kind) {
    case WSHUB__POST_FN: post->fn(hub, post->arg); break;
    case WSHUB__POST_SEND: wshub__post_run_send(hub, post, texts); break;
    case WSHUB__POST_CLIENT_REPLY:
        msg = wshub__post_msg(texts[0], texts[1]);
        (void)wshub_client_reply(hub, client, texts[2], &msg);
        break;
    case WSHUB__POST_CLOSE: (void)wshub_client_close(hub, client, post->code, texts[0]); break;
    case WSHUB__POST_CLOSE_ID:
        if (wshub_client_find_in(hub, post->realm, texts[1], &client) == WSHUB_OK)
            (void)wshub_client_close(hub, client, post->code, texts[0]);
        break;

    case WSHUB__POST_AUTH:
        who.user_id = texts[0];
        who.metadata = texts[1];
        (void)wshub_auth_accept(hub, ask, &who);
        break;
    case WSHUB__POST_HANDSHAKE: (void)wshub_handshake_accept(hub, ask, texts[0], texts[1]); break;
    case WSHUB__POST_JOIN: (void)wshub_join_accept(hub, ask, texts, post->count); break;
    case WSHUB__POST_TRANSFORM:
        msg = wshub__post_msg(texts[0], texts[1]);
        (void)wshub_transform_accept(hub, ask, msg.event.ptr ? &msg : NULL);
        break;
    case WSHUB__POST_REJECT: (void)wshub_ask_reject(hub, ask); break;
    case WSHUB__POST_FAIL: (void)wshub_ask_fail(hub, ask); break;
    }
}

/* Takes what has been posted, in its order. run: and carries it out. */
static void wshub__post_drain(wshub *hub, bool run) {
    wshub__node *node = wshub__stack_take(&hub->posts);

    while (node) {
        wshub__post *post = (wshub__post *)(void *)node;
        node = node->next;
        if (run && !hub->destroying) wshub__post_run(hub, post);
        (void)WSHUB__SUB(&hub->posted_bytes, post->bytes);
        wshub__mem_free(&hub->mem, post, post->bytes);
    }
}

/* ---- >>dialect-json --------------------------------------------------------------------------
 * The built-in dialect: the JSON messages of SPEC.md, what they mean (MSG-1 to MSG-9, ROOM-1 to
 * ROOM-3) and how an event is written. All of its words stand here, and the hub names none of
 * them. It stands on the public functions alone, as a dialect of yours does (>>api-dialect).
 * Proved by tests/test_golden.c, tests/test_matrix.c. */

/* The data of an `error`. text: a literal in which nothing needs an escape. */
#define WSHUB__JSON_SAYS(text) "{\"message\":\"" text "\"}"

/* Sends `error`. data: WSHUB__JSON_SAYS(). */
WSHUB__COLD static void wshub__json_error(wshub *hub, wshub_client client, const char *data) {
    wshub_msg msg;

    WSHUB_ASSERT(data[0] == '{');
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("error");
    msg.data = wshub_str_z(data);
    msg.data_is_json = true;
    (void)wshub_client_tell(hub, client, &msg);
}

/* Ends the stream of a client, which has no other clients. */
WSHUB__COLD static void wshub__json_end(wshub *hub, wshub_client client, wshub_cause cause,
                                        uint16_t code, const char *reason) {
    (void)wshub_session_end(hub, wshub_client_session(hub, client), cause, code,
                            wshub_str_z(reason));
}

/* Close codes of this dialect (AUTH-1, AUTH-4, AUTH-5, LIVE-1). */
enum {
    WSHUB__JSON_CLOSE_AUTH_TIMEOUT = 4001,
    WSHUB__JSON_CLOSE_HEARTBEAT = 4002,
    WSHUB__JSON_CLOSE_AUTH_FAILED = 4003,
    WSHUB__JSON_CLOSE_ENCRYPTION = 4004
};

/* A client is not accepted: the word for that, where there is one, and the end. */
WSHUB__COLD static void wshub__json_refused(wshub *hub, wshub_client client, wshub_refusal why,
                                            void *user) {
    (void)user;

    switch (why) {
    case WSHUB_REFUSED_AUTH: /* AUTH-4 */
        wshub__json_error(hub, client, WSHUB__JSON_SAYS("Authentication failed"));
        wshub__json_end(hub, client, WSHUB_BY_AUTH, WSHUB__JSON_CLOSE_AUTH_FAILED,
                        "Authentication failed");
        break;
    case WSHUB_REFUSED_FAILED: /* AUTH-4 */
        wshub__json_error(hub, client, WSHUB__JSON_SAYS("Authentication error"));
        wshub__json_end(hub, client, WSHUB_BY_AUTH, WSHUB__JSON_CLOSE_AUTH_FAILED,
                        "Authentication failed");
        break;
    case WSHUB_REFUSED_HANDSHAKE: /* AUTH-5 */
        wshub__json_error(hub, client, WSHUB__JSON_SAYS("Encryption handshake failed"));
        wshub__json_end(hub, client, WSHUB_BY_AUTH, WSHUB__JSON_CLOSE_ENCRYPTION,
                        "Encryption required");
        break;
    case WSHUB_REFUSED_CLEAR: /* AUTH-5 */
        wshub__json_end(hub, client, WSHUB_BY_AUTH, WSHUB__JSON_CLOSE_ENCRYPTION,
                        "Encryption required");
        break;
    }
}

/* A client is to go: the code and the reason that its cause has in this dialect. */
WSHUB__COLD static void wshub__json_close(wshub *hub, wshub_client client, wshub_cause cause,
                                          uint16_t code, wshub_str reason, void *user) {
    (void)user;
    if (cause == WSHUB_BY_AUTH) { /* AUTH-1 */
        wshub__json_end(hub, client, cause, WSHUB__JSON_CLOSE_AUTH_TIMEOUT,
                        "Authentication timeout");
    } else if (cause == WSHUB_BY_TIMEOUT) { /* LIVE-1 */
        wshub__json_end(hub, client, cause, WSHUB__JSON_CLOSE_HEARTBEAT, "Heartbeat timeout");
    } else if (cause == WSHUB_BY_SHUTDOWN && !code) { /* BYE-2 */
        wshub__json_end(hub, client, cause, WSHUB__CLOSE_GOING_AWAY, "Server shutting down");
    } else {
        (void)wshub_session_end(hub, wshub_client_session(hub, client), cause, code, reason);
    }
}

/* Puts a text that may be absent; nothing stands for it then. */
static void wshub__json_put_some(wshub_json_writer *w, const char *key, wshub_str text) {
    if (text.ptr) wshub_json_put_str(w, key, text);
}

/* The `data` of `connected`, keys in the order of AUTH-7. Returns its length; it is written if it
 * fits. */
WSHUB__COLD static size_t wshub__json_connected(wshub_str id, wshub_str time,
                                                const wshub_acceptance *what, char *text,
                                                size_t cap) {
    wshub_json_writer w;

    wshub_json_begin(&w, text, cap);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "id", id);
    wshub__json_put_some(&w, "userId", what->user_id);
    wshub_json_put_str(&w, "time", time);
    wshub__json_put_some(&w, "serverPublicKey", what->server_public_key);
    wshub__json_put_some(&w, "salt", what->salt);
    wshub_json_put_end(&w);
    return w.len;
}

/* A client is accepted: `connected` is the first that it hears (AUTH-7). */
WSHUB__COLD static wshub_err wshub__json_accepted(wshub *hub, wshub_client client,
                                                  const wshub_acceptance *what, void *user) {
    wshub_str id = wshub_client_id(hub, client);
    char time[24], small[512], *text = small;
    size_t len;
    wshub_msg msg;
    wshub_err err;

    /* On the stack, unless keys and names are unusually long. */
    (void)user;
    wshub_iso_time(wshub_wall_ms(hub), time);
    len = wshub__json_connected(id, wshub__str(time, sizeof time), what, small, sizeof small);
    if (len > sizeof small) {
        text = (char *)wshub_alloc(hub, NULL, 0, len);
        if (!text) return WSHUB_ERR_NOMEM;
        (void)wshub__json_connected(id, wshub__str(time, sizeof time), what, text, len);
    }

    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("connected");
    msg.data = wshub__str(text, len);
    msg.data_is_json = true;
    err = wshub_client_welcome(hub, client, &msg);
    if (text != small) (void)wshub_alloc(hub, text, len, 0);
    return err;
}

/* May a client ask for a room of that name (ROOM-1)? */
static bool wshub__json_room_ok(const wshub *hub, wshub_client client, wshub_str name) {
    if (name.len == 0 || wshub_utf8_units(name) > WSHUB_NAME_UNITS_MAX) return false;
    if (name.len >= 3 && memcmp(name.ptr, "ws:", 3) == 0) return false;
    return wshub_client_may_join(hub, client, name);
}

/* Names of rooms, decoded, in one block of so many bytes; the texts lie behind the list. */
typedef struct wshub__json_names {
    wshub_str *names;
    size_t count, most, bytes;
} wshub__json_names;

/* A wish to join or to leave has named nothing that could be. */
WSHUB__COLD static void wshub__json_no_names(wshub *hub, wshub_client client, const char *why) {
    wshub_client_report(hub, client, WSHUB_LOG_JOIN_REFUSED, 1, why, wshub__str(NULL, 0));
}

/* Decodes the strings of a list, as many as ROOM-6 allows. valid_only: those that may be asked
 * for. */
WSHUB__COLD static void wshub__json_names_read(wshub *hub, wshub_client client, wshub_str list,
                                               bool valid_only, wshub__json_names *out) {
    char *text = (char *)(out->names + out->most);
    uint32_t over = 0;
    wshub_iter iter;
    wshub_str item;

    memset(&iter, 0, sizeof iter);
    while (wshub_json_next(list, &iter, &item)) {
        wshub_str name;

        if (item.ptr[0] != '"') continue;
        name = wshub__str(text, wshub_json_unescape((const uint8_t *)item.ptr + 1, item.len - 2,
                                                    (uint8_t *)text, item.len));
        if (valid_only && !wshub__json_room_ok(hub, client, name)) {
            wshub_client_report(hub, client, WSHUB_LOG_REFUSED, 1, "room name (ROOM-1)", name);
            continue;
        }
        if (out->count >= out->most) {
            over++;
            continue;
        }
        out->names[out->count++] = name;
        text += name.len;
    }

    WSHUB_ASSERT(text <= (char *)out->names + out->bytes);
    if (over) {
        wshub_client_report(hub, client, WSHUB_LOG_LIMIT, over, "rooms_per_message_max",
                            wshub__str(NULL, 0));
        wshub_client_report(hub, client, WSHUB_LOG_JOIN_REFUSED, over,
                            "too many rooms in one message", wshub__str(NULL, 0));
    }
}

static void wshub__json_names_free(wshub *hub, wshub__json_names *names) {
    (void)wshub_alloc(hub, names->names, names->bytes, 0);
    names->names = NULL;
}

/* The rooms that a wish to join or to leave names. names NULL: none that is of use, and that has
 * been told. */
WSHUB__COLD static wshub__json_names wshub__json_names_of(wshub *hub, wshub_client client,
                                                          wshub_str data, bool valid_only) {
    wshub_str list = data.ptr ? wshub_json_find(data, "rooms") : data;
    wshub__json_names out;

    memset(&out, 0, sizeof out);
    if (wshub_json_peek(list) != WSHUB_JSON_ARRAY) {
        wshub__json_no_names(hub, client, "no list of rooms");
        return out;
    }

    /* A name takes at least three bytes of the list. */
    out.most = wshub_desc_get(hub)->rooms_per_message_max;
    if (out.most > list.len / 3 + 1) out.most = list.len / 3 + 1;
    out.bytes = out.most * sizeof(wshub_str) + list.len;
    out.names = (wshub_str *)wshub_alloc(hub, NULL, 0, out.bytes);
    if (!out.names) {
        wshub__json_no_names(hub, client, "out of memory");
        return out;
    }

    wshub__json_names_read(hub, client, list, valid_only, &out);
    if (out.count) return out;
    wshub__json_no_names(hub, client, "no usable room name");
    wshub__json_names_free(hub, &out);
    return out;
}

/* `join`: the application is asked (ROOM-1, ROOM-2). */
WSHUB__COLD static void wshub__json_join(wshub *hub, wshub_client client, wshub_str data) {
    wshub__json_names names = wshub__json_names_of(hub, client, data, true);

    if (!names.names) return;
    (void)wshub_client_ask_join(hub, client, names.names, names.count);
    wshub__json_names_free(hub, &names);
}

/* `leave`: nobody need be asked (ROOM-3). */
WSHUB__COLD static void wshub__json_leave(wshub *hub, wshub_client client, wshub_str data) {
    wshub__json_names names = wshub__json_names_of(hub, client, data, false);
    size_t i;

    if (!names.names) return;
    for (i = 0; i < names.count; i++) (void)wshub_client_leave(hub, client, names.names[i]);
    wshub__json_names_free(hub, &names);
}

/* Is it an event that servers alone send (MSG-7)? */
static bool wshub__json_servers_word(wshub_str event) {
    return wshub_str_eq_z(event, "connected") || wshub_str_eq_z(event, "disconnect") ||
           wshub_str_eq_z(event, "error") || wshub_str_eq_z(event, "encrypted");
}

/* `authenticate` of who has said it before has no effect (MSG-5). */
WSHUB__COLD static void wshub__json_again(wshub *hub, wshub_client client) {
    wshub_client_report(hub, client, WSHUB_LOG_IGNORED, 1, "`authenticate` a second time",
                        wshub__str(NULL, 0));
    wshub__json_error(hub, client, WSHUB__JSON_SAYS("Already authenticated"));
}

/* An event of an authenticated client, in clear. */
static void wshub__json_event(wshub *hub, wshub_client client, const wshub_event *event,
                              void *user) {
    (void)user;
    if (wshub_str_eq_z(event->event, "heartbeat")) return; /* MSG-4 */
    if (wshub_str_eq_z(event->event, "authenticate")) {    /* MSG-5 */
        wshub__json_again(hub, client);
    } else if (wshub__json_servers_word(event->event)) { /* MSG-7: it is ours to say */
        wshub_client_report(hub, client, WSHUB_LOG_MSG_IGNORED, 1, "one that servers alone send",
                            wshub__str(NULL, 0));
    } else if (wshub_str_eq_z(event->event, "join")) {
        wshub__json_join(hub, client, event->data);
    } else if (wshub_str_eq_z(event->event, "leave")) {
        wshub__json_leave(hub, client, event->data);
    } else {
        (void)wshub_client_event(hub, client, event); /* MSG-7 */
    }
}

/* An event of a client that is not accepted yet. */
WSHUB__COLD static void wshub__json_early(wshub *hub, wshub_client client,
                                          const wshub_event *event) {
    if (wshub_str_eq_z(event->event, "heartbeat")) return; /* MSG-4 */
    if (!wshub_str_eq_z(event->event, "authenticate")) {   /* MSG-6 */
        wshub_client_report(hub, client, WSHUB_LOG_IGNORED, 1, "an event before `connected`",
                            wshub__str(NULL, 0));
        wshub__json_error(hub, client, WSHUB__JSON_SAYS("Not authenticated"));
    } else if (wshub_client_authenticate(hub, client, event->data) == WSHUB_ERR_STATE) { /* MSG-5 */
        wshub__json_again(hub, client);
    }
}

/* JSON without an event that could be meant is dropped (MSG-3). */
WSHUB__COLD static void wshub__json_eventless(wshub *hub, wshub_client client,
                                              wshub_json_result result) {
    wshub_client_report(hub, client, WSHUB_LOG_MSG_IGNORED, 1,
                        result == WSHUB_JSON_FIELDS ? "no string in `event`" : "it is no object",
                        wshub__str(NULL, 0));
}

/* Reads a message: checks it, and finds event, data and id in it, where they stand. The event's
 * name is decoded in place: it only gets shorter. False: there is no event in it, and that has
 * been told. */
static bool wshub__json_read(wshub *hub, wshub_client client, uint8_t *bytes, size_t count,
                             bool text, wshub_event *out_event) {
    wshub_json_field fields[3];
    wshub_json_result result = WSHUB_JSON_BAD;

    memset(fields, 0, sizeof fields);
    fields[0].key = "event";
    fields[1].key = "data";
    fields[2].key = "id";

    if (text || wshub_utf8_check(bytes, count))
        result = wshub_json_fields(bytes, count, wshub_desc_get(hub)->json_depth_max, fields, 3);
    if (result == WSHUB_JSON_BAD) { /* MSG-2 */
        wshub_client_report(hub, client, WSHUB_LOG_MSG_INVALID, 1, "", wshub__str(NULL, 0));
        wshub__json_error(hub, client, WSHUB__JSON_SAYS("Invalid message format"));
        return false;
    }

    out_event->event = fields[0].value;
    out_event->data = fields[1].value;
    out_event->id = fields[2].value;
    if (result != WSHUB_JSON_FIELDS || !out_event->event.ptr || out_event->event.ptr[0] != '"' ||
        out_event->event.len <= 2) { /* MSG-3 */
        wshub__json_eventless(hub, client, result);
        return false;
    }

    out_event->event.ptr++;
    out_event->event.len -= 2;
    if (memchr(out_event->event.ptr, '\\', out_event->event.len)) {
        uint8_t *at = bytes + (out_event->event.ptr - (const char *)bytes);
        out_event->event.len =
            wshub_json_unescape(at, out_event->event.len, at, out_event->event.len);
    }
    return true;
}

/* One message of a stream. bytes are ours to change; text: they are known to be UTF-8. */
static void wshub__json_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count,
                                bool text) {
    wshub_heard heard = wshub_conn_heard(hub, conn, count);
    bool accepted = heard.state == WSHUB_CLIENT_AUTHENTICATED;
    wshub_event event;

    if (heard.state == WSHUB_CLIENT_DISCONNECTED) return;
    if (accepted && !text && wshub_client_binary(hub, heard.client, bytes, count) == WSHUB_OK)
        return;
    if (!wshub__json_read(hub, heard.client, bytes, count, text, &event)) return;

    if (!accepted) {
        wshub__json_early(hub, heard.client, &event);
    } else if (!heard.transforms) {
        wshub__json_event(hub, heard.client, &event, NULL);
    } else if (!wshub_str_eq_z(event.event, "heartbeat")) { /* MSG-4: it need not be transformed */
        (void)wshub_client_receive(hub, heard.client, &event);
    }
}

/* Writes a text as a JSON string of `quoted` bytes. Returns behind it. */
static uint8_t *wshub__json_put_quoted(uint8_t *to, wshub_str text, size_t quoted) {
    if (quoted != text.len + 2) return to + wshub_json_quote(text, (char *)to, quoted);

    /* Nothing in it needs an escape. */
    *to++ = '"';
    if (text.len) memcpy(to, text.ptr, text.len);
    to += text.len;
    *to++ = '"';
    return to;
}

/* Bytes in a binary frame. */
static wshub_err wshub__json_encode_binary(wshub_writer *out, wshub_span bytes) {
    uint8_t *to = wshub_writer_frame(out, false, bytes.len);

    if (!to) return WSHUB_ERR_NOMEM;
    if (bytes.len) memcpy(to, bytes.ptr, bytes.len);
    return WSHUB_OK;
}

/* A member of an object behind others, with what introduces it; ptr NULL: it is absent. */
static inline size_t wshub__json_member_len(size_t key_len, wshub_str value) {
    return value.ptr ? key_len + value.len : 0;
}

/* Writes it. Returns behind it. */
static inline uint8_t *wshub__json_put_member(uint8_t *to, const char *key, size_t key_len,
                                              wshub_str value) {
    if (!value.ptr) return to;
    memcpy(to, key, key_len);
    memcpy(to + key_len, value.ptr, value.len);
    return to + key_len + value.len;
}

/* `{"event":...,"data":...,"id":...}` in one text frame, nothing between the tokens, without what
 * is absent (SEND-7); or bytes in a binary one. */
static wshub_err wshub__json_encode(wshub *hub, wshub_kind kind, const wshub_packet *packet,
                                    wshub_writer *out, void *user) {
    static const char open[] = "{\"event\":", data_key[] = ",\"data\":", id_key[] = ",\"id\":";
    wshub_str data;
    size_t quoted, n;
    uint8_t *to;

    (void)hub;
    (void)kind;
    (void)user;
    if (packet->args_count > 1 || (packet->event.ptr && packet->attachments_count))
        return WSHUB_ERR_PARAM;
    if (!packet->event.ptr) return wshub__json_encode_binary(out, packet->attachments[0]);

    data = packet->args_count ? packet->args[0] : wshub__str(NULL, 0);
    quoted = wshub_json_quoted_len(packet->event);
    n = sizeof open - 1 + quoted + 1 + wshub__json_member_len(sizeof data_key - 1, data) +
        wshub__json_member_len(sizeof id_key - 1, packet->id);
    to = wshub_writer_frame(out, true, n);
    if (!to) return WSHUB_ERR_NOMEM;

    memcpy(to, open, sizeof open - 1);
    to = wshub__json_put_quoted(to + sizeof open - 1, packet->event, quoted);
    to = wshub__json_put_member(to, data_key, sizeof data_key - 1, data);
    to = wshub__json_put_member(to, id_key, sizeof id_key - 1, packet->id);
    *to = '}';
    return WSHUB_OK;
}

static const wshub_kind_desc wshub__json_kind = {wshub__json_encode, "json", NULL};

/* The entries of this dialect's table. Those that it leaves out it has no need of. */
static void wshub__json_table(wshub_dialect *out_table) {
    memset(out_table, 0, sizeof *out_table);
    out_table->version = WSHUB_DIALECT_VERSION;
    out_table->name = "json";
    out_table->accepted = wshub__json_accepted;
    out_table->refused = wshub__json_refused;
    out_table->close = wshub__json_close;
    out_table->event = wshub__json_event;
    out_table->bus_prefix = "ws:";
}

/* ---- >>envelope ------------------------------------------------------------------------------
 * The words of the JSON dialect on the bus: what its channels are called (BUS-1), and the
 * message between instances (BUS-2), which nobody else writes or reads. What is read is data
 * from outside, of whoever may publish: what is wrong with it is a verdict, never an assertion.
 * Known to >>uplink, >>subs and >>bus by wshub__words alone. Proved by tests/test_bus.c,
 * test_json.c, fuzz_text.c. */

typedef struct wshub__envelope {
    wshub_str server_id; /* raw JSON strings when read */
    wshub_str type, target, event, data, exclude;
} wshub__envelope;

/* By wshub_dest_kind. */
static const char *const wshub__bus_types[] = {"", "broadcast", "client", "user", "room"};
static const char *const wshub__bus_prefixes[] = {"", "ws:broadcast",
                                                  "ws:client:", "ws:user:", "ws:room:"};

/* ---- channels ---- */

/* The channels that every instance listens to. The first of them is for everybody, in exact mode
 * too. */
static size_t wshub__envelope_base(bool exact, const wshub_bus_channel **out_channels) {
    static const wshub_bus_channel base[] = {{{"ws:broadcast", 12}, false},
                                             {{"ws:room:*", 9}, true},
                                             {{"ws:client:*", 11}, true},
                                             {{"ws:user:*", 9}, true}};

    *out_channels = base;
    return exact ? 1 : sizeof base / sizeof base[0];
}

/* What the channel of a destination is called. to: room for WSHUB__CHANNEL_BYTES_MAX. */
static size_t wshub__envelope_channel(char *to, wshub_dest_kind kind, wshub_str name) {
    size_t prefix = strlen(wshub__bus_prefixes[kind]);

    WSHUB_ASSERT(kind != WSHUB_DEST_RESOLVE);
    memcpy(to, wshub__bus_prefixes[kind], prefix);
    if (kind == WSHUB_DEST_ALL) return prefix;
    WSHUB_ASSERT(prefix + name.len <= WSHUB__CHANNEL_BYTES_MAX);
    memcpy(to + prefix, name.ptr, name.len);
    return prefix + name.len;
}

/* Whoever may publish to a channel may send to what it names, not more: rights on channels mean
 * something. */
static bool wshub__channel_fits(wshub_str channel, const wshub_dest *dest) {
    const char *prefix = wshub__bus_prefixes[dest->kind];
    size_t n = strlen(prefix), name = dest->kind == WSHUB_DEST_ALL ? 0 : dest->name.len;
    return channel.len == n + name && memcmp(channel.ptr, prefix, n) == 0 &&
           (name == 0 || memcmp(channel.ptr + n, dest->name.ptr, name) == 0);
}

/* ---- writing ---- */

static void wshub__envelope_write(const wshub__mem *mem, wshub__buf *buf, wshub_str server_id,
                                  const wshub_dest *dest, const wshub_msg *msg) {
    size_t i;

    wshub__buf_text(mem, buf, "{\"serverId\":");
    wshub__buf_quote(mem, buf, server_id);
    wshub__buf_text(mem, buf, ",\"type\":\"");
    wshub__buf_text(mem, buf, wshub__bus_types[dest->kind]);
    wshub__buf_text(mem, buf, "\"");
    if (dest->kind != WSHUB_DEST_ALL) {
        wshub__buf_text(mem, buf, ",\"target\":");
        wshub__buf_quote(mem, buf, dest->name);
    }

    wshub__buf_text(mem, buf, ",\"event\":");
    wshub__buf_quote(mem, buf, msg->event);
    if (msg->data.ptr) {
        wshub__buf_text(mem, buf, ",\"data\":");
        wshub__buf_add(mem, buf, msg->data.ptr, msg->data.len);
    }

    if (dest->exclude) {
        wshub__buf_text(mem, buf, ",\"exclude\":[");
        for (i = 0; i < dest->exclude_count; i++) {
            if (i) wshub__buf_text(mem, buf, ",");
            wshub__buf_quote(mem, buf, dest->exclude[i]);
        }
        wshub__buf_text(mem, buf, "]");
    }
    wshub__buf_text(mem, buf, "}");
}

/* ---- reading ---- */

/* The raw serverId of an envelope as every instance writes it, found without parsing. ptr NULL:
 * unknown. */
static wshub_str wshub__envelope_peek(wshub_str payload) {
    static const char head[] = "{\"serverId\":\"";
    const size_t n = sizeof head - 1;
    const char *quote;
    if (payload.len <= n || memcmp(payload.ptr, head, n) != 0) return wshub__str(NULL, 0);
    quote = (const char *)memchr(payload.ptr + n, '"', payload.len - n);
    return quote ? wshub__str(payload.ptr + n, (size_t)(quote - payload.ptr) - n)
                 : wshub__str(NULL, 0);
}

/* Finds the fields of an envelope. False: it is none. */
static bool wshub__envelope_read(wshub_str payload, uint32_t depth_max, wshub__envelope *out) {
    static const char *const keys[6] = {"serverId", "type", "target", "event", "data", "exclude"};
    const uint8_t *bytes = (const uint8_t *)payload.ptr;
    wshub_json_field fields[6];
    size_t i;

    for (i = 0; i < 6; i++) {
        fields[i].key = keys[i];
        fields[i].value = wshub__str(NULL, 0);
    }
    if (!wshub_utf8_check(bytes, payload.len)) return false;
    if (wshub_json_fields(bytes, payload.len, depth_max, fields, 6) != WSHUB_JSON_FIELDS)
        return false;

    out->server_id = fields[0].value;
    out->type = fields[1].value;
    out->target = fields[2].value;
    out->event = fields[3].value;
    out->data = fields[4].value;
    out->exclude = fields[5].value;
    return wshub_json_peek(out->server_id) == WSHUB_JSON_STRING &&
           wshub_json_peek(out->event) == WSHUB_JSON_STRING;
}

/* Decodes a raw JSON string to *at, which moves on. */
static wshub_str wshub__take_text(wshub_str raw, char **at) {
    wshub_str text = wshub__str(*at, wshub_json_text(raw, *at, raw.len));

    WSHUB_ASSERT(text.len <= raw.len); /* it has been seen to be a string */
    *at += text.len;
    return text;
}

/* The kind of destination that a raw `type` is; RESOLVE: none. */
static wshub_dest_kind wshub__envelope_kind(wshub_str type) {
    int kind;

    if (wshub_json_peek(type) != WSHUB_JSON_STRING) return WSHUB_DEST_RESOLVE;
    for (kind = WSHUB_DEST_ALL; kind <= WSHUB_DEST_ROOM; kind++) {
        const char *word = wshub__bus_types[kind];
        size_t n = strlen(word);
        if (type.len == n + 2 && memcmp(type.ptr + 1, word, n) == 0) return (wshub_dest_kind)kind;
    }
    return WSHUB_DEST_RESOLVE;
}

/* Room for the decoded texts of an envelope, none of which is longer than it is raw, and before
 * them for the array of excluded ids. False: out of memory. */
static bool wshub__letter_room(const wshub *hub, const wshub__envelope *envelope,
                               wshub__letter *out, size_t *out_excluded) {
    wshub_iter iter;
    wshub_str item;
    size_t count = 0;

    memset(&iter, 0, sizeof iter);
    while (wshub_json_next(envelope->exclude, &iter, &item)) count++;
    out->block_bytes = count * sizeof(wshub_str) + envelope->server_id.len + envelope->event.len +
                       envelope->target.len + envelope->exclude.len;
    out->block = (char *)wshub__mem_new(&hub->mem, out->block_bytes);
    *out_excluded = count;
    return out->block != NULL;
}

/* Decodes an envelope into a letter that has room for it. */
static wshub__letter_verdict wshub__letter_fill(const wshub *hub, wshub_str channel,
                                                const wshub__envelope *envelope, size_t excluded,
                                                wshub__letter *out) {
    wshub_str *exclude = (wshub_str *)(void *)out->block, item;
    char *at = out->block + excluded * sizeof *exclude;
    wshub_iter iter;

    if (wshub_str_eq(wshub__take_text(envelope->server_id, &at), hub->server_id))
        return WSHUB__LETTER_OWN;
    out->event = wshub__take_text(envelope->event, &at);
    out->data = envelope->data;

    /* To whom, and whether its channel allows that. */
    out->dest.kind = wshub__envelope_kind(envelope->type);
    if (wshub_json_peek(envelope->target) == WSHUB_JSON_STRING)
        out->dest.name = wshub__take_text(envelope->target, &at);
    if (out->dest.kind == WSHUB_DEST_RESOLVE ||
        (out->dest.kind != WSHUB_DEST_ALL && out->dest.name.len == 0))
        return WSHUB__LETTER_NOWHERE;
    if (!hub->desc.bus_any_channel && !wshub__channel_fits(channel, &out->dest))
        return WSHUB__LETTER_MISFIT;

    memset(&iter, 0, sizeof iter);
    while (wshub_json_next(envelope->exclude, &iter, &item)) {
        if (wshub_json_peek(item) == WSHUB_JSON_STRING)
            exclude[out->dest.exclude_count++] = wshub__take_text(item, &at);
    }
    out->dest.exclude = exclude;
    WSHUB_ASSERT(out->dest.exclude_count <= excluded);
    WSHUB_ASSERT(at <= out->block + out->block_bytes);
    return WSHUB__LETTER_FINE;
}

static wshub__letter_verdict wshub__envelope_open(const wshub *hub, wshub_str channel,
                                                  wshub_str payload, wshub__letter *out) {
    wshub__envelope envelope;
    wshub__letter_verdict verdict;
    size_t excluded;

    memset(out, 0, sizeof *out);
    if (!wshub__envelope_read(payload, hub->desc.json_depth_max, &envelope))
        return WSHUB__LETTER_BAD;
    if (!wshub__letter_room(hub, &envelope, out, &excluded)) return WSHUB__LETTER_NOMEM;

    verdict = wshub__letter_fill(hub, channel, &envelope, excluded, out);
    if (verdict != WSHUB__LETTER_FINE) wshub__mem_free(&hub->mem, out->block, out->block_bytes);
    return verdict;
}

static const wshub__words wshub__envelope_words = {wshub__envelope_base, wshub__envelope_channel,
                                                   wshub__envelope_write, wshub__envelope_peek,
                                                   wshub__envelope_open};

/* ---- >>emitter ---------------------------------------------------------------------------------
 * Publishes for processes that hold no clients (EMIT-1): an uplink without a hub. What it
 * cannot hand over at once it keeps, and what it is told by its bus it hands over then; nothing
 * else runs it. Uses >>uplink, >>envelope. Proved by tests/test_outbox.c, test_owners.c. */

struct wshub_emitter {
    wshub__mem mem;
    wshub__uplink uplink;
    uint32_t queue_bytes_max, burst_bytes_max, json_depth_max;
    uint64_t dropped, published;
    bool closing; /* it takes no more, and ends when everything is acknowledged */
    void (*on_closed)(uint64_t lost, void *arg);
    void *closed_arg;
};

/* It subscribes to nothing. */
static void wshub__emitter_received(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)channel;
    (void)payload;
}

/* Hands over what the bus takes now. */
static void wshub__emitter_flush(wshub_emitter *emitter) {
    wshub__uplink *uplink = &emitter->uplink;

    if (!wshub__uplink_is_up(uplink)) return;
    emitter->published += wshub__uplink_flush(&emitter->mem, uplink);
    if (uplink->bus.flush) uplink->bus.flush(uplink->bus.ctx);
}

/* The one end of an emitter: hands over what the bus takes now, leaves it, says what is lost or
 * unknown. */
WSHUB__COLD static void wshub__emitter_end(wshub_emitter *emitter) {
    void (*on_closed)(uint64_t, void *) = emitter->on_closed;
    void *arg = emitter->closed_arg;
    uint64_t lost;
    wshub__emitter_flush(emitter);
    lost = emitter->dropped + emitter->uplink.outbox.count;
    lost += wshub__uplink_pending(&emitter->uplink) + wshub__uplink_broken(&emitter->uplink);

    wshub__uplink_leave(&emitter->mem, &emitter->uplink);
    wshub__mem_free(&emitter->mem, emitter, sizeof *emitter);
    if (on_closed) on_closed(lost, arg);
}

/* Hands over; a closing one that owes nothing any more ends, and is gone afterwards. */
static void wshub__emitter_run(void *ctx) {
    wshub_emitter *emitter = (wshub_emitter *)ctx;
    wshub__emitter_flush(emitter);
    if (emitter->closing && !emitter->uplink.outbox.head &&
        !wshub__uplink_pending(&emitter->uplink))
        wshub__emitter_end(emitter);
}

/* The time is over that a closing emitter had. */
WSHUB__COLD static void wshub__emitter_late(void *ctx) {
    wshub_emitter *emitter = (wshub_emitter *)ctx;
    if (emitter->closing) wshub__emitter_end(emitter);
}

/* The bus reports how it stands (BUS-5). */
WSHUB__COLD static void wshub__emitter_state(void *ctx, wshub_bus_state state) {
    wshub_emitter *emitter = (wshub_emitter *)ctx;
    wshub__outbox *box = &emitter->uplink.outbox;
    bool was_up = wshub__uplink_is_up(&emitter->uplink);

    if (!wshub__uplink_hear(&emitter->uplink, state)) return;

    /* What a busy time left is kept as far as an outage may keep. */
    if (was_up)
        emitter->dropped += wshub__outbox_trim(&emitter->mem, box, emitter->queue_bytes_max, 0);
    wshub__emitter_run(emitter);
}

static uint32_t wshub__emitter_queue(const wshub_emitter_desc *desc) {
    return desc->bus_queue_bytes_max ? desc->bus_queue_bytes_max : WSHUB__BUS_QUEUE_BYTES;
}

static uint32_t wshub__emitter_burst(const wshub_emitter_desc *desc) {
    return desc->bus_burst_bytes_max ? desc->bus_burst_bytes_max
                                     : wshub__bus_burst(wshub__emitter_queue(desc));
}

/* Whether a description is laid out as this header lays it out; another one cannot be read. */
static bool wshub__emitter_desc_known(const wshub_emitter_desc *desc, size_t desc_bytes,
                                      uint32_t version) {
    return desc && desc_bytes == sizeof *desc && version == WSHUB_DESC_VERSION;
}

/* What is wrong with a description that can be read. NULL: nothing. */
WSHUB__COLD static const char *wshub__emitter_problem(const wshub_emitter_desc *desc) {
    if (!desc->bus) return "bus: required";
    if (!wshub__bus_fits(desc->bus)) return WSHUB__BUS_MISFIT;
    if (!desc->bus->attach || !desc->bus->publish) return "bus: attach and publish are required";
    if (wshub__emitter_burst(desc) < wshub__emitter_queue(desc))
        return "bus_burst_bytes_max: at least bus_queue_bytes_max";
    if (desc->json_depth_max > WSHUB_JSON_DEPTH_MAX)
        return "json_depth_max: at most WSHUB_JSON_DEPTH_MAX, which can be defined larger";
    return NULL;
}

WSHUB__COLD WSHUB_API const char *wshub_emitter_problem_versioned(const wshub_emitter_desc *desc,
                                                                  size_t desc_bytes,
                                                                  uint32_t version) {
    if (!desc) return "bus: required";
    if (!wshub__emitter_desc_known(desc, desc_bytes, version))
        return "wshub_emitter_desc: the program was compiled with another wshub.h than the file "
               "that "
               "has WSHUB_IMPLEMENTATION; compile both with the same one";
    return wshub__emitter_problem(desc);
}

/* Makes an emitter of a description that is right. On an error the bus has been left. */
WSHUB__COLD static wshub_err wshub__emitter_new(const wshub_emitter_desc *desc,
                                                wshub_emitter **out_emitter) {
    wshub__mem mem = wshub__mem_make(desc->alloc, desc->alloc_user);
    wshub_bus_owner owner;
    wshub_err err;
    wshub_emitter *emitter = (wshub_emitter *)wshub__mem_new(&mem, sizeof *emitter);

    if (!emitter) {
        (void)desc->bus->attach(desc->bus->ctx, NULL);
        return WSHUB_ERR_NOMEM;
    }
    emitter->mem = mem;
    emitter->queue_bytes_max = wshub__emitter_queue(desc);
    emitter->burst_bytes_max = wshub__emitter_burst(desc);
    emitter->json_depth_max = desc->json_depth_max ? desc->json_depth_max : WSHUB__JSON_DEPTH;

    memset(&owner, 0, sizeof owner);
    owner.ctx = emitter;
    owner.received = wshub__emitter_received;
    owner.state = wshub__emitter_state;
    owner.room = wshub__emitter_run;
    owner.late = wshub__emitter_late;
    err = wshub__uplink_attach(&mem, &emitter->uplink, desc->bus, &wshub__envelope_words, &owner);
    if (err) {
        wshub__mem_free(&mem, emitter, sizeof *emitter);
        return err;
    }
    wshub__uplink_pump(&emitter->uplink);
    *out_emitter = emitter;
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_emitter_create_versioned(const wshub_emitter_desc *desc,
                                                               size_t desc_bytes, uint32_t version,
                                                               wshub_emitter **out_emitter) {
    if (!wshub__emitter_desc_known(desc, desc_bytes, version)) return WSHUB_ERR_PARAM;
    /* Of a bus that is laid out otherwise, or is another's, nothing is touched. */
    if (!desc->bus || !wshub__bus_fits(desc->bus) || !desc->bus->attach) return WSHUB_ERR_PARAM;
    if (wshub__bus_taken(desc->bus)) return WSHUB_ERR_STATE;

    if (!out_emitter || wshub__emitter_problem(desc)) {
        (void)desc->bus->attach(desc->bus->ctx, NULL); /* it was given */
        return WSHUB_ERR_PARAM;
    }
    return wshub__emitter_new(desc, out_emitter);
}

WSHUB__COLD WSHUB_API void wshub_emitter_destroy(wshub_emitter *emitter) {
    if (!emitter) return;
    emitter->closing = false; /* it ends here, and not in what the bus reports meanwhile */
    wshub__uplink_pump(&emitter->uplink);
    wshub__emitter_end(emitter);
}

WSHUB__COLD WSHUB_API void wshub_emitter_close(wshub_emitter *emitter, uint32_t deadline_ms,
                                               void (*on_closed)(uint64_t lost, void *arg),
                                               void *arg) {
    const wshub_bus *bus;

    if (!emitter || emitter->closing) return;
    wshub__uplink_pump(&emitter->uplink);
    bus = &emitter->uplink.bus;
    emitter->closing = true;
    emitter->on_closed = on_closed;
    emitter->closed_arg = arg;

    /* A bus without a clock has nothing to wait for. */
    if (!bus->alarm) {
        wshub__emitter_end(emitter);
        return;
    }
    bus->alarm(bus->ctx, deadline_ms);
    wshub__emitter_run(emitter);
}

/* What is wrong with a message for this emitter. */
WSHUB__COLD static wshub_err wshub__emitter_check(const wshub_emitter *emitter,
                                                  const wshub_dest *dest, const wshub_msg *msg) {
    if (emitter->closing) return WSHUB_ERR_STATE;
    if (wshub__dest_check(dest) || !msg || !wshub__name_ok(msg->event)) return WSHUB_ERR_PARAM;
    /* What the envelope has no words for (BUS-2). */
    if (dest->realm.id || dest->rooms_count || dest->except_rooms_count) return WSHUB_ERR_PARAM;
    if (msg->data.len > WSHUB_MSG_BYTES_MAX) return WSHUB_ERR_LIMIT;
    if (msg->data.ptr && (!msg->data_is_json || !msg->data.len) &&
        !wshub__data_ok(msg->data, emitter->json_depth_max))
        return WSHUB_ERR_JSON;
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_emitter_send(wshub_emitter *emitter, const wshub_dest *dest,
                                                   const wshub_msg *msg) {
    wshub__uplink *uplink = &emitter->uplink;
    wshub_dest to;
    wshub_err err;
    wshub__pub *pub;
    uint32_t max;

    memset(&to, 0, sizeof to);
    if (dest) to = *dest;
    if (to.kind == WSHUB_DEST_RESOLVE) to.kind = to.name.len ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    err = wshub__emitter_check(emitter, &to, msg);
    if (err) return err;

    wshub__uplink_pump(uplink);
    pub = wshub__pub_new(&emitter->mem, uplink->words, 0, wshub_str_z("emitter"), &to, msg,
                         wshub__str(NULL, 0));
    if (!pub) return WSHUB_ERR_NOMEM;
    max = wshub__uplink_is_up(uplink) ? emitter->burst_bytes_max : emitter->queue_bytes_max;
    err = wshub__uplink_push(&emitter->mem, uplink, pub, max, NULL, &emitter->published);
    if (!err) wshub__emitter_flush(emitter);
    return err;
}

WSHUB_API uint64_t wshub_emitter_queued_bytes(const wshub_emitter *emitter) {
    return emitter->uplink.outbox.bytes;
}

WSHUB_API uint64_t wshub_emitter_dropped(const wshub_emitter *emitter) {
    return emitter->dropped;
}

/* ---- >>settle --------------------------------------------------------------------------------
 * The turn's end: everything gathered is carried out, who is gone is taken out (BYE-1, BYE-2).
 * Proved by tests/test_shutdown.c, tests/test_matrix.c. */

/* What is told of a client that is gone: views of what it has, until it is freed. */
WSHUB__COLD static wshub_gone wshub__gone_make(const wshub *hub, const wshub__client *client) {
    wshub_gone gone;
    const wshub__extra *extra = client->extra;

    gone.client = wshub__client_handle(hub, client);
    gone.id = wshub__name_str(&client->name);
    gone.user_id = wshub__user_id(client);
    gone.state = wshub__client_reached(client);
    gone.cause = (wshub_cause)client->cause;
    gone.code = client->code;
    gone.reason = extra && extra->reason.len ? wshub__str(extra->reason.ptr, extra->reason.len)
                                             : wshub__str("", 0);
    gone.user_ptr = client->user_ptr;
    gone.realm = wshub__realm_handle(wshub__realm_of(hub, client));
    return gone;
}

/* A client leaves its user, its rooms, its realm and its session. Its user's name is kept until
 * its end has been told. */
static void wshub__unindex(wshub *hub, wshub__client *client) {
    wshub__conn *conn = client->conn == WSHUB__NONE ? NULL : wshub__conn_at(hub, client->conn);
    wshub__client_to(hub, client, WSHUB__CLIENT_LEFT);
    if (client->user) {
        client->user->pins++;
        wshub__group_remove(hub, client->user, client->user_pos);
    }
    wshub__room_leave_all(hub, client);
    wshub__client_unlink(hub, client);
    if (conn) wshub__session_unlink(hub, client);
    while (client->asks) wshub__ask_free(hub, wshub__ask_at(hub, client->asks - 1));
    if (conn && conn->asked) wshub__event_listen(hub, conn); /* for this one's event, perhaps */

    /* Last, as others may be asked about from here. */
    wshub__xform_drop_all(hub, client);
}

/* The end of a client: nobody knows it any more. */
WSHUB__COLD static void wshub__client_free(wshub *hub, wshub__client *client) {
    wshub__extra *extra = client->extra;

    WSHUB_ASSERT(client->state == WSHUB__CLIENT_LEFT);
    WSHUB_ASSERT(!client->rooms);
    WSHUB_ASSERT(!client->own_room);
    WSHUB_ASSERT(!client->asks);
    if (client->user) {
        WSHUB_ASSERT(client->user->pins > 0);
        client->user->pins--;
        wshub__group_end(hub, client->user);
    }
    if (extra) {
        wshub__buf_done(&hub->mem, &extra->metadata);
        wshub__buf_done(&hub->mem, &extra->user_id);
        wshub__buf_done(&hub->mem, &extra->auth_data);
        wshub__buf_done(&hub->mem, &extra->reason);
        wshub__buf_done(&hub->mem, &extra->inbound);
        wshub__mem_free(&hub->mem, extra, sizeof *extra);
    }
    wshub__pool_free(&hub->clients, client->index);
}

/* One client: told that it is about to leave, while it is in its rooms still, then out of all
 * indexes, then told that it is gone. Whatever the callbacks do, orders do not reach it any
 * more. */
static void wshub__gone_leave(wshub *hub, wshub__client *client) {
    wshub_gone gone = wshub__gone_make(hub, client);

    wshub__client_to(hub, client, WSHUB__CLIENT_LEAVING);
    if (hub->desc.on_disconnecting) hub->desc.on_disconnecting(hub, &gone, hub->desc.user);
    wshub__unindex(hub, client);
    if (hub->desc.on_disconnected) hub->desc.on_disconnected(hub, &gone, hub->desc.user);
    wshub__client_free(hub, client);
}

/* Takes out who is gone, in the order in which they ended: each has left all indexes and has been
 * told of before the next does, so that presence is told once, by the last (BYE-1). What one's
 * callbacks announce reaches none of the others, who are marked already (BYE-2: at a shutdown
 * that is everybody). */
static void wshub__gone_run(wshub *hub) {
    while (hub->gone_head) {
        wshub__client *client = wshub__client_at(hub, hub->gone_head - 1);

        WSHUB_ASSERT(client->state == WSHUB__CLIENT_DISCONNECTED);
        hub->gone_head = client->next_gone;
        if (!hub->gone_head) hub->gone_tail = 0;
        wshub__gone_leave(hub, client);
    }
}

/* Tells the clients of a stream of one thing that its queue, which they share, has come to
 * (SEND-6). A callback may end any of them, or all. */
WSHUB__COLD static void wshub__note_tell(wshub *hub, const wshub__conn *conn, uint8_t note,
                                         wshub_pressure what) {
    wshub_session session = wshub__session_handle(conn);
    wshub_iter iter;
    wshub_client client;

    memset(&iter, 0, sizeof iter);
    while (!hub->destroying && wshub_session_each_client(hub, session, &iter, &client)) {
        if (note == WSHUB__NOTE_DROPPED)
            wshub__log(hub, WSHUB_LOG_DROPPED, client, "", wshub__str(NULL, 0));
        if (hub->desc.on_pressure)
            hub->desc.on_pressure(hub, client, what, conn->queued, hub->desc.user);
    }
}

/* The same of all that its queue has come to. A callback may end the stream, and another may have
 * its place then. */
WSHUB__COLD static void wshub__above_noted(wshub *hub, wshub__conn *conn, uint8_t notes) {
    static const struct {
        uint8_t note;
        wshub_pressure what;
    } all[] = {{WSHUB__NOTE_ON, WSHUB_PRESSURE_ON},
               {WSHUB__NOTE_DROPPED, WSHUB_PRESSURE_DROPPED},
               {WSHUB__NOTE_OFF, WSHUB_PRESSURE_OFF}};
    uint64_t id = conn->id;
    size_t i;
    for (i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (notes & all[i].note && conn->id == id && !hub->destroying)
            wshub__note_tell(hub, conn, all[i].note, all[i].what);
    }
}

/* The service ends (BYE-2): each client is told in the words of its dialect; who stands at a
 * stream alone gets the code. */
WSHUB__COLD static void wshub__session_dismiss(wshub *hub, wshub__conn *conn) {
    wshub__client *client = NULL;

    while ((client = wshub__session_next(hub, conn, client)) != NULL)
        wshub__client_dismiss(hub, client, WSHUB_BY_SHUTDOWN, 0, wshub__str(NULL, 0));
    wshub__session_close(hub, conn, WSHUB_BY_SHUTDOWN, WSHUB__CLOSE_GOING_AWAY,
                         wshub__str(NULL, 0));
}

/* Service ends (BYE-2): from here on stop_due is the clock. */
WSHUB__COLD static void wshub__stop(wshub *hub) {
    uint32_t at = 0;
    wshub__conn *conn;

    if (hub->phase >= WSHUB__STOPPING) return;
    WSHUB_ASSERT(hub->depth > 0);
    hub->phase = WSHUB__STOPPING;
    hub->stop_due = hub->now + hub->desc.shutdown_timeout_ms;
    while ((conn = wshub__conn_next_open(hub, &at)) != NULL) {
        if (conn->state == WSHUB__CONN_OPEN) {
            wshub__session_dismiss(hub, conn);
        } else if (conn->state == WSHUB__CONN_HTTP) {
            wshub__conn_flush_end(hub, conn, WSHUB_BY_SHUTDOWN);
        }
    }
}

/* Closes clients of a realm, the oldest first, until so many have been closed since draining
 * began. */
WSHUB__COLD static void wshub__drain_realm(wshub *hub, const wshub__realm *realm,
                                           uint64_t allowed) {
    uint32_t i = realm->oldest;

    while (i && hub->drain_done < allowed) {
        wshub__client *client = wshub__client_at(hub, i - 1);
        i = client->next;
        if (WSHUB__NEVER(wshub__is_gone(client))) continue; /* they have just been taken out */
        wshub__client_dismiss(hub, client, WSHUB_BY_SHUTDOWN, hub->drain_code,
                              wshub__str(hub->drain_reason.ptr, hub->drain_reason.len));
        hub->drain_done++;
    }
}

/* Closes as many as the pace of a drain allows by now. Returns when it allows the next; 0: nobody
 * is left, and the hub stops. */
WSHUB__COLD static uint64_t wshub__drain_run(wshub *hub) {
    uint64_t allowed = (hub->now - hub->drain_start) * hub->drain_per_second / 1000 + 1;
    const wshub__realm *realm = NULL;

    WSHUB_ASSERT(hub->phase == WSHUB__DRAINING);
    WSHUB_ASSERT(hub->drain_per_second > 0);
    while ((realm = wshub__realm_next(hub, realm)) != NULL) wshub__drain_realm(hub, realm, allowed);
    if (hub->clients.live)
        return hub->drain_start +
               (hub->drain_done * 1000 + hub->drain_per_second - 1) / hub->drain_per_second;

    wshub__stop(hub);
    return 0;
}

/* Waits for the peers to end, then for the broker's word, both until stop_due; then the hub is
 * down. Returns when to look again; 0: it is down. */
WSHUB__COLD static uint64_t wshub__stop_run(wshub *hub) {
    uint32_t at = 0;
    wshub__conn *conn;

    WSHUB_ASSERT(hub->phase == WSHUB__STOPPING);
    if (hub->conns_live && hub->heard < hub->stop_due) return hub->stop_due;
    if (WSHUB__NEVER(hub->gone_head)) return hub->now; /* all were closed when stopping began */
    while ((conn = wshub__conn_next_open(hub, &at)) != NULL)
        wshub__conn_abort(hub, conn, WSHUB_BY_SHUTDOWN, WSHUB__CLOSE_ABNORMAL, "");

    /* The bus wakes us before that time if it has all. */
    if (hub->now < hub->stop_due && wshub__bus_owes(hub)) return hub->stop_due;

    hub->phase = WSHUB__DOWN;
    hub->stop_due = 0;
    wshub__bus_leave(hub);
    if (hub->desc.on_shutdown && !hub->destroying) hub->desc.on_shutdown(hub, hub->desc.user);
    return 0;
}

/* Drain and shutdown, as far as they go now. Returns when to look again; 0: not at a time. */
static uint64_t wshub__phase_run(wshub *hub) {
    uint64_t next = 0;
    if (hub->phase == WSHUB__DRAINING) next = wshub__drain_run(hub);
    return hub->phase == WSHUB__STOPPING ? wshub__stop_run(hub) : next;
}

/* Is there still something to be done in this turn? */
static bool wshub__unsettled(const wshub *hub) {
    return hub->gone_head || hub->exchanges_gone || hub->resume_head || hub->gathered ||
           hub->dirty_lo < hub->dirty_hi;
}

/* Logs of kinds that nobody is owed anything of. */
WSHUB__COLD static void wshub__wires_give_back(wshub *hub) {
    uint32_t kind;
    for (kind = 1; kind < hub->kinds_count; kind++) {
        wshub__wire *wire = &hub->kinds[kind];
        if (!wire->log || wire->log->refs > 1) continue;
        wshub__seg_unref(hub, wire->log);
        wire->log = NULL;
    }
}

/* Memory of the most streams, clients, names, questions and timers there ever were is given back
 * when few are left: looked after once a second, between turns, when nobody holds a place in any
 * of it. */
WSHUB__COLD static void wshub__give_back(wshub *hub) {
    const wshub__mem *mem = &hub->mem;
    uint32_t end = hub->conns.pages_count * WSHUB__PAGE;
    wshub__realm *realm = NULL;

    hub->give_back_due = hub->now + 1000;
    wshub__pool_give_back(mem, &hub->clients);
    wshub__pool_give_back(mem, &hub->exchanges);
    wshub__pool_give_back(mem, &hub->asks);
    wshub__pool_give_back(mem, &hub->lents);
    wshub__pool_give_back(mem, &hub->timers);
    wshub__pool_give_back(mem, &hub->realms);
    wshub__index_give_back(mem, &hub->channels);
    while ((realm = wshub__realm_next(hub, realm)) != NULL) wshub__realm_give_back(mem, realm);
    wshub__wires_give_back(hub);

    /* Streams have no free list: their pages are cut behind the last that is open. */
    if (end > 8 * WSHUB__PAGE && hub->conns_live <= end / 8 && !hub->notes_head &&
        !hub->resume_head) {
        const wshub__conn *conn;
        while (end && (!(conn = wshub__conn_find(hub, end - 1)) || !conn->id)) end--;
        wshub__pool_cut(mem, &hub->conns, end);
    }
    wshub__deadlines_give_back(mem, &hub->deadlines, hub->conns_live);
    wshub__deadlines_give_back(mem, &hub->timer_deadlines, hub->timers.live);
}

#define WSHUB__PASSES 8 /* of a turn's end, at most; what is left then is the next turn's */
#define WSHUB__COMPACT_BYTES (1u << 20) /* the log is not compacted before it takes as much */

/* One pass of a turn's end. Bus input comes before anything else, and what led to an end is told
 * before the end.
 *   timers  those of the application's that were started behind this number wait for the next turn
 * Returns when drain or shutdown must be looked at again; 0: not at a time. */
static uint64_t wshub__settle_pass(wshub *hub, uint32_t timers) {
    uint64_t next;

    WSHUB_ASSERT(hub->depth == 1); /* nobody holds a place in anything */
    wshub__uplink_pump(&hub->uplink);
    wshub__post_drain(hub, true);
    wshub__links_run(hub);
    wshub__timers_run(hub, timers);
    wshub__due_run(hub);
    wshub__resume_run(hub);

    wshub__log_tell(hub);
    wshub__gone_run(hub);
    if (hub->exchanges_gone) wshub__exchanges_tell(hub);
    next = wshub__phase_run(hub);

    wshub__flush(hub);
    wshub__notes(hub);
    wshub__log_tell(hub);
    return next;
}

/* What is done once in a turn's end, behind its passes. Returns when the bus must be looked at
 * again; 0: not at a time. */
static uint64_t wshub__settle_once(wshub *hub) {
    uint64_t next = wshub__bus_settle(hub);
    if (hub->stats.segment_bytes > WSHUB__COMPACT_BYTES &&
        (hub->stats.segment_bytes - WSHUB__SEG_BYTES) / 2 > hub->stats.queued_bytes)
        wshub__out_compact(hub);
    if (hub->now >= hub->give_back_due) wshub__give_back(hub);
    return next;
}

/* The earliest of a time, 0: none, and of all deadlines: on the hub's clock. While there are any,
 * no more than a stride passes between two turns. */
static uint64_t wshub__settle_next(const wshub *hub, uint64_t next) {
    const wshub__deadlines *streams = &hub->deadlines, *timers = &hub->timer_deadlines;
    if (streams->count) next = wshub__sooner(next, wshub__deadlines_first(streams)->at);
    if (timers->count) next = wshub__sooner(next, wshub__deadlines_first(timers)->at);
    if (streams->count || timers->count) next = wshub__sooner(next, hub->now + wshub__stride(hub));
    return next;
}

WSHUB_API uint64_t wshub_settle(wshub *hub) {
    uint64_t next = 0, result;
    bool more = true;
    uint32_t timers = hub->timer_deadlines.orders;
    int passes;

    if (hub->depth) return 0; /* inside a callback, or while the hub is freed */
    wshub__enter(hub);
    wshub__clock_heard(hub);
    for (passes = 0; more && passes < WSHUB__PASSES && !hub->destroying; passes++) {
        next = wshub__settle_pass(hub, timers);
        more = wshub__unsettled(hub);
    }

    if (!hub->destroying) {
        next = wshub__sooner(next, wshub__settle_once(hub));
        if (hub->lines_count) {
            wshub__log_tell(hub);
            more = true; /* whatever on_log did is carried out in the next turn */
        }
    }

    next = wshub__settle_next(hub, next);
    result = more ? 0 : !next ? WSHUB_NEVER : hub->io_now + (next > hub->now ? next - hub->now : 0);
    if (hub->destroying) result = WSHUB_NEVER;
    wshub__leave(hub);
    return result;
}

/* The logs of all kinds, and what deliveries were written with. */
WSHUB__COLD static void wshub__wires_free(wshub *hub) {
    uint32_t kind;

    for (kind = 1; kind < hub->kinds_count; kind++) {
        if (hub->kinds[kind].log) wshub__seg_unref(hub, hub->kinds[kind].log);
    }
    wshub__seg_unref(hub, hub->log);
    while (hub->pieces) {
        wshub__piece *piece = hub->pieces;
        hub->pieces = piece->next;
        wshub__mem_free(&hub->mem, piece->lens, WSHUB__RUN_MAX * sizeof(uint32_t));
        wshub__mem_free(&hub->mem, piece, sizeof *piece);
    }
}

/* All clients of a hub end, realm by realm, the oldest first. */
WSHUB__COLD static void wshub__clients_end(wshub *hub) {
    const wshub__realm *realm = NULL;
    uint32_t i;

    while ((realm = wshub__realm_next(hub, realm)) != NULL) {
        for (i = realm->oldest; i; i = wshub__client_at(hub, i - 1)->next) {
            wshub__client *client = wshub__client_at(hub, i - 1);
            wshub__client_dismiss(hub, client, WSHUB_BY_SHUTDOWN, 0, wshub__str(NULL, 0));
            wshub__client_end(hub, client, WSHUB_BY_SHUTDOWN, WSHUB__CLOSE_GOING_AWAY,
                              wshub__str(NULL, 0));
        }
    }
}

/* All lent streams end: who has lent a session, and the other hub behind a link, are told. */
WSHUB__COLD static void wshub__lents_end(wshub *hub) {
    wshub__conn *conn;
    uint32_t at = 0;

    while ((conn = wshub__conn_next_open(hub, &at)) != NULL) {
        if (wshub__conn_link(hub, conn))
            wshub__linked_free(hub, conn);
        else if (wshub__conn_is_lent(conn))
            wshub__above_lent_gone(hub, conn);
    }
    wshub__links_run(hub); /* what was called for: they are given back */
}

/* Everybody in a hub ends and is told of it: clients, exchanges and WebSockets of mounts, lent
 * streams. */
WSHUB__COLD static void wshub__end_all(wshub *hub) {
    wshub__clients_end(hub);
    wshub__gone_run(hub);
    wshub__exchanges_end(hub);
    wshub__lents_end(hub);
    wshub__run_out(hub); /* of last words to those who are gone */
}

/* Leaves the bus, then the io, which the bus may wake from other threads until then, and which may
 * be gone behind that. Behind both nobody reports or posts anything any more. */
WSHUB__COLD static void wshub__detach(wshub *hub) {
    wshub__bus_leave(hub);
    hub->io.attach(hub->io.ctx, NULL);
    wshub__post_drain(hub, false);
}

/* Frees the streams, what was still to be asked of the bus, and with the logs what was written. */
WSHUB__COLD static void wshub__streams_free(wshub *hub) {
    wshub__conn *conn;
    uint32_t at = 0;

    while ((conn = wshub__conn_next_open(hub, &at)) != NULL) wshub__conn_free(hub, conn);
    wshub__subs_clear(hub);
    wshub__wires_free(hub);
}

/* Gives back the memory of realms, mounts, pools, indexes and deadlines, in which nothing is any
 * more, and of texts. */
WSHUB__COLD static void wshub__tables_done(wshub *hub) {
    const wshub__mem *mem = &hub->mem;
    wshub__realm *realm = NULL;

    while ((realm = wshub__realm_next(hub, realm)) != NULL) wshub__realm_done(mem, realm);
    wshub__mounts_done(hub);
    wshub__pool_done(mem, &hub->realms);
    wshub__pool_done(mem, &hub->conns);
    wshub__pool_done(mem, &hub->clients);
    wshub__pool_done(mem, &hub->asks);
    wshub__pool_done(mem, &hub->lents);
    wshub__pool_done(mem, &hub->timers);
    wshub__index_done(mem, &hub->channels);

    wshub__mem_free(mem, hub->dirty, hub->dirty_cap * sizeof *hub->dirty);
    wshub__mem_free(mem, hub->dirty_words, hub->dirty_words_cap * sizeof *hub->dirty_words);
    wshub__mem_free(mem, hub->laggards, hub->laggards_cap * sizeof *hub->laggards);
    wshub__deadlines_done(mem, &hub->deadlines);
    wshub__deadlines_done(mem, &hub->timer_deadlines);

    wshub__buf_done(mem, &hub->drain_reason);
    wshub__mem_free(mem, hub->texts, hub->texts_bytes);
}

/* The end of a hub. Everybody in it is told first, while it can still be asked; then it leaves
 * those outside it, and gives its memory back. */
WSHUB__COLD static void wshub__free(wshub *hub) {
    wshub__mem mem = hub->mem;

    hub->dead = true;
    hub->depth++;
    wshub__end_all(hub);
    wshub__detach(hub);
    wshub__streams_free(hub);

    WSHUB_ASSERT(!hub->segs);
    WSHUB_ASSERT(!hub->conns_live);
    WSHUB_ASSERT(!hub->clients.live);
    WSHUB_ASSERT(!hub->rooms_live);
    WSHUB_ASSERT(!hub->users_live);
    WSHUB_ASSERT(!hub->own_rooms);
    WSHUB_ASSERT(!hub->channels.count);
    wshub__tables_done(hub);
    wshub__mem_free(&mem, hub, sizeof *hub);
}

static const wshub__above wshub__hub_above = {
    wshub__json_message,    wshub__above_ended, wshub__above_closed, wshub__above_heard,
    wshub__above_due,       wshub__above_asked, wshub__above_late,   wshub__above_waited,
    wshub__above_who,       wshub_client_id,    wshub__above_noted,  wshub__above_owed,
    wshub__above_lent_gone, wshub__run_end,     wshub__free,
};

/* ---- >>stats ---------------------------------------------------------------------------------
 * The figures of WSHUB_STATS as a struct and as text. What is counted is counted where it happens;
 * here is added what others know: how many there are, and what waits. Allocates nothing. Proved by
 * tests/test_manual.c. */

WSHUB_API void wshub_stats_get(const wshub *hub, wshub_stats *out_stats) {
    wshub__look(hub);
    *out_stats = hub->stats;
    out_stats->conns = hub->conns_live - hub->lents.live;
    out_stats->clients = hub->clients.live;
    out_stats->users = hub->users_live;
    out_stats->rooms = (uint64_t)hub->rooms_live + hub->own_rooms;
    out_stats->bus_queued_bytes = hub->uplink.outbox.bytes;
    if (wshub__uplink_is_there(&hub->uplink) && !wshub__uplink_is_up(&hub->uplink))
        out_stats->bus_down_ms += hub->now - hub->bus_since;
}

static const struct {
    const char *name, *unit, *help;
    size_t at; /* of the figure in wshub_stats */
    bool counter;
} wshub__stats[] = {
#define WSHUB__STAT_COUNTER true
#define WSHUB__STAT_GAUGE false
#define WSHUB__X(name, type, unit, help)                                                           \
    {#name, unit, help, offsetof(wshub_stats, name), WSHUB__STAT_##type},
    WSHUB_STATS(WSHUB__X)
#undef WSHUB__X
#undef WSHUB__STAT_COUNTER
#undef WSHUB__STAT_GAUGE
};

#define WSHUB__STATS_COUNT (sizeof wshub__stats / sizeof wshub__stats[0])

/* Text on its way into memory of the caller's, which may be too small for it: what does not fit is
 * counted and not written. */
typedef struct wshub__print {
    char *buf;
    size_t cap, len;
} wshub__print;

/* Adds what there is room for, and counts all. */
static void wshub__print_bytes(wshub__print *print, const char *bytes, size_t count) {
    size_t room = print->len < print->cap ? print->cap - print->len : 0;

    if (room) memcpy(print->buf + print->len, bytes, count < room ? count : room);
    print->len += count;
}

static void wshub__print_text(wshub__print *print, const char *text) {
    wshub__print_bytes(print, text, strlen(text));
}

/* Adds a number in decimal digits. */
static void wshub__print_uint(wshub__print *print, uint64_t n) {
    char room[WSHUB__DIGITS_MAX], *first = wshub__digits(n, room);
    wshub__print_bytes(print, first, (size_t)(room + sizeof room - first));
}

/* A figure, by its place in the list. */
static uint64_t wshub__stats_at(const wshub_stats *stats, size_t i) {
    uint64_t value;

    WSHUB_ASSERT(i < WSHUB__STATS_COUNT);
    memcpy(&value, (const char *)stats + wshub__stats[i].at, sizeof value);
    return value;
}

static size_t wshub__stats_print_json(const wshub_stats *stats, char *buf, size_t cap) {
    wshub_json_writer w;
    size_t i;

    wshub_json_begin(&w, buf, cap);
    wshub_json_put_object(&w, NULL);
    for (i = 0; i < WSHUB__STATS_COUNT; i++)
        wshub_json_put_uint(&w, wshub__stats[i].name, wshub__stats_at(stats, i));
    wshub_json_put_end(&w);
    return w.len;
}

/* A name may be said to have a unit only if it ends with it (OpenMetrics 1.0, "Unit"). */
static bool wshub__stats_ends_with_unit(const char *name, const char *unit) {
    const char *last = strrchr(name, '_');
    return last && strcmp(last + 1, unit) == 0;
}

/* A line of metadata: what it says, of which figure, and its value. */
static void wshub__print_meta(wshub__print *print, const char *what, const char *name,
                              const char *value) {
    wshub__print_text(print, what);
    wshub__print_text(print, name);
    wshub__print_text(print, " ");
    wshub__print_text(print, value);
    wshub__print_text(print, "\n");
}

static size_t wshub__stats_print_openmetrics(const wshub_stats *stats, char *buf, size_t cap) {
    wshub__print print = {buf, cap, 0};
    size_t i;

    for (i = 0; i < WSHUB__STATS_COUNT; i++) {
        const char *name = wshub__stats[i].name, *unit = wshub__stats[i].unit;
        bool counter = wshub__stats[i].counter;
        wshub__print_meta(&print, "# TYPE wshub_", name, counter ? "counter" : "gauge");
        if (wshub__stats_ends_with_unit(name, unit))
            wshub__print_meta(&print, "# UNIT wshub_", name, unit);
        wshub__print_meta(&print, "# HELP wshub_", name, wshub__stats[i].help);

        wshub__print_text(&print, "wshub_");
        wshub__print_text(&print, name);
        wshub__print_text(&print, counter ? "_total " : " ");
        wshub__print_uint(&print, wshub__stats_at(stats, i));
        wshub__print_text(&print, "\n");
    }
    wshub__print_text(&print, "# EOF\n");
    return print.len;
}

WSHUB_API size_t wshub_stats_json(const wshub *hub, char *buf, size_t cap) {
    wshub_stats stats;
    wshub_stats_get(hub, &stats);
    return wshub__stats_print_json(&stats, buf, cap);
}

WSHUB_API size_t wshub_stats_openmetrics(const wshub *hub, char *buf, size_t cap) {
    wshub_stats stats;
    wshub_stats_get(hub, &stats);
    return wshub__stats_print_openmetrics(&stats, buf, cap);
}

/* ---- >>public --------------------------------------------------------------------------------
 * The doors: arguments are checked here, and only here. */

/* WSHUB_LIMITS as wshub_desc_problem() and the defaults read it. */
typedef struct wshub__limit {
    const char *problem; /* said of a value that is out of range */
    size_t at;           /* of the field in wshub_desc */
    bool wide;           /* 64 bits; else 32 */
    bool off;            /* WSHUB_OFF is allowed */
    uint64_t usual, least, greatest;
} wshub__limit;

static const wshub__limit wshub__limits[] = {
#define WSHUB__LIMIT_OFF true
#define WSHUB__LIMIT_ALWAYS false
#define WSHUB__X(type, name, unit, usual, least, greatest, off, help)                              \
    {#name ": " help,                                                                              \
     offsetof(wshub_desc, name),                                                                   \
     sizeof(type) > sizeof(uint32_t),                                                              \
     WSHUB__LIMIT_##off,                                                                           \
     usual,                                                                                        \
     least,                                                                                        \
     greatest},
    WSHUB_LIMITS(WSHUB__X)
#undef WSHUB__X
#undef WSHUB__LIMIT_OFF
#undef WSHUB__LIMIT_ALWAYS
};

/* What a description says for a limit. */
static uint64_t wshub__limit_get(const wshub_desc *desc, const wshub__limit *limit) {
    const char *field = (const char *)desc + limit->at;
    uint32_t narrow;
    uint64_t wide;

    if (limit->wide) {
        memcpy(&wide, field, sizeof wide);
        return wide;
    }
    memcpy(&narrow, field, sizeof narrow);
    return narrow;
}

/* Writes a limit into a description. */
static void wshub__limit_set(wshub_desc *desc, const wshub__limit *limit, uint64_t value) {
    char *field = (char *)desc + limit->at;
    uint32_t narrow = (uint32_t)value;

    WSHUB_ASSERT(limit->wide || value <= UINT32_MAX);
    if (limit->wide) {
        memcpy(field, &value, sizeof value);
    } else {
        memcpy(field, &narrow, sizeof narrow);
    }
}

/* The one place where defaults are filled in; they stand beside the fields in >>desc. */
WSHUB__COLD static void wshub__desc_defaults(wshub_desc *desc) {
    static const char *const rooms[] = {"ws-default", "ws-notification"};
    size_t i;

    if (!desc->path) desc->path = "/ws";
    if (desc->no_default_rooms) {
        desc->default_rooms_count = 0;
    } else if (!desc->default_rooms) {
        desc->default_rooms = rooms;
        desc->default_rooms_count = 2;
    }

    for (i = 0; i < sizeof wshub__limits / sizeof wshub__limits[0]; i++) {
        const wshub__limit *limit = &wshub__limits[i];
        if (!wshub__limit_get(desc, limit)) wshub__limit_set(desc, limit, limit->usual);
    }

    /* Those whose default depends on another field: the list says 0. */
    if (!desc->held_bytes_max)
        desc->held_bytes_max = desc->payload_bytes_max < (1u << 30) - 262144
                                   ? desc->payload_bytes_max + 262144
                                   : 1u << 30;
    if (!desc->rooms_per_message_max) desc->rooms_per_message_max = desc->rooms_per_client_max;
    if (!desc->bus_burst_bytes_max)
        desc->bus_burst_bytes_max = wshub__bus_burst(desc->bus_queue_bytes_max);
}

/* The range of each limit by itself. NULL: all are in theirs. Defaults are filled in. */
WSHUB__COLD static const char *wshub__desc_ranges(const wshub_desc *desc) {
    size_t i;

    for (i = 0; i < sizeof wshub__limits / sizeof wshub__limits[0]; i++) {
        const wshub__limit *limit = &wshub__limits[i];
        uint64_t value = wshub__limit_get(desc, limit);
        if (limit->off && value == WSHUB_OFF) continue;
        if (value < limit->least || value > limit->greatest) return limit->problem;
    }
    return NULL;
}

/* Whether a description is laid out as this header lays it out; another one cannot be read. The
 * size is asked as well, which tells of a change whose author has forgotten the version. */
static bool wshub__desc_known(const wshub_desc *desc, size_t desc_bytes, uint32_t version) {
    return desc && desc_bytes == sizeof *desc && version == WSHUB_DESC_VERSION;
}

/* The tables of a description. One that is laid out otherwise must not be called: an entry would be
 * taken for another one. */
WSHUB__COLD static const char *wshub__desc_tables(const wshub_desc *desc) {
    if (!desc->io) return "io: required; make one with wshub_io_auto_create()";
    if (desc->io->version != WSHUB_IO_VERSION)
        return "io: its table is of another wshub.h; compile this backend anew with the one of the "
               "hub, and in a table of your own set version to WSHUB_IO_VERSION";
    if (desc->bus && !wshub__bus_fits(desc->bus)) return WSHUB__BUS_MISFIT;
    return NULL;
}

/* The lists of a description, before defaults are filled in: a list without its count, or a count
 * without its list, is what somebody forgot, and none is taken for "any" or for "none". */
WSHUB__COLD static const char *wshub__desc_lists(const wshub_desc *desc) {
    if ((desc->default_rooms != NULL) != (desc->default_rooms_count != 0))
        return "default_rooms: a list needs its default_rooms_count, and the other way round; "
               "none: no_default_rooms";
    if (desc->default_rooms && desc->no_default_rooms)
        return "no_default_rooms: there is a list of default_rooms too";
    if (desc->allowed_origins && !desc->allowed_origins_count && desc->allowed_origins[0])
        return "allowed_origins: a list needs its allowed_origins_count; nobody: a list whose "
               "first entry is NULL";
    if (!desc->allowed_origins && desc->allowed_origins_count)
        return "allowed_origins: a count without a list";
    if ((unsigned)desc->log_level > WSHUB_LEVEL_ERROR)
        return "log_level: WSHUB_LEVEL_DEBUG to WSHUB_LEVEL_ERROR, or 0";
    if (desc->no_log && (desc->on_log || desc->log_level))
        return "no_log: it leaves nothing for on_log or log_level to say; set one or the other";
    if (desc->path && desc->no_dialect)
        return "path: it is where the JSON dialect is mounted, and there is none (no_dialect); a "
               "mount of yours has its own";
    if ((desc->allowed_hosts != NULL) != (desc->allowed_hosts_count != 0))
        return "allowed_hosts: a list needs its allowed_hosts_count, and the other way round; any "
               "host: NULL";
    return NULL;
}

/* Limits under which nobody could be accepted, or could ever connect (ROOM-6). Defaults are filled
 * in. */
WSHUB__COLD static const char *wshub__desc_shut(const wshub_desc *desc) {
    size_t own_and_default = 1 + desc->default_rooms_count, path = strlen(desc->path), i;

    for (i = 0; i < path; i++) {
        uint8_t c = (uint8_t)desc->path[i];
        if (c <= 0x20 || c >= 0x7F || c == '#')
            return "path: a request's target is plain ASCII without blanks and `#`";
    }
    if (desc->rooms_per_client_max < own_and_default)
        return "rooms_per_client_max: at least the default rooms and the client's own (ROOM-6)";
    if (desc->rooms_max < desc->default_rooms_count) return "rooms_max: at least the default rooms";
    if (desc->http_head_bytes_max < 136 + path)
        return "http_head_bytes_max: at least 136 and the path, for the shortest upgrade";
    if (desc->idle_timeout_ms < 2 && !desc->no_pings)
        return "idle_timeout_ms: at least 2; pings are sent after half of it";
    return NULL;
}

/* The names and the path in a description. */
WSHUB__COLD static const char *wshub__desc_names(const wshub_desc *desc) {
    const char *id = desc->server_id;
    size_t i;

    if (desc->path[0] != '/' || strlen(desc->path) > 1024 || strchr(desc->path, '?'))
        return "path: begins with /, has no query and at most 1024 bytes";
    if (id && (strlen(id) > 63 || !id[0] || !wshub__name_ok(wshub_str_z(id))))
        return "server_id: 1 to 63 bytes of UTF-8";
    if (id && strcmp(id, "emitter") == 0)
        return "server_id: `emitter` is how emitters sign, whom a hub of that name would take for "
               "itself (EMIT-1)";

    for (i = 0; i < desc->default_rooms_count; i++) {
        const char *room = desc->default_rooms[i];
        if (!room || !room[0] || !wshub__name_ok(wshub_str_z(room)))
            return "default_rooms: names of 1 to WSHUB_NAME_BYTES_MAX bytes of UTF-8";
    }
    return NULL;
}

/* The rules of a description: which pages may connect or read answers, and under which hosts. */
WSHUB__COLD static const char *wshub__desc_rules(const wshub_desc *desc) {
    uint32_t port;
    size_t i;

    for (i = 0; i < desc->allowed_origins_count; i++) {
        if (!wshub__origin_rule_ok(desc->allowed_origins[i]))
            return "allowed_origins: `https://host[:port]`, no path, no slash behind it, no "
                   "default port, with `*.` before "
                   "the host for its subdomains; or `null`, or `*`";
    }
    for (i = 0; i < desc->allowed_hosts_count; i++) {
        const char *host = desc->allowed_hosts[i];
        if (!host || !wshub__host_rule_ok(wshub_str_z(host), &port))
            return "allowed_hosts: `host` or `host:port`, with `*.` before it for its subdomains";
    }
    return wshub__cors_problem(desc->cors);
}

/* The bus of a description, and what may wait for it. */
WSHUB__COLD static const char *wshub__desc_bus(const wshub_desc *desc) {
    const wshub_bus *bus = desc->bus;

    if (desc->bus_burst_bytes_max < desc->bus_queue_bytes_max)
        return "bus_burst_bytes_max: at least bus_queue_bytes_max; a busy turn may keep what an "
               "outage may";
    if (bus && (!bus->attach || !bus->publish || !bus->subscribe || !bus->unsubscribe))
        return "bus: attach, publish, subscribe and unsubscribe are required";
    if (bus && !desc->io->wake) return "bus: needs an io that can be woken";
    return NULL;
}

/* What is wrong with a description whose defaults are filled in. NULL: nothing. */
WSHUB__COLD static const char *wshub__desc_check(const wshub_desc *desc) {
    const wshub_io *io = desc->io;
    const char *why;

    if (!io->attach || !io->send || !io->close || !io->now_ms || !io->wall_ms || !io->random)
        return "io: attach, send, close, now_ms, wall_ms and random are required";
    why = wshub__desc_ranges(desc);
    if (why) return why;
    if (desc->heartbeat_by_pong && (desc->no_pings || desc->idle_timeout_ms == WSHUB_OFF ||
                                    desc->idle_timeout_ms / 2 >= desc->heartbeat_timeout_ms))
        return "heartbeat_by_pong: needs pings, at half of idle_timeout_ms, more often than "
               "heartbeat_timeout_ms";

    why = wshub__desc_names(desc);
    if (!why) why = wshub__desc_rules(desc);
    if (!why) why = wshub__desc_shut(desc);
    return why ? why : wshub__desc_bus(desc);
}

WSHUB__COLD WSHUB_API const char *
wshub_desc_problem_versioned(const wshub_desc *desc, size_t desc_bytes, uint32_t version) {
    wshub_desc d;
    const char *problem;

    if (!desc) return "io: required; make one with wshub_io_auto_create()";
    if (!wshub__desc_known(desc, desc_bytes, version))
        return "wshub_desc: the program was compiled with another wshub.h than the file that has "
               "WSHUB_IMPLEMENTATION; compile both anew with the same one";
    problem = wshub__desc_tables(desc);
    if (!problem) problem = wshub__desc_lists(desc);
    if (problem) return problem;

    d = *desc;
    wshub__desc_defaults(&d);
    return wshub__desc_check(&d);
}

/* Keeps all texts of the description in one block: first the slices, then what they show. */
WSHUB__COLD static bool wshub__copy_texts(wshub *hub, const char *server_id) {
    wshub_desc *desc = &hub->desc;
    wshub__realm *realm = &hub->first_realm;
    size_t bytes = wshub__list_bytes(desc->default_rooms, desc->default_rooms_count) +
                   wshub__list_bytes(desc->allowed_origins, desc->allowed_origins_count) +
                   wshub__list_bytes(desc->allowed_hosts, desc->allowed_hosts_count) +
                   strlen(desc->path) + 1 + strlen(server_id) + 1;
    char *at;

    hub->texts = wshub__mem_new(&hub->mem, bytes);
    if (!hub->texts) return false;
    hub->texts_bytes = bytes;

    realm->default_rooms = (wshub_str *)hub->texts;
    realm->default_rooms_count = (uint32_t)desc->default_rooms_count;
    hub->origins = realm->default_rooms + desc->default_rooms_count;
    hub->hosts = hub->origins + desc->allowed_origins_count;
    at = (char *)(hub->hosts + desc->allowed_hosts_count);
    wshub__copy_list(realm->default_rooms, desc->default_rooms, desc->default_rooms_count, &at);
    wshub__copy_list(hub->origins, desc->allowed_origins, desc->allowed_origins_count, &at);
    wshub__copy_list(hub->hosts, desc->allowed_hosts, desc->allowed_hosts_count, &at);
    desc->path = wshub__copy_text(&at, desc->path).ptr;
    hub->server_id = wshub__copy_text(&at, server_id);
    WSHUB_ASSERT(at == (char *)hub->texts + bytes);

    /* From here on the copies are what counts; of the lists nothing in the description is left. */
    desc->server_id = hub->server_id.ptr;
    hub->origins_any = !desc->allowed_origins;
    desc->default_rooms = desc->allowed_origins = desc->allowed_hosts = NULL;
    return true;
}

static void wshub__owner_opened(void *ctx, wshub_conn conn) {
    wshub_conn_opened((wshub *)ctx, conn);
}

static void wshub__owner_received(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count) {
    wshub_conn_received((wshub *)ctx, conn, bytes, count);
}

static void wshub__owner_ended(void *ctx, wshub_conn conn) {
    wshub_conn_ended((wshub *)ctx, conn);
}

static void wshub__owner_drained(void *ctx, wshub_conn conn) {
    wshub_conn_drained((wshub *)ctx, conn);
}

static void wshub__owner_sent(void *ctx, wshub_conn conn, size_t count) {
    wshub_conn_sent((wshub *)ctx, conn, count);
}

static void wshub__owner_closed(void *ctx, wshub_conn conn) {
    wshub_conn_closed((wshub *)ctx, conn);
}

static uint64_t wshub__owner_settle(void *ctx) {
    return wshub_settle((wshub *)ctx);
}

/* The objects of a hub that own nothing yet. seed: its secret key. */
WSHUB__COLD static void wshub__objects_init(wshub *hub, const uint8_t seed[16]) {
    memcpy(hub->key, seed, 16);
    memcpy(hub->first_realm.index.key, seed, 16);
    memcpy(hub->channels.key, seed, 16);
    hub->first_realm.name = wshub_str_z("");

    wshub__json_table(&hub->dialects[0].table);
    hub->dialects_count = 1;
    hub->kinds[0].desc = wshub__json_kind;
    hub->kinds_count = 1;
    hub->run.never = hub->desc.on_transform_out || hub->desc.require_encryption ||
                     hub->desc.close_on_backpressure;
    hub->above = &wshub__hub_above;
    hub->self = hub;

    wshub__pool_init(&hub->conns, sizeof(wshub__conn), 0);
    wshub__pool_init(&hub->clients, sizeof(wshub__client), wshub__pool_first(hub->key, 'c'));
    wshub__pool_init(&hub->asks, sizeof(wshub__ask), wshub__pool_first(hub->key, 'a'));
    wshub__forwarding_begin(hub);
    wshub__pool_init(&hub->timers, sizeof(wshub__timer), wshub__pool_first(hub->key, 't'));
    wshub__pool_init(&hub->realms, sizeof(wshub__realm), wshub__pool_first(hub->key, 'm'));
    wshub__deadlines_init(&hub->deadlines, &hub->conns, offsetof(wshub__conn, deadline));
    wshub__deadlines_init(&hub->timer_deadlines, &hub->timers, offsetof(wshub__timer, deadline));
    hub->dirty_lo = UINT32_MAX; /* nothing is dirty */
    wshub__mounts_begin(hub);
}

/* The hub is what its io reports to from here on. */
WSHUB__COLD static void wshub__io_attach(wshub *hub) {
    wshub_io_owner owner;

    hub->now = 1; /* 0 is never, among deadlines */
    hub->io_now = hub->io.now_ms(hub->io.ctx);

    memset(&owner, 0, sizeof owner);
    owner.ctx = hub;
    owner.opened = wshub__owner_opened;
    owner.received = wshub__owner_received;
    owner.ended = wshub__owner_ended;
    owner.drained = wshub__owner_drained;
    owner.sent = wshub__owner_sent;
    owner.closed = wshub__owner_closed;
    owner.settle = wshub__owner_settle;
    hub->depth = 1; /* an io or a bus that reports while it is attached may run callbacks */
    hub->io.attach(hub->io.ctx, &owner);
}

/* Makes a hub of a description whose defaults are filled in and which has been checked. seed: its
 * secret key, and behind that what its id is made of where none is given. NULL: out of memory. */
WSHUB__COLD static wshub *wshub__hub_new(const wshub_desc *desc, const uint8_t seed[32]) {
    wshub__mem mem = wshub__mem_make(desc->alloc, desc->alloc_user);
    wshub *hub = (wshub *)wshub__mem_new(&mem, sizeof *hub);
    char id[WSHUB__UUID_BYTES + 1];

    if (!hub) return NULL;
    hub->mem = mem;
    hub->desc = *desc;
    hub->io = *desc->io;
    wshub__log_begin(hub);
    wshub__objects_init(hub, seed);

    wshub__uuid(seed + 16, id);
    id[WSHUB__UUID_BYTES] = 0;
    if (!wshub__copy_texts(hub, desc->server_id ? desc->server_id : id) ||
        !wshub__cors_new(&mem, desc->cors, &hub->fallback.cors) ||
        !(hub->log = wshub__seg_new(hub, WSHUB__SEG_BYTES))) {
        wshub__cors_free(&mem, hub->fallback.cors);
        if (hub->texts) wshub__mem_free(&mem, hub->texts, hub->texts_bytes);
        wshub__mem_free(&mem, hub, sizeof *hub);
        return NULL;
    }
    hub->log->is_log = 1;
    hub->desc.cors = NULL; /* from here on the copy is what counts */

    hub->json.desc.path = hub->desc.path;
    hub->json.desc.user = hub->desc.user;
    hub->json.desc.on_head = wshub__upgrade;
    if (!hub->desc.no_dialect) wshub__mount_put(hub, &hub->json);
    return hub;
}

/* Makes a hub of a description whose tables can be read. What it is attached to is its io alone:
 * the bus comes behind that. */
WSHUB__COLD static wshub_err wshub__create(const wshub_desc *desc, wshub **out_hub) {
    wshub_desc filled = *desc;
    uint8_t seed[32];

    if (wshub__desc_lists(desc)) return WSHUB_ERR_PARAM;
    wshub__desc_defaults(&filled);
    if (wshub__desc_check(&filled))
        return filled.bus && !filled.io->wake ? WSHUB_ERR_NOWAKE : WSHUB_ERR_PARAM;
    if (filled.io->taken && filled.io->taken(filled.io->ctx)) return WSHUB_ERR_STATE;
    if (!filled.io->random(filled.io->ctx, seed, sizeof seed)) return WSHUB_ERR_RANDOM;

    /* Off means as much as a queue can hold. */
    if (filled.backpressure_bytes_max == WSHUB_OFF)
        filled.backpressure_bytes_max = WSHUB__QUEUE_MAX;
    *out_hub = wshub__hub_new(&filled, seed);
    if (!*out_hub) return WSHUB_ERR_NOMEM;
    wshub__io_attach(*out_hub);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_create_versioned(const wshub_desc *desc, size_t desc_bytes,
                                           uint32_t version, wshub **out_hub) {
    wshub *hub = NULL;
    wshub_err err;

    if (!wshub__desc_known(desc, desc_bytes, version)) return WSHUB_ERR_PARAM;
    /* Of a bus that is laid out otherwise, or is another's, nothing is touched. */
    if (desc->bus && !wshub__bus_fits(desc->bus)) return WSHUB_ERR_PARAM;
    if (desc->bus && wshub__bus_taken(desc->bus)) return WSHUB_ERR_STATE;

    err = out_hub && !wshub__desc_tables(desc) ? wshub__create(desc, &hub) : WSHUB_ERR_PARAM;
    if (err) {
        if (desc->bus && desc->bus->attach)
            (void)desc->bus->attach(desc->bus->ctx, NULL); /* it was given */
        return err;
    }

    if (desc->bus) err = wshub__bus_attach(hub, desc->bus, &wshub__envelope_words);
    hub->depth = 0;                                      /* lines are told by the next call */
    if (!err && hub->destroying) err = WSHUB_ERR_CLOSED; /* by a callback of a report */
    if (err) {
        hub->destroying = true;
        wshub__free(hub);
        return err;
    }

    if (hub->origins_any && !desc->no_dialect)
        wshub__log(hub, WSHUB_LOG_ORIGINS_OPEN, wshub__nobody(), "", wshub__str(NULL, 0));
    if (desc->require_encryption && !desc->on_transform_out)
        wshub__log(hub, WSHUB_LOG_NO_TRANSFORMER, wshub__nobody(), "", wshub__str(NULL, 0));
    *out_hub = hub;
    return WSHUB_OK;
}

WSHUB_API void wshub_destroy(wshub *hub) {
    if (!hub || hub->destroying) return;
    wshub__enter(hub);
    hub->destroying = true;
    wshub__leave(hub);
}

WSHUB__COLD WSHUB_API wshub_err wshub_shutdown(wshub *hub) {
    if (hub->destroying) return WSHUB_OK;
    wshub__enter(hub);
    wshub__stop(hub);
    if (hub->io.wake) hub->io.wake(hub->io.ctx);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB__COLD WSHUB_API wshub_err wshub_drain(wshub *hub, uint32_t per_second, uint16_t code,
                                            wshub_str reason) {
    if (per_second == 0 || per_second > 1000000 || !code || !wshub__close_ok(code, reason))
        return WSHUB_ERR_PARAM;
    if (hub->phase != WSHUB__RUNNING || hub->destroying) return WSHUB_ERR_STATE;
    wshub__buf_add(&hub->mem, &hub->drain_reason, reason.ptr, reason.len);
    if (hub->drain_reason.bad) {
        wshub__buf_done(&hub->mem, &hub->drain_reason); /* so that it can be tried again */
        return WSHUB_ERR_NOMEM;
    }
    wshub__enter(hub);
    hub->phase = WSHUB__DRAINING;
    hub->drain_per_second = per_second;
    hub->drain_code = code;
    hub->drain_start = hub->now;
    if (hub->io.wake) hub->io.wake(hub->io.ctx);
    wshub__leave(hub);
    return WSHUB_OK;
}

WSHUB_API bool wshub_is_draining(const wshub *hub) {
    return hub->phase != WSHUB__RUNNING;
}

WSHUB_API bool wshub_is_down(const wshub *hub) {
    return hub->phase == WSHUB__DOWN;
}

WSHUB_API wshub_str wshub_server_id(const wshub *hub) {
    return hub->server_id;
}

WSHUB_API uint64_t wshub_now_ms(const wshub *hub) {
    return hub->now;
}

WSHUB_API void *wshub_user(const wshub *hub) {
    return hub->desc.user;
}

#ifdef WSHUB_SELF_CHECK
/* What is counted by going through everything, against what the hub has counted meanwhile. */
typedef struct wshub__census {
    uint32_t clients, authenticated, rooms, users, own_rooms; /* of all realms */
    uint32_t conns, spans;
    uint64_t queued;
} wshub__census;

/* One membership: the member knows its place in its client's list, and the list knows it. */
WSHUB__COLD static const char *wshub__check_member(const wshub *hub, wshub__group *group,
                                                   uint32_t i) {
    const wshub__client *client = wshub__client_at(hub, wshub__members(group)[i].client);
    uint32_t place = wshub__members(group)[i].place;

    if (client->slot.link != WSHUB__LIVE) return "a member is dead";
    if (client->realm != group->realm) return "a member of another realm";
    if (group->name.kind == WSHUB__KIND_USER)
        return client->user != group || client->user_pos != i ? "a user's session" : NULL;
    if (place >= client->rooms_count || client->rooms[place] != group ||
        wshub__room_place(client, group) != place || wshub__room_positions(client)[place] != i)
        return "a member's place";
    return NULL;
}

/* All rooms, or all users, of a realm. *out_members: how many members they have together. */
WSHUB__COLD static const char *wshub__check_groups(const wshub *hub, const wshub__realm *realm,
                                                   const wshub__groups *list,
                                                   uint32_t *out_members) {
    uint32_t i, k;

    *out_members = 0;
    for (i = 0; i < list->count; i++) {
        wshub__group *group = list->items[i];
        if (group->pos != i || group->count == 0 || group->count > (group->cap ? group->cap : 1))
            return "a group's place or count";
        if (group->realm != realm->number) return "a group of another realm";
        if (wshub__group_find(realm, (wshub__kind)group->name.kind,
                              wshub__name_str(&group->name)) != group)
            return "a group is not indexed";
        for (k = 0; k < group->count; k++) {
            const char *why = wshub__check_member(hub, group, k);
            if (why) return why;
        }
        *out_members += group->count;
    }
    return NULL;
}

/* Is a client in the chain of its session? */
WSHUB__COLD static bool wshub__check_session(const wshub *hub, const wshub__client *client) {
    uint32_t at = wshub__conn_at(hub, client->conn)->above;
    while (at && at != client->index + 1) at = wshub__client_at(hub, at - 1)->next_of_session;
    return at != 0;
}

WSHUB__COLD static const char *wshub__check_client(const wshub *hub, const wshub__realm *realm,
                                                   const wshub__client *client) {
    if (client->realm != realm->number) return "a client of another realm";
    if (wshub__client_by_id(realm, wshub__name_str(&client->name)) != client)
        return "a client is not indexed";
    if (wshub__is_gone(client)) return NULL;
    if (!wshub__check_session(hub, client)) return "a client's conn";
    if (client->user && client->state != WSHUB__CLIENT_AUTHENTICATED)
        return "a user before acceptance";
    return NULL;
}

WSHUB__COLD static const char *wshub__check_realm(const wshub *hub, const wshub__realm *realm,
                                                  wshub__census *census) {
    uint32_t i, prev = 0, clients = 0, memberships = 0, sessions = 0, members;
    const char *why;

    for (i = realm->oldest; i; prev = i, i = wshub__client_at(hub, i - 1)->next, clients++) {
        const wshub__client *client = wshub__client_at(hub, i - 1);
        if (client->slot.link != WSHUB__LIVE || client->prev != prev || client->index != i - 1)
            return "the list of clients";
        why = wshub__check_client(hub, realm, client);
        if (why) return why;
        census->own_rooms += client->own_room ? 1u : 0u;
        census->authenticated += wshub__client_reached(client) == WSHUB_CLIENT_AUTHENTICATED;
        memberships += client->rooms_count;
        sessions += client->user ? 1u : 0u;
    }
    if (prev != realm->newest) return "the newest client";

    why = wshub__check_groups(hub, realm, &realm->rooms, &members);
    if (why) return why;
    if (members != memberships) return "the number of memberships";
    why = wshub__check_groups(hub, realm, &realm->users, &members);
    if (why) return why;
    if (members != sessions) return "the number of sessions";
    if (realm->index.count != clients + realm->rooms.count + realm->users.count)
        return "the number of names";

    census->clients += clients;
    census->rooms += realm->rooms.count;
    census->users += realm->users.count;
    return NULL;
}

WSHUB__COLD static const char *wshub__check_realms(const wshub *hub, wshub__census *census) {
    const wshub__realm *realm = NULL;

    while ((realm = wshub__realm_next(hub, realm)) != NULL) {
        const char *why = wshub__check_realm(hub, realm, census);
        if (why) return why;
    }
    if (census->clients != hub->clients.live) return "the number of clients";
    if (census->authenticated != hub->stats.authenticated)
        return "the number of authenticated clients";
    if (census->own_rooms != hub->own_rooms) return "the number of own-id rooms";
    if (census->rooms != hub->rooms_live) return "the number of rooms";
    if (census->users != hub->users_live) return "the number of users";
    return NULL;
}

WSHUB__COLD static const char *wshub__check_channels(const wshub *hub) {
    const wshub__chan *chan;
    uint64_t lingering = 0;
    for (chan = hub->subs_out.head; chan; chan = chan->next) lingering++;
    if (lingering != hub->stats.bus_lingering) return "the channels that linger";
    if (hub->channels.count != hub->subs_count) return "the number of channels";
    return NULL;
}

/* What a queue owes, by its spans. *out_spans counts them. */
WSHUB__COLD static uint64_t wshub__check_queue(const wshub__conn *conn, uint32_t *out_spans) {
    uint64_t sum = conn->first.len;
    uint32_t k;

    *out_spans += conn->first.len ? 1u : 0u;
    for (k = conn->more ? conn->more->head : 0; conn->more && k < conn->more->count; k++) {
        sum += wshub__queue_spans(conn->more)[k].len;
        ++*out_spans;
    }
    return sum;
}

/* A conn's deadline lies in the heap; who has none has nothing to wait for. */
WSHUB__COLD static bool wshub__check_deadline(const wshub *hub, const wshub__conn *conn) {
    if (conn->deadline == WSHUB__NONE) return wshub__conn_next(hub, conn) == 0;
    return conn->deadline < hub->deadlines.count &&
           hub->deadlines.items[conn->deadline].owner == wshub__conn_index(conn);
}

WSHUB__COLD static const char *wshub__check_conns(const wshub *hub, wshub__census *census) {
    const wshub__conn *conn;
    uint32_t at = 0;

    while ((conn = wshub__conn_next_open(hub, &at)) != NULL) {
        census->conns++;
        if (wshub__check_queue(conn, &census->spans) != conn->queued) return "a queue's bytes";
        census->queued += conn->queued;
        if (!wshub__check_deadline(hub, conn)) return "a conn's deadline";
        if (conn->exchange) {
            const wshub__exchange *exchange = wshub__exchange_at(hub, conn->exchange - 1);
            if (exchange->slot.link != WSHUB__LIVE || exchange->parted ||
                exchange->conn.id != conn->id || !exchange->state)
                return "what a conn serves";
        }
    }

    if (census->conns != hub->conns_live) return "the number of conns";
    if (census->queued != hub->stats.queued_bytes) return "the bytes queued";
    return NULL;
}

/* The log's segments; behind wshub__check_conns(), as queues hold them. */
WSHUB__COLD static const char *wshub__check_log(const wshub *hub, const wshub__census *census) {
    uint64_t held = 0, cap = 0, lagging = 0;
    uint32_t refs = 0, logs = 1, kind;
    const wshub__seg *seg;

    for (seg = hub->segs; seg; seg = seg->next) {
        refs += seg->refs;
        held += seg->held;
        cap += seg->cap;
        lagging += seg->lags ? seg->cap : 0;
        if (seg->used > seg->cap) return "a segment's bytes";
        if (seg->is_log && seg->cap != WSHUB__SEG_BYTES) return "the log's size";
    }
    for (kind = 0; kind < hub->kinds_count; kind++) logs += hub->kinds[kind].log != NULL;
    if (refs != census->spans + logs || held != census->queued || cap != hub->stats.segment_bytes ||
        lagging != hub->stats.lagging_bytes)
        return "the segments";
    return NULL;
}

WSHUB_API const char *wshub_self_check(const wshub *hub) {
    wshub__census census;
    const char *why;

    memset(&census, 0, sizeof census);
    wshub__look(hub);
    why = wshub__check_realms(hub, &census);
    if (!why) why = wshub__check_channels(hub);
    if (!why) why = wshub__check_conns(hub, &census);
    if (!why) why = wshub__check_log(hub, &census);
    if (!why && !wshub__deadlines_agree(&hub->deadlines)) why = "the order of deadlines";
    if (!why && !wshub__deadlines_agree(&hub->timer_deadlines)) why = "the order of timers";
    return why;
}
#endif /* WSHUB_SELF_CHECK */

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IMPLEMENTATION */

/* ---- >>licence -------------------------------------------------------------------------------
 * wshub is available under either of two licences; choose the one you like.
 *
 * ALTERNATIVE A: MIT License
 * Copyright (c) 2026 the wshub authors
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
 * associated documentation files (the "Software"), to deal in the Software without restriction,
 * including without limitation the rights to use, copy, modify, merge, publish, distribute,
 * sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions: The above copyright notice and this
 * permission notice shall be included in all copies or substantial portions of the Software. THE
 * SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
 * LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
 * DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 *
 * ALTERNATIVE B: Public Domain (www.unlicense.org)
 * This is free and unencumbered software released into the public domain. Anyone is free to copy,
 * modify, publish, use, compile, sell, or distribute this software, either in source code form or
 * as a compiled binary, for any purpose, commercial or non-commercial, and by any means. In
 * jurisdictions that recognize copyright laws, the author or authors of this software dedicate any
 * and all copyright interest in the software to the public domain. THE SOFTWARE IS PROVIDED "AS
 * IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED.
 */
