/* For tests/test_sio_sim.c: clients that poll, post, abort, overlap, move to a WebSocket or try to, cut
 * what they send at any byte and use ids that are nobody's; what they hear is held against the model. */
#ifndef SIO_SIM_CLIENTS_H
#define SIO_SIM_CLIENTS_H
#include "sio_sim_model.h"

static void drop(wshub_conn *conn) {
    if (!conn->id) return;
    wshub_io_fake_end(s.w.net, *conn);
    wshub_io_fake_forget(s.w.net, *conn);
    conn->id = 0;
}
static void begin_anew(slot *at) {
    int i;
    for (i = 0; i < sockets_count; i++) { /* nobody hears any more what they are told */
        if (sockets[i].at == at) sockets[i].at = NULL;
    }
    for (i = 0; i < 8; i++) {
        if (acks[i].at == at) acks[i].at = NULL;
    }
    drop(&at->poll);
    drop(&at->post);
    drop(&at->ws);
    drop(&at->up);
    forget_due(at);
    free(at->due);
    memset(at, 0, sizeof *at);
}

/* A message has come: it is the next that was due. */
static void hears(slot *at, bool text, const char *bytes, size_t len) {
    const heard_one *one;
    const char *space = text && len > 1 ? (const char *)memchr(bytes, '/', len < 12 ? len : 12) : 0;
    unsigned i;
    if (space && len - (size_t)(space - bytes) >= 6 && memcmp(space, "/flow", 5) == 0) return;
    if (at->heard >= at->due_count) {
        (void)printf("  seed %u: nothing was due, and came: %.*s\n", (unsigned)seed, (int)len,
                     bytes);
        MUST(at->heard < at->due_count);
    }
    one = &at->due[at->heard++];
    if (one->text != text || one->len != len || memcmp(one->bytes, bytes, len) != 0) {
        (void)printf("  seed %u: came %.*s\n    due was %s\n", (unsigned)seed, (int)len, bytes,
                     one->bytes);
        MUST(!"what came was due");
    }
    if (!text) return;
    for (i = 0; i < SPACES && (!space || memcmp(space, names[i], strlen(names[i])) != 0 || !i);
         i++) {
    }
    if (i == SPACES) i = 0;
    if (bytes[0] == '0') at->joined |= 1u << i;
    if (bytes[0] == '1') at->joined &= ~(1u << i);
    if (bytes[0] == '0' || bytes[0] == '4' || bytes[0] == '1') at->wants &= ~(1u << i);
    if (bytes[0] == '2' && at->asked_count < 8) { /* perhaps it wants an answer */
        const char *p = space ? bytes + (space - bytes) + strlen(names[i]) + 1 : bytes + 1;
        if (*p >= '0' && *p <= '9') {
            at->asked_space[at->asked_count] = i;
            at->asked[at->asked_count++] = (unsigned)atoi(p);
        }
    }
}

/* A packet of the engine has come. False: the session is over. */
static bool hears_packet(slot *at, const char *p, size_t len) {
    static uint8_t bytes[4096];
    MUST(len > 0);
    switch (p[0]) {
    case '4': hears(at, true, p + 1, len - 1); return true;
    case 'b':
        MUST(len < sizeof bytes);
        hears(at, false, (const char *)bytes, wshub_eio__b64_read(p + 1, len - 1, bytes));
        return true;
    case '2': at->pongs = true; return true;
    case '6': return true;
    case '1': return false;
    default: MUST(!"a packet that a server says"); return false;
    }
}

/* Looks whether the poll has been answered. */
static void look_at_poll(slot *at) {
    eio_answer a;
    const char *p, *end;
    bool goes_on = true;
    if (!at->held || !at->poll.id) return;
    a = eio_look(&s, at->poll);
    if (!a.status) {
        if (!wshub_io_fake_is_open(s.w.net, at->poll)) at->held = false;
        return;
    }
    at->held = false;
    if (a.status == 200) {
        MUST(a.body.len > 0);
        for (p = a.body.ptr; p && goes_on;) {
            size_t left = a.body.len - (size_t)(p - a.body.ptr);
            end = (const char *)memchr(p, 0x1E, left);
            goes_on = hears_packet(at, p, end ? (size_t)(end - p) : left);
            p = end ? end + 1 : NULL;
        }
    } else {
        MUST(a.status == 400 && !is_open(at));
        goes_on = false;
    }
    eio_take(&s, at->poll, &a);
    if (!goes_on) begin_anew(at);
}

