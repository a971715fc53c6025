/*
 * What the tests of net/resolver.c and net/lookup.c stand on: an event base, a clock, a log, a DNS server, one resolver that
 * asks it, and a hosts file of their own. begin() sets all of it up anew; a failed test may leave it standing.
 */
#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "net/resolver.h"

#include <stdbool.h>
#include <stdint.h>

#define NAME "api.upstream.test"

struct rig {
	struct clock clock;
	struct metrics metrics;
	struct dns_server *server; /* owned */
	struct resolver *resolver; /* owned; a test that frees it clears it */
	unsigned changes;          /* calls of on_change so far */
	bool free_on_change;
	char hosts_path[64];
};

extern struct rig rig;

void begin(void);
void end(void);

/* The hosts file of the machine stays out of it; empty at first. */
void write_hosts(const char *text);

/* Port 443, ttl_max 5 min. */
struct resolver_setup setup_of(const char *name);

/* Makes and starts the resolver; resolve() also waits for the first change. */
void start(struct resolver_setup setup);
const struct resolver_answer *resolve(struct resolver_setup setup);

/* One turn of the loop; EVLOOP_… */
void turn(int flags);
void run_for(uint64_t ms);
void run_until_changes(unsigned count);
/* Until both families have been asked so often. */
void run_until_asked(unsigned count);

uint64_t real_ms(void);
bool has(const struct resolver_answer *answer, const char *ip);
unsigned count_logged(const char *needle);
