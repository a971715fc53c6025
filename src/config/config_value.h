/*
 * One value of one option: read from its text, written as text, compared. Internal to config/.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

union option_value {
	bool is_on;              /* BOOL */
	uint64_t number;         /* U64, DURATION, SIZE, PERCENT, WORD, DURATION_OR */
	char *text;              /* TEXT; owned */
	struct string_list list; /* LIST; owned */
	struct client_rows rows; /* CLIENTS; owned */
};

enum { CONFIG_FAULT_BYTES = 400, CONFIG_LIST_MAX = 1024 };

/* Reads by the option's kind. On a fault fills `fault` ("'10' needs a unit: …; allowed: …") and returns false. */
MUST_USE bool config_value_read(const struct option *option, struct span text,
				union option_value *ret_value, char fault[CONFIG_FAULT_BYTES]);

/* The same for the items of a LIST. */
MUST_USE bool config_value_read_items(const char *const *items, size_t count,
				      union option_value *ret_value,
				      char fault[CONFIG_FAULT_BYTES]);

/* Puts the value into its field, with `where` as origin. Takes over what the value owns. */
void config_value_store(struct config *config, const struct option *option,
			const union option_value *value, const char *where);

/* The option whose rows a key like access.clients.NAME.FIELD belongs to; NULL: it is no such key. */
const struct option *config_find_rows(const char *key);

/* Where the option's value lies in a config. */
static inline void *config_field(struct config *config, const struct option *option)
{
	return (char *)config + option->offset;
}

static inline const void *config_field_const(const struct config *config,
					     const struct option *option)
{
	return (const char *)config + option->offset;
}

/* The option's words; config_take_word() takes one after the other off the front, until it returns false. */
static inline struct span config_words(const struct option *option)
{
	return option->words != NULL ? span_of(option->words) : (struct span){0};
}

bool config_take_word(struct span *rest, struct span *ret_word);

/* Without the blanks and tabs at both ends. */
struct span config_trim(struct span text);

void string_list_fini(struct string_list *list);
