/* Counts what was asked of the pool, in slices and windows of time. */
#include "pool/load.h"

#include "base/macros.h"

enum { CELLS_A_DOUBLING = 16, ALL_SLICES = LOAD_SLICES * (LOAD_WINDOWS + 1) };

static const uint64_t SLICE_US = (uint64_t)LOAD_SLICE_S * 1000000;

static struct load_window *slice(struct load *load)
{
	return &load->slices[load->number % LOAD_SLICES];
}

static struct load_window *window_of(struct load *load, uint64_t slice_number)
{
	return &load->windows[slice_number / LOAD_SLICES % ARRAY_SIZE(load->windows)];
}

/* --- cells --- */

static unsigned cell_of(uint64_t demand)
{
	unsigned doublings;

	demand = MIN(demand, (uint64_t)LOAD_DEMAND_MOST);
	if (demand < LOAD_EXACT) {
		return (unsigned)demand;
	}
	doublings = 63 - (unsigned)__builtin_clzll(demand / LOAD_EXACT);
	return LOAD_EXACT + doublings * CELLS_A_DOUBLING +
	       (unsigned)((demand >> doublings) - LOAD_EXACT) / (LOAD_EXACT / CELLS_A_DOUBLING);
}

/* The least demand that is counted in this cell. */
static uint64_t cell_begin(unsigned cell)
{
	unsigned doublings;
	uint64_t step;

	if (cell < LOAD_EXACT) {
		return cell;
	}
	doublings = (cell - LOAD_EXACT) / CELLS_A_DOUBLING;
	step = (cell - LOAD_EXACT) % CELLS_A_DOUBLING;
	return (LOAD_EXACT + step * (LOAD_EXACT / CELLS_A_DOUBLING)) << doublings;
}

double load_share_found(const struct load_window *window, uint64_t demand)
{
	unsigned cell = cell_of(demand);
	uint64_t begin = cell_begin(cell);
	uint64_t end = cell_begin(cell + 1);
	double count;

	if (window->asked == 0 || demand > LOAD_DEMAND_MOST) {
		return 0;
	}
	count = window->found_cells[cell] * (double)(end - demand) / (double)(end - begin);
	for (unsigned i = cell + 1; i < LOAD_CELLS; i++) {
		count += window->found_cells[i];
	}
	return count / (double)window->asked;
}

/* --- time --- */

static void window_add(struct load_window *to, const struct load_window *from)
{
	to->span_us += from->span_us;
	to->asked += from->asked;
	to->waited_full += from->waited_full;
	to->waited_opening += from->waited_opening;
	to->held += from->held;
	to->wait_us += from->wait_us;
	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		to->leases[i] += from->leases[i];
		to->lease_us[i] += from->lease_us[i];
	}
	to->openings += from->openings;
	to->opening_us += from->opening_us;
	to->demand_us += from->demand_us;
	to->demand_square_us += from->demand_square_us;
	to->found += from->found;
	for (unsigned i = 0; i < LOAD_CELLS; i++) {
		to->found_cells[i] += from->found_cells[i];
	}
	to->peak_leased = MAX(to->peak_leased, from->peak_leased);
	to->peak_demand = MAX(to->peak_demand, from->peak_demand);
	to->peak_clients = MAX(to->peak_clients, from->peak_clients);
}

static void note_peaks(struct load *load)
{
	struct load_window *now = slice(load);
	const struct load_state *state = &load->state;

	now->peak_leased = MAX(now->peak_leased, (uint32_t)MIN(state->leased, UINT32_MAX));
	now->peak_demand = MAX(now->peak_demand, (uint32_t)load->demand);
	now->peak_clients = MAX(now->peak_clients, (uint32_t)MIN(state->clients, UINT32_MAX));
}

static void next_slice(struct load *load)
{
	window_add(window_of(load, load->number), slice(load));
	load->number++;
	*slice(load) = (struct load_window){0};
	if (load->number % LOAD_SLICES == 0) {
		*window_of(load, load->number) = (struct load_window){0};
	}
	note_peaks(load);
}

static void begin(struct load *load, uint64_t since_us, uint64_t number)
{
	*load = (struct load){
		.since_us = since_us,
		.at_us = since_us + number * SLICE_US,
		.number = number,
		.demand = load->demand,
		.state = load->state,
	};
	note_peaks(load);
}

