/* Further kinds of wire (>>api-dialect): what is written for whom, how often, in which order,
 * within which limits; packets, which say more than an event; and destinations of several rooms.
 * Half of it looks at clients of several kinds in one room, whose sends are gathered kind by
 * kind. */
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

static size_t put(char *text, size_t at, wshub_str s) {
    if (s.len) memcpy(text + at, s.ptr, s.len);
    return at + s.len;
}

static size_t wire_text(const wire *to, const wshub_packet *packet, char *text) {
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
static wshub_err wire_encode(wshub *hub, wshub_kind kind, wshub_realm realm,
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

static void wire_add(world *w, wire *to, const char *name) {
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

static peer peer_of(world *w, const char *user, const wire *kind) {
    peer p;
    p.conn = world_client(w, user, p.id);
    p.client = world_handle(w, p.id);
    if (kind) EXPECT_INT(wshub_client_set_kind(w->hub, p.client, kind->kind), WSHUB_OK);
    return p;
}

static wshub_err room_send(world *w, const char *room, const char *event, const char *data) {
    wshub_msg m = msg(event, data);
    return wshub_room_send_here(w->hub, S(room), &m, NULL, 0);
}

static void packet_init(wshub_packet *packet, const char *event, const wshub_str *args,
                        size_t count) {
    memset(packet, 0, sizeof *packet);
    packet->event = S(event);
    packet->args = args;
    packet->args_count = count;
}

/* ---- what is written ---- */

TEST(a_message_is_written_once_for_each_kind_that_has_a_receiver) { /* SEND-1, SEND-5 */
    world w;
    wire a, b, c;
    peer plain[2], as[2], bs[1];
    wshub_msg m = msg("one", "1"), bare = msg("none", NULL);
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    wire_add(&w, &b, "b");
    wire_add(&w, &c, "c");
    for (i = 0; i < 2; i++) plain[i] = peer_of(&w, "u", NULL);
    for (i = 0; i < 2; i++) as[i] = peer_of(&w, "u", &a);
    bs[0] = peer_of(&w, "v", &b);
    EXPECT_INT(wshub_client_kind(w.hub, as[0].client), a.kind);
    EXPECT_INT(wshub_client_kind(w.hub, plain[0].client), 0);

    /* The first is written at once, those behind it are gathered kind by kind. */
    for (i = 0; i < 3; i++) EXPECT_INT(room_send(&w, "ws-default", "one", "1"), WSHUB_OK);
    EXPECT_INT(wshub_all_send_here(w.hub, &bare, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_user_send_here(w.hub, S("u"), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, bs[0].client, &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send_binary(w.hub, as[0].client, (const uint8_t *)"xyz", 3), WSHUB_OK);
    EXPECT_INT(a.calls, 6);
    EXPECT_INT(b.calls, 5);
    EXPECT_INT(c.calls, 0);
    EXPECT_INT(stats(&w).messages_out, 5 + 4 * 5 + 4 + 1 + 1);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 2; i++) {
        int k;
        for (k = 0; k < 3; k++) EXPECT_TEXT(&w, plain[i].conn, "{\"event\":\"one\",\"data\":1}");
        for (k = 0; k < 3; k++) EXPECT_TEXT(&w, as[i].conn, "a:one(1)");
        EXPECT_TEXT(&w, plain[i].conn, "{\"event\":\"none\"}");
        EXPECT_TEXT(&w, as[i].conn, "a:none()");
        EXPECT_TEXT(&w, plain[i].conn, "{\"event\":\"one\",\"data\":1}");
        EXPECT_TEXT(&w, as[i].conn, "a:one(1)");
        if (i == 0) EXPECT_TEXT(&w, as[i].conn, "a:bytes()+xyz");
        EXPECT_SILENCE(&w, plain[i].conn);
        EXPECT_SILENCE(&w, as[i].conn);
    }
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, bs[0].conn, "b:one(1)");
    EXPECT_TEXTS(&w, bs[0].conn, "b:none()", "b:one(1)");

    /* Once a second what nobody needs is given back, a kind's log that is still owed is not. */
    EXPECT(w.hub->kinds[a.kind].log && w.hub->kinds[b.kind].log);
    wshub_io_fake_window(w.net, bs[0].conn, 0);
    EXPECT_INT(wshub_client_send(w.hub, bs[0].client, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 2500);
    EXPECT(!w.hub->kinds[a.kind].log && w.hub->kinds[b.kind].log);
    EXPECT_INT(room_send(&w, "ws-default", "two", "2"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, as[1].conn, "a:two(2)");
    world_stop(&w);
}

TEST(kinds_are_refused_where_they_are_half_said_and_beyond_the_most) { /* >>api-dialect */
    static wire all[WSHUB_KINDS_MAX];
    world w;
    peer peers[WSHUB_KINDS_MAX];
    wshub_kind_desc desc;
    wshub_kind kind = 77;
    int i, k;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    memset(&desc, 0, sizeof desc);
    EXPECT_INT(wshub_kind_add(w.hub, NULL, &kind), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_ERR_PARAM);
    desc.encode = wire_encode;
    EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_ERR_PARAM);
    desc.name = "x";
    EXPECT_INT(wshub_kind_add(w.hub, &desc, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(kind, 77);
    for (i = 1; i < WSHUB_KINDS_MAX; i++) wire_add(&w, &all[i], "k");
    EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_ERR_LIMIT);
    EXPECT_INT(all[WSHUB_KINDS_MAX - 1].kind, WSHUB_KINDS_MAX - 1);

    /* One client of each of them in a room. */
    for (i = 0; i < WSHUB_KINDS_MAX; i++) peers[i] = peer_of(&w, NULL, i ? &all[i] : NULL);
    EXPECT_INT(wshub_client_set_kind(w.hub, peers[0].client, WSHUB_KINDS_MAX), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_kind(w.hub, peers[0].client), 0);
    for (k = 0; k < 4; k++) EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < WSHUB_KINDS_MAX; i++) {
        if (i) EXPECT_INT(all[i].calls, 4);
        for (k = 0; k < 4; k++)
            EXPECT_TEXT(&w, peers[i].conn, i ? "k:m(1)" : "{\"event\":\"m\",\"data\":1}");
        EXPECT_SILENCE(&w, peers[i].conn);
    }

    /* Who is gone has no kind, and takes none. */
    wshub_io_fake_end(w.net, peers[3].conn);
    EXPECT_INT(wshub_client_set_kind(w.hub, peers[3].client, 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_kind(w.hub, peers[3].client), 0);
    EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
    EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
    EXPECT_INT(all[3].calls, 4);
    world_stop(&w);
}

TEST(what_is_queued_stays_as_it_was_written_when_a_client_changes_its_kind) { /* SEND-5 */
    world w;
    wire a, b;
    peer p, q;
    wshub_msg m = msg("m", "2");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    wire_add(&w, &b, "b");
    p = peer_of(&w, NULL, &a);
    q = peer_of(&w, NULL, &a);
    EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
    EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK); /* is gathered */
    EXPECT(w.hub->gathered);
    EXPECT_INT(wshub_client_set_kind(w.hub, p.client, b.kind), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, p.client, &m), WSHUB_OK);
    EXPECT_INT(room_send(&w, "ws-default", "m", "3"), WSHUB_OK);
    EXPECT_INT(wshub_client_set_kind(w.hub, p.client, 0), WSHUB_OK);
    EXPECT_INT(room_send(&w, "ws-default", "m", "4"), WSHUB_OK);
    EXPECT_INT(room_send(&w, "ws-default", "m", "5"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, p.conn, "a:m(1)", "a:m(1)", "b:m(2)", "b:m(3)", "{\"event\":\"m\",\"data\":4}",
                 "{\"event\":\"m\",\"data\":5}");
    EXPECT_TEXTS(&w, q.conn, "a:m(1)", "a:m(1)", "a:m(3)", "a:m(4)", "a:m(5)");
    world_stop(&w);
}

/* ---- what cannot be written ---- */

TEST(what_a_kind_cannot_say_is_counted_for_each_of_its_clients) { /* SEND-1 */
    world w;
    wire a, b;
    peer plain, as[2], one;
    wshub_msg odd = msg("odd", "1");
    uint64_t before;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    wire_add(&w, &b, "b");
    plain = peer_of(&w, "u", NULL);
    for (i = 0; i < 2; i++) as[i] = peer_of(&w, "u", &a);
    one = peer_of(&w, "u", &b);

    /* To one of them it is the sender's error, to a room it is none. */
    EXPECT_INT(wshub_client_send(w.hub, as[0].client, &odd), WSHUB_ERR_PARAM);
    EXPECT_INT(stats(&w).unsayable, 1);
    EXPECT_INT(wshub_user_send_here(w.hub, S("u"), &odd), WSHUB_OK);
    EXPECT_INT(stats(&w).unsayable, 4);

    /* However often it is said, and whatever is said in between: gathered or not. */
    for (i = 0; i < 4; i++) EXPECT_INT(room_send(&w, "ws-default", "odd", "2"), WSHUB_OK);
    EXPECT_INT(stats(&w).unsayable, 4 + 4 * 3);
    for (i = 0; i < 3; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "3"), WSHUB_OK);
    for (i = 0; i < 2; i++) EXPECT_INT(room_send(&w, "ws-default", "odd", "4"), WSHUB_OK);
    EXPECT_INT(room_send(&w, "ws-default", "m", "5"), WSHUB_OK);
    EXPECT_INT(stats(&w).unsayable, 4 + 4 * 3 + 2 * 3);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, plain.conn, "{\"event\":\"odd\",\"data\":1}");
    for (i = 0; i < 4; i++) EXPECT_TEXT(&w, plain.conn, "{\"event\":\"odd\",\"data\":2}");
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, plain.conn, "{\"event\":\"m\",\"data\":3}");
    for (i = 0; i < 2; i++) EXPECT_TEXT(&w, plain.conn, "{\"event\":\"odd\",\"data\":4}");
    EXPECT_TEXT(&w, plain.conn, "{\"event\":\"m\",\"data\":5}");
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, as[0].conn, "a:m(3)");
    EXPECT_TEXT(&w, as[0].conn, "a:m(5)");
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, one.conn, "b:m(3)");
    EXPECT_TEXT(&w, one.conn, "b:m(5)");
    EXPECT_SILENCE(&w, as[0].conn);
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, as[1].conn, "a:m(3)");
    EXPECT_TEXT(&w, as[1].conn, "a:m(5)");

    /* Where nobody else is there, too. */
    wshub_io_fake_end(w.net, plain.conn);
    before = stats(&w).unsayable;
    for (i = 0; i < 3; i++) EXPECT_INT(room_send(&w, "ws-default", "odd", "6"), WSHUB_OK);
    EXPECT_INT(stats(&w).unsayable, before + 3 * 3);
    EXPECT_SILENCE(&w, as[1].conn);
    world_stop(&w);
}

