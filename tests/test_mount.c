/* What is served on a path (>>api-mount): which mount is asked, its limits and clock, what on_head
 * may answer, whose an exchange is, how long its head can be looked at (CONN-2, CONN-5). Answers
 * and upgrades are those of test_mount_answers.c, ends those of test_mount_ends.c. */
#include "mounted.h"

TEST(of_mounts_that_fit_the_longest_is_asked_first_then_exact_then_earlier) { /* CONN-2 */
    static const struct {
        const char *path, *asked;
    } t[] = {
        {"/a/b",
         "head exact;head later;head prefix;head second;head dir;head all;request;404 by exact;"},
        {"/a/bc", "head prefix;head second;head dir;head all;request;404 by prefix;"},
        {"/a/b/c?/a/b", "head prefix;head second;head dir;head all;request;404 by prefix;"},
        {"/a/b?/x",
         "head exact;head later;head prefix;head second;head dir;head all;request;404 by exact;"},
        {"/a/", "head dir;head all;request;404 by dir;"},
        {"/a", "head all;request;404 by all;"},
        {"/A/b", "head all;request;404 by all;"},
        {"/a/%62", "head dir;head all;request;404 by dir;"},
        {"/ws", "head all;request;"}, /* the first there is that of the JSON dialect */
        {"/", "head all;request;404 by all;"},
    };
    site all = {.name = "all"}, dir = {.name = "dir"}, exact = {.name = "exact"},
         later = {.name = "later"}, prefix = {.name = "prefix"}, second = {.name = "second"};
    size_t i;
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_request = note_request), FAKE(0));
    MOUNT(&w, &prefix, .path = "/a/b", .prefix = true);
    MOUNT(&w, &all, .path = "/", .prefix = true);
    MOUNT(&w, &second, .path = "/a/b", .prefix = true);
    MOUNT(&w, &exact, .path = "/a/b");
    MOUNT(&w, &dir, .path = "/a/", .prefix = true);
    MOUNT(&w, &later, .path = "/a/b");
    c = wshub_io_fake_open(w.net);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        char ask[100];
        (void)snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", t[i].path);
        say(&w, c, ask);
        EXPECT_LOG(&w, t[i].asked);
        EXPECT_SENT(&w, c, "404", "Not Found");
    }

    /* Who takes it ends the round. */
    dir.take = WSHUB_TAKE_HELD;
    say(&w, c, WANT("/a/b"));
    EXPECT_LOG(&w, "head exact;head later;head prefix;head second;head dir;");
    EXPECT(wshub_exchange_owner(w.hub, dir.exchange) == &dir);
    EXPECT_INT(answer(w.hub, dir.exchange, "x"), WSHUB_OK);
    world_stop(&w);
}

/* A mount that would never be asked is an oversight, of which nobody else would tell. */
TEST(a_mount_behind_one_that_takes_all_of_its_path_is_refused) { /* CONN-2 */
    static const wshub_mount_desc all = {WSHUB_MOUNT_VERSION, .path = "/all"},
                                  alone = {WSHUB_MOUNT_VERSION, .path = "/own", .prefix = true,
                                           .alone = true, .on_head = site_head},
                                  crowd = {WSHUB_MOUNT_VERSION, .path = "/own", .prefix = true,
                                           .on_head = site_head},
                                  exact = {WSHUB_MOUNT_VERSION, .path = "/own",
                                           .on_head = site_head},
                                  late = {WSHUB_MOUNT_VERSION, .path = "/own", .alone = true,
                                          .on_head = site_head};
    char why[WSHUB_EXPLAIN_BYTES];
    world w;
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(wshub_mount(w.hub, &all), WSHUB_OK);
    EXPECT_INT(wshub_mount(w.hub, &all), WSHUB_ERR_STATE);
    EXPECT_HAS(wshub_io_fake_log(w.net).ptr, "error CREATE: wshub_mount(): path is \"/all\": some");
    EXPECT_INT(wshub_mount(w.hub, &alone), WSHUB_OK);
    EXPECT_INT(wshub_mount_check(w.hub, &crowd), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_mount(w.hub, &crowd), WSHUB_ERR_STATE);
    (void)wshub_mount_explain(&crowd, WSHUB_ERR_STATE, why, sizeof why);
    EXPECT_HAS(why, "path is \"/own\": something that takes all");
    EXPECT_INT(wshub_mount(w.hub, &exact), WSHUB_OK); /* another set of paths */
    EXPECT_INT(wshub_mount(w.hub, &late), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_mount_check(w.hub, NULL), WSHUB_ERR_PARAM);
    world_stop(&w);
}

