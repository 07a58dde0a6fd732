/* The application's side: the bytes choose which function is called with which arguments, good
 * and bad, outside and inside callbacks, on two hubs that a local bus joins and an emitter
 * beside them, and which hand requests over to each other; and what peers, memory and time do meanwhile. After every step all indexes agree
 * with themselves; at the end nothing is held. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 3
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_fake.h"

static const uint8_t *in;
static size_t left;
static uint8_t take(void) {
    if (!left) return 0;
    left--;
    return *in++;
}
static uint32_t pick(uint32_t n) {
    return take() % n;
}

static struct {
    wshub *hub;
    wshub_io_fake *net;
    wshub_conn conns[6];
    bool endless; /* silence may last */
} side[2];
static wshub_ask asks[16];
static wshub_exchange requests[4];
static wshub_timer timers[4];
static wshub_client clients[16];
static wshub_bus_local *local;
static wshub_emitter *emitter;
static size_t held;
static long fail_in; /* the so-manieth allocation fails; < 0: all do */
static int depth;
static bool crossed; /* a request was handed over, and what waits may wait for the other hub */

static void *alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    if (new_bytes == 0) {
        held -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (fail_in < 0 || (fail_in && --fail_in == 0)) return NULL;
    p = malloc(new_bytes);
    MUST(p);
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    held += new_bytes;
    held -= old_bytes;
    return p;
}
static void check(void) {
    int i;
    for (i = 0; i < 2; i++) {
        if (side[i].hub && depth == 0) MUST(wshub_self_check(side[i].hub) == NULL);
    }
}

static char ids[4][37], long_text[6000];
static wshub_str name(void) {
    /* clang-format off */
    static const char *const names[] = {
        "a", "b", "ws-default", "u", "\xE6\xBC\xA2", "", "\xFF", "ws:x", "a\r\nb*", "name",
    };
    /* clang-format on */
    uint32_t k = pick(16);
    if (k < 10) return wshub_str_z(names[k]);
    if (k < 14) return wshub_str_z(ids[k - 10]);
    return wshub__str(k == 14 ? NULL : long_text, k == 14 ? 0 : 4097);
}
static wshub_str json(void) {
    /* clang-format off */
    static const char *const texts[] = {
        "1", "{\"a\":[1,2,{\"b\":null}]}", "\"text\"", "[]", "{", "", "\"\xFF\"",
        "[[[[[[[[[[[[1]]]]]]]]]]]]", "\"\\uD83D\\uDE00\"",
    };
    /* clang-format on */
    uint32_t k = pick(12);
    if (k < 9) return wshub_str_z(texts[k]);
    if (k == 9) return wshub__str(NULL, 0);
    long_text[0] = long_text[5999] = '"';
    return wshub__str(long_text, 6000);
}
static wshub_msg message(void) {
    wshub_msg m;
    m.event = name();
    m.data = json();
    /* who says so must be right */
    m.data_is_json = m.data.len && wshub_json_check(m.data, 0) && pick(2);
    return m;
}
static wshub_str some[40];
static size_t list(void) {
    size_t n = pick(8) == 7 ? 33 + pick(7) : pick(4), i;
    for (i = 0; i < n; i++) some[i] = name();
    return n;
}
static wshub_dest dest(void) {
    wshub_dest d = {0};
    d.kind = (wshub_dest_kind)pick(6);
    d.name = name();
    d.exclude_count = list();
    d.exclude = pick(8) ? some : NULL;
    return d;
}
static wshub_client client(wshub *hub) {
    wshub_client c = clients[pick(16)], found;
    if (pick(2) && wshub_client_find(hub, wshub_str_z(ids[pick(4)]), &found) == WSHUB_OK) c = found;
    return c;
}
static void act(wshub *hub);
static void peer_act(int i);
static void maybe(wshub *hub) {
    if (++depth < 6) {
        while (pick(3) == 2 && left) act(hub);
    }
    depth--;
}
static void keep(wshub_ask ask) {
    asks[pick(16)] = ask;
}

