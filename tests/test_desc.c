/* Descriptions: each field's bad values are refused by a text that names it, at both doors;
 * zero is the default (ROOM-6, BUS-1). */
#include "hubtest.h"

TEST(lists_without_counts_and_counts_without_lists) {
    static const char *const rooms[] = {"a", "b"}, *const origins[] = {"https://a.example"},
                             *const none[] = {NULL}, *const hosts[] = {"localhost"},
                             *const bad[] = {"a", NULL};
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    NO_DESC("default_rooms", .default_rooms = rooms);
    NO_DESC("default_rooms", .default_rooms_count = 2);
    NO_DESC("no_default_rooms", .default_rooms = rooms, .default_rooms_count = 2,
            .no_default_rooms = true);
    NO_DESC("default_rooms", .default_rooms = bad, .default_rooms_count = 2);
    YES_DESC(.default_rooms = rooms, .default_rooms_count = 2);
    YES_DESC(.no_default_rooms = true);
    NO_DESC("allowed_origins", .allowed_origins = origins);
    NO_DESC("bus_exact", .bus_exact = true);
    NO_DESC("bus_sharded", .bus_sharded = true);
    NO_DESC("bus_any_channel", .bus_any_channel = true);
    NO_DESC("allowed_origins", .allowed_origins_count = 1);
    NO_DESC("allowed_origins", .allowed_origins = none, .allowed_origins_count = 1);
    YES_DESC(.allowed_origins = origins, .allowed_origins_count = 1);
    YES_DESC(.allowed_origins = none); /* an explicit list of nobody */
    NO_DESC("allowed_hosts", .allowed_hosts = hosts);
    NO_DESC("allowed_hosts", .allowed_hosts_count = 1);
    NO_DESC("allowed_hosts", .allowed_hosts = none, .allowed_hosts_count = 1);
    NO_DESC("allowed_hosts", .allowed_hosts = none);
    YES_DESC(.allowed_hosts = hosts, .allowed_hosts_count = 1);
    wshub_io_fake_destroy(refusal_net);
}

/* ROOM-6: each limit, from the least that is taken on, accepts somebody */
TEST(limits_under_which_nobody_could_be_accepted) {
    static const char *const rooms[] = {"a", "b", "c"};
    uint32_t n;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    NO_DESC("rooms_per_client_max", .rooms_per_client_max = 2);
    NO_DESC("rooms_per_client_max", .rooms_per_client_max = 3, .default_rooms = rooms,
            .default_rooms_count = 3);
    NO_DESC("rooms_max", .rooms_max = 1);
    NO_DESC("payload_bytes_max", .payload_bytes_max = 23);
    NO_DESC("preauth_bytes_max", .preauth_bytes_max = 23);
    NO_DESC("http_headers_max", .http_headers_max = 4);
    NO_DESC("http_head_bytes_max", .http_head_bytes_max = 138);
    NO_DESC("idle_timeout_ms", .idle_timeout_ms = 1);
    /* nobody would be asked for a pong */
    NO_DESC("heartbeat_by_pong", .heartbeat_by_pong = true, .no_pings = true);
    NO_DESC("heartbeat_by_pong", .heartbeat_by_pong = true, .idle_timeout_ms = WSHUB_OFF);
    NO_DESC("heartbeat_by_pong", .heartbeat_by_pong = true, .idle_timeout_ms = 60000,
            .heartbeat_timeout_ms = 30000);
    YES_DESC(.heartbeat_by_pong = true, .idle_timeout_ms = 60000, .heartbeat_timeout_ms = 30001);
    NO_DESC("http_answers_bytes_max", .http_answers_bytes_max = (1u << 30) + 1);
    YES_DESC(.idle_timeout_ms = 1, .no_pings = true);
    NO_DESC("post_bytes_max", .post_bytes_max = (1u << 30) + 1);
    NO_DESC("path", .path = "/w s");
    NO_DESC("path", .path = "/w\x7Fs");
    NO_DESC("path", .path = "/ws#x");
    NO_DESC("path", .path = "/w\xC3\xBC");
    YES_DESC(.path = "/~a%20b!");
    NO_DESC("path", .path = "/ws", .no_dialect = true);
    YES_DESC(.no_dialect = true);
    wshub_io_fake_destroy(refusal_net);
    for (n = 0; n < 12; n++) {
        static const char up[] =
            "GET /ws "
            "HTTP/"
            "1.1\r\nHost:\r\nUpgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Version:"
            "13\r\nSec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        world w;
        wshub_conn c;
        wshub_desc d;
        memset(&d, 0, sizeof d);
        d.on_authenticate = accept_all;
        switch (n) {
        case 0: d.rooms_per_client_max = 3; break;
        case 1: d.rooms_max = 2; break;
        case 2: d.payload_bytes_max = 24; break;
        case 3: d.preauth_bytes_max = 24; break;
        case 4: d.http_headers_max = 5; break;
        case 5: d.http_head_bytes_max = 139; break;
        case 6: d.users_max = d.conns_max = d.clients_max = 1; break;
        case 7: d.preauth_messages_max = d.asks_per_client_max = d.rooms_per_message_max = 1; break;
        case 8: d.json_depth_max = 1; break;
        case 9: d.backpressure_bytes_max = 1; break;
        case 10: d.segment_bytes_max = 1; break;
        default: d.held_bytes_max = d.http_answers_bytes_max = d.http_body_bytes_max = 1; break;
        }
        world_start(&w, d, FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, up, sizeof up - 1);
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        EXPECT_INT(stats(&w).authenticated, 1);
        if (!stats(&w).authenticated) (void)printf("  limit %d\n", (int)n);
        world_stop(&w);
    }
}