static site added = {.name = "added", .take = WSHUB_TAKE_DONE, .at_head = do_answer};
static void add_a_mount(site *s, wshub *hub) {
    (void)hub;
    MOUNT(s->w, &added, .path = "/x");
}

TEST(a_mount_made_while_mounts_are_asked_is_asked_the_next_time) { /* CONN-2 */
    site all = {.name = "all", .at_head = add_a_mount};
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_request = note_request), FAKE(0));
    MOUNT(&w, &all, .path = "/", .prefix = true);
    c = said(&w, WANT("/x"));
    EXPECT_LOG(&w, "head all;request;404 by added;");
    EXPECT_SENT(&w, c, "404", NULL);
    say(&w, c, WANT("/x"));
    EXPECT_LOG(&w, "head added;200 by added;");
    EXPECT_SENT(&w, c, "200", "added");
    world_stop(&w);
}

TEST(the_hubs_own_path_is_a_mount_among_others) { /* CONN-1, CONN-2 */
    site same = {.name = "same", .take = WSHUB_TAKE_DONE, .at_head = do_answer};
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    MOUNT(&w, &same, .path = "/ws");
    EXPECT(world_client(&w, "u", NULL).id);
    EXPECT_LOG(&w, "");

    /* What is no handshake it leaves to the next. */
    c = said(&w, WANT("/ws"));
    EXPECT_LOG(&w, "head same;200 by same;");
    EXPECT_SENT(&w, c, "200", "same");
    world_stop(&w);
}

TEST(a_mount_says_what_is_wrong_with_it) { /* >>api-mount */
    static char longest[WSHUB_NAME_BYTES_MAX + 2];
    const struct {
        wshub_mount_desc d;
        const char *field; /* NULL: nothing is wrong */
    } t[] = {
        {{.version = 0, .path = "/"}, "version"},
        {{.version = WSHUB_MOUNT_VERSION + 1, .path = "/"}, "version"},
        {{.version = WSHUB_MOUNT_VERSION}, "path: required"},
        {{.version = WSHUB_MOUNT_VERSION, .path = ""}, "path: required"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "x/"}, "path: required"},
        {{.version = WSHUB_MOUNT_VERSION, .path = longest}, "path: may have at most"},
        {{.version = WSHUB_MOUNT_VERSION, .path = longest + 1}, NULL},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/?x"}, "path: must be without"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/#x"}, "path: must be without"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/x y"}, "path: must be without"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/x\ty"}, "path: must be without"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/x\r"}, "path: must be without"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/x\n"}, "path: must be without"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/a", .body_bytes_max = 1u << 30}, NULL},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/", .body_bytes_max = (1u << 30) + 1},
         "body_bytes_max"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/b", .message_bytes_max = 1u << 30}, NULL},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/", .message_bytes_max = (1u << 30) + 1},
         "message_bytes_max"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/", .allow = "GET\r\nX: y"}, "allow"},
        {{.version = WSHUB_MOUNT_VERSION, .path = "/c", .allow = ""}, NULL},
    };
    size_t i;
    world w;
    memset(longest, '/', sizeof longest - 1);
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_HAS(wshub_mount_problem(NULL), "required");
    EXPECT_INT(wshub_mount(w.hub, NULL), WSHUB_ERR_PARAM);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        const char *why = wshub_mount_problem(&t[i].d);
        EXPECT(t[i].field ? why && strncmp(why, t[i].field, strlen(t[i].field)) == 0 : !why);
        EXPECT_INT(wshub_mount(w.hub, &t[i].d), t[i].field ? WSHUB_ERR_PARAM : WSHUB_OK);
    }
    world_stop(&w);
}

TEST(a_hub_has_so_many_mounts_and_no_more) { /* >>api-mount */
    site s = {.name = "s"};
    wshub_mount_desc d = {.path = "/x", .allow = "GET"};
    world w;
    int i;
    world_start(&w, DESC(0), FAKE(0));
    w.fail_all = true;
    EXPECT_INT(site_mount(&w, &s, d), WSHUB_ERR_NOMEM);
    w.fail_all = false;
    for (i = 0; i < WSHUB_MOUNTS_MAX; i++) EXPECT_INT(site_mount(&w, &s, d), WSHUB_OK);
    EXPECT_INT(site_mount(&w, &s, d), WSHUB_ERR_LIMIT);
    (void)said(&w, WANT("/x"));
    EXPECT(w.log_len >= 500 * strlen("head s;")); /* it has room for that many */
    world_stop(&w);
}

/* ---- limits and clocks ---- */

