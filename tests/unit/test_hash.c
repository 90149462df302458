/* The hashes of texts: the vectors of their authors. */
#include "support/support.h"

#include "base/hash.h"

static const struct {
    struct slice text;
    const char *hash;
    uint32_t brief;
} vectors[] = {
    {{"", 0}, "6c62272e07bb014262b821756295c58d", 0x811c9dc5},
    {{"a", 1}, "d228cb696f1a8caf78912b704e4a8964", 0xe40c292c},
    {{"foobar", 6}, "343e1662793c64bf6f0d3597ba446f18", 0xbf9cf968},
};

START_TEST(vectors_of_its_authors)
{
    char hash[HASH_HEX + 1];
    hash_hex(vectors[_i].text, hash);
    ck_assert_str_eq(hash, vectors[_i].hash);
    ck_assert_uint_eq(hash_short(vectors[_i].text), vectors[_i].brief);
}
END_TEST

START_TEST(every_byte_counts)
{
    char zero[HASH_HEX + 1], two[HASH_HEX + 1];
    hash_hex((struct slice){"\0", 1}, zero);
    hash_hex((struct slice){"\0\0", 2}, two);
    ck_assert_str_ne(zero, two);
    ck_assert_str_ne(zero, vectors[0].hash);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tc = tcase_create("hash");
    tcase_add_loop_test(tc, vectors_of_its_authors, 0, sizeof vectors / sizeof *vectors);
    tcase_add_test(tc, every_byte_counts);
    suite_add_tcase(suite, tc);
    return suite;
}
