/* PROXY heads (PROXY-5 to PROXY-7): the first byte chooses the pieces in which the others come. In
 * whatever pieces it is the same head, of the same length, and for the same peer; and it is what a
 * slow reader says who has all of it. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 300
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#include <arpa/inet.h>
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_sock.h"

typedef struct result {
    int word;
    size_t taken;
    wshub_address peer;
} result;

/* As a socket is read that has what has come in pieces. */
static result feed(const uint8_t *bytes, size_t count, size_t cut) {
    wshub_io_sock__head head;
    result r;
    memset(&r, 0, sizeof r);
    memset(&head, 0x5A, sizeof head);
    head.count = head.skipped = 0;
    r.word = WSHUB_IO_SOCK__WORD_PART;
    while (r.word == WSHUB_IO_SOCK__WORD_PART && r.taken < count) {
        bool line, past;
        size_t want = wshub_io_sock__head_next(&head, &line, &past), n = count - r.taken;
        const uint8_t *end;
        MUST(want && (past || head.count + want <= sizeof head.bytes));
        n = n < cut ? n : cut;
        n = n < want ? n : want;
        end = line ? (const uint8_t *)memchr(bytes + r.taken, '\n', n) : NULL;
        if (end) n = (size_t)(end - (bytes + r.taken)) + 1;
        if (!past) memcpy(head.bytes + head.count, bytes + r.taken, n);
        if (past)
            head.skipped += (uint32_t)n;
        else
            head.count += (uint32_t)n;
        r.taken += n;
        r.word = wshub_io_sock__head_judge(&head, &r.peer);
    }
    return r;
}

/* ---- the slow reader ---- */

static bool is_port(const char *text, unsigned *out) {
    char again[12];
    if (strlen(text) > 5 || strspn(text, "0123456789") != strlen(text)) return false;
    *out = (unsigned)atoi(text);
    (void)sprintf(again, "%u", *out);
    return *out <= 65535 && strcmp(again, text) == 0;
}

/* A line of version 1, without its end. */
static int slow_line(char *line, wshub_address *peer) {
    char *word[8], *at = line + 6;
    uint8_t from[16], to[16];
    unsigned port, to_port;
    int n = 0, family;
    while (n < 8 && (word[n] = strsep(&at, " ")) != NULL) n++;
    if (n != 5) return WSHUB_IO_SOCK__WORD_BAD;
    family = strcmp(word[0], "TCP4") == 0 ? AF_INET : strcmp(word[0], "TCP6") == 0 ? AF_INET6 : 0;
    if (!family || inet_pton(family, word[1], from) != 1 || inet_pton(family, word[2], to) != 1 ||
        !is_port(word[3], &port) || !is_port(word[4], &to_port))
        return WSHUB_IO_SOCK__WORD_BAD;
    MUST(wshub_address_of(from, family == AF_INET ? 4 : 16, (uint16_t)port, peer));
    return WSHUB_IO_SOCK__WORD_NAMED;
}

static result slowly(const uint8_t *p, size_t count) {
    static const uint8_t sign[12] = {13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10};
    const uint8_t *end;
    char line[108];
    size_t n, least;
    result r;
    memset(&r, 0, sizeof r);
    r.word = WSHUB_IO_SOCK__WORD_PART;
    if (!count) return r;
    if (memcmp(p, "PROXY ", count < 6 ? count : 6) == 0) {
        if (count < 6) return r;
        end = (const uint8_t *)memchr(p, '\n', count < 107 ? count : 107);
        if (!end) {
            if (count >= 107) r.word = WSHUB_IO_SOCK__WORD_BAD;
            return r;
        }
        n = (size_t)(end - p);
        r.word = WSHUB_IO_SOCK__WORD_BAD;
        if (n < 7 || p[n - 1] != '\r') return r;
        memcpy(line, p, n - 1);
        line[n - 1] = 0;
        r.taken = n + 1;
        if (strncmp(line + 6, "UNKNOWN", 7) == 0 && (n - 1 == 13 || line[13] == ' '))
            r.word = WSHUB_IO_SOCK__WORD_ITSELF;
        else if (strlen(line) == n - 1)
            r.word = slow_line(line, &r.peer);
        return r;
    }
    if (memcmp(p, sign, count < 12 ? count : 12) != 0) {
        r.word = WSHUB_IO_SOCK__WORD_MISSING;
        return r;
    }
    if (count < 16) return r;
    n = (size_t)p[14] * 256 + p[15];
    least = p[12] != 0x21 ? 0 : p[13] == 0x11 ? 12 : p[13] == 0x21 ? 36 : p[13] == 0x31 ? 216 : 0;
    r.word = WSHUB_IO_SOCK__WORD_BAD;
    if ((p[12] != 0x20 && p[12] != 0x21) || (p[12] == 0x21 && !least && p[13]) || n < least)
        return r;
    r.word = WSHUB_IO_SOCK__WORD_PART;
    if (count < 16 + n) return r;
    r.taken = 16 + n;
    r.word = least ? WSHUB_IO_SOCK__WORD_NAMED : WSHUB_IO_SOCK__WORD_ITSELF;
    if (least == 12) MUST(wshub_address_of(p + 16, 4, (uint16_t)(p[24] << 8 | p[25]), &r.peer));
    if (least == 36) MUST(wshub_address_of(p + 16, 16, (uint16_t)(p[48] << 8 | p[49]), &r.peer));
    if (least == 216) r.peer.kind = WSHUB_ADDRESS_UNIX;
    return r;
}

static bool is_whole(int word) {
    return word == WSHUB_IO_SOCK__WORD_NAMED || word == WSHUB_IO_SOCK__WORD_ITSELF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t cut = size ? 1 + data[0] % 40 : 1;
    result a, b, want;
    if (size < 1 || size > 3000) return 0;
    a = feed(data + 1, size - 1, cut);
    b = feed(data + 1, size - 1, size);
    want = slowly(data + 1, size - 1);
    MUST(a.word == want.word && b.word == want.word);
    MUST(wshub_address_eq(&a.peer, &want.peer) && a.peer.port == want.peer.port);
    MUST(wshub_address_eq(&b.peer, &want.peer) && b.peer.port == want.peer.port);
    if (is_whole(want.word)) MUST(a.taken == want.taken && b.taken == want.taken);
    MUST(a.taken < size && b.taken < size);
    MUST((want.word == WSHUB_IO_SOCK__WORD_NAMED) == (a.peer.kind != WSHUB_ADDRESS_NONE));
    return 0;
}
