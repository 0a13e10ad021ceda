"""The tables that an explanation reads: one scenario's outputs and the run's sealed inputs, nothing computed yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seg5b.contracts import ContractSource
from seg5b.errors import InputError, RunError
from seg5b.run_tables.outputs import require_published, require_whole
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import scenario_tables
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.runs.root import RunRoot

_MEMORY_GB = 2.0
_INPUTS = ("modes", "sites", "edges", "settlement")
_OUTPUTS = ("grouping", "intensity", "counts", "arrivals")
"""In the order in which states publish them."""


@contextmanager
def explained_scenario(
    root: RunRoot, contracts: ContractSource, scenario_id: str | None, *, arrivals: bool = True
) -> Iterator[Subject]:
    """A scenario of a realised run (the first one by default) behind tables; without ``arrivals`` S4 need not have run.

    Raises `GateError` when the gate does not hold, `RunError` ``5B.EXPLAIN.SCENARIO_UNKNOWN``, ``5B.EXPLAIN.NOT_REALISED`` with
    the state that has not run, `InputError` ``5B.EXPLAIN.UNREADABLE``, and as `require_whole`.
    """
    with open_run_tables(root, contracts, label="explain", memory_limit_gb=_MEMORY_GB) as run:
        chosen = [each for each in run.gate.scenarios if scenario_id in (None, each.scenario_id)]
        if not chosen:
            what = f"the run has no scenario {scenario_id!r}"
            known = ", ".join(run.gate.scenario_ids)
            raise RunError("5B.EXPLAIN.SCENARIO_UNKNOWN", what, remedy=f"choose one of {known}")
        outputs = _OUTPUTS if arrivals else _OUTPUTS[:-1]
        require_published(root, contracts, chosen[0].scenario_id, outputs, code="5B.EXPLAIN.NOT_REALISED")
        require_whole(root, contracts, [chosen[0].scenario_id])
        subject = scenario_tables(run, chosen[0])
        for table in (*_INPUTS, *outputs):
            if table in subject.missing:
                remedy = "restore the file that it names; `seg5b verify` says what else changed"
                what = f"{table} cannot be read: {subject.missing[table]}"
                raise InputError("5B.EXPLAIN.UNREADABLE", what, where=subject.scenario_id, remedy=remedy)
        yield subject
