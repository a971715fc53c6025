/* Field lines: their syntax, and the meaning of the fields that we act upon. */
#include "http/fields.h"

#include "base/str.h"
#include "http/scan.h"

/* Only names and colons lead here: the line has a byte at `stop` that ends its name too early. */
static enum err name_fault(const char *line, const char *stop, const char *end)
{
	const char *after;

	if (!scan_is_blank(*stop)) {
		return scan_fault(stop, end, ERR_BAD_FIELD_NAME);
	}
	if (stop == line) {
		return ERR_FOLDED_FIELD;
	}
	after = scan_blanks(stop, end);
	if (after == end) {
		return ERR_NONE;
	}
	return *after == ':' ? ERR_SPACE_BEFORE_COLON : scan_fault(after, end, ERR_BAD_FIELD_NAME);
}

static enum err read_host(struct span value, bool is_second)
{
	struct span host;
	struct span port;

	if (is_second) {
		return ERR_DOUBLE_HOST;
	}
	return http_split_authority(value, &host, &port) ? ERR_NONE : ERR_BAD_HOST;
}

static enum err read_content_length(struct http_head *head, struct span value, bool is_second)
{
	uint64_t length;

	if (is_second) {
		return ERR_DIFFERING_CONTENT_LENGTHS;
	}
	if (head->is_chunked) {
		return ERR_LENGTH_AND_ENCODING;
	}
	if (!str_read_u64(value, &length) || length > INT64_MAX) {
		return ERR_BAD_CONTENT_LENGTH;
	}
	head->has_content_length = true;
	head->content_length = length;
	return ERR_NONE;
}

static enum err read_transfer_encoding(struct http_head *head, struct span value, bool is_second)
{
	if (head->has_content_length) {
		return ERR_LENGTH_AND_ENCODING;
	}
	if (head->version_minor == 0) {
		return ERR_ENCODING_IN_OLD_VERSION;
	}
	if (is_second || !span_is_nocase(value, SPAN("chunked"))) {
		return ERR_BAD_TRANSFER_ENCODING;
	}
	head->is_chunked = true;
	return ERR_NONE;
}

static void read_expect(struct http_head *head, struct span value)
{
	bool is_continue = span_is_nocase(value, SPAN("100-continue"));

	if (is_continue && head->version_minor == 0) {
		return;
	}
	head->expects_continue = is_continue && !head->has_expect;
	head->has_expect = true;
}

static enum err read_known_field(struct http_head *head, enum http_kind kind,
				 const struct http_field *field)
{
	struct span value = http_field_value(head, field);
	uint32_t bit = UINT32_C(1) << field->id;
	bool is_second = (head->ids_seen & bit) != 0;

	head->ids_seen |= bit;
	switch (field->id) {
	case HTTP_FIELD_HOST:
		return kind == HTTP_REQUEST ? read_host(value, is_second) : ERR_NONE;
	case HTTP_FIELD_CONTENT_LENGTH:
		return read_content_length(head, value, is_second);
	case HTTP_FIELD_TRANSFER_ENCODING:
		return read_transfer_encoding(head, value, is_second);
	case HTTP_FIELD_EXPECT:
		read_expect(head, value);
		return ERR_NONE;
	default:
		return ERR_NONE;
	}
}

/* *ret_next is where the next line begins, and left alone when this one is not whole yet. */
static enum err read_line(struct http_head *head, enum http_kind kind, const char *line,
			  const char *end, const char **ret_next)
{
	const char *colon = scan_token(line, end);
	const char *value;
	const char *stop;
	const char *last;
	enum http_field_id id;
	struct http_field *field;

	if (colon == end) {
		return ERR_NONE;
	}
	if (*colon != ':' || colon == line) {
		return name_fault(line, colon, end);
	}
	value = scan_blanks(colon + 1, end);
	stop = scan_value(value, end);
	if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') {
		return stop == end ? ERR_NONE : scan_fault(stop, end, ERR_CONTROL_BYTE);
	}
	if (head->field_count == HTTP_FIELDS_MAX || colon - line > UINT16_MAX) {
		return ERR_HEAD_TOO_LARGE;
	}
	for (last = stop; last > value && scan_is_blank(last[-1]); last--) {
	}
	id = http_field_id_of((struct span){line, (size_t)(colon - line)});
	field = &head->fields[head->field_count++];
	*field = (struct http_field){
		.name_at = (uint32_t)(line - head->base),
		.value_at = (uint32_t)(value - head->base),
		.value_len = (uint32_t)(last - value),
		.name_len = (uint16_t)(colon - line),
		.id = (uint8_t)id,
		.is_hop_by_hop = id != HTTP_FIELD_OTHER && http_field_id_is_hop_by_hop(id),
	};
	*ret_next = stop + 2;
	return id == HTTP_FIELD_OTHER ? ERR_NONE : read_known_field(head, kind, field);
}

/* Marks the fields with this name, but for those that we write ourselves and whose receipt still means something. */
static void mark_named(struct http_head *head, struct span name)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		struct http_field *field = &head->fields[i];

		if (field->name_len == name.len && field->id != HTTP_FIELD_HOST &&
		    field->id != HTTP_FIELD_CONTENT_LENGTH &&
		    span_is_nocase(http_field_name(head, field), name)) {
			field->is_hop_by_hop = true;
		}
	}
}

static void apply_connection_option(struct http_head *head, struct span option)
{
	if (span_is_nocase(option, SPAN("close"))) {
		head->has_close = true;
	} else if (span_is_nocase(option, SPAN("keep-alive"))) {
		head->has_keep_alive = true;
	} else {
		mark_named(head, option);
	}
}

static enum err apply_connection(struct http_head *head)
{
	unsigned option_count = 0;

	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		struct span rest = http_field_value(head, field);
		struct span option;

		if (field->id != HTTP_FIELD_CONNECTION) {
			continue;
		}
		while (option_count <= HTTP_FIELDS_MAX && scan_list_item(&rest, &option)) {
			apply_connection_option(head, option);
			option_count++;
		}
	}
	return option_count > HTTP_FIELDS_MAX ? ERR_HEAD_TOO_LARGE : ERR_NONE;
}

static bool has_seen(const struct http_head *head, enum http_field_id id)
{
	return (head->ids_seen >> id & 1) != 0;
}

static enum err finish(struct http_head *head, enum http_kind kind)
{
	if (kind == HTTP_REQUEST && head->version_minor != 0 && !has_seen(head, HTTP_FIELD_HOST)) {
		return ERR_MISSING_HOST;
	}
	if (kind == HTTP_RESPONSE && head->is_chunked &&
	    (head->status < 200 || head->status == 204)) {
		return ERR_BAD_TRANSFER_ENCODING;
	}
	return has_seen(head, HTTP_FIELD_CONNECTION) ? apply_connection(head) : ERR_NONE;
}

enum err fields_read_lines(struct http_head *head, enum http_kind kind, uint32_t *line_at,
			   const char *end)
{
	const char *line = head->base + *line_at;
	enum err err = ERR_NONE;

	while (err == ERR_NONE && line < end) {
		const char *next = NULL;

		if (*line == '\r' && end - line > 1 && line[1] == '\n') {
			head->head_bytes = (size_t)(line - head->base) + 2;
			return finish(head, kind);
		}
		err = read_line(head, kind, line, end, &next);
		if (next == NULL) {
			break;
		}
		line = next;
	}
	*line_at = (uint32_t)(line - head->base);
	return err;
}
