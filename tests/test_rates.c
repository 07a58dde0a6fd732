/* Rates (RATE-1 to RATE-4): buckets against exact sums, the table against a list, a hub of many
 * against a model, and what is done with messages and streams that are over, by a clock turned by
 * hand. What befalls who is put off: tests/test_rates_slowed.c. */
#include "rates_site.h"

/* ---- buckets, alone ---- */

static wshub__rate rate_of(uint32_t messages, uint32_t burst, uint32_t bytes,
                           uint32_t bytes_burst) {
    wshub__rate rate;
    rate.messages = messages;
    rate.messages_burst = (uint64_t)burst * 1000;
    rate.bytes = bytes;
    rate.bytes_burst = (uint64_t)bytes_burst * 1000;
    return rate;
}

/* What passes in any time is the burst and what the time brings, and no less than that where
 * somebody always asks. */
TEST(no_more_passes_than_the_burst_and_what_the_time_brings_and_no_less) { /* RATE-2 */
    int round;
    any_seed = 77;
    for (round = 0; round < 300; round++) {
        uint32_t per_s = 1 + any_of(round % 3 ? 50 : 100000), burst = 1 + any_of(100);
        wshub__rate rate = rate_of(per_s, burst, 0, 1);
        wshub__bucket bucket;
        uint64_t now = any_of(1000), begin = now, passed = 0;
        int step;
        wshub__bucket_init(&bucket, &rate, now);
        for (step = 0; step < 400; step++) {
            now += any_of(3) ? any_of(30) : any_of(3000);
            wshub__bucket_fill(&bucket, &rate, now);
            while (wshub__bucket_has(&bucket, &rate, 0)) {
                wshub__bucket_take(&bucket, &rate, 0);
                passed++;
            }
            EXPECT_OP(passed * 1000, <=, burst * 1000ull + (now - begin) * per_s);
            if (wshub__bucket_wait(&bucket, &rate) == 0) EXPECT(false); /* or one more had passed */
        }
        /* Whoever asks whenever there is enough loses nothing to rounding. */
        wshub__bucket_init(&bucket, &rate, now);
        begin = now;
        for (passed = 0; passed < burst; passed++) wshub__bucket_take(&bucket, &rate, 0);
        for (step = 0; step < 200; step++) {
            now += wshub__bucket_wait(&bucket, &rate);
            wshub__bucket_fill(&bucket, &rate, now);
            EXPECT(wshub__bucket_has(&bucket, &rate, 0));
            wshub__bucket_take(&bucket, &rate, 0);
            passed++;
            EXPECT_OP(passed * 1000, <=, burst * 1000ull + (now - begin) * per_s);
            if (burst * 1000 >= 1000 + per_s) /* a ms brings no more than there is room for */
                EXPECT_OP(passed * 1000 + 1000 + per_s, >, burst * 1000ull + (now - begin) * per_s);
        }
    }
}

TEST(who_keeps_to_the_rate_is_never_held_up) { /* RATE-2 */
    uint32_t per_s;
    for (per_s = 1; per_s <= 1000; per_s += 3) { /* beyond, a ms brings more than one */
        wshub__rate rate = rate_of(per_s, 2, per_s * 10, 20); /* one more, for whole ms */
        wshub__bucket bucket;
        uint64_t k;
        wshub__bucket_init(&bucket, &rate, 0);
        for (k = 0; k < 3000; k++) { /* the k-th at the first ms at which it is due */
            wshub__bucket_fill(&bucket, &rate, (k * 1000 + per_s - 1) / per_s);
            EXPECT(wshub__bucket_has(&bucket, &rate, 10));
            wshub__bucket_take(&bucket, &rate, 10);
        }
    }
}

