/*
 * One GET of /status from an admin interface: a blocking client of a single request, within 2 s and 4 MiB.
 */
#pragma once

#include "base/addr.h"
#include "base/macros.h"
#include "base/span.h"

#include <jansson.h>
#include <stdbool.h>

enum { STATUS_ERROR_BYTES = 512 };

/* Where to ask. */
struct status_place {
	struct addr addr;
	char text[ADDR_TEXT_BYTES];
};

/* What admin.listen says; an address that stands for all of this machine's is asked on loopback. */
MUST_USE bool status_place_parse(const char *text, struct status_place *ret_place);

struct status_answer {
	char *text; /* owned: head and body */
	struct span body;
	json_t *json; /* owned: the body; an object */
	char error[STATUS_ERROR_BYTES];
};

/* False when there is no answer to be shown: only `error` is set then, a text for people that names the place and what to look at. */
MUST_USE bool status_fetch(const struct status_place *place, struct status_answer *ret_answer);
void status_answer_fini(struct status_answer *answer);
