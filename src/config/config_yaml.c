/* Walks the events of a YAML file and sets the options whose keys its nested mappings spell. */
#include "config/config_yaml.h"

#include "base/file.h"
#include "base/mem.h"

#include <yaml.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_BYTES_MAX = 1024 * 1024,
	DEPTH_MAX = 4,
	KEY_BYTES = 128,
	ITEMS_MAX = 4096,
};

/* One file being read. */
struct reader {
	yaml_parser_t parser;
	yaml_event_t event;                 /* the present one; owned */
	struct config *config;              /* borrowed */
	struct config_problems *problems;   /* borrowed */
	const char *name;                   /* borrowed */
	struct span text;                   /* borrowed; the whole file */
	char *where;                        /* owned; "FILE:LINE" of the last call of at() */
	size_t option_lines[OPTION_COUNT];  /* where each was set; 0: not yet */
	size_t section_lines[OPTION_COUNT]; /* the same for a section, at its first option */
	bool stopped;                       /* nothing more can be read */
};

static const char *at_line(struct reader *reader, size_t line)
{
	free(reader->where);
	if (asprintf(&reader->where, "%s:%zu", reader->name, line) < 0) {
		abort();
	}
	return reader->where;
}

/* The present event's "FILE:LINE". */
static const char *at(struct reader *reader)
{
	return at_line(reader, reader->event.start_mark.line + 1);
}

static struct span line_of(struct span text, size_t line)
{
	const char *begin = text.data;
	const char *end = text.data + text.len;
	const char *newline;

	for (; line > 0 && begin < end; line--) {
		newline = memchr(begin, '\n', (size_t)(end - begin));
		begin = newline != NULL ? newline + 1 : end;
	}
	newline = begin < end ? memchr(begin, '\n', (size_t)(end - begin)) : NULL;
	return (struct span){begin, (size_t)((newline != NULL ? newline : end) - begin)};
}

static const char quotes_hint[] = "an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\"";

/* The two slips that this file's users make, told from the line that libyaml stumbled at. */
static const char *syntax_hint(struct span line)
{
	size_t blanks = 0;

	while (blanks < line.len && line.data[blanks] == ' ') {
		blanks++;
	}
	if (blanks < line.len && line.data[blanks] == '\t') {
		return "indent with blanks, not tabs";
	}
	if (memchr(line.data, '"', line.len) != NULL || memchr(line.data, '\'', line.len) != NULL) {
		return "";
	}
	return memmem(line.data, line.len, "::", 2) != NULL ? quotes_hint : "";
}

static void problem_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	size_t line = parser->problem_mark.line;
	const char *hint = syntax_hint(line_of(reader->text, line));

	if (hint[0] == '\0' && parser->context != NULL) {
		hint = syntax_hint(line_of(reader->text, parser->context_mark.line));
	}
	if (parser->error == YAML_MEMORY_ERROR) {
		abort();
	}
	config_problem(reader->problems, at_line(reader, line + 1), "not valid YAML: %s%s%s%s%s",
		       parser->context != NULL ? parser->context : "",
		       parser->context != NULL ? ", " : "",
		       parser->problem != NULL ? parser->problem : "unreadable",
		       hint[0] != '\0' ? "; " : "", hint);
}

/* Moves to the next event. After the end, a syntax error or too many problems there is only YAML_NO_EVENT. */
static yaml_event_type_t next(struct reader *reader)
{
	yaml_event_delete(&reader->event);
	if (reader->problems->count >= CONFIG_PROBLEMS_MAX) {
		reader->stopped = true;
	}
	if (reader->stopped) {
		return YAML_NO_EVENT;
	}
	if (!yaml_parser_parse(&reader->parser, &reader->event)) {
		problem_syntax(reader);
		reader->stopped = true;
		return YAML_NO_EVENT;
	}
	return reader->event.type;
}

/* Skips the node that the present event begins, and stops at one too deep. `depth` is that of the node. */
static void skip(struct reader *reader, unsigned depth)
{
	yaml_event_type_t type = reader->event.type;
	unsigned open = 0;

	for (;; type = next(reader)) {
		if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) {
			open++;
		} else if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT) {
			open--;
		}
		if (open == 0 || reader->stopped) {
			return;
		}
		if (depth + open - 1 > DEPTH_MAX) {
			config_problem(reader->problems, at(reader), "nested deeper than %d levels",
				       DEPTH_MAX);
			reader->stopped = true;
			return;
		}
	}
}

/* Anchors, tags and aliases have no use here, and are what makes YAML files surprising. */
static bool is_plain_node(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;
	const yaml_char_t *anchor = NULL;
	const yaml_char_t *tag = NULL;

	if (event->type == YAML_ALIAS_EVENT) {
		config_problem(reader->problems, at(reader),
			       "aliases (*name) are not supported; write the value out");
		return false;
	}
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor != NULL) {
		config_problem(reader->problems, at(reader),
			       "anchors (&name) are not supported; write the value out");
	} else if (tag != NULL) {
		config_problem(reader->problems, at(reader),
			       "tags (!name) are not supported; leave it out");
	}
	return anchor == NULL && tag == NULL;
}

