/* Whole sessions of Socket.IO, as recorded of Node's server with the application of the fixture
 * (tests/socketio/session.txt): each is played in memory against the same application here, what
 * the client says whole and cut at each place, over a WebSocket, and, unless it is about that, over
 * polling in every split of its packets into payloads. What the client hears and what the
 * application writes into its log are compared. */
#define _GNU_SOURCE /* as the fixture */
#include <errno.h>
#undef EIO /* a word of the tests of Engine.IO */
#include "vectors.h"
#define main fixture_main
#include "fixture_sio.c"
#undef main

static eio_site s;
static vec_said ses_said;
static char ses_log[4000];
static bool ses_polls; /* the session is said over polling, whatever it was recorded over */
static unsigned ses_split;
static long ses_cut;
static char ses_how[80];

/* Ids that have been seen: 20 characters behind `"sid":"`. They are shown as {sid}. */
static char ses_ids[16][21];
static int ses_ids_count;

static void ses_learn(const char *words) {
    const char *at = words;
    while ((at = strstr(at, "\"sid\":\"")) != NULL && ses_ids_count < 16) {
        at += 7;
        if (strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == 20)
            memcpy(ses_ids[ses_ids_count++], at, 20);
    }
}
static void ses_hide(char *words) {
    char *at;
    int i;
    for (i = 0; i < ses_ids_count; i++) {
        while ((at = strstr(words, ses_ids[i])) != NULL) {
            memcpy(at, "{sid}", 5);
            memmove(at + 5, at + 20, strlen(at + 20) + 1);
        }
    }
}

static void ses_on_log(const char *what, const char *more) {
    size_t n = strlen(ses_log);
    if (strcmp(what, "close") == 0 || strcmp(what, "connection_error") == 0) return;
    EXPECT_OP(n + strlen(what) + strlen(more) + 8, <, sizeof ses_log);
    (void)snprintf(ses_log + n, sizeof ses_log - n, "[\"%s\"%s]\n", what, more);
}

/* ---- the server ---- */

static char ses_query[40];

static void ses_start(const vec_case *c) {
    static const struct {
        const char *name;
        long *number;
    } numbers[] = {{"ping_interval", &opt.ping_interval},
                   {"ping_timeout", &opt.ping_timeout},
                   {"max_buffer", &opt.max_buffer},
                   {"connect_timeout", &opt.connect_timeout},
                   {"upgrade_timeout", &opt.upgrade_timeout}};
    size_t i, k;
    memset(&s, 0, sizeof s);
    memset(&opt, 0, sizeof opt);
    ses_log[0] = ses_query[0] = 0;
    ses_ids_count = 0;
    memset(ses_ids, 0, sizeof ses_ids);
    opt.name = "a";
    opt.ping_interval = 60000;
    log_to = ses_on_log;
    for (i = 0; i < c->count; i++) {
        const char *line = c->lines[i].text;
        if (c->lines[i].mark != '@' || strncmp(line, "with ", 5) != 0) continue;
        if (strncmp(line + 5, "query ", 6) == 0)
            (void)snprintf(ses_query, sizeof ses_query, "%s", line + 11);
        for (k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
            size_t len = strlen(numbers[k].name);
            if (strncmp(line + 5, numbers[k].name, len) == 0)
                *numbers[k].number = atol(line + 5 + len);
        }
    }
    world_start(&s.w, DESC(0), FAKE(0));
    EXPECT_INT(mount_sio(s.w.hub, "/socket.io/"), WSHUB_OK);
}
static void ses_stop(void) {
    wshub *hub = s.w.hub;
    log_to = NULL;
    s.w.hub = NULL;
    wshub_destroy(hub);
    while (slows) slow_free(slows);
    wshub_sio_destroy(sio_mount);
    sio_mount = NULL;
    world_stop(&s.w);
}

/* ---- the client ---- */

