/* The files of the tree as texts, for tests of what stands in them. They are read from the root of
 * the tree, where the tests run. */
#ifndef TEXTS_H
#define TEXTS_H
#include <ctype.h>
#include "test.h"

#define TEXT_MAX (2u << 20)

/* What a program may include. */
UNUSED static const char *const headers[] = {
    "wshub.h",
    "backends/wshub_bus_hiredis.h",
    "backends/wshub_bus_local.h",
    "backends/wshub_bus_redis.h",
    "backends/wshub_ext_files.h",
    "backends/wshub_io_auto.h",
    "backends/wshub_io_epoll.h",
    "backends/wshub_io_fake.h",
    "backends/wshub_io_kqueue.h",
    "backends/wshub_io_poll.h",
    "backends/wshub_io_sock.h",
};
#define HEADERS (sizeof headers / sizeof headers[0])

UNUSED static char *text_of(const char *path) { /* the caller frees it; it ends with a zero */
    FILE *f = fopen(path, "rb");
    char *text = (char *)calloc(1, TEXT_MAX);
    EXPECT(f && text);
    if (f) {
        EXPECT(fread(text, 1, TEXT_MAX - 1, f) < TEXT_MAX - 1);
        (void)fclose(f);
    }
    return text;
}

/* Whether n bytes at `text` hold this word, and not only as a part of a longer one. */
UNUSED static bool has_word(const char *text, size_t n, const char *word) {
    size_t len = strlen(word), i;
    for (i = 0; i + len <= n; i++) {
        if (memcmp(text + i, word, len) != 0) continue;
        if (i > 0 && (isalnum((unsigned char)text[i - 1]) || text[i - 1] == '_')) continue;
        if (i + len < n && (isalnum((unsigned char)text[i + len]) || text[i + len] == '_'))
            continue;
        return true;
    }
    return false;
}
#endif
