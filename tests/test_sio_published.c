/* Whatever an application emits, what servers and emitters of Socket.IO publish can be read: by our
 * own reader here, and, where PUBLISHED names a file, by Node's, for which it is written down there
 * (tests/socketio_wire.sh). A message that could not be read would end every server of Node's. */
#include "sio_server.h"

/* ---- any JSON ---- */

static const char *const scalars[] = {"null",
                                      "true",
                                      "false",
                                      "0",
                                      "-0",
                                      "1",
                                      "-1",
                                      "127",
                                      "128",
                                      "-32",
                                      "-33",
                                      "255",
                                      "256",
                                      "-128",
                                      "-129",
                                      "65535",
                                      "65536",
                                      "-32768",
                                      "-32769",
                                      "2147483648",
                                      "4294967295",
                                      "4294967296",
                                      "-2147483649",
                                      "9007199254740993",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "-9223372036854775808",
                                      "-9223372036854775809",
                                      "1e300",
                                      "-1e300",
                                      "1.5",
                                      "0.1",
                                      "1e-7",
                                      "5e-324",
                                      "1e400",
                                      "1E2",
                                      "0.0",
                                      "123456789012345678901234567890",
                                      "\"\"",
                                      "\"x\"",
                                      "\"\\u00e9\\u20ac\\ud83d\\ude00\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00x\"",
                                      "\"\\u0000\"",
                                      "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                                      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                      "\"2020-01-01\"",
                                      "\"__proto__\"",
                                      "\"_placeholder\"",
                                      "{}",
                                      "[]",
                                      "{\"_placeholder\":false}",
                                      "{\"_placeholder\":true,\"num\":99}",
                                      "{\"__proto__\":1}",
                                      "{\"\":{\"\":[]}}",
                                      "{\"a\":1,\"a\":2}"};

static char text[20000];
static size_t text_len;
static void put(const char *s) {
    size_t n = strlen(s);
    EXPECT(text_len + n < sizeof text);
    memcpy(text + text_len, s, n);
    text_len += n;
}
static void put_any(uint32_t depth, size_t attachments) {
    uint32_t what = any_of(depth && text_len < 8000 ? 10 : 8), n, i;
    char word[60];
    if (what == 7 && attachments) {
        (void)snprintf(word, sizeof word, "{\"_placeholder\":true,\"num\":%u}",
                       (unsigned)any_of((uint32_t)attachments));
        put(word);
    } else if (what == 7) { /* a long text */
        put("\"");
        for (n = any_of(300); n; n--) put(n % 7 ? "x" : "\xC3\xA4");
        put("\"");
    } else if (what < 8) {
        put(scalars[any_of(sizeof scalars / sizeof *scalars)]);
    } else {
        put(what == 8 ? "[" : "{");
        for (n = any_of(any_of(8) ? 4 : 40), i = 0; i < n; i++) {
            (void)snprintf(word, sizeof word, "%s\"k%u\":", i ? "," : "", (unsigned)any_of(20));
            put(what == 8 ? (i ? "," : "") : word);
            put_any(depth - 1, attachments);
        }
        put(what == 8 ? "]" : "}");
    }
}

/* ---- any emission ---- */

static const char *const names[] = {"r",    "42", "\xC3\xA4", "a#b", "20-characters-long-id",
                                    "-1.5", "r#", "*",        " "};
static const char *const events[] = {"m", "5", "\xF0\x9F\x98\x80", "message", "a b", "connection"};

static size_t any_names(wshub_str *list) {
    size_t count = any_of(3) ? any_of(3) : any_of(20), i;
    for (i = 0; i < count; i++) list[i] = S(names[any_of(sizeof names / sizeof *names)]);
    return count;
}

/* Reads it back, and writes it down. */
static void published(kept_bus *b, FILE *to) {
    static char words[100000];
    static wshub_span spans[16];
    size_t i, k;
    for (i = 0; i < b->count; i++) {
        wshub_sio__reader in;
        wshub_sio__unpacked out;
        memset(&in, 0, sizeof in);
        memset(&out, 0, sizeof out);
        if (!memchr(b->kept[i].channel, '#', b->kept[i].channel_len)) continue; /* the raw hub's */
        out.text.buf = words;
        out.text.cap = sizeof words;
        out.attachments = spans;
        out.attachments_max = 10;
        in.at = (const uint8_t *)b->kept[i].bytes;
        in.end = in.at + b->kept[i].count;
        EXPECT(wshub_sio__unpack_json(&in, &out) && in.at == in.end && !out.too_many);
        EXPECT(out.text.len <= sizeof words);
        EXPECT(wshub_json_check((wshub_str){words, out.text.len}, 0));
        if (!to) continue;
        for (k = 0; k < b->kept[i].channel_len; k++) /* blanks end it */
            (void)fputc(b->kept[i].channel[k] == ' ' ? '_' : b->kept[i].channel[k], to);
        (void)fputc(' ', to);
        for (k = 0; k < b->kept[i].count; k++)
            (void)fprintf(to, "%02x", (unsigned)(uint8_t)b->kept[i].bytes[k]);
        (void)fputc('\n', to);
    }
    kept_forget(b);
}

