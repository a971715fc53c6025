/* pool/pool.c over a codec of three slots: lending, the bound, shares, spares, several addresses. */
#include "pool/pool_rig.h"
#include "suite.h"

#include <unistd.h>

static struct pool_settings without_spares(uint64_t size)
{
	struct pool_settings settings = rig_settings;

	settings.size = size;
	settings.min_idle = 0;
	return settings;
}

START_TEST(test_three_exchanges_share_a_connection)
{
	const struct pool_settings settings = without_spares(2);
	struct rig_client *clients[7];

	rig_begin(&settings, 1);
	for (unsigned i = 0; i < 7; i++) {
		clients[i] = rig_ask(QUEUE_WORK);
	}
	rig_settle();
	/* Two connections of three slots; the seventh waits. */
	ck_assert_uint_eq(rig_count(CONN_LEASED), 2);
	ck_assert_ptr_eq(clients[0]->conn, clients[2]->conn);
	ck_assert_ptr_ne(clients[0]->conn, clients[3]->conn);
	ck_assert_ptr_null(clients[6]->conn);
	rig_answer(clients[3]->conn);
	ck_assert_uint_eq(clients[3]->answers, 1);
	ck_assert_ptr_eq(clients[6]->conn, clients[4]->conn);
	ck_assert_uint_eq(clients[6]->answers, 0);
	rig_end();
}
END_TEST

START_TEST(test_a_connection_is_idle_only_when_every_slot_came_back)
{
	const struct pool_settings settings = without_spares(1);
	struct rig_client *clients[3];
	struct conn *conn;

	rig_begin(&settings, 1);
	for (unsigned i = 0; i < 3; i++) {
		clients[i] = rig_ask(QUEUE_POLL);
	}
	rig_settle();
	conn = clients[0]->conn;
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(conn->state, CONN_LEASED);
		rig_answer(conn);
		ck_assert_uint_eq(clients[i]->answers, 1);
	}
	ck_assert_int_eq(conn->state, CONN_IDLE);
	ck_assert_uint_eq(conn->requests, 3);
	rig_end();
}
END_TEST

START_TEST(test_the_end_of_a_connection_fails_each_of_its_exchanges_once)
{
	const struct pool_settings settings = without_spares(1);
	struct rig_client *clients[3];

	rig_begin(&settings, 1);
	for (unsigned i = 0; i < 3; i++) {
		clients[i] = rig_ask(QUEUE_WORK);
	}
	rig_settle();
	rig_close_peer(rig_peer_of(clients[0]->conn));
	rig_settle();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(clients[i]->failures, 1);
		ck_assert_uint_eq(clients[i]->answers, 0);
	}
	ck_assert_uint_eq(pool_bound_count(&rig.pool), 0);
	rig_end();
}
END_TEST

START_TEST(test_spares_are_refilled_when_lent)
{
	struct rig_client *client;

	rig_begin(&rig_settings, 1);
	rig_settle();
	ck_assert_uint_eq(rig_count(CONN_IDLE), 4);
	ck_assert(pool_is_warm(&rig.pool));
	client = rig_ask(QUEUE_WORK);
	ck_assert_ptr_nonnull(client->conn); /* at once: no handshake on its way */
	rig_settle();
	ck_assert_uint_eq(rig_count(CONN_IDLE), 4);
	ck_assert_uint_eq(rig_count(CONN_LEASED), 1);
	rig_end();
}
END_TEST

START_TEST(test_a_slot_that_comes_free_serves_before_a_new_connection)
{
	const struct pool_settings settings = without_spares(5);
	struct rig_client *clients[4];

	rig_begin(&settings, 1);
	for (unsigned i = 0; i < 3; i++) {
		clients[i] = rig_ask(QUEUE_WORK);
	}
	rig_settle();
	ck_assert_uint_eq(rig.peer_count, 3); /* each opened one for itself */
	rig_answer(clients[0]->conn);
	clients[3] = rig_ask(QUEUE_WORK);
	ck_assert_ptr_nonnull(clients[3]->conn);
	rig_settle();
	ck_assert_uint_eq(rig.peer_count, 3);
	rig_end();
}
END_TEST

START_TEST(test_solves_hold_their_share_only)
{
	struct pool_settings settings = without_spares(4);
	struct rig_client *solves[6];
	unsigned lent = 0;

	rig_begin(&settings, 1);
	for (unsigned i = 0; i < 6; i++) {
		solves[i] = rig_ask(QUEUE_SOLVE);
	}
	rig_settle();
	for (unsigned i = 0; i < 6; i++) {
		lent += solves[i]->conn != NULL;
	}
	ck_assert_uint_eq(lent, 2);
	ck_assert_ptr_nonnull(solves[1]->conn);
	ck_assert_ptr_nonnull(rig_ask(QUEUE_POLL)->conn);
	rig_answer(solves[0]->conn);
	ck_assert_uint_eq(rig.pool.solves_leased, 2);
	rig_end();
}
END_TEST

