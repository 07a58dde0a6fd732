/* One application, two dialects: a namespace of wshub_dialect_socketio.h that is given the realm in
 * which JSON clients are. What one of them says the others hear, by the rule SEND-8; rooms, users,
 * presence and ids that are left out are those of the realm; other instances hear it once. */
#include "eio_site.h"
#include "wshub_dialect_socketio.h"

static eio_site sites[2], *at = sites; /* of which only the world and the words are used */
#define s (*at)
static wshub_sio *sio;
static wshub_sio_namespace space;
static wshub_client last; /* that has come in last, of either dialect */
static char told[800];

static void tell(const char *what, wshub_str a, wshub_str b) {
    size_t n = strlen(told);
    (void)snprintf(told + n, sizeof told - n, "%s %.*s %.*s;", what, (int)a.len, a.ptr, (int)b.len,
                   b.ptr);
}
#define EXPECT_TOLD(want)                                                                          \
    do {                                                                                           \
        EXPECT_STR(told, want);                                                                    \
        told[0] = 0;                                                                               \
    } while (0)

/* ---- an application that does not know which client speaks what ---- */

/* What has an id is answered with its data; `to` goes to its room, without who says it; all else to
 * the lobby. */
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_str self = wshub_client_id(hub, client), room = wshub_str_z("lobby");
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    if (e->id.ptr) return wshub_client_reply(hub, client, e->id, &m);
    if (wshub_str_eq_z(e->event, "others")) return wshub_room_send_here(hub, room, &m, &self, 1);
    return wshub_room_send_here(hub, room, &m, NULL, 0);
}
static wshub_err on_binary(wshub *hub, wshub_client client, const uint8_t *bytes, size_t count,
                           void *user) {
    wshub_iter iter = {0, 0};
    wshub_client other;
    (void)client, (void)user;
    while (wshub_room_each_member(hub, wshub_str_z("lobby"), &iter, &other))
        EXPECT_INT(wshub_client_send_binary(hub, other, bytes, count), WSHUB_OK);
    return WSHUB_OK;
}
static wshub_err on_hub_connected(wshub *hub, wshub_client client, void *user) {
    (void)user;
    last = client;
    return wshub_client_join(hub, client, wshub_str_z("lobby"));
}
/* Of the lobby and of users: who has come and gone. */
static void on_joined(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub, (void)user;
    if (wshub_str_eq_z(p->room, "lobby")) tell("joined", p->room, p->user_id);
}
static void on_left(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub, (void)user;
    if (wshub_str_eq_z(p->room, "lobby")) tell("left", p->room, p->user_id);
}
static void on_user_here(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub, (void)user;
    tell("here", p->user_id, wshub_str_z(""));
}
static void on_user_gone(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub, (void)user;
    tell("gone", p->user_id, wshub_str_z(""));
}
/* The name of a socket's user is what came with CONNECT. */
static void on_connect(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                       void *user) {
    wshub_identity who;
    char name[20];
    (void)user;
    memset(&who, 0, sizeof who);
    if (!wshub_json_copy(wshub_json_get(h->auth, "user"), name, sizeof name, NULL))
        who.user_id = wshub_str_z(name);
    (void)wshub_sio_accept(of, ask, &who);
}
/* An event goes on as it came, to all in the lobby but who says it; an acknowledgement has its
 * arguments. */
static void on_event(wshub_sio *of, wshub_client c, const wshub_sio_event *e, void *user) {
    wshub_str self = wshub_client_id(wshub_sio_hub(of), c);
    wshub_packet packet;
    wshub_dest dest;
    (void)user;
    memset(&packet, 0, sizeof packet);
    memset(&dest, 0, sizeof dest);
    packet.event = e->name;
    packet.args = e->args;
    packet.args_count = e->args_count;
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    dest.kind = WSHUB_DEST_ROOM;
    dest.name = wshub_str_z("lobby");
    dest.exclude = &self;
    dest.exclude_count = 1;
    if (e->ack.id)
        EXPECT_INT(wshub_sio_answer(of, e->ack, &packet), WSHUB_OK);
    else
        EXPECT_INT(wshub_sio_emit(of, wshub_sio_namespace_of(of, c), &dest, &packet), WSHUB_OK);
}

