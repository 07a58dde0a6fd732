/* What Node's reader of Socket.IO made of packets, and its writer of values, as recorded
 * (tests/socketio/): each packet is said to a server, over a WebSocket and over polling, in one
 * piece, in pieces cut everywhere, and in every split into payloads; what the application is told
 * is compared. Each value is sent by it, over all three kinds of wire. */
#include "vectors.h"
#include "wshub_dialect_socketio.h"

static eio_site s; /* of which only the world and the words are used */
static wshub_sio *sio;
static char told[20000];
static vec_said said;
static wshub_client client;
static wshub_sio_ask_id asks;
static wshub_sio_ack kept;
static char spaces[4][40]; /* that the case joins */
static int spaces_count;

/* ---- the application ---- */

static void tell(const char *text, size_t len) {
    size_t n = strlen(told);
    EXPECT_OP(n + len + 1, <, sizeof told);
    memcpy(told + n, text, len);
    told[n + len] = 0;
}
static void tell_z(const char *text) {
    tell(text, strlen(text));
}
static void tell_str(wshub_str text) {
    tell(text.ptr, text.len);
}

/* Arguments, in which bytes are written as {"$bin":"0102"}. */
static void tell_args(wshub_str json, const wshub_span *attachments, size_t count) {
    const char *p = json.ptr, *end = json.ptr + json.len;
    while (p < end) {
        wshub_str object;
        wshub_span bytes;
        char hex[400];
        object.ptr = p;
        object.len = (size_t)(vec_object_end(p, end) - p);
        if (*p == '{' && wshub_sio_bytes(attachments, count, object, &bytes)) {
            tell_z("{\"$bin\":\"");
            tell(hex, vec_hex(bytes, hex));
            tell_z("\"}");
            p += object.len;
        } else {
            tell(p++, 1);
        }
    }
}
static void tell_space(const char *what, wshub_client c) {
    tell_z(what);
    tell_str(wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, c)));
    tell_z(" ");
}

static bool any(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)name, (void)user;
    return true;
}
static void on_connect(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                       void *user) {
    const bool *refuses = (const bool *)user;
    char auth[100]; /* it is a view, and gone once the question is answered */
    asks = ask;
    if (*refuses) return;
    (void)snprintf(auth, sizeof auth, "%.*s\n", (int)h->auth.len, h->auth.ptr);
    EXPECT_INT(wshub_sio_accept(of, ask, NULL), WSHUB_OK);
    tell_space("connect ", client);
    tell_z(auth);
}
static void on_connected(wshub_sio *of, wshub_client c, void *user) {
    (void)of, (void)user;
    client = c;
}
static void on_event(wshub_sio *of, wshub_client c, const wshub_sio_event *e, void *user) {
    const wshub_sio__due *due = (const wshub_sio__due *)wshub_sio__get(&of->dues, e->ack.id);
    (void)user;
    kept = e->ack;
    tell_space("event ", c);
    tell_z(due ? due->id : "-");
    tell_z(" ");
    tell_args(e->raw, e->attachments, e->attachments_count);
    tell_z("\n");
}
static void on_disconnected(wshub_sio *of, wshub_client c, const char *reason, void *user) {
    (void)of, (void)user;
    (void)c;
    tell_z(reason);
    tell_z("\n");
}
static void on_disconnecting(wshub_sio *of, wshub_client c, const char *reason, void *user) {
    (void)of, (void)user, (void)reason;
    tell_space("disconnect ", c);
}
static void on_error(wshub_sio *of, wshub_client c, const char *text, void *user) {
    (void)of, (void)user;
    tell_space("error ", c);
    tell_z(text);
    tell_z("\n");
}
typedef struct question {
    const char *space;
    int id;
} question;
static question questions[4][16];

static void on_answers(wshub_sio *of, const wshub_sio_answers *a, void *user) {
    const question *q = (const question *)user;
    char text[60];
    size_t i;
    (void)of;
    if (a->error) return; /* its socket has gone */
    (void)snprintf(text, sizeof text, "ack %s %d [", q->space, q->id);
    tell_z(text);
    for (i = 0; i < a->args_count; i++) {
        if (i) tell_z(",");
        tell_args(a->args[i], a->attachments, a->attachments_count);
    }
    tell_z("]\n");
}

