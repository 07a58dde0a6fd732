/* The Redis bus on the fake io, against a broker in memory and a clock turned by hand: reading RESP, URLs,
 * connecting, everything a broker can do to hurt, and healing (BUS-1 to BUS-6; REDIS.md in its own words). */
#include "hubtest.h"
#include "wshub_bus_redis.h"
#include "broker.h"

/* ---- RESP ---- */

static const struct { const char *text; int want; char kind; int64_t number; const char *value; size_t items; } replies[] = {
    {"+OK\r\n", 1, '+', 0, "OK", 0}, {"-ERR no\r\n", 1, '-', 0, "ERR no", 0}, {":0\r\n", 1, ':', 0, NULL, 0}, {":-12\r\n", 1, ':', -12, NULL, 0},
    {":123456789012345678\r\n", 1, ':', 123456789012345678, NULL, 0}, {":9223372036854775807\r\n", 1, ':', INT64_MAX, NULL, 0}, {":-9223372036854775808\r\n", 1, ':', INT64_MIN, NULL, 0},
    {"$0\r\n\r\n", 1, '$', 0, "", 0}, {"$5\r\na\r\nb\n\r\n", 1, '$', 0, "a\r\nb\n", 0},
    {"$-1\r\n", 1, '_', 0, NULL, 0}, {"*-1\r\n", 1, '_', 0, NULL, 0}, {"_\r\n", 1, '_', 0, NULL, 0}, {"*0\r\n", 1, '*', 0, NULL, 0},
    {"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n", 1, '*', 3, NULL, 3}, {">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", 1, '>', 2, NULL, 2},
    {"*2\r\n*2\r\n:1\r\n:2\r\n*0\r\n", 1, '*', 2, NULL, 2}, {"%1\r\n+a\r\n:1\r\n", 1, '%', 2, NULL, 2}, {"~2\r\n:1\r\n:2\r\n", 1, '~', 2, NULL, 2},
    {"|1\r\n+ttl\r\n:3\r\n+OK\r\n", 1, '+', 0, "OK", 0}, {"|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n*1\r\n:5\r\n", 1, '*', 1, NULL, 1},
    {"*2\r\n|1\r\n+a\r\n:1\r\n:7\r\n:8\r\n", 1, '*', 2, NULL, 2}, {",3.14\r\n", 1, ',', 0, "3.14", 0}, {"#t\r\n", 1, '#', 0, "t", 0},
    {"(3492890328409238509324850943850943825024385\r\n", 1, '(', 0, "3492890328409238509324850943850943825024385", 0},
    {"!3\r\nERR\r\n", 1, '!', 0, "ERR", 0}, {"=7\r\ntxt:abc\r\n", 1, '=', 0, "txt:abc", 0},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n", 1, '*', 1, NULL, 1}, {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", 1, '*', 1, NULL, 1},
    /* what is not RESP, and what is too much of it */
    {"x\r\n", -1, 0, 0, NULL, 0}, {"\r\n", -1, 0, 0, NULL, 0}, {"+OK\n", -1, 0, 0, NULL, 0}, {"\n", -1, 0, 0, NULL, 0}, {":\r\n", -1, 0, 0, NULL, 0},
    {":1a\r\n", -1, 0, 0, NULL, 0}, {":--1\r\n", -1, 0, 0, NULL, 0}, {":-\r\n", -1, 0, 0, NULL, 0}, {":9223372036854775808\r\n", -1, 0, 0, NULL, 0}, {":-9223372036854775809\r\n", -1, 0, 0, NULL, 0},
    {":12345678901234567890\r\n", -1, 0, 0, NULL, 0}, {"$-2\r\n", -1, 0, 0, NULL, 0},
    {"*-2\r\n", -1, 0, 0, NULL, 0}, {"$?\r\n;0\r\n", -1, 0, 0, NULL, 0}, {"$3\r\nabcd\r\n", -1, 0, 0, NULL, 0}, {"$3\r\nabc\rx", -1, 0, 0, NULL, 0},
    {"*4097\r\n", -1, 0, 0, NULL, 0}, {"*2\r\n*4000\r\n", 0, 0, 0, NULL, 0}, {"*4000\r\n*4000\r\n", -1, 0, 0, NULL, 0}, {"%2049\r\n", -1, 0, 0, NULL, 0},
    {"*999999999999999999\r\n", -1, 0, 0, NULL, 0}, {"*18446744073709551615\r\n", -1, 0, 0, NULL, 0},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", -1, 0, 0, NULL, 0}, {"$1001\r\n", -2, 0, 0, NULL, 0}, {"*2\r\n:1\r\n$1001\r\nab", -2, 0, 0, NULL, 0},
    {"$999999999999999999\r\n", -2, 0, 0, NULL, 0}, {"!1001\r\n", -2, 0, 0, NULL, 0},
    {"*4095\r\n*0\r\n*1\r\n", -1, 0, 0, NULL, 0}, {"|4000\r\n", -1, 0, 0, NULL, 0},
};

