/* wshub_ext_cron.h - when a job is due: cron expressions with seconds, in real time zones
 *
 * [x] expressions of five and six fields, names, ranges, steps, presets; errors in the words of
 *     npm's cron, with the field and the place; the canonical text back, and the meaning in English
 * [x] zones from TZif files (versions 1 to 4, footers), POSIX rules, fixed offsets, UTC, the
 *     system's own, or what a function of yours loads; any number of them at once
 * [x] the next instant, the previous one, whether one matches; by one rule at all changes of
 *     clocks (CRON-2), far dates included
 * [x] jobs of a hub: started, stopped, changed, duplicated, fired at once; ticks that complete
 *     later, from any thread; clocks that are set, processes that sleep
 * [x] one in a cluster: of all instances on a bus exactly one runs a tick
 * [x] no global state: neither the process's zone nor the C library's calendar is asked
 * [ ] `?`, `L`, `W`, `#`, years, ranges that wrap around
 *
 * System   ISO C99. Zone files are read with fopen(); where there are none, load them yourself or
 *          give a POSIX rule.
 * Include  behind wshub.h. The code is emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_EXT_CRON_IMPLEMENTATION for a file of its own.
 * Threads  Expressions are values, zones do not change after they were made: any number of threads
 *          may ask about the same ones at a time. Jobs belong to their hub's thread.
 *
 *     wshub_ext_cron cron; wshub_ext_cron_zone *zone; int64_t at;
 *     if (wshub_ext_cron_parse(wshub_str_z("30 9 * * 1-5"), &cron, NULL)) return 1;
 *     if (wshub_ext_cron_zone_create(&(wshub_ext_cron_zone_desc){.name = "Europe/Berlin"}, &zone))
 *         return 1;
 *     at = wshub_ext_cron_next(&cron, zone, now_ms);       the next weekday, 09:30 in Berlin
 *     ...
 *     wshub_ext_cron_zone_destroy(zone);
 *
 * ---- expressions ----
 * Six fields, second minute hour day-of-month month day-of-week, or five, and then the second is
 * 0 (CRON-1). A field is a list, separated by commas, of
 *
 *     *        all            a        just that        a-b     from a to b
 *     *\/s      every s-th     a/s      from a on, every s-th     a-b/s   from a to b, every s-th
 *
 * (without the backslash, which keeps this comment whole). Names of months and days, of three
 * letters, stand for their numbers; Sunday is 0 and 7. A preset stands for the whole: @yearly
 * @monthly @weekly @daily @hourly @minutely @secondly @weekdays @weekends.
 *
 *     0 * * * * *          each minute
 *     30 9 * * 1-5         at 09:30 from Monday to Friday
 *     0 0 1,15 * *         at midnight, on the 1st and the 15th
 *     0 0 13 * 5           at midnight, on each 13th and on each Friday
 *     0 9-17/2 * * *       at 9, 11, 13, 15 and 17 o'clock
 *     @weekends            at midnight, on Saturdays and Sundays
 *
 * Day of month and day of week: a field that has all its values asks for nothing, however it is
 * written (`*`, `1-31`, `0-6`); if both ask for something, either suffices. Vixie's cron looks for
 * a leading asterisk instead: there `0 9 1-31 * 1` runs every day, here on Mondays; `0 9 *\/2 * 1`
 * runs there on the Mondays with an odd date, here on odd dates and on Mondays.
 *
 * ---- when clocks change ----
 * The hour field alone decides (CRON-2). With all 24 hours the expression is an interval: an
 * instant fires if the clock on the wall shows a time that matches. With other hours a time on the
 * wall fires once: what is skipped fires at the first instant behind the gap, all of one gap
 * together; what comes twice fires the first time.
 *
 *     clocks go forth, 02:00 to 03:00               clocks go back, 03:00 to 02:00
 *
 *     wall  01:30  01:59|03:00  03:30               wall  01:30  02:30  02:59|02:00  02:30  03:00
 *     30 2 * * *        |x                          30 2 * * *   x
 *     30 * * * *   x    |       x                   30 * * * *   x      x    |       x
 *
 * ---- jobs ----
 *     wshub_ext_cron_jobs *jobs;
 *     wshub_ext_cron_jobs_create(&(wshub_ext_cron_jobs_desc){.hub = hub}, &jobs);
 *     wshub_ext_cron_job_create(jobs, &(wshub_ext_cron_job_desc){
 *         .expr = "0 9 * * 1-5", .zone = "Europe/Berlin", .auto_start = true, .on_tick = report},
 *         NULL, NULL);
 *     ...
 *     wshub_destroy(hub); wshub_ext_cron_jobs_destroy(jobs);
 *
 * A tick is known by the instant at which it is due, never by now: a timer that is early waits on,
 * and a clock that is set back a little runs nothing twice. Where several have been missed, one
 * runs for all of them, and says how many. The wall clock is looked at each minute at the latest.
 * A job takes under 200 bytes, and a hub's turn nothing while none is due: one timer waits for the
 * first of them.
 *
 * ---- one in a cluster ----
 * Of all hubs on one bus that have a job with the same name in wshub_ext_cron_job_desc.cluster, one
 * runs each tick that is due, whichever asks first (CRON-6):
 *
 *     SET wshub:cron:NAME:DUE_MS SERVER_ID NX PX cluster_hold_ms
 *
 * The instant stands in the key, so that no tick is in the way of another; nobody deletes it when
 * the run ends, so that an instance whose clock is behind, or that was killed and is started again,
 * finds it taken. An instance that takes a tick and dies has it to itself: it does not run. What is
 * later than cluster_hold_ms less cluster_skew_ms cannot be asked about any more, and neither can
 * anything while the broker is away: then nobody runs it, or everybody does, as cluster_alone says,
 * and on_unasked is told. The broker is that of the hub's bus: wshub_bus_redis.h has one, and
 * wshub_bus_local.h is one for the hubs of a process; a hub without a bus has none.
 *
 * Rules: CRON-1 to CRON-6 of wshub.h. Proved by tests/test_cron.c, tests/test_cron_jobs.c,
 * tests/test_cron_cluster.c. */
#ifndef WSHUB_EXT_CRON_H
#define WSHUB_EXT_CRON_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* An expression that was parsed: a value, to be copied and kept as you like. Each bit says whether
 * the field has that number: bit 0 of `hours` is midnight, bit 1 of `months` January, bit 0 of
 * `weekdays` Sunday. */
typedef struct wshub_ext_cron {
    uint64_t seconds, minutes; /* 0 to 59 */
    uint32_t hours;            /* 0 to 23 */
    uint32_t days;             /* 1 to 31 */
    uint32_t months;           /* 1 to 12 */
    uint32_t weekdays;         /* 0 to 6 */
} wshub_ext_cron;

/* A field of an expression, in the order in which they are written. */
typedef enum wshub_ext_cron_field {
    WSHUB_EXT_CRON_NONE,         /* of an error that is about the whole text */
    WSHUB_EXT_CRON_SECOND,       /* left out of an expression with five fields */
    WSHUB_EXT_CRON_MINUTE,       /* 0 to 59, as seconds */
    WSHUB_EXT_CRON_HOUR,         /* 0 to 23 */
    WSHUB_EXT_CRON_DAY_OF_MONTH, /* 1 to 31 */
    WSHUB_EXT_CRON_MONTH,        /* 1 to 12 */
    WSHUB_EXT_CRON_DAY_OF_WEEK   /* 0 to 6; a 7 that was written is 0 */
} wshub_ext_cron_field;

/* Why a text is no expression. */
typedef struct wshub_ext_cron_error {
    char text[160];             /* in the words of npm's cron, terminated; cut where too long */
    wshub_ext_cron_field field; /* which is wrong; WSHUB_EXT_CRON_NONE: no single one */
    size_t at, len;             /* where in the text it stands, in bytes */
} wshub_ext_cron_error;

/* Room for any text of wshub_ext_cron_write(), its end included. */
#define WSHUB_EXT_CRON_TEXT_BYTES 560
/* No instant: later than all of them. */
#define WSHUB_EXT_CRON_NEVER INT64_MAX

/* Reads an expression (CRON-1).
 *   text       borrowed; of any length, any bytes
 *   out_cron   untouched on failure
 *   out_error  says why it failed; NULL: nobody asks
 * Returns  OK; PARAM: it is none.
 * Thread   any. Allocates nothing. */
WSHUB_API wshub_err wshub_ext_cron_parse(wshub_str text, wshub_ext_cron *out_cron,
                                         wshub_ext_cron_error *out_error);

/* Writes an expression in its canonical form, which can be parsed to the same again: six fields,
 * each `*` or its numbers, ascending, separated by commas.
 *   cron  borrowed
 *   buf   gets the text, terminated, cut to cap bytes; NULL: only its length is asked
 * Returns  the length of the whole text, below WSHUB_EXT_CRON_TEXT_BYTES. Pure: any thread. */
WSHUB_API size_t wshub_ext_cron_write(const wshub_ext_cron *cron, char *buf, size_t cap);
/* Writes one of its fields so.
 *   field  SECOND to DAY_OF_WEEK; others: an empty text
 * Returns  as above. Pure: any thread. */
WSHUB_API size_t wshub_ext_cron_write_field(const wshub_ext_cron *cron, wshub_ext_cron_field field,
                                            char *buf, size_t cap);

/* Room for any text of wshub_ext_cron_describe() with a zone of 255 bytes, its end included. */
#define WSHUB_EXT_CRON_DESCRIBE_BYTES 1536
/* Says in English when an expression is due: `at 09:30 on weekdays, Europe/Berlin`.
 *   cron  borrowed
 *   zone  the name that stands at the end; NULL or empty: none
 *   buf   gets the text, terminated, cut to cap bytes; NULL: only its length is asked
 * Returns  the length of the whole text. Pure: any thread. */
WSHUB_API size_t wshub_ext_cron_describe(const wshub_ext_cron *cron, const char *zone, char *buf,
                                         size_t cap);

/* How clocks on the wall were, are and will be set somewhere. Made by wshub_ext_cron_zone_create(),
 * ended by wshub_ext_cron_zone_destroy(); nothing in it changes between. */
typedef struct wshub_ext_cron_zone wshub_ext_cron_zone;

#define WSHUB_EXT_CRON_ZONE_VERSION 1 /* it rises when the struct below changes */
/* How large a zone file may be. The largest of the usual ones have 4 KiB. */
#define WSHUB_EXT_CRON_ZONE_BYTES_MAX 65536

/* Which zone, and where it is found. Zero is the default of every field. */
typedef struct wshub_ext_cron_zone_desc {
    /* "UTC"; a name such as "Europe/Berlin", of letters, digits, `_`, `+`, `-` and `/`; or, with a
     * comma in it or with `<` first, a POSIX rule: "EST5EDT,M3.2.0,M11.1.0", "<+0330>-3:30". NULL
     * or empty: the system's own, which is the environment's TZ, else /etc/localtime, else UTC.
     * Borrowed for the call. */
    const char *name;
    bool fixed;       /* no zone but an offset, offset_s; then without a name */
    int32_t offset_s; /* east of UTC is positive; -93600 to 93600 */
    /* Loads a zone file of that name, asked before any folder.
     *   name   as above, checked
     *   bytes  room for cap bytes of a TZif file; yours to fill
     * Returns  how many bytes it has; 0: no such zone, the folders are looked through. */
    size_t (*load)(void *user, const char *name, void *bytes, size_t cap);
    void *load_user;    /* its first argument */
    const char *folder; /* where zone files lie; NULL: the environment's TZDIR, then the usual ones.
                           Borrowed for the call */
    wshub_alloc_fn alloc; /* NULL: realloc and free; called when it is made and ended */
    void *alloc_user;     /* the first argument of alloc */
} wshub_ext_cron_zone_desc;

/* Makes a zone. Names do not lead out of the folder; a file that is not whole or contradicts itself
 * is refused (CRON-3).
 *   desc      borrowed; NULL: the system's own
 *   out_zone  given to you, end it with wshub_ext_cron_zone_destroy()
 * Returns  OK; PARAM: wshub_ext_cron_zone_problem() says which field, or a POSIX rule that is none;
 *          ABSENT: no such zone; PROTO: what was found is no zone file; NOMEM.
 * Thread   any. Reads a file; a zone takes 4 to 8 KiB. */
WSHUB_INLINE wshub_err wshub_ext_cron_zone_create(const wshub_ext_cron_zone_desc *desc,
                                                  wshub_ext_cron_zone **out_zone);
/* Says in one line what wshub_ext_cron_zone_create() would refuse in a description without looking
 * at any file, beginning with the field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ext_cron_zone_problem(const wshub_ext_cron_zone_desc *desc);
/* Says why wshub_ext_cron_zone_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h.
 *   err  what that returned; OK: it was not called yet
 * Returns  as that. Pure: any thread. */
WSHUB_INLINE size_t wshub_ext_cron_zone_explain(const wshub_ext_cron_zone_desc *desc, wshub_err err,
                                                char *buf, size_t cap);
/* What the three above call, as wshub_create_versioned() of wshub.h.
 *   desc_bytes  sizeof(wshub_ext_cron_zone_desc)
 *   version     WSHUB_EXT_CRON_ZONE_VERSION
 * Return   as those. */
WSHUB_API wshub_err wshub_ext_cron_zone_create_versioned(const wshub_ext_cron_zone_desc *desc,
                                                         size_t desc_bytes, uint32_t version,
                                                         wshub_ext_cron_zone **out_zone);
WSHUB_API const char *wshub_ext_cron_zone_problem_versioned(const wshub_ext_cron_zone_desc *desc,
                                                            size_t desc_bytes, uint32_t version);
WSHUB_API size_t wshub_ext_cron_zone_explain_versioned(const wshub_ext_cron_zone_desc *desc,
                                                       size_t desc_bytes, uint32_t version,
                                                       wshub_err err, char *buf, size_t cap);
WSHUB_INLINE wshub_err wshub_ext_cron_zone_create(const wshub_ext_cron_zone_desc *desc,
                                                  wshub_ext_cron_zone **out_zone) {
    return wshub_ext_cron_zone_create_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_ZONE_VERSION,
                                                out_zone);
}
WSHUB_INLINE const char *wshub_ext_cron_zone_problem(const wshub_ext_cron_zone_desc *desc) {
    return wshub_ext_cron_zone_problem_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_ZONE_VERSION);
}
WSHUB_INLINE size_t wshub_ext_cron_zone_explain(const wshub_ext_cron_zone_desc *desc, wshub_err err,
                                                char *buf, size_t cap) {
    return wshub_ext_cron_zone_explain_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_ZONE_VERSION,
                                                 err, buf, cap);
}
/* Ends it, when nobody asks about it any more. NULL: nothing. Thread: any. */
WSHUB_API void wshub_ext_cron_zone_destroy(wshub_ext_cron_zone *zone);

/* What is to be added to UTC for the time on the wall.
 *   zone   NULL: UTC
 *   at_ms  since 1970-01-01T00:00Z, negative before
 * Returns  seconds, positive east of UTC. Pure: any thread. */
WSHUB_API int32_t wshub_ext_cron_zone_offset(const wshub_ext_cron_zone *zone, int64_t at_ms);

/* The first instant behind another at which an expression fires (CRON-2).
 *   cron      borrowed
 *   zone      borrowed; NULL: UTC
 *   after_ms  since 1970-01-01T00:00Z, negative before; what is below a second is dropped downwards
 * Returns  whole seconds in milliseconds, later than after_ms; WSHUB_EXT_CRON_NEVER: none within
 *          nine years. Pure: any thread. Cost: 50 to 150 ns, a microsecond for years of waiting. */
WSHUB_API int64_t wshub_ext_cron_next(const wshub_ext_cron *cron, const wshub_ext_cron_zone *zone,
                                      int64_t after_ms);
/* The last instant before another at which it fires, so that wshub_ext_cron_next() of anything
 * between the two is not before that other.
 *   before_ms  as after_ms; the answer lies before it, by less than a second perhaps
 * Returns  as above. */
WSHUB_API int64_t wshub_ext_cron_previous(const wshub_ext_cron *cron,
                                          const wshub_ext_cron_zone *zone, int64_t before_ms);
/* Does it fire in the second that this instant lies in? Pure: any thread. */
WSHUB_API bool wshub_ext_cron_matches(const wshub_ext_cron *cron, const wshub_ext_cron_zone *zone,
                                      int64_t at_ms);

/* ---- jobs ----
 * Each belongs to the jobs of one hub, is called on the hub's thread, and is due by the hub's wall
 * clock, which is looked at at least once a minute (CRON-4). Functions that take jobs are for that
 * thread, also from inside callbacks; only wshub_ext_cron_done() is for any. */

/* The jobs of a hub. Made by wshub_ext_cron_jobs_create(), ended by wshub_ext_cron_jobs_destroy().
 */
typedef struct wshub_ext_cron_jobs wshub_ext_cron_jobs;
/* A job; {0}: none. One that is gone stays unknown. */
typedef struct wshub_ext_cron_job {
    uint64_t id; /* which, and which of those that were there before it */
} wshub_ext_cron_job;
/* A tick that completes later. */
typedef struct wshub_ext_cron_late wshub_ext_cron_late;

/* Why a tick runs. */
typedef enum wshub_ext_cron_reason {
    WSHUB_EXT_CRON_DUE,    /* its time has come */
    WSHUB_EXT_CRON_FIRED,  /* wshub_ext_cron_job_fire(), or a change that asked for it */
    WSHUB_EXT_CRON_STARTED /* it was started, and is to run then */
} wshub_ext_cron_reason;

/* What became of a tick. */
typedef enum wshub_ext_cron_outcome {
    WSHUB_EXT_CRON_OK,     /* all is done */
    WSHUB_EXT_CRON_FAILED, /* on_error is called; the job goes on */
    WSHUB_EXT_CRON_LATER   /* wshub_ext_cron_later() was called: it completes later */
} wshub_ext_cron_outcome;

/* A run of a job. */
typedef struct wshub_ext_cron_tick {
    wshub *hub;                   /* whose thread it runs on */
    wshub_ext_cron_jobs *jobs;    /* for what is to be done with the job */
    wshub_ext_cron_job job;       /* which one runs */
    wshub_ext_cron_reason reason; /* why */
    bool unasked;    /* it runs without the broker's word, and others may run it too (CRON-6) */
    uint32_t missed; /* how many more were due, since the clock jumped or the process slept: this
                        tick stands for all of them. WSHUB_EXT_CRON_MISSED_MAX: or more than that */
    int64_t due_ms;  /* the instant by which it is known: of several that were missed the first, in
                        a cluster the last; with another reason than DUE: now */
    int64_t wall_ms; /* the wall clock */
} wshub_ext_cron_tick;
/* How far missed ticks are counted. */
#define WSHUB_EXT_CRON_MISSED_MAX 1000

#define WSHUB_EXT_CRON_JOBS_VERSION 1 /* it rises when the struct below changes */

/* Where jobs run. Zero is the default of every field but the hub. What it points to is borrowed
 * until wshub_ext_cron_jobs_destroy(). */
typedef struct wshub_ext_cron_jobs_desc {
    wshub *hub; /* required */
    /* 60000; a wall clock that is set back by more, between two looks at it, starts all jobs anew
     * from the present, so that what has run may run again; by less, nothing runs twice and what
     * is due stays. WSHUB_OFF: so whatever happens. */
    uint32_t set_back_max_ms;
    /* As in wshub_ext_cron_zone_desc: where zones come from. */
    size_t (*load)(void *user, const char *name, void *bytes, size_t cap);
    void *load_user;      /* its first argument */
    const char *folder;   /* where zone files lie */
    wshub_alloc_fn alloc; /* NULL: realloc and free; called by the hub's thread */
    void *alloc_user;     /* the first argument of alloc */

    /* Of jobs with a name in a cluster (CRON-6): */
    uint32_t cluster_skew_ms; /* 60000; by how much the clocks of two instances may differ */
    uint32_t cluster_hold_ms; /* 600000; how long a tick stays taken, on the broker: more than the
                                 difference above, and what it is more is how late a tick may be. A
                                 key of a hundred bytes or so for each tick */
    bool cluster_alone; /* while the broker cannot say whose a tick is, all instances run it; false:
                           none of them does */
    /* Tells of such a tick: the broker is away, or was lost before it answered, or there is none;
     * or the tick is too late to be asked about. May call anything.
     *   runs  it runs next, as cluster_alone says; false: it is left out */
    void (*on_unasked)(const wshub_ext_cron_tick *tick, bool runs, void *user);
    void *user; /* the last argument of on_unasked */
} wshub_ext_cron_jobs_desc;

/* Makes the place for a hub's jobs.
 *   desc      borrowed; see there
 *   out_jobs  given to you, end it with wshub_ext_cron_jobs_destroy()
 * Returns  OK; PARAM: wshub_ext_cron_jobs_problem() says which field; NOMEM. */
WSHUB_INLINE wshub_err wshub_ext_cron_jobs_create(const wshub_ext_cron_jobs_desc *desc,
                                                  wshub_ext_cron_jobs **out_jobs);
/* Says in one line what wshub_ext_cron_jobs_create() would refuse in a description, beginning with
 * the field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ext_cron_jobs_problem(const wshub_ext_cron_jobs_desc *desc);
/* Says why wshub_ext_cron_jobs_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h.
 *   err  what that returned; OK: it was not called yet
 * Returns  as that. Pure: any thread. */
WSHUB_INLINE size_t wshub_ext_cron_jobs_explain(const wshub_ext_cron_jobs_desc *desc, wshub_err err,
                                                char *buf, size_t cap);
/* What the three above call, as wshub_create_versioned() of wshub.h.
 *   desc_bytes  sizeof(wshub_ext_cron_jobs_desc)
 *   version     WSHUB_EXT_CRON_JOBS_VERSION
 * Return   as those. */
