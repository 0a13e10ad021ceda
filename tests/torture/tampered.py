"""A finished run is tampered with and every digest mended: who notices (law L15)."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from tests.torture.bench import Bench
from tests.torture.tampering import TAMPERED, TAMPERINGS
from tests.torture.verdict import Case, Ended, Told
from tests.worlds import JUDGED

MENDED = "tampered with, digests mended"
_SHORT = {"counts: one more arrival"}
_lock = Lock()


def cases() -> list[Case]:
    """Every tampering."""
    return [Case(MENDED, name, partial(_tampered, name), name in _SHORT) for name in TAMPERINGS]


def _finished(bench: Bench) -> Path:
    """A run that can be tampered with in every way, made once for each bench."""
    runs_root = bench.folder / "to_be_tampered"
    with _lock:
        if not runs_root.is_dir():
            making = bench.folder / "to_be_tampered.new"
            JUDGED.make(making, TAMPERED)
            ended = bench.seg5b("run", "--json", "--runs-root", making, plain=True)
            if ended.status:
                raise RuntimeError(ended.out or ended.cause())
            making.rename(runs_root)
    return runs_root


def can_replay(bench: Bench) -> bool:
    """Whether `verify` can make a run again."""
    return "--replay" in bench.seg5b("verify", "--help").out


def _tampered(name: str, bench: Bench, folder: Path) -> Told:
    """By plain verification nothing may be noticed, else digests were left; by S5 it must be where a law of S5 says so; by
    replay it must be, with the name of a file that was changed, or of the run where its gate is another."""
    runs_root = bench.copy(_finished(bench), folder / "runs")
    run = bench.run_of(runs_root)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    TAMPERINGS[name].on(run)
    now = {path for path in run.rglob("*") if path.is_file()}
    changed = {path for path in before.keys() | now if path not in now or before.get(path) != path.read_bytes()}
    plain = bench.seg5b("verify", "--json", "--runs-root", runs_root)
    replayed, by_replay = "", None
    if can_replay(bench):
        ended = bench.seg5b("verify", "--replay", "all", "--json", "--runs-root", runs_root)
        by_replay = _problems(ended)
        named = {problem.get("path", "") for problem in by_replay}
        if not by_replay:
            replayed = "`verify --replay all` notices nothing"
        elif not named & {".", *(path.relative_to(run).as_posix() for path in changed)}:
            replayed = f"`verify --replay all` names {sorted(named)[:2]}, which are as they were"
    shutil.rmtree(next(run.glob("data/layer2/5B/validation/*")))
    by_s5 = _code(bench.seg5b("s5", "--recompute", "--json", "--runs-root", runs_root))
    codes = sorted({str(problem.get("code")) for problem in by_replay or ()})
    wrong = f"`verify`: {plain.out[:200] or plain.cause()}" if plain.status else ""
    wrong = wrong or ("S5 does not notice" if TAMPERINGS[name].unlawful and not by_s5 else replayed)
    return Told(wrong, {"S5": by_s5, "replay": None if by_replay is None else ", ".join(codes)})


def _problems(ended: Ended) -> list[dict[str, Any]]:
    """What verification names; an error counts as one."""
    try:
        result = json.loads(ended.out)
    except ValueError:
        return []
    return list(result.get("problems") or ([result["error"]] if result.get("error") else []))


def _code(ended: Ended) -> str:
    """Code that S5 ended with; "" if it passed."""
    if ended.status == 0:
        return ""
    result = json.loads(ended.out)
    return str(result.get("error", {}).get("code") or result.get("first_failure_code") or result.get("status"))
