/*
 * Who used the pool: requests and the time that they held a connection, by client, in all and over the last five minutes.
 *
 * A client is one by its name and kind, as a tenant is (pool/tenant.h), but is remembered after it has gone: USAGE_ROWS of them; then the one that
 * was away longest gives its row up. Who finds no row, because all are in use, is counted among `others`.
 */
#pragma once

#include "base/span.h"
#include "pool/tenant.h"

#include <stdint.h>

enum { USAGE_ROWS = 128, USAGE_MINUTES = 5 };

struct usage_row {
	char name[TENANT_NAME_BYTES]; /* "" while nobody has it */
	enum tenant_kind kind;
	unsigned refs;    /* client connections of it */
	uint64_t seen_ms; /* when it was acquired, or counted, last */
	uint64_t requests;
	uint64_t lease_us;
	struct usage_minute {
		uint64_t number; /* now_ms / 60000; another one: old */
		uint64_t requests;
		uint64_t lease_us;
	} minutes[USAGE_MINUTES];
};

/* Zeroed memory is a valid empty one. */
struct usage {
	struct usage_row rows[USAGE_ROWS];
	struct usage_row others;
};

/* Its row, which stays its own until it is released. Names are cut to TENANT_NAME_BYTES - 1. */
struct usage_row *usage_acquire(struct usage *usage, struct span name, enum tenant_kind kind,
				uint64_t now_ms);
/* NULL is allowed. */
void usage_release(struct usage_row *row);

/* A request is over that held a connection so long. */
void usage_add(struct usage_row *row, uint64_t lease_us, uint64_t now_ms);

/* Of the last five minutes, the present one included. */
struct usage_minute usage_lately(const struct usage_row *row, uint64_t now_ms);
