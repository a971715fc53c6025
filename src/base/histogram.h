/*
 * How values are spread: durations in microseconds, or plain numbers, in buckets that grow by an eighth.
 *
 * Values up to 16 have a bucket each; above, every doubling is cut into eight, up to 2^30 (18 minutes in microseconds), which the last
 * bucket holds with all beyond. A bucket holds the values above the bound before it, up to its own, that one included: what Prometheus
 * calls `le`.
 */
#pragma once

#include <stdint.h>

enum {
	HISTOGRAM_EXACT = 16,
	HISTOGRAM_TOP_BIT = 30,
	HISTOGRAM_BUCKETS = HISTOGRAM_EXACT + (HISTOGRAM_TOP_BIT - 4) * 8,
};

/* Zeroed memory is a valid empty one, of either kind. */
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t sum; /* of the values */
};

void histogram_add(struct histogram *histogram, uint64_t value);
uint64_t histogram_count(const struct histogram *histogram);
/* How many values were at most 2^bit (bit 0 to 30). */
uint64_t histogram_count_up_to(const struct histogram *histogram, unsigned bit);

/* The values of the last five minutes, in slices of ten seconds. */
enum { ROLLING_SLICE_MS = 10000, ROLLING_SLICES = 30 };

struct rolling {
	struct rolling_slice {
		uint64_t number; /* now_ms / ROLLING_SLICE_MS; another one: its counts are old */
		uint32_t counts[HISTOGRAM_BUCKETS];
	} slices[ROLLING_SLICES];
};

void rolling_add(struct rolling *rolling, uint64_t value, uint64_t now_ms);

/*
 * The values at these shares (0.5: the median), ascending, of the last `span_ms` (whole slices, the present one included); each at most an
 * eighth off. Returns how many values there were; with none, the quantiles are 0.
 */
uint64_t rolling_quantiles(const struct rolling *rolling, uint64_t span_ms, uint64_t now_ms,
			   const double *shares, unsigned count, uint64_t *ret_values);
