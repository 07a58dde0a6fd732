/* What the tests of the hub share: a hub on the fake io whose allocator counts, with the
 * self-check after every step, and a few words to speak to it as clients do. Includes
 * everything. */
#ifndef HUBTEST_H
#define HUBTEST_H
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "checked.h"

typedef struct world {
    wshub_io_fake *net;
    wshub *hub;
    size_t bytes; /* the hub holds */
    size_t peak;
    long fail_at;   /* the n-th growing allocation from now fails, once; 0: none */
    bool fail_all;  /* or all of them do */
    bool unchecked; /* no self-check for now: indexes need not agree */
    char log[4096]; /* what callbacks wrote down */
    size_t log_len;
} world;

static void *world_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    world *w = (world *)user;
    void *p;
    if (new_bytes == 0) {
        w->bytes -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (w->fail_all || (w->fail_at && --w->fail_at == 0)) return NULL;
    p = malloc(new_bytes); /* always moves: a pointer that was kept is caught */
    if (!p) return NULL;
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    w->bytes += new_bytes;
    w->bytes -= old_bytes;
    if (w->bytes > w->peak) w->peak = w->bytes;
    return p;
}

static void world_step(void *user) {
    const world *w = (const world *)user;
    if (!w->unchecked) checked(w->hub);
}

UNUSED static void world_note(world *w, const char *text) {
    size_t n = strlen(text);
    if (w->log_len + n + 1 >= sizeof w->log) return;
    memcpy(w->log + w->log_len, text, n + 1);
    w->log_len += n;
}

/* Accepts everybody as the user named by data.user, if there is one. */
UNUSED static void accept_all(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    char buf[64];
    wshub_str name = wshub_json_get(auth->data, "user");
    size_t n = wshub_json_text(name, buf, sizeof buf);
    (void)user;
    memset(&who, 0, sizeof who);
    if (name.ptr && n <= sizeof buf) who.user_id = wshub__str(buf, n);
    EXPECT_INT(wshub_auth_accept(hub, ask, &who), WSHUB_OK);
}
UNUSED static void join_all(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    (void)wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
}

/* d.io, alloc and user are filled in. */
UNUSED static void world_start(world *w, wshub_desc d, wshub_io_fake_desc fd) {
    memset(w, 0, sizeof *w);
    fd.on_step = world_step;
    fd.user = w;
    EXPECT_INT(wshub_io_fake_create(&fd, &w->net), WSHUB_OK);
    d.io = wshub_io_fake_io(w->net);
    d.alloc = world_alloc;
    d.alloc_user = w;
    if (!d.user) d.user = w;
    EXPECT_INT(wshub_create(&d, &w->hub), WSHUB_OK);
    wshub_io_fake_run(w->net);
}

UNUSED static void world_stop(world *w) {
    wshub *hub = w->hub;
    w->hub = NULL;
    wshub_destroy(hub);
    wshub_io_fake_destroy(w->net);
    EXPECT_INT(w->bytes, 0);
}

#define DESC(...) ((wshub_desc){__VA_ARGS__})
#define FAKE(...) ((wshub_io_fake_desc){__VA_ARGS__})
#define DIALECT(...) ((wshub_dialect){.version = WSHUB_DIALECT_VERSION, __VA_ARGS__})

