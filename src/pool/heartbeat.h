/*
 * A heartbeat: HEAD / on a connection that has been idle for pool.heartbeat, so that neither the server nor what stands between
 * takes it for dead. Whatever is answered is well; a connection that does not answer ends like any other.
 */
#pragma once

#include "base/list.h"
#include "http/head.h"
#include "pool/codec.h"

struct conn;
struct pool;

struct heartbeat {
	struct list_node node; /* on pool->heartbeats */
	struct pool *pool;     /* borrowed */
	struct transfer transfer;
	struct http_head head; /* large: kept last, never zeroed whole */
};

/* The head that is sent; the caller owns it. */
char *heartbeat_new_head(const char *authority);

/* Leases the idle connection until the answer has come. It is on pool->heartbeats meanwhile, and still counts as a spare. */
void heartbeat_start(struct conn *conn);
