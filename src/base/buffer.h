/*
 * Growable byte buffers under one global bound (`limits.buffered`).
 *
 * Every byte that a peer sends us to keep (heads, bodies, responses) lives in a buffer of one buffer_pool. The
 * pool counts the capacity of all of them. buffer_reserve() refuses to pass the bound (ERR_BUFFERED_FULL);
 * buffer_reserve_always() is for a response to a request that was already sent, which is never refused.
 * Blocks of BUFFER_BLOCK_BYTES are kept on a free list, so that small messages cost no allocation.
 */
#pragma once

#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

enum { BUFFER_BLOCK_BYTES = 4096 };

struct buffer_pool {
	size_t limit_bytes;
	size_t used_bytes; /* sum of the capacities of all live buffers */
	size_t most_bytes; /* the most of that since whoever looks after memory set it back */
	struct mem_cache blocks;
};

/* Zeroed memory is a valid empty buffer. */
struct buffer {
	char *data; /* owned; NULL when cap_bytes is 0 */
	size_t len_bytes;
	size_t cap_bytes;
};

void buffer_pool_init(struct buffer_pool *pool, size_t limit_bytes);
void buffer_pool_fini(struct buffer_pool *pool);

/* Would another `bytes` stay within the bound? */
bool buffer_pool_has_room(const struct buffer_pool *pool, size_t bytes);

/* Gives the memory back; the buffer is empty and may be used again. */
void buffer_fini(struct buffer_pool *pool, struct buffer *buffer);

/*
 * Makes room for at least `free_bytes` after len_bytes. data may move. Returns ERR_BUFFERED_FULL when the
 * pool's bound would be passed or the system has no memory; the buffer is then unchanged.
 */
MUST_USE enum err buffer_reserve(struct buffer_pool *pool, struct buffer *buffer,
				 size_t free_bytes);

/* The same without the bound; aborts when the system has no memory. */
void buffer_reserve_always(struct buffer_pool *pool, struct buffer *buffer, size_t free_bytes);

/* Appends within the room made before (asserts it). */
void buffer_append(struct buffer *buffer, const void *bytes, size_t len_bytes);

/* Drops bytes from the front; the rest moves to data[0]. */
void buffer_drop_front(struct buffer *buffer, size_t bytes);

/* Moves the contents: `to` (which must be empty) takes all, `from` is left empty. */
void buffer_move(struct buffer *to, struct buffer *from);

static inline size_t buffer_room_bytes(const struct buffer *buffer)
{
	return buffer->cap_bytes - buffer->len_bytes;
}
