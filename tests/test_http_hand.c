/* HTTP at hand: what is cut out of a request, and what its conditions and ranges ask for (HTTP-1 to
 * HTTP-3). Every input lies directly before memory that nobody may read, so that a byte too far
 * ends the test. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "walled.h"

static bool same(wshub_str got, const char *want, const char *of) {
    if (want ? wshub_str_eq_z(got, want) && got.ptr : !got.ptr && !got.len) return true;
    (void)printf("  %s: got %.*s, expected %s\n", of, (int)got.len, got.ptr ? got.ptr : "(absent)",
                 want ? want : "(absent)");
    return false;
}

/* A request with these lines, each of which ends with CR LF. */
static const wshub_http *request(const char *method, const char *lines) {
    static wshub_header headers[20];
    static wshub_http http;
    char head[4096];
    const char *why;
    wshub_str text;
    (void)snprintf(head, sizeof head, "%s /p?q=1 HTTP/1.1\r\nHost: h\r\n%s\r\n", method, lines);
    text = W(head);
    EXPECT_INT(wshub__http_parse((const uint8_t *)text.ptr, text.len, headers, 20, &http, &why), 0);
    return &http;
}

/* ---- queries and forms ---- */

/* The pieces of a text as `[name=value]`, or `[name]` where there is no `=`; decoded. */
static const char *pieces(wshub_str text,
                          bool (*each)(wshub_str, wshub_iter *, wshub_str *, wshub_str *),
                          bool decode) {
    static char out[2000];
    wshub_iter it = {0, 0};
    wshub_str name, value;
    size_t at = 0, rounds = 0;
    out[0] = 0;
    while (each(text, &it, &name, &value)) {
        char a[200], b[200];
        size_t n = name.len, m = value.len;
        EXPECT_OP(rounds++, <=, text.len);
        EXPECT(n < sizeof a && m < sizeof b);
        if (n) memcpy(a, name.ptr, n);
        if (m) memcpy(b, value.ptr, m);
        if (decode) n = wshub_percent_decode(wshub__str(a, n), true, a, n);
        if (decode) m = wshub_percent_decode(wshub__str(b, m), true, b, m);
        at += (size_t)snprintf(out + at, sizeof out - at, "[%.*s%s%.*s]", (int)n, a,
                               value.ptr ? "=" : "", (int)m, b);
    }
    EXPECT(!each(text, &it, &name, &value)); /* it stays at its end */
    return out;
}

TEST(queries_are_cut_and_then_decoded) { /* HTTP-1 */
    static const struct {
        const char *query, *raw, *decoded;
    } cases[] = {
        /* clang-format off */
        {"", "", ""},
        {"a=1&b=2", "[a=1][b=2]", "[a=1][b=2]"},
        {"key%3dvalue", "[key%3dvalue]", "[key=value]"}, /* no `=` was sent, but a name with one */
        {"a=1%26b=2", "[a=1%26b=2]", "[a=1&b=2]"},
        {"x=%", "[x=%]", "[x=%]"}, /* what is no escape stays */
        {"x=%3", "[x=%3]", "[x=%3]"},
        {"x=%zz", "[x=%zz]", "[x=%zz]"},
        {"x=%3z%z3%%33", "[x=%3z%z3%%33]", "[x=%3z%z3%3]"}, /* and is not decoded twice */
        {"x=%2541", "[x=%2541]", "[x=%41]"},
        {"a+b=c+d%2B", "[a+b=c+d%2B]", "[a b=c d+]"},
        {"a==&=b&=&==", "[a==][=b][=][==]", "[a==][=b][=][==]"},
        {"&&a&&&b=&", "[a][b=]", "[a][b=]"}, /* empty pieces are none */
        {"&", "", ""},
        {"?a=1?b", "[?a=1?b]", "[?a=1?b]"},
        {"a;b=1;c=2", "[a;b=1;c=2]", "[a;b=1;c=2]"}, /* `;` cuts nothing */
        {"%", "[%]", "[%]"},
        {"%4", "[%4]", "[%4]"},
        {"=", "[=]", "[=]"},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_str q = W(cases[i].query);
        EXPECT(same(wshub_str_z(pieces(q, wshub_query_each, false)), cases[i].raw, cases[i].query));
        EXPECT(
            same(wshub_str_z(pieces(q, wshub_query_each, true)), cases[i].decoded, cases[i].query));
    }
    EXPECT_STR(pieces(nul(), wshub_query_each, false), ""); /* no `?` was there */
}

TEST(escapes_are_decoded_once_and_to_any_length) { /* HTTP-1, RFC 3986 2.1 */
    static const struct {
        const char *text, *decoded, *with_plus;
    } cases[] = {
        /* clang-format off */
        {"", "", ""},
        {"plain", "plain", "plain"},
        {"%41%6a%4A%7e", "AjJ~", NULL},
        {"a+b%20c", "a+b c", "a b c"},
        {"%C3%A4", "\xC3\xA4", NULL},
        {"%ff", "\xFF", NULL}, /* any byte may come out */
        {"100%", "100%", NULL},
        {"%%41", "%A", NULL},
        {"%2", "%2", NULL},
        {"%-1%+1% 1%0x", "%-1%+1% 1%0x", "%-1% 1% 1%0x"}, /* two hexadecimal digits, nothing else */
        {"%25%32%35", "%25", NULL},
        /* clang-format on */
    };
    size_t i, cap;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *want = cases[i].decoded;
        wshub_str text = W(cases[i].text);
        char buf[64];
        size_t n = strlen(want);
        for (cap = 0; cap <= n + 1; cap++) { /* where there is no room it is only counted */
            memset(buf, '#', sizeof buf);
            EXPECT_INT(wshub_percent_decode(text, false, cap ? buf : NULL, cap), n);
            EXPECT(memcmp(buf, want, cap < n ? cap : n) == 0 && buf[cap < n ? cap : n] == '#');
        }
        if (cases[i].with_plus) {
            n = wshub_percent_decode(text, true, buf, sizeof buf);
            EXPECT(same(wshub__str(buf, n), cases[i].with_plus, cases[i].text));
        }
        n = wshub_percent_decode(text, false, (char *)(size_t)text.ptr, text.len); /* in place */
        EXPECT(same(wshub__str(text.ptr, n), want, cases[i].text));
    }
    { /* a NUL is a byte like others, as the length is told */
        char buf[8];
        EXPECT_INT(wshub_percent_decode(W("a%00b"), false, buf, sizeof buf), 3);
        EXPECT(memcmp(buf, "a\0b", 3) == 0);
    }
}

