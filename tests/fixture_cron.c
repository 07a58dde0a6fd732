/* Cron asked line by line in JSON: without options instants and canonical expressions, with
 * `--virtual WALL` jobs of a hub on a clock that only commands turn. Each line is answered by one,
 * behind those of what happened because of it. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_fake.h"
#include "wshub_ext_cron.h"
#include "fixture_text.h"
#include <inttypes.h>

static const char bad_request[] = "{\"error\":\"bad request\"}";

static void put_int(text *t, int64_t n) {
    char digits[24];
    text_add(t, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, n));
}
static void put_instant(text *t, int64_t ms) {
    if (ms == WSHUB_EXT_CRON_NEVER)
        text_z(t, "null");
    else
        put_int(t, ms);
}
static void put_error(text *t, const char *what) {
    text_put(t, "{\"error\":%q}", wshub_str_z(what));
}

/* A key may be missing; one of another type is a bad request. */
static bool is_string_or_absent(wshub_str line, const char *key) {
    wshub_str raw = wshub_json_get(line, key);
    return !raw.ptr || wshub_json_type(raw) == WSHUB_JSON_STRING;
}
static bool is_bool_or_absent(wshub_str line, const char *key, bool *out) {
    wshub_str raw = wshub_json_get(line, key);
    *out = false;
    return !raw.ptr || wshub_json_bool(raw, out);
}
/* A string under a key as a terminated text, to be freed; a NUL in it becomes a character that is
 * wrong wherever it stands. */
static char *string_of(wshub_str line, const char *key) {
    wshub_str s = fixture_string(line, key);
    char *z = (char *)malloc(s.len + 1);
    size_t i;
    if (!z) abort();
    for (i = 0; i < s.len; i++) z[i] = s.ptr[i] ? s.ptr[i] : '?';
    z[s.len] = 0;
    free((void *)(uintptr_t)s.ptr);
    return z;
}

/* A zone as it is asked for here: without a comma it is the name of a file, also where the library
 * would take it for a rule. */
static bool is_zone(const char *tz) {
    return tz[0] != '<' || strchr(tz, ',');
}

/* ---- instants and expressions ---- */

static void answer_parse(wshub_str line, text *out) {
    wshub_str expr = fixture_string(line, "parse");
    char field[WSHUB_EXT_CRON_TEXT_BYTES];
    wshub_ext_cron_error error;
    wshub_ext_cron cron;
    int i;
    if (wshub_ext_cron_parse(expr, &cron, &error)) {
        put_error(out, error.text);
    } else {
        text_z(out, "{\"fields\":[");
        for (i = WSHUB_EXT_CRON_SECOND; i <= WSHUB_EXT_CRON_DAY_OF_WEEK; i++) {
            (void)wshub_ext_cron_write_field(&cron, (wshub_ext_cron_field)i, field, sizeof field);
            text_put(out, i == WSHUB_EXT_CRON_SECOND ? "%q" : ",%q", wshub_str_z(field));
        }
        text_z(out, "]}");
    }
    free((void *)(uintptr_t)expr.ptr);
}

static void put_next(text *out, const wshub_ext_cron *cron, const wshub_ext_cron_zone *zone,
                     int64_t after, int64_t count) {
    bool any = false;
    text_z(out, "{\"next\":[");
    while (count-- > 0) {
        after = wshub_ext_cron_next(cron, zone, after);
        if (after == WSHUB_EXT_CRON_NEVER) break;
        if (any) text_z(out, ",");
        put_int(out, after);
        any = true;
    }
    text_z(out, "]}");
}

static void answer_next(wshub_str line, text *out) {
    int64_t after, count;
    wshub_str expr;
    char *tz;
    wshub_ext_cron_zone_desc desc;
    wshub_ext_cron_zone *zone = NULL;
    wshub_ext_cron_error error;
    wshub_ext_cron cron;

    if (wshub_json_type(wshub_json_get(line, "expr")) != WSHUB_JSON_STRING ||
        !is_string_or_absent(line, "tz") ||
        wshub_json_int(wshub_json_get(line, "after"), INT64_MIN, INT64_MAX, &after) ||
        wshub_json_int(wshub_json_get(line, "count"), 1, 1000, &count)) {
        text_z(out, bad_request);
        return;
    }
    expr = fixture_string(line, "expr");
    tz = string_of(line, "tz");
    memset(&desc, 0, sizeof desc);
    desc.name = tz;
    if (!is_zone(tz) || wshub_ext_cron_zone_create(&desc, &zone))
        put_error(out, "Invalid timezone.");
    else if (wshub_ext_cron_parse(expr, &cron, &error))
        put_error(out, error.text);
    else
        put_next(out, &cron, zone, after, count);
    wshub_ext_cron_zone_destroy(zone);
    free(tz);
    free((void *)(uintptr_t)expr.ptr);
}

