/* admin/load_model.c: against simulated pools whose callers are known. */
#include "admin/load_model.h"
#include "admin/load_sim.h"
#include "base/macros.h"
#include "suite.h"

enum { MOST = 10000 };

static const double TARGET = 0.01;
static const double FEW = 0.005; /* as good as none: no factor of two tells anything */

static const struct sim_time tenth = {0.1, SIM_JITTER};

static struct load load;
static struct load_report report;

/* The last whole window of two and a bit; the first one settles. */
static const struct load_window *simulate(struct sim sim)
{
	uint64_t now_us = 5000000;

	sim.seconds = 610;
	load_init(&load, now_us);
	sim_run(&sim, &load, &now_us);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.count, 3);
	return &report.windows[1];
}

static struct load_model fit(const struct sim *sim)
{
	return load_model_fit(simulate(*sim), sim->size);
}

static void assert_within_factor_two(double predicted, double measured)
{
	if (predicted < FEW && measured < FEW) {
		return;
	}
	ck_assert_msg(predicted <= 2 * measured && measured <= 2 * predicted,
		      "predicted %.4f, measured %.4f", predicted, measured);
}

static uint64_t size_for_target(const struct load_model *model, const struct sim *sim)
{
	return load_model_size(model, &report.windows[1], TARGET, sim->size, MOST);
}

START_TEST(test_independent_requests_wait_as_erlang_says)
{
	static const struct sim_time leases[] = {
		{0.1, SIM_EXPONENTIAL}, {0.1, SIM_JITTER}, {0.1, SIM_FIXED}};
	static const unsigned sizes[] = {9, 11, 14, 17, 25};

	for (size_t i = 0; i < ARRAY_SIZE(leases); i++) {
		for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
			const struct sim sim = {.size = sizes[n], .rate = 80, .lease = leases[i]};
			struct load_model model = fit(&sim);

			ck_assert_int_eq(model.kind, LOAD_OPEN);
			ck_assert_double_eq_tol(model.offered, 8, 0.25);
			assert_within_factor_two(load_model_wait(&model, sim.size), model.measured);
			/* Whatever the size is, what it takes is seen. */
			ck_assert_uint_ge(size_for_target(&model, &sim), 16);
			ck_assert_uint_le(size_for_target(&model, &sim), 17);
		}
	}
}
END_TEST

START_TEST(test_a_pool_that_cannot_keep_up_shows_what_comes)
{
	const struct sim sim = {.size = 7, .rate = 8, .lease = {1, SIM_EXPONENTIAL}};
	struct load_model model = fit(&sim);

	ck_assert_double_gt(model.measured, 0.98);
	ck_assert_double_eq_tol(load_model_wait(&model, 7), 1, 1e-12);
	ck_assert_uint_ge(size_for_target(&model, &sim), 16);
}
END_TEST

START_TEST(test_pollers_wait_as_predicted_at_any_size)
{
	static const unsigned sizes[] = {2, 3, 4, 6, 8, 9, 10, 25, 220};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct sim sim = {
			.size = sizes[i], .callers = 200, .lease = tenth, .pause = {5, SIM_JITTER}};
		struct load_model model = fit(&sim);

		assert_within_factor_two(load_model_wait(&model, sim.size), model.measured);
		ck_assert(!load_model_differs(&model, &report.windows[1],
					      load_model_wait(&model, sim.size)));
	}
}
END_TEST

START_TEST(test_a_full_pool_tells_how_many_pollers_there_are)
{
	static const unsigned sizes[] = {1, 2, 3};

	/* Nothing but when requests come is known: no connection of a client is counted. */
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct sim sim = {.size = sizes[i],
					.callers = 200,
					.lease = {0.1, SIM_EXPONENTIAL},
					.pause = {5, SIM_JITTER}};
		struct load_model model = fit(&sim);

		ck_assert_int_eq(model.kind, LOAD_CLOSED);
		ck_assert_uint_ge(model.sources, 150);
		ck_assert_uint_le(model.sources, 260);
		/* Served are 10 to 30 requests a second; 39 would come. */
		ck_assert_double_eq_tol(model.rate, 10 * sim.size, 1);
		ck_assert_double_eq_tol(model.offered, 3.92, 0.8);
		ck_assert_uint_ge(size_for_target(&model, &sim), 9);
		ck_assert_uint_le(size_for_target(&model, &sim), 12);
	}
}
END_TEST

