/* pool/janitor.c and pool/heartbeat.c: what happens to idle connections as time passes. */
#include "pool/janitor.h"
#include "pool/pool_rig.h"
#include "suite.h"

#include <sys/socket.h>

START_TEST(test_lead_is_an_eighth_to_a_quarter)
{
	ck_assert_uint_eq(janitor_lead_ms(48000, 100, 0), 6000);
	ck_assert_uint_ge(janitor_lead_ms(48000, 100, 1023), 11990);
	ck_assert_uint_le(janitor_lead_ms(48000, 100, 1023), 12000);
	/* A slow line takes what it needs, up to half. */
	ck_assert_uint_eq(janitor_lead_ms(2000, 400, 0), 800);
	ck_assert_uint_eq(janitor_lead_ms(2000, 4000, 0), 1000);
}
END_TEST

START_TEST(test_spares_are_replaced_before_their_safe_age_each_at_its_time)
{
	struct pool_settings settings = rig_settings;
	size_t most_new_at_a_time = 0;

	settings.idle_timeout_ms = 10000;
	rig_begin(&settings, 1);
	rig_settle();
	for (unsigned turn = 0; turn < 600; turn++) {
		size_t before = rig.peer_count;

		rig_pass(50);
		ck_assert_uint_ge(rig_spares(), 4);
		ck_assert_uint_le(pool_bound_count(&rig.pool), 9);
		most_new_at_a_time = MAX(most_new_at_a_time, rig.peer_count - before);
	}
	/* 30 s: each spare was replaced three times or four; never all of them at once. */
	ck_assert_uint_ge(rig.peer_count, 4 + 3 * 4);
	ck_assert_uint_le(rig.peer_count, 4 + 4 * 4);
	ck_assert_uint_lt(most_new_at_a_time, 4);
	rig_end();
}
END_TEST

START_TEST(test_spares_are_let_go_after_the_warm_window)
{
	struct pool_settings settings = rig_settings;

	settings.warm_window_ms = 60000;
	rig_begin(&settings, 1);
	rig_settle();
	rig_pass_with_spares(59000, 4);
	rig_pass_slowly(2000, 500);
	ck_assert_uint_eq(rig_count(CONN_IDLE), 0);
	ck_assert_uint_eq(rig_count(CONN_PROBE), 0);
	rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_uint_eq(rig_count(CONN_IDLE), 4);
	rig_end();
}
END_TEST

START_TEST(test_surplus_connections_grow_old)
{
	struct pool_settings settings = rig_settings;

	settings.idle_timeout_ms = 10000;
	rig_begin(&settings, 1);
	rig.answers_at_once = true;
	for (unsigned i = 0; i < 40; i++) {
		rig_ask(QUEUE_WORK);
	}
	rig_settle();
	ck_assert_uint_gt(rig_count(CONN_IDLE), 4);
	rig_pass_slowly(11000, 50);
	ck_assert_uint_le(rig_count(CONN_IDLE), 8);
	rig_end();
}
END_TEST

START_TEST(test_a_lifetime_below_the_safe_age_fills_nothing)
{
	static const struct {
		uint64_t idle_ms;
		uint64_t life_ms;
		size_t most; /* connects in a minute */
	} rows[] = {{86400000, 3600000, 4}, {50000, 10000, 50}, {0, 3600000, 12}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pool_settings settings = rig_settings;

		settings.idle_timeout_ms = rows[i].idle_ms;
		settings.max_lifetime_ms = rows[i].life_ms;
		rig = (struct rig){0};
		rig_begin(&settings, 1);
		rig_settle();
		for (unsigned step = 0; step < 600; step++) {
			rig_pass(100);
			ck_assert_uint_le(rig_count(CONN_IDLE), 8);
		}
		ck_assert_uint_le(rig.peer_count, rows[i].most);
		rig_end();
	}
}
END_TEST

START_TEST(test_after_a_peak_of_the_whole_pool_spares_are_there_all_the_time)
{
	struct pool_settings settings = rig_settings;

	settings.size = 8;
	settings.idle_timeout_ms = 10000;
	rig_begin(&settings, 1);
	rig_settle();
	for (unsigned i = 0; i < 24; i++) {
		rig_ask(QUEUE_WORK);
	}
	rig_settle();
	ck_assert_uint_eq(rig_count(CONN_LEASED), 8);
	rig.answers_at_once = true;
	for (unsigned i = 0; i < 24; i++) {
		struct list_node *first = list_first(&rig.pool.conns[CONN_LEASED]);

		if (first != NULL) {
			rig_answer(list_entry(first, struct conn, node));
		}
	}
	ck_assert_uint_eq(rig_count(CONN_IDLE), 8);
	/* All rest since the same moment, and there is no place for a ninth. */
	for (unsigned step = 0; step < 600; step++) {
		rig_pass(50);
		ck_assert_uint_ge(rig_count(CONN_IDLE), 4);
	}
	rig_end();
}
END_TEST