TEST(an_encode_function_that_fails_loses_that_message_for_its_kind_alone) { /* SEND-1 */
    world w;
    wire a;
    peer plain, as;
    wshub_msg m = msg("m", "1");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    plain = peer_of(&w, NULL, NULL);
    as = peer_of(&w, NULL, &a);
    a.says = WSHUB_ERR_NOMEM; /* what it has written is not sent */
    EXPECT_INT(wshub_client_send(w.hub, as.client, &m), WSHUB_ERR_NOMEM);
    a.pad = 100000; /* a segment of its own */
    EXPECT_INT(wshub_client_send(w.hub, as.client, &m), WSHUB_ERR_NOMEM);
    a.pad = 0;
    a.silent = true;
    EXPECT_INT(wshub_client_send(w.hub, as.client, &m), WSHUB_ERR_NOMEM);
    a.says = WSHUB_OK; /* it says that it has written, and has not */
    EXPECT_INT(wshub_client_send(w.hub, as.client, &m), WSHUB_ERR_APP);
    for (i = 0; i < 3; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
    EXPECT_INT(stats(&w).unsayable, 0);
    a.silent = false;
    for (i = 0; i < 3; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "2"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, plain.conn, "{\"event\":\"m\",\"data\":1}");
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, plain.conn, "{\"event\":\"m\",\"data\":2}");
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, as.conn, "a:m(2)");
    EXPECT_SILENCE(&w, as.conn);

    /* NOMEM is said where nobody got it. */
    a.says = WSHUB_ERR_NOMEM;
    EXPECT_INT(room_send(&w, "ws-default", "m", "3"), WSHUB_OK);
    EXPECT_INT(room_send(&w, as.id, "m", "3"), WSHUB_ERR_NOMEM);
    wshub_io_fake_end(w.net, plain.conn);
    EXPECT_INT(room_send(&w, "ws-default", "m", "3"), WSHUB_ERR_NOMEM);
    EXPECT_INT(room_send(&w, "ws-default", "m", "3"), WSHUB_ERR_NOMEM);
    world_stop(&w);
}

