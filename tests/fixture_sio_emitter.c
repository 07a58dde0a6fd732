/* The fixture emitter of Socket.IO: publishes for programs that serve nobody, as Node's does. Prints
 * `ready` once it is connected, reads one JSON object a line, and answers each with `ok`, once the
 * broker has it, or `refused` and why. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_dialect_socketio.h"
#include <stdio.h>
#include <stdlib.h>

#define LIST_MAX 64

static wshub_io_sock *net;
static wshub_bus_redis *redis;

/* Serves until the bus is up and has confirmed everything. */
static bool settled(wshub_emitter *em) {
    wshub_bus_redis_stats st;
    int i;
    for (i = 0; i < 500; i++) {
        wshub_bus_redis_stats_get(redis, &st);
        if (st.state == WSHUB_BUS_UP && !st.pending && !wshub_emitter_queued_bytes(em)) return true;
        if (wshub_io_sock_run_once(net, 10)) return false;
    }
    return false;
}

/* A command on its way: its arguments as they are sent, and its texts and bytes. */
typedef struct command {
    wshub_sio__sink text; /* arguments */
    uint8_t *held;        /* bytes, and decoded texts */
    size_t held_len;
    wshub_span spans[LIST_MAX];
    size_t spans_count;
} command;

static void put(command *c, const char *text) {
    wshub_sio__sink_put(&c->text, text, strlen(text));
}

/* Bytes, of which the hexadecimal digits are given. */
static void put_bytes(command *c, wshub_str hex) {
    size_t i;
    if (c->spans_count == LIST_MAX) return;
    (void)snprintf(c->text.buf + c->text.len, c->text.cap - c->text.len,
                   "{\"_placeholder\":true,\"num\":%u}", (unsigned)c->spans_count);
    c->text.len += strlen(c->text.buf + c->text.len);
    c->spans[c->spans_count].ptr = c->held + c->held_len;
    for (i = 1; i + 2 < hex.len; i += 2) { /* between its quotes */
        char two[3] = {hex.ptr[i], hex.ptr[i + 1], 0};
        c->held[c->held_len++] = (uint8_t)strtoul(two, NULL, 16);
    }
    c->spans[c->spans_count++].len = (hex.len - 2) / 2;
}

/* A value, in which objects stand for bytes and dates. */
static void put_value(command *c, wshub_str json) {
    wshub_str bin = wshub_json_get(json, "$bin"), date = wshub_json_get(json, "$date"), key, value;
    wshub_iter it = {0, 0};
    bool some = false;
    int64_t ms;
    if (bin.ptr) {
        put_bytes(c, bin);
    } else if (date.ptr && !wshub_json_int(date, INT64_MIN, INT64_MAX, &ms)) {
        wshub_sio__put_date(&c->text, ms);
    } else if (wshub_json_type(json) == WSHUB_JSON_ARRAY) {
        put(c, "[");
        for (; wshub_json_each(json, &it, &value); some = true) {
            if (some) put(c, ",");
            put_value(c, value);
        }
        put(c, "]");
    } else if (wshub_json_type(json) == WSHUB_JSON_OBJECT) {
        put(c, "{");
        for (; wshub_json_each_member(json, &it, &key, &value); some = true) {
            if (some) put(c, ",");
            wshub_sio__sink_put(&c->text, key.ptr, key.len);
            put(c, ":");
            put_value(c, value);
        }
        put(c, "}");
    } else {
        wshub_sio__sink_put(&c->text, json.ptr, json.len);
    }
}

/* A JSON string's text. */
static wshub_str text_of(command *c, wshub_str json) {
    wshub_str out = {(const char *)c->held + c->held_len, 0};
    size_t len = wshub_json_text(json, (char *)c->held + c->held_len, json.len);
    if (len == SIZE_MAX) return out;
    out.len = len;
    c->held_len += len + 1;
    c->held[c->held_len - 1] = 0;
    return out;
}

/* A string, or an array of them. */
static size_t list_of(command *c, wshub_str json, wshub_str list[LIST_MAX]) {
    wshub_iter it = {0, 0};
    wshub_str value;
    size_t count = 0;
    if (wshub_json_type(json) == WSHUB_JSON_STRING) {
        list[0] = text_of(c, json);
        return 1;
    }
    while (count < LIST_MAX && wshub_json_each(json, &it, &value))
        list[count++] = text_of(c, value);
    return count;
}

