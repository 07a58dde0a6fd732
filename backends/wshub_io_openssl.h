/* wshub_io_openssl.h - TLS for wshub by OpenSSL 3
 *
 * An engine of wshub_io_tls.h, where all is said that is not OpenSSL's own.
 *
 * [x] TLS 1.2 (ECDHE with AES-GCM or ChaCha20-Poly1305) and 1.3; P-256 and X25519; older versions
 *     and compression are refused; who renegotiates is closed, and counted as RECORD
 * [x] KeyUpdate, answered between records
 * [x] an idle session keeps no buffer of a record (SSL_MODE_RELEASE_BUFFERS): with OpenSSL 3.0 and
 *     TLS 1.3 a stream costs 15 KiB more than a plain one, all of it the library's session
 * [x] OpenSSL's error queue is cleared before each call, so that what a program did with the
 *     library elsewhere is not taken for a stream's failure
 * [ ] early data; OCSP stapling; certificates that are asked for behind the handshake
 * [ ] kernel TLS: the library sets it up only on a socket that it has itself, and here it has none,
 *     since this is an io over any io. It would take the keys of a finished handshake, and a call
 *     of wshub_io that hands them to the socket; and for sending alone, as a KeyUpdate of the peer
 *     must reach the library
 *
 * System   OpenSSL 3.0 or newer: -lssl -lcrypto.
 * Include  wshub.h, then this; it includes wshub_io_tls.h. The code is emitted where
 *          WSHUB_IMPLEMENTATION is defined, or WSHUB_IO_OPENSSL_IMPLEMENTATION (and
 *          WSHUB_IO_TLS_IMPLEMENTATION) for a file of its own. */
#ifndef WSHUB_IO_OPENSSL_H
#define WSHUB_IO_OPENSSL_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#include "wshub_io_tls.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Returns the engine, for wshub_io_tls_create_versioned(); valid for ever. Any thread. */
WSHUB_API const wshub_tls_engine *wshub_io_openssl_engine(void);

/* Makes an io that speaks TLS over desc->io, by OpenSSL.
 *   desc     borrowed
 *   out_tls  the io; given to you, end it with wshub_io_tls_destroy()
 *   why      may be NULL; where it fails: one line that says so, at most why_cap - 1 bytes
 * Returns and thread as wshub_io_tls_create_versioned(). */
WSHUB_INLINE wshub_err wshub_io_openssl_create(const wshub_io_tls_desc *desc,
                                               wshub_io_tls **out_tls, char *why, size_t why_cap) {
    return wshub_io_tls_create_versioned(desc, sizeof *desc, WSHUB_IO_TLS_DESC_VERSION,
                                         wshub_io_openssl_engine(), out_tls, why, why_cap);
}

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_OPENSSL_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_OPENSSL_IMPLEMENTATION)) &&                 \
    !defined(WSHUB__IO_OPENSSL_DONE)
#define WSHUB__IO_OPENSSL_DONE
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef WSHUB_ASSERT /* of its own .c file, without the implementation of wshub.h */
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_openssl__context {
    const wshub_tls_site *site;
    SSL_CTX **pairs; /* one for each pair; a client has one */
    size_t count;
    BIO_METHOD *method;
    bool client;
    uint8_t rule[32]; /* of what is asked of clients: sessions hold under it alone */
    uint8_t *cert;    /* what facts() gave last */
} wshub_io_openssl__context;

typedef struct wshub_io_openssl__session {
    SSL *ssl;
    wshub_tls_wire *wire;
    wshub_io_openssl__context *context;
    bool unnamed; /* no certificate is for the name that was asked for */
    bool wants;   /* a peer's certificate decides */
    bool anew;    /* the peer has begun a handshake behind the first, and was warned */
} wshub_io_openssl__session;

/* ---- what failed ---- */

