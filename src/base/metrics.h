/*
 * The counters, gauges and histograms of metrics.def, as one struct that whoever counts borrows.
 *
 * Counting is an addition to a field: no lock, no allocation, no look-up. What a label's values are called stands here, once; the enums of
 * other folders that they follow are checked against them where they are used.
 */
#pragma once

#include "base/ends.h"
#include "base/err.h"
#include "base/histogram.h"

#include <stddef.h>
#include <stdint.h>

/* The labels: METRIC_LABELS(NAME, name in the text, values). ERR and END take theirs from errors.def and ends.def. */
#define METRIC_CLASS_VALUES(V) \
	V(SUBMIT, "submit")    \
	V(SOLVE, "solve")      \
	V(POLL, "poll") V(READ, "read") V(REPORT, "report") V(OTHER, "other") V(UNREAD, "unread")
#define METRIC_CODE_VALUES(V) \
	V(NONE, "none") V(1XX, "1xx") V(2XX, "2xx") V(3XX, "3xx") V(4XX, "4xx") V(5XX, "5xx")
#define METRIC_ANSWER_VALUES(V)                                                                     \
	V(OK, "ok")                                                                                 \
	V(NOT_READY, "not_ready")                                                                   \
	V(WRONG_USER_KEY, "ERROR_WRONG_USER_KEY")                                                   \
	V(KEY_DOES_NOT_EXIST, "ERROR_KEY_DOES_NOT_EXIST") V(ZERO_BALANCE, "ERROR_ZERO_BALANCE") V(  \
		NO_SLOT_AVAILABLE, "ERROR_NO_SLOT_AVAILABLE") V(TOO_MUCH_REQUESTS,                  \
								"ERROR_TOO_MUCH_REQUESTS")          \
		V(MAX_USER_TURN, "MAX_USER_TURN") V(IP_NOT_ALLOWED, "ERROR_IP_NOT_ALLOWED") V(      \
			IP_BANNED, "IP_BANNED") V(ERROR_IP_BANNED,                                  \
						  "ERROR_IP_BANNED") V(SERVER_ERROR,                \
								       "ERROR_SERVER_ERROR")        \
			V(INTERNAL_SERVER_ERROR, "ERROR_INTERNAL_SERVER_ERROR") V(                  \
				CAPTCHA_UNSOLVABLE,                                                 \
				"ERROR_CAPTCHA_UNSOLVABLE") V(WRONG_CAPTCHA_ID,                     \
							      "ERROR_WRONG_CAPTCHA_ID")             \
				V(WRONG_ID_FORMAT, "ERROR_WRONG_ID_FORMAT") V(                      \
					BAD_PARAMETERS,                                             \
					"ERROR_BAD_PARAMETERS") V(BAD_DUPLICATES,                   \
								  "ERROR_BAD_DUPLICATES")           \
					V(PAGEURL, "ERROR_PAGEURL") V(                              \
						GOOGLEKEY, "ERROR_GOOGLEKEY") V(UPLOAD,             \
										"ERROR_UPLOAD")     \
						V(TOO_BIG, "ERROR_TOO_BIG_CAPTCHA_FILESIZE") V(     \
							ZERO_SIZE, "ERROR_ZERO_CAPTCHA_FILESIZE")   \
							V(WRONG_FILE_EXTENSION,                     \
							  "ERROR_WRONG_FILE_EXTENSION")             \
								V(IMAGE_TYPE,                       \
								  "ERROR_IMAGE_TYPE_NOT_SUPPORTED") \
									V(OTHER_ERROR,              \
									  "other_error")            \
										V(HTTP_ERROR,       \
										  "http_error")
#define METRIC_QUEUE_VALUES(V) V(POLL, "poll") V(WORK, "work") V(SOLVE, "solve") V(REPEAT, "repeat")
#define METRIC_PHASE_VALUES(V) \
	V(IDLE, "idle")        \
	V(HEAD, "head")        \
	V(BODY, "body") V(WAITING, "waiting") V(REPLYING, "replying") V(LINGERING, "lingering")
#define METRIC_STATE_VALUES(V)        \
	V(CONNECTING, "connecting")   \
	V(HANDSHAKING, "handshaking") \
	V(IDLE, "idle") V(LEASED, "leased") V(PROBE, "probe") V(CLOSING, "closing")
#define METRIC_CONN_VALUES(V) V(REUSED, "reused") V(WARM, "warm") V(NEW, "new")
#define METRIC_EVIDENCE_VALUES(V) \
	V(UNSENT, "unsent") V(UNDELIVERED, "undelivered") V(UNKNOWN, "unknown")