static void look_at_post(slot *at) {
    eio_answer a;
    if (!at->post.id) return;
    a = eio_look(&s, at->post);
    if (!a.status) return;
    if (a.status == 200 && is_open(at) && !at->gap) MUST(at->arrived == at->sent);
    eio_take(&s, at->post, &a);
    if (a.status != 200 && !is_open(at)) begin_anew(at);
}

static void look_at_socket(slot *at) {
    wshub_io_fake_frame f;
    while (at->ws.id && wshub_io_fake_next(s.w.net, at->ws, &f)) {
        if (f.opcode == 8) {
            begin_anew(at);
            return;
        }
        if (f.opcode == 1) {
            if (!hears_packet(at, f.payload.ptr, f.payload.len)) MUST(!"a close in a frame");
        } else if (f.opcode == 2) {
            MUST(!at->b64);
            hears(at, false, f.payload.ptr, f.payload.len);
        }
    }
    if (at->ws.id && !wshub_io_fake_is_open(s.w.net, at->ws)) begin_anew(at);
}

static void look_at_upgrade(slot *at) {
    wshub_io_fake_frame f;
    while (at->up.id && wshub_io_fake_next(s.w.net, at->up, &f)) {
        if (f.opcode == 1 && wshub_str_eq_z(f.payload, "3probe")) {
            at->probed = true;
            continue;
        }
        MUST(f.opcode == 8); /* nothing else comes before the session has moved (2.6) */
        drop(&at->up);
    }
    if (at->up.id && !wshub_io_fake_is_open(s.w.net, at->up)) drop(&at->up);
    if (!at->up.id && at->mode == TRIES) {
        at->mode = POLLS;
        at->probed = false;
    }
}

static void look(void) {
    int i;
    for (i = 0; i < SLOTS; i++) {
        look_at_poll(&slots[i]);
        look_at_post(&slots[i]);
        if (slots[i].mode == HAS_SOCKET) look_at_socket(&slots[i]);
        if (slots[i].mode == TRIES) look_at_upgrade(&slots[i]);
    }
}

static wshub_conn ready(wshub_conn *conn) {
    if (conn->id && (!wshub_io_fake_is_open(s.w.net, *conn) || any_of(8) == 0)) drop(conn);
    if (!conn->id) *conn = wshub_io_fake_open(s.w.net);
    return *conn;
}
static void ask(slot *at, wshub_conn conn, const char *method, const char *query, const char *lines,
                const char *body) {
    memcpy(s.sid, at->sid, 21);
    talking = at;
    eio_ask(&s, conn, method, query, lines, body);
    talking = NULL;
}
#define QUERY "EIO=4&transport=polling&sid={sid}"
#define PLAIN "Content-Type: text/plain;charset=UTF-8\r\n"
#define MOVE "EIO=4&transport=websocket&sid={sid}"

static void client_opens(slot *at) {
    wshub_io_fake_frame f;
    eio_answer a;
    at->b64 = any_of(4) == 0;
    if (any_of(3)) {
        at->poll = wshub_io_fake_open(s.w.net);
        ask(at, at->poll, "GET",
            at->b64 ? "EIO=4&transport=polling&b64=1" : "EIO=4&transport=polling", "", NULL);
        a = eio_look(&s, at->poll);
        if (a.status == 200) {
            memcpy(at->sid, a.body.ptr + 9, 20);
            at->mode = POLLS;
        } else {
            MUST(a.status == 503);
        }
        eio_take(&s, at->poll, &a);
        return;
    }
    at->ws = wshub_io_fake_open(s.w.net);
    ask(at, at->ws, "GET",
        at->b64 ? "EIO=4&transport=websocket&b64=1" : "EIO=4&transport=websocket", EIO_UPGRADE,
        NULL);
    a = eio_look(&s, at->ws);
    MUST(a.status == 101 || a.status == 503);
    eio_take(&s, at->ws, &a);
    if (a.status == 101 && wshub_io_fake_next(s.w.net, at->ws, &f) && f.opcode == 1) {
        memcpy(at->sid, f.payload.ptr + 9, 20);
        at->mode = HAS_SOCKET;
    } else {
        drop(&at->ws);
    }
}

