/* Reads the kernel's clocks once a loop turn and sees a suspend. */
#include "base/clock.h"

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
	*clock = (struct clock){0};
	clock_refresh(clock);
	clock->fresh = false;
	clock->suspended = false;
}

void clock_refresh(struct clock *clock)
{
	uint64_t monotonic_us;
	uint64_t ahead_us;

	if (clock->fresh || clock->frozen) {
		return;
	}
	/* MONOTONIC first: being preempted between the two must not look like less of a suspend. */
	monotonic_us = read_us(CLOCK_MONOTONIC);
	clock->now_us = read_us(CLOCK_BOOTTIME);
	clock->now_ms = clock->now_us / 1000;
	clock->fresh = true;
	ahead_us = clock->now_us > monotonic_us ? clock->now_us - monotonic_us : 0;
	if (ahead_us > clock->ahead_us + suspend_threshold_us) {
		clock->suspended = true;
	}
	if (clock->suspended || ahead_us < clock->ahead_us || clock->ahead_us == 0) {
		clock->ahead_us = ahead_us;
	}
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
