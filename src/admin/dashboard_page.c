/* Owns the bytes of the dashboard. */
#include "admin/dashboard_page.h"

#include "admin/page.h"
#include "base/span.h"
#include "dashboard.h"

const char *const dashboard_page_policy = dashboard_policy;

int dashboard_write_page(const struct admin_view *view, struct page *page)
{
	(void)view;
	page_append(page, (struct span){(const char *)dashboard_html, sizeof(dashboard_html)});
	return 200;
}
