"""The counts of a scenario's cells, part by part. Law L6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.counts import NB2, POISSON, SAME_KAPPA, CountInputs, CountLaw, Counts, VolumePower

from seg5b.axes import Group
from seg5b.axes.cells import CellBlock, iterate_cells
from seg5b.backends.base import Mark
from seg5b.backends.faults import fault_row, no_fault
from seg5b.context import ScenarioWork, StateWork
from seg5b.errors import NumericError, PolicyError
from seg5b.evidence import TraceRow, wrap_error
from seg5b.evidence.trace import counter128
from seg5b.frames.base import array
from seg5b.parallel import in_order
from seg5b.parts import FinishedPart, part_store
from seg5b.parts.series import cut_series, part_metadata, threads_within
from seg5b.policy import CountPolicy, RngPolicy
from seg5b.policy.rng import BUCKET_COUNT
from seg5b.progress import Advance
from seg5b.rng.device import StreamScope, StreamSource, stream_source
from seg5b.rng.messages import bucket_domain_prefix, derive_stream
from seg5b.tables import BackgroundWriter, ByteSink, Coded, Constant, Cycled, Repeated
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import BUCKET_COUNTS
from seg5b.tables.reading import Kind

_LAWS = {"poisson": POISSON, "nb2": NB2}
DRAWS = {"poisson": 1, "nb2": 2}
"""Draws of an event, by count law."""


@dataclass(slots=True)
class PartSums:
    """What a part's counts added up to; ``first_event`` and ``last_event`` are the rows that drew first and last."""

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


def open_policies(state: StateWork) -> tuple[CountPolicy, RngPolicy]:
    """The policies of S3. Raises as `StateWork.policy`."""
    return state.policy(CountPolicy, "arrival_count_config_5B"), state.policy(RngPolicy, "arrival_rng_policy_5B")


def open_counts(work: ScenarioWork) -> CountMaker:
    """A scenario of S3, opened for the making of its parts by any process."""
    return CountMaker(work, *open_policies(work.state))


