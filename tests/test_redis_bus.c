/* The Redis bus on the fake io, against a broker in memory and a clock turned by hand: hubs
 * that hear each other, limits, batches, emitters, memory that fails, ends (BUS-1 to BUS-5,
 * EMIT-1, BYE-2). */
#include "hubtest.h"
#include "redis_site.h"

static void site_run_all(site *s, size_t count) {
    size_t k;
    int i;
    for (i = 0; i < 4; i++) {
        for (k = 0; k < count; k++) site_run(&s[k]);
    }
}

TEST(two_hubs_over_a_broker_in_every_way_of_sending_and_receiving) { /* BUS-1, BUS-2, BUS-3 */
    static site s[2];
    static const wshub_io_fake_desc ways[] = {{0},
                                              {.cut_bytes = 1},
                                              {.take_bytes = 7},
                                              {.completion = true},
                                              {.completion = true, .take_bytes = 5}};
    int way, resp3;
    for (way = 0; way < 5; way++) {
        for (resp3 = 0; resp3 < 4; resp3++) {
            broker *b = fresh();
            wshub_conn a, c;
            b->no_hello = resp3 == 2;
            b->password = resp3 == 3 ? "p@ss" : NULL;
            site_start(
                &s[0], b,
                BUSDESC(.resp3 = resp3 > 0, .url = resp3 == 3 ? "redis://u:p%40ss@broker/2" : NULL),
                DESC(.server_id = "A"), ways[way]);
            site_start(
                &s[1], b,
                BUSDESC(.resp3 = resp3 > 0, .url = resp3 == 3 ? "redis://:p%40ss@broker" : NULL),
                DESC(.server_id = "B"), ways[way]);
            site_advance(&s[0], 200);
            site_advance(&s[1], 200);
            EXPECT_INT(rstats(&s[0]).state, WSHUB_BUS_UP);
            EXPECT_INT(rstats(&s[1]).subscribed, 4);
            a = world_client(&s[0].w, "a", NULL);
            c = world_client(&s[1].w, "c", NULL);
            site_send(&s[0], "", "1");
            site_send(&s[0], "ws-default", "\"\xC3\xA9 \\u0000 \\r\\n\"");
            site_send(&s[0], "ws-default", "3");
            site_run_all(s, 2);
            EXPECT_TEXT(&s[0].w, a, "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":\"\xC3\xA9 \\u0000 \\r\\n\"}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":3}");
            EXPECT_SILENCE(&s[1].w, c);
            EXPECT_INT(stats(&s[0].w).bus_self_echo, 3);
            EXPECT_INT(rstats(&s[0]).published, 3);
            EXPECT_INT(rstats(&s[0]).pending, 0);
            EXPECT_INT(rstats(&s[0]).receivers, 6);
            EXPECT_INT(rstats(&s[1]).received, 3);
            broker_drop_all(b);
            site_stop(&s[0]);
            site_stop(&s[1]);
        }
    }
}

TEST(messages_over_the_limit_are_skipped_and_counted) {
    static site s;
    size_t cut, size;
    for (size = 1025; size <= 3000; size += 987) {
        for (cut = 0; cut < 60; cut++) {
            broker *b = fresh();
            wshub_conn c;
            char *text = (char *)malloc(8192);
            size_t n, at;
            site_start(&s, b, BUSDESC(.message_bytes_max = 1024), DESC(0), FAKE(0));
            c = world_client(&s.w, "u", NULL);
            n = (size_t)snprintf(
                text, 8192,
                "*4\r\n$8\r\npmessage\r\n$9\r\nws:room:*\r\n$9\r\nws:room:x\r\n$%zu\r\n", size);
            memset(text + n, 'x', size);
            n += size;
            n += (size_t)snprintf(
                text + n, 8192 - n,
                "\r\n*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$56\r\n{\"serverId\":\"x\","
                "\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}\r\n");
            at = cut < 50 ? cut * 2 : n - (cut - 50) * 13;
            broker_say(sub_link(b), text, at);
            if (at < n) broker_say(sub_link(b), text + at, n - at);
            site_run(&s);
            EXPECT_INT(rstats(&s).oversized, 1);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
            free(text);
            site_stop(&s);
        }
    }
}

