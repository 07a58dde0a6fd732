/* What a programmer gives: descriptions of a hub, an emitter and a local bus with anything in
 * them, replies with anything in them, texts that are walked as JSON without being JSON, keys,
 * digests, dates. What is refused leaves nothing behind and is refused by wshub_desc_problem()
 * too; what is taken serves a client from an allowed origin. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 20
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_fake.h"
#include "oracle.h"

static const uint8_t *in;
static size_t left, held;
static long fail_in;
static uint8_t take(void) {
    if (!left) return 0;
    left--;
    return *in++;
}
static uint32_t pick(uint32_t n) {
    return take() % n;
}
static void *alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    if (new_bytes == 0) {
        held -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (fail_in && --fail_in == 0) return NULL;
    p = malloc(new_bytes);
    MUST(p);
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    held += new_bytes;
    held -= old_bytes;
    return p;
}

/* A text of the input's, ended by a zero, or one that is likely to mean something. */
static char pool[16][300];
static uint32_t pooled;
static char very_long[5000];
static const char *text(const char *const *likely, uint32_t count) {
    uint32_t k = pick(count + 3), n;
    char *to = pool[pooled++ % 16];
    if (k < count) return likely[k];
    if (k == count) return NULL;
    if (k == count + 1) return very_long;
    n = pick(64);
    for (k = 0; k < n; k++) to[k] = (char)take();
    to[n] = 0;
    return to;
}
static uint32_t number(uint32_t usual) {
    /* clang-format off */
    static const uint32_t odd[] = {
        0, 1, 2, 255, 256, 257, 1000, 1u << 20, (1u << 20) + 1, 1u << 30, (1u << 30) + 1,
        UINT32_MAX - 1, UINT32_MAX,
    };
    /* clang-format on */
    return pick(4) ? usual : odd[pick(13)];
}
static wshub_exchange asked;
static bool on_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    asked = r;
    return true;
}
static void hears_nothing(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)channel;
    (void)payload;
}
static void sees_nothing(void *ctx, wshub_bus_state state) {
    (void)ctx;
    (void)state;
}
static void on_auth(wshub *hub, wshub_ask ask, const wshub_auth *a, void *user) {
    (void)user;
    (void)a;
    (void)wshub_auth_accept(hub, ask, NULL);
}

/* What came later than most of the corpus: the last two bytes of an input choose. */
static void later_fields(wshub_desc *d, uint8_t which, uint8_t more) {
    static const char *const hosts[] = {"h", "*.example:8443", "[::1]", "a b", NULL},
                             *const proxies[] = {"10.0.0.0/8", "unix", "::1", "x/y", NULL},
                             *const headers[] = {"X-Forwarded-For", "Forwarded", "a b", ""},
                             *const origins[] = {"https://a.example", "*", "null", "x", NULL};
    static wshub_cors cors;
    if (which & 1) d->log_level = (wshub_log_level)(more % 7);
    if (which & 2) d->no_log = true;
    if (which & 4) d->allowed_hosts = hosts + more % 4, d->allowed_hosts_count = more / 4 % 3;
    if (which & 8) d->trusted_proxies = proxies + more % 4, d->trusted_proxies_count = more / 4 % 3;
    if (which & 16) d->forwarded_header = headers[more / 16 % 4];
    if (which & 32) {
        memset(&cors, 0, sizeof cors);
        cors.origins = more & 128 ? NULL : origins + more % 4;
        cors.origins_count = more / 4 % 3;
        cors.methods = more & 16 ? "PUT, DELETE" : NULL;
        cors.headers = more & 32 ? "X-A, b c" : NULL;
        cors.expose = more & 64 ? "X-B" : NULL;
        cors.credentials = more & 1;
        cors.max_age_s = more;
        d->cors = &cors;
    }
    if (which & 64) d->no_dialect = true;
    if (which & 128) d->heartbeat_by_pong = true, d->no_pings = more & 1;
}

