"""What S5, the score and replay say of a run; ``python -m tests.mutation.judging RUNS_ROOT`` for other sources than these."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from seg5b.api import open_run, run
from seg5b.errors import Seg5bError, ValidationFailure
from seg5b.options import Options, Tuning
from seg5b.validation.bundle.sealing import REPORT
from seg5b.validation.records import Status
from tests.mutation.worlds import dataset_of


def judge(runs_root: Path, *, scored: bool = True) -> dict[str, Any]:
    """``checks`` of S5 that failed, or its code where it came to no verdict; where there are none, and ``scored``, ``grade``
    and ``gates`` (verdicts by id) of the score."""
    checks = _validated(runs_root)
    return {"checks": checks, **(_scored(runs_root) if scored and not checks else {"grade": "", "gates": {}})}


def _validated(runs_root: Path) -> list[str]:
    options = Options(tuning=Tuning(threads=1), recompute=True)
    try:
        run(runs_root, first="S5", last="S5", backend="cpu", options=options)
    except ValidationFailure as failure:
        report = json.loads((Path(failure.where) / REPORT).read_bytes())
        return [check["check_id"] for check in report["checks"] if check["status"] == Status.FAIL.value]
    except Seg5bError as cause:
        return [f"[{cause.code}]"]
    return []


def _scored(runs_root: Path) -> dict[str, Any]:
    try:
        board = open_run(runs_root).score()
    except Seg5bError as cause:
        return {"grade": f"[{cause.code}]", "gates": {}}
    gates = {gate.gate_id: gate.verdict.value for gate in board.gates}
    return {"grade": str(board.decision.get("grade")), "gates": gates}


def replayed(runs_root: Path) -> list[str]:
    """Datasets that are not what the sealed inputs make."""
    return sorted({dataset_of(problem.path) for problem in open_run(runs_root).replay(backend="cpu").problems})


if __name__ == "__main__":
    print(json.dumps(judge(Path(sys.argv[1]))))
