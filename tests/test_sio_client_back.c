/* The client of Socket.IO comes back: backoff, what is kept meanwhile, recovery (3.5); and the flow
 * of the Ignis helper (11). In memory, as tests/test_sio_client.c. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "sio_client_site.h"

/* The stream is lost, and the wait that follows is over. */
static void lose(void) {
    wshub_io_fake_end(s.fake, line);
    EXPECT(strstr(s.told, "transport close again\nreconnecting 1\n") != NULL);
    wshub_io_fake_advance(s.fake, last_delay);
}

/* ---- backoff ---- */

TEST(waits_double_to_a_maximum_and_begin_anew_with_a_namespace) {
    static const uint32_t base[] = {1000, 2000, 4000, 5000, 5000};
    char want[100];
    uint32_t i;
    connect_one();
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s), "disconnected transport close again\nreconnecting 1\n");
    for (i = 0; i < 5; i++) {
        EXPECT_OP(last_delay, >=, base[i] / 2);
        EXPECT_OP(last_delay, <=, base[i] + base[i] / 2);
        EXPECT_INT(wshub_sio_client_state_of(client), WSHUB_SIO_CLIENT_WAITING);
        wshub_io_fake_advance(s.fake, last_delay - 1);
        EXPECT(!wshub_io_fake_dialled(s.fake, &line, NULL));
        wshub_io_fake_advance(s.fake, 1);
        if (i == 3) { /* that a session opens is not enough */
            serve(OPEN_PACKET);
            play("> 40\n< 1");
            EXPECT_STR(site_told(&s), "connect_error transport close again\nreconnecting 5\n");
            continue;
        }
        line = site_dialled(&s, NULL);
        wshub_io_fake_answer(s.fake, line, false);
        (void)snprintf(want, sizeof want, "reconnecting %u\n", i + 2);
        EXPECT(strstr(s.told, "connect_error ") && strstr(s.told, want));
        (void)site_told(&s);
    }
    wshub_io_fake_advance(s.fake, last_delay);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"B\"}");
    EXPECT_STR(site_told(&s), "connected B\n");
    lose();
    stop();
}

TEST(attempts_fail_in_time_and_are_counted) {
    start();
    desc.reconnect_tries = 1;
    desc.ws.connect_timeout_ms = 100;
    begin();
    serve(NULL); /* a WebSocket that opens no session */
    wshub_io_fake_advance(s.fake, 100);
    EXPECT_STR(site_told(&s), "connect_error timeout again\nreconnecting 1\n");
    wshub_io_fake_advance(s.fake, last_delay);
    serve("0{\"sid\":\"E\"}"); /* an open packet that is none */
    EXPECT_STR(site_told(&s), "connect_error the server's open packet is none\ngave_up 1\n");
    EXPECT_INT(wshub_sio_socket_state_of(sock), WSHUB_SIO_SOCKET_IDLE);
    (void)wshub_sio_socket_connect(sock); /* anew */
    serve("40");
    EXPECT_STR(site_told(&s),
               "connect_error the server's first packet does not open a session again\n"
               "reconnecting 1\n");
    (void)wshub_sio_socket_disconnect(sock);
    wshub_io_fake_advance(s.fake, 10000);
    EXPECT(!wshub_io_fake_dialled(s.fake, &line, NULL));
    stop();
}

TEST(it_does_not_come_back_if_it_shall_not) {
    start();
    desc.no_reconnect = true;
    begin();
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}");
    wshub_io_fake_end(s.fake, line);
    wshub_io_fake_advance(s.fake, 20000);
    EXPECT_STR(site_told(&s), "connected A\ndisconnected transport close\n");
    stop();
}

/* `/`, which is told first, and `/b`: both connected, or waiting for a first attempt. */
static void connect_two(bool connected, bool no_reconnect) {
    static wshub_sio_socket_desc b; /* it is kept */
    start();
    desc.no_reconnect = no_reconnect;
    begin();
    memset(&b, 0, sizeof b);
    b.events = &events;
    b.name = "/b";
    EXPECT_INT(wshub_sio_socket_create(client, &b, &s, &sibling), WSHUB_OK);
    if (!connected) return;
    serve(OPEN_PACKET);
    play("> 40\n> 40/b,\n< 40{\"sid\":\"A\"}\n< 40/b,{\"sid\":\"B\"}");
    EXPECT_STR(site_told(&s), "connected A\n/b connected B\n");
}

