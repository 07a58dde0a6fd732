/* What things may cost and hold: large messages against a model of SEND-6, exclusion and membership against plain lists,
 * what is held before and after the largest of each thing. */
#include "hubtest.h"

static uint32_t seed;
static uint32_t rnd(uint32_t n) { /* 0 .. n-1 */
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}
static char *json_string(size_t n) { /* a JSON string of n bytes in all, n from 2 on; one buffer */
    static char *buf;
    static size_t cap;
    if (n + 1 > cap) {
        cap = n + 1;
        buf = (char *)realloc(buf, cap);
        if (!buf) abort();
    }
    memset(buf, 'x', n);
    buf[0] = buf[n - 1] = '"';
    buf[n] = 0;
    return buf;
}
static uint64_t frame_bytes(uint64_t payload) {
    return payload + (payload < 126 ? 2 : payload < 65536 ? 4 : 10);
}

/* ---- SEND-6: the limit is on what waits, not on a message ---- */

typedef struct reader { /* as SEND-6 has it */
    wshub_conn conn;
    char id[37];
    uint64_t window, owed; /* what its stream takes still; what that has not taken */
    uint32_t accepted, heard, dropped;
    bool closed;
} reader;
static void takes(reader *r) {
    uint64_t n = r->owed < r->window ? r->owed : r->window;
    r->owed -= n;
    if (r->window != UINT64_MAX) r->window -= n;
}
static bool is_sent(reader *r, uint64_t bytes, uint64_t max, bool closes) {
    if (r->closed) return false;
    takes(r);
    if (r->owed && r->owed + bytes > max) {
        r->dropped++;
        r->closed = closes;
        return false;
    }
    r->owed += bytes;
    r->accepted++;
    takes(r);
    return true;
}
static void count_heard(world *w, reader *r) {
    wshub_io_fake_frame f;
    while (wshub_io_fake_next(w->net, r->conn, &f)) r->heard += f.opcode == 1;
}

TEST(a_message_is_dropped_for_what_waits_before_it_never_for_its_length) { /* SEND-6 */
    static const uint32_t limits[] = {1, 60, 1000, 70000, 1u << 20};
    uint32_t round;
    for (round = 1; round <= 120; round++) {
        world w;
        reader r[3];
        uint32_t max = limits[round % 5], i, step, drops = 0;
        bool closes = round % 3 == 0;
        seed = round * 2654435761u;
        memset(r, 0, sizeof r);
        world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = max, .close_on_backpressure = closes), FAKE(0));
        for (i = 0; i < 3; i++) {
            r[i].conn = world_client(&w, NULL, r[i].id);
            r[i].window = UINT64_MAX;
        }
        for (step = 0; step < 60; step++) {
            uint32_t what = rnd(8), who = rnd(2);
            size_t n = 2 + rnd(3) * (rnd(40) + (rnd(2) ? max / 2 : max)) % 300000;
            wshub_msg m = msg("m", json_string(n));
            uint64_t bytes = frame_bytes(n + 21);
            if (what == 0) { /* the third always reads */
                wshub_io_fake_run(w.net); /* what was sent met the old one */
                r[who].window = rnd(3) ? rnd(3) * n : UINT64_MAX;
                wshub_io_fake_window(w.net, r[who].conn, r[who].window);
                takes(&r[who]);
            } else if (what == 1) {
                wshub_io_fake_run(w.net);
                for (i = 0; i < 3; i++) {
                    takes(&r[i]);
                    EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, r[i].id)), r[i].closed ? 0 : r[i].owed);
                    count_heard(&w, &r[i]);
                }
            } else if (what < 5) {
                wshub_client c = world_handle(&w, r[who].id);
                wshub_err err = wshub_client_send(w.hub, c, &m);
                bool sent = is_sent(&r[who], bytes, max, closes);
                EXPECT_INT(err, sent ? WSHUB_OK : c.id && err == WSHUB_ERR_DROPPED ? WSHUB_ERR_DROPPED : WSHUB_ERR_STALE);
            } else { /* all, two or three times on end: gathered */
                for (i = rnd(3) + 1; i; i--) {
                    EXPECT_INT(wshub_room_send(w.hub, wshub_str_z("ws-default"), &m, NULL, 0), WSHUB_OK);
                    (void)is_sent(&r[0], bytes, max, closes);
                    (void)is_sent(&r[1], bytes, max, closes);
                    (void)is_sent(&r[2], bytes, max, closes);
                }
            }
        }
        wshub_io_fake_run(w.net);
        for (i = 0; i < 3; i++) {
            if (!r[i].closed) wshub_io_fake_window(w.net, r[i].conn, UINT64_MAX);
            wshub_io_fake_run(w.net);
            count_heard(&w, &r[i]);
            EXPECT(wshub_io_fake_is_open(w.net, r[i].conn) == !r[i].closed);
            if (!r[i].closed) EXPECT_INT(r[i].heard, r[i].accepted);
            drops += r[i].dropped;
        }
        EXPECT_INT(stats(&w).dropped_pressure, drops);
        EXPECT(r[2].accepted > 0 && !r[2].dropped);
        EXPECT(stats(&w).lagging_bytes <= 65536);
        world_stop(&w);
    }
}

