/* Within one turn: who is closed but not yet buried, callbacks that come back into the hub or end it, memory that ends at
 * the worst place, ios that complete late or answer oddly. Each was reached by no other test (tests/coverage.sh). */
#include "hubtest.h"

static wshub_str S(const char *z) { return wshub_str_z(z); }
static wshub_str nul(void) { return wshub__str(NULL, 0); }
#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define AUTH "{\"event\":\"authenticate\",\"data\":{\"user\":\"u\"}}"

static wshub_ask kept[8];
static size_t kept_count;
static void keep_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)hub;
    (void)auth;
    (void)user;
    kept[kept_count++ % 8] = ask;
}
static void keep_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    (void)hub;
    (void)hs;
    (void)user;
    kept[kept_count++ % 8] = ask;
}
static void keep_event(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    kept[kept_count++ % 8] = ask;
}
static wshub_request request;
static bool keep_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    request = r;
    return true;
}

/* A client that does not read holds the log's segment, and nothing more fits into it. */
static void fill_log(world *w) {
    wshub_msg m = msg("held", "1");
    char id[37];
    wshub_conn c = world_client(w, "holder", id);
    wshub_io_fake_window(w->net, c, 0);
    EXPECT_INT(wshub_client_send(w->hub, world_handle(w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w->net);
    w->hub->log->used = w->hub->log->cap;
}
/* And from here on no allocation succeeds, until mend(). */
static void starve(world *w) {
    w->hub->log->used = w->hub->log->cap;
    w->fail_all = true;
}
static void mend(world *w) { w->fail_all = false; }

/* ---- closed, not yet buried ---- */

static char first_id[37], second_id[37];
static wshub_err in_a_turn(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    wshub_client first = world_handle(w, first_id), found;
    wshub_msg m = msg("late", "1");
    wshub_dest to;
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
    EXPECT_INT(wshub_room_send(hub, S(first_id), &m, NULL, 0), WSHUB_OK);
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
    EXPECT(wshub_client_each(hub, &it, &found) && found.id == c.id && !wshub_client_each(hub, &it, &found));
    EXPECT_INT(wshub_client_join(hub, c, S(first_id)), WSHUB_OK); /* a room by that name is nobody's now */
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
        wshub_io_fake_end(w.net, b); /* the one seen last is buried meanwhile: the walk goes on behind it */
        EXPECT(wshub_client_each(w.hub, &it, &c) && c.id == world_handle(&w, first_id).id && !wshub_client_each(w.hub, &it, &c));
        wshub_io_fake_end(w.net, third);
        wshub_io_fake_run(w.net);
        wshub_conn_received(w.hub, none, NULL, 1); /* the number of no stream, while slot 0 is free */
    }
    world_stop(&w);
}

static wshub_err join_me(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)e;
    (void)user;
    EXPECT_INT(wshub_client_join(hub, c, S(first_id)), WSHUB_OK);
    return wshub_str_eq_z(e->event, "fail") ? WSHUB_ERR_APP : WSHUB_OK;
}
static wshub_err connected_says;
static wshub_err on_connected(wshub *hub, wshub_client c, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    return connected_says;
}
TEST(what_is_counted_when_a_client_comes) { /* AUTH-7: a failure is logged only */
    int i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        connected_says = i ? WSHUB_ERR_APP : WSHUB_OK;
        world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = on_connected), FAKE(0));
        c = world_client(&w, "u", first_id);
        EXPECT(wshub_io_fake_is_open(w.net, c) && wshub_client_state(w.hub, world_handle(&w, first_id)) == WSHUB_CLIENT_AUTHENTICATED);
        EXPECT_INT(stats(&w).app_failures, i);
        EXPECT_INT(stats(&w).messages_out, 1);
        EXPECT_INT(stats(&w).messages_in, 1);
        EXPECT_INT(stats(&w).auth_accepted, 1);
        EXPECT_INT(stats(&w).authenticated, 1);
        EXPECT_INT(stats(&w).upgrades, 1);
        EXPECT_INT(stats(&w).http_requests, 1);
        EXPECT_INT(stats(&w).conns_opened, 1);
        world_stop(&w);
    }
}
static void keep_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)hub;
    (void)join;
    (void)user;
    kept[kept_count++ % 8] = ask;
}
TEST(what_is_counted_when_questions_are_answered) { /* AUTH-4, AUTH-5, ROOM-2 */
    static const struct { int asked; bool handshake, failed; uint64_t rejected, failures, app_failures, joins; } t[] = {
        {1, false, false, 1, 0, 0, 0}, {1, false, true, 0, 1, 0, 0}, {2, true, false, 1, 0, 0, 0}, {2, true, true, 0, 1, 0, 0}, {3, false, false, 0, 0, 0, 1}, {3, false, true, 0, 0, 1, 1},
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        wshub_conn c;
        wshub_str reason = S("123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123");
        world_start(&w, DESC(.on_authenticate = keep_auth, .on_handshake = keep_handshake, .on_join = keep_join, .on_transform_out = keep_event, .require_encryption = t[i].handshake), FAKE(0));
        kept_count = 0;
        c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        if (t[i].asked > 1) EXPECT_INT(wshub_auth_accept(w.hub, kept[0], NULL), WSHUB_OK);
        if (t[i].asked > 2) {
            wshub_io_fake_run(w.net);
            wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
        }
        EXPECT_INT(kept_count, t[i].asked == 1 ? 1 : 2);
        EXPECT_INT((t[i].failed ? wshub_ask_fail : wshub_ask_reject)(w.hub, kept[kept_count - 1]), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(stats(&w).auth_rejected, t[i].rejected);
        EXPECT_INT(stats(&w).auth_failed, t[i].failures);
        EXPECT_INT(stats(&w).app_failures, t[i].app_failures);
        EXPECT_INT(stats(&w).joins_refused, t[i].joins);
        EXPECT_INT(stats(&w).auth_accepted, t[i].asked == 3);
        if (t[i].asked == 3) { /* he stays, and may be told why he goes in 123 bytes */
            wshub_iter it;
            wshub_client client;
            memset(&it, 0, sizeof it);
            EXPECT(wshub_client_each(w.hub, &it, &client));
            EXPECT_INT(wshub_client_close(w.hub, client, 1000, wshub__str(reason.ptr, 124)), WSHUB_ERR_PARAM);
            EXPECT_INT(wshub_client_close(w.hub, client, 1000, reason), WSHUB_OK);
        }
        world_stop(&w);
    }
}
TEST(streams_that_end_with_something_to_send) { /* their marks go with them */
    world w;
    wshub_conn c[5];
    char ids[5][37];
    int i;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 5; i++) c[i] = world_client(&w, "u", ids[i]);
    wshub_io_fake_hold(w.net, true);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_conn_closed(w.hub, c[1]); /* in the same turn */
    wshub_conn_closed(w.hub, c[3]);
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c[0], "{\"event\":\"e\",\"data\":1}");
    EXPECT_TEXT(&w, c[4], "{\"event\":\"e\",\"data\":1}");
    EXPECT_SILENCE(&w, c[1]);
    EXPECT_INT(stats(&w).clients, 3);
    EXPECT_INT(stats(&w).conns_closed, 2);
    world_stop(&w);
}

TEST(an_own_id_room_with_two_members) {
    world w;
    wshub_conn a, b;
    wshub_msg m = msg("both", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = join_me), FAKE(0));
    a = world_client(&w, "u", first_id);
    b = world_client(&w, "u", second_id);
    wshub_io_fake_text(w.net, b, "{\"event\":\"go\"}");
    wshub_io_fake_text(w.net, b, "{\"event\":\"fail\"}"); /* joining twice is joining once; MSG-8 */
    EXPECT_INT(stats(&w).app_failures, 1);
    EXPECT_INT(wshub_room_send(w.hub, S(first_id), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, a, "{\"event\":\"both\",\"data\":1}");
    EXPECT_TEXT(&w, b, "{\"event\":\"both\",\"data\":1}");
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
        world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = on_gone, .on_shutdown = not_down), FAKE(0));
        a = world_client(&w, "u", first_id);
        b = ending == 3 ? a : world_client(&w, "u", second_id);
        if (ending == 1) {
            EXPECT_INT(wshub_drain(w.hub, 1000, 1012, nul()), WSHUB_OK); /* the oldest first; the pace has the second too */
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

/* ---- callbacks that come back ---- */

static wshub_conn other_conn;
static int reentered;
static wshub_err reenter(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    uint8_t frame[] = {0x81, 0x80 | 15, 0, 0, 0, 0, '{', '"', 'e', 'v', 'e', 'n', 't', '"', ':', '"', 'b', '"', '}', ' ', ' '};
    wshub_conn self;
    (void)c;
    if (wshub_str_eq_z(e->event, "b")) {
        reentered++;
        return WSHUB_OK;
    }
    self = other_conn;
    frame[1] = 0x80 | 13;
    if (wshub_str_eq_z(e->event, "again")) { /* an io that reports inside a report: held until this message is through, once and again */
        wshub_conn_received(hub, self, frame, 19);
        EXPECT_INT(reentered, 0);
        wshub_conn_received(hub, self, frame, 19);
    }
    if (wshub_str_eq_z(e->event, "nothing")) {
        wshub_conn none = {0}, odd = {UINT64_C(7) << 32 | 5}, far_away = {UINT64_C(7) << 32 | 500000}, next_page;
        next_page.id = UINT64_C(7) << 32 | hub->conns.pages_count * WSHUB__PAGE;
        wshub_conn_received(hub, next_page, frame, 1);
        wshub_conn_received(hub, none, frame, 1);
        wshub_conn_received(hub, odd, frame, 1);
        wshub_conn_received(hub, far_away, frame, 1);
        wshub_conn_received(hub, self, frame, 0);
        wshub_conn_drained(hub, none);
        wshub_conn_sent(hub, none, 1);
        wshub_conn_closed(hub, none);
        EXPECT_INT(wshub_settle(hub), 0); /* inside a callback it does nothing */
    }
    if (wshub_str_eq_z(e->event, "end")) { /* what comes while the hub ends is not heard */
        wshub_destroy(hub);
        w->hub = NULL;
        wshub_conn_opened(hub, other_conn);
        wshub_conn_received(hub, self, frame, 19);
        wshub_conn_drained(hub, self);
        wshub_conn_sent(hub, self, 1);
        EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
        EXPECT_INT(wshub_drain(hub, 1, 1001, nul()), WSHUB_ERR_STATE);
    }
    return WSHUB_OK;
}
TEST(reports_inside_reports) {
    world w;
    char id[37];
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = reenter), FAKE(0));
    reentered = 0;
    other_conn = world_client(&w, "u", id);
    wshub_io_fake_text(w.net, other_conn, "{\"event\":\"again\"}");
    EXPECT_INT(reentered, 2);
    wshub_io_fake_text(w.net, other_conn, "{\"event\":\"nothing\"}");
    {
        wshub_conn high = {UINT64_C(1) << 32 | UINT32_MAX};
        wshub_conn_opened(w.hub, high); /* a number that no table holds */
        EXPECT_INT(stats(&w).conns_refused, 1);
    }
    wshub_io_fake_text(w.net, other_conn, "{\"event\":\"end\"}");
    world_stop(&w);
}

