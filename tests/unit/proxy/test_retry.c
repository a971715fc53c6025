/* proxy/retry.c: evidence and the rule of one submit, as truth tables; the budget. */
#include "base/macros.h"
#include "proxy/retry.h"
#include "suite.h"

#include <stdint.h>
#include <string.h>

/* The server closed an idle connection after 100 bytes, and 50 more were written before we saw it. */
static const struct evidence_facts closed_before = {
	.bytes_before = 100,
	.bytes_now = 150,
	.read_end = true,
	.has_tcp_info = true,
	.is_close_wait = true,
	.tcpi_bytes_acked = 101,
};

START_TEST(test_nothing_written_is_unsent)
{
	struct evidence_facts facts = {.bytes_before = 100, .bytes_now = 100};

	ck_assert_int_eq(evidence_judge(&facts), EVIDENCE_UNSENT);
	facts.write_failed = true;
	ck_assert_int_eq(evidence_judge(&facts), EVIDENCE_UNSENT);
	facts = (struct evidence_facts){0};
	ck_assert_int_eq(evidence_judge(&facts), EVIDENCE_UNSENT);
}
END_TEST

START_TEST(test_a_clean_close_before_delivery_is_undelivered)
{
	struct evidence_facts facts = closed_before;

	ck_assert_int_eq(evidence_judge(&facts), EVIDENCE_UNDELIVERED);
	facts.tcpi_bytes_acked = 51;
	ck_assert_int_eq(evidence_judge(&facts), EVIDENCE_UNDELIVERED);
	facts.bytes_before = 0;
	facts.tcpi_bytes_acked = 1;
	ck_assert_int_eq(evidence_judge(&facts), EVIDENCE_UNDELIVERED);
	facts.bytes_before = UINT64_MAX - 1;
	facts.bytes_now = UINT64_MAX;
	facts.tcpi_bytes_acked = UINT64_MAX;
	ck_assert_int_eq(evidence_judge(&facts), EVIDENCE_UNDELIVERED);
}
END_TEST

START_TEST(test_all_else_is_unknown)
{
	const struct evidence_facts base = closed_before;
	struct {
		const char *what;
		struct evidence_facts facts;
	} rows[] = {
		{"a response began", base},
		{"no end was read: WANT_WRITE with bytes out, a timeout, close_notify without FIN",
		 base},
		{"an end after a failed write, whose RST it may hide", base},
		{"no tcp info", base},
		{"TCP_CLOSE, not CLOSE_WAIT", base},
		{"one byte of the request was acknowledged", base},
		{"all of it was", base},
		{"a kernel that does not count: 0 must not underflow, nor prove anything", base},
		{"an RST with nothing acknowledged", base},
		{"a count that went back", base},
	};

	rows[0].facts.response_began = true;
	rows[1].facts.read_end = false;
	rows[2].facts.write_failed = true;
	rows[3].facts.has_tcp_info = false;
	rows[4].facts.is_close_wait = false;
	rows[5].facts.tcpi_bytes_acked = 102;
	rows[6].facts.tcpi_bytes_acked = UINT64_MAX;
	rows[7].facts.tcpi_bytes_acked = 0;
	rows[8].facts = (struct evidence_facts){
		.bytes_now = 50,
		.write_failed = true,
		.has_tcp_info = true,
		.tcpi_bytes_acked = 1,
	};
	rows[9].facts.bytes_now = 99;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_msg(evidence_judge(&rows[i].facts) == EVIDENCE_UNKNOWN, "%s",
			      rows[i].what);
	}
}
END_TEST

/* Of all combinations of facts after a write, exactly one proves that nothing came. */
START_TEST(test_only_one_combination_is_undelivered)
{
	unsigned undelivered = 0;

	for (unsigned bits = 0; bits < 64; bits++) {
		struct evidence_facts facts = {
			.bytes_before = 100,
			.bytes_now = 150,
			.response_began = bits & 1,
			.read_end = bits & 2,
			.write_failed = bits & 4,
			.has_tcp_info = bits & 8,
			.is_close_wait = bits & 16,
			.tcpi_bytes_acked = bits & 32 ? 102 : 101,
		};

		undelivered += evidence_judge(&facts) == EVIDENCE_UNDELIVERED;
		ck_assert(evidence_judge(&facts) != EVIDENCE_UNSENT);
	}
	ck_assert_uint_eq(undelivered, 1);
}
END_TEST

/* Written independently of the code: the table of the design, for a request of unknown fate. */
static bool is_repeatable_by_design(enum profile_class class, const char *method, const char *path,
				    bool repeat_other)
{
	bool is_safe = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	return class == PROFILE_POLL || class == PROFILE_READ ||
	       (class == PROFILE_OTHER && repeat_other && is_safe && strcmp(path, "/x") == 0);
}

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "get", ""};
static const char *const paths[] = {"/x", "//in.php", "/%69n.php", ""};

static const char *refuse_by_design(const struct retry_question *question, const char *method,
				    const char *path)
{
	if (question->deadline_passed) {
		return "deadline";
	}
	if (question->was_repeated) {
		return "repeated";
	}
	if (question->evidence != EVIDENCE_UNKNOWN) {
		return NULL;
	}
	if (!is_repeatable_by_design(question->class, method, path, question->repeat_other)) {
		return "class";
	}
	return question->budget_left ? NULL : "budget";
}

