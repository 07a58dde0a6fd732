/* What the fuzz targets share: with -DFUZZ the function is libFuzzer's, without it a main replays files and folders
 * (tests/fuzz/corpus/NAME in make test). A target fails by ending the process. */
#ifndef FUZZ_H
#define FUZZ_H
#define TEST_NO_MAIN
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                   \
    do {                                                                             \
        if (!(cond)) {                                                               \
            (void)fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                                 \
        }                                                                            \
    } while (0)

#ifndef FUZZ
static unsigned long fuzz_inputs;
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
    }
    free(exact);
    (void)fclose(f);
}
int main(int argc, char **argv) {
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    char corpus[300];
    int i;
    (void)snprintf(corpus, sizeof corpus, "tests/fuzz/corpus/%s", name + (strncmp(name, "fuzz_", 5) == 0 ? 5 : 0));
    if (argc < 2) fuzz_path(corpus);
    for (i = 1; i < argc; i++) fuzz_path(argv[i]);
    (void)printf("  %lu inputs replayed\n%s: %d passed, %d failed, 0 skipped\n", fuzz_inputs, name, fuzz_inputs ? 1 : 0, fuzz_inputs ? 0 : 1);
    return fuzz_inputs ? 0 : 1;
}
#endif
#endif
