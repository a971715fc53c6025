/* base/list.h: intrusive, counted lists. */
#include "base/list.h"
#include "suite.h"

struct thing {
	int number;
	struct list_node node;
};

static struct thing *thing_of(struct list_node *node)
{
	ck_assert_ptr_nonnull(node);
	return list_entry(node, struct thing, node);
}

static void assert_numbers(const struct list *list, const int *numbers, size_t count)
{
	size_t i = 0;

	ck_assert_uint_eq(list->count, count);
	list_foreach (node, list) {
		ck_assert_uint_lt(i, count);
		ck_assert_int_eq(thing_of(node)->number, numbers[i]);
		ck_assert_ptr_eq(node->list, list);
		i++;
	}
	ck_assert_uint_eq(i, count);
}

START_TEST(test_pushes_keep_their_order)
{
	static const int expected[] = {3, 1, 4, 2};
	struct thing things[] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
	struct list list;

	list_init(&list);
	ck_assert(list_is_empty(&list));
	ck_assert_ptr_null(list_first(&list));
	ck_assert_ptr_null(list_last(&list));
	list_push_back(&list, &things[0].node);
	list_push_back(&list, &things[1].node);
	list_push_front(&list, &things[2].node);
	list_insert_before(&list, &things[1].node, &things[3].node);
	assert_numbers(&list, expected, ARRAY_SIZE(expected));
	ck_assert_int_eq(thing_of(list_first(&list))->number, 3);
	ck_assert_int_eq(thing_of(list_last(&list))->number, 2);
}
END_TEST

START_TEST(test_a_node_knows_its_list)
{
	struct thing thing = {0};
	struct list a;
	struct list b;

	list_init(&a);
	list_init(&b);
	ck_assert_ptr_null(thing.node.list);
	list_push_back(&a, &thing.node);
	ck_assert_ptr_eq(thing.node.list, &a);
	list_remove(&thing.node);
	ck_assert_ptr_null(thing.node.list);
	list_push_back(&b, &thing.node);
	ck_assert_ptr_eq(thing.node.list, &b);
	ck_assert_uint_eq(a.count, 0);
	ck_assert_uint_eq(b.count, 1);
}
END_TEST

START_TEST(test_removing_an_unlinked_node_does_nothing)
{
	struct thing thing = {0};

	list_remove(&thing.node);
	ck_assert_ptr_null(thing.node.list);
}
END_TEST

START_TEST(test_pop_front_empties_the_list)
{
	struct thing things[] = {{.number = 1}, {.number = 2}};
	struct list list;

	list_init(&list);
	list_push_back(&list, &things[0].node);
	list_push_back(&list, &things[1].node);
	ck_assert_int_eq(thing_of(list_pop_front(&list))->number, 1);
	ck_assert_int_eq(thing_of(list_pop_front(&list))->number, 2);
	ck_assert_ptr_null(list_pop_front(&list));
	ck_assert(list_is_empty(&list));
}
END_TEST

START_TEST(test_the_safe_walk_may_remove)
{
	static const int expected[] = {1, 3};
	struct thing things[] = {
		{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
	struct list list;

	list_init(&list);
	for (size_t i = 0; i < ARRAY_SIZE(things); i++) {
		list_push_back(&list, &things[i].node);
	}
	list_foreach_safe (node, &list) {
		if (thing_of(node)->number % 2 == 0) {
			list_remove(node);
		}
	}
	assert_numbers(&list, expected, ARRAY_SIZE(expected));
}
END_TEST

SUITE_MAIN("base/list", test_pushes_keep_their_order, test_a_node_knows_its_list,
	   test_removing_an_unlinked_node_does_nothing, test_pop_front_empties_the_list,
	   test_the_safe_walk_may_remove)
