/* The standard streams of a program at a command line, of which any may be closed, or full. */
#ifndef TOOL_STREAMS_H
#define TOOL_STREAMS_H
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Before anything else is opened. What is closed of the three would be the number of the next socket
 * otherwise: input would be read from it, and complaints written to it. Reading brings the end now,
 * and writing fails as before. */
static inline void tool_streams_open(void) {
    int fd;
    do fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2) (void)close(fd);
}

/* Has all that was printed gone out? If not, and somebody reads still, it says why. errno: why, even
 * if that could not be said either. */
static inline bool tool_streams_flush(const char *program) {
    int why;
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    why = errno;
    if (why != EPIPE)
        (void)fprintf(stderr, "%s: cannot write: %s\n", program,
                      why ? strerror(why) : "an error before");
    errno = why;
    return false;
}
#endif