START_TEST(test_open_connections_of_clients_are_callers)
{
	/* Leases that hardly vary hide how many pause: alone it would be taken for some 110 that hardly do. */
	const struct sim sim = {.size = 2,
				.callers = 200,
				.lease = tenth,
				.pause = {5, SIM_JITTER},
				.clients = 200};
	struct load_model model = fit(&sim);

	ck_assert_int_eq(model.kind, LOAD_CLOSED);
	ck_assert_uint_eq(model.sources, 200);
	ck_assert_uint_eq(size_for_target(&model, &sim), 10);
}
END_TEST

START_TEST(test_one_size_predicts_another)
{
	static const struct {
		unsigned callers;
		struct sim_time pause;
		unsigned from;
		unsigned to[3];
	} rows[] = {
		{200, {5, SIM_JITTER}, 25, {4, 7, 10}},
		{200, {5, SIM_JITTER}, 5, {4, 7, 10}},
		{20, {0.02, SIM_JITTER}, 25, {16, 18, 20}},
		{20, {0.02, SIM_JITTER}, 10, {16, 18, 20}},
		{60, {0.3, SIM_JITTER}, 60, {12, 16, 21}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim sim = {.callers = rows[i].callers,
				  .lease = tenth,
				  .pause = rows[i].pause,
				  .size = rows[i].from};
		struct load_model model = fit(&sim);
		struct load_window window = report.windows[1];

		for (size_t n = 0; n < ARRAY_SIZE(rows[i].to); n++) {
			sim.size = rows[i].to[n];
			assert_within_factor_two(
				load_model_expect(&model, &window, sim.size, rows[i].from),
				fit(&sim).measured);
		}
	}
}
END_TEST

START_TEST(test_callers_that_never_pause_need_a_connection_each)
{
	static const unsigned sizes[] = {25, 190, 200, 250};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct sim sim = {.size = sizes[i],
					.callers = 200,
					.lease = {1, SIM_JITTER},
					.pause = {0.001, SIM_JITTER}};
		struct load_model model = fit(&sim);

		ck_assert_int_eq(model.kind, LOAD_CLOSED);
		ck_assert_uint_eq(model.sources, 200);
		ck_assert_uint_eq(size_for_target(&model, &sim), 200);
		assert_within_factor_two(load_model_wait(&model, sim.size), model.measured);
	}
}
END_TEST

START_TEST(test_callers_in_step_are_bursts)
{
	static const unsigned sizes[] = {5, 25, 100, 250};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct sim sim = {.size = sizes[i],
					.callers = 200,
					.lease = tenth,
					.pause = {5, SIM_FIXED},
					.is_in_step = true};
		struct load_model model = fit(&sim);
		double expected = load_model_expect(&model, &report.windows[1], sim.size, sim.size);

		ck_assert_int_eq(model.kind, LOAD_BURSTY);
		ck_assert(model.is_beyond_model);
		assert_within_factor_two(expected, model.measured);
		/* Two of 200 may wait. */
		ck_assert_uint_eq(size_for_target(&model, &sim), 198);
	}
}
END_TEST

START_TEST(test_in_step_the_model_differs_from_what_was_measured)
{
	const struct sim sim = {.size = 25,
				.callers = 200,
				.lease = tenth,
				.pause = {5, SIM_FIXED},
				.is_in_step = true};
	struct load_model model = fit(&sim);

	ck_assert_double_eq_tol(model.measured, 175.0 / 200, 0.001);
	ck_assert(load_model_differs(&model, &report.windows[1], load_model_wait(&model, 25)));
}
END_TEST

START_TEST(test_what_differs)
{
	static const struct {
		uint64_t asked;
		double measured;
		double predicted;
		bool differs;
	} rows[] = {
		{10000, 0.10, 0.21, true},  {10000, 0.10, 0.19, false},
		{10000, 0.10, 0.049, true}, {10000, 0.10, 0.051, false},
		{10000, 0, 0.011, true},    {10000, 0, 0.009, false}, /* few, both */
		{10000, 0.9, 0.0, true},    {200, 0.02, 0.09, false}, /* 14 requests */
		{1000, 0.02, 0.09, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct load_model model = {.measured = rows[i].measured, .offered = 5};
		const struct load_window window = {.asked = rows[i].asked};

		ck_assert_int_eq(load_model_differs(&model, &window, rows[i].predicted),
				 rows[i].differs);
	}
}
END_TEST

SUITE_MAIN("admin/load_model", test_independent_requests_wait_as_erlang_says,
	   test_a_pool_that_cannot_keep_up_shows_what_comes,
	   test_pollers_wait_as_predicted_at_any_size,
	   test_a_full_pool_tells_how_many_pollers_there_are,
	   test_open_connections_of_clients_are_callers, test_one_size_predicts_another,
	   test_callers_that_never_pause_need_a_connection_each, test_callers_in_step_are_bursts,
	   test_in_step_the_model_differs_from_what_was_measured, test_what_differs)
