/*
 * The whole way of a request: clients that connect, send in pieces, half-close, hang up or do not read, before an upstream that answers, breaks off,
 * resets, lies or says nothing, while time passes.
 *
 * The input is a list of steps: a byte for what (low five bits) and how many turns of the loop follow it (high three), a byte for whom,
 * a byte for how, and where bytes are said, so many of them as `how` says.
 */
#include "base/macros.h"
#include "base/span.h"
#include "callers.h"
#include "fuzz.h"
#include "peers.h"
#include "pool/pool.h"
#include "proxy/proxy.h"
#include "serving.h"

#include <stddef.h>
#include <stdint.h>

enum { STEPS_MAX = 100, END_TURNS = 6, END_STEP_MS = 500, END_STEPS = 320, SIZES = 5 };

static const uint16_t waits_ms[] = {1, 20, 150, 700, 1000, 1100, 2100, 3100, 5100, 10000};

/* The rest of the input. */
struct tape {
	const uint8_t *at;
	size_t left;
};

static unsigned take_byte(struct tape *tape)
{
	if (tape->left == 0) {
		return 0;
	}
	tape->left--;
	return *tape->at++;
}

static struct span take_bytes(struct tape *tape, size_t len)
{
	struct span bytes = {(const char *)tape->at, MIN(len, tape->left)};

	tape->at += bytes.len;
	tape->left -= bytes.len;
	return bytes;
}

/* 0: all of it. */
static size_t cut_of(unsigned how)
{
	return how == 0 ? ALL : how;
}

static void take(void)
{
	peers_take();
	callers_take();
}

static void turns(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		serving_turn();
		take();
	}
}

/* Whoever is due to be closed for its silence has not said anything that nobody has read yet. */
static void pass(unsigned how)
{
	turns(END_TURNS);
	serving_pass(waits_ms[how % ARRAY_SIZE(waits_ms)]);
	take();
}

static void set_reading(struct caller *caller, bool is_reading)
{
	caller->is_reading = is_reading;
	caller->has_paused |= !is_reading;
}

static void ask_at_once(struct caller *caller, unsigned how)
{
	if (caller->fd < 0) {
		caller_connect(caller);
	}
	caller_ask(caller, how);
	caller_send(caller, ALL);
}

/* What a step does, and to whom: the number is what an input holds, so it stays. */
enum {
	STEP_CONNECT,
	STEP_ASK,
	STEP_SEND,
	STEP_SAY,
	STEP_END_SIDE,
	STEP_CLOSE,
	STEP_SET_READING,
	STEP_ASK_AT_ONCE,
	STEP_ASK_AT_ONCE_TOO, /* likelier than others */
	STEPS_OF_CALLERS,
	STEP_PEER_ANSWER = STEPS_OF_CALLERS,
	STEP_PEER_SEND,
	STEP_PEER_SAY,
	STEP_PEER_CLOSE,
	STEP_PEER_RESET,
	STEP_PEER_SET_READING,
	STEP_PEER_REPLY,
	STEP_PEER_REPLY_TOO,
	STEPS_OF_PEERS,
	STEP_PASS = STEPS_OF_PEERS,
	STEP_RESOLVE,
	STEP_SET_SIZE,
	STEP_DRAIN,
	STEP_CLOSE_IDLE,
	STEP_SET_ROOM,
	STEP_END_LEASED,
	STEP_REFUSE_ALL,
	STEP_MASK = 31,
};

static void step_caller(struct tape *tape, unsigned what, struct caller *caller, unsigned how)
{
	switch (what) {
	case STEP_CONNECT:
		caller_connect(caller);
		break;
	case STEP_ASK:
		caller_ask(caller, how);
		break;
	case STEP_SEND:
		caller_send(caller, cut_of(how));
		break;
	case STEP_SAY:
		caller_say(caller, take_bytes(tape, how));
		break;
	case STEP_END_SIDE:
		caller_end_side(caller);
		break;
	case STEP_CLOSE:
		caller_close(caller);
		break;
	case STEP_SET_READING:
		set_reading(caller, how % 2 == 0);
		break;
	default:
		ask_at_once(caller, how);
		break;
	}
}

static void step_peer(struct tape *tape, unsigned what, struct peer *peer, unsigned how)
{
	switch (what) {
	case STEP_PEER_ANSWER:
		peer_answer(peer, how);
		break;
	case STEP_PEER_SEND:
		peer_send(peer, cut_of(how));
		break;
	case STEP_PEER_SAY:
		peer_say(peer, take_bytes(tape, how));
		break;
	case STEP_PEER_CLOSE:
		peer_close(peer, false);
		break;
	case STEP_PEER_RESET:
		peer_close(peer, true);
		break;
	case STEP_PEER_SET_READING:
		peer->is_reading = how % 2 == 0;
		break;
	default:
		peer_answer(peer, how);
		peer_send(peer, ALL);
		break;
	}
}

static void step_daemon(unsigned what, unsigned how)
{
	switch (what) {
	case STEP_PASS:
		pass(how);
		break;
	case STEP_RESOLVE:
		serving_resolve(how % UPSTREAM_KINDS);
		break;
	case STEP_SET_SIZE:
		serving_set_size(1 + how % SIZES);
		break;
	case STEP_DRAIN:
		serving_drain();
		break;
	case STEP_CLOSE_IDLE:
		(void)proxy_close_idle_client(&serving.proxy);
		break;
	case STEP_SET_ROOM:
		serving.proxy.buffers.limit_bytes = (size_t)how * 1024;
		break;
	case STEP_END_LEASED:
		pool_end_leased(&serving.pool, ERR_RESPONSE_TIMEOUT, "the fuzzer");
		break;
	case STEP_REFUSE_ALL:
		proxy_refuse_all(&serving.proxy);
		break;
	default:
		break;
	}
}

static void step(struct tape *tape)
{
	unsigned first = take_byte(tape);
	unsigned whom = take_byte(tape);
	unsigned how = take_byte(tape);
	unsigned what = first & STEP_MASK;

	if (what < STEPS_OF_CALLERS) {
		step_caller(tape, what, &callers[whom % CALLERS], how);
	} else if (what < STEPS_OF_PEERS) {
		step_peer(tape, what, &peers[whom % PEERS], how);
	} else {
		step_daemon(what, how);
	}
	turns(first / (STEP_MASK + 1));
}

/* Everyone sends what is left to be said, and time passes until all must be over. */
static void wind_up(void)
{
	for (size_t i = 0; i < CALLERS; i++) {
		callers[i].is_reading = true;
	}
	for (size_t i = 0; i < PEERS; i++) {
		peers[i].is_reading = true;
	}
	for (unsigned i = 0; i < END_STEPS && (i == 0 || !serving_is_quiet()); i++) {
		for (size_t j = 0; j < CALLERS; j++) {
			caller_send(&callers[j], ALL);
		}
		turns(END_TURNS / 2);
		serving_pass(END_STEP_MS);
		take();
	}
	fuzz_must(serving_is_quiet(), "something never ends");
	turns(1);
	callers_judge();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct tape tape = {bytes, len};
	unsigned winds_up = take_byte(&tape) % 4;

	callers_begin();
	peers_begin();
	serving_begin();
	for (unsigned i = 0; i < STEPS_MAX && tape.left > 0; i++) {
		step(&tape);
	}
	if (winds_up != 0) {
		wind_up();
	}
	callers_end();
	peers_end();
	serving_end();
	return 0;
}