TEST(whoever_takes_all_is_sent_a_message_of_any_length_on_every_way) { /* SEND-6 */
    static const uint32_t limits[] = {1, 100, 65536};
    uint32_t i, completion, way;
    for (completion = 0; completion < 2; completion++) {
        for (i = 0; i < 3; i++) {
            for (way = 0; way < 6; way++) {
                world w;
                reader r;
                wshub_io_fake_frame f;
                size_t n = limits[i] + 70000;
                wshub_msg m = msg("m", json_string(n)), small = msg("s", "1");
                wshub_dest to = {WSHUB_DEST_ALL, {NULL, 0}, NULL, 0};
                memset(&r, 0, sizeof r);
                world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = limits[i], .close_on_backpressure = way % 2 == 0), FAKE(.completion = completion != 0));
                r.conn = world_client(&w, "u", r.id);
                wshub_io_fake_run(w.net);
                switch (way) {
                case 0: EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, r.id), &m), WSHUB_OK); break;
                case 1: EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, r.id), (const uint8_t *)m.data.ptr, n), WSHUB_OK); break;
                case 2: EXPECT_INT(wshub_user_send(w.hub, wshub_str_z("u"), &m), WSHUB_OK); break;
                case 3: EXPECT_INT(wshub_room_send(w.hub, wshub_str_z("ws-default"), &m, NULL, 0), WSHUB_OK); break;
                case 4: /* gathered behind a small one */
                    EXPECT_INT(wshub_all_send(w.hub, &small, NULL, 0), WSHUB_OK);
                    wshub_io_fake_run(w.net);
                    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
                    EXPECT(wshub_io_fake_next(w.net, r.conn, &f));
                    break;
                default: EXPECT_INT(wshub_send(w.hub, &to, &m), WSHUB_OK); break;
                }
                wshub_io_fake_run(w.net);
                EXPECT(wshub_io_fake_next(w.net, r.conn, &f) && f.payload.len == n + (way == 1 ? 0 : 21));
                EXPECT_INT(stats(&w).dropped_pressure, 0);
                EXPECT(wshub_io_fake_is_open(w.net, r.conn));
                EXPECT_INT(stats(&w).segment_bytes, 65536); /* it had one of its own, which is gone */
                world_stop(&w);
            }
        }
    }
}

TEST(what_a_completion_io_has_taken_does_not_wait) { /* SEND-6; what lies behind it does */
    world w;
    char id[37];
    wshub_msg m = msg("m", json_string(5000));
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 100), FAKE(.completion = true));
    c = world_client(&w, NULL, id);
    wshub_io_fake_run(w.net);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    world_stop(&w);
}

TEST(no_queue_passes_two_gib_whatever_the_limits) { /* WSHUB__QUEUE_MAX: the one place is wshub__queue_push() */
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("m", json_string(400));
    wshub__conn *conn;
    uint32_t owed;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = WSHUB_OFF), FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    conn = wshub__conn_get(w.hub, c);
    owed = conn->queued;
    conn->queued = WSHUB__QUEUE_MAX - 10; /* as if so much waited */
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    EXPECT(!wshub__out_frame(w.hub, conn, 9, m.data.ptr, 100));
    EXPECT(wshub__out_frame(w.hub, conn, 9, NULL, 0)); /* what fits is taken */
    conn->queued = owed + 2;
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    EXPECT_INT(stats(&w).queued_bytes, 0);
    world_stop(&w);
}

TEST(what_is_sent_to_one_touches_no_limit_of_another) { /* SEND-6: others are not affected; segment_bytes_max is for laggards */
    world w;
    char a[37], b[37];
    wshub_conn slow;
    wshub_msg big = msg("b", json_string(3000000)), small = msg("s", "1");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .segment_bytes_max = 1u << 20), FAKE(0));
    (void)world_client(&w, NULL, a);
    slow = world_client(&w, NULL, b);
    wshub_io_fake_window(w.net, slow, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &small), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_client_is_pressured(w.hub, world_handle(&w, b)));
    for (i = 0; i < 20; i++) { /* before the large one has left, and behind it */
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, a), &big), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &small), WSHUB_OK);
        if (i % 2) wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &small), WSHUB_OK);
    }
    EXPECT_INT(stats(&w).dropped_pressure, 0);
    EXPECT(stats(&w).lagging_bytes <= 65536);
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    wshub_io_fake_run(w.net);
    world_stop(&w);
}

/* ---- exclusion, membership: against plain lists ---- */

