/* Reads the parts of a multipart/form-data body: exact about its delimiters, so that no other parser sees other parts. */
#include "base/macros.h"
#include "proxy/params.h"

#include <string.h>

enum {
	BOUNDARY_BYTES_MAX = 70, /* RFC 2046 section 5.1.1 */
	PART_LINE_BYTES_MAX = 8192,
};

struct delimiter {
	size_t len;
	char bytes[4 + BOUNDARY_BYTES_MAX]; /* CRLF "--" boundary */
};

struct header_param {
	struct span name;
	struct span value; /* without quotes, backslashes still in it */
	bool has_backslash;
};

enum step { STEP_NEXT, STEP_END, STEP_BAD };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void drop_front(struct span *text, size_t bytes)
{
	text->data += bytes;
	text->len -= bytes;
}

static void drop_blanks(struct span *text)
{
	while (text->len > 0 && is_blank(text->data[0])) {
		drop_front(text, 1);
	}
}

static bool is_name_byte(char c)
{
	char lower = (char)(c | 0x20);

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '*';
}

/* Field and parameter names: the tokens that real ones are made of. */
static struct span take_name(struct span *rest)
{
	struct span name = {rest->data, 0};

	while (rest->len > 0 && is_name_byte(rest->data[0])) {
		drop_front(rest, 1);
		name.len++;
	}
	return name;
}

static bool take_quoted(struct span *rest, struct header_param *param)
{
	drop_front(rest, 1);
	param->value = (struct span){rest->data, 0};
	while (rest->len > 0 && rest->data[0] != '"') {
		size_t bytes = rest->data[0] == '\\' ? 2 : 1;

		if (bytes > rest->len) {
			return false;
		}
		param->has_backslash |= bytes == 2;
		param->value.len += bytes;
		drop_front(rest, bytes);
	}
	if (rest->len == 0) {
		return false;
	}
	drop_front(rest, 1);
	return true;
}

/* Up to a blank or a semicolon; a comma or a quote inside is read differently by different parsers. */
static bool take_unquoted(struct span *rest, struct header_param *param)
{
	param->value = (struct span){rest->data, 0};
	while (rest->len > 0 && rest->data[0] != ';' && !is_blank(rest->data[0])) {
		if (rest->data[0] == ',' || rest->data[0] == '"') {
			return false;
		}
		drop_front(rest, 1);
		param->value.len++;
	}
	return param->value.len > 0;
}

/* The next of *( OWS ";" OWS [ name "=" value ] ) (RFC 9110 section 5.6.6). */
static enum step take_param(struct span *rest, struct header_param *ret_param)
{
	*ret_param = (struct header_param){0};
	drop_blanks(rest);
	while (rest->len > 0 && rest->data[0] == ';') {
		drop_front(rest, 1);
		drop_blanks(rest);
		ret_param->name = take_name(rest);
		if (ret_param->name.len == 0) {
			continue;
		}
		if (rest->len < 2 || rest->data[0] != '=') {
			return STEP_BAD;
		}
		drop_front(rest, 1);
		return (rest->data[0] == '"' ? take_quoted(rest, ret_param)
					     : take_unquoted(rest, ret_param))
			       ? STEP_NEXT
			       : STEP_BAD;
	}
	return rest->len == 0 ? STEP_END : STEP_BAD;
}

/* False unless there is exactly one boundary, and it is one. */
static bool read_boundary(struct span type_params, struct delimiter *ret_delimiter)
{
	struct header_param param;
	struct span boundary = {0};
	enum step step;

	while ((step = take_param(&type_params, &param)) == STEP_NEXT) {
		if (!span_is_nocase(param.name, SPAN("boundary"))) {
			continue;
		}
		if (boundary.len > 0 || param.has_backslash) {
			return false;
		}
		boundary = param.value;
	}
	if (step == STEP_BAD || boundary.len == 0 || boundary.len > BOUNDARY_BYTES_MAX ||
	    is_blank(boundary.data[boundary.len - 1])) {
		return false;
	}
	ret_delimiter->len = 4 + boundary.len;
	memcpy(ret_delimiter->bytes, "\r\n--", 4);
	memcpy(ret_delimiter->bytes + 4, boundary.data, boundary.len);
	return true;
}