START_TEST(test_heartbeats_end_with_the_warm_window)
{
	struct pool_settings settings = rig_settings;

	settings.heartbeat_ms = 5000;
	settings.warm_window_ms = 60000;
	rig_begin(&settings, 1);
	rig.answers_at_once = true;
	rig_settle();
	rig_pass_with_spares(55000, 0);
	ck_assert_uint_eq(rig_count(CONN_IDLE), 4);
	rig_pass_slowly(10000, 500);
	ck_assert_uint_eq(pool_bound_count(&rig.pool), 0);
	rig_end();
}
END_TEST

START_TEST(test_a_retired_connection_lends_no_slot_that_is_left)
{
	struct pool_settings settings = rig_settings;
	struct rig_client *first;
	struct rig_client *second;

	settings.min_idle = 0;
	rig_begin(&settings, 1);
	first = rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_ptr_nonnull(first->conn);
	janitor_retire_all(&rig.pool, END_SUSPEND);
	second = rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_ptr_nonnull(second->conn);
	ck_assert_ptr_ne(second->conn, first->conn);
	rig_answer(first->conn);
	ck_assert_uint_eq(first->answers, 1);
	ck_assert_uint_eq(rig_count(CONN_LEASED), 1);
	rig_end();
}
END_TEST

START_TEST(test_the_end_of_the_warm_window_takes_nothing_from_who_waits)
{
	struct pool_settings settings = rig_settings;
	struct rig_client *waits;
	struct conn *conn;

	settings.size = 1;
	settings.min_idle = 1;
	settings.warm_window_ms = 1000;
	rig_begin(&settings, 1);
	rig_settle();
	conn = rig_ask(QUEUE_WORK)->conn;
	rig_ask(QUEUE_WORK);
	rig_ask(QUEUE_WORK);
	waits = rig_ask(QUEUE_WORK);
	rig_pass(2000);
	ck_assert_ptr_null(waits->conn);
	/* The window is over; all three answers come at once, so that the connection comes back. */
	conn_retire(conn, END_NONE);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(send(rig_peer_of(conn)->fd, "\n", 1, MSG_NOSIGNAL), 1);
	}
	rig_settle();
	ck_assert_ptr_nonnull(waits->conn);
	ck_assert_uint_eq(rig.peer_count, 1);
	rig_end();
}
END_TEST

START_TEST(test_a_shorter_lifetime_counts_for_those_that_are_open)
{
	struct pool_settings settings = rig_settings;

	rig_begin(&settings, 1);
	rig.answers_at_once = true;
	rig_settle();
	settings.max_lifetime_ms = 10000;
	pool_set_settings(&rig.pool, &settings);
	for (unsigned i = 0; i < 12; i++) {
		rig_ask(QUEUE_WORK);
		rig_pass_slowly(1000, 100);
	}
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(rig.peers[i].fd, -1);
	}
	rig_end();
}
END_TEST

/* --- suspects --- */

START_TEST(test_a_stale_connection_takes_the_equally_old_with_it)
{
	struct rig_client *client;
	size_t before;

	rig_begin(&rig_settings, 1);
	rig_settle();
	rig_pass(3000);
	before = rig.peer_count;
	client = rig_ask(
		QUEUE_POLL); /* polls are not looked at when young; this one is 3 s old and quiet */
	ck_assert_ptr_nonnull(client->conn);
	rig_close_peer(rig_peer_of(client->conn));
	rig_settle();
	ck_assert_uint_eq(client->failures, 1);
	/* The others were as old: all that is idle now came up afterwards. */
	ck_assert_uint_ge(rig.peer_count, before + 4);
	list_foreach (node, &rig.pool.conns[CONN_IDLE]) {
		ck_assert_uint_eq(list_entry(node, struct conn, node)->idle_since_ms,
				  rig.clock.now_ms);
	}
	rig_end();
}
END_TEST

