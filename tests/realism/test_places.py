"""T16: payments lie where people pay, and no more at a site than it can take."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from seg5b import api
from seg5b.realism import Scoreboard, Verdict, public_bands, score_run
from seg5b.realism import places as gate
from seg5b.realism.places import AtSites, ceiling_reading, country_readings, merchant_readings, rank_correlation
from seg5b.realism.public_bands import PublicBand
from seg5b.realism.readings import Reading
from seg5b.world.plan import BASELINE
from seg5b.world.site_limits import CEILING_PER_HOUR
from seg5b.world.vocabulary import CLASSES
from tests.validation.harness import Run

PUBLIC = {f"C{number:02}": float(1e10 / (1 + number) ** 1.1) for number in range(30)}
SCATTER, RANKS = (
    "scatter of countries about public payments (log)",
    "rank correlation of countries with public payments",
)


def drawn(seed: int = 1, *, sd: float = 0.2, arrivals: int = 200_000, merchants: int = 400) -> AtSites:
    """Merchants of heavy-tailed sizes, each in a country drawn by its public payments with an error of ``sd``, in its one city."""
    random = np.random.default_rng(seed)
    names = np.array(sorted(PUBLIC))
    weight = np.array([PUBLIC[name] for name in names]) * np.exp(random.normal(0.0, sd, len(names)))
    size = np.minimum(random.pareto(1.3, merchants) + 1.0, 30.0)
    country = random.choice(names, merchants, p=weight / weight.sum())
    counts = random.multinomial(arrivals, size / size.sum()).astype(float)
    return AtSites(np.arange(merchants, dtype=np.uint64), country, country, counts)


def told(readings: list[Reading]) -> dict[str, Reading]:
    return {each.name: each for each in readings}


def test_lawful_countries_pass_two_hundred_times() -> None:
    judged = 0
    for seed in range(200):
        for each in country_readings(drawn(seed), PUBLIC):
            judged += each.judged
            assert each.within(0) or not each.judged, (seed, each)
    assert judged > 350


@pytest.mark.parametrize("kind", ["equal", "reversed"])
def test_countries_that_follow_no_payments_fail(kind: str) -> None:
    sites = drawn(arrivals=400_000, merchants=3000, sd=0.0)
    names = sorted(PUBLIC)
    if kind == "equal":
        random = np.random.default_rng(2)
        moved = random.choice(names, sites.country.size)
    else:
        moved = np.array([names[-1 - names.index(country)] for country in sites.country])
    readings = told(country_readings(replace(sites, country=moved), PUBLIC))
    assert readings[SCATTER].judged and not readings[SCATTER].within(0)
    assert not readings[RANKS].within(0)


def test_few_countries_are_not_judged() -> None:
    readings = country_readings(drawn(arrivals=10_000), PUBLIC)
    assert all("15 countries of 1,000 arrivals" in each.short for each in readings)
    nowhere = country_readings(replace(drawn(), country=np.full(400, "XX")), PUBLIC)
    assert [each.judged for each in nowhere] == [False, False]


def test_rank_correlation_is_spearmans() -> None:
    random = np.random.default_rng(4)
    first = random.random(25)
    second = first + random.random(25)
    assert rank_correlation(first, second)[0] == pytest.approx(spearmanr(first, second).statistic)


def city(largest: float, merchants: int, arrivals: float = 50_000.0) -> AtSites:
    """A city in which one merchant has a share, and the others the rest alike; each has two sites."""
    shares = np.r_[largest, np.full(merchants - 1, (1 - largest) / (merchants - 1))]
    held = np.tile(shares * arrivals / 2, 2)
    place = np.full(2 * merchants, "Paris")
    return AtSites(np.tile(np.arange(merchants, dtype=np.uint64), 2), place, place, held)


@pytest.mark.parametrize(
    ("sites", "judged", "grades"),
    [
        (city(0.30, 150), [True, False], (True, True)),
        (city(0.354, 150), [True, False], (True, False)),
        (city(0.38, 150), [True, False], (False, False)),
        (city(0.30, 99), [False, False], (False, False)),
        (city(0.30, 150, 2_999.0), [False, False], (False, False)),
    ],
)
def test_the_largest_merchant_of_a_city(sites: AtSites, judged: list[bool], grades: tuple[bool, bool]) -> None:
    readings = merchant_readings(sites)
    assert [each.judged for each in readings] == judged
    assert (readings[0].within(0), readings[0].within(1)) == grades


def test_a_thousand_merchants_leave_less() -> None:
    hundred, thousand = merchant_readings(city(0.30, 1_200))
    assert (hundred.within(0), thousand.judged, thousand.within(0)) == (True, True, False)
    assert merchant_readings(city(0.20, 1_200))[1].within(1)


def test_one_hour_above_is_too_much() -> None:
    assert ceiling_reading([], 40).within(1)
    assert not ceiling_reading([("fuel_convenience", 301)], 40).within(0)


def test_every_class_has_a_ceiling_that_worlds_keep_below() -> None:
    assert set(public_bands.SITE_HOUR) == set(CLASSES)
    assert [name for name in CLASSES if CEILING_PER_HOUR[name] > public_bands.SITE_HOUR[name].high] == []


def test_the_gate_on_a_run(board: Scoreboard) -> None:
    """The small world is too small for cities, and its countries prove nothing; its sites keep below what they can take."""
    measured = {each["name"]: each for each in board.diagnostics["t16"][BASELINE]["measured"]}
    assert measured["hours of sites above what they can take"]["b"]
    assert board.gate("T16").verdict is Verdict.PASS and len(board.gate("T16").extras["too_small"]) == 2
    assert not board.gate("T16").bplus


def test_hours_above_are_those_of_the_arrivals(small: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With low ceilings, against a plain count over every arrival."""
    ceilings = {name: PublicBand(0, 2 + place, "", "") for place, name in enumerate(sorted(public_bands.SITE_HOUR))}
    monkeypatch.setattr(gate, "SITE_HOUR", ceilings)
    board = score_run(small.root, small.contracts)
    run = api.Run(small.root, small.contracts)
    rows = run.table("arrival_events_5B", BASELINE).select(
        ["merchant_id", "zone_representation", "channel_group", "site_id", "ts_utc", "is_virtual"]
    )
    classes = {
        (row["merchant_id"], row["zone_representation"], row["channel_group"]): row["demand_class"]
        for row in run.table("s1_grouping_5B", BASELINE).to_pylist()
    }
    hours = Counter(
        (classes[row["merchant_id"], row["zone_representation"], row["channel_group"]], row["site_id"], row["ts_utc"].replace(
            minute=0, second=0, microsecond=0))
        for row in rows.to_pylist()
        if not row["is_virtual"]
    )  # fmt: skip
    above = {key: count for key, count in hours.items() if count > ceilings[key[0]].high}
    facts = board.diagnostics["t16"][BASELINE]
    assert above and facts["measured"][-1]["value"] == len(above)
    assert facts["busiest_hours"][0]["arrivals"] == max(above.values())
    assert board.gate("T16").verdict is Verdict.FAIL
