/* admin/advice_words.c: what is said, and that nothing else is. */
#include "admin/advice.h"
#include "base/macros.h"
#include "suite.h"

#include <string.h>

static struct advice_words words;

/* A pool of 25 that is right and of which nothing else is to be said. */
static struct advice plain(void)
{
	return (struct advice){
		.verdict = ADVICE_RIGHT,
		.observed_us = 1500000000,
		.asked = 60000,
		.settings = {.size = 25,
			     .min_idle = 4,
			     .conn_bytes = ADVICE_CONN_BYTES,
			     .other_descriptors = 1064,
			     .descriptor_limit = 4096},
		.model = {.rate = 100, .lease_s = 0.1, .offered = 10, .measured = 0.0034},
		.used = 0.4,
		.predicted = 0.004,
		.needed = 19,
		.size = 25,
		.min_idle = 18,
		.callers = 40,
		.seed_low = 44,
		.seed_high = 48,
	};
}

static bool says(const struct advice *advice, const char *text)
{
	advice_words(advice, &words);
	for (size_t i = 0; i < words.count; i++) {
		ck_assert_uint_lt(strlen(words.lines[i]), ADVICE_LINE_BYTES - 1);
		if (strstr(words.lines[i], text) != NULL) {
			return true;
		}
	}
	return false;
}

START_TEST(test_a_right_pool)
{
	struct advice advice = plain();

	ck_assert(says(&advice, "Your pool of 25 is right: 0.34 % of the requests waited"));
	ck_assert(says(
		&advice,
		"In the busiest 5 of the last 25 minutes 100 requests came each second and "
		"held a connection for 100 ms: 10.0 connections were busy on average, 40 % of"));
	ck_assert(says(&advice, "measured 0.34 %, expected by the model 0.40 %"));
	ck_assert(says(&advice, "+10 to 20 %) gives 44 to 48 for the 40 callers"));
	ck_assert(says(&advice, "25 open connections take 0.75 MB and 25 file descriptors."));
	ck_assert_uint_eq(words.count, 5);
}
END_TEST

START_TEST(test_a_pool_too_large)
{
	struct advice advice = plain();

	advice.verdict = ADVICE_TOO_LARGE;
	advice.size = 12;
	advice.model.measured = 0;
	ck_assert(says(&advice, "Your pool of 25 is too large: none of the requests waited"));
	ck_assert(says(&advice, "with pool.size: 12 still no more than 1 % would."));
	ck_assert(says(&advice, "0.75 MB and 25 file descriptors, 12 take 0.36 MB and 12."));
	ck_assert(!says(&advice, "right"));
	ck_assert(!says(&advice, "Those that waited"));
}
END_TEST

START_TEST(test_a_pool_too_small)
{
	struct advice advice = plain();

	advice.verdict = ADVICE_TOO_SMALL;
	advice.size = 40;
	advice.model.measured = 0.34;
	ck_assert(
		says(&advice,
		     "Your pool of 25 is too small: 34 % of the requests waited for a connection; "
		     "with pool.size: 40 no more than 1 % would."));
	ck_assert(!says(&advice, "look again"));
	advice.wait_s = 0.048;
	ck_assert(says(&advice, "Those that waited did so for 48 ms on average."));
	advice.size = 50;
	advice.needed = 200;
	advice.is_step = true;
	ck_assert(says(&advice, "set pool.size: 50 and look again in 10 minutes"));
	ck_assert(says(&advice, "It may take up to 200"));
}
END_TEST

START_TEST(test_a_refusal_says_what_is_missing_and_nothing_else)
{
	struct advice advice = {
		.verdict = ADVICE_SHORT_TIME, .observed_us = 420000000, .asked = 412};

	ck_assert(says(
		&advice,
		"No advice yet: 412 requests in 7 minutes were seen. It takes 1000 requests and 10 minutes"));
	ck_assert_uint_eq(words.count, 1);
	advice.verdict = ADVICE_FEW_REQUESTS;
	ck_assert(says(&advice, "No advice yet"));
	ck_assert_uint_eq(words.count, 1);
	advice.verdict = ADVICE_NO_ANSWER;
	ck_assert(says(&advice, "none came to an end"));
	ck_assert_uint_eq(words.count, 1);
}
END_TEST