static void on_auth(wshub *hub, wshub_ask ask, const wshub_auth *a, void *user) {
    (void)user;
    clients[pick(16)] = a->client;
    memcpy(ids[pick(4)], a->id.ptr, 36);
    keep(ask);
    if (pick(3)) {
        wshub_identity who;
        who.user_id = name();
        who.metadata = json();
        if (wshub_auth_accept(hub, ask, pick(2) ? &who : NULL) == WSHUB_ERR_JSON)
            (void)wshub_auth_accept(hub, ask, NULL);
    }
    maybe(hub);
}
static void on_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)user;
    (void)h;
    keep(ask);
    if (pick(2)) (void)wshub_handshake_accept(hub, ask, name(), name());
    maybe(hub);
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *j, void *user) {
    (void)user;
    keep(ask);
    if (pick(3)) (void)wshub_join_accept(hub, ask, j->rooms, j->rooms_count);
    maybe(hub);
}
static wshub_err on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)user;
    (void)e;
    clients[pick(16)] = c;
    maybe(hub);
    return pick(8) ? WSHUB_OK : WSHUB_ERR_APP;
}
static wshub_err on_binary(wshub *hub, wshub_client c, const uint8_t *b, size_t n, void *user) {
    (void)user;
    (void)b;
    (void)n;
    (void)c;
    maybe(hub);
    return pick(4) ? WSHUB_OK : WSHUB_ERR_APP;
}
static void on_transform(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                         void *user) {
    (void)user;
    (void)c;
    (void)e;
    keep(ask);
    if (pick(2)) {
        wshub_msg m = message();
        (void)wshub_transform_accept(hub, ask, pick(2) ? &m : NULL);
    }
    maybe(hub);
}
static void on_client(wshub *hub, wshub_client c, void *user) {
    (void)user;
    clients[pick(16)] = c;
    maybe(hub);
}
static wshub_err on_connected(wshub *hub, wshub_client c, void *user) {
    on_client(hub, c, user);
    if (pick(2)) (void)wshub_client_encrypt(hub, c);
    return pick(8) ? WSHUB_OK : WSHUB_ERR_APP;
}
static void on_gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)user;
    clients[pick(16)] = g->client;
    maybe(hub);
}
static void on_pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t queued,
                        void *user) {
    (void)user;
    (void)what;
    (void)queued;
    (void)c;
    maybe(hub);
}
/* To the other hub mostly, which may not be there; or to itself, which is refused. */
static void hand_over(wshub *hub, wshub_exchange r, bool itself) {
    wshub *to = itself ? hub : side[hub == side[0].hub].hub;
    wshub_err err = wshub_http_forward(hub, r, to);
    MUST(err != WSHUB_OK || (to && to != hub));
    if (!err) crossed = true;
}
static bool on_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    uint8_t what;
    (void)user;
    (void)wshub_http_header(h, "Host");
    requests[pick(4)] = r;
    maybe(hub);
    what = take();
    if (what >= 192) hand_over(hub, r, what == 192);
    return what % 4 != 0;
}
static void on_drained(wshub *hub, wshub_exchange r, void *owner) {
    (void)owner;
    requests[pick(4)] = r;
    maybe(hub);
}
static void on_exchange_gone(wshub *hub, wshub_exchange r, wshub_cause cause, void *owner) {
    (void)owner;
    MUST(wshub_http_end(hub, r) == WSHUB_ERR_STALE && cause);
    maybe(hub);
}
/* A handshake is granted, to somebody it may be known who (AUTH-8). */
static void grant(wshub *hub, wshub_exchange r) {
    wshub_identity who;
    wshub_upgrade_answer a;
    wshub_header h;
    memset(&a, 0, sizeof a);
    who.user_id = name();
    who.metadata = pick(2) ? json() : wshub__str(NULL, 0);
    if (pick(4)) a.identity = &who;
    h.name = wshub_str_z("X-A");
    h.value = wshub_str_z("1");
    if (pick(2)) {
        a.headers = &h;
        a.headers_count = 1;
    }
    (void)wshub_http_upgrade(hub, r, pick(8) ? &a : NULL, NULL);
}
static void on_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    static const int refuse[] = {0, 0, 0, 0, 403, 399, 600, 503};
    uint32_t way = pick(8);
    (void)user;
    (void)h;
    up->refuse = refuse[way];
    up->protocol = (int)pick(4) - 1;
    if (way == 1) grant(hub, up->exchange);
    if (way == 2) {
        up->later = true;
        requests[pick(4)] = up->exchange;
    }
    maybe(hub);
}
static void on_bus(wshub *hub, wshub_bus_state s, uint64_t ms, void *user) {
    (void)user;
    (void)s;
    (void)ms;
    maybe(hub);
}
static void on_shutdown(wshub *hub, void *user) {
    (void)user;
    maybe(hub);
}
static void on_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    MUST(strlen(l->text) <= 128 && wshub_log_name(l->code)[0] != '?');
}
static void on_time(wshub *hub, void *arg) {
    (void)arg;
    maybe(hub);
}

