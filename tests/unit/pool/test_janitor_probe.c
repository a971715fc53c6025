/* pool/janitor.c: the probe, and what idle connections do with what is learned. */
#include "pool/janitor.h"
#include "pool/pool_rig.h"
#include "suite.h"

START_TEST(test_one_connection_past_the_safe_age_stays_and_is_never_lent)
{
	struct pool_settings settings = rig_settings;

	settings.size = 10;
	settings.queue_size = 64;
	rig_begin(&settings, 1);
	rig_settle();
	rig_pass_slowly(120000, 100);
	ck_assert_uint_eq(rig_count(CONN_PROBE), 1);
	for (unsigned i = 0; i < 60; i++) {
		rig_ask(QUEUE_WORK);
		list_foreach (node, &rig.pool.conns[CONN_PROBE]) {
			ck_assert_uint_eq(list_entry(node, struct conn, node)->slots_used, 0);
		}
		rig_settle();
	}
	/* All ten are lent: it gave its place up. */
	ck_assert_uint_eq(rig_count(CONN_LEASED), 10);
	ck_assert_uint_eq(rig_count(CONN_PROBE), 0);
	rig_end();
}
END_TEST

START_TEST(test_the_probe_stays_while_spares_are_replaced)
{
	struct pool_settings settings = rig_settings;
	const struct conn *probe;

	settings.size = 6;
	rig_begin(&settings, 1);
	rig_settle();
	for (unsigned step = 0; step < 600 && rig_count(CONN_PROBE) == 0; step++) {
		rig_pass(500);
	}
	ck_assert_uint_eq(rig_count(CONN_PROBE), 1);
	probe = list_entry(list_first(&rig.pool.conns[CONN_PROBE]), struct conn, node);
	for (unsigned step = 0; step < 1200; step++) {
		rig_pass(500);
		ck_assert_uint_ge(rig_count(CONN_IDLE), 4);
	}
	ck_assert_uint_eq(rig_count(CONN_PROBE), 1);
	ck_assert_ptr_eq(probe,
			 list_entry(list_first(&rig.pool.conns[CONN_PROBE]), struct conn, node));
	rig_end();
}
END_TEST

START_TEST(test_the_probe_teaches_the_true_figure_without_a_risk)
{
	rig_begin(&rig_settings, 1);
	rig_settle();
	/* The server closes at 75 s. Spares never come near. */
	for (unsigned ms = 0; ms < 1000000; ms += 100) {
		uint64_t now_ms = rig.clock.now_ms;

		list_foreach_safe (node, &rig.pool.conns[CONN_PROBE]) {
			struct conn *conn = list_entry(node, struct conn, node);

			if (now_ms - conn->idle_since_ms >= 75000) {
				rig_close_peer(rig_peer_of(conn));
			}
		}
		list_foreach (node, &rig.pool.conns[CONN_IDLE]) {
			ck_assert_uint_lt(
				now_ms - list_entry(node, struct conn, node)->idle_since_ms, 75000);
		}
		rig_pass(100);
		ck_assert_uint_le(rig_count(CONN_PROBE), 1);
	}
	ck_assert_uint_gt(idle_learner_safe_ms(&rig.pool.learner), 65000);
	ck_assert_uint_le(idle_learner_safe_ms(&rig.pool.learner), 74200);
	ck_assert_int_eq(idle_learner_source(&rig.pool.learner), IDLE_OBSERVED);
	rig_end();
}
END_TEST

START_TEST(test_a_pool_of_two_and_a_configured_timeout_have_no_probe)
{
	struct pool_settings settings = rig_settings;

	settings.size = 2;
	settings.min_idle = 1;
	rig_begin(&settings, 1);
	rig_settle();
	rig_pass_slowly(60000, 500);
	ck_assert_uint_eq(rig_count(CONN_PROBE), 0);
	/* Nor one whose spares would have no room to be replaced beside it. */
	settings.size = 5;
	settings.min_idle = 4;
	pool_set_settings(&rig.pool, &settings);
	rig_pass_slowly(120000, 500);
	ck_assert_uint_eq(rig_count(CONN_PROBE), 0);
	settings.size = 10;
	settings.idle_timeout_ms = 10000;
	pool_set_settings(&rig.pool, &settings);
	rig_pass_slowly(60000, 500);
	ck_assert_uint_eq(rig_count(CONN_PROBE), 0);
	rig_end();
}
END_TEST

START_TEST(test_after_a_fall_nothing_older_is_lent)
{
	rig_begin(&rig_settings, 1);
	rig_settle();
	/* Twice, some time apart, all are closed at 10 s. */
	for (unsigned i = 0; i < 2; i++) {
		rig_pass_slowly(i == 0 ? 10000 : 9000, 500);
		rig_close_idle_peers();
		rig_pass(1001);
	}
	ck_assert_uint_le(idle_learner_safe_ms(&rig.pool.learner), 9500);
	rig_pass_with_spares(20000, 4);
	list_foreach (node, &rig.pool.conns[CONN_IDLE]) {
		ck_assert_uint_lt(rig.clock.now_ms -
					  list_entry(node, struct conn, node)->idle_since_ms,
				  9500);
	}
	rig_end();
}
END_TEST

START_TEST(test_closes_after_a_suspend_teach_nothing)
{
	rig_begin(&rig_settings, 1);
	rig_settle();
	for (unsigned i = 0; i < 3; i++) {
		rig_pass_slowly(10000, 500);
		rig.clock.suspended = true;
		rig_close_idle_peers();
		rig.clock.suspended = false;
		rig_pass(1001);
	}
	ck_assert_uint_eq(idle_learner_safe_ms(&rig.pool.learner), 50000);
	rig_end();
}
END_TEST

START_TEST(test_a_smaller_pool_gives_the_probe_up_first)
{
	struct pool_settings settings = rig_settings;

	rig_begin(&settings, 1);
	rig_settle();
	for (unsigned step = 0; step < 1200 && rig_count(CONN_PROBE) == 0; step++) {
		rig_pass(100);
	}
	ck_assert_uint_eq(rig_count(CONN_PROBE), 1);
	settings.size = 1;
	settings.min_idle = 1;
	pool_set_settings(&rig.pool, &settings);
	rig_settle();
	ck_assert_uint_eq(rig_count(CONN_PROBE), 0);
	ck_assert_uint_eq(rig_count(CONN_IDLE), 1);
	rig.most_bound = 0; /* it was larger before */
	rig_end();
}
END_TEST

SUITE_MAIN("pool/janitor_probe", test_one_connection_past_the_safe_age_stays_and_is_never_lent,
	   test_the_probe_stays_while_spares_are_replaced,
	   test_the_probe_teaches_the_true_figure_without_a_risk,
	   test_a_pool_of_two_and_a_configured_timeout_have_no_probe,
	   test_after_a_fall_nothing_older_is_lent, test_closes_after_a_suspend_teach_nothing,
	   test_a_smaller_pool_gives_the_probe_up_first)
