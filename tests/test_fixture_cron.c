/* The program that is asked about cron line by line, build/fixture-cron, in memory: what is asked,
 * and what is answered to it, word by word; then as a program, from its input to its end. */
#define _GNU_SOURCE
#include "test.h"
#define main fixture_main
#include "fixture_cron.c"
#undef main
#include <sys/wait.h>
#include <unistd.h>

/* One line, and all that is said to it, line ends as `|`. */
static const char *asked(const char *line, bool with_jobs) {
    static char answer[16000];
    char *p;
    said.len = 0;
    if (with_jobs)
        answer_jobs(wshub_str_z(line));
    else
        answer_instants(wshub_str_z(line), &said);
    (void)snprintf(answer, sizeof answer, "%.*s", (int)said.len, said.ptr ? said.ptr : "");
    for (p = answer; (p = strchr(p, '\n')) != NULL;) *p = '|';
    return answer;
}

typedef struct dialogue {
    const char *line, *answer;
} dialogue;

static void play(const dialogue *d, size_t count, bool with_jobs) {
    size_t i;
    for (i = 0; i < count; i++) {
        const char *got = asked(d[i].line, with_jobs);
        if (strcmp(got, d[i].answer) != 0) (void)printf("  %s\n", d[i].line);
        EXPECT_STR(got, d[i].answer);
    }
}
#define PLAY(list, with_jobs) play(list, sizeof(list) / sizeof(list)[0], with_jobs)
#define BAD "{\"error\":\"bad request\"}"
#define OKAY "{\"ok\":true}"

TEST(instants_and_expressions_are_answered_line_by_line) { /* CRON-1, CRON-2, CRON-3 */
    /* clang-format off */
    static const dialogue lines[] = {
        {"{\"expr\":\"30 2 * * *\",\"tz\":\"America/New_York\",\"after\":1772951400000,\"count\":2}",
         "{\"next\":[1772953200000,1773037800000]}"}, /* b1 */
        {"{\"expr\":\"* * * * * *\",\"tz\":\"UTC\",\"after\":-1,\"count\":3}", "{\"next\":[0,1000,2000]}"},
        {"{\"expr\":\"0 0 30 2 *\",\"after\":0,\"count\":3}", "{\"next\":[]}"}, /* b9 */
        {"{\"expr\":\"0 9 1-31 * 1\",\"tz\":\"UTC\",\"after\":1777593600000,\"count\":1}", "{\"next\":[1777885200000]}"}, /* b11 */
        {"{\"parse\":\"0 */15 9-17 1,15 jan sun\"}",
         "{\"fields\":[\"0\",\"0,15,30,45\",\"9,10,11,12,13,14,15,16,17\",\"1,15\",\"1\",\"0\"]}"},
        {"{\"parse\":\"1-31 0-23 1-31 1-12 0-6\"}",
         "{\"fields\":[\"0\",\"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\","
         "\"*\",\"*\",\"*\",\"*\"]}"},
        {"{\"parse\":\"* * *\"}", "{\"error\":\"Too few fields\"}"},
        {"{\"parse\":\"61 * * * *\"}", "{\"error\":\"Field value (61) is out of range\"}"},
        {"{\"expr\":\"nop\",\"tz\":\"No/Zone\",\"after\":0,\"count\":1}", "{\"error\":\"Invalid timezone.\"}"},
        {"{\"expr\":\"nop\",\"tz\":\"UTC\",\"after\":0,\"count\":1}", "{\"error\":\"Unknown alias: nop\"}"},
        {"{\"expr\":\"0 0 * * *\",\"tz\":\"../etc/localtime\",\"after\":0,\"count\":1}", "{\"error\":\"Invalid timezone.\"}"},
        {"{\"expr\":\"0 0 * * *\",\"tz\":\"UTC\\u0000\",\"after\":0,\"count\":1}", "{\"error\":\"Invalid timezone.\"}"},
        {"{\"expr\":\"0 0 * * *\",\"tz\":\"<+0330>-3:30\",\"after\":0,\"count\":1}", "{\"error\":\"Invalid timezone.\"}"},
        {"{\"expr\":\"0 0 * * *\",\"tz\":\"<-02>2<-01>,M3.5.0/-1,M10.5.0/0\",\"after\":0,\"count\":1}", "{\"next\":[7200000]}"},
        {"{\"expr\":\"0 0 * * *\",\"after\":0}", BAD},
        {"{\"expr\":\"0 0 * * *\",\"after\":0,\"count\":0}", BAD},
        {"{\"expr\":\"0 0 * * *\",\"after\":0,\"count\":1001}", BAD},
        {"{\"expr\":\"0 0 * * *\",\"after\":\"0\",\"count\":1}", BAD},
        {"{\"expr\":5,\"after\":0,\"count\":1}", BAD},
        {"[]", BAD}, {"", BAD}, {"{\"parse\":5}", BAD}, {"{", BAD},
    };
    /* clang-format on */
    PLAY(lines, false);
}

