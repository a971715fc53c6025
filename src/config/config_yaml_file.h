/*
 * One YAML file, event by event, each with its place; refuses what no configuration needs. Internal to config/.
 *
 *   yaml_file_init(&file, &problems, name, text);
 *   while (yaml_file_next(&file) != YAML_MAPPING_END_EVENT && !file.stopped) …
 *   yaml_file_fini(&file);
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "config/config.h"

#include <yaml.h>

#include <stdbool.h>
#include <stddef.h>

enum { YAML_FILE_DEPTH_MAX = 5 };

struct yaml_file {
	yaml_parser_t parser;
	yaml_event_t event;               /* the present one; owned */
	struct config_problems *problems; /* borrowed */
	const char *name;                 /* borrowed */
	struct span text;                 /* borrowed; the whole file */
	char *where;                      /* owned; what yaml_file_at() returned last */
	bool stopped; /* nothing more can be read; whoever cannot go on may set it */
};

/* `name` stands for the file in problems. Both borrowed until fini. */
void yaml_file_init(struct yaml_file *file, struct config_problems *problems, const char *name,
		    struct span text);
void yaml_file_fini(struct yaml_file *file);

/* Moves to the next event. After the end, a syntax error or too many problems there is only YAML_NO_EVENT. */
yaml_event_type_t yaml_file_next(struct yaml_file *file);

/* Skips the node that the present event begins, and stops at one too deep. `depth` is that of the node. */
void yaml_file_skip(struct yaml_file *file, unsigned depth);
/* The same for the key at the present event and its value. */
void yaml_file_skip_pair(struct yaml_file *file, unsigned depth);

/* The line of the present event, from 1. */
size_t yaml_file_line(const struct yaml_file *file);
/* "FILE:LINE" of a line. Valid until the next call. */
const char *yaml_file_at(struct yaml_file *file, size_t line);

/* The present scalar: a NUL byte follows, and may stand inside. Valid until the next event. */
struct span yaml_file_scalar(const struct yaml_file *file);
/* Is the present event a scalar that stands for nothing: no text, ~ or null? */
bool yaml_file_is_null(const struct yaml_file *file);

/*
 * False, with a problem, when the present node has an anchor or a tag or is an alias. They have no use here, and are what
 * makes YAML files surprising.
 */
MUST_USE bool yaml_file_is_plain(struct yaml_file *file);

/* Adds a problem in this line, of the setting `path`; NULL: of none. */
void yaml_file_problem(struct yaml_file *file, size_t line, const char *path, const char *format,
		       ...) PRINTF_LIKE(4, 5);
/* Notes where a key stands; false, with a problem, when it stood before. `*noted` is 0 until then. */
MUST_USE bool yaml_file_note_line(struct yaml_file *file, size_t line, const char *path,
				  size_t *noted);

/* For problems of what must not begin with a bracket. */
#define YAML_FILE_QUOTES_HINT "an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\""
