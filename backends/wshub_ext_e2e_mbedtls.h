/* wshub_ext_e2e_mbedtls.h - encryption from end to end, as browsers' WebCrypto does it
 *
 * [x] ECDH on P-256, a pair of keys for each client; HKDF-SHA-256; AES-256-GCM
 * [x] `{"iv","ct"}` in base64, each message with an iv of its own, its tag at the end of ct
 * [x] inbound `encrypted` is opened and means what it holds, its `id` included
 * [x] new keys at any time, without a message lost; keys are wiped as soon as they are not needed
 * [ ] protection against messages that are played back: an application that needs it numbers them
 * [ ] bytes (binary messages), and `id` of replies, which travels in the clear (SEND-7)
 * [ ] mbedTLS 4, which has other functions
 *
 * System   mbedTLS 2.28 (Debian: libmbedtls-dev) or 3.x, with MBEDTLS_ECDH_C, MBEDTLS_HKDF_C,
 *          MBEDTLS_GCM_C and MBEDTLS_CTR_DRBG_C, as its default is; link -lmbedcrypto.
 * Include  behind wshub.h. The code is emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_EXT_E2E_MBEDTLS_IMPLEMENTATION for a file of its own.
 * Threads  One wshub_ext_e2e for each hub, on the hub's thread.
 *
 * The hub says when keys are agreed and sees to it that nothing goes past them (>>encryption of
 * wshub.h); this file has the functions that its callbacks call. `app` is what you gave as
 * wshub_desc.user:
 *
 *     static void on_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *app) {
 *         wshub_ext_e2e_handshake(((my_app *)app)->e2e, hub, ask, hs);
 *     }
 *     static void on_out(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
 *                        void *app) {
 *         wshub_ext_e2e_out(((my_app *)app)->e2e, hub, ask, client, event);
 *     }
 *     static void on_in(...) { wshub_ext_e2e_in(...); }                            the same
 *     static void on_disconnecting(wshub *hub, const wshub_gone *gone, void *app) {
 *         wshub_ext_e2e_gone(((my_app *)app)->e2e, hub, gone->client);
 *     }
 *
 *     wshub_ext_e2e_create(&(wshub_ext_e2e_desc){.info = "my-app-1"}, &app.e2e);
 *     d.require_encryption = true;
 *     d.on_handshake = on_handshake; d.on_transform_out = on_out; d.on_transform_in = on_in;
 *     d.on_disconnecting = on_disconnecting;
 *
 * What goes over the wire. `authenticate` carries the client's `publicKey`: a point of P-256, raw
 * and uncompressed (65 bytes: 04, x, y), in base64. `connected` carries `serverPublicKey`, written
 * so, and `salt`, 32 random bytes. The key is HKDF-SHA-256 of the 32 bytes that ECDH gives (x, with
 * its leading zeros), with that salt and `info`. A message is
 * {"event":"encrypted","data":{"iv":...,"ct":...}}; inside is the text that would have gone in the
 * clear. Base64 is the standard alphabet with padding, and nothing else. In a page:
 *
 *     const pair = await crypto.subtle.generateKey({name: "ECDH", namedCurve: "P-256"}, false,
 *                                                  ["deriveBits"]);
 *     const bits = await crypto.subtle.deriveBits({name: "ECDH", public: serverKey},
 *                                                 pair.privateKey, 256);
 *     const raw = await crypto.subtle.importKey("raw", bits, "HKDF", false, ["deriveKey"]);
 *     const key = await crypto.subtle.deriveKey(
 *         {name: "HKDF", hash: "SHA-256", salt, info: new TextEncoder().encode(info)}, raw,
 *         {name: "AES-GCM", length: 256}, false, ["encrypt", "decrypt"]);
 *
 * (examples/encrypted/index.html is a whole page.) What this is worth: it keeps messages from who
 * carries them, such as a proxy that ends TLS; the keys are not signed, so that whoever can change
 * what it carries can stand between. A page that comes over the same way is only as good as that
 * way. The hub reads every message: it is one of the two ends.
 *
 * Cost: for a client that comes, two multiplications on the curve, 1.5 ms of mbedTLS; for a
 * message, for each receiver, one AES-256-GCM (8 us for 1 KiB) and its base64; 800 bytes a client.
 * Proved by tests/test_e2e.c, tests/e2e.sh. */
#ifndef WSHUB_EXT_E2E_MBEDTLS_H
#define WSHUB_EXT_E2E_MBEDTLS_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* The keys of a hub's clients. Made by wshub_ext_e2e_create(), ended by wshub_ext_e2e_destroy(). */
typedef struct wshub_ext_e2e wshub_ext_e2e;

/* What keys are derived with where wshub_ext_e2e_desc.info is NULL. */
#define WSHUB_EXT_E2E_INFO "ignis-ecdh-p256-aes-256-gcm-v1"
/* How many messages one key may seal: with ivs at random, more would risk one twice (NIST SP
 * 800-38D 8.3). What comes behind is not sent (ENC-2) until there are new keys. */
#define WSHUB_EXT_E2E_SEALS_MAX UINT32_MAX
#define WSHUB_EXT_E2E_DESC_VERSION 1 /* it rises when the struct below changes */

/* How keys are made and used. Zero is the default of every field. What it points to is copied. */
typedef struct wshub_ext_e2e_desc {
    const char *info; /* WSHUB_EXT_E2E_INFO; what keys are for: both ends must have the same text */
    wshub_str aad;    /* additional data of every message, any bytes, which both ends must have the
                         same; ptr NULL: none */
    /* Gives count secret random bytes; false: it has none. NULL: the generator of mbedTLS, seeded
     * from the system. */
    bool (*random)(void *user, uint8_t *bytes, size_t count);
    void *random_user;    /* the first argument of random */
    wshub_alloc_fn alloc; /* NULL: realloc and free. What mbedTLS takes it takes by its own */
    void *alloc_user;     /* the first argument of alloc */
} wshub_ext_e2e_desc;