TEST(exclusion_and_membership_are_what_plain_lists_say) { /* SEND-1, ROOM-3 to ROOM-5 */
    enum { CLIENTS = 12, ROOMS = 90 };
    uint32_t round;
    for (round = 1; round <= 12; round++) {
        world w;
        wshub_conn conn[CLIENTS];
        char id[CLIENTS][37], name[16];
        static bool in[CLIENTS][ROOMS];
        wshub_str ids[2 * CLIENTS + 2];
        uint32_t step, i, k;
        seed = round * 40503u + 7;
        memset(in, 0, sizeof in);
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(.on_step = NULL));
        for (i = 0; i < CLIENTS; i++) conn[i] = world_client(&w, "u", id[i]);
        for (step = 0; step < 1500; step++) {
            uint32_t who = rnd(4) ? rnd(3) : rnd(CLIENTS), r = rnd(ROOMS); /* three are in many */
            wshub_client c = world_handle(&w, id[who]);
            bool filling = step / 300 % 2 == 0; /* grows beyond the table's threshold and falls below it again */
            (void)snprintf(name, sizeof name, "r%u", (unsigned)r);
            if (rnd(10) < 8) {
                bool join = filling ? rnd(10) < 8 : rnd(10) < 2;
                EXPECT_INT((join ? wshub_client_join : wshub_client_leave)(w.hub, c, wshub_str_z(name)), WSHUB_OK);
                in[who][r] = join;
            } else {
                size_t n = rnd(2 * CLIENTS + 2), before[CLIENTS];
                bool left_out[CLIENTS] = {false};
                wshub_msg m = msg("m", "1");
                bool all = rnd(3) == 0;
                for (i = 0; i < n; i++) {
                    k = rnd(CLIENTS + 1);
                    ids[i] = k < CLIENTS ? wshub_str_z(id[k]) : wshub_str_z("nobody");
                    if (k < CLIENTS) left_out[k] = true;
                }
                if (w.hub->mark > 50 && w.hub->mark < 1000) w.hub->mark = UINT32_MAX - 50; /* they run out: those of old are wiped out */
                for (i = 0; i < CLIENTS; i++) before[i] = wshub_io_fake_output(w.net, conn[i]).len;
                if (all) EXPECT_INT(wshub_all_send(w.hub, &m, ids, n), WSHUB_OK);
                else EXPECT_INT(wshub_room_send(w.hub, wshub_str_z(name), &m, ids, n), WSHUB_OK);
                wshub_io_fake_run(w.net);
                for (i = 0; i < CLIENTS; i++)
                    EXPECT_INT(wshub_io_fake_output(w.net, conn[i]).len > before[i], (all || in[i][r]) && !left_out[i]);
            }
            EXPECT_INT(wshub_client_in_room(w.hub, c, wshub_str_z(name)), in[who][r]);
            if (step % 50 == 0) {
                EXPECT(wshub_self_check(w.hub) == NULL);
                for (i = 0; i < CLIENTS; i++) {
                    wshub_str room;
                    wshub_iter it = {0, 0};
                    size_t seen = 0, want = 3;
                    while (wshub_client_each_room(w.hub, world_handle(&w, id[i]), &it, &room)) seen++;
                    for (k = 0; k < ROOMS; k++) want += in[i][k];
                    EXPECT_INT(seen, want);
                }
            }
        }
        world_stop(&w);
    }
}

TEST(joins_that_find_no_memory_change_nothing) { /* ROOM-4: all or nothing, at every threshold of a client's list */
    world w;
    char id[37], name[16];
    int i;
    long n;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, NULL, id);
    for (i = 0; i < 80; i++) {
        (void)snprintf(name, sizeof name, "r%d", i);
        for (n = 1; n < 20; n++) {
            wshub_err err;
            w.fail_at = n;
            err = wshub_client_join(w.hub, world_handle(&w, id), wshub_str_z(name));
            w.fail_at = 0;
            EXPECT(wshub_self_check(w.hub) == NULL);
            if (err == WSHUB_OK) break;
            EXPECT_INT(err, WSHUB_ERR_NOMEM);
            EXPECT(!wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z(name)));
        }
    }
    for (i = 0; i < 80; i++) { /* leaving wants no memory; what it would give back with some stays */
        (void)snprintf(name, sizeof name, "r%d", i);
        w.fail_all = true;
        EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, id), wshub_str_z(name)), WSHUB_OK);
        w.fail_all = false;
        EXPECT(wshub_self_check(w.hub) == NULL);
    }
    world_stop(&w);
}

/* ---- what waits for the transformer ---- */

