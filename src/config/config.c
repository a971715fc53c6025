/* Owns the table of options and the fields of a config. */
#include "config/config.h"

#include "base/mem.h"
#include "base/str.h"
#include "config/config_clients.h"
#include "config/config_value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define C_TYPE_BOOL        bool
#define C_TYPE_U64         uint64_t
#define C_TYPE_DURATION    uint64_t
#define C_TYPE_SIZE        uint64_t
#define C_TYPE_PERCENT     uint64_t
#define C_TYPE_TEXT        char *
#define C_TYPE_LIST        struct string_list
#define C_TYPE_WORD        uint64_t
#define C_TYPE_DURATION_OR uint64_t
#define C_TYPE_CLIENTS     struct client_rows

#define OPTION(type, field, kind, ...)                                    \
	_Static_assert(__builtin_types_compatible_p(type, C_TYPE_##kind), \
		       #field " has a C type that its kind is not stored in");
#include "config/options.def"
#undef OPTION

const struct option config_options[] = {
#define OPTION(type, field, option_kind, ...) \
	{.kind = OPTION_##option_kind, .offset = offsetof(struct config, field), __VA_ARGS__},
#include "config/options.def"
#undef OPTION
};
const size_t config_option_count = OPTION_COUNT;

static void clear(struct config *config, const struct option *option)
{
	void *field = config_field(config, option);
	char **text = field;

	if (option->kind == OPTION_TEXT) {
		free(*text);
		*text = NULL;
	} else if (option->kind == OPTION_LIST) {
		string_list_fini(field);
	} else if (option->kind == OPTION_CLIENTS) {
		client_rows_fini(field);
	}
}

static void store(struct config *config, const struct option *option,
		  const union option_value *value)
{
	void *field = config_field(config, option);

	clear(config, option);
	switch (option->kind) {
	case OPTION_BOOL:
		*(bool *)field = value->is_on;
		break;
	case OPTION_TEXT:
		*(char **)field = value->text;
		break;
	case OPTION_LIST:
		*(struct string_list *)field = value->list;
		break;
	case OPTION_CLIENTS:
		*(struct client_rows *)field = value->rows;
		break;
	case OPTION_U64:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
	case OPTION_WORD:
	case OPTION_DURATION_OR:
		*(uint64_t *)field = value->number;
		break;
	}
}

void config_init(struct config *config)
{
	char fault[CONFIG_FAULT_BYTES];
	union option_value value;

	*config = (struct config){0};
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &config_options[i];
		bool is_read = config_value_read(option, span_of(option->fallback), &value, fault);

		assert(is_read);
		store(config, option, &value);
	}
}

void config_fini(struct config *config)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		clear(config, &config_options[i]);
		free(config->origins[i]);
	}
	*config = (struct config){0};
}

const struct option *config_find(const char *key)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (strcmp(config_options[i].key, key) == 0) {
			return &config_options[i];
		}
	}
	return NULL;
}

const struct option *config_find_rows(const char *key)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t len = strlen(config_options[i].key);

		if (config_options[i].kind == OPTION_CLIENTS &&
		    strncmp(key, config_options[i].key, len) == 0 && key[len] == '.') {
			return &config_options[i];
		}
	}
	return NULL;
}

static const char *last_part(const char *key)
{
	const char *dot = strrchr(key, '.');

	return dot != NULL ? dot + 1 : key;
}

/* "heartbeat" or "tls.heartbeat" for "pool.heartbeat", when no other option ends so. */
static const struct option *find_by_last_part(const char *key)
{
	const struct option *found = NULL;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (strcmp(last_part(config_options[i].key), last_part(key)) != 0) {
			continue;
		}
		if (found != NULL) {
			return NULL;
		}
		found = &config_options[i];
	}
	return found;
}

const struct option *config_nearest(const char *key)
{
	const unsigned farthest = 3;
	const struct option *nearest = NULL;
	unsigned least = farthest + 1;
	size_t length;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		unsigned edits = str_edit_distance(key, config_options[i].key);

		if (edits < least) {
			least = edits;
			nearest = &config_options[i];
		}
	}
	/* Three edits make most short words out of others; the section must not count for them. */
	length = strlen(least < farthest ? key : last_part(key));
	if (nearest != NULL && length / 3 >= least) {
		return nearest;
	}
	return find_by_last_part(key);
}

size_t config_find_section(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (strncmp(config_options[i].key, name, len) == 0 &&
		    config_options[i].key[len] == '.') {
			return i;
		}
	}
	return OPTION_COUNT;
}

bool config_nearest_section(const char *name, char ret_section[CONFIG_SECTION_BYTES])
{
	unsigned least = 3;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *key = config_options[i].key;
		const char *dot = strchr(key, '.');
		char section[CONFIG_SECTION_BYTES];
		unsigned edits;

		if (dot == NULL) {
			continue;
		}
		snprintf(section, sizeof(section), "%.*s", (int)(dot - key), key);
		edits = str_edit_distance(name, section);
		if (edits < least) {
			least = edits;
			memcpy(ret_section, section, sizeof(section));
		}
	}
	return least < 3;
}

