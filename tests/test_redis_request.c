/* Any command of the broker, in the pipeline of what is published (wshub_bus.request): answers in
 * order at every cut, shown whole; what would change the connection is refused; limits; and an
 * end for each that has no answer, exactly one. */
#include "hubtest.h"
#include "redis_site.h"
#include "redis_ask.h"

/* A site that is up, whose publishing connection says nothing any more but what the test says. */
static broker_link *start_frozen(site *s, wshub_bus_redis_desc rd, wshub_io_fake_desc fd) {
    broker *b = fresh();
    broker_link *pub;
    wshub_str out;
    site_start(s, b, rd, DESC(.heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF), fd);
    site_advance(s, 300);
    EXPECT_INT(rstats(s).state, WSHUB_BUS_UP);
    pub = pub_link(b);
    EXPECT(pub != NULL);
    pub->frozen = true;
    out = wshub_io_fake_output(s->w.net, pub->conn);
    EXPECT_INT(out.len, 0);
    return pub;
}

/* ---- answers of every shape ---- */

static const struct {
    const char *wire, *shown;
    /* clang-format off */
} shapes[] = {
    {"+OK\r\n", "\"OK\""},
    {"$5\r\na\r\nb\n\r\n", "\"a\r\nb\n\""},
    {"$0\r\n\r\n", "\"\""},
    {":0\r\n", "0"},
    {":9223372036854775807\r\n", "9223372036854775807"},
    {":-9223372036854775808\r\n", "-9223372036854775808"},
    {"-WRONGTYPE no list\r\n", "!\"WRONGTYPE no list\""},
    {"!5\r\nERR x\r\n", "!\"ERR x\""},
    {"$-1\r\n", "null"},
    {"*-1\r\n", "null"},
    {"_\r\n", "null"},
    {"#t\r\n", "1"},
    {"#f\r\n", "0"},
    {",3.25\r\n", "\"3.25\""},
    {"(3492890328409238509324850943850943825024385\r\n", "\"3492890328409238509324850943850943825024385\""},
    {"=8\r\ntxt:word\r\n", "\"word\""},
    {"=3\r\nodd\r\n", "\"odd\""},
    {"*0\r\n", "[]"},
    {"%0\r\n", "[]"},
    {"~0\r\n", "[]"},
    {"*2\r\n$4\r\nws:a\r\n:3\r\n", "[\"ws:a\" 3]"},
    {"*3\r\n*2\r\n:1\r\n:2\r\n*0\r\n*1\r\n*1\r\n$1\r\nx\r\n", "[[1 2] [] [[\"x\"]]]"},
    {"*2\r\n*-1\r\n*2\r\n-ERR a\r\n$-1\r\n", "[null [!\"ERR a\" null]]"},
    {"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", "[\"a\" 1 \"b\" [2]]"},
    {"~2\r\n#t\r\n,1\r\n", "[1 \"1\"]"},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "[[[[[[[[1]]]]]]]]"},
    {"*10\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n", "[0 1 2 3 4 5 6 7 8 9]"},
    /* attributes are no part of what they stand before, wherever that is */
    {"|1\r\n+ttl\r\n:3\r\n+OK\r\n", "\"OK\""},
    {"|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n*1\r\n:5\r\n", "[5]"},
    {"*2\r\n|1\r\n+a\r\n*1\r\n:9\r\n:7\r\n*1\r\n|0\r\n:8\r\n", "[7 [8]]"},
    {"*2\r\n|1\r\n|1\r\n+b\r\n:1\r\n+a\r\n:2\r\n:7\r\n:8\r\n", "[7 8]"},
    /* what looks like a message, a push, or an acknowledgement is an answer here */
    {"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n", "[\"message\" \"c\" \"p\"]"},
    {"*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n", "[\"unsubscribe\" \"c\" 0]"},
    {">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n:4\r\n", "4"},
};
/* clang-format on */

