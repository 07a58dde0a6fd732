/* The reference's transcripts on the fake io, in virtual time: as they are, with input cut at
 * every byte and output taken byte by byte, with completions instead of readiness, and with
 * allocations that fail. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "checked.h"
#include "fixture_app.h"
#include "golden.h"
#include "golden_memory.h"

typedef struct world {
    wshub_io_fake_desc desc;
    wshub_io_fake *net;
    fixture app;
    wshub_conn conns[64];
    wshub_bus_local *local;
    golden_memory memory; /* of the hub */
    uint64_t sent;        /* calls of send in the last play */
    uint64_t fault_at;    /* which send goes wrong, and how */
    wshub_io_fake_fault_kind fault;
    /* bytes of input so far; behind which the stream ends, or is cut; SIZE_MAX: never */
    size_t heard, break_at, cut_at;
} world;

static void check_step(void *user) {
    checked(((world *)user)->app.hub);
}

static bool fake_start(void *ctx, int argc, char **argv) {
    world *w = (world *)ctx;
    wshub_desc d;
    wshub_bus_local_desc ld;
    wshub_bus bus;
    wshub_err err;
    memset(&w->app, 0, sizeof w->app);
    EXPECT(fixture_parse(&w->app.opt, argc, argv) == NULL);
    w->desc.on_step = check_step;
    w->desc.user = w;
    if (wshub_io_fake_create(&w->desc, &w->net)) return false;
    memset(&ld, 0, sizeof ld);
    ld.alloc = golden_alloc;
    ld.alloc_user = &w->memory;
    d = fixture_desc(&w->app, wshub_io_fake_io(w->net));
    d.alloc = golden_alloc;
    d.alloc_user = &w->memory;
    if (wshub_bus_local_create(&ld, &w->local) == WSHUB_OK) {
        if (wshub_bus_local_seat(w->local, &bus) == WSHUB_OK) {
            d.bus = &bus;
            err = wshub_create(&d, &w->app.hub);
            if (!err) {
                wshub_io_fake_run(w->net);
                wshub_io_fake_fault(w->net, w->fault_at, w->fault);
                return true;
            }
        }
        wshub_bus_local_destroy(w->local);
        w->local = NULL;
    }
    wshub_io_fake_destroy(w->net);
    w->net = NULL;
    return false;
}

static int fake_stop(void *ctx, bool by_signal) {
    world *w = (world *)ctx;
    wshub *hub = w->app.hub;
    if (!hub) return 0;
    if (by_signal) {
        (void)wshub_shutdown(hub);
        wshub_io_fake_run(w->net);
        return 0;
    }
    w->app.hub = NULL;
    w->sent = wshub_io_fake_sends(w->net);
    wshub_destroy(hub);
    fixture_end(&w->app);
    wshub_io_fake_destroy(w->net);
    wshub_bus_local_destroy(w->local);
    w->net = NULL;
    return w->memory.bytes ? 99 : 0; /* a leak */
}

static bool fake_open(void *ctx, int slot) {
    world *w = (world *)ctx;
    w->conns[slot % 64] = wshub_io_fake_open(w->net);
    return w->conns[slot % 64].id != 0;
}
static void fake_write(void *ctx, int slot, const void *bytes, size_t n) {
    world *w = (world *)ctx;
    size_t at = w->heard, k;
    w->heard += n;
    if (w->break_at >= at && w->break_at < w->heard) {
        wshub_io_fake_input(w->net, w->conns[slot % 64], bytes, w->break_at - at);
        wshub_io_fake_end(w->net, w->conns[slot % 64]);
        return;
    }
    if (w->cut_at > at && w->cut_at < w->heard) {
        k = w->cut_at - at;
        wshub_io_fake_input(w->net, w->conns[slot % 64], bytes, k);
        bytes = (const char *)bytes + k;
        n -= k;
    }
    wshub_io_fake_input(w->net, w->conns[slot % 64], bytes, n);
}
static void fake_end(void *ctx, int slot) {
    world *w = (world *)ctx;
    wshub_io_fake_end(w->net, w->conns[slot % 64]);
}
static wshub_str fake_read(void *ctx, int slot, bool *ended) {
    world *w = (world *)ctx;
    *ended = !wshub_io_fake_is_open(w->net, w->conns[slot % 64]);
    return wshub_io_fake_output(w->net, w->conns[slot % 64]);
}
static void fake_take(void *ctx, int slot, size_t n) {
    world *w = (world *)ctx;
    wshub_io_fake_take(w->net, w->conns[slot % 64], n);
}
static void fake_pass(void *ctx, unsigned ms) {
    world *w = (world *)ctx;
    if (w->net) wshub_io_fake_advance(w->net, ms);
}

