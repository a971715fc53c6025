/* Owns the free list of OpenSSL's record buffers. */
#include "net/tls_memory.h"

#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/ssl3.h>

#include <malloc.h>
#include <stdlib.h>

enum {
	BUFFER_BYTES = SSL3_RT_MAX_PLAIN_LENGTH + 1024, /* a record, and what OpenSSL adds to it */
	SLACK_BYTES = 64,                               /* malloc() may give so much more */
	KEPT = 8, /* none is held from one callback to the next, but by a partial record */
};

static struct mem_cache buffers;

static void *openssl_take(size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	if (bytes <= SSL3_RT_MAX_PLAIN_LENGTH || bytes > BUFFER_BYTES) {
		return malloc(bytes);
	}
	return buffers.unused > 0 ? mem_cache_take_raw(&buffers) : malloc(BUFFER_BYTES);
}

static void *openssl_resize(void *memory, size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(memory, bytes);
}

/* Whatever has the size of a buffer serves as one. */
static void openssl_give(void *memory, const char *file, int line)
{
	size_t bytes = malloc_usable_size(memory);

	(void)file;
	(void)line;
	if (bytes >= BUFFER_BYTES && bytes < BUFFER_BYTES + SLACK_BYTES) {
		mem_cache_give(&buffers, memory);
	} else {
		free(memory);
	}
}

void tls_memory_init(void)
{
	mem_cache_init(&buffers, BUFFER_BYTES, KEPT);
	(void)CRYPTO_set_mem_functions(openssl_take, openssl_resize, openssl_give);
}
