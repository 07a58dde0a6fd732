/* Socket.IO against a model, by seeds: some clients that poll, post, abort, overlap, move to a
 * WebSocket or try to, cut what they send at any byte, use ids that are nobody's, come again; and
 * an application that sends, asks, answers, refuses, disconnects and shuts down, outside and inside
 * its callbacks. The model knows of each session what it has to hear, message by message and in
 * order, whatever carries it: what is heard is the beginning of that, and where the session is open
 * and nothing waits, all of it (2.4, 2.6). What a client says is heard once and in its order, each
 * ask is told of once, each socket goes once, and at the end nothing is left.
 *
 * WSHUB_SIO_SEEDS: how many seeds, for a campaign; WSHUB_SIO_SEED: from which, or that one. */
#include <stdarg.h>
#include "eio_site.h"
#include "wshub_dialect_socketio.h"

enum { SLOTS = 6, SPACES = 5, SOCKETS = 400, ASKS = 2000, ROOMS = 3, STEPS = 400 };

/* What a session is to hear. */
typedef struct heard_one {
    char *bytes;
    size_t len;
    bool text;
} heard_one;

/* A client, and the session that it has at present. */
typedef struct slot {
    enum { NOTHING, POLLS, TRIES, HAS_SOCKET } mode;
    char sid[21];
    wshub_conn poll, post, ws, up;
    bool held;   /* a poll is out */
    bool probed; /* `3probe` has come */
    bool b64, pongs;
    bool gap; /* it has said something that need not have been heard */
    heard_one *due;
    size_t due_count, due_cap, heard;
    unsigned sent, arrived; /* events that it has said, and that the server was told of */
    unsigned joined, wants; /* by namespace: it has heard so; it has asked */
    unsigned asked[8], asked_count, asked_space[8];
} slot;

/* A socket as the application knows it. */
typedef struct socket_of {
    wshub_client client;
    slot *at;
    unsigned space, rooms;
    bool there; /* on_disconnected is yet to be told */
    bool leaving;
} socket_of;

static eio_site s;
static wshub_sio *sio;
static slot slots[SLOTS], *talking;
static socket_of sockets[SOCKETS];
static int sockets_count, depth;
static unsigned said, asks_open[ASKS], asks_count;
static wshub_sio_ask_id pending[8];
static struct {
    wshub_sio_ack ack;
    slot *at;
    unsigned space, id;
} acks[8];
static struct { wshub_ask ask; } auths[4];
static uint32_t seed;
static bool down;
static const char *const names[SPACES] = {"/", "/late", "/n1", "/n2", "/flow"};
static const char *const rooms[ROOMS] = {"red", "green", "blue"};

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (void)printf("  seed %u, %s:%d: must hold: %s\n", (unsigned)seed, __FILE__, __LINE__,  \
                         #cond);                                                                   \
            test_failures++;                                                                       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* ---- the model ---- */

static void due(slot *at, bool text, const void *bytes, size_t len) {
    heard_one *one;
    if (!at || !at->sid[0]) return;
    if (at->due_count == at->due_cap) {
        at->due_cap = at->due_cap ? at->due_cap * 2 : 64;
        at->due = (heard_one *)realloc(at->due, at->due_cap * sizeof *at->due);
        MUST(at->due != NULL);
    }
    one = &at->due[at->due_count++];
    one->bytes = (char *)malloc(len + 1);
    MUST(one->bytes != NULL);
    memcpy(one->bytes, bytes, len);
    one->bytes[len] = 0;
    one->len = len;
    one->text = text;
}
/* A packet: `type`, the namespace unless it is the first, and what follows. */
static void due_packet(slot *at, const char *type, unsigned space, const char *format, ...) {
    char text[400];
    va_list list;
    int n =
        snprintf(text, sizeof text, "%s%s%s", type, space ? names[space] : "", space ? "," : "");
    va_start(list, format);
    n += vsnprintf(text + n, sizeof text - (size_t)n, format, list);
    va_end(list);
    due(at, true, text, (size_t)n);
}
static void forget_due(slot *at) {
    size_t i;
    for (i = 0; i < at->due_count; i++) free(at->due[i].bytes);
    at->due_count = at->heard = 0;
}
static bool is_open(const slot *at) { /* at the server */
    const wshub_eio__session *session =
        at->sid[0] ? wshub_eio__sid_find(wshub_sio_engine(sio), at->sid, 20) : NULL;
    return session && wshub_eio__is_open(session);
}
static slot *slot_of(wshub_client client) {
    wshub_str sid = wshub_eio_sid(wshub_sio_engine(sio), wshub_sio_session_of(sio, client));
    int i;
    for (i = 0; i < SLOTS && sid.ptr; i++) {
        if (memcmp(slots[i].sid, sid.ptr, 20) == 0) return &slots[i];
    }
    return NULL;
}
static socket_of *socket_at(wshub_client client) {
    int i;
    for (i = 0; i < sockets_count; i++) {
        if (sockets[i].there && sockets[i].client.id == client.id) return &sockets[i];
    }
    return NULL;
}
static bool is_there(const socket_of *socket) { /* its end is not on its way */
    return socket->there && wshub_sio_session_of(sio, socket->client).id != 0;
}
static unsigned space_of(wshub_client client) {
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, client));
    unsigned i;
    for (i = 0; i < SPACES; i++) {
        if (wshub_str_eq_z(name, names[i])) return i;
    }
    MUST(!"a namespace that there is");
    return 0;
}