static golden player;
static char files[256][300];

static int play_all(world *w, const char *how) {
    golden_net net = {NULL,     fake_start, fake_stop, fake_open, fake_write,
                      fake_end, fake_read,  fake_take, fake_pass, true};
    size_t n = golden_files(files, 256), i;
    int played_count = 0;
    net.ctx = w;
    EXPECT_OP(n, >, 90);
    for (i = 0; i < n; i++) {
        char *file = golden_load(files[i]);
        bool played;
        const char *why;
        w->memory.budget = -1;
        w->memory.bytes = 0;
        w->break_at = w->cut_at = SIZE_MAX;
        why = golden_play(&player, &net, file, 1, &played);
        if (why) {
            (void)printf("  %s (%s): %s\n", files[i], how, why);
            test_failures++;
        }
        played_count += played ? 1 : 0;
        free(file);
    }
    return played_count;
}

TEST(transcripts_as_they_are) {
    static world w;
    EXPECT(play_all(&w, "whole") > 90);
}
TEST_WHOLE(transcripts_with_input_and_output_cut_at_every_byte) {
    static world w;
    w.desc.cut_bytes = 1;
    w.desc.take_bytes = 1;
    EXPECT(play_all(&w, "byte by byte") > 90);
}
TEST_WHOLE(transcripts_in_pieces_of_seven_and_five) {
    static world w;
    w.desc.cut_bytes = 7;
    w.desc.take_bytes = 5;
    w.desc.no_pause = true;
    EXPECT(play_all(&w, "in sevens") > 90);
}
TEST_WHOLE(transcripts_with_completions) {
    static world w;
    w.desc.completion = true;
    w.desc.take_bytes = 100;
    EXPECT(play_all(&w, "completions") > 90);
}

/* After a failure the hub serves another client, and nothing has leaked. */
static void play_failing(world *w, golden_net *net, const char *path, long nth, bool once) {
    char *file = golden_load(path);
    bool played;
    w->memory.bytes = 0;
    w->memory.count = 0;
    w->memory.budget = nth;
    w->memory.once = once;
    w->break_at = w->cut_at = SIZE_MAX;
    memset(&player, 0, sizeof player);
    player.lenient = true;
    (void)golden_play(&player, net, file, 1, &played);
    free(file);
}

static bool lenient_start(void *ctx, int argc, char **argv) {
    player.lenient = true;
    return fake_start(ctx, argc, argv);
}

static int lenient_stop(void *ctx, bool by_signal) {
    world *w = (world *)ctx;
    if (w->app.hub && !by_signal && !wshub_is_draining(w->app.hub)) {
        wshub_conn c;
        wshub_io_fake_frame m;
        bool connected = false;
        w->memory.budget = -1;
        wshub_io_fake_fault(w->net, 0, WSHUB_IO_FAKE_FAULTS);
        wshub_io_fake_set_cut(w->net, 0, 0);
        c = wshub_io_fake_connect(w->net, "/ws");
        EXPECT(c.id);
        wshub_io_fake_text(
            w->net, c,
            "{\"event\":\"authenticate\",\"data\":{\"token\":\"anon\",\"publicKey\":\"K\"}}");
        while (wshub_io_fake_next(w->net, c, &m)) {
            if (m.opcode == 1 && strncmp(m.payload.ptr, "{\"event\":\"connected\"", 20) == 0)
                connected = true;
            if (m.opcode == 8 && m.code == 4004) connected = true; /* --no-handshake */
        }
        EXPECT(connected);
    }
    w->memory.budget = by_signal ? w->memory.budget : -1;
    return fake_stop(ctx, by_signal);
}

