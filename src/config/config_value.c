/* Reads one option's value from its text and says what is wrong with it. */
#include "config/config_value.h"

#include "base/mem.h"
#include "base/str.h"
#include "config/config_clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void string_list_fini(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i]);
	}
	free(list->items);
	*list = (struct string_list){0};
}

bool config_take_word(struct span *rest, struct span *ret_word)
{
	const char *comma;

	if (rest->data == NULL) {
		return false;
	}
	comma = memchr(rest->data, ',', rest->len);
	if (comma == NULL) {
		*ret_word = *rest;
		*rest = (struct span){0};
		return true;
	}
	*ret_word = (struct span){rest->data, (size_t)(comma - rest->data)};
	*rest = (struct span){comma + 1, rest->len - ret_word->len - 1};
	return true;
}

static bool read_word(const struct option *option, struct span text, uint64_t *ret_index)
{
	struct span rest = config_words(option);
	struct span word;

	for (uint64_t i = 0; config_take_word(&rest, &word); i++) {
		if (span_is_nocase(word, text)) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static bool read_bool(struct span text, bool *ret_value)
{
	static const char *const yes[] = {"true", "yes", "on"};
	static const char *const no[] = {"false", "no", "off"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (span_is_nocase(text, span_of(yes[i]))) {
			*ret_value = true;
			return true;
		}
		if (span_is_nocase(text, span_of(no[i]))) {
			*ret_value = false;
			return true;
		}
	}
	return false;
}

static bool is_digits(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9') {
			return false;
		}
	}
	return text.len > 0;
}

static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) {
			return true;
		}
	}
	return false;
}

/* Why a text is not even of the option's form. */
static void explain_form(const struct option *option, struct span text, char *out, size_t out_bytes)
{
	const bool is_short_number = is_digits(text) && text.len < 10;
	const int len = (int)MIN(text.len, (size_t)10);

	switch (option->kind) {
	case OPTION_BOOL:
		snprintf(out, out_bytes, "is neither true nor false");
		break;
	case OPTION_U64:
		snprintf(out, out_bytes, "is not a whole number");
		break;
	case OPTION_DURATION:
	case OPTION_DURATION_OR:
		if (is_short_number) {
			snprintf(out, out_bytes, "needs a unit: %.*ss, %.*sms", len, text.data, len,
				 text.data);
		} else {
			snprintf(out, out_bytes,
				 "is not a whole number with ms, s, m, h or d, as in 10s or 250ms");
		}
		break;
	case OPTION_SIZE:
		snprintf(
			out, out_bytes,
			"is not a whole number of bytes, nor one with KiB, MiB, GiB, kB, MB or GB");
		break;
	case OPTION_PERCENT:
		if (is_short_number) {
			snprintf(out, out_bytes, "needs a percent sign: %.*s%%", len, text.data);
		} else {
			snprintf(out, out_bytes, "is not a percentage, as in 50%%");
		}
		break;
	case OPTION_WORD:
		snprintf(out, out_bytes, "is none of its words");
		break;
	case OPTION_TEXT:
	case OPTION_LIST:
	case OPTION_CLIENTS:
		snprintf(out, out_bytes, "holds a control character");
		break;
	}
}

static bool refuse(const struct option *option, struct span text, const char *why,
		   char fault[CONFIG_FAULT_BYTES])
{
	char quoted[CONFIG_QUOTE_BYTES];
	char allowed[CONFIG_ALLOWED_BYTES];

	config_quote(text, quoted);
	if (option->kind == OPTION_TEXT || option->kind == OPTION_LIST) {
		snprintf(fault, CONFIG_FAULT_BYTES, "%s %s", quoted, why);
	} else {
		snprintf(fault, CONFIG_FAULT_BYTES, "%s %s; allowed: %s", quoted, why,
			 config_allowed_text(option, allowed));
	}
	return false;
}

static bool read_number(const struct option *option, struct span text, uint64_t *ret_number)
{
	switch (option->kind) {
	case OPTION_U64:
		return str_read_u64(text, ret_number);
	case OPTION_DURATION:
	case OPTION_DURATION_OR:
		return str_read_duration(text, ret_number);
	case OPTION_SIZE:
		return str_read_size(text, ret_number);
	case OPTION_PERCENT:
		return str_read_percent(text, ret_number);
	case OPTION_BOOL:
	case OPTION_TEXT:
	case OPTION_LIST:
	case OPTION_WORD:
	case OPTION_CLIENTS:
		break;
	}
	return false;
}

