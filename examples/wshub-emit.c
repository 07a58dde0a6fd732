/* Publishes one event to every instance from the command line, without holding a client: EMIT-1 as
 * a tool, and how any other process does it as a library (three objects: an io, the Redis bus, an
 * emitter).
 *
 * Build: cc wshub-emit.c -I.. -I../backends -o wshub-emit (in examples/)
 * Try:   ./wshub-emit --redis redis://127.0.0.1:6379 room ws-default news '{"n":1}'
 *        ./wshub-emit --socketio --redis redis://127.0.0.1:6379 --room news said '"hello"' 5
 *
 * To clients of the JSON dialect:
 *
 *     wshub-emit --redis URL room NAME EVENT [JSON]      who is in a room
 *     wshub-emit --redis URL user ID EVENT [JSON]        all clients of a user
 *     wshub-emit --redis URL client ID EVENT [JSON]      one client
 *     wshub-emit --redis URL all EVENT [JSON]            everybody
 *
 *     --exclude ID     not that client; again for more. For `room` and `all`
 *     JSON             the event's data; `-`: from standard input; left out: the event has none
 *
 * To sockets of Socket.IO on any server with an adapter for Redis, this library's and Node's, as
 * `io.of(NAMESPACE).to(ROOM).except(ROOM).emit(EVENT, ...ARGS)` of @socket.io/redis-emitter does:
 *
 *     wshub-emit --socketio --redis URL EVENT [ARG]...
 *
 *     --namespace NAME     default `/`; one without the slash gets it
 *     --room NAME          who is in it; again for more, and who is in several hears it once. The
 *                          id of a socket is a room, in which it is alone. Left out: everybody
 *     --except NAME        not who is in it; again for more
 *     --volatile           not to whom it would have to wait for
 *     --key KEY            default `socket.io`; what the adapters there were given as `key`
 *     ARG                  JSON, any number of them; `-`: from standard input, once; `@FILE`: the
 *                          bytes of a file, which arrive as bytes, at most 10 of those
 *
 * For both `--timeout MS`, default 5000, says how long the broker may take. In a shell JSON stands
 * in single quotes, a text's own quotes within: '"text"'.
 *
 * Exit status: 0 the broker has it; 2 the command line is wrong; 3 the data is no JSON, or cannot
 * be read; 4 the broker was not reached; 5 the broker refused it; 6 the connection broke before the
 * broker confirmed it. That the broker has it does not say that anybody hears it. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_dialect_socketio.h"
#include "tool_streams.h"

#define NAMES_MAX 256
#define ARGS_MAX 64
#define FILES_MAX 10
#define FILE_BYTES_MAX (64 << 20)

/* What is to be said to whom. */
typedef struct order {
    const char *url, *key, *space;
    long timeout_ms;
    bool socketio;
    wshub_str exclude[NAMES_MAX], rooms[NAMES_MAX], except[NAMES_MAX]; /* what dest points to */
    size_t exclude_count, rooms_count, except_count;
    const char *words[2 + ARGS_MAX]; /* of the command line, without options */
    size_t words_count;
    wshub_dest dest;
    wshub_msg msg;                     /* of the JSON dialect */
    wshub_packet packet;               /* of Socket.IO */
    wshub_str args[ARGS_MAX];          /* what packet points to */
    wshub_span files[FILES_MAX];       /* read from files, freed at the end */
    char marks[FILES_MAX][64], *input; /* what stands in args for files; standard input */
} order;

static int fail(int status, const char *what, const char *detail) {
    (void)fprintf(stderr, "wshub-emit: %s%s%s\n", what, *detail ? ": " : "", detail);
    return status;
}

