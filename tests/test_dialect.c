/* A dialect of one's own on the public table (>>api-dialect): sessions with several clients, sessions
 * without a conn (lent ones), what the hub has a dialect say, what a dialect tells the hub, limits and
 * clocks over both, whatever is wrong with the arguments. */
#include "hubtest.h"

typedef struct words { /* a dialect that writes down what it is asked to say */
    world *w;
    wshub_session session; /* that owed or ended last */
    size_t owed;
    int gone, closes, refusals;
    wshub_cause cause;
    uint16_t code;
    wshub_refusal why;
    wshub_err accept; /* what `accepted` returns */
    bool ends;        /* closing ends the client, and not its session */
} words;

static wshub_err say_accepted(wshub *hub, wshub_client client, const wshub_acceptance *what,
                              void *user) {
    words *d = (words *)user;
    wshub_msg m = msg("hello", "1");
    (void)what;
    if (d->accept) return d->accept;
    return wshub_client_welcome(hub, client, &m);
}
static void say_refused(wshub *hub, wshub_client client, wshub_refusal why, void *user) {
    words *d = (words *)user;
    d->refusals++;
    d->why = why;
    EXPECT_INT(wshub_client_end(hub, client, WSHUB_BY_AUTH, 0, nul()), WSHUB_OK);
}
static void say_close(wshub *hub, wshub_client client, wshub_cause cause, uint16_t code,
                      wshub_str reason, void *user) {
    words *d = (words *)user;
    d->closes++;
    d->cause = cause;
    d->code = code;
    if (d->ends)
        (void)wshub_client_end(hub, client, cause, code, reason);
    else
        (void)wshub_session_end(hub, wshub_client_session(hub, client), cause, code, reason);
}
static void say_owed(wshub *hub, wshub_session session, size_t bytes, void *user) {
    words *d = (words *)user;
    (void)hub;
    d->session = session;
    d->owed = bytes;
}
static void say_gone(wshub *hub, wshub_session session, wshub_cause cause, void *user) {
    words *d = (words *)user;
    (void)hub;
    d->session = session;
    d->cause = cause;
    d->gone++;
}

static wshub_dialect table_of(void) {
    return DIALECT(.name = "words", .accepted = say_accepted, .refused = say_refused,
                   .close = say_close, .owed = say_owed, .session_gone = say_gone);
}

/* Adds the dialect, and a lent session. */
static uint32_t words_start(world *w, words *d, wshub_session *session) {
    wshub_dialect t = table_of();
    uint32_t id = 0;
    memset(d, 0, sizeof *d);
    d->w = w;
    EXPECT_INT(wshub_dialect_add(w->hub, &t, d, &id), WSHUB_OK);
    EXPECT_OP(id, >, 0);
    EXPECT_INT(wshub_session_lend(w->hub, id, d, session), WSHUB_OK);
    return id;
}

static wshub_client add(world *w, wshub_session session, uint32_t dialect, const char *id) {
    wshub_client_desc desc;
    wshub_client client;
    memset(&desc, 0, sizeof desc);
    desc.dialect = dialect;
    if (id) desc.id = S(id);
    client.id = 0;
    EXPECT_INT(wshub_client_add(w->hub, session, &desc, &client), WSHUB_OK);
    return client;
}

static void turn(world *w) {
    (void)wshub_settle(w->hub);
    wshub_io_fake_run(w->net);
}

static char taken[65536];
/* Takes all that is queued for a lent session; what each span holds, with `|` behind it. */
static const char *take(world *w, wshub_session session) {
    wshub_span spans[8];
    size_t n, i, at = 0;
    while ((n = wshub_session_spans(w->hub, session, spans, 8)) != 0) {
        size_t bytes = 0;
        if (n > 8) n = 8;
        for (i = 0; i < n; i++) {
            memcpy(taken + at, spans[i].ptr + 2, spans[i].len - 2); /* behind a short head */
            at += spans[i].len - 2;
            taken[at++] = '|';
            bytes += spans[i].len;
        }
        EXPECT_INT(wshub_session_taken(w->hub, session, bytes), WSHUB_OK);
    }
    taken[at] = 0;
    return taken;
}