static wshub_conn ses_sockets[4], ses_post, ses_poll; /* the latest WebSocket is the last */
static int ses_sockets_count;
static char ses_payload[8200]; /* packets that a poll has brought, and are not looked at yet */

static bool ses_has(const vec_case *c, const char *marks) {
    size_t i;
    for (i = 0; i < c->count; i++)
        if (strchr(marks, c->lines[i].mark)) return true;
    return false;
}
static void ses_open(bool polling) {
    ses_sockets_count = 0;
    ses_payload[0] = 0;
    if (polling) {
        ses_post = eio_open(&s);
        ses_poll = wshub_io_fake_open(s.w.net);
    } else {
        char query[120];
        wshub_io_fake_frame f;
        (void)snprintf(query, sizeof query, "EIO=4&transport=websocket%s", ses_query);
        ses_sockets[ses_sockets_count++] = eio_socket(&s, query);
        EXPECT(wshub_io_fake_next(s.w.net, ses_sockets[0], &f) && f.payload.ptr[0] == '0');
    }
}

/* Time passes until a stream has brought something; at most a second. */
static bool ses_await(wshub_conn c) {
    int i;
    wshub_io_fake_run(s.w.net);
    for (i = 0; i < 100 && wshub_io_fake_output(s.w.net, c).len == 0; i++) {
        if (!wshub_io_fake_is_open(s.w.net, c)) break;
        wshub_io_fake_advance(s.w.net, 10);
    }
    return wshub_io_fake_output(s.w.net, c).len > 0;
}

static void ses_put_post(const char *body, size_t len) {
    char head[300];
    int n = snprintf(head, sizeof head,
                     "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n"
                     "Content-Length: %u\r\n\r\n",
                     s.sid, (unsigned)len);
    ses_said.len = 0;
    vec_put(&ses_said, head, (size_t)n);
    vec_put(&ses_said, body, len);
    vec_say(s.w.net, ses_post, &ses_said, ses_cut);
}

/* One packet as it stands in a payload. */
static size_t ses_packet(const vec_line *line, char *out) {
    if (line->mark == '>') {
        memcpy(out, line->text, line->len);
        return line->len;
    }
    out[0] = 'b';
    return 1 + wshub_base64((const uint8_t *)line->text, line->len, out + 1);
}

/* Says packets one behind the other: those of the case from here on. Returns how many. */
static size_t ses_say(const vec_case *c, size_t from) {
    static char body[8000];
    size_t len = 0, i;
    ses_said.len = 0;
    for (i = from; i < c->count && strchr(">+", c->lines[i].mark); i++) {
        const vec_line *line = &c->lines[i];
        if (!ses_polls) {
            vec_put_frame(&ses_said, line->mark == '>' ? 1 : 2, line->text, line->len);
            continue;
        }
        if (len) body[len++] = 0x1E;
        len += ses_packet(line, body + len);
        if (ses_split >> (i - from) & 1 || i + 1 == c->count ||
            !strchr(">+", c->lines[i + 1].mark)) {
            eio_answer a;
            ses_put_post(body, len);
            a = eio_look(&s, ses_post);
            if (a.status) eio_take(&s, ses_post, &a);
            if (!wshub_io_fake_is_open(s.w.net, ses_post)) ses_post = wshub_io_fake_open(s.w.net);
            len = 0;
        }
    }
    if (!ses_polls && ses_said.len)
        vec_say(s.w.net, ses_sockets[ses_sockets_count - 1], &ses_said, ses_cut);
    return i - from;
}