static wshub_ask asked[4096];
static uint32_t asked_count;
static void ask_later(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    asked[asked_count++] = ask;
}
static void encrypted_world(world *w, char id[37], wshub_conn *c, uint32_t max) {
    world_start(w, DESC(.on_authenticate = accept_all, .on_transform_out = ask_later, .backpressure_bytes_max = max, .encrypted_batch_max = 4096), FAKE(0));
    *c = world_client(w, NULL, id);
    EXPECT_INT(wshub_client_encrypt(w->hub, world_handle(w, id)), WSHUB_OK);
    asked_count = 0;
}

TEST(what_the_transformer_holds_is_counted_as_what_it_is) { /* SEND-6, ENC-1 */
    static const size_t sizes[] = {2, 100, 5000, 200000};
    uint32_t s, replaced;
    for (s = 0; s < 4; s++) {
        for (replaced = 0; replaced < 2; replaced++) {
            world w;
            wshub_conn c;
            char id[37];
            size_t before, max = 100000, most;
            uint32_t i, sent = 0;
            wshub_msg m = msg("m", json_string(sizes[s]));
            encrypted_world(&w, id, &c, (uint32_t)max);
            before = w.bytes;
            for (i = 0; i < 4000; i++) {
                wshub_err err = wshub_client_send(w.hub, world_handle(&w, id), &m);
                EXPECT(err == WSHUB_OK || err == WSHUB_ERR_DROPPED || err == WSHUB_ERR_NOMEM);
                sent += asked_count > sent;
            }
            EXPECT(sent >= 1 && stats(&w).dropped_pressure == 4000 - sent);
            most = w.bytes - before;
            EXPECT(most < max + max / 8 + 2 * sizes[s] + 20000); /* pages of questions come whole */
            EXPECT(stats(&w).transform_bytes <= most + WSHUB__PAGE * sizeof(wshub__ask)); /* a page of them was there */
            EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)), stats(&w).transform_bytes);
            for (i = sent; i > 1; i--) /* from behind: the answers wait, and count too */
                EXPECT_INT(wshub_transform_accept(w.hub, asked[i - 1], replaced ? &m : NULL), WSHUB_OK);
            EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)), stats(&w).transform_bytes);
            EXPECT(!replaced || stats(&w).transform_bytes >= (sent - 1) * 2 * sizes[s]);
            EXPECT_INT(wshub_transform_accept(w.hub, asked[0], NULL), WSHUB_OK);
            wshub_io_fake_run(w.net);
            EXPECT_INT(stats(&w).transform_bytes, 0);
            for (i = 0; i < sent; i++) {
                wshub_io_fake_frame f;
                EXPECT(wshub_io_fake_next(w.net, c, &f) && f.payload.len == sizes[s] + 21);
            }
            world_stop(&w);
        }
    }
}

TEST(a_message_of_any_length_passes_the_transformer) { /* SEND-6: behind others that wait there too, up to the limit */
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("m", json_string(50000)), small = msg("s", "1");
    wshub_io_fake_frame f;
    encrypted_world(&w, id, &c, 1000);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &small), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(asked_count, 2);
    (void)wshub_client_send(w.hub, world_handle(&w, id), &small); /* more than the limit waits there now */
    EXPECT_INT(stats(&w).dropped_pressure, 1);
    EXPECT_INT(wshub_transform_accept(w.hub, asked[0], NULL), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, asked[1], NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.payload.len == 23 - 1);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.payload.len == 50021);
    wshub_io_fake_window(w.net, c, 0); /* one who does not read: both count together */
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &small), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, asked[2], NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    (void)wshub_client_send(w.hub, world_handle(&w, id), &m);
    EXPECT_INT(stats(&w).dropped_pressure, 2);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_io_fake_run(w.net);
    world_stop(&w);
}

/* ---- the loop: who hears nothing is owed nothing, what is held is counted, no limit but memory ---- */

static size_t loop_bytes;
static bool loop_starves;
static void *loop_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    if (loop_starves && new_bytes > old_bytes) return NULL;
    loop_bytes += new_bytes - old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}
static uint32_t ear_heard;
static void ear_received(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)channel;
    (void)payload;
    ear_heard++;
}
static void ear_state(void *ctx, wshub_bus_state state) {
    (void)ctx;
    (void)state;
}
static wshub_bus seat_of(wshub_loop *loop) {
    wshub_bus bus;
    wshub_bus_owner owner;
    memset(&owner, 0, sizeof owner);
    owner.received = ear_received;
    owner.state = ear_state;
    EXPECT_INT(wshub_loop_bus(loop, &bus), WSHUB_OK);
    EXPECT_INT(bus.attach(bus.ctx, &owner), WSHUB_OK);
    bus.pump(bus.ctx);
    return bus;
}
static wshub_loop *loop_of(uint32_t max) {
    wshub_loop_desc d;
    wshub_loop *loop = NULL;
    memset(&d, 0, sizeof d);
    d.alloc = loop_alloc;
    d.queue_bytes_max = max;
    loop_bytes = 0;
    EXPECT_INT(wshub_loop_create(&d, &loop), WSHUB_OK);
    return loop;
}

