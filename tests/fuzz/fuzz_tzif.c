/* Zone files and rules of POSIX that mean harm (CRON-3), of backends/wshub_ext_cron.h. Whatever they
 * say, there is an error or a zone, and a zone answers in bounded work: each next instant lies behind
 * the one before it and matches, and the way back meets the same instants (CRON-2).
 * Input: a byte that chooses the expression, 8 bytes of an instant, then the file, or a rule where
 * the choice's highest bit is set. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 300
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_ext_cron.h"

enum { HEAD = 9, STEPS = 24 };
static const uint8_t *file;
static size_t file_len, held;

static size_t load(void *user, const char *name, void *bytes, size_t cap) {
    (void)user;
    (void)name;
    if (file_len > cap) return cap;
    memcpy(bytes, file, file_len);
    return file_len;
}
static void *counted(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    held += new_bytes;
    held -= old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* Forth from an instant, and each step back again. */
static void walk(const wshub_ext_cron *cron, const wshub_ext_cron_zone *zone, int64_t at) {
    int i;
    for (i = 0; i < STEPS; i++) {
        int64_t next = wshub_ext_cron_next(cron, zone, at), before;
        int32_t offset = wshub_ext_cron_zone_offset(zone, at);
        MUST(offset >= -93600 && offset <= 93600);
        MUST(next > at);
        if (next == WSHUB_EXT_CRON_NEVER) return;
        MUST(next % 1000 == 0);
        MUST(wshub_ext_cron_matches(cron, zone, next));
        MUST(wshub_ext_cron_previous(cron, zone, next + 1) == next);
        before = wshub_ext_cron_previous(cron, zone, next);
        MUST(before == WSHUB_EXT_CRON_NEVER || before <= at);
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* clang-format off */
    static const char *const exprs[] = {
        "* * * * * *", "* * * * *", "30 2 * * *", "0 0 * * *", "*/7 */11 1,2,23 * * *", "0 0 29 2 *", "0 0 13 * 5",
        "30 59 * 31 12 *",
    };
    /* clang-format on */
    wshub_ext_cron_zone *zone = NULL;
    wshub_ext_cron_zone_desc desc;
    wshub_ext_cron cron;
    int64_t at = 0;
    char rule[300];
    size_t i;

    if (size < HEAD || size > HEAD + 20000) return 0;
    for (i = 1; i < HEAD; i++) at = (int64_t)((uint64_t)at << 8 | data[i]);
    MUST(wshub_ext_cron_parse(wshub_str_z(exprs[data[0] & 7]), &cron, NULL) == WSHUB_OK);
    memset(&desc, 0, sizeof desc);
    desc.name = "My/Zone";
    desc.load = load;
    desc.folder = "/nowhere";
    desc.alloc = counted;
    file = data + HEAD;
    file_len = size - HEAD;
    if (data[0] & 0x80) {
        (void)snprintf(rule, sizeof rule, "%.*s", (int)file_len, (const char *)file);
        if (!strchr(rule, ',')) return 0;
        desc.name = rule;
    }

    if (wshub_ext_cron_zone_create(&desc, &zone) == WSHUB_OK) {
        MUST(zone != NULL);
        walk(&cron, zone, at % INT64_C(4102444800000)); /* up to 2100, where zones are */
        walk(&cron, zone, at);
    } else {
        MUST(zone == NULL);
    }
    wshub_ext_cron_zone_destroy(zone);
    MUST(held == 0);
    return 0;
}
