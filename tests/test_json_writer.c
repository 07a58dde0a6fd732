/* JSON at hand: the writer into a bounded buffer, the reader by path, members of an object, numbers
 * with a fraction (MSG-9). */
#include "hubtest.h"
#include <float.h>
#include <math.h>

static bool same(wshub_str text, const char *want) {
    if (wshub_str_eq_z(text, want) && (text.ptr || !want)) return true;
    (void)printf("  wrote %.*s\n  expected %s\n", (int)text.len, text.ptr ? text.ptr : "", want);
    return false;
}

/* one of everything, as users write it */
static wshub_err write_all(char *buf, size_t cap, size_t *out_len, wshub_str *out_text) {
    wshub_json_writer w;
    wshub_err err;
    wshub_json_begin(&w, buf, cap);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_text(&w, "te\"xt", "a\n\xC3\xA4\"");
    wshub_json_put_text(&w, "none", NULL);
    wshub_json_put_int(&w, "least", INT64_MIN);
    wshub_json_put_uint(&w, "most", UINT64_MAX);
    wshub_json_put_array(&w, "list");
    wshub_json_put_int(&w, NULL, 0);
    wshub_json_put_bool(&w, NULL, true);
    wshub_json_put_bool(&w, NULL, false);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_end(&w);
    wshub_json_put_array(&w, NULL);
    wshub_json_put_end(&w);
    wshub_json_put_null(&w, NULL);
    wshub_json_put_end(&w);
    wshub_json_put_raw(&w, "raw", wshub_str_z(" {\"x\":[1.0]} "));
    wshub_json_put_raw(&w, "no raw", wshub_str_z(NULL));
    wshub_json_put_double(&w, "half", -0.5);
    wshub_json_put_end(&w);
    err = wshub_json_done(&w, out_text);
    *out_len = w.len;
    return err;
}
#define ALL                                                                                        \
    "{\"te\\\"xt\":\"a\\n\xC3\xA4\\\"\",\"none\":null,\"least\":-9223372036854775808,"             \
    "\"most\":18446744073709551615,\"list\":[0,true,false,{},[],null],\"raw\": {\"x\":[1.0]} ,"    \
    "\"no raw\":null,\"half\":-0.5}"

TEST(a_value_is_written_whole_or_its_length_is_told) { /* MSG-9 */
    char buf[400];
    wshub_str text;
    size_t cap, len, whole = strlen(ALL);
    EXPECT_INT(write_all(buf, sizeof buf, &len, &text), WSHUB_OK);
    EXPECT(same(text, ALL));
    EXPECT(wshub_json_check(text, 0));
    for (cap = 0; cap <= whole; cap++) { /* every place where it can end */
        char *tight = (char *)malloc(cap + 1);
        if (!tight) abort();
        tight[cap] = 7;
        EXPECT_INT(write_all(cap ? tight : NULL, cap, &len, &text),
                   cap < whole ? WSHUB_ERR_LIMIT : WSHUB_OK);
        EXPECT_INT(len, whole);
        EXPECT((text.ptr != NULL) == (cap == whole));
        EXPECT_INT(tight[cap], 7);
        EXPECT(memcmp(tight, ALL, cap) == 0);
        free(tight);
    }
    EXPECT_INT(write_all(buf, sizeof buf, &len, NULL), WSHUB_OK);
}

