"""What must not hold for any row of intensities or counts: one predicate each, the only place that states it.

A predicate sees row ``i`` of `IntensityRows` or `CountRows`, the `Cell` that the row's position gives it, and the `Limits`,
and is true where the row violates. As in SQL, a comparison with a null is never true (nulls are a violation of their own),
and not a number is the greatest number. A check names its predicate (`seg5b.validation.records.CellCondition`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.part_scan._compiled import inlined
from seg5b.part_scan.cells import columns as c
from seg5b.part_scan.loops import differs, exceeds

_PRODUCT_ERROR = 1e-12
_KAPPA_ERROR = 1e-12
_LEAST_RATIO = 2.0**-1022


class Limits(NamedTuple):
    """Constants of the walk: bounds of the policies (``most_lambda``, ``least_factor``, ``most_factor``, ``lambda_cap``,
    ``zero_eps``; ``most_count`` of the validation and ``count_cap`` of the count policy), length of a bucket in seconds,
    number of the count law's name, whether that law has no dispersion, how dispersion follows the mean of a cell
    (`cell_kappa`), the threshold of sampled mode (negative: every row), and the least numbers that the contracts allow, float64
    [columns] in the order of the rows' numbers."""

    most_lambda: float
    least_factor: float
    most_factor: float
    lambda_cap: float
    zero_eps: float
    most_count: int
    count_cap: int
    seconds: int
    law: int
    without_kappa: bool
    reference_mean: float
    volume_power: float
    least_kappa: float
    most_kappa: float
    threshold: int
    least_intensity: np.ndarray
    least_count: np.ndarray


class Cell(NamedTuple):
    """What a row's position says that it is: whether there is such a cell at all; series (numbers as in the rows), bucket,
    and dispersion of its group, not a number where the policy has none."""

    known: bool
    merchant: int
    zone: int
    channel: int
    bucket: int
    kappa: float


@inlined
def cell_kappa(kappa, mu, limits):
    """Dispersion of a cell of mean ``mu``, whose group has ``kappa`` (docs/laws#cell-kappa); not a number where that is none.
    `seg5b.run_tables.cell_kappa` states the same in SQL."""
    if limits.volume_power == 0.0 or not kappa > 0.0:
        return kappa
    scaled = kappa * max(mu / limits.reference_mean, _LEAST_RATIO) ** limits.volume_power
    return min(max(scaled, limits.least_kappa), limits.most_kappa)


@inlined
def forbidden_intensity(rows, i, cell, limits):
    """A null, or a number below what the contract allows."""
    least = limits.least_intensity
    return (
        rows.nulls[i] & c.INTENSITY_REQUIRED != 0
        or rows.bucket[i] < least[0]
        or rows.baseline[i] < least[1]
        or rows.factor[i] < least[2]
        or rows.realised[i] < least[3]
    )


@inlined
def misplaced(rows, i, cell, limits):
    """Row p is not series p div H and bucket p mod H, or there is no such series."""
    nulls = rows.nulls[i]
    return (
        not cell.known
        or (rows.merchant[i] != cell.merchant and not nulls & c.MERCHANT)
        or (rows.zone[i] != cell.zone and rows.zone[i] >= 0)
        or (rows.channel[i] != cell.channel and rows.channel[i] >= 0)
        or (rows.bucket[i] != cell.bucket and not nulls & c.BUCKET)
    )


@inlined
def wrong_intensity(rows, i, cell, limits):
    """An intensity that is not finite, negative, or above the policy's largest."""
    nulls, baseline, realised = rows.nulls[i], rows.baseline[i], rows.realised[i]
    if not nulls & c.BASELINE and (not np.isfinite(baseline) or baseline < 0):
        return True
    return not nulls & c.REALISED and (not np.isfinite(realised) or realised < 0 or realised > limits.most_lambda)


@inlined
def wrong_factor(rows, i, cell, limits):
    """A latent factor that is not finite or out of the bounds of its clip."""
    factor = rows.factor[i]
    return not rows.nulls[i] & c.FACTOR and (
        not np.isfinite(factor) or factor < limits.least_factor or factor > limits.most_factor
    )


@inlined
def not_product(rows, i, cell, limits):
    """The realised intensity is not baseline times factor, capped."""
    if rows.nulls[i] & (c.BASELINE | c.FACTOR | c.REALISED):
        return False
    realised, product = rows.realised[i], rows.baseline[i] * rows.factor[i]
    expected = product if product < limits.lambda_cap else limits.lambda_cap
    return exceeds(abs(realised - expected), _PRODUCT_ERROR * abs(realised))


