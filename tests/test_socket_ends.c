/* How the WebSockets of mounts (>>sockets) are closed, whose they are, how the hub's own end finds
 * them, what keeps them alive, what they are to a dialect's clients, and what is said where there
 * is none (LIVE-2, LIVE-3, BYE-2, ENC-1; RFC 6455 7). */
#include "socket_site.h"

/* ---- ends ---- */

static void close_own(site *s, wshub_conn conn) {
    EXPECT_INT(wshub_conn_close(s->w->hub, conn, 4001, S("enough")), WSHUB_OK);
    expect_all(s->w, conn, WSHUB_ERR_STALE);
    EXPECT_INT(s->closed, 0); /* told in settle */
}
static void find_stale(site *s, wshub_conn conn) {
    expect_all(s->w, conn, WSHUB_ERR_STALE);
}

TEST(a_socket_is_closed_from_inside_its_own_message) {                 /* RFC 6455 7.1.2 */
    static const uint8_t two[] = "\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b"; /* in one piece */
    site s = {.at_message = close_own, .at_closed = find_stale};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    wshub_io_fake_input(w.net, conn, two, sizeof two - 1);
    EXPECT_INT(s.messages, 1); /* nothing behind it is handed over */
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 4001);
    EXPECT_INT(s.cause, WSHUB_BY_APP);
    EXPECT_STR(s.reason, "enough");
    EXPECT_CLOSE(&w, conn, 4001);
    EXPECT_INT(s.closed, 1);
    expect_all(&w, conn, WSHUB_ERR_STALE);
    world_stop(&w);
}

