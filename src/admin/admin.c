/* Owns the table of pages and answers with them. */
#include "admin/admin.h"

#include "admin/advice_page.h"
#include "admin/dashboard_page.h"
#include "admin/fence.h"
#include "admin/health.h"
#include "admin/history.h"
#include "admin/ledger_page.h"
#include "admin/metrics_page.h"
#include "admin/page.h"
#include "admin/status_page.h"
#include "base/mem.h"
#include "base/span.h"
#include "config/config.h"
#include "proxy/access.h"

#include <event2/buffer.h>
#include <evhtp.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char plain_text[] = "text/plain; charset=utf-8";
static const char html_text[] = "text/html; charset=utf-8";
static const char json_text[] = "application/json";

static const struct admin_route routes[] = {
	{"/", html_text, dashboard_write_page, &dashboard_page_policy},
	{"/healthz", plain_text, health_write_alive, NULL},
	{"/readyz", plain_text, health_write_ready, NULL},
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics_write_page, NULL},
	{"/status", json_text, status_write_page, NULL},
	{"/advice", json_text, advice_write_page, NULL},
	{"/unknown", json_text, ledger_write_page, NULL},
	{"/history", json_text, history_write_page, NULL},
};

struct admin {
	const struct admin_view *view; /* borrowed */
	struct access *access;         /* owned */
	struct fence *fence;           /* owned */
	struct buffer_pool buffers;    /* of pages being composed */
	struct history history;
	struct advice_desk desk;
};

static int write_not_found(const struct admin_view *view, struct page *page)
{
	(void)view;
	page_append(page, SPAN("there is no such page; there are:"));
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		page_print(page, " %s", routes[i].path);
	}
	page_append(page, SPAN("\n"));
	return 404;
}

static const struct admin_route not_found = {"", plain_text, write_not_found, NULL};

static const struct admin_route *find_route(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (strcmp(routes[i].path, path) == 0) {
			return &routes[i];
		}
	}
	return &not_found;
}

static void add_field(evhtp_request_t *request, const char *name, const char *value)
{
	/* The value is copied, the name is a constant. */
	evhtp_headers_add_header(request->headers_out, evhtp_header_new(name, value, 0, 1));
}

/* libevhtp adds Connection: close. */
static void on_request(evhtp_request_t *request, void *owner)
{
	struct admin *admin = owner;
	const struct admin_route *route = find_route(request->uri->path->full);
	struct page page = {.buffers = &admin->buffers};
	int status = route->write(admin->view, &page);
	char length[32];

	add_field(request, "Content-Type", route->content_type);
	snprintf(length, sizeof(length), "%zu", page.text.len_bytes);
	add_field(request, "Content-Length", length);
	for (size_t i = 0; i < PAGE_FIELDS; i++) {
		add_field(request, page_fields[i].name, page_fields[i].value);
	}
	add_field(request, "Content-Security-Policy",
		  route->policy != NULL ? *route->policy : page_policy);
	if (evhtp_request_get_method(request) != htp_method_HEAD) {
		evbuffer_add(request->buffer_out, page.text.data, page.text.len_bytes);
	}
	buffer_fini(&admin->buffers, &page.text);
	evhtp_send_reply(request, (evhtp_res)status);
}

struct admin *admin_new(struct admin_view *view, struct event_base *base, struct clock *clock,
			struct log *log)
{
	struct admin *admin = mem_alloc(sizeof(*admin));

	admin->view = view;
	view->history = &admin->history;
	view->desk = &admin->desk;
	buffer_pool_init(&admin->buffers, SIZE_MAX);
	admin->fence = fence_new(&(struct fence_setup){.base = base,
						       .clock = clock,
						       .log = log,
						       .on_request = on_request,
						       .owner = admin});
	history_init(&admin->history, view, base, clock);
	admin_apply_config(admin);
	return admin;
}

bool admin_serve(struct admin *admin, int fd)
{
	return fence_serve(admin->fence, fd);
}

void admin_apply_config(struct admin *admin)
{
	const struct config *config = admin->view->config;

	access_free(admin->access);
	admin->access = access_new(&config->admin_allow, &config->admin_hosts, SPAN(""));
	fence_set_access(admin->fence, admin->access);
}

void admin_turn(struct admin *admin)
{
	fence_turn(admin->fence);
}

void admin_free(struct admin *admin)
{
	if (admin == NULL) {
		return;
	}
	fence_free(admin->fence);
	history_fini(&admin->history);
	access_free(admin->access);
	buffer_pool_fini(&admin->buffers);
	free(admin);
}
