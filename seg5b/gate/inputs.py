"""Finding what is sealed: which files stand behind an artefact, and whether they are there.

Source: docs/laws#sealed-artefacts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource, Entry
from seg5b.errors import InputError, RunError
from seg5b.gate.catalogue import ARTEFACTS, Artefact
from seg5b.gate.files import AbsentError, DamageError, checked_file, is_folder, regular_files
from seg5b.runs import RunRoot

INCOMPLETE = "5B.S0.SEALED_INPUTS_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Place:
    """One rendered path of an artefact: the file or folder at ``path``. ``scenario_id`` is None where the
    artefact is not partitioned by scenario. ``fence`` is what no symbolic link may leave: the run folder for
    files in the run, None for configuration that was looked up.
    """

    rendered: str
    scenario_id: str | None
    path: Path
    fence: Path | None

    def files(self) -> list[Path]:
        """The file, or every regular file of the folder in path order. Raises `DamageError`, `AbsentError`
        when there is none."""
        if is_folder(self.path):
            found = regular_files(self.path, self.fence or self.path)
            if not found:
                raise AbsentError("is an empty folder")
            return found
        return [checked_file(self.path, self.fence)]

    def name(self, file: Path) -> str:
        """Name of one of `files` in `sealed_content_5B`: relative to the run root, or to the root that a
        configuration file was found in."""
        if file == self.path:
            return self.rendered
        return f"{self.rendered.rstrip('/')}/{file.relative_to(self.path).as_posix()}"


@dataclass(frozen=True, slots=True)
class FoundInput:
    """An artefact that is present: its contract entry and its places, one per scenario where it has
    scenarios."""

    artefact: Artefact
    entry: Entry
    places: tuple[Place, ...]


def is_per_scenario(entry: Entry) -> bool:
    """Whether an artefact has one place for each scenario."""
    return "scenario_id" in entry.tokens


def place_of(root: RunRoot, entry: Entry, scenario_id: str | None = None) -> Place:
    """Where an artefact lies. Raises `RunError` when a configuration file is in none of the roots where it
    is looked up, or when the path leads out of the run."""
    rendered = entry.render(root.identity.tokens(scenario_id))
    path = root.resolve(rendered)
    return Place(rendered, scenario_id, path, root.path if path == root.path / rendered else None)


def find_input(
    root: RunRoot, contracts: ContractSource, artefact: Artefact, scenario_ids: Sequence[str]
) -> FoundInput | None:
    """The artefact with all its places; None for an absent optional one. One absent scenario makes it absent.

    Raises `InputError` ``5B.S0.SEALED_INPUTS_INCOMPLETE`` for an absent required artefact and for one that is
    there but cannot be used.
    """
    entry = contracts.dictionary("5B").entry(artefact.artifact_id)
    scenarios: Iterable[str | None] = scenario_ids if is_per_scenario(entry) else (None,)
    places = []
    for scenario_id in scenarios:
        try:
            place = place_of(root, entry, scenario_id)
            place.files()
        except (AbsentError, RunError) as cause:
            if isinstance(cause, RunError) and cause.code != "5B.RUN.INPUT_UNRESOLVED":
                raise
            if not artefact.required:
                return None
            raise _absent(artefact, entry.render(root.identity.tokens(scenario_id)), cause) from cause
        except DamageError as cause:
            raise InputError(
                INCOMPLETE,
                f"{artefact.artifact_id} {cause}",
                where=str(place.path),
                remedy="replace it by the files that the upstream segment published",
            ) from cause
        places.append(place)
    return FoundInput(artefact, entry, tuple(places))


def find_inputs(root: RunRoot, contracts: ContractSource, scenario_ids: Sequence[str]) -> tuple[FoundInput, ...]:
    """Every artefact of the catalogue that is present. Errors as `find_input`."""
    found = (find_input(root, contracts, artefact, scenario_ids) for artefact in ARTEFACTS)
    return tuple(item for item in found if item is not None)


def _absent(artefact: Artefact, rendered: str, cause: Exception) -> InputError:
    reason = str(cause) if isinstance(cause, DamageError) else "is in no root"
    return InputError(
        INCOMPLETE,
        f"required input {artefact.artifact_id} {reason}",
        where=rendered,
        remedy="run the upstream segment that makes it"
        if artefact.role != "policy"
        else "put the policy below the run's reference/ folder or name its root with --external-root",
    )