TEST(a_seat_is_sent_what_it_might_want_from_when_it_wants_it) { /* subscriptions come and go at random */
    wshub_loop *loop = loop_of(0);
    wshub_bus a = seat_of(loop), b = seat_of(loop);
    bool wants[8] = {false};
    int wanted = 0, step;
    wshub_bus_msg first;
    first.channel = first.payload = wshub_str_z("1");
    EXPECT_INT(a.publish(a.ctx, &first, 1), 1); /* and learns who the others are */
    seed = 77;
    for (step = 0; step < 2000; step++) {
        char name[16];
        wshub_bus_channel ch;
        uint32_t k = rnd(8);
        (void)snprintf(name, sizeof name, k % 2 ? "p%u*" : "c%u", (unsigned)k);
        ch.name = wshub_str_z(name);
        ch.pattern = k % 2 != 0;
        if (rnd(2)) { /* twice is once */
            bool on = rnd(3) == 0;
            EXPECT((on ? b.subscribe : b.unsubscribe)(b.ctx, &ch, 1));
            wanted += (on ? 1 : 0) - (wants[k] ? 1 : 0);
            wants[k] = on;
        } else {
            wshub_bus_msg m;
            size_t held = loop_bytes;
            (void)snprintf(name, sizeof name, k % 2 ? "p%ux" : "c%u", (unsigned)k);
            m.channel = wshub_str_z(name);
            m.payload = wshub_str_z("1");
            ear_heard = 0;
            EXPECT_INT(a.publish(a.ctx, &m, 1), 1);
            EXPECT((loop_bytes > held) == (wanted > 0)); /* who wants nothing at all is sent nothing */
            b.pump(b.ctx);
            EXPECT_INT(ear_heard, wants[k]);
        }
    }
    EXPECT_INT(wshub_loop_dropped(loop), 0);
    (void)a.attach(a.ctx, NULL);
    (void)b.attach(b.ctx, NULL);
    wshub_loop_destroy(loop);
    EXPECT_INT(loop_bytes, 0);
}

TEST(all_that_is_held_for_a_seat_counts_and_none_is_too_long_for_an_empty_one) { /* queue_bytes_max */
    static const uint32_t limits[] = {500, 4000, 100000};
    uint32_t round;
    for (round = 0; round < 30; round++) {
        wshub_loop *loop = loop_of(limits[round % 3]);
        wshub_bus a = seat_of(loop), b = seat_of(loop);
        wshub_bus_channel every = {{"*", 1}, true};
        wshub_bus_msg m;
        uint32_t sent = 0, i;
        size_t before;
        seed = round + 5;
        EXPECT(b.subscribe(b.ctx, &every, 1));
        m.channel = wshub_str_z("c");
        m.payload = wshub_str_z("1");
        EXPECT_INT(a.publish(a.ctx, &m, 1), 1);
        b.pump(b.ctx);
        before = loop_bytes;
        ear_heard = 0;
        for (i = 0; i < 400; i++, sent++) {
            m.payload.ptr = json_string(limits[round % 3] + 2);
            m.payload.len = i == 0 && round % 2 ? limits[round % 3] + 2 : rnd(200);
            EXPECT_INT(a.publish(a.ctx, &m, 1), 1);
            EXPECT(loop_bytes - before <= limits[round % 3] + (round % 2 ? limits[round % 3] + 200 : 0));
        }
        b.pump(b.ctx);
        EXPECT_INT(ear_heard + wshub_loop_dropped(loop), sent);
        EXPECT(ear_heard > 0);
        EXPECT_INT(loop_bytes, before);
        (void)a.attach(a.ctx, NULL);
        (void)b.attach(b.ctx, NULL);
        wshub_loop_destroy(loop);
    }
}

TEST(a_seat_takes_as_many_patterns_as_it_is_asked_for_or_says_no) {
    wshub_loop *loop = loop_of(0);
    wshub_bus a = seat_of(loop), b = seat_of(loop);
    char name[16];
    uint32_t i;
    wshub_bus_channel ch;
    wshub_bus_msg m;
    ch.pattern = true;
    m.payload = wshub_str_z("1");
    for (i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "p%u:*", (unsigned)i);
        ch.name = wshub_str_z(name);
        loop_starves = true;
        if (i == 0 || i == 2 || i == 3) EXPECT(!a.subscribe(a.ctx, &ch, 1));
        loop_starves = false;
        EXPECT(a.subscribe(a.ctx, &ch, 1) && a.subscribe(a.ctx, &ch, 1));
    }
    ch.name.len = 0;
    EXPECT(!a.subscribe(a.ctx, &ch, 1) && a.unsubscribe(a.ctx, &ch, 1)); /* not even a `*` */
    ear_heard = 0;
    for (i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "p%u:x", (unsigned)i);
        m.channel = wshub_str_z(name);
        EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
        (void)snprintf(name, sizeof name, "p%u:*", (unsigned)i);
        ch.name = wshub_str_z(name);
        a.pump(a.ctx);
        EXPECT_INT(ear_heard, i + 1);
        if (i % 2) EXPECT(a.unsubscribe(a.ctx, &ch, 1) && a.unsubscribe(a.ctx, &ch, 1));
    }
    (void)a.attach(a.ctx, NULL);
    (void)b.attach(b.ctx, NULL);
    wshub_loop_destroy(loop);
    EXPECT_INT(loop_bytes, 0);
}

