/* The HTTP side of the simulation: callers that send requests one by one and in pipelines, with
 * bodies of both framings, over HTTP/1.1 and 1.0, and read the answers at once, slowly or not
 * at all; that end their sending half behind a question, upgrade behind some pages, or say what
 * no server may take. The model knows of each stream which requests the application must be
 * asked, in which order and with which body, which answers must come, whole and once, and when
 * the stream must end (CONN-2, CONN-3, CONN-5, SEND-6, LIVE-2, LIVE-3). It is made from
 * the rules of wshub.h: it knows nothing of how the hub does it. Included by tests/sim.c. */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

enum {
    DUES = 96,        /* requests of one stream not yet answered */
    OWINGS = 64,      /* answers that the application owes */
    PAGE_MAX = 30000, /* ten times what a stream may owe before it is read no further */
    BODY_MAX = 2000,  /* http_body_bytes_max of these hubs */
    SLACK_MS = 1100   /* how late a deadline may be found */
};

typedef enum due_kind {
    DUE_PAGE,    /* answered at once */
    DUE_LATE,    /* later, by a timer or by another callback */
    DUE_NEVER,   /* 503 after http_timeout_ms */
    DUE_NONE,    /* the application declines: 404 */
    DUE_REFUSED, /* no server may take it: 4xx or 501, and the end */
    DUE_EITHER,  /* an upgrade with a body: refused, or the application's with all of it (CONN-5) */
    DUE_UPGRADE  /* 101 */
} due_kind;

typedef struct due {
    uint32_t number, page, body; /* lengths of the answer and of the request's body */
    size_t end;                  /* where the request ends in what is being said */
    uint64_t asked_at, ready_at;
    due_kind kind;
    bool head, closes, continues, hello, said, asked, ready;
} due;

typedef struct caller {
    hub_site *at;
    wshub_conn conn; /* 0: none */
    uint32_t life;
    due dues[DUES];
    uint32_t first, count;
    bool certain;                /* nothing has happened to it that would excuse an end */
    bool mad;                    /* it has said what is no HTTP */
    bool fin;                    /* it says no more */
    bool last;                   /* it has said a request behind which the stream ends */
    bool done;                   /* it wants nothing more */
    bool ends;                   /* the answer behind which the stream ends has come */
    bool spoke, stopped, waited; /* waited: it has read slowly, or not, for a while */
    bool silent;                 /* it never ends its half by itself */
    bool over;                   /* our half has ended */
    uint32_t pace, pace_ms;      /* so many bytes each so many ms; 0: reads at once */
    uint64_t pace_at;
    char *rest; /* the second half of what it says */
    size_t rest_len;
    uint64_t rest_at;
    uint64_t opened_at, active_at, said_at, took_at, stopped_at, over_at;
    size_t seen, needs; /* bytes of output seen, and needed for the next answer to be whole */
} caller;

typedef struct owing { /* an answer that the application owes */
    hub_site *s;       /* NULL: free */
    wshub_exchange request;
    uint32_t life, number, page;
    bool done; /* given before its timer */
} owing;

static struct callers {
    caller all[CALLERS];
    owing owings[OWINGS];
    uint32_t max;
    uint64_t asked, answered, bytes;
} http;

static char http_pattern[HUGE + 64], http_sneak[4096];
/* what bodies are made of (CONN-5) */
static const char sneaked[] = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

static void http_patterns(void) {
    size_t i;
    for (i = 0; i < sizeof http_pattern; i++) http_pattern[i] = (char)('a' + i % 61 % 26);
    for (i = 0; i < sizeof http_sneak; i++) http_sneak[i] = sneaked[i % (sizeof sneaked - 1)];
}

