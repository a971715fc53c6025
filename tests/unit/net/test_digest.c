/* net/digest.c: FIPS 180-4's examples, and the comparison. */
#include "base/macros.h"
#include "net/digest.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

START_TEST(test_known_digests)
{
	static const struct {
		const char *text;
		const char *hex;
	} rows[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t digest[DIGEST_BYTES];
		char hex[2 * DIGEST_BYTES + 1];

		digest_sha256(span_of(rows[i].text), digest);
		for (size_t at = 0; at < DIGEST_BYTES; at++) {
			snprintf(hex + 2 * at, 3, "%02x", digest[at]);
		}
		ck_assert_str_eq(hex, rows[i].hex);
	}
}
END_TEST

START_TEST(test_every_byte_counts)
{
	uint8_t a[2 * DIGEST_BYTES] = {0};
	uint8_t b[2 * DIGEST_BYTES] = {0};

	ck_assert(digest_is_same(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		ck_assert(!digest_is_same(a, b, sizeof(a)));
		b[i] = 0;
	}
}
END_TEST

SUITE_MAIN("net/digest", test_known_digests, test_every_byte_counts)