TEST(what_a_callback_wants_for_one_socket_is_done_for_that_one_alone) {
    connect_two(false, true);
    acts = "connect_error connect"; /* in that of `/`: for itself */
    wshub_io_fake_run(s.fake);
    line = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, line, false);
    EXPECT(strncmp(s.told, "connect_error ", 14) == 0 && strstr(s.told, "\n/b connect_error "));
    EXPECT(strstr(s.told, " again") == NULL);
    EXPECT_INT(wshub_sio_socket_state_of(sibling), WSHUB_SIO_SOCKET_IDLE); /* not revived */
    EXPECT_INT(wshub_sio_socket_state_of(sock), WSHUB_SIO_SOCKET_WAITING);
    (void)site_told(&s);
    wshub_io_fake_advance(s.fake, 1);
    serve(OPEN_PACKET);
    play("> 40\n.\n< 40{\"sid\":\"C\"}");
    EXPECT_STR(site_told(&s), "connected C\n");
    stop();
}

TEST(a_socket_that_a_callback_connects_while_a_loss_is_told_comes_back) {
    connect_two(true, true);
    acts = "disconnected connect sibling"; /* in that of `/`: for `/b`, which is told later */
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s),
               "disconnected transport close\n/b disconnected transport close again\n");
    EXPECT_INT(wshub_sio_socket_state_of(sibling), WSHUB_SIO_SOCKET_WAITING);
    EXPECT_INT(wshub_sio_socket_state_of(sock), WSHUB_SIO_SOCKET_IDLE);
    wshub_io_fake_advance(s.fake, 1);
    serve(OPEN_PACKET);
    play("> 40/b,\n.\n< 40/b,{\"sid\":\"C\"}");
    EXPECT_STR(site_told(&s), "/b connected C\n");
    stop();
}

TEST(whether_it_comes_back_is_said_as_it_is_then) {
    connect_two(true, false);
    acts = "disconnected disconnect sibling"; /* in that of `/` */
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s), "disconnected transport close again\n"
                              "/b disconnected transport close\nreconnecting 1\n");
    wshub_io_fake_advance(s.fake, last_delay);
    serve(OPEN_PACKET);
    play("> 40\n.");
    stop();

    connect_two(true, true);
    EXPECT_INT(ask("q", NULL, 5000), WSHUB_OK);
    play("> 420[\"q\"]");
    acts = "answer connect"; /* a reply, before its own socket is told */
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s), "answer socket has been disconnected\n"
                              "disconnected transport close again\n"
                              "/b disconnected transport close\n");
    stop();
}

TEST(who_waits_for_a_connection_that_is_lost_for_good_is_told) {
    connect_two(true, true);
    EXPECT_INT(wshub_sio_socket_disconnect(sibling), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_connect(sibling), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_state_of(sibling), WSHUB_SIO_SOCKET_WAITING);
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s), "disconnected transport close\n"
                              "/b disconnected io client disconnect\n"
                              "/b connect_error transport close\n");
    EXPECT_INT(wshub_sio_socket_state_of(sibling), WSHUB_SIO_SOCKET_IDLE);
    stop();
}

TEST(a_namespace_that_does_not_answer_is_given_up) {
    wshub_sio_socket_desc other = {0};
    wshub_sio_socket *second;
    start();
    desc.join_timeout_ms = 50;
    begin();
    serve(OPEN_PACKET);
    play("> 40");
    wshub_io_fake_advance(s.fake, 50);
    EXPECT_STR(site_told(&s), "connect_error timeout again\nreconnecting 1\n");
    wshub_io_fake_advance(s.fake, last_delay);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}");
    other.events = &events;
    other.name = "/b";
    EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &second), WSHUB_OK);
    play("> 40/b,");
    wshub_io_fake_advance(s.fake, 50); /* the other is not troubled */
    EXPECT_STR(site_told(&s), "connected A\n/b connect_error timeout\n");
    play("< 40/b,{\"sid\":\"B\"}\n> 41/b,");
    stop();
}

/* ---- what is kept (PITFALLS d13) ---- */

TEST(what_was_kept_leaves_before_what_callbacks_send) {
    start();
    acts = "connected emit";
    begin();
    EXPECT_INT(emit("early", "1"), WSHUB_OK);
    EXPECT_INT(ask("q", "2", 100000), WSHUB_OK);
    EXPECT_INT(ask("late", NULL, 10), WSHUB_OK);
    EXPECT_INT(emit_as(sock, "now", NULL, WSHUB_PACKET_VOLATILE), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 3);
    wshub_io_fake_advance(s.fake, 10); /* what has timed out is not sent any more */
    EXPECT_STR(site_told(&s), "answer operation has timed out\n");
    EXPECT_INT(wshub_sio_socket_buffered(sock), 2);
    serve(OPEN_PACKET);
    play("> 40\n.\n< 40{\"sid\":\"A\"}\n> 42[\"early\",1]\n> 420[\"q\",2]\n> 42[\"late\",0]\n.");
    EXPECT_INT(emit_as(sock, "now", NULL, WSHUB_PACKET_VOLATILE), WSHUB_OK);
    play("> 42[\"now\"]");
    (void)site_told(&s);
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s), "answer socket has been disconnected\n"
                              "disconnected transport close again\nreconnecting 1\n");
    EXPECT_INT(emit("kept", NULL), WSHUB_OK);
    EXPECT_INT(ask("kept too", NULL, 100000), WSHUB_OK);
    wshub_io_fake_advance(s.fake, last_delay);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"B\"}\n> 42[\"kept\"]\n> 422[\"kept too\"]\n.\n< 432[]"); /* once */
    EXPECT_STR(site_told(&s), "connected B\nanswer\n");
    stop();
}

