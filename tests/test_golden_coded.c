/* The reference's transcripts (tests/golden.h) on the fake io, in virtual time, over permessage-deflate,
 * over TLS, and over both: as they are, in pieces, with completions, with sends that go wrong, input
 * that is cut or ends, and allocations that fail. The clients' layers are in tests/coded_peer.h; the
 * hub's are compiled here, so that their allocations fail too (tests/tls_pair.h).
 * Built with -DWITH_ZLIB, -DWITH_OPENSSL (the clients' TLS, too) and -DWITH_MBEDTLS where these are;
 * what is missing is skipped aloud.
 * Of everything only some places: WSHUB_OOM_ALL=1 has every allocation fail, and WSHUB_FAULTS_ALL=1
 * takes every send and up to 600 places of each input, which takes very much longer. Such a run can
 * be divided: WSHUB_PART="2 30 107" goes only over the third way, with the transcripts 30 to 106. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "checked.h"
#include "tls_pair.h"
#ifdef WITH_ZLIB
#define FIXTURE_DEFLATE
#include "wshub_deflate_zlib.h"
#endif
#include "fixture_app.h"
#include "golden.h"
#include "golden_memory.h"
#include "coded_peer.h"

/* ---- over what ---- */

typedef struct coded_way {
    const char *name;
    const wshub_tls_engine *engine; /* NULL: no TLS */
    int version;                    /* of TLS; 0: the newest */
    bool resumes;                   /* all but the first handshake by a ticket, which is quick */
    bool deflates, takeover;        /* takeover: a message may point back into those before */
} coded_way;
enum { WAYS_MAX = 16 };

static size_t deflate_ways(coded_way *out) {
    size_t n = 0;
#ifdef WITH_ZLIB
    out[n++] = (coded_way){.name = "deflate", .deflates = true};
    out[n++] = (coded_way){.name = "deflate, one window", .deflates = true, .takeover = true};
#endif
    (void)out;
    return n;
}
static size_t tls_ways(coded_way *out) {
    size_t n = 0;
#ifdef WITH_OPENSSL
    out[n++] = (coded_way){.name = "OpenSSL", .engine = wshub_io_openssl_engine()};
    out[n++] = (coded_way){.name = "OpenSSL, TLS 1.2, by ticket",
                           .engine = wshub_io_openssl_engine(),
                           .version = TLS1_2_VERSION,
                           .resumes = true};
#ifdef WITH_MBEDTLS
    out[n++] = (coded_way){.name = "mbedTLS, by ticket",
                           .engine = wshub_io_mbedtls_engine(),
                           .version = TLS1_2_VERSION,
                           .resumes = true};
#endif
#endif
    (void)out;
    return n;
}
static size_t both_ways(coded_way *out) {
    coded_way outer[WAYS_MAX], inner_ways[WAYS_MAX];
    size_t n = tls_ways(outer), of = deflate_ways(inner_ways), i, count = 0;
    for (i = 1; of && i < n; i++) { /* the first and the second differ in the handshake */
        out[count] = outer[i];
        out[count].deflates = true;
        out[count++].takeover = i & 1;
    }
    return count;
}
/* One of each kind, for what goes over everything many times. */
static size_t quick_ways(coded_way *out) {
    coded_way some[WAYS_MAX];
    size_t n = 0, i, k;
    if (deflate_ways(some)) out[n++] = some[1];
    k = tls_ways(some);
    for (i = 1; i < k; i++) out[n++] = some[i];
    if (both_ways(some)) out[n++] = some[0];
    return n;
}

/* ---- the world: a hub on the fake io, perhaps with TLS between ---- */

typedef struct world {
    coded_way way;
    wshub_io_fake_desc desc;
    wshub_io_fake *net;
    wshub_io_tls *tls;
    wshub_bus_local *local;
    fixture app;
    wshub_conn conns[64];
    coded_frames frames[64];
#ifdef WITH_OPENSSL
    coded_tls shells[64];
    SSL_SESSION *session; /* of this way */
#endif
    bool gone[64];        /* the client went away without a word */
    golden_memory memory; /* of the hub */
    uint64_t sent;        /* calls of send in the last play */
    uint64_t fault_at;
    wshub_io_fake_fault_kind fault;
    /* bytes of input so far, as the io sees them; behind which the stream ends, or is cut */
    size_t heard, break_at, cut_at;
    bool lenient;
    unsigned long coded_said, coded_heard, handshakes, resumed; /* in all plays */
} world;

