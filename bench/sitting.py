"""Everything that is said about speed, measured in one sitting on one machine. One JSON, and a line of history a piece.

    python bench/sitting.py --world reference --out bench/results/sitting_reference.json

`make bench` is that, with the history and the figure of the documentation. Progress goes to stderr. The JSON is written
anew after every piece, so a sitting that is broken off keeps what it has. What each figure is: bench/README.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ledger import Ledger
from machine import machine
from pieces import ENGINES, PIECES, Setting
from pipeline import say

SIZES = ("demo_classic", "small_classic", "reference_classic", "large_classic")
"""Presets by arrivals: 1.4 million, 13 million, 123 million, 1.24 billion. A preset cannot be scaled."""


def main() -> None:
    options = arguments()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="seg5b-sitting-", dir=options.work) as folder:
        setting = Setting(
            Path(folder), options.world, options.world_root, tuple(options.sizes), tuple(options.engine),
            options.workers, options.baseline_arrivals, options.export_rows, options.generator_scale, options.scale,
        )  # fmt: skip
        ledger = Ledger(options.out, options.history, head(options))
        for name in options.pieces:
            say(f"[{time.monotonic() - begun:5.0f} s] {name}: {PIECES[name].__doc__ or ''}".splitlines()[0])
            ledger.measure(name, partial(PIECES[name], setting))
    say(f"[{time.monotonic() - begun:5.0f} s] done: {options.out}")
    if loud := [name for name, piece in ledger.pieces.items() if not piece["quiet"]]:
        say(f"the machine was not quiet during {', '.join(loud)}: keep none of these results")
    told = {name: piece["figures"].get("failed") for name, piece in ledger.pieces.items()}
    if any(told.values()):
        raise SystemExit("\n".join(f"{name} failed: {reason}" for name, reason in told.items() if reason))


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", choices=SIZES, default="demo_classic", help="the world (default demo_classic)")
    parser.add_argument("--world-root", type=Path, help="runs root of a world made before, in place of --world's")
    parser.add_argument("--out", type=Path, required=True, help="the JSON to write")
    parser.add_argument("--history", type=Path, help="file of JSON lines to add to (default: none)")
    parser.add_argument(
        "--pieces", type=_names(tuple(PIECES)), default=list(PIECES), help=f"some of {','.join(PIECES)} (default all)"
    )
    parser.add_argument("--sizes", type=_names(SIZES), help="worlds of the piece sizes (default: those up to --world)")
    parser.add_argument("--engine", type=_names(tuple(ENGINES)), default=["local"], help="engines of the whole run")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="workers of an engine")
    parser.add_argument(
        "--baseline-arrivals", type=int, default=20_000_000, help="arrivals that each baseline makes (0: all)"
    )
    parser.add_argument("--export-rows", type=int, default=1_000_000, help="rows exported as text")
    parser.add_argument("--generator-scale", type=float, default=2.0, help="scale factor of tpchgen-cli")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="length of the loops, results per kernel: a test's are short"
    )
    parser.add_argument(
        "--work", type=Path, help="where to work, on the disk to be measured (default: temporary files)"
    )
    options = parser.parse_args(given)
    options.sizes = options.sizes or list(SIZES[: SIZES.index(options.world) + 1])
    return options


def _names(known: tuple[str, ...]) -> Any:
    def chosen(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return [name for name in known if name in names]

    return chosen


def head(options: argparse.Namespace) -> dict[str, Any]:
    """What holds for the whole sitting; ``history``: as much of it as every line of the history repeats."""
    here = machine()
    told = {"utc": here["utc"], "commit": commit(), "world": (options.world_root and "given") or options.world}
    short = {name: here[name] for name in ("processor", "cpus", "memory_gb", "python", "seg5b")}
    chosen = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    for place in ("out", "history", "work", "world_root"):
        chosen.pop(place)
    return {**told, "machine": here, "options": chosen, "history": {**told, "machine": short}}


def commit() -> str | None:
    """Commit of the source, with ``+`` where files differ from it; None outside a repository."""
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


if __name__ == "__main__":
    main()
