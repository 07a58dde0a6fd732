/* Nothing in the API can be half right: tables of every field of a description and bad values for it, of what is no JSON for
 * every reader, of handles of two hubs for every function that takes one. */
#include "hubtest.h"

#define S(z) wshub_str_z(z)

/* ---- descriptions ---- */

static wshub_io_fake *net;
static bool refused(wshub_desc d, const char *field) { /* by a text that names the field, at both doors */
    wshub *hub = NULL;
    const char *why;
    d.io = wshub_io_fake_io(net);
    why = wshub_desc_problem(&d);
    if (wshub_create(&d, &hub) == WSHUB_OK) {
        wshub_destroy(hub);
        EXPECT(!why);
        return false;
    }
    EXPECT(why && (!field || strstr(why, field)));
    return true;
}
#define NO(field, ...) EXPECT(refused((wshub_desc){__VA_ARGS__}, field))
#define YES(...) EXPECT(!refused((wshub_desc){__VA_ARGS__}, NULL))

TEST(lists_without_counts_and_counts_without_lists) {
    static const char *const rooms[] = {"a", "b"}, *const origins[] = {"https://a.example"}, *const none[] = {NULL}, *const hosts[] = {"localhost"}, *const bad[] = {"a", NULL};
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    NO("default_rooms", .default_rooms = rooms);
    NO("default_rooms", .default_rooms_count = 2);
    NO("no_default_rooms", .default_rooms = rooms, .default_rooms_count = 2, .no_default_rooms = true);
    NO("default_rooms", .default_rooms = bad, .default_rooms_count = 2);
    YES(.default_rooms = rooms, .default_rooms_count = 2);
    YES(.no_default_rooms = true);
    NO("allowed_origins", .allowed_origins = origins);
    NO("allowed_origins", .allowed_origins_count = 1);
    NO("allowed_origins", .allowed_origins = none, .allowed_origins_count = 1);
    YES(.allowed_origins = origins, .allowed_origins_count = 1);
    YES(.allowed_origins = none); /* an explicit list of nobody */
    NO("allowed_hosts", .allowed_hosts = hosts);
    NO("allowed_hosts", .allowed_hosts_count = 1);
    NO("allowed_hosts", .allowed_hosts = none, .allowed_hosts_count = 1);
    NO("allowed_hosts", .allowed_hosts = none);
    YES(.allowed_hosts = hosts, .allowed_hosts_count = 1);
    wshub_io_fake_destroy(net);
}

TEST(limits_under_which_nobody_could_be_accepted) { /* ROOM-6: each limit, from the least that is taken on, accepts somebody */
    static const char *const rooms[] = {"a", "b", "c"};
    uint32_t n;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    NO("rooms_per_client_max", .rooms_per_client_max = 2);
    NO("rooms_per_client_max", .rooms_per_client_max = 3, .default_rooms = rooms, .default_rooms_count = 3);
    NO("rooms_max", .rooms_max = 1);
    NO("payload_bytes_max", .payload_bytes_max = 23);
    NO("preauth_bytes_max", .preauth_bytes_max = 23);
    NO("http_headers_max", .http_headers_max = 4);
    NO("http_head_bytes_max", .http_head_bytes_max = 138);
    NO("idle_timeout_ms", .idle_timeout_ms = 1);
    NO("heartbeat_by_pong", .heartbeat_by_pong = true, .no_pings = true); /* nobody would be asked for a pong */
    NO("heartbeat_by_pong", .heartbeat_by_pong = true, .idle_timeout_ms = WSHUB_OFF);
    NO("heartbeat_by_pong", .heartbeat_by_pong = true, .idle_timeout_ms = 60000, .heartbeat_timeout_ms = 30000);
    YES(.heartbeat_by_pong = true, .idle_timeout_ms = 60000, .heartbeat_timeout_ms = 30001);
    NO("http_answers_bytes_max", .http_answers_bytes_max = (1u << 30) + 1);
    YES(.idle_timeout_ms = 1, .no_pings = true);
    NO("post_bytes_max", .post_bytes_max = (1u << 30) + 1);
    NO("path", .path = "/w s");
    NO("path", .path = "/w\x7Fs");
    NO("path", .path = "/ws#x");
    NO("path", .path = "/w\xC3\xBC");
    YES(.path = "/~a%20b!");
    wshub_io_fake_destroy(net);
    for (n = 0; n < 12; n++) {
        static const char up[] = "GET /ws HTTP/1.1\r\nHost:\r\nUpgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Version:13\r\nSec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        world w;
        wshub_conn c;
        wshub_desc d;
        memset(&d, 0, sizeof d);
        d.on_authenticate = accept_all;
        switch (n) {
        case 0: d.rooms_per_client_max = 3; break;
        case 1: d.rooms_max = 2; break;
        case 2: d.payload_bytes_max = 24; break;
        case 3: d.preauth_bytes_max = 24; break;
        case 4: d.http_headers_max = 5; break;
        case 5: d.http_head_bytes_max = 139; break;
        case 6: d.users_max = d.conns_max = d.clients_max = 1; break;
        case 7: d.preauth_messages_max = d.asks_per_client_max = d.rooms_per_message_max = 1; break;
        case 8: d.json_depth_max = 1; break;
        case 9: d.backpressure_bytes_max = 1; break;
        case 10: d.segment_bytes_max = 1; break;
        default: d.held_bytes_max = d.http_answers_bytes_max = d.http_body_bytes_max = 1; break;
        }
        world_start(&w, d, FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, up, sizeof up - 1);
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        EXPECT_INT(stats(&w).authenticated, 1);
        if (!stats(&w).authenticated) (void)printf("  limit %d\n", (int)n);
        world_stop(&w);
    }
}