TEST(what_is_written_piece_by_piece_stays_one_piece) { /* SEND-5 */
    static const size_t pads[] = {0, 30000, 50000, 65000, 70000, 200000};
    int failed = 0;
    size_t k;
    for (k = 0; k < sizeof pads / sizeof pads[0]; k++) {
        long n;
        for (n = 0; n < 12; n++) { /* n: which allocation fails */
            world w;
            wire a;
            peer p;
            wshub_msg m = msg("m", "1");
            wshub_io_fake_frame f;
            wshub_err err;
            world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
            wire_add(&w, &a, "a");
            p = peer_of(&w, NULL, &a);
            a.in_pieces = true;
            EXPECT_INT(wshub_client_send(w.hub, p.client, &m), WSHUB_OK); /* begins the log */
            a.pad = pads[k];
            w.fail_at = n;
            err = wshub_client_send(w.hub, p.client, &m);
            w.fail_at = 0;
            EXPECT(err == WSHUB_OK || (n && err == WSHUB_ERR_NOMEM));
            failed += err != WSHUB_OK;
            wshub_io_fake_run(w.net);
            EXPECT_TEXT(&w, p.conn, "a:m(1)");
            if (!err) {
                EXPECT(wshub_io_fake_next(w.net, p.conn, &f));
                EXPECT_INT(f.payload.len, 6 + pads[k]);
                EXPECT(memcmp(f.payload.ptr, "a:m(1)", 6) == 0);
                EXPECT(!pads[k] || f.payload.ptr[5 + pads[k]] == '.');
            }
            EXPECT_SILENCE(&w, p.conn);
            world_stop(&w);
        }
    }
    EXPECT_OP(failed, >=, 5); /* each that needs another segment, at least */
}

static wshub_err wire_greedy(wshub *hub, wshub_kind kind, wshub_realm realm,
                             const wshub_packet *packet, wshub_writer *out, void *user) {
    (void)hub;
    (void)realm;
    (void)kind;
    (void)packet;
    (void)user;
    EXPECT(!wshub_writer_room(out, SIZE_MAX) && !wshub_writer_frame(out, true, SIZE_MAX));
    EXPECT(!wshub_writer_room(out, 0x7FFFFFFF)); /* as long as a queue may be, no segment is */
    return wshub_writer_room(out, 0x80000000u) ? WSHUB_OK : WSHUB_ERR_NOMEM;
}

TEST(nobody_gets_room_for_more_than_a_queue_holds) { /* SEND-6 */
    world w;
    wshub_kind_desc desc;
    wshub_kind kind;
    wshub_msg m = msg("m", "1");
    char id[37];
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    memset(&desc, 0, sizeof desc);
    desc.encode = wire_greedy;
    desc.name = "greedy";
    EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_OK);
    (void)world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, id), kind), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_NOMEM);
    world_stop(&w);
}

TEST(every_allocation_of_sends_to_several_kinds_may_fail) { /* SEND-5, >>errors */
    long n;
    int failed = 0;
    for (n = 1; n < 60; n++) {
        world w;
        wire a, b;
        peer p, q, r;
        int i;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        wire_add(&w, &a, "a");
        wire_add(&w, &b, "b");
        p = peer_of(&w, NULL, NULL);
        q = peer_of(&w, NULL, &a);
        r = peer_of(&w, NULL, &b);
        a.pad = 30000;
        wshub_io_fake_window(w.net, r.conn, 3);
        w.fail_at = n;
        for (i = 0; i < 5; i++) (void)room_send(&w, "ws-default", "m", "1");
        wshub_io_fake_run(w.net);
        for (i = 0; i < 3; i++) (void)room_send(&w, "ws-default", "m", "2");
        failed += w.fail_at == 0;
        w.fail_at = 0;
        wshub_io_fake_run(w.net);
        wshub_io_fake_window(w.net, r.conn, UINT64_MAX);

        /* Whatever was lost, what follows comes whole. */
        a.pad = 0;
        for (i = 0; i < 2; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "3"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        {
            wshub_io_fake_frame f;
            int k = 0;
            while (wshub_io_fake_next(w.net, p.conn, &f)) k++;
            EXPECT_OP(k, >=, 2);
            for (k = 0; wshub_io_fake_next(w.net, q.conn, &f); k++)
                EXPECT(memcmp(f.payload.ptr, "a:m(", 4) == 0);
            EXPECT_OP(k, >=, 2);
            for (k = 0; wshub_io_fake_next(w.net, r.conn, &f); k++)
                EXPECT(memcmp(f.payload.ptr, "b:m(", 4) == 0);
            EXPECT_OP(k, >=, 2);
        }
        world_stop(&w);
    }
    EXPECT_OP(failed, >, 5);
}

/* ---- gathered sends ---- */

/* Two hubs are told the same; the second is looked at behind every word, which ends what it has
 * gathered. What each client gets, byte by byte, and what is counted is the same. */
enum { TWINS = 10, WIRES = 4 };
typedef struct twin {
    world w;
    wire wires[WIRES];
    peer peers[TWINS];
    wshub_session lent; /* of the last of them: an out-queue without a stream */
} twin;

static wshub_err twin_accepted(wshub *hub, wshub_client client, const wshub_acceptance *what,
                               void *user) {
    wshub_msg m = msg("hello", NULL);
    (void)what;
    (void)user;
    return wshub_client_welcome(hub, client, &m);
}
static void twin_owed(wshub *hub, wshub_session session, size_t bytes, void *user) {
    (void)hub;
    (void)session;
    (void)bytes;
    (void)user;
}

static wshub_session lend(world *w, void *owner) {
    wshub_dialect table = DIALECT(.name = "lends", .accepted = twin_accepted, .owed = twin_owed);
    wshub_session session = {0};
    uint32_t dialect = 0;
    EXPECT_INT(wshub_dialect_add(w->hub, &table, NULL, &dialect), WSHUB_OK);
    EXPECT_INT(wshub_session_lend(w->hub, dialect, owner, &session), WSHUB_OK);
    return session;
}

/* A client of a lent session, accepted; what it was told then is taken. */
static wshub_client lodger(world *w, wshub_session session, const char *id, const wire *kind) {
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

/* One kind serves many realms, as that of a dialect with namespaces does. */
TEST(who_writes_is_told_in_which_realm_a_message_is_sent) { /* >>api-dialect */
    world w;
    wire a;
    wshub_realm_desc named = {.version = WSHUB_REALM_VERSION, .name = "other"};
    wshub_realm other;
    wshub_session lent;
    wshub_client here, there = {0};
    wshub_client_desc who;
    wshub_dest all;
    wshub_packet packet;
    wshub_msg m = msg("m", "1");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    lent = lend(&w, NULL);
    here = lodger(&w, lent, "here", &a);
    EXPECT_INT(wshub_realm_create(w.hub, &named, &other), WSHUB_OK);
    memset(&who, 0, sizeof who);
    who.dialect = 1;
    who.kind = a.kind;
    who.realm = other;
    EXPECT_INT(wshub_client_add(w.hub, lent, &who, &there), WSHUB_OK);
    a.at.id = 77;
    EXPECT_INT(wshub_client_authenticate(w.hub, there, nul()), WSHUB_OK);
    EXPECT(a.at.id == other.id); /* what it is told on acceptance */

    memset(&all, 0, sizeof all);
    all.kind = WSHUB_DEST_ALL;
    all.realm = other;
    for (i = 0; i < 3; i++) { /* from the second on they are gathered */
        a.at.id = 77;
        EXPECT_INT(wshub_send_here(w.hub, &all, &m), WSHUB_OK);
        EXPECT(a.at.id == other.id);
        EXPECT_INT(wshub_send_here(w.hub, NULL, &m), WSHUB_OK);
        EXPECT(!a.at.id);
    }
    EXPECT_INT(wshub_client_send(w.hub, there, &m), WSHUB_OK);
    EXPECT(a.at.id == other.id);
    packet_init(&packet, "p", NULL, 0);
    EXPECT_INT(wshub_client_send_packet(w.hub, here, &packet), WSHUB_OK);
    EXPECT(!a.at.id);
    world_stop(&w);
}

/* What is gathered is written for the kinds that its realm has, not for those of others. */
TEST(a_message_is_written_for_no_kind_that_only_other_realms_have) { /* SEND-1, SEND-5 */
    world w;
    wire a, b;
    wshub_realm_desc named = {.version = WSHUB_REALM_VERSION, .name = "other"};
    wshub_realm other;
    wshub_session lent;
    wshub_client there = {0};
    wshub_client_desc who;
    wshub_dest all, room;
    wshub_packet packet;
    uint32_t calls;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    wire_add(&w, &b, "b");
    lent = lend(&w, NULL);
    EXPECT_INT(wshub_realm_create(w.hub, &named, &other), WSHUB_OK);
    memset(&who, 0, sizeof who);
    who.dialect = 1;
    who.kind = a.kind;
    who.realm = other;
    EXPECT_INT(wshub_client_add(w.hub, lent, &who, &there), WSHUB_OK);
    EXPECT_INT(wshub_client_authenticate(w.hub, there, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, there, S("den")), WSHUB_OK);
    (void)peer_of(&w, NULL, &b); /* in the first realm */
    memset(&all, 0, sizeof all);
    all.realm = other;
    all.kind = WSHUB_DEST_ALL;
    room = all;
    room.kind = WSHUB_DEST_ROOM;
    room.name = S("den");
    packet_init(&packet, "p", NULL, 0);
    calls = a.calls;
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_packet_send_here(w.hub, &all, &packet), WSHUB_OK);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_packet_send_here(w.hub, &room, &packet), WSHUB_OK);
    EXPECT_INT(a.calls - calls, 6);
    EXPECT_INT(b.calls, 0);
    EXPECT_INT(stats(&w).unsayable, 0);
    world_stop(&w);
}