/* ---- the application ---- */

static void act(void);
static void maybe_act(void) {
    if (depth >= 2 || any_of(3)) return;
    depth++;
    act();
    depth--;
}
static socket_of *any_socket(void) {
    int i, n = sockets_count ? (int)any_of((uint32_t)sockets_count) : 0;
    for (i = 0; i < sockets_count; i++) {
        socket_of *socket = &sockets[(n + i) % sockets_count];
        if (is_there(socket) && socket->space != 4) return socket;
    }
    return NULL;
}

static wshub_packet packet_of(const char *event, wshub_str *arg, char text[32]) {
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    (void)snprintf(text, 32, "%u", ++said);
    *arg = wshub_str_z(text);
    packet.event = wshub_str_z(event);
    packet.args = arg;
    packet.args_count = 1;
    return packet;
}

/* Who an event to these rooms is for. */
static bool is_for(const socket_of *socket, unsigned space, unsigned in, unsigned except,
                   const socket_of *but) {
    return is_there(socket) && socket->space == space && (!in || (socket->rooms & in)) &&
           !(socket->rooms & except) && socket != but;
}
static wshub_str room_names[2][ROOMS];
static size_t room_list(unsigned mask, wshub_str *list) {
    size_t n = 0;
    unsigned i;
    for (i = 0; i < ROOMS; i++) {
        if (mask & 1u << i) list[n++] = wshub_str_z(rooms[i]);
    }
    return n;
}
static void answered(wshub_sio *of, const wshub_sio_answers *a, void *user) {
    unsigned *open = (unsigned *)user;
    size_t i;
    (void)of;
    MUST(*open == 1); /* once */
    *open = 2;
    for (i = 0; i < a->answers_count; i++) MUST(a->answers[i].args.len >= 2);
    maybe_act();
}

static void emit(bool asks) {
    unsigned space = any_of(4), in = any_of(8), except = any_of(3) ? 0 : any_of(8), id = 0;
    wshub_sio_namespace to = wshub_sio_of(sio, names[space]);
    socket_of *but = any_of(3) ? NULL : any_socket();
    wshub_str arg, id_text;
    wshub_dest dest;
    wshub_packet packet;
    wshub_span bytes;
    char text[32], digits[16] = "", attached[400];
    bool binary = !asks && any_of(4) == 0;
    static bool told[3][SOCKETS];
    wshub_err err;
    int i, before = sockets_count;

    /* Where nobody is there to be asked, that is told at once, and changes who is. */
    for (i = 0; i < sockets_count; i++)
        told[depth][i] = is_for(&sockets[i], space, in, except, but);
    memset(&dest, 0, sizeof dest);
    dest.kind = in ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    dest.rooms = room_names[0];
    dest.rooms_count = room_list(in, room_names[0]);
    dest.except_rooms = room_names[1];
    dest.except_rooms_count = room_list(except, room_names[1]);
    if (but) {
        id_text = wshub_client_id(wshub_sio_hub(sio), but->client);
        dest.exclude = &id_text;
        dest.exclude_count = 1;
    }
    packet = packet_of("m", &arg, text);
    memset(attached, 'a' + (int)(said % 26), sizeof attached);
    if (binary) {
        arg = wshub_str_z("{\"_placeholder\":true,\"num\":0}");
        bytes.ptr = (const uint8_t *)attached;
        bytes.len = said % sizeof attached;
        packet.attachments = &bytes;
        packet.attachments_count = 1;
    }
    if (asks) {
        const wshub_sio__space *open = wshub_sio__space_get(sio, to);
        if (!open || asks_count == ASKS) return;
        id = (unsigned)open->asks;
        (void)snprintf(digits, sizeof digits, "%u", id);
        asks_open[asks_count] = 1;
        err = wshub_sio_ask_all(sio, to, &dest, &packet, 1 + any_of(2000), answered,
                                &asks_open[asks_count++]);
        if (err) asks_open[asks_count - 1] = 2;
    } else {
        err = wshub_sio_emit(sio, to, &dest, &packet);
    }
    if (err) {
        MUST(err == WSHUB_ERR_STALE || err == WSHUB_ERR_DROPPED || err == WSHUB_ERR_LIMIT);
        return;
    }
    for (i = 0; i < before; i++) {
        if (!told[depth][i]) continue;
        due_packet(sockets[i].at, binary ? "51-" : "2", space, "%s[\"m\",%.*s]", digits,
                   (int)arg.len, arg.ptr);
        if (binary) due(sockets[i].at, false, attached, bytes.len);
    }
}

static void send_one(bool asks) {
    socket_of *socket = any_socket();
    wshub_str arg;
    wshub_packet packet;
    char text[32], digits[16] = "";
    wshub_err err;

    if (!socket) return;
    packet = packet_of("one", &arg, text);
    if (asks) {
        if (asks_count == ASKS) return;
        (void)snprintf(digits, sizeof digits, "%u",
                       (unsigned)wshub_sio__socket_of(sio, socket->client)->space->asks);
        asks_open[asks_count] = 1;
        err = wshub_sio_ask(sio, socket->client, &packet, any_of(3) ? 1 + any_of(2000) : 0,
                            answered, &asks_open[asks_count]);
        if (err) asks_open[asks_count] = 2;
        asks_count++;
    } else {
        err = wshub_sio_send(sio, socket->client, &packet);
    }
    if (!err) due_packet(socket->at, "2", socket->space, "%s[\"one\",%s]", digits, text);
}

