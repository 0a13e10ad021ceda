"""From measurements to gates T1-T9, T11-T15 (docs/laws#gate-formulas)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from seg5b.policy.validation import CivilTimeGates
from seg5b.realism import laws
from seg5b.realism.laws import GATES
from seg5b.realism.probes import REPLAYED, UNIQUE, WALLS
from seg5b.realism.profile import LEAST_ARRIVALS
from seg5b.realism.readings import shortage
from seg5b.realism.records import GateResult
from seg5b.run_tables.measures import Measures
from seg5b.validation.checks.civil import NO_CHANGE, NO_MATERIAL_WINDOW, SOME_SCENARIOS, WindowPower, window_power
from seg5b.validation.checks.sentinels import (
    band_does_not_apply,
    residual_std,
    scatter_facts,
    top_zone_share,
    virtual_share,
    weekend_delta_pp,
)
from seg5b.validation.records import CheckResult, Status


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that gates are judged by. ``results`` of the probes by check id; ``measures`` of all scenarios;
    ``civil_issues``: CIVIL_TIME_MISMATCH issues of the last validation report (None without one); ``civil_time_ok``
    what that report said; ``gates``: the floors of the sealed validation policy on windows around changes of offset;
    ``some_scenarios``: whether the run is of some of its world's only, on which these floors are not; ``inexact_counts``: why
    the moments of the count law do not hold, if they do not."""

    measures: Measures
    results: Mapping[str, CheckResult]
    civil_issues: int | None
    civil_time_ok: bool | None
    gates: CivilTimeGates
    some_scenarios: bool = False
    inexact_counts: str = ""

    @property
    def power(self) -> WindowPower:
        """Power of the windows around changes of offset, by S5's rule."""
        return window_power(self.measures, self.gates)

    def facts(self, check_id: str) -> dict[str, Mapping[str, Any]]:
        """Facts of a probe by scenario; empty if it could not be taken."""
        return dict(self.results[check_id].facts)

    def violations(self, *check_ids: str) -> int | None:
        """Violations of some checks together; None if one was not judged."""
        chosen = [self.results[check_id] for check_id in check_ids]
        if any(result.status is Status.NOT_APPLICABLE for result in chosen):
            return None
        return sum(result.violation_count for result in chosen)

    def total(self, check_id: str, name: str) -> int | None:
        """Sum of a fact over scenarios; None if a scenario has none."""
        result = self.results[check_id]
        if not result.facts or result.reason:
            return None
        return sum(int(facts[name]) for facts in result.facts.values())


def judge_gates(measured: Measured) -> list[GateResult]:
    """Every gate but T10, in order of their ids."""
    judges: tuple[Callable[[Measured], GateResult], ...] = (
        _t1, _t2, _t3, _t4, _t5, _t6, _t7, _t8, _t9, _t11, _t12, _t13, _t14, _t15,
    )  # fmt: skip
    return [judge(measured) for judge in judges]


def at_most(value: float | None, limits: tuple[float, float]) -> tuple[bool, bool]:
    """Whether a value is within the upper limits of B and B+."""
    return value is not None and value <= limits[0], value is not None and value <= limits[1]


def inside(value: float | None, bands: tuple[tuple[float, float], tuple[float, float]]) -> tuple[bool, bool]:
    """Whether a value is within the closed bands of B and B+."""
    b, bplus = (value is not None and low <= value <= high for low, high in bands)
    return b, bplus


def power_extras(power: WindowPower) -> dict[str, Any]:
    """Support of the windows and the policy's floors on it, under the names of the board."""
    supports, material = power.supports, power.material_supports
    return {
        "window_count": len(supports),
        "material_window_count": len(material),
        "min_window_support": min(supports, default=None),
        "min_material_window_support": min(material, default=None),
        "material_total_support": sum(material),
        "material_window_floor": power.gates.dst_window_min_support,
        "min_material_windows_threshold": power.needed,
        "min_total_support_threshold": power.gates.dst_window_min_total_support,
        "insufficient_power": power.weak,
    }


def percent(value: float | None) -> str:
    """A share in per cent with four decimals; ``missing`` for None."""
    return "missing" if value is None else f"{100 * value:.4f}%"


