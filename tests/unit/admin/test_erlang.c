/* admin/erlang.c: against published tables, against sums written out, and at large numbers. */
#include "admin/erlang.h"
#include "base/macros.h"
#include "suite.h"

#include <math.h>

/* a^n / n!, as its logarithm. */
static double log_term(double a, uint64_t n)
{
	return (double)n * log(a) - lgamma((double)n + 1);
}

/* Erlang C by its definition: Kleinrock, Queueing Systems I, equation 3.40. */
static double erlang_c_written_out(uint64_t servers, double offered)
{
	double top =
		exp(log_term(offered, servers)) * (double)servers / ((double)servers - offered);
	double rest = 0;

	for (uint64_t i = 0; i < servers; i++) {
		rest += exp(log_term(offered, i));
	}
	return top / (rest + top);
}

START_TEST(test_loss_as_in_the_published_table)
{
	/* The load at which 1 % is lost; 15 lines: the worked example of erlang.com's calculator. */
	static const struct {
		uint64_t servers;
		double offered;
	} rows[] = {{1, 0.0101}, {2, 0.153},  {5, 1.361},  {10, 4.461}, {15, 8.108},
		    {20, 12.03}, {30, 20.34}, {50, 37.90}, {100, 84.06}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_double_eq_tol(erlang_b(rows[i].servers, rows[i].offered), 0.01, 0.0001);
	}
	ck_assert_double_eq_tol(erlang_b(10, 5), 0.0184, 0.00005);
}
END_TEST

START_TEST(test_waits_as_in_the_published_table)
{
	/* 10 erlangs, the usual worked example of call centres: 14 agents let 17.4 % wait; 1 % takes 19. */
	static const struct {
		uint64_t servers;
		double percent;
	} rows[] = {{11, 68.2}, {12, 44.9}, {13, 28.5}, {14, 17.4}, {15, 10.2},
		    {16, 5.7},  {17, 3.1},  {18, 1.6},  {19, 0.8}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_double_eq_tol(erlang_c(rows[i].servers, 10) * 100, rows[i].percent, 0.06);
	}
	ck_assert_uint_eq(erlang_c_servers(10, 0.01, 100), 19);
}
END_TEST

START_TEST(test_waits_as_the_definition_says)
{
	static const double offered[] = {0.05, 0.5, 1, 2, 5, 10, 20, 50, 100};

	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		for (uint64_t servers = (uint64_t)offered[i] + 1; servers < 130; servers++) {
			double wanted = erlang_c_written_out(servers, offered[i]);

			ck_assert_double_eq_tol(erlang_c(servers, offered[i]), wanted,
						1e-9 * wanted + 1e-300);
		}
	}
	/* One server: as often as it is busy. */
	ck_assert_double_eq_tol(erlang_c(1, 0.3), 0.3, 1e-12);
}
END_TEST

START_TEST(test_a_load_as_large_as_the_servers_lets_all_wait)
{
	ck_assert_double_eq_tol(erlang_c(10, 10), 1, 1e-12);
	ck_assert_double_eq_tol(erlang_c(10, 500), 1, 1e-12);
	ck_assert_double_eq_tol(erlang_c(0, 0), 1, 1e-12);
	ck_assert_double_eq_tol(erlang_c(5, 0), 0, 1e-12);
}
END_TEST

START_TEST(test_servers_are_the_fewest_that_do)
{
	static const double offered[] = {0.001, 0.1, 1, 3, 8, 30, 100, 1000, 9000};

	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		uint64_t servers = erlang_c_servers(offered[i], 0.01, 10000);

		ck_assert_double_le(erlang_c(servers, offered[i]), 0.01);
		ck_assert(servers == 1 || erlang_c(servers - 1, offered[i]) > 0.01);
	}
	/* Square-root staffing (Halfin and Whitt, 1981) for 1 %: a + 2.4 √a, about. */
	ck_assert_double_eq_tol((double)erlang_c_servers(1000, 0.01, 10000),
				1000 + 2.4 * sqrt(1000), 3);
	ck_assert_uint_eq(erlang_c_servers(200, 0.01, 100), 101);
}
END_TEST

START_TEST(test_two_callers_and_one_server)
{
	/* Each finds the other being served for lease / (lease + pause) of the time. */
	ck_assert_double_eq_tol(finite_wait(1, 2, 1), 0.5, 1e-12);
	ck_assert_double_eq_tol(finite_wait(1, 2, 0.25), 0.2, 1e-12);
}
END_TEST

START_TEST(test_callers_that_have_a_server_each_never_wait)
{
	ck_assert_double_eq_tol(finite_wait(20, 20, 5), 0, 1e-12);
	ck_assert_double_eq_tol(finite_wait(1, 1, 5), 0, 1e-12);
	ck_assert_double_gt(finite_wait(19, 20, 5), 0);
	ck_assert_double_eq_tol(finite_wait(199, 200, 1e6), 1, 0.001);
	ck_assert_uint_eq(finite_wait_servers(200, 1e6, 0.01, 10000), 200);
	ck_assert_uint_eq(finite_wait_servers(200, 1e6, 0.01, 100), 101);
	ck_assert_uint_eq(finite_wait_servers(1, 1, 0.01, 100), 1);
}
END_TEST

START_TEST(test_many_callers_that_rarely_ask_are_a_poisson_stream)
{
	for (uint64_t servers = 11; servers < 25; servers++) {
		double endless = erlang_c(servers, 10);

		ck_assert_double_eq_tol(finite_wait(servers, 10000, 10.0 / 9990), endless,
					0.05 * endless);
	}
}
END_TEST

START_TEST(test_few_callers_wait_less_than_a_poisson_stream)
{
	/* 20 callers, each served half of the time: 10 erlangs, but never more than 20. */
	ck_assert_double_lt(finite_wait(15, 20, 1), 0.5 * erlang_c(15, 10));
	ck_assert_uint_eq(finite_wait_servers(200, 0.02, 0.01, 10000), 10);
}
END_TEST

START_TEST(test_a_bound_of_a_poisson_variable)
{
	/* Cumulative Poisson tables: P(X > 8 | 3.5) = 0.0099, P(X > 7 | 3.5) = 0.0267; P(X > 18 | 10) = 0.0072. */
	ck_assert_uint_eq(poisson_bound(3.5, 0.01), 8);
	ck_assert_uint_eq(poisson_bound(10, 0.01), 18);
	ck_assert_uint_eq(poisson_bound(1, 0.01), 4);
	ck_assert_uint_eq(poisson_bound(0, 0.01), 0);
	ck_assert_uint_eq(poisson_bound(0.01, 0.01), 0);
	/* Near the normal distribution's 2.33 σ where e^-mean is 0. */
	ck_assert_double_eq_tol((double)poisson_bound(10000, 0.01), 10000 + 2.33 * 100, 3);
}
END_TEST

SUITE_MAIN("admin/erlang", test_loss_as_in_the_published_table,
	   test_waits_as_in_the_published_table, test_waits_as_the_definition_says,
	   test_a_load_as_large_as_the_servers_lets_all_wait, test_servers_are_the_fewest_that_do,
	   test_two_callers_and_one_server, test_callers_that_have_a_server_each_never_wait,
	   test_many_callers_that_rarely_ask_are_a_poisson_stream,
	   test_few_callers_wait_less_than_a_poisson_stream, test_a_bound_of_a_poisson_variable)
