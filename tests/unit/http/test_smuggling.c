/* http/parser.c and http/body.c together: where one request ends and the next begins, and what is none (smuggling.def). */
#include "http/body.h"
#include "http/head.h"
#include "http/parser.h"
#include "roundtrip.h"
#include "samples.h"
#include "suite.h"

#define CHUNKED POST "Transfer-Encoding: chunked" CRLF CRLF

enum { BODY_LIMIT_BYTES = 1 << 20 };

struct stream_case {
	struct span bytes;
	const char *text;
	unsigned whole;
	enum err err;
};

static const struct stream_case cases[] = {
#define STREAM(requests, error, literal)                 \
	{                                                \
		.bytes = {literal, sizeof(literal) - 1}, \
		.text = #literal,                        \
		.whole = (requests),                     \
		.err = ERR_##error,                      \
	},
#include "smuggling.def"
#undef STREAM
};

/* The bytes of the body that follows, or an error; false while it is not whole. */
static bool read_body(const struct http_head *head, struct span rest, size_t *ret_bytes,
		      enum err *ret_err)
{
	struct decode_outcome outcome;
	struct decode_outcome bytewise;
	const char *difference;

	switch (http_request_framing(head)) {
	case HTTP_NO_BODY:
		*ret_bytes = 0;
		return true;
	case HTTP_LENGTH:
		*ret_bytes = head->content_length;
		return head->content_length <= rest.len;
	case HTTP_UNTIL_CLOSE:
		ck_abort_msg("a request until close");
	case HTTP_CHUNKED:
		break;
	}
	decode_in_pieces(&outcome, rest, BODY_LIMIT_BYTES, rest.len, 1);
	decode_in_pieces(&bytewise, rest, BODY_LIMIT_BYTES, 1, 1);
	difference = decode_outcomes_differ(&outcome, &bytewise);
	ck_assert_msg(difference == NULL, "byte by byte: %s", difference);
	*ret_bytes = outcome.taken;
	*ret_err = outcome.err;
	decode_outcome_fini(&outcome);
	decode_outcome_fini(&bytewise);
	return outcome.err == ERR_NONE && outcome.done;
}

/* Takes one request off the stream. Each head is cut at every byte. */
static bool read_request(struct span *stream, enum err *ret_err)
{
	static struct parse_outcome outcome;
	struct span rest;
	const char *difference;
	size_t body_bytes = 0;

	sample_parse_all_ways(&outcome, HTTP_REQUEST, sample_limits, *stream);
	*ret_err = outcome.err;
	if (outcome.err != ERR_NONE || outcome.state != HTTP_PARSE_DONE) {
		return false;
	}
	difference = roundtrip_request(&outcome.head);
	ck_assert_msg(difference == NULL, "%s", difference);
	rest = (struct span){stream->data + outcome.head.head_bytes,
			     stream->len - outcome.head.head_bytes};
	if (!read_body(&outcome.head, rest, &body_bytes, ret_err)) {
		return false;
	}
	*stream = (struct span){rest.data + body_bytes, rest.len - body_bytes};
	return true;
}

static void check_stream(const struct stream_case *expected)
{
	struct span stream = expected->bytes;
	enum err err = ERR_NONE;
	unsigned whole = 0;

	while (stream.len > 0 && read_request(&stream, &err)) {
		whole++;
	}
	ck_assert_msg(err == expected->err, "%s, not %s: %s", err_name(err),
		      err_name(expected->err), expected->text);
	ck_assert_msg(whole == expected->whole, "%u requests, not %u: %s", whole, expected->whole,
		      expected->text);
	ck_assert_msg(err != ERR_NONE || stream.len == 0, "%zu bytes are left: %s", stream.len,
		      expected->text);
}

START_TEST(test_streams_are_cut_in_one_way_or_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		check_stream(&cases[i]);
	}
}
END_TEST

SUITE_MAIN("http/smuggling", test_streams_are_cut_in_one_way_or_refused)
