/* The manual is true: what wshub.h says about itself in lists and tables agrees with what stands in
 * the code (CONTRIBUTING.md, How to add). Run from the root of the tree, whose files it reads. */
#define _GNU_SOURCE
#include "hubtest.h"
#include <ctype.h>
#include <dirent.h>
#include "texts.h"

/* ---- statistics: WSHUB_STATS ---- */

static const struct {
    const char *name, *type, *unit, *help;
    size_t at;
} figures[] = {
#define FIGURE(name, type, unit, help) {#name, #type, unit, help, offsetof(wshub_stats, name)},
    WSHUB_STATS(FIGURE)
#undef FIGURE
};
#define FIGURES (sizeof figures / sizeof figures[0])
#define STATS_BYTES 16384 /* what the header says is enough */

static uint64_t figure_of(const wshub_stats *s, size_t i) {
    uint64_t n;
    memcpy(&n, (const char *)s + figures[i].at, sizeof n);
    return n;
}

TEST(every_figure_has_a_name_of_its_own_and_a_help) {
    size_t i, k;
    EXPECT(sizeof(wshub_stats) == FIGURES * sizeof(uint64_t)); /* nothing but what is in the list */
    for (i = 0; i < FIGURES; i++) {
        EXPECT(figures[i].help[0] && figures[i].help[strlen(figures[i].help) - 1] == '.');
        EXPECT(!strpbrk(figures[i].help, "\\\"\n")); /* OpenMetrics would want them escaped */
        for (k = 0; k < i; k++) EXPECT(strcmp(figures[i].name, figures[k].name) != 0);
    }
}

/* One line of OpenMetrics; false: the text goes on otherwise. */
static bool line_is(const char **at, const char *want) {
    size_t n = strlen(want);
    if (strncmp(*at, want, n) != 0 || (*at)[n] != '\n') return false;
    *at += n + 1;
    return true;
}
static void openmetrics_says(const char *text, const wshub_stats *s) {
    const char *at = text;
    char line[300];
    size_t i;
    for (i = 0; i < FIGURES; i++) {
        bool counter = strcmp(figures[i].type, "COUNTER") == 0;
        const char *ends = strrchr(figures[i].name, '_');
        (void)snprintf(line, sizeof line, "# TYPE wshub_%s %s", figures[i].name,
                       counter ? "counter" : "gauge");
        EXPECT(line_is(&at, line));
        /* a unit is said where the name ends with it */
        if (ends && strcmp(ends + 1, figures[i].unit) == 0) {
            (void)snprintf(line, sizeof line, "# UNIT wshub_%s %s", figures[i].name,
                           figures[i].unit);
            EXPECT(line_is(&at, line));
        }
        (void)snprintf(line, sizeof line, "# HELP wshub_%s %s", figures[i].name, figures[i].help);
        EXPECT(line_is(&at, line));
        (void)snprintf(line, sizeof line, "wshub_%s%s %llu", figures[i].name,
                       counter ? "_total" : "", (unsigned long long)figure_of(s, i));
        EXPECT(line_is(&at, line));
    }
    EXPECT(line_is(&at, "# EOF") && !*at);
}
static void json_says(wshub_str text, const wshub_stats *s) {
    wshub_str value;
    char want[24];
    size_t i;
    EXPECT(wshub_json_check(text, 2));
    for (i = 0; i < FIGURES; i++) {
        value = wshub_json_get(text, figures[i].name);
        (void)snprintf(want, sizeof want, "%llu", (unsigned long long)figure_of(s, i));
        EXPECT(wshub_str_eq_z(value, want));
    }
}

