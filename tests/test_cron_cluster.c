/* One in a cluster (backends/wshub_ext_cron.h, CRON-6): of all instances on one broker one runs a
 * tick, whatever their clocks say within what is allowed, whoever is killed and started again, and
 * however slowly the broker answers; nobody or everybody, as is set, where it cannot say. With a
 * broker in memory, on the bus of one process, and with a real redis-server. */
#define _GNU_SOURCE
#include "hubtest.h"

#include "wshub_bus_redis.h"
#include "wshub_ext_cron.h"
#include "broker.h"

#define START INT64_C(1769851800000) /* the fake's wall clock begins on 2026-01-31T09:30:00Z */
#define NEVER WSHUB_EXT_CRON_NEVER

/* ---- what ran ---- */

enum { RUNS = 4000 };
/* Every tick of every instance, by its due instant. */
static struct {
    int64_t due[RUNS];
    char who[RUNS];
    int count;
} ran;

static int times(int64_t due) {
    int i, n = 0;
    for (i = 0; i < ran.count; i++) n += ran.due[i] == due;
    return n;
}
/* How many different ticks ran; none may have run twice. */
static int different(void) {
    int i, n = 0;
    for (i = 0; i < ran.count; i++) {
        EXPECT_INT(times(ran.due[i]), 1);
        n += times(ran.due[i]) == 1;
    }
    return n;
}
static int runs_of(char who) {
    int i, n = 0;
    for (i = 0; i < ran.count; i++) n += ran.who[i] == who;
    return n;
}

/* ---- an instance: a hub with a bus and a job, on a fake io that outlives it ---- */

typedef struct instance {
    world w;
    char name;
    wshub_bus_redis *redis;
    wshub_ext_cron_jobs *jobs;
    wshub_ext_cron_job job;
    wshub_ext_cron_outcome outcome;
    wshub_ext_cron_late *late;
    wshub_ext_cron_tick last;
    int unasked, unasked_runs, completes;
    char then; /* what on_unasked does: `f`ree the job, `s`top it */
} instance;

static broker the_broker;
static instance a, b;
static wshub_ext_cron_jobs_desc how; /* of the jobs of both, but for what an instance fills in */

static wshub_ext_cron_outcome on_tick(const wshub_ext_cron_tick *tick, void *user) {
    instance *in = (instance *)user;
    EXPECT(tick->hub == in->w.hub && tick->jobs == in->jobs && tick->job.id == in->job.id);
    in->last = *tick;
    if (ran.count < RUNS) {
        ran.due[ran.count] = tick->due_ms;
        ran.who[ran.count++] = in->name;
    }
    if (in->outcome == WSHUB_EXT_CRON_LATER) in->late = wshub_ext_cron_later(tick);
    return in->outcome;
}
static void on_complete(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job, void *user) {
    (void)jobs;
    (void)job;
    ((instance *)user)->completes++;
}
static void on_unasked(const wshub_ext_cron_tick *tick, bool runs, void *user) {
    instance *in = (instance *)user;
    EXPECT(tick->unasked && tick->jobs == in->jobs && tick->reason == WSHUB_EXT_CRON_DUE);
    in->unasked++;
    in->unasked_runs += runs;
    in->last = *tick;
    if (in->then == 'f') EXPECT_INT(wshub_ext_cron_job_destroy(in->jobs, tick->job), WSHUB_OK);
    if (in->then == 's') EXPECT_INT(wshub_ext_cron_job_stop(in->jobs, tick->job), WSHUB_OK);
}

#define JOB(...)                                                                                   \
    ((wshub_ext_cron_job_desc){                                                                    \
        .zone = "UTC", .auto_start = true, .on_complete = on_complete, __VA_ARGS__})

static void add(instance *in, wshub_ext_cron_job_desc desc) {
    if (!desc.cluster) desc.cluster = "nightly";
    desc.on_tick = on_tick;
    desc.user = in;
    EXPECT_INT(wshub_ext_cron_job_create(in->jobs, &desc, &in->job, NULL), WSHUB_OK);
}
static wshub_ext_cron_info info(const instance *in) {
    wshub_ext_cron_info i;
    memset(&i, 0, sizeof i);
    EXPECT_INT(wshub_ext_cron_job_get(in->jobs, in->job, &i), WSHUB_OK);
    return i;
}

