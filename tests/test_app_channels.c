/* The application's own channels between instances (APP-1): who hears what, on every bus and without
 * one, what is refused, and what may happen inside a callback. */
#include "hubtest.h"
#include "told_bus.h"

typedef struct listener { /* it writes down what it hears */
    char heard[512];
    size_t len, bytes; /* bytes: of the last message */
    const char *then;  /* what it does inside the callback */
    struct listener *other;
    told *bus; /* it connects anew inside the callback */
} listener;

static void listener_fn(wshub *hub, const wshub_app_message *m, void *user) {
    listener *l = (listener *)user;
    const char *then = l->then ? l->then : "";
    l->bytes = m->bytes.len;
    l->len +=
        (size_t)snprintf(l->heard + l->len, sizeof l->heard - l->len, "%.*s=%.*s ",
                         (int)m->channel.len, m->channel.ptr, (int)m->bytes.len, m->bytes.ptr);
    if (!strcmp(then, "leave"))
        EXPECT_INT(wshub_app_unsubscribe(hub, m->channel, listener_fn, l), WSHUB_OK);
    if (!strcmp(then, "remove"))
        EXPECT_INT(wshub_app_unsubscribe(hub, m->channel, listener_fn, l->other), WSHUB_OK);
    if (!strcmp(then, "add"))
        EXPECT_INT(wshub_app_subscribe(hub, m->channel, listener_fn, l->other), WSHUB_OK);
    if (l->bus) l->bus->owner.state(l->bus->owner.ctx, WSHUB_BUS_CONNECTED);
    if (!strcmp(then, "say")) {
        l->then = NULL;
        EXPECT_INT(wshub_app_publish(hub, m->channel, S("more")), WSHUB_OK);
    }
    if (!strcmp(then, "destroy")) {
        wshub_destroy(hub);
        EXPECT_INT(wshub_app_publish(hub, m->channel, S("late")), WSHUB_ERR_STATE);
        EXPECT_INT(wshub_app_subscribe(hub, m->channel, listener_fn, l->other), WSHUB_ERR_STATE);
    }
}

#define EXPECT_HEARD(l, want)                                                                      \
    do {                                                                                           \
        EXPECT_STR((l)->heard, want);                                                              \
        (l)->len = 0;                                                                              \
        (l)->heard[0] = 0;                                                                         \
    } while (0)

static void hear(world *w, const char *channel, listener *l) {
    EXPECT_INT(wshub_app_subscribe(w->hub, S(channel), listener_fn, l), WSHUB_OK);
}

static void unhear(world *w, const char *channel, listener *l) {
    EXPECT_INT(wshub_app_unsubscribe(w->hub, S(channel), listener_fn, l), WSHUB_OK);
}

static void say(world *w, const char *channel, const char *bytes) {
    EXPECT_INT(wshub_app_publish(w->hub, S(channel), S(bytes)), WSHUB_OK);
}

TEST(without_a_bus_the_publisher_hears_itself_and_in_settle) { /* APP-1 */
    world w;
    listener a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    say(&w, "c", "nobody hears");
    hear(&w, "c", &a);
    hear(&w, "c", &a); /* once is enough */
    hear(&w, "c", &b);
    hear(&w, "d", &b);
    say(&w, "c", "1");
    say(&w, "d", "2");
    say(&w, "C", "3");
    EXPECT_HEARD(&a, "");
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&a, "c=1 ");
    EXPECT_HEARD(&b, "c=1 d=2 ");
    EXPECT_INT(wshub_post_app_publish(w.hub, S("c"), S("posted")), WSHUB_OK);
    EXPECT_INT(wshub_post_app_publish(w.hub, S("d"), nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&a, "c=posted ");
    EXPECT_HEARD(&b, "c=posted d= ");
    unhear(&w, "c", &b);
    unhear(&w, "c", &b);
    say(&w, "c", "4");
    say(&w, "c", "5");
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&a, "c=4 c=5 ");
    EXPECT_HEARD(&b, "");
    say(&w, "c", "not handed out any more");
    world_stop(&w);
}