TEST(each_mount_has_its_own_limit_of_a_body) { /* CONN-5 */
    static const struct {
        const char *ask, *status;
    } t[] = {
        {POST("/four", "4") "1234", "200"},
        {POST("/four", "5") "12345", "413"},
        {POST("/own", "8") "12345678", "200"},
        {POST("/own", "9") "123456789", "413"},
        {POST("/ten", "10") "1234567890", "200"},
        {POST("/ten", "11") "12345678901", "413"},
        {"POST /four HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\n12\r\n2\r\n34\r\n0\r\n\r\n",
         "200"},
        {"POST /four HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\n12\r\n3\r\n",
         "413"},
        {"POST /ten HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZ", "400"},
    };
    site four = {.name = "/four", .take = WSHUB_TAKE_BODY, .at_body = do_answer},
         own = {.name = "/own", .take = WSHUB_TAKE_BODY, .at_body = do_answer},
         ten = {.name = "/ten", .take = WSHUB_TAKE_BODY, .at_body = do_answer};
    size_t i;
    world w;
    world_start(&w, DESC(.http_body_bytes_max = 8), FAKE(0));
    MOUNT(&w, &four, .path = "/four", .body_bytes_max = 4);
    MOUNT(&w, &own, .path = "/own");
    MOUNT(&w, &ten, .path = "/ten", .body_bytes_max = 10);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        wshub_conn c = said(&w, t[i].ask);
        bool ok = strcmp(t[i].status, "200") == 0;
        char status[20];
        (void)snprintf(status, sizeof status, "HTTP/1.1 %s", t[i].status);
        EXPECT(strncmp(sent(&w, c), status, strlen(status)) == 0);
        EXPECT_INT(wshub_io_fake_is_open(w.net, c), ok);

        /* Whose body it was is told that it will not come. */
        EXPECT_INT(strstr(w.log, "body") != NULL, ok);
        EXPECT_INT(strstr(w.log, "gone 5") != NULL, !ok);
        forget_log(&w);
    }
    EXPECT_INT(stats(&w).http_bad, 5);
    world_stop(&w);
}

TEST(a_handshake_whose_body_is_too_large_counts_as_a_refused_upgrade) { /* CONN-2, CONN-5 */
    site s = {.name = "s", .take = WSHUB_TAKE_BODY};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s", .body_bytes_max = 4);
    c = said(&w, "POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" UPGRADE_LINES "\r\n");
    EXPECT(s.http != NULL);
    EXPECT_SENT(&w, c, "413", "body too large");
    EXPECT_LOG(&w, "head s;413 by s;gone 5 s;");
    EXPECT_INT(stats(&w).upgrades_refused, 1);
    world_stop(&w);
}

TEST(each_mount_has_its_own_limit_of_a_message) { /* BYE-3 */
    site three = {.name = "three", .take = WSHUB_TAKE_DONE, .at_head = do_upgrade},
         own = {.name = "own", .take = WSHUB_TAKE_DONE, .at_head = do_upgrade};
    world w;
    wshub_conn c;
    world_start(&w, DESC(.payload_bytes_max = 200), FAKE(0));
    MOUNT(&w, &three, .path = "/three", .message_bytes_max = 3);
    MOUNT(&w, &own, .path = "/own");
    c = wshub_io_fake_connect(w.net, "/three");
    wshub_io_fake_text(w.net, c, "abc");
    EXPECT_LOG(&w, "head three;101 by three;text abc to three;");
    wshub_io_fake_send(w.net, c, 2, false, "ab", 2);
    wshub_io_fake_send(w.net, c, 0, true, "cd", 2);
    EXPECT_CLOSE(&w, c, 1009);
    EXPECT_LOG(&w, "closed 1009 message too big by 5 three;");

    c = wshub_io_fake_connect(w.net, "/own");
    wshub_io_fake_text(w.net, c, json_string(200));
    EXPECT_HAS(w.log, "text \"xxx");
    wshub_io_fake_text(w.net, c, json_string(201));
    EXPECT_CLOSE(&w, c, 1009);
    world_stop(&w);
}

TEST(a_mount_may_end_its_sockets_without_a_word) { /* BYE-3 */
    static const char *const paths[] = {"/words", "/none"};
    site s[2] = {{.name = "words", .take = WSHUB_TAKE_DONE, .at_head = do_upgrade},
                 {.name = "none", .take = WSHUB_TAKE_DONE, .at_head = do_upgrade}};
    world w;
    int i;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s[0], .path = "/words");
    MOUNT(&w, &s[1], .path = "/none", .no_close_reasons = true);
    for (i = 0; i < 2; i++) {
        wshub_conn c = wshub_io_fake_connect(w.net, paths[i]);
        wshub_io_fake_frame f;
        wshub_io_fake_send(w.net, c, 3, true, "", 0); /* no such opcode */
        EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 8);
        EXPECT_INT(f.code, 1002);
        EXPECT_INT(f.reason.len == 0, i);
        wshub_io_fake_end(w.net, c);
        EXPECT_LOG(&w, i ? "head none;101 by none;closed 1002 reserved opcode by 5 none;"
                         : "head words;101 by words;closed 1002 reserved opcode by 5 words;");
    }
    world_stop(&w);
}

