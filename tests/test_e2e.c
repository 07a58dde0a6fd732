/* Encryption from end to end (backends/wshub_ext_e2e_mbedtls.h): keys and messages as Node's WebCrypto has recorded them,
 * bad keys and bad messages, new keys, what is wiped, and memory and randomness that fail. Rules: AUTH-5, ENC-1, ENC-2,
 * ENC-4, MSG-2 to MSG-7; tests/e2e.sh speaks with a living WebCrypto. Built with -DWITH_MBEDTLS where that is. */
#define _GNU_SOURCE
#include "hubtest.h"
#ifndef WITH_MBEDTLS
TEST(encryption_from_end_to_end) {
    (void)keep_auth;
    SKIP("mbedTLS is not installed");
}
#else
#include "wshub_ext_e2e_mbedtls.h"
#include "e2e_vectors.h"

static world w;
static wshub_ext_e2e *e2e;

/* ---- what the library is given: bytes of a script, then of a counter, and memory that is counted ---- */

static struct {
    uint8_t script[128], iv[12];
    size_t left, at;
    bool has_iv, fails;
    unsigned counter;
} dice;

static long
    fails_at; /* the n-th allocation or throw from now, of the file's own or of the library; 0: none */

static bool roll(void *user, uint8_t *bytes, size_t count) {
    size_t i;
    (void)user;
    if (dice.fails || (fails_at && --fails_at == 0)) return false;
    if (dice.has_iv && count == sizeof dice.iv) {
        memcpy(bytes, dice.iv, count);
        return true;
    }
    for (i = 0; i < count; i++) {
        bytes[i] = dice.left ? dice.script[dice.at] : (uint8_t)(++dice.counter * 37u + 11u);
        if (dice.left) dice.at++, dice.left--;
    }
    return true;
}

static size_t held;

/* Keys that were given back wiped, and those that were not. */
static struct { int wiped, bare; } keys;
static void key_given(const wshub_ext_e2e__key *key) {
    static const mbedtls_gcm_context nothing;
    if (memcmp(&key->gcm, &nothing, sizeof nothing) == 0)
        keys.wiped++;
    else
        keys.bare++;
}

static void *own_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    if (new_bytes && fails_at && --fails_at == 0) return NULL;
    if (!new_bytes && old_bytes == sizeof(wshub_ext_e2e__key))
        key_given((const wshub_ext_e2e__key *)ptr);
    p = realloc(ptr, new_bytes ? new_bytes : 1);
    held += new_bytes;
    held -= old_bytes;
    if (new_bytes) return p;
    free(p);
    return NULL;
}

static size_t unhex(const char *text, uint8_t *to) {
    size_t n;
    for (n = 0; text[2 * n]; n++) {
        unsigned byte;
        (void)sscanf(text + 2 * n, "%2x", &byte);
        to[n] = (uint8_t)byte;
    }
    return n;
}

/* ---- the hub's end ---- */

static wshub_client heard_from;
static bool to_accept_only; /* nobody asks for keys */

static void on_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    (void)user;
    wshub_ext_e2e_handshake(e2e, hub, ask, hs);
}
static void on_out(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                   void *user) {
    (void)user;
    wshub_ext_e2e_out(e2e, hub, ask, client, event);
}
static void on_in(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                  void *user) {
    (void)user;
    wshub_ext_e2e_in(e2e, hub, ask, client, event);
}
static void on_disconnecting(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    wshub_ext_e2e_gone(e2e, hub, gone->client);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *event, void *user) {
    char text[1024];
    (void)hub;
    (void)user;
    heard_from = client;
    (void)snprintf(text, sizeof text, "%.*s %.*s %.*s;", (int)event->event.len, event->event.ptr,
                   (int)event->data.len, event->data.ptr ? event->data.ptr : "", (int)event->id.len,
                   event->id.ptr ? event->id.ptr : "");
    world_note(&w, text);
    if (wshub_str_eq_z(event->event, "back")) { /* and something from inside the callback */
        wshub_msg m = msg("back", "[1]");
        EXPECT_INT(wshub_client_send(hub, client, &m), WSHUB_OK);
    }
    return WSHUB_OK;
}

