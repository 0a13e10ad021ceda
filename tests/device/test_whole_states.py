"""Whole states on CUDA publish the bytes of the CPU: over stand-in arrays, in numba's simulator, on a device."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from simulated import PLENTY

from seg5b.backends.base import Backend
from seg5b.backends.cpu import CpuBackend
from seg5b.backends.cuda import CudaBackend
from seg5b.digests import DATASETS
from seg5b.expansion.parts import PartMaker
from seg5b.frames import choose
from seg5b.options import Tuning
from seg5b.parts import FinishedPart
from seg5b.progress import Advance
from tests.device.conftest import REPOSITORY, simulator_environment
from tests.device.whole_states import ALL, TO_ARRIVALS, realise
from tests.frames.fake_cudf import FakeCudf
from tests.long import LONG
from tests.policies import TWO_LEVELS, Changes, change_policies
from tests.worlds import make_smallest

Copy = Callable[[Path], Path]


@pytest.fixture(scope="module")
def copy_of(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of a runs root that a test may write to."""

    def copy(runs_root: Path) -> Path:
        return Path(shutil.copytree(runs_root, tmp_path_factory.mktemp("copy") / "runs"))

    return copy


@pytest.fixture(scope="module")
def on_cpu(copy_of: Copy) -> Callable[[Path], dict[str, str]]:
    """What the CPU publishes for a world, realised once."""

    @cache
    def expected(runs_root: Path) -> dict[str, str]:
        found = realise(copy_of(runs_root), CpuBackend("test"), states=ALL)
        assert set(found) > set(DATASETS) - {"s2_latent_field_5B"}
        assert sum(name.startswith("trace/") for name in found) == 2 * 3  # a trace per scenario of S2, S3 and S4
        return found

    return expected


@pytest.fixture
def world(on_cuda: Backend, request: pytest.FixtureRequest) -> Path:
    """Over stand-ins a world of 39,000 arrivals, on a device the demo."""
    simulated = on_cuda.describe()["device"] == "simulator"
    found: Path = request.getfixturevalue("tiny_world" if simulated else "demo_world")
    return found


@pytest.mark.parametrize("chunk", [1 << 20, 1000])
def test_every_dataset_is_the_cpu_s(
    on_cuda: Backend, world: Path, copy_of: Copy, on_cpu: Callable[[Path], dict[str, str]], chunk: int
) -> None:
    found = realise(copy_of(world), on_cuda, states=ALL, tuning=Tuning(chunk_arrivals=chunk))
    assert found == on_cpu(world)


