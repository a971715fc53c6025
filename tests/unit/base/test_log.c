/* base/log.c: bounded lines in a bounded buffer, written without ever blocking. */
#include "base/log.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1024 * 1024 };

static char received[READ_BYTES];

/* Takes all that is in the descriptor, without waiting for more; NUL-terminated. */
static size_t take(int fd)
{
	size_t len = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((n = read(fd, received + len, READ_BYTES - 1 - len)) > 0) {
		len += (size_t)n;
	}
	received[len] = '\0';
	return len;
}

static void open_pipe(int fds[2])
{
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
}

static void close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* What one text value becomes as a field of a line. */
static const char *field(enum log_format format, struct span value)
{
	static struct log_line line;
	struct log log = {.format = format};

	line.len = 0;
	log_field_text(&log, &line, LOG_KEY("k"), value);
	line.text[line.len] = '\0';
	return line.text;
}

START_TEST(test_text_lines_have_time_level_object_and_message)
{
	int fds[2];
	struct log log;

	open_pipe(fds);
	log_init(&log, fds[1]);
	log_write(&log, LOG_INFO, "pool", "connected addr=%s", "192.0.2.1");
	log_write(&log, LOG_DEBUG, "pool", "below the level");
	ck_assert_uint_eq(take(fds[0]), 0); /* nothing before the flush */
	log_flush(&log);
	take(fds[0]);
	ck_assert_str_eq(received + strlen("2026-11-23T09:30:00.123Z"),
			 " info pool: connected addr=192.0.2.1\n");
	ck_assert_int_eq(received[10], 'T');
	log_fini(&log);
	close_both(fds);
}
END_TEST

START_TEST(test_the_journal_gets_a_priority_instead)
{
	int fds[2];
	struct log log;

	open_pipe(fds);
	log_init(&log, fds[1]);
	log.has_priority = true;
	log_write(&log, LOG_WARNING, "pool", "x");
	log_flush(&log);
	take(fds[0]);
	ck_assert_str_eq(received, "<4>pool: x\n");
	log_fini(&log);
	close_both(fds);
}
END_TEST

START_TEST(test_json_lines_are_objects)
{
	int fds[2];
	struct log log;

	open_pipe(fds);
	log_init(&log, fds[1]);
	log.format = LOG_FORMAT_JSON;
	log_write(&log, LOG_ERROR, "pool", "a \"b\"\n");
	log_flush(&log);
	take(fds[0]);
	ck_assert_int_eq(strncmp(received, "{\"time\":\"", 9), 0);
	ck_assert_str_eq(
		strchr(received, 'Z'),
		"Z\",\"level\":\"error\",\"object\":\"pool\",\"message\":\"a \\\"b\\\"\\u000a\"}\n");
	log_fini(&log);
	close_both(fds);
}
END_TEST

