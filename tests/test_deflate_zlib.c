/* permessage-deflate with zlib (RFC 7692): its examples at every cut, windows of every size each
 * way, what is kept from message to message, bombs, and what a stream costs. Built with -DWITH_ZLIB
 * where zlib is there; else it says that it is skipped. */
#include "deflate_site.h"
#ifdef WITH_ZLIB
#include "wshub_deflate_zlib.h"
#endif
#ifndef WITH_ZLIB
TEST(zlib_keeps_what_was_agreed_on) {
    (void)offer;
    SKIP("zlib is not installed");
}
#else

static void *plain_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* Text that is like itself near and far; chance: how much of it is noise, of 100. */
static void fill_text(uint8_t *to, size_t count, unsigned seed, uint32_t chance) {
    static const char words[] =
        "{\"event\":\"message\",\"data\":{\"room\":\"lobby\",\"text\":\"hello\"}}";
    size_t i;
    any_seed = seed + 1;
    for (i = 0; i < count; i++) {
        to[i] = any_of(100) < chance ? (uint8_t)(' ' + any_of(90))
                                     : (uint8_t)words[i % (sizeof words - 1)];
    }
}

/* Inflates as a peer would, room bytes at a time. Returns the length; SIZE_MAX: bad. */
static size_t inflate_all(void *inflater, const uint8_t *bytes, size_t count, uint8_t *to,
                          size_t cap, size_t room) {
    static const uint8_t tail[] = {0, 0, 0xFF, 0xFF};
    const wshub_deflate *z = wshub_deflate_zlib();
    size_t made = 0;
    int part;
    for (part = 0; part < 2; part++) {
        wshub_inflating at;
        memset(&at, 0, sizeof at);
        at.in = part ? tail : bytes;
        at.in_len = part ? 4 : count;
        do {
            at.out = to + made;
            at.out_len = room < cap - made ? room : cap - made;
            if (z->inflate(z->ctx, inflater, &at)) return SIZE_MAX;
            made = (size_t)(at.out - to);
        } while (!at.out_len && made < cap);
        if (part && !at.whole) return SIZE_MAX;
    }
    return made;
}

/* ---- the codec ---- */

TEST(windows_of_every_size_are_kept_each_way) { /* RFC 7692 7.1.2; PITFALLS: a window of 8 */
    static uint8_t text[70000], small[80000], back[70000];
    const wshub_deflate *z = wshub_deflate_zlib();
    uint8_t bits;
    int message;
    for (bits = z->window_bits_min; bits <= 15; bits++) {
        void *d = z->deflater(z->ctx, plain_alloc, NULL, WSHUB_DEFLATE_RAW, bits);
        void *i = z->inflater(z->ctx, plain_alloc, NULL, bits);
        for (message = 0; message < 6; message++) {
            size_t count = message == 2  ? 0 /* PITFALLS c15: nothing, behind something */
                           : message < 4 ? 700 + (size_t)message * 211
                                         : 5000,
                   made, n;
            fill_text(text, count, message < 3 ? 0 : 7, message % 2 ? 3 : 0);
            EXPECT_OP(z->bound(z->ctx, d, count), <=, sizeof small);
            EXPECT_INT(z->deflate(z->ctx, d, text, count, small, &made), WSHUB_OK);

            /* A byte at a time, so that all that is pointed back to is in the window. */
            n = inflate_all(i, small, made, back, sizeof back, 1);
            EXPECT_INT(n, count);
            EXPECT(n == count && memcmp(back, text, count) == 0);
        }
        z->deflater_free(z->ctx, d);
        z->inflater_free(z->ctx, i);
    }
}

