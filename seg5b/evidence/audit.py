"""The audit record: which engine drew, for which run, on what."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from typing import Any

from seg5b.context import StateWork
from seg5b.resources import code_digest
from seg5b.runs.identity import RunIdentity

ALGORITHM = "philox2x64-10"


def audit_facts(identity: RunIdentity) -> dict[str, Any]:
    """What the audit record of a run says whenever and wherever it was made."""
    return {
        "run_id": identity.run_id,
        "seed": identity.seed,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "algorithm": ALGORITHM,
    }


def write_audit(state: StateWork) -> None:
    """Write ``rng_audit_log`` if the run has none yet; it is published once and never touched again. ``build_commit`` is the
    digest of the code, 64 hex digits."""
    if state.path("rng_audit_log").exists():
        return
    record = {
        **audit_facts(state.root.identity),
        "ts_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "build_commit": code_digest(),
        "hostname": platform.node() or "unknown",
        "platform": f"{platform.system()}-{platform.machine()}-py{platform.python_version()}-{os.name}",
    }
    line = json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n"
    state.target("rng_audit_log").write_bytes(line.encode("ascii"))
