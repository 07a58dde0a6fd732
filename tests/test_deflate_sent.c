/* Who is sent what of compressed messages (RFC 7692): once for all that agreed, plain where it does not
 * pay or something fails, and what other kinds of wire write. With a codec of stored blocks. */

#include "deflate_site.h"

/* ---- what is sent ---- */

static wshub_conn client_with(world *w, const char *extensions, char *id) {
    wshub_conn c = offer(w, "/ws", extensions);
    wshub_io_fake_frame f;
    wshub_io_fake_text(w->net, c, "{\"event\":\"authenticate\"}");
    EXPECT(wshub_io_fake_next(w->net, c, &f));
    if (id) {
        wshub_str v = wshub_json_get(wshub_json_get(f.payload, "data"), "id");
        (void)snprintf(id, 37, "%.36s", v.len == 38 ? v.ptr + 1 : "");
    }
    return c;
}

static char big[4096];
static const char *big_data(size_t n) { /* a JSON string of n bytes */
    memset(big, 'b', n);
    big[0] = big[n - 1] = '"';
    big[n] = 0;
    return big;
}

/* The next frame holds this event with big_data(n): plain, or compressed. */
static void expect_event(world *w, wshub_conn c, const char *event, size_t n, bool compressed) {
    static uint8_t want[10000];
    char text[8000];
    size_t count;
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    (void)snprintf(text, sizeof text, "{\"event\":\"%s\",\"data\":%s}", event, big_data(n));
    if (!compressed) {
        EXPECT_FRAME(w, c, 0x81, text, strlen(text));
        return;
    }
    (void)table.deflate(&codec, NULL, (const uint8_t *)text, strlen(text), want, &count);
    EXPECT_FRAME(w, c, 0xC1, want, count);
}

static void everybody(world *w, const char *event, size_t n) {
    wshub_msg m = msg(event, big_data(n));
    EXPECT_INT(wshub_all_send_here(w->hub, &m, NULL, 0), WSHUB_OK);
}

TEST(a_message_is_compressed_once_for_all_that_agreed) { /* SEND-5 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_conn c[6];
    world w;
    size_t i, turn;
    world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 6; i++)
        c[i] = client_with(&w,
                           i < 2    ? NULL
                           : i == 5 ? PMD "; server_max_window_bits=10"
                                    : PMD,
                           NULL);
    for (turn = 0; turn < 3; turn++) {
        codec.deflated = 0;
        everybody(&w, "a", 300);
        everybody(&w, "short", 20);
        everybody(&w, "b", 400);
        everybody(&w, "c", 400);
        wshub_io_fake_run(w.net);
        EXPECT_INT(codec.deflated, 6); /* two sizes of windows */
        for (i = 0; i < 6; i++) {
            expect_event(&w, c[i], "a", 300, i >= 2);
            expect_event(&w, c[i], "short", 20, false);
            expect_event(&w, c[i], "b", 400, i >= 2);
            expect_event(&w, c[i], "c", 400, i >= 2);
            EXPECT_SILENCE(&w, c[i]);
        }
    }
    EXPECT_INT(codec.deflaters, 2);
    EXPECT_INT(stats(&w).deflated, 18);
    EXPECT_OP(stats(&w).deflated_out, >, stats(&w).deflated_in);
    world_stop(&w);
    EXPECT_INT(codec.deflaters, 0);
}

TEST(nobody_plain_hears_it_and_still_it_is_written_once) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_conn c[3];
    world w;
    size_t i, turn;
    world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 3; i++) c[i] = client_with(&w, PMD, NULL);
    for (turn = 0; turn < 3; turn++) {
        everybody(&w, "a", 300);
        everybody(&w, "b", 300);
        everybody(&w, "c", 20);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 3; i++) {
            expect_event(&w, c[i], "a", 300, true);
            expect_event(&w, c[i], "b", 300, true);
            expect_event(&w, c[i], "c", 20, false);
        }
    }
    EXPECT_INT(codec.deflated, 6);
    world_stop(&w);
}

