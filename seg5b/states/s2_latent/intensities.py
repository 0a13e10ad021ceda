"""Realised intensities: the surface times the latent factors, part by part. Law L5."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from threading import Lock

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.latent import Intensities, IntensityInputs

from seg5b.context import ScenarioWork, StateWork
from seg5b.errors import DomainError, NumericError
from seg5b.inputs.surface import Components
from seg5b.inputs.surface_blocks import SurfaceBlock, UnsortedSurfaceError, iterate_blocks, sorted_copy
from seg5b.inputs.surface_placing import CELLS_PER_SHELF, lay_on_shelves, placed_blocks
from seg5b.parallel import in_order
from seg5b.parts import FinishedPart, part_store
from seg5b.parts.series import cut_merchants, cut_series, part_metadata, threads_within
from seg5b.policy import LgcpPolicy, RngPolicy
from seg5b.progress import Advance
from seg5b.publish import staging_folder
from seg5b.states.s2_latent.field import Field, draw_field
from seg5b.tables import BackgroundWriter, ByteSink, Coded, Cycled, Repeated
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import REALISED_INTENSITY

SURFACE = "merchant_zone_scenario_local_5A"


@dataclass(slots=True)
class PartSums:
    """What a part's intensities added up to."""

    rows: int = 0
    lambda_min: float = float("inf")
    lambda_max: float = 0.0
    lambda_max_clipped: int = 0


def open_policies(state: StateWork) -> tuple[LgcpPolicy, RngPolicy]:
    """The policies of S2, once the sealed inputs were compared with what was sealed. Raises as `StateWork.open_inputs` and
    `StateWork.policy`."""
    state.open_inputs(missing="LAMBDA_SOURCE_MISSING")
    return state.policy(LgcpPolicy, "arrival_lgcp_config_5B"), state.policy(RngPolicy, "arrival_rng_policy_5B")


def open_intensities(work: ScenarioWork) -> IntensityMaker:
    """A scenario of S2, opened for the making of its parts by any process; what series share of the field is drawn again,
    which takes no time beside a part."""
    policy, rng = open_policies(work.state)
    return IntensityMaker(work, policy, rng, draw_field(work, policy, rng))


