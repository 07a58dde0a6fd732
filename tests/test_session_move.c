/* A session that moves from where it was lent to a WebSocket, as an upgrade of Engine.IO does: what
 * waits is rewritten message by message, clients keep all they have, and what fails leaves
 * everything as it was (>>api-dialect, wshub_session_move()). */
#include "hubtest.h"

typedef struct
    polls { /* a dialect whose messages are `<event>` while it polls, text frames behind the move */
    world *w;
    uint32_t dialect;
    wshub_kind polled, framed, other;
    wshub_session session;
    wshub_client a, b;
    wshub_conn conn; /* the WebSocket, when it is there */
    wshub_err fails; /* what convert says to the message `bad` */
    size_t rubbish;  /* and what it has written of it then */
    int converted, gone;
    wshub_cause cause;
} polls;

static wshub_err put(wshub_writer *out, const char *bytes, size_t count) {
    uint8_t *to = wshub_writer_room(out, count);
    if (!to) return WSHUB_ERR_NOMEM;
    memcpy(to, bytes, count);
    wshub_writer_commit(out, count);
    return WSHUB_OK;
}

static wshub_err put_frame(wshub_writer *out, const char *bytes, size_t count) {
    wshub_frame frame;
    uint8_t head[14];
    size_t n;
    wshub_err err;
    memset(&frame, 0, sizeof frame);
    frame.fin = true;
    frame.opcode = 1;
    frame.payload_bytes = count;
    n = wshub_frame_write(&frame, head);
    err = put(out, (const char *)head, n);
    return err ? err : put(out, bytes, count);
}

static wshub_err encode_polled(wshub *hub, wshub_kind kind, wshub_realm realm,
                               const wshub_packet *packet, wshub_writer *out, void *user) {
    static char text[100100];
    (void)hub;
    (void)realm;
    (void)kind;
    (void)user;
    text[0] = '<';
    memcpy(text + 1, packet->event.ptr, packet->event.len);
    text[packet->event.len + 1] = '>';
    return put(out, text, packet->event.len + 2);
}

static wshub_err encode_framed(wshub *hub, wshub_kind kind, wshub_realm realm,
                               const wshub_packet *packet, wshub_writer *out, void *user) {
    (void)hub;
    (void)realm;
    (void)kind;
    (void)user;
    return put_frame(out, packet->event.ptr, packet->event.len);
}

static wshub_err convert(wshub *hub, wshub_session session, wshub_span message, wshub_writer *out,
                         void *user) {
    polls *p = (polls *)user;
    const char *text = (const char *)message.ptr;
    (void)hub;
    EXPECT(session.id == p->session.id);
    EXPECT(message.len >= 2 && text[0] == '<' && text[message.len - 1] == '>'); /* whole, and one */
    p->converted++;
    if (message.len == 6 && memcmp(text, "<none>", 6) == 0) return WSHUB_OK;
    if (message.len == 6 && memcmp(text, "<room>", 6) == 0) { /* asked for and not used */
        EXPECT(wshub_writer_room(out, 100) != NULL);
        return WSHUB_OK;
    }
    if (message.len == 5 && memcmp(text, "<bad>", 5) == 0 && p->fails) {
        EXPECT(wshub_writer_room(out, p->rubbish) != NULL);
        wshub_writer_commit(out, p->rubbish);
        return p->fails;
    }
    return put_frame(out, text + 1, message.len - 2);
}

static void owed(wshub *hub, wshub_session session, size_t bytes, void *user) {
    (void)hub;
    (void)session;
    (void)bytes;
    (void)user;
}
static void gone(wshub *hub, wshub_session session, wshub_cause cause, void *user) {
    polls *p = (polls *)user;
    (void)hub;
    (void)session;
    p->gone++;
    p->cause = cause;
}

static wshub_take grant(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    polls *p = (polls *)user;
    (void)http;
    EXPECT_INT(wshub_http_upgrade(hub, exchange, NULL, &p->conn), WSHUB_OK);
    return WSHUB_TAKE_DONE;
}

