"""Digests of published datasets, to compare runs, backends and machines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.foreign_json import OBJECT, TEXT, read_json
from seg5b.hashing import tree_digests
from seg5b.progress import Advance, unreported
from seg5b.run_tables.outputs import INCOMPLETE, OUTPUT_TABLES, dataset_path, output_files
from seg5b.runs.root import RunRoot
from seg5b.tables.content import content_digest
from seg5b.tables.reading import row_count

DATASETS = tuple(output.dataset_id for output in OUTPUT_TABLES)
"""Datasets whose rows depend on sealed inputs alone; gate, logs and bundle carry times or the run id."""


SIGNED = ("routing_universe_hash",)
"""Columns that hold a digest of upstream files, which the release of pyarrow that wrote those signs."""


def content_digests(
    root: RunRoot, contracts: ContractSource, *, threads: int, advance: Advance = unreported
) -> dict[str, str]:
    """SHA-256 of the rows of every published dataset and scenario, by ``<dataset> <scenario>``: the same for the same rows,
    whatever release of the encoder wrote them and however they are cut into files; columns of `SIGNED` do not count.
    Datasets that are not there are left out. ``advance`` is called with rows done.

    Raises `InputError` ``5B.RUN.DATASET_INCOMPLETE``, ``5B.RUN.DATASET_UNREADABLE``.
    """
    return {
        name: content_digest(files, threads=threads, advance=advance, without=SIGNED)
        for name, files in _datasets(root, contracts)
    }


def dataset_rows(root: RunRoot, contracts: ContractSource) -> int:
    """Rows of all published datasets. Raises as `content_digests`."""
    return sum(row_count(files, code=INCOMPLETE) for _, files in _datasets(root, contracts))


def _datasets(root: RunRoot, contracts: ContractSource) -> Iterator[tuple[str, list[Path]]]:
    for output in OUTPUT_TABLES:
        for scenario_id in _scenarios(root, contracts, output.dataset_id):
            if files := output_files(root, contracts, output, scenario_id):
                yield f"{output.dataset_id} {scenario_id}", files


def _scenarios(root: RunRoot, contracts: ContractSource, dataset_id: str) -> list[str]:
    """Scenarios that a dataset is published for."""
    folder = root.path / contracts.dictionary("5B").entry(dataset_id).above_scenarios(root.identity.tokens())
    named = (path.name.partition("=") for path in folder.iterdir()) if folder.is_dir() else ()
    found = sorted(scenario for key, _, scenario in named if key == "scenario_id")
    return [name for name in found if dataset_path(root, contracts, dataset_id, name).exists()]


def dataset_digests(root: RunRoot, contracts: ContractSource) -> dict[str, str]:
    """SHA-256 per published dataset over ``<relative path> <file SHA-256>`` lines of all scenarios, paths ascending and
    counted from the dataset's folder: of bytes as they lie on disk. Datasets that are not there are left out."""
    digests = {}
    for dataset_id in DATASETS:
        folder = root.path / contracts.dictionary("5B").entry(dataset_id).above_scenarios(root.identity.tokens())
        if folder.is_dir():
            lines = "".join(f"{name} {digest}\n" for name, digest in tree_digests(folder).items())
            digests[dataset_id] = hashlib.sha256(lines.encode()).hexdigest()
    return digests


@dataclass(frozen=True, slots=True)
class Expected:
    """Digests that were written down before, of ``content`` or ``bytes``."""

    of: str
    digests: Mapping[str, str]


def expected_digests(file: Path) -> Expected:
    """What ``seg5b digest --json`` wrote. Raises `InputError` ``5B.RUN.DIGESTS_UNREADABLE``."""
    try:
        payload: Mapping[str, Any] = read_json(file, {"of": TEXT, "digests": OBJECT})
        digests = payload["digests"]
        if payload["of"] not in ("content", "bytes") or not all(isinstance(value, str) for value in digests.values()):
            raise ValueError("'of' is neither 'content' nor 'bytes', or a digest is no text")
    except (OSError, ValueError) as cause:
        what, remedy = f"holds no digests: {cause}", "write it with `seg5b digest --json`"
        raise InputError("5B.RUN.DIGESTS_UNREADABLE", what, where=str(file), remedy=remedy) from cause
    return Expected(payload["of"], digests)


def compared(found: Mapping[str, str], expected: Mapping[str, str]) -> dict[str, str]:
    """What differs, in words, by dataset."""
    words = {}
    for name in sorted(found.keys() | expected.keys()):
        if name not in expected:
            words[name] = "was not there before"
        elif name not in found:
            words[name] = "is not published"
        elif found[name] != expected[name]:
            words[name] = f"differs: {found[name]}, before {expected[name]}"
    return words
