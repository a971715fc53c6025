/* http/fields.c: field lines, and what they mean together. */
#include "http/parser.h"
#include "samples.h"
#include "suite.h"

#include <stdlib.h>

START_TEST(test_bad_fields)
{
	static const struct sample samples[] = {
		SAMPLE(SPACE_BEFORE_COLON, GET "Host : a" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, GET "Host\t: a" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, POST "Content-Length \t : 5" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET HOST "X: a" CRLF " b" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET HOST "X: a" CRLF "\tb" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET HOST "X: a" CRLF " " CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET " Host: a" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET "\tHost: a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST ": a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X " CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X Y: a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X(: a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "\"X\": a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X\x80: a" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X\0: a" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: a\0b" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: a\x7f" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: 0123456789abcdef\x01" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: \v" CRLF CRLF),
		SAMPLE(BARE_CR, GET HOST "X: a\rb" CRLF CRLF),
		SAMPLE(BARE_CR, GET HOST "X: a\r\r\n" CRLF),
		SAMPLE(BARE_CR, GET HOST "X\r: a" CRLF CRLF),
		SAMPLE(BARE_LF, GET HOST "X: a\n" CRLF),
		SAMPLE(BARE_LF, GET HOST "X\n: a" CRLF CRLF),
		SAMPLE(BARE_LF, GET HOST "X: a\nTransfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(BARE_LF, GET HOST "X \n: a" CRLF),
	};

	sample_check_all(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_hosts)
{
	static const struct sample samples[] = {
		SAMPLE(MISSING_HOST, GET CRLF),
		SAMPLE(MISSING_HOST, GET "X-Host: a" CRLF CRLF),
		SAMPLE(MISSING_HOST, "GET http://a/ HTTP/1.1" CRLF CRLF),
		SAMPLE(DOUBLE_HOST, GET HOST HOST CRLF),
		SAMPLE(DOUBLE_HOST, GET HOST "X: y" CRLF "HOST: b" CRLF CRLF),
		SAMPLE(DOUBLE_HOST, GET10 HOST HOST CRLF),
		SAMPLE(BAD_HOST, GET "Host:" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a,b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: u@a" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a/b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a?b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a#b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a\\b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: http://a" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a:b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a:80:80" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a:65536" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: :80" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: ::1" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: [::1" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: [::1]a" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: []" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: m\xc3\xbcller" CRLF CRLF),
	};

	sample_check_all(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_framing)
{
	static const struct sample samples[] = {
		SAMPLE(LENGTH_AND_ENCODING,
		       POST "Content-Length: 5" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(LENGTH_AND_ENCODING,
		       POST "Transfer-Encoding: chunked" CRLF "Content-Length: 5" CRLF CRLF),
		SAMPLE(LENGTH_AND_ENCODING,
		       POST "Content-Length: 0" CRLF "Transfer-Encoding: gzip" CRLF CRLF),
		SAMPLE(DIFFERING_CONTENT_LENGTHS,
		       POST "Content-Length: 5" CRLF "Content-Length: 6" CRLF CRLF),
		SAMPLE(DIFFERING_CONTENT_LENGTHS,
		       POST "Content-Length: 5" CRLF "content-length: 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length:" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: +5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: -5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 0x5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: a" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 5, 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 5 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: \"5\"" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 5.0" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 9223372036854775808" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 18446744073709551621" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: gzip, chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunked, chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING,
		       POST "Transfer-Encoding: chunked, identity" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: xchunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunkedx" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunked;q=1" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: \"chunked\"" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding:" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: ,chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunked" CRLF
						   "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(ENCODING_IN_OLD_VERSION,
		       "POST / HTTP/1.0" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, POST "Transfer-Encoding : chunked" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, POST "Transfer-Encoding: \vchunked" CRLF CRLF),
	};

	sample_check_all(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_only_a_sole_100_continue_expects_continue)
{
	static const char *const others[] = {
		GET HOST "Expect: 100-continue, x" CRLF CRLF,
		GET HOST "Expect: 100-continue;a=b" CRLF CRLF,
		GET HOST "Expect:" CRLF CRLF,
		GET HOST "Expect: 100-continue" CRLF "Expect: 100-continue" CRLF CRLF,
		GET HOST "Expect: 100-continue" CRLF "Expect: x" CRLF CRLF,
		GET10 "Expect: x" CRLF CRLF,
	};
	const struct http_head *head;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		head = sample_parse(HTTP_REQUEST, span_of(others[i]));
		ck_assert_msg(head->has_expect && !head->expects_continue, "%s", others[i]);
	}
	head = sample_parse(HTTP_REQUEST, SPAN(GET HOST "Expect: 100-CONTINUE " CRLF CRLF));
	ck_assert(head->has_expect && head->expects_continue);
	head = sample_parse(HTTP_REQUEST, SPAN(GET10 "Expect: 100-continue" CRLF CRLF));
	ck_assert(!head->has_expect && !head->expects_continue);
}
END_TEST

START_TEST(test_connection_names_fields_that_stay_here)
{
	static const struct {
		const char *name;
		bool is_hop_by_hop;
	} rows[] = {
		{"Connection", true},
		{"A", true},
		{"connection", true},
		{"b", true},
		{"Host", false},
		{"Content-Type", true},
		{"Content-Length", false},
		{"a", true},
		{"C", false},
		{"Keep-Alive", true},
		{"Proxy-Connection", true},
		{"PROXY-X", true},
		{"Proxy", false},
		{"TE", true},
		{"Trailer", true},
		{"Upgrade", true},
		{"HTTP2-Settings", true},
		{"Via", false},
	};
	const struct http_head *head = sample_parse(
		HTTP_REQUEST,
		SPAN(GET "Connection: a, HOST,content-length ,Transfer-Encoding" CRLF "A: 1" CRLF
			 "connection: ,, B\t,content-type,a;x" CRLF "b: 2" CRLF HOST
			 "Content-Type: t" CRLF "Content-Length: 3" CRLF "a: 2" CRLF "C: 3" CRLF
			 "Keep-Alive: timeout=1" CRLF "Proxy-Connection: x" CRLF "PROXY-X: y" CRLF
			 "Proxy: z" CRLF "TE: trailers" CRLF "Trailer: E" CRLF "Upgrade: h2c" CRLF
			 "HTTP2-Settings: q" CRLF "Via: 1.0 x" CRLF CRLF));

	ck_assert_uint_eq(head->field_count, ARRAY_SIZE(rows));
	for (unsigned i = 0; i < head->field_count; i++) {
		ck_assert(span_is(http_field_name(head, &head->fields[i]), span_of(rows[i].name)));
		ck_assert_msg(head->fields[i].is_hop_by_hop == rows[i].is_hop_by_hop, "%s",
			      rows[i].name);
	}
	ck_assert(head->has_content_length && head->content_length == 3);
	ck_assert(!head->has_close && !head->has_keep_alive);
}
END_TEST

START_TEST(test_the_number_of_fields_is_bounded)
{
	static struct parse_outcome outcome;
	struct sample_text most = sample_build(GET HOST, "x:" CRLF, HTTP_FIELDS_MAX - 1, CRLF);
	struct sample_text more = sample_build(GET HOST, "x:" CRLF, HTTP_FIELDS_MAX, CRLF);

	sample_parse_all_ways(&outcome, HTTP_REQUEST, sample_limits, sample_span(&most));
	ck_assert_int_eq(outcome.err, ERR_NONE);
	ck_assert_uint_eq(outcome.head.field_count, HTTP_FIELDS_MAX);
	sample_parse_all_ways(&outcome, HTTP_REQUEST, sample_limits, sample_span(&more));
	ck_assert_int_eq(outcome.err, ERR_HEAD_TOO_LARGE);
	free(most.bytes);
	free(more.bytes);
}
END_TEST

START_TEST(test_the_number_of_connection_options_is_bounded)
{
	static struct parse_outcome outcome;
	struct sample_text most =
		sample_build(GET HOST "Connection: ", "x,", HTTP_FIELDS_MAX, CRLF CRLF);
	struct sample_text more = sample_build(GET HOST "Connection: x" CRLF "Connection: ", "x,",
					       HTTP_FIELDS_MAX, CRLF CRLF);

	sample_parse_all_ways(&outcome, HTTP_REQUEST, sample_limits, sample_span(&most));
	ck_assert_int_eq(outcome.err, ERR_NONE);
	sample_parse_all_ways(&outcome, HTTP_REQUEST, sample_limits, sample_span(&more));
	ck_assert_int_eq(outcome.err, ERR_HEAD_TOO_LARGE);
	free(most.bytes);
	free(more.bytes);
}
END_TEST

START_TEST(test_a_name_longer_than_its_counter_is_refused)
{
	static struct parse_outcome outcome;
	struct sample_text text = sample_build(GET HOST, "x", 65536, ": y" CRLF CRLF);

	parse_in_pieces(&outcome, HTTP_REQUEST, (struct http_limits){1 << 20, 100},
			sample_span(&text), 100, 4096);
	ck_assert_int_eq(outcome.err, ERR_HEAD_TOO_LARGE);
	free(text.bytes);
}
END_TEST

SUITE_MAIN("http/fields", test_bad_fields, test_bad_hosts, test_bad_framing,
	   test_only_a_sole_100_continue_expects_continue,
	   test_connection_names_fields_that_stay_here, test_the_number_of_fields_is_bounded,
	   test_the_number_of_connection_options_is_bounded,
	   test_a_name_longer_than_its_counter_is_refused)
