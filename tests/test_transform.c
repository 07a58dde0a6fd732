/* Encrypted clients: order, batches, failures, both directions, what the transformer holds and
 * who is asked no more (ENC-1 to ENC-4, SEND-5, SEND-6, AUTH-5, AUTH-6). */
#include "hubtest.h"

static struct {
    wshub_ask ask;
    char data[32];
    bool done;
} out[4096];
static int out_count, out_open, out_most;
static void later(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    out[out_count].ask = ask;
    out[out_count].done = false;
    (void)snprintf(out[out_count++].data, 32, "%.*s", (int)e->data.len, e->data.ptr);
    if (++out_open > out_most) out_most = out_open;
}
static wshub_err encrypt_me(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)e;
    (void)user;
    return wshub_client_encrypt(hub, c);
}

TEST(answers_in_any_order_keep_each_client_in_order) { /* SEND-5 */
    uint32_t seed;
    for (seed = 1; seed <= 20; seed++) {
        world w;
        wshub_conn c[4];
        char id[4][37];
        uint32_t x = seed;
        int i, n[4] = {0, 0, 0, 0}, k;
        out_count = out_open = out_most = 0;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_message = encrypt_me,
                         .on_transform_out = later, .encrypted_batch_max = 3),
                    FAKE(0));
        for (i = 0; i < 4; i++) {
            c[i] = world_client(&w, NULL, id[i]);
            if (i) wshub_io_fake_text(w.net, c[i], "{\"event\":\"x\"}");
        }
        for (i = 0; i < 60; i++) {
            char data[16];
            wshub_msg m;
            (void)snprintf(data, sizeof data, "%d", i);
            m = msg("m", data);
            if (i % 3)
                EXPECT_INT(wshub_room_send_here(w.hub, wshub_str_z("ws-default"), &m, NULL, 0),
                           WSHUB_OK);
            else
                EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[1]), &m), WSHUB_OK);
            while (x % 3 == 0 || (i == 59 && out_open)) { /* answer one at random */
                x = x * 1664525 + 1013904223;
                for (k = (int)(x >> 8) % out_count; out[k].done; k = (k + 1) % out_count) {
                    if (out_open == 0) break;
                }
                if (!out_open) break;
                out[k].done = true;
                out_open--;
                if (k % 5 == 4) {
                    EXPECT_INT(wshub_ask_fail(w.hub, out[k].ask), WSHUB_OK);
                } else if (k % 2) {
                    EXPECT_INT(wshub_transform_accept(w.hub, out[k].ask, NULL), WSHUB_OK);
                } else {
                    wshub_msg t = msg("secret", out[k].data);
                    EXPECT_INT(wshub_transform_accept(w.hub, out[k].ask, &t), WSHUB_OK);
                }
                EXPECT_INT(wshub_ask_reject(w.hub, out[k].ask), WSHUB_ERR_STALE);
            }
            x = x * 1664525 + 1013904223;
            wshub_io_fake_run(w.net);
        }
        wshub_io_fake_run(w.net);
        for (i = 0; i < 4; i++) {
            wshub_io_fake_frame f;
            int last = -1;
            while (wshub_io_fake_next(w.net, c[i], &f)) {
                wshub_str d = wshub_json_get(f.payload, "data");
                int v = d.ptr ? atoi(d.ptr) : -2;
                EXPECT_OP(v, >, last);
                last = v;
                n[i]++;
            }
        }
        EXPECT_INT(n[0], 40); /* not encrypted: all, at once */
        EXPECT_INT(n[1] + n[2] + n[3] + (int)stats(&w).dropped_transform, 60 + 40 + 40);
        EXPECT(stats(&w).dropped_transform > 10);
        world_stop(&w);
    }
}

