"""Whether the bundle that is there is what S5 would publish: recognised by digests, without a query (law L13)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from seg5b import tzdb
from seg5b.contracts import ContractSource
from seg5b.finished import key_of, last_pass
from seg5b.gate import Gate
from seg5b.resources import code_digest
from seg5b.runs import RunRoot
from seg5b.validation.bundle.verify import verify_validation_bundle


def validation_key(gate: Gate, mode: str | None) -> str:
    """64 hex digits over what a verdict follows from besides the published files, which the bundle itself lists:
    sealed inputs with the policies, mode, code, the query engine and the time zones that wall clocks are compared with."""
    return key_of(
        {
            "code": code_digest(),
            "duckdb": version("duckdb"),
            "mode": mode,
            "sealed": gate.digest,
            "tzdb": tzdb.DEFAULT,
        }
    )


def sealed_record(root: RunRoot, contracts: ContractSource, key: str) -> Mapping[str, Any] | None:
    """The record of S5's last pass, if it has this key and its bundle verifies: every member, every published file and
    every sealed input has the digest that it had."""
    record = last_pass(root, "S5")
    if record is None or record.get("inputs_key") != key:
        return None
    report = verify_validation_bundle(root, contracts, remember=True)
    same = not report.problems and report.bundle_digest == record.get("bundle_digest")
    return record if same else None
