/* The instants of cron expressions (backends/wshub_ext_cron.h) beside a slow second opinion, which
 * walks minute by minute through local time around the changes of all zones of the system (CRON-2).
 * CRON_CASES=1000000 WSHUB_WHOLE=1 build/test_cron_walk a_long is the campaign. */
#define _GNU_SOURCE
#include "test.h"
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_ext_cron.h"
#include "cron_asks.h"

/* ---- the second opinion ----
 * The C library says what the clock on the wall shows, minute by minute over the days around a
 * change, and each minute is looked at. */

enum { DAYS = 4, MINUTES = DAYS * 1440, QUIET = 2 * 1440, FIRINGS = 2000 };

typedef struct minute {
    int64_t wall; /* minutes since 1970, as the clock on the wall has it */
    uint8_t hour, minute, day, month, weekday;
} minute;
static minute minutes[MINUTES];
static int64_t firings[FIRINGS];
static uint64_t seed;

static uint32_t any(uint32_t below) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static minute minute_of(const struct tm *tm, int64_t wall) {
    minute m;
    m.wall = wall;
    m.hour = (uint8_t)tm->tm_hour;
    m.minute = (uint8_t)tm->tm_min;
    m.day = (uint8_t)tm->tm_mday;
    m.month = (uint8_t)(tm->tm_mon + 1);
    m.weekday = (uint8_t)tm->tm_wday;
    return m;
}

/* What the library says of the days from an instant on; false: offsets with seconds. */
static bool minutes_read(int64_t begin) {
    int i;
    for (i = 0; i < MINUTES; i++) {
        time_t t = (time_t)(begin + 60 * i);
        struct tm tm;
        (void)localtime_r(&t, &tm);
        if (tm.tm_sec) return false;
        minutes[i] = minute_of(&tm, ((int64_t)t + tm.tm_gmtoff) / 60);
    }
    return true;
}

static bool minute_matches(const wshub_ext_cron *c, const minute *m) {
    bool day = c->days >> m->day & 1, weekday = c->weekdays >> m->weekday & 1;
    if (!(c->minutes >> m->minute & 1) || !(c->hours >> m->hour & 1) ||
        !(c->months >> m->month & 1))
        return false;
    if (c->days == 0xFFFFFFFE) return weekday;
    if (c->weekdays == 0x7F) return day;
    return day || weekday;
}

/* Does anything match between two times on the wall, in minutes? */
static bool skipped_matches(const wshub_ext_cron *c, int64_t from, int64_t to) {
    for (; from < to; from++) {
        time_t t = (time_t)(from * 60);
        struct tm tm;
        minute m = minute_of(gmtime_r(&t, &tm), from);
        if (minute_matches(c, &m)) return true;
    }
    return false;
}

/* All instants of those days at which it fires, in seconds, but for the first two days, in which it
 * is only seen how far the clock has got. */
static int firings_find(const wshub_ext_cron *c, int64_t begin) {
    bool all_hours = c->hours == 0xFFFFFF;
    int64_t shown_to = minutes[0].wall;
    int i, s, count = 0;
    for (i = 0; i < MINUTES; i++) {
        const minute *m = &minutes[i];
        bool now = all_hours || m->wall >= shown_to;
        bool late = !all_hours && m->wall > shown_to && skipped_matches(c, shown_to, m->wall);
        if (m->wall >= shown_to) shown_to = m->wall + 1;
        if (i < QUIET) continue;
        now = now && minute_matches(c, m);
        if (!now && !late) continue;
        for (s = 0; s < 60; s++) {
            if ((now && (c->seconds >> s & 1)) || (late && s == 0))
                firings[count++] = begin + 60 * i + s;
        }
        if (count > FIRINGS - 60) break;
    }
    return count;
}

/* One field, often an asterisk, else a few elements of all kinds. */
static void any_field(char *out, uint32_t low, uint32_t high) {
    uint32_t count = 1 + any(3), a, b;
    *out = 0;
    if (any(3) == 0) {
        (void)strcpy(out, "*");
        return;
    }
    while (count--) {
        out += strlen(out);
        a = low + any(high - low + 1);
        b = a + any(high - a + 1);
        switch (any(5)) {
        case 0: (void)sprintf(out, "*/%u", 1 + any(high)); break;
        case 1: (void)sprintf(out, "%u-%u", a, b); break;
        case 2: (void)sprintf(out, "%u-%u/%u", a, b, 1 + any(7)); break;
        case 3: (void)sprintf(out, "%u/%u", a, 1 + any(high)); break;
        default: (void)sprintf(out, "%u", a); break;
        }
        if (count) (void)strcat(out, ",");
    }
}

