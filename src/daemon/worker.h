/*
 * The worker owns everything that serves: loop, clock, resolver, TLS, pool, clients, listeners. One thread, one loop, no globals.
 */
#pragma once

#include <stdbool.h>

struct config;
struct log;

struct worker;

/*
 * Sets all up and binds the listeners. On failure logs what is wrong and what to do, and returns NULL. `config` and `log` are borrowed.
 */
struct worker *worker_new(const struct config *config, struct log *log);

/* Serves until a signal ends it; the process's exit status. */
int worker_run(struct worker *worker);

void worker_free(struct worker *worker);
