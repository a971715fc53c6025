/*
 * Who a request is counted for: a token, a label, a process, an address. The unit of fairness.
 *
 * A tenant lives while someone holds a reference: a client connection for its last request's name, an exchange for its own. At most
 * TENANT_LABELS_MAX labels are told apart at a time; a label beyond them is counted for the tenant "other".
 *
 * What it may take is said by the rows of access.clients, looked up when it is made: by name, and an address by its networks too.
 */
#pragma once

#include "base/list.h"
#include "base/mem.h"
#include "base/span.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tenant_kind {
	TENANT_ADDRESS, /* the client's address, or "pid=…" on a unix socket */
	TENANT_LABEL,   /* a name without a secret, from this machine */
	TENANT_TOKEN,   /* the name of a token */
};

enum { TENANT_NAME_BYTES = 64, TENANT_LABELS_MAX = 256, TENANT_BUCKETS = 256 };

/* Classes in the order in which the queue serves them; see pool/queue.h. */
enum queue_class { QUEUE_POLL, QUEUE_WORK, QUEUE_SOLVE, QUEUE_CLASSES };

/* What one tenant has waiting in one class, first in first out. */
struct queue_flow {
	struct list_node node; /* on the queue's lane while it has waiters that may be served */
	struct list waiters;
	uint64_t turns; /* left before the next tenant's: it has `weight` of them */
};

struct tenant {
	struct list_node node;   /* on its bucket */
	struct tenants *tenants; /* borrowed; owns us */
	unsigned refs;
	enum tenant_kind kind;
	char name[TENANT_NAME_BYTES];
	struct client_limits limits;
	uint64_t leased; /* slots that it holds */
	struct queue_flow flows[QUEUE_CLASSES];
};

struct tenants {
	const struct client_rows *rows; /* borrowed */
	struct list buckets[TENANT_BUCKETS];
	struct mem_cache cache;
	size_t label_count;
};

void tenants_init(struct tenants *tenants, const struct client_rows *rows);
/* Every reference must have been given back. */
void tenants_fini(struct tenants *tenants);

/* The tenant of this kind and name, made when there is none; names are cut to TENANT_NAME_BYTES - 1. The caller holds a reference. */
struct tenant *tenant_acquire(struct tenants *tenants, struct span name, enum tenant_kind kind);
struct tenant *tenant_ref(struct tenant *tenant);
/* NULL is allowed. */
void tenant_release(struct tenant *tenant);

/* Does it hold fewer slots than max_inflight? */
bool tenant_has_room(const struct tenant *tenant);
size_t tenant_waiting_count(const struct tenant *tenant);

/* Its limits, by the rows as they are now. */
void tenant_look_up(struct tenant *tenant);

bool tenant_is(const struct tenant *tenant, struct span name, enum tenant_kind kind);