static void polls_start(polls *p, world *w, wshub_desc desc, wshub_io_fake_desc fd,
                        bool no_convert) {
    wshub_dialect table = DIALECT(.name = "polls", .owed = owed, .session_gone = gone,
                                  .convert = no_convert ? NULL : convert);
    wshub_mount_desc mount;
    wshub_client_desc client;
    memset(p, 0, sizeof *p);
    memset(&mount, 0, sizeof mount);
    memset(&client, 0, sizeof client);
    p->w = w;
    desc.on_authenticate = accept_all;
    desc.no_default_rooms = true;
    world_start(w, desc, fd);
    EXPECT_INT(wshub_dialect_add(w->hub, &table, p, &p->dialect), WSHUB_OK);
    EXPECT_INT(wshub_kind_add(w->hub, &(wshub_kind_desc){encode_polled, "polled", p}, &p->polled),
               WSHUB_OK);
    EXPECT_INT(wshub_kind_add(w->hub, &(wshub_kind_desc){encode_framed, "framed", p}, &p->framed),
               WSHUB_OK);
    EXPECT_INT(wshub_kind_add(w->hub, &(wshub_kind_desc){encode_framed, "other", p}, &p->other),
               WSHUB_OK);
    mount.version = WSHUB_MOUNT_VERSION;
    mount.path = "/up";
    mount.user = p;
    mount.on_head = grant;
    EXPECT_INT(wshub_mount(w->hub, &mount), WSHUB_OK);
    EXPECT_INT(wshub_session_lend(w->hub, p->dialect, p, &p->session), WSHUB_OK);
    client.dialect = p->dialect;
    client.kind = p->polled;
    client.id = S("a");
    EXPECT_INT(wshub_client_add(w->hub, p->session, &client, &p->a), WSHUB_OK);
    client.id = S("b");
    EXPECT_INT(wshub_client_add(w->hub, p->session, &client, &p->b), WSHUB_OK);
    EXPECT_INT(wshub_client_authenticate(w->hub, p->a, S("{\"user\":\"u\"}")), WSHUB_OK);
    wshub_io_fake_run(w->net);
}

static void note_pressure(wshub *hub, wshub_client client, wshub_pressure what, size_t queued,
                          void *user) {
    wshub_str id = wshub_client_id(hub, client);
    char text[64];
    (void)queued;
    if (what != WSHUB_PRESSURE_DROPPED) return;
    (void)snprintf(text, sizeof text, "%.*s dropped ", (int)id.len, id.ptr);
    world_note((world *)user, text);
}

static void send(polls *p, wshub_client client, const char *event) {
    wshub_msg m = msg(event, "1");
    EXPECT_INT(wshub_client_send(p->w->hub, client, &m), WSHUB_OK);
}

static wshub_err move(polls *p) {
    wshub_kind_change change;
    change.from = p->polled;
    change.to = p->framed;
    return wshub_session_move(p->w->hub, p->session, wshub_conn_session(p->w->hub, p->conn),
                              &change, 1);
}

