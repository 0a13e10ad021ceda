"""Folders whose names mean something to SQL, terminals, patterns and shells; and names that are no text."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import seg5b
from seg5b.cli import main
from seg5b.errors import RunError, Seg5bError, WorldError
from seg5b.query import open_database, parquet, with_constants
from seg5b.runs.root import open_root
from seg5b.world import make_world
from tests.worlds import copy_run

ODD = (
    "$home",
    "[/b]",
    "a[0-9]b",
    "it's",
    'a "b"',
    "*?",
    "seed=42",
    "{x}",
    "a b",
    ":smile:",
    "%d",
    "-- ;",
    "é\u2028",
    "#1",
)


@pytest.mark.parametrize("name", ODD)
def test_query_reads_below_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), folder / "a.parquet")
    with open_database(0.5, 1, folder / "spill") as database:
        sql = with_constants(f'SELECT a, $b, \'$b\', "a" AS "$b" FROM {parquet([folder / "a.parquet"])}', {"b": 2})
        assert database.row(sql) == (1, 2, "$b", 1)


def test_a_run_below_odd_names(tiny_run: Path, tmp_path: Path) -> None:
    """Everything that reads a run finds it there, and says so in the same words."""
    root = copy_run(tiny_run, tmp_path / "$home" / "[0-9] [/b]" / "it's *?=:smile:")
    where = ("--runs-root", str(root.path.parent))
    for command in (
        ["status"],
        ["verify"],
        ["digest"],
        ["s5"],
        ["report", "--out", str(tmp_path / "page.html")],
        ["score"],
    ):
        result = CliRunner().invoke(main, [*command, *where])
        assert not isinstance(result.exception, Exception), (command, result.exception)
        if command[0] != "score":  # the tiny world has too few arrivals for some gates
            assert result.exit_code == 0, (command, result.output)
        if command[0] == "status":
            assert str(root.path) in result.output, command


def test_a_name_that_is_no_text_is_refused(tiny_world: Path, tmp_path: Path) -> None:
    """Messages, queries and records are UTF-8: such a folder is refused at once, in words that can be printed."""
    folder = tmp_path / os.fsdecode(b"a\xffb")
    try:
        root_path = copy_run(tiny_world, folder.parent).path.parent.rename(folder)
    except OSError:
        pytest.skip("the file system has no such names")
    with pytest.raises(RunError, match=r"5B\.RUN\.PATH_NOT_TEXT") as caught:
        open_root(root_path)
    assert "a\\udcffb" in str(caught.value)
    with pytest.raises((RunError, WorldError), match=r"5B\.RUN\.PATH_NOT_TEXT"):
        make_world("demo_classic", runs_root=root_path)
    with pytest.raises(Seg5bError):
        seg5b.run(root_path)
    result = CliRunner().invoke(main, ["status", "--runs-root", str(root_path)])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
