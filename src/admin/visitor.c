/* Owns one connection of the admin interface: collects its head, has it answered, sees the answer off. */
#include "admin/visitor.h"

#include "admin/fence_rules.h"
#include "admin/page.h"
#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/access.h"
#include "proxy/reply.h"

#include <event2/buffer.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	HEAD_MS = 5000,
	ANSWER_MS = 10000,
	LINGER_MS = 2000,
	LINGER_BYTES =
		16 << 20, /* of what is read and dropped, so that its sender gets to the answer */
};

/* --- a visitor --- */

static enum visitor_phase phase_of(const struct visitor *visitor)
{
	return (enum visitor_phase)(visitor->node.list - visitor->all->phases);
}

static void move(struct visitor *visitor, enum visitor_phase phase)
{
	list_remove(&visitor->node);
	list_push_back(&visitor->all->phases[phase], &visitor->node);
}

static void set_deadline(struct visitor *visitor, uint64_t wait_ms)
{
	timer_set(&visitor->timer, visitor->all->clock->now_ms + wait_ms);
}

static void visitor_close(struct visitor *visitor)
{
	move(visitor, VISITOR_GONE);
	timer_set(&visitor->timer, TIMER_NEVER);
	if (visitor->htp != NULL) {
		bufferevent_disable(visitor->bev, EV_READ | EV_WRITE);
		bufferevent_setcb(visitor->bev, NULL, NULL, NULL, NULL);
	}
}

void visitor_free(struct visitor *visitor)
{
	list_remove(&visitor->node);
	timer_fini(&visitor->timer);
	if (visitor->htp != NULL) {
		evhtp_connection_unset_hook(visitor->htp, evhtp_hook_on_connection_fini);
		evhtp_connection_free(visitor->htp);
	}
	free(visitor);
}

/* libevhtp ends it by itself: it will not, with the heads that it gets. */
static evhtp_res on_htp_end(evhtp_connection_t *htp, void *arg)
{
	struct visitor *visitor = arg;

	(void)htp;
	visitor->htp = NULL;
	visitor_close(visitor);
	return EVHTP_RES_OK;
}

/* --- the answer --- */

/* All of it is with the kernel. */
static void finish_answer(struct visitor *visitor)
{
	if (!visitor->lingers || visitor->has_read_end ||
	    shutdown(bufferevent_getfd(visitor->bev), SHUT_WR) != 0) {
		visitor_close(visitor);
		return;
	}
	move(visitor, VISITOR_LINGERING);
	set_deadline(visitor, LINGER_MS);
}

static void begin_answer(struct visitor *visitor)
{
	move(visitor, VISITOR_ANSWERING);
	set_deadline(visitor, ANSWER_MS);
}

static void refuse(struct visitor *visitor, struct fence_refusal refusal)
{
	struct evbuffer *input = bufferevent_get_input(visitor->bev);
	struct evbuffer *out = bufferevent_get_output(visitor->bev);
	struct span method = visitor->head.method.len > 0
				     ? http_head_span(&visitor->head, visitor->head.method)
				     : SPAN("");
	bool is_head = span_is(method, SPAN("HEAD"));

	begin_answer(visitor);
	visitor->lingers = true;
	evbuffer_add_printf(out,
			    "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
			    "Content-Length: %zu\r\nConnection: close\r\n%s",
			    refusal.status, reply_reason_phrase(refusal.status),
			    strlen(refusal.text) + 1,
			    refusal.status == 405 ? "Allow: GET, HEAD\r\n" : "");
	for (size_t i = 0; i < PAGE_FIELDS; i++) {
		evbuffer_add_printf(out, "%s: %s\r\n", page_fields[i].name, page_fields[i].value);
	}
	evbuffer_add_printf(out, "Content-Security-Policy: %s\r\n", page_policy);
	evbuffer_add_printf(out, "\r\n%s%s", is_head ? "" : refusal.text, is_head ? "" : "\n");
	evbuffer_drain(input, evbuffer_get_length(input));
}

/* The one time that libevhtp reads. */
static void hand_over(struct visitor *visitor, struct span path)
{
	struct evbuffer *input = bufferevent_get_input(visitor->bev);
	struct span method = http_head_span(&visitor->head, visitor->head.method);
	char head[FENCE_PATH_BYTES + 128];
	int len = snprintf(head, sizeof(head),
			   "%.*s %.*s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n",
			   (int)method.len, method.data, (int)path.len, path.data);

	assert(len > 0 && (size_t)len < sizeof(head));
	begin_answer(visitor);
	visitor->lingers = evbuffer_get_length(input) > visitor->head.head_bytes;
	evbuffer_drain(input, evbuffer_get_length(input));
	if (evbuffer_prepend(input, head, (size_t)len) != 0) {
		visitor_close(visitor);
		return;
	}
	visitor->on_htp(visitor->bev, visitor->htp_arg);
	if (phase_of(visitor) == VISITOR_ANSWERING &&
	    evbuffer_get_length(bufferevent_get_output(visitor->bev)) == 0) {
		visitor_close(visitor); /* no answer: no memory for it */
	}
}

