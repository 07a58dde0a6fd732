/* How a session of Engine.IO (wshub_dialect_engineio.h) moves to a WebSocket, or does not. */

#include "eio_site.h"

static eio_site s;

TEST(a_session_moves_to_a_websocket_with_all_that_waits) { /* 2.6, PITFALLS e1, e2 */
    wshub_io_fake_frame f;
    wshub_conn c, p, u;
    int i;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    u = eio_socket(&s, EIO_UP);
    EXPECT_SILENCE(&s.w, u);
    wshub_io_fake_text(s.w.net, u, "2probe");
    EXPECT_TEXT(&s.w, u, "3probe");
    for (i = 0; i < 3; i++) { /* every poll that comes is let go */
        EXPECT_HELD(&s, p);
        wshub_io_fake_advance(s.w.net, 100);
        EXPECT_ANSWER(&s, p, 200, "6");
        if (i < 2) eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    }
    EXPECT_INT(wshub_eio_transport_of(s.eio, s.last), WSHUB_EIO_POLLING);

    /* What waits goes along, in order, as frames. */
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "one", 3, true), WSHUB_OK);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "\1\2\3\4", 4, false), WSHUB_OK);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "", 0, true), WSHUB_OK);
    wshub_io_fake_text(s.w.net, u, "5");
    EXPECT_TEXT(&s.w, u, "4one");
    EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 2 &&
           wshub_str_eq_z(f.payload, "\1\2\3\4"));
    EXPECT_TEXT(&s.w, u, "4");
    EXPECT_SILENCE(&s.w, u);
    EXPECT_INT(wshub_eio_transport_of(s.eio, s.last), WSHUB_EIO_WEBSOCKET);
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 400, "{\"code\":3,\"message\":\"Bad request\"}");
    wshub_io_fake_text(s.w.net, u, "4there");
    EXPECT_TEXT(&s.w, u, "4there");

    /* A second WebSocket of the same session is none. */
    p = eio_socket(&s, EIO_UP);
    EXPECT(wshub_io_fake_next(s.w.net, p, &f) && f.opcode == 8);
    EXPECT_STR(s.reasons, "");

    /* The heartbeat begins anew. */
    wshub_io_fake_advance(s.w.net, 400);
    EXPECT_TEXT(&s.w, u, "2");
    eio_stop(&s);
    EXPECT_STR(s.reasons, "server shutting down;");
}

TEST(an_upgrade_that_comes_to_nothing_leaves_its_session_polling) { /* 2.6 */
    int way;
    for (way = 0; way < 6; way++) {
        wshub_io_fake_frame f;
        wshub_conn c, p, u;
        eio_start(&s, EIO(.ping_interval_ms = 5000), DESC(0), FAKE(0));
        c = eio_open(&s);
        p = wshub_io_fake_open(s.w.net);
        eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
        u = eio_socket(&s, EIO_UP);
        if (way & 1) {
            wshub_io_fake_text(s.w.net, u, "2probe");
            EXPECT_TEXT(&s.w, u, "3probe");
        }
        if (way / 2 == 0) wshub_io_fake_text(s.w.net, u, "4early");
        if (way / 2 == 1) wshub_io_fake_end(s.w.net, u);
        if (way / 2 == 2) {
            wshub_io_fake_advance(s.w.net, 499);
            EXPECT_SILENCE(&s.w, u);
            wshub_io_fake_advance(s.w.net, 1);
        }
        wshub_io_fake_run(s.w.net);
        if (way / 2 != 1) EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 8);
        if (eio_look(&s, p).status) { /* the tick has let it go */
            EXPECT_ANSWER(&s, p, 200, "6");
            eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
        }
        wshub_io_fake_advance(s.w.net, 300);
        EXPECT_HELD(&s, p); /* no tick goes on */
        eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4goes on");
        EXPECT_ANSWER(&s, p, 200, "4goes on");
        EXPECT_STR(s.reasons, "");
        u = eio_socket(&s, EIO_UP); /* and may try again; without a probe, too */
        wshub_io_fake_text(s.w.net, u, "5");
        EXPECT_INT(wshub_eio_transport_of(s.eio, s.last), WSHUB_EIO_WEBSOCKET);
        eio_stop(&s);
    }
}

TEST(a_poll_that_is_held_when_its_session_moves_is_let_go) { /* 2.6 */
    wshub_conn p, u;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    (void)eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    u = eio_socket(&s, EIO_UP);
    wshub_io_fake_text(s.w.net, u, "5");
    EXPECT_ANSWER(&s, p, 200, "6");
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "x", 1, true), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXT(&s.w, u, "4x");
    eio_stop(&s);
}

TEST(a_session_that_ends_while_it_moves_ends_both) { /* 2.6 */
    wshub_io_fake_frame f;
    int way;
    for (way = 0; way < 3; way++) {
        wshub_conn c, u;
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = eio_open(&s);
        u = eio_socket(&s, EIO_UP);
        wshub_io_fake_text(s.w.net, u, "2probe");
        EXPECT_TEXT(&s.w, u, "3probe");
        if (way == 0) eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "1");
        if (way == 1) EXPECT_INT(wshub_eio_close(s.eio, s.last), WSHUB_OK);
        if (way == 2) wshub_eio_shutdown(s.eio);
        wshub_io_fake_run(s.w.net);
        EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 8);
        EXPECT_INT(s.closed, 1);
        wshub_io_fake_advance(s.w.net, 1000); /* no clock of it is left */
        eio_stop(&s);
    }
}
