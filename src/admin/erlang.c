/* Formulas of queueing theory. */
#include "admin/erlang.h"

#include "base/macros.h"

static const double SCALE_AT = 1e200; /* weights are scaled down before they overflow */

double erlang_b(uint64_t servers, double offered)
{
	double lost = 1;

	for (uint64_t i = 1; i <= servers; i++) {
		lost = offered * lost / ((double)i + offered * lost);
	}
	return lost;
}

static double c_from_b(uint64_t servers, double offered, double lost)
{
	if (offered >= (double)servers) {
		return 1;
	}
	return lost / (1 - offered / (double)servers * (1 - lost));
}

double erlang_c(uint64_t servers, double offered)
{
	return c_from_b(servers, offered, erlang_b(servers, offered));
}

uint64_t erlang_c_servers(double offered, double share, uint64_t most)
{
	double lost = 1;

	for (uint64_t i = 1; i <= most; i++) {
		lost = offered * lost / ((double)i + offered * lost);
		if (c_from_b(i, offered, lost) <= share) {
			return i;
		}
	}
	return most + 1;
}

double finite_wait(uint64_t servers, uint64_t sources, double ratio)
{
	double weight = 1; /* of so many others being served or waiting, none at first */
	double all = 1;
	double busy = servers == 0 ? 1 : 0;

	for (uint64_t i = 1; i < sources; i++) {
		weight *= (double)(sources - i) * ratio / (double)MIN(i, MAX(servers, 1));
		all += weight;
		busy += i >= servers ? weight : 0;
		if (weight > SCALE_AT) {
			all /= weight;
			busy /= weight;
			weight = 1;
		}
	}
	return busy / all;
}

uint64_t finite_wait_servers(uint64_t sources, double ratio, double share, uint64_t most)
{
	uint64_t too_few = 0;
	uint64_t enough = MAX(sources, 1); /* nobody waits */

	while (enough - too_few > 1) {
		uint64_t middle = too_few + (enough - too_few) / 2;

		if (finite_wait(middle, sources, ratio) <= share) {
			enough = middle;
		} else {
			too_few = middle;
		}
	}
	return MIN(enough, most + 1);
}

uint64_t poisson_bound(double mean, double share)
{
	uint64_t mode = (uint64_t)mean;
	uint64_t bound = mode; /* passed more often than by half */
	double all = 0;
	double above = 0;
	double weight = 1; /* of the mode; e^-mean would be 0 for large means */

	for (uint64_t i = mode; weight > 1e-18; i--) {
		all += weight;
		weight = i > 0 ? weight * (double)i / mean : 0;
	}
	weight = 1;
	for (uint64_t i = mode + 1; weight > 1e-18; i++) {
		weight *= mean / (double)i;
		above += weight;
	}
	all += above;
	weight = 1;
	while (above > share * all) {
		bound++;
		weight *= mean / (double)bound;
		above -= weight;
	}
	return bound;
}
