/* pool/load.c: what is counted, for how long, and over gaps. */
#include "pool/load.h"
#include "suite.h"

enum { SIZE = 10 };

static struct load load;
static struct load_report report;
static uint64_t now_us;

static void begin(void)
{
	now_us = 7000123;
	load_init(&load, now_us);
}

static void pass_s(uint64_t seconds)
{
	now_us += seconds * 1000000;
}

static void ask(uint64_t found)
{
	const struct load_ask ask = {.found = found, .size = SIZE, .is_lent = found < SIZE};

	load_ask(&load, now_us, &ask);
}

static void hold(uint64_t leased, uint64_t waiting)
{
	const struct load_state state = {.leased = leased, .waiting = waiting, .clients = 3};

	load_turn(&load, now_us, &state);
}

START_TEST(test_a_window_holds_what_happened)
{
	begin();
	ask(2);
	ask(10);
	hold(10, 1);
	pass_s(4);
	load_wait_over(&load, now_us, 4000000);
	load_lease_over(&load, now_us, QUEUE_POLL, 100);
	load_lease_over(&load, now_us, QUEUE_SOLVE, 5000);
	load_opened(&load, now_us, 160000);
	hold(2, 0);
	pass_s(6);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.recent.span_us, 10000000);
	ck_assert_uint_eq(report.recent.asked, 2);
	ck_assert_uint_eq(report.recent.waited_full, 1);
	ck_assert_uint_eq(report.recent.waited_opening, 0);
	ck_assert_uint_eq(report.recent.wait_us, 4000000);
	ck_assert_uint_eq(report.recent.leases[QUEUE_SOLVE], 1);
	ck_assert_uint_eq(report.recent.lease_us[QUEUE_SOLVE], 5000);
	ck_assert_uint_eq(load_lease_count(&report.recent), 2);
	ck_assert_uint_eq(load_lease_sum_us(&report.recent), 5100);
	ck_assert_uint_eq(report.recent.openings, 1);
	ck_assert_uint_eq(report.recent.opening_us, 160000);
	ck_assert_uint_eq(report.recent.found, 12);
	ck_assert_uint_eq(report.recent.demand_us, UINT64_C(1000000) * (11 * 4 + 2 * 6));
	ck_assert_uint_eq(report.recent.demand_square_us, UINT64_C(1000000) * (121 * 4 + 4 * 6));
	ck_assert_uint_eq(report.recent.peak_leased, 10);
	ck_assert_uint_eq(report.recent.peak_demand, 11);
	ck_assert_uint_eq(report.recent.peak_clients, 3);
}
END_TEST

START_TEST(test_why_a_request_waits)
{
	static const struct {
		struct load_ask ask;
		uint64_t full;
		uint64_t opening;
		uint64_t held;
	} rows[] = {
		{{.found = 3, .size = 10, .is_lent = true}, 0, 0, 0},
		{{.found = 10, .size = 10}, 1, 0, 0},
		{{.found = 9, .size = 10}, 0, 1, 0},
		{{.found = 10, .size = 10, .is_held = true}, 0, 0, 1},
		{{.found = 3, .size = 10, .is_held = true}, 0, 0, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		load_ask(&load, now_us, &rows[i].ask);
		load_read(&load, now_us, &report);
		ck_assert_uint_eq(report.recent.waited_full, rows[i].full);
		ck_assert_uint_eq(report.recent.waited_opening, rows[i].opening);
		ck_assert_uint_eq(report.recent.held, rows[i].held);
	}
}
END_TEST

START_TEST(test_the_recent_window_is_five_minutes)
{
	begin();
	ask(0);
	pass_s(295);
	ask(0);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.recent.asked, 2);
	pass_s(6);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.recent.asked, 1);
	ck_assert_uint_eq(report.recent.span_us, 291000000);
	pass_s(300);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.recent.asked, 0);
	ck_assert_uint_eq(report.asked, 2);
}
END_TEST

START_TEST(test_windows_come_oldest_first_and_the_last_is_recent)
{
	begin();
	for (unsigned i = 1; i <= 4; i++) {
		for (unsigned n = 0; n < i; n++) {
			ask(0);
		}
		pass_s(LOAD_WINDOW_S);
	}
	ask(0);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.count, 5);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(report.windows[i].asked, i + 1);
		ck_assert_uint_eq(report.windows[i].span_us, LOAD_WINDOW_S * 1000000ull);
	}
	/* The present slice counts, and with it 29 of the last window, whose requests came at its beginning. */
	ck_assert_uint_eq(report.windows[4].asked, 1);
	ck_assert_uint_eq(report.before.asked, 1 + 2 + 3);
	ck_assert_uint_eq(report.asked, 11);
	ck_assert_uint_eq(report.observed_us, 1200000000);
}
END_TEST

