/* Bytes in: reports inside reports, streams read inside the callbacks of others, what waits
 * while the application is asked, pausing an io, and ios that answer oddly (ENC-1, CONN-3,
 * SEND-6; DESIGN 3). */
#include "hubtest.h"
#include "pages.h"

static char first_id[37], second_id[37];
static wshub_conn other_conn;
static int reentered;
static wshub_err reenter(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    /* clang-format off */
    uint8_t frame[] = {
        0x81, 0x80 | 15, 0, 0, 0, 0, '{', '"', 'e', 'v', 'e', 'n', 't', '"', ':', '"', 'b', '"',
        '}', ' ', ' ',
    };
    /* clang-format on */
    wshub_conn self;
    (void)c;
    if (wshub_str_eq_z(e->event, "b")) {
        reentered++;
        return WSHUB_OK;
    }
    self = other_conn;
    frame[1] = 0x80 | 13;
    /* an io that reports inside a report: held until this message is through, once and again */
    if (wshub_str_eq_z(e->event, "again")) {
        wshub_conn_received(hub, self, frame, 19);
        EXPECT_INT(reentered, 0);
        wshub_conn_received(hub, self, frame, 19);
    }
    if (wshub_str_eq_z(e->event, "nothing")) {
        wshub_conn none = {0}, odd = {UINT64_C(7) << 32 | 5},
                   far_away = {UINT64_C(7) << 32 | 500000}, next_page;
        next_page.id = UINT64_C(7) << 32 | hub->conns.pages_count * WSHUB__PAGE;
        wshub_conn_received(hub, next_page, frame, 1);
        wshub_conn_received(hub, none, frame, 1);
        wshub_conn_received(hub, odd, frame, 1);
        wshub_conn_received(hub, far_away, frame, 1);
        wshub_conn_received(hub, self, frame, 0);
        wshub_conn_drained(hub, none);
        wshub_conn_sent(hub, none, 1);
        wshub_conn_closed(hub, none);
        EXPECT_INT(wshub_settle(hub), 0); /* inside a callback it does nothing */
    }
    if (wshub_str_eq_z(e->event, "end")) { /* what comes while the hub ends is not heard */
        wshub_destroy(hub);
        w->hub = NULL;
        wshub_conn_opened(hub, other_conn);
        wshub_conn_received(hub, self, frame, 19);
        wshub_conn_drained(hub, self);
        wshub_conn_sent(hub, self, 1);
        EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
        EXPECT_INT(wshub_drain(hub, 1, 1001, nul()), WSHUB_ERR_STATE);
    }
    return WSHUB_OK;
}

TEST(reports_inside_reports) {
    world w;
    char id[37];
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = reenter), FAKE(0));
    reentered = 0;
    other_conn = world_client(&w, "u", id);
    wshub_io_fake_text(w.net, other_conn, "{\"event\":\"again\"}");
    EXPECT_INT(reentered, 2);
    wshub_io_fake_text(w.net, other_conn, "{\"event\":\"nothing\"}");
    {
        wshub_conn high = {UINT64_C(1) << 32 | UINT32_MAX};
        wshub_conn_opened(w.hub, high); /* a number that no table holds */
        EXPECT_INT(stats(&w).conns_refused, 1);
    }
    wshub_io_fake_text(w.net, other_conn, "{\"event\":\"end\"}");
    world_stop(&w);
}

static wshub_conn closed_last;
static int closed_count;
static void (*close_in)(void *ctx, wshub_conn conn, bool flush);
static void count_close(void *ctx, wshub_conn conn, bool flush) {
    closed_last = conn;
    closed_count++;
    close_in(ctx, conn, flush);
}

/* An io that names streams as none may be named finds them refused, and those that are there as
 * they were. */
