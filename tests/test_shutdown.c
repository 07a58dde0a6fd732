/* Hubs that shut down, drain and are destroyed, also from inside their own callbacks; the
 * closed are gone at once, and each is buried and told once (BYE-1, BYE-2). */
#include "hubtest.h"

static void gone(wshub *hub, const wshub_gone *g, void *user) {
    char line[64];
    wshub_msg m = msg("bye", "1");
    (void)wshub_all_send_here(hub, &m, NULL, 0);
    (void)snprintf(line, sizeof line, "%.*s:%d:%d:%d ", (int)g->user_id.len,
                   g->user_id.ptr ? g->user_id.ptr : "", g->state, g->cause, g->code);
    world_note((world *)user, line);
}
static void down(wshub *hub, void *user) {
    EXPECT(wshub_is_down(hub));
    world_note((world *)user, "down");
}

TEST(shutdown_tells_all_and_waits_for_their_answers) { /* BYE-2 */
    world w;
    wshub_conn a, b, u, late;
    wshub_io_fake_frame f;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_disconnected = gone, .on_shutdown = down,
                     .shutdown_timeout_ms = 1000),
                FAKE(0));
    a = world_client(&w, "a", NULL);
    b = world_client(&w, "b", NULL);
    u = wshub_io_fake_connect(w.net, "/ws");
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_run(w.net);
    /* once each, none hears another's */
    EXPECT_STR(w.log, "a:3:8:1001 b:3:8:1001 :1:8:1001 ");
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT_INT(stats(&w).rooms, 0);
    late = wshub_io_fake_open(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, late));
    EXPECT(wshub_io_fake_next(w.net, a, &f) && f.opcode == 8 && f.code == 1001 &&
           wshub_str_eq_z(f.reason, "Server shutting down"));
    wshub_io_fake_send_close(w.net, a, 1001, "");
    EXPECT_CLOSE(&w, u, 1001);
    EXPECT(wshub_is_draining(w.hub) && !wshub_is_down(w.hub));
    wshub_io_fake_advance(w.net, 1000); /* b never answers */
    EXPECT(wshub_is_down(w.hub) && strstr(w.log, "down"));
    EXPECT(!wshub_io_fake_is_open(w.net, b));
    world_stop(&w);
}

