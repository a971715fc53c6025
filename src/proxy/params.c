/* Reads urlencoded parameters, and decides for all formats whether a name is ours and values agree. */
#include "proxy/params.h"

#include "base/macros.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

char param_take_byte(struct span *text)
{
	char byte = text->data[0];
	size_t taken = 1;

	if (byte == '%' && text->len >= 3) {
		int high = str_hex_digit(text->data[1]);
		int low = str_hex_digit(text->data[2]);

		if (high >= 0 && low >= 0) {
			byte = (char)(high * 16 + low);
			taken = 3;
		}
	}
	text->data += taken;
	text->len -= taken;
	return byte;
}

struct param_text param_text_of(struct span plain)
{
	struct param_text text = {.len = (uint8_t)MIN(plain.len, PARAM_TEXT_BYTES),
				  .is_cut = plain.len > PARAM_TEXT_BYTES};

	if (text.len > 0) {
		memcpy(text.bytes, plain.data, text.len);
	}
	return text;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* PHP drops blanks before a name and cuts it at a NUL or at '[': what others do not, hence unsure. */
enum param_match param_match_name(const struct param *param, const struct param_text *name)
{
	size_t ours = param->name.len;
	size_t skip = 0;
	char next;

	while (skip < name->len && is_blank(name->bytes[skip])) {
		skip++;
	}
	if (name->len - skip < ours) {
		return name->is_cut ? PARAM_IS_UNSURE : PARAM_IS_OTHER;
	}
	if (strncasecmp(name->bytes + skip, param->name.data, ours) != 0) {
		return PARAM_IS_OTHER;
	}
	if (name->len == ours && !name->is_cut) {
		return memcmp(name->bytes, param->name.data, ours) == 0 ? PARAM_IS_OURS
									: PARAM_IS_UNSURE;
	}
	if (name->len == skip + ours) {
		return PARAM_IS_UNSURE;
	}
	next = name->bytes[skip + ours];
	return next == '[' || next == '\0' || is_blank(next) ? PARAM_IS_UNSURE : PARAM_IS_OTHER;
}

static bool text_is(const struct param_text *text, struct span plain)
{
	return !text->is_cut && span_is((struct span){text->bytes, text->len}, plain);
}

bool param_is(const struct param *param, struct span value)
{
	return param->is_found && !param->is_unclear && text_is(&param->value, value);
}

void param_add(struct param *param, const struct param_value *value)
{
	const struct param_text *text = &value->text;

	if (value->match == PARAM_IS_OTHER) {
		return;
	}
	if (param->on_value != NULL) {
		param->on_value(param, value);
	}
	if (value->match == PARAM_IS_UNSURE || text->is_cut) {
		param->is_unclear = true;
	}
	if (param->is_found) {
		param->is_unclear |= !text_is(&param->value, (struct span){text->bytes, text->len});
		return;
	}
	param->is_found = true;
	param->value = *text;
	param->raw = value->raw;
}

static struct param_text decode_form_text(struct span raw)
{
	struct param_text text = {0};

	while (raw.len > 0 && !text.is_cut) {
		if (raw.data[0] == '+') {
			param_text_push(&text, ' ');
			raw.data++;
			raw.len--;
		} else {
			param_text_push(&text, param_take_byte(&raw));
		}
	}
	return text;
}

/* Whether a field may have our name shows in its first byte nearly always. */
static bool may_be_ours(const struct param *param, char first)
{
	return (first | 0x20) == param->name.data[0] || first == '%' || first == '+' ||
	       is_blank(first);
}

/* Nearly all spell a name as it is; what is escaped is decoded first. */
static enum param_match match_form_name(const struct param *param, struct span raw)
{
	struct param_text name;

	if (span_is(raw, param->name)) {
		return PARAM_IS_OURS;
	}
	name = decode_form_text(raw);
	return param_match_name(param, &name);
}

static void read_form_field(struct param *param, struct span field)
{
	const char *equals = memchr(field.data, '=', field.len);
	size_t name_len = equals != NULL ? (size_t)(equals - field.data) : field.len;
	struct param_value value = {
		.match = match_form_name(param, (struct span){field.data, name_len}),
		.spelling = PARAM_SPELLED_FORM_BARE,
		.raw = {field.data + field.len, 0},
	};

	if (value.match == PARAM_IS_OTHER) {
		return;
	}
	if (equals != NULL) {
		value.spelling = PARAM_SPELLED_FORM;
		value.raw = (struct span){equals + 1, field.len - name_len - 1};
	}
	value.text = decode_form_text(value.raw);
	param_add(param, &value);
}

void params_read_form(struct param *param, struct span form)
{
	for (unsigned fields = 0; form.len > 0; fields++) {
		const char *end = memchr(form.data, '&', form.len);
		size_t len = end != NULL ? (size_t)(end - form.data) : form.len;
		size_t taken = end != NULL ? len + 1 : len;

		if (fields == PARAM_FIELDS_MAX) {
			param_set_unread(param);
			return;
		}
		if (len > 0 && may_be_ours(param, form.data[0])) {
			read_form_field(param, (struct span){form.data, len});
		}
		form.data += taken;
		form.len -= taken;
	}
}

enum body_type { BODY_FORM, BODY_MULTIPART, BODY_JSON, BODY_OTHER };

/* The media type of a Content-Type, and what follows it. */
static enum body_type read_type(struct span content_type, struct span *ret_params)
{
	struct span type = content_type;
	const char *semicolon = type.len > 0 ? memchr(type.data, ';', type.len) : NULL;

	*ret_params = (struct span){0};
	if (semicolon != NULL) {
		type.len = (size_t)(semicolon - type.data);
		*ret_params = (struct span){semicolon, content_type.len - type.len};
	}
	while (type.len > 0 && is_blank(type.data[type.len - 1])) {
		type.len--;
	}
	if (span_is_nocase(type, SPAN("application/x-www-form-urlencoded"))) {
		return BODY_FORM;
	}
	if (span_is_nocase(type, SPAN("multipart/form-data"))) {
		return BODY_MULTIPART;
	}
	return span_is_nocase(type, SPAN("application/json")) ? BODY_JSON : BODY_OTHER;
}

bool params_can_read_type(struct span content_type)
{
	struct span type_params;

	return read_type(content_type, &type_params) != BODY_OTHER;
}

void params_read_body(struct param *param, struct span content_type, struct span body)
{
	struct span type_params;

	if (body.len == 0) {
		return;
	}
	switch (read_type(content_type, &type_params)) {
	case BODY_FORM:
		params_read_form(param, body);
		break;
	case BODY_MULTIPART:
		params_read_multipart(param, type_params, body);
		break;
	case BODY_JSON:
		params_read_json(param, body);
		break;
	case BODY_OTHER:
		param_set_unread(param);
		break;
	}
}