TEST(a_stream_with_an_impossible_name_is_refused) { /* CONN-1 */
    world w;
    wshub_conn c;
    char id[37];
    size_t i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, "u", id);
    close_in = w.hub->io.close;
    w.hub->io.close = count_close;
    for (i = 0; i < 5; i++) {
        wshub_conn odd[5] = {{0}, {5}, {UINT64_C(1) << 32 | UINT32_MAX / 4}, {0}, {0}};
        odd[3].id = c.id + (UINT64_C(1) << 32); /* its number is in use */
        odd[4] = c;                             /* the very one */
        closed_count = 0;
        wshub_conn_opened(w.hub, odd[i]);
        EXPECT_INT(stats(&w).conns_refused, (int)i + 1);
        EXPECT_INT(closed_count, i < 4);
        if (i < 4) EXPECT(closed_last.id == odd[i].id);
        checked(w.hub);
    }
    EXPECT_INT(stats(&w).conns, 1);
    EXPECT_INT(wshub_client_state(w.hub, world_handle(&w, id)), WSHUB_CLIENT_AUTHENTICATED);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

/* While one stream's bytes are read, others report: each keeps what of its own is not whole. */
static wshub_conn nested_conn;
static const char *nested_bytes;
static size_t nested_count;
static bool nested_fails;
static wshub_err nest(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    uint8_t bytes[64];
    (void)c;
    if (wshub_str_eq_z(e->event, "nest")) {
        memcpy(bytes, nested_bytes, nested_count);
        w->fail_at = nested_fails ? 1 : 0;
        wshub_conn_received(hub, nested_conn, bytes, nested_count);
        w->fail_at = 0;
    } else {
        char text[32];
        (void)snprintf(text, sizeof text, "<%.*s>", (int)e->event.len, e->event.ptr);
        world_note(w, text);
    }
    return WSHUB_OK;
}

TEST(one_stream_is_read_inside_the_callback_of_another) {
    static const char whole[] = "\x81\x8d\0\0\0\0{\"event\":\"b\"}";
    world w;
    wshub_conn a;
    size_t cut, before;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = nest), FAKE(0));
    a = world_client(&w, "a", NULL);
    nested_conn = world_client(&w, "b", NULL);
    nested_bytes = whole;
    before = w.bytes;
    for (cut = 1; cut <= sizeof whole - 1; cut++) {
        w.log_len = 0;
        w.log[0] = 0;
        nested_bytes = whole;
        nested_count = cut;
        wshub_io_fake_text(w.net, a, "{\"event\":\"nest\"}");
        EXPECT_STR(w.log, cut == sizeof whole - 1 ? "<b>" : "");
        if (cut < sizeof whole - 1) {
            EXPECT_OP(w.bytes, >, before);
            wshub_io_fake_input(w.net, nested_conn, whole + cut, sizeof whole - 1 - cut);
        }
        EXPECT_STR(w.log, "<b>");
        EXPECT_INT(w.bytes, before); /* nothing is kept between messages */
    }
    /* no memory for what it would keep: that one is dropped, the other goes on */
    nested_fails = true;
    nested_count = 5;
    wshub_io_fake_text(w.net, a, "{\"event\":\"nest\"}");
    EXPECT(!wshub_io_fake_is_open(w.net, nested_conn));
    wshub_io_fake_text(w.net, a, "{\"event\":\"on\"}");
    EXPECT_STR(w.log, "<b><on>");
    w.fail_at = 1;
    wshub_io_fake_input(w.net, a, whole, 5); /* nor for what one keeps alone */
    w.fail_at = 0;
    EXPECT(!wshub_io_fake_is_open(w.net, a));
    world_stop(&w);
}

static int resumed_messages;
static wshub_conn vanishing;
static wshub_err count_and_end(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)user;
    resumed_messages++;
    if (wshub_str_eq_z(e->event, "vanish")) wshub_conn_closed(hub, vanishing);
    if (wshub_str_eq_z(e->event, "drop"))
        wshub__conn_abort(hub, wshub__conn_get(hub, vanishing), WSHUB_BY_APP, 1006, "");
    if (wshub_str_eq_z(e->event, "end")) wshub_destroy(hub);
    if (wshub_str_eq_z(e->event, "close")) return wshub_client_close(hub, c, 1000, nul());
    return WSHUB_OK;
}