static void disconnect(void) {
    socket_of *socket = any_socket();
    bool close = any_of(3) == 0;
    slot *at;
    int i;
    if (!socket) return;
    at = socket->at;
    for (i = 0; at && i < sockets_count; i++) { /* in the order in which they came */
        if (!is_there(&sockets[i]) || sockets[i].at != at) continue;
        if (close || &sockets[i] == socket) due_packet(at, "1", sockets[i].space, "");
    }
    MUST(wshub_sio_disconnect(sio, socket->client, close) == WSHUB_OK);
    MUST(wshub_sio_disconnect(sio, socket->client, close) == WSHUB_ERR_STALE);
}

static void answer_ask(void) {
    uint32_t n = any_of(8);
    wshub_sio_ask_id ask = pending[n];
    const wshub_sio__pending *who =
        (const wshub_sio__pending *)wshub_sio__get(&sio->pending, ask.id);
    wshub_str none = {NULL, 0};
    wshub_err err;
    int i;

    if (!ask.id) return;
    pending[n].id = 0;
    if (any_of(3)) {
        err = wshub_sio_accept(sio, ask, NULL);
    } else {
        for (i = 0; i < SLOTS && who; i++) {
            wshub_str sid = wshub_eio_sid(wshub_sio_engine(sio), who->peer->session);
            if (sid.ptr && memcmp(slots[i].sid, sid.ptr, 20) == 0)
                due_packet(&slots[i], "4", 1, "{\"message\":\"no\"}");
        }
        err = wshub_sio_refuse(sio, ask, "no", none);
    }
    /* its session may have more waiting than it may, and go in this turn */
    MUST(err == WSHUB_ERR_STALE || (who && (!err || err == WSHUB_ERR_DROPPED)));
    MUST(wshub_sio_accept(sio, ask, NULL) == WSHUB_ERR_STALE);
}

static void acknowledge(void) {
    uint32_t n = any_of(8);
    char text[32];
    wshub_str arg;
    wshub_packet packet = packet_of("", &arg, text);
    wshub_err err;
    if (!acks[n].ack.id) return;
    err = wshub_sio_answer(sio, acks[n].ack, &packet);
    if (!err) due_packet(acks[n].at, "3", acks[n].space, "%u[%s]", acks[n].id, text);
    MUST(wshub_sio_answer(sio, acks[n].ack, &packet) == WSHUB_ERR_STALE || err);
    acks[n].ack.id = 0;
}

static void move_about(void) {
    socket_of *socket = any_socket();
    unsigned room = any_of(ROOMS);
    wshub_str name = wshub_str_z(rooms[room]);
    if (!socket) return;
    if (socket->rooms & 1u << room) {
        if (!wshub_client_leave(s.w.hub, socket->client, name)) socket->rooms &= ~(1u << room);
    } else {
        if (!wshub_client_join(s.w.hub, socket->client, name)) socket->rooms |= 1u << room;
    }
}

static void authenticate_later(void) {
    uint32_t n = any_of(4);
    wshub_identity who;
    memset(&who, 0, sizeof who);
    who.user_id = wshub_str_z("ada");
    if (!auths[n].ask.id) return;
    if (any_of(3))
        (void)wshub_auth_accept(s.w.hub, auths[n].ask, &who);
    else
        (void)wshub_ask_reject(s.w.hub, auths[n].ask);
    auths[n].ask.id = 0;
}

static void act(void) {
    switch (any_of(16)) {
    case 0:
    case 1:
    case 2: emit(false); break;
    case 3:
    case 4: send_one(false); break;
    case 5: send_one(true); break;
    case 6: emit(true); break;
    case 7:
    case 8:
    case 9: answer_ask(); break;
    case 10:
    case 11: acknowledge(); break;
    case 12:
    case 13: move_about(); break;
    case 14: authenticate_later(); break;
    default:
        switch (any_of(8)) {
        case 0:
        case 1:
        case 2: disconnect(); break;
        case 3: {
            socket_of *socket = any_socket();
            if (!socket) break;
            (void)wshub_eio_close(wshub_sio_engine(sio), wshub_sio_session_of(sio, socket->client));
            break;
        }
        case 4:
            if (any_of(40)) break;
            down = true;
            wshub_sio_shutdown(sio);
            break;
        default: break;
        }
    }
}

