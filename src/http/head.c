/* Field names by id, and questions to a parsed head. */
#include "http/head.h"

#include "base/str.h"
#include "http/scan.h"

enum { NAME_LONGEST = 17, NAMES_OF_LENGTH = 2 };

struct known_name {
	const char *name; /* lower case */
	enum http_field_id id;
};

/* By length, so that a name is compared with two at most. */
static const struct known_name known_names[NAME_LONGEST + 1][NAMES_OF_LENGTH] = {
	[2] = {{"te", HTTP_FIELD_TE}},
	[3] = {{"via", HTTP_FIELD_VIA}},
	[4] = {{"host", HTTP_FIELD_HOST}, {"date", HTTP_FIELD_DATE}},
	[6] = {{"expect", HTTP_FIELD_EXPECT}},
	[7] = {{"trailer", HTTP_FIELD_TRAILER}, {"upgrade", HTTP_FIELD_UPGRADE}},
	[10] = {{"connection", HTTP_FIELD_CONNECTION}, {"keep-alive", HTTP_FIELD_KEEP_ALIVE}},
	[11] = {{"retry-after", HTTP_FIELD_RETRY_AFTER}},
	[12] = {{"content-type", HTTP_FIELD_CONTENT_TYPE}},
	[13] = {{"authorization", HTTP_FIELD_AUTHORIZATION}},
	[14] = {{"content-length", HTTP_FIELD_CONTENT_LENGTH},
		{"http2-settings", HTTP_FIELD_HTTP2_SETTINGS}},
	[17] = {{"transfer-encoding", HTTP_FIELD_TRANSFER_ENCODING}},
};

enum {
	HOP_BY_HOP = 1 << HTTP_FIELD_CONNECTION | 1 << HTTP_FIELD_KEEP_ALIVE |
		     1 << HTTP_FIELD_PROXY | 1 << HTTP_FIELD_TE | 1 << HTTP_FIELD_TRAILER |
		     1 << HTTP_FIELD_TRANSFER_ENCODING | 1 << HTTP_FIELD_UPGRADE |
		     1 << HTTP_FIELD_HTTP2_SETTINGS
};

static uint64_t lowered_word(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word | UINT64_C(0x2020202020202020);
}

/* `lower` has letters, digits and "-" only: for these no other byte of a token differs in the bit 0x20 alone. */
static bool is_lowered(const char *name, const char *lower, size_t len)
{
	enum { WORD = sizeof(uint64_t) };
	size_t at = 0;

	for (; at + WORD <= len; at += WORD) {
		if (lowered_word(name + at) != lowered_word(lower + at)) {
			return false;
		}
	}
	if (at > 0) {
		return lowered_word(name + len - WORD) == lowered_word(lower + len - WORD);
	}
	while (at < len && (name[at] | 0x20) == lower[at]) {
		at++;
	}
	return at == len;
}

enum http_field_id http_field_id_of(struct span name)
{
	static const struct span proxy = {"proxy-", 6};
	const struct known_name *known;

	if (name.len > proxy.len && is_lowered(name.data, proxy.data, proxy.len)) {
		return HTTP_FIELD_PROXY;
	}
	if (name.len > NAME_LONGEST) {
		return HTTP_FIELD_OTHER;
	}
	known = known_names[name.len];
	for (unsigned i = 0; i < NAMES_OF_LENGTH && known[i].name != NULL; i++) {
		if (is_lowered(name.data, known[i].name, name.len)) {
			return known[i].id;
		}
	}
	return HTTP_FIELD_OTHER;
}

bool http_field_id_is_hop_by_hop(enum http_field_id id)
{
	return ((unsigned)HOP_BY_HOP >> id & 1) != 0;
}

const struct http_field *http_head_find(const struct http_head *head, enum http_field_id id)
{
	if ((head->ids_seen >> id & 1) == 0) {
		return NULL;
	}
	for (unsigned i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == id) {
			return &head->fields[i];
		}
	}
	return NULL;
}

bool http_head_is_persistent(const struct http_head *head)
{
	return !head->has_close && (head->version_minor > 0 || head->has_keep_alive);
}

uint64_t http_head_keep_alive_seconds(const struct http_head *head)
{
	static const struct span name = {"timeout=", 8};
	const struct http_field *field = http_head_find(head, HTTP_FIELD_KEEP_ALIVE);
	struct span rest;
	struct span item;
	uint64_t seconds;

	if (field == NULL) {
		return 0;
	}
	rest = http_field_value(head, field);
	while (scan_list_item(&rest, &item)) {
		if (item.len < name.len || strncasecmp(item.data, name.data, name.len) != 0) {
			continue;
		}
		item = (struct span){item.data + name.len, item.len - name.len};
		return str_read_u64(item, &seconds) && seconds <= UINT32_MAX ? seconds : 0;
	}
	return 0;
}
