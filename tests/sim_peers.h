/* The simulation's hubs with their application, and the clients that speak to them. Included by
 * tests/sim.c. */
#ifndef SIM_PEERS_H
#define SIM_PEERS_H

/* ---- the application ---- */

static void doubt(client *c) { /* from here on a loss is excused */
    int r;
    c->certain = false;
    for (r = 0; r < ROOMS; r++) {
        if (c->in[r] == YES) c->in[r] = MAY;
    }
}
static void ours_doubt(const hub_site *s);
static void doubt_all(hub_site *s) {
    uint32_t i;
    ours_doubt(s);
    for (i = 0; i < sim.clients_max; i++) {
        if (sim.clients[i].at == s) doubt(&sim.clients[i]);
    }
}

static void meddle(hub_site *s);
static void maybe_meddle(hub_site *s) {
    /* on a hub that is down nothing is sent to anybody */
    if (sim.meddling || s->dying || s->down) return;
    sim.meddling = true;
    while (rnd(4) == 0 && !s->dying) meddle(s);
    sim.meddling = false;
}

/* an authentication: the user is in the client's own words */
static void answer(hub_site *s, wshub_ask ask) {
    switch (rnd(8)) {
    case 0: (void)wshub_ask_reject(s->hub, ask); break;
    case 1: (void)wshub_ask_fail(s->hub, ask); break;
    default: (void)wshub_auth_accept(s->hub, ask, NULL); break;
    }
}

/* The answer to a handshake, now or later (AUTH-8): who it is says its query. One that is granted
 * without an identity is told so by a header, since it has yet to authenticate. */
static void upgrade_answer(hub_site *s, wshub_exchange exchange, uint32_t chance) {
    static const wshub_header hello = {{"X-Hello", 7}, {"please", 6}};
    wshub_upgrade_answer answer;
    wshub_identity who;
    char user[16];
    size_t n = 0;
    const wshub_http *head = wshub_exchange_http(s->hub, exchange);
    if (!head) return; /* late, twice, or one's who is gone */
    memset(&answer, 0, sizeof answer);
    memset(&who, 0, sizeof who);
    if (wshub_query_copy(head->query, "user", user, sizeof user, &n) == WSHUB_OK) {
        who.user_id.ptr = user;
        who.user_id.len = n;
    }
    answer.identity = &who;
    if (chance == 1) {
        answer.identity = NULL;
        answer.headers = &hello;
        answer.headers_count = 1;
    }
    if (chance == 2)
        (void)wshub_http_refuse(s->hub, exchange, 403, "not you");
    else
        (void)wshub_http_upgrade(s->hub, exchange, &answer, NULL);
}
static void on_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    hub_site *s = (hub_site *)user;
    char how[8];
    (void)hub;
    if (wshub_query_copy(h->query, "how", how, sizeof how, NULL)) return;
    if (strcmp(how, "now") == 0) {
        upgrade_answer(s, up->exchange, 0);
    } else if (strcmp(how, "never") == 0) {
        if (rnd(2))
            up->refuse = 403;
        else
            upgrade_answer(s, up->exchange, 2);
    } else {
        up->later = true;
        s->upgrades[rnd(ASKS)] = up->exchange;
    }
    maybe_meddle(s);
}

