/* Packets (>>api-dialect), which say more than an event: several arguments, bytes, an id, what is
 * volatile; who hears them, and as what. */
#include "kinds_site.h"

TEST(a_packet_says_more_than_an_event_to_who_can_hear_it) { /* SEND-1 */
    static const wshub_span files[] = {{(const uint8_t *)"F", 1}, {(const uint8_t *)"GH", 2}};
    world w;
    wire a;
    peer plain, as;
    wshub_str args[3];
    wshub_packet packet;
    wshub_dest dest;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    plain = peer_of(&w, "u", NULL);
    as = peer_of(&w, "u", &a);
    args[0] = S("1");
    args[1] = S("\"x\"");
    args[2] = S("{\"k\":[]}");
    packet_init(&packet, "p", args, 3);
    packet.attachments = files;
    packet.attachments_count = 2;
    packet.id = S("77");
    packet.flags = WSHUB_PACKET_NO_COMPRESS;
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_OK);
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_USER;
    dest.name = S("u");
    EXPECT_INT(wshub_packet_send_here(w.hub, &dest, &packet), WSHUB_OK);

    /* To all instances goes what an envelope has words for. */
    packet_init(&packet, "p", args, 2);
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    packet.args_count = 1;
    packet.id = S("1]");
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_ERR_JSON); /* SEND-7 */
    packet.id = S("1"); /* an envelope has no words for it */
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    packet.id = nul();
    packet.attachments = files;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    packet.attachments_count = 0;
    packet.flags = WSHUB_PACKET_VOLATILE | WSHUB_PACKET_NO_COMPRESS;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    packet.args_count = 0;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, as.conn, "a:p(1,\"x\",{\"k\":[]})+F+GH#77!",
                 "a:p(1,\"x\",{\"k\":[]})+F+GH#77!", "a:p(1)~!", "a:p()~!");
    for (i = 0; i < 2; i++)
        EXPECT_TEXT(&w, plain.conn, "{\"event\":\"p\",\"data\":[1,\"x\",{\"k\":[]}],\"id\":77}");
    EXPECT_TEXTS(&w, plain.conn, "{\"event\":\"p\",\"data\":1}", "{\"event\":\"p\"}");
    EXPECT_INT(stats(&w).unsayable, 0);
    world_stop(&w);
}

/* What an event's arguments are as `data`; the text is kept until the next call. */
static const char *data_of(const char *const *texts, size_t count, const wshub_span *files,
                           size_t files_count) {
    static char text[400];
    wshub_str args[4];
    wshub_packet packet;
    size_t len, i;
    for (i = 0; i < count; i++) args[i] = S(texts[i]);
    packet_init(&packet, "p", args, count);
    packet.attachments = files;
    packet.attachments_count = files_count;
    len = wshub_packet_data(&packet, NULL, 0);
    EXPECT_OP(len, <, sizeof text);
    memset(text, '?', sizeof text);
    EXPECT_INT(wshub_packet_data(&packet, text, len - 1), len); /* it does not fit */
    EXPECT_INT(text[0], '?');
    EXPECT_INT(wshub_packet_data(&packet, text, len), len);
    EXPECT_INT(text[len], '?');
    text[len] = 0;
    return text;
}
#define STANDS(num) "{\"_placeholder\":true,\"num\":" num "}"

TEST(several_arguments_are_an_array_and_bytes_are_base64_in_their_place) { /* SEND-8 */
    static const wshub_span files[] = {
        {(const uint8_t *)"F", 1}, {(const uint8_t *)"GHI", 3}, {NULL, 0}};
    static const char *const none[] = {"1", "{\"a\":" STANDS("0") "}", "[]"};
    static const char *const deep[] = {
        "[" STANDS("1") ",{\"x\":[" STANDS("2") ", " STANDS("0") "]}]",
        "\"{\\\"_placeholder\\\":true,\\\"num\\\":0}\""};
    /* What stands for nothing: no such attachment, other members, something nested, no JSON. */
    static const char *const others[] = {STANDS("3"),
                                         STANDS("-1"),
                                         STANDS("\"0\""),
                                         "{\"_placeholder\":false,\"num\":0}",
                                         "{\"num\":0}",
                                         "{}",
                                         "{\"_placeholder\":true}",
                                         "{\"_placeholder\":1,\"num\":0}",
                                         "{\"_placeholder\":true,\"num\":0,\"x\":{}}",
                                         "{\"_placeholder\":true,\"num\":0,\"x\":[]}",
                                         "{",
                                         "{\"_placeholder",
                                         "{\"_placeholder\":true,}",
                                         "\"open"};
    static const char *const odd[] = {"{ \"num\" : 1 , \"x\" : 2, \"_place\\u0068older\" : true }"};
    /* No more bytes are written than there are, however often they are meant. */
    static const char *const often[] = {STANDS("1"), STANDS("1"), STANDS("0"), STANDS("0")};
    const char *text;
    size_t i;
    EXPECT_STR(data_of(none, 1, NULL, 0), "1");
    EXPECT_STR(data_of(none, 3, NULL, 0), "[1,{\"a\":" STANDS("0") "},[]]");
    EXPECT_STR(data_of(none, 3, files, 1), "[1,{\"a\":\"Rg==\"},[]]");
    EXPECT_STR(data_of(deep, 1, files, 3), "[\"R0hJ\",{\"x\":[\"\", \"Rg==\"]}]");
    EXPECT_STR(data_of(deep + 1, 1, files, 3), deep[1]);
    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        text = data_of(&others[i], 1, files, 3);
        EXPECT_STR(text, others[i]);
    }
    EXPECT_STR(data_of(odd, 1, files, 3), "\"R0hJ\"");
    EXPECT_STR(data_of(often, 4, files, 2), "[\"R0hJ\"," STANDS("1") ",\"Rg==\"," STANDS("0") "]");
}

