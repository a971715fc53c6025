/*
 * One line a request, and a warning for each request of a paying class whose fate a user must know.
 *
 * Never a query, a body, a key or an answer: the path ends at "?", a task id is a number.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

struct exchange;

void access_log_write(const struct exchange *exchange);

/* A submit or solve was sent and its fate is unknown. */
void access_log_unknown(const struct exchange *exchange, enum err cause, const char *reason,
			uint64_t sent_bytes, uint64_t acked_bytes);

/* A submit or solve was answered and nobody was there to read it; task_id may be empty. */
void access_log_left(const struct exchange *exchange, struct span task_id);