static golden player;
static char files[256][300];

static void check_step(void *user) {
    checked(((world *)user)->app.hub);
}

/* The io below the hub. NULL: out of memory. */
static const wshub_io *world_io(world *w) {
    static const wshub_tls_pair cert = {.cert = tls_server_cert, .key = tls_server_key};
    static const uint8_t ticket_key[WSHUB_TLS_TICKET_KEY_BYTES] = {1, 2, 3};
    wshub_io_tls_desc d;
    char why[300];
    wshub_err err;
    if (!w->way.engine) return wshub_io_fake_io(w->net);
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(w->net);
    d.pairs = &cert;
    d.pairs_count = 1;
    d.ticket_keys = ticket_key; /* the same in every world, so that sessions go on */
    d.ticket_keys_count = 1;
    err = wshub_io_tls_create_versioned(&d, sizeof d, WSHUB_IO_TLS_DESC_VERSION, w->way.engine,
                                        &w->tls, why, sizeof why);
    EXPECT(err == WSHUB_OK || (err == WSHUB_ERR_NOMEM && allocs.fail_at));
    return err ? NULL : wshub_io_tls_io(w->tls);
}
static bool world_hub(world *w, const wshub_io *io) {
    wshub_bus_local_desc ld;
    wshub_desc d;
    wshub_bus bus;
    memset(&ld, 0, sizeof ld);
    ld.alloc = golden_alloc;
    ld.alloc_user = &w->memory;
    d = fixture_desc(&w->app, io);
    d.alloc = golden_alloc;
    d.alloc_user = &w->memory;
    if (wshub_bus_local_create(&ld, &w->local)) return false;
    if (wshub_bus_local_seat(w->local, &bus)) return false;
    d.bus = &bus;
    return wshub_create(&d, &w->app.hub) == WSHUB_OK;
}
static void world_end(world *w) {
    wshub *hub = w->app.hub;
    w->app.hub = NULL;
    wshub_destroy(hub);
    fixture_end(&w->app);
    wshub_io_tls_destroy(w->tls);
    wshub_io_fake_destroy(w->net);
    wshub_bus_local_destroy(w->local);
    w->tls = NULL;
    w->net = NULL;
    w->local = NULL;
    allocs.on = false;
}

static bool coded_start(void *ctx, int argc, char **argv) {
    world *w = (world *)ctx;
    const wshub_io *io;
    char *options[40];
    int i;
    static char deflate[] = "--deflate", least[] = "--deflate-threshold", one[] = "1",
                takeover[] = "--deflate-takeover";
    for (i = 0; i < argc; i++) options[i] = argv[i];
    if (w->way.deflates) {
        options[i++] = deflate;
        options[i++] = least;
        options[i++] = one;
        if (w->way.takeover) options[i++] = takeover;
    }
    memset(&w->app, 0, sizeof w->app);
    EXPECT(fixture_parse(&w->app.opt, i, options) == NULL);
    w->desc.on_step = check_step;
    w->desc.user = w;
    player.lenient = w->lenient;
    if (wshub_io_fake_create(&w->desc, &w->net)) return false;
    allocs.on = true;
    io = world_io(w);
    if (io && world_hub(w, io)) {
        wshub_io_fake_run(w->net);
        wshub_io_fake_fault(w->net, w->fault_at, w->fault);
        return true;
    }
    world_end(w);
    return false;
}

/* ---- a client's bytes ---- */

/* What reaches the io: perhaps in two parts, perhaps less, and then the end. */
static void coded_input(world *w, int slot, const char *bytes, size_t n) {
    size_t at = w->heard, k;
    w->heard += n;
    if (w->break_at >= at && w->break_at < w->heard) {
        wshub_io_fake_input(w->net, w->conns[slot], bytes, w->break_at - at);
        wshub_io_fake_end(w->net, w->conns[slot]);
        w->gone[slot] = true;
        return;
    }
    if (w->cut_at > at && w->cut_at < w->heard) {
        k = w->cut_at - at;
        wshub_io_fake_input(w->net, w->conns[slot], bytes, k);
        bytes += k;
        n -= k;
    }
    wshub_io_fake_input(w->net, w->conns[slot], bytes, n);
}