static const wshub_realm first = {0};
#define CALLS                                                                                      \
    .on_authenticate = accept_all, .on_message = on_message, .on_connected = on_hub_connected,     \
    .on_binary = on_binary, .no_default_rooms = true
#define SPACE(...)                                                                                 \
    ((wshub_sio_namespace_desc){.realm = &first, .on_connect = on_connect, __VA_ARGS__})

static wshub_sio *server(world *w, const char *path) {
    wshub_sio *out = NULL;
    wshub_sio_desc d;
    memset(&d, 0, sizeof d);
    d.engine.path = path;
    d.engine.ping_interval_ms = 60000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = w;
    EXPECT_INT(wshub_sio_create(w->hub, &d, &out), WSHUB_OK);
    return out;
}
static void start(wshub_desc hub, wshub_sio_namespace_desc d) {
    memset(&s, 0, sizeof s);
    told[0] = 0;
    world_start(&s.w, hub, FAKE(0));
    sio = server(&s.w, NULL);
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, &space), WSHUB_OK);
}
static void world_end(world *w, wshub_sio *of) {
    wshub *hub = w->hub;
    w->hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(of);
    world_stop(w);
}
static void stop(void) {
    world_end(&s.w, sio);
}

/* ---- clients ---- */

static void says(wshub_conn c, const char *text) {
    wshub_io_fake_text(s.w.net, c, text);
    wshub_io_fake_run(s.w.net);
}
static void says_bytes(wshub_conn c, const char *bytes) {
    wshub_io_fake_send(s.w.net, c, 2, true, bytes, strlen(bytes));
    wshub_io_fake_run(s.w.net);
}
/* The next frame begins so. */
static void hears_begin(wshub_conn c, const char *want) {
    wshub_io_fake_frame f;
    char text[400];
    memset(&f, 0, sizeof f);
    if (!wshub_io_fake_next(s.w.net, c, &f)) f.payload = wshub_str_z("(nothing)");
    (void)snprintf(text, sizeof text, "%.*s", (int)f.payload.len, f.payload.ptr);
    if (strncmp(text, want, strlen(want)) != 0) EXPECT_STR(text, want);
}
/* A socket at a WebSocket of its own, which is in. */
static wshub_conn socket_of(const char *connect) {
    wshub_conn c = eio_socket(&s, "EIO=4&transport=websocket");
    hears_begin(c, "0{");
    says(c, connect);
    hears_begin(c, "40{\"sid\":\"");
    return c;
}
static wshub_conn json_of(const char *user) {
    return world_client(&s.w, user, NULL);
}
static void hears_bytes(wshub_conn c, const char *want) {
    wshub_io_fake_frame f;
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.opcode == 2 && wshub_str_eq_z(f.payload, want));
}

/* ---- what is said, and heard ---- */

TEST(events_are_the_same_for_clients_of_both_dialects) { /* SEND-8, SEND-1, MSG-7 */
    wshub_conn json, sock;
    start(DESC(CALLS), SPACE(.name = NULL));
    json = json_of("ada");
    sock = socket_of("40{\"user\":\"bob\"}");

    /* From a JSON client: its data is the one argument, whatever it is. */
    says(json, "{\"event\":\"at\",\"data\":5}");
    says(json, "{\"event\":\"at\",\"data\":[5,{\"k\":\"v\"}]}");
    says(json, "{\"event\":\"at\"}");
    says(json, "{\"event\":\"others\",\"data\":null}");
    EXPECT_TEXTS(&s.w, sock, "42[\"at\",5]", "42[\"at\",[5,{\"k\":\"v\"}]]", "42[\"at\"]",
                 "42[\"others\",null]");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"at\",\"data\":5}",
                 "{\"event\":\"at\",\"data\":[5,{\"k\":\"v\"}]}", "{\"event\":\"at\"}");

    /* From a socket, without an on_event: one argument is the data, several are an array. */
    says(sock, "42[\"at\",5]");
    says(sock, "42[\"at\",5,{\"k\":\"v\"}]");
    says(sock, "42[\"at\"]");
    says(sock, "42[\"others\",\"x\"]");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"at\",\"data\":5}",
                 "{\"event\":\"at\",\"data\":[5,{\"k\":\"v\"}]}", "{\"event\":\"at\"}",
                 "{\"event\":\"others\",\"data\":\"x\"}");
    EXPECT_TEXTS(&s.w, sock, "42[\"at\",5]", "42[\"at\",[5,{\"k\":\"v\"}]]", "42[\"at\"]");

    /* Whose name is Socket.IO's own they cannot be told (3.1). */
    EXPECT_INT(stats(&s.w).unsayable, 0);
    says(json, "{\"event\":\"connect\",\"data\":1}");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"connect\",\"data\":1}");
    EXPECT_SILENCE(&s.w, sock);
    EXPECT_INT(stats(&s.w).unsayable, 1);
    stop();
}

