"""Statistics that are judged together: how many there are decides how unlikely one of them may be (docs/laws#law-tests)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.validation import tails
from seg5b.validation.records import MOST_KEYS, Finding, Key

FALSE_ALARM = 3e-7
"""Probability that any of the checks of laws fails a lawful run, all scenarios together, at most; with the others that chance
may fail (docs/laws#law-tests) it is below one in a million."""
CHECKS_OF_LAWS = 11
"""How many checks share it."""
_MOST_SKEW = 0.25


@dataclass(frozen=True, slots=True)
class Trial:
    """Statistics of one kind: ``keys`` name them (a column of n values each), ``log_p`` float64 [n] bounds the logarithm of the
    probability of each, ``shown`` what was found beside what was expected (columns as in ``keys``)."""

    name: str
    keys: Mapping[str, Sequence[Any] | np.ndarray]
    log_p: np.ndarray
    shown: Mapping[str, np.ndarray] = field(default_factory=dict)


def limit(subject: Subject) -> float:
    """Probability, for one check and scenario, below which a statistic is a violation."""
    return FALSE_ALARM / CHECKS_OF_LAWS / max(len(subject.gate.scenarios), 1)


def judge(subject: Subject, trials: Sequence[Trial]) -> Finding:
    """Every kind of statistic of a check has an equal share of its `limit`, and every statistic of a kind an equal share of
    that. A violation is a statistic whose probability lies below its share: whose ``p``, the probability times the number of
    kinds and of statistics of its kind, lies below the limit.

    ``p_least`` of the facts is the smallest p, at most 1; ``limit`` what it is compared with; ``kinds`` the number of
    statistics of each kind and the smallest probability among them."""
    judged = [trial for trial in trials if trial.log_p.size]
    allowed = limit(subject)
    kinds, least, rare = {}, 0.0, []
    for trial in judged:
        plainly = np.nan_to_num(trial.log_p)  # other checks report what is not a number
        log_p = plainly + math.log(plainly.size * len(judged))
        kinds[trial.name] = {"statistics": int(plainly.size), "p": _p(float(plainly.min()))}
        least = min(least, float(log_p.min()))
        rare += [(float(log_p[at]), _key(trial, at)) for at in np.flatnonzero(log_p < math.log(allowed)).tolist()]
    tests = sum(trial.log_p.size for trial in judged)
    facts = {"statistics": tests, "p_least": _p(least), "limit": allowed, "kinds": kinds}
    rare.sort(key=lambda each: each[0])
    return Finding(len(rare), tuple({**key, "p": _p(log_p)} for log_p, key in rare[:MOST_KEYS]), tests, facts)


def _p(log_p: float) -> float:
    """A probability of at most 1, to three digits."""
    return float(f"{math.exp(min(log_p, 0.0)):.3g}")


def _key(trial: Trial, at: int) -> Key:
    columns = {**trial.keys, **trial.shown}
    return {"statistic": trial.name, **{name: plain(values[at]) for name, values in columns.items()}}


def plain(value: Any) -> Any:
    """A number as JSON has it, with six digits."""
    if isinstance(value, np.floating | float):
        return float(f"{float(value):.6g}")
    return value.item() if isinstance(value, np.generic) else value


def grouped(keys: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Distinct combinations of ``keys`` and the sums of ``values`` float64 [n] over each, added in order."""
    if not len(keys[0]):
        return [key[:0] for key in keys], [np.zeros(0) for _ in values]
    codes = [np.unique(key, return_inverse=True)[1] for key in keys]
    combined = codes[0].astype(np.int64)
    for code in codes[1:]:
        combined = np.unique(combined * (int(code.max()) + 1) + code, return_inverse=True)[1]
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    sums = [np.bincount(inverse.reshape(-1), weights=np.asarray(value, np.float64)) for value in values]
    return [np.asarray(key)[first] for key in keys], sums


def of_sums(
    name: str, keys: Mapping[str, np.ndarray], gap: np.ndarray, variance: np.ndarray, third: np.ndarray
) -> list[Trial]:
    """Sums that should be 0, each with variance and third cumulant. Those that are too skewed to be judged alone (few or wide
    terms) are judged together; if that is too skewed too, not at all."""
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (variance > 0) & (np.abs(third) <= _MOST_SKEW * variance**1.5)
    trials = [
        Trial(
            name,
            {key: np.asarray(values)[near] for key, values in keys.items()},
            tails.sums(gap[near], variance[near], third[near]),
            {"gap": gap[near], "standard_deviation": np.sqrt(variance[near])},
        )
    ]
    rest = [np.array([column[~near].sum()]) for column in (gap, variance, third)]
    if rest[1][0] > 0 and abs(rest[2][0]) <= _MOST_SKEW * rest[1][0] ** 1.5:
        shown = {"gap": rest[0], "standard_deviation": np.sqrt(rest[1])}
        trials.append(Trial(f"{name}, small ones together", {}, tails.sums(*rest), shown))
    return [trial for trial in trials if trial.log_p.size]