TEST(origins_that_no_browser_sends) { /* CONN-2: an entry is refused, or lets somebody in, who says exactly that */
    static const char *const never[] = {"", "*.example", "example.com", "https:", "https://", "://x", "1x://x", "https://x/", "https://x/path", "https://x?q", "https://x#f", "https://u@x", "https://x:443", "http://x:80", "https://x:", "https://x:0", "https://x:08", "https://x:65536",
                                        "https://x:123456", "https://x:8a", "https://*", "https://*.", "https://*x", "https://a.*.b", "https://*.[::1]", "https://[::1", "https://[::1]x", "https://[zz]", "https://x..y", "https://.x", "https://x y", " https://x", "https://x ", "ws://x", "wss://x", "file://x",
                                        "file:///", "nul", "h ttp://x", "h{ttp://x", "+h://x", "https://x,https://y", "**"};
    static const char *const good[] = {"https://x", "http://x:443", "https://x:80", "https://x:1", "https://x:65535", "https://*.x", "https://*.x:8443", "null", "*", "file://", "chrome-extension://abcdef", "capacitor://localhost", "https://[::1]", "https://[::1]:8080", "https://127.0.0.1:3000", "HTTPS://X",
                                       "https://x.", "https://xn--bcher-kva.example", "https://a_b.example", "moz-extension://0-1", "web+app://x", "a.b2://x"};
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof never / sizeof *never; i++) {
        if (!refused((wshub_desc){.allowed_origins = &never[i], .allowed_origins_count = 1}, "allowed_origins")) {
            test_failures++;
            (void)printf("  `%s` is taken\n", never[i]);
        }
    }
    wshub_io_fake_destroy(net);
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        char ask[300], said[64];
        const char *star = strstr(good[i], "*.");
        world w;
        wshub_conn c;
        (void)snprintf(said, sizeof said, "%.*s%s%s", star ? (int)(star - good[i]) : 63, good[i], star ? "a.b" : "", star ? star + 1 : "");
        world_start(&w, DESC(.allowed_origins = &good[i], .allowed_origins_count = 1), FAKE(0));
        c = wshub_io_fake_open(w.net);
        (void)snprintf(ask, sizeof ask, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: %s\r\n\r\n", said);
        wshub_io_fake_input(w.net, c, ask, strlen(ask));
        EXPECT_INT(stats(&w).upgrades, 1);
        if (!stats(&w).upgrades) (void)printf("  `%s` does not let `%s` in\n", good[i], said);
        c = wshub_io_fake_open(w.net);
        (void)snprintf(ask, sizeof ask, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://evil.test\r\n\r\n");
        wshub_io_fake_input(w.net, c, ask, strlen(ask));
        EXPECT_INT(stats(&w).upgrades, good[i][0] == '*' ? 2 : 1);
        world_stop(&w);
    }
}

static int warned;
static void count_open(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    warned += l->code == WSHUB_LOG_ORIGINS_OPEN;
}
TEST(no_list_any_list_empty_list) { /* CONN-2: NULL any, with a warning; `*` any, said so; an empty list nobody */
    static const char *const any[] = {"*"}, *const none[] = {NULL};
    static const char page[] = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://x\r\n\r\n";
    int k;
    for (k = 0; k < 3; k++) {
        world w;
        warned = 0;
        world_start(&w, DESC(.on_log = count_open, .allowed_origins = k == 0 ? NULL : k == 1 ? any : none, .allowed_origins_count = k == 1 ? 1 : 0), FAKE(0));
        wshub_io_fake_input(w.net, wshub_io_fake_open(w.net), page, sizeof page - 1);
        EXPECT_INT(stats(&w).upgrades, k == 2 ? 0 : 1);
        EXPECT_INT(warned, k == 0 ? 1 : 0);
        EXPECT(wshub_io_fake_connect(w.net, "/ws").id); /* no page */
        EXPECT_INT(stats(&w).upgrades, k == 2 ? 1 : 2);
        world_stop(&w);
    }
}

