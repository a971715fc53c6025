/*
 * The time of one loop turn: monotonic, cached, settable in tests.
 *
 * clock_refresh() reads the kernel's clocks at most once a turn; clock_end_turn() ends the turn. A test sets
 * `frozen` and writes now_us itself. A machine that was suspended shows as CLOCK_BOOTTIME running ahead of
 * CLOCK_MONOTONIC: the time slept is added to now_us (so that ages and deadlines see it), and when it grew by more
 * than 2 s since last seen, clock_refresh() raises `suspended`, which the loop's owner handles and clears.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct clock {
	uint64_t now_us;   /* CLOCK_BOOTTIME: monotonic, suspended time included */
	uint64_t now_ms;   /* the same */
	uint64_t ahead_us; /* how far BOOTTIME is known to be ahead of MONOTONIC */
	bool fresh;        /* read in this turn already */
	bool frozen;       /* a test owns the time */
	bool suspended;    /* raised when the machine slept; cleared by who handles it */
};

void clock_init(struct clock *clock);
void clock_refresh(struct clock *clock);
void clock_end_turn(struct clock *clock);

/* What clock_refresh() does with the kernel's two clocks; MONOTONIC was read first. */
void clock_observe(struct clock *clock, uint64_t monotonic_us, uint64_t boottime_us);

/* For tests: freezes the clock at, or moves it to, this time. */
void clock_set_ms(struct clock *clock, uint64_t now_ms);
