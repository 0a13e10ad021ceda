"""Commands that read a run while another process writes to it: they see what was published, and say who writes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seg5b.api import open_run
from seg5b.runs.root import RunRoot
from tests.worlds import copy_run

PATIENCE_S = 120
LINE = r"process \d+ of .+ \(.+ at S4\), for \d+ min since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, is writing to this run"


def command(root: RunRoot, *words: str) -> list[str]:
    return [sys.executable, "-m", "seg5b", *words, "--runs-root", str(root.path.parent)]


def read(root: RunRoot, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(root, *words), capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def written_to(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunRoot]:
    """A run with all states done, which a process that was halted in S4 computes again."""
    root = copy_run(tiny_run, tmp_path_factory.mktemp("written_to"))
    owner, end = root.path / "tmp" / "writer.json", time.monotonic() + PATIENCE_S
    with subprocess.Popen(command(root, "run", "--recompute"), stdout=subprocess.DEVNULL) as writer:
        try:
            while not (owner.exists() and json.loads(owner.read_text()).get("state") == "S4"):
                assert writer.poll() is None and time.monotonic() < end, "it never comes to S4"
                time.sleep(0.01)
            os.kill(writer.pid, signal.SIGSTOP)
            yield root
        finally:
            os.kill(writer.pid, signal.SIGCONT)
            assert writer.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("words", ["status", "verify", "digest", "score", "report", "export", "explain"])
def test_readers_see_what_was_published(written_to: RunRoot, tiny_run: Path, tmp_path: Path, words: str) -> None:
    first = open_run(tiny_run).table("arrival_events_5B", "baseline_v1", ["merchant_id", "arrival_seq"]).slice(0, 1)
    merchant, number = (str(first[name][0].as_py()) for name in ("merchant_id", "arrival_seq"))
    more = {
        "export": ["--limit", "5", "--format", "csv", "--out"],
        "report": ["--out"],
        "explain": ["--merchant", merchant, "--seq", number],
    }.get(words, ["--json"])

    def taken(root: RunRoot, out: Path) -> tuple[subprocess.CompletedProcess[str], str]:
        done = read(root, words, *more, *([str(out)] if more[-1] == "--out" else []))
        return done, out.read_text() if out.exists() else done.stdout

    during, there = taken(written_to, tmp_path / "during")
    lines = [line for line in during.stderr.splitlines() if "writing" in line]
    assert len(lines) == 1 and re.match(LINE, lines[0]), during.stderr
    if words in ("verify", "digest", "export", "explain"):
        alone, before = taken(open_run(tiny_run).root, tmp_path / "alone")
        assert (during.returncode, there) == (alone.returncode, before) and alone.stderr == ""
    assert during.returncode == 0 or words == "score", during.stderr
    left = {path.name.split("_")[0] for path in (written_to.path / "tmp").iterdir()}
    assert not left & {"score", "page", "export", "explain"}


def test_who_writes_is_told_who_writes_already(written_to: RunRoot) -> None:
    done = read(written_to, "run")
    assert done.returncode == 1 and re.search(LINE, done.stderr) and "5B.RUN.BUSY" in done.stderr
    assert len(done.stderr.splitlines()) == 1
