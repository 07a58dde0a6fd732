/* The simulation's channels of the application (APP-1): hubs that subscribe to some and publish on
 * all. The model: who publishes hears itself once, however the bus stands; others hear it at most
 * once, in the order in which it was said, and once while all is well. Included by tests/sim.c. */
#ifndef SIM_APPS_H
#define SIM_APPS_H

enum { APPS = 1024 };

/* One publication, and which hubs had to hear it and have. */
typedef struct app_said {
    uint32_t number, origin, step, turn, channel;
    uint32_t life[HUBS]; /* of each hub when it was said; another one has come since, or not */
    uint8_t must, heard; /* a bit a hub */
    bool well, posted;   /* well: others must hear it, too */
    uint8_t from;
} app_said;

static struct apps {
    app_said all[APPS];
    uint32_t number, checked, turns; /* of the last one, and up to which it was looked at */
    uint64_t heard, checks;
} apps;

static const char *const app_channels[APP_CHANNELS] = {"prices", "*", "ws:room:a"};

static bool calm(void);

static void on_app(wshub *hub, const wshub_app_message *what, void *user) {
    hub_site *s = (hub_site *)user;
    uint32_t n = (uint32_t)strtoul(what->bytes.ptr, NULL, 10), channel = 0, *last;
    app_said *said = &apps.all[n % APPS];
    while (channel < APP_CHANNELS && !wshub_str_eq_z(what->channel, app_channels[channel]))
        channel++;
    EXPECT(channel < APP_CHANNELS && s->app_on[channel] && what->bytes.len >= 1);
    trace(what->bytes.ptr, what->bytes.len);
    apps.heard++;
    if (said->number != n || failures) return; /* too long ago to be known */
    EXPECT(said->channel == channel);
    EXPECT(wshub_str_eq(what->from, wshub_server_id(hub)) ==
           (said->from == s->index && said->life[s->index] == s->life));
    last = &s->app_last[said->posted][said->origin % 1024];
    if (*last >= n || (said->heard >> s->index & 1 && said->life[s->index] == s->life))
        (void)printf("  step %u: hub %u heard %u of hub %u behind %u of the same origin\n",
                     sim.step, s->index, n, said->from, *last);
    EXPECT(*last < n); /* in order, none twice */
    *last = n;
    said->heard |= (uint8_t)(1u << s->index);
    maybe_meddle(s);
}

/* Comes to a channel, or goes. */
static void app_turn(hub_site *s, uint32_t channel) {
    wshub_str name = wshub_str_z(app_channels[channel]);
    wshub_err err;
    if (s->app_on[channel]) {
        EXPECT(wshub_app_unsubscribe(s->hub, name, on_app, s) == WSHUB_OK);
        s->app_on[channel] = false;
        return;
    }
    err = wshub_app_subscribe(s->hub, name, on_app, s);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
    s->app_on[channel] = err == WSHUB_OK;
    s->app_step[channel] = sim.step;
    s->app_turn[channel] = ++apps.turns;
}

static void app_say(hub_site *s) {
    uint32_t channel = rnd(APP_CHANNELS), i;
    app_said *said = &apps.all[++apps.number % APPS];
    char bytes[24];
    wshub_str name = wshub_str_z(app_channels[channel]), text;
    wshub_err err;
    bool posted;
    memset(said, 0, sizeof *said);
    said->posted = posted = rnd(3) == 0;
    said->number = apps.number;
    said->origin = s->origin;
    said->step = sim.step;
    said->turn = apps.turns;
    said->channel = channel;
    said->from = (uint8_t)s->index;
    said->well = calm() && !s->leaving;
    for (i = 0; i < sim.hubs_count; i++) {
        const hub_site *to = &sim.hubs[i];
        said->life[i] = to->life;
        /* a subscription counts from the step behind its own, the publisher's at once */
        if (to->app_on[channel] && (to == s || to->app_step[channel] < sim.step))
            said->must |= (uint8_t)(1u << i);
    }
    text.ptr = bytes;
    text.len = (size_t)snprintf(bytes, sizeof bytes, "%u.", apps.number);
    if (posted && s->fail_at) said->must = 0; /* nobody learns that it wanted memory */
    err =
        posted ? wshub_post_app_publish(s->hub, name, text) : wshub_app_publish(s->hub, name, text);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM || (s->leaving && err == WSHUB_ERR_STATE));
    if (err) said->must = 0; /* and nobody hears it */
}

/* When the network is quiet: who had to hear what was said since the last time has. */
static void apps_check(void) {
    uint32_t i;
    bool well = calm();
    for (; apps.checked < apps.number; apps.checked++) {
        const app_said *said = &apps.all[(apps.checked + 1) % APPS];
        /* what was posted at the end of a turn is said in the next one */
        if (said->posted && said->step == sim.step && said->number == apps.checked + 1) break;
        if (said->number != apps.checked + 1) continue;
        for (i = 0; i < sim.hubs_count; i++) {
            const hub_site *to = &sim.hubs[i];
            bool own = i == said->from;
            if (!(said->must >> i & 1) || to->life != said->life[i] || to->leaving || to->asleep ||
                to->dying || !to->app_on[said->channel] ||
                to->app_turn[said->channel] > said->turn || (!own && (!said->well || !well)))
                continue;
            apps.checks++;
            if (said->heard >> i & 1) continue;
            (void)printf("  step %u: hub %u has not heard %u of hub %u, on `%s`\n", sim.step, i,
                         said->number, said->from, app_channels[said->channel]);
            EXPECT(!"a publication that must be heard");
        }
    }
}

#endif
