/* A dialect and its mounts: the bytes choose which functions of >>api-dialect, >>api-mount and
 * >>api-http a dialect calls, with handles that are good, stale or nobody's, outside and inside of
 * its callbacks, with and without memory, beside a bus that comes and goes; and what peers and time
 * do meanwhile. After every step all indexes agree; whatever ends is told once; at the end nothing
 * is held. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 3
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_fake.h"

enum { SESSIONS = 6, CLIENTS = 12, EXCHANGES = 4, CONNS = 4, REALMS = 3 };

static const uint8_t *in;
static size_t left, held;
static long fail_in;
static int depth, lent;
static wshub *hub;
static wshub_io_fake *net;
static uint32_t dialect;
static wshub_kind kinds[2];
static wshub_session sessions[SESSIONS];
static wshub_client clients[CLIENTS];
static wshub_exchange exchanges[EXCHANGES];
static wshub_conn conns[CONNS], streams[CONNS];
static wshub_realm realms[REALMS];
static wshub_bus_local *local;
static uint8_t zeros[9000];

static uint8_t take(void) {
    if (!left) return 0;
    left--;
    return *in++;
}
static uint32_t pick(uint32_t n) {
    return take() % n;
}
static void *alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    if (new_bytes == 0) {
        held -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (fail_in && --fail_in == 0) return NULL;
    p = malloc(new_bytes);
    MUST(p);
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    held += new_bytes;
    held -= old_bytes;
    return p;
}

static wshub_str name(void) {
    static const char *const names[] = {"a", "b", "u", "ws-default", "", "\xFF", "x*", "c\xC3\xA9"};
    uint32_t k = pick(10);
    if (k == 9) return wshub__str(NULL, 0);
    return wshub_str_z(k < 8 ? names[k] : "a longer name than others have, of some bytes");
}
static wshub_str json(void) {
    static const char *const texts[] = {"1", "{\"a\":[1]}", "\"t\"", "{", "", "\"\xFF\"", "[[]]"};
    uint32_t k = pick(8);
    return k < 7 ? wshub_str_z(texts[k]) : wshub__str(NULL, 0);
}
static wshub_msg message(void) {
    wshub_msg m;
    memset(&m, 0, sizeof m);
    m.event = name();
    m.data = json();
    return m;
}
static wshub_str some[4], rooms[4], excepted[4];
static wshub_dest dest(void) {
    wshub_dest d;
    uint32_t i;
    memset(&d, 0, sizeof d);
    d.kind = (wshub_dest_kind)pick(6);
    d.name = name();
    for (i = 0; i < 4; i++) some[i] = name();
    d.exclude = some;
    d.exclude_count = pick(3);
    if (pick(2)) d.realm = realms[pick(REALMS)];
    if (pick(3) == 0) {
        for (i = 0; i < 4; i++) rooms[i] = name();
        d.rooms = rooms;
        d.rooms_count = 1 + pick(4);
    }
    if (pick(3) == 0) {
        for (i = 0; i < 4; i++) excepted[i] = name();
        d.except_rooms = excepted;
        d.except_rooms_count = 1 + pick(4);
    }
    return d;
}
static wshub_packet packet(void) {
    static wshub_str args[3];
    static wshub_span attached[2];
    wshub_packet p;
    memset(&p, 0, sizeof p);
    p.event = name();
    args[0] = json();
    args[1] = json();
    args[2] = wshub_str_z("null");
    p.args = args;
    p.args_count = pick(4);
    attached[0].ptr = attached[1].ptr = zeros;
    attached[0].len = pick(40);
    attached[1].len = 1;
    p.attachments = attached;
    p.attachments_count = pick(3);
    if (pick(4) == 0) p.id = json();
    if (pick(4) == 0) p.ask = json();
    p.flags = pick(4);
    return p;
}
static wshub_client_desc somebody(void) {
    wshub_client_desc d;
    memset(&d, 0, sizeof d);
    d.dialect = pick(8) ? dialect : pick(4);
    d.kind = pick(8) ? kinds[pick(2)] : (wshub_kind)pick(6);
    if (pick(2)) d.id = name();
    if (pick(2)) d.realm = realms[pick(REALMS)];
    return d;
}
static wshub_cause cause(void) {
    return (wshub_cause)pick(9);
}

/* ---- what the dialect is told ---- */

