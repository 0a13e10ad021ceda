"""The latent field of a scenario under whichever law, and what is recorded of its draws. Law L5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from seg5b.backends.base import Array
from seg5b.context import ScenarioWork
from seg5b.evidence import EVERY_EVENT, EventChoice, EventLog, TraceRow, path_log
from seg5b.policy import LgcpPolicy, RngPolicy
from seg5b.policy.rng import LATENT
from seg5b.states.s2_latent.factors import draw_group_field
from seg5b.states.s2_latent.levels import draw_level_field


class Field(Protocol):
    """Factors of all series, and the paths behind them.

    ``names`` of the paths in the order in which they are recorded, ``label`` the field of an event that tells them, and
    their 128-bit base ``counters`` (none where nothing is drawn); ``latent`` host float64 [G, H] if the diagnostic dataset is
    wanted, else None; how many factors were clipped to either bound.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the paths."""

    @property
    def label(self) -> str:
        """What the names are."""

    @property
    def counters(self) -> tuple[int, ...]:
        """Base counters of the paths."""

    @property
    def latent(self) -> np.ndarray | None:
        """The diagnostic dataset."""

    @property
    def parameters(self) -> Mapping[str, float]:
        """Smallest, median and largest sigma and correlation length in buckets; empty where nothing is drawn."""

    @property
    def clipped_low(self) -> int:
        """Factors that were raised."""

    @property
    def clipped_high(self) -> int:
        """Factors that were lowered."""

    def followed(self, series: np.ndarray) -> np.ndarray:
        """Which paths some series follow, bool [P]; ``series`` bool [n]."""

    def of(self, series: slice) -> tuple[np.ndarray, Array]:
        """Of some series: the row of each, int32 [S], in an array of factors, float64 [R, H] on the backend."""


def draw_field(work: ScenarioWork, policy: LgcpPolicy, rng: RngPolicy) -> Field:
    """The field that the policy asks for. Raises as `draw_group_field` and `draw_level_field`."""
    if policy.levels is not None:
        return draw_level_field(work, policy, rng, policy.levels)
    return draw_group_field(work, policy, rng)


def field_trace(work: ScenarioWork, rng: RngPolicy, field: Field) -> list[TraceRow]:
    """The trace row of a field's draws; none if nothing was drawn."""
    paths, buckets, counters = len(field.counters), work.grid.bucket_count, field.counters
    if not paths:
        return []
    blocks = paths * buckets
    return [TraceRow(rng.families[LATENT], 0, counters[0], counters[-1] + buckets, paths, 2 * blocks, blocks)]


def field_log(work: ScenarioWork, rng: RngPolicy, field: Field, choice: EventChoice = EVERY_EVENT) -> EventLog:
    """The log of a field: one event per path that a chosen series follows. A path is drawn for the whole horizon at once, so
    that any bucket chooses it."""
    family, names, counters = rng.families[LATENT], field.names, field.counters
    if not counters or not choice.buckets(work.grid):
        return path_log(work, family, field.label, (), ())
    paths = np.flatnonzero(field.followed(choice.series(work.axis))).tolist()
    return path_log(work, family, field.label, [names[path] for path in paths], [counters[path] for path in paths])
