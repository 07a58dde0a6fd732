/* Who is put off for a rate (RATE-1): what else may befall it while it waits, what somebody could make
 * of being put off, and what is told of it. By a clock turned by hand. */
#include "rates_site.h"

/* ---- what somebody could make of it ---- */

TEST(who_comes_again_and_again_while_slowed_leaves_nothing_behind) { /* RATE-1; PITFALLS a22 */
    size_t bytes = 0;
    int i;
    start(DESC(.address_messages_per_s = 1, .address_messages_burst = 1,
               .address_over = WSHUB_OVER_DELAY, .payload_bytes_max = 1000),
          "192.0.2.1");
    for (i = 0; i < 400; i++) {
        wshub_conn c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        says(c, 2); /* not read */
        wshub_io_fake_advance(w.net, 10);
        wshub_io_fake_end(w.net, c);
        wshub_io_fake_forget(w.net, c); /* its number is the next one's */
        if (i == 20) bytes = w.bytes;
    }
    EXPECT_INT(heard, 0);
    EXPECT_INT(w.hub->timers.live, 0);
    EXPECT_INT(w.bytes, bytes);
    world_stop(&w);
}

TEST(who_is_not_read_is_not_late_with_its_authentication) { /* RATE-1, AUTH-1 */
    wshub_io_fake_frame error;
    wshub_conn a, b;
    char id[37];
    int i;
    start(DESC(.address_messages_per_s = 1, .address_messages_burst = 3,
               .address_over = WSHUB_OVER_DELAY, .auth_timeout_ms = 2000),
          "192.0.2.1");
    b = wshub_io_fake_connect(w.net, "/ws");
    a = world_client(&w, "ada", id);
    says(a, 4);
    wshub_io_fake_text(w.net, b, "{\"event\":\"x\"}"); /* which is lent, and made up for */
    wshub_io_fake_text(w.net, b, "{\"event\":\"authenticate\"}");
    for (i = 0; i < 5; i++) { /* others of its address are always first */
        says(a, 1);
        wshub_io_fake_advance(w.net, 1000);
    }
    wshub_io_fake_advance(w.net, 20000);
    EXPECT_INT(stats(&w).authenticated, 2);
    EXPECT(wshub_io_fake_is_open(w.net, b));

    /* Who is read and says nothing is late as ever. */
    b = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, b, "{\"event\":\"x\"}");
    wshub_io_fake_advance(w.net, 2100);
    EXPECT_INT(stats(&w).authenticated, 2);
    EXPECT(wshub_io_fake_next(w.net, b, &error)); /* MSG-6 */
    EXPECT_CLOSE(&w, b, 4001);
    world_stop(&w);
}

TEST(who_waits_for_a_transformer_and_a_rate_waits_for_both) { /* RATE-1, ENC-2 */
    int first;                                                /* which of the two is over first */
    for (first = 0; first < 2; first++) {
        char id[37];
        wshub_conn c;
        start(DESC(.client_messages_per_s = 1, .client_messages_burst = 2,
                   .client_over = WSHUB_OVER_DELAY, .on_transform_in = keep_event,
                   .on_connected = encrypt_all),
              "192.0.2.1");
        kept_asks_count = 0;
        c = world_client(&w, "ada", id);
        says(c, 2);
        EXPECT_INT(kept_asks_count, 1);
        if (first) wshub_io_fake_advance(w.net, 1500);
        EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(heard, 1);
        EXPECT_INT(kept_asks_count, first ? 2 : 1);
        if (!first) wshub_io_fake_advance(w.net, 1000);
        EXPECT_INT(kept_asks_count, 2);
        EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[1], NULL), WSHUB_OK);
        EXPECT_INT(heard, 2);
        world_stop(&w);
    }
}

