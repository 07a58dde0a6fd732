/* A stream of bytes to a whole hub, twice: in one piece, and in pieces as the first byte says.
 * Both times the answers are the same, every index agrees with itself, and what the hub holds
 * stays within its limits. The second byte says whether the stream is a WebSocket already and
 * authenticated, and how the peer, the application and the clock behave the second time: what
 * is read slowly, answered late, half-closed or read after a stall is the same in HTTP. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 40
#endif
#define _GNU_SOURCE
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
        MUST(join->rooms[i].len > 0 && join->rooms[i].len <= 1024 &&
             wshub_utf8_check((const uint8_t *)join->rooms[i].ptr, join->rooms[i].len));
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
enum { LATE = 1, SLOW = 2, HALF = 4, STALL = 8, SILENT = 16 };
static wshub_exchange kept[64]; /* asked, and to be answered later */
static size_t kept_count;
static char page[3000];
static int how;

static bool answer(wshub *hub, wshub_exchange request, wshub_str body) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = body;
    return wshub_http_reply(hub, request, &r) == WSHUB_OK;
}
static bool on_request(wshub *hub, wshub_exchange request, const wshub_http *http, void *user) {
    bool big = http->path.len && http->path.ptr[http->path.len - 1] == 'b';
    (void)user;
    MUST(http->body.len <= 1000 && http->path.len > 0);
    if (how & LATE && kept_count < sizeof kept / sizeof *kept) {
        kept[kept_count++] = request;
        return true;
    }
    return answer(hub, request,
                  how & LATE ? wshub__str("x", 1)
                  : big      ? wshub__str(page, sizeof page)
                             : http->body);
}
/* What was kept is answered, one after the other; the next may only come then. How long an answer
 * is goes by the order of requests, not by how many were kept at a time. */
static size_t answered;
static void answer_kept(wshub *hub, wshub_io_fake *net) {
    size_t i;
    for (i = 0; i < kept_count; i++) {
        /* STALE where the stream has ended meanwhile */
        (void)answer(hub, kept[i], wshub__str(page, answered++ % 3 * 900));
        wshub_io_fake_run(net);
    }
    kept_count = 0;
}
/* The time of an answer is no part of what is compared. */
static void mask_dates(char *p, size_t n) {
    size_t i;
    for (i = 0; i + 37 <= n; i++) {
        char *cr = (char *)memchr(p + i, '\r', n - i - 36);
        if (!cr) return;
        i = (size_t)(cr - p);
        if (memcmp(cr, "\r\nDate: ", 8) == 0) memset(cr + 8, '-', 29);
    }
}

static size_t run(const uint8_t *data, size_t size, uint32_t cut, int begun, int manner, char *out,
                  size_t cap) {
    wshub_io_fake_desc fd;
    wshub_desc d;
    wshub_io_fake *net;
    wshub *hub;
    wshub_conn c;
    wshub_str text;
    size_t n, rounds;
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    held = peak = kept_count = answered = 0;
    how = manner;
    MUST(wshub_io_fake_create(&fd, &net) == WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    d.alloc = count_alloc;
    d.on_authenticate = on_authenticate;
    d.on_join = on_join;
    d.on_message = on_message;
    d.on_request = on_request;
    d.payload_bytes_max = 2000;
    d.http_body_bytes_max = 1000;
    d.http_timeout_ms = 290000;
    d.http_answers_bytes_max = 4000; /* answers over it stop requests, SEND-6 */
    MUST(wshub_create(&d, &hub) == WSHUB_OK);
    c = begun ? wshub_io_fake_connect(net, "/ws") : wshub_io_fake_open(net);
    if (begun > 1) wshub_io_fake_text(net, c, "{\"event\":\"authenticate\"}");
    wshub_io_fake_take(net, c, SIZE_MAX);
    wshub_io_fake_set_cut(net, cut, 0);

    /* What arrives while the process is stopped is read before anybody is judged (LIVE-3). */
    if (how & SILENT) wshub_io_fake_silent(net, c, true);
    if (how & SLOW) wshub_io_fake_window(net, c, 100);
    if (how & STALL && begun != 1) {
        wshub_io_fake_stall(net, true);
        wshub_io_fake_advance(net, 20000);
    }
    wshub_io_fake_input(net, c, data, size);
    if (how & STALL) wshub_io_fake_stall(net, false);
    if (how & HALF) wshub_io_fake_half_close(net, c);
    for (rounds = 0; kept_count && rounds < 1000; rounds++) answer_kept(hub, net);
    if (how & SLOW) {
        size_t before;
        do {
            before = wshub_io_fake_output(net, c).len;
            MUST(peak < 400000 + 40 * size); /* what is owed to who does not read has a limit */
            wshub_io_fake_window(net, c, before ? 1700 : UINT64_MAX);
            for (rounds = 0; kept_count && rounds < 1000; rounds++) answer_kept(hub, net);
        } while (wshub_io_fake_output(net, c).len > before);
    }

    MUST(wshub_self_check(hub) == NULL);
    MUST(peak < 400000 + 40 * size); /* no count from the wire sizes anything */
    text = wshub_io_fake_output(net, c);
    n = text.len < cap ? text.len : cap;
    if (n) memcpy(out, text.ptr, n);
    mask_dates(out, n);
    if (n < cap && !(how & (HALF | SILENT | STALL)))
        out[n++] = wshub_io_fake_is_open(net, c) ? 'o' : 'c';
    wshub_io_fake_advance(net, 300000); /* and whatever it said, silence ends it */
    MUST(!wshub_io_fake_is_open(net, c) && wshub_io_fake_is_gone(net, c));
    MUST(wshub_self_check(hub) == NULL);
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    MUST(held == 0);
    return n;
}

/* Does what is compared have to be the same? On a WebSocket a slow reader misses messages and
 * pongs, and silence is told. */
static bool comparable(const char *a, size_t n, int begun, int manner) {
    if (!(manner & (SLOW | HALF | STALL))) return true;
    if (begun) return begun == 2 && !(manner & (SLOW | HALF));
    return !memmem(a, n, "HTTP/1.1 101 ", 13);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char a[300000], b[300000];
    size_t n, k;
    int begun, manner;
    if (size < 2 || size > 6000) return 0;
    begun = data[1] % 3;
    manner = data[1] / 3 & 31;
    n = run(data + 2, size - 2, 0, begun, manner & LATE, a, sizeof a);
    k = run(data + 2, size - 2, 1u + data[0] % 16, begun, manner, b, sizeof b);
    if (!comparable(a, n, begun, manner)) return 0;
    /* the end may come later, or be there already: a head that is not whole is late */
    if (manner & (HALF | SILENT | STALL)) n--;
    MUST(n == k && memcmp(a, b, n) == 0);
    return 0;
}
