/* Jobs by the clock (backends/wshub_ext_cron.h): started, stopped, changed, duplicated, fired; ticks
 * that complete later, fail, or end their own job; wall clocks that are set, slow or fast, and
 * processes that sleep; a year of jobs in no time, and many of them (CRON-4, CRON-5). */
#include "hubtest.h"
#include "wshub_ext_cron.h"

#define START INT64_C(1769851800000) /* the fake's wall clock begins on 2026-01-31T09:30:00Z */
#define NEVER WSHUB_EXT_CRON_NEVER

static world w;
static wshub_ext_cron_jobs *jobs;
static size_t held;
static long fail_at;

static void *counted(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    if (new_bytes && fail_at && --fail_at == 0) return NULL;
    held += new_bytes;
    held -= old_bytes;
    p = new_bytes ? malloc(new_bytes) : NULL; /* always moves: a pointer that was kept is caught */
    if (p && ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    return p;
}

#define JOBS(...) ((wshub_ext_cron_jobs_desc){.hub = w.hub, .alloc = counted, __VA_ARGS__})

static void begin_with(wshub_io_fake_desc net, uint32_t set_back_max_ms) {
    world_start(&w, DESC(0), net);
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(.set_back_max_ms = set_back_max_ms), &jobs),
               WSHUB_OK);
}
static void begin(void) {
    begin_with(FAKE(0), 0);
}
static void end(void) {
    world_stop(&w);
    wshub_ext_cron_jobs_destroy(jobs);
    EXPECT_INT(held, 0);
}

/* ---- a job that writes down what happens to it ---- */

typedef struct subject {
    char name;
    wshub_ext_cron_outcome outcome;
    wshub_ext_cron_late *late[8];
    int lates;
    char then; /* what a tick does: `s`top, `f`ree, `m`odify, `a`gain (fires itself once) */
    wshub_ext_cron_job job;
    uint32_t missed;
    int64_t due;
    wshub_ext_cron_reason reason;
} subject;

/* `t` and the name, with the wall clock in seconds since the start. */
static void note(const subject *s, char what) {
    char text[64];
    double at = (double)((int64_t)wshub_wall_ms(w.hub) - START) / 1000;
    (void)snprintf(text, sizeof text, "%c%c%g ", what, s->name, at);
    world_note(&w, text);
}
static void expect_log(int line, const char *want) {
    if (strcmp(w.log, want) != 0) {
        test_fail(__FILE__, line);
        (void)printf("the log is %s\n    expected %s\n", w.log, want);
    }
    w.log[0] = 0;
    w.log_len = 0;
}
#define EXPECT_LOG(want) expect_log(__LINE__, want)

static wshub_ext_cron_outcome on_tick(const wshub_ext_cron_tick *tick, void *user) {
    subject *s = (subject *)user;
    note(s, 't');
    EXPECT(tick->hub == w.hub && tick->jobs == jobs);
    EXPECT_INT(tick->wall_ms, (int64_t)wshub_wall_ms(w.hub));
    s->missed = tick->missed;
    s->due = tick->due_ms;
    s->reason = tick->reason;
    if (s->then == 's') EXPECT_INT(wshub_ext_cron_job_stop(jobs, tick->job), WSHUB_OK);
    if (s->then == 'f') EXPECT_INT(wshub_ext_cron_job_destroy(jobs, tick->job), WSHUB_OK);
    if (s->then == 'm')
        EXPECT_INT(wshub_ext_cron_job_modify(jobs, tick->job, "*/5 * * * * *", false, NULL),
                   WSHUB_OK);
    if (s->then == 'a') {
        s->then = 0;
        EXPECT_INT(wshub_ext_cron_job_fire(jobs, tick->job), WSHUB_OK);
    }
    if (s->outcome == WSHUB_EXT_CRON_LATER || s->then == 'l')
        s->late[s->lates++ % 8] = wshub_ext_cron_later(tick);
    return s->outcome;
}
static void on_done(const wshub_ext_cron_tick *tick, void *user) {
    (void)tick;
    note((subject *)user, 'd');
}
static void on_error(const wshub_ext_cron_tick *tick, void *user) {
    (void)tick;
    note((subject *)user, 'e');
}
static void on_complete(wshub_ext_cron_jobs *of, wshub_ext_cron_job job, void *user) {
    EXPECT(of == jobs);
    (void)job;
    note((subject *)user, 'c');
}

#define JOB(s, ...)                                                                                \
    ((wshub_ext_cron_job_desc){.on_tick = on_tick,                                                 \
                               .on_done = on_done,                                                 \
                               .on_error = on_error,                                               \
                               .on_complete = on_complete,                                         \
                               .user = s,                                                          \
                               __VA_ARGS__})

static void add(subject *s, char name, wshub_ext_cron_job_desc desc) {
    s->name = name;
    if (!desc.zone) desc.zone = "UTC";
    EXPECT_INT(wshub_ext_cron_job_create(jobs, &desc, &s->job, NULL), WSHUB_OK);
}
static wshub_ext_cron_info info(const subject *s) {
    wshub_ext_cron_info i;
    memset(&i, 0, sizeof i);
    EXPECT_INT(wshub_ext_cron_job_get(jobs, s->job, &i), WSHUB_OK);
    return i;
}
static void done(subject *s, int which, bool failed) {
    EXPECT_INT(wshub_ext_cron_done(s->late[which], failed), WSHUB_OK);
    wshub_io_fake_run(w.net);
}
#define S(...) ((subject){__VA_ARGS__})

