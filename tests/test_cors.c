/* Pages of other origins (HTTP-4): what every answer says to them, the hub's own refusals too,
 * preflights, what is told to strangers, and which descriptions are refused. */
#include "mounted.h"

static const char *const shops[] = {"https://shop.example", "https://*.friends.example"};
static const char *const anybody[] = {"https://shop.example", "*"};
static const char *const stranger_rule[] = {"null"};
static const char *const many[] = {"null", "http://127.0.0.1:3000"};
static const char *const bad_rule[] = {"https://shop.example/"};
static const char *const no_rule[] = {NULL};

static wshub_cors cors_of(const char *const *origins, size_t count) {
    wshub_cors c;
    memset(&c, 0, sizeof c);
    c.origins = origins;
    c.origins_count = count;
    return c;
}

/* The answer to what a new stream says; whole, with its head. */
static const char *answered(world *w, const char *text) {
    static char out[4000];
    wshub_conn c = said(w, text);
    wshub_str got;
    wshub_io_fake_run(w->net);
    got = wshub_io_fake_output(w->net, c);
    (void)snprintf(out, sizeof out, "%.*s", (int)got.len, got.ptr ? got.ptr : "");
    wshub_io_fake_end(w->net, c);
    wshub_io_fake_forget(w->net, c);
    return out;
}
static int times(const char *text, const char *what) {
    int n = 0;
    while ((text = strstr(text, what)) != NULL) n++, text++;
    return n;
}
/* Has it this field, and the name of it once? value NULL: it has none of that name. */
static bool says(const char *head, const char *name, const char *value) {
    char line[300], begin[100];
    (void)snprintf(line, sizeof line, "\r\n%s: %s\r\n", name, value ? value : "");
    (void)snprintf(begin, sizeof begin, "\r\n%s:", name);
    if (value ? times(head, begin) == 1 && strstr(head, line) : !strstr(head, begin)) return true;
    (void)printf("  expected %s: %s in\n%s\n", name, value ? value : "(absent)", head);
    return false;
}
#define ORIGIN "Access-Control-Allow-Origin"
#define CREDENTIALS "Access-Control-Allow-Credentials"
#define METHODS "Access-Control-Allow-Methods"
#define HEADERS "Access-Control-Allow-Headers"
#define EXPOSE "Access-Control-Expose-Headers"
#define AGE "Access-Control-Max-Age"

static bool request_hello(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)user;
    if (!wshub_str_eq_z(http->path, "/hello")) return false;
    EXPECT(!wshub_str_eq_z(http->method, "OPTIONS") || !wshub_http_header(http, "Origin").ptr ||
           !wshub_http_header(http, "Access-Control-Request-Method").ptr);
    return wshub_http_reply_text(hub, exchange, 200, wshub_str_z("hello\n")) == WSHUB_OK;
}

#define FROM(method, path, origin)                                                                 \
    method " " path " HTTP/1.1\r\nHost: h\r\nOrigin: " origin "\r\n\r\n"
#define PREFLIGHT(path, origin)                                                                    \
    "OPTIONS " path " HTTP/1.1\r\nHost: h\r\nOrigin: " origin                                      \
    "\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n\r\n"