static bool wshub_io_openssl__says(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}
/* By what is known of the peer's certificate, and by the library's reason. */
static wshub_tls_failure wshub_io_openssl__kind(long verified, int reason) {
    switch (verified) {
    case X509_V_OK: break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return WSHUB_TLS_FAIL_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return WSHUB_TLS_FAIL_NAME;
    case X509_V_ERR_OUT_OF_MEM: return WSHUB_TLS_FAIL_MEMORY;
    default: return WSHUB_TLS_FAIL_UNTRUSTED;
    }

    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL: return WSHUB_TLS_FAIL_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_APPLICATION_PROTOCOL: return WSHUB_TLS_FAIL_AGREE;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return WSHUB_TLS_FAIL_NO_CERT;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER: return WSHUB_TLS_FAIL_NOT_TLS;
    case ERR_R_MALLOC_FAILURE: return WSHUB_TLS_FAIL_MEMORY;
    default:
        return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256
                   ? WSHUB_TLS_FAIL_ALERT
                   : WSHUB_TLS_FAIL_RECORD;
    }
}
/* Empties the queue before a call that every message takes. To see whether there is anything costs
 * a quarter of emptying it, which OpenSSL 3.0 does place by place and with two calls of free each.
 */
static void wshub_io_openssl__clean(void) {
    if (ERR_peek_error()) ERR_clear_error();
}
/* Empties the queue. Returns whether memory was short: callers put reasons of their own on top. */
static bool wshub_io_openssl__starved(void) {
    unsigned long code;
    bool starved = false;

    while ((code = ERR_get_error()) != 0) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) starved = true;
    }
    return starved;
}
/* What OpenSSL says of its last failure. */
static void wshub_io_openssl__fault(long verified, wshub_tls_fault *fault) {
    unsigned long code = ERR_peek_error();
    const char *text = ERR_reason_error_string(code);

    if (!text) text = "OpenSSL gives no reason";
    fault->kind = wshub_io_openssl__kind(verified, ERR_GET_REASON(code));
    if (verified != X509_V_OK) text = X509_verify_cert_error_string(verified);
    (void)snprintf(fault->text, sizeof fault->text, "%s", text);
    if (wshub_io_openssl__starved()) fault->kind = WSHUB_TLS_FAIL_MEMORY;
}
/* Of what was read from a file or text: whose it is stands in front. */
static bool wshub_io_openssl__bad(const char *what, const char *where, wshub_tls_fault *fault) {
    unsigned long code = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(code), *from = where;

    if (!text) text = "no PEM of that kind in it";
    if (wshub_io_openssl__says(where, "-----BEGIN")) from = "(given as text)";
    fault->kind = WSHUB_TLS_FAIL_UNTRUSTED;
    (void)snprintf(fault->text, sizeof fault->text, "%s %.90s: %.70s", what, from, text);
    if (wshub_io_openssl__starved()) wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory");
    return false;
}

/* ---- the wire as a BIO ---- */

static int wshub_io_openssl__bio_read(BIO *bio, char *bytes, int count) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)BIO_get_data(bio);
    size_t n = wshub_tls_take(s->wire, (uint8_t *)bytes, (size_t)count);

    BIO_clear_retry_flags(bio);
    if (n) return (int)n;
    BIO_set_retry_read(bio);
    return -1;
}
static int wshub_io_openssl__bio_write(BIO *bio, const char *bytes, int count) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    return wshub_tls_put(s->wire, (const uint8_t *)bytes, (size_t)count) ? count : -1;
}
static long wshub_io_openssl__bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* ---- certificates and keys ---- */

/* A key that is locked is not asked about. */
static int wshub_io_openssl__no_password(char *buf, int size, int writing, void *user) {
    (void)buf, (void)size, (void)writing, (void)user;
    return -1;
}

