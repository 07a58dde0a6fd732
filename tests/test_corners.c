/* The corners: every argument that a function refuses, values at the ends of their range, what happens once in a long
 * life, callbacks that come back into the hub while a report runs, and memory that ends at the worst place. Together with
 * the other tests this takes every branch of wshub.h (tests/coverage.sh); so it calls some inner functions by name. */
#include "hubtest.h"

static wshub_str S(const char *z) { return wshub_str_z(z); }
static wshub_str nul(void) { return wshub__str(NULL, 0); }
static char long_name[5000]; /* over WSHUB_NAME_BYTES_MAX */
static wshub_str too_long(void) {
    memset(long_name, 'a', sizeof long_name);
    return wshub__str(long_name, sizeof long_name);
}

/* ---- pure functions ---- */

TEST(codec_at_its_ends) {
    static const char doc[] = " {\"a\\u0041\":[1,-2.5e+3,true,false,null,\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\\uD800\"],\"b\":{\"c\":{}}, \"a\":\"x\"} ";
    static const struct { const char *in; const char *out; } texts[] = {
        {"\"\\uD83D\\uDE00\"", "\xF0\x9F\x98\x80"}, {"\"\\uD800\"", "\xEF\xBF\xBD"}, {"\"\\uDC00\"", "\xEF\xBF\xBD"}, {"\"\\uD800x\"", "\xEF\xBF\xBDx"}, {"\"\\uD800xxxxxx\"", "\xEF\xBF\xBDxxxxxx"}, {"\"\\uD800\\nxxxx\"", "\xEF\xBF\xBD\nxxxx"},
        {"\"\\uD800\\u0041\"", "\xEF\xBF\xBD" "A"}, {"\"\\uD800\\uE000\"", "\xEF\xBF\xBD\xEE\x80\x80"}, {"\"\\uD800\\uD800\"", "\xEF\xBF\xBD\xEF\xBF\xBD"}, {"\"\\uE000\"", "\xEE\x80\x80"}, {"\"\\uFFFF\"", "\xEF\xBF\xBF"}, {"\"\\u007F\"", "\x7F"}, {"\"\\u0080\"", "\xC2\x80"}, {"\"\\u07FF\"", "\xDF\xBF"}, {"\"\\u0800\"", "\xE0\xA0\x80"},
    };
    static const struct { const char *text; int64_t n; } numbers[] = {
        {"0", 0}, {" 7\t", 7}, {"9007199254740991", INT64_C(9007199254740991)}, {"9007199254740992", -1}, {"12345678901234567", -1}, {"01", -1}, {"00", -1}, {"-1", -1}, {"1.0", -1}, {"1e3", -1}, {"", -1}, {" ", -1}, {"1a", -1}, {"1/", -1}, {"1:", -1}, {"\"1\"", -1},
    };
    wshub_iter it;
    wshub_str v;
    char buf[600], accept[28], odd[2000];
    size_t i, k, n = sizeof doc - 1;
    uint64_t number;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        k = wshub_json_text(S(texts[i].in), buf, sizeof buf);
        EXPECT(k == strlen(texts[i].out) && memcmp(buf, texts[i].out, k) == 0);
    }
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        bool ok = wshub_json_uint(S(numbers[i].text), &number);
        EXPECT(ok == (numbers[i].n >= 0) && (!ok || number == (uint64_t)numbers[i].n));
    }
    EXPECT(!wshub_json_uint(nul(), &number));
    EXPECT_INT(wshub_json_text(nul(), buf, 1), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\""), buf, 1), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\"\\\""), buf, 9), SIZE_MAX); /* escapes that end too early are no JSON */
    EXPECT_INT(wshub_json_text(S("\"\\u00\""), buf, 9), SIZE_MAX);
    EXPECT_INT(wshub_json_unescape((const uint8_t *)"\\", 1, (uint8_t *)buf, 9), 1); /* and nothing is read beyond them */
    EXPECT_INT(wshub_json_unescape((const uint8_t *)"\\u00", 4, (uint8_t *)buf, 9), 1);
    EXPECT_INT(wshub_json_text(S("x\""), buf, 1), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\"x"), buf, 1), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\"abc\""), buf, 1), 3); /* what it would take */
    EXPECT_INT(wshub_json_quote(S("a\x01\b\t\n\f\r\"\\"), buf, 3), 23);
    EXPECT_INT(wshub_json_quote(S(""), NULL, 0), 2);
    /* no text of the grammar: the walkers say no, and stay inside */
    for (i = 0; i <= n; i++) {
        char *cut = (char *)malloc(i + 1);
        memcpy(cut, doc, i);
        EXPECT(wshub_json_check(wshub__str(cut, i), 0) == (i >= n - 1)); /* the last is a blank */
        for (k = 0; k < 256; k += 5) {
            if (i) cut[i - 1] = (char)k;
            v = wshub_json_find(wshub__str(cut, i), "aA"); /* the hub's own, of what may be no JSON after all */
            EXPECT(!v.ptr || (v.ptr > cut && v.ptr + v.len <= cut + i));
            memset(&it, 0, sizeof it);
            while (wshub_json_next(wshub__str(cut, i), &it, &v)) EXPECT(v.ptr + v.len <= cut + i);
            v = wshub_json_get(wshub__str(cut, i), "aA");
            EXPECT(!v.ptr || (v.ptr > cut && v.ptr + v.len <= cut + i));
            (void)wshub_json_get(wshub__str(cut, i), "b");
            (void)wshub_json_type(wshub__str(cut, i));
            (void)wshub_json_text(wshub__str(cut, i), buf, sizeof buf);
            memset(&it, 0, sizeof it);
            while (wshub_json_each(wshub__str(cut, i), &it, &v)) {}
            if (i > 12) {
                memset(&it, 0, sizeof it);
                while (wshub_json_each(wshub__str(cut + 12, i - 12), &it, &v)) EXPECT(v.ptr + v.len <= cut + i);
            }
        }
        free(cut);
    }
    EXPECT(!wshub_json_get(S("{}"), NULL).ptr && !wshub_json_get(nul(), "a").ptr && !wshub_json_get(S("{\"a\" :"), "a").ptr && !wshub_json_get(S("{\"a\""), "a").ptr && !wshub_json_get(S("{\"a"), "a").ptr);
    EXPECT(wshub_str_eq_z(wshub_json_get(S("{\"\":1,\"a\":2}"), ""), "1") && !wshub_json_get(S("{\"\":1,\"a\":2"), "").ptr);
    memset(&it, 0, sizeof it);
    EXPECT(!wshub_json_each(nul(), &it, &v));
    it.pos = 99;
    EXPECT(!wshub_json_each(S("[1]"), &it, &v));
    EXPECT_INT(wshub_json_type(nul()), WSHUB_JSON_NONE);
    EXPECT_INT(wshub_json_type(S(" ")), WSHUB_JSON_NONE);
    EXPECT_INT(wshub_json_type(wshub__str("\0", 1)), WSHUB_JSON_NONE);
    EXPECT(!wshub_json_uint(wshub__str("1\0", 2), &number) && !wshub_json_uint(wshub__str("\0" "1", 2), &number));
    EXPECT(!wshub_json_check(nul(), 0) && wshub_json_check(S("[[]]"), 100000) && !wshub_json_check(S("[[]]"), 1));
    /* a key of 300 bytes behind an escape, longer than is decoded */
    n = (size_t)snprintf(odd, sizeof odd, "{\"\\u0061");
    memset(odd + n, 'a', 299);
    (void)snprintf(odd + n + 299, sizeof odd - n - 299, "\":1}");
    memset(buf, 'a', 300);
    buf[300] = 0;
    EXPECT(!wshub_json_get(S(odd), buf).ptr);
    wshub_accept_key(nul(), accept);
    wshub_accept_key(S("short"), accept);
    EXPECT(memcmp(accept, "jlW3MljkoWdqjqBXMZKyh5+nvOQ=", 0) == 0);
    EXPECT(wshub_str_eq(nul(), S("")) && !S(NULL).ptr && wshub_str_eq_z(nul(), ""));
    {
        wshub_json_field f;
        memset(&f, 0, sizeof f);
        f.key = "a";
        EXPECT_INT(wshub_json_fields((const uint8_t *)"{}", 2, 0, &f, 1), WSHUB_JSON_BAD); /* no level at all */
        EXPECT_INT(wshub_json_fields((const uint8_t *)"{} x", 4, 9, &f, 1), WSHUB_JSON_BAD);
        {
            static const char keys[] = "{\"\":1,\"\\u0061aaaaaaaaaaaaaaaaa\":2,\"aaaaaaaaaaaaaaaaa\":3}";
            memset(&f, 0, sizeof f);
            f.key = "a";
            EXPECT_INT(wshub_json_fields((const uint8_t *)keys, sizeof keys - 1, 9, &f, 1), WSHUB_JSON_FIELDS);
        }
        EXPECT(!f.value.ptr); /* an empty key, and keys longer than any that is looked for */
        EXPECT(wshub_json_check(S("1"), 0) && wshub_json_check(S("-12"), 0) && !wshub_json_check(S("-"), 0) && !wshub_json_check(S("1."), 0) && !wshub_json_check(S("1e"), 0)); /* digits up to the very end */
        EXPECT(!wshub__envelope_peek(S("{\"serverId\":\"abc")).ptr && !wshub__envelope_peek(S("{")).ptr && wshub_str_eq_z(wshub__envelope_peek(S("{\"serverId\":\"abc\"")), "abc"));
        EXPECT_INT(wshub_json_fields((const uint8_t *)"{\"a\":1} ", 8, 9, &f, 1), WSHUB_JSON_FIELDS);
    }
}

