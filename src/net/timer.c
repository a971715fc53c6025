/* Lazy timers over libevent's. */
#include "net/timer.h"

#include "base/clock.h"
#include "base/macros.h"

static void arm(struct timer *timer, uint64_t deadline_ms)
{
	uint64_t now_ms = timer->clock->now_ms;
	uint64_t wait_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
	struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000),
			       .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};

	event_add(&timer->event, &wait);
	timer->armed_ms = deadline_ms;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;

	(void)fd;
	(void)what;
	clock_refresh(timer->clock);
	timer->armed_ms = TIMER_NEVER;
	if (timer->deadline_ms == TIMER_NEVER) {
		return;
	}
	if (timer->deadline_ms > timer->clock->now_ms) {
		arm(timer, timer->deadline_ms);
		return;
	}
	timer->deadline_ms = TIMER_NEVER;
	timer->on_expire(timer->owner);
}

void timer_init(struct timer *timer, struct event_base *base, struct clock *clock,
		void (*on_expire)(void *owner), void *owner)
{
	*timer = (struct timer){.clock = clock,
				.on_expire = on_expire,
				.owner = owner,
				.deadline_ms = TIMER_NEVER,
				.armed_ms = TIMER_NEVER};
	evtimer_assign(&timer->event, base, on_event, timer);
}

void timer_fini(struct timer *timer)
{
	if (timer->on_expire != NULL) {
		event_del(&timer->event);
	}
	*timer = (struct timer){0};
}

void timer_set(struct timer *timer, uint64_t deadline_ms)
{
	timer->deadline_ms = deadline_ms;
	if (deadline_ms < timer->armed_ms) {
		arm(timer, deadline_ms);
	}
}
