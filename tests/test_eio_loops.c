/* Engines of one group, each on a hub of its own: every request comes to the wrong one of two and
 * goes to the other with its stream (CONN-6; later/socketio.md 9.2), in one thread. Over sockets
 * and threads: tests/test_loops.c. */
#include "eio_site.h"

typedef struct pair {
    wshub_eio_group *group;
    eio_site own, wrong; /* who has the session, and who is asked */
} pair;

static void pair_start(pair *p) {
    EXPECT_INT(wshub_eio_group_create(&p->group), WSHUB_OK);
    eio_start(&p->own, EIO(.group = p->group), DESC(.no_dialect = true), FAKE(.seed = 3));
    eio_start(&p->wrong, EIO(.group = p->group), DESC(.no_dialect = true), FAKE(.seed = 4));
    (void)eio_open(&p->own);
}
static void site_end(eio_site *s) { /* the hub and its engine; the fake stays */
    wshub *hub = s->w.hub;
    s->w.hub = NULL;
    wshub_destroy(hub);
    wshub_eio_destroy(s->eio);
    s->eio = NULL;
}
static void pair_stop(pair *p) {
    if (p->own.eio) site_end(&p->own);
    if (p->wrong.eio) site_end(&p->wrong);
    wshub_io_fake_destroy(p->own.w.net);
    wshub_io_fake_destroy(p->wrong.w.net);
    EXPECT_INT(p->own.w.bytes, 0);
    EXPECT_INT(p->wrong.w.bytes, 0);
    wshub_eio_group_destroy(p->group);
}
/* A stream at the wrong one that says this, which holds {sid}, in two pieces; it is then where it
 * has gone: here, {0}: it has not. */
static wshub_conn asks(pair *p, const char *text, size_t cut) {
    wshub_conn c = wshub_io_fake_open(p->wrong.w.net), there = {0};
    wshub_io_fake *fake = NULL;
    char all[4000];
    const char *at;
    size_t n = 0;
    while ((at = strstr(text, "{sid}")) != NULL) {
        n +=
            (size_t)snprintf(all + n, sizeof all - n, "%.*s%s", (int)(at - text), text, p->own.sid);
        text = at + 5;
    }
    n += (size_t)snprintf(all + n, sizeof all - n, "%s", text);
    if (cut > n) cut = n;
    wshub_io_fake_input(p->wrong.w.net, c, all, cut);
    wshub_io_fake_run(p->own.w.net);
    if (wshub_io_fake_moved(p->wrong.w.net, c, &fake, &there))
        wshub_io_fake_input(fake, there, all + cut, n - cut);
    else
        wshub_io_fake_input(p->wrong.w.net, c, all + cut, n - cut);
    wshub_io_fake_run(p->own.w.net);
    if (!wshub_io_fake_moved(p->wrong.w.net, c, &fake, &there)) return c;
    EXPECT(fake == p->own.w.net);
    return there;
}
#define POLL_AT "GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST_AT                                                                                    \
    "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: h\r\nContent-Length: "   \
    "6\r\n\r\n4hello"
#define WS_AT                                                                                      \
    "GET /socket.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nHost: h\r\n" EIO_UPGRADE "\r" \
    "\n"
#define UNKNOWN "{\"code\":1,\"message\":\"Session ID unknown\"}"

TEST(polls_and_posts_at_the_wrong_loop_are_served_by_the_right_one_for_every_cut) { /* CONN-6 */
    size_t cut;
    for (cut = 0; cut < sizeof POST_AT POLL_AT + 30; cut++) {
        pair p;
        wshub_eio_stats stats;
        wshub_conn c;
        pair_start(&p);
        c = asks(&p, POST_AT POLL_AT, cut); /* the second one right behind the body */
        EXPECT_ANSWER(&p.own, c, 200, "ok");
        EXPECT_ANSWER(&p.own, c, 200, "4hello");
        wshub_eio_stats_get(p.wrong.eio, &stats);
        EXPECT_INT(stats.elsewhere, 1);
        EXPECT_INT(stats.refused, 0);
        wshub_eio_stats_get(p.own.eio, &stats);
        EXPECT_INT(stats.elsewhere, 0);
        pair_stop(&p);
    }
}

TEST(a_poll_at_the_wrong_loop_is_held_by_the_right_one) { /* CONN-6 */
    pair p;
    wshub_conn c;
    pair_start(&p);
    c = asks(&p, POLL_AT, 0);
    EXPECT_HELD(&p.own, c);
    EXPECT_INT(wshub_eio_send(p.own.eio, p.own.last, "x", 1, true), WSHUB_OK);
    wshub_io_fake_run(p.own.w.net);
    EXPECT_ANSWER(&p.own, c, 200, "4x");
    pair_stop(&p);
}

