/* Log lines are written at once and told later: never in the middle of a change, in their
 * order, each once, escaped, and no flood (>>hub, wshub__log_tell). What on_log may do there is
 * in test_matrix.c. */
#include "hubtest.h"

static char told[64][129];
static int told_n;
static uint64_t told_suppressed;
static void keep(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    if (told_n < 64) (void)snprintf(told[told_n], sizeof told[0], "%s", l->text);
    told_n++;
    told_suppressed += l->suppressed;
}
static void write_line(wshub *hub, int code, int n) {
    char text[16];
    (void)snprintf(text, sizeof text, "%d", n);
    wshub__log(hub, (wshub_log_code)code, wshub__nobody(), text, wshub__str(NULL, 0));
}
static bool line_is(int at, int code, int n) {
    char text[200];
    (void)snprintf(text, sizeof text, "%s: %d", wshub__logs[code].text, n);
    return strcmp(told[at], text) == 0;
}

TEST(lines_are_told_when_the_outermost_call_leaves) {
    world w;
    int i;
    world_start(&w, DESC(.on_log = keep), FAKE(0));
    wshub_io_fake_advance(w.net, 2000);
    wshub__enter(w.hub);
    told_n = 0;
    wshub__enter(w.hub);
    for (i = 0; i < 20; i++) write_line(w.hub, i % 10, i);
    EXPECT_INT(told_n, 0);
    wshub__leave(w.hub);
    EXPECT_INT(told_n, 0); /* an inner call: the outer one may be half done */
    EXPECT_INT(wshub_settle(w.hub), 0);
    EXPECT_INT(told_n, 0); /* nor from a settle that is refused inside */
    wshub__leave(w.hub);
    EXPECT_INT(told_n, 20);
    for (i = 0; i < 20; i++) EXPECT(line_is(i, i % 10, i));
    world_stop(&w);
}

TEST(the_ring_goes_round_and_counts_what_does_not_fit) {
    world w;
    int round, i, n = 0;
    world_start(&w, DESC(.on_log = keep, .log_level = WSHUB_LEVEL_DEBUG), FAKE(0));
    for (round = 0; round < 40; round++) { /* each length, at each place of the ring */
        uint64_t before = stats(&w).log_suppressed;
        wshub_io_fake_advance(w.net, 1000);
        wshub__enter(w.hub);
        told_n = 0;
        told_suppressed = 0;
        for (i = 0; i < round; i++, n++) write_line(w.hub, i % WSHUB_LOG_COUNT, n);
        wshub__leave(w.hub);
        EXPECT_INT(told_n, round < 32 ? round : 32);
        for (i = 0; i < told_n; i++) EXPECT(line_is(i, i % WSHUB_LOG_COUNT, n - round + i));
        EXPECT_INT(stats(&w).log_suppressed - before, round < 32 ? 0 : round - 32);
        wshub_io_fake_advance(w.net, 1000);
        wshub__enter(w.hub); /* what did not fit is told with the next line of its code */
        told_n = 0;
        for (i = 0; i < WSHUB_LOG_COUNT; i++) {
            write_line(w.hub, i, 0);
            if (i != 15) continue; /* more of them than the ring has places */
            wshub__leave(w.hub);
            wshub__enter(w.hub);
        }
        wshub__leave(w.hub);
        EXPECT_INT(told_suppressed, round < 32 ? 0 : round - 32);
    }
    world_stop(&w);
}

static int endless;
static void log_again(wshub *hub, const wshub_log *l, void *user) { /* each line causes another */
    (void)user;
    (void)l;
    endless++;
    write_line(hub, endless % WSHUB_LOG_COUNT, endless);
}

TEST(a_line_that_causes_a_line_comes_to_an_end) {
    world w;
    world_start(&w, DESC(.on_log = log_again, .log_level = WSHUB_LEVEL_DEBUG), FAKE(0));
    endless = 0;
    wshub_io_fake_advance(w.net, 1000);
    wshub__enter(w.hub);
    write_line(w.hub, 0, 0);
    wshub__leave(w.hub);
    EXPECT(endless > 10 && endless <= 10 * WSHUB_LOG_COUNT + 10);
    world_stop(&w);
}

static wshub *created;
static int before_created;
static void early(wshub *hub, const wshub_log *l, void *user) {
    (void)user;
    before_created += created != hub ? 1 : 0;
    EXPECT(l->code == WSHUB_LOG_ORIGINS_OPEN || l->code == WSHUB_LOG_NO_TRANSFORMER);
}

