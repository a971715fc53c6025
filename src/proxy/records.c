/* Owns a ring of records. */
#include "proxy/records.h"

#include "base/macros.h"
#include "base/mem.h"

#include <stdlib.h>
#include <time.h>

void records_init(struct records *records, size_t size)
{
	*records =
		(struct records){.items = mem_alloc(size * sizeof(*records->items)), .size = size};
}

void records_fini(struct records *records)
{
	free(records->items);
	*records = (struct records){0};
}

struct record *records_add(struct records *records)
{
	struct record *record = &records->items[records->written % records->size];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	records->written++;
	*record = (struct record){.number = records->written,
				  .unix_ms = (uint64_t)now.tv_sec * 1000 +
					     (uint64_t)now.tv_nsec / 1000000};
	return record;
}

size_t records_count(const struct records *records)
{
	return (size_t)MIN(records->written, (uint64_t)records->size);
}

const struct record *records_get(const struct records *records, size_t age)
{
	return &records->items[(records->written - 1 - age) % records->size];
}
