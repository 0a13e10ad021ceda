"""S2 and S3 of the demo against the laws computed with the standard library and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from seg5b.api import Run
from seg5b.policy import CountPolicy, LgcpPolicy
from tests.oracle.field import factor, latent_path, nb2_count
from tests.oracle.randomness import World

SCENARIOS = {"baseline_v1": "baseline", "stress_peak_online_v1": "stress"}


def _table(demo_run: Run, dataset: str, scenario: str) -> pd.DataFrame:
    return pq.read_table(demo_run.path(dataset, scenario), partitioning=None).to_pandas()


def _world(demo_run: Run, scenario: str) -> World:
    identity = demo_run.root.identity
    return World(identity.manifest_fingerprint, identity.parameter_hash, identity.seed, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_factors_follow_the_law(demo_run: Run, scenario: str) -> None:
    policy = LgcpPolicy.load(demo_run.root.resolve("config/layer2/5B/arrival_lgcp_config_5B.yaml"), demo_run.contracts)
    groups = _table(demo_run, "s1_grouping_5B", scenario)
    intensity = _table(demo_run, "s2_realised_intensity_5B", scenario)
    sample = groups.iloc[:: max(len(groups) // 6, 1)]
    for row in sample.itertuples():
        traits = (row.demand_class, row.channel_group, row.virtual_band)
        sigma = policy.sigma(SCENARIOS[scenario], *traits)
        length = policy.length(SCENARIOS[scenario], row.demand_class)
        mine = intensity[
            (intensity.merchant_id == row.merchant_id) & (intensity.zone_representation == row.zone_representation)
        ]
        path = latent_path(_world(demo_run, scenario), row.group_id, sigma, length, len(mine))
        expected = [factor(z, sigma) for z in path]
        assert mine.lambda_random_component.to_numpy() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_targets_sum_over_countries(demo_run: Run, scenario: str) -> None:
    surface = _table(demo_run, "merchant_zone_scenario_local_5A", scenario)
    keys = ["merchant_id", "tzid", "local_horizon_bucket_index"]
    surface = surface.assign(value=surface.lambda_local_scenario.astype("float64"), tzid=surface.tzid.astype(str))
    expected = surface.groupby(keys, observed=True).value.sum().to_numpy()
    intensity = _table(demo_run, "s2_realised_intensity_5B", scenario)
    assert len(expected) == len(intensity)
    # Not pytest.approx, which takes 20 s to look at millions of values one by one.
    assert (np.abs(intensity.lambda_baseline.to_numpy() - expected) <= 1e-15 * np.abs(expected)).all()
    product = intensity.lambda_baseline * intensity.lambda_random_component
    assert (intensity.lambda_realised == product).all()
    components = surface.groupby(["merchant_id", "tzid"], observed=True).legal_country_iso.nunique()
    assert (components > 1).any(), "the demo must reach a zone through two countries"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_counts_follow_the_law(demo_run: Run, scenario: str) -> None:
    path = demo_run.root.resolve("config/layer2/5B/arrival_count_config_5B.yaml")
    policy = CountPolicy.load(path, demo_run.contracts)
    groups = _table(demo_run, "s1_grouping_5B", scenario).set_index(["merchant_id", "zone_representation"])
    counts = _table(demo_run, "s3_bucket_counts_5B", scenario)
    quiet = counts[counts.mu <= policy.lambda_zero_eps]
    assert (quiet.count_N == 0).all()
    active = counts[counts.mu > policy.lambda_zero_eps]
    sample = active.iloc[:: max(len(active) // 1500, 1)]
    large = active[active.mu > 60].iloc[:200]
    world = _world(demo_run, scenario)
    assert len(sample) >= 1000
    for row in pd.concat([sample, large]).itertuples():
        kappa = policy.kappa(SCENARIOS[scenario], groups.demand_class[row.merchant_id, row.zone_representation])
        assert row.kappa == kappa
        assert row.count_N == nb2_count(
            world, row.merchant_id, row.zone_representation, row.bucket_index, row.mu, kappa
        )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_outputs_are_sorted_and_complete(demo_run: Run, scenario: str) -> None:
    """One row per series and bucket, in canonical order (defects D2, D23)."""
    grid = _table(demo_run, "s1_time_grid_5B", scenario)
    groups = _table(demo_run, "s1_grouping_5B", scenario)
    key = list(
        zip(groups.merchant_id, groups.zone_representation.astype(str), groups.channel_group.astype(str), strict=True)
    )
    assert key == sorted(set(key))
    for dataset in ("s2_realised_intensity_5B", "s3_bucket_counts_5B"):
        rows = _table(demo_run, dataset, scenario)
        assert len(rows) == len(groups) * len(grid)
        assert (rows.merchant_id.to_numpy() == np.repeat(groups.merchant_id.to_numpy(), len(grid))).all()
        assert (rows.bucket_index.to_numpy() == np.tile(np.arange(len(grid)), len(groups))).all()