TEST(no_line_is_told_before_there_is_a_hub) {
    wshub_io_fake *net;
    wshub_desc d = DESC(.require_encryption = true, .on_log = early);
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    created = NULL;
    before_created = 0;
    EXPECT_INT(wshub_create(&d, &created), WSHUB_OK);
    EXPECT_INT(before_created, 0);
    told_n = 0;
    wshub_io_fake_run(net);
    EXPECT_INT(before_created, 0);
    wshub_destroy(created);
    wshub_io_fake_destroy(net);
}

TEST(what_was_logged_before_the_end_is_told) {
    world w;
    world_start(&w, DESC(.on_log = keep), FAKE(0));
    wshub_io_fake_advance(w.net, 1000);
    wshub__enter(w.hub);
    told_n = 0;
    write_line(w.hub, 3, 7);
    wshub_destroy(w.hub);
    write_line(w.hub, 3, 8); /* behind it nothing is written */
    EXPECT_INT(told_n, 0);
    wshub__leave(w.hub);
    w.hub = NULL;
    EXPECT_INT(told_n, 1);
    EXPECT(line_is(0, 3, 7));
    EXPECT_INT(w.bytes, 0);
    wshub_io_fake_destroy(w.net);
}

/* A line of the last step of settle, which hands over to the bus: what on_log does then is
 * carried out in the next turn, which settle asks for. */
static wshub_err down_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    (void)owner;
    return WSHUB_OK;
}
static size_t down_publish(void *ctx, const wshub_bus_msg *m, size_t n) {
    (void)ctx;
    (void)m;
    (void)n;
    return 0;
}
static bool down_subscribe(void *ctx, const wshub_bus_channel *c, size_t n) {
    (void)ctx;
    (void)c;
    (void)n;
    return true;
}
static int closed_by_line;
static void close_all(wshub *hub, const wshub_log *l, void *user) {
    wshub_iter it = {0, 0};
    wshub_client c;
    (void)user;
    if (l->code != WSHUB_LOG_BUS_DROPPED) return;
    while (wshub_client_each(hub, &it, &c))
        closed_by_line += wshub_client_close(hub, c, 4000, wshub_str_z("bus")) == WSHUB_OK;
}

TEST(what_the_last_line_of_a_turn_causes_is_done_in_the_next) {
    world w;
    wshub_bus bus;
    wshub_conn c;
    wshub_msg m = msg("e", "1");
    memset(&bus, 0, sizeof bus);
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = down_attach;
    bus.publish = down_publish;
    bus.subscribe = bus.unsubscribe = down_subscribe;
    closed_by_line = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = &bus, .on_log = close_all), FAKE(0));
    c = world_client(&w, NULL, NULL);
    EXPECT_INT(
        wshub_send(w.hub, &(wshub_dest){.kind = WSHUB_DEST_ROOM, .name = wshub_str_z("x")}, &m),
        WSHUB_OK);
    wshub_io_fake_advance(w.net, 16000);
    EXPECT_INT(closed_by_line, 1);
    EXPECT_CLOSE(&w, c, 4000);
    EXPECT_INT(stats(&w).clients, 0);
    world_stop(&w);
}

static void count_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    EXPECT_OP(strlen(l->text), <=, 128);
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
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_message = fail, .on_log = count_log,
                     .on_join = join_all, .rooms_per_client_max = 3),
                FAKE(0));
    w.log_len = 0;
    c = world_client(&w, "u", NULL);
    for (i = 0; i < 1000; i++) wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    EXPECT_INT(w.log_len, 10);
    EXPECT_INT(stats(&w).app_failures, 1000); /* MSG-8 */
    wshub_io_fake_advance(w.net, 1000);
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    EXPECT_INT(w.log_len, 12);
    wshub_io_fake_text(
        w.net, c,
        "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\\n\\u001b[31m\\u00e9 and a long name that "
        "goes on and on and on and on and on and on and on and on and on and on and on\"]}}");
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

/* What callbacks report. */
static wshub_err fails_with;
static wshub_err fail_on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub, (void)c, (void)e, (void)user;
    return fails_with;
}
static wshub_err fail_on_binary(wshub *hub, wshub_client c, const uint8_t *bytes, size_t n,
                                void *user) {
    (void)hub, (void)c, (void)bytes, (void)n, (void)user;
    return fails_with;
}
static wshub_err fail_on_connected(wshub *hub, wshub_client c, void *user) {
    (void)hub, (void)c, (void)user;
    return fails_with;
}
static char log_text[200];
static int log_lines;
static void see_log(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    log_lines++;
    (void)snprintf(log_text, sizeof log_text, "%s", line->text);
}

