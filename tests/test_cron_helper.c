/* What was recorded of the helper that jobs stand in for (tests/cron/helper.txt), done again with
 * jobs of backends/wshub_ext_cron.h: each line is asked for, and the same is seen, or what was
 * decided in its place is said beside it (CRON-1, CRON-5). */
#include "hubtest.h"
#include "wshub_ext_cron.h"
#include "texts.h"

#define NEVER WSHUB_EXT_CRON_NEVER

/* ---- what was recorded ---- */

enum { LINES = 40 };
static char *recorded[LINES]; /* name, then key=JSON, all behind tabs */
static bool looked_at[LINES];
static int recorded_count;
static char *file;

static void read_recorded(void) {
    char *line;
    file = text_of("tests/cron/helper.txt");
    recorded_count = 0;
    for (line = strtok(file, "\n"); line && recorded_count < LINES; line = strtok(NULL, "\n"))
        if (line[0] != '#') recorded[recorded_count++] = line;
}

/* What was seen under a key in the n-th line of a name, as JSON. */
static const char *seen_nth(const char *name, int nth, const char *key) {
    static char value[200];
    char want[60];
    size_t len = strlen(name);
    int i;
    value[0] = 0;
    (void)snprintf(want, sizeof want, "\t%s=", key);
    for (i = 0; i < recorded_count; i++) {
        const char *text = recorded[i], *at;
        if (strncmp(text, name, len) != 0 || text[len] != '\t' || nth--) continue;
        looked_at[i] = true;
        at = strstr(text, want);
        if (at) {
            at += strlen(want);
            (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\t"), at);
        }
        return value;
    }
    test_fail(__FILE__, __LINE__);
    (void)printf("no such line: %s\n", name);
    return value;
}
static const char *seen(const char *name, const char *key) {
    return seen_nth(name, 0, key);
}
/* A text that was seen, without its quotes. */
static const char *seen_text(const char *name, int nth, const char *key) {
    static char text[200];
    const char *json = seen_nth(name, nth, key);
    (void)snprintf(text, sizeof text, "%.*s", (int)(strlen(json) - 2), json + 1);
    return text;
}
static int seen_int(const char *name, const char *key) {
    return atoi(seen(name, key));
}

/* ---- a job that counts ---- */

static world w;
static wshub_ext_cron_jobs *jobs;
static int ticks, errors, completes, most, under_way;
static int64_t offset_ms; /* of the last tick within its second */
static wshub_ext_cron_outcome outcome;
static wshub_ext_cron_late *late[4];

static wshub_ext_cron_outcome on_tick(const wshub_ext_cron_tick *tick, void *user) {
    (void)user;
    ticks++;
    offset_ms = tick->wall_ms % 1000;
    if (outcome != WSHUB_EXT_CRON_LATER) return outcome;
    if (under_way < 4) late[under_way] = wshub_ext_cron_later(tick);
    if (++under_way > most) most = under_way;
    return outcome;
}
static void on_error(const wshub_ext_cron_tick *tick, void *user) {
    (void)tick;
    (void)user;
    errors++;
}
static void on_complete(wshub_ext_cron_jobs *of, wshub_ext_cron_job job, void *user) {
    (void)of;
    (void)job;
    (void)user;
    completes++;
}

static void begin(void) {
    ticks = errors = completes = most = under_way = 0;
    outcome = WSHUB_EXT_CRON_OK;
    read_recorded();
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(wshub_ext_cron_jobs_create(&(wshub_ext_cron_jobs_desc){.hub = w.hub}, &jobs),
               WSHUB_OK);
}
static void end(void) {
    world_stop(&w);
    wshub_ext_cron_jobs_destroy(jobs);
    free(file);
}
static int more_in(uint64_t ms) {
    int before = ticks;
    wshub_io_fake_advance(w.net, ms);
    return ticks - before;
}

#define JOB(...)                                                                                   \
    ((wshub_ext_cron_job_desc){                                                                    \
        .on_tick = on_tick, .on_error = on_error, .on_complete = on_complete, __VA_ARGS__})
static wshub_ext_cron_job make(wshub_ext_cron_job_desc desc) {
    wshub_ext_cron_job job = {0};
    EXPECT_INT(wshub_ext_cron_job_create(jobs, &desc, &job, NULL), WSHUB_OK);
    return job;
}
static wshub_ext_cron_info info(wshub_ext_cron_job job) {
    wshub_ext_cron_info i;
    memset(&i, 0, sizeof i);
    EXPECT_INT(wshub_ext_cron_job_get(jobs, job, &i), WSHUB_OK);
    return i;
}
static const char *refused(const char *expr, const char *zone) {
    static wshub_ext_cron_error error;
    EXPECT_INT(wshub_ext_cron_job_create(jobs, &JOB(.expr = expr, .zone = zone), NULL, &error),
               WSHUB_ERR_PARAM);
    return error.text;
}
/* An instant as the clock shows it so far east of UTC, as the helper wrote it down. */
static const char *shown(int64_t ms, int hours) {
    static char text[40];
    wshub_iso_time((uint64_t)(ms + hours * INT64_C(3600000)), text);
    if (hours) (void)snprintf(text + 23, sizeof text - 23, "+%02d:00", hours);
    return text;
}

/* ---- the same again ---- */

static void constructs(void) {
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_ext_cron_job_desc none;
    int i;
    memset(&none, 0, sizeof none);
    for (i = 0; i < 3;
         i++) { /* none at all, in the helper's words; here in those of a description */
        EXPECT_STR(seen_nth("construct", i, "statusCode"), "400");
        EXPECT_HAS(seen_text("construct", i, "error"), "Invalid cronTime");
    }
    EXPECT_STR(refused("", NULL), "Too few fields");
    EXPECT_HAS(refused(NULL, NULL), "expr: required");
    (void)wshub_ext_cron_job_explain(&none, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT_HAS(why, "expr is NULL: required");
    EXPECT_STR(refused("bad", NULL), seen_text("construct", 3, "error"));
    EXPECT_STR(refused("* * *", NULL), seen_text("construct", 4, "error"));
    EXPECT_STR(refused("* * * * *", "No/Zone"), seen_text("bad tz", 0, "error"));
}

TEST(a_job_lives_as_the_helpers_did) { /* CRON-1, CRON-5 */
    wshub_ext_cron_job job, bare;
    begin();
    constructs();
    EXPECT_STR(seen("no onTick", "ok"), "true");
    bare = make((wshub_ext_cron_job_desc){.expr = "* * * * * *", .auto_start = true});
    EXPECT_INT(more_in(1000), 0);
    EXPECT_INT(info(bare).runs, 1);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, bare), WSHUB_OK);

    job = make(JOB(.expr = "* * * * * *"));
    EXPECT_STR(seen("autoStart default", "isActive"), "false");
    EXPECT_STR(seen("autoStart default", "last"), "null");
    EXPECT(!info(job).running);
    EXPECT_INT(info(job).last_ms, NEVER);
    EXPECT_INT(more_in(1100), seen_int("not started: ticks after 1.1 s", "n"));
    EXPECT_INT(wshub_ext_cron_job_start(jobs, job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_start(jobs, job), WSHUB_OK);
    EXPECT_INT(more_in(2100),
               seen_int("started: ticks after 2.1 s (start twice is one timer)", "n"));
    EXPECT_HAS(seen("tick ms offset within the second", "t"), "[4,3,2]");
    EXPECT_INT(offset_ms, 0); /* theirs come some milliseconds late */

    EXPECT_INT(wshub_ext_cron_job_stop(jobs, job), WSHUB_OK);
    EXPECT_INT(more_in(1100), seen_int("after stop", "more"));
    EXPECT_INT(completes, seen_int("after stop", "onCompleted"));
    EXPECT(!info(job).running);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, job), WSHUB_OK);
    EXPECT_INT(completes, seen_int("stop twice", "onCompleted"));
    EXPECT_INT(wshub_ext_cron_job_start(jobs, job), WSHUB_OK);
    EXPECT_INT(more_in(1000), seen_int("restart works", "more"));

    /* A change: theirs stops inside, and so completes; decided otherwise here. */
    EXPECT_INT(seen_int("modifyCronTime on a running job fires onCompleted", "onCompleted"), 3);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, job, "0 0 0 1 1 *", false, NULL), WSHUB_OK);
    EXPECT_INT(completes, 2);
    EXPECT(info(job).running);
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, job, "0 0 0 1 1 *", true, NULL), WSHUB_OK);
    EXPECT_INT(ticks, 3 + seen_int("shouldFireOnTick", "more"));
    EXPECT_INT(completes, 2);
    end();
}

