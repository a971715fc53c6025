/* Parsing and decoding in pieces of exactly their size. */
#include "pieces.h"

#include "base/macros.h"

#include <stdlib.h>
#include <string.h>

static char *exact_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL) {
		abort();
	}
	if (len > 0) {
		memcpy(copy, bytes, len);
	}
	return copy;
}

void parse_in_pieces(struct parse_outcome *outcome, enum http_kind kind, struct http_limits limits,
		     struct span bytes, size_t first, size_t step)
{
	struct http_parser parser;
	size_t there = MIN(first, bytes.len);
	bool is_over = false;

	memset(outcome, 0xa5, sizeof(*outcome));
	http_parser_init(&parser, kind, limits);
	while (!is_over) {
		char *copy = exact_copy(bytes.data, there);

		outcome->err = http_parse(&parser, &outcome->head, copy, there);
		outcome->state = parser.state;
		free(copy);
		is_over = outcome->err != ERR_NONE || there == bytes.len ||
			  parser.state == HTTP_PARSE_DONE;
		there = MIN(there + step, bytes.len);
	}
	outcome->head.base = bytes.data;
}

static bool spans_equal(struct http_span a, struct http_span b)
{
	return a.at == b.at && a.len == b.len;
}

static bool start_lines_equal(const struct http_head *a, const struct http_head *b)
{
	return spans_equal(a->method, b->method) && spans_equal(a->target, b->target) &&
	       a->status == b->status && spans_equal(a->reason, b->reason) &&
	       a->version_minor == b->version_minor;
}

static bool meanings_equal(const struct http_head *a, const struct http_head *b)
{
	return a->has_content_length == b->has_content_length && a->is_chunked == b->is_chunked &&
	       a->has_close == b->has_close && a->has_keep_alive == b->has_keep_alive &&
	       a->has_expect == b->has_expect && a->expects_continue == b->expects_continue &&
	       a->content_length == b->content_length && a->ids_seen == b->ids_seen;
}

static bool fields_equal(const struct http_field *a, const struct http_field *b)
{
	return a->name_at == b->name_at && a->name_len == b->name_len &&
	       a->value_at == b->value_at && a->value_len == b->value_len && a->id == b->id &&
	       a->is_hop_by_hop == b->is_hop_by_hop;
}

const char *parse_outcomes_differ(const struct parse_outcome *a, const struct parse_outcome *b)
{
	if (a->err != b->err) {
		return "error";
	}
	if (a->err != ERR_NONE) {
		return NULL;
	}
	if (a->state != b->state) {
		return "state";
	}
	if (a->state != HTTP_PARSE_DONE) {
		return NULL;
	}
	if (a->head.head_bytes != b->head.head_bytes ||
	    a->head.field_count != b->head.field_count) {
		return "extent";
	}
	if (!start_lines_equal(&a->head, &b->head)) {
		return "start line";
	}
	if (!meanings_equal(&a->head, &b->head)) {
		return "meaning";
	}
	for (unsigned i = 0; i < a->head.field_count; i++) {
		if (!fields_equal(&a->head.fields[i], &b->head.fields[i])) {
			return "field";
		}
	}
	return NULL;
}

void decode_in_pieces(struct decode_outcome *outcome, struct span bytes, uint64_t limit_bytes,
		      size_t first, size_t step)
{
	struct http_chunked chunked;
	size_t piece = MIN(first, bytes.len);

	*outcome = (struct decode_outcome){.body = exact_copy(bytes.data, bytes.len)};
	http_chunked_init(&chunked, limit_bytes);
	for (;;) {
		char *copy = exact_copy(bytes.data + outcome->taken, piece);
		size_t decoded = 0;
		size_t taken = 0;

		outcome->err = http_chunked_decode(&chunked, copy, piece, &decoded, &taken);
		memcpy(outcome->body + outcome->body_len, copy, decoded);
		free(copy);
		outcome->body_len += decoded;
		outcome->taken += taken;
		outcome->done = chunked.done;
		if (outcome->err != ERR_NONE || chunked.done || outcome->taken == bytes.len) {
			return;
		}
		piece = MIN(step, bytes.len - outcome->taken);
	}
}

void decode_outcome_fini(struct decode_outcome *outcome)
{
	free(outcome->body);
	outcome->body = NULL;
}

const char *decode_outcomes_differ(const struct decode_outcome *a, const struct decode_outcome *b)
{
	if (a->err != b->err) {
		return "error";
	}
	if (a->err != ERR_NONE) {
		return NULL;
	}
	if (a->done != b->done || a->taken != b->taken) {
		return "extent";
	}
	if (a->body_len != b->body_len || memcmp(a->body, b->body, a->body_len) != 0) {
		return "body";
	}
	return NULL;
}
