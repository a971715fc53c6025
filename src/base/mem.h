/*
 * Allocation of small fixed objects: succeeds or aborts (anything a peer can size goes through buffer.h).
 */
#pragma once

#include <stddef.h>

/* Zeroed memory; aborts when there is none. The caller owns it and frees it with free(). */
__attribute__((malloc, returns_nonnull)) void *mem_alloc(size_t bytes);

/* A copy of a string; aborts when there is no memory. */
__attribute__((malloc, returns_nonnull)) char *mem_strdup(const char *text);
__attribute__((malloc, returns_nonnull)) char *mem_strndup(const char *text, size_t bytes);

/* Grows an array to `count` items of `item_bytes`; aborts on overflow or when there is no memory. */
__attribute__((returns_nonnull)) void *mem_grow(void *array, size_t count, size_t item_bytes);

/*
 * Sets glibc's allocator up, before anything is allocated: bodies of up to some megabytes come from memory that is kept, since giving it back
 * and taking it anew costs a page fault for each 4 KiB of each upload.
 */
void mem_init(void);

/* Gives what is free but still held back to the system, after a peak: takes about a millisecond for each 10 MB. */
void mem_give_back(void);

/*
 * A free list of equal objects, so that the steady state allocates nothing. Objects come zeroed.
 * At most `keep` unused ones are kept. fini frees the unused ones; every taken object must have been given back.
 */
struct mem_cache {
	size_t object_bytes;
	unsigned keep;
	unsigned unused;
	void *first; /* owned; each unused object's first word points to the next */
};

void mem_cache_init(struct mem_cache *cache, size_t object_bytes, unsigned keep);
void mem_cache_fini(struct mem_cache *cache);
/* Frees the unused ones beyond so many. */
void mem_cache_shrink(struct mem_cache *cache, unsigned unused);
__attribute__((returns_nonnull)) void *mem_cache_take(struct mem_cache *cache);
/* The same without zeroing, for byte blocks. */
__attribute__((returns_nonnull)) void *mem_cache_take_raw(struct mem_cache *cache);
void mem_cache_give(struct mem_cache *cache, void *object);
