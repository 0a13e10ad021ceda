"""The program ``seg5b``, also as ``python -m seg5b``: the command line, in a process that is its own."""

from __future__ import annotations

import os
import sys

from seg5b.cli import main


def program() -> None:
    """Run the command line and end the process with its exit status."""
    _do_without_blas()
    main()


def _do_without_blas() -> None:
    """Keep numba from loading scipy's OpenBLAS, which none of our loops call, and numpy's from reserving memory for each core.

    Where address space is short, OpenBLAS asks for its buffers again and again for ever while it is loaded, instead of
    saying so (law L16). Only here, and before numba is imported: as a library, seg5b shares the process with others.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if "numba" not in sys.modules:
        sys.modules.setdefault("scipy.linalg", None)  # type: ignore[arg-type]  # importing it fails, as if it were absent


if __name__ == "__main__":
    program()
