/* wshub_io_mbedtls.h - TLS for wshub by mbedTLS
 *
 * An engine of wshub_io_tls.h, where all is said that is not mbedTLS's own.
 *
 * [x] mbedTLS 2.28, and 3.1 to 3.6: TLS 1.2, and 1.3 where the library was built with it (3.6 is,
 *     as it comes); ECDHE with AES-GCM or ChaCha20-Poly1305; P-256 and X25519; older versions are
 *     refused; who renegotiates is closed, and counted as RECORD
 * [x] tickets sealed by AES-256-GCM with the keys of the description
 * [x] names are compared here: alternative names alone, a wildcard for one label, addresses with
 *     entries that are addresses
 * [x] the roots of a system where they are one file: SSL_CERT_FILE, and the places of Debian,
 *     Fedora, Alpine and the BSDs
 * [ ] TLS 1.3 with 2.28, which has none; KeyUpdate, which 3.x does not know: a peer that sends one
 *     is closed with an alert
 * [ ] 3.0, which hides what names are compared with, and 4.x
 * [ ] a ClientHello that is cut over several records: 2.28 refuses it
 * [ ] on_name for a client that says no name: it gets the first pair
 * [ ] handing a stream to another thread's io
 *
 * Memory: the library keeps two buffers of about 16 KiB for each session; a stream costs 34 KiB
 * more than a plain one with 2.28 as it is built on Debian (MBEDTLS_SSL_IN_CONTENT_LEN,
 * MBEDTLS_SSL_OUT_CONTENT_LEN).
 *
 * System   mbedTLS 2.28, or 3.1 or newer of 3.x: -lmbedtls -lmbedx509 -lmbedcrypto; POSIX
 *          (inet_pton).
 * Include  wshub.h, then this; it includes wshub_io_tls.h. The code is emitted where
 *          WSHUB_IMPLEMENTATION is defined, or WSHUB_IO_MBEDTLS_IMPLEMENTATION (and
 *          WSHUB_IO_TLS_IMPLEMENTATION) for a file of its own. */
#ifndef WSHUB_IO_MBEDTLS_H
#define WSHUB_IO_MBEDTLS_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#include "wshub_io_tls.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Returns the engine, for wshub_io_tls_create_versioned(); valid for ever. Any thread. */
WSHUB_API const wshub_tls_engine *wshub_io_mbedtls_engine(void);

/* Makes an io that speaks TLS over desc->io, by mbedTLS.
 *   desc     borrowed
 *   out_tls  the io; given to you, end it with wshub_io_tls_destroy()
 *   why      may be NULL; where it fails: one line that says so, at most why_cap - 1 bytes
 * Returns and thread as wshub_io_tls_create_versioned(). */
WSHUB_INLINE wshub_err wshub_io_mbedtls_create(const wshub_io_tls_desc *desc,
                                               wshub_io_tls **out_tls, char *why, size_t why_cap) {
    return wshub_io_tls_create_versioned(desc, sizeof *desc, WSHUB_IO_TLS_DESC_VERSION,
                                         wshub_io_mbedtls_engine(), out_tls, why, why_cap);
}

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_MBEDTLS_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_MBEDTLS_IMPLEMENTATION)) &&                 \
    !defined(WSHUB__IO_MBEDTLS_DONE)
#define WSHUB__IO_MBEDTLS_DONE
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x04000000 ||                                                        \
    (MBEDTLS_VERSION_NUMBER >= 0x03000000 && MBEDTLS_VERSION_NUMBER < 0x03010000)
#error "wshub_io_mbedtls.h is for mbedTLS 2.28 and 3.1 to 3.6; this one is neither"
#endif
#include <arpa/inet.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifndef WSHUB_ASSERT /* of its own .c file, without the implementation of wshub.h */
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

#if MBEDTLS_VERSION_NUMBER >= 0x03020000 && defined(MBEDTLS_SSL_PROTO_TLS1_3)
#define WSHUB_IO_MBEDTLS__TLS13 1 /* the library speaks it */
#else
#define WSHUB_IO_MBEDTLS__TLS13 0
#endif
#define WSHUB_IO_MBEDTLS__HELLO_MAX 16389u
#define WSHUB_IO_MBEDTLS__TICKET_S 7200u

typedef struct wshub_io_mbedtls__pair {
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
} wshub_io_mbedtls__pair;

typedef struct wshub_io_mbedtls__session wshub_io_mbedtls__session;

