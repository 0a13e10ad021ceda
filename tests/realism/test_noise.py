"""T18: days scatter as those of shops do, and together where places are the same."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date

import numpy as np
import pytest

from seg5b import api
from seg5b.realism import Scoreboard, Verdict, noise, public_bands, score_run
from seg5b.realism.noise import Residuals, memory_readings, place_reading, residuals, scatter_readings
from seg5b.realism.readings import Reading
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import scenario_tables
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.world.plan import BASELINE
from tests.validation.harness import Run

FIRST = date(2026, 1, 12)
ZONES = np.arange(120) % 4
WEEK = np.array([0.9, 0.9, 0.95, 1.0, 1.2, 1.3, 0.75])
B, A, ALL = "b of sites of 5 to 200 a day", "a of sites of 1,000 a day", "a of merchants in a zone, 200 a day"
TAYLOR, DAY, WEEKS = (
    "Taylor exponent of sites of 200 a day",
    "autocorrelation after a day",
    "autocorrelation after seven days",
)
PLACE = "correlation within a zone above between zones"


def drawn(
    seed: int = 1, *, days: int = 210, floor: float = 0.006, slope: float = 2.0, memory: float = 0.4, city: float = 0.25
) -> np.ndarray:
    """Daily counts of 120 sites of 8 to 9,000 a day: CV^2 = floor + slope / mean, the floor with a memory of a day, a part of it
    common to the ``city``."""
    random = np.random.default_rng(seed)
    mean = np.exp(np.linspace(math.log(8.0), math.log(9_000.0), 120))
    shocks = random.normal(size=(124, days + 50))
    paths = np.zeros_like(shocks)
    for day in range(1, days + 50):
        paths[:, day] = memory * paths[:, day - 1] + math.sqrt(1 - memory**2) * shocks[:, day]
    common = math.sqrt(city) * paths[120 + ZONES, 50:] + math.sqrt(1 - city) * paths[:120, 50:]
    rate = mean[:, None] * WEEK[np.arange(days) % 7] * np.exp(math.sqrt(floor) * common - floor / 2)
    if slope <= 1.0:
        return random.poisson(rate).astype(float)
    return random.poisson(random.gamma(rate / (slope - 1.0), slope - 1.0)).astype(float)


def told(counts: np.ndarray) -> dict[str, Reading]:
    """Every reading of some sites, each of which stands for a merchant too."""
    sites = residuals(counts, FIRST)
    found = [*scatter_readings(sites, sites), *memory_readings(sites), place_reading(sites, ZONES[: len(counts)])]
    return {each.name: each for each in found}


def test_lawful_days_pass_two_hundred_times() -> None:
    for seed in range(200):
        for each in told(drawn(seed)).values():
            assert each.judged and each.within(0), (seed, each)


def test_the_law_is_found_again() -> None:
    found = [told(drawn(seed)) for seed in range(30)]
    mean = {name: float(np.mean([each[name].value for each in found])) for name in found[0]}
    assert mean[B] == pytest.approx(2.0, rel=0.05)
    assert mean[A] == pytest.approx(0.006, rel=0.05)
    assert 1.4 < mean[TAYLOR] < 1.9
    assert mean[DAY] == pytest.approx(0.4 * 0.006 / (0.006 + 2.0 / 3000), abs=0.08)
    assert mean[PLACE] == pytest.approx(0.25 * 0.85, abs=0.08)


@pytest.mark.parametrize("days", [63, 140])
def test_what_removing_takes_away_is_put_right(days: int) -> None:
    """Poisson counts have b = 1, however few weeks their weekdays are estimated from."""
    counts = np.random.default_rng(2).poisson(200.0 * WEEK[np.arange(days) % 7], (2_000, days)).astype(float)
    left = residuals(counts, FIRST)
    assert left.squared.sum() / left.inverse.sum() == pytest.approx(1.0, abs=0.025)


@pytest.mark.parametrize(
    ("fault", "readings"),
    [
        ({"floor": 1e-9, "slope": 1.0}, (A, TAYLOR)),
        ({"floor": 0.05}, (A, ALL)),
        ({"slope": 8.0}, (B,)),
        ({"memory": 0.0}, (DAY,)),
        ({"memory": 0.9, "floor": 0.02}, (DAY,)),
        ({"city": 0.0}, (PLACE,)),
    ],
    ids=["Poisson", "every size alike", "bursts", "no memory", "long memory", "no city"],
)
def test_a_fault_is_seen(fault: dict[str, float], readings: tuple[str, ...]) -> None:
    for seed in range(5):
        found = told(drawn(seed, **fault))  # type: ignore[arg-type]
        assert [name for name in readings if found[name].within(0)] == [], found


def test_short_horizons_and_few_sites_are_not_judged() -> None:
    short = told(drawn(days=70))
    assert {name for name, each in short.items() if each.judged} == {B, A, ALL, TAYLOR}
    assert "200 whole days (has 70)" in short[DAY].short
    assert not any(each.judged for each in told(drawn(days=59)).values())
    few = told(drawn()[::6])
    assert "30 sites" in few[B].short and "30 sites" in few[A].short and "20 sites" in few[PLACE].short
    assert told(drawn()[:80])[A].value != told(drawn()[:80])[A].value, "no site of that size"


def test_alike_sizes_have_no_exponent() -> None:
    counts = np.repeat(drawn()[100:110], 4, axis=0)
    assert "decade" in told(counts)[TAYLOR].short


def test_christmas_is_left_out() -> None:
    counts = np.full((1, 60), 1000.0)
    counts[0, 29] = 0.0
    whole, left = (
        residuals(counts, date(2026, 10, 1)),
        residuals(counts, date(2026, 11, 26)),
    )  # the thirtieth is 25 December
    assert whole.gaps.shape[1] == 60 and left.gaps.shape[1] == 60 - 22
    assert whole.squared[0] > 0.01 > left.squared[0]


def test_nothing_is_no_number() -> None:
    nothing = Residuals(np.zeros((0, 70)), np.zeros((0, 70)), np.zeros(0), 1.0)
    found = [
        *scatter_readings(nothing, nothing),
        *memory_readings(nothing),
        place_reading(nothing, np.zeros(0, np.int64)),
    ]
    assert not any(each.judged or each.within(0) for each in found)


def test_days_are_those_of_the_arrivals(small: Run) -> None:
    """Counts of sites by local day, against a plain count; of those that are large enough."""
    with open_run_tables(small.root, small.contracts, label="noise") as run:
        subject: Subject = scenario_tables(run, run.gate.scenarios[0])
        first, days = noise._whole_days(subject)
        subject.run("CREATE TABLE site_routes AS SELECT merchant_id, site_id, tzid_primary, count(*) AS arrivals FROM arrivals "
                    "WHERE NOT is_virtual GROUP BY ALL")  # fmt: skip
        counts, zone = noise._daily(subject, "site_id", first, days)
    table = api.Run(small.root, small.contracts).table("arrival_events_5B", BASELINE)
    epoch = date(1970, 1, 1)
    seen = Counter(
        (row["site_id"], (row["ts_local_primary"].date() - epoch).days)
        for row in table.select(["site_id", "ts_local_primary", "is_virtual"]).to_pylist()
        if not row["is_virtual"]
    )
    totals: Counter[int] = Counter()
    for (site, _), arrivals in seen.items():
        totals[site] += arrivals
    large = [site for site, arrivals in totals.items() if arrivals >= 5 * days]
    assert (days, counts.shape, len(zone)) == (26, (len(large), 26), len(large)) and len(large) > 20
    rows = sorted(tuple(float(seen[site, first + day]) for day in range(days)) for site in large)
    assert sorted(map(tuple, counts.tolist())) == rows


def test_the_gate_on_a_run(board: Scoreboard, small: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four weeks are too few; were they enough, today's sites would scatter as small shops do."""
    gate = board.gate("T18")
    assert gate.verdict is Verdict.NOT_APPLICABLE and "60 whole days (has 26)" in gate.reason
    monkeypatch.setattr(public_bands, "LEAST_DAYS", 26)
    monkeypatch.setattr(public_bands, "LEAST_SITES", 20)
    judged = score_run(small.root, small.contracts)
    measured = {each["name"]: each for each in judged.diagnostics["t18"][BASELINE]["measured"]}
    assert measured[B]["judged"] and measured[B]["b"] and not measured[A]["judged"]
    assert judged.gate("T18").extras["readings_judged"] == sum(each["judged"] for each in measured.values()) >= 1
