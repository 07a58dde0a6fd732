/* Expressions of cron, zones and instants (backends/wshub_ext_cron.h): what was recorded of npm's
 * cron and what is right where it errs, zone files that are odd or hostile, and what others got wrong
 * (CRON-1 to CRON-3; b1 to b19 are the rows of a list of such mistakes). */
#define _GNU_SOURCE
#include "test.h"
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "texts.h"
#include "wshub_ext_cron.h"
#include "cron_asks.h"

/* ---- what was recorded ---- */

/* The next field of a line, up to a tab; escapes are undone. */
static char *field_of(char **line) {
    char *begin = *line, *p = begin, *out = begin;
    while (*p && *p != '\t') {
        if (*p == '\\' && strchr("tnvfr", p[1])) {
            *out++ = "\t\n\v\f\r"[strchr("tnvfr", p[1]) - "tnvfr"];
            p += 2;
        } else {
            *out++ = *p++;
        }
    }
    *line = *p ? p + 1 : p;
    *out = 0;
    return begin;
}

/* Calls a function with each line of a file that is no comment. Returns how many there were. */
static int each_line(const char *path, void (*fn)(char *line)) {
    char *text = text_of(path), *line = text;
    int count = 0;
    while (line && *line) {
        char *end = strchr(line, '\n');
        if (end) *end = 0;
        if (line[0] != '#') {
            fn(line);
            count++;
        }
        line = end ? end + 1 : NULL;
    }
    free(text);
    return count;
}

static void check_next(char *line) {
    wshub_ext_cron cron = parsed(field_of(&line));
    wshub_ext_cron_zone *zone = zone_of(field_of(&line));
    int64_t start = (int64_t)strtoll(field_of(&line), NULL, 10), now = start, before = NEVER;
    char *p = line;
    if (strcmp(p, "never") == 0) EXPECT_INT(wshub_ext_cron_next(&cron, zone, now), NEVER);
    while (*p == '-' || (*p >= '0' && *p <= '9')) {
        int64_t want = (int64_t)strtoll(p, &p, 10);
        EXPECT_STR(shown(wshub_ext_cron_next(&cron, zone, now)), shown(want));
        EXPECT(wshub_ext_cron_matches(&cron, zone, want));
        if (before != NEVER) EXPECT_INT(wshub_ext_cron_previous(&cron, zone, want), before);
        EXPECT_INT(wshub_ext_cron_previous(&cron, zone, want + 1), want);
        before = now = want;
        while (*p == ' ') p++;
    }
    wshub_ext_cron_zone_destroy(zone);
}

TEST(instants_are_those_that_were_recorded) { /* CRON-2 */
    EXPECT_INT(each_line("tests/cron/next.txt", check_next), 617);
}

static void check_fields(char *line) {
    wshub_ext_cron cron = parsed(field_of(&line)), again;
    char text[WSHUB_EXT_CRON_TEXT_BYTES], whole[WSHUB_EXT_CRON_TEXT_BYTES] = "";
    int i;
    for (i = 1; i <= 6; i++) {
        char *want = field_of(&line);
        size_t n = wshub_ext_cron_write_field(&cron, (wshub_ext_cron_field)i, text, sizeof text);
        EXPECT_STR(text, want);
        EXPECT_INT(n, strlen(want));
        if (i > 1) (void)strcat(whole, " ");
        (void)strcat(whole, want);
    }
    EXPECT_INT(wshub_ext_cron_write(&cron, text, sizeof text), strlen(whole));
    EXPECT_STR(text, whole);
    again = parsed(text);
    EXPECT(memcmp(&cron, &again, sizeof cron) == 0);
}

TEST(canonical_texts_are_those_that_were_recorded) { /* CRON-1 */
    EXPECT_INT(each_line("tests/cron/fields.txt", check_fields), 30);
}

static void check_error(char *line) {
    wshub_str expr = wshub_str_z(field_of(&line));
    const char *zone = field_of(&line);
    wshub_ext_cron cron;
    wshub_ext_cron_error error;
    if (strcmp(line, "Invalid timezone.") == 0) {
        EXPECT(zone_err(zone) != WSHUB_OK);
        return;
    }
    memset(&error, 0, sizeof error);
    EXPECT_INT(wshub_ext_cron_parse(expr, &cron, &error), WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, line);
    EXPECT_OP(error.at + error.len, <=, expr.len);
    EXPECT_INT(wshub_ext_cron_parse(expr, &cron, NULL), WSHUB_ERR_PARAM);
}

TEST(errors_are_in_the_words_that_were_recorded) { /* CRON-1 */
    EXPECT_INT(each_line("tests/cron/errors.txt", check_error), 61);
}

/* ---- expressions ---- */

