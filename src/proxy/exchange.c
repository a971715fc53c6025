/* Owns one request on its way: queue, attempt, repeat, reply. */
#include "proxy/exchange.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "http/serialize.h"
#include "proxy/client.h"
#include "proxy/observe.h"
#include "proxy/proxy.h"
#include "proxy/reply.h"
#include "proxy/timing.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static void on_lent(struct waiter *waiter, struct conn *conn);
static void on_refused(struct waiter *waiter, enum err err);
static void on_response(struct transfer *transfer);
static void on_failed(struct transfer *transfer, enum err err, const struct stream_facts *facts,
		      const char *detail);

static const struct waiter_ops waiter_ops = {.on_lent = on_lent, .on_refused = on_refused};
static const struct transfer_ops transfer_ops = {.on_response = on_response,
						 .on_failed = on_failed};

struct exchange *exchange_new(struct proxy *proxy, struct client *client)
{
	struct exchange *exchange = mem_cache_take_raw(&proxy->exchange_cache);

	memset(exchange, 0, offsetof(struct exchange, request));
	exchange->proxy = proxy;
	exchange->client = client;
	memcpy(exchange->name, client->name, sizeof(exchange->name));
	http_parser_init(
		&exchange->parser, HTTP_REQUEST,
		(struct http_limits){.head_bytes = proxy->config->limits_request_head_bytes,
				     .target_bytes = proxy->config->limits_request_target_bytes});
	exchange->began_us = proxy->clock->now_us;
	list_push_back(&proxy->exchanges, &exchange->node);
	return exchange;
}

uint64_t exchange_end_us(const struct exchange *exchange)
{
	return exchange->replied_us != 0 ? exchange->replied_us : exchange->proxy->clock->now_us;
}

void exchange_finish(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;

	assert(!exchange->is_queued && !exchange->is_sent);
	observe_finish(exchange);
	if (exchange->client != NULL) {
		exchange->client->exchange = NULL;
	}
	tenant_release(exchange->tenant);
	list_remove(&exchange->node);
	buffer_fini(&proxy->buffers, &exchange->in);
	buffer_fini(&proxy->buffers, &exchange->injected);
	buffer_fini(&proxy->buffers, &exchange->out);
	buffer_fini(&proxy->buffers, &exchange->transfer.response);
	mem_cache_give(&proxy->exchange_cache, exchange);
}

/* --- replies --- */

/* The request's bytes may have moved while its body came: takes the spans anew. */
static void take_spans(struct exchange *exchange)
{
	struct http_head *request = &exchange->request;

	if (request->base == exchange->in.data) {
		return; /* those that exchange_admit() took still hold */
	}
	request->base = exchange->in.data;
	exchange->target = http_split_target(http_head_span(request, request->method),
					     http_head_span(request, request->target));
}

static struct span method_of(const struct exchange *exchange)
{
	return http_head_span(&exchange->request, exchange->request.method);
}

static struct span body_of(const struct exchange *exchange)
{
	if (exchange->new_body.data != NULL) {
		return exchange->new_body;
	}
	return (struct span){exchange->in.data + exchange->body_at, exchange->body_bytes};
}

/* The value of Content-Type; empty when there is none, or more than one: what the body is, is then not known. */
static struct span content_type_of(const struct http_head *head)
{
	struct span type = {0};
	unsigned found = 0;

	for (unsigned i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == HTTP_FIELD_CONTENT_TYPE) {
			type = http_field_value(head, &head->fields[i]);
			found++;
		}
	}
	return found == 1 ? type : (struct span){0};
}

static bool has_content_encoding(const struct http_head *head)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == HTTP_FIELD_OTHER &&
		    span_is_nocase(http_field_name(head, &head->fields[i]),
				   SPAN("Content-Encoding"))) {
			return true;
		}
	}
	return false;
}

static struct profile_request profile_of(const struct exchange *exchange)
{
	const struct http_head *head = &exchange->request;
	bool has_body = exchange->is_request_whole && exchange->body_bytes > 0;

	return (struct profile_request){
		.method = method_of(exchange),
		.path = exchange->target.path,
		.query = exchange->target.query,
		.content_type = has_body ? content_type_of(head) : (struct span){0},
		.has_content_encoding = has_body && has_content_encoding(head),
		.body = has_body ? body_of(exchange) : (struct span){0},
	};
}

