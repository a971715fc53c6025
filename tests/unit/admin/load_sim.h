/*
 * A pool without sockets, in simulated time: callers, a queue, so many connections. What happens is told to a `struct load`, as the
 * daemon does. The same seed gives the same run.
 */
#pragma once

#include "pool/load.h"

#include <stdbool.h>
#include <stdint.h>

enum sim_spread { SIM_EXPONENTIAL, SIM_FIXED, SIM_JITTER /* evenly, 20 % to either side */ };

struct sim_time {
	double mean_s;
	enum sim_spread spread;
};

struct sim {
	unsigned size; /* connections */
	unsigned
		callers; /* each waits for its answer, then pauses; 0: independent requests instead */
	double rate;     /* of those, a second */
	struct sim_time lease; /* how long a request holds a connection */
	struct sim_time pause; /* of a caller */
	bool is_in_step;       /* callers ask at the same moments, `pause` apart */
	unsigned clients;      /* open client connections; 0: as many as wait or are served */
	unsigned seconds;
};

/* Counts at the simulated times from *now_us on, and leaves the end in it. */
void sim_run(const struct sim *sim, struct load *load, uint64_t *now_us);