static bool refuses;

static void start(const vec_case *c) {
    wshub_sio_desc d;
    wshub_sio_namespace_desc all;
    size_t i;
    memset(&s, 0, sizeof s);
    memset(&d, 0, sizeof d);
    memset(&all, 0, sizeof all);
    told[0] = 0;
    spaces_count = 0;
    world_start(&s.w, DESC(0), FAKE(0));
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    for (i = 0; i < c->count; i++) {
        unsigned number;
        if (c->lines[i].mark != '@') continue;
        if (sscanf(c->lines[i].text, "option attachments_max %u", &number) == 1)
            d.attachments_max = number;
        else if (sscanf(c->lines[i].text, "option recovery_ms %u", &number) == 1)
            d.recovery_ms = number;
        else if (sscanf(c->lines[i].text, "join %39s", spaces[spaces_count]) == 1)
            spaces_count++;
        else
            EXPECT_STR(c->lines[i].text, "(a setting that is known)");
    }
    EXPECT_INT(wshub_sio_create(s.w.hub, &d, &sio), WSHUB_OK);
    all.matches = any;
    all.on_connect = on_connect;
    all.on_connected = on_connected;
    all.on_event = on_event;
    all.on_disconnecting = on_disconnecting;
    all.on_disconnected = on_disconnected;
    all.on_error = on_error;
    all.user = &refuses;
    refuses = false;
    EXPECT_INT(wshub_sio_namespace_add(sio, &all, NULL), WSHUB_OK);
}
static void stop(void) {
    wshub *hub = s.w.hub;
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
}

/* ---- carriers ---- */

enum { SOCKET, SOCKET_B64, POLLING, CARRIERS };
static int carrier;
static wshub_conn conn, poll_conn;

static void open_session(int by) {
    carrier = by;
    if (by == POLLING) {
        conn = eio_open(&s);
        poll_conn = wshub_io_fake_open(s.w.net);
    } else {
        wshub_io_fake_frame f;
        conn = eio_socket(&s, by == SOCKET ? "EIO=4&transport=websocket"
                                           : "EIO=4&transport=websocket&b64=1");
        EXPECT(wshub_io_fake_next(s.w.net, conn, &f) && f.payload.ptr[0] == '0');
    }
}

/* An id for coming back is shown as {pid}. */
static void hide_pid(char *text) {
    char *at = strstr(text, "\"pid\":\"");
    if (!at || strlen(at) < 28 || at[27] != '"') return;
    memcpy(at + 7, "{pid}", 5);
    memmove(at + 12, at + 27, strlen(at + 27) + 1);
}

/* All that the client has been sent: messages, each in a line with `< ` or `- ` in front. */
static const char *heard(void) {
    static char text[20000];
    wshub_io_fake_frame f;
    size_t n = 0, i;
    text[0] = 0;
    if (carrier == POLLING) {
        eio_answer a;
        eio_ask(&s, poll_conn, "GET", EIO_POLL, "", NULL);
        a = eio_look(&s, poll_conn);
        if (a.status != 200) return "(nothing)\n";
        for (i = 0; i <= a.body.len; i++) { /* a packet a line; bytes as they stand there */
            if (i == 0 || a.body.ptr[i - 1] == 0x1E)
                n += (size_t)sprintf(text + n, "%s< ", i ? "\n" : "");
            if (i < a.body.len && a.body.ptr[i] != 0x1E) text[n++] = a.body.ptr[i];
        }
        text[n++] = '\n';
        text[n] = 0;
        hide_pid(text);
        eio_take(&s, poll_conn, &a);
        return text;
    }
    while (wshub_io_fake_next(s.w.net, conn, &f)) {
        if (f.opcode == 1) {
            n += (size_t)sprintf(text + n, "< %.*s\n", (int)f.payload.len, f.payload.ptr);
        } else if (f.opcode == 2) {
            wshub_span bytes;
            bytes.ptr = (const uint8_t *)f.payload.ptr;
            bytes.len = f.payload.len;
            n += (size_t)sprintf(text + n, "- ");
            n += vec_hex(bytes, text + n);
            n += (size_t)sprintf(text + n, "\n");
        }
    }
    hide_pid(text);
    return text;
}

