/* What the fuzz targets share: with -DFUZZ the function is libFuzzer's, without it a main
 * replays files and folders (tests/fuzz/corpus/NAME in make check). A target fails by ending the
 * process. */
#ifndef FUZZ_H
#define FUZZ_H
#define TEST_NO_MAIN
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (void)fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #cond);            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#ifndef FUZZ
/* Without libFuzzer each input of the corpus is also mangled FUZZ_MANGLED times, always in the
 * same ways. */
static unsigned long fuzz_inputs, fuzz_mangled;
static uint64_t fuzz_state = 88172645463325252u;
static uint32_t fuzz_chance(uint32_t n) {
    fuzz_state ^= fuzz_state << 13;
    fuzz_state ^= fuzz_state >> 7;
    fuzz_state ^= fuzz_state << 17;
    return (uint32_t)(fuzz_state >> 20) % n;
}
static void fuzz_mangle(const uint8_t *data, size_t size) {
    static uint8_t m[8192];
    int k;
    for (k = 0; k < FUZZ_MANGLED && size && size < 4000; k++, fuzz_mangled++) {
        size_t n = size, edits = 1 + fuzz_chance(4);
        uint8_t *exact;
        memcpy(m, data, size);
        while (edits--) {
            size_t at = fuzz_chance((uint32_t)n), len = 1 + fuzz_chance(8);
            /* clang-format off */
            static const uint8_t telling[] = {
                0, 0xFF, 0x7F, 0x80, '"', '\\', '{', '}', '[', ']', '\r', '\n', '*', '$', ':', '-',
                '0', '9', ' ', 0xED, 0xC0, 0xF4,
            };
            /* clang-format on */
            switch (fuzz_chance(6)) {
            case 0: m[at] ^= (uint8_t)(1u << fuzz_chance(8)); break;
            case 1: m[at] = telling[fuzz_chance(sizeof telling)]; break;
            case 2: /* a piece is left out */
                if (at + len >= n) break;
                memmove(m + at, m + at + len, n - at - len);
                n -= len;
                break;
            case 3: /* a piece comes twice */
                if (at + len > n || n + len > sizeof m) break;
                memmove(m + at + len, m + at, n - at);
                n += len;
                break;
            case 4: n = at + 1; break; /* it ends here */
            default: m[at] = (uint8_t)fuzz_chance(256); break;
            }
        }
        exact = (uint8_t *)malloc(n);
        MUST(exact);
        memcpy(exact, m, n);
        (void)LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
}
static void fuzz_path(const char *path) {
    DIR *d = opendir(path);
    struct dirent *e;
    FILE *f;
    uint8_t *exact;
    long n;
    if (d) {
        while ((e = readdir(d)) != NULL) {
            char inner[600];
            if (e->d_name[0] == '.') continue;
            (void)snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
            fuzz_path(inner);
        }
        (void)closedir(d);
        return;
    }
    f = fopen(path, "rb");
    if (!f) return;
    (void)fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    exact = (uint8_t *)malloc(n ? (size_t)n : 1);
    if (exact && fread(exact, 1, (size_t)n, f) == (size_t)n) {
        (void)LLVMFuzzerTestOneInput(exact, (size_t)n);
        fuzz_inputs++;
        fuzz_mangle(exact, (size_t)n);
    }
    free(exact);
    (void)fclose(f);
}
int main(int argc, char **argv) {
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    char corpus[300];
    int i;
    (void)snprintf(corpus, sizeof corpus, "tests/fuzz/corpus/%s",
                   name + (strncmp(name, "fuzz_", 5) == 0 ? 5 : 0));
    if (argc < 2) fuzz_path(corpus);
    for (i = 1; i < argc; i++) fuzz_path(argv[i]);
    (void)printf("  %lu inputs replayed, %lu mangled ones\n%s: %d passed, %d failed, 0 skipped\n",
                 fuzz_inputs, fuzz_mangled, name, fuzz_inputs ? 1 : 0, fuzz_inputs ? 0 : 1);
    return fuzz_inputs ? 0 : 1;
}
#endif
#endif
