/* The Redis bus's connections on the fake io: everything a broker can say or fail to say,
 * refusals, roles, Sentinels, and healing (BUS-5; REDIS.md in its own words). */
#include "hubtest.h"
#include "redis_site.h"

#define NOTES(s, want)                                                                             \
    do {                                                                                           \
        if (strcmp((s)->w.log, want) != 0) {                                                       \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: noted %s\n    expected %s\n", __FILE__, __LINE__, (s)->w.log,   \
                         want);                                                                    \
        }                                                                                          \
        (s)->w.log_len = 0;                                                                        \
        (s)->w.log[0] = 0;                                                                         \
    } while (0)

TEST(it_starts_without_a_broker_tries_for_ever_and_heals) { /* jittered 50 ms to 5 s; BUS-5 */
    static site s;
    broker *b = fresh();
    uint64_t last = 0, t, waits[40];
    size_t n = 0, i;
    wshub_conn c;
    b->away = true;
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    c = world_client(&s.w, "u", NULL);
    site_send(&s, "ws-default", "1"); /* local service goes on */
    EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
    for (t = 0; t < 60000 && n < 40; t++) {
        uint64_t before = b->dials;
        wshub_io_fake_advance(s.w.net, 1);
        site_run(&s);
        if (b->dials == before) continue;
        waits[n++] = t - last;
        last = t;
    }
    EXPECT(n >= 14 && n < 40);
    for (i = 0; i < n; i++) {
        uint64_t most = i < 8 ? 50u << i : 5000;
        if (most > 5000) most = 5000;
        EXPECT(waits[i] >= most / 2 && waits[i] <= most + 2);
    }
    EXPECT(waits[n - 1] != waits[n - 2] || waits[n - 2] != waits[n - 3]); /* jittered */
    EXPECT_HAS(s.said, "cannot use broker:6379: cannot connect: the test says no; trying again");
    NOTES(&s, "");
    EXPECT_INT(stats(&s.w).bus_dropped, 1); /* it has waited for over 2 s */
    site_send(&s, "ws-default", "2");
    b->away = false;
    b->hold_acks = true;
    /* the longest wait; the connection is there, its subscriptions are not */
    site_advance(&s, 5001);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_CONNECTED);
    NOTES(&s, "");
    EXPECT_INT(b->publishes, 0);
    b->hold_acks = false;
    site_send(&s, "ws-default", "3");
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(strncmp(s.w.log, "up(", 3) == 0);
    EXPECT_OP(b->publishes, >=, 1);
    EXPECT_HAS(s.said, "back at broker:6379");
    /* lost, and back at once: a connection that was good long enough starts from 50 ms again */
    s.w.log_len = 0;
    s.w.log[0] = 0;
    site_advance(&s, 1500);
    broker_drop_all(b);
    site_run(&s);
    NOTES(&s, "down ");
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_DOWN);
    site_advance(&s, 55);
    EXPECT(strncmp(s.w.log, "up(", 3) == 0 && atoi(s.w.log + 3) >= 25 && atoi(s.w.log + 3) <= 55);
    EXPECT_INT(stats(&s.w).bus_downs, 1);
    site_stop(&s);
}

TEST(no_silence_of_the_broker_goes_unnoticed) { /* no path without a timer */
    static site s;
    broker *b = fresh();
    /* silent from the first byte on: one deadline for all of it */
    b->mute = true;
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    site_advance(&s, 4900);
    EXPECT_INT(b->dials, 2);
    site_advance(&s, 200);
    EXPECT(b->dials > 2 && strstr(s.said, "no connection within connect_timeout_ms"));
    b->mute = false;
    site_advance(&s, 5100);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* acknowledgements that never come */
    broker_drop_all(b);
    b->hold_acks = true;
    site_advance(&s, 4900);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_CONNECTED);
    site_advance(&s, 1000);
    b->hold_acks = false;
    site_advance(&s, 6000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* a half-open connection: everything is sent, nothing is answered */
    s.w.log_len = 0;
    s.w.log[0] = 0;
    site_advance(&s, 2000);
    b->mute = true;
    site_advance(&s, 4100);
    EXPECT(strncmp(s.w.log, "down ", 5) == 0);
    EXPECT_INT(rstats(&s).silences, 1);
    EXPECT_HAS(s.said, "lost broker:6379: no answer within heartbeat_timeout_ms");
    b->mute = false;
    site_advance(&s, 5100);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* everything is answered, but what is published does not arrive: rights that were taken
     * away, say */
    site_advance(&s, 2000);
    s.said_len = 0;
    s.said[0] = 0;
    b->deaf_beats = true;
    site_advance(&s, 4100);
    EXPECT_HAS(s.said, "lost broker:6379: the heartbeat does not come back");
    b->deaf_beats = false;
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* a suspend of an hour is not the broker's fault */
    s.w.log_len = 0;
    s.w.log[0] = 0;
    wshub_io_fake_jump(s.w.net, wshub_io_fake_now(s.w.net) + 3600000);
    site_run(&s);
    site_advance(&s, 3000);
    NOTES(&s, "");
    site_stop(&s);
}

