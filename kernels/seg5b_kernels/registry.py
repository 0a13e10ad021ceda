"""Every kernel by name: its element function, and the CPU loop around it."""

from __future__ import annotations

from typing import Any, NamedTuple

from seg5b_kernels import accounts, arrivals, cells, counts, derivation, latent, routing, segments, surface


class Kernel(NamedTuple):
    """``element(i, inputs, outputs)`` handles item i; ``cpu(start, stop, inputs, outputs)`` handles a range."""

    name: str
    element: Any
    cpu: Any


KERNELS: list[Kernel] = []
"""All kernels, in the order in which states use them."""


def _kernel(element: Any, cpu: Any) -> Kernel:
    kernel = Kernel(element.__name__, element, cpu)
    KERNELS.append(kernel)
    return kernel


ABSORB_TEMPLATE = _kernel(derivation.absorb_template, derivation.absorb_templates_cpu)
DERIVE_STREAM = _kernel(derivation.derive_stream, derivation.derive_streams_cpu)
LATENT_FIELD = _kernel(latent.latent_field, latent.latent_fields_cpu)
TWO_LEVEL_FACTOR = _kernel(latent.two_level_factor, latent.two_level_factors_cpu)
REALISED_INTENSITY = _kernel(latent.realised_intensity, latent.realised_intensities_cpu)
CHECK_SURFACE = _kernel(surface.check_surface, surface.check_surfaces_cpu)
CHECK_CELL = _kernel(cells.check_cell, cells.check_cells_cpu)
BUCKET_COUNT = _kernel(counts.bucket_count, counts.bucket_counts_cpu)
SUM_BY_DAY = _kernel(segments.sum_by_day, segments.sum_by_day_cpu)
ARRANGE_COUNT = _kernel(segments.arrange_count, segments.arrange_counts_cpu)
LOCATE_WINDOW = _kernel(segments.locate_window, segments.locate_windows_cpu)
GATHER_ROW = _kernel(segments.gather_row, segments.gather_rows_cpu)
SPREAD_ROW = _kernel(segments.spread_row, segments.spread_rows_cpu)
DRAW_ARRIVAL = _kernel(arrivals.draw_arrival, arrivals.draw_arrivals_cpu)
PLACE_ARRIVAL = _kernel(arrivals.place_arrival, arrivals.place_arrivals_cpu)
ORDER_BIN = _kernel(arrivals.order_bin, arrivals.order_bins_cpu)
ROUTE_ARRIVAL = _kernel(routing.route_arrival, routing.route_arrivals_cpu)
COUNT_VIRTUAL = _kernel(arrivals.count_virtual, arrivals.count_virtuals_cpu)
TALLY_ARRIVALS = _kernel(accounts.tally_arrivals, accounts.tally_arrivals_cpu)
ACCOUNT_ROWS = _kernel(accounts.account_rows, accounts.account_rows_cpu)
CLOSE_ACCOUNT = _kernel(accounts.close_account, accounts.close_accounts_cpu)