/* Says messages by whatever the session has; bytes: one of them, behind the text. */
static void client_says(slot *at, const char *text, const void *bytes, size_t count) {
    static char body[3000];
    char *p = body;
    if (at->mode == HAS_SOCKET) {
        (void)snprintf(body, sizeof body, "4%s", text);
        talking = at;
        wshub_io_fake_text(s.w.net, at->ws, body);
        if (bytes && at->mode == HAS_SOCKET && is_open(at))
            wshub_io_fake_send(s.w.net, at->ws, 2, true, bytes, count);
        talking = NULL;
        return;
    }
    if (at->post.id && !eio_look(&s, at->post).status && any_of(2)) drop(&at->post);
    p += snprintf(p, 2000, "%s4%s", at->pongs ? "3\x1E" : "", text);
    at->pongs = false;
    if (bytes) {
        *p++ = 0x1E;
        wshub_eio_binary_write(bytes, count, p);
        p[wshub_eio_binary_len(count)] = 0;
    }
    ask(at, ready(&at->post), "POST", QUERY, PLAIN, body);
}

static void client_connects(slot *at) {
    unsigned space = any_of(SPACES);
    char text[80];
    if (any_of(12) == 0) {
        client_says(at, "0/none,{\"a\":1}", NULL, 0);
        return;
    }
    if (any_of(20) && ((at->wants | at->joined) & 1u << space)) return;
    at->wants |= 1u << space;
    (void)snprintf(text, sizeof text, "0%s%s%s", space ? names[space] : "", space ? "," : "",
                   any_of(2) ? "{\"token\":1}" : "");
    client_says(at, text, NULL, 0);
}

static void client_emits(slot *at) {
    static uint8_t bytes[64];
    unsigned space = any_of(SPACES), id = any_of(3) ? 0 : 1 + any_of(500);
    char text[160], digits[16] = "";
    bool binary = any_of(4) == 0;
    if (!(at->joined & 1u << space) && any_of(30)) return;
    if (id) (void)snprintf(digits, sizeof digits, "%u", id);
    at->sent++;
    if (!(at->joined & 1u << space) || space == 4) at->gap = true;
    (void)snprintf(text, sizeof text, "%s%s%s%s[\"e\",%u,%u%s]", binary ? "51-" : "2",
                   space ? names[space] : "", space ? "," : "", digits, at->sent, id,
                   binary ? ",{\"_placeholder\":true,\"num\":0}" : "");
    client_says(at, text, binary ? bytes : NULL, at->sent % 50);
}

static void client_answers(slot *at) {
    char text[80];
    unsigned k;
    if (!at->asked_count || !at->sid[0]) return;
    k = --at->asked_count;
    if (!(at->joined & 1u << at->asked_space[k])) return;
    (void)snprintf(text, sizeof text, "3%s%s%u[%u]",
                   at->asked_space[k] ? names[at->asked_space[k]] : "",
                   at->asked_space[k] ? "," : "", at->asked[k] + (any_of(8) ? 0 : 7), k);
    client_says(at, text, NULL, 0);
}

static void client_polls(slot *at) {
    if (at->held || at->mode == HAS_SOCKET) return;
    if (at->mode == TRIES && at->probed && any_of(6)) return; /* it waits for its poll to return */
    at->held = true;
    ask(at, ready(&at->poll), "GET", QUERY, "", NULL);
}

static void client_upgrades(slot *at) {
    eio_answer a;
    if (at->mode == POLLS) {
        at->up = wshub_io_fake_open(s.w.net);
        ask(at, at->up, "GET", MOVE, EIO_UPGRADE, NULL);
        a = eio_look(&s, at->up);
        if (a.status == 101) {
            eio_take(&s, at->up, &a);
            at->mode = TRIES;
            at->probed = false;
        } else {
            MUST(!is_open(at));
            drop(&at->up);
        }
        return;
    }
    if (at->mode != TRIES) return;
    talking = at;
    if (any_of(30) == 0) {
        wshub_io_fake_text(s.w.net, at->up, any_of(2) ? "4x" : "2");
    } else if (!at->probed && any_of(10)) {
        wshub_io_fake_text(s.w.net, at->up, "2probe");
    } else if (!at->held || any_of(10) == 0) {
        wshub_io_fake_text(s.w.net, at->up, "5");
        look_at_poll(at);
        if (at->mode == TRIES && is_open(at) &&
            wshub_eio__sid_find(wshub_sio_engine(sio), at->sid, 20)->state == WSHUB_EIO__SOCKET) {
            at->ws = at->up;
            at->up.id = 0;
            at->mode = HAS_SOCKET;
        }
    }
    talking = NULL;
}

