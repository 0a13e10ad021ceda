"""The open gate: what S1-S5 may read, where it lies, and whether it is still what was sealed (law L2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seg5b.canonical_json import canonical_json
from seg5b.contracts import ContractSource
from seg5b.errors import GateError, InputError, Seg5bError
from seg5b.gate.catalogue import BY_ID, POLICIES_OF_STATES
from seg5b.gate.content import ContentEntry
from seg5b.gate.files import DamageError, concatenated_digest, file_size, hash_files, read_bytes
from seg5b.gate.inputs import Place, is_per_scenario, place_of
from seg5b.gate.rows import SealedRow
from seg5b.gate.scenarios import Scenario
from seg5b.hashing import sha256_hex
from seg5b.progress import unreported
from seg5b.runs import RunRoot


def gate_code(state: str) -> str:
    """Code of a gate that does not hold, as each state calls it."""
    return f"5B.{state}.{'S0_GATE_MISSING' if state == 'S1' else 'S0_GATE_INVALID'}"


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate that held when it was opened.

    ``scenario_ids`` in processing order, ``scenarios`` in the same order; ``spec_version`` is copied to the
    ``s<N>_spec_version`` columns; ``rows`` are the sealed rows by artefact id; ``content`` lists the sealed
    files by (artefact id, scenario id or empty), None when the gate was written by an engine that does not
    list them; ``digest`` covers rows and content (`gate_digest`).
    """

    root: RunRoot
    contracts: ContractSource
    state: str
    scenarios: tuple[Scenario, ...]
    spec_version: str
    sealed_inputs_digest: str
    rows: Mapping[str, SealedRow]
    content: Mapping[tuple[str, str], tuple[ContentEntry, ...]] | None
    digest: str

    @property
    def scenario_ids(self) -> tuple[str, ...]:
        """Scenario ids in processing order."""
        return tuple(scenario.scenario_id for scenario in self.scenarios)

    def has(self, artifact_id: str) -> bool:
        """Whether an artefact was sealed and not ignored."""
        return artifact_id in self.rows and self.rows[artifact_id].status != "IGNORED"

    def require(self, artifact_id: str, *, code: str, error: type[Seg5bError] = InputError) -> SealedRow:
        """The sealed row of an artefact that can be used: present, not ignored, REQUIRED where the catalogue
        demands it, with the scope that its use needs. Raises ``error`` with ``code``."""
        row, artefact = self.rows.get(artifact_id), BY_ID[artifact_id]
        problem = None
        if row is None or row.status == "IGNORED":
            problem = "is not sealed" if row is None else "is sealed as IGNORED"
        elif artefact.required and row.status != "REQUIRED":
            problem = f"is sealed as {row.status}, not REQUIRED"
        elif artefact.scope == "ROW_LEVEL" and row.read_scope != "ROW_LEVEL":
            problem = f"is sealed for {row.read_scope} use, not ROW_LEVEL"
        if row is None or problem:
            raise error(
                code,
                f"input {artifact_id} {problem}",
                where="sealed_inputs_5B",
                remedy=f"provide it, then reseal: {self._reseal}",
            )
        return row

    def path(self, artifact_id: str, scenario_id: str | None = None) -> Path:
        """File or folder of a sealed artefact; ``scenario_id`` where it is partitioned by scenario.

        Raises `GateError` ``5B.<state>.S0_GATE_INVALID`` (S1: ``S0_GATE_MISSING``) when it is not sealed,
        `RunError` as `RunRoot.resolve`.
        """
        return self._place(artifact_id, scenario_id).path

    def shown_place(self, artifact_id: str) -> str:
        """Where a sealed artefact lies, for people: a path of the run relative to it, without its scenarios; another in full.
        Raises as `path`."""
        self._row(artifact_id)
        entry = self.contracts.dictionary("5B").entry(artifact_id)
        rendered = entry.above_scenarios(self.root.identity.tokens())
        return rendered if (self.root.path / rendered).exists() else str(self.root.resolve(rendered))

    def policies_digest(self, state: str) -> str:
        """SHA-256, 64 hex digits, of the canonical JSON of the sealed digests, by id, of the policies that the outputs of a
        state (``S1`` .. ``S4``) follow from (docs/laws#file-metadata). A policy of a later state does not change it."""
        names = [name for first, own in POLICIES_OF_STATES if first <= state for name in own]
        return sha256_hex(canonical_json({name: self._row(name).sha256_hex for name in names}))

    def files(self, artifact_id: str, scenario_id: str | None = None) -> tuple[Path, ...]:
        """Files to read: of a Parquet folder every ``*.parquet`` at any depth in ascending path order, of
        another folder every file, else the one file. Raises `GateError` ``5B.<state>.SEALED_CONTENT_CHANGED``
        when there is none.
        """
        place = self._place(artifact_id, scenario_id)
        found = self._present(artifact_id, place)
        if place.path.is_dir() and self._format(artifact_id) == "parquet":
            found = [path for path in found if path.suffix == ".parquet"]
        if not found:
            raise self._changed(f"{artifact_id} holds no Parquet file", place.path)
        return tuple(found)

    def verify(
        self, artifact_id: str, scenario_id: str | None = None, note: Callable[[str], None] | None = None
    ) -> None:
        """Compare the files behind an artefact with what was sealed: names, sizes, then SHA-256 (remembered
        within a process while a file stays untouched). Without ``scenario_id`` every scenario of the artefact
        is compared.

        Raises `GateError` ``5B.<state>.SEALED_CONTENT_CHANGED`` for bytes that differ and for files that are
        missing or new, ``5B.<state>.SEALED_CONTENT_MISSING`` when the gate does not list the artefact's
        files.
        """
        wanted = self.scenario_ids if scenario_id is None and self._partitioned(artifact_id) else (scenario_id,)
        for one in wanted:
            self._verify_place(artifact_id, self._place(artifact_id, one), note or unreported)

    def sealed_bytes(self, artifact_id: str) -> bytes:
        """Content of a policy or of a single-file input that is sealed by content, equal to what was sealed.

        Raises `GateError` ``5B.<state>.SEALED_POLICY_CHANGED`` for a policy that changed,
        ``5B.<state>.SEALED_CONTENT_CHANGED`` for another file.
        """
        place, row = self._place(artifact_id, None), self._row(artifact_id)
        changed = "SEALED_POLICY_CHANGED" if row.role == "policy" else "SEALED_CONTENT_CHANGED"
        try:
            content = read_bytes(place.path, place.fence)
        except DamageError as cause:
            raise self._changed(f"{artifact_id} {cause}", place.path, changed) from cause
        got = sha256_hex(content)
        if got != row.sha256_hex:
            what = f"{artifact_id} has SHA-256 {got}, sealed was {row.sha256_hex}"
            raise self._changed(what, place.path, changed)
        return content

    def _verify_place(self, artifact_id: str, place: Place, note: Callable[[str], None]) -> None:
        files = self._present(artifact_id, place)
        sealed = {entry.path: entry for entry in self._entries(artifact_id, place)}
        present = {place.name(file): file for file in files}
        if present.keys() != sealed.keys():
            gone, new = sorted(sealed.keys() - present.keys()), sorted(present.keys() - sealed.keys())
            raise self._changed(f"{artifact_id}: sealed but absent {gone[:3]}, not sealed {new[:3]}", place.path)
        try:
            self._compare(artifact_id, present, sealed, note)
            if BY_ID[artifact_id].digest in ("content", "policy"):
                self._compare_row(artifact_id, place, files)
        except DamageError as cause:
            raise self._changed(f"{artifact_id}: {cause}", place.path) from cause

    def _compare(
        self,
        artifact_id: str,
        present: Mapping[str, Path],
        sealed: Mapping[str, ContentEntry],
        note: Callable[[str], None],
    ) -> None:
        for name, file in present.items():
            size = file_size(file)
            if size != sealed[name].size_bytes:
                what = f"{artifact_id}: {name} has {size} bytes, sealed were {sealed[name].size_bytes}"
                raise self._changed(what, file)
        digests = hash_files(list(present.values()), note)
        for (name, file), got in zip(present.items(), digests, strict=True):
            if got != sealed[name].sha256_hex:
                what = f"{artifact_id}: {name} has SHA-256 {got}, sealed was {sealed[name].sha256_hex}"
                raise self._changed(what, file)

    def _compare_row(self, artifact_id: str, place: Place, files: list[Path]) -> None:
        """The sealed row names the content too; it is bound to the receipt, the list of files is not."""
        got, sealed = concatenated_digest(files), self._row(artifact_id).sha256_hex
        if got != sealed:
            raise self._changed(f"{artifact_id} has SHA-256 {got}, sealed was {sealed}", place.path)

    def _entries(self, artifact_id: str, place: Place) -> tuple[ContentEntry, ...]:
        entries = (self.content or {}).get((artifact_id, place.scenario_id or ""), ())
        if not entries:
            listed = "lists no file of it" if self.content is not None else "is missing"
            raise GateError(
                f"5B.{self.state}.SEALED_CONTENT_MISSING",
                f"{artifact_id} cannot be verified: sealed_content_5B {listed}",
                where=str(place.path),
                remedy=f"run `seg5b s0 --run-id {self.root.identity.run_id}`: it adds the list to a gate without one",
            )
        return entries

    def _present(self, artifact_id: str, place: Place) -> list[Path]:
        try:
            return place.files()
        except DamageError as cause:
            raise self._changed(f"{artifact_id} {cause}", place.path) from cause

    def _place(self, artifact_id: str, scenario_id: str | None) -> Place:
        self._row(artifact_id)
        return place_of(self.root, self.contracts.dictionary("5B").entry(artifact_id), scenario_id)

    def _row(self, artifact_id: str) -> SealedRow:
        if artifact_id not in self.rows:
            raise GateError(
                gate_code(self.state),
                f"{artifact_id} is not sealed",
                where="sealed_inputs_5B",
                remedy=f"provide it, then reseal: {self._reseal}",
            )
        return self.rows[artifact_id]

    def _partitioned(self, artifact_id: str) -> bool:
        return is_per_scenario(self.contracts.dictionary("5B").entry(artifact_id))

    def _format(self, artifact_id: str) -> str:
        return self.contracts.dictionary("5B").entry(artifact_id).format

    def _changed(self, what: str, where: Path, reason: str = "SEALED_CONTENT_CHANGED") -> GateError:
        return GateError(
            f"5B.{self.state}.{reason}",
            what,
            where=str(where),
            remedy=f"restore the sealed file, or reseal: {self._reseal}",
        )

    @property
    def _reseal(self) -> str:
        return f"`seg5b s0 --reseal --run-id {self.root.identity.run_id}`"