/* Everything that is on its way arrives. */
static void settle(void) {
    instance *both[2] = {&a, &b};
    int i, k, busy = 1;
    for (k = 0; k < 200 && busy; k++) {
        for (i = busy = 0; i < 2; i++) {
            if (!both[i]->w.net) continue;
            busy |= broker_step(&the_broker, both[i]->w.net);
            wshub_io_fake_run(both[i]->w.net);
        }
    }
    EXPECT(k < 200);
}
/* Time passes for both, in small steps, the broker awake beside them. */
static void advance(uint64_t ms) {
    uint64_t step;
    for (; ms; ms -= step) {
        step = ms < 10 ? ms : 10;
        if (a.w.net) wshub_io_fake_advance(a.w.net, step);
        if (b.w.net) wshub_io_fake_advance(b.w.net, step);
        settle();
    }
}

static void hub_start(instance *in, bool with_bus) {
    wshub_desc desc = DESC(.on_authenticate = accept_all);
    wshub_bus_redis_desc bus;
    memset(&bus, 0, sizeof bus);
    bus.io = desc.io = wshub_io_fake_io(in->w.net);
    bus.url = "redis://broker";
    bus.resp3 = in->name == 'B';
    bus.alloc = desc.alloc = world_alloc;
    bus.alloc_user = desc.alloc_user = desc.user = &in->w;
    if (with_bus) {
        EXPECT_INT(wshub_bus_redis_create(&bus, &in->redis), WSHUB_OK);
        desc.bus = wshub_bus_redis_bus(in->redis);
    }
    EXPECT_INT(wshub_create(&desc, &in->w.hub), WSHUB_OK);
}
static void jobs_start(instance *in) {
    wshub_ext_cron_jobs_desc desc = how;
    desc.hub = in->w.hub;
    desc.alloc = world_alloc;
    desc.alloc_user = &in->w;
    desc.on_unasked = on_unasked;
    desc.user = in;
    EXPECT_INT(wshub_ext_cron_jobs_create(&desc, &in->jobs), WSHUB_OK);
}
static void start(instance *in, char name) {
    wshub_io_fake_desc net = FAKE(.on_step = world_step, .user = &in->w, .seed = (uint64_t)name);
    memset(in, 0, sizeof *in);
    in->name = name;
    EXPECT_INT(wshub_io_fake_create(&net, &in->w.net), WSHUB_OK);
    hub_start(in, true);
    jobs_start(in);
}
/* Ends a hub and what is on it, the io stays. */
static void stop(instance *in) {
    wshub *hub = in->w.hub;
    in->w.hub = NULL;
    wshub_destroy(hub);
    wshub_bus_redis_destroy(in->redis);
    wshub_ext_cron_jobs_destroy(in->jobs);
    in->redis = NULL;
    in->jobs = NULL;
    EXPECT_INT(in->w.bytes, 0);
    settle();
}
static void begin(wshub_ext_cron_jobs_desc desc) {
    memset(&the_broker, 0, sizeof the_broker);
    memset(&ran, 0, sizeof ran);
    the_broker.role = "master";
    how = desc;
    start(&a, 'A');
    start(&b, 'B');
    advance(500);
    wshub_io_fake_set_wall(a.w.net, -500);
    wshub_io_fake_set_wall(b.w.net, -500);
}
static void end(void) {
    stop(&a);
    stop(&b);
    broker_drop_all(&the_broker);
    wshub_io_fake_destroy(a.w.net);
    wshub_io_fake_destroy(b.w.net);
    a.w.net = b.w.net = NULL;
}
#define JOBS(...) ((wshub_ext_cron_jobs_desc){__VA_ARGS__})

/* ---- exactly one ---- */