static void walk(wshub_str s, int depth) { /* whatever it is, every walk ends and stays inside */
    static const char *const keys[] = {"a", "event", "", "\xF0\x9F\x98\x80",
                                       "long key that is longer than sixteen bytes"};
    wshub_str v;
    wshub_iter it = {0, 0};
    uint64_t n;
    char buf[40];
    int i;
    (void)wshub_json_type(s);
    (void)wshub_json_text(s, buf, sizeof buf);
    if (wshub_json_uint(s, &n)) MUST(n <= UINT64_C(9007199254740991));
    for (i = 0; i < 5; i++) {
        v = wshub_json_get(s, keys[i]);
        MUST(!v.ptr || (v.ptr >= s.ptr && v.ptr + v.len <= s.ptr + s.len));
    }
    (void)wshub_json_get(s, NULL);
    while (wshub_json_each(s, &it, &v)) {
        MUST(v.ptr >= s.ptr && v.ptr + v.len <= s.ptr + s.len);
        if (depth) walk(v, depth - 1);
    }
    it.pos = pick(40); /* a place that is none */
    (void)wshub_json_each(s, &it, &v);
    (void)wshub_json_check(s, number(20));
}

static void reply(wshub *hub) {
    static const char *const types[] = {"text/plain", "a\r\nb", "text/html\n"},
                             *const names[] = {"X-A", "Content-Length", "Date", "Connection", "a b",
                                               ""},
                             *const values[] = {"v", "a\r\nX: y", "", "close"};
    /* clang-format off */
    static const int statuses[] = {
        100, 101, 199, 200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405,
        408, 409, 411, 413, 414, 415, 422, 426, 429, 431, 500, 501, 503, 505, 599, 600, 0, -1,
    };
    /* clang-format on */
    wshub_header h[3];
    wshub_reply r;
    size_t i;
    memset(&r, 0, sizeof r);
    r.status = pick(4) ? statuses[pick(sizeof statuses / sizeof *statuses)]
                       : 100 + (int)take() * 2 + (int)pick(2);
    r.content_type = text(types, 3);
    for (i = 0; i < 3; i++) {
        const char *n = text(names, 6), *v = text(values, 4);
        h[i].name = wshub__str(n, n ? strlen(n) : 0);
        h[i].value = wshub__str(v, v ? strlen(v) : 0);
        if (pick(8) == 7 && v && v != very_long) h[i].value.len++; /* its zero too */
    }
    r.headers = pick(8) ? h : NULL;
    r.headers_count = r.headers ? pick(4) : 0;
    r.body = pick(4) ? wshub_str_z("body") : wshub__str(NULL, pick(4) == 3);
    r.close = pick(4) == 0;
    (void)wshub_http_reply(hub, asked, &r);
}

/* What nobody should say of a stream: what is unknown or long gone, more than there was, and at
 * the wrong time. */
static void odd_reports(wshub *hub, wshub_conn last) {
    uint8_t bytes[40];
    wshub_conn c = last;
    uint32_t n = pick(sizeof bytes + 1), k;
    for (k = 0; k < n; k++) bytes[k] = take();
    switch (pick(8)) {
    case 0: c.id = 0; break;
    case 1: c.id ^= UINT64_C(1) << 32; break;
    case 2: c.id |= UINT32_MAX; break;
    default: break;
    }
    switch (pick(6)) {
    case 0:
        c.id |= UINT32_MAX; /* a number that no table holds: refused */
        wshub_conn_opened(hub, c);
        break;
    case 1: wshub_conn_received(hub, c, bytes, n); break;
    case 2: wshub_conn_drained(hub, c); break;
    case 3: wshub_conn_sent(hub, c, number(1)); break;
    case 4: wshub_conn_received(hub, c, NULL, 0); break;
    default: {
        wshub_iter it;
        wshub_str v;
        wshub_client who;
        memset(&it, 0, sizeof it);
        it.pos = number(3);
        memset(&who, 0, sizeof who);
        (void)wshub_room_each(hub, &it, &v);
        it.pos = number(3);
        (void)wshub_user_each(hub, &it, &v);
        it.pos = number(3);
        (void)wshub_room_each_member(hub, wshub_str_z("ws-default"), &it, &who);
        it.pos = number(3);
        (void)wshub_client_each_room(hub, who, &it, &v);
        (void)wshub_client_send_binary(hub, who, pick(2) ? bytes : NULL, number(4) % 30);
        break;
    }
    }
}