/* Takes what the hub has sent, and answers it as TLS does, until nothing moves. */
static void coded_pump(world *w, int slot) {
    bool moves = true;
    while (moves && w->net) {
        wshub_str out = wshub_io_fake_output(w->net, w->conns[slot]);
        moves = out.len > 0;
#ifdef WITH_OPENSSL
        if (w->shells[slot].ssl) {
            coded_tls *t = &w->shells[slot];
            char *said;
            long n;
            if (out.len) EXPECT_INT(BIO_write(t->in, out.ptr, (int)out.len), (int)out.len);
            wshub_io_fake_take(w->net, w->conns[slot], out.len);
            coded_tls_go_on(t, &w->frames[slot]);
            n = BIO_get_mem_data(t->out, &said);
            if (n <= 0) continue;
            moves = true;
            coded_input(w, slot, said, (size_t)n);
            (void)BIO_reset(t->out);
            continue;
        }
#endif
        coded_hear(&w->frames[slot], out.ptr, out.len);
        wshub_io_fake_take(w->net, w->conns[slot], out.len);
    }
}

/* Whether the hub tells a client's TLS that it ends. Who never answers is cut off, in the middle of a
 * record if he takes little at a time. */
UNUSED static bool owes_farewell(const world *w, int slot) {
    if (w->lenient || w->gone[slot] || wshub_io_fake_is_open(w->net, w->conns[slot])) return false;
    return strcmp(player.name, "idle-timeout") != 0 &&
           strcmp(player.name, "shutdown-unresponsive") != 0;
}
/* A stream's layers come to their end. */
static void coded_let_go(world *w, int slot) {
    w->coded_said += w->frames[slot].coded_said;
    w->coded_heard += w->frames[slot].coded_heard;
    coded_frames_end(&w->frames[slot]);
#ifdef WITH_OPENSSL
    if (w->shells[slot].ssl) {
        coded_tls *t = &w->shells[slot];
        w->handshakes += t->shaken;
        w->resumed += t->shaken && SSL_session_reused(t->ssl);
        EXPECT(w->lenient || t->shaken);
        EXPECT(t->farewell || !owes_farewell(w, slot));
        coded_tls_end(t);
    }
#endif
}

static int coded_stop(void *ctx, bool by_signal) {
    world *w = (world *)ctx;
    int i;
    if (!w->app.hub) return 0;
    if (by_signal) {
        (void)wshub_shutdown(w->app.hub);
        wshub_io_fake_run(w->net);
        return 0;
    }
    for (i = 0; i < 64; i++) {
        if (!w->conns[i].id) continue;
        coded_pump(w, i);
        coded_let_go(w, i);
        w->conns[i].id = 0;
    }
    w->sent = wshub_io_fake_sends(w->net);
    world_end(w);
    return w->memory.bytes ? 99 : 0; /* a leak */
}

static bool coded_open(void *ctx, int slot) {
    world *w = (world *)ctx;
    slot %= 64;
    if (w->conns[slot].id) coded_let_go(w, slot);
    w->conns[slot] = wshub_io_fake_open(w->net);
    w->gone[slot] = false;
    w->frames[slot].deflates = w->way.deflates;
#ifdef WITH_OPENSSL
    if (w->conns[slot].id && w->way.engine) {
        coded_tls *t = &w->shells[slot];
        if (w->session && !SSL_SESSION_is_resumable(w->session)) { /* its stream failed */
            SSL_SESSION_free(w->session);
            w->session = NULL;
        }
        coded_tls_begin(t, w->way.version, w->session);
        coded_pump(w, slot);
        if (t->shaken && w->way.resumes && !w->session) w->session = SSL_get1_session(t->ssl);
    }
#endif
    return w->conns[slot].id != 0;
}
static void coded_write(void *ctx, int slot, const void *bytes, size_t n) {
    world *w = (world *)ctx;
    text out = {NULL, 0, 0};
    slot %= 64;
    coded_say(&w->frames[slot], (const char *)bytes, n, &out);
#ifdef WITH_OPENSSL
    if (w->shells[slot].ssl) {
        coded_tls *t = &w->shells[slot];
        if (out.len && t->shaken && !t->failed && !t->farewell)
            EXPECT_INT(SSL_write(t->ssl, out.ptr, (int)out.len), (int)out.len);
        out.len = 0;
    }
#endif
    if (out.len) coded_input(w, slot, out.ptr, out.len);
    coded_pump(w, slot);
    free(out.ptr);
}
static void coded_end(void *ctx, int slot) {
    world *w = (world *)ctx;
    w->gone[slot % 64] = true;
    wshub_io_fake_end(w->net, w->conns[slot % 64]);
}
static wshub_str coded_read(void *ctx, int slot, bool *ended) {
    world *w = (world *)ctx;
    coded_pump(w, slot % 64);
    *ended = !wshub_io_fake_is_open(w->net, w->conns[slot % 64]);
    return text_get(&w->frames[slot % 64].ready);
}
static void coded_take(void *ctx, int slot, size_t n) {
    coded_drop(&((world *)ctx)->frames[slot % 64].ready, n);
}
static void coded_pass(void *ctx, unsigned ms) {
    world *w = (world *)ctx;
    int i;
    if (!w->net) return;
    wshub_io_fake_advance(w->net, ms);
    for (i = 0; i < 64; i++) {
        if (w->conns[i].id) coded_pump(w, i);
    }
}

