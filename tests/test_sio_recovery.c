/* Connection state recovery of wshub_dialect_socketio.h (>>sio-recovery), one thing after the other:
 * time, limits, who it is that comes back, namespaces that rules have made, memory that fails. Numbers
 * are those of the protocol. What was recorded of Node's server: tests/test_sio_recovery_played.c. */
#include "sio_recovery_site.h"

/* Comes in, and its connection is lost. `{sid1}`, `{pid1}` are its, and `{o1}` is an offset. */
static void gone_with_an_offset(eio_peer *p, const char *space) {
    char text[80];
    names_count = 0;
    eio_peer_open(&s, p, false);
    (void)snprintf(text, sizeof text, "40%s", space);
    eio_peer_say(p, text);
    (void)snprintf(text, sizeof text, "40%s{\"sid\":\"{sid1}\",\"pid\":\"{pid1}\"}", space);
    hears(p, text);
    (void)snprintf(text, sizeof text, "%.*s", space[0] ? (int)strlen(space) - 1 : 1,
                   space[0] ? space : "/");
    EXPECT_INT(all_hear(text, "[\"m\",1]"), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    (void)snprintf(text, sizeof text, "42%s[\"m\",1,\"{o1}\"]", space);
    hears(p, text);
    peer_lose(p);
    app.tellings = app.looked_at = 0;
}
static void asks_back(eio_peer *p, const char *text) {
    eio_peer_open(&s, p, false);
    eio_peer_say(p, filled(text));
}
#define BACK "40{\"pid\":\"{pid1}\",\"offset\":\"{o1}\"}"
#define IS_BACK "40{\"sid\":\"{sid1}\",\"pid\":\"{pid1}\"}"
#define IS_NEW "40{\"sid\":\"{sid2}\",\"pid\":\"{pid2}\"}"

/* The memory of a server, apart from its hub's. */
static int allocations;
static void *counting_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    allocations += new_bytes != 0;
    return world_alloc(user, ptr, old_bytes, new_bytes);
}