/* What another instance, or a stranger on the broker, may publish. */
static void say_on_bus(const wshub_bus *bus) {
    static const char *const channels[] = {"ws:broadcast", "ws:room:r",   "ws:room:ws-default",
                                           "ws:user:u",    "ws:client:x", "ws:other",
                                           "ws:room:",     "elsewhere"},
                             *const ids[] = {"\"B\"", "\"A\"", "5", "\"\\u0041\""},
                             *const kinds[] = {"\"broadcast\"", "\"room\"", "\"user\"",
                                               "\"client\"",    "\"no\"",   "{}"},
                             /* clang-format off */
                      *const targets[] = {
                          "\"r\"", "\"ws-default\"", "\"u\"", "null", "\"\"",
                          "\"\\n\""}, *const excludes[] = {"[]", "[\"x\",5]", "\"x\"",
                          "[\"ws-default\",\"r\"]"}, *const datas[] = {"1", "null", "{\"a\":[1]}",
                          "\"\xFF\"",
                      };
    /* clang-format on */
    char whole[1500];
    const char *part;
    wshub_bus_msg m;
    uint32_t n = 0;
    part = text(channels, 8);
    m.channel = wshub_str_z(part ? part : "");
    if (m.channel.len > 300) m.channel.len = 300;
    n = (uint32_t)snprintf(whole, sizeof whole, "{");
    if (pick(8) && (part = text(ids, 4)))
        n += (uint32_t)snprintf(whole + n, sizeof whole - n, "\"serverId\":%.60s,", part);
    if (pick(8) && (part = text(kinds, 6)))
        n += (uint32_t)snprintf(whole + n, sizeof whole - n, "\"type\":%.60s,", part);
    if (pick(4) && (part = text(targets, 6)))
        n += (uint32_t)snprintf(whole + n, sizeof whole - n, "\"target\":%.60s,", part);
    if (pick(2) && (part = text(excludes, 4)))
        n += (uint32_t)snprintf(whole + n, sizeof whole - n, "\"exclude\":%.60s,", part);
    if (pick(4) && (part = text(datas, 4)))
        n += (uint32_t)snprintf(whole + n, sizeof whole - n, "\"data\":%.60s,", part);
    n += (uint32_t)snprintf(whole + n, sizeof whole - n, "\"event\":%s}", pick(8) ? "\"e\"" : "5");
    m.payload = wshub__str(whole, n);
    if (pick(8) == 7) m.payload.len = pick(n);
    (void)bus->publish(bus->ctx, &m, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {"/ws", "/", "/a/b", "ws", "/a?b", ""},
                             *const ids[] = {"A", "", "server-1", "\xFF"},
                             *const rooms[] = {"r", "", "\xFF", "ws-default"},
                             *const origins[] = {"https://a.example",
                                                 "https://*.example",
                                                 "https://*.example:8443",
                                                 "null",
                                                 "http://localhost:1",
                                                 "://",
                                                 "x",
                                                 "https://*."},
                             *const says[] = {"https://a.example",
                                              "https://b.a.example",
                                              "https://B.Example",
                                              "https://.example",
                                              "https://a..example",
                                              "https://x.example:8443",
                                              "null",
                                              "http://localhost:1",
                                              "https://a_b.example",
                                              "https://a!.example",
                                              "https://9.example",
                                              "HTTPS://A.EXAMPLE"},
                             *const requests[] = {
                                 "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
                                 "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n",
                                 "GET /a HTTP/1.0\r\n\r\n",
                                 "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
                                 "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                                 "GET /a HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n",
                                 "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                                 "chunked\r\n\r\n1;x=y\r\na\r\n0\r\nT: t\r\n\r\n"};
    const char *some_rooms[3], *some_origins[3];
    wshub_io_fake_desc fd;
    wshub_io_fake *net = NULL;
    wshub_io io;
    wshub_desc d;
    wshub *hub = NULL;
    wshub_err err;
    const char *why;
    wshub_bus_local *broker = NULL;
    wshub_bus stranger, ours;
    wshub_bus_owner nobody;
    wshub_conn last = {0};
    bool joined = false;
    uint8_t digest[20], *exact;
    char key[28];
    uint32_t i, k, n;
    if (size < 8 || size > 1000) return 0;
    exact = (uint8_t *)malloc(size);
    MUST(exact);
    memcpy(exact, data, size);
    in = exact;
    left = size;
    pooled = 0;
    fail_in = 0;
    memset(very_long, 'l', sizeof very_long - 1);
    very_long[0] = '/';
    walk(wshub__str((const char *)exact, size), 2);
    {
        wshub_iter none = {0, 0};
        wshub_str v;
        uint64_t u;
        MUST(!wshub_json_each(wshub__str(NULL, 0), &none, &v) &&
             !wshub_json_uint(wshub__str(NULL, 0), &u) &&
             !wshub_json_check(wshub__str(NULL, 0), 1) &&
             wshub_json_text(wshub__str(NULL, 0), NULL, 0) == SIZE_MAX);
        MUST(wshub_str_eq_z(wshub_json_get(wshub_str_z("{\"\\u0061\":1,\"b\":2}"), "a"), "1"));
    }
    for (i = 0; i < 4; i++) {
        char coded[16], again[16];
        n = (uint32_t)wshub_base64(exact, i, coded);
        MUST(n == (i + 2) / 3 * 4 && wshub_base64(exact, i, again) == n &&
             memcmp(coded, again, n) == 0);
    }
    MUST(wshub_str_eq(wshub__str(NULL, 0), wshub_str_z("")) &&
         !wshub_str_eq(wshub_str_z("a"), wshub__str(NULL, 0)));
    MUST(wshub_strerror((wshub_err)(int)exact[0])[0] &&
         wshub_log_name((wshub_log_code)exact[1])[0]);
    wshub_sha1(exact, pick((uint32_t)size + 1 < 256 ? (uint32_t)size + 1 : 256), digest);
    wshub_accept_key(wshub__str(pick(4) ? (const char *)exact : NULL, 0), key);
    wshub_accept_key(wshub__str((const char *)exact, size), key);
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    for (k = pick(9); k; k--) fd.wall_ms = fd.wall_ms << 8 | take();
    fd.wall_ms %= UINT64_C(253402300800000);
    fd.no_wake = pick(8) == 0;
    fd.no_pause = pick(2);
    fd.completion = pick(2);
    MUST(wshub_io_fake_create(&fd, &net) == WSHUB_OK);
    io = *wshub_io_fake_io(net);
    switch (pick(32)) {
    case 1: io.attach = NULL; break;
    case 2: io.send = NULL; break;
    case 3: io.close = NULL; break;
    case 4: io.now_ms = NULL; break;
    case 5: io.wall_ms = NULL; break;
    case 6: io.random = NULL; break;
    case 7: io.about = NULL; break;
    default: break;
    }
    d.io = pick(32) == 31 ? NULL : &io;
    d.alloc = alloc;
    d.on_authenticate = on_auth;
    if (pick(2)) d.on_request = on_request;
    if (pick(2)) d.path = text(paths, 6);
    if (pick(2)) d.server_id = text(ids, 4);
    for (i = 0; i < 3; i++) {
        some_rooms[i] = text(rooms, 4);
        some_origins[i] = text(origins, 8);
    }
    k = pick(8);
    if (k < 4) d.default_rooms = some_rooms, d.default_rooms_count = k;
    if (k == 7) d.no_default_rooms = true;
    k = pick(8);
    if (k < 5) d.allowed_origins = k < 4 ? some_origins : NULL, d.allowed_origins_count = k;
    if (pick(2)) { /* the figures */
        /* clang-format off */
        uint32_t *const figures[] = {
            &d.auth_timeout_ms, &d.heartbeat_interval_ms, &d.heartbeat_timeout_ms,
            &d.idle_timeout_ms, &d.message_timeout_ms, &d.write_timeout_ms, &d.close_timeout_ms,
            &d.http_timeout_ms, &d.shutdown_timeout_ms, &d.payload_bytes_max,
            &d.backpressure_bytes_max, &d.conns_max, &d.clients_max, &d.http_head_bytes_max,
            &d.http_headers_max, &d.http_body_bytes_max, &d.json_depth_max,
            &d.preauth_messages_max, &d.preauth_bytes_max, &d.rooms_per_client_max,
            &d.rooms_per_message_max, &d.rooms_max, &d.users_max, &d.asks_per_client_max,
            &d.encrypted_batch_max, &d.bus_queue_bytes_max, &d.bus_queue_ms_max, &d.bus_linger_ms,
            &d.bus_burst_bytes_max,
        };
        /* clang-format on */
        for (n = pick(6); n; n--) *figures[pick(sizeof figures / sizeof *figures)] = number(0);
    }
    if (pick(2)) {
        memset(&nobody, 0, sizeof nobody);
        nobody.received = hears_nothing;
        nobody.state = sees_nothing;
        MUST(wshub_bus_local_create(NULL, &broker) == WSHUB_OK &&
             wshub_bus_local_seat(broker, &stranger) == WSHUB_OK &&
             wshub_bus_local_seat(broker, &ours) == WSHUB_OK);
        MUST(stranger.attach(stranger.ctx, &nobody) == WSHUB_OK);
        d.bus = &ours;
        d.bus_exact = pick(2);
        d.bus_any_channel = pick(2);
        joined = true;
    }
    if (size > 200) later_fields(&d, data[size - 1], data[size - 2]);
    if (pick(8) == 0) fail_in = 1 + (long)pick(20);
    why = wshub_desc_problem(&d);
    n = pick(64);
    err = wshub_create(n == 63 ? NULL : &d, pick(64) == 63 ? NULL : &hub);
    if (n == 63 && joined) (void)ours.attach(ours.ctx, NULL); /* nobody has it */
    MUST(!why || err == WSHUB_ERR_PARAM || err == WSHUB_ERR_NOWAKE);
    MUST((err == WSHUB_OK) == (hub != NULL));
    if (!hub) MUST(held == 0);
    for (n = 0; hub && left && n < 40; n++) {
        wshub_conn c;
        char up[700];
        fail_in = pick(8) == 0 ? 1 + (long)pick(12) : 0;
        switch (pick(6)) {
        case 0: /* a page of some origin */
            last = c = wshub_io_fake_open(net);
            {
                const char *origin = text(says, 12), *more = text(says, 12);
                k = (uint32_t)snprintf(up, sizeof up,
                                       "GET %.100s HTTP/1.1\r\nHost: h\r\nConnection: "
                                       "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                                       "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                                       d.path ? d.path : "/ws");
                if (origin && origin != very_long)
                    k += (uint32_t)snprintf(up + k, sizeof up - k, "Origin: %.100s\r\n", origin);
                if (pick(8) == 7 && more)
                    k += (uint32_t)snprintf(up + k, sizeof up - k, "Origin: %.100s\r\n", more);
                k += (uint32_t)snprintf(up + k, sizeof up - k, "\r\n");
                wshub_io_fake_input(net, c, up, k < sizeof up ? k : sizeof up - 1);
            }
            wshub_io_fake_text(net, c, "{\"event\":\"authenticate\"}");
            break;
        case 1:
        case 2: { /* a request and what the application says to it */
            const char *line = text(requests, 7);
            asked.id = 0;
            last = c = wshub_io_fake_open(net);
            if (line) wshub_io_fake_input(net, c, line, strlen(line));
            if (pick(2)) wshub_io_fake_run(net);
            reply(hub);
            if (pick(4) == 0) reply(hub);
            break;
        }
        case 3: odd_reports(hub, last); break;
        case 4:
            if (joined) say_on_bus(&stranger);
            break;
        default: wshub_io_fake_advance(net, pick(4) * 2500); break;
        }
        wshub_io_fake_run(net);
        if (hub) MUST(!wshub_self_check(hub));
    }
    fail_in = 0;
    wshub_destroy(hub);
    MUST(held == 0);
    if (joined) (void)stranger.attach(stranger.ctx, NULL);
    wshub_bus_local_destroy(broker);
    { /* an emitter and a local bus */
        wshub_emitter_desc ed;
        wshub_bus_local_desc ld;
        wshub_bus_local *local = NULL;
        wshub_emitter *em = NULL;
        wshub_bus bus;
        memset(&ed, 0, sizeof ed);
        memset(&ld, 0, sizeof ld);
        ed.alloc = ld.alloc = alloc;
        ld.queue_bytes_max = number(0);
        ed.bus_queue_bytes_max = number(0);
        fail_in = (long)pick(6);
        err = wshub_bus_local_create(pick(2) ? &ld : NULL, pick(8) ? &local : NULL);
        MUST((err == WSHUB_OK) == (local != NULL));
        if (wshub_bus_local_seat(local, pick(8) ? &bus : NULL) == WSHUB_OK) {
            const wshub_emitter_desc *given = pick(8) ? &ed : NULL;
            ed.bus = pick(8) ? &bus : NULL;
            err = wshub_emitter_create(given, pick(8) ? &em : NULL);
            if (!given || !ed.bus) (void)bus.attach(bus.ctx, NULL); /* nobody has it */
            MUST((err == WSHUB_OK) == (em != NULL));
            wshub_emitter_destroy(em);
        }
        wshub_bus_local_destroy(local);
        MUST(held == 0);
    }
    wshub_io_fake_destroy(net);
    free(exact);
    return 0;
}
