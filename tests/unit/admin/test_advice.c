/* admin/advice.c: the verdict, the size, what changed, and when there is no advice. */
#include "admin/advice.h"
#include "admin/load_sim.h"
#include "base/macros.h"
#include "suite.h"

static const struct sim_time tenth = {0.1, SIM_JITTER};
static const struct sim pollers = {
	.callers = 200, .lease = {0.1, SIM_JITTER}, .pause = {5, SIM_JITTER}, .seconds = 1200};

static struct load load;
static struct load_report report;
static struct advice advice;
static uint64_t now_us;

static void begin(void)
{
	now_us = 5000000;
	load_init(&load, now_us);
}

static void pass(struct sim sim)
{
	sim_run(&sim, &load, &now_us);
}

static void judge(uint64_t size)
{
	const struct advice_settings settings = {
		.size = size,
		.min_idle = 4,
		.conn_bytes = ADVICE_CONN_BYTES,
		.other_descriptors = 1064,
		.opening_us = 160000,
	};

	load_read(&load, now_us, &report);
	advice_compute(&report, &settings, &advice);
}

static void simulate(struct sim sim)
{
	begin();
	pass(sim);
	judge(sim.size);
}

static void assert_close(double predicted, double measured)
{
	ck_assert_msg((predicted < 0.005 && measured < 0.005) ||
			      (predicted <= 2 * measured && measured <= 2 * predicted),
		      "predicted %.4f, measured %.4f", predicted, measured);
}

START_TEST(test_loads_and_their_verdicts)
{
	static const struct {
		unsigned size;
		enum advice_verdict verdict;
		uint64_t suggested;
	} rows[] = {{11, ADVICE_TOO_SMALL, 19}, {15, ADVICE_TOO_SMALL, 19},
		    {19, ADVICE_RIGHT, 19},     {25, ADVICE_RIGHT, 25},
		    {40, ADVICE_TOO_LARGE, 19}, {100, ADVICE_TOO_LARGE, 19}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		simulate((struct sim){
			.size = rows[i].size, .rate = 100, .lease = tenth, .seconds = 1200});
		ck_assert_str_eq(advice_verdict_name(advice.verdict),
				 advice_verdict_name(rows[i].verdict));
		ck_assert_uint_ge(advice.size, rows[i].suggested);
		ck_assert_uint_le(advice.size, rows[i].suggested + 1);
		ck_assert(!advice.is_step);
		ck_assert_int_eq(advice.fit, ADVICE_AGREES);
		assert_close(advice.predicted, advice.model.measured);
	}
}
END_TEST

START_TEST(test_pollers_and_their_verdicts)
{
	static const struct {
		unsigned size;
		enum advice_verdict verdict;
	} rows[] = {{2, ADVICE_TOO_SMALL},  {5, ADVICE_TOO_SMALL},  {8, ADVICE_TOO_SMALL},
		    {10, ADVICE_RIGHT},     {12, ADVICE_RIGHT},     {25, ADVICE_TOO_LARGE},
		    {50, ADVICE_TOO_LARGE}, {220, ADVICE_TOO_LARGE}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim sim = pollers;

		sim.size = rows[i].size;
		simulate(sim);
		ck_assert_str_eq(advice_verdict_name(advice.verdict),
				 advice_verdict_name(rows[i].verdict));
		assert_close(advice.predicted, advice.model.measured);
		ck_assert_int_eq(advice.fit, ADVICE_AGREES);
		if (sim.size > 4 && advice.verdict != ADVICE_RIGHT) {
			ck_assert_uint_eq(advice.size, 10);
		}
	}
}
END_TEST

START_TEST(test_steps_lead_from_far_too_small_to_right)
{
	struct sim sim = pollers;
	unsigned looks = 1;

	sim.size = 1;
	for (simulate(sim); advice.verdict == ADVICE_TOO_SMALL; looks++) {
		ck_assert_uint_gt(advice.size, sim.size);
		ck_assert_uint_le(advice.size, UINT64_C(2) * sim.size);
		sim.size = (unsigned)advice.size;
		simulate(sim);
	}
	ck_assert_int_eq(advice.verdict, ADVICE_RIGHT);
	ck_assert_uint_ge(sim.size, 10);
	ck_assert_uint_le(sim.size, 11);
	ck_assert_uint_le(looks, 6);
}
END_TEST

START_TEST(test_callers_that_never_pause)
{
	const struct sim sim = {.size = 25,
				.callers = 200,
				.lease = {1, SIM_JITTER},
				.pause = {0.001, SIM_JITTER},
				.seconds = 1200};

	simulate(sim);
	ck_assert_int_eq(advice.verdict, ADVICE_TOO_SMALL);
	ck_assert_uint_eq(advice.needed, 200);
	/* 200 in the pool, 25 answers a second: 8 s for each, of which it is served for one. */
	ck_assert_double_eq_tol(advice.wait_s, 7, 0.1);
	ck_assert_uint_eq(advice.size, 50);
	ck_assert(advice.is_step);
}
END_TEST

