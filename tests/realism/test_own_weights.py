"""T16: every zone and country gets what the world's own weights promised it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b import api
from seg5b.realism import Scoreboard
from seg5b.realism.own_weights import Promised, _countries, _zones, chance, own_readings, own_weights
from seg5b.realism.probes import PROBES
from seg5b.realism.readings import Reading
from seg5b.run_tables.inputs import site_id
from seg5b.run_tables.reductions import attach_reductions
from seg5b.run_tables.views import scenario_tables
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.world.plan import BASELINE
from tests.validation.harness import Run, edit

ZONES = np.array([f"Z{number:02}" for number in range(40)])
DISTANCE, EMPTY = "distance of zones from their own weights", "zones without any arrival"
OF_COUNTRIES, EMPTY_COUNTRIES = "distance of countries from their own weights", "countries without any arrival"


def promised(arrivals: float = 200_000.0, kappa: float = 8.0, places: int = 40) -> Promised:
    """Zones of sizes 1, 1/2, 1/3 ...; 600 buckets each, whose counts have the dispersion ``kappa``. Nothing has come yet."""
    mean = arrivals / np.arange(1, places + 1) / (1.0 / np.arange(1, places + 1)).sum()
    return Promised(ZONES[:places], np.zeros(places), mean, mean + mean**2 / 600.0 / kappa)


def drawn(seed: int = 1, kappa: float = 8.0, **size: Any) -> Promised:
    """The same with arrivals of the law: sums of buckets, each Poisson about a gamma mean."""
    random = np.random.default_rng(seed)
    places = promised(kappa=kappa, **size)
    buckets = np.repeat(places.mean[:, None] / 600.0, 600, axis=1)
    return replace(places, arrivals=random.poisson(random.gamma(kappa, buckets / kappa)).sum(axis=1).astype(float))


def told(places: Promised, unknown: str = "") -> dict[str, Reading]:
    return {each.name: each for each in own_readings("zones", places, unknown)}


def without(places: Promised, part: float, *chosen: int) -> Promised:
    """A part of the arrivals of some places deleted."""
    left = places.arrivals.copy()
    left[list(chosen)] = np.round(left[list(chosen)] * (1.0 - part))
    return replace(places, arrivals=left)


@pytest.mark.parametrize(
    "law", [{}, {"kappa": 4.0}, {"places": 2, "kappa": 100.0}, {"places": 3, "kappa": 50.0}, {"kappa": 1e6}], ids=str
)
def test_lawful_places_pass_two_hundred_times(law: Mapping[str, float]) -> None:
    plus = 0
    for seed in range(200):
        for each in told(drawn(seed, **law)).values():
            assert each.judged and each.within(0), (seed, each)
            plus += each.within(1)
    assert plus > 380


@pytest.mark.parametrize("places", [2, 3, 40])
def test_chance_is_that_of_draws(places: int) -> None:
    """Gaps of few places go together; taken as independent, two would scatter less by a factor of 1.4."""
    law = promised(6_000.0, 1.0, places)
    mean, deviation = chance(law.mean, law.variance)
    found = []
    for seed in range(1_000):
        arrivals = drawn(seed, 1.0, arrivals=6_000.0, places=places).arrivals
        found.append(np.abs(arrivals / arrivals.sum() - law.mean / law.mean.sum()).sum() / 2.0)
    assert mean == pytest.approx(np.mean(found), rel=0.05)
    assert deviation == pytest.approx(np.std(found), rel=0.1)


def test_a_place_that_lost_most_of_its_arrivals_is_seen() -> None:
    for seed in range(20):
        found = told(without(drawn(seed), 0.83, 2))
        assert found[DISTANCE].judged and not found[DISTANCE].within(0), (seed, found)
        assert found[EMPTY].within(1)


def test_a_little_too_little_costs_b_plus() -> None:
    found = told(without(drawn(arrivals=2e7, kappa=1e6), 0.1, 2))[DISTANCE]
    assert found.within(0) and not found.within(1) and found.value == pytest.approx(0.0077, abs=0.001)


def test_places_that_vanished_are_counted() -> None:
    gone = told(without(drawn(), 1.0, 30, 31, 39))[EMPTY]
    assert (gone.value, gone.judged, gone.within(0)) == (3.0, True, False)
    # one that may well have none by itself proves nothing
    quiet = told(without(drawn(arrivals=4_000.0), 1.0, 39))[EMPTY]
    assert (quiet.value, quiet.within(1)) == (0.0, True)
    bursts = told(without(drawn(kappa=0.005, arrivals=40_000.0), 1.0, 39))[EMPTY]
    assert (bursts.value, bursts.within(1)) == (0.0, True)


def test_small_places_are_taken_together() -> None:
    """Of 2,000 places that expect an arrival in five each, chance is that of the one that they make, and not of normal gaps."""
    quiet = np.full(2_000, 0.2)
    mean = np.r_[50_000.0, 50_000.0, quiet]
    names = np.array([f"Z{number:04}" for number in range(mean.size)])
    places = Promised(names, np.asarray(np.random.default_rng(5).poisson(mean), np.float64), mean, mean)
    together = places.without_small()
    assert together.mean.tolist() == pytest.approx([400.0, 50_000.0, 50_000.0])
    assert together.variance.sum() == pytest.approx(mean.sum()) and together.arrivals.sum() == places.arrivals.sum()
    assert chance(together.mean, together.variance)[0] < 0.7 * chance(mean, mean)[0]
    reading = told(places)[DISTANCE]
    assert reading.within(1) and "by chance 0.001" in reading.size


def test_arrivals_that_were_not_promised_count_too() -> None:
    places = drawn()
    moved = np.r_[places.arrivals, places.arrivals[2]]
    moved[2] = 0.0
    found = told(Promised(np.append(ZONES, "Elsewhere"), moved, np.r_[places.mean, 0.0], np.r_[places.variance, 0.0]))
    assert not found[DISTANCE].within(0) and found[DISTANCE].value == pytest.approx(0.078, abs=0.01)


def test_small_runs_are_not_judged_and_say_what_it_takes() -> None:
    few = told(drawn(arrivals=6_000.0))
    assert not few[DISTANCE].judged and "expected arrivals (has 6,000)" in few[DISTANCE].short
    needed = float(few[DISTANCE].short.split()[0].replace(",", ""))
    law = promised(6_000.0)
    more = replace(law, arrivals=law.mean, mean=law.mean * needed / 6_000, variance=law.variance * needed / 6_000)
    assert told(more)[DISTANCE].judged and needed > 6_000, "as many days more"
    single = told(drawn(places=1))
    assert single[DISTANCE].short == "2 zones that expect 25 arrivals (has 1)" and single[EMPTY].judged
    nothing = told(Promised(ZONES[:0], np.zeros(0), np.zeros(0), np.zeros(0)))
    assert not any(each.judged for each in nothing.values())
    assert {each.short for each in told(drawn(), "another routing").values()} == {"another routing"}


def test_what_was_deleted_does_not_excuse() -> None:
    """It is what was promised that must be enough."""
    found = told(without(drawn(), 1.0, *range(40)))
    assert all(each.judged and not each.within(0) for each in found.values())


def measured(run: Run) -> dict[str, dict[str, Any]]:
    """T16's readings of a run by name."""
    result = run.judge([probe for probe in PROBES if probe.check_id == "realism.t16"])["realism.t16"]
    return {each["name"]: each for each in result.facts[BASELINE]["measured"]}


