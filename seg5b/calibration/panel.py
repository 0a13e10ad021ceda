"""Do the seeds of a panel differ as much as the laws say, no less and no more (docs/laws#certification)?

Every total that `seg5b.realism.expected` measures is one number per seed that is standard normal under the law, whatever
the seed. Over the seeds their squares follow chi-square laws: the sum about zero sees a common bias, the sum about their mean
sees seeds that vary too much, and seeds that vary too little because they share random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seg5b.realism import Scoreboard

LEAST_P = 1e-5
"""A panel fails where a chi-square tail is rarer than this."""
LEAST_SEEDS = 2
ALL = "all together (root mean square)"
_TINY = 1e-300
_TERMS = 10_000


@dataclass(frozen=True, slots=True)
class Variation:
    """One total over the seeds: ``z`` in standard deviations, one per seed; ``bias_p`` the chance of a sum of squares as
    large, ``more_p`` and ``less_p`` those of squares about the mean as large and as small."""

    scenario_id: str
    name: str
    z: tuple[float, ...]
    bias_p: float
    more_p: float
    less_p: float

    @property
    def faults(self) -> tuple[str, ...]:
        """What is too rare, in words."""
        said = (
            (self.bias_p, "is off by more than the law allows"),
            (self.more_p, "varies more between seeds than the law allows"),
            (self.less_p, "varies less between seeds than the law allows"),
        )
        return tuple(f"{self.scenario_id}: {self.name} {words} (p {p:.1e})" for p, words in said if p < LEAST_P)

    def as_json(self) -> dict[str, Any]:
        """Its row of the report."""
        return {**asdict(self), "z": list(self.z), "faults": list(self.faults)}


def variations(boards: Sequence[Scoreboard]) -> list[Variation]:
    """Every total that each seed has, by scenario, and all of them together."""
    if len(boards) < LEAST_SEEDS:
        return []
    by_seed = [z_by_name(board.diagnostics["expected"]) for board in boards]
    shared = [key for key in by_seed[0] if all(key in other for other in by_seed)]
    rows = [(key, tuple(seed[key] for seed in by_seed)) for key in shared]
    found = [variation(scenario, name, z) for (scenario, name), z in rows]
    return [*found, together([z for _, z in rows])] if found else []


def z_by_name(facts: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """By scenario and name of the total, from the facts of the probe ``realism.expected``."""
    return {
        (scenario, each["name"]): float(each["z"])
        for scenario, own in facts.items()
        for each in own.get("statistics", ())
    }


def variation(scenario_id: str, name: str, z: Sequence[float]) -> Variation:
    """Judge one total."""
    bias, spread = _squares([z])
    _, bias_p = chi_square_tails(bias, len(z))
    less_p, more_p = chi_square_tails(spread, len(z) - 1)
    return Variation(scenario_id, name, tuple(z), bias_p, more_p, less_p)


def together(rows: Sequence[Sequence[float]]) -> Variation:
    """Judge all totals at once: small excesses of many add up. ``z`` is the root mean square of each seed."""
    seeds = len(rows[0])
    bias, spread = _squares(rows)
    _, bias_p = chi_square_tails(bias, len(rows) * seeds)
    less_p, more_p = chi_square_tails(spread, len(rows) * (seeds - 1))
    size = tuple(math.sqrt(math.fsum(row[seed] ** 2 for row in rows) / len(rows)) for seed in range(seeds))
    return Variation("every scenario", ALL, size, bias_p, more_p, less_p)


def faults_of(found: Iterable[Variation]) -> list[str]:
    """What is too rare in any of them."""
    return [fault for each in found for fault in each.faults]


def _squares(rows: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Sums of squares about zero and about each row's mean."""
    bias = math.fsum(z * z for row in rows for z in row)
    spread = math.fsum((z - math.fsum(row) / len(row)) ** 2 for row in rows for z in row)
    return bias, spread


def chi_square_tails(x: float, freedom: int) -> tuple[float, float]:
    """Chances of a chi-square value below and above ``x``: the incomplete gamma function, by its series below its mean and by
    its continued fraction above, so that either tail is exact where it is small."""
    a, half = freedom / 2.0, x / 2.0
    if not half > 0.0:
        return 0.0, 1.0
    if math.isinf(half):
        return 1.0, 0.0
    front = math.exp(a * math.log(half) - half - math.lgamma(a))
    if half < a + 1.0:
        below = min(front * _series(a, half), 1.0)
        return below, 1.0 - below
    above = min(front * _fraction(a, half), 1.0)
    return 1.0 - above, above


def _series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for n in range(1, _TERMS):
        term *= x / (a + n)
        total += term
        if term < total * 1e-16:
            break
    return total


def _fraction(a: float, x: float) -> float:
    """Lentz's evaluation of the continued fraction of the upper incomplete gamma function."""
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    value = d
    for n in range(1, _TERMS):
        step = -n * (n - a)
        b += 2.0
        d = 1.0 / _nonzero(step * d + b)
        c = _nonzero(b + step / c)
        value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _nonzero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY
