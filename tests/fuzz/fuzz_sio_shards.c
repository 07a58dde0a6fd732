/* A server of Socket.IO that speaks as the sharded adapter does, on a bus on which strangers publish,
 * and that asks them: as fuzz_sio_bus.c, with the channels of that adapter. */
#define FUZZ_SHARDED
#define SIO_SERVER_MODE WSHUB_SIO_BUS_SHARDED
#include "fuzz_sio_bus.c"