@inlined
def forbidden_count(rows, i, cell, limits):
    """A null, or a number below what the contract allows."""
    nulls, least = rows.nulls[i], limits.least_count
    return (
        nulls & c.COUNTS_REQUIRED != 0
        or rows.bucket[i] < least[0]
        or rows.realised[i] < least[1]
        or rows.mu[i] < least[2]
        or (rows.kappa[i] < least[3] and not nulls & c.KAPPA)
        or rows.number[i] < least[4]
        or rows.seconds[i] < least[5]
    )


@inlined
def wrong_count(rows, i, cell, limits):
    """A count that is negative or above a policy's largest, or that is capped and not the cap."""
    nulls, count = rows.nulls[i], rows.number[i]
    if nulls & c.COUNT:
        return False
    capped = not nulls & c.CAPPED and rows.capped[i] != 0
    return count < 0 or count > limits.most_count or count > limits.count_cap or (capped and count != limits.count_cap)


@inlined
def counted_without_mean(rows, i, cell, limits):
    """Arrivals where the mean is at most the zero rule's."""
    return not rows.nulls[i] & (c.MU | c.COUNT) and rows.mu[i] <= limits.zero_eps and rows.number[i] != 0


@inlined
def foreign_law(rows, i, cell, limits):
    """Another count law than the policy's, or another length of a bucket than the grid's."""
    law = rows.law[i]
    return (law >= 0 and law != limits.law) or (rows.seconds[i] != limits.seconds and not rows.nulls[i] & c.SECONDS)


@inlined
def wrong_kappa(rows, i, cell, limits):
    """Not the dispersion of the series' class at the row's mean, or one under a law that has none. A row without a series is
    `misplaced`."""
    if not cell.known:
        return False
    absent = rows.nulls[i] & c.KAPPA != 0
    if limits.without_kappa:
        return not absent
    if limits.volume_power != 0.0 and rows.nulls[i] & c.MU:
        return absent
    kappa = cell_kappa(cell.kappa, rows.mu[i], limits)
    return absent or not abs(rows.kappa[i] - kappa) <= _KAPPA_ERROR * kappa


@inlined
def unlike_intensity(counts, intensities, i):
    """A row of counts that has not the keys of its row of intensities, or not its mean."""
    nulls = counts.nulls[i] | intensities.nulls[i]
    zone, other_zone = counts.zone[i], intensities.zone[i]
    channel, other_channel = counts.channel[i], intensities.channel[i]
    return (
        (counts.merchant[i] != intensities.merchant[i] and not nulls & c.MERCHANT)
        or (zone != other_zone and zone >= 0 and other_zone >= 0)
        or (channel != other_channel and channel >= 0 and other_channel >= 0)
        or (counts.bucket[i] != intensities.bucket[i] and not nulls & c.BUCKET)
        or (differs(counts.realised[i], intensities.realised[i]) and not nulls & c.REALISED)
        or (differs(counts.mu[i], counts.realised[i]) and not counts.nulls[i] & (c.MU | c.REALISED))
    )


OF_INTENSITY = tuple(
    each.__name__ for each in (forbidden_intensity, misplaced, wrong_intensity, wrong_factor, not_product)
)
OF_COUNTS = tuple(
    each.__name__
    for each in (
        forbidden_count,
        misplaced,
        wrong_count,
        counted_without_mean,
        foreign_law,
        wrong_kappa,
        unlike_intensity,
    )
)
UNLIKE_INTENSITY = 64
"""The bit of the one condition that needs both files."""


@inlined
def violated_by_intensity(rows, i, cell, limits):
    """Bits of the conditions that a row of intensities violates, in the order of `OF_INTENSITY`."""
    return (
        forbidden_intensity(rows, i, cell, limits) * 1
        | misplaced(rows, i, cell, limits) * 2
        | wrong_intensity(rows, i, cell, limits) * 4
        | wrong_factor(rows, i, cell, limits) * 8
        | not_product(rows, i, cell, limits) * 16
    )


@inlined
def violated_by_count(rows, i, cell, limits):
    """Bits of the conditions that a row of counts violates, in the order of `OF_COUNTS`, but for the last."""
    return (
        forbidden_count(rows, i, cell, limits) * 1
        | misplaced(rows, i, cell, limits) * 2
        | wrong_count(rows, i, cell, limits) * 4
        | counted_without_mean(rows, i, cell, limits) * 8
        | foreign_law(rows, i, cell, limits) * 16
        | wrong_kappa(rows, i, cell, limits) * 32
    )