TEST(each_mount_has_its_own_time_for_an_answer) { /* LIVE-3 */
    static const char *const paths[] = {"/own", "/short", "/never"};
    site s[3] = {{.name = "own", .take = WSHUB_TAKE_HELD},
                 {.name = "short", .take = WSHUB_TAKE_HELD},
                 {.name = "never", .take = WSHUB_TAKE_HELD}};
    wshub_conn c[3];
    world w;
    int i;
    world_start(&w, DESC(.http_timeout_ms = 5000), FAKE(0));
    MOUNT(&w, &s[0], .path = paths[0]);
    MOUNT(&w, &s[1], .path = paths[1], .answer_timeout_ms = 1000);
    MOUNT(&w, &s[2], .path = paths[2], .answer_timeout_ms = WSHUB_OFF);
    for (i = 0; i < 3; i++) {
        char ask[60];
        (void)snprintf(ask, sizeof ask, WANT("%s"), paths[i]);
        c[i] = said(&w, ask);
    }
    EXPECT_LOG(&w, "head own;head short;head never;");
    wshub_io_fake_advance(w.net, 999);
    EXPECT_LOG(&w, "");
    wshub_io_fake_advance(w.net, 1);
    EXPECT_LOG(&w, "503 by short;gone 4 short;");
    EXPECT_SENT(&w, c[1], "503", "Connection: close");
    EXPECT_INT(answer(w.hub, s[1].exchange, "late"), WSHUB_ERR_STALE);
    wshub_io_fake_advance(w.net, 4000);
    EXPECT_LOG(&w, "503 by own;gone 4 own;");
    EXPECT_SENT(&w, c[0], "503", NULL);
    wshub_io_fake_advance(w.net, 3600000);
    EXPECT_LOG(&w, "");
    EXPECT_INT(answer(w.hub, s[2].exchange, "after an hour"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c[2], "200", "after an hour");
    world_stop(&w);
}

TEST(a_mount_may_take_the_end_of_requests_for_the_end_of_the_peer) { /* LIVE-3 */
    static const wshub_take takes[] = {WSHUB_TAKE_HELD, WSHUB_TAKE_BODY};
    site ends = {.name = "ends"}, waits = {.name = "waits"};
    wshub_conn c;
    size_t i;
    world w;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &ends, .path = "/ends", .half_close_ends = true);
    MOUNT(&w, &waits, .path = "/waits");

    for (i = 0; i < 2; i++) {
        ends.take = waits.take = takes[i];
        c = said(&w, WANT("/ends"));
        wshub_io_fake_half_close(w.net, c);
        EXPECT_LOG(&w, i ? "head ends;body  to ends;gone 1 ends;" : "head ends;gone 1 ends;");
        EXPECT(!wshub_io_fake_is_open(w.net, c));

        c = said(&w, WANT("/waits"));
        wshub_io_fake_half_close(w.net, c);
        EXPECT_LOG(&w, i ? "head waits;body  to waits;" : "head waits;");
        EXPECT_INT(answer(w.hub, waits.exchange, "still"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_LOG(&w, "200 by waits;");
        EXPECT_SENT(&w, c, "200", "still");
        EXPECT(!wshub_io_fake_is_open(w.net, c));
    }

    /* While its body is read: it will never be whole, at either. */
    c = said(&w, POST("/ends", "5") "12");
    wshub_io_fake_half_close(w.net, c);
    EXPECT_LOG(&w, "head ends;gone 1 ends;");
    c = said(&w, POST("/waits", "5") "12");
    wshub_io_fake_half_close(w.net, c);
    EXPECT_LOG(&w, "head waits;gone 1 waits;");

    /* Of a WebSocket it is the end anyway. */
    ends.take = WSHUB_TAKE_DONE;
    ends.at_head = do_upgrade;
    c = wshub_io_fake_connect(w.net, "/ends");
    wshub_io_fake_half_close(w.net, c);
    EXPECT_LOG(&w, "head ends;101 by ends;closed 1006  by 1 ends;");
    world_stop(&w);
}

/* ---- what on_head answers ---- */

TEST(whoever_takes_a_body_gets_it_whole) { /* CONN-5 */
    static const char *const asks[] = {
        WANT("/s"),
        POST("/s", "0"),
        POST("/s", "5") "hello",
        "POST /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n"
        "0\r\n\r\n",
    };
    size_t i;
    uint32_t cut;
    for (cut = 0; cut < 3; cut++) {
        site s = {.name = "s", .take = WSHUB_TAKE_BODY, .at_body = do_answer};
        world w;
        wshub_conn c;
        world_start(&w, DESC(0), FAKE(.cut_bytes = cut));
        MOUNT(&w, &s, .path = "/s");
        c = wshub_io_fake_open(w.net);
        for (i = 0; i < 4; i++) {
            say(&w, c, asks[i]);
            EXPECT_LOG(&w,
                       i < 2 ? "head s;body  to s;200 by s;" : "head s;body hello to s;200 by s;");
            EXPECT_SENT(&w, c, "200", "\r\n\r\ns");
            EXPECT_INT(stats(&w).http_requests, i + 1);
        }
        world_stop(&w);
    }
}

TEST(
    whoever_holds_a_request_leaves_its_body_unread_and_the_stream_ends_behind_the_answer) { /* CONN-5 */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, POST("/s", "5") "hello" WANT("/s"));
    EXPECT_LOG(&w, "head s;");
    EXPECT_INT(stats(&w).http_requests, 1);
    EXPECT_INT(answer(w.hub, s.exchange, "enough"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "200", "Connection: close");
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_LOG(&w, "200 by s;");

    /* Without a body it goes on. */
    c = said(&w, WANT("/s") WANT("/s"));
    EXPECT_LOG(&w, "head s;");
    EXPECT_INT(answer(w.hub, s.exchange, "1"), WSHUB_OK);
    EXPECT_INT(answer(w.hub, s.exchange, "1"), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_LOG(&w, "200 by s;head s;");
    EXPECT_INT(answer(w.hub, s.exchange, "2"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "200", "\r\n\r\n1HTTP/1.1 200 OK");
    EXPECT_INT(stats(&w).http_requests, 3);
    world_stop(&w);
}

TEST(done_and_not_answered_is_the_mounts_failure) { /* MSG-8 */
    site s = {.name = "s", .take = WSHUB_TAKE_DONE};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, WANT("/s"));
    EXPECT_LOG(&w, "head s;500 by s;");
    EXPECT_SENT(&w, c, "500", "no answer was given");
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).app_failures, 1);

    /* Answered inside on_head, what it then says does not matter. */
    for (s.take = WSHUB_TAKE_DECLINED; s.take <= WSHUB_TAKE_DONE;
         s.take = (wshub_take)(s.take + 1)) {
        s.at_head = do_answer;
        c = said(&w, WANT("/s"));
        EXPECT_LOG(&w, "head s;200 by s;");
        EXPECT_SENT(&w, c, "200", NULL);
        EXPECT(wshub_io_fake_is_open(w.net, c));
        s.at_head = do_refuse;
        c = said(&w, POST("/s", "2") "ab");
        EXPECT_LOG(&w, "head s;403 by s;");
        EXPECT_SENT(&w, c, "403", "not here\n");
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        s.at_head = do_drop;
        c = said(&w, WANT("/s"));
        EXPECT_LOG(&w, "head s;");
        EXPECT(!wshub_io_fake_is_open(w.net, c));
    }
    EXPECT_INT(stats(&w).app_failures, 1);
    EXPECT_INT(stats(&w).http_bad, 1 + 4);
    world_stop(&w);
}

TEST(callbacks_that_a_mount_does_not_have) { /* CONN-2 */
    wshub_mount_desc d = {.version = WSHUB_MOUNT_VERSION, .path = "/none"};
    site s = {.name = "s", .take = WSHUB_TAKE_DONE, .at_head = do_upgrade};
    world w;
    wshub_conn c;
    world_start(&w, DESC(.http_timeout_ms = 1000), FAKE(0));
    EXPECT_INT(wshub_mount(w.hub, &d), WSHUB_OK);

    /* Without on_head a request is taken with its body, without on_body it is held, without
     * on_answer nothing is added, without on_exchange_gone nobody is told. */
    c = said(&w, POST("/none", "1") "x");
    wshub_io_fake_advance(w.net, 999);
    EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);
    wshub_io_fake_advance(w.net, 1);
    EXPECT_SENT(&w, c, "503",
                "Unavailable\r\nDate: Sat, 31 Jan 2026 09:30:01 GMT\r\nContent-Length: 0\r\n");

    /* Messages are dropped, and the end of a WebSocket is not told. */
    s.w = &w;
    d.path = "/ws2";
    d.user = &s;
    d.on_head = site_head;
    EXPECT_INT(wshub_mount(w.hub, &d), WSHUB_OK);
    c = wshub_io_fake_connect(w.net, "/ws2");
    wshub_io_fake_text(w.net, c, "anybody?");
    wshub_io_fake_send_close(w.net, c, 1000, "");
    EXPECT_CLOSE(&w, c, 1000);
    EXPECT_LOG(&w, "head s;");
    EXPECT_INT(stats(&w).upgrades, 1);
    world_stop(&w);
}