typedef struct wshub_io_mbedtls__context {
    const wshub_tls_site *site;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config conf;
    wshub_io_mbedtls__pair *pairs;
    size_t count;
    mbedtls_x509_crt roots;
    uint8_t rule[32];                   /* of what is asked of clients */
    wshub_io_mbedtls__session *current; /* whose handshake goes on */
} wshub_io_mbedtls__context;

struct wshub_io_mbedtls__session {
    mbedtls_ssl_context ssl;
    wshub_tls_wire *wire;
    wshub_io_mbedtls__context *context;
    uint8_t *hello; /* the first record, while the handshake goes on: it has the name */
    size_t hello_len;
    char *name; /* a server's: that was asked for; a client's: that is wanted */
    bool client, address, resumed, unnamed;
    uint8_t verify; /* a client's */
};

/* ---- what failed ---- */

static wshub_tls_failure wshub_io_mbedtls__kind(int code, uint32_t flags) {
    if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))
            return WSHUB_TLS_FAIL_EXPIRED;
        if (flags == MBEDTLS_X509_BADCERT_CN_MISMATCH) return WSHUB_TLS_FAIL_NAME;
        if (flags & MBEDTLS_X509_BADCERT_MISSING) return WSHUB_TLS_FAIL_NO_CERT;
        return WSHUB_TLS_FAIL_UNTRUSTED;
    }

    switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return WSHUB_TLS_FAIL_ALERT;
    case MBEDTLS_ERR_SSL_ALLOC_FAILED: return WSHUB_TLS_FAIL_MEMORY;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION: return WSHUB_TLS_FAIL_VERSION;
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE: return WSHUB_TLS_FAIL_AGREE;
#else
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION: return WSHUB_TLS_FAIL_VERSION;
    case MBEDTLS_ERR_SSL_NO_USABLE_CIPHERSUITE:
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN: return WSHUB_TLS_FAIL_AGREE;
#endif
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: return WSHUB_TLS_FAIL_NO_CERT;
    default: return WSHUB_TLS_FAIL_RECORD;
    }
}
static int wshub_io_mbedtls__failed(wshub_io_mbedtls__session *s, int code,
                                    wshub_tls_fault *fault) {
    fault->kind = wshub_io_mbedtls__kind(code, mbedtls_ssl_get_verify_result(&s->ssl));
    mbedtls_strerror(code, fault->text, sizeof fault->text);
    if (s->unnamed) wshub_tls_fail(fault, WSHUB_TLS_FAIL_NAME, "no certificate for that name here");
    return WSHUB_TLS_FAILED;
}
static bool wshub_io_mbedtls__bad(const char *what, const char *where, int code,
                                  wshub_tls_fault *fault) {
    char text[100];

    mbedtls_strerror(code, text, sizeof text);
    if (strstr(where, "-----BEGIN")) where = "(given as text)";
    fault->kind = WSHUB_TLS_FAIL_UNTRUSTED;
    (void)snprintf(fault->text, sizeof fault->text, "%s %.90s: %.80s", what, where, text);
    return false;
}

/* ---- the wire ---- */

