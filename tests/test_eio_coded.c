/* Answers to polls that are compressed (>>eio-poll; Node's httpCompression): from which length, for
 * whom, and what happens where it cannot be had. With the codec of stored blocks. */
#include "deflate_site.h"
#include "eio_site.h"

/* Polls for a message of n bytes in all, and says how that was answered: the name of its coding, ""
 * for none. */
static const char *polled(eio_site *s, size_t n, const char *accepts) {
    static char body[4000], coding[20], want[4000];
    wshub_conn c = eio_open(s);
    const char *at;
    eio_answer a;
    size_t made = n;
    stored codec;
    wshub_deflate table = stored_codec(&codec);

    memset(body, 'x', n);
    body[0] = '4';
    body[n] = 0;
    eio_ask(s, c, "POST", EIO_POLL, "Content-Type: text/plain\r\n", body);
    EXPECT_ANSWER(s, c, 200, "ok");
    eio_ask(s, c, "GET", EIO_POLL, accepts, NULL);
    a = eio_look(s, c);
    EXPECT_INT(a.status, 200);
    EXPECT(eio_has_line(&a, "cache-control: no-store"));
    coding[0] = 0;
    at = strstr(a.head.ptr, "Content-Encoding: ");
    if (at && at < a.head.ptr + a.head.len)
        (void)snprintf(coding, sizeof coding, "%.*s", (int)strcspn(at + 18, "\r"), at + 18);
    memcpy(want, body, n);
    if (coding[0])
        (void)table.deflate(&codec, NULL, (const uint8_t *)body, n, (uint8_t *)want, &made);
    EXPECT_INT(a.body.len, made);
    EXPECT(a.body.len == made && memcmp(a.body.ptr, want, made) == 0);
    eio_take(s, c, &a);
    return coding;
}

TEST(long_answers_are_compressed_for_who_takes_that) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    eio_site s;
    eio_start(&s, EIO(.message_bytes_max = 4000, .deflate = &table), DESC(0), FAKE(0));
    memset(&table, 0, sizeof table); /* it was copied */
    EXPECT_STR(polled(&s, 1023, "Accept-Encoding: gzip\r\n"), "");
    EXPECT_STR(polled(&s, 1024, "Accept-Encoding: gzip\r\n"), "gzip");
    EXPECT_STR(polled(&s, 1024, "Accept-Encoding: gzip, deflate, br\r\n"), "gzip");
    EXPECT_STR(polled(&s, 1024, "Accept-Encoding: deflate, gzip;q=0.1\r\n"), "deflate");
    EXPECT_STR(polled(&s, 1024, "Accept-Encoding: br, gzip;q=0\r\n"), "");
    EXPECT_STR(polled(&s, 1024, ""), "");
    EXPECT_INT(codec.deflated, 3);
    EXPECT_INT(codec.deflaters, 0);
    eio_stop(&s);
}

TEST(a_length_may_be_chosen) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    eio_site s;
    eio_start(&s, EIO(.message_bytes_max = 4000, .deflate = &table, .deflate_bytes_min = 100),
              DESC(0), FAKE(0));
    EXPECT_STR(polled(&s, 99, "Accept-Encoding: gzip\r\n"), "");
    EXPECT_STR(polled(&s, 100, "Accept-Encoding: gzip\r\n"), "gzip");
    eio_stop(&s);
}

TEST(what_cannot_be_compressed_is_answered_plain) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    eio_site s;
    eio_start(&s, EIO(.message_bytes_max = 4000, .deflate = &table), DESC(0), FAKE(0));
    codec.no_deflater = true;
    EXPECT_STR(polled(&s, 1024, "Accept-Encoding: gzip\r\n"), "");
    codec.no_deflater = false;
    codec.no_deflate = true;
    EXPECT_STR(polled(&s, 1024, "Accept-Encoding: gzip\r\n"), "");
    eio_stop(&s);
}

TEST(a_table_that_is_not_whole_is_refused) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_eio_desc d = EIO(.message_bytes_max = 4000, .deflate = &table);
    EXPECT(!wshub_eio_desc_problem(&d));
    table.inflate = NULL;
    EXPECT_HAS(wshub_eio_desc_problem(&d), "deflate");
}

/* Of a hub whose WebSockets compress: what an engine sends alone, over one, both ways. */
TEST(an_engines_websocket_is_the_hubs) {
    static char text[1100];
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    eio_site s;
    wshub_conn c;
    wshub_str payload = {NULL, 0};
    eio_start(&s, EIO(.message_bytes_max = 4000),
              DESC(.deflate = &table, .deflate_bytes_min = 1024), FAKE(0));
    c = offer(&s.w, "/socket.io/?EIO=4&transport=websocket", "permessage-deflate");
    EXPECT_HAS(answered, "permessage-deflate");
    EXPECT_INT(frame_out(&s.w, c, &payload), 0x81); /* the open packet */
    memset(text, 'y', sizeof text);
    text[0] = '4';
    frame_in(&s.w, c, 0x81, text, 1023);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(frame_out(&s.w, c, &payload), 0x81);
    frame_in(&s.w, c, 0x81, text, 1024);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(frame_out(&s.w, c, &payload), 0xC1);
    EXPECT_INT(payload.len, 1030);
    frame_in(&s.w, c, 0xC1,
             "\0\3\0\xFC\xFF"
             "4hi"
             "\0",
             9);
    wshub_io_fake_run(s.w.net);
    EXPECT_FRAME(&s.w, c, 0x81, "4hi", 3);
    eio_stop(&s);
}