TEST(who_is_asked_is_told_by_what_to_answer_where_its_kind_can_say_it) { /* >>api-dialect */
    world w;
    wire a;
    peer asked, plain;
    wshub_packet packet;
    wshub_str arg = S("1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    asked = peer_of(&w, NULL, &a);
    plain = peer_of(&w, NULL, NULL);
    packet_init(&packet, "p", &arg, 1);
    packet.ask = S("7");
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM); /* no envelope says it */
    packet.ask = S("7 8");
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_ERR_JSON);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, asked.conn, "a:p(1)?7");
    EXPECT_TEXTS(&w, plain.conn, "{\"event\":\"p\",\"data\":1}");
    world_stop(&w);
}

static void twin_start(twin *t, uint32_t seed) {
    static const char *const names[WIRES] = {"a", "b", "c", "d"};
    int i;
    world_start(&t->w,
                DESC(.on_authenticate = accept_all, .heartbeat_timeout_ms = WSHUB_OFF,
                     .idle_timeout_ms = WSHUB_OFF, .write_timeout_ms = WSHUB_OFF,
                     .backpressure_bytes_max = seed % 3 ? 900 : 0),
                FAKE(.seed = seed, .completion = seed % 4 == 0));
    for (i = 0; i < WIRES; i++) wire_add(&t->w, &t->wires[i], names[i]);
    t->wires[1].in_pieces = true;
    t->lent = lend(&t->w, NULL);
    for (i = 0; i < TWINS - 1; i++)
        t->peers[i] = peer_of(&t->w, i % 2 ? "u" : NULL, i % 5 ? &t->wires[i % 5 - 1] : NULL);
    (void)snprintf(t->peers[i].id, sizeof t->peers[i].id, "lodger");
    t->peers[i].client = lodger(&t->w, t->lent, "lodger", &t->wires[2]);
    for (i = 0; i < TWINS; i++)
        EXPECT_INT(wshub_client_join(t->w.hub, t->peers[i].client, S(i % 3 ? "one" : "two")),
                   WSHUB_OK);
}

/* One word of many; the same for both. */
static void twin_word(twin *t, uint32_t what, uint32_t with, const char *data) {
    wshub *hub = t->w.hub;
    const peer *p = &t->peers[with % TWINS];
    wshub_msg m = msg(with % 11 ? "m" : "odd", data);
    wshub_str except = S(t->peers[0].id), arg = S(data);
    const char *room = with % 3 ? "one" : "two";
    wshub_packet packet;
    wshub_dest den;
    packet_init(&packet, "p", &arg, with % 2);
    memset(&den, 0, sizeof den);
    den.kind = WSHUB_DEST_ROOM;
    den.name = S(room);
    if (what < 15) (void)wshub_room_send_here(hub, S(room), &m, NULL, 0);
    if (what >= 15 && what < 20) {
        if (with % 7 == 0) packet.flags = WSHUB_PACKET_VOLATILE;
        (void)wshub_packet_send_here(hub, &den, &packet);
    }
    if (what >= 20 && what < 24) (void)wshub_all_send_here(hub, &m, NULL, 0);
    if (what == 24) (void)wshub_user_send_here(hub, S("u"), &m);
    if (what == 25) (void)wshub_client_send(hub, p->client, &m);
    if (what == 26) (void)wshub_client_send_packet(hub, p->client, &packet);
    if (what == 27) (void)wshub_packet_send_here(hub, NULL, &packet);
    if (what == 28) (void)wshub_client_join(hub, p->client, S(room));
    if (what == 29) (void)wshub_client_leave(hub, p->client, S(room));
    if (what == 30) (void)wshub_client_set_kind(hub, p->client, (wshub_kind)(with % 5));
    if (what == 31) (void)wshub_room_send_here(hub, S(room), &m, &except, 1);
    if (what == 32 && with % 4 == 0) (void)wshub_client_encrypt(hub, p->client); /* in the clear */
    if (what == 33 && with % 40 == 0) (void)wshub_client_close(hub, p->client, 4000, S("enough"));
    if (what == 34) {
        wshub_io_fake_run(t->w.net);
        wshub_io_fake_window(t->w.net, p->conn, with % 7 ? UINT64_MAX : with % 300);
    }
    if (what == 35) {
        wshub_span span;
        if (wshub_session_spans(hub, t->lent, &span, 1))
            EXPECT_INT(wshub_session_taken(hub, t->lent, span.len / (1 + with % 2)), WSHUB_OK);
    }
}

