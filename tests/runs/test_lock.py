"""One writer to a run: who it is, and file systems without locks."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seg5b.errors import RunError
from seg5b.runs.lock import exclusive, writer_of
from seg5b.runs.root import RunRoot


@pytest.fixture(params=["locks", errno.ENOLCK, errno.EOPNOTSUPP])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A file system with locks, or one that answers flock with an error."""
    if request.param != "locks":

        def refuse(*_: Any) -> None:
            raise OSError(request.param, os.strerror(request.param))

        monkeypatch.setattr(fcntl, "flock", refuse)
    return request.param


@pytest.mark.usefixtures("kind")
def test_the_second_is_told_who_the_first_is(root: RunRoot) -> None:
    with exclusive(root):
        with pytest.raises(RunError) as failure, exclusive(root):
            pass
        assert failure.value.code == "5B.RUN.BUSY"
        assert f"process {os.getpid()} of " in failure.value.what and "for 0 min" in failure.value.what
        assert f"process {os.getpid()}" in writer_of(root)
    assert writer_of(root) == ""
    with exclusive(root):
        pass
    assert not any(root.tmp().iterdir())


@pytest.mark.usefixtures("kind")
def test_scratch_is_swept_but_not_what_is_kept(root: RunRoot) -> None:
    (root.kept() / "S4").mkdir(parents=True)
    (root.tmp() / "S4_left").mkdir()
    (root.tmp() / "file").touch()
    with exclusive(root):
        assert not (root.tmp() / "S4_left").exists() and not (root.tmp() / "file").exists()
        assert (root.kept() / "S4").exists()


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


OF_NO_TIME = '{"host": "elsewhere", "process": 1, "command": "", "since_utc": "0001-01-01T00:00:00+23:59"}'
"""Valid in its form; the moment lies before the first that can be told in UTC."""


def left_by(root: RunRoot, **changed: Any) -> Path:
    """A lock file as a process that has ended leaves it."""
    with exclusive(root):
        owner = json.loads((root.tmp() / "writer.lock").read_text())
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    path = root.tmp() / "writer.lock"
    path.write_text(json.dumps({**owner, "process": ended.pid, **changed}))
    return path


@pytest.mark.usefixtures("no_locks")
def test_a_lock_file_of_a_process_that_ended_is_taken_over(root: RunRoot) -> None:
    left_by(root)
    with exclusive(root):
        assert str(os.getpid()) in (root.tmp() / "writer.lock").read_text()


@pytest.mark.usefixtures("no_locks")
def test_the_number_of_a_process_may_be_another_ones_now(root: RunRoot) -> None:
    left_by(root, process=os.getpid(), process_started="another start")
    with exclusive(root):
        pass


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("content", ["other host", "", "[" * 100_000, '{"process": 1}', "null", OF_NO_TIME])
def test_a_lock_file_that_nobody_here_can_judge_is_respected(root: RunRoot, content: str) -> None:
    path = left_by(root, host="elsewhere")
    if content != "other host":
        path.write_text(content)
    with pytest.raises(RunError) as failure, exclusive(root):
        pass
    assert failure.value.code == "5B.RUN.BUSY" and str(path) in failure.value.remedy


@pytest.mark.usefixtures("no_locks")
def test_one_at_a_time_takes_a_lock_over(root: RunRoot) -> None:
    path = left_by(root)
    guard = path.with_name("writer.lock.taken-over")
    guard.mkdir()
    with pytest.raises(RunError, match="BUSY"), exclusive(root):
        pass
    assert path.exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_process_that_was_forked_meanwhile_does_not_keep_the_lock(root: RunRoot) -> None:
    reading, writing = os.pipe()
    with exclusive(root):
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # until the parent lets it go
            os._exit(0)
    try:
        with exclusive(root):
            pass
    finally:
        os.close(writing)
        os.waitpid(child, 0)
        os.close(reading)


def test_a_lock_that_finds_no_room_leaves_nothing(root: RunRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    true = Path.write_text

    def write(self: Path, *arguments: Any) -> int:
        true(self, "")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", write)
        with pytest.raises(OSError, match="No space left"), exclusive(root):
            pass
    assert not any(root.tmp().iterdir())
    with exclusive(root):
        pass


def test_a_killed_process_leaves_no_lock(root: RunRoot) -> None:
    program = f"""
import os, signal, sys
from pathlib import Path
from seg5b.runs import open_root
from seg5b.runs.lock import exclusive
with exclusive(open_root(Path({str(root.path.parent)!r}), {root.identity.run_id!r})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert (root.tmp() / "writer.json").exists() and writer_of(root) == ""
    with exclusive(root):
        pass