static void start(const char *info, const char *aad) {
    wshub_ext_e2e_desc ed;
    wshub_desc d;
    memset(&ed, 0, sizeof ed);
    memset(&dice, 0, sizeof dice);
    ed.info = info;
    ed.aad = aad ? S(aad) : nul();
    ed.random = roll;
    ed.alloc = own_alloc;
    EXPECT_INT(wshub_ext_e2e_create(&ed, &e2e), WSHUB_OK);
    memset(&d, 0, sizeof d);
    d.on_authenticate = accept_all;
    d.on_join = join_all;
    d.on_message = on_message;
    d.require_encryption = !to_accept_only;
    d.on_handshake = on_handshake;
    d.on_transform_out = on_out;
    d.on_transform_in = on_in;
    d.on_disconnecting = on_disconnecting;
    world_start(&w, d, FAKE(0));
}

static void stop(void) {
    wshub_ext_e2e_stats st;
    world_stop(&w);
    wshub_ext_e2e_stats_get(e2e, &st);
    EXPECT_INT(st.clients, 0);
    wshub_ext_e2e_destroy(e2e);
    EXPECT_INT(held, 0);
    EXPECT_INT(keys.bare, 0);
}

static wshub_ext_e2e_stats told(void) {
    wshub_ext_e2e_stats st;
    wshub_ext_e2e_stats_get(e2e, &st);
    return st;
}

/* ---- the client's end ---- */

typedef struct peer {
    wshub_conn conn;
    char id[37];
    uint8_t key[32];
    const char *aad;
    unsigned ivs;
} peer;

static wshub_conn ask_with(const char *key_json) {
    wshub_conn c = wshub_io_fake_connect(w.net, "/ws");
    char text[512];
    (void)snprintf(text, sizeof text, "{\"event\":\"authenticate\",\"data\":{%s}}", key_json);
    wshub_io_fake_text(w.net, c, text);
    return c;
}

/* Comes as the client of a vector: the server draws what it drew. Its key is the recorded one. */
static peer come(const e2e_vector *v) {
    char text[256];
    wshub_io_fake_frame f;
    wshub_str data, id;
    peer p;
    memset(&p, 0, sizeof p);
    (void)unhex(v->key, p.key);
    p.aad = v->aad;
    dice.left = unhex(v->random, dice.script);
    dice.at = 0;
    (void)snprintf(text, sizeof text, "\"user\":\"u\",\"publicKey\":\"%s\"", v->client);
    p.conn = ask_with(text);
    EXPECT(wshub_io_fake_next(w.net, p.conn, &f));
    data = wshub_json_get(f.payload, "data");
    id = wshub_json_get(data, "id");
    (void)snprintf(p.id, sizeof p.id, "%.36s", id.len == 38 ? id.ptr + 1 : "");
    EXPECT(wshub_json_is(wshub_json_get(data, "serverPublicKey"), v->server));
    EXPECT(wshub_json_is(wshub_json_get(data, "salt"), v->salt));
    return p;
}

static size_t unbase64(wshub_str value, uint8_t *to, size_t cap) {
    size_t n = wshub_json_text(value, (char *)to, cap);
    return n > cap ? SIZE_MAX : wshub_ext_e2e__unbase64((const char *)to, n, to);
}

/* What a client says, sealed; to cut and spoil. */
typedef struct sealed {
    uint8_t iv[12], ct[2048];
    size_t iv_len, ct_len;
} sealed;

static sealed seal(peer *p, const char *text) {
    mbedtls_gcm_context gcm;
    size_t len = strlen(text);
    sealed s;
    memset(&s, 0, sizeof s);
    s.iv_len = 12;
    s.ct_len = len + 16;
    s.iv[0] = (uint8_t)++p->ivs;
    mbedtls_gcm_init(&gcm);
    (void)mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, p->key, 256);
    (void)mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, len, s.iv, 12,
                                    (const uint8_t *)p->aad, strlen(p->aad), (const uint8_t *)text,
                                    s.ct, 16, s.ct + len);
    mbedtls_gcm_free(&gcm);
    return s;
}

static void say_sealed(const peer *p, const sealed *s) {
    char text[4096], iv[32], ct[3000];
    size_t n = wshub_base64(s->iv, s->iv_len, iv), m = wshub_base64(s->ct, s->ct_len, ct);
    (void)snprintf(text, sizeof text,
                   "{\"event\":\"encrypted\",\"data\":{\"iv\":\"%.*s\",\"ct\":\"%.*s\"}}", (int)n,
                   iv, (int)m, ct);
    wshub_io_fake_text(w.net, p->conn, text);
}
static void say(peer *p, const char *text) {
    sealed s = seal(p, text);
    say_sealed(p, &s);
}