TEST(nothing_depends_on_how_it_is_cut) {
    static uint8_t text[3000], small[4000], again[4000], back[4000];
    const wshub_deflate *z = wshub_deflate_zlib();
    void *d = z->deflater(z->ctx, plain_alloc, NULL, WSHUB_DEFLATE_RAW, 15);
    void *i = z->inflater(z->ctx, plain_alloc, NULL, 15);
    size_t made, other, room, count;
    fill_text(text, sizeof text, 3, 5);
    EXPECT_INT(z->deflate(z->ctx, d, text, sizeof text, small, &made), WSHUB_OK);
    EXPECT_OP(made, <, sizeof text / 2);
    z->deflater_reset(z->ctx, d);
    EXPECT_INT(z->deflate(z->ctx, d, text, sizeof text, again, &other), WSHUB_OK);
    EXPECT_INT(other, made);
    EXPECT(memcmp(small, again, made) == 0);
    for (room = 1; room < 400; room++) {
        z->inflater_reset(z->ctx, i);
        EXPECT_INT(inflate_all(i, small, made, back, sizeof back, room), sizeof text);
        EXPECT(memcmp(back, text, sizeof text) == 0);
    }

    /* Whatever its end, it is short or bad, and never longer. */
    for (count = 0; count < made; count++) {
        size_t n;
        z->inflater_reset(z->ctx, i);
        n = inflate_all(i, small, count, back, sizeof back, 500);
        EXPECT(n == SIZE_MAX || n < sizeof text);
    }
    z->inflater_free(z->ctx, i);

    /* Of every length, which is all that `bound` is asked for. */
    for (count = 0; count < 600; count++) {
        fill_text(text, count, (unsigned)count, 100);
        memset(again, 0xAA, sizeof again);
        EXPECT_INT(z->deflate(z->ctx, d, text, count, again, &other), WSHUB_OK);
        EXPECT_OP(other, <=, z->bound(z->ctx, d, count));
        EXPECT_OP(other, >, 0);
    }
    z->deflater_free(z->ctx, d);
}

TEST(levels_are_asked_for) {
    wshub_deflate_zlib_way way = {1, 1};
    wshub_deflate table;
    uint8_t text[2000], small[3000];
    size_t quick, made;
    void *d;
    fill_text(text, sizeof text, 1, 10);
    EXPECT_INT(wshub_deflate_zlib_make(&way, &table), WSHUB_OK);
    d = table.deflater(table.ctx, plain_alloc, NULL, WSHUB_DEFLATE_RAW, 15);
    EXPECT_INT(table.deflate(table.ctx, d, text, sizeof text, small, &quick), WSHUB_OK);
    table.deflater_free(table.ctx, d);
    EXPECT_INT(wshub_deflate_zlib_make(NULL, &table), WSHUB_OK);
    d = table.deflater(table.ctx, plain_alloc, NULL, WSHUB_DEFLATE_RAW, 15);
    EXPECT_INT(table.deflate(table.ctx, d, text, sizeof text, small, &made), WSHUB_OK);
    table.deflater_free(table.ctx, d);
    EXPECT_OP(made, <, quick);
    way.level = 10;
    EXPECT_INT(wshub_deflate_zlib_make(&way, &table), WSHUB_ERR_PARAM);
    way.level = -1;
    EXPECT_INT(wshub_deflate_zlib_make(&way, &table), WSHUB_ERR_PARAM);
    way.level = 1;
    way.memory_level = 10;
    EXPECT_INT(wshub_deflate_zlib_make(&way, &table), WSHUB_ERR_PARAM);
    way.memory_level = -1;
    EXPECT_INT(wshub_deflate_zlib_make(&way, &table), WSHUB_ERR_PARAM);
}

TEST(answers_of_http_are_whole) { /* RFC 1950, 1952 */
    static const wshub_deflate_form forms[] = {WSHUB_DEFLATE_ZLIB, WSHUB_DEFLATE_GZIP};
    static uint8_t text[30000], back[30001];
    size_t i, cap, count;
    uint8_t *bytes;
    world w;
    world_start(&w, DESC(0), FAKE(0));
    fill_text(text, sizeof text, 1, 4);
    for (i = 0; i < 2; i++) {
        z_stream z;
        EXPECT_INT(wshub_deflate_whole(w.hub, wshub_deflate_zlib(), forms[i], text, sizeof text,
                                       &bytes, &cap, &count),
                   WSHUB_OK);
        memset(&z, 0, sizeof z);
        EXPECT_INT(inflateInit2(&z, i ? 31 : 15), Z_OK);
        z.next_in = bytes;
        z.avail_in = (uInt)count;
        z.next_out = back;
        z.avail_out = sizeof back;
        EXPECT_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
        EXPECT_INT(z.total_out, sizeof text);
        EXPECT(memcmp(text, back, sizeof text) == 0);
        (void)inflateEnd(&z);
        (void)wshub_alloc(w.hub, bytes, cap, 0);
    }
    world_stop(&w);
}

