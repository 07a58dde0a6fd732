/* Ends are states, clocks measure silence or want of progress, what is owed has a limit (SEND-6, LIVE-2, LIVE-3, BYE-1,
 * BYE-2). Each test generates its kind: every way to end a stream, with every way to take what is owed, on every form of
 * io; every deadline, met and missed, on time and behind a stopped process. */
#include "hubtest.h"

enum { WRITE_MS = 1000, CLOSE_MS = 300, PAGE = 40000, MESSAGES = 40 };

static wshub_request late[64]; /* requests that the application has not answered yet */
static int late_count, gone_count;
static wshub_gone gone_last;

static void reply_page(wshub *hub, wshub_request r, size_t bytes, bool close) {
    static char page[300000];
    wshub_reply a;
    memset(&a, 0, sizeof a);
    memset(page, 'p', sizeof page);
    a.status = 200;
    a.content_type = "text/plain";
    a.body = wshub__str(page, bytes);
    a.close = close;
    EXPECT_INT(wshub_http_reply(hub, r, &a), WSHUB_OK);
}

/* /page: at once; /bye: at once, and the end; /late: when answer_late() is called; others: 404. */
static bool on_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    (void)user;
    if (wshub_str_eq_z(h->path, "/page")) reply_page(hub, r, PAGE, false);
    else if (wshub_str_eq_z(h->path, "/small")) reply_page(hub, r, 10, false);
    else if (wshub_str_eq_z(h->path, "/bye")) reply_page(hub, r, PAGE, true);
    else if (wshub_str_eq_z(h->path, "/late")) late[late_count++ % 64] = r;
    else return false;
    return true;
}
static void answer_late(world *w, size_t bytes) {
    int i, n = late_count;
    late_count = 0;
    for (i = 0; i < n; i++) reply_page(w->hub, late[i], bytes, false);
    wshub_io_fake_run(w->net);
}
static void on_gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    (void)user;
    gone_count++;
    gone_last = *g;
}
static void asked_and_silent(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)hub, (void)ask, (void)c, (void)e, (void)user;
}

static wshub_desc ends_desc(void) {
    return DESC(.on_authenticate = accept_all, .on_request = on_request, .on_disconnected = on_gone, .on_transform_in = asked_and_silent,
                .idle_timeout_ms = 900, .write_timeout_ms = WRITE_MS, .close_timeout_ms = CLOSE_MS, .shutdown_timeout_ms = 3600000,
                .http_timeout_ms = 60000, .heartbeat_interval_ms = 200, .heartbeat_timeout_ms = WSHUB_OFF,
                .transform_timeout_ms = WSHUB_OFF, .backpressure_bytes_max = WSHUB_OFF, .no_default_rooms = true);
}

/* ---- every way to end a stream that owes something ---- */

typedef struct ending {
    const char *name;
    bool ws, ours; /* a WebSocket; its Close is ours, and the peer answers it */
    void (*begin)(world *w, wshub_conn c, const char *id);
    uint16_t code; /* of the Close that must come last; 0: none */
} ending;