TEST(a_window_that_slides_has_each_message_for_itself) { /* RFC 7692 7.1.1.1 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_conn c[4];
    world w;
    size_t i, turn;
    char id[37];
    world_start(&w,
                DESC(.deflate = &table, .deflate_takeover = true, .on_authenticate = accept_all),
                FAKE(0));
    for (i = 0; i < 4; i++)
        c[i] = client_with(&w,
                           i == 0   ? NULL
                           : i == 1 ? PMD "; server_no_context_takeover"
                                    : PMD,
                           i == 3 ? id : NULL);
    for (turn = 0; turn < 3; turn++) {
        everybody(&w, "a", 300);
        everybody(&w, "short", 20);
        everybody(&w, "b", 400);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 4; i++) {
            expect_event(&w, c[i], "a", 300, i > 0);
            expect_event(&w, c[i], "short", 20, false);
            expect_event(&w, c[i], "b", 400, i > 0);
            EXPECT_SILENCE(&w, c[i]);
        }
    }
    EXPECT_INT(codec.deflated, 18);
    EXPECT_INT(codec.deflaters, 3);
    EXPECT_INT(codec.resets, 5); /* of the one that all share */

    /* What is dropped for who does not read has not passed its deflater. */
    codec.deflated = 0;
    wshub_io_fake_window(w.net, c[3], 0);
    for (i = 0; i < 5000; i++) {
        wshub_msg m = msg("a", big_data(300));
        (void)wshub_client_send(w.hub, world_handle(&w, id), &m);
    }
    EXPECT_OP(stats(&w).dropped_pressure, >, 0);
    EXPECT_INT(stats(&w).dropped_pressure + (uint64_t)codec.deflated, 5000);
    world_stop(&w);
    EXPECT_INT(codec.deflaters, 0);
}

TEST(what_is_not_to_be_compressed_is_not) { /* SEND-5, WSHUB_PACKET_NO_COMPRESS */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    bool slides;
    for (slides = false;; slides = true) {
        wshub_packet packet;
        wshub_dest all;
        wshub_str arg = S(big_data(300));
        wshub_conn c;
        world w;
        int i;
        codec.deflated = 0;
        world_start(
            &w, DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_all),
            FAKE(0));
        c = client_with(&w, PMD, NULL);
        memset(&packet, 0, sizeof packet);
        memset(&all, 0, sizeof all);
        all.kind = WSHUB_DEST_ALL;
        packet.event = S("p");
        packet.args = &arg;
        packet.args_count = 1;
        for (i = 0; i < 6; i++) {
            packet.flags = i % 2 ? WSHUB_PACKET_COMPRESS : WSHUB_PACKET_NO_COMPRESS;
            EXPECT_INT(wshub_packet_send_here(w.hub, &all, &packet), WSHUB_OK);
        }
        wshub_io_fake_run(w.net);
        for (i = 0; i < 6; i++) expect_event(&w, c, "p", 300, i % 2);
        EXPECT_INT(codec.deflated, 3);
        world_stop(&w);
        if (slides) break;
    }
}

TEST(the_websocket_of_a_mount_is_sent_so_too) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    bool slides;
    for (slides = false;; slides = true) {
        world w;
        site s;
        static char text[300];
        wshub_conn c;
        memset(text, 't', sizeof text);
        codec.deflated = 0;
        c = site_agreed(&w, &s, DESC(.deflate = &table, .deflate_takeover = slides), PMD);
        EXPECT_INT(wshub_conn_send(w.hub, c, text, 255, true), WSHUB_OK);
        EXPECT_INT(wshub_conn_send(w.hub, c, text, 256, false), WSHUB_OK);
        EXPECT_INT(wshub_conn_send(w.hub, c, NULL, 0, false), WSHUB_OK);
        EXPECT_INT(wshub_conn_send(w.hub, c, text, 300, true), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_FRAME(&w, c, 0x81, text, 255);
        {
            wshub_str payload = {NULL, 0};
            EXPECT_INT(frame_out(&w, c, &payload), 0xC2);
            EXPECT_INT(payload.len, 262);
            EXPECT_INT(frame_out(&w, c, &payload), 0x82);
            EXPECT_INT(frame_out(&w, c, &payload), 0xC1);
            EXPECT_INT(payload.len, 306);
        }
        EXPECT_INT(codec.deflated, 2);
        EXPECT_INT(codec.deflaters, 1);
        world_stop(&w);
        if (slides) break;
    }
}

/* ---- failures ---- */

TEST(what_cannot_be_compressed_is_sent_plain) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    int slides, how;
    for (slides = 0; slides < 2; slides++) {
        world w;
        site s;
        wshub_conn c, d;
        static char text[300];
        memset(text, 't', sizeof text);
        memset(&codec, 0, sizeof codec);
        d = site_agreed(
            &w, &s,
            DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_all),
            PMD);
        c = client_with(&w, PMD, NULL);
        for (how = 0; how < 3; how++) {
            codec.no_deflater = how == 0;
            codec.no_deflate = how == 1;
            everybody(&w, "a", 300);
            EXPECT_INT(wshub_conn_send(w.hub, d, text, 300, true), WSHUB_OK);
            wshub_io_fake_run(w.net);
            expect_event(&w, c, "a", 300, how == 2);
            if (how < 2) {
                EXPECT_FRAME(&w, d, 0x81, text, 300);
            } else {
                wshub_str payload = {NULL, 0};
                EXPECT_INT(frame_out(&w, d, &payload), 0xC1);
            }
        }
        world_stop(&w);
    }
}

