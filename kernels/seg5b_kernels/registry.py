"""Every kernel by name: its element function, and the CPU loop around it."""

from __future__ import annotations

from typing import Any, NamedTuple

from seg5b_kernels import arrivals, counts, derivation, latent, points, routing, segments, surface


class Kernel(NamedTuple):
    """``element(i, inputs, outputs)`` handles item i; ``cpu(start, stop, inputs, outputs)`` handles a range."""

    name: str
    element: Any
    cpu: Any


def _kernel(element: Any, cpu: Any) -> Kernel:
    return Kernel(element.__name__, element, cpu)


ABSORB_TEMPLATE = _kernel(derivation.absorb_template, derivation.absorb_templates_cpu)
DERIVE_STREAM = _kernel(derivation.derive_stream, derivation.derive_streams_cpu)
LATENT_FIELD = _kernel(latent.latent_field, latent.latent_fields_cpu)
REALISED_INTENSITY = _kernel(latent.realised_intensity, latent.realised_intensities_cpu)
CHECK_SURFACE = _kernel(surface.check_surface, surface.check_surfaces_cpu)
CHECK_POINT = _kernel(points.check_point, points.check_points_cpu)
BUCKET_COUNT = _kernel(counts.bucket_count, counts.bucket_counts_cpu)
CHECK_COUNTER = _kernel(derivation.check_counter, derivation.check_counters_cpu)
TAKE_CENSUS = _kernel(segments.take_census, segments.take_census_cpu)
ARRANGE_COUNT = _kernel(segments.arrange_count, segments.arrange_counts_cpu)
GATHER_ROW = _kernel(segments.gather_row, segments.gather_rows_cpu)
DRAW_ARRIVAL = _kernel(arrivals.draw_arrival, arrivals.draw_arrivals_cpu)
PLACE_ARRIVAL = _kernel(arrivals.place_arrival, arrivals.place_arrivals_cpu)
ORDER_BIN = _kernel(arrivals.order_bin, arrivals.order_bins_cpu)
ROUTE_ARRIVAL = _kernel(routing.route_arrival, routing.route_arrivals_cpu)

KERNELS = (
    ABSORB_TEMPLATE,
    DERIVE_STREAM,
    LATENT_FIELD,
    REALISED_INTENSITY,
    CHECK_SURFACE,
    CHECK_POINT,
    BUCKET_COUNT,
    TAKE_CENSUS,
    ARRANGE_COUNT,
    GATHER_ROW,
    CHECK_COUNTER,
    DRAW_ARRIVAL,
    PLACE_ARRIVAL,
    ORDER_BIN,
    ROUTE_ARRIVAL,
)