static void advance(struct load *load, uint64_t now_us)
{
	if (now_us > load->at_us && now_us - load->at_us > (ALL_SLICES + 1) * SLICE_US) {
		/* Nothing of before is kept: anew, as far back as could be. */
		begin(load, load->since_us, (now_us - load->since_us) / SLICE_US - ALL_SLICES);
	}
	while (load->at_us < now_us) {
		uint64_t end_us = load->since_us + (load->number + 1) * SLICE_US;
		uint64_t passed_us = MIN(end_us, now_us) - load->at_us;

		slice(load)->span_us += passed_us;
		slice(load)->demand_us += load->demand * passed_us;
		slice(load)->demand_square_us += load->demand * load->demand * passed_us;
		load->at_us += passed_us;
		if (load->at_us == end_us) {
			next_slice(load);
		}
	}
}

void load_init(struct load *load, uint64_t now_us)
{
	*load = (struct load){.since_us = now_us, .at_us = now_us};
}

void load_restart(struct load *load, uint64_t now_us)
{
	begin(load, now_us, 0);
}

/* --- counting --- */

void load_ask(struct load *load, uint64_t now_us, const struct load_ask *ask)
{
	uint64_t found = MIN(ask->found, (uint64_t)LOAD_DEMAND_MOST);
	struct load_window *now;

	advance(load, now_us);
	now = slice(load);
	now->asked++;
	now->found += found;
	now->found_cells[cell_of(found)]++;
	if (ask->is_lent) {
		now->peak_demand = MAX(now->peak_demand, (uint32_t)found + 1);
	} else if (ask->is_held) {
		now->held++;
	} else {
		now->peak_demand = MAX(now->peak_demand, (uint32_t)found + 1);
		now->waited_full += found >= ask->size;
		now->waited_opening += found < ask->size;
	}
}

void load_wait_over(struct load *load, uint64_t now_us, uint64_t wait_us)
{
	advance(load, now_us);
	slice(load)->wait_us += wait_us;
}

void load_lease_over(struct load *load, uint64_t now_us, enum queue_class class, uint64_t lease_us)
{
	advance(load, now_us);
	slice(load)->leases[class]++;
	slice(load)->lease_us[class] += lease_us;
}

void load_opened(struct load *load, uint64_t now_us, uint64_t opening_us)
{
	advance(load, now_us);
	slice(load)->openings++;
	slice(load)->opening_us += opening_us;
}

void load_turn(struct load *load, uint64_t now_us, const struct load_state *state)
{
	advance(load, now_us);
	load->state = *state;
	load->demand = MIN(state->leased + state->waiting, (uint64_t)LOAD_DEMAND_MOST);
	note_peaks(load);
}

/* --- reading --- */

void load_read(struct load *load, uint64_t now_us, struct load_report *ret_report)
{
	uint64_t present;

	advance(load, now_us);
	*ret_report = (struct load_report){0};
	for (unsigned i = 0; i < LOAD_SLICES; i++) {
		window_add(&ret_report->recent, &load->slices[i]);
	}
	present = load->number / LOAD_SLICES;
	for (uint64_t back = MIN(present, (uint64_t)LOAD_WINDOWS); back > 0; back--) {
		const struct load_window *window = window_of(load, (present - back) * LOAD_SLICES);

		ret_report->windows[ret_report->count++] = *window;
		ret_report->observed_us += window->span_us;
		ret_report->asked += window->asked;
		if (back >= 2) {
			window_add(&ret_report->before, window);
		}
	}
	ret_report->windows[ret_report->count++] = ret_report->recent;
	/* The unfinished window, and the slice that it does not hold yet. */
	ret_report->observed_us += window_of(load, load->number)->span_us + slice(load)->span_us;
	ret_report->asked += window_of(load, load->number)->asked + slice(load)->asked;
}

uint64_t load_lease_count(const struct load_window *window)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		count += window->leases[i];
	}
	return count;
}

uint64_t load_lease_sum_us(const struct load_window *window)
{
	uint64_t sum_us = 0;

	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		sum_us += window->lease_us[i];
	}
	return sum_us;
}
