/*
 * Field lines: one at a time into a head, and what they say together at its end. Private to http/.
 */
#pragma once

#include "base/err.h"
#include "base/macros.h"
#include "http/head.h"
#include "http/parser.h"

/*
 * Reads the field line at `line`, within head->base and `end`. *ret_next is where the line after it begins, and left
 * alone when the line is not whole yet (also ERR_NONE). The errors are those of http/parser.h.
 */
MUST_USE enum err fields_read_line(struct http_head *head, enum http_kind kind, const char *line,
				   const char *end, const char **ret_next);

/* At the empty line: applies Connection and checks what only the whole head can tell. */
MUST_USE enum err fields_finish(struct http_head *head, enum http_kind kind);