/* The next message, with `< ` or `- ` in front; over polling bytes as they stand there. */
static void ses_hear(wshub_conn c, char *out, size_t cap) {
    wshub_io_fake_frame f;
    wshub_span bytes;
    (void)snprintf(out, cap, "(nothing)");
    memset(&f, 0, sizeof f);
    if (!ses_await(c) || !wshub_io_fake_next(s.w.net, c, &f)) return;
    bytes.ptr = (const uint8_t *)f.payload.ptr;
    bytes.len = f.payload.len;
    if (f.opcode == 8)
        (void)snprintf(out, cap, "x %d", f.code ? f.code : 1005);
    else if (f.opcode == 2) {
        (void)snprintf(out, cap, "- ");
        out[2 + vec_hex(bytes, out + 2)] = 0;
    } else
        (void)snprintf(out, cap, "< %.*s", (int)f.payload.len, f.payload.ptr);
}
static void ses_hear_poll(char *out, size_t cap) {
    char *end;
    if (!ses_payload[0]) {
        eio_answer a;
        eio_ask(&s, ses_poll, "GET", EIO_POLL, "", NULL);
        (void)ses_await(ses_poll);
        a = eio_look(&s, ses_poll);
        (void)snprintf(out, cap, "(nothing)");
        if (a.status != 200) return;
        (void)snprintf(ses_payload, sizeof ses_payload, "%s", eio_body(&a));
        eio_take(&s, ses_poll, &a);
    }
    end = strchr(ses_payload, 0x1E);
    (void)snprintf(out, cap, "< %.*s", end ? (int)(end - ses_payload) : (int)cap - 3, ses_payload);
    memmove(ses_payload, end ? end + 1 : "", strlen(end ? end + 1 : "") + 1);
}

/* An answer, as it stands in the case: how it was played, and what came. */
static void ses_answer(wshub_conn *c, char mark, char *out, size_t cap) {
    eio_answer a;
    (void)ses_await(*c);
    a = eio_look(&s, *c);
    (void)snprintf(out, cap, "%c %d %s", mark, a.status, a.status ? eio_body(&a) : "");
    if (a.status) eio_take(&s, *c, &a);
    if (!wshub_io_fake_is_open(s.w.net, *c)) *c = wshub_io_fake_open(s.w.net);
}

/* What is expected, by the carrier: bytes are base64 in a payload. */
static void ses_want(const vec_line *line, char *out, size_t cap) {
    wshub_span bytes;
    bytes.ptr = (const uint8_t *)line->text;
    bytes.len = line->len;
    (void)snprintf(out, cap, "%c %s", line->mark, line->text);
    if (line->mark != '-') return;
    if (ses_polls) {
        (void)snprintf(out, cap, "< b");
        out[3 + wshub_base64(bytes.ptr, bytes.len, out + 3)] = 0;
    } else {
        out[2 + vec_hex(bytes, out + 2)] = 0;
    }
}

/* ---- what else happens ---- */

static wshub_client ses_client(void) {
    wshub_client client = {0};
    (void)wshub_sio_select(sio_mount, wshub_sio_of(sio_mount, "/"), NULL, &client, 1);
    return client;
}
static void ses_act(const char *what) {
    wshub_conn c = ses_sockets_count ? ses_sockets[ses_sockets_count - 1] : ses_post;
    char bytes[40];
    if (strcmp(what, "lost") == 0 && ses_polls) {
        ses_put_post("1", 1); /* as a client goes that polls */
    } else if (strcmp(what, "lost") == 0) {
        wshub_io_fake_end(s.w.net, c);
        ses_sockets_count--;
    } else if (strncmp(what, "close ", 6) == 0) {
        wshub_io_fake_send_close(s.w.net, c, (uint16_t)atoi(what + 6), "");
    } else if (strncmp(what, "bytes ", 6) == 0) {
        wshub_io_fake_input(s.w.net, c, bytes, vec_bytes(what + 6, strlen(what + 6), bytes));
    } else if (strcmp(what, "shutdown") == 0) {
        wshub_sio_shutdown(sio_mount);
    } else if (strncmp(what, "disconnect", 10) == 0) {
        EXPECT_INT(wshub_sio_disconnect(sio_mount, ses_client(), what[10] != 0), WSHUB_OK);
    } else if (strcmp(what, "engine close") == 0) {
        EXPECT_INT(wshub_eio_close(wshub_sio_engine(sio_mount),
                                   wshub_sio_session_of(sio_mount, ses_client())),
                   WSHUB_OK);
    } else {
        EXPECT_STR(what, "a turn");
    }
    wshub_io_fake_run(s.w.net);
}

