/* Bytes of a stranger to a server over TLS, by each library that is there. The input's first byte
 * says by which way, the second how it is cut, and whether a true handshake goes ahead of it. In the
 * end nothing of the stream is left, whatever came. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 30 /* handshakes cost time */
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#include "../hubtest.h"
#ifdef WITH_OPENSSL
#define SPEAKS_TLS
#elif defined(WITH_MBEDTLS)
#define SPEAKS_TLS
#endif
#ifndef SPEAKS_TLS
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool said;
    (void)data, (void)size, (void)test_register;
    if (!said) (void)printf("  skipped fuzz_tls: neither OpenSSL nor mbedTLS is installed\n");
    said = true;
    return 0;
}
#else
#include "../tls_pair.h"

static pair pairs[3]; /* one for each way, as making one takes longer than a talk */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pair *p = NULL;
    tls_way way;
    size_t ways = 0, cut, i, n;
    (void)test_register; /* tests register, targets do not */
    if (size < 3) return 0;
    while (tls_way_at(ways, &way)) ways++;
    p = &pairs[data[0] % ways];
    (void)tls_way_at(data[0] % ways, &way);
    if (!p->server.net) MUST(pair_start(p, &way, NULL));
    p->trusting = true;
    cut = 1 + data[1] / 2 % 100;
    MUST(pair_dial(p, 10));
    if (data[1] & 1) {
        p->to_client = 5000; /* its end is awaited no longer */
        p->client.want = 20; /* it has more to say, and waits */
        pair_pump(p);
    }
    for (i = 2; i < size; i += n) {
        n = size - i < cut ? size - i : cut;
        wshub_io_fake_input(p->server.net, p->server.conn, data + i, n);
    }
    wshub_io_fake_half_close(p->server.net, p->server.conn);
    p->to_server = 0;
    wshub_io_fake_end(p->client.net, p->client.conn);
    pair_finish(p);
    wshub_io_fake_end(p->server.net, p->server.conn);
    pair_finish(p);
    pair_holds(p);
    MUST(!test_failures);
    return 0;
}
#endif
