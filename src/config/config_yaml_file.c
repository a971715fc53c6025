/* Owns the parser of libyaml, and words what is no YAML for us. */
#include "config/config_yaml_file.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 768 };

void yaml_file_init(struct yaml_file *file, struct config_problems *problems, const char *name,
		    struct span text)
{
	*file = (struct yaml_file){.problems = problems, .name = name, .text = text};
	if (!yaml_parser_initialize(&file->parser)) {
		abort();
	}
	yaml_parser_set_encoding(&file->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&file->parser, (const unsigned char *)(text.len > 0 ? text.data : ""), text.len);
}

void yaml_file_fini(struct yaml_file *file)
{
	yaml_event_delete(&file->event);
	yaml_parser_delete(&file->parser);
	free(file->where);
	*file = (struct yaml_file){0};
}

size_t yaml_file_line(const struct yaml_file *file)
{
	return file->event.start_mark.line + 1;
}

const char *yaml_file_at(struct yaml_file *file, size_t line)
{
	free(file->where);
	if (asprintf(&file->where, "%s:%zu", file->name, line) < 0) {
		abort();
	}
	return file->where;
}

void yaml_file_problem(struct yaml_file *file, size_t line, const char *path, const char *format,
		       ...)
{
	const char *at = yaml_file_at(file, line);
	char where[CONFIG_WHERE_BYTES];
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config_problem(file->problems, path != NULL ? config_where(at, path, where) : at, "%s",
		       text);
}

bool yaml_file_note_line(struct yaml_file *file, size_t line, const char *path, size_t *noted)
{
	if (*noted != 0) {
		yaml_file_problem(file, line, path, "given twice, first in line %zu; keep one",
				  *noted);
		return false;
	}
	*noted = line;
	return true;
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
	return memmem(line.data, line.len, "::", 2) != NULL ? YAML_FILE_QUOTES_HINT : "";
}

static void problem_syntax(struct yaml_file *file)
{
	const yaml_parser_t *parser = &file->parser;
	size_t line = parser->problem_mark.line;
	const char *hint = syntax_hint(line_of(file->text, line));

	if (hint[0] == '\0' && parser->context != NULL) {
		hint = syntax_hint(line_of(file->text, parser->context_mark.line));
	}
	if (parser->error == YAML_MEMORY_ERROR) {
		abort();
	}
	yaml_file_problem(file, line + 1, NULL, "not valid YAML: %s%s%s%s%s",
			  parser->context != NULL ? parser->context : "",
			  parser->context != NULL ? ", " : "",
			  parser->problem != NULL ? parser->problem : "unreadable",
			  hint[0] != '\0' ? "; " : "", hint);
}

yaml_event_type_t yaml_file_next(struct yaml_file *file)
{
	yaml_event_delete(&file->event);
	if (file->problems->count >= CONFIG_PROBLEMS_MAX) {
		file->stopped = true;
	}
	if (file->stopped) {
		return YAML_NO_EVENT;
	}
	if (!yaml_parser_parse(&file->parser, &file->event)) {
		problem_syntax(file);
		file->stopped = true;
		return YAML_NO_EVENT;
	}
	return file->event.type;
}

void yaml_file_skip(struct yaml_file *file, unsigned depth)
{
	yaml_event_type_t type = file->event.type;
	unsigned open = 0;

	for (;; type = yaml_file_next(file)) {
		if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) {
			open++;
		} else if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT) {
			open--;
		}
		if (open == 0 || file->stopped) {
			return;
		}
		if (depth + open - 1 > YAML_FILE_DEPTH_MAX) {
			yaml_file_problem(file, yaml_file_line(file), NULL,
					  "nested deeper than %d levels", YAML_FILE_DEPTH_MAX);
			file->stopped = true;
			return;
		}
	}
}

void yaml_file_skip_pair(struct yaml_file *file, unsigned depth)
{
	yaml_file_skip(file, depth);
	yaml_file_next(file);
	yaml_file_skip(file, depth);
}

bool yaml_file_is_plain(struct yaml_file *file)
{
	const yaml_event_t *event = &file->event;
	const yaml_char_t *anchor = NULL;
	const yaml_char_t *tag = NULL;

	if (event->type == YAML_ALIAS_EVENT) {
		yaml_file_problem(file, yaml_file_line(file), NULL,
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
		yaml_file_problem(file, yaml_file_line(file), NULL,
				  "anchors (&name) are not supported; write the value out");
	} else if (tag != NULL) {
		yaml_file_problem(file, yaml_file_line(file), NULL,
				  "tags (!name) are not supported; leave it out");
	}
	return anchor == NULL && tag == NULL;
}

struct span yaml_file_scalar(const struct yaml_file *file)
{
	const yaml_event_t *event = &file->event;

	return (struct span){(const char *)event->data.scalar.value, event->data.scalar.length};
}

bool yaml_file_is_null(const struct yaml_file *file)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	const yaml_event_t *event = &file->event;

	if (event->type != YAML_SCALAR_EVENT ||
	    event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++) {
		if (span_is(yaml_file_scalar(file), span_of(nulls[i]))) {
			return true;
		}
	}
	return false;
}
