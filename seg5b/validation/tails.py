"""How unlikely a statistic is, from above: logarithms of bounds on probabilities (docs/laws#law-tests).

Chernoff's bound P(X >= x) <= min over t of exp(K(t) - t x), K the cumulant function, has a closed form for the laws here and
holds for samples of any size: what is called rarer than one in a million is rarer than that. All take and give float64 arrays
(or numbers) and are two-sided where nothing else is said: the bound is doubled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_TWO = float(np.log(2.0))
_LEAST = -1e6
"""What the logarithm of a probability of 0 counts as: finite, so that it can be compared and written."""


def binomial(successes: ArrayLike, trials: ArrayLike, p: ArrayLike) -> np.ndarray:
    """So many successes, or as far from ``trials`` times ``p`` on this side: -n KL(k / n, p). Exact bound."""
    k, n, p = (np.asarray(each, np.float64) for each in (successes, trials, p))
    q = np.divide(k, n, out=np.zeros(np.broadcast_shapes(k.shape, n.shape, p.shape)), where=n > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(q > 0, q * np.log(q / p), 0.0)
        second = np.where(q < 1, (1 - q) * np.log((1 - q) / (1 - p)), 0.0)
        found = -n * np.maximum(first + second, 0.0)
    return _two_sided(np.where(n > 0, found, 0.0))


def poisson_above(events: ArrayLike, mean: ArrayLike) -> np.ndarray:
    """At least so many events where ``mean`` are expected (of a Poisson law, or of any sum of independent rare events with
    that mean); 0 where there are not more than expected. One-sided, exact bound."""
    k, m = np.asarray(events, np.float64), np.asarray(mean, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(k > m, np.where(m > 0, k - m - k * np.log(k / m), _LEAST), 0.0)
    return np.maximum(found, _LEAST)


def sums(gap: ArrayLike, variance: ArrayLike, third: ArrayLike = 0.0) -> np.ndarray:
    """A sum of many independent terms that lies ``gap`` from its mean, with its variance and third cumulant.

    The larger of two bounds: of the normal law, and of the gamma law (shifted) with the same three moments, whose long tail
    lies on the side of the skewness. For sums of counts both are approximations; they hold where the largest term is small
    beside the standard deviation.
    """
    gap, variance, third = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (gap, variance, third)))
    some = variance > 0
    scale = np.sqrt(np.where(some, variance, 1.0))
    z, skew = gap / scale, third / scale**3
    mirrored = np.where(skew < 0, -z, z)
    shape = 4.0 / np.maximum(skew * skew, 1e-18)
    y = 1.0 + mirrored * np.abs(skew) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        long_tail = np.where(y > 0, -shape * (y - 1.0 - np.log(y)), -np.inf)
    long_tail = np.where(np.abs(skew) < 1e-6, -np.inf, long_tail)
    found = np.maximum(-z * z / 2.0, long_tail)
    return _two_sided(np.where(some, found, np.where(np.abs(gap) > 0, _LEAST, 0.0)))


def squares(total: ArrayLike, degrees: ArrayLike) -> np.ndarray:
    """A sum of ``degrees`` squared standard normal numbers. Exact bound on both sides."""
    found, n = np.asarray(total, np.float64), np.asarray(degrees, np.float64)
    y = np.divide(found, n, out=np.ones(np.broadcast_shapes(found.shape, n.shape)), where=n > 0)
    with np.errstate(divide="ignore"):
        return _two_sided(np.where(y > 0, -n / 2.0 * (y - 1.0 - np.log(y)), _LEAST))


def products(total: ArrayLike, steps: ArrayLike) -> np.ndarray:
    """A sum of products of neighbours among ``steps`` independent standard normal numbers. Exact bound.

    The sum is half a quadratic form whose matrix joins neighbours; its determinant gives K(t) <= -n/2 log((1 + s) / 2), where
    s = sqrt(1 - 4 t^2). The best t has x / n = sqrt((1 - s) / (1 + s)) / s, found by halving.
    """
    x, n = np.broadcast_arrays(np.abs(np.asarray(total, np.float64)), np.asarray(steps, np.float64))
    ratio = np.divide(x, n, out=np.zeros(x.shape), where=n > 0)
    low, high = np.zeros(x.shape), np.ones(x.shape)
    for _ in range(60):
        s = (low + high) / 2.0
        beyond = ratio * s * np.sqrt(1.0 + s) > np.sqrt(1.0 - s)
        low, high = np.where(beyond, low, s), np.where(beyond, s, high)
    t = np.sqrt((1.0 - high) * (1.0 + high)) / 2.0
    return _two_sided(-(t * x + n / 2.0 * np.log((1.0 + high) / 2.0)))


def _two_sided(found: np.ndarray) -> np.ndarray:
    return np.clip(found + _TWO, _LEAST, 0.0)
