"""The worlds that faults are planted in, each made and realised once; and their places."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import tests.worlds
from seg5b.api import run as realise
from seg5b.resources import code_digest, resource_root
from seg5b.world import make_world
from tests.mutation.places import Places, places_of
from tests.policies import TWO_LEVELS, Changes
from tests.torture.tampering import TAMPERED
from tests.worlds import EVERY_OPTION, GROUPS_OF_ANY_SIZE, JUDGED, LARGER_GROUPS, SCORED, TINY, SmallWorld

MANY = SmallWorld(
    replace(SCORED.preset, name="many", weekly_total=60_000.0),
    (GROUPS_OF_ANY_SIZE, LARGER_GROUPS, {"arrival_time_placement_policy_5B": {"files.arrivals_per_row_group": 8192}}),
)
"""240,000 arrivals of 90 merchants: many for each series, so that statistics have something to go by."""


def _small(world: SmallWorld, *changes: Changes, seed: int = 42) -> Callable[[Path], object]:
    return lambda folder: world.make(folder, *changes, seeds=(seed,))


WORLDS: dict[str, Callable[[Path], object]] = {
    "many": _small(MANY),
    "judged": _small(JUDGED, TAMPERED),
    "options": _small(JUDGED, EVERY_OPTION),
    "levels": _small(JUDGED, TWO_LEVELS),
    "tiny": _small(TINY),
    "judged, seed 7": _small(JUDGED, TAMPERED, seed=7),
    "options, seed 8": _small(JUDGED, EVERY_OPTION, seed=8),
    "demo": lambda folder: make_world("demo_classic", runs_root=folder),
}
"""By name: `MANY`; `JUDGED` with the latent field; with every option; with paths of countries, zones
and series; `TINY`, of two scenarios; other seeds of
these, for controls; the demo."""
LAST = "S5"


@cache
def sources_digest() -> str:
    """64 hex digits over whatever decides what a world is and who notices what is wrong with it: code, policies, contracts,
    and the small worlds."""
    digest = hashlib.sha256(code_digest().encode())
    files = [
        file
        for name in ("config", "contracts")
        for file in sorted((resource_root() / name).rglob("*"))
        if file.is_file()
    ]
    for file in (*files, Path(tests.worlds.__file__), Path(__file__)):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


class World:
    """A world below ``folder``: ``sealed`` by S0, and ``lawful``: realised by these sources, and passed by S5."""

    def __init__(self, name: str, folder: Path) -> None:
        place = folder / sources_digest()[:16] / name
        self.name, self.sealed, self.lawful = name, place / "sealed", place / "lawful"
        if not self.lawful.is_dir():
            shutil.rmtree(place, ignore_errors=True)
            WORLDS[name](self.sealed)
            realise(self.sealed, last="S0", backend="cpu")
            making = self.lawful.with_name("making")
            copied(self.sealed, making)
            realise(making, first="S1", last=LAST, backend="cpu")
            making.rename(self.lawful)

    @property
    def places(self) -> Places:
        """Where faults go."""
        return places_of(run_of(self.lawful))


def run_of(runs_root: Path) -> Path:
    """The one run below a runs root."""
    (receipt,) = runs_root.glob("*/run_receipt.json")
    return receipt.parent


def copied(source: Path, target: Path) -> Path:
    """A copy of a runs root. Parquet files are the same files: whoever changes one replaces it."""

    def copy(one: str, other: str) -> None:
        if one.endswith(".parquet"):
            os.link(one, other)
        else:
            shutil.copy2(one, other)

    return Path(shutil.copytree(source, target, copy_function=copy, ignore=shutil.ignore_patterns("kept")))


def digests(run: Path, *, records: bool = False) -> dict[str, str]:
    """SHA-256 by path of all that S1-S4 publish, and of what they were made from; of the ledger too, with ``records``. A link
    counts by where it leads, a folder by being there."""
    places = ("data", "reference", "logs/layer2/5B/rng", *(("reports/layer2/segment_state_runs",) if records else ()))
    files = (file for place in places for file in (run / place).rglob("*"))
    names = {file.relative_to(run).as_posix(): file for file in files}
    return {name: _sha256(file) for name, file in names.items() if "/validation" not in name}


def _sha256(file: Path) -> str:
    if file.is_dir():
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def dataset_of(path: str) -> str:
    """What a path of a run belongs to, in a word or two: ``arrival_events``, ``rng/trace``, ``reference``."""
    parts = path.split("/")
    if parts[0] == "reference":
        return parts[0]
    if parts[0] == "reports":
        return parts[2]
    if parts[0] == "logs":
        return "/".join(parts[3:5])
    return parts[3] if len(parts) > 3 else path
