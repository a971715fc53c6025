/*
 * The tokens of access.tokens, as SHA-256 digests only. Built when the configuration is read; pure afterwards.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "config/config.h"

#include <stdbool.h>

struct tokens;

/* True with *ret_tokens NULL when none are configured. False, with the problems said, when the file cannot be used. */
MUST_USE bool tokens_load(const struct config *config, struct config_problems *problems,
			  struct tokens **ret_tokens);
void tokens_free(struct tokens *tokens);

/*
 * The name of the token with this name and this secret (borrowed; at most 63 bytes), or NULL; and whether there is one of this name.
 * Looks at every row in full, so that the time it takes says nothing about names or secrets.
 */
const char *tokens_find(const struct tokens *tokens, struct span name, struct span secret,
			bool *ret_is_name_known);