static void act(void);
static void maybe_act(void) {
    if (depth >= 2 || !left || pick(3)) return;
    depth++;
    act();
    depth--;
}
static wshub_err accepted(wshub *h, wshub_client c, const wshub_acceptance *what, void *user) {
    wshub_msg m = {wshub_str_z("hello"), wshub_str_z("1"), false};
    (void)what, (void)user;
    return pick(8) == 7 ? WSHUB_ERR_APP : wshub_client_welcome(h, c, &m);
}
static void refused(wshub *h, wshub_client c, wshub_refusal why, void *user) {
    (void)why, (void)user;
    (void)wshub_client_end(h, c, WSHUB_BY_AUTH, 0, wshub__str(NULL, 0));
    maybe_act();
}
static void closes(wshub *h, wshub_client c, wshub_cause why, uint16_t code, wshub_str reason,
                   void *user) {
    (void)user;
    if (pick(2))
        (void)wshub_client_end(h, c, why, code, reason);
    else
        (void)wshub_session_end(h, wshub_client_session(h, c), why, code, reason);
    maybe_act();
}
static void event(wshub *h, wshub_client c, const wshub_event *e, void *user) {
    (void)user;
    (void)wshub_client_event(h, c, e);
    maybe_act();
}
static void gone_told(wshub *h, const wshub_gone *gone, void *user) {
    (void)h, (void)gone, (void)user;
    maybe_act();
}
static void owed(wshub *h, wshub_session session, size_t bytes, void *user) {
    (void)h, (void)user;
    MUST(bytes > 0);
    sessions[pick(SESSIONS)] = session;
    maybe_act();
}
static void session_gone(wshub *h, wshub_session session, wshub_cause why, void *user) {
    (void)h, (void)session, (void)why, (void)user;
    MUST(--lent >= 0); /* once each */
    maybe_act();
}
static wshub_err convert(wshub *h, wshub_session session, wshub_span m, wshub_writer *out,
                         void *user) {
    uint8_t *to;
    (void)h, (void)session, (void)user;
    if (pick(4) == 0) return pick(2) ? WSHUB_OK : WSHUB_ERR_APP;
    to = wshub_writer_room(out, m.len);
    if (!to) return WSHUB_ERR_NOMEM;
    memcpy(to, m.ptr, m.len);
    wshub_writer_commit(out, m.len);
    return WSHUB_OK;
}
static wshub_err encode(wshub *h, wshub_kind kind, wshub_realm realm, const wshub_packet *p,
                        wshub_writer *out, void *user) {
    uint8_t *to;
    (void)h, (void)kind, (void)realm, (void)user;
    if (p->event.len == 2) return WSHUB_ERR_PARAM; /* this it cannot say */
    to = wshub_writer_frame(out, true, p->event.len);
    if (!to) return WSHUB_ERR_NOMEM;
    if (p->event.len) memcpy(to, p->event.ptr, p->event.len);
    return WSHUB_OK;
}
static wshub_err publish(wshub *h, wshub_realm realm, const wshub_dest *d, const wshub_packet *p,
                         void *user) {
    (void)realm, (void)d, (void)user;
    return wshub_bus_publish(h, dialect, wshub_str_z("all"), p->event);
}
static void on_bus(wshub *h, wshub_str channel, wshub_str payload, void *user) {
    wshub_dest d = dest();
    wshub_msg m = message();
    (void)channel, (void)user, (void)payload;
    (void)wshub_send_here(h, &d, &m);
    maybe_act();
}
static void on_name(wshub *h, wshub_realm realm, wshub_dest_kind kind, wshub_str n, bool here,
                    void *user) {
    (void)realm, (void)kind, (void)user;
    if (here)
        (void)wshub_bus_subscribe(h, dialect, n, false);
    else
        (void)wshub_bus_unsubscribe(h, dialect, n, false);
}
static void on_bus_state(wshub *h, wshub_bus_state state, void *user) {
    (void)user;
    if (state == WSHUB_BUS_CONNECTED)
        (void)wshub_bus_subscribe(h, dialect, wshub_str_z("a"), false);
    maybe_act();
}

/* ---- what mounts and the application are told ---- */

