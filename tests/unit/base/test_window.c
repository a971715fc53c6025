/* base/window.c: counts over the last ten seconds. */
#include "base/window.h"
#include "suite.h"

START_TEST(test_a_count_lasts_ten_seconds)
{
	struct window window = {0};

	window_add(&window, 999);
	window_add(&window, 1000);
	ck_assert_uint_eq(window_count(&window, 9999), 2);
	ck_assert_uint_eq(window_count(&window, 10000), 1);
	ck_assert_uint_eq(window_count(&window, 11000), 0);
}
END_TEST

START_TEST(test_a_long_rest_forgets_all)
{
	struct window window = {0};

	for (unsigned i = 0; i < 100; i++) {
		window_add(&window, i * 100);
	}
	ck_assert_uint_eq(window_count(&window, 9900), 100);
	ck_assert_uint_eq(window_count(&window, 3600000), 0);
	window_add(&window, 3600000);
	ck_assert_uint_eq(window_count(&window, 3600000), 1);
}
END_TEST

START_TEST(test_a_clock_that_goes_back_counts_for_now)
{
	struct window window = {0};

	window_add(&window, 20000);
	window_add(&window, 3000);
	ck_assert_uint_eq(window_count(&window, 0), 2);
	ck_assert_uint_eq(window_count(&window, UINT64_MAX), 0);
}
END_TEST

START_TEST(test_the_span_begins_with_the_first_that_is_counted)
{
	struct window window = {0};

	ck_assert_uint_eq(window_span_ms(&window, 5000), 0);
	window_add(&window, 100500);
	ck_assert_uint_eq(window_span_ms(&window, 100500), 501);
	window_add(&window, 103000);
	ck_assert_uint_eq(window_span_ms(&window, 103200), 3201);
	ck_assert_uint_eq(window_span_ms(&window, 110200), 7201);
	ck_assert_uint_eq(window_span_ms(&window, 120000), 0);
}
END_TEST

SUITE_MAIN("base/window", test_a_count_lasts_ten_seconds, test_a_long_rest_forgets_all,
	   test_a_clock_that_goes_back_counts_for_now,
	   test_the_span_begins_with_the_first_that_is_counted)