TEST(an_application_of_sockets_reaches_json_clients_with_all_arguments) { /* SEND-8, SEND-1 */
    static const wshub_span bytes = {(const uint8_t *)"GHI", 3};
    wshub_conn json, sock, other;
    wshub_str args[2], rooms[2];
    wshub_packet packet;
    wshub_dest dest;
    start(DESC(CALLS), SPACE(.on_event = on_event));
    json = json_of("ada");
    sock = socket_of("40{\"user\":\"bob\"}");
    other = socket_of("40");
    says(sock, "42[\"at\",5,{\"k\":\"v\"}]");
    says(sock, "42[\"at\"]");
    EXPECT_SILENCE(&s.w, sock);
    EXPECT_TEXTS(&s.w, other, "42[\"at\",5,{\"k\":\"v\"}]", "42[\"at\"]");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"at\",\"data\":[5,{\"k\":\"v\"}]}", "{\"event\":\"at\"}");

    /* Bytes, which a JSON client has as base64 in their place. */
    says(sock, "452-[\"file\",{\"a\":{\"_placeholder\":true,\"num\":1}},"
               "{\"_placeholder\":true,\"num\":0}]");
    says_bytes(sock, "GHI");
    says_bytes(sock, "F");
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"file\",\"data\":[{\"a\":\"Rg==\"},\"R0hJ\"]}");
    EXPECT_TEXT(&s.w, other,
                "452-[\"file\",{\"a\":{\"_placeholder\":true,\"num\":1}},"
                "{\"_placeholder\":true,\"num\":0}]");
    hears_bytes(other, "GHI");
    hears_bytes(other, "F");

    /* To several rooms but for who is in another, each once. */
    EXPECT_INT(wshub_client_join(s.w.hub, last, S("den")), WSHUB_OK);
    args[0] = S("1");
    args[1] = S("{\"_placeholder\":true,\"num\":0}");
    rooms[0] = S("lobby");
    rooms[1] = S("den");
    memset(&packet, 0, sizeof packet);
    memset(&dest, 0, sizeof dest);
    packet.event = S("p");
    packet.args = args;
    packet.args_count = 2;
    packet.attachments = &bytes;
    packet.attachments_count = 1;
    dest.kind = WSHUB_DEST_ROOM;
    dest.rooms = rooms;
    dest.rooms_count = 2;
    dest.except_rooms = rooms + 1;
    dest.except_rooms_count = 1;
    EXPECT_INT(wshub_sio_emit(sio, space, &dest, &packet), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"p\",\"data\":[1,\"R0hJ\"]}");
    EXPECT_TEXT(&s.w, sock, "451-[\"p\",1,{\"_placeholder\":true,\"num\":0}]");
    hears_bytes(sock, "GHI");
    EXPECT_SILENCE(&s.w, sock);
    EXPECT_SILENCE(&s.w, other);
    stop();
}

