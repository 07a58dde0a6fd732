/* What the tests of cron ask with: expressions and zones that have to be right, and instants as
 * `2026-03-08T06:30:00` in UTC. */
#ifndef CRON_ASKS_H
#define CRON_ASKS_H
#include <time.h>

#define NEVER WSHUB_EXT_CRON_NEVER

UNUSED static wshub_ext_cron parsed(const char *text) {
    wshub_ext_cron cron;
    wshub_ext_cron_error error;
    memset(&cron, 0, sizeof cron);
    if (wshub_ext_cron_parse(wshub_str_z(text), &cron, &error)) {
        test_fail(__FILE__, __LINE__);
        (void)printf("\"%s\" is refused: %s\n", text, error.text);
    }
    return cron;
}

UNUSED static wshub_ext_cron_zone *zone_of(const char *name) {
    wshub_ext_cron_zone *zone = NULL;
    wshub_ext_cron_zone_desc desc = {.name = name};
    wshub_err err = wshub_ext_cron_zone_create(&desc, &zone);
    if (err) {
        test_fail(__FILE__, __LINE__);
        (void)printf("zone %s: %s\n", name, wshub_strerror(err));
    }
    return zone;
}

UNUSED static wshub_err zone_err(const char *name) {
    wshub_ext_cron_zone *zone = NULL;
    wshub_ext_cron_zone_desc desc = {.name = name};
    wshub_err err = wshub_ext_cron_zone_create(&desc, &zone);
    wshub_ext_cron_zone_destroy(zone);
    return err;
}

/* An instant, as `2026-03-08T06:30:00` in UTC. */
UNUSED static int64_t at(const char *text) {
    struct tm tm;
    memset(&tm, 0, sizeof tm);
    EXPECT(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) != NULL);
    return (int64_t)timegm(&tm) * 1000;
}
UNUSED static const char *shown(int64_t ms) {
    static char texts[4][64];
    static int which;
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    which = (which + 1) % 4;
    if (ms == NEVER) return "never";
    (void)strftime(texts[which], sizeof texts[which], "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
    return texts[which];
}

/* The instants after one, as a text: `A B C`. */
UNUSED static const char *follow(const char *expr, const char *name, const char *after, int count) {
    static char text[2][400];
    static int which;
    wshub_ext_cron cron = parsed(expr);
    wshub_ext_cron_zone *zone = zone_of(name);
    int64_t now = at(after);
    which ^= 1;
    text[which][0] = 0;
    while (count-- > 0 && now != NEVER) {
        int64_t next = wshub_ext_cron_next(&cron, zone, now);
        EXPECT(next > now);
        now = next;
        if (text[which][0]) (void)strcat(text[which], " ");
        (void)strcat(text[which], shown(now));
    }
    wshub_ext_cron_zone_destroy(zone);
    return text[which];
}
#endif
