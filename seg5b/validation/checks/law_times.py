"""Do instants lie freely in their bucket? (law L7.time, docs/laws#law-tests)"""

from __future__ import annotations

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.validation import tails
from seg5b.validation.checks.law_counts import BLOCK, CODE, FIELD
from seg5b.validation.placement import MOST_PAIRS, heights_by_hour, heights_by_merchant
from seg5b.validation.records import Check, Compute, Finding
from seg5b.validation.trials import Trial, judge, of_sums

_WORDS = {"s": "second", "ms": "millisecond", "us": "microsecond"}
_TEN, _SIXTEEN, _FINE = 10, 16, 64
_LEAST_EXPECTED = 10.0


def _ties(subject: Subject) -> Finding:
    """Arrivals of a merchant at the very same microsecond: pairs of a bucket that meet by chance, one in its length."""
    rows = subject.arrays(
        """WITH cell AS (SELECT merchant_id, bucket_index, sum(arrivals) AS n FROM bucket_arrivals
                         WHERE merchant_id IS NOT NULL GROUP BY ALL),
                pairs AS (SELECT merchant_id, sum(n * (n - 1)) / 2 / $bucket_us AS expected FROM cell GROUP BY ALL),
                ties AS (SELECT merchant_id, arrivals FROM merchant_habits WHERE name = 'tie')
           SELECT merchant_id, expected::DOUBLE AS expected, coalesce(arrivals, 0)::BIGINT AS ties
           FROM pairs LEFT JOIN ties USING (merchant_id) ORDER BY merchant_id"""
    )
    ties, expected = rows["ties"], rows["expected"]
    if subject.policies.readings.follows_intensity:
        expected = expected * MOST_PAIRS
    shown = {"ties": ties, "expected": expected}
    whole = {"ties": np.array([ties.sum()]), "expected": np.array([expected.sum()])}
    return judge(
        subject,
        [
            Trial(
                "equal instants of a merchant",
                {"merchant_id": rows["merchant_id"]},
                tails.poisson_above(ties, expected),
                shown,
            ),
            Trial("equal instants in all", {}, tails.poisson_above(*whole.values()), whole),
        ],
    )


def _habits(subject: Subject, name: str, places: int) -> tuple[np.ndarray, np.ndarray]:
    """Merchants, and arrivals of each by place, float64 [merchants, places]."""
    rows = subject.arrays(
        f"""SELECT merchant_id, place, arrivals FROM merchant_habits WHERE name = '{name}' AND merchant_id IS NOT NULL
            ORDER BY merchant_id, place"""
    )
    merchants, at = np.unique(rows["merchant_id"], return_inverse=True)
    found = np.zeros((merchants.size, places))
    found[at, rows["place"]] = rows["arrivals"]
    return merchants, found


def _even(
    name: str, key: str, merchants: np.ndarray, found: np.ndarray, shares: tuple[np.ndarray, np.ndarray] | None = None
) -> list[Trial]:
    """Each place of each merchant, and of all together, against an equal share, or against ``shares`` [merchants, places] and
    [1, places]. Arrivals of several shares scatter less than those of one, so that the bound holds for their mean."""
    whole = found.sum(axis=0, keepdims=True)
    places = found.shape[1]
    own, of_all = shares or (np.full(found.shape, 1.0 / places), np.full(whole.shape, 1.0 / places))
    trials = []
    for label, rows, share, named in (
        (f"{name} of a merchant", found, own, True),
        (f"{name} of all", whole, of_all, False),
    ):
        total = rows.sum(axis=1, keepdims=True)
        keys = {key: np.tile(np.arange(places), len(rows))}
        if named:
            keys = {"merchant_id": np.repeat(merchants, places), **keys}
        shown = {"arrivals": rows.reshape(-1), "expected": (total * share).reshape(-1)}
        trials.append(Trial(label, keys, tails.binomial(rows, total, share).reshape(-1), shown))
    return trials


def _digits(subject: Subject) -> Finding:
    """Last digits of seconds, milliseconds and microseconds are all as frequent."""
    trials = []
    for name, word in _WORDS.items():
        trials += _even(f"last digit of the {word}", "digit", *_habits(subject, name, _TEN))
    return judge(subject, trials)


def _places(subject: Subject) -> Finding:
    """Sixteenths of the bucket by merchant, 64ths by hour of the day, against what the law of placement expects."""
    merchants, found = _habits(subject, "place", _SIXTEEN)
    shares, of_hours = _expected_shares(subject, merchants)
    trials = _even("sixteenth of the bucket", "sixteenth", merchants, found, shares)
    own = None if shares is None else shares[0]
    trials += _unevenness("unevenness in the bucket of a merchant", {"merchant_id": merchants}, found, own)
    rows = subject.arrays("FROM offset_hours ORDER BY hour, bin")
    hours = np.zeros((24, _FINE))
    hours[rows["hour"], rows["bin"]] = rows["arrivals"]
    total = hours.sum(axis=1, keepdims=True)
    keys = {"hour": np.repeat(np.arange(24), _FINE), "part": np.tile(np.arange(_FINE), 24)}
    even = np.full(hours.shape, 1.0 / _FINE) if of_hours is None else of_hours
    shown = {"arrivals": hours.reshape(-1), "expected": (total * even).reshape(-1)}
    log_p = tails.binomial(hours, total, even).reshape(-1)
    trials.append(Trial("64th of the bucket in an hour of the day (UTC)", keys, log_p, shown))
    trials += _unevenness(
        "unevenness in the bucket in an hour of the day (UTC)", {"hour": np.arange(24)}, hours, of_hours
    )
    return judge(subject, trials)