TEST(resp_reads_what_it_should_at_every_cut_and_refuses_the_rest) {
    size_t i, n, cut;
    for (i = 0; i < sizeof replies / sizeof *replies; i++) {
        wshub_resp r;
        n = strlen(replies[i].text);
        for (cut = 0; cut <= n; cut++) {
            uint8_t *exact = (uint8_t *)malloc(cut ? cut : 1); /* a reader beyond its end is caught */
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
    { /* what is said again and again before the reply begins, or within it: an end comes, whatever it is */
        static const char *const endless[] = {"|0\r\n", "|1\r\n+a\r\n+b\r\n", "|1\r\n$1\r\na\r\n*0\r\n", "*1\r\n", "$1000\r\n%01000d\r\n"};
        static char text[1 << 20];
        wshub_resp r;
        int got = 0;
        for (i = 0; i < 5; i++) {
            n = i == 4 ? (size_t)snprintf(text, sizeof text, "*4096\r\n") : 0;
            for (got = 0; got == 0 && n + 1100 < sizeof text;) {
                n += (size_t)snprintf(text + n, sizeof text - n, endless[i], 7); /* NOLINT: a table's own forms */
                got = wshub_resp_read((const uint8_t *)text, n, 1000, &r);
            }
            EXPECT_INT(got, -1);
            EXPECT(n <= 1000 + WSHUB_RESP_LINE_MAX + 1100);
            if (i == 4) EXPECT_INT(wshub_resp_read((const uint8_t *)text, n - 1000, 1000, &r), -1); /* before it has come */
        }
    }
    { /* many elements: no more than there is room for are noted, and only so many are taken at all */
        static char text[16 + 4 * (WSHUB_RESP_ELEMENTS_MAX + 1)];
        size_t most[] = {WSHUB_RESP_ITEMS, WSHUB_RESP_ITEMS + 1, WSHUB_RESP_ELEMENTS_MAX, WSHUB_RESP_ELEMENTS_MAX + 1};
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

/* ---- URLs ---- */

TEST(urls_are_taken_apart_or_refused_with_a_reason) {
    static const struct { const char *url, *address, *last, *user, *password, *db; uint32_t count; } good[] = {
        {"redis://h", "h:6379", NULL, "", "", "", 1}, {"redis://h:1/", "h:1", NULL, "", "", "", 1}, {"redis://", "127.0.0.1:6379", NULL, "", "", "", 1},
        {"redis://:7", "127.0.0.1:7", NULL, "", "", "", 1}, {"redis://u:p@h:65535/15", "h:65535", NULL, "u", "p", "15", 1},
        {"redis://:p%40%3a%2F@h", "h:6379", NULL, "", "p@:/", "", 1}, {"redis://:p:q@h", "h:6379", NULL, "", "p:q", "", 1},
        {"redis://[::1]:6380/2", "[::1]:6380", NULL, "", "", "2", 1}, {"redis://[::1]", "[::1]:6379", NULL, "", "", "", 1},
        {"valkey://h", "h:6379", NULL, "", "", "", 1}, {"REDIS://h", "h:6379", NULL, "", "", "", 1}, {"Valkey://u:p@h/3", "h:6379", NULL, "u", "p", "3", 1},
        {"redis://h?db=4", "h:6379", NULL, "", "", "4", 1}, {"redis://h/?db=4", "h:6379", NULL, "", "", "4", 1}, {"redis://h/4?", "h:6379", NULL, "", "", "4", 1},
        {"redis://:@h", "h:6379", NULL, "", "", "", 1}, {"redis://@h", "h:6379", NULL, "", "", "", 1}, {"redis://:a?b&c=d@h", "h:6379", NULL, "", "a?b&c=d", "", 1},
        {"redis://[fe80::1%eth0]:1", "[fe80::1%eth0]:1", NULL, "", "", "", 1}, {"redis://%41%2fb:%c3%a9@h", "h:6379", NULL, "A/b", "\xC3\xA9", "", 1},
        {"redis://h_1.x-y.:1,10.0.0.1", "h_1.x-y.:1", "10.0.0.1:6379", "", "", "", 2}, {"unix:///run/a%20b%2f@c", "/run/a b/@c", NULL, "", "", "", 1},
        {"redis://a,b:2,[::3]:3/1", "a:6379", "[::3]:3", "", "", "1", 3}, {"unix:///run/redis.sock", "/run/redis.sock", NULL, "", "", "", 1},
        {"unix://u:p@/run/r.sock?db=3", "/run/r.sock", NULL, "u", "p", "3", 1}, {"redis://u:a@b@h", "h:6379", NULL, "u", "a@b", "", 1},
    };
    static const char *const bad[] = {"", "redis://h:0006379", "redis://.:1", "redis://./x",
                                      "unix:///123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678",
                                      "http://h", "redis:/h", "redis:h", "rediss://h", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h:",
                                      "redis://h/x", "redis://h/-1", "redis://u@h", "redis://:%4@h", "redis://:%zz@h", "redis://[::1", "unix://run/x",
                                      "unix:///x?foo=1", "unix:///x?db=a", "redis://h,", "redis://,h", "redis://a,,b", "redis://,", "redis://u:p@h,/1", "redis://:b%00c@h", "redis://b%00:c@h", "unix:///x%00",
                                      "unix:///x%0", "valkeys://h", "redis://[]", "redis://[x", "redis://[::1]x", "redis://[::1]1", "redis://[h]", "redis://::1", "redis://::1:6379", "redis://a b", "redis://h\n",
                                      "redis://h#1", "redis://h/0#x", "redis://h?ssl=1", "redis://h/0?timeout=1", "redis://h/1?db=2", "redis://h?db=1&db=2", "redis://h%41", "redis://h:6379:1", "redis://:a/b@h",
                                      "redis://h/0/1", "redis://u:@h", "redis+tls://h", "redis-sentinel://h", "//h", "h:6379", "redis://h:+1", "redis://h: 1", "redis://a;b", "redis://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "redis://h/1234567890"};
    wshub_io_fake *net;
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        wshub_bus_redis_desc d = {.io = wshub_io_fake_io(net), .url = good[i].url};
        wshub_bus_redis *r;
        EXPECT(wshub_bus_redis_desc_problem(&d) == NULL);
        EXPECT_INT(wshub_bus_redis_create(&d, &r), WSHUB_OK);
        EXPECT_INT(r->addresses_count, good[i].count);
        EXPECT(strcmp(r->addresses[0], good[i].address) == 0);
        EXPECT(!good[i].last || strcmp(r->addresses[good[i].count - 1], good[i].last) == 0);
        EXPECT(strcmp(r->user, good[i].user) == 0 && strcmp(r->password, good[i].password) == 0 && strcmp(r->db, good[i].db) == 0);
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
        EXPECT(strstr(wshub_bus_redis_desc_problem(&d), "rediss:// needs an io that encrypts"));
        d.url = "redis://h";
        d.retry_min_ms = 6000;
        EXPECT(strstr(wshub_bus_redis_desc_problem(&d), "retry_min_ms"));
        EXPECT(wshub_bus_redis_desc_problem(NULL) != NULL);
    }
    wshub_io_fake_destroy(net);
}

/* ---- a hub, the bus, the broker ---- */

typedef struct site {
    world w;
    wshub_bus_redis *redis;
    broker *b;
    char said[8192];
    size_t said_len;
} site;

static void site_log(const char *line, void *user) {
    site *s = (site *)user;
    s->said_len += (size_t)snprintf(s->said + s->said_len, sizeof s->said - s->said_len, "%s\n", line);
    if (s->said_len > sizeof s->said - 300) s->said_len = 0;
}
static void site_bus(wshub *hub, wshub_bus_state st, uint64_t ms, void *user) {
    char text[40];
    (void)hub;
    (void)snprintf(text, sizeof text, st == WSHUB_BUS_UP ? "up(%llu) " : "down ", (unsigned long long)ms);
    world_note((world *)user, text);
}

static void site_run(site *s) {
    int i;
    for (i = 0; i < 100 && broker_step(s->b, s->w.net); i++) wshub_io_fake_run(s->w.net);
    EXPECT(i < 100);
}
static void site_run_all(site *s, size_t count) {
    size_t k;
    int i;
    for (i = 0; i < 4; i++) {
        for (k = 0; k < count; k++) site_run(&s[k]);
    }
}
/* Time passes in small steps, the broker awake beside it. */
static void site_advance(site *s, uint64_t ms) {
    uint64_t step = ms > 5200 ? 4 : 1;
    for (; ms; ms -= ms < step ? ms : step) {
        wshub_io_fake_advance(s->w.net, ms < step ? ms : step);
        site_run(s);
    }
}

static void site_start(site *s, broker *b, wshub_bus_redis_desc rd, wshub_desc d, wshub_io_fake_desc fd) {
    world *w = &s->w;
    memset(s, 0, sizeof *s);
    s->b = b;
    fd.on_step = world_step;
    fd.user = w;
    if (!fd.seed) fd.seed = 77;
    EXPECT_INT(wshub_io_fake_create(&fd, &w->net), WSHUB_OK);
    rd.io = wshub_io_fake_io(w->net);
    if (!rd.url) rd.url = "redis://broker";
    rd.alloc = world_alloc;
    rd.alloc_user = w;
    rd.on_log = site_log;
    rd.user = s;
    EXPECT(!wshub_bus_redis_desc_problem(&rd));
    EXPECT_INT(wshub_bus_redis_create(&rd, &s->redis), WSHUB_OK);
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(s->redis);
    d.alloc = world_alloc;
    d.alloc_user = w;
    d.user = w;
    d.on_bus = site_bus;
    if (!d.on_authenticate) d.on_authenticate = accept_all;
    EXPECT_INT(wshub_create(&d, &w->hub), WSHUB_OK);
    wshub_io_fake_run(w->net);
    site_run(s);
}
static void site_stop(site *s) {
    wshub *hub = s->w.hub;
    s->w.hub = NULL;
    wshub_destroy(hub);
    wshub_bus_redis_destroy(s->redis);
    broker_drop_all(s->b);
    wshub_io_fake_destroy(s->w.net);
    EXPECT_INT(s->w.bytes, 0);
}
static void site_send(site *s, const char *room, const char *data) {
    wshub_msg m = msg("m", data);
    wshub_dest d;
    memset(&d, 0, sizeof d);
    d.kind = *room ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    d.name = wshub_str_z(room);
    EXPECT_INT(wshub_send(s->w.hub, &d, &m), WSHUB_OK);
    wshub_io_fake_run(s->w.net);
}
static wshub_bus_redis_stats rstats(const site *s) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(s->redis, &st);
    return st;
}
#define NOTES(s, want)                                                                              \
    do {                                                                                            \
        if (strcmp((s)->w.log, want) != 0) {                                                        \
            test_failures++;                                                                        \
            (void)printf("  %s:%d: noted %s\n    expected %s\n", __FILE__, __LINE__, (s)->w.log, want); \
        }                                                                                           \
        (s)->w.log_len = 0;                                                                         \
        (s)->w.log[0] = 0;                                                                          \
    } while (0)
#define BUSDESC(...) ((wshub_bus_redis_desc){__VA_ARGS__})

static broker the_broker;
static broker *fresh(void) {
    memset(&the_broker, 0, sizeof the_broker);
    the_broker.role = "master";
    return &the_broker;
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
#define REFUSED(part, change)                                              \
    do {                                                                   \
        d = ok;                                                            \
        io = *wshub_io_fake_io(net);                                       \
        change;                                                            \
        EXPECT(wshub_bus_redis_desc_problem(&d) && strstr(wshub_bus_redis_desc_problem(&d), part)); \
        EXPECT_INT(wshub_bus_redis_create(&d, &r), WSHUB_ERR_PARAM);       \
        EXPECT(!r);                                                        \
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
    REFUSED("io:", (d.driver = &driver, io.random = NULL)); /* a driver brings connections, and no clock or chance */
    d = ok; /* of another header: nothing in it is read */
    d.io = NULL;
    EXPECT(strstr(wshub_bus_redis_desc_problem_versioned(&d, sizeof d, WSHUB_BUS_REDIS_DESC_VERSION + 1), "compiled with another"));
    EXPECT(strstr(wshub_bus_redis_desc_problem_versioned(&d, sizeof d - 8, WSHUB_BUS_REDIS_DESC_VERSION), "compiled with another"));
    EXPECT_INT(wshub_bus_redis_create_versioned(&ok, sizeof d + 8, WSHUB_BUS_REDIS_DESC_VERSION, &r), WSHUB_ERR_PARAM);
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

TEST(two_hubs_over_a_broker_in_every_way_of_sending_and_receiving) { /* BUS-1, BUS-2, BUS-3 */
    static site s[2];
    static const wshub_io_fake_desc ways[] = {{0}, {.cut_bytes = 1}, {.take_bytes = 7}, {.completion = true}, {.completion = true, .take_bytes = 5}};
    int way, resp3;
    for (way = 0; way < 5; way++) {
        for (resp3 = 0; resp3 < 4; resp3++) {
            broker *b = fresh();
            wshub_conn a, c;
            b->no_hello = resp3 == 2;
            b->password = resp3 == 3 ? "p@ss" : NULL;
            site_start(&s[0], b, BUSDESC(.resp3 = resp3 > 0, .url = resp3 == 3 ? "redis://u:p%40ss@broker/2" : NULL), DESC(.server_id = "A"), ways[way]);
            site_start(&s[1], b, BUSDESC(.resp3 = resp3 > 0, .url = resp3 == 3 ? "redis://:p%40ss@broker" : NULL), DESC(.server_id = "B"), ways[way]);
            site_advance(&s[0], 200);
            site_advance(&s[1], 200);
            EXPECT_INT(rstats(&s[0]).state, WSHUB_BUS_UP);
            EXPECT_INT(rstats(&s[1]).subscribed, 4);
            a = world_client(&s[0].w, "a", NULL);
            c = world_client(&s[1].w, "c", NULL);
            site_send(&s[0], "", "1");
            site_send(&s[0], "ws-default", "\"\xC3\xA9 \\u0000 \\r\\n\"");
            site_send(&s[0], "ws-default", "3");
            site_run_all(s, 2);
            EXPECT_TEXT(&s[0].w, a, "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":\"\xC3\xA9 \\u0000 \\r\\n\"}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":3}");
            EXPECT_SILENCE(&s[1].w, c);
            EXPECT_INT(stats(&s[0].w).bus_self_echo, 3);
            EXPECT_INT(rstats(&s[0]).published, 3);
            EXPECT_INT(rstats(&s[0]).pending, 0);
            EXPECT_INT(rstats(&s[0]).receivers, 6);
            EXPECT_INT(rstats(&s[1]).received, 3);
            broker_drop_all(b);
            site_stop(&s[0]);
            site_stop(&s[1]);
        }
    }
}

TEST(it_starts_without_a_broker_tries_for_ever_and_heals) { /* jittered 50 ms to 5 s; BUS-5 */
    static site s;
    broker *b = fresh();
    uint64_t last = 0, t, waits[40];
    size_t n = 0, i;
    wshub_conn c;
    b->away = true;
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    c = world_client(&s.w, "u", NULL);
    site_send(&s, "ws-default", "1"); /* local service goes on */
    EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
    for (t = 0; t < 60000 && n < 40; t++) {
        uint64_t before = b->dials;
        wshub_io_fake_advance(s.w.net, 1);
        site_run(&s);
        if (b->dials == before) continue;
        waits[n++] = t - last;
        last = t;
    }
    EXPECT(n >= 14 && n < 40);
    for (i = 0; i < n; i++) {
        uint64_t most = i < 8 ? 50u << i : 5000;
        if (most > 5000) most = 5000;
        EXPECT(waits[i] >= most / 2 && waits[i] <= most + 2);
    }
    EXPECT(waits[n - 1] != waits[n - 2] || waits[n - 2] != waits[n - 3]); /* jittered */
    EXPECT(strstr(s.said, "cannot use broker:6379: cannot connect: the test says no; trying again"));
    NOTES(&s, "");
    EXPECT_INT(stats(&s.w).bus_dropped, 1); /* it has waited for over 2 s */
    site_send(&s, "ws-default", "2");
    b->away = false;
    b->hold_acks = true;
    site_advance(&s, 5001); /* the longest wait; the connection is there, its subscriptions are not */
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_CONNECTED);
    NOTES(&s, "");
    EXPECT_INT(b->publishes, 0);
    b->hold_acks = false;
    site_send(&s, "ws-default", "3");
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(strncmp(s.w.log, "up(", 3) == 0);
    EXPECT(b->publishes >= 1);
    EXPECT(strstr(s.said, "back at broker:6379"));
    /* lost, and back at once: a connection that was good long enough starts from 50 ms again */
    s.w.log_len = 0;
    s.w.log[0] = 0;
    site_advance(&s, 1500);
    broker_drop_all(b);
    site_run(&s);
    NOTES(&s, "down ");
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_DOWN);
    site_advance(&s, 55);
    EXPECT(strncmp(s.w.log, "up(", 3) == 0 && atoi(s.w.log + 3) >= 25 && atoi(s.w.log + 3) <= 55);
    EXPECT_INT(stats(&s.w).bus_downs, 1);
    site_stop(&s);
}

TEST(no_silence_of_the_broker_goes_unnoticed) { /* no path without a timer */
    static site s;
    broker *b = fresh();
    /* silent from the first byte on: one deadline for all of it */
    b->mute = true;
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    site_advance(&s, 4900);
    EXPECT_INT(b->dials, 2);
    site_advance(&s, 200);
    EXPECT(b->dials > 2 && strstr(s.said, "no connection within connect_timeout_ms"));
    b->mute = false;
    site_advance(&s, 5100);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* acknowledgements that never come */
    broker_drop_all(b);
    b->hold_acks = true;
    site_advance(&s, 4900);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_CONNECTED);
    site_advance(&s, 1000);
    b->hold_acks = false;
    site_advance(&s, 6000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* a half-open connection: everything is sent, nothing is answered */
    s.w.log_len = 0;
    s.w.log[0] = 0;
    site_advance(&s, 2000);
    b->mute = true;
    site_advance(&s, 4100);
    EXPECT(strncmp(s.w.log, "down ", 5) == 0);
    b->mute = false;
    site_advance(&s, 5100);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* everything is answered, but what is published does not arrive: rights that were taken away, say */
    site_advance(&s, 2000);
    s.said_len = 0;
    s.said[0] = 0;
    b->deaf_beats = true;
    site_advance(&s, 4100);
    EXPECT(strstr(s.said, "lost broker:6379: the heartbeat does not come back"));
    b->deaf_beats = false;
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* a suspend of an hour is not the broker's fault */
    s.w.log_len = 0;
    s.w.log[0] = 0;
    wshub_io_fake_jump(s.w.net, wshub_io_fake_now(s.w.net) + 3600000);
    site_run(&s);
    site_advance(&s, 3000);
    NOTES(&s, "");
    site_stop(&s);
}

TEST(refusals_are_told_and_tried_again) {
    static const struct { const char *refuse, *line; } cases[] = {
        {"AUTH", "authentication is refused: NOPERM"}, {"PING", "not ready: NOPERM"}, {"SUBSCRIBE", "a subscription is refused: NOPERM"},
        {"PSUBSCRIBE", "a subscription is refused: NOPERM"}, {"SELECT", "the database is refused: NOPERM"},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        static site s;
        broker *b = fresh();
        b->password = "secret";
        b->refuse = cases[i].refuse;
        site_start(&s, b, BUSDESC(.url = "redis://:secret@broker/1"), DESC(0), FAKE(0));
        site_advance(&s, 300);
        EXPECT(strstr(s.said, cases[i].line));
        EXPECT(!strstr(s.said, "secret"));
        EXPECT(rstats(&s).state != WSHUB_BUS_UP);
        EXPECT(rstats(&s).attempts > 2);
        b->refuse = NULL;
        site_advance(&s, 1000);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        /* the rights go while it runs */
        site_advance(&s, 1200);
        b->refuse = "PUBLISH";
        site_send(&s, "r", "1");
        site_run(&s);
        EXPECT_INT(rstats(&s).refused, 1);
        EXPECT(strstr(wshub_bus_redis_error(s.redis), "a publication is refused: NOPERM"));
        site_advance(&s, 1100);
        EXPECT(strstr(s.said, "the heartbeat is refused: NOPERM"));
        site_stop(&s);
    }
    {
        static site s; /* a name that is refused is no reason to stay away; a wrong password is told */
        broker *b = fresh();
        b->refuse = "CLIENT";
        b->password = "secret";
        site_start(&s, b, BUSDESC(.url = "redis://:wrong@broker"), DESC(0), FAKE(0));
        EXPECT(strstr(s.said, "WRONGPASS"));
        EXPECT(!strstr(s.said, "wrong@"));
        b->password = "wrong";
        site_advance(&s, 300);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        site_stop(&s);
    }
}

static broker_link *sub_link(broker *b) {
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && b->links[i].subs_count) return &b->links[i];
    }
    return NULL;
}
static broker_link *pub_link(broker *b) {
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && !b->links[i].subs_count) return &b->links[i];
    }
    return NULL;
}

