/* Counts, logs and keeps what became of requests. */
#include "proxy/observe.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "net/digest.h"
#include "proxy/access_log.h"
#include "proxy/answer.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"
#include "proxy/records.h"

#include <stdio.h>
#include <string.h>

/* The label's values follow the enums. */
_Static_assert((int)METRIC_CLASS_UNREAD == (int)PROFILE_CLASS_COUNT, "classes");
_Static_assert((int)METRIC_CLASS_OTHER == (int)PROFILE_OTHER, "classes");
_Static_assert((int)METRIC_EVIDENCE_COUNT == (int)EVIDENCE_COUNT, "evidence");

static unsigned class_of(const struct exchange *exchange)
{
	return exchange->is_request_whole ? (unsigned)exchange->class : METRIC_CLASS_UNREAD;
}

static bool may_have_paid(const struct exchange *exchange)
{
	return exchange->is_request_whole &&
	       retry_may_have_paid(exchange->class, exchange->target.path);
}

static void copy_text(char *out, size_t out_bytes, struct span text)
{
	size_t len = MIN(text.len, out_bytes - 1);

	if (len > 0) {
		memcpy(out, text.data, len); /* an empty span may point nowhere */
	}
	out[len] = '\0';
}

static struct record *add_record(struct records *records, const struct exchange *exchange)
{
	struct record *record = records_add(records);
	struct span path = exchange->is_head_whole ? exchange->target.path : SPAN("-");

	record->class = exchange->is_request_whole ? exchange->class : PROFILE_CLASS_COUNT;
	copy_text(record->client, sizeof(record->client), exchange_client_name(exchange));
	copy_text(record->path, sizeof(record->path), path.len > 0 ? path : SPAN("-"));
	return record;
}

/* As the client sent it, so that its owner can tell which one it was. */
static void add_digest(struct record *record, const struct exchange *exchange)
{
	struct span body = {exchange->in.data + exchange->body_at, exchange->body_bytes};

	digest_sha256(body.len > 0 ? body : exchange->target.query, record->digest);
	record->has_digest = true;
}

void observe_lent(const struct exchange *exchange)
{
	struct metrics *metrics = exchange->proxy->metrics;
	uint64_t wait_us = exchange->lent_us - exchange->whole_us;

	metrics->leases[exchange->conn_kind]++;
	metrics->upstream_requests[exchange->class]++;
	if (!exchange->was_repeated) {
		histogram_add(&metrics->wait[exchange->class], wait_us);
		rolling_add(&metrics->recent_wait, wait_us, exchange->proxy->clock->now_ms);
	}
}

void observe_response(const struct exchange *exchange)
{
	struct metrics *metrics = exchange->proxy->metrics;
	const struct transfer *transfer = &exchange->transfer;
	uint64_t took_us =
		transfer->first_byte_us - MIN(exchange->lent_us, transfer->first_byte_us);

	histogram_add(&metrics->first_byte[exchange->class], took_us);
	rolling_add(&metrics->recent_first_byte, took_us, exchange->proxy->clock->now_ms);
	if (exchange->class != PROFILE_OTHER) {
		metrics->answers[answer_kind(exchange->response.status, transfer->response_body)]++;
	}
}

void observe_repeat(const struct exchange *exchange)
{
	exchange->proxy->metrics->repeats[exchange->evidence]++;
}

void observe_unknown_fate(const struct exchange *exchange, enum err cause, const char *reason,
			  uint64_t sent_bytes, uint64_t acked_bytes)
{
	struct proxy *proxy = exchange->proxy;
	struct record *record = add_record(&proxy->ledger, exchange);

	record->err = ERR_SUBMIT_UNKNOWN;
	record->cause = cause;
	record->sent_bytes = sent_bytes;
	record->acked_bytes = acked_bytes;
	snprintf(record->reason, sizeof(record->reason), "%s", reason);
	add_digest(record, exchange);
	proxy->metrics->unknown_fates[exchange->class]++;
	access_log_unknown(exchange, cause, reason, sent_bytes, acked_bytes);
}

void observe_error(const struct exchange *exchange, enum err err, enum err cause,
		   const char *detail)
{
	struct record *record = add_record(&exchange->proxy->errors, exchange);

	record->err = err;
	record->cause = cause;
	snprintf(record->reason, sizeof(record->reason), "%s", detail != NULL ? detail : "");
	exchange->proxy->metrics->refused[err]++;
}

/* An answer that was paid for and that nobody read. */
static void note_unread(const struct exchange *exchange)
{
	/* A solve's response is the answer itself, which nothing here may hold. */
	struct span task = exchange->class == PROFILE_SUBMIT
				   ? profile_task_id(exchange->transfer.response_body)
				   : (struct span){0};
	struct record *record = add_record(&exchange->proxy->ledger, exchange);

	copy_text(record->task, sizeof(record->task), task);
	add_digest(record, exchange);
	exchange->proxy->metrics->unread_answers[exchange->class]++;
	access_log_left(exchange, task);
}

void observe_finish(const struct exchange *exchange)
{
	struct metrics *metrics = exchange->proxy->metrics;
	uint64_t total_us = exchange_end_us(exchange) - exchange->began_us;
	unsigned class = class_of(exchange);

	if (exchange->status == 0 && !exchange->has_client_left) {
		return; /* no request came */
	}
	/* With a status: an attempt that failed has an end too, and its repeat may still have waited. */
	if (exchange->has_client_left && exchange->err == ERR_NONE && exchange->status != 0 &&
	    exchange->answered_us != 0 && may_have_paid(exchange)) {
		note_unread(exchange);
	}
	if (exchange->client != NULL && exchange->client->usage != NULL &&
	    exchange->is_request_whole) {
		usage_add(exchange->client->usage,
			  exchange->answered_us -
				  (exchange->answered_us != 0 ? exchange->lent_us : 0),
			  exchange->proxy->clock->now_ms);
	}
	metrics->requests[class][MIN(exchange->status / 100, METRIC_CODE_COUNT - 1u)]++;
	histogram_add(&metrics->total[class], total_us);
	rolling_add(&metrics->recent_total, total_us, exchange->proxy->clock->now_ms);
	access_log_write(exchange);
}
