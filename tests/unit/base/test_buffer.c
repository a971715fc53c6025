/* base/buffer.c: growth, the bound, blocks that are used again. */
#include "base/buffer.h"
#include "suite.h"

#include <string.h>

#define BLOCK ((size_t)BUFFER_BLOCK_BYTES)
#define KIB   ((size_t)1024)
#define MIB   (KIB * KIB)

static void fill(struct buffer_pool *pool, struct buffer *buffer, char byte, size_t count)
{
	char bytes[1000];

	memset(bytes, byte, sizeof(bytes));
	while (count > 0) {
		size_t part = MIN(count, sizeof(bytes));

		ck_assert_int_eq(buffer_reserve(pool, buffer, part), ERR_NONE);
		buffer_append(buffer, bytes, part);
		count -= part;
	}
}

static void assert_all(const struct buffer *buffer, size_t from, size_t to, char byte)
{
	size_t at = from;

	while (at < to && buffer->data[at] == byte) {
		at++;
	}
	ck_assert_uint_eq(at, to);
}

START_TEST(test_growth_keeps_the_bytes)
{
	struct buffer_pool pool;
	struct buffer buffer = {0};

	buffer_pool_init(&pool, 16 * MIB);
	fill(&pool, &buffer, 'a', 10);
	ck_assert_uint_eq(buffer.cap_bytes, BLOCK);
	fill(&pool, &buffer, 'b', 5000);
	fill(&pool, &buffer, 'c', 3 * MIB);
	ck_assert_uint_eq(buffer.len_bytes, 10 + 5000 + 3 * MIB);
	assert_all(&buffer, 0, 10, 'a');
	assert_all(&buffer, 10, 5010, 'b');
	assert_all(&buffer, 5010, 5010 + 3 * MIB, 'c');
	buffer_fini(&pool, &buffer);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_capacities_are_near_what_is_asked)
{
	static const struct {
		size_t free_bytes;
		size_t cap_bytes;
	} cases[] = {
		{1, BLOCK},
		{BLOCK, BLOCK},
		{BLOCK + 1, 2 * BLOCK},
		{100 * KIB, 128 * KIB},
		{MIB, MIB},
		{MIB + 1, MIB + 64 * KIB},
		{10 * MIB + 100, 10 * MIB + 64 * KIB},
	};
	struct buffer_pool pool;

	buffer_pool_init(&pool, 64 * MIB);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer buffer = {0};

		ck_assert_int_eq(buffer_reserve(&pool, &buffer, cases[i].free_bytes), ERR_NONE);
		ck_assert_uint_eq(buffer.cap_bytes, cases[i].cap_bytes);
		ck_assert_uint_eq(pool.used_bytes, cases[i].cap_bytes);
		buffer_fini(&pool, &buffer);
		ck_assert_uint_eq(pool.used_bytes, 0);
	}
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_room_that_is_there_costs_nothing)
{
	struct buffer_pool pool;
	struct buffer buffer = {0};
	const char *data;

	buffer_pool_init(&pool, BLOCK);
	ck_assert_int_eq(buffer_reserve(&pool, &buffer, 1), ERR_NONE);
	data = buffer.data;
	ck_assert_int_eq(buffer_reserve(&pool, &buffer, BLOCK), ERR_NONE);
	ck_assert_ptr_eq(buffer.data, data);
	ck_assert_uint_eq(buffer_room_bytes(&buffer), BLOCK);
	buffer_fini(&pool, &buffer);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_the_bound_is_never_passed)
{
	struct buffer_pool pool;
	struct buffer a = {0};
	struct buffer b = {0};

	buffer_pool_init(&pool, 3 * BLOCK);
	fill(&pool, &a, 'a', 100);
	fill(&pool, &b, 'b', 100);
	ck_assert(buffer_pool_has_room(&pool, BLOCK));
	ck_assert(!buffer_pool_has_room(&pool, BLOCK + 1));
	ck_assert_int_eq(buffer_reserve(&pool, &a, 2 * BLOCK), ERR_BUFFERED_FULL);
	ck_assert_int_eq(buffer_reserve(&pool, &a, SIZE_MAX), ERR_BUFFERED_FULL);
	ck_assert_uint_eq(a.cap_bytes, BLOCK);
	ck_assert_uint_eq(a.len_bytes, 100);
	assert_all(&a, 0, 100, 'a');
	ck_assert_int_eq(buffer_reserve(&pool, &a, BLOCK), ERR_NONE);
	ck_assert_uint_eq(pool.used_bytes, 3 * BLOCK);
	buffer_fini(&pool, &b);
	ck_assert(buffer_pool_has_room(&pool, BLOCK));
	buffer_fini(&pool, &a);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_a_response_may_pass_the_bound)
{
	struct buffer_pool pool;
	struct buffer buffer = {0};
	struct buffer other = {0};

	buffer_pool_init(&pool, BLOCK);
	buffer_reserve_always(&pool, &buffer, 4 * BLOCK);
	ck_assert_uint_eq(pool.used_bytes, 4 * BLOCK);
	ck_assert(!buffer_pool_has_room(&pool, 0));
	ck_assert_int_eq(buffer_reserve(&pool, &other, 1), ERR_BUFFERED_FULL);
	buffer_fini(&pool, &buffer);
	ck_assert_int_eq(buffer_reserve(&pool, &other, 1), ERR_NONE);
	buffer_fini(&pool, &other);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_blocks_are_used_again)
{
	struct buffer_pool pool;
	struct buffer buffer = {0};
	const char *block;

	buffer_pool_init(&pool, MIB);
	fill(&pool, &buffer, 'a', 1);
	block = buffer.data;
	buffer_fini(&pool, &buffer);
	ck_assert_ptr_null(buffer.data);
	ck_assert_uint_eq(pool.blocks.unused, 1);
	fill(&pool, &buffer, 'b', 1);
	ck_assert_ptr_eq(buffer.data, block);
	/* A block that is outgrown goes back too. */
	fill(&pool, &buffer, 'b', BLOCK);
	ck_assert_uint_eq(pool.blocks.unused, 1);
	buffer_fini(&pool, &buffer);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_dropping_from_the_front_moves_the_rest)
{
	struct buffer_pool pool;
	struct buffer buffer = {0};

	buffer_pool_init(&pool, MIB);
	fill(&pool, &buffer, 'a', 3);
	fill(&pool, &buffer, 'b', 5);
	buffer_drop_front(&buffer, 2);
	ck_assert_uint_eq(buffer.len_bytes, 6);
	ck_assert_mem_eq(buffer.data, "abbbbb", 6);
	buffer_drop_front(&buffer, 0);
	ck_assert_uint_eq(buffer.len_bytes, 6);
	buffer_drop_front(&buffer, 6);
	ck_assert_uint_eq(buffer.len_bytes, 0);
	buffer_fini(&pool, &buffer);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_a_move_leaves_nothing_behind)
{
	struct buffer_pool pool;
	struct buffer from = {0};
	struct buffer to = {0};

	buffer_pool_init(&pool, MIB);
	fill(&pool, &from, 'a', 3);
	buffer_move(&to, &from);
	ck_assert_uint_eq(from.cap_bytes, 0);
	ck_assert_mem_eq(to.data, "aaa", 3);
	ck_assert_uint_eq(pool.used_bytes, BLOCK);
	buffer_fini(&pool, &from);
	buffer_fini(&pool, &to);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_what_grows_bit_by_bit_moves_seldom)
{
	struct buffer_pool pool;
	struct buffer buffer = {0};
	unsigned moves = 0;

	buffer_pool_init(&pool, 16 * MIB);
	fill(&pool, &buffer, 'a', 1 * MIB);
	while (buffer.len_bytes < 2 * MIB) {
		size_t before = buffer.cap_bytes;

		fill(&pool, &buffer, 'a', KIB);
		moves += buffer.cap_bytes != before;
	}
	ck_assert_uint_le(moves, 7);
	ck_assert_uint_le(buffer.cap_bytes, 2 * MIB + MIB / 4);
	buffer_fini(&pool, &buffer);
	buffer_pool_fini(&pool);
}
END_TEST

START_TEST(test_the_most_that_was_held_is_remembered)
{
	struct buffer_pool pool;
	struct buffer buffer = {0};

	buffer_pool_init(&pool, 16 * MIB);
	fill(&pool, &buffer, 'a', 3 * MIB);
	ck_assert_uint_ge(pool.most_bytes, pool.used_bytes);
	buffer_fini(&pool, &buffer);
	ck_assert_uint_ge(pool.most_bytes, 3 * MIB);
	ck_assert_uint_eq(pool.used_bytes, 0);
	buffer_pool_fini(&pool);
}
END_TEST

SUITE_MAIN("base/buffer", test_growth_keeps_the_bytes, test_capacities_are_near_what_is_asked,
	   test_room_that_is_there_costs_nothing, test_the_bound_is_never_passed,
	   test_a_response_may_pass_the_bound, test_blocks_are_used_again,
	   test_dropping_from_the_front_moves_the_rest, test_a_move_leaves_nothing_behind,
	   test_what_grows_bit_by_bit_moves_seldom, test_the_most_that_was_held_is_remembered)
