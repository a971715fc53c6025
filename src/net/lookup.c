/* Owns the c-ares channel of one lookup and the events of its sockets. */
#include "net/lookup.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/span.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEADLINE_S = 5,
	FIRST_TIMEOUT_MS = 1000, /* doubled by c-ares each time it went round the servers */
	TRIES = 3,
};

struct socket_watch {
	struct list_node node; /* on lookup->watches */
	struct lookup *lookup; /* borrowed; owns us */
	struct event event;
	ares_socket_t fd; /* borrowed; c-ares opens and closes it */
};

static const struct ares_addrinfo_hints hints = {
	.ai_flags = ARES_AI_ENVHOSTS,
	.ai_family = AF_UNSPEC,
};

static bool holds(const struct addr *addrs, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++) {
		if (addr_is_equal(&addrs[i], addr)) {
			return true;
		}
	}
	return false;
}

/* Returns whether it was new. */
static bool add_address(struct lookup_result *result, const struct addr *addr)
{
	if (result->count == LOOKUP_ADDRESSES_MAX || holds(result->addrs, result->count, addr)) {
		return false;
	}
	result->addrs[result->count++] = *addr;
	return true;
}

static bool read_node(const struct ares_addrinfo_node *node, uint16_t port, struct addr *ret_addr)
{
	bool is_ip = node->ai_family == AF_INET || node->ai_family == AF_INET6;

	if (!is_ip || (size_t)node->ai_addrlen > sizeof(ret_addr->sa)) {
		return false;
	}
	*ret_addr = (struct addr){.len = (socklen_t)node->ai_addrlen};
	memcpy(&ret_addr->sa, node->ai_addr, (size_t)node->ai_addrlen);
	addr_set_port(ret_addr, port);
	return true;
}

static size_t count_family(const struct ares_addrinfo_node *nodes, int family)
{
	size_t count = 0;

	for (; nodes != NULL; nodes = nodes->ai_next) {
		count += nodes->ai_family == family;
	}
	return count;
}

/* Takes nodes in their order while their family has places left; with `known_only` those that are known. */
static void take_nodes(struct lookup *lookup, const struct ares_addrinfo_node *nodes,
		       size_t places[2], bool known_only)
{
	for (; nodes != NULL; nodes = nodes->ai_next) {
		size_t *left = &places[nodes->ai_family == AF_INET6];
		struct addr addr;

		if (*left == 0 || !read_node(nodes, lookup->port, &addr)) {
			continue;
		}
		if (known_only && !holds(lookup->known, lookup->known_count, &addr)) {
			continue;
		}
		*left -= add_address(&lookup->result, &addr);
	}
}

static void take_addresses(struct lookup *lookup, const struct ares_addrinfo_node *nodes)
{
	size_t v4 = count_family(nodes, AF_INET);
	size_t v6 = count_family(nodes, AF_INET6);
	size_t half = LOOKUP_ADDRESSES_MAX / 2;
	size_t places[2] = {LOOKUP_ADDRESSES_MAX - MIN(v6, half),
			    LOOKUP_ADDRESSES_MAX - MIN(v4, half)};

	if (v4 + v6 > LOOKUP_ADDRESSES_MAX) {
		take_nodes(lookup, nodes, places, true);
	}
	take_nodes(lookup, nodes, places, false);
}

static int64_t least_ttl_s(const struct ares_addrinfo *info)
{
	int least = INT_MAX;

	for (const struct ares_addrinfo_node *node = info->nodes; node != NULL;
	     node = node->ai_next) {
		least = MIN(least, node->ai_ttl);
	}
	for (const struct ares_addrinfo_cname *name = info->cnames; name != NULL;
	     name = name->next) {
		least = MIN(least, name->ttl);
	}
	return least;
}

/*
 * May come before ares_getaddrinfo() returns, and from ares_destroy(), then even with ARES_SUCCESS when one family had
 * been answered. So it only takes notes: settle() acts on them, and is not called after a destroy.
 */
static void on_ares_done(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *lookup = arg;

	(void)timeouts;
	lookup->is_found = true;
	lookup->result.status = status;
	if (info == NULL) {
		return;
	}
	if (status == ARES_SUCCESS) {
		take_addresses(lookup, info->nodes);
		lookup->result.ttl_s = least_ttl_s(info);
		lookup->result.status = lookup->result.count > 0 ? ARES_SUCCESS : ARES_ENODATA;
	}
	ares_freeaddrinfo(info);
}