TEST(answers_of_every_shape_come_whole_and_in_order_at_every_cut) {
    static site s;
    broker_link *pub = start_frozen(&s, BUSDESC(.resp3 = true), FAKE(0));
    size_t i, cut;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char wire[400], want[400];
        size_t n =
            (size_t)snprintf(wire, sizeof wire, ":2\r\n%s:1\r\n$-1\r\n:0\r\n", shapes[i].wire);
        (void)snprintf(want, sizeof want, "a: %s\nb: null\n", shapes[i].shown);
        for (cut = 0; cut <= n; cut++) {
            answers got = {.len = 0};
            question a = {&got, "a"}, b = {&got, "b"};
            uint64_t receivers = rstats(&s).receivers;

            /* A publication before, between and behind: PUBLISH ECHO PUBLISH ECHO PUBLISH. */
            site_send(&s, "r", "1");
            ask(s.w.hub, &a, WSHUB_OK);
            site_send(&s, "r", "2");
            ask(s.w.hub, &b, WSHUB_OK);
            site_send(&s, "r", "3");
            EXPECT_INT(got.count, 0);
            EXPECT_INT(rstats(&s).requests_pending, 2);
            EXPECT_INT(rstats(&s).pending, 3);

            broker_say(pub, wire, cut);
            broker_say(pub, wire + cut, n - cut);
            if (strcmp(got.text, want) != 0) (void)printf("  %zu cut at %zu: %s", i, cut, got.text);
            EXPECT_STR(got.text, want);
            EXPECT_INT(rstats(&s).receivers, receivers + 3);
            EXPECT_INT(rstats(&s).requests_pending + rstats(&s).pending, 0);
        }
    }
    EXPECT_INT(rstats(&s).downs, 0);
    EXPECT_INT(rstats(&s).requests_lost, 0);
    site_stop(&s);
}

