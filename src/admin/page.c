/* Owns the growth of a page's text, and what goes with every page. */
#include "admin/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct page_field page_fields[PAGE_FIELDS] = {
	{"Cache-Control", "no-store"},
	{"X-Content-Type-Options", "nosniff"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
};

const char page_policy[] =
	"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void page_append(struct page *page, struct span text)
{
	buffer_reserve_always(page->buffers, &page->text, text.len);
	buffer_append(&page->text, text.data, text.len);
}

void page_print(struct page *page, const char *format, ...)
{
	struct buffer *text = &page->text;
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (len < 0) {
		abort(); /* a format of our own that cannot be */
	}
	/* A byte more, for the NUL that vsnprintf() wants to write. */
	buffer_reserve_always(page->buffers, text, (size_t)len + 1);
	va_start(arguments, format);
	text->len_bytes +=
		(size_t)vsnprintf(text->data + text->len_bytes, (size_t)len + 1, format, arguments);
	va_end(arguments);
}