/* Publishes what a line says. NULL, or what is wrong with it. */
static const char *emit(wshub_emitter *em, const char *key, wshub_str line, command *c) {
    static wshub_str rooms[LIST_MAX], except[LIST_MAX], args[LIST_MAX], to[LIST_MAX];
    wshub_str space = wshub_json_get(line, "nsp"), list = wshub_json_get(line, "args"), value;
    wshub_iter it = {0, 0};
    wshub_packet packet;
    wshub_dest dest;
    wshub_str what;
    const char *nsp;
    size_t to_count;
    wshub_err err;
    bool yes;
    memset(&packet, 0, sizeof packet);
    memset(&dest, 0, sizeof dest);
    packet.event = text_of(c, wshub_json_get(line, "event"));
    packet.args = args;
    while (packet.args_count < LIST_MAX && wshub_json_each(list, &it, &value)) {
        args[packet.args_count].ptr = c->text.buf + c->text.len;
        put_value(c, value);
        args[packet.args_count].len =
            (size_t)(c->text.buf + c->text.len - args[packet.args_count].ptr);
        packet.args_count++;
    }
    packet.attachments = c->spans;
    packet.attachments_count = c->spans_count;
    if (wshub_json_bool(wshub_json_get(line, "volatile"), &yes) && yes)
        packet.flags |= WSHUB_PACKET_VOLATILE;
    if (wshub_json_bool(wshub_json_get(line, "compress"), &yes))
        packet.flags |= yes ? WSHUB_PACKET_COMPRESS : WSHUB_PACKET_NO_COMPRESS;
    dest.rooms_count = list_of(c, wshub_json_get(line, "rooms"), rooms);
    dest.rooms = rooms;
    dest.kind = dest.rooms_count ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    dest.except_rooms_count = list_of(c, wshub_json_get(line, "except"), except);
    dest.except_rooms = except;
    nsp = space.ptr ? text_of(c, space).ptr : NULL;
    what = wshub_json_get(line, "do");
    to_count = list_of(c, wshub_json_get(line, "to"), to);
    if (wshub_json_is(what, "join"))
        err = wshub_sio_emitter_join(em, key, nsp, &dest, to, to_count);
    else if (wshub_json_is(what, "leave"))
        err = wshub_sio_emitter_leave(em, key, nsp, &dest, to, to_count);
    else if (wshub_json_is(what, "disconnect"))
        err = wshub_sio_emitter_disconnect(
            em, key, nsp, &dest,
            wshub_json_bool(wshub_json_get(line, "close"), &yes) ? yes : false);
    else if (wshub_json_is(what, "sse"))
        err = wshub_sio_emitter_server_emit(em, key, nsp, &packet);
    else
        err = wshub_sio_emitter_send(em, key, nsp, &dest, &packet);
    return err == WSHUB_ERR_PARAM ? "a reserved name, or more than 10 attachments"
           : err                  ? wshub_strerror(err)
                                  : NULL;
}

int main(int argc, char **argv) {
    wshub_bus_redis_desc d;
    wshub_emitter_desc ed;
    wshub_emitter *em;
    const char *key = NULL;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int i;
    memset(&d, 0, sizeof d);
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--redis") == 0 && i + 1 < argc) d.url = argv[++i];
        if (strcmp(argv[i], "--key") == 0 && i + 1 < argc) key = argv[++i];
    }
    if (!d.url) {
        (void)fprintf(stderr, "fixture-sio-emitter: usage: fixture-sio-emitter --sio --redis URL "
                              "[--key K]\n");
        return 2;
    }
    if (wshub_io_auto_create(NULL, &net)) return 1;
    d.io = wshub_io_sock_io(net);
    d.publish_only = true;
    if (wshub_bus_redis_desc_problem(&d) || wshub_bus_redis_create(&d, &redis)) {
        (void)fprintf(stderr, "fixture-sio-emitter: bad value for --redis\n");
        return 2;
    }
    memset(&ed, 0, sizeof ed);
    ed.bus = wshub_bus_redis_bus(redis);
    if (wshub_emitter_create(&ed, &em)) return 1;
    if (!settled(em)) {
        (void)fprintf(stderr, "fixture-sio-emitter: no Redis: %s\n", wshub_bus_redis_error(redis));
        return 1;
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    while ((n = getline(&line, &cap, stdin)) > 0) {
        wshub_str text = {line, (size_t)n};
        command c;
        const char *why;
        memset(&c, 0, sizeof c);
        c.text.cap = 8 * (size_t)n + 64; /* what stands for bytes is longer than they are */
        c.text.buf = (char *)malloc(c.text.cap);
        c.held = (uint8_t *)malloc(2 * (size_t)n + LIST_MAX);
        if (!c.text.buf || !c.held) abort();
        why = emit(em, key, text, &c);
        if (!why && !settled(em)) why = "Redis does not confirm";
        (void)printf("%s%s\n", why ? "refused " : "ok", why ? why : "");
        (void)fflush(stdout);
        free(c.text.buf);
        free(c.held);
    }
    free(line);
    wshub_emitter_destroy(em);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    return 0;
}
