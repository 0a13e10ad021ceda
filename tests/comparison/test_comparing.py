"""Two runs side by side: what differs is named, what is the same is not, and neither run is written into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import seg5b
from seg5b.cli import main
from seg5b.comparison import Comparison, Section, compare_runs
from seg5b.comparison.leaves import different_leaves
from seg5b.contracts import ContractSource
from seg5b.runs.root import RunRoot, open_root
from tests.worlds import TINY, copy_run


def compare(left: Path, right: Path) -> Comparison:
    return compare_runs(open_root(left), open_root(right), ContractSource.packaged())


def section(found: Comparison, title: str) -> Section:
    return next(each for each in found.sections if each.title == title)


def names(found: Section) -> list[str]:
    return [each.name for each in found.differences]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """The tiny world with another share of virtual arrivals of hybrids, S0-S4 done."""
    root = TINY.make(
        tmp_path_factory.mktemp("changed"), {"arrival_routing_policy_5B": {"hybrid_policy.p_virtual_hybrid": 0.8}}
    )
    seg5b.run(root.path.parent, last="S4", backend="cpu")
    return root


def test_a_run_and_its_copy_are_the_same(tiny_arrivals: Path, tmp_path: Path) -> None:
    found = compare(tiny_arrivals, copy_run(tiny_arrivals, tmp_path).path.parent)
    assert found.same and not any(each.differences for each in found.sections)
    assert section(found, "Published files").note == "the same"


def test_a_changed_policy_is_named_with_both_values_and_what_comes_of_it(tiny_arrivals: Path, changed: RunRoot) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in changed.path.rglob("*"))
    found = compare(tiny_arrivals, changed.path.parent)
    policies = section(found, "Policies")
    assert names(policies) == ["arrival_routing_policy_5B: hybrid_policy.p_virtual_hybrid"]
    assert policies.differences[0].right == "0.8" != policies.differences[0].left
    assert section(found, "Sealed inputs").differences == ()
    totals = section(found, "Arrivals, baseline_v1")
    assert names(totals) == ["virtual arrivals"] and totals.differences[0].change.endswith(" %")
    assert section(found, "Zone, baseline_v1").note == "0.00 % of the arrivals lie elsewhere"
    files = names(section(found, "Published files"))
    assert any("arrival_events" in name for name in files) and not any("s3_bucket_counts" in name for name in files)
    assert sorted((path, path.stat().st_mtime_ns) for path in changed.path.rglob("*") if "tmp" not in path.parts) == [
        each for each in before if "tmp" not in each[0].parts
    ]


def test_what_a_run_lacks_is_said(tiny_world: Path, tiny_arrivals: Path) -> None:
    found = compare(tiny_world, tiny_arrivals)
    assert "run S0" in section(found, "Policies").note
    assert section(found, "Arrivals, baseline_v1").note == "one of the runs has none yet: run S4"
    assert section(found, "Published files").note == "one of the runs has published none"
    assert section(found, "Checks of S5").note == "neither run has any: not compared"


def test_a_profile_tells_the_largest_shifts_first(tiny_arrivals: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    drawn = seg5b.run(root.path.parent, scenarios=["baseline_v1"], last="S4", backend="cpu")
    found = compare_runs(root, open_root(root.path.parent, drawn.run_id), ContractSource.packaged())
    assert names(section(found, "Identity")) == ["derived from", "run", "scenarios"]
    assert section(found, "Arrivals, baseline_v1").note == "the same"
    assert section(found, "Scenarios of one run only").note == "stress_peak_online_v1"


LEAVES = [
    ({"a": 1}, {"a": 1}, []),
    ({"a": {"b": 1, "c": [1, 2]}}, {"a": {"b": 2, "c": [1, 3]}}, [("a.b", "1", "2"), ("a.c", "[1, 2]", "[1, 3]")]),
    ({"a": None}, {}, [("a", "none", "–")]),
    ({"a": [{"id": "x", "v": 1}]}, {"a": [{"id": "y", "v": 1}, {"id": "x", "v": 1}]},
     [("a[y].id", "–", "y"), ("a[y].v", "–", "1")]),
    ({"a": True}, {"a": 1}, [("a", "yes", "1")]),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "found"), LEAVES)
def test_leaves(left: object, right: object, found: list[tuple[str, str, str]]) -> None:
    assert different_leaves(left, right) == found
    assert different_leaves(right, left) == [(key, other, one) for key, one, other in found]


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["diff", *arguments])


def test_the_command(tiny_arrivals: Path, changed: RunRoot) -> None:
    one, other = open_root(tiny_arrivals).path, changed.path
    told = ask(str(one), str(other))
    assert told.exit_code == 0 and "p_virtual_hybrid" in told.stdout and "Checks of S5" not in told.stdout
    assert "Checks of S5: neither run has any" in ask(str(one), str(other), "--all").stdout
    payload = json.loads(ask(str(one), str(other), "--json").stdout)
    assert payload["ok"] and not payload["same"] and payload["sections"][0]["title"] == "Identity"
    assert ask(str(one), str(other), "--exit-code").exit_code == 1
    same = ask(one.name[:8], "latest", "--runs-root", str(one.parent), "--exit-code")
    assert (same.exit_code, same.stdout.splitlines()[-1]) == (0, "nothing differs")
    gone = ask(str(one), "feed", "--runs-root", str(one.parent))
    assert gone.exit_code == 1 and one.name in gone.stderr


def test_the_page(tiny_arrivals: Path, changed: RunRoot, tmp_path: Path) -> None:
    one, out = open_root(tiny_arrivals).path, tmp_path / "diff.html"
    assert ask(str(one), str(changed.path), "--out", str(out)).exit_code == 0
    page = out.read_text("utf-8")
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert "p_virtual_hybrid" in page and "sections differ" in page and page.count("<h2>") == page.count("<section>")
    again = ask(str(one), str(changed.path), "--out", str(out))
    assert again.exit_code == 1 and "--overwrite" in again.stderr
    inside = ask(str(one), str(changed.path), "--out", str(one / "reports" / "diff.html"))
    assert inside.exit_code == 1 and not (one / "reports" / "diff.html").exists()
    assert ask(str(one), str(changed.path), "--out", "-").stdout == page
