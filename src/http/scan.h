/*
 * Classes of bytes (RFC 9110 section 5.6.2, RFC 3986 section 2) and the loops over runs of them. Private to http/.
 *
 * Each loop reads [at, end) only and returns where the run ends, `end` when it does not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/err.h"
#include "base/macros.h"
#include "base/span.h"

enum {
	SCAN_TOKEN = 1, /* may stand in a method or a field name */
	SCAN_HOST = 2,  /* may stand in a host name: RFC 3986 "unreserved" */
	SCAN_HEX = 4,
};

extern const uint8_t scan_classes[256];

static inline bool scan_is(char byte, unsigned classes)
{
	return (scan_classes[(unsigned char)byte] & classes) != 0;
}

static inline bool scan_is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline bool scan_is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static inline const char *scan_class(const char *at, const char *end, unsigned classes)
{
	while (at < end && scan_is(*at, classes)) {
		at++;
	}
	return at;
}

/* A method or a field name. Most are of letters, digits and "-" only, and are gone over in large steps. */
static inline const char *scan_token(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const void *)at);
		__m128i letters =
			_mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(' ')), _mm_set1_epi8('a'));
		__m128i digits = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
		__m128i is_letter =
			_mm_cmpeq_epi8(_mm_min_epu8(letters, _mm_set1_epi8(25)), letters);
		__m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
		__m128i is_dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
		__m128i is_plain = _mm_or_si128(is_letter, _mm_or_si128(is_digit, is_dash));
		unsigned mask = (unsigned)_mm_movemask_epi8(is_plain);

		if (mask != 0xffff) {
			at += __builtin_ctz(~mask);
			break;
		}
	}
#endif
	return scan_class(at, end, SCAN_TOKEN);
}

static inline const char *scan_blanks(const char *at, const char *end)
{
	while (at < end && scan_is_blank(*at)) {
		at++;
	}
	return at;
}

/* Bytes from `lowest` (above 0) up to 0xFF, but DEL. */
static inline const char *scan_text(const char *at, const char *end, unsigned char lowest)
{
#ifdef __SSE2__
	const __m128i highest_bad = _mm_set1_epi8((char)(lowest - 1));
	const __m128i del = _mm_set1_epi8(0x7f);

	for (; end - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const void *)at);
		__m128i is_low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, highest_bad), bytes);
		__m128i is_bad = _mm_or_si128(is_low, _mm_cmpeq_epi8(bytes, del));
		unsigned mask = (unsigned)_mm_movemask_epi8(is_bad);

		if (mask != 0) {
			return at + __builtin_ctz(mask);
		}
	}
#endif
	while (at < end && (unsigned char)*at >= lowest && *at != 0x7f) {
		at++;
	}
	return at;
}

/* What a field value or a reason phrase may hold: HTAB, SP, VCHAR, obs-text. */
static inline const char *scan_value(const char *at, const char *end)
{
	at = scan_text(at, end, ' ');
	while (at < end && *at == '\t') {
		at = scan_text(at + 1, end, ' ');
	}
	return at;
}

/*
 * Why the byte at `at` cannot stand there: a bare CR or LF, a control byte, and `otherwise` for all that is text or a
 * whole line end. ERR_NONE when that hangs on the byte after a CR that ends the input.
 */
MUST_USE enum err scan_fault(const char *at, const char *end, enum err otherwise);

/*
 * The next element of a comma-separated list, blanks around it taken off, empty ones skipped (RFC 9110 section 5.6.1);
 * *rest becomes what follows it. False at the list's end.
 */
MUST_USE bool scan_list_item(struct span *rest, struct span *ret_item);
