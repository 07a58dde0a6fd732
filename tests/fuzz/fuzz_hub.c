/* The whole hub by structured input: the bytes decide what the random sessions of
 * tests/test_random.c would decide by chance: who connects and says what, what the application
 * does inside which callback, what fails and when. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 2
#endif
#include "fuzz.h"
#include "../test_random.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 8 || size > 4000) return 0;
    rnd_bytes = data;
    rnd_left = size;
    session(1);
    MUST(!test_failures);
    return 0;
}