static void send_reply(struct exchange *exchange, struct span body, bool closes)
{
	struct span head = {exchange->out.data, exchange->out.len_bytes};

	exchange->reply_bytes = head.len + body.len;
	if (exchange->client == NULL) {
		exchange->has_client_left = true;
		exchange_finish(exchange);
		return;
	}
	client_reply(exchange->client, head, body, closes);
}

/* Who was refused by the queue learns how fast it drains, a guesser how long it waits; 0: as reply.h has it. */
static unsigned retry_after_s(const struct exchange *exchange, enum err err)
{
	bool is_by_queue =
		err == ERR_QUEUE_FULL || err == ERR_CLIENT_QUEUE_FULL || err == ERR_QUEUE_TIMEOUT;

	if (err == ERR_TOO_MANY_FAILURES && exchange->client != NULL) {
		return exchange_guess_wait_s(exchange);
	}
	return is_by_queue ? pool_retry_after_s(exchange->proxy->pool) : 0;
}

void exchange_reply_error(struct exchange *exchange, enum err err, enum err cause,
			  const char *detail)
{
	struct proxy *proxy = exchange->proxy;
	struct profile_request request;
	bool keeps_alive = exchange->client != NULL && client_keeps_alive(exchange->client);
	struct reply reply = {.err = err,
			      .cause = cause,
			      .detail = detail,
			      .keeps_alive = keeps_alive,
			      .retry_after_s = retry_after_s(exchange, err)};
	char timing[TIMING_BYTES];

	if (exchange->is_head_whole) {
		take_spans(exchange);
		request = profile_of(exchange);
		reply.is_json = profile_wants_json(&request);
		reply.is_head = span_is(request.method, SPAN("HEAD"));
		reply.is_http10 = exchange->request.version_minor == 0;
		reply.is_by_proxy = exchange->target.form == HTTP_TARGET_ABSOLUTE;
	}
	if (timing_is_wanted(exchange)) {
		reply.extra = (struct span){timing, timing_write(exchange, timing)};
	}
	exchange->err = err;
	exchange->status = (unsigned)reply_status(&reply);
	observe_error(exchange, err, cause, detail);
	exchange->out.len_bytes = 0;
	buffer_reserve_always(&proxy->buffers, &exchange->out, REPLY_BYTES);
	exchange->out.len_bytes = reply_write(&reply, exchange->out.data);
	send_reply(exchange, (struct span){0}, !keeps_alive);
}

static void reply_response(struct exchange *exchange)
{
	struct transfer *transfer = &exchange->transfer;
	const struct http_head *head = &exchange->response;
	bool keeps_alive = exchange->client != NULL && client_keeps_alive(exchange->client);
	bool is_http10 = exchange->request.version_minor == 0;
	bool has_no_body = transfer->is_head_request || head->status == 204 || head->status == 304;
	struct http_response_out out = {
		.head = head,
		.writes_length = !has_no_body,
		.body_bytes = transfer->response_body.len,
		.keeps_length = transfer->is_head_request || head->status == 304,
		.note = !keeps_alive ? HTTP_NOTE_CLOSE
				     : (is_http10 ? HTTP_NOTE_KEEP_ALIVE : HTTP_NOTE_NONE),
	};
	char timing[TIMING_BYTES];

	if (timing_is_wanted(exchange)) {
		out.extra = (struct span){timing, timing_write(exchange, timing)};
	}
	exchange->status = head->status;
	exchange->out.len_bytes = 0;
	buffer_reserve_always(&exchange->proxy->buffers, &exchange->out,
			      http_response_out_bytes(&out));
	exchange->out.len_bytes = http_write_response(&out, exchange->out.data);
	send_reply(exchange, transfer->response_body, !keeps_alive);
}

/* --- an attempt --- */

/* The head for the next hop. */
static void write_request(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;
	struct span body = body_of(exchange);
	struct http_request_out out = {
		.head = &exchange->request,
		.target = &exchange->target,
		.host = span_of(proxy->upstream_authority),
		.has_body = exchange->framing != HTTP_NO_BODY,
		.body_bytes = body.len,
		.drop_authorization = exchange->drops_authorization,
	};

	exchange->out.len_bytes = 0;
	buffer_reserve_always(&proxy->buffers, &exchange->out, http_request_out_bytes(&out));
	exchange->out.len_bytes = http_write_request(&out, exchange->out.data);
	exchange->transfer.head = (struct span){exchange->out.data, exchange->out.len_bytes};
	exchange->transfer.body = body;
}