/* ---- life ---- */

TEST(a_job_is_started_and_stopped_at_any_time) { /* CRON-5 */
    subject a = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "* * * * * *"));
    EXPECT_INT(info(&a).next_ms, START + 1000);
    EXPECT_INT(info(&a).last_ms, NEVER);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT_LOG("");
    EXPECT_INT(wshub_ext_cron_job_start(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_start(jobs, a.job), WSHUB_OK); /* twice is once */
    EXPECT(info(&a).running);
    wshub_io_fake_advance(w.net, 2999);
    EXPECT_LOG("tA6 tA7 ");
    EXPECT_INT(info(&a).last_ms, START + 7000);
    EXPECT_INT(info(&a).next_ms, START + 8000);
    EXPECT_INT(a.due, START + 7000);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_OK); /* each stop is told */
    EXPECT_LOG("cA7.999 cA7.999 ");
    wshub_io_fake_advance(w.net, 3001);
    EXPECT_LOG("");
    EXPECT(!info(&a).running);
    EXPECT_INT(wshub_ext_cron_job_start(jobs, a.job), WSHUB_OK);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_LOG("tA12 ");
    EXPECT_INT(info(&a).runs, 3);

    EXPECT_INT(wshub_ext_cron_jobs_count(jobs), 1);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_jobs_count(jobs), 0);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, a.job), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_start(jobs, a.job), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_fire(jobs, a.job), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, a.job, "* * * * *", false, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_duplicate(jobs, a.job, "* * * * *", NULL, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_get(jobs, a.job, &(wshub_ext_cron_info){0}), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_start(jobs, (wshub_ext_cron_job){0}), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_cron_job_start(jobs, (wshub_ext_cron_job){UINT64_MAX}), WSHUB_ERR_STALE);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT_LOG("");
    end();
}

TEST(a_tick_at_once_changes_nothing_else) { /* CRON-5 */
    subject a = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 * * * * *"));
    EXPECT_INT(wshub_ext_cron_job_fire(jobs, a.job), WSHUB_OK);
    EXPECT_INT(a.reason, WSHUB_EXT_CRON_FIRED);
    EXPECT_LOG("tA0 ");
    EXPECT_INT(info(&a).last_ms, NEVER);
    EXPECT(!info(&a).running);
    EXPECT_INT(wshub_ext_cron_job_start(jobs, a.job), WSHUB_OK);
    wshub_io_fake_advance(w.net, 30000);
    EXPECT_INT(wshub_ext_cron_job_fire(jobs, a.job), WSHUB_OK);
    wshub_io_fake_advance(w.net, 30000);
    EXPECT_LOG("tA30 tA60 ");
    EXPECT_INT(a.reason, WSHUB_EXT_CRON_DUE);
    EXPECT_INT(info(&a).runs, 1);
    end();
}

TEST(a_change_keeps_the_zone_and_completes_nothing) { /* CRON-5 */
    subject a = S(0);
    wshub_ext_cron_error error;
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 0 12 * * *", .zone = "Asia/Tokyo", .auto_start = true));
    EXPECT_INT(info(&a).next_ms, START + (17 * 60 + 30) * 60000);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, a.job, "nop", true, &error), WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, "Unknown alias: nop");
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, a.job, NULL, true, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(info(&a).next_ms, START + (17 * 60 + 30) * 60000);
    EXPECT_LOG("");
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, a.job, "0 0 19 * * *", true, NULL), WSHUB_OK);
    EXPECT_LOG("tA0 ");
    EXPECT_INT(info(&a).next_ms, START + 30 * 60000);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, a.job, "* * * * * *", false, NULL), WSHUB_OK);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT_LOG("cA0 ");
    end();
}

TEST(a_duplicate_has_everything_but_the_expression) { /* CRON-5 */
    subject a = S(0);
    wshub_ext_cron_job b = {0}, c = {0};
    wshub_ext_cron_info i;
    wshub_ext_cron_error error;
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 0 19 * * *", .zone = "Asia/Tokyo", .auto_start = true));
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_duplicate(jobs, a.job, "0 0 20 * * *", &b, &error), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_get(jobs, b, &i), WSHUB_OK);
    EXPECT(i.running && i.next_ms == START + 90 * 60000);
    EXPECT_INT(wshub_ext_cron_job_duplicate(jobs, a.job, "", &c, &error), WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, "Too few fields");
    EXPECT_INT(wshub_ext_cron_job_duplicate(jobs, a.job, NULL, &c, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, a.job), WSHUB_OK); /* it is on its own */
    wshub_io_fake_advance(w.net, 90 * 60000);
    EXPECT_LOG("cA0 tA5400 ");
    end();
}

TEST(errors_name_the_zone_before_the_expression) { /* CRON-1, CRON-3 */
    wshub_ext_cron_error error;
    wshub_ext_cron_job job = {0};
    begin();
    EXPECT_INT(
        wshub_ext_cron_job_create(
            jobs, &(wshub_ext_cron_job_desc){.expr = "bad", .zone = "No/Zone"}, &job, &error),
        WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, "Invalid timezone.");
    EXPECT_INT(wshub_ext_cron_job_create(
                   jobs, &(wshub_ext_cron_job_desc){.expr = "bad", .zone = "UTC"}, &job, &error),
               WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, "Unknown alias: bad");
    EXPECT_INT(job.id, 0);
    EXPECT_INT(wshub_ext_cron_jobs_count(jobs), 0);
    end();
}