/* Keeps a server's first record, in which the name is that a ticket has to be for. */
static void wshub_io_mbedtls__keep_hello(wshub_io_mbedtls__session *s, const uint8_t *bytes,
                                         size_t n) {
    uint8_t *p;
    size_t whole = WSHUB_IO_MBEDTLS__HELLO_MAX;

    if (s->client || !s->context->site->ticket_keys_count) return;
    if (s->hello_len >= 5) whole = 5 + (size_t)(s->hello[3] << 8 | s->hello[4]);
    if (s->hello_len >= whole || s->hello_len + n > WSHUB_IO_MBEDTLS__HELLO_MAX) return;
    p = (uint8_t *)realloc(s->hello, s->hello_len + n);
    if (!p) return; /* then no ticket is taken */
    memcpy(p + s->hello_len, bytes, n);
    s->hello = p;
    s->hello_len += n;
}
static int wshub_io_mbedtls__recv(void *arg, unsigned char *bytes, size_t count) {
    wshub_io_mbedtls__session *s = (wshub_io_mbedtls__session *)arg;
    size_t n = wshub_tls_take(s->wire, bytes, count);
    if (!n) return MBEDTLS_ERR_SSL_WANT_READ;
    if (s->context->current == s) wshub_io_mbedtls__keep_hello(s, bytes, n);
    return (int)n;
}
static int wshub_io_mbedtls__send(void *arg, const unsigned char *bytes, size_t count) {
    wshub_io_mbedtls__session *s = (wshub_io_mbedtls__session *)arg;
    return wshub_tls_put(s->wire, bytes, count) ? (int)count : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

/* ---- the name in a ClientHello (RFC 5246 7.4.1.2, RFC 6066 3) ---- */

/* Steps over a vector whose length has `bytes` bytes. False: it is not all there. */
static bool wshub_io_mbedtls__skip(const uint8_t **at, const uint8_t *end, size_t bytes) {
    size_t n = 0, i;

    if ((size_t)(end - *at) < bytes) return false;
    for (i = 0; i < bytes; i++) n = n << 8 | (*at)[i];
    if ((size_t)(end - *at) - bytes < n) return false;
    *at += bytes + n;
    return true;
}
static wshub_str wshub_io_mbedtls__sni(const uint8_t *hello, size_t len) {
    const uint8_t *at = hello + 5 + 4 + 2 + 32, *end = hello + len, *next;
    wshub_str name;

    name.ptr = "";
    name.len = 0;
    if (len < 5 + 4 + 2 + 32 + 1 || !wshub_io_mbedtls__skip(&at, end, 1) ||
        !wshub_io_mbedtls__skip(&at, end, 2) || !wshub_io_mbedtls__skip(&at, end, 1) ||
        end - at < 2)
        return name;
    for (at += 2; end - at >= 4; at = next) {
        next = at + 2;
        if (!wshub_io_mbedtls__skip(&next, end, 2)) return name;
        if (at[0] || at[1] || next - at < 9) continue;
        name.len = (size_t)(at[7] << 8 | at[8]);
        name.ptr = (const char *)at + 9;
        if (name.len > (size_t)(next - at) - 9) name.len = 0;
        return name;
    }
    return name;
}

/* ---- tickets ---- */

/* Under what a session holds: rule, and name without case. */
static bool wshub_io_mbedtls__bound(const wshub_io_mbedtls__session *s, wshub_str name,
                                    uint8_t out[32]) {
    uint8_t text[32 + 1 + 255];
    size_t i, n = name.len < 255 ? name.len : 255;

    memcpy(text, s->context->rule, 32);
    text[32] = (uint8_t)wshub_tls_choose(s->context->site, name);
    for (i = 0; i < n; i++) {
        char c = name.ptr[i];
        text[33 + i] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), text, 33 + n, out) == 0;
}
static bool wshub_io_mbedtls__bind(const wshub_io_mbedtls__session *s, uint8_t out[32]) {
    if (!s->hello || s->hello_len < 5) return false;
    if (s->hello_len < 5 + (size_t)(s->hello[3] << 8 | s->hello[4])) return false;
    return wshub_io_mbedtls__bound(s, wshub_io_mbedtls__sni(s->hello, s->hello_len), out);
}

/* key's name, iv, time, session, tag; what is said in the clear, and the bond, is sealed along. */
enum {
    WSHUB_IO_MBEDTLS__IV = 16,
    WSHUB_IO_MBEDTLS__TIME = 28,
    WSHUB_IO_MBEDTLS__BODY = 36,
    WSHUB_IO_MBEDTLS__TAG = 16
};