/* what a writer is told wrongly is told back, whatever else is put before and after */
typedef void wrong_fn(wshub_json_writer *w);
static void nothing(wshub_json_writer *w) {
    (void)w;
}
static void second_value(wshub_json_writer *w) {
    wshub_json_put_null(w, NULL);
    wshub_json_put_null(w, NULL);
}
static void key_outside(wshub_json_writer *w) {
    wshub_json_put_int(w, "k", 1);
}
static void key_in_array(wshub_json_writer *w) {
    wshub_json_put_array(w, NULL);
    wshub_json_put_int(w, "k", 1);
    wshub_json_put_end(w);
}
static void no_key(wshub_json_writer *w) {
    wshub_json_put_object(w, NULL);
    wshub_json_put_int(w, NULL, 1);
    wshub_json_put_end(w);
}
static void left_open(wshub_json_writer *w) {
    wshub_json_put_object(w, NULL);
}
static void end_too_many(wshub_json_writer *w) {
    wshub_json_put_object(w, NULL);
    wshub_json_put_end(w);
    wshub_json_put_end(w);
}
static void bad_text(wshub_json_writer *w) {
    wshub_json_put_text(w, NULL, "\xFF");
}
static void bad_key(wshub_json_writer *w) {
    wshub_json_put_object(w, NULL);
    wshub_json_put_int(w, "\xC3", 1);
    wshub_json_put_end(w);
}
static void infinite(wshub_json_writer *w) {
    wshub_json_put_double(w, NULL, HUGE_VAL);
    wshub_json_put_null(w, NULL);
}
static void no_number(wshub_json_writer *w) {
    wshub_json_put_double(w, NULL, HUGE_VAL - HUGE_VAL);
    wshub_json_put_null(w, NULL);
}
static void deep(wshub_json_writer *w) {
    int i;
    for (i = 0; i <= WSHUB_JSON_WRITER_DEPTH_MAX; i++) wshub_json_put_array(w, NULL);
    for (i = 0; i <= WSHUB_JSON_WRITER_DEPTH_MAX; i++) wshub_json_put_end(w);
}
static void raw_no_json(wshub_json_writer *w) {
    wshub_json_put_raw(w, NULL, wshub_str_z("{"));
}
TEST(what_would_be_no_json_is_refused_and_the_first_error_stays) { /* MSG-9 */
    static const struct {
        wrong_fn *fn;
        wshub_err err;
    } rows[] = {
        {nothing, WSHUB_ERR_PARAM},      {second_value, WSHUB_ERR_PARAM},
        {key_outside, WSHUB_ERR_PARAM},  {key_in_array, WSHUB_ERR_PARAM},
        {no_key, WSHUB_ERR_PARAM},       {left_open, WSHUB_ERR_PARAM},
        {end_too_many, WSHUB_ERR_PARAM}, {bad_text, WSHUB_ERR_PARAM},
        {bad_key, WSHUB_ERR_PARAM},      {infinite, WSHUB_ERR_PARAM},
        {no_number, WSHUB_ERR_PARAM},    {deep, WSHUB_ERR_PARAM},
        {raw_no_json, WSHUB_ERR_JSON},
    };
    char buf[200];
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wshub_json_writer w;
        wshub_str text = wshub_str_z("before");
        wshub_json_begin(&w, buf, sizeof buf);
        rows[i].fn(&w);
        EXPECT_INT(wshub_json_done(&w, &text), rows[i].err);
        EXPECT(text.ptr == NULL);

        wshub_json_begin(&w, NULL, 0); /* that it does not fit either changes nothing */
        rows[i].fn(&w);
        EXPECT_INT(wshub_json_done(&w, &text), rows[i].err);
    }
    {
        wshub_json_writer w; /* 64 levels are none too many */
        wshub_str text;
        wshub_json_begin(&w, buf, sizeof buf);
        for (i = 0; i < WSHUB_JSON_WRITER_DEPTH_MAX; i++) wshub_json_put_array(&w, NULL);
        for (i = 0; i < WSHUB_JSON_WRITER_DEPTH_MAX; i++) wshub_json_put_end(&w);
        EXPECT_INT(wshub_json_done(&w, &text), WSHUB_OK);
        EXPECT_INT(text.len, 2 * WSHUB_JSON_WRITER_DEPTH_MAX);
        wshub_json_put_raw(&w, NULL, wshub_str_z("}")); /* JSON, and PARAM: the first counts */
        wshub_json_put_end(&w);
        EXPECT_INT(wshub_json_done(&w, &text), WSHUB_ERR_JSON);
    }
}

