/* Start lines and the walk over a head's lines, resumed wherever the bytes ended. */
#include "http/parser.h"

#include "http/fields.h"
#include "http/scan.h"

#include <assert.h>
#include <string.h>

/* Positions in a head are 32 bits wide; a sum of both limits stays below that. */
#define LIMIT_HIGHEST ((size_t)1 << 30)

enum { VERSION_BYTES = 8, STATUS_BYTES = 4, TLS_HANDSHAKE = 0x16 };

void http_parser_init(struct http_parser *parser, enum http_kind kind, struct http_limits limits)
{
	*parser = (struct http_parser){
		.kind = kind,
		.limits =
			{
				.head_bytes = MIN(limits.head_bytes, LIMIT_HIGHEST),
				.target_bytes = MIN(limits.target_bytes, LIMIT_HIGHEST),
			},
	};
}

/* Where the head must have ended: all of it but the target counts. */
static size_t head_limit(const struct http_parser *parser, const struct http_head *head)
{
	return parser->limits.head_bytes + head->target.len;
}

/* Nothing more can be said with `len` bytes, of which those up to `limit` count. */
static enum err wait_within(struct http_parser *parser, size_t scanned, size_t len, size_t limit)
{
	parser->scanned = (uint32_t)scanned;
	return len >= limit ? ERR_HEAD_TOO_LARGE : ERR_NONE;
}

/* The byte at `at` ends the present run wrongly, unless it is a CR whose LF is still to come. */
static enum err refuse_at(struct http_parser *parser, const char *data, size_t at, size_t end,
			  enum err otherwise)
{
	parser->scanned = (uint32_t)at;
	return scan_fault(data + at, data + end, otherwise);
}

static enum err parse_method(struct http_parser *parser, struct http_head *head, const char *data,
			     size_t len)
{
	size_t end = MIN(len, parser->limits.head_bytes);
	size_t at = (size_t)(scan_token(data + parser->scanned, data + end) - data);
	enum err err;

	if (at < end && data[at] == ' ' && at > parser->line_at) {
		head->method = (struct http_span){parser->line_at, (uint32_t)at - parser->line_at};
		parser->scanned = (uint32_t)at + 1;
		return ERR_NONE;
	}
	if (at < end && at == parser->line_at && data[at] == TLS_HANDSHAKE) {
		return ERR_BAD_VERSION;
	}
	err = at < end ? refuse_at(parser, data, at, end, ERR_BAD_REQUEST_LINE) : ERR_NONE;
	return err != ERR_NONE ? err : wait_within(parser, at, len, parser->limits.head_bytes);
}

static enum err parse_target(struct http_parser *parser, struct http_head *head, const char *data,
			     size_t len)
{
	size_t target_at = head->method.at + head->method.len + 1;
	size_t limit = target_at + parser->limits.target_bytes + 1;
	size_t end = MIN(len, limit);
	size_t at = (size_t)(scan_text(data + parser->scanned, data + end, '!') - data);
	enum err err = ERR_NONE;

	if (at < end && data[at] == ' ' && at > target_at) {
		head->target = (struct http_span){(uint32_t)target_at, (uint32_t)(at - target_at)};
		parser->scanned = (uint32_t)at + 1;
		return ERR_NONE;
	}
	if (at < end) {
		bool ends_line = data[at] == '\r' && at > target_at;

		err = refuse_at(parser, data, at, end,
				ends_line ? ERR_BAD_VERSION : ERR_BAD_REQUEST_LINE);
	}
	parser->scanned = (uint32_t)at;
	return err == ERR_NONE && len >= limit ? ERR_TARGET_TOO_LONG : err;
}

/* HTTP/1.0 or HTTP/1.x at `at`: what is there of its VERSION_BYTES must be right. */
static enum err check_version(const char *at, const char *end)
{
	static const char pattern[] = "HTTP/1.";
	size_t there = MIN((size_t)(end - at), (size_t)VERSION_BYTES);

	if (there == VERSION_BYTES && memcmp(at, pattern, sizeof(pattern) - 1) == 0 &&
	    scan_is_digit(at[VERSION_BYTES - 1])) {
		return ERR_NONE;
	}
	for (size_t i = 0; i < there; i++) {
		bool is_name_over = i >= sizeof("HTTP/") - 1;

		if (i < sizeof(pattern) - 1 ? at[i] == pattern[i] : scan_is_digit(at[i])) {
			continue;
		}
		if (is_name_over || (at[i] | 0x20) == (pattern[i] | 0x20)) {
			return scan_fault(at + i, end, ERR_BAD_VERSION);
		}
		return scan_fault(at + i, end, ERR_BAD_REQUEST_LINE);
	}
	return ERR_NONE;
}

static void start_fields(struct http_parser *parser, size_t line_at)
{
	parser->line_at = (uint32_t)line_at;
	parser->scanned = (uint32_t)line_at;
	parser->state = HTTP_PARSE_FIELDS;
}

static enum err parse_request_version(struct http_parser *parser, struct http_head *head,
				      const char *data, size_t len)
{
	size_t at = head->target.at + head->target.len + 1;
	size_t limit = head_limit(parser, head);
	size_t end = MAX(MIN(len, limit), at);
	const char *after = data + at + VERSION_BYTES;
	enum err err = check_version(data + at, data + end);

	if (err != ERR_NONE || end - at <= VERSION_BYTES) {
		return err != ERR_NONE ? err : wait_within(parser, at, len, limit);
	}
	head->version_minor = after[-1] != '0';
	if (*after != '\r' || (end - at > VERSION_BYTES + 1 && after[1] != '\n')) {
		return scan_fault(after, data + end,
				  scan_is_digit(*after) ? ERR_BAD_VERSION : ERR_BAD_REQUEST_LINE);
	}
	if (end - at < VERSION_BYTES + 2) {
		return wait_within(parser, at, len, limit);
	}
	start_fields(parser, at + VERSION_BYTES + 2);
	return ERR_NONE;
}