TEST(hosts_that_are_served) { /* DNS rebinding: other names are answered 421, and counted */
    static const char *const bad[] = {"", "a/b", "http://a", "a b", ".a", "a..b", "*.", "*.[::1]", "a:", "a:0", "a:99999", "[::1", "*a", "*ab"};
    static const struct {
        const char *rule, *head;
        bool ok;
    } table[] = {
        {"localhost", "Host: localhost", true}, {"localhost", "Host: LOCALHOST:8080", true}, {"localhost", "Host: localhost:", true}, {"localhost", "Host: evil.test", false}, {"localhost", "Host: localhost.evil.test", false},
        {"localhost", "Host: xlocalhost", false}, {"localhost", "Host:", false}, {"localhost", "X: y", false}, {"localhost:8080", "Host: localhost:8080", true}, {"localhost:8080", "Host: localhost", false},
        {"localhost:8080", "Host: localhost:80", false}, {"127.0.0.1", "Host: 127.0.0.1:9", true}, {"127.0.0.1", "Host: 127.0.0.10", false}, {"[::1]", "Host: [::1]", true}, {"[::1]", "Host: [::1]:80", true},
        {"[::1]:80", "Host: [::1]:80", true}, {"[::1]:80", "Host: [::1]", false}, {"[::1]", "Host: [::2]", false}, {"*.a.test", "Host: x.a.test", true}, {"*.a.test", "Host: x.y.a.test:443", true},
        {"*.a.test", "Host: a.test", false}, {"*.a.test", "Host: .a.test", false}, {"*.a.test", "Host: ..a.test", false}, {"*.a.test", "Host: xa.test", false}, {"*.a.test:81", "Host: x.a.test:81", true}, {"*.a.test:81", "Host: x.a.test", false}, {"1", "Host: 1", true}, {"80", "Host: 80", true},
    };
    size_t i;
    int k;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!refused((wshub_desc){.allowed_hosts = &bad[i], .allowed_hosts_count = 1}, "allowed_hosts")) {
            test_failures++;
            (void)printf("  `%s` is taken\n", bad[i]);
        }
    }
    wshub_io_fake_destroy(net);
    for (i = 0; i < sizeof table / sizeof *table; i++) {
        for (k = 0; k < 3; k++) { /* a page, an upgrade; the same as a target that names another host than Host does */
            bool bare = strcmp(table[i].head, "X: y") == 0, absolute = k == 2 && strlen(table[i].head) > 6 && !bare;
            const char *two[] = {"nobody.test", NULL};
            char ask[400], target[80];
            world w;
            wshub_conn c;
            wshub_str out;
            two[1] = table[i].rule;
            (void)snprintf(target, sizeof target, "%s%s/%s", absolute ? "http://" : "", absolute ? table[i].head + 6 : "", k ? "ws" : "");
            (void)snprintf(ask, sizeof ask, "GET %s HTTP/1.%d\r\n%s\r\n%s\r\n", target, bare ? 0 : 1, absolute ? "Host: nobody.test" : table[i].head,
                           k && !bare ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" : "");
            world_start(&w, DESC(.allowed_hosts = two, .allowed_hosts_count = 2), FAKE(0));
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, ask, strlen(ask));
            wshub_io_fake_run(w.net);
            out = wshub_io_fake_output(w.net, c);
            EXPECT(out.len > 12 && memcmp(out.ptr + 9, !table[i].ok ? "421" : k ? "101" : "404", 3) == 0);
            if (!table[i].ok) EXPECT_INT(stats(&w).upgrades_refused, 0); /* the host is refused, whatever was wanted of it */
            if (test_failures && (out.len < 12 || memcmp(out.ptr + 9, !table[i].ok ? "421" : k ? "101" : "404", 3) != 0)) (void)printf("  %s | %s\n  %.*s\n", table[i].rule, ask, (int)(out.len < 40 ? out.len : 40), out.ptr);
            EXPECT_INT(stats(&w).hosts_refused, table[i].ok ? 0 : 1);
            world_stop(&w);
        }
    }
    { /* of an absolute form the host ends with the text, too, or with the query */
        static const char *const one[] = {"h"}, *const targets[] = {"http://h", "http://h?q", "http://h/", "http://g", "http://g?h", "http://g/h"};
        for (i = 0; i < 6; i++) {
            char ask[80];
            world w;
            wshub_conn c;
            (void)snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", targets[i]);
            world_start(&w, DESC(.allowed_hosts = one, .allowed_hosts_count = 1), FAKE(0));
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, ask, strlen(ask));
            EXPECT(memcmp(wshub_io_fake_output(w.net, c).ptr + 9, i < 3 ? "404" : "421", 3) == 0);
            world_stop(&w);
        }
    }
    { /* `*` is about the server, whose name is in Host */
        static const char *const one[] = {"h"};
        static const char star[] = "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n";
        world w;
        wshub_conn c;
        world_start(&w, DESC(.allowed_hosts = one, .allowed_hosts_count = 1), FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, star, sizeof star - 1);
        EXPECT(memcmp(wshub_io_fake_output(w.net, c).ptr + 9, "404", 3) == 0);
        world_stop(&w);
    }
}

/* ---- readers of JSON ---- */

