/*
 * Basic credentials (RFC 7617): "Basic " and the base64 of NAME:SECRET.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>

enum { BASIC_BYTES = 512 };

struct basic {
	struct span name;   /* into bytes, up to the first colon */
	struct span secret; /* into bytes, all behind it; may be empty */
	char bytes[BASIC_BYTES];
};

/* False for another scheme, for what is not strict base64 (padding is optional), without a colon, or longer than BASIC_BYTES. */
MUST_USE bool basic_read(struct span authorization, struct basic *ret_basic);

/* Before it goes out of scope: nothing of a secret stays behind. */
void basic_wipe(struct basic *basic);
