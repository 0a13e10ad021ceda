"""The pieces of a sitting. Each takes the `Setting` and returns its figures; `PIECES` is their order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import comparisons
from growth import exponent
from machine import version
from pipeline import BYTES_PER_ARRIVAL, MEMORY_FILES, copied, figures, realise, say, timed, whole_run
from streaming import streamed

from seg5b.pipeline import STATE_IDS

HERE = Path(__file__).parent
ENGINES: Mapping[str, Callable[[int], list[str]]] = {
    "local": lambda workers: [],
    "dask": lambda workers: ["--engine", "dask", "--workers", str(workers)],
}
"""Options of `seg5b run` by engine, for so many workers. Another engine is another entry."""
NEEDS = {"dask": "distributed"}
"""The package that an engine takes."""

MANY_MERCHANTS = 100_000
_MANY = """name: many
horizon: {{start: 2026-03-20, days: 1}}
places: {{profile: reference}}
merchants: {{count: {merchants}}}
channels: {{card_present: {{share: 1}}}}
"""

Figures = dict[str, Any]


@dataclass
class Setting:
    """What all pieces share. ``folder``: where to work; ``world``: preset, or the runs root ``world_root`` of a world made
    before; ``sizes``: presets whose growth is measured; the rest as the options of `sitting.py`. ``made`` and ``runs``:
    worlds and runs by name, each made once."""

    folder: Path
    world: str
    world_root: Path | None
    sizes: tuple[str, ...]
    engines: tuple[str, ...]
    workers: int
    baseline_arrivals: int
    export_rows: int
    generator_scale: float
    scale: float
    made: dict[str, Path] = field(default_factory=dict)
    runs: dict[str, Figures] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Cores that this process may use."""
        return len(os.sched_getaffinity(0))

    def world_at(self, preset: str) -> Path:
        """Runs root of an unrealised world."""
        if preset == self.world and self.world_root is not None:
            return self.world_root
        if preset not in self.made:
            root = self.folder / f"world-{preset}"
            say(f"  making the world {preset}")
            timed(["world", "make", "--preset", preset, "--runs-root", str(root)])
            self.made[preset] = root
        return self.made[preset]

    @property
    def smallest(self) -> str:
        """The world that is made quickest."""
        return self.world if self.world_root is not None else self.sizes[0]

    def realised(self, preset: str, engine: str = "local") -> Figures:
        """Figures of a whole run of a world by an engine, below ``<preset>-<engine>``; kernels have been compiled."""
        name = f"{preset}-{engine}"
        if not self.runs:
            say("  warming up")
            warm = copied(self.world_at(self.smallest), self.folder / "warm-up")
            timed(["run", "--runs-root", str(warm)])
            shutil.rmtree(warm)
        if name not in self.runs:
            root = copied(self.world_at(preset), self.folder / name)
            self.runs[name] = whole_run(root, ENGINES[engine](self.workers))
        return self.runs[name]

    def root(self) -> Path:
        """Runs root of the world with S0-S5 done."""
        self.realised(self.world)
        return self.folder / f"{self.world}-local"


def machine_loops(setting: Setting) -> Figures:
    """loops that share nothing, in one thread and in all"""
    # in a process of its own: what this one holds would count as the peak memory of those that it starts
    told: Figures = json.loads(_output("loops.py", f"{setting.scale:g}"))
    return told


def kernels(setting: Setting) -> Figures:
    """every kernel, one thread"""
    items = str(int(2_000_000 * setting.scale))
    (measured,) = json.loads(_output("kernels.py", "--backend", "cpu", "--items", items))["measured"]
    return {"items": int(items), **measured}


def _output(script: str, *arguments: str) -> str:
    """What a script beside this one prints."""
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout


def worlds(setting: Setting) -> Figures:
    """worlds made: presets, each three times (large once), and one of many merchants on one day"""
    found: Figures = {}
    for preset in setting.sizes:
        times = 1 if preset == "large_classic" else 3
        made = [_world_made(setting, ["--preset", preset]) for _ in range(times)]
        seconds, peak_gb = (median(each[name] for each in made) for name in ("seconds", "peak_gb"))
        found[preset] = {"seconds": seconds, "peak_gb": peak_gb, "runs": made}
    spec, merchants = setting.folder / "many.yaml", max(10, int(MANY_MERCHANTS * setting.scale))
    spec.write_text(_MANY.format(merchants=merchants), encoding="utf-8")
    found["many"] = {"merchants": merchants, **_world_made(setting, ["--spec", str(spec)])}
    return found


