/*
 * One lookup of a name at a time, with c-ares on the event loop: the mechanics under resolver.h.
 *
 * The order of sources is fixed: the hosts file, localhost and what ends in .localhost (RFC 6761 section 6.3: loopback,
 * never asked of DNS), then DNS with resolv.conf's servers and search list. The hosts file and DNS are two separate
 * lookups, because c-ares gives TTL 0 for entries of the hosts file, and DNS may say 0 too. CARES_HOSTS in the
 * environment names another hosts file.
 *
 * Every lookup reads the hosts file and resolv.conf anew (a c-ares channel lives for one lookup), so a change of either
 * needs no watching. It ends within 5 s and survives lost packets (sent again after 1 s and 3 s). A family whose query
 * fails while the other's is answered is absent from the result.
 *
 * on_done is called from the loop, once for each lookup_start(), and not after lookup_fini(); the owner may start
 * again or fini from inside it.
 */
#pragma once

#include "base/addr.h"
#include "base/list.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <ares.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOOKUP_ADDRESSES_MAX = 16 };

struct lookup_result {
	int status; /* of c-ares; ARES_SUCCESS only with addresses, ARES_ECANCELLED when time ran out */
	bool from_hosts; /* or localhost */
	int64_t ttl_s; /* the least over CNAMEs and addresses, as it came; 0 from the hosts file */
	size_t count;
	/* As c-ares sorted them (RFC 6724), each once, with the port. See resolver_answer for what is left out. */
	struct addr addrs[LOOKUP_ADDRESSES_MAX];
};

struct lookup {
	struct event_base *base; /* borrowed */
	const char *name;        /* borrowed */
	const char *servers;     /* borrowed; NULL: resolv.conf's */
	uint16_t port;
	void (*on_done)(void *owner);
	void *owner; /* borrowed */

	bool is_under_way;
	bool is_found;        /* the result is complete, on_done not called yet */
	ares_channel channel; /* owned; NULL unless DNS is being asked */
	struct list
		watches; /* owns its nodes, one per socket of the channel; empty without a channel */
	struct event timer; /* c-ares's timeouts, and a result that was there at once */
	struct event deadline;
	const struct addr *known; /* borrowed while under way */
	size_t known_count;
	struct lookup_result result; /* valid in on_done and until the next start */
};

struct lookup_setup {
	struct event_base *base; /* borrowed */
	const char *name;        /* borrowed */
	const char *
		servers; /* borrowed; NULL: as resolv.conf says; else "127.0.0.1:5300,…" and no search list */
	uint16_t port;
	void (*on_done)(void *owner);
	void *owner; /* borrowed */
};

void lookup_init(struct lookup *lookup, const struct lookup_setup *setup);
void lookup_fini(struct lookup *lookup);

/* None may be under way. `known` (borrowed until on_done) is preferred where there is not room for all. */
void lookup_start(struct lookup *lookup, const struct addr *known, size_t known_count);

/* For a log line. */
const char *lookup_status_text(int status);

/* What a status means to who has to mend it. */
enum lookup_verdict {
	LOOKUP_FOUND,
	LOOKUP_NO_SUCH_NAME,
	LOOKUP_NO_ADDRESS,     /* the name is there, with neither A nor AAAA */
	LOOKUP_SERVERS_SILENT, /* no answer in time */
	LOOKUP_SERVERS_FAIL, /* they fail, refuse or cannot be reached; or none is set and none runs here */
	LOOKUP_OTHER_FAULT,
};

enum lookup_verdict lookup_verdict_of(int status);
