/*
 * `warmpool status --watch`: the table, refreshed in its place each second, with what happened in between as rates.
 *
 * It takes the terminal's alternate screen and gives the terminal back as it was, however it ends: q, SIGINT, SIGTERM, SIGHUP; and while it is
 * stopped (SIGTSTP).
 */
#pragma once

#include "base/macros.h"

#include <stdio.h>

struct status_place;

/* The exit status. Fails when `out` is no terminal, or the first question is not answered; later ones are asked again. */
MUST_USE int status_watch(const struct status_place *place, FILE *out, FILE *err);