TEST(no_more_than_the_batch_runs_for_one_fan_out) { /* ENC-3 */
    world w;
    int i;
    out_count = out_open = out_most = 0;
    world_start(
        &w,
        DESC(.on_authenticate = accept_all, .on_message = encrypt_me, .on_transform_out = later),
        FAKE(0));
    for (i = 0; i < 50; i++)
        wshub_io_fake_text(w.net, world_client(&w, NULL, NULL), "{\"event\":\"x\"}");
    {
        wshub_msg m = msg("m", "1");
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    }
    EXPECT_INT(out_open, 10);
    for (i = 0; i < out_count; i++) {
        out_open--;
        EXPECT_INT(wshub_transform_accept(w.hub, out[i].ask, NULL), WSHUB_OK);
        EXPECT_OP(out_open, <=, 10);
    }
    EXPECT_INT(out_count, 50);
    EXPECT_INT(out_most, 10);
    world_stop(&w);
}

TEST(a_client_that_leaves_takes_its_transformations_along) {
    world w;
    wshub_conn c[12];
    int i;
    wshub_msg m = msg("m", "1");
    out_count = out_open = out_most = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_message = encrypt_me,
                     .on_transform_out = later, .encrypted_batch_max = 2),
                FAKE(0));
    for (i = 0; i < 12; i++) {
        c[i] = world_client(&w, NULL, NULL);
        wshub_io_fake_text(w.net, c[i], "{\"event\":\"x\"}");
    }
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(out_count, 6);
    /* those that run among them: others take their turn */
    for (i = 0; i < 6; i++) wshub_io_fake_end(w.net, c[i]);
    for (i = 0; i < out_count; i++) (void)wshub_transform_accept(w.hub, out[i].ask, NULL);
    wshub_io_fake_run(w.net);
    for (i = 6; i < 12; i++) {
        EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
        EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
        EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
    }
    world_stop(&w);
}

static wshub_ask in_ask;
static int in_mode;
static void inbound(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m = msg("open", "\"text\"");
    (void)c;
    (void)user;
    EXPECT_OP(e->event.len, >, 0);
    in_ask = ask;
    if (in_mode == 0) EXPECT_INT(wshub_transform_accept(hub, ask, NULL), WSHUB_OK);
    if (in_mode == 1) EXPECT_INT(wshub_transform_accept(hub, ask, &m), WSHUB_OK);
    if (in_mode == 2) EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_OK);
}
static wshub_err note_event(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    char line[64];
    if (wshub_str_eq_z(e->event, "encrypt")) return wshub_client_encrypt(hub, c);
    (void)snprintf(line, sizeof line, "%.*s=%.*s ", (int)e->event.len, e->event.ptr,
                   (int)e->data.len, e->data.ptr ? e->data.ptr : "");
    world_note((world *)user, line);
    return WSHUB_OK;
}

/* ENC-3: its place in the line is cleared, whatever runs */
TEST(who_waits_behind_a_full_batch_and_leaves_costs_no_turn) {
    world w;
    wshub_conn c[4];
    int i;
    wshub_msg m = msg("m", "1");
    out_count = out_open = out_most = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_message = encrypt_me,
                     .on_transform_out = later, .encrypted_batch_max = 1),
                FAKE(0));
    for (i = 0; i < 4; i++) {
        c[i] = world_client(&w, NULL, NULL);
        wshub_io_fake_text(w.net, c[i], "{\"event\":\"x\"}");
    }
    /* the first is asked for, three wait */
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_end(w.net, c[2]);
    for (i = 0; i < 3; i++) {
        EXPECT_INT(out_count, i + 1);
        EXPECT_INT(wshub_transform_accept(w.hub, out[i].ask, NULL), WSHUB_OK);
    }
    EXPECT_INT(out_count, 3);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 4; i++) {
        if (i != 2) EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
    }
    EXPECT_INT(stats(&w).transform_bytes, 0);
    world_stop(&w);
}

