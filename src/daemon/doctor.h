/*
 * `warmpool doctor`: measures the upstream once, from the name to the first answer, and prints what it found for a person.
 *
 * It asks nothing but HEAD / (never a path of the API, so no key, no task and no failed login), at most twice a connection and two
 * connections an address; each step within timeouts.connect, all of it within 30 s.
 */
#pragma once

#include "base/macros.h"

#include <stdio.h>

struct cli;

/* The exit status: CLI_EXIT_OK when the upstream can be used (warnings do not count), else CLI_EXIT_FAILED. */
MUST_USE int doctor_run(const struct cli *cli, FILE *out);
