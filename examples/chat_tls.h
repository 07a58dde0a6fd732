/* The io of chat.c: the sockets, or TLS over them where the program is compiled with a library of it
 * (make run TLS=1), so that the chat itself knows nothing of TLS. */
#ifndef CHAT_TLS_H
#define CHAT_TLS_H
#include <stdio.h>
#if defined(WITH_OPENSSL)
#include "wshub_io_openssl.h"
#elif defined(WITH_MBEDTLS)
#include "wshub_io_mbedtls.h"
#endif

static const char *chat_scheme(const char *cert) {
    return cert ? "https" : "http";
}

#if defined(WITH_OPENSSL) || defined(WITH_MBEDTLS)
static wshub_io_tls *chat_tls; /* NULL: in the clear */
#endif

/* cert, key: files; NULL: in the clear. NULL: it has said why. */
static const wshub_io *chat_io(const char *cert, const char *key, wshub_io_sock *net) {
    if (!cert) return wshub_io_sock_io(net);
#if defined(WITH_OPENSSL) || defined(WITH_MBEDTLS)
    {
        char why[256];
        wshub_tls_pair pair = {.cert = cert, .key = key};
        wshub_io_tls_desc desc = {.io = wshub_io_sock_io(net), .pairs = &pair, .pairs_count = 1};
#if defined(WITH_OPENSSL)
        wshub_err err = wshub_io_openssl_create(&desc, &chat_tls, why, sizeof why);
#else
        wshub_err err = wshub_io_mbedtls_create(&desc, &chat_tls, why, sizeof why);
#endif
        if (!err) return wshub_io_tls_io(chat_tls);
        (void)fprintf(stderr, "chat: %s\n", why);
    }
#else
    (void)key;
    (void)fprintf(stderr, "chat: --cert: compiled without a library of TLS; make run TLS=1\n");
#endif
    return NULL;
}

/* Behind the hub's end, before the sockets'. */
static void chat_io_end(void) {
#if defined(WITH_OPENSSL) || defined(WITH_MBEDTLS)
    wshub_io_tls_destroy(chat_tls);
#endif
}
#endif
