/* permessage-deflate (RFC 7692) at the hub: what is agreed on, and which codings a request and a whole
 * body know (PITFALLS of others: parameters mixed up). With a codec of stored blocks, so that no
 * library is needed; zlib itself is tests/test_deflate_zlib.c's. What is read then, and what is sent:
 * tests/test_deflate_read.c and tests/test_deflate_sent.c. */

#include "deflate_site.h"

/* ---- what is agreed on ---- */

/* What is answered to an offer, by a hub whose description has .deflate. */
static const char *answer_to(world *w, const char *extensions) {
    (void)offer(w, "/ws", extensions);
    return answered;
}

TEST(nothing_is_agreed_on_unless_it_was_asked_for_here) {
    world w;
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_STR(answer_to(&w, PMD), "");
    EXPECT_STR(answer_to(&w, PMD "; client_max_window_bits"), "");
    world_stop(&w);
}

TEST(what_is_offered_is_answered_as_it_can_be_kept) { /* RFC 7692 5, 7.1; RFC 6455 9.1 */
    static const struct {
        const char *offer, *answer;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"x", ""},
        {PMD, PMD NOCT},
        {" , ," PMD " ,", PMD NOCT},
        {PMD ";client_max_window_bits", PMD NOCT},
        {PMD " ; \t client_max_window_bits", PMD NOCT},
        {PMD "; client_max_window_bits=15", PMD NOCT "; client_max_window_bits=15"},
        {PMD "; client_max_window_bits=8", PMD NOCT "; client_max_window_bits=8"},
        {PMD "; client_max_window_bits=\"10\"", PMD NOCT "; client_max_window_bits=10"},
        {PMD "\t;\tclient_max_window_bits\t=\t9\t", PMD NOCT "; client_max_window_bits=9"},
        {PMD "; client_max_window_bits = 9", PMD NOCT "; client_max_window_bits=9"},
        {PMD "; server_max_window_bits=15", PMD NOCT "; server_max_window_bits=15"},
        {PMD "; server_max_window_bits=9", PMD NOCT "; server_max_window_bits=9"},
        {PMD "; server_no_context_takeover", PMD NOCT},
        {PMD "; client_no_context_takeover", PMD NOCT "; client_no_context_takeover"},
        {PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12;"
             " client_max_window_bits=11",
         PMD NOCT "; client_no_context_takeover; server_max_window_bits=12;"
                  " client_max_window_bits=11"},
        /* none that can be kept: the next one */
        {PMD "; server_max_window_bits=8", ""}, /* the codec keeps 9 */
        {PMD "; server_max_window_bits=8, " PMD, PMD NOCT},
        {PMD "; server_max_window_bits=8, " PMD "; server_max_window_bits=10",
         PMD NOCT "; server_max_window_bits=10"},
        {"x; y=\"1,2\", " PMD, ""}, /* a value in quotes is a token (RFC 6455 9.1) */
        {"x; y=\"z\"; v, " PMD, PMD NOCT},
        {PMD "; nobody_knows, " PMD, PMD NOCT},
        /* values that a parameter cannot have */
        {PMD "; server_max_window_bits", ""},
        {PMD "; server_max_window_bits=7", ""},
        {PMD "; server_max_window_bits=16", ""},
        {PMD "; server_max_window_bits=20", ""},
        {PMD "; server_max_window_bits=1:", ""},
        {PMD "; server_max_window_bits=1!", ""},
        {PMD "; server_max_window_bits=08", ""},
        {PMD "; server_max_window_bits=010", ""},
        {PMD "; server_max_window_bits=1e1", ""},
        {PMD "; server_max_window_bits=", ""},
        {PMD "; server_max_window_bits=\"\"", ""},
        {PMD "; server_max_window_bits=\"10", ""},
        {PMD "; client_max_window_bits=7", ""},
        {PMD "; client_max_window_bits=x", ""},
        {PMD "; server_no_context_takeover=1", ""},
        {PMD "; client_no_context_takeover=\"a\"", ""},
        {PMD "; client_no_context_takeover; client_no_context_takeover", ""},
        {PMD "; client_max_window_bits=10; client_max_window_bits=10", ""},
        /* what is none of it, or breaks the grammar */
        {"permessage-deflat", ""},
        {"x-webkit-deflate-frame", ""},
        {"permessage-bzip2, " PMD, PMD NOCT},
        {PMD ";", ""},
        {PMD "; =1", ""},
        {PMD " x", ""},
        {"=, " PMD, ""},
        {"\"" PMD "\"", ""},
    };
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    size_t i;
    world_start(&w, DESC(.deflate = &table), FAKE(0));
    memset(&table, 0, sizeof table); /* it was copied */
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_STR(answer_to(&w, cases[i].offer), cases[i].answer);
        if (strcmp(answered, cases[i].answer) != 0) (void)printf("  for %s\n", cases[i].offer);
    }
    EXPECT_INT(codec.opened, 0); /* who says nothing costs nothing */
    world_stop(&w);
}

