"""Hybrid merchants whose coins follow the local hour (law L7.routing): S5, the gates and the model of T7 know them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seg5b import api
from seg5b.calibration import analyse
from seg5b.explain import explain_arrival
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.realism.coins import attach_cuts, cells_with_coins, promises_in_sql
from seg5b.realism.expected import expected_totals
from seg5b.realism.profile import attach_traits, profile_cells
from seg5b.run_tables import RunPolicies
from seg5b.validation import Status
from seg5b.validation.checks import law_routes, policies, rederivation
from seg5b.world import World
from tests.conftest import TO_ARRIVALS
from tests.validation.half_a_million import looked_at
from tests.validation.harness import Run, twin_reads
from tests.validation.test_coins_of_channels import TWO_CHANNELS

EVENING = tuple(0.05 if 6 <= hour < 15 else 0.65 + hour / 100 for hour in range(24))
COINS = {"card_not_present": list(EVENING), "card_present": 0.1}
CHECKS = (*law_routes.CHECKS, *rederivation.CHECKS, *policies.CHECKS)


def swapped(one: int, other: int) -> tuple[float, ...]:
    """The hours with two of them exchanged."""
    hours = list(EVENING)
    hours[one], hours[other] = hours[other], hours[one]
    return tuple(hours)


@pytest.fixture(scope="module", params=["uniform_floor_us_v1", "linear_v1"])
def evening(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Run:
    """Zones of whole and of half hours; clocks of Europe and of America change."""
    folder = tmp_path_factory.mktemp("evening")
    values: dict[str, Any] = {
        **TWO_CHANNELS,
        "horizon": {"start": "2026-10-22", "days": 14},
        "placement": {"law": request.param},
        "policies": {"arrival_routing_policy_5B": {"hybrid_policy.virtual_share_profile": COINS}},
    }
    World.from_mapping(values).make(folder, seeds=(5,))
    run = api.open_run(folder)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    return Run(run.root, run.contracts, open_gate(run.root, run.contracts, state="S5"))


def failed(run: Run, change: Any = None) -> set[str]:
    results = run.judge(CHECKS, policies=change)
    return {name for name, result in results.items() if result.status is Status.FAIL}


def read_otherwise(**shares: tuple[float, ...]) -> Any:
    """As if the policy said otherwise than the arrivals were made."""
    other: Any = twin_reads(virtual_shares={"card_not_present": EVENING, "card_present": (0.1,) * 24, **shares})

    def change(sealed: RunPolicies) -> RunPolicies:
        changed: RunPolicies = other(sealed)
        return changed

    return change


def test_hours_decide_and_s5_finds_nothing_wrong(evening: Run) -> None:
    with looked_at(evening) as subject:
        rows = subject.rows(
            """SELECT zone_representation = 'Asia/Kolkata' AS half, hour(ts_utc + to_minutes(offset_min::BIGINT)) BETWEEN 6 AND 14
                          AS day, avg(is_virtual::INT), count(*)
               FROM arrivals JOIN modes USING (merchant_id)
               JOIN cache_steps ON tzid = zone_representation AND epoch_us(ts_utc) >= from_us AND epoch_us(ts_utc) < to_us
               WHERE virtual_mode = 'HYBRID' AND channel_group = 'card_not_present' GROUP BY ALL ORDER BY ALL"""
        )
    shares = {(half, day): share for half, day, share, _ in rows}
    assert len(rows) == 4 and min(row[3] for row in rows) > 100
    assert shares[False, True] < 0.1 < 0.6 < shares[False, False]
    assert shares[True, True] < 0.1 < 0.6 < shares[True, False]
    assert failed(evening) == set()


@pytest.mark.parametrize(
    ("channel", "shares"),
    [
        ("card_not_present", swapped(12, 20)),
        ("card_not_present", EVENING[1:] + EVENING[:1]),
        ("card_not_present", (sum(EVENING) / 24,) * 24),
        ("card_present", (0.0, 0.2) * 12),
    ],
    ids=["two hours exchanged", "an hour early", "no hours", "hours where there are none"],
)
def test_other_coins_are_seen(evening: Run, channel: str, shares: tuple[float, ...]) -> None:
    found = failed(evening, read_otherwise(**{channel: shares}))
    assert {"law.routes_coin", "rederive.arrivals", "policy.readings"} <= found


def test_the_hours_are_those_of_the_arrivals(evening: Run) -> None:
    """Where a bucket begins at half past, half of its arrivals are of the next hour: a law that took the hour of the bucket is
    not this one."""
    with looked_at(evening) as subject:
        rows = subject.rows(
            f"""WITH tossed AS ({law_routes.TOSSED}) SELECT channel_group, hour, sum(arrivals)::BIGINT FROM tossed
                GROUP BY ALL ORDER BY ALL"""
        )
        expected = subject.rows(
            """SELECT channel_group, hour(ts_utc + to_minutes(offset_min::BIGINT)) AS hour, count(*)
               FROM arrivals JOIN modes USING (merchant_id)
               JOIN cache_steps ON tzid = zone_representation AND epoch_us(ts_utc) >= from_us AND epoch_us(ts_utc) < to_us
               WHERE virtual_mode = 'HYBRID' GROUP BY ALL ORDER BY ALL"""
        )
    assert rows == expected


def test_gates_and_explanations_expect_what_is_there(evening: Run) -> None:
    with looked_at(evening) as subject:
        found = profile_cells(subject)
        statistics = {each["name"]: each for each in expected_totals(subject).facts["statistics"]}
        hybrid = subject.rows(
            "SELECT merchant_id FROM merchant_parts JOIN modes USING (merchant_id) WHERE virtual_mode = 'HYBRID'"
        )
    assert found.violations == 0 and any(cell["clock"] == "virtual" and cell["judged"] for cell in found.facts["cells"])
    assert abs(statistics["virtual share (T7)"]["z"]) < 4.0
    for merchant, *_ in hybrid:
        explained = explain_arrival(evening.root, evening.contracts, merchant, 1)
        assert explained.holds
        assert explained.arrival is not None
        coin, told = explained.arrival["notes"]["hybrid_coin"], explained.text(width=100)
        if explained.arrival["derived"]["channel_group"] == "card_not_present":
            hour = coin["local_hour"]
            assert coin["virtual_below"] == EVENING[hour]
            assert f"the share that is virtual between {hour:02d}:00 and" in " ".join(told.split())
        else:
            assert coin["virtual_below"] == 0.1 and "local_hour" not in coin


def test_promises_of_hours_add_up_to_those_of_cells(evening: Run) -> None:
    """T13 cuts buckets into hours of two clocks, T7 takes a cell as a whole: the same arrivals are expected to be virtual."""
    with looked_at(evening) as subject:
        attach_traits(subject)
        attach_cuts(subject)
        physical, virtual = promises_in_sql(subject)
        (at_sites, in_series_zone), (at_edges,) = (
            np.array(subject.rows(f"SELECT {sums} FROM ({sql}) AS promised(name, hour, {columns})")[0])
            for sql, sums, columns in (
                (physical, "sum(mean), sum(beside)", "mean, extra, beside"),
                (virtual, "sum(mean)", "mean, extra"),
            )
        )
        cells = cells_with_coins(subject, "intensity", "lambda_realised")
        expected, every = subject.row(f"SELECT sum(lambda_realised * p_virtual), sum(lambda_realised) FROM {cells}")
    assert at_edges == pytest.approx(expected, rel=1e-12) and in_series_zone == pytest.approx(expected, rel=1e-12)
    assert at_sites + at_edges == pytest.approx(every, rel=1e-12)


def test_t13_would_see_hours_that_are_not_the_policy_s(evening: Run) -> None:
    with looked_at(evening, read_otherwise(card_not_present=EVENING[12:] + EVENING[:12])) as subject:
        assert profile_cells(subject).violations > 0


def test_the_model_of_t7_leaves_to_the_coin_what_is_its_own(evening: Run) -> None:
    mass = analyse(evening.root, evening.contracts)["virtual_mode_mass"]
    with looked_at(evening) as subject:
        virtual, every = subject.row("SELECT count_if(is_virtual), count(*) FROM arrivals")
    assert mass["share_hybrid"] == 0.0 and mass["total_weighted_arrivals"] == pytest.approx(every, abs=2)
    assert mass["share_virtual_only"] == pytest.approx(virtual / every, abs=4 * np.sqrt(0.25 / every))