/* ---- whose an exchange is ---- */

TEST(an_exchange_has_an_owner) { /* CONN-2 */
    site s = {.name = "s", .take = WSHUB_TAKE_BODY}, other = {.name = "other"};
    wshub_exchange nobody = {0};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    other.w = &w;
    EXPECT(!wshub_exchange_owner(w.hub, nobody));
    EXPECT_INT(wshub_exchange_set_owner(w.hub, nobody, &other), WSHUB_ERR_STALE);

    c = said(&w, POST("/s", "2") "a");
    EXPECT(wshub_exchange_owner(w.hub, s.exchange) == &s);
    EXPECT_INT(wshub_exchange_set_owner(w.hub, s.exchange, &other), WSHUB_OK);
    EXPECT(wshub_exchange_owner(w.hub, s.exchange) == &other);
    say(&w, c, "b");
    EXPECT_LOG(&w, "head s;body ab to other;");
    EXPECT_INT(answer(w.hub, other.exchange, "x"), WSHUB_OK);
    EXPECT_LOG(&w, "200 by other;");
    EXPECT(!wshub_exchange_owner(w.hub, s.exchange));
    EXPECT_INT(wshub_exchange_set_owner(w.hub, s.exchange, &s), WSHUB_ERR_STALE);

    say(&w, c, WANT("/s"));
    EXPECT_INT(wshub_exchange_set_owner(w.hub, s.exchange, &other), WSHUB_OK);
    wshub_io_fake_end(w.net, c);
    EXPECT_LOG(&w, "head s;body  to s;gone 1 other;");
    world_stop(&w);
}