TEST(drain_closes_at_a_pace_oldest_first) { /* B6 */
    world w;
    wshub_conn c[10], x;
    int i, open;
    world_start(
        &w, DESC(.on_authenticate = accept_all, .on_shutdown = down, .idle_timeout_ms = WSHUB_OFF),
        FAKE(0));
    for (i = 0; i < 10; i++) c[i] = world_client(&w, NULL, NULL);
    EXPECT_INT(wshub_drain(w.hub, 0, 1001, wshub_str_z("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 10, 1012, wshub_str_z("come back")), WSHUB_OK);
    EXPECT_INT(wshub_drain(w.hub, 10, 1012, wshub_str_z("")), WSHUB_ERR_STATE);
    wshub_io_fake_run(w.net);
    x = wshub_io_fake_connect(w.net, "/ws"); /* refused with 503 */
    EXPECT(x.id == 0);
    wshub_io_fake_advance(w.net, 450);
    for (open = 0, i = 0; i < 10; i++) {
        wshub_io_fake_frame f;
        if (!wshub_io_fake_next(w.net, c[i], &f))
            open++;
        else
            EXPECT_INT(f.code, 1012);
        EXPECT((i < 5) == (open == 0) || i >= 5);
    }
    EXPECT_INT(open, 5);
    wshub_io_fake_advance(w.net, 10000);
    EXPECT(wshub_is_down(w.hub) && strcmp(w.log, "down") == 0);
    world_stop(&w);
}

TEST(destroy_reports_every_client_once) {
    world w;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = gone), FAKE(0));
    (void)world_client(&w, "a", NULL);
    (void)wshub_io_fake_connect(w.net, "/ws");
    world_stop(&w);
    EXPECT_STR(w.log, "a:3:8:1001 :1:8:1001 ");
}

TEST(a_drain_that_fails_can_be_tried_again) {
    world w;
    world_start(&w, DESC(0), FAKE(0));
    w.fail_at = 1;
    EXPECT_INT(wshub_drain(w.hub, 5, 1001, S("later")), WSHUB_ERR_NOMEM);
    EXPECT(!wshub_is_draining(w.hub));
    EXPECT_INT(wshub_drain(w.hub, 5, 1001, S("later")), WSHUB_OK);
    world_stop(&w);
}

static char first_id[37], second_id[37];
static wshub_err in_a_turn(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    wshub_client first = world_handle(w, first_id), found;
    wshub_msg m = msg("late", "1");
    wshub_dest to = {0};
    wshub_iter it;
    wshub_str room;
    int rooms = 0;
    (void)e;
    EXPECT_INT(wshub_client_close(hub, first, 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_close(hub, first, 1000, nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_find(hub, S(first_id), &found), WSHUB_ERR_STALE);
    memset(&to, 0, sizeof to); /* nothing reaches him by his id, whatever the door */
    to.name = S(first_id);
    EXPECT_INT(wshub_send(hub, &to, &m), WSHUB_OK);
    to.kind = WSHUB_DEST_CLIENT;
    EXPECT_INT(wshub_send(hub, &to, &m), WSHUB_OK);
    EXPECT_INT(wshub_room_send_here(hub, S(first_id), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_room_count(hub, S(first_id)), 0);
    memset(&it, 0, sizeof it);
    while (wshub_room_each(hub, &it, &room)) {
        rooms++;
        EXPECT(!wshub_str_eq_z(room, first_id));
    }
    EXPECT_INT(rooms, 3); /* two default rooms and the second's own */
    memset(&it, 0, sizeof it);
    while (wshub_room_each_member(hub, S("ws-default"), &it, &found)) EXPECT(found.id == c.id);
    memset(&it, 0, sizeof it);
    EXPECT(wshub_client_each(hub, &it, &found) && found.id == c.id &&
           !wshub_client_each(hub, &it, &found));
    /* a room by that name is nobody's now */
    EXPECT_INT(wshub_client_join(hub, c, S(first_id)), WSHUB_OK);
    EXPECT_INT(wshub_room_count(hub, S(first_id)), 1);
    EXPECT_INT(wshub_client_join(hub, c, S("mine")), WSHUB_OK);
    return WSHUB_OK;
}

TEST(the_gone_are_gone_at_once) { /* BYE-1 */
    world w;
    wshub_conn a, b;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = in_a_turn), FAKE(0));
    a = world_client(&w, "u", first_id);
    b = world_client(&w, "u", second_id);
    wshub_io_fake_text(w.net, b, "{\"event\":\"go\"}");
    EXPECT_CLOSE(&w, a, 1000);
    EXPECT_SILENCE(&w, b);
    EXPECT_INT(wshub_room_count(w.hub, S(first_id)), 1);
    {
        wshub_iter it;
        wshub_client c;
        wshub_conn third = world_client(&w, "u", first_id), none = {0};
        EXPECT(!wshub_client_in_room(w.hub, world_handle(&w, first_id), S("mine")));
        memset(&it, 0, sizeof it);
        EXPECT(wshub_client_each(w.hub, &it, &c));
        /* the one seen last is buried meanwhile: the walk goes on behind it */
        wshub_io_fake_end(w.net, b);
        EXPECT(wshub_client_each(w.hub, &it, &c) && c.id == world_handle(&w, first_id).id &&
               !wshub_client_each(w.hub, &it, &c));
        wshub_io_fake_end(w.net, third);
        wshub_io_fake_run(w.net);
        /* the number of no stream, while slot 0 is free */
        wshub_conn_received(w.hub, none, NULL, 1);
    }
    world_stop(&w);
}

/* on_disconnected of one closes another, or ends the hub. */
static int ending, gone_told;
static void on_gone(wshub *hub, const wshub_gone *gone, void *user) {
    world *w = (world *)user;
    (void)gone;
    gone_told++;
    if (ending == 1) (void)wshub_client_close(hub, world_handle(w, second_id), 1000, nul());
    if (ending == 3) EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
    if (ending >= 2) wshub_destroy(hub);
}
static void not_down(wshub *hub, void *user) {
    (void)hub;
    (void)user;
    EXPECT_INT(ending, 1); /* a hub that is destroyed has not shut down */
}

TEST(burials_that_lead_to_burials) { /* BYE-1, BYE-2 */
    for (ending = 1; ending <= 3; ending++) {
        world w;
        wshub_conn a, b;
        gone_told = 0;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_disconnected = on_gone,
                         .on_shutdown = not_down),
                    FAKE(0));
        a = world_client(&w, "u", first_id);
        b = ending == 3 ? a : world_client(&w, "u", second_id);
        if (ending == 1) {
            /* the oldest first; the pace has the second too */
            EXPECT_INT(wshub_drain(w.hub, 1000, 1012, nul()), WSHUB_OK);
            wshub_io_fake_run(w.net);
            EXPECT_CLOSE(&w, a, 1012);
            EXPECT_CLOSE(&w, b, 1000);
            wshub_io_fake_advance(w.net, 10000);
            EXPECT(wshub_is_down(w.hub));
        } else if (ending == 3) { /* the last stream has ended; shut down and destroyed at once */
            w.hub = NULL;
            wshub_io_fake_end(w.net, a);
        } else {
            wshub *hub = w.hub;
            EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
            w.hub = NULL;
            wshub_io_fake_run(w.net);
        }
        EXPECT_INT(gone_told, ending == 3 ? 1 : 2);
        world_stop(&w);
    }
    ending = 0;
}