/* Says what was put together as the body of a post. */
static void post(vec_said *body, long cut) {
    static vec_said request;
    char head[400];
    int n = snprintf(head, sizeof head,
                     "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n"
                     "Content-Length: %u\r\n\r\n",
                     s.sid, (unsigned)body->len);
    request.len = 0;
    vec_put(&request, head, (size_t)n);
    vec_put(&request, body->bytes, body->len);
    body->len = 0;
    vec_say(s.w.net, conn, &request, cut);
}

static void say_text(const char *text) {
    said.len = 0;
    if (carrier == POLLING) {
        eio_answer a;
        vec_put(&said, text, strlen(text));
        post(&said, VEC_WHOLE);
        a = eio_look(&s, conn);
        EXPECT_INT(a.status, 200);
        eio_take(&s, conn, &a);
    } else {
        vec_put_frame(&said, 1, text, strlen(text));
        vec_say(s.w.net, conn, &said, VEC_WHOLE);
    }
}

/* Joins the namespaces of the case, each of which then has asked sixteen questions. */
static void join_spaces(bool asking) {
    wshub_packet q;
    int i, k;
    memset(&q, 0, sizeof q);
    q.event = wshub_str_z("q");
    for (i = 0; i < spaces_count; i++) {
        char text[180];
        (void)snprintf(text, sizeof text, "40%s,", spaces[i]);
        say_text(text);
        for (k = 0; asking && k < 16; k++) {
            questions[i][k].space = spaces[i];
            questions[i][k].id = k;
            EXPECT_INT(wshub_sio_ask(sio, client, &q, 0, on_answers, &questions[i][k]), WSHUB_OK);
        }
    }
    wshub_io_fake_run(s.w.net);
    if (spaces_count) (void)heard();
    told[0] = 0;
}

/* ---- packets are read ---- */

/* What the application should be told. While no poll is held, a transport that polls is closed by
 * force with another word (3.4). */
static const char *expected(const vec_case *c) {
    static char text[20000];
    size_t i, n = 0;
    text[0] = 0;
    for (i = 0; i < c->count; i++) {
        const char *line = c->lines[i].text, *forced = strstr(line, " forced close");
        if (c->lines[i].mark != '=') continue;
        if (forced && carrier == POLLING)
            n +=
                (size_t)sprintf(text + n, "%.*s forced server close\n", (int)(forced - line), line);
        else
            n += (size_t)sprintf(text + n, "%s\n", line);
    }
    return text;
}

/* Puts the client's packets together: from the given one up to where a split is. */
static size_t put_packets(const vec_case *c, size_t from, unsigned split) {
    size_t i;
    unsigned k = 0;
    for (i = 0; i < c->count; i++) {
        char text[4000];
        size_t n = 0;
        bool bytes = c->lines[i].mark == '+';
        if (c->lines[i].mark != '>' && !bytes) continue;
        if (k++ < from) continue;
        if (carrier == POLLING) {
            if (said.len) text[n++] = 0x1E;
            text[n++] = bytes ? 'b' : '4';
            if (bytes) {
                n += wshub_base64((const uint8_t *)c->lines[i].text, c->lines[i].len, text + n);
            } else {
                memcpy(text + n, c->lines[i].text, c->lines[i].len);
                n += c->lines[i].len;
            }
            vec_put(&said, text, n);
            if (split >> (k - 1) & 1) return k;
        } else {
            if (!bytes) text[n++] = '4';
            memcpy(text + n, c->lines[i].text, c->lines[i].len);
            n += c->lines[i].len;
            vec_put_frame(&said, bytes ? 2 : 1, text, n);
        }
    }
    return SIZE_MAX;
}

