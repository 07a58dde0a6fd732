/* Tables and descriptions of another header are refused by a text and not by a crash: whatever was
 * compiled against another wshub.h, no entry of it is called and no field of it is read. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_io_poll.h"
#include "test.h"

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}

/* A table as another header may have it: shorter than ours, and followed by memory that is not to
 * be touched. Whoever reads more of it than the version leaves the block, which sanitizers and
 * valgrind see; whoever calls what it has for an entry crashes. */
static void *foreign_table(uint32_t version) {
    uint32_t *t = (uint32_t *)malloc(sizeof *t);
    *t = version;
    return t;
}

TEST(an_io_of_another_header_is_refused_by_a_text) {
    static const uint32_t versions[] = {0, WSHUB_IO_VERSION + 1, UINT32_MAX};
    size_t i;
    for (i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        void *io = foreign_table(versions[i]);
        wshub *hub = NULL;
        wshub_desc d;
        memset(&d, 0, sizeof d);
        d.io = (const wshub_io *)io;
        EXPECT(wshub_desc_problem(&d) && strstr(wshub_desc_problem(&d), "WSHUB_IO_VERSION"));
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
        EXPECT(!hub);
        free(io);
    }
}

TEST(a_description_of_another_header_is_refused_by_a_text) {
    wshub_io_fake *net;
    wshub *hub = NULL;
    wshub_desc d;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(net);

    /* Of another version, shorter, longer: nothing in it is read, so the pointer may lead
     * anywhere. */
    EXPECT_HAS(wshub_desc_problem_versioned(&d, sizeof d, WSHUB_DESC_VERSION + 1),
               "compiled with another");
    EXPECT_HAS(wshub_desc_problem_versioned(&d, sizeof d - 8, WSHUB_DESC_VERSION),
               "compiled with another");
    EXPECT_INT(wshub_create_versioned(&d, sizeof d, WSHUB_DESC_VERSION + 1, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_create_versioned(&d, sizeof d + 8, WSHUB_DESC_VERSION, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_create_versioned(NULL, sizeof d, WSHUB_DESC_VERSION, &hub), WSHUB_ERR_PARAM);
    EXPECT(!hub);

    /* This one's own, also through a pointer to the function and with a description written in
     * place. */
    {
        wshub_err (*make)(const wshub_desc *, wshub **) = wshub_create;
        EXPECT(!wshub_desc_problem(&d));
        EXPECT_INT(make(&d, &hub), WSHUB_OK);
        wshub_destroy(hub);
        EXPECT_INT(make(NULL, &hub), WSHUB_ERR_PARAM);
        EXPECT_INT(
            wshub_create(&(wshub_desc){.io = d.io, .on_authenticate = on_authenticate}, &hub),
            WSHUB_OK);
        wshub_destroy(hub);
    }
    wshub_io_fake_destroy(net);
}

TEST(a_poller_of_another_header_is_refused_by_a_text) {
    void *poller = foreign_table(WSHUB_POLLER_VERSION + 1);
    wshub_io_sock *net = NULL;
    wshub_io_sock_desc d;
    memset(&d, 0, sizeof d);
    EXPECT_HAS(wshub_io_sock_desc_problem(NULL), "poller: required");
    EXPECT_HAS(wshub_io_sock_desc_problem(&d), "poller: required");
    d.poller = (const wshub_io_sock_poller *)poller;
    EXPECT_HAS(wshub_io_sock_desc_problem(&d), "WSHUB_POLLER_VERSION");
    EXPECT_INT(wshub_io_sock_create(&d, &net), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_auto_create(&d, &net), WSHUB_ERR_PARAM);
    free(poller);

    d.poller = wshub_io_poll_poller();
    EXPECT(!wshub_io_sock_desc_problem(&d));
    EXPECT_INT(wshub_io_sock_create(&d, NULL), WSHUB_ERR_PARAM);
    EXPECT(!net);
}

TEST(descriptions_of_ios_of_another_header_are_refused) {
    wshub_io_sock *net = NULL;
    wshub_io_fake *fake = NULL;
    wshub_io_sock_desc d;
    wshub_io_fake_desc f;
    memset(&d, 0, sizeof d);
    memset(&f, 0, sizeof f);
    d.poller = wshub_io_poll_poller();
    EXPECT_HAS(wshub_io_sock_desc_problem_versioned(&d, sizeof d, 0), "compiled with another");
    EXPECT_HAS(wshub_io_sock_desc_problem_versioned(&d, 8, WSHUB_IO_SOCK_DESC_VERSION),
               "compiled with another");
    EXPECT_INT(wshub_io_sock_create_versioned(&d, 8, WSHUB_IO_SOCK_DESC_VERSION, &net),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_auto_create_versioned(&d, 8, WSHUB_IO_SOCK_DESC_VERSION, &net),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_auto_create_versioned(NULL, sizeof d, 0, &net), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_fake_create_versioned(&f, 8, WSHUB_IO_FAKE_DESC_VERSION, &fake),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_fake_create_versioned(&f, sizeof f, 0, &fake), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_fake_create(&f, NULL), WSHUB_ERR_PARAM);
    EXPECT(!net && !fake);
}
