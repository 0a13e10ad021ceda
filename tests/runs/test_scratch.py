"""Scratch of readers outlives a run that starts meanwhile, and not the reader."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seg5b.runs import scratch
from seg5b.runs.lock import exclusive
from seg5b.runs.owner import this_process
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import elsewhere, reader_scratch


@pytest.fixture(params=["locks", errno.ENOLCK, errno.EOPNOTSUPP])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system with locks, or one that answers flock with an error; what a program does that meets it too."""
    if request.param == "locks":
        return ""

    def refuse(*_: Any) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)
    return f"""
def refuse(*_):
    raise OSError({request.param}, "no locks")
fcntl.flock = refuse"""


@contextmanager
def reader(root: RunRoot, kind: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that reads the run, with its scratch folder; it ends when its input does."""
    program = f"""
import fcntl, sys
from pathlib import Path
from seg5b.runs import open_root
from seg5b.runs.scratch import reader_scratch
{kind}
with reader_scratch(open_root(Path({str(root.path.parent)!r})), "score") as folder:
    (folder / "spilled").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_run_that_starts_leaves_readers_alone(root: RunRoot, kind: str) -> None:
    with reader(root, kind) as (process, folder), exclusive(root):
        assert folder.parent == root.path.absolute() / "tmp"
        assert (folder / "spilled").exists()
        process.communicate("", timeout=60)
        assert process.returncode == 0 and not folder.exists()


def test_what_a_killed_reader_left_is_swept(root: RunRoot, kind: str) -> None:
    with reader(root, kind) as (process, folder):
        process.kill()
        process.wait(60)
        assert folder.exists()
        with exclusive(root):
            assert not folder.exists()


def test_a_folder_that_is_swept_before_it_is_locked_is_not_used(root: RunRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    true = this_process

    def swept() -> dict[str, Any]:
        (folder,) = (root.path / "tmp").iterdir()
        made.append(folder)
        if len(made) < 3:
            shutil.rmtree(folder)
        return true()

    monkeypatch.setattr(scratch, "this_process", swept)
    with reader_scratch(root, "score") as folder:
        assert len(made) == 3 and folder == made[-1].absolute() and folder.is_dir()


def test_what_lies_elsewhere_goes_with_the_scratch(root: RunRoot) -> None:
    with reader_scratch(root, "score") as folder:
        other = elsewhere(folder)
        assert not other.exists() and not other.is_relative_to(root.path)
        (other / "deep").mkdir(parents=True)
    assert not other.exists()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_run_that_cannot_be_written_to_is_read_all_the_same(
    root: RunRoot, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    true = Path.mkdir

    def mkdir(self: Path, *arguments: Any, **options: Any) -> None:
        if self.is_relative_to(root.path.absolute()):
            raise OSError(number, os.strerror(number), str(self))
        true(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with reader_scratch(root, "score") as folder:
        assert folder.is_dir() and not folder.is_relative_to(root.path)
    assert not folder.exists()
