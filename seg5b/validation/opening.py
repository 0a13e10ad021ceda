"""From an open gate to the subject of a validation."""

from __future__ import annotations

from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.errors import Seg5bError
from seg5b.gate import Gate
from seg5b.query import Database, Value
from seg5b.runs import RunRoot
from seg5b.validation.inputs import sealed_json
from seg5b.validation.policies import Policies
from seg5b.validation.subject import Subject


def run_subject(
    root: RunRoot,
    contracts: ContractSource,
    gate: Gate,
    policies: Policies,
    database: Database,
    mode: str,
    scratch: Path,
) -> Subject:
    """The whole run with its constants, before any table is made."""
    bare = Subject(root, contracts, gate, policies, database, mode, scratch, {})
    identity, lgcp = root.identity, policies.lgcp
    has_field = lgcp.latent_model_id != "none"
    constants: dict[str, Value] = {
        "fingerprint": identity.manifest_fingerprint,
        "parameters": identity.parameter_hash,
        "seed": identity.seed,
        "spec": gate.spec_version,
        "universe": _universe_hash(bare),
        "most_lambda": policies.validation.structural_checks.max_lambda_realised,
        "most_count": policies.validation.structural_checks.max_count_per_bucket,
        "least_factor": lgcp.min_factor if has_field else 1.0,
        "most_factor": lgcp.max_factor if has_field else 1.0,
        "lambda_cap": float("inf") if lgcp.lambda_max is None else lgcp.lambda_max,
        "zero_eps": policies.count.lambda_zero_eps,
        "count_cap": policies.count.max_count_per_bucket,
        "count_law": policies.count.count_law_id,
        "primary_clock": policies.routing.primary_clock,
        "any_site": policies.routing.on_missing_site_table == "merchant_sites",
    }
    return Subject(root, contracts, gate, policies, database, mode, scratch, constants)


def _universe_hash(subject: Subject) -> str:
    """The sealed universe hash; empty (which no arrival can carry) when the file is not usable."""
    try:
        return str(sealed_json(subject, "edge_universe_hash_3B").get("universe_hash", ""))
    except Seg5bError:
        return ""
