"""Kernels launched as on a device, and whole states, through numba-cuda's real path: the CPU's bytes (law L9)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("numba_cuda", reason="kernels compile for CUDA by the package numba-cuda")
from seg5b_kernels import registry

from seg5b.backends.cpu import CpuBackend
from seg5b.runs.root import open_root
from tests.device.whole_states import TO_ARRIVALS, realise
from tests.policies import Changes, change_policies
from tests.ptx.elf import obstacle
from tests.ptx.on_standin import on_standin
from tests.ptx.programs import digest, kernel_cases

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=str(obstacle()))
EVERYTHING = os.environ.get("SEG5B_PTX") == "all"
ITEMS = 2000
LINEAR: Changes = {"arrival_time_placement_policy_5B": {"placement_kind": "linear_v1"}}
CAPABILITIES = [(9, 0), *([(8, 0), (10, 0), (12, 0)] if EVERYTHING else [])]


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda each: ".".join(map(str, each)))
def test_kernels_are_launched_and_what_is_compiled_is_kept(capability: tuple[int, int]) -> None:
    expected = {}
    for case in kernel_cases(ITEMS):
        case.kernel.cpu(0, case.n, case.inputs, case.outputs)
        expected[case.kernel.name] = digest(case.outputs)
    for again in (False, True):
        found = on_standin("kernels", capability, ITEMS)
        assert found["digests"] == expected and found["launches"] == len(registry.KERNELS)
        assert found["compiled"] == 0 or not again


@pytest.mark.parametrize("changes", [{}, LINEAR], ids=["shipped", "linear_v1"])
@pytest.mark.parametrize("chunk", [1 << 20, *([1000] if EVERYTHING else [])])
def test_every_dataset_is_the_cpu_s(tiny_world: Path, tmp_path: Path, chunk: int, changes: Changes) -> None:
    world = _copy(tiny_world, tmp_path / "cpu")
    change_policies(open_root(world).path, changes)
    other = _copy(world, tmp_path / "ptx")
    expected = realise(world, CpuBackend("test"))
    found = on_standin("whole_states", str(other), TO_ARRIVALS, 0, chunk)
    assert found["digests"] == expected
    assert found["counts"]["launches"] > 0 and found["counts"]["bytes_to_host"] > 39_000 * 8


@pytest.mark.skipif(not EVERYTHING, reason="make ptx runs the demo as well: a minute")
def test_the_demo_is_the_cpu_s(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    demo: Path = request.getfixturevalue("demo_world")
    expected = realise(_copy(demo, tmp_path / "cpu"), CpuBackend("test"))
    found = on_standin("whole_states", str(_copy(demo, tmp_path / "ptx")), TO_ARRIVALS, 1, 1 << 20)
    assert found["digests"] == expected


def _copy(runs_root: Path, folder: Path) -> Path:
    return Path(shutil.copytree(runs_root, folder))
