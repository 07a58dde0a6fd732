/* make bench-sio: what Socket.IO costs beside the raw dialect, over an io that takes everything: two hubs
 * in one process, in turn, CPU time per delivery; memory of sessions that are idle.
 * build/bench_sio [ROUNDS [PART]]   the least and the median of so many rounds (9), and their ratio */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_dialect_socketio.h"
#include <stdio.h>
#include <time.h>

/* ---- an io that takes everything ---- */
typedef struct site {
    wshub *hub;
    wshub_io_owner owner;
    wshub_sio *sio; /* NULL: the raw dialect */
    wshub_io io;
    wshub_sio_namespace space;
    uint64_t held, ms;
    uint32_t clients;
    bool polled;      /* its sessions poll */
    char answer[600]; /* the last that was sent, as much as fits */
} site;

static void s_attach(void *ctx, const wshub_io_owner *owner) {
    if (owner) ((site *)ctx)->owner = *owner;
}
static int64_t s_send(void *ctx, wshub_conn conn, const wshub_span *spans, size_t count) {
    site *s = (site *)ctx;
    size_t i, n = 0, len = spans[0].len;
    (void)conn;
    for (i = 0; i < count; i++) n += spans[i].len;
    if (len > sizeof s->answer - 1) len = sizeof s->answer - 1;
    if (s->ms == 0) { /* while they come */
        memcpy(s->answer, spans[0].ptr, len);
        s->answer[len] = 0;
        for (i = 1; i < count && len + spans[i].len < sizeof s->answer; i++) {
            memcpy(s->answer + len, spans[i].ptr, spans[i].len);
            len += spans[i].len;
            s->answer[len] = 0;
        }
    }
    return (int64_t)n;
}
static void s_close(void *ctx, wshub_conn conn, bool flush) {
    (void)ctx;
    (void)conn;
    (void)flush;
}
static uint64_t s_now(void *ctx) {
    return 1000 + ((site *)ctx)->ms;
}
static bool s_random(void *ctx, uint8_t *bytes, size_t count) {
    static uint64_t state = 88172645463325252u;
    (void)ctx;
    while (count--) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[count] = (uint8_t)(state >> 20);
    }
    return true;
}
static void *s_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    site *s = (site *)user;
    s->held += new_bytes;
    s->held -= old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* ---- what clients say ---- */
static wshub_conn conn_of(uint32_t i) {
    wshub_conn conn;
    conn.id = (UINT64_C(1) << 32) | i;
    return conn;
}
static void hear(site *s, uint32_t i, const char *text, size_t n) {
    uint8_t bytes[2000];
    memcpy(bytes, text, n);
    s->owner.received(s->owner.ctx, conn_of(i), bytes, n);
}
/* A masked text frame of up to 125 bytes. */
static void feed(site *s, uint32_t i, const char *text) {
    char frame[140];
    size_t n = strlen(text), k;
    frame[0] = (char)0x81;
    frame[1] = (char)(0x80 | n);
    memcpy(frame + 2, "\1\2\3\4", 4);
    for (k = 0; k < n; k++) frame[6 + k] = (char)(text[k] ^ (char)(1 + k % 4));
    hear(s, i, frame, 6 + n);
}
static void settle(site *s) {
    (void)s->owner.settle(s->owner.ctx);
}
static void request(site *s, uint32_t i, const char *format, const char *sid) {
    char text[600];
    int n = snprintf(text, sizeof text, format, sid);
    hear(s, i, text, (size_t)n);
}

#define HOST "Host: bench.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"
#define UPGRADE                                                                                    \
    HOST "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"              \
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
static const char poll_head[] =
    "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n" HOST "\r\n";

