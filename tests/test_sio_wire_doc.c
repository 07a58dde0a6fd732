/* The text on the wire of Socket.IO's adapters for Redis (backends/SOCKETIO_REDIS.md) is true: each
 * example in it is played. What it says that a server or an emitter publishes, ours publish, byte for
 * byte; what it says that the bytes are, they are; what is to be delivered, is; what is to be dropped
 * is dropped for the reason that it names. Run from the root of the tree, whose file it reads. */
#include "sio_server.h"
#include "texts.h"

/* ---- the document ---- */

/* A fenced block of it. */
typedef struct block {
    const char *kind; /* what stands behind its fence */
    wshub_str lines[64];
    size_t count;
} block;

/* The next block. False: there is none. */
static bool block_next(char **at, block *out) {
    char *line = *at;
    bool open = false;
    memset(out, 0, sizeof *out);
    for (; *line; line = *at) {
        size_t len = strcspn(line, "\n");
        *at = line + len + (line[len] ? 1 : 0);
        if (len >= 3 && memcmp(line, "```", 3) == 0) {
            if (open) return true;
            line[len] = 0;
            out->kind = line + 3;
            open = true;
        } else if (open) {
            EXPECT(out->count < 64);
            out->lines[out->count].ptr = line;
            out->lines[out->count++].len = len;
        }
    }
    return false;
}

static bool begins(wshub_str line, const char *with) {
    return line.len >= strlen(with) && memcmp(line.ptr, with, strlen(with)) == 0;
}
/* What stands behind that. */
static wshub_str behind(wshub_str line, const char *with) {
    EXPECT(begins(line, with));
    line.ptr += strlen(with);
    line.len -= strlen(with);
    return line;
}

/* Lines of bytes from one on, up to two blanks each, behind which is what they are. Returns how many
 * bytes; out_next: the line behind them. */
static size_t bytes_of(const block *b, size_t from, char *out, size_t cap, size_t *out_next) {
    size_t count = 0;
    for (; from < b->count; from++) {
        const char *at = b->lines[from].ptr, *end = at + b->lines[from].len;
        char hex[200];
        size_t n = 0;
        while (at < end && *at == ' ') at++;
        if (at == end || !strchr("0123456789abcdef", *at)) break;
        while (at < end && n + 1 < sizeof hex && !(*at == ' ' && at + 1 < end && at[1] == ' '))
            hex[n++] = *at++;
        hex[n] = 0;
        EXPECT_INT(strspn(hex, "0123456789abcdef "), n);
        count += sio_socket_hex(hex, out + count, cap - count);
    }
    *out_next = from;
    return count;
}

/* What bytes of msgpack say, in JSON, and nothing behind them. Attachments are as many as there
 * are. */
static void says(const char *bytes, size_t count, wshub_str want) {
    static char text[4096], expanded[4096];
    static wshub_span spans[16];
    wshub_sio__reader in;
    wshub_sio__unpacked out;
    size_t at = 0, i, k;
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    out.text.buf = text;
    out.text.cap = sizeof text;
    out.attachments = spans;
    out.attachments_max = 16;
    in.at = (const uint8_t *)bytes;
    in.end = in.at + count;
    EXPECT(wshub_sio__unpack_json(&in, &out) && in.at == in.end && out.text.len < sizeof text);
    text[out.text.len] = 0;
    for (i = 0; text[i];) { /* what stands for bytes is said as the document says it */
        unsigned number;
        int used = 0;
        if (sscanf(text + i, "{\"_placeholder\":true,\"num\":%u}%n", &number, &used) != 1 ||
            !used) {
            expanded[at++] = text[i++];
            continue;
        }
        at += (size_t)snprintf(expanded + at, sizeof expanded - at, "{\"$bin\":\"");
        for (k = 0; k < spans[number].len; k++)
            at +=
                (size_t)snprintf(expanded + at, sizeof expanded - at, "%02x", spans[number].ptr[k]);
        at += (size_t)snprintf(expanded + at, sizeof expanded - at, "\"}");
        i += (size_t)used;
    }
    expanded[at] = 0;
    {
        char line[2000];
        (void)snprintf(line, sizeof line, "%.*s", (int)want.len, want.ptr);
        EXPECT_STR(expanded, line);
    }
}