static wshub_err told_event(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    (void)hub;
    (void)client;
    world_note((world *)user, "event ");
    return wshub_str_eq_z(e->event, "bad") ? WSHUB_ERR_APP : WSHUB_OK;
}
static wshub_err told_binary(wshub *hub, wshub_client client, const uint8_t *bytes, size_t count,
                             void *user) {
    (void)hub;
    (void)client;
    (void)bytes;
    (void)user;
    return count ? WSHUB_OK : WSHUB_ERR_APP;
}
static int opened;
static void told_opened(wshub *hub, wshub_client client, void *user) {
    (void)hub;
    (void)client;
    (void)user;
    opened++;
}
static int gone_count;
static void told_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)gone;
    (void)user;
    gone_count++;
}

TEST(
    a_lent_session_is_authenticated_sent_to_and_handed_out_message_by_message) { /* SEND-1, AUTH-7 */
    world w;
    words d;
    wshub_session session;
    wshub_client a, b, found;
    wshub_msg one = msg("one", "1");
    wshub_iter it;
    wshub_stats before;
    uint32_t id;
    int i, n = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = told_gone), FAKE(0));
    id = words_start(&w, &d, &session);
    EXPECT(wshub_session_owner(w.hub, session) == &d);
    EXPECT_INT(stats(&w).conns, 0); /* it is no conn */
    EXPECT(!wshub_session_client(w.hub, session).id);
    a = add(&w, session, id, "a");
    b = add(&w, session, id, NULL);
    EXPECT(wshub_session_client(w.hub, session).id == b.id);
    EXPECT(wshub_client_session(w.hub, a).id == session.id);
    EXPECT_INT(wshub_client_find(w.hub, S("a"), &found), WSHUB_OK);
    memset(&it, 0, sizeof it);
    while (wshub_session_each_client(w.hub, session, &it, &found)) n++;
    EXPECT_INT(n, 2);
    EXPECT(!wshub_session_each_client(w.hub, session, &it, &found));

    EXPECT_INT(wshub_client_authenticate(w.hub, a, S("{\"user\":\"u\"}")), WSHUB_OK);
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_client_authenticate(w.hub, b, nul()), WSHUB_OK);
    turn(&w);
    EXPECT(d.owed > 0 && d.session.id == session.id);
    EXPECT_STR(take(&w, session),
               "{\"event\":\"hello\",\"data\":1}|{\"event\":\"hello\",\"data\":1}|");

    before = stats(&w);
    for (i = 0; i < 3; i++)
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &one, NULL, 0), WSHUB_OK);
    EXPECT(wshub_client_is_pressured(w.hub, a) || wshub_client_queued_bytes(w.hub, a) > 0);
    turn(&w);
    (void)take(&w, session);
    n = 0;
    for (i = 0; taken[i]; i++) n += taken[i] == '|';
    EXPECT_INT(n, 6);
    EXPECT_INT(stats(&w).messages_out, before.messages_out + 6);
    EXPECT_INT(wshub_session_taken(w.hub, session, 1), WSHUB_ERR_PARAM); /* more than is queued */
    EXPECT_INT(wshub_session_spans(w.hub, session, NULL, 0), 0);
    turn(&w);

    /* what is taken in part */
    EXPECT_INT(wshub_client_send(w.hub, a, &one), WSHUB_OK);
    EXPECT_INT(wshub_session_taken(w.hub, session, 2), WSHUB_OK);
    EXPECT_INT(wshub_session_spans(w.hub, session, NULL, 0), 1);
    wshub__dirty(w.hub, (uint32_t)session.id);
    turn(&w);
    {
        wshub_span span;
        EXPECT_INT(wshub_session_spans(w.hub, session, &span, 1), 1);
        EXPECT_INT(wshub_session_taken(w.hub, session, span.len), WSHUB_OK);
    }

    /* one client ends, and then the session */
    gone_count = 0;
    EXPECT_INT(wshub_client_end(w.hub, a, WSHUB_BY_APP, 1000, S("bye")), WSHUB_OK);
    EXPECT_INT(wshub_client_end(w.hub, a, WSHUB_BY_APP, 1000, nul()), WSHUB_ERR_STALE);
    memset(&it, 0, sizeof it);
    EXPECT(wshub_session_each_client(w.hub, session, &it, &found) && found.id == b.id);
    turn(&w);
    EXPECT_INT(gone_count, 1);
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_PEER, 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_PEER, 1000, nul()), WSHUB_OK);
    turn(&w);
    EXPECT_INT(gone_count, 2);
    EXPECT_INT(d.gone, 1);
    EXPECT_INT(d.cause, WSHUB_BY_PEER);
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_PEER, 1000, nul()), WSHUB_ERR_STALE);
    EXPECT_INT(stats(&w).clients, 0);
    world_stop(&w);
}

