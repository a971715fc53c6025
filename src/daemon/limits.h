/*
 * File descriptors: raises the limit and tells whether it holds what the configuration may need.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config;
struct log;

/* Descriptors for listeners, DNS, the log and the loop (64), and for the admin interface: its connections, its sockets twice. */
enum { LIMITS_RESERVE = 112 };

/* Raises the soft limit to the hard one; false (and logged, naming ulimit -n and LimitNOFILE=) when it is too low. */
bool limits_raise(const struct config *config, struct log *log);
