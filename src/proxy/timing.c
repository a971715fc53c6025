/* Writes the durations of an exchange. */
#include "proxy/timing.h"

#include "base/clock.h"
#include "base/str.h"
#include "config/config.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"

#include <string.h>

bool timing_is_wanted(const struct exchange *exchange)
{
	const struct client *client = exchange->client;

	switch (exchange->proxy->config->response_server_timing) {
	case SERVER_TIMING_ON:
		return true;
	case SERVER_TIMING_LOOPBACK:
		return client != NULL && (addr_is_local(&client->stream.peer) ||
					  addr_is_loopback(&client->stream.peer));
	default:
		return false;
	}
}

static char *put(char *out, struct span text)
{
	memcpy(out, text.data, text.len);
	return out + text.len;
}

size_t timing_write(const struct exchange *exchange, char out[TIMING_BYTES])
{
	uint64_t now_us = exchange->proxy->clock->now_us;
	/* Without a connection it waited until now. */
	uint64_t lent_us = exchange->lent_us != 0 ? exchange->lent_us : now_us;
	uint64_t answered_us = exchange->answered_us != 0 ? exchange->answered_us : lent_us;
	char *at = out;

	at = put(at, SPAN("Server-Timing: queue;dur="));
	at += str_put_ms(at, exchange->whole_us != 0 ? lent_us - exchange->whole_us : 0);
	at = put(at, SPAN(", connect;dur="));
	at += str_put_ms(at, exchange->connect_us);
	at = put(at, SPAN(", upstream;dur="));
	at += str_put_ms(at, answered_us > lent_us ? answered_us - lent_us : 0);
	at = put(at, SPAN("\r\n"));
	return (size_t)(at - out);
}
