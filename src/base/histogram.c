/* Owns the cut of values into buckets. */
#include "base/histogram.h"

#include "base/macros.h"

#include <string.h>

static unsigned bucket_of(uint64_t value)
{
	uint64_t below = value - (value > 0); /* so that a bound is in the bucket beneath it */
	unsigned top;

	if (below < HISTOGRAM_EXACT) {
		return (unsigned)below;
	}
	top = 63 - (unsigned)__builtin_clzll(below);
	if (top >= HISTOGRAM_TOP_BIT) {
		return HISTOGRAM_BUCKETS - 1;
	}
	return HISTOGRAM_EXACT + (top - 4) * 8 + ((unsigned)(below >> (top - 3)) & 7);
}

/* The greatest value in a bucket. */
static uint64_t bound_of(unsigned bucket)
{
	unsigned step;

	if (bucket < HISTOGRAM_EXACT) {
		return bucket + 1;
	}
	step = (bucket - HISTOGRAM_EXACT) / 8 + 1;
	return (uint64_t)(8 + (bucket - HISTOGRAM_EXACT) % 8 + 1) << step;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->counts[bucket_of(value)]++;
	histogram->sum += value;
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		count += histogram->counts[i];
	}
	return count;
}

uint64_t histogram_count_up_to(const struct histogram *histogram, unsigned bit)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1 && bound_of(i) <= (uint64_t)1 << bit; i++) {
		count += histogram->counts[i];
	}
	return count;
}

void rolling_add(struct rolling *rolling, uint64_t value, uint64_t now_ms)
{
	uint64_t number = now_ms / ROLLING_SLICE_MS;
	struct rolling_slice *slice = &rolling->slices[number % ROLLING_SLICES];

	if (slice->number != number) {
		memset(slice->counts, 0, sizeof(slice->counts));
		slice->number = number;
	}
	slice->counts[bucket_of(value)]++;
}

static uint64_t gather(const struct rolling *rolling, uint64_t span_ms, uint64_t now_ms,
		       uint64_t sums[HISTOGRAM_BUCKETS])
{
	uint64_t newest = now_ms / ROLLING_SLICE_MS;
	uint64_t slices = MIN(span_ms / ROLLING_SLICE_MS, (uint64_t)ROLLING_SLICES);
	uint64_t total = 0;

	for (unsigned i = 0; i < ROLLING_SLICES; i++) {
		const struct rolling_slice *slice = &rolling->slices[i];

		if (slice->number > newest || slice->number + slices <= newest) {
			continue;
		}
		for (unsigned k = 0; k < HISTOGRAM_BUCKETS; k++) {
			sums[k] += slice->counts[k];
			total += slice->counts[k];
		}
	}
	return total;
}

uint64_t rolling_quantiles(const struct rolling *rolling, uint64_t span_ms, uint64_t now_ms,
			   const double *shares, unsigned count, uint64_t *ret_values)
{
	uint64_t sums[HISTOGRAM_BUCKETS] = {0};
	uint64_t total = gather(rolling, span_ms, now_ms, sums);
	uint64_t seen = 0;
	unsigned bucket = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t rank = (uint64_t)(shares[i] * (double)total);

		while (bucket < HISTOGRAM_BUCKETS && seen + sums[bucket] <= rank) {
			seen += sums[bucket++];
		}
		ret_values[i] = total == 0 ? 0 : bound_of(MIN(bucket, HISTOGRAM_BUCKETS - 1u));
	}
	return total;
}
