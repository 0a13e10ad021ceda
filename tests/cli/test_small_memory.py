"""A process that is given little address space says so soon, or does its work in it (law L16)."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from seg5b.refusals import LEAST_ADDRESS_SPACE_B
from tests.worlds import copy_run

PATIENCE_S = 150


def limited(size: int | None, *command: str) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if size is not None:
            resource.setrlimit(resource.RLIMIT_AS, (size, size))

    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=PATIENCE_S, preexec_fn=limit
    )


@pytest.mark.parametrize(
    "short", [LEAST_ADDRESS_SPACE_B // 8, LEAST_ADDRESS_SPACE_B // 2, LEAST_ADDRESS_SPACE_B - 4096]
)
def test_a_run_in_too_little_says_so_at_once(tiny_world: Path, short: int) -> None:
    done = limited(short, "-m", "seg5b", "run", "--json", "--runs-root", str(tiny_world))
    assert done.returncode == 1, done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["code"], "ulimit -v 4000000" in error["remedy"]) == ("5B.RUN.OUT_OF_MEMORY", True)


def test_a_run_in_what_is_asked_for_ends_well(tiny_world: Path, tmp_path: Path) -> None:
    runs_root = copy_run(tiny_world, tmp_path).path.parent
    done = limited(LEAST_ADDRESS_SPACE_B, "-m", "seg5b", "run", "--json", "--runs-root", str(runs_root))
    assert done.returncode == 0, done.stdout + done.stderr


def test_python_is_told_too(tiny_world: Path) -> None:
    program = f"import seg5b\ntry: seg5b.run({str(tiny_world)!r})\nexcept seg5b.errors.SystemRefusal as told: print(told.code)"
    assert limited(LEAST_ADDRESS_SPACE_B // 2, "-c", program).stdout == "5B.RUN.OUT_OF_MEMORY\n"


LOADS = """
import resource, sys
import numpy.random, numpy.testing, pyarrow
import seg5b.__main__
seg5b.__main__._do_without_blas()
import numba
from numba.np import ufunc
size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) << 10
resource.setrlimit(resource.RLIMIT_AS, (size + (40 << 20), size + (40 << 20)))
import numba.np.arraymath
print(sys.modules["scipy.linalg"])
"""
"""What numba loads with its first loop, with room for the code of scipy's OpenBLAS and not for its buffers."""


def test_the_command_line_loads_no_blas_for_numba() -> None:
    pytest.importorskip("scipy")
    done = limited(None, "-c", LOADS)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


READS = """
import resource, sys
from pathlib import Path
from seg5b.clocks import read_tz_cache
from seg5b.contracts import load_yaml
from seg5b.errors import InputError
from seg5b.foreign_json import read_json
size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) << 10
resource.setrlimit(resource.RLIMIT_AS, (size + (4 << 20), size + (4 << 20)))
small = Path(sys.argv[1])
print(read_json(small), load_yaml(small, code="X"))
try:
    read_tz_cache(small, code="X")
except InputError as failure:
    print(failure.code)
"""


def test_a_small_file_is_read_in_little_memory(tmp_path: Path) -> None:
    """The limits on what is read are no sizes of what is reserved."""
    small = tmp_path / "small"
    small.write_text('{"a": 1}')
    done = limited(None, "-c", READS, str(small))
    assert (done.returncode, done.stdout.split()) == (0, ["{'a':", "1}", "{'a':", "1}", "X"]), done.stderr


def test_a_library_leaves_the_process_as_it_is() -> None:
    program = "import sys, seg5b.api, seg5b.cli; print('scipy.linalg' in sys.modules)"
    assert limited(None, "-c", program).stdout == "False\n"
