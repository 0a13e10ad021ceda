"""A program: `seg5b` with the arguments given, halted in S4 when its first part is kept and the second is complete.

Says so in one line on standard output and waits to be killed, so that a test need not guess when to kill it.
"""

from __future__ import annotations

import sys
from threading import Event, Lock
from typing import Any

from seg5b.cli import main
from seg5b.parts import FinishedPart, PartCheckpoints

HALTED = "halted"


def halt_after_one_part() -> None:
    """From now on, `PartCheckpoints.keep` keeps one part and then never returns."""
    keep, lock, kept = PartCheckpoints.keep, Lock(), list[int]()

    def keep_one(self: PartCheckpoints, number: int, *part: Any) -> FinishedPart:
        if "S4" not in self.folder.parts:
            return keep(self, number, *part)
        with lock:
            if kept:
                print(HALTED, flush=True)
                Event().wait()
            kept.append(number)
            return keep(self, number, *part)

    PartCheckpoints.keep = keep_one  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    halt_after_one_part()
    main(sys.argv[1:])