TEST(whatever_is_emitted_can_be_read) { /* 4, V:redis-malformed */
    static sio_server v;
    static kept_bus outside;
    wshub_bus bus = kept_start(&outside);
    wshub_emitter_desc desc;
    wshub_emitter *emitter;
    const char *path = getenv("PUBLISHED");
    FILE *to = path ? fopen(path, "wb") : NULL;
    unsigned round, sent = 0, refused = 0;
    EXPECT(!path || to);
    sio_server_start(&v, DESC(0), NULL);
    memset(&desc, 0, sizeof desc);
    desc.bus = &bus;
    EXPECT_INT(wshub_emitter_create(&desc, &emitter), WSHUB_OK);
    kept_up(&outside);
    any_seed = 17;
    v.s.w.unchecked = true; /* it takes its time */
    for (round = 0; round < 4000; round++) {
        wshub_str rooms[20], except[20], args[6];
        wshub_span spans[10];
        size_t at[7], i;
        wshub_dest dest;
        wshub_packet packet;
        wshub_err err;
        const char *space = any_of(4) ? "/" : "/admin";
        memset(&dest, 0, sizeof dest);
        memset(&packet, 0, sizeof packet);
        packet.event = S(events[any_of(sizeof events / sizeof *events)]);
        packet.attachments_count = any_of(3) ? 0 : any_of(10);
        for (i = 0; i < packet.attachments_count; i++) {
            spans[i].ptr = (const uint8_t *)text + any_of(500); /* any bytes */
            spans[i].len = any_of(300);
        }
        packet.attachments = spans;
        text_len = 0;
        for (i = 0; i < 6; i++) at[i] = text_len, put_any(4, packet.attachments_count);
        at[6] = text_len;
        for (i = 0; i < 6; i++) args[i].ptr = text + at[i], args[i].len = at[i + 1] - at[i];
        packet.args = args;
        packet.args_count = any_of(7);
        if (any_of(8) == 0) packet.flags = WSHUB_PACKET_VOLATILE;
        if (any_of(8) == 0) packet.flags |= WSHUB_PACKET_COMPRESS;
        dest.rooms = rooms;
        dest.rooms_count = any_names(rooms);
        dest.except_rooms = except;
        dest.except_rooms_count = any_names(except);
        dest.kind = dest.rooms_count ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
        err = round % 2 ? wshub_sio_emitter_send(emitter, NULL, space, &dest, &packet)
                        : wshub_sio_emit(v.sio, wshub_sio_of(v.sio, space), &dest, &packet);
        wshub_io_fake_run(v.s.w.net);
        sent += !err;
        refused += err != WSHUB_OK;
        published(round % 2 ? &outside : &v.bus, to);
    }
    v.s.w.unchecked = false;
    EXPECT_OP(sent, >, 2000);
    EXPECT_OP(refused, >, 10); /* too many attachments, and what stands for none that is there */
    if (to) EXPECT_INT(fclose(to), 0);
    wshub_emitter_destroy(emitter);
    sio_server_stop(&v);
    kept_forget(&outside);
}

TEST(objects_that_stand_for_no_bytes_are_refused_by_every_door) { /* 3.1, PITFALLS e7 */
    static sio_server v;
    static kept_bus outside;
    wshub_bus bus = kept_start(&outside);
    wshub_emitter_desc desc;
    wshub_emitter *emitter;
    wshub_span byte = {(const uint8_t *)"x", 1};
    wshub_str args[2];
    wshub_packet packet;
    wshub_dest all;
    sio_server_start(&v, DESC(0), NULL);
    memset(&desc, 0, sizeof desc);
    memset(&packet, 0, sizeof packet);
    memset(&all, 0, sizeof all);
    desc.bus = &bus;
    EXPECT_INT(wshub_emitter_create(&desc, &emitter), WSHUB_OK);
    kept_up(&outside);
    args[0] = S("{\"_placeholder\":true,\"num\":0}");
    args[1] = S("[{\"_placeholder\":true,\"num\":1}]");
    packet.event = S("m");
    packet.args = args;
    packet.args_count = 2;
    packet.attachments = &byte;
    packet.attachments_count = 1;
    all.kind = WSHUB_DEST_ALL;
    all.realm = wshub_sio_namespace_realm(v.sio, wshub_sio_of(v.sio, "/"));
    EXPECT_INT(wshub_sio_emitter_send(emitter, NULL, NULL, NULL, &packet), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_emit(v.sio, wshub_sio_of(v.sio, "/"), NULL, &packet), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_packet_send(v.s.w.hub, &all, &packet), WSHUB_ERR_PARAM);
    wshub_io_fake_run(v.s.w.net);
    EXPECT_INT(outside.count, 0);
    EXPECT_INT(v.bus.count, 0);
    packet.args_count = 1;
    EXPECT_INT(wshub_sio_emitter_send(emitter, NULL, NULL, NULL, &packet), WSHUB_OK);
    EXPECT_INT(wshub_packet_send(v.s.w.hub, &all, &packet), WSHUB_OK);
    wshub_io_fake_run(v.s.w.net);
    EXPECT_INT(outside.count, 1);
    EXPECT_INT(v.bus.count, 1);
    wshub_emitter_destroy(emitter);
    sio_server_stop(&v);
    kept_forget(&outside);
}
