/* Owns the rows of who used the pool. */
#include "proxy/usage.h"

#include "base/macros.h"

#include <stdbool.h>
#include <string.h>

enum { MINUTE_MS = 60000 };

static bool is_for(const struct usage_row *row, struct span name, enum tenant_kind kind)
{
	return row->kind == kind && span_is(span_of(row->name), name);
}

/* Its own row, else the one that was away longest; NULL when all are in use. */
static struct usage_row *find_row(struct usage *usage, struct span name, enum tenant_kind kind)
{
	struct usage_row *oldest = NULL;

	for (unsigned i = 0; i < USAGE_ROWS; i++) {
		struct usage_row *row = &usage->rows[i];

		if (is_for(row, name, kind)) {
			return row;
		}
		if (row->refs == 0 && (oldest == NULL || row->seen_ms < oldest->seen_ms)) {
			oldest = row;
		}
	}
	return oldest;
}

struct usage_row *usage_acquire(struct usage *usage, struct span name, enum tenant_kind kind,
				uint64_t now_ms)
{
	struct span cut = {name.data, MIN(name.len, (size_t)TENANT_NAME_BYTES - 1)};
	struct usage_row *row = find_row(usage, cut, kind);

	if (row == NULL) {
		row = &usage->others;
	} else if (!is_for(row, cut, kind)) {
		*row = (struct usage_row){.kind = kind};
		memcpy(row->name, cut.data, cut.len);
	}
	row->refs++;
	row->seen_ms = now_ms;
	return row;
}

void usage_release(struct usage_row *row)
{
	if (row != NULL) {
		row->refs--;
	}
}

void usage_add(struct usage_row *row, uint64_t lease_us, uint64_t now_ms)
{
	uint64_t number = now_ms / MINUTE_MS;
	struct usage_minute *minute = &row->minutes[number % USAGE_MINUTES];

	if (minute->number != number) {
		*minute = (struct usage_minute){.number = number};
	}
	minute->requests++;
	minute->lease_us += lease_us;
	row->requests++;
	row->lease_us += lease_us;
	row->seen_ms = now_ms;
}

struct usage_minute usage_lately(const struct usage_row *row, uint64_t now_ms)
{
	uint64_t number = now_ms / MINUTE_MS;
	struct usage_minute sum = {.number = number};

	for (unsigned i = 0; i < USAGE_MINUTES; i++) {
		const struct usage_minute *minute = &row->minutes[i];

		if (minute->number <= number && minute->number + USAGE_MINUTES > number) {
			sum.requests += minute->requests;
			sum.lease_us += minute->lease_us;
		}
	}
	return sum;
}
