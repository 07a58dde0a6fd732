/* What is counted when clients come and questions are answered (AUTH-4, AUTH-5, AUTH-7,
 * ROOM-2). */
#include "hubtest.h"

static char first_id[37];
static wshub_err connected_says;
static wshub_err on_connected(wshub *hub, wshub_client c, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    return connected_says;
}

TEST(what_is_counted_when_a_client_comes) { /* AUTH-7: a failure is logged only */
    int i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        connected_says = i ? WSHUB_ERR_APP : WSHUB_OK;
        world_start(&w, DESC(.on_authenticate = accept_all, .on_connected = on_connected), FAKE(0));
        c = world_client(&w, "u", first_id);
        EXPECT(wshub_io_fake_is_open(w.net, c) &&
               wshub_client_state(w.hub, world_handle(&w, first_id)) == WSHUB_CLIENT_AUTHENTICATED);
        EXPECT_INT(stats(&w).app_failures, i);
        EXPECT_INT(stats(&w).messages_out, 1);
        EXPECT_INT(stats(&w).messages_in, 1);
        EXPECT_INT(stats(&w).auth_accepted, 1);
        EXPECT_INT(stats(&w).authenticated, 1);
        EXPECT_INT(stats(&w).upgrades, 1);
        EXPECT_INT(stats(&w).http_requests, 1);
        EXPECT_INT(stats(&w).conns_opened, 1);
        world_stop(&w);
    }
}

TEST(what_is_counted_when_questions_are_answered) { /* AUTH-4, AUTH-5, ROOM-2 */
    static const struct {
        int asked;
        bool handshake, failed;
        uint64_t rejected, failures, app_failures, joins;
    } t[] = {
        {1, false, false, 1, 0, 0, 0}, {1, false, true, 0, 1, 0, 0},  {2, true, false, 1, 0, 0, 0},
        {2, true, true, 0, 1, 0, 0},   {3, false, false, 0, 0, 0, 1}, {3, false, true, 0, 0, 1, 1},
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        wshub_conn c;
        wshub_str reason = S("123456789 123456789 123456789 123456789 123456789 123456789 "
                             "123456789 123456789 123456789 123456789 123456789 123456789 123");
        world_start(&w,
                    DESC(.on_authenticate = keep_auth, .on_handshake = keep_handshake,
                         .on_join = keep_join, .on_transform_out = keep_event,
                         .require_encryption = t[i].handshake),
                    FAKE(0));
        kept_asks_count = 0;
        c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        if (t[i].asked > 1) EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
        if (t[i].asked > 2) {
            wshub_io_fake_run(w.net);
            wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
        }
        EXPECT_INT(kept_asks_count, t[i].asked == 1 ? 1 : 2);
        EXPECT_INT((t[i].failed ? wshub_ask_fail
                                : wshub_ask_reject)(w.hub, kept_asks[kept_asks_count - 1]),
                   WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(stats(&w).auth_rejected, t[i].rejected);
        EXPECT_INT(stats(&w).auth_failed, t[i].failures);
        EXPECT_INT(stats(&w).app_failures, t[i].app_failures);
        EXPECT_INT(stats(&w).joins_refused, t[i].joins);
        EXPECT_INT(stats(&w).auth_accepted, t[i].asked == 3);
        if (t[i].asked == 3) { /* he stays, and may be told why he goes in 123 bytes */
            wshub_iter it;
            wshub_client client;
            memset(&it, 0, sizeof it);
            EXPECT(wshub_client_each(w.hub, &it, &client));
            EXPECT_INT(wshub_client_close(w.hub, client, 1000, wshub__str(reason.ptr, 124)),
                       WSHUB_ERR_PARAM);
            EXPECT_INT(wshub_client_close(w.hub, client, 1000, reason), WSHUB_OK);
        }
        world_stop(&w);
    }
}
