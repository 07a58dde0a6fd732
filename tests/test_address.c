/* Addresses and ranges of them: what is one, what it is, and how it is written (PROXY-1).
 * Every input lies directly before memory that nobody may read. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "walled.h"
#include <arpa/inet.h>

/* What is read, as it is written; "-" where there is none. */
static const char *read_back(const char *text) {
    static char out[WSHUB_ADDRESS_BYTES];
    wshub_address a, before;
    memset(&a, 0x5A, sizeof a);
    before = a;
    if (!wshub_address_read(W(text), &a)) {
        EXPECT(memcmp(&a, &before, sizeof a) == 0); /* untouched */
        return "-";
    }
    EXPECT_INT(wshub_address_write(&a, out), strlen(out));
    return out;
}

TEST(an_address_is_read_with_and_without_port_and_brackets) { /* PROXY-1 */
    static const struct {
        const char *text, *want;
    } cases[] = {
        /* clang-format off */
        {"192.0.2.1", "192.0.2.1"},
        {"203.0.113.7:61598", "203.0.113.7:61598"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"10.0.0.1:0", "10.0.0.1"}, /* of a port that is 0 nothing is known */
        {"2001:db8::1", "2001:db8::1"}, /* not cut at its last colon */
        {"2001:db8::1:443", "2001:db8::1:443"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "[2001:db8::1]:443"},
        {"::", "::"}, {"::1", "::1"}, {"1::", "1::"}, {"[::]:1", "[::]:1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"2001:DB8::ABCD", "2001:db8::abcd"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"::1.2.3.4", "::102:304"}, /* which is no mapped one */
        {"::ffff:192.0.2.1", "192.0.2.1"}, {"::FFFF:c000:0201", "192.0.2.1"},
        {"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
        {"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"},
        {"fe80::1%eth0", "fe80::1"}, {"[fe80::1%25]:80", "[fe80::1]:80"}, {"fe80::1%a.b_c-1", "fe80::1"},
        {"unix", "unix"},
        /* none */
        {"", "-"}, {" ", "-"}, {"unknown", "-"}, {"_h", "-"}, {"UNIX", "-"}, {"unix:", "-"}, {"localhost", "-"},
        {"1.2.3", "-"}, {"1.2.3.4.5", "-"}, {"1.2.3.", "-"}, {".1.2.3", "-"}, {"1..2.3", "-"},
        {"1.2.3.256", "-"}, {"1.2.3.1000", "-"}, {"1.2.3.04", "-"}, {"01.2.3.4", "-"}, {"0x1.2.3.4", "-"},
        {"1.2.3.4 ", "-"}, {" 1.2.3.4", "-"}, {"1.2.3.4,", "-"}, {"+1.2.3.4", "-"}, {"-1.2.3.4", "-"},
        {"16909060", "-"}, {"1.2.772", "-"},
        {"1.2.3.4:", "-"}, {"1.2.3.4:080", "-"}, {"1.2.3.4:65536", "-"}, {"1.2.3.4:100000", "-"},
        {"1.2.3.4:8x", "-"}, {"1.2.3.4:_p", "-"}, {"1.2.3.4:+8", "-"}, {":80", "-"},
        {":", "-"}, {":::", "-"}, {"1:", "-"}, {":1", "-"}, {"1:2:3:4:5:6:7", "-"}, {"1:2:3:4:5:6:7:", "-"},
        {"1:2:3:4:5:6:7:8:9", "-"}, {"1:2:3:4:5:6:7:8::", "-"}, {"1:2:3:4::5:6:7:8", "-"}, {"::1:2:3:4:5:6:7:8", "-"},
        {"1::2::3", "-"}, {"1:::2", "-"}, {"12345::", "-"}, {"1::g", "-"}, {"1::-1", "-"},
        {"1:2:3:4:5:6:7:1.2.3.4", "-"}, {"::1.2.3.4:5", "-"}, {"::1.2.3", "-"}, {"::1.2.3.4.", "-"}, {"1.2.3.4::", "-"},
        {"[]", "-"}, {"[", "-"}, {"]", "-"}, {"[::1", "-"}, {"::1]", "-"}, {"[::1]x", "-"}, {"[::1]80", "-"},
        {"[::1]:", "-"}, {"[::1]:080", "-"}, {"[[::1]]", "-"}, {"[192.0.2.1]", "-"}, {"[192.0.2.1]:80", "-"}, {"[unix]", "-"},
        {"fe80::1%", "-"}, {"fe80::1%a%b", "-"}, {"fe80::1%a b", "-"}, {"1.2.3.4%eth0", "-"}, {"%eth0", "-"},
        {"2001:db8::1/64", "-"},
        /* clang-format on */
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_STR(read_back(cases[i].text), cases[i].want);
    EXPECT(!wshub_address_read(wshub__str(NULL, 0), &(wshub_address){0}));
    EXPECT(!wshub_address_read(walled("1.2.3.4\0", 8), &(wshub_address){0}));
    EXPECT(!wshub_address_read(walled("un\0x", 4), &(wshub_address){0}));
}

TEST(a_mapped_address_and_its_port_make_no_other_one) { /* PROXY-1 */
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"192.0.2.1:80", "[::FFFF:C000:201]:81", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::192.0.2.1", false},
        {"2001:db8::1", "[2001:DB8:0::0:1]:443", true},
        {"fe80::1%1", "fe80::1%2", true},
        {"unix", "unix", true},
        {"unix", "::", false},
        {"0.0.0.0", "::", false},
    };
    wshub_address a, b, none;
    char text[WSHUB_ADDRESS_BYTES] = "before";
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT(wshub_address_read(W(cases[i].a), &a) && wshub_address_read(W(cases[i].b), &b));
        EXPECT_INT(wshub_address_eq(&a, &b), cases[i].same);
    }
    EXPECT(wshub_address_read(W("192.0.2.1"), &a));
    EXPECT(a.kind == WSHUB_ADDRESS_V4 && a.bytes[12] == 192 && a.bytes[15] == 1 && !a.port);
    memset(&none, 0, sizeof none);
    EXPECT(wshub_address_eq(&none, &none) && !wshub_address_eq(&none, &a));
    EXPECT(wshub_address_write(&none, text) == 0 && !text[0]);
}

TEST(an_address_is_made_of_its_bytes) { /* PROXY-1 */
    static const uint8_t v6[16] = {0x20, 0x01, 0x0D, 0xB8, [15] = 1}, v4[4] = {192, 0, 2, 1};
    uint8_t mapped[16];
    wshub_address a, b;
    char text[WSHUB_ADDRESS_BYTES];
    size_t n;
    EXPECT(wshub_address_of(v6, 16, 443, &a));
    (void)wshub_address_write(&a, text);
    EXPECT_STR(text, "[2001:db8::1]:443");
    EXPECT(wshub_address_of(v4, 4, 0, &a));
    (void)wshub_address_write(&a, text);
    EXPECT_STR(text, "192.0.2.1");
    memcpy(mapped, wshub__mapped, 12);
    memcpy(mapped + 12, v4, 4);
    EXPECT(wshub_address_of(mapped, 16, 80, &b) && wshub_address_eq(&a, &b) && b.port == 80);
    for (n = 0; n < 20; n++) {
        memset(&b, 0x5A, sizeof b);
        a = b;
        EXPECT_INT(wshub_address_of(mapped, n <= 16 ? n : 0, 1, &b), n == 4 || n == 16);
        if (n != 4 && n != 16) EXPECT(memcmp(&a, &b, sizeof a) == 0); /* untouched */
    }
}

TEST(an_address_is_written_in_one_way) { /* PROXY-1, RFC 5952 4 */
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* one group alone is not left out */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* the longest run is */
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* of two the first */
        {"0:0:1:0:0:0:0:0", "0:0:1::"},
        {"0:0:0:1:0:0:0:0", "0:0:0:1::"},
        {"0:0:0:0:1:0:0:0", "::1:0:0:0"},
        {"A:B:C:D:E:F:0:1234", "a:b:c:d:e:f:0:1234"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_STR(read_back(cases[i].text), cases[i].want);
}

/* ---- as the system reads and writes them ---- */

static uint32_t chance_state = 2463534242u;
static uint32_t chance(uint32_t n) {
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 17;
    chance_state ^= chance_state << 5;
    return chance_state % n;
}
/* Something that is, or nearly is, an address. */
static void some_address(char out[80]) {
    static const char signs[] = "0123456789abcdefABCDEF:.::..g";
    uint8_t bytes[16];
    size_t i, n;
    for (i = 0; i < 16; i++) bytes[i] = chance(2) ? 0 : (uint8_t)chance(256);
    if (chance(3) == 0) memcpy(bytes, wshub__mapped, 12);
    if (chance(2))
        (void)inet_ntop(AF_INET, bytes + 12, out, 80);
    else
        (void)inet_ntop(AF_INET6, bytes, out, 80);
    if (chance(4) == 0)
        for (i = n = 0; i < 8; i++)
            n += (size_t)snprintf(out + n, 80 - n, i ? ":%x" : "%x",
                                  bytes[2 * i] << 8 | bytes[2 * i + 1]);
    for (i = chance(3); i; i--) {
        n = strlen(out);
        if (chance(2) && n)
            out[chance((uint32_t)n)] = signs[chance(sizeof signs - 1)];
        else if (n && n < 70)
            memmove(out + n / 2 + 1, out + n / 2, n - n / 2 + 1);
    }
}

TEST(addresses_are_those_that_the_system_takes) { /* PROXY-1 */
    unsigned taken = 0, round;
    for (round = 0; round < 200000; round++) {
        char text[80], back[80], ours[WSHUB_ADDRESS_BYTES];
        uint8_t want[16], v4[4];
        wshub_address a;
        bool is_v4, is_v6, got;
        some_address(text);
        is_v4 = inet_pton(AF_INET, text, v4) == 1;
        is_v6 = inet_pton(AF_INET6, text, want) == 1;
        if (is_v4) {
            memcpy(want, wshub__mapped, 12);
            memcpy(want + 12, v4, 4);
        }
        got = wshub__address_bare(W(text), false, 0, &a);
        if (got != (is_v4 || is_v6) || (got && memcmp(a.bytes, want, 16) != 0)) {
            test_fail(__FILE__, __LINE__);
            (void)printf("%s\n", text);
            return;
        }
        if (!got) continue;
        taken++;

        /* glibc writes a few of IPv6 with an IPv4 address at the end, which RFC 5952 leaves open. */
        (void)wshub_address_write(&a, ours);
        if (a.kind == WSHUB_ADDRESS_V4)
            (void)inet_ntop(AF_INET, a.bytes + 12, back, sizeof back);
        else
            (void)inet_ntop(AF_INET6, a.bytes, back, sizeof back);
        if (a.kind == WSHUB_ADDRESS_V6 && strchr(back, '.')) continue;
        EXPECT_STR(ours, back);
    }
    EXPECT_OP(taken, >, 20000);
}

/* ---- ranges ---- */

TEST(a_range_has_the_addresses_that_begin_like_it) { /* PROXY-1 */
    static const struct {
        const char *range, *in, *out;
    } cases[] = {
        /* clang-format off */
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "9.255.255.255"},
        {"10.0.0.0/9", "10.127.255.255", "10.128.0.0"},
        {"192.0.2.128/25", "192.0.2.255", "192.0.2.127"},
        {"192.0.2.4/31", "192.0.2.5", "192.0.2.6"},
        {"192.0.2.4/32", "192.0.2.4:80", "192.0.2.5"},
        {"192.0.2.4", "192.0.2.4", "192.0.2.5"},
        {"::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"}, /* the same as 10.0.0.0/8 */
        {"::ffff:0:0/96", "192.0.2.1", "::fffe:192.0.2.1"},
        {"0.0.0.0/0", "255.255.255.255", "2001:db8::1"}, /* all of IPv4 */
        {"::/0", "2001:db8::1", "192.0.2.1"}, /* all of IPv6 */
        {"::/0", "::", "unix"},
        {"2001:db8::/32", "[2001:db8:ffff::1]:443", "2001:db9::"},
        {"2001:db8::/127", "2001:db8::1", "2001:db8::2"},
        {"2001:db8::1/128", "2001:db8::1", "2001:db8::"},
        {"fe80::/10", "febf::1%eth0", "fec0::"},
        {"unix", "unix", "0.0.0.0"},
        /* clang-format on */
    };
    wshub_address a, none;
    wshub_address_range range;
    size_t i;
    memset(&none, 0, sizeof none);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT(wshub_address_range_read(W(cases[i].range), &range));
        EXPECT(wshub_address_read(W(cases[i].in), &a));
        if (!wshub_address_in(&a, &range)) EXPECT_STR(cases[i].in, cases[i].range);
        EXPECT(wshub_address_read(W(cases[i].out), &a));
        if (wshub_address_in(&a, &range)) EXPECT_STR(cases[i].out, cases[i].range);
        EXPECT(!wshub_address_in(&none, &range));
    }
    memset(&range, 0, sizeof range); /* a range that nobody has read has nobody */
    EXPECT(!wshub_address_in(&none, &range) && !wshub_address_in(&a, &range));
}