static bool twins_same(twin *a, twin *b) {
    wshub_span spans[2][64];
    wshub_stats x = stats(&a->w), y = stats(&b->w);
    size_t n, i;
    for (i = 0; i < TWINS - 1; i++) {
        if (!wshub_str_eq(wshub_io_fake_output(a->w.net, a->peers[i].conn),
                          wshub_io_fake_output(b->w.net, b->peers[i].conn)))
            return false;
    }
    n = wshub_session_spans(a->w.hub, a->lent, spans[0], 64);
    if (wshub_session_spans(b->w.hub, b->lent, spans[1], 64) != n) return false;
    for (i = 0; i < n && i < 64; i++) {
        if (spans[0][i].len != spans[1][i].len ||
            memcmp(spans[0][i].ptr, spans[1][i].ptr, spans[0][i].len) != 0)
            return false;
    }
    x.segment_bytes = y.segment_bytes = 0;
    return memcmp(&x, &y, sizeof x) == 0;
}

TEST(what_is_gathered_for_several_kinds_is_as_if_each_had_been_sent_alone) { /* SEND-5, SEND-6 */
    static twin twins[2];
    uint32_t seed, step, runs = 0;
    int k;
    for (seed = 1; seed <= 24; seed++) {
        bool same = true;
        for (k = 0; k < 2; k++) twin_start(&twins[k], seed);
        any_seed = seed * 7919;
        for (step = 0; step < 400 && same; step++) {
            uint32_t what = any_of(36), with = any_of(1000);
            char data[32];
            (void)snprintf(data, sizeof data, "[%u]", (unsigned)step);
            for (k = 0; k < 2; k++) {
                twin_word(&twins[k], what, with, data);
                runs += twins[k].w.hub->gathered && twins[k].w.hub->run.others;
                if (k == 1) (void)stats(&twins[k].w); /* who looks ends the run */
            }
            if (step % 16) continue;
            for (k = 0; k < 2; k++) wshub_io_fake_run(twins[k].w.net);
            same = twins_same(&twins[0], &twins[1]);
        }
        EXPECT(same);
        for (k = 0; k < 2; k++) world_stop(&twins[k].w);
        if (!same) break;
    }
    EXPECT_OP(runs, >, 500);
}

TEST(an_encrypted_client_of_a_kind_gets_runs_of_its_own_kind) { /* ENC-1, SEND-5 */
    world w;
    wire a, b;
    peer as, bs;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0)); /* nobody transforms */
    wire_add(&w, &a, "a");
    wire_add(&w, &b, "b");
    as = peer_of(&w, NULL, &a);
    bs = peer_of(&w, NULL, &b);
    EXPECT_INT(wshub_client_encrypt(w.hub, as.client), WSHUB_OK);
    EXPECT_INT(wshub_client_encrypt(w.hub, bs.client), WSHUB_OK);
    for (i = 0; i < 4; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 4; i++) EXPECT_TEXT(&w, as.conn, "a:m(1)");
    for (i = 0; i < 4; i++) EXPECT_TEXT(&w, bs.conn, "b:m(1)");
    EXPECT_SILENCE(&w, as.conn);
    EXPECT_SILENCE(&w, bs.conn);
    EXPECT_INT(a.calls, 4);
    EXPECT_INT(b.calls, 4);
    world_stop(&w);
}

/* ---- packets ---- */

TEST(a_packet_says_more_than_an_event_to_who_can_hear_it) { /* SEND-1 */
    static const wshub_span files[] = {{(const uint8_t *)"F", 1}, {(const uint8_t *)"GH", 2}};
    world w;
    wire a;
    peer plain, as;
    wshub_str args[3];
    wshub_packet packet;
    wshub_dest dest;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    plain = peer_of(&w, "u", NULL);
    as = peer_of(&w, "u", &a);
    args[0] = S("1");
    args[1] = S("\"x\"");
    args[2] = S("{\"k\":[]}");
    packet_init(&packet, "p", args, 3);
    packet.attachments = files;
    packet.attachments_count = 2;
    packet.id = S("77");
    packet.flags = WSHUB_PACKET_NO_COMPRESS;
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_OK);
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_USER;
    dest.name = S("u");
    EXPECT_INT(wshub_packet_send_here(w.hub, &dest, &packet), WSHUB_OK);

    /* To all instances goes what an envelope has words for. */
    packet_init(&packet, "p", args, 2);
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    packet.args_count = 1;
    packet.id = S("1]");
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_ERR_JSON); /* SEND-7 */
    packet.id = S("1"); /* an envelope has no words for it */
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    packet.id = nul();
    packet.attachments = files;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    packet.attachments_count = 0;
    packet.flags = WSHUB_PACKET_VOLATILE | WSHUB_PACKET_NO_COMPRESS;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    packet.args_count = 0;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, as.conn, "a:p(1,\"x\",{\"k\":[]})+F+GH#77!",
                 "a:p(1,\"x\",{\"k\":[]})+F+GH#77!", "a:p(1)~!", "a:p()~!");
    for (i = 0; i < 2; i++)
        EXPECT_TEXT(&w, plain.conn, "{\"event\":\"p\",\"data\":[1,\"x\",{\"k\":[]}],\"id\":77}");
    EXPECT_TEXTS(&w, plain.conn, "{\"event\":\"p\",\"data\":1}", "{\"event\":\"p\"}");
    EXPECT_INT(stats(&w).unsayable, 0);
    world_stop(&w);
}

/* What an event's arguments are as `data`; the text is kept until the next call. */
static const char *data_of(const char *const *texts, size_t count, const wshub_span *files,
                           size_t files_count) {
    static char text[400];
    wshub_str args[4];
    wshub_packet packet;
    size_t len, i;
    for (i = 0; i < count; i++) args[i] = S(texts[i]);
    packet_init(&packet, "p", args, count);
    packet.attachments = files;
    packet.attachments_count = files_count;
    len = wshub_packet_data(&packet, NULL, 0);
    EXPECT_OP(len, <, sizeof text);
    memset(text, '?', sizeof text);
    EXPECT_INT(wshub_packet_data(&packet, text, len - 1), len); /* it does not fit */
    EXPECT_INT(text[0], '?');
    EXPECT_INT(wshub_packet_data(&packet, text, len), len);
    EXPECT_INT(text[len], '?');
    text[len] = 0;
    return text;
}
#define STANDS(num) "{\"_placeholder\":true,\"num\":" num "}"

