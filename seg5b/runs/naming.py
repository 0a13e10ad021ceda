"""Which run is meant: the newest, one by its id, or one by the beginning of its id."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from seg5b.errors import RunError, shown
from seg5b.runs.identity import HEX32
from seg5b.runs.root import RECEIPT_NAME, latest_run_id

LATEST: Final = "latest"
_PREFIX: Final = re.compile(r"[0-9a-f]{4,31}")
_NAMED: Final = 8


def find_run_id(runs_root: Path, named: str | None) -> str:
    """Run id of the run below ``runs_root`` that is meant by ``named``: None or ``latest`` the newest receipt, else a run id,
    or at least four hexadecimal digits with which a single one begins.

    Raises `RunError` ``5B.RUN.NO_RUN`` where there is none, listing those there are; ``5B.RUN.RUN_ID_AMBIGUOUS`` where there
    are several.
    """
    if named in (None, LATEST):
        return latest_run_id(runs_root)
    name = str(named).lower()
    if HEX32.fullmatch(name):
        return name
    known = sorted(path.parent.name for path in runs_root.glob(f"*/{RECEIPT_NAME}"))
    found = [run_id for run_id in known if run_id.startswith(name)] if _PREFIX.fullmatch(name) else []
    if len(found) == 1:
        return found[0]
    if found:
        what, remedy = f"{shown(named)} is the beginning of {len(found)} runs", f"name more of it: {_list(found)}"
        raise RunError("5B.RUN.RUN_ID_AMBIGUOUS", what, where=str(runs_root), remedy=remedy)
    what = f"no run below {runs_root} is called {shown(named)}"
    remedy = f"choose among {_list(known)}" if known else "make a world: `seg5b world make`"
    raise RunError("5B.RUN.NO_RUN", what, where=str(runs_root), remedy=remedy)


def _list(run_ids: list[str]) -> str:
    return ", ".join(run_ids[:_NAMED]) + (f" and {len(run_ids) - _NAMED} more" if len(run_ids) > _NAMED else "")
