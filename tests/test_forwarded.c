/* Behind a proxy: whose word on whom it speaks for is taken, how far a list of addresses is
 * believed, and what the hub calls a client from there on (PROXY-2 to PROXY-4). */
#define _GNU_SOURCE
#include "mounted.h"
#include "walled.h"

#define RANGES_MAX 8

/* Whom a request with these lines is for, as an address in words. trusted: ranges with blanks
 * between them. *out_bad: the field that ended the walk; "": none did. */
static const char *client_of(const char *trusted, const char *header, const char *hop,
                             const char *lines, const char **out_bad) {
    static char out[WSHUB_ADDRESS_BYTES], bad_text[4096];
    wshub_address_range ranges[RANGES_MAX];
    wshub__proxies proxies;
    wshub_header headers[20];
    wshub_http http;
    wshub_address from, client;
    char head[4096], list[200], *one, *next = list;
    const char *why;
    wshub_str text, bad;
    memset(&proxies, 0, sizeof proxies);
    proxies.ranges = ranges;
    proxies.header = wshub_str_z(header);
    (void)snprintf(list, sizeof list, "%s", trusted);
    while ((one = strsep(&next, " ")) != NULL)
        EXPECT(wshub_address_range_read(wshub_str_z(one), &ranges[proxies.count++]));
    (void)snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", lines);
    text = W(head);
    EXPECT_INT(wshub__http_parse((const uint8_t *)text.ptr, text.len, headers, 20, &http, &why), 0);
    EXPECT(wshub_address_read(wshub_str_z(hop), &from));
    client = wshub__forwarded_client(&proxies, &http, from, &bad);
    (void)snprintf(bad_text, sizeof bad_text, "`%.*s`", (int)bad.len, bad.ptr ? bad.ptr : "");
    if (out_bad) *out_bad = bad.ptr ? bad_text : "";
    EXPECT(!client.port || wshub_address_eq(&client, &from));
    client.port = 0;
    (void)wshub_address_write(&client, out);
    return out;
}

typedef struct list_case {
    const char *hop, *lines, *want;
    bool bad; /* what was said could not be read to its end */
} list_case;

static void walk(const list_case *cases, size_t count, const char *trusted, const char *header) {
    size_t i;
    for (i = 0; i < count; i++) {
        const char *bad, *got = client_of(trusted, header, cases[i].hop, cases[i].lines, &bad);
        if (strcmp(got, cases[i].want) == 0 && (*bad != 0) == cases[i].bad) continue;
        test_fail(__FILE__, __LINE__);
        (void)printf("%s of %s: got %s (%s), expected %s\n", cases[i].lines, cases[i].hop, got, bad,
                     cases[i].want);
    }
}
#define WALK(cases, trusted, header) walk(cases, sizeof cases / sizeof *(cases), trusted, header)

#define P "10.0.0.2:40000"
#define X "X-Forwarded-For: "

TEST(a_list_is_walked_from_the_right_past_trusted_addresses) { /* PROXY-2 */
    static const list_case cases[] = {
        /* clang-format off */
        {P, X "9.9.9.9, 203.0.113.7\r\n", "203.0.113.7", false}, /* the leftmost is anybody's word */
        {P, X "9.9.9.9\r\n" X "203.0.113.7\r\n", "203.0.113.7", false}, /* lines are one list */
        {P, X "203.0.113.7\r\n" X "10.0.0.3\r\n", "203.0.113.7", false},
        {P, X "203.0.113.7, 10.0.0.4 , 10.0.0.3\r\n", "203.0.113.7", false},
        {P, X "9.9.9.9,203.0.113.7,10.0.0.4\r\nOther: 1.2.3.4\r\n" X "10.0.0.3\r\n", "203.0.113.7", false},
        {P, "x-forwarded-FOR: 203.0.113.7\r\n", "203.0.113.7", false},
        {P, "", "10.0.0.2", false}, /* nothing is said */
        {P, X "10.0.0.3, 10.0.0.4\r\n", "10.0.0.3", false}, /* all are trusted: the first one */
        {"203.0.113.7:80", X "9.9.9.9\r\n", "203.0.113.7", false}, /* of whom nobody trusts nothing is read */
        {"203.0.113.7:80", X "rubbish\r\n", "203.0.113.7", false},
        {"[::ffff:10.0.0.2]:80", X "203.0.113.7\r\n", "203.0.113.7", false}, /* PROXY-1 */
        {P, X "203.0.113.7, ::ffff:10.0.0.3\r\n", "203.0.113.7", false},
        {"unix", X "203.0.113.7\r\n", "203.0.113.7", false},
        /* clang-format on */
    };
    WALK(cases, "10.0.0.0/8 unix", "X-Forwarded-For");
}