TEST(what_is_kept_has_a_limit) {
    start();
    desc.buffer_bytes = 60; /* of each 12, and 16 around it */
    begin();
    EXPECT_INT(emit("abc", "1"), WSHUB_OK);
    EXPECT_INT(emit("abc", "2"), WSHUB_OK);
    EXPECT_INT(emit("abc", "3"), WSHUB_ERR_LIMIT);
    EXPECT_INT(ask("abc", "3", 100), WSHUB_ERR_LIMIT);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}\n> 42[\"abc\",1]\n> 42[\"abc\",2]\n.");
    stop();
}

TEST(what_the_stream_does_not_take_waits_in_order) {
    static char big[400];
    wshub_span span;
    wshub_packet packet;
    int i;
    start();
    desc.ws.unsent_bytes_max = 500;
    desc.buffer_bytes = 2000;
    begin();
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}");
    wshub_io_fake_window(s.fake, line, 0);
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("b");
    packet.attachments = &span;
    packet.attachments_count = 1;
    span.ptr = (const uint8_t *)big;
    span.len = sizeof big;
    for (i = 0; i < 5; i++) EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 4);
    EXPECT_INT(emit_as(sock, "v", NULL, WSHUB_PACKET_VOLATILE), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_ERR_LIMIT);
    wshub_io_fake_run(s.fake);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 4);
    wshub_io_fake_window(s.fake, line, UINT64_MAX);
    wshub_io_fake_run(s.fake);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 0);
    for (i = 0; i < 5; i++) {
        wshub_io_fake_frame f;
        EXPECT(site_next(&s, line, &f) && f.opcode == 1 && f.payload.len == 9);
        EXPECT(site_next(&s, line, &f) && f.opcode == 2 && f.payload.len == sizeof big);
    }
    for (i = 0; i < 4; i++) EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 3); /* in one turn, over a stream that takes all */
    wshub_io_fake_run(s.fake);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 0);
    stop();
}

/* ---- saying it until it is answered (PITFALLS d14) ---- */

static void start_promising(uint32_t retries, uint32_t ack_timeout_ms) {
    start();
    space.retries = retries;
    space.ack_timeout_ms = ack_timeout_ms;
    begin();
}
/* And connected. */
static void connect_promising(uint32_t retries, uint32_t ack_timeout_ms) {
    start_promising(retries, ack_timeout_ms);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}\n.");
    EXPECT_STR(site_told(&s), "connected A\n");
}
/* Time passes, in which the server pings as it has announced. */
static void pass(uint32_t ms) {
    for (; ms > 100; ms -= 100) {
        wshub_io_fake_advance(s.fake, 100);
        play("< 2\n> 3");
    }
    wshub_io_fake_advance(s.fake, ms);
}

