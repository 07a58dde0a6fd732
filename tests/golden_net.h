/* The player's actors and the transport under them: what a driver did, said to a hub over the fake io
 * or over sockets, and what each actor then received. Used by tests/golden.h. */
#ifndef GOLDEN_NET_H
#define GOLDEN_NET_H
#include <dirent.h>

/* ---- the transport under the player ---- */
typedef struct golden_net {
    void *ctx;
    bool (*start)(void *ctx, int argc, char **argv); /* a server with these options */
    int (*stop)(void *ctx, bool by_signal);          /* returns its exit status */
    bool (*open)(void *ctx, int slot);
    void (*write)(void *ctx, int slot, const void *bytes, size_t n);
    void (*end)(void *ctx, int slot);                    /* the connection just goes away */
    wshub_str (*read)(void *ctx, int slot, bool *ended); /* all output not taken yet */
    void (*take)(void *ctx, int slot, size_t n);
    void (*pass)(void *ctx, unsigned ms); /* time */
    bool virtual_time;
} golden_net;

typedef struct golden_got { /* one thing an actor received */
    /* 1, 2, 8, 10; -1: the end of its connection; 1000 + status: an HTTP answer */
    int opcode;
    char *bytes;
    size_t len;
} golden_got;

typedef struct golden_actor {
    char label[16], id[40];
    int slot;
    bool open, upgraded, mute, said_close, heard_close, pong;
    uint16_t close_code;
    char close_reason[128];
    golden_got got[512];
    int got_count, got_at;
} golden_actor;

typedef struct golden {
    const golden_net *net;
    const char *name;
    bool by_value;   /* "compare":"json" */
    bool lenient;    /* allocations fail: play, but expect nothing */
    unsigned slower; /* waits and the server's times are so many times longer */
    golden_actor actors[16];
    int actors_count, slots;
    text cork;
    golden_actor *corked;
    char why[1024]; /* the first difference */
} golden;

/* What the driver did beside the transcript. `a`: the next written action; the rest of them
 * follow. */
static const struct {
    const char *scenario, *step, *script;
    /* clang-format off */
} golden_hints[] = {
    {"auth-slow", "A is not closed later", "+600"},
    {"auth-timeout-in-progress", "the late acceptance changes nothing", "+2600"},
    {"auth-slow-disconnect", "B looks, also after the callback has answered", "a;+400"},
    {"auth-pipelined", "authenticate, join, echo, whoami in one write",
     "cork A;raw A {\"event\":\"authenticate\",\"data\":{\"token\":\"user:a\"}};raw A "
     "{\"event\":\"echo\",\"data\":1};"
     "raw A {\"event\":\"join\",\"data\":{\"rooms\":[\"public-a\"]}};raw A "
     "{\"event\":\"echo\",\"data\":2};uncork"},
    {"upgrade-coalesced", "request and authenticate in one write",
     "cork A;request A;raw A {\"event\":\"authenticate\",\"data\":{\"token\":\"user:a\"}};uncork"},
    {"upgrade-dribble", "a message byte by byte",
     "bytewise A {\"event\":\"authenticate\",\"data\":{\"token\":\"user:a\"}}"},
    {"upgrade-query", "A upgrades on /ws?token=abc", "path A /ws?token=abc"},
    {"upgrade-not-found", "upgrade on /", "path A /"},
    {"upgrade-not-found", "upgrade on /other", "path A /other"},
    {"upgrade-not-found", "upgrade on /ws/", "path A /ws/"},
    {"upgrade-not-found", "upgrade on /WS", "path A /WS"},
    {"upgrade-not-found", "upgrade on /wsx", "path A /wsx"},
    {"upgrade-not-found", "GET on the path without an Upgrade header", "plain B"},
    {"upgrade-not-found", "Upgrade to something else", "h2c C"},
    {"upgrade-bad-request", "no key", "nokey A"},
    {"upgrade-bad-request", "no version", "noversion A"},
    {"upgrade-bad-request", "version 12", "version12 A"},
    {"upgrade-bad-request", "POST", "post A"},
    {"upgrade-header-forms", "odd case", "oddcase A"},
    {"upgrade-subprotocol", "A offers two", "subprotocol A"},
    {"deflate-off", "A offers permessage-deflate", "deflate A"},
    {"clients-list", "", "open A;open B;open C;open D"},
    {"clients-list", "C goes, B is done", "a;+450"},
    {"send-all", "W is authenticating", "open U"},
    {"send-all", "W is done", "+1600"},
    {"rooms-stats", "A connected", "open A"},
    {"rooms-join-slow", "after the answer", "+300"},
    {"rooms-join-slow-disconnect", "no trace of A", "+300"},
    {"rooms-join-order", "later", "+300"},
    {"parse-depth", "more", "deep A"},
    {"hb-kept-alive", "heartbeats for 1.2 s", "12 raw A {\"event\":\"heartbeat\"};12 +100"},
    {"hb-any-message", "for 1.2 s",
     "12 raw A {\"event\":\"nothing\"};12 raw B not json;12 binary C {};12 raw D null;12 +100"},
    {"hb-ping-does-not-count", "pings only", "8 ping A;8 +80"},
    {"hb-unauthenticated", "A waits past the heartbeat timeout", "open A;+900"},
    {"hb-receiving", "A sends to B for a second",
     "10 raw A {\"event\":\"to-client\",\"data\":{\"id\":\"<B>\",\"event\":\"zz\",\"data\":-1}};10 "
     "+100"},
    {"idle-timeout", "16 s pass", "open A;open B;mute B;16 +1000;forget A"},
    {"frame-after-close", "close, then a message, in one write",
     "cork A;close A 1000;raw A "
     "{\"event\":\"all\",\"data\":{\"event\":\"late\",\"data\":1}};uncork"},
    {"frame-max-total", "1000 bytes in ten fragments", "fragments A 10"},
    {"frame-max-total", "1100 bytes in eleven", "fragments A 11"},
    {"shutdown-unresponsive", "", "open A;mute A"},
    /* what the kernel's buffers take: tests/test_send.c, drive.mjs */
    {"slow-consumer", "", "elsewhere"},
    {"slow-consumer-close", "", "elsewhere"},
};
/* clang-format on */