TEST(pages_of_named_origins_may_read_answers) { /* HTTP-4 */
    static const struct {
        const char *origin, *allowed;
    } cases[] = {
        /* clang-format off */
        {"https://shop.example", "https://shop.example"},
        {"HTTPS://shop.EXAMPLE", "HTTPS://shop.EXAMPLE"}, /* as it was said */
        {"https://a.friends.example", "https://a.friends.example"},
        {"https://a.b.friends.example", "https://a.b.friends.example"},
        {"https://friends.example", NULL},
        {"https://evilfriends.example", NULL},
        {"https://evil.example", NULL},
        {"http://shop.example", NULL},
        {"https://shop.example:8443", NULL},
        {"https://shop.example.evil.example", NULL},
        {"https://shop.example, https://evil.example", NULL},
        {"null", NULL},
        {"", NULL},
        {"https://shop.example\r\nOrigin: https://shop.example", NULL}, /* said twice */
        {NULL, NULL}, /* a program, or a page of our own */
        /* clang-format on */
    };
    static const char *const paths[] = {"/hello", "/nothing"}; /* a 404 of the hub's own, too */
    wshub_cors cors = cors_of(shops, 2);
    world w;
    size_t i, k;
    cors.credentials = true;
    cors.expose = "X-Total, ETag";
    world_start(&w, DESC(.on_request = request_hello, .cors = &cors), FAKE(0));
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        for (k = 0; k < 2; k++) {
            char text[300], line[200] = "";
            const char *got, *yes = cases[i].allowed;
            if (cases[i].origin)
                (void)snprintf(line, sizeof line, "Origin: %s\r\n", cases[i].origin);
            (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", paths[k],
                           line);
            got = answered(&w, text);
            EXPECT(strncmp(got, k ? "HTTP/1.1 404 " : "HTTP/1.1 200 ", 13) == 0);
            EXPECT(says(got, "Vary", "Origin")); /* so that no cache mixes them up */
            EXPECT(says(got, ORIGIN, yes));
            EXPECT(says(got, CREDENTIALS, yes ? "true" : NULL));
            EXPECT(says(got, EXPOSE, yes ? "X-Total, ETag" : NULL));
            EXPECT(says(got, METHODS, NULL) && says(got, HEADERS, NULL) && says(got, AGE, NULL));
        }
    world_stop(&w);
}

TEST(a_star_is_said_to_everybody) { /* HTTP-4 */
    wshub_cors cors = cors_of(anybody, 2);
    world w;
    const char *got;
    world_start(&w, DESC(.on_request = request_hello, .cors = &cors), FAKE(0));
    got = answered(&w, FROM("GET", "/hello", "https://evil.example"));
    EXPECT(says(got, ORIGIN, "*") && says(got, "Vary", "Origin") && says(got, CREDENTIALS, NULL));
    EXPECT(says(answered(&w, WANT("/hello")), ORIGIN, "*"));
    got = answered(&w, PREFLIGHT("/hello", "https://evil.example"));
    EXPECT(strncmp(got, "HTTP/1.1 204 ", 13) == 0 && says(got, ORIGIN, "*"));
    EXPECT(says(got, METHODS, "GET, HEAD, POST") && says(got, HEADERS, NULL));
    EXPECT(says(got, AGE, NULL));
    world_stop(&w);
}

TEST(pages_without_an_origin_may_be_named) { /* HTTP-4, CONN-2 */
    wshub_cors cors = cors_of(many, 2);
    world w;
    world_start(&w, DESC(.on_request = request_hello, .cors = &cors), FAKE(0));
    EXPECT(says(answered(&w, FROM("GET", "/hello", "null")), ORIGIN, "null"));
    EXPECT(says(answered(&w, FROM("GET", "/hello", "http://127.0.0.1:3000")), ORIGIN,
                "http://127.0.0.1:3000"));
    EXPECT(says(answered(&w, FROM("GET", "/hello", "http://127.0.0.1:3001")), ORIGIN, NULL));
    world_stop(&w);
}