TEST(without_memory_a_message_is_refused_and_the_stream_told) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    int how;
    for (how = 0; how < 2; how++) {
        world w;
        site s;
        wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), PMD);
        codec.no_inflater = how == 0;
        codec.no_inflate = how == 1;
        frame_in(&w, c, 0xC1, HI, 8);
        EXPECT_CLOSE(&w, c, 1011);
        EXPECT_INT(stats(&w).inflate_refused, 0);
        codec.no_inflater = codec.no_inflate = false;
        world_stop(&w);
    }
}

static void accept_or_not(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    (void)wshub_auth_accept(hub, ask, &who);
}

/* One talk: two who agree, one of them with a window that slides where that is wished, hear and say
 * something. */
static void talk(world *w, bool slides, long fail_at) {
    static stored codec;
    wshub_deflate table = stored_codec(&codec);
    static char text[300];
    site s;
    wshub_conn c, d;
    int i;
    memset(text, 't', sizeof text);
    memset(&s, 0, sizeof s);
    world_start(
        w, DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_or_not),
        FAKE(0));
    s.later = true;
    site_mount(w, &s, "/s");
    fill_log(w);
    w->fail_at = fail_at;
    c = wshub_io_fake_open(w->net);
    (void)c;
    {
        static const char ask[] =
            "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        char request[512];
        (void)snprintf(request, sizeof request, ask, "/ws");
        wshub_io_fake_input(w->net, c, request, strlen(request));
        d = wshub_io_fake_open(w->net);
        (void)snprintf(request, sizeof request, ask, "/s");
        wshub_io_fake_input(w->net, d, request, strlen(request));
    }
    (void)wshub_http_upgrade(w->hub, s.kept, NULL, NULL);
    wshub_io_fake_text(w->net, c, "{\"event\":\"authenticate\"}");
    for (i = 0; i < 3; i++) {
        wshub_msg m = msg("a", big_data(i < 2 ? 3000 : 300));
        (void)wshub_all_send_here(w->hub, &m, NULL, 0);
    }
    (void)wshub_conn_send(w->hub, d, text, sizeof text, true);
    if (wshub_io_fake_is_open(w->net, d)) frame_in(w, d, 0x41, HI, 4);
    if (wshub_io_fake_is_open(w->net, d)) frame_in(w, d, 0x80, HI + 4, 4);
    wshub_io_fake_run(w->net);
    w->fail_at = 0;
    world_stop(w);
    EXPECT_INT(codec.deflaters, 0);
    EXPECT_INT(codec.inflaters, 0);
}

TEST(every_allocation_fails_once) { /* >>errors */
    long nth;
    int slides;
    for (slides = 0; slides < 2; slides++) {
        for (nth = 1; nth < 120; nth++) {
            world w;
            talk(&w, slides, nth);
        }
    }
}

/* ---- kinds ---- */

TEST(a_client_tells_the_kind_that_it_was_given) { /* wshub_client_kind() */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_kind_desc desc;
    wshub_kind kind;
    wshub_client client;
    world w;
    char id[37];
    int i;
    world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
    (void)client_with(&w, PMD, id);
    client = world_handle(&w, id);
    EXPECT_INT(wshub_client_kind(w.hub, client), 0);
    desc = wshub__json_kind;
    desc.name = "again";
    EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_OK);
    EXPECT_INT(wshub_client_set_kind(w.hub, client, kind), WSHUB_OK);
    EXPECT_INT(wshub_client_kind(w.hub, client), kind);
    EXPECT_INT(wshub_client_set_kind(w.hub, client, 0), WSHUB_OK);
    EXPECT_INT(wshub_client_kind(w.hub, client), 0);

    /* Where there can be no more, it is sent plain. */
    for (i = 0; i < WSHUB_KINDS_MAX; i++) {
        if (wshub_kind_add(w.hub, &desc, &kind)) break;
    }
    EXPECT_INT(wshub_client_set_kind(w.hub, client, kind), WSHUB_OK);
    EXPECT_INT(wshub_client_kind(w.hub, client), kind);
    world_stop(&w);
}

/* A kind that writes no frames. */
static wshub_err odd_encode(wshub *hub, wshub_kind kind, wshub_realm realm,
                            const wshub_packet *packet, wshub_writer *out, void *user) {
    const char *text = (const char *)user;
    uint8_t *to = wshub_writer_room(out, strlen(text));
    (void)hub;
    (void)kind;
    (void)realm;
    (void)packet;
    if (!to) return WSHUB_ERR_NOMEM;
    memcpy(to, text, strlen(text));
    wshub_writer_commit(out, strlen(text));
    return WSHUB_OK;
}