TEST(the_tables_of_a_loop_have_a_key_that_is_its_owners) {
    wshub_loop *loop = loop_of(0), *keyed;
    wshub_loop_desc d;
    wshub_bus bus, other;
    world w;
    uint64_t mine[2], key[2] = {1, 2};
    memset(&d, 0, sizeof d);
    memcpy(d.key, key, sizeof d.key);
    EXPECT_INT(wshub_loop_create(&d, &keyed), WSHUB_OK);
    other = seat_of(keyed);
    EXPECT(memcmp(((wshub__seat *)other.ctx)->channels.key, key, sizeof key) == 0);
    wshub__seat_clear((wshub__seat *)other.ctx); /* forgets what it holds, not the key */
    EXPECT(memcmp(((wshub__seat *)other.ctx)->channels.key, key, sizeof key) == 0);
    (void)other.attach(other.ctx, NULL);
    wshub_loop_destroy(keyed);
    EXPECT_INT(wshub_loop_bus(loop, &bus), WSHUB_OK);
    memcpy(mine, ((wshub__seat *)bus.ctx)->channels.key, sizeof mine);
    EXPECT(mine[0] && mine[1]);
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = true), FAKE(0));
    wshub_io_fake_run(w.net);
    EXPECT(memcmp(((wshub__seat *)bus.ctx)->channels.key, mine, sizeof mine) != 0); /* of the hub's randomness */
    EXPECT(memcmp(((wshub__seat *)bus.ctx)->channels.key, w.hub->index.key, sizeof mine) != 0); /* and not the hub's own */
    world_stop(&w);
    wshub_loop_destroy(loop);
}

/* ---- exact channels that linger ---- */

static struct { size_t subscribed, unsubscribed; bool full; wshub_bus_owner owner; } mute;
static wshub_err mute_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (owner) mute.owner = *owner;
    return WSHUB_OK;
}
static size_t mute_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return count;
}
static bool mute_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    mute.subscribed += count;
    return true;
}
static bool mute_unsubscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    if (!mute.full) mute.unsubscribed += count;
    return !mute.full;
}

TEST(channels_that_linger_are_no_more_than_rooms_max) { /* BUS-4, ROOM-6: in one turn and in many, with room on the bus or not */
    static const uint32_t limits[] = {30, 700, 3000};
    uint32_t k, way;
    for (k = 0; k < 3; k++) {
        for (way = 0; way < 3; way++) {
            world w;
            wshub_bus bus;
            char id[37], name[16];
            uint32_t i, peak = 0, max = limits[k];
            size_t before;
            memset(&mute, 0, sizeof mute);
            memset(&bus, 0, sizeof bus);
            bus.version = WSHUB_BUS_VERSION;
            bus.attach = mute_attach;
            bus.publish = mute_publish;
            bus.subscribe = mute_subscribe;
            bus.unsubscribe = mute_unsubscribe;
            world_start(&w, DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = true, .rooms_max = max), FAKE(0));
            mute.owner.state(mute.owner.ctx, WSHUB_BUS_CONNECTED);
            mute.owner.state(mute.owner.ctx, WSHUB_BUS_UP);
            (void)world_client(&w, NULL, id);
            before = w.bytes;
            for (i = 0; i < 6000; i++) {
                (void)snprintf(name, sizeof name, "r%u", (unsigned)i);
                EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), wshub_str_z(name)), WSHUB_OK);
                if (way != 1 || i % 16 == 0) wshub_io_fake_run(w.net);
                mute.full = way == 2 && i < 1000;
                EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, id), wshub_str_z(name)), WSHUB_OK);
                if (stats(&w).bus_lingering > peak) peak = (uint32_t)stats(&w).bus_lingering;
            }
            wshub_io_fake_run(w.net);
            EXPECT(stats(&w).bus_lingering <= max);
            EXPECT(way == 2 || peak <= max + WSHUB_BUS_BATCH);
            EXPECT(w.bytes - before < (size_t)max * 400 + (way == 2 ? 2000u : 0u) * 100 + 200000);
            wshub_io_fake_advance(w.net, 5001);
            EXPECT_INT(stats(&w).bus_lingering, 0);
            EXPECT_INT(mute.subscribed - mute.unsubscribed, 1 + 2 + 2); /* broadcasts, its two rooms, its id twice */
            world_stop(&w);
        }
    }
}

