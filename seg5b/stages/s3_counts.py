"""S3: how many arrivals each series has in each bucket. Law L6; behaviour notes 5."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.counts import NB2, POISSON, CountInputs, Counts
from seg5b_kernels.derivation import Streams

from seg5b.axes import SeriesAxis, TimeGrid, read_axes
from seg5b.context import Stage
from seg5b.errors import DomainError, NumericError, PolicyError
from seg5b.evidence import EventRows, TraceRow, refuse_wrap, write_audit, write_bucket_events, write_trace
from seg5b.evidence.trace import counter128
from seg5b.inputs.points import iterate_points
from seg5b.policy import CountPolicy, RngPolicy
from seg5b.policy.rng import BUCKET_COUNT
from seg5b.rng.device import StreamSource, stream_source
from seg5b.tables import Coded, Constant, Masked, RowGroupWriter
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import BUCKET_COUNTS
from seg5b.tables.reading import Kind, numbers

_LAWS = {"poisson": POISSON, "nb2": NB2}
_DRAWS = {"poisson": 1, "nb2": 2}


@dataclass(slots=True)
class Totals:
    """What a scenario's counts added up to; ``before`` and ``after`` are the counters of the first and last event."""

    rows: int = 0
    events: int = 0
    count_sum: int = 0
    count_min: int = 2**63 - 1
    count_max: int = 0
    mu_min: float = float("inf")
    mu_max: float = 0.0
    capped: int = 0
    before: int | None = None
    after: int = 0
    parts: list[TraceRow] = field(default_factory=list)
    logged: list[EventRows] = field(default_factory=list)


def run(stage: Stage) -> dict[str, Any]:
    """Write ``s3_bucket_counts_5B`` and the trace of every scenario.

    Returns the facts of the run record. Raises with ``5B.S3.``: ``S1_OUTPUT_MISSING``, ``S2_OUTPUT_MISSING``,
    ``COUNT_CONFIG_INVALID``, ``DOMAIN_ALIGN_FAILED``, ``COUNTS_NUMERIC_INVALID``, ``RNG_ACCOUNTING_MISMATCH``, and what
    publication raises.
    """
    policy = stage.policy(CountPolicy, "arrival_count_config_5B")
    rng = stage.policy(RngPolicy, "arrival_rng_policy_5B")
    write_audit(stage)
    details = {}
    for scenario_id in stage.gate.scenario_ids:
        code = stage.code("S1_OUTPUT_MISSING")
        grid_file, grouping_file = (stage.path(name, scenario_id) for name in ("s1_time_grid_5B", "s1_grouping_5B"))
        grid, axis = read_axes(grid_file, grouping_file, code=code)
        refuse_shared_domains(stage, axis, rng)
        totals = _write_counts(stage, scenario_id, grid, axis, policy, rng)
        write_trace(stage, scenario_id, totals.parts)
        details[scenario_id] = _details(grid, axis, totals)
    return _report(details)


def refuse_shared_domains(stage: Stage, axis: SeriesAxis, rng: RngPolicy) -> None:
    """Raise `DomainError` ``DOMAIN_ALIGN_FAILED`` if two series would share a random stream: under
    ``merchant_zone_bucket`` a (merchant, zone) may have one channel group only."""
    if rng.bucket_key_law != "merchant_zone_bucket":
        return
    shared = (axis.merchant_id[1:] == axis.merchant_id[:-1]) & (axis.zone[1:] == axis.zone[:-1])
    if shared.any():
        at = int(np.flatnonzero(shared)[0])
        raise DomainError(
            stage.code("DOMAIN_ALIGN_FAILED"),
            f"series {axis.key(at)} and {axis.key(at + 1)} share a random stream",
            where="s1_grouping_5B",
            remedy="use the domain key law merchant_zone_channel_bucket for all S3 and S4 families, then reseal",
        )


