/*
 * The worker owns everything that serves: loop, clock, resolver, TLS, pool, clients, listeners. One thread, one loop, no globals.
 */
#pragma once

#include <stdbool.h>

struct cli;
struct config;
struct log;

struct worker;

/*
 * Sets all up and binds the listeners. On failure logs what is wrong and what to do, and returns NULL. All are borrowed;
 * on SIGHUP the configuration is read anew by `cli`, and what is good replaces the contents of `config`.
 */
struct worker *worker_new(const struct cli *cli, struct config *config, struct log *log);

/* Serves until a signal ends it; the process's exit status. */
int worker_run(struct worker *worker);

void worker_free(struct worker *worker);
