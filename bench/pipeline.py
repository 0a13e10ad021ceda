"""End to end: make a world, realise it twice per backend, say what that took and whether the bytes are equal.

    python bench/pipeline.py --preset reference_classic --backend cpu,cuda > bench/results/pipeline_reference_classic_cuda.json

Once all states run in one process, as `seg5b run` does (``whole``); once each in a process of its own, so that its peak memory
is its own. Every run works on a copy of the world below --runs-root, where the second one stays; with --no-disk all of it lies
in memory and is removed at the end. Progress goes to stderr, one JSON to stdout. Exit status 1 when a backend's bytes differ
from the first one's. --frames arrow,cudf realises by CUDA with each reader of columns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine import machine

from seg5b.backends.choose import CHOICES
from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.frames.choose import CHOICES as FRAMES
from seg5b.hashing import tree_digests
from seg5b.pipeline import STATE_IDS
from seg5b.runs.root import open_root
from seg5b.world.presets import PRESETS

MEMORY_FILES = Path("/dev/shm")
BYTES_PER_ARRIVAL = 30  # of a whole run, its world included; measured 23 on the reference world
SAMPLE_MS = 50


def main() -> None:
    options = arguments()
    with place(options) as folder:
        report = compare(options, folder)
    json.dump(report, sys.stdout, indent=1)
    print()
    if not report["equal"]:
        raise SystemExit("the backends' bytes differ: the report says where")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--preset", choices=tuple(PRESETS), default="demo_classic", help="the world (default demo_classic)"
    )
    parser.add_argument("--backend", type=backends, default=["auto"], help="one or more of auto, cpu, cuda: cpu,cuda")
    parser.add_argument("--frames", type=readers, default=["auto"], help="for CUDA, one or more of auto, arrow, cudf")
    parser.add_argument("--runs-root", type=Path, help="where the runs stay (default: a new temporary folder)")
    parser.add_argument("--no-disk", action="store_true", help=f"keep every file in memory, below {MEMORY_FILES}")
    options = parser.parse_args()
    if options.no_disk and options.runs_root:
        parser.error("--no-disk chooses the place itself: leave out --runs-root")
    return options


def backends(text: str) -> list[str]:
    return _some_of(CHOICES, text)


def readers(text: str) -> list[str]:
    return _some_of(FRAMES, text)


def _some_of(known: Sequence[str], text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [each for each in chosen if each not in known]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return list(dict.fromkeys(chosen))


def variants(options: argparse.Namespace) -> dict[str, list[str]]:
    """Options of the command line for each run, by its name: a backend, for CUDA with its reader where there are several."""
    found = {}
    for backend in options.backend:
        for frames in options.frames if backend == "cuda" else ["auto"]:
            name = backend if backend != "cuda" or len(options.frames) == 1 else f"{backend}_{frames}"
            found[name] = ["--backend", backend, "--frames", frames]
    return found


@contextmanager
def place(options: argparse.Namespace) -> Iterator[Path]:
    """The folder to work in; in memory it is checked for room first and removed afterwards."""
    if not options.no_disk:
        folder = options.runs_root or Path(tempfile.mkdtemp(prefix="seg5b-bench-"))
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    preset = PRESETS[options.preset]
    arrivals = preset.weekly_total * preset.days / 7 * len(preset.scenarios)
    needed = int(arrivals * BYTES_PER_ARRIVAL * (len(variants(options)) + 1)) + (1 << 28)
    if not MEMORY_FILES.is_dir():
        raise SystemExit(f"--no-disk: {MEMORY_FILES} is not there")
    if (free := shutil.disk_usage(MEMORY_FILES).free) < needed:
        raise SystemExit(f"--no-disk: {MEMORY_FILES} has {free / 1e9:.1f} GB free, this takes {needed / 1e9:.1f} GB")
    with tempfile.TemporaryDirectory(prefix="seg5b-bench-", dir=MEMORY_FILES) as folder:
        yield Path(folder)


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the world on every backend, by every reader; the report."""
    say(f"making the world {options.preset} in {folder}")
    world = timed(["world", "make", "--preset", options.preset, "--runs-root", str(folder / "world")])
    runs, digests = {}, {}
    for name, chosen in variants(options).items():
        say(f"{name}: warming up on the demo")
        timed(["demo", *chosen, "--runs-root", str(folder / "warm")])
        shutil.rmtree(folder / "warm")
        whole = whole_run(copied(folder / "world", folder / "whole"), chosen)
        digests[f"{name}, whole"] = digests_of(folder / "whole", whole.pop("verdict"))
        shutil.rmtree(folder / "whole")
        runs[name] = realise(copied(folder / "world", folder / name), world["result"]["run_id"], chosen)
        digests[name] = digests_of(folder / name, runs[name]["verdict"])
        runs[name]["whole"] = whole
    first_name, first = next(iter(digests.items()))
    for name, each in list(digests.items())[1:]:
        say(f"{name} and {first_name}: {'equal' if each == first else 'DIFFERENT'} digests")
    differing = sorted(
        {dataset for each in digests.values() for dataset in each | first if each.get(dataset) != first.get(dataset)}
    )
    return {
        "preset": options.preset,
        "files": "in memory" if options.no_disk else "on disk",
        "machine": machine(),
        "world": figures(world),
        "runs": runs,
        "equal": not differing,
        "digests": first,
        "differing": {dataset: {name: each.get(dataset) for name, each in digests.items()} for dataset in differing},
    }