static struct span scalar_of(const yaml_event_t *event)
{
	return (struct span){(const char *)event->data.scalar.value, event->data.scalar.length};
}

static bool is_null(const yaml_event_t *event)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	if (event->type != YAML_SCALAR_EVENT ||
	    event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++) {
		if (span_is(scalar_of(event), span_of(nulls[i]))) {
			return true;
		}
	}
	return false;
}

/* Notes where a key stands; false, with a problem, when it stood before. */
static bool note_line(struct reader *reader, size_t *noted, const char *path, size_t line)
{
	char where[CONFIG_WHERE_BYTES];

	if (*noted != 0) {
		config_problem(reader->problems, config_where(at_line(reader, line), path, where),
			       "given twice, first in line %zu; keep one", *noted);
		return false;
	}
	*noted = line;
	return true;
}

static void problem_at_key(struct reader *reader, const char *path, size_t line, const char *what)
{
	char where[CONFIG_WHERE_BYTES];

	config_problem(reader->problems, config_where(at_line(reader, line), path, where), "%s",
		       what);
}

static void read_scalar(struct reader *reader, const struct option *option)
{
	struct span value = scalar_of(&reader->event);
	size_t line = reader->event.start_mark.line + 1;

	if (is_null(&reader->event)) {
		value = SPAN("");
		if (option->kind != OPTION_LIST && option->kind != OPTION_TEXT) {
			problem_at_key(
				reader, option->key, line,
				"has no value; give one, or take the line out for the default");
			return;
		}
	}
	if (memchr(value.data, '\0', value.len) != NULL) {
		problem_at_key(reader, option->key, line, "holds a NUL byte");
		return;
	}
	config_set(reader->config, reader->problems, at(reader), option->key, value.data);
}

static bool read_item(struct reader *reader, const struct option *option, struct string_list *items)
{
	const yaml_event_t *event = &reader->event;
	size_t line = event->start_mark.line + 1;
	char what[128];

	if (!is_plain_node(reader)) {
		return false;
	}
	if (event->type != YAML_SCALAR_EVENT || is_null(event)) {
		snprintf(what, sizeof(what), "an item must be a plain text; %s", quotes_hint);
		problem_at_key(reader, option->key, line, what);
		return false;
	}
	if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL) {
		problem_at_key(reader, option->key, line, "holds a NUL byte");
		return false;
	}
	if (items->count >= ITEMS_MAX) {
		problem_at_key(reader, option->key, line, "has too many items");
		reader->stopped = true;
		return false;
	}
	items->items = mem_grow(items->items, items->count + 1, sizeof(items->items[0]));
	items->items[items->count++] = mem_strdup(scalar_of(event).data);
	return true;
}

static void read_sequence(struct reader *reader, const struct option *option, unsigned depth)
{
	struct string_list items = {0};
	size_t line = reader->event.start_mark.line + 1;
	bool is_good = true;

	while (next(reader) != YAML_SEQUENCE_END_EVENT && !reader->stopped) {
		is_good = read_item(reader, option, &items) && is_good;
		skip(reader, depth + 1);
	}
	if (is_good && !reader->stopped) {
		config_set_list(reader->config, reader->problems, at_line(reader, line),
				option->key, (const char *const *)items.items, items.count);
	}
	for (size_t i = 0; i < items.count; i++) {
		free(items.items[i]);
	}
	free(items.items);
}

/* The present event begins the value of an option. */
static void read_option(struct reader *reader, const struct option *option, size_t key_line,
			unsigned depth)
{
	bool is_first = note_line(reader, &reader->option_lines[option - config_options],
				  option->key, key_line);

	if (!is_plain_node(reader) || !is_first) {
		skip(reader, depth);
	} else if (reader->event.type == YAML_SCALAR_EVENT) {
		read_scalar(reader, option);
	} else if (reader->event.type == YAML_SEQUENCE_START_EVENT) {
		read_sequence(reader, option, depth);
	} else {
		problem_at_key(reader, option->key, key_line,
			       "is an option and takes a value, not options beneath it");
		skip(reader, depth);
	}
}

static void read_mapping(struct reader *reader, const char *path, unsigned depth);

static void read_section(struct reader *reader, const char *path, size_t key_line, unsigned depth)
{
	size_t first = config_find_section(path);
	bool is_first = note_line(reader, &reader->section_lines[first], path, key_line);
	char what[128];

	if (!is_plain_node(reader) || !is_first) {
		skip(reader, depth);
	} else if (reader->event.type == YAML_MAPPING_START_EVENT) {
		read_mapping(reader, path, depth);
	} else if (!is_null(&reader->event)) {
		snprintf(what, sizeof(what),
			 "is a section; write its options indented beneath it, such as %s",
			 config_options[first].key);
		problem_at_key(reader, path, key_line, what);
		skip(reader, depth);
	}
}