TEST(figures_as_text_are_the_figures) {
    static char text[STATS_BYTES + 1];
    wshub_stats s;
    world w;
    size_t n;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, "u", NULL);
    (void)world_client(&w, "u", NULL);
    s = stats(&w);
    EXPECT(s.clients == 2 && s.users == 1 && s.upgrades == 2);
    n = wshub_stats_json(w.hub, text, STATS_BYTES);
    EXPECT_OP(n, <, STATS_BYTES);
    json_says(wshub__str(text, n), &s);
    n = wshub_stats_openmetrics(w.hub, text, STATS_BYTES);
    EXPECT_OP(n, <, STATS_BYTES);
    text[n] = 0;
    openmetrics_says(text, &s);
    world_stop(&w);
}

TEST(figures_fit_however_large_they_are) { /* 16 KiB hold either text, as the header says */
    static char text[STATS_BYTES + 1];
    wshub_stats s;
    size_t n;
    memset(&s, 0xFF, sizeof s);
    n = wshub__stats_print_json(&s, text, STATS_BYTES);
    EXPECT_OP(n, <=, STATS_BYTES);
    json_says(wshub__str(text, n), &s);
    n = wshub__stats_print_openmetrics(&s, text, STATS_BYTES);
    EXPECT_OP(n, <=, STATS_BYTES);
    text[n] = 0;
    openmetrics_says(text, &s);
}

/* whatever there is, the length of the whole is said and nothing behind is touched */
TEST(figures_are_cut_where_the_memory_ends) {
    static char whole[STATS_BYTES], cut[STATS_BYTES + 1];
    world w;
    size_t cap, n[2], k;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    n[0] = wshub_stats_json(w.hub, NULL, 0);
    n[1] = wshub_stats_openmetrics(w.hub, NULL, 0);
    for (k = 0; k < 2; k++) {
        size_t (*const write)(const wshub *hub, char *buf, size_t cap) =
            k ? wshub_stats_openmetrics : wshub_stats_json;
        EXPECT_INT(write(w.hub, whole, sizeof whole), n[k]);
        for (cap = 0; cap <= n[k]; cap++) {
            memset(cut, '~', sizeof cut);
            EXPECT_INT(write(w.hub, cut, cap), n[k]);
            EXPECT(memcmp(cut, whole, cap) == 0 && cut[cap] == '~');
        }
    }
    world_stop(&w);
}

/* ---- log codes: WSHUB_LOGS ---- */

TEST(every_log_code_says_what_it_means_and_what_to_do) {
    static const struct {
        const char *name, *text, *meaning, *advice;
    } codes[] = {
#define CODE(name, level, text, meaning, advice) {#name, text, meaning, advice},
        WSHUB_LOGS(CODE)
#undef CODE
    };
    char help[600];
    size_t i, k;
    EXPECT_INT(sizeof codes / sizeof codes[0], WSHUB_LOG_COUNT);
    for (i = 0; i < WSHUB_LOG_COUNT; i++) {
        EXPECT(codes[i].text[0] && codes[i].meaning[0] && codes[i].advice[0]);
        EXPECT(codes[i].meaning[strlen(codes[i].meaning) - 1] == '.' &&
               codes[i].advice[strlen(codes[i].advice) - 1] == '.');
        (void)snprintf(help, sizeof help, "%s %s", codes[i].meaning, codes[i].advice);
        EXPECT_STR(wshub_log_help((wshub_log_code)i), help);
        EXPECT_STR(wshub_log_name((wshub_log_code)i), codes[i].name);
        for (k = 0; k < i; k++)
            EXPECT(strcmp(codes[i].name, codes[k].name) != 0 &&
                   strcmp(codes[i].text, codes[k].text) != 0);
    }
    EXPECT_STR(wshub_log_help(WSHUB_LOG_COUNT), "?");
    EXPECT_STR(wshub_log_name(WSHUB_LOG_COUNT), "?");
}

/* ---- limits: WSHUB_LIMITS ---- */

