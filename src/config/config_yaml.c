/* Walks the events of a YAML file and sets the options whose keys its nested mappings spell. */
#include "config/config_yaml.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/config_value.h"
#include "config/config_yaml_clients.h"
#include "config/config_yaml_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_BYTES_MAX = 1024 * 1024,
	KEY_BYTES = 128,
	ITEMS_MAX = 4096,
};

/* One file being read. */
struct reader {
	struct yaml_file *file;             /* borrowed */
	struct config *config;              /* borrowed */
	size_t option_lines[OPTION_COUNT];  /* where each was set; 0: not yet */
	size_t section_lines[OPTION_COUNT]; /* the same for a section, at its first option */
};

static void read_scalar(struct reader *reader, const struct option *option)
{
	struct yaml_file *file = reader->file;
	struct span value = yaml_file_scalar(file);
	size_t line = yaml_file_line(file);

	if (yaml_file_is_null(file)) {
		value = SPAN("");
		if (option->kind != OPTION_LIST && option->kind != OPTION_TEXT &&
		    option->kind != OPTION_CLIENTS) {
			yaml_file_problem(
				file, line, option->key,
				"has no value; give one, or take the line out for the default");
			return;
		}
	}
	if (memchr(value.data, '\0', value.len) != NULL) {
		yaml_file_problem(file, line, option->key, "holds a NUL byte");
		return;
	}
	config_set(reader->config, file->problems, yaml_file_at(file, line), option->key,
		   value.data);
}

static bool read_item(struct reader *reader, const struct option *option, struct string_list *items)
{
	struct yaml_file *file = reader->file;
	const yaml_event_t *event = &file->event;
	size_t line = yaml_file_line(file);

	if (!yaml_file_is_plain(file)) {
		return false;
	}
	if (event->type != YAML_SCALAR_EVENT || yaml_file_is_null(file)) {
		yaml_file_problem(file, line, option->key, "an item must be a plain text; %s",
				  YAML_FILE_QUOTES_HINT);
		return false;
	}
	if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL) {
		yaml_file_problem(file, line, option->key, "holds a NUL byte");
		return false;
	}
	if (items->count >= ITEMS_MAX) {
		yaml_file_problem(file, line, option->key, "has too many items");
		file->stopped = true;
		return false;
	}
	items->items = mem_grow(items->items, items->count + 1, sizeof(items->items[0]));
	items->items[items->count++] = mem_strdup(yaml_file_scalar(file).data);
	return true;
}

static void read_sequence(struct reader *reader, const struct option *option, unsigned depth)
{
	struct yaml_file *file = reader->file;
	struct string_list items = {0};
	size_t line = yaml_file_line(file);
	bool is_good = true;

	while (yaml_file_next(file) != YAML_SEQUENCE_END_EVENT && !file->stopped) {
		is_good = read_item(reader, option, &items) && is_good;
		yaml_file_skip(file, depth + 1);
	}
	if (is_good && !file->stopped) {
		config_set_list(reader->config, file->problems, yaml_file_at(file, line),
				option->key, (const char *const *)items.items, items.count);
	}
	for (size_t i = 0; i < items.count; i++) {
		free(items.items[i]);
	}
	free(items.items);
}

static void read_clients(struct reader *reader, const struct option *option, unsigned depth)
{
	struct yaml_file *file = reader->file;
	size_t line = yaml_file_line(file);
	union option_value value;

	if (config_yaml_read_clients(file, option->key, depth, &value.rows)) {
		config_value_store(reader->config, option, &value, yaml_file_at(file, line));
	}
}

/* The present event begins the value of an option. */
static void read_option(struct reader *reader, const struct option *option, size_t key_line,
			unsigned depth)
{
	struct yaml_file *file = reader->file;
	bool is_first = yaml_file_note_line(file, key_line, option->key,
					    &reader->option_lines[option - config_options]);

	if (!yaml_file_is_plain(file) || !is_first) {
		yaml_file_skip(file, depth);
	} else if (file->event.type == YAML_SCALAR_EVENT) {
		read_scalar(reader, option);
	} else if (option->kind == OPTION_CLIENTS) {
		read_clients(reader, option, depth);
	} else if (file->event.type == YAML_SEQUENCE_START_EVENT) {
		read_sequence(reader, option, depth);
	} else {
		yaml_file_problem(file, key_line, option->key,
				  "is an option and takes a value, not options beneath it");
		yaml_file_skip(file, depth);
	}
}

static void read_mapping(struct reader *reader, const char *path, unsigned depth);

