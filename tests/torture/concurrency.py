"""Several commands on one run at the same time: one writer, readers that see whole datasets, logs that stay apart."""

from __future__ import annotations

import json
import re
import subprocess
import time
from functools import partial
from pathlib import Path

from tests.torture.bench import HERE, PROGRAM, REPOSITORY, Bench
from tests.torture.judging import ended_well, whole
from tests.torture.verdict import Case, Ended, first_wrong
from tests.worlds import JUDGED

WRITERS = "two runs at once"
READERS = "readers during a run"
THREADS = "two runs in one process"
READING = {
    "verify": (),
    "digest": ("--bytes",),
    "status": (),
    "score": (),
    "report": ("--out", "{folder}/{number}.html"),
    "export": ("--dataset", "arrival_events_5B", "--out", "{folder}/{number}.csv"),
}


def cases() -> list[Case]:
    """Two writers at several distances in time, each reader, and two threads."""
    found = [Case(WRITERS, f"{delay:.1f} s apart", partial(_writers, delay), delay == 0.0) for delay in (0.0, 0.7, 2.0)]
    found += [Case(READERS, name, partial(_reader, name)) for name in READING]
    return [*found, Case(THREADS, "logs", _threads, short=True)]


def _writers(delay: float, bench: Bench, folder: Path) -> str:
    runs_root = bench.copy(bench.world, folder / "runs")
    command, environment = ("run", "--json", "--runs-root", runs_root), bench.environment()
    with bench.started(*command, env=environment) as one:
        time.sleep(delay)
        with bench.started(*command, env=environment) as other:
            ended = [one.ended(), other.ended()]
    passed = [each for each in ended if each.status == 0]
    return first_wrong(
        *(partial(ended_well, each) for each in ended),
        lambda: "" if passed else "neither passed",
        *(partial(_busy, each) for each in ended if each.status),
        lambda: whole(bench, runs_root),
    )


def _busy(ended: Ended) -> str:
    code = json.loads(ended.out)["error"]["code"]
    return "" if code == "5B.RUN.BUSY" else f"not busy, but {code}"


def _reader(name: str, bench: Bench, folder: Path) -> str:
    runs_root = bench.copy(bench.world, folder / "runs")
    with bench.started("run", "--json", "--runs-root", runs_root, env=bench.environment()) as writer:
        time.sleep(1.0)
        number = 0
        while writer.popen.poll() is None:
            number += 1
            more = tuple(word.format(folder=folder, number=number) for word in READING[name])
            ended = bench.seg5b(name, "--json", "--runs-root", runs_root, *more)
            if wrong := first_wrong(partial(ended_well, ended), partial(_told, bench, name, ended)):
                return wrong
        ended = writer.ended()
    return first_wrong(lambda: f"the run: {ended.cause()}" if ended.status else "", lambda: whole(bench, runs_root))


def _told(bench: Bench, name: str, ended: Ended) -> str:
    """Digests of what is there are those of whole datasets. A folder may be there before what is renamed into it."""
    if name != "digest" or ended.status:
        return ""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    told = json.loads(ended.out)["digests"]
    wrong = [key for key, value in told.items() if value not in (bench.digests[key], empty)]
    return f"half a dataset was seen: {wrong[0]}" if wrong else ""


_TWO = """
import sys, threading
from pathlib import Path
from tests.torture.planted import PLANTED
import seg5b
if sys.argv[1]:
    PLANTED[sys.argv[1]].plant()
threads = [threading.Thread(target=seg5b.run, args=(root,), kwargs={"last": "S1"}) for root in sys.argv[2:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def _threads(bench: Bench, folder: Path) -> str:
    """Each log tells of its own run: every state passed once in it."""
    roots = [JUDGED.make(folder / str(seed), seeds=(seed,)) for seed in (1, 2)]
    command = [*PROGRAM[:3], "-c", _TWO, bench.plant, *(str(root.path.parent) for root in roots)]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=bench.environment() | HERE,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode or done.stderr:
        return f"status {done.returncode}: {done.stderr[-200:]}"
    for root in roots:
        log = (root.path / f"run_log_{root.identity.run_id}.log").read_text("utf-8")
        passed = re.findall(r"(S\d) PASS", log)
        if passed != ["S0", "S1"]:
            return f"the log of one run says {', '.join(passed)}"
    return ""