static int usage(const char *why) {
    (void)fprintf(
        stderr,
        "wshub-emit: %s\n"
        "usage: wshub-emit --redis URL [--timeout MS] [--exclude ID]... room NAME EVENT [JSON]\n"
        "       wshub-emit --redis URL [--timeout MS] user ID EVENT [JSON]      (or: client ID "
        "EVENT [JSON])\n"
        "       wshub-emit --redis URL [--timeout MS] [--exclude ID]... all EVENT [JSON]\n"
        "       wshub-emit --socketio --redis URL [--timeout MS] [--key KEY] [--namespace NAME]\n"
        "                  [--room NAME]... [--except NAME]... [--volatile] EVENT [ARG]...\n"
        "JSON: the event's data; `-`: from standard input; left out: the event has none\n"
        "ARG: JSON; `-`: from standard input; `@FILE`: the bytes of a file\n",
        why);
    return 2;
}

/* All of a stream, terminated. NULL: it cannot be read, is too long, or memory is out. */
static char *read_all(FILE *from, size_t *out_len) {
    size_t len = 0, cap = 4096;
    char *text = (char *)malloc(cap);
    while (text) {
        size_t n = fread(text + len, 1, cap - len - 1, from);
        len += n;
        if (n == 0) break;
        if (cap - len < 2) {
            char *more = cap < FILE_BYTES_MAX ? (char *)realloc(text, cap *= 2) : NULL;
            if (!more) free(text);
            text = more;
        }
    }
    if (text && ferror(from)) {
        free(text);
        text = NULL;
    }
    if (text) text[len] = 0;
    *out_len = text ? len : 0;
    return text;
}

/* Standard input, without blanks around it. ptr NULL: it cannot be read. */
static wshub_str read_input(order *o) {
    wshub_str text = {NULL, 0};
    if (o->input) return text; /* there is one of it */
    o->input = read_all(stdin, &text.len);
    text.ptr = o->input;
    while (text.len && strchr(" \t\r\n", *text.ptr)) text.ptr++, text.len--;
    while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1])) text.len--;
    return text;
}

/* The bytes of a file become an attachment; out: what stands for them among the arguments. */
static bool read_file(order *o, const char *path, wshub_str *out) {
    size_t n = o->packet.attachments_count, len = 0;
    FILE *file = n < FILES_MAX ? fopen(path, "rb") : NULL;
    char *bytes = file ? read_all(file, &len) : NULL;
    wshub_json_writer w;
    if (file) (void)fclose(file);
    if (!bytes) return false;
    wshub_json_begin(&w, o->marks[n], sizeof o->marks[n]);
    (void)wshub_sio_put_bytes(&w, NULL, o->files, FILES_MAX, &o->packet.attachments_count, bytes,
                              len);
    o->packet.attachments = o->files;
    return wshub_json_done(&w, out) == WSHUB_OK;
}

/* Serves the connection until the broker has answered for everything, or time is up; what has
 * arrived by then is heard first. */
static int deliver(wshub_io_sock *net, wshub_bus_redis *redis, const wshub_emitter *em,
                   long timeout_ms) {
    wshub_bus_redis_stats st;
    const wshub_io *io = wshub_io_sock_io(net);
    uint64_t end = io->now_ms(io->ctx) + (uint64_t)timeout_ms;
    for (;;) {
        bool late = io->now_ms(io->ctx) >= end;
        if (wshub_io_sock_run_once(net, late ? 0 : 20))
            return fail(4, "waiting failed", wshub_io_sock_error(net));
        wshub_bus_redis_stats_get(redis, &st);
        if (st.refused) return fail(5, "refused", wshub_bus_redis_error(redis));
        if (st.unconfirmed) return fail(6, "not confirmed", wshub_bus_redis_error(redis));
        if (st.published && !st.pending && !wshub_emitter_queued_bytes(em)) return 0;
        if (late) return fail(4, "no broker", wshub_bus_redis_error(redis));
    }
}