/* --- the head --- */

static void read_head(struct visitor *visitor)
{
	struct evbuffer *input = bufferevent_get_input(visitor->bev);
	size_t len = evbuffer_get_length(input);
	const char *data = (const char *)evbuffer_pullup(input, -1);
	struct fence_refusal refusal;
	struct span path;
	enum err err;

	if (data == NULL) {
		return;
	}
	err = http_parse(&visitor->parser, &visitor->head, data, len);
	if (err == ERR_NONE && visitor->parser.state != HTTP_PARSE_DONE &&
	    len <= FENCE_HEAD_BYTES) {
		return; /* more will come */
	}
	if (err == ERR_NONE && (visitor->parser.state != HTTP_PARSE_DONE ||
				visitor->head.head_bytes > FENCE_HEAD_BYTES)) {
		err = ERR_HEAD_TOO_LARGE;
	}
	if (err != ERR_NONE) {
		refuse(visitor, fence_refusal_of(err));
	} else if (!fence_admits(&visitor->head, visitor->all->access,
				 access_allows_peer(visitor->all->access, &visitor->peer), &path,
				 &refusal)) {
		refuse(visitor, refusal);
	} else {
		hand_over(visitor, path);
	}
}

/* --- events of a connection --- */

static void drop_input(struct visitor *visitor)
{
	struct evbuffer *input = bufferevent_get_input(visitor->bev);
	size_t len = evbuffer_get_length(input);

	evbuffer_drain(input, len);
	visitor->dropped_bytes += len;
	visitor->lingers = true;
	if (visitor->dropped_bytes > LINGER_BYTES) {
		visitor_close(visitor);
	}
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct visitor *visitor = arg;

	(void)bev;
	clock_refresh(visitor->all->clock);
	if (phase_of(visitor) == VISITOR_READING) {
		read_head(visitor);
	} else {
		drop_input(visitor);
	}
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct visitor *visitor = arg;

	clock_refresh(visitor->all->clock);
	if (phase_of(visitor) == VISITOR_ANSWERING &&
	    evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
		finish_answer(visitor);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct visitor *visitor = arg;

	(void)bev;
	clock_refresh(visitor->all->clock);
	if ((what & BEV_EVENT_EOF) != 0 && phase_of(visitor) == VISITOR_ANSWERING) {
		visitor->has_read_end = true; /* it may have closed its side alone */
	} else {
		visitor_close(visitor);
	}
}

static void on_deadline(void *owner)
{
	struct visitor *visitor = owner;

	if (phase_of(visitor) == VISITOR_READING &&
	    evbuffer_get_length(bufferevent_get_input(visitor->bev)) > 0) {
		refuse(visitor,
		       (struct fence_refusal){408, "the request's head did not arrive within 5 s"});
	} else {
		visitor_close(visitor);
	}
}

/* --- its beginning --- */

void visitor_new(struct visitors *all, evhtp_connection_t *htp, const struct addr *peer)
{
	struct visitor *visitor = mem_alloc(sizeof(*visitor));

	visitor->all = all;
	visitor->htp = htp;
	visitor->bev = evhtp_connection_get_bev(htp);
	visitor->accepted_ms = all->clock->now_ms;
	visitor->peer = *peer;
	http_parser_init(&visitor->parser, HTTP_REQUEST,
			 (struct http_limits){FENCE_HEAD_BYTES, FENCE_HEAD_BYTES});
	timer_init(&visitor->timer, all->base, all->clock, on_deadline, visitor);
	set_deadline(visitor, HEAD_MS);
	list_push_back(&all->phases[VISITOR_READING], &visitor->node);
	evhtp_connection_set_hook(htp, evhtp_hook_on_connection_fini, (evhtp_hook)on_htp_end,
				  visitor);
	bufferevent_getcb(visitor->bev, &visitor->on_htp, NULL, NULL, &visitor->htp_arg);
	bufferevent_setcb(visitor->bev, on_read, on_written, on_event, visitor);
	/* A byte more than a head may have, to tell that it has more. */
	bufferevent_setwatermark(visitor->bev, EV_READ, 0, FENCE_HEAD_BYTES + 1);
}