TEST(the_largest_and_the_strangest_values_overflow_nothing) { /* RATE-2 */
    wshub__rate rate = rate_of(UINT32_MAX - 1, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX);
    wshub__rate slow = rate_of(1, 1, 1, 1);
    wshub__bucket bucket;
    wshub__bucket_init(&bucket, &rate, 0);
    wshub__bucket_fill(&bucket, &rate, UINT64_MAX);
    EXPECT_INT(bucket.messages, (int64_t)UINT32_MAX * 1000);
    wshub__bucket_take(&bucket, &rate, 1u << 30);
    EXPECT(wshub__bucket_has(&bucket, &rate, 1u << 30));

    wshub__bucket_init(&bucket, &slow, 5000);
    EXPECT(wshub__bucket_has(&bucket, &slow, 1u << 30)); /* the burst is whole */
    wshub__bucket_take(&bucket, &slow, 1u << 30);
    EXPECT(!wshub__bucket_has(&bucket, &slow, 1));
    EXPECT_INT(wshub__bucket_wait(&bucket, &slow), (1ull << 30) * 1000);
    wshub__bucket_fill(&bucket, &slow, 4000); /* the clock went back */
    EXPECT_INT(bucket.at, 5000);
    wshub__bucket_fill(&bucket, &slow, 5000 + (1ull << 30) * 1000 - 1);
    EXPECT(!wshub__bucket_has(&bucket, &slow, 1));
    wshub__bucket_fill(&bucket, &slow, 5000 + (1ull << 30) * 1000);
    EXPECT(wshub__bucket_has(&bucket, &slow, 1));
    EXPECT_INT(wshub__level_after(3, 0, 10, UINT64_C(1) << 40), 3); /* a rate of nothing */
}

/* ---- the table, alone ---- */

TEST(the_table_forgets_who_was_silent_longest) { /* RATE-3 */
    enum { MAX = 40, KEYS = 60 };
    wshub__rate rate = rate_of(1, 5, 0, 1);
    wshub__rated_table table;
    wshub__mem mem;
    uint64_t used[KEYS] = {0}, tick = 0;
    int step, k;
    world_start(&w, DESC(0), FAKE(0));
    mem = w.hub->mem;
    memset(&table, 0, sizeof table);
    table.max = MAX;
    any_seed = 5;
    for (step = 0; step < 20000; step++) {
        uint32_t key = any_of(KEYS), number, newer = 0;
        bool known;
        for (k = 0; k < KEYS; k++) newer += used[k] > used[key];
        known = used[key] && newer < MAX; /* it is among the MAX that were used last */
        number = wshub__rated_take(&mem, &table, (uint64_t)key * 65536 + 1, &rate, 0);
        EXPECT(number != WSHUB__NONE && number < MAX);
        EXPECT(known == (table.items[number].bucket.messages < 5000));
        table.items[number].bucket.messages = 4000;
        used[key] = ++tick;
    }
    EXPECT_INT(table.count, MAX);

    /* Without memory for more, the oldest makes room; without any, nobody is counted. */
    wshub__rated_done(&mem, &table);
    table.max = MAX;
    w.fail_all = true;
    EXPECT_INT(wshub__rated_take(&mem, &table, 1, &rate, 0), WSHUB__NONE);
    w.fail_all = false;
    for (k = 1; k <= 16; k++)
        EXPECT(wshub__rated_take(&mem, &table, (uint64_t)k, &rate, 0) != WSHUB__NONE);
    w.fail_all = true;
    EXPECT_INT(wshub__rated_take(&mem, &table, 17, &rate, 0), 0);
    w.fail_at = 1; /* one of the two arrays */
    w.fail_all = false;
    EXPECT_INT(wshub__rated_take(&mem, &table, 18, &rate, 0), 1);
    w.fail_at = 2;
    EXPECT_INT(wshub__rated_take(&mem, &table, 19, &rate, 0), 2);
    w.fail_at = 0;
    EXPECT_INT(table.count, 16);
    wshub__rated_done(&mem, &table);
    world_stop(&w);
}

/* ---- messages ---- */

