"""The series axis: n series (merchant, time zone, channel) in canonical order, and their groups. Written by S1, read back
here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.axes.vocabulary import Vocabulary, run_starts
from seg5b.errors import DomainError
from seg5b.tables.reading import Columns, Kind, Text, column_names, numbers, read_columns, text

_TRAITS = ("group_id", "demand_class", "channel_group", "virtual_band")


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


def read_series_axis(file: Path, band: str, *, code: str) -> SeriesAxis:
    """The series of a scenario. Other engines write no ``component_count`` but a row for each country of a series, all alike:
    these are counted then.

    Raises `InputError` ``code`` when unreadable, `DomainError` ``code``: keys not unique or not in canonical order, a
    band that differs from the grid's, a group whose members differ in class, channel or virtual band.
    """
    names = ("zone_representation", "scenario_band", *_TRAITS)
    counted: dict[str, Kind] = {"component_count": Kind.INTEGER}
    if "component_count" not in column_names(file, code=code):
        counted = {}
    columns = read_columns([file], {"merchant_id": Kind.ID, **counted, **dict.fromkeys(names, Kind.TEXT)}, code=code)
    if not counted:
        columns = _one_row_a_series(columns, names)
    merchant = numbers(columns, "merchant_id")
    zones, channels = (_by_bytes(text(columns, name)) for name in ("zone_representation", "channel_group"))
    zone, channel = zones.encode(text(columns, "zone_representation")), channels.encode(text(columns, "channel_group"))
    _check_order(merchant, zones.rank()[zone], channels.rank()[channel], file, code)
    bands = {value for value in text(columns, "scenario_band").strings() if value != band}
    if bands:
        raise DomainError(code, f"band {bands.pop()!r} in a {band} scenario", where=str(file), remedy="run S1 again")
    group, groups = _groups([text(columns, name).strings() for name in _TRAITS], file, code)
    counts = numbers(columns, "component_count")
    return SeriesAxis(merchant, zone, channel, group, counts, zones.values, channels.values, groups)


def _by_bytes(column: Text) -> Vocabulary:
    """The strings of a column in byte order, as S1 numbers them: their order shows in what is written with them."""
    return Vocabulary(sorted(set(column.values), key=str.encode))


def _one_row_a_series(columns: Columns, names: Sequence[str]) -> Columns:
    """The rows without those that repeat the row before, and how many rows each stands for."""
    merchant, texts = numbers(columns, "merchant_id"), [text(columns, name) for name in names]
    starts = run_starts(merchant, *(column.codes for column in texts))
    kept = {name: Text(column.codes[starts], column.values) for name, column in zip(names, texts, strict=True)}
    counts = np.diff(np.append(starts, merchant.size)).astype(np.int64)
    return {"merchant_id": merchant[starts], "component_count": counts, **kept}


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
