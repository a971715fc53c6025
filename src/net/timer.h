/*
 * A deadline that is moved often and seldom passes.
 *
 * Setting a later deadline only stores it: the underlying event fires at the old time, sees that it is early and arms itself
 * for the rest. So a connection that is used all the time costs no timer operation a request. Times are clock.h's now_ms.
 * on_expire is called from the loop only, once for each deadline that passed; the timer is then unset.
 */
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdint.h>

struct clock;

#define TIMER_NEVER UINT64_MAX

struct timer {
	struct event event;
	struct clock *clock; /* borrowed */
	void (*on_expire)(void *owner);
	void *owner;          /* borrowed */
	uint64_t deadline_ms; /* TIMER_NEVER when unset */
	uint64_t armed_ms;    /* when the event will fire; TIMER_NEVER when it is not armed */
};

void timer_init(struct timer *timer, struct event_base *base, struct clock *clock,
		void (*on_expire)(void *owner), void *owner);
/* Takes it off the loop. A zeroed timer is allowed. */
void timer_fini(struct timer *timer);

/* TIMER_NEVER unsets it. A deadline that has passed fires in the next loop turn. */
void timer_set(struct timer *timer, uint64_t deadline_ms);