static void open_conn(site *s, uint32_t i) {
    s->owner.opened(s->owner.ctx, conn_of(i));
}
/* A raw client, or one of Socket.IO that opens with a WebSocket, connected. */
static void come_by_socket(site *s, uint32_t i) {
    open_conn(s, i);
    request(s, i, "GET %s HTTP/1.1\r\n" UPGRADE,
            s->sio ? "/socket.io/?EIO=4&transport=websocket" : "/ws");
    settle(s);
    feed(s, i,
         s->sio ? "40" : "{\"event\":\"authenticate\",\"data\":{\"token\":\"0123456789abcdef\"}}");
    settle(s);
}
/* Opens by polling; `sid` becomes its session's. */
static void come_by_poll(site *s, uint32_t i, char sid[24]) {
    const char *at;
    open_conn(s, i);
    request(s, i, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n" HOST "%s", "\r\n");
    settle(s);
    at = strstr(s->answer, "\"sid\":\"");
    if (!at) exit(3);
    (void)snprintf(sid, 24, "%.20s", at + 7);
    request(s, i,
            "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n" HOST
            "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 2\r\n\r\n40",
            sid);
    settle(s);
    request(s, i, poll_head, sid);
    settle(s);
}
/* As a client with default options: polling, then a probe, then the WebSocket. */
static void come_by_both(site *s, uint32_t i) {
    char sid[24];
    come_by_poll(s, i, sid);
    open_conn(s, i + 1000000);
    request(s, i, poll_head, sid);
    request(s, i + 1000000, "GET /socket.io/?EIO=4&transport=websocket&sid=%s HTTP/1.1\r\n" UPGRADE,
            sid);
    settle(s);
    feed(s, i + 1000000, "2probe");
    settle(s);
    feed(s, i + 1000000, "5");
    settle(s);
    s->owner.closed(s->owner.ctx, conn_of(i));
    settle(s);
}

/* ---- servers ---- */
static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)client;
    (void)user;
    m.event = e->event;
    m.data = e->data;
    m.data_is_json = true;
    return wshub_room_send_here(hub, wshub_str_z("ws-default"), &m, NULL, 0);
}
static void on_event(wshub_sio *sio, wshub_client client, const wshub_sio_event *e, void *user) {
    site *s = (site *)user;
    wshub_packet packet;
    (void)client;
    memset(&packet, 0, sizeof packet);
    packet.event = e->name;
    packet.args = e->args;
    packet.args_count = e->args_count;
    packet.args_are_json = true;
    (void)wshub_sio_emit(sio, s->space, NULL, &packet);
}
static void start(site *s, bool socketio) {
    wshub_desc d;
    wshub_sio_desc sio;
    wshub_sio_namespace_desc space;
    memset(s, 0, sizeof *s);
    memset(&d, 0, sizeof d);
    memset(&sio, 0, sizeof sio);
    memset(&space, 0, sizeof space);
    s->io.version = WSHUB_IO_VERSION;
    s->io.ctx = s;
    s->io.attach = s_attach;
    s->io.send = s_send;
    s->io.close = s_close;
    s->io.now_ms = s->io.wall_ms = s_now;
    s->io.random = s_random;
    d.io = &s->io;
    d.alloc = s_alloc;
    d.alloc_user = s;
    d.on_authenticate = yes;
    d.on_message = on_message;
    if (wshub_create(&d, &s->hub)) exit(1);
    if (!socketio) return;
    sio.engine.alloc = s_alloc;
    sio.engine.alloc_user = s;
    space.on_event = on_event;
    space.user = s;
    if (wshub_sio_create(s->hub, &sio, &s->sio) ||
        wshub_sio_namespace_add(s->sio, &space, &s->space))
        exit(1);
}
static void stop(site *s) {
    wshub_destroy(s->hub);
    wshub_sio_destroy(s->sio);
}
static void fill(site *s, bool socketio, uint32_t n) {
    start(s, socketio);
    for (; s->clients < n; s->clients++) come_by_socket(s, s->clients);
    s->ms = 1;
}

