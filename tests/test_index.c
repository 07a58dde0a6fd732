/* The hash table of names against a plain list, and against names that were chosen to collide. */
#include "hubtest.h"

typedef struct named {
    wshub__name name;
    char text[8];
} named;
static void name_it(named *one, wshub__kind kind, const void *text, size_t len) {
    memcpy(one->text, text, len);
    wshub__name_give(&one->name, kind, one->text, len);
}

TEST(index_agrees_with_a_plain_list) { /* open addressing with gaps closed */
    static named names[3000];
    static char texts[3000][8];
    wshub__mem m = wshub__mem_make(NULL, NULL);
    wshub__index ix;
    uint32_t i, round, x = 12345;
    bool in[3000] = {false};
    memset(&ix, 0, sizeof ix);
    ix.key[0] = 7;
    for (i = 0; i < 3000; i++) {
        (void)snprintf(texts[i], 8, "n%u", i / 2);
        /* the same name twice, of two kinds */
        name_it(&names[i], i % 2 ? WSHUB__KIND_ROOM : WSHUB__KIND_USER, texts[i], strlen(texts[i]));
    }
    for (round = 0; round < 60000; round++) {
        x = x * 1664525 + 1013904223;
        i = (x >> 8) % 3000;
        EXPECT((wshub__index_find(&ix, (wshub__kind)names[i].name.kind, wshub_str_z(texts[i])) ==
                &names[i].name) == in[i]);
        if (in[i]) {
            wshub__index_remove(&ix, &names[i].name);
        } else {
            EXPECT(wshub__index_reserve(&m, &ix));
            wshub__index_add(&ix, &names[i].name);
        }
        in[i] = !in[i];
    }
    wshub__index_done(&m, &ix);
}

/* What the most names took is given back, down to twice of what is there, and all are found then. */
TEST(the_largest_index_leaves_nothing_behind) {
    static named names[1600];
    static char texts[1600][8];
    wshub__mem m = wshub__mem_make(NULL, NULL);
    wshub__index ix;
    uint32_t i;
    memset(&ix, 0, sizeof ix);
    for (i = 0; i < 1600; i++) {
        (void)snprintf(texts[i], 8, "n%u", (unsigned)i);
        if (i == 0) texts[i][0] = 0; /* an empty name is one, too */
        name_it(&names[i], WSHUB__KIND_ROOM, texts[i], strlen(texts[i]));
        EXPECT(wshub__index_reserve(&m, &ix));
        wshub__index_add(&ix, &names[i].name);
    }
    EXPECT_INT(ix.cap, 4096);
    wshub__index_give_back(&m, &ix); /* in use */
    EXPECT_INT(ix.cap, 4096);
    for (i = 300; i < 1600; i++) wshub__index_remove(&ix, &names[i].name);
    wshub__index_give_back(&m, &ix);
    EXPECT_INT(ix.cap, 1024);
    for (i = 0; i < 1600; i++) {
        EXPECT(wshub__index_find(&ix, WSHUB__KIND_ROOM, wshub_str_z(texts[i])) ==
               (i < 300 ? &names[i].name : NULL));
    }
    wshub__index_done(&m, &ix);
}

TEST(names_that_collide) { /* hash flooding */
    enum { TRIED = 600 };
    static named names[TRIED];
    static uint64_t texts[TRIED];
    wshub__mem m = wshub__mem_make(NULL, NULL);
    wshub__index ix;
    uint32_t i, k, n = 0, longest = 0, run;
    memset(&ix, 0, sizeof ix);
    ix.key[0] = 1; /* who knows the key can choose names that all want the same place */
    ix.key[1] = 2;
    {
        /* searched for: its hash would be 0, which means "empty" in the table */
        const uint64_t zero = UINT64_C(7277229702);
        const uint8_t first[4] = {1, 0, 0, 0};
        uint32_t one;
        memcpy(&one, first, 4);
        /* little-endian */
        if (one == 1) EXPECT_INT(wshub__index_hash(&ix, WSHUB__KIND_ROOM, wshub__str(&zero, 8)), 1);
    }
    for (i = 0; n < TRIED && i < 2000000; i++) {
        uint64_t text = i;
        if ((wshub__index_hash(&ix, WSHUB__KIND_ROOM, wshub__str(&text, 8)) & 1023) != 7) continue;
        texts[n] = text;
        name_it(&names[n], WSHUB__KIND_ROOM, &text, sizeof text);
        n++;
    }
    EXPECT_INT(n, TRIED);
    for (i = 0; i < n; i++) {
        EXPECT(wshub__index_reserve(&m, &ix));
        wshub__index_add(&ix, &names[i].name);
    }
    /* slow, and right */
    for (i = 0; i < n; i++)
        EXPECT(wshub__index_find(&ix, WSHUB__KIND_ROOM, wshub__str(&texts[i], 8)) ==
               &names[i].name);
    for (i = 0; i < n; i += 2) wshub__index_remove(&ix, &names[i].name);
    for (i = 0; i < n; i++)
        EXPECT((wshub__index_find(&ix, WSHUB__KIND_ROOM, wshub__str(&texts[i], 8)) ==
                &names[i].name) == (i % 2 == 1));
    wshub__index_done(&m, &ix);
    memset(&ix, 0, sizeof ix);
    ix.key[0] = 3; /* the same names under a key that he does not know: as any others */
    for (i = 0; i < n; i++) {
        EXPECT(wshub__index_reserve(&m, &ix));
        wshub__index_add(&ix, &names[i].name);
    }
    for (i = 0, run = 0; i < ix.cap; i++) {
        run = ix.hashes[i] ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    EXPECT_OP(longest, <, 60);
    wshub__index_done(&m, &ix);
    memset(&ix, 0, sizeof ix);
    ix.key[0] = 6;
    EXPECT(wshub__index_reserve(&m, &ix));
    wshub__index_add(&ix, &names[0].name);
    for (k = 0; k < 16; k++) { /* a stored hash that equals what another name hashes to */
        wshub_str other = wshub__str(&texts[1], 7), same_length = wshub__str(&texts[2], 8);
        uint32_t at = k, hash_other = wshub__index_hash(&ix, WSHUB__KIND_ROOM, other),
                 hash_same = wshub__index_hash(&ix, WSHUB__KIND_ROOM, same_length);
        wshub__name *stored = ix.names[k];
        uint32_t was = ix.hashes[k];
        if (!was) continue;
        ix.hashes[at] = 0;
        ix.hashes[hash_other & 15] = hash_other;
        ix.names[hash_other & 15] = stored;
        EXPECT(!wshub__index_find(&ix, WSHUB__KIND_ROOM, other)); /* same hash, another length */
        ix.hashes[hash_other & 15] = 0;
        ix.hashes[hash_same & 15] = hash_same;
        ix.names[hash_same & 15] = stored;
        /* same hash and length, another name */
        EXPECT(!wshub__index_find(&ix, WSHUB__KIND_ROOM, same_length));
        EXPECT(!wshub__index_find(&ix, WSHUB__KIND_USER, same_length));
        ix.hashes[hash_same & 15] = 0;
        ix.hashes[at] = was;
        ix.names[at] = stored;
        break;
    }
    wshub__index_done(&m, &ix);
}