/* ---- ticks ---- */

TEST(a_tick_may_end_or_change_its_own_job) { /* CRON-5 */
    subject a = S(.then = 's'), b = S(.then = 'f'), c = S(.then = 'm'), d = S(.then = 'a');
    begin();
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .auto_start = true));
    add(&b, 'B', JOB(&b, .expr = "* * * * * *", .auto_start = true));
    add(&c, 'C', JOB(&c, .expr = "* * * * * *", .auto_start = true));
    add(&d, 'D', JOB(&d, .expr = "0 * * * * *", .auto_start = true, .wait_for_completion = true));
    wshub_io_fake_advance(w.net, 11000);
    EXPECT_LOG("tA1 cA1 tB1 tC1 tC5 tC10 ");
    EXPECT_INT(wshub_ext_cron_jobs_count(jobs), 3);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, c.job), WSHUB_OK);
    wshub_io_fake_advance(w.net, 50000);
    EXPECT_LOG("tD60 "); /* it waits for itself */
    EXPECT_INT(info(&d).left_out, 1);
    end();
}

TEST(ticks_that_fail_are_told_and_the_job_goes_on) { /* CRON-5 */
    subject a = S(.outcome = WSHUB_EXT_CRON_FAILED);
    begin();
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .auto_start = true));
    wshub_io_fake_advance(w.net, 2000);
    EXPECT_LOG("tA1 eA1 tA2 eA2 ");
    end();
}

TEST(late_ticks_overlap_unless_they_wait) { /* CRON-5 */
    subject a = S(.outcome = WSHUB_EXT_CRON_LATER), b = S(.outcome = WSHUB_EXT_CRON_LATER);
    begin();
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .auto_start = true));
    add(&b, 'B', JOB(&b, .expr = "* * * * * *", .auto_start = true, .wait_for_completion = true));
    wshub_io_fake_advance(w.net, 2500);
    EXPECT_LOG("tA1 tB1 tA2 ");
    EXPECT_INT(info(&a).under_way, 2);
    EXPECT_INT(wshub_ext_cron_job_fire(jobs, b.job), WSHUB_OK); /* left out too */
    EXPECT_INT(info(&b).left_out, 2);
    EXPECT_INT(info(&b).last_ms, START + 1000);
    done(&a, 1, true);
    done(&a, 0, false);
    done(&b, 0, true);
    EXPECT_LOG("dA2.5 eA2.5 dA2.5 dB2.5 eB2.5 ");
    wshub_io_fake_advance(w.net, 500);
    EXPECT_LOG("tA3 tB3 ");

    /* a stop is told at once, or behind the tick that is waited for; each stop */
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, b.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, b.job), WSHUB_OK);
    EXPECT_LOG("cA3 ");
    done(&b, 1, false);
    EXPECT_LOG("dB3 cB3 cB3 ");
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, a.job), WSHUB_OK);
    done(&a, 2, true); /* nobody is told any more */
    EXPECT_LOG("");
    end();
}

TEST(a_tick_that_says_that_it_is_over_is_not_done_once_more) { /* CRON-5 */
    subject a = S(.outcome = WSHUB_EXT_CRON_OK, .then = 'l');
    begin();
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .auto_start = true, .wait_for_completion = true));
    wshub_io_fake_advance(w.net, 1000);
    done(&a, 0, true); /* its tick is over: it has returned OK */
    EXPECT_INT(info(&a).under_way, 0);
    wshub_io_fake_advance(w.net, 1000); /* and the next one waits for nothing */
    EXPECT_LOG("tA1 tA2 ");
    done(&a, 1, false);
    end();
}

TEST(late_ticks_complete_where_nothing_can_be_posted) { /* CRON-5 */
    subject a = S(.outcome = WSHUB_EXT_CRON_LATER);
    begin_with(FAKE(.no_wake = true), 0);
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .auto_start = true));
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_INT(wshub_ext_cron_done(a.late[0], false), WSHUB_OK);
    EXPECT_LOG("tA1 dA1 ");
    wshub_io_fake_advance(w.net, 1000); /* what is never done is forgotten with the jobs */
    EXPECT_LOG("tA2 ");
    end();
}

TEST(a_job_may_run_at_its_start_once_or_so_many_times) { /* CRON-5 */
    subject a = S(0), b = S(0), c = S(0), d = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .run_at_start = true, .runs_max = 2));
    EXPECT_INT(wshub_ext_cron_job_start(jobs, a.job), WSHUB_OK);
    EXPECT_INT(a.reason, WSHUB_EXT_CRON_STARTED);
    add(&b, 'B', JOB(&b, .once_ms = START + 2500, .auto_start = true));
    add(&c, 'C', JOB(&c, .once_ms = START - 1, .auto_start = true)); /* has passed */
    EXPECT_INT(info(&c).next_ms, NEVER);
    EXPECT_INT(info(&b).next_ms, START + 2500);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT_LOG("tA0 tA1 tA2 cA2 tB2.5 cB2.5 ");
    EXPECT(!info(&a).running && !info(&b).running && info(&c).running);
    add(&d, 'D', JOB(&d, .expr = "0 0 0 30 2 *", .auto_start = true)); /* never */
    EXPECT_INT(info(&d).next_ms, NEVER);
    EXPECT(info(&d).running);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, c.job, "* * * * * *", false, NULL), WSHUB_OK);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_LOG("tC6 ");
    end();
}