TEST(a_list_ends_at_what_cannot_be_read) { /* PROXY-3 */
    static const list_case cases[] = {
        /* clang-format off */
        {P, X "9.9.9.9, unknown\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9, unknown, 10.0.0.3\r\n", "10.0.0.3", true}, /* the last before it */
        {P, X "9.9.9.9, unknown, 203.0.113.7\r\n", "203.0.113.7", false}, /* it is not come to */
        {P, X "9.9.9.9,\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9,, 10.0.0.3\r\n", "10.0.0.3", true},
        {P, X ", 10.0.0.3\r\n", "10.0.0.3", true},
        {P, X "\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9\r\n" X "\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9\r\n" X "  \r\n" X "10.0.0.3\r\n", "10.0.0.3", true},
        {P, X "9.9.9.9, unix\r\n", "10.0.0.2", true}, /* only the io can say that */
        {P, X "9.9.9.9, unix:\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9 10.0.0.3\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9;10.0.0.3\r\n", "10.0.0.2", true},
        {P, X "\"9.9.9.9\"\r\n", "10.0.0.2", true},
        {P, X "for=9.9.9.9\r\n", "10.0.0.2", true}, /* that is the other header's form */
        {P, X "010.0.0.3\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9, 10.0.0.300\r\n", "10.0.0.2", true},
        {P, X "localhost\r\n", "10.0.0.2", true},
        {P, X "9.9.9.9, 10.0.0.3\xC2\xA0\r\n", "10.0.0.2", true},
        /* clang-format on */
    };
    WALK(cases, "10.0.0.0/8 unix", "X-Forwarded-For");
}

TEST(ports_and_brackets_go_from_a_list) { /* PROXY-1 */
    static const list_case cases[] = {
        /* clang-format off */
        {P, X "203.0.113.7:61598\r\n", "203.0.113.7", false},
        {P, X "[2001:db8::1]:443\r\n", "2001:db8::1", false},
        {P, X "[2001:db8::1]\r\n", "2001:db8::1", false},
        {P, X "2001:db8::1\r\n", "2001:db8::1", false}, /* not cut at its last colon */
        {P, X "2001:db8::1, 10.0.0.3:80\r\n", "2001:db8::1", false},
        {P, X "::ffff:203.0.113.7\r\n", "203.0.113.7", false},
        {P, X "203.0.113.7:\r\n", "10.0.0.2", true},
        {P, X "203.0.113.7:080\r\n", "10.0.0.2", true},
        {P, X "2001:db8::1]:443\r\n", "10.0.0.2", true},
        /* clang-format on */
    };
    WALK(cases, "10.0.0.0/8", "X-Forwarded-For");
    WALK(((const list_case[]){
             {"[2001:db8:a::1]:443", X "9.9.9.9, [2001:db8:a::2]:1\r\n", "9.9.9.9", false}}),
         "2001:db8:a::/48", "X-Forwarded-For");
    WALK(((const list_case[]){
             {P, "CF-Connecting-IP: 203.0.113.7\r\n" X "9.9.9.9\r\n", "203.0.113.7", false}}),
         "10.0.0.0/8", "CF-Connecting-IP");
}

#define F "Forwarded: "

