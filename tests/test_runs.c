/* Sends to one room, one after the other, are gathered and given out at once (wshub__run_add).
 * Nobody can tell: two hubs are told the same, one of them is looked at after every word, which
 * ends its run; what their clients receive, byte by byte, and what their counters say at the
 * end of every turn is the same. */
#include "hubtest.h"

enum { PEERS = 12, ROOMS = 2 };
static uint64_t dice;
static uint32_t rnd(uint32_t n) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 33) % n;
}

/* sends in the midst of reading */
static wshub_err chatter(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    int i;
    (void)c;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = S("\"said\"");
    for (i = 0; i < 3; i++)
        (void)wshub_room_send_here(hub, S(e->event.len % 2 ? "one" : "two"), &m, NULL, 0);
    return WSHUB_OK;
}
/* Which client is told of pressure first in a turn is nobody's promise; what each is told is. */
static uint64_t told[2];
static void pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t queued, void *user) {
    wshub_str id = wshub_client_id(hub, c);
    uint64_t h = (uint64_t)what * 31 + queued;
    size_t i;
    for (i = 0; i < id.len; i++) h = (h ^ (uint8_t)id.ptr[i]) * 1099511628211u;
    told[*(int *)user] += h;
}

static void ended_by(wshub *hub, const wshub_gone *gone, void *user) {
    uint64_t h = (uint64_t)gone->cause * 31 + gone->code;
    size_t i;
    (void)hub;
    for (i = 0; i < gone->id.len; i++) h = (h ^ (uint8_t)gone->id.ptr[i]) * 1099511628211u;
    told[*(int *)user] += h;
}

typedef struct side {
    world w;
    wshub_conn conns[PEERS];
    char ids[PEERS][37];
} side;

static void look(side *s, bool looks) {
    if (looks) (void)stats(&s->w);
}

static bool same(side *a, side *b) {
    wshub_stats x, y;
    int i;
    for (i = 0; i < PEERS; i++) {
        wshub_str p = wshub_io_fake_output(a->w.net, a->conns[i]),
                  q = wshub_io_fake_output(b->w.net, b->conns[i]);
        if (!wshub_str_eq(p, q)) {
            (void)printf("  client %d has %u and %u bytes\n", i, (unsigned)p.len, (unsigned)q.len);
            return false;
        }
        if (p.len > 60000) {
            wshub_io_fake_take(a->w.net, a->conns[i], p.len);
            wshub_io_fake_take(b->w.net, b->conns[i], q.len);
        }
    }
    x = stats(&a->w);
    y = stats(&b->w);
    /* what is dropped may have been written behind another's back */
    x.segment_bytes = y.segment_bytes = 0;
    for (i = 0; i < (int)(sizeof x / sizeof(uint64_t)); i++) {
        uint64_t p, q;
        memcpy(&p, (uint8_t *)&x + (size_t)i * 8, 8);
        memcpy(&q, (uint8_t *)&y + (size_t)i * 8, 8);
        if (p != q) (void)printf("  counter %d: %u and %u\n", i, (unsigned)p, (unsigned)q);
    }
    return memcmp(&x, &y, sizeof x) == 0 && told[0] == told[1];
}

