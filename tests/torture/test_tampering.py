"""Each tampering changes what it says and nothing else, and mends every digest: plain verification finds nothing (law L15)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from seg5b.api import open_run
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from seg5b.validation.bundle.verify import verify_validation_bundle
from tests.torture.insider import MENDED, mending
from tests.torture.rewriting import rewrite
from tests.torture.tampering import TAMPERED, TAMPERINGS
from tests.torture.tampering_acts import PLACES
from tests.worlds import JUDGED

STATES = ("S0", "S1", "S2", "S3", "S4", "S5")
Copy = Callable[[], Path]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """A run that can be tampered with in every way."""
    root = JUDGED.make(tmp_path_factory.mktemp("tampered"), TAMPERED)
    run_states(root, open_run(root.path.parent).contracts, STATES)
    return root


@pytest.fixture
def copy(finished: RunRoot, tmp_path: Path) -> Copy:
    """``copy()``: the folder of a copy of it, by hard links."""
    return lambda: Path(shutil.copytree(finished.path, tmp_path / "runs" / finished.path.name, copy_function=os.link))


def _files(run: Path) -> dict[str, tuple[int, bytes]]:
    paths = [path for path in run.rglob("*") if path.is_file()]
    return {path.relative_to(run).as_posix(): (path.stat().st_ino, path.read_bytes()) for path in paths}


def _changed(before: Path, after: Path) -> set[str]:
    """Names of files that are not what they were; files with one inode are one file."""
    old, new = _files(before), _files(after)
    same = {name for name in old.keys() & new.keys() if old[name][1] == new[name][1]}
    return (old.keys() | new.keys()) - same


def _told(before: Path, after: Path) -> set[str]:
    """What differs between two files, in the words of `Tampering.changes`."""
    if not (before.is_file() and after.is_file()):
        return {"files"}
    if before.suffix != ".parquet":
        return {"text"}
    old, new = pq.ParquetFile(before), pq.ParquetFile(after)
    marks = [{k: v for k, v in (f.metadata.metadata or {}).items() if k.startswith(b"seg5b.")} for f in (old, new)]
    found = {"metadata"} if marks[0] != marks[1] else set()
    if [(field.name, field.type) for field in old.schema_arrow] != [
        (field.name, field.type) for field in new.schema_arrow
    ]:
        return found | {"schema"}
    one, other = old.read(), new.read()
    if one.num_rows != other.num_rows:
        return found | {"rows"}
    columns = {name for name in one.column_names if not one[name].equals(other[name])}
    if len(columns) > len(TAMPERINGS["arrivals: one comes a second later, by all clocks"].changes["arrivals"]):
        return found | {"order"}
    rows = [zip(*(table[name].to_pylist() for name in columns), strict=True) for table in (one, other)]
    several = columns in ({"lambda_local_scenario"}, {"tzid_settlement"}, {"arrival_seq"})
    assert several or sum(a != b for a, b in zip(*rows, strict=True)) <= 2
    return found | columns or {"form"}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_changes_what_it_says(finished: RunRoot, copy: Copy, name: str) -> None:
    run = copy()
    TAMPERINGS[name].on(run)
    changed, told = _changed(finished.path, run), {}
    for dataset, pattern in PLACES.items():
        of_dataset = {
            p.relative_to(root).as_posix() for root in (finished.path, run) for p in root.glob(pattern)
        } & changed
        if of_dataset:
            told[dataset] = set().union(*(_told(finished.path / path, run / path) for path in of_dataset))
            changed -= of_dataset
    assert told == {dataset: set(what) for dataset, what in TAMPERINGS[name].changes.items()}
    mended = {path.relative_to(run).as_posix() for pattern in MENDED for path in run.glob(pattern)}
    assert changed <= mended and any("segment_state_runs" in path or path.endswith("_passed.flag") for path in changed)
    opened = open_run(run.parent)
    assert verify_validation_bundle(opened.root, opened.contracts).problems == ()


def test_mending_changes_nothing_that_is_right(finished: RunRoot, copy: Copy) -> None:
    run = copy()
    with mending(run):
        for file in run.glob("data/layer2/5B/s*/**/*.parquet"):
            rewrite(file)
            rewrite(file, lambda table: table)
    assert _changed(finished.path, run) == set()


def test_there_are_enough() -> None:
    assert len(TAMPERINGS) >= 36
    assert {dataset for each in TAMPERINGS.values() for dataset in each.changes} == set(PLACES)
