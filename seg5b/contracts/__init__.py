"""Contracts: dataset dictionaries, artefact registries and schema packs, in either layout (docs/laws#contract-layouts),
and which files a dataset consists of (docs/laws#folder-of-parts).

The only room that knows jsonschema, referencing and YAML.
"""

from seg5b.contracts.dictionary import EVENTS, Dictionary, Entry, structural_digest
from seg5b.contracts.documents import (
    DocumentFault,
    document_fault,
    plain_dates,
    with_defaults,
    without_defaults,
    yaml_text,
    yaml_value,
)
from seg5b.contracts.files import load_json, load_yaml
from seg5b.contracts.parts import dataset_files, dataset_name, part_name
from seg5b.contracts.registry import Artifact, Registry
from seg5b.contracts.source import ContractSource

__all__ = [
    "EVENTS",
    "Artifact",
    "ContractSource",
    "Dictionary",
    "DocumentFault",
    "Entry",
    "Registry",
    "dataset_files",
    "dataset_name",
    "document_fault",
    "load_json",
    "load_yaml",
    "part_name",
    "plain_dates",
    "structural_digest",
    "with_defaults",
    "without_defaults",
    "yaml_text",
    "yaml_value",
]