TEST(a_value_of_a_query_is_copied_whole_or_not_at_all) { /* HTTP-1 */
    static const struct {
        const char *query, *name;
        size_t cap;
        wshub_err want;
        const char *text;
    } cases[] = {
        /* clang-format off */
        {"a=1&b=2&a=3", "a", 16, WSHUB_OK, "1"}, /* the first */
        {"a=1&b=2", "b", 16, WSHUB_OK, "2"},
        {"a=1&b=2", "c", 16, WSHUB_ERR_ABSENT, NULL},
        {"", "a", 16, WSHUB_ERR_ABSENT, NULL},
        {"aa=1&A=2&ab=3", "a", 16, WSHUB_ERR_ABSENT, NULL}, /* the very name */
        {"a=1", "ab", 16, WSHUB_ERR_ABSENT, NULL},
        {"%61+b=x", "a b", 16, WSHUB_OK, "x"}, /* which is compared decoded */
        {"a%00b=x", "a", 16, WSHUB_ERR_ABSENT, NULL},
        {"flag&x=1", "flag", 16, WSHUB_OK, ""},
        {"flag", "", 16, WSHUB_ERR_ABSENT, NULL},
        {"=x", "", 16, WSHUB_OK, "x"},
        {"a=hello+w%C3%B6rld", "a", 13, WSHUB_OK, "hello w\xC3\xB6rld"},
        {"a=hello+w%C3%B6rld", "a", 12, WSHUB_ERR_LIMIT, NULL},
        {"a=", "a", 1, WSHUB_OK, ""},
        {"a=", "a", 0, WSHUB_ERR_LIMIT, NULL},
        {"a=a%00b", "a", 16, WSHUB_ERR_PARAM, NULL}, /* it would end early */
        {"a=%00", "a", 1, WSHUB_ERR_PARAM, NULL},
        {"a=%0", "a", 16, WSHUB_OK, "%0"},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[32];
        size_t len = 99;
        memset(buf, '#', sizeof buf);
        EXPECT_INT(wshub_query_copy(W(cases[i].query), cases[i].name, buf, cases[i].cap, &len),
                   cases[i].want);
        if (cases[i].text) {
            EXPECT(len == strlen(cases[i].text) && strcmp(buf, cases[i].text) == 0);
        } else {
            EXPECT(len == 99 && buf[0] == '#');
        }
    }
    {
        char buf[4];
        EXPECT_INT(wshub_query_copy(nul(), "a", buf, sizeof buf, NULL), WSHUB_ERR_ABSENT);
        EXPECT_INT(wshub_query_copy(W("a=1"), "a", buf, sizeof buf, NULL), WSHUB_OK);
    }
}

/* ---- cookies ---- */