/* While one stream's bytes are read, others report: each keeps what of its own is not whole. */
static wshub_conn nested_conn;
static const char *nested_bytes;
static size_t nested_count;
static bool nested_fails;
static wshub_err nest(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    uint8_t bytes[64];
    (void)c;
    if (wshub_str_eq_z(e->event, "nest")) {
        memcpy(bytes, nested_bytes, nested_count);
        w->fail_at = nested_fails ? 1 : 0;
        wshub_conn_received(hub, nested_conn, bytes, nested_count);
        w->fail_at = 0;
    } else {
        char text[32];
        (void)snprintf(text, sizeof text, "<%.*s>", (int)e->event.len, e->event.ptr);
        world_note(w, text);
    }
    return WSHUB_OK;
}
TEST(one_stream_is_read_inside_the_callback_of_another) {
    static const char whole[] = "\x81\x8d\0\0\0\0{\"event\":\"b\"}";
    world w;
    wshub_conn a;
    size_t cut, before;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = nest), FAKE(0));
    a = world_client(&w, "a", NULL);
    nested_conn = world_client(&w, "b", NULL);
    nested_bytes = whole;
    before = w.bytes;
    for (cut = 1; cut <= sizeof whole - 1; cut++) {
        w.log_len = 0;
        w.log[0] = 0;
        nested_bytes = whole;
        nested_count = cut;
        wshub_io_fake_text(w.net, a, "{\"event\":\"nest\"}");
        EXPECT(strcmp(w.log, cut == sizeof whole - 1 ? "<b>" : "") == 0);
        if (cut < sizeof whole - 1) {
            EXPECT(w.bytes > before);
            wshub_io_fake_input(w.net, nested_conn, whole + cut, sizeof whole - 1 - cut);
        }
        EXPECT(strcmp(w.log, "<b>") == 0);
        EXPECT_INT(w.bytes, before); /* nothing is kept between messages */
    }
    nested_fails = true; /* no memory for what it would keep: that one is dropped, the other goes on */
    nested_count = 5;
    wshub_io_fake_text(w.net, a, "{\"event\":\"nest\"}");
    EXPECT(!wshub_io_fake_is_open(w.net, nested_conn));
    wshub_io_fake_text(w.net, a, "{\"event\":\"on\"}");
    EXPECT(strcmp(w.log, "<b><on>") == 0);
    w.fail_at = 1;
    wshub_io_fake_input(w.net, a, whole, 5); /* nor for what one keeps alone */
    w.fail_at = 0;
    EXPECT(!wshub_io_fake_is_open(w.net, a));
    world_stop(&w);
}

static bool reply_and_deny(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    wshub_reply reply;
    (void)h;
    (void)user;
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    reply.body = S("here");
    EXPECT_INT(wshub_http_reply(hub, r, &reply), WSHUB_OK);
    return false;
}
TEST(an_answer_counts_even_if_the_request_is_then_denied) {
    world w;
    wshub_conn c;
    wshub_str out;
    world_start(&w, DESC(.on_request = reply_and_deny), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    out = wshub_io_fake_output(w.net, c);
    EXPECT(out.len > 20 && memcmp(out.ptr, "HTTP/1.1 200 OK", 15) == 0 && memcmp(out.ptr + out.len - 4, "here", 4) == 0);
    world_stop(&w);
}

TEST(pings_that_wait_with_and_without_payload_and_memory) { /* RFC 6455 5.5.3 */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    wshub_msg m = msg("e", "1");
    size_t before;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, "u", NULL);
    before = w.bytes;
    for (i = 0; i < 3; i++) { /* empty; with a payload; with one that cannot be kept */
        wshub_io_fake_window(w.net, c, 0);
        EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        w.fail_at = i == 2 ? 1 : 0;
        wshub_io_fake_send(w.net, c, 9, true, "abc", i ? 3 : 0);
        w.fail_at = 0;
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        wshub_io_fake_run(w.net);
        EXPECT_TEXT(&w, c, "{\"event\":\"e\",\"data\":1}");
        EXPECT(wshub_io_fake_next(w.net, c, &f) == (i < 2));
        if (i < 2) EXPECT(f.opcode == 10 && wshub_str_eq_z(f.payload, i ? "abc" : ""));
        EXPECT_INT(w.bytes, before);
    }
    world_stop(&w);
}

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
    world_start(&w, DESC(.on_authenticate = destroy_on_auth, .on_connected = never_connected), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    w.hub = NULL;
    wshub_io_fake_text(w.net, c, AUTH);
    world_stop(&w);
}

static void bus_destroys(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    (void)down_ms;
    (void)user;
    if (state == WSHUB_BUS_UP) wshub_destroy(hub);
}
TEST(a_bus_that_ends_the_hub_and_talks_on) {
    world w;
    wshub_loop *loop;
    wshub_bus bus, peer;
    wshub_emitter *em;
    wshub_emitter_desc ed;
    wshub_msg m = msg("e", "1");
    wshub_io_fake_desc fd;
    wshub_desc d;
    EXPECT_INT(wshub_loop_create(NULL, &loop), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(loop, &bus), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(loop, &peer), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(NULL, &peer), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_loop_bus(loop, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_loop_create(NULL, NULL), WSHUB_ERR_PARAM);
    memset(&ed, 0, sizeof ed);
    ed.bus = &peer;
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_OK);
    memset(&w, 0, sizeof w);
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_io_fake_create(&fd, &w.net), WSHUB_OK);
    d.io = wshub_io_fake_io(w.net);
    d.bus = &bus;
    d.on_bus = bus_destroys;
    d.alloc = world_alloc;
    d.alloc_user = &w;
    EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK); /* waits for the pump that will end the hub */
    wshub_io_fake_run(w.net);
    w.hub = NULL;
    EXPECT_INT(w.bytes, 0);
    wshub_io_fake_destroy(w.net);
    wshub_emitter_destroy(em);
    wshub_loop_destroy(loop);
    wshub_loop_destroy(NULL);
}

static wshub_bus_owner pumped;
static wshub_err pumped_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (owner) pumped = *owner;
    return WSHUB_OK;
}
static size_t takes_all(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return count;
}
static bool subscribes_all(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    return count > 0;
}
static void up_and_down(void *ctx) {
    (void)ctx;
    pumped.state(pumped.ctx, WSHUB_BUS_CONNECTED);
    pumped.state(pumped.ctx, WSHUB_BUS_UP);
    pumped.state(pumped.ctx, WSHUB_BUS_DOWN);
}
TEST(a_bus_that_is_down_again_before_the_hub_has_ended) {
    const wshub_bus bus = {.version = WSHUB_BUS_VERSION, .attach = pumped_attach, .publish = takes_all, .subscribe = subscribes_all, .unsubscribe = subscribes_all, .pump = up_and_down};
    world w;
    memset(&w, 0, sizeof w);
    EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
    EXPECT_INT(wshub_create(&DESC(.io = wshub_io_fake_io(w.net), .bus = &bus, .on_bus = bus_destroys), &w.hub), WSHUB_OK);
    w.hub = NULL;
    wshub_io_fake_run(w.net);
    wshub_io_fake_destroy(w.net);
}

/* ---- resuming ---- */

