"""Civil time gates: local clocks against the time-zone database that comes with seg5b, most of all around changes of offset.

Source: docs/laws#civil-time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seg5b.clocks import stated_coverage_s
from seg5b.policy.validation import CivilTimeGates
from seg5b.run_tables.inputs import INCONSISTENT
from seg5b.run_tables.measures import ChangeWindow, Measures, run_measures
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.zones import sealed_cache
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Query, Severity

_MAPPING = "5B.S5.CIVIL_TIME_MAPPING_FAILED"
_FIELD = "civil_time_gate_ok"
_BLOCK = "civil_time_gates"
_SECOND_US = 1_000_000
NO_CHANGE = "no zone in use changes its offset within the horizon"
NO_MATERIAL_WINDOW = "no window has enough arrivals to compare hours"
SOME_SCENARIOS = "the run is of some scenarios only, with too few arrivals around changes of offset"
"""Why the windows are not judged, as S5 and T3 say it."""


def _rate(subject: Subject, odd: int, name: str, most: float) -> Finding:
    rows = run_measures(subject).clock_rows
    rate = odd / rows if rows else None
    facts = {name: rate, "rows": odd, "limit": most}
    failed = rate is None or rate > most
    return Finding(odd if failed else 0, (facts,) if failed else (), rows, facts)


def _mismatch(subject: Subject) -> Finding:
    most = subject.policies.validation.civil_time_gates.max_civil_mismatch_rate
    return _rate(subject, run_measures(subject).clock_wrong, "civil_mismatch_rate", most)


def _one_hour(subject: Subject) -> Finding:
    most = subject.policies.validation.civil_time_gates.max_one_hour_shift_rate
    return _rate(subject, run_measures(subject).clock_hour, "one_hour_shift_rate", most)


@dataclass(frozen=True, slots=True)
class WindowPower:
    """The windows around changes of offset and the floors of a validation policy on them, judged by one rule for S5 and for
    T3 (docs/laws#civil-time)."""

    windows: Mapping[tuple[str, int], ChangeWindow]
    gates: CivilTimeGates

    @property
    def material(self) -> dict[tuple[str, int], ChangeWindow]:
        """Windows with at least the policy's floor of arrivals."""
        floor = max(self.gates.dst_window_min_support, 1)
        return {key: window for key, window in self.windows.items() if window.support >= floor}

    @property
    def supports(self) -> list[int]:
        """Arrivals of every window."""
        return [window.support for window in self.windows.values()]

    @property
    def material_supports(self) -> list[int]:
        """Arrivals of every material window."""
        return [window.support for window in self.material.values()]

    @property
    def exposed(self) -> int:
        """Windows with any arrival."""
        return sum(support > 0 for support in self.supports)

    @property
    def needed(self) -> int:
        """Material windows that it takes: the policy's floor, or as many as have arrivals at all."""
        return min(self.gates.dst_window_min_exposed_windows, self.exposed)

    @property
    def weak(self) -> bool:
        """Whether there are windows, and too little in them to judge the clocks there."""
        few = len(self.material) < self.needed
        return bool(self.windows) and (few or sum(self.material_supports) < self.gates.dst_window_min_total_support)

    @property
    def hour_mae_pp(self) -> float | None:
        """Mean over material windows of the mean absolute gap, in points, between written and true shares of 24 hours; None
        without a material window."""
        gaps = [window.gap_pp for window in self.material.values()]
        return sum(gaps) / len(gaps) if gaps else None


def window_power(measures: Measures, gates: CivilTimeGates) -> WindowPower:
    """Power of a run's windows under a validation policy."""
    return WindowPower(measures.windows, gates)


def _power_of(subject: Subject) -> WindowPower:
    return window_power(run_measures(subject), subject.policies.validation.civil_time_gates)


def _hour_bins(subject: Subject) -> Finding:
    """The gap of hours in material windows within the policy's limit."""
    power = _power_of(subject)
    material, mean = power.material, power.hour_mae_pp
    if mean is None:
        return Finding(skipped=NO_MATERIAL_WINDOW)
    most = subject.policies.validation.civil_time_gates.dst_window_hour_bin_mae_pp_max
    facts = {"dst_window_hour_bin_mae_pp": mean, "limit": most, "windows": len(material)}
    worst = sorted(material, key=lambda key: (-material[key].gap_pp, key))[:MOST_KEYS] if mean > most else []
    keys = tuple({"tzid": key[0], "change_us": key[1], "mae_pp": material[key].gap_pp} for key in worst)
    return Finding(int(mean > most), keys, sum(window.support for window in material.values()), facts)


def power_facts(subject: Subject) -> dict[str, int | bool | None]:
    """Support of the windows, under the names of the report. Where arrivals lie around fewer changes than the policy's
    floor of windows, each of those must be material, not more than there are."""
    power = _power_of(subject)
    supports, material = power.supports, power.material_supports
    return {
        "dst_window_count": len(supports),
        "dst_windows_with_exposure": power.exposed,
        "dst_windows_material_count": len(material),
        "dst_window_support_min": min(supports, default=None),
        "dst_window_support_material_min": min(material, default=None),
        "dst_window_support_material_total": sum(material),
        "dst_window_material_floor": power.gates.dst_window_min_support,
        "dst_window_material_windows_threshold": power.needed,
        "dst_window_material_total_support_threshold": power.gates.dst_window_min_total_support,
        "dst_window_insufficient_power": power.weak,
    }


def _power(subject: Subject) -> Finding:
    """Enough arrivals near changes of offset to notice wrong clocks there. The floors are on all scenarios of a world
    together: a run of some of them may meet them, and need not."""
    facts = power_facts(subject)
    weak = facts["dst_window_insufficient_power"]
    if weak and subject.root.scenarios is not None:
        return Finding(skipped=SOME_SCENARIOS)
    rows = sum(window.support for window in run_measures(subject).windows.values())
    return Finding(int(bool(weak)), (facts,) if weak else (), rows, facts)


def _coverage(subject: Subject) -> Finding:
    """The cache reaches to the end of the horizon: by its newest change, or by what its manifest states."""
    stated_s = stated_coverage_s(subject.gate.files("tz_timetable_cache"), code=INCONSISTENT)
    reach_s = max(sealed_cache(subject).newest_change_s(), stated_s)
    short = subject.horizon.end_us > reach_s * _SECOND_US
    facts = {"cache_reach_s": reach_s, "horizon_end_us": subject.horizon.end_us}
    return Finding(int(short), (facts,) if short else (), len(sealed_cache(subject).tzids), facts)


def _has_changes(subject: Subject) -> str:
    measures = run_measures(subject)
    if not measures.clock_rows:
        return "no clock could be measured"
    return "" if measures.windows else NO_CHANGE


_DIFFERENCES = """
    SELECT coalesce(c.tzid, t.tzid) AS tzid, c.from_us AS cache_from_us, c.offset_min AS cache_offset_min,
           t.from_us AS true_from_us, t.offset_min AS true_offset_min
    FROM cache_steps c FULL JOIN truth_steps t ON t.tzid = c.tzid AND t.from_us = c.from_us AND t.to_us = c.to_us
    WHERE c.offset_min IS DISTINCT FROM t.offset_min"""
_IN_USE = """(SELECT tzid_primary AS tzid FROM clocks UNION SELECT tzid_operational FROM edge_routes
              UNION SELECT tzid_settlement FROM edge_routes)"""

CHECKS = (
    Check(
        "civil.cache_covers_horizon",
        _MAPPING,
        "civil_time_ok",
        _BLOCK,
        "the sealed time-zone cache is complete to the end of the horizon",
        Compute(_coverage),
        needs=("cache_steps",),
    ),
    Check(
        "civil.cache_is_true",
        "5B.S5.TZ_CACHE_DIFFERS",
        _FIELD,
        _BLOCK,
        "offsets and changes of every zone in use are those of the time-zone database over the horizon",
        Query(f"SELECT * FROM ({_DIFFERENCES}) WHERE tzid IN (FROM {_IN_USE})", "cache_steps"),
        needs=("cache_steps", "truth_steps", "clocks", "edge_routes"),
        severity=Severity.WARN,
    ),
    Check(
        "civil.cache_is_true_elsewhere",
        "5B.S5.TZ_CACHE_DIFFERS",
        _FIELD,
        _BLOCK,
        "the same of the cache's zones that no arrival uses",
        Query(f"SELECT * FROM ({_DIFFERENCES}) WHERE tzid NOT IN (FROM {_IN_USE})", "cache_steps"),
        needs=("cache_steps", "truth_steps", "clocks", "edge_routes"),
        severity=Severity.INFO,
    ),
    Check(
        "civil.mismatch_rate",
        "5B.S5.CIVIL_TIME_MISMATCH",
        "civil_time_ok",
        f"{_BLOCK}.max_civil_mismatch_rate",
        "few enough wall clocks differ from the time-zone database's",
        Compute(_mismatch),
        per_scenario=False,
    ),
    Check(
        "civil.one_hour_rate",
        "5B.S5.CIVIL_TIME_ONE_HOUR_SHIFT_EXCEEDS_LIMIT",
        _FIELD,
        f"{_BLOCK}.max_one_hour_shift_rate",
        "few enough wall clocks are off by exactly an hour",
        Compute(_one_hour),
        per_scenario=False,
    ),
    Check(
        "civil.dst_hour_bins",
        "5B.S5.DST_WINDOW_HOUR_BIN_MAE_EXCEEDS_LIMIT",
        _FIELD,
        f"{_BLOCK}.dst_window_hour_bin_mae_pp_max",
        "around changes of offset, arrivals fall into the hours of the day that they should",
        Compute(_hour_bins),
        applies=_has_changes,
        per_scenario=False,
    ),
    Check(
        "civil.dst_power",
        "5B.S5.DST_WINDOW_INSUFFICIENT_POWER",
        _FIELD,
        f"{_BLOCK}.dst_window_min_total_support",
        "enough arrivals lie around changes of offset to judge the clocks there",
        Compute(_power),
        applies=_has_changes,
        must_have_rows=False,
        per_scenario=False,
    ),
)
