/* What the tests of the hub share: a hub on the fake io whose allocator counts, with the self-check after
 * every step, and a few words to speak to it as clients do. Includes everything. */
#ifndef HUBTEST_H
#define HUBTEST_H
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_fake.h"
#include "test.h"

typedef struct world {
    wshub_io_fake *net;
    wshub *hub;
    size_t bytes;  /* the hub holds */
    size_t peak;
    long fail_at;  /* the n-th growing allocation from now fails, once; 0: none */
    bool fail_all; /* or all of them do */
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
    world *w = (world *)user;
    const char *why = w->hub ? wshub_self_check(w->hub) : NULL;
    if (!why) return;
    (void)printf("  self-check: %s\n", why);
    abort();
}

__attribute__((unused)) static void world_note(world *w, const char *text) {
    size_t n = strlen(text);
    if (w->log_len + n + 1 >= sizeof w->log) return;
    memcpy(w->log + w->log_len, text, n + 1);
    w->log_len += n;
}

/* Accepts everybody as the user named by data.user, if there is one. */
__attribute__((unused)) static void accept_all(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    char buf[64];
    wshub_str name = wshub_json_get(auth->data, "user");
    size_t n = wshub_json_text(name, buf, sizeof buf);
    (void)user;
    memset(&who, 0, sizeof who);
    if (name.ptr && n <= sizeof buf) who.user_id = wshub__str(buf, n);
    EXPECT_INT(wshub_auth_accept(hub, ask, &who), WSHUB_OK);
}
__attribute__((unused)) static void join_all(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    (void)wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
}

/* d.io, alloc and user are filled in. */
__attribute__((unused)) static void world_start(world *w, wshub_desc d, wshub_io_fake_desc fd) {
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

__attribute__((unused)) static void world_stop(world *w) {
    wshub *hub = w->hub;
    w->hub = NULL;
    wshub_destroy(hub);
    wshub_io_fake_destroy(w->net);
    EXPECT_INT(w->bytes, 0);
}

#define DESC(...) ((wshub_desc){__VA_ARGS__})
#define FAKE(...) ((wshub_io_fake_desc){__VA_ARGS__})

/* The next frame is text and reads so. */
#define EXPECT_TEXT(w, c, want)                                                                                     \
    do {                                                                                                            \
        wshub_io_fake_frame test_f;                                                                                 \
        bool test_ok = wshub_io_fake_next((w)->net, c, &test_f);                                                    \
        if (!test_ok || !wshub_str_eq_z(test_f.payload, want)) {                                                    \
            test_failures++;                                                                                        \
            (void)printf("  %s:%d: %s: got %.*s\n    expected %s\n", __FILE__, __LINE__, test_name,                 \
                         test_ok ? (int)test_f.payload.len : 9, test_ok ? test_f.payload.ptr : "(nothing)", want);  \
        }                                                                                                           \
    } while (0)
#define EXPECT_SILENCE(w, c)                                                                                        \
    do {                                                                                                            \
        wshub_io_fake_frame test_f;                                                                                 \
        if (wshub_io_fake_next((w)->net, c, &test_f)) {                                                             \
            test_failures++;                                                                                        \
            (void)printf("  %s:%d: %s: got %.*s\n", __FILE__, __LINE__, test_name, (int)test_f.payload.len, test_f.payload.ptr); \
        }                                                                                                           \
    } while (0)
/* The next frame is a Close with this code (0: none in it), and the stream ends. */
#define EXPECT_CLOSE(w, c, want)                                                                                    \
    do {                                                                                                            \
        wshub_io_fake_frame test_f;                                                                                 \
        memset(&test_f, 0, sizeof test_f);                                                                          \
        (void)wshub_io_fake_next((w)->net, c, &test_f);                                                             \
        EXPECT_INT(test_f.opcode, 8);                                                                               \
        EXPECT_INT(test_f.code, want);                                                                              \
        if (wshub_io_fake_is_open((w)->net, c)) wshub_io_fake_send_close((w)->net, c, test_f.code, "");             \
        EXPECT(!wshub_io_fake_is_open((w)->net, c));                                                                \
    } while (0)

/* Connects and authenticates; the `connected` event is taken, its id written to `id` (37 bytes) if wanted. */
__attribute__((unused)) static wshub_conn world_client(world *w, const char *user, char *id) {
    wshub_conn c = wshub_io_fake_connect(w->net, "/ws");
    char text[128];
    wshub_io_fake_frame f;
    EXPECT(c.id);
    if (user) (void)snprintf(text, sizeof text, "{\"event\":\"authenticate\",\"data\":{\"user\":\"%s\"}}", user);
    else (void)snprintf(text, sizeof text, "{\"event\":\"authenticate\"}");
    wshub_io_fake_text(w->net, c, text);
    if (wshub_io_fake_next(w->net, c, &f) && id) {
        wshub_str v = wshub_json_get(wshub_json_get(f.payload, "data"), "id");
        (void)snprintf(id, 37, "%.36s", v.len == 38 ? v.ptr + 1 : "");
    }
    return c;
}

__attribute__((unused)) static wshub_client world_handle(world *w, const char *id) {
    wshub_client c = {0};
    (void)wshub_client_find(w->hub, wshub_str_z(id), &c);
    return c;
}
__attribute__((unused)) static wshub_msg msg(const char *event, const char *data) {
    wshub_msg m;
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z(event);
    m.data = wshub_str_z(data);
    return m;
}
__attribute__((unused)) static wshub_stats stats(world *w) {
    wshub_stats s;
    wshub_stats_get(w->hub, &s);
    return s;
}
#endif