static const char *const any_page[] = {"*"};

static void start(int i) {
    wshub_io_fake_desc fd;
    wshub_desc d;
    wshub_bus bus;
    uint8_t a = take(), b = take(), c = take();
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    fd.cut_bytes = a & 1 ? 1 + (a >> 1 & 7) : 0;
    fd.take_bytes = a & 16 ? 1 + (a >> 5) : 0;
    fd.completion = b & 1;
    fd.no_pause = b & 2;
    MUST(wshub_io_fake_create(&fd, &side[i].net) == WSHUB_OK);
    d.io = wshub_io_fake_io(side[i].net);
    d.alloc = alloc;
    if (!(b & 4)) d.on_authenticate = on_auth;
    if (b & 8) d.require_encryption = true;
    if (b & 16) d.on_handshake = on_handshake;
    if (b & 32) d.on_transform_out = on_transform;
    if (b & 64) d.on_transform_in = on_transform;
    if (b & 128) d.bus_exact = true;
    if (c & 1) d.on_binary = on_binary;
    if (c & 2) d.close_on_backpressure = true;
    if (c & 4) d.backpressure_bytes_max = c & 8 ? 300 : WSHUB_OFF;
    if (c & 16) d.segment_bytes_max = 100000;
    if (c & 32) d.no_pings = true;
    if (c & 64)
        d.write_timeout_ms = d.heartbeat_timeout_ms = d.idle_timeout_ms = d.bus_queue_ms_max =
            d.bus_linger_ms = WSHUB_OFF;
    if (c & 128) d.bus_any_channel = true;
    side[i].endless = (c & 64) != 0;
    d.on_join = on_join;
    d.on_message = on_message;
    d.on_opened = on_client;
    d.on_connected = on_connected;
    d.on_disconnected = on_gone;
    d.on_pressure = on_pressure;
    d.on_request = on_request;
    d.on_exchange_drained = on_drained;
    d.on_exchange_gone = on_exchange_gone;
    d.on_upgrade = on_upgrade;
    if (i == 0) { /* where there is no list nobody is accepted at the upgrade */
        d.allowed_origins = any_page;
        d.allowed_origins_count = 1;
    }
    d.on_bus = on_bus;
    d.on_shutdown = on_shutdown;
    d.on_log = on_log;
    d.payload_bytes_max = 2000;
    d.rooms_max = 6;
    d.users_max = 3;
    d.clients_max = 5;
    d.rooms_per_client_max = 5;
    d.rooms_per_message_max = 4;
    d.asks_per_client_max = 2;
    d.encrypted_batch_max = 2;
    d.post_bytes_max = 5000;
    d.bus_queue_bytes_max = 1000;
    /* one message after the other is given up, so that all are within the time below */
    d.transform_timeout_ms = 1000;
    d.http_answers_bytes_max = 3000;
    d.http_body_bytes_max = 100;
    if (local && wshub_bus_local_seat(local, &bus) == WSHUB_OK)
        d.bus = &bus;
    else
        d.bus_exact = d.bus_any_channel = false; /* they need one */
    if (wshub_create(&d, &side[i].hub)) side[i].hub = NULL;
    MUST(!wshub_desc_problem(&d));
    wshub_io_fake_run(side[i].net);
}
static void stop(int i) {
    wshub *hub = side[i].hub;
    side[i].hub = NULL;
    wshub_destroy(hub);
    wshub_io_fake_destroy(side[i].net);
    side[i].net = NULL;
    memset(side[i].conns, 0, sizeof side[i].conns);
}