TEST(nothing_a_broker_says_can_hurt) { /* trust in the broker: hiredis#1359 and the like */
    static const struct { const char *text; bool survives; } cases[] = {
        {"+OK\r\n", false}, {"-ERR what\r\n", false}, {":1\r\n", false}, {"*0\r\n", false}, {"*-1\r\n", false}, {"$-1\r\n", false}, {"*1\r\n$7\r\nmessage\r\n", false},
        {"*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", false}, {"*3\r\n:1\r\n:2\r\n:3\r\n", false}, {"*3\r\n*0\r\n*0\r\n*0\r\n", false}, {"garbage\r\n", false}, {"\r\n\r\n", false},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:9\r\n", false}, {"*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:9\r\n", false}, {"*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:-9\r\n", false},
        {"*100000000\r\n", false}, {"$99999999999999999999\r\n", false}, {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", false},
        {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$4\r\nnope\r\n", true}, {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$0\r\n\r\n", true},
        {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$-1\r\n", true}, {"*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n:5\r\n", true}, {"*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nx\r\n", true},
        {"*3\r\n$7\r\nmessage\r\n*0\r\n$1\r\nx\r\n", true}, {"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$5\r\nother\r\n$1\r\nx\r\n", true}, {">0\r\n", true}, {">1\r\n:1\r\n", true},
        {">2\r\n$10\r\ninvalidate\r\n*0\r\n", true}, {">3\r\n+message\r\n+ws:broadcast\r\n+x\r\n", true}, {">5\r\n_\r\n_\r\n_\r\n_\r\n_\r\n", true},
        {"|1\r\n+x\r\n+y\r\n>1\r\n+z\r\n", true},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int cut;
        for (cut = 0; cut < 2; cut++) {
            static site s;
            broker *b = fresh();
            uint64_t attempts;
            site_start(&s, b, BUSDESC(0), DESC(0), FAKE(.cut_bytes = cut ? 1 : 0));
            site_advance(&s, 1100);
            attempts = rstats(&s).attempts;
            broker_say_z(sub_link(b), cases[i].text);
            site_run(&s);
            if (cases[i].survives != (rstats(&s).state == WSHUB_BUS_UP)) (void)printf("  case %zu: %s", i, cases[i].text);
            EXPECT_INT(rstats(&s).state, cases[i].survives ? WSHUB_BUS_UP : WSHUB_BUS_DOWN);
            site_advance(&s, 100);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP); /* and back */
            EXPECT_INT(rstats(&s).attempts, attempts + (cases[i].survives ? 0 : 1));
            site_stop(&s);
        }
    }
}

TEST(messages_over_the_limit_are_skipped_and_counted) {
    static site s;
    size_t cut, size;
    for (size = 1025; size <= 3000; size += 987) {
        for (cut = 0; cut < 60; cut++) {
            broker *b = fresh();
            wshub_conn c;
            char *text = (char *)malloc(8192);
            size_t n, at;
            site_start(&s, b, BUSDESC(.message_bytes_max = 1024), DESC(0), FAKE(0));
            c = world_client(&s.w, "u", NULL);
            n = (size_t)snprintf(text, 8192, "*4\r\n$8\r\npmessage\r\n$9\r\nws:room:*\r\n$9\r\nws:room:x\r\n$%zu\r\n", size);
            memset(text + n, 'x', size);
            n += size;
            n += (size_t)snprintf(text + n, 8192 - n, "\r\n*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$56\r\n{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}\r\n");
            at = cut < 50 ? cut * 2 : n - (cut - 50) * 13;
            broker_say(sub_link(b), text, at);
            if (at < n) broker_say(sub_link(b), text + at, n - at);
            site_run(&s);
            EXPECT_INT(rstats(&s).oversized, 1);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
            free(text);
            site_stop(&s);
        }
    }
}

TEST(a_broker_that_does_not_read_costs_no_more_than_the_limits) { /* nothing grows without a limit that has a name */
    static site s;
    broker *b = fresh();
    wshub_conn c;
    size_t before;
    int i;
    site_start(&s, b, BUSDESC(.output_bytes_max = 10000, .heartbeat_timeout_ms = 600000), DESC(.bus_queue_bytes_max = 20000, .bus_burst_bytes_max = 20000), FAKE(0));
    c = world_client(&s.w, "u", NULL);
    site_advance(&s, 10);
    before = s.w.bytes;
    wshub_io_fake_window(s.w.net, pub_link(b)->conn, 0);
    for (i = 0; i < 2000; i++) {
        char n[16];
        (void)snprintf(n, sizeof n, "%d", i);
        site_send(&s, "room", n);
    }
    EXPECT(rstats(&s).output_bytes >= 10000 && rstats(&s).output_bytes < 12000);
    EXPECT(stats(&s.w).bus_queued_bytes <= 20000 && stats(&s.w).bus_queued_bytes > 19000);
    EXPECT(stats(&s.w).bus_dropped > 1000);
    EXPECT(s.w.bytes < before + 80000);
    wshub_io_fake_window(s.w.net, pub_link(b)->conn, UINT64_MAX);
    site_advance(&s, 100);
    EXPECT_INT(stats(&s.w).bus_queued_bytes, 0);
    EXPECT_INT(rstats(&s).pending, 0);
    EXPECT_INT(rstats(&s).published + stats(&s.w).bus_dropped, 2000);
    EXPECT_INT(stats(&s.w).bus_self_echo, rstats(&s).published); /* in its own ears: all that was taken has arrived */
    EXPECT_SILENCE(&s.w, c);
    site_stop(&s);
}

TEST(exact_mode_subscribes_in_batches_and_again_after_an_outage) { /* BUS-4 at 5,000 rooms, a broker that reads slowly */
    static site s;
    broker *b = fresh();
    char id[37], name[32];
    int i;
    broker_link *l;
    site_start(&s, b, BUSDESC(.output_bytes_max = 30000), DESC(.bus_exact = true, .rooms_per_client_max = 10000, .no_default_rooms = true, .bus_linger_ms = WSHUB_OFF), FAKE(0));
    (void)world_client(&s.w, "u", id);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    wshub_io_fake_hold(s.w.net, true);
    for (i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_join(s.w.hub, world_handle(&s.w, id), wshub_str_z(name)), WSHUB_OK);
    }
    wshub_io_fake_hold(s.w.net, false);
    EXPECT(rstats(&s).output_bytes < 60000);
    site_advance(&s, 600);
    EXPECT_INT(rstats(&s).subscribed, 5000 + 4);
    EXPECT_INT(rstats(&s).unacknowledged, 0);
    EXPECT_INT(sub_link(b)->subs_count, 5000 + 4 + 1);
    broker_drop_all(b);
    site_advance(&s, 2000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    l = sub_link(b);
    EXPECT(l && l->subs_count == 5000 + 4 + 1);
    /* rooms that go while all is subscribed anew are not forgotten */
    broker_drop_all(b);
    b->hold_acks = true;
    site_advance(&s, 60);
    for (i = 0; i < 5000; i += 2) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_leave(s.w.hub, world_handle(&s.w, id), wshub_str_z(name)), WSHUB_OK);
    }
    EXPECT_INT(wshub_client_join(s.w.hub, world_handle(&s.w, id), wshub_str_z("late")), WSHUB_OK);
    site_advance(&s, 10);
    b->hold_acks = false;
    site_advance(&s, 1500);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(sub_link(b)->subs_count, 2500 + 1 + 4 + 1);
    EXPECT_INT(rstats(&s).subscribed, 2500 + 1 + 4);
    site_stop(&s);
}

