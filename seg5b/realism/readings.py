"""A statistic beside the band that public figures leave, and how sure its value is (docs/laws#public-gates)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Finding

BEYOND_SE = 3.0
"""Standard errors by which a value must lie beyond its band before grade B is denied."""
LEAST_UNITS = 8
"""Independent units (merchants, days) from which on their scatter gives a standard error."""
Band = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured ``value`` with its standard error and the closed ``bands`` of B and B+. ``size``: what it was measured on, in
    words of the board; ``short``: what a sample would need to be judged, nothing where it has it."""

    name: str
    value: float
    se: float
    bands: tuple[Band, Band]
    size: str
    short: str = ""

    @property
    def judged(self) -> bool:
        """Whether the sample says anything."""
        return not self.short

    def within(self, grade: int) -> bool:
        """Grade 0 (B): not beyond the band by `BEYOND_SE` standard errors. Grade 1 (B+): the value itself lies in its band.
        Never where the value is not a number."""
        low, high = self.bands[grade]
        more = 0.0 if grade else BEYOND_SE * self.se
        return low - more <= self.value <= high + more

    def as_fact(self) -> dict[str, Any]:
        """The same for the board's diagnostics; what is not a number or infinite is None."""
        numbers = {
            name: value if math.isfinite(value) else None for name, value in (("value", self.value), ("se", self.se))
        }
        return {**asdict(self), **numbers, "judged": self.judged, "b": self.within(0), "bplus": self.within(1)}


def shortage(*wanted: tuple[str, float, float]) -> str:
    """What is missing of (word, there, least) each, in words; nothing where all is there."""
    return ", ".join(f"{least:,.0f} {word} (has {there:,.0f})" for word, there, least in wanted if there < least)


def unstressed(subject: Subject, readings: Sequence[Reading]) -> list[Reading]:
    """The readings of a scenario; one of stress is shown only, as it departs from ordinary trade on purpose."""
    if not subject.constants["is_stress"]:
        return list(readings)
    return [replace(each, short="a scenario without stress") for each in readings]


def finding(readings: Sequence[Reading], rows: int, more: Mapping[str, Any] | None = None) -> Finding:
    """Readings as facts ``measured``, with ``more`` beside; a violation is a judged one beyond B."""
    wrong = [each for each in readings if each.judged and not each.within(0)]
    facts = {"measured": [each.as_fact() for each in readings], **(more or {})}
    return Finding(len(wrong), tuple(each.as_fact() for each in wrong[:10]), rows, facts)


def ratio_of_sums(parts: np.ndarray, wholes: np.ndarray) -> tuple[float, float]:
    """sum(parts) / sum(wholes) over independent units (float64 [units] each), and its standard error from the scatter of the
    units: sqrt(m / (m - 1) sum (part - ratio whole)^2) / sum(wholes). Not a number without a whole; infinite error for one
    unit."""
    total = float(wholes.sum())
    if not total > 0.0:
        return math.nan, math.inf
    ratio = float(parts.sum()) / total
    units = int((wholes > 0).sum())
    if units < 2:
        return ratio, math.inf
    squares = float(((parts - ratio * wholes) ** 2).sum())
    return ratio, math.sqrt(units / (units - 1) * squares) / total


def excess_rms(values: np.ndarray, variances: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Root mean square of ``values`` x without what their noise adds, and its standard error; all float64 [n].

    The root is that of m = sum w (x^2 - v) / sum w, 0 where m is negative. m has the variance
    sum w^2 (2 v^2 + 4 m v) / (sum w)^2; three standard errors of the root lead down to the root of m less three of its own.
    Not a number without any weight.
    """
    total = float(weights.sum())
    if not total > 0.0:
        return math.nan, math.inf
    mean = float((weights * (values**2 - variances)).sum()) / total
    spread = (weights**2 * (2.0 * variances**2 + 4.0 * max(mean, 0.0) * variances)).sum()
    least = mean - BEYOND_SE * math.sqrt(float(spread)) / total
    root = math.sqrt(max(mean, 0.0))
    return root, (root - math.sqrt(max(least, 0.0))) / BEYOND_SE