/* SEND-6, SEND-5: one answer lets three go */
TEST(what_is_ready_behind_the_message_that_ended_its_client_is_dropped) {
    world w;
    wshub_conn c;
    char id[37];
    int i;
    char big[5000];
    wshub_msg m = msg("m", "1"), secret;
    memset(big, '1', sizeof big - 1);
    big[sizeof big - 1] = 0;
    secret = msg("s", big);
    out_count = out_open = out_most = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_transform_out = later,
                     .close_on_backpressure = true, .backpressure_bytes_max = 4000),
                FAKE(0));
    c = world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_encrypt(w.hub, world_handle(&w, id)), WSHUB_OK);
    wshub_io_fake_window(w.net, c, 0);
    for (i = 0; i < 4; i++)
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    for (i = 3; i > 0; i--) EXPECT_INT(wshub_transform_accept(w.hub, out[i].ask, NULL), WSHUB_OK);
    EXPECT_INT(stats(&w).dropped_pressure + stats(&w).dropped_transform, 0);
    /* longer than the limit, and nothing before it */
    EXPECT_INT(wshub_transform_accept(w.hub, out[0].ask, &secret), WSHUB_OK);
    EXPECT_INT(stats(&w).dropped_pressure, 1);
    EXPECT_INT(stats(&w).dropped_transform, 2);
    EXPECT_INT(wshub_client_state(w.hub, world_handle(&w, id)), WSHUB_CLIENT_DISCONNECTED);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).transform_bytes, 0);
    world_stop(&w);
}

TEST(inbound_events_are_opened_before_they_are_dispatched_and_keep_their_order) {
    int no_pause;
    for (no_pause = 0; no_pause < 2; no_pause++) {
        world w;
        wshub_conn c;
        char id[37];
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_message = note_event,
                         .on_transform_in = inbound, .on_join = join_all),
                    FAKE(.no_pause = no_pause));
        c = world_client(&w, NULL, id);
        in_mode = 1;
        wshub_io_fake_text(w.net, c, "{\"event\":\"plain\",\"data\":0}");
        wshub_io_fake_text(w.net, c, "{\"event\":\"encrypt\"}");
        in_mode = 0;
        wshub_io_fake_text(w.net, c, "{\"event\":\"a\",\"data\":[1]}");
        in_mode = 1;
        wshub_io_fake_text(w.net, c, "{\"event\":\"b\",\"data\":2}");
        in_mode = 2;
        wshub_io_fake_text(w.net, c, "{\"event\":\"c\",\"data\":3}");
        wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}");
        in_mode = 3; /* later: what follows waits */
        wshub_io_fake_text(w.net, c, "{\"event\":\"d\",\"data\":4}");
        wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"r\"]}}");
        in_mode = 0;
        wshub_io_fake_text(w.net, c, "{\"event\":\"e\"}");
        EXPECT_STR(w.log, "plain=0 a=[1] open=\"text\" ");
        EXPECT(!wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z("r")));
        EXPECT_INT(wshub_transform_accept(w.hub, in_ask, NULL), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_STR(w.log, "plain=0 a=[1] open=\"text\" d=4 e= ");
        EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z("r")));
        EXPECT_INT(stats(&w).dropped_transform, 1);
        in_mode = 3;
        wshub_io_fake_text(w.net, c, "{\"event\":\"f\"}");
        wshub_io_fake_end(w.net, c);
        EXPECT_INT(wshub_transform_accept(w.hub, in_ask, NULL), WSHUB_ERR_STALE);
        world_stop(&w);
    }
}

