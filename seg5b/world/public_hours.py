"""Weekly shapes by public hourly tables: law ``public_v1`` of ``merchants.shapes`` (docs/laws#world-public-shapes).

All arithmetic is on integers, so that every machine has the same shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg5b.contracts import load_yaml
from seg5b.errors import WorldError
from seg5b.hashing import sha256_file
from seg5b.public_tables import table_path

LAW: Final = "public_v1"
SHIFTS_MIN: Final = (-20, 0, 20)
"""By how much the variants of a class come later, in minutes."""
_TABLE: Final = "shapes.yaml"
_DAY_MIN = 1440
_HOUR_HALF_MIN = 120
"""Half minutes, in which minutes have their middle and hours their centre at a whole number."""


@dataclass(frozen=True, slots=True)
class PublicShape:
    """Weights of a class: ``hours`` of a day, local hour 0 first, and ``days``, Monday first; only ratios count. ``sure`` and
    ``source`` say where they come from."""

    hours: tuple[int, ...]
    days: tuple[int, ...]
    sure: str
    source: str


@cache
def shapes_by_class() -> Mapping[str, PublicShape]:
    """The table ``shapes.yaml``, by demand class. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where it cannot be read."""
    return {
        name: PublicShape(tuple(row["hours"]), tuple(row["days"]), row["sure"], row["source"])
        for name, row in load_yaml(table_path(_TABLE), error=WorldError, code="5B.WORLD.SPEC_INVALID").items()
    }


@cache
def shapes_sha256() -> str:
    """64 hex digits: SHA-256 of the table."""
    return sha256_file(table_path(_TABLE))


def week_weights(class_name: str, variant: int, per_hour: int) -> NDArray[np.int64]:
    """Weights of the buckets of a local week, int64 [168 per_hour], Monday 00 h first; variant 0 to 2.

    Within a day the rate goes in straight lines from the centre of an hour to that of the next, and from the last to the first;
    a bucket has the sum over its minutes, each at its middle. A variant is the same day `SHIFTS_MIN` later.
    """
    shape = shapes_by_class()[class_name]
    hours = np.array(shape.hours, np.int64)
    minute = np.arange(_DAY_MIN, dtype=np.int64) - SHIFTS_MIN[variant]
    after_centre = (2 * minute + 1 - _HOUR_HALF_MIN // 2) % (2 * _DAY_MIN)
    hour, way = np.divmod(after_centre, _HOUR_HALF_MIN)
    rate = hours[hour] * (_HOUR_HALF_MIN - way) + hours[(hour + 1) % 24] * way
    day = rate.reshape(24 * per_hour, -1).sum(axis=1)
    return np.outer(np.array(shape.days, np.int64), day).ravel()