static void http_close(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 50);
}
static void http_10(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.0\r\n\r\n", 22);
}
static void http_bye(world *w, wshub_conn c, const char *id) {
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\nGET /page HTTP/1.1\r\nHost: h\r\n\r\n", 61);
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
static void http_half_behind_late(world *w, wshub_conn c, const char *id) { /* the page's request waits behind one that is answered later */
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\nGET /page HTTP/1.1\r\nHost: h\r\n\r\n", 62);
    wshub_io_fake_half_close(w->net, c);
    wshub_io_fake_advance(w->net, 5000);
    answer_late(w, 0);
}
static void http_bad(world *w, wshub_conn c, const char *id) { /* a request that is refused behind one that is owed */
    (void)id;
    wshub_io_fake_input(w->net, c, "GET /page HTTP/1.1\r\nHost: h\r\n\r\nBAD\r\n\r\n", 38);
}
static void http_half_head(world *w, wshub_conn c, const char *id) { /* and one whose head never gets whole */
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
    wshub_msg m = msg("m", data);
    int i;
    memset(data, 'd', sizeof data);
    data[0] = data[999] = '"';
    data[1000] = 0;
    m.data = wshub_str_z(data);
    for (i = 0; i < MESSAGES; i++) EXPECT_INT(wshub_client_send(w->hub, world_handle(w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static void ws_ours(world *w, wshub_conn c, const char *id) {
    (void)c;
    EXPECT_INT(wshub_client_close(w->hub, world_handle(w, id), 4321, wshub_str_z("done")), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static void ws_ours_asked(world *w, wshub_conn c, const char *id) { /* with an inbound question open, and more behind it */
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
        wshub_io_fake_advance(w.net, WRITE_MS - 10); /* progress, though little: longer together than every timeout */
    }
    EXPECT(turns > 5);
    if (e->ours && wshub_io_fake_is_open(w.net, c)) wshub_io_fake_send_close(w.net, c, e->code, "");
    expect_whole(&w, c, e);
    wshub_io_fake_advance(w.net, 6000); /* a head that never gets whole has its own clock */
    EXPECT(wshub_io_fake_is_gone(w.net, c));
    EXPECT_INT(stats(&w).conns, 0);
    EXPECT_INT(stats(&w).write_timeouts, 0);
    if (test_failures != before) (void)printf("  in: %s, %u at a time%s\n", e->name, (unsigned)step, fd.completion ? ", completion" : "");
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

TEST(an_end_without_progress_is_bounded) { /* LIVE-3: by write_timeout_ms, from the last progress on */
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

TEST(a_peer_that_never_ends_is_waited_for_just_so_long) { /* LIVE-3: close_timeout_ms, from when ours has left */
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
        if (!strstr(endings[i].name, "half-close") && endings[i].begin != http_half_head) EXPECT(!wshub_io_fake_is_gone(w.net, c));
        wshub_io_fake_advance(w.net, 1 + (endings[i].ours ? CLOSE_MS : 0));
        if (endings[i].begin == http_half_head) wshub_io_fake_advance(w.net, 900); /* its silence came first */
        EXPECT(wshub_io_fake_is_gone(w.net, c));
        EXPECT(wshub_io_fake_now(w.net) - t <= 5000);
        if (test_failures != before) (void)printf("  in: %s\n", endings[i].name);
        world_stop(&w);
    }
}

TEST(after_an_end_has_begun_the_peer_is_still_read) { /* nothing it says counts, and nothing of it is kept */
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
        EXPECT(w.bytes <= held + 1000);
        if (test_failures != before) (void)printf("  in: %s\n", endings[i].name);
        world_stop(&w);
    }
}

/* ---- answers that nobody reads ---- */

static size_t count_answers(const char *out) {
    size_t n = 0;
    const char *p;
    for (p = out; (p = strstr(p, "HTTP/1.1 ")) != NULL; p += 9) n++;
    return n;
}

static void pipeline(const char *one, size_t answer, int requests, wshub_io_fake_desc fd) {
    world w;
    static char burst[4000];
    size_t n = strlen(one), per = sizeof burst / n, k, sent = 0, answered = 0, before;
    int rounds;
    wshub_conn c;
    late_count = 0;
    world_start(&w, DESC(.on_request = on_request, .http_answers_bytes_max = 20000, .payload_bytes_max = 1000, .held_bytes_max = 200000,
                         .idle_timeout_ms = WSHUB_OFF, .write_timeout_ms = WSHUB_OFF), fd);
    c = wshub_io_fake_open(w.net);
    for (k = 0; k < per; k++) memcpy(burst + k * n, one, n);
    wshub_io_fake_window(w.net, c, 0);
    before = w.bytes;
    if (fd.no_pause) requests = (int)(300000 / n); /* more than may be held */
    while (sent < (size_t)requests && wshub_io_fake_is_open(w.net, c)) {
        wshub_io_fake_input(w.net, c, burst, per * n);
        sent += per;
    }
    EXPECT(w.peak - before < 20000 + 2 * answer + 400000 + 200000);
    EXPECT_INT(late_count <= 1, 1);
    if (fd.no_pause) {
        wshub_io_fake_advance(w.net, 5001); /* bounded also where write_timeout_ms is off */
        EXPECT(!wshub_io_fake_is_open(w.net, c)); /* over held_bytes_max: ended, and told */
        EXPECT(stats(&w).held_refused == 1 && stats(&w).protocol_errors == 1);
        world_stop(&w);
        return;
    }
    EXPECT(stats(&w).http_owed >= 1 || late_count == 1);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    for (rounds = 0; answered < sent && rounds < 10000; rounds++) {
        wshub_str out;
        wshub_io_fake_run(w.net);
        if (late_count) answer_late(&w, 10);
        out = wshub_io_fake_output(w.net, c);
        answered += count_answers(out.ptr);
        wshub_io_fake_take(w.net, c, out.len);
    }
    EXPECT_INT(answered, sent); /* nothing is lost, and nobody is answered twice */
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).held_bytes, 0);
    world_stop(&w);
}

TEST(requests_whose_answers_nobody_reads_are_not_taken) { /* SEND-6 */
    static const struct { const char *text; size_t answer; int requests; } kinds[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 2000},      {"GET /small HTTP/1.1\r\nHost: h\r\n\r\n", 200, 2000},
        {"GET /page HTTP/1.1\r\nHost: h\r\n\r\n", PAGE, 100},  {"GET /late HTTP/1.1\r\nHost: h\r\n\r\n", 200, 300},
        {"HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n", 200, 2000}, {"POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nGET / HTT", 200, 2000},
        {"POST /page HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", PAGE, 100},
    };
    size_t i;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests, FAKE(0));
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests, FAKE(.cut_bytes = 977, .take_bytes = 1300));
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests, FAKE(.completion = true));
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests, FAKE(.no_pause = true));
    }
}