TEST(forwarded_has_names_nodes_and_quotes) { /* PROXY-2, PROXY-3, RFC 7239 4 and 6 */
    static const list_case cases[] = {
        /* clang-format off */
        {P, F "for=203.0.113.7\r\n", "203.0.113.7", false},
        {P, F "For=\"[2001:db8::1]:4711\";Proto=https\r\n", "2001:db8::1", false},
        {P, F "FOR=\"203.0.113.7:80\";by=\"_x\";host=\"a,b;for=1.1.1.1\"\r\n", "203.0.113.7", false},
        {P, F "proto=https;by=_y;for=203.0.113.7\r\n", "203.0.113.7", false},
        {P, F "for=9.9.9.9, for=203.0.113.7;proto=http, for=10.0.0.3\r\n", "203.0.113.7", false},
        {P, F "for=9.9.9.9\r\n" F "for=203.0.113.7\r\n", "203.0.113.7", false},
        {P, F "for=\"192.0.2.1:_p\"\r\n", "192.0.2.1", false}, /* a port may be hidden */
        {P, F "for=\"192.0.2.1:_a.B-9_\"\r\n", "192.0.2.1", false},
        {P, F "for=\"192.0.2.1:99999\"\r\n", "192.0.2.1", false}, /* five digits, as the grammar has it */
        {P, F "for=\"[::ffff:192.0.2.1]\"\r\n", "192.0.2.1", false},
        {P, F "for=192.0.2.1 ; proto=http ,for=10.0.0.3\t\r\n", "192.0.2.1", false},
        {P, F ";for=192.0.2.1;;proto=http;\r\n", "192.0.2.1", false}, /* pairs may be empty */
        {P, F "host=\"a\\\"b\\\\\";for=192.0.2.1\r\n", "192.0.2.1", false},
        {P, F "for=192.0.2.1;host=\"a\\\"; for=1.1.1.1;x=\\\"\"\r\n", "192.0.2.1", false},
        {P, F "for=192.0.2.1;host=\"\"\r\n", "192.0.2.1", false},

        /* no address, though right */
        {P, F "for=9.9.9.9, for=unknown\r\n", "10.0.0.2", true},
        {P, F "for=9.9.9.9, for=_h\r\n", "10.0.0.2", true},
        {P, F "for=9.9.9.9, for=\"_h:_p\", for=10.0.0.3\r\n", "10.0.0.3", true},
        {P, F "for=9.9.9.9, proto=http\r\n", "10.0.0.2", true},

        /* wrong */
        {P, F "for=2001:db8::1\r\n", "10.0.0.2", true}, /* a colon is in no token */
        {P, F "for=[2001:db8::1]\r\n", "10.0.0.2", true},
        {P, F "for=\"2001:db8::1\"\r\n", "10.0.0.2", true}, /* no brackets */
        {P, F "for=\"[192.0.2.1]\"\r\n", "10.0.0.2", true},
        {P, F "for=192.0.2.1:80\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1:\"\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1:_\"\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1:_a!\"\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1:123456\"\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1:8a\"\r\n", "10.0.0.2", true},
        {P, F "for=\"[::1]8\"\r\n", "10.0.0.2", true},
        {P, F "for=\"[::1%25eth0]\"\r\n", "10.0.0.2", true},
        {P, F "for=\"[::1\"\r\n", "10.0.0.2", true},
        {P, F "for=\"\"\r\n", "10.0.0.2", true},
        {P, F "for=\"unix\"\r\n", "10.0.0.2", true},
        {P, F "for=\r\n", "10.0.0.2", true},
        {P, F "for\r\n", "10.0.0.2", true},
        {P, F "=1.2.3.4\r\n", "10.0.0.2", true},
        {P, F "\"\"\r\n", "10.0.0.2", true},
        {P, F "\"\r\n", "10.0.0.2", true},
        {P, F "\\\"\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1\r\n", "10.0.0.2", true},
        {P, F "for=192.0.2.1\"\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1\\\"\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.\\1\"\r\n", "10.0.0.2", true},
        {P, F "for = 192.0.2.1\r\n", "10.0.0.2", true},
        {P, F "for=\"192.0.2.1\"by=_x\r\n", "10.0.0.2", true},
        {P, F "for=192.0.2.1 by=_x\r\n", "10.0.0.2", true},
        {P, F "for=192.0.2.1;for=9.9.9.9\r\n", "10.0.0.2", true}, /* said twice */
        {P, F "203.0.113.7\r\n", "10.0.0.2", true}, /* that is the other header's form */
        {P, F "for=9.9.9.9,\r\n", "10.0.0.2", true},
        {P, F "for=9.9.9.9,, for=10.0.0.3\r\n", "10.0.0.3", true},
        {P, F ", for=10.0.0.3\r\n", "10.0.0.3", true},
        {P, F ";, for=10.0.0.3\r\n", "10.0.0.3", true},
        {P, F "\r\n", "10.0.0.2", true},
        /* clang-format on */
    };
    WALK(cases, "10.0.0.0/8", "Forwarded");
    WALK(((const list_case[]){{P, "forwarded: For=203.0.113.7\r\n", "203.0.113.7", false}}),
         "10.0.0.0/8", "fORWARDED");
}

