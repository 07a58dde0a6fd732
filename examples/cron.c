/* Jobs by the clock, made and changed on a page: cron expressions with seconds, in any time zone,
 * what each means in words, when it is due next, here and in UTC, and what has run, live. The page
 * is examples/cron/index.html.
 *
 * Build: cc cron.c -I.. -I../backends -o cron_server (in examples/)
 * Try:   ./cron_server 8080, then http://127.0.0.1:8080 in two windows
 *
 *     a page says                        and all pages hear
 *     make {expr, zone}                  jobs [{id, text, expr, running, next: [[there, utc], ...]}]
 *     change {id, expr}                  jobs
 *     start, stop, fire, remove {id}     jobs
 *     ...and when a job runs             ran {id, at, missed}
 *     what is no expression or zone      wrong {message, at}: only who has said it */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_cron.h"
#include "wshub_ext_files.h"
#include <stdio.h>
#include <stdlib.h>

enum { JOBS = 20, NEXT = 5, EXPR = 200, ZONE = 80, TEXT = 60000 };

/* A job of the page; its number is its place. The zone is kept for the times that are shown. */
typedef struct entry {
    bool used;
    wshub_ext_cron_job job;
    wshub_ext_cron_zone *zone;
    char name[ZONE];
} entry;

typedef struct site {
    wshub *hub;
    wshub_ext_cron_jobs *jobs;
    entry entries[JOBS];
} site;

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL); /* anybody; yours would look at a token */
}

/* An instant as the clock on the wall shows it in a zone; NULL: UTC. */
static void put_time(wshub_json_writer *w, const wshub_ext_cron_zone *zone, int64_t at_ms) {
    char text[24];
    wshub_iso_time((uint64_t)(at_ms + wshub_ext_cron_zone_offset(zone, at_ms) * INT64_C(1000)),
                   text);
    text[19] = 0; /* without milliseconds, and the Z that is UTC's */
    wshub_json_put_text(w, NULL, text);
}

static void put_job(wshub_json_writer *w, const site *s, int id) {
    const entry *e = &s->entries[id];
    char text[WSHUB_EXT_CRON_DESCRIBE_BYTES];
    wshub_ext_cron_info info;
    int64_t at;
    if (wshub_ext_cron_job_get(s->jobs, e->job, &info)) return;
    wshub_json_put_object(w, NULL);
    wshub_json_put_int(w, "id", id);
    (void)wshub_ext_cron_describe(&info.cron, e->name, text, sizeof text);
    wshub_json_put_text(w, "text", text);
    (void)wshub_ext_cron_write(&info.cron, text, sizeof text);
    wshub_json_put_text(w, "expr", text);
    wshub_json_put_bool(w, "running", info.running);
    wshub_json_put_array(w, "next");
    at = info.next_ms;
    for (int i = 0; i < NEXT && at != WSHUB_EXT_CRON_NEVER; i++) {
        wshub_json_put_array(w, NULL);
        put_time(w, e->zone, at);
        put_time(w, NULL, at);
        wshub_json_put_end(w);
        at = wshub_ext_cron_next(&info.cron, e->zone, at);
    }
    wshub_json_put_end(w);
    wshub_json_put_end(w);
}

/* Writes all jobs; data: of TEXT bytes. */
static wshub_err list_jobs(const site *s, char *data, wshub_msg *msg) {
    wshub_json_writer w;
    wshub_json_begin(&w, data, TEXT);
    wshub_json_put_array(&w, NULL);
    for (int id = 0; id < JOBS; id++)
        if (s->entries[id].used) put_job(&w, s, id);
    wshub_json_put_end(&w);
    msg->event = wshub_str_z("jobs");
    return wshub_json_done(&w, &msg->data);
}
static wshub_err tell_all(const site *s) {
    static char data[TEXT];
    wshub_msg msg = {0};
    wshub_err err = list_jobs(s, data, &msg);
    return err ? err : wshub_send(s->hub, NULL, &msg);
}
static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    static char data[TEXT];
    wshub_msg msg = {0};
    wshub_err err = list_jobs((const site *)user, data, &msg);
    return err ? err : wshub_client_send(hub, client, &msg);
}

/* A job runs: here it only says so. */
static wshub_ext_cron_outcome on_tick(const wshub_ext_cron_tick *tick, void *user) {
    site *s = (site *)user;
    char data[200];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("ran")};
    int id = 0;
    while (id < JOBS && (!s->entries[id].used || s->entries[id].job.id != tick->job.id)) id++;
    if (id == JOBS) return WSHUB_EXT_CRON_FAILED;
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_int(&w, "id", id);
    wshub_json_put_array(&w, "at");
    put_time(&w, s->entries[id].zone, tick->wall_ms);
    put_time(&w, NULL, tick->wall_ms);
    wshub_json_put_end(&w);
    wshub_json_put_uint(&w, "missed", tick->missed);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data) || wshub_send(s->hub, NULL, &msg) || tell_all(s))
        return WSHUB_EXT_CRON_FAILED;
    return WSHUB_EXT_CRON_OK;
}

