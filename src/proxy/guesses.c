/* Owns the table of addresses that gave wrong tokens. */
#include "proxy/guesses.h"

#include "base/mem.h"
#include "base/window.h"

#include <stdlib.h>
#include <string.h>

enum { V6_KEY_BYTES = 8 };

struct guess {
	struct cidr network;  /* the address, or its /64 */
	struct window failed; /* within the last WINDOW_SECONDS */
	uint64_t last_ms;
	uint64_t waits_until_ms;
};

void guesses_fini(struct guesses *guesses)
{
	free(guesses->rows);
	*guesses = (struct guesses){0};
}

static struct guess *find(const struct guesses *guesses, const struct addr *peer)
{
	for (size_t i = 0; i < guesses->count; i++) {
		if (cidr_contains(&guesses->rows[i].network, peer)) {
			return &guesses->rows[i];
		}
	}
	return NULL;
}

static struct cidr network_of(const struct addr *peer)
{
	char text[ADDR_TEXT_BYTES];
	struct cidr network;

	if (!cidr_parse(addr_write_ip(peer, text), &network)) {
		return (struct cidr){0}; /* not an address: such a row holds for nobody */
	}
	if (network.family == AF_INET6) {
		network.bits = V6_KEY_BYTES * 8;
		memset(network.bytes + V6_KEY_BYTES, 0, sizeof(network.bytes) - V6_KEY_BYTES);
	}
	return network;
}

static bool is_over(const struct guess *guess, uint64_t now_ms)
{
	return now_ms >= guess->last_ms + (uint64_t)WINDOW_SECONDS * 1000 &&
	       now_ms >= guess->waits_until_ms;
}

/* A row that is no longer needed, a new one, or the one with the oldest failure. */
static struct guess *take_row(struct guesses *guesses, uint64_t now_ms)
{
	struct guess *oldest = NULL;

	for (size_t i = 0; i < guesses->count; i++) {
		struct guess *guess = &guesses->rows[i];

		if (is_over(guess, now_ms)) {
			return guess;
		}
		if (oldest == NULL || guess->last_ms < oldest->last_ms) {
			oldest = guess;
		}
	}
	if (guesses->count >= GUESSES_PEERS_MAX) {
		return oldest;
	}
	guesses->rows = mem_grow(guesses->rows, guesses->count + 1, sizeof(guesses->rows[0]));
	return &guesses->rows[guesses->count++];
}

bool guesses_add(struct guesses *guesses, const struct addr *peer, uint64_t now_ms)
{
	struct guess *guess = find(guesses, peer);

	if (guess == NULL) {
		guess = take_row(guesses, now_ms);
		*guess = (struct guess){.network = network_of(peer)};
	}
	guess->last_ms = now_ms;
	window_add(&guess->failed, now_ms);
	if (window_count(&guess->failed, now_ms) < GUESSES_MOST) {
		return false;
	}
	guess->failed = (struct window){0};
	guess->waits_until_ms = now_ms + GUESSES_WAIT_MS;
	return true;
}

unsigned guesses_wait_s(const struct guesses *guesses, const struct addr *peer, uint64_t now_ms)
{
	const struct guess *guess = find(guesses, peer);

	if (guess == NULL || now_ms >= guess->waits_until_ms) {
		return 0;
	}
	return (unsigned)((guess->waits_until_ms - now_ms + 999) / 1000);
}