static const char *const texts[] = {"{\"a\":1,\"b\":[1,\"x\\u00fcy\",{\"c\":null}],\"a\":\"\\ud83d\\ude00\"}", "[1,-2.5e+3,\"\",{},[],true,false,null]", " {\"\\u0061\" : { \"b\" : [ ] } } ", "\"q\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "-12", "[[[[[[\"deep\"]]]]]]", "{}", "[]"};
static void read_all(wshub_str t) { /* what the readers give out, they give out of JSON */
    static const char *const keys[] = {"a", "b", "c", ""};
    bool ok = wshub_json_check(t, WSHUB_JSON_DEPTH_MAX);
    wshub_iter it = {0, 0};
    wshub_str v;
    char buf[64];
    int64_t n;
    size_t i, len;
    EXPECT((wshub_json_type(t) == WSHUB_JSON_NONE) == !ok);
    for (i = 0; i < 4; i++) {
        v = wshub_json_get(t, keys[i]);
        EXPECT(!v.ptr || (ok && wshub_json_check(v, 0) && v.ptr > t.ptr && v.ptr + v.len < t.ptr + t.len));
    }
    while (wshub_json_each(t, &it, &v)) EXPECT(ok && wshub_json_check(v, 0) && v.ptr > t.ptr && v.ptr + v.len < t.ptr + t.len);
    EXPECT(wshub_json_text(t, NULL, 0) == SIZE_MAX || (ok && wshub_json_type(t) == WSHUB_JSON_STRING));
    EXPECT((wshub_json_text(t, NULL, 0) == SIZE_MAX) == (wshub_json_copy(t, buf, sizeof buf, &len) == WSHUB_ERR_JSON));
    EXPECT(wshub_json_int(t, INT64_MIN, INT64_MAX, &n) == WSHUB_ERR_JSON || (ok && wshub_json_type(t) == WSHUB_JSON_NUMBER));
}
TEST(nothing_comes_out_of_what_is_no_json) { /* every cut, and every byte of every text replaced by every byte */
    size_t i, at;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strlen(texts[i]), k;
        for (at = 0; at <= n; at++) {
            char *cut = (char *)malloc(n + 8);
            memcpy(cut, texts[i], at);
            read_all(wshub__str(cut, at));
            memcpy(cut, texts[i], n);
            memcpy(cut + n, " x", 2);
            read_all(wshub__str(cut, n + 2));
            for (k = 0; at < n && k < 256; k++) {
                cut[at] = (char)k;
                read_all(wshub__str(cut, n));
            }
            free(cut);
        }
    }
}
TEST(what_does_not_fit_says_so) {
    static const struct {
        const char *text;
        int64_t min, max;
        int says; /* 0, or the error */
        int64_t n;
    } t[] = {
        {"0", 0, 0, 0, 0}, {"-0", 0, 9, 0, 0}, {"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX}, {"9223372036854775808", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0}, {"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN}, {"-9223372036854775809", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0},
        {"99999999999999999999999999999999999999999", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0}, {"-99999999999999999999999", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0}, {"18446744073709551616", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0}, {"11", 0, 10, WSHUB_ERR_LIMIT, 0}, {"-1", 0, 10, WSHUB_ERR_LIMIT, 0},
        {" 7 ", 0, 10, 0, 7}, {"-7", -7, 10, 0, -7}, {"1.0", 0, 10, WSHUB_ERR_JSON, 0}, {"1e1", 0, 10, WSHUB_ERR_JSON, 0}, {"01", 0, 10, WSHUB_ERR_JSON, 0}, {"-01", -9, 10, WSHUB_ERR_JSON, 0}, {"-", 0, 10, WSHUB_ERR_JSON, 0}, {"", 0, 10, WSHUB_ERR_JSON, 0}, {"+1", 0, 10, WSHUB_ERR_JSON, 0}, {"\"1\"", 0, 10, WSHUB_ERR_JSON, 0}, {"1 2", 0, 99, WSHUB_ERR_JSON, 0},
        {"99999999999999999999x", 0, 99, WSHUB_ERR_JSON, 0},
    };
    uint64_t u = 77;
    int64_t n;
    size_t i, len = 77;
    char buf[4];
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        n = 77;
        EXPECT_INT(wshub_json_int(S(t[i].text), t[i].min, t[i].max, &n), t[i].says);
        EXPECT_INT(n, t[i].says ? 77 : t[i].n);
    }
    EXPECT_INT(wshub_json_int(wshub__str(NULL, 0), 0, 9, &n), WSHUB_ERR_JSON);
    EXPECT(!wshub_json_uint(S("9007199254740992"), &u) && !wshub_json_uint(S(" -0"), &u) && u == 77);
    EXPECT_INT(wshub_json_copy(S("\"abc\""), buf, 4, &len), WSHUB_OK);
    EXPECT(len == 3 && strcmp(buf, "abc") == 0);
    EXPECT_INT(wshub_json_copy(S("\"abcd\""), buf, 4, &len), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_json_copy(S("\"\\u00e4\\u00f6\""), buf, 4, &len), WSHUB_ERR_LIMIT); /* 4 bytes of UTF-8 and the terminator */
    EXPECT_INT(wshub_json_copy(S("\"\\u0000\""), buf, 4, &len), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_json_copy(S("\"a\\u000"), buf, 4, &len), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_json_copy(S("7"), buf, 4, &len), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_json_copy(S("\"\""), buf, 0, &len), WSHUB_ERR_LIMIT);
    EXPECT(len == 3 && strcmp(buf, "abc") == 0); /* a failed call changes nothing */
    {
        char roomy[16];
        EXPECT_INT(wshub_json_copy(S("\"\\\\u0000\""), roomy, sizeof roomy, NULL), WSHUB_OK); /* a backslash, and letters */
        EXPECT(strcmp(roomy, "\\u0000") == 0);
        EXPECT_INT(wshub_json_copy(S("\"\\n\\u0001\""), roomy, sizeof roomy, NULL), WSHUB_OK);
    }
}

/* ---- handles ---- */

static wshub_ask asked[2];
static wshub_request requested[2];
static int which;
static void keep_ask(wshub *hub, wshub_ask a, const wshub_auth *x, void *user) {
    (void)hub;
    (void)x;
    (void)user;
    asked[which] = a;
}
static bool keep_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    requested[which] = r;
    return true;
}
static void no_fire(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}
static uint64_t other_chance = 1;
static bool chance(void *ctx, uint8_t *bytes, size_t n) {
    (void)ctx;
    for (; n; n--) {
        other_chance = other_chance * 6364136223846793005u + 1442695040888963407u;
        *bytes++ = (uint8_t)(other_chance >> 56);
    }
    return true;
}
TEST(handles_belong_to_one_hub) {
    int round;
    for (round = 0; round < 50; round++) {
        world w[2];
        wshub_io io[2];
        wshub_client c[2];
        wshub_timer t[2];
        wshub_msg m = msg("secret", "1");
        wshub_reply r;
        wshub_stats st;
        wshub_iter it = {0, 0};
        wshub_str room;
        char text[8];
        int k;
        memset(&r, 0, sizeof r);
        r.status = 200;
        for (k = 0; k < 2; k++) {
            wshub_desc d = DESC(.on_authenticate = keep_ask, .on_request = keep_request);
            wshub_iter all = {0, 0};
            which = k;
            memset(&w[k], 0, sizeof w[k]);
            EXPECT_INT(wshub_io_fake_create(NULL, &w[k].net), WSHUB_OK);
            io[k] = *wshub_io_fake_io(w[k].net);
            io[k].random = chance;
            d.io = &io[k];
            EXPECT_INT(wshub_create(&d, &w[k].hub), WSHUB_OK);
            wshub_io_fake_text(w[k].net, wshub_io_fake_connect(w[k].net, "/ws"), "{\"event\":\"authenticate\"}");
            wshub_io_fake_input(w[k].net, wshub_io_fake_open(w[k].net), "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
            EXPECT(wshub_client_each(w[k].hub, &all, &c[k]));
            EXPECT_INT(wshub_timer_start(w[k].hub, 1000, no_fire, NULL, &t[k]), WSHUB_OK);
            EXPECT(c[k].id >> 32 && !(c[k].id >> 63) && !(asked[k].id >> 63) && !(t[k].id >> 63) && !(requested[k].id >> 63)); /* far from retirement */
        }
        for (k = 0; k < 3; k++) { /* of the first, and of nobody, in the second: every function that takes one */
            wshub *hub = w[1].hub;
            wshub_client who = k ? (wshub_client){0} : c[0];
            wshub_ask ask = k ? (wshub_ask){0} : asked[0];
            EXPECT_INT(wshub_client_state(hub, who), WSHUB_CLIENT_DISCONNECTED);
            EXPECT(!wshub_client_id(hub, who).ptr && !wshub_client_user_id(hub, who).ptr && !wshub_client_metadata(hub, who).ptr && !wshub_client_is_encrypted(hub, who) && !wshub_client_is_pressured(hub, who));
            EXPECT(!wshub_client_queued_bytes(hub, who) && !wshub_client_user_ptr(hub, who) && !wshub_client_peer(hub, who, text, sizeof text) && !wshub_client_in_room(hub, who, S("a")) && !wshub_client_each_room(hub, who, &it, &room));
            EXPECT_INT(wshub_client_set_user_ptr(hub, who, hub), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_set_metadata(hub, who, S("1")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_close(hub, who, 1000, S("")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_encrypt(hub, who), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_join(hub, who, S("a")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_leave(hub, who, S("a")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_send(hub, who, &m), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_client_send_binary(hub, who, NULL, 0), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_auth_accept(hub, ask, NULL), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_handshake_accept(hub, ask, S(""), S("")), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_join_accept(hub, ask, NULL, 0), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_transform_accept(hub, ask, NULL), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_timer_stop(hub, k ? (wshub_timer){0} : t[0]), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_http_reply(hub, k ? (wshub_request){0} : requested[0], &r), WSHUB_ERR_STALE);
            (void)wshub_post_client_send(hub, who, &m);
            (void)wshub_post_close(hub, who, 1000, S(""));
            (void)wshub_post_auth_accept(hub, ask, NULL);
            (void)wshub_post_ask_reject(hub, ask);
            wshub_io_fake_run(w[1].net);
            wshub_stats_get(hub, &st);
            EXPECT(st.clients == 1 && st.authenticated == 0 && st.auth_rejected == 0 && st.messages_out == 0);
        }
        EXPECT_INT(wshub_auth_accept(w[1].hub, asked[1], NULL), WSHUB_OK); /* its own are its own still */
        EXPECT_INT(wshub_http_reply(w[1].hub, requested[1], &r), WSHUB_OK);
        EXPECT_INT(wshub_timer_stop(w[1].hub, t[1]), WSHUB_OK);
        for (k = 0; k < 2; k++) {
            wshub_destroy(w[k].hub);
            wshub_io_fake_destroy(w[k].net);
        }
    }
}

/* ---- randomness that fails ---- */

static int lies; /* 0: it says no; 1: it gives the same bytes for ever */
static bool poor(void *ctx, uint8_t *bytes, size_t n) {
    (void)ctx;
    memset(bytes, 7, n);
    return lies != 0 || n == 32; /* creation is the one time that it has some */
}
TEST(no_id_is_given_twice) { /* CONN-1 */
    enum { MANY = 700 };
    static char ids[MANY][37];
    int i, k, n;
    for (lies = 0; lies < 2; lies++) {
        world w;
        wshub_io io;
        wshub_desc d = DESC(.on_authenticate = accept_all);
        memset(&w, 0, sizeof w);
        EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
        io = *wshub_io_fake_io(w.net);
        io.random = poor;
        d.io = &io;
        EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
        for (n = 0; n < MANY; n++) {
            wshub_iter it = {0, 0};
            wshub_client c;
            wshub_conn conn = wshub_io_fake_connect(w.net, "/ws");
            EXPECT(wshub_client_each(w.hub, &it, &c));
            (void)snprintf(ids[n], sizeof ids[n], "%.36s", wshub_client_id(w.hub, c).ptr);
            wshub_io_fake_end(w.net, conn); /* nor is that of one who is gone */
        }
        for (i = 0; i < n; i++) {
            for (k = 0; k < i; k++) EXPECT(strcmp(ids[i], ids[k]) != 0);
        }
        wshub_destroy(w.hub);
        wshub_io_fake_destroy(w.net);
    }
    { /* and should one come up that is here, its upgrade is refused: no assertion, no endless loop */
        world w;
        uint8_t kept[256];
        uint32_t left;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        (void)wshub_io_fake_connect(w.net, "/ws");
        memset(w.hub->random, 1, sizeof kept);
        w.hub->random_left = left = 64;
        (void)wshub_io_fake_connect(w.net, "/ws");
        memset(w.hub->random, 1, sizeof kept);
        w.hub->random_left = left;
        (void)wshub_io_fake_connect(w.net, "/ws");
        EXPECT_INT(stats(&w).upgrades, 2);
        EXPECT_INT(stats(&w).upgrades_refused, 1);
        w.hub->random_left = 0;
        (void)wshub_io_fake_connect(w.net, "/ws");
        EXPECT_INT(stats(&w).upgrades, 3);
        world_stop(&w);
    }
}

/* ---- rooms of others (ROOM-1) ---- */

TEST(own_rooms_are_asked_for_by_nobody_else) {
    world w;
    char a[37], b[37], text[200];
    wshub_conn conns[2];
    wshub_msg m = msg("private", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all), FAKE(0));
    conns[0] = world_client(&w, NULL, a);
    conns[1] = world_client(&w, NULL, b);
    (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\",\"%s\",\"lobby\"]}}", a, b);
    wshub_io_fake_text(w.net, conns[1], text);
    EXPECT_INT(wshub_room_count(w.hub, S(a)), 1);
    EXPECT_INT(wshub_room_count(w.hub, S(b)), 1);
    EXPECT_INT(wshub_room_count(w.hub, S("lobby")), 1);
    EXPECT_INT(wshub_room_send(w.hub, S(a), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, conns[0], "{\"event\":\"private\",\"data\":1}");
    EXPECT_SILENCE(&w, conns[1]);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, b), S(a)), WSHUB_OK); /* the application may (ROOM-4) */
    EXPECT_INT(wshub_room_count(w.hub, S(a)), 2);
    (void)snprintf(text, sizeof text, "{\"event\":\"leave\",\"data\":{\"rooms\":[\"%s\"]}}", a);
    wshub_io_fake_text(w.net, conns[1], text); /* and who was put there may leave */
    EXPECT_INT(wshub_room_count(w.hub, S(a)), 1);
    world_stop(&w);
}

/* ---- a failed call changes nothing ---- */

static wshub_ask open_ask;
static void keep_open(wshub *hub, wshub_ask a, const wshub_auth *x, void *user) {
    (void)user;
    open_ask = a;
    EXPECT_INT(wshub_client_set_metadata(hub, x->client, S("\"before\"")), WSHUB_OK);
}
static void keep_keys(wshub *hub, wshub_ask a, const wshub_handshake *h, void *user) {
    (void)hub;
    (void)a;
    (void)h;
    (void)user;
}
static void pass(wshub *hub, wshub_ask a, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    (void)user;
    (void)wshub_transform_accept(hub, a, NULL);
}
TEST(an_accept_that_fails_changes_nothing) { /* every allocation of it fails once, with and without keys to agree */
    int keys;
    for (keys = 0; keys < 2; keys++) {
        long nth;
        int done = 0;
        for (nth = 1; nth < 40 && !done; nth++) {
            world w;
            wshub_client c = {0};
            wshub_iter it = {0, 0};
            wshub_identity who = {S("ann"), S("{\"role\":\"admin\"}")};
            wshub_err err;
            world_start(&w, DESC(.on_authenticate = keep_open, .on_handshake = keys ? keep_keys : NULL, .on_transform_out = pass, .require_encryption = keys != 0), FAKE(0));
            wshub_io_fake_text(w.net, wshub_io_fake_connect(w.net, "/ws"), "{\"event\":\"authenticate\"}");
            EXPECT(wshub_client_each(w.hub, &it, &c));
            w.fail_at = nth;
            err = wshub_auth_accept(w.hub, open_ask, &who);
            w.fail_at = 0;
            if (err) {
                EXPECT_INT(err, WSHUB_ERR_NOMEM);
                EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "\"before\""));
                EXPECT_INT(wshub_client_state(w.hub, c), WSHUB_CLIENT_AUTHENTICATING);
                EXPECT_INT(wshub_user_count(w.hub, S("ann")), 0);
                EXPECT_INT(wshub_room_count(w.hub, S("ws-default")), 0);
                EXPECT_INT(wshub_auth_accept(w.hub, open_ask, &who), WSHUB_OK); /* the question is open still */
            } else {
                done = nth > 2;
            }
            EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "{\"role\":\"admin\"}"));
            EXPECT_INT(wshub_user_count(w.hub, S("ann")), keys ? 0 : 1);
            world_stop(&w);
        }
        EXPECT(done);
    }
}
TEST(a_drain_that_fails_can_be_tried_again) {
    world w;
    world_start(&w, DESC(0), FAKE(0));
    w.fail_at = 1;
    EXPECT_INT(wshub_drain(w.hub, 5, 1001, S("later")), WSHUB_ERR_NOMEM);
    EXPECT(!wshub_is_draining(w.hub));
    EXPECT_INT(wshub_drain(w.hub, 5, 1001, S("later")), WSHUB_OK);
    world_stop(&w);
}

/* ---- posts ---- */

TEST(posts_are_checked_at_the_door) {
    static const char bad_utf8[] = "\xFF", no_json[] = "{\"a\":";
    world w;
    wshub_ask ask = {UINT64_C(1) << 32};
    wshub_client c = {UINT64_C(1) << 32};
    wshub_dest to;
    wshub_identity who;
    wshub_msg m = msg("e", no_json);
    wshub_str names[2], many[3];
    uint64_t held;
    world_start(&w, DESC(.post_bytes_max = 5000), FAKE(0));
    held = w.bytes;
    EXPECT_INT(wshub_post_send(w.hub, NULL, &m), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_post_client_send(w.hub, c, &m), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &m), WSHUB_ERR_JSON);
    m = msg(bad_utf8, "1");
    EXPECT_INT(wshub_post_send(w.hub, NULL, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_client_send(w.hub, c, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &m), WSHUB_ERR_PARAM);
    m = msg("e", "1");
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_ROOM;
    to.name = S(bad_utf8);
    EXPECT_INT(wshub_post_send(w.hub, &to, &m), WSHUB_ERR_PARAM);
    who.user_id = S(bad_utf8);
    who.metadata = S("1");
    EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_ERR_PARAM);
    who.user_id = S("u");
    who.metadata = S(no_json);
    EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_post_handshake_accept(w.hub, ask, S(bad_utf8), S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_handshake_accept(w.hub, ask, S(""), S(bad_utf8)), WSHUB_ERR_PARAM);
    names[0] = S("a");
    names[1] = S("");
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, names, 2), WSHUB_ERR_PARAM);
    names[1] = S(bad_utf8);
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, names, 2), WSHUB_ERR_PARAM);
    /* lengths whose sum wraps, and counts */
    many[0] = many[1] = many[2] = wshub__str("", SIZE_MAX / 2 + 1);
    {
        wshub__post p = wshub__post_make(WSHUB__POST_JOIN, 0);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 2, NULL, 0), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 3, many, 1), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, SIZE_MAX / sizeof(wshub_str), NULL, 0), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, NULL, 0, many, SIZE_MAX), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 1, many, SIZE_MAX), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 300, NULL, 0), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 5000 / sizeof(wshub_str), NULL, 0), WSHUB_ERR_LIMIT); /* their list alone, with what it is in */
    }
    EXPECT_INT(w.bytes, held);
    EXPECT_INT(w.hub->posted_bytes, 0);
    /* each fits, together they do not; what is carried out makes room */
    {
        static char big[3000];
        memset(big, '1', sizeof big);
        who.user_id = S("u");
        who.metadata = wshub__str(big, sizeof big);
        EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_OK);
        EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_ERR_LIMIT);
        wshub_io_fake_run(w.net);
        EXPECT_INT(w.hub->posted_bytes, 0);
        EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_OK);
    }
    world_stop(&w);
}