START_TEST(test_an_hour_is_kept)
{
	begin();
	for (unsigned i = 0; i < 40; i++) {
		ask(0);
		pass_s(LOAD_WINDOW_S);
	}
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.count, LOAD_WINDOWS + 1);
	ck_assert_uint_eq(report.asked, LOAD_WINDOWS);
	ck_assert_uint_eq(report.observed_us, 3600000000);
	ck_assert_uint_eq(report.before.asked, LOAD_WINDOWS - 1);
}
END_TEST

START_TEST(test_demand_goes_on_over_a_gap)
{
	begin();
	hold(4, 0);
	pass_s(700);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.count, 3);
	ck_assert_uint_eq(report.windows[0].demand_us, 1200000000);
	ck_assert_uint_eq(report.windows[1].demand_us, 1200000000);
	ck_assert_uint_eq(report.recent.demand_us, 4 * report.recent.span_us);
}
END_TEST

START_TEST(test_a_gap_of_days_leaves_nothing_of_before)
{
	static const uint64_t gaps_s[] = {3900, 3901, 3910, 3911, 4200, 86400 * 3 + 17};

	for (size_t i = 0; i < sizeof(gaps_s) / sizeof(gaps_s[0]); i++) {
		begin();
		ask(0);
		hold(1, 0);
		pass_s(gaps_s[i]);
		load_read(&load, now_us, &report);
		ck_assert_uint_eq(report.asked, 0);
		ck_assert_uint_eq(report.count, LOAD_WINDOWS + 1);
		for (size_t n = 0; n < report.count - 1; n++) {
			ck_assert_uint_eq(report.windows[n].span_us, LOAD_WINDOW_S * 1000000ull);
			ck_assert_uint_eq(report.windows[n].demand_us, LOAD_WINDOW_S * 1000000ull);
		}
	}
}
END_TEST

START_TEST(test_a_restart_forgets)
{
	begin();
	ask(0);
	hold(5, 0);
	pass_s(900);
	load_restart(&load, now_us);
	pass_s(2);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.asked, 0);
	ck_assert_uint_eq(report.observed_us, 2000000);
	ck_assert_uint_eq(report.count, 1);
	/* But not what is leased meanwhile. */
	ck_assert_uint_eq(report.recent.demand_us, 10000000);
}
END_TEST

START_TEST(test_the_share_that_found_so_much)
{
	begin();
	for (uint64_t i = 0; i < 100; i++) {
		ask(i);
	}
	load_read(&load, now_us, &report);
	ck_assert_double_eq_tol(load_share_found(&report.recent, 0), 1, 1e-12);
	ck_assert_double_eq_tol(load_share_found(&report.recent, 10), 0.90, 1e-9);
	ck_assert_double_eq_tol(load_share_found(&report.recent, 63), 0.37, 1e-9);
	ck_assert_double_eq_tol(load_share_found(&report.recent, 64), 0.36, 1e-9);
	/* Four to a cell there. */
	ck_assert_double_eq_tol(load_share_found(&report.recent, 65), 0.35, 1e-9);
	ck_assert_double_eq_tol(load_share_found(&report.recent, 99), 0.01, 1e-9);
	ck_assert_double_eq_tol(load_share_found(&report.recent, 100), 0, 1e-12);
	ck_assert_double_eq_tol(load_share_found(&(struct load_window){0}, 0), 0, 1e-12);
}
END_TEST

START_TEST(test_any_demand_has_a_cell)
{
	for (uint64_t demand = 1; demand <= LOAD_DEMAND_MOST; demand += 1 + demand / 7) {
		begin();
		ask(demand);
		load_read(&load, now_us, &report);
		ck_assert_double_eq_tol(load_share_found(&report.recent, demand * 15 / 16), 1,
					1e-12);
		ck_assert_double_eq_tol(load_share_found(&report.recent, demand + demand / 15 + 1),
					0, 1e-12);
	}
	begin();
	ask(UINT64_MAX);
	hold(UINT64_MAX / 2, 0);
	pass_s(3600);
	load_read(&load, now_us, &report);
	ck_assert_uint_eq(report.recent.peak_demand, LOAD_DEMAND_MOST);
	ck_assert_double_eq_tol(
		load_share_found(&report.windows[0], UINT64_C(15) * LOAD_DEMAND_MOST / 16), 1,
		1e-12);
	/* The most that there can be does not overflow in an hour. */
	ck_assert_double_eq_tol((double)report.before.demand_square_us,
				55.0 * 60e6 * LOAD_DEMAND_MOST * LOAD_DEMAND_MOST, 1e9);
}
END_TEST

SUITE_MAIN("pool/load", test_a_window_holds_what_happened, test_why_a_request_waits,
	   test_the_recent_window_is_five_minutes,
	   test_windows_come_oldest_first_and_the_last_is_recent, test_an_hour_is_kept,
	   test_demand_goes_on_over_a_gap, test_a_gap_of_days_leaves_nothing_of_before,
	   test_a_restart_forgets, test_the_share_that_found_so_much, test_any_demand_has_a_cell)
