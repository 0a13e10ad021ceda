"""The tables that an explanation reads: one scenario's outputs and the run's sealed inputs, nothing computed yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seg5b.contracts import ContractSource
from seg5b.errors import RunError
from seg5b.run_tables.outputs import require_whole
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import scenario_tables
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.runs.root import RunRoot

_MEMORY_GB = 2.0


@contextmanager
def explained_scenario(root: RunRoot, contracts: ContractSource, scenario_id: str | None) -> Iterator[Subject]:
    """A scenario of a realised run (the first one by default) behind tables.

    Raises `GateError` when the gate does not hold, `RunError` ``5B.EXPLAIN.SCENARIO_UNKNOWN``, and as
    `require_whole`.
    """
    with open_run_tables(root, contracts, label="explain", memory_limit_gb=_MEMORY_GB) as run:
        chosen = [each for each in run.gate.scenarios if scenario_id in (None, each.scenario_id)]
        if not chosen:
            what = f"the run has no scenario {scenario_id!r}"
            known = ", ".join(run.gate.scenario_ids)
            raise RunError("5B.EXPLAIN.SCENARIO_UNKNOWN", what, remedy=f"choose one of {known}")
        require_whole(root, contracts, [chosen[0].scenario_id])
        yield scenario_tables(run, chosen[0])