TEST(what_is_promised_is_said_one_after_the_other_until_it_is_answered) {
    connect_promising(2, 250);
    EXPECT_INT(emit("a", "1"), WSHUB_OK);
    EXPECT_INT(ask("b", "2", 150), WSHUB_OK);
    EXPECT_INT(emit("c", NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 3);
    play("> 420[\"a\",1]\n.");
    pass(250); /* the answer is late: the same bytes again, so that the server may know them */
    play("> 420[\"a\",1]\n.\n< 430[]\n> 421[\"b\",2]\n.");
    play("< 430[]\n.\n< 432[]\n."); /* twice, or to what was not said yet: passed over */
    EXPECT_INT(wshub_sio_socket_buffered(sock), 2);
    pass(150);
    play("> 421[\"b\",2]\n.");
    EXPECT_STR(site_told(&s), "");
    play("< 431[7]\n> 422[\"c\"]\n< 432[]\n.");
    EXPECT_STR(site_told(&s), "answer  7\n");
    EXPECT_INT(wshub_sio_socket_buffered(sock), 0);
    pass(2000);
    play(".");
    stop();
}

TEST(tries_are_used_up_and_the_next_one_follows) {
    connect_promising(1, 100);
    EXPECT_INT(ask("q", "1", 100), WSHUB_OK);
    EXPECT_INT(emit("silent", NULL), WSHUB_OK);
    EXPECT_INT(emit("last", NULL), WSHUB_OK);
    play("> 420[\"q\",1]\n.");
    pass(100);
    play("> 420[\"q\",1]\n.");
    EXPECT_STR(site_told(&s), "");
    pass(100); /* two tries in all */
    EXPECT_STR(site_told(&s), "answer operation has timed out\n");
    play("> 421[\"silent\"]");
    pass(100);
    play("> 421[\"silent\"]\n.");
    pass(100);
    play("> 422[\"last\"]\n< 432[]\n.");
    EXPECT_STR(site_told(&s), "");
    stop();
}

TEST(a_loss_is_a_failed_try_and_order_is_kept_over_it) {
    start_promising(1, 0);
    EXPECT_INT(emit("a", NULL), WSHUB_OK); /* before there is a connection */
    EXPECT_INT(ask("b", NULL, WSHUB_OFF), WSHUB_OK);
    EXPECT_INT(emit_as(sock, "v", NULL, WSHUB_PACKET_VOLATILE), WSHUB_ERR_STATE);
    wshub_io_fake_run(s.fake);
    wshub_io_fake_answer(s.fake, site_dialled(&s, NULL), false); /* no try */
    (void)site_told(&s);
    wshub_io_fake_advance(s.fake, last_delay);
    acts = "connected emit"; /* it comes behind what was promised */
    serve(OPEN_PACKET);
    play("> 40\n.\n< 40{\"sid\":\"A\"}\n> 420[\"a\"]\n.");
    (void)site_told(&s);
    lose();
    EXPECT_STR(site_told(&s), "disconnected transport close again\nreconnecting 1\n");
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"B\"}\n> 420[\"a\"]\n.\n< 430[]\n> 421[\"b\"]\n.");
    EXPECT_INT(emit_as(sock, "v", "1", WSHUB_PACKET_VOLATILE), WSHUB_OK); /* it does not queue up */
    play("> 42[\"v\",1]\n.");
    (void)site_told(&s);
    lose();
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"C\"}\n> 421[\"b\"]\n.");
    (void)site_told(&s);
    wshub_io_fake_end(s.fake, line); /* that was the last try */
    EXPECT_STR(site_told(&s), "answer socket has been disconnected\n"
                              "disconnected transport close again\nreconnecting 1\n");
    wshub_io_fake_advance(s.fake, last_delay);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"D\"}\n> 422[\"late\",0]\n.\n< 432[]\n.");
    stop();
}

TEST(what_is_promised_outlives_leaving_but_not_a_shutdown) {
    connect_promising(3, WSHUB_OFF);
    EXPECT_INT(ask("a", NULL, 1000), WSHUB_OK);
    EXPECT_INT(emit("b", NULL), WSHUB_OK);
    play("> 420[\"a\"]");
    EXPECT_INT(wshub_sio_socket_disconnect(sock), WSHUB_OK);
    play("> 41\n>|");
    EXPECT_INT(emit("c", NULL), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 20000); /* no try, and no clock */
    EXPECT_STR(site_told(&s), "disconnected io client disconnect\nclosed\n");
    EXPECT_INT(wshub_sio_socket_buffered(sock), 3);
    EXPECT_INT(wshub_sio_socket_connect(sock), WSHUB_OK);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"B\"}\n> 420[\"a\"]\n.");
    acts = "answer shutdown"; /* before the next one's answer */
    play("< 430[]\n> 421[\"b\"]\n> 41\n>|");
    EXPECT_STR(site_told(&s), "connected B\nanswer\n");
    EXPECT_INT(wshub_sio_socket_buffered(sock), 0);
    stop();
}

