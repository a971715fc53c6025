/* Writes the replies that are our own. */
#include "proxy/reply.h"

#include "base/macros.h"
#include "base/span.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DETAIL_BYTES_MAX = 200, RETRY_AFTER_FALLBACK_S = 1, BODY_BYTES = 512 };

const char reply_continue[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* Text being written into a place that is large enough for every row of errors.def (a test proves it). */
struct writer {
	char *out; /* borrowed */
	size_t room;
	size_t len;
};

static void put_span(struct writer *writer, struct span text)
{
	assert(text.len <= writer->room - writer->len);
	memcpy(writer->out + writer->len, text.data, text.len);
	writer->len += text.len;
}

static void put(struct writer *writer, const char *text)
{
	put_span(writer, span_of(text));
}

static void put_number(struct writer *writer, uint64_t number)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);

	put_span(writer, (struct span){digits, (size_t)len});
}

/* As it stands between the quotes of an RFC 8941 string and of a JSON one: printable ASCII, \ and " escaped. */
static void put_escaped(struct writer *writer, const char *text, size_t bytes_max)
{
	for (size_t i = 0; i < bytes_max && text[i] != '\0'; i++) {
		char byte = text[i];

		if (byte == '"' || byte == '\\') {
			put(writer, "\\");
		}
		if (byte < ' ' || byte > '~') {
			byte = '?';
		}
		put_span(writer, (struct span){&byte, 1});
	}
}

/* RFC 9110 section 15, RFC 4918 section 11.4, RFC 6585 section 5. */
const char *reply_reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} rows[] = {
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{424, "Failed Dependency"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].status == status) {
			return rows[i].phrase;
		}
	}
	assert(false && "a status of ours without its reason phrase");
	return "";
}

/* The request itself was at fault, so that its sender can mend it: then the body says why. */
static bool says_why(enum err err)
{
	int status = err_status(err);

	return (status < 500 && status != 424) || status == 501 || status == 505;
}

static void write_body(const struct reply *reply, struct writer *body)
{
	bool has_text = says_why(reply->err);

	put(body, reply->is_json ? "{\"status\":0,\"request\":\"ERROR_" : "ERROR_");
	put(body, err_name(reply->err));
	if (!reply->is_json) {
		if (has_text) {
			put(body, "\n");
			put(body, err_text(reply->err));
			put(body, "\n");
		}
		return;
	}
	if (has_text) {
		put(body, "\",\"error_text\":\"");
		put_escaped(body, err_text(reply->err), SIZE_MAX);
	}
	put(body, "\"}");
}

static void write_proxy_status(const struct reply *reply, struct writer *head)
{
	bool has_cause = reply->cause != ERR_NONE && reply->cause != reply->err;
	bool is_by_cause = has_cause && reply->err == ERR_SUBMIT_UNKNOWN;

	put(head, "Proxy-Status: warmpool; error=");
	put(head, err_proxy_type(is_by_cause ? reply->cause : reply->err));
	put(head, "; details=\"");
	put_escaped(head, err_text(reply->err), SIZE_MAX);
	if (has_cause) {
		put(head, "; ");
		put(head, err_name(reply->cause));
		put(head, ": ");
		put_escaped(head, err_text(reply->cause), SIZE_MAX);
	}
	if (reply->detail != NULL && reply->detail[0] != '\0') {
		put(head, "; ");
		put_escaped(head, reply->detail, DETAIL_BYTES_MAX);
	}
	put(head, "\"\r\n");
}

static void write_optional_fields(const struct reply *reply, struct writer *head)
{
	int status = reply_status(reply);

	if (err_waiting_helps(reply->err) && reply->err != ERR_SUBMIT_UNKNOWN) {
		put(head, "Retry-After: ");
		put_number(head, reply->retry_after_s > 0 ? reply->retry_after_s
							  : RETRY_AFTER_FALLBACK_S);
		put(head, "\r\n");
	}
	if (status == 401 || status == 407) {
		put(head, status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate");
		put(head, ": Basic realm=\"warmpool\"\r\n");
	}
	/* RFC 9110 section 15.5.6 demands it; these are what the API answers, though others pass as well. */
	if (status == 405) {
		put(head, "Allow: GET, HEAD, POST\r\n");
	}
	if (!reply->keeps_alive) {
		put(head, "Connection: close\r\n");
	} else if (reply->is_http10) {
		put(head, "Connection: keep-alive\r\n");
	}
}

int reply_status(const struct reply *reply)
{
	int status = err_status(reply->err);

	return status == 401 && reply->is_by_proxy ? 407 : status;
}

size_t reply_write(const struct reply *reply, char out[REPLY_BYTES])
{
	UNINITIALIZED char body_bytes[BODY_BYTES];
	struct writer body = {.out = body_bytes, .room = sizeof(body_bytes)};
	struct writer head = {.room = REPLY_BYTES};

	head.out = out;
	write_body(reply, &body);
	put(&head, "HTTP/1.1 ");
	put_number(&head, (uint64_t)reply_status(reply));
	put(&head, " ");
	put(&head, reply_reason_phrase(reply_status(reply)));
	put(&head, reply->is_json ? "\r\nContent-Type: application/json\r\n"
				  : "\r\nContent-Type: text/plain; charset=utf-8\r\n");
	put(&head, "Content-Length: ");
	put_number(&head, body.len);
	put(&head, "\r\nCache-Control: no-store\r\n");
	write_proxy_status(reply, &head);
	if (reply->extra.len > 0) {
		put_span(&head, reply->extra);
	}
	write_optional_fields(reply, &head);
	put(&head, "\r\n");
	if (!reply->is_head) {
		put_span(&head, (struct span){body.out, body.len});
	}
	return head.len;
}