WSHUB_API wshub_err wshub_ext_cron_jobs_create_versioned(const wshub_ext_cron_jobs_desc *desc,
                                                         size_t desc_bytes, uint32_t version,
                                                         wshub_ext_cron_jobs **out_jobs);
WSHUB_API const char *wshub_ext_cron_jobs_problem_versioned(const wshub_ext_cron_jobs_desc *desc,
                                                            size_t desc_bytes, uint32_t version);
WSHUB_API size_t wshub_ext_cron_jobs_explain_versioned(const wshub_ext_cron_jobs_desc *desc,
                                                       size_t desc_bytes, uint32_t version,
                                                       wshub_err err, char *buf, size_t cap);
WSHUB_INLINE wshub_err wshub_ext_cron_jobs_create(const wshub_ext_cron_jobs_desc *desc,
                                                  wshub_ext_cron_jobs **out_jobs) {
    return wshub_ext_cron_jobs_create_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_JOBS_VERSION,
                                                out_jobs);
}
WSHUB_INLINE const char *wshub_ext_cron_jobs_problem(const wshub_ext_cron_jobs_desc *desc) {
    return wshub_ext_cron_jobs_problem_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_JOBS_VERSION);
}
WSHUB_INLINE size_t wshub_ext_cron_jobs_explain(const wshub_ext_cron_jobs_desc *desc, wshub_err err,
                                                char *buf, size_t cap) {
    return wshub_ext_cron_jobs_explain_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_JOBS_VERSION,
                                                 err, buf, cap);
}
/* Ends all jobs, behind their hub: nothing is called any more. What was to complete later is
 * forgotten with them. NULL: nothing. */
WSHUB_API void wshub_ext_cron_jobs_destroy(wshub_ext_cron_jobs *jobs);
/* Reads all zones again, as their files may have changed, and counts what is due anew, from now.
 * Returns  OK; else why a zone could not be read: that one stays as it was. */
WSHUB_API wshub_err wshub_ext_cron_jobs_reload(wshub_ext_cron_jobs *jobs);
/* How many jobs there are. */
WSHUB_API size_t wshub_ext_cron_jobs_count(const wshub_ext_cron_jobs *jobs);

#define WSHUB_EXT_CRON_JOB_VERSION 1 /* it rises when the struct below changes */
/* How long a job's name in a cluster may be. */
#define WSHUB_EXT_CRON_CLUSTER_BYTES_MAX 200

/* What a job is. Zero is the default of every field. */
typedef struct wshub_ext_cron_job_desc {
    const char *expr; /* required, or once_ms; borrowed for the call */
    int64_t once_ms;  /* without expr: it runs once, at this instant, and is stopped */
    const char *zone; /* as wshub_ext_cron_zone_desc.name; borrowed for the call */
    /* Its name in a cluster, of 1 to WSHUB_EXT_CRON_CLUSTER_BYTES_MAX bytes: of all instances on
     * one bus that have a job of this name one runs each tick that is due (CRON-6). Ticks at once
     * and at the start are not asked about. Borrowed for the call. NULL: every instance runs it. */
    const char *cluster;
    bool auto_start;          /* it is started at once, and so are its duplicates */
    bool run_at_start;        /* a tick at each start too */
    bool wait_for_completion; /* what comes due while a tick is under way is left out, and a stop is
                                 complete only behind that tick; false: ticks overlap */
    uint32_t threshold_ms;    /* what is later than this is left out; 0: nothing is too late */
    uint32_t jitter_ms;       /* each tick comes later by up to this, evenly spread; 0: none */
    uint32_t runs_max;        /* behind so many ticks by schedule it is stopped; 0: it goes on */
    /* Runs it. May call anything, and end its own job. NULL: ticks go by. */
    wshub_ext_cron_outcome (*on_tick)(const wshub_ext_cron_tick *tick, void *user);
    /* A tick that was to complete later has. */
    void (*on_done)(const wshub_ext_cron_tick *tick, void *user);
    /* A tick has failed. */
    void (*on_error)(const wshub_ext_cron_tick *tick, void *user);
    /* The job was stopped: called for each stop, also of a job that does not run. */
    void (*on_complete)(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job, void *user);
    void *user; /* the last argument of these four */
} wshub_ext_cron_job_desc;

/* Makes a job. The zone is looked at first.
 *   desc       borrowed
 *   out_job    NULL: nobody asks
 *   out_error  says what is wrong with the zone (`Invalid timezone.`) or the expression, in the
 *              words of npm's cron; NULL: it is logged (CREATE), in ours
 * Returns  OK; PARAM: wshub_ext_cron_job_problem() says which field, or the zone is not there;
 *          NOMEM. An expression that is never due ("0 9 31 2 *") is taken, with a warning in the
 *          log (DOUBTFUL).
 * Cost     O(log n) of the jobs that run, and a file where the zone is new. */
WSHUB_INLINE wshub_err wshub_ext_cron_job_create(wshub_ext_cron_jobs *jobs,
                                                 const wshub_ext_cron_job_desc *desc,
                                                 wshub_ext_cron_job *out_job,
                                                 wshub_ext_cron_error *out_error);
/* Says in one line what wshub_ext_cron_job_create() would refuse in a description without looking
 * at any file, beginning with the field's name. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ext_cron_job_problem(const wshub_ext_cron_job_desc *desc);
/* Says why wshub_ext_cron_job_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h.
 *   err  what that returned; OK: it was not called yet
 * Returns  as that. Pure: any thread. */
WSHUB_INLINE size_t wshub_ext_cron_job_explain(const wshub_ext_cron_job_desc *desc, wshub_err err,
                                               char *buf, size_t cap);
/* What the three above call, as wshub_create_versioned() of wshub.h.
 *   desc_bytes  sizeof(wshub_ext_cron_job_desc)
 *   version     WSHUB_EXT_CRON_JOB_VERSION
 * Return   as those. */
WSHUB_API wshub_err wshub_ext_cron_job_create_versioned(wshub_ext_cron_jobs *jobs,
                                                        const wshub_ext_cron_job_desc *desc,
                                                        size_t desc_bytes, uint32_t version,
                                                        wshub_ext_cron_job *out_job,
                                                        wshub_ext_cron_error *out_error);
WSHUB_API const char *wshub_ext_cron_job_problem_versioned(const wshub_ext_cron_job_desc *desc,
                                                           size_t desc_bytes, uint32_t version);
WSHUB_API size_t wshub_ext_cron_job_explain_versioned(const wshub_ext_cron_job_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      wshub_err err, char *buf, size_t cap);
WSHUB_INLINE wshub_err wshub_ext_cron_job_create(wshub_ext_cron_jobs *jobs,
                                                 const wshub_ext_cron_job_desc *desc,
                                                 wshub_ext_cron_job *out_job,
                                                 wshub_ext_cron_error *out_error) {
    return wshub_ext_cron_job_create_versioned(jobs, desc, sizeof *desc, WSHUB_EXT_CRON_JOB_VERSION,
                                               out_job, out_error);
}
WSHUB_INLINE const char *wshub_ext_cron_job_problem(const wshub_ext_cron_job_desc *desc) {
    return wshub_ext_cron_job_problem_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_JOB_VERSION);
}
WSHUB_INLINE size_t wshub_ext_cron_job_explain(const wshub_ext_cron_job_desc *desc, wshub_err err,
                                               char *buf, size_t cap) {
    return wshub_ext_cron_job_explain_versioned(desc, sizeof *desc, WSHUB_EXT_CRON_JOB_VERSION, err,
                                                buf, cap);
}
/* Ends a job: nothing of it is called any more.
 * Returns  OK; STALE. */
WSHUB_API wshub_err wshub_ext_cron_job_destroy(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job);
/* Starts a job, from now on. One that runs goes on as it does.
 * Returns  OK; STALE. */
WSHUB_API wshub_err wshub_ext_cron_job_start(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job);
/* Stops a job; on_complete is called. A tick that the broker is being asked about does not run.
 * Returns  OK; STALE. */
WSHUB_API wshub_err wshub_ext_cron_job_stop(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job);
/* Runs a tick at once, also of a job that is stopped. Nothing else changes.
 * Returns  OK: also where it was left out, as a tick is under way that it waits for; STALE. */
WSHUB_API wshub_err wshub_ext_cron_job_fire(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job);
/* Gives a job another expression, from now on. It keeps its zone and whether it runs.
 *   expr       borrowed
 *   fire       a tick at once as well
 *   out_error  as above
 * Returns  OK; STALE; PARAM: the expression, and nothing has changed. */
WSHUB_API wshub_err wshub_ext_cron_job_modify(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job,
                                              const char *expr, bool fire,
                                              wshub_ext_cron_error *out_error);
/* Makes a job like another one, with an expression of its own; started where that has auto_start.
 * Returns  OK; STALE; PARAM: the expression; NOMEM. */
WSHUB_API wshub_err wshub_ext_cron_job_duplicate(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job,
                                                 const char *expr, wshub_ext_cron_job *out_job,
                                                 wshub_ext_cron_error *out_error);

/* What there is to know about a job. */
typedef struct wshub_ext_cron_info {
    wshub_ext_cron cron; /* what it goes by; of one that runs once: nothing */
    bool running;        /* it was started, and not stopped */
    int64_t next_ms;     /* when it is due next; of a stopped job counted from now; NEVER */
    int64_t last_ms;     /* the wall clock when it ran by schedule the last time; NEVER */
    uint64_t runs;       /* by schedule */
    uint32_t under_way;  /* ticks */
    uint32_t left_out;   /* ticks that were too late, or came while one was under way */
    uint32_t elsewhere;  /* ticks that another instance has run, or runs */
    uint32_t unasked;    /* ticks of which the broker could not say whose they are */
} wshub_ext_cron_info;

/* Reads it. Returns OK; STALE. */
WSHUB_API wshub_err wshub_ext_cron_job_get(const wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job,
                                           wshub_ext_cron_info *out_info);

/* Makes a tick complete later: to be called inside on_tick, once, which then returns LATER. Where
 * that returns something else its tick is over, and what is done later comes too late for it.
 * Returns  what wshub_ext_cron_done() takes; NULL: no memory, return FAILED. */
WSHUB_API wshub_ext_cron_late *wshub_ext_cron_later(const wshub_ext_cron_tick *tick);
/* Completes such a tick, once. Where its job is gone that is all.
 *   failed  on_error is called too
 * Returns  OK; as wshub_post() of wshub.h: then it is not complete yet.
 * Thread   any, as long as the jobs are there. */
WSHUB_API wshub_err wshub_ext_cron_done(wshub_ext_cron_late *late, bool failed);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_EXT_CRON_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_EXT_CRON_IMPLEMENTATION)) &&                   \
    !defined(WSHUB__EXT_CRON_DONE)
#define WSHUB__EXT_CRON_DONE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- expressions ----
 * The text is read as a stream of characters in which names have become numbers and an asterisk
 * the range of its field, as npm's cron rewrites its text before it looks at it: errors quote what
 * was rewritten. */

enum { WSHUB_EXT_CRON__FIELDS = 6, WSHUB_EXT_CRON__PRESETS = 9, WSHUB_EXT_CRON__QUOTED_MAX = 100 };

typedef struct wshub_ext_cron__range {
    const char *name, *all;
    uint32_t low, high;
} wshub_ext_cron__range;

static const wshub_ext_cron__range wshub_ext_cron__ranges[WSHUB_EXT_CRON__FIELDS] = {
    {"second", "0-59", 0, 59},     {"minute", "0-59", 0, 59}, {"hour", "0-23", 0, 23},
    {"dayOfMonth", "1-31", 1, 31}, {"month", "1-12", 1, 12},  {"dayOfWeek", "0-7", 0, 7},
};

static const char *const wshub_ext_cron__presets[WSHUB_EXT_CRON__PRESETS][2] = {
    {"@yearly", "0 0 0 1 1 *"},   {"@monthly", "0 0 0 1 * *"},    {"@weekly", "0 0 0 * * 0"},
    {"@daily", "0 0 0 * * *"},    {"@hourly", "0 0 * * * *"},     {"@minutely", "0 * * * * *"},
    {"@secondly", "* * * * * *"}, {"@weekdays", "0 0 0 * * 1-5"}, {"@weekends", "0 0 0 * * 0,6"},
};

static char wshub_ext_cron__lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}
static bool wshub_ext_cron__is_letter(char c) {
    c = wshub_ext_cron__lower(c);
    return c >= 'a' && c <= 'z';
}
static bool wshub_ext_cron__is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool wshub_ext_cron__is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The number of a name of three letters in any case; -1: it is none. */
static int wshub_ext_cron__name(const char *text) {
    static const char names[] = "sunmontuewedthufrisatjanfebmaraprmayjunjulaugsepoctnovdec";
    int i, k;

    for (i = 0; names[3 * i]; i++) {
        for (k = 0; k < 3 && wshub_ext_cron__lower(text[k]) == names[3 * i + k]; k++) {
        }
        if (k == 3) return i < 7 ? i : i - 6;
    }
    return -1;
}

/* A failure: its words are the three parts in a row, of which the middle one has at most
 * WSHUB_EXT_CRON__QUOTED_MAX bytes. */
static wshub_err wshub_ext_cron__fail(wshub_ext_cron_error *error, const char *before,
                                      const char *quoted, const char *behind) {
    size_t n = 0;

    if (!error) return WSHUB_ERR_PARAM;
    while (*before) error->text[n++] = *before++;
    while (*quoted) error->text[n++] = *quoted++;
    while (*behind) error->text[n++] = *behind++;
    WSHUB_ASSERT(n < sizeof error->text);
    error->text[n] = 0;
    return WSHUB_ERR_PARAM;
}
static void wshub_ext_cron__at(wshub_ext_cron_error *error, int field, size_t at, size_t len) {
    if (!error) return;
    error->field = (wshub_ext_cron_field)field;
    error->at = at;
    error->len = len;
}

/* Letters are taken in groups of three. The first group that is no name is what the error names. */
static wshub_err wshub_ext_cron__aliases(wshub_str text, wshub_ext_cron_error *error) {
    size_t i = 0;

    while (i < text.len) {
        char group[4];
        size_t n = 0;

        while (n < 3 && i + n < text.len && wshub_ext_cron__is_letter(text.ptr[i + n])) {
            group[n] = wshub_ext_cron__lower(text.ptr[i + n]);
            n++;
        }
        group[n] = 0;
        if (n && (n < 3 || wshub_ext_cron__name(group) < 0)) {
            wshub_ext_cron__at(error, WSHUB_EXT_CRON_NONE, i, n);
            return wshub_ext_cron__fail(error, "Unknown alias: ", group, "");
        }
        i += n ? n : 1;
    }
    return WSHUB_OK;
}

/* A name stands alone: what touches another one or a digit would be read as one number with it. */
static wshub_err wshub_ext_cron__names_alone(wshub_str text, wshub_ext_cron_error *error) {
    size_t i = 0, k, n, letters;

    while (i < text.len) {
        char word[64];

        for (n = 0, letters = 0; i + n < text.len; n++) {
            char c = text.ptr[i + n];
            if (!wshub_ext_cron__is_letter(c) && !wshub_ext_cron__is_digit(c)) break;
            letters += wshub_ext_cron__is_letter(c);
        }
        if (letters && n > 3) {
            for (k = 0; k < n && k < sizeof word - 1; k++)
                word[k] = wshub_ext_cron__lower(text.ptr[i + k]);
            word[k] = 0;
            wshub_ext_cron__at(error, WSHUB_EXT_CRON_NONE, i, n);
            return wshub_ext_cron__fail(error, "Unknown alias: ", word, "");
        }
        i += n ? n : 1;
    }
    return WSHUB_OK;
}

/* The characters of a field as they are read. */
typedef struct wshub_ext_cron__reader {
    const char *at, *end;
    const char *all; /* what an asterisk stands for; NULL: for itself */
    const char *put; /* what comes before `at`, as the rest of a number or of a range */
    char number[4];  /* room for that of a name */
} wshub_ext_cron__reader;

static void wshub_ext_cron__read(wshub_ext_cron__reader *r, wshub_str field, const char *all) {
    r->at = field.ptr;
    r->end = field.ptr + field.len;
    r->all = all;
    r->put = "";
}

/* The next character; 0: the field has ended. */
static char wshub_ext_cron__peek(wshub_ext_cron__reader *r) {
    char put = *r->put;

    if (put) return put;
    if (r->at == r->end) return 0;

    if (wshub_ext_cron__is_letter(*r->at)) { /* it is a name: that was checked before */
        int number = wshub_ext_cron__name(r->at);
        WSHUB_ASSERT(number >= 0 && r->end - r->at >= 3);
        r->number[0] = number >= 10 ? '1' : (char)('0' + number);
        r->number[1] = (char)(number >= 10 ? '0' + number % 10 : 0);
        r->number[2] = 0;
        r->put = r->number;
        r->at += 3;
        return *r->put;
    }
    if (*r->at == '*' && r->all) {
        r->put = r->all;
        r->at++;
        return *r->put;
    }
    return *r->at ? *r->at : '?'; /* a NUL is as wrong as this, and no end */
}
static void wshub_ext_cron__skip(wshub_ext_cron__reader *r) {
    if (*r->put)
        r->put++;
    else if (r->at < r->end)
        r->at++;
}

/* A number of any length; what is beyond all fields by far is one and the same. false: there is no
 * digit. */
static bool wshub_ext_cron__number(wshub_ext_cron__reader *r, uint64_t *out_number) {
    uint64_t n = 0;

    if (!wshub_ext_cron__is_digit(wshub_ext_cron__peek(r))) return false;
    while (wshub_ext_cron__is_digit(wshub_ext_cron__peek(r))) {
        if (n < UINT64_MAX / 20) n = 10 * n + (uint64_t)(wshub_ext_cron__peek(r) - '0');
        wshub_ext_cron__skip(r);
    }
    *out_number = n;
    return true;
}

/* A field, or an element of one, as an error quotes it. */
static wshub_err wshub_ext_cron__fail_quoted(wshub_ext_cron_error *error, const char *before,
                                             wshub_str what, const char *all, const char *behind) {
    char quoted[WSHUB_EXT_CRON__QUOTED_MAX];
    wshub_ext_cron__reader r;
    size_t n = 0;

    wshub_ext_cron__read(&r, what, all);
    while (n + 1 < sizeof quoted && wshub_ext_cron__peek(&r)) {
        quoted[n++] = wshub_ext_cron__peek(&r);
        wshub_ext_cron__skip(&r);
    }
    if (wshub_ext_cron__peek(&r)) { /* cut, but not within a character */
        while (n && (quoted[n - 1] & 0xC0) == 0x80) n--;
        if (n && (quoted[n - 1] & 0xC0) == 0xC0) n--;
    }
    quoted[n] = 0;
    return wshub_ext_cron__fail(error, before, quoted, behind);
}

/* The element of a list that begins at `at`. */
static wshub_str wshub_ext_cron__element(wshub_str field, size_t at) {
    wshub_str element;
    WSHUB_ASSERT(at <= field.len);
    element.ptr = field.ptr + at;
    element.len = 0;
    while (at + element.len < field.len && element.ptr[element.len] != ',') element.len++;
    return element;
}

/* One element, from, to and step as they stand there. `to` is left out: so it is. */
typedef struct wshub_ext_cron__parts {
    uint64_t from, to, step;
    bool has_to, has_step;
} wshub_ext_cron__parts;

static bool wshub_ext_cron__parts_read(wshub_str element, const char *all,
                                       wshub_ext_cron__parts *parts) {
    wshub_ext_cron__reader r;

    memset(parts, 0, sizeof *parts);
    wshub_ext_cron__read(&r, element, all);
    if (!wshub_ext_cron__number(&r, &parts->from)) return false;
    if (wshub_ext_cron__peek(&r) == '-') {
        wshub_ext_cron__skip(&r);
        parts->has_to = wshub_ext_cron__number(&r, &parts->to);
        if (!parts->has_to) return false;
    }
    if (wshub_ext_cron__peek(&r) == '/') {
        wshub_ext_cron__skip(&r);
        parts->has_step = wshub_ext_cron__number(&r, &parts->step);
        if (!parts->has_step) return false;
    }
    return wshub_ext_cron__peek(&r) == 0;
}

/* Adds what an element stands for to the bits of its field. */
static wshub_err wshub_ext_cron__element_add(wshub_str field, wshub_str element,
                                             const wshub_ext_cron__range *range, uint64_t *bits,
                                             wshub_ext_cron_error *error) {
    wshub_ext_cron__parts parts;
    uint64_t to, step, i;

    if (!wshub_ext_cron__parts_read(element, range->all, &parts))
        return wshub_ext_cron__fail(error, "Field (", range->name, ") cannot be parsed");
    if (parts.has_step && parts.step == 0)
        return wshub_ext_cron__fail(error, "Field (", range->name, ") has a step of zero");
    if (parts.has_to && parts.from > parts.to)
        return wshub_ext_cron__fail(error, "Field (", range->name, ") has an invalid range");
    if (parts.from < range->low || (parts.has_to ? parts.to : parts.from) > range->high)
        return wshub_ext_cron__fail_quoted(error, "Field value (", field, range->all,
                                           ") is out of range");

    step = parts.has_step ? parts.step : 1;
    to = parts.has_to ? parts.to : parts.has_step ? range->high : parts.from;
    WSHUB_ASSERT(to < 64);
    for (i = parts.from; i <= to; i += step) {
        *bits |= (uint64_t)1 << i;
        if (step > range->high) break;
    }
    return WSHUB_OK;
}

/* An asterisk has to come first in its element. */
static bool wshub_ext_cron__asterisk_ok(wshub_str element) {
    const char *star = (const char *)memchr(element.ptr, '*', element.len);
    return !star || star == element.ptr;
}