static void app_turn(hub_site *s, uint32_t channel);
static void app_say(hub_site *s);
static void meddle(hub_site *s) {
    client *c = some_client();
    wshub_client h;
    int r = (int)rnd(ROOMS);
    uint32_t chance;
    switch (rnd(13)) {
    case 0:
    case 1:
    case 2: send_some(s, rnd(2)); break;
    case 3:
    case 4:
        if (!c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        if (wshub_client_join(s->hub, h, wshub_str_z(rooms[r])) == WSHUB_OK) {
            /* its own word may still lie unread */
            c->in[r] = c->certain && s->woke_at != sim.now ? YES : MAY;
            c->server_joined[r] = true;
        }
        break;
    case 5:
        if (!c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        if (wshub_client_leave(s->hub, h, wshub_str_z(rooms[r])) == WSHUB_OK && c->in[r] != NO) {
            c->in[r] = s->woke_at != sim.now ? NO : MAY;
            c->in_until[r] = sim.now;
        }
        break;
    case 6:
        if (rnd(6) || !c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        doubt(c);
        (void)wshub_client_close(s->hub, h, 1000, wshub_str_z("enough"));
        break;
    case 7: answer(s, s->asks[rnd(ASKS)]); break; /* late, twice, or one's who is gone */
    case 9: owing_early(s); break;
    case 10:
        chance = rnd(8); /* apart: compilers choose the order of arguments */
        upgrade_answer(s, s->upgrades[rnd(ASKS)], chance);
        break;
    case 11: app_say(s); break;
    case 12:
        if (rnd(4) == 0) app_turn(s, rnd(APP_CHANNELS));
        break;
    case 8:
        (void)wshub_client_set_metadata(
            s->hub,
            s->hub && c && !wshub_client_find(s->hub, wshub_str_z(c->id), &h) ? h
                                                                              : (wshub_client){0},
            wshub_str_z("[]"));
        break;
    default: break;
    }
}

static void on_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    hub_site *s = (hub_site *)user;
    wshub_str how = wshub_json_get(auth->data, "how"), who = wshub_json_get(auth->data, "user");
    wshub_identity id;
    char name[16];
    size_t n = wshub_json_text(who, name, sizeof name);
    memset(&id, 0, sizeof id);
    if (who.ptr && n <= sizeof name) {
        id.user_id.ptr = name;
        id.user_id.len = n;
    }
    if (wshub_str_eq_z(how, "\"now\"")) {
        if (wshub_auth_accept(hub, ask, &id) != WSHUB_OK) (void)wshub_ask_fail(hub, ask);
        if (rnd(9) == 0) (void)wshub_auth_accept(hub, ask, &id); /* twice */
    } else {
        s->asks[rnd(ASKS)] = ask;
    }
    maybe_meddle(s);
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    if (wshub_join_accept(hub, ask, join->rooms, join->rooms_count) != WSHUB_OK)
        (void)wshub_ask_fail(hub, ask);
    maybe_meddle((hub_site *)user);
}
static void ours_said(hub_site *s, wshub_client c, const wshub_event *event);
static wshub_err on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    ours_said((hub_site *)user, c, e);
    maybe_meddle((hub_site *)user);
    return rnd(9) ? WSHUB_OK : WSHUB_ERR_APP;
}
static wshub_err on_connected(wshub *hub, wshub_client c, void *user) {
    (void)hub;
    (void)c;
    maybe_meddle((hub_site *)user);
    return WSHUB_OK;
}
/* BYE-1: who is about to leave is in its rooms; its on_disconnected comes next */
static wshub_client leaving;
static void on_disconnecting(wshub *hub, const wshub_gone *g, void *user) {
    wshub_iter it = {0, 0};
    wshub_str room;
    (void)user;
    EXPECT(!leaving.id);
    leaving = g->client;
    while (wshub_client_each_room(hub, g->client, &it, &room)) {
        EXPECT(wshub_client_in_room(hub, g->client, room));
    }
}
static void on_disconnected(wshub *hub, const wshub_gone *g, void *user) {
    EXPECT(g->client.id == leaving.id && !wshub_client_id(hub, g->client).ptr);
    leaving.id = 0;
    EXPECT(g->id.len == 36);
    maybe_meddle((hub_site *)user);
}
static bool takes_little(const hub_site *s) { /* or did, until this moment */
    return s->cut || s->cut_at == sim.now;
}
static void ours_dropped(const hub_site *s, wshub_client c);
static void on_pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t queued,
                        void *user) {
    hub_site *s = (hub_site *)user;
    client *x = by_handle(s, c);
    (void)hub;
    if (what == WSHUB_PRESSURE_DROPPED) ours_dropped(s, c);
    /* SEND-6: a completion io owes what it has not reported as sent */
    if (x && what == WSHUB_PRESSURE_DROPPED) {
        if (!x->slow && !takes_little(s) && s->index != 2) {
            (void)printf("  step %u: hub %u dropped a message for client %d, which takes "
                         "everything; %u bytes queued\n",
                         sim.step, s->index, (int)(x - sim.clients), (unsigned)queued);
            EXPECT(!"who owes nothing is sent everything");
        }
        x->lossy = sim.number;
    }
    maybe_meddle(s);
}
static void on_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    hub_site *s = (hub_site *)user;
    (void)hub;
    (void)down_ms;
    EXPECT(s->up != (state == WSHUB_BUS_UP)); /* told of every change, once */
    s->up = state == WSHUB_BUS_UP;
    /* what was on its way may come behind what is said from here on */
    if (!s->up) s->origin = ++sim.origins;
    trace(s->up ? "U" : "D", 1);
    maybe_meddle(s);
}

