/* The fake io as its manual shows it: the example at the top of wshub_io_fake.h, and what a peer
 * does by itself. What every io owes its hub is in test_io_contract.c. */
#include "hubtest.h"

static world w;

static void start(wshub_io_fake_desc fake) {
    world_start(&w, (wshub_desc){.on_authenticate = accept_all}, fake);
}
static wshub_conn enter(void) {
    wshub_conn c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_frame m;
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT(wshub_io_fake_next(w.net, c, &m));
    return c;
}

/* LIVE-1, as in the manual. */
TEST(a_quiet_page_is_told_4002) {
    wshub_io_fake_frame m;
    wshub_conn c;

    start(FAKE(0));
    c = enter();
    wshub_io_fake_pongs(w.net, c, true);
    wshub_io_fake_advance(w.net, 90001 + 30000);
    EXPECT(wshub_io_fake_next(w.net, c, &m));
    EXPECT_INT(m.opcode, 8);
    EXPECT_INT(m.code, 4002);
    world_stop(&w);
}

/* LIVE-2: who answers nothing is dropped, and its last words are a ping. */
TEST(who_answers_nothing_is_dropped) {
    wshub_io_fake_frame m;
    wshub_conn c;

    start(FAKE(0));
    c = enter();
    wshub_io_fake_advance(w.net, 60001);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT(wshub_io_fake_next(w.net, c, &m));
    EXPECT_INT(m.opcode, 9);
    EXPECT(!wshub_io_fake_next(w.net, c, &m));
    world_stop(&w);
}

/* Between messages that nobody has taken yet, with everything cut, late and held. */
TEST(pings_are_answered_between_messages) {
    static const wshub_io_fake_desc ways[] = {
        {0}, {.cut_bytes = 1}, {.take_bytes = 1}, {.completion = true, .take_bytes = 3}};
    wshub_io_fake_frame m;
    size_t way;
    int i;

    for (way = 0; way < sizeof ways / sizeof *ways; way++) {
        wshub_conn c;
        start(ways[way]);
        c = enter();
        wshub_io_fake_pongs(w.net, c, true);
        for (i = 0; i < 10; i++) {
            wshub_msg said = msg("said", "1");
            wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}");
            EXPECT_INT(wshub_all_send(w.hub, &said, NULL, 0), WSHUB_OK);
            wshub_io_fake_run(w.net);
            wshub_io_fake_advance(w.net, 45000);
        }

        EXPECT(wshub_io_fake_is_open(w.net, c));
        for (i = 0; wshub_io_fake_next(w.net, c, &m); i++) EXPECT_INT(m.opcode, 1);
        EXPECT_INT(i, 10);
        world_stop(&w);
    }
}

/* From the moment on that it is told to, and no longer than that. */
TEST(a_ping_that_lies_there_is_answered_later) {
    wshub_io_fake_frame m;
    wshub_conn c;

    start(FAKE(0));
    c = enter();
    wshub_io_fake_advance(w.net, 31000);
    wshub_io_fake_pongs(w.net, c, true);
    EXPECT(!wshub_io_fake_next(w.net, c, &m));
    wshub_io_fake_advance(w.net, 55000);
    EXPECT(wshub_io_fake_is_open(w.net, c));

    wshub_io_fake_pongs(w.net, c, false);
    wshub_io_fake_advance(w.net, 60001);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}