static int resumed_messages;
static wshub_conn vanishing;
static wshub_err count_and_end(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)user;
    resumed_messages++;
    if (wshub_str_eq_z(e->event, "vanish")) wshub_conn_closed(hub, vanishing);
    if (wshub_str_eq_z(e->event, "drop")) wshub__conn_abort(hub, wshub__conn_get(hub, vanishing), WSHUB_BY_APP, 1006, "");
    if (wshub_str_eq_z(e->event, "end")) wshub_destroy(hub);
    if (wshub_str_eq_z(e->event, "close")) return wshub_client_close(hub, c, 1000, nul());
    return WSHUB_OK;
}
static wshub_err hears_nothing(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    EXPECT(!"nothing is heard after our Close");
    return WSHUB_OK;
}
static wshub_err encrypt_all(wshub *hub, wshub_client c, void *user) {
    (void)user;
    return wshub_client_encrypt(hub, c);
}
TEST(input_that_waited_while_things_changed) { /* ENC-1: messages keep their order */
    int how;
    for (how = 0; how < 6; how++) {
        world w;
        wshub_conn a, b;
        wshub_msg turned = msg("end", "1"), empty = msg("", "1");
        world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_message = count_and_end, .on_transform_in = keep_event), FAKE(0));
        kept_count = 0;
        resumed_messages = 0;
        a = world_client(&w, "u", first_id);
        b = world_client(&w, "u", second_id);
        vanishing = a;
        wshub_io_fake_text(w.net, a, "{\"event\":\"x\"}");
        wshub_io_fake_text(w.net, b, "{\"event\":\"y\",\"data\":2}");
        EXPECT_INT(kept_count, 2);
        if (how >= 4) /* what waits is not transformed, and ends its own stream */
            wshub__client_get(w.hub, world_handle(&w, first_id))->encrypted = false;
        wshub_io_fake_text(w.net, a, how == 4 ? "{\"event\":\"vanish\"}" : how == 5 ? "{\"event\":\"drop\"}" : "{\"event\":\"z\"}"); /* waits */
        wshub_io_fake_text(w.net, a, "{\"event\":\"z\"}");
        wshub_io_fake_text(w.net, b, "{\"event\":\"z\"}");
        wshub_io_fake_hold(w.net, true);
        if (how == 0) { /* both are answered, the first of them ends the hub */
            EXPECT_INT(wshub_transform_accept(w.hub, kept[0], &turned), WSHUB_OK);
            w.hub = NULL;
        } else if (how == 1) { /* answered, then closed before the turn ends */
            EXPECT_INT(wshub_transform_accept(w.hub, kept[0], NULL), WSHUB_OK);
            EXPECT_INT(wshub_transform_accept(w.hub, kept[1], &empty), WSHUB_OK); /* an empty event is none: dropped */
            wshub_io_fake_end(w.net, a);
        } else if (how == 2) {
            EXPECT_INT(wshub_ask_fail(w.hub, kept[0]), WSHUB_OK);
            EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, first_id), 1000, nul()), WSHUB_OK);
        } else if (how >= 4) {
            EXPECT_INT(wshub_ask_reject(w.hub, kept[0]), WSHUB_OK);
        } else {
            turned = msg("close", "1");
            EXPECT_INT(wshub_transform_accept(w.hub, kept[0], &turned), WSHUB_OK);
        }
        wshub_io_fake_hold(w.net, false);
        wshub_io_fake_run(w.net);
        EXPECT_INT(resumed_messages, how == 2 ? 0 : 1);
        world_stop(&w);
    }
}

static wshub_ask resumed_ask;
static int asked_in;
static void end_on_second(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    (void)user;
    resumed_ask = ask;
    if (++asked_in == 3) wshub_destroy(hub);
}
TEST(a_resumed_message_ends_the_hub) {
    world w;
    wshub_conn a, b;
    wshub_ask first;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_transform_in = end_on_second), FAKE(0));
    asked_in = 0;
    a = world_client(&w, "u", first_id);
    b = world_client(&w, "u", second_id);
    wshub_io_fake_text(w.net, a, "{\"event\":\"x\"}");
    first = resumed_ask;
    wshub_io_fake_text(w.net, b, "{\"event\":\"y\"}");
    wshub_io_fake_text(w.net, a, "{\"event\":\"z\"}");
    wshub_io_fake_text(w.net, b, "{\"event\":\"z\"}");
    wshub_io_fake_hold(w.net, true);
    EXPECT_INT(wshub_ask_reject(w.hub, first), WSHUB_OK);
    EXPECT_INT(wshub_ask_reject(w.hub, resumed_ask), WSHUB_OK);
    w.hub = NULL; /* the first of the two to go on ends it; the other is not read */
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_INT(asked_in, 3);
    world_stop(&w);
}

TEST(what_waits_may_be_just_so_much) {
    static uint8_t bytes[2000 + 65536];
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_transform_in = keep_event, .payload_bytes_max = 2000, .held_bytes_max = 2000 + 65536), FAKE(.no_pause = true));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    wshub_conn_received(w.hub, c, bytes, sizeof bytes);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_is_open(w.net, c) && stats(&w).protocol_errors == 0);
    wshub_conn_received(w.hub, c, bytes, 1);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).protocol_errors, 1);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}
TEST(after_our_close_the_peer_may_say_what_it_likes) { /* RFC 6455 7.1.2: until its own Close */
    world w;
    wshub_conn c;
    char id[37];
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = hears_nothing, .payload_bytes_max = 50), FAKE(0));
    c = world_client(&w, "u", id);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_text(w.net, c, "{\"event\":\"one\"}");
    wshub_io_fake_text(w.net, c, "{\"event\":\"two\"}");
    wshub_io_fake_send(w.net, c, 1, false, "\xFF", 1); /* not even UTF-8 */
    wshub_io_fake_send(w.net, c, 0, true, "x", 1);
    wshub_io_fake_text(w.net, c, "a message over payload_bytes_max, which is fifty here");
    wshub_io_fake_send(w.net, c, 9, true, "p", 1);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).protocol_errors, 0);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 8 && !wshub_io_fake_next(w.net, c, &f));
    wshub_io_fake_send_close(w.net, c, 1000, "a reason that is longer than fifty bytes, which is all that a message may be here");
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).protocol_errors, 0);
    c = world_client(&w, "u", NULL); /* payload_bytes_max is for messages: a Close may have 125 bytes */
    wshub_io_fake_send_close(w.net, c, 1000, "a reason that is longer than fifty bytes, which is all that a message may be here");
    EXPECT_CLOSE(&w, c, 1000);
    world_stop(&w);
}

/* ---- what on_disconnected is told ---- */

static wshub_cause told_by;
static int told_code, told_times;
static void told(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)user;
    told_by = gone->cause;
    told_code = gone->code;
    told_times++;
}
TEST(ways_to_go_and_their_codes) { /* BYE-1; RFC 6455 7.1.5, 7.4.1 */
    static char long_text[5000];
    int how;
    for (how = 0; how < 7; how++) {
        world w;
        wshub_conn c;
        world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = told), FAKE(0));
        told_times = 0;
        c = world_client(&w, "u", NULL);
        if (how == 0) { /* a Close without a code */
            wshub_io_fake_send(w.net, c, 8, true, "", 0);
            EXPECT_CLOSE(&w, c, 0);
        } else if (how == 1) {
            wshub_io_fake_send_close(w.net, c, 3333, "bye");
            EXPECT_CLOSE(&w, c, 3333);
        } else if (how == 2) { /* the stream ends */
            wshub_io_fake_end(w.net, c);
        } else if (how == 3) { /* the io drops it */
            wshub_conn_closed(w.hub, c);
            wshub_io_fake_run(w.net);
            EXPECT_INT(told_times, 1); /* not twice, should the io say it again */
            wshub_conn_closed(w.hub, c);
        } else if (how == 4) { /* half a Ping, and no memory to keep it */
            static const uint8_t half[] = {0x89, 0x85, 1, 2, 3, 4, 'h', 'e'};
            uint8_t bytes[sizeof half];
            memcpy(bytes, half, sizeof half);
            fill_log(&w);
            starve(&w);
            wshub_io_fake_input(w.net, c, bytes, sizeof bytes);
            mend(&w);
            wshub_io_fake_run(w.net);
        } else { /* a message in two fragments, and no memory for the first or the second of them */
            memset(long_text, 'x', sizeof long_text);
            if (how == 6) wshub_io_fake_send(w.net, c, 1, false, "\"", 1);
            w.fail_all = true;
            wshub_io_fake_send(w.net, c, how == 6 ? 0 : 1, false, long_text, sizeof long_text);
            w.fail_all = false;
            wshub_io_fake_run(w.net);
            EXPECT_CLOSE(&w, c, 1011);
            EXPECT_INT(stats(&w).protocol_errors, 0); /* it is not his fault */
        }
        EXPECT_INT(told_times, 1);
        EXPECT_INT(told_by, how >= 4 ? WSHUB_BY_MEMORY : WSHUB_BY_PEER);
        EXPECT_INT(told_code, how == 0 ? 1005 : how == 1 ? 3333 : how > 4 ? 1011 : 1006);
        world_stop(&w);
    }
}

TEST(fragments_before_authentication_count_together) { /* LIMITS: preauth_bytes_max */
    static char part[600];
    world w;
    wshub_conn c;
    memset(part, ' ', sizeof part);
    world_start(&w, DESC(.on_authenticate = accept_all, .preauth_bytes_max = 1000), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_send(w.net, c, 1, false, part, 600);
    wshub_io_fake_send(w.net, c, 0, false, part, 400); /* to the byte */
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_send(w.net, c, 0, false, part, 1);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

static int binaries, texts;
static wshub_err count_binary(wshub *hub, wshub_client c, const uint8_t *bytes, size_t count, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    EXPECT(count == 16 && bytes[15] == '}');
    binaries++;
    return WSHUB_OK;
}
static wshub_err count_text(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    EXPECT(wshub_str_eq_z(e->event, "here"));
    texts++;
    return WSHUB_OK;
}
TEST(what_comes_in_fragments_keeps_its_kind) { /* RFC 6455 5.4; MSG-1 */
    static const char text[] = "{\"event\":\"here\"}";
    int opcode, cut;
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = count_text, .on_binary = count_binary), FAKE(0));
    c = world_client(&w, "u", NULL);
    binaries = texts = 0;
    for (opcode = 1; opcode <= 2; opcode++) {
        for (cut = 0; cut <= 16; cut++) {
            wshub_io_fake_send(w.net, c, (uint8_t)opcode, false, text, (size_t)cut);
            wshub_io_fake_send(w.net, c, 0, true, text + cut, 16 - (size_t)cut);
            EXPECT_INT(texts, opcode == 1 ? cut + 1 : 17);
            EXPECT_INT(binaries, opcode == 2 ? cut + 1 : 0);
        }
    }
    world_stop(&w);
}

