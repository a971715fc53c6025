/*
 * /healthz and /readyz, for service managers and load balancers.
 */
#pragma once

#include <stdbool.h>

enum { HEALTH_REASON_BYTES = 200 };

struct admin_view;
struct page;

/* 200 whenever it is asked: then the loop turns. */
int health_write_alive(const struct admin_view *view, struct page *page);

/*
 * 200 when requests can be served: the start is over, the upstream is reachable and no end has begun. Else 503, with the reason in a line.
 * A burst that has taken the spares, or spares that were let go after pool.warm_window, are no reason.
 */
int health_write_ready(const struct admin_view *view, struct page *page);

/* The same for others to show: false with the reason, without a newline. */
bool health_is_ready(const struct admin_view *view, char ret_reason[HEALTH_REASON_BYTES]);