TEST(bytes_of_sockets_come_to_on_message_as_base64) { /* SEND-8, MSG-7 */
    wshub_conn json, sock;
    start(DESC(CALLS), SPACE(.name = NULL));
    json = json_of("ada");
    sock = socket_of("40");
    says(sock, "451-[\"file\",{\"name\":\"f\",\"is\":{\"_placeholder\":true,\"num\":0}}]");
    says_bytes(sock, "GHI");
    says(sock, "451-[\"bare\"]");
    says_bytes(sock, "GHI");
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"file\",\"data\":{\"name\":\"f\",\"is\":\"R0hJ\"}}",
                 "{\"event\":\"bare\"}");
    EXPECT_TEXTS(&s.w, sock, "42[\"file\",{\"name\":\"f\",\"is\":\"R0hJ\"}]", "42[\"bare\"]");

    /* What a JSON client sends as bytes a socket hears as an event. */
    says_bytes(json, "xyz");
    wshub_io_fake_run(s.w.net);
    hears_bytes(json, "xyz");
    EXPECT_TEXT(&s.w, sock, "451-[\"message\",{\"_placeholder\":true,\"num\":0}]");
    hears_bytes(sock, "xyz");

    /* Without memory for it an event is lost, and nothing else. */
    s.w.fail_all = true;
    says(sock, "42[\"at\",5,6]");
    s.w.fail_all = false;
    EXPECT_SILENCE(&s.w, json);
    says(sock, "42[\"at\",5,7]");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"at\",\"data\":[5,7]}");
    stop();
}

TEST(whoever_asks_is_answered_in_the_words_of_its_dialect) { /* SEND-7, 3.3 */
    wshub_conn json, sock;
    wshub_msg m = msg("sum", "11");
    wshub_str args[2];
    wshub_packet packet;
    start(DESC(CALLS), SPACE(.name = NULL));
    json = json_of("ada");
    sock = socket_of("40");
    says(json, "{\"event\":\"sum\",\"data\":[5,6],\"id\":\"q\"}");
    says(sock, "427[\"sum\",5,6]");
    says(sock, "428[\"sum\"]");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"sum\",\"data\":[5,6],\"id\":\"q\"}");
    EXPECT_TEXTS(&s.w, sock, "437[[5,6]]", "438[]");

    /* An id that no socket can have said is the sender's error. */
    EXPECT_INT(wshub_client_reply(s.w.hub, last, S("\"q\""), &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_reply(s.w.hub, last, S("-1"), &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_reply(s.w.hub, last, S("9"), &m), WSHUB_OK);

    /* Several answers are several for a socket, and an array for the other. */
    args[0] = S("1");
    args[1] = S("2");
    memset(&packet, 0, sizeof packet);
    packet.event = S("sum");
    packet.args = args;
    packet.args_count = 2;
    packet.id = S("7");
    EXPECT_INT(wshub_packet_send_here(s.w.hub, NULL, &packet), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, sock, "439[11]", "437[1,2]");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"sum\",\"data\":[1,2],\"id\":7}");
    stop();
}

static void answers(wshub_sio *of, const wshub_sio_answers *a, void *user) {
    (void)of, (void)user;
    EXPECT_INT(a->answers_count, 1);
    tell(a->error ? a->error : "all", a->answers[0].args, S(""));
}
TEST(sockets_are_asked_and_json_clients_hear_it) { /* 3.3, SEND-8 */
    wshub_conn json, sock;
    wshub_client clients[3];
    wshub_str arg = S("1");
    wshub_packet packet;
    start(DESC(CALLS), SPACE(.name = NULL));
    json = json_of("ada");
    sock = socket_of("40");
    memset(&packet, 0, sizeof packet);
    packet.event = S("q");
    packet.args = &arg;
    packet.args_count = 1;
    EXPECT_INT(wshub_sio_ask_all(sio, space, NULL, &packet, 100, answers, NULL), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"q\",\"data\":1}");
    EXPECT_TEXTS(&s.w, sock, "420[\"q\",1]");
    says(sock, "430[2]");
    EXPECT_TOLD("all [2] ;");

    /* What takes a server is about its sockets. */
    EXPECT_INT(wshub_sio_select(sio, space, NULL, clients, 3), 1);
    EXPECT(clients[0].id == last.id);
    EXPECT_INT(wshub_sio_ask(sio, world_handle(&s.w, "nobody"), &packet, 9, answers, NULL),
               WSHUB_ERR_STALE);
    stop();
}

/* ---- rooms, users, who is here ---- */