TEST(changes_and_duplicates_keep_what_the_helper_lost_or_kept) { /* CRON-5 */
    wshub_ext_cron_job job, twin;
    wshub_ext_cron_error error;
    char text[WSHUB_EXT_CRON_TEXT_BYTES];
    wshub_ext_cron_info i;
    begin();
    wshub_io_fake_set_wall(w.net, INT64_C(1795240800000) - (int64_t)wshub_wall_ms(w.hub));
    job = make(JOB(.expr = "0 0 9 * * *", .zone = "Asia/Tokyo"));
    EXPECT_HAS(seen("modifyCronTime loses tz", "before"), shown(info(job).next_ms, 9));
    EXPECT_HAS(seen("modifyCronTime loses tz", "after"), "[\"UTC\",");
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, job, "0 0 10 * * *", false, NULL), WSHUB_OK);
    EXPECT_STR(shown(info(job).next_ms, 9), "2026-11-22T10:00:00.000+09:00"); /* decided: kept */

    EXPECT_INT(wshub_ext_cron_job_duplicate(jobs, job, "0 0 11 * * *", &twin, NULL), WSHUB_OK);
    EXPECT_STR(seen("duplicate keeps tz", "tz"), "\"Asia/Tokyo\"");
    EXPECT_STR(shown(info(twin).next_ms, 9), seen_text("duplicate keeps tz", 0, "next"));
    EXPECT_STR(seen("duplicate keeps tz", "active"), "false");
    EXPECT(!info(twin).running);

    job = make(JOB(.expr = "* * * * * *", .auto_start = true));
    EXPECT_INT(wshub_ext_cron_job_duplicate(jobs, job, "* * * * * *", &twin, NULL), WSHUB_OK);
    EXPECT_STR(seen("duplicate copies autoStart", "active"), "true");
    EXPECT(info(twin).running);
    EXPECT_INT(wshub_ext_cron_job_stop(jobs, job), WSHUB_OK);
    EXPECT_STR(seen("independent", "dup"), "true");
    EXPECT(info(twin).running);
    EXPECT_INT(more_in(1000), 1);

    job = make(JOB(.expr = "0 0 0 1 1 *"));
    EXPECT_INT(wshub_ext_cron_job_modify(jobs, job, "nop", false, &error), WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, seen_text("modify with a bad expression", 0, "error"));
    i = info(job);
    (void)wshub_ext_cron_write(&i.cron, text, sizeof text);
    EXPECT_STR(text, seen_text("modify with a bad expression", 0, "stillValid"));
    end();
}

