"""The two axes of everything after S1: series and buckets. Read from S1's outputs, shared by S2-S4."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.errors import DomainError
from seg5b.inputs.keys import Vocabulary, run_starts
from seg5b.tables.reading import Kind, numbers, read_columns, text

MICROSECONDS = 1_000_000
DAY_US = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """H half-open buckets: bucket b covers [start_us + b * bucket_us, start_us + (b + 1) * bucket_us), UTC epoch
    microseconds. ``band`` is ``baseline`` or ``stress``."""

    start_us: int
    bucket_us: int
    bucket_count: int
    band: str

    @property
    def end_us(self) -> int:
        """End of the horizon, exclusive."""
        return self.start_us + self.bucket_count * self.bucket_us

    @property
    def first_day(self) -> int:
        """UTC epoch day of the start."""
        return self.start_us // DAY_US

    @property
    def days(self) -> int:
        """UTC days that the horizon touches."""
        return (self.end_us - 1) // DAY_US - self.first_day + 1

    def day_of_bucket(self) -> np.ndarray:
        """UTC day on which each bucket starts, counted from `first_day`, int32 [H]."""
        starts = self.start_us + np.arange(self.bucket_count, dtype=np.int64) * self.bucket_us
        days: np.ndarray = (starts // DAY_US - self.first_day).astype(np.int32)
        return days

    @property
    def bucket_seconds(self) -> int:
        """Length of a bucket in seconds."""
        return self.bucket_us // MICROSECONDS


@dataclass(frozen=True, slots=True)
class Group:
    """One latent group and the traits that set its parameters."""

    group_id: str
    demand_class: str
    channel: str
    virtual_band: str


@dataclass(frozen=True, slots=True)
class SeriesAxis:
    """n series in canonical order (law L3): merchant as uint64, then tzid bytes, then channel bytes.

    ``merchant_id`` uint64 [n]; ``zone`` and ``channel`` int32 codes into ``zones`` and ``channels``; ``group`` int32
    into ``groups``, which are in ascending byte order of group_id; ``component_count`` int64 [n]: country rows behind
    each series.
    """

    merchant_id: np.ndarray
    zone: np.ndarray
    channel: np.ndarray
    group: np.ndarray
    component_count: np.ndarray
    zones: tuple[str, ...]
    channels: tuple[str, ...]
    groups: tuple[Group, ...]

    def __len__(self) -> int:
        return self.merchant_id.size

    def key(self, series: int) -> tuple[int, str, str]:
        """(merchant_id, tzid, channel_group) of one series."""
        return int(self.merchant_id[series]), self.zones[self.zone[series]], self.channels[self.channel[series]]

    def merchant_starts(self) -> np.ndarray:
        """First series of each merchant, int64, merchants ascending."""
        return run_starts(self.merchant_id)


def read_axes(grid_file: Path, grouping_file: Path, *, code: str) -> tuple[TimeGrid, SeriesAxis]:
    """Both axes of a scenario from S1's outputs. Errors as `read_time_grid` and `read_series_axis`."""
    grid = read_time_grid(grid_file, code=code)
    return grid, read_series_axis(grouping_file, grid.band, code=code)


def read_time_grid(file: Path, *, code: str) -> TimeGrid:
    """The grid of a scenario. Raises `InputError` ``code`` when unreadable, `DomainError` ``code`` when its buckets
    are not contiguous from 0, half-open and equally long."""
    kinds = {
        "bucket_index": Kind.INTEGER,
        "bucket_start_utc": Kind.MOMENT,
        "bucket_end_utc": Kind.MOMENT,
        "scenario_is_baseline": Kind.FLAG,
    }
    columns = read_columns([file], kinds, code=code)
    index, start, end = (numbers(columns, name) for name in ("bucket_index", "bucket_start_utc", "bucket_end_utc"))
    if not index.size:
        raise DomainError(code, "the time grid has no bucket", where=str(file), remedy="run S1 again")
    length = int(end[0] - start[0])
    expected = int(start[0]) + np.arange(index.size) * length
    sound = length > 0 and (index == np.arange(index.size)).all()
    if not (sound and (start == expected).all() and (end == expected + length).all()):
        raise DomainError(code, "the time grid has gaps or overlaps", where=str(file), remedy="run S1 again")
    band = "baseline" if bool(numbers(columns, "scenario_is_baseline")[0]) else "stress"
    return TimeGrid(int(start[0]), length, index.size, band)


_TRAITS = ("group_id", "demand_class", "channel_group", "virtual_band")


def read_series_axis(file: Path, band: str, *, code: str) -> SeriesAxis:
    """The series of a scenario.

    Raises `InputError` ``code`` when unreadable, `DomainError` ``code``: keys not unique or not in canonical order, a
    band that differs from the grid's, a group whose members differ in class, channel or virtual band.
    """
    names = ("zone_representation", "scenario_band", *_TRAITS)
    kinds = {"merchant_id": Kind.ID, "component_count": Kind.INTEGER, **dict.fromkeys(names, Kind.TEXT)}
    columns = read_columns([file], kinds, code=code)
    merchant = numbers(columns, "merchant_id")
    zones, channels = Vocabulary(), Vocabulary()
    zone, channel = zones.encode(text(columns, "zone_representation")), channels.encode(text(columns, "channel_group"))
    _check_order(merchant, zones.rank()[zone], channels.rank()[channel], file, code)
    bands = {value for value in text(columns, "scenario_band").strings() if value != band}
    if bands:
        raise DomainError(code, f"band {bands.pop()!r} in a {band} scenario", where=str(file), remedy="run S1 again")
    group, groups = _groups([text(columns, name).strings() for name in _TRAITS], file, code)
    counts = numbers(columns, "component_count")
    return SeriesAxis(merchant, zone, channel, group, counts, zones.values, channels.values, groups)


def _check_order(merchant: np.ndarray, zone: np.ndarray, channel: np.ndarray, file: Path, code: str) -> None:
    if not merchant.size:
        raise DomainError(code, "the grouping has no series", where=str(file), remedy="run S1 again")
    same = merchant[1:] == merchant[:-1]
    ascending = merchant[1:] > merchant[:-1]
    ascending |= same & (zone[1:] > zone[:-1])
    ascending |= same & (zone[1:] == zone[:-1]) & (channel[1:] > channel[:-1])
    if not ascending.all():
        at = int(np.flatnonzero(~ascending)[0]) + 1
        raise DomainError(
            code,
            f"series {at} (merchant {merchant[at]}) repeats or is out of order",
            where=str(file),
            remedy="run S1 again",
        )


def _groups(traits: list[list[str]], file: Path, code: str) -> tuple[np.ndarray, tuple[Group, ...]]:
    members: dict[str, Group] = {}
    for row in zip(*traits, strict=True):
        group = Group(*row)
        if members.setdefault(group.group_id, group) != group:
            raise DomainError(
                code, f"group {group.group_id} has members of several kinds", where=str(file), remedy="run S1 again"
            )
    groups = tuple(sorted(members.values(), key=lambda group: group.group_id.encode()))
    position = {group.group_id: index for index, group in enumerate(groups)}
    return np.array([position[group_id] for group_id in traits[0]], np.int32), groups