START_TEST(test_a_young_connection_that_ends_has_the_others_looked_at_only)
{
	struct rig_client *client;
	size_t before;

	rig_begin(&rig_settings, 1);
	rig_settle();
	rig_pass(200);
	before = rig.peer_count;
	client = rig_ask(QUEUE_POLL);
	rig_close_peer(rig_peer_of(client->conn));
	rig_settle();
	ck_assert_uint_eq(client->failures, 1);
	ck_assert_uint_le(rig.peer_count, before + 1);
	rig_end();
}
END_TEST

/* --- addresses that have gone --- */

START_TEST(test_connections_to_a_gone_address_retire_over_thirty_seconds)
{
	struct pool_settings settings = rig_settings;
	size_t half;

	settings.min_idle = 12;
	settings.idle_timeout_ms = 600000;
	rig_begin(&settings, 1);
	rig_settle();
	rig_settle();
	ck_assert_uint_eq(rig_open_peers(0), 12);
	rig_resolve(1u << 1);
	rig_pass_slowly(15000, 250);
	half = rig_open_peers(0);
	ck_assert_uint_ge(half, 5);
	ck_assert_uint_le(half, 7);
	ck_assert_uint_ge(rig_spares(), 12);
	rig_pass_slowly(15500, 250);
	ck_assert_uint_eq(rig_open_peers(0), 0);
	ck_assert_uint_eq(rig_open_peers(1), 12);
	rig_end();
}
END_TEST

START_TEST(test_a_leased_one_retires_when_given_back)
{
	struct pool_settings settings = rig_settings;
	struct rig_client *client;

	settings.min_idle = 0;
	rig_begin(&settings, 1);
	client = rig_ask(QUEUE_WORK);
	rig_settle();
	rig_resolve(1u << 1);
	rig_pass_slowly(31000, 250);
	ck_assert_uint_eq(rig_open_peers(0), 1);
	rig_answer(client->conn);
	ck_assert_uint_eq(client->answers, 1);
	ck_assert_uint_eq(rig_open_peers(0), 0);
	rig_end();
}
END_TEST

/* --- heartbeats --- */

START_TEST(test_heartbeats_keep_spares_and_open_nothing)
{
	struct pool_settings settings = rig_settings;

	settings.heartbeat_ms = 5000;
	settings.idle_timeout_ms = 12000;
	rig_begin(&settings, 1);
	rig.answers_at_once = true;
	rig_settle();
	rig_pass_slowly(60000, 100);
	ck_assert_uint_eq(rig.peer_count, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_uint_ge(rig.peers[i].requests, 10);
		ck_assert_uint_le(rig.peers[i].requests, 12);
	}
	ck_assert_uint_eq(rig_spares(), 4);
	rig_end();
}
END_TEST

START_TEST(test_a_heartbeat_is_for_the_spares_that_are_kept)
{
	struct pool_settings settings = rig_settings;
	size_t total = 0;

	settings.heartbeat_ms = 5000;
	settings.idle_timeout_ms = 12000;
	rig_begin(&settings, 1);
	rig.answers_at_once = true;
	for (unsigned i = 0; i < 40; i++) {
		rig_ask(QUEUE_WORK);
	}
	rig_settle();
	ck_assert_uint_gt(rig_count(CONN_IDLE), 4);
	rig_pass_slowly(15000, 100);
	for (size_t i = 0; i < rig.peer_count; i++) {
		total += rig.peers[i].fd >= 0;
	}
	ck_assert_uint_eq(total, 4);
	rig_end();
}
END_TEST

SUITE_MAIN("pool/janitor", test_lead_is_an_eighth_to_a_quarter,
	   test_spares_are_replaced_before_their_safe_age_each_at_its_time,
	   test_spares_are_let_go_after_the_warm_window, test_surplus_connections_grow_old,
	   test_a_lifetime_below_the_safe_age_fills_nothing,
	   test_after_a_peak_of_the_whole_pool_spares_are_there_all_the_time,
	   test_heartbeats_end_with_the_warm_window,
	   test_the_end_of_the_warm_window_takes_nothing_from_who_waits,
	   test_a_shorter_lifetime_counts_for_those_that_are_open,
	   test_a_retired_connection_lends_no_slot_that_is_left,
	   test_a_stale_connection_takes_the_equally_old_with_it,
	   test_a_young_connection_that_ends_has_the_others_looked_at_only,
	   test_connections_to_a_gone_address_retire_over_thirty_seconds,
	   test_a_leased_one_retires_when_given_back, test_heartbeats_keep_spares_and_open_nothing,
	   test_a_heartbeat_is_for_the_spares_that_are_kept)