/* Such lookups end before ares_getaddrinfo() returns, so the channel serves only here. */
static void ask_hosts_file(struct lookup *lookup)
{
	char sources[] = "f";
	char no_resolv_conf[] = "/dev/null";
	struct ares_options options = {.lookups = sources, .resolvconf_path = no_resolv_conf};
	/* Case does not matter, but to its own answer for exactly this name, which leaks in c-ares 1.18. */
	const char *name = strcmp(lookup->name, "localhost") == 0 ? "LOCALHOST" : lookup->name;
	ares_channel channel;
	int status = ares_init_options(&channel, &options, ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF);

	if (status != ARES_SUCCESS) {
		on_ares_done(lookup, status, 0, NULL);
		return;
	}
	ares_getaddrinfo(channel, name, NULL, &hints, on_ares_done, lookup);
	ares_destroy(channel);
}

static bool is_localhost(const char *name)
{
	const struct span suffix = SPAN(".localhost");
	struct span text = span_of(name);

	if (span_is_nocase(text, SPAN("localhost"))) {
		return true;
	}
	return text.len > suffix.len &&
	       span_is_nocase((struct span){text.data + text.len - suffix.len, suffix.len}, suffix);
}

static void take_loopback(struct lookup *lookup)
{
	static const char *const texts[] = {"::1", "127.0.0.1"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct addr addr;

		if (addr_parse_ip(span_of(texts[i]), lookup->port, &addr)) {
			(void)add_address(&lookup->result, &addr);
		}
	}
	on_ares_done(lookup, ARES_SUCCESS, 0, NULL);
}

/* Completes the result when the name needs no DNS. */
static bool find_locally(struct lookup *lookup)
{
	ask_hosts_file(lookup);
	if (lookup->result.status != ARES_SUCCESS && is_localhost(lookup->name)) {
		take_loopback(lookup);
	}
	lookup->result.from_hosts = lookup->result.status == ARES_SUCCESS;
	return lookup->result.from_hosts;
}

static void remove_watch(struct socket_watch *watch)
{
	event_del(&watch->event);
	list_remove(&watch->node);
	free(watch);
}

static void stop(struct lookup *lookup)
{
	ares_channel channel = lookup->channel;

	lookup->channel = NULL;
	lookup->is_under_way = false;
	if (channel != NULL) {
		ares_destroy(channel);
	}
	list_foreach_safe (node, &lookup->watches) {
		remove_watch(list_entry(node, struct socket_watch, node));
	}
	event_del(&lookup->timer);
	event_del(&lookup->deadline);
}

static void arm_timer(struct lookup *lookup)
{
	struct timeval wait;

	if (ares_timeout(lookup->channel, NULL, &wait) == NULL) {
		event_del(&lookup->timer);
		return;
	}
	/* c-ares rounds down to the millisecond: without one more the loop would turn idly until it is over. */
	wait.tv_usec += 1000;
	if (wait.tv_usec >= 1000000) {
		wait.tv_sec++;
		wait.tv_usec -= 1000000;
	}
	event_add(&lookup->timer, &wait);
}

