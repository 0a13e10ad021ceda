"""Worlds hold what they held, under any releases. Of each, a file beside this one remembers what ``seg5b digest --json``
said, so that anyone can compare: ``seg5b digest --check tests/golden/demo.json``."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import seg5b
from seg5b.api import Run, open_run
from seg5b.cli import main
from tests.golden import remember


def test_the_classic_demo(demo_run: Run) -> None:
    assert_as_it_was(demo_run, "demo_classic")


def test_the_demo(public_demo: Run) -> None:
    assert_as_it_was(public_demo, "demo")


LONG = pytest.mark.skipif(not os.environ.get("SEG5B_GOLDEN"), reason="13 million arrivals: `make golden`")


@pytest.mark.parametrize("world", [pytest.param("small_classic", marks=LONG), "black_friday"])
def test_a_world(world: str, tmp_path: Path) -> None:
    own = remember.HERE / f"{world}.yaml"
    (seg5b.World.from_file(own) if own.exists() else seg5b.World.from_preset(world)).make(tmp_path)
    seg5b.run(tmp_path, last="S4")
    assert_as_it_was(open_run(tmp_path), world)
    shutil.rmtree(tmp_path)  # half a gigabyte


def assert_as_it_was(run: Run, world: str) -> None:
    """A run's identity and digests are those that are remembered."""
    now, before = remember.content_of(run), json.loads(remember.content_file(world).read_text("utf-8"))
    assert {**now, "digests": {}} == {**before, "digests": {}}, "a policy, the specification or a law of worlds changed"
    assert now["digests"] == before["digests"]


def test_the_command_reads_what_is_remembered(demo_run: Run) -> None:
    checked = ["digest", "--runs-root", str(demo_run.root.path.parent), "--check"]
    assert CliRunner().invoke(main, [*checked, str(remember.content_file("demo_classic"))]).exit_code == 0
    assert CliRunner().invoke(main, [*checked, str(remember.content_file("small_classic"))]).exit_code == 1
