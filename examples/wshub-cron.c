/* wshub-cron: says in words what a cron expression means, and when it is due, in any time zone.
 *
 * Shows: expressions and zones without any hub: parse, describe, the next instants, and what the
 * clock on the wall shows then.
 * Build: cc wshub-cron.c -I.. -I../backends -o wshub-cron (in examples/)
 * Try:   ./wshub-cron "30 9 * * 1-5" --tz Europe/Berlin --next 5 --describe */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_ext_cron.h"
#include "tool_streams.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct options {
    const char *expr, *tz;
    long next;
    bool describe;
} options;

/* Prints an instant as the clock on the wall there shows it, with its distance from UTC. */
static void print_instant(const wshub_ext_cron_zone *zone, int64_t at_ms) {
    long offset = wshub_ext_cron_zone_offset(zone, at_ms), minutes = labs(offset) / 60;
    char text[24];

    wshub_iso_time((uint64_t)(at_ms + offset * 1000), text);
    text[19] = 0; /* neither milliseconds nor the Z of UTC */
    printf("%s%c%02ld:%02ld\n", text, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static int usage(const char *program) {
    fprintf(stderr,
            "usage: %s \"EXPRESSION\" [--tz ZONE] [--next COUNT] [--describe]\n"
            "ZONE is a name such as Europe/Berlin, UTC, or a rule of POSIX; left out: the system's "
            "own\n",
            program);
    return 2;
}

/* Reads how often. Returns false: it is no number, or below zero. */
static bool read_count(const char *text, long *out_count) {
    char *stop;

    *out_count = strtol(text, &stop, 10);
    return stop != text && !*stop && *out_count >= 0;
}

/* Reads the arguments. Returns false: they are not what usage() says. */
static bool read_options(int argc, char **argv, options *o) {
    int i;

    o->next = -1;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--describe") == 0) {
            o->describe = true;
        } else if (strcmp(argv[i], "--tz") == 0 && i + 1 < argc) {
            o->tz = argv[++i];
        } else if (strcmp(argv[i], "--next") == 0 && i + 1 < argc) {
            if (!read_count(argv[++i], &o->next)) return false;
        } else if (o->expr || strncmp(argv[i], "--", 2) == 0) {
            return false;
        } else {
            o->expr = argv[i];
        }
    }
    if (o->next < 0) o->next = o->describe ? 0 : 1;
    return o->expr != NULL;
}

int main(int argc, char **argv) {
    options o = {0};
    wshub_ext_cron_zone *zone;
    wshub_ext_cron_error error;
    wshub_ext_cron cron;
    char text[WSHUB_EXT_CRON_DESCRIBE_BYTES];
    int64_t at = (int64_t)time(NULL) * 1000;

    tool_streams_open();
    if (!read_options(argc, argv, &o)) return usage(argv[0]);
    if (wshub_ext_cron_zone_create(&(wshub_ext_cron_zone_desc){.name = o.tz}, &zone)) {
        fprintf(stderr, "Invalid timezone.\n");
        return 1;
    }
    if (wshub_ext_cron_parse(wshub_str_z(o.expr), &cron, &error)) {
        /* the text again, and below it what is wrong in it */
        fprintf(stderr, "%s\n%s\n%*s^\n", error.text, o.expr, (int)error.at, "");
        return 1;
    }

    if (o.describe) {
        wshub_ext_cron_describe(&cron, o.tz, text, sizeof text);
        puts(text);
    }
    while (o.next-- > 0) {
        at = wshub_ext_cron_next(&cron, zone, at);
        if (at == WSHUB_EXT_CRON_NEVER) {
            puts("never");
            break;
        }
        print_instant(zone, at);
    }
    wshub_ext_cron_zone_destroy(zone);
    return tool_streams_flush("wshub-cron") ? 0 : 1;
}
