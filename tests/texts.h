/* The files of the tree as texts, for tests of what stands in them. They are read from the root of
 * the tree, where the tests run. */
#ifndef TEXTS_H
#define TEXTS_H
#include <ctype.h>
#include "test.h"

#define TEXT_MAX (2u << 20)

/* What a program may include: all of it (tests/readme.sh sees that none is missing). */
UNUSED static const char *const headers[] = {
    "wshub.h",
    "backends/wshub_bus_hiredis.h",
    "backends/wshub_bus_local.h",
    "backends/wshub_bus_redis.h",
    "backends/wshub_deflate_zlib.h",
    "backends/wshub_dialect_engineio.h",
    "backends/wshub_dialect_socketio.h",
    "backends/wshub_ext_client.h",
    "backends/wshub_ext_client_engineio.h",
    "backends/wshub_ext_client_socketio.h",
    "backends/wshub_ext_cron.h",
    "backends/wshub_ext_e2e_mbedtls.h",
    "backends/wshub_ext_files.h",
    "backends/wshub_io_auto.h",
    "backends/wshub_io_epoll.h",
    "backends/wshub_io_fake.h",
    "backends/wshub_io_kqueue.h",
    "backends/wshub_io_mbedtls.h",
    "backends/wshub_io_openssl.h",
    "backends/wshub_io_poll.h",
    "backends/wshub_io_sock.h",
    "backends/wshub_io_tls.h",
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
        const char *at = (const char *)memchr(text + i, word[0], n - len - i + 1);
        if (!at) return false;
        i = (size_t)(at - text);
        if (memcmp(at, word, len) != 0) continue;
        if (i > 0 && (isalnum((unsigned char)text[i - 1]) || text[i - 1] == '_')) continue;
        if (i + len < n && (isalnum((unsigned char)text[i + len]) || text[i + len] == '_'))
            continue;
        return true;
    }
    return false;
}
#endif
