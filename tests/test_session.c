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