/* Neither option nor section. Its contents are passed over: one slip, one problem. */
static void read_unknown(struct reader *reader, const char *path, size_t key_line, unsigned depth)
{
	char section[CONFIG_SECTION_BYTES];
	char what[64 + CONFIG_SECTION_BYTES];

	if (reader->event.type == YAML_MAPPING_START_EVENT &&
	    config_nearest_section(path, section)) {
		snprintf(what, sizeof(what), "unknown section; did you mean %s?", section);
		problem_at_key(reader, path, key_line, what);
	} else {
		config_set(reader->config, reader->problems, at_line(reader, key_line), path, "");
	}
	skip(reader, depth);
}

/* Reads the key at the present event and joins it to `path`. False, with a problem, when it can be none. */
static bool read_key(struct reader *reader, const char *path, char key[KEY_BYTES])
{
	struct span text;
	char quoted[CONFIG_QUOTE_BYTES];

	if (!is_plain_node(reader)) {
		return false;
	}
	if (reader->event.type != YAML_SCALAR_EVENT) {
		config_problem(reader->problems, at(reader),
			       "a key must be the name of an option, such as pool.size");
		return false;
	}
	text = scalar_of(&reader->event);
	if (text.len == 0 || strlen(path) + text.len + 2 > KEY_BYTES ||
	    memchr(text.data, '\0', text.len) != NULL) {
		config_problem(reader->problems, at(reader),
			       "%s is no option; `warmpool options` lists them all",
			       config_quote(text, quoted));
		return false;
	}
	snprintf(key, KEY_BYTES, "%s%s%s", path, path[0] != '\0' ? "." : "", text.data);
	return true;
}

static void read_pair(struct reader *reader, const char *path, unsigned depth)
{
	const struct option *option;
	size_t line = reader->event.start_mark.line + 1;
	char key[KEY_BYTES];

	if (!read_key(reader, path, key)) {
		skip(reader, depth + 1);
		next(reader);
		skip(reader, depth + 1);
		return;
	}
	option = config_find(key);
	next(reader);
	if (reader->stopped) {
		return;
	}
	if (option != NULL) {
		read_option(reader, option, line, depth + 1);
	} else if (config_find_section(key) < OPTION_COUNT) {
		read_section(reader, key, line, depth + 1);
	} else {
		read_unknown(reader, key, line, depth + 1);
	}
}

/* The present event begins a mapping; `path` is that of its section, empty at the top. */
static void read_mapping(struct reader *reader, const char *path, unsigned depth)
{
	while (next(reader) != YAML_MAPPING_END_EVENT && !reader->stopped) {
		read_pair(reader, path, depth);
	}
}

static void read_document(struct reader *reader)
{
	if (next(reader) == YAML_NO_EVENT || !is_plain_node(reader)) {
		return;
	}
	if (reader->event.type == YAML_MAPPING_START_EVENT) {
		read_mapping(reader, "", 1);
	} else if (!is_null(&reader->event)) {
		config_problem(reader->problems, at(reader),
			       "must hold options, as in \"pool.size: 25\"");
		reader->stopped = true;
	}
}

static void read_stream(struct reader *reader)
{
	bool is_first = true;

	for (yaml_event_type_t type = next(reader);
	     type != YAML_NO_EVENT && type != YAML_STREAM_END_EVENT; type = next(reader)) {
		if (type != YAML_DOCUMENT_START_EVENT) {
			continue;
		}
		if (!is_first) {
			config_problem(reader->problems, at(reader),
				       "a second document begins; keep one only");
			return;
		}
		is_first = false;
		read_document(reader);
	}
}

static void problem_too_large(struct config_problems *problems, const char *name)
{
	config_problem(problems, name, "is larger than 1 MiB; that can be no configuration");
}

void config_yaml_parse(struct config *config, struct config_problems *problems, const char *name,
		       struct span text)
{
	struct reader reader = {.config = config, .problems = problems, .name = name, .text = text};

	if (text.len > FILE_BYTES_MAX) {
		problem_too_large(problems, name);
		return;
	}
	if (!yaml_parser_initialize(&reader.parser)) {
		abort();
	}
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&reader.parser, (const unsigned char *)(text.len > 0 ? text.data : ""), text.len);
	read_stream(&reader);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	free(reader.where);
}

void config_yaml_load(struct config *config, struct config_problems *problems, const char *path)
{
	char *data;
	size_t len;

	if (file_read(path, FILE_BYTES_MAX, &data, &len)) {
		config_yaml_parse(config, problems, path, (struct span){data, len});
		free(data);
	} else if (errno == EFBIG) {
		problem_too_large(problems, path);
	} else {
		config_problem(problems, path, "cannot be read: %s; name a readable file with -c",
			       strerror(errno));
	}
}