/* ---- what is said, in the words of Node ---- */

typedef struct saying {
    bool emitter, dates;
    char space[32], rooms_text[4][32], except_text[4][32], event[32];
    wshub_str rooms[4], except[4], args[16];
    wshub_dest dest;
    wshub_packet packet;
    char text[1000], held[64]; /* the arguments, and their bytes */
    size_t held_count;
    wshub_span spans[10];
} saying;

static void put_name(char to[32], wshub_str *view, const char *from) {
    (void)snprintf(to, 32, "%.*s", (int)strcspn(from, "\""), from);
    *view = wshub_str_z(to);
}

/* Buffer.from("0102", "hex") and new Date(5) in JSON, from one text to the other. */
static void to_json(saying *s, const char *from, wshub_sio__sink *to) {
    static const char bytes[] = "Buffer.from(\"", date[] = "new Date(";
    while (*from) {
        char word[64];
        size_t n = s->packet.attachments_count, len;
        if (strncmp(from, bytes, sizeof bytes - 1) == 0) {
            from += sizeof bytes - 1;
            (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(from, "\""), from);
            s->spans[n].ptr = (const uint8_t *)s->held + s->held_count;
            len = sio_socket_hex(word, s->held + s->held_count, sizeof s->held - s->held_count);
            s->spans[n].len = len;
            s->held_count += len;
            (void)snprintf(word, sizeof word, "{\"_placeholder\":true,\"num\":%u}", (unsigned)n);
            wshub_sio__sink_put(to, word, strlen(word));
            s->packet.attachments_count++;
            from = strchr(from, ')') + 1;
        } else if (strncmp(from, date, sizeof date - 1) == 0) {
            from += sizeof date - 1;
            wshub_sio__put_date(to, (int64_t)strtoll(from, NULL, 10));
            s->dates = true;
            from = strchr(from, ')') + 1;
        } else {
            wshub_sio__sink_put(to, from++, 1);
        }
    }
}

/* Reads `io.to("r").emit("m", 1)`. */
static void saying_read(saying *s, wshub_str line) {
    static char words[1000];
    char *at = words;
    wshub_sio__sink sink;
    wshub_iter iter = {0, 0};
    wshub_str arg, none = {NULL, 0};
    memset(s, 0, sizeof *s);
    (void)snprintf(words, sizeof words, "%.*s", (int)line.len, line.ptr);
    (void)snprintf(s->space, sizeof s->space, "/");
    s->emitter = strncmp(words, "emitter.", 8) == 0;
    at = strchr(at, '.') + 1;
    while (strncmp(at, "emit(", 5) != 0) {
        if (strncmp(at, "of(\"", 4) == 0) put_name(s->space, &none, at + 4);
        if (strncmp(at, "to(\"", 4) == 0)
            put_name(s->rooms_text[s->dest.rooms_count], &s->rooms[s->dest.rooms_count], at + 4),
                s->dest.rooms_count++;
        if (strncmp(at, "except(\"", 8) == 0)
            put_name(s->except_text[s->dest.except_rooms_count],
                     &s->except[s->dest.except_rooms_count], at + 8),
                s->dest.except_rooms_count++;
        if (strncmp(at, "volatile", 8) == 0) s->packet.flags |= WSHUB_PACKET_VOLATILE;
        if (strncmp(at, "compress(false)", 15) == 0) s->packet.flags |= WSHUB_PACKET_NO_COMPRESS;
        at = strchr(at, '.');
        EXPECT(at != NULL);
        if (!at) return;
        at++;
    }
    s->dest.kind = s->dest.rooms_count ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    s->dest.rooms = s->rooms;
    s->dest.except_rooms = s->except;
    s->packet.args = s->args;
    s->packet.attachments = s->spans;
    at[4] = '['; /* its arguments are an array, of which the first is the event */
    at += 4;
    at[strlen(at) - 1] = ']';
    sink.buf = s->text;
    sink.cap = sizeof s->text;
    sink.len = 0;
    to_json(s, at, &sink);
    arg.ptr = s->text;
    arg.len = sink.len;
    EXPECT(wshub_json_check(arg, 20));
    (void)wshub_json_each(arg, &iter, &none);
    EXPECT(!wshub_json_copy(none, s->event, sizeof s->event, NULL));
    s->packet.event = wshub_str_z(s->event);
    while (wshub_json_each(none = arg, &iter, &s->args[s->packet.args_count]))
        s->packet.args_count++;
}

