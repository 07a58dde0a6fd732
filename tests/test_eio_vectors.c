/* Requests to Node's server of Engine.IO and its answers, and what its reader made of payloads, as
 * recorded (tests/socketio/): each is played against an engine whose application echoes, with the
 * bytes of every request whole, one at a time, and cut at each place. */
#include "vectors.h"

static eio_site s;
static vec_said said;
static char told[8000];
static char answer[8000];

/* Puts a line at the end of a text. Bytes are in hexadecimal where the mark says so, and a zero
 * among those of a text shows. */
static void put_line(char *to, size_t cap, char mark, const char *bytes, size_t len) {
    size_t n = strlen(to), i;
    wshub_span span;
    span.ptr = (const uint8_t *)bytes;
    span.len = len;
    EXPECT_OP(n + 3 * len + 4, <, cap);
    n += (size_t)sprintf(to + n, "%c ", mark);
    if (mark == '+') n += vec_hex(span, to + n);
    for (i = 0; mark != '+' && i < len; i++) {
        if (bytes[i])
            to[n++] = bytes[i];
        else
            n += (size_t)sprintf(to + n, "(0)");
    }
    (void)strcpy(to + n, "\n");
}
static void on_message(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes,
                       size_t count, bool text, void *user) {
    put_line(told, sizeof told, text ? '>' : '+', (const char *)bytes, count);
    eio_site_message(eio, session, bytes, count, text, user);
}
static const char *refusal; /* what `allow` says no with; empty: nothing in particular */
static bool refuse_all(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                       void *user) {
    (void)http, (void)user;
    EXPECT_INT(wshub_eio_refuse(eio, exchange, refusal[0] ? refusal : NULL), WSHUB_OK);
    return false;
}

/* ---- how things stand ---- */

static wshub_eio_cors cors;
static const char *origins[4];

static wshub_eio_desc desc;

/* Takes an option of a case. */
static void option(const char *line) {
    static const struct {
        const char *name;
        bool *flag;
        const char **text;
    } options[] = {
        {"credentials", &cors.credentials, NULL}, {"methods", NULL, &cors.methods},
        {"headers", NULL, &cors.headers},         {"expose", NULL, &cors.expose},
        {"cookie", NULL, &desc.cookie},           {"cookie_rest", NULL, &desc.cookie_rest},
        {"initial", NULL, &desc.initial},         {"no_polling", &desc.no_polling, NULL},
        {"no_upgrade", &desc.no_upgrade, NULL},   {"no_websocket", &desc.no_websocket, NULL},
    };
    const char *value = strchr(line, ' ');
    wshub_str name = wshub__str(line, value ? (size_t)(value - line) : strlen(line));
    size_t i;
    value = value ? value + 1 : "";
    for (i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (!wshub_str_eq_z(name, options[i].name)) continue;
        if (options[i].flag) *options[i].flag = true;
        if (options[i].text) *options[i].text = value;
        return;
    }
    if (wshub_str_eq_z(name, "origin")) {
        cors.origins = origins;
        origins[cors.origins_count++] = value;
        desc.cors = &cors;
    } else if (wshub_str_eq_z(name, "reflect")) {
        cors.reflect = true;
        desc.cors = &cors;
    } else if (wshub_str_eq_z(name, "max_age")) {
        cors.max_age_s = (uint32_t)atoi(value);
    } else if (wshub_str_eq_z(name, "refusal")) {
        refusal = value;
        desc.allow = refuse_all;
    } else if (wshub_str_eq_z(name, "defaults")) {
        memset(&desc, 0, sizeof desc);
    } else {
        EXPECT_STR(line, "(an option that is known)");
    }
}

