/*
 * /status: the whole state as one JSON document, for `warmpool status`, the dashboard and scripts. docs/status.md lists its members.
 */
#pragma once

struct admin_view;
struct page;

int status_write_page(const struct admin_view *view, struct page *page);
