"""S3: how many arrivals each series has in each bucket. Law L6."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.counts import NB2, POISSON, CountInputs, CountLaw, Counts

from seg5b.axes import Group
from seg5b.axes.cells import CellBlock, iterate_cells
from seg5b.backends.base import Array
from seg5b.backends.faults import first_fault, no_fault
from seg5b.context import ScenarioWork, StateWork
from seg5b.errors import DomainError, NumericError, PolicyError
from seg5b.evidence import EventRows, TraceRow, wrap_error, write_audit, write_bucket_events, write_trace
from seg5b.evidence.trace import counter128
from seg5b.frames.base import array
from seg5b.parallel import in_order
from seg5b.policy import CountPolicy, RngPolicy
from seg5b.policy.rng import BUCKET_COUNT
from seg5b.rng.device import StreamScope, StreamSource, stream_source
from seg5b.rng.messages import bucket_domain_prefix, derive_stream
from seg5b.tables import BackgroundWriter, Coded, Constant, Cycled, Repeated
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import BUCKET_COUNTS
from seg5b.tables.reading import Kind

_LAWS = {"poisson": POISSON, "nb2": NB2}
_DRAWS = {"poisson": 1, "nb2": 2}


@dataclass(slots=True)
class CountTotals:
    """What a scenario's counts added up to; ``first_event`` and ``last_event`` are the rows that drew first and last."""

    rows: int = 0
    events: int = 0
    count_sum: int = 0
    count_min: int = 2**63 - 1
    count_max: int = 0
    mu_min: float = float("inf")
    mu_max: float = 0.0
    capped: int = 0
    first_event: int = -1
    last_event: int = -1
    trace: list[TraceRow] = field(default_factory=list)
    logged: list[EventRows] = field(default_factory=list)


def run(state: StateWork) -> dict[str, Any]:
    """Write ``s3_bucket_counts_5B`` and the trace of every scenario.

    Returns the facts of the run record. Raises with ``5B.S3.``: ``S1_OUTPUT_MISSING``, ``S2_OUTPUT_MISSING``,
    ``COUNT_CONFIG_INVALID``, ``DOMAIN_ALIGN_FAILED``, ``COUNTS_NUMERIC_INVALID``, ``RNG_ACCOUNTING_MISMATCH``, and what
    publication raises.
    """
    policy = state.policy(CountPolicy, "arrival_count_config_5B")
    rng = state.policy(RngPolicy, "arrival_rng_policy_5B")
    write_audit(state)
    details = {}
    for scenario_id in state.gate.scenario_ids:
        work = ScenarioWork.open(state, scenario_id, missing="S1_OUTPUT_MISSING")
        refuse_shared_domains(work, rng)
        totals = _write_counts(work, policy, rng)
        write_trace(work, totals.trace)
        details[scenario_id] = _details(work, totals)
    return _report(details)


def refuse_shared_domains(work: ScenarioWork, rng: RngPolicy) -> None:
    """Raise `DomainError` ``DOMAIN_ALIGN_FAILED`` if two series would share a random stream: under
    ``merchant_zone_bucket`` a (merchant, zone) may have one channel group only."""
    if rng.bucket_key_law != "merchant_zone_bucket":
        return
    axis = work.axis
    shared = (axis.merchant_id[1:] == axis.merchant_id[:-1]) & (axis.zone[1:] == axis.zone[:-1])
    if shared.any():
        at = int(np.flatnonzero(shared)[0])
        raise DomainError(
            work.code("DOMAIN_ALIGN_FAILED"),
            f"series {axis.key(at)} and {axis.key(at + 1)} share a random stream",
            where="s1_grouping_5B",
            remedy="use the domain key law merchant_zone_channel_bucket for all S3 and S4 families, then reseal",
        )


def group_kappa(band: str, groups: tuple[Group, ...], policy: CountPolicy, *, code: str) -> np.ndarray:
    """Dispersion of each group, float64 [G]. Raises `PolicyError` ``code`` where a floor of the policy is missed."""
    kappa = np.array([policy.kappa(band, group.demand_class) for group in groups])
    low, high = policy.baseline_median_kappa_bounds
    distinct = np.unique(np.round(kappa, 6)).size
    if policy.count_law_id == "nb2" and band == "baseline" and policy.min_distinct_kappa > 0:
        problem = None
        if distinct < policy.min_distinct_kappa:
            problem = f"{distinct} distinct kappa, fewer than {policy.min_distinct_kappa}"
        elif not low <= median(kappa) <= high:
            problem = f"median kappa {median(kappa):g} outside {low:g}..{high:g}"
        if problem:
            raise PolicyError(code, problem, where=band, remedy="revise arrival_count_config_5B")
    return kappa


