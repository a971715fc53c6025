/*
 * The main() of a unit test program: SUITE_MAIN("base/str", test_a, test_b) runs START_TEST functions.
 */
#pragma once

#include <check.h>
#include <stdlib.h>

#define SUITE_MAIN(name, ...)                                                                      \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *tests[] = {__VA_ARGS__};                                              \
		Suite *suite = suite_create(name);                                                 \
		TCase *tcase = tcase_create("all");                                                \
		SRunner *runner;                                                                   \
		int failed;                                                                        \
                                                                                                   \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {                    \
			tcase_add_test(tcase, tests[i]);                                           \
		}                                                                                  \
		tcase_set_timeout(tcase, 60);                                                      \
		suite_add_tcase(suite, tcase);                                                     \
		runner = srunner_create(suite);                                                    \
		srunner_run_all(runner, CK_ENV);                                                   \
		failed = srunner_ntests_failed(runner);                                            \
		srunner_free(runner);                                                              \
		return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                  \
	}