/* The next frame to a client, opened: a terminated text; "": there is none, or it does not open. */
static const char *hear(const peer *p) {
    static uint8_t ct[4096];
    static char text[4096];
    mbedtls_gcm_context gcm;
    uint8_t iv[16];
    wshub_io_fake_frame f;
    wshub_str data;
    size_t n;
    if (!wshub_io_fake_next(w.net, p->conn, &f)) return "";
    if (!wshub_json_is(wshub_json_get(f.payload, "event"), "encrypted")) return "";
    data = wshub_json_get(f.payload, "data");
    EXPECT_INT(unbase64(wshub_json_get(data, "iv"), iv, sizeof iv), 12);
    n = unbase64(wshub_json_get(data, "ct"), ct, sizeof ct);
    if (n > sizeof ct || n < 16) return "";
    n -= 16;
    mbedtls_gcm_init(&gcm);
    (void)mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, p->key, 256);
    if (mbedtls_gcm_auth_decrypt(&gcm, n, iv, 12, (const uint8_t *)p->aad, strlen(p->aad), ct + n,
                                 16, ct, (uint8_t *)text))
        n = 0;
    mbedtls_gcm_free(&gcm);
    text[n] = 0;
    return text;
}

#define INVALID "{\"event\":\"error\",\"data\":{\"message\":\"Invalid message format\"}}"
#define EXPECT_NOTE(want)                                                                          \
    do {                                                                                           \
        EXPECT_STR(w.log, want);                                                                   \
        w.log_len = 0;                                                                             \
        w.log[0] = 0;                                                                              \
    } while (0)

/* ---- as recorded ---- */

enum { VECTORS = sizeof e2e_vectors / sizeof *e2e_vectors };

/* Both ends come to the recorded key, with the leading zeros of the secret (of vectors 2 and 3); what WebCrypto sealed is
 * read (its tag at the end), and the same text under the same iv is sealed to the same bytes. */
TEST(keys_and_messages_are_those_of_webcrypto) {
    size_t i;
    for (i = 0; i < VECTORS; i++) {
        const e2e_vector *v = &e2e_vectors[i];
        wshub_str event = wshub_json_get(S(v->text), "event"),
                  data = wshub_json_get(S(v->text), "data");
        char text[1024], want[1024], name[64];
        wshub_io_fake_frame f;
        wshub_msg m;
        peer p;
        EXPECT(i < 2 || i > 3 || strncmp(v->z, "0000", i == 2 ? 2 : 4) == 0);
        start(i == 0 ? NULL : v->info, *v->aad ? v->aad : NULL);
        p = come(v);

        (void)snprintf(text, sizeof text,
                       "{\"event\":\"encrypted\",\"data\":{\"iv\":\"%s\",\"ct\":\"%s\"}}", v->iv,
                       v->ct);
        wshub_io_fake_text(w.net, p.conn, text);
        memset(&m, 0, sizeof m);
        m.event = wshub__str(name, wshub_json_text(event, name, sizeof name));
        m.data = data;
        (void)snprintf(want, sizeof want, "%.*s %.*s ;", (int)m.event.len, name, (int)data.len,
                       data.ptr ? data.ptr : "");
        EXPECT_NOTE(want);

        dice.has_iv = true;
        (void)wshub_ext_e2e__unbase64(v->iv, 16, (uint8_t *)text);
        memcpy(dice.iv, text, sizeof dice.iv);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, p.id), &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(wshub_io_fake_next(w.net, p.conn, &f));
        (void)snprintf(want, sizeof want,
                       "{\"event\":\"encrypted\",\"data\":{\"iv\":\"%s\",\"ct\":\"%s\"}}", v->iv,
                       v->ct);
        EXPECT(wshub_str_eq_z(f.payload, want));
        EXPECT_INT(wshub_ext_e2e_seals(e2e, w.hub, world_handle(&w, p.id)), 1);
        EXPECT_INT(told().agreed, 1);
        EXPECT_INT(told().sealed, 1);
        EXPECT_INT(told().opened, 1);
        stop();
    }
}

/* Without a generator of ours it is mbedTLS's: no two keys, salts or ivs are the same. */
TEST(the_generator_is_the_librarys) {
    wshub_ext_e2e *real;
    uint8_t a[32], b[32];
    EXPECT_INT(wshub_ext_e2e_create(NULL, &real), WSHUB_OK);
    EXPECT_INT(wshub_ext_e2e__random(real, a, sizeof a), 0);
    EXPECT_INT(wshub_ext_e2e__random(real, b, sizeof b), 0);
    EXPECT(memcmp(a, b, sizeof a) != 0);
    wshub_ext_e2e_destroy(real);
    wshub_ext_e2e_destroy(NULL);
}

