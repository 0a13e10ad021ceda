"""Places that differ from world to world but not from run to run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_Item = TypeVar("_Item")


def spread(total: int, wanted: int, label: str) -> list[int]:
    """``wanted`` distinct places in [0, total), one in each equal stretch; every place where there are not more."""
    if total <= wanted:
        return list(range(total))
    places = []
    for number in range(wanted):
        first, stop = number * total // wanted, (number + 1) * total // wanted
        digest = hashlib.sha256(f"5B.rederive|{label}|{number}".encode()).digest()
        places.append(first + int.from_bytes(digest[:8], "big") % (stop - first))
    return places


def some(items: Sequence[_Item], wanted: int, label: str) -> list[_Item]:
    """At most ``wanted`` of some items, spread over their order."""
    return [items[place] for place in spread(len(items), wanted, label)]


def some_of(array: np.ndarray, wanted: int, label: str) -> np.ndarray:
    """The same of an array."""
    return array[np.array(spread(array.size, wanted, label), np.int64)]


def digit_buckets(buckets: int) -> list[int]:
    """Buckets around which the decimal text of the index grows, and both ends of the horizon: 0, 1, 9, 10, 99, 100 .."""
    powers = [10**digits for digits in range(len(str(buckets)) + 1)]
    near = {0, buckets - 1, *powers, *(power - 1 for power in powers)}
    return sorted(bucket for bucket in near if 0 <= bucket < buckets)
