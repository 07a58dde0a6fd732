/* Every callback may call every function (BYE-1): each of the callbacks does each of the calls,
 * about its own client and about another, on the hub's own stack, under the sanitizers and the
 * self-check. */
#include "hubtest.h"

enum {
    CB_AUTH,
    CB_HANDSHAKE,
    CB_JOIN,
    CB_MESSAGE,
    CB_BINARY,
    CB_OUT,
    CB_IN,
    CB_OPENED,
    CB_CONNECTED,
    CB_GOING,
    CB_GONE,
    CB_PRESSURE,
    CB_REQUEST,
    CB_UPGRADE,
    CB_BUS,
    CB_TIMER,
    CB_POST,
    CB_SHUTDOWN,
    CB_LOG,
    CB_COUNT
};

static int at_callback, do_call, busy, reached;
static char self_id[37], other_id[37];
static world w;
static wshub_bus_local *local;
static wshub_ask any_ask;
static wshub_conn wire, wire2;
static wshub_client parting; /* whom on_disconnecting or on_disconnected tells of */

static void nothing_timer(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}

#define CALLS 72
static void call(wshub *hub, int n, const char *id) {
    wshub_client c = {0}, o;
    wshub_msg m = msg("e", "1");
    wshub_dest d = {0};
    wshub_str s = wshub_str_z("room"), v;
    wshub_iter it = {0, 0};
    wshub_stats st;
    wshub_identity who;
    wshub_reply r;
    wshub_realm realm;
    wshub_about about;
    char text[32];
    uint8_t raw[3] = {1, 2, 3};
    int i;
    memset(&d, 0, sizeof d);
    memset(&who, 0, sizeof who);
    memset(&r, 0, sizeof r);
    r.status = 200;
    if (wshub_client_find(hub, wshub_str_z(id), &c)) c = parting;
    switch (n) {
    case 0:
        wshub_destroy(hub);
        w.hub = NULL;
        break;
    case 1: (void)wshub_shutdown(hub); break;
    case 2: (void)wshub_drain(hub, 5, 1001, s); break;
    case 3: EXPECT_INT(wshub_settle(hub), 0); break;
    case 4: (void)wshub_timer_start(hub, 1, nothing_timer, NULL, NULL); break;
    case 5: wshub_stats_get(hub, &st); break;
    case 6:
        while (wshub_client_each(hub, &it, &o)) (void)wshub_client_close(hub, o, 1000, s);
        break;
    case 7: (void)wshub_client_state(hub, c); break;
    case 8: (void)wshub_client_id(hub, c); break;
    case 9: (void)wshub_client_user_id(hub, c); break;
    case 10: (void)wshub_client_metadata(hub, c); break;
    case 11: (void)wshub_client_is_encrypted(hub, c); break;
    case 12: (void)wshub_client_queued_bytes(hub, c); break;
    case 13: (void)wshub_client_set_user_ptr(hub, c, NULL); break;
    case 14: (void)wshub_client_set_metadata(hub, c, wshub_str_z("[1]")); break;
    case 15: (void)wshub_client_peer(hub, c, text, sizeof text); break;
    case 16: (void)wshub_client_close(hub, c, 4000, s); break;
    case 17: (void)wshub_client_close(hub, c, 0, wshub_str_z("")); break;
    case 18: (void)wshub_client_encrypt(hub, c); break;
    case 19: (void)wshub_client_join(hub, c, s); break;
    case 20: (void)wshub_client_leave(hub, c, wshub_str_z("ws-default")); break;
    case 21: (void)wshub_client_leave(hub, c, wshub_str_z(id)); break;
    case 22:
        while (wshub_client_each_room(hub, c, &it, &v)) (void)wshub_client_leave(hub, c, v);
        break;
    case 23:
        while (wshub_room_each_member(hub, wshub_str_z("ws-default"), &it, &o))
            (void)wshub_client_close(hub, o, 1000, s);
        break;
    case 24:
        while (wshub_room_each(hub, &it, &v)) (void)wshub_room_count(hub, v);
        break;
    case 25:
        while (wshub_user_each(hub, &it, &v)) (void)wshub_user_count(hub, v);
        break;
    case 26: (void)wshub_client_send(hub, c, &m); break;
    case 27: (void)wshub_client_send_binary(hub, c, raw, 3); break;
    case 28: (void)wshub_user_send_here(hub, wshub_str_z("u"), &m); break;
    case 29: (void)wshub_room_send_here(hub, wshub_str_z("ws-default"), &m, NULL, 0); break;
    case 30: (void)wshub_all_send_here(hub, &m, NULL, 0); break;
    case 31: (void)wshub_send(hub, &d, &m); break;
    case 32:
        d.name = wshub_str_z(id);
        (void)wshub_send(hub, &d, &m);
        break;
    case 33: (void)wshub_auth_accept(hub, any_ask, &who); break;
    case 34: (void)wshub_ask_reject(hub, any_ask); break;
    case 35: (void)wshub_ask_fail(hub, any_ask); break;
    case 36: (void)wshub_join_accept(hub, any_ask, &s, 1); break;
    case 37: (void)wshub_transform_accept(hub, any_ask, &m); break;
    case 38: (void)wshub_handshake_accept(hub, any_ask, s, s); break;
    case 39: (void)wshub_http_reply(hub, (wshub_exchange){0}, &r); break;
    case 40: (void)wshub_post_close_id(hub, wshub_str_z(id), 1000, s); break;
    case 41: (void)wshub_post_send(hub, NULL, &m); break;
    case 42:
        for (i = 0; i < 200; i++) (void)wshub_all_send_here(hub, &m, NULL, 0);
        break;
    case 43:
        wshub_bus_local_set_down(local, true);
        wshub_bus_local_set_down(local, false);
        break;
    case 44: wshub_conn_closed(hub, wire); break; /* an io that reports from inside */
    case 45:
        wshub_conn_received(hub, wire2, (uint8_t *)text,
                            (size_t)snprintf(text, sizeof text, "\x81"));
        break;
    case 46: (void)wshub_client_in_room(hub, c, s); break;
    case 47: (void)wshub_client_is_pressured(hub, c); break;
    case 48: (void)wshub_client_user_ptr(hub, c); break;
    case 49:
        while (wshub_user_each_client(hub, wshub_str_z("u"), &it, &o))
            (void)wshub_client_close(hub, o, 1000, s);
        break;
    case 50: (void)wshub_timer_stop(hub, (wshub_timer){UINT64_C(1) << 32}); break;
    case 51: (void)wshub_post(hub, nothing_timer, NULL); break;
    case 52: (void)wshub_post_client_send(hub, c, &m); break;
    case 53: (void)wshub_post_close(hub, c, 1000, s); break;
    case 54: (void)wshub_post_auth_accept(hub, any_ask, &who); break;
    case 55: (void)wshub_post_handshake_accept(hub, any_ask, s, s); break;
    case 56: (void)wshub_post_join_accept(hub, any_ask, &s, 1); break;
    case 57: (void)wshub_post_transform_accept(hub, any_ask, &m); break;
    case 58: (void)wshub_post_ask_reject(hub, any_ask); break;
    case 59: (void)wshub_post_ask_fail(hub, any_ask); break;
    case 60: wshub_conn_drained(hub, wire); break;
    case 61: wshub_conn_sent(hub, wire, 5); break;
    case 62: EXPECT(wshub_server_id(hub).len == 36 && wshub_now_ms(hub) < UINT64_MAX); break;
    case 63: EXPECT(wshub_user(hub) == &w); break;
    case 64:
        (void)wshub_is_draining(hub);
        (void)wshub_is_down(hub);
        break;
    /* in walks anybody leaves */
    case 65:
        while (wshub_room_each_member(hub, wshub_str_z("ws-default"), &it, &o))
            (void)wshub_client_leave(hub, c, wshub_str_z("ws-default"));
        break;
    case 66:
        while (wshub_client_each(hub, &it, &o)) wshub_conn_closed(hub, wire);
        break;
    case 67:
        while (wshub_client_each_room(hub, c, &it, &v))
            (void)wshub_room_send_here(hub, v, &m, NULL, 0);
        break;
    case 68:
        if (wshub_realm_create(hub, &(wshub_realm_desc){.version = WSHUB_REALM_VERSION}, &realm))
            break;
        EXPECT(!wshub_client_each_in(hub, realm, &it, &o));
        EXPECT_INT(wshub_realm_destroy(hub, realm), WSHUB_OK);
        break;
    case 69:
        EXPECT_INT(wshub_realm_destroy(hub, wshub_client_realm(hub, c)), WSHUB_ERR_STATE);
        break;
    case 70: /* the room of the one it is about */
        while (wshub_client_each(hub, &it, &o)) (void)wshub_client_join(hub, o, wshub_str_z(id));
        break;
    case 71: (void)wshub_client_about(hub, c, &about); break;
    default: break;
    }
}