TEST(a_length_beyond_all_memory_stays_the_greatest_there_is) { /* MSG-9, where size_t is small */
    char buf[8];
    wshub_json_writer w;
    wshub_str text;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_array(&w, NULL);
    w.len = SIZE_MAX - 2;
    wshub_json_put_bool(&w, NULL, true);
    wshub_json_put_end(&w);
    EXPECT_INT(wshub_json_done(&w, &text), WSHUB_ERR_LIMIT);
    EXPECT(w.len == SIZE_MAX && !text.ptr);
}

TEST(numbers_with_a_fraction_come_back_as_they_were) { /* MSG-7 */
    static const double numbers[] = {
        0, 0.1, 1.0 / 3, -2.5, 1e21, 1e-7, DBL_MAX, DBL_MIN, 123456789012345678.0, 5e-324};
    char buf[64];
    size_t i;
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        wshub_json_writer w;
        wshub_str text;
        double back = -7;
        wshub_json_begin(&w, buf, sizeof buf);
        wshub_json_put_double(&w, NULL, numbers[i]);
        EXPECT_INT(wshub_json_done(&w, &text), WSHUB_OK);
        EXPECT(wshub_json_check(text, 0));
        EXPECT_INT(wshub_json_double(text, &back), WSHUB_OK);
        EXPECT(memcmp(&back, &numbers[i], sizeof back) == 0);
    }
    {
        static const struct {
            const char *text;
            wshub_err err;
        } rows[] = {
            {"1e400", WSHUB_ERR_LIMIT}, {"-1e400", WSHUB_ERR_LIMIT}, {"1.", WSHUB_ERR_JSON},
            {"\"1\"", WSHUB_ERR_JSON},  {"1e-400", WSHUB_OK},        {" 2.50 ", WSHUB_OK},
            {"", WSHUB_ERR_JSON},       {"nan", WSHUB_ERR_JSON},     {"0x1", WSHUB_ERR_JSON}};
        char longest[512 + 1]; /* a character more than a number may be written with */
        double back = -7;
        for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
            EXPECT_INT(wshub_json_double(wshub_str_z(rows[i].text), &back), rows[i].err);
        EXPECT(back > 2.4 && back < 2.6);
        memset(longest, '0', sizeof longest);
        longest[0] = '1';
        longest[1] = '.';
        EXPECT_INT(wshub_json_double(wshub__str(longest, sizeof longest), &back), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub_json_double(wshub__str(longest, sizeof longest - 1), &back), WSHUB_OK);
        EXPECT(back > 0.9 && back < 1.1);
    }
}

TEST(truth_and_texts_are_read_without_a_copy) { /* MSG-7 */
    bool yes = false;
    char longest[300];
    EXPECT(wshub_json_bool(wshub_str_z(" true"), &yes) && yes);
    EXPECT(wshub_json_bool(wshub_str_z("false "), &yes) && !yes);
    yes = true;
    EXPECT(!wshub_json_bool(wshub_str_z("0"), &yes) && !wshub_json_bool(wshub_str_z("tru"), &yes));
    EXPECT(yes);
    EXPECT(wshub_json_is(wshub_str_z("\"a\\u0062\""), "ab"));
    EXPECT(!wshub_json_is(wshub_str_z("\"ab\""), "a"));
    EXPECT(!wshub_json_is(wshub_str_z("ab"), "ab"));
    EXPECT(!wshub_json_is(wshub_str_z("\"\""), NULL));
    EXPECT(wshub_json_is(wshub_str_z("\"\""), ""));
    memset(longest, 'x', sizeof longest);
    longest[0] = longest[257] = '"';
    longest[258] = 0;
    {
        char want[260];
        memset(want, 'x', sizeof want);
        want[256] = 0;
        EXPECT(wshub_json_is(wshub_str_z(longest), want));
        longest[257] = 'x';
        longest[258] = '"';
        longest[259] = 0;
        want[256] = 'x';
        want[257] = 0;
        EXPECT(!wshub_json_is(wshub_str_z(longest), want)); /* over 256 */
    }
}

