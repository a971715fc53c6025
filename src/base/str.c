/* Strict readers of numbers, durations and sizes. */
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit duration_units[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const struct unit size_units[] = {
	{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"GB", 1000000000},
	{"MB", 1000000},   {"kB", 1000},      {"B", 1},
};

bool str_read_u64(struct span text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text.len == 0) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value)) {
			return false;
		}
	}
	*ret_value = value;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return -1;
}

bool str_read_hex(struct span text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text.len == 0 || text.len > 16) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.data[i]);

		if (digit < 0) {
			return false;
		}
		value = value << 4 | (uint64_t)digit;
	}
	*ret_value = value;
	return true;
}

static bool read_with_unit(struct span text, const struct unit *units, size_t unit_count,
			   uint64_t *ret_value)
{
	struct span number = text;
	struct span unit;
	uint64_t value;

	while (number.len > 0 &&
	       (number.data[number.len - 1] < '0' || number.data[number.len - 1] > '9')) {
		number.len--;
	}
	unit = (struct span){text.data + number.len, text.len - number.len};
	if (!str_read_u64(number, &value)) {
		return false;
	}
	for (size_t i = 0; i < unit_count; i++) {
		if (span_is(unit, span_of(units[i].name))) {
			return !__builtin_mul_overflow(value, units[i].factor, ret_value);
		}
	}
	return false;
}

bool str_read_duration(struct span text, uint64_t *ret_ms)
{
	if (span_is(text, SPAN("0"))) {
		*ret_ms = 0;
		return true;
	}
	return read_with_unit(text, duration_units, ARRAY_SIZE(duration_units), ret_ms);
}

bool str_read_size(struct span text, uint64_t *ret_bytes)
{
	return str_read_u64(text, ret_bytes) ||
	       read_with_unit(text, size_units, ARRAY_SIZE(size_units), ret_bytes);
}

bool str_read_percent(struct span text, uint64_t *ret_percent)
{
	uint64_t value;

	if (text.len < 2 || text.data[text.len - 1] != '%' ||
	    !str_read_u64((struct span){text.data, text.len - 1}, &value) || value > 100) {
		return false;
	}
	*ret_percent = value;
	return true;
}

static char *write_with_unit(char *out, size_t out_bytes, uint64_t value, const struct unit *units,
			     size_t unit_count)
{
	for (size_t i = 0; i < unit_count; i++) {
		if (value > 0 && value % units[i].factor == 0) {
			snprintf(out, out_bytes, "%" PRIu64 "%s", value / units[i].factor,
				 units[i].name);
			return out;
		}
	}
	snprintf(out, out_bytes, "%" PRIu64, value);
	return out;
}

char *str_write_duration(char *out, size_t out_bytes, uint64_t ms)
{
	return write_with_unit(out, out_bytes, ms, duration_units, ARRAY_SIZE(duration_units));
}

char *str_write_size(char *out, size_t out_bytes, uint64_t bytes)
{
	return write_with_unit(out, out_bytes, bytes, size_units, 3);
}

unsigned str_edit_distance(const char *a, const char *b)
{
	enum { LONGEST = 63 };
	unsigned rows[3][LONGEST + 1];
	unsigned *before = rows[0];
	unsigned *above = rows[1];
	unsigned *here = rows[2];
	size_t len_a = strlen(a);
	size_t len_b = strlen(b);

	if (len_a > LONGEST || len_b > LONGEST) {
		return LONGEST;
	}
	for (size_t j = 0; j <= len_b; j++) {
		above[j] = (unsigned)j;
	}
	for (size_t i = 1; i <= len_a; i++) {
		unsigned *recycled = before;

		here[0] = (unsigned)i;
		for (size_t j = 1; j <= len_b; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN(best, MIN(above[j], here[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				best = MIN(best, before[j - 2] + 1);
			}
			here[j] = best;
		}
		before = above;
		above = here;
		here = recycled;
	}
	return above[len_b];
}