TEST(the_first_room_granted_is_looked_at_too) { /* ROOM-2 */
    world w;
    char id[37];
    wshub_str rooms[2];
    wshub_conn c;
    kept_count = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_join), FAKE(0));
    c = world_client(&w, "u", id);
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\"]}}");
    EXPECT_INT(kept_count, 1);
    rooms[0] = S("");
    rooms[1] = S("b");
    EXPECT_INT(wshub_join_accept(w.hub, kept[0], rooms, 2), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_join_accept(w.hub, kept[0], rooms + 1, 1), WSHUB_OK); /* still to be answered */
    EXPECT_INT(wshub_room_count(w.hub, S("b")), 1);
    world_stop(&w);
}

static int pauses, goes_on;
static void (*true_pause)(void *ctx, wshub_conn conn, bool paused);
static void counting_pause(void *ctx, wshub_conn conn, bool paused) {
    if (paused) pauses++;
    else goes_on++;
    true_pause(ctx, conn, paused);
}
TEST(an_io_is_paused_once_for_each_time) {
    world w;
    wshub_conn c;
    wshub_msg m = msg("e", "1");
    wshub_reply reply;
    int i;
    kept_count = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_transform_in = keep_event, .on_request = keep_request), FAKE(0));
    true_pause = w.hub->io.pause;
    w.hub->io.pause = counting_pause;
    pauses = goes_on = 0;
    c = world_client(&w, "u", NULL);
    for (i = 0; i < 3; i++) { /* each time one is asked about and one waits */
        wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
        EXPECT_INT(pauses, i);
        wshub_io_fake_text(w.net, c, "{\"event\":\"y\"}");
        EXPECT_INT(pauses, i + 1);
        EXPECT_INT(wshub_transform_accept(w.hub, kept[(kept_count - 1) % 8], &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(goes_on, i); /* the second is asked about now, so the io still waits */
        EXPECT_INT(wshub_transform_accept(w.hub, kept[(kept_count - 1) % 8], &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(goes_on, i + 1);
    }
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    pauses = goes_on = 0;
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, GET GET GET, 3 * (sizeof GET - 1)); /* two requests wait for the answer to the first */
    EXPECT_INT(pauses, 1);
    EXPECT_INT(wshub_http_reply(w.hub, request, &reply), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(pauses, 1);
    EXPECT_INT(goes_on, 0);
    EXPECT_INT(wshub_http_reply(w.hub, request, &reply), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(goes_on, 0); /* the third waits for its answer: no input is wanted */
    EXPECT_INT(wshub_http_reply(w.hub, request, &reply), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(pauses, 1);
    EXPECT_INT(goes_on, 1);
    world_stop(&w);
}

TEST(without_pause_what_waits_has_a_limit) {
    world w;
    wshub_conn c;
    static char big[1000];
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_transform_in = keep_event, .payload_bytes_max = 2000, .held_bytes_max = 67536), FAKE(.no_pause = true));
    memset(big, ' ', sizeof big - 1);
    memcpy(big, "{\"event\":\"x\"}", 13);
    c = world_client(&w, "u", NULL);
    for (i = 0; i < 70 && wshub_io_fake_is_open(w.net, c); i++) wshub_io_fake_text(w.net, c, big);
    EXPECT(i > 60 && i < 70);
    EXPECT(w.peak < 400000);
    EXPECT_INT(stats(&w).protocol_errors, 1);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

/* ---- completion, odd ios, segments ---- */

TEST(pings_while_a_send_is_under_way) { /* RFC 6455 5.5.3: the latest need be answered */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(.completion = true, .take_bytes = 3));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    wshub_io_fake_send(w.net, c, 9, true, "a", 1);
    wshub_io_fake_send(w.net, c, 9, true, "b", 1);
    wshub_io_fake_send(w.net, c, 9, true, "c", 1);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_io_fake_run(w.net);
    while (wshub_io_fake_next(w.net, c, &f) && f.opcode != 10) {}
    EXPECT(f.opcode == 10 && wshub_str_eq_z(f.payload, "a"));
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 10 && wshub_str_eq_z(f.payload, "c"));
    EXPECT_SILENCE(&w, c);
    world_stop(&w);
}

TEST(progress_of_a_send_under_way_begins_its_time_anew) { /* LIVE: write_timeout_ms is without progress */
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("event", "\"some text\"");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = told, .write_timeout_ms = 1000), FAKE(.completion = true));
    c = world_client(&w, "u", id);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 999);
    wshub_io_fake_window(w.net, c, 5);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    told_times = 0;
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(told_times, 1);
    EXPECT_INT(told_by, WSHUB_BY_TIMEOUT);
    world_stop(&w);
}

TEST(a_fan_out_while_some_have_just_gone) { /* BYE-1: in the turn in which their streams ended they are in their rooms still */
    world w;
    wshub_conn c[40];
    wshub_msg m = msg("m", "1");
    int i, gone_each;
    for (gone_each = 1; gone_each <= 9; gone_each += 4) {
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        for (i = 0; i < 40; i++) c[i] = world_client(&w, "u", NULL);
        for (i = 0; i < 40; i += gone_each + 1) wshub_conn_closed(w.hub, c[i]);
        EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
        EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
        EXPECT_INT(wshub_user_send(w.hub, S("u"), &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 40; i++) {
            if (i % (gone_each + 1) == 0) continue;
            EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
            EXPECT_SILENCE(&w, c[i]);
        }
        EXPECT_INT(stats(&w).queued_bytes, 0);
        world_stop(&w);
    }
}

TEST(a_fan_out_over_the_end_of_a_segment) { /* what waits lies in one, the next frame in another */
    static char big[40000];
    world w;
    wshub_conn c[3];
    wshub_msg m = msg("m", "1");
    wshub_io_fake_frame f;
    int i, k;
    memset(big, 'x', sizeof big);
    big[0] = big[sizeof big - 1] = '"';
    m.data = wshub__str(big, sizeof big);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 3; i++) c[i] = world_client(&w, "u", NULL);
    for (k = 0; k < 3; k++) EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 3; k++) EXPECT(wshub_io_fake_next(w.net, c[i], &f) && f.payload.len == sizeof big + 21);
        EXPECT_SILENCE(&w, c[i]);
    }
    world_stop(&w);
}

TEST(a_fan_out_to_those_who_have_much_and_those_who_have_nothing) { /* SEND-6: who is behind keeps order and limit */
    world w;
    wshub_conn c[4];
    char id[4][37];
    wshub_msg all = msg("all", "1"), one = msg("one", "2");
    int i, k;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 80), FAKE(0));
    for (i = 0; i < 4; i++) c[i] = world_client(&w, "u", id[i]);
    wshub_io_fake_window(w.net, c[1], 0); /* reads nothing */
    wshub_io_fake_hold(w.net, true);
    for (k = 0; k < 2; k++) { /* in one turn: 0 also gets his own in between, so his frames do not lie side by side */
        EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &all, NULL, 0), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[0]), &one), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[2]), &one), WSHUB_OK);
    }
    EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &all, NULL, 0), WSHUB_OK); /* over eighty bytes for 0: he is sent some first */
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &all, NULL, 0), WSHUB_OK); /* 1 is pressured now, and full */
    wshub_io_fake_run(w.net);
    for (i = 0; i < 4; i++) {
        for (k = 0; k < (i == 1 ? 0 : 2); k++) {
            EXPECT_TEXT(&w, c[i], "{\"event\":\"all\",\"data\":1}");
            if (i != 3) EXPECT_TEXT(&w, c[i], "{\"event\":\"one\",\"data\":2}");
        }
        if (i == 1) continue;
        EXPECT_TEXT(&w, c[i], "{\"event\":\"all\",\"data\":1}");
        EXPECT_TEXT(&w, c[i], "{\"event\":\"all\",\"data\":1}");
        EXPECT_SILENCE(&w, c[i]);
    }
    EXPECT_INT(stats(&w).dropped_pressure, 1); /* eighty bytes are three of them */
    wshub_io_fake_window(w.net, c[1], UINT64_MAX);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c[1], "{\"event\":\"all\",\"data\":1}");
    world_stop(&w);
}

static int64_t odd_answer;
static int64_t odd_send(void *ctx, wshub_conn conn, const wshub_span *spans, size_t count) {
    (void)ctx;
    (void)conn;
    (void)spans;
    (void)count;
    return odd_answer;
}
TEST(an_io_that_takes_more_or_less_than_there_is) {
    int i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        char id[37];
        wshub_msg m = msg("e", "1");
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        c = world_client(&w, "u", id);
        (void)c;
        odd_answer = i ? INT64_MAX : -5;
        w.hub->io.send = odd_send;
        EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(wshub_client_is_pressured(w.hub, world_handle(&w, id)) == !i);
        EXPECT((wshub_client_queued_bytes(w.hub, world_handle(&w, id)) == 0) == i);
        w.hub->io.send = wshub_io_fake_io(w.net)->send;
        world_stop(&w);
    }
}