TEST(a_conn_has_a_session_and_may_have_several_clients) { /* CONN-4, BYE-1 */
    world w;
    words d;
    wshub_session lent, session;
    wshub_conn c, none = {0};
    wshub_client first, second, third;
    wshub_client_desc desc;
    char id[37];
    uint32_t dialect;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = told_gone), FAKE(0));
    dialect = words_start(&w, &d, &lent);
    d.ends = true;
    c = world_client(&w, "u", id);
    first = world_handle(&w, id);
    session = wshub_conn_session(w.hub, c);
    EXPECT(session.id && wshub_session_client(w.hub, session).id == first.id);
    EXPECT(wshub_conn_client(w.hub, c).id == first.id);
    EXPECT(!wshub_conn_session(w.hub, none).id && !wshub_conn_client(w.hub, none).id);
    EXPECT(!wshub_session_owner(w.hub, session));
    EXPECT_INT(wshub_session_spans(w.hub, session, NULL, 0), 0);
    EXPECT_INT(wshub_session_taken(w.hub, session, 0), WSHUB_ERR_PARAM);
    second = add(&w, session, dialect, "second");
    third = add(&w, session, dialect, "third");
    EXPECT_INT(wshub_client_authenticate(w.hub, second, nul()), WSHUB_OK);
    turn(&w);
    EXPECT_TEXT(&w, c, "{\"event\":\"hello\",\"data\":1}");
    EXPECT_INT(wshub_session_heard(w.hub, session), WSHUB_OK);
    EXPECT_INT(wshub_session_heard(w.hub, (wshub_session){7}), WSHUB_ERR_STALE);

    /* the one in the middle of the chain goes, by the application; its stream stays */
    EXPECT_INT(wshub_client_close(w.hub, second, 4000, S("why")), WSHUB_OK);
    EXPECT(d.cause == WSHUB_BY_APP && d.code == 4000);
    turn(&w);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT(wshub_session_client(w.hub, session).id == third.id);
    EXPECT_INT(wshub_client_cancel(w.hub, third), WSHUB_OK);
    EXPECT_INT(wshub_client_cancel(w.hub, third), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_cancel(w.hub, first), WSHUB_ERR_STATE);
    third = add(&w, session, dialect, "third");
    EXPECT_INT(wshub_client_join(w.hub, third, S("r")), WSHUB_OK);
    EXPECT_INT(wshub_client_cancel(w.hub, third), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_client_leave(w.hub, third, S("r")), WSHUB_OK);
    EXPECT_INT(wshub_client_set_metadata(w.hub, third, S("1")), WSHUB_OK);
    EXPECT_INT(wshub_client_cancel(w.hub, third), WSHUB_ERR_STATE);

    /* an id is taken once; the stream's end ends all */
    memset(&desc, 0, sizeof desc);
    desc.id = S("third");
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &second), WSHUB_ERR_STATE);
    gone_count = 0;
    wshub_io_fake_send_close(w.net, c, 1000, "");
    turn(&w);
    EXPECT_INT(gone_count, 2);
    world_stop(&w);
}

TEST(clocks_run_for_each_client_and_the_dialect_finds_the_words) { /* AUTH-1, LIVE-1, LIVE-3 */
    world w;
    words d;
    wshub_session session;
    wshub_client a, b;
    wshub_dialect bare;
    uint32_t id, bare_id;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .auth_timeout_ms = 100,
                     .heartbeat_interval_ms = 1000, .heartbeat_timeout_ms = 3000,
                     .heartbeat_by_pong = true, .idle_timeout_ms = 2000),
                FAKE(0));
    id = words_start(&w, &d, &session);
    d.ends = true;
    a = add(&w, session, id, "a");
    b = add(&w, session, id, "b");
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_OK);
    wshub_io_fake_advance(w.net, 101);
    EXPECT(d.closes == 1 && d.cause == WSHUB_BY_AUTH && !d.code); /* b has said nothing */
    EXPECT_INT(wshub_client_state(w.hub, b), WSHUB_CLIENT_DISCONNECTED);
    EXPECT_INT(wshub_client_state(w.hub, a), WSHUB_CLIENT_AUTHENTICATED);
    EXPECT_INT(stats(&w).auth_timeouts, 1);
    wshub_io_fake_advance(w.net, 2000);
    EXPECT_INT(wshub_session_heard(w.hub, session), WSHUB_OK);
    wshub_io_fake_advance(w.net, 2500);
    EXPECT_INT(d.closes, 1);
    wshub_io_fake_advance(w.net, 3000);
    EXPECT(d.closes == 2 && d.cause == WSHUB_BY_TIMEOUT);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 1);

    /* without words of its own: the session ends */
    bare = table_of();
    bare.close = NULL;
    bare.refused = NULL;
    bare.accepted = NULL;
    bare.session_gone = NULL;
    EXPECT_INT(wshub_dialect_add(w.hub, &bare, &d, &bare_id), WSHUB_OK);
    EXPECT_INT(wshub_session_lend(w.hub, bare_id, NULL, &session), WSHUB_OK);
    a = add(&w, session, bare_id, "a");
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_OK);
    b = add(&w, session, bare_id, "b");
    wshub_io_fake_advance(w.net, 150);
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_APP, 1000, nul()), WSHUB_ERR_STALE);
    world_stop(&w);
}