/* nothing grows without a limit that has a name */
TEST(a_broker_that_does_not_read_costs_no_more_than_the_limits) {
    static site s;
    broker *b = fresh();
    wshub_conn c;
    size_t before;
    int i;
    site_start(&s, b, BUSDESC(.output_bytes_max = 10000, .heartbeat_timeout_ms = 600000),
               DESC(.bus_queue_bytes_max = 20000, .bus_burst_bytes_max = 20000), FAKE(0));
    c = world_client(&s.w, "u", NULL);
    site_advance(&s, 10);
    before = s.w.bytes;
    wshub_io_fake_window(s.w.net, pub_link(b)->conn, 0);
    for (i = 0; i < 2000; i++) {
        char n[16];
        (void)snprintf(n, sizeof n, "%d", i);
        site_send(&s, "room", n);
    }
    EXPECT(rstats(&s).output_bytes >= 10000 && rstats(&s).output_bytes < 12000);
    EXPECT(stats(&s.w).bus_queued_bytes <= 20000 && stats(&s.w).bus_queued_bytes > 19000);
    EXPECT(stats(&s.w).bus_dropped > 1000);
    EXPECT_OP(s.w.bytes, <, before + 80000);
    wshub_io_fake_window(s.w.net, pub_link(b)->conn, UINT64_MAX);
    site_advance(&s, 100);
    EXPECT_INT(stats(&s.w).bus_queued_bytes, 0);
    EXPECT_INT(rstats(&s).pending, 0);
    EXPECT_INT(rstats(&s).published + stats(&s.w).bus_dropped, 2000);
    /* in its own ears: all that was taken has arrived */
    EXPECT_INT(stats(&s.w).bus_self_echo, rstats(&s).published);
    EXPECT_SILENCE(&s.w, c);
    site_stop(&s);
}

/* BUS-4 at 5,000 rooms, a broker that reads slowly */
TEST(exact_mode_subscribes_in_batches_and_again_after_an_outage) {
    static site s;
    broker *b = fresh();
    char id[37], name[32];
    int i;
    broker_link *l;
    site_start(&s, b, BUSDESC(.output_bytes_max = 30000),
               DESC(.bus_exact = true, .rooms_per_client_max = 10000, .no_default_rooms = true,
                    .bus_linger_ms = WSHUB_OFF),
               FAKE(0));
    (void)world_client(&s.w, "u", id);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    wshub_io_fake_hold(s.w.net, true);
    for (i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_join(s.w.hub, world_handle(&s.w, id), wshub_str_z(name)), WSHUB_OK);
    }
    wshub_io_fake_hold(s.w.net, false);
    EXPECT(rstats(&s).output_bytes < 60000);
    site_advance(&s, 600);
    EXPECT_INT(rstats(&s).subscribed, 5000 + 4);
    EXPECT_INT(rstats(&s).unacknowledged, 0);
    EXPECT_INT(sub_link(b)->subs_count, 5000 + 4 + 1);
    broker_drop_all(b);
    site_advance(&s, 2000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    l = sub_link(b);
    EXPECT(l && l->subs_count == 5000 + 4 + 1);
    /* rooms that go while all is subscribed anew are not forgotten */
    broker_drop_all(b);
    b->hold_acks = true;
    site_advance(&s, 60);
    for (i = 0; i < 5000; i += 2) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_leave(s.w.hub, world_handle(&s.w, id), wshub_str_z(name)),
                   WSHUB_OK);
    }
    EXPECT_INT(wshub_client_join(s.w.hub, world_handle(&s.w, id), wshub_str_z("late")), WSHUB_OK);
    site_advance(&s, 10);
    b->hold_acks = false;
    site_advance(&s, 1500);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(sub_link(b)->subs_count, 2500 + 1 + 4 + 1);
    EXPECT_INT(rstats(&s).subscribed, 2500 + 1 + 4);
    site_stop(&s);
}

