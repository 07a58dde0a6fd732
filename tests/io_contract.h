/* What every io must do, whatever lies under it. A backend's test gives an io_world; a new
 * backend is done when io_contract() passes. The owner here is not a hub but a recorder, so
 * that the table itself is seen. */
#ifndef IO_CONTRACT_H
#define IO_CONTRACT_H

typedef struct io_world {
    const char *name;
    const wshub_io *io;
    void *(*dial)(struct io_world *w); /* a peer connects */
    void (*say)(struct io_world *w, void *peer, const char *bytes, size_t n);
    /* what has come */
    size_t (*hear)(struct io_world *w, void *peer, char *buf, size_t cap, bool *ended);
    void (*hang_up)(struct io_world *w, void *peer);
    /* it sends no more, and reads on */
    void (*half_close)(struct io_world *w, void *peer);
    void (*reset)(struct io_world *w, void *peer); /* it is gone, hard */
    /* serves meanwhile; how many waits that took */
    int (*silence)(struct io_world *w, int ms);
    /* > 0: the process stands still so long; 0: it goes on */
    void (*late)(struct io_world *w, int ms);
    void (*stall)(struct io_world *w, void *peer, bool stalled); /* the peer does not read */
    void (*step)(struct io_world *w);                            /* serve what is ready */
    const char *address;                                         /* where accept listens */
    const char *nowhere;                                         /* where nobody does */
    /* whom a guest has dialled; NULL: not yet */
    void *(*accept)(struct io_world *w);
    /* says no, where that takes doing */
    void (*refuse)(struct io_world *w);
    bool takes_secure; /* has TLS, or plays it */
    bool secure;       /* who comes in speaks TLS */
    bool soft;         /* its peers cannot reset: of one that has gone what it said is read first */
    void *ctx;
    /* recorded */
    wshub_conn opened[64], last_closed;
    int opened_count, closed_count, drained_count, settled;
    char got[1 << 20];
    size_t got_len;
    uint64_t inflight;
    bool close_inside;
    int turn; /* of reports, to see their order */
    int received_turn, settled_turn;
} io_world;

typedef struct io_guest { /* what a further owner saw */
    io_world *w;
    wshub_conn opened, closed;
    int opened_count, closed_count, settled;
    char got[64];
    size_t got_len;
    int received_turn, settled_turn;
} io_guest;

/* A stream can be asked about from inside opened() on; what is not known is empty, whatever was in
 * the struct before. */
static void about_opened(io_world *w, wshub_conn c, bool secure) {
    wshub_about a;
    if (!w->io->about) return;
    memset(&a, 0xEE, sizeof a);
    EXPECT(w->io->about(w->io->ctx, c, &a));
    EXPECT(a.peer.ptr && a.peer.len && !a.listener.ptr && a.secure == secure && !a.peer_verified);
    EXPECT(!a.alpn.ptr && !a.server_name.ptr && !a.peer_cert.ptr);
    memset(&a, 0xEE, sizeof a);
    c.id ^= UINT64_C(1) << 63; /* of another generation: nobody */
    EXPECT(!w->io->about(w->io->ctx, c, &a));
    EXPECT(!a.peer.ptr && !a.local.ptr && !a.listener.ptr && !a.secure);
}

static void guest_opened(void *ctx, wshub_conn c) {
    io_guest *g = (io_guest *)ctx;
    about_opened(g->w, c, false);
    g->opened = c;
    g->opened_count++;
}
static void guest_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    io_guest *g = (io_guest *)ctx;
    EXPECT(c.id == g->opened.id);
    if (g->got_len + n < sizeof g->got) memcpy(g->got + g->got_len, bytes, n);
    g->got_len += n;
    g->received_turn = ++g->w->turn;
}
static void guest_drained(void *ctx, wshub_conn c) {
    (void)ctx;
    (void)c;
}
static void guest_sent(void *ctx, wshub_conn c, size_t n) {
    (void)ctx;
    (void)c;
    (void)n;
}
static void guest_closed(void *ctx, wshub_conn c) {
    io_guest *g = (io_guest *)ctx;
    g->closed = c;
    g->closed_count++;
}
static uint64_t guest_settle(void *ctx) {
    io_guest *g = (io_guest *)ctx;
    g->settled++;
    g->settled_turn = ++g->w->turn;
    return WSHUB_NEVER;
}