/* A quote that a client leaves open would swallow, for who reads from the left, what its proxy has
 * added behind it. */
TEST(what_a_client_has_sent_takes_nothing_from_what_its_proxy_adds) { /* PROXY-2 */
    static const char *const sent[] = {
        /* clang-format off */
        "for=\"9.9.9.9", "for=\"", "\"", "for=\"x\\", "for=\"x\\\\", "for=9.9.9.9;host=\"a", "\\", "for=\\\"", ",,,", ";",
        "for=\"a\"\"", "for=unknown", "", "for=9.9.9.9",
        /* clang-format on */
    };
    static const char *const added[] = {"for=203.0.113.7", "for=\"203.0.113.7\"",
                                        "for=\"203.0.113.7:61598\";proto=https;host=\"x, y\"",
                                        "proto=https;for=203.0.113.7"};
    size_t i, k;
    for (i = 0; i < sizeof sent / sizeof *sent; i++) {
        for (k = 0; k < sizeof added / sizeof *added; k++) {
            char lines[200];
            (void)snprintf(lines, sizeof lines, F "%s, %s\r\n", sent[i], added[k]);
            EXPECT_STR(client_of("10.0.0.0/8", "Forwarded", P, lines, NULL), "203.0.113.7");
            (void)snprintf(lines, sizeof lines, F "%s\r\n" F "%s\r\n", sent[i], added[k]);
            EXPECT_STR(client_of("10.0.0.0/8", "Forwarded", P, lines, NULL), "203.0.113.7");
        }
    }
}

TEST(the_other_header_is_only_a_header) { /* PROXY-2 */
    static const char both[] = X "203.0.113.7\r\n" F "for=9.9.9.9\r\nX-Real-IP: 8.8.8.8\r\n";
    EXPECT_STR(client_of("10.0.0.0/8", "X-Forwarded-For", P, both, NULL), "203.0.113.7");
    EXPECT_STR(client_of("10.0.0.0/8", "Forwarded", P, both, NULL), "9.9.9.9");
    EXPECT_STR(client_of("10.0.0.0/8", "X-Real-IP", P, both, NULL), "8.8.8.8");
    EXPECT_STR(client_of("10.0.0.0/8", "X-Forwarded-Fo", P, both, NULL), "10.0.0.2");
}

/* ---- in a hub ---- */

static const char *const proxies[] = {"10.0.0.0/8", "unix"};
#define BEHIND(...)                                                                                \
    DESC(.trusted_proxies = proxies, .trusted_proxies_count = 2,                                   \
         .forwarded_header = "X-Forwarded-For", __VA_ARGS__)

