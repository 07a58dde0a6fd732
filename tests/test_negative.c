/* What is wrong and what becomes of it: twenty thousand handshakes, frames and messages, each with the status, close
 * code or reply and the log code it must have, given whole, byte by byte and in two pieces cut at every place up to 64.
 * The expectations are written from RFC 6455, RFC 9112 and SPEC.md, not from the code (LIMITS: bad inputs). */
#include "hubtest.h"

typedef struct bytes {
    uint8_t b[70000];
    size_t n;
} bytes;

static void add(bytes *o, const void *p, size_t n) {
    if (n) memcpy(o->b + o->n, p, n);
    o->n += n;
}
static void addz(bytes *o, const char *s) { add(o, s, strlen(s)); }

/* ---- the court: plays one input at every cut and compares what came of it with what must ---- */

typedef enum stage { RAW, OPENED, KNOWN } stage; /* a fresh stream; upgraded; authenticated as well */

static world court;
static char logged[256]; /* log codes of this play, but those that merely follow */
static unsigned cases_played, plays, complaints;

static void on_log(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    if (strlen(logged) + strlen(wshub_log_name(line->code)) + 2 > sizeof logged) return;
    if (logged[0]) strcat(logged, " ");
    strcat(logged, wshub_log_name(line->code));
    EXPECT(strlen(line->text) <= 128);
}
static wshub_err on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    return wshub_client_send(hub, c, &m);
}
static bool on_request(wshub *hub, wshub_request request, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)user;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = http->body;
    return wshub_http_reply(hub, request, &r) == WSHUB_OK;
}
static void court_opens(const char *const *origins, size_t count) {
    wshub_desc d;
    memset(&d, 0, sizeof d);
    d.on_authenticate = accept_all;
    d.on_join = join_all;
    d.on_message = on_message;
    d.on_request = on_request;
    d.on_log = on_log;
    d.payload_bytes_max = 2000;
    d.http_head_bytes_max = 2000;
    d.http_headers_max = 20;
    d.http_body_bytes_max = 100;
    d.json_depth_max = 20;
    d.rooms_per_message_max = 4;
    d.rooms_per_client_max = 8;
    d.allowed_origins = origins;
    d.allowed_origins_count = count;
    world_start(&court, d, FAKE(0));
    logged[0] = 0;
    cases_played = plays = 0;
}
static void court_closes(void) {
    wshub_conn c = world_client(&court, "judge", NULL); /* after all that, the hub serves the next */
    wshub_io_fake_text(court.net, c, "{\"event\":\"e\",\"data\":1}");
    EXPECT_TEXT(&court, c, "{\"event\":\"e\",\"data\":1}");
    world_stop(&court);
    (void)printf("  %u inputs, %u times\n", cases_played, plays);
}

/* What the peer sees, in words: `101`, `400`, `error TEXT`, `event NAME`, `close CODE`, `pong`; "" is silence. */
static void verdict(wshub_conn c, stage from, char *out, size_t cap) {
    wshub_io_fake_frame f;
    size_t at = 0;
    out[0] = 0;
    if (from == RAW) {
        wshub_str text = wshub_io_fake_output(court.net, c);
        if (text.len > 12) (void)snprintf(out, cap, "%.3s", text.ptr + 9);
        return;
    }
    while (wshub_io_fake_next(court.net, c, &f)) {
        char piece[200] = "?";
        if (f.opcode == 8) (void)snprintf(piece, sizeof piece, "close %u", f.code ? f.code : 1005); /* 1005: none in it */
        if (f.opcode == 10) (void)snprintf(piece, sizeof piece, "pong");
        if (f.opcode == 1) {
            char event[64], text[100];
            size_t n = wshub_json_text(wshub_json_get(f.payload, "event"), event, sizeof event - 1);
            event[n < sizeof event ? n : 0] = 0;
            n = wshub_json_text(wshub_json_get(wshub_json_get(f.payload, "data"), "message"), text, sizeof text - 1);
            text[n < sizeof text ? n : 0] = 0;
            if (strcmp(event, "error") == 0) (void)snprintf(piece, sizeof piece, "error %s", text);
            else (void)snprintf(piece, sizeof piece, "event %s", event);
        }
        at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? "; " : "", piece);
        if (at >= cap) break;
    }
}

static void once(stage from, const bytes *in, size_t cut, const char *want, const char *want_log) {
    char got[600];
    wshub_conn c = from == RAW ? wshub_io_fake_open(court.net) : from == OPENED ? wshub_io_fake_connect(court.net, "/ws") : world_client(&court, "u", NULL);
    logged[0] = 0;
    plays++;
    if (cut == 0) wshub_io_fake_set_cut(court.net, 1, 0);
    wshub_io_fake_input(court.net, c, in->b, cut ? cut : in->n);
    if (cut == 0) wshub_io_fake_set_cut(court.net, 0, 0);
    if (cut && cut < in->n) wshub_io_fake_input(court.net, c, in->b + cut, in->n - cut);
    verdict(c, from, got, sizeof got);
    if ((strcmp(got, want) != 0 || strcmp(logged, want_log) != 0) && complaints++ < 20) {
        size_t i;
        (void)printf("  cut at %u of %u: got '%s' logged '%s'\n    expected '%s' logged '%s' to: ", (unsigned)cut, (unsigned)in->n, got, logged, want, want_log);
        for (i = 0; i < in->n && i < 200; i++) (void)printf(in->b[i] >= 0x20 && in->b[i] < 0x7F ? "%c" : "\\x%02X", in->b[i]);
        (void)printf("\n");
    }
    if (strcmp(got, want) != 0 || strcmp(logged, want_log) != 0) test_failures++;
    if (wshub_io_fake_is_open(court.net, c)) wshub_io_fake_end(court.net, c);
    wshub_io_fake_forget(court.net, c);
    wshub_io_fake_advance(court.net, 1000); /* the log's second is over */
}
/* WSHUB_CORPUS=DIR: each input becomes a file there, as tests/fuzz/fuzz_conn.c reads it. */
static void keep_input(stage from, const bytes *in) {
    const char *dir = getenv("WSHUB_CORPUS");
    char path[300];
    FILE *f;
    if (!dir) return;
    (void)snprintf(path, sizeof path, "%s/%s-%u", dir, test_name, cases_played);
    f = fopen(path, "wb");
    if (!f) return;
    (void)fputc(0, f);
    (void)fputc(from == RAW ? 0 : from == OPENED ? 1 : 2, f);
    (void)fwrite(in->b, 1, in->n, f);
    (void)fclose(f);
}
static void hear(stage from, const bytes *in, const char *want, const char *want_log) {
    size_t k;
    cases_played++;
    keep_input(from, in);
    once(from, in, in->n, want, want_log);
    if (in->n < 300) once(from, in, 0, want, want_log);
    for (k = 1; k < in->n && k <= 64; k++) once(from, in, k, want, want_log);
}