/* Slow clients that hold little of many segments are copied out, so shared memory stays near what is owed. */
TEST(laggards_do_not_keep_segments) { /* PERFORMANCE: shared segments */
    static uint8_t big[60000];
    int completion, fails;
    for (completion = 0; completion < 2; completion++) {
        for (fails = 0; fails < 2; fails++) {
            world w;
            wshub_conn fast, slow[40];
            char ids[40][37];
            wshub_client fast_client;
            char id[37];
            int i, latest = 0;
            world_start(&w, DESC(.on_authenticate = accept_all), FAKE(.completion = completion != 0));
            fast = world_client(&w, "u", id);
            fast_client = world_handle(&w, id);
            for (i = 0; i < 40; i++) {
                slow[i] = world_client(&w, "s", ids[i]);
                wshub_io_fake_window(w.net, slow[i], 0);
            }
            for (i = 0; i < 40; i++) { /* each slow client is owed 2 KB that lies between 60 KB of the fast one */
                if (i == 35) wshub_io_fake_window(w.net, slow[0], UINT64_MAX);
                EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, ids[i]), big, 2000), WSHUB_OK);
                if (i % 8 == 5) EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, ids[i]), big, 50000), WSHUB_OK); /* whoever holds most of one keeps it */
                EXPECT_INT(wshub_client_send_binary(w.hub, fast_client, big, sizeof big), WSHUB_OK);
                EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, ids[i ? 1 : 0]), big, 10), WSHUB_OK); /* in the newest */
                w.fail_all = i > 15 && fails;
                wshub_io_fake_run(w.net);
                w.fail_all = false;
            }
            wshub_io_fake_run(w.net);
            (void)wshub_settle(w.hub);
            if (!completion && !fails) EXPECT(stats(&w).segment_bytes <= (1u << 20) + 3 * 65536);
            for (i = 0; i < 40; i++) wshub_io_fake_window(w.net, slow[i], UINT64_MAX);
            wshub_io_fake_run(w.net);
            for (i = 0; i < 40; i++) { /* and what is owed arrives */
                wshub_io_fake_frame f;
                EXPECT(wshub_io_fake_next(w.net, slow[i], &f) && f.opcode == 2 && f.payload.len == 2000);
                if (i % 8 == 5) EXPECT(wshub_io_fake_next(w.net, slow[i], &f) && f.payload.len == 50000);
                while (i < 2 && wshub_io_fake_next(w.net, slow[i], &f)) EXPECT(f.payload.len == 10 && ++latest <= 40);
            }
            EXPECT_INT(latest, 40);
            EXPECT_INT(stats(&w).queued_bytes, 0);
            (void)fast;
            world_stop(&w);
        }
    }
}

TEST(a_queue_of_many_spans) { /* sends to others lie between them, so they do not merge */
    world w;
    wshub_conn slow, other;
    char a[37], b[37], text[60];
    int i;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    slow = world_client(&w, "u", a);
    other = world_client(&w, "u", b);
    (void)other;
    wshub_io_fake_window(w.net, slow, 0);
    for (i = 0; i < 100; i++) {
        char data[12];
        (void)snprintf(data, sizeof data, "%d", i);
        m = msg("e", data);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, a), &m), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &m), WSHUB_OK);
    }
    wshub_io_fake_run(w.net);
    for (; i < 120; i++) { /* half a message at a time leaves, others come behind */
        char data[12];
        int k;
        for (k = 0; k < (i < 110 ? 4 : 14); k++) wshub_io_fake_window(w.net, slow, 12);
        (void)snprintf(data, sizeof data, "%d", i);
        m = msg("e", data);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, a), &m), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (i = 0; i < 120; i++) {
        (void)snprintf(text, sizeof text, "{\"event\":\"e\",\"data\":%d}", i);
        EXPECT_TEXT(&w, slow, text);
    }
    EXPECT_INT(stats(&w).queued_bytes, 0);
    world_stop(&w);
}

TEST(segments_leave_in_any_order) {
    static uint8_t big[40000];
    world w;
    wshub_conn c[4];
    char ids[4][37];
    static const int order[4] = {1, 2, 0, 3};
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 4; i++) {
        c[i] = world_client(&w, "u", ids[i]);
        wshub_io_fake_window(w.net, c[i], 0);
    }
    for (i = 0; i < 4; i++) EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, ids[i]), big, sizeof big), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 4; i++) {
        wshub_io_fake_window(w.net, c[order[i]], UINT64_MAX);
        wshub_io_fake_run(w.net);
    }
    EXPECT_INT(stats(&w).queued_bytes, 0);
    EXPECT(stats(&w).segment_bytes <= 65536 * 2);
    world_stop(&w);
}

TEST(all_queues_together_have_a_limit) { /* segment_bytes_max, with no limit of each */
    static uint8_t big[50000];
    world w;
    wshub_conn slow, fast;
    char a[37], b[37];
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = WSHUB_OFF, .segment_bytes_max = 1500000), FAKE(0));
    slow = world_client(&w, "u", a);
    fast = world_client(&w, "u", b);
    wshub_io_fake_window(w.net, slow, 0);
    for (i = 0; i < 60; i++) {
        wshub_err err = wshub_client_send_binary(w.hub, world_handle(&w, a), big, sizeof big);
        EXPECT(err == (i < 20 ? WSHUB_OK : err == WSHUB_OK ? WSHUB_OK : WSHUB_ERR_DROPPED));
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, b), big, 10), WSHUB_OK); /* who reads is served */
        wshub_io_fake_run(w.net);
    }
    EXPECT(stats(&w).dropped_pressure > 10 && stats(&w).segment_bytes < 1700000);
    (void)fast;
    world_stop(&w);
}

/* ---- memory that ends at the worst place ---- */

TEST(starved_sends) {
    world w;
    wshub_conn c, d;
    char id[37];
    wshub_msg m = msg("e", "1");
    wshub_reply r;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_request = keep_request, .http_timeout_ms = 1000), FAKE(0));
    c = world_client(&w, "u", id);
    (void)world_client(&w, "u", NULL);
    fill_log(&w);
    starve(&w);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_ERR_NOMEM); /* nobody got it, and it was tried once */
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_ERR_NOMEM);
    EXPECT(!wshub__log_room(w.hub, UINT32_MAX / 2)); /* whatever memory there is */
    mend(&w);
    starve(&w);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_NOMEM);
    mend(&w);
    starve(&w);
    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, id), (const uint8_t *)"x", WSHUB_MSG_BYTES_MAX), WSHUB_ERR_NOMEM);
    mend(&w);
    /* an answer and a refusal over HTTP */
    d = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, d, GET, sizeof GET - 1);
    memset(&r, 0, sizeof r);
    r.status = 200;
    {
        long n; /* whatever fails while it is put together or queued: the question stays open */
        for (n = 1; n < 20; n++) {
            w.hub->log->used = w.hub->log->cap;
            w.fail_at = n;
            if (wshub_http_reply(w.hub, request, &r) != WSHUB_ERR_NOMEM) break;
        }
        EXPECT(n > 2 && n < 20);
        w.fail_at = 0;
        wshub_io_fake_run(w.net);
        EXPECT(wshub_io_fake_is_open(w.net, d));
        wshub_io_fake_input(w.net, d, GET, sizeof GET - 1);
    }
    wshub_io_fake_advance(w.net, 999);
    fill_log(&w);
    starve(&w);
    wshub_io_fake_advance(w.net, 1); /* the 503 cannot be said: the stream is dropped */
    mend(&w);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, d));
    /* a Close that cannot be said: dropped too */
    fill_log(&w);
    starve(&w);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, nul()), WSHUB_OK);
    mend(&w);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

/* Repeats a scenario with the log full and the n-th allocation failing, for every n. */
static void every_starved(void (*scenario)(world *w)) {
    long n;
    bool reached = true;
    for (n = 1; n < 60 && reached; n++) {
        world w;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        fill_log(&w);
        w.fail_at = n;
        scenario(&w);
        reached = w.fail_at == 0;
        w.fail_at = 0;
        wshub_io_fake_run(w.net);
        EXPECT(wshub_io_fake_connect(w.net, "/ws").id); /* it serves the next */
        world_stop(&w);
    }
    EXPECT(n < 60 && n > 2);
}
static void s_request(world *w) {
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, GET, sizeof GET - 1);
}
static void s_upgrade(world *w) {
    static const char up[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, up, sizeof up - 1);
}
static void s_body(world *w) {
    static const char post[] = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n";
    static const char body[4000];
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, post, sizeof post - 1);
    wshub_io_fake_input(w->net, c, body, sizeof body);
}
static void s_bad_request(world *w) {
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, "\n", 1);
}
TEST(starved_http) {
    every_starved(s_request);
    every_starved(s_upgrade);
    every_starved(s_body);
    every_starved(s_bad_request);
}

TEST(starved_frames) { /* Ping, Pong, Close: their absence harms nobody else */
    world w;
    wshub_conn c, d, e;
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all, .idle_timeout_ms = 10000), FAKE(0));
    c = world_client(&w, "u", NULL);
    d = world_client(&w, "u", NULL);
    e = world_client(&w, "u", NULL);
    fill_log(&w);
    starve(&w);
    wshub_io_fake_send_close(w.net, c, 1000, ""); /* cannot be answered */
    wshub_io_fake_send(w.net, d, 9, true, "p", 1); /* nor this */
    wshub_io_fake_send(w.net, e, 11, true, "p", 1); /* a breach, without its Close */
    mend(&w);
    EXPECT(!wshub_io_fake_is_open(w.net, c) && wshub_io_fake_is_open(w.net, d) && !wshub_io_fake_is_open(w.net, e));
    EXPECT(!wshub_io_fake_next(w.net, d, &f));
    wshub_io_fake_advance(w.net, 4999);
    starve(&w);
    wshub_io_fake_advance(w.net, 1); /* half the silence: a Ping that cannot be sent counts as sent */
    mend(&w);
    EXPECT_INT(stats(&w).pings_sent, 0);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT(!wshub_io_fake_is_open(w.net, d));
    world_stop(&w);
}

