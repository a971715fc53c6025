/* The checks of a head, for the fuzz targets of both directions. */
#include "heads.h"

#include "base/macros.h"
#include "fuzz.h"
#include "pieces.h"
#include "roundtrip.h"

enum { BYTEWISE_LONGEST = 300 };

static const char *check_field(const struct http_head *head, const struct http_field *field,
			       size_t line_at)
{
	struct span value = http_field_value(head, field);

	if (field->name_at != line_at || field->name_len == 0 ||
	    head->base[line_at + field->name_len] != ':') {
		return "a name is not where its line begins";
	}
	if (field->value_at + (size_t)field->value_len + 2 > head->head_bytes) {
		return "a value beyond the head";
	}
	if (value.len > 0 && (memchr(value.data, '\r', value.len) != NULL ||
			      memchr(value.data, '\n', value.len) != NULL ||
			      memchr(value.data, '\0', value.len) != NULL)) {
		return "a value with a control byte";
	}
	return NULL;
}

/* The questions that others ask of a head. */
static const char *check_answers(const struct http_head *head)
{
	const struct http_field *keep_alive = http_head_find(head, HTTP_FIELD_KEEP_ALIVE);

	if (head->has_close && http_head_is_persistent(head)) {
		return "persistent in spite of close";
	}
	if (keep_alive == NULL && http_head_keep_alive_seconds(head) != 0) {
		return "seconds out of nothing";
	}
	return http_head_keep_alive_seconds(head) > UINT32_MAX ? "too many seconds" : NULL;
}

/* The head's lines follow one another and end at its end. */
static const char *check_lines(const struct http_head *head)
{
	const char *end = head->base + head->head_bytes;
	const char *line = memchr(head->base, '\n', head->head_bytes);

	if (line == head->base + 1) {
		line = memchr(line + 1, '\n', (size_t)(end - line - 1));
	}
	for (unsigned i = 0; i < head->field_count; i++) {
		const char *difference =
			check_field(head, &head->fields[i], (size_t)(line + 1 - head->base));

		if (difference != NULL) {
			return difference;
		}
		line = memchr(line + 1, '\n', (size_t)(end - line - 1));
	}
	return line + 3 == end ? NULL : "the empty line is not where the fields end";
}

static void check_within(enum http_kind kind, struct span bytes, struct http_limits limits)
{
	static struct parse_outcome whole;
	static struct parse_outcome cut;
	size_t first = bytes.len > 0
			       ? (size_t)(unsigned char)bytes.data[bytes.len / 2] * 7 % bytes.len
			       : 0;

	parse_in_pieces(&whole, kind, limits, bytes, bytes.len, 1);
	parse_in_pieces(&cut, kind, limits, bytes, first, bytes.len);
	/* A fault in a line without its end is told when the end is there. */
	if (whole.err == ERR_NONE || cut.err != ERR_NONE) {
		fuzz_expect_none(parse_outcomes_differ(&whole, &cut));
	}
	if (bytes.len <= BYTEWISE_LONGEST) {
		parse_in_pieces(&cut, kind, limits, bytes, 1, 1);
		if (whole.err == ERR_NONE || cut.err != ERR_NONE) {
			fuzz_expect_none(parse_outcomes_differ(&whole, &cut));
		}
	}
	if (whole.err == ERR_NONE && whole.state == HTTP_PARSE_DONE) {
		fuzz_expect_none(check_lines(&whole.head));
		fuzz_expect_none(check_answers(&whole.head));
		fuzz_expect_none(kind == HTTP_REQUEST ? roundtrip_request(&whole.head)
						      : roundtrip_response(&whole.head));
	}
}

void heads_check(enum http_kind kind, struct span bytes)
{
	check_within(kind, bytes, (struct http_limits){65536, 2 << 20});
	check_within(kind, bytes, (struct http_limits){bytes.len * 3 / 4, bytes.len / 8});
}
