"""The commands for a machine with a device where nothing can be installed: packages in a folder that PYTHONPATH names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def told(*arguments: str) -> list[str]:
    """What make would run."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.replace("\\\n", "").splitlines() if line]


def test_nothing_is_installed_and_one_python_runs_everything() -> None:
    lines = told("test-gpu", "bench-gpu", "READY=", "GPU_PYTHON=python3", "FRAMES=arrow,cudf", "LABEL=x")
    assert not [line for line in lines if {"pip", "venv"} & set(line.split())]
    assert all(line.startswith("python3 ") for line in lines)
    scripts = {line.split()[1] for line in lines if line.startswith("python3 bench")}
    assert scripts == {f"bench/{name}.py" for name in ("machine", "kernels", "pipeline", "figure")}
    assert all((ROOT / script).is_file() for script in scripts)
    assert any("--frames arrow,cudf" in line for line in lines)


def test_carried_packages_are_a_folder_with_what_obeys_their_pth_files() -> None:
    install, copy = told("carried", "CARRIED=there", "CUDA=cuda12", "PYTHON=python3")
    assert "--target there" in install and "[dask,cuda12]" in install
    assert copy == "cp bench/carried/sitecustomize.py there/"


def test_pth_files_of_carried_packages_are_obeyed(tmp_path: Path) -> None:
    """As numba-cuda's, which a folder of PYTHONPATH alone would not run."""
    (tmp_path / "taking_over.pth").write_text("import sys; sys.taken_over = True\n", "utf-8")
    asked = [sys.executable, "-c", "import sys; print(hasattr(sys, 'taken_over'))"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answers = []
    for _ in range(2):
        answers.append(subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout)
        shutil.copy(ROOT / "bench/carried/sitecustomize.py", tmp_path)
    assert answers == ["False\n", "True\n"]
