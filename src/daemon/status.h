/*
 * `warmpool status`: asks the admin interface of a running daemon for /status and prints it as a table; --watch refreshes that in its place each
 * second, --json prints the answer as it came.
 *
 * Where to ask comes from the configuration that `run` takes. That is read and not checked: who may look at the daemon need not be able to read
 * its key.
 */
#pragma once

#include "base/macros.h"

#include <stdio.h>

struct cli;

/* The exit status: CLI_EXIT_OK, or CLI_EXIT_FAILED after saying why. */
MUST_USE int status_run(const struct cli *cli, FILE *out, FILE *err);