/* ---- the examples ---- */

typedef struct stage {
    sio_server v;
    kept_bus outside;
    wshub_bus outside_bus;
    wshub_emitter *emitter;
    wshub_conn r1, other, admin;
} stage;

static unsigned heard_by(stage *s, wshub_conn c) {
    wshub_io_fake_frame f;
    unsigned heard = 0;
    while (wshub_io_fake_next(s->v.s.w.net, c, &f)) heard += f.opcode == 1;
    return heard;
}

/* Who is meant hears it, once, and nobody else: of r1, in the room of that name, other and admin. */
static void delivered(stage *s, const saying *said) {
    bool admin = strcmp(said->space, "/admin") == 0, to_r1 = !said->dest.rooms_count, to_other;
    size_t i;
    to_other = to_r1;
    for (i = 0; i < said->dest.rooms_count; i++)
        to_r1 = to_r1 || strcmp(said->rooms_text[i], "r1") == 0;
    EXPECT_INT(heard_by(s, s->r1), !admin && to_r1);
    EXPECT_INT(heard_by(s, s->other), !admin && to_other);
    EXPECT_INT(heard_by(s, s->admin), admin && (to_other || to_r1));
}

static void play_broadcast(stage *s, const block *b) {
    static saying said;
    char bytes[1000], channel[100], *at;
    size_t count, next;
    kept_bus *on;
    saying_read(&said, b->lines[0]);
    (void)snprintf(channel, sizeof channel, "%.*s", (int)behind(b->lines[1], "on ").len,
                   behind(b->lines[1], "on ").ptr);
    count = bytes_of(b, 2, bytes, sizeof bytes, &next);
    EXPECT(next + 1 == b->count);
    says(bytes, count, behind(b->lines[next], "says "));

    /* It is delivered as it is: whoever has said it is no server here. */
    sio_server_hears(&s->v, channel, bytes, count);
    delivered(s, &said);

    on = said.emitter ? &s->outside : &s->v.bus;
    kept_forget(on);
    if (said.emitter)
        EXPECT_INT(wshub_sio_emitter_send(s->emitter, NULL, said.space, &said.dest, &said.packet),
                   WSHUB_OK);
    else
        EXPECT_INT(
            wshub_sio_emit(s->v.sio, wshub_sio_of(s->v.sio, said.space), &said.dest, &said.packet),
            WSHUB_OK);
    wshub_io_fake_run(s->v.s.w.net);
    if (!said.emitter) delivered(s, &said); /* to the sender's own */
    EXPECT_INT(on->count, 1);
    if (on->count != 1) return;
    EXPECT_STR(on->kept[0].channel, channel);
    if (said.dates) return; /* ours says their texts */
    EXPECT_INT(on->kept[0].count, count);
    if (on->kept[0].count != count) return;
    at = said.emitter ? NULL : on->kept[0].bytes + 2; /* ours has its own uid */
    if (at) memcpy(at, bytes + 2, 6);
    EXPECT(memcmp(on->kept[0].bytes, bytes, count) == 0);
}

/* Each has a line of bytes, one of what Node does, and one of what is done here. */
static size_t play_dropped(stage *s, const block *b) {
    size_t i, k, played = 0;
    EXPECT_INT(b->count % 3, 0);
    for (i = 0; i + 2 < b->count; i += 3, played++) {
        static const char *const names[] = {"NONE",
#define NAME(name, text) #name,
                                            WSHUB_SIO_DROPS(NAME)
#undef NAME
        };
        wshub_sio_stats before = sio_server_stats(&s->v), after;
        wshub_str want = behind(b->lines[i + 2], "    here ");
        char bytes[200];
        size_t next;
        block one = {b->kind, {b->lines[i]}, 1};
        size_t count = bytes_of(&one, 0, bytes, sizeof bytes, &next);
        sio_server_hears(&s->v, "socket.io#/#", bytes, count);
        after = sio_server_stats(&s->v);
        for (k = 0; k < WSHUB_SIO_DROP_COUNT; k++)
            EXPECT_INT(after.bus_drops[k] - before.bus_drops[k], wshub_str_eq_z(want, names[k]));
        EXPECT_INT(after.bus_dropped - before.bus_dropped, 1);
        EXPECT_INT(heard_by(s, s->r1) + heard_by(s, s->other) + heard_by(s, s->admin), 0);
    }
    return played;
}