TEST(rooms_users_and_ids_left_out_span_the_dialects) { /* SEND-1 to SEND-3, AUTH-7 */
    wshub_conn json, sock;
    wshub_client one, two;
    wshub_msg m = msg("m", "1");
    wshub_str ids[2];
    char id[37];
    start(DESC(CALLS), SPACE(.name = NULL));
    json = world_client(&s.w, "ada", id);
    one = world_handle(&s.w, id);
    sock = socket_of("40{\"user\":\"ada\"}");
    two = last;
    EXPECT_INT(wshub_sio_namespace_realm(sio, space).id, 0);
    EXPECT_INT(wshub_client_realm(s.w.hub, two).id, 0);
    EXPECT_INT(wshub_room_count(s.w.hub, S("lobby")), 2);
    EXPECT_INT(wshub_user_count(s.w.hub, S("ada")), 2);

    EXPECT_INT(wshub_user_send(s.w.hub, S("ada"), &m), WSHUB_OK);
    EXPECT_INT(wshub_all_send(s.w.hub, &m, NULL, 0), WSHUB_OK);
    ids[0] = wshub_client_id(s.w.hub, one);
    ids[1] = wshub_client_id(s.w.hub, two);
    m = msg("to", "2");
    EXPECT_INT(wshub_room_send(s.w.hub, S("lobby"), &m, &ids[0], 1), WSHUB_OK);
    EXPECT_INT(wshub_all_send(s.w.hub, &m, &ids[1], 1), WSHUB_OK);
    EXPECT_INT(wshub_room_send(s.w.hub, S("lobby"), &m, ids, 2), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"m\",\"data\":1}", "{\"event\":\"m\",\"data\":1}",
                 "{\"event\":\"to\",\"data\":2}");
    EXPECT_TEXTS(&s.w, sock, "42[\"m\",1]", "42[\"m\",1]", "42[\"to\",2]");

    /* By its id each is one client, and a room of its own. */
    m = msg("mine", "3");
    EXPECT_INT(wshub_send(s.w.hub, &(wshub_dest){.name = ids[1]}, &m), WSHUB_OK);
    EXPECT_INT(wshub_room_send(s.w.hub, ids[0], &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"mine\",\"data\":3}");
    EXPECT_TEXTS(&s.w, sock, "42[\"mine\",3]");
    stop();
}

TEST(who_is_here_is_told_of_both_dialects_alike) { /* PRES-1, PRES-2 */
    wshub_conn json, sock;
    start(DESC(CALLS, .on_joined = on_joined, .on_left = on_left, .on_user_here = on_user_here,
               .on_user_gone = on_user_gone),
          SPACE(.name = NULL));
    json = json_of("ada");
    EXPECT_TOLD("here ada ;joined lobby ada;");
    sock = socket_of("40{\"user\":\"ada\"}");
    EXPECT_TOLD("joined lobby ada;");
    wshub_io_fake_end(s.w.net, json);
    wshub_io_fake_run(s.w.net);
    EXPECT_TOLD("left lobby ada;");
    says(sock, "41");
    EXPECT_TOLD("left lobby ada;gone ada ;");
    EXPECT_INT(wshub_room_count(s.w.hub, S("lobby")), 0);
    stop();
}

TEST(sockets_that_poll_share_the_realm_too) { /* SEND-8, 3.1 */
    wshub_conn json, poll, post;
    eio_answer a;
    start(DESC(CALLS), SPACE(.name = NULL));
    json = json_of("ada");
    poll = eio_open(&s);
    post = wshub_io_fake_open(s.w.net);
    eio_ask(&s, post, "POST", EIO_POLL, "", "40");
    EXPECT_ANSWER(&s, post, 200, "ok");
    eio_ask(&s, poll, "GET", EIO_POLL, "", NULL);
    a = eio_look(&s, poll);
    EXPECT_INT(a.status, 200);
    EXPECT(a.body.len > 9 && memcmp(a.body.ptr, "40{\"sid\":\"", 10) == 0);
    eio_take(&s, poll, &a);
    eio_ask(&s, poll, "GET", EIO_POLL, "", NULL);
    EXPECT_HELD(&s, poll);
    says(json, "{\"event\":\"at\",\"data\":[5,6]}");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"at\",\"data\":[5,6]}");
    EXPECT_ANSWER(&s, poll, 200, "42[\"at\",[5,6]]");
    eio_ask(&s, post, "POST", EIO_POLL, "",
            "451-[\"at\",{\"_placeholder\":true,\"num\":0},6]\036bR0hJ");
    EXPECT_ANSWER(&s, post, 200, "ok");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"at\",\"data\":[\"R0hJ\",6]}");
    stop();
}