static int wshub_io_mbedtls__ticket(void *arg, const mbedtls_ssl_session *session,
                                    unsigned char *start, const unsigned char *end, size_t *len,
                                    uint32_t *lifetime) {
    wshub_io_mbedtls__context *c = (wshub_io_mbedtls__context *)arg;
    const uint8_t *key = c->site->ticket_keys;
    uint8_t also[WSHUB_IO_MBEDTLS__BODY + 32];
    size_t room = (size_t)(end - start), n = 0;
    uint64_t now = (uint64_t)time(NULL);
    mbedtls_gcm_context gcm;
    int i, r = MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;

    WSHUB_ASSERT(c->current && c->site->ticket_keys_count > 0);
    if (room < WSHUB_IO_MBEDTLS__BODY + WSHUB_IO_MBEDTLS__TAG) return r;

    memcpy(start, key, 16);
    for (i = 0; i < 8; i++) start[WSHUB_IO_MBEDTLS__TIME + i] = (uint8_t)(now >> (56 - 8 * i));
    mbedtls_gcm_init(&gcm);

    if (wshub_io_mbedtls__bind(c->current, also + WSHUB_IO_MBEDTLS__BODY) &&
        (r = mbedtls_ctr_drbg_random(&c->random, start + WSHUB_IO_MBEDTLS__IV, 12)) == 0 &&
        (r = mbedtls_ssl_session_save(session, start + WSHUB_IO_MBEDTLS__BODY,
                                      room - WSHUB_IO_MBEDTLS__BODY - WSHUB_IO_MBEDTLS__TAG, &n)) ==
            0 &&
        (r = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key + 48, 256)) == 0) {
        memcpy(also, start, WSHUB_IO_MBEDTLS__BODY);
        r = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, n, start + WSHUB_IO_MBEDTLS__IV,
                                      12, also, sizeof also, start + WSHUB_IO_MBEDTLS__BODY,
                                      start + WSHUB_IO_MBEDTLS__BODY, WSHUB_IO_MBEDTLS__TAG,
                                      start + WSHUB_IO_MBEDTLS__BODY + n);
    }

    mbedtls_gcm_free(&gcm);
    *len = WSHUB_IO_MBEDTLS__BODY + n + WSHUB_IO_MBEDTLS__TAG;
    *lifetime = WSHUB_IO_MBEDTLS__TICKET_S;
    return r;
}

static const uint8_t *wshub_io_mbedtls__ticket_key(const wshub_tls_site *site,
                                                   const uint8_t *name) {
    size_t i;

    for (i = 0; i < site->ticket_keys_count; i++) {
        const uint8_t *key = site->ticket_keys + i * WSHUB_TLS_TICKET_KEY_BYTES;
        if (memcmp(key, name, 16) == 0) return key;
    }
    return NULL;
}
static int wshub_io_mbedtls__resume(void *arg, mbedtls_ssl_session *session, unsigned char *buf,
                                    size_t len) {
    wshub_io_mbedtls__context *c = (wshub_io_mbedtls__context *)arg;
    uint8_t also[WSHUB_IO_MBEDTLS__BODY + 32];
    const uint8_t *key;
    uint64_t made = 0, now = (uint64_t)time(NULL);
    mbedtls_gcm_context gcm;
    size_t n = len - WSHUB_IO_MBEDTLS__BODY - WSHUB_IO_MBEDTLS__TAG;
    int i, r = MBEDTLS_ERR_SSL_INVALID_MAC;

    WSHUB_ASSERT(c->current); /* a ticket is part of a handshake */
    if (len <= WSHUB_IO_MBEDTLS__BODY + WSHUB_IO_MBEDTLS__TAG) return r;
    key = wshub_io_mbedtls__ticket_key(c->site, buf);
    if (!key || !wshub_io_mbedtls__bind(c->current, also + WSHUB_IO_MBEDTLS__BODY)) return r;
    for (i = 0; i < 8; i++) made = made << 8 | buf[WSHUB_IO_MBEDTLS__TIME + i];
    if (now < made || now - made > WSHUB_IO_MBEDTLS__TICKET_S)
        return MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
    memcpy(also, buf, WSHUB_IO_MBEDTLS__BODY);
    mbedtls_gcm_init(&gcm);
    if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key + 48, 256) == 0 &&
        mbedtls_gcm_auth_decrypt(&gcm, n, buf + WSHUB_IO_MBEDTLS__IV, 12, also, sizeof also,
                                 buf + WSHUB_IO_MBEDTLS__BODY + n, WSHUB_IO_MBEDTLS__TAG,
                                 buf + WSHUB_IO_MBEDTLS__BODY, buf + WSHUB_IO_MBEDTLS__BODY) == 0)
        r = mbedtls_ssl_session_load(session, buf + WSHUB_IO_MBEDTLS__BODY, n);
    mbedtls_gcm_free(&gcm);
    if (r == 0) c->current->resumed = true;
    return r;
}

/* ---- names of certificates ---- */

static bool wshub_io_mbedtls__bears(const mbedtls_x509_crt *cert, const char *name, bool address) {
    const mbedtls_x509_sequence *san = &cert->subject_alt_names;
    uint8_t ip[16];
    size_t n = 0;
    wshub_str wanted;

    wanted.ptr = name;
    wanted.len = strlen(name);
    if (address && inet_pton(AF_INET, name, ip) == 1)
        n = 4;
    else if (address && inet_pton(AF_INET6, name, ip) == 1)
        n = 16;
    for (; san && san->buf.p; san = san->next) {
        int kind = san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
        wshub_str has;
        has.ptr = (const char *)san->buf.p;
        has.len = san->buf.len;
        if (address && kind == 7 && n && has.len == n && memcmp(has.ptr, ip, n) == 0) return true;
        if (!address && kind == 2 && wanted.len && wshub_tls_fits(has, wanted)) return true;
    }
    return false;
}