static void golden_fail(golden *g, const char *line, const char *what, const char *detail,
                        size_t n) {
    if (g->why[0] || g->lenient) return;
    (void)snprintf(g->why, sizeof g->why, "%s\n    %.300s\n    got %.*s", what, line,
                   (int)(n < 300 ? n : 300), detail ? detail : "");
}

static golden_actor *golden_find(golden *g, wshub_str label) {
    int i;
    for (i = g->actors_count - 1; i >= 0; i--) {
        if (wshub_str_eq_z(label, g->actors[i].label)) return &g->actors[i];
    }
    return NULL;
}

static void golden_clear(golden_actor *a) {
    int i;
    for (i = 0; i < a->got_count; i++) free(a->got[i].bytes);
    a->got_count = a->got_at = 0;
}

/* of a label seen before: a fresh connection */
static golden_actor *golden_actor_new(golden *g, wshub_str label) {
    golden_actor *a = golden_find(g, label);
    if (!a) a = &g->actors[g->actors_count < 15 ? g->actors_count++ : 15];
    golden_clear(a);
    memset(a, 0, sizeof *a);
    memcpy(a->label, label.ptr, label.len < 15 ? label.len : 15);
    a->slot = g->slots++;
    return a;
}

static void golden_got_add(golden_actor *a, int opcode, const char *bytes, size_t n) {
    golden_got *e = &a->got[a->got_count < 511 ? a->got_count++ : 511];
    e->opcode = opcode;
    e->bytes = (char *)malloc(n + 1);
    if (!e->bytes) abort();
    if (n) memcpy(e->bytes, bytes, n);
    e->bytes[n] = 0;
    e->len = n;
}

static void golden_write(golden *g, golden_actor *a, const void *bytes, size_t n) {
    if (g->corked == a) {
        text_add(&g->cork, (const char *)bytes, n);
    } else {
        g->net->write(g->net->ctx, a->slot, bytes, n);
    }
}

static void golden_frame(golden *g, golden_actor *a, int opcode, bool fin, int rsv, bool mask,
                         wshub_str p, uint64_t length) {
    wshub_frame f;
    uint8_t head[14];
    char *body = (char *)malloc(p.len + 1);
    text t = {NULL, 0, 0};
    if (!body) abort();
    memset(&f, 0, sizeof f);
    f.fin = fin;
    f.rsv = (uint8_t)rsv;
    f.opcode = (uint8_t)opcode;
    f.masked = mask;
    memcpy(f.mask, "\x37\xfa\x21\x3d", 4);
    f.payload_bytes = length != UINT64_MAX ? length : p.len;
    if (p.len) memcpy(body, p.ptr, p.len);
    if (mask) wshub_mask((uint8_t *)body, p.len, f.mask, 0);
    text_add(&t, (const char *)head, wshub_frame_write(&f, head));
    text_add(&t, body, p.len);
    golden_write(g, a, t.ptr, t.len);
    free(t.ptr);
    free(body);
}

static void golden_say(golden *g, golden_actor *a, int opcode, wshub_str s) {
    golden_frame(g, a, opcode, true, 0, true, s, UINT64_MAX);
}

static void golden_say_close(golden *g, golden_actor *a, uint16_t code, wshub_str reason) {
    char p[125];
    wshub_str s;
    p[0] = (char)(code >> 8);
    p[1] = (char)code;
    if (reason.len) memcpy(p + 2, reason.ptr, reason.len);
    s.ptr = p;
    s.len = code ? reason.len + 2 : 0;
    a->said_close = true;
    golden_say(g, a, 8, s);
}

