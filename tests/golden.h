/* Plays transcripts of the reference system (tests/golden/) against a hub, over either of two
 * transports: the fake io with virtual time (test_golden.c) and sockets to a running fixture
 * server (test_golden_sock.c). A transcript holds what a driver did and what each client then
 * received; what the driver did without writing it down (waits, connections that say nothing,
 * hand-made frames) stands in the table of hints below. Where a file NAME.alt-WHY.jsonl exists,
 * it is what is wanted. */
#ifndef GOLDEN_H
#define GOLDEN_H
#include "golden_net.h"

/* ---- stand-ins ---- */
/* Learns the ids of clients that have not said who they are, by asking through one that may ask. */
static void golden_learn(golden *g) {
    int i, k, before;
    golden_actor *via = NULL;
    wshub_str list, item, id;
    wshub_iter it = {0, 0};
    golden_collect_all(g);
    for (i = 0; i < g->actors_count; i++) {
        if (g->actors[i].open && g->actors[i].id[0]) via = &g->actors[i];
    }
    if (!via) return;
    before = via->got_count;
    golden_say(g, via, 1, wshub_str_z("{\"event\":\"clients\"}"));
    for (i = 0; i < 200 && via->got_count == before; i++) {
        g->net->pass(g->net->ctx, g->net->virtual_time ? 0 : 5);
        golden_collect(g, via);
    }
    if (via->got_count == before) return;
    list.ptr = via->got[via->got_count - 1].bytes;
    list.len = via->got[via->got_count - 1].len;
    list = wshub_json_get(wshub_json_get(list, "data"), "clients");
    while (wshub_json_each(list, &it, &item)) {
        bool known = false;
        id = wshub_json_get(item, "id");
        if (id.len != 38) continue;
        for (k = 0; k < g->actors_count; k++)
            known = known || memcmp(g->actors[k].id, id.ptr + 1, 36) == 0;
        for (k = 0; k < g->actors_count && !known; k++) {
            if (g->actors[k].open && !g->actors[k].id[0]) {
                memcpy(g->actors[k].id, id.ptr + 1, 36);
                known = true;
            }
        }
    }
    free(via->got[--via->got_count].bytes);
}

/* Parses a stand-in at p. Returns its length, 0: just a `<`. */
static size_t golden_standin(wshub_str s, size_t at, wshub_str *name, wshub_str *unit,
                             size_t *times) {
    size_t end = at + 1, star = 0, i;
    while (end < s.len && end < at + 30 && s.ptr[end] != '>') end++;
    if (end >= s.len || s.ptr[end] != '>' || end == at + 1) return 0;
    name->ptr = s.ptr + at + 1;
    name->len = end - at - 1;
    for (i = at + 2; i < end; i++) {
        if (s.ptr[i] == '*') star = i;
    }
    unit->ptr = NULL;
    unit->len = 0;
    if (star) {
        unit->ptr = s.ptr + at + 1;
        unit->len = star - at - 1;
        *times = (size_t)strtoul(s.ptr + star + 1, NULL, 10);
    }
    return end - at + 1;
}

static void golden_expand(golden *g, wshub_str s, text *out) { /* what is to be sent */
    size_t i = 0, times = 0;
    while (i < s.len) {
        wshub_str name, unit;
        size_t n = s.ptr[i] == '<' ? golden_standin(s, i, &name, &unit, &times) : 0;
        golden_actor *a = n && !unit.ptr ? golden_find(g, name) : NULL;
        /* one that never speaks */
        if (n && !unit.ptr && !a && name.len == 1) a = golden_open(g, name, "/ws", "");
        if (a && !a->id[0]) golden_learn(g);
        if (n && unit.ptr) {
            while (times--) text_str(out, unit);
            i += n;
        } else if (a) {
            text_z(out, a->id);
            i += n;
        } else {
            text_add(out, s.ptr + i++, 1);
        }
    }
}

static bool golden_match(golden *g, wshub_str want, wshub_str got) {
    size_t i = 0, k = 0, times = 0;
    while (i < want.len) {
        wshub_str name, unit;
        size_t n = want.ptr[i] == '<' ? golden_standin(want, i, &name, &unit, &times) : 0;
        golden_actor *a;
        if (n && unit.ptr) {
            for (; times; times--, k += unit.len) {
                if (got.len - k < unit.len || memcmp(got.ptr + k, unit.ptr, unit.len) != 0)
                    return false;
            }
        } else if (n && wshub_str_eq_z(name, "time")) {
            if (got.len - k < 24 || got.ptr[k + 10] != 'T' || got.ptr[k + 23] != 'Z') return false;
            k += 24;
        } else if (n && (a = golden_find(g, name)) != NULL) {
            if (got.len - k < 36) return false;
            if (!a->id[0]) memcpy(a->id, got.ptr + k, 36);
            if (memcmp(a->id, got.ptr + k, 36) != 0) return false;
            k += 36;
        } else {
            if (k >= got.len || got.ptr[k] != want.ptr[i]) return false;
            n = 1;
            k++;
        }
        i += n;
    }
    return k == got.len;
}