TEST(texts_of_errors_and_logs) {
    int e;
    EXPECT(strcmp(wshub_strerror(WSHUB_OK), "ok") == 0);
    for (e = -1; e >= -14; e--) EXPECT(strlen(wshub_strerror((wshub_err)e)) > 10);
    EXPECT(strlen(wshub_strerror((wshub_err)-999)) > 0 && strlen(wshub_strerror((wshub_err)77)) > 0);
    for (e = 0; e < WSHUB_LOG_COUNT; e++) EXPECT(strlen(wshub_log_name((wshub_log_code)e)) > 3);
    EXPECT(strcmp(wshub_log_name(WSHUB_LOG_COUNT), "?") == 0 && strcmp(wshub_log_name((wshub_log_code)-1), "?") == 0);
}

TEST(heads_that_end_before_their_end) { /* wshub__http_parse() alone: what looks for the end of a head would not let these through */
    static const char head[] = "GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n";
    wshub_header headers[4];
    wshub_http h;
    const char *why;
    size_t i;
    char text[sizeof head];
    int status;
    for (i = 0; i < sizeof head - 1; i++) {
        uint8_t *cut = (uint8_t *)malloc(i + 1);
        memcpy(cut, head, i);
        EXPECT_INT(wshub__http_parse(cut, i, headers, 4, &h, &why), 400);
        free(cut);
    }
    for (i = 0; i < sizeof head - 1; i++) { /* LF that is none */
        if (head[i] != '\n') continue;
        memcpy(text, head, sizeof head);
        text[i] = 'x';
        EXPECT_INT(wshub__http_parse((uint8_t *)text, sizeof head - 1, headers, 4, &h, &why), 400);
    }
    memcpy(text, "GET /a HTTP/1.1\r\nHost: h\r\n\r\nmore", 32);
    EXPECT_INT(wshub__http_parse((uint8_t *)text, 32, headers, 4, &h, &why), 400);
    memset(&h, 0, sizeof h);
    EXPECT(!wshub__http_authority(&h).ptr); /* no target, and no Host */
    EXPECT(!wshub__http_host_ok(wshub__str("a\0", 2)));
    EXPECT(wshub__http_host_ok(nul()));
    EXPECT(!wshub__http_is_token(nul()) && !wshub__http_is_token(wshub__str("\0", 1)));
    for (status = 90; status < 600; status++) EXPECT(strlen(wshub__http_phrase(status)) > 1);
    {
        uint64_t left = 0;
        uint32_t digits = 0, overhead = 0;
        EXPECT_INT(wshub__chunk_byte(WSHUB__CHUNK_DATA, 'x', &left, &digits, &overhead), WSHUB__CHUNK_BAD);
        EXPECT_INT(wshub__chunk_byte(WSHUB__CHUNK_DONE, 'x', &left, &digits, &overhead), WSHUB__CHUNK_BAD);
        EXPECT_INT(wshub__chunk_byte(WSHUB__CHUNK_BAD, 'x', &left, &digits, &overhead), WSHUB__CHUNK_BAD);
    }
    EXPECT(wshub__origin_match(S("https://*x"), S("https://*x")) && !wshub__origin_match(S("https://ax"), S("https://*x")));
    EXPECT(!wshub__origin_match(S("https://a..b.x"), S("https://*.x")) && wshub__origin_match(S("https://a.b.x"), S("https://*.x")) && !wshub__origin_match(S("a"), S("b")) && wshub__origin_match(S("x"), S("x")));
    {
        char iso[24];
        wshub__iso_time(0, iso);
        EXPECT(memcmp(iso, "1970-01-01T00:00:00.000Z", 24) == 0);
        wshub__iso_time(UINT64_C(951782399999), iso);
        EXPECT(memcmp(iso, "2000-02-28T23:59:59.999Z", 24) == 0);
        wshub__iso_time(UINT64_C(951782400000), iso);
        EXPECT(memcmp(iso, "2000-02-29T00:00:00.000Z", 24) == 0);
        wshub__iso_time(UINT64_C(4107542400000), iso); /* 2100 is no leap year */
        EXPECT(memcmp(iso, "2100-03-01T00:00:00.000Z", 24) == 0);
        wshub__iso_time(UINT64_C(253402300799999), iso);
        EXPECT(memcmp(iso, "9999-12-31T23:59:59.999Z", 24) == 0);
        wshub__iso_time(UINT64_MAX, iso); /* a broken calendar: some text, no more than that */
        EXPECT(memcmp(iso, "9999-", 5) == 0 && iso[23] == 'Z');
    }
}