TEST(errors_say_which_field_and_where) { /* CRON-1 */
    /* clang-format off */
    static const struct { const char *expr, *text; int field, at, len; } cases[] = {
        {"0 0 25 * * *",     "Field value (25) is out of range", 3, 4, 2},
        {"0 0 1,25,3 * * *", "Field value (1,25,3) is out of range", 3, 6, 2},
        {"61 * * * *",       "Field value (61) is out of range", 2, 0, 2},
        {"* * * * jan,x2 *", "Unknown alias: x", 0, 12, 1},
        {"* * * * JANfeb *", "Unknown alias: janfeb", 0, 8, 6},
        {"* * * * 1jan *",   "Unknown alias: 1jan", 0, 8, 4},
        {"* * * * jan1 *",   "Unknown alias: jan1", 0, 8, 4},
        {"janfeb x * *",     "Unknown alias: x", 0, 7, 1},
        {"* * * * *,1*,2 *", "Field (1*) has an invalid wildcard expression", 5, 10, 2},
        {"* * * * jan* *",   "Field (1*) has an invalid wildcard expression", 5, 8, 4},
        {"99 1* * * * *",    "Field value (99) is out of range", 1, 0, 2},
        {"99,1* * * * * *",  "Field (1*) has an invalid wildcard expression", 1, 3, 2},
        {"70-1/0 * * * * *", "Field (second) has a step of zero", 1, 0, 6},
        {"70-1 * * * * *",   "Field (second) has an invalid range", 1, 0, 4},
        {"*,*9,dec * * * * *", "Field value (0-59,0-599,12) is out of range", 1, 2, 2},
        {"* * * * * * * *",  "Too many fields", 0, 0, 15},
    };
    /* clang-format on */
    wshub_ext_cron_error error;
    wshub_ext_cron cron;
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&error, 0, sizeof error);
        EXPECT_INT(wshub_ext_cron_parse(wshub_str_z(cases[i].expr), &cron, &error),
                   WSHUB_ERR_PARAM);
        EXPECT_STR(error.text, cases[i].text);
        EXPECT_INT(error.field, cases[i].field);
        EXPECT_INT(error.at, cases[i].at);
        EXPECT_INT(error.len, cases[i].len);
    }
}

TEST(texts_of_any_length_and_bytes_are_read) { /* CRON-1 */
    char text[4000], canonical[WSHUB_EXT_CRON_TEXT_BYTES];
    wshub_ext_cron_error error;
    wshub_ext_cron cron;
    wshub_str s;
    size_t i, n = 0;
    for (i = 0; i < 3000; i++) text[n++] = '0'; /* any count of digits, any leading zeros */
    (void)strcpy(text + n, "7-000000000000000000000000000000009/00002\v*\f*\r*\n*  SUN");
    cron = parsed(text);
    (void)wshub_ext_cron_write(&cron, canonical, sizeof canonical);
    EXPECT_STR(canonical, "7,9 * * * * 0");

    memset(text, '8', 90); /* an error of 120 bytes is whole */
    (void)strcpy(text + 90, " * * * * *");
    EXPECT_INT(wshub_ext_cron_parse(wshub_str_z(text), &cron, &error), WSHUB_ERR_PARAM);
    EXPECT_INT(strlen(error.text), 120);
    for (i = 0, n = 0; i < 900; i++) text[n++] = '8';
    (void)strcpy(text + n, " * * * * *"); /* quoted, cut behind what is shown of it */
    EXPECT_INT(wshub_ext_cron_parse(wshub_str_z(text), &cron, &error), WSHUB_ERR_PARAM);
    EXPECT_HAS(error.text, "Field value (8888888888888888888888888888888888888888888888888888");
    EXPECT_HAS(error.text, ") is out of range");

    for (i = 0, n = 0; i < 100; i++) { /* and not within a character */
        text[n++] = (char)0xC3;
        text[n++] = (char)0xA4;
    }
    (void)strcpy(text + n, "* * * * * *");
    EXPECT_INT(wshub_ext_cron_parse(wshub_str_z(text), &cron, &error), WSHUB_ERR_PARAM);
    EXPECT_HAS(error.text, "\xC3\xA4) has an invalid wildcard expression");

    s.ptr = "0\0 * * * *"; /* a NUL ends nothing */
    s.len = 10;
    EXPECT_INT(wshub_ext_cron_parse(s, &cron, &error), WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, "Field (minute) cannot be parsed");
    s.ptr = NULL;
    s.len = 0;
    EXPECT_INT(wshub_ext_cron_parse(s, &cron, &error), WSHUB_ERR_PARAM);
    EXPECT_STR(error.text, "Too few fields");
}

TEST(presets_stand_for_the_whole_text_in_any_case) { /* CRON-1 */
    static const char *const cases[][2] = {
        {"@YEARLY", "0 0 0 1 1 *"},     {"@monthly", "0 0 0 1 * *"},
        {"@weekly", "0 0 0 * * 0"},     {"@Daily", "0 0 0 * * *"},
        {"@hourly", "0 0 * * * *"},     {"@minutely", "0 * * * * *"},
        {"@secondly", "* * * * * *"},   {"@weekdays", "0 0 0 * * 1,2,3,4,5"},
        {"@weekends", "0 0 0 * * 0,6"},
    };
    char text[WSHUB_EXT_CRON_TEXT_BYTES];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_ext_cron cron = parsed(cases[i][0]);
        (void)wshub_ext_cron_write(&cron, text, sizeof text);
        EXPECT_STR(text, cases[i][1]);
    }
}

TEST(texts_are_cut_to_the_room_that_there_is) { /* CRON-1 */
    wshub_ext_cron cron = parsed("0-58 0-58 0-22 1-30 1-11 0-5");
    char text[WSHUB_EXT_CRON_TEXT_BYTES], cut[8];
    size_t n = wshub_ext_cron_write(&cron, text, sizeof text);
    EXPECT_OP(n, <, WSHUB_EXT_CRON_TEXT_BYTES);
    EXPECT_INT(wshub_ext_cron_write(&cron, cut, sizeof cut), n);
    EXPECT_STR(cut, "0,1,2,3");
    EXPECT_INT(wshub_ext_cron_write(&cron, NULL, 99), n);
    EXPECT_INT(wshub_ext_cron_write_field(&cron, WSHUB_EXT_CRON_NONE, cut, sizeof cut), 0);
    EXPECT_STR(cut, "");
}