static bool on_matches(wshub_sio *of, wshub_str name, void *user) {
    bool yes = name.len == 3 && name.ptr[1] == 'n';
    slot *who = talking;
    (void)of, (void)user;
    maybe_act();
    if (!yes) {
        char text[80];
        int n = snprintf(text, sizeof text, "4%.*s,{\"message\":\"Invalid namespace\"}",
                         (int)name.len, name.ptr);
        due(who, true, text, (size_t)n);
    }
    return yes;
}
static void on_connect(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *handshake,
                       void *user) {
    uint32_t n = any_of(8);
    (void)of, (void)user;
    MUST(handshake->auth.len >= 2);
    if (!pending[n].id) pending[n] = ask;
    maybe_act();
}
static void on_connected(wshub_sio *of, wshub_client client, void *user) {
    unsigned space = space_of(client);
    wshub_str id = wshub_client_id(s.w.hub, client);
    socket_of *socket;
    int i;
    (void)of, (void)user;
    if (space == 4) return;
    MUST(sockets_count < SOCKETS);
    for (i = 0; i < sockets_count; i++) { /* once in a namespace */
        if (is_there(&sockets[i]) && sockets[i].space == space)
            MUST(wshub_sio_session_of(sio, sockets[i].client).id !=
                 wshub_sio_session_of(sio, client).id);
    }
    socket = &sockets[sockets_count++];
    memset(socket, 0, sizeof *socket);
    socket->client = client;
    socket->at = slot_of(client);
    socket->space = space;
    socket->there = true;
    due_packet(socket->at, "0", space, "{\"sid\":\"%.*s\"}", (int)id.len, id.ptr);
    maybe_act();
}
static bool on_packet(wshub_sio *of, wshub_client client, const wshub_sio_event *e, void *user) {
    socket_of *socket = socket_at(client);
    (void)of, (void)e, (void)user;
    maybe_act();
    if (socket && socket->at && !is_there(socket))
        socket->at->gap = true; /* it is not handed over */
    return true;
}
static void on_event(wshub_sio *of, wshub_client client, const wshub_sio_event *e, void *user) {
    socket_of *socket = socket_at(client);
    uint64_t number = 0, id = 0;
    wshub_span bytes;
    uint32_t n = any_of(8);
    (void)of, (void)user;
    if (space_of(client) == 4) return;
    MUST(socket && is_there(socket));
    MUST(e->args_count >= 2 && wshub_json_uint(e->args[0], &number) &&
         wshub_json_uint(e->args[1], &id));
    if (!socket->at) return;
    MUST(number > socket->at->arrived); /* once, in its order */
    socket->at->arrived = (unsigned)number;
    if (e->attachments_count) {
        MUST(wshub_sio_bytes(e->attachments, e->attachments_count, e->args[2], &bytes));
        MUST(bytes.len == number % 50);
    }
    if (id) {
        MUST(e->ack.id);
        acks[n].ack = e->ack;
        acks[n].at = socket->at;
        acks[n].space = socket->space;
        acks[n].id = (unsigned)id;
    }
    maybe_act();
}
static void on_disconnecting(wshub_sio *of, wshub_client client, const char *reason, void *user) {
    socket_of *socket = socket_at(client);
    (void)of, (void)user;
    MUST(strlen(reason) > 4);
    if (space_of(client) == 4) return;
    MUST(socket && !socket->leaving);
    socket->leaving = true;
    maybe_act();
}
static void on_disconnected(wshub_sio *of, wshub_client client, const char *reason, void *user) {
    socket_of *socket = socket_at(client);
    (void)of, (void)user, (void)reason;
    if (!socket) return;
    MUST(socket->leaving);
    socket->there = false;
    maybe_act();
}
static void on_error(wshub_sio *of, wshub_client client, const char *text, void *user) {
    (void)of, (void)client, (void)user;
    MUST(text[0]);
    maybe_act();
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)hub, (void)auth, (void)user;
    auths[any_of(4)].ask = ask;
    maybe_act();
}
static void on_session_closed(wshub_sio *of, wshub_eio_reason reason, void *user) {
    (void)of, (void)user;
    MUST(reason != 0);
    maybe_act();
}

/* ---- clients ---- */

static void drop(wshub_conn *conn) {
    if (!conn->id) return;
    wshub_io_fake_end(s.w.net, *conn);
    wshub_io_fake_forget(s.w.net, *conn);
    conn->id = 0;
}
static void begin_anew(slot *at) {
    int i;
    for (i = 0; i < sockets_count; i++) { /* nobody hears any more what they are told */
        if (sockets[i].at == at) sockets[i].at = NULL;
    }
    for (i = 0; i < 8; i++) {
        if (acks[i].at == at) acks[i].at = NULL;
    }
    drop(&at->poll);
    drop(&at->post);
    drop(&at->ws);
    drop(&at->up);
    forget_due(at);
    free(at->due);
    memset(at, 0, sizeof *at);
}

/* A message has come: it is the next that was due. */
static void hears(slot *at, bool text, const char *bytes, size_t len) {
    const heard_one *one;
    const char *space = text && len > 1 ? (const char *)memchr(bytes, '/', len < 12 ? len : 12) : 0;
    unsigned i;
    if (space && len - (size_t)(space - bytes) >= 6 && memcmp(space, "/flow", 5) == 0) return;
    if (at->heard >= at->due_count) {
        (void)printf("  seed %u: nothing was due, and came: %.*s\n", (unsigned)seed, (int)len,
                     bytes);
        MUST(at->heard < at->due_count);
    }
    one = &at->due[at->heard++];
    if (one->text != text || one->len != len || memcmp(one->bytes, bytes, len) != 0) {
        (void)printf("  seed %u: came %.*s\n    due was %s\n", (unsigned)seed, (int)len, bytes,
                     one->bytes);
        MUST(!"what came was due");
    }
    if (!text) return;
    for (i = 0; i < SPACES && (!space || memcmp(space, names[i], strlen(names[i])) != 0 || !i);
         i++) {
    }
    if (i == SPACES) i = 0;
    if (bytes[0] == '0') at->joined |= 1u << i;
    if (bytes[0] == '1') at->joined &= ~(1u << i);
    if (bytes[0] == '0' || bytes[0] == '4' || bytes[0] == '1') at->wants &= ~(1u << i);
    if (bytes[0] == '2' && at->asked_count < 8) { /* perhaps it wants an answer */
        const char *p = space ? bytes + (space - bytes) + strlen(names[i]) + 1 : bytes + 1;
        if (*p >= '0' && *p <= '9') {
            at->asked_space[at->asked_count] = i;
            at->asked[at->asked_count++] = (unsigned)atoi(p);
        }
    }
}

