"""The shim strikes the call that it is told to, and its journal tells all that changed a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture import journal
from tests.torture.shim import Strike, build, calls, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler (cc) to build the shim with")
PROGRAM = """
import os
def write(name, text, sync):
    with open(name, "w") as stream:
        stream.write(text)
        stream.flush()
        if sync:
            os.fsync(stream.fileno())
def sync(folder):
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
write("synced", "abcd", True)
sync(".")
write("torn", "efgh", False)
os.mkdir("folder")
os.rename("torn", "folder/moved")
os.link("folder/moved", "linked")
write("old", "new", False)
os.unlink("gone")
"""
BEFORE = {"old": b"before", "gone": b"still"}


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    folder = tmp_path / "watched"
    folder.mkdir()
    for name, content in BEFORE.items():
        (folder / name).write_bytes(content)
    return folder


def _run(shim: Path, watched: Path, strike: Strike | None = None, **files: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "TORTURE_BELOW": os.path.realpath(watched),
        **(strike or Strike()).environment(),
    }
    environment |= {name: str(path) for name, path in files.items()}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=watched, env=environment, capture_output=True, text=True, check=False
    )


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_calls_are_counted(shim: Path, watched: Path, tmp_path: Path) -> None:
    assert _run(shim, watched, TORTURE_LOG=tmp_path / "log").returncode == 0
    seen = calls(tmp_path / "log")
    kinds = [call.kind for call in seen if call.kind != "read"]
    first, second, third = ["open", "write", "sync"], ["open", "write"], ["open", "write"]
    assert kinds == [*first, "sync", *second, "mkdir", "rename", "link", *third, "unlink"]
    assert sum(call.size for call in seen) == 11


def test_a_strike_hits_its_call(shim: Path, watched: Path) -> None:
    assert _run(shim, watched, Strike(("write",), 2, "kill")).returncode == -9
    assert _tree(watched) == {**BEFORE, "synced": b"abcd", "torn": b""}


def test_half_of_a_write(shim: Path, watched: Path) -> None:
    assert _run(shim, watched, Strike(("write",), 2, "torn")).returncode == -9
    assert _tree(watched) == {**BEFORE, "synced": b"abcd", "torn": b"ef"}


def test_an_errno_and_a_full_disk(shim: Path, watched: Path) -> None:
    assert "Errno 18" in _run(shim, watched, Strike(("link",), 1, 18)).stderr
    assert "Errno 28" in _run(shim, watched, Strike(do=28, room=5)).stderr


@pytest.mark.parametrize(
    ("mode", "left"),
    [
        ("nothing", {**BEFORE, "synced": b"abcd"}),
        ("names", {"synced": b"abcd", "folder/moved": b"", "linked": b"", "old": b"before"}),
        ("bytes", {**BEFORE, "synced": b"abcd", "old": b"new"}),
    ],
)
def test_what_a_cut_leaves(shim: Path, watched: Path, tmp_path: Path, mode: str, left: dict[str, bytes]) -> None:
    nodes: dict[int, journal.Node] = {}
    tree = journal.scan(watched, nodes)
    assert _run(shim, watched, TORTURE_JOURNAL=tmp_path / "journal").returncode == 0
    entries = journal.read(tmp_path / "journal")
    journal.write(journal.after_cut(tree, entries, nodes, journal.loss_of(mode, 1)), tmp_path / "after")
    assert _tree(tmp_path / "after") == left
