/* http/parser.c: start lines, limits and framing, however the bytes arrive. */
#include "http/parser.h"
#include "samples.h"
#include "suite.h"

#include <stdlib.h>

START_TEST(test_requests_are_accepted)
{
	static const struct sample samples[] = {
		SAMPLE(NONE, GET HOST CRLF),
		SAMPLE(NONE, GET10 CRLF),
		SAMPLE(NONE, GET10 HOST CRLF),
		SAMPLE(NONE, CRLF GET HOST CRLF),
		SAMPLE(NONE, "GET / HTTP/1.9" CRLF HOST CRLF),
		SAMPLE(NONE, "M-SEARCH!#$%&'*+.^_`|~ * HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "GET /hello.txt HTTP/1.1" CRLF "User-Agent: curl/7.64.1" CRLF
			     "Host: www.example.com" CRLF "Accept-Language: en, mi" CRLF CRLF),
		SAMPLE(NONE, "GET http://www.example.org/pub/WWW/TheProject.html HTTP/1.1" CRLF HOST
				     CRLF),
		SAMPLE(NONE, "GET http://www.example.org HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "GET http://www.example.org?q=1 HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "CONNECT www.example.com:80 HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "OPTIONS * HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "OPTIONS http://www.example.org:8001 HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "GET /\"<>\\^`{|}#\x80\xff HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, GET "Host:a" CRLF CRLF),
		SAMPLE(NONE, GET "hOsT: \t a.b-c_d~1:8080 \t " CRLF CRLF),
		SAMPLE(NONE, GET "Host: [::1]:80" CRLF CRLF),
		SAMPLE(NONE, GET "Host: 127.0.0.1:" CRLF CRLF),
		SAMPLE(NONE, GET HOST "X:" CRLF "Y: " CRLF "Z:\t\t" CRLF CRLF),
		SAMPLE(NONE, GET HOST "X: a\tb \x80\xff ! ~" CRLF
				      "x: \t\t\t0123456789abcdef\t0123456789abcdef" CRLF CRLF),
		SAMPLE(NONE, GET HOST "!#$%&'*+-.^_`|~09azAZ: :" CRLF CRLF),
		SAMPLE(NONE, POST "Content-Length: 0" CRLF CRLF),
		SAMPLE(NONE, POST "Content-Length: 9223372036854775807" CRLF CRLF),
		SAMPLE(NONE, POST "Content-Length: 0000000000000000000005" CRLF CRLF),
		SAMPLE(NONE, POST "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(NONE, POST "tRANSFER-eNCODING:CHUNKED " CRLF CRLF),
		SAMPLE(NONE, GET "Connection: a, b,,c , close" CRLF "A: 1" CRLF HOST "C: 2" CRLF
				 "d: 3" CRLF CRLF),
	};

	sample_check_all(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_request_lines)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_REQUEST_LINE, " GET / HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET  / HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET /  HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / HTTP/1.1 " CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET\t/ HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET /\tHTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / \tHTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / HTTP/1.1\t" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET /a b HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / Hello" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / " CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET " CRLF),
		SAMPLE(BAD_REQUEST_LINE, "G@T / HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "\x80\x2e\x01"),
		SAMPLE(BAD_REQUEST_LINE, "{\"json\": 1}"),
		SAMPLE(BAD_REQUEST_LINE, CRLF CRLF GET HOST CRLF),
		SAMPLE(BARE_LF, "\nGET / HTTP/1.1" CRLF),
		SAMPLE(BARE_LF, "GET\n"),
		SAMPLE(BARE_LF, "GET /\n"),
		SAMPLE(BARE_LF, "GET / \n"),
		SAMPLE(BARE_LF, "GET / HTTP/1.1\n"),
		SAMPLE(BARE_LF, GET HOST "\n"),
		SAMPLE(BARE_CR, "\rGET / HTTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GE\rT / HTTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GET /\rx HTTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GET / HT\rTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GET / HTTP/1.1\r\r\n"),
		SAMPLE(BARE_CR, GET HOST "\rX" CRLF),
		SAMPLE(CONTROL_BYTE, "\0GET / HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET\0 / HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET /\0 HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET /\x7f HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET /\x1b[0m HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET / HTTP/1.1\v" CRLF),
	};

	sample_check_all(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_versions)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_VERSION, "GET /" CRLF), /* HTTP/0.9 */
		SAMPLE(BAD_VERSION, "GET / HTTP/0.9" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/2.0" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/3" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/11.1" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/1.10" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/1,1" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/1." CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/" CRLF),
		SAMPLE(BAD_VERSION, "GET / http/1.1" CRLF),
		SAMPLE(BAD_VERSION, "GET / Http/1.1" CRLF),
		SAMPLE(BAD_VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		SAMPLE(BAD_VERSION,
		       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* TLS ClientHello */
	};

	sample_check_all(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_a_wrong_start_is_an_error_at_once)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_VERSION, "\x16"),         SAMPLE(BAD_VERSION, "PRI * HTTP/2"),
		SAMPLE(BAD_VERSION, "GET /" CRLF),   SAMPLE(BAD_VERSION, "GET / h"),
		SAMPLE(BAD_REQUEST_LINE, "GET  "),   SAMPLE(BAD_REQUEST_LINE, " "),
		SAMPLE(BAD_REQUEST_LINE, "GET / X"), SAMPLE(BAD_REQUEST_LINE, "\xff"),
		SAMPLE(BAD_REQUEST_LINE, "GET /\t"),
	};

	sample_check_all(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_responses_are_accepted)
{
	static const struct sample samples[] = {
		SAMPLE(NONE, OK CRLF),
		SAMPLE(NONE, "HTTP/1.0 200 OK" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 404 " CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 404" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 599 a\tb  \x80\xff 0123456789abcdef" CRLF "A: b" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 100 Continue" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 204 No Content" CRLF "Content-Length: 0" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 304 Not Modified" CRLF "Content-Length: 77" CRLF
			     "ETag: \"x\"" CRLF CRLF),
		SAMPLE(NONE, OK "Date: Mon, 27 Jul 2009 12:28:53 GMT" CRLF "Server: Apache" CRLF
				"Content-Length: 51" CRLF "Vary: Accept-Encoding" CRLF
				"Content-Type: text/plain" CRLF CRLF),
		SAMPLE(NONE, OK "Transfer-Encoding: chunked" CRLF "Connection: close" CRLF CRLF),
		SAMPLE(NONE, OK "Host: two" CRLF "Host: of, them" CRLF CRLF),
	};

	sample_check_all(HTTP_RESPONSE, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_responses)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 099 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 600 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 00\n" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 20 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 2000 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1  200 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1\t200 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 +20 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 200\tOK" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "ICY 200 OK" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, CRLF OK CRLF),
		SAMPLE(BAD_REQUEST_LINE, "<html>"),
		SAMPLE(BAD_VERSION, "HTTP/2.0 200 OK" CRLF CRLF),
		SAMPLE(BAD_VERSION, "http/1.1 200 OK" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, "HTTP/1.1 200 O\0K" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, "\x15\x03\x03\x00\x02\x02\x28"), /* TLS alert */
		SAMPLE(BARE_LF, "HTTP/1.1 200 OK\n\n"),
		SAMPLE(BARE_LF, "HTTP/1.1 200\n\n"),
		SAMPLE(BARE_CR, "HTTP/1.1 200 OK\rX" CRLF CRLF),
		SAMPLE(BARE_CR, "HTTP/1.1 200\rX" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, OK " A: b" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, OK "A: b" CRLF " c" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, OK "A : b" CRLF CRLF),
		SAMPLE(LENGTH_AND_ENCODING,
		       OK "Content-Length: 5" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(DIFFERING_CONTENT_LENGTHS,
		       OK "Content-Length: 5" CRLF "Content-Length: 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, OK "Content-Length: 5, 5" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, OK "Transfer-Encoding: gzip, chunked" CRLF CRLF),
		SAMPLE(ENCODING_IN_OLD_VERSION,
		       "HTTP/1.0 200 OK" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING,
		       "HTTP/1.1 204 A" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING,
		       "HTTP/1.1 101 A" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
	};

	sample_check_all(HTTP_RESPONSE, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_a_request_is_taken_apart)
{
	const struct http_head *head = sample_parse(
		HTTP_REQUEST,
		SPAN("POST /in.php?key=1&json=1 HTTP/1.1" CRLF "Host: localhost:8080" CRLF
		     "X-One:  a b\t" CRLF "Content-Length: 12" CRLF "Expect: 100-Continue" CRLF
		     "Connection: Keep-Alive" CRLF CRLF "body"));

	ck_assert(span_is(http_head_span(head, head->method), SPAN("POST")));
	ck_assert(span_is(http_head_span(head, head->target), SPAN("/in.php?key=1&json=1")));
	ck_assert_uint_eq(head->version_minor, 1);
	ck_assert_uint_eq(head->field_count, 5);
	ck_assert(span_is(http_field_name(head, &head->fields[1]), SPAN("X-One")));
	ck_assert(span_is(http_field_value(head, &head->fields[1]), SPAN("a b")));
	ck_assert(head->has_content_length && head->content_length == 12);
	ck_assert(head->has_expect && head->expects_continue);
	ck_assert(head->has_keep_alive && !head->has_close);
	ck_assert(memcmp(head->base + head->head_bytes, "body", 4) == 0);
	ck_assert_int_eq(http_request_framing(head), HTTP_LENGTH);
}
END_TEST

static enum err outcome_within(size_t head_bytes, size_t target_bytes, struct span bytes,
			       enum http_parse_state *ret_state)
{
	static struct parse_outcome outcome;

	sample_parse_all_ways(&outcome, HTTP_REQUEST,
			      (struct http_limits){head_bytes, target_bytes}, bytes);
	*ret_state = outcome.state;
	return outcome.err;
}

START_TEST(test_head_and_target_have_limits_of_their_own)
{
	static const char request[] = "GET /456789 HTTP/1.1" CRLF HOST CRLF;
	const size_t target_bytes = 7;
	const size_t head_bytes = sizeof(request) - 1 - target_bytes;
	enum http_parse_state state;

	ck_assert_int_eq(outcome_within(head_bytes, target_bytes, SPAN(request), &state), ERR_NONE);
	ck_assert_int_eq(state, HTTP_PARSE_DONE);
	for (size_t less = 0; less < head_bytes; less++) {
		ck_assert_int_eq(outcome_within(less, target_bytes, SPAN(request), &state),
				 ERR_HEAD_TOO_LARGE);
	}
	for (size_t less = 0; less < target_bytes; less++) {
		ck_assert_int_eq(outcome_within(head_bytes, less, SPAN(request), &state),
				 ERR_TARGET_TOO_LONG);
	}
	ck_assert_int_eq(outcome_within(head_bytes, 6, SPAN("GET /45678"), &state), ERR_NONE);
	ck_assert_int_eq(outcome_within(head_bytes, 6, SPAN("GET /456789"), &state),
			 ERR_TARGET_TOO_LONG);
	ck_assert_int_eq(outcome_within(20, 8, SPAN("AAAAAAAAAAAAAAAAAAAA"), &state),
			 ERR_HEAD_TOO_LARGE);
	ck_assert_int_eq(outcome_within(20, 8, SPAN("AAAAAAAAAAAAAAAAAAA"), &state), ERR_NONE);
	ck_assert_int_eq(state, HTTP_PARSE_START_LINE);
}
END_TEST

START_TEST(test_what_follows_the_head_does_not_count)
{
	static struct parse_outcome outcome;
	struct sample_text text = sample_build(GET HOST CRLF, GET HOST CRLF, 100, "");

	parse_in_pieces(&outcome, HTTP_REQUEST, (struct http_limits){100, 10}, sample_span(&text),
			text.len, 1);
	ck_assert_int_eq(outcome.err, ERR_NONE);
	ck_assert_int_eq(outcome.state, HTTP_PARSE_DONE);
	ck_assert_uint_eq(outcome.head.head_bytes, sizeof(GET HOST CRLF) - 1);
	free(text.bytes);
}
END_TEST

START_TEST(test_faults_within_the_limits_win_over_them)
{
	enum http_parse_state state;

	ck_assert_int_eq(outcome_within(30, 8,
					SPAN(GET "X: \1"
						 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" CRLF CRLF),
					&state),
			 ERR_CONTROL_BYTE);
	ck_assert_int_eq(outcome_within(30, 8,
					SPAN(GET "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\1" CRLF CRLF),
					&state),
			 ERR_HEAD_TOO_LARGE);
}
END_TEST

/* Byte by byte over megabytes: a parser that began anew at each call would not end within the test's time. */
static void parse_byte_by_byte(enum http_kind kind, struct sample_text text,
			       struct http_limits with)
{
	static struct http_head head;
	struct http_parser parser;
	enum err err = ERR_NONE;

	http_parser_init(&parser, kind, with);
	for (size_t len = 0; len <= text.len && err == ERR_NONE; len++) {
		err = http_parse(&parser, &head, text.bytes, len);
	}
	ck_assert_int_eq(err, ERR_NONE);
	ck_assert_int_eq(parser.state, HTTP_PARSE_DONE);
	ck_assert_uint_eq(head.head_bytes, text.len);
	free(text.bytes);
}

START_TEST(test_the_work_is_linear)
{
	static const struct http_limits wide = {4 << 20, 4 << 20};
	static struct parse_outcome outcome;
	struct sample_text text =
		sample_build("GET /in.php?body=", "A", 2 << 20, " HTTP/1.1" CRLF HOST CRLF);

	parse_in_pieces(&outcome, HTTP_REQUEST, (struct http_limits){65536, (2 << 20) + 13},
			sample_span(&text), 65536, 65536);
	ck_assert_int_eq(outcome.err, ERR_NONE);
	ck_assert_int_eq(outcome.state, HTTP_PARSE_DONE);
	parse_byte_by_byte(HTTP_REQUEST, text, wide);
	parse_byte_by_byte(HTTP_REQUEST, sample_build(GET HOST "X:", "\t", 2 << 20, CRLF CRLF),
			   wide);
	parse_byte_by_byte(HTTP_REQUEST,
			   sample_build("", "M", 2 << 20, " / HTTP/1.1" CRLF HOST CRLF), wide);
	parse_byte_by_byte(HTTP_RESPONSE, sample_build("HTTP/1.1 200 ", "r", 2 << 20, CRLF CRLF),
			   wide);
}
END_TEST

START_TEST(test_the_method_is_known_when_the_rest_is_wrong)
{
	static const struct span bytes = {"HEAD / HTTP/1.0" CRLF "X y" CRLF, 22};
	static struct http_head head;
	struct http_parser parser;

	http_parser_init(&parser, HTTP_REQUEST, sample_limits);
	ck_assert_int_eq(http_parse(&parser, &head, bytes.data, bytes.len), ERR_BAD_FIELD_NAME);
	ck_assert(span_is(http_head_span(&head, head.method), SPAN("HEAD")));
	ck_assert_uint_eq(head.version_minor, 0);
}
END_TEST

START_TEST(test_how_a_response_ends)
{
	static const struct {
		const char *bytes;
		bool was_head;
		enum http_framing framing;
	} rows[] = {
		{OK CRLF, false, HTTP_UNTIL_CLOSE},
		{"HTTP/1.0 200 OK" CRLF CRLF, false, HTTP_UNTIL_CLOSE},
		{OK "Content-Length: 0" CRLF CRLF, false, HTTP_LENGTH},
		{OK "Transfer-Encoding: chunked" CRLF CRLF, false, HTTP_CHUNKED},
		{OK CRLF, true, HTTP_NO_BODY},
		{OK "Content-Length: 5" CRLF CRLF, true, HTTP_NO_BODY},
		{OK "Transfer-Encoding: chunked" CRLF CRLF, true, HTTP_NO_BODY},
		{"HTTP/1.1 103 Early Hints" CRLF "Content-Length: 5" CRLF CRLF, false,
		 HTTP_NO_BODY},
		{"HTTP/1.1 204 A" CRLF "Content-Length: 5" CRLF CRLF, false, HTTP_NO_BODY},
		{"HTTP/1.1 304 A" CRLF "Content-Length: 5" CRLF CRLF, false, HTTP_NO_BODY},
		{"HTTP/1.1 304 A" CRLF "Transfer-Encoding: chunked" CRLF CRLF, false, HTTP_NO_BODY},
		{"HTTP/1.1 404 A" CRLF CRLF, false, HTTP_UNTIL_CLOSE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct http_head *head = sample_parse(HTTP_RESPONSE, span_of(rows[i].bytes));

		ck_assert_msg(http_response_framing(head, rows[i].was_head) == rows[i].framing,
			      "%s", rows[i].bytes);
	}
}
END_TEST

START_TEST(test_how_a_request_ends)
{
	ck_assert_int_eq(http_request_framing(sample_parse(HTTP_REQUEST, SPAN(POST CRLF))),
			 HTTP_NO_BODY);
	ck_assert_int_eq(http_request_framing(sample_parse(
				 HTTP_REQUEST, SPAN(POST "Content-Length: 0" CRLF CRLF))),
			 HTTP_LENGTH);
	ck_assert_int_eq(http_request_framing(sample_parse(
				 HTTP_REQUEST, SPAN(POST "Transfer-Encoding: chunked" CRLF CRLF))),
			 HTTP_CHUNKED);
}
END_TEST

SUITE_MAIN("http/parser", test_requests_are_accepted, test_bad_request_lines, test_bad_versions,
	   test_a_wrong_start_is_an_error_at_once, test_responses_are_accepted, test_bad_responses,
	   test_a_request_is_taken_apart, test_head_and_target_have_limits_of_their_own,
	   test_what_follows_the_head_does_not_count, test_faults_within_the_limits_win_over_them,
	   test_the_work_is_linear, test_the_method_is_known_when_the_rest_is_wrong,
	   test_how_a_response_ends, test_how_a_request_ends)
