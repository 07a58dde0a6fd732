/* For the tests of kinds of wire: kinds that write what can be read at a glance, clients that are
 * written to by them at streams of their own, and others at a lent session, which has none. */
#ifndef KINDS_SITE_H
#define KINDS_SITE_H

#include "hubtest.h"

/* How a kind of these tests writes: a text frame `name:event(arg,arg)` and behind it what else the
 * packet has. */
typedef struct wire {
    const char *name;
    wshub_err says;  /* what its function returns when it has written */
    bool silent;     /* it writes nothing */
    bool in_pieces;  /* it asks for room piece by piece */
    size_t pad;      /* bytes more, so that messages get long */
    unsigned calls;  /* messages that were written */
    wshub_realm at;  /* where the last of them was sent */
    wshub_kind kind; /* as it was added */
} wire;

UNUSED static size_t put(char *text, size_t at, wshub_str s) {
    if (s.len) memcpy(text + at, s.ptr, s.len);
    return at + s.len;
}

UNUSED static size_t wire_text(const wire *to, const wshub_packet *packet, char *text) {
    size_t at = put(text, 0, S(to->name)), i;
    at = put(text, at, S(":"));
    at = put(text, at, packet->event.ptr ? packet->event : S("bytes"));
    at = put(text, at, S("("));
    for (i = 0; i < packet->args_count; i++) {
        if (i) at = put(text, at, S(","));
        at = put(text, at, packet->args[i]);
    }
    at = put(text, at, S(")"));
    for (i = 0; i < packet->attachments_count; i++) {
        at = put(text, at, S("+"));
        at = put(text, at, wshub__str(packet->attachments[i].ptr, packet->attachments[i].len));
    }
    if (packet->id.ptr) {
        at = put(text, at, S("#"));
        at = put(text, at, packet->id);
    }
    if (packet->ask.ptr) {
        at = put(text, at, S("?"));
        at = put(text, at, packet->ask);
    }
    if (packet->flags & WSHUB_PACKET_VOLATILE) at = put(text, at, S("~"));
    if (packet->flags & WSHUB_PACKET_NO_COMPRESS) at = put(text, at, S("!"));
    memset(text + at, '.', to->pad);
    return at + to->pad;
}

/* An event named `odd` is what no kind but the first can say. */
UNUSED static wshub_err wire_encode(wshub *hub, wshub_kind kind, wshub_realm realm,
                                    const wshub_packet *packet, wshub_writer *out, void *user) {
    static char text[1 << 20];
    wire *to = (wire *)user;
    uint8_t head[14], *at;
    size_t n, head_bytes, step, done;
    wshub_frame frame;
    (void)hub;
    EXPECT_INT(kind, to->kind);
    to->at = realm;
    to->calls++;
    if (packet->event.ptr && wshub_str_eq_z(packet->event, "odd")) return WSHUB_ERR_PARAM;
    if (to->silent) return to->says;
    n = wire_text(to, packet, text);
    memset(&frame, 0, sizeof frame);
    frame.fin = true;
    frame.opcode = 1;
    frame.payload_bytes = n;
    head_bytes = wshub_frame_write(&frame, head);

    at = wshub_writer_room(out, to->in_pieces ? head_bytes + 5 : head_bytes + n);
    if (!at) return WSHUB_ERR_NOMEM;
    memcpy(at, head, head_bytes);
    wshub_writer_commit(out, head_bytes);
    step = to->in_pieces ? 40000 : n;
    for (done = 0; done < n; done += step) {
        if (step > n - done) step = n - done;
        at = wshub_writer_room(out, step);
        if (!at) return WSHUB_ERR_NOMEM;
        memcpy(at, text + done, step);
        wshub_writer_commit(out, step);
    }
    return to->says;
}

UNUSED static void wire_add(world *w, wire *to, const char *name) {
    wshub_kind_desc desc;
    memset(to, 0, sizeof *to);
    memset(&desc, 0, sizeof desc);
    to->name = name;
    desc.encode = wire_encode;
    desc.name = name;
    desc.user = to;
    EXPECT_INT(wshub_kind_add(w->hub, &desc, &to->kind), WSHUB_OK);
    EXPECT_OP(to->kind, >, 0);
}

/* A client at a WebSocket of its own, which is written to in a kind's way; `connected` came before
 * that. */
typedef struct peer {
    wshub_conn conn;
    wshub_client client;
    char id[37];
} peer;

UNUSED static peer peer_of(world *w, const char *user, const wire *kind) {
    peer p;
    p.conn = world_client(w, user, p.id);
    p.client = world_handle(w, p.id);
    if (kind) EXPECT_INT(wshub_client_set_kind(w->hub, p.client, kind->kind), WSHUB_OK);
    return p;
}

UNUSED static wshub_err room_send(world *w, const char *room, const char *event, const char *data) {
    wshub_msg m = msg(event, data);
    return wshub_room_send_here(w->hub, S(room), &m, NULL, 0);
}

UNUSED static void packet_init(wshub_packet *packet, const char *event, const wshub_str *args,
                               size_t count) {
    memset(packet, 0, sizeof *packet);
    packet->event = S(event);
    packet->args = args;
    packet->args_count = count;
}
/* ---- a lent session: an out-queue without a stream ---- */

UNUSED static wshub_err lodger_accepted(wshub *hub, wshub_client client,
                                        const wshub_acceptance *what, void *user) {
    wshub_msg m = msg("hello", NULL);
    (void)what;
    (void)user;
    return wshub_client_welcome(hub, client, &m);
}
UNUSED static void lodger_owed(wshub *hub, wshub_session session, size_t bytes, void *user) {
    (void)hub;
    (void)session;
    (void)bytes;
    (void)user;
}

UNUSED static wshub_session lend(world *w, void *owner) {
    wshub_dialect table =
        DIALECT(.name = "lends", .accepted = lodger_accepted, .owed = lodger_owed);
    wshub_session session = {0};
    uint32_t dialect = 0;
    EXPECT_INT(wshub_dialect_add(w->hub, &table, NULL, &dialect), WSHUB_OK);
    EXPECT_INT(wshub_session_lend(w->hub, dialect, owner, &session), WSHUB_OK);
    return session;
}

/* A client of a lent session, accepted; what it was told then is taken. */
UNUSED static wshub_client lodger(world *w, wshub_session session, const char *id,
                                  const wire *kind) {
    wshub_client_desc desc;
    wshub_client client = {0};
    wshub_span span;
    memset(&desc, 0, sizeof desc);
    desc.dialect = 1;
    desc.id = S(id);
    if (kind) desc.kind = kind->kind;
    EXPECT_INT(wshub_client_add(w->hub, session, &desc, &client), WSHUB_OK);
    EXPECT_INT(wshub_client_authenticate(w->hub, client, nul()), WSHUB_OK);
    wshub_io_fake_run(w->net);
    EXPECT_INT(wshub_session_spans(w->hub, session, &span, 1), 1);
    EXPECT_INT(wshub_session_taken(w->hub, session, span.len), WSHUB_OK);
    return client;
}
#endif /* KINDS_SITE_H */