static void any_expression(char *out) {
    static const struct {
        uint32_t low, high;
    } fields[6] = {{0, 59}, {0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}};
    int i;
    *out = 0;
    for (i = 0; i < 6; i++) {
        out += strlen(out);
        if (i == 0 && any(8))
            (void)strcpy(out, "0");
        else if ((i == 3 || i == 4 || i == 5) && any(3))
            (void)strcpy(out, "*"); /* so that something happens in those days */
        else
            any_field(out, fields[i].low, fields[i].high);
        if (i < 5) (void)strcat(out, " ");
    }
}

/* Compares both opinions over the days from `begin` on. */
static void compare(const char *name, const wshub_ext_cron_zone *zone, int64_t begin) {
    char expr[400];
    wshub_ext_cron cron;
    int64_t now = (begin + QUIET * 60 - 1) * 1000, end = (begin + MINUTES * 60) * 1000, next;
    int count, i, before = test_failures;

    any_expression(expr);
    cron = parsed(expr);
    count = firings_find(&cron, begin);
    if (count > 60 && any(20)) count = 60;
    for (i = 0; i < count; i++) {
        next = wshub_ext_cron_next(&cron, zone, now);
        EXPECT_STR(shown(next), shown(firings[i] * 1000));
        if (i)
            EXPECT_STR(shown(wshub_ext_cron_previous(&cron, zone, firings[i] * 1000)), shown(now));
        EXPECT_INT(wshub_ext_cron_previous(&cron, zone, firings[i] * 1000 + 1), firings[i] * 1000);
        if (test_failures > before) break;
        now = firings[i] * 1000;
    }
    if (count < 60 && test_failures == before) {
        next = wshub_ext_cron_next(&cron, zone, now);
        EXPECT(next >= end);
        EXPECT_INT(wshub_ext_cron_previous(&cron, zone, end),
                   count ? now : wshub_ext_cron_previous(&cron, zone, (begin + QUIET * 60) * 1000));
    }
    if (test_failures > before)
        (void)printf("    %s in %s, from %s\n", expr, name, shown((begin + QUIET * 60) * 1000));
}

/* The first change of the C library's offset behind an instant, to the second; 0: none for a year. */
static int64_t change_behind(int64_t from) {
    int64_t step = 6 * 86400, until = from + 366 * 86400, low, high;
    struct tm tm;
    time_t t = (time_t)from;
    long offset = localtime_r(&t, &tm)->tm_gmtoff;
    for (low = from;; low = high) {
        high = low + step;
        if (low > until) return 0;
        t = (time_t)high;
        if (localtime_r(&t, &tm)->tm_gmtoff != offset) break;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        t = (time_t)middle;
        if (localtime_r(&t, &tm)->tm_gmtoff == offset)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Some expressions around a change of a zone, between 1970 and 2100. */
static int around_a_change(const char *name, int expressions) {
    int64_t from = (int64_t)any(130 * 365) * 86400 + 86400 * 5, change, begin;
    wshub_ext_cron_zone *zone;
    int i;

    (void)setenv("TZ", name, 1);
    tzset();
    change = change_behind(from);
    if (!change) change = from;
    begin = change - change % 60 - 2 * 86400 - (int64_t)any(1440) * 60;
    if (!minutes_read(begin)) return 0;
    zone = zone_of(name);
    for (i = 0; i < expressions; i++) compare(name, zone, begin);
    wshub_ext_cron_zone_destroy(zone);
    return expressions;
}

/* The names of the system's zones, from its table; as many as there is room for. */
static int zone_names(char names[][40], int most) {
    FILE *f = fopen("/usr/share/zoneinfo/zone.tab", "r");
    char line[400];
    int count = 0;
    while (f && count < most && fgets(line, sizeof line, f)) {
        if (line[0] != '#' && sscanf(line, "%*s %*s %39s", names[count]) == 1) count++;
    }
    if (f) (void)fclose(f);
    return count;
}

static void random_cases(int cases, uint64_t from_seed) {
    static char names[600][40];
    int count = zone_names(names, 600), done = 0, before = test_failures;
    if (!count) SKIP("no table of zones");
    seed = from_seed;
    while (done < cases && test_failures == before)
        done += around_a_change(names[any((uint32_t)count)], 100);
    (void)unsetenv("TZ");
    tzset();
}

TEST(a_walk_through_local_time_finds_the_same) { /* CRON-2 */
    const char *given = getenv("CRON_SEED");
    random_cases(20000 / (int)test_stride(5), given ? strtoull(given, NULL, 10) : 1);
}
TEST_WHOLE(a_long_walk_through_local_time_finds_the_same) { /* CRON-2; CRON_CASES: how many */
    const char *given = getenv("CRON_CASES");
    random_cases(given ? atoi(given) : 100000, 2);
}