START_TEST(test_values_are_escaped)
{
	static const struct {
		struct span value;
		const char *text;
		const char *json;
	} cases[] = {
		{{"abc", 3}, " k=abc", ",\"k\":\"abc\""},
		{{"", 0}, " k=\"\"", ",\"k\":\"\""},
		{{NULL, 0}, " k=\"\"", ",\"k\":\"\""},
		{{"a b", 3}, " k=\"a b\"", ",\"k\":\"a b\""},
		{{"a=b", 3}, " k=\"a=b\"", ",\"k\":\"a=b\""},
		{{"\"\\", 2}, " k=\"\\\"\\\\\"", ",\"k\":\"\\\"\\\\\""},
		{{"\0\n\x1b\x7f", 4},
		 " k=\"\\u0000\\u000a\\u001b\\u007f\"",
		 ",\"k\":\"\\u0000\\u000a\\u001b\\u007f\""},
		{{"\xc3\xa9", 2}, " k=\"\xc3\xa9\"", ",\"k\":\"\xc3\xa9\""},
		{{"\xc3", 1}, " k=\"\\ufffd\"", ",\"k\":\"\\ufffd\""},
		{{"\x80z\xff", 3}, " k=\"\\ufffdz\\ufffd\"", ",\"k\":\"\\ufffdz\\ufffd\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_str_eq(field(LOG_FORMAT_TEXT, cases[i].value), cases[i].text);
		ck_assert_str_eq(field(LOG_FORMAT_JSON, cases[i].value), cases[i].json);
	}
}
END_TEST

START_TEST(test_numbers)
{
	struct log log = {0};
	struct log_line line = {0};

	log_field_u64(&log, &line, LOG_KEY("n"), UINT64_MAX);
	log_field_ms(&log, &line, LOG_KEY("ms"), 12345);
	line.text[line.len] = '\0';
	ck_assert_str_eq(line.text, " n=18446744073709551615 ms=12.3");
}
END_TEST

START_TEST(test_a_message_stays_one_line)
{
	int fds[2];
	struct log log;

	open_pipe(fds);
	log_init(&log, fds[1]);
	log_write(&log, LOG_INFO, "pool", "a\nb\x1b[31m");
	log_flush(&log);
	take(fds[0]);
	ck_assert_str_eq(strstr(received, "pool"), "pool: a?b?[31m\n");
	log_fini(&log);
	close_both(fds);
}
END_TEST

START_TEST(test_a_long_word_leaves_room_to_close_the_line)
{
	static char huge[LOG_LINE_BYTES * 2];
	int fds[2];
	struct log log;
	struct log_line line;
	size_t len;

	open_pipe(fds);
	memset(huge, 'a', sizeof(huge));
	log_init(&log, fds[1]);
	log.format = LOG_FORMAT_JSON;
	log_begin(&log, &line, LOG_INFO, "x");
	log_field_word(&log, &line, LOG_KEY("a"), (struct span){huge, sizeof(huge)});
	log_field_u64(&log, &line, LOG_KEY("b"), 1);
	log_end(&log, &line);
	log_flush(&log);
	len = take(fds[0]);
	ck_assert_uint_le(len, LOG_LINE_BYTES);
	ck_assert_str_eq(received + len - 3, "\"}\n");
	log_fini(&log);
	close_both(fds);
}
END_TEST

START_TEST(test_lines_are_bounded_and_still_end_well)
{
	static char huge[LOG_LINE_BYTES * 2];
	static const char bytes[] = {'a', '"', '\n', '\xff'};

	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		int fds[2];
		struct log log;
		struct log_line line;
		size_t len;

		open_pipe(fds);
		memset(huge, bytes[i], sizeof(huge));
		log_init(&log, fds[1]);
		log.format = LOG_FORMAT_JSON;
		log_begin(&log, &line, LOG_INFO, "x");
		log_field_text(&log, &line, LOG_KEY("a"), (struct span){huge, sizeof(huge)});
		log_field_text(&log, &line, LOG_KEY("b"), (struct span){huge, sizeof(huge)});
		log_field_u64(&log, &line, LOG_KEY("c"), UINT64_MAX);
		log_end(&log, &line);
		log_flush(&log);
		len = take(fds[0]);
		ck_assert_uint_le(len, LOG_LINE_BYTES);
		ck_assert_uint_gt(len, LOG_LINE_BYTES - 100);
		ck_assert_str_eq(received + len - 3, "\"}\n");
		log_fini(&log);
		close_both(fds);
	}
}
END_TEST

static void write_lines(struct log *log, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		log_write(log, LOG_INFO, "test", "line=%06u %0900d", i, 0);
	}
}

/* The number of a line that write_lines() wrote, whole; -1 for another. */
static long number_of(const char *line)
{
	const char *number = strstr(line, "line=");

	if (number == NULL) {
		return -1;
	}
	ck_assert_uint_eq(strlen(number), strlen("line=000000 ") + 900);
	return strtol(number + strlen("line="), NULL, 10);
}

