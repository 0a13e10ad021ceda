"""From a published run to SQL tables over it: the one way in for S5, explanations, scores and calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.engines import Engine, LocalEngine
from seg5b.errors import NO_VERDICT, PolicyError, Seg5bError
from seg5b.foreign_json import SHA256
from seg5b.gate import Gate, open_gate
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.parallel import all_threads
from seg5b.query import Database, Value, open_database
from seg5b.run_tables.inputs import attach_run_inputs, sealed_json
from seg5b.run_tables.policies import RunPolicies, load_policies
from seg5b.run_tables.subject import FULL, SAMPLED, Subject
from seg5b.runs import RunRoot
from seg5b.runs.scratch import reader_scratch

_MODES = {"full": FULL, "full_scan": FULL, "sampled": SAMPLED}


@contextmanager
def open_run_tables(
    root: RunRoot,
    contracts: ContractSource,
    *,
    label: str,
    gate: Gate | None = None,
    mode: str | None = FULL,
    threads: int | None = None,
    engine: Engine | None = None,
    memory_limit_gb: float = DEFAULT_MEMORY_GB,
    change_policies: Callable[[RunPolicies], RunPolicies] | None = None,
) -> Iterator[Subject]:
    """A realised run in a database of its own, with the tables of `attach_run_inputs`; closed and cleaned up behind it.

    Parameters: ``label`` names the scratch folder (`reader_scratch`); ``gate`` as `open_gate` gives it for S5,
    None to open it here; ``mode`` is ``full`` or ``sampled``, None for what the validation policy says; ``threads``
    None for all cores; ``engine`` looks at parts of the arrivals, None for these threads; ``memory_limit_gb`` in 10^9
    bytes; ``change_policies`` replaces limits that the sealed policies
    set (never what the run was made with).

    Raises `GateError` and `PolicyError` for what every table would rest on, ``5B.S5.CONTRACT_INVALID`` for a mode that
    does not exist. A table that cannot be made raises nothing: `Subject.missing` says why.
    """
    opened = gate or open_gate(root, contracts, state="S5")
    policies = load_policies(opened, contracts)
    chosen = _MODES.get(mode or policies.validation.sampling.mode)
    if chosen is None:
        raise PolicyError("5B.S5.CONTRACT_INVALID", f"there is no mode {mode!r}", remedy="use full or sampled")
    if change_policies:
        policies = change_policies(policies)
    with (
        reader_scratch(root, label) as scratch,
        open_database(memory_limit_gb, threads, scratch) as database,
    ):
        run = _whole_run(root, contracts, opened, policies, database, chosen, scratch)
        yield attach_run_inputs(replace(run, engine=engine or LocalEngine(threads or all_threads())))


def _whole_run(
    root: RunRoot,
    contracts: ContractSource,
    gate: Gate,
    policies: RunPolicies,
    database: Database,
    mode: str,
    scratch: Path,
) -> Subject:
    """The whole run with its constants, before any table is made."""
    bare = Subject(root, contracts, gate, policies, database, mode, {}, scratch)
    identity, read = root.identity, policies.readings
    reference_mean, power, *kappas = read.volume_law or (1.0, 0.0, 0.0, math.inf)
    constants: dict[str, Value] = {
        "fingerprint": identity.manifest_fingerprint,
        "parameters": identity.parameter_hash,
        "seed": identity.seed,
        "spec": gate.spec_version,
        "universe": _universe_hash(bare),
        "most_lambda": policies.validation.structural_checks.s2_realised_intensity.max_lambda_realised,
        "most_count": policies.validation.structural_checks.s3_bucket_counts.max_count_per_bucket,
        "most_buckets": policies.validation.structural_checks.s1_time_grid.max_buckets_per_scenario,
        "least_factor": read.factor_bounds[0] if read.has_field else 1.0,
        "most_factor": read.factor_bounds[1] if read.has_field else 1.0,
        "lambda_cap": read.lambda_max,
        "zero_eps": read.zero_eps,
        "count_cap": read.count_cap,
        "count_law": read.count_law,
        "reference_mean": reference_mean,
        "volume_power": power,
        "least_kappa": kappas[0],
        "most_kappa": kappas[1],
        "primary_clock": read.primary_clock,
        "any_site": read.on_missing_site_table != "abort",
    }
    return Subject(root, contracts, gate, policies, database, mode, constants, scratch)


def _universe_hash(subject: Subject) -> str:
    """The sealed universe hash; empty (which no arrival can carry) when the file is not usable."""
    try:
        return str(sealed_json(subject, "edge_universe_hash_3B", {"universe_hash": SHA256})["universe_hash"])
    except NO_VERDICT:
        raise
    except Seg5bError:
        return ""