/* Lists that the contract sorts by id come in another order for every set of ids: sorts
 * `want`'s likewise. */
static bool golden_match_sorted(golden *g, wshub_str want, wshub_str got) {
    static const char *const keys[] = {"ids", "rooms"};
    size_t k;
    for (k = 0; k < 2; k++) {
        wshub_str list = wshub_json_get(wshub_json_get(want, "data"), keys[k]), item, items[64];
        wshub_iter it = {0, 0};
        text t[64], all = {NULL, 0, 0};
        size_t n = 0, i;
        bool same;
        if (wshub_json_type(list) != WSHUB_JSON_ARRAY) continue;
        memset(t, 0, sizeof t);
        while (n < 64 && wshub_json_each(list, &it, &item)) {
            golden_expand(g, item, &t[n]);
            items[n] = text_get(&t[n]);
            n++;
        }
        qsort(items, n, sizeof *items, fixture_compare);
        text_add(&all, want.ptr, (size_t)(list.ptr - want.ptr));
        text_z(&all, "[");
        for (i = 0; i < n; i++) {
            if (i) text_z(&all, ",");
            text_str(&all, items[i]);
        }
        text_z(&all, "]");
        text_add(&all, list.ptr + list.len, (size_t)(want.ptr + want.len - (list.ptr + list.len)));
        same = golden_match(g, text_get(&all), got);
        for (i = 0; i < n; i++) free(t[i].ptr);
        free(all.ptr);
        return same;
    }
    return golden_match(g, want, got);
}