/* Pieces of JSON and of what is none, put together as chance has it: whatever it is, what is measured
 * is what is written, it is JSON where the arguments are, and no longer than all bytes make it. */
static size_t any_text(char *text) {
    static const char *const pieces[] = {STANDS("0"),  STANDS("1"), "{\"_placeholder\":true,",
                                         "\"num\":0}", "\"num\":",  "{\"a\":",
                                         "[",          "]",         "{",
                                         "}",          ",",         "1",
                                         "\"",         "\\",        "\\\"",
                                         " ",          "true",      "\"x\""};
    size_t len = 0, left = any_of(9);
    for (; left; left--) {
        const char *piece = pieces[any_of(sizeof pieces / sizeof pieces[0])];
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}
TEST(data_of_any_arguments_is_as_long_as_is_said) { /* SEND-8 */
    static char texts[3][400], out[1400];
    wshub_str args[3];
    wshub_span files[2];
    wshub_packet packet;
    int round, made = 0;
    any_seed = 41;
    for (round = 0; round < 40000; round++) {
        size_t i, len, most = 0, bytes = 0, n = 1 + any_of(3);
        bool json = true;
        for (i = 0; i < n; i++) {
            char *own = (char *)malloc(400); /* whoever reads behind it is seen */
            size_t count = any_text(texts[i]);
            memcpy(own + 400 - count, texts[i], count);
            args[i] = wshub__str(own + 400 - count, count);
            json = json && wshub_json_check(args[i], 0);
            most += count + 1;
        }
        for (i = 0; i < 2; i++) {
            files[i].ptr = (const uint8_t *)"0123456789";
            files[i].len = any_of(11);
            bytes += files[i].len;
        }
        packet_init(&packet, "p", args, n);
        packet.attachments = files;
        packet.attachments_count = 2;
        len = wshub_packet_data(&packet, NULL, 0);
        EXPECT_INT(wshub_packet_data(&packet, out, sizeof out), len);
        EXPECT_OP(len, <=, most + 1 + bytes * 4 / 3 + 2 * 6);
        if (json) EXPECT(wshub_json_check(wshub__str(out, len), 0));
        made += json && len && memchr(out, '=', len) != NULL;
        for (i = 0; i < n; i++) free((char *)(uintptr_t)args[i].ptr - (400 - args[i].len));
    }
    EXPECT_OP(made, >, 100);
}

TEST(clients_of_the_json_dialect_hear_packets_whole) { /* SEND-8, SEND-7 */
    static const wshub_span file = {(const uint8_t *)"GHI", 3};
    world w;
    peer plain;
    wshub_str args[2];
    wshub_packet packet;
    static char longest[70000];
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    plain = peer_of(&w, "u", NULL);
    args[0] = S("1");
    args[1] = S(STANDS("0"));
    packet_init(&packet, "a \"b\"", args, 2);
    packet.attachments = &file;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    packet.id = S("\"i\"");
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_OK);
    packet.args_count = 0; /* bytes that no argument has a place for */
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, plain.conn, "{\"event\":\"a \\\"b\\\"\",\"data\":[1,\"R0hJ\"]}",
                 "{\"event\":\"a \\\"b\\\"\",\"data\":[1,\"R0hJ\"],\"id\":\"i\"}",
                 "{\"event\":\"a \\\"b\\\"\",\"id\":\"i\"}");

    /* Where there is no memory for it, it is lost for them, and that is told. */
    packet_init(&packet, "p", args, 2);
    memset(longest, '1', sizeof longest);
    args[1] = wshub__str(longest, sizeof longest);
    w.fail_all = true;
    EXPECT_INT(wshub_client_send_packet(w.hub, plain.client, &packet), WSHUB_ERR_NOMEM);
    w.fail_all = false;
    EXPECT_INT(stats(&w).dropped_memory, 1);
    EXPECT_INT(stats(&w).unsayable, 0);
    world_stop(&w);
}