TEST(preflights_are_answered_by_the_hub) { /* HTTP-4 */
    wshub_cors cors = cors_of(shops, 2);
    world w;
    const char *got;
    cors.credentials = true;
    cors.methods = "GET, PUT, DELETE";
    cors.headers = "X-A, Content-Type";
    cors.max_age_s = 4294967295u;
    world_start(&w, DESC(.on_request = request_hello, .cors = &cors), FAKE(0));

    got = answered(&w, PREFLIGHT("/hello", "https://shop.example"));
    EXPECT(strncmp(got, "HTTP/1.1 204 No Content\r\n", 25) == 0);
    EXPECT(says(got, ORIGIN, "https://shop.example") && says(got, CREDENTIALS, "true"));
    EXPECT(says(got, METHODS, "GET, PUT, DELETE") && says(got, HEADERS, "X-A, Content-Type"));
    EXPECT(says(got, AGE, "4294967295") && says(got, "Vary", "Origin"));
    EXPECT(says(got, "Content-Length", NULL) && says(got, "Allow", NULL));

    got = answered(&w, PREFLIGHT("/hello", "https://evil.example")); /* it is told nothing */
    EXPECT(strncmp(got, "HTTP/1.1 204 ", 13) == 0 && says(got, "Vary", "Origin"));
    EXPECT(times(got, "Access-Control-") == 0);

    /* An OPTIONS without one of the two is an ordinary request. */
    got = answered(&w, FROM("OPTIONS", "/hello", "https://shop.example"));
    EXPECT(strncmp(got, "HTTP/1.1 200 ", 13) == 0 && says(got, ORIGIN, "https://shop.example"));
    got = answered(&w, "OPTIONS /hello HTTP/1.1\r\nHost: h\r\n"
                       "Access-Control-Request-Method: PUT\r\n\r\n");
    EXPECT(strncmp(got, "HTTP/1.1 200 ", 13) == 0);
    got = answered(&w, FROM("OPTIONS", "/nothing", "https://shop.example"));
    EXPECT(strncmp(got, "HTTP/1.1 204 ", 13) == 0 && strstr(got, "\r\nAllow: "));
    EXPECT(says(got, ORIGIN, "https://shop.example"));

    { /* the stream goes on behind one */
        wshub_conn c = said(&w, PREFLIGHT("/hello", "https://shop.example"));
        say(&w, c, FROM("PUT", "/hello", "https://shop.example"));
        wshub_io_fake_run(w.net);
        got = wshub_io_fake_output(w.net, c).ptr;
        EXPECT(strncmp(got, "HTTP/1.1 204 ", 13) == 0 && strstr(got, "\r\n\r\nHTTP/1.1 200 OK"));
        EXPECT(wshub_io_fake_is_open(w.net, c));
    }
    world_stop(&w);
}

TEST(refusals_of_the_hub_can_be_read_too) { /* HTTP-4, CONN-2, CONN-5 */
    static const struct {
        const char *status, *text;
    } cases[] = {
        /* clang-format off */
        {"400", "GET /hello HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example\r\n"
                "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {"413", "POST /hello HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example\r\n"
                "Content-Length: 99999999\r\n\r\n"},
        {"400", "POST /hello HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example\r\n"
                "Transfer-Encoding: chunked\r\n\r\nx"},
        {"421", "GET /hello HTTP/1.1\r\nHost: other\r\nOrigin: https://shop.example\r\n\r\n"},
        {"501", "GET /hello HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example\r\n"
                "Transfer-Encoding: gzip\r\n\r\n"},
        {"404", FROM("HEAD", "/nothing", "https://shop.example")},
        /* clang-format on */
    };
    static const char *const hosts[] = {"h"};
    wshub_cors cors = cors_of(shops, 2);
    world w;
    size_t i;
    world_start(&w,
                DESC(.on_request = request_hello, .cors = &cors, .allowed_hosts = hosts,
                     .allowed_hosts_count = 1),
                FAKE(0));
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = answered(&w, cases[i].text);
        EXPECT(strncmp(got + 9, cases[i].status, 3) == 0);
        EXPECT(says(got, ORIGIN, "https://shop.example") && says(got, "Vary", "Origin"));
    }
    /* Of a head that cannot be read nobody knows whose it is. */
    EXPECT(times(answered(&w, "GET /hello HTTP/1.1\r\nOrigin: https://shop.example\r\n\r\n"),
                 "Access-Control-") == 0);
    world_stop(&w);
}

