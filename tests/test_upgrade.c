/* The upgrade to a WebSocket as the application decides it: subprotocols, refusals, origins
 * (CONN-1, CONN-2; RFC 6455 4, RFC 6454). */
#include "hubtest.h"

#define UPGRADE_HEAD                                                                               \
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "                              \
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
static int choose;
static void on_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    (void)hub;
    (void)h;
    EXPECT_INT(up->protocols_count, 2);
    up->protocol = choose;
    if (choose == 9) up->refuse = 403;
    up->user_ptr = user;
}

TEST(the_application_chooses_the_subprotocol_and_may_refuse) {
    static const char up[] = UPGRADE_HEAD "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n";
    world w;
    for (choose = -1; choose < 10; choose += choose == 1 ? 8 : 1) {
        wshub_conn c;
        const char *out;
        world_start(&w, DESC(.on_upgrade = on_upgrade), FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, up, sizeof up - 1);
        out = wshub_io_fake_output(w.net, c).ptr;
        if (choose == -1) EXPECT(strstr(out, " 101 ") && !strstr(out, "WebSocket-Protocol"));
        if (choose == 0) EXPECT_HAS(out, "Sec-WebSocket-Protocol: chat\r\n");
        if (choose == 1) EXPECT_HAS(out, "Sec-WebSocket-Protocol: superchat\r\n");
        if (choose == 9) EXPECT_HAS(out, " 403 ");
        world_stop(&w);
    }
}

TEST(an_upgrade_that_wants_memory_is_refused_as_one) { /* CONN-2 */
    static const char up[] = UPGRADE_HEAD "\r\n";
    long nth;
    int refused = 0;
    for (nth = 1; nth < 12; nth++) {
        world w;
        wshub_conn c;
        const char *out;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        c = wshub_io_fake_open(w.net);
        w.fail_at = nth;
        wshub_io_fake_input(w.net, c, up, sizeof up - 1);
        w.fail_at = 0;
        out = wshub_io_fake_output(w.net, c).ptr;
        if (strstr(out, " 500 ")) {
            refused++;
            EXPECT_INT(stats(&w).upgrades_refused, 1);
            EXPECT_HAS(out, "WebSocket upgrade failed\n");
        } else {
            EXPECT_INT(stats(&w).upgrades_refused, 0);
        }
        world_stop(&w);
    }
    EXPECT_OP(refused, >, 0);
}

static wshub_upgrade decide;
static void decide_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    up->protocol = decide.protocol;
    up->refuse = decide.refuse;
    if (decide.user_ptr) wshub_destroy(hub);
}
#define UPGRADE_FROM_ANY                                                                           \
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "                              \
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "                                \
    "dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://any\r\n"

TEST(upgrades_as_the_application_decides) {
    static const struct {
        int refuse, protocol;
        const char *status;
    } t[] = {{0, 0, " 101 "},   {0, -1, " 101 "},  {0, 2, " 101 "},   {0, 99, " 101 "},
             {403, 0, " 403 "}, {429, 0, " 429 "}, {399, 0, " 403 "}, {600, 0, " 403 "},
             {-1, 0, " 403 "},  {599, 0, " 599 "}};
    size_t i;
    world w;
    wshub_conn c;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world_start(&w, DESC(.on_upgrade = decide_upgrade), FAKE(0));
        decide.refuse = t[i].refuse;
        decide.protocol = t[i].protocol;
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, UPGRADE_FROM_ANY "Sec-WebSocket-Protocol: a, b\r\n\r\n",
                            sizeof UPGRADE_FROM_ANY "Sec-WebSocket-Protocol: a, b\r\n\r\n" - 1);
        EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, t[i].status);
        EXPECT(!strstr(wshub_io_fake_output(w.net, c).ptr, "Protocol: ") == (i != 0));
        world_stop(&w);
    }
    world_start(&w, DESC(.on_upgrade = decide_upgrade), FAKE(0));
    decide.user_ptr = &w;
    c = wshub_io_fake_open(w.net);
    w.hub = NULL; /* it ends in the callback */
    wshub_io_fake_input(w.net, c, UPGRADE_FROM_ANY "\r\n", sizeof UPGRADE_FROM_ANY + 1);
    decide.user_ptr = NULL;
    world_stop(&w);
}

