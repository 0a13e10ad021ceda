"""A factor made of three paths is explained path by path."""

from __future__ import annotations

import math

import pytest

from seg5b import api
from seg5b.contracts import ContractSource
from seg5b.explain import explain_bucket
from seg5b.pipeline import run_states
from tests.conftest import TO_ARRIVALS
from tests.policies import TWO_LEVELS
from tests.worlds import SMALLEST

PATHS = ["latent_country", "latent_zone", "latent_own"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    root = SMALLEST.make(tmp_path_factory.mktemp("levels"), TWO_LEVELS)
    run_states(root, ContractSource.packaged(), TO_ARRIVALS)
    return api.open_run(root.path.parent)


@pytest.mark.parametrize("place", [0, 40, 1700])
def test_every_level_is_told(run: api.Run, place: int) -> None:
    row = run.table("s2_realised_intensity_5B", "baseline_v1").slice(place, 1).to_pylist()[0]
    merchant, zone, channel = (row[name] for name in ("merchant_id", "zone_representation", "channel_group"))
    found = explain_bucket(
        run.root, run.contracts, merchant, zone, row["bucket_index"], channel=channel, scenario_id="baseline_v1"
    )
    assert found.holds, found.differences
    notes, draws = found.bucket["notes"], found.bucket["draws"]
    assert list(draws)[:3] == PATHS and all(draws[name]["block"] == row["bucket_index"] for name in PATHS)
    levels = notes["levels"]
    assert draws["latent_country"]["domain_key"] == f"level=country|country={levels['country']['name']}"
    assert draws["latent_zone"]["domain_key"] == f"level=zone|zone={zone}"
    assert draws["latent_own"]["domain_key"] == f"level=own|merchant_id={merchant}|zone={zone}|channel={channel}"
    assert [level["variance_share"] for level in levels.values()] == pytest.approx([0.15, 0.12, 0.73])
    sigma = notes["sigma"]
    logarithm = sum(sigma * math.sqrt(level["variance_share"]) * level["value"] for level in levels.values())
    assert row["lambda_random_component"] == pytest.approx(math.exp(logarithm - sigma**2 / 2.0), rel=1e-12)
    story = " ".join(found.text().split())
    for level in levels.values():
        assert f"{sigma * math.sqrt(level['variance_share']) * level['value']:+.4f}" in story
    assert f"its time zone ({zone})" in story and "a path that is its own" in story


def test_the_integers_of_every_path_are_told(run: api.Run) -> None:
    row = run.table("s2_realised_intensity_5B", "baseline_v1").slice(100, 1).to_pylist()[0]
    found = explain_bucket(
        run.root,
        run.contracts,
        row["merchant_id"],
        row["zone_representation"],
        row["bucket_index"],
        channel=row["channel_group"],
        scenario_id="baseline_v1",
    )
    titles = [each.title for each in found.life.integers]
    assert [title for title in titles if title.startswith("Path of the")] == [
        "Path of the country",
        "Path of the time zone",
        "Path of the series",
    ]