TEST(what_is_wished_here_is_said_in_the_answer) { /* RFC 7692 7.1.1, 7.1.2 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    world_start(&w, DESC(.deflate = &table, .deflate_takeover = true), FAKE(0));
    EXPECT_STR(answer_to(&w, PMD), PMD);
    EXPECT_STR(answer_to(&w, PMD "; server_no_context_takeover"), PMD NOCT);
    EXPECT_STR(answer_to(&w, PMD "; client_no_context_takeover"),
               PMD "; client_no_context_takeover");
    world_stop(&w);
    world_start(&w, DESC(.deflate = &table, .deflate_forget = true, .deflate_window_bits = 11),
                FAKE(0));
    EXPECT_STR(answer_to(&w, PMD),
               PMD NOCT "; client_no_context_takeover; server_max_window_bits=11");
    EXPECT_STR(answer_to(&w, PMD "; server_max_window_bits=10"),
               PMD NOCT "; client_no_context_takeover; server_max_window_bits=10");
    world_stop(&w);
}

/* What was to be agreed on by an upgrade that failed is not, whatever the stream asks for next. */
TEST(an_upgrade_that_fails_has_agreed_on_nothing) { /* RFC 7692 5, RFC 6455 9.1 */
    world w;
    site s;
    stored to;
    wshub_deflate codec = stored_codec(&to);
    wshub_conn first = site_agreed(&w, &s, DESC(.deflate = &codec), PMD), second;
    static const char ask[] = "GET /s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    char text[512];
    wshub_str out;

    owe(&w, first, 10); /* so that the log is held */
    s.later = true;
    second = wshub_io_fake_open(w.net);
    (void)snprintf(text, sizeof text, "%sSec-WebSocket-Extensions: " PMD "\r\n\r\n", ask);
    wshub_io_fake_input(w.net, second, text, strlen(text));
    starve(&w);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.kept, NULL, NULL), WSHUB_ERR_NOMEM);
    mend(&w);
    EXPECT_INT(wshub_http_reply_text(w.hub, s.kept, 404, S("not now")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_take(w.net, second, SIZE_MAX);

    s.later = false;
    (void)snprintf(text, sizeof text, "%s\r\n", ask);
    wshub_io_fake_input(w.net, second, text, strlen(text));
    out = wshub_io_fake_output(w.net, second);
    (void)snprintf(text, sizeof text, "%.*s", (int)(out.len < 500 ? out.len : 500), out.ptr);
    EXPECT(strncmp(text, "HTTP/1.1 101", 12) == 0);
    EXPECT(!strstr(text, PMD));
    wshub_io_fake_take(w.net, second, SIZE_MAX);
    EXPECT_INT(send_text(&w, second, "nothing of this is compressed, however long it is"),
               WSHUB_OK);
    wshub_io_fake_run(w.net);
    out = wshub_io_fake_output(w.net, second);
    EXPECT(out.len && (uint8_t)out.ptr[0] == 0x81);
    world_stop(&w);
}

TEST(a_description_is_refused_that_names_no_whole_codec) {
    stored codec;
    wshub_deflate whole = stored_codec(&codec), d = whole;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    YES_DESC(.deflate = &whole, .deflate_takeover = true, .deflate_forget = true);
    NO_DESC("deflate_takeover", .deflate_takeover = true);
    NO_DESC("deflate_takeover", .deflate_forget = true);
    NO_DESC("deflate_window_bits", .deflate = &whole, .deflate_window_bits = 8);
    NO_DESC("deflate_window_bits", .deflate = &whole, .deflate_window_bits = 16);
    d.version = 2;
    NO_DESC("deflate", .deflate = &d);
    d = whole;
    d.window_bits_min = 7;
    NO_DESC("deflate", .deflate = &d);
    d.window_bits_min = 16;
    NO_DESC("deflate", .deflate = &d);
#define LACKS(field)                                                                               \
    do {                                                                                           \
        d = whole;                                                                                 \
        d.field = NULL;                                                                            \
        NO_DESC("deflate", .deflate = &d);                                                         \
    } while (0)
    LACKS(deflater);
    LACKS(deflater_free);
    LACKS(deflater_reset);
    LACKS(bound);
    LACKS(deflate);
    LACKS(inflater);
    LACKS(inflater_free);
    LACKS(inflater_reset);
    LACKS(inflate);
    wshub_io_fake_destroy(refusal_net);
}

/* ---- answers ---- */

static wshub_deflate_form coding(const char *accepts) {
    wshub_header header = {wshub_str_z("Accept-Encoding"), wshub_str_z(accepts)};
    wshub_http http;
    memset(&http, 0, sizeof http);
    http.headers = &header;
    http.headers_count = accepts ? 1 : 0;
    return wshub_http_coding(&http);
}

TEST(a_request_says_which_codings_it_takes) { /* RFC 9110 12.5.3 */
    static const struct {
        const char *accepts;
        int form;
    } cases[] = {
        {NULL, 0},
        {"", 0},
        {"br", 0},
        {"gzip", WSHUB_DEFLATE_GZIP},
        {"GZip", WSHUB_DEFLATE_GZIP},
        {"x-gzip", WSHUB_DEFLATE_GZIP},
        {"deflate", WSHUB_DEFLATE_ZLIB},
        {"gzip, deflate, br", WSHUB_DEFLATE_GZIP},
        {"deflate, gzip;q=0.5", WSHUB_DEFLATE_ZLIB},
        {"deflate;q=0.9, gzip ; Q=1.0", WSHUB_DEFLATE_GZIP},
        {"*", WSHUB_DEFLATE_GZIP},
        {"gzip;q=0, *", WSHUB_DEFLATE_ZLIB},
        {"gzip;q=0", 0},
        {"gzip;q=0.000, deflate;q=0.001", WSHUB_DEFLATE_ZLIB},
        {"*;q=0", 0},
        {"identity, gzip;q=0.5", 0},
        {"identity;q=0.5, deflate;q=0.5", WSHUB_DEFLATE_ZLIB},
        {"identity;q=0.6, deflate;q=0.5", 0},
        {"identity;q=0, gzip;q=0", 0},
        {"gzip;q=2", 0},
        {"gzip;q=1.5", 0},
        {"gzip;q=0.12345", 0},
        {"gzip;q=", 0},
        {"gzip;q=x", 0},
        {"gzip;q=!", 0},
        {"gzip;q=0x", 0},
        {"gzip;r=1", 0},
        {"gzip;q", 0},
        {"gzip x", 0},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_INT(coding(cases[i].accepts), cases[i].form);
        if ((int)coding(cases[i].accepts) != cases[i].form)
            (void)printf("  for %s\n", cases[i].accepts);
    }
    EXPECT_STR(wshub_deflate_name(WSHUB_DEFLATE_GZIP), "gzip");
    EXPECT_STR(wshub_deflate_name(WSHUB_DEFLATE_ZLIB), "deflate");
    EXPECT(!wshub_deflate_name(WSHUB_DEFLATE_RAW));
}

TEST(bytes_are_compressed_as_a_whole) { /* wshub_deflate_whole() */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    uint8_t *bytes;
    size_t cap, count;
    world w;
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_OK);
    EXPECT_INT(count, 8);
    EXPECT(memcmp(bytes, HI, 8) == 0);
    (void)wshub_alloc(w.hub, bytes, cap, 0);
    codec.no_deflate = true;
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_ERR_APP);
    EXPECT(!bytes);
    w.fail_at = 2;
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_ERR_NOMEM);
    codec.no_deflater = true;
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_ERR_NOMEM);
    EXPECT_INT(codec.deflaters, 0);
    world_stop(&w);
}