/* A client's judgement of the server's certificates, behind the library's. */
static int wshub_io_mbedtls__judge(void *arg, mbedtls_x509_crt *cert, int depth, uint32_t *flags) {
    const wshub_io_mbedtls__session *s = (const wshub_io_mbedtls__session *)arg;

    if (s->verify == WSHUB_VERIFY_NONE) *flags = 0;
    if (depth) return 0;
    *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (s->verify == WSHUB_VERIFY_FULL && !wshub_io_mbedtls__bears(cert, s->name, s->address))
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

/* A server's choice by the name that is asked for. */
static int wshub_io_mbedtls__named(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name,
                                   size_t len) {
    wshub_io_mbedtls__context *c = (wshub_io_mbedtls__context *)arg;
    wshub_io_mbedtls__session *s = c->current;
    wshub_str asked;
    int chosen;

    WSHUB_ASSERT(s && &s->ssl == ssl);
    asked.ptr = (const char *)name;
    asked.len = len;
    chosen = wshub_tls_choose(c->site, asked);
    free(s->name);
    s->name = (char *)malloc(len + 1);
    if (!s->name) return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    memcpy(s->name, name, len);
    s->name[len] = 0;
    s->unnamed = chosen < 0;
    if (chosen < 0) return -1;
    return mbedtls_ssl_set_hs_own_cert(ssl, &c->pairs[chosen].cert, &c->pairs[chosen].key);
}

/* ---- contexts ---- */

static bool wshub_io_mbedtls__cert(mbedtls_x509_crt *cert, const char *what, const char *where,
                                   bool some, wshub_tls_fault *fault) {
    char *pem;
    int r;

    if (!wshub_tls_pem(where, &pem, fault)) return false;
    r = mbedtls_x509_crt_parse(cert, (const unsigned char *)pem, strlen(pem) + 1);
    wshub_tls_pem_free(pem);
    if (some && r > 0 && cert->version) r = 0; /* those that it does not know are left out */
    return r == 0 || wshub_io_mbedtls__bad(what, where, r, fault);
}
static bool wshub_io_mbedtls__key(wshub_io_mbedtls__context *c, wshub_io_mbedtls__pair *pair,
                                  const char *where, wshub_tls_fault *fault) {
    char *pem;
    int r;

    if (!wshub_tls_pem(where, &pem, fault)) return false;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    r = mbedtls_pk_parse_key(&pair->key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0,
                             mbedtls_ctr_drbg_random, &c->random);
    if (!r)
        r = mbedtls_pk_check_pair(&pair->cert.pk, &pair->key, mbedtls_ctr_drbg_random, &c->random);
#else
    (void)c;
    r = mbedtls_pk_parse_key(&pair->key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0);
    if (!r) r = mbedtls_pk_check_pair(&pair->cert.pk, &pair->key);
#endif
    wshub_tls_pem_free(pem);
    return r == 0 || wshub_io_mbedtls__bad("key", where, r, fault);
}
static bool wshub_io_mbedtls__load(wshub_io_mbedtls__context *c, const wshub_tls_pair *from,
                                   wshub_io_mbedtls__pair *pair, wshub_tls_fault *fault) {
    return wshub_io_mbedtls__cert(&pair->cert, "certificate", from->cert, false, fault) &&
           wshub_io_mbedtls__key(c, pair, from->key, fault);
}

static bool wshub_io_mbedtls__system_roots(wshub_io_mbedtls__context *c, wshub_tls_fault *fault) {
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
                                         "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
                                         "/usr/local/etc/ssl/cert.pem"};
    const char *said = getenv("SSL_CERT_FILE");
    size_t i;

    if (said) return wshub_io_mbedtls__cert(&c->roots, "roots", said, true, fault);
    for (i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (wshub_io_mbedtls__cert(&c->roots, "roots", places[i], true, fault)) return true;
    }
    wshub_tls_fail(fault, WSHUB_TLS_FAIL_UNTRUSTED,
                   "this system's roots are not where they are elsewhere; name them (roots)");
    return false;
}

