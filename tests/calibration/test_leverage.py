"""Cohorts that would bring T7 into its band: by hand, and that a run's cohorts hold every arrival."""

from __future__ import annotations

import csv

import pytest

from seg5b.calibration import analyse
from seg5b.calibration.leverage import TO_PHYSICAL, TO_VIRTUAL, Cohort, directions, flips, narrow_set, told
from seg5b.calibration.sensitivity import summary, write_analysis
from seg5b.contracts import ContractSource
from seg5b.runs.root import RunRoot

SHOPS = Cohort("consumer_daytime", "card_present", "NON_VIRTUAL", "US", 9, 600, 0)
WEB = Cohort("online_24h", "card_not_present", "NON_VIRTUAL", "US", 3, 25, 0)
BURSTS = Cohort("online_bursty", "card_not_present", "NON_VIRTUAL", "GB", 2, 15, 0)
SMALL = Cohort("online_bursty", "card_not_present", "NON_VIRTUAL", "DE", 1, 5, 0)
EDGES = Cohort("online_24h", "card_not_present", "VIRTUAL_ONLY", "US", 1, 0, 20)
ALL = (SHOPS, WEB, BURSTS, SMALL, EDGES)


def test_which_way_t7_has_to_go() -> None:
    assert directions(0.02) == directions(0.04) == (TO_VIRTUAL,)
    assert directions(0.13) == directions(0.09) == (TO_PHYSICAL,)
    assert directions(0.06) == (TO_VIRTUAL, TO_PHYSICAL)


def test_flips_are_ranked_by_what_they_bring() -> None:
    """20 of 1,000 are virtual: B begins at 30, ends at 80."""
    ranked = flips(ALL, 20, 1000)
    assert [flip.cohort for flip in ranked] == [BURSTS, WEB, SMALL, SHOPS]
    first = ranked[0]
    assert (first.t7_after, first.b_after, first.bplus_after) == (pytest.approx(0.035), True, False)
    assert first.uplift_pp == pytest.approx(1.5)
    assert [flip.distance_after for flip in ranked] == pytest.approx([0.0, 0.0, 0.005, 0.54])
    assert told(first.as_json()) == "online_bursty/card_not_present/NON_VIRTUAL/GB to virtual: +1.50 points, T7 3.50%"


def test_who_pays_remotely_anyway_turns_virtual_first() -> None:
    """A smaller cohort of shops would do too."""
    shops = Cohort("fuel_convenience", "card_present", "NON_VIRTUAL", "PT", 1, 12, 0)
    ranked = flips((shops, WEB, BURSTS), 20, 1000)
    assert [flip.cohort for flip in ranked] == [BURSTS, WEB, shops] and all(flip.b_after for flip in ranked)


def test_too_much_is_brought_back() -> None:
    ranked = flips(
        (SHOPS, Cohort("a", "b", "VIRTUAL_ONLY", "US", 1, 0, 30), Cohort("a", "b", "HYBRID", "US", 1, 50, 90)),
        120,
        1000,
    )
    assert [(flip.direction, flip.arrivals) for flip in ranked] == [(TO_PHYSICAL, 90), (TO_PHYSICAL, 30)]
    assert [flip.b_after for flip in ranked] == [True, False]


def test_a_narrow_set_does_not_overshoot() -> None:
    every = Cohort("online_24h", "card_not_present", "NON_VIRTUAL", "*", 3, 25, 0)
    chosen, after = narrow_set(flips((*ALL, every), 4, 1000), 4, 1000)
    assert [flip.cohort for flip in chosen] == [WEB, BURSTS] and after == pytest.approx(0.044)
    assert narrow_set(flips(ALL, 50, 1000), 50, 1000) == ([], 0.05)


def test_cohorts_of_a_run_hold_every_arrival(base: RunRoot) -> None:
    found = analyse(base, ContractSource.packaged())
    lever, observed = found["t7_leverage"], found["baseline_observed"]
    single = [flip for flip in lever["flips"] if flip["country"] != "*"]
    both = [flip for flip in lever["flips"] if flip["country"] == "*"]
    for rows in (single, both):
        physical = sum(flip["arrivals"] for flip in rows if flip["direction"] == TO_VIRTUAL)
        assert physical == observed["arrivals"] - observed["virtual"]
    assert {flip["virtual_mode"] for flip in single} == {"NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY"}
    paths = write_analysis(base, found)
    with paths["t7_leverage.csv"].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["rank"]) for row in rows] == list(range(1, len(lever["flips"]) + 1))
    assert len(summary(found)["t7_leverage"]["flips"]) == min(20, len(rows))