static unsigned allocs_left;
static void *few_allocs(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes == 0) {
        free(ptr);
        return NULL;
    }
    if (allocs_left == 0) return NULL;
    allocs_left--;
    return realloc(ptr, new_bytes);
}

TEST(sizes_over_all_measure) {
    wshub__mem m = wshub__mem_make(few_allocs, NULL), d = wshub__mem_make(NULL, NULL);
    void *items = NULL;
    uint32_t cap = 0;
    wshub__buf b;
    wshub__index ix;
    void *p;
    allocs_left = 0;
    EXPECT(!wshub__mem_grow(&m, &items, &cap, UINT32_MAX, 1) && !wshub__mem_grow(&m, &items, &cap, 5, 1) && !items && !cap);
    memset(&b, 0, sizeof b);
    EXPECT(!wshub__buf_room(&m, &b, SIZE_MAX) && b.bad);
    EXPECT(!wshub__buf_room(&m, &b, 1)); /* and stays so */
    memset(&ix, 0, sizeof ix);
    ix.cap = ix.count = UINT32_MAX / 4;
    EXPECT(!wshub__index_reserve(&m, &ix));
    memset(&ix, 0, sizeof ix);
    allocs_left = 1; /* one of its two tables */
    EXPECT(!wshub__index_reserve(&m, &ix) && !ix.cap);
    cap = 4096; /* what cannot be made smaller stays as it is */
    items = malloc(cap);
    allocs_left = 0;
    wshub__mem_shrink(&m, &items, &cap, 1, 1);
    EXPECT_INT(cap, 4096);
    allocs_left = 1;
    wshub__mem_shrink(&m, &items, &cap, 1, 1);
    EXPECT_INT(cap, 256);
    free(items);
    p = wshub__mem_new(&d, 10);
    EXPECT(p != NULL);
    wshub__mem_free(&d, p, 10);
    wshub__mem_free(&d, NULL, 10);
}

/* ---- descriptions ---- */

static void refused(wshub_desc d, const char *part) {
    wshub *hub = NULL;
    const char *why = wshub_desc_problem(&d);
    EXPECT(why && strstr(why, part));
    EXPECT(wshub_create(&d, &hub) != WSHUB_OK && !hub);
}
#define REFUSED(part, ...) refused((wshub_desc){.io = &io, __VA_ARGS__}, part)

