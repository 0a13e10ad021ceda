"""What a state made again, beside what is published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seg5b.context import StateWork
from seg5b.contracts import ContractSource
from seg5b.errors import brief, shown
from seg5b.evidence import audit_facts
from seg5b.foreign_json import parse_json
from seg5b.hashing import sha256_file
from seg5b.parts import ComparedPart
from seg5b.replay.lines import lines_difference
from seg5b.run_tables.outputs import dataset_path
from seg5b.runs import RunRoot
from seg5b.tables.comparing import TableDifference, table_difference
from seg5b.validation import Problem
from seg5b.validation.bundle.published import GATE, published_places

DIFFERS = "5B.REPLAY.DIFFERS"
MISSING = "5B.REPLAY.MISSING"
UNMADE = "5B.REPLAY.UNMADE"
_OF_ALL_PARTS = "s4_arrival_summary_5B"


@dataclass(slots=True)
class Compared:
    """What comparing came to so far. ``made``: files that are published as they should be or at least there; ``stopped``:
    states that could not be made again; ``skipped``: datasets that some parts alone do not tell."""

    problems: list[Problem] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0
    encoded_otherwise: int = 0
    made: set[Path] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    scenarios: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)

    def add(self, root: RunRoot, published: Path, size_bytes: int, what: str, **facts: Any) -> None:
        """Count a file, and what differs in it if anything does."""
        self.files += 1
        self.size_bytes += size_bytes
        if what:
            self.problems.append(Problem(DIFFERS, published.relative_to(root.path).as_posix(), what, facts))

    def miss(self, root: RunRoot, published: Path) -> None:
        """A file that should be published is not there."""
        self.problems.append(Problem(MISSING, published.relative_to(root.path).as_posix(), "is not there"))


def compare_outputs(work: StateWork, found: Compared) -> None:
    """Compare everything that a state made again with what is published."""
    for published, part in work.compared.items():
        found.made.add(published)
        if part is not None:
            _compare_part(work.root, part, found)
    some = any(part is None for part in work.compared.values())
    summary = {work.path(_OF_ALL_PARTS, scenario_id) for scenario_id in work.gate.scenario_ids}
    for staged, place in _files(work):
        found.made.add(place)
        if some and place in summary:
            found.skipped.add(_OF_ALL_PARTS)
        elif not place.is_file():
            found.miss(work.root, place)
        else:
            _compare_file(work.root, staged, place, found, some=some)


def _compare_part(root: RunRoot, part: ComparedPart, found: Compared) -> None:
    if part.missing:
        found.miss(root, part.published)
        return
    found.encoded_otherwise += part.other_bytes
    found.add(root, part.published, part.size_bytes, part.difference.sentence(), **_facts(part.difference))


def _files(work: StateWork) -> Iterator[tuple[Path, Path]]:
    for staged, place in work.staged():
        if staged.is_dir():
            yield from (
                (file, place / file.relative_to(staged)) for file in sorted(staged.rglob("*")) if file.is_file()
            )
        else:
            yield staged, place


def _compare_file(root: RunRoot, made: Path, published: Path, found: Compared, *, some: bool) -> None:
    """``some``: not all parts were made, so that a log has other lines too."""
    size = published.stat().st_size
    if size == made.stat().st_size and sha256_file(made) == sha256_file(published):
        found.add(root, published, size, "")
    elif made.suffix == ".parquet":
        difference = table_difference(published, made)
        found.encoded_otherwise += not difference
        found.add(root, published, size, difference.sentence(), **_facts(difference))
    else:
        found.add(root, published, size, lines_difference(published, made, some=some))


def _facts(difference: TableDifference) -> dict[str, Any]:
    if difference.row is None:
        return {}
    return {
        "row": difference.row,
        "rows": difference.rows,
        "columns": list(difference.columns),
        "key": _plain(difference.key),
        "found": _plain(difference.found),
        "made_again": _plain(difference.wanted),
    }


def _plain(values: Any) -> dict[str, Any]:
    return {name: value if isinstance(value, int | float | None) else str(value) for name, value in values.items()}


def unmade(root: RunRoot, contracts: ContractSource, found: Compared) -> list[Problem]:
    """Published files that no state makes, where every state was made again; and the audit log, whose moment and machine
    cannot be made again, by what follows from the run."""
    audit = dataset_path(root, contracts, "rng_audit_log")
    problems = [] if found.stopped == {"S1", "S2", "S3", "S4"} else _audit_problems(root, audit)
    if found.stopped:
        return problems
    gate = {dataset_path(root, contracts, name) for name in GATE if name in contracts.dictionary("5B").entries}
    for dataset_id, _, file in published_places(root, contracts, sorted(found.scenarios)):
        if file in found.made or file in gate or file == audit or dataset_id in found.skipped:
            continue
        what = f"lies in {dataset_id}, and no state makes it"
        problems.append(Problem(UNMADE, file.relative_to(root.path).as_posix(), what))
    return problems


def _audit_problems(root: RunRoot, audit: Path) -> list[Problem]:
    name = audit.relative_to(root.path).as_posix()
    if not audit.is_file():
        return [Problem(MISSING, name, "is not there")]
    try:
        (line,) = audit.read_bytes().splitlines()
        record = dict(parse_json(line))
    except (OSError, ValueError, TypeError) as cause:
        return [Problem(DIFFERS, name, f"is not one record: {brief(str(cause))}")]
    told = [
        f"{key} is {shown(record.get(key))}, made again {shown(value)}"
        for key, value in audit_facts(root.identity).items()
        if record.get(key) != value
    ]
    return [Problem(DIFFERS, name, "; ".join(told))] if told else []