static void set_other(site *s, wshub *hub) {
    static site other = {.name = "other"};
    other.w = s->w;
    EXPECT_INT(wshub_exchange_set_owner(hub, s->exchange, &other), WSHUB_OK);
}

TEST(who_declines_has_no_say_in_whose_it_becomes) { /* CONN-2 */
    site first = {.name = "first", .at_head = set_other},
         then = {.name = "then", .take = WSHUB_TAKE_BODY};
    world w;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &first, .path = "/s");
    MOUNT(&w, &then, .path = "/", .prefix = true);
    (void)said(&w, WANT("/s"));
    EXPECT_LOG(&w, "head first;head then;body  to then;");
    EXPECT(wshub_exchange_owner(w.hub, then.exchange) == &then);
    world_stop(&w);
}

TEST(a_websocket_is_whose_the_upgrade_says_or_whose_the_exchange_was) { /* CONN-2 */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD}, other = {.name = "other"},
         third = {.name = "third"};
    wshub_upgrade_answer up = {{NULL, 0}, NULL, 0, &third, NULL};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    other.w = third.w = &w;
    c = said(&w, WANT_WS("/s"));
    EXPECT_INT(wshub_exchange_set_owner(w.hub, s.exchange, &other), WSHUB_OK);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL), WSHUB_OK);
    wshub_io_fake_text(w.net, c, "m");
    wshub_io_fake_end(w.net, c);
    EXPECT_LOG(&w, "head s;101 by other;text m to other;closed 1006  by 1 other;");

    c = said(&w, WANT_WS("/s"));
    EXPECT_INT(wshub_exchange_set_owner(w.hub, s.exchange, &other), WSHUB_OK);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, &up, NULL), WSHUB_OK);
    wshub_io_fake_text(w.net, c, "m");
    EXPECT_INT(wshub_exchange_set_owner(w.hub, s.exchange, &s), WSHUB_ERR_STALE);
    wshub_io_fake_end(w.net, c);
    EXPECT_LOG(&w, "head s;101 by other;text m to third;closed 1006  by 1 third;");
    world_stop(&w);
}

/* ---- heads ---- */

#define LONG_HEAD                                                                                  \
    "POST /s/x?q=%201 HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-One:  1 \r\nContent-Length: 4\r\n\r\n"

