/* Texts that lie directly before memory that nobody may read, so that a byte too far ends the
 * test. A test that includes it defines _GNU_SOURCE first. */
#ifndef WALLED_H
#define WALLED_H
#include <sys/mman.h>

#define WALLED_BYTES 65536u
#define WALLS 4u

/* A copy that ends where memory ends; valid until WALLS more of them have been made. */
UNUSED static wshub_str walled(const char *text, size_t len) {
    static char *rooms[WALLS];
    static unsigned next;
    char *room = rooms[next % WALLS];
    if (!room) {
        room = (char *)mmap(NULL, WALLED_BYTES * 2, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (room == (char *)MAP_FAILED || mprotect(room + WALLED_BYTES, WALLED_BYTES, PROT_NONE))
            abort();
        rooms[next % WALLS] = room;
    }
    next++;
    if (len > WALLED_BYTES) abort();
    room += WALLED_BYTES - len;
    if (len) memcpy(room, text, len);
    return wshub__str(room, len);
}
UNUSED static wshub_str W(const char *text) {
    return walled(text, strlen(text));
}
#endif
