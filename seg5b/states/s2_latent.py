"""S2: latent log-Gaussian fields and the intensities they modulate. Law L5."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.derivation import Streams
from seg5b_kernels.latent import FieldInputs, Fields, Intensities, IntensityInputs

from seg5b.axes import Group
from seg5b.backends.base import Backend
from seg5b.context import ScenarioWork, StateWork
from seg5b.errors import DomainError, NumericError, PolicyError
from seg5b.evidence import TraceRow, refuse_wrap, write_audit, write_group_events, write_trace
from seg5b.evidence.trace import counter128
from seg5b.inputs.surface import Components
from seg5b.inputs.surface_blocks import SurfaceBlock, UnsortedSurfaceError, iterate_blocks, sorted_copy
from seg5b.parallel import in_order
from seg5b.policy import LgcpPolicy, RngFamily, RngPolicy
from seg5b.policy.rng import LATENT
from seg5b.rng.messages import Stream, derive_stream, group_domain_key, message_head
from seg5b.tables import BackgroundWriter, Coded, Cycled, Repeated, RowGroupWriter
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import LATENT_FIELD, REALISED_INTENSITY

SURFACE = "merchant_zone_scenario_local_5A"
NO_LATENT = "none"
IID = "log_gaussian_iid_v1"


@dataclass(slots=True)
class FieldTotals:
    """What a scenario's realisation added up to."""

    rows: int = 0
    lambda_min: float = float("inf")
    lambda_max: float = 0.0
    lambda_max_clipped: int = 0
    clipped_low: int = 0
    clipped_high: int = 0
    trace: list[TraceRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FactorTable:
    """``factor`` [G, H] on the backend; ``latent`` host float64 [G, H] if the diagnostic is wanted, else None."""

    factor: Any
    latent: np.ndarray | None


def run(state: StateWork) -> dict[str, Any]:
    """Write ``s2_realised_intensity_5B``, the optional ``s2_latent_field_5B`` and the trace of every scenario.

    Returns the facts of the run record. Raises with ``5B.S2.``: ``S1_OUTPUT_MISSING``, ``LAMBDA_SOURCE_MISSING``,
    ``LGCP_CONFIG_INVALID``, ``KERNEL_CONSTRUCTION_FAILED``, ``DOMAIN_ALIGN_FAILED``, ``REALISED_DOMAIN_INCOMPLETE``,
    ``REALISED_NUMERIC_INVALID``, ``BUCKET_SET_INCONSISTENT``, ``RNG_ACCOUNTING_MISMATCH``.
    """
    state.open_inputs(missing="LAMBDA_SOURCE_MISSING")
    policy = state.policy(LgcpPolicy, "arrival_lgcp_config_5B")
    rng = state.policy(RngPolicy, "arrival_rng_policy_5B")
    write_audit(state)
    details = {}
    for scenario_id in state.gate.scenario_ids:
        work = ScenarioWork.open(state, scenario_id, missing="S1_OUTPUT_MISSING")
        totals = FieldTotals()
        with state.timers.lane("field"):
            factors = latent_factors(work, policy, rng, totals)
        _write_intensities(work, policy, factors, totals)
        if factors.latent is not None:
            _write_latent(work, factors.latent)
        write_trace(work, totals.trace)
        details[scenario_id] = _details(work, policy, totals)
    return _report(details)


def hyper_parameters(
    band: str, groups: tuple[Group, ...], policy: LgcpPolicy, *, code: str
) -> tuple[np.ndarray, np.ndarray]:
    """Sigma and correlation length in buckets, float64 [G] each; the length is 0 for the iid model.

    Raises `PolicyError` ``code`` where a floor of the policy is missed.
    """
    sigma = np.array([policy.sigma(band, g.demand_class, g.channel, g.virtual_band) for g in groups])
    length = np.array([policy.length(band, g.demand_class) for g in groups])
    problem = None
    if band == "baseline":
        distinct = np.unique(np.round(sigma, 6)).size
        low, high = policy.baseline_median_length_bounds
        if distinct < policy.min_distinct_sigma:
            problem = f"{distinct} distinct sigma, fewer than {policy.min_distinct_sigma}"
        elif not low <= median(length) <= high:
            problem = f"median length {median(length):g} outside {low:g}..{high:g}"
    else:
        share = float((sigma >= policy.stress_sigma_threshold).mean())
        if share < policy.min_stress_sigma_fraction:
            problem = f"only {share:.3f} of stress groups have sigma >= {policy.stress_sigma_threshold:g}"
    if problem:
        raise PolicyError(code, problem, where=f"{band} scenario", remedy="revise arrival_lgcp_config_5B")
    return sigma, np.zeros_like(length) if policy.latent_model_id == IID else length


def latent_factors(work: ScenarioWork, policy: LgcpPolicy, rng: RngPolicy, totals: FieldTotals) -> FactorTable:
    """The factor of every group and bucket; all ones and no draws under model ``none``. Adds to ``totals``."""
    backend, groups, buckets = work.backend, work.axis.groups, work.grid.bucket_count
    shape = (len(groups), buckets)
    if policy.latent_model_id == NO_LATENT:
        return FactorTable(backend.upload(np.ones(shape)), np.zeros(shape) if policy.emit_latent_field else None)
    sigma, length = hyper_parameters(work.grid.band, groups, policy, code=work.code("LGCP_CONFIG_INVALID"))
    family = rng.families[LATENT]
    head = message_head(rng.domain_sep, family.family_id, work.state.root.identity, work.scenario_id)
    streams = [derive_stream(head, group_domain_key(group.group_id)) for group in groups]
    uploaded = Streams(
        *(
            backend.upload(np.array([getattr(stream, name) for stream in streams], np.uint64))
            for name in Streams._fields
        )
    )
    refuse_wrap(work.state, family, uploaded, np.full(len(groups), buckets, np.int32))
    inputs = FieldInputs(uploaded, backend.upload(sigma), backend.upload(length), policy.min_factor, policy.max_factor)
    outputs = Fields(
        backend.empty(shape, np.float64),
        backend.empty(shape, np.float64),
        backend.empty(len(groups), np.int64),
        backend.empty(len(groups), np.int64),
    )
    backend.launch(registry.LATENT_FIELD, len(groups), inputs, outputs)
    totals.clipped_low = int(backend.download(outputs.clipped_low).sum())
    totals.clipped_high = int(backend.download(outputs.clipped_high).sum())
    _note_events(work, family, streams, totals)
    latent = backend.download(outputs.latent) if policy.emit_latent_field else None
    return FactorTable(outputs.factor, latent)


def _note_events(work: ScenarioWork, family: RngFamily, streams: list[Stream], totals: FieldTotals) -> None:
    """Add the trace row of the fields; log one event per group if asked for."""
    buckets, groups = work.grid.bucket_count, work.axis.groups
    counters = [counter128(stream.counter_hi, stream.counter_lo) for stream in streams]
    blocks = len(groups) * buckets
    totals.trace.append(TraceRow(family, 0, counters[0], counters[-1] + buckets, len(groups), 2 * blocks, blocks))
    if work.state.tuning.event_logs:
        named = zip((group.group_id for group in groups), counters, strict=True)
        write_group_events(work, family, named, buckets)


def _write_intensities(work: ScenarioWork, policy: LgcpPolicy, factors: FactorTable, totals: FieldTotals) -> None:
    state = work.state
    files: Sequence[Path] = state.gate.files(SURFACE, work.scenario_id)
    target = work.target("s2_realised_intensity_5B")

    def realise() -> None:
        blocks = iterate_blocks(state.frames, state.backend, files, work.grid.bucket_count, state=state.id)
        _realise(work, policy, factors, blocks, target, totals)

    try:
        realise()
    except UnsortedSurfaceError:
        state.log.info("surface of %s is not in key order; sorting a copy", work.scenario_id)
        files = sorted_copy(files, state.folder, code=state.code("LAMBDA_SOURCE_MISSING"))
        realise()


def _realise(
    work: ScenarioWork,
    policy: LgcpPolicy,
    factors: FactorTable,
    blocks: Iterable[SurfaceBlock],
    target: Path,
    totals: FieldTotals,
) -> None:
    """Stream the surface through the kernel into one file; series must come out exactly as S1 listed them."""
    totals.rows, totals.lambda_min, totals.lambda_max, totals.lambda_max_clipped = 0, float("inf"), 0.0, 0
    axis, buckets = work.axis, work.grid.bucket_count
    constants = work.identity_columns()
    zones, channels = text_values(axis.zones), text_values(axis.channels)
    with (
        work.state.reporter.track(f"intensities {work.scenario_id}", len(axis), "series") as advance,
        BackgroundWriter(target, REALISED_INTENSITY, work.metadata(), timers=work.state.timers) as writer,
    ):
        for here, values in _realised(work, blocks, policy, factors):
            _check_and_add(work, here.start, values, policy, totals)
            columns: dict[str, Column] = {
                **constants,
                "merchant_id": Repeated(axis.merchant_id[here], buckets),
                "zone_representation": Coded(Repeated(axis.zone[here], buckets), zones),
                "channel_group": Coded(Repeated(axis.channel[here], buckets), channels),
                "bucket_index": Cycled(buckets),
                "lambda_baseline": values.baseline,
                "lambda_random_component": values.random,
                "lambda_realised": values.realised,
            }
            writer.append(columns, values.realised.size)
            totals.rows += values.realised.size
            advance(here.stop - here.start)
    if totals.rows != work.cells:
        raise _incomplete(work, axis.key(totals.rows // buckets), "is missing from the surface")


def _realised(
    work: ScenarioWork, blocks: Iterable[SurfaceBlock], policy: LgcpPolicy, factors: FactorTable
) -> Iterator[tuple[slice, Intensities]]:
    """Intensities of each block and the series that it holds, in order; blocks are computed side by side."""

    def aligned() -> Iterator[tuple[slice, SurfaceBlock, np.ndarray]]:
        done = 0
        for block in work.state.timers.each("surface_read", blocks):
            starts = _align(work, done, block.components)
            yield slice(done, done + starts.size - 1), block, starts
            done += starts.size - 1

    def launched(piece: tuple[slice, SurfaceBlock, np.ndarray]) -> Intensities:
        here, block, starts = piece
        with work.state.timers.lane("intensities"):
            return _launch(work.backend, work.axis.group[here], block, starts, policy, factors)

    for (here, _, _), values in in_order(aligned(), launched, work.state.tuning.threads, label="s2"):
        yield here, values


def _align(work: ScenarioWork, first: int, components: Components) -> np.ndarray:
    """Prefix sums of the block's components per series, int32; the series must be the next ones of the axis."""
    axis = work.axis
    keys = list(zip(components.merchant_id.tolist(), components.tzid, components.channel, strict=True))
    starts = [0]
    series = first
    for position, (merchant, tzid, channel) in enumerate(keys):
        if position and keys[position] != keys[position - 1]:
            starts.append(position)
            series += 1
        if series >= len(axis):
            raise _incomplete(work, keys[position], "is not among the series of S1")
        expected = axis.key(series)
        if expected[:2] != (merchant, tzid) or channel not in ("", expected[2]):
            raise _incomplete(work, expected, f"was expected, the surface has {keys[position]}")
    starts.append(len(keys))
    counts = np.diff(starts)
    declared = axis.component_count[first : first + counts.size]
    if (counts != declared).any():
        at = int(np.flatnonzero(counts != declared)[0])
        raise _incomplete(work, axis.key(first + at), f"has {counts[at]} country rows, S1 counted {declared[at]}")
    return np.array(starts, np.int32)


def _incomplete(work: ScenarioWork, key: tuple[int, str, str], what: str) -> DomainError:
    return DomainError(
        work.code("REALISED_DOMAIN_INCOMPLETE"),
        f"series {key} {what}",
        where=SURFACE,
        remedy="surface and grouping must come from the same sealed world; run S1 again",
    )


def _launch(
    backend: Backend,
    group: np.ndarray,
    block: SurfaceBlock,
    starts: np.ndarray,
    policy: LgcpPolicy,
    factors: FactorTable,
) -> Intensities:
    """Baseline, factor and realised intensity of a block, host float64 [S * H] each."""
    rows = group.size * block.surface.shape[1]
    outputs = Intensities(*(backend.empty(rows, np.float64) for _ in Intensities._fields))
    inputs = IntensityInputs(
        block.surface,
        backend.upload(block.row),
        backend.upload(starts),
        backend.upload(group),
        factors.factor,
        float("inf") if policy.lambda_max is None else policy.lambda_max,
    )
    backend.launch(registry.REALISED_INTENSITY, rows, inputs, outputs)
    return Intensities(*(backend.download(column) for column in outputs))


def _check_and_add(
    work: ScenarioWork, first: int, values: Intensities, policy: LgcpPolicy, totals: FieldTotals
) -> None:
    realised = values.realised
    low, high = float(realised.min()), float(realised.max())
    if not (low >= 0.0 and high < np.inf):
        at = int(np.flatnonzero(~((realised >= 0.0) & (realised < np.inf)))[0])
        raise NumericError(
            work.code("REALISED_NUMERIC_INVALID"),
            f"realised intensity {realised[at]} of series {work.axis.key(first + at // work.grid.bucket_count)}, "
            f"bucket {at % work.grid.bucket_count}",
            where="s2_realised_intensity_5B",
            remedy="look for extreme intensities in the surface, or set lambda_max",
        )
    totals.lambda_min = min(totals.lambda_min, low)
    totals.lambda_max = max(totals.lambda_max, high)
    if policy.lambda_max is not None and high >= policy.lambda_max:
        totals.lambda_max_clipped += int((values.baseline * values.random > policy.lambda_max).sum())


def _write_latent(work: ScenarioWork, latent: np.ndarray) -> None:
    """The diagnostic dataset: each group's field with its own mean and standard deviation over the horizon."""
    buckets = latent.shape[1]
    names = text_values([group.group_id for group in work.axis.groups])
    with RowGroupWriter(work.target("s2_latent_field_5B"), LATENT_FIELD, work.metadata()) as writer:
        for group, path in enumerate(latent):
            columns: dict[str, Column] = {
                **work.identity_columns(),
                "group_id": Coded(np.full(buckets, group, np.int32), names),
                "bucket_index": np.arange(buckets, dtype=np.int64),
                "latent_value": path,
                "latent_mean": np.full(buckets, _ordered_mean(path)),
                "latent_std": np.full(buckets, np.sqrt(_ordered_mean((path - _ordered_mean(path)) ** 2))),
            }
            writer.append(columns, buckets)


def _ordered_mean(values: np.ndarray) -> float:
    """Mean by a left-to-right sum; numpy's own order of summation depends on the CPU's vector width."""
    return float(np.cumsum(values)[-1]) / values.size


def _details(work: ScenarioWork, policy: LgcpPolicy, totals: FieldTotals) -> dict[str, Any]:
    drawn, groups, buckets = policy.latent_model_id != NO_LATENT, len(work.axis.groups), work.grid.bucket_count
    return {
        "bucket_count": buckets,
        "group_count": groups,
        "rows_written": totals.rows,
        "latent_values_total": groups * buckets if drawn else 0,
        "latent_rng_event_count": sum(row.events for row in totals.trace),
        "latent_rng_total_draws": sum(row.draws for row in totals.trace),
        "latent_rng_total_blocks": sum(row.blocks for row in totals.trace),
        "lambda_realised_min": totals.lambda_min,
        "lambda_realised_max": totals.lambda_max,
        "factor_clip_min": totals.clipped_low,
        "factor_clip_max": totals.clipped_high,
        "lambda_max_clipped": totals.lambda_max_clipped,
    }


def _report(details: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(facts[name] for facts in details.values())

    return {
        "total_rows_written": total("rows_written"),
        "total_group_count": total("group_count"),
        "total_bucket_count": total("bucket_count"),
        "total_latent_values": total("latent_values_total"),
        "latent_rng_event_count": total("latent_rng_event_count"),
        "latent_rng_total_draws": total("latent_rng_total_draws"),
        "latent_rng_total_blocks": total("latent_rng_total_blocks"),
        "lambda_realised_min": min(facts["lambda_realised_min"] for facts in details.values()),
        "lambda_realised_max": max(facts["lambda_realised_max"] for facts in details.values()),
        "factor_clip_min": total("factor_clip_min"),
        "factor_clip_max": total("factor_clip_max"),
        "lambda_max_clipped": total("lambda_max_clipped"),
        "details": details,
    }