TEST(a_value_that_is_no_expression_never_fires) { /* CRON-1 */
    wshub_ext_cron cron;
    memset(&cron, 0, sizeof cron);
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, 0), NEVER);
    EXPECT_INT(wshub_ext_cron_previous(&cron, NULL, 0), NEVER);
    EXPECT(!wshub_ext_cron_matches(&cron, NULL, 0));
    cron = parsed("* * * * * *");
    cron.hours |= 1U << 24;
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, 0), NEVER);
}

TEST(expressions_are_described_in_english) { /* CRON-1 */
    /* clang-format off */
    static const char *const cases[][2] = {
        {"* * * * * *", "every second"}, {"*/5 * * * * *", "every 5 seconds"}, {"* * * * *", "every minute"},
        {"5 * * * * *", "at second 5 of every minute"}, {"5,7 * * * * *", "at seconds 5 and 7"}, {"@hourly", "every hour"},
        {"*/15 * * * *", "every 15 minutes"}, {"*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"},
        {"30 * * * *", "at minute 30 of every hour"}, {"30 * * * * 6", "at second 30 of every minute on Saturday"},
        {"*/10 30 * * * *", "every 10 seconds, at minute 30 of every hour"},
        {"30 9 * * *", "at 09:30 every day"}, {"5 30 9 * * *", "at 09:30:05 every day"}, {"30 9 * * 1-5", "at 09:30 on weekdays"},
        {"0 9-17/2 * * *", "at 09:00, 11:00, 13:00, 15:00 and 17:00 every day"},
        {"*/5 9-17 * * 1-5", "every 5 minutes from 09:00 to 17:59 on weekdays"},
        {"* 1,3 * * *", "every minute in the hours from 01:00 and 03:00"},
        {"0 0 1,15 * *", "at 00:00 on the 1st and the 15th"}, {"0 0 2,3,11,22,23 * *", "at 00:00 on the 2nd, the 3rd, the 11th, the 22nd and the 23rd"},
        {"0 0 1-7 * *", "at 00:00 on the 1st to the 7th"}, {"0 0 13 * 5", "at 00:00 on the 13th or on Friday"},
        {"@weekends", "at 00:00 on weekends"}, {"0 0 * * 2-4", "at 00:00 on Tuesday to Thursday"},
        {"0 0 * * 1,3", "at 00:00 on Monday and Wednesday"}, {"@yearly", "at 00:00 on the 1st in January"},
        {"0 0 * jun-aug *", "at 00:00 in June to August"}, {"* * * jan,mar,dec *", "every minute in January, March and December"},
    };
    /* clang-format on */
    wshub_ext_cron cron = parsed("30 9 * * 1-5");
    char text[WSHUB_EXT_CRON_DESCRIBE_BYTES], zone[256];
    size_t i;
    (void)wshub_ext_cron_describe(&cron, "Europe/Berlin", text, sizeof text);
    EXPECT_STR(text, "at 09:30 on weekdays, Europe/Berlin");
    EXPECT_INT(wshub_ext_cron_describe(&cron, "", NULL, 0), strlen("at 09:30 on weekdays"));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cron = parsed(cases[i][0]);
        (void)wshub_ext_cron_describe(&cron, NULL, text, sizeof text);
        EXPECT_STR(text, cases[i][1]);
    }
    memset(zone, 'z', sizeof zone);
    zone[255] = 0;
    cron = parsed(
        "1-57/2,58 1-57/2,58 0-20/2,21,23 1-27/2,28,30 1-11/2,12 0,2,4,5"); /* as long as any */
    EXPECT_OP(wshub_ext_cron_describe(&cron, zone, text, sizeof text), <, sizeof text);
    memset(&cron, 0, sizeof cron);
    (void)wshub_ext_cron_describe(&cron, NULL, text, sizeof text);
    EXPECT_STR(text, "never");
}

/* ---- what others got wrong ---- */

