/*
 * What this API's requests mean: which class a request is of, by path and `action` parameter, never by method.
 *
 * Pure. The `action` is read from the query and, for urlencoded, multipart and JSON bodies, from the body; percent-encoding
 * in names and values is undone before comparing. "None" only if all that is there could be read; where two disagree, or a
 * body cannot be read (another type or none, malformed, compressed, over 256 KiB), the least repeatable class, PROFILE_REPORT
 * (proxy/params.h says what counts as read). A path that is not byte-equal is PROFILE_OTHER.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

enum profile_class {
	PROFILE_SUBMIT, /* any method on /in.php */
	PROFILE_SOLVE, /* any method on /solve.php */
	PROFILE_POLL, /* /res.php action=get */
	PROFILE_READ, /* /res.php action=getbalance, threadsinfo, or none */
	PROFILE_REPORT, /* /res.php any other action */
	PROFILE_OTHER,
	PROFILE_CLASS_COUNT
};

const char *profile_class_name(enum profile_class class); /* "submit" */

struct profile_request {
	struct span method;
	struct span path;
	struct span query; /* without "?" */
	struct span content_type; /* the field's value, len 0 when absent */
	bool has_content_encoding;
	struct span body;
};

enum profile_class profile_classify(const struct profile_request *request);

/*
 * May a path that is PROFILE_OTHER pay all the same, once a server has decoded percent signs, folded case, collapsed slashes
 * and dots, cut off a parameter or added ".php"? False only when it plainly cannot: ASCII, no "%" left after decoding once,
 * and neither "in" nor "solve" among its words (runs of letters and digits). "//in.php", "/IN.PHP;a", "/in%2Ephp/x": true.
 */
bool profile_may_pay(struct span path);

/*
 * Did the request ask for JSON answers: json=1 in the query, or in a readable body of at most 2 MiB? Decides the shape of
 * error replies; a large body costs up to a millisecond or two, hence only for those.
 */
bool profile_wants_json(const struct profile_request *request);

/*
 * The task id of an answered submit: the digits of "OK|123" or of "request" in {"status":1,…}; len 0 when there is none, when it is no plain number of up to 20
 * digits, or when the body is no such answer.
 */
struct span profile_task_id(struct span response_body);
