"""Asks every reader in environments of its own, newest and oldest, and writes the reference page:

    python -m tests.readers FOLDER

FOLDER keeps the environments and what was asked about. Ends with 1 where a reader is wrong that should not be.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.docs.blocks import ROOT
from tests.docs.run_page import run_page
from tests.readers.asking import READERS, Answers
from tests.readers.material import make_material
from tests.readers.page import page
from tests.worlds import TINY

PAGE: Final = ROOT / "docs/reference/readers.md"
HOW_TO: Final = "docs/how-to/read.md"
ZONE: Final = "America/New_York"
"""The clock of the machine while readers are asked: one that has a night of its own, the same as the worlds'."""
PATIENCE_S: Final = 900


def requirements(*, oldest: bool) -> list[str]:
    """The extra ``readers``, as it is or with the oldest release of each that it allows."""
    extra: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"][
        "readers"
    ]
    return [each.replace(">=", "==") if oldest else each for each in extra]


def environment(place: Path, wanted: list[str]) -> Path:
    """The Python of an environment with what is wanted; made where it is not there yet."""
    python, made_with = place / "bin/python", place / "made_with.json"
    if not made_with.exists() or json.loads(made_with.read_text("utf-8")) != wanted:
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--upgrade", "pip"], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
        made_with.write_text(json.dumps(wanted), "utf-8")
    return python


def answers_of(python: str | Path, packages: Iterable[str], material: Path) -> dict[str, Answers]:
    """Answers of the readers that an environment has, by package, asked in one process. Raises `RuntimeError` where they
    cannot be asked."""
    words = [str(python), "-W", "ignore", "-m", "tests.readers.asking", str(material), *packages]
    here = {**os.environ, "TZ": ZONE, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=here, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode:
        raise RuntimeError(f"{', '.join(packages)}: {done.stderr[-2000:]}")
    return {package: Answers(**found) for package, found in json.loads(done.stdout).items()}


def every_answer(python: Path, material: Path) -> dict[str, Answers]:
    """Answers of all readers that an environment has, each asked alone."""
    found: dict[str, Answers] = {}
    for package in READERS:
        found |= answers_of(python, [package], material)
        if package in found:
            told = "; ".join(faults(package, found[package])) or "right"
            print(f"{package} {found[package].releases[package]}: {told}", flush=True)
    return found


def faults(package: str, answers: Answers) -> Iterator[str]:
    """What is wrong in ways of which every answer is demanded."""
    for way, wrong in zip(READERS[package].ways, answers.wrong, strict=True):
        for question, what in wrong.items():
            if what and not way.fault:
                yield f"{way.whole}: {question}: {what}"


def main(place: Path) -> int:
    """Ask everything; returns the status to end with."""
    material = place / "material"
    shutil.rmtree(material, ignore_errors=True)
    make_material(material)
    environments = {
        name: environment(place / name, requirements(oldest=name == "oldest")) for name in ("oldest", "newest")
    }
    asked = {name: every_answer(python, material) for name, python in environments.items()}
    PAGE.write_text(page(asked["oldest"], asked["newest"]), "utf-8")
    runs = TINY.make(place / "material/how-to/runs").path.parent
    subprocess.run([sys.executable, "-m", "seg5b", "run", "--runs-root", str(runs), "--to", "S4"], check=True)
    run_page(HOW_TO, runs.parent, environments["newest"], by="make readers")
    return int(
        any(fault for each in asked.values() for package, found in each.items() for fault in faults(package, found))
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
