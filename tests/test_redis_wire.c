/* The Redis bus before it connects: reading RESP at every cut, URLs, descriptions (REDIS.md). */
#include "hubtest.h"
#include "wshub_bus_redis.h"

static const struct {
    const char *text;
    int want;
    char kind;
    int64_t number;
    const char *value;
    size_t items;
    /* clang-format off */
} replies[] = {
    {"+OK\r\n", 1, '+', 0, "OK", 0},
    {"-ERR no\r\n", 1, '-', 0, "ERR no", 0},
    {":0\r\n", 1, ':', 0, NULL, 0},
    {":-12\r\n", 1, ':', -12, NULL, 0},
    {":123456789012345678\r\n", 1, ':', 123456789012345678, NULL, 0},
    {":9223372036854775807\r\n", 1, ':', INT64_MAX, NULL, 0},
    {":-9223372036854775808\r\n", 1, ':', INT64_MIN, NULL, 0},
    {"$0\r\n\r\n", 1, '$', 0, "", 0},
    {"$5\r\na\r\nb\n\r\n", 1, '$', 0, "a\r\nb\n", 0},
    {"$-1\r\n", 1, '_', 0, NULL, 0},
    {"*-1\r\n", 1, '_', 0, NULL, 0},
    {"_\r\n", 1, '_', 0, NULL, 0},
    {"*0\r\n", 1, '*', 0, NULL, 0},
    {"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n", 1, '*', 3, NULL, 3},
    {">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", 1, '>', 2, NULL, 2},
    {"*2\r\n*2\r\n:1\r\n:2\r\n*0\r\n", 1, '*', 2, NULL, 2},
    {"%1\r\n+a\r\n:1\r\n", 1, '%', 2, NULL, 2},
    {"~2\r\n:1\r\n:2\r\n", 1, '~', 2, NULL, 2},
    {"|1\r\n+ttl\r\n:3\r\n+OK\r\n", 1, '+', 0, "OK", 0},
    {"|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n*1\r\n:5\r\n", 1, '*', 1, NULL, 1},
    {"*2\r\n|1\r\n+a\r\n:1\r\n:7\r\n:8\r\n", 1, '*', 2, NULL, 2},
    {",3.14\r\n", 1, ',', 0, "3.14", 0},
    {"#t\r\n", 1, '#', 0, "t", 0},
    {"(3492890328409238509324850943850943825024385\r\n", 1, '(', 0,
     "3492890328409238509324850943850943825024385", 0},
    {"!3\r\nERR\r\n", 1, '!', 0, "ERR", 0},
    {"=7\r\ntxt:abc\r\n", 1, '=', 0, "txt:abc", 0},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n", 1, '*', 1, NULL, 1},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", 1, '*', 1, NULL, 1},
    /* what is not RESP, and what is too much of it */
    {"x\r\n", -1, 0, 0, NULL, 0},
    {"\r\n", -1, 0, 0, NULL, 0},
    {"+OK\n", -1, 0, 0, NULL, 0},
    {"\n", -1, 0, 0, NULL, 0},
    {":\r\n", -1, 0, 0, NULL, 0},
    {":1a\r\n", -1, 0, 0, NULL, 0},
    {":--1\r\n", -1, 0, 0, NULL, 0},
    {":-\r\n", -1, 0, 0, NULL, 0},
    {":9223372036854775808\r\n", -1, 0, 0, NULL, 0},
    {":-9223372036854775809\r\n", -1, 0, 0, NULL, 0},
    {":12345678901234567890\r\n", -1, 0, 0, NULL, 0},
    {"$-2\r\n", -1, 0, 0, NULL, 0},
    {"*-2\r\n", -1, 0, 0, NULL, 0},
    {"$?\r\n;0\r\n", -1, 0, 0, NULL, 0},
    {"$3\r\nabcd\r\n", -1, 0, 0, NULL, 0},
    {"$3\r\nabc\rx", -1, 0, 0, NULL, 0},
    {"*4097\r\n", -1, 0, 0, NULL, 0},
    {"*2\r\n*4000\r\n", 0, 0, 0, NULL, 0},
    {"*4000\r\n*4000\r\n", -1, 0, 0, NULL, 0},
    {"%2049\r\n", -1, 0, 0, NULL, 0},
    {"*999999999999999999\r\n", -1, 0, 0, NULL, 0},
    {"*18446744073709551615\r\n", -1, 0, 0, NULL, 0},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", -1, 0, 0, NULL, 0},
    {"$1001\r\n", -2, 0, 0, NULL, 0},
    {"*2\r\n:1\r\n$1001\r\nab", -2, 0, 0, NULL, 0},
    {"$999999999999999999\r\n", -2, 0, 0, NULL, 0},
    {"!1001\r\n", -2, 0, 0, NULL, 0},
    {"*4095\r\n*0\r\n*1\r\n", -1, 0, 0, NULL, 0},
    {"|4000\r\n", -1, 0, 0, NULL, 0},
};
/* clang-format on */

