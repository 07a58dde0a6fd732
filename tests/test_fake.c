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

/* ---- TLS that begins on a guest's stream ---- */

typedef struct begins {
    wshub_io_fake *net;
    const wshub_io *io;
    int opened, closed;
    size_t got_len;
    bool pauses; /* before it has TLS begin */
} begins;
static void begins_opened(void *ctx, wshub_conn c) {
    (void)c;
    ((begins *)ctx)->opened++;
}
static void begins_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    begins *b = (begins *)ctx;
    wshub_dial dial = {.server_name = "h"};
    (void)bytes;
    b->got_len += n;
    if (b->opened > 1) return;
    if (b->pauses) b->io->pause(b->io->ctx, c, true);
    EXPECT_INT(b->io->secure(b->io->ctx, c, &dial, NULL, 0), WSHUB_OK);
}
static void begins_drained(void *ctx, wshub_conn c) {
    (void)ctx;
    (void)c;
}
static void begins_closed(void *ctx, wshub_conn c) {
    (void)c;
    ((begins *)ctx)->closed++;
}
static uint64_t begins_settle(void *ctx) {
    (void)ctx;
    return WSHUB_NEVER;
}
static wshub_conn begins_start(begins *b) {
    wshub_io_owner o = {.ctx = b,
                        .opened = begins_opened,
                        .received = begins_received,
                        .drained = begins_drained,
                        .closed = begins_closed,
                        .settle = begins_settle};
    wshub_conn c = {0};
    memset(b, 0, sizeof *b);
    EXPECT_INT(wshub_io_fake_create(NULL, &b->net), WSHUB_OK);
    b->io = wshub_io_fake_io(b->net);
    EXPECT_INT(b->io->guest(b->io->ctx, &o, true), WSHUB_OK);
    EXPECT_INT(b->io->connect(b->io->ctx, b, &(wshub_dial){.address = "p:1"}, &c), WSHUB_OK);
    wshub_io_fake_answer(b->net, c, true);
    EXPECT_INT(b->opened, 1);
    return c;
}
static void begins_stop(begins *b) {
    wshub_io_owner o = {.ctx = b};
    EXPECT_INT(b->io->guest(b->io->ctx, &o, false), WSHUB_OK);
    wshub_io_fake_destroy(b->net);
}

/* A pause of before goes on behind it, and one that is ordered or ended meanwhile counts. */
TEST(a_pause_goes_on_behind_tls) {
    int before, meanwhile;
    for (before = 0; before < 2; before++) {
        for (meanwhile = 0; meanwhile < 3; meanwhile++) { /* nothing, on, off */
            begins b;
            wshub_conn c = begins_start(&b);
            bool paused = meanwhile ? meanwhile == 1 : before;
            b.pauses = before;
            wshub_io_fake_input(b.net, c, "200", 3);
            if (meanwhile) b.io->pause(b.io->ctx, c, paused);
            wshub_io_fake_answer(b.net, c, true);
            EXPECT_INT(b.opened, 2);
            wshub_io_fake_input(b.net, c, "hello", 5);
            EXPECT_INT(b.got_len, paused ? 3 : 8);
            b.io->pause(b.io->ctx, c, false);
            wshub_io_fake_run(b.net);
            EXPECT_INT(b.got_len, 8);
            begins_stop(&b);
        }
    }
}
/* Nobody answers for a peer that had gone by then. */
TEST(a_peer_that_has_gone_begins_no_tls) {
    begins b;
    wshub_conn c = begins_start(&b), none;
    wshub_io_fake_stall(b.net, true);
    wshub_io_fake_input(b.net, c, "200", 3);
    wshub_io_fake_end(b.net, c);
    wshub_io_fake_stall(b.net, false);
    EXPECT_INT(b.got_len, 3);
    EXPECT_INT(b.closed, 1);
    EXPECT(!wshub_io_fake_dialled(b.net, &none, NULL));
    begins_stop(&b);
}