TEST(several_addresses_are_tried_in_turn) {
    static site s;
    broker *b = fresh();
    const char *address = NULL;
    wshub_conn c;
    int i;
    b->away = true;
    site_start(&s, b, BUSDESC(.url = "redis://one,two:2,three:3"), DESC(0), FAKE(0));
    for (i = 0; i < 6; i++) { /* six attempts within two small waits: the wait grows once all have been tried */
        static const char *const want[] = {"two:2", "three:3", "one:6379"};
        int ms = 0;
        while (!wshub_io_fake_dialled(s.w.net, &c, &address) && ms++ < 101) wshub_io_fake_advance(s.w.net, 1);
        EXPECT(address && strcmp(address, want[i % 3]) == 0);
        EXPECT(ms <= (i < 2 ? 51 : i < 5 ? 101 : 201));
        site_run(&s);
    }
    b->away = false;
    site_advance(&s, 1000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(*wshub_bus_redis_address(s.redis));
    site_stop(&s);
}

TEST(a_sentinel_is_asked_for_the_master_and_followed) {
    static site s;
    broker *b = fresh();
    broker_link *watch;
    int i;
    b->master_host = NULL;
    site_start(&s, b, BUSDESC(.url = "redis://s1,s2", .sentinel = "main"), DESC(0), FAKE(0));
    EXPECT(strstr(s.said, "the sentinel knows no master of that name: main"));
    b->master_host = "10.0.0.1";
    b->master_port = "6379";
    b->role = "slave";
    site_advance(&s, 300);
    EXPECT(strstr(wshub_bus_redis_error(s.redis), "not a master (yet)"));
    b->role = "master";
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(strcmp(wshub_bus_redis_address(s.redis), "10.0.0.1:6379") == 0);
    for (watch = NULL, i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && b->links[i].address[0] == 's') watch = &b->links[i];
    }
    EXPECT(watch != NULL);
    /* another master's switch is none of ours; ours is followed */
    broker_say_z(watch, "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$30\r\nother 10.0.0.1 1 10.0.0.9 6379\r\n");
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    s.w.log_len = 0;
    s.w.log[0] = 0;
    b->master_host = "::2";
    broker_say_z(watch, "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$27\r\nmain 10.0.0.1 6379 ::2 6379\r\n");
    site_advance(&s, 10);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(strcmp(wshub_bus_redis_address(s.redis), "[::2]:6379") == 0);
    EXPECT(strncmp(s.w.log, "down up(", 8) == 0);
    /* the watch breaks: the bus stays up, another sentinel is watched, and asked what it knows */
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && b->links[i].address[0] == 's') broker_drop(b, &b->links[i], true);
    }
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    b->master_host = "10.0.0.3";
    site_advance(&s, 1100);
    EXPECT(strcmp(wshub_bus_redis_address(s.redis), "10.0.0.3:6379") == 0);
    site_stop(&s);
}

