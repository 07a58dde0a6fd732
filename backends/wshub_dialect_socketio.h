/* wshub_dialect_socketio.h - Socket.IO v5: a server for unmodified socket.io clients, on a hub
 *
 * [x] namespaces, fixed or made as they are asked for; middlewares that answer now or later
 * [x] events with any number of arguments, bytes in them at any depth, acknowledgements both ways
 * [x] rooms, several at once without doubles, exceptions, volatile events
 * [x] reasons of ends, the packet hook, limits on all that a peer can make grow
 * [x] a flow: clients that authenticate after they have connected, are pinged by the application,
 *     and ask for rooms, by the callbacks that JSON clients have
 * [x] one application for two dialects: rooms, users and sends shared with JSON clients
 * [x] connection state recovery: who has lost a connection comes back as who it was
 * [x] several servers, Node's among them, over Redis: what one emits, sockets of all hear; and an
 *     emitter, for programs that serve nobody
 * [x] what servers ask of each other: fetchSockets(), socketsJoin() and its like, serverSideEmit(),
 *     acknowledgements of all sockets, in any mixture with Node's servers and emitters
 * [x] subscriptions to the rooms that are here alone; the sharded adapter of Redis 7, in its modes
 * [x] compression, of WebSockets by the hub and of polls
 *
 * System   the C standard library.
 * Include  behind wshub.h; it includes wshub_dialect_engineio.h, which lies beside it. The code is
 *          emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_DIALECT_SOCKETIO_IMPLEMENTATION for a file of its own.
 * Threads  a server belongs to its hub's thread.
 *
 * ---- A server, and the same one on Node --------------------------------------------------------
 * Nobody comes in without a name; what somebody says all hear who are in the room `news`, and an
 * acknowledgement says that it has been passed on. On Node that is
 *
 *     const { Server } = require("socket.io");
 *     const io = new Server(8080, { cors: { origin: "http://localhost:3000" } });
 *     io.use((socket, next) => {
 *       socket.data = socket.handshake.auth.name;
 *       next(typeof socket.data === "string" ? undefined : new Error("who are you?"));
 *     });
 *     io.on("connection", (socket) => {
 *       socket.join("news");
 *       socket.broadcast.emit("joined", socket.data);
 *       socket.on("say", (text, done) => {
 *         io.to("news").emit("said", socket.data, text);
 *         if (done) done();
 *       });
 *       socket.on("disconnecting", () => socket.broadcast.emit("left", socket.data));
 *     });
 *
 * and here, where what a socket is called is kept as its metadata, and arguments are JSON:
 *
 *     static void tell(wshub_sio *sio, const wshub_dest *to, const char *event,
 *                      const wshub_str *args, size_t count) {
 *         wshub_packet packet = {.event = wshub_str_z(event), .args = args, .args_count = count};
 *         wshub_sio_emit(sio, wshub_sio_of(sio, "/"), to, &packet);
 *     }
 *     static void tell_others(wshub_sio *sio, wshub_client client, const char *event) {
 *         wshub_str self = wshub_client_id(wshub_sio_hub(sio), client);
 *         wshub_str name = wshub_client_metadata(wshub_sio_hub(sio), client);
 *         wshub_dest others = {.kind = WSHUB_DEST_ALL, .exclude = &self, .exclude_count = 1};
 *         tell(sio, &others, event, &name, 1);
 *     }
 *     static void on_connect(wshub_sio *sio, wshub_sio_ask_id ask,
 *                            const wshub_sio_handshake *handshake, void *user) {
 *         wshub_identity who = {.metadata = wshub_json_get(handshake->auth, "name")};
 *         wshub_str no_data = {NULL, 0};
 *         (void)user;
 *         if (wshub_json_type(who.metadata) == WSHUB_JSON_STRING)
 *             wshub_sio_accept(sio, ask, &who); // now, or at any time later
 *         else
 *             wshub_sio_refuse(sio, ask, "who are you?", no_data);
 *     }
 *     static void on_connected(wshub_sio *sio, wshub_client client, void *user) {
 *         (void)user;
 *         wshub_client_join(wshub_sio_hub(sio), client, wshub_str_z("news"));
 *         tell_others(sio, client, "joined");
 *     }
 *     static void on_event(wshub_sio *sio, wshub_client client, const wshub_sio_event *e,
 *                          void *user) {
 *         wshub_dest news = {.kind = WSHUB_DEST_ROOM, .name = wshub_str_z("news")};
 *         wshub_str args[2];
 *         (void)user;
 *         if (!wshub_str_eq_z(e->name, "say") || e->args_count == 0) return;
 *         args[0] = wshub_client_metadata(wshub_sio_hub(sio), client);
 *         args[1] = e->args[0];
 *         tell(sio, &news, "said", args, 2);
 *         wshub_sio_answer(sio, e->ack, NULL); // if one is wanted
 *     }
 *     static void on_disconnecting(wshub_sio *sio, wshub_client client, const char *reason,
 *                                  void *user) {
 *         (void)reason, (void)user;
 *         tell_others(sio, client, "left");
 *     }
 *     int main(void) {
 *         static const char *const origins[] = {"http://localhost:3000"};
 *         wshub_eio_cors cors = {.origins = origins, .origins_count = 1};
 *         wshub_sio_desc server = {.engine = {.cors = &cors}}; // on /socket.io/
 *         wshub_sio_namespace_desc everybody = {.on_connect = on_connect,
 *                                               .on_connected = on_connected,
 *                                               .on_event = on_event,
 *                                               .on_disconnecting = on_disconnecting};
 *         wshub_desc desc = {.no_dialect = true, // without JSON clients beside these
 *                            .allowed_origins = origins,
 *                            .allowed_origins_count = 1};
 *         wshub_io_sock *net;
 *         wshub_sio *sio;
 *         wshub *hub;
 *         if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
 *         desc.io = wshub_io_sock_io(net);
 *         if (wshub_create(&desc, &hub) || wshub_sio_create(hub, &server, &sio)) return 1;
 *         if (wshub_sio_namespace_add(sio, &everybody, NULL)) return 1; // "/"
 *         if (wshub_io_sock_listen(net, "127.0.0.1", 8080, NULL))
 *             return puts(wshub_io_sock_error(net)), 1;
 *         wshub_io_sock_serve(net, hub); // until SIGTERM or SIGINT
 *         wshub_destroy(hub);
 *         wshub_sio_destroy(sio); // behind its hub
 *         wshub_io_sock_destroy(net);
 *         return 0;
 *     }
 *
 * examples/socketio_chat.c is a larger one, with a page.
 *
 * ---- What is where -----------------------------------------------------------------------------
 *     Node                                   here
 *     io.of("/chat")                         wshub_sio_namespace_add(), .name = "/chat"
 *     io.of(/^\/room-\d+$/), io.of(f)        the same, with .matches
 *     nsp.use((socket, next) => ...)         .on_connect; wshub_sio_accept(), wshub_sio_refuse()
 *     nsp.on("connection", ...)              .on_connected
 *     socket.on("news", (a, b) => ...)       .on_event: e->name, e->args[0], e->args[1]
 *     socket.onAny((name, ...args) => ...)   .on_event, which is told of all
 *     socket.use(([name, ...args], next))    .on_packet
 *     socket.on(..., (a, done) => done(1))   wshub_sio_answer(sio, e->ack, &packet), now or later
 *     socket.on("disconnecting", ...)        .on_disconnecting, in its rooms still
 *     socket.on("disconnect", ...)           .on_disconnected
 *     socket.emit("news", 1, buffer)         wshub_sio_send(), wshub_sio_put_bytes()
 *     socket.emitWithAck("q")                wshub_sio_ask()
 *     socket.timeout(9).emit("q", f)         wshub_sio_ask(), timeout_ms 9
 *     socket.volatile.emit("at", x, y)       packet.flags = WSHUB_PACKET_VOLATILE
 *     socket.broadcast.emit("news")          wshub_sio_emit(), dest.exclude is its own id
 *     nsp.emit("news")                       wshub_sio_emit(), dest NULL
 *     nsp.to("a").to("b").except("c")        dest.rooms, dest.except_rooms: each hears it once
 *     nsp.local.emit("news")                 wshub_sio_emit_here()
 *     nsp.timeout(9).emit("q", f)            wshub_sio_ask_all(), of this server alone
 *                                            wshub_sio_ask_all_here()
 *     socket.join("a"), socket.leave("a")    wshub_client_join(), wshub_client_leave()
 *     socket.rooms                           wshub_client_each_room()
 *     nsp.in("a").fetchSockets()             wshub_sio_fetch(), here alone wshub_sio_select()
 *     nsp.in("a").socketsJoin("b")           wshub_sio_join_all(), wshub_sio_leave_all(),
 *                                            wshub_sio_disconnect_all(); a socket that was found is
 *                                            a destination, by its id (WSHUB_DEST_CLIENT)
 *     nsp.serverSideEmit("e", 1, f)          wshub_sio_server_emit(), wshub_sio_server_ask()
 *     nsp.on("e", (arg, done) => ...)        .on_server_event, wshub_sio_server_answer()
 *     adapter.allRooms(), serverCount()      wshub_sio_all_rooms(), wshub_sio_servers()
 *     socket.disconnect(close)               wshub_sio_disconnect()
 *     io.close()                             wshub_sio_shutdown()
 *     socket.id, socket.data                 wshub_client_id(); wshub_client_set_user_ptr(), or
 *                                            wshub_client_set_metadata()
 *     socket.handshake, socket.request       wshub_sio_handshake_of(), .http in it
 *     socket.recovered                       wshub_sio_recovered(), wshub_sio_handshake.recovered
 *     socket.conn.transport.name             wshub_eio_transport_of(wshub_sio_engine(), ...) of
 *                                            wshub_sio_session_of()
 *     io.engine.on("connection_error")       engine.on_refused
 *     io.engine.clientsCount                 wshub_eio_stats_get()
 *
 * A socket is a client of the hub (wshub_client): what takes one takes it, its rooms are rooms of
 * its namespace's realm, and limits and statistics are the hub's. What takes a name and no realm,
 * wshub_room_send(), wshub_user_send(), wshub_all_send() and their relatives, means the realm of
 * JSON clients, in which no socket is: to a room that sockets have joined speaks wshub_sio_emit(),
 * or wshub_send_here() with wshub_dest.realm of wshub_sio_namespace_realm(). On a hub that has
 * no_dialect and no bus the log warns of such a send (SEND_NOWHERE).
 *
 * Arguments are JSON as it came, views until the callback returns: wshub_json_get(),
 * wshub_json_copy() and their relatives read it, and a wshub_json_writer writes what is sent. Where
 * a client has put bytes (a Buffer, an ArrayBuffer) stands an object for which wshub_sio_bytes()
 * gives them.
 *
 * Why a socket has gone, as on_disconnected is told in the words of Node's server:
 *
 *     client namespace disconnect    it has called disconnect()
 *     server namespace disconnect    wshub_sio_disconnect(): it does not come back by itself
 *     transport close                its connection has ended
 *     transport error                a breach of HTTP, RFC 6455 or Engine.IO, or too much waited
 *     ping timeout                   silence
 *     parse error                    what came was no packet of Engine.IO
 *     forced close                   what came was no packet of Socket.IO, or in the wrong place
 *     forced server close            the same, while it polled and no poll was held
 *     server shutting down           wshub_sio_shutdown(), or the end of the hub
 *
 * ---- A flow: clients that authenticate afterwards ----------------------------------------------
 * A namespace with a flow (wshub_sio_namespace_desc.flow) speaks with its clients as that of the
 * helper of Ignis does, which stands on top of Node's server (ignis-helpers of npm), and asks the
 * callbacks of the hub that JSON clients have, so that an application is written once for both:
 *
 *     client                                server
 *     CONNECT, with a payload          -->       on_connect, if there is one
 *                                      <--  CONNECT; the socket is in the room of its own id
 *     authenticate                     -->       on_opened has been told; on_authenticate is asked,
 *                                                about that payload: {"token":"..."}
 *                                      <--  ping {"time":"..."}, now and every ping_interval_ms
 *                                      <--  authenticated {"id":"...","time":"..."}
 *                                                default rooms; on_connected
 *     join {"rooms":["a","b"]}         -->       on_join is asked which it may
 *     any other event                  -->       on_event of the namespace, or on_message
 *     leave {"rooms":["b"]}            -->
 *                                      <--  unauthenticated {"message":"...","time":"..."}, if
 *                                           on_authenticate says no, then DISCONNECT
 *
 * With two callbacks of wshub_desc, which serve JSON clients as well:
 *
 *     static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
 *         wshub_identity who = {.user_id = wshub_str_z("ada")};
 *         (void)user;
 *         if (wshub_json_is(wshub_json_get(auth->data, "token"), "let-me-in"))
 *             wshub_auth_accept(hub, ask, &who);
 *         else
 *             wshub_ask_reject(hub, ask);
 *     }
 *     static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
 *         (void)user;
 *         wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
 *     }
 *     static wshub_err add_flow(wshub_sio *sio) {
 *         wshub_sio_flow flow = {.auth_timeout_ms = 5000};
 *         wshub_sio_namespace_desc desc = {.flow = &flow}; // events come to on_message
 *         return wshub_sio_namespace_add(sio, &desc, NULL);
 *     }
 *     static const wshub_desc desc = {.on_authenticate = on_authenticate, .on_join = on_join};
 *
 * Who is not accepted within auth_timeout_ms is disconnected. The flow's own events are never
 * acknowledged, and where they are not to be (a second `authenticate`, a `join` before acceptance,
 * rooms that are no array of strings) they are ignored. wshub_join.realm and wshub_auth.realm tell
 * a callback for which namespace it is asked (wshub_sio_namespace_realm()), and
 * wshub_sio_handshake_of() what else that helper shows of who asks.
 *
 * Where the hub requires encryption, on_handshake is asked about the same payload, and what it
 * answers stands in `authenticated`: serverPublicKey, salt. What is sent passes on_transform_out,
 * and what comes on_transform_in if it is for on_message; a namespace's own on_event gets it as it
 * came.
 *
 *     the helper's option     default              here
 *     authenticateTimeout     10000                auth_timeout_ms
 *     pingInterval            30000                ping_interval_ms
 *     defaultRooms            io-default,          default_rooms, no_default_rooms
 *                             io-notification
 *     authenticateFn          required             on_authenticate of the hub
 *     validateRoomFn          none: no rooms       on_join of the hub
 *     clientConnectedFn       none                 on_connected of the namespace, or of the hub
 *     send(), shutdown()                           wshub_sio_flow_send(), wshub_sio_shutdown()
 *
 * Where the flow departs from that helper, on purpose:
 * - `unauthenticated` arrives, and then the client is disconnected. There it never does.
 * - `ping` and `authenticated` come in this order, at once. There the second makes a way through
 *   Redis, and may come later than what is said to the room meanwhile.
 * - Rooms that are no array of strings are ignored. There a single such message of somebody who is
 *   authenticated ends the process.
 * - A transport whose last socket has been told to go is closed, unless `linger` is set. There it
 *   stays, with whoever does not go by himself.
 * - Events of somebody who is not accepted are dropped, unless `open` is set. There the application
 *   gets them.
 * - A shutdown tells clients to go, as there, so that they do not come back; with `come_back` it
 *   closes their transports, so that they do, elsewhere.
 *
 * ---- One application, two dialects -------------------------------------------------------------
 * Clients of the JSON dialect are in the hub's first realm. A namespace is in a realm of its own,
 * unless it is given one (wshub_sio_namespace_desc.realm): given the first, both have the same
 * rooms and users, and whoever sends to one of these need not know which client speaks what:
 *
 *     static wshub_err add_shared(wshub_sio *sio, const wshub_sio_flow *flow) {
 *         wshub_realm first = {0}; // in which JSON clients are
 *         wshub_sio_namespace_desc desc = {.realm = &first, .flow = flow};
 *         return wshub_sio_namespace_add(sio, &desc, NULL); // events come to on_message
 *     }
 *
 * JSON clients have authenticated before they are in a room. So that nobody gets in beside them, a
 * namespace in a realm that is given has an on_connect that asks, or a flow, which asks
 * on_authenticate as they do.
 *
 * What is the same event on either wire, by the rule SEND-8 of wshub.h:
 *
 *     a JSON client                           a Socket.IO client
 *     {"event":"at","data":5}                 "at", 5
 *     {"event":"at","data":[5,6]}        <--  "at", 5, 6
 *     {"event":"at","data":[5,6]}        -->  "at", [5, 6]: one argument is one
 *     {"event":"at"}                          "at"
 *     {"event":"at","data":"R0hJ"}       <--  "at", bytes: base64, where they are in the arguments
 *     "id":7 of a message, of its answer      an acknowledgement that is asked for, and comes
 *     binary messages                         "message", bytes (wshub_client_send_binary())
 *
 * So what a JSON client has said to on_message, and the application sends on to a room, is an event
 * with one argument; what is sent by wshub_sio_emit() and by wshub_packet_send_here() may have
 * several. Without an on_event of the namespace, events come to on_message by the same rule, and
 * wshub_client_reply() answers whoever has asked. An event with a name that Socket.IO has for
 * itself ("connect", "disconnect", ...) does not reach its clients (the hub's statistic unsayable),
 * one that asks for an acknowledgement is to a JSON client the event alone, and encrypted clients
 * of either dialect hear events with one argument at most.
 *
 * The hub's callbacks hear of all clients of the realm, wshub_client_each_in() and its relatives
 * find them, ids to be left out are ids of either; what takes a namespace or a wshub_sio, such as
 * wshub_sio_select(), knows sockets of this server. On acceptance all join the default rooms of the
 * realm; a flow has no others then.
 *
 * A realm has one dialect that speaks on the bus, so that no other instance hears anything twice:
 * of the first that is the JSON dialect, of another the one that it names
 * (wshub_realm_desc.dialect). A namespace that is given a realm claims none. So what is emitted in
 * the first realm reaches all instances, and sockets there, if it has one argument and names one
 * room at most: for more an envelope has no words, and where there is a bus it is refused (PARAM;
 * wshub_packet_send_here() sends it on this hub). examples/both.c is such an application.
 *
 * ---- Recovery ----------------------------------------------------------------------------------
 * With recovery_ms a socket that has lost its connection may come back as the socket that it was:
 * with its id, its rooms, its user and its metadata, and it hears what was sent meanwhile and was
 * meant for it. Its client does that by itself; the application sees on_disconnected and then
 * on_connected, where wshub_sio_recovered() is true: what it does for a new socket (rooms, a first
 * state) need not be done again. The pointer of wshub_client_set_user_ptr() is not restored, as it
 * may point to what on_disconnected has freed.
 *
 *     client                                server
 *     CONNECT                          -->
 *                                      <--  CONNECT {"sid":"...","pid":"..."}
 *                                      <--  ["news",1,"OFFSET"]: each event has one more argument
 *                                                ... the connection is lost ...
 *     CONNECT {"pid","offset",...}     -->       on_connect, with handshake->recovered
 *                                      <--  ["news",2,"OFFSET"]: what it has missed, in order
 *                                      <--  CONNECT, with the same sid and pid
 *
 * - Recoverable is what wshub_sio_send(), wshub_sio_emit() send. Volatile events, those that ask
 *   for an acknowledgement, and acknowledgements have no offset and are not repeated; nor has
 *   what the hub's own functions send (wshub_client_send(), wshub_packet_send()).
 * - A client takes the last argument of whatever event it hears for its offset, if that is a text.
 *   A volatile event that ends in a text, or one that was sent by the hub's functions, spoils it,
 *   and that client comes in as a new socket: send an object there.
 * - One may come back from `transport close`, `transport error`, `forced close`, `forced server
 *   close`, `ping timeout` and `server shutting down`. Who was told to go, has gone by itself, or
 *   has broken Engine.IO (`parse error`), is new. All sockets of a session that ends may come
 *   back, each by itself.
 * - recovery_ms counts from the moment in which the server has noticed. Events are kept as much
 *   longer as it takes to notice that a connection is dead (once the ping's interval and three
 *   times its timeout), so that this time is no trap.
 * - Without a gap, or not at all: if what one has missed is not all there any more
 *   (recovery_packets_max, recovery_bytes_max), or is more than half of engine.session_bytes_max,
 *   it comes in as a new socket. What goes with its age leaves no gap: whoever may still come back
 *   has heard it. So a quiet client is recovered, however much others have heard.
 * - A client that names no offset has heard no event yet, and is recovered from its CONNECT on.
 * - For whom an event was is judged by the rooms in which the socket was when it went.
 * - on_connect is asked before anything is said, and has to name the same user_id: another one, or
 *   a user where there was none, is a new socket. Its metadata replaces what was there, unless its
 *   ptr is NULL. With recovery_skip_connect it is not asked about who comes back.
 * - A pid is spent by its first use: who shows it again is new, as long as that socket is there.
 * - In a realm that is shared with JSON clients these hear no offset, and have no recovery.
 * - In a namespace with a flow nobody is recovered, as who comes back has to authenticate first.
 *   What a rule has made stays as long as somebody may come back to it, unless namespaces_max is
 *   reached. All of it is in this process's memory.
 *
 * ---- Several servers ---------------------------------------------------------------------------
 * With wshub_sio_desc.bus a server is one of several: what is emitted in a namespace is heard by
 * its sockets on all of them, those of Node's servers with @socket.io/redis-adapter (8.3)
 * included. The hub's bus brings it (wshub_desc.bus): wshub_bus_redis.h from process to process,
 * wshub_bus_local.h from loop to loop of one.
 *
 *     static wshub_err serve_with_others(wshub *hub, wshub_sio **out_sio) {
 *         wshub_sio_desc server = {.bus = true}; // the hub has a wshub_desc.bus
 *         return wshub_sio_create(hub, &server, out_sio);
 *     }
 *
 * A program that serves nobody emits as Node's @socket.io/redis-emitter (5.1) does:
 *
 *     static wshub_err tell_all(wshub_emitter *emitter, wshub_str text) {
 *         wshub_packet news = {.event = wshub_str_z("news"), .args = &text, .args_count = 1};
 *         return wshub_sio_emitter_send(emitter, NULL, "/", NULL, &news);
 *     }
 *
 * What goes to all: wshub_sio_emit() and wshub_sio_flow_send(), and wshub_packet_send() in the
 * realm of a namespace, to all, to rooms and to sockets by their ids, with exceptions and flags.
 * What does not: wshub_sio_emit_here(), wshub_sio_send() to a socket of this server, and what goes
 * to a user. A namespace that was given its realm has that realm's bus (see above). A namespace
 * with `#`, `*`, `?`, `[`, `]` or a backslash in its name stays on this server.
 *
 * Servers ask each other, too. Who is in `news`, wherever that is, and what each server says:
 *
 *     static void on_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
 *         wshub_str room = wshub_str_z("vip");
 *         wshub_dest who = {.kind = WSHUB_DEST_CLIENT};
 *         size_t i;
 *         (void)user;
 *         if (found->error) puts(found->error); // of those that have answered it is known
 *         for (i = 0; i < found->sockets_count; i++) {
 *             if (!wshub_json_get(found->sockets[i].data, "vip").ptr) continue;
 *             who.name = found->sockets[i].id;
 *             wshub_sio_join_all(sio, wshub_sio_of(sio, "/"), &who, &room, 1);
 *         }
 *     }
 *     static wshub_err find(wshub_sio *sio) {
 *         wshub_dest news = {.kind = WSHUB_DEST_ROOM, .name = wshub_str_z("news")};
 *         return wshub_sio_fetch(sio, wshub_sio_of(sio, "/"), &news, on_found, NULL);
 *     }
 *     static void on_server_event(wshub_sio *sio, const wshub_sio_server_event *event,
 *                                 void *user) {
 *         (void)user; // a callback of wshub_sio_namespace_desc
 *         if (wshub_str_eq_z(event->name, "load?"))
 *             wshub_sio_server_answer(sio, event->reply, wshub_str_z("0.5"));
 *     }
 *
 * - The broker is asked how many listen to the requests of a namespace (PUBSUB NUMSUB; all nodes of
 *   a Redis Cluster, for which wshub_bus_redis.h needs `cluster`), and so many are waited for,
 *   requests_timeout_ms at most. Then what has come is told, with the error. Where it cannot be
 *   asked, as the bus is down, nobody is waited for, and the error says that.
 * - What sockets are told to do on all servers they do here at once, and there in the order of what
 *   is published: who joins a room hears what is sent there next. Node's server does it only when
 *   its own request has come back to it.
 * - Of what other servers ask all is answered, in one turn; events of servers when the application
 *   answers, `null` where nobody listens. So no server waits in vain for this one.
 * - wshub_sio_remote.handshake has headers, url and query only with keep_http.
 * - Node's servers end themselves over an event of a server called `error` that nobody listens to:
 *   it is refused (PARAM), as are the names that they have for themselves.
 * - bus_key, and not channel_prefix of wshub_bus_redis.h, tells clusters on one Redis apart: the
 *   broker counts by full names. All other nodes of a Redis Cluster have their own counts: there
 *   the servers of one namespace have to subscribe at one node, or are not waited for.
 *
 * Where there are many servers and each holds few rooms, most of what a server's pattern brings is
 * for nobody there. With wshub_sio_desc.bus_mode WSHUB_SIO_BUS_PRECISE it subscribes to the channel
 * of each namespace and to those of the rooms that somebody here is in, by their names. That is a
 * matter between a server and Redis: Node's servers and emitters publish what goes to one room on
 * the channel of that room, and all else on that of the namespace, and hear what is emitted here as
 * before, so servers of both kinds can be mixed. Each socket is in the room of its id, so a socket
 * is a subscription (some 210 bytes in Redis); those of a turn go out in commands of 500. A room
 * hears other servers once Redis has confirmed that, a moment after its first has joined. The ACL
 * then needs &socket.io#/#* (or the rooms that may be joined) and +subscribe +unsubscribe.
 *
 * The sharded adapter of Node's package, createShardedAdapter(), is another language on other
 * channels, those of Redis 7 that concern one shard of a Cluster: WSHUB_SIO_BUS_SHARDED is its
 * subscriptionMode "dynamic", in which a room has a channel while somebody is in it, _STATIC
 * "static", in which all goes by the channel of the namespace, and _PRIVATE "dynamic-private", in
 * which the rooms of ids have channels, too. All servers have the same mode; those with the other
 * adapter, and its emitter, neither hear these nor are heard. The hub's bus must have sharded
 * channels, as wshub_bus_redis.h has (in a Cluster with its desc.cluster); else the server is
 * refused (PARAM). All that servers ask each other is asked and answered there too, but for
 * wshub_sio_all_rooms(): that adapter has no such request, and other servers' rooms stay unknown
 * ("other servers cannot be counted"). In dynamic mode a name of 20 characters, as ids have, has no
 * channel, and goes by the namespace's.
 * Its ACL: &socket.io#/#* and +ssubscribe +sunsubscribe +spublish +pubsub|shardnumsub.
 *
 * What comes is data of whoever may publish there. What is no broadcast, is for another namespace
 * than its channel's, or would cost clients their connections (types other than EVENT, reserved
 * names, more attachments than they take, objects that stand for bytes that are not there), is
 * dropped, counted (bus_dropped, by its reason bus_drops, and in the hub's bus_bad) and logged
 * (BUS_BAD, one line in a second). There servers
 * end themselves over what is no msgpack, and pass the rest on to clients that drop their
 * connections. Of what is sent nothing is such: more than 10 attachments, an attachment that
 * stands in several places counted for each, are an error of whoever emits (PARAM), and stay
 * here.
 *
 * Dates of Node's arrive as their texts; bytes as bytes. Whole numbers beyond 64 bits arrive as
 * what they are, which those spoil. An ACL of Redis has to allow a pattern in the very words in
 * which it is subscribed to, so for the key `socket.io` and the namespaces `/` and `/chat` it
 * needs what wshub_bus_redis.h needs itself, and
 *     &socket.io#/#* &socket.io#/chat#* &socket.io-request#* &socket.io-response#*
 *     +publish +subscribe +unsubscribe +psubscribe +punsubscribe +pubsub|numsub
 *
 * ---- Options, beside those of Node's server ----------------------------------------------------
 *     Node's option                  default         here
 *     path                           "/socket.io"    engine.path
 *     serveClient                    true            engine.on_file: the script is not here, you
 *                                                    read it from where npm has put it
 *     connectTimeout                 45000           connect_timeout_ms
 *     maxAttachments (of the parser) 10              attachments_max, both ways
 *     cleanupEmptyChildNamespaces    false           always: what a rule has made goes with its
 *                                                    last socket
 *     connectionStateRecovery        off             recovery_ms, there maxDisconnectionDuration
 *       skipMiddlewares              true            recovery_skip_connect: they are asked, unless
 *                                                    it is set
 *     adapter, its key               in memory       bus, bus_key: the adapter for Redis, on the
 *                                                    bus of the hub
 *       requestsTimeout              5000            requests_timeout_ms
 *       publishOnSpecificResponseChannel    false    specific_responses
 *     subscriptionMode               "dynamic"       bus_mode, of the sharded adapter
 *     parser                         JSON            that one
 *     cors, cookie, pingInterval, pingTimeout, upgradeTimeout, maxHttpBufferSize, transports,
 *     allowUpgrades, allowRequest    engine: see wshub_dialect_engineio.h
 *     perMessageDeflate              off             wshub_desc.deflate, for all WebSockets of the
 *                                                    hub; packets as their `compress` says
 *     httpCompression                from 1024 bytes engine.deflate, whatever `compress` says
 *
 * ---- Limits ------------------------------------------------------------------------------------
 * What a peer can make grow, the field that bounds it with its default, and what happens beyond.
 * `limits`, `bad_packets` and `refused` are figures of wshub_sio_stats.
 *
 *     sessions of one address that   engine.sessions_per_address_max  refused with 503; crowded, of
 *     are in no namespace yet        1000                             wshub_eio_stats
 *     time to the first namespace    connect_timeout_ms 45000         the session is closed; limits
 *     attachments of a packet        attachments_max 10               so it is; bad_packets. One of
 *                                                                     ours is not sent; refused
 *     time until they have come      attachments_timeout_ms 30000     closed; limits
 *     a packet with all of them      packet_bytes_max 10000000        closed; limits
 *     one message                    engine.message_bytes_max 1000000     a post: 413; a WebSocket:
 *                                                                     1009
 *     namespaces that rules make     namespaces_max 1000              "Invalid namespace"; limits
 *     namespaces of a session        sockets_per_session_max 100      "Too many namespaces"; limits
 *     events that we have yet to     acks_per_socket_max 1000         the oldest is forgotten, and
 *     acknowledge                                                     cannot be answered; limits
 *     events that it has yet to      acks_per_socket_max 1000         WSHUB_ERR_LIMIT to whoever
 *     acknowledge                                                     asks; limits
 *     answers of many, and of servers    answers_bytes_max 16777216   the others are dropped, which
 *                                                                     is told; limits
 *     requests that wait for other   requests_max 1000                WSHUB_ERR_LIMIT to whoever
 *     servers                                                         asks; limits
 *     events of servers that wait    requests_max 1000                the oldest is forgotten, and
 *     for the application                                             cannot be answered; limits
 *     sockets that may come back     recovery_sessions_max 10000      the oldest is forgotten;
 *       and all that they take       recovery_bytes_max 4194304       recovery_dropped
 *     events of a namespace that     recovery_packets_max 10000       the oldest are dropped, and
 *       they may have missed         recovery_bytes_max 4194304       who has missed one is new;
 *                                                                     recovery_dropped
 *     what waits for a session       engine.session_bytes_max 8388608     closed; overflown, of
 *                                                                     wshub_eio_stats
 *     sockets in all, rooms of one   clients_max, rooms_per_client_max    the hub's (>>limits)
 *     an id of an event, a namespace's name, levels of JSON    16 digits, 256 bytes, 256
 *
 * ---- Where it departs from Node's server, on purpose -------------------------------------------
 * In what it takes from clients:
 * - Types, numbers of attachments and ids are decimal digits. There ` `, `+1`, `0x1` and `1e0` are
 *   numbers, and ids beyond 2^53 come back as others.
 * - Packets that arrive together mean what they mean one by one. There an event behind a DISCONNECT
 *   is dropped, and a CONNECT behind it costs the transport.
 * - A second CONNECT for a namespace, while the first is not answered yet, is none. There it makes
 *   a second socket, which nobody can tell from the first.
 * - A packet is bounded with all of its attachments, in bytes and in time. There each message is.
 *
 * In what it sends:
 * - An event with a reserved name ("connect", "disconnect", ...), or with more attachments than
 *   clients take, is an error of whoever sends it. There it is sent, and the clients drop their
 *   connections.
 * - Who is refused when it comes back has heard nothing of what it missed, and of two connections
 *   with one pid one is recovered (see above). There the first hears it, and both have one id.
 * - To ask many, a time is needed, and when it is over, what has come is told with the error. There
 *   it fails at once without a time.
 *
 * In what it does:
 * - An end is told when the turn is over (BYE-1), behind what else came in it; of the sockets that
 *   end with their WebSocket the newest is told of first. There each is told at once, the oldest
 *   first.
 * - A namespace that a rule has made goes with its last socket.
 * - A middleware is asked once for a CONNECT: on_connect is all of them. An answer that comes when
 *   its client is gone does nothing, and joins nothing.
 * - What on_packet says no to is dropped, and nobody is told. There the socket gets an `error`.
 * - The opening request is forgotten once its session is in a namespace, unless keep_http is set:
 *   some hundred bytes for each session.
 *
 * What it does not do: the version before (allowEIO3), JSONP, WebTransport, other parsers.
 * What the engine below does otherwise stands at the top of wshub_dialect_engineio.h, and there is
 * what balancers have to do for several servers.
 *
 * Clients with `retries` say an event again, with another id, until it is acknowledged: an
 * application has to bear that it comes twice. */
#ifndef WSHUB_DIALECT_SOCKETIO_H
#define WSHUB_DIALECT_SOCKETIO_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#include "wshub_dialect_engineio.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Namespaces on one path. Made by wshub_sio_create(), ended by wshub_sio_destroy(). */
typedef struct wshub_sio wshub_sio;
/* A namespace of a server. {0}: none. */
typedef struct wshub_sio_namespace {
    uint32_t id; /* the library's own */
} wshub_sio_namespace;
/* A socket that asks to connect to a namespace, until that is answered. {0}: none. */
typedef struct wshub_sio_ask_id {
    uint64_t id; /* the library's own */
} wshub_sio_ask_id;
/* An event that waits for its acknowledgement. {0}: none is wanted. */
typedef struct wshub_sio_ack {
    uint64_t id; /* the library's own; not the number on the wire */
} wshub_sio_ack;

/* An event that has come. All are views until the callback returns. */
typedef struct wshub_sio_event {
    wshub_str name; /* decoded; of one that is a number, its digits */
    /* What stands behind the name, args_count of them, raw JSON each. Where bytes are, stands an
     * object, for which wshub_sio_bytes() gives them. */
    const wshub_str *args;
    size_t args_count;
    const wshub_span *attachments; /* attachments_count of them, as they came */
    size_t attachments_count;
    wshub_sio_ack ack; /* wshub_sio_answer() */
    wshub_str raw;     /* the whole array, name included */
} wshub_sio_event;

/* Who asks to connect, and by what. Views until the callback returns. */
typedef struct wshub_sio_handshake {
    const wshub_http *http; /* the request that has opened the session; NULL: forgotten */
    wshub_str auth;         /* what came with CONNECT: a JSON object; `{}` if nothing did */
    wshub_str address;      /* of the peer */
    uint64_t issued_ms;     /* when the session was opened, since 1970 UTC */
    bool secure;            /* TLS, here in this program */
    bool xdomain;           /* a page of another origin: there is an Origin */
    bool recovered; /* it has come back as the socket that it was; in on_connect: it will, if it is
                       accepted now, as the same user */
} wshub_sio_handshake;

/* What one of many has answered. */
typedef struct wshub_sio_answered {
    wshub_client client;           /* who; it may have gone meanwhile. {0}: one of another server */
    wshub_str args;                /* an array in raw JSON: the arguments of its answer */
    const wshub_span *attachments; /* attachments_count of them */
    size_t attachments_count;
} wshub_sio_answered;

/* Acknowledgements that have come, told once. All are views until the callback returns. */
typedef struct wshub_sio_answers {
    /* NULL: all that were asked have answered, but those that have gone. Else the words of Node's
     * server, "operation has timed out" or "socket has been disconnected"; or "answers are too
     * long": some of them were dropped (answers_bytes_max). */
    const char *error;
    const wshub_sio_answered *answers; /* of many, answers_count of them, in the order in which
                                          they came; with an error those that have come */
    size_t answers_count;
    /* Of the one answer to wshub_sio_ask(). */
    const wshub_str *args;
    size_t args_count;
    const wshub_span *attachments; /* as they came; their objects stand in args */
    size_t attachments_count;
} wshub_sio_answers;
/* Told once for each question. answers: a view; user: what came with the question. */
typedef void (*wshub_sio_answers_fn)(wshub_sio *sio, const wshub_sio_answers *answers, void *user);

/* An event of another server, for this one, that waits for our answer. {0}: none is wanted. */
typedef struct wshub_sio_reply {
    uint64_t id; /* the library's own */
} wshub_sio_reply;

/* An event that another server has emitted for servers: serverSideEmit(). Views until the callback
 * returns, as those of wshub_sio_event. */
typedef struct wshub_sio_server_event {
    wshub_sio_namespace to; /* whose servers were meant */
    wshub_str name;         /* decoded */
    const wshub_str *args;  /* raw JSON each */
    size_t args_count;
    const wshub_span *attachments; /* of a server's that can say bytes so; Node's cannot */
    size_t attachments_count;
    wshub_sio_reply reply; /* wshub_sio_server_answer() */
} wshub_sio_server_event;

/* A socket of whatever server, as that has told of it. */
typedef struct wshub_sio_remote {
    wshub_str id;        /* of the socket, as its client knows it */
    wshub_str rooms;     /* an array in raw JSON, that of its own id among them */
    wshub_str data;      /* raw JSON: its metadata, Node's socket.data; `{}`: it has none */
    wshub_str handshake; /* an object in raw JSON: headers, time, address, xdomain, secure, issued,
                            url, query, auth; ptr NULL: it was not told */
} wshub_sio_remote;

/* What servers have answered, told once. All are views until the callback returns. */
typedef struct wshub_sio_found {
    /* NULL: all have answered. Else the words of Node's server, "timeout reached while waiting for
     * fetchSockets response" and its like; or "other servers cannot be counted": the bus is down,
     * or cannot be asked, and none was waited for; "answers are too long" (answers_bytes_max);
     * "server shutting down". What has come is told in any case, and what is here. */
    const char *error;
    uint32_t servers; /* how many there are in this namespace, this one included: at least 1 */
    const wshub_sio_remote *sockets; /* of wshub_sio_fetch() */
    size_t sockets_count;
    const wshub_str *rooms; /* of wshub_sio_all_rooms(): their names, each once, in order */
    size_t rooms_count;
    const wshub_str *answers; /* of wshub_sio_server_ask(): raw JSON of each that has answered */
    size_t answers_count;
} wshub_sio_found;
/* Told once for each question to servers. found: a view; user: what came with the question. */
typedef void (*wshub_sio_found_fn)(wshub_sio *sio, const wshub_sio_found *found, void *user);

#define WSHUB_SIO_DESC_VERSION 1 /* it rises when the structs below change */

/* By which channels servers hear each other (wshub_sio_desc.bus_mode; see Several servers). */
typedef enum wshub_sio_bus_mode {
    WSHUB_SIO_BUS_PATTERNS, /* of each namespace all: what Node's adapter does */
    /* Of each namespace its own, and those of the rooms that somebody here is in, the room of each
     * socket's id among them. Other servers, Node's too, see no difference: they publish to just
     * these. For many servers that hold few rooms each */
    WSHUB_SIO_BUS_PRECISE,
    /* The sharded adapter of Node's package, createShardedAdapter(), whose servers and those of the
     * two above do not hear each other; by its subscriptionMode: "dynamic", "static" and
     * "dynamic-private". All servers have the same one */
    WSHUB_SIO_BUS_SHARDED,
    WSHUB_SIO_BUS_SHARDED_STATIC, /* one channel a namespace */
    WSHUB_SIO_BUS_SHARDED_PRIVATE /* a channel also for the room of each socket's id */
} wshub_sio_bus_mode;

/* How clients come in that authenticate after they have connected (see above). Zero is the default
 * of every field. */
typedef struct wshub_sio_flow {
    /* 10000; from CONNECT until it is accepted, the answer of on_authenticate included */
    uint32_t auth_timeout_ms;
    uint32_t ping_interval_ms; /* 30000; WSHUB_OFF: no ping but the one on acceptance */
    /* Joined on acceptance; borrowed as long as the server lives; NULL: `io-default` and
     * `io-notification`. */
    const char *const *default_rooms;
    size_t default_rooms_count;
    bool no_default_rooms; /* none; instead of a list */
    /* Events of who is not accepted yet are handed over, too, but for the flow's own. The hub's
     * preauth_messages_max bounds how many there may be. */
    bool open;
    /* The transport stays open of a socket that is told to go, when it was the last there */
    bool linger;
    /* At a shutdown transports are closed and nothing else, so that clients connect again, to
     * another instance; false: they are told to go, and do not come back by themselves */
    bool come_back;
} wshub_sio_flow;

/* A namespace. Zero is the default of every field. Callbacks run on the hub's thread, may call
 * anything, and may be NULL; `user` is their last argument. */
typedef struct wshub_sio_namespace_desc {
    const char *name; /* "/"; begins with `/`; at most 256 bytes; copied */
    /* NULL: a realm of its own. Else the one in which its sockets are, with whoever else is there:
     * `{0}` is the hub's first, in which JSON clients are. It has to last as long as the server.
     * Borrowed for the call. Of one server one namespace has it, and no rule; on_connect or a flow
     * is required, as nobody else would ask who comes in */
    const wshub_realm *realm;
    /* NULL: just that name. Else it stands for all namespaces for which it says true when they are
     * asked for, each of which is then made like this one, and gone with its last socket. */
    bool (*matches)(wshub_sio *sio, wshub_str name, void *user);
    /* Asks whether a socket may connect: answer with wshub_sio_accept() or wshub_sio_refuse(),
     * inside it or later. NULL: everybody may. */
    void (*on_connect)(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *handshake,
                       void *user);
    /* Tells that a socket has connected: it is in the room of its own id, and has been told. With a
     * flow: that it has been accepted. */
    void (*on_connected)(wshub_sio *sio, wshub_client client, void *user);
    /* Asks whether an event may be handed over, before on_event. NULL: it may. */
    bool (*on_packet)(wshub_sio *sio, wshub_client client, const wshub_sio_event *event,
                      void *user);
    /* Hands over an event. NULL: it goes to on_message of the hub, as JSON clients' do. */
    void (*on_event)(wshub_sio *sio, wshub_client client, const wshub_sio_event *event, void *user);
    /* Tells that a socket goes, in its rooms still. reason: Node's word. */
    void (*on_disconnecting)(wshub_sio *sio, wshub_client client, const char *reason, void *user);
    /* Tells that it has gone, for the same reason. */
    void (*on_disconnected)(wshub_sio *sio, wshub_client client, const char *reason, void *user);
    /* Hands over an event that another server has emitted for servers, with
     * wshub_sio_server_emit() or Node's serverSideEmit(). NULL: nobody listens; who asks is
     * answered `null` */
    void (*on_server_event)(wshub_sio *sio, const wshub_sio_server_event *event, void *user);
    /* Tells that a packet was wrong, and its transport is closed for it. */
    void (*on_error)(wshub_sio *sio, wshub_client client, const char *text, void *user);
    void *user;                 /* the last argument of the above */
    const wshub_sio_flow *flow; /* copied; NULL: who has connected is accepted */
} wshub_sio_namespace_desc;

/* A server. Zero is the default of every field. */
typedef struct wshub_sio_desc {
    /* What carries it: all of its fields but on_open, on_message, on_close, user and the kinds of
     * wire, which are the server's; path: "/socket.io/". Its callbacks get the server as their last
     * argument, a wshub_sio *: wshub_sio_user() is what yours is. */
    wshub_eio_desc engine;
    uint32_t connect_timeout_ms;      /* 45000; from the session's opening to its first namespace */
    uint32_t attachments_max;         /* 10; of one packet, both ways */
    uint32_t attachments_timeout_ms;  /* 30000; from a packet to the last of its attachments */
    uint32_t packet_bytes_max;        /* 10 * engine.message_bytes_max; with attachments */
    uint32_t namespaces_max;          /* 1000; made as they are asked for */
    uint32_t sockets_per_session_max; /* 100; namespaces that one session is in */
    uint32_t acks_per_socket_max;     /* 1000; that wait for their answer, each way */
    uint32_t answers_bytes_max;       /* 16 MiB; of many that one wshub_sio_ask_all() has asked */
    uint32_t recovery_ms;          /* how long a socket that has lost its connection may come back
                                       as itself; 0: no recovery */
    uint32_t recovery_packets_max; /* 10000; events kept for those, in one namespace */
    uint32_t recovery_bytes_max; /* 4194304; of those events, and of all sockets that may return */
    uint32_t recovery_sessions_max; /* 10000; sockets that may come back, in all namespaces */
    bool recovery_skip_connect;     /* on_connect is not asked about who comes back */
    bool keep_http; /* the opening request is kept as long as its session; false: until it is in its
                       first namespace */
    /* Other servers, of this library and Node's with its adapter for Redis (8.3), hear what is
     * emitted here, and the other way round, over the hub's bus (wshub_desc.bus), and ask and
     * answer each other. It takes three of the hub's WSHUB_DIALECTS_MAX. */
    bool bus;
    const char *bus_key; /* "socket.io"; what the names of all channels begin with, the adapter's
                            `key`: at most 54 bytes of ASCII; borrowed as long as the hub lives */
    wshub_sio_bus_mode bus_mode;  /* WSHUB_SIO_BUS_PATTERNS */
    uint32_t requests_timeout_ms; /* 5000; for the answers of other servers: requestsTimeout */
    uint32_t requests_max; /* 1000; of ours that wait for other servers, and of theirs that wait for
                              an answer of the application, each */
    bool specific_responses; /* answers go to the asker's own channel alone, which older servers do
                                not listen to: publishOnSpecificResponseChannel */
    /* Tells of a session that has ended. */
    void (*on_session_closed)(wshub_sio *sio, wshub_eio_reason reason, void *user);
    void *user; /* its last argument; wshub_sio_user() */
} wshub_sio_desc;

/* Why something that came over the bus was dropped: X(name, text), the text as it is logged. */
#define WSHUB_SIO_DROPS(X)                                                                         \
    X(CHANNEL, "a channel that is none")                                                           \
    X(BYTES, "a message that is neither msgpack nor JSON, where it may be that")                   \
    X(ADAPTER, "a message of another adapter than the one for Redis")                              \
    X(SHAPE, "a message that has not the form of one")                                             \
    X(SPACE, "a message for another namespace than its channel's")                                 \
    X(TYPE, "a broadcast that is no event")                                                        \
    X(EVENT, "an event that is reserved, or has no name")                                          \
    X(ATTACHMENTS, "a message with too many attachments")                                          \
    X(PLACEHOLDER, "a message with an object that stands for bytes that are not there")            \
    X(UNSENDABLE, "a broadcast that cannot be sent, or a request that cannot be answered")         \
    X(MEMORY, "a message for which there is no memory")                                            \
    X(REQUEST, "a request of no type that is known")                                               \
    X(ID, "a request without an id, or with one that is none")                                     \
    X(OPTS, "a request that does not say of whom it is")                                           \
    X(LIST, "a message whose rooms are missing, or no list of names")                              \
    X(ANSWER, "an answer that is none to what was asked")
/* WSHUB_SIO_DROP_CHANNEL and its relatives; NONE: nothing was wrong. */
typedef enum wshub_sio_drop {
    WSHUB_SIO_DROP_NONE = 0, /* nothing was wrong */
#define WSHUB__X(name, text) WSHUB_SIO_DROP_##name,
    WSHUB_SIO_DROPS(WSHUB__X)
#undef WSHUB__X
        WSHUB_SIO_DROP_COUNT /* how many there are */
} wshub_sio_drop;
/* Says it in words: a constant text; of what is none of them, "". Thread: any. */
WSHUB_API const char *wshub_sio_drop_text(wshub_sio_drop drop);

/* Figures of a server. */
typedef struct wshub_sio_stats {
    uint64_t sockets;     /* gauge: connected */
    uint64_t namespaces;  /* gauge */
    uint64_t events_in;   /* handed over */
    uint64_t bad_packets; /* that cost their transport */
    uint64_t refused; /* packets that the encoder would not write: reserved names, attachments */
    uint64_t bus_drops[WSHUB_SIO_DROP_COUNT]; /* messages of the bus that were dropped, by their
                                                 reason: bus_dropped in all; by NONE none */
    uint64_t limits;       /* sessions closed, or askers refused, for a limit of wshub_sio_desc */
    uint64_t acks_pending; /* gauge: asked of clients, not yet answered */
    uint64_t recovery_sessions; /* gauge: sockets that may come back */
    uint64_t recovery_packets;  /* gauge: events that are kept for them, in all namespaces */
    uint64_t recovery_bytes;    /* gauge: what both take */
    uint64_t recovered;         /* sockets that have come back */
    uint64_t recovery_refused;  /* that have asked to, and came in as new ones */
    uint64_t recovery_dropped;  /* events and sockets that were dropped for a limit */
    uint64_t bus_in;            /* broadcasts of other servers that were delivered here */
    uint64_t bus_dropped;       /* messages of the bus that were none, or would cost clients their
                             connections; in it: */
    uint64_t bus_bad_requests;  /* on the channel of requests */
    uint64_t bus_bad_answers;   /* on those of answers */
    uint64_t requests_in;      /* requests of other servers and of emitters that were carried out */
    uint64_t requests_pending; /* gauge: ours that wait for other servers */
    uint64_t requests_late;    /* ours whose time was over before all had answered */
} wshub_sio_stats;

/* Serves a path from now on, as long as the hub lives.
 *   desc     borrowed; NULL: all defaults
 *   out_sio  given to you, end it with wshub_sio_destroy() behind the hub
 * Returns  OK; PARAM: wshub_sio_desc_problem() says which field, or `bus` is set and the hub has
 *          none; STATE: its path is another's, a second server's say; NOMEM; LIMIT: mounts,
 *          dialects or kinds of the hub. What it is, is logged (CREATE). */
WSHUB_INLINE wshub_err wshub_sio_create(wshub *hub, const wshub_sio_desc *desc,
                                        wshub_sio **out_sio);
/* Says in one line what wshub_sio_create() would refuse in a description on any hub, beginning with
 * the field's name, and what it should be: a constant text. NULL: nothing. Pure: any thread. */
WSHUB_API const char *wshub_sio_desc_problem(const wshub_sio_desc *desc);
/* Says why wshub_sio_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h: also that another server has its path.
 *   desc  NULL: all defaults
 *   err   what that returned; OK: it was not called yet
 * Returns  as that. Thread: the hub's. */
WSHUB_INLINE size_t wshub_sio_desc_explain(const wshub *hub, const wshub_sio_desc *desc,
                                           wshub_err err, char *buf, size_t cap);
/* What these two call, as wshub_create_versioned() of wshub.h. Return as those; PARAM also for
 * another version. */
WSHUB_API wshub_err wshub_sio_create_versioned(wshub *hub, const wshub_sio_desc *desc,
                                               size_t desc_bytes, uint32_t version,
                                               wshub_sio **out_sio);
WSHUB_API size_t wshub_sio_desc_explain_versioned(const wshub *hub, const wshub_sio_desc *desc,
                                                  size_t desc_bytes, uint32_t version,
                                                  wshub_err err, char *buf, size_t cap);
WSHUB_INLINE wshub_err wshub_sio_create(wshub *hub, const wshub_sio_desc *desc,
                                        wshub_sio **out_sio) {
    return wshub_sio_create_versioned(hub, desc, sizeof *desc, WSHUB_SIO_DESC_VERSION, out_sio);
}
WSHUB_INLINE size_t wshub_sio_desc_explain(const wshub *hub, const wshub_sio_desc *desc,
                                           wshub_err err, char *buf, size_t cap) {
    return wshub_sio_desc_explain_versioned(hub, desc, sizeof *desc, WSHUB_SIO_DESC_VERSION, err,
                                            buf, cap);
}
/* Ends it, after its hub. NULL: nothing. */
WSHUB_API void wshub_sio_destroy(wshub_sio *sio);
/* Closes all sessions without a word, as io.close() does: clients connect again elsewhere. Sockets
 * of a namespace with a flow are told to go, unless come_back is set. */
WSHUB_API void wshub_sio_shutdown(wshub_sio *sio);

/* Adds a namespace, or a rule for many.
 *   desc           borrowed; its texts are copied
 *   out_namespace  NULL: not wanted; {0} for a rule
 * Returns  OK; PARAM: wshub_sio_namespace_problem() says why; LIMIT: WSHUB_REALMS_MAX; NOMEM. It is
 *          logged (CREATE). */
WSHUB_API wshub_err wshub_sio_namespace_add(wshub_sio *sio, const wshub_sio_namespace_desc *desc,
                                            wshub_sio_namespace *out_namespace);
/* Says what wshub_sio_namespace_add() would refuse in a description, beginning with the field's
 * name, and what it should be: a constant text. NULL: nothing. */
WSHUB_API const char *wshub_sio_namespace_problem(const wshub_sio *sio,
                                                  const wshub_sio_namespace_desc *desc);
/* Says why wshub_sio_namespace_add() has failed, or would, with what is there instead, as
 * wshub_sio_desc_explain(). */
WSHUB_API size_t wshub_sio_namespace_explain(const wshub_sio *sio,
                                             const wshub_sio_namespace_desc *desc, wshub_err err,
                                             char *buf, size_t cap);
/* Finds a namespace by its name. {0}: none is open. */
WSHUB_API wshub_sio_namespace wshub_sio_of(const wshub_sio *sio, const char *name);
/* Tell the namespace of a socket, and of a namespace its name and realm, in which its sockets are
 * clients (wshub_client_each_in(), wshub_room_count_in(), wshub_dest.realm). */
WSHUB_API wshub_sio_namespace wshub_sio_namespace_of(const wshub_sio *sio, wshub_client client);
WSHUB_API wshub_str wshub_sio_namespace_name(const wshub_sio *sio, wshub_sio_namespace of);
WSHUB_API wshub_realm wshub_sio_namespace_realm(const wshub_sio *sio, wshub_sio_namespace of);

/* Answer who asks to connect (on_connect), at once or later.
 *   identity  NULL: nobody in particular; its user_id is for wshub_user_send() and its relatives.
 *             With a flow: NULL: it has yet to authenticate; else it is accepted at once
 *   message   UTF-8, terminated; what the client's connect_error says
 *   data      raw JSON, error.data there; ptr NULL: none
 * Return  OK; STALE: its session has gone, or it was answered before; JSON: data; LIMIT: the hub's
 *         clients_max, and the client was refused; NOMEM. */
WSHUB_API wshub_err wshub_sio_accept(wshub_sio *sio, wshub_sio_ask_id ask,
                                     const wshub_identity *identity);
WSHUB_API wshub_err wshub_sio_refuse(wshub_sio *sio, wshub_sio_ask_id ask, const char *message,
                                     wshub_str data);

/* Send an event: to one socket, or to those of a namespace that a destination names (realm is
 * filled in; NULL: all of them).
 *   packet  event, args, attachments: as wshub_sio_put_bytes() has put them; flags
 * In a realm that the namespace was given all that are there hear it, JSON clients too; in the
 * first realm of a hub with a bus it has one argument and names one room at most (PARAM).
 * Return  as wshub_client_send_packet() and wshub_packet_send(); PARAM also for a reserved name
 *         ("connect" and its like), more than attachments_max, or a placeholder without its
 *         attachment: clients would drop the line for it (the statistic refused). */
WSHUB_API wshub_err wshub_sio_send(wshub_sio *sio, wshub_client client, const wshub_packet *packet);
WSHUB_API wshub_err wshub_sio_emit(wshub_sio *sio, wshub_sio_namespace to, const wshub_dest *dest,
                                   const wshub_packet *packet);
/* As wshub_sio_emit(), to sockets of this server alone: `local` of Node's. Returns as that. */
WSHUB_API wshub_err wshub_sio_emit_here(wshub_sio *sio, wshub_sio_namespace to,
                                        const wshub_dest *dest, const wshub_packet *packet);
/* The same, asking for acknowledgements: `fn` is called once, with what has come until all have
 * answered or the time is over. Of many, those of all servers are asked (wshub_sio_desc.bus); of
 * the answers of other servers' sockets the first argument comes, as those tell no more.
 *   timeout_ms  0: of one socket, as long as it is there; of many, that is refused
 * Return  as above; LIMIT: acks_per_socket_max; PARAM: no fn, or no timeout for many. Unless OK fn
 *         is not called. */
WSHUB_API wshub_err wshub_sio_ask(wshub_sio *sio, wshub_client client, const wshub_packet *packet,
                                  uint32_t timeout_ms, wshub_sio_answers_fn fn, void *user);
WSHUB_API wshub_err wshub_sio_ask_all(wshub_sio *sio, wshub_sio_namespace to,
                                      const wshub_dest *dest, const wshub_packet *packet,
                                      uint32_t timeout_ms, wshub_sio_answers_fn fn, void *user);
/* As wshub_sio_ask_all(), of sockets of this server alone. Returns as that. */
WSHUB_API wshub_err wshub_sio_ask_all_here(wshub_sio *sio, wshub_sio_namespace to,
                                           const wshub_dest *dest, const wshub_packet *packet,
                                           uint32_t timeout_ms, wshub_sio_answers_fn fn,
                                           void *user);
/* Acknowledges an event, once, inside on_event or later.
 *   packet  its args and attachments count, not its event; NULL: no arguments
 * Returns  OK, also where no answer was wanted; STALE: its socket has gone, or it was answered
 *          before; else as wshub_sio_send(). */
WSHUB_API wshub_err wshub_sio_answer(wshub_sio *sio, wshub_sio_ack ack, const wshub_packet *packet);

/* Sends an event with one argument as that helper's send() does, in a namespace with a flow.
 *   destination  the id of a socket, or a room; empty: everybody, those included that are not
 *                accepted yet
 *   data         raw JSON
 * Returns  OK; also where nothing is sent, as the event is empty, or data absent, null, false, 0 or
 *          an empty text; STALE: the namespace is gone; else as wshub_sio_emit(). */
WSHUB_API wshub_err wshub_sio_flow_send(wshub_sio *sio, wshub_sio_namespace to,
                                        wshub_str destination, wshub_str event, wshub_str data);

/* Disconnects a socket: it is told, and does not come back by itself.
 *   close  the whole session ends, with all its sockets
 * Returns OK; STALE. */
WSHUB_API wshub_err wshub_sio_disconnect(wshub_sio *sio, wshub_client client, bool close);
/* Lists the sockets of a namespace that a destination names, each once.
 *   dest         NULL: all of them; RESOLVE with a name is the socket with that id, else a room
 *   out_clients  at most cap are written
 * Returns  how many there are in all. Cost: O(members of what it names). */
WSHUB_API size_t wshub_sio_select(wshub_sio *sio, wshub_sio_namespace of, const wshub_dest *dest,
                                  wshub_client *out_clients, size_t cap);
/* Do something with the sockets of a namespace that a destination names, on all servers
 * (wshub_sio_desc.bus), Node's included: here at once, there soon, in the order in which it is said
 * and in one with what is emitted. wshub_sio_select() and wshub_client_join() and their relatives
 * do it here alone.
 *   dest   NULL: all of them; else ALL, ROOM or CLIENT, with what it leaves out; RESOLVE with a
 *          name means that room; realm is not looked at
 *   rooms  which they join or leave, count of them
 *   close  their whole sessions end
 * Return  OK; STALE: the namespace is gone; PARAM: dest, or a name that is none; LIMIT: they are
 *         too long; NOMEM. What fails on the way to others is an error, too, and is done here. */
WSHUB_API wshub_err wshub_sio_join_all(wshub_sio *sio, wshub_sio_namespace of,
                                       const wshub_dest *dest, const wshub_str *rooms,
                                       size_t count);
WSHUB_API wshub_err wshub_sio_leave_all(wshub_sio *sio, wshub_sio_namespace of,
                                        const wshub_dest *dest, const wshub_str *rooms,
                                        size_t count);
WSHUB_API wshub_err wshub_sio_disconnect_all(wshub_sio *sio, wshub_sio_namespace of,
                                             const wshub_dest *dest, bool close);
/* Ask all servers of a namespace (wshub_sio_desc.bus): for the sockets that a destination names,
 * for all rooms, and how many servers there are. Each other server is waited for, for
 * requests_timeout_ms at most.
 *   dest  as above
 *   fn    called once, from inside the call where there is nobody to ask, or later; where the hub
 *         has ended first, from inside wshub_sio_destroy(): then it may only free what is its own
 * Return  OK; STALE; PARAM: dest, or no fn; LIMIT: requests_max; NOMEM. Unless OK fn is not called.
 * Cost: O(all that is told), in memory too (answers_bytes_max). */
WSHUB_API wshub_err wshub_sio_fetch(wshub_sio *sio, wshub_sio_namespace of, const wshub_dest *dest,
                                    wshub_sio_found_fn fn, void *user);
WSHUB_API wshub_err wshub_sio_all_rooms(wshub_sio *sio, wshub_sio_namespace of,
                                        wshub_sio_found_fn fn, void *user);
WSHUB_API wshub_err wshub_sio_servers(wshub_sio *sio, wshub_sio_namespace of, wshub_sio_found_fn fn,
                                      void *user);
/* Emit an event for the other servers of a namespace (on_server_event, Node's nsp.on()), this one
 * left out; and the same, asking each for an answer.
 *   packet  event and args; attachments are none: between servers this is JSON
 *   fn      as above
 * Return  as above; PARAM also for an event that is reserved there ("connect", "connection",
 *         "new_namespace"), or "error", for which a server of Node's ends itself where nobody
 *         listens; JSON: an argument. Without another server it is nothing. */
WSHUB_API wshub_err wshub_sio_server_emit(wshub_sio *sio, wshub_sio_namespace to,
                                          const wshub_packet *packet);
WSHUB_API wshub_err wshub_sio_server_ask(wshub_sio *sio, wshub_sio_namespace to,
                                         const wshub_packet *packet, wshub_sio_found_fn fn,
                                         void *user);
/* Answers an event of another server, once, inside on_server_event or later.
 *   json  one value; ptr NULL: `null`
 * Returns  OK, also where no answer was wanted; STALE: it was answered before, has waited behind
 *          requests_max newer ones, or its namespace is gone; JSON; LIMIT; NOMEM. */
WSHUB_API wshub_err wshub_sio_server_answer(wshub_sio *sio, wshub_sio_reply reply, wshub_str json);
/* Tells by what a socket has connected. Returns OK; STALE. */
WSHUB_API wshub_err wshub_sio_handshake_of(const wshub_sio *sio, wshub_client client,
                                           wshub_sio_handshake *out_handshake);
/* Has a socket come back as the one that it was (recovery_ms)? */
WSHUB_API bool wshub_sio_recovered(const wshub_sio *sio, wshub_client client);
/* The session that carries a socket. {0}: it is gone. */
WSHUB_API wshub_eio_session wshub_sio_session_of(const wshub_sio *sio, wshub_client client);
/* The engine below; the hub; the figures. */
WSHUB_API wshub_eio *wshub_sio_engine(const wshub_sio *sio);
WSHUB_API wshub *wshub_sio_hub(const wshub_sio *sio);
WSHUB_API void *wshub_sio_user(const wshub_sio *sio);
WSHUB_API void wshub_sio_stats_get(const wshub_sio *sio, wshub_sio_stats *out_stats);

/* Publishes an event for the sockets of all servers of a bus (wshub_sio_desc.bus, and Node's with
 * its adapter for Redis), from a process that serves none: as Node's emitter (5.1) does, byte for
 * byte.
 *   emitter  of wshub_emitter_create()
 *   key      NULL: "socket.io"; as wshub_sio_desc.bus_key
 *   space    name of the namespace; NULL: "/"; one without its slash gets it
 *   dest     NULL: all of them; ALL, ROOM or CLIENT, RESOLVE with a name means that room; realm is
 *            not looked at
 *   packet   event, args, attachments, flags; as wshub_sio_emit()
 * Returns  as wshub_emitter_publish(); PARAM: key, space, dest or the event, more than 10
 *          attachments, or an object that stands for one that is not there, for which clients would
 *          drop their connections; JSON: an argument is none, or nested deeper than 256 levels.
 * Thread   the emitter's. Cost: O(packet), and a block of memory of the C library's. */
WSHUB_API wshub_err wshub_sio_emitter_send(wshub_emitter *emitter, const char *key,
                                           const char *space, const wshub_dest *dest,
                                           const wshub_packet *packet);

/* Ask all servers, as Node's emitter does, to let sockets join or leave rooms, or to disconnect
 * them; and emit an event for servers (wshub_sio_server_emit()).
 *   emitter, key, space, dest    as wshub_sio_emitter_send()
 *   rooms, count, close, packet  as wshub_sio_join_all(), wshub_sio_server_emit()
 * Return  as wshub_sio_emitter_send(). */
WSHUB_API wshub_err wshub_sio_emitter_join(wshub_emitter *emitter, const char *key,
                                           const char *space, const wshub_dest *dest,
                                           const wshub_str *rooms, size_t count);
WSHUB_API wshub_err wshub_sio_emitter_leave(wshub_emitter *emitter, const char *key,
                                            const char *space, const wshub_dest *dest,
                                            const wshub_str *rooms, size_t count);
WSHUB_API wshub_err wshub_sio_emitter_disconnect(wshub_emitter *emitter, const char *key,
                                                 const char *space, const wshub_dest *dest,
                                                 bool close);
WSHUB_API wshub_err wshub_sio_emitter_server_emit(wshub_emitter *emitter, const char *key,
                                                  const char *space, const wshub_packet *packet);

/* Gives the bytes for which an object stands in arguments (`{"_placeholder":true,"num":0}`).
 *   attachments  those of the event, attachments_count of them
 *   json         a value of its arguments, at whatever depth
 * Returns  true, and them; false: the value stands for no bytes. Pure. */
WSHUB_API bool wshub_sio_bytes(const wshub_span *attachments, size_t attachments_count,
                               wshub_str json, wshub_span *out_bytes);
/* Writes what stands for the next attachment of a packet, as a member or element of what is being
 * written (wshub_json_begin()), and counts it.
 *   key          as in wshub_json_put_str()
 *   attachments  cap of them; the bytes are noted in the next, borrowed
 *   count        how many there are; goes up by one
 * Returns  OK; LIMIT: there are cap of them already. */
WSHUB_API wshub_err wshub_sio_put_bytes(wshub_json_writer *w, const char *key,
                                        wshub_span *attachments, size_t cap, size_t *count,
                                        const void *bytes, size_t bytes_count);

/* A packet of Socket.IO as it stands on the wire, for whoever speaks it without a hub.
 * Views. */
typedef struct wshub_sio_packet {
    char
        type; /* '0' CONNECT, '1' DISCONNECT, '2' EVENT, '3' ACK, '4' CONNECT_ERROR; '5' and '6' are
                  read as '2' and '3' with attachments */
    unsigned attachments; /* how many messages of bytes belong to it, and come behind it */
    wshub_str space;      /* name of the namespace, with its slash */
    wshub_str id;         /* digits, of an acknowledgement; ptr NULL: none */
    wshub_str json;       /* what it holds; len 0: nothing */
} wshub_sio_packet;

/* Reads a packet: the text of an Engine.IO message, without the `4` in front of it. Strict, all of
 * it: the JSON is what its type may hold, and objects that stand for bytes name attachments.
 *   attachments_max  how many it may have, at most 99
 *   out_packet       views of the text; after an error nothing of it means anything
 * Returns  NULL; else what is wrong, in the words of Node's parser. Pure: any thread. */
WSHUB_API const char *wshub_sio_packet_read(wshub_str text, unsigned attachments_max,
                                            wshub_sio_packet *out_packet);
/* Writes the text of a packet, with the `4` in front of it that makes it a message.
 *   packet  its type, namespace and id, and its json if there is no saying; attachments: not looked
 *           at
 *   saying  of an EVENT or ACK: event, arguments, and how many attachments it has, at most 99;
 *           NULL: json is what it holds
 *   buf     may be NULL if cap is 0; nothing is written if it does not fit
 * Returns  the length of the whole. Pure: any thread. */
WSHUB_API size_t wshub_sio_packet_write(const wshub_sio_packet *packet, const wshub_packet *saying,
                                        char *buf, size_t cap);
/* Can a packet be said?
 *   named  it is an event
 * Returns  OK; PARAM: an event without a name, or with a reserved one, or an object stands for
 *          bytes that are not there; LIMIT: more than attachments_max attachments; JSON: an
 *          argument is none (with args_are_json not looked at, unless there are attachments). Pure:
 *          any thread. */
WSHUB_API wshub_err wshub_sio_packet_check(const wshub_packet *saying, bool named,
                                           size_t attachments_max);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_DIALECT_SOCKETIO_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_DIALECT_SOCKETIO_IMPLEMENTATION)) &&           \
    !defined(WSHUB__DIALECT_SOCKETIO_DONE)
#define WSHUB__DIALECT_SOCKETIO_DONE
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

/* ---- >>sio-codec -----------------------------------------------------------------------------
 * Packets as they stand on the wire: read strictly, as views, and written in two steps, first
 * how long, then what. Pure. */

enum {
    WSHUB_SIO__ID_DIGITS = 16,   /* of the id of an acknowledgement, echoed as it came */
    WSHUB_SIO__ID = 20,          /* characters of a socket's id */
    WSHUB_SIO__NAME_MAX = 256,   /* bytes of a namespace's name */
    WSHUB_SIO__UID = 6,          /* characters by which a server is known to others */
    WSHUB_SIO__BUFFER = 65536,   /* bytes that are kept for the next message of the bus */
    WSHUB_SIO__ATTACHMENTS = 99, /* of one packet, whatever the application says */
    WSHUB_SIO__DEPTH = 256       /* levels of JSON */
};

static bool wshub_sio__digit(char c) {
    return c >= '0' && c <= '9';
}

/* Takes as many digits as there are off the front of a text. */
static wshub_str wshub_sio__digits(wshub_str *text) {
    wshub_str digits = {text->ptr, 0};
    while (digits.len < text->len && wshub_sio__digit(text->ptr[digits.len])) digits.len++;
    text->ptr += digits.len;
    text->len -= digits.len;
    return digits;
}

static bool wshub_sio__reserved(wshub_str name) {
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    size_t i;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (wshub_str_eq_z(name, names[i])) return true;
    }
    return false;
}

/* How many attachments follow, `n-` at the front of a text. Returns what is wrong, or
 * NULL. */
static const char *wshub_sio__count_read(wshub_str *text, unsigned most, unsigned *out) {
    wshub_str digits = wshub_sio__digits(text);
    unsigned n = 0;
    size_t i;

    if (!digits.len || !text->len || text->ptr[0] != '-') return "Illegal attachments";
    for (i = 0; i < digits.len; i++) {
        n = n * 10 + (unsigned)(digits.ptr[i] - '0');
        if (n > most) return "too many attachments";
    }
    if (n == 0) return "Illegal attachments";
    text->ptr++;
    text->len--;
    *out = n;
    return NULL;
}

/* The first value of an array. */
static wshub_str wshub_sio__first(wshub_str array) {
    wshub_iter iter = {0, 0};
    wshub_str value = {NULL, 0};
    if (!wshub_json_each(array, &iter, &value)) value.ptr = NULL;
    return value;
}

/* Does a string say one of the reserved names, escaped or not? */
static bool wshub_sio__reserved_json(wshub_str json) {
    char name[16]; /* longer than any of them */
    wshub_str text;

    WSHUB_ASSERT(json.len >= 2 && json.ptr[0] == '"');
    if (!strchr("cdnr\\", json.ptr[1])) return false; /* as most begin otherwise */
    text.len = wshub_json_text(json, name, sizeof name);
    text.ptr = name;
    return text.len <= sizeof name && wshub_sio__reserved(text);
}

/* Is it the array of an event: a name in front that is no reserved one, or a number? */
static bool wshub_sio__event_ok(wshub_str json) {
    wshub_str name = wshub_sio__first(json);

    if (!name.ptr) return false;
    if (wshub_json_peek(name) == WSHUB_JSON_NUMBER) return true;
    return wshub_json_peek(name) == WSHUB_JSON_STRING && !wshub_sio__reserved_json(name);
}

/* Is this what a packet of its type may hold? */
static bool wshub_sio__json_ok(char type, wshub_str json) {
    wshub_json_kind kind = WSHUB_JSON_NONE;

    if (json.len) {
        if (json.ptr[0] == ' ' || json.ptr[0] == '\t' || json.ptr[0] == '\r' || json.ptr[0] == '\n')
            return false; /* behind an id there is no blank */
        if (!wshub_json_check(json, WSHUB_SIO__DEPTH)) return false;
        kind = wshub_json_peek(json);
    }
    switch (type) {
    case '0': return kind == WSHUB_JSON_NONE || kind == WSHUB_JSON_OBJECT;
    case '1': return kind == WSHUB_JSON_NONE;
    case '2':
        return kind == WSHUB_JSON_NONE || (kind == WSHUB_JSON_ARRAY && wshub_sio__event_ok(json));
    case '3': return kind == WSHUB_JSON_NONE || kind == WSHUB_JSON_ARRAY;
    default:
        return kind == WSHUB_JSON_NONE || kind == WSHUB_JSON_OBJECT || kind == WSHUB_JSON_STRING;
    }
}

/* What an object has said so far that may stand for bytes. */
enum { WSHUB_SIO__OBJECT = 1, WSHUB_SIO__STANDS = 2, WSHUB_SIO__NUMBERED = 4 };

/* Steps over a string that is known to be one. Returns behind it. */
static const char *wshub_sio__text_end(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\') p++;
    }
    return p < end ? p + 1 : end;
}

static const char *wshub_sio__blanks(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

/* Is it the number of one of so many attachments that stands there? */
static bool wshub_sio__numbered(const char *p, const char *end, size_t attachments) {
    wshub_str number = {p, 0};
    uint64_t value;

    while (p < end && *p != ',' && *p != '}' && *p != ' ' && *p != '\t' && *p != '\r' && *p != '\n')
        p++;
    number.len = (size_t)(p - number.ptr);
    return wshub_json_uint(number, &value) && value < attachments;
}

/* Notes a member of an object; of equal keys the last counts. Returns where its value begins. */
static const char *wshub_sio__member(const char *p, const char *end, size_t attachments,
                                     uint8_t *object) {
    const char *behind = wshub_sio__text_end(p, end), *value;
    wshub_str key = {p, (size_t)(behind - p)};

    value = wshub_sio__blanks(behind, end) + 1; /* behind the colon */
    value = wshub_sio__blanks(value, end);
    if (wshub_json_is(key, "_placeholder")) {
        *object &= (uint8_t)~WSHUB_SIO__STANDS;
        if (value < end && *value == 't') *object |= WSHUB_SIO__STANDS;
    } else if (wshub_json_is(key, "num")) {
        *object &= (uint8_t)~WSHUB_SIO__NUMBERED;
        if (wshub_sio__numbered(value, end, attachments)) *object |= WSHUB_SIO__NUMBERED;
    }
    return value;
}

/* Does every object that stands for bytes name one of so many attachments? One walk, as objects may
 * lie within each other.
 *   json  checked, of at most WSHUB_SIO__DEPTH levels */
static bool wshub_sio__placeholders_ok(wshub_str json, size_t attachments) {
    uint8_t levels[WSHUB_SIO__DEPTH + 1];
    const char *p = json.ptr, *end = json.ptr + json.len;
    unsigned depth = 0;
    bool key = false; /* the next string is one */

    levels[0] = 0;
    while (p < end) {
        if (*p == '"' && key) {
            p = wshub_sio__member(p, end, attachments, &levels[depth]);
            key = false;
            continue;
        }
        if (*p == '"') {
            p = wshub_sio__text_end(p, end);
            continue;
        }
        if (*p == '{' || *p == '[') {
            WSHUB_ASSERT(depth < WSHUB_SIO__DEPTH);
            levels[++depth] = *p == '{' ? WSHUB_SIO__OBJECT : 0;
        } else if (*p == '}' || *p == ']') {
            if ((levels[depth] & WSHUB_SIO__STANDS) && !(levels[depth] & WSHUB_SIO__NUMBERED))
                return false;
            WSHUB_ASSERT(depth > 0);
            depth--;
        }
        if (*p == '{' || *p == ',') key = levels[depth] != 0; /* blanks may come before it */
        p++;
    }
    return true;
}

/* Reads a packet. Returns what is wrong, in the words of Node's parser; NULL: nothing. */
static const char *wshub_sio__read(wshub_str text, unsigned attachments_max,
                                   wshub_sio_packet *out) {
    const char *wrong, *comma;

    memset(out, 0, sizeof *out);
    if (!text.len || text.ptr[0] < '0' || text.ptr[0] > '6') return "unknown packet type";
    out->type = text.ptr[0];
    text.ptr++;
    text.len--;
    if (out->type >= '5') {
        wrong = wshub_sio__count_read(&text, attachments_max, &out->attachments);
        if (wrong) return wrong;
        out->type = out->type == '5' ? '2' : '3';
    }

    out->space = wshub_str_z("/");
    if (text.len && text.ptr[0] == '/') {
        comma = (const char *)memchr(text.ptr, ',', text.len);
        out->space.ptr = text.ptr;
        out->space.len = comma ? (size_t)(comma - text.ptr) : text.len;
        text.ptr += out->space.len + (comma != NULL);
        text.len -= out->space.len + (comma != NULL);
    }
    if (text.len && wshub_sio__digit(text.ptr[0])) out->id = wshub_sio__digits(&text);
    while (out->id.len > 1 && out->id.ptr[0] == '0') { /* a number: it is answered without them */
        out->id.ptr++;
        out->id.len--;
    }
    if (out->id.len > WSHUB_SIO__ID_DIGITS) return "invalid payload";

    out->json = text;
    if (!wshub_sio__json_ok(out->type, text)) return "invalid payload";
    while (out->json.len && out->json.ptr[out->json.len - 1] <= ' ') out->json.len--;
    if (out->attachments && text.len && !wshub_sio__placeholders_ok(text, out->attachments))
        return "illegal attachments";
    return NULL;
}

/* A packet to be written. */
typedef struct wshub_sio__out {
    char type; /* '0' to '4' */
    wshub_str space, id;
    const wshub_packet *packet; /* of an event or an acknowledgement; NULL: json is what it holds */
    wshub_str json;
} wshub_sio__out;

static size_t wshub_sio__args_len(const wshub_packet *packet, bool named) {
    size_t len = 2, i; /* brackets */
    if (named) len += wshub_json_quoted_len(packet->event);
    for (i = 0; i < packet->args_count; i++) len += packet->args[i].len + (named || i ? 1 : 0);
    return len;
}

/* How long a packet's text is, with the `4` in front of it that makes it a message. */
static size_t wshub_sio__text_len(const wshub_sio__out *out) {
    size_t len = 2, attachments = out->packet ? out->packet->attachments_count : 0;

    if (attachments) len += attachments > 9 ? 3 : 2;
    if (out->space.len > 1) len += out->space.len + 1;
    len += out->id.len;
    return len + (out->packet ? wshub_sio__args_len(out->packet, out->type == '2') : out->json.len);
}

static char *wshub_sio__put(char *to, wshub_str text) {
    if (text.len) memcpy(to, text.ptr, text.len); /* NOLINT */
    return to + text.len;
}

/* Writes it. Returns behind it. */
static char *wshub_sio__text_write(const wshub_sio__out *out, char *to) {
    size_t attachments = out->packet ? out->packet->attachments_count : 0, i;
    bool named = out->type == '2';

    WSHUB_ASSERT(attachments < 100);
    WSHUB_ASSERT(attachments <= WSHUB_SIO__ATTACHMENTS); /* two digits tell how many */
    *to++ = '4';
    *to++ = (char)(out->type + (attachments ? 3 : 0));
    if (attachments > 9) *to++ = (char)('0' + attachments / 10);
    if (attachments) {
        *to++ = (char)('0' + attachments % 10);
        *to++ = '-';
    }
    if (out->space.len > 1) {
        to = wshub_sio__put(to, out->space);
        *to++ = ',';
    }
    to = wshub_sio__put(to, out->id);
    if (!out->packet) return wshub_sio__put(to, out->json);

    *to++ = '[';
    if (named)
        to += wshub_json_quote(out->packet->event, to, wshub_json_quoted_len(out->packet->event));
    for (i = 0; i < out->packet->args_count; i++) {
        if (named || i) *to++ = ',';
        to = wshub_sio__put(to, out->packet->args[i]);
    }
    *to++ = ']';
    return to;
}

WSHUB_API bool wshub_sio_bytes(const wshub_span *attachments, size_t attachments_count,
                               wshub_str json, wshub_span *out_bytes) {
    uint64_t number;
    bool is;

    if (wshub_json_type(json) != WSHUB_JSON_OBJECT) return false;
    if (!wshub_json_bool(wshub_json_get(json, "_placeholder"), &is) || !is) return false;
    if (!wshub_json_uint(wshub_json_get(json, "num"), &number) || number >= attachments_count)
        return false;
    *out_bytes = attachments[number];
    return true;
}

WSHUB_API wshub_err wshub_sio_put_bytes(wshub_json_writer *w, const char *key,
                                        wshub_span *attachments, size_t cap, size_t *count,
                                        const void *bytes, size_t bytes_count) {
    if (*count >= cap) return WSHUB_ERR_LIMIT;
    wshub_json_put_object(w, key);
    wshub_json_put_bool(w, "_placeholder", true);
    wshub_json_put_uint(w, "num", *count);
    wshub_json_put_end(w);
    attachments[*count].ptr = (const uint8_t *)bytes;
    attachments[*count].len = bytes_count;
    ++*count;
    return WSHUB_OK;
}

WSHUB_API const char *wshub_sio_packet_read(wshub_str text, unsigned attachments_max,
                                            wshub_sio_packet *out_packet) {
    if (attachments_max > WSHUB_SIO__ATTACHMENTS) attachments_max = WSHUB_SIO__ATTACHMENTS;
    return wshub_sio__read(text, attachments_max, out_packet);
}

WSHUB_API size_t wshub_sio_packet_write(const wshub_sio_packet *packet, const wshub_packet *saying,
                                        char *buf, size_t cap) {
    wshub_sio__out out;
    size_t len;

    memset(&out, 0, sizeof out);
    out.type = packet->type;
    out.space = packet->space;
    out.id = packet->id;
    out.json = packet->json;
    out.packet = saying;
    len = wshub_sio__text_len(&out);
    if (len <= cap) (void)wshub_sio__text_write(&out, buf);
    return len;
}

WSHUB_API wshub_err wshub_sio_packet_check(const wshub_packet *saying, bool named,
                                           size_t attachments_max) {
    size_t i;

    if (saying->attachments_count > attachments_max ||
        saying->attachments_count > WSHUB_SIO__ATTACHMENTS)
        return WSHUB_ERR_LIMIT;
    if (named && (!saying->event.len || wshub_sio__reserved(saying->event) ||
                  !wshub_utf8_check((const uint8_t *)saying->event.ptr, saying->event.len)))
        return WSHUB_ERR_PARAM;
    for (i = 0; i < saying->args_count; i++) {
        if ((!saying->args_are_json || saying->attachments_count) &&
            !wshub_json_check(saying->args[i], WSHUB_SIO__DEPTH - 1))
            return WSHUB_ERR_JSON;
        if (saying->attachments_count &&
            !wshub_sio__placeholders_ok(saying->args[i], saying->attachments_count))
            return WSHUB_ERR_PARAM;
    }
    return WSHUB_OK;
}

/* ---- >>sio-msgpack ---------------------------------------------------------------------------
 * Values as Node's adapters have them on a bus, which is msgpack: from JSON, in which objects stand
 * for bytes, and back. Written in the shortest form, byte for byte as notepack.io does it but for
 * whole numbers beyond 64 bits, which that spoils. Read in any width; what is cut off, not UTF-8,
 * too deep or too much is refused. Pure, allocates nothing, and no count that a stranger announces
 * sizes anything. Proved by tests/test_msgpack.c. */

/* Where something is written. What does not fit is counted only, so that a second try has room. */
typedef struct wshub_sio__sink {
    char *buf;
    size_t cap, len; /* len above cap: it did not fit */
} wshub_sio__sink;

static void wshub_sio__sink_put(wshub_sio__sink *sink, const void *bytes, size_t count) {
    if (count && sink->len <= sink->cap && count <= sink->cap - sink->len)
        memcpy(sink->buf + sink->len, bytes, count);
    sink->len += count;
}

static void wshub_sio__sink_text(wshub_sio__sink *sink, const char *text) {
    wshub_sio__sink_put(sink, text, strlen(text));
}

/* How much room is left. */
static size_t wshub_sio__sink_room(const wshub_sio__sink *sink) {
    return sink->len <= sink->cap ? sink->cap - sink->len : 0;
}

/* A first byte, and a number of so many bytes behind it, the highest first. */
static void wshub_sio__pack_wide(wshub_sio__sink *sink, uint8_t lead, uint64_t number,
                                 unsigned bytes) {
    uint8_t out[9];
    unsigned i;

    WSHUB_ASSERT(bytes <= 8);
    out[0] = lead;
    for (i = 0; i < bytes; i++) out[1 + i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
    wshub_sio__sink_put(sink, out, 1 + bytes);
}

/* What has a length in its head. */
enum { WSHUB_SIO__PACK_STR, WSHUB_SIO__PACK_BIN, WSHUB_SIO__PACK_ARRAY, WSHUB_SIO__PACK_MAP };

/* The head of a text, of bytes, of an array or a map of so many. */
static void wshub_sio__pack_head(wshub_sio__sink *sink, int what, size_t count) {
    /* a first byte that holds the count, up to which; those before one and two bytes of it, 0:
     * there is none; that before four follows */
    static const uint8_t leads[4][4] = {
        {0xA0, 31, 0xD9, 0xDA}, {0, 0, 0xC4, 0xC5}, {0x90, 15, 0, 0xDC}, {0x80, 15, 0, 0xDE}};
    const uint8_t *lead = leads[what];

    WSHUB_ASSERT(count <= UINT32_MAX);
    if (lead[0] && count <= lead[1])
        wshub_sio__pack_wide(sink, (uint8_t)(lead[0] | count), 0, 0);
    else if (lead[2] && count <= 0xFF)
        wshub_sio__pack_wide(sink, lead[2], count, 1);
    else if (count <= 0xFFFF)
        wshub_sio__pack_wide(sink, lead[3], count, 2);
    else
        wshub_sio__pack_wide(sink, (uint8_t)(lead[3] + 1), count, 4);
}

static void wshub_sio__pack_text(wshub_sio__sink *sink, wshub_str text) {
    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_STR, text.len);
    wshub_sio__sink_put(sink, text.ptr, text.len);
}

static void wshub_sio__pack_uint(wshub_sio__sink *sink, uint64_t number) {
    if (number <= 0x7F)
        wshub_sio__pack_wide(sink, (uint8_t)number, 0, 0);
    else if (number <= 0xFF)
        wshub_sio__pack_wide(sink, 0xCC, number, 1);
    else if (number <= 0xFFFF)
        wshub_sio__pack_wide(sink, 0xCD, number, 2);
    else if (number <= 0xFFFFFFFFu)
        wshub_sio__pack_wide(sink, 0xCE, number, 4);
    else
        wshub_sio__pack_wide(sink, 0xCF, number, 8);
}

/* A number below zero, by what it is off it: at most 2^63. */
static void wshub_sio__pack_below(wshub_sio__sink *sink, uint64_t off) {
    uint64_t number = 0 - off; /* as two's complement has it */

    WSHUB_ASSERT(off <= (uint64_t)1 << 63);
    if (off <= 32)
        wshub_sio__pack_wide(sink, (uint8_t)number, 0, 0);
    else if (off <= 0x80)
        wshub_sio__pack_wide(sink, 0xD0, number, 1);
    else if (off <= 0x8000)
        wshub_sio__pack_wide(sink, 0xD1, number, 2);
    else if (off <= 0x80000000u)
        wshub_sio__pack_wide(sink, 0xD2, number, 4);
    else
        wshub_sio__pack_wide(sink, 0xD3, number, 8);
}

/* Any number: a whole one, as JavaScript sees it, like one that was written without a fraction. */
static void wshub_sio__pack_double(wshub_sio__sink *sink, double number) {
    uint64_t bits;

    if (number >= 0 && number < 18446744073709551616.0 && (double)(uint64_t)number == number) {
        wshub_sio__pack_uint(sink, (uint64_t)number);
    } else if (number < 0 && number >= -9223372036854775808.0 &&
               (double)(uint64_t)-number == -number) {
        wshub_sio__pack_below(sink, (uint64_t)-number);
    } else {
        memcpy(&bits, &number, sizeof bits);
        wshub_sio__pack_wide(sink, 0xCB, bits, 8);
    }
}

/* An array or an object that is open. */
typedef struct wshub_sio__packing {
    size_t head;  /* where its head is, one byte so far */
    size_t count; /* what is in it, keys included */
    size_t bytes; /* how many times bytes had been written when it opened */
    bool map;
    bool is_placeholder, is_num; /* the key that was read last */
    bool stands, numbered;       /* it says that it stands for bytes, and for which */
    uint64_t num;
} wshub_sio__packing;

/* A value of JSON on its way. */
typedef struct wshub_sio__packer {
    wshub_sio__sink *out;
    const char *at, *end;
    const wshub_span *attachments; /* for which objects stand */
    size_t attachments_count;
    size_t bytes_count; /* how many times bytes were written */
    wshub_sio__packing levels[WSHUB_SIO__DEPTH];
    unsigned depth;
} wshub_sio__packer;

/* Where a string ends, of which what stands behind its first quote is given: at its last quote.
 * NULL: nowhere. Most have no escape in them, and are searched by what the system searches with.
 *   out_plain  there is none */
static const char *wshub_sio__string_end(const char *from, const char *end, bool *out_plain) {
    const char *at = (const char *)memchr(from, '"', (size_t)(end - from));
    const char *escape = at ? (const char *)memchr(from, '\\', (size_t)(at - from)) : NULL;

    *out_plain = !escape;
    if (!escape) return at;
    for (at = escape; at < end && *at != '"'; at++) {
        if (*at == '\\' && ++at == end) return NULL;
    }
    return at < end ? at : NULL;
}

/* A string, its first quote at the front. False: it does not end. */
static bool wshub_sio__pack_string(wshub_sio__packer *p) {
    const char *from = ++p->at;
    bool plain;
    size_t raw, len;

    p->at = wshub_sio__string_end(from, p->end, &plain);
    if (!p->at) return false;
    raw = (size_t)(p->at++ - from);
    len = plain ? raw : wshub_json_unescape((const uint8_t *)from, raw, NULL, 0);
    if (len > UINT32_MAX) return false;

    wshub_sio__pack_head(p->out, WSHUB_SIO__PACK_STR, len);
    if (plain) {
        wshub_sio__sink_put(p->out, from, raw);
        return true;
    }
    if (len <= wshub_sio__sink_room(p->out))
        (void)wshub_json_unescape((const uint8_t *)from, raw, (uint8_t *)p->out->buf + p->out->len,
                                  len);
    p->out->len += len;
    return true;
}

/* A number. What no double holds is nothing, as JSON has it in JavaScript. */
static bool wshub_sio__pack_number(wshub_sio__packer *p) {
    wshub_str text = {p->at, 0};
    bool minus = *p->at == '-', whole = true;
    uint64_t number = 0;
    double value;

    for (; p->at < p->end && *p->at && strchr("+-.0123456789eE", *p->at); p->at++) {
        unsigned digit = (unsigned)(*p->at - '0');
        if (p->at == text.ptr && minus) continue;
        whole = whole && digit <= 9 && number <= (UINT64_MAX - digit) / 10;
        if (whole) number = number * 10 + digit;
    }
    text.len = (size_t)(p->at - text.ptr);
    if (!text.len) return false;
    if (whole && !minus) {
        wshub_sio__pack_uint(p->out, number);
    } else if (whole && number && number <= (uint64_t)1 << 63) {
        wshub_sio__pack_below(p->out, number);
    } else if (!wshub_json_double(text, &value)) {
        wshub_sio__pack_double(p->out, value);
    } else {
        wshub_sio__pack_wide(p->out, 0xC0, 0, 0);
    }
    return true;
}

/* Notes what an object says of bytes: a key, or the value of the key before. Of equal keys the last
 * counts. Whoever has no attachments has nothing to say of them. */
static void wshub_sio__pack_note(const wshub_sio__packer *p, wshub_sio__packing *level) {
    wshub_str text = {p->at, 0};

    if (!level->map || !p->attachments_count) return;
    if (level->count % 2) { /* it is a key */
        text.len = (size_t)(wshub_sio__text_end(p->at, p->end) - p->at);
        level->is_placeholder = *p->at == '"' && wshub_json_is(text, "_placeholder");
        level->is_num = *p->at == '"' && wshub_json_is(text, "num");
        return;
    }
    if (level->is_placeholder) level->stands = *p->at == 't';
    if (!level->is_num) return;
    while (text.ptr + text.len < p->end && wshub_sio__digit(text.ptr[text.len])) text.len++;
    level->numbered = wshub_json_uint(text, &level->num) && level->num < p->attachments_count &&
                      p->attachments[level->num].len <= UINT32_MAX;
}

/* An array or an object opens: its head gets a byte, which is enough for most. */
static bool wshub_sio__pack_open(wshub_sio__packer *p) {
    wshub_sio__packing *level = &p->levels[p->depth];

    if (p->depth++ == WSHUB_SIO__DEPTH) return false;
    memset(level, 0, sizeof *level);
    level->head = p->out->len;
    level->bytes = p->bytes_count;
    level->map = *p->at == '{';
    wshub_sio__sink_put(p->out, "", 1);
    p->at++;
    return true;
}

/* An object stands for bytes: they take its place. */
static void wshub_sio__pack_bytes(wshub_sio__packer *p, const wshub_sio__packing *level) {
    const wshub_span *bytes = &p->attachments[level->num];

    p->out->len = level->head;
    p->bytes_count = level->bytes + 1;
    wshub_sio__pack_head(p->out, WSHUB_SIO__PACK_BIN, bytes->len);
    wshub_sio__sink_put(p->out, bytes->ptr, bytes->len);
}

/* It closes: now it is known how many are in it, and what is there moves if the head is larger. */
static bool wshub_sio__pack_close(wshub_sio__packer *p) {
    const wshub_sio__packing *level;
    char bytes[5];
    wshub_sio__sink head = {bytes, sizeof bytes, 0};
    size_t moved;

    if (!p->depth || p->levels[p->depth - 1].map != (*p->at == '}')) return false;
    level = &p->levels[--p->depth];
    p->at++;
    if (level->stands && level->numbered) {
        wshub_sio__pack_bytes(p, level);
        return true;
    }

    if (level->count > UINT32_MAX || (level->map && level->count % 2)) return false;
    wshub_sio__pack_head(&head, level->map ? WSHUB_SIO__PACK_MAP : WSHUB_SIO__PACK_ARRAY,
                         level->map ? level->count / 2 : level->count);
    moved = p->out->len - level->head - 1;
    p->out->len += head.len - 1;
    if (p->out->len <= p->out->cap) {
        memmove(p->out->buf + level->head + head.len, p->out->buf + level->head + 1, moved);
        memcpy(p->out->buf + level->head, bytes, head.len);
    }
    return true;
}

/* One thing of a value, and counts it where it stands. */
static bool wshub_sio__pack_next(wshub_sio__packer *p) {
    static const char *const words[] = {"null", "false", "true"};
    static const uint8_t packed[] = {0xC0, 0xC2, 0xC3};
    size_t i;

    if (*p->at == '}' || *p->at == ']') return wshub_sio__pack_close(p);
    if (p->depth) {
        p->levels[p->depth - 1].count++;
        wshub_sio__pack_note(p, &p->levels[p->depth - 1]);
    }
    switch (*p->at) {
    case '{':
    case '[': return wshub_sio__pack_open(p);
    case '"': return wshub_sio__pack_string(p);
    default: break;
    }
    for (i = 0; i < sizeof packed; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(p->end - p->at) < len || memcmp(p->at, words[i], len) != 0) continue;
        wshub_sio__pack_wide(p->out, packed[i], 0, 0);
        p->at += len;
        return true;
    }
    return wshub_sio__pack_number(p);
}

/* Writes a value that is known to be JSON.
 *   attachments  for which objects in it stand
 *   bytes_count  goes up by how many of these were written, each as often as something stands for
 *                it
 * Returns  false: it is nested too deep, or no JSON after all. */
static bool wshub_sio__pack_json(wshub_sio__sink *sink, wshub_str json,
                                 const wshub_span *attachments, size_t attachments_count,
                                 size_t *bytes_count) {
    wshub_sio__packer p;

    p.out = sink;
    p.at = json.ptr;
    p.end = json.ptr + json.len;
    p.attachments = attachments;
    p.attachments_count = attachments_count;
    p.bytes_count = 0;
    p.depth = 0;
    while (p.at < p.end) {
        if (strchr(" \t\r\n,:", *p.at) && *p.at)
            p.at++; /* what parts one from the next says nothing */
        else if (!wshub_sio__pack_next(&p))
            return false;
    }
    *bytes_count += p.bytes_count;
    return json.len && p.depth == 0;
}

/* ---- reading ---- */

typedef enum wshub_sio__kind {
    WSHUB_SIO__NIL,
    WSHUB_SIO__BOOL,  /* number */
    WSHUB_SIO__UINT,  /* number */
    WSHUB_SIO__BELOW, /* zero minus number */
    WSHUB_SIO__FLOAT, /* real */
    WSHUB_SIO__STR,   /* ptr, number of bytes, which are UTF-8 */
    WSHUB_SIO__BIN,   /* ptr, number of bytes */
    WSHUB_SIO__ARRAY, /* number of what follows */
    WSHUB_SIO__MAP,   /* number of pairs that follow */
    WSHUB_SIO__EXT    /* ptr, number of bytes, type */
} wshub_sio__kind;

/* One thing that was read. What an array or a map holds follows it. */
typedef struct wshub_sio__item {
    wshub_sio__kind kind;
    uint64_t number;
    double real;
    const uint8_t *ptr;
    int type;
    bool fixed; /* of EXT: its length stands in its first byte */
} wshub_sio__item;

/* What is left of a message. */
typedef struct wshub_sio__reader {
    const uint8_t *at, *end;
} wshub_sio__reader;

static size_t wshub_sio__left(const wshub_sio__reader *r) {
    return (size_t)(r->end - r->at);
}

/* A number of so many bytes. */
static bool wshub_sio__read_wide(wshub_sio__reader *r, unsigned bytes, uint64_t *out) {
    uint64_t number = 0;
    unsigned i;

    if (wshub_sio__left(r) < bytes) return false;
    for (i = 0; i < bytes; i++) number = number << 8 | *r->at++;
    *out = number;
    return true;
}

/* A number with a sign, of so many bytes. */
static bool wshub_sio__read_signed(wshub_sio__reader *r, unsigned bytes, wshub_sio__item *out) {
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);

    if (!wshub_sio__read_wide(r, bytes, &out->number)) return false;
    out->kind = WSHUB_SIO__UINT;
    if (out->number & sign) {
        out->kind = WSHUB_SIO__BELOW;
        out->number = (sign - 1 - (out->number & (sign - 1))) + 1;
    }
    return true;
}

static bool wshub_sio__read_float(wshub_sio__reader *r, unsigned bytes, wshub_sio__item *out) {
    uint32_t low;
    float narrow;

    if (!wshub_sio__read_wide(r, bytes, &out->number)) return false;
    out->kind = WSHUB_SIO__FLOAT;
    if (bytes == 8) {
        memcpy(&out->real, &out->number, sizeof out->real);
    } else {
        low = (uint32_t)out->number;
        memcpy(&narrow, &low, sizeof narrow);
        out->real = (double)narrow;
    }
    return true;
}

/* The bytes of what has a length, which has been read. */
static bool wshub_sio__read_span(wshub_sio__reader *r, wshub_sio__kind kind, wshub_sio__item *out) {
    out->kind = kind;
    if (kind == WSHUB_SIO__EXT) {
        if (r->at == r->end) return false;
        out->type = *r->at < 128 ? *r->at : *r->at - 256;
        r->at++;
    }
    if (out->number > wshub_sio__left(r)) return false;
    out->ptr = r->at;
    r->at += out->number;
    return kind != WSHUB_SIO__STR || wshub_utf8_check(out->ptr, (size_t)out->number);
}

/* An array or a map, whose count has been read: each of what is in it takes a byte at least. */
static bool wshub_sio__read_many(const wshub_sio__reader *r, wshub_sio__kind kind,
                                 wshub_sio__item *out) {
    out->kind = kind;
    return out->number <= wshub_sio__left(r) / (kind == WSHUB_SIO__MAP ? 2 : 1);
}

/* What begins with a byte from 0xC0 to 0xDF. */
static bool wshub_sio__read_marked(wshub_sio__reader *r, uint8_t lead, wshub_sio__item *out) {
    wshub_sio__kind kind;
    unsigned width;

    if (lead <= 0xC3) {
        out->kind = lead == 0xC0 ? WSHUB_SIO__NIL : WSHUB_SIO__BOOL;
        out->number = lead == 0xC3;
        return lead != 0xC1;
    }
    if (lead == 0xCA || lead == 0xCB) return wshub_sio__read_float(r, lead == 0xCA ? 4 : 8, out);
    if (lead >= 0xCC && lead <= 0xCF) {
        out->kind = WSHUB_SIO__UINT;
        return wshub_sio__read_wide(r, 1u << (lead - 0xCC), &out->number);
    }
    if (lead >= 0xD0 && lead <= 0xD3) return wshub_sio__read_signed(r, 1u << (lead - 0xD0), out);
    if (lead >= 0xD4 && lead <= 0xD8) {
        out->number = 1u << (lead - 0xD4);
        out->fixed = true;
        return wshub_sio__read_span(r, WSHUB_SIO__EXT, out);
    }
    if (lead >= 0xDC) {
        kind = lead <= 0xDD ? WSHUB_SIO__ARRAY : WSHUB_SIO__MAP;
        return wshub_sio__read_wide(r, lead & 1 ? 4 : 2, &out->number) &&
               wshub_sio__read_many(r, kind, out);
    }
    kind = lead >= 0xD9 ? WSHUB_SIO__STR : lead >= 0xC7 ? WSHUB_SIO__EXT : WSHUB_SIO__BIN;
    width = lead - (lead >= 0xD9 ? 0xD9u : lead >= 0xC7 ? 0xC7u : 0xC4u); /* 0 to 2 */
    return wshub_sio__read_wide(r, 1u << (width & 3), &out->number) &&
           wshub_sio__read_span(r, kind, out);
}

/* Reads one thing. False: it is none, or is cut off. */
static bool wshub_sio__read_item(wshub_sio__reader *r, wshub_sio__item *out) {
    uint8_t lead;

    memset(out, 0, sizeof *out);
    if (r->at == r->end) return false;
    lead = *r->at++;
    if (lead >= 0xE0) {
        out->kind = WSHUB_SIO__BELOW;
        out->number = 256u - lead;
        return true;
    }
    if (lead >= 0xC0) return wshub_sio__read_marked(r, lead, out);
    if (lead < 0x80) {
        out->kind = WSHUB_SIO__UINT;
        out->number = lead;
        return true;
    }
    out->number = lead & (lead >= 0xA0 ? 31 : 15);
    if (lead >= 0xA0) return wshub_sio__read_span(r, WSHUB_SIO__STR, out);
    return wshub_sio__read_many(r, lead >= 0x90 ? WSHUB_SIO__ARRAY : WSHUB_SIO__MAP, out);
}

/* Steps over one value, with all that is in it. */
static bool wshub_sio__read_past(wshub_sio__reader *r) {
    uint64_t left = 1; /* values are at most as many as bytes */
    wshub_sio__item item;

    while (left--) {
        if (!wshub_sio__read_item(r, &item)) return false;
        if (item.kind == WSHUB_SIO__ARRAY) left += item.number;
        if (item.kind == WSHUB_SIO__MAP) left += 2 * item.number;
        if (left > wshub_sio__left(r)) return false;
    }
    return true;
}

static wshub_str wshub_sio__item_str(const wshub_sio__item *item) {
    wshub_str text;
    text.ptr = (const char *)item->ptr;
    text.len = (size_t)item->number;
    return text;
}

/* A number as text, not terminated. Returns its length. */
static size_t wshub_sio__item_digits(const wshub_sio__item *item, char out[24]) {
    char digits[24];
    size_t len = 0, count = 0;
    uint64_t number = item->number;

    WSHUB_ASSERT(item->kind == WSHUB_SIO__UINT || item->kind == WSHUB_SIO__BELOW);
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    if (item->kind == WSHUB_SIO__BELOW) out[len++] = '-';
    while (count) out[len++] = digits[--count];
    return len;
}

/* ---- dates ---- */

/* Writes a point in time as JavaScript does, `null` where it has none.
 *   ms  since 1970 UTC */
static void wshub_sio__put_date(wshub_sio__sink *sink, int64_t ms) {
    char text[64];
    int64_t days, era, year;
    unsigned rest, day, month;

    if (ms > 8640000000000000 || ms < -8640000000000000) {
        wshub_sio__sink_text(sink, "null");
        return;
    }
    days = ms / 86400000 - (ms % 86400000 < 0);
    rest = (unsigned)(ms - days * 86400000);

    /* Years that begin in March, in eras of 400 years, all of which are equally long: what February
     * has more is at their end. */
    days += 719468; /* from the first of March of the year 0 to 1970 */
    era = (days >= 0 ? days : days - 146096) / 146097;
    day = (unsigned)(days - era * 146097);
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= (unsigned)(365 * year + year / 4 - year / 100);
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    year += era * 400 + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;

    (void)snprintf(text, sizeof text,
                   year < 0      ? "\"%07ld-%02u-%02uT%02u:%02u:%02u.%03uZ\""
                   : year > 9999 ? "\"+%06ld-%02u-%02uT%02u:%02u:%02u.%03uZ\""
                                 : "\"%04ld-%02u-%02uT%02u:%02u:%02u.%03uZ\"",
                   (long)year, month, day + 1, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60,
                   rest % 1000);
    wshub_sio__sink_text(sink, text);
}

/* A date of whole seconds and a part of the next in nanoseconds; what is below a millisecond is cut
 * off towards 1970. */
static void wshub_sio__put_seconds(wshub_sio__sink *sink, int64_t seconds, uint32_t ns) {
    int64_t ms;

    if (seconds > 8640000000000 || seconds < -8640000000000) {
        wshub_sio__sink_text(sink, "null");
        return;
    }
    ms = seconds * 1000 + ns / 1000000;
    if (ms < 0 && ns % 1000000) ms++;
    wshub_sio__put_date(sink, ms);
}

/* The same 64 bits with a sign. */
static int64_t wshub_sio__as_signed(uint64_t bits) {
    return bits >> 63 ? -(int64_t)(UINT64_MAX - bits) - 1 : (int64_t)bits;
}

/* What an EXT means, if it is a date: its seconds since 1970 in one of three forms, or, of old
 * writers, milliseconds. */
static bool wshub_sio__put_ext_date(wshub_sio__sink *sink, const wshub_sio__item *item) {
    wshub_sio__reader r;
    uint64_t ns = 0, bits;

    r.at = item->ptr;
    r.end = item->ptr + item->number;
    if (item->type == 0 && item->fixed && item->number == 8) {
        (void)wshub_sio__read_wide(&r, 8, &bits);
        wshub_sio__put_date(sink, wshub_sio__as_signed(bits));
        return true;
    }
    if (item->type != -1) return false;
    if (item->number == 12 && !wshub_sio__read_wide(&r, 4, &ns)) return false;
    if (!wshub_sio__read_wide(&r, item->number == 4 ? 4 : 8, &bits) || r.at != r.end) return false;
    if (item->number == 8 && item->fixed) {
        ns = bits >> 34;
        bits &= 0x3FFFFFFFFu;
    } else if (item->number == 8) {
        return false;
    }
    wshub_sio__put_seconds(sink, wshub_sio__as_signed(bits), (uint32_t)ns);
    return true;
}

/* ---- to JSON ---- */

/* Where a value goes: its text, and its bytes as views of what is read. */
typedef struct wshub_sio__unpacked {
    wshub_sio__sink text;
    wshub_span *attachments;
    size_t attachments_max, attachments_count;
    bool too_many; /* there were more */
} wshub_sio__unpacked;

/* Bytes: an object stands for them. False: there are too many. */
static bool wshub_sio__put_span(wshub_sio__unpacked *out, const wshub_sio__item *item) {
    char text[48];

    out->too_many = out->attachments_count == out->attachments_max;
    if (out->too_many) return false;
    (void)snprintf(text, sizeof text, "{\"_placeholder\":true,\"num\":%u}",
                   (unsigned)out->attachments_count);
    wshub_sio__sink_text(&out->text, text);
    out->attachments[out->attachments_count].ptr = item->ptr;
    out->attachments[out->attachments_count++].len = (size_t)item->number;
    return true;
}

/* What is neither of msgpack nor a date: its type, and its bytes; of type 0 the bytes alone, as old
 * writers have them. */
static bool wshub_sio__put_ext(wshub_sio__unpacked *out, const wshub_sio__item *item) {
    char text[16];

    if (wshub_sio__put_ext_date(&out->text, item)) return true;
    if (item->type == 0 && !item->fixed) return wshub_sio__put_span(out, item);
    (void)snprintf(text, sizeof text, "[%d,", item->type);
    wshub_sio__sink_text(&out->text, text);
    if (!wshub_sio__put_span(out, item)) return false;
    wshub_sio__sink_text(&out->text, "]");
    return true;
}

static void wshub_sio__put_quoted(wshub_sio__sink *sink, wshub_str text) {
    size_t room = wshub_sio__sink_room(sink);
    sink->len += wshub_json_quote(text, room ? sink->buf + sink->len : NULL, room);
}

/* A number; one that is not finite is `null`, as JavaScript has it. */
static void wshub_sio__put_real(wshub_sio__sink *sink, double number) {
    char buf[64];
    wshub_json_writer w;
    wshub_str text;

    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_double(&w, NULL, number);
    if (wshub_json_done(&w, &text))
        wshub_sio__sink_text(sink, "null");
    else
        wshub_sio__sink_put(sink, text.ptr, text.len);
}

/* Whatever holds nothing else. False: too many bytes. */
static bool wshub_sio__put_item(wshub_sio__unpacked *out, const wshub_sio__item *item) {
    char digits[24];

    switch (item->kind) {
    case WSHUB_SIO__NIL: wshub_sio__sink_text(&out->text, "null"); return true;
    case WSHUB_SIO__BOOL:
        wshub_sio__sink_text(&out->text, item->number ? "true" : "false");
        return true;
    case WSHUB_SIO__UINT:
    case WSHUB_SIO__BELOW:
        wshub_sio__sink_put(&out->text, digits, wshub_sio__item_digits(item, digits));
        return true;
    case WSHUB_SIO__FLOAT: wshub_sio__put_real(&out->text, item->real); return true;
    case WSHUB_SIO__STR: wshub_sio__put_quoted(&out->text, wshub_sio__item_str(item)); return true;
    case WSHUB_SIO__BIN: return wshub_sio__put_span(out, item);
    case WSHUB_SIO__EXT: return wshub_sio__put_ext(out, item);
    case WSHUB_SIO__ARRAY:
    case WSHUB_SIO__MAP: break;
    }
    return false;
}

/* A key with its colon: a text, or a whole number, which is one in JavaScript. */
static bool wshub_sio__put_key(wshub_sio__unpacked *out, wshub_sio__reader *r) {
    wshub_sio__item item;
    wshub_str key;
    char digits[24];

    if (!wshub_sio__read_item(r, &item)) return false;
    if (item.kind == WSHUB_SIO__STR) {
        key = wshub_sio__item_str(&item);
    } else if (item.kind == WSHUB_SIO__UINT || item.kind == WSHUB_SIO__BELOW) {
        key.ptr = digits;
        key.len = wshub_sio__item_digits(&item, digits);
    } else {
        return false;
    }
    wshub_sio__put_quoted(&out->text, key);
    wshub_sio__sink_text(&out->text, ":");
    return true;
}

/* Is it what old writers had for `undefined`? */
static bool wshub_sio__is_undefined(const wshub_sio__item *item) {
    return item->kind == WSHUB_SIO__EXT && item->type == 0 && item->fixed && item->number == 1;
}

/* An array or a map that is open. */
typedef struct wshub_sio__level {
    uint64_t left;
    bool map, some;
} wshub_sio__level;

/* Reads one value, with all that is in it, to JSON. Returns false: it is none, holds too many
 * bytes, or is nested too deep. */
static bool wshub_sio__unpack_json(wshub_sio__reader *r, wshub_sio__unpacked *out) {
    wshub_sio__level levels[WSHUB_SIO__DEPTH], *level = NULL;
    wshub_sio__item item;
    unsigned depth = 0;
    size_t mark;

    do {
        level = depth ? &levels[depth - 1] : NULL;
        if (level && !level->left) {
            wshub_sio__sink_text(&out->text, level->map ? "}" : "]");
            depth--;
            continue;
        }

        /* the next one in it, with what stands in front */
        mark = out->text.len;
        if (level) {
            level->left--;
            if (level->some) wshub_sio__sink_text(&out->text, ",");
            if (level->map && !wshub_sio__put_key(out, r)) return false;
        }
        if (!wshub_sio__read_item(r, &item)) return false;
        if (wshub_sio__is_undefined(&item)) {
            if (level && level->map) {
                out->text.len = mark; /* it is as if it were not there */
                continue;
            }
            item.kind = WSHUB_SIO__NIL;
        }
        if (level) level->some = true;
        if (item.kind != WSHUB_SIO__ARRAY && item.kind != WSHUB_SIO__MAP) {
            if (!wshub_sio__put_item(out, &item)) return false;
            continue;
        }

        if (depth == WSHUB_SIO__DEPTH) return false;
        levels[depth].left = item.number;
        levels[depth].map = item.kind == WSHUB_SIO__MAP;
        levels[depth++].some = false;
        wshub_sio__sink_text(&out->text, item.kind == WSHUB_SIO__MAP ? "{" : "[");
    } while (depth);
    return true;
}

/* ---- >>sio-broadcast -------------------------------------------------------------------------
 * Broadcasts as Node's adapter for Redis (8.3) and its emitter (5.1) have them on a bus:
 * `[uid, {type, data, nsp}, {rooms, except, flags}]` in msgpack. Written byte for byte as theirs,
 * read with all that they bear, and no more. Pure. Proved by tests/test_sio_bus.c. */

/* A broadcast that is to be written. */
typedef struct wshub_sio__broadcast {
    const char *prefix; /* in front of the channel */
    wshub_str uid, space;
    const wshub_dest *dest; /* ALL, CLIENT or ROOM */
    const wshub_packet *packet;
    bool emitter;        /* in the emitter's order */
    uint32_t timeout_ms; /* of one that asks; 0: it does not */
} wshub_sio__broadcast;

/* Names, one behind the other. */
typedef struct wshub_sio__names {
    const wshub_str *list;
    size_t count;
} wshub_sio__names;

/* The rooms of a destination; a socket is in the room of its own id. */
static wshub_sio__names wshub_sio__dest_rooms(const wshub_dest *dest) {
    wshub_sio__names rooms = {dest->rooms, dest->rooms_count};

    if (!rooms.count && dest->kind != WSHUB_DEST_ALL) {
        rooms.list = &dest->name;
        rooms.count = 1;
    }
    return rooms;
}

static void wshub_sio__pack_names(wshub_sio__sink *sink, const char *key, wshub_sio__names first,
                                  wshub_sio__names second) {
    size_t i;

    wshub_sio__pack_text(sink, wshub_str_z(key));
    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_ARRAY, first.count + second.count);
    for (i = 0; i < first.count; i++) wshub_sio__pack_text(sink, first.list[i]);
    for (i = 0; i < second.count; i++) wshub_sio__pack_text(sink, second.list[i]);
}

static void wshub_sio__pack_flag(wshub_sio__sink *sink, const char *key, bool yes) {
    wshub_sio__pack_text(sink, wshub_str_z(key));
    wshub_sio__pack_wide(sink, yes ? 0xC3 : 0xC2, 0, 0);
}

static void wshub_sio__pack_flags(wshub_sio__sink *sink, uint32_t flags, uint32_t timeout_ms) {
    uint32_t compress = flags & (WSHUB_PACKET_COMPRESS | WSHUB_PACKET_NO_COMPRESS);

    wshub_sio__pack_text(sink, wshub_str_z("flags"));
    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_MAP,
                         (size_t)(compress != 0) + (flags & WSHUB_PACKET_VOLATILE ? 1 : 0) +
                             (timeout_ms != 0));
    if (compress) wshub_sio__pack_flag(sink, "compress", !(compress & WSHUB_PACKET_NO_COMPRESS));
    if (flags & WSHUB_PACKET_VOLATILE) wshub_sio__pack_flag(sink, "volatile", true);
    if (!timeout_ms) return;
    wshub_sio__pack_text(sink, wshub_str_z("timeout"));
    wshub_sio__pack_uint(sink, timeout_ms);
}

/* To whom it goes. Ids to be left out are rooms, too. */
static void wshub_sio__pack_opts(wshub_sio__sink *sink, const wshub_sio__broadcast *said) {
    const wshub_dest *dest = said->dest;
    wshub_sio__names rooms = wshub_sio__dest_rooms(dest), none = {NULL, 0}, ids, except;

    ids.list = dest->exclude;
    ids.count = dest->exclude_count;
    except.list = dest->except_rooms;
    except.count = dest->except_rooms_count;
    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_MAP, 3);
    wshub_sio__pack_names(sink, "rooms", rooms, none);
    if (said->emitter) wshub_sio__pack_flags(sink, said->packet->flags, 0);
    wshub_sio__pack_names(sink, "except", ids, except);
    if (!said->emitter) wshub_sio__pack_flags(sink, said->packet->flags, said->timeout_ms);
}

/* The event of a broadcast, as msgpack. False: an argument is nested too deep, or no JSON. */
static bool wshub_sio__pack_event(wshub_sio__sink *sink, const wshub_packet *packet,
                                  wshub_str space, size_t *out_bytes) {
    size_t i;

    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_MAP, 3);
    wshub_sio__pack_text(sink, wshub_str_z("type"));
    wshub_sio__pack_uint(sink, 2);
    wshub_sio__pack_text(sink, wshub_str_z("data"));
    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_ARRAY, 1 + packet->args_count);
    wshub_sio__pack_text(sink, packet->event);
    for (i = 0; i < packet->args_count; i++) {
        if (!wshub_sio__pack_json(sink, packet->args[i], packet->attachments,
                                  packet->attachments_count, out_bytes))
            return false;
    }
    wshub_sio__pack_text(sink, wshub_str_z("nsp"));
    wshub_sio__pack_text(sink, space);
    return true;
}

/* Writes a broadcast, behind the name of its channel.
 *   out_channel  how long that is
 *   out_bytes    how many attachments whoever reads it finds
 * Returns  false: an argument is nested too deep, or no JSON. */
static bool wshub_sio__cast_write(wshub_sio__sink *sink, const wshub_sio__broadcast *said,
                                  size_t *out_channel, size_t *out_bytes) {
    wshub_sio__names rooms = wshub_sio__dest_rooms(said->dest);

    wshub_sio__sink_text(sink, said->prefix);
    wshub_sio__sink_put(sink, said->space.ptr, said->space.len);
    wshub_sio__sink_text(sink, "#");
    if (rooms.count == 1) {
        wshub_sio__sink_put(sink, rooms.list[0].ptr, rooms.list[0].len);
        wshub_sio__sink_text(sink, "#");
    }
    *out_channel = sink->len;
    *out_bytes = 0;

    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_ARRAY, 3);
    wshub_sio__pack_text(sink, said->uid);
    if (!wshub_sio__pack_event(sink, said->packet, said->space, out_bytes)) return false;
    wshub_sio__pack_opts(sink, said);
    return true;
}

/* A broadcast that has been read: views of it, and of the buffers that it was read into. */
typedef struct wshub_sio__cast {
    wshub_str uid;
    bool has_space; /* it names a namespace; else that is `/` */
    wshub_str space;
    double type;
    wshub_str event;
    size_t args, args_count; /* where in the list its arguments stand, and how many */
    size_t rooms, rooms_count, except, except_count; /* the same */
    uint32_t flags;
} wshub_sio__cast;

/* What a broadcast is read with. */
typedef struct wshub_sio__caster {
    wshub_sio__reader in;
    wshub_sio__unpacked out; /* arguments, and names that are numbers */
    wshub_str *list;
    size_t list_cap, list_count; /* a count above cap: they did not fit */
} wshub_sio__caster;

/* What was written to the text since `from`. It is right once all has fitted. */
static wshub_str wshub_sio__since(const wshub_sio__caster *c, size_t from) {
    wshub_str text;
    text.ptr = c->out.text.len <= c->out.text.cap ? c->out.text.buf + from : NULL;
    text.len = c->out.text.len - from;
    return text;
}

static void wshub_sio__list_add(wshub_sio__caster *c, wshub_str text) {
    if (c->list_count < c->list_cap) c->list[c->list_count] = text;
    c->list_count++;
}

/* A name: a text, or a number, which is compared as text. */
static bool wshub_sio__read_name(wshub_sio__caster *c, wshub_str *out) {
    size_t mark = c->out.text.len;
    wshub_sio__item item;

    if (!wshub_sio__read_item(&c->in, &item)) return false;
    if (item.kind == WSHUB_SIO__STR) {
        *out = wshub_sio__item_str(&item);
        return true;
    }
    if (item.kind != WSHUB_SIO__UINT && item.kind != WSHUB_SIO__BELOW &&
        item.kind != WSHUB_SIO__FLOAT)
        return false;
    (void)wshub_sio__put_item(&c->out, &item);
    *out = wshub_sio__since(c, mark);
    return true;
}

/* `rooms` or `except`, which may be nothing. */
static bool wshub_sio__read_names(wshub_sio__caster *c, size_t *out_first, size_t *out_count) {
    wshub_sio__item item;
    wshub_str name;
    uint64_t left;

    if (!wshub_sio__read_item(&c->in, &item)) return false;
    *out_first = c->list_count;
    *out_count = 0;
    if (item.kind == WSHUB_SIO__NIL) return true;
    if (item.kind != WSHUB_SIO__ARRAY) return false;
    for (left = item.number; left; left--) {
        if (!wshub_sio__read_name(c, &name)) return false;
        wshub_sio__list_add(c, name);
    }
    *out_count = (size_t)item.number;
    return true;
}

/* A key of a map; len 0 where it is none that we know. */
static bool wshub_sio__read_key(wshub_sio__caster *c, wshub_str *out) {
    wshub_sio__item item;

    if (!wshub_sio__read_item(&c->in, &item)) return false;
    if (item.kind == WSHUB_SIO__ARRAY || item.kind == WSHUB_SIO__MAP) return false;
    out->ptr = NULL;
    out->len = 0;
    if (item.kind == WSHUB_SIO__STR) *out = wshub_sio__item_str(&item);
    return true;
}

/* Begins with a map. Returns how many pairs follow; UINT64_MAX: it is none. */
static uint64_t wshub_sio__read_map(wshub_sio__caster *c) {
    wshub_sio__item item;
    if (!wshub_sio__read_item(&c->in, &item) || item.kind != WSHUB_SIO__MAP) return UINT64_MAX;
    return item.number;
}

static bool wshub_sio__read_flags(wshub_sio__caster *c, uint32_t *out) {
    wshub_sio__item item;
    wshub_str key;
    uint64_t left;

    *out = 0;
    if (c->in.at < c->in.end && *c->in.at == 0xC0) return wshub_sio__read_past(&c->in); /* nil */
    for (left = wshub_sio__read_map(c); left; left--) {
        const uint8_t *at;
        if (left == UINT64_MAX || !wshub_sio__read_key(c, &key)) return false;
        at = c->in.at;
        if (!wshub_sio__read_past(&c->in)) return false;
        if (*at != 0xC2 && *at != 0xC3) continue; /* false and true */
        memset(&item, 0, sizeof item);
        item.number = *at == 0xC3;
        if (wshub_str_eq_z(key, "volatile") && item.number) *out |= WSHUB_PACKET_VOLATILE;
        if (wshub_str_eq_z(key, "compress"))
            *out |= item.number ? WSHUB_PACKET_COMPRESS : WSHUB_PACKET_NO_COMPRESS;
    }
    return true;
}

/* `data`: the event, and its arguments. */
static bool wshub_sio__read_data(wshub_sio__caster *c, wshub_sio__cast *cast) {
    wshub_sio__item item;
    uint64_t left;

    if (!wshub_sio__read_item(&c->in, &item) || item.kind != WSHUB_SIO__ARRAY || !item.number)
        return false;
    if (!wshub_sio__read_name(c, &cast->event)) return false;
    c->out.attachments_count = 0; /* of equal keys the last counts */
    cast->args = c->list_count;
    cast->args_count = (size_t)item.number - 1;
    for (left = item.number - 1; left; left--) {
        size_t mark = c->out.text.len;
        if (!wshub_sio__unpack_json(&c->in, &c->out)) return false;
        wshub_sio__list_add(c, wshub_sio__since(c, mark));
    }
    return true;
}

static bool wshub_sio__read_packet(wshub_sio__caster *c, wshub_sio__cast *cast) {
    wshub_sio__item item;
    wshub_str key;
    uint64_t left;

    for (left = wshub_sio__read_map(c); left; left--) {
        if (left == UINT64_MAX || !wshub_sio__read_key(c, &key)) return false;
        if (wshub_str_eq_z(key, "data")) {
            if (!wshub_sio__read_data(c, cast)) return false;
        } else if (wshub_str_eq_z(key, "type")) {
            if (!wshub_sio__read_item(&c->in, &item)) return false;
            if (item.kind == WSHUB_SIO__UINT) item.real = (double)item.number;
            if (item.kind != WSHUB_SIO__UINT && item.kind != WSHUB_SIO__FLOAT) return false;
            cast->type = item.real;
        } else if (wshub_str_eq_z(key, "nsp")) {
            if (!wshub_sio__read_item(&c->in, &item) || item.kind != WSHUB_SIO__STR) return false;
            cast->has_space = true;
            cast->space = wshub_sio__item_str(&item);
        } else if (!wshub_sio__read_past(&c->in)) {
            return false;
        }
    }
    return true;
}

static bool wshub_sio__read_opts(wshub_sio__caster *c, wshub_sio__cast *cast) {
    wshub_str key;
    uint64_t left;
    bool ok;

    for (left = wshub_sio__read_map(c); left; left--) {
        if (left == UINT64_MAX || !wshub_sio__read_key(c, &key)) return false;
        if (wshub_str_eq_z(key, "rooms"))
            ok = wshub_sio__read_names(c, &cast->rooms, &cast->rooms_count);
        else if (wshub_str_eq_z(key, "except"))
            ok = wshub_sio__read_names(c, &cast->except, &cast->except_count);
        else if (wshub_str_eq_z(key, "flags"))
            ok = wshub_sio__read_flags(c, &cast->flags);
        else
            ok = wshub_sio__read_past(&c->in);
        if (!ok) return false;
    }
    return true;
}

/* Reads a broadcast. False: it is none. Where the buffers were too small, what they lacked is
 * counted, and what was read means nothing yet. */
static bool wshub_sio__cast_read(wshub_sio__caster *c, wshub_sio__cast *cast) {
    wshub_sio__item item;
    uint64_t more;

    memset(cast, 0, sizeof *cast);
    if (!wshub_sio__read_item(&c->in, &item) || item.kind != WSHUB_SIO__ARRAY || item.number < 3)
        return false;
    more = item.number - 3;
    if (!wshub_sio__read_item(&c->in, &item) || item.kind != WSHUB_SIO__STR) return false;
    cast->uid = wshub_sio__item_str(&item);
    if (!wshub_sio__read_packet(c, cast) || !wshub_sio__read_opts(c, cast)) return false;
    while (more--) {
        if (!wshub_sio__read_past(&c->in)) return false;
    }
    return c->in.at == c->in.end;
}

/* ---- >>sio-letters ---------------------------------------------------------------------------
 * What servers ask each other and answer, in JSON, in Node's words and order. Pure. Proved by
 * tests/test_sio_calls.c. */

/* What servers ask each other, by Node's numbers. */
enum {
    WSHUB_SIO__SOCKETS = 0,
    WSHUB_SIO__ROOMS = 1,
    WSHUB_SIO__JOIN = 2,
    WSHUB_SIO__LEAVE = 3,
    WSHUB_SIO__DISCONNECT = 4,
    WSHUB_SIO__FETCH = 5,
    WSHUB_SIO__SERVER_EVENT = 6,
    WSHUB_SIO__ASK = 7,         /* of all sockets, an acknowledgement */
    WSHUB_SIO__ASKED_COUNT = 8, /* how many were asked */
    WSHUB_SIO__ASKED_ANSWER = 9,
    WSHUB_SIO__SERVERS = 10,   /* ours, for nobody but the broker: how many there are */
    WSHUB_SIO__ALONE = 11,     /* none of these: nobody else is asked */
    WSHUB_SIO__REQUEST_ID = 96 /* bytes of the id of a request of others, as JSON; of their uid */
};

/* A request that is to be written. */
typedef struct wshub_sio__request {
    unsigned type;
    wshub_str uid, id;      /* len 0: it has none */
    const wshub_dest *dest; /* of whom it is; NULL: of nobody */
    const wshub_sio__names *rooms;
    const bool *close;
    const wshub_packet *packet;
    wshub_str space; /* of ASK, as the rest */
    uint32_t timeout_ms;
    size_t attachments_max;
} wshub_sio__request;

/* A list of names as JSON. */
static void wshub_sio__put_names(wshub_sio__sink *sink, wshub_sio__names first,
                                 wshub_sio__names second) {
    size_t i;

    wshub_sio__sink_text(sink, "[");
    for (i = 0; i < first.count + second.count; i++) {
        if (i) wshub_sio__sink_text(sink, ",");
        wshub_sio__put_quoted(sink, i < first.count ? first.list[i] : second.list[i - first.count]);
    }
    wshub_sio__sink_text(sink, "]");
}

/* Of whom it is: rooms, and those that are left out, ids among them. */
static void wshub_sio__put_dest(wshub_sio__sink *sink, const wshub_dest *dest) {
    wshub_sio__names rooms = wshub_sio__dest_rooms(dest), none = {NULL, 0}, ids, except;

    ids.list = dest->exclude;
    ids.count = dest->exclude_count;
    except.list = dest->except_rooms;
    except.count = dest->except_rooms_count;
    wshub_sio__sink_text(sink, "{\"rooms\":");
    wshub_sio__put_names(sink, rooms, none);
    wshub_sio__sink_text(sink, ",\"except\":");
    wshub_sio__put_names(sink, ids, except);
    wshub_sio__sink_text(sink, "}");
}

static void wshub_sio__put_number(wshub_sio__sink *sink, uint64_t number) {
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    wshub_sio__sink_text(sink, digits);
}

/* An event and its arguments, as an array. */
static void wshub_sio__put_event(wshub_sio__sink *sink, const wshub_packet *packet) {
    size_t i;

    wshub_sio__sink_text(sink, "[");
    wshub_sio__put_quoted(sink, packet->event);
    for (i = 0; i < packet->args_count; i++) {
        wshub_sio__sink_text(sink, ",");
        wshub_sio__sink_put(sink, packet->args[i].ptr, packet->args[i].len);
    }
    wshub_sio__sink_text(sink, "]");
}

static void wshub_sio__request_json(wshub_sio__sink *sink, const wshub_sio__request *r) {
    wshub_sio__names none = {NULL, 0};

    wshub_sio__sink_text(sink, "{");
    if (r->uid.len) {
        wshub_sio__sink_text(sink, "\"uid\":");
        wshub_sio__put_quoted(sink, r->uid);
        wshub_sio__sink_text(sink, ",");
    }
    if (r->id.len) {
        wshub_sio__sink_text(sink, "\"requestId\":");
        wshub_sio__put_quoted(sink, r->id);
        wshub_sio__sink_text(sink, ",");
    }
    wshub_sio__sink_text(sink, "\"type\":");
    wshub_sio__put_number(sink, r->type);
    if (r->dest) {
        wshub_sio__sink_text(sink, ",\"opts\":");
        wshub_sio__put_dest(sink, r->dest);
    }
    if (r->rooms) {
        wshub_sio__sink_text(sink, ",\"rooms\":");
        wshub_sio__put_names(sink, *r->rooms, none);
    }
    if (r->close) wshub_sio__sink_text(sink, *r->close ? ",\"close\":true" : ",\"close\":false");
    if (r->packet) {
        wshub_sio__sink_text(sink, ",\"data\":");
        wshub_sio__put_event(sink, r->packet);
    }
    wshub_sio__sink_text(sink, "}");
}

/* A request for acknowledgements, which may hold bytes, as msgpack. False: an argument is nested
 * too deep, or no JSON. */
static bool wshub_sio__request_pack(wshub_sio__sink *sink, const wshub_sio__request *r,
                                    size_t *out_bytes) {
    wshub_sio__broadcast said;

    memset(&said, 0, sizeof said);
    said.dest = r->dest;
    said.packet = r->packet;
    said.timeout_ms = r->timeout_ms;
    *out_bytes = 0;
    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_MAP, 5);
    wshub_sio__pack_text(sink, wshub_str_z("uid"));
    wshub_sio__pack_text(sink, r->uid);
    wshub_sio__pack_text(sink, wshub_str_z("requestId"));
    wshub_sio__pack_text(sink, r->id);
    wshub_sio__pack_text(sink, wshub_str_z("type"));
    wshub_sio__pack_uint(sink, r->type);
    wshub_sio__pack_text(sink, wshub_str_z("packet"));
    if (!wshub_sio__pack_event(sink, r->packet, r->space, out_bytes)) return false;
    wshub_sio__pack_text(sink, wshub_str_z("opts"));
    wshub_sio__pack_opts(sink, &said);
    return true;
}

/* ---- the same in the words of the sharded adapter ----
 * `{type, data, uid, nsp}`, in JSON; where there are bytes that is made msgpack of. */

/* Its numbers. */
enum {
    WSHUB_SIO__SHARD_DEPTH = 4, /* levels around the arguments of an event */
    WSHUB_SIO__SHARD_CAST = 3,  /* with a requestId: asking for acknowledgements */
    WSHUB_SIO__SHARD_JOIN = 4,
    WSHUB_SIO__SHARD_LEAVE = 5,
    WSHUB_SIO__SHARD_DISCONNECT = 6,
    WSHUB_SIO__SHARD_FETCH = 7,
    WSHUB_SIO__SHARD_FETCHED = 8,
    WSHUB_SIO__SHARD_EVENT = 9,
    WSHUB_SIO__SHARD_EVENT_ANSWER = 10,
    WSHUB_SIO__SHARD_COUNT = 11,
    WSHUB_SIO__SHARD_ANSWER = 12
};

static void wshub_sio__shard_begin(wshub_sio__sink *sink, unsigned type) {
    wshub_sio__sink_text(sink, "{\"type\":");
    wshub_sio__put_number(sink, type);
    wshub_sio__sink_text(sink, ",\"data\":{");
}

static void wshub_sio__shard_end(wshub_sio__sink *sink, wshub_str uid, wshub_str space) {
    wshub_sio__sink_text(sink, "},\"uid\":");
    wshub_sio__put_quoted(sink, uid);
    wshub_sio__sink_text(sink, ",\"nsp\":");
    wshub_sio__put_quoted(sink, space);
    wshub_sio__sink_text(sink, "}");
}

static void wshub_sio__shard_flags(wshub_sio__sink *sink, uint32_t flags, uint32_t timeout_ms) {
    const char *comma = "";

    wshub_sio__sink_text(sink, "{");
    if (flags & (WSHUB_PACKET_COMPRESS | WSHUB_PACKET_NO_COMPRESS)) {
        wshub_sio__sink_text(sink, flags & WSHUB_PACKET_NO_COMPRESS ? "\"compress\":false"
                                                                    : "\"compress\":true");
        comma = ",";
    }
    if (flags & WSHUB_PACKET_VOLATILE) {
        wshub_sio__sink_text(sink, comma);
        wshub_sio__sink_text(sink, "\"volatile\":true");
        comma = ",";
    }
    if (timeout_ms) {
        wshub_sio__sink_text(sink, comma);
        wshub_sio__sink_text(sink, "\"timeout\":");
        wshub_sio__put_number(sink, timeout_ms);
    }
    wshub_sio__sink_text(sink, "}");
}

/* To whom it goes, or of whom it is. */
static void wshub_sio__shard_opts(wshub_sio__sink *sink, const wshub_dest *dest, uint32_t flags,
                                  uint32_t timeout_ms) {
    wshub_sio__names rooms = wshub_sio__dest_rooms(dest), none = {NULL, 0}, ids, except;

    ids.list = dest->exclude;
    ids.count = dest->exclude_count;
    except.list = dest->except_rooms;
    except.count = dest->except_rooms_count;
    wshub_sio__sink_text(sink, "\"opts\":{\"rooms\":");
    wshub_sio__put_names(sink, rooms, none);
    wshub_sio__sink_text(sink, ",\"except\":");
    wshub_sio__put_names(sink, ids, except);
    wshub_sio__sink_text(sink, ",\"flags\":");
    wshub_sio__shard_flags(sink, flags, timeout_ms);
    wshub_sio__sink_text(sink, "}");
}

static void wshub_sio__shard_id(wshub_sio__sink *sink, wshub_str id, const char *before,
                                const char *behind) {
    if (!id.len) return;
    wshub_sio__sink_text(sink, before);
    wshub_sio__sink_text(sink, "\"requestId\":");
    wshub_sio__put_quoted(sink, id);
    wshub_sio__sink_text(sink, behind);
}

/* A broadcast; with an id it asks for acknowledgements. */
static void wshub_sio__shard_cast(wshub_sio__sink *sink, const wshub_sio__request *r) {
    wshub_sio__shard_begin(sink, WSHUB_SIO__SHARD_CAST);
    wshub_sio__sink_text(sink, "\"packet\":{\"type\":2,\"data\":");
    wshub_sio__put_event(sink, r->packet);
    wshub_sio__sink_text(sink, "},");
    wshub_sio__shard_id(sink, r->id, "", ",");
    wshub_sio__shard_opts(sink, r->dest, r->packet->flags, r->timeout_ms);
    wshub_sio__shard_end(sink, r->uid, r->space);
}

/* A request: JOIN, LEAVE, DISCONNECT, FETCH, SERVER_EVENT or ASK. */
static void wshub_sio__shard_request(wshub_sio__sink *sink, const wshub_sio__request *r) {
    wshub_sio__names none = {NULL, 0};

    if (r->type == WSHUB_SIO__ASK) {
        wshub_sio__shard_cast(sink, r);
        return;
    }
    if (r->type == WSHUB_SIO__SERVER_EVENT) {
        wshub_sio__shard_begin(sink, WSHUB_SIO__SHARD_EVENT);
        wshub_sio__shard_id(sink, r->id, "", ",");
        wshub_sio__sink_text(sink, "\"packet\":");
        wshub_sio__put_event(sink, r->packet);
        wshub_sio__shard_end(sink, r->uid, r->space);
        return;
    }
    wshub_sio__shard_begin(sink, r->type + 2); /* these four stand in the same order there */
    wshub_sio__shard_opts(sink, r->dest, 0, 0);
    if (r->rooms) {
        wshub_sio__sink_text(sink, ",\"rooms\":");
        wshub_sio__put_names(sink, *r->rooms, none);
    }
    if (r->close) wshub_sio__sink_text(sink, *r->close ? ",\"close\":true" : ",\"close\":false");
    wshub_sio__shard_id(sink, r->id, ",", "");
    wshub_sio__shard_end(sink, r->uid, r->space);
}

/* Names of events that servers keep for themselves, and `error`, for which one of Node's ends
 * itself where nobody listens. */
static bool wshub_sio__reserved_there(wshub_str name) {
    return wshub_str_eq_z(name, "connect") || wshub_str_eq_z(name, "connection") ||
           wshub_str_eq_z(name, "new_namespace") || wshub_str_eq_z(name, "error");
}

/* Header fields as Node has them: a byte is a character, and of one name all values are one. */
static void wshub_sio__put_latin(wshub_sio__sink *sink, wshub_str text) {
    size_t i;

    for (i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        char bytes[8];
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F)
            (void)snprintf(bytes, sizeof bytes, "\\u%04x", byte);
        else if (byte < 0x80)
            (void)snprintf(bytes, sizeof bytes, "%c", byte);
        else
            (void)snprintf(bytes, sizeof bytes, "%c%c", 0xC0 | byte >> 6, 0x80 | (byte & 0x3F));
        wshub_sio__sink_text(sink, bytes);
    }
}

static bool wshub_sio__same_field(wshub_str a, wshub_str b) {
    size_t i;

    for (i = 0; a.len == b.len && i < a.len; i++) {
        char x = a.ptr[i], y = b.ptr[i];
        if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
        if (x != y) return false;
    }
    return a.len == b.len;
}

static void wshub_sio__put_headers(wshub_sio__sink *sink, const wshub_http *http) {
    bool some = false;
    size_t i, k;

    for (i = 0; i < http->headers_count; i++) {
        const wshub_header *header = &http->headers[i];
        for (k = 0; k < i && !wshub_sio__same_field(http->headers[k].name, header->name);) k++;
        if (k < i) continue; /* it has been written with the first of its name */
        wshub_sio__sink_text(sink, some ? ",\"" : "\"");
        some = true;
        for (k = 0; k < header->name.len; k++) {
            char c = header->name.ptr[k];
            if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
            wshub_sio__sink_put(sink, &c, 1); /* a token: nothing in it is escaped */
        }
        wshub_sio__sink_text(sink, "\":\"");
        wshub_sio__put_latin(sink, header->value);
        for (k = i + 1; k < http->headers_count; k++) {
            if (!wshub_sio__same_field(http->headers[k].name, header->name)) continue;
            wshub_sio__sink_text(sink, ", ");
            wshub_sio__put_latin(sink, http->headers[k].value);
        }
        wshub_sio__sink_text(sink, "\"");
    }
}

/* What stands in a query, decoded; as it stands there where it is too long, or not UTF-8 then. */
static void wshub_sio__put_decoded(wshub_sio__sink *sink, wshub_str text) {
    char decoded[1024];
    wshub_str out = {decoded, 0};

    out.len = text.len ? wshub_percent_decode(text, true, decoded, sizeof decoded) : 0;
    if (out.len <= sizeof decoded && wshub_utf8_check((const uint8_t *)out.ptr, out.len)) {
        wshub_sio__put_quoted(sink, out);
        return;
    }
    wshub_sio__sink_text(sink, "\"");
    wshub_sio__put_latin(sink, text);
    wshub_sio__sink_text(sink, "\"");
}

/* The query as an object: JSON readers take the last of equal keys, as Node does. */
static void wshub_sio__put_query(wshub_sio__sink *sink, wshub_str query) {
    wshub_iter iter = {0, 0};
    wshub_str name, value;
    bool some = false;

    while (wshub_query_each(query, &iter, &name, &value)) {
        if (some) wshub_sio__sink_text(sink, ",");
        some = true;
        wshub_sio__put_decoded(sink, name);
        wshub_sio__sink_text(sink, ":");
        wshub_sio__put_decoded(sink, value);
    }
}

/* A point in time in the words of JavaScript's Date, in UTC. */
static void wshub_sio__put_day(wshub_sio__sink *sink, uint64_t ms) {
    static const char days[] = "ThuFriSatSunMonTueWed", /* the first of 1970 was a Thursday */
        months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char iso[24], text[64];
    int month;

    wshub_iso_time(ms, iso);
    month = (iso[5] - '0') * 10 + iso[6] - '0';
    (void)snprintf(text, sizeof text, "%.3s %.3s %.2s %.4s %.8s", days + 3 * (ms / 86400000 % 7),
                   months + 3 * (month - 1), iso + 8, iso, iso + 11);
    wshub_sio__sink_text(sink, text);
    wshub_sio__sink_text(sink, " GMT+0000 (Coordinated Universal Time)");
}

/* A handshake as Node tells of it. What has been forgotten is empty there. */
static void wshub_sio__put_handshake(wshub_sio__sink *sink, const wshub_sio_handshake *h) {
    wshub_sio__sink_text(sink, "{\"headers\":{");
    if (h->http) wshub_sio__put_headers(sink, h->http);
    wshub_sio__sink_text(sink, "},\"time\":\"");
    wshub_sio__put_day(sink, h->issued_ms);
    wshub_sio__sink_text(sink, "\",\"address\":\"");
    wshub_sio__put_latin(sink, h->address);
    wshub_sio__sink_text(sink, h->xdomain ? "\",\"xdomain\":true" : "\",\"xdomain\":false");
    wshub_sio__sink_text(sink, h->secure ? ",\"secure\":true" : ",\"secure\":false");
    wshub_sio__sink_text(sink, ",\"issued\":");
    wshub_sio__put_number(sink, h->issued_ms);
    wshub_sio__sink_text(sink, ",\"url\":\"");
    if (h->http) wshub_sio__put_latin(sink, h->http->target);
    wshub_sio__sink_text(sink, "\",\"query\":{");
    if (h->http) wshub_sio__put_query(sink, h->http->query);
    wshub_sio__sink_text(sink, "},\"auth\":");
    wshub_sio__sink_put(sink, h->auth.ptr, h->auth.len);
    wshub_sio__sink_text(sink, "}");
}

/* ---- >>sio-objects ---------------------------------------------------------------------------
 * What there is. */

/* Things that have handles: a place and a generation. */
typedef struct wshub_sio__entry {
    void *item;                     /* NULL: free */
    uint32_t generation, free_next; /* place + 1 */
} wshub_sio__entry;

typedef struct wshub_sio__table {
    wshub_sio__entry *entries;
    size_t count, cap;
    uint32_t free_first;
} wshub_sio__table;

/* An event that has been sent, kept for those who have missed it. One block holds all of it. */
typedef struct wshub_sio__said {
    struct wshub_sio__said *next; /* which was sent after it */
    uint64_t number, at_ms;
    size_t bytes;
    wshub_dest dest;
    wshub_packet packet; /* its last argument is its offset */
} wshub_sio__said;

/* How many characters tell offsets of one namespace from texts that are none of its offsets. */
#define WSHUB_SIO__TOKEN 4

/* What has been said in a namespace where sockets can come back. */
typedef struct wshub_sio__past {
    wshub_sio__said *oldest, **end;
    uint64_t numbers;          /* how many have been given out: 1 is the first */
    uint64_t lost, lost_at_ms; /* the last one that was dropped for a limit, before its time */
    size_t bytes;
    uint32_t count;
    uint32_t absent; /* sockets of this namespace that may come back */
    char token[WSHUB_SIO__TOKEN];
} wshub_sio__past;

/* A socket that has lost its connection and may come back. Its texts are behind it, in this
 * block. */
typedef struct wshub_sio__absent {
    struct wshub_sio__absent *older, *newer, *next; /* by age; of its bucket */
    struct wshub_sio__space *space;
    uint64_t since, gone_ms;
    size_t bytes;
    wshub_str user_id, metadata; /* ptr NULL: none */
    wshub_str *rooms;            /* in order, that of its own id among them */
    size_t rooms_count;
    char pid[WSHUB_SIO__ID], id[WSHUB_SIO__ID];
} wshub_sio__absent;

#define WSHUB_SIO__BUCKETS 1024

/* What a server has for recovery, where that is on. */
typedef struct wshub_sio__recovery {
    wshub_sio__absent *oldest, *newest;
    size_t bytes; /* of all who are absent */
    wshub_timer timer;
    wshub_sio__absent *buckets[WSHUB_SIO__BUCKETS]; /* by their pid */
} wshub_sio__recovery;

/* By what a socket can come back. */
typedef struct wshub_sio__ticket {
    char pid[WSHUB_SIO__ID];
    bool known, recovered;   /* its client has it; it has come back by it */
    uint64_t since;          /* the last event that was sent before its first CONNECT */
    uint64_t after;          /* the last that it has heard, while it comes back */
    wshub_sio__absent *back; /* what it was, while it comes back */
} wshub_sio__ticket;

/* A namespace that is open. */
typedef struct wshub_sio__space {
    wshub_sio *sio;
    wshub_str name;
    wshub_realm realm;
    wshub_sio_namespace_desc desc;
    wshub_sio_flow flow; /* with all defaults; desc.flow points here, if there is one */
    uint32_t place;
    bool made;                           /* by a rule, and gone with its last */
    struct wshub_sio__space *next_given; /* of those that were given their realm */
    bool on_bus;                         /* and `uid` is how others know it */
    char uid[WSHUB_SIO__UID];
    uint32_t sockets;      /* and those that ask to be one, or may come back */
    uint64_t asks;         /* ids that have been used */
    wshub_sio__past *past; /* NULL: nobody can come back */
} wshub_sio__space;

/* A rule that makes some. */
typedef struct wshub_sio__rule {
    struct wshub_sio__rule *next;
    wshub_sio_namespace_desc desc;
    wshub_sio_flow flow; /* where desc.flow points, if there is one */
} wshub_sio__rule;

/* One session of the engine. */
typedef struct wshub_sio__peer {
    wshub_sio *sio;
    wshub_eio_session session;
    struct wshub_sio__socket *sockets;
    struct wshub_sio__pending *pending;
    wshub_timer timer;            /* of its first namespace; {0}: it has one, or none runs */
    struct wshub_sio__part *part; /* a packet whose attachments have not all come */
} wshub_sio__peer;

/* A packet that waits for its attachments. */
typedef struct wshub_sio__part {
    size_t bytes; /* of this block: the text follows the attachments */
    wshub_str text;
    size_t held; /* bytes of all attachments so far, and of the text */
    unsigned want, have;
    wshub_timer timer;
    wshub_span attachments[1]; /* `want` of them; each a block of its own */
} wshub_sio__part;

/* Somebody who asks to connect. */
typedef struct wshub_sio__pending {
    wshub_sio__peer *peer;
    wshub_sio__space *space;
    struct wshub_sio__pending *next;
    uint64_t handle;
    bool unasked;   /* on_connect has not been asked */
    wshub_str auth; /* behind this block */
} wshub_sio__pending;

/* A socket: what is kept beside its client. */
typedef struct wshub_sio__socket {
    wshub_sio__peer *peer; /* NULL: its session has closed */
    wshub_sio__space *space;
    struct wshub_sio__socket *next; /* of its session */
    wshub_client client;
    uint32_t number;             /* its client's */
    const char *reason;          /* why it ends; NULL: nobody has said */
    struct wshub_sio__due *dues; /* events that wait for our acknowledgement, newest first */
    uint32_t dues_count, asked_count;
    struct wshub_sio__asked *asked; /* events of ours that wait for its */
    wshub_str auth;                 /* a block of its own; len 0: none */
    uint64_t mark;                  /* of the last selection that it was in */
    wshub_timer ping;               /* of its flow; {0}: none runs */
    wshub_sio__ticket *ticket;      /* NULL: it cannot come back */
} wshub_sio__socket;

/* An event that we have yet to acknowledge. */
typedef struct wshub_sio__due {
    wshub_sio__socket *socket;
    struct wshub_sio__due *next;
    uint64_t handle;
    char id[WSHUB_SIO__ID_DIGITS + 1];
} wshub_sio__due;

/* A request of another server, for whom we ask our sockets. */
typedef struct wshub_sio__asker {
    char id[WSHUB_SIO__REQUEST_ID], uid[WSHUB_SIO__REQUEST_ID];
    size_t id_len, uid_len; /* id_len 0: nobody */
} wshub_sio__asker;

/* Acknowledgements that we wait for, and answers of other servers. */
typedef struct wshub_sio__wait {
    wshub_sio *sio;
    uint64_t id; /* in its namespace */
    wshub_sio_answers_fn fn;
    wshub_sio_found_fn found; /* instead of fn: where servers are asked */
    void *user;
    uint8_t about; /* what other servers are asked; ALONE: nothing */
    wshub_sio_namespace space;
    char request[WSHUB_SIO__UID];     /* by which they know it */
    struct wshub_sio__wait *next_out; /* of those about which others are asked */
    struct wshub_sio__census *census; /* how many they are is not known yet */
    bool uncounted;                   /* it will not be known */
    uint32_t servers, told;           /* others that are asked; how many of them have answered */
    uint64_t clients, heard;          /* their sockets that are asked, and have answered */
    wshub_sio__asker asker;           /* who wants the answers of ours; else we do */
    wshub_timer timer;
    bool many;
    uint32_t left; /* who has yet to answer */
    struct wshub_sio__asked *asked;
    bool too_long;                                   /* an answer was dropped */
    struct wshub_sio__kept *first_kept, **next_kept; /* answers so far, in their order */
    uint32_t kept_count;
    size_t kept_bytes;
} wshub_sio__wait;

/* The broker is being asked how many servers there are. */
typedef struct wshub_sio__census {
    wshub_sio *sio;
    wshub_sio__wait *wait; /* NULL: it is over */
} wshub_sio__census;

/* An event of another server that the application has yet to answer. */
typedef struct wshub_sio__owed {
    struct wshub_sio__owed *next; /* the next younger one */
    uint64_t handle;
    wshub_sio_namespace space;
    wshub_sio__asker asker;
} wshub_sio__owed;

/* An answer of one of many; its text and its bytes are behind it, in this block. */
typedef struct wshub_sio__kept {
    struct wshub_sio__kept *next;
    size_t bytes;
    wshub_sio_answered answered;
} wshub_sio__kept;

/* One who was asked. */
typedef struct wshub_sio__asked {
    wshub_sio__socket *socket; /* NULL: it has gone */
    wshub_sio__wait *wait;
    struct wshub_sio__asked *next_of_socket, *next_of_wait;
} wshub_sio__asked;

enum { WSHUB_SIO__POLL, WSHUB_SIO__FRAMES, WSHUB_SIO__FRAMES_B64, WSHUB_SIO__WAYS };

struct wshub_sio {
    wshub *hub;
    wshub_eio *eio;
    wshub_sio_desc desc; /* with all defaults */
    uint32_t dialect;
    wshub_kind kinds[WSHUB_SIO__WAYS];
    wshub_sio__table spaces, pending, dues, owed;
    wshub_sio__owed *owed_oldest, **owed_end;
    size_t owed_count;
    wshub_sio__wait *out; /* about which other servers are asked */
    uint32_t asks_dialect,
        answers_dialect; /* whose channels are those of requests, and of answers */
    wshub_sio__rule *rules;
    wshub_sio__space *given;       /* the first that was given its realm */
    uint32_t made;                 /* namespaces that rules have made */
    wshub_sio__socket **by_number; /* of their clients */
    uint32_t by_number_cap;
    const wshub_sio__out *saying; /* what a client is told on acceptance; NULL: it is an event */
    size_t saying_count;
    wshub_sio__socket *leaving; /* of whose end is being told; NULL: nobody's */
    wshub_str *list;            /* arguments of the event that is being handed over */
    size_t list_cap;
    char *scratch;
    size_t scratch_cap;
    char bus_prefix[WSHUB_BUS_PREFIX_BYTES_MAX + 1];
    char asks_prefix[WSHUB_BUS_PREFIX_BYTES_MAX + 1],
        answers_prefix[WSHUB_BUS_PREFIX_BYTES_MAX + 1];
    char *said, *heard; /* on the bus: what is being published, and what is being delivered */
    char *packed;       /* of what is being published: msgpack, where it holds bytes */
    size_t said_cap, heard_cap, packed_cap;
    wshub_str *heard_list;
    size_t heard_list_cap;
    uint64_t marks;
    wshub_sio__recovery *recovery; /* NULL: off */
    const wshub_packet *keeping;   /* what is being sent with its offset; NULL: nothing is */
    wshub_sio_stats stats;
};

/* The C library's, where no allocator is given. */
static void *wshub_sio__realloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

static void *wshub_sio__alloc(const wshub_sio *sio, void *ptr, size_t old_bytes, size_t new_bytes) {
    return sio->desc.engine.alloc(sio->desc.engine.alloc_user, ptr, old_bytes, new_bytes);
}

static void *wshub_sio__new(const wshub_sio *sio, size_t bytes) {
    void *ptr = wshub_sio__alloc(sio, NULL, 0, bytes);
    if (ptr) memset(ptr, 0, bytes);
    return ptr;
}

static void wshub_sio__free(const wshub_sio *sio, void *ptr, size_t bytes) {
    if (ptr) (void)wshub_sio__alloc(sio, ptr, bytes, 0);
}

/* Makes an array long enough. False: out of memory, nothing changed. */
static bool wshub_sio__reach(const wshub_sio *sio, void **items, size_t *cap, size_t want,
                             size_t item_bytes) {
    size_t more = *cap ? *cap : 8;
    void *grown;

    WSHUB_ASSERT((*items != NULL) == (*cap != 0));
    if (want <= *cap) return true;
    while (more < want) more *= 2;
    grown = wshub_sio__alloc(sio, *items, *cap * item_bytes, more * item_bytes);
    if (!grown) return false;
    *items = grown;
    *cap = more;
    return true;
}

/* Puts something into a table. Returns its handle; 0: out of memory. */
static uint64_t wshub_sio__take(wshub_sio *sio, wshub_sio__table *table, void *item) {
    wshub_sio__entry *entry;
    uint32_t place;

    WSHUB_ASSERT(item);
    if (table->free_first) {
        place = table->free_first - 1;
        WSHUB_ASSERT(!table->entries[place].item);
        table->free_first = table->entries[place].free_next;
    } else {
        void *entries = table->entries;
        if (!wshub_sio__reach(sio, &entries, &table->cap, table->count + 1, sizeof *entry))
            return 0;
        table->entries = (wshub_sio__entry *)entries;
        place = (uint32_t)table->count++;
        table->entries[place].generation = 1;
    }
    entry = &table->entries[place];
    entry->item = item;
    return (uint64_t)entry->generation << 32 | (place + 1);
}

/* What has a handle. NULL: nothing any more. */
static void *wshub_sio__get(const wshub_sio__table *table, uint64_t handle) {
    uint32_t place = (uint32_t)handle - 1;
    if (!(uint32_t)handle || place >= table->count) return NULL;
    return table->entries[place].generation == (uint32_t)(handle >> 32) ? table->entries[place].item
                                                                        : NULL;
}

static void wshub_sio__drop(wshub_sio__table *table, uint64_t handle) {
    uint32_t place = (uint32_t)handle - 1;

    WSHUB_ASSERT(wshub_sio__get(table, handle));
    table->entries[place].item = NULL;
    table->entries[place].generation++;
    table->entries[place].free_next = table->free_first;
    table->free_first = place + 1;
}

static void wshub_sio__table_done(wshub_sio *sio, wshub_sio__table *table) {
    wshub_sio__free(sio, table->entries, table->cap * sizeof *table->entries);
    memset(table, 0, sizeof *table);
}

/* A copy of a text in a block of its own. len 0: none was needed, or there was no memory. */
static wshub_str wshub_sio__copy(const wshub_sio *sio, wshub_str text) {
    wshub_str copy = {NULL, 0};
    char *to = text.len ? (char *)wshub_sio__alloc(sio, NULL, 0, text.len) : NULL;
    if (!to) return copy;
    memcpy(to, text.ptr, text.len);
    copy.ptr = to;
    copy.len = text.len;
    return copy;
}

static void wshub_sio__text_free(const wshub_sio *sio, wshub_str *text) {
    if (text->len) (void)wshub_sio__alloc(sio, (void *)(uintptr_t)text->ptr, text->len, 0);
    text->ptr = NULL;
    text->len = 0;
}

static const char wshub_sio__alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* An id of a socket, or of its recovery. */
static void wshub_sio__id_make(wshub_sio *sio, char out[WSHUB_SIO__ID]) {
    uint8_t bytes[WSHUB_SIO__ID];
    int i;
    wshub_random_bytes(sio->hub, bytes, sizeof bytes);
    for (i = 0; i < WSHUB_SIO__ID; i++) out[i] = wshub_sio__alphabet[bytes[i] & 63];
}

/* The socket of a client. NULL: it is none of ours, or gone. */
static wshub_sio__socket *wshub_sio__socket_of(const wshub_sio *sio, wshub_client client) {
    uint32_t number = wshub_client_number(sio->hub, client);
    wshub_sio__socket *socket = number < sio->by_number_cap ? sio->by_number[number] : NULL;
    return socket && socket->client.id == client.id ? socket : NULL;
}

static wshub_sio__space *wshub_sio__space_get(const wshub_sio *sio, wshub_sio_namespace handle) {
    uint32_t place = (handle.id & 0xFFFF) - 1; /* half of its generation stands in a handle */
    if (!(handle.id & 0xFFFF) || place >= sio->spaces.count) return NULL;
    return (sio->spaces.entries[place].generation & 0xFFFF) == handle.id >> 16
               ? (wshub_sio__space *)sio->spaces.entries[place].item
               : NULL;
}

static wshub_sio_namespace wshub_sio__space_handle(const wshub_sio__space *space) {
    wshub_sio_namespace handle;
    WSHUB_ASSERT(space->sio->spaces.entries[space->place].item == space);
    handle.id =
        (space->sio->spaces.entries[space->place].generation & 0xFFFF) << 16 | (space->place + 1);
    return handle;
}

/* The namespace of a name. NULL: none is open. */
static wshub_sio__space *wshub_sio__space_find(const wshub_sio *sio, wshub_str name) {
    size_t i;
    for (i = 0; i < sio->spaces.count; i++) {
        wshub_sio__space *space = (wshub_sio__space *)sio->spaces.entries[i].item;
        if (space && wshub_str_eq(space->name, name)) return space;
    }
    return NULL;
}

/* The namespace of a realm, whether that is its own or was given. */
static const wshub_sio__space *wshub_sio__space_in(const wshub_sio *sio, wshub_realm realm) {
    const wshub_sio__space *space = sio->given;
    while (space && space->realm.id != realm.id) space = space->next_given;
    return space ? space : (const wshub_sio__space *)wshub_realm_user(sio->hub, realm);
}

/* Has a namespace this realm already? */
static bool wshub_sio__is_taken(const wshub_sio *sio, wshub_realm realm) {
    size_t i;
    for (i = 0; i < sio->spaces.count; i++) {
        const wshub_sio__space *space = (const wshub_sio__space *)sio->spaces.entries[i].item;
        if (space && space->realm.id == realm.id) return true;
    }
    return false;
}

/* >>sio-check: what holds between two calls, and what holds besides where no call is under way. */
static void wshub_sio__check(const wshub_sio *sio);
static void wshub_sio__check_still(const wshub_sio *sio);

/* ---- >>sio-encode ----------------------------------------------------------------------------
 * An event as each way has it: frames, with the attachments as frames behind it or as texts, or a
 * part of a payload. Written once for each way that has a receiver. */

/* Is it a packet that clients can read: no reserved name, no id that is none of theirs, not too
 * many attachments? */
static bool wshub_sio__sayable(const wshub_sio *sio, const wshub_packet *packet) {
    wshub_str id = packet->id;

    if (packet->attachments_count > sio->desc.attachments_max) return false;
    if (!id.ptr) return packet->event.len && !wshub_sio__reserved(packet->event);
    return id.len && wshub_sio__digits(&id).len == packet->id.len;
}

/* Are the bytes there for which objects in its arguments stand? Arguments that are no JSON are
 * somebody else's to refuse. */
static bool wshub_sio__bytes_there(const wshub_packet *packet) {
    size_t i;

    for (i = 0; packet->attachments_count && i < packet->args_count; i++) {
        if (packet->args[i].ptr && wshub_json_check(packet->args[i], WSHUB_SIO__DEPTH) &&
            !wshub_sio__placeholders_ok(packet->args[i], packet->attachments_count))
            return false;
    }
    return true;
}

/* Where so many bytes of text go, as the way has it. NULL: out of memory. */
static char *wshub_sio__way_text(wshub_writer *out, int way, size_t len, bool first) {
    uint8_t *to;

    if (way != WSHUB_SIO__POLL) return (char *)wshub_writer_frame(out, true, len);
    to = wshub_writer_room(out, len + (first ? 0 : 1));
    if (!to) return NULL;
    if (!first) *to++ = WSHUB_EIO_SEPARATOR;
    return (char *)to;
}

static void wshub_sio__way_commit(wshub_writer *out, int way, size_t len, bool first) {
    if (way == WSHUB_SIO__POLL) wshub_writer_commit(out, len + (first ? 0 : 1));
}

/* A packet's text. */
static wshub_err wshub_sio__way_packet(wshub_writer *out, int way, const wshub_sio__out *packet,
                                       bool first) {
    size_t len = wshub_sio__text_len(packet);
    char *to = wshub_sio__way_text(out, way, len, first), *end;

    if (!to) return WSHUB_ERR_NOMEM;
    end = wshub_sio__text_write(packet, to);
    WSHUB_ASSERT(end == to + len);
    (void)end;
    wshub_sio__way_commit(out, way, len, first);
    return WSHUB_OK;
}

/* One attachment. */
static wshub_err wshub_sio__way_bytes(wshub_writer *out, int way, wshub_span bytes) {
    size_t len = wshub_eio_binary_len(bytes.len);
    uint8_t *frame;
    char *to;

    if (way == WSHUB_SIO__FRAMES) {
        frame = wshub_writer_frame(out, false, bytes.len);
        if (!frame) return WSHUB_ERR_NOMEM;
        if (bytes.len) memcpy(frame, bytes.ptr, bytes.len);
        return WSHUB_OK;
    }
    to = wshub_sio__way_text(out, way, len, false);
    if (!to) return WSHUB_ERR_NOMEM;
    wshub_eio_binary_write(bytes.ptr, bytes.len, to);
    wshub_sio__way_commit(out, way, len, false);
    return WSHUB_OK;
}

/* What a client is told on acceptance, all of it as one message. */
static wshub_err wshub_sio__encode_saying(const wshub_sio *sio, wshub_str space, int way,
                                          wshub_writer *writer) {
    wshub_err err = WSHUB_OK;
    size_t i, k;

    for (i = 0; i < sio->saying_count && !err; i++) {
        wshub_sio__out out = sio->saying[i];
        out.space = space;
        err = wshub_sio__way_packet(writer, way, &out, i == 0);
        for (k = 0; out.packet && k < out.packet->attachments_count && !err; k++)
            err = wshub_sio__way_bytes(writer, way, out.packet->attachments[k]);
    }
    return err;
}

static wshub_err wshub_sio__encode(wshub *hub, wshub_kind kind, wshub_realm realm,
                                   const wshub_packet *packet, wshub_writer *writer, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    const wshub_sio__space *space = wshub_sio__space_in(sio, realm);
    wshub_str placeholder;
    wshub_packet bytes;
    wshub_sio__out out;
    wshub_err err;
    size_t i;
    int way = 0;

    (void)hub;
    while (sio->kinds[way] != kind) way++;
    WSHUB_ASSERT(way < WSHUB_SIO__WAYS);
    WSHUB_ASSERT(space);
    if (sio->saying) return wshub_sio__encode_saying(sio, space->name, way, writer);

    memset(&out, 0, sizeof out);
    out.space = space->name;
    if (!packet->event.ptr) { /* bytes alone (wshub_client_send_binary()) */
        placeholder = wshub_str_z("{\"_placeholder\":true,\"num\":0}");
        bytes = *packet;
        bytes.event = wshub_str_z("message");
        bytes.args = &placeholder;
        bytes.args_count = 1;
        out.type = '2';
        out.packet = &bytes;
    } else {
        if (!wshub_sio__sayable(sio, packet)) {
            sio->stats.refused++;
            return WSHUB_ERR_PARAM;
        }
        if (sio->keeping && packet->args == sio->keeping->args) packet = sio->keeping;
        out.type = packet->id.ptr ? '3' : '2';
        out.id = packet->id.ptr ? packet->id : packet->ask;
        if (!out.id.ptr) out.id.len = 0;
        out.packet = packet;
    }

    err = wshub_sio__way_packet(writer, way, &out, true);
    for (i = 0; out.packet && i < out.packet->attachments_count && !err; i++)
        err = wshub_sio__way_bytes(writer, way, out.packet->attachments[i]);
    return err;
}

/* Says something that is no event, in its order among all that its session is sent. */
static void wshub_sio__say(const wshub_sio__peer *peer, char type, wshub_str space,
                           wshub_str json) {
    wshub_sio *sio = peer->sio;
    wshub_sio__out out;
    size_t len;
    char *text, *end;

    memset(&out, 0, sizeof out);
    out.type = type;
    out.space = space;
    out.json = json;
    len = wshub_sio__text_len(&out);
    text = (char *)wshub_sio__alloc(sio, NULL, 0, len);
    if (!text) {
        (void)wshub_eio_close_for(sio->eio, peer->session, WSHUB_EIO_OVERFLOW);
        return;
    }
    end = wshub_sio__text_write(&out, text);
    WSHUB_ASSERT(end == text + len);
    (void)end;
    (void)wshub_eio_send(sio->eio, peer->session, text + 1, len - 1, true); /* which says the 4 */
    wshub_sio__free(sio, text, len);
}

/* Refuses a CONNECT. data: raw JSON; ptr NULL: none. */
static void wshub_sio__say_refused(const wshub_sio__peer *peer, wshub_str space,
                                   const char *message, wshub_str data) {
    size_t cap = 64 + wshub_json_quoted_len(wshub_str_z(message)) + data.len;
    const wshub_sio *sio = peer->sio; /* the peer goes where its session closes meanwhile */
    char *buf = (char *)wshub_sio__alloc(sio, NULL, 0, cap);
    wshub_json_writer writer;
    wshub_str json;

    if (!buf) {
        (void)wshub_eio_close_for(sio->eio, peer->session, WSHUB_EIO_OVERFLOW);
        return;
    }
    wshub_json_begin(&writer, buf, cap);
    wshub_json_put_object(&writer, NULL);
    wshub_json_put_str(&writer, "message", wshub_str_z(message));
    if (data.ptr) wshub_json_put_raw(&writer, "data", data);
    wshub_json_put_end(&writer);
    if (!wshub_json_done(&writer, &json)) wshub_sio__say(peer, '4', space, json);
    wshub_sio__free(sio, buf, cap);
}

/* ---- >>sio-bus -------------------------------------------------------------------------------
 * Other servers (wshub_sio_desc.bus): what is emitted in a namespace is published as a broadcast. A
 * namespace's channels are those of its name, `N#` and `N#room#`, and those on which servers ask
 * each other and answer. All of them are listened to, or of rooms, whose channels a pattern brings,
 * those that are here alone (bus_mode). What comes there is >>sio-heard's and >>sio-asked's. */

/* May a namespace be on the bus? In a name with one of these its channels would be another's, or a
 * pattern of many. */
static bool wshub_sio__bus_may(const wshub_sio *sio, wshub_str name) {
    size_t i;

    if (!sio->desc.bus) return false;
    for (i = 0; i < name.len; i++) {
        if (!name.ptr[i] || strchr("#*?[]\\", name.ptr[i])) return false;
    }
    return true;
}

static wshub_str wshub_sio__uid(const wshub_sio__space *space) {
    wshub_str uid;
    uid.ptr = space->uid;
    uid.len = sizeof space->uid;
    return uid;
}

/* Does the server speak as the sharded adapter does? */
static bool wshub_sio__sharded(const wshub_sio *sio) {
    return sio->desc.bus_mode >= WSHUB_SIO_BUS_SHARDED;
}

/* The length of a name as JavaScript has it. */
static size_t wshub_sio__units(wshub_str name) {
    size_t units = 0, i;
    for (i = 0; i < name.len; i++) {
        uint8_t byte = (uint8_t)name.ptr[i];
        units += (byte & 0xC0) != 0x80; /* a character begins */
        units += byte >= 0xF0;          /* one that is a pair there */
    }
    return units;
}

/* Has a room a channel of its own? Sharded, it depends: to what looks like a socket's id, which is
 * any name of 20, nobody publishes by one, but where all ids have theirs. */
static bool wshub_sio__room_channel(const wshub_sio *sio, wshub_str room) {
    enum { LIKE_AN_ID = 20 };
    switch (sio->desc.bus_mode) {
    case WSHUB_SIO_BUS_SHARDED_STATIC: return false;
    case WSHUB_SIO_BUS_SHARDED: return wshub_sio__units(room) != LIKE_AN_ID;
    case WSHUB_SIO_BUS_PATTERNS:
    case WSHUB_SIO_BUS_PRECISE:
    case WSHUB_SIO_BUS_SHARDED_PRIVATE: break;
    }
    return true;
}

/* Listens to a channel of a namespace, `N#` and what stands behind that, or does so no longer. What
 * fails for want of memory is asked for again by the hub.
 *   end  `#`, `*` for a pattern, or nothing, behind `rest` */
static void wshub_sio__bus_hear(const wshub_sio__space *space, uint32_t dialect, wshub_str rest,
                                const char *end, bool yes) {
    char text[WSHUB_BUS_CHANNEL_BYTES_MAX];
    wshub_sio__sink sink = {text, sizeof text, 0};
    bool pattern = *end == '*';
    wshub_str channel;

    WSHUB_ASSERT(space->on_bus);
    wshub_sio__sink_put(&sink, space->name.ptr, space->name.len);
    wshub_sio__sink_text(&sink, "#");
    wshub_sio__sink_put(&sink, rest.ptr, rest.len);
    wshub_sio__sink_text(&sink, end);
    if (sink.len > sink.cap) return; /* nobody can publish there either */
    channel.ptr = text;
    channel.len = sink.len;
    (void)(yes ? wshub_bus_subscribe : wshub_bus_unsubscribe)(space->sio->hub, dialect, channel,
                                                              pattern);
}

/* Listens to what is said to all of a namespace, and by patterns to its rooms too, or does so no
 * longer. */
static void wshub_sio__bus_listen(const wshub_sio__space *space, bool yes) {
    const wshub_sio *sio = space->sio;
    wshub_str none = {"", 0};
    bool patterns = sio->desc.bus_mode == WSHUB_SIO_BUS_PATTERNS;

    if (!space->on_bus) return;
    wshub_sio__bus_hear(space, sio->dialect, none, patterns ? "*" : "", yes);
    if (!wshub_sio__sharded(sio)) { /* whose requests and answers come by the same channels */
        wshub_sio__bus_hear(space, sio->asks_dialect, none, "", yes);
        wshub_sio__bus_hear(space, sio->answers_dialect, none, "", yes);
    }
    wshub_sio__bus_hear(space, sio->answers_dialect, wshub_sio__uid(space), "#", yes);
}

/* The first of a room has come, or its last has gone. A socket is in the room of its id. */
static void wshub_sio__bus_name(wshub *hub, wshub_realm realm, wshub_dest_kind kind, wshub_str name,
                                bool here, void *user) {
    const wshub_sio__space *space = (const wshub_sio__space *)wshub_realm_user(hub, realm);

    if (!space || kind != WSHUB_DEST_ROOM) return;
    WSHUB_ASSERT(space->on_bus); /* no other realm is told of */
    if (!wshub_sio__room_channel(space->sio, name)) return;
    wshub_sio__bus_hear(space, ((const wshub_sio *)user)->dialect, name, "#", here);
}

/* Gives a new namespace its name among servers. */
static void wshub_sio__bus_join(wshub_sio__space *space) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[WSHUB_SIO__UID];
    size_t i;

    WSHUB_ASSERT(!space->uid[0]); /* it is known by one name as long as it is there */
    wshub_random_bytes(space->sio->hub, bytes, sizeof bytes);
    for (i = 0; i < sizeof bytes; i++) space->uid[i] = alphabet[bytes[i] & 63];
    wshub_sio__bus_listen(space, true);
}

/* The bus is connected: nothing is listened to any more. */
static void wshub_sio__bus_state(wshub *hub, wshub_bus_state state, void *user) {
    const wshub_sio *sio = (const wshub_sio *)user;
    size_t i;

    (void)hub;
    if (state != WSHUB_BUS_CONNECTED) return;
    for (i = 0; i < sio->spaces.count; i++) {
        const wshub_sio__space *space = (const wshub_sio__space *)sio->spaces.entries[i].item;
        if (space) wshub_sio__bus_listen(space, true);
    }
}

static bool wshub_sio__bus_room(const wshub_sio *sio, char **buf, size_t *cap, size_t want) {
    void *bytes = *buf;
    bool ok = wshub_sio__reach(sio, &bytes, cap, want, 1);
    *buf = (char *)bytes;
    return ok;
}

/* Gives up a buffer that a huge message has left. */
static void wshub_sio__bus_trim(const wshub_sio *sio, char **buf, size_t *cap) {
    if (*cap <= WSHUB_SIO__BUFFER) return;
    wshub_sio__free(sio, *buf, *cap);
    *buf = NULL;
    *cap = 0;
}

/* Publishes what is sent in a namespace. What a broadcast has no words for stays here: answers,
 * what asks for some, and users, which are the hub's. */
static wshub_err wshub_sio__publish(wshub *hub, wshub_realm realm, const wshub_dest *dest,
                                    const wshub_packet *packet, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    const wshub_sio__space *space = (const wshub_sio__space *)wshub_realm_user(hub, realm);
    wshub_sio__broadcast said = {"", wshub_sio__uid(space), space->name, dest, packet, false, 0};
    size_t channel_len = 0, bytes_count = 0;
    wshub_sio__sink sink;
    wshub_str channel, payload;
    wshub_err err;

    if (dest->kind == WSHUB_DEST_USER || packet->id.ptr || packet->ask.ptr) return WSHUB_OK;
    WSHUB_ASSERT(space->on_bus);
    do {
        sink.buf = sio->said;
        sink.cap = sio->said_cap;
        sink.len = 0;
        if (!wshub_sio__sayable(sio, packet) || !wshub_sio__bytes_there(packet) ||
            !wshub_sio__cast_write(&sink, &said, &channel_len, &bytes_count) ||
            bytes_count > sio->desc.attachments_max) {
            sio->stats.refused++;
            return WSHUB_ERR_PARAM;
        }
        if (sink.len > sink.cap && !wshub_sio__bus_room(sio, &sio->said, &sio->said_cap, sink.len))
            return WSHUB_ERR_NOMEM;
    } while (sink.len > sink.cap);

    channel.ptr = sio->said;
    channel.len = channel_len;
    payload.ptr = sio->said + channel_len;
    payload.len = sink.len - channel_len;
    err = wshub_bus_publish(hub, sio->dialect, channel, payload);
    wshub_sio__bus_trim(sio, &sio->said, &sio->said_cap);
    return err;
}

/* ---- >>sio-namespaces ------------------------------------------------------------------------
 * Namespaces, each with a realm; those that rules have made go with their last socket. */

static void wshub_sio__past_free(wshub_sio *sio, wshub_sio__past *past); /* >>sio-recovery */

static bool wshub_sio__name_ok(wshub_str name) {
    return name.len && name.len <= WSHUB_SIO__NAME_MAX && name.ptr[0] == '/' &&
           !memchr(name.ptr, ',', name.len) &&
           wshub_utf8_check((const uint8_t *)name.ptr, name.len);
}

static void wshub_sio__space_free(wshub_sio__space *space) {
    wshub_sio *sio = space->sio;
    uint64_t generation = sio->spaces.entries[space->place].generation;

    WSHUB_ASSERT(sio->stats.namespaces > 0);
    WSHUB_ASSERT(wshub_sio__get(&sio->spaces, generation << 32 | (space->place + 1)) == space);
    wshub_sio__drop(&sio->spaces, generation << 32 | (space->place + 1));
    wshub_sio__past_free(sio, space->past);
    wshub_sio__text_free(sio, &space->name);
    wshub_sio__free(sio, space, sizeof *space);
    sio->stats.namespaces--;
}

/* What a flow says, its defaults filled in. */
static wshub_sio_flow wshub_sio__flow_of(const wshub_sio_flow *desc) {
    static const char *const rooms[] = {"io-default", "io-notification"};
    wshub_sio_flow flow = *desc;

    if (!flow.auth_timeout_ms) flow.auth_timeout_ms = 10000;
    if (!flow.ping_interval_ms) flow.ping_interval_ms = 30000;
    if (!flow.default_rooms) {
        flow.default_rooms = rooms;
        flow.default_rooms_count = sizeof rooms / sizeof rooms[0];
    }
    if (flow.no_default_rooms) flow.default_rooms_count = 0;
    return flow;
}

/* Gives a namespace the realm that is meant for it, or a new one. */
static wshub_err wshub_sio__space_place(wshub_sio__space *space) {
    wshub_sio *sio = space->sio;
    char terminated[WSHUB_SIO__NAME_MAX + 1];
    wshub_realm_desc realm;

    if (space->desc.realm) {
        space->realm = *space->desc.realm;
        space->desc.realm = NULL; /* borrowed no longer */
        space->next_given = sio->given;
        sio->given = space;
        return WSHUB_OK;
    }

    WSHUB_ASSERT(space->name.len <= WSHUB_SIO__NAME_MAX);
    memset(&realm, 0, sizeof realm);
    memcpy(terminated, space->name.ptr, space->name.len);
    terminated[space->name.len] = 0;
    realm.version = WSHUB_REALM_VERSION;
    realm.name = terminated;
    realm.user = space;
    space->on_bus = wshub_sio__bus_may(sio, space->name);
    if (space->on_bus) realm.dialect = sio->dialect;
    if (space->desc.flow && space->flow.default_rooms_count) {
        realm.default_rooms = space->flow.default_rooms;
        realm.default_rooms_count = space->flow.default_rooms_count;
    }
    return wshub_realm_create(sio->hub, &realm, &space->realm);
}

/* Opens a namespace. */
static wshub_err wshub_sio__space_open(wshub_sio *sio, wshub_str name,
                                       const wshub_sio_namespace_desc *desc, bool made,
                                       wshub_sio__space **out) {
    wshub_sio__space *space = (wshub_sio__space *)wshub_sio__new(sio, sizeof *space);
    uint64_t handle;
    wshub_err err;

    if (!space) return WSHUB_ERR_NOMEM;
    space->sio = sio;
    space->desc = *desc;
    if (desc->flow) {
        space->flow = wshub_sio__flow_of(desc->flow);
        space->desc.flow = &space->flow;
    }
    space->made = made;
    space->name = wshub_sio__copy(sio, name);
    handle = space->name.len && sio->spaces.count - (sio->spaces.free_first != 0) < 0xFFFF
                 ? wshub_sio__take(sio, &sio->spaces, space)
                 : 0;
    if (!handle) {
        wshub_sio__text_free(sio, &space->name);
        wshub_sio__free(sio, space, sizeof *space);
        return WSHUB_ERR_NOMEM;
    }
    space->place = (uint32_t)handle - 1;
    sio->stats.namespaces++;

    err = wshub_sio__space_place(space);
    if (err) {
        wshub_sio__space_free(space);
        return err;
    }
    if (space->on_bus) wshub_sio__bus_join(space);
    *out = space;
    return WSHUB_OK;
}

/* A made namespace is empty: its realm can go when the last client has been told of, which may be
 * later than this. */
static void wshub_sio__space_sweep(wshub *hub, void *arg) {
    wshub_sio *sio = (wshub_sio *)arg;
    size_t i;

    for (i = 0; i < sio->spaces.count; i++) {
        wshub_sio__space *space = (wshub_sio__space *)sio->spaces.entries[i].item;
        if (!space || !space->made || space->sockets) continue;
        if (wshub_realm_destroy(hub, space->realm)) {
            (void)wshub_timer_start(hub, 100, wshub_sio__space_sweep, sio, NULL);
            continue;
        }
        WSHUB_ASSERT(sio->made > 0);
        WSHUB_ASSERT(!space->past || !space->past->absent);
        sio->made--;
        wshub_sio__bus_listen(space, false);
        wshub_sio__space_free(space);
    }
    wshub_sio__check(sio);
}

/* One that was made, and that nobody is in, goes. */
static void wshub_sio__space_unused(wshub_sio__space *space) {
    if (space->sockets || !space->made) return;
    (void)wshub_timer_start(space->sio->hub, 0, wshub_sio__space_sweep, space->sio, NULL);
}

static void wshub_sio__space_left(wshub_sio__space *space) {
    WSHUB_ASSERT(space->sockets > 0);
    space->sockets--;
    wshub_sio__space_unused(space);
}

/* The namespace that is asked for, made if a rule says so. NULL: there is none. */
static wshub_sio__space *wshub_sio__space_ask(wshub_sio *sio, wshub_str name) {
    wshub_sio__space *space = wshub_sio__space_find(sio, name);
    wshub_sio__rule *rule;

    if (space || !wshub_sio__name_ok(name)) return space;
    for (rule = sio->rules; rule; rule = rule->next) {
        if (!rule->desc.matches(sio, name, rule->desc.user)) continue;
        space = wshub_sio__space_find(sio, name);
        if (space) return space; /* whoever was asked has opened it already */
        if (sio->made >= sio->desc.namespaces_max) {
            sio->stats.limits++;
            return NULL;
        }
        if (wshub_sio__space_open(sio, name, &rule->desc, true, &space)) return NULL;
        sio->made++;
        return space;
    }
    return NULL;
}

/* ---- >>sio-acks ------------------------------------------------------------------------------
 * Acknowledgements: those that we owe, and those that we wait for. */

/* Notes that an event waits for its acknowledgement; where too many do, the oldest has waited long
 * enough. Returns {0}: out of memory, it is not acknowledged. */
static wshub_sio_ack wshub_sio__due_new(wshub_sio__socket *socket, wshub_str id) {
    wshub_sio *sio = socket->space->sio;
    wshub_sio__due *due, **last = &socket->dues;
    wshub_sio_ack ack = {0};

    WSHUB_ASSERT(socket->peer);
    WSHUB_ASSERT(id.len && id.len <= WSHUB_SIO__ID_DIGITS); /* as it was read */
    if (socket->dues_count >= sio->desc.acks_per_socket_max) {
        while ((*last)->next) last = &(*last)->next;
        due = *last;
        *last = NULL;
        wshub_sio__drop(&sio->dues, due->handle);
        sio->stats.limits++;
    } else {
        due = (wshub_sio__due *)wshub_sio__new(sio, sizeof *due);
        if (!due) return ack;
        socket->dues_count++;
    }
    due->handle = wshub_sio__take(sio, &sio->dues, due);
    if (!due->handle) {
        socket->dues_count--;
        wshub_sio__free(sio, due, sizeof *due);
        return ack;
    }
    due->socket = socket;
    memcpy(due->id, id.ptr, id.len);
    due->id[id.len] = 0;
    due->next = socket->dues;
    socket->dues = due;
    ack.id = due->handle;
    return ack;
}

static void wshub_sio__due_free(wshub_sio__due *due) {
    wshub_sio__socket *socket = due->socket;
    wshub_sio *sio = socket->space->sio;
    wshub_sio__due **link = &socket->dues;

    WSHUB_ASSERT(socket->dues_count > 0);
    while (*link != due) link = &(*link)->next;
    *link = due->next;
    socket->dues_count--;
    wshub_sio__drop(&sio->dues, due->handle);
    wshub_sio__free(sio, due, sizeof *due);
}

static void wshub_sio__kept_free(wshub_sio *sio, wshub_sio__kept *kept) {
    while (kept) {
        wshub_sio__kept *next = kept->next;
        wshub_sio__free(sio, kept, kept->bytes);
        kept = next;
    }
}

/* Nobody is asked any more by this: whoever has not answered is forgotten. */
static void wshub_sio__wait_free(wshub_sio__wait *wait) {
    wshub_sio *sio = wait->sio;

    while (wait->asked) {
        wshub_sio__asked *asked = wait->asked;
        wait->asked = asked->next_of_wait;
        if (asked->socket) {
            wshub_sio__asked **link = &asked->socket->asked;
            while (*link != asked) link = &(*link)->next_of_socket;
            *link = asked->next_of_socket;
            asked->socket->asked_count--;
            sio->stats.acks_pending--;
        }
        wshub_sio__free(sio, asked, sizeof *asked);
    }
    if (wait->timer.id) (void)wshub_timer_stop(sio->hub, wait->timer);
    if (wait->about != WSHUB_SIO__ALONE) {
        wshub_sio__wait **link = &sio->out;
        while (*link != wait) link = &(*link)->next_out;
        *link = wait->next_out;
        sio->stats.requests_pending--;
    }
    if (wait->census) wait->census->wait = NULL;
    wshub_sio__kept_free(sio, wait->first_kept);
    wshub_sio__free(sio, wait, sizeof *wait);
}

/* How many things servers have told of: elements of arrays, or whole answers. */
static size_t wshub_sio__found_count(const wshub_sio__wait *wait, size_t *out_bytes) {
    const wshub_sio__kept *kept;
    size_t count = 0;
    wshub_str value;

    for (kept = wait->first_kept; kept; kept = kept->next) {
        wshub_iter iter = {0, 0};
        *out_bytes += kept->answered.args.len;
        if (wait->about == WSHUB_SIO__SERVER_EVENT) count++;
        while (wait->about != WSHUB_SIO__SERVER_EVENT &&
               wshub_json_next(kept->answered.args, &iter, &value))
            count++;
    }
    return count;
}

/* Decodes a string, to where there is room. False: it is none. */
static bool wshub_sio__found_text(wshub_str json, char **to, wshub_str *out) {
    out->ptr = *to;
    out->len = json.ptr ? wshub_json_text(json, *to, json.len) : SIZE_MAX;
    if (out->len == SIZE_MAX) return false;
    *to += out->len;
    return true;
}

/* One socket, as a server has told of it. False: it is none. */
static bool wshub_sio__found_socket(wshub_str json, char **to, wshub_sio_remote *out) {
    memset(out, 0, sizeof *out);
    if (wshub_json_peek(json) != WSHUB_JSON_OBJECT) return false;
    if (!wshub_sio__found_text(wshub_json_find(json, "id"), to, &out->id)) return false;
    out->rooms = wshub_json_find(json, "rooms");
    out->data = wshub_json_find(json, "data");
    out->handshake = wshub_json_find(json, "handshake");
    if (!out->rooms.ptr || wshub_json_peek(out->rooms) != WSHUB_JSON_ARRAY)
        out->rooms = wshub_str_z("[]");
    if (!out->data.ptr) out->data = wshub_str_z("{}");
    if (out->handshake.ptr && wshub_json_peek(out->handshake) != WSHUB_JSON_OBJECT)
        out->handshake.ptr = NULL;
    return true;
}

static int wshub_sio__name_order(const void *a, const void *b) {
    const wshub_str *x = (const wshub_str *)a, *y = (const wshub_str *)b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Names, each once, in order. Returns how many are left. */
static size_t wshub_sio__found_once(wshub_str *names, size_t count) {
    size_t i, kept = 0;

    if (count) qsort(names, count, sizeof *names, wshub_sio__name_order);
    for (i = 0; i < count; i++) {
        if (!kept || !wshub_str_eq(names[kept - 1], names[i])) names[kept++] = names[i];
    }
    return kept;
}

/* Reads what servers have told into a block for all of it. */
static void wshub_sio__found_read(const wshub_sio__wait *wait, void *block, size_t cap,
                                  wshub_sio_found *found) {
    wshub_sio_remote *sockets = (wshub_sio_remote *)block;
    wshub_str *texts = (wshub_str *)block, value;
    bool of_sockets = wait->about == WSHUB_SIO__FETCH;
    char *to = (char *)block + cap * (of_sockets ? sizeof *sockets : sizeof *texts);
    const wshub_sio__kept *kept;
    size_t n = 0;

    for (kept = wait->first_kept; kept; kept = kept->next) {
        wshub_iter iter = {0, 0};
        if (wait->about == WSHUB_SIO__SERVER_EVENT) {
            texts[n++] = kept->answered.args;
            continue;
        }
        while (wshub_json_next(kept->answered.args, &iter, &value))
            n += of_sockets ? wshub_sio__found_socket(value, &to, &sockets[n])
                            : wshub_sio__found_text(value, &to, &texts[n]);
    }
    WSHUB_ASSERT(n <= cap);
    if (of_sockets) {
        found->sockets = sockets;
        found->sockets_count = n;
    } else if (wait->about == WSHUB_SIO__ROOMS) {
        found->rooms = texts;
        found->rooms_count = wshub_sio__found_once(texts, n);
    } else {
        found->answers = texts;
        found->answers_count = n;
    }
}

/* Tells what servers have answered, once. */
static void wshub_sio__found_tell(const wshub_sio__wait *wait, const char *error) {
    wshub_sio *sio = wait->sio;
    size_t bytes = 0, count = wshub_sio__found_count(wait, &bytes);
    wshub_sio_found found;
    void *block = NULL;

    memset(&found, 0, sizeof found);
    bytes +=
        count * (wait->about == WSHUB_SIO__FETCH ? sizeof(wshub_sio_remote) : sizeof(wshub_str));
    if (bytes) block = wshub_sio__alloc(sio, NULL, 0, bytes);
    if (!error && wait->too_long) error = "answers are too long";
    if (!error && wait->uncounted) error = "other servers cannot be counted";
    if (bytes && !block) error = wshub_strerror(WSHUB_ERR_NOMEM);
    found.error = error;
    found.servers = 1 + wait->servers;
    if (block) wshub_sio__found_read(wait, block, count, &found);
    wait->found(sio, &found, wait->user);
    wshub_sio__free(sio, block, bytes);
}

/* Tells what has come, once. error: why it is not all; NULL: it is. */
static void wshub_sio__wait_tell(const wshub_sio__wait *wait, const char *error) {
    wshub_sio *sio = wait->sio;
    const wshub_sio__kept *kept;
    wshub_sio_answers answers;
    wshub_sio_answered *list = NULL;
    size_t n = 0, bytes = wait->kept_count * sizeof *list;

    if (!wait->fn) return; /* they are another server's */
    if (bytes) list = (wshub_sio_answered *)wshub_sio__alloc(sio, NULL, 0, bytes);
    for (kept = wait->first_kept; list && kept; kept = kept->next) list[n++] = kept->answered;
    WSHUB_ASSERT(!list || n == wait->kept_count);
    memset(&answers, 0, sizeof answers);
    if (!error && wait->too_long) error = "answers are too long";
    if (!error && wait->uncounted) error = "other servers cannot be counted";
    answers.error = error;
    answers.answers = list;
    answers.answers_count = n;
    wait->fn(sio, &answers, wait->user);
    wshub_sio__free(sio, list, bytes);
}

static void wshub_sio__wait_end(wshub_sio__wait *wait, const char *error) {
    wshub_sio__wait copy = *wait; /* what is told may end anything */

    WSHUB_ASSERT(!wait->fn || !wait->found);
    WSHUB_ASSERT(wait->fn || wait->found || wait->asker.id_len); /* somebody wants to know */
    wait->first_kept = NULL;
    wshub_sio__wait_free(wait);
    if (copy.found)
        wshub_sio__found_tell(&copy, error);
    else
        wshub_sio__wait_tell(&copy, error);
    wshub_sio__kept_free(copy.sio, copy.first_kept);
}

/* Has everybody answered who was asked? */
static bool wshub_sio__wait_over(const wshub_sio__wait *wait) {
    if (wait->left || wait->census) return false;
    if (wait->uncounted || wait->about == WSHUB_SIO__SERVERS) return true;
    return wait->told >= wait->servers && wait->heard >= wait->clients;
}

static void wshub_sio__wait_check(wshub_sio__wait *wait) {
    if (wshub_sio__wait_over(wait)) wshub_sio__wait_end(wait, NULL);
}

static void wshub_sio__wait_due(wshub *hub, void *arg) {
    wshub_sio__wait *wait = (wshub_sio__wait *)arg;
    const wshub_sio *sio = wait->sio;
    char text[96];

    (void)hub;
    WSHUB_ASSERT(wait->timer.id);
    wait->timer.id = 0;
    if (wait->about != WSHUB_SIO__ALONE) wait->sio->stats.requests_late++;
    if (!wait->found)
        (void)snprintf(text, sizeof text, "operation has timed out");
    else if (wait->about == WSHUB_SIO__SERVERS || wait->census)
        (void)snprintf(text, sizeof text, "other servers cannot be counted");
    else if (wait->about == WSHUB_SIO__SERVER_EVENT)
        (void)snprintf(text, sizeof text, "timeout reached: only %lu responses received out of %lu",
                       (unsigned long)wait->told, (unsigned long)wait->servers);
    else
        (void)snprintf(text, sizeof text, "timeout reached while waiting for %s response",
                       wait->about == WSHUB_SIO__FETCH ? "fetchSockets" : "allRooms");
    wshub_sio__wait_end(wait, text);
    wshub_sio__check_still(sio);
}

/* New: nobody is asked by it yet. NULL: out of memory. */
static wshub_sio__wait *wshub_sio__wait_new(wshub_sio *sio, wshub_sio__space *space,
                                            uint32_t timeout_ms, wshub_sio_answers_fn fn,
                                            void *user) {
    wshub_sio__wait *wait = (wshub_sio__wait *)wshub_sio__new(sio, sizeof *wait);

    if (!wait) return NULL;
    wait->sio = sio;
    wait->fn = fn;
    wait->user = user;
    wait->next_kept = &wait->first_kept;
    wait->about = WSHUB_SIO__ALONE;
    wait->space = wshub_sio__space_handle(space);
    if (timeout_ms &&
        wshub_timer_start(sio->hub, timeout_ms, wshub_sio__wait_due, wait, &wait->timer)) {
        wshub_sio__free(sio, wait, sizeof *wait);
        return NULL;
    }
    wait->id = space->asks++;
    return wait;
}

/* A packet that asks for an acknowledgement. */
static wshub_packet wshub_sio__asking(const wshub_packet *packet, const wshub_sio__wait *wait,
                                      char digits[24]) {
    wshub_packet asking = *packet;
    (void)snprintf(digits, 24, "%llu", (unsigned long long)wait->id);
    asking.ask = wshub_str_z(digits);
    return asking;
}

/* One more is asked. */
static wshub_err wshub_sio__wait_ask(wshub_sio__wait *wait, wshub_sio__socket *socket) {
    wshub_sio *sio = wait->sio;
    wshub_sio__asked *asked;

    WSHUB_ASSERT(socket && (wait->many || !wait->asked));
    if (socket->asked_count >= sio->desc.acks_per_socket_max) {
        sio->stats.limits++;
        return WSHUB_ERR_LIMIT;
    }
    asked = (wshub_sio__asked *)wshub_sio__new(sio, sizeof *asked);
    if (!asked) return WSHUB_ERR_NOMEM;
    asked->socket = socket;
    asked->wait = wait;
    asked->next_of_socket = socket->asked;
    asked->next_of_wait = wait->asked;
    socket->asked = asked;
    wait->asked = asked;
    socket->asked_count++;
    wait->left++;
    sio->stats.acks_pending++;
    return WSHUB_OK;
}

/* Copies an answer of one of many, with its attachments behind its text. One that finds no memory
 * is lost, as if it had not come. */
static void wshub_sio__wait_keep(wshub_sio__wait *wait, wshub_client client, wshub_str json,
                                 const wshub_span *attachments, size_t count) {
    wshub_sio *sio = wait->sio;
    wshub_sio__kept *kept;
    wshub_span *spans;
    size_t bytes, i;
    char *to;

    if (!json.len) json = wshub_str_z("[]");
    bytes = sizeof *kept + count * sizeof *spans + json.len;
    for (i = 0; i < count; i++) bytes += attachments[i].len;
    wait->too_long = wait->too_long || bytes > sio->desc.answers_bytes_max - wait->kept_bytes;
    if (wait->too_long) {
        sio->stats.limits++;
        return;
    }
    kept = (wshub_sio__kept *)wshub_sio__new(sio, bytes);
    if (!kept) return;

    spans = (wshub_span *)(void *)(kept + 1);
    to = (char *)(spans + count);
    kept->bytes = bytes;
    kept->answered.client = client;
    kept->answered.args.ptr = to;
    kept->answered.args.len = json.len;
    kept->answered.attachments = count ? spans : NULL;
    kept->answered.attachments_count = count;
    to = wshub_sio__put(to, json);
    for (i = 0; i < count; i++) {
        spans[i].ptr = (const uint8_t *)to;
        spans[i].len = attachments[i].len;
        if (spans[i].len) memcpy(to, attachments[i].ptr, spans[i].len);
        to += spans[i].len;
    }
    WSHUB_ASSERT(to == (char *)kept + bytes);

    wait->kept_bytes += bytes;
    wait->kept_count++;
    *wait->next_kept = kept;
    wait->next_kept = &kept->next;
}

/* A socket has answered, or goes: it is asked by this no more. */
static void wshub_sio__asked_done(wshub_sio__asked *asked) {
    wshub_sio__socket *socket = asked->socket;
    wshub_sio__asked **link = &socket->asked;

    WSHUB_ASSERT(socket->asked_count > 0);
    WSHUB_ASSERT(asked->wait->left > 0);
    while (*link != asked) link = &(*link)->next_of_socket;
    *link = asked->next_of_socket;
    socket->asked_count--;
    asked->socket = NULL; /* the wait frees it */
    asked->wait->left--;
    asked->wait->sio->stats.acks_pending--;
}

/* All that a socket was asked is over. One that was asked alone has an answer: there is none. */
static void wshub_sio__asked_drop(wshub_sio__socket *socket) {
    while (socket->asked) {
        wshub_sio__wait *wait = socket->asked->wait;
        wshub_sio__asked_done(socket->asked);
        if (!wait->many) {
            wshub_sio__wait_end(wait, "socket has been disconnected");
        } else {
            wshub_sio__wait_check(wait);
        }
    }
}

/* ---- >>sio-calls -----------------------------------------------------------------------------
 * What servers ask each other on the bus: how it is said, and what is waited for. How it is
 * answered is >>sio-asked's. */

/* Writes something into a sink. False: it cannot be said. */
typedef bool (*wshub_sio__writer)(wshub_sio__sink *sink, const void *what);

/* Writes into the buffer of what is said, which is made large enough for it. */
static wshub_err wshub_sio__say_write(wshub_sio *sio, wshub_sio__writer writer, const void *what,
                                      wshub_str *out) {
    wshub_sio__sink sink;

    do {
        sink.buf = sio->said;
        sink.cap = sio->said_cap;
        sink.len = 0;
        if (!writer(&sink, what)) return WSHUB_ERR_PARAM;
        if (sink.len > sink.cap && !wshub_sio__bus_room(sio, &sio->said, &sio->said_cap, sink.len))
            return WSHUB_ERR_NOMEM;
    } while (sink.len > sink.cap);
    out->ptr = sio->said;
    out->len = sink.len;
    return WSHUB_OK;
}

/* Publishes it on the channel of a namespace.
 *   uid  of the only one to hear it; len 0: all do */
static wshub_err wshub_sio__say_publish(wshub_sio *sio, uint32_t dialect, wshub_str space,
                                        wshub_str uid, wshub_sio__writer writer, const void *what) {
    char text[(int)WSHUB_SIO__NAME_MAX + (int)WSHUB_SIO__REQUEST_ID + 2];
    wshub_str channel = {text, 0}, payload = {NULL, 0};
    wshub_err err = wshub_sio__say_write(sio, writer, what, &payload);
    char *to = text;

    WSHUB_ASSERT(space.len <= WSHUB_SIO__NAME_MAX && uid.len <= WSHUB_SIO__REQUEST_ID);
    to = wshub_sio__put(to, space);
    *to++ = '#';
    to = wshub_sio__put(to, uid);
    if (uid.len) *to++ = '#';
    channel.len = (size_t)(to - text);
    if (!err) err = wshub_bus_publish(sio->hub, dialect, channel, payload);
    wshub_sio__bus_trim(sio, &sio->said, &sio->said_cap);
    return err;
}

/* Makes msgpack of what has been written, which stands for bytes. Returns OK; PARAM: it is nested
 * too deep, or bears too many; NOMEM. */
static wshub_err wshub_sio__say_pack(wshub_sio *sio, const wshub_span *attachments, size_t count,
                                     wshub_str *payload) {
    wshub_sio__sink sink;
    size_t bytes;

    do {
        sink.buf = sio->packed;
        sink.cap = sio->packed_cap;
        sink.len = bytes = 0;
        if (!wshub_sio__pack_json(&sink, *payload, attachments, count, &bytes) ||
            bytes > sio->desc.attachments_max)
            return WSHUB_ERR_PARAM;
        if (sink.len > sink.cap &&
            !wshub_sio__bus_room(sio, &sio->packed, &sio->packed_cap, sink.len))
            return WSHUB_ERR_NOMEM;
    } while (sink.len > sink.cap);
    payload->ptr = sio->packed;
    payload->len = sink.len;
    return WSHUB_OK;
}

/* Publishes what a sharded server says.
 *   room         of the only ones to hear it, or the uid of the only one; len 0: all do
 *   attachments  what it bears, count of them */
static wshub_err wshub_sio__shard_publish(wshub_sio *sio, wshub_str space, wshub_str room,
                                          wshub_sio__writer writer, const void *what,
                                          const wshub_span *attachments, size_t count) {
    char text[WSHUB_BUS_CHANNEL_BYTES_MAX];
    wshub_sio__sink sink = {text, sizeof text, 0};
    wshub_str channel = {text, 0}, payload = {NULL, 0};
    wshub_err err = wshub_sio__say_write(sio, writer, what, &payload);

    wshub_sio__sink_put(&sink, space.ptr, space.len);
    wshub_sio__sink_text(&sink, "#");
    wshub_sio__sink_put(&sink, room.ptr, room.len);
    if (room.len) wshub_sio__sink_text(&sink, "#");
    channel.len = sink.len;
    if (!err && sink.len > sink.cap) err = WSHUB_ERR_PARAM;
    if (!err && count) err = wshub_sio__say_pack(sio, attachments, count, &payload);
    if (!err) err = wshub_bus_publish(sio->hub, sio->dialect, channel, payload);
    wshub_sio__bus_trim(sio, &sio->said, &sio->said_cap);
    wshub_sio__bus_trim(sio, &sio->packed, &sio->packed_cap);
    return err;
}

static bool wshub_sio__write_shard_request(wshub_sio__sink *sink, const void *what) {
    wshub_sio__shard_request(sink, (const wshub_sio__request *)what);
    return true;
}

static bool wshub_sio__write_shard_cast(wshub_sio__sink *sink, const void *what) {
    wshub_sio__shard_cast(sink, (const wshub_sio__request *)what);
    return true;
}

/* Publishes what is sent in a namespace, as wshub_sio__publish() does, by the sharded adapter. What
 * goes to one room goes by the channel of that, if it has one. */
static wshub_err wshub_sio__shard_send(wshub *hub, wshub_realm realm, const wshub_dest *dest,
                                       const wshub_packet *packet, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    const wshub_sio__space *space = (const wshub_sio__space *)wshub_realm_user(hub, realm);
    wshub_sio__names rooms = wshub_sio__dest_rooms(dest);
    wshub_sio__request said;
    wshub_str room = {NULL, 0};
    wshub_err err = WSHUB_ERR_PARAM;
    size_t i;

    if (dest->kind == WSHUB_DEST_USER || packet->id.ptr || packet->ask.ptr) return WSHUB_OK;
    WSHUB_ASSERT(space->on_bus);
    memset(&said, 0, sizeof said);
    said.uid = wshub_sio__uid(space);
    said.space = space->name;
    said.dest = dest;
    said.packet = packet;
    if (rooms.count == 1 && wshub_sio__room_channel(sio, rooms.list[0])) room = rooms.list[0];

    for (i = 0; i < packet->args_count; i++) { /* nothing short is nested too deep for readers */
        if (packet->args[i].len > WSHUB_SIO__DEPTH &&
            !wshub_json_check(packet->args[i], (int)WSHUB_SIO__DEPTH - (int)WSHUB_SIO__SHARD_DEPTH))
            break;
    }
    if (i == packet->args_count && wshub_sio__sayable(sio, packet))
        err = wshub_sio__shard_publish(sio, space->name, room, wshub_sio__write_shard_cast, &said,
                                       packet->attachments, packet->attachments_count);
    if (err == WSHUB_ERR_PARAM) sio->stats.refused++;
    return err;
}

/* A writer of requests. */
static bool wshub_sio__write_request(wshub_sio__sink *sink, const void *what) {
    const wshub_sio__request *r = (const wshub_sio__request *)what;
    size_t bytes = 0;

    if (r->type == WSHUB_SIO__ASK)
        return wshub_sio__request_pack(sink, r, &bytes) && bytes <= r->attachments_max;
    wshub_sio__request_json(sink, r);
    return true;
}

static wshub_err wshub_sio__request_say(const wshub_sio__space *space,
                                        const wshub_sio__request *request) {
    const wshub_packet *packet = request->packet;
    wshub_str all = {NULL, 0};

    if (wshub_sio__sharded(space->sio))
        return wshub_sio__shard_publish(
            space->sio, space->name, all, wshub_sio__write_shard_request, request,
            packet ? packet->attachments : NULL, packet ? packet->attachments_count : 0);
    return wshub_sio__say_publish(space->sio, space->sio->asks_dialect, space->name, all,
                                  wshub_sio__write_request, request);
}

/* An answer that is to be written. */
typedef struct wshub_sio__answer {
    const wshub_sio *sio;
    unsigned type;
    wshub_str id;                  /* of the request, as JSON */
    const wshub_sio__space *space; /* NULL: it is gone, and nobody in it */
    const wshub_client *clients;
    size_t count;   /* of these, or of who is asked */
    wshub_str json; /* what is answered; ptr NULL: nothing */
    const wshub_span *attachments;
    size_t attachments_count;
    wshub_str uid, name; /* of a sharded server's: who answers, in which namespace */
} wshub_sio__answer;

/* The rooms of a socket, that of its own id first. */
static void wshub_sio__put_rooms_of(wshub_sio__sink *sink, wshub *hub, wshub_client client,
                                    wshub_str id) {
    wshub_iter iter = {0, 0};
    wshub_str room;

    wshub_sio__sink_text(sink, "[");
    wshub_sio__put_quoted(sink, id);
    while (wshub_client_each_room(hub, client, &iter, &room)) {
        if (wshub_str_eq(room, id)) continue;
        wshub_sio__sink_text(sink, ",");
        wshub_sio__put_quoted(sink, room);
    }
    wshub_sio__sink_text(sink, "]");
}

/* A socket as Node's servers tell of one. */
static void wshub_sio__put_socket(wshub_sio__sink *sink, const wshub_sio *sio,
                                  wshub_client client) {
    wshub_str id = wshub_client_id(sio->hub, client);
    wshub_str data = wshub_client_metadata(sio->hub, client);
    wshub_sio_handshake handshake;

    if (!data.ptr) data = wshub_str_z("{}");
    wshub_sio__sink_text(sink, "{\"id\":");
    wshub_sio__put_quoted(sink, id);
    if (!wshub_sio_handshake_of(sio, client, &handshake)) {
        wshub_sio__sink_text(sink, ",\"handshake\":");
        wshub_sio__put_handshake(sink, &handshake);
    }
    wshub_sio__sink_text(sink, ",\"rooms\":");
    wshub_sio__put_rooms_of(sink, sio->hub, client, id);
    wshub_sio__sink_text(sink, ",\"data\":");
    wshub_sio__sink_put(sink, data.ptr, data.len);
    wshub_sio__sink_text(sink, "}");
}

/* Sockets, as an array: of their ids, or of all that is known of them. */
static bool wshub_sio__write_sockets(wshub_sio__sink *sink, const void *what) {
    const wshub_sio__answer *a = (const wshub_sio__answer *)what;
    size_t i;

    wshub_sio__sink_text(sink, "[");
    for (i = 0; i < a->count; i++) {
        if (i) wshub_sio__sink_text(sink, ",");
        if (a->type == WSHUB_SIO__FETCH)
            wshub_sio__put_socket(sink, a->sio, a->clients[i]);
        else
            wshub_sio__put_quoted(sink, wshub_client_id(a->sio->hub, a->clients[i]));
    }
    wshub_sio__sink_text(sink, "]");
    return true;
}

/* The rooms of a namespace here, as an array. */
static bool wshub_sio__write_rooms(wshub_sio__sink *sink, const void *what) {
    const wshub_sio__answer *a = (const wshub_sio__answer *)what;
    wshub_iter iter = {0, 0};
    bool some = false;
    wshub_str room;

    wshub_sio__sink_text(sink, "[");
    while (a->space && wshub_room_each_in(a->sio->hub, a->space->realm, &iter, &room)) {
        if (some) wshub_sio__sink_text(sink, ",");
        some = true;
        wshub_sio__put_quoted(sink, room);
    }
    wshub_sio__sink_text(sink, "]");
    return true;
}

/* What a socket has acknowledged: msgpack, as it may hold bytes. */
static bool wshub_sio__write_ack(wshub_sio__sink *sink, const wshub_sio__answer *a) {
    size_t bytes = 0;

    wshub_sio__pack_head(sink, WSHUB_SIO__PACK_MAP, a->json.ptr ? 3 : 2);
    wshub_sio__pack_text(sink, wshub_str_z("type"));
    wshub_sio__pack_uint(sink, a->type);
    wshub_sio__pack_text(sink, wshub_str_z("requestId"));
    if (!wshub_sio__pack_json(sink, a->id, NULL, 0, &bytes)) return false;
    if (!a->json.ptr) return true;
    wshub_sio__pack_text(sink, wshub_str_z("packet"));
    return wshub_sio__pack_json(sink, a->json, a->attachments, a->attachments_count, &bytes);
}

/* A writer of answers. */
static bool wshub_sio__write_answer(wshub_sio__sink *sink, const void *what) {
    const wshub_sio__answer *a = (const wshub_sio__answer *)what;
    bool typed = a->type >= WSHUB_SIO__SERVER_EVENT;

    if (a->type == WSHUB_SIO__ASKED_ANSWER) return wshub_sio__write_ack(sink, a);
    wshub_sio__sink_text(sink, typed ? "{\"type\":" : "{");
    if (typed) {
        wshub_sio__put_number(sink, a->type);
        wshub_sio__sink_text(sink, ",");
    }
    wshub_sio__sink_text(sink, "\"requestId\":");
    wshub_sio__sink_put(sink, a->id.ptr, a->id.len);
    if (a->type == WSHUB_SIO__SOCKETS || a->type == WSHUB_SIO__FETCH) {
        wshub_sio__sink_text(sink, ",\"sockets\":");
        (void)wshub_sio__write_sockets(sink, what);
    } else if (a->type == WSHUB_SIO__ROOMS) {
        wshub_sio__sink_text(sink, ",\"rooms\":");
        (void)wshub_sio__write_rooms(sink, what);
    } else if (a->type == WSHUB_SIO__ASKED_COUNT) {
        wshub_sio__sink_text(sink, ",\"clientCount\":");
        wshub_sio__put_number(sink, a->count);
    } else if (a->type == WSHUB_SIO__SERVER_EVENT) {
        wshub_sio__sink_text(sink, ",\"data\":");
        wshub_sio__sink_put(sink, a->json.ptr, a->json.len);
    }
    wshub_sio__sink_text(sink, "}");
    return true;
}

/* A writer of answers of a sharded server. */
static bool wshub_sio__write_shard_answer(wshub_sio__sink *sink, const void *what) {
    const wshub_sio__answer *a = (const wshub_sio__answer *)what;
    unsigned type = a->type == WSHUB_SIO__FETCH          ? WSHUB_SIO__SHARD_FETCHED
                    : a->type == WSHUB_SIO__SERVER_EVENT ? WSHUB_SIO__SHARD_EVENT_ANSWER
                    : a->type == WSHUB_SIO__ASKED_COUNT  ? WSHUB_SIO__SHARD_COUNT
                                                         : WSHUB_SIO__SHARD_ANSWER;

    wshub_sio__shard_begin(sink, type);
    wshub_sio__sink_text(sink, "\"requestId\":");
    wshub_sio__sink_put(sink, a->id.ptr, a->id.len);
    if (type == WSHUB_SIO__SHARD_FETCHED) {
        wshub_sio__sink_text(sink, ",\"sockets\":");
        (void)wshub_sio__write_sockets(sink, what);
    } else if (type == WSHUB_SIO__SHARD_COUNT) {
        wshub_sio__sink_text(sink, ",\"clientCount\":");
        wshub_sio__put_number(sink, a->count);
    } else if (a->json.ptr) {
        wshub_sio__sink_text(sink, ",\"packet\":");
        wshub_sio__sink_put(sink, a->json.ptr, a->json.len);
    }
    wshub_sio__shard_end(sink, a->uid, a->name);
    return true;
}

/* The same as below, for a sharded server: answers go to the asker's own channel alone. */
static wshub_err wshub_sio__shard_answer(wshub_sio *sio, wshub_str space,
                                         const wshub_sio__asker *asker, wshub_sio__answer *answer) {
    const wshub_sio__space *found = wshub_sio__space_find(sio, space);
    wshub_str uid = {asker->uid, asker->uid_len};

    if (!uid.len) return WSHUB_ERR_PARAM;
    answer->name = space;
    answer->uid = found ? wshub_sio__uid(found) : uid;
    return wshub_sio__shard_publish(sio, space, uid, wshub_sio__write_shard_answer, answer,
                                    answer->attachments, answer->attachments_count);
}

/* Answers another server, on its own channel where that is wanted; events of servers never. */
static wshub_err wshub_sio__answer_say(wshub_sio *sio, wshub_str space,
                                       const wshub_sio__asker *asker, wshub_sio__answer *answer) {
    wshub_str uid = {asker->uid, 0};

    if (sio->desc.specific_responses && answer->type != WSHUB_SIO__SERVER_EVENT)
        uid.len = asker->uid_len;
    answer->sio = sio;
    answer->id.ptr = asker->id;
    answer->id.len = asker->id_len;
    if (wshub_sio__sharded(sio)) return wshub_sio__shard_answer(sio, space, asker, answer);
    return wshub_sio__say_publish(sio, sio->answers_dialect, space, uid, wshub_sio__write_answer,
                                  answer);
}

/* A socket that was asked for another server has acknowledged: the first argument is passed on. */
static void wshub_sio__answer_passed(const wshub_sio__wait *wait, wshub_str json,
                                     const wshub_span *attachments, size_t count) {
    const wshub_sio__space *space = wshub_sio__space_get(wait->sio, wait->space);
    wshub_sio__answer answer;

    if (!space) return;
    memset(&answer, 0, sizeof answer);
    answer.type = WSHUB_SIO__ASKED_ANSWER;
    if (json.len) answer.json = wshub_sio__first(json);
    answer.attachments = attachments;
    answer.attachments_count = count;
    (void)wshub_sio__answer_say(wait->sio, space->name, &wait->asker, &answer);
}

/* ---- asking ---- */

/* The broker has said how many have subscribed to the requests of a namespace, we among them. */
static void wshub_sio__counted(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    wshub_sio__census *census = (wshub_sio__census *)arg;
    wshub_sio *sio = census->sio;
    wshub_sio__wait *wait = census->wait;
    int64_t count = 0;

    (void)hub;
    WSHUB_ASSERT(sio); /* the answer comes later than the question, never from inside it */
    WSHUB_ASSERT(!wait || (wait->census == census && !wait->servers));
    wshub_sio__free(sio, census, sizeof *census);
    if (!wait) return;
    wait->census = NULL;
    wait->uncounted = !reply || reply->kind != WSHUB_BUS_REPLY_ARRAY || reply->count < 2 ||
                      reply->items[1].kind != WSHUB_BUS_REPLY_INTEGER;
    if (!wait->uncounted) count = reply->items[1].integer;
    if (count > 1) wait->servers = count > UINT32_MAX ? UINT32_MAX : (uint32_t)(count - 1);
    wshub_sio__wait_check(wait);
    wshub_sio__check(sio);
}

/* Asks the broker how many there are. What cannot be asked is not waited for. */
static void wshub_sio__count(wshub_sio__wait *wait, const wshub_sio__space *space) {
    wshub_sio *sio = wait->sio;
    char text[WSHUB_BUS_PREFIX_BYTES_MAX + WSHUB_SIO__NAME_MAX + 1], *to = text;
    wshub_sio__census *census = (wshub_sio__census *)wshub_sio__new(sio, sizeof *census);
    wshub_str argv[3];

    WSHUB_ASSERT(!wait->census && space->on_bus);
    to = wshub_sio__put(to, wshub_str_z(sio->asks_prefix));
    to = wshub_sio__put(to, space->name);
    *to++ = '#';
    argv[0] = wshub_str_z("PUBSUB");
    argv[1] = wshub_str_z(wshub_sio__sharded(sio) ? "SHARDNUMSUB" : "NUMSUB");
    argv[2].ptr = text;
    argv[2].len = (size_t)(to - text);
    wait->uncounted =
        !census || wshub_bus_request(sio->hub, argv, 3, wshub_sio__counted, census) != WSHUB_OK;
    if (wait->uncounted) {
        wshub_sio__free(sio, census, sizeof *census);
        return;
    }
    census->sio = sio;
    census->wait = wait;
    wait->census = census;
}

/* Others are asked about something: gives it its id, and counts them. LIMIT: too much waits. */
static wshub_err wshub_sio__wait_out(wshub_sio__wait *wait, const wshub_sio__space *space,
                                     unsigned about) {
    wshub_sio *sio = wait->sio;
    wshub_sio__wait **link = &sio->out;
    uint8_t bytes[WSHUB_SIO__UID];
    size_t i;

    WSHUB_ASSERT(wait->about == WSHUB_SIO__ALONE && about != WSHUB_SIO__ALONE);
    if (sio->stats.requests_pending >= sio->desc.requests_max) {
        sio->stats.limits++;
        return WSHUB_ERR_LIMIT;
    }
    wshub_random_bytes(sio->hub, bytes, sizeof bytes);
    for (i = 0; i < sizeof bytes; i++) wait->request[i] = wshub_sio__alphabet[bytes[i] & 63];
    while (*link) link = &(*link)->next_out;
    *link = wait;
    wait->about = (uint8_t)about;
    sio->stats.requests_pending++;
    if (!space->on_bus) return WSHUB_OK;
    if (about == WSHUB_SIO__ROOMS && wshub_sio__sharded(sio))
        wait->uncounted = true; /* there is no such request there */
    else
        wshub_sio__count(wait, space);
    return WSHUB_OK;
}

/* What others are asked by. */
static wshub_sio__request wshub_sio__request_of(const wshub_sio__space *space,
                                                const wshub_sio__wait *wait) {
    wshub_sio__request r;

    memset(&r, 0, sizeof r);
    r.uid = wshub_sio__uid(space);
    r.space = space->name;
    if (!wait) return r;
    r.type = wait->about;
    r.id.ptr = wait->request;
    r.id.len = sizeof wait->request;
    return r;
}

/* Begins to ask all servers. NULL: *out_err says why not. */
static wshub_sio__wait *wshub_sio__find_new(wshub_sio *sio, wshub_sio__space *space, unsigned about,
                                            wshub_sio_found_fn fn, void *user, wshub_err *out_err) {
    uint32_t ms = space->on_bus ? sio->desc.requests_timeout_ms : 0;
    wshub_sio__wait *wait = wshub_sio__wait_new(sio, space, ms, NULL, user);

    *out_err = WSHUB_ERR_NOMEM;
    if (!wait) return NULL;
    wait->found = fn;
    *out_err = wshub_sio__wait_out(wait, space, about);
    if (!*out_err) return wait;
    wshub_sio__wait_free(wait);
    return NULL;
}

/* Keeps what is here, if there is something, asks the others, and ends where there are none.
 *   writer  of what is here, as an array; NULL: nothing is */
static wshub_err wshub_sio__find(wshub_sio__wait *wait, const wshub_sio__space *space,
                                 const wshub_sio__request *request, wshub_sio__writer writer,
                                 const void *what) {
    wshub_sio *sio = wait->sio;
    wshub_client nobody = {0};
    wshub_str here = {NULL, 0};
    wshub_err err = writer ? wshub_sio__say_write(sio, writer, what, &here) : WSHUB_OK;

    if (!err && writer) wshub_sio__wait_keep(wait, nobody, here, NULL, 0);
    wshub_sio__bus_trim(sio, &sio->said, &sio->said_cap);
    if (!err && request && wait->census) err = wshub_sio__request_say(space, request);
    if (err) {
        wshub_sio__wait_free(wait);
        return err;
    }
    wshub_sio__wait_check(wait);
    return WSHUB_OK;
}

/* ---- >>sio-recovery --------------------------------------------------------------------------
 * Connection state recovery: a socket that has lost its connection comes back as itself.
 *
 * Each namespace numbers the events that it sends, says the number with each (its offset), and
 * keeps them for a while (wshub_sio__said). Who loses its connection is kept, too, with its rooms
 * (wshub_sio__absent), until it comes back by its pid, which nobody else knows, or its time is
 * over. It then hears all that has been said since the offset that it names and that was meant for
 * it, in one message with the CONNECT behind it, so that nothing can come between.
 *
 * An event may be forgotten when its receivers are known to have it: whoever comes back in time has
 * answered a ping that was sent after it. So what goes with age leaves no gap, however long a
 * namespace has been quiet for one of its sockets; what goes for a limit may leave one. */

static uint32_t wshub_sio__or(uint32_t value, uint32_t standard) {
    return value ? value : standard;
}

/* How long an event is kept. A connection that is dead without a sign is given up a ping's interval
 * after the last ping that was answered, and its timeout, which may be granted twice; that answer
 * itself may have taken as long. */
static uint64_t wshub_sio__past_ms(const wshub_sio *sio) {
    const wshub_eio_desc *engine = &sio->desc.engine;
    return (uint64_t)sio->desc.recovery_ms + wshub_sio__or(engine->ping_interval_ms, 25000) +
           3 * (uint64_t)wshub_sio__or(engine->ping_timeout_ms, 20000);
}

/* ---- blocks ---- */

/* A block that is being filled: lists come first, texts behind all of them. */
typedef struct wshub_sio__fill {
    wshub_str *lists;
    char *texts;
} wshub_sio__fill;

static size_t wshub_sio__list_bytes(const wshub_str *list, size_t count) {
    size_t bytes = count * sizeof *list, i;
    for (i = 0; i < count; i++) bytes += list[i].len;
    return bytes;
}

static wshub_str wshub_sio__fill_text(wshub_sio__fill *fill, wshub_str text) {
    wshub_str copy;
    copy.ptr = text.ptr ? fill->texts : NULL;
    copy.len = text.len;
    fill->texts = wshub_sio__put(fill->texts, text);
    return copy;
}

static wshub_str *wshub_sio__fill_list(wshub_sio__fill *fill, const wshub_str *list, size_t count) {
    wshub_str *copy = fill->lists;
    size_t i;
    fill->lists += count;
    for (i = 0; i < count; i++) copy[i] = wshub_sio__fill_text(fill, list[i]);
    return copy;
}

/* ---- offsets ---- */

enum { WSHUB_SIO__DIGITS = 10 }; /* of 6 bits; an offset has at most as many behind its token */

/* Writes the offset of a number, as JSON. */
static wshub_str wshub_sio__offset_write(const wshub_sio__past *past, uint64_t number,
                                         char text[WSHUB_SIO__TOKEN + WSHUB_SIO__DIGITS + 2]) {
    wshub_str json;
    int digits = 1, i;

    WSHUB_ASSERT(number > 0 && number >> 6 * WSHUB_SIO__DIGITS == 0);
    while (number >> 6 * digits) digits++;
    text[0] = '"';
    memcpy(text + 1, past->token, WSHUB_SIO__TOKEN);
    for (i = 0; i < digits; i++)
        text[1 + WSHUB_SIO__TOKEN + i] = wshub_sio__alphabet[number >> 6 * (digits - 1 - i) & 63];
    text[1 + WSHUB_SIO__TOKEN + digits] = '"';
    json.ptr = text;
    json.len = (size_t)digits + WSHUB_SIO__TOKEN + 2;
    return json;
}

/* The number of an offset. 0: it is none of this namespace. */
static uint64_t wshub_sio__offset_read(const wshub_sio__past *past, wshub_str text) {
    uint64_t number = 0;
    size_t i;

    if (text.len <= WSHUB_SIO__TOKEN || text.len > WSHUB_SIO__TOKEN + WSHUB_SIO__DIGITS) return 0;
    if (memcmp(text.ptr, past->token, WSHUB_SIO__TOKEN) != 0) return 0;
    for (i = WSHUB_SIO__TOKEN; i < text.len; i++) {
        const char *at = (const char *)memchr(wshub_sio__alphabet, text.ptr[i], 64);
        if (!at) return 0;
        number = number << 6 | (uint64_t)(at - wshub_sio__alphabet);
    }
    return number <= past->numbers ? number : 0;
}

/* ---- what has been said ---- */

static void wshub_sio__past_drop(wshub_sio *sio, wshub_sio__past *past, wshub_sio__said **link) {
    wshub_sio__said *said = *link;

    WSHUB_ASSERT(past->count > 0 && past->bytes >= said->bytes);
    *link = said->next;
    if (past->end == &said->next) past->end = link;
    if (sio->keeping == &said->packet) sio->keeping = NULL;
    past->count--;
    past->bytes -= said->bytes;
    sio->stats.recovery_packets--;
    sio->stats.recovery_bytes -= said->bytes;
    wshub_sio__free(sio, said, said->bytes);
}

/* Forgets what is too old, and what is too much. */
static void wshub_sio__past_trim(wshub_sio *sio, wshub_sio__past *past) {
    uint64_t now = wshub_now_ms(sio->hub);

    WSHUB_ASSERT(!sio->keeping); /* what is being sent now would go, too */
    while (past->oldest) {
        const wshub_sio__said *said = past->oldest;
        if (now - said->at_ms <= wshub_sio__past_ms(sio)) {
            if (past->count <= sio->desc.recovery_packets_max &&
                past->bytes <= sio->desc.recovery_bytes_max)
                return;
            past->lost = said->number;
            past->lost_at_ms = said->at_ms;
            sio->stats.recovery_dropped++;
        }
        wshub_sio__past_drop(sio, past, &past->oldest);
    }
}

static void wshub_sio__past_free(wshub_sio *sio, wshub_sio__past *past) {
    if (!past) return;
    while (past->oldest) wshub_sio__past_drop(sio, past, &past->oldest);
    wshub_sio__free(sio, past, sizeof *past);
}

static wshub_sio__past *wshub_sio__past_new(wshub_sio *sio) {
    wshub_sio__past *past = (wshub_sio__past *)wshub_sio__new(sio, sizeof *past);
    char token[WSHUB_SIO__ID];

    if (!past) return NULL;
    wshub_sio__id_make(sio, token);
    memcpy(past->token, token, WSHUB_SIO__TOKEN);
    past->end = &past->oldest;
    return past;
}

/* Is a packet one that can be recovered: an event that wants no answer, and is worth something
 * later? One that is not in order is left to the hub, which says what is wrong with it. */
static bool wshub_sio__recoverable(const wshub_sio__space *space, const wshub_packet *packet) {
    size_t i;

    if (!space->past || !space->sockets) return false;
    if (packet->flags & WSHUB_PACKET_VOLATILE || packet->ask.ptr || packet->id.ptr) return false;
    if ((packet->args_count && !packet->args) ||
        (packet->attachments_count && !packet->attachments))
        return false;
    for (i = 0; i < packet->args_count; i++) {
        if (!packet->args[i].ptr) return false;
        if (!packet->args_are_json &&
            !wshub_json_check(packet->args[i], wshub_desc_get(space->sio->hub)->json_depth_max))
            return false;
    }
    for (i = 0; i < packet->attachments_count; i++) {
        if (packet->attachments[i].len && !packet->attachments[i].ptr) return false;
    }
    return true;
}

/* How many bytes a block has for a packet with its offset, and for whom it goes to. */
static size_t wshub_sio__said_bytes(const wshub_dest *dest, const wshub_packet *packet,
                                    const wshub_str *offset) {
    size_t bytes = sizeof(wshub_sio__said) + dest->name.len + packet->event.len, i;

    bytes += wshub_sio__list_bytes(dest->exclude, dest->exclude_count);
    bytes += wshub_sio__list_bytes(dest->rooms, dest->rooms_count);
    bytes += wshub_sio__list_bytes(dest->except_rooms, dest->except_rooms_count);
    bytes += wshub_sio__list_bytes(packet->args, packet->args_count);
    bytes += wshub_sio__list_bytes(offset, 1);
    for (i = 0; i < packet->attachments_count; i++)
        bytes += sizeof *packet->attachments + packet->attachments[i].len;
    return bytes;
}

/* Copies what a block has of its packet and of whom it goes to, with the offset behind the
 * arguments. Returns the end of what it has written. */
static const char *wshub_sio__said_fill(wshub_sio__said *said, const wshub_dest *dest,
                                        const wshub_packet *packet, const wshub_str *offset) {
    wshub_span *spans = (wshub_span *)(void *)(said + 1);
    wshub_sio__fill fill;
    wshub_str piece;
    size_t i;

    fill.lists = (wshub_str *)(void *)(spans + packet->attachments_count);
    fill.texts = (char *)(fill.lists + dest->exclude_count + dest->rooms_count +
                          dest->except_rooms_count + packet->args_count + 1);
    said->dest.name = wshub_sio__fill_text(&fill, dest->name);
    said->dest.exclude = wshub_sio__fill_list(&fill, dest->exclude, dest->exclude_count);
    said->dest.rooms = wshub_sio__fill_list(&fill, dest->rooms, dest->rooms_count);
    said->dest.except_rooms =
        wshub_sio__fill_list(&fill, dest->except_rooms, dest->except_rooms_count);

    said->packet.event = wshub_sio__fill_text(&fill, packet->event);
    said->packet.args = wshub_sio__fill_list(&fill, packet->args, packet->args_count);
    (void)wshub_sio__fill_list(&fill, offset, 1); /* right behind them */
    said->packet.args_count++;
    said->packet.attachments = spans;
    for (i = 0; i < packet->attachments_count; i++) {
        piece.ptr = (const char *)packet->attachments[i].ptr;
        piece.len = packet->attachments[i].len;
        spans[i].len = piece.len;
        spans[i].ptr = (const uint8_t *)fill.texts;
        fill.texts = wshub_sio__put(fill.texts, piece);
    }
    return fill.texts;
}

/* A copy of a packet that gets the next number. NULL: out of memory. */
static wshub_sio__said *wshub_sio__said_new(wshub_sio *sio, const wshub_sio__past *past,
                                            const wshub_dest *dest, const wshub_packet *packet) {
    char text[WSHUB_SIO__TOKEN + WSHUB_SIO__DIGITS + 2];
    wshub_str offset = wshub_sio__offset_write(past, past->numbers + 1, text);
    size_t bytes = wshub_sio__said_bytes(dest, packet, &offset);
    wshub_sio__said *said = (wshub_sio__said *)wshub_sio__alloc(sio, NULL, 0, bytes);
    const char *end;

    if (!said) return NULL;
    said->next = NULL;
    said->number = past->numbers + 1;
    said->at_ms = wshub_now_ms(sio->hub);
    said->bytes = bytes;
    said->dest = *dest;
    said->packet = *packet;
    said->packet.args_are_json = true; /* it has been looked at (wshub_sio__recoverable()) */
    end = wshub_sio__said_fill(said, dest, packet, &offset);
    WSHUB_ASSERT(end == (const char *)said + bytes);
    (void)end;
    return said;
}

static void wshub_sio__recovery_watch(wshub_sio *sio);

/* Sends a packet where dest says.
 *   here  to those of this server alone */
static wshub_err wshub_sio__send_to(const wshub_sio__space *space, const wshub_dest *dest,
                                    const wshub_packet *packet, bool here) {
    wshub *hub = space->sio->hub;
    if (here || (!space->realm.id && !wshub_desc_get(hub)->bus)) /* no words have to be found */
        return wshub_packet_send_here(hub, dest, packet);
    return wshub_packet_send(hub, dest, packet);
}

/* Puts an event behind all that its namespace has said. */
static void wshub_sio__said_append(wshub_sio *sio, wshub_sio__past *past, wshub_sio__said *said) {
    WSHUB_ASSERT(said->number == past->numbers + 1);
    past->numbers = said->number;
    *past->end = said;
    past->end = &said->next;
    past->count++;
    past->bytes += said->bytes;
    sio->stats.recovery_packets++;
    sio->stats.recovery_bytes += said->bytes;
}

/* Sends an event that can be recovered: to one socket, or where dest says.
 *   client  NULL: not to one
 * It is kept before it is sent, as whoever is told of anything meanwhile may send more. The hub is
 * shown it without its offset, which our own kinds of wire add: others in its realm do not hear
 * that. */
static wshub_err wshub_sio__say_kept(wshub_sio__space *space, const wshub_client *client,
                                     const wshub_dest *dest, const wshub_packet *packet,
                                     bool here) {
    wshub_sio *sio = space->sio;
    wshub_sio_namespace handle = wshub_sio__space_handle(space);
    wshub_sio__past *past = space->past;
    wshub_sio__said *said = wshub_sio__said_new(sio, past, dest, packet), **link;
    wshub_packet plain;
    uint64_t number;
    wshub_err err;

    if (!said) return WSHUB_ERR_NOMEM;
    number = said->number;
    plain = said->packet;
    plain.args_count--;
    wshub_sio__said_append(sio, past, said);
    sio->keeping = &said->packet;
    err = client ? wshub_client_send_packet(sio->hub, *client, &plain)
                 : wshub_sio__send_to(space, &said->dest, &plain, here);
    sio->keeping = NULL;

    if (wshub_sio__space_get(sio, handle) != space) return err; /* it has gone, and all of this */
    if (err) { /* nobody has it; and it may have been dropped meanwhile */
        for (link = &past->oldest; *link && (*link)->number < number;) link = &(*link)->next;
        if (*link && (*link)->number == number) wshub_sio__past_drop(sio, past, link);
    }
    wshub_sio__past_trim(sio, past);
    wshub_sio__recovery_watch(sio);
    return err;
}

/* ---- who has gone ---- */

static wshub_sio__absent **wshub_sio__bucket(wshub_sio *sio, const char pid[WSHUB_SIO__ID]) {
    uint32_t hash = 2166136261u;
    int i;
    for (i = 0; i < 8; i++) hash = (hash ^ (unsigned char)pid[i]) * 16777619u;
    return &sio->recovery->buckets[hash % WSHUB_SIO__BUCKETS];
}

/* Takes one out of the lists. */
static void wshub_sio__absent_unlink(wshub_sio__absent *absent) {
    wshub_sio *sio = absent->space->sio;
    wshub_sio__recovery *recovery = sio->recovery;
    wshub_sio__absent **link = wshub_sio__bucket(sio, absent->pid);

    WSHUB_ASSERT(sio->stats.recovery_sessions > 0 && absent->space->past->absent > 0);
    WSHUB_ASSERT(recovery->bytes >= absent->bytes);
    while (*link != absent) link = &(*link)->next;
    *link = absent->next;
    if (absent->older)
        absent->older->newer = absent->newer;
    else
        recovery->oldest = absent->newer;
    if (absent->newer)
        absent->newer->older = absent->older;
    else
        recovery->newest = absent->older;
    recovery->bytes -= absent->bytes;
    absent->space->past->absent--;
    sio->stats.recovery_sessions--;
    sio->stats.recovery_bytes -= absent->bytes;
}

/* Frees one that is in no list: its namespace may go then. */
static void wshub_sio__absent_free(wshub_sio__absent *absent) {
    wshub_sio__space *space = absent->space;
    wshub_sio__free(space->sio, absent, absent->bytes);
    wshub_sio__space_left(space);
}

static void wshub_sio__absent_forget(wshub_sio__absent *absent) {
    wshub_sio__absent_unlink(absent);
    wshub_sio__absent_free(absent);
}

/* Forgets who has been away for too long, and who is too many. */
static void wshub_sio__absent_trim(wshub_sio *sio) {
    wshub_sio__recovery *recovery = sio->recovery;
    uint64_t now = wshub_now_ms(sio->hub);

    while (recovery->oldest) {
        if (now - recovery->oldest->gone_ms <= sio->desc.recovery_ms) {
            if (sio->stats.recovery_sessions <= sio->desc.recovery_sessions_max &&
                recovery->bytes <= sio->desc.recovery_bytes_max)
                return;
            sio->stats.recovery_dropped++;
        }
        wshub_sio__absent_forget(recovery->oldest);
    }
}

/* Is it a way to go from which one may come back? (3.4, 3.5) */
static bool wshub_sio__may_return(const char *reason) {
    static const char *const reasons[] = {"transport close", "transport error",
                                          "forced close",    "forced server close",
                                          "ping timeout",    "server shutting down"};
    size_t i;
    for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(reason, reasons[i]) == 0) return true;
    }
    return false;
}

static int wshub_sio__room_order(const void *a, const void *b) {
    const wshub_str *x = (const wshub_str *)a, *y = (const wshub_str *)b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Copies what a socket that goes will be again. NULL: no memory, it cannot come back. */
static wshub_sio__absent *wshub_sio__absent_new(const wshub_sio__socket *socket) {
    wshub_sio *sio = socket->space->sio;
    wshub_str user_id = wshub_client_user_id(sio->hub, socket->client), room;
    wshub_str metadata = wshub_client_metadata(sio->hub, socket->client);
    size_t bytes = sizeof(wshub_sio__absent) + user_id.len + metadata.len, count = 0;
    wshub_iter iter = {0, 0};
    wshub_sio__absent *absent;
    wshub_sio__fill fill;
    wshub_str id;

    while (wshub_client_each_room(sio->hub, socket->client, &iter, &room)) {
        bytes += wshub_sio__list_bytes(&room, 1);
        count++;
    }
    absent = (wshub_sio__absent *)wshub_sio__new(sio, bytes);
    if (!absent) return NULL;

    absent->space = socket->space;
    absent->since = socket->ticket->since;
    absent->gone_ms = wshub_now_ms(sio->hub);
    absent->bytes = bytes;
    memcpy(absent->pid, socket->ticket->pid, WSHUB_SIO__ID);
    id = wshub_client_id(sio->hub, socket->client);
    WSHUB_ASSERT(id.ptr && id.len == WSHUB_SIO__ID); /* it is on its way out, and known still */
    memcpy(absent->id, id.ptr, WSHUB_SIO__ID);
    fill.lists = absent->rooms = (wshub_str *)(void *)(absent + 1);
    fill.texts = (char *)(fill.lists + count);
    memset(&iter, 0, sizeof iter);
    while (wshub_client_each_room(sio->hub, socket->client, &iter, &room))
        absent->rooms[absent->rooms_count++] = wshub_sio__fill_text(&fill, room);
    absent->user_id = wshub_sio__fill_text(&fill, user_id);
    absent->metadata = wshub_sio__fill_text(&fill, metadata);
    WSHUB_ASSERT(absent->rooms_count == count);
    WSHUB_ASSERT(fill.texts == (char *)absent + bytes);
    if (count) qsort(absent->rooms, count, sizeof room, wshub_sio__room_order);
    return absent;
}

/* A socket goes, in its rooms still: it is kept if it may come back. */
static void wshub_sio__absent_keep(const wshub_sio__socket *socket) {
    wshub_sio *sio = socket->space->sio;
    wshub_sio__recovery *recovery = sio->recovery;
    wshub_sio__absent *absent, **bucket;

    if (!socket->ticket || !socket->ticket->known || !wshub_sio__may_return(socket->reason)) return;
    absent = wshub_sio__absent_new(socket);
    if (!absent) return;

    bucket = wshub_sio__bucket(sio, absent->pid);
    absent->next = *bucket;
    *bucket = absent;
    absent->older = recovery->newest;
    if (recovery->newest)
        recovery->newest->newer = absent;
    else
        recovery->oldest = absent;
    recovery->newest = absent;
    recovery->bytes += absent->bytes;
    absent->space->sockets++;
    absent->space->past->absent++;
    sio->stats.recovery_sessions++;
    sio->stats.recovery_bytes += absent->bytes;
    wshub_sio__absent_trim(sio);
    wshub_sio__recovery_watch(sio);
}

/* ---- the clock ---- */

static void wshub_sio__recovery_due(wshub *hub, void *arg) {
    wshub_sio *sio = (wshub_sio *)arg;
    size_t i;

    (void)hub;
    WSHUB_ASSERT(sio->recovery && sio->recovery->timer.id);
    sio->recovery->timer.id = 0;
    wshub_sio__absent_trim(sio);
    for (i = 0; i < sio->spaces.count; i++) {
        wshub_sio__space *space = (wshub_sio__space *)sio->spaces.entries[i].item;
        if (space && space->past) wshub_sio__past_trim(sio, space->past);
    }
    wshub_sio__recovery_watch(sio);
    wshub_sio__check_still(sio);
}

/* Looks after what is kept, from time to time, as long as something is: how old it is counts when
 * somebody comes back, this is for the memory alone. */
static void wshub_sio__recovery_watch(wshub_sio *sio) {
    wshub_sio__recovery *recovery = sio->recovery;

    if (recovery->timer.id || (!recovery->oldest && !sio->stats.recovery_packets)) return;
    (void)wshub_timer_start(sio->hub, sio->desc.recovery_ms / 4 + 1, wshub_sio__recovery_due, sio,
                            &recovery->timer);
}

/* Rules may make no more namespaces: those that are kept for who may come back alone give way, all
 * of the one that has been left for the longest time. */
static void wshub_sio__recovery_yield(wshub_sio *sio) {
    wshub_sio__absent *absent = sio->recovery->oldest, *next;
    const wshub_sio__space *space;

    while (absent && (!absent->space->made || absent->space->sockets > absent->space->past->absent))
        absent = absent->newer;
    if (!absent) return;
    for (space = absent->space; absent; absent = next) {
        next = absent->newer;
        if (absent->space != space) continue;
        sio->stats.recovery_dropped++;
        wshub_sio__absent_forget(absent);
    }
    wshub_sio__space_sweep(sio->hub, sio);
}

/* ---- who comes back ---- */

/* The text of a member of an object, at most so long. len 0: there is none such. */
static wshub_str wshub_sio__short_text(wshub_str object, const char *key, char *text, size_t cap) {
    wshub_str value = wshub_json_get(object, key), out = {NULL, 0};
    size_t len;

    if (wshub_json_type(value) != WSHUB_JSON_STRING || wshub_json_copy(value, text, cap, &len))
        return out;
    out.ptr = text;
    out.len = len;
    return out;
}

/* Whom the payload of a CONNECT names by its pid. NULL: nobody. */
static wshub_sio__absent *wshub_sio__absent_find(wshub_sio__space *space, wshub_str auth) {
    wshub_sio *sio = space->sio;
    wshub_sio__absent *absent;
    char text[WSHUB_SIO__ID + 1];
    wshub_str pid;

    if (!space->past || !auth.len) return NULL;
    pid = wshub_sio__short_text(auth, "pid", text, sizeof text);
    if (pid.len != WSHUB_SIO__ID) return NULL;
    absent = *wshub_sio__bucket(sio, pid.ptr);
    while (absent && memcmp(absent->pid, pid.ptr, WSHUB_SIO__ID) != 0) absent = absent->next;
    return absent && absent->space == space ? absent : NULL;
}

static bool wshub_sio__in_list(wshub_str name, const wshub_str *list, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        if (wshub_str_eq(name, list[i])) return true;
    }
    return false;
}

/* Was it in one of these rooms? */
static bool wshub_sio__was_in(const wshub_sio__absent *absent, const wshub_str *rooms,
                              size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        if (bsearch(&rooms[i], absent->rooms, absent->rooms_count, sizeof *rooms,
                    wshub_sio__room_order))
            return true;
    }
    return false;
}

/* Was an event meant for it? By the rooms in which it was when it went. */
static bool wshub_sio__meant(const wshub_sio__said *said, const wshub_sio__absent *absent) {
    const wshub_dest *dest = &said->dest;
    wshub_dest_kind kind = dest->kind;
    wshub_str id;

    id.ptr = absent->id;
    id.len = WSHUB_SIO__ID;
    if (kind == WSHUB_DEST_RESOLVE)
        kind = !dest->name.len                ? WSHUB_DEST_ALL
               : wshub_str_eq(dest->name, id) ? WSHUB_DEST_CLIENT
                                              : WSHUB_DEST_ROOM;
    if (kind == WSHUB_DEST_CLIENT) return wshub_str_eq(dest->name, id);
    if (kind == WSHUB_DEST_USER) return wshub_str_eq(dest->name, absent->user_id);
    if (kind == WSHUB_DEST_ROOM &&
        !(dest->rooms_count ? wshub_sio__was_in(absent, dest->rooms, dest->rooms_count)
                            : wshub_sio__was_in(absent, &dest->name, 1)))
        return false;
    return !wshub_sio__in_list(id, dest->exclude, dest->exclude_count) &&
           !wshub_sio__was_in(absent, dest->except_rooms, dest->except_rooms_count);
}

/* Can it come back without a gap, and in time? out_after: the last event that it need not hear. Who
 * names no offset has heard nothing that has one. */
static bool wshub_sio__may_resume(const wshub_sio__absent *absent, wshub_str auth,
                                  uint64_t *out_after) {
    const wshub_sio__space *space = absent->space;
    const wshub_sio__past *past = space->past;
    const wshub_sio *sio = space->sio;
    uint64_t now = wshub_now_ms(sio->hub), after = absent->since, number;
    char text[WSHUB_SIO__TOKEN + WSHUB_SIO__DIGITS + 1];
    const wshub_sio__said *said;
    wshub_client client;
    size_t bytes = 0;
    wshub_str id;

    if (now - absent->gone_ms > sio->desc.recovery_ms) return false;
    if (wshub_json_get(auth, "offset").ptr) {
        number =
            wshub_sio__offset_read(past, wshub_sio__short_text(auth, "offset", text, sizeof text));
        if (!number) return false;
        if (number > after) after = number; /* an older one is from a life before this one */
    }
    if (after < past->lost && now - past->lost_at_ms <= wshub_sio__past_ms(sio)) return false;

    /* All at once has to find room among what may wait for it. */
    for (said = past->oldest; said; said = said->next) {
        if (said->number > after && wshub_sio__meant(said, absent)) bytes += said->bytes;
    }
    if (bytes > wshub_sio__or(sio->desc.engine.session_bytes_max, 8388608) / 2) return false;

    id.ptr = absent->id;
    id.len = WSHUB_SIO__ID;
    *out_after = after;
    return wshub_client_find_in(sio->hub, space->realm, id, &client) != WSHUB_OK;
}

/* Will who asks to come in be who it was? For on_connect, which may still say no. */
static bool wshub_sio__would_resume(wshub_sio__space *space, wshub_str auth) {
    const wshub_sio__absent *absent = wshub_sio__absent_find(space, auth);
    uint64_t after;
    return absent && wshub_sio__may_resume(absent, auth, &after);
}

/* Is somebody who has been let in whoever went? on_connect has said who that is. */
static bool wshub_sio__same_user(const wshub_sio__absent *absent, const wshub_identity *identity) {
    wshub_str none = {NULL, 0}, user_id = identity ? identity->user_id : none;
    return (user_id.ptr != NULL) == (absent->user_id.ptr != NULL) &&
           wshub_str_eq(user_id, absent->user_id);
}

/* A ticket for a socket that has been let in: by one that it shows it is who it was, and that one
 * is spent. NULL: it will not be able to come back. */
static wshub_sio__ticket *wshub_sio__ticket_new(const wshub_sio__pending *pending,
                                                const wshub_identity *identity) {
    wshub_sio__space *space = pending->space;
    wshub_sio *sio = space->sio;
    wshub_sio__absent *absent;
    wshub_sio__ticket *ticket;

    if (!sio->recovery || space->desc.flow) return NULL;
    if (!space->past) space->past = wshub_sio__past_new(sio);
    ticket = space->past ? (wshub_sio__ticket *)wshub_sio__new(sio, sizeof *ticket) : NULL;
    if (!ticket) return NULL;

    absent = wshub_sio__absent_find(space, pending->auth);
    if (absent) {
        wshub_sio__absent_unlink(absent);
        if (wshub_sio__may_resume(absent, pending->auth, &ticket->after) &&
            (pending->unasked || wshub_sio__same_user(absent, identity))) {
            memcpy(ticket->pid, absent->pid, WSHUB_SIO__ID);
            ticket->since = absent->since;
            ticket->back = absent;
            ticket->recovered = true;
            return ticket;
        }
        wshub_sio__absent_free(absent);
    }
    if (pending->auth.len && wshub_json_get(pending->auth, "pid").ptr)
        sio->stats.recovery_refused++;
    wshub_sio__id_make(sio, ticket->pid);
    ticket->since = space->past->numbers;
    return ticket;
}

/* It is back, or could not come in: what it was is needed no more. */
static void wshub_sio__ticket_use(wshub_sio__ticket *ticket) {
    wshub_sio__absent *back = ticket ? ticket->back : NULL;
    if (!back) return;
    ticket->back = NULL;
    wshub_sio__absent_free(back);
}

static void wshub_sio__ticket_free(wshub_sio *sio, wshub_sio__ticket *ticket) {
    wshub_sio__ticket_use(ticket);
    wshub_sio__free(sio, ticket, sizeof *ticket);
}

/* Who it is: as on_connect has said, else as it was. */
static wshub_identity wshub_sio__identity_back(const wshub_sio__absent *back,
                                               const wshub_identity *identity) {
    wshub_identity who;

    memset(&who, 0, sizeof who);
    if (identity) who = *identity;
    if (!who.user_id.ptr) who.user_id = back->user_id;
    if (!who.metadata.ptr) who.metadata = back->metadata;
    return who;
}

/* Puts it where it was. Its own room comes with its acceptance. */
static wshub_err wshub_sio__rejoin(wshub *hub, wshub_client client, const wshub_sio__absent *back) {
    wshub_err err = WSHUB_OK;
    size_t i;
    for (i = 0; i < back->rooms_count && !err; i++)
        err = wshub_client_join(hub, client, back->rooms[i]);
    return err;
}

/* What it has missed, as packets, behind which `last` is put: count of them, in a block of so many
 * bytes. NULL: out of memory. */
static wshub_sio__out *wshub_sio__missed(wshub_sio *sio, const wshub_sio__ticket *ticket,
                                         const wshub_sio__out *last, size_t *out_count,
                                         size_t *out_bytes) {
    const wshub_sio__absent *back = ticket->back;
    const wshub_sio__said *said, *first = back->space->past->oldest;
    wshub_sio__out *outs;
    size_t count = 0;

    while (first && first->number <= ticket->after) first = first->next;
    for (said = first; said; said = said->next) count += wshub_sio__meant(said, back);
    *out_bytes = (count + 1) * sizeof *outs;
    outs = (wshub_sio__out *)wshub_sio__new(sio, *out_bytes);
    if (!outs) return NULL;

    count = 0;
    for (said = first; said; said = said->next) {
        if (!wshub_sio__meant(said, back)) continue;
        outs[count].type = '2';
        outs[count++].packet = &said->packet;
    }
    outs[count++] = *last;
    *out_count = count;
    return outs;
}

/* ---- >>sio-check -----------------------------------------------------------------------------
 * What holds between two calls: what is counted, listed and found by handles agrees. With
 * WSHUB_SELF_CHECK all of it is gone through at the end of each report, as long as there is little
 * of it; else this is nothing. */

#if defined(WSHUB_SELF_CHECK) && !defined(NDEBUG)
enum {
    WSHUB_SIO__CHECKED = 32,         /* of a kind, up to which all is gone through */
    WSHUB_SIO__CHECKED_PLACES = 1024 /* for sockets, most of them empty */
};

/* Is there so little that it can be gone through each time? */
static bool wshub_sio__check_small(const wshub_sio *sio) {
    const wshub_sio_stats *stats = &sio->stats;
    return sio->spaces.count <= WSHUB_SIO__CHECKED && sio->pending.count <= WSHUB_SIO__CHECKED &&
           sio->dues.count <= WSHUB_SIO__CHECKED && sio->owed.count <= WSHUB_SIO__CHECKED &&
           sio->by_number_cap <= WSHUB_SIO__CHECKED_PLACES &&
           stats->sockets <= WSHUB_SIO__CHECKED && stats->acks_pending <= WSHUB_SIO__CHECKED &&
           stats->requests_pending <= WSHUB_SIO__CHECKED &&
           stats->recovery_sessions <= WSHUB_SIO__CHECKED &&
           stats->recovery_packets <= WSHUB_SIO__CHECKED;
}

/* Goes through all sockets, the one whose end is being told too.
 *   at  0 to begin
 * Returns NULL: no more. */
static const wshub_sio__socket *wshub_sio__check_each(const wshub_sio *sio, size_t *at) {
    const wshub_sio__socket *leaving = sio->leaving;

    while (*at < sio->by_number_cap) {
        const wshub_sio__socket *socket = sio->by_number[(*at)++];
        if (socket) return socket;
    }
    if (*at > sio->by_number_cap || !leaving || sio->by_number[leaving->number] == leaving)
        return NULL;
    ++*at;
    return leaving;
}

/* A table: each place has something or is in the list of those that are free. Returns how many
 * have. */
static size_t wshub_sio__check_table(const wshub_sio__table *table) {
    size_t i, used = 0, unused = 0;
    uint32_t place = table->free_first;

    WSHUB_ASSERT(table->count <= table->cap);
    for (i = 0; i < table->count; i++) used += table->entries[i].item != NULL;
    for (; place; place = table->entries[place - 1].free_next, unused++) {
        WSHUB_ASSERT(place <= table->count && unused < table->count);
        WSHUB_ASSERT(!table->entries[place - 1].item);
    }
    WSHUB_ASSERT(used + unused == table->count);
    return used;
}

/* Is it among what waits for an answer of sockets? */
static bool wshub_sio__check_asks(const wshub_sio__wait *wait, const wshub_sio__asked *asked) {
    const wshub_sio__asked *at = wait->asked;
    while (at && at != asked) at = at->next_of_wait;
    return at != NULL;
}

/* What waits for answers: as many as are left are asked, and what is kept is counted. */
static void wshub_sio__check_wait(const wshub_sio *sio, const wshub_sio__wait *wait) {
    const wshub_sio__asked *asked;
    const wshub_sio__kept *kept, *last = NULL;
    uint32_t left = 0, count = 0;
    size_t bytes = 0;

    WSHUB_ASSERT(wait->sio == sio);
    WSHUB_ASSERT((wait->fn != NULL) + (wait->found != NULL) + (wait->asker.id_len != 0) == 1);
    for (asked = wait->asked; asked; asked = asked->next_of_wait) {
        WSHUB_ASSERT(asked->wait == wait);
        left += asked->socket != NULL;
    }
    WSHUB_ASSERT(wait->left == left);
    WSHUB_ASSERT(wait->many || left <= 1);

    for (kept = wait->first_kept; kept; last = kept, kept = kept->next, count++)
        bytes += kept->bytes;
    WSHUB_ASSERT(wait->kept_count == count && wait->kept_bytes == bytes);
    WSHUB_ASSERT(bytes <= sio->desc.answers_bytes_max);
    WSHUB_ASSERT(last ? wait->next_kept == &last->next : wait->next_kept == &wait->first_kept);

    WSHUB_ASSERT(!wait->census || (wait->census->wait == wait && wait->census->sio == sio));
    if (wait->about == WSHUB_SIO__ALONE)
        WSHUB_ASSERT(!wait->census && !wait->servers && !wait->told && !wait->clients);
}

/* About what others are asked. */
static void wshub_sio__check_out(const wshub_sio *sio) {
    const wshub_sio__wait *wait;
    uint64_t count = 0;

    for (wait = sio->out; wait; wait = wait->next_out, count++) {
        WSHUB_ASSERT(wait->about != WSHUB_SIO__ALONE);
        wshub_sio__check_wait(sio, wait);
    }
    WSHUB_ASSERT(sio->stats.requests_pending == count && count <= sio->desc.requests_max);
}

/* Which events of servers the application has yet to answer: in their order. */
static void wshub_sio__check_owed(const wshub_sio *sio) {
    const wshub_sio__owed *owed, *last = NULL;
    size_t count = 0;

    for (owed = sio->owed_oldest; owed; last = owed, owed = owed->next, count++)
        WSHUB_ASSERT(wshub_sio__get(&sio->owed, owed->handle) == owed);
    WSHUB_ASSERT(!last || sio->owed_end == &last->next);
    WSHUB_ASSERT(sio->owed_count == count && count <= sio->desc.requests_max);
    WSHUB_ASSERT(wshub_sio__check_table(&sio->owed) == count);
}

/* What a socket waits for and what waits for it. *dues, *asked: they are added. */
static void wshub_sio__check_waits(const wshub_sio *sio, const wshub_sio__socket *socket,
                                   size_t *dues, size_t *asked) {
    const wshub_sio__asked *ask;
    const wshub_sio__due *due;
    uint32_t dues_count = 0, asked_count = 0;

    for (due = socket->dues; due; due = due->next, dues_count++) {
        WSHUB_ASSERT(due->socket == socket);
        WSHUB_ASSERT(wshub_sio__get(&sio->dues, due->handle) == due);
    }
    WSHUB_ASSERT(socket->dues_count == dues_count && dues_count <= sio->desc.acks_per_socket_max);

    for (ask = socket->asked; ask; ask = ask->next_of_socket, asked_count++) {
        WSHUB_ASSERT(ask->socket == socket);
        WSHUB_ASSERT(wshub_sio__check_asks(ask->wait, ask));
        wshub_sio__check_wait(sio, ask->wait);
    }
    WSHUB_ASSERT(socket->asked_count == asked_count);
    WSHUB_ASSERT(asked_count <= sio->desc.acks_per_socket_max);
    *dues += dues_count;
    *asked += asked_count;
}

/* A session: its sockets and those that ask to be some are its own, at most one in a namespace. */
static void wshub_sio__check_peer(const wshub_sio *sio, const wshub_sio__peer *peer) {
    const wshub_sio__part *part = peer->part;
    const wshub_sio__socket *socket, *other;
    const wshub_sio__pending *pending, *next;
    uint32_t crowd = 0;

    WSHUB_ASSERT(peer->sio == sio);
    WSHUB_ASSERT(wshub_eio_session_user(sio->eio, peer->session) == peer);
    for (socket = peer->sockets; socket; socket = socket->next, crowd++) {
        WSHUB_ASSERT(socket->peer == peer);
        for (other = socket->next; other; other = other->next)
            WSHUB_ASSERT(other->space != socket->space);
        for (pending = peer->pending; pending; pending = pending->next)
            WSHUB_ASSERT(pending->space != socket->space);
    }
    for (pending = peer->pending; pending; pending = pending->next, crowd++) {
        WSHUB_ASSERT(pending->peer == peer);
        for (next = pending->next; next; next = next->next)
            WSHUB_ASSERT(next->space != pending->space);
    }
    WSHUB_ASSERT(crowd <= sio->desc.sockets_per_session_max);
    if (part) {
        size_t held = part->text.len;
        unsigned i;
        for (i = 0; i < part->have; i++) held += part->attachments[i].len;
        WSHUB_ASSERT(part->have < part->want && part->held == held);
    }
}

/* A socket has a session as long as nobody has said why it ends. */
static void wshub_sio__check_socket(const wshub_sio *sio, const wshub_sio__socket *socket) {
    const wshub_sio__ticket *ticket = socket->ticket;
    const wshub_sio__socket *at;
    uint32_t number = wshub_client_number(sio->hub, socket->client);

    WSHUB_ASSERT(socket->space == sio->spaces.entries[socket->space->place].item);
    WSHUB_ASSERT((socket->peer == NULL) == (socket->reason != NULL));
    WSHUB_ASSERT(!socket->ping.id || socket->space->desc.flow);
    if (socket->peer) {
        for (at = socket->peer->sockets; at != socket;) at = at->next;
        wshub_sio__check_peer(sio, socket->peer);
        WSHUB_ASSERT(number == socket->number || number == UINT32_MAX); /* we hear that it goes */
    }
    if (ticket) {
        WSHUB_ASSERT(sio->recovery && socket->space->past && !socket->space->desc.flow);
        WSHUB_ASSERT(ticket->since <= socket->space->past->numbers);
        WSHUB_ASSERT(!ticket->back || (ticket->recovered && ticket->back->space == socket->space));
    }
}

/* All sockets: each is found by the number of its client. */
static void wshub_sio__check_sockets(const wshub_sio *sio) {
    const wshub_sio__socket *socket;
    size_t at = 0, dues = 0, asked = 0, sockets = 0;

    while ((socket = wshub_sio__check_each(sio, &at)) != NULL) {
        wshub_sio__check_socket(sio, socket);
        wshub_sio__check_waits(sio, socket, &dues, &asked);
        sockets += sio->by_number[socket->number] == socket;
    }
    WSHUB_ASSERT(sio->stats.sockets == sockets);
    WSHUB_ASSERT(sio->stats.acks_pending == asked);
    WSHUB_ASSERT(wshub_sio__check_table(&sio->dues) == dues);
}

/* Who asks to connect is known by a handle, and to its session. */
static void wshub_sio__check_pending(const wshub_sio *sio) {
    size_t i;

    (void)wshub_sio__check_table(&sio->pending);
    for (i = 0; i < sio->pending.count; i++) {
        const wshub_sio__pending *pending =
            (const wshub_sio__pending *)sio->pending.entries[i].item;
        const wshub_sio__pending *at = pending ? pending->peer->pending : NULL;
        if (!pending) continue;
        WSHUB_ASSERT(wshub_sio__get(&sio->pending, pending->handle) == pending);
        WSHUB_ASSERT(pending->space == sio->spaces.entries[pending->space->place].item);
        while (at && at != pending) at = at->next;
        WSHUB_ASSERT(at);
        wshub_sio__check_peer(sio, pending->peer);
    }
}

/* How many there are of a namespace: sockets, who asks to be one, who may come back. */
static uint32_t wshub_sio__check_crowd(const wshub_sio *sio, const wshub_sio__space *space) {
    const wshub_sio__absent *absent = sio->recovery ? sio->recovery->oldest : NULL;
    const wshub_sio__socket *socket;
    uint32_t crowd = 0, absents = 0;
    size_t at = 0, i;

    while ((socket = wshub_sio__check_each(sio, &at)) != NULL) {
        if (socket->space == space) crowd += socket->ticket && socket->ticket->back ? 2 : 1;
    }
    for (i = 0; i < sio->pending.count; i++) {
        const wshub_sio__pending *pending =
            (const wshub_sio__pending *)sio->pending.entries[i].item;
        crowd += pending && pending->space == space;
    }
    for (; absent; absent = absent->newer) absents += absent->space == space;
    WSHUB_ASSERT(absents == (space->past ? space->past->absent : 0));
    return crowd + absents;
}

/* What a namespace keeps of what it has said: in order, and counted. Returns its bytes. */
static uint64_t wshub_sio__check_past(const wshub_sio__past *past, uint64_t *packets) {
    const wshub_sio__said *said, *last = NULL;
    uint32_t count = 0;
    size_t bytes = 0;

    for (said = past->oldest; said; last = said, said = said->next, count++) {
        WSHUB_ASSERT(!last || (said->number > last->number && said->at_ms >= last->at_ms));
        bytes += said->bytes;
    }
    WSHUB_ASSERT(past->count == count && past->bytes == bytes);
    WSHUB_ASSERT(last ? past->end == &last->next : past->end == &past->oldest);
    WSHUB_ASSERT(!last || last->number <= past->numbers);
    WSHUB_ASSERT(past->lost <= past->numbers);
    WSHUB_ASSERT(!past->oldest || past->lost < past->oldest->number);
    *packets += count;
    return bytes;
}

/* Who may come back: by age, and by the pid. Returns the bytes. */
static uint64_t wshub_sio__check_absent(wshub_sio *sio) {
    const wshub_sio__recovery *recovery = sio->recovery;
    const wshub_sio__absent *absent, *older = NULL, *at;
    uint64_t count = 0, found = 0;
    size_t bytes = 0, i;

    for (absent = recovery->oldest; absent; older = absent, absent = absent->newer, count++) {
        WSHUB_ASSERT(absent->older == older);
        WSHUB_ASSERT(!older || absent->gone_ms >= older->gone_ms);
        for (at = *wshub_sio__bucket(sio, absent->pid); at != absent;) at = at->next;
        bytes += absent->bytes;
    }
    for (i = 0; i < WSHUB_SIO__BUCKETS; i++) {
        for (at = recovery->buckets[i]; at; at = at->next) found++;
    }
    WSHUB_ASSERT(recovery->newest == older);
    WSHUB_ASSERT(recovery->bytes == bytes);
    WSHUB_ASSERT(sio->stats.recovery_sessions == count && found == count);
    return bytes;
}

/* A namespace has one place, one name and one realm. */
static void wshub_sio__check_space(const wshub_sio *sio, const wshub_sio__space *space) {
    const wshub_sio__space *given = sio->given;

    WSHUB_ASSERT(space->sio == sio);
    WSHUB_ASSERT(wshub_sio__space_find(sio, space->name) == space);
    WSHUB_ASSERT(wshub_sio__space_in(sio, space->realm) == space);
    WSHUB_ASSERT(!space->desc.flow || space->desc.flow == &space->flow);
    WSHUB_ASSERT(!space->past || (sio->recovery && !space->desc.flow));
    while (given && given != space) given = given->next_given;
    WSHUB_ASSERT(!given || (!space->made && !space->on_bus));
    WSHUB_ASSERT(!space->on_bus || (sio->desc.bus && space->uid[0]));
    WSHUB_ASSERT(space->sockets == wshub_sio__check_crowd(sio, space));
}

static void wshub_sio__check_spaces(const wshub_sio *sio) {
    uint64_t packets = 0, bytes = 0;
    uint32_t made = 0;
    size_t i;

    for (i = 0; i < sio->spaces.count; i++) {
        const wshub_sio__space *space = (const wshub_sio__space *)sio->spaces.entries[i].item;
        if (!space) continue;
        WSHUB_ASSERT(space->place == i);
        wshub_sio__check_space(sio, space);
        made += space->made;
        if (space->past) bytes += wshub_sio__check_past(space->past, &packets);
    }
    WSHUB_ASSERT(wshub_sio__check_table(&sio->spaces) == sio->stats.namespaces);
    WSHUB_ASSERT(sio->made == made && made <= sio->desc.namespaces_max);

    if (sio->recovery) bytes += wshub_sio__check_absent((wshub_sio *)(uintptr_t)sio);
    WSHUB_ASSERT(sio->stats.recovery_packets == packets && sio->stats.recovery_bytes == bytes);
}

static void wshub_sio__check(const wshub_sio *sio) {
    if (!wshub_sio__check_small(sio)) return;
    wshub_sio__check_spaces(sio);
    wshub_sio__check_sockets(sio);
    wshub_sio__check_pending(sio);
    wshub_sio__check_out(sio);
    wshub_sio__check_owed(sio);
}

/* Nothing is half done: nobody waits for what has come, and what is kept is within its limits. */
static void wshub_sio__check_still(const wshub_sio *sio) {
    const wshub_sio__socket *socket;
    const wshub_sio__asked *asked;
    const wshub_sio__wait *wait;
    size_t at = 0, i;

    WSHUB_ASSERT(!sio->saying && !sio->keeping && !sio->leaving);
    if (!wshub_sio__check_small(sio)) return;
    wshub_sio__check(sio);
    for (wait = sio->out; wait; wait = wait->next_out) WSHUB_ASSERT(!wshub_sio__wait_over(wait));
    while ((socket = wshub_sio__check_each(sio, &at)) != NULL) {
        for (asked = socket->asked; asked; asked = asked->next_of_socket)
            WSHUB_ASSERT(!wshub_sio__wait_over(asked->wait));
        WSHUB_ASSERT(!socket->ticket || !socket->ticket->back || socket->reason);
        WSHUB_ASSERT(!socket->peer || !socket->peer->timer.id);
        WSHUB_ASSERT(!socket->peer || !socket->peer->part || socket->peer->part->timer.id);
    }
    for (i = 0; i < sio->spaces.count; i++) {
        const wshub_sio__space *space = (const wshub_sio__space *)sio->spaces.entries[i].item;
        if (!space || !space->past) continue;
        WSHUB_ASSERT(space->past->count <= sio->desc.recovery_packets_max);
        WSHUB_ASSERT(space->past->bytes <= sio->desc.recovery_bytes_max);
    }
    WSHUB_ASSERT(sio->stats.recovery_sessions <= sio->desc.recovery_sessions_max);
    WSHUB_ASSERT(!sio->recovery || sio->recovery->bytes <= sio->desc.recovery_bytes_max);
}
#else
static void wshub_sio__check(const wshub_sio *sio) {
    (void)sio;
}
static void wshub_sio__check_still(const wshub_sio *sio) {
    (void)sio;
}
#endif

/* ---- >>sio-sockets ---------------------------------------------------------------------------
 * Sockets: how they come and go. */

/* Behind all that its session has: in the order in which they came. */
static void wshub_sio__link(wshub_sio__peer *peer, wshub_sio__socket *socket) {
    wshub_sio__socket **link = &peer->sockets;

    WSHUB_ASSERT(!socket->peer && !socket->next);
    while (*link) link = &(*link)->next;
    *link = socket;
    socket->peer = peer;
}

/* Its session has it no more. `next` stays, for whoever is going through them. */
static void wshub_sio__unlink(wshub_sio__socket *socket) {
    wshub_sio__socket **link;

    if (!socket->peer) return;
    link = &socket->peer->sockets;
    while (*link != socket) link = &(*link)->next;
    *link = socket->next;
    socket->peer = NULL;
}

/* Ends a socket: the hub tells of that in settle (>>sio-ends). */
static void wshub_sio__end(wshub_sio__socket *socket, wshub_cause cause, const char *reason) {
    wshub *hub = socket->space->sio->hub;
    if (!socket->reason) socket->reason = reason;
    wshub_sio__unlink(socket);
    (void)wshub_client_end(hub, socket->client, cause, 1000, wshub_str_z(""));
}

/* Tells a socket to go, and ends it. Where there is no memory to tell it its session ends, and what
 * is kept of that with it. */
static void wshub_sio__kick(wshub_sio__socket *socket, wshub_cause cause) {
    wshub_str none = {"", 0};
    if (socket->peer) wshub_sio__say(socket->peer, '1', socket->space->name, none);
    wshub_sio__end(socket, cause, "server namespace disconnect");
}

/* The same where there is a flow: its transport is closed, too, unless others are on it. */
static void wshub_sio__kick_whole(wshub_sio__socket *socket, wshub_cause cause) {
    wshub_sio *sio = socket->space->sio;
    const wshub_sio__peer *peer = socket->peer;
    wshub_eio_session session = {0};

    if (peer && peer->sockets == socket && !socket->next && !peer->pending) session = peer->session;
    wshub_sio__kick(socket, cause);
    if (session.id && !socket->space->flow.linger) (void)wshub_eio_close(sio->eio, session);
}

/* What is kept of a session. NULL: it has closed. */
static wshub_sio__peer *wshub_sio__peer_of(const wshub_sio *sio, wshub_eio_session session) {
    return (wshub_sio__peer *)wshub_eio_session_user(sio->eio, session);
}

/* A packet in the wrong place costs its transport, and all that is on it. */
static void wshub_sio__misplaced(const wshub_sio__peer *peer) {
    peer->sio->stats.bad_packets++;
    (void)wshub_eio_close(peer->sio->eio, peer->session);
}

/* So does one that is none, and its sockets are told why. */
static void wshub_sio__bad(wshub_sio__peer *peer, const char *text) {
    wshub_sio *sio = peer->sio;
    wshub_eio_session session = peer->session; /* which whoever is told may close */
    wshub_sio__socket *socket;

    sio->stats.bad_packets++;
    for (socket = peer->sockets; socket; socket = socket->next) {
        if (socket->space->desc.on_error)
            socket->space->desc.on_error(sio, socket->client, text, socket->space->desc.user);
    }
    (void)wshub_eio_close(sio->eio, session);
}

static void wshub_sio__socket_free(wshub_sio__socket *socket) {
    wshub_sio *sio = socket->space->sio;

    WSHUB_ASSERT(!socket->peer && !socket->asked);
    if (socket->ping.id) (void)wshub_timer_stop(sio->hub, socket->ping);
    wshub_sio__ticket_free(sio, socket->ticket);
    while (socket->dues) wshub_sio__due_free(socket->dues);
    wshub_sio__text_free(sio, &socket->auth);
    wshub_sio__space_left(socket->space);
    wshub_sio__free(sio, socket, sizeof *socket);
}

/* Why a socket has ended of which nobody has said why: its stream has. */
static const char *wshub_sio__reason_of(wshub_cause cause) {
    switch (cause) {
    case WSHUB_BY_PEER: return "transport close";
    case WSHUB_BY_TIMEOUT: return "ping timeout";
    case WSHUB_BY_SHUTDOWN: return "server shutting down";
    case WSHUB_BY_APP: return "server namespace disconnect";
    default: return "transport error";
    }
}

static void wshub_sio__disconnecting(wshub *hub, const wshub_gone *gone, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_sio__socket *socket = wshub_sio__socket_of(sio, gone->client);

    (void)hub;
    WSHUB_ASSERT(!sio->leaving); /* one goes after the other */
    sio->leaving = socket;
    if (!socket) return; /* one that could not come in */
    wshub_sio__unlink(socket);
    if (!socket->reason) socket->reason = wshub_sio__reason_of(gone->cause);
    if (socket->space->desc.on_disconnecting)
        socket->space->desc.on_disconnecting(sio, socket->client, socket->reason,
                                             socket->space->desc.user);
    wshub_sio__absent_keep(socket);
}

static void wshub_sio__disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_sio__socket *socket = sio->leaving;

    (void)hub;
    if (!socket) return;
    WSHUB_ASSERT(socket->client.id == gone->client.id);
    WSHUB_ASSERT(sio->by_number[socket->number] == socket && sio->stats.sockets > 0);
    WSHUB_ASSERT(!socket->peer && socket->reason);
    sio->by_number[socket->number] = NULL;
    sio->stats.sockets--;
    wshub_sio__asked_drop(socket);
    if (socket->space->desc.on_disconnected)
        socket->space->desc.on_disconnected(sio, gone->client, socket->reason,
                                            socket->space->desc.user);
    sio->leaving = NULL;
    wshub_sio__socket_free(socket);
    wshub_sio__check_still(sio);
}

/* The hub, or the application by its functions, wants a socket to go. */
static void wshub_sio__close(wshub *hub, wshub_client client, wshub_cause cause, uint16_t code,
                             wshub_str reason, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    const wshub_sio_flow *flow = socket ? socket->space->desc.flow : NULL;

    if (!socket) {
        (void)wshub_client_end(hub, client, cause, code, reason);
    } else if (flow && (cause != WSHUB_BY_SHUTDOWN || !flow->come_back)) {
        wshub_sio__kick_whole(socket, cause);
    } else if (cause == WSHUB_BY_SHUTDOWN && socket->peer) {
        (void)wshub_eio_close_for(sio->eio, socket->peer->session, WSHUB_EIO_SHUTDOWN);
    } else {
        wshub_sio__kick(socket, cause);
    }
}

/* The payload of CONNECT as it is answered. Returns its length. */
static size_t wshub_sio__sid_json(const wshub_sio *sio, wshub_client client,
                                  const wshub_sio__ticket *ticket, char json[64]) {
    wshub_str id = wshub_client_id(sio->hub, client);
    int len = snprintf(json, 64, "{\"sid\":\"%.*s\"%s%.*s%s}", (int)id.len, id.ptr,
                       ticket ? ",\"pid\":\"" : "", ticket ? WSHUB_SIO__ID : 0,
                       ticket ? ticket->pid : "", ticket ? "\"" : "");
    WSHUB_ASSERT(len > 0 && len < 64);
    return (size_t)len;
}

/* Tells a client that it is accepted. */
static wshub_err wshub_sio__welcome(wshub_sio *sio, wshub_client client, const wshub_sio__out *outs,
                                    size_t count) {
    wshub_msg msg;
    wshub_err err;

    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("connect");
    sio->saying = outs;
    sio->saying_count = count;
    err = wshub_client_welcome(sio->hub, client, &msg);
    sio->saying = NULL;
    return err;
}

/* Tells one that it is who it was: what it has missed, then what others are told; one message. */
static wshub_err wshub_sio__welcome_back(const wshub_sio__socket *socket,
                                         const wshub_sio__out *last) {
    wshub_sio *sio = socket->space->sio;
    size_t count, bytes;
    wshub_sio__out *outs = wshub_sio__missed(sio, socket->ticket, last, &count, &bytes);
    wshub_err err;

    if (!outs) return WSHUB_ERR_NOMEM;
    err = wshub_sio__welcome(sio, socket->client, outs, count);
    wshub_sio__free(sio, outs, bytes);
    return err;
}

/* ---- >>sio-flow ------------------------------------------------------------------------------
 * The flow of who authenticates after it has connected (10): what the hub has the dialect say, and
 * the flow's own events. Times and rooms are the hub's; what is here are words and the ping. */

/* A packet of the flow: an event with one argument. */
typedef struct wshub_sio__word {
    wshub_packet packet;
    wshub_str arg;
    wshub_sio__out out;
} wshub_sio__word;

static void wshub_sio__word_make(wshub_sio__word *word, const char *event, wshub_str json) {
    memset(word, 0, sizeof *word);
    word->arg = json;
    word->packet.event = wshub_str_z(event);
    word->packet.args = &word->arg;
    word->packet.args_count = 1;
    word->packet.args_are_json = true;
    word->out.type = '2';
    word->out.packet = &word->packet;
}

/* The argument of `ping`: the time of day. */
static wshub_str wshub_sio__ping_json(const wshub *hub, char text[64]) {
    char time[24];
    wshub_str json;
    int len;

    wshub_iso_time(wshub_wall_ms(hub), time);
    len = snprintf(text, 64, "{\"time\":\"%.24s\"}", time);
    WSHUB_ASSERT(len > 0 && len < 64);
    json.ptr = text;
    json.len = (size_t)len;
    return json;
}

/* The argument of `authenticated`. Returns its length; it is written if it fits. */
static size_t wshub_sio__accepted_json(const wshub *hub, wshub_client client,
                                       const wshub_acceptance *what, char *text, size_t cap) {
    wshub_json_writer w;
    wshub_str json;
    char time[24];

    wshub_iso_time(wshub_wall_ms(hub), time);
    json.ptr = time;
    json.len = sizeof time;
    wshub_json_begin(&w, text, cap);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "id", wshub_client_id(hub, client));
    wshub_json_put_str(&w, "time", json);
    if (what->server_public_key.ptr)
        wshub_json_put_str(&w, "serverPublicKey", what->server_public_key);
    if (what->salt.ptr) wshub_json_put_str(&w, "salt", what->salt);
    wshub_json_put_end(&w);
    (void)wshub_json_done(&w, &json);
    return w.len;
}

/* A client has authenticated: it hears `ping`, then `authenticated`. */
static wshub_err wshub_sio__flow_accepted(wshub_sio *sio, wshub_client client,
                                          const wshub_acceptance *what) {
    char ping[64], small[256], *text = small;
    wshub_sio__word words[2];
    wshub_sio__out outs[2];
    wshub_str json;
    wshub_err err;

    /* On the stack, unless keys are unusually long. */
    json.len = wshub_sio__accepted_json(sio->hub, client, what, small, sizeof small);
    if (json.len > sizeof small) {
        text = (char *)wshub_sio__alloc(sio, NULL, 0, json.len);
        if (!text) return WSHUB_ERR_NOMEM;
        (void)wshub_sio__accepted_json(sio->hub, client, what, text, json.len);
    }
    json.ptr = text;
    wshub_sio__word_make(&words[0], "ping", wshub_sio__ping_json(sio->hub, ping));
    wshub_sio__word_make(&words[1], "authenticated", json);
    outs[0] = words[0].out;
    outs[1] = words[1].out;
    err = wshub_sio__welcome(sio, client, outs, 2);
    if (text != small) wshub_sio__free(sio, text, json.len);
    return err;
}

/* The application's ping, again and again. */
static void wshub_sio__flow_ping(wshub *hub, void *arg) {
    wshub_sio__socket *socket = (wshub_sio__socket *)arg;
    wshub_sio__word word;
    char text[64];

    WSHUB_ASSERT(socket->ping.id && socket->space->desc.flow);
    wshub_sio__word_make(&word, "ping", wshub_sio__ping_json(hub, text));
    (void)wshub_client_send_packet(hub, socket->client, &word.packet);
    socket->ping.id = 0;
    (void)wshub_timer_start(hub, socket->space->flow.ping_interval_ms, wshub_sio__flow_ping, socket,
                            &socket->ping); /* in the place of the one that has just passed */
}

/* What the hub has us say to who is accepted, at once or by the flow. */
static wshub_err wshub_sio__accepted(wshub *hub, wshub_client client, const wshub_acceptance *what,
                                     void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    const wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    wshub_sio__out out;
    char json[64];

    (void)hub;
    if (socket && socket->space->desc.flow) return wshub_sio__flow_accepted(sio, client, what);
    memset(&out, 0, sizeof out);
    out.type = '0';
    out.json.ptr = json;
    out.json.len = wshub_sio__sid_json(sio, client, socket ? socket->ticket : NULL, json);
    if (socket && socket->ticket && socket->ticket->back)
        return wshub_sio__welcome_back(socket, &out);
    return wshub_sio__welcome(sio, client, &out, 1);
}

/* Who is not accepted hears why. */
static void wshub_sio__flow_refused(wshub *hub, wshub_client client, wshub_refusal why) {
    static const char *const texts[] = {"", "Invalid token to authenticate! Please login again!",
                                        "Failed to authenticate connection! Please login again!",
                                        "Encryption handshake failed", "Encryption required"};
    char time[24], text[160];
    wshub_msg msg;
    int len;

    WSHUB_ASSERT(why >= WSHUB_REFUSED_AUTH && why <= WSHUB_REFUSED_CLEAR);
    wshub_iso_time(wshub_wall_ms(hub), time);
    len = snprintf(text, sizeof text, "{\"message\":\"%s\",\"time\":\"%.24s\"}", texts[why], time);
    WSHUB_ASSERT(len > 0 && len < (int)sizeof text);
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("unauthenticated");
    msg.data.ptr = text;
    msg.data.len = (size_t)len;
    (void)wshub_client_tell(hub, client, &msg);
}

static void wshub_sio__refused(wshub *hub, wshub_client client, wshub_refusal why, void *user) {
    const wshub_sio__socket *socket = wshub_sio__socket_of((wshub_sio *)user, client);
    wshub_str none = {NULL, 0};

    if (socket && socket->space->desc.flow) wshub_sio__flow_refused(hub, client, why);
    wshub_sio__close(hub, client, WSHUB_BY_AUTH, 0, none, user);
}

/* A client is accepted. */
static void wshub_sio__connected(wshub *hub, wshub_client client, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    const wshub_sio__space *space = socket ? socket->space : NULL;

    if (!space || !space->desc.flow) return;
    WSHUB_ASSERT(socket->peer); /* who has ended is not accepted */
    WSHUB_ASSERT(!socket->ping.id);
    if (!sio->desc.keep_http) wshub_eio_forget_http(sio->eio, socket->peer->session);
    if (space->flow.ping_interval_ms != WSHUB_OFF &&
        wshub_timer_start(hub, space->flow.ping_interval_ms, wshub_sio__flow_ping, socket,
                          &socket->ping)) {
        wshub_sio__kick_whole(socket, WSHUB_BY_MEMORY);
        return;
    }
    if (space->desc.on_connected) space->desc.on_connected(sio, client, space->desc.user);
}

/* A new socket of a flow hears of its CONNECT, and has yet to authenticate. */
static void wshub_sio__flow_enter(const wshub_sio__socket *socket) {
    wshub_sio *sio = socket->space->sio;
    wshub_str json;
    char text[64];

    WSHUB_ASSERT(socket->peer && socket->space->desc.flow);
    json.ptr = text;
    json.len = wshub_sio__sid_json(sio, socket->client, NULL, text);
    wshub_sio__say(socket->peer, '0', socket->space->name, json);
    (void)wshub_client_opened(sio->hub, socket->client);
}

/* All sockets of a flow are told to go. */
static void wshub_sio__flow_end(const wshub_sio__space *space) {
    wshub_sio *sio = space->sio;
    wshub_iter iter = {0, 0};
    wshub_client client;

    while (wshub_client_each_in(sio->hub, space->realm, &iter, &client)) {
        wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
        if (socket) wshub_sio__kick_whole(socket, WSHUB_BY_SHUTDOWN);
    }
}

/* ---- rooms ---- */

/* Names of rooms, decoded, in one block of so many bytes; the texts lie behind the list. */
typedef struct wshub_sio__rooms {
    wshub_str *names;
    size_t count, bytes;
} wshub_sio__rooms;

/* May a client ask for a room of that name (ROOM-1)? */
static bool wshub_sio__room_ok(const wshub *hub, wshub_client client, wshub_str name) {
    if (!name.len || wshub_utf8_units(name) > WSHUB_NAME_UNITS_MAX) return false;
    if (name.len >= 3 && memcmp(name.ptr, "ws:", 3) == 0) return false;
    return wshub_client_may_join(hub, client, name);
}

/* How many texts are in a list. 0: it is none, or something else is in it. */
static size_t wshub_sio__rooms_count(wshub_str list) {
    wshub_iter iter = {0, 0};
    wshub_str value;
    size_t count = 0;

    if (!list.ptr || wshub_json_peek(list) != WSHUB_JSON_ARRAY) return 0;
    while (wshub_json_each(list, &iter, &value)) {
        if (wshub_json_peek(value) != WSHUB_JSON_STRING) return 0;
        count++;
    }
    return count;
}

/* The rooms that `{"rooms":[...]}` names; wish: those alone that may be asked for. Of a list that
 * has anything but texts in it none is taken (10.3), of a long one as many as ROOM-6 allows. */
static wshub_sio__rooms wshub_sio__rooms_of(wshub_sio *sio, wshub_client client, wshub_str data,
                                            bool wish) {
    wshub_str none = {NULL, 0}, list = data.ptr ? wshub_json_get(data, "rooms") : none, value;
    size_t count = wshub_sio__rooms_count(list);
    wshub_iter iter = {0, 0};
    wshub_sio__rooms rooms;
    char *text;

    memset(&rooms, 0, sizeof rooms);
    if (count > wshub_desc_get(sio->hub)->rooms_per_message_max)
        count = wshub_desc_get(sio->hub)->rooms_per_message_max;
    rooms.bytes = count * sizeof *rooms.names + list.len;
    if (count) rooms.names = (wshub_str *)wshub_sio__alloc(sio, NULL, 0, rooms.bytes);
    if (!rooms.names) {
        wshub_client_report(sio->hub, client, WSHUB_LOG_JOIN_REFUSED, 1,
                            count ? "out of memory" : "no list of rooms", none);
        return rooms;
    }

    text = (char *)(rooms.names + count);
    while (rooms.count < count && wshub_json_each(list, &iter, &value)) {
        wshub_str name;
        name.ptr = text;
        name.len = wshub_json_text(value, text, value.len);
        if (wish && !wshub_sio__room_ok(sio->hub, client, name)) {
            wshub_client_report(sio->hub, client, WSHUB_LOG_JOIN_REFUSED, 1, "room name (ROOM-1)",
                                name);
            continue;
        }
        rooms.names[rooms.count++] = name;
        text += name.len;
    }
    return rooms;
}

static void wshub_sio__flow_join(wshub_sio *sio, wshub_client client, wshub_str data) {
    wshub_sio__rooms rooms = wshub_sio__rooms_of(sio, client, data, true);
    if (rooms.count) (void)wshub_client_ask_join(sio->hub, client, rooms.names, rooms.count);
    if (rooms.names) wshub_sio__free(sio, rooms.names, rooms.bytes);
}

static void wshub_sio__flow_leave(wshub_sio *sio, wshub_client client, wshub_str data) {
    wshub_sio__rooms rooms = wshub_sio__rooms_of(sio, client, data, false);
    size_t i;
    for (i = 0; i < rooms.count; i++) (void)wshub_client_leave(sio->hub, client, rooms.names[i]);
    if (rooms.names) wshub_sio__free(sio, rooms.names, rooms.bytes);
}

/* Is an event of somebody who is accepted, in clear, the flow's own? Then it has been seen to. */
static bool wshub_sio__flow_own(wshub_sio *sio, wshub_client client, wshub_str name,
                                wshub_str data) {
    bool joins = wshub_str_eq_z(name, "join"), leaves = wshub_str_eq_z(name, "leave");
    if (joins) wshub_sio__flow_join(sio, client, data);
    if (leaves) wshub_sio__flow_leave(sio, client, data);
    return joins || leaves || wshub_str_eq_z(name, "authenticate"); /* again: without effect */
}

/* Is an event the flow's own, or one that is too early? Then it has been seen to. */
static bool wshub_sio__flow_takes(wshub_sio__socket *socket, const wshub_sio_event *event,
                                  wshub_state state) {
    wshub_sio *sio = socket->space->sio;
    wshub_client client = socket->client;
    wshub_str none = {NULL, 0};

    if (state == WSHUB_CLIENT_AUTHENTICATED)
        return wshub_sio__flow_own(sio, client, event->name,
                                   event->args_count ? event->args[0] : none);
    if (wshub_str_eq_z(event->name, "authenticate")) { /* who is being asked about is not twice */
        (void)wshub_client_authenticate(sio->hub, client, socket->auth.len ? socket->auth : none);
        return true;
    }
    if (socket->space->flow.open && !wshub_str_eq_z(event->name, "join") &&
        !wshub_str_eq_z(event->name, "leave"))
        return false;
    wshub_client_report(sio->hub, client, WSHUB_LOG_IGNORED, 1, "an event before `authenticated`",
                        none);
    return true;
}

/* ---- >>sio-connect ---------------------------------------------------------------------------
 * CONNECT: who comes into a namespace. */

static void wshub_sio__pending_free(wshub_sio__pending *pending) {
    wshub_sio *sio = pending->peer->sio;
    wshub_sio__pending **link = &pending->peer->pending;

    while (*link != pending) link = &(*link)->next;
    *link = pending->next;
    wshub_sio__drop(&sio->pending, pending->handle);
    wshub_sio__space_left(pending->space);
    wshub_sio__free(sio, pending, sizeof *pending + pending->auth.len);
}

static void wshub_sio__handshake(const wshub_sio *sio, wshub_eio_session session, wshub_str auth,
                                 bool recovered, wshub_sio_handshake *out) {
    memset(out, 0, sizeof *out);
    out->recovered = recovered;
    out->http = wshub_eio_http(sio->eio, session);
    out->auth = auth.len ? auth : wshub_str_z("{}");
    out->address = wshub_eio_address(sio->eio, session);
    out->issued_ms = wshub_eio_issued_ms(sio->eio, session);
    if (out->http) out->xdomain = wshub_http_header(out->http, "Origin").ptr != NULL;
    out->secure = wshub_eio_is_secure(sio->eio, session);
}

/* Keeps a socket beside its client. False: out of memory. */
static bool wshub_sio__number(wshub_sio *sio, wshub_sio__socket *socket) {
    uint32_t number = wshub_client_number(sio->hub, socket->client);
    size_t cap = sio->by_number_cap;
    void *items = sio->by_number;

    WSHUB_ASSERT(number >= sio->by_number_cap || !sio->by_number[number]);
    if (!wshub_sio__reach(sio, &items, &cap, (size_t)number + 1, sizeof *sio->by_number))
        return false;
    sio->by_number = (wshub_sio__socket **)items;
    while (sio->by_number_cap < cap) sio->by_number[sio->by_number_cap++] = NULL;
    sio->by_number[number] = socket;
    socket->number = number;
    return true;
}

/* A socket is accepted by the hub, in the rooms in which it was if it comes back. */
static wshub_err wshub_sio__let_in(wshub_sio__socket *socket, const wshub_identity *identity) {
    wshub_sio *sio = socket->space->sio;
    wshub_client client = socket->client;
    wshub_sio__ticket *ticket = socket->ticket;
    wshub_err err = WSHUB_OK;
    wshub_identity was;

    if (ticket && ticket->back) {
        err = wshub_sio__rejoin(sio->hub, client, ticket->back);
        was = wshub_sio__identity_back(ticket->back, identity);
        identity = &was;
    }
    if (ticket) ticket->known = true;
    if (!err) err = wshub_client_accept(sio->hub, client, identity);
    if (wshub_sio__socket_of(sio, client) != socket) return err; /* it has gone by now */
    if (err) {
        if (ticket) ticket->known = false; /* what it has of its rooms is not all */
        wshub_sio__end(socket, WSHUB_BY_MEMORY, "transport error");
    } else if (ticket && ticket->back) {
        sio->stats.recovered++;
        wshub_sio__ticket_use(ticket);
    }
    return err;
}

/* A new socket of a flow is in the room of its id at once, as Node has it, and hears that it is
 * there. on_log, which is told of what joining has logged, may have ended it. */
static wshub_err wshub_sio__enter_flow(wshub_sio__socket *socket) {
    wshub_sio *sio = socket->space->sio;
    wshub_str id = wshub_client_id(sio->hub, socket->client);
    wshub_err err = wshub_client_join(sio->hub, socket->client, id);

    if (!socket->peer) return err;
    if (!err) {
        wshub_sio__flow_enter(socket);
        return WSHUB_OK;
    }
    wshub_sio__unlink(socket);
    sio->by_number[socket->number] = NULL;
    sio->stats.sockets--;
    (void)wshub_client_cancel(sio->hub, socket->client);
    return err;
}

/* A client of the hub's for a socket that has been let in. */
static wshub_err wshub_sio__enter(wshub_sio__peer *peer, wshub_sio__socket *socket,
                                  const wshub_identity *identity) {
    wshub_sio *sio = peer->sio;
    const wshub_sio_flow *flow = socket->space->desc.flow;
    const wshub_sio__absent *back = socket->ticket ? socket->ticket->back : NULL;
    wshub_client_desc who;
    char id[WSHUB_SIO__ID];
    wshub_err err;

    memset(&who, 0, sizeof who);
    if (back)
        memcpy(id, back->id, sizeof id);
    else
        wshub_sio__id_make(sio, id);
    who.dialect = sio->dialect;
    who.kind = wshub_eio_kind(sio->eio, peer->session);
    who.id.ptr = id;
    who.id.len = sizeof id;
    who.realm = socket->space->realm;
    who.auth_ms = flow ? flow->auth_timeout_ms : 0;
    err = wshub_client_add(sio->hub, wshub_eio_hub_session(sio->eio, peer->session), &who,
                           &socket->client);
    if (err) return err;
    if (!wshub_sio__number(sio, socket)) {
        (void)wshub_client_cancel(sio->hub, socket->client);
        return WSHUB_ERR_NOMEM;
    }
    wshub_sio__link(peer, socket);
    sio->stats.sockets++;
    if (flow) return wshub_sio__enter_flow(socket);
    (void)wshub_client_opened(sio->hub, socket->client);
    return wshub_sio__let_in(socket, identity);
}

/* Somebody is in. What the application was told of meanwhile may have ended it, or its session. */
static wshub_err wshub_sio__admitted(wshub_sio__socket *socket, const wshub_identity *identity) {
    const wshub_sio__space *space = socket->space;
    wshub_sio *sio = space->sio;
    wshub_sio__peer *peer = socket->peer;
    wshub_err err;

    if (!peer) return WSHUB_OK;
    if (peer->timer.id) (void)wshub_timer_stop(sio->hub, peer->timer);
    peer->timer.id = 0;
    wshub_eio_trust(sio->eio, peer->session);
    if (space->desc.flow) { /* it authenticates, or is known */
        if (!identity) return WSHUB_OK;
        err = wshub_client_accept(sio->hub, socket->client, identity);
        if (err && socket->peer) wshub_sio__kick_whole(socket, WSHUB_BY_MEMORY);
        return err;
    }
    if (!sio->desc.keep_http) wshub_eio_forget_http(sio->eio, peer->session);
    if (space->desc.on_connected) space->desc.on_connected(sio, socket->client, space->desc.user);
    return WSHUB_OK;
}

/* Lets somebody in. */
static wshub_err wshub_sio__admit(wshub_sio__pending *pending, const wshub_identity *identity) {
    wshub_sio__peer *peer = pending->peer;
    wshub_sio *sio = peer->sio;
    wshub_sio__space *space = pending->space;
    wshub_sio__socket *socket = (wshub_sio__socket *)wshub_sio__new(sio, sizeof *socket);
    wshub_eio_session session = peer->session;
    wshub_str none = {NULL, 0};
    wshub_err err = WSHUB_ERR_NOMEM;

    WSHUB_ASSERT(wshub_sio__get(&sio->pending, pending->handle) == pending);
    space->sockets++; /* it is there as long as this */
    if (socket) {
        socket->space = space;
        socket->auth = wshub_sio__copy(sio, pending->auth);
        socket->ticket = wshub_sio__ticket_new(pending, identity);
    }
    wshub_sio__pending_free(pending);
    if (socket) err = wshub_sio__enter(peer, socket, identity);
    if (!err) return wshub_sio__admitted(socket, identity);

    if (!socket) {
        wshub_sio__space_left(space);
    } else if (!socket->reason) {
        wshub_sio__socket_free(socket); /* or the hub tells of its end */
    }
    peer = wshub_sio__peer_of(sio, session);
    if (peer) wshub_sio__say_refused(peer, space->name, "Too many clients", none);
    return err;
}

static wshub_sio__socket *wshub_sio__joined(const wshub_sio__peer *peer, wshub_str space) {
    wshub_sio__socket *socket = peer->sockets;
    while (socket && !wshub_str_eq(socket->space->name, space)) socket = socket->next;
    return socket;
}

static bool wshub_sio__asks(const wshub_sio__peer *peer, const wshub_sio__space *space) {
    const wshub_sio__pending *pending = peer->pending;
    while (pending && pending->space != space) pending = pending->next;
    return pending != NULL;
}

static uint32_t wshub_sio__crowd(const wshub_sio__peer *peer) {
    const wshub_sio__socket *socket;
    const wshub_sio__pending *pending;
    uint32_t n = 0;
    for (socket = peer->sockets; socket; socket = socket->next) n++;
    for (pending = peer->pending; pending; pending = pending->next) n++;
    return n;
}

/* The namespace that is asked for, if there is one or a rule makes it; for one more, those that are
 * kept for who may come back give way. NULL: there is none. */
static wshub_sio__space *wshub_sio__connect_space(wshub_sio *sio, wshub_str name) {
    if (sio->recovery && sio->made >= sio->desc.namespaces_max && !wshub_sio__space_find(sio, name))
        wshub_sio__recovery_yield(sio);
    return wshub_sio__space_ask(sio, name);
}

/* Notes that somebody asks to come in. NULL: out of memory. */
static wshub_sio__pending *wshub_sio__pending_new(wshub_sio__peer *peer, wshub_sio__space *space,
                                                  wshub_str auth) {
    wshub_sio *sio = peer->sio;
    wshub_sio__pending *pending =
        (wshub_sio__pending *)wshub_sio__new(sio, sizeof *pending + auth.len);

    if (pending) pending->handle = wshub_sio__take(sio, &sio->pending, pending);
    if (!pending || !pending->handle) {
        wshub_sio__free(sio, pending, sizeof *pending + auth.len);
        return NULL;
    }
    if (auth.len) memcpy((char *)(pending + 1), auth.ptr, auth.len);
    pending->auth.ptr = (const char *)(pending + 1);
    pending->auth.len = auth.len;
    pending->peer = peer;
    pending->space = space;
    pending->next = peer->pending;
    peer->pending = pending;
    space->sockets++;
    return pending;
}

/* Asks on_connect about somebody, or lets in whom nobody has to be asked about. */
static void wshub_sio__pending_ask(wshub_sio__pending *pending) {
    const wshub_sio__peer *peer = pending->peer;
    wshub_sio__space *space = pending->space;
    wshub_sio *sio = peer->sio;
    bool back = space->desc.on_connect && wshub_sio__would_resume(space, pending->auth);
    wshub_sio_handshake handshake;
    wshub_sio_ask_id ask;

    pending->unasked = !space->desc.on_connect || (back && sio->desc.recovery_skip_connect);
    if (pending->unasked) {
        (void)wshub_sio__admit(pending, NULL);
        return;
    }
    ask.id = pending->handle;
    wshub_sio__handshake(sio, peer->session, pending->auth, back, &handshake);
    space->desc.on_connect(sio, ask, &handshake, space->desc.user);
}

static void wshub_sio__connect(wshub_sio__peer *peer, const wshub_sio_packet *packet) {
    wshub_sio *sio = peer->sio;
    wshub_eio_session session = peer->session;
    wshub_sio__space *space;
    wshub_sio__pending *pending = NULL;
    const char *refusal = "Too many clients";
    wshub_str none = {NULL, 0};

    if (wshub_sio__joined(peer, packet->space)) {
        wshub_sio__misplaced(peer);
        return;
    }
    space = wshub_sio__connect_space(sio, packet->space);
    peer = wshub_sio__peer_of(sio, session); /* a rule that was asked may have closed it */
    if (!peer) {
        if (space) wshub_sio__space_unused(space);
        return;
    }
    if (!space) {
        wshub_sio__say_refused(peer, packet->space, "Invalid namespace", none);
        return;
    }
    if (wshub_sio__asks(peer, space)) return; /* it will be answered */

    if (wshub_sio__crowd(peer) < sio->desc.sockets_per_session_max) {
        pending = wshub_sio__pending_new(peer, space, packet->json);
    } else {
        sio->stats.limits++;
        refusal = "Too many namespaces";
    }
    if (pending) {
        wshub_sio__pending_ask(pending);
        return;
    }
    wshub_sio__space_unused(space);
    wshub_sio__say_refused(peer, packet->space, refusal, none);
}

/* ---- >>sio-events ----------------------------------------------------------------------------
 * What sockets say: events, acknowledgements, with their attachments. */

/* The values of an array, in the list of the server. Returns how many; SIZE_MAX: out of memory. */
static size_t wshub_sio__list(wshub_sio *sio, wshub_str array) {
    wshub_iter iter = {0, 0};
    wshub_str value;
    size_t n = 0;

    while (array.len && wshub_json_each(array, &iter, &value)) {
        void *list = sio->list;
        if (!wshub_sio__reach(sio, &list, &sio->list_cap, n + 1, sizeof value)) return SIZE_MAX;
        sio->list = (wshub_str *)list;
        sio->list[n++] = value;
    }
    return n;
}

/* The name of an event, decoded where that has to be done. ptr NULL: out of memory. */
static wshub_str wshub_sio__name(wshub_sio *sio, wshub_str json) {
    void *scratch = sio->scratch;
    wshub_str name = json;

    if (wshub_json_peek(json) != WSHUB_JSON_STRING) return json;
    if (!memchr(json.ptr, '\\', json.len)) { /* as it stands between its quotes */
        name.ptr++;
        name.len -= 2;
        return name;
    }
    name.ptr = NULL;
    name.len = wshub_json_text(json, NULL, 0);
    if (!wshub_sio__reach(sio, &scratch, &sio->scratch_cap, name.len + 1, 1)) return name;
    sio->scratch = (char *)scratch;
    (void)wshub_json_text(json, sio->scratch, name.len);
    name.ptr = sio->scratch;
    return name;
}

/* What the inbound transformer has made of an event, or an event that needs none. */
static void wshub_sio__clear(wshub *hub, wshub_client client, const wshub_event *event,
                             void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    const wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);

    if (socket && socket->space->desc.flow &&
        wshub_sio__flow_own(sio, client, event->event, event->data))
        return;
    (void)wshub_client_event(hub, client, event);
}

/* Gives an event to the hub's on_message, as the JSON dialect does (SEND-8); the id is that of the
 * acknowledgement. That of an encrypted client passes the inbound transformer first (ENC-1); while
 * that has another of a session that polls, it cannot wait, and is dropped. */
static void wshub_sio__to_hub(wshub_sio__socket *socket, const wshub_sio_event *event, wshub_str id,
                              bool transforms) {
    wshub_sio *sio = socket->space->sio;
    wshub_packet packet;
    wshub_event out;
    char *text = NULL;

    memset(&out, 0, sizeof out);
    out.event = event->name;
    out.id = id;
    if (event->args_count) out.data = event->args[0];
    if (event->args_count > 1 || (event->args_count && event->attachments_count)) {
        memset(&packet, 0, sizeof packet);
        packet.args = event->args;
        packet.args_count = event->args_count;
        packet.attachments = event->attachments;
        packet.attachments_count = event->attachments_count;
        out.data.len = wshub_packet_data(&packet, NULL, 0);
        text = (char *)wshub_sio__alloc(sio, NULL, 0, out.data.len);
        if (!text) return;
        (void)wshub_packet_data(&packet, text, out.data.len);
        out.data.ptr = text;
    }
    if (!transforms) {
        (void)wshub_client_event(sio->hub, socket->client, &out);
    } else if (wshub_client_receive(sio->hub, socket->client, &out)) {
        wshub_client_report(sio->hub, socket->client, WSHUB_LOG_MSG_IGNORED, 1,
                            "an event while the transformer has another", event->name);
    }
    wshub_sio__free(sio, text, out.data.len);
}

static void wshub_sio__event(wshub_sio__socket *socket, const wshub_sio_packet *packet,
                             const wshub_span *attachments, size_t bytes) {
    wshub_sio *sio = socket->space->sio;
    const wshub_sio_namespace_desc *desc = &socket->space->desc;
    wshub_client client = socket->client;
    wshub_heard heard = wshub_client_heard(sio->hub, client, bytes);
    bool transforms = heard.transforms && !desc->on_event;
    wshub_sio_event event;
    size_t n;

    WSHUB_ASSERT(socket->peer);
    if (heard.state == WSHUB_CLIENT_DISCONNECTED) return;
    if (!packet->json.len) return; /* an event of nothing */
    n = wshub_sio__list(sio, packet->json);
    if (n == SIZE_MAX) return;
    WSHUB_ASSERT(n > 0); /* an event has its name */
    memset(&event, 0, sizeof event);
    event.name = wshub_sio__name(sio, sio->list[0]);
    if (!event.name.ptr) return;
    event.args = sio->list + 1;
    event.args_count = n - 1;
    event.attachments = attachments;
    event.attachments_count = packet->attachments;
    event.raw = packet->json;
    if (desc->flow && !transforms && wshub_sio__flow_takes(socket, &event, heard.state)) return;
    if (desc->on_packet && !desc->on_packet(sio, client, &event, desc->user)) return;
    if (wshub_sio__socket_of(sio, client) != socket || !socket->peer) return; /* it goes */
    sio->stats.events_in++;
    if (!desc->on_event) {
        wshub_sio__to_hub(socket, &event, packet->id, transforms);
        return;
    }
    if (packet->id.ptr) event.ack = wshub_sio__due_new(socket, packet->id);
    desc->on_event(sio, client, &event, desc->user);
}

static void wshub_sio__acked(wshub_sio__socket *socket, const wshub_sio_packet *packet,
                             const wshub_span *attachments) {
    wshub_sio *sio = socket->space->sio;
    wshub_sio__asked *asked = socket->asked;
    wshub_sio_answers answers;
    wshub_sio__wait *wait;
    uint64_t id;

    if (!packet->id.ptr || !wshub_json_uint(packet->id, &id)) return;
    while (asked && asked->wait->id != id) asked = asked->next_of_socket;
    if (!asked) return; /* unknown, answered before, or too late */
    wait = asked->wait;
    WSHUB_ASSERT(wait->many || wait->fn);
    wshub_sio__asked_done(asked);
    if (wait->many) {
        if (wait->asker.id_len)
            wshub_sio__answer_passed(wait, packet->json, attachments, packet->attachments);
        else
            wshub_sio__wait_keep(wait, socket->client, packet->json, attachments,
                                 packet->attachments);
        wshub_sio__wait_check(wait);
        return;
    }
    memset(&answers, 0, sizeof answers);
    answers.args_count = wshub_sio__list(sio, packet->json);
    if (answers.args_count == SIZE_MAX) answers.args_count = 0;
    answers.args = sio->list;
    answers.attachments = attachments;
    answers.attachments_count = packet->attachments;
    {
        wshub_sio_answers_fn fn = wait->fn;
        void *user = wait->user;
        wshub_sio__wait_free(wait);
        fn(sio, &answers, user);
    }
}

/* A whole packet, with its attachments. */
static void wshub_sio__packet_whole(wshub_sio__peer *peer, const wshub_sio_packet *packet,
                                    const wshub_span *attachments, size_t bytes) {
    wshub_sio__socket *socket;

    if (packet->type == '0') {
        wshub_sio__connect(peer, packet);
        return;
    }
    socket = wshub_sio__joined(peer, packet->space);
    if (!socket || packet->type == '4') {
        wshub_sio__misplaced(peer);
    } else if (packet->type == '1') {
        wshub_sio__end(socket, WSHUB_BY_PEER, "client namespace disconnect");
    } else if (packet->type == '2') {
        wshub_sio__event(socket, packet, attachments, bytes);
    } else {
        wshub_sio__acked(socket, packet, attachments);
    }
}

/* ---- attachments ---- */

static void wshub_sio__part_free(wshub_sio__peer *peer) {
    wshub_sio__part *part = peer->part;
    unsigned i;

    peer->part = NULL;
    if (!part) return;
    if (part->timer.id) (void)wshub_timer_stop(peer->sio->hub, part->timer);
    for (i = 0; i < part->have; i++)
        wshub_sio__free(peer->sio, (void *)(uintptr_t)part->attachments[i].ptr,
                        part->attachments[i].len + 1);
    wshub_sio__free(peer->sio, part, part->bytes);
}

static void wshub_sio__part_due(wshub *hub, void *arg) {
    wshub_sio__peer *peer = (wshub_sio__peer *)arg;
    const wshub_sio *sio = peer->sio;

    (void)hub;
    WSHUB_ASSERT(peer->part && peer->part->timer.id);
    peer->part->timer.id = 0;
    peer->sio->stats.limits++;
    wshub_sio__bad(peer, "attachments that do not come");
    wshub_sio__check_still(sio);
}

/* A packet whose attachments follow. */
static void wshub_sio__part_begin(wshub_sio__peer *peer, wshub_str text, unsigned want) {
    wshub_sio *sio = peer->sio;
    size_t bytes = sizeof(wshub_sio__part) + (want - 1) * sizeof(wshub_span) + text.len;
    wshub_sio__part *part = (wshub_sio__part *)wshub_sio__new(sio, bytes);

    WSHUB_ASSERT(!peer->part && want > 0);
    if (part) {
        char *to = (char *)part + bytes - text.len;
        memcpy(to, text.ptr, text.len);
        part->bytes = bytes;
        part->text.ptr = to;
        part->text.len = part->held = text.len;
        part->want = want;
        peer->part = part;
    }
    if (!part || wshub_timer_start(sio->hub, sio->desc.attachments_timeout_ms, wshub_sio__part_due,
                                   peer, &part->timer))
        (void)wshub_eio_close_for(sio->eio, peer->session, WSHUB_EIO_OVERFLOW);
}

static void wshub_sio__part_add(wshub_sio__peer *peer, const uint8_t *bytes, size_t count) {
    wshub_sio *sio = peer->sio;
    wshub_sio__part *part = peer->part;
    wshub_sio_packet packet;
    uint8_t *copy;

    WSHUB_ASSERT(part && part->have < part->want);
    if (part->held + count > sio->desc.packet_bytes_max) {
        sio->stats.limits++;
        wshub_sio__bad(peer, "packet too big");
        return;
    }
    copy = (uint8_t *)wshub_sio__alloc(sio, NULL, 0, count + 1);
    if (!copy) {
        (void)wshub_eio_close_for(sio->eio, peer->session, WSHUB_EIO_OVERFLOW);
        return;
    }
    if (count) memcpy(copy, bytes, count);
    part->attachments[part->have].ptr = copy;
    part->attachments[part->have++].len = count;
    part->held += count;
    if (part->have < part->want) return;

    /* It is read again, where it lies now; and is the peer's no more, whatever is done with it. */
    peer->part = NULL;
    if (part->timer.id) (void)wshub_timer_stop(sio->hub, part->timer);
    part->timer.id = 0;
    if (!wshub_sio__read(part->text, sio->desc.attachments_max, &packet))
        wshub_sio__packet_whole(peer, &packet, part->attachments, part->held);
    {
        wshub_sio__peer ghost; /* it frees what is a peer's */
        memset(&ghost, 0, sizeof ghost);
        ghost.sio = sio;
        ghost.part = part;
        wshub_sio__part_free(&ghost);
    }
}

/* ---- what the engine tells ---- */

static void wshub_sio__connect_due(wshub *hub, void *arg) {
    wshub_sio__peer *peer = (wshub_sio__peer *)arg;
    wshub_sio *sio = peer->sio;

    (void)hub;
    WSHUB_ASSERT(peer->timer.id && !peer->sockets);
    peer->timer.id = 0;
    sio->stats.limits++;
    (void)wshub_eio_close(sio->eio, peer->session);
    wshub_sio__check_still(sio);
}

static void wshub_sio__on_open(wshub_eio *eio, wshub_eio_session session, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_sio__peer *peer = (wshub_sio__peer *)wshub_sio__new(sio, sizeof *peer);

    if (peer) {
        peer->sio = sio;
        peer->session = session;
        wshub_eio_set_session_user(eio, session, peer);
    }
    if (!peer || wshub_timer_start(sio->hub, sio->desc.connect_timeout_ms, wshub_sio__connect_due,
                                   peer, &peer->timer))
        (void)wshub_eio_close_for(eio, session, WSHUB_EIO_OVERFLOW);
    wshub_sio__check_still(sio);
}

/* A message of a session. */
static void wshub_sio__heard(wshub_sio__peer *peer, const uint8_t *bytes, size_t count, bool text) {
    wshub_sio *sio = peer->sio;
    wshub_sio_packet packet;
    wshub_str whole;
    const char *wrong;

    whole.ptr = (const char *)bytes;
    whole.len = count;
    if (!text) {
        if (peer->part)
            wshub_sio__part_add(peer, bytes, count);
        else
            wshub_sio__bad(peer, "got binary data when not reconstructing a packet");
        return;
    }
    if (peer->part) {
        wshub_sio__bad(peer, "got plaintext data when reconstructing a packet");
        return;
    }
    wrong = wshub_sio__read(whole, sio->desc.attachments_max, &packet);
    if (wrong) {
        wshub_sio__bad(peer, wrong);
    } else if (packet.attachments) {
        wshub_sio__part_begin(peer, whole, packet.attachments);
    } else {
        wshub_sio__packet_whole(peer, &packet, NULL, count);
    }
}

static void wshub_sio__on_message(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes,
                                  size_t count, bool text, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_sio__peer *peer = (wshub_sio__peer *)wshub_eio_session_user(eio, session);

    WSHUB_ASSERT(peer); /* or its session would have closed as it opened */
    wshub_sio__heard(peer, bytes, count, text);
    wshub_sio__check_still(sio);
}

static void wshub_sio__on_close(wshub_eio *eio, wshub_eio_session session, wshub_eio_reason reason,
                                void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_sio__peer *peer = (wshub_sio__peer *)wshub_eio_session_user(eio, session);
    const char *text = wshub_eio_reason_text(reason);

    if (reason == WSHUB_EIO_FORCED_CLOSE && !wshub_eio_is_writable(eio, session) &&
        wshub_eio_transport_of(eio, session) == WSHUB_EIO_POLLING)
        text = "forced server close"; /* as Node calls it where nobody polls at the moment */
    if (peer) {
        while (peer->pending) wshub_sio__pending_free(peer->pending);
        while (peer->sockets) wshub_sio__end(peer->sockets, WSHUB_BY_PEER, text);
        wshub_sio__part_free(peer);
        if (peer->timer.id) (void)wshub_timer_stop(sio->hub, peer->timer);
        wshub_eio_set_session_user(eio, session, NULL);
        wshub_sio__free(sio, peer, sizeof *peer);
    }
    if (sio->desc.on_session_closed) sio->desc.on_session_closed(sio, reason, sio->desc.user);
    wshub_sio__check(sio);
}

/* ---- >>sio-heard -----------------------------------------------------------------------------
 * What other servers have published. It is a stranger's: what would cost clients their connections
 * is dropped, counted and told, and most whose room has nobody here is not looked into. */

/* The namespace of a channel, and what of its name is behind that. NULL: none is open. */
static wshub_sio__space *wshub_sio__bus_space(const wshub_sio *sio, wshub_str channel,
                                              wshub_str *out_rest) {
    const char *mark = channel.len ? (const char *)memchr(channel.ptr, '#', channel.len) : NULL;
    wshub_sio__space *space;
    wshub_str name;

    if (!mark) return NULL;
    name.ptr = channel.ptr;
    name.len = (size_t)(mark - channel.ptr);
    space = wshub_sio__space_find(sio, name);
    out_rest->ptr = mark + 1;
    out_rest->len = channel.len - name.len - 1;
    return space && space->on_bus ? space : NULL;
}

/* Names that nobody has here can be left out. Returns how many are left, at the front. */
static size_t wshub_sio__bus_names(wshub_str *names, size_t count) {
    size_t i, kept = 0;
    for (i = 0; i < count; i++) {
        if (names[i].len && names[i].len <= WSHUB_NAME_BYTES_MAX) names[kept++] = names[i];
    }
    return kept;
}

/* What is sent to all does not reach who is not accepted yet (SEND-2). The helper with the flow
 * knows no such difference. */
static void wshub_sio__to_unaccepted(const wshub_sio *sio, const wshub_dest *dest,
                                     const wshub_packet *packet) {
    wshub_iter iter = {0, 0};
    wshub_client client;

    while (wshub_client_each_in(sio->hub, dest->realm, &iter, &client)) {
        if (wshub_sio__socket_of(sio, client) &&
            wshub_client_state(sio->hub, client) != WSHUB_CLIENT_AUTHENTICATED)
            (void)wshub_client_send_packet(sio->hub, client, packet);
    }
}

/* Sends here what is right. */
static wshub_sio_drop wshub_sio__bus_send(wshub_sio__space *space, const wshub_dest *dest,
                                          const wshub_packet *packet, bool unaccepted) {
    wshub_sio *sio = space->sio;
    wshub_err err = wshub_sio__recoverable(space, packet)
                        ? wshub_sio__say_kept(space, NULL, dest, packet, true)
                        : wshub_packet_send_here(sio->hub, dest, packet);

    if (err) return WSHUB_SIO_DROP_UNSENDABLE;
    sio->stats.bus_in++;
    if (unaccepted) wshub_sio__to_unaccepted(sio, dest, packet);
    return WSHUB_SIO_DROP_NONE;
}

/* Delivers a broadcast here. Returns what is wrong with it. */
static wshub_sio_drop wshub_sio__bus_deliver(wshub_sio *sio, wshub_sio__space *space,
                                             wshub_sio__caster *c, const wshub_sio__cast *cast) {
    wshub_packet packet;
    wshub_dest dest;
    bool unaccepted = space->desc.flow && !cast->rooms_count && !cast->except_count;
    wshub_str none = {"", 0}, *list = c->list ? c->list : &none; /* of nothing there is no list */
    size_t i;

    memset(&packet, 0, sizeof packet);
    packet.event = cast->event;
    packet.args = list + cast->args;
    packet.args_count = cast->args_count;
    packet.attachments = c->out.attachments;
    packet.attachments_count = c->out.attachments_count;
    packet.flags = cast->flags;
    if (cast->type != 2) return WSHUB_SIO_DROP_TYPE;
    if (!wshub_sio__sayable(sio, &packet)) {
        sio->stats.refused++;
        return WSHUB_SIO_DROP_EVENT;
    }
    for (i = 0; packet.attachments_count && i < packet.args_count; i++) {
        if (!wshub_sio__placeholders_ok(packet.args[i], packet.attachments_count))
            return WSHUB_SIO_DROP_PLACEHOLDER;
    }

    memset(&dest, 0, sizeof dest);
    dest.kind = cast->rooms_count ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    dest.rooms = list + cast->rooms;
    dest.rooms_count = wshub_sio__bus_names(list + cast->rooms, cast->rooms_count);
    dest.except_rooms = list + cast->except;
    dest.except_rooms_count = wshub_sio__bus_names(list + cast->except, cast->except_count);
    dest.realm = space->realm;
    if (cast->rooms_count && !dest.rooms_count) return WSHUB_SIO_DROP_NONE;
    return wshub_sio__bus_send(space, &dest, &packet, unaccepted);
}

/* What is wrong with what is no broadcast. The adapters for streams of Redis, and the sharded one,
 * say maps, in msgpack or JSON. */
static wshub_sio_drop wshub_sio__bus_none(wshub_str payload) {
    wshub_sio__reader in;
    unsigned first = payload.len ? (uint8_t)payload.ptr[0] : 0;

    memset(&in, 0, sizeof in);
    in.at = (const uint8_t *)payload.ptr;
    in.end = in.at + payload.len;
    if (first == '{' || (first & 0xF0) == 0x80 || first >> 1 == 0xDE >> 1)
        return WSHUB_SIO_DROP_ADAPTER;
    return wshub_sio__read_past(&in) && in.at == in.end ? WSHUB_SIO_DROP_SHAPE
                                                        : WSHUB_SIO_DROP_BYTES;
}

/* Reads a broadcast, and delivers it if it is another's and for this namespace. Returns what is
 * wrong with it. */
static wshub_sio_drop wshub_sio__bus_read(wshub_sio *sio, wshub_sio__space *space,
                                          wshub_str payload) {
    wshub_span attachments[WSHUB_SIO__ATTACHMENTS];
    wshub_sio__caster c;
    wshub_sio__cast cast;
    void *list = sio->heard_list;
    bool ok;

    do {
        memset(&c, 0, sizeof c);
        c.in.at = (const uint8_t *)payload.ptr;
        c.in.end = c.in.at + payload.len;
        c.out.text.buf = sio->heard;
        c.out.text.cap = sio->heard_cap;
        c.out.attachments = attachments;
        c.out.attachments_max = sio->desc.attachments_max;
        c.list = sio->heard_list;
        c.list_cap = sio->heard_list_cap;
        ok = wshub_sio__cast_read(&c, &cast);
        if (c.out.too_many) {
            sio->stats.refused++;
            return WSHUB_SIO_DROP_ATTACHMENTS;
        }
        if (!ok) return wshub_sio__bus_none(payload);
        if (wshub_str_eq(cast.uid, wshub_sio__uid(space))) return WSHUB_SIO_DROP_NONE; /* ours */
        ok = wshub_sio__bus_room(sio, &sio->heard, &sio->heard_cap, c.out.text.len) &&
             wshub_sio__reach(sio, &list, &sio->heard_list_cap, c.list_count, sizeof *c.list);
        sio->heard_list = (wshub_str *)list;
        if (!ok) return WSHUB_SIO_DROP_MEMORY;
    } while (c.out.text.len > c.out.text.cap || c.list_count > c.list_cap);

    if (!wshub_str_eq(cast.has_space ? cast.space : wshub_str_z("/"), space->name))
        return WSHUB_SIO_DROP_SPACE;
    return wshub_sio__bus_deliver(sio, space, &c, &cast);
}

/* Reads a message on a channel of a namespace, unless it is for nobody here. Returns what is wrong
 * with it. */
static wshub_sio_drop wshub_sio__bus_take(wshub_sio *sio, wshub_sio__space *space, wshub_str room,
                                          wshub_str payload) {
    if (room.len && room.ptr[--room.len] != '#') return WSHUB_SIO_DROP_CHANNEL;
    if (room.len && !wshub_room_count_in(sio->hub, space->realm, room)) return WSHUB_SIO_DROP_NONE;

    /* What is our own comes back too, which is seen without reading it. */
    if (payload.len > 2 + sizeof space->uid && memcmp(payload.ptr, "\x93\xA6", 2) == 0 &&
        memcmp(payload.ptr + 2, space->uid, sizeof space->uid) == 0)
        return WSHUB_SIO_DROP_NONE;
    return wshub_sio__bus_read(sio, space, payload);
}

/* A message is done with. Gives up what a huge one has left; counts and tells what was wrong with
 * it. */
static void wshub_sio__bus_done(wshub_sio *sio, wshub_str channel, wshub_sio_drop wrong) {
    wshub_client nobody = {0};

    WSHUB_ASSERT((unsigned)wrong < WSHUB_SIO_DROP_COUNT);
    wshub_sio__bus_trim(sio, &sio->heard, &sio->heard_cap);
    if (sio->heard_list_cap * sizeof *sio->heard_list > WSHUB_SIO__BUFFER) {
        wshub_sio__free(sio, sio->heard_list, sio->heard_list_cap * sizeof *sio->heard_list);
        sio->heard_list = NULL;
        sio->heard_list_cap = 0;
    }
    if (!wrong) return;
    sio->stats.bus_dropped++;
    sio->stats.bus_drops[wrong]++;
    wshub_client_report(sio->hub, nobody, WSHUB_LOG_BUS_BAD, 1, wshub_sio_drop_text(wrong),
                        channel);
}

static void wshub_sio__on_bus(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_str room = {NULL, 0};
    wshub_sio__space *space = wshub_sio__bus_space(sio, channel, &room);

    (void)hub;
    if (!space) return; /* it is gone */
    wshub_sio__bus_done(sio, channel, wshub_sio__bus_take(sio, space, room, payload));
    wshub_sio__check_still(sio);
}

/* ---- >>sio-asked -----------------------------------------------------------------------------
 * What other servers and emitters ask, and how it is answered; and what they answer us. All of it
 * is a stranger's, too. Who is subscribed to requests is waited for, so that each that is one is
 * answered, at once, with its list even if that is empty; for a namespace that has gone as well, as
 * its channel may be listened to for a while. Proved by tests/test_sio_calls.c. */

/* A request or an answer that has come. Views of sio->heard, which is ours to write into, and, of
 * bytes, of the message. */
typedef struct wshub_sio__letter {
    wshub_sio *sio;
    wshub_sio__space *space; /* NULL: it has gone */
    wshub_str name;          /* of the namespace */
    wshub_str json;          /* an object */
    wshub_span attachments[WSHUB_SIO__ATTACHMENTS];
    size_t attachments_count;
    size_t listed; /* of sio->heard_list */
    uint64_t type;
    const char *event; /* under which key an event of servers, or the answer to one, stands */
    wshub_sio__asker asker;
} wshub_sio__letter;

/* Nothing has been read of it yet. Its list of bytes is long, and is left as it is: the count says
 * that nothing in it means anything. */
static void wshub_sio__letter_init(wshub_sio__letter *l, wshub_sio *sio, const char *event) {
    l->sio = sio;
    l->space = NULL;
    l->name.ptr = l->json.ptr = NULL;
    l->name.len = l->json.len = 0;
    l->attachments_count = l->listed = 0;
    l->type = UINT64_MAX;
    l->event = event;
    memset(&l->asker, 0, sizeof l->asker);
}

/* The namespace of a channel that is `N#` or `N#uid#`. False: it is neither, or not for us. */
static bool wshub_sio__letter_for(wshub_sio__letter *l, wshub_str channel) {
    const char *mark = channel.len ? (const char *)memchr(channel.ptr, '#', channel.len) : NULL;
    wshub_str uid;

    if (!mark) return false;
    l->name.ptr = channel.ptr;
    l->name.len = (size_t)(mark - channel.ptr);
    if (!wshub_sio__name_ok(l->name) || !wshub_sio__bus_may(l->sio, l->name)) return false;
    l->space = wshub_sio__space_find(l->sio, l->name);
    if (l->space && !l->space->on_bus) return false;
    uid.ptr = mark + 1;
    uid.len = channel.len - l->name.len - 1;
    if (!uid.len) return true;
    uid.len--;
    return l->space && wshub_str_eq(uid, wshub_sio__uid(l->space));
}

/* Reads a message, JSON or msgpack, into an object of JSON. Returns what is wrong. */
static wshub_sio_drop wshub_sio__letter_read(wshub_sio__letter *l, wshub_str payload) {
    wshub_sio *sio = l->sio;
    wshub_sio__unpacked out;
    wshub_sio__reader in;

    memset(&out, 0, sizeof out);
    if (payload.len && payload.ptr[0] == '{') {
        if (!wshub_json_check(payload, WSHUB_SIO__DEPTH)) return WSHUB_SIO_DROP_BYTES;
        if (!wshub_sio__bus_room(sio, &sio->heard, &sio->heard_cap, payload.len))
            return WSHUB_SIO_DROP_MEMORY;
        memcpy(sio->heard, payload.ptr, payload.len);
        out.text.len = payload.len;
    } else {
        do {
            in.at = (const uint8_t *)payload.ptr;
            in.end = in.at + payload.len;
            memset(&out, 0, sizeof out);
            out.text.buf = sio->heard;
            out.text.cap = sio->heard_cap;
            out.attachments = l->attachments;
            out.attachments_max = sio->desc.attachments_max;
            if (!wshub_sio__unpack_json(&in, &out) || in.at != in.end)
                return out.too_many ? WSHUB_SIO_DROP_ATTACHMENTS : WSHUB_SIO_DROP_BYTES;
            if (!wshub_sio__bus_room(sio, &sio->heard, &sio->heard_cap, out.text.len))
                return WSHUB_SIO_DROP_MEMORY;
        } while (out.text.len > out.text.cap);
    }
    l->attachments_count = out.attachments_count;
    l->json.ptr = sio->heard;
    l->json.len = out.text.len;
    return wshub_json_peek(l->json) == WSHUB_JSON_OBJECT ? WSHUB_SIO_DROP_NONE
                                                         : WSHUB_SIO_DROP_SHAPE;
}

/* Puts the values of an array into the list, raw. Returns what is wrong.
 *   array      ptr NULL or `null`: an empty one
 *   names      its values are strings or numbers
 *   out_count  how many there are, behind what was listed before */
static wshub_sio_drop wshub_sio__letter_list(wshub_sio__letter *l, wshub_str array, bool names,
                                             size_t *out_count) {
    wshub_sio *sio = l->sio;
    wshub_iter iter = {0, 0};
    wshub_str value;

    *out_count = 0;
    if (!array.ptr || wshub_json_peek(array) == WSHUB_JSON_NULL) return WSHUB_SIO_DROP_NONE;
    if (wshub_json_peek(array) != WSHUB_JSON_ARRAY) return WSHUB_SIO_DROP_LIST;
    while (wshub_json_next(array, &iter, &value)) {
        void *list = sio->heard_list;
        wshub_json_kind kind = wshub_json_peek(value);
        bool ok;

        if (names && kind != WSHUB_JSON_STRING && kind != WSHUB_JSON_NUMBER)
            return WSHUB_SIO_DROP_LIST;
        ok = wshub_sio__reach(sio, &list, &sio->heard_list_cap, l->listed + 1,
                              sizeof *sio->heard_list);
        sio->heard_list = (wshub_str *)list;
        if (!ok) return WSHUB_SIO_DROP_MEMORY;
        sio->heard_list[l->listed++] = value;
        ++*out_count;
    }
    return WSHUB_SIO_DROP_NONE;
}

/* Decodes a name where it stands: what was read of the letter before cannot be read again. */
static void wshub_sio__letter_name(wshub_str *name) {
    if (wshub_json_peek(*name) != WSHUB_JSON_STRING) return; /* a number is compared as its text */
    if (memchr(name->ptr, '\\', name->len)) {
        name->len = wshub_json_text(*name, (char *)(uintptr_t)name->ptr, name->len);
    } else {
        name->ptr++;
        name->len -= 2;
    }
}

/* Of whom a request is. */
typedef struct wshub_sio__whom {
    wshub_dest dest;
    wshub_str *names; /* what they are to join or leave, or what has been asked for beside them */
    size_t names_count;
    bool nobody;
} wshub_sio__whom;

/* Reads of whom a request is, last of all. Returns what is wrong.
 *   beside  a list of names; ptr NULL: none */
static wshub_sio_drop wshub_sio__letter_whom(wshub_sio__letter *l, wshub_str rooms,
                                             wshub_str except, wshub_str beside,
                                             wshub_sio__whom *out) {
    size_t first = l->listed, rooms_count, except_count = 0, i;
    wshub_sio_drop wrong = wshub_sio__letter_list(l, rooms, true, &rooms_count);
    wshub_str *list;

    memset(out, 0, sizeof *out);
    if (!wrong) wrong = wshub_sio__letter_list(l, except, true, &except_count);
    if (!wrong) wrong = wshub_sio__letter_list(l, beside, true, &out->names_count);
    if (wrong) return wrong;
    list = l->sio->heard_list;
    for (i = first; i < l->listed; i++) wshub_sio__letter_name(&list[i]);
    out->dest.kind = WSHUB_DEST_ALL;
    if (!list) return WSHUB_SIO_DROP_NONE;

    list += first;
    out->dest.kind = rooms_count ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    out->dest.rooms = list;
    out->dest.rooms_count = wshub_sio__bus_names(list, rooms_count);
    out->nobody = rooms_count && !out->dest.rooms_count;
    list += rooms_count;
    out->dest.except_rooms = list;
    out->dest.except_rooms_count = wshub_sio__bus_names(list, except_count);
    out->names = list + except_count;
    return WSHUB_SIO_DROP_NONE;
}

/* The same of `opts`, which has to be there. */
static wshub_sio_drop wshub_sio__letter_opts(wshub_sio__letter *l, wshub_str beside,
                                             wshub_sio__whom *out) {
    wshub_str opts = wshub_json_find(l->json, "opts");

    if (!opts.ptr || wshub_json_peek(opts) != WSHUB_JSON_OBJECT) return WSHUB_SIO_DROP_OPTS;
    return wshub_sio__letter_whom(l, wshub_json_find(opts, "rooms"),
                                  wshub_json_find(opts, "except"), beside, out);
}

/* The sockets of whom it is. NULL: there are none, or no memory, which *out_count tells. */
static wshub_client *wshub_sio__whom_list(wshub_sio__space *space, const wshub_dest *dest,
                                          size_t *out_count) {
    wshub_sio *sio = space->sio;
    wshub_sio_namespace handle = wshub_sio__space_handle(space);
    wshub_client *clients;

    *out_count = wshub_sio_select(sio, handle, dest, NULL, 0);
    if (!*out_count) return NULL;
    clients = (wshub_client *)wshub_sio__alloc(sio, NULL, 0, *out_count * sizeof *clients);
    if (clients) (void)wshub_sio_select(sio, handle, dest, clients, *out_count);
    return clients;
}

static void wshub_sio__whom_free(const wshub_sio *sio, wshub_client *clients, size_t count) {
    wshub_sio__free(sio, clients, count * sizeof *clients);
}

/* Lets sockets of this server join rooms, leave them, or go. False: out of memory. */
static bool wshub_sio__do_here(wshub_sio__space *space, unsigned type, const wshub_dest *dest,
                               wshub_sio__names rooms, bool close) {
    wshub_sio *sio = space->sio;
    size_t count, i, k;
    wshub_client *clients = wshub_sio__whom_list(space, dest, &count);

    for (i = 0; clients && i < count; i++) {
        for (k = 0; k < rooms.count; k++) {
            if (type == WSHUB_SIO__JOIN)
                (void)wshub_client_join(sio->hub, clients[i], rooms.list[k]);
            else
                (void)wshub_client_leave(sio->hub, clients[i], rooms.list[k]);
        }
        if (type == WSHUB_SIO__DISCONNECT) (void)wshub_sio_disconnect(sio, clients[i], close);
    }
    wshub_sio__whom_free(sio, clients, clients ? count : 0);
    return clients || !count;
}

/* Answers with a list of sockets: of ids to the first of its kind, of all that is known of them. */
static wshub_sio_drop wshub_sio__asked_sockets(wshub_sio__letter *l) {
    wshub_str none = {NULL, 0};
    wshub_sio__whom whom;
    wshub_sio__answer answer;
    wshub_sio_drop wrong =
        l->type == WSHUB_SIO__FETCH
            ? wshub_sio__letter_opts(l, none, &whom)
            : wshub_sio__letter_whom(l, wshub_json_find(l->json, "rooms"), none, none, &whom);
    wshub_client *clients = NULL;

    if (wrong) return wrong;
    memset(&answer, 0, sizeof answer);
    answer.type = (unsigned)l->type;
    if (l->space && !whom.nobody)
        clients = wshub_sio__whom_list(l->space, &whom.dest, &answer.count);
    if (answer.count && !clients) return WSHUB_SIO_DROP_MEMORY;
    answer.clients = clients;
    if (wshub_sio__answer_say(l->sio, l->name, &l->asker, &answer))
        wrong = WSHUB_SIO_DROP_UNSENDABLE;
    wshub_sio__whom_free(l->sio, clients, answer.count);
    return wrong;
}

static wshub_sio_drop wshub_sio__asked_rooms(wshub_sio__letter *l) {
    wshub_sio__answer answer;

    memset(&answer, 0, sizeof answer);
    answer.type = WSHUB_SIO__ROOMS;
    answer.space = l->space;
    return wshub_sio__answer_say(l->sio, l->name, &l->asker, &answer) ? WSHUB_SIO_DROP_UNSENDABLE
                                                                      : WSHUB_SIO_DROP_NONE;
}

/* One socket is to join a room, leave it, or go, as old servers ask: who has it answers. */
static wshub_sio_drop wshub_sio__asked_one(wshub_sio__letter *l) {
    wshub_str names[2];
    wshub_sio__answer answer;
    wshub_client client;
    bool close = false;

    names[0] = wshub_json_find(l->json, "sid");
    names[1] = wshub_json_find(l->json, "room");
    if (!names[0].ptr || wshub_json_peek(names[0]) != WSHUB_JSON_STRING) return WSHUB_SIO_DROP_OPTS;
    if (l->type != WSHUB_SIO__DISCONNECT &&
        (!names[1].ptr || (wshub_json_peek(names[1]) != WSHUB_JSON_STRING &&
                           wshub_json_peek(names[1]) != WSHUB_JSON_NUMBER)))
        return WSHUB_SIO_DROP_LIST;
    (void)wshub_json_bool(wshub_json_find(l->json, "close"), &close);
    wshub_sio__letter_name(&names[0]);
    if (names[1].ptr) wshub_sio__letter_name(&names[1]);
    if (!l->space || wshub_client_find_in(l->sio->hub, l->space->realm, names[0], &client))
        return WSHUB_SIO_DROP_NONE;
    if (l->type == WSHUB_SIO__JOIN) (void)wshub_client_join(l->sio->hub, client, names[1]);
    if (l->type == WSHUB_SIO__LEAVE) (void)wshub_client_leave(l->sio->hub, client, names[1]);
    if (l->type == WSHUB_SIO__DISCONNECT) (void)wshub_sio_disconnect(l->sio, client, close);
    if (!l->asker.id_len) return WSHUB_SIO_DROP_NONE;
    memset(&answer, 0, sizeof answer);
    answer.type = (unsigned)l->type;
    return wshub_sio__answer_say(l->sio, l->name, &l->asker, &answer) ? WSHUB_SIO_DROP_UNSENDABLE
                                                                      : WSHUB_SIO_DROP_NONE;
}

/* Sockets are to join rooms, leave them, or go: nobody waits for an answer. */
static wshub_sio_drop wshub_sio__asked_do(wshub_sio__letter *l) {
    bool of_rooms = l->type != WSHUB_SIO__DISCONNECT, close = false;
    wshub_str rooms = {NULL, 0};
    wshub_sio__whom whom;
    wshub_sio__names names;
    wshub_sio_drop wrong;

    if (!wshub_json_find(l->json, "opts").ptr) return wshub_sio__asked_one(l);
    (void)wshub_json_bool(wshub_json_find(l->json, "close"), &close);
    if (of_rooms) rooms = wshub_json_find(l->json, "rooms");
    if (of_rooms && !rooms.ptr) return WSHUB_SIO_DROP_LIST;
    wrong = wshub_sio__letter_opts(l, rooms, &whom);
    if (wrong || !l->space || whom.nobody) return wrong;
    names.list = whom.names;
    names.count = whom.names_count;
    return wshub_sio__do_here(l->space, (unsigned)l->type, &whom.dest, names, close)
               ? WSHUB_SIO_DROP_NONE
               : WSHUB_SIO_DROP_MEMORY;
}

/* ---- events of servers ---- */

static void wshub_sio__owed_free(wshub_sio *sio, wshub_sio__owed *owed) {
    wshub_sio__owed **link = &sio->owed_oldest;

    WSHUB_ASSERT(sio->owed_count > 0);
    while (*link != owed) link = &(*link)->next;
    *link = owed->next;
    if (sio->owed_end == &owed->next) sio->owed_end = link;
    sio->owed_count--;
    wshub_sio__drop(&sio->owed, owed->handle);
    wshub_sio__free(sio, owed, sizeof *owed);
}

/* Notes that a server waits for an answer of the application; where too many do, the oldest has
 * waited long enough. Returns {0}: out of memory. */
static wshub_sio_reply wshub_sio__owed_new(wshub_sio__letter *l) {
    wshub_sio *sio = l->sio;
    wshub_sio__owed *owed = (wshub_sio__owed *)wshub_sio__new(sio, sizeof *owed);
    wshub_sio_reply reply = {0};

    if (owed) owed->handle = wshub_sio__take(sio, &sio->owed, owed);
    if (!owed || !owed->handle) {
        wshub_sio__free(sio, owed, sizeof *owed);
        return reply;
    }
    WSHUB_ASSERT(l->asker.id_len); /* somebody wants to know */
    owed->space = wshub_sio__space_handle(l->space);
    owed->asker = l->asker;
    if (!sio->owed_oldest) sio->owed_end = &sio->owed_oldest;
    *sio->owed_end = owed;
    sio->owed_end = &owed->next;
    if (++sio->owed_count > sio->desc.requests_max) {
        sio->stats.limits++;
        wshub_sio__owed_free(sio, sio->owed_oldest);
    }
    reply.id = owed->handle;
    return reply;
}

/* Answers an event of a server. */
static wshub_err wshub_sio__answer_event(wshub_sio *sio, wshub_str space,
                                         const wshub_sio__asker *asker, wshub_str json) {
    wshub_sio__answer answer;

    memset(&answer, 0, sizeof answer);
    answer.type = WSHUB_SIO__SERVER_EVENT;
    answer.json = json.ptr ? json : wshub_str_z("null");
    return wshub_sio__answer_say(sio, space, asker, &answer);
}

/* Reads an event, its name decoded, from where the list ends. Returns what is wrong. */
static wshub_sio_drop wshub_sio__letter_event(wshub_sio__letter *l, wshub_str data,
                                              wshub_packet *out) {
    size_t first = l->listed, count, i;
    wshub_sio_drop wrong =
        data.ptr ? wshub_sio__letter_list(l, data, false, &count) : WSHUB_SIO_DROP_EVENT;
    wshub_json_kind kind;

    memset(out, 0, sizeof *out);
    if (wrong && wrong != WSHUB_SIO_DROP_LIST) return wrong;
    if (wrong || !count) return WSHUB_SIO_DROP_EVENT;
    kind = wshub_json_peek(l->sio->heard_list[first]);
    if (kind != WSHUB_JSON_STRING && kind != WSHUB_JSON_NUMBER) return WSHUB_SIO_DROP_EVENT;
    out->args = l->sio->heard_list + first + 1;
    out->args_count = count - 1;
    out->attachments = l->attachments;
    out->attachments_count = l->attachments_count;
    for (i = 0; l->attachments_count && i < out->args_count; i++) {
        if (!wshub_sio__placeholders_ok(out->args[i], l->attachments_count))
            return WSHUB_SIO_DROP_PLACEHOLDER;
    }
    return WSHUB_SIO_DROP_NONE;
}

static wshub_sio_drop wshub_sio__asked_event(wshub_sio__letter *l) {
    wshub_sio_server_event event;
    wshub_packet packet;
    wshub_str null = {NULL, 0};
    wshub_sio_drop wrong = wshub_sio__letter_event(l, wshub_json_find(l->json, l->event), &packet);
    wshub_str *name;

    if (wrong) return wrong;
    if (!l->space || !l->space->desc.on_server_event) {
        if (l->asker.id_len) (void)wshub_sio__answer_event(l->sio, l->name, &l->asker, null);
        return WSHUB_SIO_DROP_NONE;
    }
    name = &l->sio->heard_list[l->listed - packet.args_count - 1];
    wshub_sio__letter_name(name);
    memset(&event, 0, sizeof event);
    event.to = wshub_sio__space_handle(l->space);
    event.name = *name;
    event.args = packet.args;
    event.args_count = packet.args_count;
    event.attachments = packet.attachments;
    event.attachments_count = packet.attachments_count;
    if (l->asker.id_len) event.reply = wshub_sio__owed_new(l);
    l->space->desc.on_server_event(l->sio, &event, l->space->desc.user);
    return WSHUB_SIO_DROP_NONE;
}

/* ---- acknowledgements of many ---- */

/* Asks sockets for another server: their acknowledgements are passed on as they come. */
static wshub_err wshub_sio__ask_for(wshub_sio__letter *l, wshub_sio__whom *whom,
                                    const wshub_packet *packet, uint32_t timeout_ms) {
    wshub_sio *sio = l->sio;
    wshub_sio__wait *wait;
    wshub_sio__answer answer;
    wshub_packet asking;
    wshub_err err = WSHUB_OK;
    char digits[24];
    size_t count, i;
    wshub_client *clients = wshub_sio__whom_list(l->space, &whom->dest, &count);

    wait = clients || !count ? wshub_sio__wait_new(sio, l->space, timeout_ms, NULL, NULL) : NULL;
    if (wait) wait->many = true;
    if (wait) wait->asker = l->asker;
    if (!wait) err = WSHUB_ERR_NOMEM;
    for (i = 0; i < count && !err; i++)
        err = wshub_sio__wait_ask(wait, wshub_sio__socket_of(sio, clients[i]));
    wshub_sio__whom_free(sio, clients, clients ? count : 0);

    memset(&answer, 0, sizeof answer);
    answer.type = WSHUB_SIO__ASKED_COUNT;
    answer.count = err ? 0 : count;
    if (!err) {
        asking = wshub_sio__asking(packet, wait, digits);
        whom->dest.realm = l->space->realm;
        err = wshub_packet_send_here(sio->hub, &whom->dest, &asking);
    }
    if (wshub_sio__answer_say(sio, l->name, &l->asker, &answer) && !err) err = WSHUB_ERR_STATE;
    if (!wait) return err;
    if (err)
        wshub_sio__wait_free(wait);
    else
        wshub_sio__wait_check(wait);
    return err;
}

/* The packet that a letter bears: an object, of an event. Returns what is wrong. */
static wshub_sio_drop wshub_sio__letter_said(const wshub_sio__letter *l, wshub_str *out_said) {
    wshub_str said = wshub_json_find(l->json, "packet");
    uint64_t type = 0;

    if (!said.ptr || wshub_json_peek(said) != WSHUB_JSON_OBJECT) return WSHUB_SIO_DROP_SHAPE;
    if (!wshub_json_uint(wshub_json_find(said, "type"), &type) || type != 2)
        return WSHUB_SIO_DROP_TYPE;
    *out_said = said;
    return WSHUB_SIO_DROP_NONE;
}

/* The flags with which it is to be sent. ptr NULL: none. */
static wshub_str wshub_sio__letter_flags(const wshub_sio__letter *l) {
    wshub_str none = {NULL, 0}, opts = wshub_json_find(l->json, "opts");
    return opts.ptr ? wshub_json_find(opts, "flags") : none;
}

/* What they come to for a packet: WSHUB_PACKET_..., added up. */
static uint32_t wshub_sio__flags_of(wshub_str flags) {
    uint32_t sum = 0;
    bool yes = false;

    if (!flags.ptr) return 0;
    if (wshub_json_bool(wshub_json_find(flags, "volatile"), &yes) && yes)
        sum |= WSHUB_PACKET_VOLATILE;
    if (wshub_json_bool(wshub_json_find(flags, "compress"), &yes))
        sum |= yes ? WSHUB_PACKET_COMPRESS : WSHUB_PACKET_NO_COMPRESS;
    return sum;
}

/* Reads the event of a packet, and to whom it goes, last of all. Returns what is wrong. */
static wshub_sio_drop wshub_sio__letter_cast(wshub_sio__letter *l, wshub_str said,
                                             wshub_packet *packet, wshub_sio__whom *whom) {
    wshub_str none = {NULL, 0};
    size_t first = l->listed;
    wshub_sio_drop wrong = wshub_sio__letter_event(l, wshub_json_find(said, "data"), packet);

    if (!wrong) wrong = wshub_sio__letter_opts(l, none, whom);
    if (wrong) return wrong;
    WSHUB_ASSERT(first + packet->args_count < l->listed);
    wshub_sio__letter_name(&l->sio->heard_list[first]);
    packet->event = l->sio->heard_list[first];
    packet->args = l->sio->heard_list + first + 1; /* the list may have moved */
    packet->args_are_json = true;
    return WSHUB_SIO_DROP_NONE;
}

/* Does it name its namespace, if it names one? */
static bool wshub_sio__said_here(const wshub_sio__letter *l, wshub_str said) {
    wshub_str space = wshub_json_find(said, "nsp");
    char name[WSHUB_SIO__NAME_MAX + 1];
    size_t len;

    if (!space.ptr || wshub_json_peek(space) != WSHUB_JSON_STRING) return true;
    len = wshub_json_text(space, name, sizeof name);
    return len == l->name.len && memcmp(name, l->name.ptr, len) == 0;
}

/* How long the asking server waits. */
static uint32_t wshub_sio__asked_ms(const wshub_sio *sio, wshub_str flags) {
    enum { A_DAY = 86400000 };
    uint64_t ms = 0;

    if (flags.ptr) (void)wshub_json_uint(wshub_json_find(flags, "timeout"), &ms);
    if (!ms) return sio->desc.requests_timeout_ms;
    return ms > A_DAY ? (uint32_t)A_DAY : (uint32_t)ms;
}

static wshub_sio_drop wshub_sio__asked_ask(wshub_sio__letter *l) {
    wshub_str said = {NULL, 0}, flags = wshub_sio__letter_flags(l);
    uint32_t ms = wshub_sio__asked_ms(l->sio, flags), sum = wshub_sio__flags_of(flags);
    wshub_sio_drop wrong = wshub_sio__letter_said(l, &said);
    wshub_sio__answer answer;
    wshub_sio__whom whom;
    wshub_packet packet;

    if (wrong) return wrong;
    if (!wshub_sio__said_here(l, said)) return WSHUB_SIO_DROP_SPACE;
    wrong = wshub_sio__letter_cast(l, said, &packet, &whom);
    if (wrong) return wrong;

    packet.flags |= sum;
    if (!wshub_sio__sayable(l->sio, &packet)) {
        l->sio->stats.refused++;
        return WSHUB_SIO_DROP_EVENT;
    }
    if (l->space && !whom.nobody)
        return wshub_sio__ask_for(l, &whom, &packet, ms) ? WSHUB_SIO_DROP_UNSENDABLE
                                                         : WSHUB_SIO_DROP_NONE;
    memset(&answer, 0, sizeof answer);
    answer.type = WSHUB_SIO__ASKED_COUNT;
    return wshub_sio__answer_say(l->sio, l->name, &l->asker, &answer) ? WSHUB_SIO_DROP_UNSENDABLE
                                                                      : WSHUB_SIO_DROP_NONE;
}

/* Who asks: the id of the request as it is written, and the uid, which has to be a plain one. */
static wshub_sio_drop wshub_sio__letter_asker(wshub_sio__letter *l) {
    wshub_str id = wshub_json_find(l->json, "requestId"), uid = wshub_json_find(l->json, "uid");
    wshub_sio__asker *asker = &l->asker;
    size_t i;

    if (id.ptr && (id.len > sizeof asker->id || wshub_json_peek(id) == WSHUB_JSON_OBJECT ||
                   wshub_json_peek(id) == WSHUB_JSON_ARRAY))
        return WSHUB_SIO_DROP_ID;
    if (id.ptr && wshub_json_peek(id) != WSHUB_JSON_NULL) {
        memcpy(asker->id, id.ptr, id.len);
        asker->id_len = id.len;
    }
    if (!uid.ptr || wshub_json_peek(uid) != WSHUB_JSON_STRING || uid.len > sizeof asker->uid)
        return WSHUB_SIO_DROP_NONE;
    for (i = 1; i + 1 < uid.len; i++) {
        if (uid.ptr[i] <= ' ' || uid.ptr[i] > '~' || strchr("\\#*?[]", uid.ptr[i]))
            return WSHUB_SIO_DROP_NONE;
    }
    memcpy(asker->uid, uid.ptr + 1, uid.len - 2);
    asker->uid_len = uid.len - 2;
    return WSHUB_SIO_DROP_NONE;
}

/* A request of a type and of an asker. Returns what is wrong. */
static wshub_sio_drop wshub_sio__request_do(wshub_sio__letter *l) {
    static wshub_sio_drop (*const by_type[])(wshub_sio__letter * l) = {
        wshub_sio__asked_sockets, wshub_sio__asked_rooms, wshub_sio__asked_do,
        wshub_sio__asked_do,      wshub_sio__asked_do,    wshub_sio__asked_sockets,
        wshub_sio__asked_event,   wshub_sio__asked_ask};
    wshub_str uid = {l->asker.uid, l->asker.uid_len};
    wshub_sio_drop wrong;
    bool waits;

    if (l->type >= sizeof by_type / sizeof by_type[0]) return WSHUB_SIO_DROP_REQUEST;
    waits = l->type < WSHUB_SIO__JOIN || l->type == WSHUB_SIO__FETCH || l->type == WSHUB_SIO__ASK;
    if (l->space && wshub_str_eq(uid, wshub_sio__uid(l->space)))
        return WSHUB_SIO_DROP_NONE; /* our own */
    if (waits && !l->asker.id_len) return WSHUB_SIO_DROP_ID;
    wrong = by_type[l->type](l);
    if (!wrong) l->sio->stats.requests_in++;
    return wrong;
}

static wshub_sio_drop wshub_sio__request_heard(wshub_sio__letter *l) {
    wshub_sio_drop wrong = wshub_sio__letter_asker(l);

    if (wrong) return wrong;
    if (!wshub_json_uint(wshub_json_find(l->json, "type"), &l->type)) l->type = UINT64_MAX;
    return wshub_sio__request_do(l);
}

/* ---- answers ---- */

/* What waits for this answer. NULL: nothing any more, or it is another server's. */
static wshub_sio__wait *wshub_sio__out_find(const wshub_sio *sio, wshub_str id) {
    wshub_sio__wait *wait = sio->out;

    if (!id.ptr || id.len != WSHUB_SIO__UID + 2 || id.ptr[0] != '"') return NULL;
    while (wait && memcmp(wait->request, id.ptr + 1, WSHUB_SIO__UID) != 0) wait = wait->next_out;
    return wait;
}

/* An answer to what our server asked many sockets: how many were asked there, or one of theirs. */
static wshub_sio_drop wshub_sio__answer_of_many(wshub_sio__letter *l, wshub_sio__wait *wait) {
    wshub_str value = wshub_json_find(l->json, "packet");
    wshub_client other = {0};
    uint64_t count = 0;

    WSHUB_ASSERT(wait->about == WSHUB_SIO__ASK && wait->fn);
    if (l->type == WSHUB_SIO__ASKED_COUNT) {
        if (!wshub_json_uint(wshub_json_find(l->json, "clientCount"), &count))
            return WSHUB_SIO_DROP_ANSWER;
        wait->told++;
        wait->clients += count;
        wshub_sio__wait_check(wait);
        return WSHUB_SIO_DROP_NONE;
    }
    if (l->type != WSHUB_SIO__ASKED_ANSWER) return WSHUB_SIO_DROP_ANSWER;
    if (value.ptr && l->attachments_count &&
        !wshub_sio__placeholders_ok(value, l->attachments_count))
        return WSHUB_SIO_DROP_PLACEHOLDER;
    if (value.ptr) { /* of it an array is made, where it stands: it is within an object */
        char *array = (char *)(uintptr_t)value.ptr - 1;
        WSHUB_ASSERT(array > l->json.ptr && array + value.len + 1 < l->json.ptr + l->json.len);
        array[0] = '[';
        array[value.len + 1] = ']';
        value.ptr = array;
        value.len += 2;
    }
    wait->heard++;
    wshub_sio__wait_keep(wait, other, value, l->attachments, l->attachments_count);
    wshub_sio__wait_check(wait);
    return WSHUB_SIO_DROP_NONE;
}

/* An answer to something that our server has asked. */
static wshub_sio_drop wshub_sio__answer_heard(wshub_sio__letter *l) {
    wshub_sio__wait *wait = wshub_sio__out_find(l->sio, wshub_json_find(l->json, "requestId"));
    wshub_client nobody = {0};
    wshub_sio_drop wrong = WSHUB_SIO_DROP_NONE;
    wshub_str value;

    if (!wait) return WSHUB_SIO_DROP_NONE;
    (void)wshub_json_uint(wshub_json_find(l->json, "type"), &l->type);
    if (wait->about == WSHUB_SIO__ASK) return wshub_sio__answer_of_many(l, wait);
    value = wshub_json_find(l->json, wait->about == WSHUB_SIO__FETCH   ? "sockets"
                                     : wait->about == WSHUB_SIO__ROOMS ? "rooms"
                                                                       : l->event);
    if (wait->about == WSHUB_SIO__SERVER_EVENT) {
        if (!value.ptr) value = wshub_str_z("null");
    } else if (!value.ptr || wshub_json_peek(value) != WSHUB_JSON_ARRAY) {
        wrong = WSHUB_SIO_DROP_ANSWER; /* who has sent it lives, and is waited for no more */
    }
    wait->told++;
    if (!wrong) wshub_sio__wait_keep(wait, nobody, value, NULL, 0);
    wshub_sio__wait_check(wait);
    return wrong;
}

/* May it concern us? Answers to others come here, too, and may be long: nothing is looked for in
 * them while nothing is asked. */
static bool wshub_sio__answer_wanted(const wshub_sio *sio, wshub_str payload) {
    return sio->out || payload.len <= 4096;
}

static void wshub_sio__on_letter(wshub_sio *sio, wshub_str channel, wshub_str payload,
                                 bool answer) {
    wshub_sio__letter l;
    wshub_sio_drop wrong;

    wshub_sio__letter_init(&l, sio, "data");
    if (!wshub_sio__letter_for(&l, channel)) return;
    if (answer && !wshub_sio__answer_wanted(sio, payload)) return;
    wrong = wshub_sio__letter_read(&l, payload);
    if (!wrong) wrong = answer ? wshub_sio__answer_heard(&l) : wshub_sio__request_heard(&l);
    if (wrong && answer) sio->stats.bus_bad_answers++;
    if (wrong && !answer) sio->stats.bus_bad_requests++;
    wshub_sio__bus_done(sio, channel, wrong);
    wshub_sio__check_still(sio);
}

static void wshub_sio__on_request(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    (void)hub;
    wshub_sio__on_letter((wshub_sio *)user, channel, payload, false);
}

static void wshub_sio__on_answer(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    (void)hub;
    wshub_sio__on_letter((wshub_sio *)user, channel, payload, true);
}

/* ---- >>sio-shards ----------------------------------------------------------------------------
 * What other servers say by the sharded adapter: broadcasts, requests and answers in one form,
 * which is taken apart here and carried out by >>sio-heard and >>sio-asked. Proved by
 * tests/test_sio_precise.c, test_sio_shards.c. */

/* Is it our own, which comes back? Seen without reading it, where the uid is where writers put it;
 * elsewhere it is read, and seen then. */
static bool wshub_sio__shard_own(const wshub_sio__space *space, wshub_str payload) {
    bool json = payload.len && payload.ptr[0] == '{';
    size_t name = space->name.len;
    size_t behind = json ? strlen("\",\"nsp\":\"\"}") + name : (name < 32 ? 5u : 6u) + name;
    const char *at;

    if (payload.len < behind + sizeof space->uid) return false;
    at = payload.ptr + payload.len - behind - sizeof space->uid;
    return memcmp(at, space->uid, sizeof space->uid) == 0;
}

/* Takes a message apart: its type, who says it, and what; l->json is its data then. Returns what is
 * wrong; NULL: nothing. */
static wshub_sio_drop wshub_sio__shard_open(wshub_sio__letter *l) {
    wshub_str data = wshub_json_find(l->json, "data"), name = wshub_json_find(l->json, "nsp");
    char text[WSHUB_SIO__NAME_MAX + 1];
    wshub_sio_drop wrong;
    size_t len;

    if (!wshub_json_uint(wshub_json_find(l->json, "type"), &l->type)) return WSHUB_SIO_DROP_REQUEST;
    if (!data.ptr || wshub_json_peek(data) != WSHUB_JSON_OBJECT) return WSHUB_SIO_DROP_SHAPE;
    len = name.ptr ? wshub_json_text(name, text, sizeof text) : SIZE_MAX;
    if (len != l->name.len || memcmp(text, l->name.ptr, len) != 0) return WSHUB_SIO_DROP_SPACE;
    wrong = wshub_sio__letter_asker(l); /* the uid */
    if (wrong) return wrong;
    l->json = data;
    return wshub_sio__letter_asker(l); /* the id */
}

/* A broadcast that asks for nothing. */
static wshub_sio_drop wshub_sio__shard_heard(wshub_sio__letter *l) {
    wshub_str said = {NULL, 0};
    uint32_t sum = wshub_sio__flags_of(wshub_sio__letter_flags(l));
    wshub_sio_drop wrong = wshub_sio__letter_said(l, &said);
    wshub_sio *sio = l->sio;
    wshub_sio__whom whom;
    wshub_packet packet;

    WSHUB_ASSERT(l->space && l->space->on_bus);
    if (wrong) return wrong;
    wrong = wshub_sio__letter_cast(l, said, &packet, &whom);
    if (wrong || whom.nobody) return wrong;

    packet.flags |= sum;
    if (!wshub_sio__sayable(sio, &packet)) {
        sio->stats.refused++;
        return WSHUB_SIO_DROP_EVENT;
    }
    whom.dest.realm = l->space->realm;
    return wshub_sio__bus_send(l->space, &whom.dest, &packet,
                               l->space->desc.flow && !whom.dest.rooms_count &&
                                   !whom.dest.except_rooms_count);
}

/* What is said to servers. */
static wshub_sio_drop wshub_sio__shard_asked(wshub_sio__letter *l) {
    wshub_str uid = {l->asker.uid, l->asker.uid_len};

    if (wshub_str_eq(uid, wshub_sio__uid(l->space))) return WSHUB_SIO_DROP_NONE; /* our own */
    if (l->type == WSHUB_SIO__SHARD_CAST && !l->asker.id_len) return wshub_sio__shard_heard(l);
    if (l->type == WSHUB_SIO__SHARD_CAST)
        l->type = WSHUB_SIO__ASK;
    else if (l->type == WSHUB_SIO__SHARD_EVENT)
        l->type = WSHUB_SIO__SERVER_EVENT;
    else if (l->type == WSHUB_SIO__SHARD_FETCH)
        l->type = WSHUB_SIO__FETCH;
    else if (l->type >= WSHUB_SIO__SHARD_JOIN && l->type <= WSHUB_SIO__SHARD_DISCONNECT)
        l->type -= (int)WSHUB_SIO__SHARD_JOIN - (int)WSHUB_SIO__JOIN;
    else
        l->type = UINT64_MAX;
    return wshub_sio__request_do(l);
}

/* What is answered to us. */
static wshub_sio_drop wshub_sio__shard_answered(wshub_sio__letter *l) {
    if (l->type == WSHUB_SIO__SHARD_COUNT) l->type = WSHUB_SIO__ASKED_COUNT;
    if (l->type == WSHUB_SIO__SHARD_ANSWER) l->type = WSHUB_SIO__ASKED_ANSWER;
    return wshub_sio__answer_heard(l);
}

static void wshub_sio__on_shard(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    wshub_sio *sio = (wshub_sio *)user;
    wshub_str room = {NULL, 0};
    wshub_sio__letter l;
    wshub_sio_drop wrong;
    bool answer = false;

    wshub_sio__letter_init(&l, sio, "packet");
    l.space = wshub_sio__bus_space(sio, channel, &room);
    if (!l.space || wshub_sio__shard_own(l.space, payload)) return;
    l.name = l.space->name;
    if (room.len && room.ptr[--room.len] == '#' && room.len) {
        answer = wshub_str_eq(room, wshub_sio__uid(l.space));
        if (!answer && !wshub_room_count_in(hub, l.space->realm, room)) return;
        if (answer && !wshub_sio__answer_wanted(sio, payload)) return;
    }

    wrong = wshub_sio__letter_read(&l, payload);
    if (!wrong) wrong = wshub_sio__shard_open(&l);
    if (!wrong) wrong = answer ? wshub_sio__shard_answered(&l) : wshub_sio__shard_asked(&l);
    if (wrong && answer) sio->stats.bus_bad_answers++;
    wshub_sio__bus_done(sio, channel, wrong);
    wshub_sio__check_still(sio);
}

/* ---- >>sio-public ---------------------------------------------------------------------------- */

/* Can channels begin with this, and a `#` behind it? NULL: with the default. */
static bool wshub_sio__key_ok(const char *key) {
    size_t len = key ? strlen(key) : 1, i;

    if (!len || len > WSHUB_BUS_PREFIX_BYTES_MAX - strlen("-response#")) return false;
    for (i = 0; key && i < len; i++) {
        if (key[i] <= ' ' || key[i] > '~' || strchr("*?[]\\", key[i])) return false;
    }
    return true;
}

/* What is wrong with a description's ways that need another of its fields. NULL: nothing. */
static const char *wshub_sio__needs_problem(const wshub_sio_desc *desc) {
    if (!desc->bus && desc->bus_key)
        return "bus_key: it is about other servers, of which this one hears with `bus` alone; set "
               "that, too";
    if (!desc->bus && desc->bus_mode)
        return "bus_mode: it is about other servers, of which this one hears with `bus` alone; set "
               "that, too";
    if (!desc->bus && desc->specific_responses)
        return "specific_responses: it is about other servers, of which this one hears with `bus` "
               "alone; set that, too";
    if (!desc->recovery_ms && desc->recovery_skip_connect)
        return "recovery_skip_connect: nobody is recovered without recovery_ms; set that, too";
    return NULL;
}

WSHUB_API const char *wshub_sio_desc_problem(const wshub_sio_desc *desc) {
    if (!desc) return NULL;
    if (desc->engine.on_open || desc->engine.on_message || desc->engine.on_close ||
        desc->engine.user)
        return "engine: on_open, on_message, on_close and user are the server's";
    if (desc->engine.kind_polling || desc->engine.kind_websocket || desc->engine.kind_websocket_b64)
        return "engine: the kinds of wire are the server's";
    if (desc->attachments_max > WSHUB_SIO__ATTACHMENTS)
        return "attachments_max: must be at most 99";
    if (desc->recovery_ms > 1u << 30)
        return "recovery_ms: must be at most 1073741824 (2^30) ms, some twelve days";
    if (!wshub_sio__key_ok(desc->bus_key))
        return "bus_key: must be 1 to 54 bytes of plain ASCII without `*`, `?`, `[`, `]` and `\\`";
    if ((int)desc->bus_mode < WSHUB_SIO_BUS_PATTERNS ||
        desc->bus_mode > WSHUB_SIO_BUS_SHARDED_PRIVATE)
        return "bus_mode: must be one of wshub_sio_bus_mode";
    if (wshub_sio__needs_problem(desc)) return wshub_sio__needs_problem(desc);
    return wshub_eio_desc_problem(&desc->engine);
}

static void wshub_sio__defaults(wshub_sio_desc *desc) {
    if (!desc->engine.path) desc->engine.path = "/socket.io/";
    if (!desc->bus_key) desc->bus_key = "socket.io";
    if (!desc->engine.message_bytes_max) desc->engine.message_bytes_max = 1000000;
    if (!desc->engine.sessions_per_address_max) desc->engine.sessions_per_address_max = 1000;
    if (!desc->engine.alloc) desc->engine.alloc = wshub_sio__realloc;

    if (!desc->connect_timeout_ms) desc->connect_timeout_ms = 45000;
    if (!desc->attachments_max) desc->attachments_max = 10;
    if (!desc->answers_bytes_max) desc->answers_bytes_max = 16u << 20;
    if (!desc->attachments_timeout_ms) desc->attachments_timeout_ms = 30000;
    if (!desc->packet_bytes_max)
        desc->packet_bytes_max = desc->engine.message_bytes_max > UINT32_MAX / 10
                                     ? UINT32_MAX
                                     : 10 * desc->engine.message_bytes_max;

    if (!desc->namespaces_max) desc->namespaces_max = 1000;
    if (!desc->sockets_per_session_max) desc->sockets_per_session_max = 100;
    if (!desc->requests_timeout_ms) desc->requests_timeout_ms = 5000;
    if (!desc->requests_max) desc->requests_max = 1000;
    if (!desc->acks_per_socket_max) desc->acks_per_socket_max = 1000;

    if (!desc->recovery_packets_max) desc->recovery_packets_max = 10000;
    if (!desc->recovery_bytes_max) desc->recovery_bytes_max = 4194304;
    if (!desc->recovery_sessions_max) desc->recovery_sessions_max = 10000;
}

/* What a hub has against a description that is right in itself: its bus, its paths. */
static wshub_err wshub_sio__check_hub(const wshub *hub, const wshub_sio_desc *filled) {
    if (filled->bus && !wshub_desc_get(hub)->bus) return WSHUB_ERR_PARAM;
    return wshub_eio_check(hub, &filled->engine);
}

/* Writes what is wrong with the engine of a description: `engine.` and its own text. */
static size_t wshub_sio__engine_explain(const wshub *hub, const wshub_eio_desc *engine, char *buf,
                                        size_t cap) {
    static const char before[] = "engine.";
    char why[sizeof before + WSHUB_EXPLAIN_BYTES];

    memcpy(why, before, sizeof before);
    (void)wshub_eio_desc_explain(hub, engine, WSHUB_OK, why + sizeof before - 1,
                                 WSHUB_EXPLAIN_BYTES);
    return wshub_explain(why, NULL, NULL, 0, buf, cap);
}

/* Why a server was not made though its description is right. */
static const char *wshub_sio__create_problem(const wshub *hub, const wshub_sio_desc *desc,
                                             wshub_err err) {
    if (hub && desc->bus && !wshub_desc_get(hub)->bus)
        return "bus: the hub has none; set wshub_desc.bus, which brings it";
    if (err == WSHUB_ERR_PARAM && desc->bus)
        return "bus_key: must not be that of another server of this hub, as they would hear each "
               "other; or out_sio is NULL";
    if (err == WSHUB_ERR_PARAM) return "hub, out_sio: required, and NULL";
    if (err == WSHUB_ERR_LIMIT)
        return "the hub has as many mounts (WSHUB_MOUNTS_MAX, 1000), dialects (WSHUB_DIALECTS_MAX, "
               "16) or kinds of wire (WSHUB_KINDS_MAX, 64) as it can have; a server of Socket.IO "
               "takes a mount, two dialects, with `bus` four, and three kinds, and gives none back";
    return err ? wshub_strerror(err) : NULL;
}

WSHUB_API size_t wshub_sio_desc_explain_versioned(const wshub *hub, const wshub_sio_desc *desc,
                                                  size_t desc_bytes, uint32_t version,
                                                  wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_sio_desc, attachments_max, UINT, NULL),
        WSHUB_FIELD(wshub_sio_desc, recovery_ms, UINT, NULL),
        WSHUB_FIELD(wshub_sio_desc, recovery_skip_connect, BOOL, "recovery_ms"),
        WSHUB_FIELD(wshub_sio_desc, bus, BOOL, NULL),
        WSHUB_FIELD(wshub_sio_desc, bus_key, TEXT, "bus"),
        WSHUB_FIELD(wshub_sio_desc, bus_mode, UINT, "bus"),
        WSHUB_FIELD(wshub_sio_desc, specific_responses, BOOL, "bus"),
    };
    wshub_sio_desc filled;
    const char *problem;

    if (desc_bytes != sizeof *desc || version != WSHUB_SIO_DESC_VERSION)
        return wshub_explain("wshub_sio_desc: of another wshub_dialect_socketio.h than the code",
                             NULL, NULL, 0, buf, cap);
    memset(&filled, 0, sizeof filled);
    if (desc) filled = *desc;
    problem = wshub_sio_desc_problem(desc);
    if (!filled.engine.path) filled.engine.path = "/socket.io/";
    if (filled.bus && !filled.bus_key) filled.bus_key = "socket.io";
    if (problem ? problem == wshub_eio_desc_problem(&filled.engine)
                : hub && wshub_eio_check(hub, &filled.engine) == WSHUB_ERR_STATE)
        return wshub_sio__engine_explain(hub, &filled.engine, buf, cap);
    if (!problem) problem = wshub_sio__create_problem(hub, &filled, err);
    return wshub_explain(problem, &filled, fields, sizeof fields / sizeof fields[0], buf, cap);
}

/* Says in the log why a server was not made. Returns err. */
static wshub_err wshub_sio__create_refused(wshub *hub, const wshub_sio_desc *desc,
                                           size_t desc_bytes, uint32_t version, wshub_err err) {
    char why[WSHUB_EXPLAIN_BYTES];

    if (!hub) return err;
    (void)wshub_sio_desc_explain_versioned(hub, desc, desc_bytes, version, err, why, sizeof why);
    wshub_creation_failed(hub, "wshub_sio_create()", why);
    return err;
}

/* What is listened to there, wshub_sio__bus_state() sees to. */
static void wshub_sio__letters_state(wshub *hub, wshub_bus_state state, void *user) {
    (void)hub;
    (void)state;
    (void)user;
}

/* Adds what hears the channels on which servers ask each other and answer: a dialect for each, as
 * one has one beginning of all its channels. */
static wshub_err wshub_sio__add_letters(wshub_sio *sio) {
    wshub_dialect table;
    wshub_err err;

    if (wshub_sio__sharded(sio)) { /* all of it goes by the same channels */
        sio->asks_dialect = sio->answers_dialect = sio->dialect;
        memcpy(sio->asks_prefix, sio->bus_prefix, sizeof sio->asks_prefix);
        return WSHUB_OK;
    }
    (void)snprintf(sio->asks_prefix, sizeof sio->asks_prefix, "%s-request#", sio->desc.bus_key);
    (void)snprintf(sio->answers_prefix, sizeof sio->answers_prefix, "%s-response#",
                   sio->desc.bus_key);
    memset(&table, 0, sizeof table);
    table.version = WSHUB_DIALECT_VERSION;
    table.name = "socket.io requests";
    table.bus_prefix = sio->asks_prefix;
    table.on_bus = wshub_sio__on_request;
    table.on_bus_state = wshub_sio__letters_state;
    err = wshub_dialect_add(sio->hub, &table, sio, &sio->asks_dialect);
    if (err) return err;
    table.name = "socket.io answers";
    table.bus_prefix = sio->answers_prefix;
    table.on_bus = wshub_sio__on_answer;
    return wshub_dialect_add(sio->hub, &table, sio, &sio->answers_dialect);
}

/* What the server's dialect says and hears on the bus. */
static void wshub_sio__table_bus(wshub_sio *sio, wshub_dialect *table) {
    bool sharded = wshub_sio__sharded(sio);

    (void)snprintf(sio->bus_prefix, sizeof sio->bus_prefix, "%s#", sio->desc.bus_key);
    table->bus_prefix = sio->bus_prefix;
    table->bus_sharded = sharded;
    table->publish = sharded ? wshub_sio__shard_send : wshub_sio__publish;
    table->on_bus = sharded ? wshub_sio__on_shard : wshub_sio__on_bus;
    table->on_bus_state = wshub_sio__bus_state;
    if (sio->desc.bus_mode != WSHUB_SIO_BUS_PATTERNS &&
        sio->desc.bus_mode != WSHUB_SIO_BUS_SHARDED_STATIC)
        table->on_name = wshub_sio__bus_name;
}

/* Adds the server's dialect to its hub, and those that hear what servers ask each other. */
static wshub_err wshub_sio__add_dialect(wshub_sio *sio) {
    wshub_dialect table;
    wshub_err err;

    memset(&table, 0, sizeof table);
    table.version = WSHUB_DIALECT_VERSION;
    table.name = "socket.io";
    table.accepted = wshub_sio__accepted;
    table.refused = wshub_sio__refused;
    table.connected = wshub_sio__connected;
    table.close = wshub_sio__close;
    table.event = wshub_sio__clear;
    table.disconnecting = wshub_sio__disconnecting;
    table.disconnected = wshub_sio__disconnected;
    if (sio->desc.bus) wshub_sio__table_bus(sio, &table);
    err = wshub_dialect_add(sio->hub, &table, sio, &sio->dialect);
    return err || !sio->desc.bus ? err : wshub_sio__add_letters(sio);
}

/* Adds the server's dialect, kinds of wire and engine to its hub. */
static wshub_err wshub_sio__add(wshub_sio *sio) {
    static const char *const names[] = {"socket.io poll", "socket.io", "socket.io b64"};
    wshub_eio_desc engine = sio->desc.engine;
    wshub_err err = wshub_sio__add_dialect(sio);
    wshub_kind_desc kind;
    int i;

    for (i = 0; i < WSHUB_SIO__WAYS && !err; i++) {
        memset(&kind, 0, sizeof kind);
        kind.encode = wshub_sio__encode;
        kind.name = names[i];
        kind.user = sio;
        err = wshub_kind_add(sio->hub, &kind, &sio->kinds[i]);
    }
    if (err) return err;
    engine.on_open = wshub_sio__on_open;
    engine.on_message = wshub_sio__on_message;
    engine.on_close = wshub_sio__on_close;
    engine.user = sio;
    engine.kind_polling = sio->kinds[WSHUB_SIO__POLL];
    engine.kind_websocket = sio->kinds[WSHUB_SIO__FRAMES];
    engine.kind_websocket_b64 = sio->kinds[WSHUB_SIO__FRAMES_B64];
    return wshub_eio_create(sio->hub, &engine, &sio->eio);
}

/* Ends a server that could not be made. A dialect cannot be taken back, and one with a bus is told
 * of that again and again: then what it is told with stays as long as the program, and does
 * nothing. */
static void wshub_sio__not_made(wshub_sio *sio) {
    if (!sio->desc.bus || !sio->dialect) {
        wshub_sio_destroy(sio);
        return;
    }
    wshub_sio__free(sio, sio->recovery, sizeof *sio->recovery);
    sio->recovery = NULL;
}

WSHUB_API wshub_err wshub_sio_create_versioned(wshub *hub, const wshub_sio_desc *desc,
                                               size_t desc_bytes, uint32_t version,
                                               wshub_sio **out_sio) {
    wshub_sio_desc filled;
    wshub_sio *sio;
    wshub_err err;

    if (!hub || !out_sio || desc_bytes != sizeof filled || version != WSHUB_SIO_DESC_VERSION ||
        wshub_sio_desc_problem(desc))
        return wshub_sio__create_refused(hub, desc, desc_bytes, version, WSHUB_ERR_PARAM);
    memset(&filled, 0, sizeof filled);
    if (desc) filled = *desc;
    wshub_sio__defaults(&filled);
    err = wshub_sio__check_hub(hub, &filled); /* dialects could not be taken back */
    if (err) return wshub_sio__create_refused(hub, desc, desc_bytes, version, err);
    sio = (wshub_sio *)filled.engine.alloc(filled.engine.alloc_user, NULL, 0, sizeof *sio);
    if (!sio) return wshub_sio__create_refused(hub, desc, desc_bytes, version, WSHUB_ERR_NOMEM);
    memset(sio, 0, sizeof *sio);
    sio->hub = hub;
    sio->desc = filled;
    if (filled.recovery_ms)
        sio->recovery = (wshub_sio__recovery *)wshub_sio__new(sio, sizeof *sio->recovery);
    err = filled.recovery_ms && !sio->recovery ? WSHUB_ERR_NOMEM : wshub_sio__add(sio);
    if (err) {
        wshub_sio__not_made(sio);
        return wshub_sio__create_refused(hub, desc, desc_bytes, version, err);
    }
    *out_sio = sio;
    return WSHUB_OK;
}

/* Tells those who wait for other servers that they will not hear of them. Who asks meanwhile asks
 * anew. */
static void wshub_sio__out_end(wshub_sio *sio, bool gone) {
    uint64_t left = sio->stats.requests_pending;

    while (left-- && sio->out) {
        if (gone) sio->out->timer.id = 0; /* it went with the hub */
        wshub_sio__wait_end(sio->out, "server shutting down");
    }
}

WSHUB_API void wshub_sio_destroy(wshub_sio *sio) {
    size_t i;

    if (!sio) return;
    wshub_sio__out_end(sio, true);
    WSHUB_ASSERT(!sio->stats.sockets && !sio->stats.acks_pending);
    while (sio->owed_oldest) wshub_sio__owed_free(sio, sio->owed_oldest);
    /* The hub has told of the end of all clients; what the engine had of sessions goes with it. */
    wshub_eio_destroy(sio->eio);
    while (sio->recovery && sio->recovery->oldest) { /* and their namespaces with them */
        wshub_sio__absent *absent = sio->recovery->oldest;
        wshub_sio__absent_unlink(absent);
        wshub_sio__free(sio, absent, absent->bytes);
    }
    wshub_sio__free(sio, sio->recovery, sizeof *sio->recovery);
    for (i = 0; i < sio->spaces.count; i++) {
        wshub_sio__space *space = (wshub_sio__space *)sio->spaces.entries[i].item;
        if (space) wshub_sio__space_free(space);
    }
    while (sio->rules) {
        wshub_sio__rule *rule = sio->rules;
        sio->rules = rule->next;
        wshub_sio__free(sio, rule, sizeof *rule);
    }
    wshub_sio__table_done(sio, &sio->spaces);
    wshub_sio__table_done(sio, &sio->pending);
    wshub_sio__table_done(sio, &sio->dues);
    wshub_sio__table_done(sio, &sio->owed);
    wshub_sio__free(sio, sio->by_number, sio->by_number_cap * sizeof *sio->by_number);
    wshub_sio__free(sio, sio->list, sio->list_cap * sizeof *sio->list);
    wshub_sio__free(sio, sio->scratch, sio->scratch_cap);
    wshub_sio__free(sio, sio->said, sio->said_cap);
    wshub_sio__free(sio, sio->packed, sio->packed_cap);
    wshub_sio__free(sio, sio->heard, sio->heard_cap);
    wshub_sio__free(sio, sio->heard_list, sio->heard_list_cap * sizeof *sio->heard_list);
    (void)sio->desc.engine.alloc(sio->desc.engine.alloc_user, sio, sizeof *sio, 0);
}

WSHUB_API void wshub_sio_shutdown(wshub_sio *sio) {
    size_t i;

    wshub_call_begin(sio->hub);
    wshub_sio__out_end(sio, false);
    for (i = 0; i < sio->spaces.count; i++) {
        const wshub_sio__space *space = (const wshub_sio__space *)sio->spaces.entries[i].item;
        if (space && space->desc.flow && !space->flow.come_back) wshub_sio__flow_end(space);
    }
    wshub_eio_shutdown(sio->eio);
    wshub_call_end(sio->hub);
}

/* What is wrong with a flow, which may be NULL. NULL: nothing. */
static const char *wshub_sio__flow_problem(const wshub_sio *sio, const wshub_sio_flow *flow) {
    size_t i;

    if (!flow) return NULL;
    if (!flow->default_rooms != !flow->default_rooms_count)
        return "flow: default_rooms needs its default_rooms_count, and the other way round; none: "
               "no_default_rooms";
    if (flow->default_rooms && flow->no_default_rooms)
        return "flow: no_default_rooms, and a list of default_rooms too";
    if (flow->default_rooms_count >= wshub_desc_get(sio->hub)->rooms_per_client_max)
        return "flow: default_rooms_count must be less than the hub's rooms_per_client_max";
    for (i = 0; i < flow->default_rooms_count; i++) {
        const char *room = flow->default_rooms[i];
        if (!room || !room[0] || strlen(room) > WSHUB_NAME_BYTES_MAX ||
            !wshub_utf8_check((const uint8_t *)room, strlen(room)))
            return "flow: default_rooms must be names of 1 to WSHUB_NAME_BYTES_MAX (4096) bytes of "
                   "UTF-8";
    }
    return NULL;
}

WSHUB_API const char *wshub_sio_namespace_problem(const wshub_sio *sio,
                                                  const wshub_sio_namespace_desc *desc) {
    wshub_str name;

    if (!desc) return "wshub_sio_namespace_desc: required";
    if (wshub_sio__flow_problem(sio, desc->flow)) return wshub_sio__flow_problem(sio, desc->flow);
    if (desc->matches)
        return desc->realm ? "realm: a rule makes many namespaces, and one alone has it" : NULL;
    name = wshub_str_z(desc->name ? desc->name : "/");
    if (!wshub_sio__name_ok(name))
        return "name: must begin with `/`, and be UTF-8 of at most 256 bytes without a comma";
    if (wshub_sio__space_find(sio, name)) return "name: there is such a namespace already";

    if (!desc->realm) return NULL;
    if (!wshub_realm_name(sio->hub, *desc->realm).ptr) return "realm: it is gone, or was none";
    if (wshub_sio__is_taken(sio, *desc->realm))
        return "realm: another namespace of this server has it, and what is sent there would be "
               "heard in both";
    if (desc->flow && (desc->flow->default_rooms || desc->flow->no_default_rooms))
        return "flow: default_rooms are those of the realm, which is given";
    if (!desc->flow && !desc->on_connect)
        return "on_connect: required for a realm that is given, or a flow: nobody else asks who "
               "comes in";
    return NULL;
}

WSHUB_API size_t wshub_sio_namespace_explain(const wshub_sio *sio,
                                             const wshub_sio_namespace_desc *desc, wshub_err err,
                                             char *buf, size_t cap) {
    static const wshub_field fields[] = {WSHUB_FIELD(wshub_sio_namespace_desc, name, TEXT, NULL)};
    const char *problem = wshub_sio_namespace_problem(sio, desc);
    wshub_sio_namespace_desc filled;

    if (!problem && err == WSHUB_ERR_LIMIT)
        problem = "there are WSHUB_REALMS_MAX (65536) realms in the hub, and no more can be";
    if (!problem && err) problem = wshub_strerror(err);
    if (!desc) return wshub_explain(problem, NULL, NULL, 0, buf, cap);
    filled = *desc;
    if (!filled.name) filled.name = "/";
    return wshub_explain(problem, &filled, fields, 1, buf, cap);
}

/* Adds a rule for many namespaces. */
static wshub_err wshub_sio__rule_add(wshub_sio *sio, const wshub_sio_namespace_desc *desc) {
    wshub_sio__rule *rule = (wshub_sio__rule *)wshub_sio__new(sio, sizeof *rule);

    if (!rule) return WSHUB_ERR_NOMEM;
    rule->desc = *desc;
    if (desc->flow) {
        rule->flow = *desc->flow;
        rule->desc.flow = &rule->flow;
    }
    rule->next = sio->rules;
    sio->rules = rule;
    return WSHUB_OK;
}

/* Adds what a description that is right asks for. *out_space is NULL for a rule. */
static wshub_err wshub_sio__namespace_new(wshub_sio *sio, const wshub_sio_namespace_desc *desc,
                                          wshub_sio__space **out_space) {
    if (desc->matches) return wshub_sio__rule_add(sio, desc);
    return wshub_sio__space_open(sio, wshub_str_z(desc->name ? desc->name : "/"), desc, false,
                                 out_space);
}

WSHUB_API wshub_err wshub_sio_namespace_add(wshub_sio *sio, const wshub_sio_namespace_desc *desc,
                                            wshub_sio_namespace *out_namespace) {
    wshub_sio_namespace none = {0};
    wshub_sio__space *space = NULL;
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_err err = WSHUB_ERR_PARAM;

    if (out_namespace) *out_namespace = none;
    if (!wshub_sio_namespace_problem(sio, desc)) err = wshub_sio__namespace_new(sio, desc, &space);
    if (err) {
        (void)wshub_sio_namespace_explain(sio, desc, err, why, sizeof why);
        wshub_creation_failed(sio->hub, "wshub_sio_namespace_add()", why);
        return err;
    }
    if (space && out_namespace) *out_namespace = wshub_sio__space_handle(space);
    return WSHUB_OK;
}

WSHUB_API wshub_sio_namespace wshub_sio_of(const wshub_sio *sio, const char *name) {
    const wshub_sio__space *space = wshub_sio__space_find(sio, wshub_str_z(name));
    wshub_sio_namespace none = {0};
    return space ? wshub_sio__space_handle(space) : none;
}

WSHUB_API wshub_sio_namespace wshub_sio_namespace_of(const wshub_sio *sio, wshub_client client) {
    const wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    wshub_sio_namespace none = {0};
    return socket ? wshub_sio__space_handle(socket->space) : none;
}

WSHUB_API wshub_str wshub_sio_namespace_name(const wshub_sio *sio, wshub_sio_namespace of) {
    const wshub_sio__space *space = wshub_sio__space_get(sio, of);
    wshub_str none = {NULL, 0};
    return space ? space->name : none;
}

WSHUB_API wshub_realm wshub_sio_namespace_realm(const wshub_sio *sio, wshub_sio_namespace of) {
    const wshub_sio__space *space = wshub_sio__space_get(sio, of);
    wshub_realm none = {0};
    return space ? space->realm : none;
}

/* Ends a call that wshub_call_begin() has begun, and passes its result on: the hub may be gone
 * behind it. */
static wshub_err wshub_sio__ended(const wshub_sio *sio, wshub_err err) {
    wshub_call_end(sio->hub);
    return err;
}

WSHUB_API wshub_err wshub_sio_accept(wshub_sio *sio, wshub_sio_ask_id ask,
                                     const wshub_identity *identity) {
    wshub_sio__pending *pending = (wshub_sio__pending *)wshub_sio__get(&sio->pending, ask.id);

    if (!pending) return WSHUB_ERR_STALE;
    wshub_call_begin(sio->hub);
    return wshub_sio__ended(sio, wshub_sio__admit(pending, identity));
}

WSHUB_API wshub_err wshub_sio_refuse(wshub_sio *sio, wshub_sio_ask_id ask, const char *message,
                                     wshub_str data) {
    wshub_sio__pending *pending = (wshub_sio__pending *)wshub_sio__get(&sio->pending, ask.id);
    wshub_sio__peer *peer;

    if (!pending) return WSHUB_ERR_STALE;
    if (data.ptr && !wshub_json_check(data, WSHUB_SIO__DEPTH)) return WSHUB_ERR_JSON;
    wshub_call_begin(sio->hub);
    peer = pending->peer;
    wshub_sio__say_refused(peer, pending->space->name, message, data);
    if (wshub_sio__get(&sio->pending, ask.id)) wshub_sio__pending_free(pending);
    return wshub_sio__ended(sio, WSHUB_OK);
}

/* Is it a packet that can be said, and does every object that stands for bytes have them? */
static wshub_err wshub_sio__packet_err(wshub_sio *sio, const wshub_packet *packet) {
    if (!packet) return WSHUB_ERR_PARAM;
    if (!wshub_sio__sayable(sio, packet)) {
        sio->stats.refused++;
        return WSHUB_ERR_PARAM;
    }
    return wshub_sio__bytes_there(packet) ? WSHUB_OK : WSHUB_ERR_PARAM;
}

WSHUB_API wshub_err wshub_sio_send(wshub_sio *sio, wshub_client client,
                                   const wshub_packet *packet) {
    wshub_err err = wshub_sio__packet_err(sio, packet);
    const wshub_sio__socket *socket;
    wshub_dest self;

    if (err) return err;
    socket = sio->recovery ? wshub_sio__socket_of(sio, client) : NULL;
    if (!socket || !wshub_sio__recoverable(socket->space, packet))
        return wshub_client_send_packet(sio->hub, client, packet);
    memset(&self, 0, sizeof self);
    self.kind = WSHUB_DEST_CLIENT;
    self.name = wshub_client_id(sio->hub, client);
    wshub_call_begin(sio->hub);
    return wshub_sio__ended(sio, wshub_sio__say_kept(socket->space, &client, &self, packet, true));
}

static wshub_err wshub_sio__emit(wshub_sio *sio, wshub_sio_namespace to, const wshub_dest *dest,
                                 const wshub_packet *packet, bool here) {
    wshub_sio__space *space = wshub_sio__space_get(sio, to);
    wshub_err err = wshub_sio__packet_err(sio, packet);
    wshub_dest where;

    if (!space) return WSHUB_ERR_STALE;
    if (err) return err;
    memset(&where, 0, sizeof where);
    where.kind = WSHUB_DEST_ALL;
    if (dest) where = *dest;
    where.realm = space->realm;
    wshub_call_begin(sio->hub);
    err = wshub_sio__recoverable(space, packet)
              ? wshub_sio__say_kept(space, NULL, &where, packet, here)
              : wshub_sio__send_to(space, &where, packet, here);
    return wshub_sio__ended(sio, err);
}

WSHUB_API wshub_err wshub_sio_emit(wshub_sio *sio, wshub_sio_namespace to, const wshub_dest *dest,
                                   const wshub_packet *packet) {
    return wshub_sio__emit(sio, to, dest, packet, false);
}

WSHUB_API wshub_err wshub_sio_emit_here(wshub_sio *sio, wshub_sio_namespace to,
                                        const wshub_dest *dest, const wshub_packet *packet) {
    return wshub_sio__emit(sio, to, dest, packet, true);
}

/* Are these texts that a channel and its readers can bear? */
static bool wshub_sio__names_ok(const wshub_str *names, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        if (names[i].len > WSHUB_NAME_BYTES_MAX ||
            !wshub_utf8_check((const uint8_t *)names[i].ptr, names[i].len))
            return false;
    }
    return true;
}

/* Whom a destination means, in words that other servers have. PARAM: they have none for it. */
static wshub_err wshub_sio__dest_fit(const wshub_dest *dest, wshub_dest *out) {
    wshub_sio__names rooms;

    memset(out, 0, sizeof *out);
    if (dest) *out = *dest;
    if (out->kind == WSHUB_DEST_RESOLVE && out->rooms_count) out->kind = WSHUB_DEST_ROOM;
    if (out->kind == WSHUB_DEST_RESOLVE)
        out->kind = out->name.len ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    if (out->kind == WSHUB_DEST_USER || (out->rooms_count && out->kind != WSHUB_DEST_ROOM))
        return WSHUB_ERR_PARAM;
    if (out->kind != WSHUB_DEST_ALL && !out->rooms_count && !out->name.len) return WSHUB_ERR_PARAM;
    rooms = wshub_sio__dest_rooms(out);
    return wshub_sio__names_ok(rooms.list, rooms.count) &&
                   wshub_sio__names_ok(out->exclude, out->exclude_count) &&
                   wshub_sio__names_ok(out->except_rooms, out->except_rooms_count)
               ? WSHUB_OK
               : WSHUB_ERR_PARAM;
}

/* Is it nothing, as that helper sees it: absent, null, false, zero, an empty text? */
static bool wshub_sio__falsy(wshub_str json) {
    size_t i;
    bool yes;

    switch (wshub_json_type(json)) {
    case WSHUB_JSON_NULL: return true;
    case WSHUB_JSON_BOOL: return wshub_json_bool(json, &yes) && !yes;
    case WSHUB_JSON_STRING: return wshub_json_is(json, "");
    case WSHUB_JSON_NUMBER:
        for (i = 0; i < json.len && json.ptr[i] != 'e' && json.ptr[i] != 'E'; i++) {
            if (json.ptr[i] >= '1' && json.ptr[i] <= '9') return false;
        }
        return true;
    default: return !json.ptr;
    }
}

WSHUB_API wshub_err wshub_sio_flow_send(wshub_sio *sio, wshub_sio_namespace to,
                                        wshub_str destination, wshub_str event, wshub_str data) {
    const wshub_sio__space *space = wshub_sio__space_get(sio, to);
    wshub_packet packet;
    wshub_dest dest;
    wshub_err err;

    if (!space) return WSHUB_ERR_STALE;
    if (!event.len || wshub_sio__falsy(data)) return WSHUB_OK;
    memset(&packet, 0, sizeof packet);
    packet.event = event;
    packet.args = &data;
    packet.args_count = 1;
    packet.flags = WSHUB_PACKET_COMPRESS; /* as that helper says it to other servers */
    memset(&dest, 0, sizeof dest);
    dest.kind = destination.len ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    dest.name = destination;
    wshub_call_begin(sio->hub);
    err = wshub_sio_emit(sio, to, &dest, &packet);
    dest.realm = space->realm;
    if (!err && !destination.len) wshub_sio__to_unaccepted(sio, &dest, &packet);
    return wshub_sio__ended(sio, err);
}

WSHUB_API wshub_err wshub_sio_ask(wshub_sio *sio, wshub_client client, const wshub_packet *packet,
                                  uint32_t timeout_ms, wshub_sio_answers_fn fn, void *user) {
    wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    wshub_sio__wait *wait;
    wshub_packet asking;
    char digits[24];
    wshub_err err = wshub_sio__packet_err(sio, packet);

    if (!fn) return WSHUB_ERR_PARAM;
    if (!socket) return WSHUB_ERR_STALE;
    if (err) return err;
    wshub_call_begin(sio->hub);
    wait = wshub_sio__wait_new(sio, socket->space, timeout_ms, fn, user);
    if (!wait) return wshub_sio__ended(sio, WSHUB_ERR_NOMEM);
    err = wshub_sio__wait_ask(wait, socket);
    asking = wshub_sio__asking(packet, wait, digits);
    if (!err) err = wshub_client_send_packet(sio->hub, client, &asking);
    if (err) wshub_sio__wait_free(wait);
    return wshub_sio__ended(sio, err);
}

/* Asks the sockets of this server that a destination names. */
static wshub_err wshub_sio__ask_here(wshub_sio__wait *wait, wshub_sio__space *space,
                                     const wshub_dest *dest) {
    wshub_sio *sio = wait->sio;
    size_t count, i;
    wshub_client *clients = wshub_sio__whom_list(space, dest, &count);
    wshub_err err = count && !clients ? WSHUB_ERR_NOMEM : WSHUB_OK;

    for (i = 0; i < count && !err; i++)
        err = wshub_sio__wait_ask(wait, wshub_sio__socket_of(sio, clients[i]));
    wshub_sio__whom_free(sio, clients, clients ? count : 0);
    return err;
}

/* Asks those of other servers. */
static wshub_err wshub_sio__ask_there(wshub_sio__wait *wait, const wshub_sio__space *space,
                                      const wshub_dest *dest, const wshub_packet *packet,
                                      uint32_t timeout_ms) {
    wshub_err err = wshub_sio__wait_out(wait, space, WSHUB_SIO__ASK);
    wshub_sio__request request = wshub_sio__request_of(space, wait);

    if (err) return err;
    request.dest = dest;
    request.packet = packet;
    request.timeout_ms = timeout_ms;
    request.attachments_max = wait->sio->desc.attachments_max;
    err = wshub_sio__request_say(space, &request);
    if (err == WSHUB_ERR_PARAM) wait->sio->stats.refused++;
    return err;
}

static wshub_err wshub_sio__ask_many(wshub_sio *sio, wshub_sio_namespace to, const wshub_dest *dest,
                                     const wshub_packet *packet, uint32_t timeout_ms,
                                     wshub_sio_answers_fn fn, void *user, bool here) {
    wshub_sio__space *space = wshub_sio__space_get(sio, to);
    wshub_err err = wshub_sio__packet_err(sio, packet);
    wshub_sio__wait *wait;
    wshub_packet asking;
    wshub_dest whom;
    char digits[24];

    if (!fn || !timeout_ms) return WSHUB_ERR_PARAM;
    if (!space) return WSHUB_ERR_STALE;
    if (err) return err;
    here = here || !space->on_bus || (dest && dest->kind == WSHUB_DEST_USER);
    if (!here) err = wshub_sio__dest_fit(dest, &whom);
    if (!here) dest = &whom;
    if (err) return err;
    wshub_call_begin(sio->hub);
    wait = wshub_sio__wait_new(sio, space, timeout_ms, fn, user);
    if (!wait) return wshub_sio__ended(sio, WSHUB_ERR_NOMEM);
    wait->many = true;
    err = wshub_sio__ask_here(wait, space, dest);
    if (!err && !here) err = wshub_sio__ask_there(wait, space, dest, packet, timeout_ms);
    asking = wshub_sio__asking(packet, wait, digits);
    if (!err) err = wshub_sio__emit(sio, to, dest, &asking, here);
    if (err)
        wshub_sio__wait_free(wait);
    else
        wshub_sio__wait_check(wait); /* nobody may be there */
    return wshub_sio__ended(sio, err);
}

WSHUB_API wshub_err wshub_sio_ask_all(wshub_sio *sio, wshub_sio_namespace to,
                                      const wshub_dest *dest, const wshub_packet *packet,
                                      uint32_t timeout_ms, wshub_sio_answers_fn fn, void *user) {
    return wshub_sio__ask_many(sio, to, dest, packet, timeout_ms, fn, user, false);
}

WSHUB_API wshub_err wshub_sio_ask_all_here(wshub_sio *sio, wshub_sio_namespace to,
                                           const wshub_dest *dest, const wshub_packet *packet,
                                           uint32_t timeout_ms, wshub_sio_answers_fn fn,
                                           void *user) {
    return wshub_sio__ask_many(sio, to, dest, packet, timeout_ms, fn, user, true);
}

WSHUB_API wshub_err wshub_sio_answer(wshub_sio *sio, wshub_sio_ack ack,
                                     const wshub_packet *packet) {
    wshub_sio__due *due = (wshub_sio__due *)wshub_sio__get(&sio->dues, ack.id);
    wshub_packet answer;
    wshub_err err;

    if (!ack.id) return WSHUB_OK;
    if (!due) return WSHUB_ERR_STALE;
    memset(&answer, 0, sizeof answer);
    if (packet) answer = *packet;
    answer.event = wshub_str_z("");
    answer.id = wshub_str_z(due->id);
    answer.ask.ptr = NULL;
    wshub_call_begin(sio->hub);
    err = wshub_sio__packet_err(sio, &answer);
    if (!err) err = wshub_client_send_packet(sio->hub, due->socket->client, &answer);
    if (!err) wshub_sio__due_free(due);
    return wshub_sio__ended(sio, err);
}

WSHUB_API wshub_err wshub_sio_disconnect(wshub_sio *sio, wshub_client client, bool close) {
    wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    wshub_sio__peer *peer;
    wshub_eio_session session;

    if (!socket || !socket->peer) return WSHUB_ERR_STALE;
    peer = socket->peer;
    session = peer->session;
    wshub_call_begin(sio->hub);
    if (!close) {
        wshub_sio__kick(socket, WSHUB_BY_APP);
        return wshub_sio__ended(sio, WSHUB_OK);
    }
    while ((peer = wshub_sio__peer_of(sio, session)) != NULL && peer->sockets)
        wshub_sio__kick(peer->sockets, WSHUB_BY_APP);
    (void)wshub_eio_close(sio->eio, session);
    return wshub_sio__ended(sio, WSHUB_OK);
}

/* Is a socket to be selected? Each only once, and none that bears the mark already. */
static void wshub_sio__select_one(wshub_sio *sio, wshub_client client, wshub_client *out,
                                  size_t cap, size_t *count) {
    wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    if (!socket || socket->mark == sio->marks) return;
    socket->mark = sio->marks;
    if (*count < cap) out[*count] = client;
    ++*count;
}

static void wshub_sio__mark(wshub_sio *sio, wshub_client client) {
    wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    if (socket) socket->mark = sio->marks;
}

/* What a destination means here, as wshub_send_here() sees it: a name alone is a socket's id, or
 * else a room; none is everybody. */
static wshub_dest_kind wshub_sio__dest_here(const wshub_sio__space *space, const wshub_dest *dest) {
    wshub_client client;

    if (!dest) return WSHUB_DEST_ALL;
    if (dest->rooms_count) return WSHUB_DEST_ROOM;
    if (dest->kind != WSHUB_DEST_RESOLVE) return dest->kind;
    if (!dest->name.len) return WSHUB_DEST_ALL;
    return wshub_client_find_in(space->sio->hub, space->realm, dest->name, &client)
               ? WSHUB_DEST_ROOM
               : WSHUB_DEST_CLIENT;
}

WSHUB_API size_t wshub_sio_select(wshub_sio *sio, wshub_sio_namespace of, const wshub_dest *dest,
                                  wshub_client *out_clients, size_t cap) {
    const wshub_sio__space *space = wshub_sio__space_get(sio, of);
    wshub_dest_kind kind;
    wshub_client client;
    wshub_iter iter;
    size_t count = 0, i;

    if (!space) return 0;
    kind = wshub_sio__dest_here(space, dest);
    sio->marks++;
    for (i = 0; dest && i < dest->except_rooms_count; i++) {
        memset(&iter, 0, sizeof iter);
        while (wshub_room_each_member_in(sio->hub, space->realm, dest->except_rooms[i], &iter,
                                         &client))
            wshub_sio__mark(sio, client);
    }
    for (i = 0; dest && i < dest->exclude_count; i++) {
        if (!wshub_client_find_in(sio->hub, space->realm, dest->exclude[i], &client))
            wshub_sio__mark(sio, client);
    }
    memset(&iter, 0, sizeof iter);
    if (kind == WSHUB_DEST_ROOM) {
        const wshub_str *rooms = dest->rooms_count ? dest->rooms : &dest->name;
        size_t rooms_count = dest->rooms_count ? dest->rooms_count : 1;
        for (i = 0; i < rooms_count; i++) {
            memset(&iter, 0, sizeof iter);
            while (wshub_room_each_member_in(sio->hub, space->realm, rooms[i], &iter, &client))
                wshub_sio__select_one(sio, client, out_clients, cap, &count);
        }
    } else if (kind == WSHUB_DEST_CLIENT) {
        if (!wshub_client_find_in(sio->hub, space->realm, dest->name, &client))
            wshub_sio__select_one(sio, client, out_clients, cap, &count);
    } else if (kind == WSHUB_DEST_USER) {
        while (wshub_user_each_client_in(sio->hub, space->realm, dest->name, &iter, &client))
            wshub_sio__select_one(sio, client, out_clients, cap, &count);
    } else {
        while (wshub_client_each_in(sio->hub, space->realm, &iter, &client))
            wshub_sio__select_one(sio, client, out_clients, cap, &count);
    }
    return count;
}

WSHUB_API wshub_err wshub_sio_handshake_of(const wshub_sio *sio, wshub_client client,
                                           wshub_sio_handshake *out_handshake) {
    const wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    if (!socket || !socket->peer) return WSHUB_ERR_STALE;
    wshub_sio__handshake(sio, socket->peer->session, socket->auth, wshub_sio_recovered(sio, client),
                         out_handshake);
    return WSHUB_OK;
}

WSHUB_API bool wshub_sio_recovered(const wshub_sio *sio, wshub_client client) {
    const wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    return socket && socket->ticket && socket->ticket->recovered;
}

WSHUB_API wshub_eio_session wshub_sio_session_of(const wshub_sio *sio, wshub_client client) {
    const wshub_sio__socket *socket = wshub_sio__socket_of(sio, client);
    wshub_eio_session none = {0};
    return socket && socket->peer ? socket->peer->session : none;
}

WSHUB_API wshub_eio *wshub_sio_engine(const wshub_sio *sio) {
    return sio->eio;
}

WSHUB_API wshub *wshub_sio_hub(const wshub_sio *sio) {
    return sio->hub;
}

WSHUB_API void *wshub_sio_user(const wshub_sio *sio) {
    return sio->desc.user;
}

WSHUB_API const char *wshub_sio_drop_text(wshub_sio_drop drop) {
    static const char *const texts[] = {"",
#define WSHUB__X(name, text) text,
                                        WSHUB_SIO_DROPS(WSHUB__X)
#undef WSHUB__X
    };
    return (unsigned)drop < WSHUB_SIO_DROP_COUNT ? texts[drop] : "";
}

WSHUB_API void wshub_sio_stats_get(const wshub_sio *sio, wshub_sio_stats *out_stats) {
    *out_stats = sio->stats;
}

/* ---- what all servers are asked ---- */

static wshub_err wshub_sio__do_all(wshub_sio *sio, wshub_sio_namespace of, const wshub_dest *dest,
                                   unsigned type, wshub_sio__names rooms, bool close) {
    wshub_sio__space *space = wshub_sio__space_get(sio, of);
    wshub_sio__request request;
    wshub_dest whom;
    wshub_err err = wshub_sio__dest_fit(dest, &whom);

    if (!space) return WSHUB_ERR_STALE;
    if (err || !wshub_sio__names_ok(rooms.list, rooms.count)) return WSHUB_ERR_PARAM;
    if (type != WSHUB_SIO__DISCONNECT && !rooms.count) return WSHUB_OK;
    wshub_call_begin(sio->hub);
    if (space->on_bus) { /* first, so that what is said by who goes is behind it */
        request = wshub_sio__request_of(space, NULL);
        request.type = type;
        request.dest = &whom;
        if (type == WSHUB_SIO__DISCONNECT)
            request.close = &close;
        else
            request.rooms = &rooms;
        err = wshub_sio__request_say(space, &request);
    }
    if (!wshub_sio__do_here(space, type, &whom, rooms, close)) err = WSHUB_ERR_NOMEM;
    return wshub_sio__ended(sio, err);
}

WSHUB_API wshub_err wshub_sio_join_all(wshub_sio *sio, wshub_sio_namespace of,
                                       const wshub_dest *dest, const wshub_str *rooms,
                                       size_t count) {
    wshub_sio__names names = {rooms, count};
    return wshub_sio__do_all(sio, of, dest, WSHUB_SIO__JOIN, names, false);
}

WSHUB_API wshub_err wshub_sio_leave_all(wshub_sio *sio, wshub_sio_namespace of,
                                        const wshub_dest *dest, const wshub_str *rooms,
                                        size_t count) {
    wshub_sio__names names = {rooms, count};
    return wshub_sio__do_all(sio, of, dest, WSHUB_SIO__LEAVE, names, false);
}

WSHUB_API wshub_err wshub_sio_disconnect_all(wshub_sio *sio, wshub_sio_namespace of,
                                             const wshub_dest *dest, bool close) {
    wshub_sio__names none = {NULL, 0};
    return wshub_sio__do_all(sio, of, dest, WSHUB_SIO__DISCONNECT, none, close);
}

WSHUB_API wshub_err wshub_sio_fetch(wshub_sio *sio, wshub_sio_namespace of, const wshub_dest *dest,
                                    wshub_sio_found_fn fn, void *user) {
    wshub_sio__space *space = wshub_sio__space_get(sio, of);
    wshub_sio__request request;
    wshub_sio__answer here;
    wshub_client *clients;
    wshub_sio__wait *wait;
    wshub_dest whom;
    wshub_err err;

    if (!fn || wshub_sio__dest_fit(dest, &whom)) return WSHUB_ERR_PARAM;
    if (!space) return WSHUB_ERR_STALE;
    wshub_call_begin(sio->hub);
    wait = wshub_sio__find_new(sio, space, WSHUB_SIO__FETCH, fn, user, &err);
    if (!wait) return wshub_sio__ended(sio, err);
    memset(&here, 0, sizeof here);
    here.sio = sio;
    here.type = WSHUB_SIO__FETCH;
    clients = wshub_sio__whom_list(space, &whom, &here.count);
    if (here.count && !clients) {
        wshub_sio__wait_free(wait);
        return wshub_sio__ended(sio, WSHUB_ERR_NOMEM);
    }
    here.clients = clients;
    request = wshub_sio__request_of(space, wait);
    request.dest = &whom;
    err = wshub_sio__find(wait, space, &request, wshub_sio__write_sockets, &here);
    wshub_sio__whom_free(sio, clients, here.count);
    return wshub_sio__ended(sio, err);
}

WSHUB_API wshub_err wshub_sio_all_rooms(wshub_sio *sio, wshub_sio_namespace of,
                                        wshub_sio_found_fn fn, void *user) {
    wshub_sio__space *space = wshub_sio__space_get(sio, of);
    wshub_sio__request request;
    wshub_sio__answer here;
    wshub_sio__wait *wait;
    wshub_err err;

    if (!fn) return WSHUB_ERR_PARAM;
    if (!space) return WSHUB_ERR_STALE;
    wshub_call_begin(sio->hub);
    wait = wshub_sio__find_new(sio, space, WSHUB_SIO__ROOMS, fn, user, &err);
    if (!wait) return wshub_sio__ended(sio, err);
    memset(&here, 0, sizeof here);
    here.sio = sio;
    here.space = space;
    request = wshub_sio__request_of(space, wait);
    err = wshub_sio__find(wait, space, &request, wshub_sio__write_rooms, &here);
    return wshub_sio__ended(sio, err);
}

WSHUB_API wshub_err wshub_sio_servers(wshub_sio *sio, wshub_sio_namespace of, wshub_sio_found_fn fn,
                                      void *user) {
    wshub_sio__space *space = wshub_sio__space_get(sio, of);
    wshub_sio__wait *wait;
    wshub_err err;

    if (!fn) return WSHUB_ERR_PARAM;
    if (!space) return WSHUB_ERR_STALE;
    wshub_call_begin(sio->hub);
    wait = wshub_sio__find_new(sio, space, WSHUB_SIO__SERVERS, fn, user, &err);
    if (wait) err = wshub_sio__find(wait, space, NULL, NULL, NULL);
    return wshub_sio__ended(sio, err);
}

/* What is wrong with an event for servers. */
static wshub_err wshub_sio__server_check(const wshub_packet *packet) {
    size_t i;

    if (!packet || !packet->event.len || packet->attachments_count ||
        wshub_sio__reserved_there(packet->event) ||
        !wshub_utf8_check((const uint8_t *)packet->event.ptr, packet->event.len))
        return WSHUB_ERR_PARAM;
    for (i = 0; i < packet->args_count; i++) {
        if (!packet->args_are_json && !wshub_json_check(packet->args[i], WSHUB_SIO__DEPTH - 2))
            return WSHUB_ERR_JSON;
    }
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_sio_server_emit(wshub_sio *sio, wshub_sio_namespace to,
                                          const wshub_packet *packet) {
    const wshub_sio__space *space = wshub_sio__space_get(sio, to);
    wshub_err err = wshub_sio__server_check(packet);
    wshub_sio__request request;

    if (!space) return WSHUB_ERR_STALE;
    if (err || !space->on_bus) return err;
    request = wshub_sio__request_of(space, NULL);
    request.type = WSHUB_SIO__SERVER_EVENT;
    request.packet = packet;
    return wshub_sio__request_say(space, &request);
}

WSHUB_API wshub_err wshub_sio_server_ask(wshub_sio *sio, wshub_sio_namespace to,
                                         const wshub_packet *packet, wshub_sio_found_fn fn,
                                         void *user) {
    wshub_sio__space *space = wshub_sio__space_get(sio, to);
    wshub_err err = wshub_sio__server_check(packet);
    wshub_sio__request request;
    wshub_sio__wait *wait;

    if (!fn) return WSHUB_ERR_PARAM;
    if (!space) return WSHUB_ERR_STALE;
    if (err) return err;
    wshub_call_begin(sio->hub);
    wait = wshub_sio__find_new(sio, space, WSHUB_SIO__SERVER_EVENT, fn, user, &err);
    if (!wait) return wshub_sio__ended(sio, err);
    request = wshub_sio__request_of(space, wait);
    request.packet = packet;
    return wshub_sio__ended(sio, wshub_sio__find(wait, space, &request, NULL, NULL));
}

WSHUB_API wshub_err wshub_sio_server_answer(wshub_sio *sio, wshub_sio_reply reply, wshub_str json) {
    wshub_sio__owed *owed = (wshub_sio__owed *)wshub_sio__get(&sio->owed, reply.id);
    const wshub_sio__space *space;
    wshub_err err;

    if (!reply.id) return WSHUB_OK;
    if (!owed) return WSHUB_ERR_STALE;
    if (json.ptr && !wshub_json_check(json, WSHUB_SIO__DEPTH - 1)) return WSHUB_ERR_JSON;
    space = wshub_sio__space_get(sio, owed->space);
    err = space ? wshub_sio__answer_event(sio, space->name, &owed->asker, json) : WSHUB_ERR_STALE;
    if (!err || err == WSHUB_ERR_STALE) wshub_sio__owed_free(sio, owed);
    return err;
}

/* ---- >>sio-emitter ---------------------------------------------------------------------------
 * Broadcasts from outside. */

/* What is wrong with what an emitter is to say. */
static wshub_err wshub_sio__emitter_check(const wshub_packet *packet) {
    size_t i;

    if (!packet || !packet->event.len || wshub_sio__reserved(packet->event) ||
        !wshub_utf8_check((const uint8_t *)packet->event.ptr, packet->event.len))
        return WSHUB_ERR_PARAM;
    for (i = 0; i < packet->args_count; i++) {
        if (!packet->args_are_json && !wshub_json_check(packet->args[i], WSHUB_SIO__DEPTH))
            return WSHUB_ERR_JSON;
    }
    return wshub_sio__bytes_there(packet) ? WSHUB_OK : WSHUB_ERR_PARAM;
}

/* Where an emitter publishes: its prefix and the name of the namespace, with their slash. */
typedef struct wshub_sio__outlet {
    char prefix[WSHUB_BUS_PREFIX_BYTES_MAX + 1], name[WSHUB_SIO__NAME_MAX + 1];
} wshub_sio__outlet;

/* Names it. PARAM: key or space.
 *   what  of the key's channels: "", "-request" */
static wshub_err wshub_sio__emitter_open(wshub_sio__outlet *outlet, const char *key,
                                         const char *what, const char *space) {
    if (!space) space = "/";
    if (!wshub_sio__key_ok(key) || strlen(space) + 1 > WSHUB_SIO__NAME_MAX) return WSHUB_ERR_PARAM;
    (void)snprintf(outlet->prefix, sizeof outlet->prefix, "%s%s#", key ? key : "socket.io", what);
    (void)snprintf(outlet->name, sizeof outlet->name, "%s%s", space[0] == '/' ? "" : "/", space);
    return wshub_sio__name_ok(wshub_str_z(outlet->name)) ? WSHUB_OK : WSHUB_ERR_PARAM;
}

/* Writes it, learns how long it is, and writes it again, into memory for it. */
static wshub_err wshub_sio__emitter_publish(wshub_emitter *emitter,
                                            const wshub_sio__broadcast *said) {
    wshub_sio__sink sink = {NULL, 0, 0};
    size_t channel_len = 0, bytes_count = 0;
    wshub_str channel, payload;
    wshub_err err;

    if (!wshub_sio__cast_write(&sink, said, &channel_len, &bytes_count)) return WSHUB_ERR_JSON;
    if (bytes_count > 10) return WSHUB_ERR_PARAM;
    sink.cap = sink.len;
    sink.len = 0;
    sink.buf = (char *)malloc(sink.cap);
    if (!sink.buf) return WSHUB_ERR_NOMEM;
    (void)wshub_sio__cast_write(&sink, said, &channel_len, &bytes_count);
    WSHUB_ASSERT(sink.len == sink.cap);

    channel.ptr = sink.buf;
    channel.len = channel_len;
    payload.ptr = sink.buf + channel_len;
    payload.len = sink.len - channel_len;
    err = wshub_emitter_publish(emitter, channel, payload);
    free(sink.buf);
    return err;
}

WSHUB_API wshub_err wshub_sio_emitter_send(wshub_emitter *emitter, const char *key,
                                           const char *space, const wshub_dest *dest,
                                           const wshub_packet *packet) {
    wshub_sio__broadcast said = {NULL, {"emitter", 7}, {NULL, 0}, NULL, packet, true, 0};
    wshub_sio__outlet outlet;
    wshub_dest to;
    wshub_err err = wshub_sio__emitter_open(&outlet, key, "", space);

    if (!err) err = wshub_sio__dest_fit(dest, &to);
    if (!err) err = wshub_sio__emitter_check(packet);
    if (err) return err;
    said.prefix = outlet.prefix;
    said.space = wshub_str_z(outlet.name);
    said.dest = &to;
    return wshub_sio__emitter_publish(emitter, &said);
}

/* Publishes a request, which is written twice. */
static wshub_err wshub_sio__emitter_ask(wshub_emitter *emitter, const wshub_sio__outlet *outlet,
                                        const wshub_sio__request *request) {
    char text[sizeof *outlet + 1];
    wshub_sio__sink sink = {NULL, 0, 0};
    wshub_str channel = {text, 0}, payload;
    wshub_err err;

    (void)snprintf(text, sizeof text, "%s%s#", outlet->prefix, outlet->name);
    channel.len = strlen(text);
    wshub_sio__request_json(&sink, request);
    sink.cap = sink.len;
    sink.len = 0;
    sink.buf = (char *)malloc(sink.cap);
    if (!sink.buf) return WSHUB_ERR_NOMEM;
    wshub_sio__request_json(&sink, request);
    WSHUB_ASSERT(sink.len == sink.cap);
    payload.ptr = sink.buf;
    payload.len = sink.len;
    err = wshub_emitter_publish(emitter, channel, payload);
    free(sink.buf);
    return err;
}

/* Asks servers to do something with sockets. */
static wshub_err wshub_sio__emitter_do(wshub_emitter *emitter, const char *key, const char *space,
                                       const wshub_dest *dest, const wshub_sio__request *request) {
    wshub_sio__outlet outlet;
    wshub_sio__request asked = *request;
    wshub_dest to;
    wshub_err err = wshub_sio__emitter_open(&outlet, key, "-request", space);

    if (!err) err = wshub_sio__dest_fit(dest, &to);
    if (err) return err;
    if (asked.rooms && !wshub_sio__names_ok(asked.rooms->list, asked.rooms->count))
        return WSHUB_ERR_PARAM;
    asked.dest = &to;
    return wshub_sio__emitter_ask(emitter, &outlet, &asked);
}

WSHUB_API wshub_err wshub_sio_emitter_join(wshub_emitter *emitter, const char *key,
                                           const char *space, const wshub_dest *dest,
                                           const wshub_str *rooms, size_t count) {
    wshub_sio__names names = {rooms, count};
    wshub_sio__request request;

    memset(&request, 0, sizeof request);
    request.type = WSHUB_SIO__JOIN;
    request.rooms = &names;
    return wshub_sio__emitter_do(emitter, key, space, dest, &request);
}

WSHUB_API wshub_err wshub_sio_emitter_leave(wshub_emitter *emitter, const char *key,
                                            const char *space, const wshub_dest *dest,
                                            const wshub_str *rooms, size_t count) {
    wshub_sio__names names = {rooms, count};
    wshub_sio__request request;

    memset(&request, 0, sizeof request);
    request.type = WSHUB_SIO__LEAVE;
    request.rooms = &names;
    return wshub_sio__emitter_do(emitter, key, space, dest, &request);
}

WSHUB_API wshub_err wshub_sio_emitter_disconnect(wshub_emitter *emitter, const char *key,
                                                 const char *space, const wshub_dest *dest,
                                                 bool close) {
    wshub_sio__request request;

    memset(&request, 0, sizeof request);
    request.type = WSHUB_SIO__DISCONNECT;
    request.close = &close;
    return wshub_sio__emitter_do(emitter, key, space, dest, &request);
}

WSHUB_API wshub_err wshub_sio_emitter_server_emit(wshub_emitter *emitter, const char *key,
                                                  const char *space, const wshub_packet *packet) {
    wshub_sio__outlet outlet;
    wshub_sio__request request;
    wshub_err err = wshub_sio__emitter_open(&outlet, key, "-request", space);

    if (!err) err = wshub_sio__server_check(packet);
    if (err) return err;
    memset(&request, 0, sizeof request);
    request.type = WSHUB_SIO__SERVER_EVENT;
    request.uid = wshub_str_z("emitter");
    request.packet = packet;
    return wshub_sio__emitter_ask(emitter, &outlet, &request);
}

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_DIALECT_SOCKETIO_DONE */