static const struct {
    const char *name, *unit, *help;
    size_t at;
    bool wide, off;
    uint64_t usual, least, greatest;
} limits[] = {
#define LIMIT_OFF true
#define LIMIT_ALWAYS false
#define LIMIT(type, name, unit, usual, least, greatest, off, help)                                 \
    {#name, unit,  help,    offsetof(wshub_desc, name), sizeof(type) == 8, LIMIT_##off,            \
     usual, least, greatest},
    WSHUB_LIMITS(LIMIT)
#undef LIMIT
};
#define LIMITS (sizeof limits / sizeof limits[0])

static void limit_set(wshub_desc *d, size_t i, uint64_t value) {
    uint32_t narrow = (uint32_t)value;
    if (limits[i].wide)
        memcpy((char *)d + limits[i].at, &value, sizeof value);
    else
        memcpy((char *)d + limits[i].at, &narrow, sizeof narrow);
}
static uint64_t limit_get(const wshub_desc *d, size_t i) {
    uint32_t narrow;
    uint64_t wide;
    memcpy(&wide, (const char *)d + limits[i].at, sizeof wide);
    memcpy(&narrow, (const char *)d + limits[i].at, sizeof narrow);
    return limits[i].wide ? wide : narrow;
}
/* Is this value taken? Else the text begins with the field's name. Nothing else in the
 * description stands in its way. */
static bool taken(wshub_io_fake *net, size_t i, uint64_t value) {
    wshub_desc d;
    const char *why;
    size_t n = strlen(limits[i].name);
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(net);
    d.path = "/";
    d.no_default_rooms = d.no_pings = true;
    d.bus_queue_bytes_max = 1;
    d.client_messages_per_s = d.client_bytes_per_s = d.user_messages_per_s = d.user_bytes_per_s =
        d.address_messages_per_s = d.address_bytes_per_s = d.address_conns_per_s = 1;
    limit_set(&d, i, value);
    why = wshub_desc_problem(&d);
    EXPECT(!why || (strncmp(why, limits[i].name, n) == 0 && why[n] == ':'));
    if (why && strncmp(why, limits[i].name, n) != 0)
        (void)printf("  %s: %s\n", limits[i].name, why);
    return !why;
}
static const char *words(uint64_t n, char text[24]) {
    if (n == 1u << 30) return "1 GiB";
    if (n == 1u << 20) return "1 MiB";
    if (n == WSHUB_JSON_DEPTH_MAX) return "WSHUB_JSON_DEPTH_MAX";
    (void)snprintf(text, 24, "%llu", (unsigned long long)n);
    return text;
}

TEST(every_limit_is_kept_from_its_least_to_its_greatest_value) {
    wshub_io_fake *net;
    char text[24];
    size_t i, k;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < LIMITS; i++) {
        bool head = strcmp(limits[i].name, "http_head_bytes_max") == 0; /* and the path */
        uint64_t least = limits[i].least + head, greatest = limits[i].greatest;
        EXPECT(limits[i].help[0] && limits[i].unit[0] && limits[i].least >= 1);
        for (k = 0; k < i; k++) EXPECT(strcmp(limits[i].name, limits[k].name) != 0);

        EXPECT(taken(net, i, 0) && taken(net, i, least) && taken(net, i, greatest));
        if (least > 1)
            EXPECT(!taken(net, i, least - 1) &&
                   strstr(limits[i].help, words(limits[i].least, text)));
        if (greatest < UINT32_MAX - 1)
            EXPECT(!taken(net, i, greatest + 1) && strstr(limits[i].help, words(greatest, text)));

        /* whether a limit can be off is said, and so it is */
        EXPECT((strstr(limits[i].help, "WSHUB_OFF") != NULL) == limits[i].off);
        EXPECT((strstr(limits[i].help, "cannot be off") != NULL) == (greatest == UINT32_MAX - 1));
        EXPECT(taken(net, i, WSHUB_OFF) == (limits[i].off || greatest >= UINT32_MAX));
    }
    wshub_io_fake_destroy(net);
}