TEST(packets_that_break_their_contract_are_refused) { /* MSG-9 */
    static const wshub_span nothing[] = {{NULL, 3}}, empty[] = {{NULL, 0}};
    world w;
    wire a;
    peer as;
    wshub_str args[1], none[1];
    wshub_packet packet;
    world_start(&w, DESC(.on_authenticate = accept_all, .json_depth_max = 2), FAKE(0));
    wire_add(&w, &a, "a");
    as = peer_of(&w, NULL, &a);
    none[0] = nul();
#define REFUSED(want)                                                                              \
    do {                                                                                           \
        EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), want);                     \
        EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), want);                            \
    } while (0)
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    packet_init(&packet, "p", NULL, 1);
    REFUSED(WSHUB_ERR_PARAM);
    packet_init(&packet, "p", none, 1);
    REFUSED(WSHUB_ERR_PARAM);
    packet_init(&packet, "p", args, 0);
    packet.event = nul();
    REFUSED(WSHUB_ERR_PARAM);
    packet.event = too_long();
    REFUSED(WSHUB_ERR_PARAM);
    packet.event = wshub__str("\xFF", 1);
    REFUSED(WSHUB_ERR_PARAM);
    packet_init(&packet, "p", NULL, 0);
    packet.attachments_count = 1;
    REFUSED(WSHUB_ERR_PARAM);
    packet.attachments = nothing; /* bytes, and nobody knows where */
    REFUSED(WSHUB_ERR_PARAM);

    /* Arguments are JSON, a level less deep than the message around them may be. */
    packet_init(&packet, "p", args, 1);
    args[0] = S("[1");
    REFUSED(WSHUB_ERR_JSON);
    args[0] = S("[[1]]");
    REFUSED(WSHUB_ERR_JSON);
    args[0] = S("");
    REFUSED(WSHUB_ERR_JSON);
    packet.args_are_json = true; /* nobody knows that of an empty text */
    REFUSED(WSHUB_ERR_JSON);
    args[0].len = WSHUB_MSG_BYTES_MAX + 1u;
    REFUSED(WSHUB_ERR_LIMIT);
#undef REFUSED
    args[0] = S("[[1]]"); /* whoever says so is believed */
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), WSHUB_OK);
    args[0] = S("[1]");
    packet.args_are_json = false;
    packet.attachments = empty;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_client_send_packet(w.hub, as.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_client_send_packet(w.hub, (wshub_client){0}, &packet), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, as.conn, "a:p([[1]])", "a:p([1])+");
    world_stop(&w);
}

TEST(what_is_volatile_is_for_who_has_nothing_unsent) { /* SEND-6 */
    world w;
    wire a;
    peer fast, slow;
    wshub_session lent;
    wshub_client polls;
    wshub_span span;
    wshub_packet packet;
    wshub_msg m = msg("m", NULL);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    fast = peer_of(&w, NULL, &a);
    slow = peer_of(&w, NULL, &a);
    lent = lend(&w, NULL);
    polls = lodger(&w, lent, "polls", &a);
    packet_init(&packet, "p", NULL, 0);
    packet.flags = WSHUB_PACKET_VOLATILE;

    /* Nobody owes anything; who polls takes it with what comes next. */
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    EXPECT_INT(wshub_session_spans(w.hub, lent, &span, 1), 1);
    EXPECT_INT(stats(&w).dropped_pressure, 0);
    wshub_io_fake_run(w.net);

    wshub_io_fake_window(w.net, slow.conn, 0);
    EXPECT_INT(wshub_client_send(w.hub, slow.client, &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send_packet(w.hub, slow.client, &packet), WSHUB_OK); /* not yet known */
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_client_send_packet(w.hub, slow.client, &packet), WSHUB_ERR_DROPPED);
    EXPECT_INT(wshub_client_send_packet(w.hub, polls, &packet), WSHUB_ERR_DROPPED);
    EXPECT_INT(wshub_client_send_packet(w.hub, fast.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    EXPECT_INT(stats(&w).dropped_pressure, 4);

    packet.flags = 0; /* what is not waits with the rest */
    EXPECT_INT(wshub_client_send_packet(w.hub, slow.client, &packet), WSHUB_OK);
    EXPECT_INT(wshub_session_spans(w.hub, lent, NULL, 0), 1);
    EXPECT_INT(wshub_session_taken(w.hub, lent, span.len), WSHUB_OK);
    packet.flags = WSHUB_PACKET_VOLATILE;
    EXPECT_INT(wshub_client_send_packet(w.hub, polls, &packet), WSHUB_OK);
    wshub_io_fake_window(w.net, slow.conn, UINT64_MAX);
    EXPECT_TEXTS(&w, slow.conn, "a:p()~", "a:m()", "a:p()~", "a:p()");
    EXPECT_TEXTS(&w, fast.conn, "a:p()~", "a:p()~", "a:p()~");
    world_stop(&w);
}
