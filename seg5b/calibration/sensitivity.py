"""Sensitivity of the virtual share T7 to the hybrid probability, and the contributors to the share T6 of the ten
busiest zones (docs/laws#sensitivity): shares by virtual mode, values that reach a target, and how many arrivals would
have to move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.calibration.leverage import COLUMNS, PREVIEW, leverage
from seg5b.calibration.policies import policy_path
from seg5b.calibration.reopen import upstream_reopen
from seg5b.contracts import ContractSource
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.policy.reading import PolicyFile
from seg5b.policy.routing import ADDITIONS, CODE
from seg5b.query import literal
from seg5b.realism import laws, require_realised
from seg5b.realism.files import write_realism_report
from seg5b.realism.owners import csv_text, required_movement
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import Catalogue, scenario_tables
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.run_tables.zones import attach_zones
from seg5b.runs.root import RunRoot
from seg5b.validation.checks.law_routes import coin_in_sql

REACH_TOLERANCE = 1e-12
COVERAGE = 0.80
HOTSPOTS = 1000
SELECTION = "{p, p+0.1, p+0.2, p+0.3, p_needed(0.03), p_needed(0.05), p_hi}, clipped, 4 decimals, once each"


@dataclass(frozen=True, slots=True)
class Coin:
    """``p_virtual_hybrid``, the probability that an arrival of a HYBRID merchant is virtual, and the policy's bounds on
    it."""

    p: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ModeShares:
    """Shares of all counted arrivals by the merchant's virtual mode."""

    non_virtual: float
    hybrid: float
    virtual_only: float

    def t7(self, p: float) -> float:
        """Virtual share if ``p_virtual_hybrid`` is ``p``."""
        return self.virtual_only + p * self.hybrid

    def p_needed(self, target: float) -> float | None:
        """``p_virtual_hybrid`` that gives a virtual share of ``target``; None without hybrid merchants."""
        return (target - self.virtual_only) / self.hybrid if self.hybrid > 0.0 else None


def reachable(shares: ModeShares, coin: Coin, target: float) -> bool:
    """Whether ``p_virtual_hybrid`` reaches a virtual share within its bounds; true where VIRTUAL_ONLY merchants alone
    do."""
    needed = shares.p_needed(target)
    if needed is None:
        return shares.virtual_only >= target
    return needed <= coin.high + REACH_TOLERANCE


def candidate_grid(shares: ModeShares, coin: Coin) -> list[float]:
    """Values of ``p_virtual_hybrid`` for a sweep, ascending: the rule of docs/laws#sensitivity."""
    needed = [shares.p_needed(target) for target in _targets()]
    wanted = [coin.p + step / 10 for step in range(4)] + [p for p in needed if p is not None] + [coin.high]
    return sorted({round(min(max(p, coin.low), coin.high), 4) for p in wanted})


def verdict(t7_reachable: bool, t6_is_b: bool) -> str:
    """What policy alone can reach. ``.._and_t6_already_b`` is a label of ours: the reference's label for a reachable T7
    asks for a sweep that T6 does not need once it is within band B (docs/laws#sensitivity)."""
    if not t7_reachable:
        return "locally_blocked_for_t7_b_under_current_bounds"
    if t6_is_b:
        return "reachable_policy_only_for_t7_and_t6_already_b"
    return "reachable_policy_only_for_t7_but_t6_requires_empirical_sweep"


def _targets() -> tuple[float, float]:
    (b, _), (bplus, _) = laws.VIRTUAL_BOUNDS
    return b, bplus


def analyse(
    root: RunRoot,
    contracts: ContractSource,
    *,
    threads: int | None = None,
    memory_limit_gb: float = DEFAULT_MEMORY_GB,
) -> dict[str, Any]:
    """Sensitivity of T7 and contributors to T6 of a realised run, fields as in docs/laws#sensitivity, over all scenarios; with
    every row of its tables, which `write_analysis` puts into files of their own.

    Raises `GateError`, `PolicyError`, and `InputError` for unreadable data; `RunError` as `require_realised`, and for an
    unreadable gateboard.
    """
    require_realised(root, contracts)
    with open_run_tables(root, contracts, label="sensitivity", threads=threads, memory_limit_gb=memory_limit_gb) as run:
        _gather(run)
        coin = _coin(root, contracts, run.policies.routing.p_virtual_hybrid)
        found = {"run_id": root.identity.run_id, **_coin_side(run, coin), **_zone_side(run)}
        observed = found["baseline_observed"]
        found["t7_leverage"] = leverage(run, observed["virtual"], observed["arrivals"])
        return {**found, "upstream_reopen": upstream_reopen(root, found, _busiest_countries(run))}