TEST(messages_over_a_rate_are_dropped_closed_or_put_off) { /* RATE-1 */
    int over;
    for (over = 0; over < 3; over++) {
        char id[37];
        wshub_conn c;
        start(DESC(.client_messages_per_s = 10, .client_messages_burst = 5,
                   .client_over = (wshub_over)over),
              "192.0.2.1:5");
        c = world_client(&w, "ada", id); /* its `authenticate` counts, too */
        says(c, 10);
        if (over == WSHUB_OVER_DROP) {
            EXPECT_INT(heard, 4);
            EXPECT_INT(stats(&w).rate_dropped, 6);
            wshub_io_fake_advance(w.net, 100);
            says(c, 2);
            EXPECT_INT(heard, 5);
            EXPECT_INT(limited, 1); /* once a second */
            wshub_io_fake_advance(w.net, 2000);
            says(c, 7);
            EXPECT_INT(heard, 10);
            EXPECT_INT(limited, 2);
        } else if (over == WSHUB_OVER_CLOSE) {
            EXPECT_INT(heard, 4);
            EXPECT_CLOSE(&w, c, 1008);
            EXPECT_INT(stats(&w).rate_closed, 1);
            EXPECT_INT(stats(&w).clients, 0);
        } else {
            int i;
            EXPECT_INT(heard, 4); /* the fifth of all emptied the burst: nothing more is read */
            for (i = 1; i <= 6; i++) {
                wshub_io_fake_advance(w.net, 99);
                EXPECT_INT(heard, 3 + i);
                wshub_io_fake_advance(w.net, 1);
                EXPECT_INT(heard, 4 + i);
            }
            EXPECT_INT(stats(&w).rate_dropped, 0);
            EXPECT_OP(stats(&w).rate_delayed, >=, 6);
        }
        EXPECT_INT(limited_of, WSHUB_RATE_OF_CLIENT);
        EXPECT_INT(limited_over, over);
        world_stop(&w);
    }
}

TEST(bytes_count_as_messages_do) { /* RATE-1, RATE-2 */
    char id[37];
    wshub_conn c;
    start(DESC(.client_bytes_per_s = 1000, .client_bytes_burst = 100), "192.0.2.1");
    c = world_client(&w, "ada", id);
    wshub_io_fake_advance(w.net, 1000);
    says(c, 5); /* of 22 bytes each */
    EXPECT_INT(heard, 4);
    wshub_io_fake_advance(w.net, 1000);
    {
        char text[400];
        (void)snprintf(text, sizeof text, "{\"event\":\"m\",\"data\":\"%0300d\"}", 0);
        wshub_io_fake_text(w.net, c, text); /* longer than the burst, which is whole */
    }
    EXPECT_INT(heard, 5);
    wshub_io_fake_advance(w.net, 200);
    says(c, 1); /* it is made up for */
    EXPECT_INT(heard, 5);
    wshub_io_fake_advance(w.net, 100);
    says(c, 1);
    EXPECT_INT(heard, 6);
    world_stop(&w);
}

TEST(users_and_addresses_are_counted_over_their_clients_and_beyond_them) { /* RATE-3 */
    int of;
    for (of = 0; of < 2; of++) {
        wshub_desc d = DESC(0);
        char a[37], b[37], other[37];
        wshub_conn ca, cb, cc;
        if (of) {
            d.address_messages_per_s = 1;
            d.address_messages_burst = 9;
        } else {
            d.user_messages_per_s = 1;
            d.user_messages_burst = 7;
        }
        start(d, "2001:db8::1");
        ca = world_client(&w, "ada", a); /* a user is known only from here on */
        cb = world_client(&w, "ada", b);
        says(ca, 4);
        says(cb, 5);
        EXPECT_INT(heard, 7);
        EXPECT_INT(limited_of, of ? WSHUB_RATE_OF_ADDRESS : WSHUB_RATE_OF_USER);
        wshub_io_fake_end(w.net, ca);
        wshub_io_fake_end(w.net, cb);
        {
            wshub_about about;
            memset(&about, 0, sizeof about);
            about.peer = S(of ? "[2001:db8::ffff:0:0:7]:99" : "198.51.100.7"); /* the same /64 */
            wshub_io_fake_set_about(w.net, &about);
        }
        cc = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, cc, "{\"event\":\"authenticate\",\"data\":{\"user\":\"ada\"}}");
        says(cc, 3);
        EXPECT_INT(heard, 7); /* nothing is left */
        {
            wshub_about about;
            memset(&about, 0, sizeof about);
            about.peer = S("2001:db8:0:1::1"); /* another /64, and another user */
            wshub_io_fake_set_about(w.net, &about);
        }
        cc = world_client(&w, "bob", other);
        says(cc, 2);
        EXPECT_INT(heard, 9);
        world_stop(&w);
    }
}