/* From the loop, last after every call into c-ares: the owner may fini us here. */
static void settle(struct lookup *lookup)
{
	if (!lookup->is_found) {
		arm_timer(lookup);
		return;
	}
	stop(lookup);
	lookup->on_done(lookup->owner);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	/* The call below may free the watch. */
	struct lookup *lookup = ((struct socket_watch *)arg)->lookup;

	ares_process_fd(lookup->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
			(what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	settle(lookup);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *lookup = arg;

	(void)fd;
	(void)what;
	if (!lookup->is_found) {
		ares_process_fd(lookup->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	}
	settle(lookup);
}

/* One family may have been answered: then that is what there is. */
static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *lookup = arg;

	(void)fd;
	(void)what;
	ares_cancel(lookup->channel);
	assert(lookup->is_found);
	settle(lookup);
}

static struct socket_watch *find_watch(const struct lookup *lookup, ares_socket_t fd)
{
	list_foreach (node, &lookup->watches) {
		struct socket_watch *watch = list_entry(node, struct socket_watch, node);

		if (watch->fd == fd) {
			return watch;
		}
	}
	return NULL;
}

/* c-ares tells what it waits for on a socket; nothing: it is about to close it. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct lookup *lookup = data;
	struct socket_watch *watch = find_watch(lookup, fd);
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	if (watch != NULL) {
		remove_watch(watch);
	}
	if (what == 0) {
		return;
	}
	watch = mem_alloc(sizeof(*watch));
	watch->lookup = lookup;
	watch->fd = fd;
	event_assign(&watch->event, lookup->base, fd, (short)(what | EV_PERSIST), on_socket, watch);
	event_add(&watch->event, NULL);
	list_push_back(&lookup->watches, &watch->node);
}

MUST_USE static int open_channel(struct lookup *lookup)
{
	char sources[] = "b";
	char no_resolv_conf[] = "/dev/null";
	struct ares_options options = {
		.timeout = FIRST_TIMEOUT_MS,
		.tries = TRIES,
		.lookups = sources,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = lookup,
		.resolvconf_path = no_resolv_conf,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
	int status;

	if (lookup->servers == NULL) {
		return ares_init_options(&lookup->channel, &options, mask);
	}
	/* No domains, so no search list either. */
	mask |= ARES_OPT_DOMAINS | ARES_OPT_RESOLVCONF;
	status = ares_init_options(&lookup->channel, &options, mask);
	if (status != ARES_SUCCESS) {
		return status;
	}
	return ares_set_servers_ports_csv(lookup->channel, lookup->servers);
}

static void ask_dns(struct lookup *lookup)
{
	struct timeval deadline = {.tv_sec = DEADLINE_S};
	int status;

	lookup->result = (struct lookup_result){0};
	lookup->is_found = false;
	status = open_channel(lookup);
	if (status != ARES_SUCCESS) {
		on_ares_done(lookup, status, 0, NULL);
		return;
	}
	event_add(&lookup->deadline, &deadline);
	ares_getaddrinfo(lookup->channel, lookup->name, NULL, &hints, on_ares_done, lookup);
}

void lookup_init(struct lookup *lookup, const struct lookup_setup *setup)
{
	*lookup = (struct lookup){
		.base = setup->base,
		.name = setup->name,
		.servers = setup->servers,
		.port = setup->port,
		.on_done = setup->on_done,
		.owner = setup->owner,
	};
	list_init(&lookup->watches);
	evtimer_assign(&lookup->timer, lookup->base, on_timer, lookup);
	evtimer_assign(&lookup->deadline, lookup->base, on_deadline, lookup);
	/* Counts its callers, so each lookup has its own cleanup; it can fail on Windows only. */
	(void)ares_library_init(ARES_LIB_INIT_ALL);
}

void lookup_fini(struct lookup *lookup)
{
	if (lookup->base == NULL) {
		return;
	}
	stop(lookup);
	ares_library_cleanup();
	*lookup = (struct lookup){0};
}

void lookup_start(struct lookup *lookup, const struct addr *known, size_t known_count)
{
	static const struct timeval next_turn = {0};

	assert(!lookup->is_under_way);
	lookup->is_under_way = true;
	lookup->is_found = false;
	lookup->known = known;
	lookup->known_count = known_count;
	lookup->result = (struct lookup_result){0};
	if (!find_locally(lookup)) {
		ask_dns(lookup);
	}
	if (lookup->is_found) {
		event_add(&lookup->timer, &next_turn);
	} else {
		arm_timer(lookup);
	}
}

/* c-ares says "refused" also of servers that answered SERVFAIL or REFUSED. */
const char *lookup_status_text(int status)
{
	switch (status) {
	case ARES_ECONNREFUSED:
		return "the DNS servers fail, refuse or cannot be reached";
	case ARES_ECANCELLED:
	case ARES_ETIMEOUT:
		return "the DNS servers do not answer in time";
	default:
		return ares_strerror(status);
	}
}

enum lookup_verdict lookup_verdict_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return LOOKUP_FOUND;
	case ARES_ENOTFOUND:
		return LOOKUP_NO_SUCH_NAME;
	case ARES_ENODATA:
		return LOOKUP_NO_ADDRESS;
	case ARES_ECANCELLED:
	case ARES_ETIMEOUT:
		return LOOKUP_SERVERS_SILENT;
	case ARES_ECONNREFUSED:
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
		return LOOKUP_SERVERS_FAIL;
	default:
		return LOOKUP_OTHER_FAULT;
	}
}
