/* pool/warmer.c: demand and spares, back-off, breaker, slow start. */
#include "pool/warmer.h"
#include "suite.h"

static const struct warmer_view quiet = {
	.size = 25, .min_idle = 4, .max_connecting = 4, .stall_ms = UINT64_MAX};

START_TEST(test_spares_are_opened_a_few_at_a_time)
{
	struct warmer warmer = {0};
	struct warmer_view view = quiet;

	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 4);
	view.connecting = 3;
	view.bound = 3;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 1);
	view.connecting = 0;
	view.idle = 4;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 0);
}
END_TEST

START_TEST(test_a_request_opens_at_most_one_for_itself)
{
	struct warmer warmer = {0};
	struct warmer_view view = {.size = 25, .max_connecting = 10, .waiting = 3};

	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 3);
	view.connecting = 3;
	view.bound = 3;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 0);
}
END_TEST

START_TEST(test_the_bound_is_never_passed)
{
	struct warmer warmer = {0};
	struct warmer_view view = {
		.size = 5, .min_idle = 4, .max_connecting = 10, .bound = 4, .waiting = 100};

	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 1);
	view.bound = 5;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 0);
	view.bound = 7; /* the size was made smaller */
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 0);
}
END_TEST

START_TEST(test_back_off_is_jittered_and_bounded)
{
	static const uint64_t draws[] = {0, 511, 1023, 4711};
	struct warmer_view waiting = quiet;

	waiting.waiting = 1;
	for (size_t i = 0; i < 4; i++) {
		struct warmer warmer = {0};
		uint64_t longest_ms = 250;

		for (unsigned n = 0; n < 12; n++) {
			/* All at one time, so that the breaker stays shut. */
			warmer_failed(&warmer, 1000, draws[i]);
			ck_assert_uint_le(warmer_wake_ms(&warmer, &quiet), 1000 + longest_ms);
			ck_assert_uint_le(warmer_wake_ms(&warmer, &waiting), 1000 + 500);
			ck_assert_uint_eq(
				warmer_wanted(&warmer, &quiet, warmer_wake_ms(&warmer, &quiet)), 1);
			if (warmer_wake_ms(&warmer, &quiet) > 1000) {
				ck_assert_uint_eq(
					warmer_wanted(&warmer, &quiet,
						      warmer_wake_ms(&warmer, &quiet) - 1),
					0);
			}
			longest_ms = longest_ms * 2 < 15000 ? longest_ms * 2 : 15000;
		}
	}
}
END_TEST

START_TEST(test_the_breaker_opens_after_five_failures_over_two_seconds)
{
	struct warmer warmer = {0};

	for (unsigned n = 0; n < 10; n++) {
		warmer_failed(&warmer, 1000 + n * 100, 0);
		ck_assert(!warmer_is_open(&warmer)); /* many, but within a second */
	}
	warmer_failed(&warmer, 3000, 0);
	ck_assert(warmer_is_open(&warmer));
	warmer_succeeded(&warmer);
	ck_assert(!warmer_is_open(&warmer));
	warmer_failed(&warmer, 5000, 0);
	warmer_failed(&warmer, 9000, 0);
	ck_assert(!warmer_is_open(&warmer)); /* long, but two */
}
END_TEST

START_TEST(test_an_open_breaker_probes_one_at_a_time_each_second)
{
	struct warmer warmer = {0};
	struct warmer_view view = quiet;

	for (unsigned n = 0; n < 20; n++) {
		warmer_failed(&warmer, n * 1000, 1023);
	}
	ck_assert(warmer_is_open(&warmer));
	ck_assert_uint_le(warmer_wake_ms(&warmer, &view), 19000 + 1000);
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 20000), 1);
	view.connecting = 1;
	view.bound = 1;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 30000), 0);
}
END_TEST

START_TEST(test_recovery_starts_slowly)
{
	static const uint64_t at_a_time[] = {1, 2, 4, 8, 10, 10};
	struct warmer warmer = {0};
	struct warmer_view view = {.size = 100, .max_connecting = 10, .waiting = 100};

	warmer_failed(&warmer, 0, 0);
	for (size_t i = 0; i < 6; i++) {
		warmer_succeeded(&warmer);
		ck_assert_uint_eq(warmer_wanted(&warmer, &view, 10000), at_a_time[i]);
	}
}
END_TEST

