"""The twin's draws and functions for many places at once, in numpy: equal bit for bit to those for one.

Only elementwise IEEE operations (``+ - * / sqrt``, rounding, scaling by powers of two) in the order of `seg5b.twin.numbers`,
and Philox by halves of 32 bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seg5b.twin import numbers
from seg5b.twin.laws import FLOOR_LIMIT, LEAST_RATIO, CountParameters, FieldLaw, LevelLaw, VolumeLaw
from seg5b.twin.randomness import MULTIPLIER, WEYL, Origin, Stream, prefixed

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Streams:
    """n streams: ``key`` and the high and low words of the base counter, uint64 [n] each."""

    key: np.ndarray
    high: np.ndarray
    low: np.ndarray

    @classmethod
    def of(cls, streams: Iterable[Stream]) -> Streams:
        """The same streams side by side."""
        return cls._of_digests([stream.digest for stream in streams])

    @classmethod
    def named(cls, origin: Origin, family_id: str, domain_keys: Iterable[str]) -> Streams:
        """Streams of one family by their domain keys."""
        head = hashlib.sha256(origin.head(family_id))
        digests = []
        for domain_key in domain_keys:
            message = head.copy()
            message.update(prefixed(domain_key))
            digests.append(message.digest())
        return cls._of_digests(digests)

    @classmethod
    def _of_digests(cls, digests: Sequence[bytes]) -> Streams:
        words = np.frombuffer(b"".join(digests), ">u8").reshape(-1, 4).astype(np.uint64)
        return cls(words[:, 0].copy(), words[:, 1].copy(), words[:, 2].copy())

    def take(self, numbers: np.ndarray) -> Streams:
        """Some of them, each as often as it is named."""
        return Streams(self.key[numbers], self.high[numbers], self.low[numbers])

    def words(self, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both words of block ``blocks[i]`` of stream i, uint64, in the shape that ``blocks`` and the streams have together;
        streams lie along the first axis."""
        shape = (-1, *(1,) * (blocks.ndim - 1))
        steps = blocks.astype(np.uint64)
        low = self.low.reshape(shape) + steps
        high = self.high.reshape(shape) + (low < steps)
        return philox(low, high, self.key.reshape(shape))