/* What has happened since creation. */
typedef struct wshub_ext_e2e_stats {
    uint64_t agreed;   /* keys that were agreed */
    uint64_t refused;  /* public keys that are none */
    uint64_t sealed;   /* messages encrypted */
    uint64_t opened;   /* messages decrypted, also those that held no event */
    uint64_t unopened; /* `encrypted` that did not open: no iv, no ct, a wrong tag */
    uint64_t failed;   /* memory, randomness or the library failed, or WSHUB_EXT_E2E_SEALS_MAX */
    uint64_t clients;  /* who have keys now */
} wshub_ext_e2e_stats;

/* Makes an empty set of keys.
 *   desc     borrowed; NULL: all defaults
 *   out_e2e  given to you, end it with wshub_ext_e2e_destroy() after the hub
 * Returns  OK; PARAM: out_e2e is NULL, or aad has a length and no bytes; NOMEM; RANDOM: the system
 *          gives mbedTLS no seed.
 * Thread   any. */
WSHUB_INLINE wshub_err wshub_ext_e2e_create(const wshub_ext_e2e_desc *desc,
                                            wshub_ext_e2e **out_e2e);
/* What it calls, as wshub_create_versioned() of wshub.h.
 *   desc_bytes  sizeof(wshub_ext_e2e_desc)
 *   version     WSHUB_EXT_E2E_DESC_VERSION
 * Return and thread as that. */
WSHUB_API wshub_err wshub_ext_e2e_create_versioned(const wshub_ext_e2e_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_ext_e2e **out_e2e);
WSHUB_INLINE wshub_err wshub_ext_e2e_create(const wshub_ext_e2e_desc *desc,
                                            wshub_ext_e2e **out_e2e) {
    return wshub_ext_e2e_create_versioned(desc, sizeof(wshub_ext_e2e_desc),
                                          WSHUB_EXT_E2E_DESC_VERSION, out_e2e);
}

/* Answers wshub_desc.on_handshake (AUTH-5): accepted with a fresh key pair and salt, rejected where
 * `publicKey` of its data is no point as above, failed where memory or randomness fail.
 *   hs  as the callback got it
 * Thread   the hub's, as of all below. Cost: two multiplications on the curve. */
WSHUB_API void wshub_ext_e2e_handshake(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask,
                                       const wshub_handshake *hs);

/* Answers wshub_desc.on_transform_out (ENC-1): the event becomes `encrypted`, under the keys of the
 * client. Failed, and so not sent (ENC-2), where the client has no keys here.
 *   event  as the callback got it
 * Cost: O(length). */
WSHUB_API void wshub_ext_e2e_out(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask, wshub_client client,
                                 const wshub_event *event);

/* Answers wshub_desc.on_transform_in: `encrypted` is opened, and what it holds is handled as if it
 * had come in the clear, system events too; other events are taken as they are. What does not open,
 * or is no JSON, is answered by `error` Invalid message format (MSG-2), what has no event is
 * dropped (MSG-3); the client stays.
 *   event  as the callback got it
 * Cost: O(length). */
WSHUB_API void wshub_ext_e2e_in(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask, wshub_client client,
                                const wshub_event *event);

/* Agrees on new keys with a client, or on its first (ENC-4): sends it `event` with data
 * {"serverPublicKey","salt"}, under the keys so far, in the clear if there were none, and goes on
 * under the new ones; a client without encryption has it from here on. What the client has sent
 * under its old key is opened until its first message under the new one. Not from inside
 * on_transform_out.
 *   public_key  what the client sent: a JSON string, as in the handshake; borrowed
 *   event       the event by which it hears of them; borrowed
 * Returns  OK; STALE; STATE: not authenticated; PARAM: no such key; NOMEM; RANDOM; DROPPED:
 *          it has too much unsent to be told; or what wshub_client_send() has returned. After an
 *          error its keys are what they were.
 * Cost     as wshub_ext_e2e_handshake(). */
WSHUB_API wshub_err wshub_ext_e2e_rekey(wshub_ext_e2e *e2e, wshub *hub, wshub_client client,
                                        wshub_str public_key, wshub_str event);

/* How many messages were sealed with a client's key, of WSHUB_EXT_E2E_SEALS_MAX? 0 also where it
 * has none. Cost: O(1). */
WSHUB_API uint64_t wshub_ext_e2e_seals(const wshub_ext_e2e *e2e, const wshub *hub,
                                       wshub_client client);

/* Wipes the keys of a client: call it in wshub_desc.on_disconnecting, with wshub_gone.client, for
 * who had keys and who had none. Cost: O(1). */
WSHUB_API void wshub_ext_e2e_gone(wshub_ext_e2e *e2e, const wshub *hub, wshub_client client);

/* Gives all counts. out_stats: written. Cost: O(1). */
WSHUB_API void wshub_ext_e2e_stats_get(const wshub_ext_e2e *e2e, wshub_ext_e2e_stats *out_stats);

/* Wipes all keys and ends it, after its hub. NULL: nothing. */
WSHUB_API void wshub_ext_e2e_destroy(wshub_ext_e2e *e2e);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_EXT_E2E_MBEDTLS_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_EXT_E2E_MBEDTLS_IMPLEMENTATION)) &&            \
    !defined(WSHUB__EXT_E2E_MBEDTLS_DONE)