/* The limit is reached at every byte of what is owed, a `100 Continue` included: no request is left half read while its own
 * deadline runs (LIVE-3). */
TEST(a_request_that_has_begun_is_read_to_its_end) {
    static const char both[] = "GET /small HTTP/1.1\r\nHost: h\r\n\r\nPOST /small HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n123456789";
    uint32_t limit;
    for (limit = 1; limit < 300; limit++) {
        world w;
        wshub_conn c;
        size_t cut = sizeof both - 1 - limit % 12; /* and the body comes whole, or not yet */
        world_start(&w, DESC(.on_request = on_request, .http_answers_bytes_max = limit, .message_timeout_ms = 300, .head_timeout_ms = 300, .write_timeout_ms = WRITE_MS), FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_window(w.net, c, 0);
        wshub_io_fake_input(w.net, c, both, cut);
        if (cut < sizeof both - 1) wshub_io_fake_input(w.net, c, both + cut, sizeof both - 1 - cut);
        wshub_io_fake_advance(w.net, 350);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        EXPECT_INT(count_answers(wshub_io_fake_output(w.net, c).ptr), 3);
        EXPECT(wshub_io_fake_is_open(w.net, c));
        world_stop(&w);
    }
}

TEST(what_waits_behind_a_late_answer_is_counted_and_not_copied) { /* CONN-3, SEND-6 */
    world w;
    wshub_conn c;
    int i;
    late_count = 0;
    world_start(&w, DESC(.on_request = on_request), FAKE(.no_pause = true));
    c = wshub_io_fake_open(w.net);
    for (i = 0; i < 2000; i++) wshub_io_fake_input(w.net, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n", 31);
    EXPECT_INT(stats(&w).held_bytes, 1999 * 31);
    w.peak = w.bytes;
    for (i = 0; i < 2000; i++) {
        EXPECT_INT(late_count, 1);
        answer_late(&w, 10);
        EXPECT_INT(stats(&w).held_bytes, i < 1999 ? (1998 - i) * 31 : 0);
        if (i % 100 == 50) wshub_io_fake_input(w.net, c, "", 0);
    }
    EXPECT(w.peak < 1999 * 31 * 3); /* what is held stays where it lies */
    EXPECT_INT(stats(&w).http_requests, 2000);
    world_stop(&w);
}

/* ---- order of bytes ---- */

static world *nest_world;
static wshub_conn nest_conn;
static int nest_next, nest_heard, nest_depth;
static void nest_report(int events) { /* frames of the next events, in one report */
    uint8_t bytes[400];
    size_t n = 0;
    while (events--) {
        char text[40];
        int len = snprintf(text, sizeof text, "{\"event\":\"e\",\"data\":%d}", nest_next++);
        bytes[n++] = 0x81;
        bytes[n++] = (uint8_t)(0x80 | len);
        memset(bytes + n, 0, 4);
        memcpy(bytes + n + 4, text, (size_t)len);
        n += 4 + (size_t)len;
    }
    wshub_conn_received(nest_world->hub, nest_conn, bytes, n);
}
static wshub_err nest_heard_one(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    uint64_t n = 0;
    (void)hub, (void)c, (void)user;
    EXPECT(wshub_json_uint(e->data, &n));
    EXPECT_INT(n, nest_heard);
    nest_heard++;
    if (nest_next < 300 && nest_heard % 3 != 0) {
        nest_depth++;
        nest_report(1 + nest_heard % 4);
        nest_depth--;
    }
    return WSHUB_OK;
}
TEST(bytes_reported_inside_callbacks_keep_their_order) { /* SEND-5's brother: what was reported first is heard first */
    world w;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = nest_heard_one), FAKE(0));
    nest_world = &w;
    nest_conn = world_client(&w, "u", NULL);
    nest_next = nest_heard = 0;
    while (nest_next < 300) {
        nest_report(3);
        wshub_io_fake_run(w.net);
    }
    EXPECT_INT(nest_heard, nest_next);
    world_stop(&w);
}