static void answer_instants(wshub_str line, text *out) {
    if (wshub_json_type(line) != WSHUB_JSON_OBJECT)
        text_z(out, bad_request);
    else if (wshub_json_type(wshub_json_get(line, "parse")) == WSHUB_JSON_STRING)
        answer_parse(line, out);
    else
        answer_next(line, out);
}

/* ---- jobs ---- */

typedef enum manner { OK, FAIL, LATE, LATE_FAIL, STOP, FREE, MODIFY } manner;

typedef struct subject {
    struct subject *next;
    wshub_ext_cron_job job;
    char *id; /* as it was written, quotes included */
    manner manner;
    uint64_t late_ms;
    char *expr; /* of modify */
} subject;

static wshub_io_fake *net;
static wshub *hub;
static wshub_ext_cron_jobs *jobs;
static subject *subjects;
static text said; /* events, then the answer */

static subject *subject_of(wshub_ext_cron_job job) {
    subject *s;
    for (s = subjects; s && s->job.id != job.id; s = s->next) {
    }
    return s;
}
static subject *subject_named(wshub_str id) {
    subject *s;
    for (s = subjects; s && !wshub_str_eq_z(id, s->id); s = s->next) {
    }
    return s;
}
static void forget(subject *s) {
    subject **p;
    for (p = &subjects; *p != s; p = &(*p)->next) {
    }
    *p = s->next;
    free(s->id);
    free(s->expr);
    free(s);
}

static void put_clocks(void) {
    text_z(&said, "\"wall\":");
    put_int(&said, (int64_t)wshub_wall_ms(hub));
    text_z(&said, ",\"now\":");
    put_int(&said, (int64_t)wshub_io_fake_now(net));
}
static void event(const char *what, wshub_ext_cron_job job) {
    const subject *s = subject_of(job);
    if (!s) return;
    text_put(&said, "{\"ev\":%q,\"id\":%s,", wshub_str_z(what), wshub_str_z(s->id));
    put_clocks();
    text_z(&said, "}\n");
}

static void late_ok(wshub *of, void *late) {
    (void)of;
    (void)wshub_ext_cron_done((wshub_ext_cron_late *)late, false);
}
static void late_failed(wshub *of, void *late) {
    (void)of;
    (void)wshub_ext_cron_done((wshub_ext_cron_late *)late, true);
}
static wshub_ext_cron_outcome be_late(const subject *s, const wshub_ext_cron_tick *tick) {
    wshub_ext_cron_late *late = wshub_ext_cron_later(tick);
    if (!late ||
        wshub_timer_start(hub, s->late_ms, s->manner == LATE ? late_ok : late_failed, late, NULL))
        abort();
    return WSHUB_EXT_CRON_LATER;
}

static wshub_ext_cron_outcome on_tick(const wshub_ext_cron_tick *tick, void *user) {
    subject *s = subject_of(tick->job);
    (void)user;
    event("tick", tick->job);
    if (!s) return WSHUB_EXT_CRON_OK;
    switch (s->manner) {
    case OK: break;
    case FAIL: return WSHUB_EXT_CRON_FAILED;
    case LATE:
    case LATE_FAIL: return be_late(s, tick);
    case STOP: (void)wshub_ext_cron_job_stop(jobs, tick->job); break;
    case FREE:
        (void)wshub_ext_cron_job_destroy(jobs, tick->job);
        forget(s);
        break;
    case MODIFY: (void)wshub_ext_cron_job_modify(jobs, tick->job, s->expr, false, NULL); break;
    }
    return WSHUB_EXT_CRON_OK;
}
static void on_done(const wshub_ext_cron_tick *tick, void *user) {
    (void)user;
    event("done", tick->job);
}
static void on_error(const wshub_ext_cron_tick *tick, void *user) {
    (void)user;
    event("error", tick->job);
}
static void on_complete(wshub_ext_cron_jobs *of, wshub_ext_cron_job job, void *user) {
    (void)of;
    (void)user;
    event("complete", job);
}

/* What a tick does, by its name; false: no such thing. */
static bool read_manner(const char *name, subject *s) {
    static const struct {
        const char *name;
        manner manner;
    } manners[] = {{"ok", OK}, {"", OK}, {"fail", FAIL}, {"stop", STOP}, {"free", FREE}};
    const char *colon = strchr(name, ':');
    char *end;
    size_t i;
    for (i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        s->manner = manners[i].manner;
        if (strcmp(name, manners[i].name) == 0) return true;
    }
    if (!colon) return false;
    if (strncmp(name, "modify:", 7) == 0) {
        s->manner = MODIFY;
        s->expr = strdup(colon + 1);
        return true;
    }
    s->manner = strncmp(name, "late:", 5) == 0 ? LATE : LATE_FAIL;
    if (s->manner == LATE_FAIL && strncmp(name, "late-fail:", 10) != 0) return false;
    s->late_ms = strtoull(colon + 1, &end, 10);
    return colon[1] >= '0' && colon[1] <= '9' && !*end;
}

