/*
 * Small helps around libjansson: what it owns it frees, what it lacks memory for aborts, as elsewhere here.
 */
#pragma once

#include "base/span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct page;

/* Puts a value, whose reference it takes over, under a key. */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_u64(json_t *object, const char *key, uint64_t value);
void json_put_real(json_t *object, const char *key, double value);
void json_put_bool(json_t *object, const char *key, bool value);
/* Bytes that are no UTF-8 are shown as '?'. */
void json_put_text(json_t *object, const char *key, const char *text);

/* Writes it as a page and frees it. */
void json_write(json_t *value, struct page *page);