TEST(a_callback_that_fails_is_told_with_its_error) { /* MSG-8, AUTH-7 */
    world w;
    wshub_conn c;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = fail_on_connected,
                     .on_message = fail_on_message, .on_binary = fail_on_binary, .on_log = see_log),
                FAKE(0));
    fails_with = WSHUB_ERR_NOMEM;
    c = world_client(&w, "u", NULL);
    EXPECT_STR(log_text, "a callback failed: on_connected: out of memory; nothing was changed");
    fails_with = WSHUB_ERR_JSON; /* as a send has returned it */
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    EXPECT(strstr(log_text, "a callback failed: on_message, event x: ") != NULL);
    EXPECT(strstr(log_text, wshub_strerror(WSHUB_ERR_JSON)) != NULL);
    fails_with = (wshub_err)-1000; /* none of ours */
    wshub_io_fake_send(w.net, c, 2, true, "x", 1);
    EXPECT_STR(log_text, "a callback failed: on_binary: unknown error");
    EXPECT_INT(stats(&w).app_failures, 3);
    log_lines = 0;
    fails_with = WSHUB_OK;
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    wshub_io_fake_send(w.net, c, 2, true, "x", 1);
    EXPECT_INT(log_lines, 0);
    world_stop(&w);
}

static char many_bytes[WSHUB_NAME_BYTES_MAX + 1];

/* What was given, and what it is told for, in the order of wshub_packet's and wshub_dest's fields. */
#define Z(text)                                                                                    \
    { text, sizeof text - 1 }
static const struct refusal {
    wshub_dest dest;
    wshub_packet packet;
    const char *text;
} refusals[] = {
    {{0},
     {.event = {many_bytes, sizeof many_bytes}},
     "the event is longer than WSHUB_NAME_BYTES_MAX"},
    {{0}, {.event = Z("\xC0")}, "the event is no UTF-8"},
    {{0}, {.event = Z("e"), .args_count = 2}, "args is NULL, and args_count is not 0: e"},
    {{0},
     {.event = Z("e"), .args = (wshub_str[]){Z("1"), {NULL, 0}}, .args_count = 2},
     "args[1] is missing: e"},
    {{0},
     {.event = Z("e"), .attachments_count = 1},
     "attachments is NULL, and attachments_count is not 0: e"},
    {{0},
     {.event = Z("e"), .attachments = (wshub_span[]){{NULL, 1}}, .attachments_count = 1},
     "attachments[0] is missing: e"},
    {{0}, {.event = Z("e"), .id = Z("x")}, "ask or id is not JSON, or too long: e"},
    {{0},
     {.event = Z("e"),
      .attachments = (wshub_span[]){{NULL, 0}, {(const uint8_t *)"x", 1}},
      .attachments_count = 2,
      .id = Z("x")},
     "ask or id is not JSON, or too long: e"},
    {{.rooms_count = 1}, {.event = Z("e")}, "dest.rooms is for WSHUB_DEST_ROOM alone: e"},
    {{.kind = WSHUB_DEST_CLIENT}, {.event = Z("e")}, "the client's id has no name: e"},
    {{.kind = WSHUB_DEST_USER, .name = {many_bytes, sizeof many_bytes}},
     {.event = Z("e")},
     "the user is longer than WSHUB_NAME_BYTES_MAX: e"},
    {{.kind = WSHUB_DEST_ROOM, .name = Z("\xC0")}, {.event = Z("e")}, "the room is no UTF-8: e"},
    {{.name = {NULL, 1}}, {.event = Z("e")}, "the room is missing: e"},
    {{.exclude_count = 1},
     {.event = Z("e")},
     "the list to leave out is NULL, and its count is not 0: e"},
    {{.kind = WSHUB_DEST_ROOM, .rooms = (wshub_str[]){Z("\xC0")}, .rooms_count = 1},
     {.event = Z("e")},
     "dest.rooms has a name that is missing, too long or no UTF-8: e"},
    {{.except_rooms_count = 1},
     {.event = Z("e")},
     "dest.except_rooms is NULL, and its count is not 0: e"},
};
TEST(a_packet_that_is_refused_is_told_which_part_of_it) { /* SEND-1, SEND-3 */
    size_t i;
    world w;

    world_start(&w, DESC(.on_log = see_log), FAKE(0));
    for (i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        wshub_io_fake_advance(w.net, 1000);
        EXPECT_OP(wshub_packet_send_here(w.hub, &refusals[i].dest, &refusals[i].packet), !=,
                  WSHUB_OK);
        EXPECT(strncmp(log_text, "send refused: ", 14) == 0);
        EXPECT(strncmp(log_text + 14, refusals[i].text, strlen(refusals[i].text)) == 0);
    }
    world_stop(&w);
}