TEST(several_arguments_are_an_array_and_bytes_are_base64_in_their_place) { /* SEND-8 */
    static const wshub_span files[] = {
        {(const uint8_t *)"F", 1}, {(const uint8_t *)"GHI", 3}, {NULL, 0}};
    static const char *const none[] = {"1", "{\"a\":" STANDS("0") "}", "[]"};
    static const char *const deep[] = {
        "[" STANDS("1") ",{\"x\":[" STANDS("2") ", " STANDS("0") "]}]",
        "\"{\\\"_placeholder\\\":true,\\\"num\\\":0}\""};
    /* What stands for nothing: no such attachment, other members, something nested, no JSON. */
    static const char *const others[] = {STANDS("3"),
                                         STANDS("-1"),
                                         STANDS("\"0\""),
                                         "{\"_placeholder\":false,\"num\":0}",
                                         "{\"num\":0}",
                                         "{}",
                                         "{\"_placeholder\":true}",
                                         "{\"_placeholder\":1,\"num\":0}",
                                         "{\"_placeholder\":true,\"num\":0,\"x\":{}}",
                                         "{\"_placeholder\":true,\"num\":0,\"x\":[]}",
                                         "{",
                                         "{\"_placeholder",
                                         "{\"_placeholder\":true,}",
                                         "\"open"};
    static const char *const odd[] = {"{ \"num\" : 1 , \"x\" : 2, \"_place\\u0068older\" : true }"};
    /* No more bytes are written than there are, however often they are meant. */
    static const char *const often[] = {STANDS("1"), STANDS("1"), STANDS("0"), STANDS("0")};
    const char *text;
    size_t i;
    EXPECT_STR(data_of(none, 1, NULL, 0), "1");
    EXPECT_STR(data_of(none, 3, NULL, 0), "[1,{\"a\":" STANDS("0") "},[]]");
    EXPECT_STR(data_of(none, 3, files, 1), "[1,{\"a\":\"Rg==\"},[]]");
    EXPECT_STR(data_of(deep, 1, files, 3), "[\"R0hJ\",{\"x\":[\"\", \"Rg==\"]}]");
    EXPECT_STR(data_of(deep + 1, 1, files, 3), deep[1]);
    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        text = data_of(&others[i], 1, files, 3);
        EXPECT_STR(text, others[i]);
    }
    EXPECT_STR(data_of(odd, 1, files, 3), "\"R0hJ\"");
    EXPECT_STR(data_of(often, 4, files, 2), "[\"R0hJ\"," STANDS("1") ",\"Rg==\"," STANDS("0") "]");
}

/* Pieces of JSON and of what is none, put together as chance has it: whatever it is, what is measured
 * is what is written, it is JSON where the arguments are, and no longer than all bytes make it. */
static size_t any_text(char *text) {
    static const char *const pieces[] = {STANDS("0"),  STANDS("1"), "{\"_placeholder\":true,",
                                         "\"num\":0}", "\"num\":",  "{\"a\":",
                                         "[",          "]",         "{",
                                         "}",          ",",         "1",
                                         "\"",         "\\",        "\\\"",
                                         " ",          "true",      "\"x\""};
    size_t len = 0, left = any_of(9);
    for (; left; left--) {
        const char *piece = pieces[any_of(sizeof pieces / sizeof pieces[0])];
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}
TEST(data_of_any_arguments_is_as_long_as_is_said) { /* SEND-8 */
    static char texts[3][400], out[1400];
    wshub_str args[3];
    wshub_span files[2];
    wshub_packet packet;
    int round, made = 0;
    any_seed = 41;
    for (round = 0; round < 40000; round++) {
        size_t i, len, most = 0, bytes = 0, n = 1 + any_of(3);
        bool json = true;
        for (i = 0; i < n; i++) {
            char *own = (char *)malloc(400); /* whoever reads behind it is seen */
            size_t count = any_text(texts[i]);
            memcpy(own + 400 - count, texts[i], count);
            args[i] = wshub__str(own + 400 - count, count);
            json = json && wshub_json_check(args[i], 0);
            most += count + 1;
        }
        for (i = 0; i < 2; i++) {
            files[i].ptr = (const uint8_t *)"0123456789";
            files[i].len = any_of(11);
            bytes += files[i].len;
        }
        packet_init(&packet, "p", args, n);
        packet.attachments = files;
        packet.attachments_count = 2;
        len = wshub_packet_data(&packet, NULL, 0);
        EXPECT_INT(wshub_packet_data(&packet, out, sizeof out), len);
        EXPECT_OP(len, <=, most + 1 + bytes * 4 / 3 + 2 * 6);
        if (json) EXPECT(wshub_json_check(wshub__str(out, len), 0));
        made += json && len && memchr(out, '=', len) != NULL;
        for (i = 0; i < n; i++) free((char *)(uintptr_t)args[i].ptr - (400 - args[i].len));
    }
    EXPECT_OP(made, >, 100);
}

TEST(clients_of_the_json_dialect_hear_packets_whole) { /* SEND-8, SEND-7 */
    static const wshub_span file = {(const uint8_t *)"GHI", 3};
    world w;
    peer plain;
    wshub_str args[2];
    wshub_packet packet;
    static char longest[70000];
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    plain = peer_of(&w, "u", NULL);
    args[0] = S("1");
    args[1] = S(STANDS("0"));
    packet_init(&packet, "a \"b\"", args, 2);
    packet.attachments = &file;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    packet.id = S("\"i\"");
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_OK);
    packet.args_count = 0; /* bytes that no argument has a place for */
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, plain.conn, "{\"event\":\"a \\\"b\\\"\",\"data\":[1,\"R0hJ\"]}",
                 "{\"event\":\"a \\\"b\\\"\",\"data\":[1,\"R0hJ\"],\"id\":\"i\"}",
                 "{\"event\":\"a \\\"b\\\"\",\"id\":\"i\"}");

    /* Where there is no memory for it, it is lost for them, and that is told. */
    packet_init(&packet, "p", args, 2);
    memset(longest, '1', sizeof longest);
    args[1] = wshub__str(longest, sizeof longest);
    w.fail_all = true;
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_ERR_NOMEM);
    w.fail_all = false;
    EXPECT_INT(stats(&w).dropped_memory, 1);
    EXPECT_INT(stats(&w).unsayable, 0);
    world_stop(&w);
}