def group_kappa(stage: Stage, axis: SeriesAxis, band: str, policy: CountPolicy) -> np.ndarray:
    """Dispersion of each group, float64 [G]. Raises `PolicyError` ``COUNT_CONFIG_INVALID`` where a floor is missed."""
    kappa = np.array([policy.kappa(band, group.demand_class) for group in axis.groups])
    low, high = policy.baseline_median_kappa_bounds
    distinct = np.unique(np.round(kappa, 6)).size
    if policy.count_law_id == "nb2" and band == "baseline" and policy.min_distinct_kappa > 0:
        problem = None
        if distinct < policy.min_distinct_kappa:
            problem = f"{distinct} distinct kappa, fewer than {policy.min_distinct_kappa}"
        elif not low <= median(kappa) <= high:
            problem = f"median kappa {median(kappa):g} outside {low:g}..{high:g}"
        if problem:
            raise PolicyError(
                stage.code("COUNT_CONFIG_INVALID"), problem, where=band, remedy="revise arrival_count_config_5B"
            )
    return kappa


def _write_counts(
    stage: Stage, scenario_id: str, grid: TimeGrid, axis: SeriesAxis, policy: CountPolicy, rng: RngPolicy
) -> Totals:
    kappa = group_kappa(stage, axis, grid.band, policy)[axis.group]
    source = None
    totals = Totals()
    constants = _constants(stage, scenario_id, grid, policy)
    zones, channels = text_values(axis.zones), text_values(axis.channels)
    file = stage.path("s2_realised_intensity_5B", scenario_id)
    code = stage.code("S2_OUTPUT_MISSING")
    target = stage.target("s3_bucket_counts_5B", scenario_id)
    with (
        stage.reporter.track(f"counts {scenario_id}", len(axis) * grid.bucket_count, "rows") as advance,
        RowGroupWriter(target, BUCKET_COUNTS, stage.metadata(scenario_id=scenario_id)) as writer,
    ):
        for block in iterate_points(file, axis, grid.bucket_count, {"lambda_realised": Kind.NUMBER}, code=code):
            mu = numbers(block.columns, "lambda_realised")
            _check_means(stage, axis, block.series, block.bucket, mu)
            active = np.flatnonzero(mu > policy.lambda_zero_eps)
            first, last = int(block.series[0]), int(block.series[-1])
            source = stream_source(
                stage.backend, rng, BUCKET_COUNT, stage.root.identity, scenario_id, axis,
                range(first, last + 1), grid.bucket_count,
            )  # fmt: skip
            slot = (block.series[active] - first).astype(np.int32)
            bucket = block.bucket[active].astype(np.int32)
            drawn = _draw(stage, source, first, slot, bucket, mu[active], kappa[block.series[active]], policy, totals)
            count, capped = np.zeros(mu.size, np.int64), np.zeros(mu.size, np.uint8)
            count[active], capped[active] = drawn.count, drawn.capped
            columns: dict[str, Column] = {
                **constants,
                "merchant_id": axis.merchant_id[block.series],
                "zone_representation": Coded(axis.zone[block.series], zones),
                "channel_group": Coded(axis.channel[block.series], channels),
                "bucket_index": block.bucket,
                "lambda_realised": mu,
                "mu": mu,
                "kappa": Masked(kappa[block.series], np.full(mu.size, policy.count_law_id == "nb2")),
                "count_N": count,
                "count_capped": capped,
            }
            writer.append(columns, mu.size)
            _add(totals, mu, count, capped)
            advance(mu.size)
    family = rng.families[BUCKET_COUNT]
    if stage.tuning.event_logs:
        write_bucket_events(stage, scenario_id, family, axis, _DRAWS[policy.count_law_id], totals.logged)
    if totals.before is not None:
        draws = totals.events * _DRAWS[policy.count_law_id]
        totals.parts.append(TraceRow(family, 0, totals.before, totals.after, totals.events, draws, totals.events))
    return totals


def _check_means(stage: Stage, axis: SeriesAxis, series: np.ndarray, bucket: np.ndarray, mu: np.ndarray) -> None:
    bad = np.flatnonzero(~((mu >= 0.0) & (mu < np.inf)))
    if bad.size:
        at = int(bad[0])
        raise NumericError(
            stage.code("COUNTS_NUMERIC_INVALID"),
            f"mean {mu[at]} of series {axis.key(int(series[at]))}, bucket {int(bucket[at])}",
            where="s2_realised_intensity_5B",
            remedy="run S2 again",
        )