static void start(const vec_case *c) {
    size_t i;
    memset(&s, 0, sizeof s);
    memset(&desc, 0, sizeof desc);
    memset(&cors, 0, sizeof cors);
    told[0] = 0;
    world_start(&s.w, DESC(0), FAKE(0));
    desc.ping_interval_ms = 400;
    desc.ping_timeout_ms = 300;
    desc.upgrade_timeout_ms = 500;
    desc.message_bytes_max = 1000;
    for (i = 0; i < c->count; i++) {
        if (c->lines[i].mark == '@' && strncmp(c->lines[i].text, "with ", 5) == 0)
            option(c->lines[i].text + 5);
    }
    desc.path = "/socket.io";
    desc.on_open = eio_site_opened;
    desc.on_message = on_message;
    desc.on_close = eio_site_closed;
    desc.on_refused = eio_site_refused;
    desc.user = &s;
    desc.alloc = world_alloc;
    desc.alloc_user = &s.w;
    EXPECT_INT(wshub_eio_create(s.w.hub, &desc, &s.eio), WSHUB_OK);
}

/* Does what stands in a line `@` or `!`, on streams of its own. */
static void act(const char *line) {
    static wshub_conn held;
    char many[2100];
    if (strcmp(line, "open") == 0) {
        (void)eio_open(&s);
    } else if (strncmp(line, "wait ", 5) == 0) {
        wshub_io_fake_advance(s.w.net, (uint64_t)atoi(line + 5));
    } else if (strcmp(line, "poll") == 0) {
        held = wshub_io_fake_open(s.w.net);
        eio_ask(&s, held, "GET", EIO_POLL, "", NULL);
    } else if (strcmp(line, "abort") == 0) {
        wshub_io_fake_end(s.w.net, held);
        wshub_io_fake_run(s.w.net);
    } else if (strncmp(line, "post ", 5) == 0) {
        eio_ask(&s, wshub_io_fake_open(s.w.net), "POST", EIO_POLL, "", line + 5);
    } else if (strcmp(line, "part") == 0) {
        eio_ask(&s, wshub_io_fake_open(s.w.net), "POST", EIO_POLL, "Content-Length: 10\r\n\r\n4abc",
                NULL);
    } else if (strcmp(line, "close") == 0) {
        EXPECT_INT(wshub_eio_close(s.eio, s.last), WSHUB_OK);
        wshub_io_fake_run(s.w.net);
    } else if (strncmp(line, "send ", 5) == 0) {
        memset(many, 'x', sizeof many);
        EXPECT_INT(wshub_eio_send(s.eio, s.last, many, (size_t)atoi(line + 5), true), WSHUB_OK);
    } else if (strcmp(line, "continues") != 0 && strncmp(line, "with ", 5) != 0) {
        EXPECT_STR(line, "(something that is known)");
    }
}

/* ---- requests and answers ---- */

static void put_filled(const char *text) {
    const char *at = strstr(text, "{sid}");
    vec_put(&said, text, at ? (size_t)(at - text) : strlen(text));
    if (!at) return;
    vec_put(&said, s.sid, 20);
    put_filled(at + 5);
}

/* Puts a request together; by how things stand, and the session's id. */
static void put_request(const vec_case *c) {
    size_t i;
    said.len = 0;
    for (i = 0; i < c->count; i++) {
        if (c->lines[i].mark != '>') continue;
        put_filled(c->lines[i].text);
        vec_put(&said, "\r\n", 2);
    }
    vec_put(&said, "\r\n", 2);
    for (i = 0; i < c->count; i++)
        if (c->lines[i].mark == '.') vec_put(&said, c->lines[i].text, c->lines[i].len);
}

static int by_text(const void *a, const void *b) {
    return strcmp((const char *)a, (const char *)b);
}

/* The lines of a head, but for those that say how long the body is, when it is, and that the
 * stream stays, in their order and their names in small letters. */