TEST(refusals_are_told_and_tried_again) {
    static const struct {
        const char *refuse, *line;
        /* clang-format off */
    } cases[] = {
        {"AUTH", "authentication is refused: NOPERM"},
        {"PING", "not ready: NOPERM"},
        {"SUBSCRIBE", "a subscription is refused: NOPERM"},
        {"PSUBSCRIBE", "a subscription is refused: NOPERM"},
        {"SELECT", "the database is refused: NOPERM"},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        static site s;
        broker *b = fresh();
        b->password = "secret";
        b->refuse = cases[i].refuse;
        site_start(&s, b, BUSDESC(.url = "redis://:secret@broker/1"), DESC(0), FAKE(0));
        site_advance(&s, 300);
        EXPECT_HAS(s.said, cases[i].line);
        EXPECT(!strstr(s.said, "secret"));
        EXPECT(rstats(&s).state != WSHUB_BUS_UP);
        EXPECT(rstats(&s).attempts > 2);
        b->refuse = NULL;
        site_advance(&s, 1000);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        /* the rights go while it runs */
        site_advance(&s, 1200);
        b->refuse = "PUBLISH";
        site_send(&s, "r", "1");
        site_run(&s);
        EXPECT_INT(rstats(&s).refused, 1);
        EXPECT_HAS(wshub_bus_redis_error(s.redis), "a publication is refused: NOPERM");
        site_advance(&s, 1100);
        EXPECT_HAS(s.said, "the heartbeat is refused: NOPERM");
        site_stop(&s);
    }
    {
        /* a name that is refused is no reason to stay away; a wrong password is told */
        static site s;
        broker *b = fresh();
        b->refuse = "CLIENT";
        b->password = "secret";
        site_start(&s, b, BUSDESC(.url = "redis://:wrong@broker"), DESC(0), FAKE(0));
        EXPECT_HAS(s.said, "WRONGPASS");
        EXPECT(!strstr(s.said, "wrong@"));
        b->password = "wrong";
        site_advance(&s, 300);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        site_stop(&s);
    }
}

