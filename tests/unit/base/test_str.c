/* base/str.c: strict readers. */
#include "base/str.h"
#include "suite.h"

START_TEST(test_numbers_are_digits_only)
{
	static const char *const bad[] = {"",   "+1",  "-1",  " 1",
					  "1 ", "0x1", "1,2", "18446744073709551616"};
	uint64_t value = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(!str_read_u64(span_of(bad[i]), &value), "%s", bad[i]);
		ck_assert_uint_eq(value, 7);
	}
	ck_assert(str_read_u64(span_of("18446744073709551615"), &value));
	ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

START_TEST(test_durations_carry_a_unit)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"250ms", 250},  {"10s", 10000},   {"5m", 300000},
		    {"1h", 3600000}, {"1d", 86400000}, {"0", 0}};
	static const char *const bad[] = {"",     "10",  "s",   "10 s",
					  "1.5s", "-1s", "10S", "99999999999999999d"};
	uint64_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert(str_read_duration(span_of(good[i].text), &ms));
		ck_assert_uint_eq(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(!str_read_duration(span_of(bad[i]), &ms), "%s", bad[i]);
	}
}
END_TEST

START_TEST(test_sizes_and_percents)
{
	uint64_t value;
	char text[32];

	ck_assert(str_read_size(span_of("64KiB"), &value) && value == 65536);
	ck_assert(str_read_size(span_of("1MB"), &value) && value == 1000000);
	ck_assert(str_read_size(span_of("17"), &value) && value == 17);
	ck_assert(!str_read_size(span_of("64K"), &value));
	ck_assert(str_read_percent(span_of("50%"), &value) && value == 50);
	ck_assert(!str_read_percent(span_of("101%"), &value));
	ck_assert(!str_read_percent(span_of("50"), &value));
	ck_assert_str_eq(str_write_duration(text, sizeof(text), 300000), "5m");
	ck_assert_str_eq(str_write_size(text, sizeof(text), 2097152), "2MiB");
}
END_TEST

START_TEST(test_hex)
{
	uint64_t value;

	ck_assert(str_read_hex(span_of("fFfFfFfFfFfFfFfF"), &value) && value == UINT64_MAX);
	ck_assert(!str_read_hex(span_of("10000000000000000"), &value));
	ck_assert(!str_read_hex(span_of("0x1"), &value));
}
END_TEST

START_TEST(test_edit_distance_counts_typos)
{
	ck_assert_uint_eq(str_edit_distance("pool.size", "pool.size"), 0);
	ck_assert_uint_eq(str_edit_distance("pool.szie", "pool.size"), 1);
	ck_assert_uint_eq(str_edit_distance("pool.sizes", "pool.size"), 1);
	ck_assert_uint_eq(str_edit_distance("", "abc"), 3);
}
END_TEST

START_TEST(test_utf8_characters)
{
	static const struct {
		struct span text;
		size_t len;
	} cases[] = {
		{{"a", 1}, 1},
		{{"\0", 1}, 1},
		{{"", 0}, 0},
		{{"\xc3\xa9z", 3}, 2},
		{{"\xe2\x82\xac", 3}, 3},
		{{"\xf0\x9f\x98\x80", 4}, 4},
		{{"\xf4\x8f\xbf\xbf", 4}, 4},
		{{"\xc3", 1}, 0},             /* cut */
		{{"\xe2\x82", 2}, 0},         /* cut */
		{{"\xc3z", 2}, 0},            /* no second byte */
		{{"\xe2\x82z", 3}, 0},        /* no third byte */
		{{"\x80", 1}, 0},             /* no first byte */
		{{"\xff", 1}, 0},             /* no first byte */
		{{"\xc0\x80", 2}, 0},         /* overlong */
		{{"\xe0\x80\x80", 3}, 0},     /* overlong */
		{{"\xf0\x80\x80\x80", 4}, 0}, /* overlong */
		{{"\xed\xa0\x80", 3}, 0},     /* a surrogate */
		{{"\xf4\x90\x80\x80", 4}, 0}, /* beyond U+10FFFF */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_msg(str_utf8_len(cases[i].text) == cases[i].len, "case %zu", i);
	}
}
END_TEST

SUITE_MAIN("base/str", test_numbers_are_digits_only, test_durations_carry_a_unit,
	   test_sizes_and_percents, test_hex, test_utf8_characters, test_edit_distance_counts_typos)
