/* permessage-deflate in the client (backends/wshub_ext_client.h, RFC 7692): what is offered, which
 * answers are taken, messages both ways, bombs, memory. With a codec that needs no library; and with
 * zlib (-DWITH_ZLIB, where it is there) against the hub, both on one fake io. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "client_site.h"
#include "deflate_runs.h"
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#undef WITH_ZLIB /* the library is not built for it */
#endif
#endif
#ifdef WITH_ZLIB
#include "wshub_deflate_zlib.h"
#endif

#define PMD "permessage-deflate"
#define FIELD "Sec-WebSocket-Extensions: "
#define NOCT "server_no_context_takeover"

static site s;
static runs codec;
static char agreed[32]; /* by the last one that was opened: whether, and by about.deflate */

static void on_opened(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_about *about, void *user) {
    (void)snprintf(agreed, sizeof agreed, "%s", about->deflate ? "compressed" : "plain");
    site_opened(pool, ws, about, user);
}
static const wshub_ws_events deflate_events = {on_opened, site_message, site_pong, site_drained,
                                               site_ended};

/* A site whose pool has a codec. */
static void begin(const wshub_deflate *with) {
    wshub_ws_pool_desc d;
    EXPECT(site_start(&s, false, NULL));
    wshub_ws_pool_destroy(s.pool);
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(s.fake);
    d.alloc = site_alloc;
    d.alloc_user = &s;
    d.deflate = with;
    EXPECT_INT(wshub_ws_pool_create(&d, &s.pool), WSHUB_OK);
}
static void begin_runs(void) {
    wshub_deflate table = runs_codec(&codec);
    begin(&table);
}
/* Ends it; nothing of the codec's is left. */
static void end(void) {
    site_stop(&s);
    EXPECT_INT(codec.deflaters, 0);
    EXPECT_INT(codec.inflaters, 0);
}
/* Opens one that offers, and answers with `more` (lines). request: of 8192 bytes; may be NULL. */
static wshub_ws offer(const wshub_ws_desc *d, const char *more, wshub_conn *out_conn,
                      char *request) {
    wshub_ws_desc desc;
    wshub_ws ws = {0};
    char accept[29], text[2048];
    memset(&desc, 0, sizeof desc);
    if (d) desc = *d;
    desc.url = "ws://127.0.0.1:81/";
    desc.events = &deflate_events;
    desc.user = &s;
    agreed[0] = 0;
    EXPECT_INT(wshub_ws_open(s.pool, &desc, &ws), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    *out_conn = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, *out_conn, true);
    site_request(&s, *out_conn, request, accept);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: %s\r\n%s\r\n",
                   accept, more);
    site_say(&s, *out_conn, text);
    return ws;
}
/* Opens one that has agreed. */
static wshub_ws deflating(const wshub_ws_desc *d, const char *more, wshub_conn *out_conn) {
    wshub_ws_desc desc;
    wshub_ws ws;
    memset(&desc, 0, sizeof desc);
    if (d) desc = *d;
    desc.deflate = true;
    ws = offer(&desc, *more ? more : FIELD PMD "\r\n", out_conn, NULL);
    EXPECT_STR(site_told(&s), "opened\n");
    EXPECT_STR(agreed, "compressed");
    return ws;
}
/* The next frame's first byte, and its payload unmasked; 0: none. */
static uint8_t next(wshub_conn c, wshub_str *out_payload) {
    wshub_str out = wshub_io_fake_output(s.fake, c);
    wshub_io_fake_frame f;
    uint8_t first = out.len ? (uint8_t)out.ptr[0] : 0;
    if (!site_next(&s, c, &f)) return 0;
    *out_payload = f.payload;
    return first;
}

/* ---- the handshake ---- */

TEST(it_is_offered_only_where_it_is_asked_for_and_there_is_a_codec) {
    static char request[8192];
    wshub_ws_desc d;
    wshub_conn c;
    memset(&d, 0, sizeof d);
    begin_runs();
    (void)offer(&d, "", &c, request);
    EXPECT(!strstr(request, "Extensions"));
    d.deflate = true;
    (void)offer(&d, "", &c, request);
    EXPECT(strstr(request, "\r\n" FIELD PMD "; client_max_window_bits\r\n") != NULL);
    EXPECT_STR(agreed, "plain");
    d.deflate_forget = true;
    (void)offer(&d, "", &c, request);
    EXPECT(strstr(request, "\r\n" FIELD PMD "; " NOCT "; client_max_window_bits\r\n") != NULL);
    d.deflate_bytes_min = 1u << 31;
    EXPECT(!strncmp(wshub_ws_desc_problem(&d), "url", 3));
    end();
    begin(NULL);
    d.deflate_bytes_min = 0;
    (void)offer(&d, "", &c, request);
    EXPECT(!strstr(request, "Extensions"));
    site_stop(&s);
}