/* ---- what clients say ---- */

TEST(what_was_sealed_means_what_it_holds) {
    peer p;
    start(NULL, NULL);
    p = come(&e2e_vectors[0]);

    say(&p, "{\"event\":\"a\",\"data\":{ \"x\" : 1.0 },\"id\":7}"); /* data verbatim, its id too */
    EXPECT_NOTE("a { \"x\" : 1.0 } 7;");
    say(&p, " {\"event\":\"\\u0062\"}\n");
    EXPECT_NOTE("b  ;");
    say(&p, "{\"event\":\"back\",\"data\":1}"); /* the callback sends */
    EXPECT_NOTE("back 1 ;");
    EXPECT_STR(hear(&p), "{\"event\":\"back\",\"data\":[1]}");

    say(&p, "{\"event\":\"heartbeat\"}");    /* MSG-4 */
    say(&p, "{\"event\":\"authenticate\"}"); /* MSG-5 */
    EXPECT_STR(hear(&p), "{\"event\":\"error\",\"data\":{\"message\":\"Already authenticated\"}}");
    say(&p, "{\"event\":\"join\",\"data\":{\"rooms\":[\"r\"]}}"); /* ROOM-2 */
    EXPECT(wshub_client_in_room(w.hub, world_handle(&w, p.id), S("r")));
    say(&p, "{\"event\":\"leave\",\"data\":{\"rooms\":[\"r\"]}}");
    EXPECT(!wshub_client_in_room(w.hub, world_handle(&w, p.id), S("r")));

    say(&p,
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"\",\"ct\":\"\"}}"); /* MSG-7: not within itself */
    say(&p, "{\"event\":\"\"}");                                         /* MSG-3 */
    say(&p, "{\"event\":1}");
    say(&p, "{}");
    say(&p, "[\"event\"]");
    say(&p, "null");
    EXPECT_SILENCE(&w, p.conn);
    EXPECT_NOTE("");
    EXPECT_INT(told().unopened, 0);

    wshub_io_fake_text(w.net, p.conn, "{\"event\":\"clear\"}"); /* in the clear it is taken still */
    EXPECT_NOTE("clear  ;");
    stop();
}

/* What lies in one read is heard in its order, though each is opened on its own; a binary frame is read like text. */
TEST(what_was_sealed_keeps_its_order) {
    sealed s;
    char text[512], ct[256];
    peer p;
    size_t n;
    start(NULL, NULL);
    p = come(&e2e_vectors[0]);
    wshub_io_fake_hold(w.net, true);
    say(&p, "{\"event\":\"a\"}");
    wshub_io_fake_text(w.net, p.conn, "{\"event\":\"b\"}");
    say(&p, "{\"event\":\"c\"}");
    say(&p, "no json");
    say(&p, "{\"event\":\"d\"}");
    wshub_io_fake_hold(w.net, false);
    EXPECT_NOTE("a  ;b  ;c  ;d  ;");
    EXPECT_STR(hear(&p), INVALID);

    s = seal(&p, "{\"event\":\"e\"}");
    n = wshub_base64(s.ct, s.ct_len, ct);
    (void)snprintf(
        text, sizeof text, /* a slash may be written in two ways */
        "{\"data\":{\"ct\":\"%.*s\",\"iv\":\"%.4sAAAAAAAAAAAA\"},\"event\":\"encrypted\"}", (int)n,
        ct, s.iv[0] == 5 ? "BQAA" : "????");
    wshub_io_fake_send(w.net, p.conn, 2, true, text, strlen(text));
    EXPECT_NOTE("e  ;");
    stop();
}

