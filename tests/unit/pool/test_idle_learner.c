/* pool/idle_learner.c: what the server's idle timeout is learned from, and what not. */
#include "pool/idle_learner.h"
#include "suite.h"

enum { ROUND_TRIP_MS = 40 };

static struct idle_learner learner;
static uint64_t now_ms;

static void begin(void)
{
	learner = (struct idle_learner){0};
	now_ms = 1000000;
}

static void pass(uint64_t ms)
{
	now_ms += ms;
	idle_learner_judge(&learner, now_ms, ROUND_TRIP_MS);
}

/* Closed now; differing ages and requests keep all but the idle age apart. */
static void close_at(uint64_t idle_ms)
{
	static uint64_t serial = 1;
	const struct idle_close close = {
		.at_ms = now_ms,
		.idle_ms = idle_ms,
		.age_ms = idle_ms + serial * 10000000,
		.requests = serial + 1,
	};

	serial++;
	idle_learner_close(&learner, &close);
}

/* One close, judged before the next. */
static void close_alone(uint64_t idle_ms)
{
	close_at(idle_ms);
	pass(5000);
}

START_TEST(test_fifty_seconds_are_assumed)
{
	begin();
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	ck_assert_str_eq(idle_source_name(idle_learner_source(&learner)), "assumed");
	ck_assert_uint_eq(idle_learner_judge_ms(&learner), UINT64_MAX);
}
END_TEST

START_TEST(test_a_hint_less_its_margin)
{
	static const struct {
		uint64_t seconds;
		uint64_t safe_ms;
	} rows[] = {{60, 58000}, {5, 3000}, {4, 2000}, {3, 2000}, {2, 2000}, {1, 2000}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		idle_learner_hint(&learner, rows[i].seconds, now_ms);
		ck_assert_uint_eq(idle_learner_safe_ms(&learner), rows[i].safe_ms);
		ck_assert_int_eq(idle_learner_source(&learner), IDLE_HINT);
	}
}
END_TEST

START_TEST(test_a_hint_falls_at_once_and_rises_slowly)
{
	uint64_t before_ms;

	begin();
	idle_learner_hint(&learner, 60, now_ms);
	idle_learner_hint(&learner, 10, now_ms);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 8000);
	/* Servers behind one name may differ: the lower one holds while it is seen. */
	now_ms += 9999;
	idle_learner_hint(&learner, 60, now_ms);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 8000);
	now_ms += 1;
	idle_learner_hint(&learner, 60, now_ms);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 8000 + 50000 / 8);
	for (unsigned i = 0; i < 200; i++) {
		before_ms = idle_learner_safe_ms(&learner);
		idle_learner_hint(&learner, 60, now_ms);
		ck_assert_uint_ge(idle_learner_safe_ms(&learner), before_ms);
	}
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 58000);
}
END_TEST

START_TEST(test_a_hint_is_forgotten_when_none_comes_any_more)
{
	begin();
	idle_learner_hint(&learner, 1, now_ms); /* of an error page, say */
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 2000);
	for (unsigned i = 0; i < 15; i++) {
		idle_learner_hint(&learner, 0, now_ms);
	}
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 2000);
	idle_learner_hint(&learner, 0, now_ms);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
}
END_TEST

START_TEST(test_a_close_too_soon_confirms_nothing)
{
	begin();
	close_alone(900);
	close_alone(1200);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
}
END_TEST

START_TEST(test_two_closes_that_agree_make_it_fall_at_once)
{
	begin();
	close_alone(10000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	close_alone(10300);
	/* The lower of them, less a round trip and a second. */
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 10000 - ROUND_TRIP_MS - 1000);
	ck_assert_int_eq(idle_learner_source(&learner), IDLE_OBSERVED);
	ck_assert_uint_eq(learner.observations, 2);
}
END_TEST

START_TEST(test_closes_that_do_not_agree_change_nothing)
{
	begin();
	close_alone(10000);
	close_alone(20000);
	close_alone(30000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	ck_assert_int_eq(idle_learner_source(&learner), IDLE_ASSUMED);
}
END_TEST

START_TEST(test_a_close_is_judged_a_second_later)
{
	begin();
	close_alone(10000);
	close_at(10000);
	ck_assert_uint_eq(idle_learner_judge_ms(&learner), now_ms + 1001);
	pass(1000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	pass(1);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 8960);
	ck_assert_uint_eq(idle_learner_judge_ms(&learner), UINT64_MAX);
}
END_TEST

START_TEST(test_it_rises_slowly_and_arrives)
{
	uint64_t safe_ms = 50000;

	begin();
	close_alone(75000);
	close_alone(75000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000 + (73960 - 50000) / 4);
	for (unsigned i = 0; i < 60; i++) {
		close_alone(75000);
		ck_assert_uint_ge(idle_learner_safe_ms(&learner), safe_ms);
		safe_ms = idle_learner_safe_ms(&learner);
	}
	ck_assert_uint_eq(safe_ms, 73960);
}
END_TEST

START_TEST(test_it_rises_to_a_low_quantile_only)
{
	begin();
	for (unsigned i = 0; i < 4; i++) {
		close_alone(60000);
	}
	for (unsigned i = 0; i < 12; i++) {
		close_alone(90000);
	}
	/* The tenth percentile of 4 low and 12 high ages is low. */
	ck_assert_uint_le(idle_learner_safe_ms(&learner), 60000);
	for (unsigned i = 0; i < 40; i++) {
		close_alone(90000);
	}
	ck_assert_uint_gt(idle_learner_safe_ms(&learner), 80000);
}
END_TEST

START_TEST(test_it_follows_a_server_that_closes_earlier_now)
{
	begin();
	for (unsigned i = 0; i < 16; i++) {
		close_alone(75000);
	}
	close_alone(20000);
	ck_assert_uint_gt(idle_learner_safe_ms(&learner), 50000);
	close_alone(20000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 18960);
}
END_TEST

START_TEST(test_it_is_never_under_two_seconds)
{
	begin();
	close_alone(1500);
	close_alone(1500);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 2000);
}
END_TEST