def _expected_shares(
    subject: Subject, merchants: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray] | None, np.ndarray | None]:
    """Under ``linear_v1`` the shares of sixteenths, by merchant and of all, and those of 64ths by hour of the day."""
    if not subject.policies.readings.follows_intensity:
        return None, None
    known, heights = heights_by_merchant(subject)
    own = np.full((merchants.size, _SIXTEEN), 1.0 / _SIXTEEN)
    place = np.minimum(np.searchsorted(known, merchants), max(known.size - 1, 0))
    there = known[place] == merchants if known.size else np.zeros(merchants.size, bool)
    own[there] = heights.shares(_SIXTEEN)[place[there]]
    return (own, heights.together().shares(_SIXTEEN)), heights_by_hour(subject).shares(_FINE)


def _unevenness(
    name: str, keys: dict[str, np.ndarray], found: np.ndarray, shares: np.ndarray | None = None
) -> list[Trial]:
    """Pearson's sum over equal places, of rows with enough arrivals: k - 1 squares, of variance 2 (k - 1) (1 - 1 / n).

    Against ``shares`` [rows, places] only what is too uneven counts: arrivals of several shares lie more evenly about their
    mean than those of one. The variance gains (sum 1 / share - k^2) / n at most. Beside it stands the mean place.
    """
    if shares is not None:
        return _unevenness_beside(name, keys, found, shares)
    places, total = found.shape[1], found.sum(axis=1)
    some = total >= _LEAST_EXPECTED * places
    rows, expected = found[some], total[some, None] / places
    gap = ((rows - expected) ** 2 / expected).sum(axis=1) - (places - 1)
    free = np.full(gap.size, places - 1.0)
    trials = of_sums(f"{name}, all", {}, *(np.array([each.sum()]) for each in (gap, 2 * free, 8 * free)))
    found_p = tails.sums(gap, 2 * free, 8 * free)
    named = {key: values[some] for key, values in keys.items()}
    return [Trial(name, named, found_p, {"excess": gap}), *trials] if gap.size else []


def _unevenness_beside(name: str, keys: dict[str, np.ndarray], found: np.ndarray, shares: np.ndarray) -> list[Trial]:
    places, total = found.shape[1], found.sum(axis=1)
    some = total * shares.min(axis=1) >= _LEAST_EXPECTED
    rows, expected, number = found[some], total[some, None] * shares[some], total[some]
    gap = np.maximum(((rows - expected) ** 2 / expected).sum(axis=1) - (places - 1), 0.0)
    more = np.maximum((1.0 / shares[some]).sum(axis=1) - places**2, 0.0) / number
    log_p = tails.sums(gap, 2.0 * (places - 1) + more, 8.0 * (places - 1) + 22.0 * more)
    named = {key: values[some] for key, values in keys.items()}
    return [Trial(name, named, log_p, {"excess": gap}), _slope(name, named, rows, shares[some])] if gap.size else []


def _slope(name: str, keys: dict[str, np.ndarray], rows: np.ndarray, shares: np.ndarray) -> Trial:
    """The sum of places, which a slope of the density moves most, by the middles of equal stretches."""
    middle = (np.arange(rows.shape[1]) + 0.5) / rows.shape[1]
    number, mean = rows.sum(axis=1), shares @ middle
    gap, variance = rows @ middle - number * mean, number * (shares @ middle**2 - mean**2)
    return Trial(f"{name}, mean place", keys, tails.sums(gap, variance), {"gap": gap, "arrivals": number})


CHECKS = (
    Check(
        "law.times_tie",
        CODE,
        FIELD,
        BLOCK,
        "no more arrivals of a merchant share their microsecond than chance allows, over all its zones and channels",
        Compute(_ties),
        needs=("bucket_arrivals", "merchant_habits"),
        must_have_rows=False,
    ),
    Check(
        "law.times_digits",
        CODE,
        FIELD,
        BLOCK,
        "last digits of seconds, milliseconds and microseconds are equally frequent, for each merchant",
        Compute(_digits),
        needs=("merchant_habits",),
        must_have_rows=False,
    ),
    Check(
        "law.times_place",
        CODE,
        FIELD,
        BLOCK,
        "arrivals lie in their bucket as the law of placement says, for each merchant and in each hour of the day",
        Compute(_places),
        needs=("merchant_habits", "offset_hours", "counts"),
        must_have_rows=False,
    ),
)
