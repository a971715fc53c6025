/* daemon/status_text.c: lines within 80 columns, and numbers for people. */
#include "daemon/status_text.h"
#include "suite.h"

#include <string.h>

/* What was printed; owned. */
static char *printed;
static size_t printed_bytes;

static struct status_text begin(bool has_colours)
{
	return (struct status_text){.out = open_memstream(&printed, &printed_bytes),
				    .has_colours = has_colours};
}

static void expect(const struct status_text *text, const char *wanted)
{
	fclose(text->out);
	ck_assert_str_eq(printed, wanted);
	free(printed);
}

START_TEST(test_words_are_wrapped_under_the_first_one)
{
	struct status_text text = begin(false);

	status_line(
		&text, "label", STATUS_PLAIN, "%s",
		"one two three four five six seven eight nine ten eleven twelve thirteen  fourteen");
	status_line(&text, "", STATUS_ALARM, "%s", "");
	expect(&text, "label       one two three four five six seven eight nine ten eleven twelve\n"
		      "            thirteen fourteen\n"
		      "            \n");
}
END_TEST

START_TEST(test_a_line_that_just_fits_is_not_broken)
{
	struct status_text text = begin(false);
	static const char words[] = "123456789 123456789 123456789 123456789 123456789 123456789 ";

	status_line(&text, "", STATUS_PLAIN, "%s12345678 x", words);
	status_line(&text, "", STATUS_PLAIN, "%s123456789", words);
	expect(&text,
	       "            123456789 123456789 123456789 123456789 123456789 123456789 12345678\n"
	       "            x\n"
	       "            123456789 123456789 123456789 123456789 123456789 123456789\n"
	       "            123456789\n");
}
END_TEST

START_TEST(test_a_long_word_is_cut)
{
	struct status_text text = begin(false);
	char word[200];

	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	status_line(&text, "", STATUS_PLAIN, "a %s b", word);
	fclose(text.out);
	for (char *line = printed, *feed; (feed = strchr(line, '\n')) != NULL; line = feed + 1) {
		ck_assert_int_le(feed - line, STATUS_COLUMNS);
	}
	free(printed);
}
END_TEST

START_TEST(test_characters_count_and_not_bytes)
{
	struct status_text text = begin(false);
	char wanted[256] = "            ";
	char word[256] = "";

	for (int i = 0; i < 80; i++) {
		memcpy(word + strlen(word), "\xc3\xa9", 3);
	}
	memcpy(wanted + 12, word, 68 * 2);
	wanted[12 + 68 * 2] = '\n';
	wanted[12 + 68 * 2 + 1] = '\0';
	status_row(&text, "", STATUS_PLAIN, "%s", word);
	expect(&text, wanted);
}
END_TEST

START_TEST(test_nothing_given_controls_the_terminal)
{
	struct status_text text = begin(false);

	status_line(&text, "", STATUS_PLAIN, "%s",
		    "a\033[2Jb c\nd\x7f \xc2\x9b"
		    "31m \xff\xc3");
	status_row(&text, "", STATUS_PLAIN, "%s", "\r\033]0;x\a  y");
	expect(&text, "            a?[2Jb c?d? ?31m ??\n            ??]0;x?  y\n");
}
END_TEST

START_TEST(test_colours_are_for_terminals)
{
	struct status_text text = begin(true);

	status_line(&text, "a", STATUS_ALARM, "b");
	status_row(&text, "", STATUS_PLAIN, "c");
	expect(&text, "a           \033[1;31mb\033[0m\n            c\n");
}
END_TEST

START_TEST(test_numbers_are_grouped)
{
	char out[STATUS_NUMBER_BYTES];

	ck_assert_str_eq(status_number(0, out), "0");
	ck_assert_str_eq(status_number(999, out), "999");
	ck_assert_str_eq(status_number(1000, out), "1,000");
	ck_assert_str_eq(status_number(123456789, out), "123,456,789");
	ck_assert_str_eq(status_number(UINT64_MAX, out), "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(test_times_have_two_units_at_most)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{-1, "0s"},        {0, "0s"},       {0.0421, "0.042s"}, {0.42, "0.42s"},
		{9.4, "9.4s"},     {9.99, "10s"},   {59.9, "59s"},      {60, "1m 0s"},
		{3599, "59m 59s"}, {3600, "1h 0m"}, {86399, "23h 59m"}, {86400, "1d 0h"},
		{3e7, "347d 5h"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[STATUS_NUMBER_BYTES];

		ck_assert_str_eq(status_seconds(cases[i].seconds, out), cases[i].text);
	}
}
END_TEST

START_TEST(test_milliseconds_and_bytes)
{
	char out[STATUS_NUMBER_BYTES];

	ck_assert_str_eq(status_ms(0.001, out), "0.00");
	ck_assert_str_eq(status_ms(0.36, out), "0.36");
	ck_assert_str_eq(status_ms(41.24, out), "41.2");
	ck_assert_str_eq(status_ms(312.4, out), "312");
	ck_assert_str_eq(status_ms(4200, out), "4,200");
	ck_assert_str_eq(status_bytes(512, out), "512 B");
	ck_assert_str_eq(status_bytes(9856614, out), "9.4 MiB");
	ck_assert_str_eq(status_bytes(536870912, out), "512 MiB");
}
END_TEST

START_TEST(test_the_bar_shows_shares_and_hides_nobody)
{
	static const struct {
		struct status_part parts[3];
		uint64_t whole;
		const char *bar;
	} cases[] = {
		{{{'#', 3}, {'=', 2}, {'+', 1}}, 10, "###==+...."},
		{{{'#', 0}, {'=', 0}, {'+', 0}}, 4, "...."},
		{{{'#', 4}, {'=', 0}, {'+', 0}}, 4, "####"},
		{{{'#', 1}, {'=', 1}, {'+', 1}}, 1, "#"},
		{{{'#', 0}, {'=', 0}, {'+', 0}}, 0, ""},
		{{{'#', 100}, {'=', 1}, {'+', 0}},
		 200,
		 "#########################=........................"},
		{{{'#', 199}, {'=', 1}, {'+', 0}},
		 200,
		 "#################################################="},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[STATUS_BAR_COLUMNS + 1];

		ck_assert_str_eq(status_bar(cases[i].parts, 3, cases[i].whole, out), cases[i].bar);
	}
}
END_TEST

SUITE_MAIN("daemon/status_text", test_words_are_wrapped_under_the_first_one,
	   test_a_line_that_just_fits_is_not_broken, test_a_long_word_is_cut,
	   test_characters_count_and_not_bytes, test_nothing_given_controls_the_terminal,
	   test_colours_are_for_terminals, test_numbers_are_grouped,
	   test_times_have_two_units_at_most, test_milliseconds_and_bytes,
	   test_the_bar_shows_shares_and_hides_nobody)