/* The next frame is text and reads so. */
#define EXPECT_TEXT(w, c, want)                                                                    \
    do {                                                                                           \
        wshub_io_fake_frame test_f;                                                                \
        bool test_ok = wshub_io_fake_next((w)->net, c, &test_f);                                   \
        if (!test_ok || !wshub_str_eq_z(test_f.payload, want)) {                                   \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: %s: got %.*s\n    expected %s\n", __FILE__, __LINE__,           \
                         test_name, test_ok ? (int)test_f.payload.len : 9,                         \
                         test_ok ? test_f.payload.ptr : "(nothing)", want);                        \
        }                                                                                          \
    } while (0)
#define EXPECT_SILENCE(w, c)                                                                       \
    do {                                                                                           \
        wshub_io_fake_frame test_f;                                                                \
        if (wshub_io_fake_next((w)->net, c, &test_f)) {                                            \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: %s: got %.*s\n", __FILE__, __LINE__, test_name,                 \
                         (int)test_f.payload.len, test_f.payload.ptr);                             \
        }                                                                                          \
    } while (0)
/* The next frames are these texts, in this order, and no more. */
#define EXPECT_TEXTS(w, c, ...)                                                                    \
    do {                                                                                           \
        const char *const test_texts[] = {__VA_ARGS__};                                            \
        size_t test_i;                                                                             \
        for (test_i = 0; test_i < sizeof test_texts / sizeof test_texts[0]; test_i++)              \
            EXPECT_TEXT(w, c, test_texts[test_i]);                                                 \
        EXPECT_SILENCE(w, c);                                                                      \
    } while (0)
/* The next frame is a Close with this code (0: none in it), and the stream ends. */
#define EXPECT_CLOSE(w, c, want)                                                                   \
    do {                                                                                           \
        wshub_io_fake_frame test_f;                                                                \
        memset(&test_f, 0, sizeof test_f);                                                         \
        (void)wshub_io_fake_next((w)->net, c, &test_f);                                            \
        EXPECT_INT(test_f.opcode, 8);                                                              \
        EXPECT_INT(test_f.code, want);                                                             \
        if (wshub_io_fake_is_open((w)->net, c))                                                    \
            wshub_io_fake_send_close((w)->net, c, test_f.code, "");                                \
        EXPECT(!wshub_io_fake_is_open((w)->net, c));                                               \
    } while (0)

/* Connects and authenticates; the `connected` event is taken, its id written to `id` (37 bytes)
 * if wanted. */
UNUSED static wshub_conn world_client(world *w, const char *user, char *id) {
    wshub_conn c = wshub_io_fake_connect(w->net, "/ws");
    char text[128];
    wshub_io_fake_frame f;
    EXPECT(c.id);
    if (user)
        (void)snprintf(text, sizeof text, "{\"event\":\"authenticate\",\"data\":{\"user\":\"%s\"}}",
                       user);
    else
        (void)snprintf(text, sizeof text, "{\"event\":\"authenticate\"}");
    wshub_io_fake_text(w->net, c, text);
    if (wshub_io_fake_next(w->net, c, &f) && id) {
        wshub_str v = wshub_json_get(wshub_json_get(f.payload, "data"), "id");
        (void)snprintf(id, 37, "%.36s", v.len == 38 ? v.ptr + 1 : "");
    }
    return c;
}

UNUSED static wshub_client world_handle(world *w, const char *id) {
    wshub_client c = {0};
    (void)wshub_client_find(w->hub, wshub_str_z(id), &c);
    return c;
}
UNUSED static wshub_msg msg(const char *event, const char *data) {
    wshub_msg m;
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z(event);
    m.data = wshub_str_z(data);
    return m;
}
UNUSED static wshub_stats stats(world *w) {
    wshub_stats s;
    wshub_stats_get(w->hub, &s);
    return s;
}

/* ---- what many tests use ---- */

UNUSED static wshub_str S(const char *z) {
    return wshub_str_z(z);
}

UNUSED static wshub_str nul(void) {
    return wshub__str(NULL, 0);
}

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define AUTH "{\"event\":\"authenticate\",\"data\":{\"user\":\"u\"}}"
UNUSED static wshub_ask kept_asks[8];
UNUSED static size_t kept_asks_count;

UNUSED static void keep_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)hub;
    (void)auth;
    (void)user;
    kept_asks[kept_asks_count++ % 8] = ask;
}

UNUSED static void keep_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs,
                                  void *user) {
    (void)hub;
    (void)hs;
    (void)user;
    kept_asks[kept_asks_count++ % 8] = ask;
}

UNUSED static void keep_event(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                              void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    kept_asks[kept_asks_count++ % 8] = ask;
}

/* As keep_event(), of so many that none is forgotten. */
UNUSED static wshub_ask every_ask[4096];
UNUSED static uint32_t every_ask_count;

UNUSED static void keep_every_event(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                                    void *user) {
    (void)hub;
    (void)c;
    (void)e;
    (void)user;
    every_ask[every_ask_count++] = ask;
}

/* What on_disconnected was told last, and how often it was told anything. */
UNUSED static struct {
    wshub_cause cause;
    int code, times;
} last_gone;

UNUSED static void keep_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)user;
    last_gone.cause = gone->cause;
    last_gone.code = gone->code;
    last_gone.times++;
}

