"""Digests of published datasets, to compare runs, backends and machines."""

from __future__ import annotations

import hashlib

from seg5b.contracts import ContractSource
from seg5b.hashing import tree_digests
from seg5b.run_tables.outputs import OUTPUT_TABLES
from seg5b.runs.root import RunRoot

DATASETS = tuple(output.dataset_id for output in OUTPUT_TABLES)
"""Datasets whose bytes depend on sealed inputs alone; gate, logs and bundle carry times or the run id."""


def dataset_digests(root: RunRoot, contracts: ContractSource) -> dict[str, str]:
    """SHA-256 per published dataset over ``<relative path> <file SHA-256>`` lines of all scenarios, paths ascending and
    counted from the dataset's folder. Datasets that are not there are left out."""
    digests = {}
    for dataset_id in DATASETS:
        folder = root.path / contracts.dictionary("5B").entry(dataset_id).above_scenarios(root.identity.tokens())
        if folder.is_dir():
            lines = "".join(f"{name} {digest}\n" for name, digest in tree_digests(folder).items())
            digests[dataset_id] = hashlib.sha256(lines.encode()).hexdigest()
    return digests