/* The next certificate of a PEM. NULL: it cannot be read, or, *out_end, there are no more. */
static X509 *wshub_io_openssl__next(BIO *pem, bool *out_end) {
    X509 *x = PEM_read_bio_X509(pem, NULL, wshub_io_openssl__no_password, NULL);
    *out_end = !x && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (x && !X509_get0_pubkey(x)) { /* which OpenSSL takes for read, though nobody can use it */
        X509_free(x);
        return NULL;
    }
    return x;
}
/* All of it: a chain that lacks one is of no use to anybody. */
static bool wshub_io_openssl__chain(SSL_CTX *ctx, BIO *pem) {
    bool end;

    X509 *x = wshub_io_openssl__next(pem, &end);
    int ok = x ? SSL_CTX_use_certificate(ctx, x) : 0;
    X509_free(x);
    while (ok && (x = wshub_io_openssl__next(pem, &end)) != NULL) {
        ok = (int)SSL_CTX_add0_chain_cert(ctx, x);
        if (!ok) X509_free(x);
    }
    return ok && end;
}
static bool wshub_io_openssl__key(SSL_CTX *ctx, BIO *pem) {
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, wshub_io_openssl__no_password, NULL);
    int ok = key ? SSL_CTX_use_PrivateKey(ctx, key) : 0;
    EVP_PKEY_free(key);
    return ok && SSL_CTX_check_private_key(ctx);
}
static bool wshub_io_openssl__root(X509_STORE *store, STACK_OF(X509_NAME) * names, X509 *x) {
    X509_NAME *name = names ? X509_NAME_dup(X509_get_subject_name(x)) : NULL;
    bool ok = X509_STORE_add_cert(store, x) == 1 && (!names || name);
    if (ok && names && sk_X509_NAME_push(names, name)) name = NULL; /* it is theirs */
    X509_NAME_free(name);
    return ok;
}
/* Those that it cannot read are left out, as a system's roots are many, but not for want of
 * memory. */
static bool wshub_io_openssl__roots(X509_STORE *store, STACK_OF(X509_NAME) * names, BIO *pem) {
    int count = 0;
    bool end = false;

    while (!end) {
        X509 *x = wshub_io_openssl__next(pem, &end);
        if (x && wshub_io_openssl__root(store, names, x)) count++;
        X509_free(x);
        if (!end && wshub_io_openssl__starved()) {
            ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE); /* for who asks next */
            return false;
        }
    }
    return count > 0;
}

enum { WSHUB_IO_OPENSSL__CHAIN, WSHUB_IO_OPENSSL__KEY, WSHUB_IO_OPENSSL__ROOTS };

/* Reads one of the three. */
static bool wshub_io_openssl__load(SSL_CTX *ctx, int what, const char *where,
                                   STACK_OF(X509_NAME) * names, wshub_tls_fault *fault) {
    static const char *const called[] = {"certificate", "key", "roots"};
    char *pem;

    BIO *bio;
    bool ok = false;
    if (!wshub_tls_pem(where, &pem, fault)) return false;
    bio = BIO_new_mem_buf(pem, -1);
    ERR_clear_error();
    if (bio && what == WSHUB_IO_OPENSSL__CHAIN) ok = wshub_io_openssl__chain(ctx, bio);
    if (bio && what == WSHUB_IO_OPENSSL__KEY) ok = wshub_io_openssl__key(ctx, bio);
    if (bio && what == WSHUB_IO_OPENSSL__ROOTS)
        ok = wshub_io_openssl__roots(SSL_CTX_get_cert_store(ctx), names, bio);
    BIO_free(bio);
    wshub_tls_pem_free(pem);
    if (!ok) return wshub_io_openssl__bad(called[what], where, fault);
    ERR_clear_error();
    return true;
}
static bool wshub_io_openssl__pair(SSL_CTX *ctx, const wshub_tls_pair *pair,
                                   wshub_tls_fault *fault) {
    return wshub_io_openssl__load(ctx, WSHUB_IO_OPENSSL__CHAIN, pair->cert, NULL, fault) &&
           wshub_io_openssl__load(ctx, WSHUB_IO_OPENSSL__KEY, pair->key, NULL, fault);
}

/* ---- a server's callbacks ---- */

static wshub_io_openssl__session *wshub_io_openssl__of(SSL *ssl) {
    return (wshub_io_openssl__session *)SSL_get_app_data(ssl);
}

/* The name in a ClientHello (RFC 6066 3); empty: none, or malformed. */
static wshub_str wshub_io_openssl__sni(SSL *ssl) {
    const unsigned char *b;
    size_t n;
    wshub_str name;

    name.ptr = NULL;
    name.len = 0;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &b, &n) || n < 5) return name;
    if ((size_t)(b[0] << 8 | b[1]) + 2 != n || b[2] != 0) return name;
    if ((size_t)(b[3] << 8 | b[4]) + 5 > n) return name;
    name.ptr = (const char *)b + 5;
    name.len = (size_t)(b[3] << 8 | b[4]);
    return name;
}

