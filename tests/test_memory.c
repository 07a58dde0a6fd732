/* What clients cost, counted through the allocator, how many there can be on the fake io, and
 * what is refused because no memory could hold it. */
#include "hubtest.h"

/* the same with what a usual allocator adds to each block: eight bytes, then rounded up to 16,
 * at least 32 */
static size_t with_heads;
static size_t block(size_t n) {
    return n == 0 ? 0 : n < 24 ? 32 : (n + 8 + 15) / 16 * 16;
}
static void *counting_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p = world_alloc(user, ptr, old_bytes, new_bytes);
    if (p || !new_bytes) with_heads += block(new_bytes) - block(old_bytes);
    return p;
}
static size_t open_many(world *w, uint32_t n) {
    size_t before = w->bytes;
    uint32_t i;
    char text[96];
    for (i = 0; i < n; i++) {
        wshub_conn c = wshub_io_fake_connect(w->net, "/ws");
        (void)snprintf(text, sizeof text,
                       "{\"event\":\"authenticate\",\"data\":{\"user\":\"user-%u\"}}", (unsigned)i);
        wshub_io_fake_text(w->net, c, text);
        wshub_io_fake_take(w->net, c, wshub_io_fake_output(w->net, c).len);
    }
    return (w->bytes - before) / n;
}
static void light_start(world *w) { /* blocks are not moved, as they are with world_start() */
    wshub_desc d = DESC(.on_authenticate = accept_all);
    wshub_io_fake_desc fd = FAKE(.on_step = world_step, .user = w);
    memset(w, 0, sizeof *w);
    EXPECT_INT(wshub_io_fake_create(&fd, &w->net), WSHUB_OK);
    d.io = wshub_io_fake_io(w->net);
    d.alloc = counting_alloc;
    d.alloc_user = w;
    d.user = w;
    EXPECT_INT(wshub_create(&d, &w->hub), WSHUB_OK);
}

/* with a user of its own and three rooms */
TEST(an_idle_authenticated_client_costs_at_most_478_bytes) { /* >>memory */
    world w;
    size_t each, heads;
    light_start(&w);
    heads = with_heads;
    each = open_many(&w, 10000);
    heads = (with_heads - heads) / 10000;
    (void)printf("  %u bytes for each of 10000, %u with the allocator's own\n", (unsigned)each,
                 (unsigned)heads);
    EXPECT(each <= 448 && heads <= 478);
    EXPECT_INT(stats(&w).authenticated, 10000);
    EXPECT(wshub_self_check(w.hub) == NULL);
    world_stop(&w);
}

TEST(a_hundred_thousand_clients_come_are_told_and_go) {
    world w;
    wshub_msg m = msg("m", "1");
    wshub_client c;
    wshub_iter it = {0, 0};
    unsigned count = 100000 / test_stride(5);
    light_start(&w);
    (void)open_many(&w, count);
    EXPECT_INT(wshub_room_send_here(w.hub, wshub_str_z("ws-default"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).messages_out, 2 * count);
    while (wshub_client_each(w.hub, &it, &c))
        EXPECT_INT(wshub_client_close(w.hub, c, 1000, wshub_str_z("")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT_INT(stats(&w).rooms, 0);
    EXPECT(wshub_self_check(w.hub) == NULL);
    wshub_io_fake_advance(w.net, 10000); /* the peers do not answer the Close */
    EXPECT_INT(stats(&w).conns, 0);
    world_stop(&w);
}

TEST(leaving_a_thousand_rooms_is_quick_and_complete) {
    world w;
    char id[20][37], name[16];
    int i, k;
    wshub_conn c[20];
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 20; i++) {
        c[i] = world_client(&w, NULL, id[i]);
        for (k = 0; k < 1000; k++) {
            (void)snprintf(name, sizeof name, "r%d", k);
            EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id[i]), wshub_str_z(name)),
                       WSHUB_OK);
        }
    }
    for (i = 0; i < 20; i += 2) wshub_io_fake_end(w.net, c[i]);
    EXPECT_INT(wshub_room_count(w.hub, wshub_str_z("r500")), 10);
    for (i = 1; i < 20; i += 2) wshub_io_fake_end(w.net, c[i]);
    EXPECT_INT(stats(&w).rooms, 0);
    world_stop(&w);
}

TEST(sizes_over_all_measure) {
    wshub__mem m = wshub__mem_make(few_allocs, NULL), d = wshub__mem_make(NULL, NULL);
    void *items = NULL;
    uint32_t cap = 0;
    wshub__buf b;
    wshub__index ix;
    void *p;
    allocs_left = 0;
    EXPECT(!wshub__mem_grow(&m, &items, &cap, UINT32_MAX, 1) &&
           !wshub__mem_grow(&m, &items, &cap, 5, 1) && !items && !cap);
    memset(&b, 0, sizeof b);
    EXPECT(!wshub__buf_room(&m, &b, SIZE_MAX) && b.bad);
    EXPECT(!wshub__buf_room(&m, &b, 1)); /* and stays so */
    memset(&ix, 0, sizeof ix);
    ix.cap = ix.count = 1u << 29; /* twice as many are more than it counts */
    EXPECT(!wshub__index_reserve(&m, &ix));
    memset(&ix, 0, sizeof ix);
    allocs_left = 1; /* one of its two tables */
    EXPECT(!wshub__index_reserve(&m, &ix) && !ix.cap);
    cap = 4096; /* what cannot be made smaller stays as it is */
    items = malloc(cap);
    allocs_left = 0;
    wshub__mem_shrink(&m, &items, &cap, 1, 1);
    EXPECT_INT(cap, 4096);
    allocs_left = 1;
    wshub__mem_shrink(&m, &items, &cap, 1, 1);
    EXPECT_INT(cap, 256);
    free(items);
    p = wshub__mem_new(&d, 10);
    EXPECT(p != NULL);
    wshub__mem_free(&d, p, 10);
    wshub__mem_free(&d, NULL, 10);
}
