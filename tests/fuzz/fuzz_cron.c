/* Texts that may be cron expressions (CRON-1), of backends/wshub_ext_cron.h. Whatever they are, there
 * is an expression or an error that stands inside the text; what is read can be written, described
 * and read again to the same, and its instants go forth and back alike (CRON-2).
 * Input: 8 bytes of an instant, then the text. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 300
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_ext_cron.h"

enum { HEAD = 8, STEPS = 6 };

static bool same(const wshub_ext_cron *a, const wshub_ext_cron *b) {
    return a->seconds == b->seconds && a->minutes == b->minutes && a->hours == b->hours &&
           a->days == b->days && a->months == b->months && a->weekdays == b->weekdays;
}

/* An error names a place inside the text, or the field that holds it. */
static void check_error(wshub_str text, const wshub_ext_cron_error *error) {
    MUST(memchr(error->text, 0, sizeof error->text) != NULL);
    MUST(error->text[0] != 0);
    MUST(error->field <= WSHUB_EXT_CRON_DAY_OF_WEEK);
    MUST(error->at <= text.len && error->len <= text.len - error->at);
}

/* Written into as much room as there is, the text is the same as far as it goes. */
static void check_texts(const wshub_ext_cron *cron, size_t cap) {
    char text[WSHUB_EXT_CRON_TEXT_BYTES], cut[WSHUB_EXT_CRON_TEXT_BYTES],
        words[WSHUB_EXT_CRON_DESCRIBE_BYTES];
    size_t len = wshub_ext_cron_write(cron, text, sizeof text), i;
    wshub_ext_cron again;

    MUST(len == strlen(text) && len < sizeof text);
    MUST(wshub_ext_cron_parse(wshub_str_z(text), &again, NULL) == WSHUB_OK);
    MUST(same(cron, &again));
    cap %= sizeof cut;
    MUST(wshub_ext_cron_write(cron, cut, cap) == len);
    if (cap) MUST(strlen(cut) == (len < cap ? len : cap - 1) && !strncmp(cut, text, strlen(cut)));
    for (i = WSHUB_EXT_CRON_SECOND; i <= WSHUB_EXT_CRON_DAY_OF_WEEK; i++)
        MUST(wshub_ext_cron_write_field(cron, (wshub_ext_cron_field)i, text, sizeof text) > 0);
    len = wshub_ext_cron_describe(cron, "Europe/Berlin", words, sizeof words);
    MUST(len == strlen(words) && len < sizeof words);
}

static void check_instants(const wshub_ext_cron *cron, int64_t at) {
    int i;

    for (i = 0; i < STEPS; i++) {
        int64_t next = wshub_ext_cron_next(cron, NULL, at), before;
        MUST(next > at);
        if (next == WSHUB_EXT_CRON_NEVER) return;
        MUST(wshub_ext_cron_matches(cron, NULL, next));
        MUST(wshub_ext_cron_previous(cron, NULL, next + 1) == next);
        before = wshub_ext_cron_previous(cron, NULL, next);
        MUST(before == WSHUB_EXT_CRON_NEVER || before <= at);
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_ext_cron cron;
    wshub_ext_cron_error error;
    wshub_str text;
    int64_t at = 0;
    size_t i;

    if (size < HEAD || size > HEAD + 4000) return 0;
    for (i = 0; i < HEAD; i++) at = (int64_t)((uint64_t)at << 8 | data[i]);
    text.ptr = (const char *)data + HEAD;
    text.len = size - HEAD;
    if (wshub_ext_cron_parse(text, &cron, &error)) {
        check_error(text, &error);
        MUST(wshub_ext_cron_parse(text, &cron, NULL) == WSHUB_ERR_PARAM);
        return 0;
    }
    check_texts(&cron, (size_t)at);
    check_instants(&cron, at % INT64_C(4102444800000)); /* up to 2100 */
    return 0;
}
