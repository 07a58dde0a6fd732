/* Requests, handshakes and origins that are wrong, and what becomes of them: each with the
 * status and the log code it must have, given whole, byte by byte and in two pieces cut at
 * every place up to 64. The expectations are written from RFC 6455, RFC 9112 and >>rules of wshub.h, not
 * from the code (LIMITS: bad inputs). */
#include "hubtest.h"
#include "court.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

/* A byte in the place of the `@` of a text. */
static void with_byte(bytes *o, const char *text, uint8_t c) {
    const char *at = strchr(text, '@');
    o->n = 0;
    add(o, text, (size_t)(at - text));
    add(o, &c, 1);
    addz(o, at + 1);
}
#define REST                                                                                       \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "                         \
    "13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n"

TEST(request_lines) { /* RFC 9112 3 */
    static bytes o;
    unsigned c, major, minor;
    char line[64];
    court_opens(NULL, 0);
    for (c = 0; c < 256; c++) {
        bool token = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && strchr("!#$%&'*+-.^_`|~", (int)c));
        /* a token, but no GET: no handshake */
        with_byte(&o, "G@T /ws HTTP/1.1\r\nHost: h\r\n" REST, (uint8_t)c);
        if (c != 'E') hear(RAW, &o, "400", token ? "UPGRADE_REFUSED" : "HTTP_BAD");
        with_byte(&o, "GET /w@s HTTP/1.1\r\nHost: h\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, c <= 0x20 || c >= 0x7F || c == '#' ? "400" : "200",
             c <= 0x20 || c >= 0x7F || c == '#' ? "HTTP_BAD" : "");
        /* neither CR nor LF alone ends a line */
        with_byte(&o, "GET /a HTTP/1.1@Host: h\r\n\r\n", (uint8_t)c);
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
            if (major != 1)
                hear(RAW, &o, "505", "HTTP_BAD");
            else
                hear(RAW, &o, minor ? "101" : "400", minor ? "" : "UPGRADE_REFUSED");
        }
    }
    {
        /* clang-format off */
        static const char *const lines[] = {
            "", "GET", "GET ", "GET  HTTP/1.1", " GET /a HTTP/1.1", "GET /a", "GET /a HTTP",
            "GET /a HTTP/1", "GET /a HTTP/1.", "GET /a HTTP/1.1 ", "GET /a  HTTP/1.1",
            "GET /a b HTTP/1.1", "GET /a HTTP/11.1", "GET /a HTTP/1.11", "GET /a http/1.1",
            "GET a HTTP/1.1", "GET h:80 HTTP/1.1", "CONNECT h:80 HTTP/1.1", "GET * HTTP/1.1",
            "GET ** HTTP/1.1", "OPTIONS ** HTTP/1.1", "OPTIONS a HTTP/1.1",
            "GET ftp://h/a HTTP/1.1", "GET http:// HTTP/1.1", "GET http:///a HTTP/1.1",
            "GET http://?q HTTP/1.1", "GET http://h@/a HTTP/1.1", "GET http://h:x/a HTTP/1.1",
            "GET http://[::1/a HTTP/1.1", "GET http://[g]/a HTTP/1.1", "GET http://[]/a HTTP/1.1",
            "GET http://[:]x/a HTTP/1.1", "GET https://h\"/a HTTP/1.1", "GET wss:// HTTP/1.1",
            "GET http:/h/a HTTP/1.1", "/a", "HTTP/1.1", "GET /a FTP/1.1", "GET /a TTTP/1.1",
            "GET\t/a\tHTTP/1.1",
        };
        static const char *const fine[] = {
            "GET http://h HTTP/1.1", "GET https://h?q HTTP/1.1", "GET http://h:/a HTTP/1.1",
            "GET http://[::1]:8/a HTTP/1.1", "GET http://[1:2:FF::127.0.0.1]/ HTTP/1.1",
            "GET WSS://H.example/a HTTP/1.1", "OPTIONS * HTTP/1.1", "PATCH /a HTTP/1.1",
            "GET /a?b=/c?d HTTP/1.1", "GET //a HTTP/1.1", "GET /%zz HTTP/1.1",
            "DELETE /a HTTP/1.1", "a /a HTTP/1.1", "GET http://a_b-c.~!$&'()*+,;=%41/ HTTP/1.1",
        };
        /* clang-format on */
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
        bool token = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && strchr("!#$%&'*+-.^_`|~", (int)c));
        bool value = c == '\t' || (c >= 0x20 && c != 0x7F);
        bool host = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    (c && strchr("-._~%!$&'()*+,;=", (int)c));
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
        /* white space behind a value is not part of it */
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: h:8@\r\n\r\n", (uint8_t)c);
        hear(RAW, &o, (c >= '0' && c <= '9') || c == ' ' || c == '\t' ? "200" : "400",
             (c >= '0' && c <= '9') || c == ' ' || c == '\t' ? "" : "HTTP_BAD");
        with_byte(&o, "GET /a HTTP/1.1\r\nHost: [::@1]\r\n\r\n", (uint8_t)c);
        {
            bool ip = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
                      c == ':' || c == '.';
            hear(RAW, &o, ip ? "200" : "400", ip ? "" : "HTTP_BAD");
        }
        with_byte(&o,
                  "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1@\r\n\r\n0123456789012345678",
                  (uint8_t)c);
        if (c >= '0' && c <= '9') {
            /* what follows the body is the beginning of another request */
            hear(RAW, &o, "200", "");
        } else {
            hear(RAW, &o, c == ' ' || c == '\t' ? "200" : "400",
                 c == ' ' || c == '\t' ? "" : "HTTP_BAD");
        }
    }
    {
        static const struct {
            const char *status, *fields;
            /* clang-format off */
        } t[] = {
            {"400", ""},
            {"400", "X: y\r\n"},
            {"400", "Host: h\r\nHost: h\r\n"},
            {"400", "Host: h\r\nhOST: i\r\n"},
            {"200", "host:\r\n"},
            {"200", "Host: \t h \t\r\n"},
            {"400", "Host: h i\r\n"},
            {"400", "Host: [::1\r\n"},
            {"400", "Host: [:\r\n"},
            {"400", "Host: []\r\n"},
            {"400", "Host: [1]\r\n"},
            {"400", "Host: [::1]x\r\n"},
            {"200", "Host: [::1]:\r\n"},
            {"200", "Host: :80\r\n"},
            {"400", "Host: h:80:\r\n"},
            {"400", "Host: h/\r\n"},
            {"400", "Host: u@h\r\n"},
            {"400", "Host: h\r\n X: y\r\n"},
            {"400", "Host: h\r\n\tX: y\r\n"},
            {"400", "Host: h\r\nX\r\n"},
            {"400", "Host: h\r\n: y\r\n"},
            {"400", "Host: h\r\nContent-Length:\r\n"},
            {"400", "Host: h\r\nContent-Length: -1\r\n"},
            {"400", "Host: h\r\nContent-Length: 0x1\r\n"},
            {"400", "Host: h\r\nContent-Length: 1,1\r\n"},
            {"400", "Host: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n"},
            {"400", "Host: h\r\nContent-Length: 1234567890123456789\r\n"},
            {"413", "Host: h\r\nContent-Length: 123456789012345678\r\n"},
            {"413", "Host: h\r\nContent-Length: 101\r\n"},
            {"200", "Host: h\r\nContent-Length: 0\r\n"},
            {"200", "Host: h\r\nContent-Length: 000000000000000000\r\n"},
            {"400", "Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"},
            {"400", "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
            {"501", "Host: h\r\nTransfer-Encoding: gzip\r\n"},
            {"501", "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n"},
            {"501", "Host: h\r\nTransfer-Encoding: chunked, gzip\r\n"},
            {"501", "Host: h\r\nTransfer-Encoding:\r\n"},
            {"501", "Host: h\r\nTransfer-Encoding: xchunked\r\n"},
            {"200", "Host: "
                    "h\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:\r\n11:\r\n12:"
                    "\r\n13:\r\n14:\r\n15:\r\n16:\r\n17:\r\n18:\r\n19:\r\n"},
            {"431", "Host: "
                    "h\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:\r\n11:\r\n12:"
                    "\r\n13:\r\n14:\r\n15:\r\n16:\r\n17:\r\n18:\r\n19:\r\n20:\r\n"},
            {"200", "Host: h\r\n__proto__: 1\r\nconstructor: 2\r\n"},
        };
        /* clang-format on */
        for (i = 0; i < sizeof t / sizeof *t; i++) {
            o.n = 0;
            addz(&o, "POST /a HTTP/1.1\r\n");
            addz(&o, t[i].fields);
            addz(&o, "\r\n");
            hear(RAW, &o, t[i].status, strcmp(t[i].status, "200") == 0 ? "" : "HTTP_BAD");
        }
    }
    { /* HTTP/1.0 needs no Host, but bears only one, and no chunks */
        static const struct {
            const char *status, *rest;
        } t[] = {{"200", ""},
                 {"200", "Host: h\r\n"},
                 {"400", "Host: h\r\nHost: h\r\n"},
                 {"400", "Host: h h\r\n"},
                 {"400", "Transfer-Encoding: chunked\r\n"}};
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
    static const struct {
        const char *status, *body;
        /* clang-format off */
    } t[] = {
        {"200", "0\r\n\r\n"},
        {"200", "1\r\na\r\n0\r\n\r\n"},
        {"200", "A\r\n0123456789\r\n0\r\n\r\n"},
        {"200", "a;x\r\n0123456789\r\n0;y=\"z\"\r\nT: u\r\nV: w\r\n\r\n"},
        {"200", "00000001\r\na\r\n0\r\n\r\n"},
        {"413", "65\r\n"},
        {"413", "ffffffff\r\n"},
        {"413", "64\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345"
                "678901234567890123456789\r\n1\r\n"},
        {"400", "000000001\r\n"},
        {"400", "\r\n"},
        {"400", ";x\r\n"},
        {"400", " 1\r\n"},
        {"400", "1 \r\n"},
        {"400", "0x1\r\n"},
        {"400", "-1\r\n"},
        {"400", "g\r\n"},
        {"400", "1\n"},
        {"400", "1\rx"},
        {"400", "1;\n"},
        {"400", "1;x\rx"},
        {"400", "1\r\nab"},
        {"400", "1\r\na\n"},
        {"400", "1\r\na\rx"},
        {"400", "1\r\n\r\n\r\n"},
        {"400", "0\r\nT: u\n"},
        {"400", "0\r\nT: u\rx"},
        {"400", "0\r\n\rx"},
    };
    /* clang-format on */
    static bytes o;
    size_t i, k;
    court_opens(NULL, 0);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        o.n = 0;
        addz(&o, head);
        addz(&o, t[i].body);
        hear(RAW, &o, t[i].status, strcmp(t[i].status, "200") == 0 ? "" : "HTTP_BAD");
        for (k = 1; k < strlen(t[i].body); k++)
            once(RAW, &o, sizeof head - 1 + k, t[i].status,
                 strcmp(t[i].status, "200") == 0 ? "" : "HTTP_BAD");
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
    /* RFC 9110 10.1.1: not to 1.0 */
    addz(&o, "POST /a HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    hear(RAW, &o, "", "");
    o.n = 0;
    addz(&o, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: more\r\nContent-Length: 1\r\n\r\nx");
    hear(RAW, &o, "200", "");
    court_closes();
}

TEST(handshakes) { /* RFC 6455 4.2.1; CONN-1, CONN-2 */
    /* clang-format off */
    static const char *const methods[] = {
        "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "get", "GETT", "GE",
    };
    /* clang-format on */
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
            bool digit = (k >= '0' && k <= '9') || (k >= 'A' && k <= 'Z') ||
                         (k >= 'a' && k <= 'z') || k == '+' || k == '/';
            bool control = (k < 0x20 && k != '\t') || k == 0x7F, ok = i < 22 ? digit : k == '=';
            if (k % 8 != i % 8 && k != '=' && k != '@' && k != '[' && k != '`' && k != '{' &&
                k != '/' && k != ':' && k != '+')
                continue;
            o.n = 0;
            addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: ");
            add(&o, KEY, i);
            add(&o, &(uint8_t){(uint8_t)k}, 1);
            addz(&o, KEY + i + 1);
            addz(&o, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                     "13\r\n\r\n");
            hear(RAW, &o, ok ? "101" : "400", ok ? "" : control ? "HTTP_BAD" : "UPGRADE_REFUSED");
        }
    }
    for (i = 0; i < 48; i++) { /* or as long as it is not */
        o.n = 0;
        addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                 "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
        for (k = 0; k < i; k++) addz(&o, k >= i - 2 ? "=" : "A");
        addz(&o, "\r\n\r\n");
        hear(RAW, &o, i == 24 ? "101" : "400", i == 24 ? "" : "UPGRADE_REFUSED");
    }
    for (i = 0; i < 300; i++) { /* the version: 13, written 13 */
        static const char *const odd[] = {"013", "13.0", "+13", "0x0D", "13 8", "1 3", "x"};
        const char *v = text;
        if (i < 256)
            (void)snprintf(text, sizeof text, "%u", i);
        else if (i - 256 < sizeof odd / sizeof *odd)
            v = odd[i - 256];
        else
            break;
        o.n = 0;
        addz(&o, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                 "websocket\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: ");
        addz(&o, v);
        addz(&o, "\r\n\r\n");
        hear(RAW, &o, i == 13 ? "101" : "426", i == 13 ? "" : "UPGRADE_REFUSED");
    }
    {
        static const struct {
            const char *want, *log, *head;
        } t[] = {
            {"400", "UPGRADE_REFUSED",
             "Connection: close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgraded, xUpgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection:\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"101", "",
             "Connection: keep-alive\r\nConnection: , upgrade ,\r\nUpgrade: h2c, "
             "WEBSOCKET\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            /* no upgrade, an ordinary request */
            {"200", "",
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"200", "",
             "Connection: Upgrade\r\nUpgrade: websockets\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"200", "",
             "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"426", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Key: " KEY "\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\nContent-Length: 1\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\nContent-Length: 999999\r\n"},
            {"101", "",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\nContent-Length: 0\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\nTransfer-Encoding: chunked\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Protocol: a b\r\n"},
            {"400", "UPGRADE_REFUSED",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY
             "\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: \"b\"\r\n"},
            {"101", "",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: " KEY
             "\r\nSec-WebSocket-Protocol: a,,b,\r\nSec-WebSocket-Extensions: permessage-deflate; "
             "server_max_window_bits=99; x=\"\\\"\"\r\n"},
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

/* clang-format off */
static const char *const allowed[] = {
    "https://app.example", "https://app.example:8443", "http://localhost:3000",
    "https://*.sub.example", "http://*.dev.example:81", "null", "https://[2001:db8::1]",
    "https://b\xC3\xBC" "cher.example",
};
/* clang-format on */

TEST(origins) { /* RFC 6454; CONN-2; LIMITS: a table of 200 */
    /* clang-format off */
    static const char *const yes[] = {
        "https://app.example", "HTTPS://APP.EXAMPLE", "https://App.Example",
        "https://app.example:8443", "http://localhost:3000", "null", "NULL",
        "https://a.sub.example", "https://a.b.sub.example", "https://a-b.sub.example",
        "https://a_b.sub.example", "https://1.sub.example", "https://A.SUB.EXAMPLE",
        "https://xn--bcher-kva.sub.example", "http://x.dev.example:81",
        "http://x.y.dev.example:81", "https://[2001:db8::1]", "https://[2001:DB8::1]",
        "https://b\xC3\xBC" "cher.example",
    };
    static const char *const no[] = {
        "", "https://", "https:", "app.example", "//app.example", "http://app.example",
        "wss://app.example", "https://app.example.", "https://app.example/",
        "https://app.example:443", "https://app.example:", "https://app.example:84430",
        "https://app.example:844", "https://xapp.example", "https://app.example.evil",
        "https://app.example@evil", "https://evil@app.example", "https://user:pw@app.example",
        "https://app.examples", "https://app.exampl", "https://app_example",
        "https://app%2eexample", "https://app.example%00", "https://app.example#",
        "https://app.example?", "https://app.example\\evil", "https://app.example evil",
        "https://app.example,https://evil", "https://app.example https://app.example",
        "https://app.example;x", "httpss://app.example", "https//app.example",
        "https:/app.example", "https:app.example", "https:///app.example", "https://.app.example",
        "ttps://app.example", "https://sub.example", "https://.sub.example",
        "https://..sub.example", "https://a..sub.example", "https://.a.sub.example",
        "https://a.sub.example.", "https://a.sub.example:443", "https://a.sub.example/",
        "http://a.sub.example", "https://asub.example", "https://a.sub.example.evil",
        "https://a.subXexample", "https://evil/.sub.example", "https://evil/a.sub.example",
        "https://evil?.sub.example", "https://evil#.sub.example", "https://evil@a.sub.example",
        "https://evil:80.sub.example", "https://evil\\.sub.example", "https://e vil.sub.example",
        "https://*.sub.example", "https://a*.sub.example", "https://%61.sub.example",
        "https://[::1].sub.example", "https://a,b.sub.example", "https://a;b.sub.example",
        "https://\xC3\xBC.sub.example", "https://a.sub.example a.sub.example",
        "https://a.Sub.example.sub.exampl", "http://dev.example:81", "http://x.dev.example",
        "http://x.dev.example:80", "http://x.dev.example:811", "http://x.dev.example:8",
        "https://x.dev.example:81", "http://.dev.example:81", "http://x/.dev.example:81",
        "http://x.dev.example:81/", "nul", "nulll", "null ,", "\"null\"", "undefined", "false",
        "0", "none", "*", "https://*", "*://app.example", "https://localhost:3000",
        "http://localhost", "http://localhost:300", "http://localhost:30000",
        "http://localhost:3000/", "http://127.0.0.1:3000", "http://localhost.evil:3000",
        "http://xlocalhost:3000", "https://[2001:db8::2]", "https://2001:db8::1",
        "https://[2001:db8::1]:443", "https://[2001:0db8::1]", "https://[2001:db8::1",
        "https://[[2001:db8::1]]", "https://bucher.example", "https://b\xC3\xBC" "chers.example",
        "https://b\xC3\xBC" "cher.example\xC2\xA0", "https://b%C3%BCcher.example",
        "https://xn--bcher-kva.example", "file://", "file:///app.example", "data:,x",
        "blob:https://app.example", "javascript:alert(1)", "about:blank", "chrome-extension://abc",
        "moz-extension://app.example", "https://app.example%", "https://app-example",
        "https://ap.p.example", "https://a.pp.example", "https://www.app.example",
        "https://app.example.app.example", "https://app.example:8443.evil",
        "https://app.example:8443/", "https://app.example:8444", "https://app.example:08443",
        "https://app.example:+8443", "https://app.example:8443:8443", "http://app.example:8443",
        "h", "ht", "https", "https://a", "https://s", "https://e", "https://.", "https://..",
        "https://-", "https://sub", "https://.example", "https://example", "https://b.example",
        "https://subexample", "https://x.sub-example", "https://x.sub.example-",
        "https://x.sub.exampl", "https://x.sub.examplf", "https://x.sub.exampleX",
        "https://x.suB.exampl\xC3\xA9", "Https://sub.example", "hTTps://a..sub.example",
        "http://x.devexample:81", "http://x.dev.example81", "http://x.dev.example::81",
        "http://x.dev.example:81 ,null", "http://x.DEV.example:082", "http://a@x.dev.example:81",
        "https://a.sub.example, https://b.sub.example", "https://a.sub.example\\",
        "https://a.sub.example%", "https://a.sub.example:", "https://a.sub.example.:443",
        "https://a.sub.example?x", "https://a.sub.example#x", "https://!.sub.example",
        "https://a!.sub.example", "https://a.sub.example!", "https://(a).sub.example",
        "https://a&b.sub.example", "https://a=b.sub.example", "https://a+b.sub.example",
        "https://~a.sub.example", "https://$.sub.example", "https://a'b.sub.example",
        "https://\"a\".sub.example", "https://{a}.sub.example", "https://a|b.sub.example",
        "https://`a`.sub.example", "https://a^b.sub.example", "https://<a>.sub.example",
        "https://a\tb.sub.example", "http://x#.dev.example:81", "http://x?.dev.example:81",
        "http://..dev.example:81",
    };
    /* clang-format on */
    static bytes o;
    size_t i;
    court_opens(allowed, sizeof allowed / sizeof *allowed);
    EXPECT_OP(sizeof yes / sizeof *yes + sizeof no / sizeof *no, >=, 200);
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
