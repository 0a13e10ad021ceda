"""Whole arrivals, column by column, against a plain-Python walk of the laws that shares no code with the kernels."""

from __future__ import annotations

import pytest

from seg5b.api import Run
from tests.oracle.walk import Law
from tests.pipeline.walking import choose, compare


@pytest.mark.parametrize("scenario", ["baseline_v1", "stress_peak_online_v1"])
def test_arrivals_equal_the_walk(demo_run: Run, scenario: str) -> None:
    walked = compare(demo_run.root, scenario, choose(demo_run.root, scenario), Law())
    assert len(walked) > 1000
    assert {arrival["is_virtual"] for arrival in walked} == {True, False}