static bool head_is_long(const wshub_http *http) {
    return http && wshub_str_eq_z(http->method, "POST") &&
           wshub_str_eq_z(http->target, "/s/x?q=%201") && wshub_str_eq_z(http->path, "/s/x") &&
           wshub_str_eq_z(http->query, "q=%201") && http->headers_count == 4 &&
           wshub_str_eq_z(wshub_http_header(http, "host"), "h") &&
           wshub_http_header(http, "X-Empty").len == 0 &&
           wshub_str_eq_z(wshub_http_header(http, "X-One"), "1") && http->body_bytes == 4;
}
static void look_at_head(site *s, wshub *hub) {
    EXPECT(head_is_long(wshub_exchange_http(hub, s->exchange)));
    EXPECT(wshub_exchange_http(hub, s->exchange) == s->http);
    EXPECT_INT(s->http->body.len, 0);
}
static void look_at_body(site *s, wshub *hub) {
    const wshub_http *http = wshub_exchange_http(hub, s->exchange);
    EXPECT(head_is_long(http));
    EXPECT(http && wshub_str_eq_z(http->body, "body"));
}
static void look_at_gone(site *s, wshub *hub) {
    const wshub_http *http = wshub_exchange_http(hub, s->exchange);
    EXPECT(head_is_long(http));
    EXPECT(http && http->body.len == 0);
}
static void look_in_vain(site *s, wshub *hub) {
    EXPECT(!wshub_exchange_http(hub, s->exchange));
}
static void look_when_answering(site *s, wshub *hub, wshub_headers *more) {
    (void)more;
    EXPECT(s->http == wshub_exchange_http(hub, s->exchange));
    site_note(s, head_is_long(s->http) ? "head seen by" : "no head for");
}

static void head_is_kept(bool keeps, uint32_t cut) {
    site s = {.name = "s", .take = WSHUB_TAKE_BODY};
    world w;
    wshub_conn c;
    s.at_head = look_at_head;
    s.at_body = look_at_body;
    s.at_answer = look_when_answering;
    s.at_gone = keeps ? look_at_gone : look_in_vain;
    world_start(&w, DESC(0), FAKE(.cut_bytes = cut));
    MOUNT(&w, &s, .path = "/s/", .prefix = true, .keep_head = keeps);
    c = said(&w, LONG_HEAD);
    EXPECT_INT(head_is_long(wshub_exchange_http(w.hub, s.exchange)), keeps);
    say(&w, c, "body");
    EXPECT_INT(head_is_long(wshub_exchange_http(w.hub, s.exchange)), keeps);
    EXPECT_INT(answer(w.hub, s.exchange, "x"), WSHUB_OK);
    EXPECT(!wshub_exchange_http(w.hub, s.exchange));
    EXPECT_LOG(&w, keeps ? "head s;body body to s;200 by s;head seen by s;"
                         : "head s;body body to s;200 by s;no head for s;");

    /* told of at its end */
    say(&w, c, LONG_HEAD "body");
    wshub_io_fake_end(w.net, c);
    EXPECT_LOG(&w, "head s;body body to s;gone 1 s;");

    /* answered in on_head and in on_body: there it is in any case */
    s.at_body = do_answer;
    c = said(&w, LONG_HEAD "body");
    EXPECT_LOG(&w, "head s;body body to s;200 by s;head seen by s;");
    s.at_head = do_answer;
    c = said(&w, LONG_HEAD "body");
    EXPECT_LOG(&w, "head s;200 by s;head seen by s;");

    /* and of a WebSocket there is none */
    s.at_head = do_upgrade;
    s.at_answer = NULL;
    c = said(&w, WANT_WS("/s/x"));
    EXPECT(!wshub_exchange_http(w.hub, s.exchange));
    EXPECT_LOG(&w, "head s;101 by s;");
    world_stop(&w);
}

TEST(a_head_is_kept_as_long_as_its_exchange_if_its_mount_wants_that) { /* CONN-3 */
    uint32_t cut;
    for (cut = 0; cut < 2; cut++) {
        head_is_kept(false, cut);
        head_is_kept(true, cut);
    }
}