TEST(jitter_spreads_ticks_and_never_makes_them_early) { /* CRON-4 */
    subject a = S(0);
    int i, late = 0;
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 * * * * *", .auto_start = true, .jitter_ms = 5000));
    for (i = 1; i <= 20; i++) {
        wshub_io_fake_advance(w.net, 60000);
        EXPECT_INT(info(&a).next_ms % 60000, 0);
        EXPECT(info(&a).runs == 0 || info(&a).last_ms - a.due <= 5000);
        EXPECT(info(&a).runs == 0 || info(&a).last_ms >= a.due);
        late += info(&a).runs && info(&a).last_ms - a.due > 1000;
    }
    EXPECT_OP(late, >, 5);
    EXPECT_OP(info(&a).runs, >=, 19);
    end();
}

/* ---- clocks ---- */

TEST(a_wait_of_months_is_one_of_many_minutes) { /* CRON-4; b12 */
    subject a = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 9 1 9 *", .auto_start = true));
    wshub_io_fake_advance(w.net, UINT64_C(212) * 86400000 + 84600000 - 1);
    EXPECT_LOG("");
    wshub_io_fake_advance(w.net, 1);
    EXPECT_INT(info(&a).last_ms, INT64_C(1788253200000));
    EXPECT_INT(info(&a).runs, 1);
    end();
}

TEST(a_timer_that_is_early_waits_on) { /* CRON-4; b13 */
    subject a = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "30 * * * * *", .auto_start = true));
    wshub_io_fake_set_wall(w.net, -3000); /* so the timer comes 3 s before its second */
    wshub_io_fake_advance(w.net, 32999);
    EXPECT_LOG("");
    wshub_io_fake_advance(w.net, 1);
    EXPECT_LOG("tA30 ");
    wshub_io_fake_set_wall(w.net, -1);
    wshub_io_fake_advance(w.net, 60000);
    EXPECT_LOG("");
    wshub_io_fake_advance(w.net, 1);
    EXPECT_LOG("tA90 ");
    end();
}

TEST(a_clock_set_back_a_little_repeats_nothing) { /* CRON-4; b14 */
    subject a = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "*/10 * * * * *", .auto_start = true));
    wshub_io_fake_advance(w.net, 10000);
    wshub_io_fake_set_wall(w.net, -60000);
    wshub_io_fake_advance(w.net, 69999);
    EXPECT_LOG("tA10 ");
    EXPECT_INT(info(&a).next_ms, START + 20000);
    wshub_io_fake_advance(w.net, 1);
    EXPECT_LOG("tA20 ");
    end();
}

TEST(a_clock_set_back_by_more_counts_anew) { /* CRON-4; b14 */
    subject a = S(0), b = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 * * * * *", .auto_start = true));
    add(&b, 'B', JOB(&b, .once_ms = START + 70000, .auto_start = true)); /* stays what it is */
    wshub_io_fake_advance(w.net, 60000);
    wshub_io_fake_set_wall(w.net, -3600000);
    wshub_io_fake_advance(w.net, 60000); /* noticed when the other one is looked at */
    EXPECT_LOG("tA60 tA-3480 ");
    wshub_io_fake_set_wall(w.net, 3600000);
    wshub_io_fake_advance(w.net, 60000);
    EXPECT_LOG("tA180 tB180 cB180 ");
    end();
}

TEST(a_clock_set_back_may_be_told_to_repeat_nothing_at_all) { /* CRON-4; b14 */
    subject a = S(0);
    begin_with(FAKE(0), WSHUB_OFF);
    add(&a, 'A', JOB(&a, .expr = "0 * * * * *", .auto_start = true));
    wshub_io_fake_advance(w.net, 60000);
    wshub_io_fake_set_wall(w.net, -3600000);
    wshub_io_fake_advance(w.net, 3600000);
    EXPECT_LOG("tA60 ");
    wshub_io_fake_advance(w.net, 60000);
    EXPECT_LOG("tA120 ");
    end();
}

TEST(little_steps_back_repeat_nothing_however_many) { /* CRON-4 */
    subject a = S(0);
    int i;
    begin();
    add(&a, 'A', JOB(&a, .expr = "*/10 * * * * *", .auto_start = true));
    wshub_io_fake_advance(w.net, 10000);
    for (i = 0; i < 5; i++) {
        wshub_io_fake_set_wall(w.net, -60000);
        wshub_io_fake_advance(w.net, 61000); /* each is seen before the next one */
        EXPECT_INT(info(&a).next_ms, START + 20000);
    }
    EXPECT_LOG("tA10 ");
    wshub_io_fake_advance(w.net, 5000);
    EXPECT_LOG("tA20 ");
    end();
}