def _world_made(setting: Setting, options: list[str]) -> Figures:
    """Seconds and memory of `seg5b world make`, the start of the process included."""
    root = setting.folder / "made-again"
    done = timed(["world", "make", *options, "--runs-root", str(root)])
    shutil.rmtree(root)
    say(f"  {' '.join(options)}: {done['seconds']} s")
    return figures(done)


def cold(setting: Setting) -> Figures:
    """the smallest world with an empty cache of compiled kernels, and again with a full one"""
    cache = setting.folder / "numba"
    found: Figures = {"world": setting.smallest}
    for name in ("cold", "warm"):
        root = copied(setting.world_at(setting.smallest), setting.folder / name)
        found[name] = whole_run(root, [], NUMBA_CACHE_DIR=str(cache))
        shutil.rmtree(root)
    return found


def whole(setting: Setting) -> Figures:
    """S0-S5 in one process, by each engine"""
    return {engine: missing(engine) or setting.realised(setting.world, engine) for engine in setting.engines}


def missing(engine: str) -> Figures:
    """Why an engine cannot be measured; empty if it can."""
    package = NEEDS.get(engine)
    return {"skipped": f"{package} is not installed"} if package and version(package) is None else {}


def rerun(setting: Setting) -> Figures:
    """the same again: nothing has changed"""
    done = timed(["run", "--runs-root", str(setting.root())])
    states = done["result"]["states"]
    records = [told["record"] for told in states]
    unchanged = all(each["outcome"] == "unchanged" and not each.get("recomputed") for each in records)
    return {**figures(done), "state_seconds": {s["state"]: s["seconds"] for s in states}, "unchanged": unchanged}


def validation(setting: Setting) -> Figures:
    """S5 alone"""
    done = timed(["s5", "--recompute", "--runs-root", str(setting.root())])
    (told,) = done["result"]["states"]
    return {
        **figures(done),
        "state_seconds": told["seconds"],
        "lanes_s": told["record"]["durations"].get("lanes_s", {}),
    }


def s4_alone(setting: Setting, options: list[str]) -> tuple[float, int]:
    """Seconds of S4 on a run that has S0-S3 only, and how many parts it made."""
    root = copied(setting.root(), setting.folder / "s4")
    for written in (*root.glob("*/data/layer2/5B/arrival_*"), *root.glob("*/logs/layer2/5B/rng/trace/*/*/*/state=S4")):
        shutil.rmtree(written)
    for grows in (*root.glob("*/reports/**/*.jsonl"), *root.glob("*/*.log")):  # not to be written to through a link
        content = grows.read_bytes()
        grows.unlink()
        grows.write_bytes(content)
    (told,) = timed(["s4", "--runs-root", str(root), *options])["result"]["states"]
    shutil.rmtree(root)
    say(f"  {' '.join(options)}: {told['seconds']} s")
    return told["seconds"], sum(scenario["parts"] for scenario in told["record"]["details"].values())


def threads(setting: Setting) -> Figures:
    """S4 by one thread and by one on every core, beside the loops"""
    seconds = {str(count): s4_alone(setting, ["--threads", str(count)])[0] for count in (1, setting.cores)}
    measured = machine_loops(setting)
    speed_up = seconds["1"] / seconds[str(setting.cores)]
    shares = {name: speed_up / measured[name]["speed_up"] for name in ("compute", "memory")}
    return {"s4_seconds": seconds, "speed_up": speed_up, "loops": measured, "efficiency": shares}


def workers(setting: Setting) -> Figures:
    """S4 by one thread, and by one, two and four workers of a cluster; what starting it and sharing out work costs"""
    if skipped := missing("dask"):
        return skipped
    one_thread, parts = s4_alone(setting, ["--threads", "1"])
    by_workers = {str(count): s4_alone(setting, ENGINES["dask"](count))[0] for count in (1, 2, 4)}
    item_ms = json.loads(_output("sharing.py"))["item_ms"]
    return {"parts": parts, "one_thread_s": one_thread, "s4_seconds": by_workers, "item_ms": item_ms}