TEST(a_close_says_only_what_a_peer_can_be_told) { /* RFC 6455 5.5.1, 7.4 */
    static const uint16_t bad[] = {1, 999, 1004, 1005, 1006, 1015, 2999, 5000};
    char reason[124];
    size_t i;
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    memset(reason, 'r', sizeof reason);
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_INT(wshub_conn_close(w.hub, conn, bad[i], nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_close(w.hub, conn, 1000, wshub__str(reason, 124)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_close(w.hub, conn, 0, S("x")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_close(w.hub, conn, 1000, S("\xC3")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_close(w.hub, conn, 3000, wshub__str(reason, 123)), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(strlen(s.reason), 123);
    EXPECT_CLOSE(&w, conn, 3000);

    conn = wshub_io_fake_connect(w.net, "/s");
    EXPECT_INT(wshub_conn_close(w.hub, conn, 0, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(s.code, 1005);
    EXPECT_CLOSE(&w, conn, 0);
    EXPECT_INT(s.closed, 2);
    world_stop(&w);
}

TEST(what_is_owed_leaves_before_the_close) { /* LIVE-3 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(.close_timeout_ms = 1000), FAKE(0));
    wshub_io_fake_window(w.net, conn, 3);
    EXPECT_INT(send_text(&w, conn, "owed"), WSHUB_OK);
    EXPECT_INT(wshub_conn_close(w.hub, conn, 1000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(s.closed, 1); /* told at once, and nothing is told of it any more */
    EXPECT_INT(wshub_conn_queued_bytes(w.hub, conn), 7);
    wshub_io_fake_advance(w.net, 5000);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_TEXT(&w, conn, "owed");
    EXPECT_CLOSE(&w, conn, 1000);
    EXPECT_INT(s.drained, 0);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(wshub_conn_queued_bytes(w.hub, conn), 0);
    world_stop(&w);
}

TEST(a_close_without_memory_drops_the_stream_and_is_told) { /* BYE-1, >>errors */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_text(&w, conn, "x"), WSHUB_OK);
    starve(&w);
    EXPECT_INT(wshub_conn_close(w.hub, conn, 4000, S("why")), WSHUB_OK);
    mend(&w);
    expect_all(&w, conn, WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 4000);
    EXPECT(!wshub_io_fake_is_open(w.net, conn));
    world_stop(&w);
}

TEST(what_is_no_socket_of_a_mount_is_said_to_be_none) { /* ENC-1, SEND-5: no frame past the gate */
    site s = {.later = true};
    world w;
    wshub_conn json, http, none = {0}, gone;
    wshub_session lent;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    site_mount(&w, &s, "/s");
    json = world_client(&w, "u", NULL);
    http = wshub_io_fake_open(w.net);
    expect_all(&w, json, WSHUB_ERR_STATE);
    expect_all(&w, http, WSHUB_ERR_STATE);
    EXPECT_INT(wshub_conn_queued_bytes(w.hub, json), 0);
    EXPECT(!wshub_io_fake_connect(w.net, "/s").id); /* its upgrade waits to be answered */
    EXPECT_INT(w.hub->exchanges.live, 1);
    expect_all(&w, none, WSHUB_ERR_STALE);
    none.id = 77;
    expect_all(&w, none, WSHUB_ERR_STALE);
    EXPECT_INT(wshub_conn_queued_bytes(w.hub, none), 0);
    none.id = WSHUB__LENT;
    expect_all(&w, none, WSHUB_ERR_STALE);
    lent.id = 0;
    EXPECT_INT(wshub_session_lend(w.hub, 0, NULL, &lent), WSHUB_ERR_PARAM);

    /* The number of one that has gone is another's now. */
    s.later = false;
    gone = wshub_io_fake_connect(w.net, "/s");
    EXPECT_INT(send_text(&w, gone, "x"), WSHUB_OK);
    wshub_io_fake_end(w.net, gone);
    EXPECT_INT(s.closed, 1);
    wshub_io_fake_forget(w.net, gone);
    none = wshub_io_fake_connect(w.net, "/s");
    EXPECT_INT((uint32_t)none.id, (uint32_t)gone.id);
    expect_all(&w, gone, WSHUB_ERR_STALE);
    EXPECT_INT(send_text(&w, none, "y"), WSHUB_OK);
    world_stop(&w);
}

static void try_all_held(site *s, wshub_conn conn) {
    (void)conn;
    expect_all(s->w, s->other, WSHUB_ERR_STATE);
}

TEST(a_stream_whose_upgrade_is_still_to_be_answered_is_no_socket_yet) { /* CONN-1 */
    static const char up[] = "GET /s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                             "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                             "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    site s = {.at_message = try_all_held};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    s.later = true;
    s.other = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, s.other, up, sizeof up - 1);
    wshub_io_fake_text(w.net, conn, "try");
    EXPECT_INT(s.messages, 1);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.kept, NULL, &conn), WSHUB_OK);
    EXPECT(conn.id == s.other.id);
    EXPECT_INT(send_text(&w, conn, "x"), WSHUB_OK);
    world_stop(&w);
}

/* ---- whose it is ---- */

static site second = {.name = "second"};
static void hand_over(site *s, wshub_conn conn) {
    second.w = s->w;
    EXPECT(wshub_conn_owner(s->w->hub, conn) == s);
    EXPECT_INT(wshub_conn_set_owner(s->w->hub, conn, &second), WSHUB_OK);
    EXPECT(wshub_conn_owner(s->w->hub, conn) == &second);
}

TEST(an_owner_that_is_changed_inside_a_callback_gets_the_next) { /* >>api-mount */
    site s = {.name = "first", .at_message = hand_over}, own = {.name = "own"};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    EXPECT(wshub_conn_owner(w.hub, conn) == &s); /* its mount's user */
    wshub_io_fake_text(w.net, conn, "1");
    EXPECT_STR(w.log, "first hears;");
    wshub_io_fake_text(w.net, conn, "2");
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_text(&w, conn, "x"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(wshub_conn_close(w.hub, conn, 1000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(w.log, "first hears;second hears;second drained;second closed;");

    own.w = &w;
    s.owner = &own; /* the upgrade's answer says whose it is */
    conn = wshub_io_fake_connect(w.net, "/s");
    EXPECT(wshub_conn_owner(w.hub, conn) == &own);
    wshub_io_fake_end(w.net, conn);
    EXPECT_STR(w.log, "first hears;second hears;second drained;second closed;own closed;");
    world_stop(&w);
}

/* ---- the hub's own end ---- */

TEST(shutdown_closes_sockets_with_1001_and_tells) { /* BYE-2 */
    site s = {.at_closed = find_stale};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    EXPECT_INT(send_text(&w, conn, "bye"), WSHUB_OK);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    expect_all(&w, conn, WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 1001);
    EXPECT_INT(s.cause, WSHUB_BY_SHUTDOWN);
    EXPECT(!wshub_is_down(w.hub));
    EXPECT_TEXT(&w, conn, "bye"); /* what was said before leaves first */
    EXPECT_CLOSE(&w, conn, 1001);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_is_down(w.hub));
    EXPECT_INT(s.closed, 1);
    world_stop(&w);
}

TEST(a_drain_takes_sockets_when_the_last_client_has_gone) { /* BYE-2 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(.on_authenticate = accept_all), FAKE(0)), a, b;
    a = world_client(&w, "a", NULL);
    b = world_client(&w, "b", NULL);
    EXPECT_INT(wshub_drain(w.hub, 1, 4000, S("moving")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_CLOSE(&w, a, 4000);
    wshub_io_fake_text(w.net, conn, "still here");
    EXPECT_INT(s.messages, 1);
    EXPECT_INT(send_text(&w, conn, "you too"), WSHUB_OK);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_CLOSE(&w, b, 4000);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_TEXT(&w, conn, "you too");
    EXPECT_CLOSE(&w, conn, 1001);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.cause, WSHUB_BY_SHUTDOWN);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_is_down(w.hub));
    world_stop(&w);
}

static void destroy_and_go_on(site *s, wshub_conn conn) {
    wshub *hub = s->w->hub;
    wshub_destroy(hub);
    EXPECT_INT(wshub_conn_send(hub, conn, "x", 1, true), WSHUB_OK); /* goes nowhere */
    EXPECT_INT(wshub_conn_pause_until_drained(hub, conn), WSHUB_OK);
    EXPECT(wshub_conn_owner(hub, conn) == s);
}

TEST(a_hub_destroyed_inside_a_message_ends_its_sockets_and_tells) { /* BYE-2 */
    site s = {.at_message = destroy_and_go_on, .at_closed = find_stale};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0)), idle;
    idle = wshub_io_fake_connect(w.net, "/s");
    EXPECT(idle.id);
    w.unchecked = true;
    wshub_io_fake_text(w.net, conn, "destroy");
    w.hub = NULL;
    EXPECT_INT(s.messages, 1);
    EXPECT_INT(s.closed, 2);
    EXPECT_INT(s.code, 1001);
    EXPECT_INT(s.cause, WSHUB_BY_SHUTDOWN);
    world_stop(&w);
}

/* ---- what keeps it alive ---- */

TEST(pings_keep_a_silent_peer_that_answers_them) { /* LIVE-2 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s,
                                 DESC(.idle_timeout_ms = 10000, .heartbeat_timeout_ms = 20000,
                                      .heartbeat_interval_ms = 5000, .heartbeat_by_pong = true),
                                 FAKE(0));
    int i, pings = 0;
    for (i = 0; i < 60; i++) { /* far beyond a client's heartbeat */
        wshub_io_fake_frame f;
        wshub_io_fake_advance(w.net, 1000);
        while (wshub_io_fake_next(w.net, conn, &f)) {
            EXPECT_INT(f.opcode, 9);
            pings++;
            wshub_io_fake_send(w.net, conn, 10, true, NULL, 0);
        }
    }
    EXPECT(pings >= 10 && pings <= 13); /* half way to the timeout */
    EXPECT_INT(s.closed, 0);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 0);

    /* Who does not answer is gone. */
    wshub_io_fake_advance(w.net, 10000);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 1006);
    EXPECT_INT(s.cause, WSHUB_BY_TIMEOUT);
    EXPECT_INT(stats(&w).idle_timeouts, 1);
    world_stop(&w);
}