/* ---- what is read ---- */

static wshub_conn site_with(world *w, site *s, wshub_desc d, const char *extensions, uint32_t cut) {
    memset(s, 0, sizeof *s);
    d.deflate = wshub_deflate_zlib();
    world_start(w, d, FAKE(.cut_bytes = cut));
    site_mount(w, s, "/s");
    return offer(w, "/s", extensions);
}

TEST(the_examples_of_the_rfc_are_read_at_every_cut) { /* RFC 7692 7.2.3 */
    static const struct {
        const char *bytes;
        size_t count;
    } cases[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7},                  /* 7.2.3.1 */
        {"\xf2\x00\x11\x00\x00", 5},                          /* 7.2.3.2: behind the first */
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11}, /* 7.2.3.3 */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8},              /* 7.2.3.4 */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7},                  /* the same without its 00 */
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13}, /* 7.2.3.5 */
        {"\xf2\x00\x11\x00\x00", 5},                                  /* behind a last block, too */
    };
    size_t i, at;
    uint32_t cut;
    for (cut = 0; cut < 3; cut++) {
        world w;
        site s;
        wshub_conn c = site_with(&w, &s, DESC(0), PMD, cut);
        int messages = 0;
        for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            frame_in(&w, c, 0xC1, cases[i].bytes, cases[i].count);
            EXPECT_INT(s.messages, ++messages);
            EXPECT_STR(s.last, "Hello");
        }
        for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            for (at = 0; at <= cases[i].count; at++) {
                frame_in(&w, c, 0x41, cases[i].bytes, at);
                frame_in(&w, c, 0x80, cases[i].bytes + at, cases[i].count - at);
                EXPECT_INT(s.messages, ++messages);
                EXPECT_STR(s.last, "Hello");
            }
        }
        world_stop(&w);
    }
}

TEST(a_peer_that_keeps_no_window_is_read_and_one_that_keeps_it) { /* PITFALLS: sides mixed up */
    static const char *const offers[] = {
        PMD, PMD "; client_no_context_takeover", PMD "; server_no_context_takeover",
        PMD "; client_max_window_bits=9",
        PMD "; client_max_window_bits=8; client_no_context_takeover"};
    const wshub_deflate *z = wshub_deflate_zlib();
    size_t i;
    for (i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        world w;
        site s;
        wshub_conn c = site_with(&w, &s, DESC(0), offers[i], 0);
        bool forgets = strstr(answered, "client_no_context_takeover") != NULL;
        uint8_t bits = i == 3 ? 9 : i == 4 ? 8 : 15;
        void *d = z->deflater(z->ctx, plain_alloc, NULL, WSHUB_DEFLATE_RAW, bits);
        int message;
        for (message = 1; message < 5; message++) {
            uint8_t text[600], small[1000];
            size_t made;
            fill_text(text, sizeof text, 2, 1);
            if (forgets) z->deflater_reset(z->ctx, d);
            EXPECT_INT(z->deflate(z->ctx, d, text, sizeof text, small, &made), WSHUB_OK);
            frame_in(&w, c, 0xC2, small, made);
            EXPECT_INT(s.messages, message);
            EXPECT_INT(s.last_bytes, sizeof text);
        }
        z->deflater_free(z->ctx, d);
        world_stop(&w);
    }
}

/* What is sent inside a message is bad: 1007. */
static void expect_bad(const char *bytes, size_t count) {
    uint32_t cut;
    for (cut = 0; cut < 2; cut++) {
        world w;
        site s;
        wshub_conn c = site_with(&w, &s, DESC(0), PMD, cut);
        frame_in(&w, c, 0xC2, bytes, count);
        EXPECT_INT(s.messages, 0);
        EXPECT_CLOSE(&w, c, 1007);
        EXPECT_INT(stats(&w).inflate_refused, 1);
        world_stop(&w);
    }
}

