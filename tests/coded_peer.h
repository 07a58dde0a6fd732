/* A client's layers for the player of transcripts, in memory: permessage-deflate by zlib, and TLS by
 * OpenSSL. The player above says and hears plain frames; what goes to the hub and comes from it is
 * compressed, encrypted, or both. Behind -DWITH_ZLIB and -DWITH_OPENSSL; includes fixture_text.h's
 * user, tests/golden.h, first. */
#ifndef CODED_PEER_H
#define CODED_PEER_H
#ifdef WITH_ZLIB
#include <zlib.h>
#endif
#ifdef WITH_OPENSSL
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

/* ---- permessage-deflate: what a client does (RFC 7692) ---- */

typedef struct coded_frames {
    bool deflates;                /* it offers compression */
    bool requested;               /* its request is out: frames follow */
    bool answered;                /* its answer is here */
    bool upgraded;                /* which was 101: frames follow */
    bool agreed;                  /* and takes compression up */
    bool said_within;             /* a compressed message of several frames has begun */
    bool said_alone, heard_alone; /* each message has a window of its own */
    text said;                    /* what the player wrote of a frame that is not whole yet */
    text heard;                   /* what the hub sent of one */
    text ready;                   /* for the player */
    unsigned long coded_said, coded_heard; /* messages and parts of them that were compressed */
#ifdef WITH_ZLIB
    z_stream deflater, inflater;
#endif
} coded_frames;

static void coded_drop(text *t, size_t n) {
    t->len -= n;
    if (n) memmove(t->ptr, t->ptr + n, t->len);
}
/* Where a head of HTTP ends; 0: not yet. */
static size_t coded_head_end(const text *t) {
    size_t i;
    for (i = 4; i <= t->len; i++) {
        if (memcmp(t->ptr + i - 4, "\r\n\r\n", 4) == 0) return i;
    }
    return 0;
}

static void coded_frames_end(coded_frames *c) {
#ifdef WITH_ZLIB
    if (c->agreed) {
        (void)deflateEnd(&c->deflater);
        (void)inflateEnd(&c->inflater);
    }
#endif
    free(c->said.ptr);
    free(c->heard.ptr);
    free(c->ready.ptr);
    memset(c, 0, sizeof *c);
}