static void nobody_listens(wshub *hub, const wshub_app_message *m, void *user) {
    (void)hub;
    (void)m;
    (void)user;
}

TEST(what_is_no_channel_or_too_long_is_refused) { /* APP-1 */
    static const char zeros[WSHUB_APP_CHANNEL_BYTES_MAX + 2] = {0};
    char name[WSHUB_APP_CHANNEL_BYTES_MAX + 2];
    wshub_str bad[4], huge = wshub__str(zeros, (size_t)WSHUB_APP_BYTES_MAX + 1);
    world w;
    listener a;
    char users[WSHUB_APP_SUBSCRIPTIONS_MAX];
    size_t i;
    memset(&a, 0, sizeof a);
    memset(name, 'n', sizeof name);
    bad[0] = nul();
    bad[1] = S("");
    bad[2] = S("\xFF");
    bad[3] = wshub__str(name, WSHUB_APP_CHANNEL_BYTES_MAX + 1);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 4; i++) {
        EXPECT_INT(wshub_app_subscribe(w.hub, bad[i], listener_fn, &a), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_app_unsubscribe(w.hub, bad[i], listener_fn, &a), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_app_publish(w.hub, bad[i], S("b")), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_post_app_publish(w.hub, bad[i], S("b")), WSHUB_ERR_PARAM);
    }
    EXPECT_INT(wshub_app_subscribe(w.hub, S("c"), NULL, &a), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_app_unsubscribe(w.hub, S("c"), NULL, &a), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_app_subscribe(w.hub, S("d"), listener_fn, &a), WSHUB_OK);
    EXPECT_INT(wshub_app_unsubscribe(w.hub, S("d"), nobody_listens, &a), WSHUB_OK); /* none */
    EXPECT_INT(wshub_app_unsubscribe(w.hub, S("d"), listener_fn, &a), WSHUB_OK);
    EXPECT_INT(wshub_app_publish(w.hub, S("c"), wshub__str(NULL, 1)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_app_publish(w.hub, S("c"), wshub__str(NULL, 1)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_app_publish(w.hub, S("c"), huge), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_post_app_publish(w.hub, S("c"), huge), WSHUB_ERR_LIMIT);
    bad[3].len--;
    EXPECT_INT(wshub_app_subscribe(w.hub, bad[3], listener_fn, &a), WSHUB_OK);
    EXPECT_INT(wshub_app_publish(w.hub, bad[3], nul()), WSHUB_OK);
    for (i = 1; i < sizeof users; i++)
        EXPECT_INT(wshub_app_subscribe(w.hub, S("c"), listener_fn, &users[i]), WSHUB_OK);
    EXPECT_INT(wshub_app_subscribe(w.hub, S("c"), listener_fn, &a), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_app_unsubscribe(w.hub, S("c"), listener_fn, &users[1]), WSHUB_OK);
    EXPECT_INT(wshub_app_subscribe(w.hub, S("d"), listener_fn, &a), WSHUB_OK);
    for (i = 2; i < sizeof users; i++)
        EXPECT_INT(wshub_app_unsubscribe(w.hub, S("c"), listener_fn, &users[i]), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(a.bytes, 0);
    EXPECT_OP(a.len, >, WSHUB_APP_CHANNEL_BYTES_MAX);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_INT(wshub_app_publish(w.hub, S("c"), S("b")), WSHUB_ERR_STATE);
    world_stop(&w);
}

TEST(inside_a_callback_anything_may_be_called) { /* APP-1 */
    world w;
    listener a, b, c;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    memset(&c, 0, sizeof c);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    hear(&w, "c", &a);
    hear(&w, "c", &b);
    a.then = "remove";
    a.other = &b;
    say(&w, "c", "1");
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&a, "c=1 ");
    EXPECT_HEARD(&b, ""); /* it was gone before its turn */
    a.then = "add";
    say(&w, "c", "2");
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&a, "c=2 ");
    EXPECT_HEARD(&b, ""); /* it came too late for this one */
    a.then = "leave";
    say(&w, "c", "3");
    say(&w, "c", "4");
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&a, "c=3 ");
    EXPECT_HEARD(&b, "c=3 c=4 ");
    b.then = "say";
    say(&w, "c", "5");
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&b, "c=5 c=more ");

    hear(&w, "c", &c);
    b.then = "destroy";
    b.other = &a;
    say(&w, "c", "6");
    say(&w, "c", "7");
    w.unchecked = true;
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&b, "c=6 ");
    EXPECT_HEARD(&c, "");
    w.hub = NULL;
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
}