static void io_opened(void *ctx, wshub_conn c) {
    io_world *w = (io_world *)ctx;
    EXPECT(c.id >> 32);
    about_opened(w, c, w->secure);
    w->opened[w->opened_count++ % 64] = c;
}
static void io_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    io_world *w = (io_world *)ctx;
    EXPECT(n > 0);
    if (w->got_len + n < sizeof w->got) memcpy(w->got + w->got_len, bytes, n);
    w->got_len += n;
    w->received_turn = ++w->turn;
    memset(bytes, 0xEE, n); /* ours to change */
    if (w->close_inside) w->io->close(w->io->ctx, c, false);
}
static void io_drained(void *ctx, wshub_conn c) {
    (void)c;
    ((io_world *)ctx)->drained_count++;
}
static void io_sent(void *ctx, wshub_conn c, size_t n) {
    (void)c;
    ((io_world *)ctx)->inflight -= n;
}
static void io_closed(void *ctx, wshub_conn c) {
    ((io_world *)ctx)->closed_count++;
    ((io_world *)ctx)->last_closed = c;
}
static uint64_t io_settle(void *ctx) {
    ((io_world *)ctx)->settled++;
    ((io_world *)ctx)->settled_turn = ++((io_world *)ctx)->turn;
    return WSHUB_NEVER;
}

static void io_steps(io_world *w, int n) {
    while (n--) w->step(w);
}

static void *io_connect(io_world *w) {
    int before = w->opened_count, i;
    void *peer = w->dial(w);
    for (i = 0; i < 100 && w->opened_count == before; i++) w->step(w);
    EXPECT_INT(w->opened_count, before + 1);
    return peer;
}

static void io_send_all(io_world *w, wshub_conn c, const char *bytes, size_t n, size_t pieces) {
    wshub_span spans[64];
    size_t i, at = 0;
    int64_t took;
    for (i = 0; i < pieces; i++) {
        spans[i].ptr = (const uint8_t *)bytes + at;
        spans[i].len = i + 1 == pieces ? n - at : n / pieces;
        at += spans[i].len;
    }
    took = w->io->send(w->io->ctx, c, spans, pieces);
    EXPECT_INT(took, n);
}

/* A stream of a guest's in the clear, which cannot be made secure before it is open. */
static void *io_contract_clear(io_world *w, io_guest *g, wshub_conn *out_conn) {
    const wshub_io *io = w->io;
    wshub_dial dial = {.server_name = "localhost"};
    int opened = g->opened_count, i;
    void *peer = NULL;
    EXPECT_INT(io->connect(io->ctx, g, &(wshub_dial){.address = w->address}, out_conn), WSHUB_OK);
    EXPECT_INT(io->secure(io->ctx, *out_conn, &dial, NULL, 0), WSHUB_ERR_STALE);
    for (i = 0; i < 200 && (!peer || g->opened_count == opened); i++) {
        if (!peer) peer = w->accept(w);
        w->step(w);
    }
    EXPECT(peer && g->opened_count == opened + 1 && g->opened.id == out_conn->id);
    return peer;
}

/* TLS begun on a guest's stream: a dial like any other, here one that fails. owners: a stream that
 * is not a guest's. */