/* ---- plays ---- */

static golden_net net_of(world *w) {
    golden_net net = {NULL,      coded_start, coded_stop, coded_open, coded_write,
                      coded_end, coded_read,  coded_take, coded_pass, true};
    net.ctx = w;
    return net;
}
/* Whether a transcript is for another way. deflate-off: that a hub without compression does not take
 * it up. */
static bool left_out(const world *w, const char *file) {
    return w->way.deflates && strstr(file, "/deflate-off.") != NULL;
}
static void complain(const world *w, const char *file, const char *how, const char *why) {
    static int complaints;
    test_failures++;
    if (complaints++ < 20) (void)printf("  %s (%s, %s): %s\n", file, w->way.name, how, why);
}
static world *fresh(const coded_way *way) {
    static world w;
    memset(&w, 0, sizeof w);
    memset(&allocs, 0, sizeof allocs);
    w.way = *way;
    w.memory.budget = -1;
    w.break_at = w.cut_at = SIZE_MAX;
    return &w;
}
static void finish(world *w) {
    if (w->way.deflates) EXPECT(w->coded_said > 0 && w->coded_heard > 0);
    if (w->way.resumes) EXPECT_OP(2 * w->resumed, >, w->handshakes);
    if (w->way.engine) EXPECT_OP(w->handshakes, >, 0);
#ifdef WITH_OPENSSL
    SSL_SESSION_free(w->session);
#endif
}
/* Plays one. NULL, or what differs; what was expected when it is lenient: nothing. */
static const char *play(world *w, golden_net *net, const char *script) {
    char *copy = strdup(script); /* playing writes into it */
    const char *why;
    bool played;
    if (!copy) abort();
    w->heard = w->memory.bytes = 0;
    why = golden_play(&player, net, copy, 1, &played);
    free(copy);
    EXPECT_INT(w->memory.bytes, 0);
    return played && !w->lenient ? why : NULL;
}

static const wshub_io_fake_desc shapes[] = {
    {.seed = 1},
    {.cut_bytes = 1, .take_bytes = 1},
    {.cut_bytes = 7, .take_bytes = 5, .no_pause = true},
    {.completion = true, .take_bytes = 100},
};
static void play_all(const coded_way *way, int shape) {
    static const char *const names[] = {"whole", "byte by byte", "in sevens", "completions"};
    world *w = fresh(way);
    golden_net net = net_of(w);
    size_t n = golden_files(files, 256), i;
    EXPECT_OP(n, >, 90);
    w->desc = shapes[shape];
    for (i = 0; i < n; i++) {
        char *script;
        const char *why;
        if (left_out(w, files[i])) continue;
        script = golden_load(files[i]);
        why = play(w, &net, script);
        if (why) complain(w, files[i], names[shape], why);
        free(script);
    }
    finish(w);
}
/* Over some ways, as it is or in other shapes. Whole handshakes byte by byte take seconds, and are
 * tests/test_tls.c's. */
static void play_ways(size_t (*ways)(coded_way *), int shape, int until) {
    coded_way some[WAYS_MAX];
    size_t n = ways(some), i;
    for (; shape < until; shape++)
        for (i = 0; i < n; i++) {
            if (shape != 1 || !some[i].engine || some[i].resumes) play_all(&some[i], shape);
        }
}

/* Says what is missing. */
static bool lacks(bool deflate, bool tls) {
    const char *missing = NULL;
#ifndef WITH_ZLIB
    if (deflate) missing = "zlib is not installed";
#endif
#ifndef WITH_OPENSSL
    if (tls) missing = "OpenSSL, whose clients these are, is not installed";
#endif
    (void)deflate, (void)tls;
    if (missing) (void)printf("  skipped %s: %s\n", test_name, missing);
    test_skipped_now = missing != NULL;
    return missing != NULL;
}
#define LACKS(deflate, tls)                                                                        \
    if (lacks(deflate, tls)) return

