/* Peers that speak TLS on real sockets, by OpenSSL whatever the io under test has; and the engines
 * that are there to be tested. */
#ifndef TLS_PEER_H
#define TLS_PEER_H
#include "sock_peer.h"
#include "tls_certs.h"
#include <signal.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

typedef struct tls_peer {
    int fd;
    SSL *ssl; /* NULL: in the clear */
    bool shaken, stalled;
    int why;               /* its handshake failed: the library's reason */
    struct tls_peer *next; /* of those in their handshake */
} tls_peer;

static tls_peer *tls_peers;
UNUSED static SSL_CTX *tls_peer_ctx;
UNUSED static int tls_peer_version; /* of the next one; 0: what it likes */

/* A certificate and key from their texts. */
UNUSED static void tls_use(SSL_CTX *ctx, const char *cert, const char *key) {
    BIO *c = BIO_new_mem_buf(cert, -1), *k = BIO_new_mem_buf(key, -1);
    X509 *x = PEM_read_bio_X509(c, NULL, NULL, NULL);
    EVP_PKEY *p = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
    EXPECT(SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, p) == 1);
    X509_free(x);
    while ((x = PEM_read_bio_X509(c, NULL, NULL, NULL)) != NULL) SSL_CTX_add0_chain_cert(ctx, x);
    EVP_PKEY_free(p);
    BIO_free(c);
    BIO_free(k);
    ERR_clear_error();
}

UNUSED static tls_peer *tls_peer_on(int fd, SSL_CTX *ctx) {
    tls_peer *p = (tls_peer *)calloc(1, sizeof *p);
    p->fd = fd;
    if (!ctx) return p;
    EXPECT_INT(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    p->ssl = SSL_new(ctx);
    EXPECT_INT(SSL_set_fd(p->ssl, fd), 1);
    SSL_set_connect_state(p->ssl);
    if (tls_peer_version) {
        SSL_set_min_proto_version(p->ssl, tls_peer_version);
        SSL_set_max_proto_version(p->ssl, tls_peer_version);
    }
    p->next = tls_peers;
    tls_peers = p;
    return p;
}
UNUSED static bool tls_peer_shake(tls_peer *p) {
    ERR_clear_error();
    if (p->ssl && !p->shaken) p->shaken = SSL_do_handshake(p->ssl) == 1;
    if (!p->shaken && !p->why) p->why = ERR_GET_REASON(ERR_peek_error());
    return p->shaken;
}
/* Whoever is in a handshake goes on with it. */
UNUSED static void tls_peers_shake(void) {
    tls_peer **at = &tls_peers;
    while (*at) {
        if (tls_peer_shake(*at))
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}
UNUSED static void tls_peer_free(tls_peer *p) {
    tls_peer **at = &tls_peers;
    while (*at && *at != p) at = &(*at)->next;
    if (*at) *at = p->next;
    SSL_free(p->ssl);
    (void)close(p->fd);
    free(p);
}
UNUSED static size_t tls_peer_hear(tls_peer *p, char *buf, size_t cap, bool *ended) {
    int n, e;
    if (!p->ssl) {
        ssize_t k = recv(p->fd, buf, cap, MSG_DONTWAIT);
        if (k == 0 || (k < 0 && errno != EAGAIN)) *ended = true;
        return k > 0 ? (size_t)k : 0;
    }
    ERR_clear_error();
    n = SSL_read(p->ssl, buf, (int)cap);
    if (n > 0) return (size_t)n;
    e = SSL_get_error(p->ssl, n);
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) *ended = true;
    return 0;
}

typedef struct tls_engine {
    const char *name;
    const wshub_tls_engine *table;
} tls_engine;
UNUSED static const tls_engine *tls_engine_at(size_t i) {
    static tls_engine all[3];
    size_t n = 0;
#ifdef WITH_OPENSSL
    all[n++].table = wshub_io_openssl_engine();
#endif
#ifdef WITH_MBEDTLS
    all[n++].table = wshub_io_mbedtls_engine();
#endif
    if (i >= n) return NULL;
    all[i].name = all[i].table->name;
    return &all[i];
}
UNUSED static wshub_io_tls *tls_make(const tls_engine *engine, const wshub_io_tls_desc *desc) {
    wshub_io_tls *tls = NULL;
    char why[300];
    EXPECT_INT(wshub_io_tls_create_versioned(desc, sizeof *desc, WSHUB_IO_TLS_DESC_VERSION,
                                             engine->table, &tls, why, sizeof why),
               WSHUB_OK);
    EXPECT_STR(why, "");
    return tls;
}
#endif