TEST(who_is_refused_is_told_in_the_dialects_words) { /* AUTH-4, AUTH-5 */
    world w;
    words d;
    wshub_session session;
    wshub_client a;
    wshub_dialect bare;
    uint32_t id;
    world_start(&w, DESC(.user = NULL), FAKE(0)); /* nobody is accepted */
    id = words_start(&w, &d, &session);
    a = add(&w, session, id, "a");
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_OK);
    EXPECT(d.refusals == 1 && d.why == WSHUB_REFUSED_AUTH);
    turn(&w);
    bare = table_of();
    bare.refused = NULL;
    EXPECT_INT(wshub_dialect_add(w.hub, &bare, &d, &id), WSHUB_OK);
    a = add(&w, session, id, "a");
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_OK);
    EXPECT(d.closes == 1 && d.cause == WSHUB_BY_AUTH);
    turn(&w);
    EXPECT_INT(d.gone, 1); /* its close ends the session */
    world_stop(&w);

    world_start(&w, DESC(.on_authenticate = accept_all, .require_encryption = true), FAKE(0));
    id = words_start(&w, &d, &session);
    a = add(&w, session, id, "a");
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_OK);
    EXPECT(d.refusals == 1 && d.why == WSHUB_REFUSED_CLEAR);
    world_stop(&w);

    /* a dialect that cannot say it: nothing has changed, the question is open */
    kept_asks_count = 0;
    world_start(&w, DESC(.on_authenticate = keep_auth), FAKE(0));
    id = words_start(&w, &d, &session);
    a = add(&w, session, id, "a");
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_OK);
    d.accept = WSHUB_ERR_APP;
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_APP);
    EXPECT_INT(wshub_client_state(w.hub, a), WSHUB_CLIENT_AUTHENTICATING);
    d.accept = WSHUB_OK;
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    world_stop(&w);
}

