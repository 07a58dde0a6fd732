/* The harness: TEST(name) { ... } registers itself; EXPECT says what went wrong and goes on. The
 * program runs all tests, or those whose name contains an argument, and ends with `N passed, N
 * failed, N skipped`. TEST_WHOLE(name) is for what goes over everything once more (every cut, every
 * fault): it runs where WSHUB_WHOLE is set (make check), or where an argument names it.
 * test_stride(n): how far a sweep over many cases goes on: one there, n elsewhere. */
#ifndef TEST_H
#define TEST_H
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED __attribute__((unused)) /* helpers that not every test needs */

typedef struct test_case {
    const char *name;
    void (*fn)(void);
    bool whole;
    struct test_case *next;
} test_case;

static test_case *test_first, *test_last;
static int test_failures;
UNUSED static int test_skipped_now;
static const char *test_name = "";
UNUSED static const char *test_program = ""; /* as it was called: beside it lie the fixtures */

static void test_register(test_case *t) {
    if (test_last)
        test_last->next = t;
    else
        test_first = t;
    test_last = t;
}

/* A sweep that takes seconds is cut short where people wait for it, and whole in CI: for (i = 0; i
 * < many; i += test_stride(7)). A prime that does not divide the loops inside meets every value. */
UNUSED static unsigned test_stride(unsigned n) {
    return getenv("WSHUB_WHOLE") ? 1 : n;
}

#define TEST(id) TEST_CASE(id, false)
#define TEST_WHOLE(id) TEST_CASE(id, true)
#define TEST_CASE(id, whole)                                                                       \
    static void test_##id(void);                                                                   \
    static test_case test_case_##id = {#id, test_##id, whole, NULL};                               \
    __attribute__((constructor)) static void test_register_##id(void) {                            \
        test_register(&test_case_##id);                                                            \
    }                                                                                              \
    static void test_##id(void)

/* A failure, and where it is; what was seen and what was expected follows on it. */
UNUSED static void test_fail(const char *file, int line) {
    test_failures++;
    (void)printf("  %s:%d: %s: ", file, line, test_name);
}
#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            test_fail(__FILE__, __LINE__);                                                         \
            (void)printf("expected %s, which is false\n", #cond);                                  \
        }                                                                                          \
    } while (0)
#define EXPECT_INT(got, want)                                                                      \
    do {                                                                                           \
        long long test_g = (long long)(got), test_w = (long long)(want);                           \
        if (test_g != test_w) {                                                                    \
            test_fail(__FILE__, __LINE__);                                                         \
            (void)printf("%s is %lld, expected %lld\n", #got, test_g, test_w);                     \
        }                                                                                          \
    } while (0)
/* Numbers that compare so: EXPECT_OP(count, >, 3). */
#define EXPECT_OP(got, op, want)                                                                   \
    do {                                                                                           \
        long long test_g = (long long)(got), test_w = (long long)(want);                           \
        if (!(test_g op test_w)) {                                                                 \
            test_fail(__FILE__, __LINE__);                                                         \
            (void)printf("%s is %lld, expected %s %lld\n", #got, test_g, #op, test_w);             \
        }                                                                                          \
    } while (0)
/* Two terminated texts, or NULL. */
#define EXPECT_STR(got, want)                                                                      \
    do {                                                                                           \
        const char *test_g = (got), *test_w = (want);                                              \
        if (test_g && test_w ? strcmp(test_g, test_w) != 0 : test_g != test_w) {                   \
            test_fail(__FILE__, __LINE__);                                                         \
            (void)printf("%s is %s\n    expected %s\n", #got, test_g ? test_g : "(nothing)",       \
                         test_w ? test_w : "(nothing)");                                           \
        }                                                                                          \
    } while (0)
/* A terminated text with that in it. */
#define EXPECT_HAS(text, part)                                                                     \
    do {                                                                                           \
        const char *test_t = (text), *test_p = (part);                                             \
        if (!test_t || !strstr(test_t, test_p)) {                                                  \
            test_fail(__FILE__, __LINE__);                                                         \
            (void)printf("%s is %.2000s\n    expected %s in it\n", #text,                          \
                         test_t ? test_t : "(nothing)", test_p);                                   \
        }                                                                                          \
    } while (0)
#define SKIP(why)                                                                                  \
    do {                                                                                           \
        (void)printf("  skipped %s: %s\n", test_name, why);                                        \
        test_skipped_now = 1;                                                                      \
        return;                                                                                    \
    } while (0)

#ifndef TEST_NO_MAIN
/* The command that runs one test alone. */
static void test_say_alone(const char *name) {
    const char *p = test_program;
    if (strncmp(p, "./", 2) == 0) p += 2;
    if (strncmp(p, "build/", 6) == 0)
        (void)printf("    alone: make %s && %s %s\n", p, p, name);
    else
        (void)printf("    alone: %s %s\n", test_program, name);
}

/* An assertion or a crash ends the program: it is said in which test that was. Where a sanitizer
 * listens to the signal already, it says more. */
static void test_died(int sig) {
    (void)signal(sig, SIG_DFL);
    (void)printf("FAIL %s ends the program by signal %d\n", test_name, sig);
    test_say_alone(test_name);
    (void)raise(sig);
}
static void test_listen(int sig) {
    void (*before)(int) = signal(sig, test_died);
    if (before != SIG_DFL) (void)signal(sig, before);
}

int main(int argc, char **argv) {
    int passed = 0, failed = 0, skipped = 0;
    bool whole = getenv("WSHUB_WHOLE") != NULL;
    const char *slash = strrchr(argv[0], '/');
    test_case *t;
    test_program = argv[0];
#if defined(_GNU_SOURCE) &&                                                                        \
    !defined(                                                                                      \
        _WIN32) /* where there are sockets; WSHUB_LOG=debug build/test_x shows what hubs log */
    (void)setenv("WSHUB_LOG", "off", 0);
#endif
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    test_listen(SIGABRT);
    test_listen(SIGSEGV);
    test_listen(SIGFPE);
    for (t = test_first; t; t = t->next) {
        int before = test_failures;
        if (argc > 1 ? !strstr(t->name, argv[1]) : t->whole && !whole) continue;
        test_name = t->name;
        test_skipped_now = 0;
        t->fn();
        if (test_failures > before) {
            failed++;
            (void)printf("FAIL %s\n", t->name);
            test_say_alone(t->name);
        } else if (test_skipped_now) {
            skipped++;
        } else {
            passed++;
        }
    }
    (void)printf("%s: %d passed, %d failed, %d skipped\n", slash ? slash + 1 : argv[0], passed,
                 failed, skipped);
    return failed ? 1 : 0;
}
#endif /* TEST_NO_MAIN */
#endif