TEST(over_the_local_bus_each_hub_hears_once) { /* APP-1 */
    pair p;
    listener a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    pair_start(&p, false);
    pair_run(&p);
    hear(&p.a, "c", &a);
    hear(&p.b, "c", &b);
    pair_run(&p);
    say(&p.a, "c", "1");
    pair_run(&p);
    EXPECT_HEARD(&a, "c=1 ");
    EXPECT_HEARD(&b, "c=1 ");
    EXPECT_INT(wshub_app_publish(p.b.hub, S("c"), wshub__str("\0z", 2)), WSHUB_OK);
    pair_run(&p);
    EXPECT(a.bytes == 2 && b.bytes == 2);
    a.len = b.len = 0;

    /* cut: here it is heard at once, there when the bus is mended (BUS-5) */
    wshub_bus_local_set_down(p.local, true);
    pair_run(&p);
    say(&p.a, "c", "2");
    pair_run(&p);
    EXPECT_HEARD(&a, "c=2 ");
    EXPECT_INT(b.len, 0);
    wshub_bus_local_set_down(p.local, false);
    pair_run(&p);
    EXPECT_HEARD(&a, "");
    EXPECT_HEARD(&b, "c=2 ");
    unhear(&p.b, "c", &b);
    pair_run(&p);
    say(&p.a, "c", "3");
    pair_run(&p);
    EXPECT_HEARD(&a, "c=3 ");
    EXPECT_HEARD(&b, "");
    pair_stop(&p);
}

TEST(a_bus_is_told_of_each_name_once_and_brings_back_what_is_ours) { /* APP-1, BUS-3, BUS-5 */
    char own[64];
    world w;
    told t;
    listener a, b;
    wshub_dialect table = DIALECT(.name = "d");
    uint32_t id;
    int i;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    told_start(&w, &t, true);
    hear(&w, "c", &a);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_HAS(t.log, "+wshub:app:c ");
    t.len = 0;
    t.log[0] = 0;
    hear(&w, "c", &b);
    hear(&w, "d?*", &b);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "+wshub:app:d?* ");
    unhear(&w, "c", &b);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_TOLD(&t, "");

    /* what comes: another's, our own, nobody's, and what is none */
    t.owner.received(t.owner.ctx, S("wshub:app:c"), wshub__str("x\0y", 3));
    EXPECT_HEARD(&a, "c=y ");
    i = snprintf(own, sizeof own, "%.*s", (int)wshub_server_id(w.hub).len,
                 wshub_server_id(w.hub).ptr);
    t.owner.received(t.owner.ctx, S("wshub:app:c"), wshub__str(own, (size_t)i + 1));
    EXPECT_INT(stats(&w).bus_self_echo, 1);
    own[i] = 'x';
    t.owner.received(t.owner.ctx, S("wshub:app:c"), wshub__str(own, (size_t)i + 1));
    t.owner.received(t.owner.ctx, S("wshub:app:c"), S(""));
    EXPECT_INT(stats(&w).bus_bad, 2);
    t.owner.received(t.owner.ctx, S("wshub:app:e"), wshub__str("x\0y", 3));
    EXPECT_INT(stats(&w).bus_discarded, 1);
    EXPECT_HEARD(&a, "");

    /* the last goes: given up; down, and connected anew: what is left */
    unhear(&w, "c", &a);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_TOLD(&t, "-wshub:app:c ");
    told_state(&w, &t, WSHUB_BUS_DOWN);
    hear(&w, "c", &a);
    unhear(&w, "d?*", &b);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_HAS(t.log, "+wshub:app:c ");
    EXPECT(!strstr(t.log, "d?*"));

    /* they are nobody else's, and take no dialect's place */
    table.bus_prefix = "wshub:";
    EXPECT_INT(wshub_dialect_add(w.hub, &table, NULL, &id), WSHUB_ERR_PARAM);
    table.bus_prefix = NULL;
    for (i = 1; i < WSHUB_DIALECTS_MAX; i++)
        EXPECT_INT(wshub_dialect_add(w.hub, &table, NULL, &id), WSHUB_OK);
    EXPECT_INT(wshub_dialect_add(w.hub, &table, NULL, &id), WSHUB_ERR_LIMIT);
    world_stop(&w);
}

