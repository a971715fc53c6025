/*
 * The table of `warmpool status`: what /status says (docs/status.md), in words and within 80 columns, for who wonders how the pool does.
 */
#pragma once

#include "daemon/status_text.h"
#include "daemon/status_view.h"

/* Everything. */
void status_table_write(const struct status_text *text, const struct status_view *view);

/* --- status_pool.c: the part about connections --- */
void status_pool_write(const struct status_text *text, const struct status_view *view);
