/*
 * /metrics: every metric of metrics.def in the text format of Prometheus (version 0.0.4), and warmpool_build_info and process_cpu_seconds_total,
 * whose values are no counters of ours. Histograms have a bound at each power of two: of a microsecond from 128 µs to 134 s, of a number from 1 to 65536.
 */
#pragma once

struct admin_view;
struct page;

int metrics_write_page(const struct admin_view *view, struct page *page);
