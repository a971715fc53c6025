/*
 * The parts of /status about connections, who waits for them, and who used them.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct admin_view;

json_t *status_pool(const struct admin_view *view);
json_t *status_queue(const struct admin_view *view);
/* One object a client, those that used the pool most in the last five minutes first. */
json_t *status_clients(const struct admin_view *view, uint64_t now_ms);
