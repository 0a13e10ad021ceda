"""A run made ready to be explained: tables over its outputs and inputs, nothing computed yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seg5b.contracts import ContractSource
from seg5b.errors import RunError
from seg5b.gate import open_gate
from seg5b.publish import staging_folder
from seg5b.query import open_database
from seg5b.runs.root import RunRoot
from seg5b.validation.inputs import attach_run_inputs
from seg5b.validation.opening import run_subject
from seg5b.validation.policies import load_policies
from seg5b.validation.subject import FULL, Subject
from seg5b.validation.views import attach_outputs, scenario_subject

_MEMORY_GB = 2.0


@contextmanager
def explained_scenario(root: RunRoot, contracts: ContractSource, scenario_id: str | None) -> Iterator[Subject]:
    """A scenario of a realised run (the first one by default) behind tables.

    Raises `GateError` when the gate does not hold, `RunError` ``5B.EXPLAIN.SCENARIO_UNKNOWN``.
    """
    gate = open_gate(root, contracts, state="S5")
    chosen = [each for each in gate.scenarios if scenario_id in (None, each.scenario_id)]
    if not chosen:
        what = f"the run has no scenario {scenario_id!r}"
        raise RunError("5B.EXPLAIN.SCENARIO_UNKNOWN", what, remedy=f"choose one of {', '.join(gate.scenario_ids)}")
    with staging_folder(root.tmp(), "explain") as scratch, open_database(_MEMORY_GB, None, scratch) as database:
        run = run_subject(root, contracts, gate, load_policies(gate, contracts), database, FULL, scratch)
        yield attach_outputs(scenario_subject(attach_run_inputs(run), chosen[0]))