#define WSHUB__EXT_E2E_MBEDTLS_DONE
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdh.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>
#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

enum {
    WSHUB_EXT_E2E__POINT = 65,      /* 04, x, y */
    WSHUB_EXT_E2E__POINT_TEXT = 88, /* that in base64 */
    WSHUB_EXT_E2E__SALT = 32,
    WSHUB_EXT_E2E__SALT_TEXT = 44,
    WSHUB_EXT_E2E__SECRET = 32,
    WSHUB_EXT_E2E__IV = 12,
    WSHUB_EXT_E2E__IV_TEXT = 16,
    WSHUB_EXT_E2E__TAG = 16
};

/* A key, ready for use: AES-256-GCM with its tables. */
typedef struct wshub_ext_e2e__key {
    mbedtls_gcm_context gcm;
    uint64_t seals;
} wshub_ext_e2e__key;

/* What a client has, at its number (wshub_client_number()). */
typedef struct wshub_ext_e2e__peer {
    wshub_client client;
    wshub_ext_e2e__key *now;    /* NULL: nobody is here */
    wshub_ext_e2e__key *before; /* opens what was sent before the client had `now`; NULL: none */
} wshub_ext_e2e__peer;

struct wshub_ext_e2e {
    wshub_ext_e2e_desc desc; /* info and aad are its own copies, behind this struct */
    size_t bytes;            /* of this struct and the copies */
    wshub_ext_e2e__peer *peers;
    uint32_t peers_cap;
    wshub_ext_e2e_stats stats;
    bool starved;         /* it was randomness that failed */
    wshub_client passing; /* what comes now from this client has been opened; {0}: none */
    mbedtls_ecp_group group;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
};

/* What a client is told of its new keys, in base64, and the key. */
typedef struct wshub_ext_e2e__agreed {
    char point[WSHUB_EXT_E2E__POINT_TEXT], salt[WSHUB_EXT_E2E__SALT_TEXT];
    wshub_ext_e2e__key *key;
} wshub_ext_e2e__agreed;

static wshub_str wshub_ext_e2e__str(const char *text, size_t len) {
    wshub_str str;

    str.ptr = text;
    str.len = len;
    return str;
}

static void *wshub_ext_e2e__alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

static void *wshub_ext_e2e__take(const wshub_ext_e2e *e2e, size_t bytes) {
    return e2e->desc.alloc(e2e->desc.alloc_user, NULL, 0, bytes);
}

static void wshub_ext_e2e__give(const wshub_ext_e2e *e2e, void *ptr, size_t bytes) {
    if (ptr) (void)e2e->desc.alloc(e2e->desc.alloc_user, ptr, bytes, 0);
}

/* ---- base64 ---- */

/* The six bits of a letter; 64: it is none. */
static unsigned wshub_ext_e2e__bits(char letter) {
    if (letter >= 'A' && letter <= 'Z') return (unsigned)(letter - 'A');
    if (letter >= 'a' && letter <= 'z') return (unsigned)(letter - 'a') + 26;
    if (letter >= '0' && letter <= '9') return (unsigned)(letter - '0') + 52;
    if (letter == '+') return 62;
    return letter == '/' ? 63 : 64;
}

/* Decodes a group of four letters, of which the last `pads` (0..2) are padding. The bits that these
 * leave over are 0: there is one way to write bytes. False: it is no base64. */
static bool wshub_ext_e2e__group(const char *text, unsigned pads, uint8_t *to) {
    uint32_t all = 0;
    unsigned i, bytes = 3 - pads;

    for (i = 0; i < 4 - pads; i++) {
        unsigned bits = wshub_ext_e2e__bits(text[i]);
        if (bits > 63) return false;
        all |= bits << (18 - 6 * i);
    }
    if (all & ((1u << (8 * pads)) - 1)) return false;
    for (i = 0; i < bytes; i++) to[i] = (uint8_t)(all >> (16 - 8 * i));
    return true;
}

/* Decodes base64 of the standard alphabet, padded, without blanks. to: may be the text itself, as
 * bytes are fewer. Returns the count of bytes; SIZE_MAX: it is none. */
static size_t wshub_ext_e2e__unbase64(const char *text, size_t len, uint8_t *to) {
    size_t at, count = 0;

    if (len % 4) return SIZE_MAX;
    for (at = 0; at < len; at += 4) {
        unsigned pads = 0;
        char group[4];

        memcpy(group, text + at, sizeof group);
        if (at + 4 == len && group[3] == '=') pads = group[2] == '=' ? 2 : 1;
        if (!wshub_ext_e2e__group(group, pads, to + count)) return SIZE_MAX;
        count += 3 - pads;
    }
    return count;
}

/* ---- keys ---- */