static wshub_conn other_conn;

/* An io that still says closed() while it is left. */
static void (*true_attach)(void *ctx, const wshub_io_owner *owner);
static wshub *parting_hub;
static void talkative_attach(void *ctx, const wshub_io_owner *owner) {
    if (!owner && parting_hub) wshub_conn_closed(parting_hub, other_conn);
    true_attach(ctx, owner);
}

TEST(an_io_that_talks_while_it_is_left) {
    world w;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    other_conn = world_client(&w, "u", NULL);
    true_attach = w.hub->io.attach;
    w.hub->io.attach = talkative_attach;
    parting_hub = w.hub;
    world_stop(&w);
    parting_hub = NULL;
}

static void destroy_on_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    wshub_destroy(hub);
    EXPECT_INT(wshub_auth_accept(hub, ask, NULL), WSHUB_OK); /* too late to tell anybody */
}
static wshub_err never_connected(wshub *hub, wshub_client c, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    EXPECT(!"told of a client while the hub ends");
    return WSHUB_OK;
}

TEST(accepted_while_the_hub_ends) {
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = destroy_on_auth, .on_connected = never_connected),
                FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    w.hub = NULL;
    wshub_io_fake_text(w.net, c, AUTH);
    world_stop(&w);
}

static bool destroy_on_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    (void)r;
    (void)h;
    (void)user;
    wshub_destroy(hub);
    return false;
}

TEST(a_request_may_end_the_hub) {
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_request = destroy_on_request), FAKE(0));
    c = wshub_io_fake_open(w.net);
    w.hub = NULL;
    wshub_io_fake_input(w.net, c, GET GET, 2 * (sizeof GET - 1));
    world_stop(&w);
}

TEST(a_hub_that_is_down_takes_nothing_to_publish) { /* BYE-2: what is accepted is delivered */
    world w;
    wshub_msg m = msg("m", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT(wshub_is_down(w.hub));
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_ERR_CLOSED);
    world_stop(&w);
}