TEST(instants_that_others_got_wrong) { /* CRON-2; b1 to b11, b15, b18 */
    /* clang-format off */
    static const struct { const char *expr, *zone, *after, *want; } cases[] = {
        {"30 2 * * *", "America/New_York", "2026-03-08T06:30:00", "2026-03-08T07:00:00 2026-03-09T06:30:00"}, /* b1 */
        {"0 * * * *", "America/New_York", "2026-03-08T06:30:00", "2026-03-08T07:00:00 2026-03-08T08:00:00"}, /* b2 */
        {"* * * */3 *", "America/New_York", "2015-02-15T05:00:00", "2015-04-01T04:00:00"}, /* b3 */
        {"30 55 5,11,17 * * *", "CET-1CEST,M3.5.0,M10.5.0/3", "2023-03-25T20:54:04", "2023-03-26T03:55:30"}, /* b4 */
        {"0 30 14 * * *", "Europe/Vilnius", "2020-03-28T12:30:00", "2020-03-29T11:30:00"}, /* b5 */
        {"0 0 * * *", "America/Sao_Paulo", "2018-02-17T02:05:00", "2018-02-18T03:00:00"}, /* b6 */
        {"0 0 1 * *", "Europe/Berlin", "2024-02-29T23:00:00", "2024-03-31T22:00:00 2024-04-30T22:00:00"}, /* b7 */
        {"2 2 * * *", "America/Los_Angeles", "2016-03-12T10:03:00", "2016-03-13T10:00:00 2016-03-14T09:02:00"}, /* b8 */
        {"0 0 30 2 *", "UTC", "2026-01-01T00:00:00", "never"}, /* b9 */
        {"* * * 31 4 *", "Europe/Berlin", "2026-01-01T00:00:00", "never"}, /* b9 */
        {"0 9 29 2 *", "UTC", "2016-02-29T09:00:00", "2020-02-29T09:00:00"}, /* b10 */
        {"0 9 29 2 *", "UTC", "2096-02-29T09:00:00", "2104-02-29T09:00:00"},
        {"0 9 1-31 * 1", "UTC", "2026-05-01T00:00:00", "2026-05-04T09:00:00"}, /* b11 */
        {"0 9 */2 * 1", "UTC", "2026-05-01T00:00:00", "2026-05-01T09:00:00 2026-05-03T09:00:00 2026-05-04T09:00:00"}, /* b11 */
        {"30 1 * * *", "UTC", "2022-10-29T23:50:54", "2022-10-30T01:30:00"}, /* b15 */
        {"30 2 * * *", "Asia/Gaza", "2026-03-27T12:00:00", "2026-03-28T00:00:00 2026-03-28T23:30:00"}, /* b18 */
        {"0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00", "2011-12-30T10:00:00 2012-12-29T22:00:00"}, /* a day that is not there */
        {"0 0 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00", "2026-10-03T15:30:00 2026-10-04T15:00:00"}, /* half an hour */
    };
    /* clang-format on */
    size_t i;
    int count;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *p = cases[i].want;
        for (count = 1; (p = strchr(p, ' ')) != NULL; p++) count++;
        EXPECT_STR(follow(cases[i].expr, cases[i].zone, cases[i].after, count), cases[i].want);
    }
}

TEST(a_day_of_a_new_year_is_found_from_any_second) { /* CRON-2 */
    wshub_ext_cron cron = parsed("59 59 23 31 12 *");
    int64_t want = at("2026-12-31T23:59:59");
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, want - 1), want);
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, want - 999), want);
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, want), at("2027-12-31T23:59:59"));
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, want + 999), at("2027-12-31T23:59:59"));
    EXPECT_INT(wshub_ext_cron_previous(&cron, NULL, want), at("2025-12-31T23:59:59"));
    EXPECT_INT(wshub_ext_cron_previous(&cron, NULL, want + 1), want);
    EXPECT(wshub_ext_cron_matches(&cron, NULL, want + 999));
    EXPECT(!wshub_ext_cron_matches(&cron, NULL, want - 1));

    /* before 1970 a fraction is dropped downwards too */
    cron = parsed("* * * * * *");
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, -1), 0);
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, -1000), 0);
    EXPECT_INT(wshub_ext_cron_next(&cron, NULL, -1001), -1000);
    EXPECT_INT(wshub_ext_cron_previous(&cron, NULL, 1), 0);
    EXPECT_INT(wshub_ext_cron_previous(&cron, NULL, 0), -1000);
}

TEST(far_dates_have_answers_and_ends) { /* CRON-2 */
    wshub_ext_cron cron = parsed("30 2 * * *");
    wshub_ext_cron_zone *zone = zone_of("Europe/Berlin");
    EXPECT_STR(follow("30 2 * * *", "Europe/Berlin", "2999-03-30T12:00:00", 2),
               "2999-03-31T01:00:00 2999-04-01T00:30:00");
    EXPECT_STR(follow("0 0 29 2 *", "UTC", "2896-03-01T00:00:00", 1), "2904-02-29T00:00:00");
    EXPECT_INT(wshub_ext_cron_next(&cron, zone, INT64_MAX), NEVER);
    EXPECT_INT(wshub_ext_cron_previous(&cron, zone, INT64_MIN), NEVER);
    EXPECT_OP(wshub_ext_cron_next(&cron, zone, INT64_MIN), <, INT64_MIN + 3 * 86400000LL);
    EXPECT_OP(wshub_ext_cron_previous(&cron, zone, INT64_MAX), >, INT64_MAX - 3 * 86400000LL);
    wshub_ext_cron_zone_destroy(zone);
}

/* ---- zones ---- */