TEST(what_a_dialect_tells_is_counted_limited_and_handed_on) { /* MSG-1, MSG-8, ROOM-1, ROOM-2 */
    world w;
    words d;
    wshub_session session;
    wshub_client a, nobody = {0};
    wshub_event e;
    wshub_heard heard;
    wshub_str rooms[1];
    wshub_msg m = msg("error", "1"), bad = msg("error", "{");
    uint32_t id;
    int i;
    memset(&e, 0, sizeof e);
    e.event = S("x");
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_message = told_event,
                     .on_binary = told_binary, .on_join = join_all, .asks_per_client_max = 1,
                     .preauth_messages_max = 2, .on_opened = told_opened),
                FAKE(0));
    id = words_start(&w, &d, &session);
    a = add(&w, session, id, "a");
    opened = 0;
    EXPECT_INT(wshub_client_opened(w.hub, a), WSHUB_OK);
    EXPECT_INT(opened, 1);
    heard = wshub_client_heard(w.hub, a, 10);
    EXPECT_INT(heard.state, WSHUB_CLIENT_UNAUTHORIZED);
    EXPECT_INT(wshub_client_receive(w.hub, a, &e), WSHUB_ERR_STATE);
    rooms[0] = S("r");
    EXPECT_INT(wshub_client_ask_join(w.hub, a, rooms, 1), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_client_tell(w.hub, a, &bad), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_client_tell(w.hub, a, &m), WSHUB_OK); /* a lent one always waits */
    EXPECT_INT(wshub_client_authenticate(w.hub, a, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_tell(w.hub, a, &m), WSHUB_OK);
    heard = wshub_client_heard(w.hub, a, 10);
    EXPECT(heard.state == WSHUB_CLIENT_AUTHENTICATED && heard.client.id == a.id &&
           !heard.transforms);
    EXPECT_INT(wshub_client_receive(w.hub, a, &e), WSHUB_OK);
    EXPECT_INT(wshub_client_event(w.hub, a, &e), WSHUB_OK);
    EXPECT_STR(w.log, "event event ");
    e.event = S("bad");
    EXPECT_INT(wshub_client_event(w.hub, a, &e), WSHUB_OK);
    EXPECT_INT(wshub_client_binary(w.hub, a, (const uint8_t *)"x", 1), WSHUB_OK);
    EXPECT_INT(wshub_client_binary(w.hub, a, (const uint8_t *)"x", 0), WSHUB_OK);
    EXPECT_INT(stats(&w).app_failures, 2);
    EXPECT(wshub_client_may_join(w.hub, a, S("a")) && wshub_client_may_join(w.hub, a, S("b")));
    EXPECT(!wshub_client_may_join(w.hub, a, S("")) &&
           !wshub_client_may_join(w.hub, nobody, S("b")));
    (void)add(&w, session, id, "b");
    EXPECT(!wshub_client_may_join(w.hub, a, S("b")));
    EXPECT_INT(wshub_client_ask_join(w.hub, a, rooms, 1), WSHUB_OK);
    EXPECT(wshub_client_in_room(w.hub, a, S("r")));
    wshub_client_report(w.hub, a, WSHUB_LOG_PROTO, 2, "odd", S("text"));
    wshub_client_report(w.hub, a, WSHUB_LOG_NOMEM, 2, "odd", nul());
    EXPECT_INT(stats(&w).protocol_errors, 2);

    /* too much before acceptance ends the session */
    EXPECT_INT(wshub_client_find(w.hub, S("b"), &a), WSHUB_OK);
    for (i = 0; i < 2; i++) heard = wshub_client_heard(w.hub, a, 100000);
    EXPECT_INT(heard.state, WSHUB_CLIENT_UNAUTHORIZED);
    heard = wshub_client_heard(w.hub, a, 1);
    EXPECT_INT(heard.state, WSHUB_CLIENT_DISCONNECTED);
    turn(&w);
    EXPECT(d.gone == 1 && d.cause == WSHUB_BY_PROTOCOL);

    /* nobody */
    EXPECT_INT(wshub_client_heard(w.hub, nobody, 1).state, WSHUB_CLIENT_DISCONNECTED);
    EXPECT_INT(wshub_conn_heard(w.hub, (wshub_conn){0}, 1).state, WSHUB_CLIENT_DISCONNECTED);
    EXPECT_INT(wshub_client_authenticate(w.hub, nobody, nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_ask_join(w.hub, nobody, rooms, 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_receive(w.hub, nobody, &e), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_event(w.hub, nobody, &e), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_binary(w.hub, nobody, NULL, 0), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_tell(w.hub, nobody, &m), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_welcome(w.hub, nobody, &m), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_opened(w.hub, nobody), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_end(w.hub, nobody, WSHUB_BY_APP, 0, wshub__str("\xFF", 1)),
               WSHUB_ERR_PARAM);
    EXPECT(!wshub_client_session(w.hub, nobody).id);
    EXPECT(!wshub_alloc(w.hub, NULL, 0, 0));
    world_stop(&w);
}

TEST(bad_dialects_sessions_and_clients_are_refused) {
    world w;
    words d;
    wshub_dialect t = table_of();
    wshub_session session, none = {0};
    wshub_client client;
    wshub_client_desc desc;
    wshub_iter it;
    wshub_conn c;
    uint32_t id, i;
    world_start(&w, DESC(.on_authenticate = accept_all, .conns_max = 2, .clients_max = 1), FAKE(0));
    id = words_start(&w, &d, &session);
    EXPECT_INT(wshub_dialect_add(w.hub, NULL, NULL, &i), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_dialect_add(w.hub, &t, NULL, NULL), WSHUB_ERR_PARAM);
    t.version = 9;
    EXPECT_INT(wshub_dialect_add(w.hub, &t, NULL, &i), WSHUB_ERR_PARAM);
    t = table_of();
    t.name = NULL;
    EXPECT_INT(wshub_dialect_add(w.hub, &t, NULL, &i), WSHUB_ERR_PARAM);
    t = table_of();
    while (wshub_dialect_add(w.hub, &t, &d, &i) == WSHUB_OK) {
    }
    EXPECT_INT(wshub_dialect_add(w.hub, &t, NULL, &i), WSHUB_ERR_LIMIT);
    EXPECT_INT(w.hub->dialects_count, WSHUB_DIALECTS_MAX);

    EXPECT_INT(wshub_session_lend(w.hub, id, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_lend(w.hub, 99, NULL, &none), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_session_lend(w.hub, 0, NULL, &none), WSHUB_ERR_PARAM); /* JSON lends none */
    c = wshub_io_fake_connect(w.net, "/ws");
    EXPECT_INT(wshub_session_lend(w.hub, id, NULL, &none), WSHUB_ERR_LIMIT);
    wshub_io_fake_send_close(w.net, c, 1000, "");
    turn(&w);

    memset(&desc, 0, sizeof desc);
    EXPECT_INT(wshub_client_add(w.hub, session, NULL, &client), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, NULL), WSHUB_ERR_PARAM);
    desc.dialect = 99;
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_PARAM);
    desc.dialect = id;
    desc.kind = 9;
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_PARAM);
    desc.kind = 0;
    desc.id = wshub__str("", 0);
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_PARAM);
    desc.id = S("0123456789012345678901234567890123456789x");
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_PARAM);
    desc.id = wshub__str("\xFF", 1);
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_PARAM);
    desc.id = S("x");
    EXPECT_INT(wshub_client_add(w.hub, none, &desc, &client), WSHUB_ERR_STALE);
    desc.realm.id = 77;
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_STALE);
    desc.realm.id = 0;
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_OK);
    desc.id = S("y");
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_LIMIT);
    memset(&it, 0, sizeof it);
    EXPECT(!wshub_session_each_client(w.hub, none, &it, &client));
    EXPECT(!wshub_session_client(w.hub, none).id && !wshub_session_owner(w.hub, none));
    EXPECT_INT(wshub_session_spans(w.hub, none, NULL, 0), 0);
    EXPECT_INT(wshub_session_taken(w.hub, none, 0), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_session_end(w.hub, session, WSHUB_BY_APP, 999, nul()), WSHUB_ERR_PARAM);

    /* at the end of service nothing is lent or added any more; the dialect is told */
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    turn(&w);
    EXPECT(d.closes == 1 && d.cause == WSHUB_BY_SHUTDOWN);
    EXPECT_INT(d.gone, 1);
    EXPECT_INT(wshub_session_lend(w.hub, id, NULL, &none), WSHUB_ERR_CLOSED);
    world_stop(&w);

    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    id = words_start(&w, &d, &session);
    EXPECT_INT(wshub_drain(w.hub, 1, 1001, nul()), WSHUB_OK);
    memset(&desc, 0, sizeof desc);
    desc.dialect = id;
    EXPECT_INT(wshub_client_add(w.hub, session, &desc, &client), WSHUB_ERR_CLOSED);
    world_stop(&w);
}

