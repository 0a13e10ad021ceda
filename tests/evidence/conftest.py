"""Two small worlds that kept event logs: one with every option on, tempered edges among them, one under the two-level field."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.api import Run, open_run
from seg5b.contracts import ContractSource
from seg5b.options import EVENT_FAMILIES, EventForm, Options, Tuning
from seg5b.pipeline import run_states
from tests.policies import TWO_LEVELS, Changes
from tests.worlds import EVERY_OPTION, SMALLEST

TO_ARRIVALS = ("S0", "S1", "S2", "S3", "S4")
SCENARIOS = ("baseline_v1", "stress_peak_online_v1")
OPTIONS_THAT_FIT = {key: values for key, values in EVERY_OPTION.items() if key != "validation_policy_5B"}


def logged(runs_root: Path, changes: Changes, form: EventForm) -> Run:
    """The smallest world under other policies, realised with event logs."""
    root = SMALLEST.make(runs_root, changes)
    run_states(root, ContractSource.packaged(), TO_ARRIVALS, options=Options(tuning=Tuning(event_logs=form)))
    return open_run(runs_root)


@pytest.fixture(scope="session")
def ornate_logs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """With tempered edges, and Poisson counts of one draw."""
    return logged(tmp_path_factory.mktemp("ornate_logs"), OPTIONS_THAT_FIT, "jsonl")


@pytest.fixture(scope="session")
def two_level_logs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Under the two-level field."""
    return logged(tmp_path_factory.mktemp("two_level_logs"), TWO_LEVELS, "jsonl")


@pytest.fixture(scope="session")
def parquet_logs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`ornate_logs` in Parquet."""
    return logged(tmp_path_factory.mktemp("parquet_logs"), OPTIONS_THAT_FIT, "parquet")


@pytest.fixture(params=["ornate_logs", "two_level_logs"])
def kept(request: pytest.FixtureRequest) -> Run:
    """Both of them."""
    run: Run = request.getfixturevalue(request.param)
    return run


def log_of(run: Run, family: str, scenario: str, form: EventForm = "jsonl") -> Path:
    """File of a log."""
    return run.path(f"rng_event_{family}") / f"scenario_id={scenario}" / f"part-000000.{form}"


def every_log(run: Run) -> list[tuple[str, str]]:
    """(family, scenario) of all logs, in the order in which they are made again."""
    found = []
    for state in ("S2", "S3", "S4"):
        of_state = [family for family, owner in EVENT_FAMILIES.items() if owner == state]
        found += [(family, scenario) for scenario in SCENARIOS for family in of_state]
    return [pair for pair in found if log_of(run, *pair).exists()]