/* ---- clocks ---- */

typedef struct clock_case {
    const char *name;
    void (*prepare)(world *w, wshub_conn *c);
    void (*honest)(world *w, wshub_conn c); /* what the peer does in time */
    uint32_t ms;                            /* when it would be judged, from then */
} clock_case;

static void at_upgraded(world *w, wshub_conn *c) { *c = wshub_io_fake_connect(w->net, "/ws"); }
static void at_client(world *w, wshub_conn *c) { *c = world_client(w, "u", NULL); }
static void at_half_head(world *w, wshub_conn *c) {
    *c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, *c, "GET /small HTTP/1.1\r\nHo", 23);
}
static void at_half_body(world *w, wshub_conn *c) {
    *c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, *c, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab", 55);
}
static void at_half_message(world *w, wshub_conn *c) {
    at_client(w, c);
    wshub_io_fake_send(w->net, *c, 1, false, "{\"event\"", 8);
}
static void at_blocked(world *w, wshub_conn *c) {
    at_client(w, c);
    wshub_io_fake_window(w->net, *c, 0);
    {
        wshub_msg m = msg("m", "1");
        EXPECT_INT(wshub_all_send(w->hub, &m, NULL, 0), WSHUB_OK);
    }
    wshub_io_fake_run(w->net);
}
static void at_closing(world *w, wshub_conn *c) {
    char id[37];
    *c = world_client(w, "u", id);
    EXPECT_INT(wshub_client_close(w->hub, world_handle(w, id), 1000, wshub__str(NULL, 0)), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static void says_authenticate(world *w, wshub_conn c) { wshub_io_fake_text(w->net, c, "{\"event\":\"authenticate\"}"); }
static void says_heartbeat(world *w, wshub_conn c) { wshub_io_fake_text(w->net, c, "{\"event\":\"heartbeat\"}"); }
static void says_pong(world *w, wshub_conn c) { wshub_io_fake_send(w->net, c, 10, true, "", 0); }
static void says_rest_of_head(world *w, wshub_conn c) { wshub_io_fake_input(w->net, c, "st: h\r\n\r\n", 9); }
static void says_rest_of_body(world *w, wshub_conn c) { wshub_io_fake_input(w->net, c, "cd", 2); }
static void says_rest_of_message(world *w, wshub_conn c) { wshub_io_fake_send(w->net, c, 0, true, ":\"m\"}", 5); }
static void says_close(world *w, wshub_conn c) { wshub_io_fake_send_close(w->net, c, 1000, ""); }
static void reads(world *w, wshub_conn c) { wshub_io_fake_window(w->net, c, UINT64_MAX); }

static const clock_case clocks[] = {
    {"authentication", at_upgraded, says_authenticate, 700},
    {"heartbeat", at_client, says_heartbeat, 1000},
    {"silence", at_client, says_pong, 800},
    {"a head", at_half_head, says_rest_of_head, 600},
    {"a body", at_half_body, says_rest_of_body, 500},
    {"a message", at_half_message, says_rest_of_message, 500},
    {"writing", at_blocked, reads, 400},
    {"the peer's Close", at_closing, says_close, 300},
};

static bool is_cut(world *w) { /* has any deadline cut anybody? */
    wshub_stats s = stats(w);
    return s.auth_timeouts + s.heartbeat_timeouts + s.idle_timeouts + s.write_timeouts + s.message_timeouts != 0;
}

/* One deadline, by turns met in time and missed, on time and behind a process that stood still. */
static void judged(const clock_case *k, bool honest, bool stalled, uint32_t stall_ms) {
    world w;
    wshub_conn c = {0};
    bool silence = k->prepare == at_client && k->honest == says_pong, open;
    int before = test_failures;
    uint64_t requests;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_request = on_request, .on_message = NULL, .auth_timeout_ms = 700, .head_timeout_ms = 600,
                         .heartbeat_interval_ms = 100, .heartbeat_timeout_ms = k->honest == says_heartbeat ? 950 : WSHUB_OFF, .idle_timeout_ms = silence ? 800 : WSHUB_OFF,
                         .message_timeout_ms = 500, .write_timeout_ms = 400, .close_timeout_ms = 300), FAKE(0));
    k->prepare(&w, &c);
    wshub_io_fake_advance(w.net, k->ms - 50);
    EXPECT(wshub_io_fake_is_open(w.net, c) && !is_cut(&w));
    requests = stats(&w).http_requests;
    if (stalled) wshub_io_fake_stall(w.net, true);
    if (honest) k->honest(&w, c); /* in time; behind a stall it lies unread */
    wshub_io_fake_advance(w.net, stall_ms);
    if (stalled) wshub_io_fake_stall(w.net, false);
    if (!stalled) wshub_io_fake_run(w.net);
    open = wshub_io_fake_is_open(w.net, c);
    if (k->prepare == at_closing) {
        EXPECT(!open || !honest); /* its end is what it was waited for */
        wshub_io_fake_advance(w.net, 400);
        EXPECT(wshub_io_fake_is_gone(w.net, c));
    } else if (honest) {
        EXPECT(open && !is_cut(&w));
        if (k->prepare == at_half_head || k->prepare == at_half_body) EXPECT_INT(stats(&w).http_requests, requests + 1);
    } else {
        wshub_io_fake_advance(w.net, 200); /* found at the latest one sweep behind */
        EXPECT(!wshub_io_fake_is_open(w.net, c) || is_cut(&w));
    }
    if (test_failures != before)
        (void)printf("  in: %s, %s, %s by %u\n", k->name, honest ? "met" : "missed", stalled ? "stalled" : "on time", (unsigned)stall_ms);
    world_stop(&w);
}