TEST(of_what_was_missed_one_runs_for_all) { /* CRON-4 */
    subject a = S(0), b = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 * * * * *", .auto_start = true));
    add(&b, 'B', JOB(&b, .expr = "0 * * * * *", .auto_start = true, .threshold_ms = 1000));
    wshub_io_fake_advance(w.net, 30000);
    wshub_io_fake_set_wall(w.net, 600000);
    wshub_io_fake_advance(w.net, 30000);
    EXPECT_LOG("tA660 ");
    EXPECT_INT(a.missed, 10); /* 120 to 660: it stands for those too */
    EXPECT_INT(a.due, START + 60000);
    EXPECT_INT(info(&b).left_out, 1); /* it was too late for that one */
    wshub_io_fake_advance(w.net, 60000);
    EXPECT_LOG("tA720 tB720 ");
    EXPECT_INT(a.missed, 0);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, a.job, "* * * * * *", false, NULL), WSHUB_OK);
    wshub_io_fake_set_wall(w.net, 400 * 86400000LL);
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_INT(a.missed, WSHUB_EXT_CRON_MISSED_MAX); /* or more than that: it is not counted on */
    EXPECT_INT(a.due, START + 721000);
    end();
}

TEST(a_process_that_sleeps_runs_once_when_it_wakes) { /* CRON-4 */
    subject a = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 * * * * *", .auto_start = true));
    wshub_io_fake_stall(w.net, true);
    wshub_io_fake_advance(w.net, 3600000 - 500);
    wshub_io_fake_stall(w.net, false);
    wshub_io_fake_advance(w.net, 60000); /* its own clock lags behind, by rule LIVE-3 */
    EXPECT(a.missed || info(&a).runs == 2);
    EXPECT_OP(info(&a).runs, <=, 2);
    EXPECT_OP(info(&a).runs, >=, 1);
    end();
}

TEST(clocks_that_are_slow_or_fast_make_no_tick_late) {   /* CRON-4 */
    static const int rates[] = {-500, 500, -5000, 5000}; /* millionths */
    size_t i;
    int hour;
    for (i = 0; i < 4; i++) {
        subject a = S(0);
        begin();
        add(&a, 'A', JOB(&a, .expr = "0 0 * * * *", .auto_start = true));
        for (hour = 0; hour < 100; hour++) {
            wshub_io_fake_advance_apart(w.net, 3600000, (uint64_t)(3600000 + 36 * rates[i] / 10));
            if (info(&a).runs) {
                EXPECT_OP(info(&a).last_ms - a.due, >=, 0);
                EXPECT_OP(info(&a).last_ms - a.due, <=,
                          rates[i] < 0      ? 1
                          : rates[i] == 500 ? 40
                                            : 400);
            }
        }
        EXPECT_OP(info(&a).runs, >=, 99);
        EXPECT_OP(info(&a).runs, <=, 101);
        end();
    }
}

/* ---- a year, and many ---- */

TEST(a_year_of_jobs_passes_in_no_time) { /* CRON-4 */
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"};
    subject subjects[60];
    int64_t due[60];
    int i, day;
    begin();
    memset(subjects, 0, sizeof subjects);
    for (i = 0; i < 60; i++) {
        char expr[40];
        (void)snprintf(expr, sizeof expr, "%d %d %d * * *", i, i * 7 % 60, i % 24);
        add(&subjects[i], 'A',
            JOB(&subjects[i], .expr = expr, .zone = zones[i % 3], .auto_start = true));
        due[i] = info(&subjects[i]).next_ms;
    }
    for (day = 0; day < 365; day++) {
        wshub_io_fake_advance(w.net, 86400000);
        w.log_len = 0;
        for (i = 0; i < 60; i++) {
            wshub_ext_cron_info now = info(&subjects[i]);
            wshub_ext_cron_zone *zone = NULL;
            if (day % 50 || now.last_ms == NEVER) continue;
            EXPECT_INT(wshub_ext_cron_zone_create(&(wshub_ext_cron_zone_desc){.name = zones[i % 3]},
                                                  &zone),
                       WSHUB_OK);
            EXPECT_INT(now.next_ms, wshub_ext_cron_next(&now.cron, zone, now.last_ms));
            wshub_ext_cron_zone_destroy(zone);
        }
    }
    for (i = 0; i < 60; i++) {
        EXPECT_OP(info(&subjects[i]).runs, >=, 364);
        EXPECT_OP(info(&subjects[i]).runs, <=, 366);
        EXPECT_OP(info(&subjects[i]).next_ms, >, due[i]);
    }
    end();
}

static int ticks_counted;
static int64_t tick_before;
static wshub_ext_cron_outcome count_tick(const wshub_ext_cron_tick *tick, void *user) {
    (void)user;
    ticks_counted++;
    EXPECT(tick->due_ms >= tick_before);
    tick_before = tick->due_ms;
    return WSHUB_EXT_CRON_OK;
}

TEST(a_hundred_thousand_jobs_take_under_200_bytes_each) { /* CRON-4 */
    enum { MANY = 100000 };
    wshub_ext_cron_job first = {0}, job = {0};
    int i;
    begin();
    ticks_counted = 0;
    tick_before = 0;
    for (i = 0; i < MANY; i++) {
        char expr[40];
        wshub_ext_cron_job_desc desc = {
            .zone = "Europe/Berlin", .auto_start = true, .on_tick = count_tick};
        (void)snprintf(expr, sizeof expr, "%d %d * * * *", i % 60, i / 60 % 60);
        desc.expr = expr;
        EXPECT_INT(wshub_ext_cron_job_create(jobs, &desc, i ? &job : &first, NULL), WSHUB_OK);
    }
    EXPECT_OP(held / MANY, <, 200);
    wshub_io_fake_advance(w.net, 3600000);
    EXPECT_INT(ticks_counted, MANY);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, first), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_jobs_count(jobs), MANY - 2);
    end();
}

