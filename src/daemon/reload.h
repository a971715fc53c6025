/*
 * SIGHUP, the part without effects: reads the configuration anew, checks it whole, and says what a restart would be needed for.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>

struct cli;
struct config;
struct config_problems;
struct log;

/*
 * True, with ret_next filled (the caller frees it), when the new configuration is good. Options that cannot change in a running daemon are
 * logged as in need of a restart, and have been swapped by then: ret_next holds their running values and is what shall run, `running` holds
 * the new ones; reload_swap_fixed() takes that back. False when it is bad, by itself or beside what stays, or names another upstream: every
 * problem is logged, and nothing is to change.
 */
MUST_USE bool reload_read(const struct cli *cli, struct config *running, struct config *ret_next,
			  struct log *log);
void reload_swap_fixed(struct config *running, struct config *next);

/* A log line each, as warnings and errors. */
void reload_log_problems(const struct config_problems *problems, struct log *log,
			 const char *object);
