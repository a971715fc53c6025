/* net/timer.c: one call for each deadline that passed, none for one that was moved or unset. */
#include "net/timer.h"

#include "base/clock.h"
#include "suite.h"

#include <event2/event.h>

static struct event_base *base;
static struct clock clock_;
static struct timer timer;
static unsigned expired;

static void on_expire(void *owner)
{
	(*(unsigned *)owner)++;
	ck_assert_uint_eq(timer.deadline_ms, TIMER_NEVER);
}

static void set_up(void)
{
	base = event_base_new();
	clock_init(&clock_);
	clock_set_ms(&clock_, 1000);
	expired = 0;
	timer_init(&timer, base, &clock_, on_expire, &expired);
}

static void tear_down(void)
{
	timer_fini(&timer);
	timer_fini(&timer);
	event_base_free(base);
}

START_TEST(test_a_passed_deadline_fires_once_from_the_loop)
{
	set_up();
	timer_set(&timer, 500);
	ck_assert_uint_eq(expired, 0);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(expired, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(expired, 1);
	tear_down();
}
END_TEST

START_TEST(test_a_deadline_moved_later_does_not_fire_at_the_old_time)
{
	set_up();
	timer_set(&timer, 1005);
	timer_set(&timer, 1020);
	/* The event's own time comes; the loop's clock says 1010, so it goes on waiting. */
	clock_set_ms(&clock_, 1010);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(expired, 0);
	ck_assert_uint_eq(timer.deadline_ms, 1020);
	clock_set_ms(&clock_, 1020);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(expired, 1);
	tear_down();
}
END_TEST

START_TEST(test_a_deadline_moved_earlier_fires_early)
{
	set_up();
	timer_set(&timer, 3600 * 1000);
	timer_set(&timer, 1000);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(expired, 1);
	tear_down();
}
END_TEST

START_TEST(test_an_unset_deadline_does_not_fire)
{
	set_up();
	timer_set(&timer, 1005);
	timer_set(&timer, TIMER_NEVER);
	clock_set_ms(&clock_, 5000);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(expired, 0);
	timer_set(&timer, 5000);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(expired, 1);
	tear_down();
}
END_TEST

START_TEST(test_a_zeroed_timer_may_be_ended)
{
	struct timer zeroed = {0};

	timer_fini(&zeroed);
}
END_TEST

SUITE_MAIN("net/timer", test_a_passed_deadline_fires_once_from_the_loop,
	   test_a_deadline_moved_later_does_not_fire_at_the_old_time,
	   test_a_deadline_moved_earlier_fires_early, test_an_unset_deadline_does_not_fire,
	   test_a_zeroed_timer_may_be_ended)
