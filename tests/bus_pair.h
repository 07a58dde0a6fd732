/* Two hubs on one local bus. With ENVELOPES defined it cannot hand over what is encoded, so that
 * they write and read envelopes, as over any other bus. */
#ifndef BUS_PAIR_H
#define BUS_PAIR_H
#include "hubtest.h"

typedef struct pair {
    wshub_bus_local *local;
    world a, b;
} pair;

UNUSED static void pair_bus(wshub *hub, wshub_bus_state s, uint64_t ms, void *user) {
    (void)hub;
    (void)ms;
    world_note((world *)user, s == WSHUB_BUS_UP ? "up " : "down ");
}

#ifdef ENVELOPES
#define HIDE(bus) ((bus).hand_over = NULL)
#else
#define HIDE(bus) ((void)(bus))
#endif

UNUSED static void pair_start(pair *p, bool exact) {
    wshub_bus bus;
    world *w;
    EXPECT_INT(wshub_bus_local_create(NULL, &p->local), WSHUB_OK);
    for (w = &p->a; w; w = w == &p->a ? &p->b : NULL) {
        EXPECT_INT(wshub_bus_local_seat(p->local, &bus), WSHUB_OK);
        HIDE(bus);
        world_start(w,
                    DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = exact,
                         .on_bus = pair_bus, .bus_queue_bytes_max = 1000,
                         .bus_linger_ms = WSHUB_OFF, .server_id = w == &p->a ? "A" : "B"),
                    FAKE(.seed = w == &p->a ? 1 : 2));
    }
}

UNUSED static void pair_run(pair *p) {
    int i;
    for (i = 0; i < 3; i++) {
        wshub_io_fake_run(p->a.net);
        wshub_io_fake_run(p->b.net);
    }
}

UNUSED static void pair_stop(pair *p) {
    world_stop(&p->a);
    world_stop(&p->b);
    wshub_bus_local_destroy(p->local);
}

UNUSED static wshub_err send_to(wshub *hub, wshub_dest_kind kind, const char *name,
                                const char *data) {
    wshub_dest d = {0};
    wshub_msg m = msg("m", data);
    memset(&d, 0, sizeof d);
    d.kind = kind;
    d.name = wshub_str_z(name);
    return wshub_send(hub, &d, &m);
}

#endif
