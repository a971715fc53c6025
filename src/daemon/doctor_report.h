/*
 * The text that `warmpool doctor` prints: lines of a label and words, wrapped and aligned, each at once, and what was found wrong.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report {
	FILE *out;         /* borrowed */
	bool has_colours;  /* on a terminal */
	unsigned warnings; /* said so far */
	unsigned faults;
};

void report_init(struct report *report, FILE *out);

/* An empty line, then this one from the left edge. */
void report_heading(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);
/* The label may be empty. */
void report_line(struct report *report, const char *label, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* The same with "warning:" or "FAULT:" before it, counted. */
void report_warning(struct report *report, const char *label, const char *format, ...)
	PRINTF_LIKE(3, 4);
void report_fault(struct report *report, const char *label, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* What to do about the line before it. */
void report_remedy(struct report *report, const char *remedy);

/* "0.31 ms", "20.1 ms", "312 ms", "4.20 s". Returns `out`. */
enum { REPORT_TIME_BYTES = 32 };
char *report_time(uint64_t us, char out[REPORT_TIME_BYTES]);
