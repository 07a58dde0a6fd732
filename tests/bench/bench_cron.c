/* make bench-cron: what the next instant of an expression costs, zone loaded, asked at instants all
 * over the years; beside npm's cron (CRON_NODE, a folder in which `npm install cron` was said; without
 * it build/node), Python's croniter, and staticlibs/ccronexpr (CCRONEXPR, the folder of its source),
 * where these are there. Then a hundred thousand jobs on one hub: bytes of each, arming,
 * and what a tick costs, over an io that has no kernel below.
 * build/bench_cron [ROUNDS]     5 rounds, of which the median counts */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_fake.h"
#include "wshub_ext_cron.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ASKED = 200000, MANY = 100000, ROUNDS_MAX = 99 };

static const char *const exprs[] = {"* * * * * *", "*/5 * * * *", "30 9 * * 1-5", "0 0 1 * *",
                                    "30 2 * * *",  "* * 29 2 *",  "0 0 0 29 2 *"};
static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York"};

static double now_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static double median(double *list, int count) {
    qsort(list, (size_t)count, sizeof *list, by_size);
    return list[count / 2];
}

/* The cost of one answer: instants an hour and a bit apart from 2026 on; each waits for the one
 * before it, as a job's next instant does. For 29 February from 2096 on, where eight years are to be
 * passed over. */
static double ask(const char *expr, const wshub_ext_cron_zone *zone) {
    int64_t at = strstr(expr, "29 2") ? INT64_C(3981398400000) : INT64_C(1767225600000), sum = 0;
    wshub_ext_cron cron;
    double begin;
    int i;
    if (wshub_ext_cron_parse(wshub_str_z(expr), &cron, NULL)) exit(1);
    begin = now_ns();
    for (i = 0; i < ASKED; i++) {
        int64_t next = wshub_ext_cron_next(&cron, zone, at + i % 5000 * INT64_C(4567000) + sum);
        sum = next & 1;
    }
    return (now_ns() - begin) / ASKED;
}

static void bench_next(int rounds) {
    size_t e, z;
    int i;
    (void)printf("next instant, ns%*s", 8, "");
    for (z = 0; z < sizeof zones / sizeof *zones; z++) (void)printf("%18s", zones[z]);
    (void)printf("\n");
    for (e = 0; e < sizeof exprs / sizeof *exprs; e++) {
        (void)printf("%-24s", exprs[e]);
        for (z = 0; z < sizeof zones / sizeof *zones; z++) {
            wshub_ext_cron_zone_desc desc = {.name = zones[z]};
            wshub_ext_cron_zone *zone;
            double took[ROUNDS_MAX];
            if (wshub_ext_cron_zone_create(&desc, &zone)) exit(1);
            for (i = 0; i < rounds; i++) took[i] = ask(exprs[e], zone);
            (void)printf("%18.0f", median(took, rounds));
            wshub_ext_cron_zone_destroy(zone);
        }
        (void)printf("\n");
    }
}

/* What peers need for the same, said by themselves: each expression by instants an hour and a bit
 * apart from 2026 on, CPU time of an answer. Those of scripts know zones; the one in C asks in UTC. */
static const char *const npm =
    "cd \"${CRON_NODE:-build/node}\" 2>/dev/null && [ -d node_modules/cron ] && command -v node "
    ">/dev/null && node -e 'const{CronTime}=require(\"cron\");const{DateTime}=require(\"luxon\");"
    "for(const[e,n]of[[\"0 */5 * * * *\",500],[\"0 30 9 * * 1-5\",500],[\"0 0 0 1 * *\",100]]){"
    "const t=new CronTime(e,\"Europe/Berlin\"),b=process.cpuUsage();"
    "for(let i=0;i<n;i++)t.getNextDateFrom(DateTime.fromMillis(1767225600000+i*4567000));"
    "const u=process.cpuUsage(b);console.log(\"npm cron \"+require(\"cron/package.json\").version+"
    "\": \"+e+\" in Europe/Berlin, \"+Math.round((u.user+u.system)*1e3/n)+\" ns\")}' || "
    "echo 'npm cron: skipped, not in build/node (CRON_NODE)'";