TEST(a_prefix_keeps_instances_apart_and_is_no_pattern) {
    static site s[3];
    broker *b = fresh();
    wshub_conn c[3];
    int i;
    for (i = 0; i < 3; i++) {
        site_start(&s[i], b, BUSDESC(.channel_prefix = i < 2 ? "a*[b]:" : "axb:"), DESC(0),
                   FAKE(.seed = (uint64_t)i + 5));
        c[i] = world_client(&s[i].w, "u", NULL);
    }
    site_send(&s[0], "ws-default", "1");
    site_send(&s[2], "ws-default", "2");
    site_run_all(s, 3);
    EXPECT_TEXT(&s[0].w, c[0], "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s[1].w, c[1], "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s[2].w, c[2], "{\"event\":\"m\",\"data\":2}");
    for (i = 0; i < 3; i++) EXPECT_SILENCE(&s[i].w, c[i]);
    for (i = 0; i < 3; i++) site_advance(&s[i], 1100);
    /* heartbeats stay apart, too */
    for (i = 0; i < 3; i++) EXPECT_INT(rstats(&s[i]).state, WSHUB_BUS_UP);
    broker_drop_all(b);
    for (i = 0; i < 3; i++) site_stop(&s[i]);
}

static wshub_bus_redis *to_destroy;
static void destroy_on_bus(wshub *hub, wshub_bus_state st, uint64_t ms, void *user) {
    world *w = (world *)user;
    (void)st;
    (void)ms;
    w->hub = NULL;
    wshub_destroy(hub);
    wshub_bus_redis_destroy(to_destroy); /* while it is at work */
}
static wshub_err destroy_on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    destroy_on_bus(hub, WSHUB_BUS_UP, 0, user);
    return WSHUB_OK;
}

TEST(everything_may_end_inside_a_callback_of_the_bus) {
    int when;
    for (when = 0; when < 3; when++) {
        broker *b = fresh();
        world w;
        wshub_bus_redis_desc rd;
        wshub_desc d;
        int i;
        memset(&w, 0, sizeof w);
        memset(&rd, 0, sizeof rd);
        EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
        rd.io = wshub_io_fake_io(w.net);
        rd.url = "redis://broker";
        rd.alloc = world_alloc;
        rd.alloc_user = &w;
        EXPECT_INT(wshub_bus_redis_create(&rd, &to_destroy), WSHUB_OK);
        d = DESC(.io = rd.io, .bus = wshub_bus_redis_bus(to_destroy), .on_authenticate = accept_all,
                 .alloc = world_alloc, .alloc_user = &w, .user = &w);
        if (when == 0) d.on_bus = destroy_on_bus;
        d.on_message = destroy_on_message;
        EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 20; i++) {
            (void)broker_step(b, w.net);
            wshub_io_fake_run(w.net);
        }
        if (when == 1) {
            wshub_conn c = world_client(&w, "u", NULL);
            wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
        } else if (when == 2) {
            wshub_destroy(w.hub);
            wshub_bus_redis_destroy(to_destroy);
        }
        wshub_io_fake_run(w.net);
        broker_drop_all(b);
        wshub_io_fake_destroy(w.net);
        EXPECT_INT(w.bytes, 0);
    }
}

