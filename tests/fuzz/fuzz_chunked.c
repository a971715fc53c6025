/* Chunked bodies: the same outcome however they are cut, and never more than the limit. */
#include "base/span.h"
#include "fuzz.h"
#include "pieces.h"

enum { BYTEWISE_LONGEST = 300 };

static void check_cut(const struct decode_outcome *whole, struct span bytes, uint64_t limit,
		      size_t first, size_t step)
{
	struct decode_outcome cut;

	decode_in_pieces(&cut, bytes, limit, first, step);
	fuzz_expect_none(decode_outcomes_differ(whole, &cut));
	decode_outcome_fini(&cut);
}

static void check_within(struct span bytes, uint64_t limit)
{
	struct decode_outcome whole;
	size_t first = bytes.len > 0
			       ? (size_t)(unsigned char)bytes.data[bytes.len / 2] * 7 % bytes.len
			       : 0;

	decode_in_pieces(&whole, bytes, limit, bytes.len, bytes.len);
	check_cut(&whole, bytes, limit, first, bytes.len);
	check_cut(&whole, bytes, limit, first, 7);
	if (bytes.len <= BYTEWISE_LONGEST) {
		check_cut(&whole, bytes, limit, 1, 1);
	}
	if (whole.body_len > limit || whole.body_len > whole.taken) {
		fuzz_expect_none("more decoded than allowed");
	}
	decode_outcome_fini(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span input = {(const char *)bytes, len};

	check_within(input, UINT64_MAX);
	check_within(input, len / 3);
	return 0;
}