/* RATE-1: who says what happens over a rate, or how much at once, and no rate, is limited by
 * nothing. */
TEST(bursts_and_consequences_of_rates_that_are_not_there) {
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_desc d;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    NO_DESC("client_messages_burst", .client_messages_burst = 5);
    NO_DESC("client_messages_burst", .client_messages_burst = 5,
            .client_messages_per_s = WSHUB_OFF);
    NO_DESC("client_bytes_burst", .client_bytes_burst = 1, .client_messages_per_s = 1);
    NO_DESC("user_messages_burst", .user_messages_burst = 5);
    NO_DESC("user_bytes_burst", .user_bytes_burst = 5);
    NO_DESC("address_messages_burst", .address_messages_burst = 5);
    NO_DESC("address_bytes_burst", .address_bytes_burst = 5);
    NO_DESC("address_conns_burst", .address_conns_burst = 5);
    YES_DESC(.client_messages_burst = 5, .client_messages_per_s = 1);
    NO_DESC("client_over", .client_over = (wshub_over)7, .client_messages_per_s = 1);
    NO_DESC("client_over", .client_over = WSHUB_OVER_CLOSE);
    NO_DESC("user_over", .user_over = WSHUB_OVER_DELAY, .client_bytes_per_s = 1);
    NO_DESC("address_over", .address_over = WSHUB_OVER_DELAY, .address_conns_per_s = 1);
    YES_DESC(.client_over = WSHUB_OVER_CLOSE, .client_messages_per_s = 1);
    YES_DESC(.user_over = WSHUB_OVER_CLOSE, .user_bytes_per_s = 1);

    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(refusal_net);
    d.client_messages_burst = 5;
    (void)wshub_desc_explain(&d, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT_STR(why, "client_messages_burst is 5: needs client_messages_per_s, without which "
                    "nothing is limited");
    d.client_messages_per_s = 1;
    d.user_over = (wshub_over)7;
    (void)wshub_desc_explain(&d, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT_STR(why, "user_over is 7: must be WSHUB_OVER_DROP (0), WSHUB_OVER_DELAY (1) or "
                    "WSHUB_OVER_CLOSE (2)");
    wshub_io_fake_destroy(refusal_net);
}

static void refused(wshub_desc d, const char *part) {
    wshub *hub = NULL;
    const char *why = wshub_desc_problem(&d);
    EXPECT(why && strstr(why, part));
    EXPECT(wshub_create(&d, &hub) != WSHUB_OK && !hub);
}
#define REFUSED(part, ...) refused((wshub_desc){.io = &io, __VA_ARGS__}, part)

TEST(descriptions_that_are_refused) { /* API.md: zero is the default, the rest is checked */
    static char path[1100], id[65], room[5000];
    static const char *const no_room[] = {NULL}, *const empty_room[] = {""},
                             *const bad_room[] = {"\xFF"}, *const long_room[] = {room},
                             *const no_origin[] = {NULL}, *const bare_origin[] = {"example.com"},
                             *const good_origin[] = {"null", "https://a"};
    wshub_io_fake *f;
    wshub_io io, broken;
    wshub *hub = NULL;
    wshub_desc d;
    int i;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    io = *wshub_io_fake_io(f);
    memset(path, '/', sizeof path - 1);
    memset(id, 'x', 64);
    memset(room, 'r', sizeof room - 1);
    for (i = 0; i < 6; i++) {
        broken = io;
        if (i == 0) broken.attach = NULL;
        if (i == 1) broken.send = NULL;
        if (i == 2) broken.close = NULL;
        if (i == 3) broken.now_ms = NULL;
        if (i == 4) broken.wall_ms = NULL;
        if (i == 5) broken.random = NULL;
        refused((wshub_desc){.io = &broken}, "io:");
    }
    REFUSED("cannot be off", .auth_timeout_ms = WSHUB_OFF);
    REFUSED("cannot be off", .heartbeat_interval_ms = WSHUB_OFF);
    REFUSED("cannot be off", .close_timeout_ms = WSHUB_OFF);
    REFUSED("cannot be off", .shutdown_timeout_ms = WSHUB_OFF);
    REFUSED("path:", .path = "ws");
    REFUSED("path:", .path = "/ws?x");
    REFUSED("path:", .path = path);
    REFUSED("server_id:", .server_id = "");
    REFUSED("server_id:", .server_id = id);
    REFUSED("server_id:", .server_id = "\xFF");
    REFUSED("1 GiB", .payload_bytes_max = (1u << 30) + 1);
    REFUSED("1 GiB", .http_body_bytes_max = (1u << 30) + 1);
    REFUSED("1 MiB", .http_head_bytes_max = (1u << 20) + 1);
    REFUSED("256", .http_headers_max = 257);
    REFUSED("json_depth_max", .json_depth_max = WSHUB_JSON_DEPTH_MAX + 1);
    REFUSED("backpressure_bytes_max", .backpressure_bytes_max = (1u << 30) + 1);
    REFUSED("default_rooms", .default_rooms = no_room, .default_rooms_count = 1);
    REFUSED("default_rooms", .default_rooms = empty_room, .default_rooms_count = 1);
    REFUSED("default_rooms", .default_rooms = bad_room, .default_rooms_count = 1);
    REFUSED("default_rooms", .default_rooms = long_room, .default_rooms_count = 1);
    REFUSED("allowed_origins", .allowed_origins_count = 1);
    REFUSED("allowed_origins", .allowed_origins = no_origin, .allowed_origins_count = 1);
    REFUSED("allowed_origins", .allowed_origins = bare_origin, .allowed_origins_count = 1);
    EXPECT(wshub_desc_problem(NULL) != NULL);
    memset(&d, 0, sizeof d);
    EXPECT(wshub_desc_problem(&d) != NULL); /* no io */
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_create(NULL, &hub), WSHUB_ERR_PARAM);
    d.io = &io;
    EXPECT_INT(wshub_create(&d, NULL), WSHUB_ERR_PARAM);
    d.allowed_origins = good_origin;
    d.allowed_origins_count = 2;
    d.backpressure_bytes_max = WSHUB_OFF;
    d.segment_bytes_max = 1 << 20;
    d.no_default_rooms = true;
    EXPECT(!wshub_desc_problem(&d));
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    wshub_destroy(hub);
    wshub_destroy(NULL);
    wshub_io_fake_destroy(f);
}

TEST(creation_says_what_is_wrong_with_a_description) {
    wshub_io_fake *net;
    wshub *hub = NULL;
    const char *bad_origin[] = {"example.com"}, *bad_room[] = {""};
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
#define BAD(field, ...)                                                                            \
    do {                                                                                           \
        wshub_desc d = {.io = wshub_io_fake_io(net), __VA_ARGS__};                                 \
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);                                       \
        EXPECT(wshub_desc_problem(&d) &&                                                           \
               strstr(wshub_desc_problem(&d), field)); /* one line that names it */                \
    } while (0)
    EXPECT_HAS(wshub_desc_problem(&(wshub_desc){0}), "io: required");
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
    /* guessable ids: CVE-2017-16031 */
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net)}, &hub), WSHUB_ERR_RANDOM);
    EXPECT(hub == NULL);
    wshub_io_fake_destroy(net);
}

