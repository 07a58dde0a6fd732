/* Further kinds of wire (>>api-dialect): what is written for whom, how often, in which order, within
 * which limits, and what the transformer makes of it. What is gathered: tests/test_kinds_gathered.c. */
#include "kinds_site.h"

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