TEST(posix_rules_are_read_to_the_letter) { /* CRON-3; b17 */
    /* clang-format off */
    static const struct { const char *rule, *when; int offset; } cases[] = {
        {"EST5EDT,M3.2.0,M11.1.0", "2026-01-15T00:00:00", -18000},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59", -18000},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00", -14400},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59", -14400},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00", -18000},
        {"EST5EDT,M3.2.0,M11.1.0", "1900-07-01T00:00:00", -14400},
        {"EST5EDT,M3.2.0,M11.1.0", "2500-07-01T00:00:00", -14400},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-15T00:00:00", 0}, /* b17: the second name is winter's */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-15T00:00:00", 3600},
        {"<+0330>-3:30", "2026-01-15T00:00:00", 12600}, /* b17: east of UTC is negative in a rule */
        {"<-03>3", "2026-07-15T00:00:00", -10800},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59", -7200},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00", -3600},
        {"<+0330>-3:30<+0430>,J79/24,J263/24", "2026-01-01T00:00:00", 12600},
        {"<+0330>-3:30<+0430>,J79/24,J263/24", "2026-07-01T00:00:00", 16200},
        {"AAA0BBB,J60/0,J61/0", "2024-03-01T00:00:00", 3600}, /* J60 is March 1, leap year or not */
        {"AAA0BBB,J60/0,J61/0", "2023-03-01T00:00:00", 3600},
        {"AAA0BBB,J59/0,J60/0", "2024-02-28T00:00:00", 3600},
        {"AAA0BBB,59/0,60/0", "2024-02-29T00:00:00", 3600}, /* 59 is February 29 in a leap year */
        {"AAA0BBB,59/0,60/0", "2023-03-01T00:00:00", 3600},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00", 10800}, /* b18 */
        {"XXX3EDT4,0/0,J365/23", "2026-01-01T12:00:00", -14400}, /* summer for ever */
        {"XXX3EDT4,0/0,J365/23", "1960-01-01T03:00:00", -14400},
        {"AAA0:00:30BBB-1:2:3,M1.1.0,M2.1.0", "2026-01-20T00:00:00", 3723},
        {"AAA0:00:30BBB-1:2:3,M1.1.0,M2.1.0", "2026-06-20T00:00:00", -30},
    };
    static const char *const bad[] = {
        "EST5EDT,M3.2.0", "EST5EDT,M3.2.0,", "EST5EDT,M3.2.0,M11.1.0,", "EST5EDT,M3.2.0,M11.1.0x", "EST5,M3.2.0,M11.1.0",
        "ES5EDT,M3.2.0,M11.1.0", "EST25EDT,M3.2.0,M11.1.0", "EST5EDT,M0.2.0,M11.1.0", "EST5EDT,M13.2.0,M11.1.0",
        "EST5EDT,M3.0.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J5", "EST5EDT,J366,J5",
        "EST5EDT,366,5", "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0/-168,M11.1.0", "EST5EDT,M3.2.0/1:60,M11.1.0",
        "EST5EDT,M3.2.0/1:0:60,M11.1.0", "EST5EDT,M3.2.0/,M11.1.0", "<ES5EDT,M3.2.0,M11.1.0", "<+0>5EDT,M3.2.0,M11.1.0", ",",
        "EST5EDT, M3.2.0,M11.1.0", "EST5EDT,M3.2.0/00002,M11.1.0", "5EDT,M3.2.0,M11.1.0", "ESTEDT,M3.2.0,M11.1.0",
        "<+0330>", "<+0330-3:30", "<+0330>-3:30x", "<", "<../../etc/passwd>0x", "<+03>-25",
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_ext_cron_zone *zone = zone_of(cases[i].rule);
        int got = wshub_ext_cron_zone_offset(zone, at(cases[i].when));
        if (got != cases[i].offset) (void)printf("  %s %s\n", cases[i].rule, cases[i].when);
        EXPECT_INT(got, cases[i].offset);
        wshub_ext_cron_zone_destroy(zone);
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wshub_ext_cron_zone_desc desc = {.name = bad[i]};
        if (zone_err(bad[i]) != WSHUB_ERR_PARAM) (void)printf("  %s\n", bad[i]);
        EXPECT_INT(zone_err(bad[i]), WSHUB_ERR_PARAM);
        EXPECT_HAS(wshub_ext_cron_zone_problem(&desc), "name: ");
    }
}

TEST(names_never_leave_the_folder) { /* CRON-3 */
    static const char *const bad[] = {"../etc/passwd",
                                      "/etc/localtime",
                                      "Europe/../UTC",
                                      ".",
                                      "Europe//Berlin",
                                      "Europe/Berlin/",
                                      "zone.tab",
                                      " UTC",
                                      "Europe Berlin",
                                      "+03:00",
                                      "/"};
    static const char *const absent[] = {"Europe", "Not/AZone", "leapseconds", "utc3", "UTC+3"};
    char name[400];
    size_t i;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) EXPECT_INT(zone_err(bad[i]), WSHUB_ERR_PARAM);
    for (i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        EXPECT(zone_err(absent[i]) == WSHUB_ERR_ABSENT || zone_err(absent[i]) == WSHUB_ERR_PROTO);
    }
    memset(name, 'a', sizeof name);
    name[300] = 0;
    EXPECT_INT(zone_err(name), WSHUB_ERR_PARAM);
    name[255] = 0;
    EXPECT_INT(zone_err(name), WSHUB_ERR_ABSENT);
}

