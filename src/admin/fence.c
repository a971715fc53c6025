/* Owns the way in: what libevhtp accepts is taken from it, and bounded. */
#include "admin/fence.h"

#include "admin/visitor.h"
#include "base/addr.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/timer.h"

#include <event2/listener.h>
#include <evhtp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GRACE_MS = 10, TROUBLE_PAUSE_MS = 100 };

struct fence {
	struct fence_setup setup;
	evhtp_t *htp;                              /* owned */
	struct evconnlistener *doors[FENCE_DOORS]; /* owned */
	size_t door_count;
	struct visitors visitors;
	struct timer resume; /* accepting goes on then */
};

/* --- accepting --- */

static void set_accepting(struct fence *fence, bool accepts)
{
	for (size_t i = 0; i < fence->door_count; i++) {
		if (accepts) {
			evconnlistener_enable(fence->doors[i]);
		} else {
			evconnlistener_disable(fence->doors[i]);
		}
	}
}

static void on_resume(void *owner)
{
	set_accepting(owner, true);
}

static void pause_until(struct fence *fence, uint64_t until_ms)
{
	set_accepting(fence, false);
	timer_set(&fence->resume, until_ms);
}

/* Who makes room for the next; NULL while there is some. */
static struct visitor *next_to_go(struct fence *fence)
{
	static const enum visitor_phase order[] = {VISITOR_READING, VISITOR_LINGERING,
						   VISITOR_ANSWERING};

	if (fence_visitor_count(fence) < FENCE_VISITORS) {
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct list_node *node = list_first(&fence->visitors.phases[order[i]]);

		if (node != NULL) {
			return list_entry(node, struct visitor, node);
		}
	}
	return NULL;
}

/* Not their own callback, so that they are freed at once and their descriptors with them. */
static void make_room(struct fence *fence)
{
	uint64_t now_ms = fence->setup.clock->now_ms;
	struct visitor *visitor;

	while ((visitor = next_to_go(fence)) != NULL && now_ms >= visitor->accepted_ms + GRACE_MS) {
		visitor_free(visitor);
	}
}

static evhtp_res on_accept(evhtp_connection_t *htp, void *arg)
{
	struct fence *fence = arg;
	struct addr peer = {.len = sizeof(peer.sa)};
	const struct visitor *next;

	clock_refresh(fence->setup.clock);
	(void)fcntl(htp->sock, F_SETFD, FD_CLOEXEC);
	if (getpeername(htp->sock, &peer.sa.any, &peer.len) != 0) {
		return EVHTP_RES_ERROR; /* gone already */
	}
	make_room(fence);
	visitor_new(&fence->visitors, htp, &peer);
	next = next_to_go(fence);
	if (next != NULL && fence->setup.clock->now_ms < next->accepted_ms + GRACE_MS) {
		pause_until(fence, next->accepted_ms + GRACE_MS);
	}
	return EVHTP_RES_OK;
}

static void on_trouble(struct evconnlistener *door, void *arg)
{
	struct fence *fence = ((evhtp_t *)arg)->arg;
	int error = errno;

	(void)door;
	clock_refresh(fence->setup.clock);
	log_write(fence->setup.log, LOG_WARNING, "admin", "accepting pauses: %s", strerror(error));
	pause_until(fence, fence->setup.clock->now_ms + TROUBLE_PAUSE_MS);
}

/* --- the fence --- */

struct fence *fence_new(const struct fence_setup *setup)
{
	struct fence *fence = mem_alloc(sizeof(*fence));

	fence->setup = *setup;
	fence->visitors = (struct visitors){.base = setup->base, .clock = setup->clock};
	for (unsigned i = 0; i < VISITOR_PHASES; i++) {
		list_init(&fence->visitors.phases[i]);
	}
	timer_init(&fence->resume, setup->base, setup->clock, on_resume, fence);
	fence->htp = evhtp_new(setup->base, fence);
	if (fence->htp == NULL) {
		abort(); /* no memory */
	}
	/* Its callbacks are never called by the loop, so that there is nothing to defer. */
	evhtp_set_bev_flags(fence->htp, BEV_OPT_CLOSE_ON_FREE);
	evhtp_disable_flag(fence->htp, EVHTP_FLAG_ENABLE_100_CONT);
	evhtp_set_post_accept_cb(fence->htp, on_accept, fence);
	evhtp_set_gencb(fence->htp, setup->on_request, setup->owner);
	return fence;
}

void fence_set_access(struct fence *fence, const struct access *access)
{
	fence->visitors.access = access;
}

bool fence_serve(struct fence *fence, int fd)
{
	int own;

	if (fence->door_count == FENCE_DOORS) {
		errno = E2BIG;
		return false;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0) {
		return false;
	}
	/* A backlog of 0: it listens already. */
	if (evhtp_accept_socket(fence->htp, own, 0) != 0) {
		close(own);
		errno = ENOMEM;
		return false;
	}
	evconnlistener_set_error_cb(fence->htp->server, on_trouble);
	fence->doors[fence->door_count++] = fence->htp->server;
	fence->htp->server = NULL; /* it knows one only */
	return true;
}

void fence_shut(struct fence *fence)
{
	timer_set(&fence->resume, TIMER_NEVER);
	while (fence->door_count > 0) {
		evconnlistener_free(fence->doors[--fence->door_count]);
	}
}

void fence_turn(struct fence *fence)
{
	struct list_node *node;

	while ((node = list_first(&fence->visitors.phases[VISITOR_GONE])) != NULL) {
		visitor_free(list_entry(node, struct visitor, node));
	}
}

size_t fence_visitor_count(const struct fence *fence)
{
	return fence->visitors.phases[VISITOR_READING].count +
	       fence->visitors.phases[VISITOR_ANSWERING].count +
	       fence->visitors.phases[VISITOR_LINGERING].count;
}

void fence_free(struct fence *fence)
{
	if (fence == NULL) {
		return;
	}
	fence_shut(fence);
	for (unsigned i = 0; i < VISITOR_PHASES; i++) {
		struct list_node *node;

		while ((node = list_first(&fence->visitors.phases[i])) != NULL) {
			visitor_free(list_entry(node, struct visitor, node));
		}
	}
	timer_fini(&fence->resume);
	evhtp_free(fence->htp);
	free(fence);
}
