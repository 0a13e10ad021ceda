"""Event logs that a state keeps: in either form, held against their contract and reconciled with the trace (law L10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from seg5b.api import Run, open_run
from seg5b.digests import dataset_digests
from seg5b.errors import EvidenceError, InputError, PublishError, Seg5bError
from seg5b.evidence import keeping
from seg5b.evidence.events import EventLog, EventRows, bucket_log
from seg5b.expansion import events as arrival_events
from seg5b.options import EVENT_FAMILIES, Options, Tuning
from seg5b.pipeline import run_states
from seg5b.replay import EventRequest, regenerate_events, replay
from seg5b.tables.records import read_records
from tests.evidence.conftest import SCENARIOS, every_log, log_of
from tests.worlds import copy_run

S4 = ("S4",)


def again(run: Run, folder: Path, states: tuple[str, ...] = S4, **tuning: Any) -> Run:
    """Some states of a copy of a run, computed again."""
    root = copy_run(run.root.path.parent, folder)
    run_states(root, run.contracts, states, options=Options(tuning=Tuning(**tuning), recompute=True))
    return open_run(root.path.parent)


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def test_a_record_is_its_row_without_nulls(ornate_logs: Run, parquet_logs: Run) -> None:
    """The two runs have the same identity, so that the records are the same."""
    assert len(every_log(ornate_logs)) == 12
    for family, scenario in every_log(ornate_logs):
        lines = log_of(ornate_logs, family, scenario).read_text().splitlines()
        table = pq.read_table(log_of(parquet_logs, family, scenario, "parquet"), partitioning=None)
        assert list(map(without_nulls, table.to_pylist())) == list(map(json.loads, lines)), (family, scenario)
        assert lines, (family, scenario)
        assert not log_of(parquet_logs, family, scenario).exists()


def test_the_form_changes_no_data(ornate_logs: Run, parquet_logs: Run) -> None:
    one, other = (dataset_digests(run.root, run.contracts) for run in (ornate_logs, parquet_logs))
    assert one == other


@pytest.mark.parametrize("family", EVENT_FAMILIES)
def test_a_kept_file_is_made_again_byte_for_byte(parquet_logs: Run, family: str, tmp_path: Path) -> None:
    out = tmp_path / "again.parquet"
    request = EventRequest(str(out), families=(family,), scenarios=SCENARIOS[:1])
    regenerate_events(parquet_logs.root, parquet_logs.contracts, request)
    assert out.read_bytes() == log_of(parquet_logs, family, SCENARIOS[0], "parquet").read_bytes()


def test_several_logs_in_one_table(parquet_logs: Run, ornate_logs: Run, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    regenerate_events(parquet_logs.root, parquet_logs.contracts, EventRequest(str(out)))
    lines = [line for pair in every_log(ornate_logs) for line in log_of(ornate_logs, *pair).read_text().splitlines()]
    assert list(map(without_nulls, pq.read_table(out).to_pylist())) == list(map(json.loads, lines))


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_pieces_do_not_show(form: str, tiny_arrivals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups are cut at rows of the log, whatever pieces it comes in."""
    run, found = open_run(tiny_arrivals), []
    for most, chunk in ((1 << 18, None), (777, 1000)):
        monkeypatch.setattr("seg5b.evidence.events._MOST_EVENTS", most)
        out = tmp_path / f"{most}.{form}"
        request = EventRequest(str(out), families=("arrival_site_pick", "arrival_bucket_count"))
        regenerate_events(run.root, run.contracts, request, options=Options(tuning=Tuning(chunk_arrivals=chunk)))
        found.append(out.read_bytes())
    assert found[0] == found[1]


def test_replay_makes_logs_in_parquet_again(parquet_logs: Run) -> None:
    report = replay(parquet_logs.root, parquet_logs.contracts)
    assert report.ok and not report.notes, report.problems


def test_another_form_beside_the_published_one_is_refused(ornate_logs: Run, tmp_path: Path) -> None:
    with pytest.raises(
        PublishError, match=r"5B\.S4\.IO_WRITE_CONFLICT: .* published as jsonl, and asked for as parquet"
    ):
        again(ornate_logs, tmp_path, event_logs="parquet")


@pytest.mark.parametrize("form", [True, "csv"])
def test_what_is_no_form_is_refused(form: Any, ornate_logs: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"5B\.S4\.EVENT_FORM_UNKNOWN: event logs have no form "):
        again(ornate_logs, tmp_path, event_logs=form)


class Checked:
    """Records that were held against a contract."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[int] = []

        def noting(file: Path, **how: Any) -> Iterator[tuple[int, Any]]:
            for row, record in read_records(file, **how):
                self.rows.append(row)
                yield row, record

        monkeypatch.setattr(keeping, "read_records", noting)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_first_records_and_a_sample_are_checked(
    form: str, ornate_logs: Run, parquet_logs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ornate_logs if form == "jsonl" else parquet_logs
    monkeypatch.setattr(keeping, "FIRST_CHECKED", 5)
    monkeypatch.setattr(keeping, "SAMPLE_CHECKED", 10)
    checked = Checked(monkeypatch)
    again(run, tmp_path / "sample", ("S3",), event_logs=form)
    total = len(log_of(ornate_logs, "arrival_bucket_count", SCENARIOS[0]).read_text().splitlines())
    assert checked.rows[:7] == [0, 1, 2, 3, 4, 5, 5 + (total - 5) // 10]
    assert 2 * 15 <= len(checked.rows) <= 2 * 17
    checked.rows.clear()
    again(run, tmp_path / "all", ("S3",), event_logs=form, event_check="all")
    assert checked.rows == [*range(total)] * 2


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_record_that_does_not_fit_its_contract_stops_the_state(
    form: str, ornate_logs: Run, parquet_logs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mislabelled(*given: Any) -> EventLog:
        log = bucket_log(*given)
        return replace(log, family=replace(log.family, module="5B.S3"))

    monkeypatch.setattr(arrival_events, "bucket_log", mislabelled)
    monkeypatch.setattr(keeping, "_reconcile", lambda *given: None)
    run = ornate_logs if form == "jsonl" else parquet_logs
    with pytest.raises(EvidenceError, match=r"5B\.S4\.RNG_EVENT_INVALID: .*'5B.S4' was expected.*record 1\b"):
        again(run, tmp_path, event_logs=form)


def _one_less(rows: EventRows) -> EventRows:
    events = rows.events.copy()
    events[int(np.argmax(events))] -= 1
    return replace(rows, events=events)


@pytest.mark.parametrize("part", ["_consecutive", "_tempered"])
def test_a_log_that_lacks_an_event_stops_the_state(
    part: str, ornate_logs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = getattr(arrival_events, part)
    monkeypatch.setattr(arrival_events, part, lambda *given: _one_less(made(*given)))
    with pytest.raises(EvidenceError, match=r"5B\.S4\.RNG_ACCOUNTING_MISMATCH: the log of arrival_\w+ has "):
        again(ornate_logs, tmp_path, event_logs="jsonl")


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", b'{"a": 1}\n{"a"\n'), ("a.parquet", b"PAR1 no more PAR1")])
def test_a_file_that_cannot_be_read_is_told(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(Seg5bError, match=rf"X: cannot be read: .*{name}"):
        list(read_records(file, code="X", error=EvidenceError, first=10, step=1))
