"""What the system refuses S5, or its engine, is no verdict about the run (law L16)."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from seg5b import foreign_json
from seg5b.contracts import ContractSource
from seg5b.engines import LocalEngine
from seg5b.errors import NO_VERDICT, BackendError, EngineError, Seg5bError, SystemRefusal
from seg5b.options import Options
from seg5b.part_scan import kept
from seg5b.part_scan.arrivals import scan as arrival_scan
from seg5b.pipeline import run_states
from seg5b.query import Database
from seg5b.runs.ledger import last_records
from seg5b.runs.root import RunRoot
from seg5b.validation.bundle.verify import verify_validation_bundle
from tests.worlds import copy_run

CONTRACTS = ContractSource.packaged()
AGAIN = Options(recompute=True)


def raising(cause: BaseException) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise cause

    return refuse


def said(number: int) -> OSError:
    return OSError(number, os.strerror(number), "a/file")


class Lost(LocalEngine):
    """An engine whose scheduler goes while parts are looked at."""

    def run(self, function: Any, items: Any) -> Iterator[Any]:
        raise EngineError("5B.ENGINE.SCHEDULER_LOST", "the scheduler is lost")


def unreadable_part(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kept, "remembered_sha256", raising(said(errno.EIO)))


def no_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arrival_scan, "scan_part", raising(MemoryError("malloc of size 64 failed")))


def too_many_files(patch: pytest.MonkeyPatch) -> None:
    """Only where S5 hashes what was published: the gate was opened before."""
    true = hashlib.file_digest

    def digest(stream: Any, name: str) -> Any:
        if "arrival_events" in str(stream.name):
            raise said(errno.EMFILE)
        return true(stream, name)

    patch.setattr(kept, "remembered_sha256", lambda file: hashlib.sha256(str(file).encode()).hexdigest())
    patch.setattr(hashlib, "file_digest", digest)


def query_memory(patch: pytest.MonkeyPatch) -> None:
    """Of the one query for all row checks of a table."""
    spoil_queries(
        patch,
        "SELECT coalesce(count(*)",
        duckdb.OutOfMemoryException("Out of Memory Error: failed to pin block of size 256.0 KiB"),
    )


def query_space(patch: pytest.MonkeyPatch) -> None:
    """Of the query of a single check."""
    spoil_queries(
        patch,
        "SELECT (SELECT count(*) FROM",
        duckdb.IOException('IO Error: Could not write file "x": No space left on device'),
    )


def spoil_queries(patch: pytest.MonkeyPatch, beginning: str, cause: duckdb.Error) -> None:
    """Queries that begin like this fail; all others work."""
    true = Database.rows

    def rows(self: Database, sql: str) -> Any:
        if sql.strip().startswith(beginning):
            return true(Database(type("Spoiled", (), {"execute": raising(cause)})()), sql)
        return true(self, sql)

    patch.setattr(Database, "rows", rows)


def unreadable_log(patch: pytest.MonkeyPatch) -> None:
    true = foreign_json._content

    def content(path: Path) -> bytes:
        if path.name == "rng_trace_log.jsonl":
            raise said(errno.EIO)
        return true(path)

    patch.setattr(foreign_json, "_content", content)


def lost_engine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LocalEngine, "run", Lost.run)


def lost_device(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arrival_scan, "scan_part", raising(BackendError("5B.BACKEND.DEVICE_FAILED", "the device is lost")))


REFUSALS = [
    (unreadable_part, "5B.S5.IO_FAILED"),
    (no_memory, "5B.S5.OUT_OF_MEMORY"),
    (too_many_files, "5B.S5.TOO_MANY_FILES"),
    (query_memory, "5B.QUERY.OUT_OF_MEMORY"),
    (query_space, "5B.QUERY.DISK_FULL"),
    (unreadable_log, "5B.S5.IO_FAILED"),
    (lost_engine, "5B.ENGINE.SCHEDULER_LOST"),
    (lost_device, "5B.BACKEND.DEVICE_FAILED"),
]


@pytest.mark.parametrize(("refuse", "code"), REFUSALS, ids=[refuse.__name__ for refuse, _ in REFUSALS])
def test_a_refusal_is_no_verdict(
    tiny_arrivals: Path, tmp_path: Path, refuse: Callable[[pytest.MonkeyPatch], None], code: str
) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        refuse(patch)
        with pytest.raises(Seg5bError) as failure:
            run_states(root, CONTRACTS, ("S5",))
    assert (failure.value.code, isinstance(failure.value, NO_VERDICT)) == (code, True)
    record = last_records(root)["S5"]
    assert (record["status"], record["error_code"]) == ("FAIL", code)
    assert not reports_of_failure(root)
    run_states(root, CONTRACTS, ("S5",))
    assert not verify_validation_bundle(root, CONTRACTS).problems


def reports_of_failure(root: RunRoot) -> list[Path]:
    return list(root.path.rglob("*validation_failed*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_tables_that_cannot_be_kept_are_used_all_the_same(
    tiny_arrivals: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "_keep", raising(said(number)))
        caplog.set_level(logging.WARNING, "seg5b")
        run_states(root, CONTRACTS, ("S5",))
    told = [record.getMessage() for record in caplog.records if "cannot be kept" in record.getMessage()]
    assert len(told) == 1 and os.strerror(number) in told[0]
    assert not (root.kept() / "parts").exists()
    digest = last_records(root)["S5"]["bundle_digest"]
    run_states(root, CONTRACTS, ("S5",), options=AGAIN)
    assert last_records(root)["S5"]["bundle_digest"] == digest and (root.kept() / "parts").exists()


def test_a_file_that_is_gone_is_a_verdict(tiny_arrivals: Path, tmp_path: Path) -> None:
    """Its opposite: what is not there says something about the run."""
    root = copy_run(tiny_arrivals, tmp_path)
    next(root.path.rglob("s4_arrival_summary*.parquet")).unlink()
    with pytest.raises(Seg5bError) as failure:
        run_states(root, CONTRACTS, ("S5",))
    assert not isinstance(failure.value, SystemRefusal) and reports_of_failure(root)
