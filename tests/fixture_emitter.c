/* The fixture emitter: the standalone publisher as a program. Prints `ready` once it is
 * connected, reads one JSON object a line, publishes it, prints `ok` once the broker has it. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "fixture_emit.h"
#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv) {
    wshub_bus_redis_desc d;
    wshub_emitter_desc ed;
    wshub_emitter *em;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int status = 0;
    if (argc != 3 || strcmp(argv[1], "--redis") != 0) {
        (void)fprintf(stderr, "fixture-emitter: usage: fixture-emitter --redis URL\n");
        return 2;
    }
    if (wshub_io_auto_create(NULL, &net)) return 1;
    memset(&d, 0, sizeof d);
    d.io = wshub_io_sock_io(net);
    d.url = argv[2];
    d.publish_only = true;
    if (wshub_bus_redis_desc_problem(&d)) {
        (void)fprintf(stderr, "fixture-emitter: bad value for --redis: %s\n",
                      wshub_bus_redis_desc_problem(&d));
        return 2;
    }
    if (wshub_bus_redis_create(&d, &redis)) return 1;
    memset(&ed, 0, sizeof ed);
    ed.bus = wshub_bus_redis_bus(redis);
    if (wshub_emitter_create(&ed, &em)) return 1;
    if (!settled(em)) {
        (void)fprintf(stderr, "fixture-emitter: no Redis: %s\n", wshub_bus_redis_error(redis));
        return 1;
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    while ((n = getline(&line, &cap, stdin)) > 0) {
        wshub_str text = {line, (size_t)n};
        const char *why = fixture_emit(em, text);
        if (!why && !settled(em)) why = "Redis does not confirm";
        if (why) {
            (void)fprintf(stderr, "fixture-emitter: %s\n", why);
            status = 1;
            break;
        }
        (void)printf("ok\n");
        (void)fflush(stdout);
    }
    free(line);
    wshub_emitter_destroy(em);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    return status;
}