static due *due_at(caller *c, uint32_t i) {
    return &c->dues[(c->first + i) % DUES];
}
static caller *caller_of(hub_site *s, uint32_t life) {
    uint32_t i;
    for (i = 0; i < http.max; i++) {
        if (http.all[i].conn.id && http.all[i].at == s && http.all[i].life == life)
            return &http.all[i];
    }
    return NULL;
}
static due *due_of(caller *c, uint32_t number) {
    uint32_t i;
    for (i = 0; c && i < c->count; i++) {
        if (due_at(c, i)->number == number) return due_at(c, i);
    }
    return NULL;
}
static void caller_blame(const caller *c, const char *what) {
    const due *d = &c->dues[c->first];
    (void)printf("  step %u at %llu: caller %d on hub %u: %s; %u due%s%s%s%s\n", sim.step,
                 (unsigned long long)sim.now, (int)(c - http.all), c->at->index, what, c->count,
                 c->fin ? ", half-closed" : "", c->stopped ? ", reads no more" : "",
                 c->pace ? ", reads slowly" : "", c->rest_len ? ", in the middle of saying" : "");
    (void)printf("    opened %llu, said %llu, active %llu, stopped %llu, pace %u each %u\n",
                 (unsigned long long)c->opened_at, (unsigned long long)c->said_at,
                 (unsigned long long)c->active_at, (unsigned long long)c->stopped_at, c->pace,
                 c->pace_ms);
    if (c->count) {
        (void)printf("    first: number %u kind %d page %u body %u%s%s%s%s%s\n", d->number,
                     (int)d->kind, d->page, d->body, d->head ? ", HEAD" : "",
                     d->closes ? ", closes" : "", d->said ? ", said" : "",
                     d->asked ? ", asked" : "", d->ready ? ", answered" : "");
    }
}

/* ---- the application's half ---- */

static wshub_err page_reply(hub_site *s, wshub_exchange request, uint32_t life, uint32_t number,
                            uint32_t page) {
    caller *c = caller_of(s, life);
    due *d = due_of(c, number);
    wshub_header own[2];
    wshub_reply r;
    char n[16];
    wshub_err err;
    memset(&r, 0, sizeof r);
    own[0].name = wshub_str_z("X-N");
    own[0].value.ptr = n;
    own[0].value.len = (size_t)snprintf(n, sizeof n, "%u", number);
    /* CONN-5: the hub's alone */
    own[1].name = wshub_str_z(number % 2 ? "Content-Length" : "Transfer-Encoding");
    own[1].value = wshub_str_z(number % 2 ? "3" : "chunked");
    r.status = 200;
    r.headers = own;
    r.headers_count = number % 7 == 0 ? 2 : 1;
    r.body.ptr = http_pattern + number % 61;
    r.body.len = page;
    r.close = number % 13 == 0;
    err = wshub_http_reply(s->hub, request, &r);
    if (err == WSHUB_ERR_PARAM && r.headers_count == 2) {
        r.headers_count = 1;
        err = wshub_http_reply(s->hub, request, &r);
    }
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_STALE || err == WSHUB_ERR_NOMEM);
    if (err == WSHUB_OK && d) {
        EXPECT(d->asked && !d->ready);
        d->ready = true;
        d->ready_at = sim.now;
    } else if (err && d && c->certain && d->asked_at > c->at->woke_at) {
        caller_blame(c, wshub_strerror(err));
        EXPECT(!"an answer that somebody waits for is taken");
    }
    return err;
}

static void owing_due(wshub *hub, void *arg) {
    owing *o = (owing *)arg;
    hub_site *s = o->s;
    (void)hub;
    if (!o->done) (void)page_reply(s, o->request, o->life, o->number, o->page);
    o->s = NULL;
    maybe_meddle(s);
}
static void owing_early(hub_site *s) { /* another callback knows the answer */
    owing *o = &http.owings[rnd(OWINGS)];
    if (o->s != s || o->done) return;
    o->done = true;
    if (page_reply(s, o->request, o->life, o->number, o->page) == WSHUB_OK && rnd(3) == 0) {
        wshub_reply r;
        memset(&r, 0, sizeof r);
        r.status = 200;
        EXPECT(wshub_http_reply(s->hub, o->request, &r) == WSHUB_ERR_STALE); /* once */
    }
}

static uint32_t query_number(wshub_str query, char key) { /* n=1&p=2 */
    size_t i;
    for (i = 0; i + 1 < query.len; i++) {
        if (query.ptr[i] == key && query.ptr[i + 1] == '=') {
            uint32_t n = 0;
            for (i += 2; i < query.len && query.ptr[i] >= '0' && query.ptr[i] <= '9'; i++)
                n = n * 10 + (uint32_t)(query.ptr[i] - '0');
            return n;
        }
    }
    return 0;
}

