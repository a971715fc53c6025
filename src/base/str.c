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

int str_hex_digit(char c)
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
		int digit = str_hex_digit(text.data[i]);

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

/* RFC 3629 section 4: after some first bytes the second has less than its 64 values. */
static bool is_second_byte(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf; /* no overlong form */
	case 0xed:
		return second >= 0x80 && second <= 0x9f; /* no surrogate */
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f; /* at most U+10FFFF */
	default:
		return second >= 0x80 && second <= 0xbf;
	}
}

static size_t utf8_len_by_first(unsigned char first)
{
	if (first < 0x80) {
		return 1;
	}
	if (first >= 0xc2 && first <= 0xdf) {
		return 2;
	}
	if (first >= 0xe0 && first <= 0xef) {
		return 3;
	}
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t str_utf8_len(struct span text)
{
	const unsigned char *bytes = (const unsigned char *)text.data;
	size_t len = text.len > 0 ? utf8_len_by_first(bytes[0]) : 0;

	if (len > text.len || (len > 1 && !is_second_byte(bytes[0], bytes[1]))) {
		return 0;
	}
	for (size_t i = 2; i < len; i++) {
		if (bytes[i] < 0x80 || bytes[i] > 0xbf) {
			return 0;
		}
	}
	return len;
}

enum { EDIT_BYTES_MAX = 63 };

/* edits[i][j]: what it takes to make the first j bytes of `b` from the first i bytes of `a` (i, j > 0). */
static unsigned edits_at(unsigned edits[][EDIT_BYTES_MAX + 1], const char *a, const char *b,
			 size_t i, size_t j)
{
	unsigned best = edits[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

	best = MIN(best, edits[i - 1][j] + 1);
	best = MIN(best, edits[i][j - 1] + 1);
	if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
		best = MIN(best, edits[i - 2][j - 2] + 1);
	}
	return best;
}

unsigned str_edit_distance(const char *a, const char *b)
{
	unsigned edits[EDIT_BYTES_MAX + 1][EDIT_BYTES_MAX + 1];
	size_t len_a = strlen(a);
	size_t len_b = strlen(b);

	if (len_a > EDIT_BYTES_MAX || len_b > EDIT_BYTES_MAX) {
		return EDIT_BYTES_MAX;
	}
	for (size_t i = 0; i <= len_a; i++) {
		edits[i][0] = (unsigned)i;
	}
	for (size_t j = 0; j <= len_b; j++) {
		edits[0][j] = (unsigned)j;
	}
	for (size_t i = 1; i <= len_a; i++) {
		for (size_t j = 1; j <= len_b; j++) {
			edits[i][j] = edits_at(edits, a, b, i, j);
		}
	}
	return edits[len_a][len_b];
}

size_t str_put_u64(char *out, uint64_t value)
{
	size_t len = 1;
	size_t at;

	for (uint64_t limit = 10; value >= limit && len < STR_U64_BYTES; limit *= 10) {
		len++;
	}
	for (at = len; at > 1; value /= 10) {
		out[--at] = (char)('0' + value % 10);
	}
	out[0] = (char)('0' + value);
	return len;
}

size_t str_put_ms(char *out, uint64_t us)
{
	size_t len = str_put_u64(out, us / 1000);

	out[len++] = '.';
	out[len++] = (char)('0' + us / 100 % 10);
	return len;
}
