/* Composes what the pool, its queue and its users are at. */
#include "admin/status_pool.h"

#include "admin/admin.h"
#include "admin/json.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "pool/pool.h"
#include "proxy/proxy.h"
#include "proxy/usage.h"

#include <stdlib.h>

static const char *const kind_names[] = {
	[TENANT_ADDRESS] = "address", [TENANT_LABEL] = "label", [TENANT_TOKEN] = "token"};

static double age_s(uint64_t now_ms, uint64_t since_ms)
{
	return now_ms > since_ms ? (double)(now_ms - since_ms) / 1e3 : 0;
}

/* --- connections --- */

static json_t *write_conn(const struct conn *conn, uint64_t now_ms)
{
	json_t *object = json_object();
	char text[ADDR_TEXT_BYTES];

	json_put_u64(object, "number", conn->number);
	json_put_text(object, "state", conn_state_name(conn->state));
	json_put_text(object, "address", addr_write(&conn->stream.peer, text));
	json_put_real(object, "age_s", age_s(now_ms, conn->opened_us / 1000));
	json_put_u64(object, "requests", conn->requests);
	if (conn->ready_serial == 0) {
		return object;
	}
	if (conn->state == CONN_IDLE || conn->state == CONN_PROBE) {
		json_put_real(object, "idle_s", age_s(now_ms, conn->idle_since_ms));
	}
	if (conn->stream.ssl != NULL) {
		json_put_text(object, "tls", stream_tls_version(&conn->stream));
		json_put_bool(object, "resumed", conn->was_resumed);
	}
	return object;
}

static json_t *write_conns(const struct pool *pool)
{
	json_t *array = json_array();

	for (unsigned state = 0; state < CONN_BOUND_STATES; state++) {
		list_foreach (node, &pool->conns[state]) {
			json_array_append_new(array, write_conn(list_entry(node, struct conn, node),
								pool->clock->now_ms));
		}
	}
	return array;
}

static json_t *write_states(const struct pool *pool)
{
	json_t *object = json_object();

	for (unsigned state = 0; state < CONN_BOUND_STATES; state++) {
		json_put_u64(object, conn_state_name(state), pool->conns[state].count);
	}
	return object;
}

static json_t *write_idle_timeout(const struct idle_learner *learner)
{
	json_t *object = json_object();

	json_put_real(object, "seconds", (double)idle_learner_safe_ms(learner) / 1e3);
	json_put_text(object, "source", idle_source_name(idle_learner_source(learner)));
	json_put_u64(object, "observations", learner->observations);
	return object;
}

static json_t *write_breaker(const struct pool *pool)
{
	json_t *object = json_object();
	bool is_open = warmer_is_open(&pool->warmer);

	json_put_bool(object, "open", is_open);
	json_put_u64(object, "failures_in_a_row", pool->warmer.failures);
	if (pool->warmer.failures > 0) {
		json_put_real(object, "since_s",
			      age_s(pool->clock->now_ms, pool->warmer.first_failure_ms));
		json_put_text(object, "last_error", err_name(pool->last_connect_err));
	}
	return object;
}

/*
 * What the pool has spared its users: each lease of a connection that stood already would have been a connection of its own.
 */
static void put_savings(json_t *object, const struct pool *pool)
{
	const struct metrics *metrics = pool->metrics;
	uint64_t leases = 0;
	uint64_t avoided;

	for (unsigned i = 0; i < METRIC_CONN_COUNT; i++) {
		leases += metrics->leases[i];
	}
	avoided = leases > metrics->opened ? leases - metrics->opened : 0;
	json_put_u64(object, "leases", leases);
	json_put_u64(object, "opened", metrics->opened);
	json_put_u64(object, "handshakes_full", metrics->handshakes[METRIC_HANDSHAKE_FULL]);
	json_put_u64(object, "handshakes_resumed", metrics->handshakes[METRIC_HANDSHAKE_RESUMED]);
	json_put_u64(object, "handshakes_avoided", avoided);
	json_put_real(object, "saved_s", (double)avoided * (double)pool->connect_us / 1e6);
}

