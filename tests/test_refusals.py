"""Whatever the system refuses ends as one typed failure."""

from __future__ import annotations

import errno
import os

import pyarrow as pa
import pytest

from seg5b.errors import InputError, SystemRefusal
from seg5b.refusals import typed, typed_failures

NUMBERS = {
    errno.ENOSPC: "DISK_FULL",
    errno.EDQUOT: "DISK_FULL",
    errno.EFBIG: "FILE_TOO_LARGE",
    errno.EMFILE: "TOO_MANY_FILES",
    errno.EROFS: "NOT_PERMITTED",
    errno.EACCES: "NOT_PERMITTED",
    errno.EIO: "IO_FAILED",
    errno.EXDEV: "IO_FAILED",
    errno.ENOMEM: "OUT_OF_MEMORY",
}


@pytest.mark.parametrize(("number", "reason"), NUMBERS.items())
def test_what_the_system_refuses(number: int, reason: str) -> None:
    failure = typed(OSError(number, os.strerror(number), "a/file"), "S4")
    assert isinstance(failure, SystemRefusal)
    assert (failure.code, failure.where) == (f"5B.S4.{reason}", "a/file")
    assert os.strerror(number) in failure.what and failure.remedy


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (MemoryError(), "5B.S2.OUT_OF_MEMORY"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), "5B.S2.OUT_OF_MEMORY"),
        (ImportError("_duckdb.so: failed to map segment from shared object"), "5B.S2.OUT_OF_MEMORY"),
        (ImportError("x.so: cannot allocate memory in static TLS block"), "5B.S2.OUT_OF_MEMORY"),
        (ImportError("No module named 'x'"), "5B.S2.UNEXPECTED"),
        (RuntimeError("can't start new thread"), "5B.S2.NO_MORE_THREADS"),
        (OSError("an error of a library, without a number"), "5B.S2.IO_FAILED"),
        (KeyError("x" * 100_000), "5B.S2.UNEXPECTED"),
        (AssertionError(), "5B.S2.UNEXPECTED"),
    ],
)
def test_others(cause: Exception, code: str) -> None:
    failure = typed(cause, "S2")
    assert failure.code == code and 0 < len(failure.what) < 500 and "\n" not in str(failure)


def test_a_fault_of_the_program_names_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Exception, match=r"5B\.RUN\.UNEXPECTED") as failure, typed_failures("RUN"):
        typed(ValueError(), 2 / 0)  # type: ignore[arg-type]
    assert "seg5b/refusals.py:" in failure.value.where  # type: ignore[attr-defined]
    assert "Traceback" in caplog.text


def test_a_typed_failure_stays_what_it_is() -> None:
    known = InputError("5B.S1.X", "what")
    assert typed(known, "S4") is known