/* Makes a job in a free place. */
static wshub_err make_job(site *s, const char *expr, const char *zone,
                          wshub_ext_cron_error *error) {
    wshub_ext_cron_job_desc desc = {
        .expr = expr, .zone = zone, .auto_start = true, .on_tick = on_tick, .user = s};
    wshub_ext_cron_zone *own = NULL;
    entry *e;
    wshub_err err;
    int id = 0;
    while (id < JOBS && s->entries[id].used) id++;
    if (id == JOBS) return WSHUB_ERR_LIMIT;
    e = &s->entries[id];
    err = wshub_ext_cron_job_create(s->jobs, &desc, &e->job, error);
    if (!err) err = wshub_ext_cron_zone_create(&(wshub_ext_cron_zone_desc){.name = zone}, &own);
    if (err) {
        (void)wshub_ext_cron_job_destroy(s->jobs, e->job);
        return err;
    }
    e->used = true;
    e->zone = own;
    (void)snprintf(e->name, sizeof e->name, "%s", zone);
    return WSHUB_OK;
}
static void remove_job(site *s, entry *e) {
    (void)wshub_ext_cron_job_destroy(s->jobs, e->job);
    wshub_ext_cron_zone_destroy(e->zone);
    memset(e, 0, sizeof *e);
}

/* What is wrong with an expression or a zone goes to whoever has written it. */
static wshub_err tell_wrong(wshub *hub, wshub_client client, const wshub_ext_cron_error *error) {
    char data[400];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("wrong")};
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_text(&w, "message", error->text);
    wshub_json_put_uint(&w, "at", error->at);
    wshub_json_put_end(&w);
    return wshub_json_done(&w, &msg.data) ? WSHUB_ERR_APP : wshub_client_send(hub, client, &msg);
}

static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    site *s = (site *)user;
    char expr[EXPR] = "", zone[ZONE] = "";
    wshub_ext_cron_error error = {.text = "too many jobs"};
    wshub_err err = WSHUB_ERR_APP;
    uint64_t id = JOBS;
    (void)wshub_json_copy(wshub_json_at(e->data, "/expr"), expr, sizeof expr, NULL);
    (void)wshub_json_copy(wshub_json_at(e->data, "/zone"), zone, sizeof zone, NULL);
    (void)wshub_json_uint(wshub_json_at(e->data, "/id"), &id);
    if (wshub_str_eq_z(e->event, "make")) {
        err = make_job(s, expr, zone, &error);
        return err ? tell_wrong(hub, client, &error) : tell_all(s);
    }
    if (id >= JOBS || !s->entries[id].used) return WSHUB_ERR_APP; /* gone meanwhile */
    if (wshub_str_eq_z(e->event, "change")) {
        err = wshub_ext_cron_job_modify(s->jobs, s->entries[id].job, expr, false, &error);
        return err ? tell_wrong(hub, client, &error) : tell_all(s);
    }
    if (wshub_str_eq_z(e->event, "start"))
        err = wshub_ext_cron_job_start(s->jobs, s->entries[id].job);
    else if (wshub_str_eq_z(e->event, "stop"))
        err = wshub_ext_cron_job_stop(s->jobs, s->entries[id].job);
    else if (wshub_str_eq_z(e->event, "fire"))
        err = wshub_ext_cron_job_fire(s->jobs, s->entries[id].job);
    else if (wshub_str_eq_z(e->event, "remove")) {
        remove_job(s, &s->entries[id]);
        err = WSHUB_OK;
    }
    return err ? err : tell_all(s);
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    static site s;
    wshub_desc desc = {.on_authenticate = on_authenticate,
                       .on_connected = on_connected,
                       .on_message = on_message,
                       .user = &s};
    wshub_io_sock *net;
    wshub_ext_files *page;
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_create(&desc, &s.hub)) return 1; /* the io has shown why */
    if (wshub_ext_cron_jobs_create(&(wshub_ext_cron_jobs_desc){.hub = s.hub}, &s.jobs)) return 1;
    if (wshub_ext_files_create(&(wshub_ext_files_desc){.folder = "cron"}, &page))
        return perror("cron"), 1;
    if (wshub_ext_files_mount(page, s.hub)) return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    printf("http://127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, s.hub); /* until SIGTERM or SIGINT */
    wshub_destroy(s.hub);
    for (int id = 0; id < JOBS; id++) wshub_ext_cron_zone_destroy(s.entries[id].zone);
    wshub_ext_cron_jobs_destroy(s.jobs);
    wshub_ext_files_destroy(page);
    wshub_io_sock_destroy(net);
    return 0;
}