/* One case in one way. Returns how many bytes were said. */
static size_t read_case(const vec_case *c, int by, long cut, unsigned split) {
    size_t at = 0, bytes = 0;
    char how[80];
    (void)snprintf(how, sizeof how, "%s, cut %ld, split %x", by == POLLING ? "polling" : "socket",
                   cut, split);
    start(c);
    open_session(by);
    join_spaces(strncmp(c->name, "ack", 3) == 0 || strncmp(c->name, "bin-ack", 7) == 0);
    said.len = 0;
    while (at != SIZE_MAX) {
        at = put_packets(c, at, split);
        bytes += said.len;
        if (by == POLLING && said.len)
            post(&said, cut);
        else
            vec_say(s.w.net, conn, &said, cut);
    }
    (void)vec_same(c->name, how, told, expected(c));
    stop();
    return bytes;
}

TEST(packets_are_read_as_recorded_whole_and_cut_everywhere) { /* 3.1 */
    vec_file f;
    size_t i;
    vec_read(&f, "tests/socketio/decode.txt", 115);
    for (i = 0; i < f.count; i++) {
        long len = (long)read_case(&f.cases[i], SOCKET, VEC_WHOLE, 0), cut;
        (void)read_case(&f.cases[i], SOCKET, VEC_SINGLY, 0);
        for (cut = 1; cut < len && len < 300; cut++) (void)read_case(&f.cases[i], SOCKET, cut, 0);
    }
    vec_free(&f);
}

TEST(packets_are_read_as_recorded_over_polling_in_every_split) { /* 2.3, 3.1 */
    vec_file f;
    size_t i;
    vec_read(&f, "tests/socketio/decode.txt", 115);
    for (i = 0; i < f.count; i++) {
        size_t packets = 0, k;
        unsigned split;
        for (k = 0; k < f.cases[i].count; k++)
            packets += f.cases[i].lines[k].mark == '>' || f.cases[i].lines[k].mark == '+';
        for (split = 0; split < 1u << (packets - 1); split++) {
            long len = (long)read_case(&f.cases[i], POLLING, VEC_WHOLE, split) + 120, cut;
            (void)read_case(&f.cases[i], POLLING, VEC_SINGLY, split);
            for (cut = 105; cut < len && len < 400; cut++) /* heads are cut in test_eio_vectors.c */
                (void)read_case(&f.cases[i], POLLING, cut, split);
        }
    }
    vec_free(&f);
}

/* ---- packets are written ---- */

enum { PIECES = 4 };
static char pieces[2000]; /* the arguments, without what is written as {"$bin":"0102"} */
static char piece_bytes[PIECES][8];
static wshub_span piece_spans[PIECES];
static size_t piece_count;

/* Arguments, with bytes where the case says so. The name of an event is taken out. */
static void packet_of(wshub_str json, bool named, wshub_packet *out) {
    static wshub_str args[20];
    static char name[20];
    wshub_json_writer w;
    wshub_iter it = {0, 0};
    const char *p = json.ptr, *end = json.ptr + json.len;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    piece_count = 0;
    while (p < end) {
        const char *hex = strncmp(p, "{\"$bin\":\"", 9) == 0 ? p + 9 : NULL;
        wshub_str text;
        if (!hex) {
            pieces[n++] = *p++;
            continue;
        }
        p = strchr(hex, '}') + 1;
        wshub_json_begin(&w, pieces + n, sizeof pieces - n);
        EXPECT_INT(wshub_sio_put_bytes(
                       &w, NULL, piece_spans, PIECES, &piece_count, piece_bytes[piece_count],
                       vec_bytes(hex, (size_t)(p - 2 - hex), piece_bytes[piece_count])),
                   WSHUB_OK);
        EXPECT_INT(wshub_json_done(&w, &text), WSHUB_OK);
        n += text.len;
    }
    pieces[n] = 0;
    json.ptr = pieces;
    json.len = n;
    out->args = args;
    while (wshub_json_each(json, &it, &args[out->args_count])) out->args_count++;
    out->attachments = piece_spans;
    out->attachments_count = piece_count;
    if (!named) return;
    out->event.len = wshub_json_text(args[0], name, sizeof name);
    out->event.ptr = name;
    out->args++;
    out->args_count--;
}

static void ignore(wshub_sio *of, const wshub_sio_answers *a, void *user) {
    (void)of, (void)a, (void)user;
}