def _busiest_countries(run: Subject) -> list[str]:
    """Countries of the series behind the ten busiest zones, most arrivals first."""
    return [
        country
        for (country,) in run.rows(
            f"SELECT country {_INSIDE} AND country IS NOT NULL GROUP BY country ORDER BY sum(arrivals) DESC, country"
        )
    ]


_TABLES = {
    "t6_zones.csv": (("concentration_decomposition", "top10_tz_counts"), ()),
    "t6_merchants.csv": (("offender_set", "merchants"), ()),
    "t6_hotspots.csv": (("hotspots",), ()),
    "t6_classes.csv": (("classes",), ()),
    "t7_leverage.csv": (("t7_leverage", "flips"), COLUMNS),
}
"""Files of `write_analysis` by name: where their rows stand in the result, and columns where there may be none."""


def write_analysis(root: RunRoot, found: Mapping[str, Any]) -> dict[str, Path]:
    """Write ``sensitivity.json``, ``t7_leverage.json``, ``upstream_reopen.json`` and each table as CSV below the run's reports;
    returns their paths by name. Raises `PublishError` ``5B.REALISM.REPORT_NOT_WRITTEN``."""
    short = summary(found)
    reports: dict[str, Any] = {
        "sensitivity.json": {
            name: value for name, value in short.items() if name not in ("t7_leverage", "upstream_reopen")
        },
        "t7_leverage.json": {"run_id": found["run_id"], **short["t7_leverage"]},
        "upstream_reopen.json": {"run_id": found["run_id"], **found["upstream_reopen"]},
        **{name: csv_text(_rows(found, where), columns) for name, (where, columns) in _TABLES.items()},
    }
    return {name: write_realism_report(root, name, content) for name, content in reports.items()}


def summary(found: Mapping[str, Any]) -> dict[str, Any]:
    """The result with the first rows of the tables that are long: all of them are in their files."""
    offenders = {name: value for name, value in found["offender_set"].items() if name != "merchants"}
    lever = {**found["t7_leverage"], "flips": found["t7_leverage"]["flips"][:PREVIEW]}
    return {**found, "offender_set": offenders, "t7_leverage": lever}


def _rows(found: Mapping[str, Any], where: Sequence[str]) -> list[Mapping[str, Any]]:
    for name in where[:-1]:
        found = found[name]
    rows: list[Mapping[str, Any]] = found[where[-1]]
    return rows


def _coin(root: RunRoot, contracts: ContractSource, p: float) -> Coin:
    policy_id = "arrival_routing_policy_5B"
    _, path = policy_path(root, contracts, policy_id)
    file = PolicyFile.read(path, contracts, policy_id, code=CODE, additions=ADDITIONS)
    return Coin(p, *file.bounds("realism_floors.hybrid_p_virtual_bounds"))


def _gather(run: Subject) -> None:
    """``mass``: counted arrivals by mode; ``cohorts``: arrivals by merchant, class, channel, zone and country of their series,
    all scenarios."""
    pieces, masses = [], []
    for number, scenario in enumerate(run.gate.scenarios):
        view = scenario_tables(run, scenario)
        masses.append(f"SELECT * FROM mass_{number}")
        pieces.append(f"SELECT * FROM cohorts_{number}")
        view.run(f"CREATE TABLE mass_{number} AS {_mass(view)}")
        view.run(
            f"""CREATE TABLE cohorts_{number} AS
                SELECT merchant_id, demand_class, channel_group, tzid_primary AS tzid, country, is_virtual,
                       count(*) AS arrivals
                FROM arrivals JOIN grouping USING (merchant_id, zone_representation, channel_group)
                     LEFT JOIN (SELECT merchant_id, tzid AS zone_representation, country FROM first_countries)
                         USING (merchant_id, zone_representation) GROUP BY ALL"""
        )
    run.database.run(f"CREATE TABLE mass AS {' UNION ALL '.join(masses)}")
    run.database.run(f"CREATE TABLE cohorts AS {' UNION ALL '.join(pieces)}")
    run.database.run(
        """CREATE TABLE top AS SELECT tzid, sum(arrivals)::BIGINT AS arrivals FROM cohorts GROUP BY tzid
           ORDER BY arrivals DESC, tzid LIMIT 10"""
    )


