/* Time, limits, handles, closing in all its ways, drain and shutdown, log lines. */
#include "hubtest.h"

TEST(auth_times_out_when_the_client_says_nothing) { /* AUTH-1 */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.auth_timeout_ms = 100, .on_authenticate = accept_all), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_advance(w.net, 50);
    wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}"); /* activity moves nothing */
    wshub_io_fake_advance(w.net, 49);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT_CLOSE(&w, c, 4001);
    EXPECT_INT(stats(&w).auth_timeouts, 1);
    world_stop(&w);
}

static wshub_ask asked;
static void never(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)hub;
    (void)auth;
    (void)user;
    asked = ask;
}

TEST(auth_times_out_at_three_times_the_limit_and_a_late_answer_is_stale) { /* AUTH-2, AUTH-3 */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.auth_timeout_ms = 100, .on_authenticate = never), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_advance(w.net, 90);
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    wshub_io_fake_advance(w.net, 299);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT_CLOSE(&w, c, 4001);
    EXPECT_INT(wshub_auth_accept(w.hub, asked, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ask_reject(w.hub, asked), WSHUB_ERR_STALE);
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_INT(wshub_handshake_accept(w.hub, asked, wshub_str_z("k"), wshub_str_z("s")), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_join_accept(w.hub, asked, NULL, 0), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_auth_accept(w.hub, asked, NULL), WSHUB_OK);
    EXPECT_INT(wshub_auth_accept(w.hub, asked, NULL), WSHUB_ERR_STALE); /* twice */
    world_stop(&w);
}

TEST(a_silent_client_is_closed_by_the_sweep_behind_the_timeout) { /* LIVE-1 */
    world w;
    wshub_conn c;
    uint64_t t0;
    world_start(&w, DESC(.heartbeat_interval_ms = 1000, .heartbeat_timeout_ms = 2500, .on_authenticate = accept_all), FAKE(0));
    t0 = wshub_io_fake_now(w.net);
    wshub_io_fake_advance(w.net, 300);
    c = world_client(&w, NULL, NULL);
    wshub_io_fake_send(w.net, c, 9, true, "x", 1); /* a ping is no activity (LIVE-2) */
    wshub_io_fake_advance(w.net, 2600);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, t0 + 3000 - wshub_io_fake_now(w.net));
    {
        wshub_io_fake_frame f;
        EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 10);
    }
    EXPECT_CLOSE(&w, c, 4002);
    world_stop(&w);
}

TEST(pings_keep_a_live_peer_and_silence_drops_a_dead_one) { /* LIVE-2 */
    world w;
    wshub_conn a, b, s;
    wshub_io_fake_frame f;
    int i;
    world_start(&w, DESC(.idle_timeout_ms = 1000, .heartbeat_timeout_ms = WSHUB_OFF, .on_authenticate = accept_all), FAKE(0));
    a = world_client(&w, NULL, NULL);
    b = world_client(&w, NULL, NULL);
    s = wshub_io_fake_open(w.net);
    for (i = 0; i < 10; i++) {
        wshub_io_fake_advance(w.net, 500);
        EXPECT(wshub_io_fake_next(w.net, a, &f) && f.opcode == 9);
        wshub_io_fake_send(w.net, a, 10, true, "", 0);
        EXPECT(wshub_io_fake_is_open(w.net, a));
        EXPECT(wshub_io_fake_is_open(w.net, b) == (i == 0));
    }
    EXPECT(!wshub_io_fake_is_open(w.net, s)); /* an idle HTTP stream too */
    EXPECT_INT(stats(&w).idle_timeouts, 2);
    world_stop(&w);
}

TEST(jumps_of_the_clock_throw_nobody_out) { /* LIMITS 2: a jump of over one interval counts as one */
    static const int64_t jumps[] = {3600000, -3600000, 4294967296, 2147483648, 4283280000, -1000, INT64_MAX / 2};
    world w;
    wshub_conn c;
    size_t i;
    world_start(&w, DESC(.idle_timeout_ms = WSHUB_OFF, .on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, NULL, NULL);
    for (i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        wshub_io_fake_jump(w.net, (uint64_t)((int64_t)wshub_io_fake_now(w.net) + jumps[i]));
        wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}");
        EXPECT(wshub_io_fake_is_open(w.net, c));
    }
    wshub_io_fake_advance(w.net, 121000);
    EXPECT_CLOSE(&w, c, 4002);
    world_stop(&w);
}