/* A number that the readers refuse only for its magnitude. */
static bool is_too_large(const struct option *option, struct span text)
{
	struct span digits = text;
	char shortened[16] = "1";
	uint64_t ignored;

	while (digits.len > 0 &&
	       (digits.data[digits.len - 1] < '0' || digits.data[digits.len - 1] > '9')) {
		digits.len--;
	}
	if (!is_digits(digits) || text.len - digits.len > 4) {
		return false;
	}
	/* The same unit after the digit 1: is that well formed? */
	memcpy(shortened + 1, text.data + digits.len, text.len - digits.len);
	return read_number(option, (struct span){shortened, 1 + text.len - digits.len}, &ignored);
}

static bool read_in_range(const struct option *option, struct span text, uint64_t *ret_number,
			  char fault[CONFIG_FAULT_BYTES])
{
	char why[CONFIG_FAULT_BYTES / 2];
	uint64_t number;

	if (!read_number(option, text, &number)) {
		if (is_too_large(option, text)) {
			return refuse(option, text, "is out of range", fault);
		}
		explain_form(option, text, why, sizeof(why));
		return refuse(option, text, why, fault);
	}
	if (number < option->min || number > option->max) {
		return refuse(option, text, "is out of range", fault);
	}
	*ret_number = number;
	return true;
}

struct span config_trim(struct span text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
		text.data++;
		text.len--;
	}
	while (text.len > 0 &&
	       (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
		text.len--;
	}
	return text;
}

static bool add_item(struct string_list *list, struct span item, char fault[CONFIG_FAULT_BYTES])
{
	char quoted[CONFIG_QUOTE_BYTES];

	item = config_trim(item);
	if (item.len == 0) {
		snprintf(fault, CONFIG_FAULT_BYTES,
			 "has an empty item; take it out, or a comma too many");
		return false;
	}
	if (has_control(item)) {
		snprintf(fault, CONFIG_FAULT_BYTES, "%s holds a control character",
			 config_quote(item, quoted));
		return false;
	}
	if (list->count >= CONFIG_LIST_MAX) {
		snprintf(fault, CONFIG_FAULT_BYTES, "has more than %d items", CONFIG_LIST_MAX);
		return false;
	}
	list->items = mem_grow(list->items, list->count + 1, sizeof(list->items[0]));
	list->items[list->count++] = mem_strndup(item.data, item.len);
	return true;
}

bool config_value_read_items(const char *const *items, size_t count, union option_value *ret_value,
			     char fault[CONFIG_FAULT_BYTES])
{
	struct string_list list = {0};

	for (size_t i = 0; i < count; i++) {
		if (!add_item(&list, span_of(items[i]), fault)) {
			string_list_fini(&list);
			return false;
		}
	}
	ret_value->list = list;
	return true;
}

static bool read_list(struct span text, union option_value *ret_value,
		      char fault[CONFIG_FAULT_BYTES])
{
	struct string_list list = {0};
	struct span rest = config_trim(text);
	struct span item;

	if (rest.len == 0) {
		rest = (struct span){0};
	}
	while (config_take_word(&rest, &item)) {
		if (!add_item(&list, item, fault)) {
			string_list_fini(&list);
			return false;
		}
	}
	ret_value->list = list;
	return true;
}

bool config_value_read(const struct option *option, struct span text, union option_value *ret_value,
		       char fault[CONFIG_FAULT_BYTES])
{
	char why[CONFIG_FAULT_BYTES / 2];
	uint64_t index;

	explain_form(option, text, why, sizeof(why));
	switch (option->kind) {
	case OPTION_BOOL:
		return read_bool(text, &ret_value->is_on) || refuse(option, text, why, fault);
	case OPTION_WORD:
		return read_word(option, text, &ret_value->number) ||
		       refuse(option, text, why, fault);
	case OPTION_LIST:
		return read_list(text, ret_value, fault);
	case OPTION_CLIENTS:
		return client_rows_read(text, &ret_value->rows, fault);
	case OPTION_TEXT:
		if (has_control(text)) {
			return refuse(option, text, why, fault);
		}
		ret_value->text = mem_strndup(text.data, text.len);
		return true;
	case OPTION_DURATION_OR:
		if (read_word(option, text, &index)) {
			ret_value->number = OPTION_WORD_BASE + index;
			return true;
		}
		break;
	case OPTION_U64:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
		break;
	}
	return read_in_range(option, text, &ret_value->number, fault);
}