/* What follows the boundary: CRLF and a part, or "--" and nothing more. */
static enum step take_delimiter_end(struct span *rest)
{
	bool is_last = span_starts_with(*rest, SPAN("--"));

	if (is_last) {
		drop_front(rest, 2);
	}
	drop_blanks(rest);
	if (is_last && rest->len == 0) {
		return STEP_END;
	}
	if (!span_starts_with(*rest, SPAN("\r\n"))) {
		return STEP_BAD;
	}
	drop_front(rest, 2);
	if (is_last) {
		return rest->len == 0 ? STEP_END : STEP_BAD;
	}
	return STEP_NEXT;
}

/* `form-data; name="…"`, and whether that name is ours. False when it is anything else. */
static bool read_disposition(const struct param *param, struct span value,
			     enum param_match *ret_match)
{
	struct header_param field;
	bool has_name = false;
	enum step step;

	if (!span_is_nocase(take_name(&value), SPAN("form-data"))) {
		return false;
	}
	while ((step = take_param(&value, &field)) == STEP_NEXT) {
		struct param_text name = param_text_of(field.value);

		if (span_is_nocase(field.name, SPAN("name*"))) {
			return false;
		}
		if (!span_is_nocase(field.name, SPAN("name"))) {
			continue;
		}
		if (has_name) {
			return false;
		}
		has_name = true;
		*ret_match = field.has_backslash ? PARAM_IS_UNSURE : param_match_name(param, &name);
	}
	return has_name && step == STEP_END;
}

/* A part's header fields with the empty line after them; exactly one of them is Content-Disposition. */
static bool read_part_head(const struct param *param, struct span *rest,
			   enum param_match *ret_match)
{
	bool has_disposition = false;

	for (;;) {
		const char *newline = memchr(rest->data, '\n', MIN(rest->len, PART_LINE_BYTES_MAX));
		struct span line = {rest->data,
				    newline != NULL ? (size_t)(newline - rest->data) : 0};
		struct span name;

		if (line.len == 0 || memchr(line.data, '\r', line.len) != newline - 1) {
			return false;
		}
		drop_front(rest, line.len + 1);
		line.len--;
		if (line.len == 0) {
			return has_disposition;
		}
		name = take_name(&line);
		if (name.len == 0 || line.len == 0 || line.data[0] != ':') {
			return false;
		}
		drop_front(&line, 1);
		if (!span_is_nocase(name, SPAN("content-disposition"))) {
			continue;
		}
		drop_blanks(&line);
		if (has_disposition || !read_disposition(param, line, ret_match)) {
			return false;
		}
		has_disposition = true;
	}
}

/* One part, after its delimiter's line and through the boundary of the next. */
static bool read_part(struct param *param, const struct delimiter *delimiter, struct span *rest)
{
	struct param_value value = {.match = PARAM_IS_UNSURE, .spelling = PARAM_SPELLED_PART};
	const char *end;
	struct span content;

	if (rest->len == 0 || !read_part_head(param, rest, &value.match)) {
		return false;
	}
	end = memmem(rest->data, rest->len, delimiter->bytes, delimiter->len);
	/* Content that begins with a boundary is a part without content to some. */
	if (end == NULL ||
	    span_starts_with(*rest, (struct span){delimiter->bytes + 2, delimiter->len - 2})) {
		return false;
	}
	content = (struct span){rest->data, (size_t)(end - rest->data)};
	drop_front(rest, content.len + delimiter->len);
	if (value.match != PARAM_IS_OTHER) {
		value.raw = content;
		value.text = param_text_of(content);
		param_add(param, &value);
	}
	return true;
}

static bool read_parts(struct param *param, struct span type_params, struct span body)
{
	struct delimiter delimiter;
	enum step step;

	if (!read_boundary(type_params, &delimiter) ||
	    !span_starts_with(body, (struct span){delimiter.bytes + 2, delimiter.len - 2})) {
		return false;
	}
	drop_front(&body, delimiter.len - 2);
	for (unsigned parts = 0; (step = take_delimiter_end(&body)) == STEP_NEXT; parts++) {
		if (parts == PARAM_FIELDS_MAX || !read_part(param, &delimiter, &body)) {
			return false;
		}
	}
	return step == STEP_END;
}

void params_read_multipart(struct param *param, struct span type_params, struct span body)
{
	if (!read_parts(param, type_params, body)) {
		param_set_unread(param);
	}
}