static wshub_take on_head(wshub *h, wshub_exchange x, const wshub_http *http, void *user) {
    wshub_client_desc who = somebody();
    wshub_take what;
    (void)user;
    exchanges[pick(EXCHANGES)] = x;
    if (pick(2)) (void)wshub_exchange_set_owner(h, x, &exchanges);
    if (http->handshake || pick(8) == 0) {
        what = wshub_client_upgrade(h, x, pick(8) ? &who : NULL);
        maybe_act();
        return what;
    }
    maybe_act();
    return (wshub_take)pick(4);
}
static void on_body(wshub *h, wshub_exchange x, uint8_t *bytes, size_t count, void *owner) {
    (void)h, (void)owner;
    if (count) bytes[0] = 1; /* it is ours */
    exchanges[pick(EXCHANGES)] = x;
    maybe_act();
}
static void on_answer(wshub *h, wshub_exchange x, const wshub_http *http, int status,
                      wshub_headers *more, void *owner) {
    (void)h, (void)x, (void)http, (void)status, (void)owner;
    (void)wshub_headers_add(more, wshub_str_z(pick(4) ? "X-A" : "Date"), name());
}
static void on_exchange_gone(wshub *h, wshub_exchange x, wshub_cause why, void *owner) {
    (void)why, (void)owner;
    MUST(wshub_http_drop(h, x) == WSHUB_ERR_STALE);
    maybe_act();
}
static void on_exchange_drained(wshub *h, wshub_exchange x, void *owner) {
    (void)owner;
    (void)wshub_http_write(h, x, zeros, 3000);
    maybe_act();
}
static void on_conn_opened(wshub *h, wshub_conn conn, void *owner) {
    (void)h, (void)owner;
    streams[pick(CONNS)] = conn;
    maybe_act();
}
static void on_message(wshub *h, wshub_conn conn, uint8_t *bytes, size_t count, bool text,
                       void *owner) {
    wshub_heard heard = wshub_conn_heard(h, conn, count);
    wshub_event e;
    (void)text, (void)owner;
    memset(&e, 0, sizeof e);
    e.event = wshub__str(bytes, count);
    streams[pick(CONNS)] = conn;
    switch (heard.state) {
    case WSHUB_CLIENT_UNAUTHORIZED: (void)wshub_client_authenticate(h, heard.client, json()); break;
    case WSHUB_CLIENT_AUTHENTICATED:
        if (count) (void)wshub_client_receive(h, heard.client, &e);
        break;
    case WSHUB_CLIENT_AUTHENTICATING:
    case WSHUB_CLIENT_DISCONNECTED: break;
    }
    maybe_act();
}
static void on_drained(wshub *h, wshub_conn conn, void *owner) {
    (void)h, (void)conn, (void)owner;
    maybe_act();
}
static void on_conn_closed(wshub *h, wshub_conn conn, uint16_t code, wshub_str reason,
                           wshub_cause why, void *owner) {
    (void)code, (void)reason, (void)why, (void)owner;
    MUST(wshub_conn_send(h, conn, "x", 1, true) == WSHUB_ERR_STALE);
    maybe_act();
}
static void on_authenticate(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth, (void)user;
    memset(&who, 0, sizeof who);
    who.user_id = name();
    if (pick(4))
        (void)wshub_auth_accept(h, ask, &who);
    else
        (void)wshub_ask_reject(h, ask);
}
static void on_join(wshub *h, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    (void)wshub_join_accept(h, ask, join->rooms, join->rooms_count);
}
static wshub_err on_event(wshub *h, wshub_client c, const wshub_event *e, void *user) {
    (void)h, (void)c, (void)e, (void)user;
    maybe_act();
    return pick(8) ? WSHUB_OK : WSHUB_ERR_APP;
}
static void on_upgrade(wshub *h, const wshub_http *http, wshub_upgrade *up, void *user) {
    wshub_upgrade_answer answer;
    wshub_identity who;
    (void)http, (void)user;
    memset(&answer, 0, sizeof answer);
    memset(&who, 0, sizeof who);
    who.user_id = name();
    answer.identity = pick(2) ? &who : NULL;
    switch (pick(6)) {
    case 0: up->refuse = 400 + (int)pick(200); break;
    case 1: (void)wshub_http_upgrade(h, up->exchange, &answer, NULL); break;
    case 2:
        up->later = true;
        exchanges[pick(EXCHANGES)] = up->exchange;
        break;
    default: break;
    }
    maybe_act();
}
static void on_app(wshub *h, const wshub_app_message *m, void *user) {
    (void)h, (void)m, (void)user;
    maybe_act();
}

