/* base/histogram.c: buckets, their bounds, and quantiles of the last minutes. */
#include "base/histogram.h"
#include "suite.h"

#include <string.h>

static uint64_t top_of(uint64_t value)
{
	static struct rolling rolling;
	const double median = 0.5;
	uint64_t top;

	memset(&rolling, 0, sizeof(rolling));
	rolling_add(&rolling, value, 1000);
	ck_assert_uint_eq(rolling_quantiles(&rolling, 60000, 1000, &median, 1, &top), 1);
	return top;
}

START_TEST(test_a_bucket_is_at_most_an_eighth_wide_and_holds_its_bound)
{
	ck_assert_uint_eq(top_of(0), 1);
	for (uint64_t value = 1; value <= HISTOGRAM_EXACT; value++) {
		ck_assert_uint_eq(top_of(value), value);
	}
	for (uint64_t value = 17; value < (uint64_t)1 << 29; value += 1 + value / 37) {
		uint64_t top = top_of(value);

		ck_assert_uint_ge(top, value);
		ck_assert_uint_le(top - value, value / 8);
		ck_assert_uint_eq(top_of(top), top);
		ck_assert_uint_gt(top_of(top + 1), top);
	}
	ck_assert_uint_eq(top_of(UINT64_MAX), (uint64_t)1 << 30);
}
END_TEST

START_TEST(test_counts_up_to_powers_of_two_are_exact)
{
	static struct histogram histogram;

	for (uint64_t value = 0; value <= 5000; value++) {
		histogram_add(&histogram, value);
	}
	ck_assert_uint_eq(histogram_count(&histogram), 5001);
	ck_assert_uint_eq(histogram.sum, 5000 * 5001 / 2);
	for (unsigned bit = 0; bit <= 12; bit++) {
		ck_assert_uint_eq(histogram_count_up_to(&histogram, bit), ((uint64_t)1 << bit) + 1);
	}
	ck_assert_uint_eq(histogram_count_up_to(&histogram, 29), 5001);
	histogram_add(&histogram, UINT64_MAX);
	ck_assert_uint_eq(histogram_count_up_to(&histogram, 30), 5001);
	ck_assert_uint_eq(histogram_count(&histogram), 5002);
}
END_TEST

START_TEST(test_quantiles_are_of_the_last_minutes_only)
{
	static struct rolling rolling;
	const double shares[] = {0.5, 0.9, 0.99};
	uint64_t values[3];

	ck_assert_uint_eq(rolling_quantiles(&rolling, 300000, 5000, shares, 3, values), 0);
	ck_assert_uint_eq(values[2], 0);
	for (uint64_t i = 1; i <= 1000; i++) {
		rolling_add(&rolling, i * 1000, 600000);
	}
	ck_assert_uint_eq(rolling_quantiles(&rolling, 60000, 600000, shares, 3, values), 1000);
	ck_assert_uint_ge(values[0], 500000);
	ck_assert_uint_le(values[0], 565000);
	ck_assert_uint_ge(values[1], 900000);
	ck_assert_uint_le(values[1], 1013000);
	ck_assert_uint_ge(values[2], 990000);
	ck_assert_uint_le(values[2], 1115000);
	/* A minute is this slice and five whole ones before it. */
	ck_assert_uint_eq(rolling_quantiles(&rolling, 60000, 659999, shares, 3, values), 1000);
	ck_assert_uint_eq(rolling_quantiles(&rolling, 60000, 660000, shares, 3, values), 0);
	ck_assert_uint_eq(rolling_quantiles(&rolling, 300000, 899999, shares, 3, values), 1000);
	ck_assert_uint_eq(rolling_quantiles(&rolling, 300000, 900000, shares, 3, values), 0);
	/* The place of an old slice is taken by a new one. */
	rolling_add(&rolling, 7, 900000);
	ck_assert_uint_eq(rolling_quantiles(&rolling, 300000, 900000, shares, 3, values), 1);
	ck_assert_uint_eq(values[1], 7);
}
END_TEST

SUITE_MAIN("base/histogram", test_a_bucket_is_at_most_an_eighth_wide_and_holds_its_bound,
	   test_counts_up_to_powers_of_two_are_exact, test_quantiles_are_of_the_last_minutes_only)