/* Nothing that does not open ends a client, and each is told in its own key (MSG-2). */
TEST(what_does_not_open_is_told_and_dropped) {
    static const char *const raw[] = {
        "{\"event\":\"encrypted\"}",
        "{\"event\":\"encrypted\",\"data\":\"x\"}",
        "{\"event\":\"encrypted\",\"data\":[]}",
        "{\"event\":\"encrypted\",\"data\":{}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\",\"ct\":1}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\",\"ct\":\"\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":1,\"ct\":\"AAAAAAAAAAAAAAAAAAAAAAAA\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAA\",\"ct\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAA\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAA=\",\"ct\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAA\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\",\"ct\":\"AAAA "
        "AAAAAAAAAAAAAAAAAAA\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\",\"ct\":\"AAAA-_"
        "AAAAAAAAAAAAAAAAAA\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\",\"ct\":"
        "\"AAAAAAAAAAAAAAAAAAAAAA==AAAA\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\",\"ct\":"
        "\"AAAAAAAAAAAAAAAAAAAAA===\"}}",
        "{\"event\":\"encrypted\",\"data\":{\"iv\":\"AAAAAAAAAAAAAAAA\",\"ct\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAA\"}}",
    };
    static const char *const inside[] = {"",
                                         "no json",
                                         "{\"event\":\"x\"",
                                         "{\"event\":\"x\"}{}",
                                         "\xff",
                                         "{\"event\":\"\xc0\x80\"}",
                                         "{\"event\":\"x\"} {\"event\":\"y\"}"};
    size_t i;
    peer p;
    sealed s;
    start(NULL, "aad");
    p = come(&e2e_vectors[0]);
    p.aad = "aad";
    for (i = 0; i < sizeof raw / sizeof *raw; i++) {
        wshub_io_fake_text(w.net, p.conn, raw[i]);
        EXPECT_STR(hear(&p), INVALID);
    }
    EXPECT_INT(told().unopened, i);
    for (i = 0; i < sizeof inside / sizeof *inside; i++) {
        say(&p, inside[i]);
        EXPECT_STR(hear(&p), INVALID);
    }
    EXPECT_INT(told().opened, i);
    EXPECT_INT(stats(&w).msg_invalid, sizeof raw / sizeof *raw + i);

    /* Every byte of iv, text and tag counts, and every length. */
    for (i = 0; i < 12 + 13 + 16; i++) {
        s = seal(&p, "{\"event\":\"x\"}");
        *(i < 12 ? &s.iv[i] : &s.ct[i - 12]) ^= 0x40;
        say_sealed(&p, &s);
        EXPECT_STR(hear(&p), INVALID);
        s = seal(&p, "{\"event\":\"x\"}");
        s.ct_len = i < s.ct_len ? i : s.ct_len - 1;
        say_sealed(&p, &s);
        EXPECT_STR(hear(&p), INVALID);
        s.ct_len = 29;
        s.iv_len = i % 12;
        say_sealed(&p, &s);
        EXPECT_STR(hear(&p), INVALID);
    }
    p.aad = "Aad";
    s = seal(&p, "{\"event\":\"x\"}");
    p.aad = "aad";
    say_sealed(&p, &s);
    EXPECT_STR(hear(&p), INVALID);
    EXPECT_NOTE("");

    s = seal(&p,
             "{\"event\":\"x\"}"); /* what is played back is read twice: its application's to see */
    say_sealed(&p, &s);
    say_sealed(&p, &s);
    EXPECT_NOTE("x  ;x  ;");
    stop();
}

/* Each has keys of its own, and hears what others send in them, in order. */
TEST(everybody_hears_in_keys_of_their_own) {
    wshub_msg m = msg("news", "\"\\u00e4\"");
    peer a, b;
    start(NULL, NULL);
    a = come(&e2e_vectors[0]);
    b = come(&e2e_vectors[2]);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_user_send(w.hub, S("u"), &m), WSHUB_OK);
    m.data = nul();
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b.id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(hear(&a), "{\"event\":\"news\",\"data\":\"\\u00e4\"}");
    EXPECT_STR(hear(&b), "{\"event\":\"news\",\"data\":\"\\u00e4\"}");
    EXPECT_STR(hear(&a), "{\"event\":\"news\",\"data\":\"\\u00e4\"}");
    EXPECT_STR(hear(&b), "{\"event\":\"news\",\"data\":\"\\u00e4\"}");
    EXPECT_STR(hear(&b), "{\"event\":\"news\"}");
    EXPECT_INT(told().clients, 2);
    say(&b, "{\"event\":\"b\"}");
    EXPECT(wshub_str_eq_z(wshub_client_id(w.hub, heard_from), b.id));

    /* The keys of one who goes are gone, and whoever has their number next has others. */
    wshub_io_fake_end(w.net, a.conn);
    EXPECT_INT(told().clients, 1);
    a = come(&e2e_vectors[1]);
    EXPECT_INT(told().clients, 2);
    m = msg("x", "1");
    a.aad = "";
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(hear(&b), "{\"event\":\"x\",\"data\":1}");
    EXPECT_STR(hear(&a), "{\"event\":\"x\",\"data\":1}");
    stop();
}