/* Where the hub asks what the wall clock says, which jobs do only when the first of them is due. */
static uint64_t walls;
static void nothing(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}
static uint64_t (*real_wall)(void *ctx);
static uint64_t counted_wall(void *ctx) {
    walls++;
    return real_wall(ctx);
}

TEST(an_idle_turn_is_untouched_however_many_jobs_wait) { /* CRON-4 */
    static wshub_io io;
    wshub_io_fake_desc net = FAKE(0);
    wshub_desc desc = DESC(.on_authenticate = accept_all);
    subject a = S(0);
    size_t before;
    int i;
    memset(&w, 0, sizeof w);
    EXPECT_INT(wshub_io_fake_create(&net, &w.net), WSHUB_OK);
    io = *wshub_io_fake_io(w.net);
    real_wall = io.wall_ms;
    io.wall_ms = counted_wall;
    desc.io = &io;
    EXPECT_INT(wshub_create(&desc, &w.hub), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(.set_back_max_ms = 0), &jobs), WSHUB_OK);
    for (i = 0; i < 1000; i++) add(&a, 'A', JOB(&a, .expr = "0 12 1 1 *", .auto_start = true));
    wshub_io_fake_run(w.net);
    walls = 0;
    before = held;
    for (i = 0; i < 100; i++) {
        EXPECT_INT(wshub_post(w.hub, nothing, NULL), WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_advance(w.net, 100);
    }
    EXPECT_INT(walls, 0);
    EXPECT_INT(held, before);
    wshub_io_fake_advance(w.net, 50000); /* the one look of the minute */
    EXPECT_OP(walls, >=, 1);
    EXPECT_OP(walls, <=, 4);
    wshub_destroy(w.hub);
    wshub_io_fake_destroy(w.net);
    wshub_ext_cron_jobs_destroy(jobs);
    EXPECT_INT(held, 0);
}

TEST(a_job_without_a_future_sets_no_timer) { /* CRON-4 */
    subject a = S(0);
    uint64_t before;
    begin();
    before = wshub_io_fake_deadline(w.net);
    add(&a, 'A', JOB(&a, .expr = "0 0 0 30 2 *", .auto_start = true));
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_io_fake_deadline(w.net), before);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, a.job, "* * * * * *", false, NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_io_fake_deadline(w.net), wshub_io_fake_now(w.net) + 1000);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_io_fake_deadline(w.net), before);
    end();
}

/* ---- zones, descriptions, memory ---- */

static const char *rule_now = "AAA0";
static size_t load_rule(void *user, const char *name, void *bytes, size_t cap) {
    static const char head[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0"
                               "\0\0\0\0\0\0";
    size_t n = 0;
    (void)user;
    (void)name;
    if (!rule_now) return 0;
    EXPECT_OP(cap, >, 200);
    memcpy((char *)bytes, head, sizeof head - 1);
    n += sizeof head - 1;
    memcpy((char *)bytes + n, head, sizeof head - 1);
    n += sizeof head - 1;
    return n + (size_t)snprintf((char *)bytes + n, 100, "\n%s\n", rule_now);
}

TEST(zones_are_read_again_and_arm_anew) { /* CRON-3, CRON-4 */
    subject a = S(0), b = S(0);
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(.load = load_rule, .folder = "/nowhere"), &jobs),
               WSHUB_OK);
    rule_now = "AAA0";
    add(&a, 'A', JOB(&a, .expr = "0 0 12 * * *", .zone = "My/Zone", .auto_start = true));
    add(&b, 'B', JOB(&b, .expr = "0 0 13 * * *", .zone = "My/Other", .auto_start = true));
    EXPECT_INT(info(&a).next_ms, START + 150 * 60000);
    rule_now = "AAA-2"; /* the clock has been set, by law */
    EXPECT_INT(wshub_ext_cron_jobs_reload(jobs), WSHUB_OK);
    EXPECT_INT(info(&a).next_ms, START + 30 * 60000);
    rule_now = NULL; /* it cannot be read: it stays */
    EXPECT_INT(wshub_ext_cron_jobs_reload(jobs), WSHUB_ERR_ABSENT);
    EXPECT_INT(info(&a).next_ms, START + 30 * 60000);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_jobs_reload(jobs), WSHUB_ERR_ABSENT);
    rule_now = "AAA-1";
    add(&a, 'A', JOB(&a, .expr = "0 0 12 * * *", .zone = "My/Third", .auto_start = true));
    EXPECT_INT(info(&a).next_ms, START + 90 * 60000);
    end();
}

