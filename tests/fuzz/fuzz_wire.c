/* Frame heads and RESP: against the slow implementations, each cut short everywhere; masking in
 * any pieces; URLs. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 600
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_frame a, b;
    wshub_resp r;
    uint8_t head[14], *x, *y;
    size_t n;
    int got;
    if (size > 2000) return 0;
    for (n = 0; n <= size && n < 20; n++) {
        got = oracle_frame(data, n, &b);
        MUST(wshub_frame_read(data, n, &a) == got);
        if (got != 1) continue;
        MUST(a.payload_bytes == b.payload_bytes && a.opcode == b.opcode && a.rsv == b.rsv &&
             a.fin == b.fin && a.masked == b.masked && a.head_bytes == b.head_bytes &&
             (!a.masked || memcmp(a.mask, b.mask, 4) == 0));
        MUST(wshub_frame_write(&a, head) == a.head_bytes && memcmp(head, data, a.head_bytes) == 0);
    }
    for (n = 0; n <= size; n += size < 200 ? 1 : 1 + size / 50) {
        int64_t elements = 0, want = oracle_resp(data, n, 0, &elements);
        got = wshub_resp_read(data, n, 1000, &r);
        MUST(got == (want > 0 ? 1 : (int)want));
        MUST(got != 1 || r.bytes == (size_t)want);
        MUST(r.items_count <= WSHUB_RESP_ITEMS);
    }
    if (size > 4) {
        x = (uint8_t *)malloc(size);
        y = (uint8_t *)malloc(size);
        memcpy(x, data, size);
        memcpy(y, data, size);
        for (n = 0; n < size; n++) y[n] ^= data[n % 4];
        n = data[4] % size;
        wshub_mask(x, n, data, 0);
        wshub_mask(x + n, size - n, data, n);
        MUST(memcmp(x, y, size) == 0);
        free(x);
        free(y);
    }
    {
        char *url = (char *)malloc(size + 1);
        wshub_io_fake *net = NULL;
        wshub_bus_redis *redis = NULL;
        wshub_bus_redis_desc d;
        memcpy(url, data, size);
        url[size] = 0;
        MUST(wshub_io_fake_create(NULL, &net) == WSHUB_OK);
        memset(&d, 0, sizeof d);
        d.io = wshub_io_fake_io(net);
        d.url = url;
        d.tls = size && data[0] == 'r' && size > 5 && data[5] == 's';
        MUST((wshub_bus_redis_desc_problem(&d) == NULL) ==
             (wshub_bus_redis_create(&d, &redis) == WSHUB_OK));
        wshub_bus_redis_destroy(redis);
        wshub_io_fake_destroy(net);
        free(url);
    }
    return 0;
}
