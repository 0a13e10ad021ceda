"""What a state is given: the run, the contracts, the open gate, where to compute, where to report, and where to write."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from seg5b.axes import SeriesAxis, TimeGrid, read_axes
from seg5b.backends.base import Backend
from seg5b.computing import Computing
from seg5b.contracts import ContractSource, dataset_files
from seg5b.engines import Engine
from seg5b.frames import Frames
from seg5b.gate import Gate, is_upstream_dataset
from seg5b.hashing import sha256_file, sha256_hex
from seg5b.options import Tuning
from seg5b.policy import Loadable, load_policy
from seg5b.progress import Reporter
from seg5b.publish import Outcome, publish
from seg5b.reached import Reached
from seg5b.runs.root import RunRoot
from seg5b.tables import POLICIES_DIGEST, Constant, file_metadata
from seg5b.tables.columns import Column
from seg5b.tables.comparing import says_the_same
from seg5b.tables.reading import row_count
from seg5b.timers import Timers

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Replay:
    """A state is made again to be compared with what is published, and publishes nothing (law L15). ``parts``: of how many
    parts of each dataset; None for all."""

    parts: int | None = None

    def chosen(self, name: str, count: int) -> list[int]:
        """Which of a dataset's ``count`` parts: those whose number has the smallest SHA-256 together with ``name``."""
        wanted = count if self.parts is None else min(self.parts, count)
        ranked = sorted(range(count), key=lambda number: sha256_hex(f"{name}|{number}".encode()))
        return sorted(ranked[:wanted])


@dataclass(frozen=True, slots=True)
class Publication:
    """``outcome``: `Outcome.UNCHANGED` if everything was there already; ``files``: SHA-256 of every file by its path in
    the run."""

    outcome: Outcome
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class StateWork:
    """One state at work on one run.

    ``id`` is ``S1`` .. ``S4`` and ``reads`` the ids of what it may read, as `seg5b.pipeline.STATES` says; ``gate`` was
    opened for it; ``computing`` has the backend and the reader of columns, chosen when first asked for; ``folder`` takes what
    it writes until all of it is done; ``engine`` makes its parts; ``key`` is the digest of all that its results follow from
    (`seg5b.finished.state_key`); ``timers`` say in the run record where its time went; ``replay`` is set where nothing will be
    published: parts are compared as they are made, and ``compared`` holds what each came to (`seg5b.parts.ComparedPart`; None
    for one that was not asked for) by its published file. ``reached`` is how far it has come, for the record if it fails.
    A state writes to `target` and never publishes: `publish_all` moves everything into the run once nothing can fail any
    more, so a failed state leaves nothing behind.
    """

    id: str
    reads: tuple[str, ...]
    root: RunRoot
    contracts: ContractSource
    gate: Gate
    computing: Computing
    reporter: Reporter
    folder: Path
    engine: Engine
    tuning: Tuning = field(default_factory=Tuning)
    key: str = ""
    timers: Timers = field(default_factory=Timers)
    replay: Replay | None = None
    compared: dict[Path, Any] = field(default_factory=dict)
    reached: Reached = field(default_factory=Reached)
    _targets: list[Path] = field(default_factory=list)
    _digests: dict[Path, str] = field(default_factory=dict)

    @property
    def backend(self) -> Backend:
        """Where to compute; asking for it chooses it. Raises as `seg5b.backends.choose.choose_backend`."""
        return self.computing.backend

    @property
    def frames(self) -> Frames:
        """What reads columns there; asking for it chooses both. Raises as `Computing.frames`."""
        return self.computing.frames(self._cells)

    def _cells(self) -> int:
        """Cells of all scenarios: rows of each dataset that S2-S4 read whole."""
        code = self.code("S1_OUTPUT_MISSING")
        files = (
            (self.path("s1_grouping_5B", each), self.path("s1_time_grid_5B", each)) for each in self.gate.scenario_ids
        )
        return sum(row_count([series], code=code) * row_count([buckets], code=code) for series, buckets in files)

    @property
    def log(self) -> logging.Logger:
        """Logger of the state, ``seg5b.<state>``."""
        return logging.getLogger(f"seg5b.{self.id}")

    def code(self, reason: str) -> str:
        """Failure code ``5B.<state>.<reason>``."""
        return f"5B.{self.id}.{reason}"

    def open_inputs(self, *, missing: str, optional: Collection[str] = ()) -> None:
        """Compare every upstream dataset among ``reads`` with what was sealed; one that is ``optional`` may be absent.

        Raises `InputError` ``5B.<state>.<missing>`` for one that is not sealed, `GateError` as `Gate.verify`.
        """
        for dataset_id in filter(is_upstream_dataset, self.reads):
            if dataset_id not in optional:
                self.gate.require(dataset_id, code=self.code(missing))
        self.verify_inputs()

    def verify_inputs(self) -> None:
        """Compare every sealed upstream dataset among ``reads`` with what was sealed. Raises `GateError` as
        `Gate.verify`."""
        for dataset_id in filter(is_upstream_dataset, self.reads):
            if self.gate.has(dataset_id):
                self.gate.verify(dataset_id)

    def policy(self, kind: Loadable[P], artifact_id: str) -> P:
        """A sealed policy as its record. Raises `GateError` when it is not sealed or changed, `PolicyError` when it
        asks for something that no law offers."""
        self.gate.require(artifact_id, code=self.code("S0_GATE_INVALID"))
        self.gate.sealed_bytes(artifact_id)
        return load_policy(kind, self.gate.path(artifact_id), self.contracts)

    def path(self, dataset_id: str, scenario_id: str | None = None) -> Path:
        """Where a 5B dataset lies in the run."""
        entry = self.contracts.dictionary("5B").entry(dataset_id)
        return self.root.resolve(entry.render(self.root.identity.tokens(scenario_id)))

    def target(self, dataset_id: str, scenario_id: str | None = None, *members: str) -> Path:
        """Where to write a dataset, or one member file of a folder dataset, until it is published. The folder above it
        exists."""
        place = self.path(dataset_id, scenario_id).joinpath(*members)
        self._targets.append(place)
        staged = self.folder / place.relative_to(self.root.path)
        staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

    def kept_folder(self) -> Path:
        """A folder of the run that outlives this process, for finished parts; it goes once the state is published."""
        return self.root.kept() / self.id

    def record_digest(self, staged: Path, sha256_hex: str) -> None:
        """Give the digest of a staged file that was hashed already."""
        self._digests[staged] = sha256_hex

    def staged(self) -> list[tuple[Path, Path]]:
        """Every target that was asked for, in that order: where it is written, and where it is to be published."""
        return [(self.folder / place.relative_to(self.root.path), place) for place in self._targets]

    def publish_all(self) -> Publication:
        """Publish every target that was asked for, in that order. What another release of the encoder published before, in
        other bytes that say the same, stays.

        Raises `PublishError`; a conflict is found before anything is moved.
        """
        pairs = self.staged()
        files = self._hashed([staged for staged, _ in pairs], self.folder)
        present = {place: self._published(staged, place) for staged, place in pairs if place.exists()}
        outcomes = {place: present.get(place) or self._published(staged, place) for staged, place in pairs}
        files |= self._hashed(present, self.root.path)
        for place, outcome in outcomes.items():
            self.log.info("%s %s", outcome.value, place.relative_to(self.root.path))
        shutil.rmtree(self.kept_folder(), ignore_errors=True)
        with suppress(OSError):  # another state keeps something, or no state kept anything
            self.root.kept().rmdir()
        return Publication(Outcome.WRITTEN if Outcome.WRITTEN in outcomes.values() else Outcome.UNCHANGED, files)

    def identity_columns(self, scenario_id: str, *, seed: bool = True) -> dict[str, Column]:
        """The columns that say whose rows these are: hashes, seed, scenario and ``s<N>_spec_version``."""
        identity = self.root.identity
        columns: dict[str, Column] = {
            "manifest_fingerprint": Constant(identity.manifest_fingerprint),
            "parameter_hash": Constant(identity.parameter_hash),
            "scenario_id": Constant(scenario_id),
            f"{self.id.lower()}_spec_version": Constant(self.gate.spec_version),
        }
        return {**columns, "seed": Constant(identity.seed)} if seed else columns

    def metadata(self, scenario_id: str, **facts: str) -> dict[str, str]:
        """Key-value metadata of this state's files for one scenario."""
        gate = self.gate
        stated = {
            "spec_version": gate.spec_version,
            POLICIES_DIGEST: gate.policies_digest(self.id),
            "scenario_id": scenario_id,
        }
        return file_metadata(self.root.identity, **stated, **facts)

    def _published(self, staged: Path, place: Path) -> Outcome:
        return publish(staged, place, state=self.id, same=says_the_same)

    def _hashed(self, places: Iterable[Path], above: Path) -> dict[str, str]:
        """SHA-256 of every file of some places by its path below ``above``."""
        files = sorted({file for place in places for file in ([place] if place.is_file() else place.rglob("*"))})
        return {
            file.relative_to(above).as_posix(): self._digests.get(file) or sha256_file(file)
            for file in files
            if file.is_file()
        }


