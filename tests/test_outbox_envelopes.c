/* test_outbox.c once more, with hubs on one loop that do not know it (BUS-5). */
#define ENVELOPES
#include "test_outbox.c"
