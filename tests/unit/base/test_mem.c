/* base/mem.c: small objects and free lists of them. */
#include "base/mem.h"
#include "suite.h"

#include <stdint.h>
#include <string.h>

START_TEST(test_a_taken_object_is_zeroed)
{
	static const char zeros[64];
	struct mem_cache cache;
	char *object;

	mem_cache_init(&cache, sizeof(zeros), 4);
	object = mem_cache_take(&cache);
	memset(object, 'x', sizeof(zeros));
	mem_cache_give(&cache, object);
	ck_assert_ptr_eq(mem_cache_take(&cache), object);
	ck_assert_mem_eq(object, zeros, sizeof(zeros));
	mem_cache_give(&cache, object);
	mem_cache_fini(&cache);
}
END_TEST

START_TEST(test_the_last_given_is_taken_first)
{
	struct mem_cache cache;
	void *a;
	void *b;

	mem_cache_init(&cache, 16, 4);
	a = mem_cache_take(&cache);
	b = mem_cache_take(&cache);
	mem_cache_give(&cache, a);
	mem_cache_give(&cache, b);
	ck_assert_uint_eq(cache.unused, 2);
	ck_assert_ptr_eq(mem_cache_take_raw(&cache), b);
	ck_assert_ptr_eq(mem_cache_take_raw(&cache), a);
	ck_assert_uint_eq(cache.unused, 0);
	mem_cache_give(&cache, a);
	mem_cache_give(&cache, b);
	mem_cache_fini(&cache);
	ck_assert_uint_eq(cache.unused, 0);
}
END_TEST

START_TEST(test_no_more_unused_objects_than_to_keep)
{
	struct mem_cache cache;
	void *objects[5];

	mem_cache_init(&cache, 16, 2);
	for (size_t i = 0; i < 5; i++) {
		objects[i] = mem_cache_take(&cache);
	}
	for (size_t i = 0; i < 5; i++) {
		mem_cache_give(&cache, objects[i]);
	}
	ck_assert_uint_eq(cache.unused, 2);
	mem_cache_fini(&cache);
}
END_TEST

START_TEST(test_copies_end_with_a_nul)
{
	char *text = mem_strndup("abcdef", 3);

	ck_assert_str_eq(text, "abc");
	free(text);
	text = mem_strdup("");
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(test_a_grown_array_keeps_its_items)
{
	uint64_t *numbers = NULL;

	for (size_t i = 0; i < 100; i++) {
		numbers = mem_grow(numbers, i + 1, sizeof(*numbers));
		numbers[i] = i;
	}
	for (size_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(numbers[i], i);
	}
	free(numbers);
}
END_TEST

SUITE_MAIN("base/mem", test_a_taken_object_is_zeroed, test_the_last_given_is_taken_first,
	   test_no_more_unused_objects_than_to_keep, test_copies_end_with_a_nul,
	   test_a_grown_array_keeps_its_items)
