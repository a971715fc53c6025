/*
 * What `warmpool status` reads from /status: values by their path, rates between two answers. What is not there is 0 or "".
 */
#pragma once

#include "daemon/status_text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct status_view {
	json_t *now; /* borrowed */
	json_t *before; /* borrowed: an earlier answer, for rates; may be NULL, or of a process that has ended since */
};

/* The path is of members' names, with dots between: "pool.states.idle". */
json_t *status_get(json_t *root, const char *path);
double status_real(json_t *root, const char *path);
uint64_t status_count(json_t *root, const char *path);
const char *status_word(json_t *root, const char *path);
bool status_is(json_t *root, const char *path);

/* How much a counter grew a second. False when that cannot be known. */
bool status_rate(const struct status_view *view, const char *path, double *ret_rate);

/* " (4.2/s)", or "". Returns `out`. */
char *status_rate_text(const struct status_view *view, const char *path,
		       char out[STATUS_NUMBER_BYTES]);

/* "submit 3,000 (1.2/s), poll 9,000": the members of an object of counters, those that are 0 left out. Returns `out`, which may be empty. */
enum { STATUS_LIST_BYTES = 1024 };
char *status_list(const struct status_view *view, const char *path, char out[STATUS_LIST_BYTES]);