def copied(world: Path, target: Path) -> Path:
    """A copy of a world to be realised, in place of what lay there; files are shared where the file system can link them."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        return Path(shutil.copytree(world, target, copy_function=os.link))
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        return Path(shutil.copytree(world, target))


def whole_run(root: Path, options: Sequence[str], **environment: str) -> dict[str, Any]:
    """S0-S5 in one process: seconds of the process and of each state, and where they went."""
    done = timed(["run", "--runs-root", str(root), *options], **environment)
    states = {told["state"]: told for told in done["result"]["states"]}
    records = {state: told["record"] for state, told in states.items()}
    arrivals, cells = records["S4"]["total_arrivals"], records["S3"]["total_rows_written"]
    s4 = states["S4"]["seconds"]
    found = {
        **figures(done),
        "arrivals": arrivals,
        "cells": cells,
        "state_seconds": {state: told["seconds"] for state, told in states.items()},
        "lanes_s": {state: record["durations"].get("lanes_s", {}) for state, record in records.items()},
        "s4_arrivals_per_s": round(arrivals / s4),
        "status": done["result"]["status"],
        "verdict": verdict_of(records["S5"]),
    }
    say(f"  {found['seconds']} s, S4 {found['s4_arrivals_per_s'] / 1e6:.2f} million arrivals a second")
    return found


def verdict_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What S5 found."""
    return {name: record[name] for name in ("status", "checks", "warned")}


def realise(runs_root: Path, run_id: str, options: Sequence[str]) -> dict[str, Any]:
    """S0-S5 of one run, a process each."""
    states, records = {}, {}
    for state in map(str.lower, STATE_IDS):
        done = timed([state, "--runs-root", str(runs_root), "--run-id", run_id, *options])
        (told,) = done["result"]["states"]
        record = records[state] = told["record"]
        reader, pool = (record["backend"].get(name) for name in ("frames", "memory_pool_bytes"))
        states[state] = {
            **figures(done),
            "state_seconds": told["seconds"],
            "device_pool_gb": gigabytes(None if reader == "cudf" else pool),
            "reader": reader,
        }
        say(f"{runs_root.name} {state}: " + ", ".join(f"{name} {value}" for name, value in states[state].items()))
    arrivals = records["s4"]["total_arrivals"]
    return {
        "backend": records["s4"]["backend"],
        "arrivals": arrivals,
        "states": states,
        "seconds_s0_to_s5": round(sum(each["seconds"] for each in states.values()), 2),
        "state_seconds_s0_to_s5": round(sum(each["state_seconds"] for each in states.values()), 2),
        "s4_arrivals_per_s": round(arrivals / states["s4"]["state_seconds"]),
        "verdict": verdict_of(records["s5"]),
    }


def digests_of(runs_root: Path, verdict: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every dataset and of every file of the trace, and what S5 found."""
    root = open_root(runs_root)
    (traces,) = (root.path / "logs/layer2/5B/rng/trace").glob("*/*/*")
    trace = {f"rng_trace_log/{name}": digest for name, digest in tree_digests(traces).items()}
    return {**dataset_digests(root, ContractSource.packaged()), **trace, "S5": json.dumps(verdict, sort_keys=True)}


def timed(command: list[str], **environment: str) -> dict[str, Any]:
    """Run one command of the command line, with changes of the environment; seconds, CPU seconds, peak memory of host and
    device, and its JSON."""
    with DeviceWatch() as device:
        start = time.monotonic()
        asked = [sys.executable, "-m", "seg5b", *command, "--json"]
        process = subprocess.Popen(asked, stdout=subprocess.PIPE, env={**os.environ, **environment})
        assert process.stdout is not None
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {output.decode()}")
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_gb": gigabytes(usage.ru_maxrss * 1024),
        "device_peak_gb": gigabytes(device.peak_bytes),
        "result": json.loads(output),
    }


class DeviceWatch:
    """Device memory in use beyond what was in use at the start, as the driver tells it a few times a second.

    The run record's ``memory_pool_bytes`` is what cupy's pool got from the driver and keeps until it ends: its peak,
    but for once that memory was short and the pool gave back what it did not need. With cudf, cupy allocates from rmm
    and its pool stays empty. What the driver tells holds for both, with context, compiled kernels and other programs,
    so let there be none. ``peak_bytes`` is None where ``nvidia-smi`` is not to be had, or cannot tell: of a MIG instance. The
    first device that is visible is watched.
    """

    def __init__(self) -> None:
        self.peak_bytes: int | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> DeviceWatch:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", f"--id={visible}"]
        # A number or GPU-... is a name for nvidia-smi too; MIG-... is not, and an empty name stands for no device.
        if visible and not visible.startswith("MIG-") and shutil.which(query[0]):
            self._process = subprocess.Popen([*query, f"--loop-ms={SAMPLE_MS}"], stdout=subprocess.PIPE, text=True)
            self._first = self._read()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._thread.join()
            self._process.communicate()

    def _watch(self) -> None:
        while (used := self._read()) is not None:
            self.peak_bytes = max(self.peak_bytes or 0, (used - (self._first or 0)) << 20)

    def _read(self) -> int | None:
        """The next sample in MiB; None at the end, or where the driver does not tell."""
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        return int(line) if line.isdigit() else None


def figures(done: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in done.items() if name != "result"}


def gigabytes(size: int | None) -> float | None:
    return None if size is None else round(size / 1e9, 2)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