/* d3 and RFC 7692 7.1: every valid answer is taken, and nothing else. */
TEST(an_answer_is_taken_or_refused) {
    static const struct {
        const char *answer;
        bool ok;
        uint8_t server, client;
        bool slides, forgets;
    } cases[] = {
        {FIELD PMD "\r\n", true, 15, 15, true, false},
        {FIELD " , " PMD " , ,\r\n", true, 15, 15, true, false},
        {"sec-websocket-extensions:" PMD ";" NOCT "\r\n", true, 15, 15, true, true},
        {FIELD PMD "; client_no_context_takeover\r\n", true, 15, 15, false, false},
        {FIELD PMD "; server_max_window_bits=8; client_max_window_bits=9\r\n", true, 8, 9, true,
         false},
        {FIELD PMD " ; client_max_window_bits = \"10\";" NOCT "; client_no_context_takeover\r\n",
         true, 15, 10, false, true},
        {FIELD PMD "; client_max_window_bits=15; server_max_window_bits=12\r\n", true, 12, 15, true,
         false},
        {FIELD "\r\n", false, 0, 0, false, false},
        {FIELD ",\r\n", false, 0, 0, false, false},
        {FIELD PMD "\r\n" FIELD PMD "\r\n", false, 0, 0, false, false},
        {FIELD PMD "\r\n" FIELD "\r\n", false, 0, 0, false, false},
        {FIELD PMD ", " PMD "\r\n", false, 0, 0, false, false},
        {FIELD PMD ", x-foo\r\n", false, 0, 0, false, false},
        {FIELD "x-foo\r\n", false, 0, 0, false, false},
        {FIELD "x-webkit-deflate-frame\r\n", false, 0, 0, false, false},
        {FIELD "Permessage-Deflate\r\n", false, 0, 0, false, false},
        {FIELD PMD ";\r\n", false, 0, 0, false, false},
        {FIELD PMD " x\r\n", false, 0, 0, false, false},
        {FIELD PMD "; nobody_knows\r\n", false, 0, 0, false, false},
        {FIELD PMD "; " NOCT "; " NOCT "\r\n", false, 0, 0, false, false},
        {FIELD PMD "; " NOCT "=1\r\n", false, 0, 0, false, false},
        {FIELD PMD "; client_no_context_takeover=\"\"\r\n", false, 0, 0, false, false},
        {FIELD PMD "; client_max_window_bits\r\n", false, 0, 0, false, false},
        {FIELD PMD "; server_max_window_bits\r\n", false, 0, 0, false, false},
        {FIELD PMD "; server_max_window_bits=\r\n", false, 0, 0, false, false},
        {FIELD PMD "; server_max_window_bits=\"9\r\n", false, 0, 0, false, false},
        {FIELD PMD "; server_max_window_bits=7\r\n", false, 0, 0, false, false},
        {FIELD PMD "; server_max_window_bits=16\r\n", false, 0, 0, false, false},
        {FIELD PMD "; server_max_window_bits=09\r\n", false, 0, 0, false, false},
        {FIELD PMD "; client_max_window_bits=x\r\n", false, 0, 0, false, false},
    };
    wshub_ws_desc d;
    wshub_ws ws;
    wshub_conn c;
    size_t i;
    begin_runs();
    memset(&d, 0, sizeof d);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const wshub_ws__agreed *on;
        d.deflate = d.deflate_takeover = true;
        ws = offer(&d, cases[i].answer, &c, NULL);
        on = cases[i].ok ? wshub_ws__get(s.pool, ws.id)->agreed : NULL;
        if (on) {
            EXPECT(on->server_bits == cases[i].server && on->client_bits == cases[i].client);
            EXPECT(on->slides == cases[i].slides && on->forgets == cases[i].forgets);
        }
        if (strcmp(s.told, cases[i].ok ? "opened\n" : "ended handshake\n") != 0)
            printf("  %s", cases[i].answer);
        EXPECT_STR(site_told(&s), cases[i].ok ? "opened\n" : "ended handshake\n");
        d.deflate = false; /* nothing was offered: no such answer is one */
        (void)offer(&d, cases[i].answer, &c, NULL);
        EXPECT_STR(site_told(&s), "ended handshake\n");
    }
    d.deflate = d.deflate_forget = true; /* a server has to do what was asked of it, or refuse */
    (void)offer(&d, FIELD PMD "\r\n", &c, NULL);
    EXPECT_STR(site_told(&s), "ended handshake\n");
    end();
}

