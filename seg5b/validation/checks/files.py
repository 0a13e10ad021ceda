"""The files that hold 5B's datasets: what each says of itself, and that nothing else lies among them (law L8)."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from seg5b.contracts import EVENTS
from seg5b.errors import InputError
from seg5b.options import EVENT_FORMS
from seg5b.query import literal
from seg5b.run_tables.outputs import OUTPUT_TABLES, OutputTable, dataset_path, output_files
from seg5b.run_tables.rng_logs import DRAWING_STATES
from seg5b.run_tables.subject import Subject
from seg5b.tables import POLICIES_DIGEST
from seg5b.tables.pandas_note import pandas_note
from seg5b.tables.reading import zones_of_instants
from seg5b.validation.bundle.published import GATE
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_FIELD = "schema_partition_pk_ok"
_RNG_LAW = "philox2x64-10/5B.rng.v1"
_PART = re.compile(r"part-([0-9]{6})\.parquet")
_OF_ENCODER = "ARROW:schema"
_STATED = "seg5b.code_version"
_LATER = f"seg5b.{POLICIES_DIGEST}"
"""What files of an earlier release do not state."""
"""Says which release wrote a file. Another release may have, as long as it is said."""
_NOTE = "pandas"
"""A note for readers, which earlier releases did not write: where there is one it must be right."""
_OWN_FOLDERS = ("data/layer2/5B", "logs/layer2/5B/rng")
_OF_S5 = ("data/layer2/5B/validation", "data/layer2/5B/validation_failed")
"""Folders that S5 itself fills; `seg5b verify` looks into them."""


def _expected_metadata(subject: Subject, output: OutputTable, file: Path, columns: set[str]) -> dict[str, str]:
    """Key-value metadata that a file must have, the release that wrote it aside (docs/laws#file-metadata)."""
    identity = subject.root.identity
    part = _PART.fullmatch(file.name)
    return {
        "seg5b.seed": str(identity.seed),
        "seg5b.parameter_hash": identity.parameter_hash,
        "seg5b.manifest_fingerprint": identity.manifest_fingerprint,
        "seg5b.rng_law": _RNG_LAW,
        "seg5b.spec_version": subject.gate.spec_version,
        _LATER: subject.gate.policies_digest(output.state),
        "seg5b.scenario_id": subject.scenario_id,
        **({"seg5b.part": str(int(part[1]))} if part else {}),
        **pandas_note(field for field in output.form.schema if field.name in columns),
    }


def _metadata_faults(found: Mapping[str, str], expected: Mapping[str, str], created_by: str | None) -> Iterator[Key]:
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            yield {"key": name, "value": found.get(name), "expected": expected.get(name)}
    if not created_by:
        yield {"key": "created_by", "value": created_by, "expected": "the encoder's release"}


def _metadata(subject: Subject) -> Finding:
    """Every file of every dataset of the scenario."""
    wrong: list[Key] = []
    looked = 0
    for output in OUTPUT_TABLES:
        try:
            files = output_files(subject.root, subject.contracts, output, subject.scenario_id)
        except InputError:  # the checks of parts say which file is at fault
            continue
        looked += len(files)
        for file in files:
            name = subject.relative(file)
            found, repeated = _stated(subject, file)
            wrong += [{"file": name, "key": key, "problem": "stands there more than once"} for key in repeated]
            (created_by,) = subject.row(f"SELECT created_by FROM parquet_file_metadata({literal(str(file))})")
            columns = {row[0] for row in subject.rows(f"SELECT name FROM parquet_schema({literal(str(file))})")}
            expected = _expected_metadata(subject, output, file, columns)
            for optional in (_NOTE, _LATER):
                if optional not in found:
                    expected.pop(optional, None)
            if not found.pop(_STATED, ""):
                wrong.append({"file": name, "key": _STATED, "problem": "is not stated"})
            wrong += [{"file": name, **fault} for fault in _metadata_faults(found, expected, created_by)]
            wrong += [
                {"file": name, "column": column, "zone": zone}
                for column, zone in zones_of_instants(file, code="5B.S5.IO_READ_FAILED").items()
                if zone not in (None, "UTC")
            ]
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), looked)


def _stated(subject: Subject, file: Path) -> tuple[dict[str, str], list[str]]:
    """Key-value metadata of a file, but for the encoder's own, and the keys that are repeated."""
    rows = subject.rows(f"SELECT key, value FROM parquet_kv_metadata({literal(str(file))})")
    pairs = [(_text(key), _text(value)) for key, value in rows]
    repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    return {key: value for key, value in pairs if key != _OF_ENCODER}, repeated


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "backslashreplace")


def _own_files(subject: Subject) -> Iterator[str]:
    """Path, relative to the run, of every file that 5B may have published, S5's aside; of those that are not parts
    whether they are there or not."""
    root, contracts = subject.root, subject.contracts
    events = [name for name in contracts.dictionary("5B").entries if name.startswith(EVENTS)]
    places = [dataset_path(root, contracts, name) for name in (*GATE, "rng_audit_log")]
    for scenario_id in subject.gate.scenario_ids:
        of_scenario = f"scenario_id={scenario_id}"
        traces = dataset_path(root, contracts, "rng_trace_log")
        places += [traces / f"state={state}" / of_scenario / "rng_trace_log.jsonl" for state in DRAWING_STATES]
        logs = [dataset_path(root, contracts, name) / of_scenario for name in events]
        places += [folder / f"part-000000.{form}" for folder in logs for form in EVENT_FORMS]
        for output in OUTPUT_TABLES:
            place = dataset_path(root, contracts, output.dataset_id, scenario_id)
            parts = sorted(place.iterdir()) if place.is_dir() else []
            places += [part for part in parts if _PART.fullmatch(part.name)] if place.is_dir() else [place]
    return (subject.relative(place) for place in places)


def _nothing_else(subject: Subject) -> Finding:
    """Files, folders and links below 5B's own folders that no state publishes, hidden ones too."""
    own = set(_own_files(subject))
    above = {str(folder) for path in own for folder in PurePosixPath(path).parents}
    wrong: list[Key] = []
    looked, folders = 0, [subject.root.path / folder for folder in _OWN_FOLDERS]
    for folder in folders:  # grows as folders on the way to a dataset are found
        for entry in sorted(os.scandir(folder), key=lambda found: found.name) if folder.is_dir() else []:
            path = subject.relative(Path(entry.path))
            if path in _OF_S5:
                continue
            looked += 1
            if path in above and entry.is_dir():
                folders.append(Path(entry.path))
            elif path not in own or not entry.is_file():
                wrong.append({"path": path})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), looked)


CHECKS = (
    Check(
        "outputs.metadata",
        "5B.S5.FILE_METADATA_INVALID",
        _FIELD,
        "structural_checks.identity_columns",
        "the footer of every file states the run's seed, hashes and scenario, the versions and laws behind it, its part, "
        "and pandas' note of types, where there is one, those of the columns; instants are shown in UTC",
        Compute(_metadata),
    ),
    Check(
        "outputs.nothing_else",
        "5B.S5.FOREIGN_FILE",
        _FIELD,
        "structural_checks",
        "no file, folder or link lies among 5B's datasets and logs that no state publishes, hidden ones included",
        Compute(_nothing_else),
        per_scenario=False,
    ),
)
