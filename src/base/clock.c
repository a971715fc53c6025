/* Reads the kernel's clocks once a loop turn and sees a suspend. */
#include "base/clock.h"

#include "base/macros.h"

#include <time.h>

static const uint64_t suspend_threshold_us = 2000000;

static uint64_t read_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void clock_init(struct clock *clock)
{
	/* However long the machine slept before we began: the first look sets the mark. */
	*clock = (struct clock){.ahead_us = UINT64_MAX};
	clock_refresh(clock);
	clock->fresh = false;
}

void clock_observe(struct clock *clock, uint64_t monotonic_us, uint64_t boottime_us)
{
	uint64_t ahead_us = boottime_us > monotonic_us ? boottime_us - monotonic_us : 0;

	clock->now_us = boottime_us;
	clock->now_ms = boottime_us / 1000;
	if (ahead_us > clock->ahead_us && ahead_us - clock->ahead_us > suspend_threshold_us) {
		clock->suspended = true;
		clock->ahead_us = ahead_us;
	}
	/* Being preempted between the two clocks looks like a lead; the least one seen is the true one. */
	clock->ahead_us = MIN(clock->ahead_us, ahead_us);
}

void clock_refresh(struct clock *clock)
{
	uint64_t monotonic_us;

	if (clock->fresh || clock->frozen) {
		return;
	}
	monotonic_us = read_us(CLOCK_MONOTONIC);
	clock_observe(clock, monotonic_us, read_us(CLOCK_BOOTTIME));
	clock->fresh = true;
}

void clock_end_turn(struct clock *clock)
{
	clock->fresh = false;
}

void clock_set_ms(struct clock *clock, uint64_t now_ms)
{
	clock->frozen = true;
	clock->now_ms = now_ms;
	clock->now_us = now_ms * 1000;
}
