/* Decides whether the daemon is alive and ready. */
#include "admin/health.h"

#include "admin/admin.h"
#include "admin/page.h"
#include "base/clock.h"
#include "base/err.h"
#include "pool/pool.h"

#include <inttypes.h>
#include <stdio.h>

int health_write_alive(const struct admin_view *view, struct page *page)
{
	(void)view;
	page_append(page, SPAN("ok\n"));
	return 200;
}

static const char *last_error(const struct pool *pool)
{
	enum err err = pool->dns_err != ERR_NONE ? pool->dns_err : pool->last_connect_err;

	return err != ERR_NONE ? err_text(err) : "no connection stands yet";
}

/* Attempts have failed, the last of them too, and no connection is left of better times. */
static bool is_cut_off(const struct pool *pool)
{
	return pool->conns[CONN_IDLE].count + pool->conns[CONN_LEASED].count == 0 &&
	       (pool->warmer.failures > 0 || pool->dns_err != ERR_NONE);
}

bool health_is_ready(const struct admin_view *view, char ret_reason[HEALTH_REASON_BYTES])
{
	const struct pool *pool = view->pool;

	if (view->phase == ADMIN_DRAINING) {
		snprintf(ret_reason, HEALTH_REASON_BYTES, "shutting down");
		return false;
	}
	if (view->phase == ADMIN_WARMING_UP) {
		snprintf(ret_reason, HEALTH_REASON_BYTES,
			 "warming up: %zu of %" PRIu64 " connections stand (%s)",
			 pool->conns[CONN_IDLE].count, pool->settings.min_idle, last_error(pool));
		return false;
	}
	if (warmer_is_open(&pool->warmer)) {
		snprintf(ret_reason, HEALTH_REASON_BYTES,
			 "the upstream has been unreachable for %" PRIu64 " s: %s",
			 (view->clock->now_ms - pool->warmer.first_failure_ms) / 1000,
			 last_error(pool));
		return false;
	}
	if (is_cut_off(pool)) {
		snprintf(ret_reason, HEALTH_REASON_BYTES, "the upstream is not reached: %s",
			 last_error(pool));
		return false;
	}
	return true;
}

int health_write_ready(const struct admin_view *view, struct page *page)
{
	char reason[HEALTH_REASON_BYTES] = "ok";
	bool is_ready = health_is_ready(view, reason);

	page_print(page, "%s\n", reason);
	return is_ready ? 200 : 503;
}