static uint64_t response_timeout_ms(const struct exchange *exchange)
{
	const struct config *config = exchange->proxy->config;

	return exchange->class == PROFILE_SOLVE ? config->timeouts_solve_response_ms
						: config->timeouts_response_ms;
}

static void start_on(struct exchange *exchange, struct conn *conn)
{
	struct transfer *transfer = &exchange->transfer;
	uint64_t now_us = exchange->proxy->clock->now_us;

	exchange->is_queued = false;
	exchange->is_sent = true;
	exchange->lent_us = now_us;
	exchange->conn_kind = conn->requests > 0 ? METRIC_CONN_REUSED : METRIC_CONN_WARM;
	if (conn->requests == 0 && conn->opened_us >= exchange->whole_us) {
		exchange->conn_kind = METRIC_CONN_NEW;
		exchange->connect_us = conn->ready_us - conn->opened_us;
	}
	observe_lent(exchange);
	write_request(exchange);
	buffer_fini(&exchange->proxy->buffers, &transfer->response);
	transfer->ops = &transfer_ops;
	transfer->response_head = &exchange->response;
	transfer->is_head_request = span_is(method_of(exchange), SPAN("HEAD"));
	transfer->response_limit_bytes = exchange->proxy->config->limits_response_body_bytes;
	transfer->response_timeout_ms = response_timeout_ms(exchange);
	transfer->deadline_ms = exchange->deadline_ms;
	conn->codec->start(conn, transfer);
}

static enum queue_class queue_class_of(enum profile_class class)
{
	switch (class) {
	case PROFILE_POLL:
	case PROFILE_READ:
		return QUEUE_POLL;
	case PROFILE_SOLVE:
		return QUEUE_SOLVE;
	case PROFILE_SUBMIT:
	case PROFILE_REPORT:
	case PROFILE_OTHER:
	case PROFILE_CLASS_COUNT:
		break;
	}
	return QUEUE_WORK;
}

struct span exchange_client_name(const struct exchange *exchange)
{
	return span_of(exchange->named_by == TENANT_ADDRESS ? exchange->name
							    : exchange->given_name);
}

/* Mostly the same as for the client's last request. */
static struct tenant *find_tenant(const struct exchange *exchange)
{
	struct client *client = exchange->client;
	struct span name = exchange_client_name(exchange);

	if (client->tenant == NULL || !tenant_is(client->tenant, name, exchange->named_by)) {
		tenant_release(client->tenant);
		client->tenant =
			tenant_acquire(&exchange->proxy->tenants, name, exchange->named_by);
		usage_release(client->usage);
		client->usage = usage_acquire(&exchange->proxy->usage, name, exchange->named_by,
					      exchange->proxy->clock->now_ms);
	}
	return tenant_ref(client->tenant);
}

static void acquire(struct exchange *exchange, uint64_t fresh_after)
{
	struct proxy *proxy = exchange->proxy;
	const struct config *config = proxy->config;
	uint64_t now_ms = proxy->clock->now_ms;
	uint64_t wait_ms = exchange->class == PROFILE_SOLVE ? config->timeouts_solve_response_ms
							    : config->queue_timeout_ms;
	struct conn *conn;
	enum err err;

	exchange->waiter = (struct waiter){
		.ops = &waiter_ops,
		.tenant = exchange->tenant,
		.class = queue_class_of(exchange->class),
		.deadline_ms = MIN(now_ms + wait_ms, exchange->deadline_ms),
		.fresh_after = fresh_after,
	};
	conn = pool_acquire(proxy->pool, &exchange->waiter, &err);
	if (conn != NULL) {
		start_on(exchange, conn);
	} else if (err != ERR_NONE) {
		on_refused(&exchange->waiter, err);
	} else {
		exchange->is_queued = true;
		if (exchange->client->has_read_end) {
			exchange_client_ended(exchange);
		}
	}
}

void exchange_start(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;
	const struct config *config = proxy->config;
	struct profile_request profile;
	enum err err = ERR_NONE;

	take_spans(exchange);
	profile = profile_of(exchange);
	exchange->class = profile_classify(&profile);
	exchange->tenant = find_tenant(exchange);
	exchange->deadline_ms = proxy->clock->now_ms + config->queue_timeout_ms +
				config->timeouts_connect_ms + response_timeout_ms(exchange);
	retry_budget_count_request(&proxy->budget, proxy->clock->now_ms);
	if (proxy->api_key->len > 0) {
		err = exchange_inject(exchange, &profile);
	}
	if (err != ERR_NONE) {
		exchange_reply_error(exchange, err, ERR_NONE, NULL);
		return;
	}
	acquire(exchange, 0);
}