UNUSED static wshub_exchange kept_request;

UNUSED static bool keep_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    kept_request = r;
    return true;
}

/* A client that does not read holds the log's segment, and nothing more fits into it. */
UNUSED static void fill_log(world *w) {
    wshub_msg m = msg("held", "1");
    char id[37];
    wshub_conn c = world_client(w, "holder", id);
    wshub_io_fake_window(w->net, c, 0);
    EXPECT_INT(wshub_client_send(w->hub, world_handle(w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w->net);
    w->hub->log->used = w->hub->log->cap;
}

/* And from here on no allocation succeeds, until mend(). */
UNUSED static void starve(world *w) {
    w->hub->log->used = w->hub->log->cap;
    w->fail_all = true;
}

UNUSED static void mend(world *w) {
    w->fail_all = false;
}

UNUSED static void keep_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)hub;
    (void)join;
    (void)user;
    kept_asks[kept_asks_count++ % 8] = ask;
}

UNUSED static wshub_err encrypt_all(wshub *hub, wshub_client c, void *user) {
    (void)user;
    return wshub_client_encrypt(hub, c);
}

UNUSED static char long_name[5000]; /* over WSHUB_NAME_BYTES_MAX */

UNUSED static wshub_str too_long(void) {
    memset(long_name, 'a', sizeof long_name);
    return wshub__str(long_name, sizeof long_name);
}

UNUSED static unsigned allocs_left;

UNUSED static void *few_allocs(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
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

enum { IO_KINDS = 4 };

UNUSED static wshub_io_fake_desc io_kind(int kind) {
    wshub_io_fake_desc fd;
    memset(&fd, 0, sizeof fd);
    fd.completion = kind == 1;
    fd.no_pause = kind == 2;
    fd.cut_bytes = kind == 3 ? 1 : 0;
    return fd;
}

UNUSED static uint32_t any_seed;

UNUSED static uint32_t any_of(uint32_t n) { /* 0 .. n-1 */
    any_seed ^= any_seed << 13;
    any_seed ^= any_seed >> 17;
    any_seed ^= any_seed << 5;
    return any_seed % n;
}

/* a JSON string of n bytes in all, n from 2 on; one buffer, given back at the program's end */
static char *json_string_buf;
UNUSED static void json_string_free(void) {
    free(json_string_buf);
}
UNUSED static char *json_string(size_t n) {
    static size_t cap;
    char *buf = json_string_buf;
    if (n + 1 > cap) {
        if (!buf) (void)atexit(json_string_free);
        buf = (char *)realloc(buf, n + 1);
        if (!buf) abort();
        json_string_buf = buf;
        cap = n + 1;
    }
    memset(buf, 'x', n);
    buf[0] = buf[n - 1] = '"';
    buf[n] = 0;
    return buf;
}

UNUSED static wshub_io_fake *refusal_net;

/* by a text that names the field, at both doors */
UNUSED static bool is_refused(wshub_desc d, const char *field) {
    wshub *hub = NULL;
    const char *why;
    d.io = wshub_io_fake_io(refusal_net);
    why = wshub_desc_problem(&d);
    if (wshub_create(&d, &hub) == WSHUB_OK) {
        wshub_destroy(hub);
        EXPECT(!why);
        return false;
    }
    EXPECT(why && (!field || strstr(why, field)));
    return true;
}

#define NO_DESC(field, ...) EXPECT(is_refused((wshub_desc){__VA_ARGS__}, field))
#define YES_DESC(...) EXPECT(!is_refused((wshub_desc){__VA_ARGS__}, NULL))
#endif