static const char *const croniter =
    "for p in python3 /usr/bin/python3; do $p -c 'import croniter' 2>/dev/null && break; done; "
    "$p -c '\n"
    "import croniter,time,datetime,zoneinfo\n"
    "z=zoneinfo.ZoneInfo(\"Europe/Berlin\");n=2000\n"
    "for e in (\"*/5 * * * *\",\"30 9 * * 1-5\",\"0 0 1 * *\"):\n"
    "  c=[croniter.croniter(e,datetime.datetime.fromtimestamp(1767225600+i*4567,z)) "
    "for i in range(n)]\n"
    "  b=time.process_time()\n"
    "  for i in c: i.get_next()\n"
    "  print(\"croniter: %s in Europe/Berlin, %d ns\"%(e,(time.process_time()-b)*1e9/n))' "
    "2>/dev/null || echo 'croniter: skipped, not installed (Debian: python3-croniter)'";
static const char *const ccronexpr =
    "d=build/bench_ccronexpr; [ -f \"$CCRONEXPR/ccronexpr.c\" ] && mkdir -p $d && "
    "printf '%s\\n' '#include \"ccronexpr.h\"' '#include <stdio.h>' '#include <string.h>' "
    "'#include <time.h>' 'int main(int c,char**v){cron_expr e;const char*r=NULL;struct timespec "
    "a,b;time_t s=0;int i,n=100000;memset(&e,0,sizeof e);cron_parse_expr(v[c-1],&e,&r);if(r)return "
    "1;clock_gettime(CLOCK_PROCESS_CPUTIME_ID,&a);for(i=0;i<n;i++)s+=cron_next(&e,strtol(v[1],NULL,"
    "10)+i%5000*4567)&1;clock_gettime(CLOCK_PROCESS_CPUTIME_ID,&b);printf(\"ccronexpr: %s in UTC, "
    "%.0f ns\\n\",v[c-1],((b.tv_sec-a.tv_sec)*1e9+(b.tv_nsec-a.tv_nsec))/n);return (int)(s&0);}' "
    ">$d/main.c && sed -i '1i #define _GNU_SOURCE\\n#include <stdlib.h>' $d/main.c && "
    "cc -O3 -w -I\"$CCRONEXPR\" -o $d/main $d/main.c \"$CCRONEXPR/ccronexpr.c\" && "
    "for e in '* * * * * *' '0 */5 * * * *' '0 30 9 * * 1-5' '0 0 0 1 * *'; do $d/main 1767225600 "
    "\"$e\"; done && $d/main 3981398400 '0 0 0 29 2 *' || "
    "echo 'ccronexpr: skipped, CCRONEXPR does not name the folder of its source'";
static void bench_peers(void) {
    (void)fflush(stdout);
    (void)!system(npm);
    (void)!system(croniter);
    (void)!system(ccronexpr);
}

static size_t held, ticks;
static void *counted(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    held += new_bytes;
    held -= old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}
static wshub_ext_cron_outcome on_tick(const wshub_ext_cron_tick *tick, void *user) {
    (void)tick;
    (void)user;
    ticks++;
    return WSHUB_EXT_CRON_OK;
}

static void bench_jobs(void) {
    wshub_io_fake *net;
    wshub *hub;
    wshub_ext_cron_jobs *jobs;
    double begin;
    int i;
    if (wshub_io_fake_create(NULL, &net) ||
        wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net), .no_log = true}, &hub) ||
        wshub_ext_cron_jobs_create(&(wshub_ext_cron_jobs_desc){.hub = hub, .alloc = counted},
                                   &jobs))
        exit(1);
    begin = now_ns();
    for (i = 0; i < MANY; i++) {
        char expr[40];
        (void)snprintf(expr, sizeof expr, "%d %d * * * *", i % 60, i / 60 % 60);
        if (wshub_ext_cron_job_create(
                jobs,
                &(wshub_ext_cron_job_desc){
                    .expr = expr, .zone = "Europe/Berlin", .auto_start = true, .on_tick = on_tick},
                NULL, NULL))
            exit(1);
    }
    (void)printf("%d jobs: %.0f bytes each, made and armed in %.0f ns each, ", MANY,
                 (double)held / MANY, (now_ns() - begin) / MANY);
    begin = now_ns();
    wshub_io_fake_advance(net, 3600000);
    (void)printf("%.0f ns a tick (%lu)\n", (now_ns() - begin) / (double)ticks,
                 (unsigned long)ticks);
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    wshub_ext_cron_jobs_destroy(jobs);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    if (rounds < 1 || rounds > ROUNDS_MAX) return 2;
    bench_next(rounds);
    bench_peers();
    bench_jobs();
    return 0;
}