TEST(resp_reads_what_it_should_at_every_cut_and_refuses_the_rest) {
    size_t i, n, cut;
    for (i = 0; i < sizeof replies / sizeof *replies; i++) {
        wshub_resp r;
        n = strlen(replies[i].text);
        for (cut = 0; cut <= n; cut++) {
            /* a reader beyond its end is caught */
            uint8_t *exact = (uint8_t *)malloc(cut ? cut : 1);
            int got;
            memcpy(exact, replies[i].text, cut);
            got = wshub_resp_read(exact, cut, 1000, &r);
            if (cut == n) {
                if (got != replies[i].want) (void)printf("  reply %zu: %d\n", i, got);
                EXPECT_INT(got, replies[i].want);
                if (got == 1) {
                    EXPECT_INT(r.bytes, n);
                    EXPECT_INT(r.value.kind, replies[i].kind);
                    EXPECT_INT(r.value.number, replies[i].number);
                    EXPECT_INT(r.items_count, replies[i].items);
                    if (replies[i].value) EXPECT(wshub_str_eq_z(r.value.text, replies[i].value));
                }
            } else if (replies[i].want == 1) {
                EXPECT_INT(got, 0);
            } else {
                EXPECT(got == 0 || got == replies[i].want);
            }
            free(exact);
        }
    }
    {
        uint8_t *line = (uint8_t *)malloc(WSHUB_RESP_LINE_MAX);
        wshub_resp r;
        memset(line, 'a', WSHUB_RESP_LINE_MAX);
        line[0] = '+';
        EXPECT_INT(wshub_resp_read(line, WSHUB_RESP_LINE_MAX - 1, 1000, &r), 0);
        EXPECT_INT(wshub_resp_read(line, WSHUB_RESP_LINE_MAX, 1000, &r), -1);
        free(line);
    }
    /* what is said again and again before the reply begins, or within it: an end comes,
     * whatever it is */
    {
        static const char *const endless[] = {
            "|0\r\n", "|1\r\n+a\r\n+b\r\n",   "|1\r\n$1\r\na\r\n*0\r\n",
            "*1\r\n", "$1000\r\n%01000d\r\n", "+%01000d\r\n"};
        static char text[1 << 20];
        wshub_resp r;
        int got = 0;
        for (i = 0; i < 6; i++) {
            n = i >= 4 ? (size_t)snprintf(text, sizeof text, "*4096\r\n") : 0;
            for (got = 0; got == 0 && n + 1100 < sizeof text;) {
                /* NOLINT: a table's own forms */
                n += (size_t)snprintf(text + n, sizeof text - n, endless[i], 7);
                got = wshub_resp_read((const uint8_t *)text, n, 1000, &r);
            }
            EXPECT_INT(got, -1);
            EXPECT_OP(n, <=, 1000 + WSHUB_RESP_LINE_MAX + 1100);
            /* before it has come */
            if (i == 4) EXPECT_INT(wshub_resp_read((const uint8_t *)text, n - 1000, 1000, &r), -1);
        }
    }
    /* many elements: no more than there is room for are noted, and only so many are taken at
     * all */
    {
        static char text[16 + 4 * (WSHUB_RESP_ELEMENTS_MAX + 1)];
        size_t most[] = {WSHUB_RESP_ITEMS, WSHUB_RESP_ITEMS + 1, WSHUB_RESP_ELEMENTS_MAX,
                         WSHUB_RESP_ELEMENTS_MAX + 1};
        for (i = 0; i < 4; i++) {
            wshub_resp *r = (wshub_resp *)malloc(sizeof *r);
            n = (size_t)snprintf(text, sizeof text, "*%zu\r\n", most[i]);
            for (cut = 0; cut < most[i]; cut++, n += 4) memcpy(text + n, ":7\r\n", 4);
            EXPECT_INT(wshub_resp_read((const uint8_t *)text, n, 1000, r), i == 3 ? -1 : 1);
            if (i < 3) {
                EXPECT_INT(r->bytes, n);
                EXPECT_INT(r->items_count, WSHUB_RESP_ITEMS);
                EXPECT_INT(r->items[WSHUB_RESP_ITEMS - 1].number, 7);
            }
            free(r);
        }
    }
}