TEST(input_that_waited_while_things_changed) { /* ENC-1: messages keep their order */
    int how;
    for (how = 0; how < 6; how++) {
        world w;
        wshub_conn a, b;
        wshub_msg turned = msg("end", "1"), empty = msg("", "1");
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                         .on_message = count_and_end, .on_transform_in = keep_event),
                    FAKE(0));
        kept_asks_count = 0;
        resumed_messages = 0;
        a = world_client(&w, "u", first_id);
        b = world_client(&w, "u", second_id);
        vanishing = a;
        wshub_io_fake_text(w.net, a, "{\"event\":\"x\"}");
        wshub_io_fake_text(w.net, b, "{\"event\":\"y\",\"data\":2}");
        EXPECT_INT(kept_asks_count, 2);
        if (how >= 4) /* what waits is not transformed, and ends its own stream */
            wshub__client_get(w.hub, world_handle(&w, first_id))->encrypted = false;
        /* waits */
        wshub_io_fake_text(w.net, a,
                           how == 4   ? "{\"event\":\"vanish\"}"
                           : how == 5 ? "{\"event\":\"drop\"}"
                                      : "{\"event\":\"z\"}");
        wshub_io_fake_text(w.net, a, "{\"event\":\"z\"}");
        wshub_io_fake_text(w.net, b, "{\"event\":\"z\"}");
        wshub_io_fake_hold(w.net, true);
        if (how == 0) { /* both are answered, the first of them ends the hub */
            EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], &turned), WSHUB_OK);
            w.hub = NULL;
        } else if (how == 1) { /* answered, then closed before the turn ends */
            EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
            /* an empty event is none: dropped */
            EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[1], &empty), WSHUB_OK);
            wshub_io_fake_end(w.net, a);
        } else if (how == 2) {
            EXPECT_INT(wshub_ask_fail(w.hub, kept_asks[0]), WSHUB_OK);
            EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, first_id), 1000, nul()),
                       WSHUB_OK);
        } else if (how >= 4) {
            EXPECT_INT(wshub_ask_reject(w.hub, kept_asks[0]), WSHUB_OK);
        } else {
            turned = msg("close", "1");
            EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], &turned), WSHUB_OK);
        }
        wshub_io_fake_hold(w.net, false);
        wshub_io_fake_run(w.net);
        EXPECT_INT(resumed_messages, how == 2 ? 0 : 1);
        world_stop(&w);
    }
}

static wshub_ask resumed_ask;
static int asked_in;
static void end_on_second(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                          void *user) {
    (void)c;
    (void)e;
    (void)user;
    resumed_ask = ask;
    if (++asked_in == 3) wshub_destroy(hub);
}

TEST(a_resumed_message_ends_the_hub) {
    world w;
    wshub_conn a, b;
    wshub_ask first;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                     .on_transform_in = end_on_second),
                FAKE(0));
    asked_in = 0;
    a = world_client(&w, "u", first_id);
    b = world_client(&w, "u", second_id);
    wshub_io_fake_text(w.net, a, "{\"event\":\"x\"}");
    first = resumed_ask;
    wshub_io_fake_text(w.net, b, "{\"event\":\"y\"}");
    wshub_io_fake_text(w.net, a, "{\"event\":\"z\"}");
    wshub_io_fake_text(w.net, b, "{\"event\":\"z\"}");
    wshub_io_fake_hold(w.net, true);
    EXPECT_INT(wshub_ask_reject(w.hub, first), WSHUB_OK);
    EXPECT_INT(wshub_ask_reject(w.hub, resumed_ask), WSHUB_OK);
    w.hub = NULL; /* the first of the two to go on ends it; the other is not read */
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_INT(asked_in, 3);
    world_stop(&w);
}