/* ---- a flow ---- */

static void join_any(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    EXPECT_INT(join->realm.id, 0);
    EXPECT_INT(wshub_join_accept(hub, ask, join->rooms, join->rooms_count), WSHUB_OK);
}
TEST(a_flow_in_the_first_realm_has_its_default_rooms) { /* AUTH-7, ROOM-2, 10.1 */
    wshub_sio_flow flow;
    wshub_conn json, sock;
    memset(&flow, 0, sizeof flow);
    start(DESC(.on_authenticate = accept_all, .on_join = join_any, .on_message = on_message),
          (wshub_sio_namespace_desc){.realm = &first, .flow = &flow});
    json = json_of("ada");
    says(json, "{\"event\":\"join\",\"data\":{\"rooms\":[\"lobby\"]}}");
    sock = socket_of("40{\"user\":\"bob\"}");
    says(sock, "42[\"authenticate\"]");
    hears_begin(sock, "42[\"ping\",");
    hears_begin(sock, "42[\"authenticated\",");
    says(sock, "42[\"join\",{\"rooms\":[\"lobby\"]}]");
    EXPECT_INT(wshub_room_count(s.w.hub, S("ws-default")), 2);
    EXPECT_INT(wshub_room_count(s.w.hub, S("io-default")), 0);
    EXPECT_INT(wshub_room_count(s.w.hub, S("lobby")), 2);
    EXPECT_INT(wshub_user_count(s.w.hub, S("bob")), 1);
    says(sock, "42[\"say\",\"hi\"]");
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"say\",\"data\":\"hi\"}");
    EXPECT_TEXTS(&s.w, sock, "42[\"say\",\"hi\"]");
    EXPECT_INT(wshub_sio_flow_send(sio, space, S("lobby"), S("say"), S("\"all\"")), WSHUB_OK);
    EXPECT_INT(wshub_sio_flow_send(sio, space, S(""), S("say"), S("\"every\"")), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"say\",\"data\":\"all\"}",
                 "{\"event\":\"say\",\"data\":\"every\"}");
    EXPECT_TEXTS(&s.w, sock, "42[\"say\",\"all\"]", "42[\"say\",\"every\"]");

    /* At the end sockets are told to go, and JSON clients are not. */
    wshub_sio_shutdown(sio);
    wshub_io_fake_run(s.w.net);
    hears_begin(sock, "41");
    EXPECT_SILENCE(&s.w, json);
    EXPECT(wshub_io_fake_is_open(s.w.net, json));
    stop();
}

/* ---- whose realm it is ---- */