TEST(of_two_instances_one_runs_each_tick) { /* CRON-6; b19 */
    char want[200];
    begin(JOBS(0));
    wshub_io_fake_set_wall(b.w.net, 300); /* the clock that is ahead wins */
    add(&a, JOB(.expr = "* * * * * *"));
    add(&b, JOB(.expr = "* * * * * *"));
    advance(10000);
    EXPECT_INT(different(), 10);
    EXPECT_INT(runs_of('B'), 10);
    EXPECT_INT(info(&a).elsewhere, 10);
    EXPECT_INT(info(&a).runs, 0);
    EXPECT_INT(info(&a).last_ms, NEVER);
    EXPECT_INT(info(&b).runs, 10);
    EXPECT(!b.last.unasked);
    wshub_io_fake_set_wall(b.w.net, -650); /* now that is the other one's */
    advance(10000);
    EXPECT_INT(different(), 20);
    EXPECT_OP(runs_of('A'), >=, 9);
    EXPECT_OP(info(&b).elsewhere, >=, 9);

    stop(&a);
    advance(2000);
    (void)snprintf(want, sizeof want, "SET wshub:cron:nightly:%lld %.*s NX PX 600000",
                   (long long)b.last.due_ms, (int)wshub_server_id(b.w.hub).len,
                   wshub_server_id(b.w.hub).ptr);
    EXPECT_STR(the_broker.set, want); /* the instant is in the key: no tick blocks another */
    hub_start(&a, true);
    jobs_start(&a);
    end();
}

TEST(names_and_instants_are_apart) { /* CRON-6; b19 */
    begin(JOBS(0));
    add(&a, JOB(.expr = "*/2 * * * * *", .cluster = "one"));
    add(&b, JOB(.expr = "*/2 * * * * *", .cluster = "two"));
    advance(10000);
    EXPECT_INT(runs_of('A'), 5);
    EXPECT_INT(runs_of('B'), 5);
    EXPECT_INT(info(&a).elsewhere + info(&b).elsewhere, 0);
    end();
}

TEST(who_is_killed_and_started_again_runs_no_tick_twice) { /* CRON-6; b19 */
    int i;
    begin(JOBS(0));
    add(&a, JOB(.expr = "* * * * * *"));
    add(&b, JOB(.expr = "* * * * * *"));
    for (i = 0; i < 12; i++) {
        instance *in = i % 2 ? &a : &b;
        advance(2995 + (uint64_t)i * 3); /* just before, at, and just behind a tick */
        stop(in);
        /* it comes back with a clock that is behind by up to what is allowed */
        wshub_io_fake_set_wall(in->w.net, i % 3 == 0 ? -5000 : i % 3 == 1 ? 4000 : 0);
        advance(40);
        hub_start(in, true);
        jobs_start(in);
        advance(300);
        add(in, JOB(.expr = "* * * * * *"));
    }
    advance(3000);
    EXPECT_OP(different(), >=, 35);
    end();
}

TEST(a_clock_that_is_behind_by_what_is_allowed_finds_the_tick_taken) { /* CRON-6; b19 */
    begin(JOBS(.cluster_skew_ms = 30000, .cluster_hold_ms = 31000));
    wshub_io_fake_set_wall(b.w.net, -30000);
    add(&a, JOB(.expr = "0 * * * * *"));
    add(&b, JOB(.expr = "0 * * * * *"));
    advance(200000);
    EXPECT_INT(different(), 4); /* 9:30 comes for B alone */
    EXPECT_INT(runs_of('A'), 3);
    EXPECT_HAS(the_broker.set, " NX PX 31000");
    end();
}

/* ---- the broker is away ---- */

static void away(bool alone, int each) {
    begin(JOBS(.cluster_alone = alone));
    add(&a, JOB(.expr = "* * * * * *"));
    add(&b, JOB(.expr = "* * * * * *"));
    advance(2000);
    EXPECT_INT(ran.count, 2);
    the_broker.away = true;
    broker_drop_all(&the_broker);
    advance(3000);
    EXPECT_INT(ran.count, 2 + 2 * each);
    EXPECT_INT(a.unasked, 3);
    EXPECT_INT(b.unasked, 3);
    EXPECT_INT(a.unasked_runs, each);
    EXPECT_INT(info(&a).unasked, 3);
    EXPECT(a.last.unasked && b.last.unasked);
    EXPECT_INT(a.last.due_ms, START + 5000);
    the_broker.away = false;
    ran.count = 0;
    advance(20000);
    EXPECT_OP(ran.count, >=, 10); /* as soon as the bus is back there is one again */
    EXPECT_INT(times(START + 24000), 1);
    EXPECT_INT(times(START + 25000), 1);
    end();
}
TEST(with_the_broker_away_nobody_runs_and_it_is_told) { /* CRON-6 */
    away(false, 0);
}
TEST(with_the_broker_away_everybody_runs_if_that_is_wanted) { /* CRON-6 */
    away(true, 3);
}

