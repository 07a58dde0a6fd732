/* Slots, handles and ids: who is stale is answered and not followed, handles belong to one hub,
 * numbers come round, no id is given twice (CONN-1; STYLE 5). */
#include "hubtest.h"

TEST(stale_handles_are_answered_not_followed) { /* STYLE 5 */
    world w;
    char id[37];
    wshub_conn c;
    wshub_client h;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, "u", id);
    h = world_handle(&w, id);
    EXPECT(h.id);
    wshub_io_fake_end(w.net, c);
    (void)world_client(&w, "v", NULL); /* takes the slot */
    EXPECT_INT(wshub_client_send(w.hub, h, &m), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_close(w.hub, h, 1000, wshub_str_z("")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_join(w.hub, h, wshub_str_z("r")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_state(w.hub, h), WSHUB_CLIENT_DISCONNECTED);
    EXPECT(wshub_client_id(w.hub, h).ptr == NULL && wshub_client_user_id(w.hub, h).ptr == NULL);
    EXPECT_INT(wshub_client_find(w.hub, wshub_str_z(id), &h), WSHUB_ERR_STALE);
    h.id = 0;
    EXPECT_INT(wshub_client_encrypt(w.hub, h), WSHUB_ERR_STALE);
    world_stop(&w);
}

static wshub_ask asked[2];
static wshub_exchange requested[2];
static int which;
static void keep_ask(wshub *hub, wshub_ask a, const wshub_auth *x, void *user) {
    (void)hub;
    (void)x;
    (void)user;
    asked[which] = a;
}
static bool keep_one_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    requested[which] = r;
    return true;
}
static void no_fire(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}
static uint64_t other_chance = 1;
static bool chance(void *ctx, uint8_t *bytes, size_t n) {
    (void)ctx;
    for (; n; n--) {
        other_chance = other_chance * 6364136223846793005u + 1442695040888963407u;
        *bytes++ = (uint8_t)(other_chance >> 56);
    }
    return true;
}

