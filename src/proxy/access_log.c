/* Writes the access log and the warnings about paid requests. */
#include "proxy/access_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"

#include <string.h>

enum { METHOD_SHOWN_BYTES = 32, PATH_SHOWN_BYTES = 256 };

#define PAIR(value, text) LOG_PAIR("class", text),
static const struct log_key classes[] = {METRIC_CLASS_VALUES(PAIR)};
#undef PAIR
#define PAIR(value, text) LOG_PAIR("conn", text),
static const struct log_key conn_kinds[] = {METRIC_CONN_VALUES(PAIR)};
#undef PAIR
static const struct log_key no_class = LOG_PAIR("class", "-");

static struct span method_of(const struct exchange *exchange)
{
	struct span method;

	if (!exchange->is_head_whole) {
		return SPAN("-");
	}
	method = http_head_span(&exchange->request, exchange->request.method);
	method.len = MIN(method.len, (size_t)METHOD_SHOWN_BYTES);
	return method;
}

static struct span path_of(const struct exchange *exchange)
{
	struct span path = exchange->target.path;

	if (!exchange->is_head_whole || path.len == 0) {
		return SPAN("-");
	}
	path.len = MIN(path.len, (size_t)PATH_SHOWN_BYTES);
	return path;
}

static uint64_t between_us(uint64_t from_us, uint64_t to_us)
{
	return from_us != 0 && to_us > from_us ? to_us - from_us : 0;
}

static void put_client(const struct log *log, struct log_line *line,
		       const struct exchange *exchange)
{
	struct span name = exchange_client_name(exchange);

	if (exchange->named_by == TENANT_ADDRESS && memchr(name.data, '=', name.len) == NULL) {
		log_field_word(log, line, LOG_KEY("client"), name);
	} else {
		log_field_text(log, line, LOG_KEY("client"), name);
	}
}

/* One with a known class is one of the profile's own, a plain word. */
static void put_path(const struct log *log, struct log_line *line, const struct exchange *exchange)
{
	if (exchange->is_request_whole && exchange->class != PROFILE_OTHER) {
		log_field_word(log, line, LOG_KEY("path"), path_of(exchange));
	} else {
		log_field_text(log, line, LOG_KEY("path"), path_of(exchange));
	}
}

void access_log_write(const struct exchange *exchange)
{
	struct log *log = exchange->proxy->log;
	UNINITIALIZED struct log_line line;

	if (!exchange->proxy->config->log_access || !log_wants(log, LOG_INFO)) {
		return;
	}
	log_begin(log, &line, LOG_INFO, "access");
	put_client(log, &line, exchange);
	log_field_pair(log, &line,
		       exchange->is_request_whole ? &classes[exchange->class] : &no_class);
	log_field_word(log, &line, LOG_KEY("method"),
		       method_of(exchange)); /* a token of RFC 9110 */
	put_path(log, &line, exchange);
	log_field_u64(log, &line, LOG_KEY("status"), exchange->status);
	log_field_u64(log, &line, LOG_KEY("bytes"), exchange->reply_bytes);
	log_field_ms(log, &line, LOG_KEY("queue_ms"),
		     between_us(exchange->whole_us, exchange->lent_us));
	log_field_ms(log, &line, LOG_KEY("connect_ms"), exchange->connect_us);
	log_field_ms(log, &line, LOG_KEY("upstream_ms"),
		     between_us(exchange->lent_us, exchange->answered_us));
	log_field_ms(log, &line, LOG_KEY("total_ms"),
		     between_us(exchange->began_us, exchange_end_us(exchange)));
	if (exchange->lent_us != 0) {
		log_field_pair(log, &line, &conn_kinds[exchange->conn_kind]);
	}
	if (exchange->err != ERR_NONE) {
		log_field_word(log, &line, LOG_KEY("error"), span_of(err_name(exchange->err)));
	}
	if (exchange->was_repeated) {
		log_field_text(log, &line, LOG_KEY("retry"),
			       span_of(evidence_name(exchange->evidence)));
	}
	if (exchange->has_client_left) {
		log_field_text(log, &line, LOG_KEY("client_left"), SPAN("yes"));
	}
	log_end_gathered(log, &line);
}

static void begin_warning(const struct exchange *exchange, struct log_line *line)
{
	struct log *log = exchange->proxy->log;

	log_begin(log, line, LOG_WARNING, "ledger");
	put_client(log, line, exchange);
	log_field_text(log, line, LOG_KEY("class"), span_of(profile_class_name(exchange->class)));
	put_path(log, line, exchange);
}

void access_log_unknown(const struct exchange *exchange, enum err cause, const char *reason,
			uint64_t sent_bytes, uint64_t acked_bytes)
{
	struct log *log = exchange->proxy->log;
	UNINITIALIZED struct log_line line;

	if (!log_wants(log, LOG_WARNING)) {
		return;
	}
	begin_warning(exchange, &line);
	log_field_text(log, &line, LOG_KEY("fate"), SPAN("unknown"));
	log_field_word(log, &line, LOG_KEY("error"), span_of(err_name(cause)));
	log_field_text(log, &line, LOG_KEY("reason"), span_of(reason));
	log_field_u64(log, &line, LOG_KEY("sent_bytes"), sent_bytes);
	log_field_u64(log, &line, LOG_KEY("acked_bytes"), acked_bytes);
	log_end(log, &line);
}

void access_log_left(const struct exchange *exchange, struct span task_id)
{
	struct log *log = exchange->proxy->log;
	UNINITIALIZED struct log_line line;

	if (!log_wants(log, LOG_WARNING)) {
		return;
	}
	begin_warning(exchange, &line);
	log_field_text(log, &line, LOG_KEY("fate"), SPAN("answered, but the client had left"));
	log_field_text(log, &line, LOG_KEY("task"), task_id.len > 0 ? task_id : SPAN("-"));
	log_end(log, &line);
}
