"""One run, or one scenario of it, behind SQL tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seg5b.contracts import ContractSource
from seg5b.engines import Engine, LocalEngine
from seg5b.errors import RunError
from seg5b.gate import Gate, Scenario
from seg5b.query import Database, Value, with_constants
from seg5b.run_tables.outputs import dataset_path
from seg5b.run_tables.policies import RunPolicies
from seg5b.runs import RunRoot

FULL = "full"
SAMPLED = "sampled"


@dataclass(frozen=True, slots=True)
class Subject:
    """One run, or one scenario of it when ``scenario`` is set.

    ``constants`` are the values behind ``$name`` in SQL; ``tables`` the tables that exist, ``missing`` why others do
    not; ``shared`` facts that one computation leaves for another (per run); ``mode`` is ``full`` or ``sampled``;
    ``engine`` looks at the parts of the arrivals; ``scratch`` is a folder that lasts as long as the database does.
    """

    root: RunRoot
    contracts: ContractSource
    gate: Gate
    policies: RunPolicies
    database: Database
    mode: str
    constants: Mapping[str, Value]
    scratch: Path
    tables: frozenset[str] = frozenset()
    missing: Mapping[str, str] = field(default_factory=dict)
    scenario: Scenario | None = None
    shared: dict[str, Any] = field(default_factory=dict)
    engine: Engine = field(default_factory=lambda: LocalEngine(1))

    @property
    def scenario_id(self) -> str:
        """Id of the scenario; empty for the whole run."""
        return self.scenario.scenario_id if self.scenario else ""

    @property
    def horizon(self) -> Scenario:
        """The scenario, with the bounds of its horizon; only where one was chosen."""
        assert self.scenario is not None
        return self.scenario

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query; ``$name`` in it stands for a constant. Raises `InputError` ``5B.QUERY.FAILED``."""
        return self.database.rows(with_constants(sql, self.constants))

    def row(self, sql: str) -> tuple[Any, ...]:
        """The one row of an aggregate query. Raises as `rows`."""
        return self.database.row(with_constants(sql, self.constants))

    def records(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query by column name. Raises as `rows`."""
        return self.database.records(with_constants(sql, self.constants))

    def arrays(self, sql: str) -> dict[str, np.ndarray]:
        """Columns of a query as numpy arrays, with constants. Raises as `rows`."""
        return self.database.arrays(with_constants(sql, self.constants))

    def run(self, sql: str) -> None:
        """Execute a statement with constants. Raises as `rows`."""
        self.database.run(with_constants(sql, self.constants))

    def path(self, dataset_id: str, *, per_scenario: bool = True) -> Path:
        """File or folder of a 5B dataset of this scenario."""
        scenario_id = self.scenario_id if per_scenario and self.scenario else None
        return dataset_path(self.root, self.contracts, dataset_id, scenario_id)

    def sealed_files(self, artifact_id: str) -> tuple[Path, ...]:
        """Files of a sealed input of this scenario. Raises `GateError`, `RunError`."""
        per_scenario = "scenario_id" in self.contracts.dictionary("5B").entry(artifact_id).tokens
        return self.gate.files(artifact_id, self.scenario_id if per_scenario else None)

    def relative(self, path: Path) -> str:
        """Path inside the run for messages that must not depend on where the run lies."""
        try:
            return path.relative_to(self.root.path).as_posix()
        except ValueError as cause:
            raise RunError("5B.RUN.PATH_ESCAPES", f"{path} is not in the run", where=str(self.root.path)) from cause