static int wshub_ext_e2e__random(void *ctx, unsigned char *bytes, size_t count) {
    wshub_ext_e2e *e2e = (wshub_ext_e2e *)ctx;
    bool ok = e2e->desc.random ? e2e->desc.random(e2e->desc.random_user, bytes, count)
                               : mbedtls_ctr_drbg_random(&e2e->drbg, bytes, count) == 0;

    if (!ok) e2e->starved = true;
    return ok ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

static void wshub_ext_e2e__key_free(const wshub_ext_e2e *e2e, wshub_ext_e2e__key *key) {
    if (!key) return;
    mbedtls_gcm_free(&key->gcm); /* which wipes it */
    wshub_ext_e2e__give(e2e, key, sizeof *key);
}

/* Makes a key of the secret of ECDH. NULL: out of memory. */
static wshub_ext_e2e__key *wshub_ext_e2e__key_of(const wshub_ext_e2e *e2e, const uint8_t *secret,
                                                 const uint8_t *salt) {
    const mbedtls_md_info_t *sha = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    const char *info = e2e->desc.info;
    uint8_t bytes[32];
    wshub_ext_e2e__key *key = (wshub_ext_e2e__key *)wshub_ext_e2e__take(e2e, sizeof *key);
    bool ok;

    if (!key) return NULL;
    memset(key, 0, sizeof *key);
    mbedtls_gcm_init(&key->gcm);
    ok = mbedtls_hkdf(sha, salt, WSHUB_EXT_E2E__SALT, secret, WSHUB_EXT_E2E__SECRET,
                      (const uint8_t *)info, strlen(info), bytes, sizeof bytes) == 0 &&
         mbedtls_gcm_setkey(&key->gcm, MBEDTLS_CIPHER_ID_AES, bytes, 256) == 0;
    mbedtls_platform_zeroize(bytes, sizeof bytes);
    if (ok) return key;
    wshub_ext_e2e__key_free(e2e, key);
    return NULL;
}

/* Reads the point of a client: a JSON string. PARAM: it is none, or not on the curve; NOMEM. */
static wshub_err wshub_ext_e2e__point(const wshub_ext_e2e *e2e, wshub_str text,
                                      mbedtls_ecp_point *out) {
    char letters[WSHUB_EXT_E2E__POINT_TEXT];
    uint8_t bytes[WSHUB_EXT_E2E__POINT_TEXT];
    int rc;

    if (wshub_json_text(text, letters, sizeof letters) != sizeof letters) return WSHUB_ERR_PARAM;
    if (wshub_ext_e2e__unbase64(letters, sizeof letters, bytes) != WSHUB_EXT_E2E__POINT)
        return WSHUB_ERR_PARAM;
    if (bytes[0] != 4) return WSHUB_ERR_PARAM; /* compressed, hybrid, or none at all */
    if (mbedtls_ecp_point_read_binary(&e2e->group, out, bytes, WSHUB_EXT_E2E__POINT))
        return WSHUB_ERR_NOMEM;
    rc = mbedtls_ecp_check_pubkey(&e2e->group, out);
    if (rc == MBEDTLS_ERR_ECP_INVALID_KEY) return WSHUB_ERR_PARAM;
    return rc ? WSHUB_ERR_NOMEM : WSHUB_OK;
}

/* A pair of keys of our own for one client, and what ECDH makes of it and the client's point.
 * secret: x, with its leading zeros. False: the library failed. */
static bool wshub_ext_e2e__ecdh(wshub_ext_e2e *e2e, const mbedtls_ecp_point *theirs,
                                uint8_t out_point[WSHUB_EXT_E2E__POINT],
                                uint8_t out_secret[WSHUB_EXT_E2E__SECRET]) {
    mbedtls_mpi ours, shared;
    mbedtls_ecp_point point;
    size_t len = 0;
    bool ok;

    mbedtls_mpi_init(&ours);
    mbedtls_mpi_init(&shared);
    mbedtls_ecp_point_init(&point);
    ok = mbedtls_ecp_gen_keypair(&e2e->group, &ours, &point, wshub_ext_e2e__random, e2e) == 0 &&
         mbedtls_ecp_point_write_binary(&e2e->group, &point, MBEDTLS_ECP_PF_UNCOMPRESSED, &len,
                                        out_point, WSHUB_EXT_E2E__POINT) == 0 &&
         mbedtls_ecdh_compute_shared(&e2e->group, &shared, theirs, &ours, wshub_ext_e2e__random,
                                     e2e) == 0 &&
         mbedtls_mpi_write_binary(&shared, out_secret, WSHUB_EXT_E2E__SECRET) == 0;
    WSHUB_ASSERT(!ok || len == WSHUB_EXT_E2E__POINT);
    mbedtls_ecp_point_free(&point);
    mbedtls_mpi_free(&shared); /* both of which wipe */
    mbedtls_mpi_free(&ours);
    return ok;
}

/* Agrees with a client on a key. public_key: JSON string. Returns OK, and out->key is the caller's;
 * PARAM; NOMEM; RANDOM. */
static wshub_err wshub_ext_e2e__agree(wshub_ext_e2e *e2e, wshub_str public_key,
                                      wshub_ext_e2e__agreed *out) {
    uint8_t salt[WSHUB_EXT_E2E__SALT], point[WSHUB_EXT_E2E__POINT], secret[WSHUB_EXT_E2E__SECRET];
    mbedtls_ecp_point theirs;
    wshub_err err;

    e2e->starved = false;
    out->key = NULL;
    mbedtls_ecp_point_init(&theirs);
    err = wshub_ext_e2e__point(e2e, public_key, &theirs);
    if (!err && wshub_ext_e2e__random(e2e, salt, sizeof salt) == 0 &&
        wshub_ext_e2e__ecdh(e2e, &theirs, point, secret)) {
        out->key = wshub_ext_e2e__key_of(e2e, secret, salt);
        mbedtls_platform_zeroize(secret, sizeof secret);
    }
    mbedtls_ecp_point_free(&theirs);

    if (!err && !out->key) err = e2e->starved ? WSHUB_ERR_RANDOM : WSHUB_ERR_NOMEM;
    if (err == WSHUB_ERR_PARAM) e2e->stats.refused++;
    if (err && err != WSHUB_ERR_PARAM) e2e->stats.failed++;
    if (err) return err;
    (void)wshub_base64(point, sizeof point, out->point);
    (void)wshub_base64(salt, sizeof salt, out->salt);
    return WSHUB_OK;
}

/* ---- clients ---- */

/* Makes room for a client's number. False: out of memory. */
static bool wshub_ext_e2e__grow(wshub_ext_e2e *e2e, uint32_t number) {
    size_t cap = e2e->peers_cap ? e2e->peers_cap : 16, size = sizeof *e2e->peers;
    wshub_ext_e2e__peer *peers;

    if (number < e2e->peers_cap) return true;
    while (cap <= number) cap *= 2;
    peers = (wshub_ext_e2e__peer *)e2e->desc.alloc(e2e->desc.alloc_user, e2e->peers,
                                                   e2e->peers_cap * size, cap * size);
    if (!peers) return false;
    memset(peers + e2e->peers_cap, 0, (cap - e2e->peers_cap) * size);
    e2e->peers = peers;
    e2e->peers_cap = (uint32_t)cap;
    return true;
}

/* What a client has. NULL: nothing. */
static wshub_ext_e2e__peer *wshub_ext_e2e__find(const wshub_ext_e2e *e2e, const wshub *hub,
                                                wshub_client client) {
    uint32_t number = wshub_client_number(hub, client);

    if (number >= e2e->peers_cap || e2e->peers[number].client.id != client.id) return NULL;
    return e2e->peers[number].now ? &e2e->peers[number] : NULL;
}

static void wshub_ext_e2e__forget(wshub_ext_e2e *e2e, wshub_ext_e2e__peer *peer) {
    if (peer->now) e2e->stats.clients--;
    wshub_ext_e2e__key_free(e2e, peer->now);
    wshub_ext_e2e__key_free(e2e, peer->before);
    memset(peer, 0, sizeof *peer);
}

/* Makes room for what a client is to have; whoever had its number has gone. NULL: out of memory,
 * or the client is gone. */
static wshub_ext_e2e__peer *wshub_ext_e2e__place(wshub_ext_e2e *e2e, const wshub *hub,
                                                 wshub_client client) {
    uint32_t number = wshub_client_number(hub, client);
    wshub_ext_e2e__peer *peer;

    if (number == UINT32_MAX || !wshub_ext_e2e__grow(e2e, number)) return NULL;
    peer = &e2e->peers[number];
    if (peer->client.id != client.id) wshub_ext_e2e__forget(e2e, peer);
    peer->client = client;
    return peer;
}

/* A client goes on under a new key. */
static void wshub_ext_e2e__turn(wshub_ext_e2e *e2e, wshub_ext_e2e__peer *peer,
                                wshub_ext_e2e__key *key) {
    wshub_ext_e2e__key_free(e2e, peer->before);
    if (!peer->now) e2e->stats.clients++;
    peer->before = peer->now;
    peer->now = key;
    e2e->stats.agreed++;
}

/* ---- sealing ---- */

/* Encrypts text where it lies; its tag comes behind it. False: the library failed. */
static bool wshub_ext_e2e__encrypt(wshub_ext_e2e *e2e, wshub_ext_e2e__key *key, const uint8_t *iv,
                                   uint8_t *text, size_t len) {
    if (key->seals >= WSHUB_EXT_E2E_SEALS_MAX) return false;
    key->seals++;
    return mbedtls_gcm_crypt_and_tag(&key->gcm, MBEDTLS_GCM_ENCRYPT, len, iv, WSHUB_EXT_E2E__IV,
                                     (const uint8_t *)e2e->desc.aad.ptr, e2e->desc.aad.len, text,
                                     text, WSHUB_EXT_E2E__TAG, text + len) == 0;
}

/* Writes {"event":...,"data":...}, as it would have gone in the clear. Returns its length; it is
 * written if it fits. */
static size_t wshub_ext_e2e__clear(const wshub_event *event, char *buf, size_t cap) {
    wshub_json_writer w;

    wshub_json_begin(&w, buf, cap);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "event", event->event);
    if (event->data.ptr) wshub_json_put_raw(&w, "data", event->data);
    wshub_json_put_end(&w);
    return w.len;
}

