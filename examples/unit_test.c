/* Testing real-time code without a socket and without a sleep: a waiting room that opens after ten
 * seconds, on the fake io with a clock turned by hand.
 *
 * Build: cc unit_test.c -I.. -I../backends -o unit_test (in examples/)
 * Run:   ./unit_test */
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_fake.h"
#include <stdio.h>

/* ---- what is to be tested ---- */
static void open_doors(wshub *hub, void *arg) {
    wshub_msg msg = {.event = wshub_str_z("open"), .data = wshub_str_z("true")};
    (void)arg;
    (void)wshub_room_send(hub, wshub_str_z("waiting"), &msg, NULL, 0);
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)user;
    if (wshub_auth_accept(hub, ask, NULL) == WSHUB_OK)
        (void)wshub_client_join(hub, auth->client, wshub_str_z("waiting"));
}

/* ---- the test, forty lines ---- */
static int failures;
#define EXPECT(what, cond)                                                                         \
    do {                                                                                           \
        if (!(cond)) printf("FAIL %s\n", what), failures++;                                        \
    } while (0)

static bool is_event(wshub_str message, const char *name) {
    return wshub_json_is(wshub_json_at(message, "/event"), name);
}
static wshub_conn enter(wshub_io_fake *net) {
    wshub_io_fake_frame f;
    wshub_conn c = wshub_io_fake_connect(net, "/ws");
    wshub_io_fake_text(net, c, "{\"event\":\"authenticate\"}");
    EXPECT("a client is told that it is connected",
           wshub_io_fake_next(net, c, &f) && is_event(f.payload, "connected"));
    return c;
}

int main(void) {
    wshub_io_fake *net;
    wshub_io_fake_frame f;
    wshub *hub;
    wshub_conn early, late, gone;
    if (wshub_io_fake_create(NULL, &net)) return 1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net), .on_authenticate = on_authenticate},
                     &hub))
        return 1;
    (void)wshub_timer_start(hub, 10000, open_doors, NULL, NULL);
    early = enter(net);
    gone = enter(net);
    wshub_io_fake_advance(net, 9000);
    late = enter(net);
    wshub_io_fake_end(net, gone); /* its tab was closed */
    wshub_io_fake_advance(net, 999);
    EXPECT("nobody is let in too early", !wshub_io_fake_next(net, early, &f));
    EXPECT("who left has left the room", wshub_room_count(hub, wshub_str_z("waiting")) == 2);
    wshub_io_fake_advance(net, 1); /* no sleep: the clock is ours */
    EXPECT("who waited is let in",
           wshub_io_fake_next(net, early, &f) && is_event(f.payload, "open"));
    EXPECT("who came late is let in", wshub_io_fake_next(net, late, &f));
    wshub_io_fake_window(net, early, 0); /* stops reading */
    wshub_io_fake_advance(net, 150000);
    EXPECT("who is silent is closed", !wshub_io_fake_is_open(net, late));
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    printf("unit_test: %s\n", failures ? "failed" : "passed");
    return failures != 0;
}
