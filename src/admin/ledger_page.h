/*
 * /unknown: the ledger, as JSON: paid requests of whose fate a user must know, the newest first. The ledger dies with the process; each of its lines
 * is in the log too.
 *
 *   {"unknown": N, "unread": N, "kept": N, "records": [{
 *       "number", "time": "2026-11-23T09:30:00.338Z", "class", "path", "client",
 *       "fate": "unknown" | "unread",         unread: answered, but its client had left
 *       "error", "reason", "sent_bytes", "acked_bytes",      of an unknown one
 *       "task",                               of an unread submit, to be polled; absent where the answer names none
 *       "sha256"                              of the body, or without one of the query, as the client sent it
 *   }, …]}
 */
#pragma once

#include <jansson.h>

struct admin_view;
struct page;
struct records;

int ledger_write_page(const struct admin_view *view, struct page *page);

/* "unknown" and "unread" alone: how many there were since the start, kept or not. */
json_t *ledger_totals(const struct admin_view *view);

/* The newest records of a ring, in that form. */
json_t *ledger_records(const struct records *records, size_t most);