def _mass(view: Subject) -> str:
    """Counted arrivals by mode. Those of a hybrid merchant in a channel with a coin of its own are beyond ``p_virtual_hybrid``:
    they count as virtual and as not, in the proportion of that coin."""
    shares = view.policies.readings.virtual_shares
    counted = "counts LEFT JOIN modes USING (merchant_id)"
    if not shares:
        return f"""SELECT coalesce(virtual_mode, 'NON_VIRTUAL') AS mode, sum(count_N)::BIGINT AS arrivals
                   FROM {counted} GROUP BY ALL"""
    own = f"virtual_mode = 'HYBRID' AND channel_group IN ({', '.join(map(literal, sorted(shares)))})"
    if view.policies.readings.coins_have_hours:
        return _mass_by_hour(view, counted, own)
    p = coin_in_sql(view)
    return f"""SELECT mode, round(sum(arrivals))::BIGINT AS arrivals FROM (
                   SELECT CASE WHEN {own} THEN 'NON_VIRTUAL' ELSE coalesce(virtual_mode, 'NON_VIRTUAL') END AS mode,
                          count_N * (CASE WHEN {own} THEN 1 - {p} ELSE 1 END) AS arrivals FROM {counted}
                   UNION ALL SELECT 'VIRTUAL_ONLY', count_N * {p} FROM {counted} WHERE {own}) GROUP BY ALL"""


def _mass_by_hour(view: Subject, counted: str, own: str) -> str:
    """The same where coins follow the hour: in the proportion that each arrival's own hour gives."""
    attach_zones(Catalogue(view))
    hour = "(epoch_us(ts_utc) // 1000000 + offset_min * 60) // 3600 % 24"
    tossed = f"""(SELECT {coin_in_sql(view, f"({hour})")} AS p FROM arrivals JOIN modes USING (merchant_id)
                  JOIN cache_steps ON tzid = zone_representation AND epoch_us(ts_utc) >= from_us AND epoch_us(ts_utc) < to_us
                  WHERE {own})"""
    return f"""SELECT mode, round(sum(arrivals))::BIGINT AS arrivals FROM (
                   SELECT coalesce(virtual_mode, 'NON_VIRTUAL') AS mode, count_N AS arrivals FROM {counted}
                   WHERE ({own}) IS NOT TRUE
                   UNION ALL SELECT 'NON_VIRTUAL', sum(1 - p) FROM {tossed}
                   UNION ALL SELECT 'VIRTUAL_ONLY', sum(p) FROM {tossed}) GROUP BY ALL"""


def _coin_side(run: Subject, coin: Coin) -> dict[str, Any]:
    counted = dict(run.rows("SELECT mode, sum(arrivals)::BIGINT FROM mass GROUP BY mode"))
    total = sum(counted.values())
    shares = ModeShares(*(counted.get(mode, 0) / max(total, 1) for mode in ("NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY")))
    arrivals, virtual = run.row(
        "SELECT sum(arrivals)::BIGINT, coalesce(sum(arrivals) FILTER (is_virtual), 0)::BIGINT FROM cohorts"
    )
    b, bplus = (reachable(shares, coin, target) for target in _targets())
    (t6,) = run.row("SELECT (SELECT sum(arrivals) FROM top) / (SELECT sum(arrivals) FROM cohorts)")
    t6_is_b = t6 <= laws.TOP_ZONES_MAX[0]
    return {
        "baseline_observed": {"t6": float(t6), "t7": virtual / arrivals, "arrivals": arrivals, "virtual": virtual},
        "virtual_mode_mass": {
            "share_non_virtual": shares.non_virtual,
            "share_hybrid": shares.hybrid,
            "share_virtual_only": shares.virtual_only,
            "total_weighted_arrivals": total,
        },
        "hybrid_coin_policy": {
            "p_current": coin.p,
            "p_bounds": [coin.low, coin.high],
            "t7_model_at_current": shares.t7(coin.p),
            "t7_model_at_lo": shares.t7(coin.low),
            "t7_model_at_hi": shares.t7(coin.high),
            "p_needed_for_b_low_edge_0_03": shares.p_needed(_targets()[0]),
            "p_needed_for_bplus_low_edge_0_05": shares.p_needed(_targets()[1]),
            "b_reachable_under_bounds": b,
            "bplus_reachable_under_bounds": bplus,
        },
        "candidate_shortlist": {"p_virtual_hybrid_grid": candidate_grid(shares, coin), "selection_rule": SELECTION},
        "local_feasibility_verdict": {
            "t7_reachable_for_b": b,
            "t7_reachable_for_bplus": bplus,
            "t6_status": "already_b" if t6_is_b else "open",
            "verdict": verdict(b, t6_is_b),
        },
    }