/* Reads one field. text: the whole, for the place of an error. */
static wshub_err wshub_ext_cron__field(wshub_str text, wshub_str field, int number, uint64_t *bits,
                                       wshub_ext_cron_error *error) {
    const wshub_ext_cron__range *range;
    wshub_str element;
    size_t at;
    wshub_err err;

    WSHUB_ASSERT(number >= WSHUB_EXT_CRON_SECOND && number <= WSHUB_EXT_CRON_DAY_OF_WEEK);
    range = &wshub_ext_cron__ranges[number - 1];
    for (at = 0; at <= field.len; at += element.len + 1) {
        element = wshub_ext_cron__element(field, at);
        wshub_ext_cron__at(error, number, (size_t)(element.ptr - text.ptr), element.len);
        if (!wshub_ext_cron__asterisk_ok(element))
            return wshub_ext_cron__fail_quoted(error, "Field (", element, NULL,
                                               ") has an invalid wildcard expression");
    }

    for (at = 0; at <= field.len; at += element.len + 1) {
        element = wshub_ext_cron__element(field, at);
        wshub_ext_cron__at(error, number, (size_t)(element.ptr - text.ptr), element.len);
        err = wshub_ext_cron__element_add(field, element, range, bits, error);
        if (err) return err;
    }
    return WSHUB_OK;
}

/* Cuts a text at its blanks. Returns how many fields there are, of which the first six are set. */
static size_t wshub_ext_cron__cut(wshub_str text, wshub_str fields[WSHUB_EXT_CRON__FIELDS]) {
    size_t count = 0, i = 0;

    for (;;) {
        size_t begin;

        while (i < text.len && wshub_ext_cron__is_blank(text.ptr[i])) i++;
        if (i == text.len) return count;
        begin = i;
        while (i < text.len && !wshub_ext_cron__is_blank(text.ptr[i])) i++;
        if (count < WSHUB_EXT_CRON__FIELDS) {
            fields[count].ptr = text.ptr + begin;
            fields[count].len = i - begin;
        }
        count++;
    }
}

/* A preset is the whole text, with nothing around it.. */
static wshub_str wshub_ext_cron__expand(wshub_str text) {
    size_t i, k;

    for (i = 0; i < WSHUB_EXT_CRON__PRESETS; i++) {
        const char *name = wshub_ext_cron__presets[i][0];
        if (strlen(name) != text.len) continue;
        for (k = 0; k < text.len && wshub_ext_cron__lower(text.ptr[k]) == name[k]; k++) {
        }
        if (k == text.len) return wshub_str_z(wshub_ext_cron__presets[i][1]);
    }
    return text;
}

WSHUB_API wshub_err wshub_ext_cron_parse(wshub_str text, wshub_ext_cron *out_cron,
                                         wshub_ext_cron_error *error) {
    wshub_str fields[WSHUB_EXT_CRON__FIELDS];
    uint64_t bits[WSHUB_EXT_CRON__FIELDS] = {1, 0, 0, 0, 0, 0};
    size_t count, i, first;
    wshub_err err;

    if (!text.ptr) text = wshub_str_z("");
    text = wshub_ext_cron__expand(text);
    err = wshub_ext_cron__aliases(text, error);
    if (!err) err = wshub_ext_cron__names_alone(text, error);
    if (err) return err;

    count = wshub_ext_cron__cut(text, fields);
    wshub_ext_cron__at(error, WSHUB_EXT_CRON_NONE, 0, text.len);
    if (count < WSHUB_EXT_CRON__FIELDS - 1)
        return wshub_ext_cron__fail(error, "Too few fields", "", "");
    if (count > WSHUB_EXT_CRON__FIELDS)
        return wshub_ext_cron__fail(error, "Too many fields", "", "");

    first = WSHUB_EXT_CRON__FIELDS - count; /* five: the second is 0 */
    if (!first) bits[0] = 0;
    for (i = first; i < WSHUB_EXT_CRON__FIELDS; i++) {
        err = wshub_ext_cron__field(text, fields[i - first], (int)i + 1, &bits[i], error);
        if (err) return err;
    }

    out_cron->seconds = bits[0];
    out_cron->minutes = bits[1];
    out_cron->hours = (uint32_t)bits[2];
    out_cron->days = (uint32_t)bits[3];
    out_cron->months = (uint32_t)bits[4];
    out_cron->weekdays = (uint32_t)((bits[5] | bits[5] >> 7) & 0x7F); /* 7 is Sunday too */
    return WSHUB_OK;
}

/* ---- canonical text ---- */

static uint64_t wshub_ext_cron__bits(const wshub_ext_cron *cron, wshub_ext_cron_field field) {
    switch (field) {
    case WSHUB_EXT_CRON_SECOND: return cron->seconds;
    case WSHUB_EXT_CRON_MINUTE: return cron->minutes;
    case WSHUB_EXT_CRON_HOUR: return cron->hours;
    case WSHUB_EXT_CRON_DAY_OF_MONTH: return cron->days;
    case WSHUB_EXT_CRON_MONTH: return cron->months;
    case WSHUB_EXT_CRON_DAY_OF_WEEK: return cron->weekdays;
    case WSHUB_EXT_CRON_NONE: break;
    }
    return 0;
}

/* All values of each field. */
static const uint64_t wshub_ext_cron__full[WSHUB_EXT_CRON__FIELDS + 1] = {
    0, (UINT64_C(1) << 60) - 1, (UINT64_C(1) << 60) - 1, 0xFFFFFF, 0xFFFFFFFE, 0x1FFE, 0x7F};

/* A text that is put together in a buffer which may be too small for it. */
typedef struct wshub_ext_cron__out {
    char *buf;
    size_t cap, len;
} wshub_ext_cron__out;

static void wshub_ext_cron__put(wshub_ext_cron__out *out, const char *text) {
    for (; *text; text++, out->len++) {
        if (out->len + 1 < out->cap) out->buf[out->len] = *text;
    }
}
static void wshub_ext_cron__put_number(wshub_ext_cron__out *out, uint32_t number) {
    char text[12];
    (void)snprintf(text, sizeof text, "%lu", (unsigned long)number);
    wshub_ext_cron__put(out, text);
}
static size_t wshub_ext_cron__put_end(wshub_ext_cron__out *out) {
    if (out->cap) out->buf[out->len < out->cap ? out->len : out->cap - 1] = 0;
    return out->len;
}

static void wshub_ext_cron__put_field(wshub_ext_cron__out *out, const wshub_ext_cron *cron,
                                      wshub_ext_cron_field field) {
    uint64_t bits = wshub_ext_cron__bits(cron, field);
    bool any = false;
    uint32_t i;

    if (bits && bits == wshub_ext_cron__full[field]) {
        wshub_ext_cron__put(out, "*");
        return;
    }
    for (i = 0; i < 60; i++) {
        if (!(bits >> i & 1)) continue;
        if (any) wshub_ext_cron__put(out, ",");
        wshub_ext_cron__put_number(out, i);
        any = true;
    }
}

WSHUB_API size_t wshub_ext_cron_write_field(const wshub_ext_cron *cron, wshub_ext_cron_field field,
                                            char *buf, size_t cap) {
    wshub_ext_cron__out out;

    out.buf = buf;
    out.cap = buf ? cap : 0;
    out.len = 0;
    wshub_ext_cron__put_field(&out, cron, field);
    return wshub_ext_cron__put_end(&out);
}

WSHUB_API size_t wshub_ext_cron_write(const wshub_ext_cron *cron, char *buf, size_t cap) {
    wshub_ext_cron__out out;
    int field;

    out.buf = buf;
    out.cap = buf ? cap : 0;
    out.len = 0;
    for (field = WSHUB_EXT_CRON_SECOND; field <= WSHUB_EXT_CRON_DAY_OF_WEEK; field++) {
        if (field > WSHUB_EXT_CRON_SECOND) wshub_ext_cron__put(&out, " ");
        wshub_ext_cron__put_field(&out, cron, (wshub_ext_cron_field)field);
    }
    return wshub_ext_cron__put_end(&out);
}

/* ---- the calendar ----
 * Days are counted from 1970-01-01, and so are seconds, on the wall as in UTC. Years begin in March
 * inside, so that the leap day is the last of its year. */

enum { WSHUB_EXT_CRON__DAY_S = 86400, WSHUB_EXT_CRON__YEARS_MAX = 9 };

static int64_t wshub_ext_cron__floor(int64_t n, int64_t by) {
    return n / by - (n % by < 0);
}

typedef struct wshub_ext_cron__date {
    int64_t year;
    uint32_t month, day; /* from 1 */
} wshub_ext_cron__date;

static int64_t wshub_ext_cron__days(int64_t year, uint32_t month, uint32_t day) {
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = wshub_ext_cron__floor(y, 400), of_era = y - 400 * era;
    int64_t in_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    WSHUB_ASSERT(month >= 1 && month <= 12);
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + in_year - 719468;
}

static wshub_ext_cron__date wshub_ext_cron__date_of(int64_t days) {
    int64_t era = wshub_ext_cron__floor(days + 719468, 146097);
    uint32_t of_era = (uint32_t)(days + 719468 - era * 146097);
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * of_year + 2) / 153;
    wshub_ext_cron__date date;

    date.day = of_year - (153 * month + 2) / 5 + 1;
    date.month = month < 10 ? month + 3 : month - 9;
    date.year = year + era * 400 + (date.month <= 2);
    WSHUB_ASSERT(date.month >= 1 && date.month <= 12);
    WSHUB_ASSERT(date.day >= 1 && date.day <= 31);
    return date;
}

static bool wshub_ext_cron__is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
static uint32_t wshub_ext_cron__month_days(int64_t year, uint32_t month) {
    if (month == 2) return wshub_ext_cron__is_leap(year) ? 29 : 28;
    return 30 + ((month + (month >> 3)) & 1);
}
/* 1970-01-01 was a Thursday. */
static uint32_t wshub_ext_cron__weekday(int64_t days) {
    return (uint32_t)(days + 4 - 7 * wshub_ext_cron__floor(days + 4, 7));
}

/* ---- times on the wall ----
 * What matches without any zone: seconds since 1970 as a clock on the wall counts them. */

static uint32_t wshub_ext_cron__lowest(uint64_t bits) {
    WSHUB_ASSERT(bits != 0);
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzll(bits);
#else
    uint32_t n = 0;
    while (!(bits >> n & 1)) n++;
    return n;
#endif
}
static uint32_t wshub_ext_cron__highest(uint64_t bits) {
    WSHUB_ASSERT(bits != 0);
#if defined(__GNUC__)
    return 63 - (uint32_t)__builtin_clzll(bits);
#else
    uint32_t n = 63;
    while (!(bits >> n & 1)) n--;
    return n;
#endif
}
/* Those from `from` on, and those up to `to`; both below 64. */
static uint64_t wshub_ext_cron__from(uint64_t bits, uint32_t from) {
    return bits >> from << from;
}
static uint64_t wshub_ext_cron__up_to(uint64_t bits, uint32_t to) {
    return bits << (63 - to) >> (63 - to);
}

/* The days of a month that match, as bits from 1 on. first: the first of that month, in days. A
 * field that has all its values asks for nothing; if both ask for something, either suffices. */
static uint32_t wshub_ext_cron__days_of(const wshub_ext_cron *cron, int64_t year, uint32_t month,
                                        int64_t first) {
    bool any_day = cron->days == wshub_ext_cron__full[WSHUB_EXT_CRON_DAY_OF_MONTH];
    bool any_weekday = cron->weekdays == wshub_ext_cron__full[WSHUB_EXT_CRON_DAY_OF_WEEK];
    uint32_t all = (uint32_t)((UINT64_C(2) << wshub_ext_cron__month_days(year, month)) - 2);
    uint32_t weekday, week;
    uint64_t weeks;

    if (any_weekday) return cron->days & all;

    /* the week as it lies in this month, its first day lowest, five times in a row */
    weekday = wshub_ext_cron__weekday(first);
    week = (cron->weekdays >> weekday | cron->weekdays << (7 - weekday)) & 0x7F;
    weeks = (uint64_t)week * UINT64_C(0x10204081) << 1;
    if (!any_day) weeks |= cron->days;
    return (uint32_t)weeks & all;
}

/* The first time of a day, in seconds, from one on; -1: none. */
static int32_t wshub_ext_cron__time_from(const wshub_ext_cron *cron, uint32_t from) {
    uint32_t hour = from / 3600, minute = from / 60 % 60;
    uint64_t hours = wshub_ext_cron__from(cron->hours, hour), minutes, seconds;
    uint32_t h, m;

    WSHUB_ASSERT(from < WSHUB_EXT_CRON__DAY_S);
    if (!hours) return -1;
    h = wshub_ext_cron__lowest(hours);
    if (h == hour) {
        minutes = wshub_ext_cron__from(cron->minutes, minute);
        seconds = wshub_ext_cron__from(cron->seconds, from % 60);
        if (!seconds && (minutes >> minute & 1)) minutes &= minutes - 1; /* not in this minute */
        if (minutes) {
            m = wshub_ext_cron__lowest(minutes);
            if (m != minute) seconds = cron->seconds;
            return (int32_t)(h * 3600 + m * 60 + wshub_ext_cron__lowest(seconds));
        }
        hours &= hours - 1;
        if (!hours) return -1;
        h = wshub_ext_cron__lowest(hours);
    }
    return (int32_t)(h * 3600 + wshub_ext_cron__lowest(cron->minutes) * 60 +
                     wshub_ext_cron__lowest(cron->seconds));
}

/* The last time of a day, up to one; -1: none. */
static int32_t wshub_ext_cron__time_up_to(const wshub_ext_cron *cron, uint32_t to) {
    uint32_t hour = to / 3600, minute = to / 60 % 60;
    uint64_t hours = wshub_ext_cron__up_to(cron->hours, hour), minutes, seconds;
    uint32_t h, m;

    WSHUB_ASSERT(to < WSHUB_EXT_CRON__DAY_S);
    if (!hours) return -1;
    h = wshub_ext_cron__highest(hours);
    if (h == hour) {
        minutes = wshub_ext_cron__up_to(cron->minutes, minute);
        seconds = wshub_ext_cron__up_to(cron->seconds, to % 60);
        if (!seconds) minutes &= ~(UINT64_C(1) << minute);
        if (minutes) {
            m = wshub_ext_cron__highest(minutes);
            if (m != minute) seconds = cron->seconds;
            return (int32_t)(h * 3600 + m * 60 + wshub_ext_cron__highest(seconds));
        }
        hours &= ~(UINT64_C(1) << h);
        if (!hours) return -1;
        h = wshub_ext_cron__highest(hours);
    }
    return (int32_t)(h * 3600 + wshub_ext_cron__highest(cron->minutes) * 60 +
                     wshub_ext_cron__highest(cron->seconds));
}

/* Is there anything in each field? Values are made by wshub_ext_cron_parse(), but are the caller's
 * to change. */
static bool wshub_ext_cron__is_sound(const wshub_ext_cron *cron) {
    int field;
    for (field = WSHUB_EXT_CRON_SECOND; field <= WSHUB_EXT_CRON_DAY_OF_WEEK; field++) {
        uint64_t bits = wshub_ext_cron__bits(cron, (wshub_ext_cron_field)field);
        if (!bits || (bits & ~wshub_ext_cron__full[field])) return false;
    }
    return true;
}

/* The first day that matches behind a date; false: none within nine years. Months that the
 * expression leaves out are passed over. */
static bool wshub_ext_cron__day_behind(const wshub_ext_cron *cron, wshub_ext_cron__date date,
                                       int64_t *out_days) {
    int64_t year = date.year, first;
    uint32_t days, month = date.month;

    if (cron->months >> month & 1) {
        first = wshub_ext_cron__days(year, month, 1);
        days = wshub_ext_cron__days_of(cron, year, month, first);
        days = (uint32_t)wshub_ext_cron__from(days, date.day + 1);
        if (days) {
            *out_days = first + wshub_ext_cron__lowest(days) - 1;
            return true;
        }
    }

    while (year <= date.year + WSHUB_EXT_CRON__YEARS_MAX) {
        uint64_t months = wshub_ext_cron__from(cron->months, month + 1);
        if (!months) {
            year++;
            month = 0;
            continue;
        }
        month = wshub_ext_cron__lowest(months);
        first = wshub_ext_cron__days(year, month, 1);
        days = wshub_ext_cron__days_of(cron, year, month, first);
        if (!days) continue;
        *out_days = first + wshub_ext_cron__lowest(days) - 1;
        return true;
    }
    return false;
}

/* The last day that matches before a date; false: none within nine years. */
static bool wshub_ext_cron__day_before(const wshub_ext_cron *cron, wshub_ext_cron__date date,
                                       int64_t *out_days) {
    int64_t year = date.year, first;
    uint32_t days, month = date.month, last = date.day - 1;

    while (year >= date.year - WSHUB_EXT_CRON__YEARS_MAX) {
        uint64_t months = wshub_ext_cron__up_to(cron->months, month);
        if (!months) {
            year--;
            month = 12;
            last = 31;
            continue;
        }
        if (wshub_ext_cron__highest(months) != month) last = 31;
        month = wshub_ext_cron__highest(months);
        first = wshub_ext_cron__days(year, month, 1);
        days = wshub_ext_cron__days_of(cron, year, month, first);
        days = (uint32_t)wshub_ext_cron__up_to(days, last);
        if (days) {
            *out_days = first + wshub_ext_cron__highest(days) - 1;
            return true;
        }
        month--;
        last = 31;
    }
    return false;
}

/* The first time on the wall that matches, from one on; false: none within nine years. */
static bool wshub_ext_cron__wall_from(const wshub_ext_cron *cron, int64_t from, int64_t *out_wall) {
    int64_t day = wshub_ext_cron__floor(from, WSHUB_EXT_CRON__DAY_S);
    wshub_ext_cron__date date = wshub_ext_cron__date_of(day);
    int64_t first = day - date.day + 1;
    int32_t time;

    if ((cron->months >> date.month & 1) &&
        (wshub_ext_cron__days_of(cron, date.year, date.month, first) >> date.day & 1)) {
        time = wshub_ext_cron__time_from(cron, (uint32_t)(from - day * WSHUB_EXT_CRON__DAY_S));
        if (time >= 0) {
            *out_wall = day * WSHUB_EXT_CRON__DAY_S + time;
            return true;
        }
    }
    if (!wshub_ext_cron__day_behind(cron, date, &day)) return false;
    *out_wall = day * WSHUB_EXT_CRON__DAY_S + wshub_ext_cron__time_from(cron, 0);
    return true;
}

/* The last time on the wall that matches, up to one; false: none within nine years. */
static bool wshub_ext_cron__wall_up_to(const wshub_ext_cron *cron, int64_t to, int64_t *out_wall) {
    int64_t day = wshub_ext_cron__floor(to, WSHUB_EXT_CRON__DAY_S);
    wshub_ext_cron__date date = wshub_ext_cron__date_of(day);
    int64_t first = day - date.day + 1;
    int32_t time;

    if ((cron->months >> date.month & 1) &&
        (wshub_ext_cron__days_of(cron, date.year, date.month, first) >> date.day & 1)) {
        time = wshub_ext_cron__time_up_to(cron, (uint32_t)(to - day * WSHUB_EXT_CRON__DAY_S));
        if (time >= 0) {
            *out_wall = day * WSHUB_EXT_CRON__DAY_S + time;
            return true;
        }
    }
    if (!wshub_ext_cron__day_before(cron, date, &day)) return false;
    *out_wall =
        day * WSHUB_EXT_CRON__DAY_S + wshub_ext_cron__time_up_to(cron, WSHUB_EXT_CRON__DAY_S - 1);
    return true;
}

/* ---- zones ----
 * A zone is a list of changes; between two of them the offset is one, and that is a stretch. Each
 * change knows how far the clock on the wall had ever got before it: what lies between there and
 * where it goes on was skipped, or comes a second time. Behind the list a rule goes on for ever. */

enum {
    WSHUB_EXT_CRON__OFFSET_MAX = 93600, /* 26 hours, as RFC 9636 3.2 has it */
    WSHUB_EXT_CRON__LISTED_FROM = 1970, /* the years for which a rule is written into the list */
    WSHUB_EXT_CRON__LISTED_TO = 2105,
    WSHUB_EXT_CRON__AROUND = 10 /* changes by a rule in five years */
};
/* Before all instants, and behind them; room is left for offsets and years beyond. */
#define WSHUB_EXT_CRON__FIRST (-(INT64_C(1) << 60))
#define WSHUB_EXT_CRON__LAST (INT64_C(1) << 60)

typedef struct wshub_ext_cron__change {
    int64_t at;     /* in UTC */
    int32_t offset; /* from here on */
    int32_t mark;   /* at + mark: the time on the wall before which everything has been shown */
} wshub_ext_cron__change;

/* A day of a year, and a time on it, at which a POSIX rule changes the clock. */
typedef struct wshub_ext_cron__day {
    char kind; /* `J`: 1 to 365 without a leap day; `n`: 0 to 365; `M`: month, week, weekday */
    uint32_t month, week, day;
    int32_t time; /* seconds on the wall, from -167 to 167 hours */
} wshub_ext_cron__day;

typedef struct wshub_ext_cron__rule {
    int32_t winter, summer; /* offsets */
    bool changes;           /* false: it is winter for ever */
    wshub_ext_cron__day begin, end;
} wshub_ext_cron__rule;

struct wshub_ext_cron_zone {
    wshub_alloc_fn alloc;
    void *alloc_user;
    size_t bytes;              /* of all of it */
    int32_t offset;            /* before the first change */
    bool has_rule, only_rule;  /* only_rule: it holds before the list too */
    wshub_ext_cron__rule rule; /* if has_rule, with changes */
    uint32_t count;            /* changes listed */
    wshub_ext_cron__change changes[1];
};

