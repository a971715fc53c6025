/*
 * A fuzz target is one function over bytes: libFuzzer calls it with inputs of its making, replay.c with each file of
 * the target's corpus.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* `difference` is NULL, or a sentence on what is wrong. */
static inline void fuzz_expect_none(const char *difference)
{
	if (difference != NULL) {
		fprintf(stderr, "found: %s\n", difference);
		abort();
	}
}

static inline void fuzz_must(bool is_so, const char *otherwise)
{
	fuzz_expect_none(is_so ? NULL : otherwise);
}