START_TEST(test_a_tenant_holds_max_inflight_slots_only)
{
	struct client_row rows[] = {{.name = (char *)(uintptr_t) "crowd",
				     .weight = CLIENT_ROW_UNSET,
				     .max_inflight = 2,
				     .max_queued = 3}};
	const struct pool_settings settings = without_spares(5);
	struct rig_client *crowd[6];
	struct tenant *tenant;

	rig.rows = (struct client_rows){.items = rows, .count = 1};
	rig_begin(&settings, 1);
	tenant = tenant_acquire(&rig.tenants, SPAN("crowd"), TENANT_LABEL);
	for (unsigned i = 0; i < 6; i++) {
		crowd[i] = rig_ask_as(tenant, i % 2 == 0 ? QUEUE_WORK : QUEUE_POLL);
		rig_settle();
	}
	ck_assert_uint_eq(tenant->leased, 2);
	ck_assert_uint_eq(tenant_waiting_count(tenant), 3);
	ck_assert_int_eq(crowd[5]->refused, ERR_CLIENT_QUEUE_FULL);
	/* No connection is opened for those that may not use it, and another tenant passes them. */
	ck_assert_uint_le(rig.peer_count, 2);
	rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_uint_eq(rig.tenant->leased, 1);
	rig_answer(crowd[0]->conn);
	ck_assert_uint_eq(tenant->leased, 2);
	ck_assert_uint_eq(tenant_waiting_count(tenant), 2);
	for (unsigned i = 0; i < 6; i++) {
		pool_cancel(&rig.pool, &crowd[i]->waiter);
	}
	list_foreach_safe (node, &rig.pool.conns[CONN_LEASED]) {
		conn_end(list_entry(node, struct conn, node), CONN_END_AT_ONCE, ERR_SHUTTING_DOWN,
			 END_SHUTDOWN, NULL);
	}
	ck_assert_uint_eq(tenant->leased, 0);
	tenant_release(tenant);
	rig_end();
}
END_TEST

START_TEST(test_the_wait_for_a_slot_ends_in_time)
{
	const struct pool_settings settings = without_spares(1);
	struct rig_client *clients[4];

	rig_begin(&settings, 1);
	for (unsigned i = 0; i < 4; i++) {
		clients[i] = rig_ask(QUEUE_WORK);
		rig_settle();
	}
	ck_assert_ptr_null(clients[3]->conn);
	rig_pass(9999);
	ck_assert_int_eq(clients[3]->refused, ERR_NONE);
	rig_pass(1);
	ck_assert_int_eq(clients[3]->refused, ERR_QUEUE_TIMEOUT);
	rig_end();
}
END_TEST

START_TEST(test_retry_after_follows_the_drain)
{
	const struct pool_settings settings = without_spares(1);

	rig_begin(&settings, 1);
	/* Nothing moved yet. */
	ck_assert_uint_eq(pool_retry_after_s(&rig.pool), 10);
	for (unsigned i = 0; i < 33; i++) {
		rig_ask(QUEUE_WORK);
	}
	rig_settle();
	for (unsigned i = 0; i < 7; i++) {
		rig_answer(list_entry(list_first(&rig.pool.conns[CONN_LEASED]), struct conn, node));
	}
	/* 3 + 7 were lent in five seconds, two a second; 23 wait. */
	ck_assert_uint_eq(pool_waiting_count(&rig.pool), 23);
	rig_pass(4990);
	ck_assert_uint_eq(pool_retry_after_s(&rig.pool), 24 * 4991 / 10 / 1000 + 1);
	rig_end();
}
END_TEST

START_TEST(test_a_silent_address_costs_one_head_start_once)
{
	const struct pool_settings settings = without_spares(5);
	struct rig_client *client;

	rig_begin(&settings, 2);
	rig_make_deaf(0);
	client = rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_uint_eq(rig_count(CONN_CONNECTING), 1);
	rig_pass(249);
	ck_assert_ptr_null(client->conn);
	rig_pass(1);
	/* The second attempt shared the place of the first, which has ended. */
	ck_assert_ptr_nonnull(client->conn);
	ck_assert_uint_eq(pool_bound_count(&rig.pool), 1);
	ck_assert_uint_eq(rig_count(CONN_RACING), 0);
	ck_assert_uint_eq(rig.most_bound, 1);
	ck_assert_uint_eq(rig_open_peers(1), 1);
	/* From now on the silent one is left aside. */
	for (unsigned i = 0; i < 5; i++) {
		client = rig_ask(QUEUE_WORK);
		rig_settle();
		ck_assert_ptr_nonnull(client->conn);
	}
	ck_assert_uint_eq(rig.pool.warmer.failures, 0);
	rig_end();
}
END_TEST