TEST(descriptions_that_are_refused) { /* API.md: zero is the default, the rest is checked */
    static char path[1100], id[65], room[5000];
    static const char *const no_room[] = {NULL}, *const empty_room[] = {""}, *const bad_room[] = {"\xFF"}, *const long_room[] = {room}, *const no_origin[] = {NULL}, *const bare_origin[] = {"example.com"}, *const good_origin[] = {"null", "https://a"};
    wshub_io_fake *f;
    wshub_io io, broken;
    wshub *hub = NULL;
    wshub_desc d;
    int i;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    io = *wshub_io_fake_io(f);
    memset(path, '/', sizeof path - 1);
    memset(id, 'x', 64);
    memset(room, 'r', sizeof room - 1);
    for (i = 0; i < 6; i++) {
        broken = io;
        if (i == 0) broken.attach = NULL;
        if (i == 1) broken.send = NULL;
        if (i == 2) broken.close = NULL;
        if (i == 3) broken.now_ms = NULL;
        if (i == 4) broken.wall_ms = NULL;
        if (i == 5) broken.random = NULL;
        refused((wshub_desc){.io = &broken}, "io:");
    }
    REFUSED("cannot be off", .auth_timeout_ms = WSHUB_OFF);
    REFUSED("cannot be off", .heartbeat_interval_ms = WSHUB_OFF);
    REFUSED("cannot be off", .close_timeout_ms = WSHUB_OFF);
    REFUSED("cannot be off", .shutdown_timeout_ms = WSHUB_OFF);
    REFUSED("path:", .path = "ws");
    REFUSED("path:", .path = "/ws?x");
    REFUSED("path:", .path = path);
    REFUSED("server_id:", .server_id = "");
    REFUSED("server_id:", .server_id = id);
    REFUSED("server_id:", .server_id = "\xFF");
    REFUSED("1 GiB", .payload_bytes_max = (1u << 30) + 1);
    REFUSED("1 GiB", .http_body_bytes_max = (1u << 30) + 1);
    REFUSED("1 MiB", .http_head_bytes_max = (1u << 20) + 1);
    REFUSED("256", .http_headers_max = 257);
    REFUSED("json_depth_max", .json_depth_max = WSHUB_JSON_DEPTH_MAX + 1);
    REFUSED("backpressure_bytes_max", .backpressure_bytes_max = (1u << 30) + 1);
    REFUSED("default_rooms", .default_rooms = no_room, .default_rooms_count = 1);
    REFUSED("default_rooms", .default_rooms = empty_room, .default_rooms_count = 1);
    REFUSED("default_rooms", .default_rooms = bad_room, .default_rooms_count = 1);
    REFUSED("default_rooms", .default_rooms = long_room, .default_rooms_count = 1);
    REFUSED("allowed_origins", .allowed_origins_count = 1);
    REFUSED("allowed_origins", .allowed_origins = no_origin, .allowed_origins_count = 1);
    REFUSED("allowed_origins", .allowed_origins = bare_origin, .allowed_origins_count = 1);
    EXPECT(wshub_desc_problem(NULL) != NULL);
    memset(&d, 0, sizeof d);
    EXPECT(wshub_desc_problem(&d) != NULL); /* no io */
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_create(NULL, &hub), WSHUB_ERR_PARAM);
    d.io = &io;
    EXPECT_INT(wshub_create(&d, NULL), WSHUB_ERR_PARAM);
    d.allowed_origins = good_origin;
    d.allowed_origins_count = 2;
    d.backpressure_bytes_max = WSHUB_OFF;
    d.segment_bytes_max = 1 << 20;
    d.no_default_rooms = true;
    EXPECT(!wshub_desc_problem(&d));
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    wshub_destroy(hub);
    wshub_destroy(NULL);
    wshub_io_fake_destroy(f);
}

/* A bus that does as it is told, and counts how often it was left. */
static wshub_err bus_says;
static int bus_left;
static bool bus_room = true;
static wshub_bus_owner bus_owner;
static wshub_err odd_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (!owner) {
        bus_left++;
        return WSHUB_OK;
    }
    bus_owner = *owner;
    return bus_says;
}
static size_t odd_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return bus_room ? count : 0;
}
static bool odd_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    EXPECT(count >= 1 && count <= WSHUB_BUS_BATCH);
    return bus_room;
}
static const wshub_bus odd_bus = {.version = WSHUB_BUS_VERSION, .attach = odd_attach, .publish = odd_publish, .subscribe = odd_subscribe, .unsubscribe = odd_subscribe};

TEST(a_bus_that_was_given_is_left_in_any_case) {
    wshub_io_fake *f;
    wshub_io io;
    wshub *hub = NULL;
    wshub_emitter *em = NULL;
    wshub_desc d;
    wshub_emitter_desc ed;
    wshub_bus none = odd_bus;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    io = *wshub_io_fake_io(f);
    memset(&d, 0, sizeof d);
    d.io = &io;
    d.bus = &odd_bus;
    bus_left = 0;
    bus_says = WSHUB_ERR_IO;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_IO);
    EXPECT(!hub && bus_left == 1);
    bus_says = WSHUB_OK;
    d.path = "no";
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(bus_left, 2);
    d.path = NULL;
    io.wake = NULL;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_NOWAKE);
    EXPECT(wshub_desc_problem(&d) && bus_left == 3);
    io = *wshub_io_fake_io(f);
    d.alloc = few_allocs;
    allocs_left = 0;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_NOMEM);
    for (allocs_left = 1; allocs_left < 3; allocs_left++) {
        unsigned before = allocs_left;
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_NOMEM);
        allocs_left = before;
    }
    EXPECT_INT(bus_left, 6);
    memset(&ed, 0, sizeof ed);
    EXPECT_INT(wshub_emitter_create(NULL, &em), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_PARAM);
    ed.bus = &none;
    bus_left = 0;
    EXPECT_INT(wshub_emitter_create(&ed, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(bus_left, 1); /* what was given ends */
    ed.alloc = few_allocs;
    allocs_left = 0;
    bus_left = 0;
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_NOMEM);
    EXPECT_INT(bus_left, 1);
    ed.alloc = NULL;
    bus_says = WSHUB_ERR_LIMIT;
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_LIMIT);
    EXPECT_INT(bus_left, 2);
    bus_says = WSHUB_OK;
    wshub_emitter_destroy(NULL);
    EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_OK);
    {
        wshub_msg m = msg("e", "1"), bad = msg("e", "{"), none_at_all = msg("e", "1");
        wshub_dest to;
        wshub_str x[2];
        none_at_all.event = nul();
        x[0] = S("id");
        x[1] = too_long();
        memset(&to, 0, sizeof to);
        EXPECT_INT(wshub_emitter_send(em, NULL, NULL), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_emitter_send(em, NULL, &none_at_all), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_JSON);
        bad.data = S("");
        bad.data_is_json = true; /* no JSON for all that */
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_JSON);
        bad.data.len = (size_t)WSHUB_MSG_BYTES_MAX + 1;
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_LIMIT);
        to.kind = (wshub_dest_kind)9;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.kind = WSHUB_DEST_USER; /* nobody */
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.name = too_long();
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.name = S("r");
        to.kind = WSHUB_DEST_RESOLVE;
        to.exclude_count = 2;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.exclude = x;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_ERR_PARAM);
        to.exclude_count = 1;
        EXPECT_INT(wshub_emitter_send(em, &to, &m), WSHUB_OK); /* kept: the bus is not up */
        EXPECT(wshub_emitter_queued_bytes(em) > 0);
        bus_room = false;
        bus_owner.state(bus_owner.ctx, WSHUB_BUS_UP); /* nor has it room */
        EXPECT(wshub_emitter_queued_bytes(em) > 0);
        bus_owner.received(bus_owner.ctx, S("x"), S("y")); /* an emitter hears nothing */
        bus_room = true;
        EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
        EXPECT_INT(wshub_emitter_queued_bytes(em), 0);
    }
    wshub_emitter_destroy(em);
    EXPECT_INT(bus_left, 3);
    wshub_io_fake_destroy(f);
}