/* ---- what is done ---- */

static void answer(wshub_exchange x) {
    static const int statuses[] = {200, 204, 206, 304, 404, 503, 99, 101};
    wshub_upgrade_answer granted;
    wshub_identity who;
    wshub_reply r;
    uint8_t *room;
    memset(&r, 0, sizeof r);
    memset(&granted, 0, sizeof granted);
    memset(&who, 0, sizeof who);
    who.user_id = name();
    r.status = statuses[pick(8)];
    r.body = pick(2) ? name() : wshub__str(NULL, 0);
    r.close = pick(4) == 0;
    switch (pick(14)) {
    case 0: (void)wshub_http_reply(hub, x, &r); break;
    case 1: (void)wshub_http_reply_text(hub, x, r.status, name()); break;
    case 2: (void)wshub_http_reply_json(hub, x, r.status, json()); break;
    case 3: (void)wshub_http_redirect(hub, x, 300 + (int)pick(10), name()); break;
    case 4: (void)wshub_http_refuse(hub, x, 400 + (int)pick(4), pick(2) ? "no" : NULL); break;
    case 5:
        granted.identity = pick(2) ? &who : NULL;
        if (pick(4) == 0) granted.protocol = name();
        (void)wshub_http_upgrade(hub, x, pick(8) ? &granted : NULL, &streams[pick(CONNS)]);
        break;
    case 6:
    case 7: (void)wshub_http_begin(hub, x, &r, pick(2) ? WSHUB_LENGTH_UNKNOWN : pick(200)); break;
    case 8: (void)wshub_http_write(hub, x, zeros, pick(4) * 2500); break;
    case 9:
        if (wshub_http_room(hub, x, pick(200), &room) == WSHUB_OK)
            (void)wshub_http_write(hub, x, room, pick(200));
        break;
    case 10: (void)wshub_http_wait(hub, x); break;
    case 11: (void)wshub_http_end(hub, x); break;
    case 12: (void)wshub_http_drop(hub, x); break;
    default:
        (void)wshub_exchange_http(hub, x);
        (void)wshub_exchange_owner(hub, x);
        break;
    }
}

static void session_act(wshub_session s) {
    wshub_span spans[3];
    wshub_iter it = {0, 0};
    wshub_client c;
    wshub_kind_change change = {kinds[0], kinds[1]};
    wshub_msg m = message();
    size_t n, i, bytes = 0;
    switch (pick(10)) {
    case 0:
    case 1:
        if (wshub_session_lend(hub, pick(8) ? dialect : pick(4), &sessions,
                               &sessions[pick(SESSIONS)]) == WSHUB_OK)
            lent++;
        break;
    case 2: (void)wshub_session_send(hub, s, zeros, pick(4) * 2000); break;
    case 3:
        n = wshub_session_spans(hub, s, spans, 3);
        for (i = 0; i < n && i < 3; i++) bytes += spans[i].len;
        (void)wshub_session_taken(hub, s, pick(4) ? bytes : pick(200));
        break;
    case 4: (void)wshub_session_end(hub, s, cause(), (uint16_t)(1000 + pick(9)), name()); break;
    case 5: (void)wshub_session_move(hub, s, sessions[pick(SESSIONS)], &change, pick(2)); break;
    case 6: (void)wshub_session_limit(hub, s, pick(2) * 3000, pick(2)); break;
    case 7: (void)wshub_session_heard(hub, s); break;
    case 8:
        while (wshub_session_each_client(hub, s, &it, &c)) (void)wshub_client_send(hub, c, &m);
        break;
    default:
        (void)wshub_session_client(hub, s);
        (void)wshub_session_owner(hub, s);
        sessions[pick(SESSIONS)] = wshub_conn_session(hub, streams[pick(CONNS)]);
        break;
    }
}