/* ---- what is dropped is logged (SEND-6) ---- */

static int drop_lines, drop_told;
static void drop_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    drop_lines += l->code == WSHUB_LOG_DROPPED;
}
static void drop_tell(wshub *hub, wshub_client c, wshub_pressure what, size_t n, void *user) {
    (void)hub;
    (void)c;
    (void)n;
    (void)user;
    drop_told += what == WSHUB_PRESSURE_DROPPED;
}
TEST(what_is_dropped_is_logged_by_whatever_callbacks_there_are) {
    int k;
    for (k = 0; k < 4; k++) {
        world w;
        wshub_conn c;
        char id[37];
        wshub_msg m = msg("e", "\"0123456789\"");
        int i;
        drop_lines = drop_told = 0;
        world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 100, .on_log = k & 1 ? drop_log : NULL, .on_pressure = k & 2 ? drop_tell : NULL), FAKE(0));
        c = world_client(&w, NULL, id);
        wshub_io_fake_window(w.net, c, 0);
        for (i = 0; i < 10; i++) {
            (void)wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0);
            wshub_io_fake_run(w.net);
        }
        EXPECT(stats(&w).dropped_pressure > 0);
        EXPECT_INT(drop_lines > 0, k & 1);
        EXPECT_INT(drop_told > 0, k >> 1);
        world_stop(&w);
    }
}