TEST(cookies_are_cut_at_semicolons_alone) { /* HTTP-1, RFC 6265 5.4 */
    static const struct {
        const char *field, *raw;
    } cases[] = {
        /* clang-format off */
        {"a=\"x; b=2\"; c={\"k\":\"v\"}; d=1=2; d=3",
         "[a=\"x][b=2\"][c={\"k\":\"v\"}][d=1=2][d=3]"}, /* quotes protect nothing */
        {"", ""},
        {";;; ;", ""},
        {"a=1;b=2", "[a=1][b=2]"},
        {" a = 1 ;\tb=\t2 ", "[a=1][b=2]"},
        {"odd; a=1; odder", "[a=1]"}, /* one that is none costs the others nothing */
        {"=v; a=1", "[=v][a=1]"},
        {"a=; b=", "[a=][b=]"},
        {"a=%3B%20b=1", "[a=%3B%20b=1]"}, /* nothing is decoded */
        {"a=1, b=2", "[a=1, b=2]"},
        {"a=x\\;b=1", "[a=x\\][b=1]"},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT(same(wshub_str_z(pieces(W(cases[i].field), wshub_cookie_each, false)), cases[i].raw,
                    cases[i].field));
}

TEST(a_cookie_is_found_by_its_name) { /* HTTP-1 */
    const wshub_http *http = request("GET", "Cookie: a=\"x; b=2\"; c={\"k\":\"v\"}; d=1=2; d=3\r\n"
                                            "X-Other: a=no\r\n"
                                            "cookie: sid=7; a=late; e\r\n");
    EXPECT(same(wshub_http_cookie(http, "a"), "\"x", "a"));
    EXPECT(same(wshub_http_cookie(http, "b"), "2\"", "b"));
    EXPECT(same(wshub_http_cookie(http, "c"), "{\"k\":\"v\"}", "c"));
    EXPECT(same(wshub_http_cookie(http, "d"), "1=2", "d")); /* the first */
    EXPECT(same(wshub_http_cookie(http, "sid"), "7", "sid"));
    EXPECT(same(wshub_http_cookie(http, "SID"), NULL, "SID"));
    EXPECT(same(wshub_http_cookie(http, "e"), NULL, "e"));
    EXPECT(same(wshub_http_cookie(http, ""), NULL, ""));
    EXPECT(same(wshub_http_cookie(request("GET", ""), "a"), NULL, "no cookies"));
}

/* ---- tokens ---- */

TEST(a_bearer_token_is_found_where_it_is_written_well) { /* AUTH-8, HTTP-1, RFC 6750 2.1 */
    static const struct {
        const char *lines;
        size_t cap;
        wshub_err want;
        const char *token;
    } cases[] = {
        /* clang-format off */
        {"Authorization: Bearer aZ09-._~+/==\r\n", 16, WSHUB_OK, "aZ09-._~+/=="},
        {"authorization: bEARER  x \r\n", 2, WSHUB_OK, "x"},
        {"Authorization: Bearer x\r\n", 1, WSHUB_ERR_LIMIT, NULL},
        {"Authorization: Bearer xyz\r\n", 0, WSHUB_ERR_LIMIT, NULL},
        {"Authorization: Bearer a b\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Authorization: Bearer a=b\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Authorization: Bearer =\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Authorization: Bearer\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Authorization:\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Authorization: Basic eA\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"", 16, WSHUB_ERR_ABSENT, NULL},
        {"Sec-WebSocket-Protocol: chat, base64url.bearer.c2VjcmV0\r\n", 7, WSHUB_OK, "secret"},
        {"Sec-WebSocket-Protocol: chat, base64url.bearer.c2VjcmV0\r\n", 6, WSHUB_ERR_LIMIT, NULL},
        {"Sec-WebSocket-Protocol: chat\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: Base64url.Bearer.eA\r\n", 16,
         WSHUB_OK, "x"},
        {"Authorization: Bearer a\r\nSec-WebSocket-Protocol: base64url.bearer.eA\r\n", 16,
         WSHUB_OK, "a"},
        {"Authorization: Basic a\r\nSec-WebSocket-Protocol: base64url.bearer.fn5-_w\r\n", 16,
         WSHUB_OK, "~~~\xFF"},
        {"Sec-WebSocket-Protocol: base64url.bearer.\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Sec-WebSocket-Protocol: base64url.bearer.e\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Sec-WebSocket-Protocol: base64url.bearer.eB\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Sec-WebSocket-Protocol: base64url.bearer.eHh4e\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Sec-WebSocket-Protocol: base64url.bearer.eAB4\r\n", 16, WSHUB_ERR_ABSENT, NULL}, /* NUL */
        {"Sec-WebSocket-Protocol: base64url.bearer.e.A\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        {"Sec-WebSocket-Protocol: base64url.bearer.e~A\r\n", 16, WSHUB_ERR_ABSENT, NULL},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[32];
        size_t len = 99;
        memset(buf, '#', sizeof buf);
        EXPECT_INT(wshub_http_bearer(request("GET", cases[i].lines), buf, cases[i].cap, &len),
                   cases[i].want);
        if (cases[i].token) {
            EXPECT(len == strlen(cases[i].token) && strcmp(buf, cases[i].token) == 0);
            EXPECT_INT(wshub_http_bearer(request("GET", cases[i].lines), buf, 32, NULL), WSHUB_OK);
        } else {
            EXPECT(len == 99 && buf[0] == '#');
        }
    }
}

/* ---- fields and lists ---- */

TEST(fields_of_a_name_are_seen_in_their_order) { /* HTTP-1, RFC 9110 5.3 */
    const wshub_http *http = request("GET", "X-A: 1\r\nx-b: 2\r\nx-A:3\r\nX-AB: 4\r\nX-a:\r\n");
    wshub_iter it = {0, 0};
    wshub_str value = {NULL, 0};
    EXPECT(same(wshub_http_header(http, "X-a"), "1", "the first"));
    EXPECT(same(wshub_http_header(http, "X"), NULL, "none"));
    EXPECT(wshub_http_each_header(http, "x-a", &it, &value) && same(value, "1", "1st"));
    EXPECT(wshub_http_each_header(http, "x-a", &it, &value) && same(value, "3", "2nd"));
    EXPECT(wshub_http_each_header(http, "x-a", &it, &value) && same(value, "", "3rd"));
    EXPECT(!wshub_http_each_header(http, "x-a", &it, &value) && same(value, "", "untouched"));
    EXPECT(!wshub_http_each_header(http, "x-a", &it, &value));
}

TEST(lists_are_cut_at_commas_outside_of_quotes) { /* HTTP-1, RFC 9110 5.6.1 */
    static const struct {
        const char *list, *items;
    } cases[] = {
        /* clang-format off */
        {"", ""},
        {"gzip, br;q=0.5 ,deflate", "[gzip][br;q=0.5][deflate]"},
        {" ,, a ,\t, b,", "[a][b]"},
        {"a=\"1,2\", b", "[a=\"1,2\"][b]"},
        {"a=\"1\\\",2\", b", "[a=\"1\\\",2\"][b]"}, /* an escaped quote ends nothing */
        {"a=\"1,2", "[a=\"1,2]"}, /* nor does a quote that is not there */
        {"a=\"1\\", "[a=\"1\\]"},
        {"a\\,b", "[a\\][b]"}, /* outside of quotes it is a byte like others */
        {"\"\",\"\"", "[\"\"][\"\"]"},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_iter it = {0, 0};
        wshub_str list = W(cases[i].list), item;
        char out[200] = "";
        size_t at = 0;
        while (wshub_http_each_item(list, &it, &item))
            at += (size_t)snprintf(out + at, sizeof out - at, "[%.*s]", (int)item.len, item.ptr);
        EXPECT(same(wshub_str_z(out), cases[i].items, cases[i].list));
        EXPECT(!wshub_http_each_item(list, &it, &item));
    }
}

/* ---- dates ---- */

#define NOT_A_DATE WSHUB_NO_DATE

TEST(dates_are_read_in_their_three_forms) { /* HTTP-2, RFC 9110 5.6.7 */
    static const struct {
        const char *text;
        int64_t s;
    } cases[] = {
        /* clang-format off */
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Wed Nov 16 08:49:37 1994", 784975777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Thursday, 01-Jan-70 00:00:00 GMT", 0}, /* two digits: from 1970 */
        {"Tuesday, 31-Dec-69 00:00:00 GMT", 3155673600}, /* to 2069 */
        {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"Sat, 01 Jan 0000 00:00:00 GMT", INT64_C(-62167219200)},
        {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799)},
        /* a day that there is not */
        {"Wed, 29 Feb 2023 12:00:00 GMT", NOT_A_DATE},
        {"Thu, 29 Feb 1900 12:00:00 GMT", NOT_A_DATE},
        {"Sun, 00 Nov 1994 08:49:37 GMT", NOT_A_DATE},
        {"Thu, 31 Nov 1994 08:49:37 GMT", NOT_A_DATE},
        {"Sun, 32 Jan 2000 00:00:00 GMT", NOT_A_DATE},
        {"Mon, 06 Nov 1994 08:49:37 GMT", NOT_A_DATE}, /* which was a Sunday */
        /* a time of day that there is not */
        {"Sun, 06 Nov 1994 24:00:00 GMT", NOT_A_DATE},
        {"Sun, 06 Nov 1994 08:60:37 GMT", NOT_A_DATE},
        {"Sun, 06 Nov 1994 08:49:60 GMT", NOT_A_DATE},
        /* other texts */
        {"", NOT_A_DATE},
        {"0", NOT_A_DATE},
        {"784111777", NOT_A_DATE},
        {"Sun, 06 Nov 1994 08:49:37", NOT_A_DATE},
        {"Sun, 06 Nov 1994 08:49:37 GM", NOT_A_DATE},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", NOT_A_DATE},
        {"Sun, 06 Nov 1994 08:49:37 UTC", NOT_A_DATE},
        {"Sun, 06 Nov 1994 08:49:37 +0000", NOT_A_DATE},
        {"sun, 06 nov 1994 08:49:37 gmt", NOT_A_DATE},
        {"Sun, 6 Nov 1994 08:49:37 GMT", NOT_A_DATE},
        {"Sun,  6 Nov 1994 08:49:37 GMT", NOT_A_DATE},
        {"Sun, 06 Nov 94 08:49:37 GMT", NOT_A_DATE},
        {"Sun, 06 Nov 19940 08:49:37 GMT", NOT_A_DATE},
        {"Sun, 06 Nox 1994 08:49:37 GMT", NOT_A_DATE},
        {"Sunda, 06-Nov-94 08:49:37 GMT", NOT_A_DATE},
        {"Sun, 06-Nov-94 08:49:37 GMT", NOT_A_DATE},
        {"Sun Nov 6 08:49:37 1994", NOT_A_DATE},
        {"Sun Nov x6 08:49:37 1994", NOT_A_DATE},
        {"Sun Nov 06 08:49:37 1994", 784111777},
        {"Su", NOT_A_DATE},
        {"Sun, 06 No", NOT_A_DATE},
        {"Sun, d6 Nov 1994 08:49:37 GMT", NOT_A_DATE},
        {"Sun Nov _6 08:49:37 1994", NOT_A_DATE},
        {"2026-01-31T09:30:00.000Z", NOT_A_DATE},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t s = NOT_A_DATE;
        bool read = wshub_http_date_read(W(cases[i].text), &s);
        if (s == cases[i].s && read == (s != NOT_A_DATE)) continue;
        (void)printf("  %s: %lld\n", cases[i].text, (long long)s);
        EXPECT(s == cases[i].s);
    }
}

TEST(dates_are_written_as_they_are_read) { /* HTTP-2: every day of ten thousand years */
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t days = 0, year, month, day, wrong = 0;
    int64_t s, again;
    char buf[30];
    for (year = 0; year < 10000; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (month = 1; month <= 12; month++) {
            uint32_t length = (uint32_t)lengths[month - 1] + (month == 2 && leap);
            for (day = 1; day <= length; day++, days++) {
                wshub__date d = wshub__date_of(days);
                if (d.year != year || d.month != month || d.day != day) wrong++;
                if (day != length) continue;
                s = ((int64_t)days - 719528) * 86400 + (int64_t)(days % 86400);
                again = NOT_A_DATE;
                if (wshub_http_date_write(s, buf) != 29 ||
                    !wshub_http_date_read(walled(buf, 29), &again) || again != s)
                    wrong++;
            }
        }
    }
    EXPECT_INT(days, 3652425);
    EXPECT_INT(wrong, 0);
    EXPECT_INT(wshub_http_date_write(784111777, buf), 29);
    EXPECT_STR(buf, "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_INT(wshub_http_date_write(INT64_C(253402300800), buf), 0); /* the year 10000 */
    EXPECT(buf[0] == 0);
    EXPECT_INT(wshub_http_date_write(INT64_C(-62167219201), buf), 0); /* before the year 0 */
    EXPECT_INT(wshub_http_date_write(INT64_MIN, buf), 0);
    EXPECT_INT(wshub_http_date_write(INT64_MAX, buf), 0);
}

static bool answer_ok(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)http, (void)user;
    memset(&r, 0, sizeof r);
    r.status = 200;
    return wshub_http_reply(hub, exchange, &r) == WSHUB_OK;
}

TEST(an_answer_has_no_date_where_the_calendar_is_broken) { /* RFC 9110 6.6.1 */
    int broken;
    for (broken = 0; broken < 2; broken++) {
        world w;
        wshub_conn c;
        char out[300];
        wshub_str got;
        world_start(&w, DESC(.on_request = answer_ok),
                    (wshub_io_fake_desc){.wall_ms = broken ? UINT64_MAX - 1000000 : 784111777000});
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
        wshub_io_fake_run(w.net);
        got = wshub_io_fake_output(w.net, c);
        (void)snprintf(out, sizeof out, "%.*s", (int)got.len, got.ptr);
        EXPECT(strncmp(out, "HTTP/1.1 200 OK\r\n", 17) == 0);
        EXPECT((strstr(out, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n") != NULL) == !broken);
        EXPECT((strstr(out, "Date") != NULL) == !broken);
        world_stop(&w);
    }
}

/* ---- tags and conditions ---- */

TEST(tags_are_quoted_strings_not_pieces) { /* HTTP-2, RFC 9110 8.8.3 */
    static const struct {
        const char *list, *etag;
        bool weakly, strongly;
    } cases[] = {
        /* clang-format off */
        {"\"x\"", "\"x\"", true, true},
        {"W/\"x\"", "\"x\"", true, false},
        {"\"x\"", "W/\"x\"", true, false},
        {"W/\"x\"", "W/\"x\"", true, false},
        {"\"a,b\", \"x\"", "\"x\"", true, true}, /* commas inside are the tag's */
        {"\"a,b\", \"x\"", "\"a,b\"", true, true},
        {"\"a,b\", \"x\"", "\"a\"", false, false},
        {"\"a,b\", \"x\"", "\"b\"", false, false},
        {"*", "\"x\"", true, true},
        {" * ", "\"x\"", true, true},
        {"*", NULL, true, true}, /* something is there, though it has no tag */
        {"\"x\"", NULL, false, false},
        {"\"*\"", "\"x\"", false, false},
        {"*, \"y\"", "\"x\"", false, false}, /* alone it names all */
        {"\"xcurx\"", "\"cur\"", false, false},
        {"\"X\"", "\"x\"", false, false},
        {"\"\"", "\"\"", true, true},
        {"", "\"x\"", false, false},
        {",, \"a\" ,\t,\"x\",", "\"x\"", true, true},
        {",", "\"x\"", false, false},
        {"x, \"x\"", "\"x\"", false, false}, /* a list ends where it is written badly */
        {"\"a\" \"x\"", "\"x\"", false, false},
        {"\"a\"\"x\"", "\"x\"", false, false},
        {"\"a", "\"a\"", false, false},
        {"\"", "\"\"", false, false},
        {"W/", "\"x\"", false, false},
        {"W/x", "\"x\"", false, false},
        {"w/\"x\"", "\"x\"", false, false},
        {"W /\"x\"", "\"x\"", false, false},
        {"\"a b\", \"x\"", "\"x\"", false, false},
        {"\"a\x7f\", \"x\"", "\"x\"", false, false},
        {"\"\xC3\xA4\"", "\"\xC3\xA4\"", true, true},
        {"\"a\\\"", "\"a\\\"", true, true}, /* a backslash is a byte like others */
        {"x", "x", false, false}, /* what you call a tag must be one */
        {"\"x\"", "\"x\" ", false, false},
        {"\"x\"", "", false, false},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_str list = W(cases[i].list), etag = cases[i].etag ? W(cases[i].etag) : nul();
        if (wshub_http_etag_match(list, etag, true) == cases[i].weakly &&
            wshub_http_etag_match(list, etag, false) == cases[i].strongly)
            continue;
        (void)printf("  %s in %s\n", cases[i].etag ? cases[i].etag : "(none)", cases[i].list);
        EXPECT(wshub_http_etag_match(list, etag, true) == cases[i].weakly);
        EXPECT(wshub_http_etag_match(list, etag, false) == cases[i].strongly);
    }
}

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT" /* 784111777 */
#define LATER "Mon, 07 Nov 1994 08:49:37 GMT"
#define SINCE "If-Modified-Since: " DATE "\r\n"

TEST(conditions_are_judged_in_the_order_of_the_standard) { /* HTTP-2, RFC 9110 13.2.2 */
    static const struct {
        const char *method, *lines, *etag;
        int64_t modified;
        int want;
    } cases[] = {
        /* clang-format off */
        {"GET", "", "\"x\"", 784111777, 0},
        {"GET", "If-None-Match: W/\"x\"\r\n", "\"x\"", 784111777, 304},
        {"HEAD", "If-None-Match: \"x\"\r\n", "W/\"x\"", 784111777, 304},
        {"GET", "If-None-Match: \"a,b\", \"x\"\r\n", "\"x\"", 784111777, 304},
        {"GET", "If-None-Match: *\r\n", "\"x\"", 784111777, 304},
        {"GET", "If-None-Match: *\r\n", NULL, WSHUB_NO_DATE, 304},
        {"GET", "If-None-Match: \"a\"\r\nIf-None-Match: \"x\"\r\n", "\"x\"", 0, 304},
        {"PUT", "If-None-Match: *\r\n", "\"x\"", 784111777, 412},
        {"PUT", "If-None-Match: \"y\"\r\n", "\"x\"", 784111777, 0},
        {"GET", "If-None-Match: \"y\"\r\n", "\"x\"", 784111777, 0},
        /* a date is not looked at where there are tags */
        {"GET", "If-None-Match: \"y\"\r\n" SINCE, "\"x\"", 784111777, 0},
        {"GET", "If-None-Match: \"\r\n" SINCE, "\"x\"", 784111777, 0},
        {"GET", SINCE, "\"x\"", 784111777, 304},
        {"HEAD", SINCE, NULL, 784111776, 304},
        {"GET", SINCE, "\"x\"", 784111778, 0},
        {"POST", SINCE, "\"x\"", 784111777, 0},
        {"GET", SINCE, "\"x\"", WSHUB_NO_DATE, 0},
        {"GET", "If-Modified-Since: yesterday\r\n", "\"x\"", 0, 0},
        {"GET", SINCE SINCE, "\"x\"", 784111777, 0},
        /* what its sender believes it to be comes before that */
        {"GET", "If-Match: \"x\"\r\n", "\"x\"", 0, 0},
        {"GET", "If-Match: \"x\"\r\n", "W/\"x\"", 0, 412},
        {"PUT", "If-Match: \"y\"\r\n", "\"x\"", 0, 412},
        {"PUT", "If-Match: *\r\n", "\"x\"", 0, 0},
        {"PUT", "If-Match: \"y\"\r\nIf-Match: \"x\"\r\n", "\"x\"", 0, 0},
        {"GET", "If-Match: \"y\"\r\nIf-None-Match: \"x\"\r\n", "\"x\"", 0, 412},
        {"GET", "If-Match: \"x\"\r\nIf-None-Match: \"x\"\r\n", "\"x\"", 0, 304},
        {"PUT", "If-Unmodified-Since: " DATE "\r\n", "\"x\"", 784111777, 0},
        {"PUT", "If-Unmodified-Since: " DATE "\r\n", "\"x\"", 784111778, 412},
        {"PUT", "If-Unmodified-Since: " DATE "\r\n", "\"x\"", WSHUB_NO_DATE, 0},
        {"PUT", "If-Unmodified-Since: soon\r\n", "\"x\"", 784111778, 0},
        {"PUT", "If-Match: \"x\"\r\nIf-Unmodified-Since: " DATE "\r\n", "\"x\"", 784111778, 0},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = wshub_http_condition(request(cases[i].method, cases[i].lines),
                                       wshub_str_z(cases[i].etag), cases[i].modified);
        if (got == cases[i].want) continue;
        (void)printf("  %s %s\n", cases[i].method, cases[i].lines);
        EXPECT_INT(got, cases[i].want);
    }
}

/* ---- ranges ---- */

#define MOST UINT64_MAX

TEST(one_range_is_a_part_and_all_else_the_whole) { /* HTTP-3, RFC 9110 14.1.2 */
    static const struct {
        const char *value;
        uint64_t length;
        int status;
        uint64_t first, count;
    } cases[] = {
        /* clang-format off */
        {"bytes=0-4", 10, 206, 0, 5},
        {"bytes=0-0", 10, 206, 0, 1},
        {"bytes=9-9", 10, 206, 9, 1},
        {"bytes=0-", 10, 206, 0, 10},
        {"bytes=-4", 10, 206, 6, 4}, /* the last, not the first */
        {"bytes=-9999", 1058, 206, 0, 1058},
        {"bytes=-10", 10, 206, 0, 10},
        {"bytes=-9", 10, 206, 1, 9},
        {"bytes=5-99", 10, 206, 5, 5},
        {"bytes=10-,0-1", 10, 206, 0, 2}, /* one of them is there */
        {"bytes=-0,0-1", 10, 206, 0, 2},
        {"Bytes=0-1", 10, 206, 0, 2},
        {"bytes= 0-1 ", 10, 206, 0, 2},
        {"bytes=,0-1,,", 10, 206, 0, 2},
        {"bytes=00-01", 10, 206, 0, 2},
        /* nothing is there */
        {"bytes=10-", 10, 416, 0, 0},
        {"bytes=10-11, 20-", 10, 416, 0, 0},
        {"bytes=-0", 10, 416, 0, 0},
        {"bytes=18446744073709551616-", 10, 416, 0, 0},
        {"bytes=18446744073709551615-", MOST, 416, 0, 0},
        /* numbers have 64 bits, and larger ones are the largest */
        {"bytes=0-4203195464", 5000000000, 206, 0, 4203195465},
        {"bytes=4294967296-4294967297", 5000000000, 206, 4294967296, 2},
        {"bytes=-18446744073709551616", 10, 206, 0, 10},
        {"bytes=1-99999999999999999999999", 10, 206, 1, 9},
        {"bytes=18446744073709551614-", MOST, 206, 18446744073709551614u, 1},
        {"bytes=0-", MOST, 206, 0, MOST},
        {"bytes=-18446744073709551615", MOST, 206, 0, MOST},
        /* none, so that there is no field */
        {"", 10, 200, 0, 10},
        {"bytes", 10, 200, 0, 10},
        {"bytes=", 10, 200, 0, 10},
        {"bytes=,", 10, 200, 0, 10},
        {"bytes=-", 10, 200, 0, 10},
        {"bytes=+1-2", 10, 200, 0, 10},
        {"bytes=5-2", 10, 200, 0, 10},
        {"bytes=1", 10, 200, 0, 10},
        {"bytes=1-2-3", 10, 200, 0, 10},
        {"bytes=--2", 10, 200, 0, 10},
        {"bytes=1 - 2", 10, 200, 0, 10},
        {"bytes=0x1-2", 10, 200, 0, 10},
        {"bytes=a-b", 10, 200, 0, 10},
        {"bytes =0-1", 10, 200, 0, 10},
        {"bytes:0-1", 10, 200, 0, 10},
        {"items=0-1", 10, 200, 0, 10},
        {"0-1", 10, 200, 0, 10},
        {"bytes=0-1,x", 10, 200, 0, 10},
        {"bytes=20-,x", 10, 200, 0, 10},
        {"bytes=20-,5-2", 10, 200, 0, 10},
        /* several are not gathered, whether they meet or not */
        {"bytes=0-1,3-4", 10, 200, 0, 10},
        {"bytes=0-,0-,0-", 10, 200, 0, 10},
        {"bytes=0-0,-1", 10, 200, 0, 10},
        /* of nothing there is no part */
        {"bytes=0-", 0, 200, 0, 0},
        {"bytes=-5", 0, 200, 0, 0},
        {"bytes=5-2", 0, 200, 0, 0},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_range r = wshub_http_range_read(W(cases[i].value), cases[i].length);
        if (r.status != cases[i].status || r.first != cases[i].first || r.count != cases[i].count ||
            r.length != cases[i].length)
            (void)printf("  %s of %llu\n", cases[i].value, (unsigned long long)cases[i].length);
        EXPECT_INT(r.status, cases[i].status);
        EXPECT(r.first == cases[i].first && r.count == cases[i].count);
        EXPECT(r.length == cases[i].length);
    }
    EXPECT_INT(wshub_http_range_read(nul(), 10).status, 200);
}

TEST(a_hundred_ranges_cost_no_more_than_their_text) { /* HTTP-3, RFC 9110 17.15 */
    char text[700] = "bytes=0-";
    int i;
    for (i = 0; i < 99; i++) strcat(text, ",0-");
    EXPECT_INT(wshub_http_range_read(W(text), UINT64_C(1) << 40).status, 200);
}

#define RANGE "Range: bytes=5-\r\n"

TEST(a_range_holds_for_the_version_that_it_names) { /* HTTP-3, HTTP-2, RFC 9110 13.1.5 */
    static const struct {
        const char *method, *lines, *etag;
        int64_t modified;
        int status;
    } cases[] = {
        /* clang-format off */
        {"GET", RANGE, "\"cur\"", 784111777, 206},
        {"GET", "", "\"cur\"", 784111777, 200},
        {"HEAD", RANGE, "\"cur\"", 784111777, 200}, /* it means something on GET alone */
        {"POST", RANGE, "\"cur\"", 784111777, 200},
        {"GET", RANGE RANGE, "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: \"cur\"\r\n", "\"cur\"", 784111777, 206},
        {"GET", RANGE "If-Range: \"old\"\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: W/\"cur\"\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: W/\"cur\"\r\n", "W/\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: \"cur\"\r\n", "W/\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: \"xcurx\"\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: cur\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: *\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range:\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: \"cur\", \"x\"\r\n", "\"cur\"", 784111777, 200}, /* no list */
        {"GET", RANGE "If-Range: \"cur\"\r\nIf-Range: \"cur\"\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: \"cur\"\r\n", NULL, 784111777, 200},
        {"GET", RANGE "If-Range: " DATE "\r\n", "\"cur\"", 784111777, 206},
        {"GET", RANGE "If-Range: " DATE "\r\n", "\"cur\"", 784111776, 200}, /* the exact one */
        {"GET", RANGE "If-Range: " LATER "\r\n", "\"cur\"", 784111777, 200},
        {"GET", RANGE "If-Range: " DATE "\r\n", "\"cur\"", WSHUB_NO_DATE, 200},
        {"GET", RANGE "If-Range: never\r\n", "\"cur\"", WSHUB_NO_DATE, 200},
        {"GET", "Range: bytes=10-\r\n", "\"cur\"", 784111777, 416},
        {"GET", "Range: bytes=10-\r\nIf-Range: \"old\"\r\n", "\"cur\"", 784111777, 200},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_range r = wshub_http_range(request(cases[i].method, cases[i].lines), 10,
                                         wshub_str_z(cases[i].etag), cases[i].modified);
        if (r.status != cases[i].status) (void)printf("  %s %s\n", cases[i].method, cases[i].lines);
        EXPECT_INT(r.status, cases[i].status);
        EXPECT_INT(r.count, r.status == 200 ? 10 : r.status == 206 ? 5 : 0);
    }
}

TEST(a_content_range_says_the_length_in_any_case) { /* HTTP-3, RFC 9110 14.4 */
    char buf[72];
    wshub_range r;
    r = wshub_http_range_read(W("bytes=-4"), 10);
    EXPECT_INT(wshub_http_range_write(&r, buf), 12);
    EXPECT_STR(buf, "bytes 6-9/10");
    r = wshub_http_range_read(W("bytes=-9999"), 1058);
    EXPECT_INT(wshub_http_range_write(&r, buf), 17);
    EXPECT_STR(buf, "bytes 0-1057/1058");
    r = wshub_http_range_read(W("bytes=10-"), 10);
    EXPECT_INT(wshub_http_range_write(&r, buf), 10);
    EXPECT_STR(buf, "bytes */10");
    r = wshub_http_range_read(W("bytes=18446744073709551614-"), UINT64_MAX); /* the longest */
    EXPECT_INT(wshub_http_range_write(&r, buf), 68);
    EXPECT_STR(buf, "bytes 18446744073709551614-18446744073709551614/"
                    "18446744073709551615");
    r = wshub_http_range_read(W("bytes=0-1,3-4"), 10);
    EXPECT_INT(wshub_http_range_write(&r, buf), 0);
    EXPECT(buf[0] == 0);
}

/* ---- answers in one line ---- */

#define ASKED "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

/* What a stream has been sent since the last time, without the line of its date. */
static const char *sent(world *w, wshub_conn c) {
    static char out[2000];
    char *date;
    wshub_str got;
    wshub_io_fake_run(w->net);
    got = wshub_io_fake_output(w->net, c);
    (void)snprintf(out, sizeof out, "%.*s", (int)got.len, got.ptr ? got.ptr : "");
    wshub_io_fake_take(w->net, c, got.len);
    date = strstr(out, "\r\nDate: ");
    if (date) memmove(date, strstr(date + 2, "\r\n"), strlen(strstr(date + 2, "\r\n")) + 1);
    return out;
}

TEST(usual_answers_take_one_line) { /* CONN-2, CONN-5, MSG-9 */
    static const int redirects[] = {301, 302, 303, 307, 308};
    world w;
    wshub_conn c;
    size_t i;
    world_start(&w, DESC(.on_request = keep_request), FAKE(0));
    c = wshub_io_fake_open(w.net);

    wshub_io_fake_input(w.net, c, ASKED, strlen(ASKED));
    EXPECT_INT(wshub_http_reply_text(w.hub, kept_request, 201, S("h\xC3\xA4\n")), WSHUB_OK);
    EXPECT_STR(sent(&w, c), "HTTP/1.1 201 Created\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Length: 4\r\n\r\nh\xC3\xA4\n");
    EXPECT_INT(wshub_http_reply_text(w.hub, kept_request, 200, S("x")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_reply_json(w.hub, kept_request, 200, S("1")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_redirect(w.hub, kept_request, 303, S("/")), WSHUB_ERR_STALE);

    wshub_io_fake_input(w.net, c, ASKED, strlen(ASKED));
    EXPECT_INT(wshub_http_reply_text(w.hub, kept_request, 199, S("x")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_reply_json(w.hub, kept_request, 600, S("1")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_reply_json(w.hub, kept_request, 200, S("{\"a\":1")), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_http_reply_json(w.hub, kept_request, 200, S("")), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_http_reply_json(w.hub, kept_request, 200, nul()), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_http_reply_json(w.hub, kept_request, 200, S("\"\xFF\"")), WSHUB_ERR_JSON);
    EXPECT_STR(sent(&w, c), ""); /* it can be answered yet */
    EXPECT_INT(wshub_http_reply_json(w.hub, kept_request, 200, S("{\"a\":1}")), WSHUB_OK);
    EXPECT_STR(sent(&w, c), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: 7\r\n\r\n{\"a\":1}");

    for (i = 0; i < sizeof redirects / sizeof *redirects; i++) {
        wshub_io_fake_input(w.net, c, ASKED, strlen(ASKED));
        EXPECT_INT(wshub_http_redirect(w.hub, kept_request, redirects[i], S("/a?b=%20#c")),
                   WSHUB_OK);
        EXPECT_HAS(sent(&w, c), "\r\nLocation: /a?b=%20#c\r\nContent-Length: 0\r\n\r\n");
    }
    world_stop(&w);
}

TEST(
    a_redirect_leads_nowhere_by_mistake) { /* CONN-5, RFC 3986 2: characters of a reference alone */
    /* clang-format off */
    static const char *const bad[] = {
        "", "/a b", " /", "/\r\nX: y", "/\n", "/\t", "/\x7f", "/\xC3\xA4", "/\\elsewhere", "/<",
        "/>", "/\"", "/`", "/{", "/|", "/}", "/^",
    };
    static const char *const good[] = {
        "/", "?q", "#f", "a", "../b", "https://h:8080/x~_.-y?a=%C3%A4&b=[1]@!$'()*+,;#z",
    };
    /* clang-format on */
    static const int no_redirects[] = {200, 300, 304, 305, 306, 309, 400};
    world w;
    wshub_conn c;
    size_t i;
    world_start(&w, DESC(.on_request = keep_request), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, ASKED, strlen(ASKED));
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_INT(wshub_http_redirect(w.hub, kept_request, 302, S(bad[i])), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_redirect(w.hub, kept_request, 302, wshub__str("/\0/", 3)),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_redirect(w.hub, kept_request, 302, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_redirect(w.hub, kept_request, 302, wshub__str(NULL, 3)), WSHUB_ERR_PARAM);
    for (i = 0; i < sizeof no_redirects / sizeof *no_redirects; i++)
        EXPECT_INT(wshub_http_redirect(w.hub, kept_request, no_redirects[i], S("/")),
                   WSHUB_ERR_PARAM);
    EXPECT_STR(sent(&w, c), "");
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        EXPECT_INT(wshub_http_redirect(w.hub, kept_request, 302, S(good[i])), WSHUB_OK);
        EXPECT(strncmp(sent(&w, c), "HTTP/1.1 302 Found\r\n", 20) == 0);
        wshub_io_fake_input(w.net, c, ASKED, strlen(ASKED));
    }
    world_stop(&w);
}
