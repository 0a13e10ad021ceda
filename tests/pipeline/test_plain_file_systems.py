"""File systems that know neither hard links nor renaming without replacing, as FAT, some FUSE and network mounts."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.pipeline import STATE_IDS, run_states
from tests.worlds import copy_run


class Library:
    """A C library on such a mount."""

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1


def test_the_same_bytes(
    tiny_world: Path, tmp_path: Path, tiny_digests: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
    monkeypatch.setattr(os, "link", refuse)
    root, contracts = copy_run(tiny_world, tmp_path), ContractSource.packaged()
    run_states(root, contracts, STATE_IDS)
    assert dataset_digests(root, contracts) == tiny_digests
    again = run_states(root, contracts, STATE_IDS)
    assert {result.record["outcome"] for result in again.states} == {"unchanged"}
