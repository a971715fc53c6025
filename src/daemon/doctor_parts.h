/*
 * The parts of a diagnosis, which print to one report. Private to doctor*.c.
 */
#pragma once

#include "base/addr.h"
#include "base/clock.h"
#include "base/macros.h"
#include "config/url.h"
#include "daemon/doctor_reason.h"
#include "daemon/doctor_report.h"
#include "net/lookup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct event_base;
struct tls_client;

/* What was learned of the upstream. */
struct doctor_findings {
	size_t usable;       /* addresses that gave an answer */
	uint64_t hint_s;     /* of Keep-Alive, from the first of them; 0: none */
	uint64_t slowest_us; /* TCP and TLS, of all of them */
};

struct doctor {
	const struct config *config; /* borrowed */
	struct report report;
	struct upstream_url url;
	struct clock clock;
	struct event_base *base; /* owned */
	struct tls_client *tls;  /* one reference; NULL when plain */
	char *request;           /* owned */
	struct reason_context context;
	uint64_t end_ms; /* when all of it is to be over */
	struct lookup_result names;
	struct doctor_findings findings;
};

/* One address of the upstream: prints what it is like, and adds to the findings. */
void doctor_address(struct doctor *doctor, const struct addr *addr);

/* This machine: descriptors, ports, the backlog, the addresses to listen on. */
void doctor_machine(struct doctor *doctor);
/* Is this address one that we are to listen on ourselves? */
bool doctor_is_ourselves(const struct config *config, const struct addr *addr);

/* "32768\t60999" of /proc/sys/net/ipv4/ip_local_port_range: how many ports that is. */
MUST_USE bool doctor_read_ports(const char *text, uint64_t *ret_first, uint64_t *ret_last);
