"""Intensities and counts of some cells derived from the sealed surface up, and compared column by column (laws L5, L6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.twin.merchants import Place, Traits
from seg5b.twin.scene import COUNT_FAMILY, Scene, group_key, own_key
from seg5b.twin.vectors import Streams, cell_kappas, draw_counts, exp, latent_factors, latent_paths, log_level_factors
from seg5b.validation.records import MOST_KEYS, Key
from seg5b.validation.rederived.series import SeriesTable, published, surface_targets
from seg5b.validation.shared_paths import shared_paths

_PATHS = 1 << 18
"""Buckets of latent paths that are held at a time, about."""
_INTENSITY = dict.fromkeys(("lambda_baseline", "lambda_random_component", "lambda_realised"), "DOUBLE")
_COUNTS = {
    **dict.fromkeys(("lambda_realised", "mu", "kappa"), "DOUBLE"),
    "count_N": "BIGINT",
    "count_capped": "BOOLEAN",
}


@dataclass(frozen=True, slots=True)
class DerivedCells:
    """n cells: ``positions`` (ascending) with baseline, factor and realised intensity, float64 each; ``counted``: which of them
    have a count, with ``kappa`` (NaN where the law has none), ``count`` and ``capped`` [n] there."""

    positions: np.ndarray
    baseline: np.ndarray
    factor: np.ndarray
    realised: np.ndarray
    counted: np.ndarray
    kappa: np.ndarray
    count: np.ndarray
    capped: np.ndarray

    def at(self, position: int) -> int:
        """Where a cell lies that is among them."""
        return int(np.searchsorted(self.positions, position))


def derive_cells(
    subject: Subject, scene: Scene, table: SeriesTable, positions: np.ndarray, counted: np.ndarray
) -> DerivedCells:
    """Derive cells (``positions``, ascending) from the sealed surface and their groups' streams; counts where ``counted``."""
    series, buckets = positions // table.buckets, positions % table.buckets
    baseline = surface_targets(subject, table, positions)
    factor = _factors(scene, table, series, buckets)
    realised = np.minimum(baseline * factor, scene.readings.lambda_max)
    kappa = np.full(positions.size, np.nan)
    count, capped = np.zeros(positions.size, np.int64), np.zeros(positions.size, bool)
    laws = {k: scene.count_law(table.traits[k]) for k in np.unique(series[counted]).tolist()}
    if laws:
        own = np.array([laws[k].kappa if k in laws else None for k in range(max(laws) + 1)], np.float64)
        volume = next(iter(laws.values())).volume
        kappa[counted] = cell_kappas(own[series[counted]], realised[counted], volume)
        drawn = np.flatnonzero(counted & (realised > scene.readings.zero_eps))
        keys = (
            scene.bucket_key(table.merchants[k], table.zones[k], table.channels[k], b)
            for k, b in zip(series[drawn].tolist(), buckets[drawn].tolist(), strict=True)
        )
        streams = Streams.named(scene.origin, COUNT_FAMILY, keys)
        law = next(iter(laws.values()))
        count[drawn], capped[drawn], _ = draw_counts(streams, realised[drawn], kappa[drawn], law)
    return DerivedCells(positions, baseline, factor, realised, counted, kappa, count, capped)


Path = tuple[Traits, Place | None]
"""Whose factors are derived: a group (no place), or a series of its own."""


def _factors(scene: Scene, table: SeriesTable, series: np.ndarray, buckets: np.ndarray) -> np.ndarray:
    """Factor of each cell; the paths of some groups or series at a time, as far as they are looked at."""
    if not scene.readings.has_field:
        return np.ones(series.size)
    numbers: dict[Path, int] = {}
    own = scene.readings.has_levels
    of_series = {
        k: numbers.setdefault((table.traits[k], table.places[k] if own else None), len(numbers))
        for k in np.unique(series).tolist()
    }
    path = np.array([of_series.get(k, -1) for k in range(len(table.traits))], np.int64)[series]
    order = np.argsort(path, kind="stable")
    ends = np.searchsorted(path[order], np.arange(len(numbers) + 1))
    keys, factors = list(numbers), np.empty(series.size)
    step = max(_PATHS // max(table.buckets, 1), 1)
    for first in range(0, len(keys), step):
        chosen = keys[first : first + step]
        cells = order[ends[first] : ends[first + len(chosen)]]
        paths = _paths(scene, chosen, int(buckets[cells].max()) + 1)
        factors[cells] = paths[path[cells] - first, buckets[cells]]
    return factors


def _paths(scene: Scene, chosen: Sequence[Path], buckets: int) -> np.ndarray:
    """Factors of some groups or series over buckets 0 .. ``buckets`` - 1, float64 [paths, buckets]."""
    places = [place for _, place in chosen if place is not None]
    if not places:
        streams = Streams.of(scene.latent_stream(group_key(traits.group_id)) for traits, _ in chosen)
        return latent_factors(streams, [scene.field_law(traits) for traits, _ in chosen], buckets)
    laws = [scene.level_law(traits) for traits, _ in chosen]
    streams = Streams.of(scene.latent_stream(own_key(each.merchant_id, each.zone, each.channel)) for each in places)
    own = latent_paths(streams, [law.paths[2] for law in laws], buckets)
    return exp(log_level_factors(laws, [*shared_paths(scene, laws, places, buckets), own]))


def compare_intensities(subject: Subject, table: SeriesTable, cells: DerivedCells) -> tuple[int, list[Key]]:
    """How many of the cells S2 published otherwise, and the first of them."""
    shown = published(subject, "intensity", _INTENSITY, cells.positions, table.buckets)
    derived = dict(zip(_INTENSITY, (cells.baseline, cells.factor, cells.realised), strict=True))
    return _differing(table, cells.positions, shown, derived)


def compare_counts(subject: Subject, table: SeriesTable, cells: DerivedCells) -> tuple[int, list[Key]]:
    """How many of the counts S3 published otherwise, and the first of them."""
    at = cells.counted
    shown = published(subject, "counts", _COUNTS, cells.positions[at], table.buckets)
    own = (cells.realised[at], cells.realised[at], cells.kappa[at], cells.count[at], cells.capped[at])
    return _differing(table, cells.positions[at], shown, dict(zip(_COUNTS, own, strict=True)))


def _differing(
    table: SeriesTable, positions: np.ndarray, shown: dict[str, np.ndarray], derived: dict[str, np.ndarray]
) -> tuple[int, list[Key]]:
    wrong = ~shown["found"]
    by_column = {}
    for name, own in derived.items():
        other = shown[name]
        with np.errstate(invalid="ignore"):
            differs = own != other
        if own.dtype.kind == "f" and other.dtype.kind == "f" and name == "kappa":
            differs &= ~(np.isnan(own) & np.isnan(other))
        by_column[name] = differs & shown["found"]
        wrong = wrong | by_column[name]
    keys: list[Key] = []
    for place in np.flatnonzero(wrong)[:MOST_KEYS].tolist():
        key: dict[str, object] = table.key(*divmod(int(positions[place]), table.buckets))
        names = [name for name, differs in by_column.items() if differs[place]]
        if names:
            key |= {"differs": ", ".join(names)}
            key |= {"published": _number(shown[names[0]][place]), "derived": _number(derived[names[0]][place])}
        else:
            key["differs"] = "is not published"
        keys.append(key)
    return int(wrong.sum()), keys


def _number(value: np.generic) -> float | int | None:
    """A number as JSON has it."""
    plain = value.item()
    return None if plain != plain else plain