/* What an application may do anywhere, on a hub that is there. */
static void act(wshub *hub) {
    wshub_client c = client(hub);
    wshub_ask ask = asks[pick(16)];
    wshub_str s = name(), v;
    wshub_msg m = message();
    wshub_dest d = {0};
    wshub_iter it;
    wshub_identity who;
    wshub_reply r;
    wshub_header h;
    wshub_stats stats;
    char peer[20];
    size_t n;
    static const uint16_t codes[] = {0, 1000, 1001, 1005, 1006, 1012, 3000, 4999, 5000, 65535};
    uint16_t code = codes[pick(10)];
    memset(&it, 0, sizeof it);
    switch (pick(53)) {
    case 0: (void)wshub_client_send(hub, c, &m); break;
    case 1:
        (void)wshub_client_send_binary(hub, c, (const uint8_t *)long_text, pick(4) * 1500);
        break;
    case 2: (void)wshub_user_send_here(hub, s, &m); break;
    case 3:
        n = list();
        (void)wshub_room_send_here(hub, s, &m, pick(8) ? some : NULL, n);
        break;
    case 4:
        n = list();
        (void)wshub_all_send_here(hub, &m, some, n);
        break;
    case 5:
    case 6:
        d = dest();
        (void)wshub_send(hub, pick(8) ? &d : NULL, pick(16) ? &m : NULL);
        break;
    case 7: (void)wshub_client_close(hub, c, code, s); break;
    case 8: (void)wshub_client_encrypt(hub, c); break;
    case 9:
    case 10: (void)wshub_client_join(hub, c, s); break;
    case 11: (void)wshub_client_leave(hub, c, s); break;
    case 12:
        (void)wshub_client_in_room(hub, c, s);
        (void)wshub_client_peer(hub, c, peer, pick(21));
        break;
    case 13:
        while (wshub_client_each_room(hub, c, &it, &v))
            if (pick(2)) (void)wshub_client_leave(hub, c, v);
        break;
    case 14:
        while (wshub_room_each_member(hub, s, &it, &c))
            if (pick(2)) (void)wshub_client_leave(hub, c, s);
        break;
    case 15:
        while (wshub_room_each(hub, &it, &v)) MUST(wshub_room_count(hub, v) > 0);
        break;
    case 16:
        while (wshub_user_each(hub, &it, &v)) MUST(wshub_user_count(hub, v) > 0);
        break;
    case 17:
        while (wshub_user_each_client(hub, s, &it, &c))
            if (pick(2)) (void)wshub_client_close(hub, c, 1000, wshub_str_z(""));
        break;
    case 18:
        while (wshub_client_each(hub, &it, &c))
            if (pick(4) == 0) (void)wshub_client_close(hub, c, 1000, wshub_str_z(""));
        break;
    case 19:
        (void)wshub_client_set_metadata(hub, c, json());
        (void)wshub_client_metadata(hub, c);
        break;
    case 20:
        (void)wshub_client_set_user_ptr(hub, c, peer);
        (void)wshub_client_user_ptr(hub, c);
        (void)wshub_client_state(hub, c);
        break;
    case 21:
        (void)wshub_client_id(hub, c);
        (void)wshub_client_user_id(hub, c);
        (void)wshub_client_is_encrypted(hub, c);
        (void)wshub_client_is_pressured(hub, c);
        (void)wshub_client_queued_bytes(hub, c);
        break;
    case 22:
    case 23:
        who.user_id = s;
        who.metadata = json();
        (void)wshub_auth_accept(hub, ask, pick(4) ? &who : NULL);
        break;
    case 24: (void)wshub_handshake_accept(hub, ask, s, name()); break;
    case 25:
        n = list();
        (void)wshub_join_accept(hub, ask, pick(8) ? some : NULL, n);
        break;
    case 26:
    case 27: (void)wshub_transform_accept(hub, ask, pick(2) ? &m : NULL); break;
    case 28: (void)wshub_ask_reject(hub, ask); break;
    case 29: (void)wshub_ask_fail(hub, ask); break;
    case 30: /* an answer in pieces, or by the other hub */
        n = pick(6);
        memset(&r, 0, sizeof r);
        r.status = 190 + (int)take() * 2;
        if (n == 0) {
            (void)wshub_http_begin(hub, requests[pick(4)], pick(16) ? &r : NULL,
                                   pick(3) ? WSHUB_LENGTH_UNKNOWN : pick(200));
        } else if (n == 3) {
            (void)wshub_http_end(hub, requests[pick(4)]);
        } else if (n > 3) {
            wshub_exchange request = requests[pick(4)];
            hand_over(hub, request, pick(8) == 0);
        } else {
            (void)wshub_http_write(hub, requests[pick(4)], pick(16) ? long_text : NULL,
                                   pick(64) * 40u);
        }
        break;
    case 31:
        memset(&r, 0, sizeof r);
        r.status = 190 + (int)take() * 2;
        r.body = json();
        if (r.body.ptr == NULL) r.body.len = 0;
        r.content_type = pick(2) ? pick(8) ? "text/plain" : "a\r\nb" : NULL;
        h.name = name();
        h.value = name();
        if (h.value.ptr == NULL) h.value.len = 0;
        r.headers = pick(2) ? &h : NULL;
        r.headers_count = pick(3) ? 0 : 1;
        r.close = pick(2);
        (void)wshub_http_reply(hub, requests[pick(4)], pick(16) ? &r : NULL);
        break;
    case 32:
        (void)wshub_timer_start(hub, pick(2) ? pick(200) * 100u : UINT64_MAX - pick(2),
                                pick(8) ? on_time : NULL, NULL, pick(2) ? &timers[pick(4)] : NULL);
        break;
    case 33: (void)wshub_timer_stop(hub, timers[pick(4)]); break;
    case 34: (void)wshub_post(hub, pick(8) ? on_time : NULL, NULL); break;
    case 35:
        d = dest();
        (void)wshub_post_send(hub, pick(8) ? &d : NULL, pick(16) ? &m : NULL);
        break;
    case 36: (void)wshub_post_client_send(hub, c, pick(16) ? &m : NULL); break;
    case 37: (void)wshub_post_close(hub, c, code, s); break;
    case 38: (void)wshub_post_close_id(hub, s, code, name()); break;
    case 39:
        who.user_id = s;
        who.metadata = json();
        (void)wshub_post_auth_accept(hub, ask, pick(2) ? &who : NULL);
        break;
    case 40: (void)wshub_post_handshake_accept(hub, ask, s, name()); break;
    case 41:
        n = list();
        (void)wshub_post_join_accept(hub, ask, pick(8) ? some : NULL, n);
        break;
    case 42: (void)wshub_post_transform_accept(hub, ask, pick(2) ? &m : NULL); break;
    case 43: (void)wshub_post_ask_reject(hub, ask); break;
    case 44: (void)wshub_post_ask_fail(hub, ask); break;
    case 45:
        if (pick(4) == 0)
            (void)wshub_drain(hub, pick(3) ? 1 + pick(200) : pick(2) * 2000000u, code, s);
        break;
    case 46:
        if (pick(8) == 0) (void)wshub_shutdown(hub);
        break;
    case 47:
        wshub_stats_get(hub, &stats);
        (void)wshub_server_id(hub);
        (void)wshub_now_ms(hub);
        (void)wshub_user(hub);
        (void)wshub_is_draining(hub);
        (void)wshub_is_down(hub);
        break;
    case 48:
        /* an io that reports from inside a callback */
        if (depth && pick(2))
            peer_act(hub == side[1].hub);
        else
            (void)wshub_settle(hub);
        break;
    case 49:
        if (local) wshub_bus_local_set_down(local, pick(2));
        break;
    case 50:
        if (emitter) {
            d = dest();
            (void)wshub_emitter_send(emitter, pick(8) ? &d : NULL, pick(16) ? &m : NULL);
            (void)wshub_emitter_queued_bytes(emitter);
        }
        break;
    case 51:
        if (pick(2))
            grant(hub, requests[pick(4)]);
        else
            (void)wshub_http_refuse(hub, requests[pick(4)], 403, "no");
        if (pick(4) == 0) {
            who.user_id = s;
            who.metadata = json();
            (void)wshub_client_accept(hub, c, pick(2) ? &who : NULL);
        }
        break;
    default: fail_in = pick(4) ? (long)pick(30) : 0; break;
    }
}