/* `@` and a number stands for the monotonic clock so many milliseconds before now. */
static char *clocks(const char *answer) {
    static char out[1000];
    const char *p;
    size_t n = 0;
    for (p = answer; *p; p++) {
        char *end;
        if (*p != '@') {
            out[n++] = *p;
            continue;
        }
        n += (size_t)snprintf(
            out + n, sizeof out - n, "%llu",
            (unsigned long long)(wshub_io_fake_now(net) - strtoull(p + 1, &end, 10)));
        p = end - 1;
    }
    out[n] = 0;
    return out;
}

static void live(const char *line, const char *answer) {
    const char *got = asked(line, true);
    answer = clocks(answer);
    if (strcmp(got, answer) != 0) (void)printf("  %s\n", line);
    EXPECT_STR(got, answer);
}

TEST(jobs_run_by_a_clock_that_only_commands_turn) { /* CRON-4, CRON-5 */
    jobs_begin(500);
    live("{\"do\":\"new\",\"id\":1,\"expr\":\"* * * * * *\",\"tz\":\"UTC\"}", OKAY);
    live("{\"do\":\"new\",\"id\":1,\"expr\":\"* * * * * *\"}", BAD);
    live("{\"do\":\"get\",\"id\":1}",
         "{\"ok\":true,\"next\":1000,\"last\":null,\"running\":false}");
    live("{\"do\":\"start\",\"id\":1}", OKAY);
    live("{\"do\":\"start\",\"id\":1}", OKAY);
    live("{\"do\":\"advance\",\"ms\":499}", "{\"ok\":true,\"wall\":999,\"now\":@0}");
    live("{\"do\":\"advance\",\"ms\":1001}",
         "{\"ev\":\"tick\",\"id\":1,\"wall\":1000,\"now\":@1000}|"
         "{\"ev\":\"tick\",\"id\":1,\"wall\":2000,\"now\":@0}|{\"ok\":true,\"wall\":2000,\"now\":@"
         "0}");
    live("{\"do\":\"get\",\"id\":1}", "{\"ok\":true,\"next\":3000,\"last\":2000,\"running\":true}");
    live("{\"do\":\"modify\",\"id\":1,\"expr\":\"nop\"}", "{\"error\":\"Unknown alias: nop\"}");
    live("{\"do\":\"modify\",\"id\":1,\"expr\":\"0 * * * * *\",\"fire\":true}",
         "{\"ev\":\"tick\",\"id\":1,\"wall\":2000,\"now\":@0}|" OKAY);
    live("{\"do\":\"get\",\"id\":1}",
         "{\"ok\":true,\"next\":60000,\"last\":2000,\"running\":true}");
    live("{\"do\":\"duplicate\",\"id\":1,\"as\":\"two\",\"expr\":\"30 * * * * *\"}", OKAY);
    live("{\"do\":\"fire\",\"id\":\"two\"}",
         "{\"ev\":\"tick\",\"id\":\"two\",\"wall\":2000,\"now\":@0}|" OKAY);
    live("{\"do\":\"stop\",\"id\":1}",
         "{\"ev\":\"complete\",\"id\":1,\"wall\":2000,\"now\":@0}|" OKAY);
    live("{\"do\":\"stop\",\"id\":1}",
         "{\"ev\":\"complete\",\"id\":1,\"wall\":2000,\"now\":@0}|" OKAY);
    live("{\"do\":\"free\",\"id\":1}", OKAY);
    live("{\"do\":\"get\",\"id\":1}", BAD);
    live("{\"do\":\"dance\",\"id\":\"two\"}", BAD);
    live("{\"do\":\"jump\",\"wall\":-1000}", "{\"ok\":true,\"wall\":1000,\"now\":@0}");
    live("{\"do\":\"jump\"}", BAD);
    live("{\"do\":\"advance\",\"ms\":-1}", BAD);
    live("{\"do\":\"advance\",\"ms\":1000,\"wall\":500}", "{\"ok\":true,\"wall\":1500,\"now\":@0}");
    live("{\"do\":\"new\",\"id\":3,\"expr\":\"\",\"tz\":\"UTC\"}",
         "{\"error\":\"Too few fields\"}");
    live("{\"do\":\"new\",\"id\":3,\"expr\":\"\",\"tz\":\"Not/One\"}",
         "{\"error\":\"Invalid timezone.\"}");
    live("{\"do\":\"new\",\"id\":3,\"expr\":\"* * * * *\",\"tick\":\"sing\"}", BAD);
    live("{\"do\":\"new\",\"id\":3,\"expr\":\"0 0 0 30 2 *\",\"auto_start\":true}", OKAY);
    live("{\"do\":\"get\",\"id\":3}", "{\"ok\":true,\"next\":null,\"last\":null,\"running\":true}");
    live("{\"do\":\"advance\",\"ms\":3456000000}", "{\"ok\":true,\"wall\":3456001500,\"now\":@0}");
    jobs_end();
}