TEST(a_realm_is_given_to_one_namespace_of_a_server) { /* 2.6, AUTH-1 */
    static const char *const rooms[] = {"r"};
    wshub_sio_namespace other;
    wshub_realm realm, gone;
    wshub_realm_desc rd;
    wshub_sio_namespace_desc d;
    wshub_sio_flow flow;
    start(DESC(CALLS), SPACE(.name = "/a"));
    memset(&d, 0, sizeof d);
    memset(&rd, 0, sizeof rd);
    memset(&flow, 0, sizeof flow);
    rd.version = WSHUB_REALM_VERSION;
    EXPECT_INT(wshub_realm_create(s.w.hub, &rd, &realm), WSHUB_OK);
    EXPECT_INT(wshub_realm_create(s.w.hub, &rd, &gone), WSHUB_OK);
    EXPECT_INT(wshub_realm_destroy(s.w.hub, gone), WSHUB_OK);
#define REFUSED(want)                                                                              \
    do {                                                                                           \
        EXPECT_STR(wshub_sio_namespace_problem(sio, &d), want);                                    \
        EXPECT_INT(wshub_sio_namespace_add(sio, &d, &other), WSHUB_ERR_PARAM);                     \
        EXPECT_INT(other.id, 0);                                                                   \
    } while (0)
    EXPECT_STR(wshub_sio_namespace_problem(sio, NULL), "wshub_sio_namespace_desc: required");
    EXPECT_INT(wshub_sio_namespace_add(sio, NULL, &other), WSHUB_ERR_PARAM);
    d.name = "b";
    REFUSED("name: must begin with `/`, and be UTF-8 of at most 256 bytes without a comma");
    d.name = "/a";
    REFUSED("name: there is such a namespace already");
    d.name = "/b";
    EXPECT(!wshub_sio_namespace_problem(sio, &d));
    d.realm = &gone;
    REFUSED("realm: it is gone, or was none");
    d.realm = &first;
    REFUSED("realm: another namespace of this server has it, and what is sent there would be "
            "heard in both");
    d.realm = &realm;
    d.flow = &flow;
    flow.no_default_rooms = true;
    REFUSED("flow: default_rooms are those of the realm, which is given");
    flow.no_default_rooms = false;
    flow.default_rooms = rooms;
    flow.default_rooms_count = 1;
    REFUSED("flow: default_rooms are those of the realm, which is given");
    flow.default_rooms = NULL;
    flow.default_rooms_count = 0;
    d.flow = NULL; /* whoever came would be where others had to say who they are (AUTH-1) */
    REFUSED("on_connect: required for a realm that is given, or a flow: nobody else asks who "
            "comes in");
    d.on_connect = on_connect;
    EXPECT(!wshub_sio_namespace_problem(sio, &d));
    d.on_connect = NULL;
    d.flow = &flow;
    EXPECT(!wshub_sio_namespace_problem(sio, &d));
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, &other), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_realm(sio, other).id, realm.id);

    /* Nor one that another has made for itself. */
    d.realm = NULL;
    d.flow = NULL;
    d.name = "/own";
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, &other), WSHUB_OK);
    gone = wshub_sio_namespace_realm(sio, other);
    d.name = "/thief";
    d.realm = &gone;
    REFUSED("realm: another namespace of this server has it, and what is sent there would be "
            "heard in both");
    stop();
}

static bool any_name(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)name, (void)user;
    return true;
}
TEST(two_servers_and_several_namespaces_say_each_its_own_name) { /* 3.1, SEND-8 */
    wshub_sio *two;
    wshub *hub;
    wshub_conn json, a, b, c;
    wshub_realm_desc rd;
    wshub_realm realm;
    wshub_sio_namespace_desc d;
    wshub_sio_namespace den;
    wshub_msg m = msg("m", "1");
    wshub_dest dest;
    start(DESC(CALLS), SPACE(.name = "/a"));
    two = server(&s.w, "/two/");
    memset(&rd, 0, sizeof rd);
    memset(&dest, 0, sizeof dest);
    rd.version = WSHUB_REALM_VERSION;
    rd.user = &s; /* is the application's, not a namespace */
    EXPECT_INT(wshub_realm_create(s.w.hub, &rd, &realm), WSHUB_OK);
    d = SPACE(.name = "/z");
    EXPECT_INT(wshub_sio_namespace_add(two, &d, NULL), WSHUB_OK);
    d.name = "/den";
    d.realm = &realm;
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, &den), WSHUB_OK);
    d.realm = NULL;
    d.matches = any_name; /* makes realms of its own */
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_OK);
    d.realm = &realm;
    EXPECT_STR(wshub_sio_namespace_problem(sio, &d),
               "realm: a rule makes many namespaces, and one alone has it");

    json = json_of("ada");
    a = eio_socket(&s, "EIO=4&transport=websocket");
    b = eio_socket(&s, "/two/?EIO=4&transport=websocket");
    hears_begin(a, "0{");
    hears_begin(b, "0{");
    says(a, "40/a,");
    hears_begin(a, "40/a,{");
    says(a, "40/den,");
    hears_begin(a, "40/den,{");
    says(a, "40/any,");
    hears_begin(a, "40/any,{");
    says(b, "40/z,");
    hears_begin(b, "40/z,{");
    c = eio_socket(&s, "EIO=4&transport=websocket");
    hears_begin(c, "0{");
    says(c, "40/any,");
    hears_begin(c, "40/any,{");

    EXPECT_INT(wshub_all_send_here(s.w.hub, &m, NULL, 0), WSHUB_OK);
    dest.realm = realm;
    m = msg("d", "2");
    EXPECT_INT(wshub_send_here(s.w.hub, &dest, &m), WSHUB_OK);
    dest.realm = wshub_sio_namespace_realm(sio, wshub_sio_of(sio, "/any"));
    m = msg("y", "3");
    EXPECT_INT(wshub_send_here(s.w.hub, &dest, &m), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXTS(&s.w, a, "42/a,[\"m\",1]", "42/den,[\"d\",2]", "42/any,[\"y\",3]");
    EXPECT_TEXTS(&s.w, b, "42/z,[\"m\",1]");
    EXPECT_TEXTS(&s.w, c, "42/any,[\"y\",3]");

    hub = s.w.hub;
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(two);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
}