static void peer_act(int i) {
    /* clang-format off */
    static const char *const texts[] = {
        "{\"event\":\"authenticate\",\"data\":{\"a\":1}}", "{\"event\":\"authenticate\"}",
        "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\",\"c\"]}}",
        "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\",\"c\",\"d\",\"e\",1]}}",
        "{\"event\":\"leave\",\"data\":{\"rooms\":[\"a\",\"x\"]}}",
        "{\"event\":\"x\",\"data\":[1,2,3],\"id\":7}", "{\"event\":\"\\u0078\\n\"}",
        "{\"event\":\"heartbeat\"}", "{", "[]", "{\"event\":5}", "\xFF",
        "{\"event\":\"e\",\"event\":\"f\",\"data\":{}}",
    };
    /* clang-format on */
    /* a body with an upgrade */
    /* a pipeline */
    static const char *const https[] = {
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HEAD /a HTTP/1.0\r\n\r\n",
        "\r\n",
        "GET /\n",
        "GET ",
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, b\r\nOrigin: null\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: "
        "websocket\r\nContent-Length: 35\r\n\r\nGET /inner HTTP/1.1\r\nHost: h\r\n\r\nabc",
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\nPOST /c "
        "HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxyGET /d HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\nGET /b HTTP/1.1\r\nHost: "
        "h\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab",
        "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: close, upgrade\r\nUpgrade: "
        "websocket\r\nSec-WebSocket-Version: 8\r\n\r\n",
        "0\r\n\r\n"};
    wshub_io_fake *net = side[i].net;
    wshub_conn *c = &side[i].conns[pick(6)];
    uint8_t raw[64];
    size_t n, k;
    wshub_io_fake_frame f;
    switch (pick(18)) {
    case 0: *c = wshub_io_fake_open(net); break;
    case 1:
    case 2:
    case 3:
        *c = wshub_io_fake_connect(net, "/ws");
        wshub_io_fake_text(net, *c, texts[0]);
        while (wshub_io_fake_next(net, *c, &f)) {
        }
        break;
    case 4:
    case 5:
    case 6:
    case 7: wshub_io_fake_text(net, *c, texts[pick(13)]); break;
    case 8: {
        const char *text = https[pick(16)];
        wshub_io_fake_input(net, *c, text, strlen(text));
        break;
    }
    case 9:
        n = pick(64);
        for (k = 0; k < n; k++) raw[k] = take();
        wshub_io_fake_input(net, *c, raw, n);
        break;
    case 10:
        wshub_io_fake_send(net, *c, (uint8_t)pick(16), pick(2), long_text, pick(3) * 100);
        break;
    case 11: wshub_io_fake_send_close(net, *c, (uint16_t)(1000 + pick(20)), "r"); break;
    case 12:
        switch (pick(4)) {
        case 0: wshub_io_fake_end(net, *c); break;
        case 1: wshub_io_fake_silent(net, *c, pick(2)); break;
        default: wshub_io_fake_half_close(net, *c); break;
        }
        break;
    case 13: wshub_io_fake_window(net, *c, pick(3) ? pick(2) * 40 : UINT64_MAX); break;
    case 14: wshub_io_fake_take(net, *c, SIZE_MAX); break;
    case 15: {
        static const unsigned times[] = {0, 1, 50, 1000, 5000, 30000, 60000, 90001};
        wshub_io_fake_advance(net, times[pick(8)]);
        break;
    }
    case 16: /* one turn for several reports, or a process that stands still */
        switch (pick(4)) {
        case 0: wshub_io_fake_hold(net, false); break;
        case 1: wshub_io_fake_hold(net, true); break;
        case 2: wshub_io_fake_stall(net, false); break;
        default: wshub_io_fake_stall(net, true); break;
        }
        wshub_io_fake_run(net);
        break;
    default:
        wshub_io_fake_fault(net, 1 + pick(4), (wshub_io_fake_fault_kind)pick(WSHUB_IO_FAKE_FAULTS));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_bus_local_desc ld;
    wshub_emitter_desc ed;
    wshub_bus bus;
    int i;
    if (size < 12 || size > 1500) return 0;
    in = data;
    left = size;
    held = 0;
    fail_in = 0;
    crossed = false;
    memset(asks, 0, sizeof asks);
    memset(requests, 0, sizeof requests);
    memset(timers, 0, sizeof timers);
    memset(clients, 0, sizeof clients);
    memset(ids, 0, sizeof ids);
    memset(long_text, 'x', sizeof long_text);
    memset(&ld, 0, sizeof ld);
    memset(&ed, 0, sizeof ed);
    ld.alloc = ed.alloc = alloc;
    ld.queue_bytes_max = pick(4) ? 0 : 400;
    ed.bus_queue_bytes_max = 500;
    local = NULL;
    emitter = NULL;
    if (pick(16) == 0) fail_in = pick(20);
    if (wshub_bus_local_create(pick(8) ? &ld : NULL, &local) == WSHUB_OK &&
        wshub_bus_local_seat(local, &bus) == WSHUB_OK) {
        ed.bus = &bus;
        if (wshub_emitter_create(&ed, &emitter)) emitter = NULL;
    }
    for (i = 0; i < 2; i++) start(i);
    while (left) {
        i = pick(2);
        depth = 0;
        if (!side[i].hub) {
            stop(i);
            fail_in = 0;
            start(i);
            if (!side[i].hub) break;
            continue;
        }
        switch (pick(3)) {
        case 0: act(side[i].hub); break;
        default: peer_act(i); break;
        }
        if (pick(64) == 63) { /* inside a turn it is done when the turn ends */
            wshub *hub = side[i].hub;
            side[i].hub = NULL;
            wshub_destroy(hub);
            stop(i);
            start(i);
        }
        if (pick(4)) wshub_io_fake_run(side[i].net);
        check();
    }
    fail_in = 0;
    for (i = 0; i < 2; i++) {
        if (side[i].hub) wshub_io_fake_hold(side[i].net, false);
        if (side[i].hub) wshub_io_fake_stall(side[i].net, false);
    }
    for (i = 0; i < 6; i++) { /* whatever waits has an end, what waits for the other hub too */
        if (side[i % 2].hub) wshub_io_fake_advance(side[i % 2].net, 400000);
    }
    for (i = 0; i < 2; i++) {
        if (side[i].hub && !side[i].endless && !(crossed && side[1 - i].endless)) {
            wshub_stats stats;
            wshub_stats_get(side[i].hub, &stats);
            /* whoever is silent, and whatever is not read */
            MUST(stats.conns == 0 && stats.clients == 0 && stats.held_bytes == 0);
        }
    }
    check();
    for (i = 0; i < 2; i++) stop(i);
    wshub_emitter_destroy(emitter);
    wshub_bus_local_destroy(local);
    MUST(held == 0);
    return 0;
}
