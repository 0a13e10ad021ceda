"""From what was asked for to what there is: dataset, scenarios, files.

Whoever asks for something else is told what there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource, Entry, dataset_files
from seg5b.errors import InputError, RunError
from seg5b.gate import open_gate
from seg5b.runs.root import RunRoot

_INCOMPLETE = "5B.EXPORT.DATASET_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A dataset by its id, the scenarios of it (none where it has none), and its files in the order of its rows."""

    dataset_id: str
    scenarios: tuple[str, ...]
    files: tuple[Path, ...]


def choose(root: RunRoot, contracts: ContractSource, dataset: str, scenarios: tuple[str, ...]) -> Chosen:
    """The files of a dataset. Raises `InputError` ``5B.EXPORT.DATASET_UNKNOWN``, ``5B.EXPORT.SCENARIO_UNKNOWN``,
    ``5B.EXPORT.DATASET_INCOMPLETE`` as `dataset_files`, and `RunError` ``5B.EXPORT.DATASET_MISSING``."""
    entry = _entry(contracts, dataset)
    wanted: tuple[str | None, ...] = (None,)
    if "scenario_id" in entry.tokens:
        wanted = _scenarios(root, contracts, scenarios)
    elif scenarios not in ((), ("all",)):
        what = f"{entry.id} is the same for all scenarios"
        raise InputError("5B.EXPORT.SCENARIO_UNKNOWN", what, remedy="leave out --scenario")
    files: list[Path] = []
    for scenario in wanted:
        place = root.resolve(entry.render(root.identity.tokens(scenario)))
        found = dataset_files(place, code=_INCOMPLETE)
        if not found or not found[0].exists():
            remedy = "run the state that writes it; `seg5b status` shows what is done"
            raise RunError("5B.EXPORT.DATASET_MISSING", f"{entry.id} is not published", where=str(place), remedy=remedy)
        files += found
    return Chosen(entry.id, tuple(each for each in wanted if each is not None), tuple(files))


def _entry(contracts: ContractSource, dataset: str) -> Entry:
    entries = contracts.dictionary("5B").entries
    entry = entries.get(dataset) or entries.get(f"{dataset}_5B")
    tables = sorted(each.id for each in entries.values() if each.format == "parquet")
    if entry is None or entry.id not in tables:
        what = f"there is no dataset {dataset!r}" if entry is None else f"{entry.id} is {entry.format}, no table"
        raise InputError("5B.EXPORT.DATASET_UNKNOWN", what, remedy=f"choose among {', '.join(tables)}")
    return entry


def _scenarios(root: RunRoot, contracts: ContractSource, asked: tuple[str, ...]) -> tuple[str, ...]:
    known = open_gate(root, contracts, state="S5").scenario_ids
    if asked == ("all",):
        return known
    refuse_unknown("scenario", asked, known, "5B.EXPORT.SCENARIO_UNKNOWN")
    return tuple(dict.fromkeys(asked)) or known[:1]


def refuse_unknown(kind: str, asked: Iterable[str], known: Iterable[str], code: str) -> None:
    """Raises `InputError` ``code`` for names that are not known, with those that are."""
    unknown = [name for name in asked if name not in set(known)]
    if unknown:
        remedy = f"choose among {', '.join(known)}"
        raise InputError(code, f"there is no {kind} {', '.join(map(repr, unknown))}", remedy=remedy)