def country_of_sites(run: Run) -> dict[int, str]:
    """Country of each site by its id, and as said by the sealed weights."""
    table = pq.read_table(run.gate.files("s1_site_weights")[0])
    rows = table.select(["merchant_id", "legal_country_iso", "site_order"]).to_pylist()
    return {site_id(*row.values()): row["legal_country_iso"] for row in rows}


def deleted(run: Run, country: str, part: float) -> int:
    """A part of a country's physical arrivals deleted, from counts and arrivals alike; how many."""
    at, random = country_of_sites(run), np.random.default_rng(3)
    gone: Counter[tuple[Any, ...]] = Counter()
    names = ["merchant_id", "zone_representation", "channel_group", "bucket_index"]

    def of_arrivals(table: pa.Table) -> pa.Table:
        sites = table["site_id"].to_pylist()
        out = np.array([at.get(site) == country for site in sites]) & (random.random(len(sites)) < part)
        gone.update(tuple(row.values()) for row in table.select(names).filter(pa.array(out)).to_pylist())
        return table.filter(pa.array(~out))

    def of_counts(table: pa.Table) -> pa.Table:
        keys = (tuple(row.values()) for row in table.select(names).to_pylist())
        less = pa.array([gone.get(key, 0) for key in keys], table["count_N"].type)
        return table.set_column(table.column_names.index("count_N"), "count_N", pc.subtract(table["count_N"], less))

    for path in sorted(run.path("arrival_events_5B").parent.glob("*.parquet")):
        edit(path, of_arrivals)
    edit(run.path("s3_bucket_counts_5B"), of_counts)
    return sum(gone.values())


