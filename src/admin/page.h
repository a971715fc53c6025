/*
 * The text of an answer while it is being composed.
 *
 * It grows as needed: what a page holds is bounded by what it shows, and at most FENCE_VISITORS of them are being sent at a time.
 */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "base/span.h"

struct page {
	struct buffer_pool *buffers; /* borrowed */
	struct buffer text;          /* owned */
};

/* Lines of any length. */
void page_print(struct page *page, const char *format, ...) PRINTF_LIKE(2, 3);
void page_append(struct page *page, struct span text);

/* Fields of every answer beside its own: no cache, no frame, no guess at the type. */
struct page_field {
	const char *name;
	const char *value;
};
enum { PAGE_FIELDS = 4 };
extern const struct page_field page_fields[PAGE_FIELDS];

/* And the Content-Security-Policy of every answer that needs none of its own: a browser may load and run nothing. */
extern const char page_policy[];
