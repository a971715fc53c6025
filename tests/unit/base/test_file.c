/* base/file.c: small files, whole. */
#include "base/file.h"
#include "suite.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void make_file(char *name, const char *text)
{
	int fd = mkstemp(name);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(test_a_file_up_to_the_bound_is_read)
{
	char name[] = "/tmp/test_file_XXXXXX";
	char *data;
	size_t len;

	make_file(name, "12345");
	ck_assert(file_read(name, 5, &data, &len));
	ck_assert_uint_eq(len, 5);
	ck_assert_str_eq(data, "12345");
	free(data);
	errno = 0;
	ck_assert(!file_read(name, 4, &data, &len));
	ck_assert_int_eq(errno, EFBIG);
	unlink(name);
}
END_TEST

START_TEST(test_what_cannot_be_read_says_why)
{
	char *data;
	size_t len;

	ck_assert(!file_read("/nonexistent/file", 10, &data, &len));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert(!file_read("/tmp", 10, &data, &len));
	ck_assert_int_eq(errno, EISDIR);
	ck_assert(!file_read("/dev/zero", 10, &data, &len));
	ck_assert_int_eq(errno, EFBIG);
	ck_assert(file_read("/dev/null", 10, &data, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq(data, "");
	free(data);
}
END_TEST

SUITE_MAIN("base/file", test_a_file_up_to_the_bound_is_read, test_what_cannot_be_read_says_why)
