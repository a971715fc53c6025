/*
 * Field lines into a head, and what they say together at its end. Private to http/.
 */
#pragma once

#include "base/err.h"
#include "base/macros.h"
#include "http/head.h"
#include "http/parser.h"

#include <stdint.h>

/*
 * Reads whole lines from head->base + *line_at on up to `end`, and moves *line_at behind them. At the empty line it sets
 * head->head_bytes, applies Connection and checks what only the whole head can tell. The errors are those of http/parser.h.
 */
MUST_USE enum err fields_read_lines(struct http_head *head, enum http_kind kind, uint32_t *line_at,
				    const char *end);
