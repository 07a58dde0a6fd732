/* The io of the client tools: the sockets, or TLS over them where the program is compiled with a
 * library of it (-DWITH_OPENSSL or -DWITH_MBEDTLS), and their codec (-DWITH_ZLIB). After wshub.h. */
#ifndef CLIENT_TLS_H
#define CLIENT_TLS_H
#include <stdio.h>
#if defined(WITH_OPENSSL)
#include "wshub_io_openssl.h"
#elif defined(WITH_MBEDTLS)
#include "wshub_io_mbedtls.h"
#endif
#if defined(WITH_ZLIB)
#include "wshub_deflate_zlib.h"
#endif

/* What a command line says of it; NULL: nothing. */
typedef struct client_tls {
    const char *ca;         /* file of the roots that are trusted, and no others */
    const char *cert, *key; /* files: what this side shows */
    const wshub_io *io;     /* what client_tls_open() has made */
    char why[256];          /* what it could not */
#if defined(WITH_OPENSSL) || defined(WITH_MBEDTLS)
    wshub_io_tls *tls;
#endif
} client_tls;

/* The codec of permessage-deflate; NULL: this program has none. */
static const wshub_deflate *client_codec(void) {
#if defined(WITH_ZLIB)
    return wshub_deflate_zlib();
#else
    return NULL;
#endif
}

#if defined(WITH_OPENSSL) || defined(WITH_MBEDTLS)
static bool client_has_tls(void) {
    return true;
}
static bool client_tls_make(client_tls *t, const wshub_io *below) {
    wshub_io_tls_desc desc;
    wshub_tls_pair own;
    wshub_err err;
    memset(&desc, 0, sizeof desc);
    memset(&own, 0, sizeof own);
    own.cert = t->cert;
    own.key = t->key;
    desc.io = below;
    desc.roots = t->ca;
    desc.own = t->cert ? &own : NULL;
    desc.handshake_ms = 600000; /* the clients' own clock is shorter */
#if defined(WITH_OPENSSL)
    err = wshub_io_openssl_create(&desc, &t->tls, t->why, sizeof t->why);
#else
    err = wshub_io_mbedtls_create(&desc, &t->tls, t->why, sizeof t->why);
#endif
    if (!err) t->io = wshub_io_tls_io(t->tls);
    return !err;
}
/* Behind the clients' end, before the sockets'. */
static void client_tls_end(client_tls *t) {
    wshub_io_tls_destroy(t->tls);
}
#else
static bool client_has_tls(void) {
    return false;
}
static bool client_tls_make(client_tls *t, const wshub_io *below) {
    t->io = below;
    return true;
}
static void client_tls_end(client_tls *t) {
    (void)t;
}
#endif

/* Makes the io over the sockets'. False: t->why says why not. */
static bool client_tls_open(client_tls *t, const wshub_io *below) {
    if (!t->cert == !t->key) return client_tls_make(t, below);
    (void)snprintf(t->why, sizeof t->why, "a certificate and its key go together");
    return false;
}
#endif