static void client_act(wshub_client c, wshub_session s) {
    wshub_client_desc who = somebody();
    wshub_identity id;
    wshub_about about;
    wshub_packet p = packet();
    wshub_msg m = message();
    wshub_event e;
    wshub_str text = name();
    memset(&id, 0, sizeof id);
    memset(&e, 0, sizeof e);
    id.user_id = text;
    e.event = wshub_str_z("e");
    switch (pick(22)) {
    case 0:
    case 1:
    case 2: (void)wshub_client_add(hub, s, &who, &clients[pick(CLIENTS)]); break;
    case 3:
    case 4: (void)wshub_client_authenticate(hub, c, json()); break;
    case 5: (void)wshub_client_accept(hub, c, pick(2) ? &id : NULL); break;
    case 6: (void)wshub_client_cancel(hub, c); break;
    case 7: (void)wshub_client_opened(hub, c); break;
    case 8: (void)wshub_client_end(hub, c, cause(), 1000, text); break;
    case 9: (void)wshub_client_join(hub, c, text); break;
    case 10: (void)wshub_client_leave(hub, c, text); break;
    case 11:
        if (wshub_client_may_join(hub, c, text)) (void)wshub_client_ask_join(hub, c, &text, 1);
        break;
    case 12: (void)wshub_client_tell(hub, c, &m); break;
    case 13: (void)wshub_client_about(hub, c, &about); break;
    case 14: (void)wshub_client_send_packet(hub, c, &p); break;
    case 15: (void)wshub_client_reply(hub, c, json(), &m); break;
    case 16:
        (void)wshub_client_set_kind(hub, c, pick(4) ? kinds[pick(2)] : (wshub_kind)pick(9));
        break;
    case 17: (void)wshub_client_receive(hub, c, &e); break;
    case 18: (void)wshub_client_binary(hub, c, zeros, pick(9)); break;
    case 19: (void)wshub_client_heard(hub, c, pick(200)); break;
    case 20: (void)wshub_client_close(hub, c, (uint16_t)(1000 + pick(9)), text); break;
    default:
        clients[pick(CLIENTS)] = wshub_conn_client(hub, streams[pick(CONNS)]);
        (void)wshub_client_kind(hub, c);
        (void)wshub_client_realm(hub, c);
        (void)wshub_client_number(hub, c);
        break;
    }
}

static void send_act(void) {
    wshub_dest d = dest();
    wshub_msg m = message();
    wshub_packet p = packet();
    switch (pick(12)) {
    case 0: (void)wshub_send(hub, &d, &m); break;
    case 1: (void)wshub_send_here(hub, &d, &m); break;
    case 2: (void)wshub_packet_send(hub, &d, &p); break;
    case 3: (void)wshub_packet_send_here(hub, &d, &p); break;
    case 4: (void)wshub_room_send(hub, d.name, &m, some, pick(3)); break;
    case 5: (void)wshub_all_send(hub, &m, some, pick(3)); break;
    case 6: (void)wshub_app_publish(hub, d.name, name()); break;
    case 7: (void)wshub_post_app_publish(hub, d.name, name()); break;
    case 8: (void)wshub_app_subscribe(hub, d.name, on_app, &some[pick(4)]); break;
    case 9: (void)wshub_app_unsubscribe(hub, d.name, on_app, &some[pick(4)]); break;
    case 10: (void)wshub_bus_publish(hub, pick(8) ? dialect : pick(4), d.name, m.event); break;
    default:
        if (pick(2))
            (void)wshub_bus_subscribe(hub, dialect, d.name, pick(2));
        else
            (void)wshub_bus_unsubscribe(hub, dialect, d.name, pick(2));
        break;
    }
}