TEST(an_emitter_publishes_and_says_what_became_of_it) { /* EMIT-1 */
    broker *b = fresh();
    static site s;
    world w;
    wshub_bus_redis *redis;
    wshub_emitter *em;
    wshub_msg m = msg("m", "1");
    wshub_conn c;
    wshub_bus_redis_stats st;
    int i;
    memset(&w, 0, sizeof w);
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(.seed = 8));
    c = world_client(&s.w, "u", NULL);
    EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
    EXPECT_INT(wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(w.net),
                                                              .url = "redis://broker",
                                                              .publish_only = true,
                                                              .alloc = world_alloc,
                                                              .alloc_user = &w},
                                      &redis),
               WSHUB_OK);
    EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis),
                                                          .alloc = world_alloc,
                                                          .alloc_user = &w},
                                    &em),
               WSHUB_OK);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK); /* kept until the broker is there */
    EXPECT_OP(wshub_emitter_queued_bytes(em), >, 0);
    for (i = 0; i < 10; i++) {
        wshub_io_fake_advance(w.net, 1);
        (void)broker_step(b, w.net);
    }
    EXPECT_INT(wshub_emitter_queued_bytes(em), 0);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
    for (i = 0; i < 3000; i++) { /* alone it stays connected, by PING */
        wshub_io_fake_advance(w.net, 1);
        (void)broker_step(b, w.net);
    }
    wshub_bus_redis_stats_get(redis, &st);
    EXPECT_INT(st.published, 2);
    EXPECT_INT(st.pending, 0);
    EXPECT_INT(st.receivers, 2);
    EXPECT_INT(st.ups, 1);
    site_run(&s);
    EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
    b->away = true; /* what was on its way is counted as such */
    b->mute = true;
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
    broker_drop_all(b);
    wshub_io_fake_run(w.net);
    wshub_bus_redis_stats_get(redis, &st);
    EXPECT_INT(st.unconfirmed, 1);
    wshub_emitter_destroy(em);
    wshub_bus_redis_destroy(redis);
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
    site_stop(&s);
}

/* The n-th allocation fails, once and for ever after, through connecting, subscribing,
 * publishing, an outage and the way back; then memory is there again, and within 10 s the bus
 * is up and messages arrive. */
TEST(every_allocation_may_fail) {
    long n, injected = 0;
    int stays;
    for (stays = 0; stays < 2; stays++) {
        for (n = 1;; n++) {
            static site s;
            broker *b = fresh();
            wshub_conn c;
            long left;
            int i;
            site_start(&s, b, BUSDESC(0), DESC(.bus_exact = n % 2 == 0, .bus_linger_ms = WSHUB_OFF),
                       FAKE(0));
            c = world_client(&s.w, "u", NULL);
            s.w.fail_at = n;
            for (i = 0; i < 3; i++) {
                wshub_msg m = msg("m", "1");
                (void)wshub_send(s.w.hub, NULL, &m);
                site_advance(&s, 3);
                broker_drop_all(b);
                if (stays && s.w.fail_at == 0) s.w.fail_at = 1;
                site_advance(&s, 120);
                if (stays && s.w.fail_at == 0) s.w.fail_at = 1;
            }
            left = s.w.fail_at;
            s.w.fail_at = 0;
            site_advance(&s, 10000);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            EXPECT_INT(sub_link(b) ? sub_link(b)->subs_count : 0,
                       n % 2 == 0 ? 1 + 1 + 3 + (wshub_io_fake_is_open(s.w.net, c) ? 3 - 1 : -4)
                                  : 5);
            site_stop(&s);
            if (left > 1) break;
            injected++;
        }
    }
    (void)printf("  %ld failing allocations injected\n", injected);
}

TEST(without_a_heartbeat_nothing_is_subscribed_that_the_owner_did_not) { /* BUS-1 */
    static site s;
    broker *b = fresh();
    site_start(&s, b, BUSDESC(.no_heartbeat = true), DESC(0), FAKE(0));
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(sub_link(b)->subs_count, 4);
    EXPECT_INT(rstats(&s).subscribed, 4);
    EXPECT_INT(b->publishes, 0);
    EXPECT_HAS(b->log, "SUBSCRIBE PSUBSCRIBE");
    sub_link(b)->frozen = true; /* and the network that forgets the subscriber is noticed */
    site_advance(&s, 4200);
    EXPECT_INT(rstats(&s).downs, 1);
    EXPECT_HAS(s.said, "no answer within heartbeat_timeout_ms");
    site_stop(&s);
    b = fresh();
    b->refuse = "SUBSCRIBE";
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    EXPECT_HAS(s.said, "(the heartbeat's: allow &wshub:hb:* or set no_heartbeat)");
    site_stop(&s);
}