TEST(a_hub_with_a_bus_needs_an_io_that_wakes) {
    wshub_bus_local *local;
    wshub_bus bus;
    wshub_io_fake *net;
    wshub *hub;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    EXPECT_INT(wshub_io_fake_create(&(wshub_io_fake_desc){.no_wake = true}, &net), WSHUB_OK);
    /* the seat has been ended */
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net), .bus = &bus}, &hub),
               WSHUB_ERR_NOWAKE);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net)}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_post(hub, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_ask_fail(hub, (wshub_ask){0}), WSHUB_ERR_NOWAKE);
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    wshub_bus_local_destroy(local);
}

static int lines_about_origins;
static void count_origins(wshub *hub, const wshub_log *line, void *user) {
    (void)hub, (void)user;
    lines_about_origins += line->code == WSHUB_LOG_ORIGINS_OPEN;
}

TEST(without_its_dialect_a_hub_takes_no_upgrade_itself) { /* CONN-1, CONN-2 */
    world w;
    int none;
    for (none = 0; none < 2; none++) {
        lines_about_origins = 0;
        world_start(&w, DESC(.no_dialect = none, .on_log = count_origins), FAKE(0));
        EXPECT((wshub_io_fake_connect(w.net, "/ws").id == 0) == (none == 1));
        EXPECT(!wshub_io_fake_connect(w.net, "/else").id);
        wshub_io_fake_run(w.net);
        EXPECT_INT(stats(&w).clients, !none);
        EXPECT_INT(lines_about_origins, !none); /* whose pages could connect to nothing */
        world_stop(&w);
    }
}

