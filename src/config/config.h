/*
 * The configuration: one struct whose fields come from options.def, filled with defaults, then a file, then --set.
 *
 * Fallible functions gather described problems ("FILE:LINE: key: what is wrong; what to do") in a
 * struct config_problems instead of stopping at the first. A config owns its strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/macros.h"

struct string_list {
	char **items; /* owned, each too */
	size_t count;
};

/* Values of a DURATION_OR field from here on are the index of a word ("auto", "off"). */
#define OPTION_WORD_BASE  (UINT64_MAX - 15)
#define OPTION_IS_WORD(v) ((v) >= OPTION_WORD_BASE)

enum { SERVER_TIMING_LOOPBACK, SERVER_TIMING_ON, SERVER_TIMING_OFF };

struct config {
#define OPTION(type, field, kind, ...) type field;
#include "config/options.def"
#undef OPTION
};

enum option_kind {
	OPTION_BOOL,
	OPTION_U64,
	OPTION_DURATION,
	OPTION_SIZE,
	OPTION_PERCENT,
	OPTION_TEXT,
	OPTION_LIST,
	OPTION_WORD,
	OPTION_DURATION_OR,
};

struct option {
	const char *key;
	const char *fallback;
	const char *words; /* NULL, or comma-separated */
	const char *help;
	uint64_t min;
	uint64_t max;
	enum option_kind kind;
	bool reloadable;
	bool pending;
	size_t offset; /* of the field in struct config */
};

extern const struct option config_options[];
extern const size_t config_option_count;

/* Problems found, each one line without newline, in order. `errors` counts those that are not warnings. */
struct config_problems {
	char **lines; /* owned, each too */
	size_t count;
	size_t errors;
};

void config_problems_fini(struct config_problems *problems);

/* `where` is "FILE:LINE" or "--set KEY" or NULL; warnings do not count as errors. */
void config_problem(struct config_problems *problems, const char *where, const char *format, ...)
	PRINTF_LIKE(3, 4);
void config_warning(struct config_problems *problems, const char *where, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* All fields at their defaults. */
void config_init(struct config *config);
void config_fini(struct config *config);

/* The option with this key, or NULL; config_nearest() then names the most alike one, or NULL when none is near. */
const struct option *config_find(const char *key);
const struct option *config_nearest(const char *key);

/*
 * Sets one option from its text (lists take commas). On a fault adds a problem that names the option, what is wrong and
 * what is allowed, and leaves the field alone.
 */
void config_set(struct config *config, struct config_problems *problems, const char *where, const char *key,
		const char *text);
/* The same for a list whose items are already apart (YAML sequences). */
void config_set_list(struct config *config, struct config_problems *problems, const char *where, const char *key,
		     const char *const *items, size_t count);

/* Writes an option's present value as its text form ("64KiB", "auto", "a, b"). Returns `out`. */
char *config_value_text(const struct config *config, const struct option *option, char *out, size_t out_bytes);

/*
 * What one option alone cannot show: addresses and networks that do not parse, a listen address other than
 * loopback with an access.allow of loopback only, an unreadable CA file, min_idle above size, the URL's form,
 * pending options in use. No network is touched.
 */
void config_check(const struct config *config, struct config_problems *problems);