/* Hands it to the emitter, and waits until it is out. */
static int publish(wshub_io_sock *net, wshub_bus_redis *redis, wshub_emitter *em, const order *o) {
    wshub_err err = o->socketio ? wshub_sio_emitter_send(em, o->key, o->space, &o->dest, &o->packet)
                                : wshub_emitter_send(em, &o->dest, &o->msg);
    if (err == WSHUB_ERR_JSON) return fail(3, "the data is not JSON", "");
    if (err == WSHUB_ERR_PARAM && o->socketio)
        return usage("names and events are UTF-8, of at most 4096 bytes, and not empty, nor events "
                     "that Socket.IO has for itself (connect, disconnect, ...); a namespace begins "
                     "with `/`, and has no `,`; a key has no blank and none of *?[]\\");
    if (err == WSHUB_ERR_PARAM)
        return usage("names and events are UTF-8, of at most 4096 bytes, and not empty");
    if (err) return fail(4, wshub_strerror(err), "");
    return deliver(net, redis, em, o->timeout_ms);
}

static int emit(const order *o) {
    wshub_bus_redis_desc rd;
    wshub_emitter_desc ed;
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub_emitter *em;
    wshub_err err;
    char why[WSHUB_EXPLAIN_BYTES];
    int status;
    memset(&rd, 0, sizeof rd);
    memset(&ed, 0, sizeof ed);
    if (wshub_io_auto_create(NULL, &net)) return fail(4, "cannot start", strerror(errno));
    rd.io = wshub_io_sock_io(net);
    rd.url = o->url;
    rd.client_name = "wshub-emit";
    rd.publish_only = true;
    err = wshub_bus_redis_create(&rd, &redis);
    if (err) {
        wshub_bus_redis_desc_explain(&rd, err, why, sizeof why);
        wshub_io_sock_destroy(net);
        return usage(why);
    }
    ed.bus = wshub_bus_redis_bus(redis);
    ed.bus_queue_bytes_max = 1u << 30; /* one message, of whatever size */
    err = wshub_emitter_create(&ed, &em);
    status = err ? fail(4, wshub_strerror(err), "") : publish(net, redis, em, o);
    wshub_emitter_destroy(em);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    return status;
}

/* ---- the command line ---- */

/* A name of a list. False: there are too many. */
static bool put(wshub_str *list, size_t *count, const char *name) {
    if (*count == NAMES_MAX) return false;
    list[(*count)++] = wshub_str_z(name);
    return true;
}

/* 0: it is no number, or more than a day. */
static long milliseconds(const char *value) {
    char *stop;
    unsigned long n = strtoul(value, &stop, 10);
    return *value >= '0' && *value <= '9' && !*stop && n <= 86400000 ? (long)n : 0;
}

/* An option with its value. NULL, or what is wrong. */
static const char *option(order *o, const char *name, const char *value) {
    bool known = true, fits = true;
    if (strcmp(name, "--redis") == 0)
        o->url = value;
    else if (strcmp(name, "--timeout") == 0)
        o->timeout_ms = milliseconds(value);
    else if (strcmp(name, "--exclude") == 0 && !o->socketio)
        fits = put(o->exclude, &o->exclude_count, value);
    else if (strcmp(name, "--room") == 0 && o->socketio)
        fits = put(o->rooms, &o->rooms_count, value);
    else if (strcmp(name, "--except") == 0 && o->socketio)
        fits = put(o->except, &o->except_count, value);
    else if (strcmp(name, "--namespace") == 0 && o->socketio)
        o->space = value;
    else if (strcmp(name, "--key") == 0 && o->socketio)
        o->key = value;
    else
        known = false;
    return !known  ? "an unknown option, or one of the other dialect"
           : !fits ? "too many names"
                   : NULL;
}

