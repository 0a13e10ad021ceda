"""Ledger and log: whole lines, and nothing in them or in their way stops a run (law L16)."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.parallel import Pool
from seg5b.runs import records
from seg5b.runs.growing import append_line
from seg5b.runs.ledger import last_records, published_digests, read_records
from seg5b.runs.records import run_log
from seg5b.runs.root import RunRoot

RECORD = {
    "state": "S1",
    "status": "PASS",
    "started_at_utc": "a",
    "finished_at_utc": "b",
    "durations": {"wall_ms": 1},
    "published_files": {"data/x": "0"},
}
WHOLE = json.dumps(RECORD)


def ledger(root: RunRoot) -> Path:
    path = root.path / "reports/layer2/segment_state_runs/segment=5B/utc_day=2026-01-01/segment_state_runs.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("cut", [0, 1, 20, len(WHOLE) - 1, len(WHOLE)])
def test_a_torn_last_line_is_left_out_and_the_next_begins_anew(root: RunRoot, cut: int) -> None:
    path = ledger(root)
    append_line(path, json.dumps({**RECORD, "state": "S0"}))
    path.write_bytes(path.read_bytes() + WHOLE[:cut].encode())
    assert set(last_records(root)) == {"S0"} | ({"S1"} if cut == len(WHOLE) else set())
    append_line(path, json.dumps({**RECORD, "state": "S2"}))
    assert {"S0", "S2"} <= set(last_records(root))


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"state": 3}',
        json.dumps({**RECORD, "durations": None}).encode(),
        json.dumps({**RECORD, "published_files": {"x": 1}}).encode(),
        json.dumps({**RECORD, "published_files": [1]}).encode(),
        b"\0" * 4096,
    ],
)
def test_a_line_that_is_no_record_is_left_out(root: RunRoot, line: bytes) -> None:
    path = ledger(root)
    path.write_bytes(line + b"\n" + WHOLE.encode() + b"\n")
    assert read_records(path) == [RECORD]
    assert published_digests(root) == {"data/x": "0"}


def test_it_is_said_that_lines_are_left_out(root: RunRoot, caplog: pytest.LogCaptureFixture) -> None:
    path = ledger(root)
    path.write_text("half a li")
    assert read_records(path) == []
    assert "1 of 1 lines are no records" in caplog.text


def test_a_ledger_that_cannot_be_read_says_nothing(root: RunRoot, caplog: pytest.LogCaptureFixture) -> None:
    ledger(root).mkdir()
    assert last_records(root) == {}
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("kind", ["folder", "dangling link", "pipe"])
def test_what_stands_in_the_way_is_set_aside(root: RunRoot, kind: str) -> None:
    path = ledger(root)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(root.path / "nowhere/at all")
    append_line(path, WHOLE)
    assert read_records(path) == [RECORD]
    assert os.path.lexists(f"{path}.unusable-1")


def log_of(root: RunRoot) -> Path:
    return root.path / f"run_log_{root.identity.run_id}.log"


def test_a_torn_log_line_is_ended(root: RunRoot) -> None:
    log_of(root).write_text("half a li")
    with run_log(root):
        logging.getLogger("seg5b").info("whole")
    first, second = log_of(root).read_text().splitlines()
    assert first == "half a li" and second.endswith("seg5b whole")


def test_what_stands_in_the_way_of_a_log_is_set_aside(root: RunRoot) -> None:
    log_of(root).symlink_to("/dev/full")
    with run_log(root):
        logging.getLogger("seg5b").info("kept")
    assert log_of(root).read_text().endswith("seg5b kept\n")


def test_a_log_that_cannot_be_kept_stops_nothing(
    root: RunRoot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(records, "end_last_line", refuse)
    with run_log(root):
        logging.getLogger("seg5b").info("lost")
    assert not log_of(root).exists() and "no log of this run is kept: Read-only file system" in caplog.text


def test_a_line_that_finds_no_room_is_lost_without_a_word(
    root: RunRoot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    with run_log(root):
        (handler,) = (each for each in logging.getLogger("seg5b").handlers if isinstance(each, records._LogFile))
        monkeypatch.setattr(handler.stream, "write", full, raising=False)
        logging.getLogger("seg5b").info("lost")
    assert capsys.readouterr().err == ""


def test_two_runs_in_two_threads_keep_their_logs_apart(make_root: Callable[[str], RunRoot]) -> None:
    roots = [make_root(letter * 32) for letter in "de"]
    logger = logging.getLogger("seg5b")
    before, barrier = (logger.level, list(logger.handlers)), threading.Barrier(2, timeout=20)

    def work(root: RunRoot) -> None:
        with run_log(root):
            barrier.wait()
            logger.info("main of %s", root.identity.run_id)
            pool = Pool(1, "helper")
            pool.submit(logger.info, "helper of %s", root.identity.run_id).result()
            pool.shutdown()
            barrier.wait()

    threads = [threading.Thread(target=work, args=(root,)) for root in roots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for root in roots:
        name = root.identity.run_id
        lines = log_of(root).read_text().splitlines()
        assert len(lines) == 2 and all(line.endswith(f"of {name}") for line in lines)
    assert (logger.level, logger.handlers) == before, "nothing leaks into the process"
