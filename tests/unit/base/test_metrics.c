/* base/metrics.c: the table has every field once, with names that Prometheus takes. */
#include "base/metrics.h"
#include "suite.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static size_t element_bytes(const struct metric *metric)
{
	return metric->kind == METRIC_SECONDS || metric->kind == METRIC_NUMBER
		       ? sizeof(struct histogram)
		       : sizeof(uint64_t);
}

START_TEST(test_rows_follow_each_other_without_a_gap)
{
	size_t at = 0;

	for (size_t i = 0; i < metrics_table_count; i++) {
		const struct metric *metric = &metrics_table[i];
		size_t count = 1;

		for (unsigned k = 0; k < 2 && metric->labels[k] != NULL; k++) {
			count *= metric->labels[k]->count;
		}
		ck_assert_msg(metric->offset == at, "%s at %zu, not %zu", metric->name,
			      metric->offset, at);
		at += count * element_bytes(metric);
	}
	ck_assert_uint_eq(at, offsetof(struct metrics, recent_wait));
}
END_TEST

START_TEST(test_names_are_prometheus_names)
{
	for (size_t i = 0; i < metrics_table_count; i++) {
		const char *name = metrics_table[i].name;
		size_t len = strlen(name);
		bool is_total = len > 6 && strcmp(name + len - 6, "_total") == 0;

		for (size_t k = 0; k < len; k++) {
			ck_assert_msg(islower((unsigned char)name[k]) || name[k] == '_', "%s",
				      name);
		}
		ck_assert_msg(is_total == (metrics_table[i].kind == METRIC_COUNTER), "%s", name);
		for (size_t k = 0; k < i; k++) {
			ck_assert_str_ne(name, metrics_table[k].name);
		}
	}
}
END_TEST

START_TEST(test_label_values_are_distinct)
{
	for (size_t i = 0; i < metrics_table_count; i++) {
		for (unsigned k = 0; k < 2 && metrics_table[i].labels[k] != NULL; k++) {
			const struct metric_label *label = metrics_table[i].labels[k];

			for (unsigned a = 1; a < label->count; a++) {
				for (unsigned b = 0; b < a; b++) {
					ck_assert_str_ne(label->value(a), label->value(b));
				}
			}
		}
	}
}
END_TEST

SUITE_MAIN("base/metrics", test_rows_follow_each_other_without_a_gap,
	   test_names_are_prometheus_names, test_label_values_are_distinct)