/* ---- POSIX rules: TZ strings of POSIX, with the wider times of RFC 9636 ---- */

/* What is left of a text. */
typedef struct wshub_ext_cron__scan {
    const char *at, *end;
} wshub_ext_cron__scan;

static bool wshub_ext_cron__scan_char(wshub_ext_cron__scan *s, char c) {
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}
static bool wshub_ext_cron__scan_number(wshub_ext_cron__scan *s, uint32_t low, uint32_t high,
                                        uint32_t *out_number) {
    uint32_t n = 0;
    const char *begin = s->at;

    while (s->at < s->end && wshub_ext_cron__is_digit(*s->at) && s->at - begin < 4)
        n = 10 * n + (uint32_t)(*s->at++ - '0');
    *out_number = n;
    return s->at > begin && n >= low && n <= high;
}

/* Hours, minutes and seconds, of which the later two may be missing. */
static bool wshub_ext_cron__scan_time(wshub_ext_cron__scan *s, uint32_t hours_max,
                                      int32_t *out_seconds) {
    uint32_t hours, minutes = 0, seconds = 0;
    bool negative = wshub_ext_cron__scan_char(s, '-');

    if (!negative) (void)wshub_ext_cron__scan_char(s, '+');
    if (!wshub_ext_cron__scan_number(s, 0, hours_max, &hours)) return false;
    if (wshub_ext_cron__scan_char(s, ':')) {
        if (!wshub_ext_cron__scan_number(s, 0, 59, &minutes)) return false;
        if (wshub_ext_cron__scan_char(s, ':') && !wshub_ext_cron__scan_number(s, 0, 59, &seconds))
            return false;
    }
    *out_seconds = (int32_t)(hours * 3600 + minutes * 60 + seconds);
    if (negative) *out_seconds = -*out_seconds;
    return true;
}

/* The name of an offset: three letters or more, or anything of a few kinds in angle brackets. */
static bool wshub_ext_cron__scan_name(wshub_ext_cron__scan *s) {
    bool quoted = wshub_ext_cron__scan_char(s, '<');
    const char *begin = s->at;

    while (s->at < s->end &&
           (wshub_ext_cron__is_letter(*s->at) ||
            (quoted && (wshub_ext_cron__is_digit(*s->at) || *s->at == '+' || *s->at == '-'))))
        s->at++;
    if (s->at - begin < 3) return false;
    return !quoted || wshub_ext_cron__scan_char(s, '>');
}

static bool wshub_ext_cron__scan_day(wshub_ext_cron__scan *s, wshub_ext_cron__day *day) {
    memset(day, 0, sizeof *day);
    if (!wshub_ext_cron__scan_char(s, ',')) return false;
    if (wshub_ext_cron__scan_char(s, 'M')) {
        day->kind = 'M';
        if (!wshub_ext_cron__scan_number(s, 1, 12, &day->month) ||
            !wshub_ext_cron__scan_char(s, '.') ||
            !wshub_ext_cron__scan_number(s, 1, 5, &day->week) ||
            !wshub_ext_cron__scan_char(s, '.') || !wshub_ext_cron__scan_number(s, 0, 6, &day->day))
            return false;
    } else {
        day->kind = wshub_ext_cron__scan_char(s, 'J') ? 'J' : 'n';
        if (!wshub_ext_cron__scan_number(s, day->kind == 'J', 365, &day->day)) return false;
    }
    day->time = 7200;
    return !wshub_ext_cron__scan_char(s, '/') || wshub_ext_cron__scan_time(s, 167, &day->time);
}

/* A whole rule. Offsets count westwards there: `EST5` is five hours behind. */
static bool wshub_ext_cron__rule_read(const char *text, size_t len, wshub_ext_cron__rule *rule) {
    wshub_ext_cron__scan s;

    memset(rule, 0, sizeof *rule);
    s.at = text;
    s.end = text + len;
    if (!wshub_ext_cron__scan_name(&s) || !wshub_ext_cron__scan_time(&s, 24, &rule->winter))
        return false;
    rule->winter = -rule->winter;
    if (s.at == s.end) return true;

    rule->changes = true;
    if (!wshub_ext_cron__scan_name(&s)) return false;
    rule->summer = rule->winter + 3600;
    if (s.at < s.end && *s.at != ',') {
        if (!wshub_ext_cron__scan_time(&s, 24, &rule->summer)) return false;
        rule->summer = -rule->summer;
    }
    return wshub_ext_cron__scan_day(&s, &rule->begin) && wshub_ext_cron__scan_day(&s, &rule->end) &&
           s.at == s.end;
}

/* When a rule's day begins in a year, and the time on it, on the wall. */
static int64_t wshub_ext_cron__day_in(const wshub_ext_cron__day *day, int64_t year) {
    int64_t first = wshub_ext_cron__days(year, day->kind == 'M' ? day->month : 1, 1);
    uint32_t in = day->day;

    if (day->kind == 'M') {
        uint32_t length = wshub_ext_cron__month_days(year, day->month);
        in = (day->day + 7 - wshub_ext_cron__weekday(first)) % 7 + 7 * (day->week - 1);
        if (in >= length) in -= 7; /* week 5 is the last one */
    } else if (day->kind == 'J') {
        in -= !(in > 59 && wshub_ext_cron__is_leap(year)); /* its day 60 is always March 1 */
    }
    return (first + in) * WSHUB_EXT_CRON__DAY_S + day->time;
}

/* Both changes of a year, the earlier one first. */
static void wshub_ext_cron__rule_year(const wshub_ext_cron__rule *rule, int64_t year,
                                      wshub_ext_cron__change changes[2]) {
    int64_t begin = wshub_ext_cron__day_in(&rule->begin, year) - rule->winter;
    int64_t end = wshub_ext_cron__day_in(&rule->end, year) - rule->summer;
    int first = end < begin;

    memset(changes, 0, 2 * sizeof *changes);
    changes[first].at = begin;
    changes[first].offset = rule->summer;
    changes[!first].at = end;
    changes[!first].offset = rule->winter;
}

/* Adds a change behind the others of a list. What does not lie behind them, since a rule may
 * overlap itself, is put into its place. Of two at one instant the later one counts. */
static uint32_t wshub_ext_cron__insert(wshub_ext_cron__change *changes, uint32_t count,
                                       const wshub_ext_cron__change *change) {
    uint32_t i = count;

    while (i && changes[i - 1].at > change->at) i--;
    if (i && changes[i - 1].at == change->at) {
        changes[i - 1].offset = change->offset;
        return count;
    }
    memmove(changes + i + 1, changes + i, (count - i) * sizeof *changes);
    changes[i] = *change;
    return count + 1;
}

/* Takes out changes that change nothing and sets the marks. offset: before the first. */
static uint32_t wshub_ext_cron__mark(wshub_ext_cron__change *changes, uint32_t count,
                                     int32_t offset) {
    int64_t mark = WSHUB_EXT_CRON__FIRST * 2;
    uint32_t i, kept = 0;

    for (i = 0; i < count; i++) {
        if (changes[i].offset == offset) continue;
        if (changes[i].at + offset > mark) mark = changes[i].at + offset;
        offset = changes[i].offset;
        changes[kept] = changes[i];
        changes[kept++].mark = (int32_t)(mark - changes[i].at);
    }
    return kept;
}

/* ---- zone files: RFC 9636 ---- */

static uint32_t wshub_ext_cron__u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static int32_t wshub_ext_cron__i32(const uint8_t *p) {
    uint32_t n = wshub_ext_cron__u32(p);
    return n & 0x80000000U ? -(int32_t)(~n) - 1 : (int32_t)n;
}
static int64_t wshub_ext_cron__i64(const uint8_t *p) {
    int64_t high = wshub_ext_cron__i32(p);
    return high * INT64_C(4294967296) + wshub_ext_cron__u32(p + 4);
}

/* A block of a file: how many of each there are, and where they lie. */
typedef struct wshub_ext_cron__block {
    uint32_t leaps, times, types;
    size_t time_bytes; /* 4 or 8 */
    const uint8_t *times_at, *kinds_at, *types_at, *leaps_at, *end;
} wshub_ext_cron__block;

enum { WSHUB_EXT_CRON__HEAD = 44, WSHUB_EXT_CRON__TYPE = 6 };

/* Reads the head of a block and finds its parts; false: they do not fit into what is there. */
static bool wshub_ext_cron__block_read(const uint8_t *p, const uint8_t *end, size_t time_bytes,
                                       wshub_ext_cron__block *block) {
    uint32_t counts[6]; /* UT, standard, leap seconds, times, types, letters */
    uint64_t bytes;
    int i;

    if (end - p < WSHUB_EXT_CRON__HEAD || memcmp(p, "TZif", 4) != 0) return false;
    for (i = 0; i < 6; i++) counts[i] = wshub_ext_cron__u32(p + 20 + 4 * i);
    bytes = (uint64_t)counts[3] * (time_bytes + 1) + (uint64_t)counts[4] * WSHUB_EXT_CRON__TYPE +
            counts[5] + (uint64_t)counts[2] * (time_bytes + 4) + counts[1] + counts[0];
    if (bytes > (uint64_t)(end - p - WSHUB_EXT_CRON__HEAD)) return false;

    block->leaps = counts[2];
    block->times = counts[3];
    block->types = counts[4];
    block->time_bytes = time_bytes;
    block->times_at = p + WSHUB_EXT_CRON__HEAD;
    block->kinds_at = block->times_at + counts[3] * time_bytes;
    block->types_at = block->kinds_at + counts[3];
    block->leaps_at = block->types_at + (size_t)counts[4] * WSHUB_EXT_CRON__TYPE + counts[5];
    block->end = p + WSHUB_EXT_CRON__HEAD + bytes;
    return counts[4] >= 1 && counts[4] <= 256;
}

static int64_t wshub_ext_cron__block_time(const wshub_ext_cron__block *block, const uint8_t *p) {
    return block->time_bytes == 8 ? wshub_ext_cron__i64(p) : wshub_ext_cron__i32(p);
}

/* Where leap seconds are counted an instant has them in it: they are taken out again. */
static int64_t wshub_ext_cron__without_leaps(const wshub_ext_cron__block *block, int64_t at) {
    uint32_t i;
    int32_t leaps = 0;

    for (i = 0; i < block->leaps; i++) {
        const uint8_t *leap = block->leaps_at + i * (block->time_bytes + 4);
        if (wshub_ext_cron__block_time(block, leap) > at) break;
        leaps = wshub_ext_cron__i32(leap + block->time_bytes);
    }
    return at - leaps;
}

/* Reads the offsets and changes of a block into a zone, which has room for them. */
static bool wshub_ext_cron__block_take(const wshub_ext_cron__block *block,
                                       wshub_ext_cron_zone *zone) {
    int64_t before = WSHUB_EXT_CRON__FIRST;
    uint32_t i;

    for (i = 0; i < block->types; i++) {
        int32_t offset = wshub_ext_cron__i32(block->types_at + i * WSHUB_EXT_CRON__TYPE);
        if (offset > WSHUB_EXT_CRON__OFFSET_MAX || offset < -WSHUB_EXT_CRON__OFFSET_MAX)
            return false;
    }
    zone->offset = wshub_ext_cron__i32(block->types_at);
    for (i = 0; i < block->times; i++) {
        wshub_ext_cron__change *change = &zone->changes[i];
        int64_t at = wshub_ext_cron__block_time(block, block->times_at + i * block->time_bytes);
        if (block->kinds_at[i] >= block->types) return false;
        if (at < WSHUB_EXT_CRON__FIRST || at > WSHUB_EXT_CRON__LAST) return false;
        change->at = wshub_ext_cron__without_leaps(block, at);
        change->offset = wshub_ext_cron__i32(block->types_at +
                                             block->kinds_at[i] * (size_t)WSHUB_EXT_CRON__TYPE);
        if (change->at <= before || change->at > WSHUB_EXT_CRON__LAST) return false;
        before = change->at;
    }
    zone->count = block->times;
    return true;
}

/* The footer behind the last block: a rule between two line ends, or nothing. */
static bool wshub_ext_cron__footer(const uint8_t *p, const uint8_t *end,
                                   wshub_ext_cron_zone *zone) {
    const uint8_t *stop;

    if (p == end || *p != '\n') return false;
    p++;
    stop = (const uint8_t *)memchr(p, '\n', (size_t)(end - p));
    if (!stop) return false;
    zone->has_rule = stop > p;
    return !zone->has_rule ||
           wshub_ext_cron__rule_read((const char *)p, (size_t)(stop - p), &zone->rule);
}

/* ---- stretches ---- */

/* A time without a change of the offset, from `begin` until before `end`. */
typedef struct wshub_ext_cron__stretch {
    int64_t begin, end;
    int64_t mark; /* the time on the wall before which everything has been shown before */
    int32_t offset;
} wshub_ext_cron__stretch;

/* The stretch before the first of some changes, or that of the i-th. */
static void wshub_ext_cron__stretch_at(const wshub_ext_cron__change *changes, uint32_t count,
                                       uint32_t behind, int32_t offset,
                                       wshub_ext_cron__stretch *out) {
    out->end = behind < count ? changes[behind].at : WSHUB_EXT_CRON__LAST * 2;
    if (behind == 0) {
        out->begin = out->mark = WSHUB_EXT_CRON__FIRST * 2;
        out->offset = offset;
        return;
    }
    out->begin = changes[behind - 1].at;
    out->offset = changes[behind - 1].offset;
    out->mark = out->begin + changes[behind - 1].mark;
}

