/*
 * May a failed attempt be sent a second time? Pure policy: "The rule of one submit".
 */
#pragma once

#include "base/span.h"
#include "base/window.h"
#include "proxy/profile.h"

#include <stdbool.h>
#include <stdint.h>

/* What is known of a request at the moment its attempt failed. */
enum evidence {
	EVIDENCE_UNSENT,      /* not one byte was handed to the kernel */
	EVIDENCE_UNDELIVERED, /* the server had closed before any byte of it came */
	EVIDENCE_UNKNOWN,     /* anything else */
	EVIDENCE_COUNT
};

const char *evidence_name(enum evidence evidence); /* "unsent" */

/* The facts, as read from the connection when it failed. */
struct evidence_facts {
	uint64_t bytes_before; /* written to the socket before this request */
	uint64_t bytes_now;    /* written now */
	bool response_began;   /* any byte of a response was read */
	bool read_end;         /* a read returned 0 (FIN) */
	bool write_failed;     /* a write or SO_ERROR ever failed on this socket */
	bool has_tcp_info;     /* the two below are valid */
	bool is_close_wait;    /* tcpi_state was TCP_CLOSE_WAIT at that moment */
	uint64_t
		tcpi_bytes_acked; /* the SYN counts as one, so 0 means that the kernel does not count */
};

enum evidence evidence_judge(const struct evidence_facts *facts);

struct retry_question {
	enum profile_class class;
	struct span method;
	struct span path; /* without the query; looked at for PROFILE_OTHER */
	enum evidence evidence;
	bool repeat_other; /* upstream.repeat_other */
	bool was_repeated; /* one repeat at most */
	bool budget_left;  /* for unknown repeats only */
	bool deadline_passed;
};

/* NULL when it may be repeated, else why not, in a word for the log: "deadline", "repeated", "class", "budget". */
const char *retry_refuse(const struct retry_question *question);

/*
 * Does the class allow repeating a request whose fate is unknown? PROFILE_OTHER only with repeat_other, for GET and HEAD, and
 * on a path that cannot pay (profile_may_pay): "//in.php" is other to us and may be a submit to the server.
 */
bool retry_class_is_repeatable(enum profile_class class, struct span method, struct span path,
			       bool repeat_other);

/* May a request of this class cost something? Submits and solves; and another spelling of their paths, which is PROFILE_OTHER. */
bool retry_may_have_paid(enum profile_class class, struct span path);

/*
 * The budget of unknown repeats: over the last 10 s, at most 20 % of the requests plus pool.size.
 * Zeroed memory is a valid empty budget.
 */
struct retry_budget {
	struct window requests;
	struct window repeats;
};

void retry_budget_count_request(struct retry_budget *budget, uint64_t now_ms);
/* Is there room for one more repeat? Answers retry_question.budget_left without taking any. */
bool retry_budget_has_room(struct retry_budget *budget, uint64_t now_ms, uint64_t pool_size);
/* True and counted when there is room for one more repeat. */
bool retry_budget_take(struct retry_budget *budget, uint64_t now_ms, uint64_t pool_size);