def test_a_lawful_run_keeps_its_promise(board: Scoreboard) -> None:
    readings = {each["name"]: each for each in board.diagnostics["t16"][BASELINE]["measured"]}
    for name in (DISTANCE, EMPTY, OF_COUNTRIES, EMPTY_COUNTRIES):
        assert readings[name]["judged"] and readings[name]["bplus"], readings[name]


def test_a_country_that_lost_83_per_cent_fails_the_gate(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    assert deleted(run, "GB", 0.83) > 1_000
    readings = measured(run)
    for name in (DISTANCE, OF_COUNTRIES):
        assert readings[name]["judged"] and not readings[name]["b"], readings[name]
    assert readings[EMPTY]["b"] and readings[EMPTY_COUNTRIES]["b"]


def test_countries_that_vanish_fail_the_gate(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    assert all(deleted(run, country, 1.0) for country in ("PT", "CH"))
    readings = measured(run)
    assert not readings[EMPTY_COUNTRIES]["b"] and readings[EMPTY_COUNTRIES]["value"] == 2


def test_the_promise_is_that_of_intensities_and_weights(small: Run) -> None:
    """Against sums over every row in Python."""
    run = api.Run(small.root, small.contracts)
    weights: dict[tuple[int, str], dict[str, float]] = {}
    zones = {
        (row["merchant_id"], row["legal_country_iso"], row["site_order"]): row["tzid"]
        for row in pq.read_table(small.gate.files("site_timezones")[0]).to_pylist()
    }
    for row in pq.read_table(small.gate.files("s1_site_weights")[0]).to_pylist():
        zone = zones[row["merchant_id"], row["legal_country_iso"], row["site_order"]]
        own = weights.setdefault((row["merchant_id"], zone), {})
        own[row["legal_country_iso"]] = own.get(row["legal_country_iso"], 0.0) + row["p_weight"]
    modes = {
        row["merchant_id"]: row["virtual_mode"]
        for row in pq.read_table(small.gate.files("virtual_classification_3B")[0]).to_pylist()
    }
    coin = {"VIRTUAL_ONLY": 0.0, "HYBRID": 0.65, "NON_VIRTUAL": 1.0}
    by_zone: Counter[str] = Counter()
    by_country: Counter[str] = Counter()
    for row in run.table("s2_realised_intensity_5B", BASELINE).to_pylist():
        merchant, zone = row["merchant_id"], row["zone_representation"]
        mass = row["lambda_realised"] * coin[modes[merchant]]
        by_zone[zone] += mass
        for country, weight in weights.get((merchant, zone), {}).items():
            by_country[country] += mass * weight / sum(weights[merchant, zone].values())
    with open_run_tables(small.root, small.contracts, label="promise") as tables:
        subject = attach_reductions(scenario_tables(tables, tables.gate.scenarios[0]))
        own_weights(subject)
        zone_table, country_table = _zones(subject), _countries(subject)
    for table, expected in ((zone_table, by_zone), (country_table, by_country)):
        assert dict(zip(table.names, table.mean, strict=True)) == pytest.approx(
            {k: v for k, v in expected.items() if v}
        )
        assert (table.variance > table.mean).all()
    assert zone_table.arrivals.sum() == country_table.arrivals.sum() > 50_000


def test_zones_that_are_drawn_again_are_not_judged(small: Run) -> None:
    found = small.judge(
        [probe for probe in PROBES if probe.check_id == "realism.t16"],
        policies=lambda each: replace(each, routing=replace(each.routing, tz_group_law="group_weights_v1")),
    )
    readings = [each for each in found["realism.t16"].facts[BASELINE]["measured"] if "own weights" in each["name"]]
    assert len(readings) == 2 and not any(each["judged"] for each in readings)
    assert "zone_pinned_v1" in readings[0]["short"]
