/*
 * The errors of the data path. One row each in errors.def; everything else is looked up here.
 */
#pragma once

#include <stdbool.h>

enum err {
#define ERR(name, status, type, helps, text) ERR_##name,
#include "base/errors.def"
#undef ERR
	ERR_COUNT
};

/* "QUEUE_TIMEOUT": in a reply with "ERROR_" before it, in logs as it is. */
const char *err_name(enum err err);

/* The HTTP status of the reply. */
int err_status(enum err err);

/* The error type of RFC 9209 section 2.3, for Proxy-Status. */
const char *err_proxy_type(enum err err);

/* May the same request succeed after a wait? Then the reply carries Retry-After. */
bool err_waiting_helps(enum err err);

/* A sentence for people, without a full stop. */
const char *err_text(enum err err);