/* Writes {"iv":...,"ct":...}, without a check of its length. Returns its length. */
static size_t wshub_ext_e2e__envelope(const uint8_t *iv, const uint8_t *ct, size_t len, char *to) {
    char *at = to;

    memcpy(at, "{\"iv\":\"", 7);
    at += 7;
    at += wshub_base64(iv, WSHUB_EXT_E2E__IV, at);
    memcpy(at, "\",\"ct\":\"", 8);
    at += 8;
    at += wshub_base64(ct, len, at);
    memcpy(at, "\"}", 2);
    return (size_t)(at + 2 - to);
}

/* Answers with an event under a key. bytes: room for the text and its tag, len of it used, and
 * behind those for the envelope. False: the library failed, or it is too long. */
static bool wshub_ext_e2e__answer(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask,
                                  wshub_ext_e2e__key *key, uint8_t *bytes, size_t len) {
    uint8_t iv[WSHUB_EXT_E2E__IV];
    char *envelope = (char *)bytes + len + WSHUB_EXT_E2E__TAG;
    wshub_msg msg;

    if (wshub_ext_e2e__random(e2e, iv, sizeof iv) ||
        !wshub_ext_e2e__encrypt(e2e, key, iv, bytes, len))
        return false;
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("encrypted");
    msg.data.ptr = envelope;
    msg.data.len = wshub_ext_e2e__envelope(iv, bytes, len + WSHUB_EXT_E2E__TAG, envelope);
    msg.data_is_json = true;
    return wshub_transform_accept(hub, ask, &msg) == WSHUB_OK;
}

