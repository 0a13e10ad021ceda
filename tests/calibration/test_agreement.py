"""Seeds that share random numbers are noticed, whichever stream it is; seeds that do not are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import seg5b.rng.device
import seg5b.states.s2_latent.factors
from seg5b.calibration import derive_run
from seg5b.calibration.agreement import Agreement, agreements, equal_datasets
from seg5b.contracts import ContractSource
from seg5b.pipeline import run_states
from seg5b.rng.messages import message_head
from seg5b.runs.identity import RunIdentity
from seg5b.runs.root import RunRoot, open_root
from seg5b.world.plan import BASELINE
from tests.policies import Added
from tests.worlds import SCORED, copy_run

CONTRACTS = ContractSource.packaged()
TO_ARRIVALS = ("S0", "S1", "S2", "S3", "S4")
FIRST, SECOND = 42, 7
SHARED = {
    "S2.latent_vector.v1": {"latent paths"},
    "S3.bucket_count.v1": {"count residuals"},
    "S4.arrival_time_jitter.v1": {"instants"},
    "S4.arrival_site_pick.v1": {"sites", "sides of the hybrid coin"},
    "S4.arrival_edge_pick.v1": {"edges"},
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRoot, RunRoot]:
    """The world under one seed, S0-S4 done, and the run derived from it of another, unrealised."""
    base = SCORED.make(tmp_path_factory.mktemp("agreement"), seeds=(FIRST, SECOND))
    other = derive_run(base, CONTRACTS, seed=SECOND).root
    run_states(base, CONTRACTS, TO_ARRIVALS)
    return base, other


@pytest.fixture
def realised(pair: tuple[RunRoot, RunRoot], tmp_path: Path) -> Callable[[], RunRoot]:
    """``realised()``: the run of the other seed, made in a folder of its own."""

    def make() -> RunRoot:
        runs_root = tmp_path / "runs"
        copied = copy_run(pair[1].path.parent, tmp_path)
        root = open_root(runs_root, pair[1].identity.run_id, copied.external_roots)
        run_states(root, CONTRACTS, TO_ARRIVALS)
        return root

    return make


def test_seeds_whose_coin_follows_the_hour(tmp_path: Path) -> None:
    """Both are virtual at the same hours; that is the policy's doing, not that of common randomness."""
    profile = [0.95 if hour % 2 else 0.05 for hour in range(24)]
    channels = ("mixed", "card_not_present", "card_present")
    coins = {"hybrid_policy.virtual_share_profile": Added(dict.fromkeys(channels, profile))}
    base = SCORED.make(tmp_path, {"arrival_routing_policy_5B": coins}, seeds=(FIRST, SECOND))
    other = derive_run(base, CONTRACTS, seed=SECOND).root
    for root in (base, other):
        run_states(root, CONTRACTS, TO_ARRIVALS)
    found = {each.name: each for each in _compared(base, other)}
    assert found["sides of the hybrid coin"].pairs > 200
    assert [each.fault for each in found.values() if each.fault] == []


def _compared(*roots: RunRoot) -> list[Agreement]:
    return agreements(roots, CONTRACTS, [BASELINE], memory_limit_gb=1.0)


def test_independent_seeds(pair: tuple[RunRoot, RunRoot], realised: Callable[[], RunRoot]) -> None:
    base, other = pair[0], realised()
    found = _compared(base, other)
    assert {each.name for each in found} == set().union(*SHARED.values())
    assert [each.fault for each in found if each.fault] == []
    assert all(each.seeds == (FIRST, SECOND) and each.pairs > 200 for each in found)
    assert equal_datasets([base, other], CONTRACTS, [BASELINE]) == []


@pytest.mark.parametrize("family", SHARED)
def test_a_stream_that_ignores_the_seed_is_noticed(
    family: str,
    pair: tuple[RunRoot, RunRoot],
    realised: Callable[[], RunRoot],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def head(domain_sep: str, family_id: str, identity: RunIdentity, scenario_id: str) -> bytes:
        own = replace(identity, seed=FIRST) if family_id == family else identity
        return message_head(domain_sep, family_id, own, scenario_id)

    for module in (seg5b.rng.device, seg5b.states.s2_latent.factors):
        monkeypatch.setattr(module, "message_head", head)
    assert {each.name for each in _compared(pair[0], realised()) if each.fault} == SHARED[family]


def test_a_generator_that_ignores_the_seed_is_noticed(pair: tuple[RunRoot, RunRoot]) -> None:
    """The same run under four names."""
    base = pair[0]
    assert {each.name for each in _compared(base, base) if each.fault} == set().union(*SHARED.values())
    told = equal_datasets([base, base], CONTRACTS, [BASELINE])
    assert [line.split()[1] for line in told] == [
        "s2_realised_intensity_5B",
        "s3_bucket_counts_5B",
        "arrival_events_5B",
    ]