TEST(what_waits_may_be_just_so_much) {
    static uint8_t bytes[2000 + 65536];
    world w;
    wshub_conn c;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                     .on_transform_in = keep_event, .payload_bytes_max = 2000,
                     .held_bytes_max = 2000 + 65536),
                FAKE(.no_pause = true));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    wshub_conn_received(w.hub, c, bytes, sizeof bytes);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_is_open(w.net, c) && stats(&w).protocol_errors == 0);
    wshub_conn_received(w.hub, c, bytes, 1);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).protocol_errors, 1);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

static int pauses, goes_on;
static void (*true_pause)(void *ctx, wshub_conn conn, bool paused);
static void counting_pause(void *ctx, wshub_conn conn, bool paused) {
    if (paused)
        pauses++;
    else
        goes_on++;
    true_pause(ctx, conn, paused);
}

TEST(an_io_is_paused_once_for_each_time) {
    world w;
    wshub_conn c;
    wshub_msg m = msg("e", "1");
    wshub_reply reply;
    int i;
    kept_asks_count = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                     .on_transform_in = keep_event, .on_request = keep_request),
                FAKE(0));
    true_pause = w.hub->io.pause;
    w.hub->io.pause = counting_pause;
    pauses = goes_on = 0;
    c = world_client(&w, "u", NULL);
    for (i = 0; i < 3; i++) { /* each time one is asked about and one waits */
        wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
        EXPECT_INT(pauses, i);
        wshub_io_fake_text(w.net, c, "{\"event\":\"y\"}");
        EXPECT_INT(pauses, i + 1);
        EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[(kept_asks_count - 1) % 8], &m),
                   WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(goes_on, i); /* the second is asked about now, so the io still waits */
        EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[(kept_asks_count - 1) % 8], &m),
                   WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(goes_on, i + 1);
    }
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    pauses = goes_on = 0;
    c = wshub_io_fake_open(w.net);
    /* two requests wait for the answer to the first */
    wshub_io_fake_input(w.net, c, GET GET GET, 3 * (sizeof GET - 1));
    EXPECT_INT(pauses, 1);
    EXPECT_INT(wshub_http_reply(w.hub, kept_request, &reply), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(pauses, 1);
    EXPECT_INT(goes_on, 0);
    EXPECT_INT(wshub_http_reply(w.hub, kept_request, &reply), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(goes_on, 0); /* the third waits for its answer: no input is wanted */
    EXPECT_INT(wshub_http_reply(w.hub, kept_request, &reply), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(pauses, 1);
    EXPECT_INT(goes_on, 1);
    world_stop(&w);
}

TEST(without_pause_what_waits_has_a_limit) {
    world w;
    wshub_conn c;
    static char big[1000];
    int i;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_connected = encrypt_all,
                     .on_transform_in = keep_event, .payload_bytes_max = 2000,
                     .held_bytes_max = 67536),
                FAKE(.no_pause = true));
    memset(big, ' ', sizeof big - 1);
    memcpy(big, "{\"event\":\"x\"}", 13);
    c = world_client(&w, "u", NULL);
    for (i = 0; i < 70 && wshub_io_fake_is_open(w.net, c); i++) wshub_io_fake_text(w.net, c, big);
    EXPECT(i > 60 && i < 70);
    EXPECT_OP(w.peak, <, 400000);
    EXPECT_INT(stats(&w).protocol_errors, 1);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

static int64_t odd_answer;
static int64_t odd_send(void *ctx, wshub_conn conn, const wshub_span *spans, size_t count) {
    (void)ctx;
    (void)conn;
    (void)spans;
    (void)count;
    return odd_answer;
}

TEST(an_io_that_takes_more_or_less_than_there_is) {
    int i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        char id[37];
        wshub_msg m = msg("e", "1");
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        c = world_client(&w, "u", id);
        (void)c;
        odd_answer = i ? INT64_MAX : -5;
        w.hub->io.send = odd_send;
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(wshub_client_is_pressured(w.hub, world_handle(&w, id)) == !i);
        EXPECT((wshub_client_queued_bytes(w.hub, world_handle(&w, id)) == 0) == i);
        w.hub->io.send = wshub_io_fake_io(w.net)->send;
        world_stop(&w);
    }
}

