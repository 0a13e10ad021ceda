"""The command line of streams: how they end, how they go on, and what is refused; what leaves is tested in tests/stream."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from seg5b.api import Run, open_run
from seg5b.cli import main
from tests.stream.conftest import SCENARIO, keys_of


@pytest.fixture(scope="module")
def run(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


@pytest.fixture(scope="module")
def published(run: Run) -> list[tuple[int, int]]:
    table = run.table("arrival_events_5B", SCENARIO, ["ts_utc", "merchant_id", "arrival_seq"])
    columns = [table["ts_utc"].cast("int64"), table["merchant_id"], table["arrival_seq"]]
    return [key[1:] for key in sorted(zip(*(column.to_pylist() for column in columns), strict=True))]


def started(run: Run, out: Any, *words: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "seg5b", "stream", "--runs-root", str(run.root.path.parent)]
    return subprocess.Popen(
        [*program, "--scenario", SCENARIO, *words],
        stdout=out,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )


def wait_for(file: Path, least: int) -> None:
    """Until a file of lines has at least so many."""
    for _ in range(600):
        if file.exists() and file.read_bytes().count(b"\n") >= least:
            return
        time.sleep(0.05)
    raise AssertionError(f"{file} does not grow")


def keys(lines: Iterable[bytes]) -> list[tuple[int, int]]:
    return keys_of([json.loads(line) for line in lines])


def whole_lines(file: Path) -> list[bytes]:
    """Lines that are complete: after a kill, the last may not be."""
    return [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def test_a_killed_stream_goes_on(run: Run, published: list[tuple[int, int]], tmp_path: Path) -> None:
    """Nothing is lost, and what comes twice was delivered after the offset was kept last."""
    first, second, offsets = tmp_path / "first", tmp_path / "second", tmp_path / "offsets"
    with first.open("wb") as out:
        killed = started(run, out, "--rate", "3000", "--offsets", str(offsets))
        wait_for(offsets, 1)
        wait_for(first, 100)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    kept = json.loads(offsets.read_text())["offset"]
    delivered = keys(whole_lines(first))
    assert 0 < kept <= len(delivered) < len(published)
    with second.open("wb") as out:
        resumed = started(run, out, "--offsets", str(offsets))
        resumed.communicate(timeout=120)
        assert resumed.returncode == 0
    assert delivered == published[: len(delivered)]
    assert keys(whole_lines(second)) == published[kept:]
    assert json.loads(offsets.read_text())["offset"] == len(published)


def test_an_interrupted_stream_says_where_to_go_on(run: Run, published: list[tuple[int, int]], tmp_path: Path) -> None:
    out_file = tmp_path / "lines"
    with out_file.open("wb") as out:
        interrupted = started(run, out, "--speed", "3600")
        wait_for(out_file, 1)
        interrupted.send_signal(signal.SIGINT)
        told = interrupted.communicate(timeout=60)[1].decode()
    assert interrupted.returncode == 130
    lines = out_file.read_bytes()
    assert lines.endswith(b"\n")
    rows = lines.count(b"\n")
    assert f"go on with --from {rows}\n" in told and "5B.RUN.INTERRUPTED" in told
    assert keys(lines.splitlines()) == published[:rows]


def test_a_reader_that_has_enough(run: Run) -> None:
    running = started(run, subprocess.PIPE)
    assert running.stdout is not None and running.stderr is not None
    assert json.loads(running.stdout.readline())["arrival_seq"] >= 1
    running.stdout.close()
    told = running.stderr.read().decode()
    assert running.wait(60) == 141
    assert "go on with --from" in told and "error" not in told
    running.stderr.close()


def test_a_slow_reader_slows_the_stream_and_is_interrupted_at_a_line_end(run: Run) -> None:
    """The stream waits for the reader of a full pipe, and an interruption does not."""
    read, write = os.pipe()
    running = started(run, write)
    os.close(write)
    assert running.stderr is not None
    found = os.read(read, 1 << 12)
    time.sleep(1.0)
    assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    while piece := os.read(read, 1 << 16):
        found += piece
    assert running.wait(60) == 143 and found.endswith(b"\n")
    assert f"go on with --from {found.count(10)}\n" in running.stderr.read().decode()
    running.stderr.close()
    os.close(read)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--json",), "--sink stdout"),
        (("--topic", "x"), "belong to --sink kafka"),
        (("--url", "http://x"), "belong to --sink http"),
        (("--header", "a: b", "--sink", "kafka"), "--header"),
        (("--sink", "kafka", "--topic", "x"), "needs --brokers"),
        (("--sink", "http"), "needs --url"),
        (("--speed", "0"), "--speed"),
        (("--speed", "fast"), "--speed"),
        (("--sink", "http", "--url", "http://127.0.0.1:9/", "--header", "no"), "--header 'no'"),
        (("--from", "3", "--offsets", __file__), "says where to go on"),
    ],
)
def test_wrong_usage(run: Run, words: tuple[str, ...], told: str) -> None:
    options = ["--runs-root", str(run.root.path.parent), "--scenario", SCENARIO]
    result = CliRunner().invoke(main, ["stream", *options, *words])
    assert result.exit_code == 2 and told in result.output
