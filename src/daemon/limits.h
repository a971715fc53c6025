/*
 * File descriptors: raises the limit and tells whether it holds what the configuration may need.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config;
struct log;

/* Descriptors for listeners, DNS, the log, the loop and the admin interface. */
enum { LIMITS_RESERVE = 64 };

/* Raises the soft limit to the hard one; false (and logged, naming ulimit -n and LimitNOFILE=) when it is too low. */
bool limits_raise(const struct config *config, struct log *log);