static void realm_act(void) {
    static const char *const defaults[] = {"a", "b"};
    wshub_realm *realm = &realms[pick(REALMS)];
    wshub_realm_desc rd;
    wshub_iter it = {0, 0};
    wshub_str text;
    wshub_client c;
    memset(&rd, 0, sizeof rd);
    rd.version = WSHUB_REALM_VERSION;
    rd.name = pick(4) ? "r" : "\xFF";
    rd.default_rooms = pick(2) ? defaults : NULL;
    rd.default_rooms_count = rd.default_rooms ? 1 + pick(2) : 0;
    rd.dialect = pick(4) ? dialect : pick(5);
    switch (pick(6)) {
    case 0:
    case 1: (void)wshub_realm_create(hub, &rd, realm); break;
    case 2: (void)wshub_realm_destroy(hub, *realm); break;
    case 3:
        while (wshub_room_each_in(hub, *realm, &it, &text)) MUST(text.len);
        break;
    case 4:
        while (wshub_client_each_in(hub, *realm, &it, &c)) MUST(c.id);
        break;
    default: (void)wshub_client_find_in(hub, *realm, name(), &clients[pick(CLIENTS)]); break;
    }
}

static void conn_act(wshub_conn c) {
    switch (pick(5)) {
    case 0: (void)wshub_conn_send(hub, c, zeros, pick(4) * 1500, pick(2)); break;
    case 1: (void)wshub_conn_close(hub, c, (uint16_t)(999 + pick(20)), name()); break;
    case 2: (void)wshub_conn_set_owner(hub, c, &streams); break;
    case 3: (void)wshub_conn_pause_until_drained(hub, c); break;
    default:
        (void)wshub_conn_owner(hub, c);
        (void)wshub_conn_queued_bytes(hub, c);
        break;
    }
}

static void act(void) {
    wshub_client c = clients[pick(CLIENTS)];
    wshub_session s = sessions[pick(SESSIONS)];
    wshub_exchange x = exchanges[pick(EXCHANGES)];
    switch (pick(12)) {
    case 0:
    case 1:
    case 2: client_act(c, s); break;
    case 3:
    case 4: session_act(s); break;
    case 5:
    case 6: send_act(); break;
    case 7:
    case 8: answer(x); break;
    case 9: realm_act(); break;
    case 10: conn_act(streams[pick(CONNS)]); break;
    default: fail_in = pick(4) ? (long)pick(30) : 0; break;
    }
}

static void peer_act(void) {
    static const char *const heads[] = {
        "GET /m/a HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /m/b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "POST /m HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "OPTIONS /m/a HTTP/1.1\r\nHost: h\r\nOrigin: https://a\r\nAccess-Control-Request-Method: "
        "PUT\r\n\r\n",
        "POST /m/b HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab",
    };
    static const unsigned times[] = {0, 1, 1000, 5000, 30000, 90001};
    wshub_conn *c = &conns[pick(CONNS)];
    const char *head = heads[pick(6)];
    switch (pick(11)) {
    case 0:
    case 1:
        if (!wshub_io_fake_is_open(net, *c)) *c = wshub_io_fake_open(net);
        wshub_io_fake_input(net, *c, head, strlen(head));
        break;
    case 2:
    case 3: *c = wshub_io_fake_connect(net, pick(2) ? "/m/ws" : "/ws"); break;
    case 4:
    case 5: wshub_io_fake_text(net, *c, pick(2) ? "hi" : "a"); break;
    case 6:
        switch (pick(3)) {
        case 0: wshub_io_fake_end(net, *c); break;
        case 1: wshub_io_fake_send_close(net, *c, 1000, "r"); break;
        default: wshub_io_fake_half_close(net, *c); break;
        }
        break;
    case 7: wshub_io_fake_window(net, *c, pick(3) ? pick(2) * 40 : UINT64_MAX); break;
    case 8: wshub_io_fake_take(net, *c, SIZE_MAX); break;
    case 9: wshub_bus_local_set_down(local, pick(2)); break;
    default: wshub_io_fake_advance(net, times[pick(6)]); break;
    }
}

/* ---- one life of a hub ---- */