TEST(a_run_is_as_if_each_had_been_sent_alone) { /* SEND-1, SEND-5, SEND-6 */
    uint64_t seed, runs = 0, turns = 0;
    for (seed = 1; seed <= 60; seed++) {
        static side sides[2];
        int k, i, step;
        uint32_t limit = seed % 3 == 0 ? 2000 : seed % 3 == 1 ? 300 : 0;
        static int numbers[2] = {0, 1};
        memset(sides, 0, sizeof sides);
        told[0] = told[1] = 0;
        for (k = 0; k < 2; k++) {
            side *s = &sides[k];
            world_start(&s->w,
                        DESC(.on_authenticate = accept_all, .on_message = chatter,
                             .on_pressure = pressure, .on_disconnected = ended_by,
                             .user = &numbers[k], .backpressure_bytes_max = limit,
                             .close_on_backpressure = seed % 7 == 0, .on_join = join_all,
                             .heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF,
                             .write_timeout_ms = WSHUB_OFF),
                        FAKE(.seed = (uint32_t)seed, .completion = seed % 5 == 0));
            for (i = 0; i < PEERS; i++) {
                s->conns[i] = world_client(&s->w, i % 3 ? "u" : NULL, s->ids[i]);
                EXPECT_INT(wshub_client_join(s->w.hub, world_handle(&s->w, s->ids[i]),
                                             S(i % 2 ? "one" : "two")),
                           WSHUB_OK);
                if (seed % 2 && i % 3 == 0) { /* who has all that is sent, or ends */
                    wshub_client c = world_handle(&s->w, s->ids[i]);
                    EXPECT_INT(wshub_session_limit(s->w.hub, wshub_client_session(s->w.hub, c),
                                                   limit, true),
                               WSHUB_OK);
                }
            }
        }
        EXPECT(same(&sides[0], &sides[1]));
        for (step = 0; step < 600; step++) {
            uint64_t now = dice = seed * 1000003 + (uint64_t)step * 7919;
            for (k = 0; k < 2; k++) {
                side *s = &sides[k];
                wshub *hub = s->w.hub;
                const char *room;
                char data[40];
                wshub_msg m;
                wshub_str ex;
                wshub_client c;
                uint32_t what;
                dice = now;
                i = (int)rnd(PEERS);
                what = rnd(48);
                room = rnd(6) ? "one" : "two";
                c = world_handle(&s->w, s->ids[i]);
                (void)snprintf(data, sizeof data, "[%u,\"%.*s\"]", (unsigned)step, (int)rnd(24),
                               "xxxxxxxxxxxxxxxxxxxxxxxx");
                m = msg(step % 50 == 0 ? "another" : "m", data);
                if (what < 24) (void)wshub_room_send_here(hub, S(room), &m, NULL, 0);
                if (what == 24 || what > 40) (void)wshub_all_send_here(hub, &m, NULL, 0);
                if (what == 25) (void)wshub_user_send_here(hub, S("u"), &m);
                if (what == 26) (void)wshub_client_send(hub, c, &m);
                if (what == 27) (void)wshub_client_join(hub, c, S(room));
                if (what == 28) (void)wshub_client_leave(hub, c, S(room));
                if (what == 29) {
                    ex = S(s->ids[i]);
                    (void)wshub_room_send_here(hub, S(room), &m, &ex, 1);
                }
                if (what == 30) wshub_io_fake_send(s->w.net, s->conns[i], 9, true, "ping", rnd(4));
                /* what the stream takes changes between turns, not in one */
                if (what == 31 || what == 36) wshub_io_fake_run(s->w.net);
                if (what == 31)
                    wshub_io_fake_window(s->w.net, s->conns[i], rnd(3) ? rnd(400) : UINT64_MAX);
                if (what == 32)
                    wshub_io_fake_text(s->w.net, s->conns[i],
                                       rnd(2) ? "{\"event\":\"abc\"}" : "{\"event\":\"abcd\"}");
                /* nobody transforms: in the clear, as it was */
                if (what == 33) (void)wshub_client_encrypt(hub, c);
                if (what == 34 && rnd(6) == 0) (void)wshub_client_close(hub, c, 4000, S("enough"));
                if (what == 35 && rnd(6) == 0) wshub_io_fake_end(s->w.net, s->conns[i]);
                if (what == 36) wshub_io_fake_window(s->w.net, s->conns[i], UINT64_MAX);
                if (what == 37) wshub_io_fake_run(s->w.net);
                if (k == 0 && hub->run.plain.messages > 1) runs++;
                if (what == 38) EXPECT(wshub_self_check(hub) == NULL);
                look(s, k == 1);
            }
            if (step % 9 == 0) {
                i = step % PEERS;
                EXPECT_INT(wshub_client_queued_bytes(sides[0].w.hub,
                                                     world_handle(&sides[0].w, sides[0].ids[i])),
                           wshub_client_queued_bytes(sides[1].w.hub,
                                                     world_handle(&sides[1].w, sides[1].ids[i])));
            }
            if (step % 20 == 19) {
                wshub_io_fake_run(sides[0].w.net);
                wshub_io_fake_run(sides[1].w.net);
                turns++;
                if (!same(&sides[0], &sides[1])) {
                    EXPECT(!"the same");
                    break;
                }
            }
        }
        for (k = 0; k < 2; k++) world_stop(&sides[k].w);
        if (test_failures) break;
    }
    (void)printf("  %u turns the same, %u sends in runs\n", (unsigned)turns, (unsigned)runs);
    EXPECT_OP(runs, >, 1000);
}

