/* Clients in memory: a pool on the fake io, whose servers a test plays by hand, or whose streams are
 * joined with those of a hub on the same io. */
#ifndef CLIENT_SITE_H
#define CLIENT_SITE_H

/* What a WebSocket has told, each in a line: `opened P`, `text ...`, `bytes N`, `pong ...`,
 * `drained`, `ended why code reason`. */
typedef struct site {
    wshub_io_fake *fake;
    wshub_ws_pool *pool;
    char told[8192];
    size_t told_len;
    wshub_ask question;
    char name[300];
    char gone_text[200]; /* of the last end */
    uint64_t bytes;      /* allocated now */
    uint64_t fail_in;
    void (*on_event)(struct site *s, wshub_ws ws, const char *what);
    uint32_t messages;
    bool quiet; /* messages are only counted */
} site;

UNUSED static void site_tell(site *s, const char *word, const void *text, size_t len) {
    int n = snprintf(s->told + s->told_len, sizeof s->told - s->told_len, "%s%s%.*s\n", word,
                     len ? " " : "", (int)len, (const char *)text);
    s->told_len += (size_t)n;
    if (s->told_len >= sizeof s->told) abort();
}
/* All that was told since the last call. */
UNUSED static const char *site_told(site *s) {
    static char copy[8192];
    memcpy(copy, s->told, s->told_len + 1);
    s->told_len = 0;
    s->told[0] = 0;
    return copy;
}
static void site_event(site *s, wshub_ws ws, const char *what) {
    if (s->on_event) s->on_event(s, ws, what);
}
static void site_opened(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_about *about, void *user) {
    (void)pool;
    site_tell((site *)user, "opened", about->protocol.ptr, about->protocol.len);
    site_event((site *)user, ws, "opened");
}
static void site_message(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind, uint8_t *bytes,
                         size_t count, void *user) {
    site *s = (site *)user;
    char number[24];
    (void)pool;
    s->messages++;
    if (kind == WSHUB_WS_TEXT && count < 200 && !s->quiet) {
        site_tell(s, "text", bytes, count);
    } else if (!s->quiet) {
        (void)snprintf(number, sizeof number, "%lu", (unsigned long)count);
        site_tell(s, kind == WSHUB_WS_TEXT ? "long" : "bytes", number, strlen(number));
    }
    memset(bytes, 'x', count); /* they are ours */
    site_event(s, ws, "message");
}
static void site_pong(wshub_ws_pool *pool, wshub_ws ws, const uint8_t *bytes, size_t count,
                      void *user) {
    (void)pool;
    site_tell((site *)user, "pong", bytes, count);
    site_event((site *)user, ws, "pong");
}
static void site_drained(wshub_ws_pool *pool, wshub_ws ws, void *user) {
    (void)pool;
    site_tell((site *)user, "drained", NULL, 0);
    site_event((site *)user, ws, "drained");
}
/* The line for people says code and reason, in printable ASCII. */
static void site_closed_text(const wshub_ws_gone *gone) {
    char begins[40];
    const char *p;
    int n = snprintf(begins, sizeof begins, "closed with %u%s", gone->code,
                     gone->reason.len ? ": " : "");
    EXPECT(strncmp(gone->text, begins, (size_t)n) == 0);
    EXPECT_INT(strlen(gone->text), (size_t)n + gone->reason.len);
    for (p = gone->text; *p; p++) EXPECT(*p >= ' ' && *p <= '~');
}
static void site_ended(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone, void *user) {
    char text[300];
    int n = snprintf(text, sizeof text, "%s", wshub_ws_why_name(gone->why));
    if (gone->opened) n += snprintf(text + n, sizeof text - (size_t)n, " %u", gone->code);
    if (gone->status) n += snprintf(text + n, sizeof text - (size_t)n, " %d", gone->status);
    if (gone->reason.len)
        n += snprintf(text + n, sizeof text - (size_t)n, " %.*s", (int)gone->reason.len,
                      gone->reason.ptr);
    if (gone->raced) n += snprintf(text + n, sizeof text - (size_t)n, " raced");
    EXPECT(gone->text && *gone->text);
    (void)snprintf(((site *)user)->gone_text, sizeof((site *)user)->gone_text, "%s", gone->text);
    if (gone->opened && gone->why == WSHUB_WS_END_CLOSE) site_closed_text(gone);
    EXPECT(wshub_ws_state_of(pool, ws) == WSHUB_WS_GONE);
    site_tell((site *)user, "ended", text, (size_t)n);
    site_event((site *)user, ws, "ended");
}
static const wshub_ws_events site_events = {site_opened, site_message, site_pong, site_drained,
                                            site_ended};