TEST(transcripts_over_deflate) {
    LACKS(true, false);
    play_ways(deflate_ways, 0, 1);
}
TEST(transcripts_over_tls) {
    LACKS(false, true);
    play_ways(tls_ways, 0, 1);
}
TEST(transcripts_over_deflate_and_tls) {
    LACKS(true, true);
    play_ways(both_ways, 0, 1);
}
#ifndef WITH_MBEDTLS
TEST(transcripts_over_tls_of_mbedtls) {
    SKIP("mbedTLS is not installed");
}
#endif

TEST_WHOLE(transcripts_over_deflate_in_other_shapes) {
    LACKS(true, false);
    play_ways(deflate_ways, 1, 4);
}
TEST_WHOLE(transcripts_over_tls_in_other_shapes) {
    LACKS(false, true);
    play_ways(tls_ways, 1, 4);
}
TEST_WHOLE(transcripts_over_both_in_other_shapes) {
    LACKS(true, true);
    play_ways(both_ways, 1, 4);
}

/* ---- what goes wrong ---- */

/* Behind whatever went wrong the hub serves another client. */
static void still_serves(world *w) {
    static golden probe;
    golden_net net = net_of(w);
    golden_actor *a;
    bool served = false;
    int i;
    memset(&probe, 0, sizeof probe);
    probe.net = &net;
    probe.slots = 63; /* which no transcript uses */
    a = golden_open(&probe, wshub_str_z("P"), "/ws", "");
    golden_say(&probe, a, 1,
               wshub_str_z("{\"event\":\"authenticate\",\"data\":{\"token\":\"anon\","
                           "\"publicKey\":\"K\"}}"));
    golden_collect(&probe, a);
    for (i = 0; i < a->got_count; i++)
        served = served || strncmp(a->got[i].bytes, "{\"event\":\"connected\"", 20) == 0;
    EXPECT(served || (a->heard_close && a->close_code == 4004)); /* --no-handshake */
    golden_clear(a);
}
static int lenient_stop(void *ctx, bool by_signal) {
    world *w = (world *)ctx;
    if (w->app.hub && !by_signal && !wshub_is_draining(w->app.hub)) {
        w->memory.budget = -1;
        allocs.on = false;
        w->break_at = w->cut_at = SIZE_MAX;
        wshub_io_fake_fault(w->net, 0, WSHUB_IO_FAKE_FAULTS);
        still_serves(w);
    }
    return coded_stop(ctx, by_signal);
}
/* Plays with something that goes wrong. strict: nobody may notice. */
static void play_faulty(world *w, const char *file, const char *script, bool strict,
                        const char *what, size_t where) {
    golden_net net = net_of(w);
    int before = test_failures;
    const char *why;
    char how[80];
    w->lenient = !strict;
    if (!strict) net.stop = lenient_stop;
    why = play(w, &net, script);
    (void)snprintf(how, sizeof how, "%s %zu", what, where);
    if (why || test_failures > before) complain(w, file, how, why ? why : "see above");
    w->lenient = false;
    w->memory.budget = -1;
    w->fault_at = 0;
    w->break_at = w->cut_at = SIZE_MAX;
}
/* How far apart so many places of a length lie; 1: it is looked at all of them. */
static size_t apart(size_t length, size_t places, const char *all) {
    return getenv(all) ? 1 + length / 600 : 1 + length / places;
}

/* Every allocation of the hub's, or of the TLS layer's, fails: alone, and of the hub's all behind it. */
static long allocations_fail(world *w, const char *file, const char *script, size_t seed) {
    bool all = getenv("WSHUB_OOM_ALL") != NULL;
    long hubs, layers, nth, step, injected = 0;
    w->memory.count = allocs.count = allocs.fail_at = 0;
    play_faulty(w, file, script, true, "as it is", 0);
    hubs = w->memory.count;
    layers = allocs.count;
    step = all || !hubs ? 1 : hubs;
    for (nth = 1 + (long)(seed * 37) % step; nth <= hubs; nth += step, injected++) {
        w->memory.once = all || seed & 1;
        w->memory.budget = nth;
        play_faulty(w, file, script, false, "out of memory at the hub's allocation", (size_t)nth);
        if (!all) continue;
        w->memory.once = false;
        w->memory.budget = nth;
        play_faulty(w, file, script, false, "out of memory from allocation", (size_t)nth);
    }
    step = all || !layers ? 1 : layers;
    for (nth = 1 + (long)(seed * 37) % step; nth <= layers; nth += step, injected++) {
        allocs.count = 0;
        allocs.fail_at = nth;
        play_faulty(w, file, script, false, "out of memory at the layer's allocation", (size_t)nth);
        allocs.fail_at = 0;
    }
    return injected;
}