TEST(a_command_is_written_as_its_words_are_and_leaves_in_its_turn) {
    static site s;
    broker_link *pub = start_frozen(&s, BUSDESC(.channel_prefix = "x:"), FAKE(0));
    answers got = {.len = 0};
    question q = {&got, "q"};
    static const char wire[] = "*3\r\n$4\r\neval\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n";
    wshub_str argv[3], out;
    argv[0] = wshub_str_z("eval");
    argv[1].ptr = "a\0\r\n";
    argv[1].len = 4;
    argv[2].ptr = NULL;
    argv[2].len = 0;
    EXPECT_INT(wshub_bus_request(s.w.hub, argv, 3, answered, &q), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    out = wshub_io_fake_output(s.w.net, pub->conn);
    EXPECT_INT(out.len, sizeof wire - 1);
    EXPECT(out.len == sizeof wire - 1 && memcmp(out.ptr, wire, out.len) == 0);
    broker_say_z(pub, "+OK\r\n");
    EXPECT_STR(got.text, "q: \"OK\"\n");
    site_stop(&s);
}

TEST(requests_among_publications_over_every_kind_of_io) { /* generated: what is said, and when */
    static const wshub_io_fake_desc ways[] = {{0},
                                              {.cut_bytes = 1},
                                              {.take_bytes = 7},
                                              {.completion = true},
                                              {.completion = true, .take_bytes = 5}};
    enum { MANY = 300 };
    static question q[MANY];
    static char names[MANY][16];
    uint32_t dice = 1;
    int way, resp3;
    for (way = 0; way < 5; way++) {
        for (resp3 = 0; resp3 < 2; resp3++) {
            static site s;
            static answers got;
            broker *b = fresh();
            const char *at = got.text;
            int i, sent = 0;
            memset(&got, 0, sizeof got);
            site_start(&s, b, BUSDESC(.resp3 = resp3), DESC(.idle_timeout_ms = WSHUB_OFF),
                       ways[way]);
            site_advance(&s, 100);
            for (i = 0; i < MANY;) {
                dice = dice * 1664525u + 1013904223u;
                switch (dice >> 8 & 7) {
                case 0: site_advance(&s, dice >> 16 & 63); break; /* heartbeats, too */
                case 1:
                case 2:
                    site_send(&s, "r", "1");
                    sent++;
                    break;
                default:
                    (void)snprintf(names[i], sizeof names[i], "%d", i);
                    q[i].a = &got;
                    q[i].name = names[i];
                    ask(s.w.hub, &q[i], WSHUB_OK);
                    i++;
                }
            }
            site_advance(&s, 100);
            EXPECT_INT(got.count, MANY);
            for (i = 0; i < MANY; i++) {
                char line[40];
                (void)snprintf(line, sizeof line, "%d: \"%d\"\n", i, i);
                EXPECT(strncmp(at, line, strlen(line)) == 0);
                at += strlen(line);
            }
            EXPECT_INT(rstats(&s).published, sent);
            EXPECT_INT(rstats(&s).pending + rstats(&s).requests_pending + rstats(&s).downs, 0);
            site_stop(&s);
        }
    }
}

/* ---- what is refused ---- */

static const char *problem_of(const char *words) {
    static char copy[200];
    wshub_str argv[20];
    size_t argc = 0;
    char *at;
    (void)snprintf(copy, sizeof copy, "%s", words);
    for (at = strtok(copy, " "); at; at = strtok(NULL, " ")) argv[argc++] = wshub_str_z(at);
    return wshub_bus_redis_request_problem(argv, argc);
}

TEST(what_would_change_the_connection_or_hold_it_up_is_refused_with_the_reason) {
    static const struct {
        const char *words, *why; /* NULL: it is taken */
        /* clang-format off */
    } cases[] = {
        {"SUBSCRIBE c", "subscriber"}, {"psubscribe c*", "subscriber"}, {"sSubscribe c", "subscriber"},
        {"UNSUBSCRIBE", "one reply"}, {"PUNSUBSCRIBE", "one reply"}, {"SUNSUBSCRIBE", "one reply"},
        {"MULTI", "transaction"}, {"exec", "transaction"}, {"DISCARD", "transaction"}, {"WATCH k", "transaction"}, {"UNWATCH", "transaction"},
        {"HELLO", "description"}, {"hello 3", "description"}, {"AUTH p", "description"}, {"SELECT 1", "description"},
        {"CLIENT SETNAME x", "description"}, {"client setinfo lib-name x", "description"}, {"CLIENT NO-EVICT on", "description"}, {"CLIENT NO-TOUCH on", "description"},
        {"QUIT", "end the connection"}, {"RESET", "end the connection"}, {"SYNC", "another"}, {"PSYNC ? -1", "another"}, {"REPLCONF ack 0", "another"}, {"SCRIPT DEBUG YES", "another"},
        {"MONITOR", "nobody asked for"}, {"client reply off", "stay away"}, {"CLIENT TRACKING on", "nobody asked for"}, {"CLIENT CACHING yes", "nobody asked for"},
        {"ASKING", "Cluster"}, {"READONLY", "Cluster"}, {"READWRITE", "Cluster"},
        {"BLPOP k 0", "waits"}, {"BRPOP k 0", "waits"}, {"BRPOPLPUSH a b 0", "waits"}, {"BLMOVE a b LEFT LEFT 0", "waits"}, {"BLMPOP 0 1 k LEFT", "waits"},
        {"BZPOPMIN k 0", "waits"}, {"BZPOPMAX k 0", "waits"}, {"BZMPOP 0 1 k MIN", "waits"}, {"WAIT 1 0", "waits"}, {"WAITAOF 1 1 0", "waits"},
        {"XREAD BLOCK 0 STREAMS s $", "waits"}, {"XREAD COUNT 1 COUNT 2 COUNT 3 block 0 STREAMS s $", "waits"}, {"xreadgroup GROUP g c COUNT 1 NOACK BLOCK 0 STREAMS s >", "waits"},
        {"", "a command is required"},
        {"GET k", NULL}, {"PUBSUB NUMSUB ws:room:a", NULL}, {"SET k v NX PX 100", NULL}, {"PUBLISH c m", NULL}, {"CLIENT", NULL}, {"CLIENT LIST", NULL}, {"CLIENT KILL ID 1", NULL},
        {"CLIENT LIST REPLY", NULL}, {"SCRIPT LOAD x", NULL}, {"XREAD STREAMS BLOCK 0", NULL}, {"XREAD COUNT 2 STREAMS s 0", NULL}, {"XREADGROUP GROUP BLOCK BLOCK STREAMS s >", NULL},
        {"SUBSCRIB", NULL}, {"SUBSCRIBER", NULL}, {"WAI", NULL}, {"PING", NULL},
    };
    /* clang-format on */
    static site s;
    broker_link *pub = start_frozen(&s, BUSDESC(.output_bytes_max = 2000), FAKE(0));
    static wshub_str many[WSHUB_BUS_REDIS_WORDS_MAX + 1];
    static char text[3000];
    answers got = {.len = 0};
    question q = {&got, "q"};
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = problem_of(cases[i].words);
        if (!why != !cases[i].why) (void)printf("  %s: %s\n", cases[i].words, why ? why : "taken");
        EXPECT(!why == !cases[i].why);
        EXPECT(!why || (strstr(why, cases[i].why) && strncmp(why, "request: ", 9) == 0));
    }

    /* Refused, nothing is said and nobody is called, however the bus stands. */
    many[0] = wshub_str_z("subscribe");
    many[1] = wshub_str_z("c");
    EXPECT_INT(wshub_bus_request(s.w.hub, many, 2, answered, &q), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_request(s.w.hub, many, 0, answered, &q), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_request(s.w.hub, NULL, 1, answered, &q), WSHUB_ERR_PARAM);
    EXPECT_INT(s.redis->bus.request(s.redis->bus.ctx, many, 2, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT(wshub_bus_redis_request_problem(NULL, 1) != NULL);

    /* As many words as there may be, and as many bytes; one more is too many. */
    for (i = 0; i <= WSHUB_BUS_REDIS_WORDS_MAX; i++) many[i] = wshub_str_z("w");
    EXPECT_INT(wshub_bus_request(s.w.hub, many, WSHUB_BUS_REDIS_WORDS_MAX + 1, answered, &q),
               WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_bus_redis_request_problem(many, WSHUB_BUS_REDIS_WORDS_MAX + 1), "words");
    memset(text, 'x', sizeof text);
    many[1].ptr = text;
    many[1].len = 2000;
    EXPECT_INT(wshub_bus_request(s.w.hub, many, 2, answered, &q), WSHUB_ERR_PARAM);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(wshub_io_fake_output(s.w.net, pub->conn).len, 0);
    many[1].len = 1999;
    EXPECT_INT(wshub_bus_request(s.w.hub, many, 2, answered, &q), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    many[1].len = 1;
    EXPECT_INT(wshub_bus_request(s.w.hub, many, WSHUB_BUS_REDIS_WORDS_MAX, answered, &q), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(got.count, 0);
    broker_say_z(pub, ":1\r\n:2\r\n");
    EXPECT_STR(got.text, "q: 1\nq: 2\n");
    site_stop(&s);
}

TEST(so_many_may_wait_and_no_more_and_only_on_a_bus_that_is_up) {
    static site s;
    broker_link *pub =
        start_frozen(&s, BUSDESC(.requests_max = 40, .output_bytes_max = 1500), FAKE(0));
    answers got = {.len = 0};
    question q = {&got, "q"};
    int i;
    for (i = 0; i < 40; i++) ask(s.w.hub, &q, WSHUB_OK);
    ask(s.w.hub, &q, WSHUB_ERR_LIMIT);
    EXPECT_INT(rstats(&s).requests_pending, 40);
    wshub_io_fake_run(s.w.net);
    broker_say_z(pub, ":1\r\n");
    ask(s.w.hub, &q, WSHUB_OK);
    ask(s.w.hub, &q, WSHUB_ERR_LIMIT);
    for (i = 0; i < 40; i++) broker_say_z(pub, ":1\r\n");
    EXPECT_INT(got.count, 41);
    EXPECT_INT(rstats(&s).requests, 41);

    /* A connection that does not take what is said: nothing more is taken than output_bytes_max. */
    wshub_io_fake_window(s.w.net, pub->conn, 0);
    for (i = 0; i < 40; i++) {
        wshub_str argv[2];
        static char text[400];
        memset(text, 'x', sizeof text);
        argv[0] = wshub_str_z("ECHO");
        argv[1].ptr = text;
        argv[1].len = sizeof text;
        if (wshub_bus_request(s.w.hub, argv, 2, answered, &q) != WSHUB_OK) break;
    }
    EXPECT_INT(i, 4);
    ask(s.w.hub, &q, WSHUB_ERR_LIMIT);
    EXPECT(rstats(&s).output_bytes >= 1500 && rstats(&s).output_bytes < 2000);
    site_stop(&s);
    EXPECT_INT(got.count, 45); /* the four were lost */

    { /* before the first connection, and after the last */
        broker *b = fresh();
        b->away = true;
        site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
        ask(s.w.hub, &q, WSHUB_ERR_STATE);
        b->away = false;
        b->hold_acks = true;
        site_advance(&s, 200);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_CONNECTED);
        ask(s.w.hub, &q, WSHUB_ERR_STATE);
        b->hold_acks = false;
        site_advance(&s, 100);
        ask(s.w.hub, &q, WSHUB_OK);
        site_advance(&s, 10);
        EXPECT_INT(got.count, 46);
        EXPECT_HAS(got.text, "q: \"q\"\n");
        b->refuse = "ECHO";
        ask(s.w.hub, &q, WSHUB_OK);
        site_advance(&s, 10);
        EXPECT_INT(got.count, 47);
        EXPECT_HAS(got.text, "q: !\"NOPERM this user has no permissions\"\n");
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP); /* an answer that is an error is an answer */
        broker_drop_all(b);
        site_run(&s);
        ask(s.w.hub, &q, WSHUB_ERR_STATE);
        site_stop(&s);
        EXPECT_INT(got.count, 47);
    }
}

/* ---- answers over the limits ---- */

TEST(an_answer_with_a_text_over_the_limit_is_an_error_and_the_next_is_right) {
    static const char *const wires[] = {"$%zu\r\n%s\r\n", "*3\r\n:1\r\n$%zu\r\n%s\r\n:2\r\n",
                                        "=%zu\r\n%s\r\n", "*1\r\n*1\r\n!%zu\r\n%s\r\n"};
    static site s;
    static char text[2000], wire[3000];
    broker_link *pub = start_frozen(&s, BUSDESC(.message_bytes_max = 1024), FAKE(0));
    size_t i, cut, n;
    for (i = 0; i < sizeof wires / sizeof *wires; i++) {
        for (n = 1024; n <= 1300; n += 138) { /* as long as may be, and longer */
            size_t len;
            memset(text, 'x', n);
            text[n] = 0;
            len =
                (size_t)snprintf(wire, sizeof wire, wires[i], n, text); /* NOLINT: our own forms */
            len += (size_t)snprintf(wire + len, sizeof wire - len, "$2\r\nhi\r\n");
            for (cut = 0; cut <= len; cut += cut < 40 || cut > len - 40 ? 1 : 61) {
                answers got = {.len = 0};
                question a = {&got, "a"}, b = {&got, "b"};
                uint64_t oversized = rstats(&s).requests_oversized;
                bool over = n > 1024;
                ask(s.w.hub, &a, WSHUB_OK);
                ask(s.w.hub, &b, WSHUB_OK);
                wshub_io_fake_run(s.w.net);
                broker_say(pub, wire, cut);
                broker_say(pub, wire + cut, len - cut);
                EXPECT_INT(got.count, 2);
                EXPECT_INT(strcmp(got.text, "a: !\"the answer has a text over message_bytes_max\"\n"
                                            "b: \"hi\"\n") == 0,
                           over);
                EXPECT(got.len > 8 && strcmp(got.text + got.len - 8, "b: \"hi\"\n") == 0);
                EXPECT_INT(rstats(&s).requests_oversized, oversized + over);
            }
        }
    }
    EXPECT_INT(rstats(&s).downs, 0);
    EXPECT_INT(rstats(&s).oversized, 0); /* those are messages */
    site_stop(&s);
}

/* ---- an end for each, once ---- */

enum { WAYS = 8 };

TEST(whoever_waits_when_the_connection_ends_is_told_exactly_once) {
    static const char *const ends[WAYS] = {
        "*4097\r\n",                                              /* too many parts */
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", /* too deep */
        "nonsense\r\n",
        NULL, /* the broker goes */
        NULL, /* it says nothing any more */
        NULL, /* the hub is destroyed */
        NULL, /* the subscriber's connection is lost */
        NULL, /* the hub is shut down */
    };
    int way, answered_first;
    for (way = 0; way < WAYS; way++) {
        for (answered_first = 0; answered_first < 4; answered_first++) {
            static site s;
            broker_link *pub = start_frozen(&s, BUSDESC(.heartbeat_timeout_ms = 1500), FAKE(0));
            answers got = {.len = 0};
            question q[4] = {{&got, "a"}, {&got, "b"}, {&got, "c"}, {&got, "d"}};
            char want[100] = "";
            int i;
            for (i = 0; i < 4; i++) {
                ask(s.w.hub, &q[i], WSHUB_OK);
                (void)snprintf(want + strlen(want), sizeof want - strlen(want), "%s: %s\n",
                               q[i].name, i < answered_first ? "1" : "lost");
            }
            wshub_io_fake_run(s.w.net);
            for (i = 0; i < answered_first; i++) broker_say_z(pub, ":1\r\n");
            EXPECT_INT(got.count, answered_first);

            if (ends[way]) broker_say_z(pub, ends[way]);
            if (way == 3) broker_drop_all(s.b);
            if (way == 4) {
                site_advance(&s, 1400);
                EXPECT_INT(got.count, answered_first); /* it is waited for */
                site_advance(&s, 1400);
            }
            if (way == 5) {
                wshub_destroy(s.w.hub);
                s.w.hub = NULL;
            }
            if (way == 6) broker_drop(s.b, sub_link(s.b), true);
            if (way == 7) {
                EXPECT_INT(wshub_shutdown(s.w.hub), WSHUB_OK);
                site_advance(&s, 6000);
            }
            wshub_io_fake_run(s.w.net);
            if (strcmp(got.text, want) != 0) (void)printf("  way %d: %s", way, got.text);
            EXPECT_STR(got.text, want);
            EXPECT_INT(rstats(&s).requests_lost, 4 - answered_first);
            EXPECT_INT(rstats(&s).requests_pending, 0);

            /* And the next connection owes nothing of it. */
            if (way != 5 && way != 7) {
                site_advance(&s, 2000);
                EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
                ask(s.w.hub, &q[0], WSHUB_OK);
                site_advance(&s, 10);
                EXPECT_INT(got.count, 5);
            }
            site_stop(&s);
            EXPECT_INT(got.count, way == 5 || way == 7 ? 4 : 5);
        }
    }
}

TEST(an_answer_may_ask_again_and_may_end_the_hub) {
    int way;
    for (way = 0; way < 4; way++) { /* answered or lost; asking again, or ending the hub */
        static site s;
        bool lost = way & 1, ends = way & 2;
        broker_link *pub = start_frozen(&s, BUSDESC(0), FAKE(0));
        answers got = {.len = 0};
        question q[3] = {{&got, "a"}, {&got, "b"}, {&got, "c"}};
        int i;
        for (i = 0; i < 3; i++) ask(s.w.hub, &q[i], WSHUB_OK);
        wshub_io_fake_run(s.w.net);
        if (ends) got.destroy = s.w.hub;
        if (!ends) got.again = s.w.hub;
        if (ends) s.w.hub = NULL; /* the self-check of each step looks at it */

        if (lost)
            broker_drop_all(s.b);
        else
            broker_say_z(pub, "*2\r\n:1\r\n$2\r\nxy\r\n:2\r\n");
        wshub_io_fake_run(s.w.net);
        if (!lost && !ends) {
            EXPECT_STR(got.text, "a: [1 \"xy\"]\nb: 2\n");
            broker_say_z(pub, ":3\r\n:4\r\n");
            EXPECT_STR(got.text, "a: [1 \"xy\"]\nb: 2\nc: 3\nagain: 4\n");
        } else {
            EXPECT_STR(got.text,
                       lost ? "a: lost\nb: lost\nc: lost\n" : "a: [1 \"xy\"]\nb: lost\nc: lost\n");
        }
        site_stop(&s);
    }
}

/* An owner that is no hub: it leaves as soon as it is told that the broker is gone. */
typedef struct leaver {
    wshub_bus bus;
    int lost, lost_when_left;
    bool up, left;
} leaver;
static void leaver_heard(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)channel;
    (void)payload;
}
static void leaver_state(void *ctx, wshub_bus_state state) {
    leaver *l = (leaver *)ctx;
    EXPECT(!l->left);
    l->up = state == WSHUB_BUS_UP;
    if (state != WSHUB_BUS_DOWN) return;
    EXPECT_INT(l->bus.attach(l->bus.ctx, NULL), WSHUB_OK);
    l->left = true;
    l->lost_when_left = l->lost;
}
static void leaver_replied(void *arg, const wshub_bus_reply *reply) {
    leaver *l = (leaver *)arg;
    EXPECT(!reply && !l->left);
    l->lost++;
}

TEST(who_leaves_when_the_connection_is_lost_has_been_told_of_every_request) {
    wshub_io_fake *net;
    wshub_bus_redis *redis;
    wshub_bus_owner owner;
    broker *b = fresh();
    wshub_str ping = wshub_str_z("PING");
    leaver l;
    int i;
    memset(&l, 0, sizeof l);
    memset(&owner, 0, sizeof owner);
    owner.ctx = &l;
    owner.received = leaver_heard;
    owner.state = leaver_state;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(
        wshub_bus_redis_create(
            &(wshub_bus_redis_desc){.io = wshub_io_fake_io(net), .url = "redis://broker"}, &redis),
        WSHUB_OK);
    l.bus = *wshub_bus_redis_bus(redis);
    EXPECT_INT(l.bus.attach(l.bus.ctx, &owner), WSHUB_OK);
    for (i = 0; i < 100; i++) {
        wshub_io_fake_advance(net, 1);
        (void)broker_step(b, net);
    }
    EXPECT(l.up);
    for (i = 0; i < 5; i++)
        EXPECT_INT(l.bus.request(l.bus.ctx, &ping, 1, leaver_replied, &l), WSHUB_OK);
    broker_drop_all(b);
    wshub_io_fake_run(net);
    EXPECT(l.left);
    EXPECT_INT(l.lost_when_left, 5);
    EXPECT_INT(l.lost, 5);

    /* It may be taken again, and owes nothing. */
    l.left = false;
    EXPECT_INT(l.bus.attach(l.bus.ctx, &owner), WSHUB_OK);
    for (i = 0; i < 100; i++) {
        wshub_io_fake_advance(net, 1);
        (void)broker_step(b, net);
    }
    EXPECT(l.up);
    EXPECT_INT(l.bus.attach(l.bus.ctx, NULL), WSHUB_OK);
    l.left = true;
    wshub_bus_redis_destroy(redis);
    broker_drop_all(b);
    wshub_io_fake_destroy(net);
    EXPECT_INT(l.lost, 5);
}

/* Each allocation on the way of a request fails, once: a refusal, or the end of the connection and
 * of each that waits; nothing is held, and nobody is forgotten. */
TEST(every_allocation_on_the_way_of_a_request_may_fail) {
    int n, lost = 0, refused = 0;
    for (n = 1; n < 12; n++) {
        static site s;
        broker_link *pub = start_frozen(&s, BUSDESC(0), FAKE(0));
        answers got = {.len = 0};
        question q = {&got, "q"};
        wshub_str argv[2];
        int i, taken = 0;
        static char text[3000];
        memset(text, 'x', sizeof text);
        argv[0] = wshub_str_z("ECHO");
        argv[1].ptr = text;
        argv[1].len = sizeof text;
        s.w.fail_at = n;
        for (i = 0; i < 3; i++) {
            wshub_err err = wshub_bus_request(s.w.hub, argv, 2, answered, &q);
            EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
            taken += err == WSHUB_OK;
            refused += err == WSHUB_ERR_NOMEM;
        }
        wshub_io_fake_run(s.w.net);
        for (i = 0; i < taken; i++) {
            if (rstats(&s).state != WSHUB_BUS_UP) break;
            broker_say_z(pub, "*2\r\n:1\r\n");
            if (rstats(&s).state == WSHUB_BUS_UP) broker_say_z(pub, "*1\r\n:2\r\n");
        }
        EXPECT_INT(got.count, taken);
        lost += (int)rstats(&s).requests_lost;
        s.w.fail_at = 0;
        site_advance(&s, 3000);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        site_stop(&s);
        EXPECT_INT(got.count, taken);
    }
    EXPECT(refused > 0 && lost > 0);
}