/* ---- what comes ---- */

/* Messages, compressed and plain, in pieces with a ping between, cut at each place. */
TEST(messages_are_inflated_however_they_are_cut) {
    static const char in[] = "\xC1\x04\x03"
                             "a\x02"
                             "b\x81\x01p\x41\x01\x02\x89\x01q\x00\x00\x80\x01z\xC2\x00\xC1\x03\x01x"
                             "\xFF\x42\x02\x05\x00\x80\x02\x01\x01\xC1\x02\x01y";
    static const char want[] = "text aaabb\ntext p\ntext zz\nbytes 0\ntext x\nbytes 6\ntext y\n";
    size_t len = sizeof in - 1, i;
    wshub_conn c;
    wshub_str payload;
    begin_runs();
    for (i = 0; i <= len; i++) {
        (void)deflating(NULL, i % 2 ? FIELD PMD "; " NOCT "\r\n" : "", &c);
        if (i) {
            wshub_io_fake_input(s.fake, c, in, i);
            wshub_io_fake_input(s.fake, c, in + i, len - i);
        } else {
            wshub_io_fake_set_cut(s.fake, 1, 0);
            wshub_io_fake_input(s.fake, c, in, len);
            wshub_io_fake_set_cut(s.fake, 0, 0);
        }
        EXPECT_STR(site_told(&s), want);
        EXPECT(next(c, &payload) == 0x8A && wshub_str_eq_z(payload, "q"));
        wshub_io_fake_end(s.fake, c);
        wshub_io_fake_forget(s.fake, c);
        EXPECT_STR(site_told(&s), "ended lost 1006\n");
    }
    EXPECT_OP(codec.inflaters, <=, 1); /* that of the pool, for those who forget */
    end();
}

TEST(what_cannot_be_inflated_ends_it) {
    static const struct {
        const char *bytes;
        size_t count;
        const char *told;
    } bad[] = {
        {"\xC1\x03\x00\x01x", 5, "ended protocol 1007\n"}, /* no end of a message */
        {"\xC1\x01\x05", 3, "ended protocol 1007\n"},      /* it lacks its last byte */
        {"\xC1\x02\x01\xFF", 4, "ended protocol 1007\n"},  /* no UTF-8 inside */
        {"\x41\x02\x01"
         "a\xC0\x00",
         6, "ended protocol 1002\n"},             /* RSV1 on a continuation */
        {"\xC9\x00", 2, "ended protocol 1002\n"}, /* on a ping */
        {"\xC8\x00", 2, "ended protocol 1002\n"}, /* on a Close */
        {"\xC3\x00", 2, "ended protocol 1002\n"}, /* a reserved kind */
        {"\xE1\x00", 2, "ended protocol 1002\n"}, /* RSV2 too */
        {"\xD1\x00", 2, "ended protocol 1002\n"}, /* RSV3 too */
    };
    wshub_conn c;
    wshub_str payload;
    size_t i;
    begin_runs();
    for (i = 0; i < 2 * sizeof bad / sizeof *bad; i++) {
        (void)deflating(NULL, "", &c);
        wshub_io_fake_set_cut(s.fake, i % 2, 0);
        wshub_io_fake_input(s.fake, c, bad[i / 2].bytes, bad[i / 2].count);
        wshub_io_fake_set_cut(s.fake, 0, 0);
        EXPECT(next(c, &payload) == 0x88);
        EXPECT_STR(site_told(&s), bad[i / 2].told);
        wshub_io_fake_forget(s.fake, c);
    }
    end();
}