def plain_number(value: float | None) -> str:
    """A number with four decimals; ``missing`` for None."""
    return "missing" if value is None else f"{value:.4f}"


def exact_or(value: float | None, shown: str) -> str:
    """``exact`` for a rate of errors that is zero: its distance to a limit says nothing."""
    return "exact" if value == 0.0 else shown


def _rate(count: int, rows: int) -> float | None:
    return count / rows if rows else None


def _t1(measured: Measured) -> GateResult:
    m = measured.measures
    value = _rate(m.clock_wrong, m.clock_rows)
    extras = {"sample_size": m.clock_rows}
    return GateResult(
        GATES["T1"], value, exact_or(value, percent(value)), *at_most(value, laws.MISMATCH_MAX), _SCAN, extras
    )


def _t2(measured: Measured) -> GateResult:
    m = measured.measures
    value = _rate(m.clock_hour, m.clock_rows)
    extras = {"sample_size": m.clock_rows}
    return GateResult(
        GATES["T2"], value, exact_or(value, percent(value)), *at_most(value, laws.ONE_HOUR_MAX), _SCAN, extras
    )


def _t3(measured: Measured) -> GateResult:
    """Without power it fails where S5's ``civil.dst_power`` does, and does not apply where that does not; what is wrong around
    the changes that there are is wrong all the same."""
    power = measured.power
    value, extras = power.hour_mae_pp, power_extras(power)
    beyond = value is not None and value > laws.HOUR_MAE_PP_MAX[0]
    idle = "" if beyond or not measured.measures.clock_rows else _no_windows(power, measured.some_scenarios)
    if idle:
        shown = "too few arrivals" if power.windows else "no change"
        return GateResult(GATES["T3"], value, shown, False, False, _SCAN, extras, applicable=False, reason=idle)
    b, bplus = (not power.weak and ok for ok in at_most(value, laws.HOUR_MAE_PP_MAX))
    reason = _shortage(power) if power.weak and not beyond else ""
    return GateResult(GATES["T3"], value, exact_or(value, plain_number(value)), b, bplus, _SCAN, extras, reason=reason)


def _no_windows(power: WindowPower, some_scenarios: bool) -> str:
    """Why there is nothing around changes of offset to judge, if there is not."""
    if not power.windows:
        return NO_CHANGE
    if power.weak:
        return SOME_SCENARIOS if some_scenarios else ""
    return "" if power.material else NO_MATERIAL_WINDOW


def _shortage(power: WindowPower) -> str:
    floor, least = power.gates.dst_window_min_support, power.gates.dst_window_min_total_support
    short = shortage(
        (f"windows of {max(floor, 1):,} arrivals around changes of offset", len(power.material), power.needed),
        ("arrivals in such windows together", sum(power.material_supports), least),
    )
    return f"needs {short}"


def _t4(measured: Measured) -> GateResult:
    mismatches, residual = (measured.total("realism.t4", name) for name in ("mismatches", "residual"))
    ok = mismatches == 0 and residual == 0
    value = {"mismatch_count": mismatches, "residual_sum": residual}
    shown = f"{mismatches} keys, residual {residual}"
    extras = {"note": "both from a full scan, keys with their channel"}
    reason = measured.results["realism.t4"].reason
    return GateResult(GATES["T4"], value, shown, ok, ok, "S3 counts and every arrival", extras, reason=reason)


def _t5(measured: Measured) -> GateResult:
    wrong, rows = (measured.total("realism.t5", name) for name in ("violations", "arrivals"))
    ok = wrong == 0 and bool(rows)
    value = {"violations": wrong, "violation_rate": wrong / rows if rows and wrong is not None else None}
    reason = measured.results["realism.t5"].reason
    return GateResult(GATES["T5"], value, f"{wrong} arrivals", ok, ok, _SCAN, reason=reason)


def _t6(measured: Measured) -> GateResult:
    m = measured.measures
    value = top_zone_share(m)
    ranked = sorted(m.by_zone, key=lambda tzid: (-m.by_zone[tzid], tzid))[:10]
    extras = {"top10_tzids": ranked}
    return GateResult(GATES["T6"], value, percent(value), *at_most(value, laws.TOP_ZONES_MAX), _SCAN, extras)


