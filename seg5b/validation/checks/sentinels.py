"""Calibration sentinels over the whole run (docs/laws#sentinels: T6-T9)."""

from __future__ import annotations

import math
from collections.abc import Callable

from seg5b.run_tables.measures import Measures, run_measures
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Check, Compute, Finding

_FIELD = "calibration_gate_ok"
_BLOCK = "calibration_sentinels"
_TOP_ZONES = 10


def top_zone_share(measures: Measures) -> float | None:
    """T6: share of the ten busiest primary zones."""
    largest = sorted(measures.by_zone.values(), reverse=True)[:_TOP_ZONES]
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


def _check(check_id: str, code: str, key: str, states: str, probe: Compute) -> Check:
    return Check(check_id, f"5B.S5.{code}", _FIELD, f"{_BLOCK}.{key}", states, probe, graded=True, per_scenario=False)


CHECKS = (
    _check(
        "sentinel.top10_tz_share",
        "CALIBRATION_TOP10_TZ_SHARE_EXCEEDS_LIMIT",
        "top10_tz_share_max",
        "the ten busiest zones do not hold too much of the arrivals",
        _sentinel("top10_tz_share", top_zone_share, lambda s: (0.0, _limits(s)[0]), "judged_arrivals"),
    ),
    _check(
        "sentinel.virtual_share",
        "CALIBRATION_VIRTUAL_SHARE_OUT_OF_BOUNDS",
        "virtual_share_bounds",
        "the share of virtual arrivals is within bounds",
        _sentinel("virtual_share_observed", virtual_share, lambda s: _limits(s)[1], "arrivals"),
    ),
    _check(
        "sentinel.residual_std",
        "CALIBRATION_RESIDUAL_STD_OUT_OF_BOUNDS",
        "residual_std_bounds",
        "counts scatter around their means as they should",
        _sentinel("residual_std", residual_std, lambda s: _limits(s)[3], "judged_counts"),
    ),
    _check(
        "sentinel.sample_power",
        "CALIBRATION_SAMPLE_POWER_INSUFFICIENT",
        "evaluation_mode",
        "enough rows were looked at to judge shares and scatter",
        Compute(_sample_power),
    ),
)
