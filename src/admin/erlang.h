/*
 * Formulas of queueing theory, for the sizing advice. Pure, and stable to tens of thousands of servers: recursions, no factorials.
 *
 * "Offered" is the load in erlangs: arrivals a second times seconds of service, the servers that an unlimited number of them would
 * keep busy on average. A. K. Erlang, 1917; L. Kleinrock, Queueing Systems I, 1975, sections 3.5 (C), 3.6 (B) and 3.8 (finite).
 * How the service times are spread matters little for how many wait; it matters for how long.
 */
#pragma once

#include <stdint.h>

/* The share of the arrivals that find all servers busy and are lost. */
double erlang_b(uint64_t servers, double offered);

/* The share of the arrivals that find all servers busy and wait; 1 when the load is not below the number of servers. */
double erlang_c(uint64_t servers, double offered);

/* The fewest servers with which no more than this share waits; most + 1 when `most` are too few. */
uint64_t erlang_c_servers(double offered, double share, uint64_t most);

/*
 * The share that waits when the arrivals come from `sources`, each of which waits for its answer and then thinks before it asks
 * again (M/M/c//N): an arrival sees what the sources without its own would make. `ratio` is service time by thinking time.
 */
double finite_wait(uint64_t servers, uint64_t sources, double ratio);
uint64_t finite_wait_servers(uint64_t sources, double ratio, double share, uint64_t most);

/* The smallest number that a Poisson variable with this mean passes with at most this probability (below a half). */
uint64_t poisson_bound(double mean, double share);