/* ENC-1, MSG-7: whatever the transformer makes of an event, on_message hears the id that the client gave it */
static wshub_err note_id(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    char line[64];
    if (wshub_str_eq_z(e->event, "encrypt")) return wshub_client_encrypt(hub, c);
    (void)snprintf(line, sizeof line, "%.*s=%.*s#%.*s ", (int)e->event.len, e->event.ptr,
                   (int)e->data.len, e->data.ptr ? e->data.ptr : "", (int)e->id.len,
                   e->id.ptr ? e->id.ptr : "");
    world_note((world *)user, line);
    return WSHUB_OK;
}
TEST(the_id_of_an_event_outlives_the_inbound_transformer) {
    static const char *const frames[] = {"{\"event\":\"a\",\"data\":[1],\"id\":17}",
                                         "{\"id\":\"x\",\"event\":\"b\"}",
                                         "{\"event\":\"c\",\"data\":3}"};
    world w;
    wshub_conn c;
    size_t i;
    world_start(
        &w, DESC(.on_authenticate = accept_all, .on_message = note_id, .on_transform_in = inbound),
        FAKE(.no_pause = 0));
    c = world_client(&w, NULL, NULL);
    in_mode = 3; /* later */
    wshub_io_fake_text(w.net, c, "{\"event\":\"encrypt\"}");
    for (i = 0; i < 3; i++) {
        wshub_msg other = msg("open", "5");
        wshub_io_fake_text(w.net, c, frames[i]);
        EXPECT_INT(wshub_transform_accept(w.hub, in_ask, NULL), WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_text(w.net, c, frames[i]);
        EXPECT_INT(wshub_transform_accept(w.hub, in_ask, &other), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    EXPECT_STR(w.log, "a=[1]#17 open=5#17 b=#\"x\" open=5#\"x\" c=3# open=5# ");
    world_stop(&w);
}

/* MSG-7: what servers alone say never reaches on_message, in clear or behind the transformer */
TEST(events_that_servers_alone_send_are_dropped_and_counted) {
    static const char *const words[] = {"connected", "disconnect", "error", "encrypted"};
    world w;
    wshub_conn c;
    int encrypted;
    size_t i;
    world_start(
        &w, DESC(.on_authenticate = accept_all, .on_message = note_id, .on_transform_in = inbound),
        FAKE(.no_pause = 0));
    c = world_client(&w, NULL, NULL);
    in_mode = 0;
    for (encrypted = 0; encrypted < 2; encrypted++) {
        for (i = 0; i < 4; i++) {
            char text[64];
            (void)snprintf(text, sizeof text, "{\"event\":\"%s\",\"data\":{}}", words[i]);
            wshub_io_fake_text(w.net, c, text);
            EXPECT_INT(stats(&w).msg_ignored, (uint64_t)encrypted * 4 + i + 1);
        }
        wshub_io_fake_text(w.net, c, "{\"event\":\"encrypt\"}");
    }
    wshub_io_fake_text(w.net, c, "{\"event\":\"connecte\"}");
    EXPECT_STR(w.log, "connecte=# ");
    world_stop(&w);
}

static wshub_ask hs_ask;
static void handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)hub;
    (void)user;
    EXPECT(wshub_str_eq_z(h->data, "{\"user\":\"u\"}") && wshub_str_eq_z(h->user_id, "u"));
    hs_ask = ask;
}

TEST(nothing_goes_in_clear_while_keys_are_being_agreed) { /* AUTH-6, SEND-2 */
    world w;
    wshub_conn c;
    wshub_client h;
    wshub_iter it = {0, 0};
    wshub_msg m = msg("m", "1");
    wshub_dest to = {0};
    world_start(
        &w,
        DESC(.on_authenticate = accept_all, .require_encryption = true, .on_handshake = handshake),
        FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\",\"data\":{\"user\":\"u\"}}");
    EXPECT(wshub_client_each(w.hub, &it, &h));
    EXPECT_INT(wshub_client_state(w.hub, h), WSHUB_CLIENT_AUTHENTICATING);
    EXPECT_INT(wshub_client_send(w.hub, h, &m), WSHUB_ERR_CLEAR);
    EXPECT_INT(wshub_client_join(w.hub, h, wshub_str_z("r")), WSHUB_OK);
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_CLIENT;
    to.name = wshub_client_id(w.hub, h);
    EXPECT_INT(wshub_send(w.hub, &to, &m), WSHUB_OK);
    EXPECT_INT(wshub_room_send_here(w.hub, wshub_str_z("r"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_user_send_here(w.hub, wshub_str_z("u"), &m), WSHUB_OK);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, c);
    EXPECT_INT(stats(&w).clear_refused, 3);
    EXPECT_INT(wshub_handshake_accept(w.hub, hs_ask, wshub_str_z("K"), wshub_str_z("")), WSHUB_OK);
    EXPECT(wshub_client_is_encrypted(w.hub, h));
    wshub_io_fake_run(w.net);
    {
        wshub_io_fake_frame f;
        EXPECT(wshub_io_fake_next(w.net, c, &f) &&
               strstr(f.payload.ptr, "\"serverPublicKey\":\"K\",\"salt\":\"\""));
    }
    world_stop(&w);
}

static char first_id[37], second_id[37];

TEST(transformed_to_nothing_and_from_nothing) { /* ENC-1 */
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg empty = msg("", NULL), none = msg("e", NULL), bad = msg("x", "{");
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                     .on_transform_out = keep_event),
                FAKE(0));
    c = world_client(&w, "u", id);
    kept_asks_count = 0;
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &empty), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &none), WSHUB_OK);
    EXPECT_INT(kept_asks_count, 2);
    bad.event = nul();
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], &bad), WSHUB_ERR_PARAM);
    bad.event = S("\xFF");
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], &bad), WSHUB_ERR_PARAM);
    bad.event = S("x");
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], &bad), WSHUB_ERR_JSON);
    bad = msg("a longer event than before",
              "\"and data that takes more room than there is at first\"");
    w.fail_at = 2;
    /* and stays open */
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], &bad), WSHUB_ERR_NOMEM);
    w.fail_at = 0;
    bad.data_is_json = true;
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[1], &bad), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, c); /* the first comes first */
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], &empty), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c, "{\"event\":\"\"}");
    EXPECT_TEXT(&w, c,
                "{\"event\":\"a longer event than before\",\"data\":\"and data that takes more "
                "room than there is at first\"}");
    world_stop(&w);
}