/* A packet of the engine has come. False: the session is over. */
static bool hears_packet(slot *at, const char *p, size_t len) {
    static uint8_t bytes[4096];
    MUST(len > 0);
    switch (p[0]) {
    case '4': hears(at, true, p + 1, len - 1); return true;
    case 'b':
        MUST(len < sizeof bytes);
        hears(at, false, (const char *)bytes, wshub_eio__b64_read(p + 1, len - 1, bytes));
        return true;
    case '2': at->pongs = true; return true;
    case '6': return true;
    case '1': return false;
    default: MUST(!"a packet that a server says"); return false;
    }
}

/* Looks whether the poll has been answered. */
static void look_at_poll(slot *at) {
    eio_answer a;
    const char *p, *end;
    bool goes_on = true;
    if (!at->held || !at->poll.id) return;
    a = eio_look(&s, at->poll);
    if (!a.status) {
        if (!wshub_io_fake_is_open(s.w.net, at->poll)) at->held = false;
        return;
    }
    at->held = false;
    if (a.status == 200) {
        MUST(a.body.len > 0);
        for (p = a.body.ptr; p && goes_on;) {
            size_t left = a.body.len - (size_t)(p - a.body.ptr);
            end = (const char *)memchr(p, 0x1E, left);
            goes_on = hears_packet(at, p, end ? (size_t)(end - p) : left);
            p = end ? end + 1 : NULL;
        }
    } else {
        MUST(a.status == 400 && !is_open(at));
        goes_on = false;
    }
    eio_take(&s, at->poll, &a);
    if (!goes_on) begin_anew(at);
}

static void look_at_post(slot *at) {
    eio_answer a;
    if (!at->post.id) return;
    a = eio_look(&s, at->post);
    if (!a.status) return;
    if (a.status == 200 && is_open(at) && !at->gap) MUST(at->arrived == at->sent);
    eio_take(&s, at->post, &a);
    if (a.status != 200 && !is_open(at)) begin_anew(at);
}

static void look_at_socket(slot *at) {
    wshub_io_fake_frame f;
    while (at->ws.id && wshub_io_fake_next(s.w.net, at->ws, &f)) {
        if (f.opcode == 8) {
            begin_anew(at);
            return;
        }
        if (f.opcode == 1) {
            if (!hears_packet(at, f.payload.ptr, f.payload.len)) MUST(!"a close in a frame");
        } else if (f.opcode == 2) {
            MUST(!at->b64);
            hears(at, false, f.payload.ptr, f.payload.len);
        }
    }
    if (at->ws.id && !wshub_io_fake_is_open(s.w.net, at->ws)) begin_anew(at);
}

static void look_at_upgrade(slot *at) {
    wshub_io_fake_frame f;
    while (at->up.id && wshub_io_fake_next(s.w.net, at->up, &f)) {
        if (f.opcode == 1 && wshub_str_eq_z(f.payload, "3probe")) {
            at->probed = true;
            continue;
        }
        MUST(f.opcode == 8); /* nothing else comes before the session has moved (2.6) */
        drop(&at->up);
    }
    if (at->up.id && !wshub_io_fake_is_open(s.w.net, at->up)) drop(&at->up);
    if (!at->up.id && at->mode == TRIES) {
        at->mode = POLLS;
        at->probed = false;
    }
}

static void look(void) {
    int i;
    for (i = 0; i < SLOTS; i++) {
        look_at_poll(&slots[i]);
        look_at_post(&slots[i]);
        if (slots[i].mode == HAS_SOCKET) look_at_socket(&slots[i]);
        if (slots[i].mode == TRIES) look_at_upgrade(&slots[i]);
    }
}

static wshub_conn ready(wshub_conn *conn) {
    if (conn->id && (!wshub_io_fake_is_open(s.w.net, *conn) || any_of(8) == 0)) drop(conn);
    if (!conn->id) *conn = wshub_io_fake_open(s.w.net);
    return *conn;
}
static void ask(slot *at, wshub_conn conn, const char *method, const char *query, const char *lines,
                const char *body) {
    memcpy(s.sid, at->sid, 21);
    talking = at;
    eio_ask(&s, conn, method, query, lines, body);
    talking = NULL;
}
#define QUERY "EIO=4&transport=polling&sid={sid}"
#define PLAIN "Content-Type: text/plain;charset=UTF-8\r\n"
#define MOVE "EIO=4&transport=websocket&sid={sid}"