TEST(ticks_that_fail_or_overlap_do_as_the_helpers_did) { /* CRON-5 */
    wshub_ext_cron_job job;
    begin();
    outcome = WSHUB_EXT_CRON_FAILED;
    job = make(JOB(.expr = "* * * * * *", .auto_start = true));
    EXPECT_INT(more_in(2000), 2);
    EXPECT_STR(seen("onTick throws, errorHandler set: keeps running", "errs"), "[\"t\",\"t\"]");
    EXPECT_INT(errors, 2);
    EXPECT(info(job).running);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, job), WSHUB_OK);

    /* Nothing throws in C, and who sets no on_error hears nothing: the job goes on. */
    EXPECT_HAS(seen("onTick throws, no errorHandler", "console_error"), "error in callback");
    EXPECT_STR(seen("errorHandler throws", "active"), "true");
    job = make(
        (wshub_ext_cron_job_desc){.expr = "* * * * * *", .auto_start = true, .on_tick = on_tick});
    EXPECT_INT(more_in(2000), 2);
    EXPECT(info(job).running);
    EXPECT_INT(wshub_ext_cron_job_destroy(jobs, job), WSHUB_OK);

    outcome = WSHUB_EXT_CRON_LATER;
    job = make(JOB(.expr = "* * * * * *", .auto_start = true));
    EXPECT_INT(more_in(2000), 2);
    EXPECT_INT(most, seen_int("overlapping async ticks run concurrently", "max_concurrent"));
    errors = 0;
    EXPECT_INT(wshub_ext_cron_done(late[0], true), WSHUB_OK); /* as one that rejects */
    EXPECT_INT(wshub_ext_cron_done(late[1], false), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(seen("onTick rejects, errorHandler set", "errs"), "[\"ta\"]");
    EXPECT_INT(errors, 1);

    /* Theirs hands on_complete to on_tick; here on_tick has the jobs and the job, and may stop it. */
    EXPECT_STR(seen("onTick receives onComplete as argument", "o"), "[\"function\"]");
    end();
    EXPECT_INT(completes, 0);
}

TEST(every_line_that_was_recorded_was_looked_at) { /* CRON-5 */
    int i;
    if (!looked_at[0]) SKIP("alone it has nothing to look at");
    read_recorded();
    EXPECT_INT(recorded_count, 27);
    for (i = 0; i < recorded_count; i++) {
        if (!looked_at[i]) (void)printf("  %s\n", recorded[i]);
        EXPECT(looked_at[i]);
    }
    free(file);
}
