/* The checking of tables of heads. */
#include "samples.h"

#include "roundtrip.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

const struct http_limits sample_limits = {65536, 2 << 20};

void sample_parse_all_ways(struct parse_outcome *outcome, enum http_kind kind,
			   struct http_limits limits, struct span bytes)
{
	static struct parse_outcome cut;
	const char *difference;

	parse_in_pieces(outcome, kind, limits, bytes, bytes.len, 1);
	for (size_t first = 0; first < bytes.len; first++) {
		parse_in_pieces(&cut, kind, limits, bytes, first, bytes.len);
		difference = parse_outcomes_differ(outcome, &cut);
		ck_assert_msg(difference == NULL, "cut at %zu: %s differs (%s, %s): %.*s", first,
			      difference, err_name(outcome->err), err_name(cut.err), (int)bytes.len,
			      bytes.data);
	}
	parse_in_pieces(&cut, kind, limits, bytes, 1, 1);
	difference = parse_outcomes_differ(outcome, &cut);
	ck_assert_msg(difference == NULL, "byte by byte: %s differs: %.*s", difference,
		      (int)bytes.len, bytes.data);
}

static void check_sample(enum http_kind kind, const struct sample *sample)
{
	static struct parse_outcome outcome;
	const char *difference;

	sample_parse_all_ways(&outcome, kind, sample_limits, sample->bytes);
	ck_assert_msg(outcome.err == sample->err, "%s, not %s: %.*s", err_name(outcome.err),
		      err_name(sample->err), (int)sample->bytes.len, sample->bytes.data);
	if (outcome.err != ERR_NONE) {
		return;
	}
	ck_assert_msg(outcome.state == HTTP_PARSE_DONE, "incomplete: %s", sample->bytes.data);
	difference = kind == HTTP_REQUEST ? roundtrip_request(&outcome.head)
					  : roundtrip_response(&outcome.head);
	ck_assert_msg(difference == NULL, "%s: %s", difference, sample->bytes.data);
}

void sample_check_all(enum http_kind kind, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check_sample(kind, &samples[i]);
	}
}

const struct http_head *sample_parse(enum http_kind kind, struct span bytes)
{
	static struct parse_outcome outcome;

	sample_parse_all_ways(&outcome, kind, sample_limits, bytes);
	ck_assert_msg(outcome.err == ERR_NONE, "%s", err_name(outcome.err));
	ck_assert_int_eq(outcome.state, HTTP_PARSE_DONE);
	return &outcome.head;
}

struct sample_text sample_build(const char *prefix, const char *filler, size_t count,
				const char *suffix)
{
	size_t filler_len = strlen(filler);
	size_t len = strlen(prefix) + filler_len * count + strlen(suffix);
	char *bytes = malloc(len + 1);
	char *at = bytes;

	ck_assert_ptr_nonnull(bytes);
	at = mempcpy(at, prefix, strlen(prefix));
	for (size_t i = 0; i < count; i++) {
		at = mempcpy(at, filler, filler_len);
	}
	memcpy(at, suffix, strlen(suffix) + 1);
	return (struct sample_text){bytes, len};
}