/* ---- a session ---- */

/* Nothing has come that was not looked at. */
static void ses_expect_silence(const char *name) {
    wshub_io_fake_frame f;
    int i;
    wshub_io_fake_run(s.w.net);
    for (i = 0; i < ses_sockets_count; i++) {
        if (!wshub_io_fake_next(s.w.net, ses_sockets[i], &f)) continue;
        (void)vec_same(name, ses_how, f.opcode == 8 ? "x" : f.payload.ptr, "(nothing more)");
    }
    (void)vec_same(name, ses_how, ses_payload, "");
}

/* Does one line, or several packets at once. Returns how many. */
static size_t ses_step(const vec_case *c, size_t i) {
    const vec_line *line = &c->lines[i];
    static char got[4000], want[4000];
    got[0] = want[0] = 0;
    switch (line->mark) {
    case '>':
    case '+': return ses_say(c, i);
    case '!':
        if (strcmp(line->text, "lost") == 0) ses_expect_silence(c->name);
        ses_act(line->text);
        return 1;
    case 'w':
        ses_sockets[ses_sockets_count++] = eio_socket(&s, "EIO=4&transport=websocket&sid={sid}");
        return 1;
    case 'P': ses_put_post(line->text, line->len); return 1;
    case 'G': eio_ask(&s, ses_poll, "GET", EIO_POLL, "", NULL); return 1;
    case 'p': ses_answer(&ses_post, 'p', got, sizeof got); break;
    case 'g': ses_answer(&ses_poll, 'g', got, sizeof got); break;
    case '<':
    case '-':
        if (ses_polls)
            ses_hear_poll(got, sizeof got);
        else
            ses_hear(ses_sockets[ses_sockets_count - 1], got, sizeof got);
        break;
    case 'x':
        if (ses_polls) { /* whoever polls next is told, or it is known no more */
            wshub_io_fake_advance(s.w.net, 400);
            return 1;
        }
        ses_hear(ses_sockets[--ses_sockets_count], got, sizeof got);
        break;
    default: return 1;
    }
    ses_learn(got);
    ses_hide(got);
    ses_want(line, want, sizeof want);
    (void)vec_same(c->name, ses_how, got, want);
    return 1;
}

/* The log in the end. Where nobody polls, a session that is closed by force is called so (3.4). */
static void ses_expect_log(const vec_case *c) {
    static char want[4000];
    size_t i, n = 0;
    want[0] = 0;
    for (i = 0; i < c->count; i++) {
        const char *line = c->lines[i].text, *forced = strstr(line, "\"forced close\"");
        if (c->lines[i].mark != '=') continue;
        if (forced && ses_polls)
            n += (size_t)sprintf(want + n, "%.*s\"forced server close\"%s\n", (int)(forced - line),
                                 line, forced + 14);
        else
            n += (size_t)sprintf(want + n, "%s\n", line);
    }
    ses_hide(ses_log);
    (void)vec_same(c->name, ses_how, ses_log, want);
}

static void ses_play(const vec_case *c, long cut, bool polls, unsigned split) {
    size_t i;
    ses_polls = polls;
    ses_split = split;
    ses_cut = cut;
    (void)snprintf(ses_how, sizeof ses_how, "%s, cut %ld, split %x", polls ? "polling" : "socket",
                   cut, split);
    ses_start(c);
    ses_open(polls || ses_has(c, "P"));
    for (i = 0; i < c->count;) i += ses_step(c, i);
    wshub_io_fake_run(s.w.net);
    ses_expect_log(c);
    ses_stop();
}

