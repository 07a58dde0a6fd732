/* The self-check as tests have it after every settle: each time while a hub is small; with more than
 * a thousand streams, clients or rooms every n-th time, n growing with their square, so that a test
 * with a hundred thousand still ends. The one place that says how often. */
#ifndef CHECKED_H
#define CHECKED_H

/* Ends the program where an index disagrees with itself. hub NULL: nothing. */
__attribute__((unused)) static void checked(const wshub *hub) {
    static uint64_t settles;
    wshub_stats s;
    const char *why;
    uint64_t most;
    if (!hub) return;

    wshub_stats_get(hub, &s);
    most = s.conns > s.clients ? s.conns : s.clients;
    if (s.rooms > most) most = s.rooms;
    if (most > 1000 && ++settles % (16 * (most / 1000) * (most / 1000))) return;

    why = wshub_self_check(hub);
    if (!why) return;
    (void)printf("  self-check: %s\n", why);
    abort();
}
#endif