/* How many changes are at an instant or before it. */
static uint32_t wshub_ext_cron__behind(const wshub_ext_cron__change *changes, uint32_t count,
                                       int64_t at) {
    uint32_t low = 0;

    while (count) {
        uint32_t half = count / 2;
        if (changes[low + half].at <= at) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

/* A stretch by the rule, where the list has none: that of the changes in the years around. */
static void wshub_ext_cron__stretch_by_rule(const wshub_ext_cron_zone *zone, int64_t at,
                                            bool behind_list, wshub_ext_cron__stretch *out) {
    int64_t days = wshub_ext_cron__floor(at + zone->rule.winter, WSHUB_EXT_CRON__DAY_S);
    int64_t year = wshub_ext_cron__date_of(days).year, y;
    wshub_ext_cron__change changes[WSHUB_EXT_CRON__AROUND + 1], pair[2];
    int32_t offset = zone->rule.winter;
    uint32_t count = 0, i;

    if (behind_list && zone->count) { /* from the list's last change on */
        changes[count++] = zone->changes[zone->count - 1];
        offset = changes[0].offset + 1; /* so that it stays */
    }
    for (y = year - 2; y <= year + 2; y++) {
        wshub_ext_cron__rule_year(&zone->rule, y, pair);
        for (i = 0; i < 2; i++) {
            if (!behind_list || !zone->count || pair[i].at > zone->changes[zone->count - 1].at)
                count = wshub_ext_cron__insert(changes, count, &pair[i]);
        }
    }
    WSHUB_ASSERT(count > 0 && count <= sizeof changes / sizeof changes[0]);
    count = wshub_ext_cron__mark(changes, count, offset);
    if (behind_list && zone->count) changes[0].mark = zone->changes[zone->count - 1].mark;
    i = wshub_ext_cron__behind(changes, count, at);
    wshub_ext_cron__stretch_at(changes, count, i, zone->rule.winter, out);
}

/* The stretch that an instant lies in. */
static void wshub_ext_cron__stretch_of(const wshub_ext_cron_zone *zone, int64_t at,
                                       wshub_ext_cron__stretch *out) {
    uint32_t behind;

    if (!zone) {
        wshub_ext_cron__stretch_at(NULL, 0, 0, 0, out);
        return;
    }
    behind = wshub_ext_cron__behind(zone->changes, zone->count, at);
    if (zone->has_rule && (behind == zone->count || (behind == 0 && zone->only_rule)))
        wshub_ext_cron__stretch_by_rule(zone, at, behind == zone->count, out);
    else
        wshub_ext_cron__stretch_at(zone->changes, zone->count, behind, zone->offset, out);
    WSHUB_ASSERT(out->begin <= at && at < out->end);
}

/* ---- making a zone ---- */

static void *wshub_ext_cron__realloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* A zone with room for so many changes of a file, and for those by a rule. */
static wshub_ext_cron_zone *wshub_ext_cron__zone_new(const wshub_ext_cron_zone_desc *desc,
                                                     uint32_t changes) {
    uint32_t most = changes + 2 * (WSHUB_EXT_CRON__LISTED_TO - WSHUB_EXT_CRON__LISTED_FROM + 1);
    size_t bytes = sizeof(wshub_ext_cron_zone) + most * sizeof(wshub_ext_cron__change);
    wshub_ext_cron_zone *zone =
        (wshub_ext_cron_zone *)desc->alloc(desc->alloc_user, NULL, 0, bytes);

    if (!zone) return NULL;
    memset(zone, 0, sizeof *zone);
    zone->alloc = desc->alloc;
    zone->alloc_user = desc->alloc_user;
    zone->bytes = bytes;
    return zone;
}

#if defined(WSHUB_SELF_CHECK) && !defined(NDEBUG)
/* A zone's changes come one after the other, and each changes something; what had been shown before
 * one had been before the next. */
static void wshub_ext_cron__zone_check(const wshub_ext_cron_zone *zone) {
    uint32_t i;

    for (i = 0; i < zone->count; i++) {
        const wshub_ext_cron__change *change = &zone->changes[i], *last = change - 1;
        WSHUB_ASSERT(change->offset != (i ? last->offset : zone->offset));
        WSHUB_ASSERT(change->offset <= WSHUB_EXT_CRON__OFFSET_MAX);
        WSHUB_ASSERT(change->offset >= -WSHUB_EXT_CRON__OFFSET_MAX);
        WSHUB_ASSERT(!i || change->at > last->at);
        WSHUB_ASSERT(!i || change->at + change->mark >= last->at + last->mark);
    }
    WSHUB_ASSERT(!zone->has_rule || zone->count);
}
#else
static void wshub_ext_cron__zone_check(const wshub_ext_cron_zone *zone) {
    (void)zone;
}
#endif

/* Writes the changes by the rule into the list, from where it holds, sets the marks, and gives
 * back the room that was not taken. */
static wshub_ext_cron_zone *wshub_ext_cron__zone_whole(wshub_ext_cron_zone *zone) {
    int64_t from = zone->count ? zone->changes[zone->count - 1].at : WSHUB_EXT_CRON__FIRST;
    wshub_ext_cron__change pair[2];
    wshub_ext_cron__stretch before;
    wshub_ext_cron_zone *smaller;
    size_t bytes;
    int year, i;

    zone->only_rule = zone->has_rule && !zone->count;
    if (zone->only_rule) zone->offset = zone->rule.winter;
    if (zone->has_rule && !zone->rule.changes) zone->has_rule = false;
    for (year = WSHUB_EXT_CRON__LISTED_FROM; zone->has_rule && year <= WSHUB_EXT_CRON__LISTED_TO;
         year++) {
        wshub_ext_cron__rule_year(&zone->rule, year, pair);
        for (i = 0; i < 2; i++) {
            if (pair[i].at > from)
                zone->count = wshub_ext_cron__insert(zone->changes, zone->count, &pair[i]);
        }
    }
    WSHUB_ASSERT(sizeof *zone + zone->count * sizeof *zone->changes <= zone->bytes);
    if (zone->has_rule && zone->only_rule) {
        wshub_ext_cron__stretch_by_rule(zone, zone->changes[0].at - 1, false, &before);
        zone->offset = before.offset;
    }
    zone->count = wshub_ext_cron__mark(zone->changes, zone->count, zone->offset);
    wshub_ext_cron__zone_check(zone);

    bytes = sizeof *zone + zone->count * sizeof *zone->changes;
    smaller = (wshub_ext_cron_zone *)zone->alloc(zone->alloc_user, zone, zone->bytes, bytes);
    if (smaller) {
        smaller->bytes = bytes;
        zone = smaller;
    }
    return zone;
}

WSHUB_API void wshub_ext_cron_zone_destroy(wshub_ext_cron_zone *zone) {
    if (zone) (void)zone->alloc(zone->alloc_user, zone, zone->bytes, 0);
}

/* A zone of what a file holds. */
static wshub_err wshub_ext_cron__zone_of_file(const wshub_ext_cron_zone_desc *desc,
                                              const uint8_t *p, size_t len,
                                              wshub_ext_cron_zone **out_zone) {
    const uint8_t *end = p + len;
    wshub_ext_cron__block block;
    wshub_ext_cron_zone *zone;
    bool wide;

    if (!wshub_ext_cron__block_read(p, end, 4, &block)) return WSHUB_ERR_PROTO;
    wide = p[4] >= '2'; /* then a second block says the same in 64 bits, and it is what counts */
    if (p[4] && !wide) return WSHUB_ERR_PROTO;
    if (wide && !wshub_ext_cron__block_read(block.end, end, 8, &block)) return WSHUB_ERR_PROTO;

    zone = wshub_ext_cron__zone_new(desc, block.times);
    if (!zone) return WSHUB_ERR_NOMEM;
    if (!wshub_ext_cron__block_take(&block, zone) ||
        (wide && !wshub_ext_cron__footer(block.end, end, zone))) {
        wshub_ext_cron_zone_destroy(zone);
        return WSHUB_ERR_PROTO;
    }
    *out_zone = wshub_ext_cron__zone_whole(zone);
    return WSHUB_OK;
}

/* A zone that is a rule. */
static wshub_err wshub_ext_cron__zone_of_rule(const wshub_ext_cron_zone_desc *desc,
                                              const wshub_ext_cron__rule *rule,
                                              wshub_ext_cron_zone **out_zone) {
    wshub_ext_cron_zone *zone = wshub_ext_cron__zone_new(desc, 0);

    if (!zone) return WSHUB_ERR_NOMEM;
    zone->rule = *rule;
    zone->has_rule = true;
    *out_zone = wshub_ext_cron__zone_whole(zone);
    return WSHUB_OK;
}
static wshub_err wshub_ext_cron__zone_of_offset(const wshub_ext_cron_zone_desc *desc,
                                                int32_t offset, wshub_ext_cron_zone **out_zone) {
    wshub_ext_cron__rule rule;

    memset(&rule, 0, sizeof rule);
    rule.winter = offset;
    return wshub_ext_cron__zone_of_rule(desc, &rule, out_zone);
}

/* Reads a file. Returns how many bytes it has, of which the first cap are read; 0: it is not there,
 * or a folder. */
static size_t wshub_ext_cron__file(const char *path, uint8_t *bytes, size_t cap) {
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f) return 0;
    n = fread(bytes, 1, cap, f);
    (void)fclose(f);
    return n;
}

/* Looks a name up in a folder. A path that is too long names nothing. */
static size_t wshub_ext_cron__in_folder(const char *folder, const char *name, uint8_t *bytes,
                                        size_t cap) {
    char path[1024];

    if (strlen(folder) + strlen(name) + 2 > sizeof path) return 0;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return wshub_ext_cron__file(path, bytes, cap);
}

/* Finds the file of a name that was checked: by the function, in the folder of the description, of
 * the environment, or one of the usual ones. */
static size_t wshub_ext_cron__find(const wshub_ext_cron_zone_desc *desc, const char *name,
                                   uint8_t *bytes, size_t cap) {
    static const char *const usual[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                        "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};
    const char *folder = desc->folder;
    size_t n = 0, i;

    if (desc->load) n = desc->load(desc->load_user, name, bytes, cap);
    if (n) return n;
    if (!folder) folder = getenv("TZDIR");
    if (folder && folder[0]) return wshub_ext_cron__in_folder(folder, name, bytes, cap);
    for (i = 0; !n && i < sizeof usual / sizeof usual[0]; i++)
        n = wshub_ext_cron__in_folder(usual[i], name, bytes, cap);
    return n;
}

/* May it be the name of a file below the folder? Every part begins and ends in letters and the
 * like: there is no way up, and no absolute path (CRON-3). */
static bool wshub_ext_cron__name_ok(const char *name) {
    size_t i, part = 0;

    for (i = 0; name[i]; i++) {
        char c = name[i];
        if (c == '/' && part == 0) return false;
        if (c == '/') {
            part = 0;
            continue;
        }
        if (!wshub_ext_cron__is_letter(c) && !wshub_ext_cron__is_digit(c) && c != '_' && c != '+' &&
            c != '-')
            return false;
        part++;
    }
    return part > 0 && i < 256;
}

/* Is it a rule of POSIX, if it is anything? No name has one of these. */
static bool wshub_ext_cron__is_rule(const char *name) {
    return name[0] == '<' || strchr(name, ',') != NULL;
}

/* The file of a name, or of a path that is this program's own choice. */
static wshub_err wshub_ext_cron__zone_load(const wshub_ext_cron_zone_desc *desc, const char *name,
                                           const char *path, wshub_ext_cron_zone **out_zone) {
    size_t cap = WSHUB_EXT_CRON_ZONE_BYTES_MAX + 1, n;
    uint8_t *bytes = (uint8_t *)desc->alloc(desc->alloc_user, NULL, 0, cap);
    wshub_err err = WSHUB_ERR_ABSENT;

    if (!bytes) return WSHUB_ERR_NOMEM;
    n = path ? wshub_ext_cron__file(path, bytes, cap)
             : wshub_ext_cron__find(desc, name, bytes, cap);
    if (n >= cap)
        err = WSHUB_ERR_PROTO; /* larger than any zone */
    else if (n)
        err = wshub_ext_cron__zone_of_file(desc, bytes, n, out_zone);
    (void)desc->alloc(desc->alloc_user, bytes, cap, 0);
    return err;
}

/* A name or a rule, as callers give it. */
static wshub_err wshub_ext_cron__zone_named(const wshub_ext_cron_zone_desc *desc, const char *name,
                                            wshub_ext_cron_zone **out_zone) {
    wshub_ext_cron__rule rule;

    if (strcmp(name, "UTC") == 0) return wshub_ext_cron__zone_of_offset(desc, 0, out_zone);
    if (wshub_ext_cron__is_rule(name)) {
        if (!wshub_ext_cron__rule_read(name, strlen(name), &rule)) return WSHUB_ERR_PARAM;
        return wshub_ext_cron__zone_of_rule(desc, &rule, out_zone);
    }
    if (!wshub_ext_cron__name_ok(name)) return WSHUB_ERR_PARAM;
    return wshub_ext_cron__zone_load(desc, name, NULL, out_zone);
}

/* The system's own zone. What the environment says is the word of who runs the program: it may also
 * name the local file by its path, a file in the usual folder so, and a rule without changes. */
static wshub_err wshub_ext_cron__zone_system(const wshub_ext_cron_zone_desc *desc,
                                             wshub_ext_cron_zone **out_zone) {
    static const char local[] = "/etc/localtime", usual[] = "/usr/share/zoneinfo/";
    const char *tz = getenv("TZ");
    wshub_ext_cron__rule rule;
    wshub_err err;

    if (tz && tz[0] == ':') tz++;
    if (!tz || strcmp(tz, local) == 0) {
        err = wshub_ext_cron__zone_load(desc, NULL, local, out_zone);
        if (err != WSHUB_ERR_ABSENT) return err;
        return wshub_ext_cron__zone_of_offset(desc, 0, out_zone);
    }
    if (!tz[0]) return wshub_ext_cron__zone_of_offset(desc, 0, out_zone);
    if (strncmp(tz, usual, sizeof usual - 1) == 0) tz += sizeof usual - 1;
    err = wshub_ext_cron__zone_named(desc, tz, out_zone);
    if ((err == WSHUB_ERR_ABSENT || err == WSHUB_ERR_PARAM) &&
        wshub_ext_cron__rule_read(tz, strlen(tz), &rule))
        err = wshub_ext_cron__zone_of_rule(desc, &rule, out_zone);
    return err;
}

WSHUB_API const char *wshub_ext_cron_zone_problem_versioned(const wshub_ext_cron_zone_desc *desc,
                                                            size_t desc_bytes, uint32_t version) {
    wshub_ext_cron__rule rule;

    if (desc_bytes != sizeof *desc || version != WSHUB_EXT_CRON_ZONE_VERSION)
        return "wshub_ext_cron_zone_desc: of another wshub_ext_cron.h than the code";
    if (!desc) return NULL;
    if (desc->fixed && desc->name && desc->name[0])
        return "fixed: an offset has no name, and a name no offset";
    if (!desc->fixed && desc->offset_s) return "offset_s: means something only with fixed";
    if (desc->offset_s > WSHUB_EXT_CRON__OFFSET_MAX || desc->offset_s < -WSHUB_EXT_CRON__OFFSET_MAX)
        return "offset_s: must be between -93600 and 93600";
    if (desc->folder && !desc->folder[0]) return "folder: must be the path of a folder, or NULL";
    if (!desc->name || !desc->name[0]) return NULL;
    if (wshub_ext_cron__is_rule(desc->name)) {
        if (wshub_ext_cron__rule_read(desc->name, strlen(desc->name), &rule)) return NULL;
        return "name: with a comma, or with `<` first, it must be a POSIX rule, as in "
               "\"EST5EDT,M3.2.0,M11.1.0\"";
    }
    if (!wshub_ext_cron__name_ok(desc->name))
        return "name: must be of letters, digits, `_`, `+`, `-` and `/`, as in \"Europe/Berlin\"";
    return NULL;
}

WSHUB_API size_t wshub_ext_cron_zone_explain_versioned(const wshub_ext_cron_zone_desc *desc,
                                                       size_t desc_bytes, uint32_t version,
                                                       wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_ext_cron_zone_desc, name, TEXT, "folder"),
        WSHUB_FIELD(wshub_ext_cron_zone_desc, fixed, BOOL, "name"),
        WSHUB_FIELD(wshub_ext_cron_zone_desc, folder, TEXT, NULL),
    };
    const char *problem = wshub_ext_cron_zone_problem_versioned(desc, desc_bytes, version);

    if (problem && (!desc || desc_bytes != sizeof *desc || version != WSHUB_EXT_CRON_ZONE_VERSION))
        return wshub_explain(problem, NULL, NULL, 0, buf, cap);
    if (!problem && err == WSHUB_ERR_PARAM) problem = "out_zone: required, and NULL";
    if (!problem && err == WSHUB_ERR_ABSENT)
        problem = "name: no such zone; looked in that folder or, where it is NULL, in the "
                  "environment's TZDIR, else in /usr/share/zoneinfo and the like";
    if (!problem && err == WSHUB_ERR_PROTO)
        problem = "name: what was found is no zone file (RFC 9636), or not a whole one";
    if (!problem && err) problem = wshub_strerror(err);
    return wshub_explain(problem, desc, fields, desc ? sizeof fields / sizeof fields[0] : 0, buf,
                         cap);
}