static void hear_event(wshub *hub, wshub_client client, const wshub_event *event, void *user) {
    (void)hub, (void)client, (void)event, (void)user;
}
static void hear_close(wshub *hub, wshub_client client, wshub_cause cause, uint16_t code,
                       wshub_str reason, void *user) {
    (void)hub, (void)client, (void)cause, (void)code, (void)reason, (void)user;
}

TEST(a_dialect_with_clients_opens_a_hub_to_every_page_and_that_is_told_once) { /* CONN-2 */
    const wshub_dialect tables[] = {DIALECT(.name = "none"),
                                    DIALECT(.name = "e", .event = hear_event),
                                    DIALECT(.name = "c", .close = hear_close)};
    uint32_t number;
    size_t i;
    world w;
    for (i = 0; i < 3; i++) {
        lines_about_origins = 0;
        world_start(&w, DESC(.no_dialect = true, .on_log = count_origins), FAKE(0));
        EXPECT_INT(wshub_dialect_add(w.hub, &tables[i], NULL, &number), WSHUB_OK);
        EXPECT_INT(lines_about_origins, i > 0);
        EXPECT_INT(wshub_dialect_add(w.hub, &tables[i], NULL, &number), WSHUB_OK);
        EXPECT_INT(lines_about_origins, i > 0);
        world_stop(&w);
    }
}
