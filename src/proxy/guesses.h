/*
 * Who has given wrong tokens of late: a bounded table of addresses. Ten within ten seconds, and an address has to wait.
 *
 * An IPv6 peer stands for its /64, which one machine has to itself. When the table is full, the address whose last failure is the
 * longest ago makes room. Zeroed memory is a valid empty table.
 */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUESSES_PEERS_MAX = 1024, GUESSES_MOST = 10, GUESSES_WAIT_MS = 30000 };

struct guess;

struct guesses {
	struct guess *rows; /* owned; NULL before the first failure */
	size_t count;
};

void guesses_fini(struct guesses *guesses);

/* A wrong token came from there. True when it has to wait from now on. */
bool guesses_add(struct guesses *guesses, const struct addr *peer, uint64_t now_ms);

/* For how many seconds nothing from there is looked at, rounded up; 0: it may try. */
unsigned guesses_wait_s(const struct guesses *guesses, const struct addr *peer, uint64_t now_ms);
