/* Memory for the hubs of transcripts on the fake io: counted, and failing where a test wants it to.
 * Used by test_golden.c and test_golden_coded.c. */
#ifndef GOLDEN_MEMORY_H
#define GOLDEN_MEMORY_H

typedef struct golden_memory {
    long budget;  /* how many allocations from now the first one fails; 0: all do; -1: none does */
    bool once;    /* only that one; else all from then on */
    long count;   /* of allocations so far */
    size_t bytes; /* that are in use */
} golden_memory;

static void *golden_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    golden_memory *m = (golden_memory *)user;
    void *p;

    if (new_bytes == 0) {
        m->bytes -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (new_bytes > old_bytes) {
        m->count++;
        if (m->budget > 0) m->budget--;
        if (m->budget == 0) {
            if (m->once) m->budget = -1;
            return NULL;
        }
    }

    p = malloc(new_bytes); /* always elsewhere: a pointer that was kept is caught */
    if (!p) return NULL;
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    m->bytes += new_bytes - old_bytes;
    return p;
}
#endif