static enum err parse_request_line(struct http_parser *parser, struct http_head *head,
				   const char *data, size_t len)
{
	enum err err = ERR_NONE;

	if (parser->scanned == 0 && len >= 2 && memcmp(data, "\r\n", 2) == 0) {
		parser->line_at = 2;
		parser->scanned = 2;
	}
	if (head->method.len == 0) {
		err = parse_method(parser, head, data, len);
	}
	if (err == ERR_NONE && head->method.len > 0 && head->target.len == 0) {
		err = parse_target(parser, head, data, len);
	}
	if (err == ERR_NONE && head->target.len > 0) {
		err = parse_request_version(parser, head, data, len);
	}
	return err;
}

/* " 200" at `at`: what is there of its STATUS_BYTES must be right. */
static enum err check_status(const char *at, const char *end)
{
	static const char lowest[] = " 100";
	static const char highest[] = " 599";
	size_t there = MIN((size_t)(end - at), (size_t)STATUS_BYTES);

	for (size_t i = 0; i < there; i++) {
		if (at[i] < lowest[i] || at[i] > highest[i]) {
			return scan_fault(at + i, end, ERR_BAD_REQUEST_LINE);
		}
	}
	return ERR_NONE;
}

/* The rest of a status line from `at` on: nothing, or a space and a reason. */
static enum err parse_reason(struct http_parser *parser, struct http_head *head, const char *data,
			     size_t at, size_t end)
{
	bool has_space = at < end && data[at] == ' ';
	size_t reason_at = at + has_space;
	const char *stop = data + at;

	if (has_space) {
		stop = scan_value(data + MAX(reason_at, parser->scanned), data + end);
	}
	parser->scanned = (uint32_t)(stop - data);
	if (data + end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') {
		return stop == data + end ? ERR_NONE
					  : scan_fault(stop, data + end, ERR_BAD_REQUEST_LINE);
	}
	head->reason = (struct http_span){(uint32_t)reason_at,
					  (uint32_t)(stop - data - (ptrdiff_t)reason_at)};
	start_fields(parser, (size_t)(stop - data) + 2);
	return ERR_NONE;
}

static enum err parse_status_line(struct http_parser *parser, struct http_head *head,
				  const char *data, size_t len)
{
	size_t end = MIN(len, parser->limits.head_bytes);
	const char *status = data + VERSION_BYTES;
	enum err err = check_version(data, data + end);

	if (err == ERR_NONE && end > VERSION_BYTES) {
		head->version_minor = data[VERSION_BYTES - 1] != '0';
		err = check_status(status, data + end);
	}
	if (err == ERR_NONE && end > VERSION_BYTES + STATUS_BYTES) {
		head->status = (unsigned)((status[1] - '0') * 100 + (status[2] - '0') * 10 +
					  (status[3] - '0'));
		err = parse_reason(parser, head, data, VERSION_BYTES + STATUS_BYTES, end);
	}
	if (err == ERR_NONE && parser->state == HTTP_PARSE_START_LINE &&
	    len >= parser->limits.head_bytes) {
		return ERR_HEAD_TOO_LARGE;
	}
	return err;
}

static enum err parse_fields(struct http_parser *parser, struct http_head *head, const char *data,
			     size_t len)
{
	size_t limit = head_limit(parser, head);
	size_t end = MIN(len, limit);
	bool is_resumed = parser->scanned > parser->line_at;
	enum err err = ERR_NONE;

	/* A line that was looked at in part already is looked at again only once it is whole. */
	if (!is_resumed || len >= limit ||
	    memchr(data + parser->scanned, '\n', end - parser->scanned) != NULL) {
		err = fields_read_lines(head, parser->kind, &parser->line_at, data + end);
	}
	parser->scanned = (uint32_t)end;
	if (err != ERR_NONE) {
		return err;
	}
	if (head->head_bytes > 0) {
		parser->state = HTTP_PARSE_DONE;
		return ERR_NONE;
	}
	return len >= limit ? ERR_HEAD_TOO_LARGE : ERR_NONE;
}

enum err http_parse(struct http_parser *parser, struct http_head *head, const char *data,
		    size_t len)
{
	enum err err = ERR_NONE;

	assert(len >= parser->scanned);
	if (parser->scanned == 0) {
		memset(head, 0, offsetof(struct http_head, fields));
	}
	head->base = data;
	if (parser->state == HTTP_PARSE_START_LINE && parser->kind == HTTP_REQUEST) {
		err = parse_request_line(parser, head, data, len);
	} else if (parser->state == HTTP_PARSE_START_LINE) {
		err = parse_status_line(parser, head, data, len);
	}
	if (err == ERR_NONE && parser->state == HTTP_PARSE_FIELDS) {
		err = parse_fields(parser, head, data, len);
	}
	return err;
}

enum http_framing http_response_framing(const struct http_head *response, bool was_head_request)
{
	if (was_head_request || response->status < 200 || response->status == 204 ||
	    response->status == 304) {
		return HTTP_NO_BODY;
	}
	if (response->is_chunked) {
		return HTTP_CHUNKED;
	}
	return response->has_content_length ? HTTP_LENGTH : HTTP_UNTIL_CLOSE;
}

enum http_framing http_request_framing(const struct http_head *request)
{
	if (request->is_chunked) {
		return HTTP_CHUNKED;
	}
	return request->has_content_length ? HTTP_LENGTH : HTTP_NO_BODY;
}