json_t *status_pool(const struct admin_view *view)
{
	const struct pool *pool = view->pool;
	json_t *object = json_object();

	json_put_u64(object, "size", pool->settings.size);
	json_put_u64(object, "min_idle", pool->settings.min_idle);
	json_put(object, "states", write_states(pool));
	json_put_real(object, "round_trip_ms", (double)pool->round_trip_us / 1e3);
	json_put_real(object, "connect_ms", (double)pool->connect_us / 1e3);
	put_savings(object, pool);
	json_put(object, "idle_timeout", write_idle_timeout(&pool->learner));
	json_put(object, "breaker", write_breaker(pool));
	json_put(object, "connections", write_conns(pool));
	return object;
}

/* --- who waits --- */

static json_t *write_tenant(const struct tenant *tenant, size_t waiting)
{
	json_t *object = json_object();

	json_put_text(object, "name", tenant->name);
	json_put_text(object, "kind", kind_names[tenant->kind]);
	json_put_u64(object, "waiting", waiting);
	json_put_u64(object, "leased", tenant->leased);
	json_put_u64(object, "weight", tenant->limits.weight);
	return object;
}

static void write_bucket(json_t *array, const struct list *bucket)
{
	list_foreach (node, bucket) {
		const struct tenant *tenant = list_entry(node, struct tenant, node);
		size_t waiting = tenant_waiting_count(tenant);

		if (waiting > 0 || tenant->leased > 0) {
			json_array_append_new(array, write_tenant(tenant, waiting));
		}
	}
}

static json_t *write_waiting(const struct tenants *tenants)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < TENANT_BUCKETS; i++) {
		write_bucket(array, &tenants->buckets[i]);
	}
	return array;
}

json_t *status_queue(const struct admin_view *view)
{
	static const char *const names[] = {
		[QUEUE_POLL] = "poll", [QUEUE_WORK] = "work", [QUEUE_SOLVE] = "solve"};
	const struct pool *pool = view->pool;
	json_t *object = json_object();
	json_t *classes = json_object();

	json_put_u64(object, "length", pool_waiting_count(pool));
	json_put_u64(object, "size", pool->settings.queue_size);
	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		json_put_u64(classes, names[i], pool->queue.counts[i]);
	}
	json_put_u64(classes, "repeat", pool->urgent.count);
	json_put(object, "by_class", classes);
	json_put(object, "by_client", write_waiting(&view->proxy->tenants));
	return object;
}

/* --- who used it --- */

struct used {
	const struct usage_row *row;
	struct usage_minute lately;
};

static int compare(const void *a, const void *b)
{
	const struct used *left = a;
	const struct used *right = b;

	if (left->lately.requests != right->lately.requests) {
		return left->lately.requests < right->lately.requests ? 1 : -1;
	}
	return left->row->requests < right->row->requests ? 1 : -1;
}

static json_t *write_used(const struct used *used, const char *name)
{
	json_t *object = json_object();

	json_put_text(object, "name", name);
	json_put_text(object, "kind", kind_names[used->row->kind]);
	json_put_u64(object, "requests", used->row->requests);
	json_put_u64(object, "requests_5m", used->lately.requests);
	json_put_real(object, "leased_5m_s", (double)used->lately.lease_us / 1e6);
	return object;
}

json_t *status_clients(const struct admin_view *view, uint64_t now_ms)
{
	const struct usage *usage = &view->proxy->usage;
	struct used used[USAGE_ROWS];
	size_t count = 0;
	json_t *array = json_array();

	for (unsigned i = 0; i < USAGE_ROWS; i++) {
		if (usage->rows[i].requests > 0) {
			used[count++] = (struct used){&usage->rows[i],
						      usage_lately(&usage->rows[i], now_ms)};
		}
	}
	qsort(used, count, sizeof(used[0]), compare);
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(array, write_used(&used[i], used[i].row->name));
	}
	if (usage->others.requests > 0) {
		const struct used others = {&usage->others, usage_lately(&usage->others, now_ms)};

		json_array_append_new(array, write_used(&others, "(others)"));
	}
	return array;
}
