/* Allocation of small fixed objects, and free lists of equal ones. */
#include "base/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MMAP_FROM_BYTES = 4 << 20, KEPT_BYTES = 8 << 20 };

void *mem_alloc(size_t bytes)
{
	void *memory = calloc(1, bytes);

	if (memory == NULL) {
		abort();
	}
	return memory;
}

char *mem_strndup(const char *text, size_t bytes)
{
	char *copy = mem_alloc(bytes + 1);

	memcpy(copy, text, bytes);
	return copy;
}

char *mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

void *mem_grow(void *array, size_t count, size_t item_bytes)
{
	void *grown = reallocarray(array, count > 0 ? count : 1, item_bytes);

	if (grown == NULL) {
		abort();
	}
	return grown;
}

void mem_init(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

void mem_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void mem_cache_init(struct mem_cache *cache, size_t object_bytes, unsigned keep)
{
	assert(object_bytes >= sizeof(void *));
	*cache = (struct mem_cache){.object_bytes = object_bytes, .keep = keep};
}

void mem_cache_shrink(struct mem_cache *cache, unsigned unused)
{
	while (cache->unused > unused) {
		void *object = cache->first;

		memcpy(&cache->first, object, sizeof(void *));
		free(object);
		cache->unused--;
	}
}

void mem_cache_fini(struct mem_cache *cache)
{
	mem_cache_shrink(cache, 0);
}

void *mem_cache_take_raw(struct mem_cache *cache)
{
	void *object = cache->first;

	if (object == NULL) {
		return mem_alloc(cache->object_bytes);
	}
	memcpy(&cache->first, object, sizeof(void *));
	cache->unused--;
	return object;
}

void *mem_cache_take(struct mem_cache *cache)
{
	void *object = mem_cache_take_raw(cache);

	memset(object, 0, cache->object_bytes);
	return object;
}

void mem_cache_give(struct mem_cache *cache, void *object)
{
	if (cache->unused >= cache->keep) {
		free(object);
		return;
	}
	memcpy(object, &cache->first, sizeof(void *));
	cache->first = object;
	cache->unused++;
}