TEST(peers_are_judged_by_what_has_been_heard_of_them) { /* LIVE-3 */
    size_t i;
    for (i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        judged(&clocks[i], true, false, 60);
        judged(&clocks[i], false, false, 60);
        judged(&clocks[i], true, true, 60);
        judged(&clocks[i], false, true, 60);
        judged(&clocks[i], true, true, 300000);
        judged(&clocks[i], false, true, 300000);
    }
}

TEST(a_slow_sender_is_not_a_silent_one) { /* LIVE-3: time is granted for every 4096 bytes of a message or body */
    static char piece[5000];
    int ws, i;
    memset(piece, ' ', sizeof piece);
    for (ws = 0; ws < 2; ws++) {
        world w;
        wshub_conn c;
        world_start(&w, DESC(.on_authenticate = accept_all, .on_request = on_request, .message_timeout_ms = 1000), FAKE(0));
        if (ws) {
            c = world_client(&w, "u", NULL);
            wshub_io_fake_send(w.net, c, 1, false, "{\"event\":\"m\"", 12);
        } else {
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n", 56);
        }
        for (i = 0; i < 10; i++) {
            wshub_io_fake_advance(w.net, 990);
            EXPECT(wshub_io_fake_is_open(w.net, c));
            if (ws) wshub_io_fake_send(w.net, c, 0, false, piece, sizeof piece);
            else wshub_io_fake_input(w.net, c, piece, sizeof piece);
        }
        if (!ws) EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 200"));
        for (i = 0; i < 20 && ws; i++) { /* crumbs are no progress */
            wshub_io_fake_advance(w.net, 100);
            wshub_io_fake_send(w.net, c, 0, false, " ", 1);
        }
        if (ws) EXPECT_INT(stats(&w).message_timeouts, 1);
        world_stop(&w);
    }
}

