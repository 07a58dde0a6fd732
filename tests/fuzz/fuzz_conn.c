/* A stream of bytes to a whole hub, twice: in one piece, and in pieces as the first byte says. Both times the answers
 * are the same, every index agrees with itself, and what the hub holds stays within its limits. The second byte says
 * whether the stream is a WebSocket already and authenticated. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 40
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_fake.h"

static size_t held, peak;
static void *count_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    held += new_bytes;
    held -= old_bytes;
    if (held > peak) peak = held;
    if (new_bytes == 0) {
        free(ptr);
        return NULL;
    }
    p = malloc(new_bytes); /* elsewhere each time */
    MUST(p);
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    return p;
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    MUST(wshub_auth_accept(hub, ask, NULL) == WSHUB_OK);
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    size_t i;
    (void)user;
    for (i = 0; i < join->rooms_count; i++) { /* ROOM-1 */
        MUST(join->rooms[i].len > 0 && join->rooms[i].len <= 1024 && wshub_utf8_check((const uint8_t *)join->rooms[i].ptr, join->rooms[i].len));
        MUST(join->rooms[i].len < 3 || memcmp(join->rooms[i].ptr, "ws:", 3) != 0);
    }
    (void)wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    MUST(!e->data.ptr || wshub_json_check(e->data, 0));
    MUST(wshub_client_send(hub, client, &m) == WSHUB_OK);
    return WSHUB_OK;
}
static bool on_request(wshub *hub, wshub_request request, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)user;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = http->body;
    return wshub_http_reply(hub, request, &r) == WSHUB_OK;
}

static size_t run(const uint8_t *data, size_t size, uint32_t cut, int begun, char *out, size_t cap) {
    wshub_io_fake_desc fd;
    wshub_desc d;
    wshub_io_fake *net;
    wshub *hub;
    wshub_conn c;
    wshub_str text;
    size_t n;
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    held = peak = 0;
    MUST(wshub_io_fake_create(&fd, &net) == WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    d.alloc = count_alloc;
    d.on_authenticate = on_authenticate;
    d.on_join = on_join;
    d.on_message = on_message;
    d.on_request = on_request;
    d.payload_bytes_max = 2000;
    d.http_body_bytes_max = 1000;
    MUST(wshub_create(&d, &hub) == WSHUB_OK);
    c = begun ? wshub_io_fake_connect(net, "/ws") : wshub_io_fake_open(net);
    if (begun > 1) wshub_io_fake_text(net, c, "{\"event\":\"authenticate\"}");
    wshub_io_fake_take(net, c, SIZE_MAX);
    wshub_io_fake_set_cut(net, cut, 0);
    wshub_io_fake_input(net, c, data, size);
    MUST(wshub_self_check(hub) == NULL);
    MUST(peak < 400000 + 40 * size); /* no count from the wire sizes anything */
    text = wshub_io_fake_output(net, c);
    n = text.len < cap ? text.len : cap;
    if (n) memcpy(out, text.ptr, n);
    if (n < cap) out[n++] = wshub_io_fake_is_open(net, c) ? 'o' : 'c';
    wshub_io_fake_advance(net, 300000); /* and whatever it said, silence ends it */
    MUST(!wshub_io_fake_is_open(net, c));
    MUST(wshub_self_check(hub) == NULL);
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    MUST(held == 0);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char a[300000], b[300000];
    size_t n, k;
    if (size < 2 || size > 6000) return 0;
    n = run(data + 2, size - 2, 0, data[1] % 3, a, sizeof a);
    k = run(data + 2, size - 2, 1u + data[0] % 16, data[1] % 3, b, sizeof b);
    MUST(n == k && memcmp(a, b, n) == 0);
    return 0;
}