/* Without keys here nothing is sent (ENC-2), in the clear least of all; nor with a key that has sealed all it may. */
TEST(who_has_no_usable_key_is_sent_nothing) {
    wshub_msg m = msg("x", "1");
    wshub_client c;
    peer p;
    start(NULL, NULL);
    p = come(&e2e_vectors[0]);
    c = world_handle(&w, p.id);
    wshub_ext_e2e__find(e2e, w.hub, c)->now->seals = WSHUB_EXT_E2E_SEALS_MAX - 1;
    EXPECT_INT(wshub_client_send(w.hub, c, &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, c, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(hear(&p), "{\"event\":\"x\",\"data\":1}");
    EXPECT_SILENCE(&w, p.conn);
    EXPECT_INT(wshub_ext_e2e_seals(e2e, w.hub, c), WSHUB_EXT_E2E_SEALS_MAX);
    EXPECT_INT(told().failed, 1);

    wshub_ext_e2e_gone(e2e, w.hub, c); /* twice is once */
    wshub_ext_e2e_gone(e2e, w.hub, c);
    EXPECT_INT(wshub_ext_e2e_seals(e2e, w.hub, c), 0);
    EXPECT_INT(wshub_client_send(w.hub, c, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    say(&p, "{\"event\":\"x\"}");
    EXPECT_SILENCE(&w, p.conn); /* the error, too, has no key */
    EXPECT_NOTE("");
    EXPECT_INT(stats(&w).dropped_transform, 3);
    stop();
}

/* ---- keys ---- */

/* AUTH-5; PITFALLS c16: points that are none are refused before anything is derived. */
TEST(keys_that_are_none_are_refused) {
    static const struct {
        const char *what, *json;
    } rows[] = {
        {"missing", "\"user\":\"u\""},
        {"no text", "\"publicKey\":1"},
        {"null", "\"publicKey\":null"},
        {"an object", "\"publicKey\":{\"x\":1}"},
        {"empty", "\"publicKey\":\"\""},
        {"no base64", "\"publicKey\":\"hello\""},
        {"without padding", "\"publicKey\":\"BK77zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/"
                            "1dMXF5NB6T6SbCgV/OSnDqnCU1BFXA+rRFK8a1IsQRLIEdk\""},
        {"the URL alphabet", "\"publicKey\":\"BK77zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0_"
                             "1dMXF5NB6T6SbCgV_OSnDqnCU1BFXA-rRFK8a1IsQRLIEdk=\""},
        {"a blank in front", "\"publicKey\":\" "
                             "BK77zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/1dMXF5NB6T6SbCgV/"
                             "OSnDqnCU1BFXA+rRFK8a1IsQRLIEdk=\""},
        {"a line behind", "\"publicKey\":\"BK77zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/"
                          "1dMXF5NB6T6SbCgV/OSnDqnCU1BFXA+rRFK8a1IsQRLIEdk=\\n\""},
        {"bits left over", "\"publicKey\":\"BK77zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/"
                           "1dMXF5NB6T6SbCgV/OSnDqnCU1BFXA+rRFK8a1IsQRLIEdl=\""},
        {"64 bytes", "\"publicKey\":\"BK77zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/1dMXF5NB6T6SbCgV/"
                     "OSnDqnCU1BFXA+rRFK8a1IsQRLIEQ==\""},
        {"66 bytes", "\"publicKey\":\"BK77zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/1dMXF5NB6T6SbCgV/"
                     "OSnDqnCU1BFXA+rRFK8a1IsQRLIEdkA\""},
        {"compressed", "\"publicKey\":\"A677zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/1dMX\""},
        {"said to be compressed", "\"publicKey\":\"A677zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/"
                                  "1dMXF5NB6T6SbCgV/OSnDqnCU1BFXA+rRFK8a1IsQRLIEdk=\""},
        {"hybrid", "\"publicKey\":\"B677zyagITC1JSqfD3PYiEhkBLfVSyucH4y7Df0/1dMXF5NB6T6SbCgV/"
                   "OSnDqnCU1BFXA+rRFK8a1IsQRLIEdk=\""},
        {"the point at infinity", "\"publicKey\":\"AA==\""},
        {"zeros", "\"publicKey\":"
                  "\"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                  "AAAAAAAAA=\""},
        {"(5, 1)", "\"publicKey\":"
                   "\"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                   "AAAAAAAAAE=\""},
        /* (5, y) is on the curve; x + p says the same modulo p, and is no coordinate */
        {"x over p",
         "\"publicKey\":\"BP////"
         "8AAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAERkhILrRQ4F+uMIvCBH2mLOzjuNXlMIvvELK+i/n84UQ=\""},
        {"all ones", "\"publicKey\":\"BP///////////////////////////////////////////////////////////"
                     "///////////////////////////w==\""},
    };
    size_t i;
    start(NULL, NULL);
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        int before = test_failures;
        wshub_conn c = ask_with(rows[i].json);
        EXPECT_TEXT(&w, c,
                    "{\"event\":\"error\",\"data\":{\"message\":\"Encryption handshake failed\"}}");
        EXPECT_CLOSE(&w, c, 4004);
        if (test_failures != before) (void)printf("    row %s\n", rows[i].what);
    }
    EXPECT_INT(told().refused, i);
    EXPECT_INT(told().agreed, 0);
    stop();
}

/* New keys: what the client hears of them is under the old one, what it said before it heard is read; the old one is
 * wiped with its first word under the new one. */
TEST(keys_are_changed_without_losing_a_message) {
    const e2e_vector *v = &e2e_vectors[2];
    wshub_msg m = msg("x", "1");
    char key[128], want[300];
    wshub_client c;
    peer old, p;
    sealed late;
    start(NULL, NULL);
    old = come(&e2e_vectors[0]);
    c = world_handle(&w, old.id);
    p = old;
    (void)unhex(v->key, p.key);
    late = seal(&old, "{\"event\":\"late\"}");

    (void)snprintf(key, sizeof key, "\"%s\"", v->client);
    EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, c, S("\"no key\""), S("keys")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_send(w.hub, c, &m), WSHUB_OK);
    dice.left = unhex(v->random, dice.script);
    dice.at = 0;
    EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, c, S(key), S("keys")), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, c, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(hear(&old), "{\"event\":\"x\",\"data\":1}");
    (void)snprintf(want, sizeof want,
                   "{\"event\":\"keys\",\"data\":{\"serverPublicKey\":\"%s\",\"salt\":\"%s\"}}",
                   v->server, v->salt);
    dice.left = 0;
    EXPECT_STR(hear(&old), want);
    EXPECT_STR(hear(&p), "{\"event\":\"x\",\"data\":1}");

    say_sealed(&old, &late);
    keys.wiped = 0;
    say(&p, "{\"event\":\"new\"}");
    EXPECT_INT(keys.wiped, 1);
    EXPECT_NOTE("late  ;new  ;");
    say_sealed(&old, &late);
    EXPECT_STR(hear(&p), INVALID);
    EXPECT_INT(told().clients, 1);
    EXPECT_INT(told().agreed, 2);
    stop();
}

/* ENC-4: a client that came in the clear agrees on keys later, and is encrypted from its answer on. */
TEST(a_client_agrees_on_its_first_keys_later) {
    const e2e_vector *v = &e2e_vectors[0];
    wshub_msg m = msg("x", "1");
    char id[37], key[128], want[300];
    wshub_client c, none = {0};
    peer p;
    memset(&p, 0, sizeof p);
    to_accept_only = true;
    start(NULL, NULL);
    p.conn = world_client(&w, "u", id);
    p.aad = "";
    (void)unhex(v->key, p.key);
    c = world_handle(&w, id);
    dice.left = unhex(v->random, dice.script);
    (void)snprintf(key, sizeof key, "\"%s\"", v->client);
    EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, none, S(key), S("keys")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, c, S(key), S("keys")), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, c, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    (void)snprintf(want, sizeof want,
                   "{\"event\":\"keys\",\"data\":{\"serverPublicKey\":\"%s\",\"salt\":\"%s\"}}",
                   v->server, v->salt);
    EXPECT_TEXT(&w, p.conn, want);
    EXPECT_STR(hear(&p), "{\"event\":\"x\",\"data\":1}");
    say(&p, "{\"event\":\"y\"}");
    EXPECT_NOTE("y  ;");

    {
        wshub_conn early = wshub_io_fake_connect(w.net, "/ws");
        wshub_client who;
        wshub_iter iter;
        memset(&iter, 0, sizeof iter);
        while (wshub_client_each(w.hub, &iter, &who)) {
            if (wshub_client_state(w.hub, who) == WSHUB_CLIENT_AUTHENTICATED) continue;
            EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, who, S(key), S("keys")), WSHUB_ERR_STATE);
        }
        EXPECT_SILENCE(&w, early);
    }
    to_accept_only = false;
    stop();
}

