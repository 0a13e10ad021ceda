"""Channels: which of them each row trades through, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world.domain import CountryRows
from seg5b.world.plan import WorldPlan
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


def split_channels(plan: WorldPlan, rows: CountryRows) -> ChannelRows:
    """Each row by its channels: those that its class sells through, in proportion to their shares. Without stated
    channels a class has one, which keeps the strata of the grouping as large as possible."""
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
