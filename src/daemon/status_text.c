/* Lays out lines for a terminal of 80 columns. */
#include "daemon/status_text.h"

#include "base/span.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum { TEXT_BYTES = 4096 };

static const char *const colours[] = {[STATUS_PLAIN] = "",
				      [STATUS_STRONG] = "\033[1m",
				      [STATUS_WARNING] = "\033[33m",
				      [STATUS_ALARM] = "\033[1;31m"};

/* --- lines --- */

static void begin(const struct status_text *text, enum status_mood mood)
{
	if (text->has_colours) {
		fputs(colours[mood], text->out);
	}
}

static void end(const struct status_text *text, enum status_mood mood)
{
	if (text->has_colours && mood != STATUS_PLAIN) {
		fputs("\033[0m", text->out);
	}
}

/* The next character as it may be shown; moves on, and returns how many bytes it has: what controls a terminal becomes '?'. */
static size_t show(const char **at, char out[5])
{
	size_t len = str_utf8_len(span_of(*at));
	unsigned char first = (unsigned char)**at;
	bool is_control =
		first < ' ' || first == 0x7f || (first == 0xc2 && (unsigned char)(*at)[1] < 0xa0);

	memcpy(out, *at, len);
	*at += len > 0 ? len : 1;
	if (len == 0 || is_control) {
		out[0] = '?';
		len = 1;
	}
	out[len] = '\0';
	return len;
}

/* One column a character. */
static int count_columns(const char *word, const char *word_end)
{
	char shown[5];
	int columns = 0;

	while (word < word_end) {
		show(&word, shown);
		columns++;
	}
	return columns;
}

/* Up to there, at most so many columns; returns how many it took. */
static int print(const struct status_text *text, const char *from, const char *to, int most)
{
	char shown[5];
	int columns = 0;

	while (from < to && columns < most) {
		show(&from, shown);
		fputs(shown, text->out);
		columns++;
	}
	return columns;
}

/* A blank, or a new line where the word does not fit into this one; returns the column then. */
static int separate(const struct status_text *text, int column, int word_columns)
{
	if (column == STATUS_LABEL_COLUMNS) {
		return column;
	}
	if (column + 1 + word_columns <= STATUS_COLUMNS) {
		fputc(' ', text->out);
		return column + 1;
	}
	fprintf(text->out, "\n%*s", STATUS_LABEL_COLUMNS, "");
	return STATUS_LABEL_COLUMNS;
}

static void print_words(const struct status_text *text, enum status_mood mood, const char *at)
{
	int column = STATUS_LABEL_COLUMNS;

	begin(text, mood);
	while (*at != '\0') {
		const char *word_end = at + strcspn(at, " ");

		column = separate(text, column, count_columns(at, word_end));
		column += print(text, at, word_end, STATUS_COLUMNS - column);
		at = word_end + strspn(word_end, " ");
	}
	end(text, mood);
	fputc('\n', text->out);
}

void status_line(const struct status_text *text, const char *label, enum status_mood mood,
		 const char *format, ...)
{
	char words[TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	fprintf(text->out, "%-*s", STATUS_LABEL_COLUMNS, label);
	print_words(text, mood, words);
}

void status_row(const struct status_text *text, const char *label, enum status_mood mood,
		const char *format, ...)
{
	char row[TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(row, sizeof(row), format, arguments);
	va_end(arguments);
	fprintf(text->out, "%-*s", STATUS_LABEL_COLUMNS, label);
	begin(text, mood);
	print(text, row, row + strlen(row), STATUS_COLUMNS - STATUS_LABEL_COLUMNS);
	end(text, mood);
	fputc('\n', text->out);
}

/* --- numbers --- */

char *status_number(uint64_t number, char out[STATUS_NUMBER_BYTES])
{
	char digits[STATUS_NUMBER_BYTES];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *at = out;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0) {
			*at++ = ',';
		}
		*at++ = digits[i];
	}
	*at = '\0';
	return out;
}

char *status_seconds(double seconds, char out[STATUS_NUMBER_BYTES])
{
	static const struct {
		uint64_t large, small; /* in seconds */
		char large_name, small_name;
	} units[] = {{86400, 3600, 'd', 'h'}, {3600, 60, 'h', 'm'}, {60, 1, 'm', 's'}};
	uint64_t whole = seconds > 0 ? (uint64_t)seconds : 0;

	if (seconds < 10) {
		snprintf(out, STATUS_NUMBER_BYTES, "%.2gs", seconds > 0 ? seconds : 0.0);
		return out;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (whole >= units[i].large) {
			snprintf(out, STATUS_NUMBER_BYTES, "%" PRIu64 "%c %" PRIu64 "%c",
				 whole / units[i].large, units[i].large_name,
				 whole % units[i].large / units[i].small, units[i].small_name);
			return out;
		}
	}
	snprintf(out, STATUS_NUMBER_BYTES, "%" PRIu64 "s", whole);
	return out;
}

char *status_ms(double ms, char out[STATUS_NUMBER_BYTES])
{
	if (ms >= 1000) {
		return status_number((uint64_t)(ms + 0.5), out);
	}
	snprintf(out, STATUS_NUMBER_BYTES, "%.*f", ms < 1 ? 2 : (ms < 100 ? 1 : 0), ms);
	return out;
}

char *status_bytes(double bytes, char out[STATUS_NUMBER_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	while (bytes >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, STATUS_NUMBER_BYTES, "%.*f %s", unit > 0 && bytes < 100 ? 1 : 0, bytes,
		 units[unit]);
	return out;
}

char *status_bar(const struct status_part *parts, size_t count, uint64_t whole,
		 char out[STATUS_BAR_COLUMNS + 1])
{
	uint64_t columns = MIN(whole, (uint64_t)STATUS_BAR_COLUMNS);
	uint64_t at = 0;
	uint64_t so_far = 0;

	memset(out, '.', columns);
	out[columns] = '\0';
	for (size_t i = 0; i < count; i++) {
		uint64_t until;

		so_far += parts[i].count;
		until = whole > 0 ? so_far * columns / whole : 0;
		if (parts[i].count > 0 && until <= at) {
			until = at + 1;
		}
		while (at < MIN(until, columns)) {
			out[at++] = parts[i].letter;
		}
	}
	return out;
}