/* Streams come from this address from now on. */
static void come_from(world *w, const char *peer) {
    wshub_about a;
    memset(&a, 0, sizeof a);
    a.peer = wshub_str_z(peer);
    a.listener = wshub_str_z("public");
    wshub_io_fake_set_about(w->net, &a);
}
/* `peer hop` of a stream. */
static const char *about_of(world *w, wshub_conn c) {
    static char out[200];
    wshub_about a;
    memset(&a, 0, sizeof a);
    EXPECT_INT(wshub_conn_about(w->hub, c, &a), WSHUB_OK);
    EXPECT(wshub_str_eq_z(a.listener, "public"));
    (void)snprintf(out, sizeof out, "%.*s %.*s", (int)a.peer.len, a.peer.ptr ? a.peer.ptr : "",
                   (int)a.hop.len, a.hop.ptr ? a.hop.ptr : "");
    return out;
}
static bool note_about(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    world *w = (world *)user;
    world_note(w, about_of(w, http->conn));
    world_note(w, ";");
    if (wshub_str_eq_z(http->path, "/later")) {
        kept_request = exchange;
        return true;
    }
    return wshub_http_reply_text(hub, exchange, 200, wshub_str_z("")) == WSHUB_OK;
}

/* A proxy has one stream for many clients. */
TEST(the_address_is_taken_with_each_request) { /* PROXY-4 */
    wshub_conn c;
    world w;
    world_start(&w, BEHIND(.on_request = note_about), FAKE(0));
    come_from(&w, P);
    c = wshub_io_fake_open(w.net);
    EXPECT_STR(about_of(&w, c), P " ");
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    EXPECT_STR(about_of(&w, c), P " "); /* between two requests it is the proxy's */
    say(&w, c,
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n" X "2001:db8::1\r\n\r\n");
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "9.9.9.9, rubbish\r\n\r\n");
    say(&w, c, "GET /later HTTP/1.1\r\nHost: h\r\n" X "203.0.113.9:1\r\n\r\n");
    EXPECT_STR(about_of(&w, c), "203.0.113.9 " P); /* as long as it is open */
    EXPECT_INT(wshub_http_reply_text(w.hub, kept_request, 200, wshub_str_z("")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(about_of(&w, c), P " ");
    EXPECT_STR(w.log, "203.0.113.7 " P ";" P " ;2001:db8::1 " P ";" P " ;203.0.113.9 " P ";");

    /* Its number is another's afterwards. */
    say(&w, c, "GET /later HTTP/1.1\r\nHost: h\r\n" X "203.0.113.9:1\r\n\r\n");
    wshub_io_fake_end(w.net, c);
    wshub_io_fake_run(w.net);
    c = wshub_io_fake_open(w.net);
    EXPECT_STR(about_of(&w, c), P " ");
    world_stop(&w);
}

TEST(a_body_that_comes_later_has_its_head_s_address) { /* PROXY-4 */
    wshub_conn c;
    world w;
    world_start(&w, BEHIND(.on_request = note_about), FAKE(0));
    come_from(&w, "unix");
    c = wshub_io_fake_open(w.net);
    say(&w, c, "POST /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\nContent-Length: 4\r\n\r\nab");
    EXPECT_STR(about_of(&w, c), "203.0.113.7 unix");
    say(&w, c, "cd");
    EXPECT_STR(w.log, "203.0.113.7 unix;");
    world_stop(&w);
}

static wshub_conn behind_client(world *w, const char *lines, wshub_client *out_client) {
    wshub_conn c = wshub_io_fake_open(w->net);
    char text[400];
    wshub_iter it = {0, 0};
    (void)snprintf(text, sizeof text, "GET /ws HTTP/1.1\r\nHost: h\r\n" UPGRADE_LINES "%s\r\n",
                   lines);
    say(w, c, text);
    EXPECT(wshub_client_each(w->hub, &it, out_client));
    return c;
}

TEST(a_websocket_keeps_the_address_of_its_handshake) { /* PROXY-4 */
    wshub_client client;
    wshub_about about;
    char peer[64];
    wshub_conn c;
    world w;
    world_start(&w, BEHIND(.on_authenticate = accept_all), FAKE(0));
    come_from(&w, P);
    c = behind_client(&w, X "203.0.113.7\r\n", &client);
    EXPECT_INT(wshub_client_peer(w.hub, client, peer, sizeof peer), 11);
    EXPECT_STR(peer, "203.0.113.7");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_INT(wshub_client_about(w.hub, client, &about), WSHUB_OK);
    EXPECT(wshub_str_eq_z(about.peer, "203.0.113.7"));
    EXPECT(wshub_str_eq_z(about.hop, P));
    EXPECT(wshub_client_peer(w.hub, client, peer, 11) == 0 && !peer[0]);
    wshub_io_fake_end(w.net, c);
    wshub_io_fake_run(w.net);

    /* And who comes without a proxy is who the io says, whatever it sends. */
    come_from(&w, "203.0.113.8:7");
    (void)behind_client(&w, X "9.9.9.9\r\n", &client);
    (void)wshub_client_peer(w.hub, client, peer, sizeof peer);
    EXPECT_STR(peer, "203.0.113.8:7");
    world_stop(&w);
}

/* An io that has been told by the PROXY protocol says both; that proxy may be behind another one. */
TEST(an_io_that_knows_its_own_proxy_is_heard_first) { /* PROXY-2, PROXY-4 */
    wshub_about a;
    wshub_conn c;
    world w;
    world_start(&w, BEHIND(.on_request = note_about), FAKE(0));
    memset(&a, 0, sizeof a);
    a.listener = wshub_str_z("public");
    a.peer = wshub_str_z("10.0.0.9:1");
    a.hop = wshub_str_z("10.0.0.2:2");
    wshub_io_fake_set_about(w.net, &a);
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    a.peer = wshub_str_z("203.0.113.9:1");
    wshub_io_fake_set_about(w.net, &a);
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "9.9.9.9\r\n\r\n");
    EXPECT_STR(w.log, "203.0.113.7 10.0.0.2:2;203.0.113.9:1 10.0.0.2:2;");
    world_stop(&w);
}

static bool is_said(world *w, const char *want) {
    wshub_str log = wshub_io_fake_log(w->net);
    if (strstr(log.ptr, want)) return true;
    (void)printf("  expected %s in\n%s", want, log.ptr);
    return false;
}

TEST(log_lines_name_the_client_behind_the_proxy) { /* PROXY-4, LOG-2 */
    wshub_conn c;
    world w;
    world_start(&w,
                BEHIND(.log_level = WSHUB_LEVEL_DEBUG, .allowed_hosts = &(const char *){"h"},
                       .allowed_hosts_count = 1),
                FAKE(0));
    come_from(&w, P);
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: x\r\n" X "203.0.113.7\r\n\r\n");
    EXPECT(is_said(&w, "REFUSED 203.0.113.7: refused: not in allowed_hosts: x\n"));
    wshub_io_fake_log_forget(w.net);

    /* What is behind it is somebody else's: here the proxy's own. */
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    say(&w, c, "rubbish\r\n\r\n");
    EXPECT(is_said(&w, "HTTP_BAD " P ": "));
    wshub_io_fake_log_forget(w.net);

    /* Why a word is not taken is said to who asks. */
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "9.9.9.9, un\\known\r\n\r\n");
    EXPECT(is_said(&w, "debug IGNORED " P ": ignored: what forwarded_header says from here on: "
                       "9.9.9.9, un\\x5cknown\n"));
    come_from(&w, "203.0.113.8:7");
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "9.9.9.9\r\n\r\n");
    EXPECT(is_said(&w, "debug IGNORED 203.0.113.8:7: ignored: forwarded_header of who is none of "
                       "trusted_proxies\n"));
    world_stop(&w);

    world_start(&w, BEHIND(.log_level = WSHUB_LEVEL_INFO), FAKE(0)); /* else not */
    come_from(&w, P);
    say(&w, wshub_io_fake_open(w.net), "GET /a HTTP/1.1\r\nHost: h\r\n" X "unknown\r\n\r\n");
    come_from(&w, "203.0.113.8:7");
    say(&w, wshub_io_fake_open(w.net), "GET /a HTTP/1.1\r\nHost: h\r\n" X "9.9.9.9\r\n\r\n");
    EXPECT(!strstr(wshub_io_fake_log(w.net).ptr, "IGNORED"));
    world_stop(&w);
}