TEST(bad_data_ends_the_stream) {                   /* RFC 6455 7.4.1 */
    expect_bad("\x07", 1);                         /* a block of no kind */
    expect_bad("\xf2\x00\x11\x00\x00", 5);         /* points back to before the beginning */
    expect_bad("\xf2\x48\xcd\xc9\xc9", 5);         /* cut in a block */
    expect_bad("\xf2\x48\xcd\xc9\xc9\x07", 6);     /* without the end of an empty one */
    expect_bad("\x00\x05\x00\xfa\xfe\x48", 6);     /* lengths that do not agree */
    expect_bad("\x00\x05\x00\xfa\xff\x48\x65", 7); /* cut in a stored block */
}

TEST(a_bomb_costs_no_more_than_an_honest_message) { /* BYE-3; CVE-2018-1000518 */
    static uint8_t zeros[1 << 20], small[4000];
    const wshub_deflate *z = wshub_deflate_zlib();
    void *d = z->deflater(z->ctx, plain_alloc, NULL, WSHUB_DEFLATE_RAW, 15);
    size_t made, before, kind;
    EXPECT_INT(z->deflate(z->ctx, d, zeros, sizeof zeros, small, &made), WSHUB_OK);
    EXPECT_OP(made * 900, <, sizeof zeros);
    for (kind = 0; kind < 3; kind++) {
        world w;
        site s;
        wshub_conn c = site_with(&w, &s, DESC(.payload_bytes_max = 131072), PMD, 0);
        before = w.peak = w.bytes;
        if (kind == 0) frame_in(&w, c, 0xC2, small, made);
        if (kind == 1) frame_in(&w, c, 0x42, small, made); /* it never ends */
        if (kind == 2) {
            size_t at;
            for (at = 0; at < made && wshub_io_fake_output(w.net, c).len == 0; at += 50)
                frame_in(&w, c, at ? 0x00 : 0x42, small + at, at + 50 < made ? 50 : made - at);
        }
        EXPECT_INT(s.messages, 0);
        EXPECT_CLOSE(&w, c, 1009);
        EXPECT_INT(stats(&w).inflate_refused, 1);
        EXPECT_OP(w.peak - before, <, 131072 * 2 + 60000);
        world_stop(&w);
    }
    z->deflater_free(z->ctx, d);
}

/* ---- what is sent ---- */

/* The peer of a stream: it inflates what comes. */
typedef struct hearer {
    wshub_conn conn;
    void *inflater;
    bool forgets;
} hearer;

static void hearer_open(world *w, hearer *h, const char *extensions) {
    const wshub_deflate *z = wshub_deflate_zlib();
    const char *bits;
    wshub_io_fake_frame f;
    h->conn = offer(w, "/ws", extensions);
    bits = strstr(answered, "server_max_window_bits=");
    h->forgets = strstr(answered, "server_no_context_takeover") != NULL;
    h->inflater = answered[0] ? z->inflater(z->ctx, plain_alloc, NULL,
                                            (uint8_t)(bits ? atoi(strchr(bits, '=') + 1) : 15))
                              : NULL;
    wshub_io_fake_text(w->net, h->conn, "{\"event\":\"authenticate\"}");
    EXPECT(wshub_io_fake_next(w->net, h->conn, &f));
}

static void hearer_expect(world *w, hearer *h, const char *want) {
    static uint8_t back[70000];
    const wshub_deflate *z = wshub_deflate_zlib();
    wshub_str payload = {NULL, 0};
    size_t n = strlen(want), room = 1;
    uint8_t first = frame_out(w, h->conn, &payload);
    if (!h->inflater || n < 256) {
        EXPECT_INT(first, 0x81);
        EXPECT(wshub_str_eq_z(payload, want));
        return;
    }
    EXPECT_INT(first, 0xC1);
    if (h->forgets) z->inflater_reset(z->ctx, h->inflater);
    n = inflate_all(h->inflater, (const uint8_t *)payload.ptr, payload.len, back, sizeof back,
                    room);
    EXPECT_INT(n, strlen(want));
    EXPECT(n == strlen(want) && memcmp(back, want, n) == 0);
}