static bool mounts_make(void) {
    static const char *const origins[] = {"https://a"};
    wshub_cors cors;
    wshub_mount_desc md;
    memset(&md, 0, sizeof md);
    memset(&cors, 0, sizeof cors);
    cors.origins = origins;
    cors.origins_count = 1;
    md.version = WSHUB_MOUNT_VERSION;
    md.path = "/m/";
    md.prefix = true;
    md.keep_head = pick(2);
    md.half_close_ends = pick(2);
    md.body_bytes_max = pick(2) ? 2 : 0;
    md.cors = pick(2) ? &cors : NULL;
    md.on_head = on_head;
    md.on_body = pick(8) ? on_body : NULL;
    md.on_answer = pick(2) ? on_answer : NULL;
    md.on_exchange_gone = on_exchange_gone;
    md.on_exchange_drained = on_exchange_drained;
    md.on_conn_opened = on_conn_opened;
    md.on_message = on_message;
    md.on_drained = on_drained;
    md.on_conn_closed = on_conn_closed;
    if (wshub_mount(hub, &md)) return false;
    md.path = pick(4) ? "/m" : "m";
    md.prefix = pick(2);
    (void)wshub_mount(hub, &md);
    return true;
}
static bool dialect_make(void) {
    wshub_dialect t;
    wshub_kind_desc kd;
    int i;
    memset(&t, 0, sizeof t);
    memset(&kd, 0, sizeof kd);
    t.version = WSHUB_DIALECT_VERSION;
    t.name = "fuzzed";
    t.accepted = pick(8) ? accepted : NULL;
    t.refused = pick(2) ? refused : NULL;
    t.close = pick(2) ? closes : NULL;
    t.event = pick(2) ? event : NULL;
    t.disconnecting = t.disconnected = pick(2) ? gone_told : NULL;
    t.owed = owed;
    t.session_gone = session_gone;
    t.convert = pick(2) ? convert : NULL;
    t.bus_prefix = "fz:";
    t.publish = pick(2) ? publish : NULL;
    t.on_bus = on_bus;
    t.on_name = pick(2) ? on_name : NULL;
    t.on_bus_state = on_bus_state;
    if (wshub_dialect_add(hub, &t, NULL, &dialect)) return false;
    kd.encode = encode;
    kd.name = "one";
    for (i = 0; i < 2; i++) {
        if (wshub_kind_add(hub, &kd, &kinds[i])) return false;
        kd.name = "two";
    }
    return true;
}

static bool begin(void) {
    static const char *const any_page[] = {"*"};
    wshub_io_fake_desc fd;
    wshub_desc d;
    wshub_bus bus;
    memset(&fd, 0, sizeof fd);
    memset(&d, 0, sizeof d);
    fd.completion = pick(2);
    MUST(wshub_io_fake_create(&fd, &net) == WSHUB_OK);
    MUST(wshub_bus_local_create(NULL, &local) == WSHUB_OK &&
         wshub_bus_local_seat(local, &bus) == WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    d.alloc = alloc;
    if (pick(4))
        d.bus = &bus;
    else
        (void)bus.attach(bus.ctx, NULL); /* nobody has it */
    d.bus_exact = pick(2) && d.bus;
    d.allowed_origins = any_page;
    d.allowed_origins_count = 1;
    d.backpressure_bytes_max = pick(2) ? 2000 : 0;
    d.close_on_backpressure = pick(2);
    d.http_answers_bytes_max = pick(2) ? 2000 : 0;
    d.conns_max = pick(4) ? 0 : 2;
    d.clients_max = pick(4) ? 0 : 3;
    d.on_authenticate = on_authenticate;
    d.on_join = on_join;
    d.on_message = on_event;
    d.on_upgrade = pick(2) ? on_upgrade : NULL;
    MUST(wshub_create(&d, &hub) == WSHUB_OK);
    return dialect_make() && mounts_make();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 12 || size > 1200) return 0;
    in = data;
    left = size;
    fail_in = 0;
    depth = lent = 0;
    memset(sessions, 0, sizeof sessions);
    memset(clients, 0, sizeof clients);
    memset(exchanges, 0, sizeof exchanges);
    memset(conns, 0, sizeof conns);
    memset(streams, 0, sizeof streams);
    memset(realms, 0, sizeof realms);
    if (begin()) {
        while (left) {
            if (pick(5) < 3)
                act();
            else
                peer_act();
            if (pick(4)) wshub_io_fake_run(net);
            MUST(!wshub_self_check(hub));
        }
        fail_in = 0;
        wshub_io_fake_advance(net, 100000);
        MUST(!wshub_self_check(hub));
    }
    depth = 9; /* nothing more is done */
    wshub_destroy(hub);
    MUST(lent == 0); /* the end of each was told */
    wshub_io_fake_destroy(net);
    wshub_bus_local_destroy(local);
    MUST(held == 0);
    return 0;
}
