/* pool/conn.c, conn_refuse_lending(): why an idle connection is not lent. */
#include "base/clock.h"
#include "pool/conn.h"
#include "suite.h"

static const struct conn_rules no_bounds = {.safe_idle_ms = UINT64_MAX};

/* Idle since 10 s, never expires. */
static const struct conn fit = {.idle_since_ms = 10000, .expires_ms = UINT64_MAX};

START_TEST(test_one_reason_each)
{
	static const struct {
		struct conn conn;
		struct conn_rules rules;
		uint64_t now_ms;
		enum end end;
	} rows[] = {
		{{.expires_ms = UINT64_MAX}, {.safe_idle_ms = UINT64_MAX}, UINT64_MAX - 1, END_NONE},
		{{.retire = END_SUSPEND, .expires_ms = UINT64_MAX},
		 {.safe_idle_ms = 1000},
		 0,
		 END_SUSPEND},
		{{.expires_ms = 5000}, {.safe_idle_ms = UINT64_MAX}, 4999, END_NONE},
		{{.expires_ms = 5000}, {.safe_idle_ms = UINT64_MAX}, 5000, END_MAX_LIFETIME},
		{{.expires_ms = UINT64_MAX, .requests = 2}, {UINT64_MAX, 3}, 0, END_NONE},
		{{.expires_ms = UINT64_MAX, .requests = 3}, {UINT64_MAX, 3}, 0, END_MAX_REQUESTS},
		{{.expires_ms = UINT64_MAX, .requests = 4}, {UINT64_MAX, 3}, 0, END_MAX_REQUESTS},
		{{.expires_ms = UINT64_MAX, .requests = UINT64_MAX}, {UINT64_MAX, 0}, 0, END_NONE},
		{{.expires_ms = UINT64_MAX, .idle_since_ms = 10000}, {1000, 0}, 10999, END_NONE},
		{{.expires_ms = UINT64_MAX, .idle_since_ms = 10000},
		 {1000, 0},
		 11000,
		 END_IDLE_TIMEOUT},
		/* With a slot lent it is not idle. */
		{{.expires_ms = UINT64_MAX, .idle_since_ms = 10000, .slots_used = 1},
		 {1000, 0},
		 90000,
		 END_NONE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum end end = conn_refuse_lending(&rows[i].conn, &rows[i].rules, rows[i].now_ms);

		ck_assert_msg(end == rows[i].end, "row %zu: %s", i, end_label(end));
	}
}
END_TEST

START_TEST(test_the_first_reason_stays)
{
	struct conn conn = fit;
	const struct conn_rules rules = {.safe_idle_ms = 1000, .max_requests = 1};

	conn.requests = 1;
	conn.expires_ms = 11000;
	conn.retire = END_SERVER_CLOSE;
	ck_assert_int_eq(conn_refuse_lending(&conn, &rules, 20000), END_SERVER_CLOSE);
	conn.retire = END_NONE;
	ck_assert_int_eq(conn_refuse_lending(&conn, &rules, 20000), END_MAX_LIFETIME);
	conn.expires_ms = UINT64_MAX;
	ck_assert_int_eq(conn_refuse_lending(&conn, &rules, 20000), END_MAX_REQUESTS);
	conn.requests = 0;
	ck_assert_int_eq(conn_refuse_lending(&conn, &rules, 20000), END_IDLE_TIMEOUT);
}
END_TEST

START_TEST(test_time_passes_by_the_loop_clock)
{
	struct clock clock;
	const struct conn_rules rules = {.safe_idle_ms = 500};

	clock_init(&clock);
	clock_set_ms(&clock, 10000);
	ck_assert_int_eq(conn_refuse_lending(&fit, &rules, clock.now_ms), END_NONE);
	clock_set_ms(&clock, 10499);
	ck_assert_int_eq(conn_refuse_lending(&fit, &rules, clock.now_ms), END_NONE);
	clock_set_ms(&clock, 10500);
	ck_assert_int_eq(conn_refuse_lending(&fit, &rules, clock.now_ms), END_IDLE_TIMEOUT);
	ck_assert_int_eq(conn_refuse_lending(&fit, &no_bounds, clock.now_ms), END_NONE);
}
END_TEST

SUITE_MAIN("pool/conn_rules", test_one_reason_each, test_the_first_reason_stays,
	   test_time_passes_by_the_loop_clock)