/* Memory that fails from an allocation on, for some of them, and the place where the call is
 * then done: in the first callback of any kind behind the first that failed (CB_ANY), or in the
 * line of the log of a number. */
enum { CB_ANY = 1000 };
static long allocations, fail_from, fail_count;
static int lines_seen, at_line;
static void *poor_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    if (new_bytes > old_bytes) {
        allocations++;
        if (fail_from && allocations >= fail_from && allocations < fail_from + fail_count)
            return NULL;
    }
    return world_alloc(user, ptr, old_bytes, new_bytes);
}

static void here(wshub *hub, int callback) {
    if (callback == CB_LOG && !busy) lines_seen++;
    if (busy || !w.hub) return;
    if (at_callback == CB_ANY ? !fail_from || allocations < fail_from || reached
                              : callback != at_callback)
        return;
    if (at_line && (lines_seen != at_line || reached)) return;
    busy = 1;
    reached = 1;
    call(hub, do_call % CALLS, do_call < CALLS ? self_id : other_id);
    busy = 0;
}

static void m_auth(wshub *hub, wshub_ask ask, const wshub_auth *a, void *user) {
    any_ask = ask;
    (void)snprintf(self_id, sizeof self_id, "%.*s", (int)a->id.len, a->id.ptr);
    here(hub, CB_AUTH);
    EXPECT_OP(a->data.len, >, 0); /* still readable */
    if (w.hub) (void)wshub_auth_accept(hub, ask, &(wshub_identity){.user_id = wshub_str_z("u")});
    (void)user;
}
static void m_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    any_ask = ask;
    here(hub, CB_HANDSHAKE);
    EXPECT_OP(h->data.len, >, 0);
    if (w.hub) (void)wshub_handshake_accept(hub, ask, wshub_str_z("k"), wshub_str_z("s"));
    (void)user;
}
static void m_join(wshub *hub, wshub_ask ask, const wshub_join *j, void *user) {
    any_ask = ask;
    here(hub, CB_JOIN);
    EXPECT(j->rooms[0].len == 1);
    if (w.hub) (void)wshub_join_accept(hub, ask, j->rooms, j->rooms_count);
    (void)user;
}
static wshub_err m_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    here(hub, CB_MESSAGE);
    EXPECT(e->event.len > 0 && memchr(e->event.ptr, 0, e->event.len) == NULL);
    (void)user;
    (void)c;
    return WSHUB_ERR_APP;
}
static wshub_err m_binary(wshub *hub, wshub_client c, const uint8_t *b, size_t n, void *user) {
    here(hub, CB_BINARY);
    EXPECT(n == 2 && b[0] == 7);
    (void)user;
    (void)c;
    return WSHUB_OK;
}
static void m_out(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    any_ask = ask;
    here(hub, CB_OUT);
    EXPECT_OP(e->event.len, >, 0);
    if (w.hub) (void)wshub_transform_accept(hub, ask, NULL);
    (void)user;
    (void)c;
}
static void m_in(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    any_ask = ask;
    here(hub, CB_IN);
    EXPECT_OP(e->event.len, >, 0);
    if (w.hub) (void)wshub_transform_accept(hub, ask, NULL);
    (void)user;
    (void)c;
}
static void m_opened(wshub *hub, wshub_client c, void *user) {
    (void)snprintf(self_id, sizeof self_id, "%.*s", (int)wshub_client_id(hub, c).len,
                   wshub_client_id(hub, c).ptr);
    here(hub, CB_OPENED);
    (void)user;
}
static wshub_err m_connected(wshub *hub, wshub_client c, void *user) {
    here(hub, CB_CONNECTED);
    (void)user;
    (void)c;
    return WSHUB_ERR_APP;
}
static void m_going(wshub *hub, const wshub_gone *g, void *user) {
    parting = g->client;
    here(hub, CB_GOING);
    EXPECT(wshub_str_eq(wshub_client_id(hub, g->client), g->id)); /* whatever was done */
    (void)user;
}
static void m_gone(wshub *hub, const wshub_gone *g, void *user) {
    EXPECT(!wshub_client_id(hub, g->client).ptr);
    here(hub, CB_GONE);
    EXPECT(g->id.len == 36);
    (void)user;
}
static void m_pressure(wshub *hub, wshub_client c, wshub_pressure p, size_t n, void *user) {
    here(hub, CB_PRESSURE);
    (void)user;
    (void)c;
    (void)p;
    (void)n;
}
static bool m_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    wshub_reply reply;
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    here(hub, CB_REQUEST);
    EXPECT_OP(h->path.len, >, 0);
    if (w.hub) (void)wshub_http_reply(hub, r, &reply);
    (void)user;
    return true;
}
static void m_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *u, void *user) {
    here(hub, CB_UPGRADE);
    EXPECT(h->path.len > 0 && u->protocol == -1);
    (void)user;
}
static void m_bus(wshub *hub, wshub_bus_state s, uint64_t ms, void *user) {
    here(hub, CB_BUS);
    (void)user;
    (void)s;
    (void)ms;
}
static void m_shutdown(wshub *hub, void *user) {
    here(hub, CB_SHUTDOWN);
    (void)user;
}
static void m_log(wshub *hub, const wshub_log *l, void *user) {
    here(hub, CB_LOG);
    EXPECT(l->text[0]);
    (void)user;
}
static void m_timer(wshub *hub, void *arg) {
    (void)arg;
    here(hub, CB_TIMER);
}
static void m_post(wshub *hub, void *arg) {
    (void)arg;
    here(hub, CB_POST);
}