TEST(who_comes_later_hears_nothing_of_a_run_to_all) { /* SEND-1 */
    world w;
    wshub_conn a, b;
    wshub_msg m = msg("m", "1");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    a = world_client(&w, NULL, NULL);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(w.hub->run.plain.messages, 2);
    b = world_client(&w, NULL, NULL); /* its own answer was the first that it got */
    wshub_io_fake_run(w.net);
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":1}");
    EXPECT_SILENCE(&w, a);
    EXPECT_SILENCE(&w, b);
    world_stop(&w);
}

static void send_one(world *w, const char *data) {
    wshub_msg m = msg("m", data);
    EXPECT_INT(wshub_room_send_here(w->hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
}
static void pressed(wshub *hub, wshub_client c, wshub_pressure what, size_t queued, void *user) {
    (void)c;
    (void)queued;
    (void)hub;
    if (what != WSHUB_PRESSURE_ON) return;
    send_one((world *)user, "7"); /* told at a turn's end: what is sent now leaves in it still */
    send_one((world *)user, "8");
    send_one((world *)user, "9");
}
TEST(a_run_begun_at_the_end_of_a_turn_leaves_in_it) {
    world w;
    wshub_conn a, b;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_pressure = pressed), FAKE(0));
    a = world_client(&w, NULL, NULL);
    b = world_client(&w, NULL, NULL);
    wshub_io_fake_window(w.net, a, 3);
    send_one(&w, "1");
    (void)wshub_settle(w.hub);
    EXPECT_TEXT(&w, b, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, b, "{\"event\":\"m\",\"data\":7}");
    EXPECT_TEXT(&w, b, "{\"event\":\"m\",\"data\":8}");
    EXPECT_TEXT(&w, b, "{\"event\":\"m\",\"data\":9}");
    EXPECT_SILENCE(&w, b);
    world_stop(&w);
}

/* What is gathered when settle sends goes to the io from where it was written. What is not taken of
 * it is queued like anything else, and has the clock of what waits. */
TEST(what_settle_gives_out_is_queued_only_where_it_is_not_taken) { /* SEND-5, SEND-6 */
    static const char said[] = "{\"event\":\"m\",\"data\":1}";
    enum { FRAME = 2 + sizeof said - 1, ALL, SOME, NONE, LATER, WAYS };
    int way;
    for (way = ALL; way < WAYS; way++) {
        world w;
        char id[37];
        wshub_conn slow, quick;
        uint64_t sends;
        wshub_msg m = msg("m", "1");
        world_start(&w, DESC(.on_authenticate = accept_all, .write_timeout_ms = 1000),
                    FAKE(.completion = way == LATER));
        slow = world_client(&w, NULL, id);
        quick = world_client(&w, NULL, NULL);
        wshub_io_fake_run(w.net);
        if (way != ALL) wshub_io_fake_window(w.net, slow, way == SOME ? 3 : 0);
        sends = wshub_io_fake_sends(w.net);
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        (void)wshub_settle(w.hub);
        EXPECT_INT(wshub_io_fake_sends(w.net) - sends, 2);
        EXPECT_INT(stats(&w).messages_out, 4); /* with `connected` of both */
        EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)), way == ALL    ? 0
                                                                           : way == SOME ? FRAME - 3
                                                                                         : FRAME);
        EXPECT(wshub_self_check(w.hub) == NULL);

        /* Who takes the rest in time has all of it, in order with what comes then. */
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_advance(w.net, 999);
        EXPECT(wshub_io_fake_is_open(w.net, slow));
        wshub_io_fake_window(w.net, slow, UINT64_MAX);
        wshub_io_fake_run(w.net);
        for (sends = 0; sends < 2; sends++) {
            EXPECT_TEXT(&w, slow, said);
            EXPECT_TEXT(&w, quick, said);
        }
        EXPECT_SILENCE(&w, slow);
        EXPECT_INT(stats(&w).queued_bytes, 0);

        /* Who does not is closed. */
        wshub_io_fake_window(w.net, slow, 0);
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_advance(w.net, 1000);
        EXPECT(!wshub_io_fake_is_open(w.net, slow));
        EXPECT_TEXT(&w, quick, said);
        world_stop(&w);
    }
}