@dataclass(frozen=True, slots=True)
class ScenarioWork:
    """One scenario of a state at work, with the two axes that S1 laid for it."""

    state: StateWork
    scenario_id: str
    grid: TimeGrid
    axis: SeriesAxis

    @classmethod
    def open(cls, state: StateWork, scenario_id: str, *, missing: str) -> ScenarioWork:
        """Read the axes of a scenario. Errors as `read_axes`, with code ``5B.<state>.<missing>``."""
        files = (state.path(name, scenario_id) for name in ("s1_time_grid_5B", "s1_grouping_5B"))
        return cls(state, scenario_id, *read_axes(*files, code=state.code(missing)))

    @property
    def backend(self) -> Backend:
        """Where to compute."""
        return self.state.backend

    @property
    def cells(self) -> int:
        """n * H: rows of a dataset with one row per series and bucket."""
        return len(self.axis) * self.grid.bucket_count

    def code(self, reason: str) -> str:
        """Failure code ``5B.<state>.<reason>``."""
        return self.state.code(reason)

    def path(self, dataset_id: str) -> Path:
        """Where a 5B dataset of this scenario lies in the run."""
        return self.state.path(dataset_id, self.scenario_id)

    def files(self, dataset_id: str, *, code: str) -> list[Path]:
        """Files of a Parquet dataset of this scenario in the order of its rows. Raises `InputError` ``code`` as
        `dataset_files`."""
        return dataset_files(self.path(dataset_id), code=code)

    def target(self, dataset_id: str) -> Path:
        """Where to write a dataset of this scenario until it is published, see `StateWork.target`."""
        return self.state.target(dataset_id, self.scenario_id)

    def identity_columns(self) -> dict[str, Column]:
        """The columns that say whose rows these are, see `StateWork.identity_columns`."""
        return self.state.identity_columns(self.scenario_id)

    def metadata(self, **facts: str) -> dict[str, str]:
        """Key-value metadata of this scenario's files."""
        return self.state.metadata(self.scenario_id, **facts)