TEST(a_ping_that_is_due_while_blocked_leaves_when_it_drains) { /* LIVE-2 */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    wshub_msg m = msg("m", "1");
    bool pinged = false;
    world_start(&w, DESC(.on_authenticate = accept_all, .idle_timeout_ms = 1000, .write_timeout_ms = 60000, .heartbeat_timeout_ms = WSHUB_OFF), FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 700); /* half of it is over */
    EXPECT_INT(stats(&w).pings_sent, 0);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_io_fake_run(w.net);
    while (wshub_io_fake_next(w.net, c, &f)) pinged = pinged || f.opcode == 9;
    EXPECT(pinged && stats(&w).pings_sent == 1);
    says_pong(&w, c);
    wshub_io_fake_advance(w.net, 400);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

TEST(a_pong_is_a_heartbeat_if_so_set) { /* LIVE-2 */
    int by_pong, i;
    for (by_pong = 0; by_pong < 2; by_pong++) {
        world w;
        wshub_conn c;
        world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = by_pong, .idle_timeout_ms = 1000, .heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 3000), FAKE(0));
        c = world_client(&w, "u", NULL);
        for (i = 0; i < 100 && wshub_io_fake_is_open(w.net, c); i++) {
            wshub_io_fake_frame f;
            wshub_io_fake_advance(w.net, 100);
            while (wshub_io_fake_next(w.net, c, &f)) {
                if (f.opcode == 9) says_pong(&w, c);
            }
        }
        EXPECT_INT(stats(&w).heartbeat_timeouts, by_pong ? 0 : 1);
        world_stop(&w);
    }
}

TEST(who_is_not_listened_to_is_not_silent) { /* LIVE-3: while an inbound transformer is asked; it has its own clock (ENC-2) */
    world w;
    wshub_conn c;
    wshub_desc d = ends_desc();
    char id[37];
    d.heartbeat_timeout_ms = 500;
    d.transform_timeout_ms = 5000;
    world_start(&w, d, FAKE(0));
    c = world_client(&w, "u", id);
    EXPECT_INT(wshub_client_encrypt(w.hub, world_handle(&w, id)), WSHUB_OK);
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    says_heartbeat(&w, c);
    wshub_io_fake_advance(w.net, 4999);
    EXPECT(wshub_io_fake_is_open(w.net, c) && !is_cut(&w));
    EXPECT_INT(stats(&w).dropped_transform, 0);
    wshub_io_fake_advance(w.net, 1); /* the application does not answer: that message is lost, the client is heard again */
    EXPECT_INT(stats(&w).dropped_transform, 1);
    EXPECT_INT(stats(&w).held_bytes, 0);
    wshub_io_fake_advance(w.net, 400);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 400);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 1);
    world_stop(&w);
}