def philox(low: np.ndarray, high: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ten rounds of Philox2x64 on counters (``low``, ``high``) with ``key``; all uint64, of shapes that fit together."""
    factor_low, factor_high = np.uint64(MULTIPLIER & 0xFFFFFFFF), np.uint64(MULTIPLIER >> 32)
    left, right = low, high
    for turn in range(10):
        own = key + np.uint64(turn * WEYL & 0xFFFFFFFFFFFFFFFF)
        left_low, left_high = left & _LOW, left >> _HALF
        cross, other = left_low * factor_high, left_high * factor_low
        middle = ((left_low * factor_low) >> _HALF) + (cross & _LOW) + (other & _LOW)
        above = left_high * factor_high + (cross >> _HALF) + (other >> _HALF) + (middle >> _HALF)
        left, right = above ^ own ^ right, left * np.uint64(MULTIPLIER)
    return left, right


def uniforms(words: np.ndarray) -> np.ndarray:
    """Numbers in (0, 1) of uint64 words."""
    return np.minimum((words.astype(np.float64) + 0.5) * 2.0**-64, 1.0 - 2.0**-53)


def linear_places(u: np.ndarray, before: np.ndarray, own: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where draws ``u`` fall in their buckets under ``linear_v1``, elementwise as `seg5b.twin.arrivals.place_of`; intensities
    float64 [n] as `Around`."""
    first, last = (_edges(near, own) for near in (before, after))
    middle = (4.0 - first - last) / 2.0
    left = (first + middle) / 4.0
    early = u < left
    start, end = np.where(early, first, middle), np.where(early, middle, last)
    mass = np.where(early, u, u - left)
    reach = start + np.sqrt(np.maximum(start * start + 4.0 * (end - start) * mass, 0.0))
    way = np.divide(2.0 * mass, reach, out=np.zeros_like(u), where=reach > 0.0)
    return np.asarray(np.where(early, way, np.minimum(0.5 + way, 1.0)))


def _edges(near: np.ndarray, own: np.ndarray) -> np.ndarray:
    ratio = np.divide(near, own, out=np.ones_like(own), where=own > 0.0)
    return np.asarray(np.minimum((1.0 + ratio) / 2.0, 2.0 * np.minimum(ratio, 1.0)))


def latent_paths(streams: Streams, laws: Sequence[FieldLaw], buckets: int) -> np.ndarray:
    """Z of n paths over buckets 0 .. ``buckets`` - 1, float64 [n, buckets]."""
    first, second = streams.words(np.arange(buckets)[None, :])
    normal = np.sqrt(-2.0 * log(uniforms(first))) * cos_turn(uniforms(second))
    sigma = np.array([law.sigma for law in laws])
    phi = np.array([law.phi for law in laws])
    later = sigma * np.sqrt(np.maximum(1.0 - phi * phi, 0.0))
    latent: np.ndarray = np.empty_like(normal)
    z = np.zeros(len(laws))
    for t in range(buckets):
        z = phi * z + (later if t else sigma) * normal[:, t]
        latent[:, t] = z
    return latent


def latent_factors(streams: Streams, laws: Sequence[FieldLaw], buckets: int) -> np.ndarray:
    """Factors of n groups over buckets 0 .. ``buckets`` - 1, float64 [n, buckets]."""
    latent = latent_paths(streams, laws, buckets)
    sigma = np.array([law.sigma for law in laws])
    shift = (0.5 * (sigma * sigma))[:, None]
    low, high = (np.array([getattr(law, name) for law in laws])[:, None] for name in ("min_factor", "max_factor"))
    factors: np.ndarray = np.minimum(np.maximum(exp(latent - shift), low), high)
    return factors


def log_level_factors(laws: Sequence[LevelLaw], levels: Sequence[np.ndarray]) -> np.ndarray:
    """Logarithms of the factors of n series, float64 [n, buckets]; ``levels``: the paths of each level, [n, buckets] each.
    Equal to `seg5b.twin.laws.LevelLaw.log_factor`."""
    sigma = np.array([law.sigma for law in laws])[:, None]
    weights = np.sqrt(np.array([law.shares for law in laws]))
    country, zone, own = (weights[:, place, None] * level for place, level in enumerate(levels))
    found: np.ndarray = sigma * ((country + zone) + own) - 0.5 * (sigma * sigma)
    return found


def cell_kappas(kappa: np.ndarray, mu: np.ndarray, volume: VolumeLaw | None) -> np.ndarray:
    """Dispersion of cells of means ``mu`` whose groups have ``kappa``, float64 [n], as `seg5b.twin.laws.VolumeLaw.kappa`."""
    if volume is None:
        return kappa
    scaled = kappa * exp(volume.power * log(np.maximum(mu / volume.reference_mean, LEAST_RATIO)))
    return np.asarray(np.minimum(np.maximum(scaled, volume.least), volume.most))


def draw_counts(
    streams: Streams, mu: np.ndarray, kappa: np.ndarray, law: CountParameters
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(count int64, capped bool, Poisson mean float64), [n] each, of means ``mu`` above the zero rule. ``kappa`` replaces
    that of ``law``, cell by cell; it is not looked at under ``poisson``."""
    first, second = streams.words(np.zeros(mu.size, np.int64))
    mean, u = mu, uniforms(first)
    if law.law == "nb2":
        variance = log(1.0 + 1.0 / kappa)
        mean = exp((log(mu) - 0.5 * variance) + np.sqrt(variance) * normal_quantile(u))
        u = uniforms(second)
    drawn = np.empty(mu.size, np.int64)
    exact = mean <= law.exact_max
    drawn[exact] = _poisson_by_terms(mean[exact], u[exact], law.term_cap)
    large = mean[~exact]
    value = large + np.sqrt(large) * normal_quantile(u[~exact]) + 0.5
    drawn[~exact] = np.maximum(np.floor(np.minimum(value, FLOOR_LIMIT)), 0.0).astype(np.int64)
    return np.minimum(drawn, law.cap), drawn > law.cap, mean


def _poisson_by_terms(mean: np.ndarray, u: np.ndarray, most: int) -> np.ndarray:
    found = np.zeros(mean.size, np.int64)
    term = exp(-mean)
    total = term.copy()
    at, n = np.flatnonzero(total < u), 0
    while at.size and n < most:
        term[at] = term[at] * mean[at] / (n + 1.0)
        grown = total[at] + term[at]
        at, grown = at[grown != total[at]], grown[grown != total[at]]
        n += 1
        total[at] = grown
        found[at] = n
        at = at[grown < u[at]]
    return found


def exp(x: np.ndarray) -> np.ndarray:
    """e**x, elementwise as `numbers.exp`."""
    x = np.minimum(np.maximum(x, -745.0), 709.0)
    power = np.rint(x * numbers.PER_LN2)
    high, low = x - power * numbers.LN2_HIGH, power * numbers.LN2_LOW
    rest = high - low
    square = rest * rest
    c = rest - square * _polynomial(numbers.EXP, square)
    y = 1.0 - ((low - (rest * c) / (2.0 - c)) - high)
    whole = power.astype(np.int32)
    half = whole >> 1
    return np.asarray(np.ldexp(np.ldexp(y, half), whole - half))


def log(x: np.ndarray) -> np.ndarray:
    """Natural logarithm of positive normal numbers, elementwise as `numbers.log`."""
    mantissa, exponent = np.frexp(x)
    mantissa, exponent = 2.0 * mantissa, exponent - 1
    halved = mantissa >= numbers.HALVE_FROM
    mantissa, exponent = np.where(halved, mantissa / 2.0, mantissa), (exponent + halved).astype(np.float64)
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd, even = w * _polynomial(numbers.LOG_ODD, w), z * _polynomial(numbers.LOG_EVEN, w)
    half_square = 0.5 * f * f
    tail = s * (half_square + (even + odd)) + exponent * numbers.LN2_LOW
    return np.asarray(exponent * numbers.LN2_HIGH - ((half_square - tail) - f))


def cos_turn(u: np.ndarray) -> np.ndarray:
    """cos(2 pi u) for ``u`` in [0, 1], elementwise as `numbers.cos_turn`."""
    quarters = np.rint(4.0 * u)
    angle = (u - quarters * 0.25) * numbers.FULL_TURN
    z = angle * angle
    half = 0.5 * z
    head = 1.0 - half
    even = head + (((1.0 - head) - half) + (z * z) * _polynomial(numbers.COS, z))
    odd = angle + (z * angle) * _polynomial(numbers.SIN, z)
    which = quarters.astype(np.int64)
    value = np.where(which % 2 == 1, odd, even)
    signed: np.ndarray = np.where((which % 4 == 1) | (which % 4 == 2), -value, value)
    return signed


def normal_quantile(p: np.ndarray) -> np.ndarray:
    """Inverse of the normal distribution function for ``p`` in (0, 1), elementwise as `numbers.normal_quantile`."""
    q = p - 0.5
    central = np.abs(q) <= 0.425
    above, below = numbers.CENTRE
    square = 0.180625 - q * q
    centre = q * _polynomial(above, square) / _polynomial(below, square)
    r = np.sqrt(-log(np.where(q < 0.0, p, 1.0 - p)))
    near, far = (
        _polynomial(top, r - shift) / _polynomial(bottom, r - shift)
        for (top, bottom), shift in ((numbers.NEAR_TAIL, 1.6), (numbers.FAR_TAIL, 5.0))
    )
    tail = np.where(r <= 5.0, near, far)
    found: np.ndarray = np.where(central, centre, np.where(q < 0.0, -tail, tail))
    return found


def _polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    value: np.ndarray = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
