/*
 * Keeps the addresses of one name current, over lookup.h (c-ares).
 *
 * An IP literal never reaches c-ares and lives for ever. Else the answer's life is that of resolver_life_ms(); when it ends,
 * the name is looked up again in the background. On failure the last good answer stays, and the next try comes after
 * resolver_retry_ms(). A lookup ends within 5 s, and reads the hosts file and resolv.conf anew. A family whose query
 * fails while the other's is answered counts as absent until the next lookup.
 *
 * Times are those of the clock. Timers see a suspend late, so its handler should call resolver_hint_stale().
 *
 * Ownership: the resolver owns its lookup and timer; the owner frees it with resolver_free(), also from inside
 * on_change. on_change is called from the loop only (never from inside a resolver_… call), whenever the set of
 * addresses (their order aside) or the error changed; not after resolver_free().
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct event_base;
struct log;
struct metrics;

enum { RESOLVER_ADDRESSES_MAX = 16 };

struct resolver;

struct resolver_answer {
	/*
	 * IPv6 and IPv4 as c-ares sorted them (RFC 6724), each once, with the port set. Of an answer with more, each
	 * family gets up to half of the places, and those already known come first, so that the set is steady.
	 */
	struct addr addrs[RESOLVER_ADDRESSES_MAX];
	size_t count;         /* 0 until the first good answer */
	uint64_t resolved_ms; /* when this answer came */
	uint64_t ttl_ms;      /* its life; UINT64_MAX for a literal */
	enum err
		err; /* ERR_NONE, or why the last attempt failed: ERR_DNS_FAILED, ERR_DNS_TIMEOUT */
};

struct resolver_setup {
	struct event_base *base; /* borrowed */
	struct clock *clock;     /* borrowed */
	struct log *log;         /* borrowed */
	struct metrics *metrics; /* borrowed */
	const char *name;        /* host name or IP literal without brackets; copied */
	uint16_t port;
	uint64_t ttl_max_ms;
	const char *
		servers; /* NULL: as resolv.conf says; else "127.0.0.1:5300,…" and no search list; copied */
	void (*on_change)(void *owner);
	void *owner; /* borrowed */
};

struct resolver *resolver_new(const struct resolver_setup *setup);
void resolver_free(struct resolver *resolver);

/* Begins; on_change comes later, for a literal too. */
void resolver_start(struct resolver *resolver);

/* For a reload: counts for the present answer too. */
void resolver_set_ttl_max(struct resolver *resolver, uint64_t ttl_max_ms);

/* Asks again soon (at most once in 5 s), for when every address fails to connect, and after a suspend. */
void resolver_hint_stale(struct resolver *resolver);

/* Borrowed; its contents change from the loop only. */
const struct resolver_answer *resolver_answer(const struct resolver *resolver);

/*
 * The life of an answer whose least TTL over CNAMEs and addresses is `ttl_s`: at least 5 s, at most ttl_max_ms (which wins).
 * One from the hosts file lives 60 s, at most ttl_max_ms. A negative TTL (its top bit set) counts as 0 (RFC 2181 section 8).
 */
uint64_t resolver_life_ms(int64_t ttl_s, bool from_hosts, uint64_t ttl_max_ms);

/* The wait after so many failures in a row (1 or more): 1, 2, 4, … up to 30 s. */
uint64_t resolver_retry_ms(unsigned failures);
