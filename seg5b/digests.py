"""Digests of published datasets, to compare runs, backends and machines."""

from __future__ import annotations

import hashlib

from seg5b.contracts import ContractSource
from seg5b.hashing import tree_digests
from seg5b.runs.root import RunRoot

# Datasets whose bytes depend on sealed inputs alone; gate, logs and bundle carry times or the run id.
DATASETS = (
    "s1_time_grid_5B",
    "s1_grouping_5B",
    "s2_realised_intensity_5B",
    "s2_latent_field_5B",
    "s3_bucket_counts_5B",
    "arrival_events_5B",
    "s4_arrival_summary_5B",
    "s4_arrival_anomalies_5B",
)


def dataset_digests(root: RunRoot, contracts: ContractSource) -> dict[str, str]:
    """SHA-256 per published dataset over ``<relative path> <file SHA-256>`` lines of all scenarios, paths ascending and
    counted from the dataset's folder. Datasets that are not there are left out."""
    digests = {}
    for dataset_id in DATASETS:
        template = contracts.dictionary("5B").entry(dataset_id).path.split("scenario_id=")[0]
        folder = root.path / _filled(template, root)
        if folder.is_dir():
            lines = "".join(f"{name} {digest}\n" for name, digest in tree_digests(folder).items())
            digests[dataset_id] = hashlib.sha256(lines.encode()).hexdigest()
    return digests


def _filled(template: str, root: RunRoot) -> str:
    for token, value in root.identity.tokens().items():
        template = template.replace("{" + token + "}", value)
    return template