static void read_section(struct reader *reader, const char *path, size_t key_line, unsigned depth)
{
	struct yaml_file *file = reader->file;
	size_t first = config_find_section(path);
	bool is_first = yaml_file_note_line(file, key_line, path, &reader->section_lines[first]);

	if (!yaml_file_is_plain(file) || !is_first) {
		yaml_file_skip(file, depth);
	} else if (file->event.type == YAML_MAPPING_START_EVENT) {
		read_mapping(reader, path, depth);
	} else if (!yaml_file_is_null(file)) {
		yaml_file_problem(file, key_line, path,
				  "is a section; write its options indented beneath it, such as %s",
				  config_options[first].key);
		yaml_file_skip(file, depth);
	}
}

/* Neither option nor section. Its contents are passed over: one slip, one problem. */
static void read_unknown(struct reader *reader, const char *path, size_t key_line, unsigned depth)
{
	struct yaml_file *file = reader->file;
	const struct option *rows = config_find_rows(path);
	char section[CONFIG_SECTION_BYTES];

	if (rows != NULL) {
		yaml_file_problem(
			file, key_line, path,
			"is part of a row; write the row indented beneath %s, as in crawler: {weight: 2}",
			rows->key);
	} else if (file->event.type == YAML_MAPPING_START_EVENT &&
		   config_nearest_section(path, section)) {
		yaml_file_problem(file, key_line, path, "unknown section; did you mean %s?",
				  section);
	} else {
		config_set(reader->config, file->problems, yaml_file_at(file, key_line), path, "");
	}
	yaml_file_skip(file, depth);
}

/* Reads the key at the present event and joins it to `path`. False, with a problem, when it can be none. */
static bool read_key(struct reader *reader, const char *path, char key[KEY_BYTES])
{
	struct yaml_file *file = reader->file;
	struct span text;
	char quoted[CONFIG_QUOTE_BYTES];

	if (!yaml_file_is_plain(file)) {
		return false;
	}
	if (file->event.type != YAML_SCALAR_EVENT) {
		yaml_file_problem(file, yaml_file_line(file), NULL,
				  "a key must be the name of an option, such as pool.size");
		return false;
	}
	text = yaml_file_scalar(file);
	if (text.len == 0 || strlen(path) + text.len + 2 > KEY_BYTES ||
	    memchr(text.data, '\0', text.len) != NULL) {
		yaml_file_problem(file, yaml_file_line(file), NULL,
				  "%s is no option; `warmpool options` lists them all",
				  config_quote(text, quoted));
		return false;
	}
	snprintf(key, KEY_BYTES, "%s%s%s", path, path[0] != '\0' ? "." : "", text.data);
	return true;
}

static void read_pair(struct reader *reader, const char *path, unsigned depth)
{
	struct yaml_file *file = reader->file;
	const struct option *option;
	size_t line = yaml_file_line(file);
	char key[KEY_BYTES];

	if (!read_key(reader, path, key)) {
		yaml_file_skip_pair(file, depth + 1);
		return;
	}
	option = config_find(key);
	yaml_file_next(file);
	if (file->stopped) {
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
	struct yaml_file *file = reader->file;

	while (yaml_file_next(file) != YAML_MAPPING_END_EVENT && !file->stopped) {
		read_pair(reader, path, depth);
	}
}

static void read_document(struct reader *reader)
{
	struct yaml_file *file = reader->file;

	if (yaml_file_next(file) == YAML_NO_EVENT || !yaml_file_is_plain(file)) {
		return;
	}
	if (file->event.type == YAML_MAPPING_START_EVENT) {
		read_mapping(reader, "", 1);
	} else if (!yaml_file_is_null(file)) {
		yaml_file_problem(file, yaml_file_line(file), NULL,
				  "must hold options, as in \"pool.size: 25\"");
		file->stopped = true;
	}
}

static void read_stream(struct reader *reader)
{
	struct yaml_file *file = reader->file;
	bool is_first = true;

	for (yaml_event_type_t type = yaml_file_next(file);
	     type != YAML_NO_EVENT && type != YAML_STREAM_END_EVENT; type = yaml_file_next(file)) {
		if (type != YAML_DOCUMENT_START_EVENT) {
			continue;
		}
		if (!is_first) {
			yaml_file_problem(file, yaml_file_line(file), NULL,
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
	struct yaml_file file;
	struct reader reader = {.file = &file, .config = config};

	if (text.len > FILE_BYTES_MAX) {
		problem_too_large(problems, name);
		return;
	}
	yaml_file_init(&file, problems, name, text);
	read_stream(&reader);
	yaml_file_fini(&file);
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
