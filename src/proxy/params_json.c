/* Reads the members of a JSON object: one pass, RFC 8259 to the letter but for the validity of its UTF-8. */
#include "base/macros.h"
#include "proxy/params.h"

#include <string.h>

struct reader {
	const char *at;
	const char *end;
};

struct value {
	struct param_value of;
	bool is_container;
};

static bool read_object(struct reader *reader, struct param *param, unsigned depth);

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
					    *reader->at == '\n' || *reader->at == '\r')) {
		reader->at++;
	}
}

/* Takes a mark, and the space before it. */
static bool take(struct reader *reader, char mark)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != mark) {
		return false;
	}
	reader->at++;
	return true;
}

/* The code unit of \uXXXX as one byte; beyond ASCII any byte will do that is not ASCII either. */
static bool read_unicode_escape(struct reader *reader, char *ret_byte)
{
	unsigned unit = 0;

	if (reader->end - reader->at < 4) {
		return false;
	}
	for (unsigned i = 0; i < 4; i++) {
		char c = *reader->at++;
		char lower = (char)(c | 0x20);

		if (c >= '0' && c <= '9') {
			unit = unit * 16 + (unsigned)(c - '0');
		} else if (lower >= 'a' && lower <= 'f') {
			unit = unit * 16 + (unsigned)(lower - 'a') + 10;
		} else {
			return false;
		}
	}
	*ret_byte = (char)MIN(unit, 0xff);
	return true;
}

static bool read_escape(struct reader *reader, char *ret_byte)
{
	static const char marks[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	const char *mark;
	char c;

	if (reader->at == reader->end) {
		return false;
	}
	c = *reader->at++;
	if (c == 'u') {
		return read_unicode_escape(reader, ret_byte);
	}
	mark = memchr(marks, c, sizeof(marks) - 1);
	if (mark == NULL) {
		return false;
	}
	*ret_byte = meant[mark - marks];
	return true;
}

static bool read_string(struct reader *reader, struct param_text *ret_text, struct span *ret_raw)
{
	const char *start;

	if (!take(reader, '"')) {
		return false;
	}
	start = reader->at;
	while (reader->at < reader->end) {
		char byte = *reader->at++;

		if (byte == '"') {
			*ret_raw = (struct span){start, (size_t)(reader->at - start) - 1};
			return true;
		}
		if ((unsigned char)byte < 0x20 || (byte == '\\' && !read_escape(reader, &byte))) {
			return false;
		}
		param_text_push(ret_text, byte);
	}
	return false;
}

static bool read_digits(struct reader *reader)
{
	const char *start = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
		reader->at++;
	}
	return reader->at > start;
}

/* Like take(), for inside a number, where no space may be. */
static bool take_next(struct reader *reader, char mark)
{
	if (reader->at == reader->end || *reader->at != mark) {
		return false;
	}
	reader->at++;
	return true;
}

static bool read_number(struct reader *reader)
{
	(void)take_next(reader, '-');
	if (!take_next(reader, '0') && !read_digits(reader)) {
		return false;
	}
	if (take_next(reader, '.') && !read_digits(reader)) {
		return false;
	}
	if (take_next(reader, 'e') || take_next(reader, 'E')) {
		if (!take_next(reader, '+')) {
			(void)take_next(reader, '-');
		}
		return read_digits(reader);
	}
	return true;
}

static bool read_word(struct reader *reader)
{
	static const struct span words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
	struct span rest = {reader->at, (size_t)(reader->end - reader->at)};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (span_starts_with(rest, words[i])) {
			reader->at += words[i].len;
			return true;
		}
	}
	return read_number(reader);
}

static bool read_value(struct reader *reader, unsigned depth, struct value *ret_value);

static bool read_array(struct reader *reader, unsigned depth)
{
	if (!take(reader, '[')) {
		return false;
	}
	if (take(reader, ']')) {
		return true;
	}
	do {
		struct value item = {0};

		if (!read_value(reader, depth, &item)) {
			return false;
		}
	} while (take(reader, ','));
	return take(reader, ']');
}

static bool read_value(struct reader *reader, unsigned depth, struct value *ret_value)
{
	char first;

	skip_space(reader);
	if (reader->at == reader->end) {
		return false;
	}
	first = *reader->at;
	if (first == '"') {
		ret_value->of.spelling = PARAM_SPELLED_JSON;
		return read_string(reader, &ret_value->of.text, &ret_value->of.raw);
	}
	ret_value->of.spelling = PARAM_SPELLED_JSON_BARE;
	if (first == '{' || first == '[') {
		ret_value->is_container = true;
		if (depth == PARAM_JSON_DEPTH_MAX) {
			return false;
		}
		return first == '{' ? read_object(reader, NULL, depth + 1)
				    : read_array(reader, depth + 1);
	}
	ret_value->of.raw.data = reader->at;
	if (!read_word(reader)) {
		return false;
	}
	ret_value->of.raw.len = (size_t)(reader->at - ret_value->of.raw.data);
	ret_value->of.text = param_text_of(ret_value->of.raw);
	return true;
}

static void judge_member(struct param *param, const struct param_text *name, struct value *value)
{
	value->of.match = param_match_name(param, name);
	if (value->of.match == PARAM_IS_OURS && value->is_container) {
		value->of.match = PARAM_IS_UNSURE;
	}
	param_add(param, &value->of);
}

/* `param` is NULL for the objects inside, whose members are only checked. */
static bool read_object(struct reader *reader, struct param *param, unsigned depth)
{
	if (!take(reader, '{')) {
		return false;
	}
	if (take(reader, '}')) {
		return true;
	}
	do {
		struct param_text name = {0};
		struct span raw_name;
		struct value value = {0};

		if (!read_string(reader, &name, &raw_name) || !take(reader, ':') ||
		    !read_value(reader, depth, &value)) {
			return false;
		}
		if (param != NULL) {
			judge_member(param, &name, &value);
		}
	} while (take(reader, ','));
	return take(reader, '}');
}

void params_read_json(struct param *param, struct span json)
{
	struct reader reader = {json.data, json.data + json.len};

	if (!read_object(&reader, param, 1)) {
		param_set_unread(param);
		return;
	}
	skip_space(&reader);
	if (reader.at != reader.end) {
		param_set_unread(param);
	}
}