/* ---- a hub that ends while it is made ---- */

static wshub_bus_state bus_says;
static int bus_left, bus_told;
static wshub_err bus_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (!owner) bus_left++;
    else owner->state(owner->ctx, bus_says);
    return WSHUB_OK;
}
static size_t bus_publish(void *ctx, const wshub_bus_msg *m, size_t n) {
    (void)ctx;
    (void)m;
    return n;
}
static bool bus_subscribe(void *ctx, const wshub_bus_channel *c, size_t n) {
    (void)ctx;
    (void)c;
    (void)n;
    return true;
}
static void end_hub(wshub *hub, wshub_bus_state s, uint64_t ms, void *user) {
    (void)s;
    (void)ms;
    (void)user;
    bus_told++;
    wshub_destroy(hub);
}
TEST(a_level_of_nesting_is_a_level) { /* MSG-9: what data travels in is one, so at json_depth_max 1 data is flat */
    static const char *const flat[] = {"1", "\"x\"", "null", " true "}, *const not_flat[] = {"{}", "[]", " {\"a\":1}", "[1", "x", "\"x"};
    world w;
    size_t i;
    world_start(&w, DESC(.json_depth_max = 1), FAKE(0));
    for (i = 0; i < 4; i++) {
        wshub_msg m = msg("e", flat[i]);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    }
    for (i = 0; i < 6; i++) {
        wshub_msg m = msg("e", not_flat[i]);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_ERR_JSON);
    }
    world_stop(&w);
}