static subject *subject_new(wshub_str id) {
    subject *s = (subject *)calloc(1, sizeof *s);
    if (!s) abort();
    s->id = strndup(id.ptr, id.len);
    return s;
}
/* At the end, so that the oldest is found first. */
static void subject_add(subject *s) {
    subject **p;
    for (p = &subjects; *p; p = &(*p)->next) {
    }
    *p = s;
}
static void subject_drop(subject *s) {
    free(s->id);
    free(s->expr);
    free(s);
}

static bool is_id(wshub_str id) {
    wshub_json_kind kind = wshub_json_type(id);
    return kind == WSHUB_JSON_STRING || kind == WSHUB_JSON_NUMBER;
}

static const char *do_new(wshub_str line, wshub_ext_cron_error *error) {
    wshub_str id = wshub_json_get(line, "id");
    wshub_ext_cron_job_desc desc;
    char *expr, *tz, *ticks;
    const char *failed = NULL;
    subject *s;

    memset(&desc, 0, sizeof desc);
    if (!is_id(id) || subject_named(id) || !is_string_or_absent(line, "tz") ||
        wshub_json_type(wshub_json_get(line, "expr")) != WSHUB_JSON_STRING ||
        !is_string_or_absent(line, "tick") ||
        !is_bool_or_absent(line, "auto_start", &desc.auto_start) ||
        !is_bool_or_absent(line, "wait_for_completion", &desc.wait_for_completion))
        return "bad request";
    expr = string_of(line, "expr");
    tz = string_of(line, "tz");
    ticks = string_of(line, "tick");
    s = subject_new(id);
    desc.expr = expr;
    desc.zone = tz;
    desc.on_tick = on_tick;
    desc.on_done = on_done;
    desc.on_error = on_error;
    desc.on_complete = on_complete;
    if (!read_manner(ticks, s))
        failed = "bad request";
    else if (!is_zone(tz))
        failed = "Invalid timezone.";
    else if (wshub_ext_cron_job_create(jobs, &desc, &s->job, error))
        failed = error->text;
    if (failed)
        subject_drop(s);
    else
        subject_add(s);
    free(expr);
    free(tz);
    free(ticks);
    return failed;
}

static const char *do_duplicate(wshub_str line, const subject *from, wshub_ext_cron_error *error) {
    wshub_str as = wshub_json_get(line, "as");
    char *expr;
    subject *s;
    wshub_err err;

    if (!is_id(as) || subject_named(as) ||
        wshub_json_type(wshub_json_get(line, "expr")) != WSHUB_JSON_STRING)
        return "bad request";
    s = subject_new(as);
    s->manner = from->manner;
    s->late_ms = from->late_ms;
    if (from->expr) s->expr = strdup(from->expr);
    expr = string_of(line, "expr");
    err = wshub_ext_cron_job_duplicate(jobs, from->job, expr, &s->job, error);
    free(expr);
    if (err) {
        subject_drop(s);
        return error->text;
    }
    subject_add(s);
    return NULL;
}

static const char *do_modify(wshub_str line, const subject *s, wshub_ext_cron_error *error) {
    bool fire;
    char *expr;
    wshub_err err;

    if (wshub_json_type(wshub_json_get(line, "expr")) != WSHUB_JSON_STRING ||
        !is_bool_or_absent(line, "fire", &fire))
        return "bad request";
    expr = string_of(line, "expr");
    err = wshub_ext_cron_job_modify(jobs, s->job, expr, fire, error);
    free(expr);
    return err ? error->text : NULL;
}

/* Time goes on, the wall clock at its own pace if there is one. */
static const char *do_advance(wshub_str line) {
    wshub_str pace = wshub_json_get(line, "wall");
    uint64_t ms, wall;
    if (!wshub_json_uint(wshub_json_get(line, "ms"), &ms)) return "bad request";
    if (pace.ptr && (!wshub_json_uint(pace, &wall) || wall > UINT32_MAX || ms > UINT32_MAX))
        return "bad request";
    if (pace.ptr && ms)
        wshub_io_fake_advance_apart(net, ms, wall);
    else
        wshub_io_fake_advance(net, ms);
    if (pace.ptr && !ms) wshub_io_fake_set_wall(net, (int64_t)wall);
    return NULL;
}
static const char *do_jump(wshub_str line) {
    int64_t by;
    if (wshub_json_int(wshub_json_get(line, "wall"), INT64_MIN / 2, INT64_MAX / 2, &by))
        return "bad request";
    wshub_io_fake_set_wall(net, by);
    return NULL;
}