TEST(an_io_that_knows_no_addresses_has_no_proxies) { /* PROXY-2 */
    wshub_about about;
    wshub_conn c;
    world w;
    world_start(&w, BEHIND(.on_request = keep_request), FAKE(0)); /* whose peer is `fake` */
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    EXPECT_INT(wshub_conn_about(w.hub, c, &about), WSHUB_OK);
    EXPECT(wshub_str_eq_z(about.peer, "fake"));
    w.hub->io.about = NULL;
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    EXPECT_INT(wshub_conn_about(w.hub, c, &about), WSHUB_OK);
    EXPECT(!about.peer.ptr && !about.hop.ptr);
    world_stop(&w);
}

static bool knows_nobody(void *ctx, wshub_conn conn, wshub_about *out_about) {
    (void)ctx;
    (void)conn;
    memset(out_about, 0, sizeof *out_about);
    out_about->peer = wshub_str_z(P);
    return false;
}
TEST(an_io_that_does_not_know_the_stream_is_not_believed) { /* PROXY-2 */
    world w;
    world_start(&w, BEHIND(.on_request = keep_request), FAKE(0));
    w.hub->io.about = knows_nobody;
    say(&w, wshub_io_fake_open(w.net), "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    EXPECT_INT(w.hub->told.pages_count, 0);
    world_stop(&w);
}

static wshub *other_hub;
static bool hand_over(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)http;
    (void)user;
    return wshub_http_forward(hub, exchange, other_hub) == WSHUB_OK;
}
static bool note_stale(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_about about;
    EXPECT_INT(wshub_conn_about(hub, http->conn, &about), WSHUB_ERR_STALE);
    world_note((world *)user, "asked;");
    return wshub_http_reply_text(hub, exchange, 200, wshub_str_z("")) == WSHUB_OK;
}
/* A hub that another one hands a request over to has no stream of its own for it: it knows nobody's
 * address, and believes none. */
