"""Alias tables side by side: many small tables in shared arrays, as kernels read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from seg5b_kernels.alias import build_alias_tables

from seg5b.errors import InputError

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class AliasTables:
    """T tables over E entries: table t owns entries [start[t], start[t + 1]); ``start`` int64 [T + 1],
    ``probability`` float64 [E], ``alias`` int32 [E], counted from the table's own first entry."""

    start: np.ndarray
    probability: np.ndarray
    alias: np.ndarray


def build_tables(weights: np.ndarray, start: np.ndarray, *, names: list[str], code: str, where: str) -> AliasTables:
    """Vose tables of float64 ``weights`` [E] cut at int64 ``start`` [T + 1] (docs/laws#alias-tables).

    ``names`` [T] say whose tables they are. Raises `InputError` ``code`` for a weight that is negative or not finite, a
    table without entries, or whose weights have no positive finite sum.
    """
    owner = np.repeat(np.arange(start.size - 1), np.diff(start))
    bad = np.flatnonzero(~((weights >= 0.0) & (weights < np.inf)))
    if bad.size:
        what = f"weight {weights[bad[0]]} of {names[owner[bad[0]]]} is not a non-negative finite number"
        raise InputError(code, what, where=where, remedy="restore the weights that upstream wrote")
    totals = np.bincount(owner, weights, minlength=len(names))
    empty = np.flatnonzero(~((totals > 0.0) & (totals < np.inf)))
    if empty.size:
        what = f"weights of {names[empty[0]]} sum to {totals[empty[0]]}"
        raise InputError(code, what, where=where, remedy="restore the weights that upstream wrote")
    probability, alias = np.empty(weights.size), np.empty(weights.size, np.int32)
    scratch = np.empty((2, int(np.diff(start).max(initial=1))), np.int32)
    build_alias_tables(weights, start, probability, alias, scratch[0], scratch[1])
    return AliasTables(start, probability, alias)


def group_rows(keys: list[K]) -> tuple[np.ndarray, list[K]]:
    """Cut sorted keys into runs: (``start`` int64 [T + 1], the T distinct keys)."""
    cuts = [row for row, key in enumerate(keys) if row == 0 or key != keys[row - 1]]
    return np.array([*cuts, len(keys)], np.int64), [keys[row] for row in cuts]
