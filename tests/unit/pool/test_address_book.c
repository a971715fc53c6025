/* pool/address_book.c: which address is next, who is left aside, who has gone. */
#include "pool/address_book.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { USES_MAX = 64 };

static struct address_book book;
static struct address_use uses[USES_MAX];
static size_t uses_count;
static uint64_t now_ms;

/* "2001:db8::1 192.0.2.1": the port is 443. */
static void update(const char *list)
{
	struct addr addrs[32];
	size_t count = 0;
	char copy[1024];
	char *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		ck_assert(addr_parse_ip(span_of(word), 443, &addrs[count++]));
	}
	address_book_update(&book, addrs, count, now_ms);
}

static void begin(const char *list)
{
	address_book_init(&book);
	memset(uses, 0, sizeof(uses));
	uses_count = 0;
	now_ms = 1000000;
	update(list);
}

static void end(void)
{
	for (size_t i = 0; i < USES_MAX; i++) {
		address_release(&uses[i]);
	}
	address_book_fini(&book);
}

static const char *text_of(const struct address *address)
{
	static char text[ADDR_TEXT_BYTES];

	return address == NULL ? "none" : addr_write_ip(&address->addr, text);
}

static struct address_use *use(struct address *address)
{
	struct address_use *new_use = &uses[uses_count++];

	ck_assert_uint_le(uses_count, USES_MAX);
	address_acquire(address, new_use, now_ms);
	return new_use;
}

static struct address *find_family(sa_family_t family)
{
	list_foreach (node, &book.current) {
		struct address *address = list_entry(node, struct address, node);

		if (address->addr.sa.any.sa_family == family) {
			return address;
		}
	}
	return NULL;
}

static struct address *pick(void)
{
	return address_book_pick(&book, now_ms);
}

/* A connect to whatever is picked, which stays. */
static struct address_use *open_one(void)
{
	return use(pick());
}

/* A connect to whatever is picked, refused at once. */
static struct address *fail_one(void)
{
	struct address *address = pick();
	struct address_use *failing = use(address);

	address_failed(failing, now_ms);
	address_release(failing);
	uses_count--;
	return address;
}

START_TEST(test_nothing_is_picked_before_the_first_answer)
{
	begin("");
	ck_assert_ptr_null(pick());
	update("192.0.2.1");
	update("");
	ck_assert_str_eq(text_of(pick()), "192.0.2.1");
	end();
}
END_TEST

START_TEST(test_first_picks_alternate_between_the_families)
{
	static const struct {
		const char *answer;
		const char *picks[5];
	} rows[] = {
		{"2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2",
		 {"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::1"}},
		{"192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3",
		 {"192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"}},
		{"192.0.2.1 192.0.2.2 192.0.2.3",
		 {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1", "192.0.2.2"}},
		{"192.0.2.1 192.0.2.1",
		 {"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(rows[i].answer);
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].picks); j++) {
			ck_assert_str_eq(text_of(open_one()->address), rows[i].picks[j]);
		}
		end();
	}
}
END_TEST

START_TEST(test_fewest_connections_first)
{
	struct address_use *third;

	begin("192.0.2.1 192.0.2.2 192.0.2.3");
	open_one();
	open_one();
	third = open_one();
	open_one();
	address_release(third);
	ck_assert_str_eq(text_of(pick()), "192.0.2.3");
	end();
}
END_TEST

START_TEST(test_ties_go_to_the_one_not_picked_for_longest)
{
	begin("192.0.2.1 192.0.2.2 192.0.2.3");
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(text_of(pick()), "192.0.2.1");
		ck_assert_str_eq(text_of(pick()), "192.0.2.2");
		ck_assert_str_eq(text_of(pick()), "192.0.2.3");
	}
	end();
}
END_TEST

START_TEST(test_failed_address_is_left_aside_ever_longer)
{
	static const uint64_t waits_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct address *failing;

	begin("192.0.2.1 192.0.2.2");
	failing = fail_one();
	for (size_t i = 0; i < ARRAY_SIZE(waits_s); i++) {
		now_ms += waits_s[i] * 1000 - 1;
		ck_assert(address_is_aside(failing, now_ms));
		ck_assert_ptr_ne(pick(), failing);
		now_ms += 1;
		ck_assert(!address_is_aside(failing, now_ms));
		/* Both have no connections, and the other was picked last. */
		ck_assert_ptr_eq(fail_one(), failing);
	}
	end();
}
END_TEST