TEST(a_hub_that_ends_in_the_midst_of_a_run) {
    world w;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, NULL, NULL);
    send_one(&w, "1");
    send_one(&w, "2");
    send_one(&w, "3");
    EXPECT_OP(w.hub->run.plain.messages, >, 0);
    world_stop(&w); /* with nothing held */
}

TEST(a_hub_that_ends_in_the_midst_of_a_run_to_those_who_have_just_gone) {
    world w;
    char id[37];
    wshub_msg m = msg("m", "1");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, S("")), WSHUB_OK);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(w.hub->run.plain.messages, 2);
    world_stop(&w);
}

/* Whether a ping is answered at once is asked behind what was gathered before it. */
TEST(who_is_owed_a_run_that_it_does_not_take_is_answered_later) { /* LIVE-2, RFC 6455 5.5.3 */
    enum { FRAME = 4 + 20 + 200 + 1 };
    uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};
    world w;
    char id[37];
    wshub_conn c;
    wshub_io_fake_frame f;
    wshub_msg m = msg("m", json_string(200));
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 300),
                FAKE(.completion = true));
    c = world_client(&w, NULL, id);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 3; i++)
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    EXPECT(w.hub->gathered);
    wshub_conn_received(w.hub, c, ping, sizeof ping);
    EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)), 2 * FRAME);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 2; i++) EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 1);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 10);
    EXPECT_SILENCE(&w, c);
    world_stop(&w);
}

/* ---- a run that ends whom it reaches ---- */

/* A client that does not read, at a session that has to have all that is sent: what is gathered for
 * its room is too much for it, and will end it. Before that has been given out something else ends
 * it. */
typedef struct ended {
    world w;
    wshub_conn conn;
    wshub_client client;
    wshub_ask ask; /* who it is; it has asked, and is in the room by our own doing */
} ended;

static void end_by_call(ended *e) {
    EXPECT_INT(wshub_client_close(e->w.hub, e->client, 4000, S("enough")), WSHUB_OK);
}
static void end_of_client(ended *e) {
    EXPECT_INT(wshub_client_end(e->w.hub, e->client, WSHUB_BY_APP, 1000, S("")), WSHUB_OK);
}
static void end_of_stream(ended *e) {
    wshub_io_fake_end(e->w.net, e->conn);
}
static void end_by_half_close(ended *e) {
    wshub_conn_ended(e->w.hub, e->conn);
}
static void end_by_close(ended *e) {
    uint8_t close[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8};
    wshub_conn_received(e->w.hub, e->conn, close, sizeof close);
}
static void end_by_protocol(ended *e) {
    uint8_t unmasked[] = {0x81, 0x01, 'x'};
    wshub_conn_received(e->w.hub, e->conn, unmasked, sizeof unmasked);
}
static void end_by_another_message(ended *e) {
    wshub_msg m = msg("m", "1"); /* for which there would be room */
    EXPECT_INT(wshub_client_send(e->w.hub, e->client, &m), WSHUB_ERR_STALE);
}
static void end_by_a_look(ended *e) { /* it is gone when its queue is asked for */
    EXPECT_INT(wshub_client_queued_bytes(e->w.hub, e->client), 0);
}
static void end_by_shutdown(ended *e) {
    EXPECT_INT(wshub_shutdown(e->w.hub), WSHUB_OK);
}

