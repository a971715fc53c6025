/* proxy/reply.c: our own replies, byte for byte. */
#include "base/macros.h"
#include "base/span.h"
#include "proxy/reply.h"
#include "suite.h"

#include <string.h>

static const char *write_text(const struct reply *reply)
{
	static char text[REPLY_BYTES + 1];
	size_t len = reply_write(reply, text);

	ck_assert_uint_le(len, REPLY_BYTES);
	text[len] = '\0';
	ck_assert_uint_eq(strlen(text), len);
	return text;
}

START_TEST(test_plain)
{
	struct reply reply = {.err = ERR_QUEUE_TIMEOUT, .keeps_alive = true};

	ck_assert_str_eq(write_text(&reply),
			 "HTTP/1.1 503 Service Unavailable\r\n"
			 "Content-Type: text/plain; charset=utf-8\r\n"
			 "Content-Length: 19\r\n"
			 "Cache-Control: no-store\r\n"
			 "Proxy-Status: warmpool; error=connection_limit_reached; "
			 "details=\"no connection came free within queue.timeout\"\r\n"
			 "Retry-After: 1\r\n"
			 "\r\n"
			 "ERROR_QUEUE_TIMEOUT");
}
END_TEST

START_TEST(test_json)
{
	struct reply reply = {.err = ERR_QUEUE_TIMEOUT, .is_json = true, .retry_after_s = 30};

	ck_assert_str_eq(write_text(&reply),
			 "HTTP/1.1 503 Service Unavailable\r\n"
			 "Content-Type: application/json\r\n"
			 "Content-Length: 44\r\n"
			 "Cache-Control: no-store\r\n"
			 "Proxy-Status: warmpool; error=connection_limit_reached; "
			 "details=\"no connection came free within queue.timeout\"\r\n"
			 "Retry-After: 30\r\n"
			 "Connection: close\r\n"
			 "\r\n"
			 "{\"status\":0,\"request\":\"ERROR_QUEUE_TIMEOUT\"}");
}
END_TEST

START_TEST(test_refusals_say_why)
{
	struct reply reply = {.err = ERR_BODY_TOO_LARGE};

	ck_assert_str_eq(write_text(&reply),
			 "HTTP/1.1 413 Content Too Large\r\n"
			 "Content-Type: text/plain; charset=utf-8\r\n"
			 "Content-Length: 73\r\n"
			 "Cache-Control: no-store\r\n"
			 "Proxy-Status: warmpool; error=http_request_error; "
			 "details=\"the request body is larger than limits.request_body\"\r\n"
			 "Connection: close\r\n"
			 "\r\n"
			 "ERROR_BODY_TOO_LARGE\n"
			 "the request body is larger than limits.request_body\n");
	reply.is_json = true;
	ck_assert_ptr_nonnull(strstr(write_text(&reply),
				     "\r\n\r\n{\"status\":0,\"request\":\"ERROR_BODY_TOO_LARGE\","
				     "\"error_text\":\"the request body is larger than "
				     "limits.request_body\"}"));
}
END_TEST

START_TEST(test_an_unknown_submit_names_its_cause_and_no_wait)
{
	struct reply reply = {
		.err = ERR_SUBMIT_UNKNOWN,
		.cause = ERR_RESPONSE_TIMEOUT,
		.detail = "attempt 1",
		.keeps_alive = true,
		.retry_after_s = 5,
	};

	ck_assert_str_eq(
		write_text(&reply),
		"HTTP/1.1 424 Failed Dependency\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: 20\r\n"
		"Cache-Control: no-store\r\n"
		"Proxy-Status: warmpool; error=connection_read_timeout; "
		"details=\"sent, and its fate is unknown: a task may exist and be paid; it was not "
		"sent again; RESPONSE_TIMEOUT: the upstream did not answer in time; attempt 1\"\r\n"
		"\r\n"
		"ERROR_SUBMIT_UNKNOWN");
	reply.cause = ERR_NONE;
	ck_assert_ptr_nonnull(
		strstr(write_text(&reply), "error=connection_terminated; details=\"sent"));
}
END_TEST

START_TEST(test_other_errors_keep_their_type_beside_a_cause)
{
	struct reply reply = {.err = ERR_RESPONSE_MALFORMED, .cause = ERR_BARE_LF};
	const char *text = write_text(&reply);

	ck_assert_ptr_nonnull(
		strstr(text, "error=http_protocol_error; details=\"the upstream's response is "
			     "not valid HTTP/1.1; BARE_LF: a line that ends"));
	reply.cause = reply.err;
	ck_assert_ptr_null(strstr(write_text(&reply), "RESPONSE_MALFORMED:"));
}
END_TEST

START_TEST(test_connection_notes)
{
	struct reply reply = {.err = ERR_QUEUE_FULL};

	ck_assert_ptr_nonnull(strstr(write_text(&reply), "\r\nConnection: close\r\n\r\n"));
	reply.is_http10 = true;
	ck_assert_ptr_nonnull(strstr(write_text(&reply), "\r\nConnection: close\r\n\r\n"));
	reply.keeps_alive = true;
	ck_assert_ptr_nonnull(strstr(write_text(&reply), "\r\nConnection: keep-alive\r\n\r\n"));
	reply.is_http10 = false;
	ck_assert_ptr_null(strstr(write_text(&reply), "Connection: "));
}
END_TEST