WSHUB_API wshub_err wshub_ext_cron_zone_create_versioned(const wshub_ext_cron_zone_desc *desc,
                                                         size_t desc_bytes, uint32_t version,
                                                         wshub_ext_cron_zone **out_zone) {
    wshub_ext_cron_zone_desc filled;

    if (!out_zone || wshub_ext_cron_zone_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    *out_zone = NULL;
    memset(&filled, 0, sizeof filled);
    if (desc) filled = *desc;
    if (!filled.alloc) filled.alloc = wshub_ext_cron__realloc;

    if (filled.fixed) return wshub_ext_cron__zone_of_offset(&filled, filled.offset_s, out_zone);
    if (!filled.name || !filled.name[0]) return wshub_ext_cron__zone_system(&filled, out_zone);
    return wshub_ext_cron__zone_named(&filled, filled.name, out_zone);
}

/* ---- instants ---- */

/* Does the hour field leave hours out? Then a time on the wall fires once (CRON-2). */
static bool wshub_ext_cron__once(const wshub_ext_cron *cron) {
    return cron->hours != wshub_ext_cron__full[WSHUB_EXT_CRON_HOUR];
}

/* The first second from one on at which it fires; WSHUB_EXT_CRON_NEVER. Each stretch shows the
 * times on the wall from its mark on for the first time; what lies between the mark and where its
 * clock begins was skipped, and fires at its beginning. */
static int64_t wshub_ext_cron__first_from(const wshub_ext_cron *cron,
                                          const wshub_ext_cron_zone *zone, int64_t from) {
    int64_t until = from + (int64_t)(WSHUB_EXT_CRON__YEARS_MAX * 366) * WSHUB_EXT_CRON__DAY_S;
    bool once = wshub_ext_cron__once(cron);
    wshub_ext_cron__stretch stretch;

    while (from <= until) {
        int64_t wall, match, at;

        wshub_ext_cron__stretch_of(zone, from, &stretch);
        wall = from + stretch.offset;
        if (once && (from == stretch.begin || wall < stretch.mark)) wall = stretch.mark;
        if (!wshub_ext_cron__wall_from(cron, wall, &match)) return WSHUB_EXT_CRON_NEVER;
        at = match - stretch.offset;
        if (at < from) at = from; /* skipped: the first instant behind the gap */
        if (at < stretch.end) return at;

        /* Nothing fires before that time on the wall, which comes no earlier than offsets allow;
         * but an interval fires also in what the next stretch shows again. */
        from = stretch.end;
        if (once && match - WSHUB_EXT_CRON__OFFSET_MAX > from)
            from = match - WSHUB_EXT_CRON__OFFSET_MAX;
    }
    return WSHUB_EXT_CRON_NEVER;
}

/* The last second up to one at which it fires. */
static int64_t wshub_ext_cron__last_up_to(const wshub_ext_cron *cron,
                                          const wshub_ext_cron_zone *zone, int64_t to) {
    int64_t until = to - (int64_t)(WSHUB_EXT_CRON__YEARS_MAX * 366) * WSHUB_EXT_CRON__DAY_S;
    bool once = wshub_ext_cron__once(cron);
    wshub_ext_cron__stretch stretch;

    while (to >= until) {
        int64_t wall, match, first, at;

        wshub_ext_cron__stretch_of(zone, to, &stretch);
        wall = to + stretch.offset;
        first = once ? stretch.mark : stretch.begin + stretch.offset;
        if (wall < first) wall = first - 1; /* a time of before, shown again */
        if (!wshub_ext_cron__wall_up_to(cron, wall, &match)) return WSHUB_EXT_CRON_NEVER;
        at = match - stretch.offset;
        if (match >= first) return at < stretch.begin ? stretch.begin : at;

        to = stretch.begin - 1;
        if (once && match + WSHUB_EXT_CRON__OFFSET_MAX < to)
            to = match + WSHUB_EXT_CRON__OFFSET_MAX;
    }
    return WSHUB_EXT_CRON_NEVER;
}

static int64_t wshub_ext_cron__ms(int64_t seconds) {
    return seconds > INT64_MAX / 1000 || seconds < INT64_MIN / 1000 ? WSHUB_EXT_CRON_NEVER
                                                                    : seconds * 1000;
}

WSHUB_API int32_t wshub_ext_cron_zone_offset(const wshub_ext_cron_zone *zone, int64_t at_ms) {
    wshub_ext_cron__stretch stretch;

    wshub_ext_cron__stretch_of(zone, wshub_ext_cron__floor(at_ms, 1000), &stretch);
    return stretch.offset;
}

WSHUB_API int64_t wshub_ext_cron_next(const wshub_ext_cron *cron, const wshub_ext_cron_zone *zone,
                                      int64_t after_ms) {
    if (!wshub_ext_cron__is_sound(cron)) return WSHUB_EXT_CRON_NEVER;
    return wshub_ext_cron__ms(
        wshub_ext_cron__first_from(cron, zone, wshub_ext_cron__floor(after_ms, 1000) + 1));
}

WSHUB_API int64_t wshub_ext_cron_previous(const wshub_ext_cron *cron,
                                          const wshub_ext_cron_zone *zone, int64_t before_ms) {
    int64_t second = wshub_ext_cron__floor(before_ms, 1000);

    if (!wshub_ext_cron__is_sound(cron)) return WSHUB_EXT_CRON_NEVER;
    if (before_ms % 1000 == 0) second--;
    return wshub_ext_cron__ms(wshub_ext_cron__last_up_to(cron, zone, second));
}

WSHUB_API bool wshub_ext_cron_matches(const wshub_ext_cron *cron, const wshub_ext_cron_zone *zone,
                                      int64_t at_ms) {
    int64_t second = wshub_ext_cron__floor(at_ms, 1000);

    return wshub_ext_cron__is_sound(cron) &&
           wshub_ext_cron__first_from(cron, zone, second) == second;
}

/* ---- in English ----
 * A sentence that begins small and has no full stop: when, on which days, in which months,
 * where. */

static const char *const wshub_ext_cron__months[] = {
    "",     "January", "February",  "March",   "April",    "May",     "June",
    "July", "August",  "September", "October", "November", "December"};
static const char *const wshub_ext_cron__weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

static uint32_t wshub_ext_cron__count(uint64_t bits) {
    uint32_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}
static bool wshub_ext_cron__is_one(uint64_t bits) {
    return bits && !(bits & (bits - 1));
}

/* What stands between two members of a list: a comma, and at last `and`, or `or`. */
static void wshub_ext_cron__put_between(wshub_ext_cron__out *out, uint32_t i, uint32_t count) {
    if (i) wshub_ext_cron__put(out, i + 1 == count ? " and " : ", ");
}

/* A number of two digits, as clocks have it. */
static void wshub_ext_cron__put_two(wshub_ext_cron__out *out, uint32_t number) {
    if (number < 10) wshub_ext_cron__put(out, "0");
    wshub_ext_cron__put_number(out, number);
}
static void wshub_ext_cron__put_time(wshub_ext_cron__out *out, uint32_t hour, uint32_t minute,
                                     uint32_t second) {
    wshub_ext_cron__put_two(out, hour);
    wshub_ext_cron__put(out, ":");
    wshub_ext_cron__put_two(out, minute);
    if (!second) return;
    wshub_ext_cron__put(out, ":");
    wshub_ext_cron__put_two(out, second);
}

/* Names or numbers of a field, in a row; three or more that follow on each other as `from to`. */
static void wshub_ext_cron__put_list(wshub_ext_cron__out *out, uint64_t bits,
                                     const char *const *names) {
    uint32_t count = wshub_ext_cron__count(bits), first = wshub_ext_cron__lowest(bits);
    uint32_t last = wshub_ext_cron__highest(bits), i = 0;
    bool range = count > 2 && last - first + 1 == count;

    for (; bits; bits &= bits - 1, i++) {
        uint32_t value = wshub_ext_cron__lowest(bits);
        if (range && value != first && value != last) continue;
        if (range && value == last)
            wshub_ext_cron__put(out, " to ");
        else
            wshub_ext_cron__put_between(out, i, count);
        if (names)
            wshub_ext_cron__put(out, names[value]);
        else
            wshub_ext_cron__put_number(out, value);
    }
}

/* The days of a month: the 1st, the 22nd and the 31st. */
static void wshub_ext_cron__put_days(wshub_ext_cron__out *out, uint32_t days) {
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    uint32_t count = wshub_ext_cron__count(days), first = wshub_ext_cron__lowest(days);
    uint32_t last = wshub_ext_cron__highest(days), i = 0;
    bool range = count > 2 && last - first + 1 == count;

    for (; days; days &= days - 1, i++) {
        uint32_t day = wshub_ext_cron__lowest(days), digit = day % 10;
        if (range && day != first && day != last) continue;
        if (range && day == last)
            wshub_ext_cron__put(out, " to ");
        else
            wshub_ext_cron__put_between(out, i, count);
        wshub_ext_cron__put(out, "the ");
        wshub_ext_cron__put_number(out, day);
        wshub_ext_cron__put(out, endings[digit > 3 || day / 10 == 1 ? 0 : digit]);
    }
}

/* Are these all values of a field from 0 on in steps? Returns the step, over 1; 0: they are not. */
static uint32_t wshub_ext_cron__step_of(uint64_t bits, uint32_t values) {
    uint64_t want = 0;
    uint32_t step, i;

    if (!(bits & 1) || wshub_ext_cron__is_one(bits)) return 0;
    step = wshub_ext_cron__lowest(bits & (bits - 1));
    for (i = 0; i < values; i += step) want |= (uint64_t)1 << i;
    return step > 1 && values % step == 0 && bits == want ? step : 0;
}

/* `every second`, `every 5 minutes`, or `at minutes 1, 2 and 7`. */
static void wshub_ext_cron__put_unit(wshub_ext_cron__out *out, uint64_t bits, const char *unit) {
    uint32_t step = wshub_ext_cron__step_of(bits, 60);

    if (bits == wshub_ext_cron__full[WSHUB_EXT_CRON_MINUTE] || step) {
        wshub_ext_cron__put(out, "every ");
        if (step) wshub_ext_cron__put_number(out, step);
        if (step) wshub_ext_cron__put(out, " ");
        wshub_ext_cron__put(out, unit);
        if (step) wshub_ext_cron__put(out, "s");
        return;
    }
    wshub_ext_cron__put(out, "at ");
    wshub_ext_cron__put(out, unit);
    wshub_ext_cron__put(out, wshub_ext_cron__is_one(bits) ? " " : "s ");
    wshub_ext_cron__put_list(out, bits, NULL);
}

/* The hours that an interval is kept to. */
static void wshub_ext_cron__put_hours(wshub_ext_cron__out *out, uint32_t hours) {
    uint32_t count = wshub_ext_cron__count(hours), first = wshub_ext_cron__lowest(hours);
    uint32_t last = wshub_ext_cron__highest(hours), i = 0;

    if (last - first + 1 == count) {
        wshub_ext_cron__put(out, " from ");
        wshub_ext_cron__put_time(out, first, 0, 0);
        wshub_ext_cron__put(out, " to ");
        wshub_ext_cron__put_time(out, last, 59, 0);
        return;
    }
    wshub_ext_cron__put(out, " in the hours from ");
    for (; hours; hours &= hours - 1, i++) {
        wshub_ext_cron__put_between(out, i, count);
        wshub_ext_cron__put_time(out, wshub_ext_cron__lowest(hours), 0, 0);
    }
}

/* Every so often, perhaps within some hours. */
static void wshub_ext_cron__put_interval(wshub_ext_cron__out *out, const wshub_ext_cron *cron) {
    bool all_minutes = cron->minutes == wshub_ext_cron__full[WSHUB_EXT_CRON_MINUTE];
    bool all_hours = cron->hours == wshub_ext_cron__full[WSHUB_EXT_CRON_HOUR];

    if (cron->seconds == 1 && cron->minutes == 1 && all_hours) {
        wshub_ext_cron__put(out, "every hour");
        return;
    }
    if (cron->seconds != 1) {
        wshub_ext_cron__put_unit(out, cron->seconds, "second");
        if (!all_minutes)
            wshub_ext_cron__put(out, ", ");
        else if (wshub_ext_cron__is_one(cron->seconds))
            wshub_ext_cron__put(out, " of every minute");
    }
    if (cron->seconds == 1 || !all_minutes) {
        wshub_ext_cron__put_unit(out, cron->minutes, "minute");
        if (all_hours && !all_minutes && !wshub_ext_cron__step_of(cron->minutes, 60))
            wshub_ext_cron__put(out, " of every hour");
    }
    if (!all_hours) wshub_ext_cron__put_hours(out, cron->hours);
}

/* At some times of a day. Returns false: they are too many to be named one by one. */
static bool wshub_ext_cron__put_times(wshub_ext_cron__out *out, const wshub_ext_cron *cron) {
    uint32_t hours = wshub_ext_cron__count(cron->hours), i = 0;
    uint32_t count = hours * wshub_ext_cron__count(cron->minutes);
    uint64_t h, m;

    if (hours == 24 || count > 6 || !wshub_ext_cron__is_one(cron->seconds)) return false;
    wshub_ext_cron__put(out, "at ");
    for (h = cron->hours; h; h &= h - 1) {
        for (m = cron->minutes; m; m &= m - 1, i++) {
            wshub_ext_cron__put_between(out, i, count);
            wshub_ext_cron__put_time(out, wshub_ext_cron__lowest(h), wshub_ext_cron__lowest(m),
                                     wshub_ext_cron__lowest(cron->seconds));
        }
    }
    return true;
}

/* On which days. Returns false: on all. */
static bool wshub_ext_cron__put_on(wshub_ext_cron__out *out, const wshub_ext_cron *cron) {
    bool day = cron->days != wshub_ext_cron__full[WSHUB_EXT_CRON_DAY_OF_MONTH];
    bool weekday = cron->weekdays != wshub_ext_cron__full[WSHUB_EXT_CRON_DAY_OF_WEEK];

    if (!day && !weekday) return false;
    wshub_ext_cron__put(out, " on ");
    if (day) wshub_ext_cron__put_days(out, cron->days);
    if (day && weekday) wshub_ext_cron__put(out, " or on ");
    if (weekday && cron->weekdays == 0x3E)
        wshub_ext_cron__put(out, "weekdays");
    else if (weekday && cron->weekdays == 0x41)
        wshub_ext_cron__put(out, "weekends");
    else if (weekday)
        wshub_ext_cron__put_list(out, cron->weekdays, wshub_ext_cron__weekdays);
    return true;
}

WSHUB_API size_t wshub_ext_cron_describe(const wshub_ext_cron *cron, const char *zone, char *buf,
                                         size_t cap) {
    bool all_months = cron->months == wshub_ext_cron__full[WSHUB_EXT_CRON_MONTH], times;
    wshub_ext_cron__out out;

    out.buf = buf;
    out.cap = buf ? cap : 0;
    out.len = 0;
    if (!wshub_ext_cron__is_sound(cron)) {
        wshub_ext_cron__put(&out, "never");
        return wshub_ext_cron__put_end(&out);
    }
    times = wshub_ext_cron__put_times(&out, cron);
    if (!times) wshub_ext_cron__put_interval(&out, cron);
    if (!wshub_ext_cron__put_on(&out, cron) && times && all_months)
        wshub_ext_cron__put(&out, " every day");
    if (!all_months) {
        wshub_ext_cron__put(&out, " in ");
        wshub_ext_cron__put_list(&out, cron->months, wshub_ext_cron__months);
    }
    if (zone && zone[0]) {
        wshub_ext_cron__put(&out, ", ");
        wshub_ext_cron__put(&out, zone);
    }
    return wshub_ext_cron__put_end(&out);
}

/* ---- jobs ----
 * All jobs of a hub that run lie in one heap, by when they are due on the wall clock, and one timer
 * waits for the first of them; it waits no longer than a minute, as the wall clock may be set
 * (CRON-4). Nothing else is done for a job until it is due. */

enum {
    WSHUB_EXT_CRON__LOOK_MS = 60000, /* between two looks at the wall clock */
    WSHUB_EXT_CRON__SET_BACK_MS = 60000,
    WSHUB_EXT_CRON__SKEW_MS = 60000,
    WSHUB_EXT_CRON__HOLD_MS = 600000,
    WSHUB_EXT_CRON__BLOCK = 64 /* jobs that are allocated together */
};
#define WSHUB_EXT_CRON__ABSENT UINT32_MAX

typedef struct wshub_ext_cron__job {
    wshub_ext_cron cron;
    wshub_ext_cron_outcome (*on_tick)(const wshub_ext_cron_tick *tick, void *user);
    void (*on_done)(const wshub_ext_cron_tick *tick, void *user);
    void (*on_error)(const wshub_ext_cron_tick *tick, void *user);
    void (*on_complete)(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job job, void *user);
    void *user;
    char *cluster;   /* its name there; NULL: none */
    int64_t due_ms;  /* by its expression; of one that runs once: always that instant */
    int64_t at_ms;   /* with jitter */
    int64_t last_ms; /* WSHUB_EXT_CRON_NEVER: it has not run */
    uint64_t order;  /* of those that are due at once the one that was made first comes first */
    uint64_t runs;
    uint32_t runs_max, threshold_ms, jitter_ms;
    uint32_t zone;       /* its place in jobs->zones */
    uint32_t place;      /* in the heap; ABSENT: not there. Of a free one: the next free one */
    uint32_t generation; /* rises when it is freed; odd: in use */
    uint32_t under_way;  /* ticks */
    uint32_t stops;      /* that are told behind the tick which is under way */
    uint32_t left_out, elsewhere, unasked;
    bool running, once, auto_start, run_at_start, wait;
} wshub_ext_cron__job;

/* A zone that jobs share. */
typedef struct wshub_ext_cron__shared {
    wshub_ext_cron_zone *zone;
    char *name;
    uint32_t users; /* jobs; 0: free */
} wshub_ext_cron__shared;

struct wshub_ext_cron_late {
    wshub_ext_cron_tick tick;
    wshub_ext_cron_late *next, **link; /* all that are not done */
    bool failed;
};

/* A tick that waits for the broker's word on whose it is. */
typedef struct wshub_ext_cron__asked {
    wshub_ext_cron_tick tick; /* job {0}: it was stopped, nothing comes of it */
    struct wshub_ext_cron__asked *next, **link;
    int64_t late_ms; /* how far behind its due instant it was asked about */
    uint64_t since;  /* when, by the hub's clock */
} wshub_ext_cron__asked;

struct wshub_ext_cron_jobs {
    wshub_ext_cron_jobs_desc desc; /* with all defaults */
    wshub_ext_cron__job **blocks;
    uint32_t blocks_count, count, first_free; /* count: of jobs */
    uint32_t *heap;
    uint32_t heap_count, heap_cap;
    wshub_ext_cron__shared *zones;
    uint32_t zones_count;
    wshub_ext_cron_late *late;
    wshub_ext_cron__asked *asked;
    uint64_t orders;
    wshub_timer timer;
    uint64_t timer_ms;   /* when it fires, by the hub's clock, which nobody sets */
    bool timed, looking; /* timed: the timer runs; looking: due jobs are being run */
    bool watching;       /* the clocks have been looked at, and it is known when: */
    int64_t seen_wall;
    uint64_t seen_now;
};

static void *wshub_ext_cron__alloc(wshub_ext_cron_jobs *jobs, void *ptr, size_t old_bytes,
                                   size_t new_bytes) {
    return jobs->desc.alloc(jobs->desc.alloc_user, ptr, old_bytes, new_bytes);
}
static int64_t wshub_ext_cron__wall(const wshub_ext_cron_jobs *jobs) {
    return (int64_t)wshub_wall_ms(jobs->desc.hub);
}
static wshub_ext_cron__job *wshub_ext_cron__job_at(const wshub_ext_cron_jobs *jobs,
                                                   uint32_t index) {
    WSHUB_ASSERT(index / WSHUB_EXT_CRON__BLOCK < jobs->blocks_count);
    return &jobs->blocks[index / WSHUB_EXT_CRON__BLOCK][index % WSHUB_EXT_CRON__BLOCK];
}
static wshub_ext_cron_job wshub_ext_cron__handle(const wshub_ext_cron_jobs *jobs, uint32_t index) {
    wshub_ext_cron_job job;
    WSHUB_ASSERT(wshub_ext_cron__job_at(jobs, index)->generation & 1);
    job.id = (uint64_t)wshub_ext_cron__job_at(jobs, index)->generation << 32 | index;
    return job;
}
static wshub_ext_cron__job *wshub_ext_cron__job_get(const wshub_ext_cron_jobs *jobs,
                                                    wshub_ext_cron_job handle) {
    uint32_t index = (uint32_t)handle.id, generation = (uint32_t)(handle.id >> 32);
    wshub_ext_cron__job *job;

    if (index >= jobs->blocks_count * WSHUB_EXT_CRON__BLOCK || !(generation & 1)) return NULL;
    job = wshub_ext_cron__job_at(jobs, index);
    return job->generation == generation ? job : NULL;
}

/* ---- the heap ---- */

static bool wshub_ext_cron__sooner(const wshub_ext_cron_jobs *jobs, uint32_t a, uint32_t b) {
    const wshub_ext_cron__job *first = wshub_ext_cron__job_at(jobs, a);
    const wshub_ext_cron__job *second = wshub_ext_cron__job_at(jobs, b);
    return first->at_ms != second->at_ms ? first->at_ms < second->at_ms
                                         : first->order < second->order;
}
static void wshub_ext_cron__heap_set(wshub_ext_cron_jobs *jobs, uint32_t place, uint32_t index) {
    jobs->heap[place] = index;
    wshub_ext_cron__job_at(jobs, index)->place = place;
}

/* Moves a job to where it belongs, from a place that is free for it. */
static void wshub_ext_cron__sift(wshub_ext_cron_jobs *jobs, uint32_t place, uint32_t index) {
    uint32_t child;

    WSHUB_ASSERT(place < jobs->heap_count);
    while (place && wshub_ext_cron__sooner(jobs, index, jobs->heap[(place - 1) / 2])) {
        wshub_ext_cron__heap_set(jobs, place, jobs->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    while ((child = 2 * place + 1) < jobs->heap_count) {
        if (child + 1 < jobs->heap_count &&
            wshub_ext_cron__sooner(jobs, jobs->heap[child + 1], jobs->heap[child]))
            child++;
        if (!wshub_ext_cron__sooner(jobs, jobs->heap[child], index)) break;
        wshub_ext_cron__heap_set(jobs, place, jobs->heap[child]);
        place = child;
    }
    wshub_ext_cron__heap_set(jobs, place, index);
}

static void wshub_ext_cron__heap_take(wshub_ext_cron_jobs *jobs, wshub_ext_cron__job *job) {
    uint32_t place = job->place, last;

    if (place == WSHUB_EXT_CRON__ABSENT) return;
    WSHUB_ASSERT(place < jobs->heap_count);
    WSHUB_ASSERT(wshub_ext_cron__job_at(jobs, jobs->heap[place]) == job);
    job->place = WSHUB_EXT_CRON__ABSENT;
    last = jobs->heap[--jobs->heap_count];
    if (place < jobs->heap_count) wshub_ext_cron__sift(jobs, place, last);
}

/* Puts a job where its moment belongs; there is room for all jobs. */
static void wshub_ext_cron__heap_put(wshub_ext_cron_jobs *jobs, wshub_ext_cron__job *job,
                                     uint32_t index) {
    uint32_t place = job->place;

    WSHUB_ASSERT(jobs->heap_cap >= jobs->count);
    if (place == WSHUB_EXT_CRON__ABSENT) place = jobs->heap_count++;
    wshub_ext_cron__sift(jobs, place, index);
}

/* ---- what holds between two calls ---- */

#if defined(WSHUB_SELF_CHECK) && !defined(NDEBUG)
enum {
    WSHUB_EXT_CRON__CHECKED = 4 * WSHUB_EXT_CRON__BLOCK
}; /* jobs up to which all is looked at */

/* A job has what its state says. */
static void wshub_ext_cron__job_check(const wshub_ext_cron_jobs *jobs,
                                      const wshub_ext_cron__job *job, uint32_t index) {
    WSHUB_ASSERT(job->zone < jobs->zones_count && jobs->zones[job->zone].users > 0);
    WSHUB_ASSERT(job->at_ms >= job->due_ms || job->place == WSHUB_EXT_CRON__ABSENT);
    if (job->place == WSHUB_EXT_CRON__ABSENT) return;
    WSHUB_ASSERT(job->running && job->place < jobs->heap_count);
    WSHUB_ASSERT(jobs->heap[job->place] == index);
}

/* The first of the heap is due first, and all of it has a place. */
static void wshub_ext_cron__heap_check(const wshub_ext_cron_jobs *jobs) {
    uint32_t i;

    WSHUB_ASSERT(jobs->heap_count <= jobs->count && jobs->count <= jobs->heap_cap);
    for (i = 0; i < jobs->heap_count; i++) {
        const wshub_ext_cron__job *job = wshub_ext_cron__job_at(jobs, jobs->heap[i]);
        WSHUB_ASSERT((job->generation & 1) && job->place == i);
        WSHUB_ASSERT(!i || !wshub_ext_cron__sooner(jobs, jobs->heap[i], jobs->heap[(i - 1) / 2]));
    }
}

/* What is not done, and what is asked about, is linked both ways; of who was stopped nothing is
 * asked. */
static void wshub_ext_cron__lists_check(const wshub_ext_cron_jobs *jobs) {
    wshub_ext_cron__asked *const *question = &jobs->asked;
    wshub_ext_cron_late *const *late = &jobs->late;

    for (; *late; late = &(*late)->next)
        WSHUB_ASSERT((*late)->link == late && (*late)->tick.jobs == jobs);
    for (; *question; question = &(*question)->next) {
        const wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, (*question)->tick.job);
        WSHUB_ASSERT((*question)->link == question && (*question)->tick.jobs == jobs);
        WSHUB_ASSERT(!job || (job->running && job->cluster));
    }
}

/* Places are jobs or free; who uses a zone is counted there. */
static void wshub_ext_cron__check(const wshub_ext_cron_jobs *jobs) {
    uint32_t i, all = jobs->blocks_count * WSHUB_EXT_CRON__BLOCK, count = 0, users = 0, at;

    if (all > WSHUB_EXT_CRON__CHECKED) return;
    for (i = 0; i < all; i++) {
        const wshub_ext_cron__job *job = wshub_ext_cron__job_at(jobs, i);
        if (!(job->generation & 1)) continue;
        wshub_ext_cron__job_check(jobs, job, i);
        count++;
    }
    WSHUB_ASSERT(jobs->count == count);

    for (at = jobs->first_free; at != WSHUB_EXT_CRON__ABSENT; count++) {
        const wshub_ext_cron__job *job = wshub_ext_cron__job_at(jobs, at);
        WSHUB_ASSERT(!(job->generation & 1) && count < all);
        at = job->place;
    }
    WSHUB_ASSERT(count == all);

    for (i = 0; i < jobs->zones_count; i++) users += jobs->zones[i].users;
    WSHUB_ASSERT(users == jobs->count);
    wshub_ext_cron__heap_check(jobs);
    wshub_ext_cron__lists_check(jobs);
}

/* Besides, where no callback is under way: nobody waits for what is over, no timer for nothing. */
static void wshub_ext_cron__check_still(const wshub_ext_cron_jobs *jobs) {
    uint32_t i, all = jobs->blocks_count * WSHUB_EXT_CRON__BLOCK;

    WSHUB_ASSERT(!jobs->looking);
    WSHUB_ASSERT(jobs->heap_count || !jobs->timed);
    if (all > WSHUB_EXT_CRON__CHECKED) return;
    wshub_ext_cron__check(jobs);
    for (i = 0; i < all; i++) {
        const wshub_ext_cron__job *job = wshub_ext_cron__job_at(jobs, i);
        WSHUB_ASSERT(!(job->generation & 1) || !job->stops || job->under_way);
    }
}
#else
static void wshub_ext_cron__check(const wshub_ext_cron_jobs *jobs) {
    (void)jobs;
}
static void wshub_ext_cron__check_still(const wshub_ext_cron_jobs *jobs) {
    (void)jobs;
}
#endif

/* ---- when a job is due ---- */

/* A number that looks like chance and is the same for the same tick. */
static uint64_t wshub_ext_cron__mix(uint64_t n) {
    n += UINT64_C(0x9E3779B97F4A7C15);
    n = (n ^ n >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    n = (n ^ n >> 27) * UINT64_C(0x94D049BB133111EB);
    return n ^ n >> 31;
}

static int64_t wshub_ext_cron__job_next(const wshub_ext_cron_jobs *jobs,
                                        const wshub_ext_cron__job *job, int64_t after) {
    if (job->once) return job->due_ms > after ? job->due_ms : WSHUB_EXT_CRON_NEVER;
    return wshub_ext_cron_next(&job->cron, jobs->zones[job->zone].zone, after);
}

/* Counts a running job's next moment from an instant on. One without a future waits for nothing. */
static void wshub_ext_cron__job_arm(wshub_ext_cron_jobs *jobs, wshub_ext_cron__job *job,
                                    uint32_t index, int64_t after) {
    int64_t due = wshub_ext_cron__job_next(jobs, job, after);

    WSHUB_ASSERT(job->running);
    WSHUB_ASSERT(due > after);
    if (due == WSHUB_EXT_CRON_NEVER) {
        wshub_ext_cron__heap_take(jobs, job);
        return;
    }
    job->due_ms = job->at_ms = due;
    if (job->jitter_ms)
        job->at_ms += (int64_t)(wshub_ext_cron__mix(job->order ^ (uint64_t)due) %
                                ((uint64_t)job->jitter_ms + 1));
    wshub_ext_cron__heap_put(jobs, job, index);
}

static void wshub_ext_cron__look(wshub *hub, void *arg);

/* Sets the timer for the first job, or for the next look at the clock. Without memory for it the
 * timer that runs stays; where none runs the next call tries again. */
static void wshub_ext_cron__wait(wshub_ext_cron_jobs *jobs) {
    int64_t wall, wait;
    uint64_t now = wshub_now_ms(jobs->desc.hub);

    if (jobs->looking) return; /* it is done when all that is due has run */
    if (!jobs->heap_count) {
        if (jobs->timed) (void)wshub_timer_stop(jobs->desc.hub, jobs->timer);
        jobs->timed = jobs->watching = false;
        return;
    }
    wall = wshub_ext_cron__wall(jobs);
    wait = wshub_ext_cron__job_at(jobs, jobs->heap[0])->at_ms - wall;
    if (wait < 0) wait = 0;
    if (wait > WSHUB_EXT_CRON__LOOK_MS) wait = WSHUB_EXT_CRON__LOOK_MS;
    if (jobs->timed && jobs->timer_ms <= now + (uint64_t)wait) return; /* it looks before that */

    if (!jobs->watching) {
        jobs->watching = true;
        jobs->seen_wall = wall;
        jobs->seen_now = now;
    }
    if (jobs->timed) (void)wshub_timer_stop(jobs->desc.hub, jobs->timer);
    jobs->timed = wshub_timer_start(jobs->desc.hub, (uint64_t)wait, wshub_ext_cron__look, jobs,
                                    &jobs->timer) == WSHUB_OK;
    jobs->timer_ms = now + (uint64_t)wait;
}

/* Ends a call that wshub_call_begin() has begun, and passes its result on: the hub may be gone
 * behind it. */
static wshub_err wshub_ext_cron__ended(const wshub_ext_cron_jobs *jobs, wshub_err err) {
    wshub_call_end(jobs->desc.hub);
    return err;
}

/* ---- ticks ---- */

static void wshub_ext_cron__tell_stops(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle) {
    wshub_ext_cron__job *job;

    while ((job = wshub_ext_cron__job_get(jobs, handle)) != NULL && job->stops && !job->under_way) {
        job->stops--;
        if (job->on_complete) job->on_complete(jobs, handle, job->user);
    }
}

/* A tick is over. */
static void wshub_ext_cron__tick_over(const wshub_ext_cron_tick *tick, bool late, bool failed) {
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(tick->jobs, tick->job);

    if (!job || (late && !job->under_way)) return; /* or it was over already */
    WSHUB_ASSERT(job->under_way > 0);
    job->under_way--;
    if (late && job->on_done) job->on_done(tick, job->user);
    job = wshub_ext_cron__job_get(tick->jobs, tick->job);
    if (job && failed && job->on_error) job->on_error(tick, job->user);
    wshub_ext_cron__tell_stops(tick->jobs, tick->job);
}

/* Is a tick under way that others have to wait for? */
static bool wshub_ext_cron__is_busy(const wshub_ext_cron__job *job) {
    return job->wait && job->under_way;
}

/* Runs a tick, unless it would have to wait. */
static void wshub_ext_cron__tick_run(wshub_ext_cron_jobs *jobs, wshub_ext_cron__job *job,
                                     wshub_ext_cron_tick *tick) {
    wshub_ext_cron_outcome outcome = WSHUB_EXT_CRON_OK;

    if (wshub_ext_cron__is_busy(job)) {
        job->left_out++;
        return;
    }
    tick->wall_ms = wshub_ext_cron__wall(jobs);
    if (tick->reason != WSHUB_EXT_CRON_DUE) tick->due_ms = tick->wall_ms;
    if (tick->reason == WSHUB_EXT_CRON_DUE) {
        job->last_ms = tick->wall_ms;
        job->runs++;
    }
    job->under_way++;
    if (job->on_tick) outcome = job->on_tick(tick, job->user);
    if (outcome != WSHUB_EXT_CRON_LATER)
        wshub_ext_cron__tick_over(tick, false, outcome == WSHUB_EXT_CRON_FAILED);
}

static void wshub_ext_cron__tick_begin(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle,
                                       wshub_ext_cron_reason reason, wshub_ext_cron_tick *tick) {
    memset(tick, 0, sizeof *tick);
    tick->hub = jobs->desc.hub;
    tick->jobs = jobs;
    tick->job = handle;
    tick->reason = reason;
    tick->wall_ms = wshub_ext_cron__wall(jobs);
}

static void wshub_ext_cron__tick_now(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle,
                                     wshub_ext_cron_reason reason) {
    wshub_ext_cron_tick tick;
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, handle);

    if (!job) return;
    wshub_ext_cron__tick_begin(jobs, handle, reason, &tick);
    wshub_ext_cron__tick_run(jobs, job, &tick);
}

/* Behind a tick by schedule, wherever it ran: that may have been the last one. */
static void wshub_ext_cron__job_after(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle) {
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, handle);

    if (job && job->running && (job->once || (job->runs_max && job->runs >= job->runs_max)))
        (void)wshub_ext_cron_job_stop(jobs, handle);
}
static bool wshub_ext_cron__is_too_late(const wshub_ext_cron__job *job, int64_t late_ms) {
    return job->threshold_ms && late_ms - job->jitter_ms > job->threshold_ms;
}

/* ---- one in a cluster ----
 * Each instance that comes to a tick sets a key with its name and its instant, where nobody has:
 * whoever does so runs it. The key lives from when it is set, which is not before the tick is due
 * by the clock of whoever sets it; so whoever gets an answer not later than the hold less the skew
 * behind the due instant of its own clock has been answered while the key was there (CRON-6). */

/* Nobody can say whose a tick is: it runs, or does not, as is set. */
static void wshub_ext_cron__unasked(wshub_ext_cron_jobs *jobs, wshub_ext_cron_tick *tick) {
    bool runs = jobs->desc.cluster_alone;
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, tick->job);

    WSHUB_ASSERT(job && job->cluster);
    job->unasked++;
    tick->unasked = true;
    if (jobs->desc.on_unasked) jobs->desc.on_unasked(tick, runs, jobs->desc.user);

    job = wshub_ext_cron__job_get(jobs, tick->job);
    if (job && runs && job->running) wshub_ext_cron__tick_run(jobs, job, tick);
    wshub_ext_cron__job_after(jobs, tick->job);
}