TEST(who_has_no_address_is_not_counted_by_it) { /* RATE-4 */
    char id[37];
    wshub_conn c;
    start(DESC(.address_messages_per_s = 1, .address_conns_per_s = 1), "unix");
    c = world_client(&w, "ada", id);
    says(c, 20);
    EXPECT_INT(heard, 20);
    world_stop(&w);
}

TEST(the_strictest_of_several_rates_counts_and_what_is_dropped_costs_nothing) { /* RATE-1 */
    char id[37];
    wshub_conn c;
    start(DESC(.client_messages_per_s = 1, .client_messages_burst = 3, .user_messages_per_s = 1,
               .user_messages_burst = 4, .address_messages_per_s = 1, .address_messages_burst = 6,
               .address_over = WSHUB_OVER_CLOSE),
          "192.0.2.1");
    c = world_client(&w, "ada", id);
    says(c, 12); /* two pass, ten are over the client's rate and cost nobody else anything */
    EXPECT_INT(heard, 2);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_end(w.net, c);
    c = world_client(&w, "ada", id);
    says(c, 2); /* `authenticate`, and two more: the address has none left for another */
    EXPECT_INT(heard, 4);
    says(c, 1);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

TEST(whoever_waits_is_not_silent_and_a_message_begun_has_its_time) { /* RATE-1, LIVE-1 */
    char id[37];
    wshub_conn c;
    start(DESC(.client_messages_per_s = 1, .client_bytes_per_s = 1, .client_bytes_burst = 40,
               .client_over = WSHUB_OVER_DELAY, .heartbeat_timeout_ms = 5000,
               .idle_timeout_ms = WSHUB_OFF),
          "192.0.2.1");
    c = world_client(&w, "ada", id); /* takes 46 bytes: 7 s of waiting, more than the silence */
    says(c, 1);
    wshub_io_fake_advance(w.net, 6900);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(heard, 0);
    wshub_io_fake_advance(w.net, 200);
    EXPECT_INT(heard, 1);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_input(w.net, c, "\x81\x85", 2); /* the head of a frame, while it waits */
    wshub_io_fake_advance(w.net, 60000);
    EXPECT_INT(stats(&w).message_timeouts, 1); /* from when it was listened to again */
    world_stop(&w);
}

TEST(an_application_may_end_who_is_over) { /* RATE-1 */
    int over;
    for (over = 0; over < 3; over++) {
        char id[37];
        wshub_conn c;
        start(DESC(.client_messages_per_s = 1, .client_messages_burst = 2,
                   .client_over = (wshub_over)over),
              "192.0.2.1");
        c = world_client(&w, "ada", id);
        limited_ends = true;
        says(c, 5);
        EXPECT_INT(heard, over == WSHUB_OVER_DELAY ? 0 : 1);
        EXPECT_CLOSE(&w, c, 4000);
        wshub_io_fake_advance(w.net, 5000);
        world_stop(&w);
    }
}

TEST(to_wait_needs_no_memory_and_a_client_some) { /* RATE-1 */
    char id[37];
    wshub_conn c;
    long n;
    start(DESC(.client_messages_per_s = 1, .client_messages_burst = 2,
               .client_over = WSHUB_OVER_DELAY),
          "192.0.2.1");
    c = world_client(&w, "ada", id);
    w.fail_all = true;
    says(c, 1); /* the last that is read */
    w.fail_all = false;
    says(c, 2);
    EXPECT_INT(heard, 1);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_INT(heard, 2);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_INT(heard, 3);
    for (n = 1; n < 12; n++) { /* whatever fails, a client is there or not */
        w.fail_at = n;
        (void)wshub_io_fake_connect(w.net, "/ws");
        w.fail_at = 0;
    }
    EXPECT_OP(stats(&w).clients, >, 1);
    world_stop(&w);
}

/* ---- streams ---- */

TEST(streams_over_the_rate_of_their_address_are_closed_at_once) { /* RATE-4 */
    static const char *const proxies[] = {"10.0.0.0/8"};
    wshub_about about;
    int i, open = 0;
    memset(&about, 0, sizeof about);
    start(DESC(.address_conns_per_s = 2, .address_conns_burst = 3, .trusted_proxies = proxies,
               .trusted_proxies_count = 1, .forwarded_header = "X-Forwarded-For"),
          "192.0.2.1");
    for (i = 0; i < 10; i++) open += wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net));
    EXPECT_INT(open, 3);
    EXPECT_INT(stats(&w).rate_refused, 7);
    wshub_io_fake_advance(w.net, 500);
    EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
    EXPECT(!wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
    about.peer = S("192.0.2.2");
    wshub_io_fake_set_about(w.net, &about);
    EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
    about.peer = S("10.1.2.3"); /* it brings others */
    wshub_io_fake_set_about(w.net, &about);
    for (i = 0; i < 10; i++) EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
    world_stop(&w);
}

