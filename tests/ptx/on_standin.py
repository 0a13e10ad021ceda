"""Programs that need the stand-in driver: it is loaded for a whole process, and would be found by everything in it.

`on_standin` runs a function of `tests.ptx.scenes` in a process of its own and gives what it returned.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.ptx.places import REPOSITORY, SHARED


def on_standin(scene: str, *arguments: Any, timeout_s: float = 300) -> Any:
    """What ``scene`` returns for the arguments (JSON values); an error of it fails the test with its words."""
    search = [
        str(REPOSITORY),
        str(REPOSITORY / "kernels"),
        *SHARED,
        *os.environ.get("PYTHONPATH", "").split(os.pathsep),
    ]
    process = subprocess.run(
        [sys.executable, "-m", "tests.ptx.on_standin", scene, json.dumps(arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


if __name__ == "__main__":
    from tests.ptx import scenes
    from tests.ptx.driver import load

    load()  # before anything looks for a driver
    print("\n" + json.dumps(getattr(scenes, sys.argv[1])(*json.loads(sys.argv[2]))))