/* Checks that whole lines with rising numbers came; returns how many. */
static unsigned count_lines(void)
{
	unsigned count = 0;
	long last = -1;

	for (char *line = strtok(received, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		long number = number_of(line);

		ck_assert_msg(number < 0 || number > last, "%ld after %ld", number, last);
		count += number >= 0;
		last = number >= 0 ? number : last;
	}
	return count;
}

START_TEST(test_a_full_pipe_does_not_block_and_drops_are_counted)
{
	int fds[2];
	struct log log;
	unsigned kept;
	char *said;

	open_pipe(fds);
	log_init(&log, fds[1]);
	alarm(20); /* a write that blocks ends the test */
	write_lines(&log, 0, 1000);
	log_flush(&log);
	log_flush(&log);
	ck_assert_uint_le(log.len_bytes, LOG_BUFFER_BYTES);
	ck_assert_uint_gt(log.len_bytes, LOG_BUFFER_BYTES - 2000);
	ck_assert_uint_gt(log.dropped_lines, 0);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	/* A reader comes: what was kept arrives whole, and the number of dropped lines is said once. */
	fcntl(fds[0], F_SETPIPE_SZ, 1024 * 1024);
	log_flush(&log);
	log_flush(&log);
	take(fds[0]);
	said = strstr(received, "log: dropped lines=");
	ck_assert_ptr_nonnull(said);
	ck_assert_uint_eq(strtoul(said + strlen("log: dropped lines="), NULL, 10),
			  log.dropped_lines);
	ck_assert_ptr_null(strstr(said + 1, "log: dropped"));
	kept = count_lines();
	ck_assert_uint_eq(kept + log.dropped_lines, 1000);
	alarm(0);
	log_fini(&log);
	close_both(fds);
}
END_TEST

START_TEST(test_a_full_socket_does_not_block)
{
	int fds[2];
	struct log log;
	unsigned kept = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	log_init(&log, fds[1]);
	ck_assert(log.is_socket);
	alarm(20);
	write_lines(&log, 0, 2000);
	log_flush(&log);
	ck_assert_uint_gt(log.dropped_lines, 0);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	for (int i = 0; i < 20 && log.len_bytes > 0; i++) {
		/* Lines may be split over two sends, so the pieces are joined before they are counted. */
		static char all[READ_BYTES];
		static size_t len;
		size_t n = take(fds[0]);

		memcpy(all + len, received, n);
		len += n;
		log_flush(&log);
		if (log.len_bytes == 0) {
			n = take(fds[0]);
			memcpy(all + len, received, n + 1);
			memcpy(received, all, len + n + 1);
			kept = count_lines();
		}
	}
	ck_assert_uint_eq(kept + log.dropped_lines, 2000);
	alarm(0);
	log_fini(&log);
	close_both(fds);
}
END_TEST

/* An access line, composed of fields. */
static void compose_line(struct log *log)
{
	struct log_line line;

	log_begin(log, &line, LOG_INFO, "access");
	log_end_gathered(log, &line);
}

START_TEST(test_access_lines_are_gathered_for_a_moment)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct log log;

	log_init(&log, fd);
	ck_assert_uint_eq(log_turn(&log, 1000), UINT64_MAX);
	compose_line(&log);
	ck_assert_uint_eq(log_turn(&log, 1000), UINT64_MAX); /* the first does not wait */
	ck_assert_uint_eq(log.len_bytes, 0);
	compose_line(&log);
	ck_assert_uint_eq(log_turn(&log, 999 + LOG_GATHER_MS), 1000 + LOG_GATHER_MS);
	ck_assert_uint_gt(log.len_bytes, 0);
	ck_assert_uint_eq(log_turn(&log, 1000 + LOG_GATHER_MS), UINT64_MAX);
	ck_assert_uint_eq(log.len_bytes, 0);
	compose_line(&log);
	log_write(&log, LOG_INFO, "stop", "said in words: this takes along what waits");
	ck_assert_uint_eq(log_turn(&log, 1001 + LOG_GATHER_MS), UINT64_MAX);
	ck_assert_uint_eq(log.len_bytes, 0);
	while (log.len_bytes < LOG_GATHER_BYTES) {
		compose_line(&log);
	}
	ck_assert_uint_eq(log_turn(&log, 1002 + LOG_GATHER_MS), UINT64_MAX); /* many do not wait */
	ck_assert_uint_eq(log.len_bytes, 0);
	log_fini(&log);
	close(fd);
}
END_TEST

START_TEST(test_a_reader_that_has_gone_is_no_end)
{
	int fds[2];
	struct log log;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	log_init(&log, fds[1]);
	close(fds[0]);
	log_write(&log, LOG_INFO, "test", "to nobody");
	log_flush(&log);
	ck_assert_uint_gt(log.dropped_lines, 0);
	log_fini(&log);
	close(fds[1]);
}
END_TEST