WSHUB_API void wshub_ext_e2e_out(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask, wshub_client client,
                                 const wshub_event *event) {
    wshub_ext_e2e__peer *peer = wshub_ext_e2e__find(e2e, hub, client);
    size_t len = wshub_ext_e2e__clear(event, NULL, 0), sealed = len + WSHUB_EXT_E2E__TAG;
    size_t all = sealed + (sealed + 2) / 3 * 4 + WSHUB_EXT_E2E__IV_TEXT + 17;
    uint8_t *bytes = peer ? (uint8_t *)wshub_ext_e2e__take(e2e, all) : NULL;

    if (bytes) (void)wshub_ext_e2e__clear(event, (char *)bytes, len);
    if (bytes && wshub_ext_e2e__answer(e2e, hub, ask, peer->now, bytes, len)) {
        e2e->stats.sealed++;
    } else {
        e2e->stats.failed++;
        (void)wshub_ask_fail(hub, ask);
    }
    wshub_ext_e2e__give(e2e, bytes, all);
}

/* ---- opening ---- */

static bool wshub_ext_e2e__decrypt(const wshub_ext_e2e *e2e, wshub_ext_e2e__key *key,
                                   const uint8_t *iv, const uint8_t *ct, size_t len, uint8_t *to) {
    return mbedtls_gcm_auth_decrypt(&key->gcm, len, iv, WSHUB_EXT_E2E__IV,
                                    (const uint8_t *)e2e->desc.aad.ptr, e2e->desc.aad.len, ct + len,
                                    WSHUB_EXT_E2E__TAG, ct, to) == 0;
}

/* Opens with the key of now, else with the one before, which goes with the first message that
 * opens under the new one. */
static bool wshub_ext_e2e__unlock(wshub_ext_e2e *e2e, wshub_ext_e2e__peer *peer, const uint8_t *iv,
                                  const uint8_t *ct, size_t len, uint8_t *to) {
    if (!wshub_ext_e2e__decrypt(e2e, peer->now, iv, ct, len, to))
        return peer->before && wshub_ext_e2e__decrypt(e2e, peer->before, iv, ct, len, to);
    wshub_ext_e2e__key_free(e2e, peer->before);
    peer->before = NULL;
    return true;
}

/* Reads a string of base64. room: where it is decoded, as long as the string is as JSON. Returns
 * the count of bytes; SIZE_MAX: it is none. */
static size_t wshub_ext_e2e__read(wshub_str value, uint8_t *room, size_t cap) {
    size_t len = wshub_json_text(value, (char *)room, cap);

    return len > cap ? SIZE_MAX : wshub_ext_e2e__unbase64((const char *)room, len, room);
}

/* Opens the data of `encrypted`. bytes: twice as much as ct is as JSON; the text comes into its
 * second half. Returns its length; SIZE_MAX: it does not open. */
static size_t wshub_ext_e2e__open(wshub_ext_e2e *e2e, wshub_ext_e2e__peer *peer, wshub_str data,
                                  wshub_str ct, uint8_t *bytes) {
    uint8_t iv[WSHUB_EXT_E2E__IV_TEXT];
    size_t len;

    if (wshub_ext_e2e__read(wshub_json_find(data, "iv"), iv, sizeof iv) != WSHUB_EXT_E2E__IV)
        return SIZE_MAX;
    len = wshub_ext_e2e__read(ct, bytes, ct.len);
    if (len == SIZE_MAX || len < WSHUB_EXT_E2E__TAG) return SIZE_MAX;
    len -= WSHUB_EXT_E2E__TAG;
    return wshub_ext_e2e__unlock(e2e, peer, iv, bytes, len, bytes + ct.len) ? len : SIZE_MAX;
}

/* Tells a client that its message is none (MSG-2). */
static void wshub_ext_e2e__invalid(wshub *hub, wshub_client client) {
    wshub_msg msg;

    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("error");
    msg.data = wshub_str_z("{\"message\":\"Invalid message format\"}");
    wshub_client_report(hub, client, WSHUB_LOG_MSG_INVALID, 1, "inside `encrypted`",
                        wshub_ext_e2e__str(NULL, 0));
    (void)wshub_client_send(hub, client, &msg);
}

/* The name of an event, decoded in place, from what stands for it in JSON. False: it is none that
 * could be meant (MSG-3). */
static bool wshub_ext_e2e__name(wshub_str raw, char *text, wshub_str *out) {
    if (wshub_json_peek(raw) != WSHUB_JSON_STRING) return false;
    out->ptr = text + (raw.ptr - text);
    out->len = wshub_json_text(raw, text + (raw.ptr - text), raw.len);
    return out->len != 0;
}

/* Reads what was opened. NULL: there is an event in it; else what there is instead. */
static const char *wshub_ext_e2e__event(const wshub *hub, uint8_t *text, size_t len,
                                        wshub_event *out, bool *out_bad) {
    wshub_json_field fields[3];
    wshub_json_result result = WSHUB_JSON_BAD;

    memset(fields, 0, sizeof fields);
    fields[0].key = "event";
    fields[1].key = "data";
    fields[2].key = "id";
    if (wshub_utf8_check(text, len))
        result = wshub_json_fields(text, len, wshub_desc_get(hub)->json_depth_max, fields, 3);
    *out_bad = result == WSHUB_JSON_BAD;
    out->data = fields[1].value;
    out->id = fields[2].value;
    if (result == WSHUB_JSON_NO_OBJECT) return "it is no object";
    return wshub_ext_e2e__name(fields[0].value, (char *)text, &out->event) ? NULL
                                                                           : "no string in `event`";
}

