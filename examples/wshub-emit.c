/* Publishes one event to every instance from the command line, without holding a client: EMIT-1 as
 * a tool, and how any other process does it as a library (three objects: an io, the Redis bus, an
 * emitter).
 *
 * Build:  cc -I. -Ibackends -o wshub-emit examples/wshub-emit.c
 * Try:    ./wshub-emit --redis redis://127.0.0.1:6379 room ws-default news '{"n":1}'
 *
 * Exit status: 0 the broker has it; 2 the command line is wrong; 3 the data is no JSON; 4 the
 * broker was not reached; 5 the broker refused it; 6 the connection broke before the broker
 * confirmed it. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"

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
        "JSON: the event's data; `-`: from standard input; left out: the event has none\n",
        why);
    return 2;
}

/* All of standard input; NULL: it cannot be read, or memory is out. */
static char *read_all(void) {
    size_t len = 0, cap = 4096;
    char *text = (char *)malloc(cap);
    while (text) {
        size_t n = fread(text + len, 1, cap - len - 1, stdin);
        len += n;
        if (n == 0) break;
        if (cap - len < 2) {
            char *more = (char *)realloc(text, cap *= 2);
            if (!more) free(text);
            text = more;
        }
    }
    if (text && ferror(stdin)) {
        free(text);
        return NULL;
    }
    if (text) text[len] = 0;
    return text;
}

/* Serves the connection until the broker has answered for everything, or time is up. */
static int deliver(wshub_io_sock *net, wshub_bus_redis *redis, const wshub_emitter *em,
                   long timeout_ms) {
    wshub_bus_redis_stats st;
    const wshub_io *io = wshub_io_sock_io(net);
    uint64_t end = io->now_ms(io->ctx) + (uint64_t)timeout_ms;
    for (;;) {
        if (wshub_io_sock_run_once(net, 20))
            return fail(4, "waiting failed", wshub_io_sock_error(net));
        wshub_bus_redis_stats_get(redis, &st);
        if (st.refused) return fail(5, "refused", wshub_bus_redis_error(redis));
        if (st.unconfirmed) return fail(6, "not confirmed", wshub_bus_redis_error(redis));
        if (st.published && !st.pending && !wshub_emitter_queued_bytes(em)) return 0;
        if (io->now_ms(io->ctx) >= end) return fail(4, "no broker", wshub_bus_redis_error(redis));
    }
}

static int emit(const char *url, long timeout_ms, const wshub_dest *dest, const wshub_msg *msg) {
    wshub_bus_redis_desc rd;
    wshub_emitter_desc ed;
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub_emitter *em;
    wshub_err err;
    int status;
    memset(&rd, 0, sizeof rd);
    memset(&ed, 0, sizeof ed);
    if (wshub_io_auto_create(NULL, &net)) return fail(4, "cannot start", strerror(errno));
    rd.io = wshub_io_sock_io(net);
    rd.url = url;
    rd.client_name = "wshub-emit";
    rd.publish_only = true;
    if (wshub_bus_redis_create(&rd, &redis)) {
        wshub_io_sock_destroy(net);
        return usage(wshub_bus_redis_desc_problem(&rd));
    }
    ed.bus = wshub_bus_redis_bus(redis);
    ed.bus_queue_bytes_max = 1u << 30; /* one message, of whatever size */
    err = wshub_emitter_create(&ed, &em);
    if (!err) err = wshub_emitter_send(em, dest, msg);
    status = err == WSHUB_ERR_JSON ? fail(3, "the data is not JSON", "")
             : err == WSHUB_ERR_PARAM
                 ? usage("names and events are UTF-8, of at most 4096 bytes, and not empty")
             : err ? fail(4, wshub_strerror(err), "")
                   : deliver(net, redis, em, timeout_ms);
    wshub_emitter_destroy(em);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    return status;
}

int main(int argc, char **argv) {
    static const struct {
        const char *word;
        wshub_dest_kind kind;
    } kinds[] = {{"client", WSHUB_DEST_CLIENT},
                 {"user", WSHUB_DEST_USER},
                 {"room", WSHUB_DEST_ROOM},
                 {"all", WSHUB_DEST_ALL}};
    const char *url = NULL, *words[4];
    char *input = NULL;
    wshub_str exclude[256];
    wshub_dest dest = {0};
    wshub_msg msg;
    long timeout_ms = 5000;
    size_t count = 0, excluded = 0, at = 0, i;
    int k, status;
    memset(&dest, 0, sizeof dest);
    memset(&msg, 0, sizeof msg);
    for (k = 1; k < argc; k++) {
        bool option = strncmp(argv[k], "--", 2) == 0, has_value = k + 1 < argc;
        if (option && !has_value) return usage("an option lacks its value");
        if (strcmp(argv[k], "--redis") == 0)
            url = argv[++k];
        else if (strcmp(argv[k], "--timeout") == 0)
            timeout_ms = atol(argv[++k]);
        else if (strcmp(argv[k], "--exclude") == 0 && excluded < 256)
            exclude[excluded++] = wshub_str_z(argv[++k]);
        else if (option)
            return usage("an unknown option, or too many to exclude");
        else if (count == 4)
            return usage("too many words");
        else
            words[count++] = argv[k];
    }
    if (!url) return usage("--redis URL is needed");
    if (timeout_ms < 1) return usage("--timeout: milliseconds, at least 1");
    for (i = 0; count && i < 4; i++) {
        if (strcmp(words[0], kinds[i].word) == 0) dest.kind = kinds[i].kind;
    }
    if (dest.kind == WSHUB_DEST_RESOLVE) return usage("to whom: room, user, client or all");
    at = dest.kind == WSHUB_DEST_ALL ? 1 : 2;
    if (count <= at || count > at + 2) return usage("a name, an event, and the event's data");
    if (at == 2) dest.name = wshub_str_z(words[1]);
    if (excluded && dest.kind != WSHUB_DEST_ROOM && dest.kind != WSHUB_DEST_ALL)
        return usage("--exclude is for room and all");
    dest.exclude = excluded ? exclude : NULL;
    dest.exclude_count = excluded;
    msg.event = wshub_str_z(words[at]);
    if (count == at + 2) {
        if (strcmp(words[at + 1], "-") == 0 && (input = read_all()) == NULL)
            return fail(3, "standard input cannot be read", "");
        msg.data = wshub_str_z(input ? input : words[at + 1]);
        while (input && msg.data.len && strchr(" \t\r\n", *msg.data.ptr))
            msg.data.ptr++, msg.data.len--;
        while (input && msg.data.len && strchr(" \t\r\n", msg.data.ptr[msg.data.len - 1]))
            msg.data.len--;
    }
    status = emit(url, timeout_ms, &dest, &msg);
    free(input);
    return status;
}