def coverage_count(arrivals: Sequence[int], total: int, wanted: float) -> tuple[int, float]:
    """How many of the largest (in this order) hold ``wanted`` of ``total``, and the share that they hold."""
    held = 0
    for number, own in enumerate(arrivals, start=1):
        held += own
        if held >= wanted * total:
            return number, held / total
    return len(arrivals), held / max(total, 1)


def _zone_side(run: Subject) -> dict[str, Any]:
    zones = run.rows("SELECT tzid, arrivals FROM top ORDER BY arrivals DESC, tzid")
    (total,) = run.row("SELECT sum(arrivals)::BIGINT FROM cohorts")
    top = sum(arrivals for _, arrivals in zones)
    b, bplus = (required_movement(top, total, limit) for limit in laws.TOP_ZONES_MAX)
    merchants = run.rows(
        f"SELECT merchant_id, sum(arrivals)::BIGINT AS n {_INSIDE} GROUP BY ALL ORDER BY n DESC, merchant_id"
    )
    count, reached = coverage_count([n for _, n in merchants], top, COVERAGE)
    return {
        "concentration_decomposition": {
            "top10_tzids": [tzid for tzid, _ in zones],
            "top10_tz_counts": [
                {
                    "tzid": tzid,
                    "arrivals": n,
                    "share": n / total,
                    "proportional_reduction_for_b": b * n / top,
                    "proportional_reduction_for_bplus": bplus * n / top,
                }
                for tzid, n in zones
            ],
            "top10_merchant_contributors": [
                _contributor(merchant, n, total, top, b) for merchant, n in merchants[:PREVIEW]
            ],
        },
        "targets": {"b": laws.TOP_ZONES_MAX[0], "bplus": laws.TOP_ZONES_MAX[1]},
        "observed": {"n_total": total, "top10_total": top, "t6_observed": top / total},
        "required_reduction": {
            "to_b_count": b,
            "to_b_share_pp": 100 * b / total,
            "to_bplus_count": bplus,
            "to_bplus_share_pp": 100 * bplus / total,
        },
        "offender_set": {
            "merchant_count_for_coverage_target": count,
            "coverage_reached": reached,
            "coverage_target_met": reached >= COVERAGE,
            "top_merchants_preview": [str(merchant) for merchant, _ in merchants[:PREVIEW]],
            "merchants": _covering(merchants, total, top, b),
        },
        **_cohorts(run),
    }


_INSIDE = "FROM cohorts WHERE tzid IN (SELECT tzid FROM top)"


def _cohorts(run: Subject) -> dict[str, Any]:
    """Contributors to the busiest zones: classes by channel and route, and the largest (merchant, zone) pairs."""
    return {
        "classes": run.records(
            """SELECT demand_class, channel_group, is_virtual, sum(arrivals)::BIGINT AS arrivals,
                      coalesce(sum(arrivals) FILTER (tzid IN (SELECT tzid FROM top)), 0)::BIGINT AS in_top10
               FROM cohorts GROUP BY ALL ORDER BY in_top10 DESC, demand_class, channel_group, is_virtual"""
        ),
        "hotspots": run.records(
            f"""SELECT merchant_id::VARCHAR AS merchant_id, tzid, sum(arrivals)::BIGINT AS arrivals {_INSIDE}
                GROUP BY ALL ORDER BY arrivals DESC, merchant_id, tzid LIMIT {literal(HOTSPOTS)}"""
        ),
    }


def _covering(merchants: Sequence[tuple[int, int]], total: int, top: int, needed: int) -> list[Mapping[str, Any]]:
    """Every merchant inside the ten zones, the largest first, and how much of them it holds with those before it."""
    held = 0
    rows: list[Mapping[str, Any]] = []
    for rank, (merchant, arrivals) in enumerate(merchants, start=1):
        held += arrivals
        own = _contributor(merchant, arrivals, total, top, needed)
        rows.append(
            {"rank": rank, **own, "coverage": held / top, "within_coverage": (held - arrivals) / top < COVERAGE}
        )
    return rows


def _contributor(merchant: int, arrivals: int, total: int, top: int, needed: int) -> Mapping[str, Any]:
    return {
        "merchant_id": str(merchant),
        "arrivals_in_top10": arrivals,
        "share_of_total": arrivals / total,
        "share_of_top10": arrivals / top,
        "share_of_required_b": arrivals / needed if needed else None,
    }
