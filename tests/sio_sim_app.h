/* For tests/test_sio_sim.c: an application that sends, asks, answers, refuses, disconnects and shuts
 * down as chance has it, also inside its callbacks, and tells the model of it. */
#ifndef SIO_SIM_APP_H
#define SIO_SIM_APP_H
#include "sio_sim_ours.h"

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
        due_number(&sockets[i], text);
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
    if (err) return;
    due_packet(socket->at, "2", socket->space, "%s[\"one\",%s]", digits, text);
    due_number(socket, text);
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
    MUST(id.len < sizeof socket->id);
    memcpy(socket->id, id.ptr, id.len);
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
    if (!socket->at) {
        if (wshub_str_eq_z(e->name, "e")) ours_said(socket, number, e->ack);
        maybe_act();
        return;
    }
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
    wshub_identity who;
    (void)auth, (void)user;
    memset(&who, 0, sizeof who);
    if (ours.settles)
        (void)wshub_auth_accept(hub, ask, &who);
    else
        auths[any_of(4)].ask = ask;
    maybe_act();
}
static void on_session_closed(wshub_sio *of, wshub_eio_reason reason, void *user) {
    (void)of, (void)user;
    MUST(reason != 0);
    maybe_act();
}
#endif /* SIO_SIM_APP_H */