static void wshub_ext_cron__asked_end(wshub_ext_cron_jobs *jobs, wshub_ext_cron__asked *asked) {
    WSHUB_ASSERT(*asked->link == asked);
    *asked->link = asked->next;
    if (asked->next) asked->next->link = asked->link;
    (void)wshub_ext_cron__alloc(jobs, asked, sizeof *asked, 0);
}

/* What became of a question. */
typedef enum wshub_ext_cron__word {
    WSHUB_EXT_CRON__OURS,
    WSHUB_EXT_CRON__OTHERS, /* another instance has taken it */
    WSHUB_EXT_CRON__NO_WORD
} wshub_ext_cron__word;

static wshub_ext_cron__word wshub_ext_cron__word_of(const wshub_bus_reply *reply) {
    if (reply->kind == WSHUB_BUS_REPLY_NULL) return WSHUB_EXT_CRON__OTHERS;
    return reply->kind == WSHUB_BUS_REPLY_TEXT ? WSHUB_EXT_CRON__OURS : WSHUB_EXT_CRON__NO_WORD;
}

static void wshub_ext_cron__decide(wshub_ext_cron__asked *asked, wshub_ext_cron__word word) {
    wshub_ext_cron_tick tick = asked->tick;
    wshub_ext_cron_jobs *jobs = tick.jobs;
    int64_t late = asked->late_ms + (int64_t)(wshub_now_ms(tick.hub) - asked->since);
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, tick.job);

    wshub_ext_cron__asked_end(jobs, asked);
    if (!job) return;
    WSHUB_ASSERT(job->cluster && job->running); /* of one that was stopped nothing is asked */
    if (word == WSHUB_EXT_CRON__OTHERS) {
        job->elsewhere++;
    } else if (wshub_ext_cron__is_too_late(job, late)) {
        job->left_out++;
    } else if (word == WSHUB_EXT_CRON__NO_WORD ||
               late > jobs->desc.cluster_hold_ms - jobs->desc.cluster_skew_ms) {
        wshub_ext_cron__unasked(jobs, &tick);
        return;
    } else {
        wshub_ext_cron__tick_run(jobs, job, &tick);
    }
    wshub_ext_cron__job_after(jobs, tick.job);
}

/* A timer's. */
static void wshub_ext_cron__lost(wshub *hub, void *arg) {
    wshub_ext_cron__asked *asked = (wshub_ext_cron__asked *)arg;
    const wshub_ext_cron_jobs *jobs = asked->tick.jobs;

    (void)hub;
    wshub_ext_cron__decide(asked, WSHUB_EXT_CRON__NO_WORD);
    wshub_ext_cron__check_still(jobs);
}

/* The broker's word. Without one the connection was lost, or the hub is about to end: it is decided
 * in the next turn, if there is one. */
static void wshub_ext_cron__answered(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    wshub_ext_cron__asked *asked = (wshub_ext_cron__asked *)arg;
    const wshub_ext_cron_jobs *jobs = asked->tick.jobs;
    wshub_timer timer;

    if (reply)
        wshub_ext_cron__decide(asked, wshub_ext_cron__word_of(reply));
    else if (wshub_timer_start(hub, 0, wshub_ext_cron__lost, asked, &timer))
        wshub_ext_cron__decide(asked, WSHUB_EXT_CRON__NO_WORD);
    wshub_ext_cron__check_still(jobs);
}

/* Hands the question to the bus. Returns as wshub_bus_request(). */
static wshub_err wshub_ext_cron__put_question(wshub_ext_cron_jobs *jobs, const char *name,
                                              wshub_ext_cron__asked *asked) {
    char key[WSHUB_EXT_CRON_CLUSTER_BYTES_MAX + 40], hold[16];
    wshub_str argv[6];

    (void)snprintf(key, sizeof key, "wshub:cron:%s:%" PRId64, name, asked->tick.due_ms);
    (void)snprintf(hold, sizeof hold, "%u", (unsigned)jobs->desc.cluster_hold_ms);
    argv[0] = wshub_str_z("SET");
    argv[1] = wshub_str_z(key);
    argv[2] = wshub_server_id(jobs->desc.hub);
    argv[3] = wshub_str_z("NX");
    argv[4] = wshub_str_z("PX");
    argv[5] = wshub_str_z(hold);
    return wshub_bus_request(jobs->desc.hub, argv, 6, wshub_ext_cron__answered, asked);
}

/* Asks whose a tick is, of a job that is there. */
static void wshub_ext_cron__ask(wshub_ext_cron_jobs *jobs, const wshub_ext_cron__job *job,
                                wshub_ext_cron_tick *tick) {
    wshub_ext_cron__asked *asked = NULL;
    int64_t late = tick->wall_ms - tick->due_ms;

    WSHUB_ASSERT(job->cluster && job->running);
    if (late <= jobs->desc.cluster_hold_ms - jobs->desc.cluster_skew_ms)
        asked = (wshub_ext_cron__asked *)wshub_ext_cron__alloc(jobs, NULL, 0, sizeof *asked);
    if (!asked) {
        wshub_ext_cron__unasked(jobs, tick);
        return;
    }

    asked->tick = *tick;
    asked->late_ms = late;
    asked->since = wshub_now_ms(jobs->desc.hub);
    asked->next = jobs->asked;
    asked->link = &jobs->asked;
    if (asked->next) asked->next->link = &asked->next;
    jobs->asked = asked;
    if (wshub_ext_cron__put_question(jobs, job->cluster, asked) == WSHUB_OK) return;
    wshub_ext_cron__asked_end(jobs, asked);
    wshub_ext_cron__unasked(jobs, tick);
}

/* Nothing comes of what is being asked about a job: it was stopped. */
static void wshub_ext_cron__ask_no_more(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle) {
    wshub_ext_cron__asked *asked;

    for (asked = jobs->asked; asked; asked = asked->next)
        if (asked->tick.job.id == handle.id) asked->tick.job.id = 0;
}

/* ---- due ---- */

/* How many more instants than the one in *due have come by now; *due becomes the last of them. */
static uint32_t wshub_ext_cron__missed(const wshub_ext_cron_jobs *jobs,
                                       const wshub_ext_cron__job *job, int64_t wall, int64_t *due) {
    uint32_t count = 0;
    int64_t next = wshub_ext_cron__job_next(jobs, job, *due);

    while (next <= wall && count < WSHUB_EXT_CRON_MISSED_MAX) {
        count++;
        *due = next;
        next = wshub_ext_cron__job_next(jobs, job, *due);
    }
    if (next <= wall)
        *due = wshub_ext_cron_previous(&job->cron, jobs->zones[job->zone].zone, wall + 1);
    return count;
}

/* A job's moment has come: it is armed anew, and then runs, so that it may do with itself what it
 * likes. What else has come due meanwhile goes with this tick. */
static void wshub_ext_cron__job_due(wshub_ext_cron_jobs *jobs, uint32_t index, int64_t wall) {
    wshub_ext_cron__job *job = wshub_ext_cron__job_at(jobs, index);
    wshub_ext_cron_tick tick;
    int64_t last = job->due_ms;

    WSHUB_ASSERT(job->running && job->at_ms <= wall);
    wshub_ext_cron__tick_begin(jobs, wshub_ext_cron__handle(jobs, index), WSHUB_EXT_CRON_DUE,
                               &tick);
    tick.missed = wshub_ext_cron__missed(jobs, job, wall, &last);
    tick.due_ms = job->cluster ? last : job->due_ms;
    wshub_ext_cron__job_arm(jobs, job, index, tick.missed ? wall : job->due_ms);
    WSHUB_ASSERT(job->place == WSHUB_EXT_CRON__ABSENT || job->due_ms > tick.due_ms);

    if (wshub_ext_cron__is_too_late(job, wall - tick.due_ms) ||
        (job->cluster && wshub_ext_cron__is_busy(job))) { /* left to another instance */
        job->left_out++;
    } else if (job->cluster) {
        wshub_ext_cron__ask(jobs, job, &tick);
        return;
    } else {
        wshub_ext_cron__tick_run(jobs, job, &tick);
    }
    wshub_ext_cron__job_after(jobs, tick.job);
}

/* Counts what all jobs wait for anew, from an instant on. */
static void wshub_ext_cron__recount(wshub_ext_cron_jobs *jobs, int64_t after) {
    uint32_t index, all = jobs->blocks_count * WSHUB_EXT_CRON__BLOCK;

    for (index = 0; index < all; index++) {
        wshub_ext_cron__job *job = wshub_ext_cron__job_at(jobs, index);
        if ((job->generation & 1) && job->running && !job->once)
            wshub_ext_cron__job_arm(jobs, job, index, after);
    }
}

/* Has the wall clock been set back since the last look, by more than is to be lived with? */
static bool wshub_ext_cron__was_set_back(wshub_ext_cron_jobs *jobs, int64_t wall) {
    uint64_t now = wshub_now_ms(jobs->desc.hub);
    int64_t lost = jobs->seen_wall + (int64_t)(now - jobs->seen_now) - wall;

    jobs->seen_wall = wall;
    jobs->seen_now = now;
    return jobs->desc.set_back_max_ms != WSHUB_OFF && lost > (int64_t)jobs->desc.set_back_max_ms;
}

/* The timer: looks at the wall clock and runs what is due by it. */
static void wshub_ext_cron__look(wshub *hub, void *arg) {
    wshub_ext_cron_jobs *jobs = (wshub_ext_cron_jobs *)arg;
    int64_t wall = wshub_ext_cron__wall(jobs);

    (void)hub;
    WSHUB_ASSERT(jobs->timed && !jobs->looking);
    jobs->timed = false;
    jobs->looking = true;
    if (wshub_ext_cron__was_set_back(jobs, wall)) wshub_ext_cron__recount(jobs, wall);
    while (jobs->heap_count && wshub_ext_cron__job_at(jobs, jobs->heap[0])->at_ms <= wall)
        wshub_ext_cron__job_due(jobs, jobs->heap[0], wall);
    jobs->looking = false;
    wshub_ext_cron__wait(jobs);
    wshub_ext_cron__check_still(jobs);
}

/* ---- completion ---- */

WSHUB_API wshub_ext_cron_late *wshub_ext_cron_later(const wshub_ext_cron_tick *tick) {
    wshub_ext_cron_jobs *jobs = tick->jobs;
    wshub_ext_cron_late *late =
        (wshub_ext_cron_late *)wshub_ext_cron__alloc(jobs, NULL, 0, sizeof *late);

    if (!late) return NULL;
    late->tick = *tick;
    late->failed = false;
    late->next = jobs->late;
    late->link = &jobs->late;
    if (late->next) late->next->link = &late->next;
    jobs->late = late;
    return late;
}

/* On the hub's thread. */
static void wshub_ext_cron__finish(wshub_ext_cron_late *late) {
    wshub_ext_cron_tick tick = late->tick;
    bool failed = late->failed;

    WSHUB_ASSERT(*late->link == late);
    *late->link = late->next;
    if (late->next) late->next->link = late->link;
    (void)wshub_ext_cron__alloc(tick.jobs, late, sizeof *late, 0);
    wshub_ext_cron__tick_over(&tick, true, failed);
}

static void wshub_ext_cron__posted(wshub *hub, void *arg) {
    wshub_ext_cron_late *late = (wshub_ext_cron_late *)arg;
    const wshub_ext_cron_jobs *jobs = late->tick.jobs;

    (void)hub;
    wshub_ext_cron__finish(late);
    wshub_ext_cron__check_still(jobs);
}

WSHUB_API wshub_err wshub_ext_cron_done(wshub_ext_cron_late *late, bool failed) {
    wshub *hub = late->tick.hub;
    wshub_err err;

    late->failed = failed;
    err = wshub_post(hub, wshub_ext_cron__posted, late);
    if (err != WSHUB_ERR_NOWAKE) return err;
    wshub_ext_cron__finish(late); /* nothing can be posted: there is this one thread */
    return WSHUB_OK;
}

/* ---- zones that jobs share ---- */

/* A copy of a text. NULL: no memory. */
static char *wshub_ext_cron__text_copy(wshub_ext_cron_jobs *jobs, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = (char *)wshub_ext_cron__alloc(jobs, NULL, 0, bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}
static void wshub_ext_cron__text_end(wshub_ext_cron_jobs *jobs, char *text) {
    if (text) (void)wshub_ext_cron__alloc(jobs, text, strlen(text) + 1, 0);
}

static wshub_err wshub_ext_cron__zone_open(const wshub_ext_cron_jobs *jobs, const char *name,
                                           wshub_ext_cron_zone **out_zone) {
    wshub_ext_cron_zone_desc desc;

    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.load = jobs->desc.load;
    desc.load_user = jobs->desc.load_user;
    desc.folder = jobs->desc.folder;
    desc.alloc = jobs->desc.alloc;
    desc.alloc_user = jobs->desc.alloc_user;
    return wshub_ext_cron_zone_create(&desc, out_zone);
}

/* A place in the list, which grows by one where none is free. */
static wshub_err wshub_ext_cron__zone_place(wshub_ext_cron_jobs *jobs, uint32_t *out_place) {
    size_t bytes = jobs->zones_count * sizeof *jobs->zones;
    wshub_ext_cron__shared *zones;
    uint32_t i;

    for (i = 0; i < jobs->zones_count && jobs->zones[i].users; i++) {
    }
    if (i == jobs->zones_count) {
        zones = (wshub_ext_cron__shared *)wshub_ext_cron__alloc(jobs, jobs->zones, bytes,
                                                                bytes + sizeof *zones);
        if (!zones) return WSHUB_ERR_NOMEM;
        memset(&zones[i], 0, sizeof zones[i]);
        jobs->zones = zones;
        jobs->zones_count++;
    }
    *out_place = i;
    return WSHUB_OK;
}

/* Takes part in a zone, which is read if nobody has it. */
static wshub_err wshub_ext_cron__zone_join(wshub_ext_cron_jobs *jobs, const char *name,
                                           uint32_t *out_place) {
    wshub_ext_cron_zone *zone = NULL;
    char *copy;
    uint32_t i;
    wshub_err err;

    if (!name) name = "";
    for (i = 0; i < jobs->zones_count; i++) {
        if (!jobs->zones[i].users || strcmp(jobs->zones[i].name, name) != 0) continue;
        jobs->zones[i].users++;
        *out_place = i;
        return WSHUB_OK;
    }

    err = wshub_ext_cron__zone_open(jobs, name, &zone);
    if (err) return err;
    copy = wshub_ext_cron__text_copy(jobs, name);
    if (!copy || wshub_ext_cron__zone_place(jobs, out_place)) {
        wshub_ext_cron__text_end(jobs, copy);
        wshub_ext_cron_zone_destroy(zone);
        return WSHUB_ERR_NOMEM;
    }
    jobs->zones[*out_place].name = copy;
    jobs->zones[*out_place].zone = zone;
    jobs->zones[*out_place].users = 1;
    return WSHUB_OK;
}

static void wshub_ext_cron__zone_leave(wshub_ext_cron_jobs *jobs, uint32_t place) {
    wshub_ext_cron__shared *shared = &jobs->zones[place];

    WSHUB_ASSERT(place < jobs->zones_count && shared->users > 0);
    if (--shared->users) return;
    wshub_ext_cron_zone_destroy(shared->zone);
    wshub_ext_cron__text_end(jobs, shared->name);
}

WSHUB_API wshub_err wshub_ext_cron_jobs_reload(wshub_ext_cron_jobs *jobs) {
    wshub_err first = WSHUB_OK, err;
    uint32_t i;

    wshub_call_begin(jobs->desc.hub);
    for (i = 0; i < jobs->zones_count; i++) {
        wshub_ext_cron_zone *zone = NULL;
        if (!jobs->zones[i].users) continue;
        err = wshub_ext_cron__zone_open(jobs, jobs->zones[i].name, &zone);
        if (!first) first = err;
        if (err) continue;
        wshub_ext_cron_zone_destroy(jobs->zones[i].zone);
        jobs->zones[i].zone = zone;
    }
    wshub_ext_cron__recount(jobs, wshub_ext_cron__wall(jobs));
    wshub_ext_cron__wait(jobs);
    wshub_ext_cron__check(jobs);
    return wshub_ext_cron__ended(jobs, first);
}

/* ---- making jobs ---- */

static uint32_t wshub_ext_cron__skew(const wshub_ext_cron_jobs_desc *desc) {
    return desc->cluster_skew_ms ? desc->cluster_skew_ms : (uint32_t)WSHUB_EXT_CRON__SKEW_MS;
}
static uint32_t wshub_ext_cron__hold(const wshub_ext_cron_jobs_desc *desc) {
    return desc->cluster_hold_ms ? desc->cluster_hold_ms : (uint32_t)WSHUB_EXT_CRON__HOLD_MS;
}

WSHUB_API const char *wshub_ext_cron_jobs_problem_versioned(const wshub_ext_cron_jobs_desc *desc,
                                                            size_t desc_bytes, uint32_t version) {
    if (desc_bytes != sizeof *desc || version != WSHUB_EXT_CRON_JOBS_VERSION)
        return "wshub_ext_cron_jobs_desc: of another wshub_ext_cron.h than the code";
    if (!desc) return "wshub_ext_cron_jobs_desc: required";
    if (!desc->hub) return "hub: required, from wshub_create()";
    if (desc->folder && !desc->folder[0]) return "folder: must be the path of a folder, or NULL";
    if (wshub_ext_cron__hold(desc) <= wshub_ext_cron__skew(desc))
        return "cluster_hold_ms: must be more than cluster_skew_ms, or a clock that is behind "
               "finds "
               "a tick free that has run";
    return NULL;
}

WSHUB_API size_t wshub_ext_cron_jobs_explain_versioned(const wshub_ext_cron_jobs_desc *desc,
                                                       size_t desc_bytes, uint32_t version,
                                                       wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_ext_cron_jobs_desc, hub, POINTER, NULL),
        WSHUB_FIELD(wshub_ext_cron_jobs_desc, folder, TEXT, NULL),
        WSHUB_FIELD(wshub_ext_cron_jobs_desc, cluster_hold_ms, UINT, "cluster_skew_ms"),
        WSHUB_FIELD(wshub_ext_cron_jobs_desc, cluster_skew_ms, UINT, NULL),
    };
    const char *problem = wshub_ext_cron_jobs_problem_versioned(desc, desc_bytes, version);
    wshub_ext_cron_jobs_desc filled;

    if (!desc || desc_bytes != sizeof *desc || version != WSHUB_EXT_CRON_JOBS_VERSION)
        return wshub_explain(problem, NULL, NULL, 0, buf, cap);
    filled = *desc;
    filled.cluster_skew_ms = wshub_ext_cron__skew(desc);
    filled.cluster_hold_ms = wshub_ext_cron__hold(desc);
    if (!problem && err == WSHUB_ERR_PARAM) problem = "out_jobs: required, and NULL";
    if (!problem && err) problem = wshub_strerror(err);
    return wshub_explain(problem, &filled, fields, sizeof fields / sizeof fields[0], buf, cap);
}

/* Says in the log of the hub, if there is one, why the place for its jobs was not made. Returns
 * err. */
static wshub_err wshub_ext_cron__jobs_refused(const wshub_ext_cron_jobs_desc *desc, wshub_err err) {
    char why[WSHUB_EXPLAIN_BYTES];

    if (!desc->hub) return err;
    (void)wshub_ext_cron_jobs_explain(desc, err, why, sizeof why);
    wshub_creation_failed(desc->hub, "wshub_ext_cron_jobs_create()", why);
    return err;
}

WSHUB_API wshub_err wshub_ext_cron_jobs_create_versioned(const wshub_ext_cron_jobs_desc *desc,
                                                         size_t desc_bytes, uint32_t version,
                                                         wshub_ext_cron_jobs **out_jobs) {
    wshub_alloc_fn alloc;
    wshub_ext_cron_jobs *jobs;

    if (!desc || desc_bytes != sizeof *desc || version != WSHUB_EXT_CRON_JOBS_VERSION)
        return WSHUB_ERR_PARAM;
    if (!out_jobs || wshub_ext_cron_jobs_problem(desc))
        return wshub_ext_cron__jobs_refused(desc, WSHUB_ERR_PARAM);
    *out_jobs = NULL;
    alloc = desc->alloc ? desc->alloc : wshub_ext_cron__realloc;
    jobs = (wshub_ext_cron_jobs *)alloc(desc->alloc_user, NULL, 0, sizeof *jobs);
    if (!jobs) return wshub_ext_cron__jobs_refused(desc, WSHUB_ERR_NOMEM);

    memset(jobs, 0, sizeof *jobs);
    jobs->desc = *desc;
    jobs->desc.alloc = alloc;
    if (!desc->set_back_max_ms) jobs->desc.set_back_max_ms = WSHUB_EXT_CRON__SET_BACK_MS;
    jobs->desc.cluster_skew_ms = wshub_ext_cron__skew(desc);
    jobs->desc.cluster_hold_ms = wshub_ext_cron__hold(desc);
    jobs->first_free = WSHUB_EXT_CRON__ABSENT;
    *out_jobs = jobs;
    return WSHUB_OK;
}

