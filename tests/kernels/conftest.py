"""What kernel tests share: the known answers, the helpers beside this file, and the bench's inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Programs of this folder run on their own in other environments, so what they share are plain modules, not packages.
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "bench")]

from seg5b.backends.cpu import CpuBackend  # noqa: E402


@pytest.fixture(scope="session")
def known_answers() -> Callable[[str], list[list[str]]]:
    """``known_answers(kind)``: the fields of each case of a kind in ``kat_vectors.txt``."""
    lines = (HERE / "kat_vectors.txt").read_text(encoding="ascii").splitlines()
    cases = [line.split() for line in lines if line and not line.startswith("#")]

    def of_kind(kind: str) -> list[list[str]]:
        found = [fields for name, *fields in cases if name == kind]
        assert found, kind
        return found

    return of_kind


@pytest.fixture(scope="session")
def cpu() -> CpuBackend:
    return CpuBackend()