TEST_WHOLE(every_allocation_may_fail) {
    static world w;
    golden_net net = {NULL,     lenient_start, lenient_stop, fake_open, fake_write,
                      fake_end, fake_read,     fake_take,    fake_pass, true};
    static const wshub_io_fake_desc ways[] = {{.seed = 1},
                                              {.cut_bytes = 1, .take_bytes = 1},
                                              {.completion = true, .take_bytes = 100},
                                              {.cut_bytes = 7, .take_bytes = 5, .no_pause = true}};
    /* make oom: also cut into pieces and with completions, one way a program */
    const char *only = getenv("WSHUB_OOM_WAY");
    int way = only ? atoi(only) : 0, ways_count = way + 1;
    /* byte by byte the same allocations are made in far more turns: there, of so many each one */
    const char *stride = way == 1 ? getenv("WSHUB_OOM_STRIDE") : NULL;
    long step = stride ? atol(stride) : 1, injected = 0;
    size_t n = golden_files(files, 256), i, share;
    net.ctx = &w;
    EXPECT(way >= 0 && way < 4 && step > 0);
    for (; way < ways_count; way++)
        for (i = 0; i < n; i++) {
            long total, nth;
            w.desc = ways[way];
            play_failing(&w, &net, files[i], -1, true);
            total = w.memory.count;
            for (nth = 1 + (long)i % step; nth <= total; nth += step) {
                play_failing(&w, &net, files[i], nth, true);
                EXPECT_INT(w.memory.bytes, 0);
                play_failing(&w, &net, files[i], nth, false);
                EXPECT_INT(w.memory.bytes, 0);
                injected += 2;
            }
        }
    (void)printf("  %ld failing allocations injected\n", injected);
    EXPECT_OP(injected * (long)golden_shares(&share) * step, >, 5000);
}

/* Plays once; strictly: the transcript must hold in spite of the fault. Returns what it did
 * wrong, NULL: nothing. */
static const char *play_faulty(world *w, golden_net *net, const char *script, bool strict) {
    char *file = (char *)malloc(strlen(script) + 1); /* playing writes into it */
    const char *why;
    bool played;
    memcpy(file, script, strlen(script) + 1);
    w->memory.bytes = w->heard = 0;
    w->memory.budget = -1;
    net->start = strict ? fake_start : lenient_start;
    net->stop = strict ? fake_stop : lenient_stop;
    memset(&player, 0, sizeof player);
    player.lenient = !strict;
    why = golden_play(&player, net, file, 1, &played);
    free(file);
    EXPECT_INT(w->memory.bytes, 0);
    return strict && played ? why : NULL;
}

/* LIMITS: I/O faults on the fake transport */
TEST_WHOLE(every_send_and_every_byte_of_input_may_go_wrong) {
    static world w;
    golden_net net = {NULL,     fake_start, fake_stop, fake_open, fake_write,
                      fake_end, fake_read,  fake_take, fake_pass, true};
    /* make faults */
    size_t n = golden_files(files, 256), i, step, at,
           places = getenv("WSHUB_FAULTS_ALL") ? 600 : 25, share;
    long sends = 0, inputs = 0, shares = (long)golden_shares(&share);
    int complaints = 0;
    net.ctx = &w;
    memset(&w.desc, 0, sizeof w.desc);
    for (i = 0; i < n; i++) {
        char *script = golden_load(files[i]);
        const char *why;
        int how;
        size_t heard;
        w.fault_at = 0;
        w.break_at = w.cut_at = SIZE_MAX;
        (void)play_faulty(&w, &net, script, true);
        heard = w.heard;
        step = 1 + heard / places; /* short scripts at every byte */
        for (how = 0; how < WSHUB_IO_FAKE_FAULTS; how++) {
            bool strict = how != WSHUB_IO_FAKE_BREAKS;
            for (w.fault_at = 1;; w.fault_at++) {
                w.fault = (wshub_io_fake_fault_kind)how;
                why = play_faulty(&w, &net, script, strict);
                sends++;
                if (why && complaints++ < 10)
                    (void)printf("  %s, send %u goes wrong (%d): %s\n", files[i],
                                 (unsigned)w.fault_at, how, why);
                if (why) test_failures++;
                if (w.sent < w.fault_at) break;
            }
        }
        w.fault_at = 0;
        for (at = i * 7 % step; at < heard; at += step) {
            w.cut_at = at;
            why = play_faulty(&w, &net, script, true);
            if (why && complaints++ < 10)
                (void)printf("  %s, cut behind byte %u of its input: %s\n", files[i], (unsigned)at,
                             why);
            if (why) test_failures++;
            w.cut_at = SIZE_MAX;
            w.break_at = at;
            (void)play_faulty(&w, &net, script, false);
            w.break_at = SIZE_MAX;
            inputs += 2;
        }
        free(script);
    }
    (void)printf("  %ld sends gone wrong, %ld inputs cut or ended\n", sends, inputs);
    EXPECT(sends * shares > 2000 && inputs * shares > 3000);
}
