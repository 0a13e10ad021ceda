"""Do counts scatter about their means as their law says? (law L6, docs/laws#law-tests)

Sums of N - mu by merchant, zone, class, hour of the week and day, their squares, and whether they come a bucket late or early:
`seg5b.part_scan.cells.scatter` adds up what each cell contributes and how it may vary.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.validation import tails
from seg5b.validation.records import Check, Compute, Finding
from seg5b.validation.trials import Trial, grouped, judge, of_sums

CODE = "5B.S5.DISTRIBUTION_MISMATCH"
FIELD = "rng_accounting_ok"
BLOCK = "rng_accounting_checks.draws_match_outputs"
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_LEAST_VARIANCE = 25.0
Columns = Mapping[str, np.ndarray]


def _by_series(subject: Subject) -> Columns:
    """Sums of each series, in their order."""
    return subject.arrays(
        """SELECT c.*, demand_class FROM count_series c
           JOIN (SELECT k, demand_class FROM series) USING (k) WHERE merchant_id IS NOT NULL
           AND zone_representation IS NOT NULL AND demand_class IS NOT NULL
           ORDER BY k, merchant_id, zone_representation, channel_group"""
    )


def _by_bucket(subject: Subject) -> tuple[np.ndarray, list[np.ndarray]]:
    """Bucket numbers, and gap, variance, third and fourth cumulant of each, ranges added in order."""
    rows = subject.arrays("FROM count_buckets ORDER BY range, bucket_index")
    names = ("gap", "variance", "third", "fourth")
    (buckets,), found = grouped([rows["bucket_index"]], [rows[name] for name in names])
    return buckets, found


_KINDS = {"merchant": "merchant_id", "zone": "zone_representation", "class": "demand_class"}


def _sums(series: Columns, names: tuple[str, str, str], label: str) -> list[Trial]:
    """Trials of three columns by merchant, zone and class, and over all."""
    columns = [series[name] for name in names]
    trials = []
    for kind, key in _KINDS.items():
        (keys,), found = grouped([series[key]], columns)
        trials += of_sums(f"{label} of a {kind}", {key: keys}, *found)
    return trials + of_sums(f"{label} of all", {}, *(np.array([column.sum()]) for column in columns))


def _means(subject: Subject) -> Finding:
    """Counts add up to their means."""
    trials = _sums(_by_series(subject), ("gap", "gap_variance", "gap_third"), "counts less means")
    buckets, (*found, _) = _by_bucket(subject)
    start_us, bucket_us = subject.horizon.start_us, int(subject.constants["bucket_us"] or 0)
    begins_us = start_us + buckets * bucket_us
    (weekdays, hours), week = grouped([(begins_us // _DAY_US + 3) % 7, begins_us // _HOUR_US % 24], found)
    trials += of_sums("counts less means of an hour of the week (UTC)", {"weekday": weekdays, "hour": hours}, *week)
    (days,), day = grouped([begins_us // _DAY_US - start_us // _DAY_US], found)
    trials += of_sums("counts less means of a day", {"day": days}, *day)
    return judge(subject, trials)


def _scatter(subject: Subject) -> Finding:
    """Squares of the gaps are what variances say, no more and no less."""
    series = _by_series(subject)
    names = ("squares", "cut_squares", "squares_variance", "squares_third")
    columns = [series[name] for name in names]
    trials = []
    for kind, key in {**_KINDS, "run": ""}.items():
        keys, found = grouped([series[key]] if key else [np.zeros(len(columns[0]), np.int8)], columns)
        trials.append(_squares(f"squared gaps of a {kind}", {key: keys[0]} if key else {}, *found))
    _, (gap, variance, third, fourth) = _by_bucket(subject)
    some = variance >= _LEAST_VARIANCE
    gap, variance, third, fourth = (column[some] for column in (gap, variance, third, fourth))
    k3, k4 = third / variance**1.5, fourth / variance**2
    moments = (gap**2 / variance - 1, 2 + k4, 8 + 12 * k4 + 10 * k3**2 + 30 * k4**2)
    trials += of_sums("squared gaps of a bucket over all series", {}, *(np.array([each.sum()]) for each in moments))
    return judge(subject, [trial for trial in trials if trial.log_p.size])


def _squares(
    name: str, keys: Columns, whole: np.ndarray, cut: np.ndarray, variance: np.ndarray, third: np.ndarray
) -> Trial:
    """Too much by the cut sum, too little by the whole one."""
    third = np.minimum(third, 15.0 * variance)
    found = np.where(
        cut > 0, tails.sums(cut, variance, third), np.where(whole < 0, tails.sums(whole, variance, third), 0.0)
    )
    some = variance > 0
    shown = {"sum": whole[some], "standard_deviation": np.sqrt(variance[some])}
    return Trial(name, {key: values[some] for key, values in keys.items()}, found[some], shown)


def _late(subject: Subject) -> Finding:
    """Counts go with the means of their own bucket, not with those of the one before or after."""
    trials = _sums(_by_series(subject), ("late", "late_variance", "late_third"), "lateness")
    return judge(subject, trials)


CHECKS = (
    Check(
        "law.counts_mean",
        CODE,
        FIELD,
        BLOCK,
        "counts of a merchant, zone, class, hour of the week and day add up to their means, within what their law allows",
        Compute(_means),
        needs=("count_series", "count_buckets", "series"),
        must_have_rows=False,
    ),
    Check(
        "law.counts_scatter",
        CODE,
        FIELD,
        BLOCK,
        "counts lie as far from their means as their law says: not further, not nearer, and not all on one side at once",
        Compute(_scatter),
        needs=("count_series", "count_buckets", "series"),
        must_have_rows=False,
    ),
    Check(
        "law.counts_late",
        CODE,
        FIELD,
        BLOCK,
        "counts rise and fall in the bucket in which their means do, not in the one before or after",
        Compute(_late),
        needs=("count_series", "series"),
        must_have_rows=False,
    ),
)