static void client_opens(slot *at) {
    wshub_io_fake_frame f;
    eio_answer a;
    at->b64 = any_of(4) == 0;
    if (any_of(3)) {
        at->poll = wshub_io_fake_open(s.w.net);
        ask(at, at->poll, "GET",
            at->b64 ? "EIO=4&transport=polling&b64=1" : "EIO=4&transport=polling", "", NULL);
        a = eio_look(&s, at->poll);
        if (a.status == 200) {
            memcpy(at->sid, a.body.ptr + 9, 20);
            at->mode = POLLS;
        } else {
            MUST(a.status == 503);
        }
        eio_take(&s, at->poll, &a);
        return;
    }
    at->ws = wshub_io_fake_open(s.w.net);
    ask(at, at->ws, "GET",
        at->b64 ? "EIO=4&transport=websocket&b64=1" : "EIO=4&transport=websocket", EIO_UPGRADE,
        NULL);
    a = eio_look(&s, at->ws);
    MUST(a.status == 101 || a.status == 503);
    eio_take(&s, at->ws, &a);
    if (a.status == 101 && wshub_io_fake_next(s.w.net, at->ws, &f) && f.opcode == 1) {
        memcpy(at->sid, f.payload.ptr + 9, 20);
        at->mode = HAS_SOCKET;
    } else {
        drop(&at->ws);
    }
}

/* Says messages by whatever the session has; bytes: one of them, behind the text. */
static void client_says(slot *at, const char *text, const void *bytes, size_t count) {
    static char body[3000];
    char *p = body;
    if (at->mode == HAS_SOCKET) {
        (void)snprintf(body, sizeof body, "4%s", text);
        talking = at;
        wshub_io_fake_text(s.w.net, at->ws, body);
        if (bytes && at->mode == HAS_SOCKET && is_open(at))
            wshub_io_fake_send(s.w.net, at->ws, 2, true, bytes, count);
        talking = NULL;
        return;
    }
    if (at->post.id && !eio_look(&s, at->post).status && any_of(2)) drop(&at->post);
    p += snprintf(p, 2000, "%s4%s", at->pongs ? "3\x1E" : "", text);
    at->pongs = false;
    if (bytes) {
        *p++ = 0x1E;
        wshub_eio_binary_write(bytes, count, p);
        p[wshub_eio_binary_len(count)] = 0;
    }
    ask(at, ready(&at->post), "POST", QUERY, PLAIN, body);
}

static void client_connects(slot *at) {
    unsigned space = any_of(SPACES);
    char text[80];
    if (any_of(12) == 0) {
        client_says(at, "0/none,{\"a\":1}", NULL, 0);
        return;
    }
    if (any_of(20) && ((at->wants | at->joined) & 1u << space)) return;
    at->wants |= 1u << space;
    (void)snprintf(text, sizeof text, "0%s%s%s", space ? names[space] : "", space ? "," : "",
                   any_of(2) ? "{\"token\":1}" : "");
    client_says(at, text, NULL, 0);
}

static void client_emits(slot *at) {
    static uint8_t bytes[64];
    unsigned space = any_of(SPACES), id = any_of(3) ? 0 : 1 + any_of(500);
    char text[160], digits[16] = "";
    bool binary = any_of(4) == 0;
    if (!(at->joined & 1u << space) && any_of(30)) return;
    if (id) (void)snprintf(digits, sizeof digits, "%u", id);
    at->sent++;
    if (!(at->joined & 1u << space) || space == 4) at->gap = true;
    (void)snprintf(text, sizeof text, "%s%s%s%s[\"e\",%u,%u%s]", binary ? "51-" : "2",
                   space ? names[space] : "", space ? "," : "", digits, at->sent, id,
                   binary ? ",{\"_placeholder\":true,\"num\":0}" : "");
    client_says(at, text, binary ? bytes : NULL, at->sent % 50);
}

static void client_answers(slot *at) {
    char text[80];
    unsigned k;
    if (!at->asked_count || !at->sid[0]) return;
    k = --at->asked_count;
    if (!(at->joined & 1u << at->asked_space[k])) return;
    (void)snprintf(text, sizeof text, "3%s%s%u[%u]",
                   at->asked_space[k] ? names[at->asked_space[k]] : "",
                   at->asked_space[k] ? "," : "", at->asked[k] + (any_of(8) ? 0 : 7), k);
    client_says(at, text, NULL, 0);
}

static void client_polls(slot *at) {
    if (at->held || at->mode == HAS_SOCKET) return;
    if (at->mode == TRIES && at->probed && any_of(6)) return; /* it waits for its poll to return */
    at->held = true;
    ask(at, ready(&at->poll), "GET", QUERY, "", NULL);
}