TEST(what_is_promised_has_limits_and_ends_with_its_socket) {
    static const char *const ends[] = {"answer destroy", "answer end", "answer disconnect"};
    size_t i;
    start();
    space.retries = 1;
    desc.buffer_bytes = 64; /* of each 15, and 16 around it */
    desc.asks_max = 2;
    begin();
    EXPECT_INT(emit("abcdef", "1"), WSHUB_OK);
    EXPECT_INT(emit("abcdef", "2"), WSHUB_OK);
    EXPECT_INT(emit("abcdef", "3"), WSHUB_ERR_LIMIT);
    EXPECT_INT(ask("abcdef", "3", 100), WSHUB_ERR_LIMIT);
    EXPECT_INT(emit("connect", "3"), WSHUB_ERR_LIMIT); /* asks_max */
    EXPECT_INT(wshub_sio_socket_buffered(sock), 2);
    stop();
    start();
    space.retries = 1;
    desc.buffer_bytes = 40;
    begin();
    EXPECT_INT(emit("abcdef", "1"), WSHUB_OK);
    EXPECT_INT(emit("abcdef", "2"), WSHUB_ERR_LIMIT); /* buffer_bytes */
    EXPECT_INT(emit("connect", NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(emit("e", "{"), WSHUB_ERR_JSON);
    stop();
    space.ack_timeout_ms = 86400001;
    EXPECT(wshub_sio_socket_desc_problem(&space) != NULL);
    for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        connect_promising(1, 100);
        EXPECT_INT(ask("a", NULL, 100), WSHUB_OK);
        EXPECT_INT(ask("b", NULL, 100), WSHUB_OK);
        play("> 420[\"a\"]");
        acts = ends[i];
        play("< 430[]");
        EXPECT(strncmp(s.told, "answer\n", 7) == 0 && !strstr(s.told + 7, "answer"));
        wshub_io_fake_advance(s.fake, 1000);
        stop();
    }
}

TEST(what_is_promised_waits_where_the_stream_takes_nothing) {
    static char big[400];
    wshub_io_fake_frame f;
    wshub_packet packet;
    wshub_span span;
    int i;
    connect_promising(5, 100);
    desc.ws.unsent_bytes_max = 300;
    wshub_io_fake_window(s.fake, line, 0);
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("b");
    packet.attachments = &span;
    packet.attachments_count = 1;
    span.ptr = (const uint8_t *)big;
    span.len = sizeof big;
    for (i = 0; i < 2; i++) EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_OK);
    wshub_io_fake_advance(s.fake,
                          100); /* the first is late, and there is no room to say it again */
    wshub_io_fake_advance(s.fake, 100);
    wshub_io_fake_window(s.fake, line, UINT64_MAX);
    wshub_io_fake_run(s.fake);
    for (i = 0; i < 2; i++) { /* so once more when there is, and no more than that */
        EXPECT(site_next(&s, line, &f) && f.opcode == 1 && f.payload.len == 10);
        EXPECT(site_next(&s, line, &f) && f.opcode == 2 && f.payload.len == sizeof big);
    }
    play(".\n< 430[]");
    EXPECT(site_next(&s, line, &f) && f.opcode == 1);
    EXPECT(site_next(&s, line, &f) && f.opcode == 2);
    play(".\n< 431[]\n.");
    EXPECT_INT(wshub_sio_socket_buffered(sock), 0);
    stop();
}

TEST(every_allocation_of_what_is_promised_may_fail) {
    uint64_t n;
    bool done = false;
    for (n = 1; n < 200 && !done; n++) {
        connect_promising(2, 100);
        s.fail_in = n;
        if (!ask("a", "1", 100)) {
            wshub_io_fake_advance(s.fake, 100); /* the second try */
            site_frame(&s, line, 0x81, "430[]", 5);
        }
        wshub_io_fake_run(s.fake);
        done = strcmp(s.told, "answer\n") == 0 && s.fail_in;
        s.fail_in = 0;
        (void)site_told(&s);
        stop();
    }
    EXPECT(done);
}

/* ---- recovery (3.5) ---- */

/* Between the Close of a server, or an order to drop, and the end of the stream nothing can be sent.
 * What is emitted then waits for the next connection, and nobody tries it again and again. */
TEST(what_is_emitted_while_its_stream_ends_is_kept_in_peace) {
    int dropped;
    for (dropped = 0; dropped < 2; dropped++) {
        connect_one();
        if (dropped) {
            wshub_io_fake_hold(s.fake, true);
            EXPECT_INT(wshub_ws_drop(s.pool, wshub_sio_client_ws(client)), WSHUB_OK);
        } else {
            site_frame(&s, line, 0x88, NULL, 0);
        }
        EXPECT_INT(emit("x", "1"), WSHUB_OK);
        wshub_io_fake_hold(s.fake, false);
        wshub_io_fake_run(s.fake);
        EXPECT_OP(wshub_io_fake_deadline(s.fake), >, wshub_io_fake_now(s.fake));
        wshub_io_fake_end(s.fake, line);
        EXPECT_STR(site_told(&s), "disconnected transport close again\nreconnecting 1\n");
        wshub_io_fake_advance(s.fake, last_delay);
        serve(OPEN_PACKET);
        play("> 40\n< 40{\"sid\":\"B\"}\n> 42[\"x\",1]\n.");
        stop();
    }
}

/* Who names no offset has heard nothing, and would hear all of it again: where the last argument
 * cannot be kept for one, it says a wrong one, or comes in as a new socket. */