TEST(before_acceptance_messages_and_bytes_are_few) { /* LIMITS 2; CVE-2025-21605 */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    int i, errors = 0;
    char big[9000];
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_window(w.net, c, 0); /* reads nothing */
    for (i = 0; i < 100000 && wshub_io_fake_is_open(w.net, c); i++) wshub_io_fake_text(w.net, c, "junk");
    EXPECT_INT(i > 20, 1);
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT(w.peak < 400000);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    while (wshub_io_fake_next(w.net, c, &f)) errors += f.opcode == 1;
    EXPECT_INT(errors, 1); /* one outstanding error reply */
    EXPECT_INT(f.opcode, 8);
    EXPECT_INT(f.code, 1008);
    memset(big, 'x', sizeof big);
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_send(w.net, c, 1, true, big, sizeof big);
    EXPECT_CLOSE(&w, c, 1008);
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_input(w.net, c, "\x81\xFE\x20\x01\0\0\0\0", 8); /* 8193 bytes, as announced: none of them is taken */
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

TEST(stale_handles_are_answered_not_followed) { /* STYLE 5 */
    world w;
    char id[37];
    wshub_conn c;
    wshub_client h;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, "u", id);
    h = world_handle(&w, id);
    EXPECT(h.id);
    wshub_io_fake_end(w.net, c);
    (void)world_client(&w, "v", NULL); /* takes the slot */
    EXPECT_INT(wshub_client_send(w.hub, h, &m), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_close(w.hub, h, 1000, wshub_str_z("")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_join(w.hub, h, wshub_str_z("r")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_state(w.hub, h), WSHUB_CLIENT_DISCONNECTED);
    EXPECT(wshub_client_id(w.hub, h).ptr == NULL && wshub_client_user_id(w.hub, h).ptr == NULL);
    EXPECT_INT(wshub_client_find(w.hub, wshub_str_z(id), &h), WSHUB_ERR_STALE);
    h.id = 0;
    EXPECT_INT(wshub_client_encrypt(w.hub, h), WSHUB_ERR_STALE);
    world_stop(&w);
}

static void tick(wshub *hub, void *arg) {
    world_note((world *)wshub_user(hub), (const char *)arg);
}
TEST(timers_fire_in_order_and_can_be_stopped) {
    world w;
    wshub_timer t, u;
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(wshub_timer_start(w.hub, 20, tick, (void *)(uintptr_t)"c", NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 10, tick, (void *)(uintptr_t)"a", NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 10, tick, (void *)(uintptr_t)"b", NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 15, tick, (void *)(uintptr_t)"X", &t), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 0, tick, (void *)(uintptr_t)"0", &u), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 0, NULL, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_OK);
    EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_ERR_STALE);
    wshub_io_fake_advance(w.net, 30);
    EXPECT(strcmp(w.log, "0abc") == 0);
    EXPECT_INT(wshub_timer_stop(w.hub, u), WSHUB_ERR_STALE);
    world_stop(&w);
}

static void gone(wshub *hub, const wshub_gone *g, void *user) {
    char line[64];
    wshub_msg m = msg("bye", "1");
    (void)wshub_all_send(hub, &m, NULL, 0);
    (void)snprintf(line, sizeof line, "%.*s:%d:%d:%d ", (int)g->user_id.len, g->user_id.ptr ? g->user_id.ptr : "", g->state, g->cause, g->code);
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
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = gone, .on_shutdown = down, .shutdown_timeout_ms = 1000), FAKE(0));
    a = world_client(&w, "a", NULL);
    b = world_client(&w, "b", NULL);
    u = wshub_io_fake_connect(w.net, "/ws");
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(strcmp(w.log, "a:3:8:1001 b:3:8:1001 :1:8:1001 ") == 0); /* once each, none hears another's */
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT_INT(stats(&w).rooms, 0);
    late = wshub_io_fake_open(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, late));
    EXPECT(wshub_io_fake_next(w.net, a, &f) && f.opcode == 8 && f.code == 1001 && wshub_str_eq_z(f.reason, "Server shutting down"));
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
    world_start(&w, DESC(.on_authenticate = accept_all, .on_shutdown = down, .idle_timeout_ms = WSHUB_OFF), FAKE(0));
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
        if (!wshub_io_fake_next(w.net, c[i], &f)) open++;
        else EXPECT_INT(f.code, 1012);
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
    EXPECT(strcmp(w.log, "a:3:8:1001 :1:8:1001 ") == 0);
}

static void count_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    EXPECT(strlen(l->text) <= 128);
    for (const char *p = l->text; *p; p++) EXPECT(*p >= 0x20 && *p < 0x7F);
    world_note((world *)user, "L");
    if (l->suppressed) world_note((world *)user, "S");
}
static wshub_err fail(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    return WSHUB_ERR_APP;
}
TEST(log_lines_are_escaped_and_do_not_flood) { /* LIMITS 2: log injection and flood */
    world w;
    wshub_conn c;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = fail, .on_log = count_log, .on_join = join_all, .rooms_per_client_max = 3), FAKE(0));
    w.log_len = 0;
    c = world_client(&w, "u", NULL);
    for (i = 0; i < 1000; i++) wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    EXPECT_INT(w.log_len, 10);
    EXPECT_INT(stats(&w).app_failures, 1000); /* MSG-8 */
    wshub_io_fake_advance(w.net, 1000);
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    EXPECT_INT(w.log_len, 12);
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\\n\\u001b[31m\\u00e9 and a long name that goes on and on and on and on and on and on and on and on and on and on and on\"]}}");
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