static void problem_unknown(struct config_problems *problems, const char *where, const char *key)
{
	const struct option *nearest = config_nearest(key);
	char at[CONFIG_WHERE_BYTES];

	config_where(where, key, at);
	if (nearest != NULL) {
		config_problem(problems, at, "unknown option; did you mean %s?", nearest->key);
	} else {
		config_problem(problems, at, "unknown option; `warmpool options` lists them all");
	}
}

static void note_origin(struct config *config, const struct option *option, const char *where)
{
	char **origin = &config->origins[option - config_options];

	free(*origin);
	*origin = where != NULL ? mem_strdup(where) : NULL;
}

void config_value_store(struct config *config, const struct option *option,
			const union option_value *value, const char *where)
{
	store(config, option, value);
	note_origin(config, option, where);
}

/* `rows` is the option that the key begins with. */
static void set_in_row(struct config *config, struct config_problems *problems, const char *where,
		       const struct option *rows, const char *key, const char *text)
{
	struct span path = span_of(key + strlen(rows->key) + 1);
	char at[CONFIG_WHERE_BYTES];
	char fault[CONFIG_FAULT_BYTES];

	if (client_rows_set(config_field(config, rows), path, span_of(text), fault)) {
		note_origin(config, rows, where);
	} else {
		config_problem(problems, config_where(where, key, at), "%s", fault);
	}
}

void config_set(struct config *config, struct config_problems *problems, const char *where,
		const char *key, const char *text)
{
	const struct option *option = config_find(key);
	const struct option *rows = option == NULL ? config_find_rows(key) : NULL;
	char at[CONFIG_WHERE_BYTES];
	char fault[CONFIG_FAULT_BYTES];
	union option_value value;

	if (rows != NULL) {
		set_in_row(config, problems, where, rows, key, text);
	} else if (option == NULL) {
		problem_unknown(problems, where, key);
	} else if (!config_value_read(option, span_of(text), &value, fault)) {
		config_problem(problems, config_where(where, key, at), "%s", fault);
	} else {
		config_value_store(config, option, &value, where);
	}
}

void config_set_list(struct config *config, struct config_problems *problems, const char *where,
		     const char *key, const char *const *items, size_t count)
{
	const struct option *option = config_find(key);
	char at[CONFIG_WHERE_BYTES];
	char fault[CONFIG_FAULT_BYTES];
	char allowed[CONFIG_ALLOWED_BYTES];
	union option_value value;

	if (option == NULL) {
		problem_unknown(problems, where, key);
	} else if (option->kind != OPTION_LIST) {
		config_problem(problems, config_where(where, key, at),
			       "takes one value, not a list; allowed: %s",
			       config_allowed_text(option, allowed));
	} else if (!config_value_read_items(items, count, &value, fault)) {
		config_problem(problems, config_where(where, key, at), "%s", fault);
	} else {
		config_value_store(config, option, &value, where);
	}
}

static bool is_same_list(const struct string_list *a, const struct string_list *b)
{
	if (a->count != b->count) {
		return false;
	}
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0) {
			return false;
		}
	}
	return true;
}

bool config_is_same(const struct config *a, const struct config *b, const struct option *option)
{
	const void *field_a = config_field_const(a, option);
	const void *field_b = config_field_const(b, option);

	switch (option->kind) {
	case OPTION_BOOL:
		return *(const bool *)field_a == *(const bool *)field_b;
	case OPTION_TEXT:
		return strcmp(*(char *const *)field_a, *(char *const *)field_b) == 0;
	case OPTION_LIST:
		return is_same_list(field_a, field_b);
	case OPTION_CLIENTS:
		return client_rows_are_same(field_a, field_b);
	case OPTION_U64:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
	case OPTION_WORD:
	case OPTION_DURATION_OR:
		break;
	}
	return *(const uint64_t *)field_a == *(const uint64_t *)field_b;
}

static size_t field_bytes(const struct option *option)
{
	switch (option->kind) {
	case OPTION_BOOL:
		return sizeof(bool);
	case OPTION_TEXT:
		return sizeof(char *);
	case OPTION_LIST:
		return sizeof(struct string_list);
	case OPTION_CLIENTS:
		return sizeof(struct client_rows);
	case OPTION_U64:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
	case OPTION_WORD:
	case OPTION_DURATION_OR:
		break;
	}
	return sizeof(uint64_t);
}

static void swap_bytes(void *a, void *b, size_t bytes)
{
	char kept[sizeof(struct string_list) + sizeof(struct client_rows)];

	memcpy(kept, a, bytes);
	memcpy(a, b, bytes);
	memcpy(b, kept, bytes);
}

void config_swap(struct config *a, struct config *b, const struct option *option)
{
	size_t index = (size_t)(option - config_options);

	swap_bytes(config_field(a, option), config_field(b, option), field_bytes(option));
	swap_bytes(&a->origins[index], &b->origins[index], sizeof(a->origins[index]));
}