TEST(every_limit_left_out_is_its_default) {
    wshub_desc d, kept;
    size_t i;
    memset(&d, 0, sizeof d);
    wshub__desc_defaults(&d);
    for (i = 0; i < LIMITS; i++)
        EXPECT(limits[i].usual ? limit_get(&d, i) == limits[i].usual : limit_get(&d, i) > 0);
    EXPECT_INT(d.held_bytes_max, 131072 + 262144); /* those that follow another */
    EXPECT_INT(d.rooms_per_message_max, 1024);
    EXPECT_INT(d.bus_burst_bytes_max, 16 << 20);
    for (i = 0; i < LIMITS; i++) limit_set(&d, i, 77 + i);
    kept = d;
    wshub__desc_defaults(&d);
    /* what is said stays */
    for (i = 0; i < LIMITS; i++) EXPECT(limit_get(&d, i) == limit_get(&kept, i));
}

/* ---- the text of the files ---- */

/* A set of words, in the order in which they came. */
typedef struct words_set {
    char word[200][40];
    int times[200];
    size_t count;
} words_set;
static size_t set_find(const words_set *set, const char *word, size_t len) {
    size_t i;
    for (i = 0; i < set->count; i++) {
        if (strlen(set->word[i]) == len && memcmp(set->word[i], word, len) == 0) break;
    }
    return i;
}
static void set_add(words_set *set, const char *word, size_t len) {
    size_t i = set_find(set, word, len);
    if (len >= sizeof set->word[0] || i == sizeof set->word / sizeof set->word[0]) {
        EXPECT(!"a larger set of words");
        return;
    }
    if (i == set->count) {
        memcpy(set->word[i], word, len);
        set->count++;
    }
    set->times[i]++;
}
static bool set_has(const words_set *set, const char *word) {
    return set_find(set, word, strlen(word)) < set->count;
}

/* ---- tags: >>name in the list at the top, and at its banner ---- */

static size_t tag_len(const char *p) { /* of `>>name` at p; 0: none */
    size_t n = 2;
    if (p[0] != '>' || p[1] != '>' || !islower((unsigned char)p[2])) return 0;
    while (islower((unsigned char)p[n]) || isdigit((unsigned char)p[n]) ||
           (p[n] == '-' && islower((unsigned char)p[n + 1])))
        n++;
    return n;
}
/* All tags of a text: those that are banners, or those that are mentioned elsewhere. */
static void tags_of(const char *from, const char *to, bool banners, words_set *set) {
    const char *p, *line = from;
    for (p = from; p < to; p++) {
        size_t n = tag_len(p);
        bool banner =
            n && p - line <= 9 && strncmp(p - 5, "---- ", 5) == 0 && strncmp(p + n, " -", 2) == 0;
        if (*p == '\n') line = p + 1;
        if (n && banner == banners) set_add(set, p + 2, n - 2);
    }
}

TEST(every_tag_stands_at_one_banner_and_every_banner_in_the_list) {
    static words_set list, banners, mentions, elsewhere;
    char *header = text_of("wshub.h"), *readme = text_of("README.md"),
         *list_end = strstr(header, "*/");
    size_t i;
    EXPECT(list_end && strncmp(header, "/* wshub.h", 10) == 0);
    tags_of(header, list_end, false, &list);
    tags_of(list_end, header + strlen(header), true, &banners);
    tags_of(list_end, header + strlen(header), false, &mentions);
    tags_of(readme, readme + strlen(readme), false, &elsewhere);
    EXPECT(list.count > 60 && elsewhere.count > 10);
    for (i = 0; i < list.count; i++) {
        size_t k = set_find(&banners, list.word[i], strlen(list.word[i]));
        if (list.times[i] != 1 || k == banners.count || banners.times[k] != 1) {
            test_failures++;
            (void)printf("  >>%s is %d times in the list and at %d banners\n", list.word[i],
                         list.times[i], k < banners.count ? banners.times[k] : 0);
        }
    }
    for (i = 0; i < banners.count; i++) {
        if (set_has(&list, banners.word[i])) continue;
        test_failures++;
        (void)printf("  >>%s is not in the list\n", banners.word[i]);
    }
    for (i = 0; i < list.count && i < banners.count; i++) { /* in the order of the list */
        if (strcmp(list.word[i], banners.word[i]) == 0) continue;
        test_failures++;
        (void)printf("  >>%s comes where the list says >>%s\n", banners.word[i], list.word[i]);
        break;
    }
    for (i = 0; i < mentions.count + elsewhere.count; i++) { /* who is sent to a tag finds it */
        const char *word =
            i < mentions.count ? mentions.word[i] : elsewhere.word[i - mentions.count];
        if (set_has(&list, word)) continue;
        test_failures++;
        (void)printf("  >>%s is named in %s and is nowhere\n", word,
                     i < mentions.count ? "wshub.h" : "README.md");
    }
    free(header);
    free(readme);
}

