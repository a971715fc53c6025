/*
 * The configuration: one struct whose fields come from options.def, filled with defaults, then a file, then --set.
 *
 * Fallible functions gather described problems ("FILE:LINE: key: what is wrong; what to do") in a
 * struct config_problems instead of stopping at the first. A config owns its strings.
 */
#pragma once

#include "base/addr.h"
#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The index of an option in config_options[]: OPTION_ID_pool_size. */
enum option_id {
#define OPTION(type, field, kind, ...) OPTION_ID_##field,
#include "config/options.def"
#undef OPTION
	OPTION_COUNT
};

struct string_list {
	char **items; /* owned, each too */
	size_t count;
};

/*
 * What one client may take, by its name; the one named "default" holds for clients without a row, and for what a row does
 * not say. A name that is a network or an address holds for the clients in it that go by their address. Names are unique; the
 * order means nothing.
 */
#define CLIENT_ROW_UNSET UINT64_MAX /* as the default row says */

struct client_row {
	char *name; /* owned */
	uint64_t weight;
	uint64_t max_inflight;
	uint64_t max_queued;
	struct cidr network; /* valid with is_network */
	bool is_network;
};

struct client_rows {
	struct client_row *items; /* owned */
	size_t count;
};

/* Values of a DURATION_OR field from here on are the index of a word ("auto", "off"). */
#define OPTION_WORD_BASE  (UINT64_MAX - 15)
#define OPTION_IS_WORD(v) ((v) >= OPTION_WORD_BASE)

enum { SERVER_TIMING_LOOPBACK, SERVER_TIMING_ON, SERVER_TIMING_OFF };

struct config {
#define OPTION(type, field, kind, ...) type field;
#include "config/options.def"
#undef OPTION
	/* Owned; who set an option last ("FILE:LINE", "--set KEY"), NULL for a default: the `where` of later problems. */
	char *origins[OPTION_COUNT];
};

enum option_kind {
	OPTION_BOOL,
	OPTION_U64,
	OPTION_DURATION,
	OPTION_SIZE,
	OPTION_PERCENT,
	OPTION_TEXT,
	OPTION_LIST,
	OPTION_WORD,
	OPTION_DURATION_OR,
	OPTION_CLIENTS,
};

struct option {
	const char *key;
	const char *fallback;
	const char *words; /* NULL, or comma-separated */
	const char *help;
	uint64_t min;
	uint64_t max;
	enum option_kind kind;
	bool reloadable;
	size_t offset; /* of the field in struct config */
};

extern const struct option config_options[];
extern const size_t config_option_count;

/*
 * Problems found, each one line without newline, in order: "WHERE: key: what is wrong; what to do", a warning with
 * "warning: " before it. `errors` counts those that are not warnings. After CONFIG_PROBLEMS_MAX lines the rest is only
 * counted. Zeroed memory is an empty one.
 */
enum { CONFIG_PROBLEMS_MAX = 100 };

struct config_problems {
	char **lines; /* owned, each too */
	size_t count;
	size_t errors;
};

void config_problems_fini(struct config_problems *problems);

/*
 * Joins the origin of a setting and its key to the `where` of a problem: "FILE:LINE: pool.size", "--set pool.size", or
 * without an origin "pool.size". A long one loses its beginning. Returns `out`.
 */
enum { CONFIG_WHERE_BYTES = 512 };
char *config_where(const char *origin, const char *key, char out[CONFIG_WHERE_BYTES]);

/* `where` is "FILE:LINE", what config_where() wrote, or NULL; warnings do not count as errors. */
void config_problem(struct config_problems *problems, const char *where, const char *format, ...)
	PRINTF_LIKE(3, 4);
void config_warning(struct config_problems *problems, const char *where, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Untrusted text for a problem: in quotes, control bytes as '?', cut after 60 bytes. Returns `out`. */
enum { CONFIG_QUOTE_BYTES = 72 };
char *config_quote(struct span text, char out[CONFIG_QUOTE_BYTES]);

/* All fields at their defaults. */
void config_init(struct config *config);
void config_fini(struct config *config);

/* The option with this key, or NULL; config_nearest() then names the most alike one, or NULL when none is near. */
const struct option *config_find(const char *key);
const struct option *config_nearest(const char *key);

/* The index of the first option of a section ("pool"), or OPTION_COUNT; and the most alike section, false when none is. */
enum { CONFIG_SECTION_BYTES = 32 };
size_t config_find_section(const char *name);
MUST_USE bool config_nearest_section(const char *name, char ret_section[CONFIG_SECTION_BYTES]);

/*
 * Sets one option from its text (lists take commas), or one field of a row: the key is then access.clients.NAME.FIELD, and
 * NAME may hold dots. `where` is "FILE:LINE", "--set KEY" or NULL, and becomes the option's origin. On a fault adds a
 * problem that names the option, what is wrong and what is allowed, and leaves the field alone.
 */
void config_set(struct config *config, struct config_problems *problems, const char *where,
		const char *key, const char *text);
/* The same for a list whose items are already apart (YAML sequences). */
void config_set_list(struct config *config, struct config_problems *problems, const char *where,
		     const char *key, const char *const *items, size_t count);

/* Writes an option's present value as its text form ("64KiB", "auto", "a, b"). Returns `out`. */
char *config_value_text(const struct config *config, const struct option *option, char *out,
			size_t out_bytes);

/* What an option may be set to, for people: "1 to 10000", "auto, or 1s to 1d", "true or false". Returns `out`. */
enum { CONFIG_ALLOWED_BYTES = 128 };
char *config_allowed_text(const struct option *option, char out[CONFIG_ALLOWED_BYTES]);

/* Has the option the same value in both? For reloads, and to tell a default. */
bool config_is_same(const struct config *a, const struct config *b, const struct option *option);

/*
 * What holds for the client of this name: its row, else (for a client that goes by its address, which `addr` is then; else NULL) the
 * narrowest network that holds it, else the default row, else weight 1 and no bounds. Pure.
 */
struct client_limits {
	uint64_t weight;
	uint64_t max_inflight; /* 0: no bound */
	uint64_t max_queued;   /* 0: no bound */
};

struct client_limits config_client_limits(const struct client_rows *rows, struct span name,
					  const struct addr *addr);

/* Exchanges the value and the origin of one option. */
void config_swap(struct config *a, struct config *b, const struct option *option);

/*
 * What one option alone cannot show: addresses and networks that do not parse, a listen address other than
 * loopback with an access.allow of loopback only or without tokens, the files of tokens and of the key, a key that is not safe
 * with the other options, an unreadable CA file, min_idle above size, the URL's form, pending options in use. No network is
 * touched.
 */
void config_check(const struct config *config, struct config_problems *problems);