static bool on_request(wshub *hub, wshub_exchange request, const wshub_http *h, void *user) {
    hub_site *s = (hub_site *)user;
    uint32_t i, n = query_number(h->query, 'n');
    caller *c = NULL;
    due *d = NULL;
    for (i = 0; i < http.max; i++) {
        if (http.all[i].at == s && http.all[i].conn.id == h->conn.id) c = &http.all[i];
    }
    if (c && c->mad) return false;
    for (i = 0; c && i < c->count && !d; i++) {
        if (!due_at(c, i)->asked) d = due_at(c, i);
    }
    if (!d || d->number != n || d->kind == DUE_REFUSED || d->kind == DUE_UPGRADE || !d->said) {
        (void)printf("  step %u: hub %u: the application is asked %.*s %.*s, body of %u bytes\n",
                     sim.step, s->index, (int)h->method.len, h->method.ptr, (int)h->target.len,
                     h->target.ptr, (unsigned)h->body.len);
        if (c) caller_blame(c, "that is not what it is owed next");
        EXPECT(!"requests are those that were made, in order, once");
        return false;
    }
    /* all of it, and nothing else */
    EXPECT(h->body.len == d->body && (!d->body || memcmp(h->body.ptr, http_sneak, d->body) == 0));
    EXPECT(wshub_str_eq_z(h->method, "HEAD") == d->head);
    http.asked++;
    d->asked = true;
    d->asked_at = sim.now;
    trace(&d->number, 1);
    if (d->kind == DUE_NONE) return false;
    if (d->kind == DUE_LATE) {
        owing *o = &http.owings[rnd(OWINGS)];
        uint32_t delay = query_number(h->query, 'd');
        if (!o->s && wshub_timer_start(hub, delay, owing_due, o, NULL) == WSHUB_OK) {
            o->s = s;
            o->request = request;
            o->life = c->life;
            o->number = d->number;
            o->page = d->page;
            o->done = false;
            maybe_meddle(s);
            return true;
        }
    }
    if (d->kind != DUE_NEVER) (void)page_reply(s, request, c->life, d->number, d->page);
    maybe_meddle(s);
    return true;
}

/* ---- what a caller says ---- */

/* chunks of any length, with extensions and trailers */
static size_t body_put(char *p, uint32_t body, bool chunked) {
    size_t at = 0, done = 0;
    if (!chunked) {
        memcpy(p, http_sneak, body);
        return body;
    }
    while (done < body) {
        size_t k = 1 + rnd(body - (uint32_t)done);
        at += (size_t)sprintf(p + at, "%x%s\r\n", (unsigned)k, rnd(8) ? "" : ";a=b");
        memcpy(p + at, http_sneak + done % (sizeof sneaked - 1), k);
        at += k;
        done += k;
        at += (size_t)sprintf(p + at, "\r\n");
    }
    return at +
           (size_t)sprintf(p + at, "0\r\n%s\r\n", rnd(4) ? "" : "X-T: GET /smuggled HTTP/1.1\r\n");
}