TEST(members_come_in_the_order_in_which_they_stand) { /* MSG-9 */
    static const char *const bad[] = {"",  "[1]",        "{\"a\":1", "{\"a\" 1}",
                                      "1", "{\"a\":1,}", "{} x"};
    wshub_str object = wshub_str_z(" { \"a\" : 1 , \"b\\n\":[2, 3],\"a\":{} } "), key, value;
    wshub_iter iter = {0, 0};
    size_t i;
    EXPECT(wshub_json_each_member(object, &iter, &key, &value));
    EXPECT(same(key, "\"a\"") && same(value, "1"));
    EXPECT(wshub_json_each_member(object, &iter, &key, &value));
    EXPECT(wshub_json_is(key, "b\n") && same(value, "[2, 3]"));
    EXPECT(wshub_json_each_member(object, &iter, &key, &value));
    EXPECT(same(key, "\"a\"") && same(value, "{}"));
    EXPECT(!wshub_json_each_member(object, &iter, &key, &value));
    EXPECT(!wshub_json_each_member(object, &iter, &key, &value));
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(&iter, 0, sizeof iter);
        EXPECT(!wshub_json_each_member(wshub_str_z(bad[i]), &iter, &key, &value));
    }
    memset(&iter, 0, sizeof iter);
    EXPECT(!wshub_json_each_member(wshub_str_z("{}"), &iter, &key, &value));
    EXPECT(!wshub_json_each_member(wshub_str_z(NULL), &iter, &key, &value));
    iter.pos = 100; /* of another text: nothing is read behind this one */
    EXPECT(!wshub_json_each_member(object, &iter, &key, &value));
    EXPECT(!wshub_json_each_member(wshub_str_z(NULL), &iter, &key, &value));
    iter.pos = object.len;
    EXPECT(!wshub_json_each_member(object, &iter, &key, &value));
    iter.pos = 5;
    EXPECT(!wshub_json_each_member(object, &iter, &key, &value));
    iter.pos = 12; /* a comma behind which no member stands whole */
    EXPECT(!wshub_json_each_member(wshub_str_z("{\"abcd\":1234,5}"), &iter, &key, &value));
}

TEST(a_path_finds_what_a_json_pointer_names) { /* RFC 6901 5: its own document and answers */
    static const char doc[] =
        "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
        "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"deep\":{\"x\":[[],[{\"y\":9}]]}}";
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"", doc},
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/foo/1", "\"baz\""},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/01", NULL},
        {"/foo/-0", NULL},
        {"/foo/1e0", NULL},
        {"/foo/", NULL},
        {"foo", NULL},
        {"/foo/0/x", NULL},
        {"/a~2b", NULL},
        {"/a~", NULL},
        {"/none", NULL},
        {"/none/x", NULL},
        {"/deep/x/1/0/y", "9"},
        {"/deep/x/0/0", NULL},
        {"/foo/99999999999999999999", NULL},
        {NULL, NULL},
    };
    char path[300];
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wshub_str found = wshub_json_at(wshub_str_z(doc), rows[i].path);
        if (!rows[i].want) {
            if (found.ptr) (void)printf("  %s\n", rows[i].path);
            EXPECT(found.ptr == NULL);
        } else {
            EXPECT(same(found, rows[i].want));
        }
    }
    EXPECT(!wshub_json_at(wshub_str_z("{\"a\":1"), "/a").ptr);
    EXPECT(same(wshub_json_at(wshub_str_z(" {\"a\":1} "), ""), "{\"a\":1}"));
    memset(path, 'k', sizeof path);
    path[0] = '/';
    path[258] = 0;
    EXPECT(!wshub_json_at(wshub_str_z(doc), path).ptr); /* 257 bytes: no key that is looked for */
    path[257] = 0;
    EXPECT(!wshub_json_at(wshub_str_z(doc), path).ptr); /* 256: looked for, and not there */
}
