/* The heads of Engine.IO's answers (wshub_dialect_engineio.h): subprotocols, which pages may read
 * them, cookies; and who may come in, which an application may answer later. */

#include "eio_site.h"

static eio_site s;

/* ---- headers ---- */

TEST(subprotocols_are_echoed_unless_they_carry_a_token) { /* 2.5 */
    wshub_conn c;
    eio_answer a;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=websocket",
            EIO_UPGRADE "Sec-WebSocket-Protocol: foo, bar\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT(a.status == 101 && eio_has_line(&a, "Sec-WebSocket-Protocol: foo"));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=websocket",
            EIO_UPGRADE "Sec-WebSocket-Protocol: base64url.bearer.authorization.dG9rZW4\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT_INT(a.status, 101);
    EXPECT(!eio_has_line(&a, "Sec-WebSocket-Protocol: base64url.bearer.authorization.dG9rZW4"));
    EXPECT_INT(s.opened, 2);
    eio_stop(&s);
}

typedef struct origin {
    const char *const *origins;
    size_t count;
    bool credentials;
    const char *from;     /* NULL: no Origin */
    const char *lines[3]; /* that every answer has */
    const char *never;    /* and none has */
} origin;

static const char *const any[] = {"*"}, *const one[] = {"http://one.example"},
                         *const two[] = {"http://a.example", "http://b.example"},
                         *const below[] = {"https://*.a.example"};
static const origin origins[] = {
    {any,
     1,
     true,
     "http://o.example",
     {"Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true", NULL},
     "Vary: Origin"},
    {one,
     1,
     false,
     "http://evil.example",
     {"Access-Control-Allow-Origin: http://one.example", "Vary: Origin", NULL},
     "Access-Control-Allow-Origin: http://evil.example"},
    {two,
     2,
     false,
     "http://b.example",
     {"Access-Control-Allow-Origin: http://b.example", "Vary: Origin", NULL},
     "Access-Control-Allow-Credentials: true"},
    {two,
     2,
     false,
     "http://evil.example",
     {"Vary: Origin", NULL, NULL},
     "Access-Control-Allow-Origin: http://evil.example"},
    {two, 2, false, NULL, {"Vary: Origin", NULL, NULL}, "Access-Control-Allow-Origin: "},
    {below,
     1,
     false,
     "https://shop.a.example",
     {"Access-Control-Allow-Origin: https://shop.a.example", "Vary: Origin", NULL},
     NULL},
    {below,
     1,
     false,
     "https://a.example",
     {"Vary: Origin", NULL, NULL},
     "Access-Control-Allow-Origin: "},
    {NULL,
     0,
     false,
     "http://any.example",
     {"Access-Control-Allow-Origin: http://any.example", "Vary: Origin", NULL},
     NULL},
};

/* Good answers, refusals and 101: which page may read them is said in each (PITFALLS e5). */
TEST(every_answer_says_which_pages_may_read_it) { /* 2.9 */
    static const char *const queries[] = {"EIO=4&transport=polling", "EIO=4&transport=abc",
                                          "EIO=4&transport=websocket"};
    size_t i, q, k;
    for (i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        const origin *o = &origins[i];
        wshub_eio_cors cors = {.origins = o->origins,
                               .origins_count = o->count,
                               .reflect = !o->origins,
                               .credentials = o->credentials};
        for (q = 0; q < 3; q++) {
            char lines[400];
            wshub_conn c;
            eio_answer a;
            eio_start(&s, EIO(.cors = &cors), DESC(0), FAKE(0));
            c = wshub_io_fake_open(s.w.net);
            (void)snprintf(lines, sizeof lines, "%s%s%s%s", q == 2 ? EIO_UPGRADE : "",
                           o->from ? "Origin: " : "", o->from ? o->from : "",
                           o->from ? "\r\n" : "");
            eio_ask(&s, c, "GET", queries[q], lines, NULL);
            a = eio_look(&s, c);
            EXPECT_INT(a.status, q == 0 ? 200 : q == 1 ? 400 : 101);
            for (k = 0; k < 3; k++)
                if (o->lines[k]) EXPECT(eio_has_line(&a, o->lines[k]));
            if (o->never) EXPECT(!eio_has_line(&a, o->never));
            eio_stop(&s);
        }
    }
}