def states(setting: Setting) -> Figures:
    """each state in a process of its own, for its peak memory"""
    root = copied(setting.world_at(setting.world), setting.folder / "states")
    (run_id,) = (path.parent.name for path in root.glob("*/run_receipt.json"))
    found = realise(root, run_id, ["--backend", "cpu"])
    shutil.rmtree(root)
    return found


def memory(setting: Setting) -> Figures:
    """S0-S5 with every file in memory"""
    needed = int(setting.realised(setting.world)["arrivals"] * BYTES_PER_ARRIVAL) + (1 << 28)
    if not MEMORY_FILES.is_dir() or (free := shutil.disk_usage(MEMORY_FILES).free) < needed:
        has = f"{free / 1e9:.1f} GB free" if MEMORY_FILES.is_dir() else "no such folder"
        return {"skipped": f"{MEMORY_FILES}: {has}, this takes {needed / 1e9:.1f} GB"}
    with tempfile.TemporaryDirectory(prefix="seg5b-sitting-", dir=MEMORY_FILES) as folder:
        return whole_run(Path(shutil.copytree(setting.world_at(setting.world), Path(folder) / "run")), [])


def export(setting: Setting) -> Figures:
    """arrivals out of a run, one process: each format by one thread, then all rows in order of time by every core"""
    found: Figures = {}
    one = ["--limit", str(setting.export_rows), "--threads", "1"]
    asked = {"csv": one, "jsonl": one, "arrow": one, "parquet": one, "parquet_by_time": ["--order", "time"]}
    for name, options in asked.items():
        file = setting.folder / f"arrivals.{name.split('_')[0]}"
        done = timed(["export", *options, "--out", str(file), "--runs-root", str(setting.root())])
        rows = done["result"]["rows"]
        found[name] = {
            **figures(done),
            "rows": rows,
            "bytes": file.stat().st_size,
            "rows_per_s": rows / done["seconds"],
        }
        file.unlink()
    return found


def stream(setting: Setting) -> Figures:
    """arrivals in order of time as JSON lines on a pipe, ten times as many as one format of the export"""
    return streamed(setting.root(), 10 * setting.export_rows)


def sizes(setting: Setting) -> Figures:
    """whole runs of several sizes, and how their seconds grow"""
    runs = {}
    for preset in setting.sizes:
        runs[preset] = setting.realised(preset)
        if preset != setting.world:
            shutil.rmtree(setting.folder / f"{preset}-local")
    names = STATE_IDS[1:]

    def grown(size: str) -> dict[str, float | None]:
        across = [run[size] for run in runs.values()]
        found = {name: exponent(across, [run["state_seconds"][name] for run in runs.values()]) for name in names}
        return {**found, "whole": exponent(across, [sum(run["state_seconds"].values()) for run in runs.values()])}

    return {"runs": runs, "exponent_by_arrivals": grown("arrivals"), "exponent_by_cells": grown("cells")}


def baselines(setting: Setting) -> Figures:
    """what a user would write instead of S4, on the same counts"""
    (run,) = (path.parent for path in setting.root().glob("*/run_receipt.json"))
    s4 = setting.realised(setting.world)["s4_arrivals_per_s"]
    found = comparisons.scripts(run, setting.folder / "baselines", setting.cores, setting.baseline_arrivals)
    for figure in found.values():
        if "skipped" not in figure:
            figure["s4_times"] = s4 / figure["arrivals_per_s"]
    return {"s4_arrivals_per_s": s4, **found}


def generator(setting: Setting) -> Figures:
    """a published generator of another table, for scale"""
    return comparisons.tpch(setting.folder / "tpch", setting.generator_scale)


PIECES: Mapping[str, Callable[[Setting], Figures]] = {
    "loops": machine_loops,
    "kernels": kernels,
    "worlds": worlds,
    "cold": cold,
    "whole": whole,
    "rerun": rerun,
    "validation": validation,
    "threads": threads,
    "workers": workers,
    "export": export,
    "stream": stream,
    "baselines": baselines,
    "generator": generator,
    "states": states,
    "memory": memory,
    "sizes": sizes,
}
