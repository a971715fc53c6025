/*
 * The file of upstream.api_key_file: the key on its first line, blanks around it and what follows aside. Its text is wiped
 * after reading, and no message ever holds a part of it.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

enum { API_KEY_BYTES_MAX = 256 };

/* A secret: wipe it with explicit_bzero(). Zeroed: none. */
struct api_key {
	size_t len;
	char bytes[API_KEY_BYTES_MAX];
};

/*
 * What is wrong with this text as a key, or NULL: it has 1 to 256 visible ASCII characters, is none of the texts that
 * scripts send in a key's place, and does not begin with "--", as a multipart delimiter does.
 */
const char *config_key_fault(struct span text);

/* The file's path: upstream.api_key_file, else $CREDENTIALS_DIRECTORY/api_key if it is there, else NULL: no key. The caller owns it. */
MUST_USE char *config_key_path(const struct config *config);

/*
 * Reads the file. False, with a problem ("PATH:1: …", or `where` and the path when it is not about the line), when it is not there or not
 * good; *ret_key is then left alone.
 */
MUST_USE bool config_key_read(const char *path, const char *where, struct config_problems *problems,
			      struct api_key *ret_key);

/* For config_check(): the file, and whether the other options allow a key at all. Without one nothing is checked. */
void config_key_check(const struct config *config, struct config_problems *problems);