static bool golden_same_value(wshub_str a, wshub_str b) { /* JSON, by value */
    wshub_iter x = {0, 0}, y = {0, 0};
    wshub_str p, q;
    bool more;
    if (wshub_json_type(a) != wshub_json_type(b)) return false;
    switch (wshub_json_type(a)) {
    case WSHUB_JSON_NUMBER: {
        char s[64], t[64];
        (void)snprintf(s, sizeof s, "%.*s", (int)a.len, a.ptr);
        (void)snprintf(t, sizeof t, "%.*s", (int)b.len, b.ptr);
        return !(strtod(s, NULL) < strtod(t, NULL)) && !(strtod(s, NULL) > strtod(t, NULL));
    }
    case WSHUB_JSON_STRING: {
        char *s = (char *)malloc(a.len + 1), *t = (char *)malloc(b.len + 1);
        size_t n = wshub_json_text(a, s, a.len), m = wshub_json_text(b, t, b.len);
        bool same = n == m && memcmp(s, t, n) == 0;
        free(s);
        free(t);
        return same;
    }
    case WSHUB_JSON_ARRAY:
        for (;;) {
            more = wshub_json_each(a, &x, &p);
            if (more != wshub_json_each(b, &y, &q)) return false;
            if (!more) return true;
            if (!golden_same_value(p, q)) return false;
        }
    case WSHUB_JSON_OBJECT: { /* of equal keys the last counts; the keys here have no escapes */
        /* clang-format off */
        static const char *const keys[] = {
            "event", "data", "a", "b", "d", "1", "2", "x", "__proto__", "constructor",
        };
        /* clang-format on */
        size_t i;
        for (i = 0; i < sizeof keys / sizeof *keys; i++) {
            p = wshub_json_get(a, keys[i]);
            q = wshub_json_get(b, keys[i]);
            if ((p.ptr == NULL) != (q.ptr == NULL) || (p.ptr && !golden_same_value(p, q)))
                return false;
        }
        return true;
    }
    case WSHUB_JSON_NONE:
    case WSHUB_JSON_NULL:
    case WSHUB_JSON_BOOL: break;
    }
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* ---- a line of the transcript ---- */
static wshub_str golden_key(wshub_str line, const char *key) { /* the decoded string, to be freed */
    return fixture_string(line, key);
}
static bool golden_has(wshub_str line, const char *key) {
    return wshub_json_get(line, key).ptr != NULL;
}
static bool golden_is_action(wshub_str l) {
    return golden_has(l, "sent") || golden_has(l, "sentBinary") || golden_has(l, "closes") ||
           golden_has(l, "terminates") || golden_has(l, "wrote") || golden_has(l, "connected") ||
           golden_has(l, "signal");
}
static bool golden_is_receipt(wshub_str l) {
    return golden_has(l, "got") || golden_has(l, "gotBinary") || golden_has(l, "closed") ||
           golden_has(l, "http") || golden_has(l, "frame") || golden_has(l, "tcp");
}

static int golden_opcode(wshub_str op) {
    if (wshub_json_type(op) == WSHUB_JSON_NUMBER) return atoi(op.ptr);
    return wshub_str_eq_z(op, "\"text\"")     ? 1
           : wshub_str_eq_z(op, "\"binary\"") ? 2
           : wshub_str_eq_z(op, "\"cont\"")   ? 0
           : wshub_str_eq_z(op, "\"close\"")  ? 8
           : wshub_str_eq_z(op, "\"ping\"")   ? 9
                                              : 10;
}

static void golden_unhex(wshub_str hex, text *out) {
    size_t i;
    for (i = 0; i + 1 < hex.len; i += 2) {
        char two[3] = {hex.ptr[i], hex.ptr[i + 1], 0}, byte = (char)strtoul(two, NULL, 16);
        text_add(out, &byte, 1);
    }
}

/* {"connected":["A","B"]}, unlogged but for this */
static void golden_connected(golden *g, wshub_str line) {
    wshub_iter it = {0, 0};
    wshub_str item, list = wshub_json_get(line, "connected");
    while (wshub_json_each(list, &it, &item)) {
        wshub_str label;
        golden_actor *a;
        char lower, message[200];
        int i;
        label.ptr = item.ptr + 1;
        label.len = item.len - 2;
        a = golden_open(g, label, "/ws", "");
        lower = (char)(label.ptr[0] | 0x20);
        (void)snprintf(
            message, sizeof message,
            "{\"event\":\"authenticate\",\"data\":{\"token\":\"user:%c\",\"publicKey\":\"K\"}}",
            lower);
        if (strcmp(g->name, "rooms-stats") == 0)
            (void)snprintf(message, sizeof message,
                           "{\"event\":\"authenticate\",\"data\":{\"token\":\"anon\"}}");
        if (strcmp(g->name, "users-sessions") == 0) {
            (void)snprintf(message, sizeof message,
                           "{\"event\":\"authenticate\",\"data\":{\"token\":\"user:%s\"}}",
                           lower == 'c' ? "other" : "same");
        }
        golden_say(g, a, 1, wshub_str_z(message));
        for (i = 0; i < 400 && a->got_count < 2 && a->open; i++) {
            g->net->pass(g->net->ctx, g->net->virtual_time ? 0 : 5);
            golden_collect(g, a);
        }
        if (a->got_count >= 2) {
            wshub_str m, id;
            m.ptr = a->got[1].bytes;
            m.len = a->got[1].len;
            id = wshub_json_get(wshub_json_get(m, "data"), "id");
            if (id.len == 38) memcpy(a->id, id.ptr + 1, 36);
            /* the connected event goes unlogged, what others announce does not */
            free(a->got[1].bytes);
            memmove(&a->got[1], &a->got[2], (size_t)(a->got_count - 2) * sizeof *a->got);
            a->got_count--;
        }
    }
}

/* Over sockets: waits until what an actor said has been handled, which the pong behind it
 * shows. So what one actor does next comes after what the other did before, however busy the
 * machine is. */
static void golden_barrier(golden *g, golden_actor *a) {
    int i;
    if (g->net->virtual_time || !a || !a->open || !a->upgraded || a->said_close) return;
    a->pong = false;
    golden_say(g, a, 9, wshub_str_z("zzb"));
    for (i = 0; i < 2000 && a->open && !a->pong && !a->heard_close; i++) {
        g->net->pass(g->net->ctx, 1);
        golden_collect(g, a);
    }
}

/* Says a ping and takes its pong, however late that comes, unless the connection ends first. */
static void golden_ping(golden *g, golden_actor *a) {
    int i, before = a ? a->got_count : 0;
    if (!a || !a->open) return;
    golden_say(g, a, 9, wshub_str_z("x"));
    for (i = 0; i < 2000 && a->open && a->got_count == before; i++) {
        g->net->pass(g->net->ctx, g->net->virtual_time ? 0 : 1);
        golden_collect_all(g);
        if (g->net->virtual_time) break;
    }
    if (a->got_count > before && a->got[before].opcode == 10) a->got_at = before + 1;
}

static void golden_act(golden *g, wshub_str line) {
    wshub_str who = golden_key(line, "who"), raw = fixture_none();
    golden_actor *a = who.ptr ? golden_find(g, who) : NULL;
    text t = {NULL, 0, 0};
    if (who.ptr && (!a || !a->open)) a = golden_open(g, who, "/ws", "");
    if (golden_has(line, "connected")) {
        golden_connected(g, line);
    } else if (golden_has(line, "signal")) {
        golden_collect_all(g);
        (void)g->net->stop(g->net->ctx, true);
    } else if (golden_has(line, "sent")) {
        raw = golden_key(line, "sent");
        golden_expand(g, raw, &t);
        golden_say(g, a, 1, text_get(&t));
    } else if (golden_has(line, "sentBinary")) {
        raw = golden_key(line, "sentBinary");
        golden_unhex(raw, &t);
        golden_say(g, a, 2, text_get(&t));
    } else if (golden_has(line, "terminates")) {
        g->net->end(g->net->ctx, a->slot);
        a->open = false;
        golden_got_add(a, -1, "", 0);
        a->close_code = 1006;
    } else if (golden_has(line, "closes")) {
        wshub_str list = wshub_json_get(line, "closes"), item, reason = wshub_str_z("");
        wshub_iter it = {0, 0};
        uint64_t code = 0;
        if (wshub_json_each(list, &it, &item)) (void)wshub_json_uint(item, &code);
        if (wshub_json_each(list, &it, &item)) {
            reason.ptr = item.ptr + 1;
            reason.len = item.len - 2;
        }
        golden_say_close(g, a, (uint16_t)code, reason);
    } else {
        wshub_str w = wshub_json_get(line, "wrote"), part;
        uint64_t length = UINT64_MAX, code = 0, rsv = 0;
        (void)wshub_json_uint(wshub_json_get(w, "length"), &length);
        (void)wshub_json_uint(wshub_json_get(w, "rsv"), &rsv);
        raw = golden_key(w, golden_has(w, "hex")      ? "hex"
                            : golden_has(w, "reason") ? "reason"
                                                      : "text");
        if (wshub_json_uint(wshub_json_get(w, "code"), &code)) {
            char two[2];
            two[0] = (char)(code >> 8);
            two[1] = (char)code;
            text_add(&t, two, 2);
        }
        if (golden_has(w, "hex")) {
            golden_unhex(raw, &t);
        } else if (golden_has(w, "reason") && raw.len == 6 &&
                   memcmp(raw.ptr, "\xEF\xBF\xBD\xEF\xBF\xBD", 6) == 0) {
            text_add(&t, "\xFF\xFE", 2); /* how the transcript shows bytes that are no text */
        } else if (raw.ptr) {
            golden_expand(g, raw, &t);
        }
        part = text_get(&t);
        if (golden_opcode(wshub_json_get(w, "op")) == 8) a->said_close = true;
        golden_frame(g, a, golden_opcode(wshub_json_get(w, "op")),
                     !wshub_str_eq_z(wshub_json_get(w, "fin"), "false"), (int)rsv,
                     !wshub_str_eq_z(wshub_json_get(w, "mask"), "false"), part, length);
    }
    golden_barrier(g, a);
    fixture_free(raw);
    fixture_free(who);
    free(t.ptr);
    g->net->pass(g->net->ctx, 0);
    golden_collect_all(g);
}

/* Does a hint. Returns how many of the written actions it used. */
static size_t golden_hint(golden *g, const char *script, const wshub_str *actions, size_t count) {
    char copy[1024], *at, *save = NULL;
    size_t used = 0;
    (void)snprintf(copy, sizeof copy, "%s", script);
    for (at = strtok_r(copy, ";", &save); at; at = strtok_r(NULL, ";", &save)) {
        char verb[16] = "", label[16] = "", *rest;
        int n = 1, offset = 0, i;
        golden_actor *a;
        wshub_str l, s;
        text t = {NULL, 0, 0};
        /* `12 raw …`: this and what follows with the same count, so many times over */
        if (*at >= '1' && *at <= '9') {
            char block[1024] = "", *next;
            n = (int)strtol(at, &next, 10);
            (void)snprintf(block, sizeof block, "%s", next + 1);
            while (save && *save >= '1' && *save <= '9' && (int)strtol(save, &next, 10) == n) {
                at = strtok_r(NULL, ";", &save);
                (void)snprintf(block + strlen(block), sizeof block - strlen(block), ";%s",
                               strchr(at, ' ') + 1);
            }
            for (i = 0; i < n; i++) (void)golden_hint(g, block, NULL, 0);
            continue;
        }
        if (*at == '+') {
            unsigned ms = (unsigned)atoi(at + 1) * g->slower;
            g->net->pass(g->net->ctx, ms);
            golden_collect_all(g);
            continue;
        }
        if (strcmp(at, "a") == 0) {
            if (used < count) golden_act(g, actions[used++]);
            continue;
        }
        (void)sscanf(at, "%15s %15s%n", verb, label, &offset);
        rest = at + offset + (at[offset] == ' ');
        l = wshub_str_z(label);
        a = golden_find(g, l);
        if (strcmp(verb, "open") == 0) {
            if (!a || !a->open) (void)golden_open(g, l, "/ws", "");
        } else if (strcmp(verb, "mute") == 0) {
            if (a) a->mute = true;
        } else if (strcmp(verb, "forget") == 0) {
            if (a) a->got_at = a->got_count;
        } else if (strcmp(verb, "cork") == 0) {
            if (!a || !a->open)
                a = golden_open(g, l, "/ws", strcmp(g->name, "upgrade-coalesced") == 0 ? NULL : "");
            g->corked = a;
        } else if (strcmp(verb, "uncork") == 0) {
            a = g->corked;
            g->corked = NULL;
            golden_write(g, a, g->cork.ptr, g->cork.len);
            g->cork.len = 0;
        } else if (strcmp(verb, "request") == 0) {
            golden_request(g, a, "/ws", "");
        } else if (strcmp(verb, "raw") == 0 || strcmp(verb, "binary") == 0) {
            golden_expand(g, wshub_str_z(rest), &t);
            if (a) golden_say(g, a, *verb == 'r' ? 1 : 2, text_get(&t));
        } else if (strcmp(verb, "bytewise") == 0) {
            g->corked = a;
            golden_say(g, a, 1, wshub_str_z(rest));
            g->corked = NULL;
            for (i = 0; i < (int)g->cork.len; i++) {
                g->net->write(g->net->ctx, a->slot, g->cork.ptr + i, 1);
                g->net->pass(g->net->ctx, 0);
            }
            g->cork.len = 0;
        } else if (strcmp(verb, "ping") == 0) {
            golden_ping(g, a);
        } else if (strcmp(verb, "close") == 0) {
            golden_say_close(g, a, (uint16_t)atoi(rest), wshub_str_z(""));
        } else if (strcmp(verb, "fragments") == 0) { /* as many times 100 bytes */
            n = atoi(rest);
            text_z(&t, "{\"event\":\"echo\",\"data\":\"");
            while ((int)t.len < n * 100 - 2) text_add(&t, "x", 1);
            text_z(&t, "\"}");
            for (i = 0; i < n; i++) {
                s.ptr = t.ptr + i * 100;
                s.len = 100;
                golden_frame(g, a, i ? 0 : 1, i == n - 1, 0, true, s, UINT64_MAX);
            }
        } else if (strcmp(verb, "deep") == 0) {
            text_z(&t, "{\"event\":\"x\",\"data\":");
            for (i = 0; i < 60000; i++) text_z(&t, "[");
            for (i = 0; i < 60000; i++) text_z(&t, "]");
            text_z(&t, "}");
            golden_say(g, a, 1, text_get(&t));
            t.len = 0;
            for (i = 0; i < 130000; i++) text_z(&t, "[");
            golden_say(g, a, 1, text_get(&t));
            for (i = 0; i < (g->net->virtual_time ? 1 : 20); i++) {
                g->net->pass(g->net->ctx, g->net->virtual_time ? 0 : 10);
                golden_collect(g, a);
            }
            /* silence or an error event: here errors */
            EXPECT_INT(a->got_count - a->got_at, g->lenient ? a->got_count - a->got_at : 2);
            a->got_at = a->got_count;
        } else { /* a request of some kind */
            (void)golden_open(g, l, strcmp(verb, "path") == 0 ? rest : "/ws",
                              strcmp(verb, "path") == 0 ? "" : verb);
        }
        free(t.ptr);
        g->net->pass(g->net->ctx, 0);
        golden_collect_all(g);
    }
    return used;
}

/* Is the next thing an actor received what the line says? 1: yes; 0: nothing has come yet; -1:
 * something else. */
static int golden_receipt(golden *g, golden_actor *a, wshub_str line) {
    golden_got *e;
    wshub_str want, got;
    uint64_t number = 0;
    int ok = -1;
    golden_collect(g, a);
    /* its 101 was taken before */
    if (golden_has(line, "http") && a->got_at < a->got_count && a->got[a->got_at].opcode < 1000)
        return 1;
    while (a->got_at < a->got_count && a->got[a->got_at].opcode == 1101 &&
           !golden_has(line, "http"))
        a->got_at++;
    /* a client tells the Close together with the end */
    if (golden_has(line, "closed") || golden_has(line, "tcp")) {
        while (golden_has(line, "closed") && a->got_at < a->got_count &&
               a->got[a->got_at].opcode == 8)
            a->got_at++;
    }
    if (a->got_at >= a->got_count) return 0;
    e = &a->got[a->got_at];
    got.ptr = e->bytes;
    got.len = e->len;
    if (golden_has(line, "http")) {
        (void)wshub_json_uint(wshub_json_get(line, "http"), &number);
        ok = e->opcode == 1000 + (int)number ? 1 : -1;
        if (ok == 1 && number == 101 && !strstr(e->bytes, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) ok = -1;
        if (wshub_json_type(wshub_json_get(line, "sec-websocket-extensions")) == WSHUB_JSON_NULL &&
            strstr(e->bytes, "Extensions"))
            ok = -1;
    } else if (golden_has(line, "tcp")) {
        ok = e->opcode == -1 ? 1 : -1;
    } else if (golden_has(line, "closed")) {
        wshub_str list = wshub_json_get(line, "closed"), item;
        wshub_iter it = {0, 0};
        char reason[160];
        (void)wshub_json_each(list, &it, &item);
        (void)wshub_json_uint(item, &number);
        (void)wshub_json_each(list, &it, &item);
        (void)snprintf(reason, sizeof reason, "\"%s\"", a->close_reason);
        ok = e->opcode == -1 && (a->heard_close ? a->close_code : 1006) == number &&
                     (wshub_str_eq_z(item, "\"*\"") || wshub_str_eq_z(item, reason))
                 ? 1
                 : -1;
    } else if (golden_has(line, "got") || (golden_has(line, "frame") && golden_has(line, "text"))) {
        want = golden_key(line, golden_has(line, "got") ? "got" : "text");
        if (golden_has(line, "decoded")) { /* {"event":"encrypted","data":"<base64>"} */
            wshub_str plain = golden_key(line, "decoded"), data = wshub_json_get(got, "data");
            text t = {NULL, 0, 0};
            static const char digits[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            size_t i;
            for (i = 1; i + 4 < data.len; i += 4) {
                char out[3];
                uint32_t w = 0, k, n = 3;
                for (k = 0; k < 4; k++) {
                    const char *d = strchr(digits, data.ptr[i + k]);
                    if (data.ptr[i + k] == '=') n--;
                    w = w << 6 | (uint32_t)(d && data.ptr[i + k] != '=' ? d - digits : 0);
                }
                out[0] = (char)(w >> 16);
                out[1] = (char)(w >> 8);
                out[2] = (char)w;
                text_add(&t, out, n);
            }
            ok = e->opcode == 1 && golden_match_sorted(g, plain, text_get(&t)) ? 1 : -1;
            free(t.ptr);
            fixture_free(plain);
        } else {
            ok = e->opcode == 1 && (g->by_value ? golden_same_value(want, got)
                                                : golden_match_sorted(g, want, got))
                     ? 1
                     : -1;
        }
        fixture_free(want);
    } else if (golden_has(line, "frame")) {
        ok = e->opcode == golden_opcode(wshub_json_get(line, "frame")) ? 1 : -1;
        if (ok == 1 && e->opcode == 8) {
            bool coded = wshub_json_uint(wshub_json_get(line, "code"), &number);
            wshub_str reason = golden_key(line, "reason");
            if (coded != (e->len >= 2) || (coded && a->close_code != number)) ok = -1;
            if (reason.ptr && !wshub_str_eq_z(reason, "*") &&
                !wshub_str_eq_z(reason, a->close_reason))
                ok = -1;
            fixture_free(reason);
        } else if (ok == 1) {
            want = golden_key(line, "payload");
            ok = golden_match(g, want, got) ? 1 : -1;
            fixture_free(want);
        }
    }
    if (ok == 1) a->got_at++;
    return ok;
}

static void golden_segment(golden *g, const char *hint, const wshub_str *actions,
                           size_t actions_count, const wshub_str *receipts, size_t count) {
    size_t i;
    int k;
    /* who receives must be there; who gets a new answer to an upgrade is new */
    for (i = 0; i < count; i++) {
        wshub_str who = golden_key(receipts[i], "who");
        golden_actor *a = golden_find(g, who);
        uint64_t status = 0;
        bool fresh = wshub_json_uint(wshub_json_get(receipts[i], "http"), &status) && status == 101,
             first = true;
        size_t p;
        /* of several the first; what comes behind an end is opened then */
        for (p = 0; p < i; p++) {
            wshub_str other = golden_key(receipts[p], "who");
            if (wshub_str_eq(who, other)) first = false;
            fixture_free(other);
        }
        for (p = 0; p < actions_count; p++) { /* the action opens it */
            wshub_iter it = {0, 0};
            wshub_str item, other = golden_key(actions[p], "who");
            if (wshub_str_eq(who, other) && !fresh) first = false;
            fixture_free(other);
            while (wshub_json_each(wshub_json_get(actions[p], "connected"), &it, &item)) {
                if (item.len == who.len + 2 && memcmp(item.ptr + 1, who.ptr, who.len) == 0)
                    first = false;
            }
        }
        /* opened, not yet told */
        if (fresh && a && a->got_at < a->got_count && a->got[a->got_at].opcode == 1101)
            fresh = false;
        if (fresh && hint &&
            (strstr(hint, "request") || strstr(hint, "oddcase") || strstr(hint, "subprotocol") ||
             strstr(hint, "deflate A")))
            fresh = false;
        if (first && (fresh || !a) && !(hint && !golden_has(receipts[i], "closed")))
            (void)golden_open(g, who, "/ws", "");
        fixture_free(who);
    }
    i = hint ? golden_hint(g, hint, actions, actions_count) : 0;
    for (; i < actions_count; i++) golden_act(g, actions[i]);
    for (i = 0; i < count && !g->why[0]; i++) {
        wshub_str who = golden_key(receipts[i], "who");
        golden_actor *a = golden_find(g, who);
        uint64_t status = 0;
        int r, wait;
        if (a && !a->open && a->got_at == a->got_count &&
            wshub_json_uint(wshub_json_get(receipts[i], "http"), &status) && status == 101) {
            a = golden_open(g, who, "/ws", "");
        }
        r = a ? golden_receipt(g, a, receipts[i]) : -1;
        for (wait = 0;
             r == 0 &&
             wait < (g->lenient ? 3 : (g->net->virtual_time ? 800 : 6000) * (int)g->slower);
             wait++) {
            g->net->pass(g->net->ctx, g->net->virtual_time ? 25 : 10);
            golden_collect_all(g);
            r = golden_receipt(g, a, receipts[i]);
        }
        if (r != 1) {
            golden_fail(g, receipts[i].ptr, r ? "something else than" : "in vain waited for",
                        a && a->got_at < a->got_count ? a->got[a->got_at].bytes : "(nothing)",
                        a && a->got_at < a->got_count ? a->got[a->got_at].len : 9);
        }
        fixture_free(who);
    }
    g->net->pass(g->net->ctx, 0);
    for (k = 0; k < g->actors_count; k++) golden_barrier(g, &g->actors[k]);
    golden_collect_all(g);
    for (k = 0; k < g->actors_count; k++) { /* and nothing else */
        golden_actor *a = &g->actors[k];
        while (a->got_at < a->got_count &&
               (a->got[a->got_at].opcode >= 1000 || a->got[a->got_at].opcode == -1 ||
                a->got[a->got_at].opcode == 8)) {
            if (a->got[a->got_at].opcode == 1101) break; /* told later */
            a->got_at++; /* a connection the driver dropped in silence */
        }
        if (a->got_at < a->got_count && a->got[a->got_at].opcode < 1000) {
            golden_fail(g, a->label, "more than the transcript has for", a->got[a->got_at].bytes,
                        a->got[a->got_at].len);
        }
    }
}

/* An option of the server's, its times so many times longer. */
static char *golden_option(wshub_str item, unsigned slower) {
    char *o = (char *)malloc(item.len + 8);
    uint64_t n = 0;
    o[wshub_json_text(item, o, item.len)] = 0;
    if (slower > 1 && o[0] >= '1' && o[0] <= '9') {
        n = strtoull(o, NULL, 10) * slower;
        (void)snprintf(o, item.len + 8, "%llu", (unsigned long long)n);
    }
    return o;
}

/* Plays one file, all its times so many times longer. Returns NULL, or what differs. *played false:
 * it is for another test. */
static const char *golden_play(golden *g, const golden_net *net, char *file, unsigned slower,
                               bool *played) {
    static char result[1024];
    wshub_str lines[2048], item, name, step = fixture_none();
    size_t count = 0, i = 0, k;
    char *argv[32], *save = NULL, *line;
    int argc = 0;
    wshub_iter it = {0, 0};
    const char *hint = NULL;
    memset(g, 0, sizeof *g);
    g->net = net;
    g->slower = slower;
    for (line = strtok_r(file, "\n", &save); line && count < 2048;
         line = strtok_r(NULL, "\n", &save))
        lines[count++] = wshub_str_z(line);
    name = golden_key(lines[0], "scenario");
    g->name = name.ptr;
    g->by_value = golden_has(lines[0], "compare");
    *played = true;
    for (k = 0; k < sizeof golden_hints / sizeof *golden_hints; k++) {
        if (!wshub_str_eq_z(name, golden_hints[k].scenario) || golden_hints[k].step[0]) continue;
        hint = golden_hints[k].script;
    }
    {
        char *z = (char *)malloc(name.len + 1); /* terminated */
        memcpy(z, name.ptr, name.len);
        z[name.len] = 0;
        fixture_free(name);
        g->name = z;
        name.ptr = z;
    }
    if (hint && strcmp(hint, "elsewhere") == 0) *played = false;
    /* 16 s for what virtual time shows */
    if (!net->virtual_time && strcmp(g->name, "idle-timeout") == 0) *played = false;
    argv[argc++] = (char *)(uintptr_t) "fixture";
    while (wshub_json_each(wshub_json_get(lines[0], "options"), &it, &item) && argc < 31) {
        argv[argc++] = golden_option(item, slower);
    }
    if (*played && !net->start(net->ctx, argc, argv))
        (void)snprintf(g->why, sizeof g->why, "the server did not start");
    for (k = 1; *played && k < count && !g->why[0];) {
        wshub_str actions[256], receipts[512];
        size_t a = 0, r = 0;
        if (golden_has(lines[k], "step")) {
            size_t h;
            fixture_free(step);
            step = golden_key(lines[k++], "step");
            hint = NULL;
            for (h = 0; h < sizeof golden_hints / sizeof *golden_hints; h++) {
                if (strcmp(g->name, golden_hints[h].scenario) == 0 && golden_hints[h].step[0] &&
                    wshub_str_eq_z(step, golden_hints[h].step))
                    hint = golden_hints[h].script;
            }
        }
        while (k < count && a < 256 &&
               (golden_is_action(lines[k]) || golden_has(lines[k], "note") ||
                golden_has(lines[k], "timing"))) {
            if (golden_is_action(lines[k])) actions[a++] = lines[k];
            k++;
        }
        while (k < count && r < 512 &&
               (golden_is_receipt(lines[k]) || golden_has(lines[k], "note") ||
                golden_has(lines[k], "timing"))) {
            if (golden_is_receipt(lines[k])) receipts[r++] = lines[k];
            k++;
        }
        if (k < count && golden_has(lines[k], "exit")) k++;
        golden_segment(g, hint, actions, a, receipts, r);
        hint = NULL;
    }
    if (*played) {
        int status = net->stop(net->ctx, false);
        if (status && !g->why[0])
            (void)snprintf(g->why, sizeof g->why, "the server ended with status %d", status);
    }
    for (i = 1; i < (size_t)argc; i++) free(argv[i]);
    for (k = 0; k < (size_t)g->actors_count; k++) golden_clear(&g->actors[k]);
    fixture_free(step);
    fixture_free(name);
    free(g->cork.ptr);
    (void)snprintf(result, sizeof result, "%s", g->why);
    return result[0] ? result : NULL;
}

static char *golden_load(const char *path) {
    FILE *f = fopen(path, "rb");
    char *s;
    long n;
    if (!f) return NULL;
    (void)fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    s = (char *)malloc((size_t)n + 1);
    if (!s || fread(s, 1, (size_t)n, f) != (size_t)n) abort();
    s[n] = 0;
    (void)fclose(f);
    return s;
}

static int golden_by_name(const void *a, const void *b) {
    return strcmp((const char *)a, (const char *)b);
}

/* In how many shares the transcripts are played, by programs beside each other: N of WSHUB_SHARE=K/N.
 * *out_share: which one is this program's, from 0 on. */
static size_t golden_shares(size_t *out_share) {
    const char *share = getenv("WSHUB_SHARE"), *slash = share ? strchr(share, '/') : NULL;
    size_t shares = slash ? (size_t)strtoul(slash + 1, NULL, 10) : 1;
    *out_share = slash ? (size_t)strtoul(share, NULL, 10) : 0;
    if (shares < 1 || *out_share >= shares) {
        (void)fprintf(stderr, "WSHUB_SHARE=K/N: the share K of N, from 0 on\n");
        exit(2);
    }
    return shares;
}

/* The files to play: NAME.alt-*.jsonl where there is one, NAME.or-*.jsonl where we chose so,
 * else NAME.jsonl. Of these, this program's share. */
static size_t golden_files(char out[][300], size_t cap) {
    DIR *d = opendir("tests/golden");
    struct dirent *e;
    static char names[512][256];
    size_t count = 0, n = 0, i, k, seen = 0, share, shares = golden_shares(&share);
    while (d && (e = readdir(d)) != NULL && count < 512) {
        if (strstr(e->d_name, ".jsonl")) (void)snprintf(names[count++], 256, "%.255s", e->d_name);
    }
    if (d) (void)closedir(d);
    qsort(names, count, 256, golden_by_name);
    for (i = 0; i < count && n < cap; i++) {
        size_t len = strcspn(names[i], ".");
        bool better = false;
        for (k = 0; k < count; k++) {
            if (k != i && strncmp(names[k], names[i], len) == 0 && names[k][len] == '.' &&
                !strstr(names[i], ".alt-") && !strstr(names[i], ".or-"))
                better = true;
        }
        if (!better && seen++ % shares == share)
            (void)snprintf(out[n++], 300, "tests/golden/%s", names[i]);
    }
    return n;
}
#endif