/* What was opened is handled as if it had come so: it comes to wshub_ext_e2e_in() once more, which
 * lets it pass, and the hub has a copy by then. */
static void wshub_ext_e2e__dispatch(wshub_ext_e2e *e2e, wshub *hub, wshub_client client,
                                    uint8_t *text, size_t len) {
    wshub_event event;
    bool bad;
    const char *why = wshub_ext_e2e__event(hub, text, len, &event, &bad);

    if (bad) {
        wshub_ext_e2e__invalid(hub, client);
    } else if (why) {
        wshub_client_report(hub, client, WSHUB_LOG_MSG_IGNORED, 1, why,
                            wshub_ext_e2e__str(NULL, 0));
    } else {
        e2e->passing = client;
        (void)wshub_client_receive(hub, client, &event);
        memset(&e2e->passing, 0, sizeof e2e->passing);
    }
}

/* An `encrypted`. The question is answered first, with nothing: the hub has then nothing of this
 * client's with the transformer, and takes what was opened. */
static void wshub_ext_e2e__encrypted(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask,
                                     wshub_client client, wshub_str data) {
    wshub_ext_e2e__peer *peer = wshub_ext_e2e__find(e2e, hub, client);
    wshub_str ct = wshub_json_peek(data) == WSHUB_JSON_OBJECT ? wshub_json_find(data, "ct")
                                                              : wshub_ext_e2e__str(NULL, 0);
    size_t all = 2 * ct.len, len = SIZE_MAX;
    uint8_t *bytes = all ? (uint8_t *)wshub_ext_e2e__take(e2e, all) : NULL;
    wshub_msg nothing;

    if (all && !bytes) {
        e2e->stats.failed++;
        (void)wshub_ask_fail(hub, ask);
        return;
    }
    if (peer && bytes) len = wshub_ext_e2e__open(e2e, peer, data, ct, bytes);
    memset(&nothing, 0, sizeof nothing);
    nothing.event = wshub_str_z("");
    if (wshub_transform_accept(hub, ask, &nothing)) (void)wshub_ask_fail(hub, ask);
    if (len == SIZE_MAX) {
        e2e->stats.unopened++;
        wshub_ext_e2e__invalid(hub, client);
    } else {
        e2e->stats.opened++;
        wshub_ext_e2e__dispatch(e2e, hub, client, bytes + ct.len, len);
    }
    wshub_ext_e2e__give(e2e, bytes, all);
}

WSHUB_API void wshub_ext_e2e_in(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask, wshub_client client,
                                const wshub_event *event) {
    bool passes = e2e->passing.id == client.id;

    memset(&e2e->passing, 0, sizeof e2e->passing);
    if (passes || !wshub_str_eq_z(event->event, "encrypted")) {
        (void)wshub_transform_accept(hub, ask, NULL);
    } else {
        wshub_ext_e2e__encrypted(e2e, hub, ask, client, event->data);
    }
}

/* ---- agreeing ---- */

WSHUB_API void wshub_ext_e2e_handshake(wshub_ext_e2e *e2e, wshub *hub, wshub_ask ask,
                                       const wshub_handshake *hs) {
    wshub_str key = wshub_json_get(hs->data, "publicKey");
    wshub_ext_e2e__agreed agreed;
    wshub_err err = wshub_ext_e2e__agree(e2e, key, &agreed);
    wshub_ext_e2e__peer *peer = err ? NULL : wshub_ext_e2e__place(e2e, hub, hs->client);

    if (!peer) {
        if (!err) wshub_ext_e2e__key_free(e2e, agreed.key);
        (void)(err == WSHUB_ERR_PARAM ? wshub_ask_reject(hub, ask) : wshub_ask_fail(hub, ask));
        return;
    }

    /* First, since what is sent from inside the acceptance is sent under it. */
    wshub_ext_e2e__turn(e2e, peer, agreed.key);
    err = wshub_handshake_accept(hub, ask, wshub_ext_e2e__str(agreed.point, sizeof agreed.point),
                                 wshub_ext_e2e__str(agreed.salt, sizeof agreed.salt));
    if (!err) return;
    wshub_ext_e2e_gone(e2e, hub, hs->client);
    (void)wshub_ask_fail(hub, ask);
}

/* Tells a client of its new keys, under those that it has. DROPPED: it does not hear of them. */
static wshub_err wshub_ext_e2e__tell(wshub *hub, wshub_client client, wshub_str event,
                                     const wshub_ext_e2e__agreed *agreed) {
    char text[WSHUB_EXT_E2E__POINT_TEXT + WSHUB_EXT_E2E__SALT_TEXT + 40];
    size_t before = wshub_client_queued_bytes(hub, client);
    wshub_json_writer w;
    wshub_msg msg;
    wshub_err err;

    memset(&msg, 0, sizeof msg);
    msg.event = event;
    msg.data_is_json = true;
    wshub_json_begin(&w, text, sizeof text);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "serverPublicKey",
                       wshub_ext_e2e__str(agreed->point, sizeof agreed->point));
    wshub_json_put_str(&w, "salt", wshub_ext_e2e__str(agreed->salt, sizeof agreed->salt));
    wshub_json_put_end(&w);
    err = wshub_json_done(&w, &msg.data);
    if (!err) err = wshub_client_send(hub, client, &msg);
    if (err) return err;
    return wshub_client_queued_bytes(hub, client) > before ? WSHUB_OK : WSHUB_ERR_DROPPED;
}