/* At the limit is fine, a byte over it is not; and a bomb costs no more memory than it may. */
TEST(a_message_counts_by_what_it_holds) {
    static uint8_t bomb[60000];
    wshub_ws_desc d;
    wshub_conn c;
    wshub_str payload;
    uint64_t before;
    size_t i;
    begin_runs();
    memset(&d, 0, sizeof d);
    d.message_bytes_max = 10000;
    for (i = 0; i < sizeof bomb; i += 2) {
        bomb[i] = 250;
        bomb[i + 1] = 'b';
    }
    (void)deflating(&d, "", &c);
    site_frame(&s, c, 0xC1, bomb, 80);
    EXPECT_STR(site_told(&s), "long 10000\n");
    site_frame(&s, c, 0x41, bomb, 78);
    before = s.bytes;
    site_frame(&s, c, 0x80,
               "\xFA"
               "b\x01"
               "c",
               4);
    EXPECT_STR(site_told(&s), "ended protocol 1009\n");
    EXPECT(next(c, &payload) == 0x88 && !memcmp(payload.ptr, "\x03\xF1", 2));

    (void)deflating(&d, "", &c);
    before = s.bytes;
    site_frame(&s, c, 0x42, bomb, sizeof bomb);
    EXPECT_OP(s.bytes - before, <=, 20000);
    EXPECT_STR(site_told(&s), "ended protocol 1009\n");

    (void)deflating(&d, "", &c); /* frames without bytes end too */
    site_frame(&s, c, 0x41, "", 0);
    for (i = 0; i < 10001; i++) site_frame(&s, c, 0x00, "", 0);
    EXPECT_STR(site_told(&s), "ended protocol 1009\n");

    (void)deflating(&d, "", &c); /* the one that is too many may be the message's last */
    site_frame(&s, c, 0x41, "", 0);
    for (i = 1; i < 10000; i++) site_frame(&s, c, 0x00, "", 0);
    EXPECT_STR(site_told(&s), "");
    site_frame(&s, c, 0x80, "", 0);
    EXPECT_STR(site_told(&s), "ended protocol 1009\n");
    end();
}

/* ---- what is sent ---- */

TEST(messages_are_compressed_where_that_is_shorter) {
    static char text[1000];
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws;
    wshub_str payload;
    size_t i;
    begin_runs();
    memset(&d, 0, sizeof d);
    memset(text, 'x', sizeof text);
    ws = deflating(&d, "", &c);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 255), WSHUB_OK);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 256), WSHUB_OK);
    EXPECT_INT(wshub_ws_ping(s.pool, ws, "ping", 4), WSHUB_OK);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_BINARY, text, 1000), WSHUB_OK);
    for (i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 2);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 1000), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT(next(c, &payload) == 0x81 && payload.len == 255);
    EXPECT(next(c, &payload) == 0xC1 && payload.len == 4);
    EXPECT(next(c, &payload) == 0x89 && payload.len == 4);
    EXPECT(next(c, &payload) == 0xC2 && payload.len == 10);
    EXPECT(next(c, &payload) == 0x81 && payload.len == 1000);
    EXPECT_INT(codec.deflaters, 1);
    EXPECT_INT(codec.resets, 2); /* the one of the pool forgets before each but the first */

    d.deflate_bytes_min = WSHUB_OFF;
    memset(text, 'x', sizeof text);
    ws = deflating(&d, "", &c);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 1000), WSHUB_OK);
    d.deflate_bytes_min = 1;
    wshub_io_fake_run(s.fake);
    EXPECT(next(c, &payload) == 0x81);
    ws = deflating(&d, FIELD PMD "; client_max_window_bits=8\r\n", &c); /* the codec keeps 9 */
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 1000), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT(next(c, &payload) == 0x81);
    codec.no_deflater = true;
    ws = deflating(&d, FIELD PMD "; client_max_window_bits=10\r\n", &c);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "", 0), WSHUB_OK);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 3), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT(next(c, &payload) == 0x81 && next(c, &payload) == 0x81);
    end();
}