/* Takes what has arrived for an actor and does what a client does by itself. */
static void golden_collect(golden *g, golden_actor *a) {
    bool ended = false, again = true;
    while (again && a->open) {
        wshub_str out = g->net->read(g->net->ctx, a->slot, &ended);
        wshub_frame f;
        again = false;
        if (!a->upgraded) {
            size_t end = 0;
            char *body;
            while (end + 4 <= out.len && memcmp(out.ptr + end, "\r\n\r\n", 4) != 0) end++;
            if (end + 4 <= out.len) {
                int status = atoi(out.ptr + 9);
                golden_got_add(a, 1000 + status, out.ptr, end + 4);
                a->upgraded = status == 101;
                body =
                    a->upgraded ? NULL : strstr(a->got[a->got_count - 1].bytes, "Content-Length: ");
                g->net->take(g->net->ctx, a->slot, end + 4 + (body ? (size_t)atoi(body + 16) : 0));
                again = true;
            }
        } else if (wshub_frame_read((const uint8_t *)out.ptr, out.len, &f) == 1 &&
                   out.len - f.head_bytes >= f.payload_bytes) {
            const char *p = out.ptr + f.head_bytes;
            size_t n = (size_t)f.payload_bytes;
            char copy[126];
            wshub_str s;
            memcpy(copy, p, n < 125 ? n : 125);
            s.ptr = copy;
            s.len = n;
            if (f.opcode == 8) {
                a->heard_close = true;
                a->close_code = (uint16_t)(n >= 2 ? (uint8_t)p[0] << 8 | (uint8_t)p[1] : 1005);
                (void)snprintf(a->close_reason, sizeof a->close_reason, "%.*s",
                               (int)(n > 2 ? n - 2 : 0), p + 2);
            }
            if (f.opcode == 10 && n == 3 && memcmp(p, "zzb", 3) == 0) {
                a->pong = true; /* the answer to a barrier */
            } else if (f.opcode != 9 && !(n > 12 && memcmp(p, "{\"event\":\"zz\"", 13) == 0))
                golden_got_add(a, f.opcode, p, n);
            g->net->take(g->net->ctx, a->slot, f.head_bytes + n);
            if (f.opcode == 8 && !a->said_close && !a->mute) {
                a->said_close = true;
                golden_say(g, a, 8, s);
            }
            if (f.opcode == 9 && !a->mute) golden_say(g, a, 10, s);
            again = true;
        } else if (ended) {
            a->open = false;
            golden_got_add(a, -1, "", 0);
        }
    }
}

static void golden_collect_all(golden *g) {
    int i;
    for (i = 0; i < g->actors_count; i++) golden_collect(g, &g->actors[i]);
}

static void golden_request(golden *g, golden_actor *a, const char *path, const char *kind) {
    text t = {NULL, 0, 0};
    text_z(&t, strcmp(kind, "post") == 0 ? "POST " : "GET ");
    text_z(&t, path);
    text_z(&t, " HTTP/1.1\r\nHost: fixture\r\n");
    if (strcmp(kind, "oddcase") == 0) {
        text_z(&t, "uPGRADE: WebSocket\r\nconnection: keep-alive, Upgrade\r\nSEC-WEBSOCKET-KEY: "
                   "dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n");
    } else {
        if (strcmp(kind, "plain") != 0)
            text_z(&t, strcmp(kind, "h2c") == 0 ? "Connection: Upgrade\r\nUpgrade: h2c\r\n"
                                                : "Connection: Upgrade\r\nUpgrade: websocket\r\n");
        if (strcmp(kind, "noversion") != 0)
            text_z(&t, strcmp(kind, "version12") == 0 ? "Sec-WebSocket-Version: 12\r\n"
                                                      : "Sec-WebSocket-Version: 13\r\n");
        if (strcmp(kind, "nokey") != 0)
            text_z(&t, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    }
    if (strcmp(kind, "subprotocol") == 0) text_z(&t, "Sec-WebSocket-Protocol: chat, superchat\r\n");
    if (strcmp(kind, "deflate") == 0)
        text_z(&t, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    text_z(&t, "\r\n");
    golden_write(g, a, t.ptr, t.len);
    free(t.ptr);
}

static golden_actor *golden_open(golden *g, wshub_str label, const char *path, const char *kind) {
    golden_actor *a = golden_find(g, label);
    if (a && a->open) g->net->end(g->net->ctx, a->slot);
    a = golden_actor_new(g, label);
    a->open = g->net->open(g->net->ctx, a->slot);
    if (a->open && kind) {
        golden_request(g, a, path, kind);
        g->net->pass(g->net->ctx, 0);
        golden_collect(g, a);
    }
    return a;
}

#endif