TEST(one_reply_is_gathered_up_to_its_limit_and_endless_pushes_cost_nothing) {
    static site s;
    broker *b = fresh();
    broker_link *l;
    static char bulk[1100];
    size_t n, before, most = 0;
    int i;
    site_start(&s, b, BUSDESC(.message_bytes_max = 1024), DESC(0), FAKE(0));
    site_advance(&s, 100);
    before = s.w.bytes;
    for (i = 0; i < 20000; i++)
        broker_say_z(sub_link(b), i & 1 ? ">0\r\n" : "|1\r\n+a\r\n+b\r\n>1\r\n+x\r\n");
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    l = sub_link(b);
    broker_say_z(l, "*4096\r\n");
    n = (size_t)snprintf(bulk, sizeof bulk, "$1024\r\n%01024d\r\n", 7);
    for (i = 0; i < 4000 && rstats(&s).state == WSHUB_BUS_UP; i++) {
        broker_say(l, bulk, n);
        if (s.w.bytes > most) most = s.w.bytes;
    }
    EXPECT(i < 100 && most < before + 300000);
    EXPECT_HAS(s.said, "what came is not RESP, or over its limits");
    site_stop(&s);
}

/* generated: sizes, windows, ios, hub and emitter */
TEST(a_busy_turn_over_redis_loses_nothing_and_its_end_waits) {
    int seed;
    uint32_t dice = 1;
#define DICE(n) (dice = dice * 1664525u + 1013904223u, (dice >> 8) % (n))
    for (seed = 0; seed < 60; seed += (int)test_stride(7)) {
        static site s;
        static char text[200000];
        broker *b = fresh();
        wshub_emitter *em = NULL;
        wshub_bus_redis *redis = NULL;
        bool emits = seed & 1, completion = seed & 2;
        uint64_t published;
        int i, sends = 0, round;
        memset(text, ' ', sizeof text);
        text[0] = '1';
        site_start(&s, b,
                   BUSDESC(.output_bytes_max = 1024 + DICE(20000), .heartbeat_timeout_ms = 600000),
                   DESC(.bus_queue_bytes_max = 2000, .heartbeat_timeout_ms = WSHUB_OFF,
                        .idle_timeout_ms = WSHUB_OFF),
                   FAKE(.completion = completion, .take_bytes = DICE(3) ? 0 : 1000 + DICE(5000)));
        if (emits) {
            EXPECT_INT(
                wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(s.w.net),
                                                               .url = "redis://broker",
                                                               .publish_only = true,
                                                               .output_bytes_max = 5000,
                                                               .heartbeat_timeout_ms = 600000,
                                                               .alloc = world_alloc,
                                                               .alloc_user = &s.w},
                                       &redis),
                WSHUB_OK);
            EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis),
                                                                  .bus_queue_bytes_max = 2000,
                                                                  .alloc = world_alloc,
                                                                  .alloc_user = &s.w},
                                            &em),
                       WSHUB_OK);
        }
        site_advance(&s, 300);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        published = b->publishes;
        for (round = 0; round < 3; round++) {
            /* the window of the publishers is shut for a while, or not */
            for (i = 0; i < BROKER_LINKS; i++) {
                if (b->links[i].conn.id && !b->links[i].subs_count && DICE(2))
                    wshub_io_fake_window(s.w.net, b->links[i].conn, DICE(3000));
            }
            for (i = 0; i < 40; i++) {
                wshub_msg m = msg("m", "1");
                static const size_t sizes[] = {1, 900, 1900, 2000, 2100, 10000};
                m.data.ptr = text;
                m.data.len = DICE(20) ? sizes[DICE(6)] : sizeof text;
                EXPECT_INT(emits ? wshub_emitter_send(em, NULL, &m) : wshub_send(s.w.hub, NULL, &m),
                           WSHUB_OK);
                sends++;
            }
            site_advance(&s, 5);
            for (i = 0; i < BROKER_LINKS; i++) {
                if (b->links[i].conn.id)
                    wshub_io_fake_window(s.w.net, b->links[i].conn, UINT64_MAX);
            }
            site_advance(&s, 50); /* what was kept leaves by itself */
            EXPECT_INT(emits ? wshub_emitter_queued_bytes(em) : stats(&s.w).bus_queued_bytes, 0);
        }
        for (i = 0; i < 10; i++) { /* and the last words before the end */
            wshub_msg m = msg("m", "1");
            EXPECT_INT(emits ? wshub_emitter_send(em, NULL, &m) : wshub_send(s.w.hub, NULL, &m),
                       WSHUB_OK);
            sends++;
        }
        if (emits) {
            wshub_emitter_close(em, 3000, NULL, NULL);
            site_advance(&s, 100);
        } else {
            EXPECT_INT(wshub_shutdown(s.w.hub), WSHUB_OK);
            EXPECT(!wshub_is_down(s.w.hub));
            site_advance(&s, 100);
            EXPECT(wshub_is_down(s.w.hub));
            EXPECT_INT(stats(&s.w).bus_dropped + stats(&s.w).bus_unconfirmed, 0);
        }
        /* heartbeats */
        EXPECT(b->publishes - published >= (uint64_t)sends &&
               b->publishes - published <= (uint64_t)sends + 6);
        wshub_bus_redis_destroy(redis);
        site_stop(&s);
    }
