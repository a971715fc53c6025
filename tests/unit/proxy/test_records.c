/* proxy/records.c: a ring of the newest. */
#include "proxy/records.h"
#include "suite.h"

START_TEST(test_the_newest_stay)
{
	struct records records;

	records_init(&records, 3);
	ck_assert_uint_eq(records_count(&records), 0);
	for (uint64_t i = 1; i <= 5; i++) {
		struct record *record = records_add(&records);

		ck_assert_uint_eq(record->number, i);
		ck_assert_int_eq(record->task[0], '\0');
		record->task[0] = 'x';
		ck_assert_uint_eq(records_count(&records), i < 3 ? i : 3);
		ck_assert_ptr_eq(records_get(&records, 0), record);
	}
	for (size_t age = 0; age < 3; age++) {
		ck_assert_uint_eq(records_get(&records, age)->number, 5 - age);
	}
	ck_assert_uint_ge(records_get(&records, 0)->unix_ms, records_get(&records, 2)->unix_ms);
	records_fini(&records);
}
END_TEST

SUITE_MAIN("proxy/records", test_the_newest_stay)
