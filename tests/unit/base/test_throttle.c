/* base/throttle.c: ten within ten seconds. */
#include "base/throttle.h"
#include "suite.h"

START_TEST(test_ten_go_through_and_the_rest_counts)
{
	struct throttle throttle = {0};

	for (unsigned i = 0; i < THROTTLE_MOST; i++) {
		ck_assert(throttle_lets(&throttle, 5000 + i));
	}
	ck_assert(!throttle_lets(&throttle, 6000));
	ck_assert(!throttle_lets(&throttle, 14999));
	ck_assert_uint_eq(throttle.held, 2);
	ck_assert(throttle_lets(&throttle, 15000));
	ck_assert_uint_eq(throttle.held, 2);
}
END_TEST

START_TEST(test_what_has_to_go_through_takes_room)
{
	struct throttle throttle = {0};

	for (unsigned i = 0; i < THROTTLE_MOST; i++) {
		throttle_let(&throttle, 5000);
	}
	ck_assert(!throttle_lets(&throttle, 5000));
	throttle_let(&throttle, 5000);
	ck_assert_uint_eq(throttle.held, 1);
}
END_TEST

SUITE_MAIN("base/throttle", test_ten_go_through_and_the_rest_counts,
	   test_what_has_to_go_through_takes_room)