/* A session is resumed only where rule, certificate and name are what they were (RFC 6066 3). */
static bool wshub_io_openssl__bind(wshub_io_openssl__session *s, int chosen, wshub_str name) {
    uint8_t text[32 + 1 + 255], digest[32];
    unsigned digest_len = 0;
    size_t i, n = name.len < 255 ? name.len : 255;

    WSHUB_ASSERT(chosen >= 0 && (size_t)chosen < s->context->count);
    memcpy(text, s->context->rule, 32);
    text[32] = (uint8_t)chosen;
    for (i = 0; i < n; i++) {
        char c = name.ptr[i];
        text[33 + i] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return EVP_Digest(text, 33 + n, digest, &digest_len, EVP_sha256(), NULL) &&
           SSL_set_session_id_context(s->ssl, digest, digest_len);
}

/* Before anything else of a ClientHello is looked at: which certificate. */
static int wshub_io_openssl__hello(SSL *ssl, int *alert, void *arg) {
    wshub_io_openssl__session *s = wshub_io_openssl__of(ssl);
    wshub_str name = wshub_io_openssl__sni(ssl);
    int chosen = wshub_tls_choose(s->context->site, name);

    (void)arg;
    if (chosen < 0) {
        s->unnamed = true;
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (SSL_set_SSL_CTX(ssl, s->context->pairs[chosen]) && wshub_io_openssl__bind(s, chosen, name))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}
/* The name is known already; this has OpenSSL acknowledge it. */
static int wshub_io_openssl__named(SSL *ssl, int *alert, void *arg) {
    (void)ssl, (void)alert, (void)arg;
    return SSL_TLSEXT_ERR_OK;
}

static int wshub_io_openssl__alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                                  const unsigned char *in, unsigned in_len, void *arg) {
    unsigned i;

    (void)ssl, (void)arg;
    for (i = 0; i < in_len && i + 1 + in[i] <= in_len; i += 1u + in[i]) {
        if (in[i] != 8 || memcmp(in + i + 1, "http/1.1", 8) != 0) continue;
        *out = in + i + 1;
        *out_len = 8;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Where clients are only asked, whatever they show is taken, and said by facts(). */
static int wshub_io_openssl__any(int ok, X509_STORE_CTX *store) {
    (void)ok, (void)store;
    return 1;
}

static const uint8_t *wshub_io_openssl__ticket_key(const wshub_tls_site *site,
                                                   const unsigned char *name) {
    size_t i;

    for (i = 0; i < site->ticket_keys_count; i++) {
        const uint8_t *key = site->ticket_keys + i * WSHUB_TLS_TICKET_KEY_BYTES;
        if (memcmp(key, name, 16) == 0) return key;
    }
    return NULL;
}
/* Makes a ticket by the first key, or opens one by any. */
static int wshub_io_openssl__ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int making) {
    const wshub_tls_site *site = wshub_io_openssl__of(ssl)->context->site;
    const uint8_t *key = site->ticket_keys;

    OSSL_PARAM params[2];
    char digest[] = "SHA256";
    WSHUB_ASSERT(site->ticket_keys_count > 0); /* or nobody would ask */
    if (making) {
        memcpy(name, key, 16);
        if (RAND_bytes(iv, 16) != 1) return -1;
    } else {
        key = wshub_io_openssl__ticket_key(site, name);
        if (!key) return 0;
    }
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    if (!EVP_MAC_init(mac, key + 16, 32, params)) return -1;
    if (!EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + 48, iv, making)) return -1;
    return !making && key != site->ticket_keys ? 2 : 1; /* 2: and a new one */
}

/* ---- contexts ---- */

/* A renegotiation OpenSSL answers by a warning and goes on: that it was refused is seen here. */
static void wshub_io_openssl__tells(const SSL *ssl, int what, int alert) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)SSL_get_app_data(ssl);

    if ((what & SSL_CB_WRITE_ALERT) != SSL_CB_WRITE_ALERT) return;
    if (alert == (SSL3_AL_WARNING << 8 | SSL_AD_NO_RENEGOTIATION)) s->anew = true;
}