START_TEST(test_the_lower_of_hint_and_closes_holds)
{
	begin();
	idle_learner_hint(&learner, 60, now_ms);
	close_alone(30000);
	close_alone(30000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 28960);
	ck_assert_int_eq(idle_learner_source(&learner), IDLE_OBSERVED);
	idle_learner_hint(&learner, 20, now_ms);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 18000);
	ck_assert_int_eq(idle_learner_source(&learner), IDLE_HINT);
}
END_TEST

START_TEST(test_a_restart_teaches_nothing)
{
	begin();
	for (unsigned i = 0; i < 3; i++) {
		/* Twice the same pattern, as of steady traffic: within a second, at ages that differ. */
		close_at(3000);
		now_ms += 300;
		close_at(9000);
		now_ms += 300;
		close_at(20000);
		pass(60000);
	}
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	ck_assert_uint_eq(learner.observations, 0);
}
END_TEST

START_TEST(test_closes_of_one_moment_are_one_witness)
{
	begin();
	/* Spares opened together: a restart closes them at one age too. */
	for (unsigned i = 0; i < 4; i++) {
		close_at(20000);
	}
	pass(5000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	pass(15000);
	for (unsigned i = 0; i < 4; i++) {
		close_at(20000);
	}
	pass(5000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 18960);
}
END_TEST

static void close_with(uint64_t idle_ms, uint64_t age_ms, uint64_t requests)
{
	const struct idle_close close = {
		.at_ms = now_ms, .idle_ms = idle_ms, .age_ms = age_ms, .requests = requests};

	idle_learner_close(&learner, &close);
	pass(5000);
}

START_TEST(test_a_bound_on_the_age_teaches_nothing)
{
	static const uint64_t idle_ms[] = {3000, 9000, 14000, 9300, 21000, 3100, 14200, 27000};

	begin();
	for (size_t i = 0; i < 8; i++) {
		close_with(idle_ms[i], 60000 + i * 10, 3 + i);
	}
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
}
END_TEST

START_TEST(test_a_bound_on_the_requests_teaches_nothing)
{
	static const uint64_t idle_ms[] = {3000, 9000, 14000, 9300, 21000, 3100, 14200, 27000};

	begin();
	for (size_t i = 0; i < 8; i++) {
		close_with(idle_ms[i], 60000 << i, 100);
	}
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	begin();
	/* As most servers do it: right after the last response. */
	for (size_t i = 0; i < 8; i++) {
		close_with(41, 60000 << i, 100);
	}
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 50000);
	ck_assert_uint_eq(learner.observations, 0);
}
END_TEST

START_TEST(test_a_number_in_the_configuration_switches_it_off)
{
	begin();
	idle_learner_configure(&learner, 30000);
	idle_learner_hint(&learner, 5, now_ms);
	close_alone(10000);
	close_alone(10000);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 30000);
	ck_assert_int_eq(idle_learner_source(&learner), IDLE_CONFIGURED);
	idle_learner_configure(&learner, 0);
	ck_assert_uint_eq(idle_learner_safe_ms(&learner), 3000);
}
END_TEST

SUITE_MAIN("pool/idle_learner", test_fifty_seconds_are_assumed, test_a_hint_less_its_margin,
	   test_a_hint_falls_at_once_and_rises_slowly,
	   test_a_hint_is_forgotten_when_none_comes_any_more,
	   test_a_close_too_soon_confirms_nothing, test_two_closes_that_agree_make_it_fall_at_once,
	   test_closes_that_do_not_agree_change_nothing, test_a_close_is_judged_a_second_later,
	   test_it_rises_slowly_and_arrives, test_it_rises_to_a_low_quantile_only,
	   test_it_follows_a_server_that_closes_earlier_now, test_it_is_never_under_two_seconds,
	   test_the_lower_of_hint_and_closes_holds, test_a_restart_teaches_nothing,
	   test_closes_of_one_moment_are_one_witness, test_a_bound_on_the_age_teaches_nothing,
	   test_a_bound_on_the_requests_teaches_nothing,
	   test_a_number_in_the_configuration_switches_it_off)