TEST(nothing_a_broker_says_can_hurt) { /* trust in the broker: hiredis#1359 and the like */
    static const struct {
        const char *text;
        bool survives;
        /* clang-format off */
    } cases[] = {
        {"+OK\r\n", false},
        {"-ERR what\r\n", false},
        {":1\r\n", false},
        {"*0\r\n", false},
        {"*-1\r\n", false},
        {"$-1\r\n", false},
        {"*1\r\n$7\r\nmessage\r\n", false},
        {"*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", false},
        {"*3\r\n:1\r\n:2\r\n:3\r\n", false},
        {"*3\r\n*0\r\n*0\r\n*0\r\n", false},
        {"garbage\r\n", false},
        {"\r\n\r\n", false},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:9\r\n", false},
        {"*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:9\r\n", false},
        {"*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:-9\r\n", false},
        {"*100000000\r\n", false},
        {"$99999999999999999999\r\n", false},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", false},
        {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$4\r\nnope\r\n", true},
        {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$0\r\n\r\n", true},
        {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$-1\r\n", true},
        {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n:5\r\n", true},
        {"*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nx\r\n", true},
        {"*3\r\n$7\r\nmessage\r\n*0\r\n$1\r\nx\r\n", true},
        {"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$5\r\nother\r\n$1\r\nx\r\n", true},
        {">0\r\n", true},
        {">1\r\n:1\r\n", true},
        {">2\r\n$10\r\ninvalidate\r\n*0\r\n", true},
        {">3\r\n+message\r\n+ws:broadcast\r\n+x\r\n", true},
        {">5\r\n_\r\n_\r\n_\r\n_\r\n_\r\n", true},
        {"|1\r\n+x\r\n+y\r\n>1\r\n+z\r\n", true},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int cut;
        for (cut = 0; cut < 2; cut++) {
            static site s;
            broker *b = fresh();
            uint64_t attempts;
            site_start(&s, b, BUSDESC(0), DESC(0), FAKE(.cut_bytes = cut ? 1 : 0));
            site_advance(&s, 1100);
            attempts = rstats(&s).attempts;
            broker_say_z(sub_link(b), cases[i].text);
            site_run(&s);
            if (cases[i].survives != (rstats(&s).state == WSHUB_BUS_UP))
                (void)printf("  case %zu: %s", i, cases[i].text);
            EXPECT_INT(rstats(&s).state, cases[i].survives ? WSHUB_BUS_UP : WSHUB_BUS_DOWN);
            site_advance(&s, 100);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP); /* and back */
            EXPECT_INT(rstats(&s).attempts, attempts + (cases[i].survives ? 0 : 1));
            site_stop(&s);
        }
    }
}

TEST(a_message_before_anything_was_subscribed_is_nobodys) { /* its owner is told DOWN until then */
    static site s;
    broker *b = fresh();
    b->refuse = "PING";
    b->refusal = ">3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$56\r\n"
                 "{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}\r\n+PONG";
    b->hold_acks = true;
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    site_advance(&s, 100);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_CONNECTED);
    EXPECT_INT(rstats(&s).received, 0);
    b->hold_acks = false;
    site_advance(&s, 1500); /* with the next answer to a PING it is somebody's */
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(rstats(&s).received > 0);
    site_stop(&s);
}

TEST(what_is_to_be_encrypted_is_dialled_so) {
    int tls;
    for (tls = 0; tls < 2; tls++) {
        static site s;
        broker *b = fresh();
        const char *address = NULL;
        const wshub_dial *dial;
        wshub_conn c;
        b->hole = "broker:6379"; /* the test answers in its place */
        site_start(&s, b, BUSDESC(.url = tls ? "rediss://broker" : "redis://broker", .tls = tls),
                   DESC(0), FAKE(0));
        site_advance(&s, 10);
        EXPECT(wshub_io_fake_dialled(s.w.net, &c, &address));
        dial = wshub_io_fake_dial(s.w.net, c);
        EXPECT(dial && dial->secure == (tls == 1) && dial->verify == WSHUB_VERIFY_FULL);
        EXPECT(dial && !dial->server_name && strcmp(dial->address, "broker:6379") == 0);
        site_stop(&s);
    }
}

TEST(several_addresses_are_tried_in_turn) {
    static site s;
    broker *b = fresh();
    const char *address = NULL;
    wshub_conn c;
    int i;
    b->away = true;
    site_start(&s, b, BUSDESC(.url = "redis://one,two:2,three:3"), DESC(0), FAKE(0));
    /* six attempts within two small waits: the wait grows once all have been tried */
    for (i = 0; i < 6; i++) {
        static const char *const want[] = {"two:2", "three:3", "one:6379"};
        int ms = 0;
        while (!wshub_io_fake_dialled(s.w.net, &c, &address) && ms++ < 101)
            wshub_io_fake_advance(s.w.net, 1);
        EXPECT(address && strcmp(address, want[i % 3]) == 0);
        EXPECT(ms <= (i < 2 ? 51 : i < 5 ? 101 : 201));
        site_run(&s);
    }
    b->away = false;
    site_advance(&s, 1000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(*wshub_bus_redis_address(s.redis));
    site_stop(&s);
}

TEST(a_sentinel_is_asked_for_the_master_and_followed) {
    static site s;
    broker *b = fresh();
    broker_link *watch;
    int i;
    b->master_host = NULL;
    site_start(&s, b, BUSDESC(.url = "redis://s1,s2", .sentinel = "main"), DESC(0), FAKE(0));
    EXPECT_HAS(s.said, "the sentinel knows no master of that name: main");
    b->master_host = "10.0.0.1";
    b->master_port = "6379";
    b->role = "slave";
    site_advance(&s, 300);
    EXPECT_HAS(wshub_bus_redis_error(s.redis), "not a master (yet)");
    b->role = "master";
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_STR(wshub_bus_redis_address(s.redis), "10.0.0.1:6379");
    for (watch = NULL, i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && b->links[i].address[0] == 's') watch = &b->links[i];
    }
    EXPECT(watch != NULL);
    /* another master's switch is none of ours; ours is followed */
    broker_say_z(watch, "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$30\r\nother 10.0.0.1 1 "
                        "10.0.0.9 6379\r\n");
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    s.w.log_len = 0;
    s.w.log[0] = 0;
    b->master_host = "::2";
    broker_say_z(
        watch,
        "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$27\r\nmain 10.0.0.1 6379 ::2 6379\r\n");
    site_advance(&s, 10);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_STR(wshub_bus_redis_address(s.redis), "[::2]:6379");
    EXPECT(strncmp(s.w.log, "down up(", 8) == 0);
    /* the watch breaks: the bus stays up, another sentinel is watched, and asked what it knows */
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && b->links[i].address[0] == 's')
            broker_drop(b, &b->links[i], true);
    }
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    b->master_host = "10.0.0.3";
    site_advance(&s, 1100);
    EXPECT_STR(wshub_bus_redis_address(s.redis), "10.0.0.3:6379");
    site_stop(&s);
}