/* What could not be made is shown by the io, unless nothing is to be; what is in the text that no
 * line may have is escaped. */
TEST(what_could_not_be_made_is_told_where_lines_are) { /* HTTP-4 */
    world w;

    world_start(&w, DESC(.log_level = WSHUB_LEVEL_ERROR), FAKE(0));
    wshub_creation_failed(w.hub, "made()", "not\x01so");
    EXPECT_STR(wshub_io_fake_log(w.net).ptr, "error CREATE: made(): not\\x01so\n");
    world_stop(&w);

    world_start(&w, DESC(.no_log = true), FAKE(0));
    wshub_creation_failed(w.hub, "made()", "nobody looks");
    EXPECT_STR(wshub_io_fake_log(w.net).ptr, "");
    world_stop(&w);
}

/* Calls about a client name themselves, the argument and what is wrong with it. */
TEST(a_call_about_a_client_that_is_refused_is_told) { /* ROOM-3, BYE-1 */
    static const wshub_str empty = {"", 0}, none = {NULL, 0}, odd = {"\xC0", 1}, room = {"tea", 3};
    wshub_str too_long = {many_bytes, sizeof many_bytes}, reason = {many_bytes, 124};
    wshub_iter iter = {0};
    wshub_client client;
    world w;

    memset(many_bytes, 'x', sizeof many_bytes);
    world_start(
        &w, DESC(.on_log = see_log, .on_authenticate = accept_all, .log_level = WSHUB_LEVEL_DEBUG),
        FAKE(0));
    (void)world_client(&w, "u", NULL);
    EXPECT(wshub_user_each_client(w.hub, wshub_str_z("u"), &iter, &client));
#define TOLD(call, err, text)                                                                      \
    do {                                                                                           \
        wshub_io_fake_advance(w.net, 1000);                                                        \
        EXPECT_INT(call, err);                                                                     \
        EXPECT_STR(log_text, text);                                                                \
    } while (0)
    TOLD(wshub_client_join(w.hub, client, empty), WSHUB_ERR_PARAM,
         "call refused: wshub_client_join(): the room is empty");
    TOLD(wshub_client_join(w.hub, client, none), WSHUB_ERR_PARAM,
         "call refused: wshub_client_join(): the room is missing");
    TOLD(wshub_client_join(w.hub, client, too_long), WSHUB_ERR_PARAM,
         "call refused: wshub_client_join(): the room is longer than WSHUB_NAME_BYTES_MAX");
    TOLD(wshub_client_leave(w.hub, client, odd), WSHUB_ERR_PARAM,
         "call refused: wshub_client_leave(): the room is no UTF-8");
    TOLD(wshub_client_close(w.hub, client, 1006, none), WSHUB_ERR_PARAM,
         "call refused: wshub_client_close(): the code is none that may be sent: 1000 to 1003, "
         "1007 to 1014, 3000 to 4999");
    TOLD(wshub_client_close(w.hub, client, 1000, reason), WSHUB_ERR_PARAM,
         "call refused: wshub_client_close(): the reason is longer than 123 bytes");
    TOLD(wshub_client_close(w.hub, client, 1000, odd), WSHUB_ERR_PARAM,
         "call refused: wshub_client_close(): the reason is no UTF-8");
    TOLD(wshub_client_close(w.hub, client, 0, room), WSHUB_ERR_PARAM,
         "call refused: wshub_client_close(): the reason needs a code");

    client.id ^= UINT64_C(1) << 40; /* another of its place */
    TOLD(wshub_client_join(w.hub, client, room), WSHUB_ERR_STALE,
         "ignored: a join of a client that is gone");
    TOLD(wshub_client_leave(w.hub, client, room), WSHUB_ERR_STALE,
         "ignored: a leave of a client that is gone");
    TOLD(wshub_client_close(w.hub, client, 1000, none), WSHUB_ERR_STALE,
         "ignored: a close of a client that is gone");
#undef TOLD
    world_stop(&w);
}