/* All slots for questions are taken, and there is no memory for more. */
static void take_asks(world *w, uint32_t *taken, uint32_t *count) {
    wshub__pool *asks = &w->hub->asks;
    *count = 0;
    while (asks->free_head || asks->used < asks->pages_count * WSHUB__PAGE) {
        EXPECT(wshub__pool_take(&w->hub->mem, asks, &taken[*count]));
        (*count)++;
    }
    w->fail_at = 1;
}
static void give_asks(world *w, const uint32_t *taken, uint32_t count) {
    w->fail_at = 0;
    while (count) wshub__pool_free(&w->hub->asks, taken[--count]);
}
TEST(no_room_for_another_question) {
    static uint32_t taken[70000];
    uint32_t count;
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("e", "1");
    kept_count = 0;
    world_start(&w, DESC(.on_authenticate = keep_auth, .on_handshake = keep_handshake, .on_join = join_all, .on_transform_in = keep_event, .on_transform_out = keep_event, .require_encryption = true), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_INT(kept_count, 1);
    take_asks(&w, taken, &count);
    EXPECT_INT(wshub_auth_accept(w.hub, kept[0], NULL), WSHUB_ERR_NOMEM); /* the question stays */
    give_asks(&w, taken, count);
    EXPECT_INT(wshub_auth_accept(w.hub, kept[0], NULL), WSHUB_OK);
    EXPECT_INT(kept_count, 2);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept[1], S("\xFF"), nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept[1], nul(), S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept[1], nul(), nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    {
        wshub_io_fake_frame f;
        wshub_str v;
        EXPECT(wshub_io_fake_next(w.net, c, &f) && !strstr(f.payload.ptr, "serverPublicKey"));
        v = wshub_json_get(wshub_json_get(f.payload, "data"), "id");
        (void)snprintf(id, sizeof id, "%.36s", v.ptr + 1);
    }
    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, id), (const uint8_t *)"x", 1), WSHUB_ERR_CLEAR);
    wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}"); /* never transformed */
    EXPECT_INT(kept_count, 2);
    take_asks(&w, taken, &count);
    wshub_io_fake_text(w.net, c, "{\"event\":\"lost\"}"); /* the message cannot be kept for the transformer */
    give_asks(&w, taken, count);
    take_asks(&w, taken, &count);
    w.fail_at = 2;
    wshub_io_fake_text(w.net, c, "{\"event\":\"lost\"}"); /* it can, but the question cannot be asked */
    give_asks(&w, taken, count);
    take_asks(&w, taken, &count);
    w.fail_at = 3; /* text and node, but no question */
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    give_asks(&w, taken, count);
    EXPECT_INT(stats(&w).dropped_transform, 1);
    EXPECT_INT(kept_count, 2);
    world_stop(&w);
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all), FAKE(0));
    c = world_client(&w, "u", id);
    take_asks(&w, taken, &count);
    w.fail_at = 2; /* the names, but no question */
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    give_asks(&w, taken, count);
    EXPECT_INT(stats(&w).joins_refused, 1);
    w.fail_at = 1; /* not even these */
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    w.fail_at = 0;
    EXPECT_INT(stats(&w).joins_refused, 2);
    world_stop(&w);
}

TEST(users_and_rooms_that_cannot_grow) {
    world w;
    wshub_conn c;
    char id[37];
    long n;
    int i;
    for (n = 1; n < 30; n++) {
        bool reached;
        world_start(&w, DESC(.on_authenticate = keep_auth), FAKE(0));
        kept_count = 0;
        for (i = 0; i < 5; i++) { /* the fifth session makes its user's table grow, and the rooms' */
            wshub_identity who;
            memset(&who, 0, sizeof who);
            who.user_id = S("u");
            who.metadata = S("{}");
            c = wshub_io_fake_connect(w.net, "/ws");
            wshub_io_fake_text(w.net, c, AUTH);
            if (i == 0) wshub_io_fake_window(w.net, c, 0);
            if (i == 4) {
                wshub_err err;
                w.hub->log->used = w.hub->log->cap;
                w.fail_at = n;
                err = wshub_auth_accept(w.hub, kept[i], &who);
                reached = w.fail_at == 0;
                w.fail_at = 0;
                EXPECT_INT(err, reached ? WSHUB_ERR_NOMEM : WSHUB_OK);
                if (reached) EXPECT_INT(wshub_user_count(w.hub, S("u")), 4);
                if (reached) EXPECT_INT(wshub_auth_accept(w.hub, kept[i], &who), WSHUB_OK);
            } else {
                EXPECT_INT(wshub_auth_accept(w.hub, kept[i], &who), WSHUB_OK);
            }
        }
        EXPECT_INT(wshub_user_count(w.hub, S("u")), 5);
        EXPECT_INT(wshub_room_count(w.hub, S("ws-default")), 5);
        world_stop(&w);
        if (!reached) break;
    }
    EXPECT(n > 4 && n < 30);
    /* an own-id room that becomes a real one, with its owner in it */
    for (n = 1; n < 30; n++) {
        wshub_err err;
        bool reached;
        char second[37];
        world_start(&w, DESC(.on_authenticate = accept_all, .rooms_per_client_max = 3), FAKE(0));
        (void)world_client(&w, "u", id);
        (void)world_client(&w, "u", second);
        EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, second), S("x")), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, second), S("ws-default")), WSHUB_OK);
        w.fail_at = n;
        err = wshub_client_join(w.hub, world_handle(&w, second), S(id));
        reached = w.fail_at == 0;
        w.fail_at = 0;
        EXPECT_INT(err, reached ? WSHUB_ERR_NOMEM : WSHUB_OK);
        EXPECT_INT(wshub_room_count(w.hub, S(id)), reached ? 1 : 2);
        world_stop(&w);
        if (!reached) break;
    }
    EXPECT(n > 1 && n < 30);
}

/* ---- encryption's corners ---- */

TEST(transformed_to_nothing_and_from_nothing) { /* ENC-1 */
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg empty = msg("", NULL), none = msg("e", NULL), bad = msg("x", "{");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_transform_out = keep_event), FAKE(0));
    c = world_client(&w, "u", id);
    kept_count = 0;
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &empty), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &none), WSHUB_OK);
    EXPECT_INT(kept_count, 2);
    bad.event = nul();
    EXPECT_INT(wshub_transform_accept(w.hub, kept[0], &bad), WSHUB_ERR_PARAM);
    bad.event = S("\xFF");
    EXPECT_INT(wshub_transform_accept(w.hub, kept[0], &bad), WSHUB_ERR_PARAM);
    bad.event = S("x");
    EXPECT_INT(wshub_transform_accept(w.hub, kept[0], &bad), WSHUB_ERR_JSON);
    bad = msg("a longer event than before", "\"and data that takes more room than there is at first\"");
    w.fail_at = 2;
    EXPECT_INT(wshub_transform_accept(w.hub, kept[0], &bad), WSHUB_ERR_NOMEM); /* and stays open */
    w.fail_at = 0;
    bad.data_is_json = true;
    EXPECT_INT(wshub_transform_accept(w.hub, kept[1], &bad), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, c); /* the first comes first */
    EXPECT_INT(wshub_transform_accept(w.hub, kept[0], &empty), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c, "{\"event\":\"\"}");
    EXPECT_TEXT(&w, c, "{\"event\":\"a longer event than before\",\"data\":\"and data that takes more room than there is at first\"}");
    world_stop(&w);
}

static int out_asked;
static void close_next(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    (void)c;
    (void)e;
    out_asked++;
    EXPECT_INT(wshub_client_close(hub, world_handle(w, second_id), 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(hub, ask, NULL), WSHUB_OK);
}
static void destroy_on_out(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
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
    world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_transform_out = destroy_on_out), FAKE(0));
    out_asked = 0;
    (void)world_client(&w, "u", NULL);
    (void)world_client(&w, "u", NULL);
    hub = w.hub;
    w.hub = NULL;
    EXPECT_INT(wshub_room_send(hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(out_asked, 1);
    world_stop(&w);
}
TEST(nobody_is_asked_about_the_gone) {
    world w;
    wshub_conn a, b;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = encrypt_all, .on_transform_out = close_next), FAKE(0));
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
    EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(out_asked, 1);
    EXPECT_TEXT(&w, b, "{\"event\":\"e\",\"data\":1}");
    EXPECT_CLOSE(&w, a, 1000);
    world_stop(&w);
}

static char handshake_user[8];
static void see_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    (void)user;
    (void)snprintf(handshake_user, sizeof handshake_user, "%s", !hs->user_id.ptr ? "none" : hs->user_id.len ? "some" : "empty");
    EXPECT_INT(wshub_handshake_accept(hub, ask, S("k"), S("s")), WSHUB_OK);
}
static wshub_identity whom;
static void accept_whom(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    static const struct { const char *user, *metadata; wshub_err err; } bad[] = {{"\xFF", NULL, WSHUB_ERR_PARAM}, {"u", "{", WSHUB_ERR_JSON}, {"u", "\"\xFF\"", WSHUB_ERR_JSON}};
    size_t i;
    (void)auth;
    (void)user;
    for (i = 0; i < 3; i++) {
        wshub_identity who;
        memset(&who, 0, sizeof who);
        who.user_id = S(bad[i].user);
        if (bad[i].metadata) who.metadata = S(bad[i].metadata);
        EXPECT_INT(wshub_auth_accept(hub, ask, &who), bad[i].err);
    }
    EXPECT_INT(wshub_auth_accept(hub, ask, &whom), WSHUB_OK);
}
static char gone_user[8];
static void see_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)user;
    (void)snprintf(gone_user, sizeof gone_user, "%s", !gone->user_id.ptr ? "none" : gone->user_id.len ? "some" : "empty");
}
TEST(users_absent_empty_and_named) { /* AUTH-5, AUTH-7 */
    static const char *const names[] = {NULL, "", "name"}, *const words[] = {"none", "empty", "some"};
    size_t i;
    for (i = 0; i < 3; i++) {
        world w;
        wshub_conn c;
        wshub_io_fake_frame f;
        memset(&whom, 0, sizeof whom);
        whom.user_id = S(names[i]);
        world_start(&w, DESC(.on_authenticate = accept_whom, .on_handshake = see_handshake, .on_disconnected = see_gone, .require_encryption = true), FAKE(0));
        c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, AUTH);
        EXPECT(strcmp(handshake_user, words[i]) == 0);
        EXPECT(wshub_io_fake_next(w.net, c, &f));
        EXPECT(!strstr(f.payload.ptr, "userId") == (i == 0));
        EXPECT_INT(stats(&w).users, i == 2);
        wshub_io_fake_end(w.net, c);
        EXPECT(strcmp(gone_user, words[i]) == 0);
        world_stop(&w);
    }
}