/* Sends of the io below go wrong in every way: nobody notices where it only took less. */
static long sends_go_wrong(world *w, const char *file, const char *script, size_t seed) {
    size_t step, nth;
    int how;
    long count = 0;
    uint64_t all;
    play_faulty(w, file, script, true, "as it is", 0);
    all = w->sent;
    step = getenv("WSHUB_FAULTS_ALL") ? 1 : (size_t)all + 1;
    for (how = 0; how < WSHUB_IO_FAKE_FAULTS; how++)
        for (nth = 1 + (seed * 13 + (size_t)how * 5) % step; nth <= all; nth += step, count++) {
            w->fault_at = nth;
            w->fault = (wshub_io_fake_fault_kind)how;
            play_faulty(w, file, script, how != WSHUB_IO_FAKE_BREAKS, "wrong at send", nth);
        }
    return count;
}

/* Input comes in two parts, which nobody notices, or ends, at some places. */
static long input_goes_wrong(world *w, const char *file, const char *script, size_t seed) {
    size_t heard, step, at;
    long count = 0;
    play_faulty(w, file, script, true, "as it is", 0);
    heard = w->heard;
    step = apart(heard, 2, "WSHUB_FAULTS_ALL");
    for (at = seed * 131 % step; at < heard; at += step, count += 2) {
        w->cut_at = at;
        play_faulty(w, file, script, true, "cut behind byte", at);
        w->break_at = at;
        play_faulty(w, file, script, false, "ends behind byte", at);
    }
    return count;
}

/* Which transcripts of which ways: all, or those that WSHUB_PART names. */
typedef struct part {
    unsigned first_way, ways, from, until;
} part;
static part part_asked(size_t ways, size_t count) {
    part all = {0, (unsigned)ways, 0, (unsigned)count}, p = all;
    const char *asked = getenv("WSHUB_PART");
    if (!asked) return all;
    EXPECT_INT(sscanf(asked, "%u %u %u", &p.first_way, &p.from, &p.until), 3);
    EXPECT(p.first_way < ways && p.from < p.until);
    p.ways = p.first_way + 1;
    if (p.until > count) p.until = (unsigned)count;
    (void)printf("  only %u to %u of %u transcripts, over way %u of %u\n", p.from, p.until - 1,
                 (unsigned)count, p.first_way, (unsigned)ways);
    return p;
}

/* Has something done to each transcript, over one way of each kind. */
static long each_quickly(long (*wrong)(world *, const char *, const char *, size_t)) {
    coded_way some[WAYS_MAX];
    size_t n = quick_ways(some), count = golden_files(files, 256), i, k;
    part p = part_asked(n, count);
    long did = 0;
    for (k = p.first_way; k < p.ways; k++) {
        world *w = fresh(&some[k]);
        for (i = p.from; i < p.until; i++) {
            char *script;
            if (left_out(w, files[i])) continue;
            script = golden_load(files[i]);
            did += wrong(w, files[i], script, i + k * 29);
            free(script);
        }
        finish(w);
    }
    return did;
}
TEST_WHOLE(allocations_may_fail) {
    long did;
    LACKS(true, true);
    did = each_quickly(allocations_fail);
    (void)printf("  %ld failing allocations injected\n", did);
    if (!getenv("WSHUB_PART")) EXPECT_OP(did, >, 400);
}
TEST_WHOLE(sends_may_go_wrong) {
    long did;
    LACKS(true, true);
    did = each_quickly(sends_go_wrong);
    (void)printf("  %ld sends gone wrong\n", did);
    if (!getenv("WSHUB_PART")) EXPECT_OP(did, >, 1200);
}
TEST_WHOLE(input_may_be_cut_and_end) {
    long did;
    LACKS(true, true);
    did = each_quickly(input_goes_wrong);
    (void)printf("  %ld inputs cut or ended\n", did);
    if (!getenv("WSHUB_PART")) EXPECT_OP(did, >, 800);
}