TEST(ticks_do_what_they_were_told_to) { /* CRON-5 */
    jobs_begin(0);
    live("{\"do\":\"new\",\"id\":\"f\",\"expr\":\"0 * * * * *\",\"tick\":\"fail\"}", OKAY);
    live("{\"do\":\"fire\",\"id\":\"f\"}",
         "{\"ev\":\"tick\",\"id\":\"f\",\"wall\":0,\"now\":@0}|"
         "{\"ev\":\"error\",\"id\":\"f\",\"wall\":0,\"now\":@0}|" OKAY);
    live("{\"do\":\"new\",\"id\":\"l\",\"expr\":\"* * * * * *\",\"wait_for_completion\":true,"
         "\"auto_start\":true,\"tick\":\"late-fail:1500\"}",
         OKAY);
    live("{\"do\":\"advance\",\"ms\":1000}",
         "{\"ev\":\"tick\",\"id\":\"l\",\"wall\":1000,\"now\":@0}|"
         "{\"ok\":true,\"wall\":1000,\"now\":@0}");
    live("{\"do\":\"fire\",\"id\":\"l\"}", OKAY); /* left out */
    live("{\"do\":\"stop\",\"id\":\"l\"}", OKAY); /* complete only behind it */
    live("{\"do\":\"advance\",\"ms\":1500}",
         "{\"ev\":\"done\",\"id\":\"l\",\"wall\":2500,\"now\":@0}|"
         "{\"ev\":\"error\",\"id\":\"l\",\"wall\":2500,\"now\":@0}|"
         "{\"ev\":\"complete\",\"id\":\"l\",\"wall\":2500,\"now\":@0}|"
         "{\"ok\":true,\"wall\":2500,\"now\":@0}");
    live("{\"do\":\"new\",\"id\":\"m\",\"expr\":\"0 * * * * *\",\"tick\":\"modify:0 0 * * * "
         "*\",\"tz\":\"UTC\"}",
         OKAY);
    live("{\"do\":\"fire\",\"id\":\"m\"}",
         "{\"ev\":\"tick\",\"id\":\"m\",\"wall\":2500,\"now\":@0}|" OKAY);
    live("{\"do\":\"get\",\"id\":\"m\"}",
         "{\"ok\":true,\"next\":3600000,\"last\":null,\"running\":false}");
    live("{\"do\":\"new\",\"id\":\"s\",\"expr\":\"0 * * * * *\",\"tick\":\"stop\"}", OKAY);
    live("{\"do\":\"fire\",\"id\":\"s\"}",
         "{\"ev\":\"tick\",\"id\":\"s\",\"wall\":2500,\"now\":@0}|"
         "{\"ev\":\"complete\",\"id\":\"s\",\"wall\":2500,\"now\":@0}|" OKAY);
    live("{\"do\":\"new\",\"id\":\"d\",\"expr\":\"0 * * * * *\",\"tick\":\"free\"}", OKAY);
    live("{\"do\":\"fire\",\"id\":\"d\"}",
         "{\"ev\":\"tick\",\"id\":\"d\",\"wall\":2500,\"now\":@0}|" OKAY);
    live("{\"do\":\"get\",\"id\":\"d\"}", BAD);
    jobs_end();
}

/* The program as such: its input in one file, its output in another. Returns its status. */
static int run_program(int argc, char **argv, const char *input, char *output, size_t cap) {
    FILE *in = tmpfile(), *out = tmpfile();
    int status = -1;
    pid_t pid;
    EXPECT(in && out);
    if (!in || !out) return -1;
    (void)fputs(input, in);
    rewind(in);
    (void)fflush(stdout);
    pid = fork();
    if (pid == 0) {
        (void)dup2(fileno(in), 0);
        (void)dup2(fileno(out), 1);
        (void)dup2(fileno(out), 2);
        said.len = 0;
        status = fixture_main(argc, argv);
        (void)fflush(stdout);
        _exit(status);
    }
    (void)waitpid(pid, &status, 0);
    rewind(out);
    output[fread(output, 1, cap - 1, out)] = 0;
    (void)fclose(in);
    (void)fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(the_program_ends_with_its_input_and_refuses_other_words) { /* CRON-2 */
    static char name[] = "fixture-cron", virt[] = "--virtual", bad[] = "12x", wall[] = "-1";
    char *alone[] = {name, NULL}, *odd[] = {name, virt, bad, NULL}, *half[] = {name, virt, NULL},
         *jobs_of[] = {name, virt, wall, NULL};
    char out[4000];
    EXPECT_INT(run_program(1, alone, "{\"parse\":\"* *\"}\n[]", out, sizeof out), 0);
    EXPECT_STR(out, "{\"error\":\"Too few fields\"}\n" BAD "\n");
    EXPECT_INT(run_program(1, alone, "", out, sizeof out), 0);
    EXPECT_STR(out, "");
    EXPECT_INT(run_program(3, odd, "", out, sizeof out), 2);
    EXPECT(strchr(out, '\n') == out + strlen(out) - 1);
    EXPECT_INT(run_program(2, half, "", out, sizeof out), 2);
    EXPECT_INT(run_program(3, jobs_of,
                           "{\"do\":\"new\",\"id\":1,\"expr\":\"@hourly\",\"tz\":\"UTC\"}\n"
                           "{\"do\":\"get\",\"id\":1}\n",
                           out, sizeof out),
               0);
    EXPECT_STR(out, OKAY "\n{\"ok\":true,\"next\":0,\"last\":null,\"running\":false}\n");
}