/* ---- hubs ---- */

static void on_shutdown(wshub *hub, void *user) {
    hub_site *s = (hub_site *)user;
    EXPECT(s->leaving && !s->down && wshub_is_down(hub)); /* once */
    s->down = true;
}

static void hub_start(hub_site *s, uint64_t seed) {
    static const char *const any_page = "*";
    wshub_io_fake_desc fd;
    wshub_bus_redis_desc rd;
    wshub_desc d;
    uint32_t index = s->index, i;
    memset(s, 0, sizeof *s);
    s->index = index;
    s->life = ++sim.lives;
    s->origin = ++sim.origins;
    s->exact = index % 2 == 1;
    memset(&fd, 0, sizeof fd);
    memset(&rd, 0, sizeof rd);
    memset(&d, 0, sizeof d);
    fd.seed = seed * 1000 + s->life;
    fd.start_ms = sim.now;
    fd.completion = index == 2;
    if (wshub_io_fake_create(&fd, &s->net)) abort();
    rd.io = wshub_io_fake_io(s->net);
    rd.url = index == 3 ? "redis://one,two" : "redis://one";
    rd.resp3 = index == 1;
    rd.output_bytes_max = 2 * QUEUE;
    rd.alloc = sim_alloc;
    rd.alloc_user = s;
    if (wshub_bus_redis_create(&rd, &s->redis)) abort();
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(s->redis);
    d.bus_exact = s->exact;
    d.heartbeat_by_pong = s->by_pong = index == 1;
    d.alloc = sim_alloc;
    d.alloc_user = d.user = s;
    d.on_authenticate = on_auth;
    d.on_join = on_join;
    d.on_message = on_message;
    d.on_connected = on_connected;
    d.on_disconnecting = on_disconnecting;
    d.on_disconnected = on_disconnected;
    d.on_pressure = on_pressure;
    d.on_bus = on_bus;
    d.on_shutdown = on_shutdown;
    d.on_request = on_request;
    d.on_upgrade = on_upgrade;
    d.allowed_origins = &any_page;
    d.allowed_origins_count = 1;
    d.backpressure_bytes_max = d.http_answers_bytes_max = LIMIT;
    d.http_body_bytes_max = BODY_MAX;
    d.bus_queue_bytes_max = QUEUE; /* for outages; a turn may publish many times as much (BUS-5) */
    d.close_on_backpressure = index == 0;
    d.preauth_messages_max = 100000; /* heartbeats of those whose answer never comes */
    d.preauth_bytes_max = 1u << 30;
    if (wshub_create(&d, &s->hub)) abort();
    for (i = 0; i < APP_CHANNELS; i++) {
        if (rnd(2)) app_turn(s, i);
    }
    wshub_io_fake_run(s->net);
}

static void ours_leave(const hub_site *s);
static void hub_end(hub_site *s) {
    wshub *hub = s->hub;
    uint32_t i;
    s->dying = true;
    for (i = 0; i < sim.clients_max; i++) {
        if (sim.clients[i].at == s) memset(&sim.clients[i], 0, sizeof sim.clients[i]);
    }
    callers_leave(s);
    wshub_destroy(hub);
    s->hub = NULL;
    ours_leave(s);
    wshub_bus_redis_destroy(s->redis);
    for (i = 0; i < BROKER_LINKS; i++) {
        if (sim.b.links[i].net == s->net) broker_drop(&sim.b, &sim.b.links[i], false);
    }
    wshub_io_fake_destroy(s->net);
    EXPECT(s->bytes == 0); /* to the byte */
}

/* ---- clients ---- */

static void client_say(client *c, const char *text) {
    c->spoke_at = c->byte_at = sim.now;
    wshub_io_fake_text(c->at->net, c->conn, text);
}

static void client_init(client *c, hub_site *s, wshub_conn conn) {
    memset(c, 0, sizeof *c);
    c->at = s;
    c->life = ++sim.lives;
    c->conn = conn;
    c->user = -1;
    c->opened_at = c->spoke_at = c->byte_at = c->got_at = sim.now;
    if (!conn.id) return;
    sim.connects++;
    c->polite = rnd(8) != 0 && !sim.ending;
    c->listens = rnd(3) == 0;
    c->certain = s->fail_at == 0;
    if (!c->polite) wshub_io_fake_silent(s->net, conn, true);
}

