"""Do instants lie freely in their bucket? (law L7.time, docs/laws#law-tests)"""

from __future__ import annotations

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.validation import tails
from seg5b.validation.checks.law_counts import BLOCK, CODE, FIELD
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


def _even(name: str, key: str, merchants: np.ndarray, found: np.ndarray) -> list[Trial]:
    """Each place of each merchant, and of all together, against an equal share."""
    whole = found.sum(axis=0, keepdims=True)
    places = found.shape[1]
    trials = []
    for label, rows, named in ((f"{name} of a merchant", found, True), (f"{name} of all", whole, False)):
        total = rows.sum(axis=1, keepdims=True)
        keys = {key: np.tile(np.arange(places), len(rows))}
        if named:
            keys = {"merchant_id": np.repeat(merchants, places), **keys}
        shown = {"arrivals": rows.reshape(-1), "expected": np.repeat(total / places, places)}
        trials.append(Trial(label, keys, tails.binomial(rows, total, 1.0 / places).reshape(-1), shown))
    return trials


def _digits(subject: Subject) -> Finding:
    """Last digits of seconds, milliseconds and microseconds are all as frequent."""
    trials = []
    for name, word in _WORDS.items():
        trials += _even(f"last digit of the {word}", "digit", *_habits(subject, name, _TEN))
    return judge(subject, trials)


def _places(subject: Subject) -> Finding:
    """Sixteenths of the bucket by merchant, 64ths by hour of the day."""
    merchants, found = _habits(subject, "place", _SIXTEEN)
    trials = _even("sixteenth of the bucket", "sixteenth", merchants, found)
    trials += _unevenness("unevenness in the bucket of a merchant", {"merchant_id": merchants}, found)
    rows = subject.arrays("FROM offset_hours ORDER BY hour, bin")
    hours = np.zeros((24, _FINE))
    hours[rows["hour"], rows["bin"]] = rows["arrivals"]
    total = hours.sum(axis=1, keepdims=True)
    keys = {"hour": np.repeat(np.arange(24), _FINE), "part": np.tile(np.arange(_FINE), 24)}
    shown = {"arrivals": hours.reshape(-1), "expected": np.repeat(total / _FINE, _FINE)}
    log_p = tails.binomial(hours, total, 1.0 / _FINE).reshape(-1)
    trials.append(Trial("64th of the bucket in an hour of the day (UTC)", keys, log_p, shown))
    trials += _unevenness("unevenness in the bucket in an hour of the day (UTC)", {"hour": np.arange(24)}, hours)
    return judge(subject, trials)


def _unevenness(name: str, keys: dict[str, np.ndarray], found: np.ndarray) -> list[Trial]:
    """Pearson's sum over equal places, of rows with enough arrivals: k - 1 squares, of variance 2 (k - 1) (1 - 1 / n)."""
    places, total = found.shape[1], found.sum(axis=1)
    some = total >= _LEAST_EXPECTED * places
    rows, expected = found[some], total[some, None] / places
    gap = ((rows - expected) ** 2 / expected).sum(axis=1) - (places - 1)
    free = np.full(gap.size, places - 1.0)
    trials = of_sums(f"{name}, all", {}, *(np.array([each.sum()]) for each in (gap, 2 * free, 8 * free)))
    found_p = tails.sums(gap, 2 * free, 8 * free)
    named = {key: values[some] for key, values in keys.items()}
    return [Trial(name, named, found_p, {"excess": gap}), *trials] if gap.size else []


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
        "arrivals lie evenly in their bucket, for each merchant and in each hour of the day",
        Compute(_places),
        needs=("merchant_habits", "offset_hours"),
        must_have_rows=False,
    ),
)