START_TEST(test_a_refused_address_goes_on_to_the_next_at_once)
{
	const struct pool_settings settings = without_spares(1);
	struct rig_client *client;

	rig_begin(&settings, 3);
	close(rig.listeners[0]);
	close(rig.listeners[1]);
	client = rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_ptr_nonnull(client->conn);
	ck_assert_uint_eq(rig_open_peers(2), 1);
	ck_assert_uint_eq(rig.most_bound, 1);
	ck_assert_uint_eq(rig.pool.warmer.failures, 0);
	rig_end();
}
END_TEST

START_TEST(test_all_addresses_refused_is_one_failure)
{
	const struct pool_settings settings = without_spares(1);
	struct rig_client *client;

	rig_begin(&settings, 3);
	for (unsigned i = 0; i < 3; i++) {
		close(rig.listeners[i]);
	}
	client = rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_ptr_null(client->conn);
	ck_assert_int_eq(client->refused, ERR_NONE); /* a queue is not failed by one bad connect */
	ck_assert_uint_eq(rig.pool.warmer.failures, 1);
	ck_assert(rig.pool.wants_addresses);
	rig_end();
}
END_TEST

START_TEST(test_openings_that_stall_give_a_place_up)
{
	struct pool_settings settings = without_spares(5);
	struct rig_client *client;

	settings.max_connecting = 2;
	rig_begin(&settings, 1);
	rig_make_deaf(0);
	client = rig_ask(QUEUE_WORK);
	rig_ask(QUEUE_WORK);
	rig_settle();
	ck_assert_uint_eq(rig_count(CONN_CONNECTING), 2);
	/* The name has another address now; both places are taken by connects to the dead one. */
	rig_resolve(1u << 1);
	rig_pass(900);
	ck_assert_ptr_null(client->conn);
	rig_pass_slowly(800, 100);
	ck_assert_ptr_nonnull(client->conn);
	ck_assert_uint_eq(rig_open_peers(1), 1);
	rig_end();
}
END_TEST

START_TEST(test_connections_spread_over_the_addresses)
{
	struct pool_settings settings = rig_settings;

	settings.min_idle = 6;
	settings.max_connecting = 6;
	rig_begin(&settings, 3);
	rig_settle();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(rig_open_peers(i), 2);
	}
	rig_end();
}
END_TEST

START_TEST(test_lifetimes_are_spread_over_a_quarter)
{
	struct pool_settings settings = without_spares(1);
	uint64_t least_ms = UINT64_MAX;
	uint64_t most_ms = 0;

	settings.max_lifetime_ms = 3600000;
	rig_begin(&settings, 1);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t life_ms = pool_expiry_ms(&rig.pool) - rig.clock.now_ms;

		least_ms = MIN(least_ms, life_ms);
		most_ms = MAX(most_ms, life_ms);
	}
	ck_assert_uint_ge(least_ms, 2700000);
	ck_assert_uint_le(most_ms, 3600000);
	ck_assert_uint_le(least_ms, 2750000);
	ck_assert_uint_ge(most_ms, 3550000);
	rig_end();
}
END_TEST

START_TEST(test_max_requests_ends_a_connection)
{
	struct pool_settings settings = without_spares(1);

	settings.max_requests = 2;
	rig_begin(&settings, 1);
	rig.answers_at_once = true;
	for (unsigned i = 0; i < 5; i++) {
		struct rig_client *client = rig_ask(QUEUE_WORK);

		rig_settle();
		ck_assert_uint_eq(client->answers, 1);
	}
	ck_assert_uint_eq(rig.peer_count, 3);
	rig_end();
}
END_TEST

SUITE_MAIN("pool/pool", test_three_exchanges_share_a_connection,
	   test_a_connection_is_idle_only_when_every_slot_came_back,
	   test_the_end_of_a_connection_fails_each_of_its_exchanges_once,
	   test_spares_are_refilled_when_lent,
	   test_a_slot_that_comes_free_serves_before_a_new_connection,
	   test_solves_hold_their_share_only, test_a_tenant_holds_max_inflight_slots_only,
	   test_the_wait_for_a_slot_ends_in_time, test_retry_after_follows_the_drain,
	   test_a_silent_address_costs_one_head_start_once,
	   test_a_refused_address_goes_on_to_the_next_at_once,
	   test_all_addresses_refused_is_one_failure, test_openings_that_stall_give_a_place_up,
	   test_connections_spread_over_the_addresses, test_lifetimes_are_spread_over_a_quarter,
	   test_max_requests_ends_a_connection)