static int no_memory_lines;
static void starving_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    no_memory_lines += l->code == WSHUB_LOG_NOMEM;
}
static wshub_err leaves_starving(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    (void)e;
    w->fail_all = true;
    EXPECT_INT(wshub_client_leave(hub, c, wshub_str_z("r")), WSHUB_OK);
    w->fail_all = false;
    EXPECT_INT(no_memory_lines, 0); /* it is told when the callback has ended, not inside it */
    return WSHUB_OK;
}
TEST(a_channel_that_cannot_linger_for_want_of_memory_is_told) { /* BUS-4: it is left, and stays subscribed for nothing */
    int inside;
    for (inside = 0; inside < 2; inside++) {
        world w;
        wshub_bus bus;
        wshub_conn c;
        char id[37];
        memset(&mute, 0, sizeof mute);
        memset(&bus, 0, sizeof bus);
        bus.version = WSHUB_BUS_VERSION;
        bus.attach = mute_attach;
        bus.publish = mute_publish;
        bus.subscribe = mute_subscribe;
        bus.unsubscribe = mute_unsubscribe;
        no_memory_lines = 0;
        world_start(&w, DESC(.on_authenticate = accept_all, .on_message = leaves_starving, .on_log = starving_log, .bus = &bus, .bus_exact = true), FAKE(0));
        mute.owner.state(mute.owner.ctx, WSHUB_BUS_CONNECTED);
        mute.owner.state(mute.owner.ctx, WSHUB_BUS_UP);
        c = world_client(&w, NULL, id);
        EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), wshub_str_z("r")), WSHUB_OK);
        wshub_io_fake_run(w.net);
        if (inside) {
            wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
        } else {
            w.fail_all = true;
            EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, id), wshub_str_z("r")), WSHUB_OK);
            w.fail_all = false;
        }
        EXPECT_INT(no_memory_lines, 1);
        EXPECT(!wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z("r")));
        world_stop(&w);
    }
}

/* ---- the most there ever was is given back ---- */

static void quiet_step(void *user) { (void)user; } /* the self-check walks everybody */
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
    for (i = 0; i < CROWD; i++) wshub_io_fake_end(w->net, crowd[crowd_order == 0 ? i : crowd_order == 1 ? CROWD - 1 - i : i * 1009 % CROWD]);
}
static void most_messages(world *w) {
    wshub_msg m = msg("m", json_string(5000000));
    EXPECT_INT(wshub_all_send(w->hub, &m, NULL, 0), WSHUB_OK);
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
            EXPECT_INT((k ? wshub_client_leave : wshub_client_join)(w->hub, c, wshub_str_z(name)), WSHUB_OK);
        }
    }
}
static void most_timers(world *w) {
    wshub_timer t[5000];
    uint32_t i;
    for (i = 0; i < 5000; i++) EXPECT_INT(wshub_timer_start(w->hub, 1000, nothing_to_do, NULL, &t[i]), WSHUB_OK);
    for (i = 0; i < 5000; i++) EXPECT_INT(wshub_timer_stop(w->hub, t[crowd_order == 1 ? 4999 - i : i]), WSHUB_OK);
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
    asked_count = 0;
    for (i = 0; i < 3000; i++) EXPECT_INT(wshub_client_send(w->hub, c, &m), WSHUB_OK);
    for (i = 0; i < 3000; i++) EXPECT_INT(wshub_transform_accept(w->hub, asked[i], NULL), WSHUB_OK);
}

TEST(the_most_there_ever_was_is_given_back) { /* within a second or two; and handles of then stay stale */
    static void (*const things[])(world *w) = {most_messages, most_clients, most_rooms, most_timers, most_posts, most_questions};
    uint32_t t, fails;
    for (t = 0; t < 6; t++) {
        for (crowd_order = 0; crowd_order < 3; crowd_order++) {
            for (fails = 0; fails < 2; fails++) {
                world w;
                size_t before, most;
                char id[37];
                wshub_conn c;
                world_start(&w, DESC(.on_authenticate = accept_all, .rooms_per_client_max = 100000, .on_transform_out = ask_later, .encrypted_batch_max = 4096), FAKE(0));
                w.net->desc.on_step = quiet_step;
                c = world_client(&w, "u", id);
                wshub_io_fake_advance(w.net, 3000);
                before = w.bytes;
                w.peak = 0;
                things[t](&w);
                most = w.peak;
                wshub_io_fake_run(w.net);
                w.fail_all = fails != 0; /* what cannot be made smaller stays, and is looked after again */
                wshub_io_fake_advance(w.net, 2000);
                EXPECT(wshub_self_check(w.hub) == NULL);
                w.fail_all = false;
                wshub_io_fake_advance(w.net, 2000);
                if (w.bytes > before + 100000) (void)printf("  thing %u, order %u: %u before, %u at most, %u after\n", (unsigned)t, (unsigned)crowd_order, (unsigned)before, (unsigned)most, (unsigned)w.bytes);
                EXPECT(w.bytes <= before + 100000);
                EXPECT(most > before + 150000);
                EXPECT(wshub_self_check(w.hub) == NULL);
                if (things[t] == most_clients && !fails) {
                    wshub_client was[CROWD];
                    uint32_t i;
                    memcpy(was, crowd_handles, sizeof was);
                    crowd_comes(&w);
                    for (i = 0; i < CROWD; i++) EXPECT(wshub_client_state(w.hub, was[i]) == WSHUB_CLIENT_DISCONNECTED && wshub_client_id(w.hub, was[i]).len == 0);
                    for (i = 0; i < CROWD; i++) EXPECT(wshub_client_state(w.hub, crowd_handles[i]) == WSHUB_CLIENT_AUTHENTICATED);
                    EXPECT(wshub_self_check(w.hub) == NULL);
                    crowd_goes(&w);
                }
                EXPECT(wshub_io_fake_is_open(w.net, c) && wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z("ws-default")));
                world_stop(&w);
            }
        }
    }
}