/* Every command of a session, answered by everything odd, at the handshake or later, the
 * connection going with it or not: either the bus is up all the same, or one line says what the
 * broker said; and once it answers well again it is up. */
TEST(every_odd_answer_to_every_command_heals_or_names_itself) {
    /* clang-format off */
    static const char *const commands[] = {
        "AUTH", "HELLO", "CLIENT", "SELECT", "ROLE", "PING", "SUBSCRIBE", "PSUBSCRIBE", "PUBLISH",
    };
    /* clang-format on */
    static const char *const answers[] = {
        "-MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist "
        "to disk.",
        "-NOPERM this user has no permissions to run it",
        "-LOADING Redis is loading the dataset in memory",
        "-BUSY Redis is busy running a script.",
        "-NOAUTH Authentication required.",
        "-READONLY You can't write against a read only replica.",
        "-MASTERDOWN Link with MASTER is down",
        "-ERR unknown command",
        "-ERR max number of clients reached",
        "-DENIED Redis is running in protected mode because protected mode is enabled",
        "-NOPROTO unsupported protocol version",
        "-OOM command not allowed when used memory > 'maxmemory'.",
        "-",
        "-\x01\x02\n",
        "$-1",
        ":0",
        ":-5",
        "*0",
        "*-1",
        "+QUEUED",
        "+",
        "_",
        "#t",
        "%1\r\n+a\r\n+b",
        "|1\r\n+ttl\r\n:1\r\n+OK",
        ">2\r\n+invalidate\r\n*0\r\n+OK",
        "*3\r\n$5\r\nslave\r\n$1\r\nh\r\n:1",
        "*1\r\n$8\r\nsentinel",
        "*1\r\n*1\r\n*1\r\n:1",
        "!3\r\nERR",
        "*4097",
        "?",
    };
    size_t c, a;
    int way, named = 0, carried = 0, nth = 0, stride = (int)test_stride(53);
    for (c = 0; c < sizeof commands / sizeof *commands; c++) {
        for (a = 0; a < sizeof answers / sizeof *answers; a++) {
            /* from the beginning or later; RESP2 or 3; the end behind it or not */
            for (way = 0; way < 8; way++) {
                static site s;
                broker *b = fresh();
                bool late = way & 1, up;
                char word[16] = "";
                if (nth++ % stride) continue;
                b->password = "secret";
                if (!late) b->refuse = commands[c];
                b->refusal = answers[a];
                b->refusal_ends = (way & 4) != 0;
                site_start(&s, b,
                           BUSDESC(.url = "redis://:secret@broker/1", .resp3 = (way & 2) != 0),
                           DESC(0), FAKE(0));
                if (late) {
                    site_advance(&s, 1100);
                    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
                    b->refuse = commands[c];
                }
                site_send(&s, "r", "1");
                site_advance(&s, 2500);
                up = rstats(&s).state == WSHUB_BUS_UP;
                (void)sscanf(answers[a] + 1, "%15[A-Z]", word);
                if (!up && answers[a][0] == '-' && word[0] && strcmp(word, "ERR") != 0 &&
                    !(late && b->refusal_ends)) {
                    if (!strstr(s.said, word))
                        (void)printf("  %s, %s, way %d: %s\n", commands[c], answers[a], way,
                                     s.said);
                    EXPECT_HAS(s.said, word);
                }
                if (!up) EXPECT_OP(s.said_len, >, 0);
                EXPECT(!strstr(s.said, "secret"));
                *(up ? &carried : &named) += 1;
                b->refuse = NULL;
                site_advance(&s, 6000);
                if (rstats(&s).state != WSHUB_BUS_UP)
                    (void)printf("  %s, %s, way %d: %s\n", commands[c], answers[a], way,
                                 wshub_bus_redis_error(s.redis));
                EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
                EXPECT_INT(sub_link(b) ? sub_link(b)->subs_count : 0, 5);
                site_stop(&s);
            }
        }
    }
    (void)printf("  %d carried on, %d named\n", carried, named);
    EXPECT(carried > 300 / stride && named > 300 / stride);
}