static void io_contract_secure(io_world *w, io_guest *g, wshub_conn owners) {
    const wshub_io *io = w->io;
    wshub_dial dial = {.server_name = "localhost"}, nameless = {.address = w->address};
    wshub_span span = {(const uint8_t *)"clear", 5};
    int opened = g->opened_count, closed = g->closed_count, flush, i;
    wshub_conn c;
    void *peer = io_contract_clear(w, g, &c);
    EXPECT_INT(io->secure(io->ctx, c, &nameless, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(io->secure(io->ctx, owners, &dial, NULL, 0), WSHUB_ERR_STALE);
    EXPECT_INT(io->secure(io->ctx, c, &dial, (const uint8_t *)"x", 1), WSHUB_OK);
    EXPECT_INT(io->secure(io->ctx, c, &dial, NULL, 0), WSHUB_ERR_STALE);
    EXPECT_INT(io->send(io->ctx, c, &span, 1), 0);
    io_steps(w, 5);
    w->hang_up(w, peer);
    for (i = 0; i < 200 && g->closed_count == closed; i++) w->step(w);
    EXPECT(g->closed_count == closed + 1 && g->closed.id == c.id);
    EXPECT_INT(g->opened_count, opened + 1);
    EXPECT_INT(io->secure(io->ctx, c, &dial, NULL, 0), WSHUB_ERR_STALE);
    /* one that its guest has ended is not open any more */
    for (flush = 0; flush < 2; flush++) {
        closed = g->closed_count;
        peer = io_contract_clear(w, g, &c);
        io->close(io->ctx, c, flush);
        EXPECT_INT(io->secure(io->ctx, c, &dial, NULL, 0), WSHUB_ERR_STALE);
        w->step(w);
        w->hang_up(w, peer);
        for (i = 0; i < 200 && g->closed_count == closed; i++) w->step(w);
        EXPECT(g->closed_count == closed + 1 && g->closed.id == c.id);
    }
}

/* Guests: streams of their own, told apart from the owner's, heard and settled first. */
static void io_contract_guests(io_world *w) {
    static io_guest g;
    wshub_io_owner owner;
    wshub_conn c = {0}, ca;
    void *peer = NULL, *a;
    char buf[64];
    bool ended = false;
    size_t n = 0;
    int i, opened = w->opened_count, closed = w->closed_count;
    memset(&g, 0, sizeof g);
    g.w = w;
    memset(&owner, 0, sizeof owner);
    owner.ctx = &g;
    owner.opened = guest_opened;
    owner.received = guest_received;
    owner.drained = guest_drained;
    owner.sent = guest_sent;
    owner.closed = guest_closed;
    owner.settle = guest_settle;
    /* not a guest yet */
    EXPECT_INT(w->io->connect(w->io->ctx, &g, &(wshub_dial){.address = w->address}, &c),
               WSHUB_ERR_PARAM);
    EXPECT_INT(w->io->guest(w->io->ctx, &owner, true), WSHUB_OK);
    EXPECT_INT(w->io->connect(w->io->ctx, &g, &(wshub_dial){.address = ""}, &c), WSHUB_ERR_PARAM);
    EXPECT_INT(w->io->connect(w->io->ctx, &g, &(wshub_dial){.address = NULL}, &c), WSHUB_ERR_PARAM);
    if (!w->takes_secure) { /* in words, and nothing is sent in the clear instead */
        EXPECT_INT(w->io->connect(w->io->ctx, &g,
                                  &(wshub_dial){.address = w->address, .secure = true}, &c),
                   WSHUB_ERR_PARAM);
        EXPECT(strstr(w->io->error(w->io->ctx), "TLS"));
    }
    w->step(w);
    EXPECT(g.settled > 0 && g.settled_turn < w->settled_turn);
    EXPECT_INT(w->io->connect(w->io->ctx, &g, &(wshub_dial){.address = w->address}, &c), WSHUB_OK);
    EXPECT_INT(g.opened_count, 0); /* never from inside */
    for (i = 0; i < 200 && (!peer || !g.opened_count); i++) {
        if (!peer) peer = w->accept(w);
        w->step(w);
    }
    EXPECT(peer && g.opened_count == 1 && g.opened.id == c.id);
    EXPECT_INT(w->opened_count, opened);
    io_send_all(w, c, "ping", 4, 1);
    for (i = 0; i < 200 && n < 4; i++) {
        w->step(w);
        n += w->hear(w, peer, buf + n, sizeof buf - n, &ended);
    }
    EXPECT(n == 4 && memcmp(buf, "ping", 4) == 0);
    a = io_connect(w);
    ca = w->opened[w->opened_count - 1];
    w->got_len = 0;
    w->say(w, a, "owner", 5);
    w->say(w, peer, "guest", 5);
    for (i = 0; i < 200 && (w->got_len < 5 || g.got_len < 5); i++) w->step(w);
    EXPECT(g.got_len == 5 && memcmp(g.got, "guest", 5) == 0 && w->got_len == 5);
    /* the fake reports at once what is said */
    if (w->refuse == NULL) EXPECT(g.received_turn < w->received_turn);
    /* nobody there: closed, never opened, with a reason */
    EXPECT_INT(w->io->connect(w->io->ctx, &g, &(wshub_dial){.address = w->nowhere}, &c), WSHUB_OK);
    if (w->refuse) w->refuse(w);
    for (i = 0; i < 200 && !g.closed_count; i++) w->step(w);
    EXPECT(g.closed_count == 1 && g.closed.id == c.id && g.opened_count == 1);
    EXPECT(strstr(w->io->error(w->io->ctx), "cannot connect"));
    /* given up while it is dialled: closed once */
    EXPECT_INT(w->io->connect(w->io->ctx, &g, &(wshub_dial){.address = w->address}, &c), WSHUB_OK);
    w->io->close(w->io->ctx, c, true);
    for (i = 0; i < 200 && g.closed_count == 1; i++) w->step(w);
    EXPECT(g.closed_count == 2 && g.closed.id == c.id && g.opened_count == 1);
    for (i = 0; i < 20; i++) {
        void *late = w->accept(w);
        if (late) w->hang_up(w, late);
    }
    if (w->io->secure) io_contract_secure(w, &g, ca);
    /* it leaves: its streams end, nothing is reported, the owner's stay */
    EXPECT_INT(w->io->guest(w->io->ctx, &owner, false), WSHUB_OK);
    for (i = 0; i < 200 && !ended; i++) {
        w->step(w);
        (void)w->hear(w, peer, buf, sizeof buf, &ended);
    }
    EXPECT(ended);
    EXPECT_INT(g.closed_count, w->io->secure ? 5 : 2);
    w->hang_up(w, peer);
    w->got_len = 0;
    w->say(w, a, "still", 5);
    for (i = 0; i < 200 && w->got_len < 5; i++) w->step(w);
    EXPECT_INT(w->got_len, 5);
    w->io->close(w->io->ctx, ca, false);
    for (i = 0; i < 200 && w->closed_count == closed; i++) w->step(w);
    EXPECT_INT(w->closed_count, closed + 1);
    w->hang_up(w, a);
    w->closed_count = closed;
}

/* ---- ends: whoever ends first and last, whatever else is the case, there is one way through ---- */
enum { FIRST_NOBODY, FIRST_PEER, FIRST_WE, FIRSTS };
enum { PAUSED_NEVER, PAUSED_BEFORE, PAUSED_AFTER, PAUSES };
enum { LAST_FIN, LAST_RESET, LAST_GONE, LAST_FLUSH, LAST_AT_ONCE, LASTS };
enum { ENDS = LASTS * 2 * 2 };

typedef struct io_end { /* one stream of a batch */
    void *peer;
    wshub_conn conn;
    bool says, owes; /* the peer said something first; more was sent than it has read */
    int last;
    size_t got, sent, heard;
    int ended, closed;
    bool flushed, broken, quiet; /* we ended it; no bytes are to be heard any more */
} io_end;
typedef struct io_ends {
    io_world *w;
    io_end of[ENDS];
    int opened;
    bool tells; /* the owner wants to know of half-closes */
    int settled;
    uint64_t said_at; /* nothing said up to then may be unheard when heard_ms() is there: */
    size_t said, got;
} io_ends;

static io_end *ends_of(void *ctx, wshub_conn c) {
    io_ends *m = (io_ends *)ctx;
    int i;
    for (i = 0; i < m->opened; i++) {
        if (m->of[i].conn.id == c.id) return &m->of[i];
    }
    EXPECT(!"a stream that was opened");
    return &m->of[0];
}
static void ends_opened(void *ctx, wshub_conn c) {
    io_ends *m = (io_ends *)ctx;
    m->of[m->opened++ % ENDS].conn = c;
}
static void ends_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    io_end *e = ends_of(ctx, c);
    (void)bytes;
    EXPECT(!e->ended && !e->closed && !e->quiet);
    e->got += n;
    ((io_ends *)ctx)->got += n;
}
static void ends_ended(void *ctx, wshub_conn c) {
    io_end *e = ends_of(ctx, c);
    EXPECT(!e->closed && !e->flushed);
    e->ended++;
}
static void ends_drained(void *ctx, wshub_conn c) {
    EXPECT(!ends_of(ctx, c)->closed);
}
static void ends_sent(void *ctx, wshub_conn c, size_t n) {
    (void)ctx;
    (void)c;
    (void)n;
}
static void ends_closed(void *ctx, wshub_conn c) {
    ends_of(ctx, c)->closed++;
}
static uint64_t ends_settle(void *ctx) {
    io_ends *m = (io_ends *)ctx;
    uint64_t now = m->w->io->now_ms(m->w->io->ctx),
             heard = m->w->io->heard_ms ? m->w->io->heard_ms(m->w->io->ctx) : now;
    m->settled++;
    EXPECT(heard <= now);
    if (m->said_at && heard >= m->said_at) EXPECT_INT(m->got, m->said);
    /* somebody is due: once more, at once */
    return m->said_at && heard < m->said_at ? 0 : WSHUB_NEVER;
}
static void ends_attach(io_ends *m, io_world *w, bool tells) {
    wshub_io_owner owner;
    memset(m, 0, sizeof *m);
    memset(&owner, 0, sizeof owner);
    m->w = w;
    m->tells = tells;
    owner.ctx = m;
    owner.opened = ends_opened;
    owner.received = ends_received;
    if (tells) owner.ended = ends_ended;
    owner.drained = ends_drained;
    owner.sent = ends_sent;
    owner.closed = ends_closed;
    owner.settle = ends_settle;
    if (w->io->taken) EXPECT(!w->io->taken(w->io->ctx));
    w->io->attach(w->io->ctx, &owner);
    if (w->io->taken) EXPECT(w->io->taken(w->io->ctx));
}
static void *ends_dial(io_ends *m) {
    int before = m->opened, i;
    void *peer = m->w->dial(m->w);
    for (i = 0; i < 200 && m->opened == before; i++) m->w->step(m->w);
    EXPECT_INT(m->opened, before + 1);
    return peer;
}
static void ends_hear(io_ends *m, io_end *e) {
    char buf[65536];
    bool ended = false;
    size_t n = 0;
    while (e->peer && (n = m->w->hear(m->w, e->peer, buf, sizeof buf, &ended)) > 0) e->heard += n;
}
static void ends_flush(io_ends *m, io_end *e) {
    e->flushed = e->quiet = true;
    m->w->io->close(m->w->io->ctx, e->conn, true);
}

static void ends_batch(io_world *w, int first, int paused, bool tells) {
    static io_ends m;
    static uint8_t much[300000];
    const wshub_io *io = w->io;
    int i, k, waits;
    ends_attach(&m, w, tells);
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        e->peer = ends_dial(&m);
        e->last = i % LASTS;
        e->says = i / LASTS % 2 != 0;
        e->owes = i / LASTS / 2 != 0;
    }

    /* into the state */
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        if (paused == PAUSED_BEFORE) io->pause(io->ctx, e->conn, true);
        if (e->says) w->say(w, e->peer, "hello", 5);
        if (e->owes) w->stall(w, e->peer, true);
        for (k = 0; e->owes && k < 100; k++) {
            wshub_span s = {much, sizeof much};
            int64_t took = io->send(io->ctx, e->conn, &s, 1);
            e->sent += (size_t)took;
            if ((size_t)took < sizeof much) break;
        }
        if (e->owes) EXPECT(k < 100);
    }
    for (k = 0; k < 100 && m.got < (paused == PAUSED_BEFORE ? 0 : 5 * ENDS / 2); k++) w->step(w);
    for (i = 0; i < ENDS; i++) {
        if (first == FIRST_PEER) w->half_close(w, m.of[i].peer);
        if (first == FIRST_WE) ends_flush(&m, &m.of[i]);
    }
    io_steps(w, 10);
    for (i = 0; i < ENDS && paused == PAUSED_AFTER; i++) io->pause(io->ctx, m.of[i].conn, true);
    if (!tells && first == FIRST_PEER && paused != PAUSED_BEFORE) { /* told as the end of all */
        for (i = 0; i < ENDS; i++) {
            EXPECT_INT(m.of[i].closed, 1);
            w->hang_up(w, m.of[i].peer);
        }
        io->attach(io->ctx, NULL);
        return;
    }

    /* it lasts, and costs nothing */
    waits = w->silence(w, 40);
    if (waits > 12)
        (void)printf("  first %d, paused %d, tells %d: %d waits\n", first, paused, tells, waits);
    EXPECT(waits <= 12);
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        EXPECT_INT(e->closed, 0);
        EXPECT_INT(e->got, e->says && paused != PAUSED_BEFORE ? 5 : 0);
        EXPECT_INT(e->ended, first == FIRST_PEER && paused != PAUSED_BEFORE);
        if (e->ended && !e->owes) { /* what is sent still reaches who sends no more */
            wshub_span s = {(const uint8_t *)"more", 4};
            e->sent += (size_t)io->send(io->ctx, e->conn, &s, 1);
        }
    }

    /* the last word, by whom it comes */
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        switch (e->last) {
        case LAST_FIN:
            if (first != FIRST_PEER) w->half_close(w, e->peer);
            break;
        case LAST_RESET:
            w->reset(w, e->peer);
            e->peer = NULL;
            e->broken = true;
            break;
        case LAST_GONE:
            w->hang_up(w, e->peer);
            e->peer = NULL;
            e->broken = true;
            break;
        case LAST_FLUSH: ends_flush(&m, e); break;
        case LAST_AT_ONCE:
            io->close(io->ctx, e->conn, false);
            e->broken = e->quiet = true;
            break;
        }
        /* not from inside an order */
        if (e->last == LAST_FLUSH || e->last == LAST_AT_ONCE) EXPECT_INT(e->closed, 0);
    }
    for (k = 0; k < 20; k++) {
        w->step(w);
        for (i = 0; i < ENDS; i++) {
            if (!m.of[i].owes || k > 10) ends_hear(&m, &m.of[i]);
        }
    }
    EXPECT(w->silence(w, 40) <= 12);
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        if (e->last == LAST_AT_ONCE || (e->last == LAST_RESET && (!w->soft || e->ended)))
            EXPECT_INT(e->closed, 1);
        if (e->last == LAST_FIN && first == FIRST_WE) EXPECT_INT(e->closed, 1);
        /* the peer is awaited, without a clock */
        if (e->last == LAST_FLUSH) EXPECT_INT(e->closed, first == FIRST_PEER);
        if (e->last == LAST_FIN && first == FIRST_NOBODY && tells) {
            EXPECT_INT(e->closed, 0);
            EXPECT_INT(e->ended, paused == PAUSED_NEVER);
        }
    }

    /* all that is left: the owner reads on and ends, the peer reads and ends */
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        if (e->closed) continue;
        if (!e->flushed) io->pause(io->ctx, e->conn, false);
    }
    io_steps(w, 5);
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        /* before the end */
        if (e->says && !e->broken && first != FIRST_WE && e->last != LAST_FLUSH)
            EXPECT_INT(e->got, 5);
        if (!e->closed && !e->broken && !e->flushed) EXPECT_INT(e->ended, 1);
        if (!e->closed && !e->flushed) ends_flush(&m, e);
        if (e->peer) w->stall(w, e->peer, false);
    }
    for (k = 0; k < 400; k++) {
        bool all = true;
        w->step(w);
        for (i = 0; i < ENDS; i++) {
            io_end *e = &m.of[i];
            ends_hear(&m, e);
            if (e->peer && !e->closed && e->last == LAST_FLUSH && first == FIRST_NOBODY && k == 5)
                w->half_close(w, e->peer);
            if (e->peer && !e->closed && first == FIRST_WE && k == 5) w->half_close(w, e->peer);
            all = all && e->closed && (e->broken || e->heard == e->sent);
        }
        if (all) break;
    }
    for (i = 0; i < ENDS; i++) {
        io_end *e = &m.of[i];
        if (e->closed != 1 || (!e->broken && e->heard != e->sent))
            (void)printf(
                "  first %d, paused %d, says %d, owes %d, last %d: closed %d, heard %d of %d\n",
                first, paused, e->says, e->owes, e->last, e->closed, (int)e->heard, (int)e->sent);
        EXPECT_INT(e->closed, 1);
        EXPECT(e->ended <= 1);
        if (!e->broken) EXPECT_INT(e->heard, e->sent);
        if (e->peer) w->hang_up(w, e->peer);
    }
    io->attach(io->ctx, NULL);
    io_steps(w, 2);
}