static const char up_ws[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static void accept_all_or_fail(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    wshub_err err;
    (void)user;
    memset(&who, 0, sizeof who);
    who.user_id = wshub_str_eq_z(wshub_json_get(auth->data, "user"), "\"u\"") ? S("u") : S("other");
    err = wshub_auth_accept(hub, ask, &who);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
    if (err) EXPECT(wshub_client_state(hub, auth->client) == WSHUB_CLIENT_AUTHENTICATING);
}
/* Accepted while its answer to the upgrade is unsent and others have written behind it: the place in its queue is memory. */
TEST(starved_acceptance_leaves_the_client_as_it_was) { /* AUTH-7 */
    int n;
    bool done = false;
    for (n = 1; n < 30 && !done; n++) {
        world w;
        wshub_conn c, d;
        wshub_io_fake_frame f;
        world_start(&w, DESC(.on_authenticate = accept_all_or_fail), FAKE(0));
        d = world_client(&w, "other", NULL);
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_window(w.net, c, 0);
        wshub_io_fake_input(w.net, c, up_ws, sizeof up_ws - 1);
        wshub_io_fake_send(w.net, d, 9, true, "between", 7);
        w.fail_at = n;
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\",\"data\":{\"user\":\"u\"}}");
        done = w.fail_at > 0;
        w.fail_at = 0;
        EXPECT_INT(stats(&w).authenticated, done ? 2 : 1);
        EXPECT_INT(stats(&w).users, done ? 2 : 1);
        EXPECT_INT(stats(&w).rooms, done ? 4 : 3);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        wshub_io_fake_run(w.net);
        (void)wshub_io_fake_next(w.net, c, &f);
        world_stop(&w);
    }
    EXPECT(n > 4 && n < 30);
}

static void accept_as_empty(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    who.user_id = S("");
    EXPECT_INT(wshub_auth_accept(hub, ask, &who), WSHUB_OK);
}
static void gone_as_empty(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    EXPECT(g->user_id.ptr && g->user_id.len == 0);
    world_note((world *)user, "gone");
}
TEST(a_user_of_no_name_is_told_and_no_user) { /* AUTH-7, BYE-1 */
    world w;
    wshub_conn c;
    char id[37];
    wshub_str user;
    world_start(&w, DESC(.on_authenticate = accept_as_empty, .on_disconnected = gone_as_empty), FAKE(0));
    c = world_client(&w, NULL, id);
    user = wshub_client_user_id(w.hub, world_handle(&w, id));
    EXPECT(user.ptr && user.len == 0);
    EXPECT_INT(stats(&w).users, 0);
    wshub_io_fake_end(w.net, c);
    EXPECT(strcmp(w.log, "gone") == 0);
    world_stop(&w);
}

TEST(nobody_decides) { /* AUTH-3: without on_authenticate everybody is rejected */
    world w;
    wshub_conn c;
    wshub_client client;
    wshub_iter it = {0, 0};
    wshub_msg m = msg("m", "1");
    world_start(&w, DESC(0), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_TEXT(&w, c, "{\"event\":\"error\",\"data\":{\"message\":\"Authentication failed\"}}");
    EXPECT_CLOSE(&w, c, 4003);
    world_stop(&w);
    world_start(&w, DESC(.backpressure_bytes_max = 1, .close_on_backpressure = true), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws"); /* the error is more than this client may be owed: it is gone before its Close */
    wshub_io_fake_window(w.net, c, 0);
    EXPECT(wshub_client_each(w.hub, &it, &client));
    EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK); /* it owes nothing, so that is sent, and waits */
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT(!wshub_io_fake_is_open(w.net, c) && wshub_io_fake_output(w.net, c).len == 0);
    world_stop(&w);
}

/* ---- limits that are off, timers that find nothing ---- */

static wshub_err binary_fails(wshub *hub, wshub_client c, const uint8_t *bytes, size_t count, void *user) {
    (void)hub;
    (void)c;
    (void)bytes;
    (void)user;
    return count == 1 ? WSHUB_ERR_APP : WSHUB_OK;
}
TEST(timeouts_that_are_off) { /* LIVE-1, LIVE-2 */
    world w;
    wshub_conn c;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_binary = binary_fails, .write_timeout_ms = WSHUB_OFF, .heartbeat_timeout_ms = WSHUB_OFF, .no_pings = true, .idle_timeout_ms = 100000), FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_advance(w.net, 60000); /* half of the silence, and no Ping */
    wshub_io_fake_send(w.net, c, 2, true, "x", 1);
    wshub_io_fake_send(w.net, c, 2, true, "xy", 2);
    wshub_io_fake_send(w.net, c, 2, true, "", 0);
    EXPECT_INT(stats(&w).app_failures, 1);
    wshub_io_fake_advance(w.net, 99999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).pings_sent, 0);
    EXPECT_INT(stats(&w).idle_timeouts, 1);
    world_stop(&w);
}
static void nothing_due(bool pings) {
    world w;
    wshub_conn c;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .write_timeout_ms = 10000, .heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = 60000, .no_pings = !pings), FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_advance(w.net, 30000); /* pinged */
    EXPECT_INT(stats(&w).pings_sent, pings);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_window(w.net, c, UINT64_MAX); /* the write's deadline is set and has gone again */
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 10000);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).pings_sent, pings);
    world_stop(&w);
}
TEST(a_timer_that_finds_nothing_due) {
    nothing_due(true);
    nothing_due(false);
}
TEST(randomness_that_runs_dry) { /* ids stay distinct and unguessable: they are drawn from the hub's own key then */
    static char ids[100][37];
    world w;
    int i, k;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wshub_io_fake_set_random(w.net, true);
    for (i = 0; i < 100; i++) {
        (void)world_client(&w, NULL, ids[i]);
        for (k = 0; k < i; k++) EXPECT(strcmp(ids[i], ids[k]) != 0);
    }
    world_stop(&w);
}
TEST(too_many_streams) {
    world w;
    wshub_conn c;
    world_start(&w, DESC(.conns_max = 1), FAKE(0));
    EXPECT(wshub_io_fake_open(w.net).id);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).conns_refused, 1);
    world_stop(&w);
}

static char log_text[200];
static int log_lines;
static void see_log(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    log_lines++;
    (void)snprintf(log_text, sizeof log_text, "%s", line->text);
}
static void log_now(wshub *hub, const char *detail, wshub_str text) { /* as a call that logs would */
    wshub__enter(hub);
    wshub__log(hub, WSHUB_LOG_PROTO, wshub__nobody(), detail, text);
    wshub__leave(hub);
}
TEST(log_lines_are_short_and_plain) { /* threats: log injection and flood */
    world w;
    char detail[300];
    int i;
    world_start(&w, DESC(.on_log = see_log), FAKE(0));
    log_lines = 0;
    log_now(w.hub, "why", S("a\\b\n\x1B[31m\xC3\xBC"));
    EXPECT(strcmp(log_text, "protocol error: why: a\\x5cb\\x0a\\x1b[31m\\xc3\\xbc") == 0);
    memset(detail, 'd', sizeof detail - 1);
    detail[sizeof detail - 1] = 0;
    log_now(w.hub, detail, S("x"));
    EXPECT_INT(strlen(log_text), 128);
    log_now(w.hub, "", wshub__str(detail, 299));
    EXPECT(strlen(log_text) <= 128 && strlen(log_text) > 120);
    for (i = 0; i < 1000; i++) log_now(w.hub, "", nul());
    EXPECT_INT(log_lines, 10);
    EXPECT_INT(stats(&w).log_suppressed, 993);
    world_stop(&w);
}

/* ---- the bus at its ends ---- */

TEST(what_a_bus_may_bring) { /* BUS-3; limits of the outbox */
    world w;
    wshub_loop *loop;
    wshub_bus bus;
    wshub_conn c;
    wshub_dest to;
    char id[37];
    static char big[3000];
    wshub_msg m = msg("e", "1"), huge;
    EXPECT_INT(wshub_loop_create(NULL, &loop), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(loop, &bus), WSHUB_OK);
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = &bus, .bus_queue_bytes_max = 2000, .bus_queue_ms_max = WSHUB_OFF), FAKE(0));
    c = world_client(&w, "u", id);
    wshub__bus_received(w.hub, S("ws:room:xs-default"), S("{\"serverId\":\"s\",\"type\":\"room\",\"target\":\"ws-default\",\"event\":\"e\",\"data\":1}"));
    EXPECT_INT(stats(&w).bus_refused, 1); /* as long, another name */
    w.fail_at = 1;
    wshub__bus_received(w.hub, S("ws:broadcast"), S("{\"serverId\":\"s\",\"type\":\"broadcast\",\"event\":\"e\",\"data\":1}"));
    w.fail_at = 0;
    EXPECT_INT(stats(&w).bus_bad, 1);
    EXPECT_SILENCE(&w, c);
    wshub_loop_set_down(loop, true);
    wshub_io_fake_run(w.net);
    memset(big, ' ', sizeof big);
    big[0] = '1';
    huge = msg("e", "1");
    huge.data = wshub__str(big, sizeof big);
    memset(&to, 0, sizeof to);
    EXPECT_INT(wshub_send(w.hub, NULL, &huge), WSHUB_OK); /* over the whole queue: delivered here, dropped there */
    EXPECT_INT(stats(&w).bus_dropped, 1);
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    wshub_io_fake_advance(w.net, 60000); /* kept however long */
    EXPECT(stats(&w).bus_queued_bytes > 0);
    w.fail_at = 1;
    {
        wshub__fan fan = wshub__fan_make(m.event, m.data);
        EXPECT_INT(wshub__publish(w.hub, &(wshub_dest){.kind = WSHUB_DEST_ALL}, &m, &fan), WSHUB_ERR_NOMEM);
        wshub__fan_done(w.hub, &fan);
    }
    w.fail_at = 0;
    world_stop(&w);
    wshub_loop_destroy(loop);
}