TEST(a_prefix_keeps_instances_apart_and_is_no_pattern) {
    static site s[3];
    broker *b = fresh();
    wshub_conn c[3];
    int i;
    for (i = 0; i < 3; i++) {
        site_start(&s[i], b, BUSDESC(.channel_prefix = i < 2 ? "a*[b]:" : "axb:"), DESC(0), FAKE(.seed = (uint64_t)i + 5));
        c[i] = world_client(&s[i].w, "u", NULL);
    }
    site_send(&s[0], "ws-default", "1");
    site_send(&s[2], "ws-default", "2");
    site_run_all(s, 3);
    EXPECT_TEXT(&s[0].w, c[0], "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s[1].w, c[1], "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s[2].w, c[2], "{\"event\":\"m\",\"data\":2}");
    for (i = 0; i < 3; i++) EXPECT_SILENCE(&s[i].w, c[i]);
    for (i = 0; i < 3; i++) site_advance(&s[i], 1100);
    for (i = 0; i < 3; i++) EXPECT_INT(rstats(&s[i]).state, WSHUB_BUS_UP); /* heartbeats stay apart, too */
    broker_drop_all(b);
    for (i = 0; i < 3; i++) site_stop(&s[i]);
}

static wshub_bus_redis *to_destroy;
static void destroy_on_bus(wshub *hub, wshub_bus_state st, uint64_t ms, void *user) {
    world *w = (world *)user;
    (void)st;
    (void)ms;
    w->hub = NULL;
    wshub_destroy(hub);
    wshub_bus_redis_destroy(to_destroy); /* while it is at work */
}
static wshub_err destroy_on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    destroy_on_bus(hub, WSHUB_BUS_UP, 0, user);
    return WSHUB_OK;
}

TEST(everything_may_end_inside_a_callback_of_the_bus) {
    int when;
    for (when = 0; when < 3; when++) {
        broker *b = fresh();
        world w;
        wshub_bus_redis_desc rd;
        wshub_desc d;
        int i;
        memset(&w, 0, sizeof w);
        memset(&rd, 0, sizeof rd);
        EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
        rd.io = wshub_io_fake_io(w.net);
        rd.url = "redis://broker";
        rd.alloc = world_alloc;
        rd.alloc_user = &w;
        EXPECT_INT(wshub_bus_redis_create(&rd, &to_destroy), WSHUB_OK);
        d = DESC(.io = rd.io, .bus = wshub_bus_redis_bus(to_destroy), .on_authenticate = accept_all, .alloc = world_alloc, .alloc_user = &w, .user = &w);
        if (when == 0) d.on_bus = destroy_on_bus;
        d.on_message = destroy_on_message;
        EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 20; i++) {
            (void)broker_step(b, w.net);
            wshub_io_fake_run(w.net);
        }
        if (when == 1) {
            wshub_conn c = world_client(&w, "u", NULL);
            wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
        } else if (when == 2) {
            wshub_destroy(w.hub);
            wshub_bus_redis_destroy(to_destroy);
        }
        wshub_io_fake_run(w.net);
        broker_drop_all(b);
        wshub_io_fake_destroy(w.net);
        EXPECT_INT(w.bytes, 0);
    }
}

TEST(an_emitter_publishes_and_says_what_became_of_it) { /* EMIT-1 */
    broker *b = fresh();
    static site s;
    world w;
    wshub_bus_redis *redis;
    wshub_emitter *em;
    wshub_msg m = msg("m", "1");
    wshub_conn c;
    wshub_bus_redis_stats st;
    int i;
    memset(&w, 0, sizeof w);
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(.seed = 8));
    c = world_client(&s.w, "u", NULL);
    EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
    EXPECT_INT(wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(w.net), .url = "redis://broker", .publish_only = true, .alloc = world_alloc, .alloc_user = &w}, &redis), WSHUB_OK);
    EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis), .alloc = world_alloc, .alloc_user = &w}, &em), WSHUB_OK);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK); /* kept until the broker is there */
    EXPECT(wshub_emitter_queued_bytes(em) > 0);
    for (i = 0; i < 10; i++) {
        wshub_io_fake_advance(w.net, 1);
        (void)broker_step(b, w.net);
    }
    EXPECT_INT(wshub_emitter_queued_bytes(em), 0);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
    for (i = 0; i < 3000; i++) { /* alone it stays connected, by PING */
        wshub_io_fake_advance(w.net, 1);
        (void)broker_step(b, w.net);
    }
    wshub_bus_redis_stats_get(redis, &st);
    EXPECT_INT(st.published, 2);
    EXPECT_INT(st.pending, 0);
    EXPECT_INT(st.receivers, 2);
    EXPECT_INT(st.ups, 1);
    site_run(&s);
    EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
    b->away = true; /* what was on its way is counted as such */
    b->mute = true;
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
    broker_drop_all(b);
    wshub_io_fake_run(w.net);
    wshub_bus_redis_stats_get(redis, &st);
    EXPECT_INT(st.unconfirmed, 1);
    wshub_emitter_destroy(em);
    wshub_bus_redis_destroy(redis);
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
    site_stop(&s);
}

/* The n-th allocation fails, once and for ever after, through connecting, subscribing, publishing, an outage and
 * the way back; then memory is there again, and within 10 s the bus is up and messages arrive. */
TEST(every_allocation_may_fail) {
    long n, injected = 0;
    int stays;
    for (stays = 0; stays < 2; stays++) {
        for (n = 1;; n++) {
            static site s;
            broker *b = fresh();
            wshub_conn c;
            long left;
            int i;
            site_start(&s, b, BUSDESC(0), DESC(.bus_exact = n % 2 == 0, .bus_linger_ms = WSHUB_OFF), FAKE(0));
            c = world_client(&s.w, "u", NULL);
            s.w.fail_at = n;
            for (i = 0; i < 3; i++) {
                wshub_msg m = msg("m", "1");
                (void)wshub_send(s.w.hub, NULL, &m);
                site_advance(&s, 3);
                broker_drop_all(b);
                if (stays && s.w.fail_at == 0) s.w.fail_at = 1;
                site_advance(&s, 120);
                if (stays && s.w.fail_at == 0) s.w.fail_at = 1;
            }
            left = s.w.fail_at;
            s.w.fail_at = 0;
            site_advance(&s, 10000);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            EXPECT_INT(sub_link(b) ? sub_link(b)->subs_count : 0, n % 2 == 0 ? 1 + 1 + 3 + (wshub_io_fake_is_open(s.w.net, c) ? 3 - 1 : -4) : 5);
            site_stop(&s);
            if (left > 1) break;
            injected++;
        }
    }
    (void)printf("  %ld failing allocations injected\n", injected);
}

/* ---- odd answers name themselves and heal (BUS-1, BUS-5) ---- */

/* Every command of a session, answered by everything odd, at the handshake or later, the connection going with it or not:
 * either the bus is up all the same, or one line says what the broker said; and once it answers well again it is up. */