/* What may be agreed on. X25519 is left out where the library has none, as under FIPS. */
static bool wshub_io_openssl__agrees(SSL_CTX *ctx, const wshub_tls_site *site) {
    char groups[] = "X25519:P-256", less[] = "P-256";
    int oldest = site->version_min == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    return SSL_CTX_set_min_proto_version(ctx, oldest) &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
           (SSL_CTX_set1_groups_list(ctx, groups) || SSL_CTX_set1_groups_list(ctx, less));
}
static SSL_CTX *wshub_io_openssl__ctx(const wshub_tls_site *site, bool client) {
    SSL_CTX *ctx = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
    if (!ctx || !wshub_io_openssl__agrees(ctx, site)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_info_callback(ctx, wshub_io_openssl__tells);
    return ctx;
}

/* What is asked of clients, and a digest of it. */
static bool wshub_io_openssl__ask(wshub_io_openssl__context *c, SSL_CTX *ctx,
                                  const wshub_io_tls_desc *desc, wshub_tls_fault *fault) {
    STACK_OF(X509_NAME) * names;
    char *pem;
    unsigned len = 0;
    bool ok;
    if (!desc->clients) return true;
    names = sk_X509_NAME_new_null();
    ok = wshub_io_openssl__load(ctx, WSHUB_IO_OPENSSL__ROOTS, desc->client_roots, names, fault);
    SSL_CTX_set_client_CA_list(ctx, names);
    if (desc->clients == WSHUB_TLS_CLIENTS_REQUIRE)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    else
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, wshub_io_openssl__any);
    if (!ok || !wshub_tls_pem(desc->client_roots, &pem, fault)) return false;
    ok = EVP_Digest(pem, strlen(pem), c->rule, &len, EVP_sha256(), NULL) == 1;
    c->rule[0] ^= (uint8_t)desc->clients;
    wshub_tls_pem_free(pem);
    if (!ok) wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "no digest (SHA-256)");
    return ok;
}

static bool wshub_io_openssl__serve(wshub_io_openssl__context *c, const wshub_io_tls_desc *desc,
                                    size_t i, wshub_tls_fault *fault) {
    SSL_CTX *ctx = wshub_io_openssl__ctx(c->site, false);
    c->pairs[i] = ctx;
    if (!ctx) {
        wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory");
        return false;
    }

    (void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"wshub", 5);
    SSL_CTX_set_client_hello_cb(ctx, wshub_io_openssl__hello, NULL);
    (void)SSL_CTX_set_tlsext_servername_callback(ctx, wshub_io_openssl__named);
    SSL_CTX_set_alpn_select_cb(ctx, wshub_io_openssl__alpn, NULL);
    (void)SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);

    if (c->site->ticket_keys_count) {
        (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, wshub_io_openssl__ticket);
        (void)SSL_CTX_set_num_tickets(ctx, 1);
    } else {
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        (void)SSL_CTX_set_num_tickets(ctx, 0);
    }

    return wshub_io_openssl__pair(ctx, &desc->pairs[i], fault) &&
           wshub_io_openssl__ask(c, ctx, desc, fault);
}

static bool wshub_io_openssl__dial(wshub_io_openssl__context *c, const wshub_io_tls_desc *desc,
                                   wshub_tls_fault *fault) {
    SSL_CTX *ctx = wshub_io_openssl__ctx(c->site, true);
    c->pairs[0] = ctx;
    if (!ctx) {
        wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory");
        return false;
    }
    if (desc->own && !wshub_io_openssl__pair(ctx, desc->own, fault)) return false;
    if (desc->roots)
        return wshub_io_openssl__load(ctx, WSHUB_IO_OPENSSL__ROOTS, desc->roots, NULL, fault);
    return SSL_CTX_set_default_verify_paths(ctx) ||
           wshub_io_openssl__bad("roots", "of the system", fault);
}