/* ---- every function with arguments it refuses ---- */

static wshub_ask kept[8];
static size_t kept_count;
static void keep_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)hub;
    (void)join;
    (void)user;
    kept[kept_count++ % 8] = ask;
}
static void no_timer(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}

TEST(arguments_that_are_refused) {
    world w;
    char id[37];
    wshub_client c, gone;
    wshub_conn conn, other;
    wshub_msg ok = msg("e", "1"), bad = msg("e", "1");
    wshub_str room, x[2];
    wshub_dest to;
    wshub_iter it;
    wshub_ask ask;
    wshub_client found;
    wshub_identity who;
    char text[10];
    memset(&who, 0, sizeof who);
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_join), FAKE(0));
    conn = world_client(&w, "u", id);
    c = world_handle(&w, id);
    other = world_client(&w, NULL, id);
    gone = world_handle(&w, id);
    wshub_io_fake_end(w.net, other);
    EXPECT(c.id && gone.id && gone.id != c.id);
    /* messages */
    EXPECT_INT(wshub_client_send(w.hub, c, NULL), WSHUB_ERR_PARAM);
    bad.event = nul();
    EXPECT_INT(wshub_client_send(w.hub, c, &bad), WSHUB_ERR_PARAM);
    bad.event = too_long();
    EXPECT_INT(wshub_all_send(w.hub, &bad, NULL, 0), WSHUB_ERR_PARAM);
    bad.event = S("\xC0\x80");
    EXPECT_INT(wshub_user_send(w.hub, S("u"), &bad), WSHUB_ERR_PARAM);
    bad = msg("e", "[");
    EXPECT_INT(wshub_room_send(w.hub, S("r"), &bad, NULL, 0), WSHUB_ERR_JSON);
    bad = msg("e", "");
    bad.data_is_json = true;
    EXPECT_INT(wshub_client_send(w.hub, c, &bad), WSHUB_ERR_JSON);
    bad.data.len = (size_t)WSHUB_MSG_BYTES_MAX + 1;
    EXPECT_INT(wshub_client_send(w.hub, c, &bad), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_client_join(w.hub, c, wshub__str(long_name, WSHUB_NAME_BYTES_MAX)), WSHUB_OK); /* to the byte */
    EXPECT_INT(wshub_client_join(w.hub, c, wshub__str(long_name, WSHUB_NAME_BYTES_MAX + 1)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_room_count(w.hub, wshub__str(long_name, WSHUB_NAME_BYTES_MAX)), 1);
    bad.data.len = WSHUB_MSG_BYTES_MAX; /* just so much may be: here nobody is there for whom it would be read */
    EXPECT_INT(wshub_room_send(w.hub, S("empty room"), &bad, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, gone, &ok), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_send_binary(w.hub, c, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_send_binary(w.hub, c, (const uint8_t *)"x", (size_t)WSHUB_MSG_BYTES_MAX + 1), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_client_send_binary(w.hub, gone, (const uint8_t *)"x", 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_send_binary(w.hub, c, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_all_send(w.hub, &ok, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_room_send(w.hub, too_long(), &ok, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_user_send(w.hub, S("\xFF"), &ok), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_user_send(w.hub, nul(), &ok), WSHUB_OK); /* nobody */
    memset(&to, 0, sizeof to);
    EXPECT_INT(wshub_send(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    bad = msg("", "1");
    EXPECT_INT(wshub_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    bad = msg("e", NULL);
    EXPECT_INT(wshub_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    to.kind = (wshub_dest_kind)7;
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.kind = WSHUB_DEST_CLIENT;
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.name = S("\xFF");
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.name = S(id);
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_OK); /* he is gone; others might have him */
    to.kind = WSHUB_DEST_RESOLVE;
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_OK);
    /* clients */
    EXPECT_INT(wshub_client_close(w.hub, c, 999, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 1005, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 0, S("why")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 1000, wshub__str(long_name, 124)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 1000, S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, gone, 1000, nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_join(w.hub, c, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_join(w.hub, c, too_long()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_join(w.hub, gone, S("r")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_leave(w.hub, c, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_leave(w.hub, c, S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_leave(w.hub, gone, S("r")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_leave(w.hub, c, S("nowhere")), WSHUB_OK);
    EXPECT_INT(wshub_client_encrypt(w.hub, gone), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_set_user_ptr(w.hub, gone, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_set_metadata(w.hub, gone, nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, S("{")), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, S("[1]")), WSHUB_OK);
    EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "[1]"));
    w.fail_at = 1;
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, S("[1,2,3,4,5,6,7,8]")), WSHUB_ERR_NOMEM);
    w.fail_at = 0;
    EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "[1]")); /* all or nothing */
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, nul()), WSHUB_OK);
    EXPECT(!wshub_client_metadata(w.hub, c).ptr && !wshub_client_metadata(w.hub, gone).ptr);
    EXPECT_INT(wshub_client_peer(w.hub, c, text, 0), 0);
    EXPECT(wshub_client_peer(w.hub, gone, text, sizeof text) == 0 && text[0] == 0);
    EXPECT(wshub_client_peer(w.hub, c, text, sizeof text) == 4 && strcmp(text, "fake") == 0);
    EXPECT(wshub_client_peer(w.hub, c, text, 4) == 0 && text[0] == 0); /* nothing is cut */
    w.hub->io.about = NULL;
    EXPECT_INT(wshub_client_peer(w.hub, c, text, sizeof text), 0);
    EXPECT(!wshub_client_id(w.hub, gone).ptr && !wshub_client_user_id(w.hub, gone).ptr && !wshub_client_user_ptr(w.hub, gone) && !wshub_client_is_encrypted(w.hub, gone) && !wshub_client_is_pressured(w.hub, gone));
    EXPECT(wshub_client_queued_bytes(w.hub, gone) == 0 && wshub_client_state(w.hub, gone) == WSHUB_CLIENT_DISCONNECTED && !wshub_client_in_room(w.hub, gone, S("r")));
    EXPECT_INT(wshub_client_find(w.hub, S("nobody"), &found), WSHUB_ERR_STALE);
    /* walks */
    memset(&it, 0, sizeof it);
    EXPECT(!wshub_client_each_room(w.hub, gone, &it, &room));
    EXPECT(wshub_client_in_room(w.hub, c, wshub_client_id(w.hub, c)) && wshub_client_in_room(w.hub, c, S("ws-default")) && !wshub_client_in_room(w.hub, c, S("no such room")));
    memset(&it, 0, sizeof it);
    it.phase = 1;
    it.pos = 99; /* they have left meanwhile */
    EXPECT(wshub_client_each_room(w.hub, c, &it, &room));
    it.pos = 99;
    EXPECT(wshub_room_each_member(w.hub, S("ws-default"), &it, &found) && found.id == c.id);
    it.pos = 99;
    EXPECT(wshub_room_each(w.hub, &it, &room));
    it.pos = 99;
    it.phase = 1;
    EXPECT(wshub_user_each(w.hub, &it, &room) && wshub_str_eq_z(room, "u"));
    EXPECT(!wshub_user_each(w.hub, &it, &room));
    memset(&it, 0, sizeof it);
    EXPECT(wshub_room_count(w.hub, S("nothing")) == 0 && wshub_user_count(w.hub, S("nobody")) == 0 && !wshub_room_each_member(w.hub, S("nothing"), &it, &found) && !wshub_user_each_client(w.hub, S("nobody"), &it, &found));
    /* questions */
    kept_count = 0;
    wshub_io_fake_text(w.net, conn, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    EXPECT_INT(kept_count, 1);
    x[0] = S("a");
    x[1] = nul();
    EXPECT_INT(wshub_auth_accept(w.hub, kept[0], NULL), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept[0], nul(), nul()), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_transform_accept(w.hub, kept[0], NULL), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_join_accept(w.hub, kept[0], NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_join_accept(w.hub, kept[0], x, 2), WSHUB_ERR_PARAM);
    x[1] = S("");
    EXPECT_INT(wshub_join_accept(w.hub, kept[0], x, 2), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_join_accept(w.hub, kept[0], x, 1), WSHUB_OK);
    EXPECT_INT(wshub_join_accept(w.hub, kept[0], x, 1), WSHUB_ERR_STALE);
    ask = kept[0];
    EXPECT_INT(wshub_ask_reject(w.hub, ask), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ask_fail(w.hub, ask), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_transform_accept(w.hub, ask, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_handshake_accept(w.hub, ask, nul(), nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_auth_accept(w.hub, ask, &who), WSHUB_ERR_STALE);
    wshub_io_fake_text(w.net, conn, "{\"event\":\"join\",\"data\":{\"rooms\":[\"b\"]}}");
    EXPECT_INT(wshub_join_accept(w.hub, kept[1], NULL, 0), WSHUB_OK); /* none of them */
    /* time, the end */
    EXPECT_INT(wshub_timer_start(w.hub, 1, NULL, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_timer_start(w.hub, UINT64_MAX, no_timer, NULL, NULL), WSHUB_ERR_PARAM);
    {
        wshub_timer t, u = {0};
        EXPECT_INT(wshub_timer_start(w.hub, 5, no_timer, NULL, &t), WSHUB_OK);
        EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_OK);
        EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_ERR_STALE);
        EXPECT_INT(wshub_timer_stop(w.hub, u), WSHUB_ERR_STALE);
        w.hub->io.wake = NULL; /* an io that cannot be woken settles by itself */
        EXPECT_INT(wshub_timer_start(w.hub, 5, no_timer, NULL, NULL), WSHUB_OK);
    }
    EXPECT_INT(wshub_drain(w.hub, 0, 1001, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1000001, 1001, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 0, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 1006, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 1001, wshub__str(long_name, 124)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 1001, S("\xFF")), WSHUB_ERR_PARAM);
    w.fail_at = 1;
    EXPECT_INT(wshub_drain(w.hub, 1, 1001, S("bye")), WSHUB_ERR_NOMEM);
    w.fail_at = 0;
    memset(&w.hub->drain_reason, 0, sizeof w.hub->drain_reason);
    EXPECT_INT(wshub_drain(w.hub, 1, 1012, S("bye")), WSHUB_OK);
    EXPECT_INT(wshub_drain(w.hub, 1, 1012, S("bye")), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK); /* without being woken either */
    EXPECT(wshub_user(w.hub) == &w && wshub_server_id(w.hub).len == 36);
    {
        uint64_t before = wshub_now_ms(w.hub);
        wshub_io_fake_advance(w.net, 5);
        (void)wshub_settle(w.hub);
        EXPECT_INT(wshub_now_ms(w.hub), before + 5);
    }
    world_stop(&w);
}

TEST(posts_that_are_refused) {
    world w;
    char id[37];
    wshub_client c;
    wshub_conn conn;
    wshub_msg ok = msg("e", "1"), bad = msg("e", "1");
    wshub_dest to;
    wshub_ask ask = {0};
    memset(&to, 0, sizeof to);
    world_start(&w, DESC(.on_authenticate = accept_all, .post_bytes_max = 1000), FAKE(0));
    conn = world_client(&w, "u", id);
    c = world_handle(&w, id);
    EXPECT_INT(wshub_post(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_send(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    bad.event = nul();
    EXPECT_INT(wshub_post_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_client_send(w.hub, c, &bad), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &bad), WSHUB_ERR_PARAM);
    bad.event = S("");
    EXPECT_INT(wshub_post_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    bad = msg("e", NULL);
    EXPECT_INT(wshub_post_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_client_send(w.hub, c, NULL), WSHUB_ERR_PARAM);
    to.exclude_count = 1;
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.exclude_count = 0;
    to.kind = (wshub_dest_kind)9;
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close(w.hub, c, 1006, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close(w.hub, c, 0, S("x")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close(w.hub, c, 1000, too_long()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close_id(w.hub, S(id), 1006, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close_id(w.hub, S(id), 1000, S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, NULL, 3), WSHUB_ERR_PARAM);
    bad.data = too_long();
    EXPECT_INT(wshub_post_client_send(w.hub, c, &bad), WSHUB_ERR_JSON);
    bad.data_is_json = true;
    EXPECT_INT(wshub_post_client_send(w.hub, c, &bad), WSHUB_ERR_LIMIT); /* post_bytes_max */
    w.fail_at = 1;
    EXPECT_INT(wshub_post_client_send(w.hub, c, &ok), WSHUB_ERR_NOMEM);
    EXPECT_INT(w.hub->posted_bytes, 0);
    w.fail_at = 0;
    /* what is stale by then is silent */
    EXPECT_INT(wshub_post_auth_accept(w.hub, ask, NULL), WSHUB_OK);
    EXPECT_INT(wshub_post_handshake_accept(w.hub, ask, nul(), nul()), WSHUB_OK);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, NULL), WSHUB_OK);
    ok.data_is_json = true;
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &ok), WSHUB_OK);
    EXPECT_INT(wshub_post_ask_reject(w.hub, ask), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_post_ask_fail(w.hub, ask), WSHUB_OK);
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_post_close_id(w.hub, S(""), 1000, S("")), WSHUB_OK);
    EXPECT_INT(wshub_post_close_id(w.hub, S("nobody"), 1000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, conn);
    EXPECT_INT(wshub_post_send(w.hub, NULL, &ok), WSHUB_OK); /* to all */
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_ROOM;
    to.name = S(id);
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, conn, "{\"event\":\"e\",\"data\":1}");
    EXPECT_TEXT(&w, conn, "{\"event\":\"e\",\"data\":1}");
    EXPECT_INT(wshub_post_close(w.hub, c, 0, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_CLOSE(&w, conn, 0);
    w.hub->io.wake = NULL;
    EXPECT_INT(wshub_post(w.hub, no_timer, NULL), WSHUB_ERR_NOWAKE);
    world_stop(&w);
}

static void destroy_it(wshub *hub, void *arg) {
    (void)arg;
    wshub_destroy(hub);
    wshub_destroy(hub); /* twice is once */
}
static int ran;
static void count_it(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
    ran++;
}
TEST(a_hub_that_a_post_destroys_runs_no_further_post) {
    world w;
    world_start(&w, DESC(0), FAKE(0));
    ran = 0;
    EXPECT_INT(wshub_post(w.hub, count_it, NULL), WSHUB_OK);
    EXPECT_INT(wshub_post(w.hub, destroy_it, NULL), WSHUB_OK);
    EXPECT_INT(wshub_post(w.hub, count_it, NULL), WSHUB_OK);
    {
        wshub *hub = w.hub;
        w.hub = NULL;
        (void)hub;
    }
    wshub_io_fake_run(w.net);
    EXPECT_INT(ran, 1);
    world_stop(&w);
}

/* ---- answers of every shape ---- */

static wshub_request requests[4];
static int requests_count;
static bool keep_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    requests[requests_count++ % 4] = r;
    return true;
}
#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

TEST(http_answers_that_are_refused) {
    world w;
    wshub_conn c, d;
    wshub_reply r;
    wshub_header h = {{"X", 1}, {"v", 1}};
    wshub_request odd;
    static const char *const bad_values[] = {"a\rb", "a\nb", "\n"};
    size_t i;
    world_start(&w, DESC(.on_request = keep_request), FAKE(0));
    requests_count = 0;
    c = wshub_io_fake_open(w.net);
    w.hub->requests = UINT32_MAX; /* the number of a request is never 0 */
    wshub_io_fake_input(w.net, c, GET, sizeof GET - 1);
    EXPECT_INT(requests_count, 1);
    EXPECT_INT(requests[0].id >> 32, 1);
    memset(&r, 0, sizeof r);
    r.status = 200;
    odd.id = requests[0].id + (UINT64_C(1) << 32);
    EXPECT_INT(wshub_http_reply(w.hub, odd, &r), WSHUB_ERR_STALE);
    odd.id = UINT32_MAX;
    EXPECT_INT(wshub_http_reply(w.hub, odd, &r), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], NULL), WSHUB_ERR_PARAM);
    r.status = 199;
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    r.status = 600;
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    r.status = 200;
    r.headers_count = 1;
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    r.headers = &h;
    h.name = S("X Y");
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    h.name = nul();
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    h.name = S("X");
    for (i = 0; i < 3; i++) {
        h.value = S(bad_values[i]);
        EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
        r.content_type = bad_values[i];
        h.value = S("v");
        EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
        r.content_type = NULL;
    }
    h.value = wshub__str("\0", 1);
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    h.value = S("v");
    r.body.len = 1;
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    r.body.len = 0;
    r.content_type = "text/plain"; /* once is enough */
    h.name = S("content-type");
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_PARAM);
    h.name = S("X");
    w.fail_at = 1;
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_NOMEM); /* and stays open */
    w.fail_at = 0;
    r.content_type = NULL;
    r.status = 304;
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "304 Not Modified") && !strstr(wshub_io_fake_output(w.net, c).ptr, "Content-Length") && strstr(wshub_io_fake_output(w.net, c).ptr, "\r\nX: v\r\n"));
    EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_ERR_STALE);
    /* an answer while the hub shuts down is the last on its stream */
    d = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, d, GET, sizeof GET - 1);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_run(w.net);
    r.status = 200;
    EXPECT_INT(wshub_http_reply(w.hub, requests[1], &r), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, d));
    world_stop(&w);
}

TEST(a_page_may_ask_for_an_upgrade_and_go_on) { /* RFC 9110 15.5.22: 426 names Upgrade, also in Connection; the stream stays */
    world w;
    wshub_conn c;
    wshub_reply r;
    wshub_header h = {{"X", 1}, {"v", 1}};
    int close;
    for (close = 0; close < 2; close++) {
        wshub_str out;
        world_start(&w, DESC(.on_request = keep_request), FAKE(0));
        requests_count = 0;
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, GET, sizeof GET - 1);
        memset(&r, 0, sizeof r);
        r.status = 426;
        r.close = close != 0;
        r.content_type = "text/plain";
        r.headers = &h;
        r.headers_count = 1;
        EXPECT_INT(wshub_http_reply(w.hub, requests[0], &r), WSHUB_OK);
        wshub_io_fake_run(w.net);
        out = wshub_io_fake_output(w.net, c);
        EXPECT(strstr(out.ptr, close ? "\r\nConnection: Upgrade, close\r\n" : "\r\nConnection: Upgrade\r\n") && strstr(out.ptr, "\r\nUpgrade: websocket\r\n"));
        EXPECT(wshub_io_fake_is_open(w.net, c) == !close);
        world_stop(&w);
    }
}