static size_t put_head(const eio_answer *a, char *out) {
    static char lines[24][200];
    const char *p = strchr(a->head.ptr, '\n') + 1, *end = a->head.ptr + a->head.len;
    size_t count = 0, n = (size_t)sprintf(out, "< %d\n", a->status), i;
    while (p < end && count < 24) {
        const char *next = (const char *)memchr(p, '\r', (size_t)(end - p));
        char *line = lines[count];
        (void)snprintf(line, sizeof lines[0], "%.*s", (int)(next - p), p);
        for (i = 0; line[i] && line[i] != ':'; i++) line[i] = (char)tolower((uint8_t)line[i]);
        if (strncmp(line, "date:", 5) != 0 && strncmp(line, "content-length:", 15) != 0) count++;
        p = next + 2;
    }
    qsort(lines, count, sizeof lines[0], by_text);
    for (i = 0; i < count; i++) n += (size_t)sprintf(out + n, "< %s\n", lines[i]);
    return n;
}

/* Puts {sid} where the session's id stands. */
static void hide_sid(char *text) {
    char *at;
    if (!s.sid[0]) return;
    while ((at = strstr(text, s.sid)) != NULL) {
        memcpy(at, "{sid}", 5);
        memmove(at + 5, at + 20, strlen(at + 20) + 1);
    }
}

/* What has come on a stream. */
static const char *answered(wshub_conn c) {
    eio_answer a = eio_look(&s, c);
    size_t n = 0;
    const char *sid;
    answer[0] = 0;
    if (!a.status) return wshub_io_fake_is_open(s.w.net, c) ? "(nothing)\n" : "< closed\n";
    n = put_head(&a, answer);
    if (a.body.len) n += (size_t)sprintf(answer + n, ": %s\n", eio_body(&a));
    eio_take(&s, c, &a);
    if (a.status == 101) {
        wshub_io_fake_frame f;
        if (wshub_io_fake_next(s.w.net, c, &f))
            n += (size_t)sprintf(answer + n, ": %.*s\n", f.opcode == 8 ? 6 : (int)f.payload.len,
                                 f.opcode == 8 ? "closed" : f.payload.ptr);
    }
    sid = strstr(answer, "0{\"sid\":\"");
    if (sid) memcpy(s.sid, sid + 9, 20);
    hide_sid(answer);
    return answer;
}

static const char *expected(const vec_case *c) {
    static char text[8000];
    size_t i, n = 0;
    text[0] = 0;
    for (i = 0; i < c->count; i++)
        if (c->lines[i].mark == '<' || c->lines[i].mark == ':')
            n += (size_t)sprintf(text + n, "%c %s\n", c->lines[i].mark, c->lines[i].text);
    return text;
}

/* One request. Returns how long it was. */
static long play(const vec_case *c, long cut) {
    wshub_conn conn;
    size_t i;
    long len;
    char how[40];
    (void)snprintf(how, sizeof how, "cut %ld", cut);
    for (i = 0; i < c->count; i++)
        if (c->lines[i].mark == '@') act(c->lines[i].text);
    put_request(c);
    len = (long)said.len;
    conn = wshub_io_fake_open(s.w.net);
    vec_say(s.w.net, conn, &said, cut);
    for (i = 0; i < c->count; i++)
        if (c->lines[i].mark == '!') act(c->lines[i].text);
    (void)vec_same(c->name, how, answered(conn), expected(c));
    for (i = 0; i < c->count; i++) {
        char want[60];
        if (c->lines[i].mark != '=') continue;
        (void)snprintf(want, sizeof want, "%s;", c->lines[i].text);
        (void)vec_same(c->name, how, s.closed ? s.reasons : "open;", want);
    }
    return len;
}

static bool continues(const vec_case *c) {
    size_t i;
    for (i = 0; i < c->count; i++)
        if (c->lines[i].mark == '@' && strcmp(c->lines[i].text, "continues") == 0) return true;
    return false;
}

/* A case, and those that continue it. Returns how long the longest request was. */
static long play_chain(const vec_file *f, size_t from, long cut) {
    long longest = 0, len;
    size_t i;
    start(&f->cases[from]);
    for (i = from; i < f->count && (i == from || continues(&f->cases[i])); i++) {
        len = play(&f->cases[i], cut);
        if (len > longest) longest = len;
    }
    eio_stop(&s);
    return longest;
}