static void wshub_io_mbedtls__suites(wshub_io_mbedtls__context *c, bool client) {
    static const int suites[] = {
#ifdef MBEDTLS_TLS1_3_AES_128_GCM_SHA256
        MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
        MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
        MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        0};

    mbedtls_ssl_conf_ciphersuites(&c->conf, suites);
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
    {
        static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                          MBEDTLS_SSL_IANA_TLS_GROUP_X25519, 0};
        (void)client;
        mbedtls_ssl_conf_groups(&c->conf, groups);
    }
#else
    {
        /* this list is for a peer's certificates, too */
        static const mbedtls_ecp_group_id curves[] = {
            MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_NONE};
        static const mbedtls_ecp_group_id more[] = {MBEDTLS_ECP_DP_SECP256R1,
                                                    MBEDTLS_ECP_DP_CURVE25519,
                                                    MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
        mbedtls_ssl_conf_curves(&c->conf, client || c->site->clients ? more : curves);
    }
#endif
}

static bool wshub_io_mbedtls__ask(wshub_io_mbedtls__context *c, const wshub_io_tls_desc *desc,
                                  wshub_tls_fault *fault) {
    char *pem;
    int r;

    mbedtls_ssl_conf_authmode(&c->conf, MBEDTLS_SSL_VERIFY_NONE);
    if (!desc->clients) return true;
    if (!wshub_io_mbedtls__cert(&c->roots, "client_roots", desc->client_roots, false, fault) ||
        !wshub_tls_pem(desc->client_roots, &pem, fault))
        return false;
    r = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)pem,
                   strlen(pem), c->rule);
    c->rule[0] ^= (uint8_t)desc->clients;
    wshub_tls_pem_free(pem);
    if (r) return wshub_io_mbedtls__bad("client_roots", desc->client_roots, r, fault);
    mbedtls_ssl_conf_ca_chain(&c->conf, &c->roots, NULL);
    mbedtls_ssl_conf_authmode(&c->conf, desc->clients == WSHUB_TLS_CLIENTS_REQUIRE
                                            ? MBEDTLS_SSL_VERIFY_REQUIRED
                                            : MBEDTLS_SSL_VERIFY_OPTIONAL);
    return true;
}