TEST(fixed_offsets_and_descriptions_are_checked) { /* CRON-3 */
    wshub_ext_cron_zone *zone = NULL;
    wshub_ext_cron cron = parsed("0 0 * * *");
    wshub_ext_cron_zone_desc desc = {.fixed = true, .offset_s = 12600};
    EXPECT_INT(wshub_ext_cron_zone_create(&desc, &zone), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, 0), 12600);
    EXPECT_INT(wshub_ext_cron_next(&cron, zone, at("2026-01-01T00:00:00")),
               at("2026-01-01T20:30:00"));
    wshub_ext_cron_zone_destroy(zone);
    desc.name = "UTC";
    EXPECT_HAS(wshub_ext_cron_zone_problem(&desc), "fixed: ");
    EXPECT_INT(wshub_ext_cron_zone_create(&desc, &zone), WSHUB_ERR_PARAM);
    desc.fixed = false;
    EXPECT_HAS(wshub_ext_cron_zone_problem(&desc), "offset_s: ");
    desc.fixed = true;
    desc.name = "";
    desc.offset_s = 93601;
    EXPECT_HAS(wshub_ext_cron_zone_problem(&desc), "offset_s: ");
    desc.offset_s = -93601;
    EXPECT_HAS(wshub_ext_cron_zone_problem(&desc), "offset_s: ");
    desc.offset_s = 0;
    desc.folder = "";
    EXPECT_HAS(wshub_ext_cron_zone_problem(&desc), "folder: ");
    desc.folder = NULL;
    EXPECT(wshub_ext_cron_zone_problem(&desc) == NULL);
    EXPECT(wshub_ext_cron_zone_problem_versioned(&desc, sizeof desc, 99) != NULL);
    EXPECT(wshub_ext_cron_zone_problem_versioned(&desc, 1, WSHUB_EXT_CRON_ZONE_VERSION) != NULL);
    EXPECT_INT(wshub_ext_cron_zone_create(&desc, NULL), WSHUB_ERR_PARAM);
    wshub_ext_cron_zone_destroy(NULL);
}

static const char *zone_why(wshub_ext_cron_zone_desc desc, wshub_err err) {
    static char why[WSHUB_EXPLAIN_BYTES];
    EXPECT_INT(wshub_ext_cron_zone_explain(&desc, err, why, sizeof why), strlen(why));
    return why;
}

TEST(what_is_wrong_with_a_zone_is_said_with_what_is_there) { /* CRON-3 */
#define ZONE(...) ((wshub_ext_cron_zone_desc){__VA_ARGS__})
    char why[WSHUB_EXPLAIN_BYTES];
    EXPECT_STR(zone_why(ZONE(.name = "Europe/Paris"), WSHUB_OK), "");
    EXPECT_STR(zone_why(ZONE(.name = "../x"), WSHUB_OK),
               "name is \"../x\", folder is NULL: must be of letters, digits, `_`, `+`, `-` and "
               "`/`, as in \"Europe/Berlin\"");
    EXPECT_HAS(zone_why(ZONE(.name = "<x"), WSHUB_OK), "name is \"<x\", folder is NULL: with a");
    EXPECT_HAS(zone_why(ZONE(.name = "No/Zone", .folder = "/f"), WSHUB_ERR_ABSENT),
               "name is \"No/Zone\", folder is \"/f\": no such zone; looked in that folder");
    EXPECT_HAS(zone_why(ZONE(.name = "x"), WSHUB_ERR_PROTO), "is no zone file (RFC 9636)");
    EXPECT_HAS(zone_why(ZONE(.name = "UTC", .fixed = true), WSHUB_OK),
               "fixed is true, name is \"UTC\": ");
    EXPECT_HAS(zone_why(ZONE(.offset_s = 5), WSHUB_OK), "offset_s: means something only with");
    EXPECT_HAS(zone_why(ZONE(0), WSHUB_ERR_PARAM), "out_zone: required");
    EXPECT_STR(zone_why(ZONE(0), WSHUB_ERR_NOMEM), wshub_strerror(WSHUB_ERR_NOMEM));
    (void)wshub_ext_cron_zone_explain(NULL, WSHUB_ERR_ABSENT, why, sizeof why);
    EXPECT_HAS(why, "no such zone; looked in");
    (void)wshub_ext_cron_zone_explain_versioned(NULL, 1, 1, WSHUB_OK, why, sizeof why);
    EXPECT_HAS(why, "of another wshub_ext_cron.h");
#undef ZONE
}

/* ---- zone files, built by hand ---- */

typedef struct file {
    uint8_t bytes[4096];
    size_t len;
    bool told; /* more than there is room for */
} file;

static void put(file *f, uint64_t n, int bytes) {
    while (bytes--) f->bytes[f->len++] = (uint8_t)(n >> 8 * bytes);
}
/* A block with two types, standard and summer, and changes to them in turn. */
static void put_block(file *f, char version, int wide, const int64_t *times, int count, int winter,
                      int summer) {
    int i;
    memcpy(f->bytes + f->len, "TZif", 4);
    f->len += 4;
    put(f, (uint64_t)version, 1);
    for (i = 0; i < 15; i++) put(f, 0, 1);
    put(f, 0, 4);
    put(f, 0, 4);
    put(f, 0, 4);
    put(f, (uint64_t)count, 4);
    put(f, 2, 4);
    put(f, 8, 4);
    for (i = 0; i < count; i++) put(f, (uint64_t)times[i], wide ? 8 : 4);
    for (i = 0; i < count; i++) put(f, i % 2 == 0, 1);
    put(f, (uint64_t)(uint32_t)winter, 4);
    put(f, 0, 2);
    put(f, (uint64_t)(uint32_t)summer, 4);
    put(f, 0x0104, 2);
    memcpy(f->bytes + f->len, "AAA\0BBB", 8);
    f->len += 8;
}
static void put_text(file *f, const char *text) {
    memcpy(f->bytes + f->len, text, strlen(text));
    f->len += strlen(text);
}

static size_t load(void *user, const char *name, void *bytes, size_t cap) {
    file *f = (file *)user;
    if (strcmp(name, "My/Zone") != 0) return 0;
    if (f->told) return cap;
    memcpy(bytes, f->bytes, f->len);
    return f->len;
}