static BIO_METHOD *wshub_io_openssl__method(void) {
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 0x77, "wshub");
    if (!m) return NULL;
    (void)BIO_meth_set_read(m, wshub_io_openssl__bio_read);
    (void)BIO_meth_set_write(m, wshub_io_openssl__bio_write);
    (void)BIO_meth_set_ctrl(m, wshub_io_openssl__bio_ctrl);
    return m;
}

static void wshub_io_openssl__context_free(void *context) {
    wshub_io_openssl__context *c = (wshub_io_openssl__context *)context;
    size_t i;

    for (i = 0; c->pairs && i < c->count; i++) SSL_CTX_free(c->pairs[i]);
    free(c->pairs);
    if (c->method) BIO_meth_free(c->method);
    OPENSSL_free(c->cert);
    free(c);
}

static void *wshub_io_openssl__context_make(const wshub_io_tls_desc *desc,
                                            const wshub_tls_site *site, bool client,
                                            wshub_tls_fault *fault) {
    wshub_io_openssl__context *c = (wshub_io_openssl__context *)calloc(1, sizeof *c);
    bool ok = false;
    size_t i;
    wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory");
    if (!c) return NULL;

    ERR_clear_error();
    c->site = site;
    c->client = client;
    c->count = client ? 1 : desc->pairs_count;
    c->pairs = (SSL_CTX **)calloc(c->count, sizeof *c->pairs);
    c->method = wshub_io_openssl__method();

    if (c->pairs && c->method) {
        ok = client ? wshub_io_openssl__dial(c, desc, fault) : true;
        for (i = 0; ok && !client && i < c->count; i++)
            ok = wshub_io_openssl__serve(c, desc, i, fault);
    }
    if (ok) return c;
    wshub_io_openssl__context_free(c);
    return NULL;
}

/* ---- sessions ---- */

static void wshub_io_openssl__end(void *session) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)session;
    ERR_clear_error();
    SSL_free(s->ssl); /* and its BIO */
    free(s);
}

/* Whom a client wants: its name is sent and compared; an address is compared alone. */
static bool wshub_io_openssl__want(SSL *ssl, const wshub_tls_wanted *w) {
    if (w->verify == WSHUB_VERIFY_NONE) {
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    } else {
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    }
    if (!w->address && *w->name &&
        !SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  (void *)(uintptr_t)w->name))
        return false;
    if (w->verify != WSHUB_VERIFY_FULL) return true;
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (w->address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), w->name) == 1;
    return *w->name && SSL_set1_host(ssl, w->name) == 1;
}

static void *wshub_io_openssl__begin(void *context, wshub_tls_wire *wire,
                                     const wshub_tls_wanted *wanted, wshub_tls_fault *fault) {
    wshub_io_openssl__context *c = (wshub_io_openssl__context *)context;
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)calloc(1, sizeof *s);

    BIO *bio = BIO_new(c->method);
    ERR_clear_error();
    wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "");
    if (s) s->ssl = SSL_new(c->pairs[0]);
    if (!s || !s->ssl || !bio) {
        BIO_free(bio);
        if (s) SSL_free(s->ssl);
        free(s);
        return NULL;
    }
    s->wire = wire;
    s->context = c;
    s->wants = wanted ? wanted->verify != WSHUB_VERIFY_NONE
                      : c->site->clients == WSHUB_TLS_CLIENTS_REQUIRE;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    (void)SSL_set_app_data(s->ssl, s);
    if (wanted) {
        SSL_set_connect_state(s->ssl);
        if (wshub_io_openssl__want(s->ssl, wanted)) return s;
        wshub_tls_fail(fault, WSHUB_TLS_FAIL_NAME, "a name or address that none could have");
        wshub_io_openssl__end(s);
        return NULL;
    }
    SSL_set_accept_state(s->ssl);
    return s;
}

static int wshub_io_openssl__failed(const wshub_io_openssl__session *s, wshub_tls_fault *fault) {
    wshub_io_openssl__fault(s->wants ? SSL_get_verify_result(s->ssl) : X509_V_OK, fault);
    if (s->unnamed) wshub_tls_fail(fault, WSHUB_TLS_FAIL_NAME, "no certificate for that name here");
    return WSHUB_TLS_FAILED;
}