static wshub_upgrade decide;
static void on_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    up->protocol = decide.protocol;
    up->refuse = decide.refuse;
    if (decide.user_ptr) wshub_destroy(hub);
}
#define UP "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://any\r\n"
TEST(upgrades_as_the_application_decides) {
    static const struct { int refuse, protocol; const char *status; } t[] = {{0, 0, " 101 "}, {0, -1, " 101 "}, {0, 2, " 101 "}, {0, 99, " 101 "}, {403, 0, " 403 "}, {429, 0, " 429 "}, {399, 0, " 403 "}, {600, 0, " 403 "}, {-1, 0, " 403 "}, {599, 0, " 599 "}};
    size_t i;
    world w;
    wshub_conn c;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world_start(&w, DESC(.on_upgrade = on_upgrade), FAKE(0));
        decide.refuse = t[i].refuse;
        decide.protocol = t[i].protocol;
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, UP "Sec-WebSocket-Protocol: a, b\r\n\r\n", sizeof UP "Sec-WebSocket-Protocol: a, b\r\n\r\n" - 1);
        EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, t[i].status));
        EXPECT(!strstr(wshub_io_fake_output(w.net, c).ptr, "Protocol: ") == (i != 0));
        world_stop(&w);
    }
    world_start(&w, DESC(.on_upgrade = on_upgrade), FAKE(0));
    decide.user_ptr = &w;
    c = wshub_io_fake_open(w.net);
    w.hub = NULL; /* it ends in the callback */
    wshub_io_fake_input(w.net, c, UP "\r\n", sizeof UP + 1);
    decide.user_ptr = NULL;
    world_stop(&w);
}