/* What somebody else hears while another session is played. */
static void ses_play_beside(const vec_file *f, const vec_case *c, const char *other) {
    wshub_conn listener;
    char got[400], want[400];
    size_t i, k;
    for (i = 0; i < f->count && strcmp(f->cases[i].name, other) != 0; i++) {
    }
    EXPECT_OP(i, <, f->count);
    ses_polls = false;
    ses_cut = VEC_WHOLE;
    ses_start(c);
    ses_open(false);
    listener = ses_sockets[0];
    wshub_io_fake_text(s.w.net, listener, "40");
    wshub_io_fake_text(s.w.net, listener, "42[\"join\",\"shared\"]");
    ses_hear(listener, got, sizeof got);
    ses_learn(got);
    ses_hear(listener, got, sizeof got);
    EXPECT_HAS(got, "\"rooms\"");
    ses_open(false);
    for (k = 0; k < f->cases[i].count;) k += ses_step(&f->cases[i], k);
    for (k = 0; k < c->count; k++) {
        if (!strchr("<-", c->lines[k].mark)) continue;
        ses_hear(listener, got, sizeof got);
        ses_want(&c->lines[k], want, sizeof want);
        (void)vec_same(c->name, "another", got, want);
    }
    EXPECT_SILENCE(&s.w, listener);
    ses_stop();
}

/* Sessions that are about a WebSocket, or about requests. */
static bool ses_of_sockets(const vec_case *c) {
    size_t i;
    for (i = 0; i < c->count; i++)
        if (c->lines[i].mark == '@' && strcmp(c->lines[i].text, "socket") == 0) return true;
    return ses_has(c, "P") || strncmp(c->name, "client-ws", 9) == 0 ||
           strncmp(c->name, "ws-", 3) == 0 || strcmp(c->name, "whoami") == 0 ||
           strcmp(c->name, "two-clients-receiver") == 0;
}

static size_t ses_longest(const vec_case *c, bool packets) {
    size_t i, most = 0, sum = 0;
    for (i = 0; i < c->count; i++) {
        if (strchr(">+P", c->lines[i].mark))
            sum += packets ? 1 : c->lines[i].len + (c->lines[i].mark == 'P' ? 130 : 6);
        else
            sum = 0;
        if (sum > most) most = sum;
    }
    return most;
}

TEST(sessions_go_as_recorded_whole_and_cut_everywhere) { /* 2.4 to 2.7, 3.2 to 3.4 */
    vec_file f;
    size_t i;
    vec_read(&f, "tests/socketio/session.txt", 107);
    for (i = 0; i < f.count; i++) {
        const vec_case *c = &f.cases[i];
        int before = test_failures;
        long len = (long)ses_longest(c, false), cut;
        if (c->lines[0].mark == '@' && strncmp(c->lines[0].text, "hears ", 6) == 0) {
            ses_play_beside(&f, c, c->lines[0].text + 6);
            continue;
        }
        ses_play(c, VEC_WHOLE, false, 0);
        if (test_failures == before) ses_play(c, VEC_SINGLY, false, 0);
        for (cut = 1; cut < len && test_failures == before; cut += cut < 300 ? 1 : 50)
            ses_play(c, cut, false, 0);
    }
    vec_free(&f);
}

TEST(sessions_go_as_recorded_over_polling_in_every_split) { /* 2.3, 2.4, 3.2 to 3.4 */
    vec_file f;
    size_t i;
    vec_read(&f, "tests/socketio/session.txt", 107);
    for (i = 0; i < f.count; i++) {
        const vec_case *c = &f.cases[i];
        int before = test_failures;
        unsigned split, splits;
        if (ses_of_sockets(c)) continue;
        splits = 1u << ses_longest(c, true);
        for (split = 0; split < splits && test_failures == before; split++) {
            ses_play(c, VEC_WHOLE, true, split);
            if (test_failures == before) ses_play(c, VEC_SINGLY, true, split);
        }
    }
    vec_free(&f);
}