TEST(too_many_streams) {
    world w;
    wshub_conn c;
    world_start(&w, DESC(.conns_max = 1), FAKE(0));
    EXPECT(wshub_io_fake_open(w.net).id);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).conns_refused, 1);
    world_stop(&w);
}

static void pipeline(const char *one, size_t answer, int requests, wshub_io_fake_desc fd) {
    world w;
    static char burst[4000];
    size_t n = strlen(one), per = sizeof burst / n, k, sent = 0, answered = 0, before;
    int rounds;
    wshub_conn c;
    late_count = 0;
    world_start(&w,
                DESC(.on_request = serve_pages, .http_answers_bytes_max = 20000,
                     .payload_bytes_max = 1000, .held_bytes_max = 200000,
                     .idle_timeout_ms = WSHUB_OFF, .write_timeout_ms = WSHUB_OFF),
                fd);
    c = wshub_io_fake_open(w.net);
    for (k = 0; k < per; k++) memcpy(burst + k * n, one, n);
    wshub_io_fake_window(w.net, c, 0);
    before = w.bytes;
    if (fd.no_pause) requests = (int)(300000 / n); /* more than may be held */
    while (sent < (size_t)requests && wshub_io_fake_is_open(w.net, c)) {
        wshub_io_fake_input(w.net, c, burst, per * n);
        sent += per;
    }
    EXPECT_OP(w.peak - before, <, 20000 + 2 * answer + 400000 + 200000);
    EXPECT_INT(late_count <= 1, 1);
    if (fd.no_pause) {
        wshub_io_fake_advance(w.net, 5001);       /* bounded also where write_timeout_ms is off */
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
    static const struct {
        const char *text;
        size_t answer;
        int requests;
        /* clang-format off */
    } kinds[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 2000},
        {"GET /small HTTP/1.1\r\nHost: h\r\n\r\n", 200, 2000},
        {"GET /page HTTP/1.1\r\nHost: h\r\n\r\n", PAGE, 100},
        {"GET /late HTTP/1.1\r\nHost: h\r\n\r\n", 200, 300},
        {"HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n", 200, 2000},
        {"POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nGET / HTT", 200, 2000},
        {"POST /page HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
         "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         PAGE, 100},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests, FAKE(0));
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests,
                 FAKE(.cut_bytes = 977, .take_bytes = 1300));
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests, FAKE(.completion = true));
        pipeline(kinds[i].text, kinds[i].answer, kinds[i].requests, FAKE(.no_pause = true));
    }
}

/* The limit is reached at every byte of what is owed, a `100 Continue` included: no request is
 * left half read while its own deadline runs (LIVE-3). */