def _write_counts(work: ScenarioWork, policy: CountPolicy, rng: RngPolicy) -> CountTotals:
    axis, buckets, state = work.axis, work.grid.bucket_count, work.state
    kappa = group_kappa(work.grid.band, axis.groups, policy, code=work.code("COUNT_CONFIG_INVALID"))[axis.group]
    counting = _Counting(work, policy, rng, work.backend.upload(kappa))
    constants = _constants(work, policy)
    zones, channels = text_values(axis.zones), text_values(axis.channels)
    file, code = work.path("s2_realised_intensity_5B"), work.code("S2_OUTPUT_MISSING")
    wanted = {"lambda_realised": Kind.NUMBER}
    with (
        state.reporter.track(f"counts {work.scenario_id}", work.cells, "cells") as advance,
        BackgroundWriter(
            work.target("s3_bucket_counts_5B"), BUCKET_COUNTS, work.metadata(), timers=state.timers
        ) as writer,
    ):
        cells = iterate_cells(state.frames, state.backend, file, axis, buckets, wanted, code=code)
        blocks, count_block = state.timers.each("read", cells), state.timers.lane("count")(counting.count)
        for block, counted in in_order(blocks, count_block, state.tuning.threads, label="s3"):
            mu, count, capped = counting.add(block, counted)
            first, run = divmod(block.first, buckets)
            here = slice(first, (block.first + block.rows - 1) // buckets + 1)

            def of_series(values: np.ndarray, here: slice = here, run: int = run) -> Repeated:
                return Repeated(values[here], buckets, run)

            columns: dict[str, Column] = {
                **constants,
                "merchant_id": of_series(axis.merchant_id),
                "zone_representation": Coded(of_series(axis.zone), zones),
                "channel_group": Coded(of_series(axis.channel), channels),
                "bucket_index": Cycled(buckets, run),
                "lambda_realised": mu,
                "mu": mu,
                "kappa": of_series(kappa) if policy.count_law_id == "nb2" else Constant(None),
                "count_N": count,
                "count_capped": capped,
            }
            writer.append(columns, block.rows)
            advance(block.rows)
    return counting.finished()


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a block came to, on the backend, and the streams that it drew from."""

    source: StreamSource
    outputs: Counts


@dataclass(frozen=True, slots=True)
class _Counting:
    """One scenario's counts, block by block. ``kappa`` float64 [n]: of every series, on the backend."""

    work: ScenarioWork
    policy: CountPolicy
    rng: RngPolicy
    kappa: Array
    totals: CountTotals = field(default_factory=CountTotals)

    def count(self, block: CellBlock) -> _Counted:
        """Draw the counts of a block's cells. Several threads may do this at once."""
        backend, buckets = self.work.backend, self.work.grid.bucket_count
        source = self._streams(block)
        outputs = Counts(
            backend.empty(block.rows, np.int64),
            backend.empty(block.rows, np.uint8),
            no_fault(backend, block.rows),
            no_fault(backend, block.rows),
        )
        inputs = CountInputs(
            source.templates,
            array(block.columns, "lambda_realised"),
            self.kappa,
            _law(self.policy),
            block.first,
            block.first // buckets,
            buckets,
            source.digits_max,
        )
        backend.launch(registry.BUCKET_COUNT, block.rows, inputs, outputs)
        return _Counted(source, outputs)

    def add(self, block: CellBlock, counted: _Counted) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means float64, counts int64 and cap flags uint8 of a block's cells, on the host; adds them to the totals.
        Blocks come in order."""
        backend, outputs = self.work.backend, counted.outputs
        mu = backend.download(array(block.columns, "lambda_realised"))
        self._refuse(block, mu, outputs)
        self._note_events(block, mu, counted.source)
        count, capped = backend.download(outputs.count), backend.download(outputs.capped)
        _add(self.totals, mu, count, capped)
        return mu, count, capped

    def finished(self) -> CountTotals:
        """The totals, with the trace and the event log of all blocks."""
        totals, draws = self.totals, _DRAWS[self.policy.count_law_id]
        family = self.rng.families[BUCKET_COUNT]
        if self.work.state.tuning.event_logs:
            write_bucket_events(self.work, family, draws, totals.logged)
        if totals.events:
            before, after = self._counter(totals.first_event), self._counter(totals.last_event) + 1
            totals.trace.append(TraceRow(family, 0, before, after, totals.events, totals.events * draws, totals.events))
        return totals

    def _streams(self, block: CellBlock) -> StreamSource:
        """Templates of the block's series."""
        first, last = (row // self.work.grid.bucket_count for row in (block.first, block.first + block.rows - 1))
        series, buckets = range(first, last + 1), self.work.grid.bucket_count
        return stream_source(self.work.backend, self._scope(), BUCKET_COUNT, self.work.axis, series, buckets)

    def _scope(self) -> StreamScope:
        return StreamScope(self.rng, self.work.state.root.identity, self.work.scenario_id)

    def _refuse(self, block: CellBlock, mu: np.ndarray, found: Counts) -> None:
        """Raise what the kernel reports: `NumericError` ``COUNTS_NUMERIC_INVALID``, `EvidenceError`
        ``RNG_ACCOUNTING_MISMATCH``."""
        backend, work = self.work.backend, self.work
        if (at := first_fault(backend, found.no_mean, block.rows)) is not None:
            series, bucket = divmod(block.first + at, self.work.grid.bucket_count)
            raise NumericError(
                work.code("COUNTS_NUMERIC_INVALID"),
                f"mean {mu[at]} of series {self.work.axis.key(series)}, bucket {bucket}",
                where="s2_realised_intensity_5B",
                remedy="run S2 again",
            )
        if (at := first_fault(backend, found.wraps, block.rows)) is not None:
            event = int(np.count_nonzero(mu[:at] > self.policy.lambda_zero_eps))
            raise wrap_error(work.state, self.rng.families[BUCKET_COUNT], self._counter(block.first + at), 1, event)

    def _note_events(self, block: CellBlock, mu: np.ndarray, source: StreamSource) -> None:
        """Count the rows that drew, keep the first and the last of them; log all of them if asked for."""
        totals, drew = self.totals, mu > self.policy.lambda_zero_eps
        events = int(np.count_nonzero(drew))
        if not events:
            return
        if not totals.events:
            totals.first_event = block.first + int(drew.argmax())
        totals.last_event = block.first + mu.size - 1 - int(drew[::-1].argmax())
        totals.events += events
        if self.work.state.tuning.event_logs:
            totals.logged.append(self._logged(block.first + np.flatnonzero(drew), block, source))

    def _logged(self, rows: np.ndarray, block: CellBlock, source: StreamSource) -> EventRows:
        """One event for each of the rows, with its counter."""
        backend = self.work.backend
        series, bucket = np.divmod(rows, self.work.grid.bucket_count)
        slot = (series - block.first // self.work.grid.bucket_count).astype(np.int32)
        streams = source.streams(backend.upload(slot), backend.upload(bucket.astype(np.int32)))
        high, low = backend.download(streams.counter_hi), backend.download(streams.counter_lo)
        return EventRows(series, bucket, high, low, np.ones(rows.size, np.int64))

    def _counter(self, row: int) -> int:
        """128-bit base counter of the row's stream."""
        family = self.rng.families[BUCKET_COUNT]
        series, bucket = divmod(row, self.work.grid.bucket_count)
        prefix = bucket_domain_prefix(family.domain_key_law, *self.work.axis.key(series))
        stream = derive_stream(self._scope().head(BUCKET_COUNT), f"{prefix}{bucket}")
        return counter128(stream.counter_hi, stream.counter_lo)


def _law(policy: CountPolicy) -> CountLaw:
    return CountLaw(
        _LAWS[policy.count_law_id],
        policy.lambda_zero_eps,
        policy.poisson_exact_lambda_max,
        policy.poisson_n_cap_exact,
        policy.max_count_per_bucket,
    )


def _constants(work: ScenarioWork, policy: CountPolicy) -> dict[str, Column]:
    return {
        **work.identity_columns(),
        "bucket_duration_seconds": Constant(work.grid.bucket_seconds),
        "count_law_id": Constant(policy.count_law_id),
    }


def _add(totals: CountTotals, mu: np.ndarray, count: np.ndarray, capped: np.ndarray) -> None:
    totals.rows += mu.size
    totals.count_sum += int(count.sum())
    totals.count_min = min(totals.count_min, int(count.min()))
    totals.count_max = max(totals.count_max, int(count.max()))
    totals.mu_min = min(totals.mu_min, float(mu.min()))
    totals.mu_max = max(totals.mu_max, float(mu.max()))
    totals.capped += int(capped.sum())


def _details(work: ScenarioWork, totals: CountTotals) -> dict[str, Any]:
    return {
        "bucket_count": work.grid.bucket_count,
        "group_count": len(work.axis.groups),
        "count_rows": totals.rows,
        "sum_count_N": totals.count_sum,
        "count_min": totals.count_min,
        "count_max": totals.count_max,
        "mu_min": totals.mu_min,
        "mu_max": totals.mu_max,
        "count_capped": totals.capped,
        "count_rng_event_count": totals.events,
        "count_rng_total_draws": sum(row.draws for row in totals.trace),
        "count_rng_total_blocks": sum(row.blocks for row in totals.trace),
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