static size_t held;
static int fail_at;
static void *counted(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    if (new_bytes && fail_at && --fail_at == 0) return NULL;
    held += new_bytes;
    held -= old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

static wshub_err loaded(file *f, wshub_ext_cron_zone **out_zone) {
    wshub_ext_cron_zone_desc desc = {
        .name = "My/Zone", .load = load, .load_user = f, .folder = "/nowhere", .alloc = counted};
    return wshub_ext_cron_zone_create(&desc, out_zone);
}

TEST(files_of_all_versions_are_read_with_their_footers) { /* CRON-3; b16 */
    static const int64_t times[2] = {1000000, 2000000};
    wshub_ext_cron_zone *zone = NULL;
    file f;

    memset(&f, 0, sizeof f); /* the first version has 32 bits and no footer */
    put_block(&f, 0, 0, times, 2, 3600, 7200);
    EXPECT_INT(loaded(&f, &zone), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, -1), 3600);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, 999999999), 3600);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, 1000000000), 7200);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, at("2026-07-01T00:00:00")), 3600);
    wshub_ext_cron_zone_destroy(zone);

    memset(&f, 0,
           sizeof f); /* slim: what holds today is in the footer alone, on an empty list too */
    put_block(&f, '2', 0, times, 0, 0, 0);
    put_block(&f, '2', 1, times, 0, 3600, 7200);
    put_text(&f, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    EXPECT_INT(loaded(&f, &zone), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, at("2022-11-30T00:00:00")), 3600);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, at("2022-07-30T00:00:00")), 7200);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, at("2522-07-30T00:00:00")), 7200);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, at("1822-07-30T00:00:00")), 7200);
    wshub_ext_cron_zone_destroy(zone);

    memset(&f, 0, sizeof f); /* the 64-bit block counts, and the footer from its last change on */
    put_block(&f, '3', 0, times, 2, -3600, -7200);
    put_block(&f, '3', 1, times, 2, 3600, 7200);
    put_text(&f, "\n<+01>-1\n");
    EXPECT_INT(loaded(&f, &zone), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, 1500000000), 7200);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, at("2522-07-30T00:00:00")), 3600);
    wshub_ext_cron_zone_destroy(zone);

    memset(&f, 0, sizeof f); /* no footer: the last offset holds for ever */
    put_block(&f, '4', 0, times, 0, 0, 0);
    put_block(&f, '4', 1, times, 1, 3600, 7200);
    put_text(&f, "\n\n");
    EXPECT_INT(loaded(&f, &zone), WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_zone_offset(zone, at("2522-12-30T00:00:00")), 7200);
    wshub_ext_cron_zone_destroy(zone);
    EXPECT_INT(held, 0);
}

TEST(what_was_shown_before_several_changes_is_not_shown_again) { /* CRON-2 */
    int64_t midnight = at("2026-01-10T00:00:00") / 1000, times[3];
    wshub_ext_cron one = parsed("0 1 * * *"), two = parsed("15 2 * * *");
    wshub_ext_cron_zone *zone = NULL;
    file f;
    times[0] = 1000000;
    times[1] = midnight;        /* 02:00 becomes 00:00 */
    times[2] = midnight + 1800; /* and 00:30 becomes 02:30: only 02:00 to 02:30 is skipped */
    memset(&f, 0, sizeof f);
    put_block(&f, '2', 0, times, 0, 0, 0);
    put_block(&f, '2', 1, times, 3, 0, 7200);
    put_text(&f, "\n\n");
    EXPECT_INT(loaded(&f, &zone), WSHUB_OK);
    EXPECT_STR(shown(wshub_ext_cron_next(&one, zone, at("2026-01-09T12:00:00"))),
               "2026-01-09T23:00:00");
    EXPECT_STR(shown(wshub_ext_cron_next(&one, zone, at("2026-01-09T23:00:00"))),
               "2026-01-10T23:00:00");
    EXPECT_STR(shown(wshub_ext_cron_previous(&one, zone, at("2026-01-10T12:00:00"))),
               "2026-01-09T23:00:00");
    EXPECT_STR(shown(wshub_ext_cron_next(&two, zone, at("2026-01-09T12:00:00"))),
               "2026-01-10T00:30:00");
    wshub_ext_cron_zone_destroy(zone);
}

TEST(the_way_back_from_an_hour_that_comes_twice) { /* CRON-2 */
    wshub_ext_cron cron = parsed("30 1 1 11 *");
    wshub_ext_cron_zone *zone = zone_of("America/New_York");
    EXPECT_STR(shown(wshub_ext_cron_previous(&cron, zone, at("2026-11-01T06:10:00"))),
               "2026-11-01T05:30:00");
    EXPECT_STR(shown(wshub_ext_cron_previous(&cron, zone, at("2026-11-01T05:30:00"))),
               "2025-11-01T05:30:00");
    wshub_ext_cron_zone_destroy(zone);
}