/* With a window that slides, what the peer has not seen is forgotten. */
TEST(a_window_that_slides_knows_what_the_peer_knows) {
    static char text[1000];
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws, other;
    wshub_str payload;
    begin_runs();
    memset(&d, 0, sizeof d);
    d.deflate_takeover = true;
    memset(text, 'x', sizeof text);
    ws = deflating(&d, FIELD PMD "; client_max_window_bits=12\r\n", &c);
    other = deflating(&d, "", &c);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 1000), WSHUB_OK);
    EXPECT_INT(codec.bits, 12);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, 1000), WSHUB_OK);
    EXPECT_INT(wshub_ws_send(s.pool, other, WSHUB_WS_TEXT, text, 1000), WSHUB_OK);
    EXPECT_INT(codec.deflaters, 2);
    EXPECT_INT(codec.resets, 0);
    codec.no_deflate = true;
    EXPECT_INT(wshub_ws_send(s.pool, other, WSHUB_WS_TEXT, text, 1000), WSHUB_OK);
    EXPECT_INT(codec.resets, 1);
    wshub_io_fake_run(s.fake);
    EXPECT(next(c, &payload) == 0xC1 && next(c, &payload) == 0x81);
    end();
}

/* ---- memory ---- */

TEST(every_allocation_of_compression_may_fail) {
    static char text[3000];
    uint64_t nth;
    bool done = false;
    memset(text, 'x', sizeof text);
    for (nth = 1; !done && nth < 100; nth++) {
        wshub_ws_desc d;
        wshub_conn c;
        wshub_ws ws;
        begin_runs();
        memset(&d, 0, sizeof d);
        d.deflate = true;
        d.url = "ws://127.0.0.1:81/";
        d.events = &site_events;
        d.user = &s;
        s.fail_in = nth;
        if (wshub_ws_open(s.pool, &d, &ws) == WSHUB_OK) {
            wshub_io_fake_run(s.fake);
            if (wshub_io_fake_dialled(s.fake, &c, NULL)) {
                wshub_io_fake_answer(s.fake, c, true);
                if (wshub_io_fake_output(s.fake, c).len)
                    site_accept(&s, c, FIELD PMD "; " NOCT "\r\n", "");
                (void)wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, sizeof text);
                site_frame(&s, c, 0xC1, "\xC8y\xC8y", 4);
                wshub_io_fake_end(s.fake, c);
            }
            wshub_io_fake_run(s.fake);
            done = s.fail_in > 0;
            EXPECT(strstr(s.told, "ended ") != NULL);
            if (done) EXPECT_STR(s.told, "opened\nlong 400\nended lost 1006\n");
        }
        s.fail_in = 0;
        (void)site_told(&s);
        end();
    }
    EXPECT(done);
}

/* Out of memory inside the codec: 1006, and nobody is told that he broke a rule. */
TEST(a_codec_without_memory_ends_it) {
    wshub_conn c;
    begin_runs();
    (void)deflating(NULL, "", &c);
    codec.no_inflater = true;
    site_frame(&s, c, 0xC1, "\x01y", 2);
    EXPECT_STR(site_told(&s), "ended memory 1006\n");
    codec.no_inflater = false;
    (void)deflating(NULL, "", &c);
    codec.no_inflate = true;
    site_frame(&s, c, 0xC1, "\x01y", 2);
    EXPECT_STR(site_told(&s), "ended memory 1006\n");
    end();
}

/* Two messages at once of those who forget: the second has an inflater of its own. */
TEST(who_forgets_shares_an_inflater) {
    wshub_conn a, b;
    begin_runs();
    (void)deflating(NULL, FIELD PMD "; " NOCT "\r\n", &a);
    (void)deflating(NULL, FIELD PMD "; " NOCT "\r\n", &b);
    site_frame(&s, a, 0x41,
               "\x01"
               "a",
               2);
    site_frame(&s, b, 0x41,
               "\x01"
               "b",
               2);
    EXPECT_INT(codec.inflaters, 2);
    site_frame(&s, a, 0x80,
               "\x01"
               "A",
               2);
    site_frame(&s, b, 0x80,
               "\x01"
               "B",
               2);
    EXPECT_INT(codec.inflaters, 1);
    EXPECT_STR(site_told(&s), "text aA\ntext bB\n");
    end();
}

/* ---- zlib ---- */

#ifdef WITH_ZLIB
static wshub *hub;
static wshub_conn here, there;
static int echoes;