TEST(descriptions_of_jobs_are_checked) { /* CRON-5 */
    wshub_ext_cron_jobs_desc desc;
    begin();
    memset(&desc, 0, sizeof desc);
    EXPECT_HAS(wshub_ext_cron_jobs_problem(&desc), "hub: ");
    EXPECT_HAS(wshub_ext_cron_jobs_problem(NULL), "required");
    desc.hub = w.hub;
    EXPECT(wshub_ext_cron_jobs_problem(&desc) == NULL);
    desc.folder = "";
    EXPECT_HAS(wshub_ext_cron_jobs_problem(&desc), "folder: ");
    EXPECT(wshub_ext_cron_jobs_problem_versioned(&desc, sizeof desc, 99) != NULL);
    EXPECT(wshub_ext_cron_jobs_problem_versioned(&desc, 1, WSHUB_EXT_CRON_JOBS_VERSION) != NULL);
    EXPECT_INT(wshub_ext_cron_jobs_create(&desc, &jobs), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(0), NULL), WSHUB_ERR_PARAM);
    wshub_ext_cron_jobs_destroy(NULL);
    end();
}

static char why[WSHUB_EXPLAIN_BYTES];
static const char *job_why(wshub_ext_cron_job_desc desc, wshub_err err) {
    size_t len = wshub_ext_cron_job_explain(&desc, err, why, sizeof why);
    EXPECT_INT(len, strlen(why));
    return why;
}
static const char *jobs_why(wshub_ext_cron_jobs_desc desc, wshub_err err) {
    (void)wshub_ext_cron_jobs_explain(&desc, err, why, sizeof why);
    return why;
}
#define DESCRIBED(...) ((wshub_ext_cron_job_desc){__VA_ARGS__})

TEST(what_is_wrong_with_a_description_is_said_with_what_is_there) { /* CRON-1, CRON-3, CRON-5 */
    wshub_ext_cron_error error;
    wshub_ext_cron_job_desc desc = DESCRIBED(.expr = "* * * * *", .once_ms = 1);
    begin();
    EXPECT_STR(job_why(DESCRIBED(0), WSHUB_OK),
               "expr is NULL: required, as in \"30 9 * * 1-5\", or once_ms");
    EXPECT_HAS(job_why(desc, WSHUB_OK), "once_ms: means something only without expr");
    EXPECT_INT(wshub_ext_cron_job_create(jobs, &desc, NULL, &error), WSHUB_ERR_PARAM);
    EXPECT_HAS(error.text, "once_ms: ");
    EXPECT_INT(wshub_ext_cron_job_create(jobs, NULL, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(job_why(DESCRIBED(.expr = "61 * * * *"), WSHUB_OK),
               "expr is \"61 * * * *\": Field value (61) is out of range");
    EXPECT_HAS(job_why(DESCRIBED(.expr = "@daly"), WSHUB_OK),
               "expr is \"@daly\": Unknown alias: dal; with @ it must be one of @yearly, ");
    EXPECT_HAS(job_why(DESCRIBED(.expr = "* * * * *", .zone = "../x"), WSHUB_OK),
               "zone is \"../x\": must be the name of a zone");
    EXPECT_HAS(job_why(DESCRIBED(.expr = "* * * * *", .zone = "No/Zone"), WSHUB_ERR_PARAM),
               "zone is \"No/Zone\": no such zone (looked in ");
    EXPECT_STR(job_why(DESCRIBED(.expr = "* * * * *"), WSHUB_ERR_NOMEM),
               wshub_strerror(WSHUB_ERR_NOMEM));
    EXPECT_STR(job_why(DESCRIBED(.once_ms = 5, .zone = "<+0330>-3:30"), WSHUB_OK), "");
    EXPECT_HAS(wshub_ext_cron_job_problem(NULL), "required");
    desc.once_ms = 0;
    EXPECT_HAS(wshub_ext_cron_job_problem_versioned(&desc, 1, WSHUB_EXT_CRON_JOB_VERSION),
               "of another wshub_ext_cron.h");
    EXPECT_HAS(wshub_ext_cron_job_problem_versioned(&desc, sizeof desc, 99), "of another");
    EXPECT_INT(wshub_ext_cron_job_create_versioned(jobs, &desc, sizeof desc, 99, NULL, &error),
               WSHUB_ERR_PARAM);
    EXPECT_HAS(error.text, "of another wshub_ext_cron.h");
    (void)wshub_ext_cron_job_explain_versioned(&desc, 1, 1, WSHUB_OK, why, sizeof why);
    EXPECT_HAS(why, "of another wshub_ext_cron.h");

    EXPECT_HAS(jobs_why((wshub_ext_cron_jobs_desc){.folder = "x"}, WSHUB_OK), "hub is NULL: ");
    EXPECT_HAS(jobs_why(JOBS(.folder = ""), WSHUB_OK), "folder is \"\": must be");
    EXPECT_HAS(jobs_why(JOBS(0), WSHUB_ERR_PARAM), "out_jobs: required");
    EXPECT_STR(jobs_why(JOBS(0), WSHUB_ERR_NOMEM), wshub_strerror(WSHUB_ERR_NOMEM));
    (void)wshub_ext_cron_jobs_explain(NULL, WSHUB_OK, why, sizeof why);
    EXPECT_HAS(why, "required");
    end();
}

/* Who does not ask for the reason finds it in the log; and a day that never comes is told. */
TEST(a_job_that_is_not_made_or_never_due_is_told) { /* CRON-1, CRON-3 */
    static const struct {
        wshub_ext_cron_job_desc desc;
        const char *line;
    } cases[] = {
        {{.expr = "0 9 * * *", .zone = "Europe/Berln"},
         "error CREATE: wshub_ext_cron_job_create(): zone is \"Europe/Berln\": no such zone "
         "(looked "
         "in /no/zones)\n"},
        {{.expr = "0 61 * * *"},
         "error CREATE: wshub_ext_cron_job_create(): expr is \"0 61 * * *\": Field value (61) is "
         "out "
         "of range\n"},
        {{.expr = "0 9 31 2 *"},
         "warn DOUBTFUL: made, but hardly meant so: wshub_ext_cron_job_create(): expr is \"0 9 31 "
         "2 "
         "*\": it is never due, within nine years"},
        {{.expr = "0 9 29 2 *"}, ""},
        {{.once_ms = 1}, ""},
    };
    wshub_ext_cron_jobs *others;
    size_t i;
    begin();
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(.folder = ""), &others), WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_io_fake_log(w.net).ptr,
               "error CREATE: wshub_ext_cron_jobs_create(): folder is \"\": must be");
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(.folder = "/no/zones"), &others), WSHUB_OK);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_io_fake_log_forget(w.net);
        (void)wshub_ext_cron_job_create(others, &cases[i].desc, NULL, NULL);
        EXPECT_HAS(wshub_io_fake_log(w.net).ptr ? wshub_io_fake_log(w.net).ptr : "", cases[i].line);
        EXPECT(*cases[i].line || !wshub_io_fake_log(w.net).len);
    }
    wshub_ext_cron_jobs_destroy(others);
    end();
}

