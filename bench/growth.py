"""How seconds grow with size: the slope of a straight line through logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float | None:
    """b of seconds = a * size^b by least squares on logarithms; None without two different sizes. 1 is linear; fixed
    costs of small worlds pull it down."""
    pairs = [(math.log(size), math.log(took)) for size, took in zip(sizes, seconds, strict=True) if size > 0 < took]
    if len({x for x, _ in pairs}) < 2:
        return None
    middle_x, middle_y = fmean(x for x, _ in pairs), fmean(y for _, y in pairs)
    spread = sum((x - middle_x) ** 2 for x, _ in pairs)
    return sum((x - middle_x) * (y - middle_y) for x, y in pairs) / spread