TEST(creation_says_what_is_wrong_with_a_description) {
    wshub_io_fake *net;
    wshub *hub = NULL;
    const char *bad_origin[] = {"example.com"}, *bad_room[] = {""};
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
#define BAD(field, ...)                                                                                              \
    do {                                                                                                             \
        wshub_desc d = {.io = wshub_io_fake_io(net), __VA_ARGS__};                                                   \
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);                                                         \
        EXPECT(wshub_desc_problem(&d) && strstr(wshub_desc_problem(&d), field)); /* one line that names it */        \
    } while (0)
    EXPECT(strstr(wshub_desc_problem(&(wshub_desc){0}), "io: required") != NULL);
    EXPECT(wshub_desc_problem(&(wshub_desc){.io = wshub_io_fake_io(net)}) == NULL);
    EXPECT_INT(wshub_create(&(wshub_desc){0}, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_create(NULL, &hub), WSHUB_ERR_PARAM);
    BAD("path", .path = "ws");
    BAD("path", .path = "/a?b");
    BAD("server_id", .server_id = "");
    BAD("auth_timeout_ms", .auth_timeout_ms = WSHUB_OFF);
    BAD("payload_bytes_max", .payload_bytes_max = WSHUB_OFF);
    BAD("json_depth_max", .json_depth_max = 5000);
    BAD("http_headers_max", .http_headers_max = 257);
    BAD("allowed_origins", .allowed_origins = bad_origin, .allowed_origins_count = 1);
    BAD("default_rooms", .default_rooms = bad_room, .default_rooms_count = 1);
    wshub_io_fake_set_random(net, true);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net)}, &hub), WSHUB_ERR_RANDOM); /* guessable ids: CVE-2017-16031 */
    EXPECT(hub == NULL);
    wshub_io_fake_destroy(net);
}

TEST(a_write_without_progress_ends) {
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("e", "\"0123456789\"");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .write_timeout_ms = 1000, .heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF), FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_window(w.net, c, 0);
    for (i = 0; i < 10; i++) EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 5; i++) { /* a little progress is progress */
        wshub_io_fake_advance(w.net, 900);
        EXPECT(wshub_io_fake_is_open(w.net, c));
        wshub_io_fake_window(w.net, c, 3);
    }
    wshub_io_fake_advance(w.net, 999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).write_timeouts, 1);
    world_stop(&w);
}

TEST(the_time_of_connected_is_the_calendars_to_the_millisecond) { /* AUTH-7 */
    static const struct { uint64_t wall; const char *want; } cases[] = {
        {1, "1970-01-01T00:00:00.001Z"}, {UINT64_C(951827696789), "2000-02-29T12:34:56.789Z"}, {UINT64_C(1709251199999), "2024-02-29T23:59:59.999Z"},
        {UINT64_C(1735689600000), "2025-01-01T00:00:00.000Z"}, {UINT64_C(4107542399012), "2100-02-28T23:59:59.012Z"}, {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        wshub_conn c;
        wshub_io_fake_frame f;
        wshub_str t;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(.wall_ms = cases[i].wall));
        c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        EXPECT(wshub_io_fake_next(w.net, c, &f));
        t = wshub_json_get(wshub_json_get(f.payload, "data"), "time");
        EXPECT(t.len == 26 && memcmp(t.ptr + 1, cases[i].want, 24) == 0);
        if (t.len == 26 && memcmp(t.ptr + 1, cases[i].want, 24) != 0) (void)printf("  %.*s\n", (int)t.len, t.ptr);
        world_stop(&w);
    }
}

TEST(refused_joins_are_counted_one_by_one) { /* ROOM-1, ROOM-2, ROOM-6 */
    static const struct { const char *text; uint64_t refused; } cases[] = {
        {"{\"event\":\"join\"}", 1}, {"{\"event\":\"join\",\"data\":{\"rooms\":5}}", 1}, {"{\"event\":\"join\",\"data\":{\"rooms\":[]}}", 1},
        {"{\"event\":\"leave\",\"data\":7}", 1}, {"{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}", 0}, {"{\"event\":\"leave\",\"data\":{\"rooms\":[\"a\",\"b\"]}}", 0},
    };
    world w;
    wshub_conn c;
    size_t i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all), FAKE(0));
    c = world_client(&w, "u", NULL);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = stats(&w).joins_refused;
        wshub_io_fake_text(w.net, c, cases[i].text);
        if (stats(&w).joins_refused - before != cases[i].refused) (void)printf("  %s\n", cases[i].text);
        EXPECT_INT(stats(&w).joins_refused - before, cases[i].refused);
    }
    world_stop(&w);
}