TEST(what_has_come_is_not_brought_again_for_an_offset_that_is_lost) {
    static char event[600];
    wshub_io_fake_frame f;
    char said[100];
    uint64_t n;
    int i;
    connect_one();
    lose();
    serve(OPEN_PACKET);
    (void)site_told(&s);
    play("> 40\n< 40{\"sid\":\"A\",\"pid\":\"P\"}\n< 42[\"e\",1,\"o1\"]");
    (void)snprintf(event, sizeof event, "42[\"e\",\"%0300d\"]", 0);
    site_frame(&s, line, 0x81, event, strlen(event));
    wshub_io_fake_end(s.fake, line);
    wshub_io_fake_advance(s.fake, last_delay);
    serve(OPEN_PACKET);
    play("> 40{\"pid\":\"P\",\"offset\":\"\"}");
    stop();

    for (n = 1; n < 12; n++) {
        start();
        begin();
        serve(OPEN_PACKET);
        play("> 40\n< 40{\"sid\":\"A\",\"pid\":\"P\"}\n< 42[\"e\",1,\"o1\"]");
        s.fail_in = n;
        site_frame(&s, line, 0x81, "421[\"e\",2,\"o2\"]", 15);
        s.fail_in = 0;
        for (i = 0; i < 2 && wshub_sio_client_state_of(client) == WSHUB_SIO_CLIENT_OPEN; i++)
            wshub_io_fake_end(s.fake, line);
        wshub_io_fake_advance(s.fake, last_delay);
        serve(OPEN_PACKET);
        EXPECT(site_next(&s, line, &f));
        (void)snprintf(said, sizeof said, "%.*s", (int)f.payload.len, f.payload.ptr);
        EXPECT(strcmp(said, "40") == 0 || strstr(said, "offset") != NULL);
        stop();
    }
}

TEST(it_is_recovered_with_what_it_has_missed) {
    start();
    space.auth = "{\"a\":1}";
    begin();
    serve(OPEN_PACKET);
    play("> 40{\"a\":1}\n< 40{\"sid\":\"A\",\"pid\":\"P\"}\n< 42[\"e\",1,\"o1\"]\n< 42[\"e\",2]");
    (void)site_told(&s);
    lose();
    EXPECT_INT(emit("kept", NULL), WSHUB_OK);
    (void)site_told(&s);
    serve(OPEN_PACKET); /* what was missed comes first, and is told behind connected() */
    play("> 40{\"pid\":\"P\",\"offset\":\"o1\",\"a\":1}\n"
         "< 451-[\"e\",{\"_placeholder\":true,\"num\":0},\"o2\"]\n<< 07\n< 42[\"e\",4,\"o3\"]\n.");
    EXPECT_STR(site_told(&s), "");
    play("< 40{\"sid\":\"A\",\"pid\":\"P\"}\n> 42[\"kept\"]\n< 42[\"e\",5,\"o4\"]");
    EXPECT_STR(site_told(&s), "connected A again\nevent e <07> \"o2\"\nevent e 4 \"o3\"\n"
                              "event e 5 \"o4\"\n");
    lose();
    (void)site_told(&s);
    serve(OPEN_PACKET); /* the server has forgotten it: all is new */
    play("> 40{\"pid\":\"P\",\"offset\":\"o4\",\"a\":1}\n< 40{\"sid\":\"B\",\"pid\":\"Q\"}");
    EXPECT_STR(site_told(&s), "connected B\n");
    lose();
    (void)site_told(&s);
    serve(OPEN_PACKET);
    play("> 40{\"pid\":\"Q\",\"a\":1}\n< 40{\"sid\":\"C\"}");
    EXPECT_STR(site_told(&s), "connected C\n");
    (void)wshub_sio_socket_disconnect(sock);
    (void)wshub_sio_socket_connect(sock);
    serve(OPEN_PACKET); /* who has left is not recovered */
    play("> 40{\"a\":1}");
    stop();
}

TEST(what_comes_early_has_a_limit) {
    start();
    desc.early_bytes_max = 40;
    begin();
    serve(OPEN_PACKET);
    play("> 40\n< 42[\"e\"]\n< 42[\"a longer one\"]\n>|");
    EXPECT_STR(site_told(&s), "connect_error parse error again\nreconnecting 1\n");
    stop();
}

/* ---- the helper's flow (11) ---- */

static wshub_err rooms(bool join, const char *a, const char *b) {
    wshub_str names[2];
    names[0] = wshub_str_z(a);
    names[1] = wshub_str_z(b);
    return (join ? wshub_sio_socket_join : wshub_sio_socket_leave)(sock, names, b ? 2 : 1);
}

