"""Calibration sentinels over the whole run (docs/laws#sentinels: T6-T9)."""

from __future__ import annotations

import math
from collections.abc import Callable

from seg5b.run_tables.measures import Measures, run_measures
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Check, Compute, Finding

_FIELD = "calibration_gate_ok"
_BLOCK = "calibration_sentinels"
TOP_ZONES = 10
"""How many busiest zones T6 is about."""
_LEAST_EXACT_MEAN = 30.0


def top_zone_share(measures: Measures) -> float | None:
    """T6: share of the ten busiest primary zones."""
    largest = sorted(measures.by_zone.values(), reverse=True)[:TOP_ZONES]
    return sum(largest) / measures.judged_arrivals if measures.judged_arrivals else None


def virtual_share(measures: Measures) -> float | None:
    """T7: share of virtual arrivals."""
    return measures.virtual / measures.arrivals if measures.arrivals else None


def weekend_delta_pp(measures: Measures) -> float | None:
    """T8: gap in points between the share of arrivals on written and on true local weekends. It is 0 wherever the checks of
    the clocks hold, so that no check asks for it: the report states it."""
    if not measures.judged_arrivals:
        return None
    return 100 * abs(measures.weekend_written - measures.weekend_true) / measures.judged_arrivals


def weekends_agree(subject: Subject, measures: Measures) -> bool | None:
    """Whether T8 is within its limit; None where no arrival was looked at."""
    gap_pp = weekend_delta_pp(measures)
    return None if gap_pp is None else gap_pp <= _limits(subject)[2]


def residual_std(measures: Measures) -> float | None:
    """T9: population standard deviation of (N - mu) / sqrt(mu)."""
    number, _, variance = measures.residuals
    return math.sqrt(variance) if number else None


def _sentinel(
    name: str, value: Callable[[Measures], float | None], bounds: Callable[[Subject], tuple[float, float]], rows: str
) -> Compute:
    def find(subject: Subject) -> Finding:
        measures = run_measures(subject)
        low, high = bounds(subject)
        measured = value(measures)
        inside = measured is not None and low <= measured <= high
        facts = {name: measured, "low": low, "high": high}
        return Finding(int(not inside), () if inside else (facts,), getattr(measures, rows), facts)

    return Compute(find)


def _round(value: float) -> float:
    """A computed number of the report, which must not differ between machines in its last bits."""
    return round(value, 9)


def scatter_facts(measures: Measures) -> dict[str, float | None]:
    """T9 beside its law: value, expectation, standard error, and the gap of their squares in standard errors."""
    scatter, value = measures.scatter, residual_std(measures)
    numbers = (scatter.expected_std, scatter.standard_error, scatter.in_standard_errors)
    names = ("residual_std_expected", "residual_std_se", "residual_std_z")
    return {
        "residual_std": None if value is None else _round(value),
        **{name: None if math.isnan(number) else _round(number) for name, number in zip(names, numbers, strict=True)},
    }


def law_is_exact(subject: Subject) -> str:
    """Why the moments of the count law do not hold; nothing where they do."""
    least = subject.policies.count.poisson_exact_lambda_max
    if least >= _LEAST_EXACT_MEAN:
        return ""
    return f"means above {least:g} are drawn by a rounded normal quantile, whose moments are others"


def band_does_not_apply(measures: Measures, bounds: tuple[float, float]) -> str:
    """Why the absolute band of T9 says nothing about this world; nothing where it does."""
    expected = measures.scatter.expected_std
    if not measures.scatter.rows or measures.scatter.inside(bounds):
        return ""
    return f"the count law of this world promises {expected:.4f}; the band is [{bounds[0]:g}, {bounds[1]:g}]"


def _residual_band(subject: Subject) -> Finding:
    bounds = _limits(subject)[3]
    reason = law_is_exact(subject) or band_does_not_apply(run_measures(subject), bounds)
    return Finding(skipped=reason) if reason else _BAND.function(subject)


def _residual_law(subject: Subject) -> Finding:
    measures = run_measures(subject)
    if not measures.scatter.rows:
        return Finding(skipped="no count was drawn that the moments of the law hold for")
    facts = scatter_facts(measures)
    lawful = measures.scatter.lawful()
    return Finding(int(not lawful), () if lawful else (facts,), measures.scatter.rows, facts)


def _sample_power(subject: Subject) -> Finding:
    measures, least = run_measures(subject), subject.policies.validation.sampling.min_sample_rows
    facts = {
        "arrival_sample_rows": measures.judged_arrivals,
        "s3_sample_rows": measures.judged_counts,
        "min_sample_rows": least,
    }
    weak = min(measures.judged_arrivals, measures.judged_counts) < least
    return Finding(int(weak), (facts,) if weak else (), measures.judged_arrivals, facts)


def _limits(subject: Subject) -> tuple[float, tuple[float, float], float, tuple[float, float]]:
    limits = subject.policies.validation.calibration_sentinels.limits
    return (
        limits.top10_tz_share_max,
        limits.virtual_share_bounds,
        limits.weekend_share_delta_pp_max,
        limits.residual_std_bounds,
    )


_BAND = _sentinel("residual_std", residual_std, lambda s: _limits(s)[3], "judged_counts")


def _check(check_id: str, code: str, key: str, states: str, probe: Compute) -> Check:
    return Check(check_id, f"5B.S5.{code}", _FIELD, f"{_BLOCK}.{key}", states, probe, graded=True, per_scenario=False)


CHECKS = (
    _check(
        "sentinel.top10_tz_share",
        "CALIBRATION_TOP10_TZ_SHARE_EXCEEDS_LIMIT",
        "top10_tz_share_max_*",
        "the ten busiest zones do not hold too much of the arrivals",
        _sentinel("top10_tz_share", top_zone_share, lambda s: (0.0, _limits(s)[0]), "judged_arrivals"),
    ),
    _check(
        "sentinel.virtual_share",
        "CALIBRATION_VIRTUAL_SHARE_OUT_OF_BOUNDS",
        "virtual_share_*",
        "the share of virtual arrivals is within bounds",
        _sentinel("virtual_share_observed", virtual_share, lambda s: _limits(s)[1], "arrivals"),
    ),
    _check(
        "sentinel.residual_std",
        "CALIBRATION_RESIDUAL_STD_OUT_OF_BOUNDS",
        "residual_std_*",
        "counts scatter around their means as much as those of real payments",
        Compute(_residual_band),
    ),
    Check(
        "sentinel.residual_law",
        "5B.S5.CALIBRATION_RESIDUAL_STD_NOT_LAW",
        _FIELD,
        f"{_BLOCK}.residual_std_*",
        "counts scatter around their means as the count law says, to five standard errors",
        Compute(_residual_law),
        applies=law_is_exact,
        per_scenario=False,
    ),
    _check(
        "sentinel.sample_power",
        "CALIBRATION_SAMPLE_POWER_INSUFFICIENT",
        "min_sample_rows",
        "enough rows were looked at to judge shares and scatter",
        Compute(_sample_power),
    ),
)