/* ---- rules: those that are cited are those that >>rules defines ---- */

static size_t rule_len(const char *begin, const char *p) { /* of `AUTH-3` at p; 0: none */
    /* clang-format off */
    static const char *const families[] = {
        "CONN", "HTTP", "MSG", "AUTH", "ROOM", "SEND", "ENC", "BUS", "EMIT", "LIVE", "BYE", "LOG", "FILE", "APP",
        "PROXY", "PRES", "RATE", "CRON",
    };
    /* clang-format on */
    size_t i, n;
    if (p > begin && (isalnum((unsigned char)p[-1]) || p[-1] == '_' || p[-1] == '-')) return 0;
    for (i = 0; i < sizeof families / sizeof families[0]; i++) {
        n = strlen(families[i]);
        if (strncmp(p, families[i], n) != 0 || p[n] != '-' || !isdigit((unsigned char)p[n + 1]))
            continue;
        for (n++; isdigit((unsigned char)p[n]); n++) {
        }
        return n;
    }
    return 0;
}
static void rules_cited(const char *from, const char *to, words_set *set) {
    const char *p;
    for (p = from; p < to; p++) {
        size_t n = rule_len(from, p);
        if (n) set_add(set, p, n);
    }
}
static void rules_cited_below(const char *folder, words_set *set) {
    DIR *d = opendir(folder);
    struct dirent *e;
    EXPECT(d != NULL);
    while (d && (e = readdir(d)) != NULL) {
        char path[600], *text;
        size_t n = strlen(e->d_name);
        if (n < 3 || (strcmp(e->d_name + n - 2, ".c") != 0 && strcmp(e->d_name + n - 2, ".h") != 0))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        text = text_of(path);
        rules_cited(text, text + strlen(text), set);
        free(text);
    }
    if (d) (void)closedir(d);
}

TEST(rules_that_are_cited_are_defined_and_the_other_way_round) {
    static words_set cited, defined;
    char *header = text_of("wshub.h"), *rules = strstr(header, "---- >>rules -"),
         *end = rules ? strstr(rules + 4, "---- >>") : NULL, *p;
    size_t i;
    EXPECT(rules && end);
    /* a definition begins its line, has a text, and is there once */
    for (p = rules; p && p < end; p++) {
        size_t n = strncmp(p, "\n *   ", 6) == 0 ? rule_len(p + 6, p + 6) : 0;
        if (!n) continue;
        set_add(&defined, p + 6, n);
        EXPECT(strncmp(p + 6 + n, "  ", 2) == 0 && strcspn(p + 6 + n + 2, "\n") > 10);
    }
    rules_cited(header, rules, &cited);
    rules_cited(end, header + strlen(header), &cited);
    rules_cited_below("backends", &cited);
    rules_cited_below("tests", &cited);
    rules_cited_below("tests/bench", &cited);
    rules_cited_below("tests/fuzz", &cited);
    rules_cited_below("examples", &cited);
    EXPECT_OP(cited.count, >, 40);
    for (i = 0; i < defined.count; i++) EXPECT_INT(defined.times[i], 1);
    for (i = 0; i < cited.count + defined.count; i++) {
        bool is_cited = i < cited.count;
        const char *rule = is_cited ? cited.word[i] : defined.word[i - cited.count];
        if (set_has(is_cited ? &defined : &cited, rule)) continue;
        test_failures++;
        (void)printf("  %s is %s\n", rule,
                     is_cited ? "cited and nowhere defined" : "defined and nowhere cited");
    }
    free(header);
}