/* ---- what is seldom ---- */

TEST(where_nobody_wants_to_be_told_it_is_counted_all_the_same) { /* RATE-1 */
    char id[37];
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .client_messages_per_s = 1), FAKE(0));
    c = world_client(&w, "ada", id);
    says(c, 3);
    EXPECT_INT(stats(&w).rate_dropped, 3);
    world_stop(&w);
}

TEST(the_graver_of_two_consequences_is_drawn) { /* RATE-1 */
    char id[37];
    wshub_conn c;
    start(DESC(.client_messages_per_s = 1, .client_messages_burst = 2,
               .client_over = WSHUB_OVER_CLOSE, .user_messages_per_s = 1, .user_messages_burst = 1,
               .address_messages_per_s = 1, .address_messages_burst = 2),
          "192.0.2.1");
    c = world_client(&w, "ada", id);
    says(c, 1); /* the last of all three */
    EXPECT_INT(heard, 1);
    says(c, 1);
    EXPECT_CLOSE(&w, c, 1008);
    EXPECT_INT(limited_of, WSHUB_RATE_OF_CLIENT);
    EXPECT_INT(stats(&w).rate_dropped, 0);
    world_stop(&w);
}

TEST(a_peer_whose_address_is_none_or_not_told_is_not_counted_by_it) { /* RATE-3, RATE-4 */
    int way;
    for (way = 0; way < 2; way++) {
        char id[37];
        wshub_conn c;
        start(DESC(.address_messages_per_s = 1, .address_conns_per_s = 1), "who knows");
        if (way) w.hub->io.about = NULL;
        c = world_client(&w, "ada", id);
        says(c, 9);
        EXPECT_INT(heard, 9);
        EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
        EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_open(w.net)));
        world_stop(&w);
    }
}

static bool about_nobody(void *ctx, wshub_conn conn, wshub_about *out_about) {
    (void)ctx;
    (void)conn;
    memset(out_about, 0, sizeof *out_about);
    return false;
}

TEST(a_stream_that_the_io_knows_nothing_of_is_let_in) { /* RATE-4 */
    start(DESC(.address_conns_per_s = 1, .address_messages_per_s = 1), "192.0.2.1");
    w.hub->io.about = about_nobody;
    EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_connect(w.net, "/ws")));
    EXPECT(wshub_io_fake_is_open(w.net, wshub_io_fake_connect(w.net, "/ws")));
    world_stop(&w);
}