START_TEST(test_head_has_the_length_and_no_body)
{
	struct reply reply = {.err = ERR_BODY_TOO_LARGE, .is_head = true};
	const char *text = write_text(&reply);
	size_t len = strlen(text);

	ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Length: 73\r\n"));
	ck_assert_str_eq(text + len - 4, "\r\n\r\n");
}
END_TEST

START_TEST(test_a_missing_token_is_asked_for)
{
	struct reply reply = {.err = ERR_TOKEN_REQUIRED};

	ck_assert_ptr_nonnull(strstr(write_text(&reply), "HTTP/1.1 401 Unauthorized\r\n"));
	ck_assert_ptr_nonnull(
		strstr(write_text(&reply), "\r\nWWW-Authenticate: Basic realm=\"warmpool\"\r\n"));
	ck_assert_ptr_null(strstr(write_text(&reply), "Proxy-Authenticate"));
	reply.is_by_proxy = true;
	ck_assert_int_eq(reply_status(&reply), 407);
	ck_assert_ptr_nonnull(
		strstr(write_text(&reply), "HTTP/1.1 407 Proxy Authentication Required\r\n"));
	ck_assert_ptr_nonnull(
		strstr(write_text(&reply), "\r\nProxy-Authenticate: Basic realm=\"warmpool\"\r\n"));
	ck_assert_ptr_null(strstr(write_text(&reply), "WWW-Authenticate"));
	reply.err = ERR_NOT_ALLOWED;
	ck_assert_int_eq(reply_status(&reply), 403);
	ck_assert_ptr_null(strstr(write_text(&reply), "Authenticate"));
	reply = (struct reply){.err = ERR_TOO_MANY_FAILURES, .retry_after_s = 30};
	ck_assert_ptr_nonnull(strstr(write_text(&reply), "HTTP/1.1 429 Too Many Requests\r\n"));
	ck_assert_ptr_nonnull(strstr(write_text(&reply), "\r\nRetry-After: 30\r\n"));
}
END_TEST

START_TEST(test_a_refused_method_names_the_allowed)
{
	struct reply reply = {.err = ERR_CONNECT_METHOD};

	ck_assert_ptr_nonnull(strstr(write_text(&reply), "\r\nAllow: GET, HEAD, POST\r\n"));
	reply.err = ERR_NOT_ALLOWED;
	ck_assert_ptr_null(strstr(write_text(&reply), "\r\nAllow: "));
}
END_TEST

START_TEST(test_details_are_an_sf_string)
{
	struct reply reply = {.err = ERR_WRONG_HOST, .detail = "a\"b\\c\r\nX: y\x01\x7f\xc3\xa9"};

	ck_assert_ptr_nonnull(strstr(write_text(&reply), "; a\\\"b\\\\c??X: y????\"\r\n"));
	reply.detail = "";
	ck_assert_ptr_null(strstr(write_text(&reply), "; \"\r\n"));
}
END_TEST

/* The head's lines end as they must, the length is right, and the longest detail fits. */
static void check_shape(const struct reply *reply)
{
	const char *text = write_text(reply);
	const char *body = strstr(text, "\r\n\r\n") + 4;
	const char *length = strstr(text, "\r\nContent-Length: ") + 18;
	bool waits = strstr(text, "\r\nRetry-After: 4294967295\r\n") != NULL;
	bool good = true;

	ck_assert_uint_eq(strtoul(length, NULL, 10), strlen(body));
	ck_assert_int_eq(waits, err_waiting_helps(reply->err));
	ck_assert_ptr_nonnull(strstr(text, "Proxy-Status: warmpool; error="));
	ck_assert_ptr_null(strstr(text, "error=;"));
	for (const char *at = text; at < body; at++) {
		good = good && (*at >= ' ' || *at == '\r' || *at == '\n') &&
		       (*at == '\n') == (at > text && at[-1] == '\r');
	}
	ck_assert(good);
}

START_TEST(test_every_error_fits)
{
	char quotes[400];

	memset(quotes, '"', sizeof(quotes) - 1);
	quotes[sizeof(quotes) - 1] = '\0';
	for (int err = ERR_NONE + 1; err < ERR_COUNT; err++) {
		for (int cause = ERR_NONE; cause < ERR_COUNT; cause++) {
			struct reply reply = {
				.err = (enum err)err,
				.cause = (enum err)cause,
				.detail = quotes,
				.is_http10 = true,
				.keeps_alive = true,
				.retry_after_s = 4294967295,
			};

			check_shape(&reply);
			reply.is_json = true;
			check_shape(&reply);
		}
	}
}
END_TEST

START_TEST(test_continue)
{
	ck_assert_str_eq(reply_continue, "HTTP/1.1 100 Continue\r\n\r\n");
}
END_TEST

SUITE_MAIN("proxy/reply", test_plain, test_json, test_refusals_say_why,
	   test_an_unknown_submit_names_its_cause_and_no_wait,
	   test_other_errors_keep_their_type_beside_a_cause, test_connection_notes,
	   test_head_has_the_length_and_no_body, test_a_missing_token_is_asked_for,
	   test_a_refused_method_names_the_allowed, test_details_are_an_sf_string,
	   test_every_error_fits, test_continue)