static void play_msgpack(const block *b) {
    char bytes[1000];
    size_t next, count = bytes_of(b, 0, bytes, sizeof bytes, &next);
    EXPECT(next + 1 == b->count);
    says(bytes, count, behind(b->lines[next], "says "));
}

/* ---- requests ---- */

/* A line, in which SID stands for the id of a socket. */
static void with_sid(wshub_str line, const char *sid, char out[600]) {
    size_t at = 0;
    const char *p = line.ptr, *end = line.ptr + line.len;
    while (p < end && at < 570) {
        if (end - p >= 5 && memcmp(p, "\"SID\"", 5) == 0) {
            at += (size_t)snprintf(out + at, 600 - at, "\"%s\"", sid);
            p += 5;
        } else {
            out[at++] = *p++;
        }
    }
    out[at] = 0;
}

/* What was published last, on which channel, with the uid of the document instead of our own. */
static void was_published(kept_bus *b, wshub_str channel, const char *want) {
    char line[600], *uid;
    EXPECT_INT(b->count, 1);
    if (b->count != 1) return;
    EXPECT(wshub_str_eq_z(channel, b->kept[0].channel));
    (void)snprintf(line, sizeof line, "%.*s", (int)b->kept[0].count, b->kept[0].bytes);
    uid = strncmp(line, "{\"uid\":\"", 8) == 0 ? line + 8 : NULL;
    if (uid && uid[6] == '"') memcpy(uid, "AbCd12", 6);
    EXPECT_STR(line, want);
}

/* One asks, and is answered by a server with one socket. */
static void play_answer(const block *b) {
    static sio_server v;
    char sid[21], want[600], *at;
    sio_server_start(&v, DESC(0), NULL);
    (void)sio_server_joins(&v, "", "{\"rooms\":[\"r1\"]}", sid);
    kept_forget(&v.bus);
    sio_server_hears(&v, "socket.io-request#/#", b->lines[0].ptr, b->lines[0].len);
    with_sid(b->lines[2], sid, want);
    at = strstr(want, sid);
    if (at && strcmp(at + 20, "\",\"r1\"]}") == 0 && /* two rooms, in any order */
        v.bus.count == 1 && memcmp(v.bus.kept[0].bytes + (at - want), "r1\"", 3) == 0)
        (void)snprintf(at, 40, "r1\",\"%s\"]}", sid);
    was_published(&v.bus, behind(b->lines[1], "on "), want);
    sio_server_stop(&v);
}