static int out_asked;
static void close_next(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                       void *user) {
    world *w = (world *)user;
    (void)c;
    (void)e;
    out_asked++;
    EXPECT_INT(wshub_client_close(hub, world_handle(w, second_id), 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(hub, ask, NULL), WSHUB_OK);
}
static void destroy_on_out(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                           void *user) {
    (void)ask;
    (void)c;
    (void)e;
    (void)user;
    out_asked++;
    wshub_destroy(hub);
}

TEST(nobody_is_asked_while_the_hub_ends) {
    world w;
    wshub *hub;
    wshub_msg m = msg("e", "1");
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                     .on_transform_out = destroy_on_out),
                FAKE(0));
    out_asked = 0;
    (void)world_client(&w, "u", NULL);
    (void)world_client(&w, "u", NULL);
    hub = w.hub;
    w.hub = NULL;
    EXPECT_INT(wshub_room_send_here(hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(out_asked, 1);
    world_stop(&w);
}

TEST(nobody_is_asked_about_the_gone) {
    world w;
    wshub_conn a, b;
    wshub_msg m = msg("e", "1");
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                     .on_transform_out = close_next),
                FAKE(0));
    out_asked = 0;
    b = world_client(&w, "u", second_id);
    wshub_io_fake_hold(w.net, false);
    a = world_client(&w, "u", first_id);
    { /* the first in the room is asked about first; that closes the other */
        char keep[37];
        memcpy(keep, first_id, 37);
        memcpy(first_id, second_id, 37);
        memcpy(second_id, keep, 37);
    }
    EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(out_asked, 1);
    EXPECT_TEXT(&w, b, "{\"event\":\"e\",\"data\":1}");
    EXPECT_CLOSE(&w, a, 1000);
    world_stop(&w);
}

