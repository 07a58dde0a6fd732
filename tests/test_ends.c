/* Ends are states: every way to end a stream, with every way to take what is owed, on every
 * form of io; who is told of it, when, and with which code (LIVE-3, BYE-1, BYE-2; RFC 6455 7). */
#include "hubtest.h"
#include "pages.h"

typedef struct ending {
    const char *name;
    bool ws, ours; /* a WebSocket; its Close is ours, and the peer answers it */
    void (*begin)(world *w, wshub_conn c, const char *id);
    uint16_t code; /* of the Close that must come last; 0: none */
} ending;
static void http_close(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                        50);
}
static void http_10(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.0\r\n\r\n", 22);
}
static void http_bye(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(
        w->net, c, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\nGET /page HTTP/1.1\r\nHost: h\r\n\r\n", 61);
}
static void http_half(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.1\r\nHost: h\r\n\r\n", 31);
    wshub_io_fake_half_close(w->net, c);
}
static void http_half_late(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n", 31);
    wshub_io_fake_half_close(w->net, c);
    wshub_io_fake_advance(w->net, 5000); /* longer than the idle and the close timeout */
    EXPECT(wshub_io_fake_is_open(w->net, c));
    answer_late(w, PAGE);
}

/* the page's request waits behind one that is answered later */
static void http_half_behind_late(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(
        w->net, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\nGET /page HTTP/1.1\r\nHost: h\r\n\r\n",
        62);
    wshub_io_fake_half_close(w->net, c);
    wshub_io_fake_advance(w->net, 5000);
    answer_late(w, 0);
}

/* a request that is refused behind one that is owed */
static void http_bad(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.1\r\nHost: h\r\n\r\nBAD\r\n\r\n", 38);
}

/* and one whose head never gets whole */
static void http_half_head(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.1\r\nHost: h\r\n\r\nGET / HT", 39);
}
static void http_shutdown(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.1\r\nHost: h\r\n\r\n", 31);
    EXPECT_INT(wshub_shutdown(w->hub), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static void owe_messages(world *w, const char *id) {
    char data[1001];
    wshub_msg m = msg("m", "0");
    int i;
    memset(data, 'd', sizeof data);
    data[0] = data[999] = '"';
    data[1000] = 0;
    m.data = wshub_str_z(data);
    for (i = 0; i < MESSAGES; i++)
        EXPECT_INT(wshub_client_send(w->hub, world_handle(w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static void ws_ours(world *w, wshub_conn c, const char *id) {
    (void)c;
    EXPECT_INT(wshub_client_close(w->hub, world_handle(w, id), 4321, wshub_str_z("done")),
               WSHUB_OK);
    wshub_io_fake_run(w->net);
}

/* with an inbound question open, and more behind it */
static void ws_ours_asked(world *w, wshub_conn c, const char *id) {
    EXPECT_INT(wshub_client_encrypt(w->hub, world_handle(w, id)), WSHUB_OK);
    wshub_io_fake_text(w->net, c, "{\"event\":\"x\"}");
    wshub_io_fake_text(w->net, c, "{\"event\":\"y\"}");
    ws_ours(w, c, id);
}
static void ws_theirs(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_send_close(w->net, c, 1000, "bye");
}
static void ws_half(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_half_close(w->net, c);
}
static void ws_wrong(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "\xFF\xFF\xFF\xFF", 4);
}
static void ws_too_big(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "\x82\xFF\0\0\0\0\x7F\xFF\xFF\xFF\1\2\3\4", 14);
}
static void ws_shutdown(world *w, wshub_conn c, const char *id) {
    (void)c;
    (void)id;
    EXPECT_INT(wshub_shutdown(w->hub), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static void ws_drain(world *w, wshub_conn c, const char *id) {
    (void)c;
    (void)id;
    EXPECT_INT(wshub_drain(w->hub, 1000, 1012, wshub_str_z("back soon")), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static const ending endings[] = {
    {"Connection: close", false, false, http_close, 0},
    {"HTTP/1.0", false, false, http_10, 0},
    {"an answer that closes", false, false, http_bye, 0},
    {"half-close, answer at once", false, false, http_half, 0},
    {"half-close, answer later", false, false, http_half_late, 0},
    {"half-close, a request behind a late one", false, false, http_half_behind_late, 0},
    {"a bad request behind it", false, false, http_bad, 0},
    {"half a head behind it", false, false, http_half_head, 0},
    {"shutdown, HTTP", false, false, http_shutdown, 0},
    {"our Close", true, true, ws_ours, 4321},
    {"our Close, a question open", true, true, ws_ours_asked, 4321},
    {"their Close", true, false, ws_theirs, 1000},
    {"half-close of a WebSocket", true, false, ws_half, 0},
    {"a broken frame", true, false, ws_wrong, 1002},
    {"a message too big", true, false, ws_too_big, 1009},
    {"shutdown, WebSocket", true, true, ws_shutdown, 1001},
    {"drain", true, true, ws_drain, 1012},
};
#define ENDINGS (sizeof endings / sizeof endings[0])

/* Begins an ending on a stream whose peer reads nothing yet. */
static wshub_conn end_begin(world *w, const ending *e, wshub_io_fake_desc fd) {
    wshub_conn c;
    char id[37] = "";
    late_count = gone_count = 0;
    world_start(w, ends_desc(), fd);
    c = e->ws ? world_client(w, "u", id) : wshub_io_fake_open(w->net);
    wshub_io_fake_run(w->net);
    wshub_io_fake_take(w->net, c, wshub_io_fake_output(w->net, c).len);
    wshub_io_fake_window(w->net, c, 0);
    if (e->ws) owe_messages(w, id);
    e->begin(w, c, id);
    return c;
}

/* Everything that was owed has come, and what comes last. */
static void expect_whole(world *w, wshub_conn c, const ending *e) {
    wshub_io_fake_frame f;
    int n = 0;
    if (!e->ws) {
        wshub_str out = wshub_io_fake_output(w->net, c);
        const char *body = strstr(out.ptr, "Content-Length: 40000\r\n");
        const char *start = body ? strstr(body, "\r\n\r\n") : NULL;
        EXPECT(start && strspn(start + 4, "p") >= PAGE);
        return;
    }
    while (wshub_io_fake_next(w->net, c, &f)) {
        if (f.opcode == 9) continue;
        if (f.opcode == 8) break;
        EXPECT_INT(f.opcode, 1);
        n++;
    }
    EXPECT_INT(n, MESSAGES);
    if (e->code) EXPECT_INT(f.opcode == 8 ? f.code : 0, e->code);
    EXPECT_INT(gone_count, 1);
}
static void slowly(const ending *e, wshub_io_fake_desc fd, size_t step) {
    world w;
    wshub_conn c = end_begin(&w, e, fd);
    int before = test_failures, turns;
    size_t had = SIZE_MAX;
    for (turns = 0; turns < 400 && wshub_io_fake_is_open(w.net, c); turns++) {
        size_t out = wshub_io_fake_output(w.net, c).len;
        if (out == had) break; /* all has come */
        had = out;
        wshub_io_fake_window(w.net, c, step);
        /* progress, though little: longer together than every timeout */
        wshub_io_fake_advance(w.net, WRITE_MS - 10);
    }
    EXPECT_OP(turns, >, 5);
    if (e->ours && wshub_io_fake_is_open(w.net, c)) wshub_io_fake_send_close(w.net, c, e->code, "");
    expect_whole(&w, c, e);
    wshub_io_fake_advance(w.net, 6000); /* a head that never gets whole has its own clock */
    EXPECT(wshub_io_fake_is_gone(w.net, c));
    EXPECT_INT(stats(&w).conns, 0);
    EXPECT_INT(stats(&w).write_timeouts, 0);
    if (test_failures != before)
        (void)printf("  in: %s, %u at a time%s\n", e->name, (unsigned)step,
                     fd.completion ? ", completion" : "");
    world_stop(&w);
}

TEST(what_is_owed_leaves_whichever_way_a_stream_ends) { /* LIVE-3, BYE-2 */
    size_t i;
    for (i = 0; i < ENDINGS; i++) {
        slowly(&endings[i], FAKE(0), 3000);
        slowly(&endings[i], FAKE(.take_bytes = 700), 5000);
        slowly(&endings[i], FAKE(.completion = true, .take_bytes = 900), 4000);
        slowly(&endings[i], FAKE(.no_pause = true), 7000);
        slowly(&endings[i], FAKE(.no_heard = true, .cut_bytes = 1), 6000);
    }
}

/* LIVE-3: by write_timeout_ms, from the last progress on */
TEST(an_end_without_progress_is_bounded) {
    size_t i;
    for (i = 0; i < ENDINGS; i++) {
        world w;
        wshub_conn c = end_begin(&w, &endings[i], FAKE(0));
        int before = test_failures;
        wshub_io_fake_advance(w.net, WRITE_MS / 2);
        wshub_io_fake_window(w.net, c, 100);
        wshub_io_fake_run(w.net);
        wshub_io_fake_advance(w.net, WRITE_MS - 10);
        EXPECT(!wshub_io_fake_is_gone(w.net, c) && wshub_io_fake_is_open(w.net, c));
        wshub_io_fake_advance(w.net, 20);
        EXPECT(wshub_io_fake_is_gone(w.net, c));
        EXPECT_INT(stats(&w).conns, 0);
        if (test_failures != before) (void)printf("  in: %s\n", endings[i].name);
        world_stop(&w);
    }
}

/* LIVE-3: close_timeout_ms, from when ours has left */
TEST(a_peer_that_never_ends_is_waited_for_just_so_long) {
    size_t i;
    for (i = 0; i < ENDINGS; i++) {
        world w;
        wshub_conn c = end_begin(&w, &endings[i], FAKE(0));
        int before = test_failures;
        uint64_t t;
        wshub_io_fake_silent(w.net, c, true);
        wshub_io_fake_advance(w.net, WRITE_MS - 100);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        wshub_io_fake_run(w.net);
        t = wshub_io_fake_now(w.net);
        wshub_io_fake_advance(w.net, CLOSE_MS - 1);
        if (!strstr(endings[i].name, "half-close") && endings[i].begin != http_half_head)
            EXPECT(!wshub_io_fake_is_gone(w.net, c));
        wshub_io_fake_advance(w.net, 1 + (endings[i].ours ? CLOSE_MS : 0));
        /* its silence came first */
        if (endings[i].begin == http_half_head) wshub_io_fake_advance(w.net, 900);
        EXPECT(wshub_io_fake_is_gone(w.net, c));
        EXPECT_OP(wshub_io_fake_now(w.net) - t, <=, 5000);
        if (test_failures != before) (void)printf("  in: %s\n", endings[i].name);
        world_stop(&w);
    }
}

/* nothing it says counts, and nothing of it is kept */
TEST(after_an_end_has_begun_the_peer_is_still_read) {
    size_t i;
    for (i = 0; i < ENDINGS; i++) {
        world w;
        static char noise[100000];
        wshub_conn c = end_begin(&w, &endings[i], FAKE(0));
        uint64_t requests = stats(&w).http_requests;
        size_t held = w.bytes;
        int before = test_failures;
        memcpy(noise, "GET /page HTTP/1.1\r\nHost: h\r\n\r\n", 31);
        if (endings[i].begin == http_half_head) noise[0] = 0; /* goes on with its head, wrongly */
        wshub_io_fake_input(w.net, c, noise, sizeof noise);
        wshub_io_fake_input(w.net, c, noise, sizeof noise);
        EXPECT_INT(stats(&w).http_requests, requests);
        EXPECT_INT(stats(&w).held_bytes, 0);
        EXPECT_OP(w.bytes, <=, held + 1000);
        if (test_failures != before) (void)printf("  in: %s\n", endings[i].name);
        world_stop(&w);
    }
}

static wshub_conn ended_conn;
static void ends_again(wshub *hub, const wshub_gone *g, void *user) {
    (void)g, (void)user;
    wshub_conn_ended(hub, ended_conn);
    wshub_conn_drained(hub, ended_conn);
}

/* wshub_conn_ended(): told twice, of a stream that is no more, while the hub is destroyed */
TEST(an_end_is_told_once_and_of_whom_there_is) {
    world w;
    wshub_conn c, none = {0};
    late_count = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_request = serve_pages,
                     .on_disconnected = ends_again),
                FAKE(0));
    wshub_conn_ended(w.hub, none);
    none.id = UINT64_MAX;
    wshub_conn_ended(w.hub, none);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n", 31);
    wshub_io_fake_half_close(w.net, c);
    wshub_io_fake_run(w.net);
    wshub_conn_ended(w.hub, c);
    EXPECT_INT(late_count, 1);
    answer_late(&w, 10); /* it is owed the answer, and has it once */
    EXPECT_INT(count_answers(wshub_io_fake_output(w.net, c).ptr), 1);
    ended_conn = world_client(&w, "u", NULL);
    world_stop(&w);
}

TEST(a_peer_that_does_not_answer_our_close_is_dropped) {
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    char id[37];
    world_start(&w, DESC(.on_authenticate = accept_all, .close_timeout_ms = 500), FAKE(0));
    c = world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 4321, wshub_str_z("bye")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.code == 4321 && wshub_str_eq_z(f.reason, "bye"));
    EXPECT_INT(stats(&w).clients, 0);
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}"); /* read on and not heard */
    wshub_io_fake_advance(w.net, 499);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

TEST(streams_that_end_with_something_to_send) { /* their marks go with them */
    world w;
    wshub_conn c[5];
    char ids[5][37];
    int i;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 5; i++) c[i] = world_client(&w, "u", ids[i]);
    wshub_io_fake_hold(w.net, true);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_conn_closed(w.hub, c[1]); /* in the same turn */
    wshub_conn_closed(w.hub, c[3]);
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c[0], "{\"event\":\"e\",\"data\":1}");
    EXPECT_TEXT(&w, c[4], "{\"event\":\"e\",\"data\":1}");
    EXPECT_SILENCE(&w, c[1]);
    EXPECT_INT(stats(&w).clients, 3);
    EXPECT_INT(stats(&w).conns_closed, 2);
    world_stop(&w);
}

static wshub_err hears_nothing(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    EXPECT(!"nothing is heard after our Close");
    return WSHUB_OK;
}

TEST(after_our_close_the_peer_may_say_what_it_likes) { /* RFC 6455 7.1.2: until its own Close */
    world w;
    wshub_conn c;
    char id[37];
    wshub_io_fake_frame f;
    world_start(
        &w,
        DESC(.on_authenticate = accept_all, .on_message = hears_nothing, .payload_bytes_max = 50),
        FAKE(0));
    c = world_client(&w, "u", id);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_text(w.net, c, "{\"event\":\"one\"}");
    wshub_io_fake_text(w.net, c, "{\"event\":\"two\"}");
    wshub_io_fake_send(w.net, c, 1, false, "\xFF", 1); /* not even UTF-8 */
    wshub_io_fake_send(w.net, c, 0, true, "x", 1);
    wshub_io_fake_text(w.net, c, "a message over payload_bytes_max, which is fifty here");
    wshub_io_fake_send(w.net, c, 9, true, "p", 1);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).protocol_errors, 0);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 8 && !wshub_io_fake_next(w.net, c, &f));
    wshub_io_fake_send_close(
        w.net, c, 1000,
        "a reason that is longer than fifty bytes, which is all that a message may be here");
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).protocol_errors, 0);
    /* payload_bytes_max is for messages: a Close may have 125 bytes */
    c = world_client(&w, "u", NULL);
    wshub_io_fake_send_close(
        w.net, c, 1000,
        "a reason that is longer than fifty bytes, which is all that a message may be here");
    EXPECT_CLOSE(&w, c, 1000);
    world_stop(&w);
}

