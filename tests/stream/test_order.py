"""Which arrivals leave, in which order, from which offset on, and as what."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import seg5b.stream.streaming
from seg5b.api import Run
from seg5b.errors import InputError
from tests.stream.conftest import SCENARIO, Arrival, KeptSink

Streamed = Callable[..., KeptSink]


def moment(micros: int) -> str:
    return datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000).isoformat()


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seg5b.stream.streaming, "rows_in", lambda memory: 500)


def test_all_arrivals_in_order(stream: Streamed, arrivals: list[Arrival], small_windows: None) -> None:
    sink = stream()
    assert sink.keys == [key[1:] for key in arrivals]
    counted = 0
    for part in sink.parts:
        assert part.offset == counted and part.lines.count(b"\n") == len(part.merchants)
        counted += len(part.merchants)


def test_lines_are_those_of_an_export(run: Run, stream: Streamed, tmp_path: Path) -> None:
    out = tmp_path / "all.jsonl"
    run.export(out, order="time", columns=("varying",), scenarios=(SCENARIO,))
    assert b"".join(part.lines for part in stream().parts) == out.read_bytes()


@pytest.mark.parametrize("skip", [0, 1, 499, 500, 501, 1234])
def test_an_offset_leaves_out_that_many(
    stream: Streamed, arrivals: list[Arrival], small_windows: None, skip: int
) -> None:
    sink = stream(begin=skip, limit=700)
    assert sink.keys == [key[1:] for key in arrivals[skip : skip + 700]]
    assert sink.parts[0].offset == skip


def test_a_moment_begins_at_its_offset(stream: Streamed, arrivals: list[Arrival], small_windows: None) -> None:
    place = len(arrivals) // 2
    sink = stream(begin=moment(arrivals[place][0]), until=moment(arrivals[place + 300][0]))
    assert sink.keys == [key[1:] for key in arrivals[place : place + 300]]
    assert sink.parts[0].offset == place


def test_all_delivered_is_no_error(stream: Streamed, arrivals: list[Arrival]) -> None:
    assert stream(begin=len(arrivals)).parts == []
    with pytest.raises(InputError, match=r"5B\.STREAM\.OFFSET_BEYOND"):
        stream(begin=len(arrivals) + 1)


def test_a_selection_has_an_order_of_its_own(stream: Streamed, arrivals: list[Arrival]) -> None:
    merchant = arrivals[0][1]
    mine = [key[1:] for key in arrivals if key[1] == merchant]
    assert stream(merchants=(merchant,)).keys == mine
    sink = stream(where=f"merchant_id = {merchant} AND arrival_seq > 2", begin=1, columns=("ts_utc",))
    assert [set(row) for row in sink.rows] == [{"ts_utc"}] * (len(mine) - 3)
    assert set(sink.parts[0].merchants.tolist()) == {merchant}


def test_cloud_events(run: Run, stream: Streamed) -> None:
    bare, events = stream(limit=400).rows, stream(limit=400, cloudevents=True).rows
    assert [event["data"] for event in events] == bare
    run_id = run.identity.run_id
    for event, row in zip(events, bare, strict=True):
        digits = row["merchant_id"].removeprefix("id_")
        assert {name: value for name, value in event.items() if name != "data"} == {
            "specversion": "1.0",
            "type": "seg5b.arrival.v1",
            "source": f"/seg5b/runs/{run_id}/scenarios/{SCENARIO}",
            "datacontenttype": "application/json",
            "time": row["ts_utc"],
            "id": f"{run_id}/{SCENARIO}/{digits}/{row['arrival_seq']}",
        }
    assert len({event["id"] for event in events}) == 400


@pytest.mark.parametrize(
    ("wanted", "code", "told"),
    [
        ({"scenario": None}, "5B.STREAM.SCENARIO_UNCLEAR", "stress_peak_online_v1"),
        ({"scenario": "none"}, "5B.STREAM.SCENARIO_UNCLEAR", SCENARIO),
        ({"speed": 0.0}, "5B.STREAM.PACE_WRONG", "speed"),
        ({"rate": float("nan")}, "5B.STREAM.PACE_WRONG", "rate"),
        ({"begin": "noon"}, "5B.EXPORT.MOMENT_UNCLEAR", "noon"),
        ({"columns": ("price",)}, "5B.EXPORT.COLUMN_UNKNOWN", "price"),
        ({"where": "no such"}, "5B.EXPORT.WHERE_WRONG", "--where"),
    ],
)
def test_refusals(stream: Streamed, wanted: dict[str, Any], code: str, told: str) -> None:
    with pytest.raises(InputError) as refused:
        stream(**wanted)
    assert refused.value.code == code and told in str(refused.value)


def test_the_run_is_only_read(run: Run, stream: Streamed) -> None:
    before = sorted(run.root.path.rglob("*"))
    stream(limit=10)
    assert sorted(run.root.path.rglob("*")) == before


def test_lines_are_json_whatever_a_name_holds(stream: Streamed) -> None:
    sink = stream(limit=5, cloudevents=True, columns=("seed", "merchant_id"))
    assert [set(json.loads(line)["data"]) for part in sink.parts for line in part.lines.splitlines()] == [
        {"seed", "merchant_id"}
    ] * 5