/* ---- sends: the table of >>sending has every one, and each once ---- */

/* The declaration that begins here, up to its semicolon, is of a function that sends: by its name,
 * or as it is given a message or packet that is no answer to a question of the hub's. */
static bool declares_a_send(const char *at, size_t n, const char *name) {
    if (strstr(name, "_send") || strstr(name, "_publish")) return true;
    if (strstr(name, "transform_accept")) return false;
    return has_word(at, n, "wshub_msg") || has_word(at, n, "wshub_packet");
}

TEST(every_public_send_stands_once_in_the_table_of_sends) {
    char *header = text_of("wshub.h"), *chapter = strstr(header, "---- >>sending -"),
         *table = chapter ? strstr(chapter, "\n *     to  ") : NULL,
         *end = table ? strstr(table, "\n *\n") : NULL, *api = strstr(header, "---- >>api-hub -"),
         *api_end = strstr(header, "#endif /* WSHUB_H */"), *at;
    static words_set told, sends;
    size_t i;
    EXPECT(table && end && api && api_end);

    for (at = table; at && (at = strstr(at, "wshub_")) != NULL && at < end; at += 6)
        if (strncmp(at, "wshub_dest", 10) != 0) set_add(&told, at, strcspn(at, " ,(\n"));
    for (at = api; at && (at = strstr(at, "\nWSHUB_API wshub_err wshub_")) != NULL && at < api_end;
         at++) {
        char *name = strstr(at, "wshub_err ") + 10, word[80];
        (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "("), name);
        if (declares_a_send(at, strcspn(at, ";"), word)) set_add(&sends, word, strlen(word));
    }

    EXPECT_OP(sends.count, >=, 25);
    for (i = 0; i < told.count; i++) EXPECT_INT(told.times[i], 1);
    for (i = 0; i < told.count + sends.count; i++) {
        bool is_told = i < told.count;
        const char *name = is_told ? told.word[i] : sends.word[i - told.count];
        if (set_has(is_told ? &sends : &told, name)) continue;
        test_failures++;
        (void)printf("  %s is %s\n", name,
                     is_told ? "in the table and sends nothing" : "not in the table");
    }
    free(header);
}

/* ---- changes: what 0.1.0 had and is no more, or is otherwise, is named in >>changes ---- */

/* Adds a text without its comments to another of n bytes, each white space a single blank. Returns
 * the new length. */
static size_t add_code(char *all, size_t n, const char *p, const char *end) {
    while (p < end) {
        if (strncmp(p, "/*", 2) == 0) {
            p = strstr(p, "*/") + 2;
        } else if (isspace((unsigned char)*p) || (*p == '\\' && p[1] == '\n')) {
            if (n && all[n - 1] != ' ') all[n++] = ' ';
            p++;
        } else {
            all[n++] = *p++;
        }
    }
    return n;
}
/* What headers declare in public, or all that they are made of, without comments. */
static char *code_of_headers(bool all_of_it) {
    char *all = (char *)calloc(1, TEXT_MAX);
    size_t i, n = 0;
    EXPECT(all != NULL);
    for (i = 0; all && i < HEADERS; i++) {
        char *text = text_of(headers[i]), *p = strstr(text, "extern \"C\" {"),
             *end = strstr(text, "#ifdef __cplusplus\n}");
        EXPECT(p && end);
        if (all_of_it) end = text + strlen(text);
        if (p && end) n = add_code(all, n, p, end);
        free(text);
    }
    EXPECT_OP(n, <, TEXT_MAX);
    return all;
}

