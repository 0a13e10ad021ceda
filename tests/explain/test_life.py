"""The life of an arrival: sentences and tables say what is so, for every kind of arrival, in every form."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import duckdb
import numpy as np
import pytest

from seg5b.clocks import BEGINNING_OF_TIME_S, TzCache
from seg5b.explain import Explanation, explain_arrival
from seg5b.explain.life.clocks import told_clock, told_other_clock
from seg5b.explain.life.counted import distribution
from seg5b.explain.life.shares import stretches, weights_table
from seg5b.explain.life.words import amount, distinct, duration, ordinal
from seg5b.explain.scenario import explained_scenario
from seg5b.run_tables.subject import Subject
from seg5b.twin.alias import pick, vose
from seg5b.twin.laws import poisson_by_normal, poisson_by_terms
from tests.explain.choosing import arrivals_of_each_mode
from tests.validation.harness import Run

HOUR_US = 3_600_000_000


def first_that(run: Run, condition: str) -> Mapping[str, Any]:
    """The first arrival in published order that a condition holds for."""
    files = run.path("arrival_events_5B").parent / "*.parquet"
    with duckdb.connect() as database:
        found = database.sql(
            f"SELECT *, epoch_us(ts_utc) AS ts_us FROM '{files}' WHERE {condition} ORDER BY merchant_id, arrival_seq LIMIT 1"
        ).to_arrow_table()
    (row,) = found.to_pylist()
    return cast(Mapping[str, Any], row)


def explained(run: Run, row: Mapping[str, Any]) -> Explanation:
    return explain_arrival(run.root, run.contracts, row["merchant_id"], row["arrival_seq"])


def told(found: Explanation) -> str:
    """All sentences in one line."""
    return " ".join(sentence for section in found.life.sections for sentence in section.sentences)


def test_a_night_of_a_change_reads_well(small: Run) -> None:
    """Up to 20 minutes after the clocks of the European Union went forward, on 29 March 2026 at 01:00 UTC."""
    row = first_that(
        small,
        "epoch_us(ts_utc) BETWEEN 1774746000000000 AND 1774747200000000 AND utc_offset_min_primary = 120 "
        "AND NOT is_virtual AND tzid_primary LIKE 'Europe/%'",
    )
    minutes = (row["ts_us"] - 1_774_746_000_000_000) // 60_000_000
    zone, local = row["tzid_primary"], f"{row['ts_local_primary']:%H:%M:%S.%f}"
    found = explained(small, row)
    assert found.holds
    assert f"That was on Sunday 29 March 2026 at {local} by the clock of {zone} (UTC+02:00)" in told(found)
    assert (
        f"That night the clock of {zone} changed {minutes} minute{'s' * (minutes != 1)} earlier: it went forward from 02:00 "
        "to 03:00, and UTC+01:00 became UTC+02:00."
    ) in told(found)
    assert "No time from 02:00 to 03:00 exists on that clock that day." in told(found)
    assert f"Its zone is {zone}, because it was counted there" in told(found)
    assert "In the hour 01:00-02:00 UTC, 03:00-04:00 of Sunday 29 March 2026" in told(found)


def test_why_a_hybrid_is_virtual_and_has_three_zones(small: Run) -> None:
    with explained_scenario(small.root, small.contracts, None) as subject:
        hybrids = [row[0] for row in subject.rows("SELECT merchant_id FROM modes WHERE virtual_mode = 'HYBRID'")]
    row = first_that(
        small,
        f"""is_virtual AND merchant_id IN ({", ".join(map(str, hybrids))}) AND tzid_settlement <> tzid_primary
            AND zone_representation NOT IN (tzid_primary, tzid_settlement)""",
    )
    found = explained(small, row)
    words = told(found)
    assert re.search(r"each arrival tosses a coin: u = 0\.[0-2]\d+ is below 0\.35, .*, so this one is virtual\.", words)
    assert f"picks edge {row['edge_id']} (edge_hex {row['edge_id']:016x} in 3B's edge catalogue)" in words
    assert f"So its operational clock is that of {row['tzid_operational']}" in words
    assert f"{row['zone_representation']} is only where it was counted" in words
    assert f"It settles in {row['tzid_settlement']}, whatever the edge" in words
    clocks = {line[0]: line[1] for line in found.life.sections[0].tables[0].rows}
    assert clocks["settlement"] == row["tzid_settlement"]
    assert clocks["primary, operational"] == row["tzid_primary"]
    assert clocks["counted in"] == row["zone_representation"]


@pytest.mark.parametrize("shape", ["small", "ornate"])
def test_every_kind_of_arrival_is_told(shape: str, request: pytest.FixtureRequest) -> None:
    """Under the shipped laws, and with Poisson counts, drawn zones, settlement clocks and tempered edges: the tables mark what
    was published, N is the first n that reaches u, and the text keeps its width."""
    run: Run = request.getfixturevalue(shape)
    with explained_scenario(run.root, run.contracts, None) as subject:
        keys = arrivals_of_each_mode(subject, 3)
    seen = set()
    for place, (merchant, number) in enumerate(keys):
        found = explain_arrival(run.root, run.contracts, merchant, number)
        assert found.arrival is not None and found.holds, found.differences
        published, picks = found.arrival["published"], found.arrival["picks"]
        tables = {table.caption: table for section in found.life.sections for table in section.tables}
        marked = {name: table.rows[table.picked] for name, table in tables.items() if table.picked is not None}
        reached = [line[-1] for line in tables["N from u"].rows]
        assert int(marked["N from u"][0]) == found.bucket["published"]["count_N"]
        assert reached.index("yes") == tables["N from u"].picked
        if not published["is_virtual"]:
            (sites,) = (name for name in tables if name.startswith("Sites in "))
            assert int(marked[sites][0]) == published["site_id"]
        elif "edge_again" not in picks:
            assert int(marked["The merchant's edges"][0]) == published["edge_id"]
        else:
            assert int(marked["Those outside the busiest zones"][0]) == published["edge_id"]
        seen |= {*picks, *(["stays"] if "lets it stay" in told(found) else [])}
        width = (60, 72, 80, 100)[place % 4]
        assert max(map(len, found.text(width).splitlines())) <= width
    assert seen >= ({"site", "edge", "tz_group", "edge_again"} if shape == "ornate" else {"site", "edge"})


def test_n_is_the_first_that_reaches_u() -> None:
    choose = random.Random(11)
    for _ in range(400):
        mean, u = choose.uniform(0.01, 120.0), choose.random()
        exact = mean <= 50
        count = poisson_by_terms(mean, u, 10_000) if exact else poisson_by_normal(mean, u)
        table = distribution(mean, u, count, exact)
        assert table.picked is not None
        assert [line[-1] for line in table.rows].index("yes") == table.picked
        assert int(table.rows[table.picked][0]) == count and len(table.rows) == min(count, 2) + 2
        shown = [float(line[2]) for line in table.rows]
        assert shown == sorted(shown)


def test_stretches_are_the_table() -> None:
    choose = random.Random(12)
    for size in (1, 2, 3, 17, 120):
        weights = [choose.random() ** 3 for _ in range(size)]
        table = vose(weights)
        own = stretches(table)
        lengths = [sum(high - low for low, high in pieces) for pieces in own]
        assert lengths == pytest.approx([weight / sum(weights) for weight in weights])
        for _ in range(50):
            found = pick(table, choose.random())
            assert [low <= found.u < high for low, high in own[found.entry]].count(True) == 1
            shown = weights_table("x", ["name"], [(str(place),) for place in range(size)], weights, found)
            assert shown.picked is not None and shown.rows[shown.picked][0] == str(found.entry)
            heaviest = sorted(range(size), key=lambda place: (-weights[place], place))[:5]
            assert [line[0] for line in shown.rows[:5]] == [str(place) for place in heaviest]
            low, high = map(float, shown.rows[shown.picked][-1].split(" +")[0].split("-"))
            assert low <= found.u <= high


def clock(*steps: tuple[int, int]) -> Subject:
    """A subject that knows one zone, ``Here``, by (UTC second, offset in minutes)."""
    seconds, offsets = zip(*steps, strict=True)
    cache = TzCache(("Here",), np.array([0, len(steps)]), np.array(seconds), np.array(offsets, np.int32))
    return cast(Subject, SimpleNamespace(shared={"tz_cache": cache}))


NEW_YORK = clock((BEGINNING_OF_TIME_S, -296), (1_772_953_200, -240), (1_793_512_800, -300))
"""Forward on 8 March 2026 at 07:00 UTC, back on 1 November 2026 at 06:00 UTC."""


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (1_793_512_800 + 329, "second time, as UTC-05:00 says"),
        (1_793_512_800 - 1800, "first time, as UTC-04:00 says"),
        (1_793_512_800 + 3600, "The times from 01:00 to 02:00 came twice on that clock."),
        (
            1_793_512_800 + 329,
            "That night the clock of Here changed 5 minutes earlier: it went back from 02:00 to 01:00",
        ),
        (1_793_512_800 - 41, "changed 41 seconds later"),
        (1_793_512_800 - 13 * 3600, "On Sunday 1 November 2026, 13 hours later, the clock of Here went back"),
        (1_772_953_200 + 86_400 * 5, "UTC-04:00 holds since Sunday 8 March 2026"),
        (1_772_953_200 + 86_400 * 5, "until Sunday 1 November 2026, when it goes from 02:00 to 01:00"),
    ],
)
def test_what_the_clock_did(second: int, said: str) -> None:
    assert said in " ".join(told_clock(NEW_YORK, "Here", second * 1_000_000))


def test_a_clock_without_changes() -> None:
    here = clock((BEGINNING_OF_TIME_S, 330))
    (said,) = told_clock(here, "Here", 1_772_953_200_000_000)
    assert "does not change" in said and told_other_clock(here, "Here", 0) == told_clock(here, "Nowhere", 0)[1:] == []


def test_numbers_as_a_person_reads_them() -> None:
    assert [amount(value) for value in (0.0, 0.25, 24.0, 0.1607335, 422.48, 12345.6)] == [
        "0", "0.25", "24", "0.1607", "422.5", "12,346",
    ]  # fmt: skip
    assert [duration(value) for value in (1, 41.9, 329, 3_725, 90_000, 86_400 * 3)] == [
        "1 second", "41 seconds", "5 minutes", "1 hour 2 minutes", "25 hours", "3 days",
    ]  # fmt: skip
    assert [ordinal(value) for value in (1, 2, 3, 11, 22, 113)] == ["1st", "2nd", "3rd", "11th", "22nd", "113th"]
    assert distinct([0.5, 0.50000001], 4) == ["0.50000000", "0.50000001"]


def test_the_page_stands_alone_and_can_be_read_by_all(small: Run) -> None:
    found = explained(small, first_that(small, "is_virtual"))
    page = found.html()
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    names = [element.tag for element in root.iter()]
    assert root.attrib["lang"] == "en" and names.count("h1") == 1 and names.count("h2") == len(found.life.sections)
    assert "script" not in names and "http" not in page and " src=" not in page
    assert all("scope" in head.attrib for head in root.iter("th"))
    assert len(list(root.iter("caption"))) == len(list(root.iter("table")))
    (details,) = root.iter("details")
    assert "open" not in details.attrib and "sha256" in "".join(details.itertext())
    before = page[: page.index("<details")]
    assert "sha256" not in before and "counter" not in before
    assert 'open="open"' in found.html(integers=True)
    assert found._repr_html_() in page and "Arrival" in repr(found) and len(repr(found)) < 200


def test_colours_are_told_apart(small: Run) -> None:
    style = explained(small, first_that(small, "TRUE")).html()
    schemes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", block)) for block in re.findall(r"\{[^{}]*--paper[^{}]*\}", style)
    ]
    assert len(schemes) == 3
    for scheme in schemes:
        for ink in ("ink", "soft", "good", "bad"):
            for ground in ("paper", "card") if ink in ("good", "bad", "soft") else ("paper", "card", "pick"):
                assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground, scheme)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_integers_are_told_on_request_only(small: Run) -> None:
    found = explained(small, first_that(small, "NOT is_virtual"))
    time = found.arrival["draws"]["time"] if found.arrival else {}
    assert time["counter"] not in found.text() and time["counter"] in found.text(integers=True)
    data = found.as_dict()
    assert data["life"]["sections"][0]["title"] == "What it is"
    assert time["sha256"] in {each["values"].get("sha256") for each in data["life"]["integers"]}