TEST(a_head_that_cannot_be_kept_ends_its_stream) { /* CONN-3 */
    static const wshub_take takes[] = {WSHUB_TAKE_BODY, WSHUB_TAKE_HELD};
    size_t i;
    int dropped = 0;
    long nth;
    for (i = 0; i < 2; i++) {
        for (nth = 1; nth < 8; nth++) {
            site s = {.name = "s"};
            world w;
            wshub_conn c;
            world_start(&w, DESC(0), FAKE(0));
            MOUNT(&w, &s, .path = "/", .prefix = true, .keep_head = true);
            s.take = takes[i];
            c = wshub_io_fake_open(w.net);
            w.fail_at = nth;
            say(&w, c, i ? WANT("/s?a") : WANT("/s"));
            w.fail_at = 0;
            if (s.gone) {
                dropped++;
                EXPECT_INT(s.cause, WSHUB_BY_MEMORY);
                EXPECT(!wshub_io_fake_is_open(w.net, c));
            } else if (wshub_io_fake_is_open(w.net, c)) {
                EXPECT_INT(answer(w.hub, s.exchange, "x"), WSHUB_OK);
            }
            world_stop(&w);
        }
    }
    EXPECT_OP(dropped, >=, 2);
}

/* ---- HEAD, OPTIONS, requests behind one another ---- */

TEST(an_answer_to_head_has_the_length_and_not_the_body) { /* CONN-5, RFC 9110 9.3.2 */
    site s = {.name = "s", .take = WSHUB_TAKE_BODY, .at_body = do_answer};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, "HEAD /s HTTP/1.1\r\nHost: h\r\n\r\n" WANT("/s"));
    EXPECT_SENT(&w, c, "200", "Content-Length: 1\r\n\r\nHTTP/1.1 200");
    s.at_body = do_refuse;
    c = said(&w, "HEAD /s HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_HAS(sent(&w, c), "Content-Length: 9\r\nConnection: close\r\n\r\n");
    EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);
    world_stop(&w);
}

#define ALL_METHODS "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"

TEST(options_that_nobody_takes_are_answered_with_what_is_allowed) { /* RFC 9110 9.3.7 */
    static const struct {
        const char *ask, *status, *allow;
    } t[] = {
        {"OPTIONS /said HTTP/1.1\r\nHost: h\r\n\r\n", "204", "Allow: GET, POST\r\n"},
        {"OPTIONS /usual HTTP/1.1\r\nHost: h\r\n\r\n", "204", ALL_METHODS},
        {"OPTIONS /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", "204", ALL_METHODS},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "204", ALL_METHODS},
        {"DELETE /said HTTP/1.1\r\nHost: h\r\n\r\n", "404", "Not Found\n"},
    };
    site said_ = {.name = "said"}, usual = {.name = "usual"};
    size_t i;
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &said_, .path = "/said", .allow = "GET, POST");
    MOUNT(&w, &usual, .path = "/usual");
    c = wshub_io_fake_open(w.net);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        const char *out;
        say(&w, c, t[i].ask);
        out = sent(&w, c);
        EXPECT(strncmp(out + 9, t[i].status, 3) == 0 && strstr(out, t[i].allow));
        EXPECT_INT(strstr(out, "Content-Length") == NULL, i < 4);
    }

    /* Who takes it answers for itself. */
    usual.take = WSHUB_TAKE_DONE;
    usual.at_head = do_answer;
    say(&w, c, "OPTIONS /usual HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_SENT(&w, c, "200", "usual");
    world_stop(&w);
}

TEST(requests_behind_one_another_go_to_their_mounts_in_order) { /* CONN-5 */
    uint32_t cut;
    for (cut = 0; cut < 3; cut++) {
        site a = {.name = "a", .take = WSHUB_TAKE_HELD},
             b = {.name = "b", .take = WSHUB_TAKE_BODY, .at_body = do_answer};
        world w;
        wshub_conn c;
        world_start(&w, DESC(0), FAKE(.cut_bytes = cut));
        MOUNT(&w, &a, .path = "/a");
        MOUNT(&w, &b, .path = "/b");
        c = said(&w, POST("/b", "2") "b1" WANT("/a") POST("/b", "2") "b2" WANT("/a") WANT("/c"));
        EXPECT_LOG(&w, "head b;body b1 to b;200 by b;head a;");
        EXPECT_INT(answer(w.hub, a.exchange, "a1"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_LOG(&w, "200 by a;head b;body b2 to b;200 by b;head a;");
        EXPECT_INT(answer(w.hub, a.exchange, "a2"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_LOG(&w, "200 by a;");
        {
            const char *out = sent(&w, c), *at = out;
            static const char *const ends[] = {"\r\n\r\nb", "\r\n\r\na1", "\r\n\r\nb", "\r\n\r\na2",
                                               "\r\n\r\nNot Found\n"};
            size_t i;
            for (i = 0; at && i < 5; i++) {
                at = strstr(at, ends[i]);
                if (at) at += strlen(ends[i]);
            }
            EXPECT(at && !*at);
        }
        EXPECT_INT(stats(&w).http_requests, 5);
        world_stop(&w);
    }
}