static void encrypted_world(world *w, char id[37], wshub_conn *c, uint32_t max) {
    world_start(w,
                DESC(.on_authenticate = accept_all, .on_transform_out = keep_every_event,
                     .backpressure_bytes_max = max, .encrypted_batch_max = 4096),
                FAKE(0));
    *c = world_client(w, NULL, id);
    EXPECT_INT(wshub_client_encrypt(w->hub, world_handle(w, id)), WSHUB_OK);
    every_ask_count = 0;
}

TEST(what_the_transformer_holds_is_counted_as_what_it_is) { /* SEND-6, ENC-1 */
    static const size_t sizes[] = {2, 100, 5000, 200000};
    uint32_t s, replaced;
    for (s = 0; s < 4; s++) {
        for (replaced = 0; replaced < 2; replaced++) {
            world w;
            wshub_conn c;
            char id[37];
            size_t before, max = 100000, most;
            uint32_t i, sent = 0;
            wshub_msg m = msg("m", json_string(sizes[s]));
            encrypted_world(&w, id, &c, (uint32_t)max);
            before = w.bytes;
            for (i = 0; i < 4000; i++) {
                wshub_err err = wshub_client_send(w.hub, world_handle(&w, id), &m);
                EXPECT(err == WSHUB_OK || err == WSHUB_ERR_DROPPED || err == WSHUB_ERR_NOMEM);
                sent += every_ask_count > sent;
            }
            EXPECT(sent >= 1 && stats(&w).dropped_pressure == 4000 - sent);
            most = w.bytes - before;
            EXPECT_OP(most, <,
                      max + max / 8 + 2 * sizes[s] + 20000); /* pages of questions come whole */
            /* a page of them was there */
            EXPECT(stats(&w).transform_bytes <= most + WSHUB__PAGE * sizeof(wshub__ask));
            EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)),
                       stats(&w).transform_bytes);
            for (i = sent; i > 1; i--) /* from behind: the answers wait, and count too */
                EXPECT_INT(wshub_transform_accept(w.hub, every_ask[i - 1], replaced ? &m : NULL),
                           WSHUB_OK);
            EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)),
                       stats(&w).transform_bytes);
            EXPECT(!replaced || stats(&w).transform_bytes >= (sent - 1) * 2 * sizes[s]);
            EXPECT_INT(wshub_transform_accept(w.hub, every_ask[0], NULL), WSHUB_OK);
            wshub_io_fake_run(w.net);
            EXPECT_INT(stats(&w).transform_bytes, 0);
            for (i = 0; i < sent; i++) {
                wshub_io_fake_frame f;
                EXPECT(wshub_io_fake_next(w.net, c, &f) && f.payload.len == sizes[s] + 21);
            }
            world_stop(&w);
        }
    }
}

/* SEND-6: behind others that wait there too, up to the limit */
TEST(a_message_of_any_length_passes_the_transformer) {
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("m", json_string(50000)), small = msg("s", "1");
    wshub_io_fake_frame f;
    encrypted_world(&w, id, &c, 1000);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &small), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(every_ask_count, 2);
    /* more than the limit waits there now */
    (void)wshub_client_send(w.hub, world_handle(&w, id), &small);
    EXPECT_INT(stats(&w).dropped_pressure, 1);
    EXPECT_INT(wshub_transform_accept(w.hub, every_ask[0], NULL), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, every_ask[1], NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.payload.len == 23 - 1);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.payload.len == 50021);
    wshub_io_fake_window(w.net, c, 0); /* one who does not read: both count together */
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &small), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, every_ask[2], NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    (void)wshub_client_send(w.hub, world_handle(&w, id), &m);
    EXPECT_INT(stats(&w).dropped_pressure, 2);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_io_fake_run(w.net);
    world_stop(&w);
}