/* Does what the case says: WHAT SPACE ID JSON. */
static void act(const char *line) {
    char what[20], space[40], id[20], text[80];
    int at = 0;
    wshub_packet packet;
    EXPECT_INT(sscanf(line, "%19s %39s %19s %n", what, space, id, &at), 3);
    refuses = strcmp(what, "refuse") == 0;
    (void)snprintf(text, sizeof text, "40%s,", space);
    say_text(text);
    if (refuses) {
        wshub_str json = wshub_str_z(line + at);
        char why[40];
        why[wshub_json_text(wshub_json_get(json, "message"), why, sizeof why - 1)] = 0;
        EXPECT_INT(wshub_sio_refuse(sio, asks, why, wshub_json_get(json, "data")), WSHUB_OK);
        return;
    }
    if (strcmp(what, "connect") == 0) return;
    if (strcmp(what, "disconnect") == 0) {
        (void)heard();
        EXPECT_INT(wshub_sio_disconnect(sio, client, false), WSHUB_OK);
        return;
    }
    packet_of(wshub_str_z(line + at), strcmp(what, "event") == 0, &packet);
    if (strcmp(what, "ack") == 0) {
        (void)snprintf(text, sizeof text, "42%s,%s[\"x\"]", space, id);
        say_text(text);
        (void)heard();
        EXPECT_INT(wshub_sio_answer(sio, kept, &packet), WSHUB_OK);
    } else if (id[0] == '-') {
        (void)heard();
        EXPECT_INT(wshub_sio_emit(sio, wshub_sio_of(sio, space), NULL, &packet), WSHUB_OK);
    } else {
        int i; /* ids count from 0 */
        for (i = 0; i < atoi(id); i++)
            EXPECT_INT(wshub_sio_ask(sio, client, &packet, 0, ignore, NULL), WSHUB_OK);
        wshub_io_fake_run(s.w.net);
        (void)heard();
        EXPECT_INT(wshub_sio_ask(sio, client, &packet, 0, ignore, NULL), WSHUB_OK);
    }
}

/* What the client should hear, by the carrier. */
static const char *expected_wire(const vec_case *c) {
    static char text[4000];
    size_t i, n = 0;
    text[0] = 0;
    for (i = 0; i < c->count; i++) {
        const vec_line *line = &c->lines[i];
        const char *sid = strstr(line->text, "{sid}");
        wshub_span bytes;
        bytes.ptr = (const uint8_t *)line->text;
        bytes.len = line->len;
        if (line->mark == '<') {
            wshub_str id = {NULL, 0};
            if (sid) id = wshub_client_id(s.w.hub, client);
            n += (size_t)sprintf(text + n, "< 4%.*s%.*s%s\n",
                                 sid ? (int)(sid - line->text) : (int)line->len, line->text,
                                 (int)id.len, id.ptr ? id.ptr : "", sid ? sid + 5 : "");
        } else if (line->mark == '-' && carrier == SOCKET) {
            n += (size_t)sprintf(text + n, "- ");
            n += vec_hex(bytes, text + n);
            n += (size_t)sprintf(text + n, "\n");
        } else if (line->mark == '-') {
            n += (size_t)sprintf(text + n, "< b");
            n += wshub_base64(bytes.ptr, bytes.len, text + n);
            n += (size_t)sprintf(text + n, "\n");
        }
    }
    return text;
}

TEST(packets_are_written_as_recorded_over_all_kinds_of_wire) { /* 2.3, 3.1 */
    vec_file f;
    size_t i;
    int by;
    vec_read(&f, "tests/socketio/encode.txt", 20);
    for (i = 0; i < f.count; i++) {
        for (by = 0; by < CARRIERS; by++) {
            const vec_case *c = &f.cases[i];
            const vec_line *line = &c->lines[c->lines[0].mark != '='];
            const char *got;
            start(c);
            open_session(by);
            act(line->text);
            wshub_io_fake_run(s.w.net);
            got = heard();
            (void)vec_same(c->name,
                           by == POLLING  ? "polling"
                           : by == SOCKET ? "socket"
                                          : "b64",
                           got, expected_wire(c));
            stop();
        }
    }
    vec_free(&f);
}