TEST(whoever_is_put_off_may_go_or_be_closed) { /* RATE-1 */
    wshub_desc d = DESC(.client_messages_per_s = 1, .client_messages_burst = 2,
                        .client_over = WSHUB_OVER_DELAY, .user_messages_per_s = 100,
                        .preauth_messages_max = 3);
    char id[37];
    wshub_conn c, next;
    wshub_client client;

    start(d, "192.0.2.1"); /* its stream ends, and another has its slot */
    c = world_client(&w, "ada", id);
    says(c, 3);
    EXPECT_INT(heard, 1);
    wshub_io_fake_end(w.net, c);
    next = world_client(&w, "bob", id);
    (void)next;
    wshub_io_fake_advance(w.net, 3000);
    world_stop(&w);

    start(d, "192.0.2.1"); /* it is closed while its peer does not answer that */
    c = world_client(&w, "ada", id);
    says(c, 3);
    client = world_handle(&w, id);
    EXPECT_INT(wshub_client_heard(w.hub, client, 10).state, WSHUB_CLIENT_AUTHENTICATED);
    EXPECT_INT(wshub_client_close(w.hub, client, 4000, S("")), WSHUB_OK);
    wshub_io_fake_advance(w.net, 3000);
    EXPECT_INT(heard, 1);
    world_stop(&w);

    start(d, "192.0.2.1"); /* one that is not accepted is put off, too, and closed for too much */
    c = wshub_io_fake_connect(w.net, "/ws");
    says(c, 4);
    wshub_io_fake_advance(w.net, 900);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 2000);
    {
        wshub_io_fake_frame f;
        memset(&f, 0, sizeof f);
        while (wshub_io_fake_next(w.net, c, &f) && f.opcode == 1) {
        } /* what it was told */
        EXPECT_INT(f.code, 1008);
    }
    EXPECT_INT(heard, 0);
    world_stop(&w);
}

static uint32_t lends;
static void owed(wshub *hub, wshub_session session, size_t bytes, void *user) {
    (void)hub, (void)session, (void)bytes, (void)user;
}

TEST(of_a_lent_session_what_is_over_is_dropped_instead_of_put_off) { /* RATE-1 */
    wshub_dialect table = DIALECT(.name = "lends", .owed = owed);
    wshub_session session;
    wshub_client client;
    wshub_client_desc who;
    int i, read = 0;
    start(DESC(.client_messages_per_s = 1, .client_messages_burst = 3,
               .client_over = WSHUB_OVER_DELAY, .address_messages_per_s = 1),
          "192.0.2.1");
    EXPECT_INT(wshub_dialect_add(w.hub, &table, NULL, &lends), WSHUB_OK);
    EXPECT_INT(wshub_session_lend(w.hub, lends, &w, &session), WSHUB_OK);
    memset(&who, 0, sizeof who);
    who.dialect = lends;
    EXPECT_INT(wshub_client_add(w.hub, session, &who, &client), WSHUB_OK);
    EXPECT_INT(wshub_client_accept(w.hub, client, NULL), WSHUB_OK);
    for (i = 0; i < 8; i++)
        read += wshub_client_heard(w.hub, client, 10).state == WSHUB_CLIENT_AUTHENTICATED;
    EXPECT_INT(read, 3);
    EXPECT_INT(stats(&w).rate_dropped, 5);
    EXPECT_INT(stats(&w).rate_delayed, 0);
    world_stop(&w);
}

