/* Prints the lines of a diagnosis. */
#include "daemon/doctor_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 100, LABEL_COLUMNS = 16, TEXT_BYTES = 2048 };

void report_init(struct report *report, FILE *out)
{
	*report = (struct report){.out = out, .has_colours = isatty(fileno(out)) == 1};
}

/* From the column where the text begins, with line breaks before the last column. */
static void print_wrapped(FILE *out, const char *text, int column)
{
	bool is_first = true;

	text += strspn(text, " ");
	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (!is_first && column + 1 + len > COLUMNS) {
			fprintf(out, "\n%*s", LABEL_COLUMNS, "");
			column = LABEL_COLUMNS;
			is_first = true;
		}
		column += fprintf(out, "%s%.*s", is_first ? "" : " ", len, text);
		is_first = false;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
	fflush(out);
}

struct mark {
	const char *word;
	const char *colour;
};

static const struct mark no_mark = {"", ""};

static void print_entry(struct report *report, const char *label, struct mark mark,
			const char *text)
{
	int column = LABEL_COLUMNS;

	fprintf(report->out, "  %-*s ", LABEL_COLUMNS - 3, label);
	if (mark.word[0] != '\0') {
		fprintf(report->out, "%s%s%s ", report->has_colours ? mark.colour : "", mark.word,
			report->has_colours ? "\033[0m" : "");
		column += (int)strlen(mark.word) + 1;
	}
	print_wrapped(report->out, text, column);
}

static void print_list(struct report *report, const char *label, struct mark mark,
		       const char *format, va_list arguments) PRINTF_LIKE(4, 0);

static void print_list(struct report *report, const char *label, struct mark mark,
		       const char *format, va_list arguments)
{
	char text[TEXT_BYTES];

	vsnprintf(text, sizeof(text), format, arguments);
	print_entry(report, label, mark, text);
}

void report_heading(struct report *report, const char *format, ...)
{
	va_list arguments;

	fputc('\n', report->out);
	va_start(arguments, format);
	vfprintf(report->out, format, arguments);
	va_end(arguments);
	fputc('\n', report->out);
	fflush(report->out);
}

void report_line(struct report *report, const char *label, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_list(report, label, no_mark, format, arguments);
	va_end(arguments);
}

void report_warning(struct report *report, const char *label, const char *format, ...)
{
	const struct mark mark = {"warning:", "\033[33m"};
	va_list arguments;

	report->warnings++;
	va_start(arguments, format);
	print_list(report, label, mark, format, arguments);
	va_end(arguments);
}

void report_fault(struct report *report, const char *label, const char *format, ...)
{
	const struct mark mark = {"FAULT:", "\033[31m"};
	va_list arguments;

	report->faults++;
	va_start(arguments, format);
	print_list(report, label, mark, format, arguments);
	va_end(arguments);
}

void report_remedy(struct report *report, const char *remedy)
{
	print_entry(report, "", (struct mark){"->", ""}, remedy);
}

char *report_time(uint64_t us, char out[REPORT_TIME_BYTES])
{
	if (us < 1000) {
		snprintf(out, REPORT_TIME_BYTES, "0.%02" PRIu64 " ms", us / 10);
	} else if (us < 100000) {
		snprintf(out, REPORT_TIME_BYTES, "%" PRIu64 ".%" PRIu64 " ms", us / 1000,
			 us / 100 % 10);
	} else if (us < 1000000) {
		snprintf(out, REPORT_TIME_BYTES, "%" PRIu64 " ms", us / 1000);
	} else {
		snprintf(out, REPORT_TIME_BYTES, "%" PRIu64 ".%02" PRIu64 " s", us / 1000000,
			 us / 10000 % 100);
	}
	return out;
}
