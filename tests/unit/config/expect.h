/*
 * What the tests of config/ share: looking for problems.
 */
#pragma once

#include "config/config.h"
#include "suite.h"

#include <string.h>

static inline void expect_no_problem(const struct config_problems *problems)
{
	ck_assert_msg(problems->count == 0, "unexpected: %s",
		      problems->count > 0 ? problems->lines[0] : "");
	ck_assert_uint_eq(problems->errors, 0);
}

/* Exactly one line, this one. */
static inline void expect_only(const struct config_problems *problems, const char *line)
{
	ck_assert_msg(problems->count == 1, "%zu problems, wanted: %s", problems->count, line);
	ck_assert_str_eq(problems->lines[0], line);
}

/* A line that holds this text. */
static inline void expect_part(const struct config_problems *problems, const char *part)
{
	for (size_t i = 0; i < problems->count; i++) {
		if (strstr(problems->lines[i], part) != NULL) {
			return;
		}
	}
	ck_abort_msg("no problem says: %s; the first of %zu: %s", part, problems->count,
		     problems->count > 0 ? problems->lines[0] : "none");
}

static inline void expect_value(const struct config *config, const char *key, const char *value)
{
	char text[1024];
	const struct option *option = config_find(key);

	ck_assert_ptr_nonnull(option);
	ck_assert_str_eq(config_value_text(config, option, text, sizeof(text)), value);
}