TEST(an_answer_that_comes_late_knows_who_has_asked) { /* HTTP-4: the head is gone by then */
    wshub_cors cors = cors_of(shops, 2);
    world w;
    wshub_conn c;
    const char *got;
    world_start(&w, DESC(.on_request = keep_request, .cors = &cors, .http_timeout_ms = 50),
                FAKE(0));
    c = said(&w, FROM("GET", "/later", "https://a.friends.example"));
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_http_reply_text(w.hub, kept_request, 200, S("late")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(says(wshub_io_fake_output(w.net, c).ptr, ORIGIN, "https://a.friends.example"));
    wshub_io_fake_take(w.net, c, 10000);

    say(&w, c, FROM("GET", "/pieces", "https://shop.example"));
    {
        wshub_reply r = plain_reply(200, "");
        EXPECT_INT(wshub_http_begin(w.hub, kept_request, &r, 2), WSHUB_OK);
        EXPECT_INT(wshub_http_write(w.hub, kept_request, "ok", 2), WSHUB_OK);
        EXPECT_INT(wshub_http_end(w.hub, kept_request), WSHUB_OK);
    }
    wshub_io_fake_run(w.net);
    EXPECT(says(wshub_io_fake_output(w.net, c).ptr, ORIGIN, "https://shop.example"));
    wshub_io_fake_take(w.net, c, 10000);

    say(&w, c, FROM("GET", "/never", "https://shop.example")); /* 503, of the hub's own */
    wshub_io_fake_advance(w.net, 60);
    got = wshub_io_fake_output(w.net, c).ptr;
    EXPECT(strncmp(got, "HTTP/1.1 503 ", 13) == 0 && says(got, ORIGIN, "https://shop.example"));
    world_stop(&w);
}

/* ---- mounts ---- */

static void add_headers(site *s, wshub *hub, wshub_headers *more) {
    (void)s, (void)hub;
    EXPECT_INT(wshub_headers_add(more, S("access-control-allow-origin"), S("*")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_headers_add(more, S("Access-Control"), S("x")), WSHUB_OK);
    EXPECT_INT(wshub_headers_add(more, S("X-As-Long-As-That"), S("x")), WSHUB_OK);
    EXPECT_INT(wshub_headers_add(more, S("Vary"), S("Accept")), WSHUB_OK);
}
static void head_answers(site *s, wshub *hub) {
    EXPECT_INT(answer(hub, s->exchange, "mounted"), WSHUB_OK);
}
static void head_upgrades(site *s, wshub *hub) {
    EXPECT_INT(wshub_http_upgrade(hub, s->exchange, NULL, &s->conn), WSHUB_OK);
}
static void answer_drops(site *s, wshub *hub, wshub_headers *more) {
    (void)more;
    wshub_io_fake_end(s->w->net, s->conn);
    (void)hub;
}

TEST(each_mount_has_pages_of_its_own) { /* HTTP-4 */
    static site api = {.name = "api"}, plain = {.name = "plain"}, chain = {.name = "chain"};
    wshub_cors hubs = cors_of(shops, 1), mounts = cors_of(many, 2), *gone;
    world w;
    const char *got;
    world_start(&w, DESC(.on_request = request_hello, .cors = &hubs), FAKE(0));
    api.take = plain.take = WSHUB_TAKE_DONE;
    api.at_head = plain.at_head = head_answers;
    api.at_answer = add_headers;
    chain.take = WSHUB_TAKE_DECLINED;
    gone = (wshub_cors *)malloc(sizeof *gone); /* it is copied */
    if (!gone) abort();
    *gone = mounts;
    MOUNT(&w, &api, .path = "/api/", .prefix = true, .cors = gone);
    memset(gone, 0xA5, sizeof *gone);
    free(gone);
    MOUNT(&w, &plain, .path = "/plain");
    MOUNT(&w, &chain, .path = "/hello", .cors = &mounts);

    got = answered(&w, FROM("GET", "/api/x", "http://127.0.0.1:3000"));
    EXPECT(says(got, ORIGIN, "http://127.0.0.1:3000") && says(got, "Access-Control", "x"));
    EXPECT(strstr(got, "\r\nVary: Accept\r\n") && strstr(got, "\r\nVary: Origin\r\n"));
    EXPECT(says(answered(&w, FROM("GET", "/api/x", "https://shop.example")), ORIGIN, NULL));

    got = answered(&w, PREFLIGHT("/api/x", "http://127.0.0.1:3000"));
    EXPECT(strncmp(got, "HTTP/1.1 204 ", 13) == 0 && says(got, ORIGIN, "http://127.0.0.1:3000"));
    EXPECT(says(got, "Access-Control", "x")); /* on_answer is asked about it as well */

    /* A mount without pages says nothing, and gets its OPTIONS itself. */
    got = answered(&w, FROM("GET", "/plain", "https://shop.example"));
    EXPECT(says(got, "Vary", NULL) && times(got, "Access-Control-") == 0);
    got = answered(&w, PREFLIGHT("/plain", "https://shop.example"));
    EXPECT(strncmp(got, "HTTP/1.1 200 ", 13) == 0 && times(got, "Access-Control-") == 0);

    /* What a mount declines is the next one's, and so are those who may read it. */
    got = answered(&w, FROM("GET", "/hello", "https://shop.example"));
    EXPECT(says(got, ORIGIN, "https://shop.example"));
    got = answered(&w, FROM("GET", "/hello", "http://127.0.0.1:3000"));
    EXPECT(strncmp(got, "HTTP/1.1 200 ", 13) == 0 && says(got, ORIGIN, NULL));
    world_stop(&w);
}

TEST(who_declines_takes_its_pages_along) { /* HTTP-4: whoever answers says who may read it */
    static site chain = {.name = "chain", .take = WSHUB_TAKE_DECLINED};
    wshub_cors cors = cors_of(shops, 2);
    world w;
    const char *got;
    world_start(&w, DESC(.on_request = request_hello), FAKE(0));
    MOUNT(&w, &chain, .path = "/hello", .cors = &cors);
    got = answered(&w, FROM("GET", "/hello", "https://shop.example"));
    EXPECT(strncmp(got, "HTTP/1.1 200 ", 13) == 0 && says(got, "Vary", NULL));
    EXPECT(times(got, "Access-Control-") == 0);
    EXPECT_HAS(w.log, "head chain;");
    world_stop(&w);
}

TEST(a_websocket_of_a_mount_needs_no_cors) { /* HTTP-4, CONN-1 */
    static site s = {.name = "ws", .take = WSHUB_TAKE_DONE};
    wshub_cors cors = cors_of(shops, 2);
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_request = request_hello), FAKE(0));
    s.at_head = head_upgrades;
    s.at_answer = add_headers;
    MOUNT(&w, &s, .path = "/up", .cors = &cors);
    c = said(&w, "GET /up HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example\r\n" UPGRADE_LINES
                 "\r\n");
    wshub_io_fake_run(w.net);
    EXPECT(strncmp(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 101 ", 13) == 0);
    EXPECT(times(wshub_io_fake_output(w.net, c).ptr, "Access-Control-") == 0);
    EXPECT(!wshub__exchange_at(w.hub, 0)->origin.ptr); /* which is kept no longer than needed */
    EXPECT_INT(wshub_conn_close(w.hub, c, 1000, S("")), WSHUB_OK);
    world_stop(&w);
}

static wshub *other_hub;
static bool request_forwarded(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                              void *user) {
    (void)http, (void)user;
    return wshub_http_forward(hub, exchange, other_hub) == WSHUB_OK;
}

TEST(whoever_answers_for_another_hub_says_who_may_read_it) { /* HTTP-4, CONN-5 */
    wshub_cors here_cors = cors_of(many, 2), there_cors = cors_of(shops, 2);
    world here, there;
    wshub_conn c;
    int i;
    world_start(&there, DESC(.on_request = request_hello, .cors = &there_cors), FAKE(.seed = 2));
    world_start(&here, DESC(.on_request = request_forwarded, .cors = &here_cors), FAKE(.seed = 1));
    other_hub = there.hub;
    c = said(&here, FROM("GET", "/hello", "https://shop.example"));
    for (i = 0; i < 6; i++) wshub_io_fake_run(there.net), wshub_io_fake_run(here.net);
    EXPECT(strncmp(wshub_io_fake_output(here.net, c).ptr, "HTTP/1.1 200 ", 13) == 0);
    EXPECT(says(wshub_io_fake_output(here.net, c).ptr, ORIGIN, "https://shop.example"));
    world_stop(&here);
    world_stop(&there);
}

TEST(what_the_hub_says_of_pages_nobody_else_says) { /* HTTP-4, CONN-5 */
    wshub_cors cors = cors_of(shops, 2);
    int with;
    for (with = 0; with < 2; with++) {
        wshub_header h;
        wshub_reply r = plain_reply(200, "x");
        world w;
        wshub_conn c;
        h.name = S("access-control-allow-origin");
        h.value = S("*");
        r.headers = &h;
        r.headers_count = 1;
        world_start(&w, DESC(.on_request = keep_request, .cors = with ? &cors : NULL), FAKE(0));
        c = said(&w, FROM("GET", "/", "https://shop.example"));
        EXPECT_INT(wshub_http_begin(w.hub, kept_request, &r, 1), WSHUB_ERR_PARAM); /* a body */
        r.body = nul();
        if (with) EXPECT_INT(wshub_http_begin(w.hub, kept_request, &r, 1), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_http_reply(w.hub, kept_request, &r), with ? WSHUB_ERR_PARAM : WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(with == !wshub_io_fake_output(w.net, c).len); /* without, it is the application's */
        world_stop(&w);
    }
}

TEST(a_preflight_survives_the_end_of_its_stream) { /* HTTP-4, BYE-1 */
    static site s = {.name = "s"};
    wshub_cors cors = cors_of(shops, 2);
    world w;
    world_start(&w, DESC(.on_request = request_hello), FAKE(0));
    s.at_answer = answer_drops;
    MOUNT(&w, &s, .path = "/x", .cors = &cors);
    s.conn = wshub_io_fake_open(w.net);
    say(&w, s.conn, PREFLIGHT("/x", "https://shop.example"));
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_is_gone(w.net, s.conn));
    EXPECT_INT(stats(&w).conns, 0);
    world_stop(&w);
}

TEST(descriptions_that_allow_too_much_or_nothing_are_refused) { /* HTTP-4 */
    static const struct {
        const char *what;
        wshub_cors cors;
    } bad[] = {
        /* clang-format off */
        {"origins", {.origins = NULL}},
        {"origins", {.origins = shops}},
        {"origins", {.origins_count = 2}},
        {"origins", {.origins = bad_rule, .origins_count = 1}},
        {"origins", {.origins = no_rule, .origins_count = 1}},
        {"with credentials `*`", {.origins = anybody, .origins_count = 2, .credentials = true}},
        {"with credentials `*`",
         {.origins = stranger_rule, .origins_count = 1, .credentials = true}},
        {"in methods", {.origins = shops, .origins_count = 2, .credentials = true, .methods = "*"}},
        {"in methods", {.origins = shops, .origins_count = 2, .credentials = true,
                        .headers = "X-A, *"}},
        {"in methods", {.origins = shops, .origins_count = 2, .credentials = true, .expose = "*"}},
        {"names", {.origins = shops, .origins_count = 2, .methods = ""}},
        {"names", {.origins = shops, .origins_count = 2, .methods = "GET PUT"}},
        {"names", {.origins = shops, .origins_count = 2, .headers = "X-A\r\nX: y"}},
        {"names", {.origins = shops, .origins_count = 2, .headers = ","}},
        {"names", {.origins = shops, .origins_count = 2, .expose = "a:b"}},
        /* clang-format on */
    };
    static const wshub_cors good[] = {
        {.origins = shops, .origins_count = 2, .credentials = true, .methods = "GET,PUT"},
        {.origins = anybody, .origins_count = 2, .methods = "*", .headers = "*", .expose = "*"},
        {.origins = stranger_rule, .origins_count = 1},
    };
    world w;
    size_t i;
    world_start(&w, DESC(.on_request = request_hello), FAKE(0));
    for (i = 0; i < sizeof bad / sizeof *bad + sizeof good / sizeof *good; i++) {
        bool fine = i >= sizeof bad / sizeof *bad;
        const wshub_cors *cors = fine ? &good[i - sizeof bad / sizeof *bad] : &bad[i].cors;
        char path[8] = {'/', (char)('a' + i), 0}; /* none twice */
        wshub_mount_desc m = {.version = WSHUB_MOUNT_VERSION, .path = path, .cors = cors};
        wshub_desc d = {.cors = cors};
        const char *of_mount = wshub_mount_problem(&m), *of_hub;
        d.io = wshub_io_fake_io(w.net);
        of_hub = wshub_desc_problem(&d);
        EXPECT(fine == !of_mount && fine == !of_hub);
        EXPECT_INT(wshub_mount(w.hub, &m), fine ? WSHUB_OK : WSHUB_ERR_PARAM);
        if (fine || !of_mount || !of_hub) continue;
        EXPECT(strncmp(of_mount, "cors: ", 6) == 0 && strstr(of_mount, bad[i].what));
        EXPECT_STR(of_mount, of_hub);
    }
    world_stop(&w);
}

static size_t held_bytes;
static unsigned fails_in; /* so many allocations later one fails, and those behind it do not */
static void *counted(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *got;
    (void)user;
    if (new_bytes && fails_in && !--fails_in) return NULL;
    held_bytes += new_bytes - old_bytes;
    got = new_bytes ? realloc(ptr, new_bytes) : NULL;
    if (!new_bytes) free(ptr);
    return got;
}

/* Each allocation fails once, of all that is needed for hub, mount, preflight and answer. */
TEST(out_of_memory_somebody_is_told_or_dropped) { /* HTTP-4 */
    wshub_cors cors = cors_of(shops, 2);
    unsigned n;
    bool whole = false;
    cors.headers = "X-A";
    cors.expose = "X-B";
    for (n = 0; n < 200; n++) {
        static site s = {.name = "s", .take = WSHUB_TAKE_DECLINED};
        wshub_io_fake *net = NULL;
        wshub_desc d = {.on_request = request_hello, .cors = &cors, .alloc = counted};
        wshub_mount_desc m = {.version = WSHUB_MOUNT_VERSION, .path = "/hello", .cors = &cors};
        wshub *hub = NULL;
        world w;
        memset(&w, 0, sizeof w);
        EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
        d.io = wshub_io_fake_io(net);
        fails_in = n + 1;
        if (wshub_create(&d, &hub) == WSHUB_OK) {
            wshub_err err;
            m.on_head = site_head;
            m.user = &s;
            s.w = &w;
            s.at_head = NULL;
            err = wshub_mount(hub, &m);
            EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
            w.net = net;
            if (!err) {
                const char *got = answered(&w, PREFLIGHT("/hello", "https://shop.example"));
                whole = strncmp(got, "HTTP/1.1 204 ", 13) == 0;
                EXPECT(!whole || says(got, METHODS, "GET, HEAD, POST")); /* never half an answer */
                EXPECT(!whole || says(got, ORIGIN, "https://shop.example"));
                got = answered(&w, FROM("GET", "/hello", "https://shop.example"));
                whole = strncmp(got, "HTTP/1.1 200 ", 13) == 0 && whole;
                EXPECT(!strstr(got, " 200 OK") || says(got, ORIGIN, "https://shop.example"));
            }
            wshub_destroy(hub);
        }
        wshub_io_fake_destroy(net);
        EXPECT_INT(held_bytes, 0);
        if (fails_in) break; /* nothing is left that could fail */
    }
    EXPECT(whole && n > 8 && n < 200);
}
