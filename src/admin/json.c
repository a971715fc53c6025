/* Composes JSON values and writes them as pages. */
#include "admin/json.h"

#include "admin/page.h"
#include "base/mem.h"

#include <stdlib.h>

void json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, value) != 0) {
		abort(); /* no memory, or a slip of ours */
	}
}

void json_put_u64(json_t *object, const char *key, uint64_t value)
{
	json_put(object, key, json_integer((json_int_t)value));
}

void json_put_real(json_t *object, const char *key, double value)
{
	json_put(object, key, json_real(value));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
	json_put(object, key, json_boolean(value));
}

/* jansson takes UTF-8 alone: what is none is shown with "?" in place of each byte beyond ASCII. */
static json_t *plain_string(const char *text)
{
	char *plain = mem_strdup(text);
	json_t *value;

	for (char *at = plain; *at != '\0'; at++) {
		if ((unsigned char)*at >= 0x80) {
			*at = '?';
		}
	}
	value = json_string(plain);
	free(plain);
	return value;
}

void json_put_text(json_t *object, const char *key, const char *text)
{
	json_t *value = json_string(text);

	json_put(object, key, value != NULL ? value : plain_string(text));
}

static int append(const char *text, size_t len, void *owner)
{
	page_append(owner, (struct span){text, len});
	return 0;
}

void json_write(json_t *value, struct page *page)
{
	if (json_dump_callback(value, append, page, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0) {
		abort();
	}
	json_decref(value);
	page_append(page, SPAN("\n"));
}
