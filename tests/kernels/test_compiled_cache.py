"""Kept compiled functions: found again, made again where they are damaged, done without where they cannot be kept."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import seg5b_compiled
from numba import njit
from seg5b_compiled import cache_folder, kept, source_digest


def twice(x: int) -> int:
    return 2 * x


def compiled(folder: Path) -> Any:
    return kept(njit(cache=True), twice, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds `twice` for integers."""
    assert compiled(tmp_path)(4) == 8
    return tmp_path


def files(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.rglob(f"*{suffix}"))


def test_a_kept_function_is_not_compiled_again(folder: Path) -> None:
    again = compiled(folder)
    assert again(5) == 10
    assert sum(again.stats.cache_hits.values()) == 1


def test_the_log_says_what_is_compiled_and_not_what_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="seg5b.compiled")
    compiled(tmp_path)(4)
    begun, ended = (record.getMessage() for record in caplog.records)
    assert begun == "compiling twice" and ended.startswith("compiled twice in ") and ended.endswith(" s")
    caplog.clear()
    compiled(tmp_path)(4)
    assert not caplog.records


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "other"])
def test_a_damaged_file_is_made_again(folder: Path, suffix: str, damage: str) -> None:
    (file,) = files(folder, suffix)
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    file.write_bytes({"empty": b"", "half": content[:middle], "flipped": flipped, "other": b"x" * 4096}[damage])
    again = compiled(folder)
    assert again(5) == 10
    assert not again.stats.cache_hits
    assert sum(compiled_and_called(folder).stats.cache_hits.values()) == 1, "it is sound again"


def compiled_and_called(folder: Path) -> Any:
    function = compiled(folder)
    assert function(6) == 12
    return function


def test_a_full_disk_only_costs_the_next_start_a_compilation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in files(folder, ".nb?"):
        file.unlink()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(seg5b_compiled, "_write", full)
    assert compiled(folder)(7) == 14
    assert not files(folder, ".nb?")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    cache_folder.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("a") == tmp_path / "seg5b" / "a"


@pytest.mark.usefixtures("fresh")
def test_without_a_cache_it_lies_where_only_this_user_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = tmp_path / f"seg5b-{os.geteuid()}"
    assert cache_folder("b") == mine / "b"
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("trap", ["open", "link"])
def test_a_folder_that_others_may_fill_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine, elsewhere = tmp_path / f"seg5b-{os.geteuid()}", tmp_path / "elsewhere"
    if trap == "open":
        mine.mkdir()
        mine.chmod(0o777)
    else:
        elsewhere.mkdir(mode=0o700)
        mine.symlink_to(elsewhere)
    used = cache_folder("c")
    assert used.parent == tmp_path and used != mine and stat.S_IMODE(used.stat().st_mode) == 0o700


def test_another_source_another_folder(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = source_digest(tmp_path)
    (tmp_path / "a.py").write_text("2")
    assert source_digest(tmp_path) != before


def test_what_another_release_of_numba_kept_is_made_again(folder: Path) -> None:
    """Its classes may have other names, which the unpickler meets before anybody asks for the release."""
    (index,) = folder.rglob("*.nbi")
    theirs = b"cnumba.core.types.of_another_release\nInteger\n."
    index.write_bytes(hashlib.sha256(theirs).digest() + theirs)
    assert compiled(folder)(5) == 10
    assert index.read_bytes()[32:] != theirs
    (data,) = folder.rglob("*.nbc")
    data.write_bytes(hashlib.sha256(theirs).digest() + theirs)
    assert compiled(folder)(6) == 12
