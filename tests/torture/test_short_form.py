"""The short form of the suite: one or a few cases of each kind, and the planted defects (law L12, law L16)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.torture.bench import Bench
from tests.torture.planted import PLANTED
from tests.torture.shim import compiler
from tests.torture.suite import all_cases, case_of, judged, notices
from tests.torture.table import MUST_SHOW
from tests.torture.verdict import Case

CASES = [case for case in all_cases() if case.short]
SOON = ("untyped", "lenient", "local_time")
"""Planted defects that are noticed in seconds; `make torture` plants all."""
pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler (cc) to build the shim with")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("torture"))
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_case(bench: Bench, case: Case) -> None:
    assert judged(bench, case).wrong == ""


@pytest.mark.parametrize("plant", SOON)
def test_a_planted_defect_is_noticed(bench: Bench, plant: str) -> None:
    assert notices(bench, plant).wrong


def test_cases_of_planted_defects_are_right_without_them() -> None:
    """Those of the short form are judged above; `make torture` judges all."""
    assert all(case_of(plant).short for plant in SOON)
    for plant in PLANTED:
        case_of(plant)  # there is one


def test_every_kind_has_its_line() -> None:
    assert {case.kind for case in all_cases()} <= set(MUST_SHOW)