START_TEST(test_bursts_make_no_pool_too_large)
{
	struct sim sim = pollers;

	sim.is_in_step = true;
	sim.size = 25;
	simulate(sim);
	ck_assert_int_eq(advice.verdict, ADVICE_TOO_SMALL);
	ck_assert_int_eq(advice.fit, ADVICE_WAITS_MORE);
	/* 4 connections are busy on average, and yet. */
	sim.size = 200;
	simulate(sim);
	ck_assert_double_lt(advice.used, 0.03);
	ck_assert_int_eq(advice.verdict, ADVICE_RIGHT);
}
END_TEST

START_TEST(test_requests_more_even_than_chance)
{
	/* All times equal: those that met once keep out of each other's way for ever. */
	simulate((struct sim){.size = 8,
			      .callers = 200,
			      .lease = {0.1, SIM_FIXED},
			      .pause = {5, SIM_FIXED},
			      .seconds = 1200});
	ck_assert_int_eq(advice.fit, ADVICE_WAITS_LESS);
	ck_assert_uint_gt(advice.needed, 8);
	ck_assert_int_eq(advice.verdict, ADVICE_RIGHT);
}
END_TEST

START_TEST(test_no_advice_on_too_little)
{
	const struct sim sim = {.size = 10, .rate = 10, .lease = tenth, .seconds = 599};

	simulate(sim);
	ck_assert_int_eq(advice.verdict, ADVICE_SHORT_TIME);
	ck_assert_uint_eq(advice.row_count, 0);
	now_us += 1000000;
	judge(10);
	ck_assert_int_ge(advice.verdict, ADVICE_TOO_SMALL);
	simulate((struct sim){.size = 10, .rate = 0.9, .lease = tenth, .seconds = 1000});
	ck_assert_int_eq(advice.verdict, ADVICE_FEW_REQUESTS);
	/* Of long ago they do not count. */
	simulate(sim);
	now_us += UINT64_C(3000) * 1000000;
	judge(10);
	ck_assert_int_ge(advice.verdict, ADVICE_TOO_SMALL);
	now_us += UINT64_C(1000) * 1000000;
	judge(10);
	ck_assert_int_eq(advice.verdict, ADVICE_FEW_REQUESTS);
}
END_TEST

START_TEST(test_no_advice_without_an_answer)
{
	const struct load_ask ask = {.found = 0, .size = 10};

	begin();
	for (unsigned i = 0; i < 2000; i++) {
		load_ask(&load, now_us, &ask);
		now_us += 500000;
	}
	judge(10);
	ck_assert_int_eq(advice.verdict, ADVICE_NO_ANSWER);
	ck_assert_uint_eq(advice.row_count, 0);
}
END_TEST

START_TEST(test_the_busiest_five_minutes_are_judged)
{
	struct sim sim = {.size = 12, .rate = 5, .lease = tenth, .seconds = 1200};

	begin();
	pass(sim);
	sim.rate = 100;
	sim.seconds = 300;
	pass(sim);
	sim.rate = 5;
	sim.seconds = 1200;
	pass(sim);
	judge(12);
	ck_assert_int_eq(advice.verdict, ADVICE_TOO_SMALL);
	ck_assert_double_eq_tol(advice.model.offered, 10, 0.6);
	/* Until an hour has passed. */
	now_us += UINT64_C(1700) * 1000000;
	judge(12);
	ck_assert_int_eq(advice.verdict, ADVICE_TOO_SMALL);
	pass(sim);
	judge(12);
	ck_assert_int_eq(advice.verdict, ADVICE_TOO_LARGE);
}
END_TEST

START_TEST(test_a_slower_api_and_a_busier_you_are_told_apart)
{
	static const struct {
		double rate;
		double lease_s;
		enum advice_trend arrivals;
		enum advice_trend lease;
	} rows[] = {
		{50, 0.1, ADVICE_STEADY, ADVICE_STEADY}, {50, 0.2, ADVICE_STEADY, ADVICE_UP},
		{100, 0.1, ADVICE_UP, ADVICE_STEADY},    {100, 0.2, ADVICE_UP, ADVICE_UP},
		{25, 0.05, ADVICE_DOWN, ADVICE_DOWN},    {60, 0.12, ADVICE_STEADY, ADVICE_STEADY}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim sim = {.size = 30, .rate = 50, .lease = tenth, .seconds = 1200};

		begin();
		pass(sim);
		sim.rate = rows[i].rate;
		sim.lease.mean_s = rows[i].lease_s;
		sim.seconds = 300;
		pass(sim);
		judge(30);
		ck_assert_int_eq(advice.arrivals, rows[i].arrivals);
		ck_assert_int_eq(advice.lease, rows[i].lease);
		ck_assert_double_eq_tol(advice.arrivals_factor, rows[i].rate / 50, 0.1);
		ck_assert_double_eq_tol(advice.lease_factor, rows[i].lease_s / 0.1, 0.05);
	}
}
END_TEST

