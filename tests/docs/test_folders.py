"""tests/README.md tells the truth: every folder is listed, every test that it or a page of laws names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, pages

TESTS = Path(__file__).parents[1]
README = (TESTS / "README.md").read_text("utf-8")
NAMED = re.compile(r"`([\w./-]+\.py)::(\w+)`")


@cache
def _tests_in(file: Path) -> frozenset[str]:
    """Names of a file's test functions, none where there is no such file."""
    found = ast.walk(ast.parse(file.read_text("utf-8"))) if file.is_file() else ()
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def test_every_folder_is_listed_with_a_line_of_its_own() -> None:
    listed = re.findall(r"^\| `([\w-]+)/` \| \S", README, re.M)
    assert listed == sorted(folder.name for folder in TESTS.iterdir() if any(folder.glob("*.py")))


@pytest.mark.parametrize(("page", "base"), [("tests/README.md", TESTS), *((f"docs/laws/{n}", ROOT) for n in pages())])
def test_every_test_that_is_named_exists(page: str, base: Path) -> None:
    named = NAMED.findall((ROOT / page).read_text("utf-8"))
    assert [f"{file}::{name}" for file, name in named if name not in _tests_in(base / file)] == []


def test_every_defect_has_a_test_of_its_name() -> None:
    rows = re.findall(r"^\| (D\d+) [^|]+ \| (.+) \|$", README, re.M)
    defects = [anchor for anchor in anchors(pages()["defects.md"]) if re.fullmatch(r"D\d+", anchor)]
    assert [defect for defect, _ in rows] == defects
    assert [defect for defect, tests in rows if not NAMED.findall(tests)] == []
