/* Decides what a failed attempt proves, and whether the request may be sent once more. */
#include "proxy/retry.h"

#include "base/macros.h"

#include <string.h>

static const char *const evidence_names[EVIDENCE_COUNT] = {
	[EVIDENCE_UNSENT] = "unsent",
	[EVIDENCE_UNDELIVERED] = "undelivered",
	[EVIDENCE_UNKNOWN] = "unknown",
};

const char *evidence_name(enum evidence evidence)
{
	return evidence_names[evidence];
}

/* Had the server closed, in order and with all before it read, while nothing of the request had come? */
static bool is_undelivered(const struct evidence_facts *facts)
{
	if (facts->bytes_now < facts->bytes_before) {
		return false;
	}
	if (facts->response_began) {
		return false;
	}
	if (!facts->read_end) {
		return false;
	}
	/* An RST that a write has consumed looks like a FIN afterwards. */
	if (facts->write_failed) {
		return false;
	}
	if (!facts->has_tcp_info) {
		return false;
	}
	if (!facts->is_close_wait) {
		return false;
	}
	if (facts->tcpi_bytes_acked == 0) {
		return false;
	}
	return facts->tcpi_bytes_acked - 1 <= facts->bytes_before;
}

enum evidence evidence_judge(const struct evidence_facts *facts)
{
	if (facts->bytes_now == facts->bytes_before) {
		return EVIDENCE_UNSENT;
	}
	return is_undelivered(facts) ? EVIDENCE_UNDELIVERED : EVIDENCE_UNKNOWN;
}

bool retry_may_have_paid(enum profile_class class, struct span path)
{
	return class == PROFILE_SUBMIT || class == PROFILE_SOLVE ||
	       (class == PROFILE_OTHER && profile_may_pay(path));
}

bool retry_class_is_repeatable(enum profile_class class, struct span method, struct span path,
			       bool repeat_other)
{
	switch (class) {
	case PROFILE_POLL:
	case PROFILE_READ:
		return true;
	case PROFILE_OTHER:
		return repeat_other &&
		       (span_is(method, SPAN("GET")) || span_is(method, SPAN("HEAD"))) &&
		       !profile_may_pay(path);
	case PROFILE_SUBMIT:
	case PROFILE_SOLVE:
	case PROFILE_REPORT:
	case PROFILE_CLASS_COUNT:
	default:
		return false;
	}
}

const char *retry_refuse(const struct retry_question *question)
{
	if (question->deadline_passed) {
		return "deadline";
	}
	if (question->was_repeated) {
		return "repeated";
	}
	if (question->evidence == EVIDENCE_UNSENT || question->evidence == EVIDENCE_UNDELIVERED) {
		return NULL;
	}
	if (!retry_class_is_repeatable(question->class, question->method, question->path,
				       question->repeat_other)) {
		return "class";
	}
	if (!question->budget_left) {
		return "budget";
	}
	return NULL;
}

void retry_budget_count_request(struct retry_budget *budget, uint64_t now_ms)
{
	window_add(&budget->requests, now_ms);
}

bool retry_budget_has_room(struct retry_budget *budget, uint64_t now_ms, uint64_t pool_size)
{
	return window_count(&budget->repeats, now_ms) <
	       window_count(&budget->requests, now_ms) / 5 + pool_size;
}

bool retry_budget_take(struct retry_budget *budget, uint64_t now_ms, uint64_t pool_size)
{
	if (!retry_budget_has_room(budget, now_ms, pool_size)) {
		return false;
	}
	window_add(&budget->repeats, now_ms);
	return true;
}