TEST(of_two_rates_that_put_off_the_longer_counts) { /* RATE-1 */
    char id[37];
    wshub_conn c;
    start(DESC(.client_messages_per_s = 1, .client_messages_burst = 2,
               .client_over = WSHUB_OVER_DELAY, .user_messages_per_s = 10, .user_messages_burst = 1,
               .user_over = WSHUB_OVER_DELAY),
          "192.0.2.1");
    c = world_client(&w, "ada", id); /* the client's first */
    says(c, 2);
    EXPECT_INT(heard, 1);
    wshub_io_fake_advance(w.net, 200); /* the user's is there again */
    EXPECT_INT(heard, 1);
    wshub_io_fake_advance(w.net, 900);
    EXPECT_INT(heard, 2);
    world_stop(&w);
}

static void accept_if_it_can(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    who.user_id = S("ada");
    (void)wshub_auth_accept(hub, ask, &who);
}

TEST(whom_no_memory_is_found_to_count_is_let_through) { /* RATE-3 */
    long n;
    for (n = 1; n < 60; n++) {
        wshub_conn c;
        start(DESC(.on_authenticate = accept_if_it_can, .user_messages_per_s = 5,
                   .address_messages_per_s = 9),
              "192.0.2.1");
        w.fail_at = n;
        c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\",\"data\":{\"token\":\"ada\"}}");
        wshub_io_fake_run(w.net);
        says(c, 1);
        w.fail_at = 0;
        EXPECT_OP(heard, <=, 1);
        world_stop(&w);
    }
}

TEST(clients_that_find_no_memory_to_be_counted_are_none) { /* RATE-1 */
    long n;
    for (n = 1; n < 40; n++) {
        start(DESC(.client_messages_per_s = 5, .address_conns_per_s = 9), "192.0.2.1");
        w.fail_at = n;
        (void)wshub_io_fake_connect(w.net, "/ws");
        w.fail_at = 0;
        EXPECT_OP(stats(&w).clients, <=, 1);
        world_stop(&w);
    }
    start(DESC(.address_conns_per_s = 1), "192.0.2.1"); /* nor are streams, that are not let in */
    w.fail_all = true;
    (void)wshub_io_fake_open(w.net);
    w.fail_all = false;
    EXPECT_INT(stats(&w).rate_refused, 0);
    world_stop(&w);
}

/* ---- a hub of many against a model of what it may let through ---- */

typedef struct model_bucket {
    int who; /* -1: none; a user's number, or an address's behind those */
    uint64_t at;
    double messages, bytes; /* whole thousandths, so far below 2^53 that nothing is lost */
} model_bucket;

static model_bucket model_table[16]; /* the one used last in front */

static void model_fill(model_bucket *b, const wshub_rate_of of, uint64_t now, const wshub_desc *d) {
    double m = of == WSHUB_RATE_OF_CLIENT ? d->client_messages_per_s
               : of == WSHUB_RATE_OF_USER ? d->user_messages_per_s
                                          : d->address_messages_per_s,
           mb = of == WSHUB_RATE_OF_CLIENT ? d->client_messages_burst
                : of == WSHUB_RATE_OF_USER ? d->user_messages_burst
                                           : d->address_messages_burst;
    b->messages += m * (double)(now - b->at);
    if (b->messages > mb * 1000) b->messages = mb * 1000;
    b->bytes += (double)d->client_bytes_per_s * (double)(now - b->at);
    if (b->bytes > d->client_bytes_burst * 1000.0) b->bytes = d->client_bytes_burst * 1000.0;
    b->at = now;
}

/* The bucket of somebody, full if it is not there; it is the one used last then. */
static model_bucket *model_use(int who, wshub_rate_of of, uint64_t now, const wshub_desc *d) {
    model_bucket b = {who, now, 1e15, 1e15};
    int i = 0;
    while (i < 15 && model_table[i].who != who) i++;
    if (model_table[i].who == who) b = model_table[i];
    for (; i; i--) model_table[i] = model_table[i - 1];
    model_fill(&b, of, now, d);
    model_table[0] = b;
    return &model_table[0];
}

enum { PEOPLE = 30, USERS = 14, ADDRESSES = 9 };

