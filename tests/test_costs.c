/* What is held before and after the largest of each thing: the most there ever was is given
 * back, and nothing that a list still leads through. */
#include "hubtest.h"

static void nothing_to_do(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}
enum { CROWD = 3000 };
static wshub_conn crowd[CROWD];
static wshub_client crowd_handles[CROWD];
static uint32_t crowd_order; /* in which they go */
static void crowd_comes(world *w) {
    uint32_t i;
    for (i = 0; i < CROWD; i++) {
        char id[37];
        crowd[i] = world_client(w, "u", id);
        crowd_handles[i] = world_handle(w, id);
    }
}
static void crowd_goes(world *w) {
    uint32_t i;
    for (i = 0; i < CROWD; i++)
        wshub_io_fake_end(w->net, crowd[crowd_order == 0   ? i
                                        : crowd_order == 1 ? CROWD - 1 - i
                                                           : i * 1009 % CROWD]);
}
static void most_messages(world *w) {
    wshub_msg m = msg("m", json_string(5000000));
    EXPECT_INT(wshub_all_send_here(w->hub, &m, NULL, 0), WSHUB_OK);
}
static void most_clients(world *w) {
    crowd_comes(w);
    crowd_goes(w);
}
static void most_rooms(world *w) {
    char name[16];
    wshub_client c;
    wshub_iter it = {0, 0};
    uint32_t i, k;
    EXPECT(wshub_client_each(w->hub, &it, &c));
    for (k = 0; k < 2; k++) {
        for (i = 0; i < 20000; i++) {
            (void)snprintf(name, sizeof name, "r%u", (unsigned)(crowd_order == 1 ? 19999 - i : i));
            EXPECT_INT((k ? wshub_client_leave : wshub_client_join)(w->hub, c, wshub_str_z(name)),
                       WSHUB_OK);
        }
    }
}
static void most_timers(world *w) {
    wshub_timer t[5000];
    uint32_t i;
    for (i = 0; i < 5000; i++)
        EXPECT_INT(wshub_timer_start(w->hub, 1000, nothing_to_do, NULL, &t[i]), WSHUB_OK);
    for (i = 0; i < 5000; i++)
        EXPECT_INT(wshub_timer_stop(w->hub, t[crowd_order == 1 ? 4999 - i : i]), WSHUB_OK);
}
static void most_posts(world *w) {
    uint32_t i;
    for (i = 0; i < 20000; i++) EXPECT_INT(wshub_post(w->hub, nothing_to_do, NULL), WSHUB_OK);
}
static void most_questions(world *w) {
    wshub_client c;
    wshub_iter it = {0, 0};
    wshub_msg m = msg("m", "1");
    uint32_t i;
    EXPECT(wshub_client_each(w->hub, &it, &c));
    EXPECT_INT(wshub_client_encrypt(w->hub, c), WSHUB_OK);
    every_ask_count = 0;
    for (i = 0; i < 3000; i++) EXPECT_INT(wshub_client_send(w->hub, c, &m), WSHUB_OK);
    for (i = 0; i < 3000; i++)
        EXPECT_INT(wshub_transform_accept(w->hub, every_ask[i], NULL), WSHUB_OK);
}

/* within a second or two; and handles of then stay stale */
TEST(the_most_there_ever_was_is_given_back) {
    static void (*const things[])(world * w) = {most_messages, most_clients, most_rooms,
                                                most_timers,   most_posts,   most_questions};
    uint32_t t, fails;
    for (t = 0; t < 6; t++) {
        for (crowd_order = 0; crowd_order < 3; crowd_order++) {
            for (fails = 0; fails < 2; fails++) {
                world w;
                if ((crowd_order + t + fails) % test_stride(3)) continue;
                size_t before, most;
                char id[37];
                wshub_conn c;
                world_start(&w,
                            DESC(.on_authenticate = accept_all, .rooms_per_client_max = 100000,
                                 .on_transform_out = keep_every_event, .encrypted_batch_max = 4096),
                            FAKE(0));
                c = world_client(&w, "u", id);
                wshub_io_fake_advance(w.net, 3000);
                before = w.bytes;
                w.peak = 0;
                things[t](&w);
                most = w.peak;
                wshub_io_fake_run(w.net);
                /* what cannot be made smaller stays, and is looked after again */
                w.fail_all = fails != 0;
                wshub_io_fake_advance(w.net, 2000);
                EXPECT(wshub_self_check(w.hub) == NULL);
                w.fail_all = false;
                wshub_io_fake_advance(w.net, 2000);
                if (w.bytes > before + 100000)
                    (void)printf("  thing %u, order %u: %u before, %u at most, %u after\n",
                                 (unsigned)t, (unsigned)crowd_order, (unsigned)before,
                                 (unsigned)most, (unsigned)w.bytes);
                EXPECT_OP(w.bytes, <=, before + 100000);
                EXPECT_OP(most, >, before + 150000);
                EXPECT(wshub_self_check(w.hub) == NULL);
                if (things[t] == most_clients && !fails) {
                    wshub_client was[CROWD];
                    uint32_t i;
                    memcpy(was, crowd_handles, sizeof was);
                    crowd_comes(&w);
                    for (i = 0; i < CROWD; i++)
                        EXPECT(wshub_client_state(w.hub, was[i]) == WSHUB_CLIENT_DISCONNECTED &&
                               wshub_client_id(w.hub, was[i]).len == 0);
                    for (i = 0; i < CROWD; i++)
                        EXPECT(wshub_client_state(w.hub, crowd_handles[i]) ==
                               WSHUB_CLIENT_AUTHENTICATED);
                    EXPECT(wshub_self_check(w.hub) == NULL);
                    crowd_goes(&w);
                }
                EXPECT(
                    wshub_io_fake_is_open(w.net, c) &&
                    wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z("ws-default")));
                world_stop(&w);
            }
        }
    }
}

TEST(streams_are_given_back_only_when_no_list_leads_through_them) {
    world w;
    wshub_bus_local_desc d;
    wshub_bus_local *local;
    uint64_t half[2] = {0, 5};
    uint32_t pages;
    crowd_order = 0;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    crowd_comes(&w);
    w.hub->give_back_due = UINT64_MAX;
    crowd_goes(&w);
    pages = w.hub->conns.pages_count;
    w.hub->notes_head = 1;
    wshub__give_back(w.hub);
    w.hub->notes_head = 0;
    w.hub->resume_head = 1;
    wshub__give_back(w.hub);
    w.hub->resume_head = 0;
    EXPECT_INT(w.hub->conns.pages_count, pages);
    wshub__give_back(w.hub);
    EXPECT_INT(w.hub->conns.pages_count, 0);
    world_stop(&w);
    memset(&d, 0, sizeof d); /* half a key is a key */
    memcpy(d.key, half, sizeof half);
    EXPECT_INT(wshub_bus_local_create(&d, &local), WSHUB_OK);
    EXPECT(memcmp(local->key, half, sizeof half) == 0);
    wshub_bus_local_destroy(local);
}
