/* pool/queue.c: fair between tenants, polls before work, work never starved. */
#include "pool/queue.h"
#include "suite.h"

#include <stdio.h>

struct entry {
	struct list_node node;
	char who;
	unsigned number;
};

static struct client_rows rows;
static struct tenants tenants;
static struct queue queue;
static struct entry entries[1024];
static unsigned used;

static void set_up(void)
{
	tenants_init(&tenants, &rows);
	queue_init(&queue);
	used = 0;
}

static void push(struct tenant *tenant, enum queue_class class, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct entry *entry = &entries[used++];

		*entry = (struct entry){.who = tenant->name[0], .number = i};
		queue_push(&queue, tenant, class, &entry->node);
	}
}

static struct entry *pop(bool solves_allowed)
{
	struct list_node *node = queue_pop(&queue, solves_allowed);

	return node != NULL ? list_entry(node, struct entry, node) : NULL;
}

START_TEST(test_one_request_waits_for_one_turn_of_a_crowd)
{
	struct tenant *crowd;
	struct tenant *single;

	set_up();
	crowd = tenant_acquire(&tenants, SPAN("crowd"), TENANT_LABEL);
	single = tenant_acquire(&tenants, SPAN("single"), TENANT_LABEL);
	push(crowd, QUEUE_WORK, 500);
	push(single, QUEUE_WORK, 1);
	ck_assert_int_eq(pop(true)->who, 'c');
	ck_assert_int_eq(pop(true)->who, 's');
	for (unsigned i = 1; i < 500; i++) {
		struct entry *entry = pop(true);

		ck_assert_int_eq(entry->who, 'c');
		ck_assert_uint_eq(entry->number, i);
	}
	ck_assert_ptr_null(pop(true));
	tenant_release(crowd);
	tenant_release(single);
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_four_tenants_take_turns)
{
	static const char order[] = "abcdabcdabd";
	struct tenant *each[4];

	set_up();
	for (unsigned i = 0; i < 4; i++) {
		each[i] = tenant_acquire(&tenants, (struct span){&"abcd"[i], 1}, TENANT_ADDRESS);
		push(each[i], QUEUE_POLL, i == 2 ? 2 : 3);
	}
	for (size_t i = 0; i < sizeof(order) - 1; i++) {
		ck_assert_int_eq(pop(true)->who, order[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		tenant_release(each[i]);
	}
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_polls_go_first_but_every_fourth_slot_is_for_work)
{
	static const char order[] = "pppwpppwww";
	struct tenant *polls;
	struct tenant *work;

	set_up();
	polls = tenant_acquire(&tenants, SPAN("p"), TENANT_ADDRESS);
	work = tenant_acquire(&tenants, SPAN("w"), TENANT_ADDRESS);
	push(work, QUEUE_WORK, 4);
	push(polls, QUEUE_POLL, 6);
	for (size_t i = 0; i < sizeof(order) - 1; i++) {
		ck_assert_int_eq(pop(true)->who, order[i]);
	}
	tenant_release(polls);
	tenant_release(work);
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_solves_are_passed_over_while_held_back)
{
	static const char order[] = "wsws";
	struct tenant *solves;
	struct tenant *work;

	set_up();
	solves = tenant_acquire(&tenants, SPAN("s"), TENANT_ADDRESS);
	work = tenant_acquire(&tenants, SPAN("w"), TENANT_ADDRESS);
	push(solves, QUEUE_SOLVE, 2);
	ck_assert_ptr_null(pop(false));
	ck_assert(!queue_has_next(&queue, false) && queue_has_next(&queue, true));
	push(work, QUEUE_WORK, 2);
	for (size_t i = 0; i < sizeof(order) - 1; i++) {
		ck_assert_int_eq(pop(true)->who, order[i]);
	}
	tenant_release(solves);
	tenant_release(work);
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_a_place_can_be_given_up)
{
	struct tenant *one;

	set_up();
	one = tenant_acquire(&tenants, SPAN("a"), TENANT_ADDRESS);
	push(one, QUEUE_WORK, 3);
	queue_remove(&queue, one, QUEUE_WORK, &entries[1].node);
	ck_assert_uint_eq(queue_count(&queue), 2);
	ck_assert_uint_eq(pop(true)->number, 0);
	ck_assert_uint_eq(pop(true)->number, 2);
	ck_assert_ptr_null(pop(true));
	tenant_release(one);
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_labels_beyond_the_bound_are_one_tenant)
{
	struct tenant *each[TENANT_LABELS_MAX + 2];
	char name[16];

	set_up();
	for (unsigned i = 0; i < TENANT_LABELS_MAX + 2; i++) {
		each[i] = tenant_acquire(
			&tenants,
			(struct span){name, (size_t)snprintf(name, sizeof(name), "l%u", i)},
			TENANT_LABEL);
	}
	ck_assert_str_eq(each[TENANT_LABELS_MAX - 1]->name, "l255");
	ck_assert_str_eq(each[TENANT_LABELS_MAX]->name, "other");
	ck_assert_ptr_eq(each[TENANT_LABELS_MAX], each[TENANT_LABELS_MAX + 1]);
	for (unsigned i = 0; i < TENANT_LABELS_MAX + 2; i++) {
		tenant_release(each[i]);
	}
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_a_weight_is_so_many_turns)
{
	static const char order[] = "aaabaaabaabb";
	struct client_row items[] = {
		{(char *)(uintptr_t) "a", 3, CLIENT_ROW_UNSET, CLIENT_ROW_UNSET}};
	struct tenant *each[2];

	rows = (struct client_rows){items, 1};
	set_up();
	each[0] = tenant_acquire(&tenants, SPAN("a"), TENANT_LABEL);
	each[1] = tenant_acquire(&tenants, SPAN("b"), TENANT_LABEL);
	push(each[0], QUEUE_POLL, 8);
	push(each[1], QUEUE_POLL, 4);
	for (size_t i = 0; i < sizeof(order) - 1; i++) {
		ck_assert_int_eq(pop(true)->who, order[i]);
	}
	ck_assert_ptr_null(pop(true));
	tenant_release(each[0]);
	tenant_release(each[1]);
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_a_tenant_at_its_bound_is_passed_over)
{
	struct client_row items[] = {
		{(char *)(uintptr_t) "default", CLIENT_ROW_UNSET, 2, CLIENT_ROW_UNSET}};
	struct tenant *each[2];

	rows = (struct client_rows){items, 1};
	set_up();
	each[0] = tenant_acquire(&tenants, SPAN("a"), TENANT_LABEL);
	each[1] = tenant_acquire(&tenants, SPAN("b"), TENANT_LABEL);
	push(each[0], QUEUE_WORK, 3);
	push(each[1], QUEUE_WORK, 1);
	ck_assert_uint_eq(queue_servable(&queue, QUEUE_WORK), 3);
	queue_lend(&queue, each[0]);
	queue_lend(&queue, each[0]);
	ck_assert(!tenant_has_room(each[0]));
	ck_assert_uint_eq(queue_servable(&queue, QUEUE_WORK), 1);
	ck_assert_int_eq(pop(true)->who, 'b');
	ck_assert_ptr_null(pop(true));
	ck_assert(!queue_has_next(&queue, true));
	ck_assert_uint_eq(queue_count(&queue), 3);
	queue_give_back(&queue, each[0]);
	ck_assert_uint_eq(queue_servable(&queue, QUEUE_WORK), 1);
	ck_assert_uint_eq(pop(true)->number, 0);
	queue_lend(&queue, each[0]);
	ck_assert_ptr_null(pop(true));
	/* A place can be given up meanwhile. */
	queue_remove(&queue, each[0], QUEUE_WORK, &entries[1].node);
	queue_give_back(&queue, each[0]);
	ck_assert_uint_eq(pop(true)->number, 2);
	ck_assert_ptr_null(pop(true));
	tenant_release(each[0]);
	tenant_release(each[1]);
	tenants_fini(&tenants);
}
END_TEST

static void expect_weight(const char *name, enum tenant_kind kind, uint64_t weight)
{
	struct tenant *tenant = tenant_acquire(&tenants, span_of(name), kind);

	ck_assert_msg(tenant->limits.weight == weight, "%s", name);
	tenant_release(tenant);
}

START_TEST(test_networks_hold_for_those_that_go_by_their_address)
{
	struct client_row items[] = {{.name = (char *)(uintptr_t) "10.0.0.0/8",
				      .weight = 3,
				      .max_inflight = CLIENT_ROW_UNSET,
				      .max_queued = CLIENT_ROW_UNSET,
				      .is_network = true}};

	ck_assert(cidr_parse(items[0].name, &items[0].network));
	rows = (struct client_rows){items, 1};
	set_up();
	expect_weight("10.1.2.3", TENANT_ADDRESS, 3);
	expect_weight("11.1.2.3", TENANT_ADDRESS, 1);
	expect_weight("pid=10", TENANT_ADDRESS, 1);
	expect_weight("10.1.2.3", TENANT_LABEL, 1);
	expect_weight("10.1.2.3", TENANT_TOKEN, 1);
	tenants_fini(&tenants);
}
END_TEST

START_TEST(test_a_token_and_a_label_of_one_name_are_two)
{
	struct tenant *label;
	struct tenant *token;

	set_up();
	label = tenant_acquire(&tenants, SPAN("a"), TENANT_LABEL);
	token = tenant_acquire(&tenants, SPAN("a"), TENANT_TOKEN);
	ck_assert_ptr_ne(label, token);
	ck_assert_uint_eq(tenants.label_count, 1);
	tenant_release(label);
	tenant_release(token);
	ck_assert_uint_eq(tenants.label_count, 0);
	tenants_fini(&tenants);
}
END_TEST

SUITE_MAIN("pool/queue", test_one_request_waits_for_one_turn_of_a_crowd,
	   test_four_tenants_take_turns, test_polls_go_first_but_every_fourth_slot_is_for_work,
	   test_solves_are_passed_over_while_held_back, test_a_place_can_be_given_up,
	   test_labels_beyond_the_bound_are_one_tenant, test_a_weight_is_so_many_turns,
	   test_a_tenant_at_its_bound_is_passed_over,
	   test_networks_hold_for_those_that_go_by_their_address,
	   test_a_token_and_a_label_of_one_name_are_two)
