/*
 * Keeps what is idle fit to be lent: settles new connections, has those that near their safe age replaced, lets go what
 * is past it, keeps one of those as a probe, sends heartbeats, and retires what a stale connection or a changed address makes suspect.
 *
 * Effects only; what to go by is idle_learner.h, address_book.h and the pure functions below. Everything here comes from the
 * loop. The connection may be ended by a call, but is not freed before the end of the turn.
 */
#pragma once

#include "base/ends.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct pool;

/* It has just become idle: sets its timer. */
void janitor_watch(struct conn *conn);

/* The timer of an idle connection or of the probe: does what is due. */
void janitor_look(struct conn *conn);

/* For codecs: the server closed it, in order, while it was idle. */
void janitor_idle_closed(struct conn *conn);

/* For codecs, at each response: its Keep-Alive: timeout=N; 0: it had none. */
void janitor_hint(struct pool *pool, uint64_t seconds);

/*
 * A connection that had been idle for so long turned out to be stale when it was lent: every idle one of that age or older
 * is retired (of an age under a second, looked at), so that N dead sockets never cost N requests.
 */
void janitor_suspect(struct pool *pool, uint64_t idle_ms);

/* Ends every idle connection and the probe. Leased ones end when given back, those being opened when they are up. */
void janitor_retire_all(struct pool *pool, enum end end);

/*
 * An opening finds no place in the bound: for a request the probe gives its own up, else an idle connection beyond pool.min_idle that
 * nears its end does.
 * The place comes free when the server has seen that.
 */
void janitor_make_room(struct pool *pool, bool is_for_request);
/* Is there one of the latter? */
bool janitor_has_surplus(const struct pool *pool);
void janitor_give_up_probe(struct pool *pool);

/* The settings changed: every connection follows them. */
void janitor_apply_settings(struct pool *pool, bool is_other_lifetime);

/* At the end of a turn: judges closes, retires connections to addresses that have gone, and those above a smaller pool.size. */
void janitor_turn(struct pool *pool);
/* When janitor_turn() has something to do although nothing happens; UINT64_MAX: never. */
uint64_t janitor_wake_ms(const struct pool *pool);

/*
 * Pure: how long before its safe age a spare's replacement is begun. Between an eighth and a quarter of the safe age, by `draw` (0 to
 * 1023), so that spares opened together are not replaced together; but twice the time that a connect takes at least, and half of the
 * safe age at most.
 */
uint64_t janitor_lead_ms(uint64_t safe_idle_ms, uint64_t connect_ms, unsigned draw);
