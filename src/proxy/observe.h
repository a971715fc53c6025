/*
 * What is to be known of an exchange, at the moments of its life: counted in the metrics, written to the access log, kept in the ledger and among
 * the last errors. Called by exchange.c, once each; none of it changes the exchange.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct exchange;

/* It was lent a connection: lent_us and conn_kind are set. */
void observe_lent(const struct exchange *exchange);

/* A response is whole. */
void observe_response(const struct exchange *exchange);

/* It is sent a second time; `evidence` says why that was allowed. */
void observe_repeat(const struct exchange *exchange);

/* It may have been paid for, and nobody knows: sent once, not again. */
void observe_unknown_fate(const struct exchange *exchange, enum err cause, const char *reason,
			  uint64_t sent_bytes, uint64_t acked_bytes);

/* It is answered with an error of ours. `cause` and `detail` as in reply.h. */
void observe_error(const struct exchange *exchange, enum err err, enum err cause,
		   const char *detail);

/* It is over, after its reply or its client's end. */
void observe_finish(const struct exchange *exchange);