static void answer_get(const subject *s) {
    wshub_ext_cron_info info;
    if (wshub_ext_cron_job_get(jobs, s->job, &info)) abort();
    text_z(&said, "{\"ok\":true,\"next\":");
    put_instant(&said, info.next_ms);
    text_z(&said, ",\"last\":");
    put_instant(&said, info.last_ms);
    text_z(&said, info.running ? ",\"running\":true}" : ",\"running\":false}");
}

/* What is done with a job that is there. Returns what is wrong; NULL: nothing. */
static const char *with_job(const char *what, wshub_str line, subject *s,
                            wshub_ext_cron_error *error) {
    if (strcmp(what, "start") == 0)
        (void)wshub_ext_cron_job_start(jobs, s->job);
    else if (strcmp(what, "stop") == 0)
        (void)wshub_ext_cron_job_stop(jobs, s->job);
    else if (strcmp(what, "fire") == 0)
        (void)wshub_ext_cron_job_fire(jobs, s->job);
    else if (strcmp(what, "modify") == 0)
        return do_modify(line, s, error);
    else if (strcmp(what, "duplicate") == 0)
        return do_duplicate(line, s, error);
    else if (strcmp(what, "free") == 0) {
        (void)wshub_ext_cron_job_destroy(jobs, s->job);
        forget(s);
    } else
        return "bad request";
    return NULL;
}

static void answer_jobs(wshub_str line) {
    char *what = string_of(line, "do");
    wshub_str id = wshub_json_get(line, "id");
    subject *s = id.ptr ? subject_named(id) : NULL;
    bool clocks = strcmp(what, "advance") == 0 || strcmp(what, "jump") == 0;
    wshub_ext_cron_error error;
    const char *failed;

    if (strcmp(what, "new") == 0)
        failed = do_new(line, &error);
    else if (clocks)
        failed = what[0] == 'a' ? do_advance(line) : do_jump(line);
    else if (s && strcmp(what, "get") == 0) {
        answer_get(s);
        free(what);
        return;
    } else
        failed = s ? with_job(what, line, s, &error) : "bad request";

    if (!clocks) wshub_io_fake_run(net);
    if (failed) {
        put_error(&said, failed);
    } else if (clocks) {
        text_z(&said, "{\"ok\":true,");
        put_clocks();
        text_z(&said, "}");
    } else {
        text_z(&said, "{\"ok\":true}");
    }
    free(what);
}

static void jobs_begin(int64_t wall) {
    wshub_ext_cron_jobs_desc desc;
    wshub_io_fake_desc fake;
    wshub_desc d;
    memset(&desc, 0, sizeof desc);
    memset(&fake, 0, sizeof fake);
    memset(&d, 0, sizeof d);
    fake.no_wake = true; /* one thread: what completes late does so in its very timer */
    if (wshub_io_fake_create(&fake, &net)) exit(1);
    d.io = wshub_io_fake_io(net);
    d.no_log = true;
    if (wshub_create(&d, &hub)) exit(1);
    wshub_io_fake_set_wall(net, wall - (int64_t)wshub_wall_ms(hub));
    wshub_io_fake_run(net);
    desc.hub = hub;
    if (wshub_ext_cron_jobs_create(&desc, &jobs)) exit(1);
}
static void jobs_end(void) {
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    wshub_ext_cron_jobs_destroy(jobs);
    while (subjects) forget(subjects);
}

int main(int argc, char **argv) {
    bool with_jobs = argc == 3 && strcmp(argv[1], "--virtual") == 0;
    char *line = NULL, *end = NULL;
    size_t cap = 0;
    ssize_t n;
    int64_t wall = with_jobs ? strtoll(argv[2], &end, 10) : 0;

    if (argc != 1 && (!with_jobs || end == argv[2] || *end)) {
        (void)fprintf(stderr, "usage: %s [--virtual WALL_MS]\n", argv[0]);
        return 2;
    }
    if (with_jobs) jobs_begin(wall);
    while ((n = getline(&line, &cap, stdin)) >= 0) {
        wshub_str s;
        s.ptr = line;
        s.len = (size_t)n;
        if (s.len && line[s.len - 1] == '\n') s.len--;
        if (!with_jobs)
            answer_instants(s, &said);
        else
            answer_jobs(s);
        text_z(&said, "\n");
        (void)fwrite(said.ptr, 1, said.len, stdout);
        (void)fflush(stdout);
        said.len = 0;
    }
    if (with_jobs) jobs_end();
    free(line);
    free(said.ptr);
    return 0;
}