#undef DICE
}

static uint64_t emitter_lost;
static int emitter_closed;
static void on_closed_destroy(uint64_t lost, void *arg) {
    emitter_lost = lost;
    emitter_closed++;
    wshub_bus_redis_destroy((wshub_bus_redis *)arg); /* as it says: its bus may go now */
}

TEST(an_end_that_cannot_be_good_ends_at_its_deadline_and_is_counted) { /* BYE-2 */
    int way;
    /* a mute broker, a shut window, no broker at all, a cut while it closes, a late word */
    for (way = 0; way < 5; way++) {
        static site s;
        broker *b = fresh();
        wshub_bus_redis *redis;
        wshub_emitter *em;
        wshub_msg m = msg("m", "1");
        int i;
        emitter_closed = 0;
        site_start(&s, b, BUSDESC(.heartbeat_timeout_ms = 600000),
                   DESC(.shutdown_timeout_ms = 2000), FAKE(0));
        EXPECT_INT(wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(s.w.net),
                                                                  .url = "redis://broker",
                                                                  .publish_only = true,
                                                                  .heartbeat_timeout_ms = 600000,
                                                                  .alloc = world_alloc,
                                                                  .alloc_user = &s.w},
                                          &redis),
                   WSHUB_OK);
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis),
                                                              .alloc = world_alloc,
                                                              .alloc_user = &s.w},
                                        &em),
                   WSHUB_OK);
        site_advance(&s, 100);
        if (way == 0 || way == 4) b->mute = true;
        if (way == 2) {
            b->away = true;
            broker_drop_all(b);
            wshub_io_fake_run(s.w.net);
        }
        for (i = 0; way == 1 && i < BROKER_LINKS; i++) {
            if (b->links[i].conn.id) wshub_io_fake_window(s.w.net, b->links[i].conn, 0);
        }
        for (i = 0; i < 3; i++) {
            EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
            EXPECT_INT(wshub_send(s.w.hub, NULL, &m), WSHUB_OK);
        }
        if (way == 3) wshub_io_fake_hold(s.w.net, false);
        wshub_emitter_close(em, 2000, on_closed_destroy, redis);
        EXPECT_INT(wshub_shutdown(s.w.hub), WSHUB_OK);
        if (way == 3) {
            b->mute = true;
            b->away = true;
            wshub_io_fake_run(s.w.net);
            broker_drop_all(b);
        }
        site_advance(&s, 1900);
        if (way != 3) {
            EXPECT_INT(emitter_closed, 0);
            EXPECT(!wshub_is_down(s.w.hub));
        }
        if (way == 4) b->mute = false;
        site_advance(&s, 150);
        EXPECT_INT(emitter_closed, 1);
        EXPECT(wshub_is_down(s.w.hub));
        /* of what was under way when the connection broke nobody knows */
        EXPECT_INT(emitter_lost, way == 4 ? 0 : 3);
        if (way < 4) EXPECT_INT(stats(&s.w).bus_dropped + stats(&s.w).bus_unconfirmed, 3);
        if (way == 4) EXPECT_INT(stats(&s.w).bus_dropped + stats(&s.w).bus_unconfirmed, 0);
        site_stop(&s);
    }
}