class IntensityMaker:
    """Makes parts of ``s2_realised_intensity_5B`` (`seg5b.parts.Maker`)."""

    def __init__(self, work: ScenarioWork, policy: LgcpPolicy, rng: RngPolicy, field: Field) -> None:
        self._work, self._policy, self._field = work, policy, field
        self._spans = cut_series(work.axis, work.grid.bucket_count)
        self.kept = part_store(work, rng, "s2_realised_intensity_5B", len(self._spans), asdict(PartSums()))
        self.sizes = [span.stop - span.start for span in self._spans]
        self._laying, self._in_order = Lock(), True

    def make(self, number: int, advance: Advance) -> FinishedPart:
        """Realise, encode and hash the intensities of some whole merchants. ``advance`` is called with series done."""
        here = self._spans[number]
        try:
            if self._in_order:
                return self._make(number, self._blocks(here, self._files), advance)
        except (UnsortedSurfaceError, DomainError) as cause:
            # a part of several looks at its own rows only, and cannot tell disorder from a gap
            if isinstance(cause, DomainError) and len(self._spans) == 1:
                raise
            self._in_order = False
        try:
            return self._make(number, self._placed(number), advance)
        except UnsortedSurfaceError:
            self._work.state.log.info("surface of %s has faults; sorting a copy to find them", self._work.scenario_id)
            with staging_folder(self.kept.folder, "surface") as scratch:
                copy = sorted_copy(self._files, scratch, code=self._work.code("LAMBDA_SOURCE_MISSING"))
                return self._make(number, self._blocks(here, copy), advance)

    @property
    def _files(self) -> tuple[Path, ...]:
        return self._work.state.gate.files(SURFACE, self._work.scenario_id)

    def _make(self, number: int, blocks: Iterator[SurfaceBlock], advance: Advance) -> FinishedPart:
        with self.kept.writing(number) as written:
            sums = self._write(number, blocks, written, advance)
            with self._work.state.timers.lane("hash"):
                return self.kept.keep(number, written, (), asdict(sums))

    def _placed(self, number: int) -> Iterator[SurfaceBlock]:
        """The surface of a part by way of shelves that lie beside the finished parts; laid once by whoever needs them first."""
        state, axis, buckets = self._work.state, self._work.axis, self._work.grid.bucket_count
        shelves = self.kept.folder / "surface_shelves"
        within = [cut_merchants(axis, span, -(-CELLS_PER_SHELF // buckets)) for span in self._spans]
        first = np.array([axis.merchant_id[shelf.start] for shelf in chain(*within)], np.uint64)
        with self._laying:
            if not shelves.exists():
                state.log.info("surface of %s is not in key order; putting its rows in place", self._work.scenario_id)
                with staging_folder(self.kept.folder, "surface") as scratch, state.timers.lane("surface_read"):
                    lay_on_shelves(self._files, scratch, first, buckets, code=self._work.code("LAMBDA_SOURCE_MISSING"))
                    _put(scratch, shelves)
        begin = sum(map(len, within[:number]))
        return placed_blocks(state.backend, shelves, range(begin, begin + len(within[number])), buckets)

    def _write(
        self, number: int, blocks: Iterator[SurfaceBlock], written: Path | ByteSink, advance: Advance
    ) -> PartSums:
        """Stream the surface through the kernel into one file; series must come out exactly as S1 listed them."""
        work, here, sums = self._work, self._spans[number], PartSums()
        axis, buckets, constants = work.axis, work.grid.bucket_count, work.identity_columns()
        zones, channels = text_values(axis.zones), text_values(axis.channels)
        metadata = part_metadata(work, number, len(self._spans))
        with BackgroundWriter(written, REALISED_INTENSITY, metadata, timers=work.state.timers) as writer:
            for block, values in self._realised(here, blocks):
                self._check_and_add(block.start, values, sums)
                columns: dict[str, Column] = {
                    **constants,
                    "merchant_id": Repeated(axis.merchant_id[block], buckets),
                    "zone_representation": Coded(Repeated(axis.zone[block], buckets), zones),
                    "channel_group": Coded(Repeated(axis.channel[block], buckets), channels),
                    "bucket_index": Cycled(buckets),
                    "lambda_baseline": values.baseline,
                    "lambda_random_component": values.random,
                    "lambda_realised": values.realised,
                }
                writer.append(columns, values.realised.size)
                sums.rows += values.realised.size
                advance(block.stop - block.start)
        if sums.rows != (here.stop - here.start) * buckets:
            raise _incomplete(work, axis.key(here.start + sums.rows // buckets), "is missing from the surface")
        return sums

    def _realised(self, here: slice, blocks: Iterator[SurfaceBlock]) -> Iterator[tuple[slice, Intensities]]:
        """The series of each block and its intensities, in order; blocks are computed side by side."""
        work = self._work

        def aligned() -> Iterator[tuple[slice, SurfaceBlock, np.ndarray]]:
            done = here.start
            for block in work.state.timers.each("surface_read", blocks):
                starts = _align(work, done, block.components)
                yield slice(done, done + starts.size - 1), block, starts
                done += starts.size - 1

        def launched(piece: tuple[slice, SurfaceBlock, np.ndarray]) -> Intensities:
            of_block, block, starts = piece
            with work.state.timers.lane("intensities"):
                return self._launch(of_block, block, starts)

        threads = threads_within(work, len(self._spans))
        for (of_block, _, _), values in in_order(aligned(), launched, threads, label="s2"):
            yield of_block, values

    def _blocks(self, here: slice, files: Sequence[Path]) -> Iterator[SurfaceBlock]:
        """The surface of some series. The last part reads to the end, so that rows of no series are met."""
        state, buckets, components = self._work.state, self._work.grid.bucket_count, self._work.axis.component_count
        first, stop = (int(components[:bound].sum()) * buckets for bound in (here.start, here.stop))
        rows = (first, None if here.stop == len(self._work.axis) else stop)
        return iterate_blocks(state.frames, state.backend, files, buckets, state=state.id, rows=rows)

    def _launch(self, series: slice, block: SurfaceBlock, starts: np.ndarray) -> Intensities:
        """Baseline, factor and realised intensity of a block, host float64 [S * H] each."""
        backend, cap = self._work.backend, self._policy.lambda_max
        row, factor = self._field.of(series)
        rows = row.size * block.surface.shape[1]
        outputs = Intensities(*(backend.empty(rows, np.float64) for _ in Intensities._fields))
        inputs = IntensityInputs(
            block.surface,
            backend.upload(block.row),
            backend.upload(starts),
            backend.upload(row),
            factor,
            float("inf") if cap is None else cap,
        )
        backend.launch(registry.REALISED_INTENSITY, rows, inputs, outputs)
        return Intensities(*backend.downloads(outputs))

    def _check_and_add(self, first: int, values: Intensities, sums: PartSums) -> None:
        work, realised, cap = self._work, values.realised, self._policy.lambda_max
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
        sums.lambda_min, sums.lambda_max = min(sums.lambda_min, low), max(sums.lambda_max, high)
        if cap is not None and high >= cap:
            sums.lambda_max_clipped += int((values.baseline * values.random > cap).sum())


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


def _put(made: Path, place: Path) -> None:
    """Move a finished folder to its place, unless another process was first."""
    try:
        made.rename(place)
    except OSError:
        if not place.exists():
            raise


def _incomplete(work: ScenarioWork, key: tuple[int, str, str], what: str) -> DomainError:
    return DomainError(
        work.code("REALISED_DOMAIN_INCOMPLETE"),
        f"series {key} {what}",
        where=SURFACE,
        remedy="surface and grouping must come from the same sealed world; run S1 again",
    )