static void *site_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    site *s = (site *)user;
    void *out;
    if (new_bytes && s->fail_in && !--s->fail_in) return NULL;
    if (!new_bytes) {
        if (ptr) memset(ptr, 0xDD, old_bytes); /* whoever looks at it again is found */
        free(ptr);
        s->bytes -= old_bytes;
        return NULL;
    }
    out = malloc(new_bytes); /* it always moves */
    if (!out) abort();
    if (ptr) memcpy(out, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    s->bytes += new_bytes - old_bytes;
    return out;
}
UNUSED static void site_resolve(wshub_ws_pool *pool, wshub_ask question, const char *name,
                                void *user) {
    site *s = (site *)user;
    (void)pool;
    s->question = question;
    (void)snprintf(s->name, sizeof s->name, "%s", name);
}
/* The site lies still: callbacks know it by its address. */
static bool site_start(site *s, bool resolver, const wshub_io_fake_desc *fake) {
    wshub_ws_pool_desc d;
    memset(s, 0, sizeof *s);
    if (wshub_io_fake_create(fake, &s->fake)) abort();
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(s->fake);
    d.user = s;
    if (resolver) d.resolve = site_resolve;
    d.alloc = site_alloc;
    d.alloc_user = s;
    return wshub_ws_pool_create(&d, &s->pool) == WSHUB_OK;
}
static void site_stop(site *s) {
    wshub_ws_pool_destroy(s->pool);
    EXPECT_INT(s->bytes, 0);
    wshub_io_fake_destroy(s->fake);
}
/* Opens with the site's events; d may be NULL. */
UNUSED static wshub_ws site_open(site *s, const char *url, const wshub_ws_desc *d) {
    wshub_ws_desc desc;
    wshub_ws ws = {0};
    memset(&desc, 0, sizeof desc);
    if (d) desc = *d;
    desc.url = url;
    desc.events = &site_events;
    desc.user = s;
    EXPECT_INT(wshub_ws_open(s->pool, &desc, &ws), WSHUB_OK);
    wshub_io_fake_run(s->fake);
    return ws;
}
/* Takes the stream that is dialled next; where: its address, NULL: any. */
static wshub_conn site_dialled(site *s, const char *where) {
    wshub_conn c = {0};
    const char *address = "";
    EXPECT(wshub_io_fake_dialled(s->fake, &c, &address));
    if (where) EXPECT_STR(address, where);
    return c;
}
static void site_say(site *s, wshub_conn c, const char *text) {
    wshub_io_fake_input(s->fake, c, text, strlen(text));
}
/* The accept value for the request that lies in the output, which is taken. request: of 8192 bytes;
 * may be NULL. */
static void site_request(site *s, wshub_conn c, char *request, char accept[29]) {
    wshub_str out = wshub_io_fake_output(s->fake, c), key;
    const char *at = strstr(out.ptr, "Sec-WebSocket-Key: ");
    if (request) (void)snprintf(request, 8192, "%s", out.ptr);
    EXPECT(at != NULL);
    if (at) {
        key.ptr = at + 19;
        key.len = 24;
        wshub_accept_key(key, accept);
        accept[28] = 0;
    }
    wshub_io_fake_take(s->fake, c, out.len);
}
/* Answers with the usual 101, `more` behind Sec-WebSocket-Accept (lines), `rest` behind the head. */
UNUSED static void site_accept(site *s, wshub_conn c, const char *more, const char *rest) {
    char accept[29], text[2048];
    site_request(s, c, NULL, accept);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n%s",
                   accept, more, rest);
    site_say(s, c, text);
}
/* Opens one and lets it be accepted. */
UNUSED static wshub_ws site_connect(site *s, const wshub_ws_desc *d, wshub_conn *out_conn) {
    wshub_ws ws = site_open(s, "ws://127.0.0.1:81/p?q", d);
    *out_conn = site_dialled(s, "127.0.0.1:81");
    wshub_io_fake_answer(s->fake, *out_conn, true);
    site_accept(s, *out_conn, "", "");
    EXPECT_STR(site_told(s), "opened\n");
    EXPECT_INT(wshub_ws_state_of(s->pool, ws), WSHUB_WS_OPEN);
    return ws;
}
/* Takes the next frame that the client has sent, unmasked; false: none is there, or it has no mask.
 * Its texts are views until the next call. */
UNUSED static bool site_next(site *s, wshub_conn c, wshub_io_fake_frame *out) {
    static uint8_t payload[100000];
    wshub_str text = wshub_io_fake_output(s->fake, c);
    wshub_frame f;
    memset(out, 0, sizeof *out);
    if (wshub_frame_read((const uint8_t *)text.ptr, text.len, &f) != 1) return false;
    if (!f.masked || text.len < f.head_bytes + f.payload_bytes || f.payload_bytes > sizeof payload)
        return false;
    if (f.payload_bytes) memcpy(payload, text.ptr + f.head_bytes, (size_t)f.payload_bytes);
    wshub_mask(payload, (size_t)f.payload_bytes, f.mask, 0);
    wshub_io_fake_take(s->fake, c, f.head_bytes + (size_t)f.payload_bytes);
    out->opcode = f.opcode;
    out->payload.ptr = (const char *)payload;
    out->payload.len = (size_t)f.payload_bytes;
    if (f.opcode == 8 && f.payload_bytes >= 2) {
        out->code = (uint16_t)(payload[0] << 8 | payload[1]);
        out->reason.ptr = (const char *)payload + 2;
        out->reason.len = (size_t)f.payload_bytes - 2;
    }
    return true;
}
/* A server's frame. */
UNUSED static void site_frame(site *s, wshub_conn c, unsigned first, const void *bytes,
                              size_t count) {
    uint8_t head[14];
    wshub_frame f;
    memset(&f, 0, sizeof f);
    f.payload_bytes = count;
    f.opcode = first & 15;
    f.rsv = (uint8_t)(first >> 4 & 7);
    f.fin = first & 0x80;
    wshub_io_fake_hold(s->fake, true);
    wshub_io_fake_input(s->fake, c, head, wshub_frame_write(&f, head));
    if (count) wshub_io_fake_input(s->fake, c, bytes, count);
    wshub_io_fake_hold(s->fake, false);
}
#endif