TEST(handles_belong_to_one_hub) {
    int round;
    for (round = 0; round < 50; round++) {
        world w[2];
        wshub_io io[2];
        wshub_client c[2];
        wshub_timer t[2];
        wshub_msg m = msg("secret", "1");
        wshub_reply r;
        wshub_stats st;
        wshub_iter it = {0, 0};
        wshub_str room;
        char text[8];
        int k;
        memset(&r, 0, sizeof r);
        r.status = 200;
        for (k = 0; k < 2; k++) {
            wshub_desc d = DESC(.on_authenticate = keep_ask, .on_request = keep_one_request);
            wshub_iter all = {0, 0};
            which = k;
            memset(&w[k], 0, sizeof w[k]);
            EXPECT_INT(wshub_io_fake_create(NULL, &w[k].net), WSHUB_OK);
            io[k] = *wshub_io_fake_io(w[k].net);
            io[k].random = chance;
            d.io = &io[k];
            EXPECT_INT(wshub_create(&d, &w[k].hub), WSHUB_OK);
            wshub_io_fake_text(w[k].net, wshub_io_fake_connect(w[k].net, "/ws"),
                               "{\"event\":\"authenticate\"}");
            wshub_io_fake_input(w[k].net, wshub_io_fake_open(w[k].net),
                                "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
            EXPECT(wshub_client_each(w[k].hub, &all, &c[k]));
            EXPECT_INT(wshub_timer_start(w[k].hub, 1000, no_fire, NULL, &t[k]), WSHUB_OK);
            /* far from retirement */
            EXPECT(c[k].id >> 32 && !(c[k].id >> 63) && !(asked[k].id >> 63) && !(t[k].id >> 63) &&
                   !(requested[k].id >> 63));
        }
        /* of the first, and of nobody, in the second: every function that takes one */
        for (k = 0; k < 3; k++) {
            wshub *hub = w[1].hub;
            wshub_client who = k ? (wshub_client){0} : c[0];
            wshub_ask ask = k ? (wshub_ask){0} : asked[0];
            EXPECT_INT(wshub_client_state(hub, who), WSHUB_CLIENT_DISCONNECTED);
            EXPECT(!wshub_client_id(hub, who).ptr && !wshub_client_user_id(hub, who).ptr &&
                   !wshub_client_metadata(hub, who).ptr && !wshub_client_is_encrypted(hub, who) &&
                   !wshub_client_is_pressured(hub, who));
            EXPECT(!wshub_client_queued_bytes(hub, who) && !wshub_client_user_ptr(hub, who) &&
                   !wshub_client_peer(hub, who, text, sizeof text) &&
                   !wshub_client_in_room(hub, who, S("a")) &&
                   !wshub_client_each_room(hub, who, &it, &room));
            EXPECT_INT(wshub_client_set_user_ptr(hub, who, hub), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_set_metadata(hub, who, S("1")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_close(hub, who, 1000, S("")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_encrypt(hub, who), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_join(hub, who, S("a")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_leave(hub, who, S("a")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_send(hub, who, &m), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_send_binary(hub, who, NULL, 0), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_auth_accept(hub, ask, NULL), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_handshake_accept(hub, ask, S(""), S("")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_join_accept(hub, ask, NULL, 0), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_transform_accept(hub, ask, NULL), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_timer_stop(hub, k ? (wshub_timer){0} : t[0]), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_http_reply(hub, k ? (wshub_exchange){0} : requested[0], &r),
                       WSHUB_ERR_STALE);
            (void)wshub_post_client_send(hub, who, &m);
            (void)wshub_post_close(hub, who, 1000, S(""));
            (void)wshub_post_auth_accept(hub, ask, NULL);
            (void)wshub_post_ask_reject(hub, ask);
            wshub_io_fake_run(w[1].net);
            wshub_stats_get(hub, &st);
            EXPECT(st.clients == 1 && st.authenticated == 0 && st.auth_rejected == 0 &&
                   st.messages_out == 0);
        }
        /* its own are its own still */
        EXPECT_INT(wshub_auth_accept(w[1].hub, asked[1], NULL), WSHUB_OK);
        EXPECT_INT(wshub_http_reply(w[1].hub, requested[1], &r), WSHUB_OK);
        EXPECT_INT(wshub_timer_stop(w[1].hub, t[1]), WSHUB_OK);
        for (k = 0; k < 2; k++) {
            wshub_destroy(w[k].hub);
            wshub_io_fake_destroy(w[k].net);
        }
    }
}

static int lies; /* 0: it says no; 1: it gives the same bytes for ever */
static bool poor(void *ctx, uint8_t *bytes, size_t n) {
    (void)ctx;
    memset(bytes, 7, n);
    return lies != 0 || n == 32; /* creation is the one time that it has some */
}

TEST(no_id_is_given_twice) { /* CONN-1 */
    enum { MANY = 700 };
    static char ids[MANY][37];
    int i, k, n;
    for (lies = 0; lies < 2; lies++) {
        world w;
        wshub_io io;
        wshub_desc d = DESC(.on_authenticate = accept_all);
        memset(&w, 0, sizeof w);
        EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
        io = *wshub_io_fake_io(w.net);
        io.random = poor;
        d.io = &io;
        EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
        for (n = 0; n < MANY; n++) {
            wshub_iter it = {0, 0};
            wshub_client c;
            wshub_conn conn = wshub_io_fake_connect(w.net, "/ws");
            EXPECT(wshub_client_each(w.hub, &it, &c));
            (void)snprintf(ids[n], sizeof ids[n], "%.36s", wshub_client_id(w.hub, c).ptr);
            wshub_io_fake_end(w.net, conn); /* nor is that of one who is gone */
        }
        for (i = 0; i < n; i++) {
            for (k = 0; k < i; k++) EXPECT(strcmp(ids[i], ids[k]) != 0);
        }
        wshub_destroy(w.hub);
        wshub_io_fake_destroy(w.net);
    }
    /* and should one come up that is here, its upgrade is refused: no assertion, no endless
     * loop */
    {
        world w;
        uint8_t kept[256];
        uint32_t left;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        (void)wshub_io_fake_connect(w.net, "/ws");
        memset(w.hub->random, 1, sizeof kept);
        w.hub->random_left = left = 64;
        (void)wshub_io_fake_connect(w.net, "/ws");
        memset(w.hub->random, 1, sizeof kept);
        w.hub->random_left = left;
        (void)wshub_io_fake_connect(w.net, "/ws");
        EXPECT_INT(stats(&w).upgrades, 2);
        EXPECT_INT(stats(&w).upgrades_refused, 1);
        w.hub->random_left = 0;
        (void)wshub_io_fake_connect(w.net, "/ws");
        EXPECT_INT(stats(&w).upgrades, 3);
        world_stop(&w);
    }
}

/* ids stay distinct and unguessable: they are drawn from the hub's own key then */
TEST(randomness_that_runs_dry) {
    static char ids[100][37];
    world w;
    int i, k;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wshub_io_fake_set_random(w.net, true);
    for (i = 0; i < 100; i++) {
        (void)world_client(&w, NULL, ids[i]);
        for (k = 0; k < i; k++) EXPECT(strcmp(ids[i], ids[k]) != 0);
    }
    world_stop(&w);
}

TEST(numbers_that_come_round) {
    world w;
    wshub__slot *slot;
    char id[37];
    wshub_client c;
    wshub_conn conn;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    conn = world_client(&w, "u", id);
    c = world_handle(&w, id);
    slot = (wshub__slot *)wshub__pool_at(&w.hub->clients, (uint32_t)c.id);
    /* this slot has been used four billion times: it is used no more */
    slot->generation = UINT32_MAX;
    c = world_handle(&w, id);
    EXPECT_INT(c.id >> 32, UINT32_MAX);
    wshub_io_fake_end(w.net, conn);
    EXPECT_INT(wshub_client_state(w.hub, c), WSHUB_CLIENT_DISCONNECTED);
    conn = world_client(&w, "u", id);
    EXPECT((uint32_t)world_handle(&w, id).id != (uint32_t)c.id);
    EXPECT_INT(wshub_client_state(w.hub, c), WSHUB_CLIENT_DISCONNECTED);
    world_stop(&w);
}

TEST(a_pool_gives_back_its_end_and_nothing_that_is_retired_comes_again) {
    wshub__mem m = wshub__mem_make(NULL, NULL);
    wshub__pool pool;
    uint32_t i, index, last;
    uint64_t old;
    wshub__pool_init(&pool, sizeof(wshub__ask), 1);
    for (i = 0; i < 2000; i++) EXPECT(wshub__pool_take(&m, &pool, &index) && index == i);
    old = wshub__pool_handle(&pool, 1500);
    for (i = 0; i < 1999; i++) wshub__pool_free(&pool, i);
    wshub__pool_give_back(&m, &pool); /* the last one lives */
    EXPECT_INT(pool.used, 2000);
    wshub__pool_free(&pool, 1999);
    ((wshub__slot *)wshub__pool_at(&pool, 1999))->generation = UINT32_MAX; /* retired */
    wshub__pool_give_back(&m, &pool);
    EXPECT_INT(pool.used, 2000);
    ((wshub__slot *)wshub__pool_at(&pool, 1999))->generation = 7;
    ((wshub__slot *)wshub__pool_at(&pool, 700))->generation = UINT32_MAX;
    wshub__pool_give_back(&m, &pool);
    EXPECT_INT(pool.used, 768);
    EXPECT_INT(pool.pages_count, 6);
    EXPECT(!wshub__pool_get(&pool, old));
    for (i = 0, last = 0; i < 1999; i++, last = index) { /* low ones first, the retired one never */
        EXPECT(wshub__pool_take(&m, &pool, &index) && index == (i < 700 ? i : i + 1) &&
               index >= last);
        EXPECT(wshub__pool_handle(&pool, index) != old);
    }
    wshub__pool_done(&m, &pool);
    /* less than a page at the end is no page, and what is used stays so */
    wshub__pool_init(&pool, sizeof(wshub__ask), 1);
    for (i = 0; i < 600; i++) EXPECT(wshub__pool_take(&m, &pool, &index));
    for (i = 0; i < 600; i++) {
        if (i != 519) wshub__pool_free(&pool, i);
    }
    wshub__pool_give_back(&m, &pool);
    EXPECT(pool.used == 600 && pool.pages_count == 5);
    EXPECT(wshub__pool_take(&m, &pool, &index) && index == 0);
    wshub__pool_done(&m, &pool);
}