/* A session that reaches every callback. */
static void session(void) {
    wshub_bus bus;
    wshub *kept;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    busy = 1;
    world_start(&w,
                DESC(.bus = &bus, .require_encryption = true, .backpressure_bytes_max = 3000,
                     .on_authenticate = m_auth, .on_handshake = m_handshake, .on_join = m_join,
                     .on_message = m_message, .on_binary = m_binary, .on_transform_out = m_out,
                     .on_transform_in = m_in, .on_opened = m_opened, .on_connected = m_connected,
                     .on_disconnecting = m_going, .on_disconnected = m_gone,
                     .on_pressure = m_pressure, .on_request = m_request, .on_upgrade = m_upgrade,
                     .on_bus = m_bus, .on_shutdown = m_shutdown, .on_log = m_log),
                FAKE(0));
    kept = w.hub;
    w.hub->mem.fn = poor_alloc;
    allocations = lines_seen = 0;
    wire2 = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, wire2, "{\"event\":\"authenticate\"}");
    memcpy(other_id, self_id, sizeof other_id);
    busy = 0;
    {
        wshub_conn h = wshub_io_fake_open(w.net);
        wshub_io_fake_input(
            w.net, h, "GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n", 56);
    }
#define ALIVE if (w.hub)
    ALIVE wire = wshub_io_fake_connect(w.net, "/ws");
    ALIVE wshub_io_fake_text(w.net, wire, "{\"event\":\"authenticate\",\"data\":1}");
    ALIVE wshub_io_fake_text(w.net, wire,
                             "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\"]}}");
    ALIVE wshub_io_fake_text(w.net, wire, "{\"event\":\"m\\u0065\",\"data\":1}");
    ALIVE wshub_io_fake_send(w.net, wire, 1, false, "{\"event\":", 9);
    ALIVE wshub_io_fake_send(w.net, wire, 0, true, "\"fragments\"}", 12);
    ALIVE wshub_io_fake_send(w.net, wire, 2, true, "\7\7", 2);
    ALIVE wshub_io_fake_text(w.net, wire, "bad");
    ALIVE(void) wshub_timer_start(w.hub, 0, m_timer, NULL, NULL);
    ALIVE(void) wshub_post(w.hub, m_post, NULL);
    ALIVE wshub_io_fake_run(w.net);
    ALIVE {
        wshub_msg m = msg("e", "\"0123456789\"");
        int i;
        wshub_io_fake_window(w.net, wire, 10);
        for (i = 0; i < 100; i++) {
            ALIVE(void) wshub_all_send_here(w.hub, &m, NULL, 0);
        }
        ALIVE wshub_io_fake_run(w.net);
        ALIVE wshub_io_fake_window(w.net, wire, UINT64_MAX);
    }
    ALIVE wshub_bus_local_set_down(local, true);
    ALIVE wshub_io_fake_run(w.net);
    ALIVE wshub_bus_local_set_down(local, false);
    ALIVE wshub_io_fake_run(w.net);
    ALIVE wshub_io_fake_end(w.net, wire);
    ALIVE(void) wshub_shutdown(w.hub);
    ALIVE wshub_io_fake_advance(w.net, 20000);
    kept = w.hub;
    busy = 1;
    w.hub = NULL;
    wshub_destroy(kept);
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
    wshub_bus_local_destroy(local);
}

