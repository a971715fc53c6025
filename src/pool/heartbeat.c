/* Owns the heartbeats on their way. */
#include "pool/heartbeat.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "http/head.h"
#include "pool/pool.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 10000, ANSWER_BYTES = 64 * 1024 };

char *heartbeat_new_head(const char *authority)
{
	char *head = NULL;

	if (asprintf(&head, "HEAD / HTTP/1.1\r\nHost: %s\r\nUser-Agent: warmpool\r\n\r\n",
		     authority) < 0) {
		abort();
	}
	return head;
}

static void finish(struct transfer *transfer)
{
	struct heartbeat *heartbeat = CONTAINER_OF(transfer, struct heartbeat, transfer);
	struct pool *pool = heartbeat->pool;

	list_remove(&heartbeat->node);
	buffer_fini(pool->buffers, &transfer->response);
	mem_cache_give(&pool->heartbeat_cache, heartbeat);
	pool_changed(pool);
}

static void on_failed(struct transfer *transfer, enum err err, const struct stream_facts *facts,
		      const char *detail)
{
	(void)err;
	(void)facts;
	(void)detail;
	finish(transfer);
}

static const struct transfer_ops transfer_ops = {.on_response = finish, .on_failed = on_failed};

void heartbeat_start(struct conn *conn)
{
	struct pool *pool = conn->pool;
	struct heartbeat *heartbeat = mem_cache_take_raw(&pool->heartbeat_cache);

	memset(heartbeat, 0, offsetof(struct heartbeat, head));
	heartbeat->pool = pool;
	heartbeat->transfer.ops = &transfer_ops;
	heartbeat->transfer.head = span_of(pool->heartbeat_head);
	heartbeat->transfer.is_head_request = true;
	heartbeat->transfer.response_limit_bytes = ANSWER_BYTES;
	heartbeat->transfer.response_timeout_ms = ANSWER_MS;
	heartbeat->transfer.deadline_ms = pool->clock->now_ms + ANSWER_MS;
	heartbeat->transfer.response_head = &heartbeat->head;
	list_push_back(&pool->heartbeats, &heartbeat->node);
	pool->metrics->heartbeats++;
	conn_lend(conn);
	conn->codec->start(conn, &heartbeat->transfer);
}