TEST(a_session_moves_with_its_clients_its_messages_and_their_order) { /* SEND-5, SEND-6, ROOM-5 */
    world w;
    polls p;
    wshub_conn up;
    wshub_msg m = msg("room", "1");
    wshub_session to;
    wshub_stats before;
    size_t queued;
    polls_start(&p, &w, DESC(.user = NULL), FAKE(0), false);
    EXPECT_INT(wshub_client_join(w.hub, p.a, S("r")), WSHUB_OK);
    EXPECT_INT(wshub_client_set_metadata(w.hub, p.a, S("{\"n\":1}")), WSHUB_OK);
    EXPECT_INT(wshub_client_set_kind(w.hub, p.b, p.other), WSHUB_OK);
    up = wshub_io_fake_connect(w.net, "/up");
    wshub_io_fake_window(w.net, up, 0); /* reads nothing yet, so that what is queued can be seen */
    send(&p, p.a, "one");
    send(&p, p.a, "none"); /* is left out */
    send(&p, p.a, "bad");
    send(&p, p.a, "room");
    send(&p, p.a, "four");
    before = stats(&w);
    queued = wshub_client_queued_bytes(w.hub, p.a);
    EXPECT_INT(queued, 5 + 6 + 5 + 6 + 6);
    to = wshub_conn_session(w.hub, p.conn);
    EXPECT_INT(move(&p), WSHUB_OK);
    checked(w.hub);
    EXPECT_INT(p.converted, 5);
    EXPECT_INT(wshub_client_queued_bytes(w.hub, p.a), 5 + 5 + 6);
    EXPECT_INT(stats(&w).messages_out, before.messages_out);
    EXPECT(wshub_client_session(w.hub, p.a).id == to.id);
    EXPECT(wshub_client_session(w.hub, p.b).id == to.id);
    EXPECT(wshub_conn_client(w.hub, p.conn).id == p.b.id); /* the newest, as before */
    EXPECT_INT(wshub_client_kind(w.hub, p.a), p.framed);
    EXPECT_INT(wshub_client_kind(w.hub, p.b), p.other); /* no change was named for it */
    EXPECT(wshub_client_in_room(w.hub, p.a, S("r")));
    EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, p.a), "{\"n\":1}"));
    EXPECT(wshub_str_eq_z(wshub_client_user_id(w.hub, p.a), "u"));
    EXPECT_INT(wshub_client_state(w.hub, p.b), WSHUB_CLIENT_UNAUTHORIZED);

    /* the lent session has ended, and nobody's client with it; what is sent now comes behind */
    EXPECT_INT(move(&p), WSHUB_ERR_STALE);
    send(&p, p.a, "five");
    EXPECT_INT(wshub_room_send(w.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(p.gone == 1 && p.cause == WSHUB_BY_APP);
    EXPECT_INT(wshub_session_heard(w.hub, p.session), WSHUB_ERR_STALE);
    EXPECT_INT(stats(&w).clients, 2);
    wshub_io_fake_window(w.net, up, 1000000);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, up, "one");
    EXPECT_TEXT(&w, up, "bad");
    EXPECT_TEXT(&w, up, "four");
    EXPECT_TEXT(&w, up, "five");
    EXPECT_TEXT(&w, up, "room");
    EXPECT_SILENCE(&w, up);
    EXPECT_INT(wshub_client_queued_bytes(w.hub, p.a), 0);

    /* and the WebSocket's end is theirs */
    wshub_io_fake_send_close(w.net, up, 1000, "");
    EXPECT_INT(stats(&w).clients, 0);
    world_stop(&w);
}

/* A move behind `before` frames, with `count` messages, each of them in a segment of its own. */
static void move_behind(bool completes, int before, int count) {
    world w;
    polls p;
    wshub_conn up;
    wshub__conn *conn;
    char name[16];
    int i;
    polls_start(&p, &w, DESC(.user = NULL), FAKE(.completion = completes), false);
    up = wshub_io_fake_connect(w.net, "/up");
    wshub_io_fake_window(w.net, up, 0);
    conn = wshub__session_get(w.hub, wshub_conn_session(w.hub, p.conn));
    for (i = 0; i < before; i++) {
        EXPECT(wshub__out_frame(w.hub, conn, 1, "first", 5));
        fill_log(&w); /* whose turn offers the frame, which is not taken: the stream is pressured */
    }
    for (i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "m%d", i);
        send(&p, p.a, name);
        w.hub->kinds[p.polled].log->used = w.hub->kinds[p.polled].log->cap;
    }
    EXPECT_INT(move(&p), WSHUB_OK);
    checked(w.hub);
    send(&p, p.a, "last");
    wshub_io_fake_run(w.net);
    wshub_io_fake_window(w.net, up, 1000000);
    wshub_io_fake_run(w.net);
    for (i = 0; i < before; i++) EXPECT_TEXT(&w, up, "first");
    for (i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "m%d", i);
        EXPECT_TEXT(&w, up, name);
    }
    EXPECT_TEXT(&w, up, "last");
    world_stop(&w);
}

TEST(a_session_moves_behind_what_its_websocket_owes_already) { /* SEND-5, SEND-6 */
    int before;
    for (before = 1; before < 6; before++) {
        move_behind(false, before, 1); /* there may be room for it already */
        move_behind(false, before, 20);
        move_behind(true, before, 20);
    }
}

TEST(the_limit_on_what_waits_moves_with_its_session) { /* SEND-6 */
    world w;
    polls p;
    wshub_conn up;
    wshub_msg m = msg("x", "1");
    polls_start(&p, &w, DESC(.user = NULL), FAKE(0), false);
    EXPECT_INT(wshub_session_limit(w.hub, p.session, 3, true), WSHUB_OK);
    up = wshub_io_fake_connect(w.net, "/up");
    wshub_io_fake_window(w.net, up, 0);
    EXPECT_INT(move(&p), WSHUB_OK);
    send(&p, p.a, "x");
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_client_send(w.hub, p.a, &m), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).clients, 0);
    world_stop(&w);
}