static int wshub_io_openssl__handshake(void *session, wshub_tls_fault *fault) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)session;
    int n, e;

    ERR_clear_error();
    n = SSL_do_handshake(s->ssl);
    if (n == 1) return 1;
    e = SSL_get_error(s->ssl, n);
    if (e == SSL_ERROR_WANT_READ) return WSHUB_TLS_MORE;
    return wshub_io_openssl__failed(s, fault);
}

static int64_t wshub_io_openssl__read(void *session, uint8_t *bytes, size_t cap,
                                      wshub_tls_fault *fault) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)session;
    int n, e;

    wshub_io_openssl__clean();
    n = SSL_read(s->ssl, bytes, cap > 16384 ? 16384 : (int)cap);
    if (s->anew) {
        wshub_tls_fail(fault, WSHUB_TLS_FAIL_RECORD, "the peer begins the handshake anew");
        return WSHUB_TLS_FAILED;
    }
    if (n > 0) return n;
    e = SSL_get_error(s->ssl, n);
    if (e == SSL_ERROR_WANT_READ) return WSHUB_TLS_MORE;
    if (e == SSL_ERROR_ZERO_RETURN) return WSHUB_TLS_ENDED;
    s->wants = false;
    return wshub_io_openssl__failed(s, fault);
}

static int64_t wshub_io_openssl__write(void *session, const uint8_t *bytes, size_t count,
                                       wshub_tls_fault *fault) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)session;
    int n;

    WSHUB_ASSERT(count > 0 && count <= 16384);
    wshub_io_openssl__clean();
    n = SSL_write(s->ssl, bytes, (int)count);
    if (n == (int)count) return n;
    s->wants = false;
    return wshub_io_openssl__failed(s, fault);
}

static void wshub_io_openssl__close(void *session) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)session;
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl);
    ERR_clear_error();
}

static void wshub_io_openssl__facts(void *session, wshub_tls_facts *out) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)session;
    const unsigned char *alpn = NULL;
    unsigned alpn_len = 0;
    const char *name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);

    X509 *x = SSL_get0_peer_certificate(s->ssl);
    int n = 0;
    ERR_clear_error();
    SSL_get0_alpn_selected(s->ssl, &alpn, &alpn_len);
    if (alpn_len) {
        out->alpn.ptr = (const char *)alpn;
        out->alpn.len = alpn_len;
    }
    if (name && !s->context->client) {
        out->server_name.ptr = name;
        out->server_name.len = strlen(name);
    }
    OPENSSL_free(s->context->cert);
    s->context->cert = NULL;
    if (x) n = i2d_X509(x, &s->context->cert);
    if (n > 0) {
        out->cert.ptr = s->context->cert;
        out->cert.len = (size_t)n;
    }
    out->verified = x && SSL_get_verify_result(s->ssl) == X509_V_OK &&
                    SSL_get_verify_mode(s->ssl) != SSL_VERIFY_NONE;
    out->resumed = SSL_session_reused(s->ssl) != 0;
}

static void wshub_io_openssl__move(void *session, wshub_tls_wire *wire, void *context) {
    wshub_io_openssl__session *s = (wshub_io_openssl__session *)session;
    WSHUB_ASSERT(!s->context->client && !((wshub_io_openssl__context *)context)->client);
    s->wire = wire;
    s->context = (wshub_io_openssl__context *)context;
}

WSHUB_API const wshub_tls_engine *wshub_io_openssl_engine(void) {
    static const wshub_tls_engine engine = {WSHUB_TLS_ENGINE_VERSION,
                                            "OpenSSL",
                                            true,
                                            wshub_io_openssl__context_make,
                                            wshub_io_openssl__context_free,
                                            wshub_io_openssl__begin,
                                            wshub_io_openssl__end,
                                            wshub_io_openssl__handshake,
                                            wshub_io_openssl__read,
                                            wshub_io_openssl__write,
                                            wshub_io_openssl__close,
                                            wshub_io_openssl__facts,
                                            wshub_io_openssl__move};

    return &engine;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