/* ---- the works ---- */
static char text66[67], text1k[1400];
static uint8_t bytes1k[1024];
static void say(site *s) {
    wshub_str arg = wshub__str(text66, 66);
    wshub_packet packet;
    wshub_msg m;
    if (s->sio) {
        memset(&packet, 0, sizeof packet);
        packet.event = wshub_str_z("m");
        packet.args = &arg;
        packet.args_count = 1;
        packet.args_are_json = true;
        (void)wshub_sio_emit(s->sio, s->space, NULL, &packet);
    } else {
        m.event = wshub_str_z("m");
        m.data = arg;
        m.data_is_json = true;
        (void)wshub_room_send_here(s->hub, wshub_str_z("ws-default"), &m, NULL, 0);
    }
}
static double cpu(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static uint32_t burst;
static uint64_t run_fan(site *s) {
    uint64_t done = 0;
    uint32_t b;
    while (done < 2000000) {
        for (b = 0; b < burst; b++) say(s);
        settle(s);
        done += (uint64_t)s->clients * burst;
    }
    return done;
}
static uint64_t run_publishers(site *s) {
    char text[120];
    uint64_t done = 0;
    uint32_t b;
    (void)snprintf(text, sizeof text,
                   s->sio ? "42[\"p\",\"%064d\"]" : "{\"event\":\"p\",\"data\":\"%064d\"}", 7);
    while (done < 6000000) {
        for (b = 0; b < 64; b++) feed(s, b * 7, text);
        settle(s);
        done += (uint64_t)s->clients * 64;
    }
    return done;
}
/* An event with 1 KiB of bytes; of the raw dialect two messages of as many. */
static uint64_t run_bytes(site *s) {
    wshub_str arg = wshub_str_z("{\"_placeholder\":true,\"num\":0}");
    wshub_span span;
    wshub_packet packet;
    wshub_msg m;
    uint64_t done = 0;
    memset(&packet, 0, sizeof packet);
    span.ptr = bytes1k;
    span.len = sizeof bytes1k;
    packet.event = wshub_str_z("m");
    packet.args = &arg;
    packet.args_count = 1;
    packet.args_are_json = true;
    packet.attachments = &span;
    packet.attachments_count = 1;
    for (; done < 1000000; done += s->clients) {
        if (s->sio) {
            (void)wshub_sio_emit(s->sio, s->space, NULL, &packet);
        } else {
            m.event = wshub_str_z("m");
            m.data = wshub_str_z("\"012345678901\"");
            m.data_is_json = true;
            (void)wshub_room_send_here(s->hub, wshub_str_z("ws-default"), &m, NULL, 0);
            m.data = wshub__str(text1k, 1002);
            (void)wshub_room_send_here(s->hub, wshub_str_z("ws-default"), &m, NULL, 0);
        }
        settle(s);
    }
    return done;
}
static uint64_t run_echo(site *s) {
    uint64_t i;
    (void)s;
    for (i = 0; i < 200000; i++) {
        feed(s, (uint32_t)(i % s->clients),
             s->sio
                 ? "42[\"m\",\"0123456789012345678901234567890123456789012345678901234567890123\"]"
                 : "{\"event\":\"m\",\"data\":"
                   "\"0123456789012345678901234567890123456789012345678901234567890123\"}");
        if (i % 10 == 9) settle(s);
    }
    return i;
}

static const struct work {
    const char *name, *what;
    uint32_t clients, in_turn;
    uint64_t (*run)(site *s);
} works[] = {
    {"fan", "one event a turn to 1,000", 1000, 1, run_fan},
    {"burst16", "bursts of 16 to 1,000", 1000, 16, run_fan},
    {"burst64", "bursts of 64 to 1,000", 1000, 64, run_fan},
    {"publishers", "64 publishers to 1,000, parsing included", 1000, 64, run_publishers},
    {"bytes", "an event with 1 KiB of bytes, beside two raw messages", 1000, 1, run_bytes},
    {"one", "one client's event to itself, per message", 1, 1, run_echo},
};
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static void compare(const struct work *work, int rounds) {
    static site sites[2];
    double took[2][99], ratio[99];
    int r, k;
    for (k = 0; k < 2; k++) fill(&sites[k], k == 1, work->clients);
    burst = work->in_turn;
    for (r = 0; r < rounds; r++) {
        for (k = 0; k < 2; k++) {
            double t0 = cpu();
            uint64_t units = work->run(&sites[k]);
            took[k][r] = (cpu() - t0) / (double)units;
        }
        ratio[r] = took[1][r] / took[0][r];
    }
    for (k = 0; k < 2; k++) {
        stop(&sites[k]);
        qsort(took[k], (size_t)rounds, sizeof(double), by_value);
    }
    qsort(ratio, (size_t)rounds, sizeof(double), by_value);
    (void)printf("| %s | %.2f | %.2f | %.2f |\n", work->what, took[0][rounds / 2],
                 took[1][rounds / 2], ratio[rounds / 2]);
    (void)fflush(stdout);
}

/* Events to sessions that poll: each round an event is said ten times before they poll again. */
static void polling(int rounds) {
    static site s;
    static char sids[1000][24];
    uint32_t i;
    int r, k;
    double took[99];
    start(&s, true);
    for (i = 0; i < 1000; i++) come_by_poll(&s, i, sids[i]);
    s.ms = 1;
    for (r = 0; r < rounds; r++) {
        double t0 = cpu();
        for (k = 0; k < 20; k++) {
            say(&s);
            settle(&s);
            for (i = 0; i < 1000; i++) request(&s, i, poll_head, sids[i]);
            settle(&s);
        }
        took[r] = (cpu() - t0) / 20000;
    }
    qsort(took, (size_t)rounds, sizeof *took, by_value);
    (void)printf("\nan event to one of 1,000 sessions that poll, its next poll included: %.0f ns\n",
                 took[rounds / 2]);
    stop(&s);
}
static void connecting(int rounds) {
    static site s;
    double took[3][99];
    int r, k;
    uint32_t i;
    for (r = 0; r < rounds; r++) {
        for (k = 0; k < 3; k++) {
            double t0;
            start(&s, k != 0);
            t0 = cpu();
            for (i = 0; i < 2000; i++) {
                if (k < 2)
                    come_by_socket(&s, i);
                else
                    come_by_both(&s, i);
            }
            took[k][r] = (cpu() - t0) / 2000;
            stop(&s);
        }
    }
    for (k = 0; k < 3; k++) qsort(took[k], (size_t)rounds, sizeof(double), by_value);
    (void)printf(
        "\nconnecting: raw %.2f us; Socket.IO by a WebSocket %.2f us; by default options %.2f us\n",
        took[0][rounds / 2] / 1e3, took[1][rounds / 2] / 1e3, took[2][rounds / 2] / 1e3);
}
/* Every session that has come is there still. */
static void expect(site *s, uint64_t sockets) {
    wshub_sio_stats stats;
    wshub_sio_stats_get(s->sio, &stats);
    if (stats.sockets != sockets) exit(4);
}
static void memory(void) {
    static site s;
    char sid[24];
    uint32_t i;
    uint64_t before;
    fill(&s, false, 1000);
    before = s.held;
    for (i = 1000; i < 11000; i++) come_by_socket(&s, i);
    (void)printf("\nbytes an idle client: raw %llu; ",
                 (unsigned long long)(s.held - before) / 10000);
    stop(&s);
    fill(&s, true, 1000);
    s.ms = 0;
    before = s.held;
    for (i = 1000; i < 11000; i++) come_by_socket(&s, i);
    expect(&s, 11000);
    (void)printf("Socket.IO by a WebSocket %llu; ", (unsigned long long)(s.held - before) / 10000);
    stop(&s);
    start(&s, true);
    for (i = 0; i < 1000; i++) come_by_poll(&s, i, sid);
    before = s.held;
    for (i = 1000; i < 11000; i++) come_by_poll(&s, i, sid);
    expect(&s, 11000);
    (void)printf("polling, a poll held %llu; ", (unsigned long long)(s.held - before) / 10000);
    stop(&s);
    start(&s, true);
    for (i = 0; i < 1000; i++) come_by_both(&s, i);
    before = s.held;
    for (i = 1000; i < 11000; i++) come_by_both(&s, i);
    expect(&s, 11000);
    (void)printf("upgraded %llu\n", (unsigned long long)(s.held - before) / 10000);
    stop(&s);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 0, head = 0;
    size_t i;
    if (rounds < 1 || rounds > 99) rounds = 9;
    memset(text66, 'x', 66);
    memset(text1k, 'x', sizeof text1k);
    text66[0] = text66[65] = text1k[0] = text1k[1001] = '"';
    for (i = 0; i < sizeof works / sizeof *works; i++) {
        if (argc > 2 && !strstr(works[i].name, argv[2])) continue;
        if (!head++)
            (void)printf("CPU time in ns, median of %d rounds\n\n"
                         "| work | raw | Socket.IO | ratio |\n| --- | --- | --- | --- |\n",
                         rounds);
        compare(&works[i], rounds);
    }
    if (argc <= 2 || strstr("polling", argv[2])) polling(rounds);
    if (argc <= 2 || strstr("connecting", argv[2])) connecting(rounds);
    if (argc <= 2 || strstr("memory", argv[2])) memory();
    return 0;
}
