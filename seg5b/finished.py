"""A finished state is recognised by digests, without computing (law L13).

A state's result follows from what was sealed, from the datasets of earlier states that it reads, from the code, and from
what it was asked to log. Their digests make a key that stands in the state's run record. Where the last passing record has
the same key and every file that it published is there with the digest that it recorded, the result cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seg5b.context import StateWork
from seg5b.errors import RunError
from seg5b.gate import is_upstream_dataset
from seg5b.hashing import FileChangedError, remembered_sha256, sha256_hex, side_by_side
from seg5b.resources import code_digest
from seg5b.runs.ledger import passing_records
from seg5b.runs.root import RunRoot
from seg5b.tables.formats import encoder_version


def inputs_key(work: StateWork, own_inputs: Iterable[Path]) -> str:
    """64 hex digits over everything that the outputs of a state follow from, ``own_inputs`` being the files of earlier
    states that it reads. Raises `OSError` for one that cannot be read, `FileChangedError`."""
    identity, files = work.root.identity, sorted(own_inputs)
    digests = side_by_side(remembered_sha256, files, work.tuning.threads)
    return key_of(
        {
            "code": code_digest(),
            "encoder": encoder_version(),
            "run": [identity.run_id, identity.seed, identity.parameter_hash, identity.manifest_fingerprint],
            "sealed": work.gate.digest,
            "files": [
                [file.relative_to(work.root.path).as_posix(), digest]
                for file, digest in zip(files, digests, strict=True)
            ],
        }
    )


def key_of(facts: Mapping[str, Any]) -> str:
    """64 hex digits that differ wherever anything in ``facts`` differs."""
    return sha256_hex(json.dumps(facts, sort_keys=True).encode())


def state_key(work: StateWork) -> str | None:
    """`inputs_key` of a state as a whole, with what it was asked to log; None where an input is missing, which the
    state's own work then tells."""
    own = [dataset_id for dataset_id in work.reads if dataset_id in work.contracts.dictionary("5B").entries]
    places = [
        work.path(dataset_id, scenario_id)
        for dataset_id in own
        if not work.gate.has(dataset_id) and not is_upstream_dataset(dataset_id)
        for scenario_id in work.gate.scenario_ids
    ]
    try:
        return key_of({"inputs": inputs_key(work, _files(places)), "event_logs": work.tuning.event_logs})
    except (OSError, FileChangedError):
        return None


def finished_record(work: StateWork, key: str) -> Mapping[str, Any] | None:
    """The record of the state's last pass, if it has this key and what it published is still there, byte for byte, and
    nothing else beside it. Sealed upstream datasets that the state reads are compared as ever: raises `GateError` as
    `Gate.verify`."""
    record = last_pass(work.root, work.id)
    published = {} if record is None else record.get("published_files") or {}
    if record is None or record.get("inputs_key") != key or not published:
        return None
    work.verify_inputs()
    paths = [work.root.path / name for name in published]
    folders = {path.parent for path in paths}
    try:
        if {file for folder in folders for file in folder.iterdir() if file.is_file()} != set(paths):
            return None
        digests = list(side_by_side(remembered_sha256, paths, work.tuning.threads))
    except (OSError, FileChangedError):
        return None
    return record if digests == list(published.values()) else None


def last_pass(root: RunRoot, state_id: str) -> Mapping[str, Any] | None:
    """A state's last passing record; None if there is none, or the ledger cannot be read."""
    try:
        return next(reversed(passing_records(root, state_id)), None)
    except RunError:
        return None


def _files(places: Iterable[Path]) -> list[Path]:
    """Every file behind some datasets; a place that is missing is named as it is."""
    return [file for place in places for file in (sorted(place.rglob("*")) if place.is_dir() else [place])]
