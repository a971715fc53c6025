/*
 * Parsing and decoding in pieces, for "the same outcome however the bytes arrive".
 *
 * Every piece stands in a heap block of its own exact size, so that a sanitizer sees a read past it and a parser that
 * keeps an address fails. `first` bytes come first, then `step` at a time.
 */
#pragma once

#include "base/span.h"
#include "http/body.h"
#include "http/parser.h"

#include <stdbool.h>
#include <stddef.h>

struct parse_outcome {
	enum err err;
	enum http_parse_state state;
	struct http_head head; /* base points to the bytes given */
};

void parse_in_pieces(struct parse_outcome *outcome, enum http_kind kind, struct http_limits limits,
		     struct span bytes, size_t first, size_t step);

/* NULL, or what differs. After an error only the error counts. */
const char *parse_outcomes_differ(const struct parse_outcome *a, const struct parse_outcome *b);

struct decode_outcome {
	enum err err;
	bool done;
	size_t taken;
	char *body; /* owned, from malloc */
	size_t body_len;
};

void decode_in_pieces(struct decode_outcome *outcome, struct span bytes, uint64_t limit_bytes,
		      size_t first, size_t step);
void decode_outcome_fini(struct decode_outcome *outcome);

/* NULL, or what differs. */
const char *decode_outcomes_differ(const struct decode_outcome *a, const struct decode_outcome *b);
