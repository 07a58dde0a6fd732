/* A bus that notes what it is told. */
#ifndef TOLD_BUS_H
#define TOLD_BUS_H
#include "bus_pair.h"

/* A bus that writes down what it is told, takes when it may, and is up or down as the test says. */
typedef struct told {
    wshub_bus_owner owner;
    char log[8192];
    size_t len;
    int calls;
    bool full;
} told;

UNUSED static wshub_err told_attach(void *ctx, const wshub_bus_owner *owner) {
    told *t = (told *)ctx;
    if (owner) t->owner = *owner;
    return WSHUB_OK;
}

UNUSED static void told_write(told *t, char sign, wshub_str s) {
    t->len += (size_t)snprintf(t->log + t->len, sizeof t->log - t->len, "%c%.*s ", sign, (int)s.len,
                               s.ptr);
}

UNUSED static size_t told_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    size_t i;
    for (i = 0; i < count; i++)
        told_write((told *)ctx, '!', wshub_json_get(msgs[i].payload, "data"));
    return count;
}

UNUSED static bool told_change(told *t, char sign, const wshub_bus_channel *channels,
                               size_t count) {
    size_t i;
    EXPECT(count > 0 && count <= WSHUB_BUS_BATCH);
    if (t->full) return false;
    t->calls++;
    for (i = 0; i < count; i++) told_write(t, sign, channels[i].name);
    return true;
}

UNUSED static bool told_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    return told_change((told *)ctx, '+', channels, count);
}

UNUSED static bool told_unsubscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    return told_change((told *)ctx, '-', channels, count);
}

UNUSED static void told_start(world *w, told *t, bool exact) {
    wshub_bus bus;
    memset(t, 0, sizeof *t);
    memset(&bus, 0, sizeof bus);
    bus.ctx = t;
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = told_attach;
    bus.publish = told_publish;
    bus.subscribe = told_subscribe;
    bus.unsubscribe = told_unsubscribe;
    world_start(w,
                DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = exact,
                     .on_bus = pair_bus, .no_default_rooms = true),
                FAKE(.seed = 5));
}

UNUSED static void told_state(world *w, told *t, wshub_bus_state state) {
    t->owner.state(t->owner.ctx, state);
    wshub_io_fake_run(w->net);
}

#define EXPECT_TOLD(t, want)                                                                       \
    do {                                                                                           \
        if (strcmp((t)->log, want) != 0) {                                                         \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: told %s\n    expected %s\n", __FILE__, __LINE__, (t)->log,      \
                         want);                                                                    \
        }                                                                                          \
        (t)->len = 0;                                                                              \
        (t)->log[0] = 0;                                                                           \
    } while (0)

#endif
