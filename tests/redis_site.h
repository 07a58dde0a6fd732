/* A hub with a Redis bus on a fake io, and a broker in memory on the other side of it. */
#ifndef REDIS_SITE_H
#define REDIS_SITE_H
#include "hubtest.h"
#include "wshub_bus_redis.h"
#include "broker.h"

typedef struct site {
    world w;
    wshub_bus_redis *redis;
    broker *b;
    char said[8192];
    size_t said_len;
} site;

UNUSED static void site_log(const char *line, void *user) {
    site *s = (site *)user;
    s->said_len +=
        (size_t)snprintf(s->said + s->said_len, sizeof s->said - s->said_len, "%s\n", line);
    if (s->said_len > sizeof s->said - 300) s->said_len = 0;
}

UNUSED static void site_bus(wshub *hub, wshub_bus_state st, uint64_t ms, void *user) {
    char text[40];
    (void)hub;
    (void)snprintf(text, sizeof text, st == WSHUB_BUS_UP ? "up(%llu) " : "down ",
                   (unsigned long long)ms);
    world_note((world *)user, text);
}

UNUSED static void site_run(site *s) {
    int i;
    for (i = 0; i < 100 && broker_step(s->b, s->w.net); i++) wshub_io_fake_run(s->w.net);
    EXPECT(i < 100);
}

/* Time passes in small steps, the broker awake beside it. */
UNUSED static void site_advance(site *s, uint64_t ms) {
    uint64_t step = ms > 5200 ? 4 : 1;
    for (; ms; ms -= ms < step ? ms : step) {
        wshub_io_fake_advance(s->w.net, ms < step ? ms : step);
        site_run(s);
    }
}

UNUSED static void site_start(site *s, broker *b, wshub_bus_redis_desc rd, wshub_desc d,
                              wshub_io_fake_desc fd) {
    world *w = &s->w;
    memset(s, 0, sizeof *s);
    s->b = b;
    fd.on_step = world_step;
    fd.user = w;
    if (!fd.seed) fd.seed = 77;
    EXPECT_INT(wshub_io_fake_create(&fd, &w->net), WSHUB_OK);
    rd.io = wshub_io_fake_io(w->net);
    if (!rd.url) rd.url = "redis://broker";
    rd.alloc = world_alloc;
    rd.alloc_user = w;
    rd.on_log = site_log;
    rd.user = s;
    EXPECT(!wshub_bus_redis_desc_problem(&rd));
    EXPECT_INT(wshub_bus_redis_create(&rd, &s->redis), WSHUB_OK);
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(s->redis);
    d.alloc = world_alloc;
    d.alloc_user = w;
    d.user = w;
    if (!d.on_bus) d.on_bus = site_bus;
    if (!d.on_authenticate) d.on_authenticate = accept_all;
    EXPECT_INT(wshub_create(&d, &w->hub), WSHUB_OK);
    wshub_io_fake_run(w->net);
    site_run(s);
}

UNUSED static void site_stop(site *s) {
    wshub *hub = s->w.hub;
    s->w.hub = NULL;
    wshub_destroy(hub);
    wshub_bus_redis_destroy(s->redis);
    broker_drop_all(s->b);
    wshub_io_fake_destroy(s->w.net);
    EXPECT_INT(s->w.bytes, 0);
}

UNUSED static void site_send(site *s, const char *room, const char *data) {
    wshub_msg m = msg("m", data);
    wshub_dest d = {0};
    memset(&d, 0, sizeof d);
    d.kind = *room ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    d.name = wshub_str_z(room);
    EXPECT_INT(wshub_send(s->w.hub, &d, &m), WSHUB_OK);
    wshub_io_fake_run(s->w.net);
}

UNUSED static wshub_bus_redis_stats rstats(const site *s) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(s->redis, &st);
    return st;
}

#define BUSDESC(...) ((wshub_bus_redis_desc){__VA_ARGS__})
UNUSED static broker the_broker;

UNUSED static broker *fresh(void) {
    memset(&the_broker, 0, sizeof the_broker);
    the_broker.role = "master";
    return &the_broker;
}

UNUSED static broker_link *sub_link(broker *b) {
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && b->links[i].subs_count) return &b->links[i];
    }
    return NULL;
}

UNUSED static broker_link *pub_link(broker *b) {
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && !b->links[i].subs_count) return &b->links[i];
    }
    return NULL;
}

#endif
