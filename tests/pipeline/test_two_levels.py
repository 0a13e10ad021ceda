"""S2 under ``log_gaussian_two_level_v1``: every factor against the law in the standard library, and what is recorded of it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seg5b import api
from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.errors import DomainError
from seg5b.inputs.profile import Profile
from seg5b.options import Options, Tuning
from seg5b.pipeline import run_states
from seg5b.policy import LgcpPolicy
from seg5b.runs.root import RunRoot
from tests.oracle.field import level_factors
from tests.oracle.randomness import World
from tests.policies import TWO_LEVELS
from tests.worlds import SMALLEST, copy_run

TO_INTENSITIES = ("S0", "S1", "S2")
BANDS = {"baseline_v1": "baseline", "stress_peak_online_v1": "stress"}
SHARES, LENGTHS = (0.15, 0.12), (40.0, 20.0)


@pytest.fixture(scope="module")
def unrealised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SMALLEST.make(tmp_path_factory.mktemp("levels"), TWO_LEVELS).path.parent


@pytest.fixture(scope="module")
def run(unrealised: Path, tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    """With event logs."""
    root = copy_run(unrealised, tmp_path_factory.mktemp("realised"))
    run_states(root, ContractSource.packaged(), TO_INTENSITIES, options=Options(tuning=Tuning(event_logs="jsonl")))
    return api.open_run(root.path.parent)


def rows(run: api.Run, dataset: str, scenario: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.table(dataset, scenario).to_pylist()
    return found


def countries_of(run: api.Run) -> dict[tuple[int, str], list[str]]:
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    for row in rows(run, "merchant_zone_profile_5A"):
        found[row["merchant_id"], row["tzid"]].append(row["legal_country_iso"])
    return found


@pytest.mark.parametrize("scenario", BANDS)
def test_every_factor_follows_the_law(run: api.Run, scenario: str) -> None:
    policy = LgcpPolicy.load(run.root.resolve("config/layer2/5B/arrival_lgcp_config_5B.yaml"), run.contracts)
    identity = run.root.identity
    world = World(identity.manifest_fingerprint, identity.parameter_hash, identity.seed, scenario)
    table = run.table("s2_realised_intensity_5B", scenario)
    factors = table.column("lambda_random_component").to_numpy()
    groups, countries = rows(run, "s1_grouping_5B", scenario), countries_of(run)
    assert any(len(own) > 1 for own in countries.values()), "the world must reach a zone through two countries"
    for row, made in zip(groups, factors.reshape(len(groups), -1), strict=True):
        traits = (row["demand_class"], row["channel_group"], row["virtual_band"])
        series = (row["merchant_id"], row["zone_representation"], row["channel_group"])
        length = policy.length(BANDS[scenario], row["demand_class"])
        country = min(countries[series[:2]], key=str.encode)
        sigma = policy.sigma(BANDS[scenario], *traits)
        expected = level_factors(world, country, series, sigma, SHARES, (*LENGTHS, length), made.size)
        assert made == pytest.approx(expected, rel=1e-11), series


@pytest.mark.parametrize("scenario", BANDS)
def test_intensities_are_targets_times_factors(run: api.Run, scenario: str) -> None:
    table = run.table("s2_realised_intensity_5B", scenario)
    baseline, factor, realised = (
        table.column(name).to_numpy() for name in ("lambda_baseline", "lambda_random_component", "lambda_realised")
    )
    assert (realised == baseline * factor).all() and np.unique(factor).size == factor.size


@pytest.mark.parametrize("scenario", BANDS)
def test_draws_of_every_path_are_recorded(run: api.Run, scenario: str) -> None:
    groups, countries = rows(run, "s1_grouping_5B", scenario), countries_of(run)
    buckets = len(rows(run, "s1_time_grid_5B", scenario))
    keys = [(row["merchant_id"], row["zone_representation"], row["channel_group"]) for row in groups]
    firsts = {min(countries[key[:2]], key=str.encode) for key in keys}
    names = [
        *(f"level=country|country={name}" for name in sorted(firsts)),
        *(f"level=zone|zone={name}" for name in sorted({key[1] for key in keys})),
        *(f"level=own|merchant_id={merchant}|zone={zone}|channel={channel}" for merchant, zone, channel in keys),
    ]
    logs = run.root.path / "logs/layer2/5B/rng"
    (file,) = logs.glob(f"events/arrival_lgcp_gaussian/*/*/*/scenario_id={scenario}/*")
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["latent_domain"] for event in events] == names
    assert all((event["draws"], event["blocks"]) == (str(2 * buckets), buckets) for event in events)
    schemas = ContractSource.packaged()
    for event in (events[0], events[-1]):
        schemas.validate("schemas.5B.yaml#/rng/events/arrival_lgcp_gaussian", event, code="X", where="event")
    (file,) = logs.glob(f"trace/*/*/*/state=S2/scenario_id={scenario}/*")
    (trace,) = [json.loads(line) for line in file.read_text().splitlines()]
    totals = [trace[f"{name}_total"] for name in ("events", "draws", "blocks")]
    assert totals == [len(names), 2 * buckets * len(names), buckets * len(names)]
    ends = [[trace[f"rng_counter_{end}_{half}"] for half in ("hi", "lo")] for end in ("before", "after")]
    of_events = [
        [events[at][f"rng_counter_{end}_{half}"] for half in ("hi", "lo")] for at, end in ((0, "before"), (-1, "after"))
    ]
    assert ends == of_events


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_show(run: api.Run, unrealised: Path, tmp_path: Path, threads: int) -> None:
    root = copy_run(unrealised, tmp_path)
    run_states(root, run.contracts, TO_INTENSITIES, options=Options(tuning=Tuning(threads=threads)))
    assert dataset_digests(root, run.contracts) == dataset_digests(run.root, run.contracts)


def test_a_series_without_a_country_is_refused(
    unrealised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root: RunRoot = copy_run(unrealised, tmp_path)
    monkeypatch.setattr(Profile, "first_countries", lambda profile: {})
    with pytest.raises(DomainError, match=r"5B\.S2\.REALISED_DOMAIN_INCOMPLETE: merchant \d+ has no country in "):
        run_states(root, ContractSource.packaged(), TO_INTENSITIES)
