"""Records of events, made from arrays: counters of 128 bits, pieces, and their text (law L10)."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from seg5b.axes import SeriesAxis, TimeGrid
from seg5b.context import ScenarioWork
from seg5b.evidence.choice import EventChoice
from seg5b.evidence.events import EventLog, EventRows, bucket_log, path_log, write_log
from seg5b.policy import RngFamily
from seg5b.runs.identity import RunIdentity
from seg5b.tables.formats import RNG_EVENTS
from seg5b.tables.records import LineSink

TOP = 2**64 - 1
IDENTITY = RunIdentity("0" * 32, 7, "a" * 64, "b" * 64)
AXIS = SeriesAxis(
    np.array([5, TOP], np.uint64),
    np.array([1, 0], np.int32),
    np.zeros(2, np.int32),
    np.zeros(2, np.int32),
    np.ones(2, np.int64),
    ("Africa/Lagos", "Etc/UTC"),
    ('card "x"',),
    (),
)
GRID = TimeGrid(7_200_000_000, 3_600_000_000, 4, "baseline")
ROOT = SimpleNamespace(identity=IDENTITY, receipt={"created_utc": "2026-01-01T00:00:00.000000Z"})
WORK = cast(ScenarioWork, SimpleNamespace(state=SimpleNamespace(root=ROOT), scenario_id="s", axis=AXIS, grid=GRID))
FAMILY = RngFamily("S4.arrival_site_pick.v1", "5B.S4", "arrival_site_pick", "merchant_zone_bucket")


def written(log: EventLog) -> tuple[list[dict[str, Any]], int]:
    """Records of a log, and what it says it did."""
    out, done = io.BytesIO(), 0

    def advance(more: int) -> None:
        nonlocal done
        done += more

    events = write_log(log, LineSink(out, RNG_EVENTS), advance)
    lines = out.getvalue().decode().splitlines()
    records = [json.loads(line) for line in lines]
    assert lines == [json.dumps(record, sort_keys=True, separators=(",", ":")) for record in records]
    assert events == len(records)
    return records, done


def counters(record: dict[str, Any]) -> tuple[int, int]:
    before, after = (
        record[f"rng_counter_{which}_hi"] << 64 | record[f"rng_counter_{which}_lo"] for which in ("before", "after")
    )
    return before, after


@pytest.mark.parametrize("most", [1 << 18, 2, 1])
def test_events_of_domains(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them passes 2^64, one begins with its third event, one has none, the last reaches 2^128."""
    monkeypatch.setattr("seg5b.evidence.events._MOST_EVENTS", most)
    columns = ([0, 1, 0, 1], [3, 0, 1, 2], [9, 4, 1, TOP], [TOP - 1, 100, 5, TOP], [0, 2, 0, 0], [3, 2, 0, 1])
    kinds = (np.int32, np.int32, np.uint64, np.uint64, np.int64, np.int32)
    rows = EventRows(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))
    records, _ = written(bucket_log(WORK, FAMILY, 2, 0, "cells", lambda advance: [rows]))
    told = [(each["merchant_id"], each["bucket_index"], each["arrival_index"]) for each in records]
    assert told == [(5, 3, 0), (5, 3, 1), (5, 3, 2), (TOP, 0, 2), (TOP, 0, 3), (TOP, 2, 0)]
    bases = [9 << 64 | TOP - 1, 9 << 64 | TOP, 10 << 64, 4 << 64 | 102, 4 << 64 | 103, (1 << 128) - 1]
    assert [counters(each) for each in records] == [(base, (base + 1) % (1 << 128)) for base in bases]
    assert (records[0]["zone_representation"], records[-1]["zone_representation"]) == ("Etc/UTC", "Africa/Lagos")
    assert {each["channel_group"] for each in records} == {'card "x"'}
    assert {(each["draws"], each["blocks"], each["seed"], each["run_id"]) for each in records} == {
        ("2", 1, 7, "0" * 32)
    }


def test_events_of_paths() -> None:
    counter = (1 << 64) - 2
    records, done = written(path_log(WORK, FAMILY, "group_id", ["g|a"], [counter]))
    assert counters(records[0]) == (counter, counter + 4) and done == 1
    assert (records[0]["group_id"], records[0]["draws"], records[0]["blocks"]) == ("g|a", "8", 4)
    assert written(path_log(WORK, FAMILY, "group_id", (), ())) == ([], 0)


HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("since", "until", "buckets"),
    [
        (None, None, range(4)),
        (2 * HOUR, 3 * HOUR, range(1)),
        (3 * HOUR - 1, 3 * HOUR + 1, range(2)),
        (0, 2 * HOUR, range(0)),
        (4 * HOUR, 99 * HOUR, range(2, 4)),
        (6 * HOUR, None, range(0)),
    ],
)
def test_buckets_that_share_an_instant(since: int | None, until: int | None, buckets: range) -> None:
    assert list(EventChoice(since_us=since, until_us=until).buckets(GRID)) == list(buckets)


def test_series_of_merchants_and_zones() -> None:
    assert EventChoice().series(AXIS).tolist() == [True, True]
    assert EventChoice(merchants=frozenset({TOP})).series(AXIS).tolist() == [False, True]
    assert EventChoice(zones=frozenset({"Etc/UTC"})).series(AXIS).tolist() == [True, False]
    assert EventChoice(frozenset({5}), frozenset({"Africa/Lagos"})).series(AXIS).tolist() == [False, False]