TEST(without_recovery_nothing_is_kept_and_nothing_is_said_of_it) { /* 3.5: off by default */
    wshub_sio_desc d = SIO(.recovery_ms = 0);
    wshub_sio_namespace_desc root = SPACE(0);
    eio_peer p;
    int i;
    memset(&s, 0, sizeof s);
    memset(&app, 0, sizeof app);
    world_start(&s.w, DESC(0), FAKE(0));
    d.engine.alloc = counting_alloc;
    d.engine.alloc_user = &s.w;
    EXPECT_INT(wshub_sio_create(s.w.hub, &d, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_OK);
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40{\"pid\":\"aaaaaaaaaaaaaaaaaaaa\",\"offset\":\"bbbbb\"}");
    names_count = 0;
    hears(&p, "40{\"sid\":\"{sid1}\"}");
    EXPECT(!wshub_sio_recovered(sio, app.last));
    allocations = 0;
    for (i = 0; i < 100; i++) {
        EXPECT_INT(all_hear("/", "[\"m\",1]"), WSHUB_OK);
        EXPECT_INT(one_hears(app.last, "[\"m\",2]"), WSHUB_OK);
    }
    EXPECT_INT(allocations, 0);
    for (i = 0; i < 100; i++) {
        hears(&p, "42[\"m\",1]");
        hears(&p, "42[\"m\",2]");
    }
    peer_lose(&p);
    EXPECT_INT(figures().recovery_sessions + figures().recovery_packets, 0);
    EXPECT_INT(figures().recovery_bytes + figures().recovery_refused, 0);
    stop();
}

TEST(offsets_are_numbers_that_no_other_text_is) { /* 3.5 */
    static const uint64_t numbers_to_try[] = {
        1, 63, 64, 4095, 4096, 1u << 30, UINT64_C(1) << 59, (UINT64_C(1) << 60) - 1};
    static const char *const bad[] = {
        "", "tok", "tok1", "tok_B", "tok1?", "tok1AAAAAAAAAAAB", "tok1A", "xok1B", "tok1B\""};
    wshub_sio__past past;
    char text[40];
    size_t i;
    memset(&past, 0, sizeof past);
    memcpy(past.token, "tok1", 4);
    past.numbers = (UINT64_C(1) << 60) - 1;
    for (i = 0; i < sizeof numbers_to_try / sizeof numbers_to_try[0]; i++) {
        wshub_str json = wshub_sio__offset_write(&past, numbers_to_try[i], text);
        EXPECT(json.len <= 16 && json.ptr[0] == '"' && json.ptr[json.len - 1] == '"');
        json.ptr++;
        json.len -= 2;
        EXPECT(wshub_sio__offset_read(&past, json) == numbers_to_try[i]);
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_INT(wshub_sio__offset_read(&past, wshub_str_z(bad[i])), 0);
    past.numbers = 5;
    EXPECT_INT(wshub_sio__offset_read(&past, wshub_str_z("tok1F")), 5);
    EXPECT_INT(wshub_sio__offset_read(&past, wshub_str_z("tok1G")), 0); /* not given out yet */
}

TEST(from_an_accident_one_may_return_and_from_an_end_not) { /* 3.4, 3.5 */
    static const char *const yes[] = {"transport close", "transport error",
                                      "forced close",    "forced server close",
                                      "ping timeout",    "server shutting down"};
    static const char *const no[] = {"client namespace disconnect", "server namespace disconnect",
                                     "parse error"};
    size_t i;
    for (i = 0; i < sizeof yes / sizeof yes[0]; i++) EXPECT(wshub_sio__may_return(yes[i]));
    for (i = 0; i < sizeof no / sizeof no[0]; i++) EXPECT(!wshub_sio__may_return(no[i]));
}

TEST(one_may_return_until_its_time_is_over) { /* 3.5 */
    int late;
    for (late = 0; late < 2; late++) {
        eio_peer p;
        start(SIO(.recovery_ms = 2000), FAKE(0));
        gone_with_an_offset(&p, "");
        EXPECT_INT(figures().recovery_sessions, 1);
        wshub_io_fake_advance(s.w.net, 2000 + (uint64_t)late);
        asks_back(&p, BACK);
        hears(&p, late ? IS_NEW : IS_BACK);
        EXPECT_INT(figures().recovered, !late);
        EXPECT_INT(figures().recovery_refused, late);
        EXPECT_INT(figures().recovery_sessions, 0);
        peer_lose(&p);
        wshub_io_fake_advance(s.w.net, 300000); /* and in the end nothing is kept */
        EXPECT_INT(figures().recovery_sessions + figures().recovery_packets, 0);
        EXPECT_INT(figures().recovery_bytes, 0);
        stop();
    }
}

/* Time passes for somebody who answers pings. */
static void lives_on(eio_peer *p, int ms) {
    char text[1000];
    for (; ms > 0; ms -= 100) {
        wshub_io_fake_advance(s.w.net, 100);
        eio_peer_hear(p, text);
        if (strcmp(text, "2") == 0) eio_peer_say(p, "3");
        EXPECT(text[0] == 0 || text[0] == '2');
    }
}

TEST(a_long_quiet_line_is_recovered_however_much_others_have_heard) { /* PITFALLS e12 */
    wshub_str elsewhere = wshub_str_z("elsewhere");
    wshub_dest there;
    eio_peer p;
    spoken sp;
    int i;
    memset(&there, 0, sizeof there);
    there.kind = WSHUB_DEST_ROOM;
    there.name = elsewhere;
    start(SIO(.recovery_ms = 500, .engine = {.ping_interval_ms = 200, .ping_timeout_ms = 200}),
          FAKE(0));
    names_count = 0;
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40");
    hears(&p, IS_BACK);
    EXPECT_INT(one_hears(app.last, "[\"m\",1]"), WSHUB_OK);
    hears(&p, "42[\"m\",1,\"{o1}\"]");
    for (i = 0; i < 30; i++) {
        EXPECT_INT(wshub_sio_emit(sio, wshub_sio_of(sio, "/"), &there, speak(&sp, "[\"x\"]")),
                   WSHUB_OK);
        lives_on(&p, 200);
    }
    EXPECT_OP(figures().recovery_packets, <, 10); /* of 31, by their age */
    EXPECT_INT(figures().recovery_dropped, 0);
    peer_lose(&p);
    EXPECT_INT(all_hear("/", "[\"m\",2]"), WSHUB_OK);
    asks_back(&p, BACK);
    hears(&p, "42[\"m\",2,\"{o2}\"]");
    hears(&p, IS_BACK);
    stop();
}

TEST(what_fell_out_for_a_limit_is_no_gap_but_an_end) { /* 3.5: by packets, by bytes */
    int by_bytes, needed;
    for (by_bytes = 0; by_bytes < 2; by_bytes++) {
        for (needed = 0; needed < 2; needed++) {
            eio_peer p;
            int i;
            start(SIO(.recovery_ms = 5000, .recovery_packets_max = by_bytes ? 0 : 3,
                      .recovery_bytes_max = by_bytes ? 1400 : 0),
                  FAKE(0));
            if (!needed) { /* what is lost is from before its time */
                eio_peer_open(&s, &p, false);
                eio_peer_say(&p, "40");
                for (i = 0; i < 9; i++) EXPECT_INT(all_hear("/", "[\"m\",0]"), WSHUB_OK);
                EXPECT_OP(figures().recovery_dropped, >, 0);
            }
            gone_with_an_offset(&p, "");
            for (i = 0; i < (needed ? 12 : 2); i++)
                EXPECT_INT(all_hear("/", "[\"m\",2]"), WSHUB_OK);
            EXPECT_OP(figures().recovery_packets, <, 12);
            EXPECT(by_bytes || figures().recovery_packets == 3);
            asks_back(&p, BACK);
            if (needed) {
                EXPECT_OP(figures().recovery_dropped, >=, 1);
                hears(&p, IS_NEW);
            } else {
                hears(&p, "42[\"m\",2,\"{o2}\"]");
                hears(&p, "42[\"m\",2,\"{o3}\"]");
                hears(&p, IS_BACK);
            }
            EXPECT_INT(figures().recovery_refused, needed);
            stop();
        }
    }
}

TEST(an_event_that_is_longer_than_all_that_is_kept_is_sent_and_not_kept) { /* 3.5 */
    static char text[2000];
    eio_peer p;
    start(SIO(.recovery_ms = 5000, .recovery_bytes_max = 500), FAKE(0));
    (void)snprintf(text, sizeof text, "[\"m\",\"%0500d\"]", 0);
    gone_with_an_offset(&p, "");
    EXPECT_INT(all_hear("/", text), WSHUB_OK);
    EXPECT_INT(figures().recovery_packets, 0);
    asks_back(&p, BACK);
    hears(&p, IS_NEW);
    stop();
}

TEST(more_than_may_wait_for_one_is_not_said_at_once) { /* 3.5; SEND-6 */
    eio_peer p;
    int i;
    start(SIO(.recovery_ms = 5000, .engine = {.session_bytes_max = 20000}), FAKE(0));
    gone_with_an_offset(&p, "");
    for (i = 0; i < 60; i++) EXPECT_INT(all_hear("/", "[\"m\",2]"), WSHUB_OK);
    asks_back(&p, BACK);
    hears(&p, IS_NEW);
    stop();
}

TEST(those_who_may_return_are_limited_and_the_first_to_go_is_forgotten) { /* 3.5 */
    int by_bytes;
    for (by_bytes = 0; by_bytes < 2; by_bytes++) {
        eio_peer p;
        int i;
        start(SIO(.recovery_ms = 5000, .recovery_sessions_max = by_bytes ? 0 : 2,
                  .recovery_bytes_max = by_bytes ? 500 : 0),
              FAKE(0));
        gone_with_an_offset(&p, "");
        for (i = 0; i < 5; i++) {
            eio_peer_open(&s, &p, false);
            eio_peer_say(&p, "40");
            peer_lose(&p);
        }
        EXPECT_OP(figures().recovery_sessions, <=, 3);
        EXPECT_OP(figures().recovery_sessions, >=, 1);
        EXPECT_OP(figures().recovery_dropped, >=, 3);
        asks_back(&p, BACK);
        hears(&p, IS_NEW);
        stop();
    }
}

TEST(who_returns_is_the_same_user_or_a_new_socket) { /* 3.5: middlewares run, before anything */
    static const struct {
        const char *was, *is, *metadata_is, *metadata;
        bool back;
    } cases[] = {{"ada", "ada", NULL, "{\"n\":1}", true},
                 {"ada", "ada", "{\"n\":2}", "{\"n\":2}", true},
                 {"ada", "eve", NULL, NULL, false},
                 {"ada", NULL, NULL, NULL, false},
                 {NULL, "ada", NULL, NULL, false},
                 {NULL, NULL, NULL, "{\"n\":1}", true},
                 {NULL, NULL, "{\"n\":3}", "{\"n\":3}", true}};
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_str id;
        eio_peer p;
        start(SIO(.recovery_ms = 5000), FAKE(0));
        app.user = cases[i].was;
        app.metadata = "{\"n\":1}";
        gone_with_an_offset(&p, "");
        app.user = cases[i].is;
        app.metadata = cases[i].metadata_is;
        EXPECT_INT(all_hear("/", "[\"m\",2]"), WSHUB_OK);
        asks_back(&p, BACK);
        EXPECT(app.would); /* as far as could be known */
        if (cases[i].back) hears(&p, "42[\"m\",2,\"{o2}\"]");
        hears(&p, cases[i].back ? IS_BACK : IS_NEW);
        id = wshub_client_user_id(s.w.hub, app.last);
        EXPECT(cases[i].is ? wshub_str_eq_z(id, cases[i].is) : !id.ptr);
        if (cases[i].metadata)
            EXPECT(wshub_str_eq_z(wshub_client_metadata(s.w.hub, app.last), cases[i].metadata));
        stop();
    }
}

TEST(who_is_not_asked_about_is_who_it_was) { /* 3.5: skipMiddlewares */
    eio_peer p;
    start(SIO(.recovery_ms = 5000, .recovery_skip_connect = true), FAKE(0));
    app.user = "ada";
    app.metadata = "[7]";
    gone_with_an_offset(&p, "");
    app.user = "eve";
    asks_back(&p, BACK);
    hears(&p, IS_BACK);
    EXPECT(wshub_str_eq_z(wshub_client_user_id(s.w.hub, app.last), "ada"));
    EXPECT(wshub_str_eq_z(wshub_client_metadata(s.w.hub, app.last), "[7]"));
    EXPECT(wshub_sio_recovered(sio, app.last));
    is_told(app.told[0]);
    is_told_nothing(); /* and was not asked */
    stop();
    start(SIO(.recovery_ms = 5000), FAKE(0)); /* where nobody is ever asked */
    gone_with_an_offset(&p, "/open,");
    asks_back(&p, "40/open,{\"pid\":\"{pid1}\",\"offset\":\"{o1}\"}");
    hears(&p, "40/open,{\"sid\":\"{sid1}\",\"pid\":\"{pid1}\"}");
    stop();
}

TEST(an_answer_that_comes_later_recovers_as_well_and_one_alone) { /* 3.5 */
    wshub_sio_ask_id first;
    eio_peer p, q;
    start(SIO(.recovery_ms = 5000), FAKE(0));
    gone_with_an_offset(&p, "");
    EXPECT_INT(all_hear("/", "[\"m\",2]"), WSHUB_OK);
    app.defers = true;
    asks_back(&p, BACK);
    EXPECT(app.would);
    peer_lose(&p); /* before it is answered: nothing is spent */
    EXPECT_INT(figures().recovery_sessions, 1);
    asks_back(&p, BACK);
    first = app.asked;
    asks_back(&q, BACK);
    EXPECT(app.would); /* it is not spent yet */
    EXPECT_INT(all_hear("/", "[\"m\",3]"), WSHUB_OK);
    EXPECT_INT(wshub_sio_accept(sio, app.asked, NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_accept(sio, first, NULL), WSHUB_OK);
    EXPECT_INT(all_hear("/", "[\"m\",4]"), WSHUB_OK);
    hears(&q, "42[\"m\",2,\"{o2}\"]");
    hears(&q, "42[\"m\",3,\"{o3}\"]");
    hears(&q, IS_BACK);
    hears(&q, "42[\"m\",4,\"{o4}\"]");
    hears(&p, IS_NEW);
    hears(&p, "42[\"m\",4,\"{o4}\"]");
    EXPECT_INT(figures().recovered, 1);
    stop();
}

TEST(an_offset_of_a_life_before_brings_back_this_one_alone) { /* 3.5 */
    eio_peer p;
    start(SIO(.recovery_ms = 5000), FAKE(0));
    gone_with_an_offset(&p, "");
    EXPECT_INT(all_hear("/", "[\"m\",\"before\"]"), WSHUB_OK);
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40");
    hears(&p, IS_NEW);
    peer_lose(&p);
    EXPECT_INT(all_hear("/", "[\"m\",3]"), WSHUB_OK);
    asks_back(&p, "40{\"pid\":\"{pid2}\",\"offset\":\"{o1}\"}");
    hears(&p, "42[\"m\",3,\"{o2}\"]");
    hears(&p, "40{\"sid\":\"{sid2}\",\"pid\":\"{pid2}\"}");
    stop();
}

TEST(what_was_meant_for_one_is_what_it_missed_whoever_names_it) { /* 3.5; SEND-1 */
    static const wshub_str rooms[] = {{"x", 1}, {"r", 1}}, none_of[] = {{"x", 1}, {"y", 1}};
    wshub_dest dest;
    spoken sp;
    eio_peer p;
    char id[40];
    int i;
    start(SIO(.recovery_ms = 5000), FAKE(0));
    app.user = "ada";
    names_count = 0;
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40");
    hears(&p, IS_BACK);
    EXPECT_INT(wshub_client_join(s.w.hub, app.last, wshub_str_z("r")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(s.w.hub, app.last, wshub_str_z("rr")), WSHUB_OK);
    peer_lose(&p);
    (void)snprintf(id, sizeof id, "%s", filled("{sid1}"));
    for (i = 0; i < 14; i++) {
        char text[20];
        memset(&dest, 0, sizeof dest);
        dest.kind = i < 3   ? WSHUB_DEST_RESOLVE
                    : i < 5 ? WSHUB_DEST_CLIENT
                    : i < 7 ? WSHUB_DEST_USER
                            : WSHUB_DEST_ROOM;
        /* even ones are for it */
        if (i == 0) dest.name = wshub_str_z(id);
        if (i == 1) dest.name = wshub_str_z("somebody");
        if (i == 2) dest.name = wshub_str_z("r");
        if (i == 3) dest.name = wshub_str_z("somebody");
        if (i == 4) dest.name = wshub_str_z(id);
        if (i == 5) dest.name = wshub_str_z("eve");
        if (i == 6) dest.name = wshub_str_z("ada");
        if (i == 7) dest.name = wshub_str_z("rrr");
        if (i == 8) dest.name = wshub_str_z("rr");
        if (i == 9 || i == 10) {
            dest.rooms = i == 9 ? none_of : rooms;
            dest.rooms_count = 2;
        }
        if (i == 11) {
            dest.name = wshub_str_z("r");
            dest.except_rooms = rooms;
            dest.except_rooms_count = 2;
        }
        if (i == 12) dest.kind = WSHUB_DEST_RESOLVE; /* everybody */
        if (i == 13) {
            dest.kind = WSHUB_DEST_ALL;
            dest.exclude = &sp.whole;
            dest.exclude_count = 1;
        }
        (void)snprintf(text, sizeof text, "[\"m\",%d]", i);
        (void)speak(&sp, text);
        if (i == 13) sp.whole = wshub_str_z(id);
        EXPECT_INT(wshub_sio_emit(sio, wshub_sio_of(sio, "/"), &dest, &sp.packet), WSHUB_OK);
    }
    asks_back(&p, "40{\"pid\":\"{pid1}\"}");
    for (i = 0; i < 14; i += 2) {
        char want[40];
        (void)snprintf(want, sizeof want, "42[\"m\",%d,\"{o%d}\"]", i, i + 1);
        hears(&p, want);
    }
    hears(&p, IS_BACK);
    stop();
}

TEST(what_cannot_be_sent_is_not_kept) { /* 3.5 */
    static const wshub_str no_text[] = {{NULL, 0}};
    static const wshub_span no_bytes[] = {{NULL, 2}};
    wshub_sio_namespace root;
    wshub_packet packet;
    wshub_dest dest;
    wshub_str empty = {"", 0}, bad = {"{", 1};
    eio_peer p;
    start(SIO(.recovery_ms = 5000), FAKE(0));
    root = wshub_sio_of(sio, "/");
    EXPECT_INT(all_hear("/", "[\"m\",1]"), WSHUB_OK); /* nobody is there, nor can come back */
    EXPECT_INT(figures().recovery_packets, 0);
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40");
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("m");
    packet.args = &bad;
    packet.args_count = 1;
    EXPECT_OP(wshub_sio_emit(sio, root, NULL, &packet), <, 0);
    packet.args = no_text;
    EXPECT_INT(wshub_sio_emit(sio, root, NULL, &packet), WSHUB_ERR_PARAM);
    packet.args = NULL;
    EXPECT_INT(wshub_sio_emit(sio, root, NULL, &packet), WSHUB_ERR_PARAM);
    packet.args_count = 0;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_sio_emit(sio, root, NULL, &packet), WSHUB_ERR_PARAM);
    packet.attachments = no_bytes;
    EXPECT_INT(wshub_sio_emit(sio, root, NULL, &packet), WSHUB_ERR_PARAM);
    packet.attachments_count = 0;
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ROOM;
    dest.name = empty;
    EXPECT_INT(wshub_sio_emit(sio, root, &dest, &packet), WSHUB_ERR_PARAM);
    EXPECT_INT(figures().recovery_packets + figures().recovery_bytes, 0);
    EXPECT_INT(all_hear("/", "[\"m\",1]"), WSHUB_OK);
    EXPECT_INT(figures().recovery_packets, 1);
    stop();
    start(SIO(.recovery_ms = (1u << 30)), FAKE(0));
    {
        wshub_sio_desc d = SIO(.recovery_ms = (1u << 30) + 1);
        EXPECT_HAS(wshub_sio_desc_problem(&d), "recovery_ms");
    }
    stop();
}

TEST(a_namespace_that_a_rule_has_made_waits_for_who_may_return) { /* 3.5 */
    eio_peer p, q;
    start(SIO(.recovery_ms = 1000, .namespaces_max = 2), FAKE(0));
    gone_with_an_offset(&p, "/n1,");
    wshub_io_fake_advance(s.w.net, 500);
    EXPECT(wshub_sio_of(sio, "/n1").id != 0);
    asks_back(&p, "40/n1,{\"pid\":\"{pid1}\",\"offset\":\"{o1}\"}");
    hears(&p, "40/n1,{\"sid\":\"{sid1}\",\"pid\":\"{pid1}\"}");
    peer_lose(&p);
    wshub_io_fake_advance(s.w.net, 2000);
    EXPECT_INT(wshub_sio_of(sio, "/n1").id, 0); /* its time is over, and so is this */
    gone_with_an_offset(&p, "/n1,");
    eio_peer_open(&s, &q, false);
    eio_peer_say(&q, "40/n2,");
    hears(&q, "40/n2,{\"sid\":\"{sid2}\",\"pid\":\"{pid2}\"}");
    eio_peer_say(&q, "40/n3,"); /* which is worth more than who may return to another */
    hears(&q, "40/n3,{\"sid\":\"{sid3}\",\"pid\":\"{pid3}\"}");
    EXPECT_INT(figures().recovery_dropped, 1);
    EXPECT_INT(wshub_sio_of(sio, "/n1").id, 0);
    eio_peer_say(&q, "40/n4,"); /* but not than who is there */
    hears(&q, "44/n4,{\"message\":\"Invalid namespace\"}");
    stop();
}

TEST(in_a_namespace_with_a_flow_nobody_is_recovered) { /* 3.5, 10 */
    wshub_sio_flow flow;
    wshub_sio_namespace_desc d = SPACE(.name = "/flow", .flow = &flow);
    eio_peer p;
    memset(&flow, 0, sizeof flow);
    start(SIO(.recovery_ms = 1000), FAKE(0));
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_OK);
    names_count = 0;
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40/flow,");
    hears(&p, "40/flow,{\"sid\":\"{sid1}\"}");
    peer_lose(&p);
    EXPECT_INT(figures().recovery_sessions, 0);
    stop();
}

TEST(those_of_a_server_that_shuts_down_may_return_to_it) { /* 3.4, 3.5 */
    eio_peer p;
    start(SIO(.recovery_ms = 1000), FAKE(0));
    names_count = 0;
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40");
    hears(&p, IS_BACK);
    wshub_sio_shutdown(sio);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(figures().recovery_sessions, 1);
    stop();
}

/* Comes back, as far as that goes while memory fails. Who is back has missed nothing, of events and
 * of rooms. */
enum { NOT_IN, AS_BEFORE, AS_NEW };
static int tries_back(bool missed) {
    wshub_conn c = wshub_io_fake_open(s.w.net);
    char text[1000], room[8];
    int heard = 0, i;
    eio_answer a;
    eio_peer p;
    memset(&p, 0, sizeof p);
    p.s = &s;
    p.c = c;
    eio_ask(&s, c, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    a = eio_look(&s, c);
    if (a.status == 101) {
        eio_take(&s, c, &a);
        wshub_io_fake_text(s.w.net, c, filled("40{\"pid\":\"{pid1}\"}"));
        wshub_io_fake_run(s.w.net);
    }
    s.w.fail_at = 0;
    if (a.status != 101) return NOT_IN;
    for (eio_peer_hear(&p, text); text[0]; eio_peer_hear(&p, text)) {
        if (strncmp(text, "451-", 4) == 0) heard++;
        if (strncmp(text, "40", 2) == 0) break;
    }
    if (!text[0]) return NOT_IN;
    if (!text_is(text, IS_BACK)) {
        EXPECT_INT(heard, 0);
        return AS_NEW;
    }
    EXPECT_INT(heard, missed);
    for (i = 0; i < 12; i++) {
        (void)snprintf(room, sizeof room, "r%d", i);
        EXPECT(wshub_client_in_room(s.w.hub, app.last, wshub_str_z(room)));
    }
    return AS_BEFORE;
}

TEST(whatever_finds_no_memory_leaves_no_gap) { /* 3.5 */
    int counts[3] = {0, 0, 0}, where, i;
    char room[8];
    long n;
    for (n = 1; n < 120; n++) {
        for (where = 0; where < 2; where++) {
            wshub_err err;
            eio_peer p;
            int how;
            start(SIO(.recovery_ms = 5000), FAKE(0));
            names_count = 0;
            eio_peer_open(&s, &p, false);
            eio_peer_say(&p, "40");
            hears(&p, IS_BACK);
            for (i = 0; i < 12; i++) {
                (void)snprintf(room, sizeof room, "r%d", i);
                EXPECT_INT(wshub_client_join(s.w.hub, app.last, wshub_str_z(room)), WSHUB_OK);
            }
            if (where == 0) s.w.fail_at = n;
            peer_lose(&p);
            err = all_hear("/", "[\"m\",2,{\"$\":\"01\"}]");
            if (where == 1) s.w.fail_at = n;
            how = tries_back(err == WSHUB_OK);
            counts[how]++;
            if (how == NOT_IN) EXPECT(tries_back(err == WSHUB_OK) != NOT_IN); /* once more */
            stop();
        }
    }
    EXPECT_OP(counts[AS_BEFORE], >, 100);
    EXPECT_OP(counts[AS_NEW] + counts[NOT_IN], >, 10);
}

TEST(a_pid_is_known_in_its_own_namespace_alone) { /* 3.5 */
    eio_peer p;
    start(SIO(.recovery_ms = 5000), FAKE(0));
    gone_with_an_offset(&p, "");
    asks_back(&p, "40/a,{\"pid\":\"{pid1}\"}");
    hears(&p, "40/a,{\"sid\":\"{sid2}\",\"pid\":\"{pid2}\"}");
    eio_peer_say(&p, filled(BACK)); /* and is not spent by that */
    hears(&p, IS_BACK);
    stop();
}

static void let_in(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h, void *user) {
    (void)h, (void)user;
    EXPECT_INT(wshub_sio_accept(of, ask, NULL), WSHUB_OK);
}

TEST(in_a_shared_realm_json_clients_hear_no_offsets) { /* 3.5; SEND-8 */
    static const wshub_realm first = {0};
    wshub_sio_namespace_desc shared = SPACE(.realm = &first, .on_connect = let_in);
    wshub_sio_desc d = SIO(.recovery_ms = 5000);
    wshub_conn json;
    eio_peer p;
    memset(&s, 0, sizeof s);
    memset(&app, 0, sizeof app);
    world_start(&s.w, DESC(.on_authenticate = accept_all, .no_default_rooms = true), FAKE(0));
    d.engine.ping_interval_ms = 60000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    EXPECT_INT(wshub_sio_create(s.w.hub, &d, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &shared, NULL), WSHUB_OK);
    json = world_client(&s.w, "ada", NULL);
    gone_with_an_offset(&p, "");
    EXPECT_INT(all_hear("/", "[\"m\"]"), WSHUB_OK);
    EXPECT_INT(all_hear("/", "[\"m\",2,3]"), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, json, "{\"event\":\"m\",\"data\":1}", "{\"event\":\"m\"}",
                 "{\"event\":\"m\",\"data\":[2,3]}");
    asks_back(&p, BACK);
    hears(&p, "42[\"m\",\"{o2}\"]");
    hears(&p, "42[\"m\",2,3,\"{o3}\"]");
    hears(&p, IS_BACK);
    stop();
}

static wshub_err close_at_once(wshub *hub, wshub_client c, void *user) {
    (void)user;
    EXPECT_INT(wshub_client_close(hub, c, 0, wshub_str_z("")), WSHUB_OK);
    return WSHUB_OK;
}
TEST(one_that_is_closed_as_it_comes_back_has_come_back_and_is_gone) { /* 3.5; BYE-1 */
    wshub_sio_namespace_desc root = SPACE(.on_connect = on_connect);
    wshub_sio_desc d = SIO(.recovery_ms = 5000);
    eio_peer p;
    memset(&s, 0, sizeof s);
    memset(&app, 0, sizeof app);
    world_start(&s.w, DESC(.on_connected = close_at_once), FAKE(0));
    d.engine.ping_interval_ms = 60000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    EXPECT_INT(wshub_sio_create(s.w.hub, &d, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_OK);
    app.defers = true;
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40");
    EXPECT_INT(wshub_sio_accept(sio, app.asked, NULL), WSHUB_OK); /* outside of any callback */
    names_count = 0;
    hears(&p, IS_BACK);
    hears(&p, "41");
    EXPECT_INT(figures().sockets + figures().recovery_sessions, 0);
    stop();
}

TEST(what_was_missed_goes_over_whole_where_a_session_upgrades_before_it_has_polled) { /* 2.6, 3.5 */
    eio_peer p;
    start(SIO(.recovery_ms = 5000), FAKE(0));
    gone_with_an_offset(&p, "");
    EXPECT_INT(all_hear("/", "[\"m\",{\"$\":\"0102\"},{\"$\":\"\"}]"), WSHUB_OK);
    EXPECT_INT(all_hear("/", "[\"m\",3]"), WSHUB_OK);
    eio_peer_open(&s, &p, true);
    eio_peer_say(&p, filled(BACK));
    p.c = eio_socket(&s, "EIO=4&transport=websocket&sid={sid}");
    p.polls = false;
    eio_peer_say(&p, "2probe");
    hears(&p, "3probe");
    eio_peer_say(&p, "5");
    hears(&p, "452-[\"m\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1},"
              "\"{o2}\"]");
    hears_bytes(&p, "0102");
    hears_bytes(&p, "");
    hears(&p, "42[\"m\",3,\"{o3}\"]");
    hears(&p, IS_BACK);
    stop();
}

TEST(a_line_that_died_without_a_sign_is_recovered_from_where_it_died) { /* 2.7, 3.5 */
    eio_peer p;
    int i;
    start(SIO(.recovery_ms = 500, .engine = {.ping_interval_ms = 400, .ping_timeout_ms = 300}),
          FAKE(0));
    names_count = 0;
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40");
    hears(&p, IS_BACK);
    EXPECT_INT(one_hears(app.last, "[\"m\",0]"), WSHUB_OK);
    hears(&p, "42[\"m\",0,\"{o1}\"]");
    for (i = 1; i <= 11; i++) { /* nothing of it arrives, and no ping is answered */
        EXPECT_INT(all_hear("/", "[\"m\",1]"), WSHUB_OK);
        wshub_io_fake_advance(s.w.net, 100);
    }
    EXPECT_INT(figures().recovery_sessions, 1);
    asks_back(&p, BACK);
    for (i = 1; i <= 11; i++) {
        char want[40];
        (void)snprintf(want, sizeof want, "42[\"m\",1,\"{o%d}\"]", i + 1);
        hears(&p, want);
    }
    hears(&p, IS_BACK);
    EXPECT_INT(figures().recovered, 1);
    stop();
}
