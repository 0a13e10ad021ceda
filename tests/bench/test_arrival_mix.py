"""The inputs of the kernels' tests reach every branch; those of the benchmark are like a run."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_inputs import AS_IN_RUNS, EVERY_MODE, Case, kernel_cases
from seg5b_kernels.arrivals import HYBRID, PHYSICAL, VIRTUAL
from seg5b_kernels.routing import NO_TABLE


def done(name: str, cases: tuple[Case, ...]) -> Case:
    """A case with its outputs filled."""
    case = next(each for each in cases if each.kernel.name == name)
    case.kernel.cpu(0, case.n, case.inputs, case.outputs)
    return case


def test_tests_see_every_mode_tempered_arrivals_and_groups() -> None:
    cases = kernel_cases(5000, mix=EVERY_MODE)
    drawn, routed = done("draw_arrival", cases), done("route_arrival", cases)
    modes = np.bincount(drawn.inputs.mode[drawn.inputs.rows.series[drawn.inputs.slot_row]], minlength=3)
    assert modes.min() > 500, "PHYSICAL, HYBRID, VIRTUAL"
    out, inputs = routed.outputs, routed.inputs
    assert out.tempered.sum() > 100 and 0.3 < out.is_virtual.mean() < 0.7
    assert (inputs.series.group_row == NO_TABLE).any() and (inputs.series.group_row != NO_TABLE).any()
    assert set(np.bincount(done("derive_stream", cases).inputs.templates.tail_blocks).nonzero()[0]) == {1, 2}


def test_the_benchmark_sees_what_a_run_sees() -> None:
    items = 400_000
    cases = kernel_cases(items, mix=AS_IN_RUNS)
    drawn, routed = done("draw_arrival", cases), done("route_arrival", cases)
    rows, mode = drawn.inputs.rows, drawn.inputs.mode
    assert drawn.outputs.is_virtual.mean() == pytest.approx(0.059, abs=0.015), "5.9 % of a run's"
    shares = np.bincount(mode, minlength=3) / mode.size
    assert shares[[PHYSICAL, HYBRID, VIRTUAL]] == pytest.approx([0.888, 0.083, 0.029], abs=0.003)
    assert not routed.outputs.tempered.any() and (routed.inputs.series.group_row == NO_TABLE).all()
    assert items / rows.series.size == pytest.approx(32.4, rel=0.1)
    merchant = rows.series // AS_IN_RUNS.SERIES
    assert np.diff(merchant).astype(bool).mean() < 0.03, "a merchant's rows follow each other"
    key = rows.segment_start.astype(np.int64) * AS_IN_RUNS.tables + rows.series
    assert np.unique(key).size == key.size, "no series twice in a segment"
    segments, first = np.unique(rows.segment_start, return_index=True)
    assert (rows.bucket == rows.bucket[first][np.searchsorted(segments, rows.segment_start)]).all()
    assert set(done("derive_stream", cases).inputs.templates.tail_blocks.tolist()) == {1}