/* What no client should do. Its session may end by it, and nothing else happens. */
static void client_misbehaves(slot *at) {
    static const char *const wrong[] = {
        "",        "9",   "2[\"connect\"]", "2[1",        "5-[\"a\"]", "51-[\"a\"]", "3",
        "1/none,", "4{}", "3/n1,5[]",       "2/none,[1]", "222",       "0[]",        "xyz"};
    static const char *const packets[] = {"1", "2", "3", "5", "6", "0", "7", "", "b????", "4"};
    char text[600];
    wshub_conn c;
    size_t n, cut;
    at->gap = true;
    switch (any_of(9)) {
    case 0: client_says(at, wrong[any_of(14)], NULL, 0); break;
    case 1:
        if (at->mode == HAS_SOCKET) {
            wshub_io_fake_text(s.w.net, at->ws, packets[any_of(10)]);
        } else {
            ask(at, ready(&at->post), "POST", QUERY, PLAIN, packets[any_of(10)]);
        }
        break;
    case 2: /* two polls at a time */
        if (!at->held) break;
        c = wshub_io_fake_open(s.w.net);
        ask(at, c, "GET", QUERY, "", NULL);
        drop(&c);
        break;
    case 3: /* a post, or a request for a WebSocket, that is cut */
        n = (size_t)snprintf(text, sizeof text,
                             any_of(2) ? "POST /socket.io/?EIO=4&transport=polling&sid=%s "
                                         "HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n41\x1E"
                                         "40/n1,\x1E"
                                         "42"
                                       : "GET /socket.io/?EIO=4&transport=websocket&sid=%s "
                                         "HTTP/1.1\r\nHost: h\r\n" EIO_UPGRADE "\r\n",
                             at->sid);
        cut = any_of((uint32_t)n + 1);
        c = wshub_io_fake_open(s.w.net);
        talking = at;
        wshub_io_fake_input(s.w.net, c, text, cut);
        talking = NULL;
        drop(&c);
        break;
    case 4: /* a frame that is cut */
        if (at->mode != HAS_SOCKET && at->mode != TRIES) break;
        c = at->mode == TRIES ? at->up : at->ws;
        wshub_io_fake_input(s.w.net, c,
                            "\x81\x83\0\0\0\0"
                            "420",
                            any_of(9));
        wshub_io_fake_end(s.w.net, c);
        break;
    case 5: /* an id that is nobody's, or somebody else's of yore */
        c = wshub_io_fake_open(s.w.net);
        memcpy(text, at->sid, 21);
        text[any_of(20)] ^= 1;
        memcpy(s.sid, text, 21);
        eio_ask(&s, c, any_of(2) ? "GET" : "POST", QUERY, "", "4x");
        drop(&c);
        break;
    case 6: /* a second WebSocket */
        c = wshub_io_fake_open(s.w.net);
        ask(at, c, "GET", MOVE, EIO_UPGRADE, NULL);
        if (at->mode != HAS_SOCKET && any_of(2)) wshub_io_fake_text(s.w.net, c, "5");
        drop(&c);
        break;
    case 7: drop(any_of(2) ? &at->poll : &at->post); break;
    default:
        if (any_of(2)) {
            drop(&at->ws);
            if (at->mode == HAS_SOCKET) begin_anew(at);
        } else {
            begin_anew(at); /* it is gone, and polls no more */
        }
    }
    if (at->held && !at->poll.id) at->held = false;
}

static void client_steps(slot *at) {
    if (at->mode == NOTHING) {
        begin_anew(at);
        client_opens(at);
        return;
    }
    if (at->mode == HAS_SOCKET && at->pongs) {
        at->pongs = false;
        wshub_io_fake_text(s.w.net, at->ws, "3");
        return;
    }
    switch (any_of(12)) {
    case 0:
    case 1: client_connects(at); break;
    case 2:
    case 3: client_emits(at); break;
    case 4: client_answers(at); break;
    case 5:
    case 6: client_upgrades(at); break;
    case 7:
        if (any_of(8) == 0) client_misbehaves(at);
        break;
    case 8:
        if (any_of(4) == 0 && at->joined) {
            unsigned space = any_of(SPACES);
            char text[40];
            if (!(at->joined & 1u << space)) break;
            at->joined &= ~(1u << space);
            (void)snprintf(text, sizeof text, "1%s%s", space ? names[space] : "", space ? "," : "");
            client_says(at, text, NULL, 0);
        }
        break;
    default: client_polls(at); break;
    }
}
#endif /* SIO_SIM_CLIENTS_H */
