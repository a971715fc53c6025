/* Owns the memory of all message bytes and counts it against one bound. */
#include "base/buffer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_KEPT = 256 };

void buffer_pool_init(struct buffer_pool *pool, size_t limit_bytes)
{
	*pool = (struct buffer_pool){.limit_bytes = limit_bytes};
	mem_cache_init(&pool->blocks, BUFFER_BLOCK_BYTES, BLOCKS_KEPT);
}

void buffer_pool_fini(struct buffer_pool *pool)
{
	assert(pool->used_bytes == 0);
	mem_cache_fini(&pool->blocks);
}

bool buffer_pool_has_room(const struct buffer_pool *pool, size_t bytes)
{
	return pool->used_bytes <= pool->limit_bytes &&
	       bytes <= pool->limit_bytes - pool->used_bytes;
}

static void give_back(struct buffer_pool *pool, char *data, size_t cap_bytes)
{
	if (cap_bytes == BUFFER_BLOCK_BYTES) {
		mem_cache_give(&pool->blocks, data);
	} else {
		free(data);
	}
}

void buffer_fini(struct buffer_pool *pool, struct buffer *buffer)
{
	if (buffer->cap_bytes > 0) {
		pool->used_bytes -= buffer->cap_bytes;
		give_back(pool, buffer->data, buffer->cap_bytes);
	}
	*buffer = (struct buffer){0};
}

/*
 * Powers of two from a block up, near what is asked above 1 MiB, so that a large body is not charged twice over. What grows
 * there bit by bit, because nobody knows its length, gets an eighth more than it has, so that it is not moved at each step.
 */
static size_t capacity_for(size_t bytes, size_t now_bytes)
{
	size_t cap_bytes = BUFFER_BLOCK_BYTES;
	const size_t exact_above = (size_t)1 << 20;
	const size_t step = (size_t)1 << 16;

	if (bytes > exact_above) {
		bytes = MAX(bytes, now_bytes >= exact_above ? now_bytes + now_bytes / 8 : 0);
		return (bytes + step - 1) / step * step;
	}
	while (cap_bytes < bytes) {
		cap_bytes *= 2;
	}
	return cap_bytes;
}

/* Takes memory, moves the bytes over. False when the system has none. */
static bool grow(struct buffer_pool *pool, struct buffer *buffer, size_t cap_bytes)
{
	char *data;

	if (cap_bytes > BUFFER_BLOCK_BYTES && buffer->cap_bytes > BUFFER_BLOCK_BYTES) {
		data = realloc(buffer->data, cap_bytes);
		if (data == NULL) {
			return false;
		}
	} else {
		data = cap_bytes == BUFFER_BLOCK_BYTES ? mem_cache_take_raw(&pool->blocks)
						       : malloc(cap_bytes);
		if (data == NULL) {
			return false;
		}
		if (buffer->cap_bytes > 0) {
			memcpy(data, buffer->data, buffer->len_bytes);
			give_back(pool, buffer->data, buffer->cap_bytes);
		}
	}
	pool->used_bytes += cap_bytes - buffer->cap_bytes;
	pool->most_bytes = MAX(pool->most_bytes, pool->used_bytes);
	buffer->data = data;
	buffer->cap_bytes = cap_bytes;
	return true;
}

enum err buffer_reserve(struct buffer_pool *pool, struct buffer *buffer, size_t free_bytes)
{
	size_t cap_bytes;

	if (free_bytes <= buffer_room_bytes(buffer)) {
		return ERR_NONE;
	}
	if (free_bytes > SIZE_MAX / 4) {
		return ERR_BUFFERED_FULL;
	}
	cap_bytes = capacity_for(buffer->len_bytes + free_bytes, buffer->cap_bytes);
	if (!buffer_pool_has_room(pool, cap_bytes - buffer->cap_bytes)) {
		return ERR_BUFFERED_FULL;
	}
	return grow(pool, buffer, cap_bytes) ? ERR_NONE : ERR_BUFFERED_FULL;
}

void buffer_reserve_always(struct buffer_pool *pool, struct buffer *buffer, size_t free_bytes)
{
	if (free_bytes <= buffer_room_bytes(buffer)) {
		return;
	}
	if (!grow(pool, buffer, capacity_for(buffer->len_bytes + free_bytes, buffer->cap_bytes))) {
		abort();
	}
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t len_bytes)
{
	assert(len_bytes <= buffer_room_bytes(buffer));
	if (len_bytes > 0) {
		memcpy(buffer->data + buffer->len_bytes, bytes, len_bytes);
		buffer->len_bytes += len_bytes;
	}
}

void buffer_drop_front(struct buffer *buffer, size_t bytes)
{
	assert(bytes <= buffer->len_bytes);
	buffer->len_bytes -= bytes;
	if (bytes > 0 && buffer->len_bytes > 0) {
		memmove(buffer->data, buffer->data + bytes, buffer->len_bytes);
	}
}

void buffer_move(struct buffer *to, struct buffer *from)
{
	assert(to->cap_bytes == 0);
	*to = *from;
	*from = (struct buffer){0};
}