TEST(what_a_kind_writes_that_is_no_frame_stays_as_it_is) {
    static const char *const texts[] = {"\x81",
                                        "\x81\x05"
                                        "four",
                                        "\x81\x7E\x0F"};
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    size_t i;
    for (i = 0; i < 3; i++) {
        wshub_kind_desc desc;
        wshub_kind kind;
        world w;
        char id[37];
        wshub_conn c;
        world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
        c = client_with(&w, PMD, id);
        memset(&desc, 0, sizeof desc);
        desc.name = "odd";
        desc.encode = odd_encode;
        desc.user = (void *)(uintptr_t)texts[i];
        EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_OK);
        EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, id), kind), WSHUB_OK);
        everybody(&w, "x", 20);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_io_fake_output(w.net, c).len, strlen(texts[i]));
        world_stop(&w);
    }
}

/* A kind whose frame is long enough, with something behind it that is none. */
static wshub_err half_encode(wshub *hub, wshub_kind kind, wshub_realm realm,
                             const wshub_packet *packet, wshub_writer *out, void *user) {
    uint8_t *to = wshub_writer_frame(out, true, 300);
    (void)hub;
    (void)kind;
    (void)realm;
    (void)packet;
    (void)user;
    if (!to) return WSHUB_ERR_NOMEM;
    memset(to, 'h', 300);
    to = wshub_writer_room(out, 1);
    if (!to) return WSHUB_ERR_NOMEM;
    *to = 0x81;
    wshub_writer_commit(out, 1);
    return WSHUB_OK;
}

TEST(what_was_compressed_in_vain_is_forgotten) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    int slides;
    for (slides = 0; slides < 2; slides++) {
        static char long_text[80001];
        wshub_kind_desc desc;
        wshub_kind kind;
        world w;
        char id[37];
        wshub_msg m;
        wshub_str payload = {NULL, 0};
        wshub_conn c;
        world_start(
            &w, DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_all),
            FAKE(0));
        c = client_with(&w, PMD, id);
        memset(&desc, 0, sizeof desc);
        desc.name = "half";
        desc.encode = half_encode;
        EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_OK);
        EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, id), kind), WSHUB_OK);
        codec.resets = 0;
        everybody(&w, "x", 20);
        wshub_io_fake_run(w.net);
        EXPECT_INT(codec.resets, slides); /* the one that all share forgets before each */
        EXPECT_INT(frame_out(&w, c, &payload), 0x81);
        wshub_io_fake_take(w.net, c, 1);

        /* Much room is given back at once. */
        EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, id), 0), WSHUB_OK);
        memset(long_text, 'l', 80000);
        long_text[0] = long_text[79999] = '"';
        m = msg("l", long_text);
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(frame_out(&w, c, &payload), 0xC1);
        EXPECT_INT(w.hub->squeezed.cap, 0);
        world_stop(&w);
    }
}

/* What has been compressed and finds no room is sent plain or not at all, and what comes next does
 * not point back to it; what is no WebSocket is asked for no offer. */
TEST(what_has_no_room_behind_the_codec_is_as_if_it_had_not_been_compressed) { /* >>errors */
    static char text[300], long_text[80001];
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    long nth;
    int slides;
    memset(text, 't', sizeof text);
    memset(long_text, 'l', 80000);
    long_text[0] = long_text[79999] = '"';
    for (slides = 0; slides < 2; slides++) {
        for (nth = 1; nth < 12; nth++) {
            world w;
            site s;
            wshub_msg m = msg("l", long_text);
            wshub_conn plain, d = site_agreed(&w, &s,
                                              DESC(.deflate = &table, .deflate_takeover = slides,
                                                   .on_authenticate = accept_all),
                                              PMD);
            (void)client_with(&w, PMD, NULL);
            (void)client_with(&w, PMD, NULL);
            EXPECT_INT(wshub_conn_send(w.hub, d, text, 300, true), WSHUB_OK);
            everybody(&w, "a", 300);
            wshub_io_fake_run(w.net);

            fill_log(&w);
            w.fail_at = nth;
            (void)wshub_conn_send(w.hub, d, text, 300, true);
            w.fail_at = nth;
            (void)wshub_all_send_here(w.hub, &m, NULL, 0);
            w.fail_at = 0;
            wshub_io_fake_run(w.net);

            plain = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, plain, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 35);
            world_stop(&w);
            EXPECT_INT(codec.deflaters, 0);
        }
    }
}
