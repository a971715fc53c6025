/*
 * Reads a small file whole.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The caller owns ret_data, which has a NUL after its ret_len bytes. False with errno otherwise; EFBIG when the file holds
 * more than `max_bytes`. Pipes are read to their end.
 */
MUST_USE bool file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);
