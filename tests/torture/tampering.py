"""Tamperings with a finished run by an insider who mends every digest (law L15): one each, as small as it can be.

``TAMPERINGS[name].on(run)`` does one to a run folder. Afterwards plain `seg5b verify` finds nothing; what can find it are the
laws that S5 checks, and making the numbers again. Runs must be of `tests.worlds.JUDGED` with ``TAMPERED``: the latent field is
written, and every dataset has rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from tests.policies import Changes
from tests.torture import tampering_acts as acts
from tests.torture.insider import mending
from tests.validation.harness import at, cast, drop, put

TAMPERED: Changes = {"arrival_lgcp_config_5B": {"diagnostics.emit_latent_field_diagnostic": True}}
"""Changes of policies of a run that can be tampered with in every way."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """``changes``: dataset of `PLACES` and what is changed of it: columns, or ``rows``, ``order``, ``metadata``, ``form`` (same
    values, other bytes), ``text`` (of a file that is no table), ``files``. ``unlawful``: what is left contradicts itself, so
    that S5 must notice without making anything again."""

    changes: Mapping[str, tuple[str, ...]]
    act: acts.Act
    unlawful: bool = False

    def on(self, run: Path) -> None:
        """Tamper with a run folder, and mend its digests."""
        with mending(run):
            self.act(run)


TAMPERINGS: dict[str, Tampering] = {
    "grid: labels of a bucket": Tampering(
        {"grid": ("scenario_labels",)}, acts.edit("grid", put("scenario_labels", ["BASELINE", "QUIET"], at(10)))
    ),
    "grid: a bucket becomes a stress bucket": Tampering(
        {"grid": ("scenario_is_stress",)}, acts.edit("grid", put("scenario_is_stress", lambda value: not value, at(10)))
    ),
    "grid: weekend flag of a bucket": Tampering(
        {"grid": ("is_weekend",)}, acts.edit("grid", put("is_weekend", lambda value: not value, at(10)))
    ),
    "grid: local minutes of a bucket": Tampering(
        {"grid": ("local_minutes_since_midnight",)},
        acts.edit("grid", put("local_minutes_since_midnight", acts.less, at(10))),
    ),
    "grouping: a series joins another group": Tampering(
        {"grouping": ("group_id",)}, acts.another_value("grouping", "group_id")
    ),
    "grouping: demand class of a series": Tampering(
        {"grouping": ("demand_class",)}, acts.another_value("grouping", "demand_class")
    ),
    "grouping: number of components of a series": Tampering(
        {"grouping": ("component_count",)},
        acts.edit("grouping", put("component_count", lambda value: value + 1, at(0))),
    ),
    "intensity: one is higher, factor and mean follow": Tampering(
        {"intensity": ("lambda_realised", "lambda_random_component"), "counts": ("lambda_realised", "mu")},
        acts.intensity,
    ),
    "intensity: one factor alone": Tampering(
        {"intensity": ("lambda_random_component",)},
        acts.edit("intensity", put("lambda_random_component", lambda value: value * (1 + 1e-9), at(300))),
    ),
    "latent field: one value": Tampering(
        {"latent": ("latent_value",)}, acts.edit("latent", put("latent_value", acts.half, at(300)))
    ),
    "latent field: one deviation": Tampering(
        {"latent": ("latent_std",)}, acts.edit("latent", put("latent_std", acts.half, at(300)))
    ),
    "counts: one more arrival": Tampering(
        {"counts": ("count_N",)}, acts.in_counts("count_N", lambda value: value + 1), unlawful=True
    ),
    "counts: capped flag": Tampering({"counts": ("count_capped",)}, acts.in_counts("count_capped", True)),
    "counts: mean": Tampering({"counts": ("mu",)}, acts.in_counts("mu", acts.half)),
    "counts: kappa": Tampering({"counts": ("kappa",)}, acts.in_counts("kappa", acts.half)),
    "arrivals: another site of the zone": Tampering(
        {"arrivals": ("site_id",)}, acts.like_another("site_id", acts.SAME_PLACE)
    ),
    "arrivals: another edge of the zone": Tampering(
        {"arrivals": ("edge_id",)}, acts.like_another("edge_id", acts.SAME_PLACE)
    ),
    "arrivals: two of one series and bucket exchange their sites": Tampering(
        {"arrivals": ("site_id",)}, acts.like_another("site_id", (*acts.KEY, *acts.SAME_PLACE), exchange=True)
    ),
    "arrivals: two exchange their rows": Tampering({"arrivals": ("order",)}, acts.order),
    "arrivals: one comes a second later, by all clocks": Tampering(
        {"arrivals": ("ts_utc", *(f"ts_local_{clock}" for clock in acts.CLOCKS))}, acts.later
    ),
    "arrivals: one is left out, sums follow": Tampering(acts.RESIZED, partial(acts.resized, -1)),
    "arrivals: one is made up, sums follow": Tampering(acts.RESIZED, partial(acts.resized, 1)),
    "arrivals: settlement zone of the same offset": Tampering(
        {"arrivals": ("tzid_settlement",)},
        acts.like_another("tzid_settlement", ("merchant_id", "utc_offset_min_settlement")),
    ),
    "arrivals: a local clock alone": Tampering(
        {"arrivals": ("ts_local_primary",)},
        acts.edit("arrivals", put("ts_local_primary", acts.less, at(200)), part=1),
        unlawful=True,
    ),
    "arrivals: an offset and its clock": Tampering(
        {"arrivals": ("utc_offset_min_operational", "ts_local_operational")}, acts.offset
    ),
    "summary: physical and virtual exchanged": Tampering({"summary": ("count_physical", "count_virtual")}, acts.routes),
    "anomalies: a row removed": Tampering({"anomalies": ("rows",)}, acts.edit("anomalies", drop(0))),
    "anomalies: another message": Tampering(
        {"anomalies": ("message",)}, acts.edit("anomalies", put("message", "none", at(0)))
    ),
    "trace: a counter": Tampering({"trace": ("text",)}, lambda run: acts.of_trace(run, acts.counter)),
    "trace: an event of one part told of another": Tampering({"trace": ("text",)}, acts.moved_events),
    "trace: numbers of two parts exchanged": Tampering(
        {"trace": ("text",)}, lambda run: acts.of_trace(run, acts.exchanged_parts)
    ),
    "audit: seed": Tampering({"audit": ("text",)}, acts.audit(seed=43)),
    "audit: algorithm": Tampering({"audit": ("text",)}, acts.audit(algorithm="philox4x64-10")),
    "metadata: code version": Tampering(
        {"arrivals": ("metadata",)}, acts.edit("arrivals", part=1, metadata={"seg5b.code_version": "0.0.9"})
    ),
    "metadata: seed": Tampering({"counts": ("metadata",)}, acts.edit("counts", metadata={"seg5b.seed": "43"})),
    "statistics of a row group": Tampering({"arrivals": ("form",)}, acts.statistics),
    "row groups of another size": Tampering({"arrivals": ("form",)}, acts.edit("arrivals", part=1, rows=2048)),
    "columns compressed": Tampering(
        {"arrivals": ("form",)}, acts.edit("arrivals", part=1, compression="ZSTD", compression_level=None)
    ),
    "columns in another order": Tampering(
        {"arrivals": ("schema",)}, acts.edit("arrivals", acts.last_two_exchanged, part=1)
    ),
    "a column of another type": Tampering(
        {"arrivals": ("schema",)}, acts.edit("arrivals", cast("utc_offset_min_primary", pa.int64()), part=1)
    ),
    "parts: one too many, without rows": Tampering({"arrivals": ("files",)}, acts.another_part),
    "parts: the last one is gone": Tampering(
        {"arrivals": ("files",)}, lambda run: acts.files(run, "arrivals")[-1].unlink(), unlawful=True
    ),
    "parts: two exchange their numbers": Tampering({"arrivals": ("order", "metadata")}, acts.renumbered),
    "policy: sigma of a demand class": Tampering({"policies": ("text",)}, acts.SIGMA),
    "policy: kappa of a demand class": Tampering({"policies": ("text",)}, acts.KAPPA),
    "policy: a tolerance of S5": Tampering({"policies": ("text",)}, acts.LOOSE),
    "policy: a comment": Tampering({"policies": ("text",)}, acts.NOTE),
    "input: one value of the surface": Tampering({"surface": (acts.LAMBDA,)}, acts.one_lambda),
    "input: a settlement zone": Tampering(
        {"settlement": ("tzid_settlement",)}, acts.edit("settlement", put("tzid_settlement", "Europe/Madrid", at(0)))
    ),
    "input: a site count of 3A, its bundle follows": Tampering(
        {"zone_alloc": ("zone_site_count",)},
        acts.edit("zone_alloc", put("zone_site_count", lambda value: value + 1, at(0))),
    ),
    "another world: inputs, policies and gate together": Tampering(
        {"surface": (acts.LAMBDA,), "settlement": ("tzid_settlement",), "policies": ("text",)}, acts.another_world
    ),
}
"""Every tampering by its name."""