/* After a late turn settle learns from heard_ms() that input may lie unread, and asks to be
 * called again. */
static void io_contract_late(io_world *w) {
    static io_ends m;
    int i, round;
    ends_attach(&m, w, true);
    for (i = 0; i < 8; i++) m.of[i].peer = ends_dial(&m);
    for (round = 0; round < 4; round++) {
        uint64_t from = w->io->now_ms(w->io->ctx);
        w->late(w, 5);
        for (i = 0; i < 8; i++) w->say(w, m.of[i].peer, "hello", 5);
        m.said += 40;
        m.said_at = from + 20;
        w->late(w, 40);
        m.settled = 0;
        w->late(w, 0);
        for (i = 0; i < 3; i++) w->step(w);
        EXPECT_INT(m.got, m.said);
        EXPECT(m.settled >= 2);
        /* and is not behind for ever */
        if (w->io->heard_ms) EXPECT(w->io->heard_ms(w->io->ctx) >= from + 20);
    }
    m.said_at = 0;
    for (i = 0; i < 8; i++) w->hang_up(w, m.of[i].peer);
    io_steps(w, 10);
    for (i = 0; i < 8; i++) w->io->close(w->io->ctx, m.of[i].conn, false);
    io_steps(w, 5);
    for (i = 0; i < 8; i++) EXPECT_INT(m.of[i].closed, 1);
    w->io->attach(w->io->ctx, NULL);
}

