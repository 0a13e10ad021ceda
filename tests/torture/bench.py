"""What cases share: a tiny world, the run that nothing happened to, and commands that are run under the shim."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from typing import IO, Any

from seg5b.api import open_run
from seg5b.digests import dataset_digests
from tests.torture.shim import Strike, build, calls
from tests.torture.verdict import Ended
from tests.worlds import JUDGED

REPOSITORY = Path(__file__).parents[2]
LIMIT_S = 120.0
"""A command that takes longer hangs."""
COLD_S = 600.0
"""So does the first command of all, which may have to compile every loop."""
IDLE_S = 20.0
"""So does one that has not computed for so long: no case waits for anything but itself."""
HERE = {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "kernels")))}
PROGRAM = (sys.executable, "-W", "ignore", "-m", "tests.torture.serving")


class Bench:
    """A folder with the shim, a world (not realised), and servers that run commands on copies of it."""

    def __init__(self, folder: Path, servers: int = 1) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.shim = build(self.folder)
        self.world = JUDGED.make(self.folder / "world").path.parent
        self.clean = self.copy(self.world, self.folder / "clean")
        self.fresh = False
        """Whether every command gets a process of its own: slower, and free of what forks bring with them."""
        self.plant = ""
        """A defect of `tests.torture.planted` that every command has."""
        log = self.folder / "calls"
        environment = self._environment({}, None, self.clean, {"TORTURE_LOG": log})
        with self.started("run", "--runs-root", self.clean, env=environment) as process:
            ended = process.ended(COLD_S)
        if ended.status:
            raise RuntimeError(ended.err)
        seen = calls(log)
        self.calls = Counter(call.kind for call in seen)
        self.bytes_written = sum(call.size for call in seen)
        run = open_run(self.clean)
        self.digests = dataset_digests(run.root, run.contracts)
        self._servers: Queue[_Server] = Queue()
        warm = [self.copy(self.world, self.folder / f"warm{number}") for number in range(servers)]
        for server in [_Server(runs_root, self.environment()) for runs_root in warm]:
            server.come_up()
            self._servers.put(server)

    def numbered(self, kind: str, point: int, points: int) -> int:
        """Number of a call of a kind: the ``point``-th (from 1) of ``points`` that lie evenly over an untouched run."""
        total = self.calls[kind]
        return max(1, min(total, round(point * total / points)))

    def close(self) -> None:
        """End the servers."""
        while not self._servers.empty():
            self._servers.get().close()

    def copy(self, source: Path, target: Path) -> Path:
        """A copy of a runs root, with its hard links parted."""
        return Path(shutil.copytree(source, target))

    def run_of(self, runs_root: Path) -> Path:
        """The one run below a runs root."""
        (receipt,) = runs_root.glob("*/run_receipt.json")
        return receipt.parent

    def seg5b(
        self,
        *argv: str | Path,
        strike: Strike | None = None,
        below: Path | None = None,
        env: Mapping[str, str] = {},
        plain: bool = False,
        also: Mapping[str, Path] = {},
        user: int | None = None,
        **how: Any,
    ) -> Ended:
        """Run a command to its end.

        ``strike``: what to break ``below`` a folder; ``env``: variables beside those of this process; ``plain``: in a process of
        its own; ``also``: files of the shim by variable, such as TORTURE_LOG; ``user``: who runs it, if not this user, with
        ``limits``, forked from a process that has loaded what that user may not reach; other ``how``: as for `started`, plain as
        well.
        """
        command = [os.fspath(word) for word in argv]
        environment = self._environment(env, strike, below, also)
        if user is None and (plain or how or self.fresh):
            with self.started(*argv, env=environment, **how) as process:
                return process.ended()
        server = self._servers.get()
        try:
            return server.run(command, environment, self.plant, how.get("limits", {}), user)
        finally:
            self._servers.put(server)

    @contextmanager
    def started(
        self,
        *argv: str | Path,
        env: Mapping[str, str],
        limits: Mapping[int, int] = {},
        umask: int = -1,
        python: Path = Path(sys.executable),
    ) -> Iterator[Process]:
        """A command under way in a process of its own; it is killed if it is left so. ``limits``: resource limits by
        number; ``python``: another interpreter."""

        def lower() -> None:
            for limit, value in limits.items():
                resource.setrlimit(limit, (value, value))

        out, err = _outputs(self.folder)
        command = [str(python), *PROGRAM[1:], "-", self.plant, *(os.fspath(word) for word in argv)]
        with out.open("wb") as said, err.open("wb") as told:
            popen = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=dict(env) | HERE,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=told,
                preexec_fn=lower if limits else None,
                umask=umask,
            )
        process = Process(popen, out, err)
        try:
            yield process
        finally:
            if popen.poll() is None:
                popen.kill()
            popen.wait()
            out.unlink(missing_ok=True)
            err.unlink(missing_ok=True)

    def _environment(
        self, env: Mapping[str, str], strike: Strike | None, below: Path | None, also: Mapping[str, Path]
    ) -> dict[str, str]:
        found = {**os.environ, "LD_PRELOAD": str(self.shim), **env}
        if below is not None:
            found["TORTURE_BELOW"] = os.path.realpath(below)
        if strike is not None:
            found |= strike.environment()
        return found | {name: str(path) for name, path in also.items()}

    def environment(self, **env: str) -> dict[str, str]:
        """Of a command that nothing happens to."""
        return self._environment(env, None, None, {})


class Process:
    """A command in a process of its own."""

    def __init__(self, popen: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.popen, self._out, self._err, self._start = popen, out, err, time.monotonic()

    def ended(self, limit_s: float = LIMIT_S) -> Ended:
        """Wait for it, but not for ever."""
        hung = _watch(self.popen.pid, lambda: self.popen.poll() is None, self._start, limit_s)
        self.popen.wait()
        return _ended(self.popen.returncode, self._out, self._err, self._start, hung)


class _Server:
    """A warm process that forks one child per command."""

    def __init__(self, warm: Path, env: Mapping[str, str]) -> None:
        self._folder = warm.parent
        self._process = subprocess.Popen(
            [*PROGRAM, str(warm)],
            cwd=REPOSITORY,
            env=dict(env) | HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def come_up(self) -> None:
        """Wait until it is warm."""
        if self._answers().readline().strip() != "ready":
            raise RuntimeError("the server did not come up")

    def run(
        self,
        argv: list[str],
        env: Mapping[str, str],
        plant: str,
        limits: Mapping[int, int] = {},
        user: int | None = None,
    ) -> Ended:
        """Run a command in a child."""
        out, err = _outputs(self._folder)
        start = time.monotonic()
        assert self._process.stdin is not None
        ask: dict[str, Any] = {"argv": argv, "env": env, "out": str(out), "err": str(err), "plant": plant}
        ask |= {"limits": limits, "user": user}
        print(json.dumps(ask), file=self._process.stdin, flush=True)
        child = int(self._answers().readline())
        hung = _watch(child, lambda: _ticks(child) is not None, start)
        status = int(self._answers().readline())
        ended = _ended(status, out, err, start, hung)
        out.unlink()
        err.unlink()
        return ended

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._answers().close()

    def _answers(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


def _outputs(folder: Path) -> tuple[Path, Path]:
    """Two new files."""
    name = f"{time.monotonic_ns()}"
    return folder / f"{name}.out", folder / f"{name}.err"


def _ended(status: int, out: Path, err: Path, start: float, hung: bool) -> Ended:
    said, told = (path.read_bytes().decode("utf-8", "replace") for path in (out, err))
    return Ended(status, said, told, time.monotonic() - start, hung)


def _ticks(process_id: int) -> int | None:
    """Clock ticks that a process computed; None if it has ended."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[11]) + int(fields[12])


def _watch(process_id: int, alive: Any, start: float, limit_s: float = LIMIT_S) -> bool:
    """Wait until a process has ended; True if it had to be killed, because it took too long or waited for nothing."""
    last, since, wait = -1, start, 0.01
    while alive():
        now, ticks = time.monotonic(), _ticks(process_id)
        if ticks is not None and ticks != last:
            last, since = ticks, now
        if now - start > limit_s or now - since > IDLE_S:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGUSR1)
                time.sleep(1.0)
                os.kill(process_id, signal.SIGKILL)
            return True
        time.sleep(wait)
        wait = min(2 * wait, 0.2)
    return False
