/* Sessions (>>session): several clients at one stream, streams that a dialect lends, what they are
 * told, who hears of pressure, whom the inbound transformer holds up, and how each of them ends. */
#include "hubtest.h"

static world w;
static uint32_t speaks; /* the dialect that all clients here but the JSON ones have */

/* What the dialect was told. */
static struct {
    int gone, owed, closes;
    wshub_cause cause, close_cause;
    uint16_t code;
    wshub_session session;
} told;

static wshub_err say_accepted(wshub *hub, wshub_client client, const wshub_acceptance *what,
                              void *user) {
    wshub_msg m = msg("hello", NULL);
    (void)what;
    (void)user;
    return wshub_client_welcome(hub, client, &m);
}
static void hear_owed(wshub *hub, wshub_session session, size_t bytes, void *user) {
    (void)hub;
    (void)session;
    (void)user;
    EXPECT_OP(bytes, >, 0);
    told.owed++;
}
static void hear_gone(wshub *hub, wshub_session session, wshub_cause cause, void *user) {
    (void)user;
    told.gone++;
    told.cause = cause;
    told.session = session;

    /* It can be asked about still, and ends whatever is done to it. */
    EXPECT(wshub_session_owner(hub, session) != NULL);
    EXPECT_INT(wshub_session_end(hub, session, WSHUB_BY_PEER, 1000, nul()), WSHUB_OK);
}
static void end_client(wshub *hub, wshub_client client, wshub_cause cause, uint16_t code,
                       wshub_str reason, void *user) {
    (void)user;
    told.closes++;
    told.close_cause = cause;
    told.code = code;
    EXPECT_INT(wshub_client_end(hub, client, cause, code, reason), WSHUB_OK);
}

static wshub_dialect table_of(void) {
    return DIALECT(.name = "speaks", .accepted = say_accepted, .owed = hear_owed,
                   .session_gone = hear_gone);
}

static void start(wshub_desc desc, const wshub_dialect *table) {
    wshub_dialect usual = table_of();
    memset(&told, 0, sizeof told);
    if (!desc.on_authenticate) desc.on_authenticate = accept_all;
    world_start(&w, desc, FAKE(0));
    EXPECT_INT(wshub_dialect_add(w.hub, table ? table : &usual, NULL, &speaks), WSHUB_OK);
}

static wshub_session lend(void) {
    wshub_session session = {0};
    EXPECT_INT(wshub_session_lend(w.hub, speaks, &w, &session), WSHUB_OK);
    return session;
}

static wshub_client add(wshub_session session, const char *id) {
    wshub_client client = {0};
    wshub_client_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.dialect = speaks;
    desc.id = S(id);
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_OK);
    return client;
}