static void client_upgrades(slot *at) {
    eio_answer a;
    if (at->mode == POLLS) {
        at->up = wshub_io_fake_open(s.w.net);
        ask(at, at->up, "GET", MOVE, EIO_UPGRADE, NULL);
        a = eio_look(&s, at->up);
        if (a.status == 101) {
            eio_take(&s, at->up, &a);
            at->mode = TRIES;
            at->probed = false;
        } else {
            MUST(!is_open(at));
            drop(&at->up);
        }
        return;
    }
    if (at->mode != TRIES) return;
    talking = at;
    if (any_of(30) == 0) {
        wshub_io_fake_text(s.w.net, at->up, any_of(2) ? "4x" : "2");
    } else if (!at->probed && any_of(10)) {
        wshub_io_fake_text(s.w.net, at->up, "2probe");
    } else if (!at->held || any_of(10) == 0) {
        wshub_io_fake_text(s.w.net, at->up, "5");
        look_at_poll(at);
        if (at->mode == TRIES && is_open(at) &&
            wshub_eio__sid_find(wshub_sio_engine(sio), at->sid, 20)->state == WSHUB_EIO__SOCKET) {
            at->ws = at->up;
            at->up.id = 0;
            at->mode = HAS_SOCKET;
        }
    }
    talking = NULL;
}

/* What no client should do. Its session may end by it, and nothing else happens. */
static void client_misbehaves(slot *at) {
    static const char *const wrong[] = {
        "",        "9",   "2[\"connect\"]", "2[1",        "5-[\"a\"]", "51-[\"a\"]", "3",
        "1/none,", "4{}", "3/n1,5[]",       "2/none,[1]", "222",       "0[]",        "xyz"};
    static const char *const packets[] = {"1", "2", "3", "5", "6", "0", "7", "", "b????", "4"};
    char text[600];
    wshub_conn c;
    size_t n, cut;
    at->gap = true;
    switch (any_of(9)) {
    case 0: client_says(at, wrong[any_of(14)], NULL, 0); break;
    case 1:
        if (at->mode == HAS_SOCKET) {
            wshub_io_fake_text(s.w.net, at->ws, packets[any_of(10)]);
        } else {
            ask(at, ready(&at->post), "POST", QUERY, PLAIN, packets[any_of(10)]);
        }
        break;
    case 2: /* two polls at a time */
        if (!at->held) break;
        c = wshub_io_fake_open(s.w.net);
        ask(at, c, "GET", QUERY, "", NULL);
        drop(&c);
        break;
    case 3: /* a post, or a request for a WebSocket, that is cut */
        n = (size_t)snprintf(text, sizeof text,
                             any_of(2) ? "POST /socket.io/?EIO=4&transport=polling&sid=%s "
                                         "HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n41\x1E"
                                         "40/n1,\x1E"
                                         "42"
                                       : "GET /socket.io/?EIO=4&transport=websocket&sid=%s "
                                         "HTTP/1.1\r\nHost: h\r\n" EIO_UPGRADE "\r\n",
                             at->sid);
        cut = any_of((uint32_t)n + 1);
        c = wshub_io_fake_open(s.w.net);
        talking = at;
        wshub_io_fake_input(s.w.net, c, text, cut);
        talking = NULL;
        drop(&c);
        break;
    case 4: /* a frame that is cut */
        if (at->mode != HAS_SOCKET && at->mode != TRIES) break;
        c = at->mode == TRIES ? at->up : at->ws;
        wshub_io_fake_input(s.w.net, c,
                            "\x81\x83\0\0\0\0"
                            "420",
                            any_of(9));
        wshub_io_fake_end(s.w.net, c);
        break;
    case 5: /* an id that is nobody's, or somebody else's of yore */
        c = wshub_io_fake_open(s.w.net);
        memcpy(text, at->sid, 21);
        text[any_of(20)] ^= 1;
        memcpy(s.sid, text, 21);
        eio_ask(&s, c, any_of(2) ? "GET" : "POST", QUERY, "", "4x");
        drop(&c);
        break;
    case 6: /* a second WebSocket */
        c = wshub_io_fake_open(s.w.net);
        ask(at, c, "GET", MOVE, EIO_UPGRADE, NULL);
        if (at->mode != HAS_SOCKET && any_of(2)) wshub_io_fake_text(s.w.net, c, "5");
        drop(&c);
        break;
    case 7: drop(any_of(2) ? &at->poll : &at->post); break;
    default:
        if (any_of(2)) {
            drop(&at->ws);
            if (at->mode == HAS_SOCKET) begin_anew(at);
        } else {
            begin_anew(at); /* it is gone, and polls no more */
        }
    }
    if (at->held && !at->poll.id) at->held = false;
}

static void client_steps(slot *at) {
    if (at->mode == NOTHING) {
        begin_anew(at);
        client_opens(at);
        return;
    }
    if (at->mode == HAS_SOCKET && at->pongs) {
        at->pongs = false;
        wshub_io_fake_text(s.w.net, at->ws, "3");
        return;
    }
    switch (any_of(12)) {
    case 0:
    case 1: client_connects(at); break;
    case 2:
    case 3: client_emits(at); break;
    case 4: client_answers(at); break;
    case 5:
    case 6: client_upgrades(at); break;
    case 7:
        if (any_of(8) == 0) client_misbehaves(at);
        break;
    case 8:
        if (any_of(4) == 0 && at->joined) {
            unsigned space = any_of(SPACES);
            char text[40];
            if (!(at->joined & 1u << space)) break;
            at->joined &= ~(1u << space);
            (void)snprintf(text, sizeof text, "1%s%s", space ? names[space] : "", space ? "," : "");
            client_says(at, text, NULL, 0);
        }
        break;
    default: client_polls(at); break;
    }
}

/* ---- a run ---- */