/* ---- handshakes ---- */

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
/* A byte in the place of the `@` of a text. */
static void with_byte(bytes *o, const char *text, uint8_t c) {
    const char *at = strchr(text, '@');
    o->n = 0;
    add(o, text, (size_t)(at - text));
    add(o, &c, 1);
    addz(o, at + 1);
}
#define REST "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n"

TEST(request_lines) { /* RFC 9112 3 */
    static bytes o;
    unsigned c, major, minor;
    char line[64];
    court_opens(NULL, 0);
    for (c = 0; c < 256; c++) {
        bool token = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", (int)c));
        with_byte(&o, "G@T /ws HTTP/1.1\r\nHost: h\r\n" REST, (uint8_t)c); /* a token, but no GET: no handshake */
        if (c != 'E') hear(RAW, &o, "400", token ? "UPGRADE_REFUSED" : "HTTP_BAD");
        with_byte(&o, "GET /w@s HTTP/1.1\r\nHost: h\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, c <= 0x20 || c >= 0x7F || c == '#' ? "400" : "200", c <= 0x20 || c >= 0x7F || c == '#' ? "HTTP_BAD" : "");
        with_byte(&o, "GET /a HTTP/1.1@Host: h\r\n\r\n", (uint8_t)c); /* neither CR nor LF alone ends a line */
        hear(RAW, &o, "400", "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r@Host: h\r\n\r\n", (uint8_t)c);
        if (c != '\n') hear(RAW, &o, "400", "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h\r\n\r@", (uint8_t)c);
        if (c != '\n') hear(RAW, &o, "400", "HTTP_BAD");
        with_byte(&o, "GET /a @TTP/1.1\r\nHost: h\r\n\r\n", (uint8_t)c);
        if (c != 'H') hear(RAW, &o, "400", "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1@1\r\nHost: h\r\n\r\n", (uint8_t)c);
        if (c != '.') hear(RAW, &o, "400", "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/@.1\r\nHost: h\r\n\r\n", (uint8_t)c);
        if (c < '0' || c > '9') hear(RAW, &o, "400", "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.@\r\nHost: h\r\n\r\n", (uint8_t)c);
        if (c < '0' || c > '9') hear(RAW, &o, "400", "HTTP_BAD");
    }
    for (major = 0; major < 10; major++) {
        for (minor = 0; minor < 10; minor++) {
            (void)snprintf(line, sizeof line, "GET /ws HTTP/%u.%u", major, minor);
            o.n = 0;
            addz(&o, line);
            addz(&o, "\r\nHost: h\r\n" REST);
            if (major != 1) hear(RAW, &o, "505", "HTTP_BAD");
            else hear(RAW, &o, minor ? "101" : "400", minor ? "" : "UPGRADE_REFUSED");
        }
    }
    {
        static const char *const lines[] = {"", "GET", "GET ", "GET  HTTP/1.1", " GET /a HTTP/1.1", "GET /a", "GET /a HTTP", "GET /a HTTP/1", "GET /a HTTP/1.", "GET /a HTTP/1.1 ", "GET /a  HTTP/1.1", "GET /a b HTTP/1.1",
                                            "GET /a HTTP/11.1", "GET /a HTTP/1.11", "GET /a http/1.1", "GET a HTTP/1.1", "GET h:80 HTTP/1.1", "CONNECT h:80 HTTP/1.1", "GET * HTTP/1.1", "GET ** HTTP/1.1", "OPTIONS ** HTTP/1.1", "OPTIONS a HTTP/1.1",
                                            "GET ftp://h/a HTTP/1.1", "GET http:// HTTP/1.1", "GET http:///a HTTP/1.1", "GET http://?q HTTP/1.1", "GET http://h@/a HTTP/1.1", "GET http://h:x/a HTTP/1.1", "GET http://[::1/a HTTP/1.1", "GET http://[g]/a HTTP/1.1",
                                            "GET http://[]/a HTTP/1.1", "GET http://[:]x/a HTTP/1.1", "GET https://h\"/a HTTP/1.1", "GET wss:// HTTP/1.1", "GET http:/h/a HTTP/1.1", "/a", "HTTP/1.1", "GET /a FTP/1.1", "GET /a TTTP/1.1", "GET\t/a\tHTTP/1.1"};
        static const char *const fine[] = {"GET http://h HTTP/1.1", "GET https://h?q HTTP/1.1", "GET http://h:/a HTTP/1.1", "GET http://[::1]:8/a HTTP/1.1", "GET http://[1:2:FF::127.0.0.1]/ HTTP/1.1", "GET WSS://H.example/a HTTP/1.1",
                                           "OPTIONS * HTTP/1.1", "PATCH /a HTTP/1.1", "GET /a?b=/c?d HTTP/1.1", "GET //a HTTP/1.1", "GET /%zz HTTP/1.1", "DELETE /a HTTP/1.1", "a /a HTTP/1.1", "GET http://a_b-c.~!$&'()*+,;=%41/ HTTP/1.1"};
        size_t i;
        for (i = 0; i < sizeof lines / sizeof *lines; i++) {
            o.n = 0;
            addz(&o, i ? lines[i] : "\r\n"); /* the first: two empty lines */
            addz(&o, "\r\nHost: h\r\n\r\n");
            hear(RAW, &o, "400", "HTTP_BAD");
        }
        for (i = 0; i < sizeof fine / sizeof *fine; i++) {
            o.n = 0;
            addz(&o, fine[i]);
            addz(&o, "\r\nHost: h\r\n\r\n");
            hear(RAW, &o, "200", "");
        }
    }
    court_closes();
}

TEST(header_fields) { /* RFC 9112 5, 3.2, 6 */
    static bytes o;
    unsigned c, i;
    court_opens(NULL, 0);
    for (c = 0; c < 256; c++) {
        bool token = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", (int)c));
        bool value = c == '\t' || (c >= 0x20 && c != 0x7F);
        bool host = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._~%!$&'()*+,;=", (int)c));
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h\r\n@X: y\r\n\r\n", (uint8_t)c);
        if (c != '\r') hear(RAW, &o, token ? "200" : "400", token ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h\r\nX@Y: y\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, token || c == ':' ? "200" : "400", token || c == ':' ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h\r\nXY@: y\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, token || c == ':' ? "200" : "400", token || c == ':' ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h\r\nX:@y\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, value ? "200" : "400", value ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h\r\nX: y@z\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, value ? "200" : "400", value ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h\r\nX: y@\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, value ? "200" : "400", value ? "" : "HTTP_BAD"); /* CR CR LF: a bare CR */
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h@i\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, host ? "200" : "400", host ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h:8@\r\n\r\n", (uint8_t)c); /* white space behind a value is not part of it */
        hear(RAW, &o, (c >= '0' && c <= '9') || c == ' ' || c == '\t' ? "200" : "400", (c >= '0' && c <= '9') || c == ' ' || c == '\t' ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: [::@1]\r\n\r\n", (uint8_t)c);
        {
            bool ip = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
            hear(RAW, &o, ip ? "200" : "400", ip ? "" : "HTTP_BAD");
        }
        with_byte(&o, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1@\r\n\r\n0123456789012345678", (uint8_t)c);
        if (c >= '0' && c <= '9') {
            hear(RAW, &o, "200", ""); /* what follows the body is the beginning of another request */
        } else {
            hear(RAW, &o, c == ' ' || c == '\t' ? "200" : "400", c == ' ' || c == '\t' ? "" : "HTTP_BAD");
        }
    }
    {
        static const struct { const char *status, *fields; } t[] = {
            {"400", ""}, {"400", "X: y\r\n"}, {"400", "Host: h\r\nHost: h\r\n"}, {"400", "Host: h\r\nhOST: i\r\n"}, {"200", "host:\r\n"}, {"200", "Host: \t h \t\r\n"},
            {"400", "Host: h i\r\n"}, {"400", "Host: [::1\r\n"}, {"400", "Host: [:\r\n"}, {"400", "Host: []\r\n"}, {"400", "Host: [1]\r\n"}, {"400", "Host: [::1]x\r\n"}, {"200", "Host: [::1]:\r\n"}, {"200", "Host: :80\r\n"},
            {"400", "Host: h:80:\r\n"}, {"400", "Host: h/\r\n"}, {"400", "Host: u@h\r\n"}, {"400", "Host: h\r\n X: y\r\n"}, {"400", "Host: h\r\n\tX: y\r\n"}, {"400", "Host: h\r\nX\r\n"}, {"400", "Host: h\r\n: y\r\n"},
            {"400", "Host: h\r\nContent-Length:\r\n"}, {"400", "Host: h\r\nContent-Length: -1\r\n"}, {"400", "Host: h\r\nContent-Length: 0x1\r\n"}, {"400", "Host: h\r\nContent-Length: 1,1\r\n"}, {"400", "Host: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n"},
            {"400", "Host: h\r\nContent-Length: 1234567890123456789\r\n"}, {"413", "Host: h\r\nContent-Length: 123456789012345678\r\n"}, {"413", "Host: h\r\nContent-Length: 101\r\n"}, {"200", "Host: h\r\nContent-Length: 0\r\n"}, {"200", "Host: h\r\nContent-Length: 000000000000000000\r\n"},
            {"400", "Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"}, {"400", "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}, {"501", "Host: h\r\nTransfer-Encoding: gzip\r\n"}, {"501", "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n"},
            {"501", "Host: h\r\nTransfer-Encoding: chunked, gzip\r\n"}, {"501", "Host: h\r\nTransfer-Encoding:\r\n"}, {"501", "Host: h\r\nTransfer-Encoding: xchunked\r\n"},
            {"200", "Host: h\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:\r\n11:\r\n12:\r\n13:\r\n14:\r\n15:\r\n16:\r\n17:\r\n18:\r\n19:\r\n"},
            {"431", "Host: h\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:\r\n11:\r\n12:\r\n13:\r\n14:\r\n15:\r\n16:\r\n17:\r\n18:\r\n19:\r\n20:\r\n"},
            {"200", "Host: h\r\n__proto__: 1\r\nconstructor: 2\r\n"},
        };
        for (i = 0; i < sizeof t / sizeof *t; i++) {
            o.n = 0;
            addz(&o, "POST /a HTTP/1.1\r\n");
            addz(&o, t[i].fields);
            addz(&o, "\r\n");
            hear(RAW, &o, t[i].status, strcmp(t[i].status, "200") == 0 ? "" : "HTTP_BAD");
        }
    }
    { /* HTTP/1.0 needs no Host, but bears only one, and no chunks */
        static const struct { const char *status, *rest; } t[] = {{"200", ""}, {"200", "Host: h\r\n"}, {"400", "Host: h\r\nHost: h\r\n"}, {"400", "Host: h h\r\n"}, {"400", "Transfer-Encoding: chunked\r\n"}};
        for (i = 0; i < sizeof t / sizeof *t; i++) {
            o.n = 0;
            addz(&o, "GET /a HTTP/1.0\r\n");
            addz(&o, t[i].rest);
            addz(&o, "\r\n");
            hear(RAW, &o, t[i].status, strcmp(t[i].status, "200") == 0 ? "" : "HTTP_BAD");
        }
    }
    for (i = 1950; i < 2050; i++) { /* CONN-3: a head of that many bytes */
        o.n = 0;
        addz(&o, "GET /a HTTP/1.1\r\nHost: h\r\nX: ");
        while (o.n < i - 4) addz(&o, "x");
        addz(&o, "\r\n\r\n");
        hear(RAW, &o, i <= 2000 ? "200" : "431", i <= 2000 ? "" : "HTTP_BAD");
    }
    court_closes();
}

TEST(bodies_in_chunks) { /* RFC 9112 7.1 */
    static const char head[] = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const struct { const char *status, *body; } t[] = {
        {"200", "0\r\n\r\n"}, {"200", "1\r\na\r\n0\r\n\r\n"}, {"200", "A\r\n0123456789\r\n0\r\n\r\n"}, {"200", "a;x\r\n0123456789\r\n0;y=\"z\"\r\nT: u\r\nV: w\r\n\r\n"}, {"200", "00000001\r\na\r\n0\r\n\r\n"}, {"413", "65\r\n"}, {"413", "ffffffff\r\n"},
        {"413", "64\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n1\r\n"}, {"400", "000000001\r\n"}, {"400", "\r\n"}, {"400", ";x\r\n"}, {"400", " 1\r\n"}, {"400", "1 \r\n"}, {"400", "0x1\r\n"}, {"400", "-1\r\n"}, {"400", "g\r\n"},
        {"400", "1\n"}, {"400", "1\rx"}, {"400", "1;\n"}, {"400", "1;x\rx"}, {"400", "1\r\nab"}, {"400", "1\r\na\n"}, {"400", "1\r\na\rx"}, {"400", "1\r\n\r\n\r\n"}, {"400", "0\r\nT: u\n"}, {"400", "0\r\nT: u\rx"}, {"400", "0\r\n\rx"},
    };
    static bytes o;
    size_t i, k;
    court_opens(NULL, 0);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        o.n = 0;
        addz(&o, head);
        addz(&o, t[i].body);
        hear(RAW, &o, t[i].status, strcmp(t[i].status, "200") == 0 ? "" : "HTTP_BAD");
        for (k = 1; k < strlen(t[i].body); k++) once(RAW, &o, sizeof head - 1 + k, t[i].status, strcmp(t[i].status, "200") == 0 ? "" : "HTTP_BAD");
    }
    for (i = 0; i < 2; i++) { /* extensions and trailers are no way to say without end */
        o.n = 0;
        addz(&o, head);
        addz(&o, i ? "0\r\nT: " : "1;");
        while (o.n < 5000) addz(&o, "x");
        hear(RAW, &o, "400", "HTTP_BAD");
    }
    o.n = 0;
    addz(&o, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    hear(RAW, &o, "100", "");
    o.n = 0;
    addz(&o, "POST /a HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"); /* RFC 9110 10.1.1: not to 1.0 */
    hear(RAW, &o, "", "");
    o.n = 0;
    addz(&o, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: more\r\nContent-Length: 1\r\n\r\nx");
    hear(RAW, &o, "200", "");
    court_closes();
}

TEST(handshakes) { /* RFC 6455 4.2.1; CONN-1, CONN-2 */
    static const char *const methods[] = {"POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "get", "GETT", "GE"};
    static bytes o;
    unsigned i, k;
    char text[80];
    court_opens(NULL, 0);
    for (i = 0; i < sizeof methods / sizeof *methods; i++) {
        o.n = 0;
        addz(&o, methods[i]);
        addz(&o, " /ws HTTP/1.1\r\nHost: h\r\n" REST);
        hear(RAW, &o, "400", "UPGRADE_REFUSED");
    }
    for (i = 0; i < 24; i++) { /* the key: one byte of it wrong */
        for (k = 0; k < 256; k++) {
            bool digit = (k >= '0' && k <= '9') || (k >= 'A' && k <= 'Z') || (k >= 'a' && k <= 'z') || k == '+' || k == '/';
            bool control = (k < 0x20 && k != '\t') || k == 0x7F, ok = i < 22 ? digit : k == '=';
            if (k % 8 != i % 8 && k != '=' && k != '@' && k != '[' && k != '`' && k != '{' && k != '/' && k != ':' && k != '+') continue;
            o.n = 0;
            addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: ");
            add(&o, KEY, i);
            add(&o, &(uint8_t){(uint8_t)k}, 1);
            addz(&o, KEY + i + 1);
            addz(&o, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n");
            hear(RAW, &o, ok ? "101" : "400", ok ? "" : control ? "HTTP_BAD" : "UPGRADE_REFUSED");
        }
    }
    for (i = 0; i < 48; i++) { /* or as long as it is not */
        o.n = 0;
        addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
        for (k = 0; k < i; k++) addz(&o, k >= i - 2 ? "=" : "A");
        addz(&o, "\r\n\r\n");
        hear(RAW, &o, i == 24 ? "101" : "400", i == 24 ? "" : "UPGRADE_REFUSED");
    }
    for (i = 0; i < 300; i++) { /* the version: 13, written 13 */
        static const char *const odd[] = {"013", "13.0", "+13", "0x0D", "13 8", "1 3", "x"};
        const char *v = text;
        if (i < 256) (void)snprintf(text, sizeof text, "%u", i);
        else if (i - 256 < sizeof odd / sizeof *odd) v = odd[i - 256];
        else break;
        o.n = 0;
        addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: ");
        addz(&o, v);
        addz(&o, "\r\n\r\n");
        hear(RAW, &o, i == 13 ? "101" : "426", i == 13 ? "" : "UPGRADE_REFUSED");
    }
    {
        static const struct { const char *want, *log, *head; } t[] = {
            {"400", "UPGRADE_REFUSED", "Connection: close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgraded, xUpgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection:\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"101", "", "Connection: keep-alive\r\nConnection: , upgrade ,\r\nUpgrade: h2c, WEBSOCKET\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"200", "", "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"}, /* no upgrade, an ordinary request */
            {"200", "", "Connection: Upgrade\r\nUpgrade: websockets\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"200", "", "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"426", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nContent-Length: 1\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nContent-Length: 999999\r\n"},
            {"101", "", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nContent-Length: 0\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nTransfer-Encoding: chunked\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Protocol: a b\r\n"},
            {"400", "UPGRADE_REFUSED", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: \"b\"\r\n"},
            {"101", "", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Protocol: a,,b,\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99; x=\"\\\"\"\r\n"},
        };
        for (i = 0; i < sizeof t / sizeof *t; i++) {
            o.n = 0;
            addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\n");
            addz(&o, t[i].head);
            addz(&o, "\r\n");
            hear(RAW, &o, t[i].want, t[i].log);
        }
    }
    for (i = 20; i < 45; i++) { /* protocols offered: any number, of which 32 are looked at */
        o.n = 0;
        addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: ");
        for (k = 0; k < i; k++) addz(&o, "p,");
        addz(&o, "\r\n" REST);
        hear(RAW, &o, "101", "");
    }
    court_closes();
}

static const char *const allowed[] = {"https://app.example", "https://app.example:8443", "http://localhost:3000", "https://*.sub.example", "http://*.dev.example:81", "null", "https://[2001:db8::1]", "https://b\xC3\xBC" "cher.example"};

TEST(origins) { /* RFC 6454; CONN-2; LIMITS: a table of 200 */
    static const char *const yes[] = {
        "https://app.example", "HTTPS://APP.EXAMPLE", "https://App.Example", "https://app.example:8443", "http://localhost:3000", "null", "NULL", "https://a.sub.example", "https://a.b.sub.example", "https://a-b.sub.example", "https://a_b.sub.example",
        "https://1.sub.example", "https://A.SUB.EXAMPLE", "https://xn--bcher-kva.sub.example", "http://x.dev.example:81", "http://x.y.dev.example:81", "https://[2001:db8::1]", "https://[2001:DB8::1]", "https://b\xC3\xBC" "cher.example",
    };
    static const char *const no[] = {
        "", "https://", "https:", "app.example", "//app.example", "http://app.example", "wss://app.example", "https://app.example.", "https://app.example/", "https://app.example:443", "https://app.example:", "https://app.example:84430", "https://app.example:844",
        "https://xapp.example", "https://app.example.evil", "https://app.example@evil", "https://evil@app.example", "https://user:pw@app.example", "https://app.examples", "https://app.exampl", "https://app_example", "https://app%2eexample", "https://app.example%00", "https://app.example#", "https://app.example?",
        "https://app.example\\evil", "https://app.example evil", "https://app.example,https://evil", "https://app.example https://app.example", "https://app.example;x", "httpss://app.example", "https//app.example", "https:/app.example", "https:app.example", "https:///app.example", "https://.app.example", "ttps://app.example",
        "https://sub.example", "https://.sub.example", "https://..sub.example", "https://a..sub.example", "https://.a.sub.example", "https://a.sub.example.", "https://a.sub.example:443", "https://a.sub.example/", "http://a.sub.example", "https://asub.example", "https://a.sub.example.evil", "https://a.subXexample", "https://evil/.sub.example", "https://evil/a.sub.example",
        "https://evil?.sub.example", "https://evil#.sub.example", "https://evil@a.sub.example", "https://evil:80.sub.example", "https://evil\\.sub.example", "https://e vil.sub.example", "https://*.sub.example", "https://a*.sub.example", "https://%61.sub.example", "https://[::1].sub.example", "https://a,b.sub.example", "https://a;b.sub.example", "https://\xC3\xBC.sub.example", "https://a.sub.example a.sub.example", "https://a.Sub.example.sub.exampl",
        "http://dev.example:81", "http://x.dev.example", "http://x.dev.example:80", "http://x.dev.example:811", "http://x.dev.example:8", "https://x.dev.example:81", "http://.dev.example:81", "http://x/.dev.example:81", "http://x.dev.example:81/",
        "nul", "nulll", "null ,", "\"null\"", "undefined", "false", "0", "none", "*", "https://*", "*://app.example", "https://localhost:3000", "http://localhost", "http://localhost:300", "http://localhost:30000", "http://localhost:3000/", "http://127.0.0.1:3000", "http://localhost.evil:3000", "http://xlocalhost:3000",
        "https://[2001:db8::2]", "https://2001:db8::1", "https://[2001:db8::1]:443", "https://[2001:0db8::1]", "https://[2001:db8::1", "https://[[2001:db8::1]]", "https://bucher.example", "https://b\xC3\xBC" "chers.example", "https://b\xC3\xBC" "cher.example\xC2\xA0", "https://b%C3%BCcher.example", "https://xn--bcher-kva.example",
        "file://", "file:///app.example", "data:,x", "blob:https://app.example", "javascript:alert(1)", "about:blank", "chrome-extension://abc", "moz-extension://app.example", "https://app.example%", "https://app-example", "https://ap.p.example", "https://a.pp.example", "https://www.app.example", "https://app.example.app.example", "https://app.example:8443.evil", "https://app.example:8443/", "https://app.example:8444", "https://app.example:08443", "https://app.example:+8443", "https://app.example:8443:8443", "http://app.example:8443",
        "h", "ht", "https", "https://a", "https://s", "https://e", "https://.", "https://..", "https://-", "https://sub", "https://.example", "https://example", "https://b.example", "https://subexample", "https://x.sub-example", "https://x.sub.example-", "https://x.sub.exampl", "https://x.sub.examplf", "https://x.sub.exampleX", "https://x.suB.exampl\xC3\xA9", "Https://sub.example", "hTTps://a..sub.example",
        "http://x.devexample:81", "http://x.dev.example81", "http://x.dev.example::81", "http://x.dev.example:81 ,null", "http://x.DEV.example:082", "http://a@x.dev.example:81", "https://a.sub.example, https://b.sub.example", "https://a.sub.example\\", "https://a.sub.example%", "https://a.sub.example:", "https://a.sub.example.:443", "https://a.sub.example?x", "https://a.sub.example#x", "https://!.sub.example", "https://a!.sub.example", "https://a.sub.example!", "https://(a).sub.example",
        "https://a&b.sub.example", "https://a=b.sub.example", "https://a+b.sub.example", "https://~a.sub.example", "https://$.sub.example", "https://a'b.sub.example", "https://\"a\".sub.example", "https://{a}.sub.example", "https://a|b.sub.example", "https://`a`.sub.example", "https://a^b.sub.example", "https://<a>.sub.example", "https://a\tb.sub.example", "http://x#.dev.example:81", "http://x?.dev.example:81", "http://..dev.example:81",
    };
    static bytes o;
    size_t i;
    court_opens(allowed, sizeof allowed / sizeof *allowed);
    EXPECT(sizeof yes / sizeof *yes + sizeof no / sizeof *no >= 200);
    for (i = 0; i < sizeof yes / sizeof *yes + sizeof no / sizeof *no; i++) {
        bool ok = i < sizeof yes / sizeof *yes;
        o.n = 0;
        addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nOrigin: ");
        addz(&o, ok ? yes[i] : no[i - sizeof yes / sizeof *yes]);
        addz(&o, "\r\n" REST);
        hear(RAW, &o, ok ? "101" : "403", ok ? "" : "UPGRADE_REFUSED");
    }
    o.n = 0; /* two, though both are allowed: which one would it be? */
    addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nOrigin: null\r\n" REST);
    hear(RAW, &o, "403", "UPGRADE_REFUSED");
    o.n = 0; /* none at all: a program, no page */
    addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\n" REST);
    hear(RAW, &o, "101", "");
    court_closes();
}

/* ---- frames ---- */

static void frame_of(bytes *o, uint8_t first, bool masked, int form, uint64_t announced, const void *payload, size_t len) {
    static const uint8_t mask[4] = {9, 200, 7, 6};
    uint8_t m = masked ? 0x80 : 0, b[10];
    size_t i, at = o->n;
    b[0] = first;
    b[1] = (uint8_t)(m | (form == 1 ? announced : form == 2 ? 126 : 127));
    if (form == 2) {
        b[2] = (uint8_t)(announced >> 8);
        b[3] = (uint8_t)announced;
    } else if (form == 3) {
        for (i = 0; i < 8; i++) b[2 + i] = (uint8_t)(announced >> (56 - 8 * i));
    }
    add(o, b, form == 1 ? 2 : form == 2 ? 4 : 10);
    if (masked) add(o, mask, 4);
    at = o->n;
    add(o, payload, len);
    for (i = 0; masked && i < len; i++) o->b[at + i] ^= mask[i % 4];
}
static void frame(bytes *o, uint8_t first, const void *payload, size_t len) {
    frame_of(o, first, true, len < 126 ? 1 : len < 65536 ? 2 : 3, len, payload, len);
}

/* RFC 6455 5: what a server makes of one frame whose payload are blanks. inside: of a fragmented text. */
static const char *frame_law(unsigned first, bool masked, uint64_t len, bool inside, const char **log) {
    unsigned op = first & 15, fin = first & 128, rsv = first & 0x70;
    *log = "PROTO";
    if (rsv || (op >= 3 && op <= 7) || op >= 11) return "close 1002";
    if (!masked) return "close 1002";
    if (op >= 8 && (!fin || len > 125)) return "close 1002";
    if (op == 0 && !inside) return "close 1002";
    if ((op == 1 || op == 2) && inside) return "close 1002";
    if (op < 8 && len + (inside ? 1 : 0) > 2000) return "close 1009";
    *log = "";
    if (op == 9) return "pong";
    if (op == 10) return "";
    if (op == 8) {
        if (len) *log = "PROTO"; /* one byte, or the code 0x2020 */
        return len ? "close 1002" : "close 1005";
    }
    if (!fin) return "";
    *log = "MSG_INVALID";
    return "error Invalid message format";
}

TEST(frames_of_every_kind) { /* RFC 6455 5.2, 5.4, 5.5; BYE-3 */
    static const uint64_t sizes[] = {0, 1, 2, 125, 126, 1999, 2000, 2001, 65535, 65536, UINT64_C(0x7FFFFFFF), UINT64_C(0x80000000), UINT64_C(0x80000001), UINT64_C(0xFFFFFFFF), UINT64_C(0x100000000), UINT64_C(0x100000001), UINT64_C(0x7FFFFFFFFFFFFFFF)};
    static char blanks[2001];
    static bytes o;
    unsigned first, k, masked, inside;
    memset(blanks, ' ', sizeof blanks);
    court_opens(NULL, 0);
    for (first = 0; first < 256; first++) {
        for (k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            for (masked = 0; masked < 2; masked++) {
                for (inside = 0; inside < 2; inside++) {
                    const char *log, *want = frame_law(first, masked, sizes[k], inside, &log);
                    bool whole = (!strncmp(want, "close", 5) && sizes[k] > 125) || sizes[k] > 2000 ? false : true;
                    if (k > 4 && (first & 0x70)) continue; /* that those are refused is seen at the small sizes */
                    if (k > 4 && (!masked || (first & 15) > 2)) continue;
                    o.n = 0;
                    if (inside) frame(&o, 1, " ", 1);
                    frame_of(&o, (uint8_t)first, masked, sizes[k] < 126 ? 1 : sizes[k] < 65536 ? 2 : 3, sizes[k], blanks, whole ? (size_t)sizes[k] : 0);
                    hear(KNOWN, &o, want, log);
                }
            }
        }
    }
    for (k = 0; k < 126; k++) { /* not the shortest form of a length */
        o.n = 0;
        frame_of(&o, 0x81, true, 2, k, blanks, 0);
        hear(OPENED, &o, "close 1002", "PROTO");
    }
    for (k = 0; k < 65536; k += k < 300 || k > 65300 ? 7 : 997) {
        o.n = 0;
        frame_of(&o, 0x82, true, 3, k, blanks, 0);
        hear(OPENED, &o, "close 1002", "PROTO");
    }
    for (k = 0; k < 64; k++) { /* the top bit must be 0 */
        o.n = 0;
        frame_of(&o, 0x81, true, 3, UINT64_C(1) << 63 | UINT64_C(1) << k, blanks, 0);
        hear(OPENED, &o, "close 1002", "PROTO");
    }
    o.n = 0;
    frame_of(&o, 0x81, true, 3, UINT64_MAX, blanks, 0);
    hear(OPENED, &o, "close 1002", "PROTO");
    court_closes();
}

TEST(closes_of_every_code) { /* RFC 6455 7.4 */
    static bytes o;
    unsigned code, i;
    static const char *const reasons[] = {"\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80", "\x80", "ok\xE2\x82", "\xF0\x80\x80\x80"};
    char want[32];
    uint8_t p[130];
    court_opens(NULL, 0);
    for (code = 0; code < 65536; code += code < 5100 ? 1 : 1009) {
        bool ok = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        if (code > 20 && code < 990 && code % 50) continue;
        if (code > 1030 && code < 2980 && code % 50) continue;
        if (code > 3020 && code < 4980 && code % 50) continue;
        p[0] = (uint8_t)(code >> 8);
        p[1] = (uint8_t)code;
        p[2] = 'r';
        for (i = 2; i < 4; i++) {
            o.n = 0;
            frame(&o, 0x88, p, i);
            (void)snprintf(want, sizeof want, "close %u", ok ? code : 1002);
            hear(OPENED, &o, want, ok ? "" : "PROTO");
        }
    }
    for (i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        o.n = 0;
        p[0] = 3;
        p[1] = 0xE8;
        memcpy(p + 2, reasons[i], strlen(reasons[i]));
        frame(&o, 0x88, p, 2 + strlen(reasons[i]));
        hear(OPENED, &o, "close 1007", "PROTO");
        frame(&o, 0x89, "x", 1); /* and what follows a Close is not looked at */
        frame(&o, 0xF3, "x", 1);
        hear(OPENED, &o, "close 1007", "PROTO");
    }
    memset(p + 2, 'r', 123);
    o.n = 0;
    frame(&o, 0x88, p, 125);
    hear(OPENED, &o, "close 1000", "");
    o.n = 0;
    frame(&o, 0x88, "\x03", 1);
    hear(OPENED, &o, "close 1002", "PROTO");
    court_closes();
}

TEST(messages_in_fragments) { /* RFC 6455 5.4 */
    static const char *const text = "{\"event\":\"e\",\"data\":\"\xE6\xBC\xA2\"}";
    static bytes o;
    size_t i, k, n = strlen(text);
    court_opens(NULL, 0);
    for (i = 0; i <= n; i++) {
        for (k = i; k <= n; k += 5) {
            o.n = 0; /* three fragments, control frames between them */
            frame(&o, 0x01, text, i);
            frame(&o, 0x89, "", 0);
            frame(&o, 0x00, text + i, k - i);
            frame(&o, 0x8A, "x", 1);
            frame(&o, 0x80, text + k, n - k);
            hear(KNOWN, &o, "pong; event e", "");
        }
        o.n = 0; /* a Close between them ends it */
        frame(&o, 0x01, text, i);
        frame(&o, 0x88, "\x03\xE8", 2);
        frame(&o, 0x80, text + i, n - i);
        hear(KNOWN, &o, "close 1000", "");
        o.n = 0; /* another message between them does not fit */
        frame(&o, 0x01, text, i);
        frame(&o, 0x81, text, n);
        hear(KNOWN, &o, "close 1002", "PROTO");
        o.n = 0; /* and when it is over, it is over */
        frame(&o, 0x01, text, i);
        frame(&o, 0x80, text + i, n - i);
        frame(&o, 0x80, "x", 1);
        hear(KNOWN, &o, "event e; close 1002", "PROTO");
    }
    {
        static char big[2001];
        memset(big, ' ', sizeof big);
        for (i = 0; i < 2; i++) { /* 2,000 bytes in all, and one more */
            o.n = 0;
            frame(&o, 0x01, big, 1000);
            frame(&o, 0x00, big, 600);
            frame(&o, 0x00, big, 0);
            frame(&o, 0x80, big, 400 + i);
            hear(KNOWN, &o, i ? "close 1009" : "error Invalid message format", i ? "PROTO" : "MSG_INVALID");
        }
        for (i = 0; i < 2; i++) { /* bytes before the client is accepted: 8,192 in all; a piece at a time */
            o.n = 0;
            for (k = 0; k < 4; k++) frame(&o, 0x81, big, 2000);
            frame(&o, 0x81, big, 192 + i);
            hear(OPENED, &o, i ? "error Invalid message format; error Invalid message format; error Invalid message format; error Invalid message format; close 1008"
                               : "error Invalid message format; error Invalid message format; error Invalid message format; error Invalid message format; error Invalid message format",
                 i ? "MSG_INVALID MSG_INVALID MSG_INVALID MSG_INVALID PROTO" : "MSG_INVALID MSG_INVALID MSG_INVALID MSG_INVALID MSG_INVALID");
        }
    }
    court_closes();
}

TEST(text_that_is_not_utf8) { /* RFC 3629; BYE-3, MSG-2 */
    static bytes o, whole;
    unsigned a, b, k;
    uint8_t p[8];
    court_opens(NULL, 0);
    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b += b < 0x70 ? 0x37 : 0x0F) { /* two bytes and what the RFC's table says of them, blanks behind */
            bool two = a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF;
            if ((a < 0x80 && b < 0x80) || two) continue; /* that is UTF-8 */
            p[0] = (uint8_t)a;
            p[1] = (uint8_t)b;
            p[2] = p[3] = ' ';
            o.n = 0;
            frame(&o, 0x81, p, 4);
            hear(KNOWN, &o, "close 1007", "PROTO");
            o.n = 0; /* as binary: read like text, no breach of the protocol */
            frame(&o, 0x82, p, 4);
            hear(KNOWN, &o, "error Invalid message format", "MSG_INVALID");
        }
    }
    {
        static const char *const bad[] = {
            "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xEF\xBF", "\xE1\x80", "\xE1\x80\xC0", "\xE1\xC0\x80", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80",
            "\xFE", "\xFF", "\xF1\x80\x80", "\xF1\x80", "\xF1", "\xC2", "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xF1\x80\x80\xC0", "\xF1\x80\xC0\x80", "\xF1\xC0\x80\x80", "\xED\xA0\xBD\xED\xB8\x80", "\xE2\x28\xA1", "\xF0\x28\x8C\xBC",
        };
        for (a = 0; a < sizeof bad / sizeof *bad; a++) {
            size_t n = strlen(bad[a]);
            for (b = 0; b < 20; b++) { /* at every place relative to a word of eight bytes */
                whole.n = 0;
                addz(&whole, "{\"event\":\"e\",\"data\":\"");
                for (k = 0; k < b; k++) addz(&whole, "a");
                add(&whole, bad[a], n);
                addz(&whole, "\"}");
                o.n = 0;
                frame(&o, 0x81, whole.b, whole.n);
                if (b % 4 == 0) hear(KNOWN, &o, "close 1007", "PROTO");
                else once(KNOWN, &o, o.n, "close 1007", "PROTO");
            }
            for (k = 0; k <= n; k++) { /* cut by a fragment, one of them empty */
                o.n = 0;
                frame(&o, 0x01, bad[a], k);
                frame(&o, 0x00, "", 0);
                frame(&o, 0x80, bad[a] + k, n - k);
                hear(KNOWN, &o, "close 1007", "PROTO");
            }
        }
    }
    court_closes();
}

/* ---- messages ---- */

static void said(stage from, const char *text, size_t n, const char *want, const char *log) {
    static bytes o;
    o.n = 0;
    frame(&o, 0x81, text, n);
    hear(from, &o, want, log);
}

TEST(texts_that_are_not_json) { /* RFC 8259; MSG-2, MSG-9 */
    static const char *const bad[] = {
        "", " ", "\t\r\n", "{", "}", "[", "]", "\"", ":", ",", "{]", "[}", "[[]", "{{}}", "{}{}", "{} {}", "[]]", "[1 2]", "[1,]", "[,1]", "[,]", "[1,,2]", "{,}", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{\"a\":,}", "{:1}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}",
        "{\"a\":1,,\"b\":2}", "{\"a\":1;\"b\":2}", "{\"a\":1", "{\"a\":", "{\"a\"", "{\"a", "{\"event\":\"e\"", "{\"event\":\"e\",", "{\"event\":\"e\"}x", "{\"event\":\"e\"}}", "x{\"event\":\"e\"}", "\xEF\xBB\xBF{\"event\":\"e\"}", "// c\n{}", "/**/{}", "{/**/}", "#{}", "<a/>", "nul", "nulL", "NULL", "nulll", "tru", "True", "truee", "fals", "FALSE", "falsey",
        "undefined", "NaN", "Infinity", "-Infinity", "-", "+1", "01", "-01", "00", "1.", ".1", "-.1", "1.e1", "1e", "1e+", "1E-", "1e1.0", "1.2.3", "0x1", "1_000", "1,000", "1 1", "--1", "1-", "1e1e1", "\xD9\xA1", "[01]", "[1.]", "[.1]", "[-]", "[+1]", "[1e]", "[0x1]", "[1a]", "[NaN]", "[truefalse]", "[\"a\" \"b\"]", "[\"a\",\"b\"", "[\"a", "\"a", "'a'", "\"a\"b\"", "\"\\\"", "\"\\", "\"\\x\"",
        "\"\\a\"", "\"\\0\"", "\"\\'\"", "\"\\U0041\"", "\"\\u\"", "\"\\u0\"", "\"\\u00\"", "\"\\u004\"", "\"\\u004g\"", "\"\\u00g1\"", "\"\\u0g41\"", "\"\\ug041\"", "\"\\u 041\"", "\"\\u-041\"", "\"\\uD83D\\u\"", "\"\\uD83D\\uDE0\"", "\"a\tb\"", "\"a\nb\"", "\"a\rb\"", "\"\x01\"", "\"\x1F\"", "\"aaaaaaa\x01\"", "\"aaaaaaaaa\x1F" "aaaaaaaa\"", "{\"a\x02\":1}", "{\"\\q\":1}",
        "{\"event\":\"e\",\"data\":\"\\x\"}", "{\"event\":\"\\x\"}", "{\"event\":\"e\",\"data\":[1,2}", "{\"event\":\"e\",\"data\":{\"a\":[}}", "{\"event\":\"e\" \"data\":1}", "{\"event\":\"e\",\"data\":tru}", "{\"event\":\"e\",\"data\":01}", "{\"event\":\"e\",\"data\":1.}", "{\"event\":e}", "{\"event\":\"e\",}", "{,\"event\":\"e\"}", "{\"event\"=\"e\"}", "{\"event\":\"e\";}", "{\"event\":\"e\",\"id\":}", "{\"event\":\"e\",\"id\":-}",
        "\v{}", "\f{}", "{}\f", "\xC2\xA0{}", "{}\xC2\xA0", "\xE2\x80\xA8{}", "{\xC2\xA0}", "[\xC2\xA0]", "[1\f]", "[\v1]", "[\"a\",\v1]", "{\"a\"\f:1}", "*", "&", "?", "\\", "\\u0041", "\\n", "a", "abc", "[abc]", "[a,b]", "{\"a\":b}", "()", "[()]", "{\"a\":()}", "[1:2]", "[\"a\":1]", "{\"a\",\"b\"}", "{[]:1}", "{{}:1}", "{true:1}", "{\"a\":1}\x7F", "1}", "true]", "null,", "\"a\",", "[],", "{},", "]{", "}{", ",[]", ":[]",
        "[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]", "{\"event\":\"e\",\"data\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}", "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}}}}}", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    };
    static const char good[] = "{\"event\":\"e\",\"id\":[-0.5e+3,{\"k\":null}],\"data\":{\"a\":[true,false,\"\\u0041\\n\"]}}";
    size_t i, c;
    char text[120];
    court_opens(NULL, 0);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) { /* in any state */
        said(OPENED, bad[i], strlen(bad[i]), "error Invalid message format", "MSG_INVALID");
        said(KNOWN, bad[i], strlen(bad[i]), "error Invalid message format", "MSG_INVALID");
    }
    said(KNOWN, "\0", 1, "error Invalid message format", "MSG_INVALID");
    said(KNOWN, "{}\0", 3, "error Invalid message format", "MSG_INVALID");
    said(KNOWN, "{\"event\":\"e\0\"}", 14, "error Invalid message format", "MSG_INVALID");
    for (i = 0; i < sizeof good - 1; i++) /* every beginning of it is none */
        said(KNOWN, good, i, "error Invalid message format", "MSG_INVALID");
    said(KNOWN, good, sizeof good - 1, "event e", "");
    for (c = 0; c < 32; c++) { /* no control character inside a string */
        for (i = 0; i < 12; i++) {
            (void)snprintf(text, sizeof text, "{\"event\":\"e\",\"data\":\"123456789012\"}");
            text[21 + i] = (char)c;
            said(KNOWN, text, 35, "error Invalid message format", "MSG_INVALID");
        }
    }
    for (c = 1; c < 128; c++) { /* no letter where the grammar has a sign */
        static const size_t places[] = {0, 1, 8, 9, 11, 12};
        for (i = 0; i < sizeof places / sizeof *places; i++) {
            (void)snprintf(text, sizeof text, "{\"event\":\"\",\"data\":1}");
            if (strchr(" \t\r\n", (int)c) || text[places[i]] == (char)c || (places[i] == 9 && c == '0')) continue;
            if ((places[i] == 1 || places[i] == 9) && c == '"') continue;
            text[places[i]] = (char)c;
            said(KNOWN, text, strlen(text), "error Invalid message format", "MSG_INVALID");
        }
    }
    court_closes();
}

TEST(envelopes_of_every_type) { /* MSG-3 to MSG-7: each field of each JSON type */
    static const char *const values[] = {"null", "true", "false", "0", "-1.5e3", "\"\"", "\"x\"", "[]", "[1]", "[\"event\"]", "{}", "{\"event\":\"e\"}", "\"\\u0000\"", "\"\\uD800\"", "1e999", "\"__proto__\"", "[[],{}]", "\"authenticate\"", "\"join\""};
    static const char *const events[] = {"e", "authenticate", "join", "leave", "heartbeat", "connected", "error", "constructor"};
    size_t i, k, m, from;
    char text[300], want[200];
    court_opens(NULL, 0);
    for (from = OPENED; from <= KNOWN; from++) {
        for (i = 0; i < sizeof values / sizeof *values; i++) { /* a whole message, then `event`, of that type */
            bool string = values[i][0] == '"' && values[i][1] != '"';
            const char *none = from == OPENED ? "error Not authenticated" : "event e";
            if (strcmp(values[i], "{\"event\":\"e\"}") == 0) said((stage)from, values[i], strlen(values[i]), none, "");
            else said((stage)from, values[i], strlen(values[i]), "", "MSG_IGNORED");
            (void)snprintf(text, sizeof text, "{\"event\":%s}", values[i]);
            if (!string) {
                said((stage)from, text, strlen(text), "", "MSG_IGNORED");
            } else if (i == 17) {
                said((stage)from, text, strlen(text), from == OPENED ? "event connected" : "error Already authenticated", "");
            } else if (i == 18 && from == KNOWN) {
                said((stage)from, text, strlen(text), "", "JOIN_REFUSED");
            } else if (from == OPENED) {
                said((stage)from, text, strlen(text), "error Not authenticated", "");
            }
            for (k = 0; k < sizeof values / sizeof *values; k++) { /* of equal keys the last */
                (void)snprintf(text, sizeof text, "{\"event\":%s,\"id\":%s,\"event\":\"e\"}", values[i], values[k]);
                said((stage)from, text, strlen(text), none, "");
                (void)snprintf(text, sizeof text, "{\"event\":\"e\",\"id\":%s,\"\\u0065vent\":%s}", values[k], values[i]);
                if (!string) said((stage)from, text, strlen(text), "", "MSG_IGNORED");
            }
            for (m = 0; m < sizeof events / sizeof *events; m++) {
                (void)snprintf(text, sizeof text, "{\"data\":%s,\"event\":\"%s\"}", values[i], events[m]);
                if (m == 4) {
                    want[0] = 0; /* MSG-4 */
                } else if (m == 1) {
                    (void)snprintf(want, sizeof want, "%s", from == OPENED ? "event connected" : "error Already authenticated");
                } else if (from == OPENED) {
                    (void)snprintf(want, sizeof want, "error Not authenticated");
                } else if (m == 2 || m == 3) {
                    want[0] = 0;
                } else {
                    (void)snprintf(want, sizeof want, m == 6 ? "error %s" : "event %s", m == 6 ? "" : events[m]);
                }
                said((stage)from, text, strlen(text), want, from == KNOWN && (m == 2 || m == 3) ? "JOIN_REFUSED" : "");
            }
        }
    }
    court_closes();
}

TEST(rooms_that_are_refused) { /* ROOM-1, ROOM-3, ROOM-6 */
    static const struct { const char *rooms, *log; } t[] = {
        {"null", "JOIN_REFUSED"}, {"true", "JOIN_REFUSED"}, {"0", "JOIN_REFUSED"}, {"\"r\"", "JOIN_REFUSED"}, {"{}", "JOIN_REFUSED"}, {"{\"0\":\"r\"}", "JOIN_REFUSED"}, {"[]", "JOIN_REFUSED"}, {"[null]", "JOIN_REFUSED"}, {"[1,true,{},[\"r\"]]", "JOIN_REFUSED"}, {"[\"\"]", "JOIN_REFUSED"},
        {"[\"ws:\"]", "JOIN_REFUSED"}, {"[\"ws:client:x\"]", "JOIN_REFUSED"}, {"[\"\\u0077s:x\"]", "JOIN_REFUSED"}, {"[\"ws\\u003a\"]", "JOIN_REFUSED"}, {"[\"r\"]", ""}, {"[\"ws\"]", ""}, {"[\"Ws:x\"]", ""}, {"[\" ws:x\"]", ""}, {"[\"wsx:\"]", ""}, {"[\"*\",\"?\",\"[a]\",\"\\r\\n\"]", ""},
        {"[\"\\u0000\"]", ""}, {"[\"a\",\"b\",\"c\",\"d\"]", ""}, {"[\"a\",\"b\",\"c\",\"d\",\"e\"]", "JOIN_REFUSED"}, {"[\"a\",\"b\",\"c\",\"d\",\"\"]", ""}, {"[\"a\",\"a\",\"a\",\"a\",\"a\"]", "JOIN_REFUSED"}, {"[[],{},\"a\",1,\"b\",null,\"c\",\"d\"]", ""},
    };
    size_t i;
    char text[2000];
    court_opens(NULL, 0);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":%s}}", t[i].rooms);
        said(KNOWN, text, strlen(text), "", t[i].log);
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":1,\"rooms\":%s}}", t[i].rooms);
        said(KNOWN, text, strlen(text), "", t[i].log);
        said(OPENED, text, strlen(text), "error Not authenticated", "");
    }
    for (i = 250; i < 262; i++) { /* 256 code units of UTF-16, whatever they take in UTF-8 */
        static const char *const units[] = {"a", "\xC3\xA9", "\xE6\xBC\xA2", "\\u00e9"};
        size_t k, u;
        for (u = 0; u < 5; u++) {
            size_t at = (size_t)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"");
            for (k = 0; k < i; k += u == 4 ? 2 : 1) at += (size_t)snprintf(text + at, sizeof text - at, "%s", u == 4 ? "\xF0\x9F\x98\x80" : units[u]);
            at += (size_t)snprintf(text + at, sizeof text - at, "\"]}}");
            said(KNOWN, text, at, "", (u == 4 ? (i + 1) / 2 * 2 : i) <= 256 ? "" : "JOIN_REFUSED");
        }
    }
    court_closes();
}