/* A client that cannot be told of its new keys keeps the ones that it has. */
TEST(keys_stay_where_the_client_cannot_be_told) {
    char key[128];
    wshub_client c;
    wshub_msg m = msg("x", "1");
    peer p;
    start(NULL, NULL);
    p = come(&e2e_vectors[0]);
    c = world_handle(&w, p.id);
    (void)snprintf(key, sizeof key, "\"%s\"", e2e_vectors[2].client);
    wshub_ext_e2e__find(e2e, w.hub, c)->now->seals = WSHUB_EXT_E2E_SEALS_MAX;
    EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, c, S(key), S("keys")), WSHUB_ERR_DROPPED);
    wshub_ext_e2e__find(e2e, w.hub, c)->now->seals = 0;
    EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, c, S(key), nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_send(w.hub, c, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_STR(hear(&p), "{\"event\":\"x\",\"data\":1}");
    EXPECT_INT(told().agreed, 1);
    stop();
}

/* ---- what fails ---- */

TEST(without_randomness_nothing_is_sealed) {
    wshub_msg m = msg("x", "1");
    char text[256];
    wshub_conn c;
    peer p;
    start(NULL, NULL);
    p = come(&e2e_vectors[0]);
    dice.fails = true;
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, p.id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, p.conn);
    (void)snprintf(text, sizeof text, "\"%s\"", e2e_vectors[2].client);
    EXPECT_INT(wshub_ext_e2e_rekey(e2e, w.hub, world_handle(&w, p.id), S(text), S("k")),
               WSHUB_ERR_RANDOM);
    (void)snprintf(text, sizeof text, "\"publicKey\":\"%s\"", e2e_vectors[2].client);
    c = ask_with(text);
    EXPECT_TEXT(
        &w, c,
        "{\"event\":\"error\",\"data\":{\"message\":\"Authentication error\"}}"); /* AUTH-4 */
    EXPECT_CLOSE(&w, c, 4003);
    dice.fails = false;
    say(&p, "{\"event\":\"still here\"}");
    EXPECT_NOTE("still here  ;");
    EXPECT_INT(told().failed, 3);
    stop();
}