/* ---- several instances ---- */

/* envelopes: as over any bus; else what is encoded is handed over, as within a process. */
static void two_instances(bool envelopes) {
    wshub_sio *of[2];
    wshub_sio_namespace spaces[2];
    wshub_bus_local_desc ld;
    wshub_bus_local *local;
    wshub_bus buses[2];
    wshub_conn json[2], sock[2];
    wshub_str args[2], rooms[2];
    wshub_packet packet;
    wshub_dest dest;
    wshub_msg m = msg("m", "1");
    int i, k;
    memset(&ld, 0, sizeof ld);
    EXPECT_INT(wshub_bus_local_create(&ld, &local), WSHUB_OK);
    for (i = 0; i < 2; i++) {
        EXPECT_INT(wshub_bus_local_seat(local, &buses[i]), WSHUB_OK);
        if (envelopes) buses[i].hand_over = NULL;
        at = &sites[i];
        start(DESC(CALLS, .bus = &buses[i], .server_id = i ? "B" : "A"), SPACE(.name = NULL));
        json[i] = json_of("ada");
        sock[i] = socket_of("40{\"user\":\"ada\"}");
        of[i] = sio;
        spaces[i] = space;
    }
    memset(&packet, 0, sizeof packet);
    memset(&dest, 0, sizeof dest);
    args[0] = S("1");
    args[1] = S("2");
    rooms[0] = S("lobby");
    rooms[1] = S("den");
    packet.event = S("m");
    packet.args = args;
    packet.args_count = 1;
    dest.kind = WSHUB_DEST_ROOM;
    dest.name = S("lobby");
    EXPECT_INT(wshub_sio_emit(of[0], spaces[0], &dest, &packet), WSHUB_OK);
    EXPECT_INT(wshub_room_send(sites[1].w.hub, S("lobby"), &m, NULL, 0), WSHUB_OK);

    /* More has no words there, and none of it goes out in part. */
    packet.args_count = 2;
    EXPECT_INT(wshub_sio_emit(of[0], spaces[0], &dest, &packet), WSHUB_ERR_PARAM);
    packet.args_count = 1;
    dest.rooms = rooms;
    dest.rooms_count = 2;
    EXPECT_INT(wshub_sio_emit(of[0], spaces[0], &dest, &packet), WSHUB_ERR_PARAM);
    for (k = 0; k < 6; k++) wshub_io_fake_run(sites[k % 2].w.net);
    for (i = 0; i < 2; i++) {
        EXPECT_TEXTS(&sites[i].w, json[i], "{\"event\":\"m\",\"data\":1}",
                     "{\"event\":\"m\",\"data\":1}");
        EXPECT_TEXTS(&sites[i].w, sock[i], "42[\"m\",1]", "42[\"m\",1]");
    }

    packet.args_count = 2; /* here it may be */
    EXPECT_INT(wshub_packet_send_here(sites[0].w.hub, NULL, &packet), WSHUB_OK);
    for (k = 0; k < 6; k++) wshub_io_fake_run(sites[k % 2].w.net);
    EXPECT_TEXTS(&sites[0].w, json[0], "{\"event\":\"m\",\"data\":[1,2]}");
    EXPECT_TEXTS(&sites[0].w, sock[0], "42[\"m\",1,2]");
    EXPECT_SILENCE(&sites[1].w, sock[1]);
    for (i = 0; i < 2; i++) world_end(&sites[i].w, of[i]);
    wshub_bus_local_destroy(local);
    at = sites;
}

TEST(other_instances_hear_it_once_in_words_of_the_json_dialect) { /* BUS-1, BUS-3, SEND-8 */
    two_instances(true);
    two_instances(false);
}
