"""The scatter of standardised counts (T9) beside what the count law says of it (docs/laws#T9)."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

_MILLION = 1e6
ALLOWED_SE = (5.0, 4.0)
"""Standard errors that a lawful scatter may be off by, at B and B+."""
ALLOWED_RATIO = 0.001
"""And so much of the expectation: means above ``poisson_exact_lambda_max`` are drawn by a rounded normal quantile, whose
variance is larger by 1/12."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Sums over ``rows`` of counts that were drawn and lie far below the cap, in millionths: of r^2 with
    r = (N - mu) / sqrt(mu) (``squares``), of its expectation 1 + mu / kappa (``expected``) and variance (``variance``)
    under the law, and of (r^2 - its expectation)^2 (``gaps``). Sums of parts add up, in any order."""

    rows: int = 0
    squares: int = 0
    expected: int = 0
    variance: int = 0
    gaps: int = 0

    def __add__(self, other: Scatter) -> Scatter:
        """Both sets of rows together."""
        return Scatter(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    @property
    def std(self) -> float:
        """Root of the mean square of r over these rows: T9 of the rows that the law holds for, its mean taken as 0."""
        return math.sqrt(self.squares / _MILLION / self.rows) if self.rows else math.nan

    @property
    def expected_std(self) -> float:
        """What the law expects of `std`: sqrt(1 + mean(mu / kappa))."""
        return math.sqrt(self.expected / _MILLION / self.rows) if self.rows else math.nan

    @property
    def standard_error(self) -> float:
        """Of `std`: the law's or the sample's, whichever is larger. A few arrivals in buckets that expect almost none are
        large squares; they raise the sample's error as much as the gap, so they alone never look like a fault."""
        if not self.rows:
            return math.nan
        return math.sqrt(max(self.variance, self.gaps) / _MILLION) / self.rows / (2.0 * self.expected_std)

    @property
    def in_standard_errors(self) -> float:
        """Gap between observed and expected mean square, in its standard errors."""
        spread = math.sqrt(max(self.variance, self.gaps) / _MILLION)
        return (self.squares - self.expected) / _MILLION / spread if spread else math.nan

    def lawful(self, grade: int = 0) -> bool:
        """Whether the scatter agrees with the law at grade 0 (B) or 1 (B+)."""
        gap = abs(self.std / self.expected_std - 1.0)
        return gap <= ALLOWED_SE[grade] * self.standard_error / self.expected_std + ALLOWED_RATIO

    def inside(self, bounds: tuple[float, float]) -> bool:
        """Whether the expectation lies within ``bounds`` by more than a lawful run is off."""
        margin = ALLOWED_SE[0] * self.standard_error
        return bounds[0] + margin <= self.expected_std <= bounds[1] - margin
