/*
 * /: the dashboard, one page for a browser, dashboard.html as it was when this was built. What it shows it asks /status, /history, /advice and /unknown
 * for. It runs under a policy of its own, dashboard_page_policy: its own script and style, by their hashes, and no other.
 */
#pragma once

struct admin_view;
struct page;

extern const char *const dashboard_page_policy;

int dashboard_write_page(const struct admin_view *view, struct page *page);