static void client_hello(client *c) {
    char hello[120];
    c->user = rnd(3) ? (int)rnd(USERS) : -1;
    c->later = rnd(10) == 0;
    if (c->user >= 0)
        (void)snprintf(hello, sizeof hello,
                       "{\"event\":\"authenticate\",\"data\":{\"how\":\"%s\",\"user\":\"%s\"}}",
                       c->later ? "later" : "now", users[c->user]);
    else
        (void)snprintf(hello, sizeof hello,
                       "{\"event\":\"authenticate\",\"data\":{\"how\":\"%s\"}}",
                       c->later ? "later" : "now");
    if (c->later) c->user = -1;        /* a late answer names nobody */
    c->in[7] = c->certain ? YES : MAY; /* the default room, from acceptance on */
    c->hello_at = sim.now;
    client_say(c, hello);
}

/* It says at its upgrade who it is (AUTH-8), and may say more before it is answered. */
static void client_open_early(client *c, hub_site *s, early how) {
    static const char *const words[] = {"", "now", "later", "never"};
    char head[300], user[16];
    bool failing = s->fail_at != 0; /* in the very opening, perhaps */
    wshub_conn conn = wshub_io_fake_open(s->net);
    client_init(c, s, conn);
    if (!conn.id) return;
    if (failing) c->certain = false;
    c->early = how;
    c->upgrading = true;
    c->later = how == EARLY_LATER;
    c->hello_at = sim.now;
    c->user = rnd(3) ? (int)rnd(USERS) : -1;
    c->in[7] = c->certain ? YES : MAY; /* the default room, from acceptance on */
    (void)snprintf(user, sizeof user, "&user=%s", c->user >= 0 ? users[c->user] : "");
    (void)snprintf(head, sizeof head,
                   "GET /ws?how=%s%s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                   "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                   "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                   words[how], c->user >= 0 ? user : "");
    wshub_io_fake_input(s->net, conn, head, strlen(head));
    if (how == EARLY_LATER && rnd(4) == 0) client_say(c, "{\"event\":\"x\",\"data\":[1,2,3]}");
}

static void client_open(client *c, hub_site *s) {
    uint32_t how = rnd(12);
    if (how < 4) {
        client_open_early(c, s, how < 2 ? EARLY_NOW : how == 2 ? EARLY_LATER : EARLY_NEVER);
        return;
    }
    client_init(c, s, wshub_io_fake_connect(s->net, "/ws"));
    if (c->conn.id && rnd(30)) client_hello(c); /* who says nothing is closed by its deadline */
}

static void client_gone(client *c) {
    if (c->conn.id) wshub_io_fake_forget(c->at->net, c->conn);
    memset(c, 0, sizeof *c);
}

static void client_blame(const client *c, const char *what, unsigned code) {
    (void)printf("  step %u at %llu: client %d on hub %u, %s%s%s: %s %u; it spoke %llu ms ago, its "
                 "last byte came %llu ms ago, it heard something %llu ms ago\n",
                 sim.step, (unsigned long long)sim.now, (int)(c - sim.clients), c->at->index,
                 c->connected ? "connected" : "not connected", c->polite ? ", polite" : "",
                 c->slow ? ", slow" : "", what, code, (unsigned long long)(sim.now - c->spoke_at),
                 (unsigned long long)(sim.now - c->byte_at),
                 (unsigned long long)(sim.now - c->got_at));
}

/* When it must be authenticated (AUTH-1, AUTH-2): who has said so is at once, if the
 * application answers. */
static uint64_t client_auth_due(const client *c) {
    if (!c->hello_at) return c->opened_at + HEAD_MS;
    return c->later ? c->hello_at + 3 * HEAD_MS : UINT64_MAX;
}

/* Our Close: for a reason (AUTH-1 to AUTH-4, LIVE-1, SEND-6, BYE-2)? */
static void client_closed(client *c, unsigned code) {
    bool right;
    switch (code) {
    case 4001: right = !c->connected && sim.now >= client_auth_due(c); break;
    case 4003: right = !c->connected && c->later; break;
    case 4002: right = c->connected && sim.now - c->spoke_at > BEAT_MS; break;
    case 1001: right = c->at->leaving; break;
    /* close_on_backpressure */
    default: right = c->at->index == 0 && (c->slow || takes_little(c->at)); break;
    }
    if (c->certain && !right) {
        client_blame(c, "closed with", code);
        EXPECT(!"a client is closed for a reason");
    }
    c->certain = false;
    c->closing = true;
    c->closing_at = sim.now;
}
/* The end of its stream, without a Close. */
static void client_dropped(client *c) {
    bool right = c->at->leaving && sim.now >= c->at->leave_at + SHUTDOWN_MS;
    if (sim.now - c->byte_at >= IDLE_MS && (!c->polite || c->slow)) right = true; /* LIVE-2 */
    if (c->slow && sim.now - c->slow_at >= WRITE_MS) right = true;
    /* close_on_backpressure */
    if (c->at->index == 0 && (c->slow || takes_little(c->at))) right = true;
    if (!c->certain || right) return;
    client_blame(c, "its stream was dropped", 0);
    EXPECT(!"a stream is dropped for a reason");
}
/* Who is silent is found (AUTH-1, LIVE-1); what is closed ends. */
static void client_check(client *c) {
    uint64_t from = later(c->spoke_at, c->at->woke_at);
    const char *why = NULL;
    if (c->at->asleep) return;
    /* LIVE-2: its ping waited behind what it took */
    if (c->at->by_pong) from = later(from, c->took_at);
    if (c->closing && sim.now > later(c->closing_at, c->at->woke_at) + 2 * CLOSE_MS + SLACK_MS)
        why = "closed, and its stream does not end";
    else if (!c->certain || c->closing || c->slow)
        return;
    else if (c->connected && sim.now > from + BEAT_MS + SWEEP_MS + SLACK_MS)
        why = "silent and not found";
    else if (!c->connected && c->hello_at && !c->later)
        why = "has said who it is and is not authenticated";
    else if (!c->connected &&
             sim.now > later(client_auth_due(c), c->at->woke_at + 3 * HEAD_MS) + SLACK_MS)
        why = "not authenticated and not closed";
    if (!why) return;
    (void)printf("  closing since %llu, its hub woke at %llu\n", (unsigned long long)c->closing_at,
                 (unsigned long long)c->at->woke_at);
    client_blame(c, why, 0);
    EXPECT(!"who is silent is found");
}

/* A number, or [number,"abc..."], as long as it was said. */
static uint32_t client_number(wshub_str data) {
    bool large = data.len && data.ptr[0] == '[';
    uint32_t n = (uint32_t)strtoul(data.ptr + (large ? 1 : 0), NULL, 10);
    const message *m = &sim.messages[n % MESSAGES];
    if (m->number != n) return n; /* too long ago to be known */
    EXPECT(data.len == m->bytes);
    if (large && data.len == m->bytes) {
        const char *text = (const char *)memchr(data.ptr, '"', 16);
        EXPECT(text &&
               memcmp(text + 1, http_pattern, (size_t)(data.ptr + data.len - 2 - (text + 1))) == 0);
    }
    return n;
}

static void client_got(client *c, wshub_str text) {
    static const char said[] = "{\"event\":\"n\",\"data\":",
                      hello[] = "{\"event\":\"connected\",\"data\":",
                      wrong[] = "{\"event\":\"error\",\"data\":";
    c->got_at = sim.now;
    if (c->slow || takes_little(c->at)) c->took_at = sim.now;
    trace(text.ptr, text.len < 32 ? text.len : 32);
    if (text.len > sizeof said && memcmp(text.ptr, said, sizeof said - 1) == 0) {
        wshub_str data = {text.ptr + sizeof said - 1, text.len - sizeof said};
        uint32_t n = client_number(data);
        const message *m = &sim.messages[n % MESSAGES];
        const char *why;
        sim.heard++;
        c->heard++;
        if (m->number != n) return;
        why = may_hear(c, m);
        if (why)
            (void)printf("  step %u: client %d heard %u, kind %d: %s\n", sim.step,
                         (int)(c - sim.clients), n, m->kind, why);
        EXPECT(!why);
        if (c->last[m->origin % 1024] >= n)
            (void)printf("  step %u: client %d heard %u behind %u of the same origin\n", sim.step,
                         (int)(c - sim.clients), n, c->last[m->origin % 1024]);
        EXPECT(c->last[m->origin % 1024] < n); /* in order, none twice */
        c->last[m->origin % 1024] = n;
    } else if (text.len > sizeof hello && memcmp(text.ptr, hello, sizeof hello - 1) == 0) {
        wshub_str id = wshub_json_get(wshub_json_get(text, "data"), "id");
        EXPECT(!c->connected && id.len == 38); /* once */
        c->connected = true;
        c->spoke_at = sim.now; /* acceptance counts as activity (AUTH-7) */
        if (id.len == 38) memcpy(c->id, id.ptr + 1, 36);
    } else {
        EXPECT(text.len > sizeof wrong && memcmp(text.ptr, wrong, sizeof wrong - 1) == 0);
    }
}

/* The answer to a handshake that said who it is. Returns true: it has been granted. */
static bool client_upgraded(client *c) {
    wshub_str out = wshub_io_fake_output(c->at->net, c->conn);
    const char *end = out.len ? (const char *)memmem(out.ptr, out.len, "\r\n\r\n", 4) : NULL;
    int status;
    bool right;
    if (!end) return false;
    status = atoi(out.ptr + 9);
    trace(out.ptr, 12);
    if (status == 101) {
        bool hello = memmem(out.ptr, (size_t)(end - out.ptr), "X-Hello", 7) != NULL;
        EXPECT(c->early == EARLY_NOW || c->early == EARLY_LATER);
        wshub_io_fake_take(c->at->net, c->conn, (size_t)(end + 4 - out.ptr));
        c->upgrading = false;
        c->opened_at = c->spoke_at = c->byte_at = c->got_at = sim.now;
        c->later = false;
        c->hello_at = sim.now;
        if (hello) client_hello(c);
        return true;
    }
    right = c->early == EARLY_NEVER ? status == 403
            : c->early == EARLY_LATER
                ? status == 403 || (status == 503 && sim.now >= client_auth_due(c))
                : false;
    if (c->certain && !right && !(status == 503 && c->at->leaving)) {
        client_blame(c, "its upgrade was answered with", (unsigned)status);
        EXPECT(!"an upgrade is refused for a reason");
    }
    c->certain = false;
    wshub_io_fake_end(c->at->net, c->conn); /* and it goes */
    client_gone(c);
    return false;
}

static void client_read(client *c) {
    wshub_io_fake_frame f;
    bool silent = c->upgrading && !client_upgraded(c);
    while (c->conn.id && !silent && wshub_io_fake_next(c->at->net, c->conn, &f)) {
        if (f.opcode == 1) {
            client_got(c, f.payload); /* nothing is done on the stream before it returns */
        } else if (f.opcode == 9 && c->polite) {
            c->byte_at = sim.now;
            if (c->at->by_pong) c->spoke_at = sim.now; /* LIVE-2 */
            wshub_io_fake_send(c->at->net, c->conn, 10, true, "", 0);
        } else if (f.opcode == 8) {
            trace("C", 1);
            client_closed(c, f.code);
            if (c->polite && wshub_io_fake_is_open(c->at->net, c->conn))
                wshub_io_fake_send_close(c->at->net, c->conn, f.code, "");
        }
    }
    if (!c->conn.id) return;
    if (!c->closing && !wshub_io_fake_is_open(c->at->net, c->conn)) {
        client_dropped(c);
        c->closing = true;
        c->closing_at = sim.now;
        c->certain = false;
    }
    if (wshub_io_fake_is_gone(c->at->net, c->conn))
        client_gone(c);
    else
        client_check(c);
}
static void clients_read(void) {
    uint32_t i;
    for (i = 0; i < sim.clients_max; i++) {
        if (sim.clients[i].conn.id && !sim.clients[i].at->asleep) client_read(&sim.clients[i]);
    }
}

/* A caller's stream that speaks WebSocket from here on. hello: it has said that already. */
static void caller_upgraded(caller *c, bool hello) {
    wshub_conn conn = c->conn;
    hub_site *s = c->at;
    client *x = NULL;
    bool certain = c->certain, slow = c->pace || c->stopped, waited = c->waited;
    uint64_t slow_at = sim.now;
    uint32_t i;
    /* the second half of its first words */
    if (c->rest_len) wshub_io_fake_input(s->net, conn, c->rest, c->rest_len);
    c->conn.id = 0;
    caller_gone(c);
    for (i = 0; i < sim.clients_max && !x; i++) {
        if (!sim.clients[i].conn.id) x = &sim.clients[i];
    }
    if (!x) {
        wshub_io_fake_end(s->net, conn);
        wshub_io_fake_forget(s->net, conn);
        return;
    }
    client_init(x, s, conn);
    x->certain &= certain && !waited; /* who reads slowly learns late that its time runs */
    x->slow = slow;
    x->slow_at = slow_at;
    if (hello) {
        x->hello_at = sim.now;
        x->in[7] = x->certain ? YES : MAY;
    } else {
        client_hello(x);
    }
    client_read(x);
}

#endif
