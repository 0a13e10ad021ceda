"""From values to coordinates, and which values to mark on an axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


class ScaleKind(Enum):
    """How values are spread: evenly, by their logarithm, or by the logarithm of one more (so that 0 has a place)."""

    LINEAR = "linear"
    LOG = "log"
    LOG1P = "log1p"


@dataclass(frozen=True, slots=True)
class Scale:
    """Values [low, high] on coordinates [start, end]; values beyond are drawn at the edge."""

    low: float
    high: float
    start: float
    end: float
    kind: ScaleKind = ScaleKind.LINEAR

    def __call__(self, value: float) -> float:
        """Coordinate of a value."""
        low, high = self._bent(self.low), self._bent(self.high)
        part = (self._bent(min(max(value, self.low), self.high)) - low) / (high - low) if high > low else 0.0
        return self.start + part * (self.end - self.start)

    def _bent(self, value: float) -> float:
        if self.kind is ScaleKind.LINEAR:
            return value
        return math.log10(value) if self.kind is ScaleKind.LOG else math.log10(1 + max(value, 0.0))

    def ticks(self, most: int = 6) -> list[float]:
        """Round values within the scale: steps of 1, 2 or 5, or powers of ten."""
        if self.kind is ScaleKind.LINEAR:
            return _even_ticks(self.low, self.high, most)
        first, last = math.ceil(math.log10(max(self.low, 1e-12)) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        if self.kind is ScaleKind.LOG1P:
            first = 0
        stride = max(1, -(-(last - first + 1) // most))
        powers = [10.0**power for power in range(first, last + 1, stride)]
        if len(powers) < 2 and self.kind is ScaleKind.LOG:
            steps = [factor * 10.0**power for power in range(first - 1, last + 1) for factor in (1, 2, 5)]
            powers = [step for step in steps if self.low <= step <= self.high]
        return [0.0, *powers] if self.kind is ScaleKind.LOG1P else powers


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


def round_up(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten that is not below a positive value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if factor * power >= value * (1 - 1e-9))


_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def short(value: float) -> str:
    """A number for an axis: 0.05, 3, 20k, 1.5M."""
    size, prefix = next(((size, sign) for size, sign in _PREFIXES if abs(value) >= size), (1.0, ""))
    return f"{value / size:.3g}{prefix}"


def percent(share: float) -> str:
    """A share for an axis: 5%, 0.1%."""
    return f"{100 * share:.3g}%"


def count(value: int) -> str:
    """A number in full, thousands apart."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun in the right form."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def zone_name(tzid: str, room: int = 20) -> str:
    """A zone's name for a label: without its first parts when there is no room."""
    if len(tzid) <= room:
        return tzid
    kept = tzid
    while "/" in kept and len(kept) + 2 > room:
        kept = kept.split("/", 1)[1]
    return f"…/{kept[: room - 2]}"
