/*
 * Keeps the addresses of one name current, with c-ares on the event loop.
 *
 * The answer's life is the least TTL over its CNAMEs and addresses, held between 5 s and ttl_max; entries of the hosts
 * file (TTL 0) live 60 s; an IP literal never reaches c-ares and lives for ever. When the life ends, the name is asked
 * again in the background; on failure the last good answer stays and the next try comes after 1, 2, 4, … up to 30 s.
 * The c-ares channel is made anew when /etc/resolv.conf changes (looked at before each query). c-ares may call back before its call returns: such an
 * answer is kept until the next loop turn.
 *
 * Ownership: the resolver owns its channel and events; the owner frees it with resolver_free(). on_change is called from the loop only (never from inside
 * resolver_start()), whenever the set of addresses or the error changed; not after resolver_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct clock;
struct event_base;
struct log;

enum { RESOLVER_ADDRESSES_MAX = 16 };

struct resolver;

struct resolver_answer {
	struct addr addrs[RESOLVER_ADDRESSES_MAX]; /* IPv6 and IPv4 as c-ares sorted them (RFC 6724), with the port set */
	size_t count; /* 0 until the first good answer */
	uint64_t resolved_ms; /* when this answer came */
	uint64_t ttl_ms; /* its life */
	enum err err; /* ERR_NONE, or why the last attempt failed: ERR_DNS_FAILED, ERR_DNS_TIMEOUT */
};

struct resolver_setup {
	struct event_base *base; /* borrowed */
	struct clock *clock; /* borrowed */
	struct log *log; /* borrowed */
	const char *name; /* host name or IP literal; copied */
	uint16_t port;
	uint64_t ttl_max_ms;
	const char *servers; /* NULL: as resolv.conf says; else "127.0.0.1:5300", for tests */
	void (*on_change)(void *owner);
	void *owner; /* borrowed */
};

struct resolver *resolver_new(const struct resolver_setup *setup);
void resolver_free(struct resolver *resolver);

/* Begins; on_change comes later, for a literal too. */
void resolver_start(struct resolver *resolver);

/* For a reload. */
void resolver_set_ttl_max(struct resolver *resolver, uint64_t ttl_max_ms);

/* Asks again soon (at most once in 5 s), for when every address fails to connect. */
void resolver_hint_stale(struct resolver *resolver);

/* Borrowed; valid until the next loop turn. */
const struct resolver_answer *resolver_answer(const struct resolver *resolver);
