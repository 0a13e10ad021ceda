"""Runs a page of documentation: its blocks one after another in one process, as a reader would in one session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.docs.blocks import ROOT, blocks_of

PATIENCE_S: Final = 900
_SESSION: Final = """
import json, os, subprocess, sys
shell = os.getcwd()  # a terminal beside the session, which may go elsewhere
session = {"__name__": "__main__"}
for place, language, body in json.load(sys.stdin):
    print(place, flush=True)
    if language == "sh":
        subprocess.run(["bash", "-euo", "pipefail", "-c", body], check=True, stdin=subprocess.DEVNULL, cwd=shell)
    else:
        exec(compile(body, place, "exec"), session)
"""


def run_page(page: str, folder: Path, python: str | Path = sys.executable, *, by: str = "") -> None:
    """Run the blocks of a page of the repository in ``folder``. ``python``: runs those of Python; commands are always those
    of this environment. ``by``: who runs, besides, the blocks that say so instead of why they are not run. Raises
    `AssertionError`, which names the block that failed."""
    blocks = [each for each in blocks_of((ROOT / page).read_text("utf-8"), page) if each.language in ("sh", "python")]
    chosen = [each for each in blocks if not each.reason or (by and f"{by} runs it" in each.reason)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("SEG5B_RUNS_ROOT", None)
    done = subprocess.run(
        [str(python), "-c", _SESSION],
        input=json.dumps([[each.place, each.language, each.body] for each in chosen]),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, (
        f"{page}: the last block named here fails\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
