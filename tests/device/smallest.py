"""A world that numba's simulator can realise: two days around a change of the clocks, fifty series, both scenarios.

The simulator runs some 7,000 threads a second, each a thread of Python. A whole run of this world takes about 25,000.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from seg5b.resources import resource_root
from seg5b.world.make import make_from_preset
from tests.conftest import TINY, relax

_CLASSES = {"consumer_daytime": 0.5, "online_24h": 0.5}
SMALLEST = replace(
    TINY,
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
    class_volume=_CLASSES,
    class_merchants=(_CLASSES,) * 4,
    mode_volume={"HYBRID": 0.2, "VIRTUAL_ONLY": 0.15},
)
"""Physical, hybrid and virtual merchants; passes only under the policies of `make_smallest`."""


def make_smallest(runs_root: Path, *, weekly_total: float = SMALLEST.weekly_total, row_group: int = 64) -> str:
    """Make the world below ``runs_root`` with policies that admit it; returns its run id. ``weekly_total``: expected
    arrivals per week; ``row_group``: arrivals per row group, of which four make a part."""
    preset = replace(SMALLEST, weekly_total=weekly_total)
    run_id = make_from_preset(preset, seeds=(42,), runs_root=runs_root, config_root=resource_root())
    policies = runs_root / run_id / "reference/config/layer2/5B"
    relax(policies / "time_grid_policy_5B.yaml", ("min_horizon_days", 1))
    relax(policies / "grouping_policy_5B.yaml", ("min_groups_per_scenario", 1), ("min_group_members_median", 1))
    relax(policies / "grouping_policy_5B.yaml", ("max_single_group_share", 1.0), ("min_multi_member_fraction", 0.0))
    relax(policies / "arrival_lgcp_config_5B.yaml", ("require_sigma_distinct_values_min", 1))
    relax(policies / "arrival_count_config_5B.yaml", ("require_kappa_distinct_values_min", 0))
    relax(policies / "arrival_time_placement_policy_5B.yaml", ("arrivals_per_row_group", row_group))
    return run_id