static void begin(void) {
    static const wshub_sio_flow flow = {.auth_timeout_ms = 3000, .ping_interval_ms = 700};
    wshub_sio_desc d;
    wshub_io_fake_desc fd = io_kind((int)any_of(IO_KINDS));
    unsigned i;
    memset(&s, 0, sizeof s);
    memset(&d, 0, sizeof d);
    memset(pending, 0, sizeof pending);
    memset(acks, 0, sizeof acks);
    memset(auths, 0, sizeof auths);
    sockets_count = 0;
    asks_count = said = 0;
    down = false;
    fd.take_bytes = any_of(3) ? 0 : 1 + any_of(40);
    world_start(&s.w, DESC(.on_authenticate = on_authenticate), fd);
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    d.engine.ping_interval_ms = 400 + any_of(3000);
    d.engine.ping_timeout_ms = 300 + any_of(3000);
    d.engine.upgrade_timeout_ms = 200 + any_of(2000);
    d.engine.session_bytes_max = any_of(3) ? 0 : 600;
    d.engine.sessions_max = any_of(6) ? 0 : 4;
    d.connect_timeout_ms = 500 + any_of(4000);
    d.attachments_timeout_ms = 200;
    d.acks_per_socket_max = any_of(3) ? 0 : 2;
    d.on_session_closed = on_session_closed;
    MUST(wshub_sio_create(s.w.hub, &d, &sio) == WSHUB_OK);
    for (i = 0; i < SPACES; i++) {
        wshub_sio_namespace_desc space = {.on_connected = on_connected,
                                          .on_packet = on_packet,
                                          .on_event = on_event,
                                          .on_disconnecting = on_disconnecting,
                                          .on_disconnected = on_disconnected,
                                          .on_error = on_error};
        space.name = names[i];
        if (i == 1) space.on_connect = on_connect;
        if (i == 2) space.matches = on_matches;
        if (i == 3) continue;
        if (i == 4) space.flow = &flow;
        MUST(wshub_sio_namespace_add(sio, &space, NULL) == WSHUB_OK);
    }
}

/* All that is open polls until nothing waits; then it has heard all that was due. */
static void drain(void) {
    int i, n;
    for (i = 0; i < SLOTS; i++) {
        slot *at = &slots[i];
        drop(&at->up);
        look();
        for (n = 0; n < 4 && (at->mode == POLLS || at->mode == TRIES) && !at->held; n++) {
            client_polls(at);
            look();
        }
        if (at->mode == NOTHING || !is_open(at) || at->heard == at->due_count) continue;
        (void)printf("  seed %u: client %d (%d, %s) has yet to hear %s\n", (unsigned)seed, i,
                     (int)at->mode, at->held ? "held" : "not held", at->due[at->heard].bytes);
        MUST(at->heard == at->due_count);
    }
}

static void end(void) {
    wshub *hub = s.w.hub;
    wshub_eio_stats f;
    wshub_sio_stats st;
    unsigned i;
    depth = 9; /* nothing more is done */
    if (any_of(2)) (void)wshub_shutdown(s.w.hub);
    for (i = 0; i < SLOTS; i++) begin_anew(&slots[i]);
    wshub_io_fake_advance(s.w.net, 60000);
    wshub_eio_stats_get(wshub_sio_engine(sio), &f);
    wshub_sio_stats_get(sio, &st);
    MUST(f.sessions == 0 && f.polling == 0 && st.sockets == 0 && st.acks_pending == 0);
    MUST(wshub_sio_engine(sio)->held == 0);
    for (i = 0; i < (unsigned)sockets_count; i++) MUST(!sockets[i].there);
    for (i = 0; i < asks_count; i++) MUST(asks_open[i] == 2);
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
    depth = 0;
}

static uint64_t moved, told_in_all, opened;
static void run(uint32_t from) {
    wshub_eio_stats f;
    int step;
    seed = from;
    any_seed = from * 2654435761u + 1;
    (void)any_of(2), (void)any_of(2);
    begin();
    for (step = 0; step < STEPS; step++) {
        if (any_of(5) == 0) {
            act();
            wshub_io_fake_run(s.w.net);
        } else if (any_of(6) == 0) {
            wshub_io_fake_advance(s.w.net, any_of(6) ? any_of(120) : any_of(2500));
        } else {
            client_steps(&slots[any_of(SLOTS)]);
        }
        look();
        if (step % 100 == 99) drain();
    }
    wshub_eio_stats_get(wshub_sio_engine(sio), &f);
    moved += f.upgraded;
    opened += f.opened;
    told_in_all += said;
    end();
}

TEST(
    sessions_hear_what_a_model_says_whatever_they_and_the_application_do) { /* 2.4, 2.6, 3.2, 3.3 */
    const char *many = getenv("WSHUB_SIO_SEEDS"), *one = getenv("WSHUB_SIO_SEED");
    uint32_t first = one ? (uint32_t)atol(one) : 1,
             count = many ? (uint32_t)atol(many) : 300 / test_stride(3), i;
    if (one && !many) count = 1;
    for (i = 0; i < count; i++) run(first + i);
    (void)printf("  %u seeds: %llu sessions, %llu moved, %llu things said\n", (unsigned)count,
                 (unsigned long long)opened, (unsigned long long)moved,
                 (unsigned long long)told_in_all);
    EXPECT(one || (opened > 500 && moved > 100 && told_in_all > 2000));
}
