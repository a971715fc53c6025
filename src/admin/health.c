/* Decides whether the daemon is alive and ready. */
#include "admin/health.h"

#include "admin/admin.h"
#include "admin/page.h"
#include "base/clock.h"
#include "base/err.h"
#include "pool/pool.h"

#include <inttypes.h>

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

/* False, with the reason on the page. */
static bool is_ready(const struct admin_view *view, struct page *page)
{
	const struct pool *pool = view->pool;

	if (view->phase == ADMIN_DRAINING) {
		page_append(page, SPAN("shutting down\n"));
		return false;
	}
	if (view->phase == ADMIN_WARMING_UP) {
		page_print(page, "warming up: %zu of %" PRIu64 " connections stand (%s)\n",
			   pool->conns[CONN_IDLE].count, pool->settings.min_idle, last_error(pool));
		return false;
	}
	if (warmer_is_open(&pool->warmer)) {
		page_print(page, "the upstream has been unreachable for %" PRIu64 " s: %s\n",
			   (view->clock->now_ms - pool->warmer.first_failure_ms) / 1000,
			   last_error(pool));
		return false;
	}
	if (is_cut_off(pool)) {
		page_print(page, "the upstream is not reached: %s\n", last_error(pool));
		return false;
	}
	return true;
}

int health_write_ready(const struct admin_view *view, struct page *page)
{
	if (!is_ready(view, page)) {
		return 503;
	}
	page_append(page, SPAN("ok\n"));
	return 200;
}