TEST(a_message_begun_when_its_stream_is_slowed_has_its_time_behind_that) { /* RATE-1, LIVE-3 */
    char id[37];
    wshub_conn c;
    start(DESC(.client_messages_per_s = 1, .client_messages_burst = 3,
               .client_over = WSHUB_OVER_DELAY, .message_timeout_ms = 500),
          "192.0.2.1");
    c = world_client(&w, "ada", id);
    wshub_io_fake_input(w.net, c, "\x81\x85", 2); /* half a head */
    EXPECT_INT(wshub_client_heard(w.hub, world_handle(&w, id), 1).state,
               WSHUB_CLIENT_AUTHENTICATED); /* as of a dialect that hears in other ways too */
    EXPECT_INT(wshub_client_heard(w.hub, world_handle(&w, id), 1).state,
               WSHUB_CLIENT_AUTHENTICATED);
    EXPECT_INT(stats(&w).rate_delayed, 1);
    wshub_io_fake_advance(w.net, 1400);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).message_timeouts, 0);
    wshub_io_fake_advance(w.net, 100);
    EXPECT_INT(stats(&w).message_timeouts, 1);
    world_stop(&w);
}

TEST(a_slowed_stream_may_end_in_every_way) { /* RATE-1, LIVE-3 */
    int how;
    for (how = 0; how < 4; how++) {
        char id[37];
        wshub_conn c;
        start(DESC(.client_messages_per_s = 1, .client_messages_burst = 2,
                   .client_over = WSHUB_OVER_DELAY),
              "192.0.2.1");
        c = world_client(&w, "ada", id);
        says(c, 4);
        EXPECT_INT(heard, 1);
        if (how == 0) wshub_io_fake_end(w.net, c);
        if (how == 1) wshub_io_fake_half_close(w.net, c); /* what it has said comes first */
        if (how == 2) EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, S("")), 0);
        if (how == 3) wshub_io_fake_send_close(w.net, c, 1000, ""); /* behind what it has said */
        wshub_io_fake_run(w.net);
        EXPECT_INT(stats(&w).conns, how != 0);
        wshub_io_fake_advance(w.net, 4000);
        EXPECT_INT(heard, how == 1 || how == 3 ? 4 : 1);
        EXPECT_INT(stats(&w).conns, how == 2); /* our Close has a clock of its own */
        wshub_io_fake_advance(w.net, 2000);
        EXPECT_INT(stats(&w).conns, 0);
        world_stop(&w);
    }
}

TEST(who_comes_again_and_again_is_not_let_through_for_that) { /* RATE-1, RATE-2 */
    char id[37];
    wshub_conn c;
    int i;
    start(DESC(.address_messages_per_s = 2, .address_messages_burst = 4,
               .address_over = WSHUB_OVER_DELAY),
          "192.0.2.1");
    for (i = 0; i < 50; i++) {
        c = wshub_io_fake_connect(w.net, "/ws");
        EXPECT(c.id);
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        says(c, 1);
        wshub_io_fake_end(w.net, c);
    }
    EXPECT_INT(stats(&w).messages_in, 4);
    world_stop(&w);

    start(DESC(.user_messages_per_s = 2, .user_messages_burst = 3, .user_over = WSHUB_OVER_DELAY),
          "192.0.2.1");
    for (i = 0; i < 50; i++) {
        c = world_client(&w, "ada", id); /* whose it is is known only behind that */
        says(c, 1);
        wshub_io_fake_end(w.net, c);
    }
    EXPECT_INT(heard, 3);
    c = world_client(&w, "ada", id);
    says(c, 2);
    wshub_io_fake_advance(w.net, 499);
    EXPECT_INT(heard, 3);
    wshub_io_fake_advance(w.net, 1);
    EXPECT_INT(heard, 4);
    world_stop(&w);
}

TEST(who_is_accepted_while_he_waits_waits_on) { /* RATE-1 */
    wshub_conn c;
    start(DESC(.client_messages_per_s = 1, .client_messages_burst = 1,
               .client_over = WSHUB_OVER_DELAY, .on_authenticate = keep_auth),
          "192.0.2.1");
    kept_asks_count = 0;
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    says(c, 1);
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    EXPECT_INT(stats(&w).rate_delayed, 1);
    EXPECT_INT(heard, 0);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_INT(heard, 1);
    world_stop(&w);
}

TEST(whose_client_ends_while_its_stream_is_slowed_is_read_on) { /* RATE-1, BYE-1 */
    char id[37];
    wshub_conn c;
    start(DESC(.client_messages_per_s = 1, .client_over = WSHUB_OVER_DELAY), "192.0.2.1");
    c = world_client(&w, "ada", id);
    says(c, 2);
    EXPECT_INT(stats(&w).rate_delayed, 1);
    EXPECT_INT(wshub_client_end(w.hub, world_handle(&w, id), WSHUB_BY_APP, 1000, nul()), WSHUB_OK);
    wshub_io_fake_advance(w.net, 2000);
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT_INT(stats(&w).held_bytes, 0);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

static wshub_take own_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                           void *user) {
    wshub_client_desc who;
    (void)http, (void)user;
    memset(&who, 0, sizeof who);
    return wshub_client_upgrade(hub, exchange, &who);
}
static void own_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool text,
                        void *owner) {
    (void)bytes, (void)text, (void)owner;
    heard += wshub_conn_heard(hub, conn, count).client.id != 0;
}