TEST(an_io_need_not_know_whose_it_is) { /* wshub_io.taken NULL: the application sees to it */
    wshub_io io;
    wshub *hub = NULL;
    wshub_desc d;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    io = *wshub_io_fake_io(net);
    io.taken = NULL;
    memset(&d, 0, sizeof d);
    d.io = &io;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
}

TEST(a_hub_destroyed_by_a_report_of_its_bus_while_it_is_made) {
    world w;
    wshub_bus bus;
    wshub_desc d = DESC(.bus = &bus, .on_bus = end_hub, .alloc = world_alloc, .alloc_user = &w);
    memset(&w, 0, sizeof w);
    memset(&bus, 0, sizeof bus);
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = bus_attach;
    bus.publish = bus_publish;
    bus.subscribe = bus.unsubscribe = bus_subscribe;
    EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
    d.io = wshub_io_fake_io(w.net);
    bus_left = bus_told = 0;
    bus_says = WSHUB_BUS_UP;
    EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_ERR_CLOSED);
    EXPECT(!w.hub && bus_told == 1 && bus_left == 1); /* and the bus is left once */
    EXPECT_INT(w.bytes, 0);
    d.on_bus = NULL;
    EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
    wshub_destroy(w.hub);
    EXPECT_INT(bus_left, 2);
    wshub_io_fake_destroy(w.net);
}