/* A list whose count was forgotten would have let any page read answers. */
TEST(pages_of_any_origin_are_allowed_by_a_word_and_by_nothing_less) { /* HTTP-4 */
    static const char *const slash[] = {"http://localhost:3000/"}, *const hole[] = {NULL},
                             *const bare[] = {"http://a.example", "shop.example"},
                             *const port[] = {"https://a.example:443"},
                             *const crowd[] = {"http://a.example", "*"}, *const null[] = {"null"};
    static const struct {
        wshub_eio_cors cors;
        const char *says;
    } cases[] = {
        {{.origins = one}, "cors: origins and origins_count are required"},
        {{.origins_count = 1}, "cors: origins and origins_count are required"},
        {{.credentials = true}, "cors: origins and origins_count are required"},
        {{.origins = one, .origins_count = 1, .reflect = true}, "cors: reflect"},
        {{.origins = slash, .origins_count = 1}, "cors.origins: must be"},
        {{.origins = hole, .origins_count = 1}, "cors.origins: must be"},
        {{.origins = bare, .origins_count = 2}, "cors.origins: must be"},
        {{.origins = port, .origins_count = 1}, "cors.origins: must be"},
        {{.origins = crowd, .origins_count = 2}, "cors.origins: `*`"},
        {{.origins = null, .origins_count = 1, .credentials = true}, "cors.origins: with"},
    };
    wshub_eio *eio = NULL;
    world w;
    size_t i;
    world_start(&w, DESC(0), FAKE(0));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_eio_desc desc = {.cors = &cases[i].cors};
        EXPECT_HAS(wshub_eio_desc_problem(&desc), cases[i].says);
        EXPECT_INT(wshub_eio_create(w.hub, &desc, &eio), WSHUB_ERR_PARAM);
    }
    EXPECT(!eio);
    world_stop(&w);
}

TEST(preflights_are_answered) { /* 2.9 */
    wshub_eio_cors cors = {.origins = two,
                           .origins_count = 2,
                           .methods = "GET,POST",
                           .headers = "x-a",
                           .expose = "x-b",
                           .max_age_s = 600};
    wshub_conn c;
    eio_answer a;
    eio_start(&s, EIO(.cors = &cors), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "OPTIONS", "EIO=4&transport=polling",
            "Origin: http://a.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT_INT(a.status, 204);
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Origin: http://a.example"));
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Methods: GET,POST"));
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Headers: x-a"));
    EXPECT(eio_has_line(&a, "Access-Control-Max-Age: 600"));
    EXPECT(eio_has_line(&a, "Access-Control-Expose-Headers: x-b"));
    eio_stop(&s);

    memset(&cors, 0, sizeof cors);
    cors.reflect = true;
    eio_start(&s, EIO(.cors = &cors), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "OPTIONS", "EIO=4&transport=polling",
            "Origin: http://a\r\nAccess-Control-Request-Headers: content-type,x-a\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE"));
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Headers: content-type,x-a"));
    EXPECT(eio_has_line(&a, "Vary: Access-Control-Request-Headers"));
    eio_stop(&s);
}

TEST(a_cookie_is_set_where_a_session_opens_by_polling) { /* 2.9 */
    char line[200];
    wshub_conn c;
    eio_answer a;
    int way;
    for (way = 0; way < 2; way++) {
        eio_start(&s,
                  EIO(.cookie = way ? "sess" : "io",
                      .cookie_rest = way ? "Max-Age=86400; Path=/; SameSite=Strict" : NULL),
                  DESC(0), FAKE(0));
        c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
        a = eio_look(&s, c);
        (void)snprintf(line, sizeof line,
                       way ? "Set-Cookie: sess=%.20s; Max-Age=86400; Path=/; SameSite=Strict"
                           : "Set-Cookie: io=%.20s; Path=/; HttpOnly; SameSite=Lax",
                       a.body.ptr + 9);
        EXPECT(eio_has_line(&a, line));
        eio_stop(&s);
    }
}

TEST(a_text_may_follow_the_open_packet) { /* 2.8 initialPacket */
    wshub_io_fake_frame f;
    wshub_conn c;
    eio_answer a;
    eio_start(&s, EIO(.initial = "hi"), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    a = eio_look(&s, c);
    EXPECT(a.body.len == 115 && memcmp(a.body.ptr + 110,
                                       "}\x1E"
                                       "4hi",
                                       5) == 0);
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.payload.ptr[0] == '0');
    EXPECT_TEXT(&s.w, c, "4hi");
    eio_stop(&s);
}

/* ---- who may come in ---- */

static wshub_exchange asked;
static int allow_way; /* 0: yes; 1: no, at once; 2: later */
static bool allow(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)user;
    EXPECT(http->path.len > 0);
    asked = exchange;
    if (allow_way == 1) EXPECT_INT(wshub_eio_refuse(eio, exchange, "nope"), WSHUB_OK);
    return allow_way == 0;
}

static char carried[40]; /* the type of what has brought the last message */
static void see_carrier(eio_site *site, wshub_eio_session session, const char *text, size_t len) {
    const wshub_http *http = wshub_eio_carrier(site->eio);
    wshub_str type = http ? wshub_http_header(http, "Content-Type") : S("none");
    (void)session, (void)text, (void)len;
    (void)snprintf(carried, sizeof carried, "%.*s", (int)type.len, type.ptr);
}