TEST(urls_are_taken_apart_or_refused_with_a_reason) {
    static const struct {
        const char *url, *address, *last, *user, *password, *db;
        uint32_t count;
        /* clang-format off */
    } good[] = {
        {"redis://h", "h:6379", NULL, "", "", "", 1},
        {"redis://h:1/", "h:1", NULL, "", "", "", 1},
        {"redis://", "127.0.0.1:6379", NULL, "", "", "", 1},
        {"redis://:7", "127.0.0.1:7", NULL, "", "", "", 1},
        {"redis://u:p@h:65535/15", "h:65535", NULL, "u", "p", "15", 1},
        {"redis://:p%40%3a%2F@h", "h:6379", NULL, "", "p@:/", "", 1},
        {"redis://:p:q@h", "h:6379", NULL, "", "p:q", "", 1},
        {"redis://[::1]:6380/2", "[::1]:6380", NULL, "", "", "2", 1},
        {"redis://[::1]", "[::1]:6379", NULL, "", "", "", 1},
        {"valkey://h", "h:6379", NULL, "", "", "", 1},
        {"REDIS://h", "h:6379", NULL, "", "", "", 1},
        {"Valkey://u:p@h/3", "h:6379", NULL, "u", "p", "3", 1},
        {"redis://h?db=4", "h:6379", NULL, "", "", "4", 1},
        {"redis://h/?db=4", "h:6379", NULL, "", "", "4", 1},
        {"redis://h/4?", "h:6379", NULL, "", "", "4", 1},
        {"redis://:@h", "h:6379", NULL, "", "", "", 1},
        {"redis://@h", "h:6379", NULL, "", "", "", 1},
        {"redis://:a?b&c=d@h", "h:6379", NULL, "", "a?b&c=d", "", 1},
        {"redis://[fe80::1%eth0]:1", "[fe80::1%eth0]:1", NULL, "", "", "", 1},
        {"redis://%41%2fb:%c3%a9@h", "h:6379", NULL, "A/b", "\xC3\xA9", "", 1},
        {"redis://h_1.x-y.:1,10.0.0.1", "h_1.x-y.:1", "10.0.0.1:6379", "", "", "", 2},
        {"unix:///run/a%20b%2f@c", "/run/a b/@c", NULL, "", "", "", 1},
        {"redis://a,b:2,[::3]:3/1", "a:6379", "[::3]:3", "", "", "1", 3},
        {"unix:///run/redis.sock", "/run/redis.sock", NULL, "", "", "", 1},
        {"unix://u:p@/run/r.sock?db=3", "/run/r.sock", NULL, "u", "p", "3", 1},
        {"redis://u:a@b@h", "h:6379", NULL, "u", "a@b", "", 1},
    };
    /* clang-format on */
    static const char *const bad[] = {"",
                                      "redis://h:0006379",
                                      "redis://.:1",
                                      "redis://./x",
                                      "unix:///"
                                      "123456789012345678901234567890123456789012345678901234567890"
                                      "123456789012345678901234567890123456789012345678",
                                      "http://h",
                                      "redis:/h",
                                      "redis:h",
                                      "rediss://h",
                                      "redis://h:0",
                                      "redis://h:65536",
                                      "redis://h:x",
                                      "redis://h:",
                                      "redis://h/x",
                                      "redis://h/-1",
                                      "redis://u@h",
                                      "redis://:%4@h",
                                      "redis://:%zz@h",
                                      "redis://[::1",
                                      "unix://run/x",
                                      "unix:///x?foo=1",
                                      "unix:///x?db=a",
                                      "redis://h,",
                                      "redis://,h",
                                      "redis://a,,b",
                                      "redis://,",
                                      "redis://u:p@h,/1",
                                      "redis://:b%00c@h",
                                      "redis://b%00:c@h",
                                      "unix:///x%00",
                                      "unix:///x%0",
                                      "valkeys://h",
                                      "redis://[]",
                                      "redis://[x",
                                      "redis://[::1]x",
                                      "redis://[::1]1",
                                      "redis://[h]",
                                      "redis://::1",
                                      "redis://::1:6379",
                                      "redis://a b",
                                      "redis://h\n",
                                      "redis://h#1",
                                      "redis://h/0#x",
                                      "redis://h?ssl=1",
                                      "redis://h/0?timeout=1",
                                      "redis://h/1?db=2",
                                      "redis://h?db=1&db=2",
                                      "redis://h%41",
                                      "redis://h:6379:1",
                                      "redis://:a/b@h",
                                      "redis://h/0/1",
                                      "redis://u:@h",
                                      "redis+tls://h",
                                      "redis-sentinel://h",
                                      "//h",
                                      "h:6379",
                                      "redis://h:+1",
                                      "redis://h: 1",
                                      "redis://a;b",
                                      "redis://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
                                      "redis://h/1234567890"};
    wshub_io_fake *net;
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        wshub_bus_redis_desc d = {.io = wshub_io_fake_io(net), .url = good[i].url};
        wshub_bus_redis *r;
        EXPECT(wshub_bus_redis_desc_problem(&d) == NULL);
        EXPECT_INT(wshub_bus_redis_create(&d, &r), WSHUB_OK);
        EXPECT_INT(r->addresses_count, good[i].count);
        EXPECT_STR(r->addresses[0], good[i].address);
        EXPECT(!good[i].last || strcmp(r->addresses[good[i].count - 1], good[i].last) == 0);
        EXPECT(strcmp(r->user, good[i].user) == 0 && strcmp(r->password, good[i].password) == 0 &&
               strcmp(r->db, good[i].db) == 0);
        wshub_bus_redis_destroy(r);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        wshub_bus_redis_desc d = {.io = wshub_io_fake_io(net), .url = bad[i]};
        wshub_bus_redis *r = NULL;
        const char *why = wshub_bus_redis_desc_problem(&d);
        if (!why) (void)printf("  taken: %s\n", bad[i]);
        EXPECT(why && strncmp(why, "url: ", 5) == 0);
        EXPECT_INT(wshub_bus_redis_create(&d, &r), WSHUB_ERR_PARAM);
        EXPECT(!r);
    }
    {
        wshub_bus_redis_desc d = {.io = wshub_io_fake_io(net), .url = "rediss://h", .tls = true};
        EXPECT(!wshub_bus_redis_desc_problem(&d));
        d.url = "redis://h";
        EXPECT(wshub_bus_redis_desc_problem(&d) != NULL);
        d.url = "valkeys://h";
        EXPECT(!wshub_bus_redis_desc_problem(&d));
        d.tls = false;
        EXPECT_HAS(wshub_bus_redis_desc_problem(&d), "rediss:// needs an io that encrypts");
        d.url = "redis://h";
        d.retry_min_ms = 6000;
        EXPECT_HAS(wshub_bus_redis_desc_problem(&d), "retry_min_ms");
        EXPECT(wshub_bus_redis_desc_problem(NULL) != NULL);
    }
    wshub_io_fake_destroy(net);
}