START_TEST(test_one_connection_at_a_time_tries_an_address_that_failed)
{
	struct address *failed;

	begin("192.0.2.1 192.0.2.2");
	failed = fail_one();
	open_one();
	now_ms += 1000;
	/* It has fewer connections than the other, and yet: */
	ck_assert_ptr_eq(open_one()->address, failed);
	ck_assert_ptr_ne(open_one()->address, failed);
	ck_assert_ptr_ne(open_one()->address, failed);
	now_ms += 1000;
	ck_assert_ptr_eq(open_one()->address, failed);
	end();
}
END_TEST

START_TEST(test_success_resets_the_failures)
{
	struct address *failed;
	struct address_use *trial;

	begin("192.0.2.1 192.0.2.2");
	failed = fail_one();
	now_ms += 1000;
	fail_one();
	now_ms += 2000;
	trial = open_one();
	ck_assert_ptr_eq(trial->address, failed);
	address_succeeded(trial);
	address_release(trial);
	ck_assert_uint_eq(failed->failures, 0);
	ck_assert(!address_is_aside(failed, now_ms));
	pick();
	ck_assert_ptr_eq(fail_one(), failed);
	now_ms += 1000;
	ck_assert(!address_is_aside(failed, now_ms));
	end();
}
END_TEST

START_TEST(test_failures_of_connects_begun_together_count_once)
{
	struct address *address;

	begin("192.0.2.1");
	for (int i = 0; i < 4; i++) {
		open_one();
	}
	now_ms += 10;
	for (int i = 0; i < 4; i++) {
		address_failed(&uses[i], now_ms);
	}
	address = uses[0].address;
	ck_assert_uint_eq(address->failures, 1);
	now_ms += 5;
	open_one();
	now_ms += 5;
	address_failed(&uses[4], now_ms);
	ck_assert_uint_eq(address->failures, 2);
	end();
}
END_TEST

START_TEST(test_when_all_are_aside_the_soonest_is_picked)
{
	begin("192.0.2.1 192.0.2.2");
	ck_assert_str_eq(text_of(fail_one()), "192.0.2.1");
	now_ms += 100;
	ck_assert_str_eq(text_of(fail_one()), "192.0.2.2");
	now_ms += 100;
	ck_assert_str_eq(text_of(fail_one()), "192.0.2.1");
	ck_assert_str_eq(text_of(fail_one()), "192.0.2.2");
	end();
}
END_TEST

START_TEST(test_a_lone_address_is_always_picked)
{
	begin("192.0.2.1");
	for (int i = 0; i < 20; i++) {
		ck_assert_str_eq(text_of(fail_one()), "192.0.2.1");
		now_ms += 1;
	}
	end();
}
END_TEST

START_TEST(test_alternative_is_of_the_other_family_if_it_can)
{
	struct address *first;
	struct address_use *four;

	begin("2001:db8::1 2001:db8::2 192.0.2.1");
	first = pick();
	ck_assert_str_eq(text_of(first), "2001:db8::1");
	ck_assert_str_eq(text_of(address_book_alternative(&book, first, now_ms)), "192.0.2.1");
	four = use(find_family(AF_INET));
	address_failed(four, now_ms);
	ck_assert_str_eq(text_of(address_book_alternative(&book, first, now_ms)), "2001:db8::2");
	update("2001:db8::1");
	ck_assert_ptr_null(address_book_alternative(&book, first, now_ms));
	end();
}
END_TEST

START_TEST(test_a_dead_family_costs_its_head_start_once)
{
	struct address *six;
	struct address_use *trial;

	begin("2001:db8::1 192.0.2.1");
	six = pick();
	trial = use(six);
	ck_assert_uint_eq(address_head_start_ms(six), 250);
	now_ms += 250;
	ck_assert_str_eq(text_of(use(address_book_alternative(&book, six, now_ms))->address),
			 "192.0.2.1");
	now_ms += 20;
	address_succeeded(&uses[1]);
	address_failed(trial, now_ms);
	address_release(trial);

	ck_assert_str_eq(text_of(pick()), "192.0.2.1");
	now_ms += 1000;
	ck_assert_ptr_eq(pick(), six);
	ck_assert_uint_eq(address_head_start_ms(six), 0);
	ck_assert_str_eq(text_of(address_book_alternative(&book, six, now_ms)), "192.0.2.1");
	end();
}
END_TEST