static bool destroy_on_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    (void)r;
    (void)h;
    (void)user;
    wshub_destroy(hub);
    return false;
}
TEST(a_request_may_end_the_hub) {
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_request = destroy_on_request), FAKE(0));
    c = wshub_io_fake_open(w.net);
    w.hub = NULL;
    wshub_io_fake_input(w.net, c, GET GET, 2 * (sizeof GET - 1));
    world_stop(&w);
}

/* ---- a long life ---- */

TEST(numbers_that_come_round) {
    world w;
    wshub__slot *slot;
    char id[37];
    wshub_client c;
    wshub_conn conn;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    conn = world_client(&w, "u", id);
    c = world_handle(&w, id);
    slot = (wshub__slot *)wshub__pool_at(&w.hub->clients, (uint32_t)c.id);
    slot->generation = UINT32_MAX; /* this slot has been used four billion times: it is used no more */
    c = world_handle(&w, id);
    EXPECT_INT(c.id >> 32, UINT32_MAX);
    wshub_io_fake_end(w.net, conn);
    EXPECT_INT(wshub_client_state(w.hub, c), WSHUB_CLIENT_DISCONNECTED);
    conn = world_client(&w, "u", id);
    EXPECT((uint32_t)world_handle(&w, id).id != (uint32_t)c.id);
    EXPECT_INT(wshub_client_state(w.hub, c), WSHUB_CLIENT_DISCONNECTED);
    world_stop(&w);
}