TEST(every_odd_answer_to_every_command_heals_or_names_itself) {
    static const char *const commands[] = {"AUTH", "HELLO", "CLIENT", "SELECT", "ROLE", "PING", "SUBSCRIBE", "PSUBSCRIBE", "PUBLISH"};
    static const char *const answers[] = {
        "-MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.", "-NOPERM this user has no permissions to run it",
        "-LOADING Redis is loading the dataset in memory", "-BUSY Redis is busy running a script.", "-NOAUTH Authentication required.", "-READONLY You can't write against a read only replica.",
        "-MASTERDOWN Link with MASTER is down", "-ERR unknown command", "-ERR max number of clients reached", "-DENIED Redis is running in protected mode because protected mode is enabled",
        "-NOPROTO unsupported protocol version", "-OOM command not allowed when used memory > 'maxmemory'.", "-", "-\x01\x02\n", "$-1", ":0", ":-5", "*0", "*-1", "+QUEUED", "+", "_", "#t", "%1\r\n+a\r\n+b",
        "|1\r\n+ttl\r\n:1\r\n+OK", ">2\r\n+invalidate\r\n*0\r\n+OK", "*3\r\n$5\r\nslave\r\n$1\r\nh\r\n:1", "*1\r\n$8\r\nsentinel", "*1\r\n*1\r\n*1\r\n:1", "!3\r\nERR", "*4097", "?",
    };
    size_t c, a;
    int way, named = 0, carried = 0;
    for (c = 0; c < sizeof commands / sizeof *commands; c++) {
        for (a = 0; a < sizeof answers / sizeof *answers; a++) {
            for (way = 0; way < 8; way++) { /* from the beginning or later; RESP2 or 3; the end behind it or not */
                static site s;
                broker *b = fresh();
                bool late = way & 1, up;
                char word[16] = "";
                b->password = "secret";
                if (!late) b->refuse = commands[c];
                b->refusal = answers[a];
                b->refusal_ends = (way & 4) != 0;
                site_start(&s, b, BUSDESC(.url = "redis://:secret@broker/1", .resp3 = (way & 2) != 0), DESC(0), FAKE(0));
                if (late) {
                    site_advance(&s, 1100);
                    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
                    b->refuse = commands[c];
                }
                site_send(&s, "r", "1");
                site_advance(&s, 2500);
                up = rstats(&s).state == WSHUB_BUS_UP;
                (void)sscanf(answers[a] + 1, "%15[A-Z]", word);
                if (!up && answers[a][0] == '-' && word[0] && strcmp(word, "ERR") != 0 && !(late && b->refusal_ends)) {
                    if (!strstr(s.said, word)) (void)printf("  %s, %s, way %d: %s\n", commands[c], answers[a], way, s.said);
                    EXPECT(strstr(s.said, word));
                }
                if (!up) EXPECT(s.said_len > 0);
                EXPECT(!strstr(s.said, "secret"));
                *(up ? &carried : &named) += 1;
                b->refuse = NULL;
                site_advance(&s, 6000);
                if (rstats(&s).state != WSHUB_BUS_UP) (void)printf("  %s, %s, way %d: %s\n", commands[c], answers[a], way, wshub_bus_redis_error(s.redis));
                EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
                EXPECT_INT(sub_link(b) ? sub_link(b)->subs_count : 0, 5);
                site_stop(&s);
            }
        }
    }
    (void)printf("  %d carried on, %d named\n", carried, named);
    EXPECT(carried > 300 && named > 300);
}

TEST(who_cannot_save_or_may_not_tell_its_role_still_carries_messages) { /* an error is an answer */
    static const struct { const char *refuse, *refusal; } cases[] = {
        {"PING", "-MISCONF cannot save"}, {"ROLE", "-NOPERM no"}, {"ROLE", "-ERR unknown command 'ROLE'"}, {"ROLE", "+OK"}, {"CLIENT", "-ERR no"}, {"HELLO", "-NOPERM no"}, {"HELLO", "-ERR unknown command 'HELLO'"},
    };
    size_t i;
    int way;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (way = 0; way < 3; way++) {
            static site s;
            broker *b = fresh();
            wshub_conn c;
            b->refuse = cases[i].refuse;
            b->refusal = cases[i].refusal;
            site_start(&s, b, BUSDESC(.resp3 = true, .no_heartbeat = way == 1, .publish_only = way == 2), DESC(0), FAKE(0));
            c = world_client(&s.w, "u", NULL);
            site_advance(&s, 10000);
            EXPECT_INT(rstats(&s).attempts, 1);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            if (way < 2) broker_say_z(sub_link(b), "*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$56\r\n{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}\r\n");
            site_run(&s);
            if (way < 2) EXPECT_TEXT(&s.w, c, "{\"event\":\"m\",\"data\":1}");
            site_stop(&s);
        }
    }
    { /* RESP3 is asked for again by the next connection, unless the broker does not know it */
        static site s;
        int k;
        for (k = 0; k < 2; k++) {
            broker *b = fresh();
            b->refuse = "HELLO";
            b->refusal = k ? "-ERR unknown command `HELLO`, with args beginning with: `3`, " : "-NOPERM no";
            site_start(&s, b, BUSDESC(.resp3 = true), DESC(0), FAKE(0));
            site_advance(&s, 1000);
            EXPECT(sub_link(b) && !sub_link(b)->resp3);
            b->refuse = NULL;
            broker_drop_all(b);
            site_advance(&s, 1000);
            EXPECT_INT(sub_link(b) && sub_link(b)->resp3, k == 0);
            site_stop(&s);
        }
    }
}

