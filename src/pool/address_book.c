/* Owns the addresses of the upstream, current and gone, and what is known of each. */
#include "pool/address_book.h"

#include <assert.h>
#include <string.h>

static struct address *address_of(struct list_node *node)
{
	return list_entry(node, struct address, node);
}

static bool is_v6(const struct address *address)
{
	return address->addr.sa.any.sa_family == AF_INET6;
}

void address_book_init(struct address_book *book)
{
	*book = (struct address_book){0};
	list_init(&book->current);
	list_init(&book->gone);
	mem_cache_init(&book->unused, sizeof(struct address), ADDRESS_BOOK_CURRENT_MAX);
}

static void forget(struct address *address)
{
	assert(list_is_empty(&address->uses));
	list_remove(&address->node);
	mem_cache_give(&address->book->unused, address);
}

void address_book_fini(struct address_book *book)
{
	if (book->unused.object_bytes == 0) {
		return;
	}
	assert(list_is_empty(&book->gone));
	list_foreach_safe (node, &book->current) {
		forget(address_of(node));
	}
	mem_cache_fini(&book->unused);
}

static struct address *find(struct list *list, const struct addr *addr)
{
	list_foreach (node, list) {
		if (addr_is_equal(&address_of(node)->addr, addr)) {
			return address_of(node);
		}
	}
	return NULL;
}

/* The address, known or new, on no list. */
static struct address *take(struct address_book *book, const struct addr *addr)
{
	struct address *address = find(&book->current, addr);

	if (address == NULL) {
		address = find(&book->gone, addr);
	}
	if (address == NULL) {
		address = mem_cache_take(&book->unused);
		address->book = book;
		address->addr = *addr;
		list_init(&address->uses);
	}
	list_remove(&address->node);
	return address;
}

static void leave(struct address *address, uint64_t now_ms)
{
	if (list_is_empty(&address->uses)) {
		forget(address);
		return;
	}
	address->gone_since_ms = now_ms;
	address->gone_uses = address->uses.count;
	list_remove(&address->node);
	list_push_back(&address->book->gone, &address->node);
}

void address_book_update(struct address_book *book, const struct addr *addrs, size_t count,
			 uint64_t now_ms)
{
	struct list families[2];
	bool v6;

	if (count == 0) {
		return;
	}
	v6 = addrs[0].sa.any.sa_family == AF_INET6;
	list_init(&families[false]);
	list_init(&families[true]);
	for (size_t i = 0;
	     i < count && families[0].count + families[1].count < ADDRESS_BOOK_CURRENT_MAX; i++) {
		struct list *family = &families[addrs[i].sa.any.sa_family == AF_INET6];

		if (find(family, &addrs[i]) == NULL) {
			list_push_back(family, &take(book, &addrs[i])->node);
		}
	}
	list_foreach_safe (node, &book->current) {
		leave(address_of(node), now_ms);
	}
	/* RFC 8305 section 4 with a First Address Family Count of 1. */
	for (; families[0].count + families[1].count > 0; v6 = !v6) {
		struct list_node *node = list_pop_front(&families[v6]);

		if (node != NULL) {
			list_push_back(&book->current, node);
		}
	}
}

bool address_is_gone(const struct address *address)
{
	return address->node.list == &address->book->gone;
}

bool address_is_aside(const struct address *address, uint64_t now_ms)
{
	return address->failures > 0 && now_ms < address->aside_until_ms;
}

static uint64_t aside_ms(unsigned failures)
{
	unsigned doublings = MIN(failures - 1, 6);

	return MIN((uint64_t)ADDRESS_ASIDE_FIRST_MS << doublings, ADDRESS_ASIDE_LONGEST_MS);
}

/* Of two neither of which is aside. */
static bool is_better(const struct address *a, const struct address *b)
{
	if (a->uses.count != b->uses.count) {
		return a->uses.count < b->uses.count;
	}
	return a->last_pick < b->last_pick;
}

struct wanted {
	const struct address *but; /* NULL: any */
	bool any_family;
	bool v6;
};

static struct address *best_ready(const struct address_book *book, struct wanted wanted,
				  uint64_t now_ms)
{
	struct address *best = NULL;

	list_foreach (node, &book->current) {
		struct address *address = address_of(node);

		if (address == wanted.but || address_is_aside(address, now_ms)) {
			continue;
		}
		if (!wanted.any_family && is_v6(address) != wanted.v6) {
			continue;
		}
		if (best == NULL || is_better(address, best)) {
			best = address;
		}
	}
	return best;
}

static struct address *soonest_ready(const struct address_book *book)
{
	struct address *soonest = NULL;

	list_foreach (node, &book->current) {
		struct address *address = address_of(node);

		if (soonest == NULL || address->aside_until_ms < soonest->aside_until_ms) {
			soonest = address;
		}
	}
	return soonest;
}

/* NULL is passed through. */
static struct address *note_pick(struct address_book *book, struct address *address,
				 uint64_t now_ms)
{
	if (address == NULL) {
		return NULL;
	}
	address->last_pick = ++book->picks;
	if (address->failures > 0) {
		address->aside_until_ms = now_ms + aside_ms(address->failures);
	}
	return address;
}

struct address *address_book_pick(struct address_book *book, uint64_t now_ms)
{
	struct address *address = best_ready(book, (struct wanted){.any_family = true}, now_ms);

	return note_pick(book, address != NULL ? address : soonest_ready(book), now_ms);
}

struct address *address_book_alternative(struct address_book *book, const struct address *first,
					 uint64_t now_ms)
{
	struct wanted wanted = {.but = first, .v6 = !is_v6(first)};
	struct address *address = best_ready(book, wanted, now_ms);

	if (address == NULL) {
		wanted.any_family = true;
		address = best_ready(book, wanted, now_ms);
	}
	return note_pick(book, address, now_ms);
}

uint64_t address_head_start_ms(const struct address *first)
{
	return first->failures > 0 ? 0 : ADDRESS_HEAD_START_MS;
}

void address_acquire(struct address *address, struct address_use *use, uint64_t now_ms)
{
	assert(use->address == NULL);
	use->address = address;
	use->since_ms = now_ms;
	list_push_back(&address->uses, &use->node);
}

void address_release(struct address_use *use)
{
	struct address *address = use->address;

	if (address == NULL) {
		return;
	}
	list_remove(&use->node);
	use->address = NULL;
	if (address_is_gone(address) && list_is_empty(&address->uses)) {
		forget(address);
	}
}

void address_failed(const struct address_use *use, uint64_t now_ms)
{
	struct address *address = use->address;

	if (address->failures > 0 && use->since_ms <= address->failed_ms) {
		return;
	}
	address->failures++;
	address->failed_ms = now_ms;
	address->aside_until_ms = now_ms + aside_ms(address->failures);
}

void address_succeeded(const struct address_use *use)
{
	use->address->failures = 0;
}

size_t address_retire_count(const struct address *address, uint64_t now_ms)
{
	uint64_t elapsed_ms;
	size_t may_stay;

	if (!address_is_gone(address)) {
		return 0;
	}
	elapsed_ms = MIN(now_ms - address->gone_since_ms, ADDRESS_RETIRE_MS);
	may_stay = address->gone_uses * (ADDRESS_RETIRE_MS - elapsed_ms) / ADDRESS_RETIRE_MS;
	return address->uses.count > may_stay ? address->uses.count - may_stay : 0;
}
