/* The rows of metrics.def as a table. */
#include "base/metrics.h"

#include "base/macros.h"

static const char *err_value(unsigned index)
{
	return err_name((enum err)index);
}

static const char *end_value(unsigned index)
{
	return end_label((enum end)index);
}

#define TEXT(value, text) text,
#define LABEL(label, name)                                                                 \
	static const char *value_of_##label(unsigned index)                                \
	{                                                                                  \
		static const char *const texts[] = {METRIC_##label##_VALUES(TEXT)};        \
                                                                                           \
		return texts[index];                                                       \
	}                                                                                  \
	const struct metric_label metric_label_##label = {name, 0, METRIC_##label##_COUNT, \
							  value_of_##label};
METRIC_LABELS(LABEL)
#undef LABEL
#undef TEXT

const struct metric_label metric_label_ERR = {"error", 1, ERR_COUNT, err_value};
const struct metric_label metric_label_END = {"reason", 1, END_COUNT, end_value};

#define KIND_SECONDS METRIC_SECONDS
#define KIND_NUMBER  METRIC_NUMBER
#define ROW(field, name, help, kind, ...) \
	{name, help, kind, offsetof(struct metrics, field), {__VA_ARGS__}},

const struct metric metrics_table[] = {
#define COUNTER(field, name, help)           ROW(field, name, help, METRIC_COUNTER, NULL)
#define COUNTER_BY(field, label, name, help) ROW(field, name, help, METRIC_COUNTER, &metric_label_##label)
#define COUNTER_BY2(field, a, b, name, help) \
	ROW(field, name, help, METRIC_COUNTER, &metric_label_##a, &metric_label_##b)
#define GAUGE(field, name, help)            ROW(field, name, help, METRIC_GAUGE, NULL)
#define GAUGE_BY(field, label, name, help)  ROW(field, name, help, METRIC_GAUGE, &metric_label_##label)
#define HISTOGRAM(field, scale, name, help) ROW(field, name, help, KIND_##scale, NULL)
#define HISTOGRAM_BY(field, label, scale, name, help) \
	ROW(field, name, help, KIND_##scale, &metric_label_##label)
#include "base/metrics.def"
};

const size_t metrics_table_count = ARRAY_SIZE(metrics_table);
