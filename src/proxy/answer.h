/*
 * What the API answered, as one of a fixed list of kinds, for the metric of it. Pure; looks at no more than the first ANSWER_LOOK_BYTES.
 */
#pragma once

#include "base/span.h"

enum { ANSWER_LOOK_BYTES = 128 };

/* An index of METRIC_ANSWER: any status but 200 is http_error; a text or a JSON object with an error code of the API's is that; the rest ok. */
unsigned answer_kind(unsigned status, struct span body);
