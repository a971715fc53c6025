/* Writes options for people: what is allowed, what a value is now. */
#include "base/str.h"
#include "config/config_clients.h"
#include "config/config_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_number(const struct option *option, uint64_t number, char *out, size_t out_bytes)
{
	switch (option->kind) {
	case OPTION_DURATION:
	case OPTION_DURATION_OR:
		str_write_duration(out, out_bytes, number);
		break;
	case OPTION_SIZE:
		str_write_size(out, out_bytes, number);
		break;
	case OPTION_PERCENT:
		snprintf(out, out_bytes, "%" PRIu64 "%%", number);
		break;
	case OPTION_BOOL:
	case OPTION_U64:
	case OPTION_TEXT:
	case OPTION_LIST:
	case OPTION_WORD:
	case OPTION_CLIENTS:
		snprintf(out, out_bytes, "%" PRIu64, number);
		break;
	}
}

/* "error,warning" as "error, warning". */
static void write_words(const struct option *option, char *out, size_t out_bytes)
{
	struct span rest = config_words(option);
	struct span word;
	size_t used = 0;

	out[0] = '\0';
	while (config_take_word(&rest, &word) && used < out_bytes) {
		int n = snprintf(out + used, out_bytes - used, "%s%.*s", used > 0 ? ", " : "",
				 (int)word.len, word.data);

		used += (size_t)n;
	}
}

char *config_allowed_text(const struct option *option, char out[CONFIG_ALLOWED_BYTES])
{
	char min[24];
	char max[24];
	char words[CONFIG_ALLOWED_BYTES] = "";

	write_number(option, option->min, min, sizeof(min));
	write_number(option, option->max, max, sizeof(max));
	write_words(option, words, sizeof(words));
	switch (option->kind) {
	case OPTION_BOOL:
		snprintf(out, CONFIG_ALLOWED_BYTES, "true or false");
		break;
	case OPTION_TEXT:
		snprintf(out, CONFIG_ALLOWED_BYTES, "text");
		break;
	case OPTION_LIST:
		snprintf(out, CONFIG_ALLOWED_BYTES, "list");
		break;
	case OPTION_CLIENTS:
		snprintf(out, CONFIG_ALLOWED_BYTES, "rows of %s", client_field_names(words));
		break;
	case OPTION_WORD:
		snprintf(out, CONFIG_ALLOWED_BYTES, "%s", words);
		break;
	case OPTION_DURATION_OR:
		snprintf(out, CONFIG_ALLOWED_BYTES, "%s, or %s to %s", words, min, max);
		break;
	case OPTION_U64:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
		snprintf(out, CONFIG_ALLOWED_BYTES, "%s to %s", min, max);
		break;
	}
	return out;
}

static struct span word_at(const struct option *option, uint64_t index)
{
	struct span rest = config_words(option);
	struct span word = {0};

	for (uint64_t i = 0; i <= index && config_take_word(&rest, &word); i++) {
	}
	return word;
}

static void write_list(const struct string_list *list, char *out, size_t out_bytes)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < list->count && used < out_bytes; i++) {
		int n = snprintf(out + used, out_bytes - used, "%s%s", i > 0 ? ", " : "",
				 list->items[i]);

		used += (size_t)n;
	}
}

char *config_value_text(const struct config *config, const struct option *option, char *out,
			size_t out_bytes)
{
	const void *field = config_field_const(config, option);
	const uint64_t *number = field;
	struct span word;

	switch (option->kind) {
	case OPTION_BOOL:
		snprintf(out, out_bytes, "%s", *(const bool *)field ? "true" : "false");
		return out;
	case OPTION_TEXT:
		snprintf(out, out_bytes, "%s", *(char *const *)field);
		return out;
	case OPTION_LIST:
		write_list(field, out, out_bytes);
		return out;
	case OPTION_CLIENTS:
		client_rows_write(field, out, out_bytes);
		return out;
	case OPTION_WORD:
		word = word_at(option, *number);
		break;
	case OPTION_DURATION_OR:
		if (OPTION_IS_WORD(*number)) {
			word = word_at(option, *number - OPTION_WORD_BASE);
			break;
		}
		write_number(option, *number, out, out_bytes);
		return out;
	case OPTION_U64:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
		write_number(option, *number, out, out_bytes);
		return out;
	}
	snprintf(out, out_bytes, "%.*s", (int)word.len, word.data);
	return out;
}
