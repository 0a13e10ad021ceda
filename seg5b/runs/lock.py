"""One writer per run."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from seg5b.errors import RunError
from seg5b.runs.root import RECEIPT_NAME, RunRoot


@contextmanager
def exclusive(root: RunRoot) -> Iterator[None]:
    """Hold the run for writing; what a killed process left in ``tmp/`` is removed first, less what it meant to keep.

    The lock is an advisory one on the receipt, so it ends with the process, however that ends. Raises `RunError`
    ``5B.RUN.BUSY`` when another process writes to the run.
    """
    with (root.path / RECEIPT_NAME).open("rb") as receipt:
        try:
            fcntl.flock(receipt, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                "5B.RUN.BUSY",
                "another process is writing to this run",
                where=str(root.path),
                remedy="wait for it to end, or work on another run",
            ) from None
        for leftover in set(root.tmp().iterdir()) - {root.kept()}:
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        yield
