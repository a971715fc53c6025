/*
 * Which address of the upstream the next connection goes to. Pure policy: no sockets, no events, and the time
 * is what the caller says it is.
 *
 * The book is fed with the resolver's answers. An address is a `struct address`, a stable pointer from the update that
 * brought it until it has gone from the answer and its last connection has been released. It is on one of two lists: current,
 * or gone. Each connection, from before its connect until it is closed, embeds a `struct address_use` and is on its
 * address's list of uses.
 *
 * How a caller connects (RFC 8305 section 5):
 *   1. first = address_book_pick(); address_acquire(); start to connect.
 *   2. When it has not connected after address_head_start_ms(first), address_book_alternative(); acquire; connect beside it.
 *   3. The one that is up first stays: address_succeeded(). The other is closed and released. If that other is the first,
 *      address_failed() before: it had the start, and lost. An alternative that loses did nothing wrong.
 *   4. A connect or handshake that fails or times out: address_failed(), then release. Then pick again.
 * So a dead family costs one head start once: from then on it is left aside, and tried again beside a healthy address at the same time.
 *
 * Aside: after failures in a row 1, 2, 3, … an address is not picked for 1, 2, 4, … up to 60 s, unless every current one
 * is aside; then the one whose turn comes soonest is. After its time it is picked once, and waits as long again before
 * the next pick, so that one connection at a time tries it, whatever comes of it.
 *
 * Gone: connections to an address that has gone from the answer are retired over 30 s, evenly: address_retire_count() says
 * how many of them should end now. An address that comes back keeps its connections and what is known of it.
 *
 * Ownership: the book owns its addresses, borrows the uses, and must not be moved. Only address_book_update() allocates, and only for an
 * address not seen before. At most ADDRESS_BOOK_CURRENT_MAX are current; the gone ones are bounded by their connections.
 */
#pragma once

#include "base/addr.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ADDRESS_BOOK_CURRENT_MAX = 16,
	ADDRESS_HEAD_START_MS = 250, /* RFC 8305 section 5, Connection Attempt Delay */
	ADDRESS_ASIDE_FIRST_MS = 1000,
	ADDRESS_ASIDE_LONGEST_MS = 60000,
	ADDRESS_RETIRE_MS = 30000,
};

struct address_book {
	struct list
		current; /* families interleaved (RFC 8305 section 4), the first of the answer first */
	struct list gone; /* every one has uses */
	struct mem_cache unused;
	uint64_t picks; /* so far; orders them */
};

struct address {
	struct list_node node;     /* on book->current or book->gone */
	struct address_book *book; /* borrowed; owns us */
	struct addr addr;
	struct list uses;        /* borrowed; one per connection */
	uint64_t last_pick;      /* number of the pick; 0: never */
	unsigned failures;       /* in a row */
	uint64_t failed_ms;      /* valid when failures > 0 */
	uint64_t aside_until_ms; /* valid when failures > 0 */
	uint64_t gone_since_ms;  /* valid when gone */
	size_t gone_uses;        /* how many uses it had then */
};

/* Embedded in a connection. Zeroed memory is a valid one of no address. */
struct address_use {
	struct list_node node;   /* on address->uses */
	struct address *address; /* borrowed; NULL when released */
	uint64_t since_ms;
};

void address_book_init(struct address_book *book);
/* Every use must have been released. */
void address_book_fini(struct address_book *book);

/*
 * The resolver's new answer, in its order. Equal ones count once, those past the maximum are left out, and an empty answer
 * changes nothing.
 */
void address_book_update(struct address_book *book, const struct addr *addrs, size_t count,
			 uint64_t now_ms);

/*
 * Where the next connection should go: of the current addresses that are not aside the one with the fewest connections,
 * among equals the one not picked for longest, among those never picked the first. NULL before the first answer.
 */
struct address *address_book_pick(struct address_book *book, uint64_t now_ms);

/*
 * The best current address beside `first` that is not aside, by the same order: of the other family if there is one, else
 * of the same. NULL when there is none. Counts as a pick.
 */
struct address *address_book_alternative(struct address_book *book, const struct address *first,
					 uint64_t now_ms);

/* How long `first` is given before the alternative starts too: none when its last attempt failed. */
uint64_t address_head_start_ms(const struct address *first);

/* A connection to it begins; the use must be released. */
void address_acquire(struct address *address, struct address_use *use, uint64_t now_ms);
/* It has ended. The address may be forgotten by this. Does nothing to a use of no address. */
void address_release(struct address_use *use);

/*
 * What became of a connect. Failures of connects that had begun before the last failure was known count as that same one.
 * A connection that breaks later is no failure of its address.
 */
void address_failed(const struct address_use *use, uint64_t now_ms);
void address_succeeded(const struct address_use *use);

bool address_is_gone(const struct address *address);
bool address_is_aside(const struct address *address, uint64_t now_ms);

/* How many of a gone address's connections should be ended by now; all after ADDRESS_RETIRE_MS. 0 for a current one. */
size_t address_retire_count(const struct address *address, uint64_t now_ms);