START_TEST(test_an_attempt_is_made_when_the_breaker_may_open)
{
	struct warmer warmer = {0};
	struct warmer_view view = quiet;

	view.waiting = 1;
	for (unsigned n = 0; n < 8; n++) {
		warmer_failed(&warmer, 1000 + n * 240, 1023);
	}
	/* The back-off alone would end at 3180. */
	ck_assert(!warmer_is_open(&warmer));
	ck_assert_uint_eq(warmer_wake_ms(&warmer, &view), 3000);
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 2999), 0);
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 3000), 1);
	warmer_failed(&warmer, 3000, 1023);
	ck_assert(warmer_is_open(&warmer));
}
END_TEST

START_TEST(test_others_are_opened_beside_a_stalled_one)
{
	struct warmer warmer = {0};
	struct warmer_view view = {.size = 25, .max_connecting = 4, .waiting = 1, .bound = 1};

	view.connecting = 1;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 0);
	view.connecting = 0;
	view.stalled = 1;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 1);
	ck_assert(!warmer_gives_up(&warmer, &view, 0)); /* there are places left */
	/* Without demand a slow connect is waited for. */
	view.waiting = 0;
	view.min_idle = 1;
	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 0);
}
END_TEST

START_TEST(test_a_stalled_one_gives_its_place_up_when_all_are_taken)
{
	struct warmer warmer = {0};
	struct warmer_view view = {
		.size = 25, .max_connecting = 4, .waiting = 9, .bound = 4, .stalled = 4};

	ck_assert_uint_eq(warmer_wanted(&warmer, &view, 0), 0);
	ck_assert(warmer_gives_up(&warmer, &view, 0));
	/* Not while a fresh one is on its way after failures, not within a back-off, not without demand. */
	warmer_failed(&warmer, 1000, 1023);
	ck_assert(!warmer_gives_up(&warmer, &view, 1100));
	ck_assert(warmer_gives_up(&warmer, &view, 2000));
	view.stalled = 3;
	view.connecting = 1;
	ck_assert(!warmer_gives_up(&warmer, &view, 2000));
	view.connecting = 0;
	view.stalled = 4;
	view.waiting = 0;
	ck_assert(!warmer_gives_up(&warmer, &view, 2000));
}
END_TEST

START_TEST(test_it_does_not_wake_for_what_cannot_be_done)
{
	struct warmer warmer = {0};
	struct warmer_view view = quiet;

	warmer_failed(&warmer, 1000, 0);
	view.bound = 4;
	view.stalled = 4; /* every place of max_connecting, and nobody waits */
	ck_assert_uint_eq(warmer_wake_ms(&warmer, &view), UINT64_MAX);
	view.stalled = 1;
	view.bound = 25; /* no room */
	ck_assert_uint_eq(warmer_wake_ms(&warmer, &view), UINT64_MAX);
	view.bound = 1;
	ck_assert_uint_lt(warmer_wake_ms(&warmer, &view), UINT64_MAX);
}
END_TEST

START_TEST(test_a_slow_line_is_given_more_time_each_time)
{
	static const uint64_t stalls_ms[] = {1000, 2000, 4000, 8000};
	struct warmer warmer = {0};

	for (size_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(warmer_stall_ms(&warmer, 100), stalls_ms[i]);
		warmer_gave_up(&warmer);
	}
	warmer_succeeded(&warmer);
	ck_assert_uint_eq(warmer_stall_ms(&warmer, 100), 1000);
	/* What is usual there does not stall. */
	ck_assert_uint_eq(warmer_stall_ms(&warmer, 1300), 2600);
}
END_TEST

SUITE_MAIN("pool/warmer", test_spares_are_opened_a_few_at_a_time,
	   test_a_request_opens_at_most_one_for_itself, test_the_bound_is_never_passed,
	   test_back_off_is_jittered_and_bounded,
	   test_the_breaker_opens_after_five_failures_over_two_seconds,
	   test_an_open_breaker_probes_one_at_a_time_each_second, test_recovery_starts_slowly,
	   test_an_attempt_is_made_when_the_breaker_may_open,
	   test_others_are_opened_beside_a_stalled_one,
	   test_a_stalled_one_gives_its_place_up_when_all_are_taken,
	   test_it_does_not_wake_for_what_cannot_be_done,
	   test_a_slow_line_is_given_more_time_each_time)