static void on_lent(struct waiter *waiter, struct conn *conn)
{
	start_on(CONTAINER_OF(waiter, struct exchange, waiter), conn);
}

static void on_refused(struct waiter *waiter, enum err err)
{
	struct exchange *exchange = CONTAINER_OF(waiter, struct exchange, waiter);
	enum err cause =
		err == ERR_BREAKER_OPEN ? exchange->proxy->pool->last_connect_err : ERR_NONE;

	exchange->is_queued = false;
	exchange_reply_error(exchange, err, cause, NULL);
}

static void on_response(struct transfer *transfer)
{
	struct exchange *exchange = CONTAINER_OF(transfer, struct exchange, transfer);

	exchange->is_sent = false;
	pool_lease_over(exchange->proxy->pool, &exchange->waiter);
	exchange->answered_us = exchange->proxy->clock->now_us;
	observe_response(exchange);
	reply_response(exchange);
}

static enum evidence judge(const struct transfer *transfer, const struct stream_facts *facts)
{
	const struct evidence_facts judged = {
		.bytes_before = transfer->written_before,
		.bytes_now = facts->written_bytes,
		.response_began = transfer->first_byte_us != 0,
		.read_end = facts->read_end,
		.write_failed = facts->write_failed,
		.has_tcp_info = facts->has_tcp_info,
		.is_close_wait = facts->is_close_wait,
		.tcpi_bytes_acked = facts->tcpi_bytes_acked,
	};

	return evidence_judge(&judged);
}

/* May this attempt, which failed, be made again? */
static bool may_repeat(struct exchange *exchange, enum evidence evidence)
{
	struct proxy *proxy = exchange->proxy;
	uint64_t now_ms = proxy->clock->now_ms;
	uint64_t size = proxy->config->pool_size;
	const struct retry_question question = {
		.class = exchange->class,
		.method = method_of(exchange),
		.path = exchange->target.path,
		.evidence = evidence,
		.repeat_other = proxy->config->upstream_repeat_other,
		.was_repeated = exchange->was_repeated,
		.budget_left = retry_budget_has_room(&proxy->budget, now_ms, size),
		.deadline_passed = now_ms >= exchange->deadline_ms,
	};

	if (exchange->client == NULL || proxy->is_over || retry_refuse(&question) != NULL) {
		return false;
	}
	return evidence != EVIDENCE_UNKNOWN || retry_budget_take(&proxy->budget, now_ms, size);
}

static void on_failed(struct transfer *transfer, enum err err, const struct stream_facts *facts,
		      const char *detail)
{
	struct exchange *exchange = CONTAINER_OF(transfer, struct exchange, transfer);
	struct proxy *proxy = exchange->proxy;
	enum evidence evidence = judge(transfer, facts);

	exchange->is_sent = false;
	pool_lease_over(proxy->pool, &exchange->waiter);
	exchange->answered_us = proxy->clock->now_us;
	if (may_repeat(exchange, evidence)) {
		exchange->was_repeated = true;
		exchange->evidence = evidence;
		observe_repeat(exchange);
		acquire(exchange, proxy->pool->last_ready_serial);
		return;
	}
	if (evidence == EVIDENCE_UNKNOWN &&
	    retry_may_have_paid(exchange->class, exchange->target.path)) {
		observe_unknown_fate(exchange, err, detail,
				     facts->written_bytes - transfer->written_before,
				     facts->tcpi_bytes_acked);
		exchange_reply_error(exchange, ERR_SUBMIT_UNKNOWN, err, detail);
		return;
	}
	exchange_reply_error(exchange, err, ERR_NONE, detail);
}

/* --- the client's end --- */

void exchange_client_ended(struct exchange *exchange)
{
	if (exchange->is_queued) {
		pool_cancel(exchange->proxy->pool, &exchange->waiter);
		exchange->is_queued = false;
		exchange_reply_error(exchange, ERR_QUEUE_LEFT, ERR_NONE, NULL);
	}
}

void exchange_orphan(struct exchange *exchange)
{
	exchange->client = NULL;
	if (exchange->is_request_whole) {
		exchange->has_client_left = true;
	}
	if (exchange->is_queued) {
		pool_cancel(exchange->proxy->pool, &exchange->waiter);
		exchange->is_queued = false;
	}
	if (!exchange->is_sent) {
		exchange_finish(exchange);
	}
}
