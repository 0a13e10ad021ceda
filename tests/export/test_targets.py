"""Where exports may go, and that they come there whole or not at all (law L18)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b import publish
from seg5b.api import Run, open_run
from seg5b.errors import PublishError
from seg5b.export import Exported, exporting, targets
from seg5b.tables import outgoing
from tests.worlds import copy_run

Export = Callable[..., Exported]
NOBODY = 65534
FEW: dict[str, Any] = {"limit": 5, "columns": ["ts_utc"]}


def refused(export: Callable[..., object], *arguments: Any, **wanted: Any) -> str:
    with pytest.raises(PublishError) as failure:
        export(*arguments, **{**FEW, **wanted})
    assert failure.value.remedy
    return failure.value.code.removeprefix("5B.EXPORT.")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.with_name("real.csv").write_text("mine")
    path.symlink_to("real.csv")


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing.csv")


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("make", [_pipe, _link, _link_to_nothing, _device])
def test_nothing_special_is_written_to_or_replaced(
    export: Export, tmp_path: Path, make: Callable[[Path], None], overwrite: bool
) -> None:
    make(tmp_path / "x.csv")
    before = {path.name: os.lstat(path) for path in tmp_path.iterdir()}
    assert refused(export, "x.csv", overwrite=overwrite) == "TARGET_SPECIAL"
    after = {path.name: os.lstat(path) for path in tmp_path.iterdir()}
    assert {name: (each.st_mode, each.st_ino, each.st_mtime_ns) for name, each in before.items()} == {
        name: (each.st_mode, each.st_ino, each.st_mtime_ns) for name, each in after.items()
    }


def test_standard_output_as_a_file_is_special(run: Run) -> None:
    assert refused(run.export, "/dev/stdout", format="csv", overwrite=True) == "TARGET_SPECIAL"


def test_a_file_is_replaced_only_on_request(export: Export, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("mine")
    assert refused(export, "x.csv") == "TARGET_EXISTS" and file.read_text() == "mine"
    export("x.csv", overwrite=True, **FEW)
    assert file.read_text().startswith("ts_utc\n2026-")
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_replaced_only_if_an_export_made_it(export: Export, tmp_path: Path) -> None:
    wanted: dict[str, Any] = {"format": "csv", "partition_by": ["day"], **FEW}
    export("p", **wanted)
    assert refused(export, "p", **wanted) == "TARGET_EXISTS"
    export("p", **{**wanted, "partition_by": ["month"], "overwrite": True})
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["month=2026-03"]
    mine = tmp_path / "p" / "month=2026-03" / "mine.txt"
    mine.write_text("mine")
    assert refused(export, "p", **wanted, overwrite=True) == "TARGET_NOT_OURS" and mine.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_an_earlier_folder_that_cannot_go_back_is_not_deleted(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, wanted = tmp_path / "days", {"partition_by": ("day",), "format": "csv", "columns": ()}
    export(folder, **{**FEW, **wanted})
    before = sorted(path.name for path in folder.rglob("part-*"))
    rename = Path.rename

    def once(path: Path, target: Path) -> Path:
        if path.suffix == ".old":
            raise OSError(errno.EIO, "no way back")
        return rename(path, target)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "rename", once)
    monkeypatch.setattr(targets, "_put", fail)
    with pytest.raises(OSError, match="no way back"):
        export(folder, **{**FEW, **wanted}, overwrite=True)
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".old" and sorted(path.name for path in kept.rglob("part-*")) == before != []


def test_a_folder_for_a_file_and_a_file_for_a_folder(export: Export, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    assert refused(export, "folder", format="csv", overwrite=True) == "TARGET_EXISTS"
    assert refused(export, "file", format="csv", partition_by=["day"], overwrite=True) == "TARGET_EXISTS"


def test_nothing_is_written_into_a_run(run: Run, tmp_path: Path) -> None:
    root = copy_run(run.root.path.parent, tmp_path)
    (tmp_path / "way").symlink_to(root.path / "data")
    places = [root.path / "run_receipt.csv", root.path / "data" / "x.csv", tmp_path / "way" / "x.csv"]
    for place in places:
        assert refused(run.export, place) == "TARGET_IN_RUN", place
    assert refused(run.export, root.path, format="csv", partition_by=["day"], overwrite=True) == "TARGET_IN_RUN"
    receipt = root.path / "run_receipt.json"
    before = receipt.read_bytes()
    assert (
        refused(run.export, root.path / "run_receipt", format="csv") == "TARGET_IN_RUN"
        and receipt.read_bytes() == before
    )


def test_no_folder_is_made(export: Export, tmp_path: Path) -> None:
    assert refused(export, "none/x.csv") == "NO_FOLDER" and not (tmp_path / "none").exists()


@pytest.mark.parametrize("out", ["http://host/x.csv", "gs://bucket/x.csv", "file:///x.csv"])
def test_other_urls(run: Run, out: str) -> None:
    assert refused(run.export, out) == "TARGET_UNKNOWN"


@pytest.mark.parametrize(("name", "more"), [("x.csv", {}), ("p", {"format": "csv", "partition_by": ["day"]})])
def test_a_failure_leaves_nothing(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, more: dict[str, Any]
) -> None:
    """A full disk, after some rows."""
    genuine = outgoing.TextSink.write

    def write(sink: Any, batch: pa.RecordBatch) -> None:
        genuine(sink, batch)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    export(name, **FEW, **more)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(outgoing.TextSink, "write", write)
    with pytest.raises(OSError, match="No space left"):
        export(name, overwrite=True, **more)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_whoever_comes_first_keeps_the_place(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it comes after the last look."""
    genuine = publish.put_in_place

    def put(staged: Path, target: Path, *, replace: bool) -> None:
        target.write_text("mine")
        genuine(staged, target, replace=replace)

    monkeypatch.setattr(targets, "put_in_place", put)
    assert refused(export, "x.csv") == "TARGET_EXISTS"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_no_row_is_read_for_a_place_that_is_taken(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(*_: object) -> None:
        raise AssertionError("rows are read")

    (tmp_path / "x.csv").write_text("mine")
    monkeypatch.setattr(exporting, "plan", plan)
    assert refused(export, "x.csv") == "TARGET_EXISTS"


# ------------------------------------------------------------------------------------------- the command


def command(run: Run, *words: str) -> list[str]:
    return [sys.executable, "-m", "seg5b", "export", "--runs-root", str(run.root.path.parent), *words]


def test_stdout_holds_rows_and_nothing_else(run: Run, tmp_path: Path) -> None:
    done = subprocess.run(
        command(run, "--out", "-", "--format", "parquet"), capture_output=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 0 and b" rows of arrival_events_5B" in done.stderr
    assert (
        pq.read_table(pa.BufferReader(done.stdout)).num_rows == run.table("arrival_events_5B", "baseline_v1").num_rows
    )
    done = subprocess.run(
        command(run, "--out", "-", "--format", "arrow", "--limit", "3"), capture_output=True, timeout=120
    )
    with pa.ipc.open_stream(done.stdout) as stream:
        assert stream.read_all().num_rows == 3
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_enough_is_no_failure(run: Run) -> None:
    with subprocess.Popen(
        command(run, "--out", "-", "--format", "jsonl"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None and writer.stderr is not None
        assert writer.stdout.readline().startswith(b"{")
        writer.stdout.close()
        told = writer.stderr.read()
        assert writer.wait(60) == 141 and told == b""


def test_whoever_may_only_read_the_run_exports_it(run: Run, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root takes on another user's rights")
    root = copy_run(run.root.path.parent, tmp_path / "runs")
    for path in [root.path, *root.path.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    opened = open_run(root.path.parent)
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    reachable = [path for path in root.path.parents if path.stat().st_uid == 0]
    modes = {path: path.stat().st_mode for path in reachable}
    before = sorted(root.path.rglob("*"))
    opened.export(out / "first.parquet", **FEW)  # loads what it takes, where the other may read it
    try:
        for path in reachable:
            path.chmod(modes[path] | 0o011)
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        with pytest.raises(PermissionError):
            (root.path / "mine").mkdir()
        done = opened.export(out / "x.parquet", order="time", limit=3)
    finally:
        os.seteuid(0)
        os.setegid(0)
        for path in reachable:
            path.chmod(modes[path])
    assert done.rows == pq.read_table(out / "x.parquet").num_rows == 3
    assert sorted(root.path.rglob("*")) == before