TEST(who_cannot_save_or_may_not_tell_its_role_still_carries_messages) { /* an error is an answer */
    static const struct {
        const char *refuse, *refusal;
        /* clang-format off */
    } cases[] = {
        {"PING", "-MISCONF cannot save"},
        {"ROLE", "-NOPERM no"},
        {"ROLE", "-ERR unknown command 'ROLE'"},
        {"ROLE", "+OK"},
        {"CLIENT", "-ERR no"},
        {"HELLO", "-NOPERM no"},
        {"HELLO", "-ERR unknown command 'HELLO'"},
    };
    /* clang-format on */
    size_t i;
    int way;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (way = 0; way < 3; way++) {
            static site s;
            broker *b = fresh();
            wshub_conn c;
            b->refuse = cases[i].refuse;
            b->refusal = cases[i].refusal;
            site_start(&s, b,
                       BUSDESC(.resp3 = true, .no_heartbeat = way == 1, .publish_only = way == 2),
                       DESC(0), FAKE(0));
            c = world_client(&s.w, "u", NULL);
            site_advance(&s, 10000);
            EXPECT_INT(rstats(&s).attempts, 1);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            if (way < 2)
                broker_say_z(sub_link(b),
                             "*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$56\r\n{\"serverId\":"
                             "\"x\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}\r\n");
            site_run(&s);
            if (way < 2) EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
            site_stop(&s);
        }
    }
    { /* RESP3 is asked for again by the next connection, unless the broker does not know it */
        static site s;
        int k;
        for (k = 0; k < 2; k++) {
            broker *b = fresh();
            b->refuse = "HELLO";
            b->refusal =
                k ? "-ERR unknown command `HELLO`, with args beginning with: `3`, " : "-NOPERM no";
            site_start(&s, b, BUSDESC(.resp3 = true), DESC(0), FAKE(0));
            site_advance(&s, 1000);
            EXPECT(sub_link(b) && !sub_link(b)->resp3);
            b->refuse = NULL;
            broker_drop_all(b);
            site_advance(&s, 1000);
            EXPECT_INT(sub_link(b) && sub_link(b)->resp3, k == 0);
            site_stop(&s);
        }
    }
}

