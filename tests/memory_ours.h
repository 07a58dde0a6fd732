/* Memory of our own clients in a simulation: counted, so that nothing may be left of it, and one
 * allocation of it may fail. */
#ifndef MEMORY_OURS_H
#define MEMORY_OURS_H
#include <stdlib.h>

typedef struct memory_ours {
    size_t bytes; /* that are held */
    long fail_at; /* the n-th allocation from now fails; 0: none */
} memory_ours;

/* wshub_ws_pool_desc.alloc, with a memory_ours as its user. */
static void *memory_ours_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    memory_ours *of = (memory_ours *)user;
    void *p;
    if (!new_bytes) {
        of->bytes -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (of->fail_at && --of->fail_at == 0) return NULL;
    p = realloc(ptr, new_bytes);
    if (p) of->bytes += new_bytes - old_bytes;
    return p;
}
#endif
