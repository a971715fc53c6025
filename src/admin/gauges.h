/*
 * Sets the gauges of metrics.def from the state itself: list counts, settings, what the kernel says of the process.
 */
#pragma once

#include <stdbool.h>

struct admin_view;

void gauges_read(const struct admin_view *view);