TEST(packets_that_break_their_contract_are_refused) { /* MSG-9 */
    static const wshub_span nothing[] = {{NULL, 3}}, empty[] = {{NULL, 0}};
    world w;
    wire a;
    peer as;
    wshub_str args[1], none[1];
    wshub_packet packet;
    world_start(&w, DESC(.on_authenticate = accept_all, .json_depth_max = 2), FAKE(0));
    wire_add(&w, &a, "a");
    as = peer_of(&w, NULL, &a);
    none[0] = nul();
#define REFUSED(want)                                                                              \
    do {                                                                                           \
        EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), want);                     \
        EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), want);                            \
    } while (0)
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    packet_init(&packet, "p", NULL, 1);
    REFUSED(WSHUB_ERR_PARAM);
    packet_init(&packet, "p", none, 1);
    REFUSED(WSHUB_ERR_PARAM);
    packet_init(&packet, "p", args, 0);
    packet.event = nul();
    REFUSED(WSHUB_ERR_PARAM);
    packet.event = too_long();
    REFUSED(WSHUB_ERR_PARAM);
    packet.event = wshub__str("\xFF", 1);
    REFUSED(WSHUB_ERR_PARAM);
    packet_init(&packet, "p", NULL, 0);
    packet.attachments_count = 1;
    REFUSED(WSHUB_ERR_PARAM);
    packet.attachments = nothing; /* bytes, and nobody knows where */
    REFUSED(WSHUB_ERR_PARAM);

    /* Arguments are JSON, a level less deep than the message around them may be. */
    packet_init(&packet, "p", args, 1);
    args[0] = S("[1");
    REFUSED(WSHUB_ERR_JSON);
    args[0] = S("[[1]]");
    REFUSED(WSHUB_ERR_JSON);
    args[0] = S("");
    REFUSED(WSHUB_ERR_JSON);
    packet.args_are_json = true; /* nobody knows that of an empty text */
    REFUSED(WSHUB_ERR_JSON);
    args[0].len = WSHUB_MSG_BYTES_MAX + 1u;
    REFUSED(WSHUB_ERR_LIMIT);
#undef REFUSED
    args[0] = S("[[1]]"); /* whoever says so is believed */
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), WSHUB_OK);
    args[0] = S("[1]");
    packet.args_are_json = false;
    packet.attachments = empty;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_client_send_packet(w.hub, (wshub_client){0}, &packet), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, as.conn, "a:p([[1]])", "a:p([1])+");
    world_stop(&w);
}

TEST(what_is_volatile_is_for_who_has_nothing_unsent) { /* SEND-6 */
    world w;
    wire a;
    peer fast, slow;
    wshub_session lent;
    wshub_client polls;
    wshub_span span;
    wshub_packet packet;
    wshub_msg m = msg("m", NULL);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    fast = peer_of(&w, NULL, &a);
    slow = peer_of(&w, NULL, &a);
    lent = lend(&w, NULL);
    polls = lodger(&w, lent, "polls", &a);
    packet_init(&packet, "p", NULL, 0);
    packet.flags = WSHUB_PACKET_VOLATILE;

    /* Nobody owes anything; who polls takes it with what comes next. */
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    EXPECT_INT(wshub_session_spans(w.hub, lent, &span, 1), 1);
    EXPECT_INT(stats(&w).dropped_pressure, 0);
    wshub_io_fake_run(w.net);

    wshub_io_fake_window(w.net, slow.conn, 0);
    EXPECT_INT(wshub_client_send(w.hub, slow.client, &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send_packet(w.hub, slow.client, &packet), WSHUB_OK); /* not yet known */
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_client_send_packet(w.hub, slow.client, &packet), WSHUB_ERR_DROPPED);
    EXPECT_INT(wshub_client_send_packet(w.hub, polls, &packet), WSHUB_ERR_DROPPED);
    EXPECT_INT(wshub_client_send_packet(w.hub, fast.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    EXPECT_INT(stats(&w).dropped_pressure, 4);

    packet.flags = 0; /* what is not waits with the rest */
    EXPECT_INT(wshub_client_send_packet(w.hub, slow.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_session_spans(w.hub, lent, NULL, 0), 1);
    EXPECT_INT(wshub_session_taken(w.hub, lent, span.len), WSHUB_OK);
    packet.flags = WSHUB_PACKET_VOLATILE;
    EXPECT_INT(wshub_client_send_packet(w.hub, polls, &packet), WSHUB_OK);
    wshub_io_fake_window(w.net, slow.conn, UINT64_MAX);
    EXPECT_TEXTS(&w, slow.conn, "a:p()~", "a:m()", "a:p()~", "a:p()");
    EXPECT_TEXTS(&w, fast.conn, "a:p()~", "a:p()~", "a:p()~");
    world_stop(&w);
}

/* ---- the gate ---- */

/* Doubles the data; an event `none` becomes `odd`, which kinds cannot say. */
static void twice(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *e,
                  void *user) {
    char data[32];
    wshub_msg m;
    (void)client;
    (void)user;
    (void)snprintf(data, sizeof data, "[%.*s,%.*s]", (int)e->data.len, e->data.ptr,
                   (int)e->data.len, e->data.ptr);
    m = msg(wshub_str_eq_z(e->event, "none") ? "odd" : "secret", e->data.ptr ? data : NULL);
    EXPECT_INT(wshub_transform_accept(hub, ask, &m), WSHUB_OK);
}

TEST(what_goes_to_encrypted_clients_of_all_kinds_passes_the_transformer) { /* ENC-1, ENC-2 */
    static const wshub_span file = {(const uint8_t *)"F", 1};
    world w;
    wire a;
    peer plain, open, closed, hidden;
    wshub_str args[2];
    wshub_packet packet;
    wshub_msg m = msg("m", "1"), none = msg("none", NULL);
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_transform_out = twice), FAKE(0));
    wire_add(&w, &a, "a");
    plain = peer_of(&w, NULL, NULL);
    open = peer_of(&w, NULL, &a);
    closed = peer_of(&w, NULL, &a);
    hidden = peer_of(&w, NULL, NULL);
    EXPECT_INT(wshub_client_encrypt(w.hub, closed.client), WSHUB_OK);
    EXPECT_INT(wshub_client_encrypt(w.hub, hidden.client), WSHUB_OK);
    for (i = 0; i < 3; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);

    /* A transformer is shown an event and data; the id of what is answered goes around it (SEND-7),
     * and of what has more than these nothing is sent. */
    args[0] = S("2");
    args[1] = S("3");
    packet_init(&packet, "p", args, 2);
    EXPECT_INT(wshub_client_send_packet(w.hub, closed.client, &packet), WSHUB_ERR_PARAM);
    packet.args_count = 0;
    packet.attachments = &file;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_client_send_packet(w.hub, closed.client, &packet), WSHUB_ERR_PARAM);
    packet.attachments_count = 0;
    packet.id = S("5");
    EXPECT_INT(wshub_client_send_packet(w.hub, hidden.client, &packet), WSHUB_OK);
    EXPECT_INT(stats(&w).unsayable, 2);
    packet.id = nul();
    packet.args_count = 1;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    packet.args_count = 0;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    EXPECT_INT(wshub_client_send_binary(w.hub, closed.client, (const uint8_t *)"x", 1),
               WSHUB_ERR_CLEAR);

    /* What a kind cannot say of what has become of it is dropped. */
    EXPECT_INT(wshub_client_send(w.hub, closed.client, &none), WSHUB_OK);
    EXPECT_INT(stats(&w).unsayable, 3);

    /* From a changed kind on it is written in that. */
    EXPECT_INT(wshub_client_set_kind(w.hub, hidden.client, a.kind), WSHUB_OK);
    EXPECT(wshub_client_is_encrypted(w.hub, hidden.client));
    EXPECT_INT(wshub_client_send(w.hub, hidden.client, &m), WSHUB_OK);
    EXPECT_INT(wshub_client_set_kind(w.hub, hidden.client, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 3; i++) {
        EXPECT_TEXT(&w, plain.conn, "{\"event\":\"m\",\"data\":1}");
        EXPECT_TEXT(&w, open.conn, "a:m(1)");
        EXPECT_TEXT(&w, closed.conn, "a:secret([1,1])");
        EXPECT_TEXT(&w, hidden.conn, "{\"event\":\"secret\",\"data\":[1,1]}");
    }
    EXPECT_TEXTS(&w, plain.conn, "{\"event\":\"p\",\"data\":2}", "{\"event\":\"p\"}");
    EXPECT_TEXTS(&w, open.conn, "a:p(2)", "a:p()");
    EXPECT_TEXTS(&w, closed.conn, "a:secret([2,2])", "a:secret()");
    EXPECT_TEXTS(&w, hidden.conn, "{\"event\":\"secret\",\"id\":5}",
                 "{\"event\":\"secret\",\"data\":[2,2]}", "{\"event\":\"secret\"}",
                 "a:secret([1,1])");
    world_stop(&w);
}

TEST(limits_on_what_waits_hold_for_every_kind) { /* SEND-6 */
    int closes;
    for (closes = 0; closes < 2; closes++) {
        world w;
        wire a;
        peer plain, slow;
        wshub_session lent;
        wshub_client polls;
        wshub_stats s;
        int i, k;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 100,
                         .close_on_backpressure = closes == 1),
                    FAKE(0));
        wire_add(&w, &a, "a");
        plain = peer_of(&w, NULL, NULL);
        slow = peer_of(&w, NULL, &a);
        lent = lend(&w, NULL);
        polls = lodger(&w, lent, "polls", &a);
        wshub_io_fake_window(w.net, slow.conn, 0);
        for (k = 0; k < 4; k++) {
            for (i = 0; i < 5; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
            wshub_io_fake_run(w.net);
        }

        /* Eight bytes each: twelve of twenty wait, and others notice nothing. */
        s = stats(&w);
        for (i = 0; i < 20; i++) EXPECT_TEXT(&w, plain.conn, "{\"event\":\"m\",\"data\":1}");
        EXPECT_INT(wshub_client_state(w.hub, polls),
                   closes ? WSHUB_CLIENT_DISCONNECTED : WSHUB_CLIENT_AUTHENTICATED);
        EXPECT_INT(wshub_client_state(w.hub, slow.client),
                   closes ? WSHUB_CLIENT_DISCONNECTED : WSHUB_CLIENT_AUTHENTICATED);
        EXPECT_INT(s.dropped_pressure, closes ? 2 : 16);
        EXPECT_INT(wshub_session_spans(w.hub, lent, NULL, 0), closes ? 0 : 12);
        if (!closes) EXPECT_INT(wshub_client_queued_bytes(w.hub, slow.client), 12 * 8);
        world_stop(&w);
    }
}