/* ---- timers ---- */

static int ticks, ticks_turn;
static void tick_again(wshub *hub, void *arg) {
    ticks++;
    ticks_turn++;
    EXPECT_INT(wshub_timer_start(hub, 0, tick_again, arg, NULL), WSHUB_OK);
}
TEST(a_timer_of_nought_runs_once_a_turn) { /* LIVE-3 */
    world w;
    int i, many;
    for (many = 1; many < 4; many++) {
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        wshub_io_fake_hold(w.net, true);
        for (i = 0; i < many; i++) EXPECT_INT(wshub_timer_start(w.hub, 0, tick_again, NULL, NULL), WSHUB_OK);
        for (i = 0; i < 50; i++) {
            uint64_t next;
            ticks_turn = 0;
            next = wshub_settle(w.hub);
            EXPECT_INT(ticks_turn, many);
            EXPECT(next <= wshub_io_fake_now(w.net)); /* the next turn comes at once, and it is one */
        }
        world_stop(&w);
    }
}

static void destroy_it(wshub *hub, void *arg) {
    ((world *)arg)->hub = NULL;
    wshub_destroy(hub);
}
TEST(a_timer_that_ends_the_hub_comes_before_whoever_is_late) { /* nobody is judged any more */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .auth_timeout_ms = 700), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    EXPECT_INT(w.hub->heap.count, 1);
    EXPECT_INT(wshub_timer_start(w.hub, w.hub->heap.items[0].at - w.hub->now, destroy_it, &w, NULL), WSHUB_OK);
    wshub_io_fake_advance(w.net, 60000);
    EXPECT(!w.hub && wshub_io_fake_is_gone(w.net, c));
    world_stop(&w);
}

static world *held_world;
static wshub_conn held_conn;
static bool reports_and_starves(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    static char more[] = "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    (void)h, (void)user;
    late[late_count++ % 64] = r;
    wshub_conn_received(hub, held_conn, (uint8_t *)more, sizeof more - 1);
    held_world->fail_all = true;
    return true;
}
TEST(what_was_reported_inside_a_callback_is_not_kept_for_who_is_dropped) { /* the rest of the report that led there found no memory */
    world w;
    late_count = 0;
    world_start(&w, DESC(.on_request = reports_and_starves), FAKE(0));
    held_world = &w;
    held_conn = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, held_conn, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n", 56);
    w.fail_all = false;
    EXPECT_INT(late_count, 1);
    EXPECT_INT(stats(&w).held_bytes, 0);
    EXPECT(!wshub_io_fake_is_open(w.net, held_conn));
    world_stop(&w);
}

static void asks_late(wshub *hub, wshub_ask ask, const wshub_auth *a, void *user) { (void)hub, (void)ask, (void)a, (void)user; }
TEST(what_is_taken_is_no_heartbeat_of_who_is_not_accepted) { /* AUTH-1: the time for that is what it is, however slowly it reads */
    world w;
    wshub_conn c;
    char data[3000];
    int i;
    wshub_client unaccepted;
    wshub_iter it = {0, 0};
    wshub_msg m;
    memset(data, '1', sizeof data - 1);
    data[sizeof data - 1] = 0;
    m = msg("m", data);
    world_start(&w, DESC(.on_authenticate = asks_late, .heartbeat_by_pong = true, .auth_timeout_ms = 1000), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    EXPECT(wshub_client_each(w.hub, &it, &unaccepted));
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, unaccepted, &m), WSHUB_OK);
    for (i = 0; i < 15; i++) {
        wshub_io_fake_window(w.net, c, 100);
        wshub_io_fake_advance(w.net, 100);
    }
    EXPECT_INT(stats(&w).auth_timeouts, 1);
    world_stop(&w);
}