/* One request that the model has an answer for, at p. */
static size_t request_put(caller *c, char *p) {
    static const char *const says_close[] = {"close", "keep-alive, Close", "Upgrade ,close",
                                             "x,close,y"};
    /* clang-format off */
    static const char *const broken[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: +5", "Host : h",
        "Transfer-Encoding: gzip, chunked", "Content-Length: 5 6", "A\x01: b", "Host: h",
    };
    /* clang-format on */
    due *d = due_at(c, c->count);
    const char *method, *form;
    uint32_t r = rnd(40), minor = rnd(10) ? 1 : 0, delay;
    bool chunked = rnd(2), upgrade = rnd(8) == 0, close = rnd(12) == 0, big = false;
    size_t at;
    memset(d, 0, sizeof *d);
    d->number = ++sim.requests;
    d->kind = r < 8     ? DUE_LATE
              : r < 10  ? DUE_NONE
              : r == 10 ? DUE_NEVER
              : r == 11 ? DUE_REFUSED
              : r == 12 ? DUE_EITHER
                        : DUE_PAGE;
    d->page = rnd(10) == 0 ? LIMIT - rnd(250) : rnd(6) ? rnd(400) : rnd(rnd(12) ? PAGE_MAX : HUGE);
    if (rnd(3) == 0 || d->kind == DUE_EITHER) d->body = 1 + rnd(BODY_MAX);
    if (d->kind == DUE_EITHER) minor = 1;
    if (!minor) chunked = false; /* a 1.0 request has no chunks */
    d->head = !d->body && rnd(8) == 0;
    delay = rnd(4) ? rnd(3000) : rnd(25000);
    d->closes = close || !minor || d->kind == DUE_NEVER || d->kind == DUE_REFUSED ||
                (d->number % 13 == 0 && d->kind <= DUE_LATE);
    form = rnd(8) ? "" : "http://h"; /* apart: compilers choose the order of arguments */
    method = rnd(2) ? "POST" : "PUT";
    if (d->kind == DUE_EITHER || !d->body) method = d->head ? "HEAD" : "GET";
    at = (size_t)sprintf(p, "%s %s%s?n=%u&p=%u&d=%u HTTP/1.%u\r\nHost: h\r\n", method, form,
                         d->kind == DUE_EITHER ? "/ws" : "/q", d->number, d->page, delay, minor);
    if (d->kind == DUE_EITHER)
        at += (size_t)sprintf(p + at,
                              "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                              "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    /* away from the path it changes nothing */
    else if (upgrade)
        at += (size_t)sprintf(p + at, "Upgrade: websocket\r\n%s",
                              rnd(2) ? "Connection: Upgrade\r\n" : "");
    if (close) at += (size_t)sprintf(p + at, "Connection: %s\r\n", says_close[rnd(4)]);
    /* CONN-3 */
    if (rnd(40) == 0)
        at += (size_t)sprintf(p + at, "Cookie: %.*s\r\n", 2000 + (int)rnd(5000), http_pattern);
    if (d->kind == DUE_REFUSED) {
        big = rnd(2);
        if (big)
            d->body = BODY_MAX + 1 + rnd(1000); /* 413 */
        else
            at += (size_t)sprintf(p + at, "%s\r\n", broken[rnd(8)]);
    }
    if (d->body) {
        if (minor && rnd(c->waited ? 2 : 4) == 0) {
            d->continues = true;
            at += (size_t)sprintf(p + at, "Expect: 100-continue\r\n");
        }
        if (d->kind != DUE_REFUSED || big)
            at += chunked ? (size_t)sprintf(p + at, "Transfer-Encoding: chunked\r\n")
                          : (size_t)sprintf(p + at, "Content-Length: %u\r\n", d->body);
    }
    at += (size_t)sprintf(p + at, "\r\n");
    if (d->body) at += body_put(p + at, d->body, chunked);
    d->end = 0;
    c->count++;
    if (d->closes) c->last = true;
    if (d->kind == DUE_EITHER) c->done = true;
    return at;
}

/* before it is: the answer may come from inside */
static void caller_said(caller *c, size_t upto) {
    uint32_t i;
    for (i = 0; i < c->count; i++) {
        due *d = due_at(c, i);
        if (!d->said && d->end <= upto) d->said = true;
    }
    c->spoke = true;
    c->active_at = c->said_at = sim.now;
}

static void caller_rest(caller *c) {
    char *rest = c->rest;
    size_t n = c->rest_len;
    c->rest = NULL;
    c->rest_len = 0;
    caller_said(c, SIZE_MAX);
    wshub_io_fake_input(c->at->net, c->conn, rest, n);
    free(rest);
}

/* Some requests at once, or in two pieces. */
static void caller_say(caller *c, uint32_t requests, bool upgrade) {
    static char said[DUES * 1024 + (BODY_MAX + 8192) * 12];
    size_t n = 0, cut;
    uint32_t i;
    if (!c->conn.id || c->rest_len || c->done || c->fin || c->over) return;
    if (c->last) { /* nothing behind the last is asked or answered */
        n = (size_t)sprintf(said, "GET /q?n=%u&p=1 HTTP/1.1\r\nHost: h\r\n\r\n", ++sim.requests);
        wshub_io_fake_input(c->at->net, c->conn, said, n);
        return;
    }
    for (i = 0;
         i < requests && c->count < DUES - 1 && !c->last && !c->done && n + 40000 < sizeof said;
         i++) {
        due *d = due_at(c, c->count);
        n += request_put(c, said + n);
        d->end = n;
    }
    if (upgrade && c->count < DUES && !c->last && !c->done) {
        due *d = due_at(c, c->count++);
        memset(d, 0, sizeof *d);
        d->number = ++sim.requests;
        d->kind = DUE_UPGRADE;
        n += (size_t)sprintf(said + n,
                             "GET %s/ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, "
                             "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                             "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                             rnd(4) ? "" : "http://h");
        d->end = n;
        if (rnd(2)) { /* its first words right behind, masked with nought */
            static const char hello[] = "{\"event\":\"authenticate\",\"data\":{\"how\":\"now\"}}";
            said[n++] = (char)0x81;
            said[n++] = (char)(0x80 | (sizeof hello - 1));
            memset(said + n, 0, 4);
            memcpy(said + n + 4, hello, sizeof hello - 1);
            n += 4 + sizeof hello - 1;
            d->hello = true;
        }
        c->done = true;
    }
    cut = rnd(3) ? n : rnd((uint32_t)n);
    if (cut == 0) cut = n;
    if (cut < n) {
        c->rest = (char *)malloc(n - cut);
        memcpy(c->rest, said + cut, n - cut);
        c->rest_len = n - cut;
        c->rest_at = sim.now + rnd(4000);
        /* CONN-3: the first head in time */
        if (!c->spoke && c->rest_at > c->opened_at + HEAD_MS - 500)
            c->rest_at = c->opened_at + HEAD_MS - 500;
    }
    if (!n) return;
    caller_said(c, cut);
    wshub_io_fake_input(c->at->net, c->conn, said, cut);
}

static void caller_open(caller *c, hub_site *s) {
    memset(c, 0, sizeof *c);
    c->at = s;
    c->life = ++sim.lives;
    c->certain = s->fail_at == 0; /* before: it may be its own beginning that fails */
    c->conn = wshub_io_fake_open(s->net);
    if (!c->conn.id) return;
    c->opened_at = c->active_at = c->said_at = sim.now;
    c->silent = rnd(6) == 0;
    if (c->silent) wshub_io_fake_silent(s->net, c->conn, true);
    /* a slow reader, slower than every timeout on the whole, never without progress */
    if (rnd(4) == 0) {
        c->waited = true;
        c->pace = 1 + rnd(1500);
        c->pace_ms = rnd(6) ? 100 + rnd(8000) : 100 + rnd(40000);
        c->pace_at = sim.now + c->pace_ms;
        wshub_io_fake_window(s->net, c->conn, c->pace);
    }
}

/* ---- what a caller hears ---- */

/* a header line, with its value */
static bool caller_word(wshub_str head, const char *name, wshub_str *out) {
    size_t i, n = strlen(name);
    for (i = 0; i + 2 + n < head.len; i++) {
        if (head.ptr[i] == '\n' && memcmp(head.ptr + i + 1, name, n) == 0 &&
            head.ptr[i + 1 + n] == ':') {
            out->ptr = head.ptr + i + n + 3;
            for (out->len = 0; out->ptr[out->len] != '\r'; out->len++) {
            }
            return true;
        }
    }
    return false;
}

static void caller_upgraded(caller *c, bool hello); /* in sim.c: a client from here on */

/* Takes the next answer, if it is whole, and judges it. */
static bool caller_hears(caller *c) {
    wshub_str out = wshub_io_fake_output(c->at->net, c->conn), head, length, value;
    due *d = due_at(c, 0);
    const char *end;
    size_t body;
    int status;
    bool closes, right;
    if (c->mad) {
        wshub_io_fake_take(c->at->net, c->conn, out.len);
        c->seen = 0;
        return false;
    }
    if (!out.len || out.len < c->needs) return false;
    if (!c->count) {
        caller_blame(c, "hears something that it has not asked for");
        (void)printf("    %.200s\n", out.ptr);
        EXPECT(!"no answer without a question");
        return false;
    }
    end = strstr(out.ptr, "\r\n\r\n");
    if (!end) return false;
    head.ptr = out.ptr;
    head.len = (size_t)(end - out.ptr) + 4;
    status = atoi(out.ptr + 9);
    EXPECT(memcmp(out.ptr, "HTTP/1.1 ", 9) == 0);
    if (status == 100) {
        EXPECT(d->continues);
        d->continues = false;
        wshub_io_fake_take(c->at->net, c->conn, head.len);
        c->seen = out.len - head.len;
        return true;
    }
    if (!caller_word(head, "Content-Length", &length)) length.len = 0;
    body = length.len && !d->head ? (size_t)strtoul(length.ptr, NULL, 10) : 0;
    if (out.len < head.len + body) {
        c->needs = head.len + body;
        return false;
    }
    c->needs = 0;
    closes = caller_word(head, "Connection", &value) && value.len == 5 &&
             memcmp(value.ptr, "close", 5) == 0;
    /* framed once */
    if (status != 101) EXPECT(length.len && !caller_word(head, "Transfer-Encoding", &value));
    if (length.len) {
        wshub_str after = {length.ptr, (size_t)(head.ptr + head.len - length.ptr)}, twice;
        EXPECT(!caller_word(after, "Content-Length", &twice));
    }
    trace(&status, 1);
    trace(&body, 1);
    switch (d->kind) {
    case DUE_NONE: right = status == 404; break;
    case DUE_NEVER: right = status == 503 && sim.now - d->asked_at + SLACK_MS >= HTTP_MS; break;
    case DUE_REFUSED: right = status >= 400 && status <= 505 && !d->asked; break;
    case DUE_UPGRADE: right = status == 101; break;
    case DUE_EITHER:
        right = d->asked ? status == 200 : status >= 400 && status < 500;
        d->closes |= !d->asked || status != 200;
        break;
    default: right = status == 200 && d->ready; break;
    }
    if (status == 200 && right) { /* number, length and every byte */
        size_t size = d->head ? (size_t)strtoul(length.ptr, NULL, 10) : body;
        right =
            size == d->page && (!body || memcmp(end + 4, http_pattern + d->number % 61, body) == 0);
        right &= caller_word(head, "X-N", &value) && strtoul(value.ptr, NULL, 10) == d->number;
        if (d->number % 13 == 0) d->closes = true;
    } else if (!right && c->at->leaving && status == 503) {
        right = d->closes = true; /* BYE-2: nobody new */
    } else if (!right && (!c->certain || d->asked_at <= c->at->woke_at) && status >= 500) {
        /* want of memory, or it was asleep while the application owed it an answer */
        right = d->closes = true;
    }
    if (!right || (closes != d->closes && status != 101 && !c->at->leaving)) {
        caller_blame(c, "hears the wrong answer");
        (void)printf("    %.*s\n", (int)head.len, head.ptr);
        EXPECT(!"answers are whole, in order, and say what becomes of the stream");
    }
    http.answered++;
    http.bytes += head.len + body;
    wshub_io_fake_take(c->at->net, c->conn, head.len + body);
    c->seen = out.len - head.len - body;
    c->active_at = sim.now;
    c->first = (c->first + 1) % DUES;
    c->count--;
    if (closes) {
        c->ends = true;
        if (!c->count) return false;
        /* what lies behind a 5xx is not answered */
        if (!c->certain || c->at->leaving || d->asked_at <= c->at->woke_at) c->count = 0;
        EXPECT(!c->count);
    }
    if (status == 101) {
        caller_upgraded(c, d->hello);
        return false;
    }
    return true;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* May this stream have ended by now (certain of it)? */
static bool caller_may_end(const caller *c) {
    const due *d = &c->dues[c->first];
    if (c->ends || (c->fin && !c->count)) return true;
    /* a client already, and close_on_backpressure */
    if (c->at->index == 0 && (c->waited || takes_little(c->at)) && c->count &&
        c->dues[(c->first + c->count - 1) % DUES].kind == DUE_UPGRADE)
        return true;
    if (c->at->leaving && (!c->count || !d->asked || c->pace || c->stopped ||
                           sim.now >= c->at->leave_at + SHUTDOWN_MS))
        return true;
    /* the last piece of an answer proves nothing: the system takes it, whether there is a peer
     * or not */
    if (!c->count && !c->rest_len)
        return sim.now - (c->waited ? c->said_at : c->active_at) >= IDLE_MS ||
               (!c->spoke && sim.now - c->opened_at >= HEAD_MS);
    /* a 100 is owed from its head on */
    return c->stopped && c->count &&
           sim.now >= later(c->took_at, d->continues ? 0
                                        : d->ready   ? d->ready_at
                                                     : d->asked_at) +
                          WRITE_MS;
}

/* What must be by now, once everything that was on its way has arrived. */
static void caller_check(caller *c) {
    const due *d = &c->dues[c->first];
    bool reads = !c->pace && !c->stopped;
    const char *why = NULL;
    if (c->over && sim.now > later(c->over_at, c->at->woke_at) + CLOSE_MS + SLACK_MS)
        why = "our half has ended, its does not, and the stream is still there";
    else if (!c->certain || c->mad || c->over)
        return;
    else if (c->ends || (c->fin && !c->count))
        why = "everything is said and answered, and the stream does not end";
    else if (c->stopped && c->count && d->ready &&
             sim.now >
                 later(later(c->stopped_at, d->ready_at), c->at->woke_at) + WRITE_MS + SLACK_MS)
        why = "reads nothing and is still there";
    else if (!c->count && !c->rest_len &&
             sim.now > later(c->active_at, c->at->woke_at) + IDLE_MS + SLACK_MS)
        why = "idle and still there";
    else if (!c->spoke && sim.now > later(c->opened_at, c->at->woke_at) + HEAD_MS + SLACK_MS)
        why = "has said nothing and is still there";
    else if (reads && c->count && d->ready)
        why = "its answer was given and has not come";
    else if (reads && c->count && d->said && !d->asked)
        why = "its request is whole and nobody was asked";
    else if (reads && c->count && d->asked && d->kind == DUE_NONE)
        why = "its 404 has not come";
    else if (c->count && d->asked && !d->ready && reads &&
             sim.now > later(d->asked_at, c->at->woke_at) + HTTP_MS + SLACK_MS)
        why = "nobody answers and no 503 comes";
    if (!why) return;
    caller_blame(c, why);
    EXPECT(!"a caller's due");
}

static void caller_gone(caller *c) {
    if (c->conn.id) wshub_io_fake_forget(c->at->net, c->conn);
    free(c->rest);
    memset(c, 0, sizeof *c);
}

static void caller_over(caller *c) { /* nothing more comes: was that right? */
    trace("E", 1);
    c->over = true;
    c->over_at = sim.now;
    if (!c->certain || c->mad || caller_may_end(c)) return;
    caller_blame(c, "its stream was ended");
    (void)printf("    %u bytes of an answer had come, active %llu ms ago\n",
                 (unsigned)wshub_io_fake_output(c->at->net, c->conn).len,
                 (unsigned long long)(sim.now - c->active_at));
    EXPECT(!"a stream ends when it may");
}

static void caller_read(caller *c) {
    size_t out = wshub_io_fake_output(c->at->net, c->conn).len;
    /* bytes leave to it: it is not idle (LIVE-2) */
    if (out > c->seen) c->active_at = c->took_at = sim.now;
    c->seen = out;
    while (c->conn.id && caller_hears(c)) {
    }
    if (!c->conn.id) return;
    if (!c->over && !wshub_io_fake_is_open(c->at->net, c->conn)) caller_over(c);
    if (wshub_io_fake_is_gone(c->at->net, c->conn))
        caller_gone(c);
    else
        caller_check(c);
}
static void callers_read(void) {
    uint32_t i;
    for (i = 0; i < http.max; i++) {
        if (http.all[i].conn.id && !http.all[i].at->asleep) caller_read(&http.all[i]);
    }
}

/* ---- time ---- */

static uint64_t callers_next(void) { /* when a caller does something by itself */
    uint64_t at = UINT64_MAX;
    uint32_t i;
    for (i = 0; i < http.max; i++) {
        const caller *c = &http.all[i];
        if (!c->conn.id) continue;
        if (c->rest_len && c->rest_at < at) at = c->rest_at;
        if (c->pace && c->count && c->pace_at < at) at = c->pace_at;
    }
    return at;
}
static void callers_act(void) {
    uint32_t i;
    for (i = 0; i < http.max; i++) {
        caller *c = &http.all[i];
        if (!c->conn.id) continue;
        if (c->pace && c->pace_at <= sim.now) {
            c->pace_at = sim.now + c->pace_ms;
            wshub_io_fake_window(c->at->net, c->conn, c->pace);
        }
        if (c->rest_len && c->rest_at <= sim.now) caller_rest(c);
    }
}

/* ---- a step ---- */

static void http_step(hub_site *s) {
    caller *c = &http.all[rnd(http.max)];
    if (!c->conn.id && !s->asleep && !s->leaving) caller_open(c, s);
    if (!c->conn.id || c->over) return;
    switch (rnd(16)) {
    case 0: /* it reads on */
        c->pace = 0;
        c->stopped = false;
        wshub_io_fake_window(c->at->net, c->conn, UINT64_MAX);
        break;
    case 1: /* it reads no more */
        c->pace = 0;
        if (!c->stopped) {
            c->stopped = c->waited = true;
            c->stopped_at = sim.now;
        }
        wshub_io_fake_window(c->at->net, c->conn, 0);
        break;
    case 2:
    case 3: /* a request, then FIN: what is owed still comes */
        if (c->mad || c->fin || c->done) break;
        caller_say(c, 1 + rnd(3), false);
        if (c->rest_len) break;
        c->fin = true;
        wshub_io_fake_half_close(c->at->net, c->conn);
        break;
    case 4: /* it goes away */
        c->certain = false;
        wshub_io_fake_end(c->at->net, c->conn);
        break;
    case 5: { /* nonsense */
        uint8_t junk[40];
        uint32_t n = 1 + rnd(40), k;
        for (k = 0; k < n; k++) junk[k] = (uint8_t)rnd(256);
        c->mad = true;
        c->certain = false;
        wshub_io_fake_input(c->at->net, c->conn, junk, n);
        break;
    }
    case 6:
    case 7: caller_say(c, rnd(3), true); break;
    case 8: caller_say(c, 20 + rnd(60), false); break; /* a flood */
    default: caller_say(c, 1 + rnd(4), false); break;
    }
}

static void callers_leave(hub_site *s) { /* their hub is no more */
    uint32_t i;
    for (i = 0; i < http.max; i++) {
        if (http.all[i].at != s) continue;
        free(http.all[i].rest);
        memset(&http.all[i], 0, sizeof http.all[i]);
    }
    for (i = 0; i < OWINGS; i++) {
        if (http.owings[i].s == s) http.owings[i].s = NULL;
    }
}
static void callers_doubt(hub_site *s) {
    uint32_t i;
    for (i = 0; i < http.max; i++) {
        if (http.all[i].at == s) http.all[i].certain = false;
    }
}
/* What the hub may owe to them at most (SEND-6): nothing to who reads; to others the limit and
 * one answer. */
static uint64_t callers_owed(const hub_site *s) {
    uint64_t sum = 0;
    uint32_t i, k;
    for (i = 0; i < http.max; i++) {
        caller *c = &http.all[i];
        uint32_t most = 0;
        if (c->at != s || !c->conn.id || (!c->pace && !c->stopped)) continue;
        for (k = 0; k < c->count; k++) {
            if (due_at(c, k)->page > most) most = due_at(c, k)->page;
        }
        sum += LIMIT + most + 600;
        /* it may be a client already */
        if (c->count && due_at(c, c->count - 1)->kind == DUE_UPGRADE) sum += 2 * (LARGE + 600);
    }
    return sum;
}
#endif