TEST(a_broker_that_is_lost_before_it_answers_has_not_said_whose_it_is) { /* CRON-6 */
    begin(JOBS(.cluster_alone = true));
    add(&a, JOB(.expr = "0 * * * * *"));
    add(&b, JOB(.expr = "0 * * * * *"));
    advance(59000);
    the_broker.mute = true;
    advance(3000);
    EXPECT_INT(ran.count + a.unasked + b.unasked, 0);
    broker_drop_all(&the_broker);
    the_broker.mute = false;
    advance(100);
    EXPECT_INT(a.unasked, 1);
    EXPECT_INT(b.unasked, 1);
    EXPECT_INT(ran.count, 2);
    EXPECT_INT(a.last.due_ms, START + 60000);
    end();
}

TEST(a_hub_that_ends_while_the_broker_is_asked_runs_nothing_more) { /* CRON-6 */
    begin(JOBS(.cluster_alone = true));
    add(&a, JOB(.expr = "0 * * * * *"));
    advance(59990);
    the_broker.mute = true;
    advance(100);
    end(); /* bytes come back to nothing */
    EXPECT_INT(ran.count + a.unasked, 0);
}

TEST(an_error_of_the_broker_is_no_word) { /* CRON-6 */
    begin(JOBS(0));
    the_broker.refuse = "SET";
    add(&a, JOB(.expr = "* * * * * *"));
    advance(3000);
    EXPECT_INT(ran.count, 0);
    EXPECT_INT(a.unasked, 3);
    the_broker.refuse = NULL;
    advance(1000);
    EXPECT_INT(ran.count, 1);
    end();
}

TEST(a_hub_without_a_bus_has_nobody_to_ask) { /* CRON-6 */
    begin(JOBS(0));
    stop(&b);
    hub_start(&b, false);
    jobs_start(&b);
    add(&b, JOB(.expr = "* * * * * *"));
    advance(2000);
    EXPECT_INT(ran.count, 0);
    EXPECT_INT(b.unasked, 2);
    end();
}

TEST(on_unasked_may_stop_or_end_the_job) { /* CRON-5, CRON-6 */
    begin(JOBS(.cluster_alone = true));
    the_broker.refuse = "SET";
    a.then = 'f';
    b.then = 's';
    add(&a, JOB(.expr = "* * * * * *"));
    add(&b, JOB(.expr = "* * * * * *"));
    advance(3000);
    EXPECT_INT(ran.count, 0);
    EXPECT_INT(a.unasked, 1);
    EXPECT_INT(b.unasked, 1);
    EXPECT_INT(b.completes, 1);
    EXPECT_INT(wshub_ext_cron_jobs_count(a.jobs), 0);
    end();
}

TEST(without_memory_nobody_is_asked) { /* CRON-6 */
    begin(JOBS(0));
    add(&a, JOB(.expr = "* * * * * *"));
    advance(990);
    a.w.fail_at = 1;
    advance(10);
    EXPECT_INT(ran.count, 0);
    EXPECT_INT(a.unasked, 1);
    a.w.fail_at = 0;
    advance(1000);
    EXPECT_INT(ran.count, 1);
    end();
}

/* ---- late ---- */

TEST(what_was_missed_is_asked_about_by_its_last_instant) { /* CRON-4, CRON-6 */
    begin(JOBS(0));
    add(&a, JOB(.expr = "0 * * * * *"));
    add(&b, JOB(.expr = "0 * * * * *"));
    advance(30000);
    wshub_io_fake_set_wall(a.w.net, 330000); /* to 9:36:00, as if it had slept */
    advance(30000);                          /* the others have come to 9:31 meanwhile */
    EXPECT_INT(ran.count, 2);
    EXPECT_INT(a.last.due_ms, START + 360000);
    EXPECT_INT(a.last.missed, 5);
    EXPECT_INT(times(START + 60000), 1);
    advance(310000); /* and reach the same minutes later: 6 has run */
    EXPECT_INT(times(START + 360000), 1);
    EXPECT_INT(different(), ran.count);
    end();
}

TEST(what_is_later_than_the_key_lives_cannot_be_asked_about) { /* CRON-6 */
    begin(JOBS(.cluster_skew_ms = 1000, .cluster_hold_ms = 11000));
    add(&a, JOB(.expr = "0 0 * * * *"));
    advance(10);
    wshub_io_fake_set_wall(a.w.net, 1800000 + 9500);
    advance(60000 - 10); /* noticed at the next look, too late */
    EXPECT_INT(ran.count, 0);
    EXPECT_INT(a.unasked, 1);
    EXPECT_INT(a.last.missed, 0);
    advance(3600000 - 60000);
    EXPECT_INT(ran.count, 1);

    end();
}