TEST(what_is_given_up_and_wanted_again_at_once_is_subscribed_to) { /* APP-1, BUS-1; by the sim */
    world w;
    told t;
    listener a;
    int turns;
    for (turns = 0; turns < 3; turns++) { /* in one turn, and with a turn's end after the words */
        memset(&a, 0, sizeof a);
        told_start(&w, &t, true);
        told_state(&w, &t, WSHUB_BUS_CONNECTED);
        told_state(&w, &t, WSHUB_BUS_UP);
        t.len = 0;
        t.log[0] = 0;
        hear(&w, "c", &a);
        unhear(&w, "c", &a);
        if (turns == 1) wshub_io_fake_run(w.net);
        hear(&w, "c", &a);
        wshub_io_fake_run(w.net);
        EXPECT_TOLD(&t, "+wshub:app:c ");

        unhear(&w, "c", &a); /* which the bus has: it hears nothing of a short absence */
        if (turns == 2) wshub_io_fake_run(w.net);
        hear(&w, "c", &a);
        wshub_io_fake_run(w.net);
        EXPECT_TOLD(&t, "");
        world_stop(&w);
    }
}

TEST(a_bus_that_is_connected_anew_inside_a_callback_is_told_who_is_left) { /* APP-1, BUS-5 */
    world w;
    told t;
    listener a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    told_start(&w, &t, false);
    hear(&w, "c", &a);
    hear(&w, "d", &b);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    t.len = 0;
    t.log[0] = 0;
    a.bus = &t;
    a.then = "leave";
    w.hub->io.wake = NULL; /* an io that cannot be woken settles by itself */
    say(&w, "c", "1");
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&a, "c=1 ");
    EXPECT_HAS(t.log, "+wshub:app:d ");
    EXPECT(!strstr(t.log, "+wshub:app:c "));
    world_stop(&w);
}

TEST(every_allocation_of_an_application_message_may_fail) { /* APP-1 */
    long n;
    int failed = 0;
    for (n = 1; n < 12; n++) {
        world w;
        told t;
        listener a;
        wshub_err heard, said;
        memset(&a, 0, sizeof a);
        told_start(&w, &t, false);
        told_state(&w, &t, WSHUB_BUS_CONNECTED);
        told_state(&w, &t, WSHUB_BUS_UP);
        w.fail_at = n;
        heard = wshub_app_subscribe(w.hub, S("c"), listener_fn, &a);
        said = wshub_app_publish(w.hub, S("c"), S("1"));
        w.fail_at = 0;
        wshub_io_fake_advance(w.net, 100);
        EXPECT(heard == WSHUB_OK || heard == WSHUB_ERR_NOMEM);
        EXPECT(said == WSHUB_OK || said == WSHUB_ERR_NOMEM);
        EXPECT_STR(a.heard, !heard && !said ? "c=1 " : "");
        EXPECT_INT(strstr(t.log, "+wshub:app:c ") != NULL, !heard);
        failed += heard || said;
        world_stop(&w);
    }
    EXPECT_OP(failed, >, 2);
}
