/* Shows records as JSON. */
#include "admin/ledger_page.h"

#include "admin/admin.h"
#include "admin/json.h"
#include "admin/page.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "proxy/proxy.h"
#include "proxy/records.h"

#include <stdio.h>
#include <time.h>

static void put_time(json_t *object, uint64_t unix_ms)
{
	time_t second = (time_t)(unix_ms / 1000);
	struct tm parts;
	char text[64];

	gmtime_r(&second, &parts);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", parts.tm_year + 1900,
		 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
		 (unsigned)(unix_ms % 1000));
	json_put_text(object, "time", text);
}

static void put_digest(json_t *object, const struct record *record)
{
	char text[2 * RECORD_DIGEST_BYTES + 1];

	for (unsigned i = 0; i < RECORD_DIGEST_BYTES; i++) {
		snprintf(text + (size_t)2 * i, 3, "%02x", record->digest[i]);
	}
	json_put_text(object, "sha256", text);
}

static json_t *write_record(const struct record *record)
{
	json_t *object = json_object();

	json_put_u64(object, "number", record->number);
	put_time(object, record->unix_ms);
	json_put_text(object, "client", record->client);
	json_put_text(object, "class",
		      record->class < PROFILE_CLASS_COUNT ? profile_class_name(record->class)
							  : "-");
	json_put_text(object, "path", record->path);
	if (record->has_digest) {
		json_put_text(object, "fate", record->err != ERR_NONE ? "unknown" : "unread");
	}
	if (record->err != ERR_NONE) {
		enum err cause = record->cause != ERR_NONE ? record->cause : record->err;

		json_put_text(object, "error", err_name(cause));
		json_put_text(object, "reason",
			      record->reason[0] != '\0' ? record->reason : err_text(cause));
	}
	if (record->has_digest) {
		if (record->err != ERR_NONE) {
			json_put_u64(object, "sent_bytes", record->sent_bytes);
			json_put_u64(object, "acked_bytes", record->acked_bytes);
		} else if (record->task[0] != '\0') {
			json_put_text(object, "task", record->task);
		}
		put_digest(object, record);
	}
	return object;
}

json_t *ledger_records(const struct records *records, size_t most)
{
	json_t *array = json_array();

	for (size_t age = 0; age < MIN(records_count(records), most); age++) {
		json_array_append_new(array, write_record(records_get(records, age)));
	}
	return array;
}

json_t *ledger_totals(const struct admin_view *view)
{
	const struct metrics *metrics = view->metrics;
	json_t *object = json_object();
	uint64_t unknown = 0;
	uint64_t unread = 0;

	for (unsigned i = 0; i < METRIC_CLASS_COUNT; i++) {
		unknown += metrics->unknown_fates[i];
		unread += metrics->unread_answers[i];
	}
	json_put_u64(object, "unknown", unknown);
	json_put_u64(object, "unread", unread);
	return object;
}

int ledger_write_page(const struct admin_view *view, struct page *page)
{
	const struct records *ledger = &view->proxy->ledger;
	json_t *object = ledger_totals(view);

	json_put_u64(object, "kept", records_count(ledger));
	json_put(object, "records", ledger_records(ledger, LEDGER_RECORDS));
	json_write(object, page);
	return 200;
}