TEST(the_helpers_life) {
    start();
    space.helper = true;
    begin();
    EXPECT_INT(wshub_sio_socket_authenticate(sock), WSHUB_ERR_STATE);
    EXPECT_INT(rooms(true, "a", NULL), WSHUB_ERR_STATE);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}");
    EXPECT_INT(wshub_sio_socket_auth_of(sock), WSHUB_SIO_SOCKET_UNAUTHORIZED);
    EXPECT_INT(wshub_sio_socket_authenticate(sock), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_authenticate(sock), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_sio_socket_auth_of(sock), WSHUB_SIO_SOCKET_AUTHENTICATING);
    play("> 42[\"authenticate\"]\n< 42[\"authenticated\",{\"id\":\"A\"}]");
    EXPECT_STR(site_told(&s), "connected A\nauthenticated {\"id\":\"A\"}\n"
                              "event authenticated {\"id\":\"A\"}\n");
    EXPECT_INT(wshub_sio_socket_auth_of(sock), WSHUB_SIO_SOCKET_AUTHENTICATED);
    EXPECT_INT(rooms(true, "a", "b"), WSHUB_OK);
    EXPECT_INT(rooms(false, "a", NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_join(sock, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(rooms(true, "\xFF", NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(emit("nodata", "null"), WSHUB_OK);
    play("> 42[\"join\",{\"rooms\":[\"a\",\"b\"]}]\n> 42[\"leave\",{\"rooms\":[\"a\"]}]\n"
         "> 42[\"nodata\",null]");
    lose();
    (void)site_told(&s);
    EXPECT_INT(wshub_sio_socket_auth_of(sock), WSHUB_SIO_SOCKET_UNAUTHORIZED);
    serve(OPEN_PACKET); /* the application authenticates again, not we */
    play("> 40\n< 40{\"sid\":\"B\"}\n.");
    EXPECT_INT(wshub_sio_socket_authenticate(sock), WSHUB_OK);
    play("> 42[\"authenticate\"]\n< 42[\"unauthenticated\",{\"message\":\"no\"}]\n< 41");
    EXPECT_STR(site_told(&s), "connected B\nunauthenticated no\n"
                              "event unauthenticated {\"message\":\"no\"}\n"
                              "disconnected io server disconnect\n");
    stop();
}

TEST(it_authenticates_and_joins_again_by_itself) {
    start();
    space.helper = space.auto_auth = true;
    desc.buffer_bytes = 200;
    begin();
    EXPECT_INT(rooms(true, "a", "b\""), WSHUB_OK);
    EXPECT_INT(rooms(true, "a", "c"), WSHUB_OK);
    EXPECT_INT(rooms(false, "c", NULL), WSHUB_OK);
    EXPECT_INT(rooms(true,
                     "too long for what may be remembered: "
                     "0123456789012345678901234567890123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789012345678901234567890123456789"
                     "01234567890123456789012345678901234567890123456789",
                     NULL),
               WSHUB_ERR_LIMIT);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}\n> 42[\"authenticate\"]\n.\n< 42[\"authenticated\"]\n"
         "> 42[\"join\",{\"rooms\":[\"a\",\"b\\\"\"]}]\n.");
    lose();
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"B\"}\n> 42[\"authenticate\"]\n< 42[\"authenticated\"]\n"
         "> 42[\"join\",{\"rooms\":[\"a\",\"b\\\"\"]}]\n.");
    stop();
}

static void on_first(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    (void)event;
    say_line(of, "first", (const char *)user);
}
static void on_second(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    (void)user;
    say_line(of, "second", "");
    EXPECT_INT(wshub_sio_socket_unsubscribe(of, event->name, on_second), WSHUB_OK);
}
/* Who it is, and where it wants to be, is said by itself. Without the memory to say it, a server would
 * wait for it, or it would be in no room and believe to be: it is lost instead, and comes back. */
TEST(what_is_said_by_itself_is_said_or_it_comes_back) {
    static const char *const told[] = {"< 40{\"sid\":\"A\"}", "< 42[\"authenticated\"]"};
    wshub_io_fake_frame f;
    uint64_t nth;
    int which;
    bool done, said;
    for (which = 0; which < 2; which++) {
        for (nth = 1, done = false; !done; nth++) {
            start();
            space.helper = space.auto_auth = true;
            begin();
            EXPECT_INT(rooms(true, "a", NULL), WSHUB_OK);
            serve(OPEN_PACKET);
            play("> 40");
            if (which) play("< 40{\"sid\":\"A\"}\n> 42[\"authenticate\"]");
            s.fail_in = nth;
            play(told[which]);
            done = s.fail_in > 0;
            s.fail_in = 0;
            wshub_io_fake_run(s.fake);
            said = site_next(&s, line, &f);
            EXPECT_INT(wshub_sio_client_state_of(client),
                       said ? WSHUB_SIO_CLIENT_OPEN : WSHUB_SIO_CLIENT_WAITING);
            stop();
        }
        EXPECT_OP(nth, >, 2);
    }
}

/* Joining and leaving do all or nothing: what could not be said is not remembered otherwise. */
TEST(rooms_are_remembered_as_the_server_was_told) {
    uint64_t nth;
    int leaves;
    for (leaves = 0; leaves < 2; leaves++) {
        wshub_err err = WSHUB_ERR_NOMEM;
        for (nth = 1; err; nth++) {
            start();
            space.helper = space.auto_auth = true;
            begin();
            serve(OPEN_PACKET);
            play("> 40\n< 40{\"sid\":\"A\"}\n> 42[\"authenticate\"]\n< 42[\"authenticated\"]\n");
            if (leaves) EXPECT_INT(rooms(true, "a", "b"), WSHUB_OK);
            (void)site_told(&s);
            s.fail_in = nth;
            err = rooms(!leaves, "a", "b");
            s.fail_in = 0;
            EXPECT_INT(err, err ? WSHUB_ERR_NOMEM : WSHUB_OK);
            EXPECT_INT(sock->rooms != NULL, leaves ? err != 0 : err == 0);
            stop();
        }
        EXPECT_OP(nth, >, 2);
    }
}

TEST(events_have_handlers) {
    wshub_str many[2];
    static char one[] = "1", two[] = "2";
    connect_one();
    many[0] = wshub_str_z("e");
    many[1] = wshub_str_z("f");
    EXPECT_INT(wshub_sio_socket_subscribe_many(sock, many, 2, on_first, one, false), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_subscribe(sock, many[0], on_second, NULL, false), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_sio_socket_subscribe(sock, many[0], on_second, NULL, true), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_subscribe(sock, many[0], on_first, two, true), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_subscribe(sock, wshub_str_z(""), on_first, two, true),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_socket_subscribe(sock, many[0], NULL, two, true), WSHUB_ERR_PARAM);
    play("< 42[\"e\"]\n< 42[\"e\"]\n< 42[\"g\"]");
    EXPECT_STR(site_told(&s), "first 1\nsecond\nfirst 2\nevent e\nfirst 1\nfirst 2\nevent e\n"
                              "event g\n");
    EXPECT_INT(wshub_sio_socket_unsubscribe(sock, many[0], on_second), WSHUB_ERR_ABSENT);
    EXPECT_INT(wshub_sio_socket_unsubscribe_many(sock, many, 2, NULL), WSHUB_OK);
    play("< 42[\"f\"]");
    EXPECT_STR(site_told(&s), "event f\n");
    stop();
}

TEST(after_shutdown_nothing_is_told_until_it_connects_again) {
    connect_one();
    EXPECT_INT(wshub_sio_socket_subscribe(sock, wshub_str_z("e"), on_first, NULL, false), WSHUB_OK);
    EXPECT_INT(ask("q", NULL, 1000), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_shutdown(sock), WSHUB_OK);
    play("> 420[\"q\"]\n> 41\n>|");
    wshub_io_fake_advance(s.fake, 5000);
    EXPECT_STR(site_told(&s), "closed\n");
    EXPECT_INT(wshub_sio_socket_connect(sock), WSHUB_OK);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"B\"}\n< 42[\"e\"]");
    EXPECT_STR(site_told(&s), "connected B\nevent e\n");
    stop();
}

/* What is under way has memory of its own, which goes with the last of it. */
TEST(what_is_over_costs_nothing_any_more) {
    uint64_t before;
    start();
    begin();
    serve(OPEN_PACKET);
    play("> 40\n< 42[\"early\"]\n< 40{\"sid\":\"A\"}");
    EXPECT(!sock->work);
    EXPECT_INT(ask("q", "1", 100), WSHUB_OK);
    play("> 420[\"q\",1]\n< 430[]");
    EXPECT(!sock->work);
    before = s.bytes;
    EXPECT_INT(ask("q", "1", 100), WSHUB_OK);
    EXPECT(sock->work);
    play("> 421[\"q\",1]\n< 451-[\"e\",{\"_placeholder\":true,\"num\":0}]");
    EXPECT(client->partial);
    site_frame(&s, line, 0x82, "x", 1);
    EXPECT(!client->partial);
    EXPECT(sock->work);
    play("< 431[]");
    EXPECT(!sock->work);
    EXPECT_INT(s.bytes, before);
    (void)site_told(&s);
    stop();
}

TEST(a_client_is_small) {
    enum { MANY = 100 };
    static wshub_sio_client *many[MANY];
    wshub_sio_socket *of;
    uint64_t before;
    int i;
    start();
    space.no_connect = true;
    before = s.bytes;
    for (i = 0; i < MANY; i++) {
        EXPECT_INT(wshub_sio_client_create(s.pool, &desc, &s, &many[i]), WSHUB_OK);
        EXPECT_INT(wshub_sio_socket_create(many[i], &space, &s, &of), WSHUB_OK);
    }
    printf("  %d bytes each, without the WebSocket\n", (int)((s.bytes - before) / MANY));
    EXPECT_OP((s.bytes - before) / MANY, <=, 300);
    for (i = 0; i < MANY; i++) wshub_sio_client_destroy(many[i]);
    stop();
}