/* Whoever does not look at what a send returns finds it in the log, at the default level. */
TEST(a_send_that_is_refused_is_told) { /* SEND-1, SEND-3 */
    static const wshub_str room = {"tea", 3}, empty = {"", 0};
    static const uint8_t byte = 0;
    wshub_msg bad = {.event = S("tick"), .data = S("hello")}, none = {.event = S("e")},
              good = {.event = S("e"), .data = S("1")}, odd_event = {.event = S("\xFF")},
              huge = {.event = S("e"), .data = {"1", WSHUB_MSG_BYTES_MAX + 1}};
    wshub_packet no_json = {.event = S("p"), .args = &bad.data, .args_count = 1}, no_event = {0},
                 two = {.event = S("p"), .args_count = 2};
    wshub_str args[2] = {S("1"), S("2")};
    wshub_dest odd = {.kind = (wshub_dest_kind)99};
    world w;
    wshub_client client = {0};

    two.args = args;
    world_start(&w, DESC(.on_log = see_log), FAKE(0));
    log_lines = 0;
    EXPECT_INT(wshub_room_send(w.hub, room, &bad, NULL, 0), WSHUB_ERR_JSON);
    EXPECT_STR(log_text, "send refused: data is not JSON, or too deep (a string needs its "
                         "quotes): tick");
    EXPECT_INT(wshub_all_send(w.hub, &none, NULL, 0), WSHUB_ERR_PARAM); /* SEND-3 */
    EXPECT_STR(log_text, "send refused: without data it reaches this hub alone (SEND-3): e");
    EXPECT_INT(wshub_room_send(w.hub, empty, &good, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_STR(log_text, "send refused: the room has no name: e");
    EXPECT_INT(wshub_send_here(w.hub, &odd, &good), WSHUB_ERR_PARAM);
    EXPECT_STR(log_text, "send refused: dest.kind is none of wshub_dest_kind: e");
    EXPECT_INT(wshub_send_here(w.hub, NULL, &odd_event), WSHUB_ERR_PARAM);
    EXPECT_STR(log_text, "send refused: the event is no UTF-8: \\xff");
    EXPECT_INT(wshub_all_send_here(w.hub, &huge, NULL, 0), WSHUB_ERR_LIMIT);
    EXPECT_STR(log_text, "send refused: data is longer than WSHUB_MSG_BYTES_MAX: e");
    EXPECT_INT(wshub_client_send(w.hub, client, NULL), WSHUB_ERR_PARAM);
    EXPECT_STR(log_text, "send refused: no message");
    EXPECT_INT(log_lines, 7);

    wshub_io_fake_advance(w.net, 1000);
    EXPECT_INT(wshub_client_reply(w.hub, client, room, &bad), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_client_reply(w.hub, client, room, &good), WSHUB_ERR_JSON);
    EXPECT_STR(log_text, "send refused: the id is not JSON, or too long: e");
    EXPECT_INT(wshub_client_send_binary(w.hub, client, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_STR(log_text, "send refused: no bytes");
    EXPECT_INT(wshub_client_send_binary(w.hub, client, &byte, WSHUB_MSG_BYTES_MAX + 1u),
               WSHUB_ERR_LIMIT);
    EXPECT_STR(log_text, "send refused: the message is longer than WSHUB_MSG_BYTES_MAX");
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &no_json), WSHUB_ERR_JSON);
    EXPECT_STR(log_text,
               "send refused: args[0] is not JSON, or too deep (a string needs its quotes): p");
    EXPECT_INT(wshub_packet_send(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_send_packet(w.hub, client, &no_event), WSHUB_ERR_PARAM);
    EXPECT_STR(log_text, "send refused: the event is missing");
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &two), WSHUB_ERR_PARAM);
    EXPECT_STR(log_text, "send refused: other instances have no words for that (wshub_send()): p");
    EXPECT_INT(log_lines, 15);

    EXPECT_INT(wshub_all_send(w.hub, &good, NULL, 0), WSHUB_OK);
    EXPECT_INT(log_lines, 15);
    world_stop(&w);
}

/* as a call that logs would */
static void log_now(wshub *hub, const char *detail, wshub_str text) {
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
    EXPECT_STR(log_text, "protocol error: why: a\\x5cb\\x0a\\x1b[31m\\xc3\\xbc");
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