static void end_start(ended *e, bool accepted) {
    wshub_msg m = msg("m", json_string(200));
    char id[37];

    last_gone.times = 0;
    world_start(
        &e->w,
        DESC(.on_authenticate = accepted ? accept_all : keep_auth, .on_disconnected = keep_gone),
        FAKE(0));
    if (accepted) {
        e->conn = world_client(&e->w, NULL, id);
        e->client = world_handle(&e->w, id);
    } else {
        e->conn = wshub_io_fake_connect(e->w.net, "/ws");
        wshub_io_fake_text(e->w.net, e->conn, AUTH);
        e->ask = kept_asks[(kept_asks_count - 1) % 8];
        e->client = wshub_conn_client(e->w.hub, e->conn);
    }
    EXPECT_INT(wshub_session_limit(e->w.hub, wshub_client_session(e->w.hub, e->client), 300, true),
               WSHUB_OK);
    EXPECT_INT(wshub_client_join(e->w.hub, e->client, S("r")), WSHUB_OK);
    wshub_io_fake_run(e->w.net);
    wshub_io_fake_window(e->w.net, e->conn, 0);
    EXPECT_INT(wshub_room_send_here(e->w.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(e->w.net);
    EXPECT_INT(wshub_room_send_here(e->w.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    EXPECT(e->w.hub->gathered);
}

/* It ends once, by what came first. */
static void end_seen(ended *e) {
    wshub_io_fake_run(e->w.net);
    EXPECT(wshub_self_check(e->w.hub) == NULL);
    EXPECT(!wshub_io_fake_is_open(e->w.net, e->conn));
    EXPECT_INT(last_gone.times, 1);
    EXPECT_INT(last_gone.cause, WSHUB_BY_BACKPRESSURE);
    EXPECT_INT(stats(&e->w).dropped_pressure, 1);
    EXPECT_OP(stats(&e->w).messages_out, <=, 2); /* `connected`, and what was queued */
    world_stop(&e->w);
}

TEST(whom_a_run_ends_that_an_end_gives_out_ends_once) { /* SEND-6, BYE-1 */
    static void (*const ways[])(ended * e) = {
        end_by_call,     end_of_client,   end_of_stream,          end_by_half_close, end_by_close,
        end_by_protocol, end_by_shutdown, end_by_another_message, end_by_a_look};
    size_t i;
    for (i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        ended e;
        end_start(&e, true);
        ways[i](&e);
        end_seen(&e);
    }
}

TEST(whom_a_run_ends_before_it_is_accepted_is_not_accepted) { /* SEND-2, SEND-6, AUTH-7 */
    ended e;
    end_start(&e, false);
    EXPECT_INT(wshub_auth_accept(e.w.hub, e.ask, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(stats(&e.w).auth_accepted, 0);
    end_seen(&e);
}

TEST(want_of_memory_in_a_run_loses_that_message_alone) {
    static char big[80001]; /* a segment of its own each */
    world w;
    wshub_conn a;
    wshub_msg m;
    wshub_io_fake_frame f;
    int i;
    memset(big, '1', sizeof big - 1);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    a = world_client(&w, NULL, NULL);
    send_one(&w, "1");
    send_one(&w, "2");
    m = msg("m", big);
    for (i = 0; i < 2; i++) {
        w.fail_at = i ? 0 : 1;
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0),
                   i ? WSHUB_OK : WSHUB_ERR_NOMEM);
        w.fail_at = 0;
    }
    send_one(&w, "3");
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":2}");
    EXPECT(wshub_io_fake_next(w.net, a, &f) && f.payload.len > 80000);
    EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":3}");
    EXPECT_SILENCE(&w, a);
    world_stop(&w);
}

/* a message that is published, and that nobody here has a use for */
TEST(what_was_written_between_breaks_a_run_in_two) {
    world w;
    wshub_bus_local *local;
    wshub_bus bus;
    wshub_conn a;
    wshub_dest to = {0};
    wshub_msg m = msg("m", "99");
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = &bus), FAKE(0));
    a = world_client(&w, NULL, NULL);
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_ROOM;
    to.name = S("nobody");
    send_one(&w, "1");
    send_one(&w, "2");
    send_one(&w, "3");
    EXPECT_INT(wshub_send(w.hub, &to, &m), WSHUB_OK);
    send_one(&w, "4");
    EXPECT_INT(w.hub->run.plain.messages, 1);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":2}");
    EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":3}");
    EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":4}");
    EXPECT_SILENCE(&w, a);
    world_stop(&w);
    wshub_bus_local_destroy(local);
}

static void refuse_clear(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    (void)hs;
    (void)user;
    EXPECT_INT(wshub_handshake_accept(hub, ask, S("key"), S("salt")), WSHUB_OK);
}
TEST(where_each_receiver_is_looked_at_there_are_no_runs) { /* AUTH-6, ENC-1, SEND-6 */
    int k, i;
    for (k = 0; k < 3; k++) {
        world w;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_handshake = refuse_clear,
                         .require_encryption = k == 1, .close_on_backpressure = k == 2),
                    FAKE(0));
        (void)world_client(&w, NULL, NULL);
        for (i = 0; i < 5; i++) send_one(&w, "1");
        EXPECT((w.hub->run.plain.messages > 0) == (k == 0));
        world_stop(&w);
    }
}