def _draw(
    stage: Stage,
    source: StreamSource,
    first_series: int,
    slot: np.ndarray,
    bucket: np.ndarray,
    mu: np.ndarray,
    kappa: np.ndarray,
    policy: CountPolicy,
    totals: Totals,
) -> Counts:
    """Counts of the active buckets of a block, host arrays; adds the events to ``totals``."""
    backend = stage.backend
    streams = source.streams(backend.upload(slot), backend.upload(bucket))
    inputs = CountInputs(
        streams,
        backend.upload(mu),
        backend.upload(kappa),
        _LAWS[policy.count_law_id],
        policy.poisson_exact_lambda_max,
        policy.poisson_n_cap_exact,
        policy.max_count_per_bucket,
    )
    outputs = Counts(backend.empty(slot.size, np.int64), backend.empty(slot.size, np.uint8))
    backend.launch(registry.BUCKET_COUNT, slot.size, inputs, outputs)
    on_host = Streams(*(backend.download(column) for column in streams))
    _note_events(stage, source, on_host, totals)
    if stage.tuning.event_logs:
        ones = np.ones(slot.size, np.int64)
        totals.logged.append(EventRows(slot + first_series, bucket, on_host.counter_hi, on_host.counter_lo, ones))
    return Counts(*(backend.download(column) for column in outputs))


def _note_events(stage: Stage, source: StreamSource, streams: Streams, totals: Totals) -> None:
    events = streams.key.size
    if not events:
        return
    refuse_wrap(stage, source.family, streams.counter_hi, streams.counter_lo, np.ones(events, np.int64))
    if totals.before is None:
        totals.before = counter128(streams.counter_hi[0], streams.counter_lo[0])
    totals.after = counter128(streams.counter_hi[-1], streams.counter_lo[-1]) + 1
    totals.events += events


def _constants(stage: Stage, scenario_id: str, grid: TimeGrid, policy: CountPolicy) -> dict[str, Column]:
    return {
        **stage.identity_columns(scenario_id),
        "bucket_duration_seconds": Constant(grid.bucket_seconds),
        "count_law_id": Constant(policy.count_law_id),
    }


def _add(totals: Totals, mu: np.ndarray, count: np.ndarray, capped: np.ndarray) -> None:
    totals.rows += mu.size
    totals.count_sum += int(count.sum())
    totals.count_min = min(totals.count_min, int(count.min()))
    totals.count_max = max(totals.count_max, int(count.max()))
    totals.mu_min = min(totals.mu_min, float(mu.min()))
    totals.mu_max = max(totals.mu_max, float(mu.max()))
    totals.capped += int(capped.sum())


def _details(grid: TimeGrid, axis: SeriesAxis, totals: Totals) -> dict[str, Any]:
    return {
        "bucket_count": grid.bucket_count,
        "group_count": len(axis.groups),
        "count_rows": totals.rows,
        "sum_count_N": totals.count_sum,
        "count_min": totals.count_min,
        "count_max": totals.count_max,
        "mu_min": totals.mu_min,
        "mu_max": totals.mu_max,
        "count_capped": totals.capped,
        "count_rng_event_count": totals.events,
        "count_rng_total_draws": sum(row.draws for row in totals.parts),
        "count_rng_total_blocks": sum(row.blocks for row in totals.parts),
        "ordering_violations": 0,  # rows are made in canonical order, and S4 refuses any other
    }


def _report(details: dict[str, dict[str, Any]]) -> dict[str, Any]:
    every = list(details.values())
    report: dict[str, Any] = {
        "total_rows_written": sum(facts["count_rows"] for facts in every),
        "total_bucket_count": sum(facts["bucket_count"] for facts in every),
        "total_group_count": sum(facts["group_count"] for facts in every),
    }
    for name in (
        "sum_count_N",
        "count_capped",
        "count_rng_event_count",
        "count_rng_total_draws",
        "count_rng_total_blocks",
    ):
        report[name] = sum(facts[name] for facts in every)
    for name in ("count_min", "mu_min"):
        report[name] = min(facts[name] for facts in every)
    for name in ("count_max", "mu_max"):
        report[name] = max(facts[name] for facts in every)
    return {**report, "details": details}
