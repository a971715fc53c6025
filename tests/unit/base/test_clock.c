/* base/clock.c: one reading a turn, the suspend rule. */
#include "base/clock.h"
#include "suite.h"

#include <time.h>

static const uint64_t second_us = 1000000;

/* A clock that has seen the machine `ahead_us` ahead, at 100 s of running. */
static struct clock clock_at_start(uint64_t ahead_us)
{
	struct clock clock;

	clock_init(&clock);
	clock.ahead_us = UINT64_MAX;
	clock_observe(&clock, 100 * second_us, 100 * second_us + ahead_us);
	ck_assert(!clock.suspended);
	return clock;
}

START_TEST(test_time_is_read_once_a_turn)
{
	struct clock clock;
	uint64_t first_us;

	clock_init(&clock);
	clock_refresh(&clock);
	first_us = clock.now_us;
	ck_assert_uint_gt(first_us, 0);
	ck_assert_uint_eq(clock.now_ms, first_us / 1000);
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	clock_refresh(&clock);
	ck_assert_uint_eq(clock.now_us, first_us);
	clock_end_turn(&clock);
	clock_refresh(&clock);
	ck_assert_uint_gt(clock.now_us, first_us);
}
END_TEST

START_TEST(test_a_frozen_clock_stands_still)
{
	struct clock clock;

	clock_init(&clock);
	clock_set_ms(&clock, 5000);
	clock_refresh(&clock);
	clock_end_turn(&clock);
	clock_refresh(&clock);
	ck_assert_uint_eq(clock.now_ms, 5000);
	ck_assert_uint_eq(clock.now_us, 5000000);
	clock_set_ms(&clock, 6000);
	ck_assert_uint_eq(clock.now_ms, 6000);
}
END_TEST

START_TEST(test_sleep_before_the_start_is_no_suspend)
{
	struct clock clock;

	clock_init(&clock);
	ck_assert(!clock.suspended);
	clock = clock_at_start(3600 * second_us);
	ck_assert_uint_eq(clock.ahead_us, 3600 * second_us);
}
END_TEST

START_TEST(test_suspend_is_seen_and_counts_as_time)
{
	struct clock clock = clock_at_start(0);

	clock_observe(&clock, 101 * second_us, 160 * second_us);
	ck_assert(clock.suspended);
	ck_assert_uint_eq(clock.now_ms, 160000);
	/* Cleared by its handler, it is not raised again for the same sleep. */
	clock.suspended = false;
	clock_observe(&clock, 102 * second_us, 161 * second_us);
	ck_assert(!clock.suspended);
	clock_observe(&clock, 103 * second_us, 165 * second_us);
	ck_assert(clock.suspended);
}
END_TEST

START_TEST(test_two_seconds_are_no_suspend)
{
	struct clock clock = clock_at_start(10 * second_us);

	clock_observe(&clock, 101 * second_us, 113 * second_us);
	ck_assert(!clock.suspended);
	clock_observe(&clock, 101 * second_us, 113 * second_us + 1);
	ck_assert(clock.suspended);
}
END_TEST

START_TEST(test_short_sleeps_add_up)
{
	struct clock clock = clock_at_start(0);

	clock_observe(&clock, 101 * second_us, 102 * second_us + second_us / 2);
	ck_assert(!clock.suspended);
	clock_observe(&clock, 102 * second_us, 105 * second_us);
	ck_assert(clock.suspended);
}
END_TEST

START_TEST(test_being_preempted_between_the_clocks_is_forgotten)
{
	/* At the start the second reading came 1.5 s late: the lead was not real. */
	struct clock clock = clock_at_start(second_us * 3 / 2);

	clock_observe(&clock, 110 * second_us, 110 * second_us);
	ck_assert_uint_eq(clock.ahead_us, 0);
	/* So 3 s of sleep are seen as such. */
	clock_observe(&clock, 111 * second_us, 114 * second_us);
	ck_assert(clock.suspended);
}
END_TEST

START_TEST(test_a_boottime_behind_is_no_lead)
{
	struct clock clock = clock_at_start(0);

	clock_observe(&clock, 101 * second_us, 101 * second_us - 1);
	ck_assert(!clock.suspended);
	ck_assert_uint_eq(clock.ahead_us, 0);
}
END_TEST

SUITE_MAIN("base/clock", test_time_is_read_once_a_turn, test_a_frozen_clock_stands_still,
	   test_sleep_before_the_start_is_no_suspend, test_suspend_is_seen_and_counts_as_time,
	   test_two_seconds_are_no_suspend, test_short_sleeps_add_up,
	   test_being_preempted_between_the_clocks_is_forgotten, test_a_boottime_behind_is_no_lead)
