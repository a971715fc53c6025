/*
 * The lines that `warmpool status` prints: a label and words within 80 columns, and how numbers are shown in them. Whatever bytes are given, none of
 * them controls the terminal.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { STATUS_COLUMNS = 80, STATUS_LABEL_COLUMNS = 12, STATUS_BAR_COLUMNS = 50 };

struct status_text {
	FILE *out; /* borrowed */
	bool has_colours;
};

enum status_mood { STATUS_PLAIN, STATUS_STRONG, STATUS_WARNING, STATUS_ALARM };

/* The label (it may be empty), then words; what does not fit goes on under the first of them. */
void status_line(const struct status_text *text, const char *label, enum status_mood mood,
		 const char *format, ...) PRINTF_LIKE(4, 5);
/* The same in one line as it is, blanks too, cut at the last column. */
void status_row(const struct status_text *text, const char *label, enum status_mood mood,
		const char *format, ...) PRINTF_LIKE(4, 5);

/* They return `out`. */
enum { STATUS_NUMBER_BYTES = 32 };
char *status_number(uint64_t number, char out[STATUS_NUMBER_BYTES]); /* "12,345" */
char *status_seconds(
	double seconds,
	char out[STATUS_NUMBER_BYTES]); /* "0.42s", "58s", "3m 20s", "2h 5m", "3d 4h" */
char *status_ms(double ms, char out[STATUS_NUMBER_BYTES]); /* "0.04", "41.2", "312", "4,200" */
char *status_bytes(double bytes, char out[STATUS_NUMBER_BYTES]); /* "512 B", "9.4 MiB" */

/* One letter for each part of the whole, as wide as its share, at least one column if it is there at all; the rest is '.'. */
struct status_part {
	char letter;
	uint64_t count;
};

char *status_bar(const struct status_part *parts, size_t count, uint64_t whole,
		 char out[STATUS_BAR_COLUMNS + 1]);