def group_kappa(band: str, groups: tuple[Group, ...], policy: CountPolicy, *, code: str) -> np.ndarray:
    """Dispersion of each group, float64 [G]; 1 where a poisson policy states none. Raises `PolicyError` ``code`` where a
    floor of the policy is missed."""
    if not policy.kappa_base:
        return np.ones(len(groups))
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


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a block came to, on the backend, and when it was ``done``."""

    outputs: Counts
    done: Mark


class CountMaker:
    """Makes parts of ``s3_bucket_counts_5B`` (`seg5b.parts.Maker`)."""

    def __init__(self, work: ScenarioWork, policy: CountPolicy, rng: RngPolicy) -> None:
        self.work, self.policy, self.rng = work, policy, rng
        code = work.code("COUNT_CONFIG_INVALID")
        self._kappa = group_kappa(work.grid.band, work.axis.groups, policy, code=code)[work.axis.group]
        self._kappa_there = work.backend.upload(self._kappa)
        self._law = _law(policy)
        self._spans = cut_series(work.axis, work.grid.bucket_count)
        self.kept = part_store(work, rng, "s3_bucket_counts_5B", len(self._spans), asdict(PartSums()))
        self.sizes = [(span.stop - span.start) * work.grid.bucket_count for span in self._spans]

    def make(self, number: int, advance: Advance) -> FinishedPart:
        """Count, encode and hash the cells of some whole merchants. ``advance`` is called with cells done."""
        with self.kept.writing(number) as written:
            sums = self._write(number, written, advance)
            with self.work.state.timers.lane("hash"):
                return self.kept.keep(number, written, self._trace(number, sums), asdict(sums))

    def _write(self, number: int, written: Path | ByteSink, advance: Advance) -> PartSums:
        """Write the part; its sums."""
        sums = PartSums()
        metadata = part_metadata(self.work, number, len(self._spans))
        with BackgroundWriter(written, BUCKET_COUNTS, metadata, timers=self.work.state.timers) as writer:
            for block, counted in self._counted(number):
                mu, found = self._add(block, counted, sums)
                writer.append(self._columns(block, mu, found), block.rows)
                advance(block.rows)
        return sums

    def _counted(self, number: int) -> Iterator[tuple[CellBlock, _Counted]]:
        """The part's cells, block by block in order; blocks are counted side by side."""
        work, here, buckets = self.work, self._spans[number], self.work.grid.bucket_count
        code = work.code("S2_OUTPUT_MISSING")
        files = work.files("s2_realised_intensity_5B", code=code)
        rows = (here.start * buckets, None if here.stop == len(work.axis) else here.stop * buckets)
        wanted = {"lambda_realised": Kind.NUMBER}
        cells = iterate_cells(work.state.frames, work.backend, files, work.axis, buckets, wanted, code=code, rows=rows)
        timers, threads = work.state.timers, threads_within(work, len(self._spans))
        return in_order(timers.each("read", cells), timers.lane("count")(self._count), threads, label="s3")

    def _count(self, block: CellBlock) -> _Counted:
        """Draw the counts of a block's cells. Several threads may do this at once."""
        backend, buckets = self.work.backend, self.work.grid.bucket_count
        source = self._streams(block)
        outputs = Counts(
            backend.empty(block.rows, np.int64),
            backend.empty(block.rows, np.uint8),
            backend.empty(block.rows if self._law.volume.power else 1, np.float64),
            no_fault(backend, block.rows),
            no_fault(backend, block.rows),
        )
        inputs = CountInputs(
            source.templates,
            array(block.columns, "lambda_realised"),
            self._kappa_there,
            self._law,
            block.first,
            block.first // buckets,
            buckets,
            source.digits_max,
        )
        backend.launch(registry.BUCKET_COUNT, block.rows, inputs, outputs)
        return _Counted(outputs, backend.mark())

    def _add(self, block: CellBlock, counted: _Counted, sums: PartSums) -> tuple[np.ndarray, Counts]:
        """Means float64 of a block's cells and what they were counted as, on the host; adds them to the sums. Blocks come in
        order."""
        backend, outputs = self.work.backend, counted.outputs
        mu, *fetched = backend.downloads([array(block.columns, "lambda_realised"), *outputs], counted.done)
        found = Counts(*fetched)
        self._refuse(block, mu, found)
        count, capped = found.count, found.capped
        sums.rows += mu.size
        sums.count_sum += int(count.sum())
        sums.count_min, sums.count_max = min(sums.count_min, int(count.min())), max(sums.count_max, int(count.max()))
        sums.mu_min, sums.mu_max = min(sums.mu_min, float(mu.min())), max(sums.mu_max, float(mu.max()))
        sums.capped += int(capped.sum())
        drew = mu > self.policy.lambda_zero_eps
        events = int(np.count_nonzero(drew))
        if events:
            if not sums.events:
                sums.first_event = block.first + int(drew.argmax())
            sums.last_event = block.first + mu.size - 1 - int(drew[::-1].argmax())
            sums.events += events
        return mu, found._replace(count=count, capped=capped)

    def _columns(self, block: CellBlock, mu: np.ndarray, found: Counts) -> dict[str, Column]:
        axis, buckets = self.work.axis, self.work.grid.bucket_count
        first, run = divmod(block.first, buckets)
        here = slice(first, (block.first + block.rows - 1) // buckets + 1)

        def of_series(values: np.ndarray) -> Repeated:
            return Repeated(values[here], buckets, run)

        kappa: Column = Constant(None)
        if self.policy.count_law_id == "nb2":
            kappa = found.kappa if self._law.volume.power else of_series(self._kappa)
        return {
            **self.work.identity_columns(),
            "bucket_duration_seconds": Constant(self.work.grid.bucket_seconds),
            "count_law_id": Constant(self.policy.count_law_id),
            "merchant_id": of_series(axis.merchant_id),
            "zone_representation": Coded(of_series(axis.zone), text_values(axis.zones)),
            "channel_group": Coded(of_series(axis.channel), text_values(axis.channels)),
            "bucket_index": Cycled(buckets, run),
            "lambda_realised": mu,
            "mu": mu,
            "kappa": kappa,
            "count_N": found.count,
            "count_capped": found.capped,
        }

    def _trace(self, number: int, sums: PartSums) -> list[TraceRow]:
        if not sums.events:
            return []
        family, draws = self.rng.families[BUCKET_COUNT], sums.events * DRAWS[self.policy.count_law_id]
        before, after = self._counter(sums.first_event), self._counter(sums.last_event) + 1
        return [TraceRow(family, number, before, after, sums.events, draws, sums.events)]

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
        work = self.work
        if (at := fault_row(found.no_mean, block.rows)) is not None:
            series, bucket = divmod(block.first + at, self.work.grid.bucket_count)
            raise NumericError(
                work.code("COUNTS_NUMERIC_INVALID"),
                f"mean {mu[at]} of series {self.work.axis.key(series)}, bucket {bucket}",
                where="s2_realised_intensity_5B",
                remedy="run S2 again",
            )
        if (at := fault_row(found.wraps, block.rows)) is not None:
            event = int(np.count_nonzero(mu[:at] > self.policy.lambda_zero_eps))
            raise wrap_error(
                work.state, self.rng.families[BUCKET_COUNT], self._counter(block.first + at), 1, f"event {event}"
            )

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
        _volume_power(policy),
    )


def _volume_power(policy: CountPolicy) -> VolumePower:
    if policy.volume_power is None or policy.count_law_id != "nb2":
        return SAME_KAPPA
    return VolumePower(policy.volume_power.reference_mean, policy.volume_power.power, *policy.kappa_bounds)