TEST(never_up_on_a_replica_and_home_again_when_roles_change) {
    static site s;
    broker *b = fresh();
    /* the first address is a replica, also later, when it is the only one for a while */
    b->replica = "one:6379";
    site_start(&s, b, BUSDESC(.url = "redis://one,two"), DESC(0), FAKE(0));
    site_advance(&s, 500);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(strcmp(wshub_bus_redis_address(s.redis), "two:6379") == 0);
    EXPECT(strstr(s.said, "a replica: what is published there reaches nobody else"));
    /* the roles change, nobody is disconnected: found with the next heartbeat */
    b->replica = "two:6379";
    site_advance(&s, 1500);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT(strcmp(wshub_bus_redis_address(s.redis), "one:6379") == 0);
    EXPECT(strstr(s.said, "lost two:6379: not a master (yet): slave"));
    EXPECT_INT(stats(&s.w).bus_downs, 1);
    /* cut off again and again: always back where the master is */
    {
        int i;
        for (i = 0; i < 20; i++) {
            broker_drop(b, i & 1 ? sub_link(b) : pub_link(b), true);
            site_advance(&s, 700);
            EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            EXPECT(strcmp(wshub_bus_redis_address(s.redis), "one:6379") == 0);
        }
    }
    site_stop(&s);
    /* any node of a cluster will do */
    b = fresh();
    b->role = "slave";
    b->cluster = true;
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(rstats(&s).attempts, 1);
    site_stop(&s);
    /* who may not say INFO is a replica; a sentinel is told apart; a failing allocation heals */
    b = fresh();
    b->role = "slave";
    b->refuse = "INFO";
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    site_advance(&s, 300);
    EXPECT(rstats(&s).state != WSHUB_BUS_UP);
    b->role = "sentinel";
    site_advance(&s, 3000);
    EXPECT(strstr(wshub_bus_redis_error(s.redis), "name its master in desc.sentinel"));
    b->role = "master";
    site_advance(&s, 6000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    /* a proxy whose backend was demoted says it by an answer */
    b->refuse = "PUBLISH";
    b->refusal = "-READONLY You can't write against a read only replica.";
    site_send(&s, "r", "1");
    site_run(&s);
    EXPECT(strstr(wshub_bus_redis_error(s.redis), "READONLY"));
    EXPECT(rstats(&s).state != WSHUB_BUS_UP);
    site_stop(&s);
}

TEST(what_is_said_before_the_door_closes_reaches_the_log) { /* maxclients, protected mode */
    static const char *const greetings[] = {"-ERR max number of clients reached\r\n", "-DENIED Redis is running in protected mode because protected mode is enabled\r\n", "-ERR max number of clients + cluster connections reached\r\n", "+hello\r\n", ""};
    size_t i;
    int resp3;
    for (i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        for (resp3 = 0; resp3 < 4; resp3++) {
            static site s;
            broker *b = fresh();
            b->greeting = greetings[i];
            site_start(&s, b, BUSDESC(.resp3 = resp3 & 1, .url = resp3 & 2 ? "redis://:p@broker" : NULL), DESC(0), FAKE(0));
            site_advance(&s, 200);
            EXPECT(strstr(s.said, greetings[i][0] == '-' ? greetings[i][1] == 'E' ? "ERR max number of clients" : "DENIED Redis is running in protected mode" : "cannot use"));
            b->greeting = NULL;
            b->password = "p";
            site_advance(&s, resp3 & 2 ? 4000 : 10);
            if (resp3 & 2) EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
            site_stop(&s);
        }
    }
}

TEST(without_a_heartbeat_nothing_is_subscribed_that_the_owner_did_not) { /* BUS-1 */
    static site s;
    broker *b = fresh();
    site_start(&s, b, BUSDESC(.no_heartbeat = true), DESC(0), FAKE(0));
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(sub_link(b)->subs_count, 4);
    EXPECT_INT(rstats(&s).subscribed, 4);
    EXPECT_INT(b->publishes, 0);
    EXPECT(strstr(b->log, "SUBSCRIBE PSUBSCRIBE"));
    sub_link(b)->frozen = true; /* and the network that forgets the subscriber is noticed */
    site_advance(&s, 4200);
    EXPECT_INT(rstats(&s).downs, 1);
    EXPECT(strstr(s.said, "no answer within heartbeat_timeout_ms"));
    site_stop(&s);
    b = fresh();
    b->refuse = "SUBSCRIBE";
    site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
    EXPECT(strstr(s.said, "(the heartbeat's: allow &wshub:hb:* or set no_heartbeat)"));
    site_stop(&s);
}

static uint32_t next_delay;
static uint32_t slow_word(void *ctx) {
    (void)ctx;
    return next_delay;
}
/* A message in `pieces`, one every `ms`; all that is said to the subscriber meanwhile waits behind it. */
static void dribble(broker *b, broker_link *l, size_t pieces, uint32_t ms) {
    static char text[16384];
    size_t n = (size_t)snprintf(text, sizeof text, "*3\r\n$7\r\nmessage\r\n$12\r\nws:broadcast\r\n$10055\r\n{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":"), i, from;
    memset(text + n, ' ', 9999);
    n += 9999;
    text[n++] = '1';
    text[n++] = '}';
    text[n++] = '\r';
    text[n++] = '\n';
    b->delay_ms = slow_word;
    for (i = 0, from = 0; i < pieces; i++) {
        size_t end = n * (i + 1) / pieces;
        next_delay = (uint32_t)(i + 1) * ms;
        broker_say(l, text + from, end - from);
        from = end;
    }
    next_delay = 0;
}

TEST(bytes_that_keep_coming_are_life_however_slowly) {
    uint32_t ms;
    for (ms = 100; ms <= 2900; ms += 700) {
        static site s;
        broker *b = fresh();
        wshub_io_fake_frame f;
        wshub_conn c;
        int i, heard = 0;
        site_start(&s, b, BUSDESC(0), DESC(.heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF), FAKE(0));
        c = world_client(&s.w, "u", NULL);
        site_advance(&s, 1500);
        dribble(b, sub_link(b), 30, ms);
        for (i = 0; i < 32; i++) site_advance(&s, ms);
        while (wshub_io_fake_next(s.w.net, c, &f)) heard += f.opcode == 1;
        EXPECT_INT(heard, 1);
        EXPECT_INT(rstats(&s).downs, 0);
        site_advance(&s, 10000);
        EXPECT_INT(rstats(&s).downs, 0);
        b->deaf_beats = true; /* but a broker that forwards nothing is found out although it answers */
        site_advance(&s, 5100);
        EXPECT_INT(rstats(&s).downs, 1);
        site_stop(&s);
    }
    { /* a publisher's link that takes a little at a time: the heartbeat waits behind what is published, and is not missed
         before it has left, though the subscriber's link answers all the while */
        static site s;
        static char text[200000];
        broker *b = fresh();
        wshub_msg m = msg("m", "1");
        int i;
        site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
        site_advance(&s, 1500);
        memset(text, ' ', sizeof text);
        text[0] = '1';
        m.data.ptr = text;
        m.data.len = sizeof text;
        wshub_io_fake_window(s.w.net, pub_link(b)->conn, 5000);
        EXPECT_INT(wshub_send(s.w.hub, NULL, &m), WSHUB_OK);
        for (i = 0; i < 45; i++) {
            site_advance(&s, 500);
            if (pub_link(b)) wshub_io_fake_window(s.w.net, pub_link(b)->conn, 5000);
        }
        EXPECT_INT(rstats(&s).downs, 0);
        EXPECT_INT(rstats(&s).pending, 0);
        site_stop(&s);
    }
    { /* and a pause longer than heartbeat_timeout_ms is the end */
        static site s;
        broker *b = fresh();
        site_start(&s, b, BUSDESC(0), DESC(0), FAKE(0));
        site_advance(&s, 1500);
        dribble(b, sub_link(b), 2, 6000);
        site_advance(&s, 5500);
        EXPECT_INT(rstats(&s).downs, 1);
        site_stop(&s);
    }
}

TEST(a_watched_sentinel_that_is_silent_or_odd_is_replaced_and_the_bus_stays_up) {
    static const char *const odd[] = {NULL, "garbage\r\n", "+OK\r\n", "-ERR what\r\n", "*3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n:0\r\n", "*4097\r\n", ">0\r\n|0\r\n*9999\r\n"};
    size_t i;
    for (i = 0; i < sizeof odd / sizeof *odd; i++) {
        static site s;
        broker *b = fresh();
        broker_link *watch = NULL;
        uint64_t dials;
        int k;
        b->master_host = "10.0.0.1";
        b->master_port = "6379";
        site_start(&s, b, BUSDESC(.url = "redis://s1,s2,s3", .sentinel = "main"), DESC(0), FAKE(0));
        site_advance(&s, 1500);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        for (k = 0; k < BROKER_LINKS; k++) {
            if (b->links[k].conn.id && b->links[k].address[0] == 's') watch = &b->links[k];
        }
        EXPECT(watch != NULL);
        if (!watch) return;
        dials = b->dials;
        b->hole = "s3:26379"; /* one that never answers has its deadline, too */
        if (odd[i]) broker_say_z(watch, odd[i]);
        else watch->frozen = true;
        site_advance(&s, 5500);
        EXPECT_INT(b->dials, dials + 1);
        site_advance(&s, 14000);
        EXPECT_INT(rstats(&s).downs, 0); /* the bus has been up all the time */
        EXPECT(b->dials >= dials + 1);
        b->master_host = NULL; /* one that knows no such master is left for the next one */
        for (k = 0; k < BROKER_LINKS; k++) {
            if (b->links[k].conn.id && b->links[k].address[0] == 's') broker_drop(b, &b->links[k], true);
        }
        site_advance(&s, 20000);
        EXPECT_INT(rstats(&s).downs, 0);
        b->master_host = "10.0.0.2"; /* and whoever is watched in the end tells of the failover */
        site_advance(&s, 12000);
        EXPECT(strcmp(wshub_bus_redis_address(s.redis), "10.0.0.2:6379") == 0);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        site_stop(&s);
    }
}

TEST(one_reply_is_gathered_up_to_its_limit_and_endless_pushes_cost_nothing) {
    static site s;
    broker *b = fresh();
    broker_link *l;
    static char bulk[1100];
    size_t n, before, most = 0;
    int i;
    site_start(&s, b, BUSDESC(.message_bytes_max = 1024), DESC(0), FAKE(0));
    site_advance(&s, 100);
    before = s.w.bytes;
    for (i = 0; i < 20000; i++) broker_say_z(sub_link(b), i & 1 ? ">0\r\n" : "|1\r\n+a\r\n+b\r\n>1\r\n+x\r\n");
    site_run(&s);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    l = sub_link(b);
    broker_say_z(l, "*4096\r\n");
    n = (size_t)snprintf(bulk, sizeof bulk, "$1024\r\n%01024d\r\n", 7);
    for (i = 0; i < 4000 && rstats(&s).state == WSHUB_BUS_UP; i++) {
        broker_say(l, bulk, n);
        if (s.w.bytes > most) most = s.w.bytes;
    }
    EXPECT(i < 100 && most < before + 300000);
    EXPECT(strstr(s.said, "what came is not RESP, or over its limits"));
    site_stop(&s);
}

/* ---- a busy turn, an outage, an end (BUS-5, BYE-2, EMIT-1) ---- */

TEST(the_defaults_agree_with_each_other) { /* BUS-5: the queue keeps for longer than the longest pause and the attempt behind it */
    wshub_desc d;
    wshub_bus_redis_desc rd;
    memset(&d, 0, sizeof d);
    memset(&rd, 0, sizeof rd);
    wshub__desc_defaults(&d);
    wshub_bus_redis__defaults(&rd);
    EXPECT(d.bus_queue_ms_max > rd.retry_max_ms + rd.connect_timeout_ms);
    EXPECT(rd.heartbeat_timeout_ms > rd.heartbeat_ms);
    EXPECT(d.bus_burst_bytes_max >= d.bus_queue_bytes_max);
}

TEST(a_busy_turn_over_redis_loses_nothing_and_its_end_waits) { /* generated: sizes, windows, ios, hub and emitter */
    int seed;
    uint32_t dice = 1;
#define DICE(n) (dice = dice * 1664525u + 1013904223u, (dice >> 8) % (n))
    for (seed = 0; seed < 60; seed++) {
        static site s;
        static char text[200000];
        broker *b = fresh();
        wshub_emitter *em = NULL;
        wshub_bus_redis *redis = NULL;
        bool emits = seed & 1, completion = seed & 2;
        uint64_t published;
        int i, sends = 0, round;
        memset(text, ' ', sizeof text);
        text[0] = '1';
        site_start(&s, b, BUSDESC(.output_bytes_max = 1024 + DICE(20000), .heartbeat_timeout_ms = 600000), DESC(.bus_queue_bytes_max = 2000, .heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF),
                   FAKE(.completion = completion, .take_bytes = DICE(3) ? 0 : 1000 + DICE(5000)));
        if (emits) {
            EXPECT_INT(wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(s.w.net), .url = "redis://broker", .publish_only = true, .output_bytes_max = 5000, .heartbeat_timeout_ms = 600000, .alloc = world_alloc, .alloc_user = &s.w}, &redis), WSHUB_OK);
            EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis), .bus_queue_bytes_max = 2000, .alloc = world_alloc, .alloc_user = &s.w}, &em), WSHUB_OK);
        }
        site_advance(&s, 300);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        published = b->publishes;
        for (round = 0; round < 3; round++) {
            for (i = 0; i < BROKER_LINKS; i++) { /* the window of the publishers is shut for a while, or not */
                if (b->links[i].conn.id && !b->links[i].subs_count && DICE(2)) wshub_io_fake_window(s.w.net, b->links[i].conn, DICE(3000));
            }
            for (i = 0; i < 40; i++) {
                wshub_msg m = msg("m", "1");
                static const size_t sizes[] = {1, 900, 1900, 2000, 2100, 10000};
                m.data.ptr = text;
                m.data.len = DICE(20) ? sizes[DICE(6)] : sizeof text;
                EXPECT_INT(emits ? wshub_emitter_send(em, NULL, &m) : wshub_send(s.w.hub, NULL, &m), WSHUB_OK);
                sends++;
            }
            site_advance(&s, 5);
            for (i = 0; i < BROKER_LINKS; i++) {
                if (b->links[i].conn.id) wshub_io_fake_window(s.w.net, b->links[i].conn, UINT64_MAX);
            }
            site_advance(&s, 50); /* what was kept leaves by itself */
            EXPECT_INT(emits ? wshub_emitter_queued_bytes(em) : stats(&s.w).bus_queued_bytes, 0);
        }
        for (i = 0; i < 10; i++) { /* and the last words before the end */
            wshub_msg m = msg("m", "1");
            EXPECT_INT(emits ? wshub_emitter_send(em, NULL, &m) : wshub_send(s.w.hub, NULL, &m), WSHUB_OK);
            sends++;
        }
        if (emits) {
            wshub_emitter_close(em, 3000, NULL, NULL);
            site_advance(&s, 100);
        } else {
            EXPECT_INT(wshub_shutdown(s.w.hub), WSHUB_OK);
            EXPECT(!wshub_is_down(s.w.hub));
            site_advance(&s, 100);
            EXPECT(wshub_is_down(s.w.hub));
            EXPECT_INT(stats(&s.w).bus_dropped + stats(&s.w).bus_unconfirmed, 0);
        }
        EXPECT(b->publishes - published >= (uint64_t)sends && b->publishes - published <= (uint64_t)sends + 6); /* heartbeats */
        wshub_bus_redis_destroy(redis);
        site_stop(&s);
    }