TEST(jobs_without_memory_are_refused_and_leave_nothing) { /* CRON-5 */
    subject a = S(.outcome = WSHUB_EXT_CRON_LATER);
    wshub_ext_cron_jobs *other = NULL;
    wshub_ext_cron_error error;
    wshub_ext_cron_job job = {0};
    int n, refused = 0;
    size_t before;
    begin();
    before = held;
    fail_at = 1;
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(0), &other), WSHUB_ERR_NOMEM);
    for (n = 1; n < 30 && !fail_at; n++) { /* until it is not reached */
        wshub_err err;
        EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(0), &other), WSHUB_OK);
        fail_at = n;
        err = wshub_ext_cron_job_create(
            other, &JOB(&a, .expr = "* * * * *", .zone = "Europe/Paris"), &job, &error);
        EXPECT_INT(wshub_ext_cron_jobs_count(other), !err);
        EXPECT(!err || err == WSHUB_ERR_NOMEM);
        refused += err == WSHUB_ERR_NOMEM;
        wshub_ext_cron_jobs_destroy(other);
        EXPECT_INT(held, before);
    }
    EXPECT_OP(refused, >=, 6);
    fail_at = 0;
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .auto_start = true));
    fail_at = 1; /* a tick that cannot be made late */
    wshub_io_fake_advance(w.net, 1000);
    EXPECT(a.late[0] == NULL);
    end();
}

/* A job that is made when the clock has just been set does not wait until all others are looked
 * at. */
TEST(a_job_that_is_made_behind_a_jump_of_the_clock_is_in_time) { /* CRON-4 */
    subject a = S(0), b = S(0);
    begin();
    add(&a, 'A', JOB(&a, .expr = "0 0 12 * * *", .auto_start = true));
    wshub_io_fake_set_wall(w.net, 600000);
    add(&b, 'B', JOB(&b, .expr = "* * * * * *", .auto_start = true));
    wshub_io_fake_advance(w.net, 2000);
    EXPECT_LOG("tB601 tB602 ");
    end();
}

/* ---- lines that are told in the middle ---- */

static subject told_of;
static bool ends_hub;
static void on_line(wshub *hub, const wshub_log *line, void *user) {
    static bool done;
    (void)line, (void)user;
    if (told_of.name || done) return;
    if (ends_hub) {
        done = true;
        w.hub = NULL;
        wshub_destroy(hub);
    } else {
        add(&told_of, 'L', JOB(&told_of, .expr = "* * * * * *", .auto_start = true));
    }
}

/* As begin(), and there is a line that nobody has been told of: what a hub has to say of its
 * description is told by the first call into it. */
static void begin_untold(void) {
    wshub_desc d = DESC(.on_log = on_line, .alloc = world_alloc, .alloc_user = &w);
    told_of = S(0);
    memset(&w, 0, sizeof w);
    EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
    d.io = wshub_io_fake_io(w.net);
    EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_jobs_create(&JOBS(.set_back_max_ms = 0), &jobs), WSHUB_OK);
}

TEST(a_job_may_be_made_while_a_job_is_made) { /* on_log */
    subject a = S(0);
    ends_hub = false;
    begin_untold();
    add(&a, 'A', JOB(&a, .expr = "* * * * * *", .auto_start = true));
    EXPECT_INT(told_of.name, 'L');
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_LOG("tA1 tL1 ");
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, told_of.job), WSHUB_OK);
    EXPECT_LOG("cA1 cL1 ");
    wshub_io_fake_advance(w.net, 200000);
    EXPECT_LOG("");
    end();
}

TEST(the_hub_may_be_destroyed_while_a_job_is_made) { /* on_log */
    subject a = S(0);
    ends_hub = true;
    begin_untold();
    a.name = 'A';
    EXPECT_INT(wshub_ext_cron_job_create(
                   jobs, &JOB(&a, .expr = "* * * * * *", .auto_start = true, .run_at_start = true),
                   &a.job, NULL),
               WSHUB_OK);
    EXPECT(!w.hub);
    end();
}