static void io_contract_ends(io_world *w) { /* LIVE-3, BYE-2: an end is a state */
    int first, paused;
    for (first = 0; first < FIRSTS; first++) {
        for (paused = 0; paused < PAUSES; paused++) {
            ends_batch(w, first, paused, true);
            ends_batch(w, first, paused, false);
        }
    }
    io_contract_late(w);
}

static void io_contract(io_world *w) {
    wshub_io_owner owner;
    void *a, *b;
    char buf[65536];
    static char big[8 << 20];
    wshub_conn ca, cb;
    bool ended = false;
    size_t n, i;
    uint64_t t0;
    uint8_t r1[300], r2[300];
    (void)printf("  io contract: %s\n", w->name);
    memset(&owner, 0, sizeof owner);
    owner.ctx = w;
    owner.opened = io_opened;
    owner.received = io_received;
    owner.drained = io_drained;
    owner.sent = io_sent;
    owner.closed = io_closed;
    owner.settle = io_settle;
    w->io->attach(w->io->ctx, &owner);
    /* two streams are told apart; bytes come in order; settle follows */
    a = io_connect(w);
    ca = w->opened[0];
    b = io_connect(w);
    cb = w->opened[1];
    EXPECT(ca.id != cb.id && (uint32_t)ca.id != (uint32_t)cb.id);
    w->say(w, a, "hello", 5);
    for (i = 0; i < 100 && w->got_len < 5; i++) w->step(w);
    EXPECT(w->got_len == 5 && memcmp(w->got, "hello", 5) == 0);
    EXPECT(w->settled > 0);
    /* sending: one span, many small, many large; all of it in order */
    for (i = 0; i < sizeof big; i++) big[i] = (char)('a' + i % 23);
    io_send_all(w, cb, big, 10, 1);
    io_send_all(w, cb, big + 10, 640, 64);
    io_send_all(w, cb, big + 650, 40000, 4);
    for (n = 0, i = 0; i < 200 && n < 40650; i++) {
        size_t k;
        w->step(w);
        k = w->hear(w, b, buf, sizeof buf, &ended);
        EXPECT(memcmp(buf, big + n, k) == 0);
        n += k;
    }
    EXPECT_INT(n, 40650);
    /* a peer that does not read: short sends, then drained once there is room; nothing lost or
     * doubled */
    w->stall(w, b, true);
    {
        size_t offered = 0, heard = 0;
        int before = w->drained_count, rounds = 0;
        bool blocked = false;
        while (!blocked && offered < sizeof big) {
            wshub_span s;
            int64_t took;
            s.ptr = (const uint8_t *)big + offered;
            s.len = sizeof big - offered < 100000 ? sizeof big - offered : 100000;
            took = w->io->send(w->io->ctx, cb, &s, 1);
            EXPECT(took >= 0 && (size_t)took <= s.len);
            blocked = (size_t)took < s.len;
            offered += (size_t)took;
        }
        EXPECT(blocked);
        io_steps(w, 3);
        EXPECT_INT(w->drained_count, before); /* no room yet */
        w->stall(w, b, false);
        while (heard < offered && rounds++ < 5000) {
            size_t k = w->hear(w, b, buf, sizeof buf, &ended);
            EXPECT(memcmp(buf, big + heard, k) == 0);
            heard += k;
            w->step(w);
        }
        EXPECT_INT(heard, offered);
        EXPECT(w->drained_count > before);
    }
    /* pause: nothing is received until it is lifted */
    if (w->io->pause) {
        w->got_len = 0;
        w->io->pause(w->io->ctx, ca, true);
        w->say(w, a, "later", 5);
        io_steps(w, 5);
        EXPECT_INT(w->got_len, 0);
        w->io->pause(w->io->ctx, ca, false);
        for (i = 0; i < 100 && w->got_len < 5; i++) w->step(w);
        EXPECT_INT(w->got_len, 5);
    }
    /* a polite end: what was sent arrives, then the end; closed once, not from inside */
    io_send_all(w, ca, "bye", 3, 1);
    w->io->close(w->io->ctx, ca, true);
    w->io->close(w->io->ctx, ca, true);
    EXPECT_INT(w->closed_count, 0);
    for (n = 0, ended = false, i = 0; i < 200 && !ended; i++) {
        w->step(w);
        n += w->hear(w, a, buf + n, sizeof buf - n, &ended);
    }
    EXPECT(n == 3 && memcmp(buf, "bye", 3) == 0 && ended);
    w->hang_up(w, a);
    for (i = 0; i < 200 && w->closed_count == 0; i++) w->step(w);
    EXPECT(w->closed_count == 1 && w->last_closed.id == ca.id);
    /* a stream that is gone takes everything and does nothing */
    EXPECT_INT(w->io->send(w->io->ctx, ca, &(wshub_span){(const uint8_t *)"x", 1}, 1), 1);
    w->io->close(w->io->ctx, ca, false);
    /* the peer's end is reported once, and the number comes back as another */
    w->hang_up(w, b);
    for (i = 0; i < 200 && w->closed_count == 1; i++) w->step(w);
    EXPECT(w->closed_count == 2 && w->last_closed.id == cb.id);
    io_steps(w, 3);
    EXPECT_INT(w->closed_count, 2);
    a = io_connect(w);
    ca = w->opened[2];
    EXPECT(ca.id != cb.id && ca.id != w->opened[0].id);
    /* an end at once, from inside a report */
    w->close_inside = true;
    w->say(w, a, "x", 1);
    for (ended = false, i = 0; i < 200 && w->closed_count == 2; i++) w->step(w);
    EXPECT_INT(w->closed_count, 3);
    for (i = 0; i < 200 && !ended; i++) {
        w->step(w);
        (void)w->hear(w, a, buf, sizeof buf, &ended);
    }
    EXPECT(ended);
    w->hang_up(w, a);
    w->close_inside = false;
    /* clocks, randomness, waking */
    t0 = w->io->now_ms(w->io->ctx);
    io_steps(w, 2);
    EXPECT(w->io->now_ms(w->io->ctx) >= t0);
    EXPECT(w->io->wall_ms(w->io->ctx) > UINT64_C(1700000000000));
    EXPECT(w->io->random(w->io->ctx, r1, 300) && w->io->random(w->io->ctx, r2, 300) &&
           memcmp(r1, r2, 300) != 0);
    {
        int before = w->settled;
        w->io->wake(w->io->ctx);
        w->step(w);
        EXPECT(w->settled > before);
    }
    if (w->io->guest) io_contract_guests(w);
    /* detached: streams are closed, nothing is reported */
    a = io_connect(w);
    w->io->attach(w->io->ctx, NULL);
    io_steps(w, 5);
    for (ended = false, i = 0; i < 200 && !ended; i++) (void)w->hear(w, a, buf, sizeof buf, &ended);
    EXPECT(ended);
    EXPECT_INT(w->closed_count, 3);
    w->hang_up(w, a);
    io_contract_ends(w);
}
#endif