TEST(who_is_told_a_message_may_ask_what_has_brought_it) { /* 2.4 */
    wshub_conn c;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    s.at_message = see_carrier;
    c = eio_open(&s);
    eio_ask(&s, c, "POST", EIO_POLL, "Content-Type: text/plain\r\n", "4x");
    EXPECT_ANSWER(&s, c, 200, "ok");
    EXPECT_STR(carried, "text/plain");
    EXPECT(!wshub_eio_carrier(s.eio));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    wshub_io_fake_text(s.w.net, c, "4x");
    wshub_io_fake_run(s.w.net);
    EXPECT_STR(carried, "none");
    eio_stop(&s);
}

/* The head by which the last session was opened is whole, whenever that was allowed. */
static void expect_head(const char *query) {
    const wshub_http *http = wshub_eio_http(s.eio, s.last);
    char target[200];
    (void)snprintf(target, sizeof target, "/socket.io/?%s", query);
    EXPECT(http && wshub_str_eq_z(http->query, query));
    EXPECT(http && wshub_str_eq_z(http->path, "/socket.io/"));
    EXPECT(http && wshub_str_eq_z(http->target, target));
    EXPECT(http && wshub_str_eq_z(wshub_http_header(http, "Host"), "h"));
}

TEST(whether_a_session_may_be_is_answered_at_once_or_later) { /* 2.1 */
    wshub_io_fake_frame f;
    wshub_conn c, u;
    eio_start(&s, EIO(.allow = allow), DESC(0), FAKE(0));
    allow_way = 0;
    c = eio_open(&s);
    expect_head("EIO=4&transport=polling");
    allow_way = 1;
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    EXPECT_ANSWER(&s, c, 403, "{\"code\":4,\"message\":\"nope\"}");
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_ANSWER(&s, u, 400, "nope");

    allow_way = 2;
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    EXPECT_HELD(&s, c);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_OK);
    expect_head("EIO=4&transport=polling");
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(eio_look(&s, c).status, 200);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_eio_refuse(s.eio, asked, NULL), WSHUB_ERR_STALE);
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_INT(wshub_eio_refuse(s.eio, asked, NULL), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_ANSWER(&s, u, 400, "Forbidden");
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    {
        eio_answer a = eio_look(&s, u);
        EXPECT_INT(a.status, 101);
        eio_take(&s, u, &a);
    }
    expect_head("EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.payload.ptr[0] == '0');

    /* Whoever goes meanwhile is not there any more. */
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=polling", "", NULL);
    wshub_io_fake_end(s.w.net, u);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_ERR_STALE);
    EXPECT_INT(s.opened, 3);
    eio_stop(&s);
}

TEST(pages_of_other_origins_open_no_session) { /* CONN-2 */
    static const char *const allowed[] = {"http://good.example"};
    wshub_conn c, u;
    eio_start(&s, EIO(.path = NULL), DESC(.allowed_origins = allowed, .allowed_origins_count = 1),
              FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "Origin: http://evil.example\r\n", NULL);
    EXPECT_ANSWER(&s, c, 403, "{\"code\":4,\"message\":\"Forbidden\"}");
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket",
            EIO_UPGRADE "Origin: http://evil.example\r\n", NULL);
    EXPECT_ANSWER(&s, u, 400, "Forbidden");
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "Origin: http://good.example\r\n", NULL);
    EXPECT_INT(s.opened, 1);
    c = eio_open(&s); /* who is no page says nothing */
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", EIO_UP, EIO_UPGRADE "Origin: http://evil.example\r\n", NULL);
    EXPECT_ANSWER(&s, u, 400, "Forbidden");
    eio_stop(&s);
}

static bool file(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)user;
    if (!wshub_str_eq_z(http->path, "/socket.io/client.js")) return false;
    asked = exchange;
    if (!http->query.ptr)
        EXPECT_INT(wshub_http_reply_text(wshub_eio_hub(eio), exchange, 200, wshub_str_z("js")),
                   WSHUB_OK);
    return true;
}

TEST(files_below_the_path_are_the_applications) { /* 2.8 serveClient */
    wshub_conn c;
    eio_start(&s, EIO(.on_file = file), DESC(0), FAKE(0));
    c = eio_open(&s);
    eio_ask(&s, c, "GET", "/socket.io/client.js", "", NULL);
    EXPECT_ANSWER(&s, c, 200, "js");
    eio_ask(&s, c, "GET", "/socket.io/client.js?later", "", NULL);
    EXPECT_HELD(&s, c);
    EXPECT_INT(wshub_http_reply_text(s.w.hub, asked, 200, wshub_str_z("js")), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_ANSWER(&s, c, 200, "js");
    eio_ask(&s, c, "GET", "/socket.io/none.js", "", NULL);
    EXPECT_ANSWER(&s, c, 400, "{\"code\":0,\"message\":\"Transport unknown\"}");
    eio_stop(&s);
}
