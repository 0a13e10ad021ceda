"""S5 bites: ten of the planted faults on a small world, as expected, and a lawful run that passes; `make mutation` has all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.expected import expected, unlike
from tests.mutation.faults import CONTROLS, FAULTS
from tests.mutation.planting import REPOSITORY
from tests.mutation.records import Edit, Fault, Noticed
from tests.mutation.table import table
from tests.mutation.trying import Bench, Results

QUICK = [fault.name for fault in FAULTS.values() if fault.quick]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("mutation"))


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_fault_is_noticed(bench: Bench, name: str) -> None:
    noticed = bench.tried(FAULTS[name], scored=False)
    assert noticed.named, "nobody notices"
    assert unlike({name: noticed}) == {}


def test_a_lawful_run_is_not(bench: Bench) -> None:
    noticed = bench.tried(CONTROLS["control: judged"], control=True, scored=False)
    assert (noticed.named, noticed.changed) == ((), ())


def test_a_fault_that_changes_nothing_is_none(bench: Bench) -> None:
    with pytest.raises(AssertionError, match="changes nothing"):
        bench.tried(Fault("no fault", "none", "leaves all files as they are", "judged", act=lambda run: None))


def test_a_line_that_has_moved_is_noticed(bench: Bench) -> None:
    edit = Edit("seg5b/states/s1_grid.py", "no such line", "")
    with pytest.raises(AssertionError, match="0 times"):
        bench.tried(Fault("no line", "none", "edits a line that is not there", "judged", (edit,)))


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.edits])
def test_every_edit_finds_its_line(name: str) -> None:
    for edit in FAULTS[name].edits:
        assert (REPOSITORY / edit.file).read_text("utf-8").count(edit.old) == 1, edit.old


def test_there_are_enough_and_each_is_pinned() -> None:
    assert len(FAULTS) >= 75 and len(QUICK) == 10
    assert list(expected()) == list(FAULTS), "run `python -m tests.mutation --pin`"
    assert {FAULTS[name].world for name in QUICK} == {"judged"}


def test_what_is_missing_is_told() -> None:
    name = next(name for name, checks in expected().items() if checks and checks != {"replay"})
    assert unlike({name: Noticed(tuple(expected()[name]))}) == {}
    assert "no longer noticed" in unlike({name: Noticed(replayed=("grid",))})[name]
    assert "nothing is pinned" in unlike({"no fault": Noticed()})["no fault"]


def test_results_are_kept_and_told(tmp_path: Path) -> None:
    fault, noticed = next(iter(FAULTS.values())), Noticed(("rng.totals",), "FAIL", ("T9",), None, ("grid",), 1.5)
    Results(tmp_path / "results.jsonl").add(fault, noticed)
    found = Results(tmp_path / "results.jsonl").found
    assert found == {fault.name: noticed}
    assert "| 1 | 1 | 0 | 0 | 0 |" in table({fault.name: fault}, found)
