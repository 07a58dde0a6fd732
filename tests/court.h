/* What is wrong is heard whole, byte by byte and in two pieces, and the verdict is compared:
 * status, close code or reply, and log code. Where the two pieces are cut differs from input to
 * input, and is every place in `make check`. */
#ifndef COURT_H
#define COURT_H
#include "hubtest.h"

typedef struct bytes {
    uint8_t b[70000];
    size_t n;
} bytes;

UNUSED static void add(bytes *o, const void *p, size_t n) {
    if (n) memcpy(o->b + o->n, p, n);
    o->n += n;
}

UNUSED static void addz(bytes *o, const char *s) {
    add(o, s, strlen(s));
}

/* a fresh stream; upgraded; authenticated as well */
typedef enum stage { RAW, OPENED, KNOWN } stage;

UNUSED static world court;
UNUSED static char logged[256]; /* log codes of this play, but those that merely follow */
UNUSED static unsigned cases_played, plays, complaints;

UNUSED static void court_log(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    if (strlen(logged) + strlen(wshub_log_name(line->code)) + 2 > sizeof logged) return;
    if (logged[0]) strcat(logged, " ");
    strcat(logged, wshub_log_name(line->code));
    EXPECT(strlen(line->text) <= 128);
}

UNUSED static wshub_err court_message(wshub *hub, wshub_client c, const wshub_event *e,
                                      void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    return wshub_client_send(hub, c, &m);
}

UNUSED static bool court_request(wshub *hub, wshub_exchange request, const wshub_http *http,
                                 void *user) {
    wshub_reply r;
    (void)user;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = http->body;
    return wshub_http_reply(hub, request, &r) == WSHUB_OK;
}

UNUSED static void court_opens(const char *const *origins, size_t count) {
    wshub_desc d;
    memset(&d, 0, sizeof d);
    d.on_authenticate = accept_all;
    d.on_join = join_all;
    d.on_message = court_message;
    d.on_request = court_request;
    d.on_log = court_log;
    d.payload_bytes_max = 2000;
    d.http_head_bytes_max = 2000;
    d.http_headers_max = 20;
    d.http_body_bytes_max = 100;
    d.json_depth_max = 20;
    d.rooms_per_message_max = 4;
    d.rooms_per_client_max = 8;
    d.allowed_origins = origins;
    d.allowed_origins_count = count;
    world_start(&court, d, FAKE(0));
    logged[0] = 0;
    cases_played = plays = 0;
}

UNUSED static void court_closes(void) {
    /* after all that, the hub serves the next */
    wshub_conn c = world_client(&court, "judge", NULL);
    wshub_io_fake_text(court.net, c, "{\"event\":\"e\",\"data\":1}");
    EXPECT_TEXT(&court, c, "{\"event\":\"e\",\"data\":1}");
    world_stop(&court);
    (void)printf("  %u inputs, %u times\n", cases_played, plays);
}

/* What the peer sees, in words: `101`, `400`, `error TEXT`, `event NAME`, `close CODE`, `pong`;
 * "" is silence. */
UNUSED static void verdict(wshub_conn c, stage from, char *out, size_t cap) {
    wshub_io_fake_frame f;
    size_t at = 0;
    out[0] = 0;
    if (from == RAW) {
        wshub_str text = wshub_io_fake_output(court.net, c);
        if (text.len > 12) (void)snprintf(out, cap, "%.3s", text.ptr + 9);
        return;
    }
    while (wshub_io_fake_next(court.net, c, &f)) {
        char piece[200] = "?";
        /* 1005: none in it */
        if (f.opcode == 8) (void)snprintf(piece, sizeof piece, "close %u", f.code ? f.code : 1005);
        if (f.opcode == 10) (void)snprintf(piece, sizeof piece, "pong");
        if (f.opcode == 1) {
            char event[64], text[100];
            size_t n = wshub_json_text(wshub_json_get(f.payload, "event"), event, sizeof event - 1);
            event[n < sizeof event ? n : 0] = 0;
            n = wshub_json_text(wshub_json_get(wshub_json_get(f.payload, "data"), "message"), text,
                                sizeof text - 1);
            text[n < sizeof text ? n : 0] = 0;
            if (strcmp(event, "error") == 0)
                (void)snprintf(piece, sizeof piece, "error %s", text);
            else
                (void)snprintf(piece, sizeof piece, "event %s", event);
        }
        at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? "; " : "", piece);
        if (at >= cap) break;
    }
}

UNUSED static void once(stage from, const bytes *in, size_t cut, const char *want,
                        const char *want_log) {
    char got[600];
    wshub_conn c = from == RAW      ? wshub_io_fake_open(court.net)
                   : from == OPENED ? wshub_io_fake_connect(court.net, "/ws")
                                    : world_client(&court, "u", NULL);
    logged[0] = 0;
    plays++;
    if (cut == 0) wshub_io_fake_set_cut(court.net, 1, 0);
    wshub_io_fake_input(court.net, c, in->b, cut ? cut : in->n);
    if (cut == 0) wshub_io_fake_set_cut(court.net, 0, 0);
    if (cut && cut < in->n) wshub_io_fake_input(court.net, c, in->b + cut, in->n - cut);
    verdict(c, from, got, sizeof got);
    if ((strcmp(got, want) != 0 || strcmp(logged, want_log) != 0) && complaints++ < 20) {
        size_t i;
        (void)printf("  cut at %u of %u: got '%s' logged '%s'\n    expected '%s' logged '%s' to: ",
                     (unsigned)cut, (unsigned)in->n, got, logged, want, want_log);
        for (i = 0; i < in->n && i < 200; i++)
            (void)printf(in->b[i] >= 0x20 && in->b[i] < 0x7F ? "%c" : "\\x%02X", in->b[i]);
        (void)printf("\n");
    }
    if (strcmp(got, want) != 0 || strcmp(logged, want_log) != 0) test_failures++;
    if (wshub_io_fake_is_open(court.net, c)) wshub_io_fake_end(court.net, c);
    wshub_io_fake_forget(court.net, c);
    wshub_io_fake_advance(court.net, 1000); /* the log's second is over */
}

/* WSHUB_CORPUS=DIR: each input becomes a file there, as tests/fuzz/fuzz_conn.c reads it. */
UNUSED static void keep_input(stage from, const bytes *in) {
    const char *dir = getenv("WSHUB_CORPUS");
    char path[300];
    FILE *f;
    if (!dir) return;
    (void)snprintf(path, sizeof path, "%s/%s-%u", dir, test_name, cases_played);
    f = fopen(path, "wb");
    if (!f) return;
    (void)fputc(0, f);
    (void)fputc(from == RAW ? 0 : from == OPENED ? 1 : 2, f);
    (void)fwrite(in->b, 1, in->n, f);
    (void)fclose(f);
}

UNUSED static void hear(stage from, const bytes *in, const char *want, const char *want_log) {
    size_t stride = test_stride(7), k = 1 + cases_played % stride;
    cases_played++;
    keep_input(from, in);
    once(from, in, in->n, want, want_log);
    if (in->n < 300) once(from, in, 0, want, want_log);
    for (; k < in->n && k <= 64; k += stride) once(from, in, k, want, want_log);
}

#endif