#ifdef WITH_ZLIB
/* The hub takes the offer up, or not; the player does not see that there was one. */
static void coded_agree(coded_frames *c, char *head) {
    char *line = strstr(head, "Sec-WebSocket-Extensions:"), *end;
    if (!line) return;
    end = strstr(line, "\r\n") + 2;
    c->said_alone = memmem(line, (size_t)(end - line), "client_no_context", 17) != NULL;
    c->heard_alone = memmem(line, (size_t)(end - line), "server_no_context", 17) != NULL;
    EXPECT(memmem(line, (size_t)(end - line), "permessage-deflate", 18) != NULL);
    memmove(line, end, strlen(end) + 1);
    EXPECT_INT(deflateInit2(&c->deflater, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    EXPECT_INT(inflateInit2(&c->inflater, -15), Z_OK);
    c->agreed = true;
}

/* A part of a message, compressed; the last one without its end. */
static void coded_deflate(coded_frames *c, const uint8_t *bytes, size_t n, bool last, text *out) {
    size_t room = deflateBound(&c->deflater, (uLong)n) + 32;
    char *to = (char *)malloc(room);
    if (!to) abort();
    c->coded_said++;
    c->deflater.next_in = (Bytef *)(uintptr_t)bytes;
    c->deflater.avail_in = (uInt)n;
    c->deflater.next_out = (Bytef *)to;
    c->deflater.avail_out = (uInt)room;
    if (n) EXPECT_INT(deflate(&c->deflater, Z_SYNC_FLUSH), Z_OK);
    room -= c->deflater.avail_out;
    if (n && last) room -= 4;
    if (!n && last) to[room++] = 0; /* RFC 7692 7.2.3.6 */
    text_add(out, to, room);
    free(to);
    if (last && c->said_alone) EXPECT_INT(deflateReset(&c->deflater), Z_OK);
}

/* A whole message that came compressed. */
static void coded_inflate(coded_frames *c, const uint8_t *bytes, size_t n, text *out) {
    static const Bytef tail[] = {0, 0, 0xFF, 0xFF};
    char some[4096];
    int part, did = Z_OK;
    c->coded_heard++;
    for (part = 0; part < 2; part++) {
        c->inflater.next_in = (Bytef *)(uintptr_t)(part ? tail : bytes);
        c->inflater.avail_in = part ? 4 : (uInt)n;
        do {
            c->inflater.next_out = (Bytef *)some;
            c->inflater.avail_out = sizeof some;
            did = inflate(&c->inflater, Z_SYNC_FLUSH);
            text_add(out, some, sizeof some - c->inflater.avail_out);
        } while (did == Z_OK && !c->inflater.avail_out);
        EXPECT(did == Z_OK || did == Z_BUF_ERROR);
    }
    if (c->heard_alone) EXPECT_INT(inflateReset(&c->inflater), Z_OK);
}

/* Whether a frame that the player says is compressed. What breaks the rules stays as it is. */
static bool coded_may(coded_frames *c, const wshub_frame *f) {
    bool begins = f->opcode == 1 || f->opcode == 2;
    if (!c->agreed || !f->masked || f->rsv) return false;
    if (!begins && !(f->opcode == 0 && c->said_within)) return false;
    c->said_within = !f->fin;
    return true;
}
#else
static bool coded_may(const coded_frames *c, const wshub_frame *f) {
    return (void)c, (void)f, false;
}
#endif

/* A frame of the player's, head and all. RSV1, which a transcript sets as a bit that means nothing,
 * means something to whoever compresses: there RSV2 stands for it. */
static void coded_say_frame(coded_frames *c, wshub_frame f, const char *bytes, text *out) {
    uint8_t head[14];
    text body = {NULL, 0, 0};
    size_t n = (size_t)f.payload_bytes;
    uint8_t *plain = (uint8_t *)malloc(n + 1);
    if (!plain) abort();
    if (n) memcpy(plain, bytes + f.head_bytes, n);
    if (f.masked) wshub_mask(plain, n, f.mask, 0);
    if (coded_may(c, &f)) {
#ifdef WITH_ZLIB
        coded_deflate(c, plain, n, f.fin, &body);
#endif
        if (f.opcode) f.rsv = 4;
    } else {
        text_add(&body, (const char *)plain, n);
        if (c->agreed && f.rsv == 4) f.rsv = 2;
    }
    f.payload_bytes = body.len;
    if (f.masked) wshub_mask((uint8_t *)body.ptr, body.len, f.mask, 0);
    text_add(out, (const char *)head, wshub_frame_write(&f, head));
    text_add(out, body.ptr, body.len);
    free(body.ptr);
    free(plain);
}

/* What the player says becomes what goes out. A frame that is not whole waits, if it comes byte by
 * byte; else it is meant to be cut off. */
static void coded_say(coded_frames *c, const char *bytes, size_t n, text *out) {
    wshub_frame f;
    size_t end = 0;
    text_add(&c->said, bytes, n);
    if (!c->requested) {
        end = coded_head_end(&c->said);
        if (!end) return;
        text_add(out, c->said.ptr, end - 2);
        if (c->deflates) text_z(out, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        text_z(out, "\r\n");
        coded_drop(&c->said, end);
        c->requested = true;
    }
    while (wshub_frame_read((const uint8_t *)c->said.ptr, c->said.len, &f) == 1 &&
           c->said.len - f.head_bytes >= f.payload_bytes) {
        coded_say_frame(c, f, c->said.ptr, out);
        coded_drop(&c->said, f.head_bytes + (size_t)f.payload_bytes);
    }
    if (n == 1 || !c->said.len) return;
    text_add(out, c->said.ptr, c->said.len);
    c->said.len = 0;
}

/* A frame of the hub's. */
static void coded_hear_frame(coded_frames *c, wshub_frame f, const char *bytes) {
    uint8_t head[14];
    text body = {NULL, 0, 0};
    EXPECT(!f.masked && f.fin && (f.rsv == 0 || (c->agreed && f.rsv == 4)));
    if (f.rsv == 4) {
#ifdef WITH_ZLIB
        coded_inflate(c, (const uint8_t *)bytes + f.head_bytes, (size_t)f.payload_bytes, &body);
#endif
        f.rsv = 0;
        f.payload_bytes = body.len;
        text_add(&c->ready, (const char *)head, wshub_frame_write(&f, head));
        text_add(&c->ready, text_get(&body).ptr, body.len);
        free(body.ptr);
        return;
    }
    text_add(&c->ready, bytes, f.head_bytes + (size_t)f.payload_bytes);
}

/* What the hub has sent becomes what the player hears. */
static void coded_hear(coded_frames *c, const char *bytes, size_t n) {
    wshub_frame f;
    size_t end;
    text_add(&c->heard, bytes, n);
    if (!c->answered && (end = coded_head_end(&c->heard)) != 0) {
        char *head = (char *)calloc(1, end + 1);
        if (!head) abort();
        memcpy(head, c->heard.ptr, end);
        c->answered = true;
        c->upgraded = strncmp(head, "HTTP/1.1 101", 12) == 0;
#ifdef WITH_ZLIB
        if (c->deflates && c->upgraded) coded_agree(c, head);
#endif
        text_z(&c->ready, head);
        coded_drop(&c->heard, end);
        free(head);
    }
    if (!c->answered) return;
    while (c->upgraded && wshub_frame_read((const uint8_t *)c->heard.ptr, c->heard.len, &f) == 1 &&
           c->heard.len - f.head_bytes >= f.payload_bytes) {
        coded_hear_frame(c, f, c->heard.ptr);
        coded_drop(&c->heard, f.head_bytes + (size_t)f.payload_bytes);
    }
    if (c->upgraded) return;
    text_add(&c->ready, c->heard.ptr, c->heard.len); /* an answer's body */
    c->heard.len = 0;
}

/* ---- TLS: a client of OpenSSL, between two buffers ---- */

#ifdef WITH_OPENSSL
typedef struct coded_tls {
    SSL *ssl; /* NULL: in the clear */
    BIO *in, *out;
    bool shaken, failed;
    bool farewell; /* the hub has said that it ends */
} coded_tls;

static SSL_CTX *coded_ctx;
static void coded_ctx_free(void) {
    SSL_CTX_free(coded_ctx);
}
/* Trusts the root of tests/tls_certs.h, and looks whether the certificate is for localhost. */
static SSL_CTX *coded_ctx_get(void) {
    BIO *b;
    X509 *x;
    if (coded_ctx) return coded_ctx;
    coded_ctx = SSL_CTX_new(TLS_client_method());
    b = BIO_new_mem_buf(tls_root_cert, -1);
    x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    EXPECT_INT(X509_STORE_add_cert(SSL_CTX_get_cert_store(coded_ctx), x), 1);
    X509_free(x);
    BIO_free(b);
    SSL_CTX_set_verify(coded_ctx, SSL_VERIFY_PEER, NULL);
    (void)atexit(coded_ctx_free);
    return coded_ctx;
}

/* version 0: the newest. session: one to go on with, or NULL. */
static void coded_tls_begin(coded_tls *t, int version, SSL_SESSION *session) {
    memset(t, 0, sizeof *t);
    t->ssl = SSL_new(coded_ctx_get());
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out) abort();
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    EXPECT_INT(SSL_set1_host(t->ssl, "localhost"), 1);
    EXPECT_INT(SSL_set_tlsext_host_name(t->ssl, "localhost"), 1);
    if (version) {
        SSL_set_min_proto_version(t->ssl, version);
        SSL_set_max_proto_version(t->ssl, version);
    }
    if (session) EXPECT_INT(SSL_set_session(t->ssl, session), 1);
}
static void coded_tls_end(coded_tls *t) {
    /* else the library takes the session for one that is not to be gone on with */
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    memset(t, 0, sizeof *t);
}
/* Goes on with what has come, and gives what is clear to coded_hear(). */
static void coded_tls_go_on(coded_tls *t, coded_frames *frames) {
    char some[4096];
    int n, why;
    if (t->failed || t->farewell) return;
    ERR_clear_error();
    n = t->shaken ? 1 : SSL_do_handshake(t->ssl);
    if (n == 1) {
        t->shaken = true;
        while ((n = SSL_read(t->ssl, some, sizeof some)) > 0) coded_hear(frames, some, (size_t)n);
    }
    why = SSL_get_error(t->ssl, n);
    t->farewell = why == SSL_ERROR_ZERO_RETURN;
    t->failed = !t->farewell && why != SSL_ERROR_WANT_READ;
    ERR_clear_error();
}
#endif
#endif