TEST(never_up_on_a_replica_and_home_again_when_roles_change) {
    static site s;
    broker *b = fresh();
    /* the first address is a replica, also later, when it is the only one for a while */
    b->replica = "one:6379";
    site_start(&s, b, BUSDESC(.url = "redis://one,two"), DESC(0), FAKE(0));
    site_advance(&s, 500);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_STR(wshub_bus_redis_address(s.redis), "two:6379");
    EXPECT_HAS(s.said, "a replica: what is published there reaches nobody else");
    /* the roles change, nobody is disconnected: found with the next heartbeat */
    b->replica = "two:6379";
    site_advance(&s, 1500);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_STR(wshub_bus_redis_address(s.redis), "one:6379");
    EXPECT_HAS(s.said, "lost two:6379: not a master (yet): slave");
    EXPECT_INT(stats(&s.w).bus_downs, 1);
    /* cut off again and again: always back where the master is */
    {
        int i;
        for (i = 0; i < 20; i++) {
            broker_drop(b, i & 1 ? sub_link(b) : pub_link(b), true);
            site_advance(&s, 700);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            EXPECT_STR(wshub_bus_redis_address(s.redis), "one:6379");
        }
    }
    site_stop(&s);
    /* any node of a cluster will do */
    b = fresh();
    b->role = "slave";
    b->cluster = true;
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(rstats(&s).attempts, 1);
    site_stop(&s);
    /* who may not say INFO is a replica; a sentinel is told apart; a failing allocation heals */
    b = fresh();
    b->role = "slave";
    b->refuse = "INFO";
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    site_advance(&s, 300);
    EXPECT(rstats(&s).state != WSHUB_BUS_UP);
    b->role = "sentinel";
    site_advance(&s, 3000);
    EXPECT_HAS(wshub_bus_redis_error(s.redis), "name its master in desc.sentinel");
    b->role = "master";
    site_advance(&s, 6000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* a proxy whose backend was demoted says it by an answer */
    b->refuse = "PUBLISH";
    b->refusal = "-READONLY You can't write against a read only replica.";
    site_send(&s, "r", "1");
    site_run(&s);
    EXPECT_HAS(wshub_bus_redis_error(s.redis), "READONLY");
    EXPECT(rstats(&s).state != WSHUB_BUS_UP);
    site_stop(&s);
}

TEST(what_is_said_before_the_door_closes_reaches_the_log) { /* maxclients, protected mode */
    static const char *const greetings[] = {
        "-ERR max number of clients reached\r\n",
        "-DENIED Redis is running in protected mode because protected mode is enabled\r\n",
        "-ERR max number of clients + cluster connections reached\r\n", "+hello\r\n", ""};
    size_t i;
    int resp3;
    for (i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        for (resp3 = 0; resp3 < 4; resp3++) {
            static site s;
            broker *b = fresh();
            b->greeting = greetings[i];
            site_start(&s, b,
                       BUSDESC(.resp3 = resp3 & 1, .url = resp3 & 2 ? "redis://:p@broker" : NULL),
                       DESC(0), FAKE(0));
            site_advance(&s, 200);
            EXPECT_HAS(s.said, greetings[i][0] == '-'
                                   ? greetings[i][1] == 'E'
                                         ? "ERR max number of clients"
                                         : "DENIED Redis is running in protected mode"
                                   : "cannot use");
            b->greeting = NULL;
            b->password = "p";
            site_advance(&s, resp3 & 2 ? 4000 : 10);
            if (resp3 & 2) EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            site_stop(&s);
        }
    }
}

static uint32_t next_delay;
static uint32_t slow_word(void *ctx) {
    (void)ctx;
    return next_delay;
}

/* A message in `pieces`, one every `ms`; all that is said to the subscriber meanwhile waits
 * behind it. */
static void dribble(broker *b, broker_link *l, size_t pieces, uint32_t ms) {
    static char text[16384];
    size_t n = (size_t)snprintf(
               text, sizeof text,
               "*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$10055\r\n{\"serverId\":\"x\","
               "\"type\":\"broadcast\",\"event\":\"m\",\"data\":"),
           i, from;
    memset(text + n, ' ', 9999);
    n += 9999;
    text[n++] = '1';
    text[n++] = '}';
    text[n++] = '\r';
    text[n++] = '\n';
    b->delay_ms = slow_word;
    for (i = 0, from = 0; i < pieces; i++) {
        size_t end = n * (i + 1) / pieces;
        next_delay = (uint32_t)(i + 1) * ms;
        broker_say(l, text + from, end - from);
        from = end;
    }
    next_delay = 0;
}

TEST(bytes_that_keep_coming_are_life_however_slowly) {
    uint32_t ms;
    for (ms = 100; ms <= 2900; ms += 700) {
        static site s;
        broker *b = fresh();
        wshub_io_fake_frame f;
        wshub_conn c;
        int i, heard = 0;
        site_start(&s, b, BUSDESC(0),
                   DESC(.heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF), FAKE(0));
        c = world_client(&s.w, "u", NULL);
        site_advance(&s, 1500);
        dribble(b, sub_link(b), 30, ms);
        for (i = 0; i < 32; i++) site_advance(&s, ms);
        while (wshub_io_fake_next(s.w.net, c, &f)) heard += f.opcode == 1;
        EXPECT_INT(heard, 1);
        EXPECT_INT(rstats(&s).downs, 0);
        site_advance(&s, 10000);
        EXPECT_INT(rstats(&s).downs, 0);
        /* but a broker that forwards nothing is found out although it answers */
        b->deaf_beats = true;
        site_advance(&s, 5100);
        EXPECT_INT(rstats(&s).downs, 1);
        site_stop(&s);
    }
    { /* a publisher's link that takes a little at a time: the heartbeat waits behind what is published, and is not missed
         before it has left, though the subscriber's link answers all the while */
        static site s;
        static char text[200000];
        broker *b = fresh();
        wshub_msg m = msg("m", "1");
        int i;
        site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
        site_advance(&s, 1500);
        memset(text, ' ', sizeof text);
        text[0] = '1';
        m.data.ptr = text;
        m.data.len = sizeof text;
        wshub_io_fake_window(s.w.net, pub_link(b)->conn, 5000);
        EXPECT_INT(wshub_send(s.w.hub, NULL, &m), WSHUB_OK);
        for (i = 0; i < 45; i++) {
            site_advance(&s, 500);
            if (pub_link(b)) wshub_io_fake_window(s.w.net, pub_link(b)->conn, 5000);
        }
        EXPECT_INT(rstats(&s).downs, 0);
        EXPECT_INT(rstats(&s).pending, 0);
        site_stop(&s);
    }
    { /* and a pause longer than heartbeat_timeout_ms is the end */
        static site s;
        broker *b = fresh();
        site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
        site_advance(&s, 1500);
        dribble(b, sub_link(b), 2, 6000);
        site_advance(&s, 5500);
        EXPECT_INT(rstats(&s).downs, 1);
        site_stop(&s);
    }
}

TEST(a_watched_sentinel_that_is_silent_or_odd_is_replaced_and_the_bus_stays_up) {
    /* clang-format off */
    static const char *const odd[] = {
        NULL, "garbage\r\n", "+OK\r\n", "-ERR what\r\n",
        "*3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n:0\r\n", "*4097\r\n",
        ">0\r\n|0\r\n*9999\r\n",
        "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$12\r\nws:broadcast\r\n$1\r\nx\r\n", /* none of its business */
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof odd / sizeof *odd; i++) {
        static site s;
        broker *b = fresh();
        broker_link *watch = NULL;
        uint64_t dials;
        int k;
        b->master_host = "10.0.0.1";
        b->master_port = "6379";
        site_start(&s, b, BUSDESC(.url = "redis://s1,s2,s3", .sentinel = "main"), DESC(0), FAKE(0));
        site_advance(&s, 1500);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        for (k = 0; k < BROKER_LINKS; k++) {
            if (b->links[k].conn.id && b->links[k].address[0] == 's') watch = &b->links[k];
        }
        EXPECT(watch != NULL);
        if (!watch) return;
        dials = b->dials;
        b->hole = "s3:26379"; /* one that never answers has its deadline, too */
        if (odd[i])
            broker_say_z(watch, odd[i]);
        else
            watch->frozen = true;
        site_advance(&s, 5500);
        EXPECT_INT(rstats(&s).silences, !odd[i]);
        EXPECT_HAS(s.said, "lost the sentinel s1:26379: ");
        EXPECT_INT(b->dials, dials + 1);
        EXPECT_INT(rstats(&s).received, 0);
        site_advance(&s, 14000);
        EXPECT_INT(rstats(&s).downs, 0); /* the bus has been up all the time */
        EXPECT_OP(b->dials, >=, dials + 1);
        b->master_host = NULL; /* one that knows no such master is left for the next one */
        for (k = 0; k < BROKER_LINKS; k++) {
            if (b->links[k].conn.id && b->links[k].address[0] == 's')
                broker_drop(b, &b->links[k], true);
        }
        site_advance(&s, 20000);
        EXPECT_INT(rstats(&s).downs, 0);
        b->master_host = "10.0.0.2"; /* and whoever is watched in the end tells of the failover */
        site_advance(&s, 12000);
        EXPECT_STR(wshub_bus_redis_address(s.redis), "10.0.0.2:6379");
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        site_stop(&s);
    }
}
