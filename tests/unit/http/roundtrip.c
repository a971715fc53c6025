/* Writes a parsed head, parses it again and compares both. */
#include "roundtrip.h"

#include "http/parser.h"
#include "http/serialize.h"

#include <stdlib.h>

enum { CHUNKED_BODY_BYTES = 12345, FIELDS_ADDED = 3 };

static const struct http_limits no_limits = {1 << 28, 1 << 28};

/* The fields that our own lines replace or follow are compared by the callers. */
static bool is_compared(const struct http_field *field)
{
	return !field->is_hop_by_hop && field->id != HTTP_FIELD_HOST &&
	       field->id != HTTP_FIELD_CONTENT_LENGTH && field->id != HTTP_FIELD_EXPECT;
}

static const struct http_field *next_compared(const struct http_head *head, unsigned *index)
{
	while (*index < head->field_count) {
		const struct http_field *field = &head->fields[(*index)++];

		if (is_compared(field)) {
			return field;
		}
	}
	return NULL;
}

/* The bytes of a field's line without its end. */
static struct span line_of(const struct http_head *head, const struct http_field *field)
{
	const char *begin = head->base + field->name_at;
	const char *end = begin;

	while (*end != '\r') {
		end++;
	}
	return (struct span){begin, (size_t)(end - begin)};
}

/* Every forwarded line of `in` is in `out`, byte for byte and in order; *ret_rest is the first of `out` beyond them. */
static const char *compare_fields(const struct http_head *in, const struct http_head *out,
				  const struct http_field **ret_rest)
{
	unsigned in_index = 0;
	unsigned out_index = 0;
	const struct http_field *expected;

	while ((expected = next_compared(in, &in_index)) != NULL) {
		const struct http_field *found = next_compared(out, &out_index);

		if (found == NULL) {
			return "a field was lost";
		}
		if (!span_is(line_of(in, expected), line_of(out, found))) {
			return "a field line changed";
		}
	}
	*ret_rest = next_compared(out, &out_index);
	return NULL;
}

static const char *compare_request(const struct http_head *in, const struct http_request_out *sent,
				   const struct http_head *out)
{
	const struct http_field *host = http_head_find(out, HTTP_FIELD_HOST);
	const struct http_field *rest = NULL;
	struct span target = http_head_span(out, out->target);
	const char *difference;

	if (!span_is(http_head_span(in, in->method), http_head_span(out, out->method))) {
		return "the method changed";
	}
	if (sent->target->needs_slash) {
		target = (struct span){target.data + 1, target.len - 1};
	}
	if (!span_is(sent->target->origin, target)) {
		return "the target changed";
	}
	if (host != &out->fields[0] || !span_is(http_field_value(out, host), sent->host)) {
		return "Host is not the first field";
	}
	difference = compare_fields(in, out, &rest);
	if (difference != NULL) {
		return difference;
	}
	if (rest == NULL || rest->id != HTTP_FIELD_VIA) {
		return "no Via after the forwarded fields";
	}
	if (rest + 1 + sent->has_body != out->fields + out->field_count) {
		return "a field came from nowhere";
	}
	if (out->has_content_length != sent->has_body || out->content_length != sent->body_bytes ||
	    out->is_chunked) {
		return "the framing changed";
	}
	return NULL;
}

const char *roundtrip_request(const struct http_head *request)
{
	struct http_target target = http_split_target(http_head_span(request, request->method),
						      http_head_span(request, request->target));
	enum http_framing framing = http_request_framing(request);
	struct http_request_out sent = {
		.head = request,
		.target = &target,
		.host = SPAN("api.example:8443"),
		.has_body = framing != HTTP_NO_BODY,
		.body_bytes =
			framing == HTTP_CHUNKED ? CHUNKED_BODY_BYTES : request->content_length,
	};
	struct http_parser parser;
	struct http_head again;
	const char *difference = NULL;
	char *out;
	size_t len;

	if (target.form == HTTP_TARGET_BAD || target.form == HTTP_TARGET_AUTHORITY ||
	    request->field_count > HTTP_FIELDS_MAX - FIELDS_ADDED) {
		return NULL;
	}
	out = malloc(http_request_out_bytes(&sent));
	len = http_write_request(&sent, out);
	http_parser_init(&parser, HTTP_REQUEST, no_limits);
	if (len > http_request_out_bytes(&sent)) {
		difference = "longer than the bound";
	} else if (http_parse(&parser, &again, out, len) != ERR_NONE ||
		   parser.state != HTTP_PARSE_DONE || again.head_bytes != len) {
		difference = "what was written is no request";
	} else {
		difference = compare_request(request, &sent, &again);
	}
	free(out);
	return difference;
}

static const char *compare_response(const struct http_head *in,
				    const struct http_response_out *sent,
				    const struct http_head *out)
{
	const struct http_field *rest = NULL;
	const char *difference = compare_fields(in, out, &rest);

	if (in->status != out->status ||
	    !span_is(http_head_span(in, in->reason), http_head_span(out, out->reason))) {
		return "the status line changed";
	}
	if (difference != NULL) {
		return difference;
	}
	if (rest != NULL) {
		return "a field came from nowhere";
	}
	if (sent->writes_length &&
	    (!out->has_content_length || out->content_length != sent->body_bytes)) {
		return "the length was not written";
	}
	if (sent->keeps_length && (out->has_content_length != in->has_content_length ||
				   out->content_length != in->content_length)) {
		return "the length was not kept";
	}
	if (out->is_chunked || !out->has_close) {
		return "the framing changed";
	}
	return NULL;
}

const char *roundtrip_response(const struct http_head *response)
{
	bool has_body = http_response_framing(response, false) != HTTP_NO_BODY;
	struct http_response_out sent = {
		.head = response,
		.writes_length = has_body,
		.body_bytes = has_body ? CHUNKED_BODY_BYTES : 0,
		.keeps_length = response->status == 304,
		.note = HTTP_NOTE_CLOSE,
	};
	struct http_parser parser;
	struct http_head again;
	const char *difference = NULL;
	char *out;
	size_t len;

	if (response->field_count > HTTP_FIELDS_MAX - FIELDS_ADDED) {
		return NULL;
	}
	out = malloc(http_response_out_bytes(&sent));
	len = http_write_response(&sent, out);
	http_parser_init(&parser, HTTP_RESPONSE, no_limits);
	if (len > http_response_out_bytes(&sent)) {
		difference = "longer than the bound";
	} else if (http_parse(&parser, &again, out, len) != ERR_NONE ||
		   parser.state != HTTP_PARSE_DONE || again.head_bytes != len) {
		difference = "what was written is no response";
	} else {
		difference = compare_response(response, &sent, &again);
	}
	free(out);
	return difference;
}
