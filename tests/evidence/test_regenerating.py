"""Events made again are those that a run logs, line for line, whatever is chosen of them (law L10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seg5b.api import Run, open_run
from seg5b.errors import Seg5bError
from seg5b.options import EVENT_FAMILIES, EventForm, Options, Tuning
from seg5b.replay import EventRequest, regenerate_events
from tests.evidence.conftest import SCENARIOS, every_log, log_of
from tests.worlds import copy_run

Line = dict[str, Any]


def made(run: Run, out: Path, *, options: Options | None = None, **chosen: Any) -> list[bytes]:
    """Lines of events made again."""
    regenerate_events(run.root, run.contracts, EventRequest(str(out), **chosen), options=options)
    return out.read_bytes().splitlines()


def logged(run: Run, keep: Callable[[Line], bool] = lambda line: True, *families: str) -> list[bytes]:
    """Lines of logs that the run kept, of some families or all, that fit."""
    logs = [log_of(run, *pair) for pair in every_log(run) if not families or pair[0] in families]
    return [line for log in logs for line in log.read_bytes().splitlines() if keep(json.loads(line))]


def followed(run: Run, scenario: str, chosen: Callable[[Line], bool]) -> set[str]:
    """Names of the latent paths of the series that are chosen."""
    names = set()
    profile = run.table("merchant_zone_profile_5A").to_pylist()
    for row in run.table("s1_grouping_5B", scenario).to_pylist():
        if not chosen(row):
            continue
        merchant, zone = row["merchant_id"], row["zone_representation"]
        reached = {own["legal_country_iso"] for own in profile if (own["merchant_id"], own["tzid"]) == (merchant, zone)}
        own = f"level=own|merchant_id={merchant}|zone={zone}|channel={row['channel_group']}"
        names |= {row["group_id"], f"level=country|country={min(reached)}", f"level=zone|zone={zone}", own}
    return names


def expected(run: Run, chosen: Callable[[Line], bool], buckets: range) -> list[bytes]:
    """Lines of all logs whose series and bucket are chosen, and of latent paths that such a series follows."""
    paths = {scenario: followed(run, scenario, chosen) for scenario in SCENARIOS}

    def keep(line: Line) -> bool:
        if "bucket_index" not in line:
            return (line.get("group_id") or line["latent_domain"]) in paths[line["scenario_id"]]
        return chosen(line) and line["bucket_index"] in buckets

    return logged(run, keep)


@pytest.fixture(scope="module")
def busiest(ornate_logs: Run) -> tuple[int, str]:
    """Merchant and zone of the series with most arrivals among those that have tempered ones."""
    lines = [json.loads(line) for line in logged(ornate_logs, lambda line: True, "arrival_edge_temper")]
    return max((line["merchant_id"], line["zone_representation"]) for line in lines)


def test_all_events_are_made_again(kept: Run, tmp_path: Path) -> None:
    lines = made(kept, tmp_path / "all.jsonl")
    assert lines == logged(kept) and len(lines) > 2000
    assert lines[0] == json.dumps(json.loads(lines[0]), sort_keys=True, separators=(",", ":")).encode()
    labels = {json.loads(line)["substream_label"] for line in lines}
    assert len(labels) == (6 if "arrival_edge_temper" in labels else 5)


def test_events_stand_in_the_order_of_their_dataset(kept: Run) -> None:
    for family, scenario in every_log(kept):
        lines = [json.loads(line) for line in log_of(kept, family, scenario).read_bytes().splitlines()]
        series, bucket = ("zone_representation", "channel_group"), ("bucket_index",)
        names = (
            ("merchant_id", *series, *bucket) if family == "arrival_bucket_count" else ("merchant_id", *bucket, *series)
        )
        if family != "arrival_lgcp_gaussian":
            keys = [tuple(line[name] for name in (*names, "arrival_index")) for line in lines]
            assert keys == sorted(set(keys)), family


@pytest.mark.parametrize("family", EVENT_FAMILIES)
def test_each_family_alone(ornate_logs: Run, two_level_logs: Run, family: str, tmp_path: Path) -> None:
    lines = made(ornate_logs, tmp_path / "one.jsonl", families=(family,))
    assert lines == logged(ornate_logs, lambda line: True, family) != []
    other = made(two_level_logs, tmp_path / "other.jsonl", families=(family,))
    assert other == logged(two_level_logs, lambda line: True, family)
    assert bool(other) == (family != "arrival_edge_temper"), "only one of the worlds tempers"


def test_one_scenario(kept: Run, tmp_path: Path) -> None:
    lines = made(kept, tmp_path / "one.jsonl", scenarios=SCENARIOS[1:])
    assert lines == logged(kept, lambda line: bool(line["scenario_id"] == SCENARIOS[1])) != []


def test_one_merchant(kept: Run, busiest: tuple[int, str], tmp_path: Path) -> None:
    lines = made(kept, tmp_path / "one.jsonl", merchants=busiest[:1])
    assert lines == expected(kept, lambda row: bool(row["merchant_id"] == busiest[0]), range(48))
    assert 0 < len(lines) < len(logged(kept))


def test_one_zone(kept: Run, busiest: tuple[int, str], tmp_path: Path) -> None:
    lines = made(kept, tmp_path / "one.jsonl", zones=busiest[1:])
    assert lines == expected(kept, lambda row: bool(row["zone_representation"] == busiest[1]), range(48))
    assert 0 < len(lines) < len(logged(kept))


def test_two_merchants_that_are_no_neighbours(kept: Run, tmp_path: Path) -> None:
    merchants = sorted(
        {json.loads(line)["merchant_id"] for line in logged(kept, lambda line: True, "arrival_site_pick")}
    )
    chosen = (merchants[0], merchants[3])
    lines = made(kept, tmp_path / "two.jsonl", merchants=chosen)
    assert lines == expected(kept, lambda row: row["merchant_id"] in chosen, range(48)) != []


@pytest.mark.parametrize(
    ("since", "until", "buckets"),
    [
        ("2026-03-28T06:00:00Z", "2026-03-28T09:00:00Z", range(6, 9)),
        ("2026-03-28T06:30:00Z", "2026-03-28T08:00:01Z", range(6, 9)),
        ("2026-03-29", None, range(24, 48)),
        (None, "2026-03-28T02:00:00+01:00", range(1)),
        ("2026-03-01", "2026-05-01", range(48)),
    ],
)
def test_a_stretch_of_time(kept: Run, since: str | None, until: str | None, buckets: range, tmp_path: Path) -> None:
    start = kept.table("s1_time_grid_5B", SCENARIOS[0]).column("bucket_start_utc")[0].as_py()
    assert start == datetime(2026, 3, 28, tzinfo=UTC)
    lines = made(kept, tmp_path / "some.jsonl", since=since, until=until)
    assert lines == expected(kept, lambda row: True, buckets)


def test_what_lies_outside_the_horizon_has_no_events(kept: Run, tmp_path: Path) -> None:
    assert made(kept, tmp_path / "none.jsonl", since="2026-05-01") == []


def test_everything_that_narrows_together(ornate_logs: Run, busiest: tuple[int, str], tmp_path: Path) -> None:
    merchant, zone = busiest
    lines = made(
        ornate_logs,
        tmp_path / "some.jsonl",
        merchants=(merchant,),
        zones=(zone,),
        scenarios=SCENARIOS[:1],
        families=("arrival_edge_temper", "arrival_edge_pick"),
        since="2026-03-28T12:00:00Z",
        until="2026-03-29T12:00:00Z",
    )

    def keep(line: Line) -> bool:
        own = (line["scenario_id"], line["merchant_id"], line["zone_representation"]) == (SCENARIOS[0], merchant, zone)
        return own and line["bucket_index"] in range(12, 36)

    assert lines == logged(ornate_logs, keep, "arrival_edge_pick", "arrival_edge_temper") != []


def test_chunks_do_not_show(tiny_arrivals: Path, tmp_path: Path) -> None:
    """In a run that kept no logs; as many events as the trace counted."""
    run = open_run(tiny_arrivals)
    small = made(run, tmp_path / "small.jsonl", options=Options(tuning=Tuning(chunk_arrivals=1000)))
    assert small == made(run, tmp_path / "large.jsonl")
    traces = run.path("rng_trace_log").rglob("*.jsonl")
    assert len(small) == sum(
        json.loads(line)["events_total"] for log in traces for line in log.read_bytes().splitlines()
    )


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ({"merchants": (7,)}, "5B.EVENTS.MERCHANT_UNKNOWN"),
        ({"zones": ("Europe/Nowhere",)}, "5B.EVENTS.ZONE_UNKNOWN"),
        ({"scenarios": ("quiet",)}, "5B.EVENTS.SCENARIO_UNKNOWN"),
        ({"since": "2026-03-29", "until": "2026-03-29"}, "5B.EVENTS.SPAN_EMPTY"),
        ({"since": "noon"}, "5B.EXPORT.MOMENT_UNCLEAR"),
    ],
)
def test_what_there_is_not_is_told(ornate_logs: Run, chosen: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises(Seg5bError) as failure:
        made(ornate_logs, tmp_path / "none.jsonl", **chosen)
    assert failure.value.code == code and failure.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dataset", ["s1_grouping_5B", "s2_realised_intensity_5B", "s3_bucket_counts_5B"])
def test_changed_published_files_are_refused(ornate_logs: Run, dataset: str, tmp_path: Path) -> None:
    run = open_run(copy_run(ornate_logs.root.path.parent, tmp_path).path.parent)
    with run.path(dataset, SCENARIOS[0]).open("r+b") as stream:
        stream.seek(50)
        stream.write(b"?")
    with pytest.raises(Seg5bError, match=r"5B\.EVENTS\.PUBLISHED_CHANGED"):
        made(run, tmp_path / "all.jsonl")


def test_nothing_is_written_into_a_run(ornate_logs: Run) -> None:
    before = sorted(ornate_logs.root.path.rglob("*"))
    with pytest.raises(Seg5bError, match=r"5B\.EXPORT\.TARGET_IN_RUN"):
        made(ornate_logs, ornate_logs.root.path / "all.jsonl")
    assert sorted(ornate_logs.root.path.rglob("*")) == before


@pytest.mark.parametrize(("name", "form"), [("a.parquet", "parquet"), ("a.jsonl", "jsonl"), ("a.txt", "jsonl")])
def test_the_name_says_the_form(name: str, form: EventForm) -> None:
    assert EventRequest(name).form == form and EventRequest(name, "parquet").form == "parquet"