/* So many polls of 100 ms and solves of 10 s. */
static void serve(unsigned polls, unsigned solves)
{
	const struct load_ask ask = {.found = 1, .size = 25, .is_lent = true};

	now_us += UINT64_C(150000000);
	for (unsigned i = 0; i < polls + solves; i++) {
		load_ask(&load, now_us, &ask);
		load_lease_over(&load, now_us, i < polls ? QUEUE_POLL : QUEUE_SOLVE,
				i < polls ? 100000 : 10000000);
	}
	now_us += UINT64_C(150000000);
}

START_TEST(test_more_long_requests_are_no_slower_api)
{
	begin();
	for (unsigned i = 0; i < 4; i++) {
		serve(3000, 150);
	}
	serve(3000, 600);
	judge(25);
	ck_assert_int_eq(advice.lease, ADVICE_STEADY);
	ck_assert_double_eq_tol(advice.lease_factor, 1, 1e-9);
}
END_TEST

START_TEST(test_nothing_at_all_of_late_is_less_busy)
{
	simulate((struct sim){.size = 30, .rate = 50, .lease = tenth, .seconds = 1200});
	now_us += UINT64_C(400) * 1000000;
	judge(30);
	ck_assert_int_eq(advice.arrivals, ADVICE_DOWN);
	ck_assert_int_eq(advice.lease, ADVICE_STEADY);
}
END_TEST

START_TEST(test_spares_for_the_time_that_an_opening_takes)
{
	static const struct {
		double lease_s;
		uint64_t opening_us;
		uint64_t
			spares; /* the bound of a Poisson variable with the mean of what comes meanwhile */
	} rows[] = {{1, 160000, 4}, {1, 350000, 8}, {1, 2000000, 18}, {1, 0, 1}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		pass((struct sim){.size = 25,
				  .rate = 10,
				  .lease = {rows[i].lease_s, SIM_FIXED},
				  .seconds = 1200});
		load_opened(&load, now_us, rows[i].opening_us);
		judge(25);
		ck_assert_uint_ge(advice.min_idle + 1, rows[i].spares);
		ck_assert_uint_le(advice.min_idle, rows[i].spares + 1);
	}
}
END_TEST

START_TEST(test_the_rule_of_thumb_counts_every_caller)
{
	struct sim sim = pollers;

	sim.size = 10;
	sim.clients = 200;
	simulate(sim);
	ck_assert_uint_eq(advice.callers, 200);
	ck_assert_uint_eq(advice.seed_low, 220);
	ck_assert_uint_eq(advice.seed_high, 240);
	ck_assert_int_eq(advice.verdict, ADVICE_RIGHT);
}
END_TEST

static const struct advice_row *row_of(uint64_t size)
{
	for (size_t i = 0; i < advice.row_count; i++) {
		if (advice.rows[i].size == size) {
			return &advice.rows[i];
		}
	}
	ck_abort_msg("no row");
}

START_TEST(test_the_table_goes_to_twice_the_size_and_has_the_named_ones)
{
	static const unsigned sizes[] = {1, 2, 18, 19, 25, 137, 500};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct sim sim = pollers;

		sim.size = sizes[i];
		sim.clients = 3700;
		sim.seconds = 700;
		simulate(sim);
		ck_assert_uint_le(advice.row_count, ADVICE_ROWS);
		ck_assert_uint_eq(advice.rows[0].size, 1);
		for (size_t n = 1; n < advice.row_count; n++) {
			ck_assert_uint_gt(advice.rows[n].size, advice.rows[n - 1].size);
			ck_assert_double_le(advice.rows[n].wait, advice.rows[n - 1].wait);
		}
		ck_assert(row_of(sizes[i])->is_now);
		ck_assert(row_of(advice.size)->is_suggested);
		ck_assert(row_of(advice.seed_low)->is_seed);
		ck_assert(row_of(advice.seed_high)->is_seed);
		(void)row_of(UINT64_C(2) * sizes[i]);
		(void)row_of(advice.needed);
		ck_assert_uint_eq(row_of(sizes[i])->memory_bytes, sizes[i] * 30000ull);
		ck_assert_uint_eq(row_of(sizes[i])->descriptors, sizes[i] + 1064);
	}
}
END_TEST

SUITE_MAIN("admin/advice", test_loads_and_their_verdicts, test_pollers_and_their_verdicts,
	   test_steps_lead_from_far_too_small_to_right, test_callers_that_never_pause,
	   test_bursts_make_no_pool_too_large, test_requests_more_even_than_chance,
	   test_no_advice_on_too_little, test_no_advice_without_an_answer,
	   test_the_busiest_five_minutes_are_judged,
	   test_a_slower_api_and_a_busier_you_are_told_apart,
	   test_more_long_requests_are_no_slower_api, test_nothing_at_all_of_late_is_less_busy,
	   test_spares_for_the_time_that_an_opening_takes,
	   test_the_rule_of_thumb_counts_every_caller,
	   test_the_table_goes_to_twice_the_size_and_has_the_named_ones)