TEST(an_upgrade_at_the_wrong_loop_moves_the_session_where_it_is) { /* CONN-6 */
    pair p;
    wshub_conn c;
    eio_answer a;
    wshub_io_fake_frame f;
    pair_start(&p);
    c = asks(&p, WS_AT, 40);
    a = eio_look(&p.own, c);
    EXPECT_INT(a.status, 101);
    eio_take(&p.own, c, &a);
    wshub_io_fake_text(p.own.w.net, c, "2probe");
    EXPECT(wshub_io_fake_next(p.own.w.net, c, &f));
    EXPECT(f.payload.len == 6 && memcmp(f.payload.ptr, "3probe", 6) == 0);
    wshub_io_fake_text(p.own.w.net, c, "5");
    EXPECT_INT(wshub_eio_transport_of(p.own.eio, p.own.last), WSHUB_EIO_WEBSOCKET);
    wshub_io_fake_text(p.own.w.net, c, "4hi");
    EXPECT(wshub_io_fake_next(p.own.w.net, c, &f));
    EXPECT(f.payload.len == 3 && memcmp(f.payload.ptr, "4hi", 3) == 0);
    pair_stop(&p);
}

/* An io that does not hand over. */
static wshub_err nobody(void *ctx, wshub_conn conn, const wshub_io *to, const wshub_span *spans,
                        size_t count) {
    (void)ctx, (void)conn, (void)to, (void)spans, (void)count;
    return WSHUB_ERR_NOMEM;
}

TEST(a_session_of_a_loop_that_is_gone_or_takes_nothing_is_unknown) { /* CONN-6 */
    int i;
    for (i = 0; i < 4; i++) {
        pair p;
        wshub_conn c;
        pair_start(&p);
        if (i == 0) site_end(&p.own);
        if (i == 1) p.wrong.w.hub->io.hand_over = nobody;
        if (i == 2) p.wrong.w.hub->io.hand_over = p.own.eio->io.hand_over = nobody;
        if (i == 3) p.own.sid[15] = p.own.sid[15] == 'A' ? 'B' : 'A'; /* it goes there in vain */
        c = asks(&p, POST_AT, i == 3 ? 20 : SIZE_MAX);
        EXPECT_ANSWER(i == 3 ? &p.own : &p.wrong, c, 400, UNKNOWN);
        c = asks(&p, WS_AT, 20); /* the client of a WebSocket reads no JSON */
        EXPECT_ANSWER(i == 3 ? &p.own : &p.wrong, c, 400, "Session ID unknown");
        pair_stop(&p);
    }
}

TEST(a_hub_that_ends_before_its_engine_takes_nothing) { /* CONN-6 */
    pair p;
    wshub_conn c;
    wshub *hub;
    pair_start(&p);
    hub = p.own.w.hub;
    p.own.w.hub = NULL;
    wshub_destroy(hub); /* its engine is in the group still */
    c = asks(&p, POLL_AT, 0);
    EXPECT_ANSWER(&p.wrong, c, 400, UNKNOWN);
    wshub_eio_destroy(p.own.eio);
    p.own.eio = NULL;
    pair_stop(&p);
}

TEST(a_group_has_room_for_so_many_engines_and_gives_numbers_again) { /* EIO limits */
    wshub_eio_group *group;
    static eio_site sites[2];
    wshub_eio *one = NULL;
    wshub_eio_desc d = EIO(.sessions_max = (1u << 24) + 1);
    unsigned i;
    EXPECT_INT(wshub_eio_group_create(NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_group_create(&group), WSHUB_OK);
    eio_start(&sites[0], EIO(.group = group), DESC(.no_dialect = true), FAKE(.seed = 1));
    for (i = 1; i < WSHUB_EIO_LOOPS_MAX; i++) group->loops[i] = sites[0].eio;
    world_start(&sites[1].w, DESC(.no_dialect = true), FAKE(.seed = 2));
    EXPECT_INT(wshub_eio_create(sites[1].w.hub, &EIO(.group = group), &one), WSHUB_ERR_LIMIT);
    for (i = 1; i < WSHUB_EIO_LOOPS_MAX; i++) group->loops[i] = NULL;
    EXPECT(wshub_eio_desc_problem(&d) == NULL);
    d.group = group;
    EXPECT(wshub_eio_desc_problem(&d) != NULL);
    world_stop(&sites[1].w);
    eio_stop(&sites[0]);
    eio_start(&sites[0], EIO(.group = group), DESC(.no_dialect = true), FAKE(.seed = 1));
    EXPECT_INT(sites[0].eio->loop, 0);
    EXPECT(group->loops[0] == sites[0].eio);
    eio_stop(&sites[0]);
    wshub_eio_group_destroy(group);
    wshub_eio_group_destroy(NULL);
}
