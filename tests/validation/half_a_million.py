"""A world of half a million arrivals under changed policies, and the look that S5 and the gates take at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from seg5b import api
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.run_tables import Subject, open_run_tables
from seg5b.run_tables.inputs import attach_scenario_inputs
from seg5b.run_tables.reductions import attach_reductions
from seg5b.run_tables.views import scenario_tables
from tests.conftest import TO_ARRIVALS
from tests.policies import Changes
from tests.validation.harness import Run
from tests.worlds import JUDGED


def realised(folder: Path, changes: Changes) -> Run:
    """16 merchants in one scenario, up to its arrivals."""
    root = replace(JUDGED, preset=replace(JUDGED.preset, weekly_total=150_000.0)).make(folder, changes)
    run = api.open_run(root.path.parent)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    return Run(run.root, run.contracts, open_gate(run.root, run.contracts, state="S5"))


@contextmanager
def looked_at(run: Run, change: Any = None) -> Iterator[Subject]:
    """The run's one scenario, its policies read with a ``change``."""
    with open_run_tables(
        run.root, run.contracts, label="test", gate=run.gate, threads=2, memory_limit_gb=1.0, change_policies=change
    ) as whole:
        yield attach_reductions(attach_scenario_inputs(scenario_tables(whole, whole.gate.scenarios[0])))