#undef DICE
}

static uint64_t emitter_lost;
static int emitter_closed;
static void on_closed_destroy(uint64_t lost, void *arg) {
    emitter_lost = lost;
    emitter_closed++;
    wshub_bus_redis_destroy((wshub_bus_redis *)arg); /* as it says: its bus may go now */
}

TEST(an_end_that_cannot_be_good_ends_at_its_deadline_and_is_counted) { /* BYE-2 */
    int way;
    for (way = 0; way < 5; way++) { /* a mute broker, a shut window, no broker at all, a cut while it closes, a late word */
        static site s;
        broker *b = fresh();
        wshub_bus_redis *redis;
        wshub_emitter *em;
        wshub_msg m = msg("m", "1");
        int i;
        emitter_closed = 0;
        site_start(&s, b, BUSDESC(.heartbeat_timeout_ms = 600000), DESC(.shutdown_timeout_ms = 2000), FAKE(0));
        EXPECT_INT(wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(s.w.net), .url = "redis://broker", .publish_only = true, .heartbeat_timeout_ms = 600000, .alloc = world_alloc, .alloc_user = &s.w}, &redis), WSHUB_OK);
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis), .alloc = world_alloc, .alloc_user = &s.w}, &em), WSHUB_OK);
        site_advance(&s, 100);
        if (way == 0 || way == 4) b->mute = true;
        if (way == 2) {
            b->away = true;
            broker_drop_all(b);
            wshub_io_fake_run(s.w.net);
        }
        for (i = 0; way == 1 && i < BROKER_LINKS; i++) {
            if (b->links[i].conn.id) wshub_io_fake_window(s.w.net, b->links[i].conn, 0);
        }
        for (i = 0; i < 3; i++) {
            EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
            EXPECT_INT(wshub_send(s.w.hub, NULL, &m), WSHUB_OK);
        }
        if (way == 3) wshub_io_fake_hold(s.w.net, false);
        wshub_emitter_close(em, 2000, on_closed_destroy, redis);
        EXPECT_INT(wshub_shutdown(s.w.hub), WSHUB_OK);
        if (way == 3) {
            b->mute = true;
            b->away = true;
            wshub_io_fake_run(s.w.net);
            broker_drop_all(b);
        }
        site_advance(&s, 1900);
        if (way != 3) {
            EXPECT_INT(emitter_closed, 0);
            EXPECT(!wshub_is_down(s.w.hub));
        }
        if (way == 4) b->mute = false;
        site_advance(&s, 150);
        EXPECT_INT(emitter_closed, 1);
        EXPECT(wshub_is_down(s.w.hub));
        EXPECT_INT(emitter_lost, way == 4 ? 0 : 3); /* of what was under way when the connection broke nobody knows */
        if (way < 4) EXPECT_INT(stats(&s.w).bus_dropped + stats(&s.w).bus_unconfirmed, 3);
        if (way == 4) EXPECT_INT(stats(&s.w).bus_dropped + stats(&s.w).bus_unconfirmed, 0);
        site_stop(&s);
    }
}

/* ---- on_log may do anything ---- */

static int log_lines, log_fatal;
static site *log_site;
static void log_destroys(const char *line, void *user) {
    wshub *hub = log_site->w.hub;
    (void)line;
    (void)user;
    if (++log_lines != log_fatal || !hub) return;
    log_site->w.hub = NULL;
    wshub_destroy(hub);
    if (log_fatal & 1) {
        wshub_bus_redis_destroy(log_site->redis);
        log_site->redis = NULL;
    }
}

TEST(a_hub_and_its_bus_may_end_in_on_log_at_every_line) {
    int n, most = 2, scene;
    for (scene = 0; scene < 4; scene++) {
        for (n = 1; n <= most + 1; n++) {
            static site s;
            broker *b = fresh();
            wshub_bus_redis_desc rd;
            wshub_desc d;
            wshub_msg m = msg("m", "1");
            int i;
            memset(&s, 0, sizeof s);
            memset(&rd, 0, sizeof rd);
            memset(&d, 0, sizeof d);
            s.b = b;
            log_site = &s;
            log_lines = 0;
            log_fatal = n;
            EXPECT_INT(wshub_io_fake_create(NULL, &s.w.net), WSHUB_OK);
            rd.io = d.io = wshub_io_fake_io(s.w.net);
            rd.url = scene == 2 ? "redis://s1,s2" : "redis://broker";
            if (scene == 2) rd.sentinel = "main";
            rd.on_log = log_destroys;
            rd.alloc = world_alloc;
            rd.alloc_user = &s.w;
            b->master_host = "10.0.0.1";
            b->master_port = "6379";
            EXPECT_INT(wshub_bus_redis_create(&rd, &s.redis), WSHUB_OK);
            d.bus = wshub_bus_redis_bus(s.redis);
            d.alloc = world_alloc;
            d.alloc_user = &s.w;
            EXPECT_INT(wshub_create(&d, &s.w.hub), WSHUB_OK);
            for (i = 0; i < 6; i++) {
                b->refuse = scene == 1 ? i % 2 ? "PUBLISH" : NULL : scene == 3 ? i % 2 ? "PSUBSCRIBE" : NULL : NULL;
                b->away = scene == 0 && i % 3 == 1;
                if (s.w.hub) (void)wshub_send(s.w.hub, NULL, &m);
                site_advance(&s, 1500);
                if (s.w.hub && rstats(&s).state == WSHUB_BUS_UP) (void)wshub_send(s.w.hub, NULL, &m);
                if (i % 2) broker_drop_all(b);
            }
            if (n == most + 1 && log_lines > most && n < 12) most = log_lines < 11 ? log_lines : 11;
            if (s.w.hub) wshub_destroy(s.w.hub);
            wshub_bus_redis_destroy(s.redis);
            broker_drop_all(b);
            wshub_io_fake_destroy(s.w.net);
            EXPECT_INT(s.w.bytes, 0);
        }
    }
    EXPECT(most > 4);
}
