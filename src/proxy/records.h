/*
 * A ring of the last requests of some kind, for people to look at: the ledger of paid requests whose fate a user must know, and the last errors.
 *
 * No key, no query, no body, no answer: a body shows as its SHA-256, an answered submit as its task's number.
 */
#pragma once

#include "base/err.h"
#include "proxy/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LEDGER_RECORDS = 1000,
	ERROR_RECORDS = 100,
	RECORD_CLIENT_BYTES = 64,
	RECORD_PATH_BYTES = 64,
	RECORD_REASON_BYTES = 96,
	RECORD_TASK_BYTES = 24,
	RECORD_DIGEST_BYTES = 32,
};

struct record {
	uint64_t number;  /* counts up, from 1 */
	uint64_t unix_ms; /* when it was written */
	enum profile_class class;
	enum err err;   /* what the client was told; ERR_NONE: the API's answer */
	enum err cause; /* why, where that differs */
	bool has_digest;
	uint64_t sent_bytes;  /* of the request, handed to the kernel */
	uint64_t acked_bytes; /* of the connection's, acknowledged by the server's kernel */
	uint8_t digest[RECORD_DIGEST_BYTES]; /* of the body, or without one of the query */
	char client[RECORD_CLIENT_BYTES];
	char path[RECORD_PATH_BYTES];
	char reason[RECORD_REASON_BYTES];
	char task[RECORD_TASK_BYTES];
};

struct records {
	struct record *items; /* owned */
	size_t size;
	uint64_t written; /* in all; the last `size` of them are here */
};

void records_init(struct records *records, size_t size);
void records_fini(struct records *records);

/* A zeroed one with its number and time, in place of the oldest. Borrowed until the next call. */
struct record *records_add(struct records *records);

/* How many are here, and the one `age` places from the newest (0). */
size_t records_count(const struct records *records);
const struct record *records_get(const struct records *records, size_t age);