START_TEST(test_disagreement_is_said)
{
	struct advice advice = plain();

	ck_assert(!says(&advice, "disagree"));
	advice.fit = ADVICE_WAITS_MORE;
	advice.model.measured = 0.875;
	advice.predicted = 0.00001;
	ck_assert(says(&advice,
		       "disagree by more than a factor of 2: 88 % waited, <0.01 % should have"));
	ck_assert(!says(&advice, "many at once"));
	advice.model.kind = LOAD_BURSTY;
	advice.model.found = 99.5;
	advice.model.demand = 4;
	ck_assert(says(&advice, "many at once: each finds 100 others on average, where 4.0 are"));
	advice = plain();
	advice.fit = ADVICE_WAITS_LESS;
	ck_assert(says(&advice, "disagree by more than a factor of 2: only 0.34 % waited"));
}
END_TEST

START_TEST(test_slower_and_busier_are_said_apart)
{
	struct advice advice = plain();

	advice.lease_factor = 2.1;
	advice.arrivals_factor = 1.8;
	ck_assert(!says(&advice, "became"));
	advice.lease = ADVICE_UP;
	ck_assert(says(
		&advice,
		"The API became slower: in the last 5 minutes a request held its connection 2.1 times"));
	ck_assert(!says(&advice, "busier"));
	advice.lease = ADVICE_STEADY;
	advice.arrivals = ADVICE_UP;
	ck_assert(says(&advice, "You became busier: in the last 5 minutes 1.8 times"));
	ck_assert(!says(&advice, "slower"));
	advice.arrivals = ADVICE_DOWN;
	ck_assert(says(&advice, "You became less busy"));
	advice.lease = ADVICE_DOWN;
	ck_assert(says(&advice, "The API became faster"));
}
END_TEST

START_TEST(test_what_pool_size_does_not_help)
{
	struct advice advice = plain();

	ck_assert(!says(&advice, "min_idle"));
	advice.opening_s = 0.16;
	ck_assert(says(
		&advice,
		"Opening a connection takes 160 ms, in which up to 18 more can be needed after "
		"a rest: pool.min_idle: 18 covers that; the present 4 were enough so far."));
	advice.opening = 0.05;
	ck_assert(says(&advice, "5.0 % of the requests waited while a connection was opened"));
	ck_assert(says(&advice, "the present 4 are too few"));
	advice.held = 0.2;
	ck_assert(says(&advice, "20 % of the requests waited for a bound of their own"));
	advice.model.kind = LOAD_CLOSED;
	advice.model.sources = 200;
	ck_assert(says(&advice, "about 200 callers that wait for each answer"));
}
END_TEST

START_TEST(test_descriptors_that_are_not_there)
{
	struct advice advice = plain();

	ck_assert(!says(&advice, "LimitNOFILE"));
	advice.size = 4000;
	ck_assert(says(&advice,
		       "pool.size: 4000 needs 5064 file descriptors in all, but 4096 are allowed"));
	advice.settings.descriptor_limit = 0;
	ck_assert(!says(&advice, "LimitNOFILE"));
}
END_TEST

START_TEST(test_all_at_once_fits)
{
	struct advice advice = plain();

	advice.verdict = ADVICE_TOO_SMALL;
	advice.size = 10000;
	advice.needed = ADVICE_SIZE_MOST + 1;
	advice.is_step = true;
	advice.observed_us = 3600000000;
	advice.model = (struct load_model){.kind = LOAD_BURSTY,
					   .rate = 123456,
					   .lease_s = 1234,
					   .offered = 65535,
					   .demand = 65535,
					   .found = 65535,
					   .measured = 0.99};
	advice.fit = ADVICE_WAITS_MORE;
	advice.opening = advice.held = 0.5;
	advice.opening_s = 5;
	advice.arrivals = advice.lease = ADVICE_UP;
	advice.arrivals_factor = advice.lease_factor = 1e6;
	advice.callers = 1000000;
	advice.seed_low = 1100000;
	advice.seed_high = 1200000;
	ck_assert(says(&advice, "It may take up to 10000"));
	ck_assert(says(&advice, "LimitNOFILE"));
	ck_assert_uint_le(words.count, ADVICE_LINES);
}
END_TEST

SUITE_MAIN("admin/advice_words", test_a_right_pool, test_a_pool_too_large, test_a_pool_too_small,
	   test_a_refusal_says_what_is_missing_and_nothing_else, test_disagreement_is_said,
	   test_slower_and_busier_are_said_apart, test_what_pool_size_does_not_help,
	   test_descriptors_that_are_not_there, test_all_at_once_fits)
