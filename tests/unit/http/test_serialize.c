/* http/serialize.c: what is written for the next hop, byte for byte. */
#include "http/parser.h"
#include "http/serialize.h"
#include "suite.h"

#include <string.h>

static struct http_head head;
static char out[4096];

static void parse(enum http_kind kind, const char *bytes)
{
	struct http_parser parser;

	http_parser_init(&parser, kind, (struct http_limits){65536, 65536});
	ck_assert_int_eq(http_parse(&parser, &head, bytes, strlen(bytes)), ERR_NONE);
	ck_assert_int_eq(parser.state, HTTP_PARSE_DONE);
}

static void check_request(const char *in, struct http_request_out *request, const char *expected)
{
	static struct http_target target;
	size_t len;

	parse(HTTP_REQUEST, in);
	target = http_split_target(http_head_span(&head, head.method),
				   http_head_span(&head, head.target));
	request->head = &head;
	request->target = &target;
	request->host = SPAN("api.example");
	ck_assert_uint_le(http_request_out_bytes(request), sizeof(out));
	len = http_write_request(request, out);
	ck_assert_uint_le(len, http_request_out_bytes(request));
	out[len] = '\0';
	ck_assert_str_eq(out, expected);
}

static void check_response(const char *in, struct http_response_out *response, const char *expected)
{
	size_t len;

	parse(HTTP_RESPONSE, in);
	response->head = &head;
	ck_assert_uint_le(http_response_out_bytes(response), sizeof(out));
	len = http_write_response(response, out);
	ck_assert_uint_le(len, http_response_out_bytes(response));
	out[len] = '\0';
	ck_assert_str_eq(out, expected);
}

START_TEST(test_a_get_without_body)
{
	struct http_request_out request = {.has_body = false};

	check_request(
		"GET /res.php?action=get HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", &request,
		"GET /res.php?action=get HTTP/1.1\r\nHost: api.example\r\nVia: 1.1 warmpool\r\n\r\n");
	check_request("HEAD / HTTP/1.0\r\n\r\n", &request,
		      "HEAD / HTTP/1.1\r\nHost: api.example\r\nVia: 1.0 warmpool\r\n\r\n");
}
END_TEST

START_TEST(test_forwarded_lines_stay_byte_for_byte)
{
	struct http_request_out request = {.has_body = true, .body_bytes = 0};

	check_request(
		"POST / HTTP/1.1\r\nX-a:1\r\nConnection: close, x-b\r\nx-A:  2 \r\nHost: a\r\nX-B: 3\r\nX-b: 4\r\n"
		"Via: 1.0 fred, 1.1 p.example.net\r\nTE: trailers\r\nExpect: 100-continue\r\nContent-Length: 0\r\n"
		"Authorization: Basic eA==\r\nZ:\t\t\r\n\r\n",
		&request,
		"POST / HTTP/1.1\r\nHost: api.example\r\nX-a:1\r\nx-A:  2 \r\nVia: 1.0 fred, 1.1 p.example.net\r\n"
		"Authorization: Basic eA==\r\nZ:\t\t\r\nVia: 1.1 warmpool\r\nContent-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(test_authorization_is_dropped_when_it_was_for_us)
{
	struct http_request_out request = {.drop_authorization = true};

	check_request("GET / HTTP/1.1\r\nAuthorization: Basic eA==\r\nHost: a\r\nX: y\r\n\r\n",
		      &request,
		      "GET / HTTP/1.1\r\nHost: api.example\r\nX: y\r\nVia: 1.1 warmpool\r\n\r\n");
}
END_TEST

START_TEST(test_a_chunked_body_gets_its_length)
{
	struct http_request_out request = {.has_body = true, .body_bytes = UINT64_MAX};

	check_request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &request,
		      "POST / HTTP/1.1\r\nHost: api.example\r\nVia: 1.1 warmpool\r\n"
		      "Content-Length: 18446744073709551615\r\n\r\n");
}
END_TEST

START_TEST(test_targets_are_sent_in_origin_form)
{
	static const struct {
		const char *in;
		const char *expected;
	} rows[] = {
		{"GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
		 "GET /b?c HTTP/1.1\r\nHost: api.example\r\nVia: 1.1 warmpool\r\n\r\n"},
		{"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: api.example\r\nVia: 1.1 warmpool\r\n\r\n"},
		{"GET http://a?c HTTP/1.1\r\nHost: a\r\n\r\n",
		 "GET /?c HTTP/1.1\r\nHost: api.example\r\nVia: 1.1 warmpool\r\n\r\n"},
		{"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
		 "OPTIONS * HTTP/1.1\r\nHost: api.example\r\nVia: 1.1 warmpool\r\n\r\n"},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		 "OPTIONS * HTTP/1.1\r\nHost: api.example\r\nVia: 1.1 warmpool\r\n\r\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request_out request = {.has_body = false};

		check_request(rows[i].in, &request, rows[i].expected);
	}
}
END_TEST

START_TEST(test_another_target_may_be_longer_than_the_heads_own)
{
	static char long_origin[2048];
	struct http_target target;
	struct http_request_out request = {.target = &target, .head = &head, .host = SPAN("a")};
	size_t len;

	memset(long_origin, 'x', sizeof(long_origin));
	long_origin[0] = '/';
	parse(HTTP_REQUEST, "GET /y HTTP/1.1\r\nHost: b\r\n\r\n");
	target = http_split_target(SPAN("GET"), SPAN("/y"));
	target.origin = (struct span){long_origin, sizeof(long_origin)};
	ck_assert_uint_le(http_request_out_bytes(&request), sizeof(out));
	len = http_write_request(&request, out);
	ck_assert_uint_le(len, http_request_out_bytes(&request));
	ck_assert_mem_eq(out, "GET /xxx", strlen("GET /xxx"));
	ck_assert_mem_eq(out + 4 + sizeof(long_origin), " HTTP/1.1\r\nHost: a\r\n", 20);
}
END_TEST

START_TEST(test_responses)
{
	struct http_response_out response = {.writes_length = true, .body_bytes = 1234567890};

	check_response(
		"HTTP/1.0 200 Very Good\r\nA: b\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\nConnection: A2\r\n"
		"A2: x\r\nB: c\r\n\r\n",
		&response,
		"HTTP/1.1 200 Very Good\r\nA: b\r\nB: c\r\nContent-Length: 1234567890\r\n\r\n");
	response.note = HTTP_NOTE_CLOSE;
	check_response("HTTP/1.1 599\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n",
		       &response,
		       "HTTP/1.1 599 \r\nContent-Length: 1234567890\r\nConnection: close\r\n\r\n");
	response = (struct http_response_out){.note = HTTP_NOTE_KEEP_ALIVE};
	check_response("HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", &response,
		       "HTTP/1.1 204 \r\nConnection: keep-alive\r\n\r\n");
	response = (struct http_response_out){.keeps_length = true};
	check_response("HTTP/1.1 304 Not Modified\r\ncontent-length:  005\r\nETag: \"x\"\r\n\r\n",
		       &response,
		       "HTTP/1.1 304 Not Modified\r\ncontent-length:  005\r\nETag: \"x\"\r\n\r\n");
}
END_TEST

SUITE_MAIN("http/serialize", test_another_target_may_be_longer_than_the_heads_own,
	   test_a_get_without_body, test_forwarded_lines_stay_byte_for_byte,
	   test_authorization_is_dropped_when_it_was_for_us, test_a_chunked_body_gets_its_length,
	   test_targets_are_sent_in_origin_form, test_responses)