static void accept_if_it_can(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    if (wshub_auth_accept(hub, ask, NULL) != WSHUB_OK) (void)wshub_ask_fail(hub, ask);
}

TEST(every_allocation_of_lent_sessions_may_fail) {
    long n;
    for (n = 1; n < 40; n++) {
        world w;
        words d;
        wshub_dialect t = table_of();
        wshub_session session;
        wshub_client client;
        wshub_client_desc desc;
        wshub_msg m = msg("x", "1");
        uint32_t id;
        memset(&d, 0, sizeof d);
        memset(&desc, 0, sizeof desc);
        world_start(&w, DESC(.on_authenticate = accept_if_it_can), FAKE(0));
        EXPECT_INT(wshub_dialect_add(w.hub, &t, &d, &id), WSHUB_OK);
        w.fail_at = n;
        desc.dialect = id;
        if (wshub_session_lend(w.hub, id, NULL, &session) == WSHUB_OK &&
            wshub_client_add(w.hub, session, &desc, &client) == WSHUB_OK) {
            (void)wshub_client_authenticate(w.hub, client, nul());
            (void)wshub_client_send(w.hub, client, &m);
        }
        turn(&w);
        w.fail_at = 0;
        world_stop(&w);
    }
}

TEST(random_bytes_are_given_once) { /* >>api-dialect */
    world w;
    uint64_t given[500];
    int i, k;
    world_start(&w, DESC(0), FAKE(0));
    for (i = 0; i < 500; i++) {
        given[i] = 0;
        wshub_random_bytes(w.hub, &given[i], sizeof given[i]);
        EXPECT(given[i] != 0);
        for (k = 0; k < i; k++) EXPECT(given[k] != given[i]);
    }
    wshub_random_bytes(w.hub, NULL, 0);
    world_stop(&w);
}