static wshub_client accepted(wshub_session session, const char *id) {
    wshub_client client = add(session, id);
    EXPECT_INT(wshub_client_authenticate(w.hub, client, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_state(w.hub, client), WSHUB_CLIENT_AUTHENTICATED);
    return client;
}

/* Takes all that is queued for a lent session. Returns how many messages that was. */
static size_t take(wshub_session session) {
    wshub_span span;
    size_t count = wshub_session_spans(w.hub, session, NULL, 0), n = 0;
    while (wshub_session_spans(w.hub, session, &span, 1)) {
        EXPECT_INT(wshub_session_taken(w.hub, session, span.len), WSHUB_OK);
        n++;
    }
    EXPECT_INT(n, count);
    return count;
}

static wshub_client next_of(wshub_session session, wshub_iter *iter) {
    wshub_client client = {0};
    (void)wshub_session_each_client(w.hub, session, iter, &client);
    return client;
}

/* ---- who is there ---- */

TEST(streams_without_a_websocket_have_no_session) { /* CONN-1 */
    wshub_conn c, ended, far;
    start(DESC(0), NULL);
    c = wshub_io_fake_open(w.net); /* speaks HTTP still */
    EXPECT(!wshub_conn_session(w.hub, c).id);
    EXPECT(!wshub_conn_client(w.hub, c).id);
    EXPECT_INT(wshub_conn_heard(w.hub, c, 1).state, WSHUB_CLIENT_DISCONNECTED);
    ended = wshub_io_fake_connect(w.net, "/ws");
    EXPECT(wshub_conn_session(w.hub, ended).id);
    wshub_io_fake_end(w.net, ended);
    EXPECT(!wshub_conn_session(w.hub, ended).id);
    far.id = UINT64_C(1) << 32 | 5000000; /* further than any page of streams */
    EXPECT(!wshub_conn_session(w.hub, far).id);
    EXPECT_INT(wshub_session_heard(w.hub, (wshub_session){far.id}), WSHUB_ERR_STALE);
    world_stop(&w);
}

TEST(a_chain_of_clients_loses_any_of_them) { /* BYE-1 */
    wshub_session session;
    wshub_client of[5];
    wshub_iter it;
    int i;
    start(DESC(0), NULL);
    session = lend();
    for (i = 0; i < 5; i++) {
        char id[4];
        (void)snprintf(id, sizeof id, "c%d", i);
        of[i] = accepted(session, id);
    }

    /* A walk from the newest on passes over who has ended, buried or not. */
    memset(&it, 0, sizeof it);
    EXPECT_INT(next_of(session, &it).id, of[4].id);
    EXPECT_INT(wshub_client_end(w.hub, of[3], WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_end(w.hub, of[2], WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    EXPECT_INT(next_of(session, &it).id, of[1].id);
    wshub_io_fake_run(w.net);
    EXPECT_INT(next_of(session, &it).id, of[0].id);
    EXPECT_INT(next_of(session, &it).id, 0);
    EXPECT_INT(wshub_client_end(w.hub, of[0], WSHUB_BY_APP, 1000, nul()), WSHUB_OK); /* the last */
    wshub_io_fake_run(w.net);
    memset(&it, 0, sizeof it);
    EXPECT_INT(next_of(session, &it).id, of[4].id);
    EXPECT_INT(next_of(session, &it).id, of[1].id);
    EXPECT_INT(next_of(session, &it).id, 0);
    EXPECT_INT(wshub_session_client(w.hub, session).id, of[4].id);
    EXPECT_INT(told.gone, 0);
    world_stop(&w);
}

TEST(nobody_comes_to_a_session_that_ends) { /* CONN-4 */
    wshub_session session;
    wshub_conn c;
    wshub_client client = {0};
    wshub_client_desc desc;
    char id[37];
    start(DESC(0), NULL);
    memset(&desc, 0, sizeof desc);
    desc.dialect = speaks;
    session = lend();
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_STALE);
    c = world_client(&w, NULL, id);
    session = wshub_conn_session(w.hub, c);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_STALE);

    /* What comes from a stream whose client has just ended is nobody's. */
    EXPECT_INT(wshub_conn_heard(w.hub, c, 1).state, WSHUB_CLIENT_DISCONNECTED);
    world_stop(&w);
}

TEST(a_client_that_nobody_was_told_of_can_be_taken_back) { /* BYE-1 */
    wshub_session session;
    wshub_client client, first;
    start(DESC(0), NULL); /* without on_opened there is nobody to tell */
    session = lend();
    first = add(session, "first");
    client = add(session, "second");
    EXPECT_INT(wshub_client_opened(w.hub, first), WSHUB_OK);
    EXPECT_INT(wshub_client_cancel(w.hub, first), WSHUB_OK);
    EXPECT_INT(wshub_client_opened(w.hub, first), WSHUB_ERR_STALE);
    EXPECT_INT(stats(&w).clients, 1);
    EXPECT_INT(wshub_session_client(w.hub, session).id, client.id);
    world_stop(&w);
}

/* ---- what is said ---- */

TEST(each_message_to_a_lent_session_lies_by_itself) { /* SEND-5 */
    wshub_session session;
    wshub_client client;
    wshub_span spans[4];
    wshub_msg m = msg("m", "1");
    wshub_str whole = S("{\"event\":\"m\",\"data\":1}");
    int i;
    start(DESC(0), NULL);
    session = lend();
    client = accepted(session, "c");
    (void)take(session);
    for (i = 0; i < 6; i++) EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
    for (i = 0; i < 6; i++)
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_session_spans(w.hub, session, spans, 4), 12);
    for (i = 0; i < 4; i++) {
        EXPECT_INT(spans[i].len, whole.len + 2);
        EXPECT(memcmp(spans[i].ptr + 2, whole.ptr, whole.len) == 0);
    }

    /* Taken in part, one and a half at a time. */
    EXPECT_INT(wshub_session_taken(w.hub, session, whole.len + 2 + 10), WSHUB_OK);
    EXPECT_INT(wshub_session_spans(w.hub, session, spans, 4), 11);
    EXPECT_INT(spans[0].len, whole.len - 8);
    EXPECT_INT(wshub_session_taken(w.hub, session, 0), WSHUB_OK);
    EXPECT_INT(take(session), 11);
    EXPECT_INT(wshub_session_taken(w.hub, session, 1), WSHUB_ERR_PARAM);
    told.owed = 0;
    wshub_io_fake_run(w.net);
    EXPECT_INT(told.owed, 0); /* all has been taken before the turn's end */
    world_stop(&w);
}

static size_t messages_of(wshub_session session, const char *const *texts, size_t count) {
    wshub_span spans[8];
    size_t n = wshub_session_spans(w.hub, session, spans, 8), i;
    EXPECT_INT(n, count);
    for (i = 0; i < n; i++) {
        EXPECT_INT(spans[i].len, strlen(texts[i]));
        EXPECT(memcmp(spans[i].ptr, texts[i], spans[i].len) == 0);
    }
    return n;
}

TEST(what_belongs_to_no_client_is_queued_in_its_order) { /* SEND-5, SEND-6 */
    static const char *const said[] = {"first", "second", "\x81\x16{\"event\":\"m\",\"data\":1}",
                                       "third"};
    wshub_session session;
    wshub_client client;
    wshub_msg m = msg("m", "1");
    wshub_conn c;
    wshub_stats before;
    char id[37];
    int i;
    start(DESC(.backpressure_bytes_max = 100), NULL);
    session = lend();
    EXPECT_INT(wshub_session_send(w.hub, session, "first", 5), WSHUB_OK); /* nobody is in it yet */
    wshub_io_fake_run(w.net);
    EXPECT_INT(told.owed, 1);
    EXPECT_INT(messages_of(session, said, 1), 1);
    EXPECT_INT(wshub_session_taken(w.hub, session, 5), WSHUB_OK);

    client = accepted(session, "c");
    (void)take(session);
    EXPECT_INT(wshub_session_send(w.hub, session, "first", 5), WSHUB_OK);
    EXPECT_INT(wshub_session_send(w.hub, session, "second", 6), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
    EXPECT_INT(wshub_session_send(w.hub, session, "third", 5), WSHUB_OK);
    EXPECT_INT(messages_of(session, said, 4), 4);
    (void)take(session);

    /* What is gathered for many comes first. */
    for (i = 0; i < 2; i++)
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    before = stats(&w);
    EXPECT_INT(wshub_session_send(w.hub, session, "third", 5), WSHUB_OK);
    EXPECT_INT(stats(&w).messages_out - before.messages_out, 1);
    EXPECT_INT(stats(&w).bytes_out - before.bytes_out, 5);
    {
        const char *const order[] = {said[2], said[2], "third"};
        EXPECT_INT(messages_of(session, order, 3), 3);
    }

    /* Within the limits, and only where there is such a session. */
    EXPECT_INT(wshub_session_send(w.hub, session, json_string(64), 66), WSHUB_ERR_DROPPED);
    EXPECT_INT(stats(&w).dropped_pressure - before.dropped_pressure, 1);
    EXPECT_INT(wshub_session_send(w.hub, session, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_send(w.hub, session, "", 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_send(w.hub, session, "", (size_t)WSHUB_MSG_BYTES_MAX + 1),
               WSHUB_ERR_LIMIT);
    c = world_client(&w, NULL, id);
    EXPECT_INT(wshub_session_send(w.hub, wshub_conn_session(w.hub, c), "x", 1), WSHUB_ERR_STATE);
    (void)take(session);
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_session_send(w.hub, session, "x", 1), WSHUB_ERR_STALE); /* it has ended */
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_session_send(w.hub, session, "x", 1), WSHUB_ERR_STALE); /* it is no more */
    world_stop(&w);
}

TEST(a_message_to_a_lent_session_that_finds_no_memory_is_counted) { /* SEND-6 */
    static char large[200000];
    wshub_session session;
    start(DESC(0), NULL);
    session = lend();
    w.fail_all = true;
    EXPECT_INT(wshub_session_send(w.hub, session, large, sizeof large), WSHUB_ERR_NOMEM);
    w.fail_all = false;
    EXPECT_INT(stats(&w).dropped_memory, 1);
    EXPECT_INT(wshub_session_send(w.hub, session, large, sizeof large), WSHUB_OK);
    EXPECT_INT(take(session), 1);
    world_stop(&w);
}

TEST(a_session_has_a_limit_of_its_own_and_may_have_all_or_nothing) { /* SEND-6, BYE-1 */
    wshub_session session, other;
    wshub_client client;
    wshub_msg m = msg("m", json_string(64)), large = msg("m", NULL);
    static char text[200000];
    int whole, memory, way;
    for (way = 0; way < 8; way++) {
        whole = way & 1;
        memory = way & 2;
        start(DESC(.backpressure_bytes_max = 100), NULL);
        session = lend();
        other = lend();
        EXPECT_INT(wshub_session_limit(w.hub, session, 1u << 31, false), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_session_limit(w.hub, session, 200000, whole), WSHUB_OK);
        client = accepted(session, "c");
        (void)accepted(other, "d");
        (void)take(session);
        EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK); /* beyond the hub's limit */
        if (memory) {
            memset(text, ' ', sizeof text);
            text[sizeof text - 1] = '1';
            large.data = wshub__str(text, 150000);
            large.data_is_json = true;
            w.fail_all = true;
            EXPECT_INT(way & 4 ? wshub_session_send(w.hub, session, text, 150000)
                               : wshub_client_send(w.hub, client, &large),
                       WSHUB_ERR_NOMEM);
            w.fail_all = false;
        } else {
            EXPECT_INT(wshub_session_limit(w.hub, session, 0, whole), WSHUB_OK);
            EXPECT_INT(way & 4 ? wshub_session_send(w.hub, session, text, 80)
                               : wshub_client_send(w.hub, client, &m),
                       WSHUB_ERR_DROPPED);
        }
        wshub_io_fake_run(w.net);
        EXPECT_INT(told.gone, whole);
        if (whole) {
            EXPECT_INT(told.cause, memory ? WSHUB_BY_MEMORY : WSHUB_BY_BACKPRESSURE);
            EXPECT(told.session.id == session.id);
        }
        EXPECT_INT(wshub_session_limit(w.hub, session, 1, false),
                   whole ? WSHUB_ERR_STALE : WSHUB_OK);
        EXPECT(wshub_session_owner(w.hub, other) != NULL);
        world_stop(&w);
    }
}

TEST(what_waits_for_a_transformer_is_all_or_nothing_too) { /* SEND-6, ENC-1, BYE-1 */
    wshub_msg m = msg("m", "1");
    int whole;
    for (whole = 0; whole < 2; whole++) {
        wshub_session session;
        wshub_client client;
        start(DESC(.on_transform_out = keep_event), NULL);
        session = lend();
        EXPECT_INT(wshub_session_limit(w.hub, session, 0, whole), WSHUB_OK);
        client = accepted(session, "c");
        EXPECT_INT(wshub_client_encrypt(w.hub, client), WSHUB_OK);
        w.fail_all = true;
        EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_ERR_NOMEM);
        w.fail_all = false;
        EXPECT_INT(stats(&w).dropped_memory, 1);
        wshub_io_fake_run(w.net);
        EXPECT_INT(told.gone, whole);
        if (whole) EXPECT_INT(told.cause, WSHUB_BY_MEMORY);
        world_stop(&w);
    }
}