/* A function that a comment names is there: who is sent to it finds it. */
TEST(every_function_that_a_comment_names_is_there) {
    char *code = code_of_headers(true);
    int seen = 0;
    size_t i;
    for (i = 0; code && i < HEADERS; i++) {
        char *text = text_of(headers[i]), *changes = strstr(text, "---- >>changes -"), *p, *end;
        for (p = text; (p = strstr(p, "/*")) != NULL; p = end) {
            end = strstr(p, "*/");
            if (changes && p < changes && changes < end) end = changes; /* of old names, too */
            for (; (p = strstr(p, "wshub_")) != NULL && p < end;) {
                char name[80];
                size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_");
                (void)snprintf(name, sizeof name, "%.*s", (int)n, p);
                p += n;
                if (*p != '(' || p[-1] == '_') continue;
                seen++;
                if (has_word(code, strlen(code), name)) continue;
                test_failures++;
                (void)printf("  %s: there is no %s()\n", headers[i], name);
            }
            if (end == changes) end = strstr(changes, "*/");
        }
        free(text);
    }
    EXPECT_OP(seen, >, 300);
    free(code);
}

/* The fields of a struct. The limits and the statistics are lists, which stand elsewhere. */
static bool has_field(const char *all, const char *name, const char *in) {
    char word[100];
    const char *begin, *end;
    (void)snprintf(word, sizeof word, "typedef struct %s {", in);
    begin = strstr(all, word);
    (void)snprintf(word, sizeof word, "} %s;", in);
    end = begin ? strstr(begin, word) : NULL;
    if (end && has_word(begin, (size_t)(end - begin), name)) return true;
    if (strcmp(in, "wshub_stats") == 0) {
        (void)snprintf(word, sizeof word, "X(%s,", name);
        return strstr(all, word) != NULL;
    }
    (void)snprintf(word, sizeof word, " %s,", name);
    return strcmp(in, "wshub_desc") == 0 && strstr(all, word);
}
/* A type, number or value. Errors and log codes are lists, whose values have short names. */
static bool has_name(const char *all, const char *name) {
    char word[100];
    if (has_word(all, strlen(all), name)) return true;
    if (strncmp(name, "WSHUB_ERR_", 10) != 0 && strncmp(name, "WSHUB_LOG_", 10) != 0) return false;
    (void)snprintf(word, sizeof word, "X(%s,", name + 10);
    return strstr(all, word) != NULL;
}

TEST(what_0_1_0_declared_is_there_or_named_among_the_changes) {
    char *all = code_of_headers(false), *old = text_of("tests/api-0.1.0.txt"),
         *header = text_of("wshub.h"), *changes = strstr(header, "---- >>changes -"),
         *end = changes ? strstr(changes, "*/") : NULL, *line, *next;
    int seen = 0, gone = 0;
    EXPECT(all && changes && end);
    for (line = old; all && changes && end && *line; line = next, seen++) {
        char kind[10] = "", name[80] = "", *rest;
        int at = 0;
        bool there;
        next = line + strcspn(line, "\n");
        *next++ = 0;
        if (sscanf(line, "%9s %79s %n", kind, name, &at) < 2) break;
        rest = line + at;
        there = strcmp(kind, "said") == 0    ? strstr(all, rest) != NULL
                : strcmp(kind, "field") == 0 ? has_field(all, name, rest)
                                             : has_name(all, name);
        gone += !there;
        /* of a struct that is gone with its fields the name is enough */
        if (strcmp(kind, "field") == 0 && !has_name(all, rest)) name[0] = 0;
        if (there || has_word(changes, (size_t)(end - changes), name[0] ? name : rest)) continue;
        test_failures++;
        (void)printf("  not among the changes: %s %s\n", name, rest);
    }
    EXPECT(seen > 600 && gone > 8);
    free(all);
    free(old);
    free(header);
}