/* Options and words. NULL, or what is wrong. */
static const char *parse(order *o, int argc, char **argv) {
    const char *wrong;
    int k;
    for (k = 1; k < argc; k++) { /* this one says what the others may be */
        if (strcmp(argv[k], "--socketio") == 0) o->socketio = true;
    }
    for (k = 1; k < argc; k++) {
        bool word = strncmp(argv[k], "--", 2) != 0;
        if (strcmp(argv[k], "--socketio") == 0) continue;
        if (strcmp(argv[k], "--volatile") == 0 && o->socketio) {
            o->packet.flags |= WSHUB_PACKET_VOLATILE;
            continue;
        }
        if (!word && k + 1 == argc) return "an option lacks its value";
        if (word && o->words_count == (o->socketio ? 1 + ARGS_MAX : 4)) return "too many words";
        if (word) {
            o->words[o->words_count++] = argv[k];
            continue;
        }
        wrong = option(o, argv[k], argv[k + 1]);
        if (wrong) return wrong;
        k++;
    }
    if (!o->url) return "--redis URL is needed";
    return o->timeout_ms < 1 ? "--timeout: milliseconds, at least 1, and a day at most" : NULL;
}

/* To whom, and what, in words of the JSON dialect. NULL, or what is wrong. */
static const char *plain(order *o, bool *out_unread) {
    static const char *const kinds[] = {"client", "user", "room", "all"};
    static const wshub_dest_kind are[] = {WSHUB_DEST_CLIENT, WSHUB_DEST_USER, WSHUB_DEST_ROOM,
                                          WSHUB_DEST_ALL};
    size_t at, i;
    for (i = 0; o->words_count && i < 4; i++) {
        if (strcmp(o->words[0], kinds[i]) == 0) o->dest.kind = are[i];
    }
    if (o->dest.kind == WSHUB_DEST_RESOLVE) return "to whom: room, user, client or all";
    at = o->dest.kind == WSHUB_DEST_ALL ? 1 : 2;
    if (o->words_count <= at || o->words_count > at + 2)
        return "a name, an event, and the event's data";
    if (at == 2) o->dest.name = wshub_str_z(o->words[1]);
    if (o->exclude_count && o->dest.kind != WSHUB_DEST_ROOM && o->dest.kind != WSHUB_DEST_ALL)
        return "--exclude is for room and all";
    o->dest.exclude = o->exclude_count ? o->exclude : NULL;
    o->dest.exclude_count = o->exclude_count;
    o->msg.event = wshub_str_z(o->words[at]);
    if (o->words_count < at + 2) return NULL;
    if (strcmp(o->words[at + 1], "-") != 0)
        o->msg.data = wshub_str_z(o->words[at + 1]);
    else
        o->msg.data = read_input(o), *out_unread = !o->msg.data.ptr;
    return NULL;
}

/* The same for Socket.IO. */
static const char *socketio(order *o, bool *out_unread) {
    size_t i;
    if (!o->words_count) return "an event, and its arguments";
    o->dest.kind = o->rooms_count ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    o->dest.rooms = o->rooms;
    o->dest.rooms_count = o->rooms_count;
    o->dest.except_rooms = o->except;
    o->dest.except_rooms_count = o->except_count;
    o->packet.event = wshub_str_z(o->words[0]);
    o->packet.args = o->args;
    o->packet.args_count = o->words_count - 1;
    for (i = 1; i < o->words_count; i++) {
        wshub_str *arg = &o->args[i - 1];
        if (o->words[i][0] == '@')
            *out_unread |= !read_file(o, o->words[i] + 1, arg);
        else if (strcmp(o->words[i], "-") == 0)
            *arg = read_input(o), *out_unread |= !arg->ptr;
        else
            *arg = wshub_str_z(o->words[i]);
    }
    return NULL;
}

int main(int argc, char **argv) {
    static order o; /* it is large */
    const char *wrong;
    bool unread = false;
    int status;
    size_t i;
    tool_streams_open();
    o.timeout_ms = 5000;
    wrong = parse(&o, argc, argv);
    if (!wrong) wrong = o.socketio ? socketio(&o, &unread) : plain(&o, &unread);
    if (wrong)
        status = usage(wrong);
    else if (unread)
        status = fail(3, "standard input or a file cannot be read", "");
    else
        status = emit(&o);
    for (i = 0; i < o.packet.attachments_count; i++) free((void *)(uintptr_t)o.files[i].ptr);
    free(o.input);
    return status;
}