TEST(a_request_that_has_begun_is_read_to_its_end) {
    static const char both[] =
        "GET /small HTTP/1.1\r\nHost: h\r\n\r\nPOST /small HTTP/1.1\r\nHost: h\r\nExpect: "
        "100-continue\r\nContent-Length: 9\r\n\r\n123456789";
    uint32_t limit;
    for (limit = 1; limit < 300; limit++) {
        world w;
        wshub_conn c;
        size_t cut = sizeof both - 1 - limit % 12; /* and the body comes whole, or not yet */
        world_start(&w,
                    DESC(.on_request = serve_pages, .http_answers_bytes_max = limit,
                         .message_timeout_ms = 300, .head_timeout_ms = 300,
                         .write_timeout_ms = WRITE_MS),
                    FAKE(0));
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
    world_start(&w, DESC(.on_request = serve_pages), FAKE(.no_pause = true));
    c = wshub_io_fake_open(w.net);
    for (i = 0; i < 2000; i++)
        wshub_io_fake_input(w.net, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n", 31);
    EXPECT_INT(stats(&w).held_bytes, 1999 * 31);
    w.peak = w.bytes;
    for (i = 0; i < 2000; i++) {
        EXPECT_INT(late_count, 1);
        answer_late(&w, 10);
        EXPECT_INT(stats(&w).held_bytes, i < 1999 ? (1998 - i) * 31 : 0);
        if (i % 100 == 50) wshub_io_fake_input(w.net, c, "", 0);
    }
    EXPECT_OP(w.peak, <, 1999 * 31 * 3); /* what is held stays where it lies */
    EXPECT_INT(stats(&w).http_requests, 2000);
    world_stop(&w);
}

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

/* SEND-5's brother: what was reported first is heard first */
TEST(bytes_reported_inside_callbacks_keep_their_order) {
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

static world *held_world;
static wshub_conn held_conn;
static bool reports_and_starves(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    static char more[] = "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    (void)h, (void)user;
    late_requests[late_count++ % 64] = r;
    wshub_conn_received(hub, held_conn, (uint8_t *)more, sizeof more - 1);
    held_world->fail_all = true;
    return true;
}

/* the rest of the report that led there found no memory */
TEST(what_was_reported_inside_a_callback_is_not_kept_for_who_is_dropped) {
    world w;
    late_count = 0;
    world_start(&w, DESC(.on_request = reports_and_starves), FAKE(0));
    held_world = &w;
    held_conn = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, held_conn,
                        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n", 56);
    w.fail_all = false;
    EXPECT_INT(late_count, 1);
    EXPECT_INT(stats(&w).held_bytes, 0);
    EXPECT(!wshub_io_fake_is_open(w.net, held_conn));
    world_stop(&w);
}

TEST(a_carriage_return_alone_is_no_empty_line) { /* RFC 9112 2.2, CONN-3: in one piece and in two */
    int cut;
    for (cut = 0; cut < 2; cut++) {
        world w;
        wshub_conn c;
        world_start(&w, DESC(.on_request = serve_pages), FAKE(.cut_bytes = (uint32_t)cut));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, "\rGET /small HTTP/1.1\r\nHost: h\r\n\r\n", 34);
        EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 400");
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        world_stop(&w);
    }
}

/* what a stream gathers it gathers in a place lent by the hub */
TEST(want_of_memory_for_one_stream_does_not_reach_the_next) {
    static const char get[] = "GET /other HTTP/1.1\r\nHost: h\r\n\r\n",
                      post[] = "POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n",
                      frame[] = "\x01\x83\0\0\0\0abc";
    const struct {
        const char *bytes;
        size_t count, cut;
        bool upgraded;
    } ways[] = {{get, sizeof get - 1, 9, false},
                {post, sizeof post - 1, 9, false},
                {post, sizeof post - 1, sizeof post - 1, false},
                {frame, sizeof frame - 1, 7, true},
                {frame, sizeof frame - 1, 1, true}};
    size_t i;
    long nth;
    for (i = 0; i < sizeof ways / sizeof *ways; i++) {
        /* the nth allocation while the first stream is read fails */
        for (nth = 1; nth < 6; nth++) {
            world w;
            wshub_conn a, b;
            world_start(&w, DESC(.payload_bytes_max = 1000), FAKE(0));
            a = ways[i].upgraded ? wshub_io_fake_connect(w.net, "/ws") : wshub_io_fake_open(w.net);
            w.fail_at = nth;
            wshub_io_fake_input(w.net, a, ways[i].bytes, ways[i].cut);
            w.fail_at = 0;
            b = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, b, get, 9);
            wshub_io_fake_input(w.net, b, get + 9, sizeof get - 10);
            EXPECT_HAS(wshub_io_fake_output(w.net, b).ptr, " 404 ");
            b = wshub_io_fake_connect(w.net, "/ws");
            wshub_io_fake_send(w.net, b, 1, false, "ju", 2);
            wshub_io_fake_send(w.net, b, 0, true, "nk", 2);
            EXPECT_HAS(wshub_io_fake_output(w.net, b).ptr, "Invalid message format");
            world_stop(&w);
        }
    }
}