TEST(every_callback_may_call_every_function) {
    int pairs = 0;
    for (at_callback = 0; at_callback < CB_COUNT; at_callback++) {
        for (do_call = 0; do_call < 2 * CALLS; do_call++) {
            int before = test_failures;
            reached = 0;
            session();
            EXPECT(reached);
            pairs++;
            if (test_failures > before)
                (void)printf("  callback %d, call %d\n", at_callback, do_call);
        }
    }
    (void)printf("  %d pairs of callback and call\n", pairs);
}

/* on_log is called where nothing is half done, whichever line it is: each call, in each line. */
TEST(every_line_may_call_every_function) {
    int pairs = 0, line;
    at_callback = CB_LOG;
    for (line = 1; line < 100; line++) {
        for (do_call = 0; do_call < 2 * CALLS; do_call++) {
            int before = test_failures;
            reached = 0;
            at_line = line;
            session();
            if (!reached) break;
            pairs++;
            if (test_failures > before) (void)printf("  line %d, call %d\n", line, do_call);
        }
        if (!reached) break;
    }
    at_line = 0;
    EXPECT_OP(line, >, 5);
    (void)printf("  %d pairs of line and call\n", pairs);
}

/* The callbacks that want of memory brings about, wherever it is wanted: each allocation of the
 * session fails, by itself and with those behind it; whatever is called next makes a call,
 * another each time (all of them with WSHUB_OOM_ALL). */
TEST(every_callback_for_want_of_memory_may_call_every_function) {
    static const long counts[] = {1, 3, 20, 100000};
    bool all = getenv("WSHUB_OOM_ALL") != NULL;
    int pairs = 0, k, turn = 0;
    long most = 0;
    at_callback = CB_ANY;
    for (k = 0; k < 4; k++) {
        fail_count = counts[k];
        for (fail_from = 1;; fail_from += (long)test_stride(3)) {
            int tried = 0, before = test_failures;
            do {
                reached = 0;
                do_call = turn++ % (2 * CALLS);
                session();
                pairs += reached;
                if (allocations > most) most = allocations;
                if (test_failures > before)
                    (void)printf("  allocation %ld, %ld of them, call %d\n", fail_from, fail_count,
                                 do_call);
            } while (++tried < (all ? 2 * CALLS : 2));
            if (fail_from > 1000 || (k == 0 ? allocations < fail_from : fail_from > most)) break;
        }
    }
    fail_from = fail_count = 0;
    EXPECT_OP(pairs, >, 300);
    (void)printf("  %d pairs of allocation and call, %ld allocations\n", pairs, most);
}
