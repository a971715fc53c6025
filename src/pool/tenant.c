/* Owns the tenants, found by name. */
#include "pool/tenant.h"

#include "base/addr.h"
#include "base/macros.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { TENANTS_KEPT = 64 };

void tenants_init(struct tenants *tenants, const struct client_rows *rows)
{
	*tenants = (struct tenants){.rows = rows};
	for (unsigned i = 0; i < TENANT_BUCKETS; i++) {
		list_init(&tenants->buckets[i]);
	}
	mem_cache_init(&tenants->cache, sizeof(struct tenant), TENANTS_KEPT);
}

void tenants_fini(struct tenants *tenants)
{
	for (unsigned i = 0; i < TENANT_BUCKETS; i++) {
		assert(list_is_empty(&tenants->buckets[i]));
	}
	mem_cache_fini(&tenants->cache);
}

/* FNV-1a */
static struct list *bucket_of(struct tenants *tenants, struct span name)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < name.len; i++) {
		hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
	}
	return &tenants->buckets[hash % TENANT_BUCKETS];
}

bool tenant_has_room(const struct tenant *tenant)
{
	return tenant->limits.max_inflight == 0 || tenant->leased < tenant->limits.max_inflight;
}

size_t tenant_waiting_count(const struct tenant *tenant)
{
	size_t count = 0;

	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		count += tenant->flows[i].waiters.count;
	}
	return count;
}

bool tenant_is(const struct tenant *tenant, struct span name, enum tenant_kind kind)
{
	return tenant->kind == kind && span_is(span_of(tenant->name), name);
}

static struct tenant *find(const struct list *bucket, struct span name, enum tenant_kind kind)
{
	list_foreach (node, bucket) {
		struct tenant *tenant = list_entry(node, struct tenant, node);

		if (tenant_is(tenant, name, kind)) {
			return tenant;
		}
	}
	return NULL;
}

void tenant_look_up(struct tenant *tenant)
{
	struct span name = span_of(tenant->name);
	struct addr addr;
	/* A label may look like an address; only what goes by its address is in a network. */
	bool has_addr = tenant->kind == TENANT_ADDRESS && addr_parse_ip(name, 0, &addr);

	tenant->limits = config_client_limits(tenant->tenants->rows, name, has_addr ? &addr : NULL);
}

struct tenant *tenant_acquire(struct tenants *tenants, struct span name, enum tenant_kind kind)
{
	struct list *bucket;
	struct tenant *tenant;

	name.len = MIN(name.len, (size_t)TENANT_NAME_BYTES - 1);
	bucket = bucket_of(tenants, name);
	tenant = find(bucket, name, kind);
	if (tenant != NULL) {
		return tenant_ref(tenant);
	}
	if (kind == TENANT_LABEL && tenants->label_count >= TENANT_LABELS_MAX) {
		return tenant_acquire(tenants, SPAN("other"), TENANT_ADDRESS);
	}
	tenant = mem_cache_take(&tenants->cache);
	tenant->tenants = tenants;
	tenant->refs = 1;
	tenant->kind = kind;
	tenants->label_count += kind == TENANT_LABEL;
	memcpy(tenant->name, name.data, name.len);
	tenant_look_up(tenant);
	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		list_init(&tenant->flows[i].waiters);
	}
	list_push_front(bucket, &tenant->node);
	return tenant;
}

struct tenant *tenant_ref(struct tenant *tenant)
{
	tenant->refs++;
	return tenant;
}

void tenant_release(struct tenant *tenant)
{
	if (tenant == NULL || --tenant->refs > 0) {
		return;
	}
	tenant->tenants->label_count -= tenant->kind == TENANT_LABEL;
	list_remove(&tenant->node);
	mem_cache_give(&tenant->tenants->cache, tenant);
}
