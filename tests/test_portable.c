/* The pure functions without what only some compilers and machines have: an implementation of its
 * own, compiled with WSHUB_PORTABLE. */
#define WSHUB_PORTABLE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "../wshub.h"
#include "test_codec.c"
#include "test_frame.c"
#include "test_index.c"
#include "test_json.c"