TEST(descriptions_that_are_refused) {
    static char long_text[5000];
    wshub_io_fake *net;
    wshub_io io;
    wshub_bus_redis *r = NULL;
    wshub_bus_redis_driver driver;
    wshub_bus_redis_desc ok, d;
    world w;
    int i;
    memset(&driver, 0, sizeof driver);
    memset(long_text, 'x', sizeof long_text - 1);
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    io = *wshub_io_fake_io(net);
    memset(&ok, 0, sizeof ok);
    ok.io = &io;
    ok.url = "redis://h";
    EXPECT(!wshub_bus_redis_desc_problem(&ok));
#define REFUSED(part, change)                                                                      \
    do {                                                                                           \
        d = ok;                                                                                    \
        io = *wshub_io_fake_io(net);                                                               \
        change;                                                                                    \
        EXPECT(wshub_bus_redis_desc_problem(&d) &&                                                 \
               strstr(wshub_bus_redis_desc_problem(&d), part));                                    \
        EXPECT_INT(wshub_bus_redis_create(&d, &r), WSHUB_ERR_PARAM);                               \
        EXPECT(!r);                                                                                \
    } while (0)
    REFUSED("io:", d.io = NULL);
    REFUSED("io:", io.version++);
    REFUSED("io:", io.guest = NULL);
    REFUSED("io:", io.connect = NULL);
    REFUSED("io:", io.random = NULL);
    REFUSED("url:", d.url = NULL);
    REFUSED("url:", d.url = long_text);
    REFUSED("channel_prefix", d.channel_prefix = long_text);
    REFUSED("client_name", d.client_name = long_text);
    REFUSED("client_name", d.client_name = "a b");
    REFUSED("client_name", d.client_name = "a\n");
    REFUSED("sentinel", d.sentinel = "");
    REFUSED("sentinel", d.sentinel = long_text);
    REFUSED("sentinel", d.sentinel_password = "p");
    REFUSED("sentinel", d.sentinel_user = "u");
    REFUSED("sentinel", (d.sentinel = "m", d.sentinel_user = "u"));
    REFUSED("retry_min_ms", (d.retry_min_ms = 2, d.retry_max_ms = 1));
    REFUSED("heartbeat_timeout_ms", (d.heartbeat_ms = 1000, d.heartbeat_timeout_ms = 1000));
    REFUSED("message_bytes_max", d.message_bytes_max = 1023);
    REFUSED("message_bytes_max", d.message_bytes_max = (1u << 30) + 1);
    REFUSED("output_bytes_max", d.output_bytes_max = 1023);
    REFUSED("output_bytes_max", d.output_bytes_max = (1u << 30) + 1);
    REFUSED("requests_max", d.requests_max = WSHUB_BUS_REDIS_REQUESTS_MAX + 1);
    driver.version = WSHUB_BUS_REDIS_DRIVER_VERSION + 1;
    REFUSED("driver", d.driver = &driver);
    driver.version = WSHUB_BUS_REDIS_DRIVER_VERSION;
    /* a driver brings connections, and no clock or chance */
    REFUSED("io:", (d.driver = &driver, io.random = NULL));
    REFUSED("tls: the driver", (d.driver = &driver, d.tls = true, d.url = "rediss://h"));
    driver.encrypts = true;
    EXPECT(!wshub_bus_redis_desc_problem(&d));
    d = ok; /* of another header: nothing in it is read */
    d.io = NULL;
    EXPECT_HAS(
        wshub_bus_redis_desc_problem_versioned(&d, sizeof d, WSHUB_BUS_REDIS_DESC_VERSION + 1),
        "compiled with another");
    EXPECT_HAS(
        wshub_bus_redis_desc_problem_versioned(&d, sizeof d - 8, WSHUB_BUS_REDIS_DESC_VERSION),
        "compiled with another");
    EXPECT_INT(
        wshub_bus_redis_create_versioned(&ok, sizeof d + 8, WSHUB_BUS_REDIS_DESC_VERSION, &r),
        WSHUB_ERR_PARAM);
    EXPECT(!r);
    REFUSED("", d.url = "redis://h:65536");
    REFUSED("", d.url = "redis://h:99999999999999999999");
    REFUSED("", d.url = "redis://h:12x");
    REFUSED("", d.url = "redis://u%4:p@h");
    REFUSED("", d.url = "redis://u%4g:p@h");
    REFUSED("", d.url = "redis://u%g4:p@h");
    io = *wshub_io_fake_io(net);
    EXPECT_INT(wshub_bus_redis_create(&ok, NULL), WSHUB_ERR_PARAM);
    wshub_io_fake_set_random(net, true);
    EXPECT_INT(wshub_bus_redis_create(&ok, &r), WSHUB_ERR_RANDOM);
    wshub_io_fake_set_random(net, false);
    memset(&w, 0, sizeof w);
    ok.alloc = world_alloc;
    ok.alloc_user = &w;
    for (i = 1; i < 3; i++) { /* NOMEM, and nothing is held */
        w.fail_at = i;
        EXPECT_INT(wshub_bus_redis_create(&ok, &r), WSHUB_ERR_NOMEM);
        EXPECT_INT(w.bytes, 0);
    }
    w.fail_at = 0;
    ok.sentinel = "m";
    ok.sentinel_user = "su";
    ok.sentinel_password = "sp";
    ok.client_name = "n";
    ok.connect_timeout_ms = 1;
    ok.retry_min_ms = 1;
    ok.retry_max_ms = 2;
    ok.heartbeat_ms = 1;
    ok.heartbeat_timeout_ms = 2;
    EXPECT_INT(wshub_bus_redis_create(&ok, &r), WSHUB_OK);
    wshub_bus_redis_destroy(r);
    wshub_bus_redis_destroy(NULL);
    EXPECT_INT(w.bytes, 0);
    wshub_io_fake_destroy(net);
}

/* BUS-5: the queue keeps for longer than the longest pause and the attempt behind it */
TEST(the_defaults_agree_with_each_other) {
    wshub_desc d;
    wshub_bus_redis_desc rd;
    memset(&d, 0, sizeof d);
    memset(&rd, 0, sizeof rd);
    wshub__desc_defaults(&d);
    wshub_bus_redis__defaults(&rd);
    EXPECT_OP(d.bus_queue_ms_max, >, rd.retry_max_ms + rd.connect_timeout_ms);
    EXPECT_OP(rd.heartbeat_timeout_ms, >, rd.heartbeat_ms);
    EXPECT_OP(d.bus_burst_bytes_max, >=, d.bus_queue_bytes_max);
}
