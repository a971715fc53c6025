/*
 * The differential check of parser and serializer: what is written for the next hop, parsed again, means the same.
 */
#pragma once

#include "http/head.h"

/* For a complete request; NULL, or what changed on the way. */
const char *roundtrip_request(const struct http_head *request);

/* For a complete response. */
const char *roundtrip_response(const struct http_head *response);