static int log_lines, log_fatal;
static site *log_site;
static void log_destroys(const char *line, void *user) {
    wshub *hub = log_site->w.hub;
    (void)line;
    (void)user;
    if (++log_lines != log_fatal || !hub) return;
    log_site->w.hub = NULL;
    wshub_destroy(hub);
    if (log_fatal & 1) {
        wshub_bus_redis_destroy(log_site->redis);
        log_site->redis = NULL;
    }
}

TEST(a_hub_and_its_bus_may_end_in_on_log_at_every_line) {
    int n, most = 2, scene;
    for (scene = 0; scene < 4; scene++) {
        for (n = 1; n <= most + 1; n++) {
            static site s;
            broker *b = fresh();
            wshub_bus_redis_desc rd;
            wshub_desc d;
            wshub_msg m = msg("m", "1");
            int i;
            memset(&s, 0, sizeof s);
            memset(&rd, 0, sizeof rd);
            memset(&d, 0, sizeof d);
            s.b = b;
            log_site = &s;
            log_lines = 0;
            log_fatal = n;
            EXPECT_INT(wshub_io_fake_create(NULL, &s.w.net), WSHUB_OK);
            rd.io = d.io = wshub_io_fake_io(s.w.net);
            rd.url = scene == 2 ? "redis://s1,s2" : "redis://broker";
            if (scene == 2) rd.sentinel = "main";
            rd.on_log = log_destroys;
            rd.alloc = world_alloc;
            rd.alloc_user = &s.w;
            b->master_host = "10.0.0.1";
            b->master_port = "6379";
            EXPECT_INT(wshub_bus_redis_create(&rd, &s.redis), WSHUB_OK);
            d.bus = wshub_bus_redis_bus(s.redis);
            d.alloc = world_alloc;
            d.alloc_user = &s.w;
            EXPECT_INT(wshub_create(&d, &s.w.hub), WSHUB_OK);
            for (i = 0; i < 6; i++) {
                b->refuse = scene == 1   ? i % 2 ? "PUBLISH" : NULL
                            : scene == 3 ? i % 2 ? "PSUBSCRIBE" : NULL
                                         : NULL;
                b->away = scene == 0 && i % 3 == 1;
                if (s.w.hub) (void)wshub_send(s.w.hub, NULL, &m);
                site_advance(&s, 1500);
                if (s.w.hub && rstats(&s).state == WSHUB_BUS_UP)
                    (void)wshub_send(s.w.hub, NULL, &m);
                if (i % 2) broker_drop_all(b);
            }
            if (n == most + 1 && log_lines > most && n < 12) most = log_lines < 11 ? log_lines : 11;
            if (s.w.hub) wshub_destroy(s.w.hub);
            wshub_bus_redis_destroy(s.redis);
            broker_drop_all(b);
            wshub_io_fake_destroy(s.w.net);
            EXPECT_INT(s.w.bytes, 0);
        }
    }
    EXPECT_OP(most, >, 4);
}
