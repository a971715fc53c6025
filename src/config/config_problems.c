/* Gathers described problems: bounded, each one printable line. */
#include "base/mem.h"
#include "config/config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 768, LINE_BYTES = CONFIG_WHERE_BYTES + TEXT_BYTES + 32 };

void config_problems_fini(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		free(problems->lines[i]);
	}
	free(problems->lines);
	*problems = (struct config_problems){0};
}

static void mask_controls(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			text[i] = '?';
		}
	}
}

char *config_quote(struct span text, char out[CONFIG_QUOTE_BYTES])
{
	const size_t longest = 60;
	size_t len = MIN(text.len, longest);

	/* A cut never falls inside a UTF-8 character. */
	while (len < text.len && len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80) {
		len--;
	}
	out[0] = '\'';
	memcpy(out + 1, text.data, len);
	mask_controls(out + 1, len);
	snprintf(out + 1 + len, CONFIG_QUOTE_BYTES - 1 - len, "%s'", len < text.len ? "..." : "");
	return out;
}

/* A long origin loses its beginning, not the line number at its end. */
static const char *tail_of(const char *text, size_t longest)
{
	size_t len = strlen(text);

	return len > longest ? text + len - longest : text;
}

char *config_where(const char *origin, const char *key, char out[CONFIG_WHERE_BYTES])
{
	static const char set[] = "--set ";
	const size_t longest_key = 96; /* the longest that is right has 91: a field of a client */
	const size_t longest_origin = CONFIG_WHERE_BYTES - longest_key - 3;

	if (origin == NULL) {
		snprintf(out, CONFIG_WHERE_BYTES, "%s", tail_of(key, longest_key));
	} else if (strncmp(origin, set, strlen(set)) == 0 &&
		   strcmp(origin + strlen(set), key) == 0) {
		snprintf(out, CONFIG_WHERE_BYTES, "%s%s", set, tail_of(key, longest_key));
	} else {
		snprintf(out, CONFIG_WHERE_BYTES, "%s: %s", tail_of(origin, longest_origin),
			 tail_of(key, longest_key));
	}
	return out;
}

static bool is_full(const struct config_problems *problems)
{
	return problems->count >= CONFIG_PROBLEMS_MAX;
}

static void add(struct config_problems *problems, const char *prefix, const char *where,
		const char *text)
{
	char line[LINE_BYTES];

	snprintf(line, sizeof(line), "%s%s%s%s", prefix,
		 where != NULL ? tail_of(where, CONFIG_WHERE_BYTES) : "", where != NULL ? ": " : "",
		 text);
	mask_controls(line, strlen(line));
	problems->lines =
		mem_grow(problems->lines, problems->count + 1, sizeof(problems->lines[0]));
	problems->lines[problems->count++] = mem_strdup(line);
}

void config_problem(struct config_problems *problems, const char *where, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	problems->errors++;
	if (is_full(problems)) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add(problems, "", where, text);
}

void config_warning(struct config_problems *problems, const char *where, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	if (is_full(problems)) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add(problems, "warning: ", where, text);
}