TEST(an_answer_that_comes_too_late_is_no_word) { /* CRON-6 */
    begin(JOBS(.cluster_skew_ms = 1000, .cluster_hold_ms = 2000));
    add(&a, JOB(.expr = "0 * * * * *"));
    add(&b, JOB(.expr = "0 * * * * *", .cluster = "other", .threshold_ms = 500));
    advance(59990);
    the_broker.mute = true;
    advance(1500);
    the_broker.mute = false;
    advance(100);
    EXPECT_INT(ran.count, 0);
    EXPECT_INT(a.unasked, 1);
    EXPECT_INT(b.unasked, 0);
    EXPECT_INT(info(&b).left_out, 1);
    end();
}

/* ---- beside everything else that a job does ---- */

TEST(a_job_that_is_stopped_while_the_broker_is_asked_does_not_run) { /* CRON-5, CRON-6 */
    begin(JOBS(0));
    add(&a, JOB(.expr = "0 * * * * *"));
    add(&b, JOB(.expr = "0 * * * * *", .cluster = "other"));
    advance(59990);
    the_broker.mute = true;
    advance(20);
    EXPECT_INT(wshub_ext_cron_job_stop(a.jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_start(a.jobs, a.job), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_destroy(b.jobs, b.job), WSHUB_OK);
    the_broker.mute = false;
    advance(100);
    EXPECT_INT(ran.count, 0);
    EXPECT_INT(a.completes, 1);
    advance(60000);
    EXPECT_INT(runs_of('A'), 1);
    end();
}

TEST(ticks_at_once_are_not_asked_about) { /* CRON-6 */
    begin(JOBS(0));
    add(&a, JOB(.expr = "0 * * * * *", .run_at_start = true));
    EXPECT_INT(wshub_ext_cron_job_fire(a.jobs, a.job), WSHUB_OK);
    EXPECT_INT(ran.count, 2);
    EXPECT_STR(the_broker.set, "");
    end();
}

TEST(the_last_tick_stops_the_job_wherever_it_ran) { /* CRON-5, CRON-6 */
    begin(JOBS(0));
    add(&a, JOB(.once_ms = START + 2500));
    add(&b, JOB(.once_ms = START + 2500));
    advance(3000);
    EXPECT_INT(ran.count, 1);
    EXPECT_INT(times(START + 2500), 1);
    EXPECT_INT(a.completes, 1);
    EXPECT_INT(b.completes, 1);
    EXPECT_INT(wshub_ext_cron_job_destroy(a.jobs, a.job), WSHUB_OK);
    add(&a, JOB(.expr = "* * * * * *", .runs_max = 2, .cluster = "two"));
    advance(5000);
    EXPECT_INT(runs_of('A') + runs_of('B'), 3);
    EXPECT(!info(&a).running);
    end();
}

TEST(a_duplicate_has_the_same_name_in_the_cluster) { /* CRON-5, CRON-6 */
    wshub_ext_cron_job twin;
    wshub_ext_cron_info i;
    begin(JOBS(0));
    add(&a, JOB(.expr = "0 0 1 1 *"));
    EXPECT_INT(wshub_ext_cron_job_duplicate(a.jobs, a.job, "* * * * * *", &twin, NULL), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_destroy(a.jobs, a.job), WSHUB_OK);
    a.job = twin;
    advance(2000);
    EXPECT_INT(ran.count, 2);
    EXPECT_HAS(the_broker.set, "SET wshub:cron:nightly:");
    EXPECT_INT(wshub_ext_cron_job_get(a.jobs, twin, &i), WSHUB_OK);
    end();
}

TEST(ticks_that_wait_are_left_to_others) { /* CRON-5, CRON-6 */
    begin(JOBS(0));
    wshub_io_fake_set_wall(a.w.net, 200);
    a.outcome = WSHUB_EXT_CRON_LATER;
    add(&a, JOB(.expr = "* * * * * *", .wait_for_completion = true));
    add(&b, JOB(.expr = "* * * * * *", .wait_for_completion = true));
    advance(5000);
    EXPECT_INT(different(), 5);
    EXPECT_INT(runs_of('A'), 1);
    EXPECT_INT(runs_of('B'), 4); /* who is busy does not ask */
    EXPECT_INT(info(&a).left_out, 4);
    a.outcome = WSHUB_EXT_CRON_OK;
    EXPECT_INT(wshub_ext_cron_done(a.late, false), WSHUB_OK);
    advance(2000);
    EXPECT_INT(runs_of('A'), 3);
    end();
}

TEST(descriptions_of_clusters_are_checked) { /* CRON-6 */
    char name[300], why[WSHUB_EXPLAIN_BYTES];
    wshub_ext_cron_error error;
    wshub_ext_cron_jobs_desc jobs;
    wshub_ext_cron_job_desc job = JOB(.expr = "* * * * *", .cluster = "");
    begin(JOBS(0));
    EXPECT_HAS(wshub_ext_cron_job_problem(&job), "cluster: ");
    EXPECT_INT(wshub_ext_cron_job_create(a.jobs, &job, NULL, &error), WSHUB_ERR_PARAM);
    EXPECT_HAS(error.text, "cluster: must be a name of 1 to 200 bytes");
    memset(name, 'x', sizeof name);
    name[201] = 0;
    job.cluster = name;
    EXPECT_HAS(wshub_ext_cron_job_problem(&job), "cluster: ");
    name[200] = 0;
    EXPECT(wshub_ext_cron_job_problem(&job) == NULL);
    add(&a, job);
    memset(&jobs, 0, sizeof jobs);
    jobs.hub = a.w.hub;
    jobs.cluster_skew_ms = 600000;
    EXPECT_HAS(wshub_ext_cron_jobs_problem(&jobs), "cluster_hold_ms: ");
    (void)wshub_ext_cron_jobs_explain(&jobs, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT_HAS(why, "cluster_hold_ms is 600000, cluster_skew_ms is 600000: must be more than");
    jobs.cluster_skew_ms = 0;
    EXPECT(wshub_ext_cron_jobs_problem(&jobs) == NULL);
    advance(60000);
    EXPECT_INT(ran.count, 1);
    end();
}

/* ---- the hubs of one process ---- */

static void seat_start(instance *in, char name, wshub_bus_local *local) {
    wshub_io_fake_desc net = FAKE(.on_step = world_step, .user = &in->w, .seed = (uint64_t)name);
    wshub_desc desc = DESC(.on_authenticate = accept_all);
    wshub_bus bus;
    memset(in, 0, sizeof *in);
    in->name = name;
    EXPECT_INT(wshub_io_fake_create(&net, &in->w.net), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    desc.io = wshub_io_fake_io(in->w.net);
    desc.bus = &bus;
    desc.alloc = world_alloc;
    desc.alloc_user = desc.user = &in->w;
    EXPECT_INT(wshub_create(&desc, &in->w.hub), WSHUB_OK);
    wshub_io_fake_run(in->w.net);
    jobs_start(in);
}

TEST(of_the_hubs_of_one_process_one_runs_each_tick) { /* CRON-6 */
    wshub_bus_local *local;
    int only_b;
    memset(&the_broker, 0, sizeof the_broker);
    memset(&ran, 0, sizeof ran);
    how = JOBS(0);
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    seat_start(&a, 'A', local);
    seat_start(&b, 'B', local);
    add(&a, JOB(.expr = "* * * * * *"));
    add(&b, JOB(.expr = "* * * * * *"));
    advance(10000);
    EXPECT_INT(different(), 10);
    EXPECT_INT(info(&a).elsewhere + info(&b).elsewhere, 10);

    wshub_bus_local_set_down(local, true);
    advance(2000);
    EXPECT_INT(ran.count, 10);
    EXPECT_INT(a.unasked, 2);
    wshub_bus_local_set_down(local, false);
    advance(2000);
    EXPECT_INT(different(), 12);

    stop(&a); /* what one has taken stays taken, and the other one goes on */
    only_b = runs_of('B');
    advance(3000);
    EXPECT_INT(runs_of('B'), only_b + 3);
    stop(&b);
    wshub_io_fake_destroy(a.w.net);
    wshub_io_fake_destroy(b.w.net);
    a.w.net = b.w.net = NULL;
    wshub_bus_local_destroy(local);
}