static size_t seat_heard;
static void seat_received(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)payload;
    seat_heard += channel.len + 1;
}
static void seat_state(void *ctx, wshub_bus_state state) {
    (void)ctx;
    (void)state;
}
TEST(seats_of_the_loop) {
    wshub_loop *loop;
    wshub_loop_desc ld;
    wshub_bus a, b;
    wshub_bus_owner owner;
    wshub_bus_channel patterns[2] = {{{"x:*", 3}, true}, {{"y:*", 3}, true}}, plain = {{"x:1", 3}, false}, unknown = {{"z:*", 3}, true}, long_one = {{"x:1*", 4}, true}, nameless = {{"", 0}, false};
    wshub_bus_msg m;
    world w;
    long n;
    memset(&w, 0, sizeof w);
    memset(&ld, 0, sizeof ld);
    memset(&owner, 0, sizeof owner);
    owner.received = seat_received;
    owner.state = seat_state;
    ld.alloc = world_alloc;
    ld.alloc_user = &w;
    ld.queue_bytes_max = 100;
    w.fail_at = 1;
    EXPECT_INT(wshub_loop_create(&ld, &loop), WSHUB_ERR_NOMEM);
    EXPECT_INT(wshub_loop_create(&ld, &loop), WSHUB_OK);
    w.fail_at = 1;
    EXPECT_INT(wshub_loop_bus(loop, &a), WSHUB_ERR_NOMEM);
    EXPECT_INT(wshub_loop_bus(loop, &a), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(loop, &b), WSHUB_OK);
    EXPECT_INT(a.attach(a.ctx, &owner), WSHUB_OK);
    EXPECT_INT(b.attach(b.ctx, &owner), WSHUB_OK);
    a.pump(a.ctx);
    for (n = 1; n < 6; n++) { /* what cannot be kept is offered again */
        w.fail_at = n;
        if (a.subscribe(a.ctx, &plain, 1)) break;
    }
    EXPECT(n > 2 && n < 6);
    w.fail_at = 0;
    EXPECT(a.subscribe(a.ctx, &plain, 1));
    EXPECT(a.subscribe(a.ctx, patterns, 2));
    m.channel = S("x:2");
    m.payload = S("p");
    seat_heard = 0;
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    a.pump(a.ctx);
    EXPECT_INT(seat_heard, 4);
    EXPECT(a.unsubscribe(a.ctx, &unknown, 1) && a.unsubscribe(a.ctx, &long_one, 1));
    EXPECT(a.unsubscribe(a.ctx, patterns, 1));
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    a.pump(a.ctx);
    EXPECT_INT(seat_heard, 4);
    m.channel = S("x:1");
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    a.pump(a.ctx);
    EXPECT_INT(seat_heard, 8);
    EXPECT(a.unsubscribe(a.ctx, &plain, 1) && a.unsubscribe(a.ctx, &plain, 1));
    EXPECT(a.subscribe(a.ctx, &nameless, 1) && a.subscribe(a.ctx, &nameless, 1) && a.unsubscribe(a.ctx, &nameless, 1));
    nameless.name.len = (size_t)1 << 28; /* longer than any name may be: not looked at */
    EXPECT(!a.subscribe(a.ctx, &nameless, 1));
    m.channel = nul(); /* nothing at all is still a channel */
    m.payload = nul();
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    m.payload = wshub__str("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789", 100);
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1); /* over queue_bytes_max: dropped for that seat */
    EXPECT_INT(wshub_loop_dropped(loop), 1);
    m.payload = S("p");
    w.fail_at = 1;
    EXPECT_INT(b.publish(b.ctx, &m, 1), 0); /* no memory: offered again */
    EXPECT_INT(wshub_loop_dropped(loop), 1);
    w.fail_at = 0;
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    (void)a.attach(a.ctx, NULL); /* leaves with letters in its box */
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    wshub_loop_set_down(loop, true);
    EXPECT_INT(b.publish(b.ctx, &m, 1), 0);
    (void)b.attach(b.ctx, NULL);
    wshub_loop_destroy(loop);
    EXPECT_INT(w.bytes, 0);
}

/* ---- the check that all other tests lean on ---- */

static void timer_of_nothing(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}
TEST(the_self_check_sees_what_is_wrong) {
    world w;
    char id[37], other[37];
    wshub__client *c, *d;
    wshub__conn *conn;
    wshub__group *room, *user;
    wshub_conn slow;
    wshub_msg m = msg("e", "1");
#define WRONG(place, value)                                              \
    do {                                                                 \
        const size_t test_n = sizeof(place);                             \
        uint8_t test_keep[32];                                           \
        memcpy(test_keep, &(place), test_n);                             \
        (place) = (value);                                               \
        EXPECT(wshub_self_check(w.hub) != NULL);                         \
        memcpy(&(place), test_keep, test_n);                             \
        EXPECT(wshub_self_check(w.hub) == NULL);                         \
    } while (0)
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, "u", id);
    slow = world_client(&w, "u", other);
    wshub_io_fake_window(w.net, slow, 0);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_self_check(w.hub) == NULL);
    c = wshub__client_get(w.hub, world_handle(&w, id));
    d = wshub__client_get(w.hub, world_handle(&w, other));
    conn = wshub__conn_at(w.hub, d->conn);
    room = w.hub->rooms[0];
    user = w.hub->users[0];
    WRONG(room->pos, 7);
    WRONG(room->count, 0);
    WRONG(room->count, room->cap + 1);
    WRONG(room->name.ptr, "another room, with as long a name");
    WRONG(c->slot.link, 0);
    WRONG(c->prev, 9);
    WRONG(c->index, 9);
    WRONG(d->prev, 0);
    WRONG(c->name.ptr, "00000000-0000-0000-0000-000000000000");
    WRONG(c->own_room, false);
    WRONG(c->state, WSHUB_CLIENT_AUTHENTICATING);
    WRONG(c->state, WSHUB__CLIENT_DISCONNECTED);
    WRONG(c->rooms_count, 0);
    WRONG(c->rooms_count, 1);
    WRONG(c->rooms[0], w.hub->rooms[1]);
    WRONG(wshub__room_positions(c)[0], 1);
    WRONG(wshub__members(room)[0].place, 77);
    WRONG(wshub__members(room)[0].client, 7);
    WRONG(c->user, NULL);
    WRONG(c->user_pos, 5);
    WRONG(user->pos, 3);
    WRONG(user->count, 1);
    WRONG(c->conn, d->conn);
    WRONG(conn->above, 9);
    WRONG(w.hub->clients.live, 9);
    WRONG(w.hub->newest, 1);
    WRONG(w.hub->own_rooms, 9);
    WRONG(w.hub->stats.authenticated, 9);
    WRONG(w.hub->index.count, 9);
    WRONG(w.hub->conns_live, 9);
    WRONG(w.hub->stats.queued_bytes, 9);
    WRONG(w.hub->stats.segment_bytes, 9);
    WRONG(conn->queued, 1);
    WRONG(conn->first.len, 1);
    WRONG(conn->due_pos, 0); /* nothing leads on from its deadlines */
    WRONG(conn->due_pos, 3 - conn->due_pos);
    WRONG(w.hub->segs->used, w.hub->segs->cap + 1);
    WRONG(w.hub->segs->refs, 9);
    WRONG(w.hub->segs->held, 1);
    WRONG(w.hub->heap.items[0].at, UINT64_MAX);
    WRONG(w.hub->stats.bus_lingering, 1);
    WRONG(w.hub->stats.lagging_bytes, 1);
    WRONG(w.hub->log->cap, w.hub->log->cap + 1);
    EXPECT_INT(wshub_timer_start(w.hub, 1000, timer_of_nothing, NULL, NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 2000, timer_of_nothing, NULL, NULL), WSHUB_OK);
    WRONG(w.hub->timer_heap.items[0].at, UINT64_MAX);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("more")), WSHUB_OK);
    {
        uint32_t i;
        for (i = 0; i < 20; i++) { /* until it finds them by a table */
            char name[8];
            (void)snprintf(name, sizeof name, "t%u", (unsigned)i);
            EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S(name)), WSHUB_OK);
        }
        WRONG(wshub__rooms_table(c)[wshub__rooms_entry(c, c->rooms[3])], 0);
    }
    {
        uint32_t count = w.hub->rooms_count; /* a room less: its members have memberships nowhere */
        w.hub->rooms_count = count - 1;
        w.hub->index.count--;
        EXPECT(wshub_self_check(w.hub) != NULL);
        w.hub->rooms_count = count;
        w.hub->index.count++;
    }
    world_stop(&w);
}