static void on_authenticate(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    (void)wshub_auth_accept(h, ask, &who);
}
static wshub_err on_message(wshub *h, wshub_client c, const wshub_event *event, void *user) {
    wshub_msg msg;
    (void)user;
    memset(&msg, 0, sizeof msg);
    msg.event = event->event;
    msg.data = event->data;
    return wshub_client_send(h, c, &msg);
}
static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    const wshub_str *want = (const wshub_str *)user;
    (void)c;
    EXPECT(wshub_str_eq(event->data, *want));
    echoes++;
}
/* Carries what one side has sent to the other. Returns how many bytes. */
static size_t carry(wshub_conn from, wshub_conn to) {
    static char copy[400000];
    wshub_str out = wshub_io_fake_output(s.fake, from);
    if (!out.len || out.len > sizeof copy) return 0;
    memcpy(copy, out.ptr, out.len);
    wshub_io_fake_take(s.fake, from, out.len);
    wshub_io_fake_input(s.fake, to, copy, out.len);
    return out.len;
}
static size_t pump(void) {
    size_t moved, total = 0;
    do {
        moved = carry(here, there) + carry(there, here);
        total += moved;
        wshub_io_fake_run(s.fake);
    } while (moved);
    return total;
}
/* An echo of words there and back, each a thousand times as long as it need be. */
static void echo_with(const wshub_desc *how, const wshub_ws_desc *ws, size_t most) {
    static char data[5000];
    wshub_ext_client *client;
    wshub_ext_client_desc d;
    wshub_ext_client_events events;
    wshub_desc desc = *how;
    wshub_msg msg;
    wshub_str text = {data, sizeof data};
    size_t i, moved = 0;
    begin(wshub_deflate_zlib());
    desc.io = wshub_io_fake_io(s.fake);
    desc.on_authenticate = on_authenticate;
    desc.on_message = on_message;
    desc.no_log = true;
    EXPECT_INT(wshub_create(&desc, &hub), WSHUB_OK);
    memset(&d, 0, sizeof d);
    memset(&events, 0, sizeof events);
    events.event = on_event;
    d.ws = *ws;
    d.ws.url = "ws://hub/ws";
    d.events = &events;
    d.auth = "{}";
    d.heartbeat_ms = WSHUB_OFF;
    echoes = 0;
    EXPECT_INT(wshub_ext_client_create(s.pool, &d, &text, &client), WSHUB_OK);
    (void)wshub_ext_client_subscribe(client, wshub_str_z("say"));
    wshub_io_fake_run(s.fake);
    here = site_dialled(&s, NULL);
    there = wshub_io_fake_open(s.fake);
    wshub_io_fake_answer(s.fake, here, true);
    (void)pump();
    EXPECT_INT(wshub_ext_client_state_of(client), WSHUB_EXT_CLIENT_AUTHENTICATED);
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("say");
    for (i = 0; i < sizeof data; i++) data[i] = "words and words, \xC3\xA4 "[i % 20];
    data[0] = data[sizeof data - 1] = '"';
    for (i = sizeof data - 4; i < sizeof data - 1; i++) data[i] = 'z';
    msg.data = text;
    for (i = 0; i < 20; i++) {
        EXPECT_INT(wshub_ext_client_emit(client, &msg, false), WSHUB_OK);
        wshub_io_fake_run(s.fake);
        moved += pump();
    }
    EXPECT_INT(echoes, 20);
    EXPECT_OP(moved, <=, most);
    wshub_ext_client_destroy(client);
    wshub_destroy(hub);
    site_stop(&s);
}
#endif
TEST(the_hub_and_the_client_understand_each_other) {
#ifdef WITH_ZLIB
    wshub_desc d;
    wshub_ws_desc ws;
    memset(&d, 0, sizeof d);
    memset(&ws, 0, sizeof ws);
    d.deflate = wshub_deflate_zlib();
    ws.deflate = true;
    echo_with(&d, &ws, 20 * 300);
    d.deflate_takeover = ws.deflate_takeover = true;
    echo_with(&d, &ws, 20 * 150);
    d.deflate_forget = true;
    echo_with(&d, &ws, 20 * 300);
    ws.deflate_forget = true;
    d.deflate_window_bits = 9;
    echo_with(&d, &ws, 20 * 400);
    ws.deflate = false;
    echo_with(&d, &ws, 20 * 10200);
    ws.deflate = true;
    d.deflate = NULL;
    d.deflate_takeover = d.deflate_forget = false;
    d.deflate_window_bits = 0;
    echo_with(&d, &ws, 20 * 10200);
#else
    SKIP("zlib is not installed, or not built for this sanitizer");
#endif
}