TEST(a_socket_whose_peer_speaks_is_asked_nothing) { /* LIVE-2 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(.idle_timeout_ms = 10000), FAKE(0));
    int i;
    for (i = 0; i < 30; i++) {
        wshub_io_fake_advance(w.net, 4000);
        wshub_io_fake_text(w.net, conn, "x");
    }
    EXPECT_INT(stats(&w).pings_sent, 0);
    EXPECT_INT(s.closed, 0);
    EXPECT_INT(s.messages, 30);
    world_stop(&w);
}

TEST(without_pings_a_silent_socket_ends) { /* LIVE-2 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(.idle_timeout_ms = 10000, .no_pings = true), FAKE(0));
    EXPECT_INT(send_text(&w, conn, "our own words are no sign of life"), WSHUB_OK);
    wshub_io_fake_advance(w.net, 9999);
    EXPECT_INT(s.closed, 0);
    wshub_io_fake_advance(w.net, 1);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.cause, WSHUB_BY_TIMEOUT);
    world_stop(&w);
}

/* ---- a dialect's client at a mount's WebSocket ---- */

static void note_pressure(wshub *hub, wshub_client client, wshub_pressure what, size_t queued,
                          void *user) {
    (void)hub;
    (void)client;
    (void)queued;
    world_note((world *)user, what == WSHUB_PRESSURE_ON    ? "on;"
                              : what == WSHUB_PRESSURE_OFF ? "off;"
                                                           : "drop;");
}
static void note_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    world_note((world *)user, gone->code == 4100 ? "gone;" : "gone otherwise;");
}

