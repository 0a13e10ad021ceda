"""Seconds by lane: added up over threads, kept when work fails, and in the run record."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from seg5b.cli import main
from seg5b.contracts import ContractSource
from seg5b.errors import Seg5bError
from seg5b.pipeline import run_states
from seg5b.runs.ledger import last_records
from seg5b.runs.root import open_root
from seg5b.timers import Timers
from tests.worlds import copy_run

TICK_S = 0.02


def test_threads_add_up_and_failures_count() -> None:
    timers = Timers()
    both = threading.Barrier(2)

    def work(_: int) -> None:
        with timers.lane("encode"):
            both.wait()  # both are inside at the same time
            time.sleep(TICK_S)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    with pytest.raises(ValueError), timers.lane("hash"):
        time.sleep(TICK_S)
        raise ValueError
    found = timers.seconds()
    assert found["encode"] >= 2 * TICK_S
    assert found["hash"] >= TICK_S


def test_only_getting_items_is_timed() -> None:
    timers = Timers()

    def source() -> Iterator[int]:
        for number in range(3):
            time.sleep(TICK_S)
            yield number

    got = []
    for number in timers.each("read", source()):
        time.sleep(10 * TICK_S)  # not in the lane
        got.append(number)
    assert got == [0, 1, 2]
    assert 3 * TICK_S <= timers.seconds()["read"] < 25 * TICK_S


def test_seconds_of_another_process_are_added() -> None:
    timers = Timers()
    timers.add({"realise": 1.5})
    timers.add({"realise": 0.25, "encode": 1.0})
    assert timers.seconds() == {"realise": 1.75, "encode": 1.0}


REALISING = {"gate", "recognise", "publish"}
LANES = {
    "S0": {"upstream", "seal", "publish"},
    "S1": REALISING | {"read", "surface_read", "group", "encode"},
    "S2": REALISING | {"surface_read", "field", "intensities", "encode", "hash"},
    "S3": REALISING | {"read", "count", "encode", "hash"},
    "S4": REALISING | {"realise", "fetch", "encode", "hash"},
    "S5": {"gate", "inputs", "totals", "rows", "measures", "run", "hash", "evidence"},
}


def test_records_carry_the_lanes_of_their_own_attempt(tiny_run: Path) -> None:
    records = last_records(open_root(tiny_run))
    for state, names in LANES.items():
        lanes = records[state]["durations"]["lanes_s"]
        assert lanes.keys() == names, state
        assert all(0 <= seconds <= 60 for seconds in lanes.values()), state


def test_bench_shows_them(tiny_run: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_run, tmp_path)
    shown = CliRunner().invoke(main, ["bench", "--runs-root", str(root.path.parent)]).output
    lanes = set(re.findall(r"(S\d) *│ ([a-z ]+?) *│", shown))
    assert lanes == {(state, name.replace("_", " ")) for state, names in LANES.items() for name in names}


def test_a_failed_attempt_keeps_its_lanes(tiny_arrivals: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    min(root.path.rglob("s2_realised_intensity_5B.parquet")).write_bytes(b"damaged")
    with pytest.raises(Seg5bError):
        run_states(root, ContractSource.packaged(), ("S3",))
    record = last_records(root)["S3"]
    assert record["status"] == "FAIL" and record["durations"]["lanes_s"].keys() >= {"gate", "recognise"}