def _t7(measured: Measured) -> GateResult:
    m = measured.measures
    value = virtual_share(m)
    extras = {"virtual_count": m.virtual, "total_count": m.arrivals}
    return GateResult(GATES["T7"], value, percent(value), *inside(value, laws.VIRTUAL_BOUNDS), _SCAN, extras)


def _t8(measured: Measured) -> GateResult:
    value = weekend_delta_pp(measured.measures)
    return GateResult(
        GATES["T8"], value, exact_or(value, plain_number(value)), *at_most(value, laws.WEEKEND_PP_MAX), _SCAN
    )


def _t9(measured: Measured) -> GateResult:
    """The scatter must be the law's; the absolute band is a property of the world, and judged where the law reaches it."""
    m = measured.measures
    value, reason = residual_std(m), measured.inexact_counts
    facts = {"sample_size": m.residuals[0], **scatter_facts(m)}
    missed = [band_does_not_apply(m, bounds) for bounds in laws.RESIDUAL_BOUNDS]
    in_band = inside(value, laws.RESIDUAL_BOUNDS)
    judged = bool(m.scatter.rows) and not reason
    b, bplus = (
        value is not None and (m.scatter.lawful(grade) or not judged) and (in_band[grade] or bool(missed[grade]))
        for grade in (0, 1)
    )
    shown = plain_number(value)
    if judged:
        if m.scatter.rows < m.residuals[0]:  # the law is exact only of those that no cap can reach
            shown += f"; {m.scatter.std:.4f} far from the cap"
        shown += f", law {m.scatter.expected_std:.4f} +- {m.scatter.standard_error:.4f}"
    reason = reason or (f"band not applicable: {missed[0]}" if missed[0] else "")
    return GateResult(GATES["T9"], value, shown, b, bplus, "every S3 row", facts, reason=reason)


def _t11(measured: Measured) -> GateResult:
    facts = list(measured.facts("realism.t11").values())
    uncovered = measured.violations("civil.cache_covers_horizon")
    release = next((fact["release_year"] for fact in facts), None)
    years = [fact["last_year"] for fact in facts if fact["last_year"] is not None]
    hour_mass = _rate(measured.measures.clock_hour, measured.measures.clock_rows)
    late = bool(years) and release is not None and max(years) > release
    shifted = hour_mass is not None and hour_mass > laws.HORIZON_SHIFT_MAX
    ok = bool(facts) and not (late and shifted) and uncovered == 0
    value = {
        "tzdb_release_tag": next((fact["tag"] for fact in facts), None),
        "release_year": release,
        "run_year_max": max(years, default=None),
        "one_hour_signature_mass": hour_mass,
        "cache_covers_horizon": None if uncovered is None else uncovered == 0,
    }
    extras = {"note": "beside the release-year rule, the cache must reach the end of the horizon (law L7)"}
    shown = f"release {value['tzdb_release_tag']}, arrivals to {value['run_year_max']}"
    return GateResult(GATES["T11"], value, shown, ok, ok, "zone cache and T2", extras)


def _t12(measured: Measured) -> GateResult:
    marked, rows = (measured.total("realism.t12", name) for name in ("markers", "arrivals"))
    parsed = measured.violations(*WALLS)
    ok = marked == 0 and parsed == 0 and bool(rows)
    value = {
        "local_z_marker_non_utc_rate": marked / rows if rows and marked is not None else None,
        "producer_validator_parse_mismatch_rate": parsed / rows if rows and parsed is not None else None,
        "civil_issue_count": measured.civil_issues,
    }
    return GateResult(GATES["T12"], value, f"{marked} markers, {parsed} misread", ok, ok, _SCAN)