static bool wshub_io_mbedtls__serve(wshub_io_mbedtls__context *c, const wshub_io_tls_desc *desc,
                                    wshub_tls_fault *fault) {
    static const char *protocols[] = {"http/1.1", NULL};
    size_t i;

    for (i = 0; i < c->count; i++) {
        if (!wshub_io_mbedtls__load(c, &desc->pairs[i], &c->pairs[i], fault)) return false;
    }
    mbedtls_ssl_conf_sni(&c->conf, wshub_io_mbedtls__named, c);
    if (c->site->ticket_keys_count)
        mbedtls_ssl_conf_session_tickets_cb(&c->conf, wshub_io_mbedtls__ticket,
                                            wshub_io_mbedtls__resume, c);
    return mbedtls_ssl_conf_own_cert(&c->conf, &c->pairs[0].cert, &c->pairs[0].key) == 0 &&
           mbedtls_ssl_conf_alpn_protocols(&c->conf, protocols) == 0 &&
           wshub_io_mbedtls__ask(c, desc, fault);
}
static bool wshub_io_mbedtls__dial(wshub_io_mbedtls__context *c, const wshub_io_tls_desc *desc,
                                   wshub_tls_fault *fault) {
    if (desc->own && (!wshub_io_mbedtls__load(c, desc->own, &c->pairs[0], fault) ||
                      mbedtls_ssl_conf_own_cert(&c->conf, &c->pairs[0].cert, &c->pairs[0].key)))
        return false;
    if (desc->roots ? !wshub_io_mbedtls__cert(&c->roots, "roots", desc->roots, true, fault)
                    : !wshub_io_mbedtls__system_roots(c, fault))
        return false;
    mbedtls_ssl_conf_ca_chain(&c->conf, &c->roots, NULL);
    mbedtls_ssl_conf_authmode(&c->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    return true;
}

static bool wshub_io_mbedtls__configure(wshub_io_mbedtls__context *c, bool client) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (psa_crypto_init() != PSA_SUCCESS) return false;
#endif
    if (mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy, NULL, 0) ||
        mbedtls_ssl_config_defaults(&c->conf,
                                    client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
                                    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
        return false;
    mbedtls_ssl_conf_rng(&c->conf, mbedtls_ctr_drbg_random, &c->random);
    mbedtls_ssl_conf_min_version(&c->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#if WSHUB_IO_MBEDTLS__TLS13
    if (c->site->version_min == 13)
        mbedtls_ssl_conf_min_tls_version(&c->conf, MBEDTLS_SSL_VERSION_TLS1_3);
#endif
#ifdef MBEDTLS_SSL_RENEGOTIATION
    mbedtls_ssl_conf_renegotiation(&c->conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
    wshub_io_mbedtls__suites(c, client);
    return true;
}

static void wshub_io_mbedtls__context_free(void *context) {
    wshub_io_mbedtls__context *c = (wshub_io_mbedtls__context *)context;
    size_t i;

    for (i = 0; c->pairs && i < c->count; i++) {
        mbedtls_x509_crt_free(&c->pairs[i].cert);
        mbedtls_pk_free(&c->pairs[i].key);
    }
    free(c->pairs);
    mbedtls_x509_crt_free(&c->roots);
    mbedtls_ssl_config_free(&c->conf);
    mbedtls_ctr_drbg_free(&c->random);
    mbedtls_entropy_free(&c->entropy);
    free(c);
}

static void *wshub_io_mbedtls__context_make(const wshub_io_tls_desc *desc,
                                            const wshub_tls_site *site, bool client,
                                            wshub_tls_fault *fault) {
    wshub_io_mbedtls__context *c = (wshub_io_mbedtls__context *)calloc(1, sizeof *c);
    bool ok;
    size_t i;
    wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory, or no randomness");
    if (!c) return NULL;
    c->site = site;
    c->count = client ? 1 : desc->pairs_count;

    mbedtls_entropy_init(&c->entropy);
    mbedtls_ctr_drbg_init(&c->random);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_x509_crt_init(&c->roots);
    c->pairs = (wshub_io_mbedtls__pair *)calloc(c->count, sizeof *c->pairs);
    for (i = 0; c->pairs && i < c->count; i++) {
        mbedtls_x509_crt_init(&c->pairs[i].cert);
        mbedtls_pk_init(&c->pairs[i].key);
    }

    ok =
        c->pairs && wshub_io_mbedtls__configure(c, client) &&
        (client ? wshub_io_mbedtls__dial(c, desc, fault) : wshub_io_mbedtls__serve(c, desc, fault));
    if (ok) return c;
    wshub_io_mbedtls__context_free(c);
    return NULL;
}

/* ---- sessions ---- */

static void wshub_io_mbedtls__end(void *session) {
    wshub_io_mbedtls__session *s = (wshub_io_mbedtls__session *)session;
    mbedtls_ssl_free(&s->ssl);
    free(s->hello);
    free(s->name);
    free(s);
}

static bool wshub_io_mbedtls__want(wshub_io_mbedtls__session *s, const wshub_tls_wanted *w) {
    size_t n = strlen(w->name) + 1;

    s->client = true;
    s->address = w->address;
    s->verify = (uint8_t)w->verify;
    s->name = (char *)malloc(n);
    if (!s->name) return false;
    memcpy(s->name, w->name, n);
    mbedtls_ssl_set_verify(&s->ssl, wshub_io_mbedtls__judge, s);
    return mbedtls_ssl_set_hostname(&s->ssl, w->address || !*w->name ? NULL : w->name) == 0;
}

static void *wshub_io_mbedtls__begin(void *context, wshub_tls_wire *wire,
                                     const wshub_tls_wanted *wanted, wshub_tls_fault *fault) {
    wshub_io_mbedtls__context *c = (wshub_io_mbedtls__context *)context;
    wshub_io_mbedtls__session *s = (wshub_io_mbedtls__session *)calloc(1, sizeof *s);

    wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "");
    if (!s) return NULL;
    s->wire = wire;
    s->context = c;
    mbedtls_ssl_init(&s->ssl);
    if (mbedtls_ssl_setup(&s->ssl, &c->conf) || (wanted && !wshub_io_mbedtls__want(s, wanted))) {
        wshub_io_mbedtls__end(s);
        return NULL;
    }
    mbedtls_ssl_set_bio(&s->ssl, s, wshub_io_mbedtls__send, wshub_io_mbedtls__recv, NULL);
    return s;
}

/* What is no failure: it wants more, or says that a ticket has come (3.x). */
static bool wshub_io_mbedtls__again(int code) {
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) return true;
#endif
    (void)code;
    return false;
}

static int wshub_io_mbedtls__handshake(void *session, wshub_tls_fault *fault) {
    wshub_io_mbedtls__session *s = (wshub_io_mbedtls__session *)session;
    int r;

    s->context->current = s;
    do r = mbedtls_ssl_handshake(&s->ssl);
    while (wshub_io_mbedtls__again(r));
    s->context->current = NULL;
    if (r == MBEDTLS_ERR_SSL_WANT_READ) return WSHUB_TLS_MORE;
    if (r) return wshub_io_mbedtls__failed(s, r, fault);
    free(s->hello);
    s->hello = NULL;
    s->hello_len = 0;
    return 1;
}

static int64_t wshub_io_mbedtls__read(void *session, uint8_t *bytes, size_t cap,
                                      wshub_tls_fault *fault) {
    wshub_io_mbedtls__session *s = (wshub_io_mbedtls__session *)session;
    size_t before = s->wire->out_len;
    int r;

    /* 0 is no end, as the wire never says one: it is a record of nothing, behind another such. */
    do r = mbedtls_ssl_read(&s->ssl, bytes, cap);
    while (r == 0 || wshub_io_mbedtls__again(r));

    /* Reading writes alerts alone; and where it goes on behind one, it has warned a peer that
     * renegotiates. */
    if ((r > 0 || r == MBEDTLS_ERR_SSL_WANT_READ) && s->wire->out_len != before) {
        wshub_tls_fail(fault, WSHUB_TLS_FAIL_RECORD, "the peer begins the handshake anew");
        return WSHUB_TLS_FAILED;
    }
    if (r > 0) return r;
    if (r == MBEDTLS_ERR_SSL_WANT_READ) return WSHUB_TLS_MORE;
    if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return WSHUB_TLS_ENDED;
    return wshub_io_mbedtls__failed(s, r, fault);
}

/* What is put is always taken, so a record is written once; what is said by `again` comes before
 * it was begun. */
static int64_t wshub_io_mbedtls__write(void *session, const uint8_t *bytes, size_t count,
                                       wshub_tls_fault *fault) {
    wshub_io_mbedtls__session *s = (wshub_io_mbedtls__session *)session;
    size_t done = 0;

    while (done < count) {
        int r = mbedtls_ssl_write(&s->ssl, bytes + done, count - done);
        if (r > 0)
            done += (size_t)r;
        else if (!wshub_io_mbedtls__again(r))
            return wshub_io_mbedtls__failed(s, r, fault);
    }
    return (int64_t)count;
}

static void wshub_io_mbedtls__close(void *session) {
    (void)mbedtls_ssl_close_notify(&((wshub_io_mbedtls__session *)session)->ssl);
}

static void wshub_io_mbedtls__facts(void *session, wshub_tls_facts *out) {
    const wshub_io_mbedtls__session *s = (const wshub_io_mbedtls__session *)session;
    const char *alpn = mbedtls_ssl_get_alpn_protocol(&s->ssl);
    const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(&s->ssl);
    bool asked = s->client ? s->verify != WSHUB_VERIFY_NONE : s->context->site->clients != 0;

    if (alpn) {
        out->alpn.ptr = alpn;
        out->alpn.len = strlen(alpn);
    }
    if (s->name && *s->name) {
        out->server_name.ptr = s->name;
        out->server_name.len = strlen(s->name);
    }
    if (cert) {
        out->cert.ptr = cert->raw.p;
        out->cert.len = cert->raw.len;
    }
    out->verified = cert && asked && mbedtls_ssl_get_verify_result(&s->ssl) == 0;
    out->resumed = s->resumed;
}

WSHUB_API const wshub_tls_engine *wshub_io_mbedtls_engine(void) {
    static const wshub_tls_engine engine = {WSHUB_TLS_ENGINE_VERSION,
                                            "mbedTLS",
                                            WSHUB_IO_MBEDTLS__TLS13 != 0,
                                            wshub_io_mbedtls__context_make,
                                            wshub_io_mbedtls__context_free,
                                            wshub_io_mbedtls__begin,
                                            wshub_io_mbedtls__end,
                                            wshub_io_mbedtls__handshake,
                                            wshub_io_mbedtls__read,
                                            wshub_io_mbedtls__write,
                                            wshub_io_mbedtls__close,
                                            wshub_io_mbedtls__facts,
                                            NULL};

    return &engine;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