/* What is gathered for a room is more than may wait for a session that has to have all that is
 * sent: it ends, and has nobody to be moved. */
TEST(a_session_that_ends_by_what_was_sent_before_moves_nowhere) { /* SEND-6, BYE-1 */
    world w;
    polls p;
    wshub_msg m = msg("x", "1");
    polls_start(&p, &w, DESC(.user = NULL), FAKE(0), false);
    EXPECT_INT(wshub_session_limit(w.hub, p.session, 3, true), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, p.a, S("r")), WSHUB_OK);
    (void)wshub_io_fake_connect(w.net, "/up");
    EXPECT_INT(wshub_room_send_here(w.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_room_send_here(w.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    EXPECT(w.hub->gathered);
    EXPECT_INT(move(&p), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT_INT(p.gone, 1);
    EXPECT_INT(p.cause, WSHUB_BY_BACKPRESSURE);
    world_stop(&w);
}

TEST(a_session_without_messages_or_with_those_that_stay_as_they_are_moves) { /* BYE-1 */
    world w;
    polls p;
    wshub_conn up;
    wshub_iter it;
    wshub_client client;
    wshub_client_desc desc;
    wshub_session to, third;
    polls_start(&p, &w, DESC(.user = NULL), FAKE(0), false);
    up = wshub_io_fake_connect(w.net, "/up");
    EXPECT_INT(wshub_session_spans(w.hub, p.session, NULL, 0), 0);
    EXPECT_INT(wshub_client_end(w.hub, p.b, WSHUB_BY_APP, 0, nul()), WSHUB_OK); /* not buried yet */
    to = wshub_conn_session(w.hub, p.conn);
    EXPECT_INT(wshub_session_move(w.hub, p.session, to, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_client_kind(w.hub, p.a), p.polled);
    EXPECT_INT(wshub_client_set_kind(w.hub, p.a, p.framed), WSHUB_OK);
    memset(&it, 0, sizeof it);
    EXPECT(wshub_session_each_client(w.hub, to, &it, &client) && client.id == p.a.id);
    EXPECT(!wshub_session_each_client(w.hub, to, &it, &client));
    send(&p, p.a, "x");
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, up, "x");
    EXPECT_INT(stats(&w).clients, 1);
    world_stop(&w);

    /* without convert */
    polls_start(&p, &w, DESC(.user = NULL), FAKE(0), true);
    up = wshub_io_fake_connect(w.net, "/up");
    EXPECT_INT(wshub_client_set_kind(w.hub, p.a, p.framed), WSHUB_OK);
    EXPECT_INT(wshub_session_lend(w.hub, p.dialect, &p, &third), WSHUB_OK);
    memset(&desc, 0, sizeof desc);
    desc.dialect = p.dialect;
    desc.kind = p.framed;
    EXPECT_INT(wshub_client_add(w.hub, third, &desc, &client), WSHUB_OK);
    send(&p, p.a, "x");
    send(&p, client, "somebody else's, which lies between");
    send(&p, p.a, "y");
    EXPECT_INT(move(&p), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, up, "x");
    EXPECT_TEXT(&w, up, "y");
    world_stop(&w);
}

TEST(a_session_does_not_move_where_it_cannot) { /* SEND-6, CONN-4 */
    world w;
    polls p;
    wshub_conn up, json;
    wshub_session to, other, none = {0};
    wshub_kind_change change;
    size_t queued;
    polls_start(&p, &w, DESC(.user = NULL), FAKE(0), false);
    up = wshub_io_fake_connect(w.net, "/up");
    to = wshub_conn_session(w.hub, p.conn);
    json = world_client(&w, "v", NULL);
    other = wshub_conn_session(w.hub, json);
    change.from = p.polled;
    change.to = 60;
    send(&p, p.a, "one");
    EXPECT_INT(wshub_session_move(w.hub, p.session, to, &change, 1), WSHUB_ERR_PARAM);
    change.from = 60;
    change.to = 0;
    EXPECT_INT(wshub_session_move(w.hub, p.session, to, &change, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_move(w.hub, p.session, to, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_move(w.hub, p.session, p.session, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_move(w.hub, to, other, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_move(w.hub, p.session, other, NULL, 0), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_session_move(w.hub, p.session, none, NULL, 0), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_session_move(w.hub, none, to, NULL, 0), WSHUB_ERR_STALE);

    /* what convert refuses, it refuses all of */
    send(&p, p.a, "bad");
    p.fails = WSHUB_ERR_APP;
    queued = wshub_client_queued_bytes(w.hub, p.a);
    p.rubbish = 7;
    EXPECT_INT(move(&p), WSHUB_ERR_APP);
    p.rubbish = 70000; /* a segment of its own */
    EXPECT_INT(move(&p), WSHUB_ERR_APP);
    EXPECT_INT(wshub_client_queued_bytes(w.hub, p.a), queued);
    EXPECT_INT(wshub_client_kind(w.hub, p.a), p.polled);
    EXPECT(wshub_client_session(w.hub, p.a).id == p.session.id);
    p.fails = WSHUB_OK;

    /* one that has been handed out in part has to be handed out whole before */
    EXPECT_INT(wshub_session_taken(w.hub, p.session, 2), WSHUB_OK);
    EXPECT_INT(wshub_session_taken(w.hub, p.session, 0), WSHUB_OK);
    EXPECT_INT(move(&p), WSHUB_ERR_STATE);
    {
        wshub_span span;
        EXPECT(wshub_session_spans(w.hub, p.session, &span, 1) > 1);
        EXPECT_INT(wshub_session_taken(w.hub, p.session, span.len), WSHUB_OK);
    }
    EXPECT_INT(move(&p), WSHUB_OK);
    wshub_io_fake_run(w.net);
    {
        wshub_io_fake_frame f;
        bool last = false;
        while (wshub_io_fake_next(w.net, up, &f)) last = wshub_str_eq_z(f.payload, "bad");
        EXPECT(last);
    }

    /* a stream that ends takes nobody any more */
    EXPECT_INT(wshub_session_lend(w.hub, p.dialect, &p, &p.session), WSHUB_OK);
    up = wshub_io_fake_connect(w.net, "/up");
    to = wshub_conn_session(w.hub, p.conn);
    EXPECT_INT(wshub_session_end(w.hub, to, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_session_move(w.hub, p.session, to, NULL, 0), WSHUB_ERR_STALE);
    (void)wshub_io_fake_connect(w.net, "/up");
    to = wshub_conn_session(w.hub, p.conn);
    EXPECT_INT(wshub_session_end(w.hub, p.session, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_session_move(w.hub, p.session, to, NULL, 0), WSHUB_ERR_STALE);
    world_stop(&w);
}

TEST(a_move_for_which_there_is_no_memory_leaves_everything_as_it_was) { /* SEND-6 */
    static char long_text[4097];
    bool failed = false, done = false;
    long n;
    memset(long_text, 'x', 4096);
    for (n = 1; n < 60 && !done; n++) {
        world w;
        polls p;
        wshub_conn up;
        wshub_err err;
        size_t queued, bytes;
        int i;
        polls_start(&p, &w, DESC(.user = NULL), FAKE(0), false);
        up = wshub_io_fake_connect(w.net, "/up");
        wshub_io_fake_window(w.net, up, 0);
        for (i = 0; i < 40; i++) send(&p, p.a, long_text); /* more than one segment */
        send(&p, p.a, "end");
        queued = wshub_client_queued_bytes(w.hub, p.a);
        bytes = (size_t)stats(&w).queued_bytes;
        w.fail_at = n;
        err = move(&p);
        w.fail_at = 0;
        checked(w.hub);
        if (err) {
            failed = true;
            EXPECT_INT(err, WSHUB_ERR_NOMEM);
            EXPECT_INT(wshub_client_queued_bytes(w.hub, p.a), queued);
            EXPECT_INT(stats(&w).queued_bytes, bytes);
            EXPECT_INT(wshub_client_kind(w.hub, p.a), p.polled);
            EXPECT_INT(move(&p), WSHUB_OK); /* and there is some again */
        } else {
            done = true;
        }
        wshub_io_fake_window(w.net, up, 1000000);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_client_queued_bytes(w.hub, p.a), 0);
        for (i = 0; i < 40; i++) EXPECT_TEXT(&w, up, long_text);
        EXPECT_TEXT(&w, up, "end");
        EXPECT_INT(stats(&w).queued_bytes, 0);
        world_stop(&w);
    }
    EXPECT(failed && done);
}

TEST(what_is_with_a_transformer_and_what_was_dropped_moves_along) { /* ENC-1, SEND-5, SEND-6 */
    world w;
    polls p;
    wshub_conn up;
    wshub_msg m = msg("late", "1"), big;
    wshub_event e;
    kept_asks_count = 0;
    polls_start(&p, &w,
                DESC(.on_transform_out = keep_event, .on_transform_in = keep_event,
                     .transform_timeout_ms = 1000, .on_pressure = note_pressure),
                FAKE(0), false);
    up = wshub_io_fake_connect(w.net, "/up");
    EXPECT_INT(wshub_client_encrypt(w.hub, p.a), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, p.a, &m), WSHUB_OK);
    memset(&e, 0, sizeof e);
    e.event = S("in");
    EXPECT_INT(wshub_client_receive(w.hub, p.a, &e), WSHUB_OK);
    EXPECT_INT(kept_asks_count, 2);
    EXPECT_INT(move(&p), WSHUB_OK);
    checked(w.hub);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, up, "late"); /* in the words of the wire that it has now */

    /* nothing more of it is read before the inbound one has answered, or has not in time */
    wshub_io_fake_text(w.net, up, "x");
    EXPECT(wshub__session_get(w.hub, wshub_conn_session(w.hub, p.conn))->asked);
    wshub_io_fake_advance(w.net, 1001);
    EXPECT(!wshub__session_get(w.hub, wshub_conn_session(w.hub, p.conn))->asked);
    EXPECT_INT(stats(&w).dropped_transform, 1);
    world_stop(&w);

    /* a message that was dropped in this turn is told, of the same session */
    polls_start(&p, &w, DESC(.backpressure_bytes_max = 10, .on_pressure = note_pressure), FAKE(0),
                false);
    up = wshub_io_fake_connect(w.net, "/up");
    big = msg("much too long for a session that takes nothing", "1");
    send(&p, p.a, "one");
    EXPECT_INT(wshub_client_send(w.hub, p.a, &big), WSHUB_ERR_DROPPED);
    w.log_len = 0;
    w.log[0] = 0;
    EXPECT_INT(move(&p), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(w.log, "b dropped a dropped "); /* all who share it */
    world_stop(&w);
}

static void note_on_off(wshub *hub, wshub_client client, wshub_pressure what, size_t queued,
                        void *user) {
    EXPECT_INT(wshub_client_is_pressured(hub, client), what != WSHUB_PRESSURE_OFF);
    EXPECT_INT(queued > 0, what != WSHUB_PRESSURE_OFF);
    world_note((world *)user, what == WSHUB_PRESSURE_ON ? "on " : "off ");
}

TEST(pressure_moves_along_and_its_end_is_told) { /* SEND-6 */
    int i;
    for (i = 0; i < 4; i++) {
        world w;
        polls p;
        wshub_conn up;
        polls_start(&p, &w, DESC(.on_pressure = note_on_off), FAKE(0), false);
        EXPECT_INT(wshub_client_end(w.hub, p.b, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
        EXPECT_INT(wshub_session_limit(w.hub, p.session, 20, false), WSHUB_OK);
        up = wshub_io_fake_connect(w.net, "/up");
        send(&p, p.a, i == 0 ? "none" : "some"); /* the first: nothing is left when it has moved */
        send(&p, p.a, i == 0 ? "none" : "some");
        wshub_io_fake_run(w.net);
        EXPECT_STR(w.log, "on ");
        if (i >= 2) wshub_io_fake_window(w.net, up, 0);
        if (i == 3) { /* something waits there already */
            EXPECT_INT(wshub_conn_send(w.hub, p.conn, "x", 1, true), WSHUB_OK);
            wshub_io_fake_run(w.net);
        }
        EXPECT_INT(move(&p), WSHUB_OK);
        wshub_io_fake_run(w.net);
        if (i >= 2) {
            EXPECT_STR(w.log, "on ");
            EXPECT(wshub_client_is_pressured(w.hub, p.a));
            wshub_io_fake_window(w.net, up, 1000);
            wshub_io_fake_run(w.net);
        }
        EXPECT_STR(w.log, "on off ");
        world_stop(&w);
    }
}
