/* Writes the table of metrics as text. */
#include "admin/metrics_page.h"

#include "admin/admin.h"
#include "admin/gauges.h"
#include "admin/page.h"
#include "base/metrics.h"
#include "version.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum {
	FIRST_SECONDS_BIT = 7, /* 128 µs */
	LAST_SECONDS_BIT = 27, /* 134 s */
	FIRST_NUMBER_BIT = 0,
	LAST_NUMBER_BIT = 16,
	LABELS_BYTES = 160,
};

static void write_header(struct page *page, const char *name, const char *kind, const char *help)
{
	page_print(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* One histogram: cumulative counts by bound, then sum and count. `labels` is "" or `class="poll"`. */
static void write_histogram(struct page *page, const struct metric *metric,
			    const struct histogram *histogram, const char *labels)
{
	bool is_seconds = metric->kind == METRIC_SECONDS;
	unsigned first = is_seconds ? FIRST_SECONDS_BIT : FIRST_NUMBER_BIT;
	unsigned last = is_seconds ? LAST_SECONDS_BIT : LAST_NUMBER_BIT;
	double unit = is_seconds ? 1e6 : 1;
	uint64_t count = histogram_count(histogram);
	const char *comma = labels[0] != '\0' ? "," : "";
	const char *open = labels[0] != '\0' ? "{" : "";
	const char *close = labels[0] != '\0' ? "}" : "";

	for (unsigned bit = first; bit <= last; bit++) {
		page_print(page, "%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", metric->name, labels,
			   comma, (double)((uint64_t)1 << bit) / unit,
			   histogram_count_up_to(histogram, bit));
	}
	page_print(page, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric->name, labels, comma,
		   count);
	page_print(page, "%s_sum%s%s%s %.17g\n", metric->name, open, labels, close,
		   (double)histogram->sum / unit);
	page_print(page, "%s_count%s%s%s %" PRIu64 "\n", metric->name, open, labels, close, count);
}

/* The value at this place of its field, which is an array when there are labels. */
static void write_value(struct page *page, const struct metric *metric,
			const struct metrics *metrics, size_t place, const char *labels)
{
	const char *field = (const char *)metrics + metric->offset;
	const char *open = labels[0] != '\0' ? "{" : "";
	const char *close = labels[0] != '\0' ? "}" : "";

	switch (metric->kind) {
	case METRIC_COUNTER:
		page_print(page, "%s%s%s%s %" PRIu64 "\n", metric->name, open, labels, close,
			   ((const uint64_t *)(const void *)field)[place]);
		break;
	case METRIC_GAUGE:
		page_print(page, "%s%s%s%s %.17g\n", metric->name, open, labels, close,
			   ((const double *)(const void *)field)[place]);
		break;
	case METRIC_SECONDS:
	case METRIC_NUMBER:
		write_histogram(page, metric,
				&((const struct histogram *)(const void *)field)[place], labels);
		break;
	}
}

static const char *kind_name(enum metric_kind kind)
{
	switch (kind) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_GAUGE:
		return "gauge";
	case METRIC_SECONDS:
	case METRIC_NUMBER:
		break;
	}
	return "histogram";
}

static void write_metric(struct page *page, const struct metric *metric,
			 const struct metrics *metrics)
{
	const struct metric_label *first = metric->labels[0];
	const struct metric_label *second = metric->labels[1];
	char labels[LABELS_BYTES] = "";

	write_header(page, metric->name, kind_name(metric->kind), metric->help);
	if (first == NULL) {
		write_value(page, metric, metrics, 0, labels);
		return;
	}
	for (unsigned i = first->first; i < first->count; i++) {
		if (second == NULL) {
			snprintf(labels, sizeof(labels), "%s=\"%s\"", first->name, first->value(i));
			write_value(page, metric, metrics, i, labels);
			continue;
		}
		for (unsigned k = second->first; k < second->count; k++) {
			snprintf(labels, sizeof(labels), "%s=\"%s\",%s=\"%s\"", first->name,
				 first->value(i), second->name, second->value(k));
			write_value(page, metric, metrics, i * second->count + k, labels);
		}
	}
}

/* User and system, from the kernel's own account. */
static double cpu_seconds(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) {
		return 0;
	}
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

int metrics_write_page(const struct admin_view *view, struct page *page)
{
	gauges_read(view);
	write_header(page, "warmpool_build_info", "gauge", "1; the version is in the label.");
	page_print(page, "warmpool_build_info{version=\"%s\"} 1\n", WARMPOOL_VERSION);
	write_header(page, "process_cpu_seconds_total", "counter", "User and system time.");
	page_print(page, "process_cpu_seconds_total %.6f\n", cpu_seconds());
	for (size_t i = 0; i < metrics_table_count; i++) {
		write_metric(page, &metrics_table[i], view->metrics);
	}
	return 200;
}