def test_columns_that_cudf_reads_give_the_same_bytes(
    hosted: CudaBackend,
    tiny_world: Path,
    copy_of: Copy,
    on_cpu: Callable[[Path], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    library = FakeCudf()
    monkeypatch.setattr(choose, "load_cudf", lambda backend: library)
    monkeypatch.setattr(choose, "CUDF_PAYS_CELLS", 0)
    assert realise(copy_of(tiny_world), hosted, states=ALL) == on_cpu(tiny_world)
    files = {name.split(".")[0] for name, _, _ in library.calls}
    assert files >= {"s2_realised_intensity_5B", "s3_bucket_counts_5B"} and len(files) > 2, "the surface as well"
    assert "is read by Arrow" not in caplog.text


@pytest.mark.gpu
def test_columns_that_cudf_reads_on_a_device_give_the_same_bytes(
    request: pytest.FixtureRequest, demo_world: Path, copy_of: Copy, on_cpu: Callable[[Path], dict[str, str]]
) -> None:
    if importlib.util.find_spec("cudf") is None:
        pytest.skip("cudf is not installed")
    device: Backend = request.getfixturevalue("device")
    assert realise(copy_of(demo_world), device, states=ALL, frames="cudf") == on_cpu(demo_world)


@pytest.mark.gpu
@pytest.mark.usefixtures("device")
def test_workers_with_a_device_each_make_the_same_bytes(
    demo_world: Path, copy_of: Copy, on_cpu: Callable[[Path], dict[str, str]]
) -> None:
    pytest.importorskip("distributed")
    assert realise(copy_of(demo_world), None, states=ALL, devices=("all",)) == on_cpu(demo_world)


OPTIONS: dict[str, tuple[Changes, ...]] = {
    "more columns, more draws": (
        {"arrival_lgcp_config_5B": {"diagnostics.emit_latent_field_diagnostic": True}},
        {"arrival_routing_policy_5B": {"optional_columns.lambda_realised": True, "optional_columns.tz_group_id": True}},
        {"arrival_routing_policy_5B": {"physical_router.tz_group_law": "group_weights_v1"}},
        {
            "arrival_routing_policy_5B": {
                "virtual_router.edge_temper.enabled": True,
                "virtual_router.edge_temper.top_k": 5,
            }
        },
        {"arrival_routing_policy_5B": {"virtual_router.edge_temper.redirect_p": 0.8}},
        {"arrival_time_placement_policy_5B": {"placement_kind": "linear_v1"}},
    ),
    "event logs": (),
    "paths of countries, zones and series": (TWO_LEVELS,),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_off_by_default_is_the_cpu_s_too(on_cuda: Backend, tmp_path: Path, copy_of: Copy, name: str) -> None:
    run_id = make_smallest(tmp_path)
    change_policies(tmp_path / run_id, *OPTIONS[name])
    tuning = Tuning(event_logs="jsonl" if name == "event logs" else None)
    expected = realise(copy_of(tmp_path), CpuBackend("test"), tuning=tuning)
    assert realise(tmp_path, on_cuda, tuning=tuning) == expected
    told = {"more columns, more draws": "s2_latent_field_5B", "event logs": "bucket_count"}.get(name, "")
    assert any(told in dataset for dataset in expected)


def test_a_device_with_little_memory_takes_smaller_chunks(
    hosted_with: Callable[[int], CudaBackend], tmp_path: Path, copy_of: Copy, caplog: pytest.LogCaptureFixture
) -> None:
    """Many arrivals in few buckets, so that chunks are most of what S4 holds at a time, and then memory for less."""
    make_smallest(tmp_path, weekly_total=400_000.0, row_group=1 << 15)
    realise(tmp_path, CpuBackend("test"), states=TO_ARRIVALS[:-1])
    short, on_cpu, one_thread = copy_of(tmp_path), copy_of(tmp_path), Tuning(threads=1)
    plenty = hosted_with(PLENTY)
    realise(tmp_path, plenty, states=("S4",), tuning=one_thread)
    assert "device memory is short" not in caplog.text
    needed = int(plenty.describe()["memory_pool_bytes"])
    found = realise(short, hosted_with(needed * 9 // 10), states=("S4",), tuning=one_thread)
    assert "device memory is short; going on with chunks of" in caplog.text
    assert found == realise(on_cpu, CpuBackend("test"), states=("S4",))


def test_a_device_has_as_many_parts_at_once_as_it_has_memory_for(
    hosted_with: Callable[[int], CudaBackend],
    tmp_path: Path,
    copy_of: Copy,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory for one part and a little more, and more threads than that: some parts wait, none fails, and all advance once."""
    make_smallest(tmp_path, weekly_total=400_000.0, row_group=1 << 12)
    realise(tmp_path, CpuBackend("test"), states=TO_ARRIVALS[:-1])
    crowded, on_cpu, plenty = copy_of(tmp_path), copy_of(tmp_path), hosted_with(PLENTY)
    realise(tmp_path, plenty, states=("S4",), tuning=Tuning(threads=1))
    make, advanced = PartMaker.make, list[bool]()

    def counting(maker: PartMaker, number: int, advance: Advance) -> FinishedPart:
        told: list[int] = []
        made = make(maker, number, told.append)
        advanced.append(sum(told) == maker.sizes[number])
        return made

    monkeypatch.setattr(PartMaker, "make", counting)
    needed = int(plenty.describe()["memory_pool_bytes"])
    with caplog.at_level("INFO", logger="seg5b"):
        found = realise(crowded, hosted_with(needed * 11 // 10), states=("S4",), tuning=Tuning(threads=4))
    assert "waits for device memory" in caplog.text
    assert len(advanced) > 4 and all(advanced)
    assert found == realise(on_cpu, CpuBackend("test"), states=("S4",))


@LONG  # tests/ptx/test_whole_states.py executes the compiled code
def test_the_simulator_publishes_the_cpu_s_bytes(tmp_path: Path, copy_of: Copy) -> None:
    """S0-S4 of a world of two days; no change of the launches, each thread of a grid is one of Python's."""
    make_smallest(tmp_path)
    simulated = copy_of(tmp_path)
    output = subprocess.run(
        [sys.executable, "-m", "tests.device.whole_states", str(simulated)],
        cwd=REPOSITORY,
        env=simulator_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert output.returncode == 0, output.stderr
    assert json.loads(output.stdout) == realise(tmp_path, CpuBackend("test"))