/* A WebSocket of a mount with a client of a dialect. */
static wshub_conn dialect_start_on(world *w, site *s, wshub_client *client, wshub_io_fake_desc fd) {
    wshub_dialect table = DIALECT(.name = "bare");
    wshub_client_desc desc;
    wshub_conn conn = site_start(w, s,
                                 DESC(.on_authenticate = accept_all, .on_pressure = note_pressure,
                                      .on_log = keep_line, .on_transform_in = keep_event,
                                      .message_timeout_ms = 1000, .on_disconnected = note_gone,
                                      .backpressure_bytes_max = 1000),
                                 fd);
    memset(&desc, 0, sizeof desc);
    EXPECT_INT(wshub_dialect_add(w->hub, &table, NULL, &desc.dialect), WSHUB_OK);
    EXPECT_INT(wshub_client_add(w->hub, wshub_conn_session(w->hub, conn), &desc, client), WSHUB_OK);
    w->log_len = 0;
    w->log[0] = 0;
    return conn;
}
static wshub_conn dialect_start(world *w, site *s, wshub_client *client) {
    return dialect_start_on(w, s, client, FAKE(0));
}

TEST(a_dialect_speaks_beside_its_clients_and_both_are_told_of_pressure) { /* SEND-6, >>dialects */
    site s = {0};
    world w;
    wshub_client client;
    wshub_conn conn = dialect_start(&w, &s, &client);
    wshub_io_fake_frame f;
    EXPECT_INT(send_text(&w, conn, "2"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, conn, "2");
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_bytes(&w, conn, 2000), WSHUB_OK);
    EXPECT_INT(send_bytes(&w, conn, 1), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(w.net);
    EXPECT_STR(w.log, "on;drop;C;"); /* logged once, as the client's */
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_STR(w.log, "on;drop;C;site drained;off;");
    EXPECT_INT(wshub_conn_close(w.hub, conn, 4100, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(w.log, "on;drop;C;site drained;off;gone;site closed;");
    EXPECT(wshub_io_fake_next(w.net, conn, &f));
    EXPECT_INT(f.payload.len, 2000);
    EXPECT_CLOSE(&w, conn, 4100);
    world_stop(&w);
}

TEST(who_ends_in_on_drained_is_told_of_nothing_more) { /* SEND-6 */
    static const action ends[] = {end_own, destroy};
    size_t i;
    for (i = 0; i < 2; i++) {
        site s = {.at_drained = ends[i]};
        world w;
        wshub_client client;
        wshub_conn conn = dialect_start(&w, &s, &client);
        owe(&w, conn, 2000);
        EXPECT_STR(w.log, "on;");
        wshub_io_fake_window(w.net, conn, UINT64_MAX);
        EXPECT_STR(w.log, "on;site drained;gone otherwise;site closed;");
        world_stop(&w);
    }
}

/* Another stream has the place of one that ends in on_drained: a client's, of the JSON dialect. */
static void make_room(site *s, wshub_conn conn) {
    static const char up[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                             "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                             "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static uint8_t bytes[sizeof up];
    wshub *hub = s->w->hub;
    memcpy(bytes, up, sizeof up);
    s->other.id = conn.id + (UINT64_C(1) << 32);
    wshub_conn_closed(hub, conn);
    wshub_conn_opened(hub, s->other);
    wshub_conn_received(hub, s->other, bytes, sizeof up - 1);
    EXPECT(wshub_conn_client(hub, s->other).id);
}

TEST(who_takes_the_place_of_one_that_drained_is_told_nothing_of_it) { /* SEND-6 */
    site s = {.at_drained = make_room};
    world w;
    wshub_client client;
    wshub_conn conn = dialect_start(&w, &s, &client);
    owe(&w, conn, 2000);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_STR(w.log, "on;site drained;gone otherwise;site closed;");
    wshub_conn_closed(w.hub, s.other);
    world_stop(&w);
}

TEST(what_a_turn_has_gathered_for_clients_counts_before_a_send) { /* SEND-5, SEND-6 */
    wshub_msg m = msg("m", "\"0123456789012345678901234567890123456789\"");
    site s = {0};
    world w;
    wshub_client client;
    wshub_conn conn = dialect_start(&w, &s, &client);
    wshub_io_fake_frame f;
    size_t i, got;
    EXPECT_INT(wshub_client_authenticate(w.hub, client, nul()), WSHUB_OK);
    wshub_io_fake_window(w.net, conn, 0);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    got = wshub_conn_queued_bytes(w.hub, conn);
    EXPECT_OP(got, >, 150);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(send_bytes(&w, conn, 1000 - 2 * got + 1 - 4), WSHUB_ERR_DROPPED);
    EXPECT_INT(send_bytes(&w, conn, 1000 - 2 * got - 4), WSHUB_OK);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    for (i = 0; i < 6; i++) EXPECT(wshub_io_fake_next(w.net, conn, &f) && f.opcode == 1);
    EXPECT_INT(arrived(&w, conn, 1000 - 2 * got - 4), 1);

    /* And they are what a pause waits for. */
    wshub_io_fake_window(w.net, conn, 0);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_conn_pause_until_drained(w.hub, conn), WSHUB_OK);
    wshub_io_fake_text(w.net, conn, "held");
    EXPECT_INT(s.messages, 0);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(s.messages, 1);
    world_stop(&w);
}

static wshub_client transformed;
static void to_transformer(site *s, wshub_conn conn) {
    wshub_event event;
    (void)conn;
    memset(&event, 0, sizeof event);
    event.event = S("e");
    EXPECT_INT(wshub_client_receive(s->w->hub, transformed, &event), WSHUB_OK);
}

TEST(who_waits_for_two_things_is_read_behind_both) { /* SEND-5, SEND-6, LIVE-3 */
    int first;
    for (first = 0; first < 2; first++) { /* what ends first: the pause, or the question */
        site s = {.at_message = to_transformer};
        world w;
        wshub_conn conn = dialect_start(&w, &s, &transformed);
        kept_asks_count = 0;
        EXPECT_INT(wshub_client_authenticate(w.hub, transformed, nul()), WSHUB_OK);
        EXPECT_INT(wshub_client_encrypt(w.hub, transformed), WSHUB_OK);
        wshub_io_fake_window(w.net, conn, 0);
        EXPECT_INT(send_text(&w, conn, "x"), WSHUB_OK);
        wshub_io_fake_text(w.net, conn, "1");
        EXPECT_INT(kept_asks_count, 1);
        EXPECT_INT(wshub_conn_pause_until_drained(w.hub, conn), WSHUB_OK);
        wshub_io_fake_text(w.net, conn, "2");
        if (first == 0) wshub_io_fake_window(w.net, conn, UINT64_MAX);
        if (first == 1) EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_advance(w.net, 5000); /* longer than a message may take */
        EXPECT_INT(s.messages, 1);
        EXPECT_INT(s.closed, 0);
        wshub_io_fake_window(w.net, conn, UINT64_MAX);
        if (first == 0) EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(s.messages, 2);
        EXPECT_STR(s.last, "2");
        world_stop(&w);
    }
}

/* Each message is answered to a peer that takes nothing, and goes to the transformer; which of the
 * two waits begins first alternates. */
static char read_so_far[400];
static void ask_and_pause(site *s, wshub_conn conn) {
    size_t n = strlen(read_so_far);
    (void)snprintf(read_so_far + n, sizeof read_so_far - n, "%.8s ", s->last);
    EXPECT_INT(send_text(s->w, conn, "x"), WSHUB_OK);
    if (s->messages % 2) to_transformer(s, conn);
    EXPECT_INT(wshub_conn_pause_until_drained(s->w->hub, conn), WSHUB_OK);
    if (s->messages % 2 == 0) to_transformer(s, conn);
}

/* How the two waits end. */
typedef enum both { DRAINED_FIRST, ANSWERED_FIRST, IN_ONE_TURN, BOTHS } both;

static void end_both(world *w, const site *s, wshub_conn conn, both way) {
    wshub_ask ask = kept_asks[(kept_asks_count - 1) % 8];
    int before = s->messages;
    wshub_io_fake_hold(w->net, way == IN_ONE_TURN);
    if (way == ANSWERED_FIRST) EXPECT_INT(wshub_transform_accept(w->hub, ask, NULL), WSHUB_OK);
    if (way != ANSWERED_FIRST) wshub_io_fake_window(w->net, conn, 3); /* one answer */
    wshub_io_fake_run(w->net);
    EXPECT_INT(s->messages, before);
    if (way == ANSWERED_FIRST) wshub_io_fake_window(w->net, conn, 3);
    if (way != ANSWERED_FIRST) EXPECT_INT(wshub_transform_accept(w->hub, ask, NULL), WSHUB_OK);
    wshub_io_fake_hold(w->net, false);
}

static void all_is_read_in_order(int kind, both way) {
    /* `1`, `2`, `3` and half of `45`, in one piece; the other half comes while nothing is read */
    static const char begun[] = "\x81\x81\0\0\0\0"
                                "1\x81\x81\0\0\0\0"
                                "2\x81\x81\0\0\0\0"
                                "3\x81\x82\0\0\0\0"
                                "4";
    static const char *const read[] = {"1 ", "1 2 ", "1 2 3 ", "1 2 3 45 "};
    site s = {.at_message = ask_and_pause};
    world w;
    wshub_conn conn = dialect_start_on(&w, &s, &transformed, io_kind(kind));
    int i;
    kept_asks_count = 0;
    read_so_far[0] = 0;
    EXPECT_INT(wshub_client_authenticate(w.hub, transformed, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_encrypt(w.hub, transformed), WSHUB_OK);
    wshub_io_fake_window(w.net, conn, 0);
    wshub_io_fake_input(w.net, conn, begun, sizeof begun - 1);
    wshub_io_fake_input(w.net, conn, "5", 1);
    for (i = 0; i < 4; i++) {
        EXPECT_STR(read_so_far, read[i]);
        EXPECT_INT(s.drained, i);
        end_both(&w, &s, conn, way);
    }

    /* All of it was read once, nothing is kept, and the stream is heard again. */
    EXPECT_INT(s.drained, 4);
    EXPECT_INT(stats(&w).held_bytes, 0);
    s.at_message = NULL;
    wshub_io_fake_text(w.net, conn, "again");
    EXPECT_STR(s.last, "again");
    EXPECT_INT(s.messages, 5);
    EXPECT_INT(s.closed, 0);
    EXPECT_TEXTS(&w, conn, "x", "x", "x", "x");
    world_stop(&w);
}

TEST(who_is_asked_about_and_paused_at_once_loses_nothing) { /* ENC-1, SEND-5, SEND-6 */
    int kind, way;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (way = 0; way < BOTHS; way++) all_is_read_in_order(kind, (both)way);
    }
}
