/*
 * /advice: the sizing advice (advice.h) as JSON, in figures and in words. Computed anew at most every ten seconds, since what it is computed from
 * is counted in slices of that length.
 */
#pragma once

#include "admin/advice.h"

#include <jansson.h>
#include <stdint.h>

struct admin_view;
struct page;

/* Zeroed memory is a valid one: nothing is computed yet. */
struct advice_desk {
	uint64_t until_ms; /* so long the advice holds */
	struct advice advice;
};

int advice_write_page(const struct admin_view *view, struct page *page);

/* The verdict, what to set, and the words: the part of it that /status shows. */
json_t *advice_summary(const struct admin_view *view);