WSHUB_API wshub_err wshub_ext_e2e_rekey(wshub_ext_e2e *e2e, wshub *hub, wshub_client client,
                                        wshub_str public_key, wshub_str event) {
    wshub_state state = wshub_client_state(hub, client);
    wshub_ext_e2e__agreed agreed;
    wshub_ext_e2e__peer *peer;
    wshub_err err;

    if (state == WSHUB_CLIENT_DISCONNECTED) return WSHUB_ERR_STALE;
    if (state != WSHUB_CLIENT_AUTHENTICATED) return WSHUB_ERR_STATE;
    err = wshub_ext_e2e__agree(e2e, public_key, &agreed);
    if (err) return err;
    wshub_call_begin(hub); /* on_log, which may do anything, is called behind all of it */

    /* Room first: once it has been told, nothing may fail. */
    peer = wshub_ext_e2e__place(e2e, hub, client);
    err = peer ? wshub_ext_e2e__tell(hub, client, event, &agreed) : WSHUB_ERR_NOMEM;
    if (!err) err = wshub_client_encrypt(hub, client);
    peer = err ? NULL : wshub_ext_e2e__place(e2e, hub, client); /* it may have moved */
    if (peer) {
        wshub_ext_e2e__turn(e2e, peer, agreed.key);
    } else {
        wshub_ext_e2e__key_free(e2e, agreed.key);
    }
    wshub_call_end(hub);
    return err;
}

WSHUB_API uint64_t wshub_ext_e2e_seals(const wshub_ext_e2e *e2e, const wshub *hub,
                                       wshub_client client) {
    const wshub_ext_e2e__peer *peer = wshub_ext_e2e__find(e2e, hub, client);

    return peer ? peer->now->seals : 0;
}

WSHUB_API void wshub_ext_e2e_gone(wshub_ext_e2e *e2e, const wshub *hub, wshub_client client) {
    wshub_ext_e2e__peer *peer = wshub_ext_e2e__find(e2e, hub, client);

    if (peer) wshub_ext_e2e__forget(e2e, peer);
}

WSHUB_API void wshub_ext_e2e_stats_get(const wshub_ext_e2e *e2e, wshub_ext_e2e_stats *out_stats) {
    *out_stats = e2e->stats;
}

/* ---- its life ---- */

/* A copy of a description, with its texts and all defaults. NULL: out of memory. */
static wshub_ext_e2e *wshub_ext_e2e__new(wshub_ext_e2e_desc desc) {
    size_t info = desc.info ? strlen(desc.info) : sizeof WSHUB_EXT_E2E_INFO - 1;
    size_t bytes = sizeof(wshub_ext_e2e) + info + 1 + desc.aad.len;
    wshub_ext_e2e *e2e;
    char *texts;

    if (!desc.info) desc.info = WSHUB_EXT_E2E_INFO;
    if (!desc.alloc) desc.alloc = wshub_ext_e2e__alloc;
    e2e = (wshub_ext_e2e *)desc.alloc(desc.alloc_user, NULL, 0, bytes);
    if (!e2e) return NULL;
    memset(e2e, 0, sizeof *e2e);
    texts = (char *)(e2e + 1);
    memcpy(texts, desc.info, info + 1);
    if (desc.aad.len) memcpy(texts + info + 1, desc.aad.ptr, desc.aad.len);
    e2e->bytes = bytes;
    e2e->desc = desc;
    e2e->desc.info = texts;
    e2e->desc.aad.ptr = texts + info + 1;
    return e2e;
}

WSHUB_API wshub_err wshub_ext_e2e_create_versioned(const wshub_ext_e2e_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_ext_e2e **out_e2e) {
    wshub_ext_e2e_desc d;
    wshub_ext_e2e *e2e;
    wshub_err err = WSHUB_OK;

    memset(&d, 0, sizeof d);
    if (!out_e2e || desc_bytes != sizeof d || version != WSHUB_EXT_E2E_DESC_VERSION)
        return WSHUB_ERR_PARAM;
    if (desc) d = *desc;
    if (!d.aad.ptr && d.aad.len) return WSHUB_ERR_PARAM;
    e2e = wshub_ext_e2e__new(d);
    if (!e2e) return WSHUB_ERR_NOMEM;

    mbedtls_ecp_group_init(&e2e->group);
    mbedtls_entropy_init(&e2e->entropy);
    mbedtls_ctr_drbg_init(&e2e->drbg);
    if (mbedtls_ecp_group_load(&e2e->group, MBEDTLS_ECP_DP_SECP256R1)) {
        err = WSHUB_ERR_NOMEM;
    } else if (!d.random &&
               mbedtls_ctr_drbg_seed(&e2e->drbg, mbedtls_entropy_func, &e2e->entropy, NULL, 0)) {
        err = WSHUB_ERR_RANDOM;
    }
    if (err) {
        wshub_ext_e2e_destroy(e2e);
        return err;
    }
    *out_e2e = e2e;
    return WSHUB_OK;
}

WSHUB_API void wshub_ext_e2e_destroy(wshub_ext_e2e *e2e) {
    uint32_t i;

    if (!e2e) return;
    for (i = 0; i < e2e->peers_cap; i++) wshub_ext_e2e__forget(e2e, &e2e->peers[i]);
    wshub_ext_e2e__give(e2e, e2e->peers, e2e->peers_cap * sizeof *e2e->peers);
    mbedtls_ctr_drbg_free(&e2e->drbg);
    mbedtls_entropy_free(&e2e->entropy);
    mbedtls_ecp_group_free(&e2e->group);
    wshub_ext_e2e__give(e2e, e2e, e2e->bytes);
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