START_TEST(test_a_file_gets_everything)
{
	char name[] = "/tmp/test_log_XXXXXX";
	int fd = mkstemp(name);
	struct log log;

	ck_assert_int_ge(fd, 0);
	unlink(name);
	log_init(&log, fd);
	write_lines(&log, 0, 700); /* more than the buffer holds */
	log_fini(&log);
	lseek(fd, 0, SEEK_SET);
	take(fd);
	ck_assert_uint_eq(count_lines(), 700);
	close(fd);
}
END_TEST

START_TEST(test_the_journal_is_known_by_its_device_and_inode)
{
	char stream[64];
	struct stat info;
	struct log log;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(fstat(fds[1], &info), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(&log, fds[1]);
	ck_assert(log.has_priority);
	log_write(&log, LOG_WARNING, "pool", "hello");
	log_fini(&log);
	take(fds[0]);
	ck_assert_str_eq(received, "<4>pool: hello\n");
	/* A service whose stderr was sent elsewhere keeps the variable. */
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_init(&log, fds[1]);
	ck_assert(!log.has_priority);
	log_fini(&log);
	close_both(fds);
}
END_TEST

/* One warning, as a terminal shows it. */
static const char *on_terminal(int fds[2])
{
	struct log log;

	log_init(&log, fds[1]);
	log_write(&log, LOG_WARNING, "pool", "hello");
	log_fini(&log);
	take(fds[0]);
	return strchr(received, 'Z');
}

START_TEST(test_a_terminal_shows_levels_in_colour_unless_told_not_to)
{
	int fds[2];

	unsetenv("JOURNAL_STREAM");
	fds[0] = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_eq(grantpt(fds[0]), 0);
	ck_assert_int_eq(unlockpt(fds[0]), 0);
	fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fds[1], 0);
	unsetenv("NO_COLOR");
	ck_assert_str_eq(on_terminal(fds), "Z \033[33mwarning\033[0m pool: hello\r\n");
	/* Only a value counts (no-color.org). */
	setenv("NO_COLOR", "", 1);
	ck_assert_str_eq(on_terminal(fds), "Z \033[33mwarning\033[0m pool: hello\r\n");
	setenv("NO_COLOR", "1", 1);
	ck_assert_str_eq(on_terminal(fds), "Z warning pool: hello\r\n");
	unsetenv("NO_COLOR");
	close_both(fds);
}
END_TEST

START_TEST(test_the_journal_gets_each_level_as_a_priority)
{
	static const struct {
		enum log_level level;
		enum log_format format;
		const char *start;
	} cases[] = {
		{LOG_ERROR, LOG_FORMAT_TEXT, "<3>pool"},
		{LOG_WARNING, LOG_FORMAT_TEXT, "<4>pool"},
		{LOG_INFO, LOG_FORMAT_TEXT, "<6>pool"},
		{LOG_DEBUG, LOG_FORMAT_TEXT, "<7>pool"},
		/* The journal takes it off: what it keeps is the object alone. */
		{LOG_ERROR, LOG_FORMAT_JSON, "<3>{\"time"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct log log = {.has_priority = true, .format = cases[i].format};
		struct log_line line;

		log_begin(&log, &line, cases[i].level, "pool");
		ck_assert_uint_ge(line.len, strlen(cases[i].start));
		ck_assert_mem_eq(line.text, cases[i].start, strlen(cases[i].start));
	}
}
END_TEST

SUITE_MAIN("base/log", test_text_lines_have_time_level_object_and_message,
	   test_the_journal_gets_a_priority_instead, test_json_lines_are_objects,
	   test_values_are_escaped, test_numbers, test_a_message_stays_one_line,
	   test_a_long_word_leaves_room_to_close_the_line,
	   test_lines_are_bounded_and_still_end_well,
	   test_a_full_pipe_does_not_block_and_drops_are_counted, test_a_full_socket_does_not_block,
	   test_access_lines_are_gathered_for_a_moment, test_a_reader_that_has_gone_is_no_end,
	   test_a_file_gets_everything, test_the_journal_is_known_by_its_device_and_inode,
	   test_a_terminal_shows_levels_in_colour_unless_told_not_to,
	   test_the_journal_gets_each_level_as_a_priority)
