"""Every small world that tests make, with its size and the policies that admit it; fixtures only choose.

All come from the preset of the demo (1,000 merchants, two scenarios of 28 days). The shipped policies ask for more groups
and more members than a few merchants have, so each world brings changes of its policies.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b.resources import resource_root
from seg5b.runs.root import RunRoot, open_root
from seg5b.world import World
from seg5b.world.make import make_from_plan
from seg5b.world.plan import BASELINE, WorldPlan
from seg5b.world.presets import PRESETS
from tests.policies import Changes, change_policies


def make(preset: WorldPlan, runs_root: Path, seeds: tuple[int, ...] = (42,), **options: Any) -> Path:
    """Run folder of a world made below ``runs_root`` from any preset, with the shipped policies."""
    run_id = make_from_plan(preset, seeds=seeds, runs_root=runs_root, config_root=resource_root(), **options)
    return runs_root / run_id


def copy_run(runs_root: Path, folder: Path) -> RunRoot:
    """A copy, in ``folder``/runs, of the one run below ``runs_root``: to be written to. Without the scans that readers
    keep beside a run (`RunRoot.kept`): which of them a test finds would depend on the tests before it."""
    return open_root(shutil.copytree(runs_root, folder / "runs", ignore=shutil.ignore_patterns("kept")))


@dataclass(frozen=True)
class SmallWorld:
    """A preset and the changes of policies without which S1 and S2 refuse a world of its size."""

    preset: WorldPlan
    policies: tuple[Changes, ...]

    def make(self, runs_root: Path, *changes: Changes, seeds: tuple[int, ...] = (42,)) -> RunRoot:
        """Make the world below ``runs_root``, unrealised; ``changes`` are further changes of policies."""
        folder = make(self.preset, runs_root, seeds)
        change_policies(folder, *self.policies, *changes)
        return open_root(runs_root, folder.name)


GROUPS_OF_ANY_SIZE: Changes = {
    "grouping_policy_5B": {
        "realism_targets.min_groups_per_scenario": 1,
        "realism_targets.min_group_members_median": 1,
        "realism_targets.max_single_group_share": 1.0,
        "realism_targets.min_multi_member_fraction": 0.0,
    }
}
LARGER_GROUPS: Changes = {"grouping_policy_5B": {"in_stratum_buckets": 2}}


def _parts(row_group: int, row_groups: int | None = None) -> Changes:
    """Arrivals per row group, and row groups per part where the shipped four are too many."""
    more = {} if row_groups is None else {"files.row_groups_per_part": row_groups}
    return {"arrival_time_placement_policy_5B": {"files.arrivals_per_row_group": row_group, **more}}


TINY = SmallWorld(
    replace(
        PRESETS["demo_classic"],
        name="tiny",
        merchants=16,
        roaming_merchants=6,
        pairs=24,
        primary_rows=23,
        secondary_rows=4,
        tail_rows=1,
        country_rows=200,
        component_keys=(160, 20),
        weekly_total=4_000.0,
    ),
    (GROUPS_OF_ANY_SIZE, _parts(1024)),
)
"""39,000 arrivals of 16 merchants in both scenarios; parts of 4,096."""

JUDGED = SmallWorld(
    replace(
        TINY.preset,
        name="judged",
        scenarios=(BASELINE,),
        country_rows=60,
        component_keys=(40, 10),
        weekly_total=12_000.0,
    ),
    (GROUPS_OF_ANY_SIZE, LARGER_GROUPS, _parts(4096, 3)),
)
"""The same merchants in one scenario, with three times the arrivals, so that every check of S5 has enough to judge."""

SCORED = SmallWorld(
    replace(
        PRESETS["demo_classic"],
        name="scored",
        scenarios=(BASELINE,),
        merchants=90,
        roaming_merchants=14,
        pairs=110,
        primary_rows=106,
        secondary_rows=22,
        tail_rows=6,
        country_rows=210,
        component_keys=(170, 20),
        weekly_total=16_000.0,
    ),
    (
        GROUPS_OF_ANY_SIZE,
        LARGER_GROUPS,
        _parts(8192, 2),
        {"validation_policy_5B": {"rng_accounting_checks.rederived_rows": 48}},
    ),
)
"""Scored in seconds, and large enough for every realism gate to pass."""

_TWO_CLASSES = {"consumer_daytime": 0.5, "online_24h": 0.5}
SMALLEST = SmallWorld(
    replace(
        TINY.preset,
        name="smallest",
        start_utc=datetime(2026, 3, 28, tzinfo=UTC),
        days=2,
        merchants=8,
        roaming_merchants=2,
        pairs=11,
        primary_rows=10,
        secondary_rows=2,
        tail_rows=1,
        country_rows=60,
        component_keys=(40, 10),
        weekly_total=2_000.0,
        class_volume=_TWO_CLASSES,
        class_merchants=(_TWO_CLASSES,) * 4,
        mode_volume={"HYBRID": 0.2, "VIRTUAL_ONLY": 0.15},
    ),
    (
        GROUPS_OF_ANY_SIZE,
        {
            "time_grid_policy_5B": {"guardrails.min_horizon_days": 1},
            "arrival_lgcp_config_5B": {"realism_floors.require_sigma_distinct_values_min": 1},
            "arrival_count_config_5B": {"realism_floors.require_kappa_distinct_values_min": 0},
        },
    ),
)
"""For numba's simulator: two days around a change of the clocks, fifty series, both scenarios, merchants of every virtual
mode. The simulator runs some 7,000 threads a second, each a thread of Python; a whole run takes about 25,000."""


def make_smallest(runs_root: Path, *, weekly_total: float = 2_000.0, row_group: int = 64) -> str:
    """Make `SMALLEST` below ``runs_root``; returns its run id. ``weekly_total``: expected arrivals per week;
    ``row_group``: arrivals per row group, of which four make a part."""
    world = replace(SMALLEST, preset=replace(SMALLEST.preset, weekly_total=weekly_total))
    return world.make(runs_root, _parts(row_group)).path.name


EVERY_OPTION: Changes = {
    "arrival_lgcp_config_5B": {"diagnostics.emit_latent_field_diagnostic": True},
    "arrival_count_config_5B": {"count_law_id": "poisson"},
    "arrival_routing_policy_5B": {
        "physical_router.tz_group_law": "group_weights_v1",
        "virtual_router.primary_clock": "settlement",
        "virtual_router.edge_temper.enabled": True,
        "virtual_router.edge_temper.top_k": 3,
        "virtual_router.edge_temper.redirect_p": 0.5,
        "optional_columns.lambda_realised": True,
        "optional_columns.tz_group_id": True,
    },
    "validation_policy_5B": {"calibration_sentinels.residual_std_min_b": 0.8},
}
"""Poisson counts, zones by group weight, settlement clocks, tempered edges, all optional outputs; a band of T9 that a Poisson
law reaches."""

OWN: dict[str, Any] = {
    "name": "own",
    "horizon": {"start": "2026-10-30", "days": 4},
    "places": {"countries": {"US": 2, "GB": 1}},
    "merchants": {"count": 12},
    "volume": {"weekly_total": 3000},
    "scenarios": [{"id": "quiet"}, {"id": "busy", "kind": "stress", "calendar": "drawn_v1"}],
}
"""A specification of the law derived_v1, whose world takes any seed: 12 merchants, four days around a change of the clocks, two
scenarios."""


def make_own(runs_root: Path, *, seeds: tuple[int, ...] = (42,)) -> RunRoot:
    """Make the world of `OWN` below ``runs_root``, unrealised."""
    return open_root(runs_root, World.from_mapping(OWN).make(runs_root, seeds=seeds))
