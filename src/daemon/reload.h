/*
 * SIGHUP, the part without effects: reads the configuration anew, checks it whole, and says what a restart would be needed for.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>

struct api_key;
struct cli;
struct config;
struct config_problems;
struct log;
struct tokens;

/*
 * True, with ret_next filled (the caller frees it), when the new configuration is good. Options that cannot change in a running daemon are
 * logged as in need of a restart, and have been swapped by then: ret_next holds their running values and is what shall run, `running` holds
 * the new ones; reload_swap_fixed() takes that back. False when it is bad, by itself or beside what stays, or names another upstream: every
 * problem is logged, and nothing is to change.
 */
MUST_USE bool reload_read(const struct cli *cli, struct config *running, struct config *ret_next,
			  struct log *log);
void reload_swap_fixed(struct config *running, struct config *next);

/*
 * The tokens of a checked configuration, NULL when it has none; the caller frees them. False, with every problem logged, when their
 * file has become unusable since it was checked. At the start as well as on SIGHUP.
 */
MUST_USE bool reload_read_tokens(const struct config *config, struct tokens **ret_tokens,
				 struct log *log);

/* A log line each, as warnings and errors. */
void reload_log_problems(const struct config_problems *problems, struct log *log,
			 const char *object);

/*
 * The key that this configuration names (wipe it), or none with len 0. False, with the reason logged, when it cannot be read. From the first
 * key on the process leaves no core, and other processes of the same user cannot look into its memory.
 */
MUST_USE bool reload_read_key(const struct config *config, struct api_key *ret_key,
			      struct log *log);