static void check_question(struct retry_question *question, const char *method, const char *path)
{
	const char *expected;
	const char *got;

	question->method = span_of(method);
	question->path = span_of(path);
	expected = refuse_by_design(question, method, path);
	got = retry_refuse(question);
	ck_assert_msg(
		(expected == NULL) == (got == NULL) && (got == NULL || strcmp(got, expected) == 0),
		"%s %s %s %s: %s", profile_class_name(question->class),
		evidence_name(question->evidence), method, path, got != NULL ? got : "repeated");
}

START_TEST(test_truth_table)
{
	const unsigned combinations = PROFILE_CLASS_COUNT * EVIDENCE_COUNT * 16;

	for (unsigned n = 0; n < combinations; n++) {
		struct retry_question question = {
			.class = (enum profile_class)(n / 16 % PROFILE_CLASS_COUNT),
			.evidence = (enum evidence)(n / 16 / PROFILE_CLASS_COUNT),
			.repeat_other = n & 1,
			.was_repeated = n & 2,
			.budget_left = n & 4,
			.deadline_passed = n & 8,
		};

		for (size_t i = 0; i < ARRAY_SIZE(methods) * ARRAY_SIZE(paths); i++) {
			check_question(&question, methods[i / ARRAY_SIZE(paths)],
				       paths[i % ARRAY_SIZE(paths)]);
		}
	}
}
END_TEST

START_TEST(test_what_pays_is_never_repeated_when_unknown)
{
	static const enum profile_class paid[] = {PROFILE_SUBMIT, PROFILE_SOLVE, PROFILE_REPORT,
						  PROFILE_CLASS_COUNT};

	for (size_t i = 0; i < ARRAY_SIZE(paid); i++) {
		ck_assert(!retry_class_is_repeatable(paid[i], SPAN("GET"), SPAN("/x"), true));
		ck_assert(!retry_class_is_repeatable(paid[i], SPAN("GET"), SPAN("/x"), false));
	}
	ck_assert(!retry_class_is_repeatable(PROFILE_OTHER, SPAN("GET"), SPAN("//in.php"), true));
	ck_assert(!retry_class_is_repeatable(PROFILE_OTHER, SPAN("GET"), (struct span){0}, true));
	ck_assert(retry_class_is_repeatable(PROFILE_OTHER, SPAN("GET"), SPAN("/x"), true));
}
END_TEST

START_TEST(test_an_empty_question_is_repeated_by_proof_only)
{
	struct retry_question question = {.evidence = EVIDENCE_UNKNOWN};

	ck_assert_str_eq(retry_refuse(&question), "class");
}
END_TEST

START_TEST(test_budget_is_a_fifth_and_the_pool)
{
	struct retry_budget budget = {0};
	const uint64_t now_ms = 5000000;

	for (unsigned i = 0; i < 14; i++) {
		retry_budget_count_request(&budget, now_ms);
	}
	for (unsigned i = 0; i < 5; i++) {
		ck_assert(retry_budget_has_room(&budget, now_ms, 3));
		ck_assert(retry_budget_take(&budget, now_ms, 3));
	}
	ck_assert(!retry_budget_has_room(&budget, now_ms, 3));
	ck_assert(!retry_budget_take(&budget, now_ms, 3));
	retry_budget_count_request(&budget, now_ms);
	ck_assert(retry_budget_take(&budget, now_ms, 3));
	ck_assert(!retry_budget_take(&budget, now_ms, 3));
}
END_TEST

START_TEST(test_budget_forgets_after_ten_seconds)
{
	struct retry_budget budget = {0};

	ck_assert(retry_budget_take(&budget, 999, 1));
	ck_assert(!retry_budget_take(&budget, 9999, 1));
	ck_assert(retry_budget_take(&budget, 10000, 1));
	ck_assert(!retry_budget_take(&budget, 10001, 1));
	ck_assert(!retry_budget_take(&budget, 19999, 1));
	ck_assert(retry_budget_take(&budget, 1000000, 1));
	for (unsigned i = 0; i < 5; i++) {
		retry_budget_count_request(&budget, 1005000);
	}
	ck_assert(retry_budget_take(&budget, 1009999, 1));
	ck_assert(!retry_budget_take(&budget, 1009999, 1));
	/* The requests are forgotten five seconds before that repeat is. */
	ck_assert(!retry_budget_take(&budget, 1015000, 1));
	ck_assert(retry_budget_take(&budget, 1019000, 1));
}
END_TEST

START_TEST(test_budget_survives_a_clock_that_stands)
{
	struct retry_budget budget = {0};

	ck_assert(retry_budget_take(&budget, 20000, 1));
	ck_assert(!retry_budget_take(&budget, 19000, 1));
	ck_assert(!retry_budget_take(&budget, 0, 1));
	ck_assert(retry_budget_take(&budget, UINT64_MAX, 1));
}
END_TEST

SUITE_MAIN("proxy/retry", test_nothing_written_is_unsent,
	   test_a_clean_close_before_delivery_is_undelivered, test_all_else_is_unknown,
	   test_only_one_combination_is_undelivered, test_truth_table,
	   test_what_pays_is_never_repeated_when_unknown,
	   test_an_empty_question_is_repeated_by_proof_only, test_budget_is_a_fifth_and_the_pool,
	   test_budget_forgets_after_ten_seconds, test_budget_survives_a_clock_that_stands)
