"""Channels: which of them each row trades through, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world.domain import CountryRows
from seg5b.world.own_patterns import OwnPatterns
from seg5b.world.plan import OwnSurface, WorldPlan
from seg5b.world.spec.refusal import refusal
from seg5b.world.vocabulary import CHANNELS, CLASSES, channel_code


@dataclass(frozen=True, slots=True)
class ChannelRows:
    """Columns over the (merchant, country, tzid, channel) rows, sorted by these: the rows of the surface.

    ``names`` of the channels in ascending order, or as the vocabulary has them; ``row`` int64 position in the rows of
    the domain; ``channel`` int64 code into ``names``; ``weekly`` float64 expected arrivals of a normal week; ``main``
    int64 [rows of the domain], the channel that carries most of a row.
    """

    names: tuple[str, ...]
    row: NDArray[np.int64]
    channel: NDArray[np.int64]
    weekly: NDArray[np.float64]
    main: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.row.size)


def split_channels(plan: WorldPlan, rows: CountryRows, tzids: Sequence[str]) -> ChannelRows:
    """Each row by its channels: those that its class sells through, in proportion to their shares, or to what a user's table
    expects in each. Without stated channels a class has one, which keeps the strata of the grouping as large as possible.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where that table has a channel that the class does not sell through."""
    split = _split(plan, rows)
    if plan.own_surface is None or not plan.own_surface.channel:
        return split
    return _by_table(plan.own_surface, split, rows, tzids)


def _by_table(table: OwnSurface, split: ChannelRows, rows: CountryRows, tzids: Sequence[str]) -> ChannelRows:
    patterns = OwnPatterns(table, tzids, split.names)
    merchant, zone = rows.merchant[split.row], rows.zone[split.row]
    found = patterns.of(merchant, zone, split.channel)
    missing = np.flatnonzero(np.bincount(found[found >= 0], minlength=patterns.total.size) == 0)
    missing = missing[patterns.total[missing] > 0]
    if missing.size:
        name = table.channel[int(missing[0])]
        owner = rows.class_code[rows.merchant == table.merchant[missing[0]]]
        what = f"is no channel that {CLASSES[owner[0]]} sells through"
        raise refusal("volume.file.channel", name, what, "add the class to the channel, or correct the table")
    here = np.where(found >= 0, patterns.total[found], 0.0)
    whole = np.bincount(split.row, here, len(rows))
    own = np.isin(merchant, table.merchant)
    part = np.divide(here, whole[split.row], out=np.zeros(here.size), where=whole[split.row] > 0)
    weekly = np.where(own, rows.weekly[split.row] * part, split.weekly)
    order = np.lexsort((split.channel, -weekly, split.row))
    main = split.channel[order[np.unique(split.row[order], return_index=True)[1]]]
    return ChannelRows(split.names, split.row, split.channel, weekly, main)


def _split(plan: WorldPlan, rows: CountryRows) -> ChannelRows:
    if not plan.channels:
        main = np.array([channel_code(name) for name in CLASSES])[rows.class_code]
        return ChannelRows(CHANNELS, np.arange(len(rows)), main, rows.weekly, main)
    share = np.array([[_share(each.share, each.classes, name) for each in plan.channels] for name in CLASSES])
    share = share / np.where(share.sum(axis=1) > 0, share.sum(axis=1), 1.0)[:, None]
    of_row = share[rows.class_code]
    row, channel = np.nonzero(of_row > 0)
    weekly = rows.weekly[row] * of_row[row, channel]
    names = tuple(each.name for each in plan.channels)
    return ChannelRows(names, row, channel, weekly, np.argmax(of_row, axis=1))


def _share(share: float, classes: tuple[str, ...], name: str) -> float:
    return share if not classes or name in classes else 0.0