/* May a message come, by the model? Bytes are counted of clients alone. */
static bool model_says(model_bucket *own, int user, int address, size_t bytes, uint64_t now,
                       const wshub_desc *d) {
    model_bucket *a, *u = NULL;
    bool may;
    if (user >= 0) (void)model_use(user, WSHUB_RATE_OF_USER, now, d);
    a = model_use(USERS + address, WSHUB_RATE_OF_ADDRESS, now, d);
    if (user >= 0) u = &model_table[1];
    model_fill(own, WSHUB_RATE_OF_CLIENT, now, d);
    may = own->messages >= 1000 && own->bytes >= (double)bytes * 1000 && a->messages >= 1000 &&
          (!u || u->messages >= 1000);
    if (!may) return false;
    own->messages -= 1000;
    own->bytes -= (double)bytes * 1000;
    a->messages -= 1000;
    if (u) u->messages -= 1000;
    return true;
}

static void model_round(uint32_t seed) {
    wshub_desc d =
        DESC(.client_messages_per_s = 1 + any_of(9), .client_messages_burst = 1 + any_of(9),
             .client_bytes_per_s = 1 + any_of(900), .client_bytes_burst = 60 + any_of(99),
             .user_messages_per_s = 1 + any_of(20), .user_messages_burst = 1 + any_of(9),
             .address_messages_per_s = 1 + any_of(30), .address_messages_burst = 1 + any_of(30),
             .rate_entries_max = 16, .heartbeat_timeout_ms = WSHUB_OFF,
             .idle_timeout_ms = WSHUB_OFF, .preauth_messages_max = 100000,
             .preauth_bytes_max = 1000000, .auth_timeout_ms = UINT32_MAX - 1);
    model_bucket own[PEOPLE];
    wshub_conn conns[PEOPLE];
    bool known[PEOPLE] = {false};
    int i, step, let_in = 0;
    start(d, "192.0.2.1");
    for (i = 0; i < 16; i++) model_table[i].who = -1;
    for (i = 0; i < PEOPLE; i++) {
        char peer[24];
        wshub_about about;
        memset(&about, 0, sizeof about);
        (void)snprintf(peer, sizeof peer, "192.0.2.%d:%d", i % ADDRESSES, i);
        about.peer = S(peer);
        wshub_io_fake_set_about(w.net, &about);
        conns[i] = wshub_io_fake_connect(w.net, "/ws");
        own[i] = (model_bucket){0, wshub_io_fake_now(w.net), 1e15, 1e15};
    }
    for (step = 0; step < 3000; step++) {
        int before = heard, who = (int)any_of(any_of(2) ? PEOPLE : 4), user = who % USERS;
        char text[80];
        if (any_of(3) == 0) wshub_io_fake_advance(w.net, any_of(4) ? any_of(40) : any_of(900));
        if (known[who])
            (void)snprintf(text, sizeof text, "{\"event\":\"m\",\"data\":\"%.*s\"}",
                           (int)any_of(30), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        else
            (void)snprintf(text, sizeof text,
                           "{\"event\":\"authenticate\",\"data\":{\"user\":\"u%d\"}}", user);
        wshub_io_fake_text(w.net, conns[who], text);
        let_in = model_says(&own[who], known[who] ? user : -1, who % ADDRESSES, strlen(text),
                            wshub_io_fake_now(w.net), &d);
        if (known[who])
            EXPECT_INT(heard - before, let_in);
        else
            known[who] = let_in;
        if (test_failures) {
            (void)printf("    seed %u, step %d\n", (unsigned)seed, step);
            break;
        }
    }
    EXPECT_OP(heard, >, 20);
    EXPECT_OP(stats(&w).rate_dropped, >, 20);
    world_stop(&w);
}

TEST(whatever_many_say_just_what_the_rates_allow_is_let_through) { /* RATE-1, RATE-2, RATE-3 */
    uint32_t seed;
    for (seed = 1; seed <= 25 && !test_failures; seed += test_stride(3)) {
        any_seed = seed * 7919;
        model_round(seed);
    }
}