TEST(what_another_hub_hands_over_has_no_address) { /* PROXY-2 */
    world here, there;
    wshub_conn c;
    int i;
    world_start(&there, BEHIND(.on_request = note_stale), FAKE(.seed = 2));
    world_start(&here, BEHIND(.on_request = hand_over), FAKE(.seed = 1));
    other_hub = there.hub;
    come_from(&here, P);
    c = wshub_io_fake_open(here.net);
    say(&here, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    EXPECT_STR(about_of(&here, c), "203.0.113.7 " P);
    for (i = 0; i < 6; i++) {
        wshub_io_fake_run(there.net);
        wshub_io_fake_run(here.net);
    }
    EXPECT_STR(there.log, "asked;");
    EXPECT_HAS(wshub_io_fake_output(here.net, c).ptr, "HTTP/1.1 200 OK");
    EXPECT_INT(there.hub->told.pages_count, 0);
    EXPECT_STR(about_of(&here, c), P " ");
    world_stop(&here);
    world_stop(&there);
}

/* Out of memory for what a proxy has said a stream is dropped, and not taken for the proxy's. */
TEST(no_memory_for_an_address_ends_the_stream) { /* PROXY-4 */
    wshub_conn c, d;
    world w;
    int told = 0;
    world_start(&w, BEHIND(.on_request = note_about), FAKE(0));
    come_from(&w, P);
    c = wshub_io_fake_open(w.net);
    say(&w, c, GET);
    w.log_len = 0;
    w.log[0] = 0;
    w.fail_at = 1;
    for (; w.fail_at && told < 20; told++) { /* the first that wants memory is the first page */
        d = wshub_io_fake_open(w.net);
        say(&w, d, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    }
    EXPECT_OP(told, <, 20);
    EXPECT(!wshub_io_fake_is_open(w.net, d));
    EXPECT(!strstr(w.log, P " ;")); /* nobody was taken for the proxy */
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    EXPECT(strstr(w.log, "203.0.113.7 " P ";") != NULL);
    world_stop(&w);
}

/* What addresses took goes with the streams that had them. */
TEST(addresses_of_many_are_given_back) { /* PROXY-4 */
    enum { MANY = 3000 };
    static wshub_conn conns[MANY];
    size_t few, i;
    world w;
    world_start(&w, BEHIND(.on_request = keep_request), FAKE(0));
    w.unchecked = true; /* it takes its time */
    come_from(&w, P);
    conns[0] = wshub_io_fake_open(w.net);
    say(&w, conns[0], "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    few = w.hub->told.pages_count;
    for (i = 1; i < MANY; i++) {
        conns[i] = wshub_io_fake_open(w.net);
        say(&w, conns[i], "GET /a HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    }
    EXPECT_INT(w.hub->told.pages_count, (MANY + WSHUB__PAGE - 1) / WSHUB__PAGE);
    for (i = 1; i < MANY; i++) wshub_io_fake_end(w.net, conns[i]);
    wshub_io_fake_advance(w.net, 2000);
    EXPECT_INT(w.hub->told.pages_count, few);
    EXPECT_STR(about_of(&w, conns[0]), "203.0.113.7 " P);
    world_stop(&w);
}

/* Of streams with lower numbers than the first that a proxy has spoken of nothing is kept. */
TEST(low_numbers_have_no_address_of_a_high_one) { /* PROXY-4 */
    wshub_conn first, last = {0};
    uint32_t i;
    world w;
    world_start(&w, BEHIND(.on_request = note_about), FAKE(0));
    come_from(&w, P);
    first = wshub_io_fake_open(w.net);
    for (i = 0; i < WSHUB__PAGE; i++) last = wshub_io_fake_open(w.net);
    say(&w, last, "GET /later HTTP/1.1\r\nHost: h\r\n" X "203.0.113.7\r\n\r\n");
    say(&w, first, GET);
    EXPECT_STR(w.log, "203.0.113.7 " P ";" P " ;");
    EXPECT_STR(about_of(&w, first), P " ");
    EXPECT_STR(about_of(&w, last), "203.0.113.7 " P);
    world_stop(&w);
}

TEST(which_proxies_may_be_named) { /* PROXY-1, PROXY-2 */
    /* clang-format off */
    static const char *const bad[] = {
        "", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0:80", "[::1]", "localhost", "*", "10.*", "2001:db8::1/32", "unix:", NULL,
    };
    static const char *const headers[] = {"", "X Forwarded", "X-Forwarded-For:", "a,b", "\xC3\xBC"};
    /* clang-format on */
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    YES_DESC(.trusted_proxies = proxies, .trusted_proxies_count = 2,
             .forwarded_header = "Forwarded");
    NO_DESC("trusted_proxies", .trusted_proxies = proxies, .forwarded_header = "Forwarded");
    NO_DESC("trusted_proxies", .trusted_proxies_count = 1, .forwarded_header = "Forwarded");
    NO_DESC("trusted_proxies", .trusted_proxies = proxies, .trusted_proxies_count = 2);
    NO_DESC("forwarded_header", .forwarded_header = "Forwarded");
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        NO_DESC("trusted_proxies", .trusted_proxies = &bad[i], .trusted_proxies_count = 1,
                .forwarded_header = "Forwarded");
    for (i = 0; i < sizeof headers / sizeof *headers; i++)
        NO_DESC("forwarded_header", .trusted_proxies = proxies, .trusted_proxies_count = 2,
                .forwarded_header = headers[i]);
    wshub_io_fake_destroy(refusal_net);
}

/* What the description says is kept, not borrowed. */
TEST(proxies_are_copied) { /* PROXY-2 */
    char range[] = "10.0.0.0/8", header[] = "Forwarded";
    const char *list[] = {range};
    wshub_conn c;
    world w;
    world_start(&w,
                DESC(.trusted_proxies = list, .trusted_proxies_count = 1,
                     .forwarded_header = header, .on_request = note_about),
                FAKE(0));
    memset(range, 'x', sizeof range - 1);
    memset(header, 'x', sizeof header - 1);
    list[0] = NULL;
    come_from(&w, P);
    c = wshub_io_fake_open(w.net);
    say(&w, c, "GET /a HTTP/1.1\r\nHost: h\r\n" F "for=203.0.113.7\r\n\r\n");
    EXPECT_STR(w.log, "203.0.113.7 " P ";");
    world_stop(&w);
}