TEST(origins_match_whole_labels) { /* CSWSH: exact, or a star for whole labels */
    static const struct {
        const char *origin, *rule;
        bool ok;
        /* clang-format off */
    } cases[] = {
        {"https://a.com", "https://a.com", true},
        {"HTTPS://A.com", "https://a.com", true},
        {"http://a.com", "https://a.com", false},
        {"https://a.com:8443", "https://a.com", false},
        {"https://a.com:8443", "https://a.com:8443", true},
        {"https://a.com.evil.org", "https://a.com", false},
        {"https://evila.com", "https://a.com", false},
        {"null", "null", true},
        {"null", "https://a.com", false},
        {"https://x.a.com", "https://*.a.com", true},
        {"https://x.y.a.com", "https://*.a.com", true},
        {"https://a.com", "https://*.a.com", false},
        {"https://evila.com", "https://*.a.com", false},
        {"https://.a.com", "https://*.a.com", false},
        {"https://x..a.com", "https://*.a.com", false},
        {"https://evil.org/.a.com", "https://*.a.com", false},
        {"https://u@x.a.com", "https://*.a.com", false},
        {"https://evil.org#.a.com", "https://*.a.com", false},
        {"https://x.a.com:1", "https://*.a.com", false},
        {"https://x.a.com:1", "https://*.a.com:1", true},
        {"http://x.a.com", "https://*.a.com", false},
        {"https://[::1]", "https://[::1]", true},
        {"", "https://a.com", false},
        {"https://x.a.com.", "https://*.a.com", false},
        {"https://evil.org%2f.a.com", "https://*.a.com", false},
        {"https://x.a.comx", "https://*.a.com", false},
        {"https://evil.org\\.a.com", "https://*.a.com", false},
        {"https://evil.org:80.a.com", "https://*.a.com", false},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (wshub__origin_match(wshub_str_z(cases[i].origin), wshub_str_z(cases[i].rule)) ==
            cases[i].ok)
            continue;
        (void)printf("  %s against %s\n", cases[i].origin, cases[i].rule);
        EXPECT(!"an origin");
    }
}

/* CONN-2: an entry is refused, or lets somebody in, who says exactly that */
TEST(origins_that_no_browser_sends) {
    /* clang-format off */
    static const char *const never[] = {
        "", "*.example", "example.com", "https:", "https://", "://x", "1x://x", "https://x/",
        "https://x/path", "https://x?q", "https://x#f", "https://u@x", "https://x:443",
        "http://x:80", "https://x:", "https://x:0", "https://x:08", "https://x:65536",
        "https://x:123456", "https://x:8a", "https://*", "https://*.", "https://*x",
        "https://a.*.b", "https://*.[::1]", "https://[::1", "https://[::1]x", "https://[zz]",
        "https://x..y", "https://.x", "https://x y", " https://x", "https://x ", "ws://x",
        "wss://x", "file://x", "file:///", "nul", "h ttp://x", "h{ttp://x", "+h://x",
        "https://x,https://y", "**",
    };
    static const char *const good[] = {
        "https://x", "http://x:443", "https://x:80", "https://x:1", "https://x:65535",
        "https://*.x", "https://*.x:8443", "null", "*", "file://", "chrome-extension://abcdef",
        "capacitor://localhost", "https://[::1]", "https://[::1]:8080", "https://127.0.0.1:3000",
        "HTTPS://X", "https://x.", "https://xn--bcher-kva.example", "https://a_b.example",
        "moz-extension://0-1", "web+app://x", "a.b2://x",
    };
    /* clang-format on */
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    for (i = 0; i < sizeof never / sizeof *never; i++) {
        if (!is_refused((wshub_desc){.allowed_origins = &never[i], .allowed_origins_count = 1},
                        "allowed_origins")) {
            test_failures++;
            (void)printf("  `%s` is taken\n", never[i]);
        }
    }
    wshub_io_fake_destroy(refusal_net);
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        char ask[300], said[64];
        const char *star = strstr(good[i], "*.");
        world w;
        wshub_conn c;
        (void)snprintf(said, sizeof said, "%.*s%s%s", star ? (int)(star - good[i]) : 63, good[i],
                       star ? "a.b" : "", star ? star + 1 : "");
        world_start(&w, DESC(.allowed_origins = &good[i], .allowed_origins_count = 1), FAKE(0));
        c = wshub_io_fake_open(w.net);
        (void)snprintf(ask, sizeof ask,
                       "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: "
                       "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                       "dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: %s\r\n\r\n",
                       said);
        wshub_io_fake_input(w.net, c, ask, strlen(ask));
        EXPECT_INT(stats(&w).upgrades, 1);
        if (!stats(&w).upgrades) (void)printf("  `%s` does not let `%s` in\n", good[i], said);
        c = wshub_io_fake_open(w.net);
        (void)snprintf(ask, sizeof ask,
                       "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: "
                       "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                       "dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://evil.test\r\n\r\n");
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

/* CONN-2: NULL any, with a warning; `*` any, said so; an empty list nobody */
TEST(no_list_any_list_empty_list) {
    static const char *const any[] = {"*"}, *const none[] = {NULL};
    static const char page[] = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: "
                               "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                               "dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://x\r\n\r\n";
    int k;
    for (k = 0; k < 3; k++) {
        world w;
        warned = 0;
        world_start(&w,
                    DESC(.on_log = count_open,
                         .allowed_origins = k == 0   ? NULL
                                            : k == 1 ? any
                                                     : none,
                         .allowed_origins_count = k == 1 ? 1 : 0),
                    FAKE(0));
        wshub_io_fake_input(w.net, wshub_io_fake_open(w.net), page, sizeof page - 1);
        EXPECT_INT(stats(&w).upgrades, k == 2 ? 0 : 1);
        EXPECT_INT(warned, k == 0 ? 1 : 0);
        EXPECT(wshub_io_fake_connect(w.net, "/ws").id); /* no page */
        EXPECT_INT(stats(&w).upgrades, k == 2 ? 1 : 2);
        world_stop(&w);
    }
}