TEST(hostile_files_get_an_error) { /* CRON-3 */
    static const int64_t times[3] = {1000000, 2000000, 3000000}, same[2] = {1000000, 1000000};
    static const int64_t far[1] = {INT64_MIN};
    wshub_ext_cron_zone *zone = NULL;
    wshub_ext_cron cron = parsed("30 2 * * *"), often = parsed("* * * * *");
    file f, g;
    size_t i;
    int bit;

    memset(&f, 0, sizeof f);
    put_block(&f, '2', 0, times, 1, 0, 3600);
    put_block(&f, '2', 1, times, 3, 0, 3600);
    put_text(&f, "\nAAA0BBB,M3.5.0,M10.5.0\n");
    for (i = 0; i < f.len; i++) { /* no part of it is a whole file */
        if (i == 0) continue;     /* nothing at all is no zone of that name */
        g = f;
        g.len = i;
        EXPECT_INT(loaded(&g, &zone), WSHUB_ERR_PROTO);
    }
    for (i = 0; i < 8 * f.len; i++) { /* each bit: an error, or a zone that answers */
        g = f;
        bit = (int)(i % 8);
        g.bytes[i / 8] = (uint8_t)(g.bytes[i / 8] ^ 1U << bit);
        if (loaded(&g, &zone)) continue;
        EXPECT_OP(wshub_ext_cron_next(&cron, zone, 0), >, 0);
        EXPECT_OP(wshub_ext_cron_next(&often, zone, 999999000), >, 999999000);
        EXPECT_OP(wshub_ext_cron_previous(&often, zone, 3000000000), <, 3000000000);
        wshub_ext_cron_zone_destroy(zone);
    }

    memset(&f, 0, sizeof f);
    put_block(&f, 0, 0, same, 2, 0, 3600); /* not ascending */
    EXPECT_INT(loaded(&f, &zone), WSHUB_ERR_PROTO);
    memset(&f, 0, sizeof f);
    put_block(&f, '2', 0, times, 0, 0, 0);
    put_block(&f, '2', 1, far, 1, 0, 3600);
    put_text(&f, "\n\n");
    EXPECT_INT(loaded(&f, &zone), WSHUB_ERR_PROTO);
    memset(&f, 0, sizeof f);
    put_block(&f, 0, 0, times, 2, 0, 93601);
    EXPECT_INT(loaded(&f, &zone), WSHUB_ERR_PROTO);
    f.told = true; /* larger than any zone */
    EXPECT_INT(loaded(&f, &zone), WSHUB_ERR_PROTO);
    EXPECT_INT(held, 0);
}

TEST(want_of_memory_leaves_nothing_behind) { /* CRON-3 */
    static const int64_t times[1] = {1000000};
    wshub_ext_cron_zone *zone = NULL;
    wshub_ext_cron_zone_desc desc = {.fixed = true, .alloc = counted};
    file f;
    int n;
    memset(&f, 0, sizeof f);
    put_block(&f, 0, 0, times, 1, 0, 3600);
    for (n = 1; n <= 2; n++) {
        fail_at = n;
        EXPECT_INT(loaded(&f, &zone), WSHUB_ERR_NOMEM);
        EXPECT(zone == NULL);
        EXPECT_INT(held, 0);
    }
    fail_at = 3; /* giving room back fails: it is kept */
    EXPECT_INT(loaded(&f, &zone), WSHUB_OK);
    wshub_ext_cron_zone_destroy(zone);
    EXPECT_INT(held, 0);
    fail_at = 1;
    EXPECT_INT(wshub_ext_cron_zone_create(&desc, &zone), WSHUB_ERR_NOMEM);
    fail_at = 0;
}

/* The system's own zone, under that TZ. */
static int32_t own_offset(const char *tz, const char *when, wshub_err *out_err) {
    wshub_ext_cron_zone *zone = NULL;
    int32_t offset = 0;
    if (tz)
        (void)setenv("TZ", tz, 1);
    else
        (void)unsetenv("TZ");
    *out_err = wshub_ext_cron_zone_create(NULL, &zone);
    if (!*out_err) offset = wshub_ext_cron_zone_offset(zone, at(when));
    wshub_ext_cron_zone_destroy(zone);
    (void)unsetenv("TZ");
    return offset;
}

TEST(the_systems_own_zone_is_that_of_its_environment) { /* CRON-3 */
    static const char *const when = "2026-07-01T00:00:00";
    wshub_err err;
    EXPECT_INT(own_offset("Europe/Berlin", when, &err), 7200);
    EXPECT_INT(own_offset(":Europe/Berlin", when, &err), 7200);
    EXPECT_INT(own_offset("/usr/share/zoneinfo/Asia/Tokyo", when, &err), 32400);
    EXPECT_INT(own_offset("EST5EDT,M3.2.0,M11.1.0", when, &err), -14400);
    EXPECT_INT(own_offset("JST-9", when, &err), 32400);
    EXPECT_INT(own_offset("<+0330>-3:30", when, &err), 12600);
    EXPECT_INT(own_offset("", when, &err), 0);
    EXPECT_INT(err, WSHUB_OK);
    (void)own_offset("/etc/passwd", when, &err);
    EXPECT_INT(err, WSHUB_ERR_PARAM);
    (void)own_offset("No/Such", when, &err);
    EXPECT_INT(err, WSHUB_ERR_ABSENT);
    (void)own_offset(NULL, when, &err);
    EXPECT_INT(err, WSHUB_OK);
    (void)own_offset("/etc/localtime", when, &err);
    EXPECT_INT(err, WSHUB_OK);
    (void)setenv("TZDIR", "/nowhere", 1);
    EXPECT_INT(zone_err("Europe/Berlin"), WSHUB_ERR_ABSENT);
    EXPECT_INT(zone_err("UTC"), WSHUB_OK);
    (void)unsetenv("TZDIR");
}