WSHUB_API void wshub_ext_cron_jobs_destroy(wshub_ext_cron_jobs *jobs) {
    uint32_t i;

    if (!jobs) return;
    for (i = 0; i < jobs->zones_count; i++) {
        if (!jobs->zones[i].users) continue;
        jobs->zones[i].users = 1;
        wshub_ext_cron__zone_leave(jobs, i);
    }
    while (jobs->late) {
        wshub_ext_cron_late *late = jobs->late;
        jobs->late = late->next;
        (void)wshub_ext_cron__alloc(jobs, late, sizeof *late, 0);
    }
    while (jobs->asked) wshub_ext_cron__asked_end(jobs, jobs->asked);
    for (i = 0; i < jobs->blocks_count * WSHUB_EXT_CRON__BLOCK; i++)
        wshub_ext_cron__text_end(jobs, wshub_ext_cron__job_at(jobs, i)->cluster);
    for (i = 0; i < jobs->blocks_count; i++)
        (void)wshub_ext_cron__alloc(jobs, jobs->blocks[i],
                                    WSHUB_EXT_CRON__BLOCK * sizeof **jobs->blocks, 0);
    if (jobs->blocks)
        (void)wshub_ext_cron__alloc(jobs, jobs->blocks, jobs->blocks_count * sizeof *jobs->blocks,
                                    0);
    if (jobs->heap)
        (void)wshub_ext_cron__alloc(jobs, jobs->heap, jobs->heap_cap * sizeof *jobs->heap, 0);
    if (jobs->zones)
        (void)wshub_ext_cron__alloc(jobs, jobs->zones, jobs->zones_count * sizeof *jobs->zones, 0);
    (void)jobs->desc.alloc(jobs->desc.alloc_user, jobs, sizeof *jobs, 0);
}

WSHUB_API size_t wshub_ext_cron_jobs_count(const wshub_ext_cron_jobs *jobs) {
    return jobs->count;
}

/* Adds a block of free jobs. */
static wshub_err wshub_ext_cron__block_add(wshub_ext_cron_jobs *jobs) {
    size_t bytes = jobs->blocks_count * sizeof *jobs->blocks, i;
    wshub_ext_cron__job **blocks, *block;

    block = (wshub_ext_cron__job *)wshub_ext_cron__alloc(jobs, NULL, 0,
                                                         WSHUB_EXT_CRON__BLOCK * sizeof *block);
    if (!block) return WSHUB_ERR_NOMEM;
    blocks = (wshub_ext_cron__job **)wshub_ext_cron__alloc(jobs, jobs->blocks, bytes,
                                                           bytes + sizeof *blocks);
    if (!blocks) {
        (void)wshub_ext_cron__alloc(jobs, block, WSHUB_EXT_CRON__BLOCK * sizeof *block, 0);
        return WSHUB_ERR_NOMEM;
    }

    memset(block, 0, WSHUB_EXT_CRON__BLOCK * sizeof *block);
    for (i = WSHUB_EXT_CRON__BLOCK; i-- > 0;) {
        block[i].place = jobs->first_free;
        jobs->first_free = jobs->blocks_count * WSHUB_EXT_CRON__BLOCK + (uint32_t)i;
    }
    blocks[jobs->blocks_count++] = block;
    jobs->blocks = blocks;
    return WSHUB_OK;
}

/* Takes a free job, and sees to it that the heap has room for all. */
static wshub_err wshub_ext_cron__job_take(wshub_ext_cron_jobs *jobs, uint32_t *out_index) {
    uint32_t cap = jobs->heap_cap + jobs->heap_cap / 2 + 16, *heap;
    wshub_ext_cron__job *job;
    wshub_err err;

    if (jobs->heap_cap == jobs->count) {
        heap = (uint32_t *)wshub_ext_cron__alloc(jobs, jobs->heap, jobs->heap_cap * sizeof *heap,
                                                 cap * sizeof *heap);
        if (!heap) return WSHUB_ERR_NOMEM;
        jobs->heap = heap;
        jobs->heap_cap = cap;
    }
    if (jobs->first_free == WSHUB_EXT_CRON__ABSENT) {
        err = wshub_ext_cron__block_add(jobs);
        if (err) return err;
    }

    *out_index = jobs->first_free;
    job = wshub_ext_cron__job_at(jobs, *out_index);
    WSHUB_ASSERT(!(job->generation & 1));
    jobs->first_free = job->place;
    jobs->count++;
    job->generation++;
    job->place = WSHUB_EXT_CRON__ABSENT;
    job->order = jobs->orders++;
    job->last_ms = WSHUB_EXT_CRON_NEVER;
    return WSHUB_OK;
}

static void wshub_ext_cron__job_fill(wshub_ext_cron__job *job,
                                     const wshub_ext_cron_job_desc *desc) {
    job->on_tick = desc->on_tick;
    job->on_done = desc->on_done;
    job->on_error = desc->on_error;
    job->on_complete = desc->on_complete;
    job->user = desc->user;
    job->runs_max = desc->runs_max;
    job->threshold_ms = desc->threshold_ms;
    job->jitter_ms = desc->jitter_ms;
    job->once = !desc->expr;
    job->due_ms = desc->once_ms;
    job->auto_start = desc->auto_start;
    job->run_at_start = desc->run_at_start;
    job->wait = desc->wait_for_completion;
}

static wshub_err wshub_ext_cron__zone_error(wshub_err err, wshub_ext_cron_error *error) {
    wshub_ext_cron__at(error, WSHUB_EXT_CRON_NONE, 0, 0);
    (void)wshub_ext_cron__fail(
        error, err == WSHUB_ERR_NOMEM ? "Out of memory." : "Invalid timezone.", "", "");
    return err == WSHUB_ERR_NOMEM ? err : WSHUB_ERR_PARAM;
}

/* What is wrong with a description but for its zone and its expression. */
static const char *wshub_ext_cron__job_odd(const wshub_ext_cron_job_desc *desc, size_t desc_bytes,
                                           uint32_t version) {
    size_t name;

    if (desc_bytes != sizeof *desc || version != WSHUB_EXT_CRON_JOB_VERSION)
        return "wshub_ext_cron_job_desc: of another wshub_ext_cron.h than the code";
    if (!desc) return "wshub_ext_cron_job_desc: required";
    if (!desc->expr && !desc->once_ms) return "expr: required, as in \"30 9 * * 1-5\", or once_ms";
    if (desc->expr && desc->once_ms) return "once_ms: means something only without expr";
    name = desc->cluster ? strlen(desc->cluster) : 1;
    if (name < 1 || name > WSHUB_EXT_CRON_CLUSTER_BYTES_MAX)
        return "cluster: must be a name of 1 to 200 bytes, or NULL";
    return NULL;
}

WSHUB_API const char *wshub_ext_cron_job_problem_versioned(const wshub_ext_cron_job_desc *desc,
                                                           size_t desc_bytes, uint32_t version) {
    const char *odd = wshub_ext_cron__job_odd(desc, desc_bytes, version);
    wshub_ext_cron_zone_desc zone;
    wshub_ext_cron cron;

    if (odd) return odd;
    memset(&zone, 0, sizeof zone);
    zone.name = desc->zone;
    if (wshub_ext_cron_zone_problem(&zone))
        return "zone: must be the name of a zone, as in \"Europe/Berlin\", or a POSIX rule";
    if (desc->expr && wshub_ext_cron_parse(wshub_str_z(desc->expr), &cron, NULL))
        return "expr: must be an expression, as in \"30 9 * * 1-5\"; wshub_ext_cron_parse() and "
               "wshub_ext_cron_job_explain() say what is wrong where";
    return NULL;
}

/* What is wrong with an expression, in the parser's words and, where these are about a piece of a
 * word, with what was meant. */
static void wshub_ext_cron__expr_why(const char *expr, char *text, size_t cap) {
    wshub_ext_cron_error error;
    wshub_ext_cron cron;
    int n;

    (void)wshub_ext_cron_parse(wshub_str_z(expr), &cron, &error);
    n = snprintf(text, cap, "expr: %s", error.text);
    WSHUB_ASSERT(n > 0 && (size_t)n < cap);
    if (expr[0] == '@')
        (void)snprintf(text + n, cap - (size_t)n,
                       "; with @ it must be one of @yearly, @monthly, @weekly, @daily, @hourly, "
                       "@minutely, @secondly, @weekdays, @weekends");
}

/* Why a zone whose name is right could not be had.
 *   folder  of wshub_ext_cron_jobs_desc
 *   zone    what looking for it returned; PARAM: that is not known */
static void wshub_ext_cron__zone_why(const char *folder, wshub_err zone, char *text, size_t cap) {
    const char *where = folder ? folder : getenv("TZDIR");

    if (zone == WSHUB_ERR_PROTO) {
        (void)snprintf(text, cap, "zone: what was found is no zone file (RFC 9636), or not whole");
        return;
    }
    (void)snprintf(text, cap, "zone: no such zone (looked in %.200s%s)%s",
                   where && *where ? where : "/usr/share/zoneinfo",
                   zone == WSHUB_ERR_PARAM ? ", or in wshub_ext_cron_jobs_desc.folder" : "",
                   zone == WSHUB_ERR_PARAM ? ", or its file is not whole" : "");
}

/* As wshub_ext_cron_job_explain_versioned(); folder, zone: as above. */
static size_t wshub_ext_cron__job_why(const wshub_ext_cron_job_desc *desc, size_t desc_bytes,
                                      uint32_t version, wshub_err err, const char *folder,
                                      wshub_err zone, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_ext_cron_job_desc, expr, TEXT, NULL),
        WSHUB_FIELD(wshub_ext_cron_job_desc, zone, TEXT, NULL),
        WSHUB_FIELD(wshub_ext_cron_job_desc, cluster, TEXT, NULL),
    };
    const char *problem = wshub_ext_cron_job_problem_versioned(desc, desc_bytes, version);
    char text[WSHUB_EXPLAIN_BYTES];

    if (!desc || desc_bytes != sizeof *desc || version != WSHUB_EXT_CRON_JOB_VERSION)
        return wshub_explain(problem, NULL, NULL, 0, buf, cap);
    if (problem && desc->expr && strncmp(problem, "expr: must be", 13) == 0) {
        wshub_ext_cron__expr_why(desc->expr, text, sizeof text);
        problem = text;
    }
    if (!problem && err == WSHUB_ERR_PARAM) {
        wshub_ext_cron__zone_why(folder, zone, text, sizeof text);
        problem = text;
    }
    if (!problem && err) problem = wshub_strerror(err);
    return wshub_explain(problem, desc, fields, sizeof fields / sizeof fields[0], buf, cap);
}

WSHUB_API size_t wshub_ext_cron_job_explain_versioned(const wshub_ext_cron_job_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      wshub_err err, char *buf, size_t cap) {
    return wshub_ext_cron__job_why(desc, desc_bytes, version, err, NULL, WSHUB_ERR_PARAM, buf, cap);
}

/* Takes a free job for what was described, with its expression and its name; its zone is there. */
static wshub_err wshub_ext_cron__job_make(wshub_ext_cron_jobs *jobs,
                                          const wshub_ext_cron_job_desc *desc, uint32_t zone,
                                          uint32_t *out_index, wshub_ext_cron_error *out_error) {
    char *cluster = NULL;
    wshub_ext_cron cron;
    wshub_ext_cron__job *job;
    wshub_err err = WSHUB_OK;

    memset(&cron, 0, sizeof cron);
    if (desc->expr) err = wshub_ext_cron_parse(wshub_str_z(desc->expr), &cron, out_error);
    if (err) return err;
    if (desc->cluster) {
        cluster = wshub_ext_cron__text_copy(jobs, desc->cluster);
        if (!cluster) return WSHUB_ERR_NOMEM;
    }
    err = wshub_ext_cron__job_take(jobs, out_index);
    if (err) {
        wshub_ext_cron__text_end(jobs, cluster);
        return err;
    }

    job = wshub_ext_cron__job_at(jobs, *out_index);
    wshub_ext_cron__job_fill(job, desc);
    job->cron = cron;
    job->zone = zone;
    job->cluster = cluster;
    return WSHUB_OK;
}

/* An expression that is right may name a day that there never is. */
static void wshub_ext_cron__job_doubt(wshub_ext_cron_jobs *jobs,
                                      const wshub_ext_cron_job_desc *desc, uint32_t index) {
    const wshub_ext_cron__job *job = wshub_ext_cron__job_at(jobs, index);
    char why[WSHUB_EXPLAIN_BYTES];
    static const wshub_field field = WSHUB_FIELD(wshub_ext_cron_job_desc, expr, TEXT, NULL);

    if (job->once ||
        wshub_ext_cron__job_next(jobs, job, wshub_ext_cron__wall(jobs)) != WSHUB_EXT_CRON_NEVER)
        return;
    (void)wshub_explain("expr: it is never due, within nine years; there is no such day", desc,
                        &field, 1, why, sizeof why);
    wshub_creation_doubted(jobs->desc.hub, "wshub_ext_cron_job_create()", why);
}

/* Makes a job of a description that is right but for its zone and its expression.
 *   out_zone  what looking for the zone returned */
static wshub_err wshub_ext_cron__job_new(wshub_ext_cron_jobs *jobs,
                                         const wshub_ext_cron_job_desc *desc, wshub_err *out_zone,
                                         wshub_ext_cron_job *out_job,
                                         wshub_ext_cron_error *out_error) {
    wshub_ext_cron_job handle;
    uint32_t zone, index;
    wshub_err err;

    *out_zone = wshub_ext_cron__zone_join(jobs, desc->zone, &zone);
    if (*out_zone) return wshub_ext_cron__zone_error(*out_zone, out_error);
    err = wshub_ext_cron__job_make(jobs, desc, zone, &index, out_error);
    if (err) {
        wshub_ext_cron__zone_leave(jobs, zone);
        return err;
    }

    wshub_ext_cron__job_doubt(jobs, desc, index);
    handle = wshub_ext_cron__handle(jobs, index);
    if (out_job) *out_job = handle;
    wshub_ext_cron__check(jobs);
    if (desc->auto_start) (void)wshub_ext_cron_job_start(jobs, handle);
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ext_cron_job_create_versioned(wshub_ext_cron_jobs *jobs,
                                                        const wshub_ext_cron_job_desc *desc,
                                                        size_t desc_bytes, uint32_t version,
                                                        wshub_ext_cron_job *out_job,
                                                        wshub_ext_cron_error *out_error) {
    const char *odd = wshub_ext_cron__job_odd(desc, desc_bytes, version);
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_err zone = WSHUB_OK, err;

    wshub_call_begin(jobs->desc.hub);
    wshub_ext_cron__at(out_error, WSHUB_EXT_CRON_NONE, 0, 0);
    err = odd ? wshub_ext_cron__fail(out_error, odd, "", "")
              : wshub_ext_cron__job_new(jobs, desc, &zone, out_job, out_error);
    if (err && !out_error) { /* nobody has asked for the reason */
        (void)wshub_ext_cron__job_why(desc, desc_bytes, version, err, jobs->desc.folder, zone, why,
                                      sizeof why);
        wshub_creation_failed(jobs->desc.hub, "wshub_ext_cron_job_create()", why);
    }
    return wshub_ext_cron__ended(jobs, err);
}

WSHUB_API wshub_err wshub_ext_cron_job_duplicate(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job from,
                                                 const char *expr, wshub_ext_cron_job *out_job,
                                                 wshub_ext_cron_error *out_error) {
    const wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, from);
    wshub_ext_cron_job_desc desc;

    if (!job) return WSHUB_ERR_STALE;
    if (!expr) expr = "";
    memset(&desc, 0, sizeof desc);
    desc.expr = expr;
    desc.zone = jobs->zones[job->zone].name;
    desc.cluster = job->cluster;
    desc.auto_start = job->auto_start;
    desc.run_at_start = job->run_at_start;
    desc.wait_for_completion = job->wait;
    desc.threshold_ms = job->threshold_ms;
    desc.jitter_ms = job->jitter_ms;
    desc.runs_max = job->runs_max;
    desc.on_tick = job->on_tick;
    desc.on_done = job->on_done;
    desc.on_error = job->on_error;
    desc.on_complete = job->on_complete;
    desc.user = job->user;
    return wshub_ext_cron_job_create(jobs, &desc, out_job, out_error);
}

WSHUB_API wshub_err wshub_ext_cron_job_destroy(wshub_ext_cron_jobs *jobs,
                                               wshub_ext_cron_job handle) {
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, handle);
    uint32_t generation;

    if (!job) return WSHUB_ERR_STALE;
    WSHUB_ASSERT(jobs->count > 0);
    wshub_call_begin(jobs->desc.hub);
    wshub_ext_cron__heap_take(jobs, job);
    wshub_ext_cron__zone_leave(jobs, job->zone);
    wshub_ext_cron__text_end(jobs, job->cluster);
    generation = job->generation + 1;
    memset(job, 0, sizeof *job);
    job->generation = generation;
    job->place = jobs->first_free;
    jobs->first_free = (uint32_t)handle.id;
    jobs->count--;
    wshub_ext_cron__wait(jobs);
    wshub_ext_cron__check(jobs);
    return wshub_ext_cron__ended(jobs, WSHUB_OK);
}

/* ---- what is done with jobs ---- */

WSHUB_API wshub_err wshub_ext_cron_job_start(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle) {
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, handle);

    if (!job) return WSHUB_ERR_STALE;
    if (job->running) return WSHUB_OK;
    wshub_call_begin(jobs->desc.hub);
    job->running = true;
    wshub_ext_cron__job_arm(jobs, job, (uint32_t)handle.id, wshub_ext_cron__wall(jobs));
    wshub_ext_cron__wait(jobs);
    wshub_ext_cron__check(jobs);
    if (job->run_at_start) wshub_ext_cron__tick_now(jobs, handle, WSHUB_EXT_CRON_STARTED);
    return wshub_ext_cron__ended(jobs, WSHUB_OK);
}

WSHUB_API wshub_err wshub_ext_cron_job_stop(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle) {
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, handle);

    if (!job) return WSHUB_ERR_STALE;
    wshub_call_begin(jobs->desc.hub);
    job->running = false;
    wshub_ext_cron__heap_take(jobs, job);
    wshub_ext_cron__ask_no_more(jobs, handle);
    wshub_ext_cron__wait(jobs);
    wshub_ext_cron__check(jobs);
    if (wshub_ext_cron__is_busy(job))
        job->stops++; /* told behind the tick that is under way */
    else if (job->on_complete)
        job->on_complete(jobs, handle, job->user);
    return wshub_ext_cron__ended(jobs, WSHUB_OK);
}

WSHUB_API wshub_err wshub_ext_cron_job_fire(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle) {
    if (!wshub_ext_cron__job_get(jobs, handle)) return WSHUB_ERR_STALE;
    wshub_call_begin(jobs->desc.hub);
    wshub_ext_cron__tick_now(jobs, handle, WSHUB_EXT_CRON_FIRED);
    return wshub_ext_cron__ended(jobs, WSHUB_OK);
}

WSHUB_API wshub_err wshub_ext_cron_job_modify(wshub_ext_cron_jobs *jobs, wshub_ext_cron_job handle,
                                              const char *expr, bool fire,
                                              wshub_ext_cron_error *out_error) {
    wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, handle);
    wshub_err err;

    if (!job) return WSHUB_ERR_STALE;
    err = wshub_ext_cron_parse(wshub_str_z(expr ? expr : ""), &job->cron, out_error);
    if (err) return err;
    wshub_call_begin(jobs->desc.hub);
    job->once = false;
    if (job->running)
        wshub_ext_cron__job_arm(jobs, job, (uint32_t)handle.id, wshub_ext_cron__wall(jobs));
    wshub_ext_cron__wait(jobs);
    wshub_ext_cron__check(jobs);
    if (fire) wshub_ext_cron__tick_now(jobs, handle, WSHUB_EXT_CRON_FIRED);
    return wshub_ext_cron__ended(jobs, WSHUB_OK);
}

WSHUB_API wshub_err wshub_ext_cron_job_get(const wshub_ext_cron_jobs *jobs,
                                           wshub_ext_cron_job handle,
                                           wshub_ext_cron_info *out_info) {
    const wshub_ext_cron__job *job = wshub_ext_cron__job_get(jobs, handle);

    if (!job) return WSHUB_ERR_STALE;
    memset(out_info, 0, sizeof *out_info);
    out_info->cron = job->cron;
    out_info->running = job->running;
    out_info->last_ms = job->last_ms;
    out_info->runs = job->runs;
    out_info->under_way = job->under_way;
    out_info->left_out = job->left_out;
    out_info->elsewhere = job->elsewhere;
    out_info->unasked = job->unasked;
    if (!job->running)
        out_info->next_ms = wshub_ext_cron__job_next(jobs, job, wshub_ext_cron__wall(jobs));
    else
        out_info->next_ms =
            job->place == WSHUB_EXT_CRON__ABSENT ? WSHUB_EXT_CRON_NEVER : job->due_ms;
    return WSHUB_OK;
}

#ifdef __cplusplus
}
#endif
#endif