TEST(what_is_no_range_is_refused) { /* PROXY-1 */
    static const char *const bad[] = {
        /* clang-format off */
        "", ":", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/8/8",
        "10.0.0.0/1000", "10.0.0.0/255.0.0.0", "10.0.0.0:80/8", "10.0.0.0:80", "10/8", "10.0.0/8", " 10.0.0.0/8",
        "10.0.0.1/8", "10.0.0.128/24", "0.0.0.1/0", "192.0.2.5/31", /* bits behind its length */
        "2001:db8::1/64", "2001:db8:0:0:8000::/64", "2001:db8:0:0:1::/64", "2001:db8::/129", "[2001:db8::]/32", "2001:db8::/",
        "::ffff:0:0/95", "::ffff:0:0/0", "::ffff:10.0.0.1/104", "fe80::1%eth0", "fe80::%eth0/10", "unix/8", "UNIX", "localhost", "*",
        /* clang-format on */
    };
    wshub_address_range range, before;
    size_t i;
    memset(&range, 0x5A, sizeof range);
    before = range;
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        if (wshub_address_range_read(W(bad[i]), &range)) EXPECT_STR(bad[i], "no range");
    EXPECT(!wshub_address_range_read(wshub__str(NULL, 0), &range));
    EXPECT(memcmp(&range, &before, sizeof range) == 0);
}

TEST(ranges_have_what_counting_bits_says) { /* PROXY-1: every length, and every bit that differs */
    uint32_t bits, flip, i;
    for (bits = 0; bits <= 128; bits++) {
        char text[60], first[WSHUB_ADDRESS_BYTES];
        wshub_address base, a;
        wshub_address_range range;
        memset(&base, 0, sizeof base);
        base.kind = WSHUB_ADDRESS_V6;
        for (i = 0; i < bits; i++)
            if (i % 3 != 1) base.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
        (void)wshub_address_write(&base, first);
        (void)snprintf(text, sizeof text, "%s/%u", first, (unsigned)bits);
        EXPECT(wshub_address_range_read(W(text), &range));
        EXPECT_INT(range.bits, bits);
        for (flip = 0; flip < 128; flip++) {
            a = base;
            a.bytes[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
            EXPECT_INT(wshub_address_in(&a, &range), flip >= bits);
            if (flip < bits) continue;
            (void)wshub_address_write(&a, first);
            (void)snprintf(text, sizeof text, "%s/%u", first, (unsigned)bits);
            EXPECT(!wshub_address_range_read(W(text), &range));
        }
    }
}
