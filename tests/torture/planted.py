"""Defects for the harnesses to find, planted in processes of the tests and nowhere else: who judges is judged too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import seg5b.cli.common
import seg5b.contracts.files
import seg5b.foreign_json
import seg5b.policy.reading
import seg5b.publish
import seg5b.refusals
import seg5b.replay
import seg5b.rng.messages
import seg5b.runs.root
import seg5b.session
import seg5b.validation.entry
from seg5b.validation.records import Status


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def unsynced() -> None:
    """Nothing that is published is synced."""
    vars(seg5b.publish).update(sync=_nothing, _sync_tree=_nothing)


def copied() -> None:
    """Files are copied to where they are published, and not renamed."""

    def copy(source: Path, target: Path) -> None:
        if target.exists():
            raise FileExistsError(target)
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        for file in files:
            place = target / file.name if source.is_dir() else target
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb", buffering=0) as stream:
                for start in range(0, file.stat().st_size, 4096):
                    stream.write(file.read_bytes()[start : start + 4096])

    vars(seg5b.publish).update(_rename_without_replacing=copy)


def swallowed() -> None:
    """An error of the disk is taken for success."""
    publish = seg5b.publish._rename_without_replacing

    def careless(source: Path, target: Path) -> None:
        try:
            publish(source, target)
        except FileExistsError:
            raise
        except OSError:
            return

    vars(seg5b.publish).update(_rename_without_replacing=careless)


def untyped() -> None:
    """An error of the disk leaves as it came."""

    def careless(cause: BaseException, *_: Any) -> None:
        raise cause

    vars(seg5b.publish).update(PublishError=lambda code, what, **_: OSError(f"{code} {what}"))
    for room in (seg5b.refusals, seg5b.session, seg5b.cli.common):
        vars(room).update(typed=careless)


def endless() -> None:
    """An error of the disk is waited out, for ever."""

    def patient(*_: Any, **__: Any) -> None:
        while True:
            time.sleep(1)

    for room in (seg5b.refusals, seg5b.session, seg5b.cli.common):
        vars(room).update(typed=patient)


def unlocked() -> None:
    """A run is not locked, and a second one sweeps what the first is writing."""
    import fcntl

    vars(fcntl).update(flock=_nothing)


def expanded() -> None:
    """Names of folders are taken for patterns of a shell."""
    join = Path.__truediv__

    def careless(self: Path, name: Any) -> Path:
        return join(Path(os.path.expandvars(str(self)).replace(" ", "")), name)

    vars(seg5b.runs.root).update(open_root=seg5b.runs.root.open_root)
    type.__setattr__(Path, "__truediv__", careless)


def local_time() -> None:
    """Random numbers depend on the time zone of the machine."""
    uer = seg5b.rng.messages.uer
    vars(seg5b.rng.messages).update(uer=lambda text: uer(text[::-1] if os.environ.get("TZ") else text))


def trusting() -> None:
    """Foreign JSON and YAML are taken as they come, by the readers of the libraries."""
    import json

    import yaml

    vars(seg5b.foreign_json).update(parse_json=json.loads, checked=lambda value, _: value)
    vars(seg5b.contracts.files).update(
        load_yaml=lambda path, **_: yaml.safe_load(path.read_bytes()),
        read_json=lambda path: json.loads(path.read_bytes()),
    )
    vars(seg5b.policy.reading).update(load_yaml=seg5b.contracts.files.load_yaml)


def lenient() -> None:
    """S5 lets every check pass."""
    run_checks = vars(seg5b.validation.entry)["run_checks"]

    def all_pass(*given: Any, **how: Any) -> Any:
        return [replace(result, status=Status.PASS) for result in run_checks(*given, **how)]

    vars(seg5b.validation.entry).update(run_checks=all_pass)


def blind() -> None:
    """A run that is made again is not compared with what is published."""
    replay = vars(seg5b.replay)["replay"]
    vars(seg5b.replay).update(replay=lambda *given, **how: replace(replay(*given, **how), problems=()))


@dataclass(frozen=True, slots=True)
class Planted:
    """A defect and the case, by kind and name, that must notice it."""

    plant: Callable[[], None]
    kind: str
    name: str


PLANTED: dict[str, Planted] = {
    "unsynced": Planted(unsynced, "power cut", "instant 8 of 14, names kept"),
    "copied": Planted(copied, "killed at a call", "write 11 of 20"),
    "swallowed": Planted(swallowed, "a call fails once", "ENOSPC at rename 2 of 2"),
    "untyped": Planted(untyped, "a call fails once", "EIO at sync 1 of 2"),
    "endless": Planted(endless, "a call fails once", "EIO at sync 1 of 2"),
    "unlocked": Planted(unlocked, "two runs at once", "0.0 s apart"),
    "expanded": Planted(expanded, "odd names", "'a b'"),
    "trusting": Planted(trusting, "mutated inputs", "YAML"),
    "trusting_json": Planted(trusting, "decoders fuzzed", "few executions of JSON"),
    "lenient": Planted(lenient, "tampered with, digests mended", "counts: one more arrival"),
    "blind": Planted(blind, "tampered with, digests mended", "grid: labels of a bucket"),
    "local_time": Planted(local_time, "one digest", "TZ=America/St_Johns"),
}
"""Kinds and names are those of cases that are right without the defect."""