/* The n-th allocation of the file's own or piece of randomness fails, this inside the library too: who comes is accepted or told of an error, what is
 * said is heard or lost, and everything goes on. */
TEST(everything_that_it_asks_for_may_fail) {
    long n;
    bool all = false;
    for (n = 1; !all && n < 200; n++) {
        wshub_msg m = msg("x", "1");
        char text[256];
        wshub_io_fake_frame f;
        wshub_conn c;
        peer p;
        start(NULL, NULL);
        p = come(&e2e_vectors[0]);
        fails_at = n;
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, p.id), &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        say(&p, "{\"event\":\"a\"}");
        (void)snprintf(text, sizeof text, "\"%s\"", e2e_vectors[2].client);
        (void)wshub_ext_e2e_rekey(e2e, w.hub, world_handle(&w, p.id), S(text), S("keys"));
        (void)snprintf(text, sizeof text, "\"publicKey\":\"%s\"", e2e_vectors[2].client);
        c = ask_with(text);
        all = fails_at > 0;
        fails_at = 0;
        EXPECT(wshub_io_fake_next(w.net, c, &f));
        EXPECT(told().failed == (all ? 0u : 1u));
        EXPECT(!all || (wshub_json_is(wshub_json_get(f.payload, "event"), "connected") &&
                        told().agreed == 3 && told().opened == 1));
        say(&p, "{\"event\":\"b\"}"); /* the old key opens still */
        EXPECT(strstr(w.log, "b  ;") != NULL);
        stop();
    }
    EXPECT(all);
}

TEST(creation_says_what_is_wrong) {
    wshub_ext_e2e_desc d;
    wshub_ext_e2e *none = NULL;
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_ext_e2e_create(&d, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ext_e2e_create_versioned(&d, 1, WSHUB_EXT_E2E_DESC_VERSION, &none),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ext_e2e_create_versioned(&d, sizeof d, 9, &none), WSHUB_ERR_PARAM);
    d.aad.len = 1;
    EXPECT_INT(wshub_ext_e2e_create(&d, &none), WSHUB_ERR_PARAM);
    d.aad.len = 0;
    d.alloc = own_alloc;
    fails_at = 1;
    EXPECT_INT(wshub_ext_e2e_create(&d, &none), WSHUB_ERR_NOMEM);
    EXPECT(!none);
    EXPECT_INT(held, 0);
}
#endif