START_TEST(test_a_gone_address_is_not_picked_and_retired_over_30_s)
{
	static const struct {
		uint64_t after_ms;
		size_t ended; /* of 4 */
	} rows[] = {{0, 0},     {1, 1},     {7500, 1},  {7501, 2},
		    {15001, 3}, {22501, 4}, {30000, 4}, {90000, 4}};
	struct address *old;

	begin("192.0.2.1");
	old = pick();
	for (int i = 0; i < 4; i++) {
		use(old);
	}
	update("192.0.2.2");
	ck_assert(address_is_gone(old));
	ck_assert_uint_eq(old->gone_since_ms, now_ms);
	ck_assert_str_eq(text_of(pick()), "192.0.2.2");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(address_retire_count(old, now_ms + rows[i].after_ms),
				  rows[i].ended);
	}
	address_release(&uses[0]);
	ck_assert_uint_eq(address_retire_count(old, now_ms + 7500), 0);
	ck_assert_uint_eq(address_retire_count(old, now_ms + 7501), 1);
	end();
}
END_TEST

START_TEST(test_a_gone_address_is_forgotten_with_its_last_connection)
{
	begin("192.0.2.1 192.0.2.2");
	open_one();
	update("192.0.2.3");
	ck_assert_uint_eq(book.current.count, 1);
	ck_assert_uint_eq(book.gone.count, 1);
	address_release(&uses[0]);
	ck_assert_uint_eq(book.gone.count, 0);
	end();
}
END_TEST

START_TEST(test_an_address_that_stays_or_comes_back_keeps_its_state)
{
	struct address *failed;
	struct address *back;

	begin("192.0.2.1 192.0.2.2");
	failed = fail_one();
	back = open_one()->address;
	update("192.0.2.3 192.0.2.1");
	ck_assert(!address_is_gone(failed));
	ck_assert(address_is_aside(failed, now_ms));
	ck_assert(address_is_gone(back));
	now_ms += 10000;
	update("192.0.2.2 192.0.2.1");
	ck_assert(!address_is_gone(back));
	ck_assert_uint_eq(address_retire_count(back, now_ms), 0);
	ck_assert_uint_eq(back->uses.count, 1);
	ck_assert_ptr_eq(pick(), failed);
	end();
}
END_TEST

START_TEST(test_at_most_16_are_current)
{
	char list[1024] = "";

	for (int i = 1; i <= 20; i++) {
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "192.0.2.%d ", i);
	}
	begin(list);
	ck_assert_uint_eq(book.current.count, ADDRESS_BOOK_CURRENT_MAX);
	end();
}
END_TEST

START_TEST(test_releasing_twice_and_an_unused_book_do_no_harm)
{
	struct address_book empty = {0};

	begin("192.0.2.1");
	open_one();
	address_release(&uses[0]);
	address_release(&uses[0]);
	address_book_fini(&empty);
	end();
}
END_TEST

SUITE_MAIN("pool/address_book", test_nothing_is_picked_before_the_first_answer,
	   test_first_picks_alternate_between_the_families, test_fewest_connections_first,
	   test_ties_go_to_the_one_not_picked_for_longest,
	   test_failed_address_is_left_aside_ever_longer,
	   test_one_connection_at_a_time_tries_an_address_that_failed,
	   test_success_resets_the_failures, test_failures_of_connects_begun_together_count_once,
	   test_when_all_are_aside_the_soonest_is_picked, test_a_lone_address_is_always_picked,
	   test_alternative_is_of_the_other_family_if_it_can,
	   test_a_dead_family_costs_its_head_start_once,
	   test_a_gone_address_is_not_picked_and_retired_over_30_s,
	   test_a_gone_address_is_forgotten_with_its_last_connection,
	   test_an_address_that_stays_or_comes_back_keeps_its_state, test_at_most_16_are_current,
	   test_releasing_twice_and_an_unused_book_do_no_harm)