static void send_all(world *w, unsigned seed, size_t n, char *want) {
    static char data[60000];
    wshub_msg m;
    size_t i;
    fill_text((uint8_t *)data, n, seed, 5);
    for (i = 0; i < n; i++) {
        if (data[i] == '"' || data[i] == '\\') data[i] = '.';
    }
    data[0] = data[n - 1] = '"';
    data[n] = 0;
    m = msg("e", data);
    EXPECT_INT(wshub_all_send_here(w->hub, &m, NULL, 0), WSHUB_OK);
    (void)snprintf(want, 60100, "{\"event\":\"e\",\"data\":%s}", data);
}

TEST(each_hears_what_was_said_whatever_it_agreed_on) { /* RFC 7692 7.1; SEND-5 */
    static const char *const offers[] = {
        NULL,
        PMD,
        PMD,
        PMD "; server_no_context_takeover",
        PMD "; server_max_window_bits=8",
        PMD "; server_max_window_bits=9",
        PMD "; server_max_window_bits=12; client_no_context_takeover",
        PMD "; server_max_window_bits=15; server_no_context_takeover"};
    static char want[4][60200];
    int takeover, turn;
    size_t i, k;
    for (takeover = 0; takeover < 2; takeover++) {
        hearer h[8];
        world w;
        world_start(&w,
                    DESC(.deflate = wshub_deflate_zlib(), .deflate_takeover = takeover,
                         .on_authenticate = accept_all),
                    FAKE(0));
        for (i = 0; i < 8; i++) hearer_open(&w, &h[i], offers[i]);
        for (turn = 0; turn < 3; turn++) {
            uint64_t before = stats(&w).deflated;
            for (k = 0; k < 4; k++)
                send_all(&w, (unsigned)turn, k == 2 ? 100 : 300 + k * (takeover ? 800 : 18000),
                         want[k]);
            wshub_io_fake_run(w.net);
            for (i = 0; i < 8; i++) {
                for (k = 0; k < 4; k++) hearer_expect(&w, &h[i], want[k]);
                EXPECT_SILENCE(&w, h[i].conn);
            }
            if (!takeover)
                EXPECT_INT(stats(&w).deflated - before, 3 * 4); /* windows of 15, 8, 9, 12 */
            if (takeover) EXPECT_INT(stats(&w).deflated - before, 3 * 6);
        }
        EXPECT_OP(stats(&w).deflated_out * 2, <, stats(&w).deflated_in);
        for (i = 0; i < 8; i++) {
            if (h[i].inflater) wshub_deflate_zlib()->inflater_free(NULL, h[i].inflater);
        }
        world_stop(&w);
    }
}

TEST(a_stream_that_agreed_costs_what_is_said) { /* >>api-deflate */
    int takeover;
    for (takeover = 0; takeover < 2; takeover++) {
        static char want[60200];
        wshub_conn c[20];
        world w;
        size_t i, before, each;
        uint8_t small[1000];
        size_t made;
        void *d = wshub_deflate_zlib()->deflater(NULL, plain_alloc, NULL, WSHUB_DEFLATE_RAW, 15);
        static const char beat[] = "{\"event\":\"heartbeat\"}";
        EXPECT_INT(wshub_deflate_zlib()->deflate(NULL, d, (const uint8_t *)beat, strlen(beat),
                                                 small, &made),
                   WSHUB_OK);
        wshub_deflate_zlib()->deflater_free(NULL, d);
        world_start(&w,
                    DESC(.deflate = wshub_deflate_zlib(), .deflate_takeover = takeover,
                         .on_authenticate = accept_all),
                    FAKE(0));
        for (i = 0; i < 20; i++) {
            wshub_io_fake_frame f;
            c[i] = offer(&w, "/ws", PMD);
            wshub_io_fake_text(w.net, c[i], "{\"event\":\"authenticate\"}");
            EXPECT(wshub_io_fake_next(w.net, c[i], &f));
        }
        before = w.bytes;
        for (i = 0; i < 20; i++) frame_in(&w, c[i], 0xC1, small, made);
        send_all(&w, 1, 1000, want);
        wshub_io_fake_run(w.net);
        each = (w.bytes - before - (takeover ? 0 : 270000)) / 20; /* one deflater for all */
        (void)printf("  %u bytes for each%s\n", (unsigned)each, takeover ? ", with takeover" : "");
        EXPECT_OP(each, <, takeover ? 330000 : 50000);
        world_stop(&w);
    }
}
#endif