def _t13(measured: Measured) -> GateResult:
    cells = [
        {"scenario_id": scenario, **cell}
        for scenario, facts in measured.facts("realism.t13").items()
        for cell in facts["cells"]
    ]
    judged = [cell for cell in cells if cell["judged"]]
    weight = sum(cell["arrivals"] for cell in judged)
    value = None
    if judged:
        value = {
            name: sum(cell[name] * cell["arrivals"] for cell in judged) / weight
            for name in ("distance", "expected_poisson", "expected_law")
        }
    b, bplus = (
        bool(judged) and all(cell["distance"] <= cell[name] for cell in judged)
        for name in ("allowed_b", "allowed_bplus")
    )
    beyond = [_cell_name(cell) for cell in judged if cell["distance"] > cell["allowed_b"]]
    shown = "missing" if value is None else f"{value['distance']:.4f}, law {value['expected_law']:.4f}"
    extras = {"cells_judged": len(judged), "cells_beyond_b": beyond}
    result = measured.results["realism.t13"]
    small = bool(result.facts) and not result.reason and not judged
    largest = max((cell["arrivals"] for cell in cells), default=0)
    reason = f"needs {shortage(('arrivals in a cell', largest, LEAST_ARRIVALS))}" if small else result.reason
    shown = "too little" if small else shown
    return GateResult(
        GATES["T13"],
        value,
        shown,
        b,
        bplus,
        "S2 intensities, every arrival",
        extras,
        applicable=not small,
        reason=reason,
    )


def _cell_name(cell: Mapping[str, Any]) -> str:
    return f"{cell['scenario_id']}/{cell['demand_class']}/{cell['clock']}"


def _t14(measured: Measured) -> GateResult:
    doubled, replayed = measured.violations(*UNIQUE), measured.violations(*REPLAYED)
    off = all(measured.results[check_id].status is Status.NOT_APPLICABLE for check_id in REPLAYED)
    names = ("rederived_factors", "rederived_counts", "rederived_arrivals")
    rederived = {name: measured.total(check_id, name) or 0 for check_id, name in zip(REPLAYED, names, strict=True)}
    ok = doubled == 0 and replayed == 0 and not off and all(rederived.values())
    value = {"key_violations": doubled, "replay_violations": replayed, **rederived}
    shown = f"{doubled} keys, {replayed} of {sum(rederived.values())} rederived differ"
    first = [dict(key) for check_id in (*UNIQUE, *REPLAYED) for key in measured.results[check_id].keys[:3]]
    return GateResult(GATES["T14"], value, shown, ok, ok, "S1 - S4, sealed inputs", {"first_violations": first})


def _t15(measured: Measured) -> GateResult:
    statistics = [
        {"scenario_id": scenario, **one}
        for check_id in ("realism.t15_counts", "realism.t15_memory")
        for scenario, facts in measured.facts(check_id).items()
        for one in facts["measured"]
        if one["judged"]
    ]
    statistics += _scatter_statistic(measured)
    spread = measured.facts("realism.t15_offsets")
    ks = [facts["ks_distance"] <= facts["limit_b"] for facts in spread.values()]
    ks_plus = [facts["ks_distance"] <= facts["limit_bplus"] for facts in spread.values()]
    there = bool(statistics) and bool(ks)
    b = there and all(one["b"] for one in statistics) and all(ks)
    bplus = there and all(one["bplus"] for one in statistics) and all(ks_plus)
    beyond = [f"{one['scenario_id']}: {one['name']}" for one in statistics if not one["b"]]
    beyond += [f"{scenario}: offsets" for scenario, ok in zip(spread, ks, strict=True) if not ok]
    worst = max((facts["ks_distance"] for facts in spread.values()), default=None)
    value = {"statistics": len(statistics) + len(ks), "beyond_b": len(beyond), "ks_distance": worst}
    shown = f"{len(beyond)} of {value['statistics']} statistics beyond"
    reasons = [measured.results[f"realism.t15_{name}"].reason for name in ("counts", "memory", "offsets")]
    reason = "; ".join(filter(None, reasons))
    taken = {name: dict(facts["mean_taken_by_clip"]) for name, facts in measured.facts("realism.t15_memory").items()}
    extras = {"beyond": beyond, "mean_taken_by_clip": taken}
    return GateResult(GATES["T15"], value, shown, b, bplus, "S2, S3, S4", extras, reason=reason)


def _scatter_statistic(measured: Measured) -> list[dict[str, Any]]:
    """T9 against its law, which counts here: T9 itself is watched only."""
    scatter = measured.measures.scatter
    if not scatter.rows or measured.inexact_counts:
        return []
    return [{"scenario_id": "all", "name": "T9 / law", "b": scatter.lawful(0), "bplus": scatter.lawful(1)}]


_SCAN = "every arrival"