TEST(who_waits_for_a_rate_and_for_room_waits_for_both) { /* RATE-1, SEND-6 */
    int first;                                           /* which of the two is over first */
    for (first = 0; first < 2; first++) {
        wshub_mount_desc d = {.version = WSHUB_MOUNT_VERSION, .path = "/own"};
        wshub_conn c;
        d.on_head = own_head;
        d.on_message = own_message;
        start(DESC(.client_messages_per_s = 1, .client_over = WSHUB_OVER_DELAY), "192.0.2.1");
        EXPECT_INT(wshub_mount(w.hub, &d), WSHUB_OK);
        c = wshub_io_fake_connect(w.net, "/own");
        wshub_io_fake_window(w.net, c, 0);
        says(c, 2);
        EXPECT_INT(heard, 1);
        EXPECT_INT(wshub_conn_send(w.hub, c, "x", 1, true), WSHUB_OK);
        EXPECT_INT(wshub_conn_pause_until_drained(w.hub, c), WSHUB_OK);
        wshub_io_fake_run(w.net);
        if (first) wshub_io_fake_advance(w.net, 1000);
        EXPECT_INT(heard, 1);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        EXPECT_INT(heard, 1 + first);
        wshub_io_fake_advance(w.net, 1000);
        EXPECT_INT(heard, 2);
        world_stop(&w);
    }
}

static char why_gone[64];
static void note_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub, (void)user;
    EXPECT_INT(gone->code, 1008);
    EXPECT_INT(gone->cause, WSHUB_BY_PROTOCOL);
    (void)snprintf(why_gone, sizeof why_gone, "%.*s", (int)gone->reason.len, gone->reason.ptr);
}

/* Where both rates of somebody are set, either may be it. */
TEST(the_rate_that_was_met_is_named_among_debug_lines) { /* RATE-1 */
    static const struct {
        uint32_t messages, bytes;
        const char *line;
    } cases[] = {{2, 0, ": limit met: client_messages_per_s 2\n"},
                 {0, 50, ": limit met: client_bytes_per_s 50\n"},
                 {2, 50, ": limit met: client_bytes_per_s, or client_messages_per_s 2\n"}};
    size_t i;
    for (i = 0; i < 3; i++) {
        start(DESC(.log_level = WSHUB_LEVEL_DEBUG, .client_messages_per_s = cases[i].messages,
                   .client_bytes_per_s = cases[i].bytes),
              "192.0.2.1");
        says(world_client(&w, "ada", NULL), 4);
        EXPECT(strstr(wshub_io_fake_log(w.net).ptr, cases[i].line));
        world_stop(&w);
    }
}

TEST(who_is_closed_for_a_rate_is_told_whose_it_was) { /* RATE-1 */
    static const char *const reasons[] = {"rate of this client exceeded",
                                          "rate of this user exceeded",
                                          "rate of this address exceeded"};
    int of;
    for (of = 0; of < 3; of++) {
        wshub_desc d = DESC(.on_disconnected = note_gone);
        char id[37];
        wshub_conn c;
        if (of == 0) d.client_messages_per_s = 2, d.client_over = WSHUB_OVER_CLOSE;
        if (of == 1) d.user_messages_per_s = 2, d.user_over = WSHUB_OVER_CLOSE;
        if (of == 2) d.address_bytes_per_s = 50, d.address_over = WSHUB_OVER_CLOSE;
        start(d, "192.0.2.1");
        why_gone[0] = 0;
        c = world_client(&w, "ada", id);
        says(c, 4);
        EXPECT_STR(why_gone, reasons[of]);
        EXPECT_INT(limited_of, of + 1);
        EXPECT_INT(stats(&w).rate_closed, 1);
        EXPECT_CLOSE(&w, c, 1008);
        world_stop(&w);
    }
}