#define METRIC_HANDSHAKE_VALUES(V) V(FULL, "full") V(RESUMED, "resumed")
#define METRIC_STEP_VALUES(V)      V(DNS, "dns") V(TCP, "tcp") V(TLS, "tls")
#define METRIC_IDLE_VALUES(V) \
	V(ASSUMED, "assumed") V(OBSERVED, "observed") V(HINT, "hint") V(CONFIGURED, "configured")

#define METRIC_LABELS(L)                                                            \
	L(CLASS, "class")                                                           \
	L(CODE, "code")                                                             \
	L(ANSWER, "kind")                                                           \
	L(QUEUE, "class") L(PHASE, "phase") L(STATE, "state") L(CONN, "connection") \
		L(EVIDENCE, "evidence") L(HANDSHAKE, "kind") L(STEP, "step") L(IDLE, "source")

/* enum metric_class { METRIC_CLASS_SUBMIT, …, METRIC_CLASS_COUNT } and so on. */
#define METRIC_ENUM_OF(label, v) METRIC_##label##_##v,
#define V_CLASS(v, text)         METRIC_ENUM_OF(CLASS, v)
#define V_CODE(v, text)          METRIC_ENUM_OF(CODE, v)
#define V_ANSWER(v, text)        METRIC_ENUM_OF(ANSWER, v)
#define V_QUEUE(v, text)         METRIC_ENUM_OF(QUEUE, v)
#define V_PHASE(v, text)         METRIC_ENUM_OF(PHASE, v)
#define V_STATE(v, text)         METRIC_ENUM_OF(STATE, v)
#define V_CONN(v, text)          METRIC_ENUM_OF(CONN, v)
#define V_EVIDENCE(v, text)      METRIC_ENUM_OF(EVIDENCE, v)
#define V_HANDSHAKE(v, text)     METRIC_ENUM_OF(HANDSHAKE, v)
#define V_STEP(v, text)          METRIC_ENUM_OF(STEP, v)
#define V_IDLE(v, text)          METRIC_ENUM_OF(IDLE, v)
#define METRIC_ENUM(label, name) enum { METRIC_##label##_VALUES(V_##label) METRIC_##label##_COUNT };
METRIC_LABELS(METRIC_ENUM)
#undef METRIC_ENUM
enum { METRIC_ERR_COUNT = ERR_COUNT, METRIC_END_COUNT = END_COUNT };

struct metrics {
#define COUNTER(field, name, help)           uint64_t field;
#define COUNTER_BY(field, label, name, help) uint64_t field[METRIC_##label##_COUNT];
#define COUNTER_BY2(field, a, b, name, help) uint64_t field[METRIC_##a##_COUNT][METRIC_##b##_COUNT];
#define GAUGE(field, name, help)             double field;
#define GAUGE_BY(field, label, name, help)   double field[METRIC_##label##_COUNT];
#define HISTOGRAM(field, scale, name, help)  struct histogram field;
#define HISTOGRAM_BY(field, label, scale, name, help) \
	struct histogram field[METRIC_##label##_COUNT];
#include "base/metrics.def"
#undef COUNTER
#undef COUNTER_BY
#undef COUNTER_BY2
#undef GAUGE
#undef GAUGE_BY
#undef HISTOGRAM
#undef HISTOGRAM_BY
	/* The same durations over the last five minutes, for quantiles. */
	struct rolling recent_wait;
	struct rolling recent_first_byte;
	struct rolling recent_total;
};

/* --- the table of them, for who prints --- */

struct metric_label {
	const char *name;
	unsigned first; /* 1 where the value 0 means none */
	unsigned count;
	const char *(*value)(unsigned index);
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_SECONDS, METRIC_NUMBER };

struct metric {
	const char *name;
	const char *help;
	enum metric_kind kind;                /* the last two are histograms */
	size_t offset;                        /* of the field in struct metrics */
	const struct metric_label *labels[2]; /* NULL from where there is none */
};

/* metric_label_CLASS and so on. */
#define METRIC_LABEL_OF(label, name) extern const struct metric_label metric_label_##label;
METRIC_LABELS(METRIC_LABEL_OF)
#undef METRIC_LABEL_OF
extern const struct metric_label metric_label_ERR;
extern const struct metric_label metric_label_END;

extern const struct metric metrics_table[];
extern const size_t metrics_table_count;