/* What is asked for, in the words of Node; the rooms are what the document has. */
static wshub_err ask(stage *s, wshub_str line) {
    static const wshub_str two[] = {{"a", 1}, {"b", 1}}, in = {"r1", 2}, except = {"r2", 2},
                           one = {"1", 1};
    wshub_sio_namespace of = wshub_sio_of(s->v.sio, "/");
    wshub_packet packet;
    wshub_dest dest;
    bool emitter = begins(line, "emitter.");
    line = behind(line, emitter ? "emitter." : "io.");
    memset(&dest, 0, sizeof dest);
    memset(&packet, 0, sizeof packet);
    dest.kind = WSHUB_DEST_ALL;
    if (begins(line, "in(\"r1\").")) {
        line = behind(line, "in(\"r1\").");
        dest.kind = WSHUB_DEST_ROOM;
        dest.name = in;
    }
    if (begins(line, "except(\"r2\").")) {
        line = behind(line, "except(\"r2\").");
        dest.except_rooms = &except;
        dest.except_rooms_count = 1;
    }
    packet.event = S("hello");
    packet.args = &one;
    packet.args_count = 1;
    if (wshub_str_eq_z(line, "socketsJoin(\"a\")"))
        return emitter ? wshub_sio_emitter_join(s->emitter, NULL, NULL, &dest, two, 1)
                       : wshub_sio_join_all(s->v.sio, of, &dest, two, 1);
    if (wshub_str_eq_z(line, "socketsLeave([\"a\",\"b\"])"))
        return wshub_sio_leave_all(s->v.sio, of, &dest, two, 2);
    if (wshub_str_eq_z(line, "disconnectSockets()"))
        return wshub_sio_emitter_disconnect(s->emitter, NULL, NULL, &dest, false);
    if (wshub_str_eq_z(line, "disconnectSockets(true)"))
        return wshub_sio_disconnect_all(s->v.sio, of, &dest, true);
    if (wshub_str_eq_z(line, "serverSideEmit(\"hello\", 1)"))
        return emitter ? wshub_sio_emitter_server_emit(s->emitter, NULL, NULL, &packet)
                       : wshub_sio_server_emit(s->v.sio, of, &packet);
    return WSHUB_ERR_STATE; /* words that are not known here */
}
static void play_request(const block *b) {
    static stage s;
    wshub_emitter_desc desc;
    char want[600];
    memset(&s, 0, sizeof s);
    memset(&desc, 0, sizeof desc);
    sio_server_start(&s.v, DESC(0), NULL);
    s.outside_bus = kept_start(&s.outside);
    desc.bus = &s.outside_bus;
    EXPECT_INT(wshub_emitter_create(&desc, &s.emitter), WSHUB_OK);
    kept_up(&s.outside);
    kept_forget(&s.v.bus);
    EXPECT_INT(ask(&s, b->lines[0]), WSHUB_OK);
    wshub_io_fake_run(s.v.s.w.net);
    with_sid(b->lines[2], "", want);
    was_published(begins(b->lines[0], "emitter.") ? &s.outside : &s.v.bus,
                  behind(b->lines[1], "on "), want);
    wshub_emitter_destroy(s.emitter);
    kept_forget(&s.outside);
    sio_server_stop(&s.v);
}

TEST(each_example_on_the_wire_is_true) { /* 4 to 6 */
    char *text = text_of("backends/SOCKETIO_REDIS.md"), *at = text;
    static stage s;
    wshub_emitter_desc desc;
    unsigned broadcasts = 0, dropped = 0, packed = 0, json = 0, failures = 0;
    block b;
    size_t i;
    memset(&s, 0, sizeof s);
    sio_server_start(&s.v, DESC(0), NULL);
    memset(&desc, 0, sizeof desc);
    s.outside_bus = kept_start(&s.outside);
    desc.bus = &s.outside_bus;
    EXPECT_INT(wshub_emitter_create(&desc, &s.emitter), WSHUB_OK);
    kept_up(&s.outside);
    s.r1 = sio_server_joins(&s.v, "", "{\"rooms\":[\"r1\"]}", NULL);
    s.other = sio_server_joins(&s.v, "", "", NULL);
    s.admin = sio_server_joins(&s.v, "/admin", "{\"rooms\":[\"r1\"]}", NULL);
    while (block_next(&at, &b)) {
        int before = test_failures;
        if (strcmp(b.kind, "broadcast") == 0) {
            play_broadcast(&s, &b);
            broadcasts++;
        } else if (strcmp(b.kind, "dropped") == 0) {
            dropped += (unsigned)play_dropped(&s, &b);
        } else if (strcmp(b.kind, "msgpack") == 0) {
            play_msgpack(&b);
            packed++;
        } else {
            bool request = strcmp(b.kind, "request") == 0, answer = strcmp(b.kind, "answer") == 0;
            EXPECT(request || answer || strcmp(b.kind, "json") == 0);
            if (request) play_request(&b);
            if (answer) play_answer(&b);
            for (i = 0; i < b.count; i++) {
                if (!begins(b.lines[i], "{")) continue;
                EXPECT(wshub_json_check(b.lines[i], 20));
                json++;
            }
        }
        if (test_failures == before) continue;
        failures++;
        (void)printf("  in `%s`: %.*s\n", b.kind, (int)b.lines[0].len, b.lines[0].ptr);
    }
    EXPECT_INT(failures, 0);
    EXPECT_INT(broadcasts, 10);
    EXPECT_INT(dropped, 17);
    EXPECT_INT(packed, 3);
    EXPECT_OP(json, >, 10);
    wshub_emitter_destroy(s.emitter);
    kept_forget(&s.outside);
    sio_server_stop(&s.v);
    free(text);
}
