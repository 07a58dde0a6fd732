/* For the tests of rates: a hub at a clock turned by hand, all of whose peers have one address; what
 * it heard, and what it was told of who is over. */
#ifndef RATES_SITE_H
#define RATES_SITE_H

#include "hubtest.h"

static world w;

static int heard, limited;
static wshub_rate_of limited_of;
static wshub_over limited_over;
static bool limited_ends;
UNUSED static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e,
                                   void *user) {
    (void)hub, (void)client, (void)e, (void)user;
    heard++;
    return WSHUB_OK;
}
UNUSED static void on_limited(wshub *hub, wshub_client client, wshub_rate_of whose, wshub_over over,
                              void *user) {
    (void)user;
    EXPECT(wshub_client_id(hub, client).len > 0);
    limited++;
    limited_of = whose;
    limited_over = over;
    if (limited_ends) EXPECT_INT(wshub_client_close(hub, client, 4000, S("")), WSHUB_OK);
}

UNUSED static void start(wshub_desc d, const char *peer) {
    wshub_about about;
    memset(&about, 0, sizeof about);
    heard = limited = 0;
    limited_ends = false;
    d.on_message = on_message;
    d.on_limited = on_limited;
    if (!d.on_authenticate) d.on_authenticate = accept_all;
    world_start(&w, d, FAKE(0));
    about.peer = S(peer);
    wshub_io_fake_set_about(w.net, &about);
}

UNUSED static void says(wshub_conn c, int times) {
    while (times--) wshub_io_fake_text(w.net, c, "{\"event\":\"m\",\"data\":1}");
}
#endif /* RATES_SITE_H */