TEST(a_pool_gives_back_its_end_and_nothing_that_is_retired_comes_again) {
    wshub__mem m = wshub__mem_make(NULL, NULL);
    wshub__pool pool;
    uint32_t i, index, last;
    uint64_t old;
    memset(&pool, 0, sizeof pool);
    pool.item_bytes = sizeof(wshub__ask);
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
        EXPECT(wshub__pool_take(&m, &pool, &index) && index == (i < 700 ? i : i + 1) && index >= last);
        EXPECT(wshub__pool_handle(&pool, index) != old);
    }
    wshub__pool_done(&m, &pool);
    memset(&pool, 0, sizeof pool); /* less than a page at the end is no page, and what is used stays so */
    pool.item_bytes = sizeof(wshub__ask);
    for (i = 0; i < 600; i++) EXPECT(wshub__pool_take(&m, &pool, &index));
    for (i = 0; i < 600; i++) {
        if (i != 519) wshub__pool_free(&pool, i);
    }
    wshub__pool_give_back(&m, &pool);
    EXPECT(pool.used == 600 && pool.pages_count == 5);
    EXPECT(wshub__pool_take(&m, &pool, &index) && index == 0);
    wshub__pool_done(&m, &pool);
}

TEST(a_laggard_is_copied_out_of_what_it_holds_little_of) { /* SEND-6: segment_bytes is no more than what is held, in time */
    world w;
    wshub_conn slow;
    wshub__conn *conn;
    char id[37];
    uint32_t i;
    uint64_t before, lags;
    wshub_str out;
    wshub_msg little = msg("m", "1"), much = msg("m", json_string(40000));
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    slow = world_client(&w, NULL, id);
    (void)world_client(&w, NULL, NULL);
    wshub_io_fake_window(w.net, slow, 0);
    out = wshub_str_z(id);
    for (i = 0; i < 12; i++) { /* a little for the one among much for the other, and under 1 MiB: nothing is copied yet */
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &little), WSHUB_OK);
        EXPECT_INT(wshub_all_send(w.hub, &much, &out, 1), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    before = stats(&w).segment_bytes;
    lags = stats(&w).lagging_bytes;
    EXPECT(before > 300000 && before < 1u << 20);
    conn = wshub__conn_at(w.hub, wshub__client_get(w.hub, world_handle(&w, id))->conn);
    w.hub->compacted[0] = w.hub->stats.queued_bytes; /* only how much is held has changed since it was last looked after */
    w.hub->compacted[1] = before;
    wshub__out_compact(w.hub);
    EXPECT_INT(stats(&w).segment_bytes, before);
    w.hub->compacted[1] = before + 1;
    conn->pressured = false; /* it has caught up, and has been sent more which has not been offered yet: it lags no more */
    wshub__out_compact(w.hub);
    conn->pressured = true;
    EXPECT(stats(&w).segment_bytes < 150000);
    EXPECT(stats(&w).lagging_bytes < lags);
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (i = 0; i < 12; i++) EXPECT_TEXT(&w, slow, "{\"event\":\"m\",\"data\":1}");
    EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)), 0);
    world_stop(&w);
}

TEST(streams_are_given_back_only_when_no_list_leads_through_them) {
    world w;
    wshub_loop_desc d;
    wshub_loop *loop;
    uint64_t half[2] = {0, 5};
    uint32_t pages;
    crowd_order = 0;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    w.net->desc.on_step = quiet_step;
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
    EXPECT_INT(wshub_loop_create(&d, &loop), WSHUB_OK);
    EXPECT(memcmp(loop->key, half, sizeof half) == 0);
    wshub_loop_destroy(loop);
}