TEST(requests_are_answered_as_recorded_whole_and_cut_everywhere) { /* 2.1 to 2.9 */
    vec_file f;
    size_t i;
    vec_read(&f, "tests/socketio/http.txt", 118);
    for (i = 0; i < f.count; i++) {
        long len, cut;
        int before = test_failures;
        if (continues(&f.cases[i])) continue;
        len = play_chain(&f, i, VEC_WHOLE);
        if (test_failures == before) (void)play_chain(&f, i, VEC_SINGLY);
        for (cut = 1; cut < len && test_failures == before; cut += cut < 400 ? 1 : 40)
            (void)play_chain(&f, i, cut);
    }
    vec_free(&f);
}

/* ---- payloads ---- */

static void read_payload(const vec_case *c, long cut) {
    wshub_conn conn;
    char want[2000], text[200];
    size_t i;
    want[0] = 0;
    start(c);
    (void)eio_open(&s);
    for (i = 0; i < c->count; i++) {
        const vec_line *line = &c->lines[i];
        if (line->mark != '.') put_line(want, sizeof want, line->mark, line->text, line->len);
    }
    said.len = 0;
    (void)snprintf(text, sizeof text,
                   "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n"
                   "Content-Length: %u\r\n\r\n",
                   s.sid, (unsigned)c->lines[0].len);
    vec_put(&said, text, strlen(text));
    vec_put(&said, c->lines[0].text, c->lines[0].len);
    conn = wshub_io_fake_open(s.w.net);
    vec_say(s.w.net, conn, &said, cut);
    EXPECT_ANSWER(&s, conn, 200, "ok");
    if (s.closed) put_line(told, sizeof told, '=', s.reasons, strlen(s.reasons) - 1);
    (void)vec_same(c->name, "post", told, want);
    eio_stop(&s);
}

static void write_payload(const vec_case *c) {
    wshub_conn conn;
    wshub_io_fake_frame f;
    size_t i;
    start(c);
    conn = eio_open(&s);
    for (i = 0; i < c->count; i++) {
        const vec_line *line = &c->lines[i];
        if (line->mark == '<' || line->mark == '-')
            EXPECT_INT(wshub_eio_send(s.eio, s.last, line->text, line->len, line->mark == '<'),
                       WSHUB_OK);
        if (strcmp(line->text, "ping") == 0) wshub_io_fake_advance(s.w.net, 400);
        if (strcmp(line->text, "noop") == 0) EXPECT_INT(wshub_eio_close(s.eio, s.last), WSHUB_OK);
        if (strcmp(line->text, "pong probe") == 0) { /* which is said to a WebSocket alone */
            conn = eio_socket(&s, "EIO=4&transport=websocket&sid={sid}");
            wshub_io_fake_text(s.w.net, conn, "2probe");
            EXPECT(wshub_io_fake_next(s.w.net, conn, &f));
            EXPECT(wshub_str_eq_z(f.payload, c->lines[c->count - 1].text));
            eio_stop(&s);
            return;
        }
    }
    eio_ask(&s, conn, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, conn, 200, c->lines[c->count - 1].text);
    eio_stop(&s);
}

TEST(payloads_are_read_and_written_as_recorded) { /* 2.3 */
    vec_file f;
    size_t i;
    vec_read(&f, "tests/socketio/payload.txt", 31);
    for (i = 0; i < f.count; i++) {
        long cut;
        if (f.cases[i].lines[0].mark != '.') {
            write_payload(&f.cases[i]);
            continue;
        }
        read_payload(&f.cases[i], VEC_WHOLE);
        read_payload(&f.cases[i], VEC_SINGLY);
        for (cut = 1; cut < 150; cut++) read_payload(&f.cases[i], cut);
    }
    vec_free(&f);
}
