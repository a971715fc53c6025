/*
 * Strict readers of numbers, durations and sizes, and writers for people.
 *
 * Readers take the whole span or nothing: no sign, no blanks, no trailing bytes, no overflow. They return false
 * and leave the output alone otherwise.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only. */
MUST_USE bool str_read_u64(struct span text, uint64_t *ret_value);

/* The value of a hexadecimal digit of either case, -1 for any other byte. */
int str_hex_digit(char c);

/* Hexadecimal digits only, at most 16 (RFC 9112 section 7.1, chunk-size). */
MUST_USE bool str_read_hex(struct span text, uint64_t *ret_value);

/* A number and its unit, which is required: 250ms 10s 5m 1h 1d; "0" needs none. */
MUST_USE bool str_read_duration(struct span text, uint64_t *ret_ms);

/* A number of bytes: plain, or with KiB MiB GiB (1024) or kB MB GB (1000); a "B" alone is allowed. */
MUST_USE bool str_read_size(struct span text, uint64_t *ret_bytes);

/* 0% to 100%, the sign is required. */
MUST_USE bool str_read_percent(struct span text, uint64_t *ret_percent);

/* Writes like "250ms", "10s", "1h" (the largest unit that divides) / "64KiB", "1000". Returns `out`. */
char *str_write_duration(char *out, size_t out_bytes, uint64_t ms);
char *str_write_size(char *out, size_t out_bytes, uint64_t bytes);

/* The length of the UTF-8 character that begins the text (RFC 3629, 1 to 4 bytes); 0 when none does. */
size_t str_utf8_len(struct span text);

/* The number of single-byte edits (insert, delete, replace, swap) between two short words; for "did you mean". */
unsigned str_edit_distance(const char *a, const char *b);

/* "12.3": microseconds as milliseconds with one decimal, cut off. Returns how many bytes, at most STR_MS_BYTES; no NUL. */
enum { STR_MS_BYTES = 24 };
size_t str_put_ms(char *out, uint64_t us);

/* Decimal digits; the same. */
enum { STR_U64_BYTES = 20 };
size_t str_put_u64(char *out, uint64_t value);