TEST(a_welcome_that_cannot_be_written_is_no_acceptance) { /* AUTH-7 */
    long n;
    for (n = 0; n < 12; n++) {
        world w;
        wire a;
        wshub_session lent;
        wshub_client_desc desc;
        wshub_client client;
        world_start(&w, DESC(.on_authenticate = keep_auth, .no_default_rooms = true), FAKE(0));
        kept_asks_count = 0;
        wire_add(&w, &a, "a");
        lent = lend(&w, NULL);
        memset(&desc, 0, sizeof desc);
        desc.dialect = 1;
        desc.kind = a.kind;
        EXPECT_INT(wshub_client_add(w.hub, lent, &desc, &client), WSHUB_OK);
        EXPECT_INT(wshub_client_authenticate(w.hub, client, nul()), WSHUB_OK);
        a.silent = true; /* what its kind has to say of that, the answer returns */
        a.says = WSHUB_ERR_PARAM;
        EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_PARAM);
        a.silent = false;
        a.says = WSHUB_OK;
        w.fail_at = n;
        if (wshub_auth_accept(w.hub, kept_asks[0], NULL)) {
            w.fail_at = 0;
            EXPECT_INT(wshub_client_state(w.hub, client), WSHUB_CLIENT_AUTHENTICATING);
            EXPECT_INT(wshub_session_spans(w.hub, lent, NULL, 0), 0);
            EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
        }
        w.fail_at = 0;
        EXPECT_INT(wshub_client_state(w.hub, client), WSHUB_CLIENT_AUTHENTICATED);
        EXPECT_INT(wshub_session_spans(w.hub, lent, NULL, 0), 1);
        world_stop(&w);
    }
}

TEST(what_another_hub_hands_over_is_written_anew_for_further_kinds) { /* BUS-3, SEND-1 */
    world one, other;
    wshub_bus_local *local;
    wshub_bus seats[2];
    wire a;
    peer plain, as;
    wshub_msg m = msg("m", "[1]");
    int i;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    for (i = 0; i < 2; i++) EXPECT_INT(wshub_bus_local_seat(local, &seats[i]), WSHUB_OK);
    world_start(&one, DESC(.on_authenticate = accept_all, .bus = &seats[0]), FAKE(.seed = 1));
    world_start(&other, DESC(.on_authenticate = accept_all, .bus = &seats[1]), FAKE(.seed = 2));
    wire_add(&other, &a, "a");
    plain = peer_of(&other, NULL, NULL);
    as = peer_of(&other, NULL, &a);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_all_send(one.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(one.net);
    wshub_io_fake_run(other.net);
    for (i = 0; i < 3; i++) {
        EXPECT_TEXT(&other, plain.conn, "{\"event\":\"m\",\"data\":[1]}");
        EXPECT_TEXT(&other, as.conn, "a:m([1])");
    }
    EXPECT_SILENCE(&other, as.conn);
    EXPECT_INT(a.calls, 3);
    world_stop(&one);
    world_stop(&other);
    wshub_bus_local_destroy(local);
}