TEST(ways_to_go_and_their_codes) { /* BYE-1; RFC 6455 7.1.5, 7.4.1 */
    static char long_text[5000];
    int how;
    for (how = 0; how < 7; how++) {
        world w;
        wshub_conn c;
        world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = keep_gone), FAKE(0));
        last_gone.times = 0;
        c = world_client(&w, "u", NULL);
        if (how == 0) { /* a Close without a code */
            wshub_io_fake_send(w.net, c, 8, true, "", 0);
            EXPECT_CLOSE(&w, c, 0);
        } else if (how == 1) {
            wshub_io_fake_send_close(w.net, c, 3333, "bye");
            EXPECT_CLOSE(&w, c, 3333);
        } else if (how == 2) { /* the stream ends */
            wshub_io_fake_end(w.net, c);
        } else if (how == 3) { /* the io drops it */
            wshub_conn_closed(w.hub, c);
            wshub_io_fake_run(w.net);
            EXPECT_INT(last_gone.times, 1); /* not twice, should the io say it again */
            wshub_conn_closed(w.hub, c);
        } else if (how == 4) { /* half a Ping, and no memory to keep it */
            static const uint8_t half[] = {0x89, 0x85, 1, 2, 3, 4, 'h', 'e'};
            uint8_t bytes[sizeof half];
            memcpy(bytes, half, sizeof half);
            fill_log(&w);
            starve(&w);
            wshub_io_fake_input(w.net, c, bytes, sizeof bytes);
            mend(&w);
            wshub_io_fake_run(w.net);
        } else { /* a message in two fragments, and no memory for the first or the second of them */
            memset(long_text, 'x', sizeof long_text);
            if (how == 6) wshub_io_fake_send(w.net, c, 1, false, "\"", 1);
            w.fail_all = true;
            wshub_io_fake_send(w.net, c, how == 6 ? 0 : 1, false, long_text, sizeof long_text);
            w.fail_all = false;
            wshub_io_fake_run(w.net);
            EXPECT_CLOSE(&w, c, 1011);
            EXPECT_INT(stats(&w).protocol_errors, 0); /* it is not his fault */
        }
        EXPECT_INT(last_gone.times, 1);
        EXPECT_INT(last_gone.cause, how >= 4 ? WSHUB_BY_MEMORY : WSHUB_BY_PEER);
        EXPECT_INT(last_gone.code, how == 0 ? 1005 : how == 1 ? 3333 : how > 4 ? 1011 : 1006);
        world_stop(&w);
    }
}