TEST(a_lent_session_without_clients_ends_for_what_has_ended_it) { /* BYE-1, SEND-6 */
    wshub_session session;
    start(DESC(.backpressure_bytes_max = 100), NULL);
    session = lend();
    EXPECT_INT(wshub_session_limit(w.hub, session, 0, true), WSHUB_OK);
    EXPECT_INT(wshub_session_send(w.hub, session, json_string(200), 200), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_session_send(w.hub, session, json_string(200), 200), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(w.net);
    EXPECT_INT(told.gone, 1);
    EXPECT_INT(told.cause, WSHUB_BY_BACKPRESSURE);
    world_stop(&w);
}

static char ends[400]; /* what was told of ends, and how many rooms there were still */
static void note_end(wshub *hub, const wshub_gone *gone, const char *who, bool here) {
    wshub_iter it = {0, 0};
    wshub_str room;
    int rooms = 0;
    size_t len = strlen(ends);
    while (wshub_client_each_room(hub, gone->client, &it, &room)) rooms++;
    EXPECT(here == (wshub_client_number(hub, gone->client) != UINT32_MAX));
    (void)snprintf(ends + len, sizeof ends - len, "%s %.*s %d;", who, (int)gone->id.len,
                   gone->id.ptr, rooms);
}
static void dialect_leaving(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    note_end(hub, gone, "leaving", true);
}
static void dialect_left(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    note_end(hub, gone, "left", false);
}
static void app_leaving(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    note_end(hub, gone, "app leaving", true);
}
static void app_left(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    note_end(hub, gone, "app left", false);
}

TEST(a_dialect_is_told_of_the_end_of_its_clients_and_has_their_numbers) { /* BYE-1 */
    wshub_dialect table = table_of();
    wshub_session session;
    wshub_client one, two;
    char id[37];
    table.disconnecting = dialect_leaving;
    table.disconnected = dialect_left;
    start(DESC(.on_disconnecting = app_leaving, .on_disconnected = app_left), &table);
    session = lend();
    one = accepted(session, "one");
    two = accepted(session, "two");
    EXPECT(wshub_client_number(w.hub, one) != wshub_client_number(w.hub, two));
    EXPECT_OP(wshub_client_number(w.hub, two), <, 16);
    EXPECT_INT(wshub_client_number(w.hub, (wshub_client){0}), UINT32_MAX);
    EXPECT_INT(wshub_client_cancel(w.hub, add(session, "never")), WSHUB_OK);
    (void)world_client(&w, NULL, id); /* one of another dialect */
    ends[0] = 0;
    EXPECT_INT(wshub_client_end(w.hub, one, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(ends, "leaving one 3;app leaving one 3;left one 0;app left one 0;");
    ends[0] = 0;
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(ends, "leaving two 3;app leaving two 3;left two 0;app left two 0;");
    world_stop(&w);
}

static bool ends_at_once;
static void dialect_connected(wshub *hub, wshub_client client, void *user) {
    (void)user;
    EXPECT_INT(wshub_client_state(hub, client), WSHUB_CLIENT_AUTHENTICATED);
    EXPECT(wshub_client_in_room(hub, client, wshub_client_id(hub, client)));
    EXPECT(wshub_client_queued_bytes(hub, client) > 0); /* its welcome */
    (void)strcat(ends, "dialect;");
    if (ends_at_once) EXPECT_INT(wshub_client_end(hub, client, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
}
static wshub_err app_connected(wshub *hub, wshub_client client, void *user) {
    (void)hub, (void)client, (void)user;
    (void)strcat(ends, "app;");
    return WSHUB_OK;
}

TEST(a_dialect_is_told_of_an_acceptance_before_the_application_is) { /* AUTH-7, AUTH-8 */
    wshub_dialect table = table_of();
    wshub_session session;
    wshub_client client;
    table.connected = dialect_connected;
    start(DESC(.on_connected = app_connected), &table);
    session = lend();
    ends[0] = 0;
    ends_at_once = false;
    (void)accepted(session, "asks");
    EXPECT_STR(ends, "dialect;app;");
    ends[0] = 0;
    EXPECT_INT(wshub_client_accept(w.hub, add(session, "is known"), NULL), WSHUB_OK);
    EXPECT_STR(ends, "dialect;app;");

    /* The application is not told of one that the dialect has ended. */
    ends[0] = 0;
    ends_at_once = true;
    client = add(session, "gone");
    EXPECT_INT(wshub_client_accept(w.hub, client, NULL), WSHUB_OK);
    EXPECT_INT(wshub_client_state(w.hub, client), WSHUB_CLIENT_DISCONNECTED);
    EXPECT_STR(ends, "dialect;");
    world_stop(&w);
}

TEST(a_client_may_have_one_time_to_be_accepted_in) { /* AUTH-1, AUTH-2 */
    wshub_client_desc desc;
    wshub_session session;
    wshub_client usual, silent, asks;
    kept_asks_count = 0;
    start(DESC(.auth_timeout_ms = 50, .on_authenticate = keep_auth), NULL);
    session = lend();
    memset(&desc, 0, sizeof desc);
    desc.dialect = speaks;
    desc.auth_ms = 300;
    usual = add(session, "usual");
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &silent), WSHUB_OK);
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &asks), WSHUB_OK);
    wshub_io_fake_advance(w.net, 40);
    EXPECT_INT(wshub_client_authenticate(w.hub, asks, nul()), WSHUB_OK);
    EXPECT_INT(kept_asks_count, 1);

    EXPECT_INT(wshub_client_end(w.hub, usual, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
    wshub_io_fake_advance(w.net, 259); /* far over three times 50 from the question */
    EXPECT_INT(wshub_client_state(w.hub, silent), WSHUB_CLIENT_UNAUTHORIZED);
    EXPECT_INT(wshub_client_state(w.hub, asks), WSHUB_CLIENT_AUTHENTICATING);
    EXPECT_INT(stats(&w).auth_timeouts, 0);
    wshub_io_fake_advance(w.net, 2);
    EXPECT_INT(wshub_client_state(w.hub, silent), WSHUB_CLIENT_DISCONNECTED);
    EXPECT_INT(wshub_client_state(w.hub, asks), WSHUB_CLIENT_DISCONNECTED);
    EXPECT_OP(stats(&w).auth_timeouts, >, 0);
    EXPECT(strstr(wshub_io_fake_log(w.net).ptr, ": no answer: on_authenticate has not answered "
                                                "within its dialect's auth_ms; closed\n"));
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_STALE);
    world_stop(&w);
}

static int pressed[3]; /* how often each of three clients was told */
static wshub_client who[3];
static wshub_pressure last_pressure;
static bool ends_all;
static void on_pressure(wshub *hub, wshub_client client, wshub_pressure what, size_t queued,
                        void *user) {
    int i;
    (void)user;
    EXPECT(what == WSHUB_PRESSURE_OFF || queued > 0);
    last_pressure = what;
    for (i = 0; i < 3; i++) pressed[i] += client.id == who[i].id;
    if (ends_all)
        EXPECT_INT(
            wshub_session_end(hub, wshub_client_session(hub, client), WSHUB_BY_APP, 1000, nul()),
            WSHUB_OK);
}

TEST(pressure_on_a_stream_is_told_to_all_its_clients) { /* SEND-6 */
    wshub_session session;
    wshub_msg m = msg("m", json_string(64));
    wshub_conn c;
    char id[37];
    int round;
    for (round = 0; round < 2; round++) {
        memset(pressed, 0, sizeof pressed);
        ends_all = round == 1;
        start(DESC(.on_pressure = on_pressure, .backpressure_bytes_max = 100), NULL);
        c = world_client(&w, NULL, id);
        session = wshub_conn_session(w.hub, c);
        who[0] = world_handle(&w, id);
        who[1] = accepted(session, "one");
        who[2] = accepted(session, "two");
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_client_end(w.hub, who[1], WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
        who[1] = accepted(session, "three");
        wshub_io_fake_run(w.net);
        EXPECT_INT(pressed[0] + pressed[1] + pressed[2], 0);
        wshub_io_fake_window(w.net, c, 0);
        EXPECT_INT(wshub_client_send(w.hub, who[2], &m), WSHUB_OK);
        wshub_io_fake_run(w.net);

        /* Whoever ends all of them is told nothing more. */
        EXPECT_INT(pressed[0] + pressed[1] + pressed[2], round ? 1 : 3);
        if (round) {
            world_stop(&w);
            continue;
        }
        EXPECT_INT(last_pressure, WSHUB_PRESSURE_ON);
        EXPECT_INT(wshub_client_send(w.hub, who[0], &m), WSHUB_ERR_DROPPED);
        EXPECT_INT(wshub_client_end(w.hub, who[1], WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(last_pressure, WSHUB_PRESSURE_DROPPED);
        EXPECT_INT(pressed[0] * 100 + pressed[1] * 10 + pressed[2], 212);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        EXPECT_INT(last_pressure, WSHUB_PRESSURE_OFF);
        EXPECT_INT(pressed[0] * 100 + pressed[1] * 10 + pressed[2], 313);
        world_stop(&w);
    }
    ends_all = false;
}

TEST(lent_sessions_are_no_conns_but_count_against_their_limit) { /* CONN-2 */
    wshub_session session, more;
    start(DESC(.conns_max = 2), NULL);
    session = lend();
    EXPECT_INT(stats(&w).conns, 0);
    more = lend();
    EXPECT_INT(wshub_session_lend(w.hub, speaks, &w, &session), WSHUB_ERR_LIMIT);
    EXPECT(!wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
    EXPECT_INT(wshub_session_end(w.hub, more, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
    world_stop(&w);
}

/* ---- how they end ---- */

TEST(a_dialect_hears_why_a_lent_session_ends) { /* BYE-1, BYE-2, SEND-6 */
    int how;
    for (how = 0; how < 7; how++) {
        static const wshub_cause causes[] = {
            WSHUB_BY_BACKPRESSURE, WSHUB_BY_PROTOCOL, WSHUB_BY_SHUTDOWN, WSHUB_BY_SHUTDOWN,
            WSHUB_BY_TIMEOUT,      WSHUB_BY_APP,      WSHUB_BY_SHUTDOWN};
        wshub_session session;
        wshub_client client;
        wshub_msg m = msg("m", json_string(100));
        start(DESC(.close_on_backpressure = true, .backpressure_bytes_max = 150,
                   .preauth_messages_max = 1, .heartbeat_timeout_ms = 100,
                   .heartbeat_interval_ms = 10),
              NULL);
        session = lend();
        client = how == 1 ? add(session, "c") : accepted(session, "c");
        wshub_io_fake_run(w.net);
        if (how == 0) {
            EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
            EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_ERR_DROPPED);
        } else if (how == 1) { /* it says too much before it is accepted */
            EXPECT_INT(wshub_client_heard(w.hub, client, 1).state, WSHUB_CLIENT_UNAUTHORIZED);
            EXPECT_INT(wshub_client_heard(w.hub, client, 1).state, WSHUB_CLIENT_DISCONNECTED);
        } else if (how == 2) {
            EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
        } else if (how == 3) {
            EXPECT_INT(wshub_drain(w.hub, 1000, 1012, S("back soon")), WSHUB_OK);
        } else if (how == 4) {
            wshub_io_fake_advance(w.net, 200);
        } else if (how == 5) {
            EXPECT_INT(wshub_client_close(w.hub, client, 1000, nul()), WSHUB_OK);
        }
        if (how < 6) wshub_io_fake_run(w.net);
        EXPECT_INT(told.gone, how < 6 ? 1 : 0);
        EXPECT_INT(stats(&w).protocol_errors, how == 1);
        world_stop(&w); /* and at the end of the hub, too */
        EXPECT_INT(told.gone, 1);
        EXPECT_INT(told.cause, causes[how]);
        EXPECT_INT(told.session.id, session.id);
    }
}

TEST(a_session_without_clients_ends_with_its_hub) { /* BYE-2 */
    wshub_session more = {0};
    start(DESC(0), NULL);
    (void)lend();
    (void)lend();
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    EXPECT_INT(wshub_session_lend(w.hub, speaks, &w, &more), WSHUB_ERR_CLOSED);
    wshub_io_fake_run(w.net);
    EXPECT_INT(told.gone, 2);
    world_stop(&w);
    EXPECT_INT(told.gone, 2);
    start(DESC(0), NULL);
    (void)lend();
    (void)lend();
    world_stop(&w);
    EXPECT_INT(told.gone, 2);
    EXPECT_INT(told.cause, WSHUB_BY_SHUTDOWN);
}

TEST(a_dialect_without_words_closes_with_a_code) { /* AUTH-1, BYE-2, LIVE-1 */
    wshub_conn c;
    wshub_client client;
    wshub_session session;
    int how;
    for (how = 0; how < 3; how++) {
        start(DESC(.auth_timeout_ms = 50), NULL);
        c = wshub_io_fake_connect(w.net, "/ws");
        session = wshub_conn_session(w.hub, c);
        EXPECT_INT(wshub_client_cancel(w.hub, wshub_conn_client(w.hub, c)), WSHUB_OK);
        EXPECT_INT(wshub_session_client(w.hub, session).id, 0); /* a stream without clients */
        client = add(session, "c");
        if (how == 0) wshub_io_fake_advance(w.net, 60);
        if (how == 1) EXPECT_INT(wshub_drain(w.hub, 100, 1012, S("later")), WSHUB_OK);
        if (how == 2) EXPECT_INT(wshub_client_close(w.hub, client, 4444, S("words")), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_CLOSE(&w, c, how == 0 ? 1008 : how == 1 ? 1012 : 4444);
        world_stop(&w);
    }

    /* At a shutdown, too. */
    start(DESC(0), NULL);
    c = wshub_io_fake_connect(w.net, "/ws");
    EXPECT_INT(wshub_client_cancel(w.hub, wshub_conn_client(w.hub, c)), WSHUB_OK);
    (void)add(wshub_conn_session(w.hub, c), "c");
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_CLOSE(&w, c, 1001);
    world_stop(&w);
}

TEST(one_of_several_clients_is_judged_by_itself) { /* LIVE-1 */
    wshub_dialect table = table_of();
    wshub_session session;
    wshub_client a, b;
    table.close = end_client;
    start(DESC(.heartbeat_timeout_ms = 1000, .heartbeat_interval_ms = 100), &table);
    session = lend();
    a = accepted(session, "a");
    b = accepted(session, "b");
    wshub_io_fake_advance(w.net, 900);
    EXPECT_INT(wshub_client_heard(w.hub, b, 1).state, WSHUB_CLIENT_AUTHENTICATED);
    wshub_io_fake_advance(w.net, 300);
    EXPECT_INT(wshub_client_state(w.hub, a), WSHUB_CLIENT_DISCONNECTED);
    EXPECT_INT(wshub_client_state(w.hub, b), WSHUB_CLIENT_AUTHENTICATED);
    EXPECT_INT(told.closes, 1);
    EXPECT_INT(told.close_cause, WSHUB_BY_TIMEOUT);

    /* A session that is heard of, all of it, is silent in none of its clients. */
    wshub_io_fake_advance(w.net, 600);
    EXPECT_INT(wshub_session_heard(w.hub, session), WSHUB_OK);
    wshub_io_fake_advance(w.net, 900);
    EXPECT_INT(told.closes, 1);
    wshub_io_fake_advance(w.net, 300);
    EXPECT_INT(told.closes, 2);
    EXPECT_INT(told.gone, 0);
    world_stop(&w);
}

/* ---- the inbound transformer ---- */

static char said[256];
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    size_t n = strlen(said);
    (void)hub;
    (void)client;
    (void)user;
    (void)snprintf(said + n, sizeof said - n, "%.*s ", (int)e->event.len, e->event.ptr);
    return WSHUB_OK;
}
static void keep_in(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *e,
                    void *user) {
    keep_event(hub, ask, client, e, user);
}

static wshub_err receive(wshub_client client, const char *event) {
    wshub_event e;
    memset(&e, 0, sizeof e);
    e.event = S(event);
    return wshub_client_receive(w.hub, client, &e);
}

TEST(a_client_says_one_thing_at_a_time_to_the_transformer) { /* ENC-1, SEND-5 */
    wshub_session session;
    wshub_client a, b;
    start(DESC(.on_message = on_message, .on_transform_in = keep_in, .transform_timeout_ms = 100),
          NULL);
    kept_asks_count = 0;
    said[0] = 0;
    session = lend();
    a = accepted(session, "a");
    b = accepted(session, "b");
    EXPECT_INT(receive(a, "clear"), WSHUB_OK); /* not encrypted yet */
    EXPECT_INT(wshub_client_encrypt(w.hub, a), WSHUB_OK);
    EXPECT_INT(wshub_client_encrypt(w.hub, b), WSHUB_OK);
    EXPECT(wshub_client_heard(w.hub, a, 1).transforms);
    EXPECT_INT(receive(a, "first"), WSHUB_OK);
    EXPECT_INT(receive(a, "second"), WSHUB_ERR_STATE); /* it would get in front of the first */
    EXPECT_INT(receive(b, "other"), WSHUB_OK);
    EXPECT_INT(kept_asks_count, 2);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    EXPECT_INT(receive(a, "second"), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[1], NULL), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[2], NULL), WSHUB_OK);
    EXPECT_STR(said, "clear first other second ");

    /* Whoever does not answer in time loses what all of them have said. */
    EXPECT_INT(receive(a, "third"), WSHUB_OK);
    EXPECT_INT(receive(b, "third"), WSHUB_OK);
    wshub_io_fake_advance(w.net, 101);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[3], NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[4], NULL), WSHUB_ERR_STALE);
    EXPECT_INT(stats(&w).dropped_transform, 2);
    EXPECT_INT(receive(a, "fourth"), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[5], NULL), WSHUB_OK);
    EXPECT_STR(said, "clear first other second fourth ");

    /* And who was not asked about loses nothing. */
    EXPECT_INT(receive(a, "fifth"), WSHUB_OK);
    wshub_io_fake_advance(w.net, 101);
    EXPECT_INT(stats(&w).dropped_transform, 3);
    EXPECT_INT(receive(b, "sixth"), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[7], NULL), WSHUB_OK);
    EXPECT_STR(said, "clear first other second fourth sixth ");
    world_stop(&w);
}

TEST(a_stream_is_heard_again_when_the_client_it_waited_for_has_gone) { /* ENC-1, LIVE-3 */
    wshub_conn c;
    wshub_session session;
    wshub_client a, b, json;
    char id[37];
    int both;
    for (both = 0; both < 2; both++) {
        start(DESC(.on_message = on_message, .on_transform_in = keep_in), NULL);
        kept_asks_count = 0;
        said[0] = 0;
        c = world_client(&w, NULL, id);
        session = wshub_conn_session(w.hub, c);
        json = world_handle(&w, id);
        a = accepted(session, "a");
        b = accepted(session, "b");
        EXPECT_INT(wshub_client_encrypt(w.hub, a), WSHUB_OK);
        EXPECT_INT(wshub_client_encrypt(w.hub, b), WSHUB_OK);
        EXPECT_INT(receive(a, "waits"), WSHUB_OK);
        if (both) EXPECT_INT(receive(b, "too"), WSHUB_OK);
        wshub_io_fake_text(w.net, c, "{\"event\":\"behind\"}");
        EXPECT_STR(said, "");
        EXPECT_INT(wshub_client_end(w.hub, a, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
        EXPECT_INT(wshub_client_end(w.hub, b, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
        EXPECT_INT(wshub_client_end(w.hub, json, WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
        json = accepted(session, "json"); /* the newest hears what the stream brings */
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_STALE);
        EXPECT_STR(said, "behind ");
        world_stop(&w);
    }
}

TEST(events_of_an_encrypted_client_are_taken_as_they_are_where_nobody_transforms) { /* ENC-1 */
    wshub_client a;
    start(DESC(.on_message = on_message), NULL);
    said[0] = 0;
    a = accepted(lend(), "a");
    EXPECT_INT(wshub_client_encrypt(w.hub, a), WSHUB_OK);
    EXPECT(!wshub_client_heard(w.hub, a, 1).transforms);
    EXPECT_INT(receive(a, "clear"), WSHUB_OK);
    EXPECT_INT(receive(a, "again"), WSHUB_OK);
    EXPECT_STR(said, "clear again ");
    world_stop(&w);
}

/* ---- pressure on a session that polls ---- */

static char pressures[200];
static void hear_pressure(wshub *hub, wshub_client client, wshub_pressure what, size_t queued,
                          void *user) {
    size_t n = strlen(pressures);
    (void)user;
    EXPECT_INT(wshub_client_queued_bytes(hub, client), queued);
    EXPECT_INT(wshub_client_is_pressured(hub, client), what != WSHUB_PRESSURE_OFF);
    (void)snprintf(pressures + n, sizeof pressures - n, "%s ",
                   what == WSHUB_PRESSURE_ON        ? "on"
                   : what == WSHUB_PRESSURE_DROPPED ? "dropped"
                                                    : "off");
}
#define EXPECT_PRESSURES(want)                                                                     \
    do {                                                                                           \
        wshub_io_fake_run(w.net);                                                                  \
        EXPECT_STR(pressures, want);                                                               \
        pressures[0] = 0;                                                                          \
    } while (0)

/* A message of so many bytes, for a client to be told. */
static wshub_msg long_msg(size_t count) {
    static char data[70000];
    wshub_msg m = msg("m", "\"\"");
    memset(data, 'x', sizeof data);
    data[0] = data[count - 1] = '"';
    m.data = wshub__str(data, count);
    return m;
}

TEST(a_stranger_who_polls_hears_more_than_one_reply_and_not_without_end) { /* SEND-6, MSG-5 */
    wshub_session session;
    wshub_client client;
    wshub_msg m = msg("no", NULL), big = long_msg(30000);
    start(DESC(.close_on_backpressure = false), NULL);
    session = lend();
    client = add(session, "a");
    EXPECT_INT(wshub_client_tell(w.hub, client, &m), WSHUB_OK);
    EXPECT_INT(wshub_client_tell(w.hub, client, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_client_tell(w.hub, client, &m), WSHUB_OK);
    EXPECT_INT(take(session), 3);
    EXPECT_INT(wshub_client_tell(w.hub, client, &big), WSHUB_OK);
    EXPECT_INT(wshub_client_tell(w.hub, client, &big), WSHUB_OK);
    EXPECT_INT(wshub_client_tell(w.hub, client, &big), WSHUB_OK);
    EXPECT_INT(wshub_client_tell(w.hub, client, &m), WSHUB_ERR_DROPPED);
    EXPECT_INT(wshub_client_authenticate(w.hub, client, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_tell(w.hub, client, &m), WSHUB_OK); /* the limit is its queue's now */
    EXPECT_INT(take(session), 5);
    world_stop(&w);
}

TEST(a_session_that_polls_is_under_pressure_when_much_waits) { /* SEND-6 */
    wshub_session session;
    wshub_client client;
    wshub_msg m = msg("m", NULL), big = long_msg(40000);
    start(DESC(.on_pressure = hear_pressure), NULL);
    session = lend();
    client = accepted(session, "a");
    pressures[0] = 0;
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_OK);
    EXPECT_PRESSURES("");
    EXPECT(!wshub_client_is_pressured(w.hub, client));
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_OK);
    EXPECT_INT(take(session), 3); /* within one turn that is nobody's silence */
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_OK);
    EXPECT_PRESSURES("on ");
    EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
    EXPECT_PRESSURES("");
    EXPECT_INT(wshub_session_taken(w.hub, session, 80000), WSHUB_OK);
    EXPECT_PRESSURES(""); /* until all has left */
    EXPECT(wshub_client_is_pressured(w.hub, client));
    (void)take(session);
    EXPECT_PRESSURES("off ");
    EXPECT(!wshub_client_is_pressured(w.hub, client));

    /* half of a limit of its own; what is dropped is pressure in any case */
    EXPECT_INT(wshub_session_limit(w.hub, session, 50000, false), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
    EXPECT_PRESSURES("");
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_OK);
    EXPECT_PRESSURES("on ");
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_ERR_DROPPED);
    EXPECT_PRESSURES("dropped ");
    (void)take(session);
    EXPECT_PRESSURES("off ");
    EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
    big = long_msg(60000);
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_ERR_DROPPED);
    EXPECT_PRESSURES("on dropped ");
    (void)take(session);
    EXPECT_PRESSURES("off ");
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_OK); /* who owes nothing: any length */
    EXPECT_PRESSURES("on ");
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
    EXPECT_PRESSURES("");
    world_stop(&w);
}

static void end_when_owed(wshub *hub, wshub_session session, size_t bytes, void *user) {
    (void)bytes, (void)user;
    EXPECT_INT(wshub_session_end(hub, session, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
}

TEST(a_session_may_end_when_it_is_owed_much) { /* SEND-6, BYE-1 */
    wshub_dialect table = table_of();
    wshub_session session;
    wshub_client client;
    wshub_msg big = long_msg(70000);
    table.owed = end_when_owed;
    start(DESC(.on_pressure = hear_pressure), &table);
    session = lend();
    client = accepted(session, "a");
    pressures[0] = 0;
    EXPECT_INT(wshub_client_send(w.hub, client, &big), WSHUB_OK);
    EXPECT_PRESSURES("");
    EXPECT_INT(told.gone, 1);
    world_stop(&w);
}

/* ---- what is gathered ---- */

TEST(what_is_handed_out_is_all_that_was_sent_before) { /* SEND-5, SEND-6 */
    wshub_msg m = msg("m", NULL);
    wshub_session session;
    start(DESC(0), NULL);
    session = lend();
    (void)accepted(session, "a");
    (void)accepted(session, "b");
    (void)take(session);
    EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(take(session), 2);
    EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    EXPECT(w.hub->gathered); /* that one has yet to be given out */
    EXPECT_INT(wshub_session_spans(w.hub, session, NULL, 0), 2);
    EXPECT_INT(take(session), 2);
    world_stop(&w);
}

/* Statistics count what an acceptance says as they count any message. */
TEST(a_welcome_counts_as_a_message_and_in_bytes) { /* AUTH-7, SEND-6 */
    wshub_session session;
    wshub_client client;
    wshub_stats before;
    start(DESC(0), NULL);
    session = lend();
    client = add(session, "a");
    before = stats(&w);
    EXPECT_INT(wshub_client_authenticate(w.hub, client, nul()), WSHUB_OK);
    EXPECT_INT(stats(&w).messages_out, before.messages_out + 1);
    EXPECT_INT(stats(&w).bytes_out, before.bytes_out + wshub_client_queued_bytes(w.hub, client));
    world_stop(&w);
}

/* ---- one who is late beside one who is not ---- */

TEST(a_stranger_who_is_late_has_nobody_else_asked) { /* AUTH-1, LIVE-2, LIVE-3 */
    int i;
    for (i = 0; i < 3; i++) {
        bool waits = i == 1;
        wshub_dialect table = table_of();
        wshub_conn c;
        wshub_session session;
        wshub_client in, stranger;
        table.close = end_client;
        start(DESC(.heartbeat_by_pong = true, .auth_timeout_ms = waits ? 40000 : 1000,
                   .heartbeat_timeout_ms = i < 2 ? 35000 : WSHUB_OFF),
              &table);
        c = world_client(&w, NULL, NULL);
        session = wshub_conn_session(w.hub, c);
        in = wshub_session_client(w.hub, session);
        stranger = add(session, "b");
        /* At once, in a hub that is not as old as half of idle_timeout_ms: only the stranger. */
        wshub_io_fake_silent(w.net, c, true);
        wshub_io_fake_advance(w.net, 1001);
        EXPECT_INT(stats(&w).pings_sent, 0);
        EXPECT_INT(told.closes, !waits);
        EXPECT_INT(wshub_client_state(w.hub, in), WSHUB_CLIENT_AUTHENTICATED);
        EXPECT_INT(wshub_client_state(w.hub, stranger),
                   waits ? WSHUB_CLIENT_UNAUTHORIZED : WSHUB_CLIENT_DISCONNECTED);
        wshub_io_fake_advance(w.net, 29000); /* LIVE-2 */
        EXPECT_INT(stats(&w).pings_sent, 1);
        world_stop(&w);
    }
}