TEST(who_was_asked_and_is_silent_has_missed_its_heartbeat) { /* LIVE-1, LIVE-2: with pongs for heartbeats, before the idle timeout */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true, .idle_timeout_ms = 10000, .heartbeat_interval_ms = 100, .heartbeat_timeout_ms = 6000), FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_advance(w.net, 5900);
    EXPECT_INT(stats(&w).pings_sent, 1);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 0);
    wshub_io_fake_advance(w.net, 300);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 1);
    EXPECT_INT(stats(&w).idle_timeouts, 0);
    EXPECT(!wshub_io_fake_is_open(w.net, c) || stats(&w).clients == 0);
    world_stop(&w);
}

TEST(room_that_nobody_waited_for_changes_no_deadline) { /* CONN-3: an io may say so of a stream that has said nothing yet */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_request = on_request, .head_timeout_ms = 500), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_advance(w.net, 400);
    wshub_conn_drained(w.hub, c);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 101);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}
TEST(a_pong_is_no_heartbeat_of_who_is_no_client) { /* AUTH-1, LIVE-2: before acceptance, and behind our Close */
    int control;
    for (control = 9; control <= 10; control++) {
        world w;
        wshub_conn c;
        int i;
        char id[37];
        world_start(&w, DESC(.on_authenticate = asks_late, .heartbeat_by_pong = true, .auth_timeout_ms = 1000), FAKE(0));
        c = wshub_io_fake_connect(w.net, "/ws");
        for (i = 0; i < 15; i++) {
            wshub_io_fake_send(w.net, c, (uint8_t)control, true, "", 0);
            wshub_io_fake_advance(w.net, 100);
        }
        EXPECT_INT(stats(&w).auth_timeouts, 1); /* no pong puts that off */
        world_stop(&w);
        world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true), FAKE(0));
        c = world_client(&w, "u", id);
        EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 4000, wshub_str_z("")), WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_send(w.net, c, (uint8_t)control, true, "", 0);
        EXPECT_INT(stats(&w).pongs_received, control == 10 ? 1 : 0);
        EXPECT_CLOSE(&w, c, 4000);
        world_stop(&w);
    }
}

TEST(a_deadline_of_writing_that_comes_with_the_room_finds_it) { /* LIVE-3: told in one turn, in any order: what can go goes first */
    world w;
    wshub_conn c;
    wshub_msg m = msg("m", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .write_timeout_ms = 400, .idle_timeout_ms = WSHUB_OFF), FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 390);
    wshub_io_fake_hold(w.net, true);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_conn_drained(w.hub, c); /* as loops do: reports first, then the turn */
    wshub_io_fake_advance(w.net, 20);
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).write_timeouts, 0);
    EXPECT_TEXT(&w, c, "{\"event\":\"m\",\"data\":1}");
    world_stop(&w);
}

TEST(a_carriage_return_alone_is_no_empty_line) { /* RFC 9112 2.2, CONN-3: in one piece and in two */
    int cut;
    for (cut = 0; cut < 2; cut++) {
        world w;
        wshub_conn c;
        world_start(&w, DESC(.on_request = on_request), FAKE(.cut_bytes = (uint32_t)cut));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, "\rGET /small HTTP/1.1\r\nHost: h\r\n\r\n", 34);
        EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 400"));
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        world_stop(&w);
    }
}

static wshub_conn ended_conn;
static void ends_again(wshub *hub, const wshub_gone *g, void *user) {
    (void)g, (void)user;
    wshub_conn_ended(hub, ended_conn);
    wshub_conn_drained(hub, ended_conn);
}
TEST(an_end_is_told_once_and_of_whom_there_is) { /* wshub_conn_ended(): told twice, of a stream that is no more, while the hub is destroyed */
    world w;
    wshub_conn c, none = {0};
    late_count = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_request = on_request, .on_disconnected = ends_again), FAKE(0));
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

TEST(a_hub_that_is_down_takes_nothing_to_publish) { /* BYE-2: what is accepted is delivered */
    world w;
    wshub_msg m = msg("m", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT(wshub_is_down(w.hub));
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_ERR_CLOSED);
    world_stop(&w);
}
