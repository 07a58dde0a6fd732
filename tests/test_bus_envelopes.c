/* test_bus.c once more, with hubs on one loop that do not know it: they write and read envelopes, as
 * over any other bus (BUS-2, BUS-3). */
#define ENVELOPES
#include "test_bus.c"
