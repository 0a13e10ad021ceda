"""A backend is chosen by the first state that draws, once for a call; what needs none never looks for a device."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import seg5b
from seg5b import computing
from seg5b.backends.base import Backend
from seg5b.backends.choose import choose_backend
from seg5b.computing import NOT_NEEDED, Computing
from seg5b.context import ScenarioWork
from seg5b.errors import BackendError
from seg5b.options import ComputeOptions, Options
from seg5b.parts import making
from tests.worlds import copy_run

WITHOUT_CUDA = """
import sys
from pathlib import Path
for name in ("numba.cuda", "numba_cuda"):
    sys.modules[name] = None
from seg5b.backends import devices
from seg5b.options import Options
def asked():
    raise AssertionError("the driver was looked for")
devices._has_driver = asked
import seg5b
for state in ("S0", "S1", "S5"):
    result = seg5b.run(sys.argv[1], first=state, last=state, options=Options(recompute=state == "S1"))
    print(state, result.status, result.backend["backend"])
print(*sorted(name for name in ("cupy", "cudf", "rmm") if name in sys.modules))
"""


def test_sealing_the_grid_and_validation_touch_nothing_of_cuda(tiny_arrivals: Path, tmp_path: Path) -> None:
    """Packages are planted that raise when they are imported, and a driver that nobody may ask for."""
    runs_root, planted = copy_run(tiny_arrivals, tmp_path / "run").path.parent, tmp_path / "planted"
    for package in ("cupy", "cudf", "rmm"):
        (planted / package).mkdir(parents=True)
        (planted / package / "__init__.py").write_text("raise RuntimeError(f'{__name__} is imported')\n", "utf-8")
    program = f"import sys; sys.path.insert(0, {str(planted)!r}){WITHOUT_CUDA}"
    told = subprocess.run(
        [sys.executable, "-c", program, str(runs_root)], capture_output=True, text=True, timeout=300, check=False
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["S0 PASS none", "S1 PASS none", "S5 PASS none", ""]


def test_records_and_log_name_a_backend_where_one_was_needed(
    tiny_world: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_root, chosen = copy_run(tiny_world, tmp_path).path.parent, list[str]()

    def choose(choice: str, *, device: int) -> Backend:
        chosen.append(choice)
        return choose_backend(choice, device=device)

    monkeypatch.setattr(computing, "choose_backend", choose)
    with caplog.at_level(logging.INFO, "seg5b"):
        result = seg5b.run(runs_root, last="S4", backend="cpu")
    assert chosen == ["cpu"], "once for all states"
    by_state = {each.state: each.record["backend"] for each in result.states}
    for state in ("S0", "S1"):
        assert by_state[state].items() >= {**NOT_NEEDED, "engine": "local"}.items() and "frames" not in by_state[state]
    for state in ("S2", "S3", "S4"):
        assert by_state[state].items() >= {"backend": "cpu", "reason": "requested", "frames": "arrow"}.items()
    assert result.backend["backend"] == "cpu"
    lines = [record.getMessage() for record in caplog.records]
    at = lines.index("computing on cpu (requested)")
    assert next(n for n, line in enumerate(lines) if line.startswith("S2: ")) < at, "not before S2 asks"
    again = seg5b.run(runs_root, last="S4", backend="cpu")
    assert dict(again.backend) == NOT_NEEDED, "all of it was finished"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (ComputeOptions("cuda"), "5B.BACKEND.CUDA_UNAVAILABLE"),
        (ComputeOptions(frames="cudf"), "5B.BACKEND.CUDF_UNAVAILABLE"),
        (ComputeOptions("cpu", frames="cudf"), "5B.BACKEND.CUDF_UNAVAILABLE"),
    ],
)
def test_what_a_later_state_cannot_have_is_told_before_the_first(
    tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: ComputeOptions, code: str
) -> None:
    monkeypatch.setattr("seg5b.backends.devices._has_driver", lambda: False)
    root = copy_run(tiny_world, tmp_path)
    runs_root = root.path.parent
    with pytest.raises(BackendError) as failure:
        seg5b.run(runs_root, options=Options(compute=options))
    assert failure.value.code == code
    assert not list(root.path.rglob("segment_state_runs*.jsonl")), "S0 did no work"
    result = seg5b.run(runs_root, last="S1", options=Options(compute=options))
    assert dict(result.backend) == NOT_NEEDED


def test_words_that_are_no_choice_are_refused_whatever_is_needed() -> None:
    for options, code in (
        (ComputeOptions("abacus"), "UNKNOWN"),
        (ComputeOptions(frames="slides"), "FRAMES_UNKNOWN"),
    ):
        with pytest.raises(BackendError) as failure:
            Computing(options).refuse_early(needed=False)
        assert failure.value.code == f"5B.BACKEND.{code}"


def test_a_backend_that_another_state_chose_is_not_one_that_this_state_used() -> None:
    chosen = Computing(ComputeOptions("cpu"))
    assert chosen.describe() == NOT_NEEDED == chosen.chosen()
    assert chosen.backend is chosen.backend and chosen.describe()["backend"] == "cpu"
    chosen.used = False
    assert chosen.describe() == NOT_NEEDED and chosen.chosen()["backend"] == "cpu"


def test_workers_of_a_cluster_read_columns_as_they_are_told(
    tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_root, told = copy_run(tiny_world, tmp_path).path.parent, list[ComputeOptions]()
    assignment = making._assignment

    def assigned(work: ScenarioWork, opener: making.Opener) -> making.Assignment:
        made = assignment(work, opener)
        told.append(made.compute)
        return made

    monkeypatch.setattr(making, "_assignment", assigned)
    seg5b.run(runs_root, last="S2", backend="cpu", frames="arrow")
    assert {each.frames for each in told} == {"arrow"}
